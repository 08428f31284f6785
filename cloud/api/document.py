"""What `/schema/openapi.json` says: Litestar's description, made exact.

Litestar knows parameters and bodies. Added here: what every route may answer besides (problem details), who may use it,
media types that are not JSON, and an example of each answer. Examples are real answers (`examples.json`, one line a
route); a test compares their shape with what the server answers. What a handler raises stands in its docstring, as
"Raises NotFoundError.": that sentence becomes the list of answers.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import msgspec
from litestar import Request
from litestar.app import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.openapi.plugins import JsonRenderPlugin
from litestar.routes import HTTPRoute

from cloud.api.access import SAFE_METHODS
from cloud.api.problems import MEDIA_TYPE
from cloud.api.shapes import schemas_of, whole_bounds

EXAMPLES = Path(__file__).with_name("examples.json")
RAISES = re.compile(r"\s*\b(?:Raises|raises) [^.]*\.|, and (\w+Error) for [^.]*")
CODE = re.compile(r"\b4\d\d\b")
PARAMETER_KINDS = re.compile(r":[a-z]+}")
TEXT: dict[str, Any] = {"schema": {"type": "string"}}
BINARY: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
ANY_JSON: dict[str, Any] = {"schema": {"type": "object"}}
# Answers that are chosen by a parameter, or are no JSON at all.
MEDIA: dict[str, dict[str, Any]] = {
    "certificat": {"application/json": ANY_JSON, "text/html": TEXT, "application/pdf": BINARY},
    "reanalysis": {"application/json": ANY_JSON, "text/plain": TEXT, "text/csv": TEXT},
    "report": {"text/csv": TEXT, "application/pdf": BINARY},
    "checkpoint": {"text/plain": TEXT},
    "metrics": {"text/plain": TEXT},
    "samples.csv": {"text/csv": TEXT},
    "log.csv": {"text/csv": TEXT},
}
ANSWERS = {
    "304": "Nothing has changed since the answer with this ETag",
    "400": "What was asked is not possible as asked; `errors` names the fields",
    "401": "Show who you are: a token, or a session",
    "403": "Your role, your token's scopes or your sites do not allow it",
    "404": "There is no such thing",
    "409": "It can't be done in its present state",
    "413": "The body is too large",
    "429": "Asked too often: Retry-After says when to come back",
    "503": "The database or the broker is away: try again later",
}
RAISED = {
    "BadRequestError": "400",
    "NotFoundError": "404",
    "ConflictError": "409",
    "TooManyRequestsError": "429",
}
SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "`sqal token add`, or POST /api/sqal/tokens"},
    "session": {"type": "apiKey", "in": "cookie", "name": "sqal_session", "description": "POST /api/sqal/login"},
}


class Described(JsonRenderPlugin):
    """Serves the description, made exact once."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")
        self._document: dict[str, Any] | None = None

    def render(self, request: Request[Any, Any, Any], openapi_schema: dict[str, Any]) -> bytes:
        """The description as JSON."""
        if self._document is None:
            self._document = exact(request.app, openapi_schema)
        return msgspec.json.encode(self._document)


def exact(app: Litestar, document: dict[str, Any]) -> dict[str, Any]:
    """The description with all answers, rights and examples; `document` is left as it is."""
    made: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(document))
    handlers = _handlers(app)
    shapes, schemas = schemas_of(handlers)
    components = made.setdefault("components", {})
    components["schemas"] = schemas
    components["securitySchemes"] = SECURITY_SCHEMES
    components["responses"] = {code: _answer(code) for code in ANSWERS}
    for path, item in made["paths"].items():
        for method, operation in item.items():
            route = f"{method.upper()} {path}"
            _put_shapes(operation, *shapes[route])
            _complete(operation, route, handlers[route].opt)
    return made


def _handlers(app: Litestar) -> dict[str, HTTPRouteHandler]:
    """The handlers that are described, by method and path as the description writes them."""
    return {
        f"{method} {PARAMETER_KINDS.sub('}', route.path)}": handler
        for route in app.routes
        if isinstance(route, HTTPRoute)
        for handler in route.route_handlers
        if handler.include_in_schema is not False
        for method in handler.http_methods
    }


