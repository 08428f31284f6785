"""The dashboard and the API's documentation: files of `cloud/static/`, nothing from the internet.

The dashboard's build makes that folder. A path that is neither a file nor the API's is the dashboard's own (it routes
in the browser) and gets its page. Hashed files under `assets/` may be cached for ever, all others are asked for anew.
"""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any

import anyio.to_thread
from litestar import Request, Response, get, route
from litestar.di import NamedDependency
from litestar.exceptions import NotFoundException
from litestar.params import FromPath

from cloud.api.rights import PUBLIC

STATIC_DIR = Path(__file__).resolve().parents[1] / "static"
PROGRAM_PATHS = ("api", "ws", "schema", "assets", "vendor")  # a miss below these is a mistake, not a page

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
        "form-action 'self'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
UNCACHED = "no-cache"
FOR_EVER = "public, max-age=31536000, immutable"

NOT_BUILT = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>SQAL</title>
<h1>The dashboard has not been built</h1>
<p>Run <code>make page</code> in the repository, then reload. The API runs: <a href="/docs">its documentation</a>.</p>
</html>
"""

DOCS = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>SQAL API</title>
<link rel="icon" href="/vendor/swagger-ui/favicon-32x32.png">
<link rel="stylesheet" href="/vendor/swagger-ui/swagger-ui.css">
</head>
<body>
<p>MQTT and WebSockets: <a href="/docs/messages">their own page</a>.</p>
<div id="swagger-ui"><p>This page needs the dashboard's build: run <code>make page</code>.
The description itself is at <a href="/schema/openapi.json">/schema/openapi.json</a>.</p></div>
<script src="/vendor/swagger-ui/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
"""

DOCS_START = """\
SwaggerUIBundle({ url: "/schema/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null });
"""


@get("/docs", include_in_schema=False, opt=PUBLIC)
async def docs() -> Response[str]:
    """The interactive documentation of the API."""
    return _text(DOCS, "text/html")


@get("/docs/start.js", include_in_schema=False, opt=PUBLIC)
async def docs_start() -> Response[str]:
    """The one line of script of `/docs`; inline scripts are forbidden here."""
    return _text(DOCS_START, "text/javascript")


def _text(content: str, media_type: str, status: int = 200) -> Response[str]:
    headers = {**SECURITY_HEADERS, "Cache-Control": UNCACHED}
    return Response(content, media_type=f"{media_type}; charset=utf-8", status_code=status, headers=headers)


@route(["/", "/{path:path}"], http_method=["GET", "HEAD"], include_in_schema=False, opt=PUBLIC)
async def page(
    request: Request[Any, Any, Any], static_dir: NamedDependency[Path], path: FromPath[str] = "/"
) -> Response[bytes] | Response[str]:
    """A file of the dashboard, or its page. Raises NotFoundException."""
    return await anyio.to_thread.run_sync(_serve, static_dir, path, request.headers.get("if-none-match"))


def _serve(static_dir: Path, path: str, known_tag: str | None) -> Response[bytes] | Response[str]:
    file = _file(static_dir, path)
    if file is None:
        if path.strip("/").split("/", 1)[0] in PROGRAM_PATHS:
            raise NotFoundException
        file = static_dir / "index.html"
        if not file.is_file():
            return _text(NOT_BUILT, "text/html", status=503)
    content = file.read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    is_hashed = file.parent == static_dir / "assets"
    headers = {**SECURITY_HEADERS, "Cache-Control": FOR_EVER if is_hashed else UNCACHED, "ETag": tag}
    media_type = mimetypes.guess_type(file.name)[0] or "application/octet-stream"
    if media_type.startswith("text/") or media_type in ("application/javascript", "application/json"):
        media_type += "; charset=utf-8"
    if known_tag == tag:
        return Response(b"", status_code=304, media_type=media_type, headers=headers)
    return Response(content, media_type=media_type, headers=headers)


def _file(static_dir: Path, path: str) -> Path | None:
    """The file that `path` names inside `static_dir`, or None; nothing outside it can be named."""
    if "\0" in path:
        return None
    wanted = (static_dir / path.lstrip("/")).resolve()
    return wanted if wanted.is_relative_to(static_dir.resolve()) and wanted.is_file() else None
