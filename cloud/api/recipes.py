"""`/api/sqal/recipes`: stored versions, what differs between them, and which one is to be used where.

A version is never changed: a correction is the next version, so that the recipe a sample names is the one it was made
with. Activating is an administrator's act, on record with its reason, and reaches the devices through their twins.
"""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, PathParameter, QueryParameter

from cloud.api.params import Before, text_without_nul
from cloud.api.problems import BadRequestError, ForbiddenError, NotFoundError
from cloud.api.rights import ADMIN, ANY_SITE, Rights
from cloud.clock import Clock
from cloud.recipes import Change, RecipeError, differences, parse_label, recipe_values
from cloud.store.reader import Row, Store
from cloud.store.recipes import Scope, activate_recipe, add_recipe, load_recipe
from contract.bounds import INT_MAX, DeviceId, SiteCode
from quality.recipe import DEFAULT_RECIPE, Recipe

BODY_BYTES_MAX = 32 * 1024
VersionPath = Annotated[int, PathParameter(ge=1, le=INT_MAX)]
Against = Annotated[
    str | None, QueryParameter(name="against", max_length=100, description="a label such as foie-gras@1")
]
Limit = Annotated[int, QueryParameter(name="limit", ge=1, le=500)]
Comment = Annotated[str, msgspec.Meta(max_length=1000, pattern=r"^[^\x00]*$(?!\n)")]
Why = Annotated[str, msgspec.Meta(min_length=1, max_length=1000, pattern=r"^[^\x00]*\S[^\x00]*$")]