def _put_shapes(operation: dict[str, Any], body: dict[str, Any] | None, answer: dict[str, Any] | None) -> None:
    if body is not None:
        operation["requestBody"]["content"] = {"application/json": {"schema": body}}
    if answer is not None:
        success = next(code for code in operation["responses"] if code.startswith("2"))
        operation["responses"][success]["content"] = {"application/json": {"schema": answer}}


def _complete(operation: dict[str, Any], route: str, opt: dict[str, Any]) -> None:
    method, path = route.split(" ")
    parameters: list[dict[str, Any]] = operation.get("parameters", [])
    for parameter in parameters:
        _without_null(parameter["schema"])
        whole_bounds(parameter["schema"])
    responses = operation["responses"]
    success = next(code for code in responses if code.startswith("2"))
    _media(responses[success], path)
    _examples(operation, responses[success], route)
    raised = " ".join(found[0] for found in RAISES.finditer(operation.get("description", "")))
    codes = {"503", "429"} | {RAISED[name] for name in RAISED if name in raised} | set(CODE.findall(raised))
    codes |= {"400"} if parameters or "requestBody" in operation else set()
    codes |= {"404"} if "{" in path else set()
    codes |= {"413"} if "requestBody" in operation else set()
    codes |= {"304"} if method in SAFE_METHODS and path.startswith("/api/sqal/") else set()
    if opt.get("is_public"):
        operation["security"] = []
        codes |= {"401"} if path.endswith("/login") else set()
    else:
        codes |= {"401", "403"}
        operation["security"] = [{name: []} for name in SECURITY_SCHEMES]
        role = opt.get("role", "viewer" if method in SAFE_METHODS else "operator")
        operation["x-role"] = role
        operation["description"] = f"{RAISES.sub('', operation.get('description', '')).strip()} Needs the role {role}."
    responses.pop("400", None)
    if path != "/readyz":  # its 503 has a body of its own
        responses.update({code: {"$ref": f"#/components/responses/{code}"} for code in sorted(codes)})
    else:
        responses["503"] = {**responses[success], "description": "Not now"}


def _media(success: dict[str, Any], path: str) -> None:
    other = MEDIA.get(path.rsplit("/", 1)[-1])
    if other is not None:
        success["content"] = {name: dict(content) for name, content in other.items()}
    elif success.get("content", {}).get("application/json", {}).get("schema") == {"type": "null"}:
        del success["content"]  # 204


def _examples(operation: dict[str, Any], success: dict[str, Any], route: str) -> None:
    example = examples().get(route)
    if example is None:
        return
    content: dict[str, Any] = success.get("content", {})
    for name, kind in content.items():
        if name == example.get("media_type", "application/json"):
            kind["example"] = example.get("response")
    if "request" in example:
        operation["requestBody"]["content"]["application/json"]["example"] = example["request"]
    for parameter in operation.get("parameters", []):
        if parameter["name"] in example.get("parameters", {}):
            parameter["example"] = example["parameters"][parameter["name"]]


@cache
def examples() -> dict[str, dict[str, Any]]:
    """Real requests and answers by route such as `GET /api/sqal/health`."""
    if not EXAMPLES.exists():
        return {}
    return msgspec.json.decode(EXAMPLES.read_bytes(), type=dict[str, dict[str, Any]])


def _without_null(schema: dict[str, Any]) -> None:
    """A query or path holds text: null is how we call its absence, not something that a sender could write."""
    kinds = schema.get("oneOf")
    if isinstance(kinds, list):
        left = [kind for kind in cast("list[dict[str, Any]]", kinds) if kind.get("type") != "null"]
        if len(left) == 1:
            del schema["oneOf"]
            schema.update(left[0])
    if isinstance(schema.get("enum"), list):
        schema["enum"] = [value for value in cast("list[Any]", schema["enum"]) if value is not None]
    if isinstance(schema.get("type"), list):
        named = [name for name in cast("list[str]", schema["type"]) if name != "null"]
        schema["type"] = named[0] if len(named) == 1 else named


def _answer(code: str) -> dict[str, Any]:
    if code == "304":
        return {"description": ANSWERS[code]}
    answer: dict[str, Any] = {"description": ANSWERS[code]}
    answer["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if code in ("429", "503"):
        answer["headers"] = {"Retry-After": {"schema": {"type": "string"}, "description": "seconds"}}
    return answer
