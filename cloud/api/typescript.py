"""TypeScript types of the API, made from its description: what the dashboard and other front ends import.

    python -m cloud.api.typescript > dashboard/src/api-types.ts          (`make types`)

The description uses few keywords of JSON Schema; one that is not known here ends with UnknownSchemaError, so that no
type is wider than what the server says. Bounds and patterns have no TypeScript and are left to the server.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from cloud.api.document import exact
from cloud.app import create_app
from cloud.settings import Settings
from cloud.store.queries import Queries

HEAD = """\
// Types of the API. Made from its description by `make types`: change the server, then run that.
/* eslint-disable */

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
"""
PLAIN = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}
WITHOUT_TYPE = {  # keywords that narrow a value or explain it, and change nothing of its TypeScript
    "title", "description", "default", "example", "examples", "format", "pattern", "minimum", "maximum", "minLength",
    "exclusiveMinimum", "exclusiveMaximum", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties",
}  # fmt: skip
SHAPING = {"type", "properties", "required", "additionalProperties", "items", "enum", "const", "anyOf", "oneOf", "$ref"}
IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*\Z")


class UnknownSchemaError(Exception):
    """The description says something that this module cannot put into TypeScript."""


def typescript_of(document: dict[str, Any]) -> str:
    """The types of every schema of `document`, and `Routes`: query, body and answer of each route."""
    parts = [HEAD]
    for name, schema in sorted(document["components"]["schemas"].items()):
        if text := schema.get("description"):
            parts.append(f"/** {text.partition(chr(10))[0]} */")
        parts.append(f"export type {name} = {type_of(schema)};\n")
    parts.append("/** What each route takes and answers; `never` where it takes nothing. */\nexport type Routes = {")
    for path, item in sorted(document["paths"].items()):
        parts += [_route(f"{method.upper()} {path}", operation) for method, operation in item.items()]
    return "\n".join([*parts, "};", ""])


def type_of(schema: dict[str, Any]) -> str:
    """The TypeScript of one schema. Raises UnknownSchemaError."""
    unknown = schema.keys() - WITHOUT_TYPE - SHAPING
    if unknown:
        raise UnknownSchemaError(f"{', '.join(sorted(unknown))} in {schema}")
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix("#/components/schemas/")
    if "enum" in schema or "const" in schema:
        values: list[Any] = schema["enum"] if "enum" in schema else [schema["const"]]
        return " | ".join(json.dumps(value, ensure_ascii=False) for value in values)
    if "anyOf" in schema or "oneOf" in schema:
        return _either([type_of(each) for each in (schema["anyOf"] if "anyOf" in schema else schema["oneOf"])])
    if "type" not in schema:
        return "Json"
    kind: str | list[str] = schema["type"]
    return _either([_of_kind(each, schema) for each in ([kind] if isinstance(kind, str) else kind)])


def _of_kind(kind: str, schema: dict[str, Any]) -> str:
    if kind == "array":
        item = type_of(schema.get("items", {}))
        return f"({item})[]" if " | " in item else f"{item}[]"
    if kind != "object":
        return PLAIN[kind]
    more = schema.get("additionalProperties", False if "properties" in schema else {})
    properties: dict[str, Any] = schema.get("properties", {})
    if not properties:
        return f"Record<string, {type_of(more) if isinstance(more, dict) and more else 'Json'}>"  # pyright: ignore[reportUnknownArgumentType]  # of JSON
    required = schema.get("required", [])
    fields = [f"{_key(name)}{'' if name in required else '?'}: {type_of(each)}" for name, each in properties.items()]
    return "{ " + "; ".join(fields) + " }"


def _either(kinds: list[str]) -> str:
    return " | ".join(dict.fromkeys(kinds))


def _key(name: str) -> str:
    return name if IDENTIFIER.match(name) else json.dumps(name)


def _route(route: str, operation: dict[str, Any]) -> str:
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    query = [
        f"{_key(each['name'])}{'' if each.get('required') else '?'}: {type_of(each['schema'])}"
        for each in parameters
        if each["in"] == "query"
    ]
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    success = next(each for code, each in operation["responses"].items() if code.startswith("2"))
    media: dict[str, Any] = success.get("content", {})
    answers = [
        type_of(kind["schema"]) if name == "application/json" else "string" for name, kind in sorted(media.items())
    ]
    taken = f"query: {'{ ' + '; '.join(query) + ' }' if query else 'never'}; body: {type_of(body) if body else 'never'}"
    return f"  {json.dumps(route)}: {{ {taken}; answer: {_either(answers) or 'undefined'} }};"


def description() -> dict[str, Any]:
    """The API's description; nothing is connected for it."""
    app: Any = create_app(Settings(), Queries(Path(__file__).parents[2] / "sql" / "queries"))
    while not hasattr(app, "routes"):
        app = app.app  # the layers around it
    return exact(app, app.openapi_schema.to_schema())


if __name__ == "__main__":
    sys.stdout.write(typescript_of(description()))
