"""The register of models: which file, with which figures, who answers for it, and which one is in use."""

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from psycopg.types.json import Jsonb

from cloud.store.reader import Row, Store

Plain = r"^[A-Za-z0-9][A-Za-z0-9 ._/-]*$(?!\n)"
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
METRIC = re.compile(r"[A-Za-z0-9_@.-]{1,60}")


class NewModel(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model to be registered. model_type: what it is for, such as `grade` or `anomaly`; file_sha256 names the file.

    accuracy, precision, recall, f1_score: 0 to 1, on data that it was not trained on; others under `metrics`.
    """

    model_name: Annotated[str, msgspec.Meta(max_length=200, pattern=Plain)]
    model_type: Annotated[str, msgspec.Meta(max_length=50, pattern=Plain)]
    version: Annotated[str, msgspec.Meta(max_length=20, pattern=Plain)]
    file_sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
    file_path: Annotated[str, msgspec.Meta(max_length=500, pattern=r"^[^\x00]*$")] | None = None
    file_bytes: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    framework: Annotated[str, msgspec.Meta(max_length=50, pattern=Plain)] | None = None
    accuracy: Share | None = None
    precision: Share | None = None
    recall: Share | None = None
    f1_score: Share | None = None
    metrics: Annotated[dict[str, float], msgspec.Meta(max_length=100)] = {}
    hyperparameters: Annotated[dict[str, float | str | bool | None], msgspec.Meta(max_length=200)] = {}
    training_date: datetime | None = None
    description: Annotated[str, msgspec.Meta(max_length=1000, pattern=r"^[^\x00]*$")] = ""

    def __post_init__(self) -> None:
        for name in (*self.metrics, *self.hyperparameters):
            if METRIC.fullmatch(name) is None:
                raise ValueError(
                    f"{name[:60]!r} is no name of a figure: letters, digits, '_', '@', '.', '-', at most 60"
                )
        for value in self.hyperparameters.values():
            if isinstance(value, str) and "\0" in value:
                raise ValueError("hyperparameters may not hold the character U+0000")


class ModelError(Exception):
    """It cannot be done with this model; one sentence. is_missing: there is no such model."""

    def __init__(self, reason: str, *, is_missing: bool = False) -> None:
        super().__init__(reason)
        self.is_missing = is_missing


async def register(store: Store, model: NewModel, *, by: str, now: datetime) -> Row:
    """Put a model on the register, not in use. Raises ModelError for a version that is there."""
    values: dict[str, Any] = msgspec.structs.asdict(model)
    for name in ("metrics", "hyperparameters"):
        values[name] = Jsonb(values[name])
    row = await store.row("model_add", **values, by=by, now=now)
    if row is None:
        raise ModelError(f"there is a model {model.model_name} ({model.model_type}) {model.version} already")
    return await one(store, row["model_id"])


async def one(store: Store, model_id: int) -> Row:
    """A model by its number. Raises ModelError."""
    row = await store.row("models", model_id=model_id)
    if row is None:
        raise ModelError(f"there is no model {model_id}", is_missing=True)
    return row


async def activate(store: Store, model_id: int, *, by: str, now: datetime) -> Row:
    """Use a model from now on, in place of the one of its name and kind. Raises ModelError; a retired one stays so."""
    model = await one(store, model_id)
    if model["file_sha256"] is None:
        raise ModelError(f"model {model_id} has no file hash: nobody could tell which file it is")
    values = {"model_id": model_id, "by": by, "now": now}
    async with store.transaction() as connection:
        await connection.execute(store.queries["model_lock"])
        await connection.execute(store.queries["model_stand_down"], values)
        cursor = await connection.execute(store.queries["model_activate"], values)
        if await cursor.fetchone() is None:
            raise ModelError(f"model {model_id} is retired")
    return await one(store, model_id)


async def retire(store: Store, model_id: int, *, by: str, now: datetime) -> Row:
    """Do not use a model any more, for good. Raises ModelError."""
    if await store.row("model_retire", model_id=model_id, by=by, now=now) is None:
        raise ModelError(f"there is no model {model_id}", is_missing=True)
    return await one(store, model_id)
