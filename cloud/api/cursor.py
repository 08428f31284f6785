"""Keyset pages: where the next page begins, as an opaque text that names the last row of this one."""

import base64
import binascii
from typing import TypeVar

import msgspec

from cloud.api.problems import BadRequestError

Key = TypeVar("Key", bound=msgspec.Struct)


def cursor_of(key: msgspec.Struct) -> str:
    """The text for `key`, an `array_like` Struct of the columns that a page is ordered by."""
    return base64.urlsafe_b64encode(msgspec.json.encode(key)).decode().rstrip("=")


def key_of(kind: type[Key], cursor: str | None) -> Key | None:
    """The key in `cursor`; None for none. Raises BadRequestError for a text that is not from `cursor_of`."""
    if cursor is None:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        return msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True), type=kind)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as error:
        raise BadRequestError("before", "is no `next` of a page of this list") from error
