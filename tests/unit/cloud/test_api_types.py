"""The TypeScript types are those of the API's description, and never wider than what it says."""

from pathlib import Path

import pytest

from cloud.api.typescript import UnknownSchemaError, description, type_of, typescript_of

TYPES = Path(__file__).parents[3] / "dashboard" / "src" / "api-types.ts"


def test_the_committed_types_are_those_of_the_description() -> None:
    assert TYPES.read_text(encoding="utf-8") == typescript_of(description()), "run `make types`"


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"type": "integer", "minimum": 1}, "number"),
        ({"type": ["string", "null"]}, "string | null"),
        ({"type": "array", "items": {"anyOf": [{"type": "number"}, {"type": "null"}]}}, "(number | null)[]"),
        ({"type": "string", "enum": ["A+", "A"]}, '"A+" | "A"'),
        (
            {"type": "object", "properties": {"A+": {"type": "number"}, "b": {"$ref": "#/components/schemas/B"}},
             "required": ["b"]},
            '{ "A+"?: number; b: B }',
        ),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "Record<string, number>"),
        ({"type": "object"}, "Record<string, Json>"),
        ({}, "Json"),
    ],
)  # fmt: skip
def test_types(schema: dict[str, object], expected: str) -> None:
    assert type_of(schema) == expected


def test_what_is_not_known_is_refused() -> None:
    with pytest.raises(UnknownSchemaError, match="not"):
        type_of({"not": {"type": "string"}})