class NewRecipe(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The values of a recipe (a field left out has its default) and why they are as they are. The server numbers it."""

    values: dict[str, Any]
    comment: Comment = ""


class Activation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a recipe is to be used: everywhere, at a site, or on a device; and why."""

    reason: Why
    site_code: SiteCode | None = None
    device_id: DeviceId | None = None


class RecipeEntry(msgspec.Struct, frozen=True):
    """One version without its values; the one that SQAL ships has no author and no date."""

    label: str
    name: str
    version: int
    comment: str
    created_by: str | None
    created_at: datetime | None


class RecipeList(msgspec.Struct, frozen=True):
    """All versions, the newest of each name first; `default` is what devices use that were never told otherwise."""

    recipes: list[RecipeEntry]
    default: str


class RecipeDetail(msgspec.Struct, frozen=True):
    """One version, whole."""

    label: str
    values: dict[str, Any]
    comment: str
    created_by: str | None
    created_at: datetime | None


class Differences(msgspec.Struct, frozen=True):
    """What differs between two versions."""

    before: str
    after: str
    changes: list[Change]


class Activated(msgspec.Struct, frozen=True):
    """What was put on record, and the devices that are told."""

    activation_id: int
    label: str
    devices: list[str]


class Activations(msgspec.Struct, frozen=True):
    """A page of the record, newest first; `in_use`: each device's recipe as wanted, and as its newest sample says."""

    activations: list[Row]
    in_use: list[Row]
    next: int | None


class RecipesController(Controller):
    """`/api/sqal/recipes`."""

    path = "/recipes"
    tags = ("recipes",)

    @get("/", summary="All recipes", opt=ANY_SITE)
    async def all(self, store: NamedDependency[Store]) -> RecipeList:
        """Every version, the one that SQAL ships among them."""
        rows = await store.rows("recipes")
        entries = [RecipeEntry(label=f"{row['name']}@{row['version']}", **row) for row in rows]
        return RecipeList([*entries, _shipped()], DEFAULT_RECIPE.label)

    @post("/", summary="Hand in a recipe")
    async def add(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        data: JSONBody[NewRecipe],
    ) -> RecipeDetail:
        """Store a recipe as the next version of its name; nothing uses it before it is activated. Raises 400, 403."""
        _every_site(rights)
        _check_size(data.values)
        by, now = rights.principal.name, clock.now()
        try:
            recipe = await add_recipe(store, data.values, comment=data.comment, by=by, now=now)
        except RecipeError as error:
            raise BadRequestError(f"values.{error.path}", error.reason) from error
        return RecipeDetail(recipe.label, recipe_values(recipe), data.comment, by, now)

    @get("/activations", summary="Which recipe is used where, and who said so")
    async def activations(
        self, store: NamedDependency[Store], rights: NamedDependency[Rights], before: Before = None, limit: Limit = 100
    ) -> Activations:
        """The record of activations, and each device's recipe."""
        rows = await store.rows("recipe_activations", sites=rights.sites, before=before, limit=limit)
        in_use = [_in_use(row) for row in await store.rows("recipe_in_use", sites=rights.sites)]
        return Activations(rows, in_use, rows[-1]["activation_id"] if len(rows) == limit else None)

    @get("/{name:str}/{version:int}", summary="One recipe", opt=ANY_SITE)
    async def one(self, store: NamedDependency[Store], name: FromPath[str], version: VersionPath) -> RecipeDetail:
        """A version with all its values. Raises NotFoundError."""
        recipe = await recipe_of(store, name, version)
        row = await store.row("recipe", name=name, version=version) or {}
        return RecipeDetail(
            recipe.label, recipe_values(recipe), row.get("comment", ""), row.get("created_by"), row.get("created_at")
        )

    @get("/{name:str}/{version:int}/diff", summary="What a recipe changes", opt=ANY_SITE)
    async def diff(
        self, store: NamedDependency[Store], name: FromPath[str], version: VersionPath, against: Against = None
    ) -> Differences:
        """Fields in which a version differs from another, by default from the one that SQAL ships. Raises 400, 404."""
        after = await recipe_of(store, name, version)
        before = await labelled_recipe(store, against or DEFAULT_RECIPE.label, "against")
        return Differences(before.label, after.label, differences(before, after))

    @post("/{name:str}/{version:int}/activate", summary="Use a recipe", opt=ADMIN, status_code=200)
    async def activate(
        self,
        store: NamedDependency[Store],
        clock: NamedDependency[Clock],
        rights: NamedDependency[Rights],
        *,
        name: FromPath[str],
        version: VersionPath,
        data: JSONBody[Activation],
    ) -> Activated:
        """From now on the devices it covers are to use it; they are told at once. Raises 400, 403, 404."""
        recipe = await recipe_of(store, name, version)
        scope = await _scope(store, rights, data)
        by, now = rights.principal.name, clock.now()
        try:
            number, devices = await activate_recipe(store, recipe, scope, reason=data.reason, by=by, now=now)
        except RecipeError as error:
            raise BadRequestError(error.path, error.reason) from error
        return Activated(number, recipe.label, devices)


async def recipe_of(store: Store, name: str, version: int) -> Recipe:
    """The recipe of a path. Raises NotFoundError."""
    text_without_nul(name, "name")
    label = f"{name}@{version}"
    try:
        return await load_recipe(store, label)
    except RecipeError as error:
        raise NotFoundError(f"there is no recipe {label[:100]}") from error


async def labelled_recipe(store: Store, label: str, path: str) -> Recipe:
    """The recipe that a parameter names. Raises BadRequestError."""
    try:
        parse_label(label)
        return await load_recipe(store, label)
    except RecipeError as error:
        raise BadRequestError(path, error.reason) from error


async def _scope(store: Store, rights: Rights, data: Activation) -> Scope:
    """Where an activation reaches, and that it may. Raises BadRequestError, ForbiddenError."""
    if data.device_id is None:
        rights.require(data.site_code)
        return Scope(data.site_code)
    device = await store.row("api_device", device_id=data.device_id)
    if device is None or device["site_code"] is None:
        raise BadRequestError("device_id", f"no device {data.device_id!r} is registered at a site")
    rights.require(device["site_code"])
    if data.site_code not in (None, device["site_code"]):
        raise BadRequestError("site_code", f"{data.device_id} stands at {device['site_code']}")
    return Scope(device["site_code"], data.device_id)


def _in_use(row: Row) -> Row:
    """A device's recipe by its label; `agrees`: its newest sample was made with it, null where there is none."""
    name, version = row.pop("name"), row.pop("version")
    wanted = DEFAULT_RECIPE.label if name is None else f"{name}@{version}"
    measured = row["measured_with"]
    return {**row, "wanted": wanted, "agrees": None if measured is None else measured == wanted}


def _shipped() -> RecipeEntry:
    recipe = DEFAULT_RECIPE
    return RecipeEntry(recipe.label, recipe.name, recipe.version, "the recipe that SQAL ships", None, None)


def _check_size(values: dict[str, Any]) -> None:
    size = len(msgspec.json.encode(values))
    if size > BODY_BYTES_MAX:
        raise BadRequestError("values", f"{size} bytes, at most {BODY_BYTES_MAX} are accepted")


def _every_site(rights: Rights) -> None:
    """A recipe belongs to no site."""
    if rights.sites is not None:
        raise ForbiddenError("recipes are for every site, and you have rights at some only")
