"""Problem details (RFC 9457): every error answer has one shape, whoever raised it.

    {"type": "about:blank", "title": "Bad Request", "status": 400, "detail": "limit: …", "errors": [{path, reason}]}

`errors` is there when single fields are at fault. What the database does to us is 503, never 500; a 500 is our bug and
is logged with its traceback.

ProblemError
├── BadRequestError       400, names fields
├── UnauthorizedError     401
├── ForbiddenError        403
├── NotFoundError         404
├── ConflictError         409
├── TooManyRequestsError  429, says when to come back
└── UnavailableError      503
"""

import math
import re
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, cast

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from psycopg import DataError, IntegrityError, OperationalError
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

MEDIA_TYPE = "application/problem+json"
_MISSING = re.compile(r"Missing required \w*\s?parameter '(\w+)'")
_log = structlog.get_logger("sqal.api")


class FieldError(msgspec.Struct, frozen=True):
    """One field at fault: `path` as the sender wrote it, `reason` a sentence."""

    path: str
    reason: str


class Problem(msgspec.Struct, frozen=True):
    """The body of an error answer."""

    title: str
    status: int
    detail: str
    errors: list[FieldError] | msgspec.UnsetType = msgspec.UNSET
    type: str = "about:blank"


class ProblemError(Exception):
    """An error that knows its answer."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    headers: Mapping[str, str] = MappingProxyType({})

    def __init__(self, detail: str, *errors: FieldError) -> None:
        super().__init__(detail)
        self.detail = detail
        self.errors = list(errors)


class BadRequestError(ProblemError):
    """What was asked is not possible as asked; `path` names the parameter or field."""

    status = HTTPStatus.BAD_REQUEST

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}", FieldError(path, reason))


class UnauthorizedError(ProblemError):
    """Nobody we know is asking."""

    status = HTTPStatus.UNAUTHORIZED

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.headers = {"WWW-Authenticate": 'Bearer realm="sqal"'}


class ForbiddenError(ProblemError):
    """Somebody we know is asking, who may not."""

    status = HTTPStatus.FORBIDDEN


class NotFoundError(ProblemError):
    """There is no such thing."""

    status = HTTPStatus.NOT_FOUND


class ConflictError(ProblemError):
    """It can't be done in its present state."""

    status = HTTPStatus.CONFLICT


class TooManyRequestsError(ProblemError):
    """Asked too often; `retry_after_s` says when to come back."""

    status = HTTPStatus.TOO_MANY_REQUESTS

    def __init__(self, detail: str, *, retry_after_s: float) -> None:
        super().__init__(detail)
        self.headers = {"Retry-After": str(math.ceil(retry_after_s))}


class UnavailableError(ProblemError):
    """Something behind us is away; trying again later makes sense."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


def problem_response(problem: Problem, headers: dict[str, str] | None = None) -> Response[bytes]:
    """`problem` as an HTTP answer."""
    return Response(
        content=msgspec.json.encode(problem),
        status_code=problem.status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def _of(status: int, detail: str, errors: list[FieldError] | None = None) -> Problem:
    title = HTTPStatus(status).phrase
    return Problem(title=title, status=status, detail=detail, errors=errors or msgspec.UNSET)


def on_problem(_: Request[Any, Any, Any], error: ProblemError) -> Response[bytes]:
    """Answer an error of ours."""
    return problem_response(_of(error.status, error.detail, error.errors), dict(error.headers))


def on_http_exception(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer an error of Litestar's: no such route, wrong method, a parameter that does not fit."""
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return on_bug(request, error)
    errors = _field_errors(error.extra) or _missing(error.detail)
    detail = error.detail
    if errors:
        detail = "; ".join(f"{each.path}: {each.reason}" for each in errors)
    elif error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {request.url.path}"
    return problem_response(_of(error.status_code, detail, errors), error.headers)


def _field_errors(extra: Any) -> list[FieldError]:
    if not isinstance(extra, list):
        return []
    entries = cast("list[dict[str, Any]]", extra)
    return [FieldError(str(each.get("key", "body")), str(each.get("message", "is wrong"))) for each in entries]


def _missing(detail: str) -> list[FieldError]:
    """The parameter that Litestar misses; it says so in a sentence only."""
    missing = _MISSING.match(detail)
    return [FieldError(missing.group(1), "required, but missing")] if missing else []


def on_deep_nesting(_: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """Answer a body that is nested beyond what a decoder follows."""
    del error
    field = FieldError("body", "nested too deeply")
    return problem_response(_of(HTTPStatus.BAD_REQUEST, "body: nested too deeply", [field]))


def on_database_away(
    request: Request[Any, Any, Any], error: OperationalError | PoolTimeout | PoolClosed | TooManyRequests
) -> Response[bytes]:
    """Answer that the database is away, overloaded, or took too long."""
    _log.warning("database_unavailable", path=request.url.path, error=str(error).strip())
    detail = "the database does not answer: live data goes on, history comes back by itself"
    return problem_response(_of(HTTPStatus.SERVICE_UNAVAILABLE, detail), {"Retry-After": "5"})


def on_refused_by_database(request: Request[Any, Any, Any], error: DataError | IntegrityError) -> Response[bytes]:
    """Answer input that passed our checks but not the database's: still the sender's, and worth a look of ours."""
    _log.warning("refused_by_database", path=request.url.path, error=str(error).strip())
    reason = (error.diag.message_primary or str(error)).strip()
    return problem_response(_of(HTTPStatus.BAD_REQUEST, f"the database refuses this value: {reason}"))


def on_bug(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer for a mistake of ours, and log it whole."""
    _log.error("bug", path=request.url.path, exc_info=error)
    detail = "SQAL made a mistake; it is in the server's log"
    return problem_response(_of(HTTPStatus.INTERNAL_SERVER_ERROR, detail))


HANDLERS: dict[Any, Any] = {
    ProblemError: on_problem,
    HTTPException: on_http_exception,
    OperationalError: on_database_away,
    PoolTimeout: on_database_away,
    PoolClosed: on_database_away,
    TooManyRequests: on_database_away,
    RecursionError: on_deep_nesting,
    DataError: on_refused_by_database,
    IntegrityError: on_refused_by_database,
    Exception: on_bug,
}
