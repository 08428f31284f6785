"""`/api/sqal/models`: the register of models. Training waits for labelled data of a plant; its yield is kept here."""

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, PathParameter

from cloud.api.problems import ConflictError, ForbiddenError, NotFoundError, ProblemError
from cloud.api.rights import ADMIN, ANY_SITE, Rights
from cloud.clock import Clock
from cloud.models import ModelError, NewModel, activate, one, register, retire
from cloud.store.reader import Row, Store
from contract.bounds import INT_MAX

ModelPath = Annotated[int, PathParameter(ge=1, le=INT_MAX)]


class Models(msgspec.Struct, frozen=True):
    """All models, those in use first."""

    models: list[Row]


class ModelsController(Controller):
    """`/api/sqal/models`."""

    path = "/models"
    tags = ("models",)

    @get("/", summary="All models", opt=ANY_SITE)
    async def all(self, store: NamedDependency[Store]) -> Models:
        """With their figures and hashes."""
        return Models(await store.rows("models", model_id=None))

    @get("/{model_id:int}", summary="One model", opt=ANY_SITE)
    async def one(self, store: NamedDependency[Store], model_id: ModelPath) -> Row:
        """Raises NotFoundError."""
        try:
            return await one(store, model_id)
        except ModelError as error:
            raise _problem(error) from error

    @post("/", summary="Register a model")
    async def add(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        data: JSONBody[NewModel],
    ) -> Row:
        """Not in use before an administrator activates it. Raises ConflictError for a version that is there."""
        _every_site(rights)
        try:
            return await register(store, data, by=rights.principal.name, now=clock.now())
        except ModelError as error:
            raise _problem(error) from error

    @post("/{model_id:int}/activate", summary="Use a model", opt=ADMIN, status_code=200)
    async def activate(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        model_id: ModelPath,
    ) -> Row:
        """In place of the one of its name and kind. Raises NotFoundError, and ConflictError for a retired one."""
        _every_site(rights)
        try:
            return await activate(store, model_id, by=rights.principal.name, now=clock.now())
        except ModelError as error:
            raise _problem(error) from error

    @post("/{model_id:int}/retire", summary="Retire a model", opt=ADMIN, status_code=200)
    async def retire(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        model_id: ModelPath,
    ) -> Row:
        """For good. Raises NotFoundError."""
        _every_site(rights)
        try:
            return await retire(store, model_id, by=rights.principal.name, now=clock.now())
        except ModelError as error:
            raise _problem(error) from error


def _problem(error: ModelError) -> ProblemError:
    return NotFoundError(str(error)) if error.is_missing else ConflictError(str(error))


def _every_site(rights: Rights) -> None:
    """A model belongs to no site."""
    if rights.sites is not None:
        raise ForbiddenError("models are for every site, and you have rights at some only")
