"""Schemas of bodies and answers with every bound of the types, by msgspec: Litestar's own lose those of list items.

A handler's types are read from its signature. What has no JSON form (streams, files) stays as Litestar described it.
"""

import re
from typing import Any, cast, get_args, get_origin

import msgspec
from litestar import Response
from litestar.handlers import HTTPRouteHandler

from cloud.api.problems import Problem

REF = "#/components/schemas/{name}"
DOTTED = re.compile(r"cloud\.api\.(\w+)\.(\w+)")
INT64_MAX = 2**63 - 1

Schema = dict[str, Any]


def schemas_of(handlers: dict[str, HTTPRouteHandler]) -> tuple[dict[str, tuple[Schema | None, Schema | None]], Schema]:
    """For each route its body's and its answer's schema, where they have one, and the schemas that they refer to."""
    types: list[Any] = [Problem]
    places: dict[str, tuple[int | None, int | None]] = {}
    for route, handler in handlers.items():
        signature = handler.parsed_fn_signature
        data = signature.parameters.get("data")
        answer = _answer_type(signature.return_type.raw)
        body = None if data is None else _place(types, data.raw)
        places[route] = (body, None if answer is None else _place(types, answer))
    found, components = msgspec.json.schema_components(types, ref_template=REF)
    schemas = cast("list[Schema]", _renamed(list(found)))
    pairs = {
        route: (None if body is None else schemas[body], None if answer is None else schemas[answer])
        for route, (body, answer) in places.items()
    }
    return pairs, _renamed(components)


def _place(types: list[Any], kind: Any) -> int:
    types.append(kind)
    return len(types) - 1


def _answer_type(kind: Any) -> Any:
    """What an answer holds, None where that is no JSON value."""
    if get_origin(kind) is Response:
        (kind,) = get_args(kind)
    is_raw = kind in (None, type(None), bytes, str) or Response in getattr(kind, "__mro__", ())
    return None if is_raw else kind


def _renamed(value: Any) -> Any:
    """Names of schemas without dots, which not every reader of the description takes."""
    if isinstance(value, dict):
        entries = cast("dict[str, Any]", value).items()
        return {DOTTED.sub(r"\1_\2", key): _renamed(each) for key, each in entries}
    if isinstance(value, list):
        return [_renamed(each) for each in cast("list[Any]", value)]
    return DOTTED.sub(r"\1_\2", value) if isinstance(value, str) else value


def whole_bounds(schema: Schema) -> None:
    """Bounds of integers as integers: as floats the largest one rounds to a number that is too large."""
    for name in ("minimum", "maximum"):
        if schema.get("type") == "integer" and isinstance(schema.get(name), float):
            schema[name] = min(int(schema[name]), INT64_MAX)
