"""Hypothesis strategies for every message, made from the message types themselves."""

import re
from datetime import UTC, datetime
from typing import Any

import msgspec.inspect as mi
from hypothesis import strategies as st

TEXT = st.characters(codec="utf-8", exclude_characters="\x00")


def values(kind: mi.Type) -> st.SearchStrategy[Any]:
    """JSON-ready values that are valid for `kind`."""
    match kind:
        case mi.Metadata():
            return values(kind.type)
        case mi.StructType():
            required = {f.encode_name: values(f.type) for f in kind.fields if f.required}
            optional = {f.encode_name: values(f.type) for f in kind.fields if not f.required}
            return st.fixed_dictionaries(required, optional=optional)
        case mi.UnionType():
            return st.one_of([values(part) for part in kind.types])
        case mi.ListType():
            longest = kind.max_length if kind.max_length is not None else 3
            return st.lists(values(kind.item_type), min_size=kind.min_length or 0, max_size=longest)
        case mi.DictType():
            return st.dictionaries(st.text(TEXT, max_size=8), values(kind.value_type), max_size=3)
        case mi.LiteralType():
            return st.sampled_from(list(kind.values))
        case _:
            return scalars(kind)


def scalars(kind: mi.Type) -> st.SearchStrategy[Any]:
    """Numbers, texts, times and the like."""
    match kind:
        case mi.NoneType():
            return st.none()
        case mi.BoolType():
            return st.booleans()
        case mi.IntType():
            return st.integers(
                kind.ge if kind.ge is not None else -(2**31), kind.le if kind.le is not None else 2**63 - 1
            )
        case mi.FloatType():
            return st.floats(kind.ge, kind.le if kind.le is not None else 1e300, allow_nan=False, allow_infinity=False)
        case mi.StrType() if kind.pattern:
            return st.from_regex(re.compile(kind.pattern.replace("$(?!\\n)", r"\Z"), re.ASCII), fullmatch=False)
        case mi.StrType():
            return st.text(TEXT, min_size=kind.min_length or 0, max_size=min(kind.max_length or 20, 20))
        case mi.DateTimeType():
            span = {"min_value": datetime(1970, 1, 1), "max_value": datetime(2100, 1, 1)}
            return st.datetimes(**span, timezones=st.sampled_from([None, UTC])).map(datetime.isoformat)
        case mi.UUIDType():
            return st.uuids().map(str)
        case mi.AnyType():
            return st.one_of(st.none(), st.integers(-(2**53), 2**53), st.text(TEXT, max_size=8))
        case _:
            raise TypeError(f"no strategy for {kind}")
