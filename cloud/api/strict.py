"""Requests read exactly: a body's types as they are described, a parameter once.

Litestar reads bodies leniently: 0 for false, "5" for 5. What the description calls a boolean should be one, or a sender
never learns that it means something else. A parameter that is given twice says two things, and we would believe one.
"""

from typing import Any
from urllib.parse import parse_qsl

import msgspec
from litestar import Request
from litestar.connection import ASGIConnection

from cloud.api.problems import BadRequestError
from cloud.api.wire import violation


class StrictRequest(Request[Any, Any, Any]):
    """A request whose body is decoded straight into the type of its handler."""

    async def json(self) -> Any:
        """The body as the handler's `data` wants it. Raises BadRequestError."""
        data = self.route_handler.parsed_fn_signature.parameters.get("data")
        if data is None:
            return await super().json()
        try:
            return msgspec.json.decode(await self.body(), type=data.raw)
        except msgspec.ValidationError as error:
            path, reason = violation(error)
            raise BadRequestError(path.removeprefix("$").removeprefix(".") or "body", reason) from error
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise BadRequestError("body", f"is no JSON: {error}") from error


def require_single_parameters(connection: ASGIConnection[Any, Any, Any, Any]) -> None:
    """Refuse a query that names a parameter twice, or says null, which would read as if it had not been given.

    Raises BadRequestError.
    """
    # read here and not by Litestar, whose reader merges what is given twice and makes None of null
    given = parse_qsl(connection.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    names = [name for name, _ in given]
    for name, value in given:
        if names.count(name) > 1:
            raise BadRequestError(name[:100], "given more than once")
        if value == "null":
            raise BadRequestError(name[:100], "leave it out instead of sending null")
