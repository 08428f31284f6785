"""A client of the SQAL API for programs in Python: REST, and the live stream as an iterator that leaves no hole.

    async with SqalClient("https://sqal.example", token=secret) as sqal:
        print((await sqal.overview())["stats_24h"])
        async for message in sqal.live(site_code="LL", min_grade="B"):
            print(message.kind, message.payload["device_id"])

`live` connects again for as long as it is iterated, asks for what came by meanwhile and drops what it has shown. Where
the server can't fill a hole (away for longer than 15 minutes, more than 2,000 samples) it yields a message of kind
`hole`: ask `samples` for that period. Needs the package `websockets`.

SqalError
├── ApiError         the server refused: status, what it says, and which fields
└── UnreachableError nobody answers there
"""

import asyncio
import urllib.error
import urllib.request
from collections import OrderedDict
from collections.abc import AsyncGenerator
from datetime import datetime
from types import TracebackType
from typing import Any, Literal, cast
from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
import websockets

SEEN_MAX = 10_000  # messages that are recognised when they come again: more than the server ever replays
RETRY_S = (0.2, 0.5, 1.0, 2.0, 5.0)  # between attempts to connect; the last one for ever
FRAME_BYTES_MAX = 1024 * 1024
REFUSED = frozenset({400, 401, 403, 404, 421})  # of a WebSocket: asking again would be answered the same

Kind = Literal["tof", "spectral", "verdict", "alert", "status", "hole"]
_KINDS: dict[str, Kind] = {"analysis_result": "verdict", "alert": "alert", "system_status": "status"}


class SqalError(Exception):
    """What can go wrong; the text is a sentence."""


class UnreachableError(SqalError):
    """Nobody answers at the address."""


class ApiError(SqalError):
    """The server refused. errors: (field, reason) pairs where it names fields."""

    def __init__(self, status: int, detail: str, errors: list[tuple[str, str]]) -> None:
        super().__init__(f"{status}: {detail}")
        self.status = status
        self.detail = detail
        self.errors = errors


class Message(msgspec.Struct, frozen=True):
    """One live message. replayed: it came by while this client was away."""

    kind: Kind
    timestamp: str
    payload: dict[str, Any]
    replayed: bool = False


class _Wire(msgspec.Struct):
    type: str
    timestamp: str = ""
    payload: dict[str, Any] = {}
    replayed: bool | int = False  # a message: whether; resume_ack: how many
    complete: bool = True
    since: str = ""


class SqalClient:
    """One server and who we are. Use it with `async with`."""

    def __init__(self, url: str, *, token: str | None = None, timeout_s: float = 10.0) -> None:
        """Describe the server by its address, such as `https://sqal.example`; nothing is connected yet."""
        self._url = url.rstrip("/")
        self._headers = {"Accept": "application/json"} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._timeout_s = timeout_s

    async def __aenter__(self) -> "SqalClient":
        """Nothing to wait for."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is held open between calls."""

    async def get(self, path: str, **params: Any) -> Any:
        """GET below the server's address; parameters that are None are left out. Raises SqalError."""
        given = {name: _text(value) for name, value in params.items() if value is not None}
        return await self._ask("GET", path + (f"?{urlencode(given)}" if given else ""), None)

    async def post(self, path: str, body: Any = None, **params: Any) -> Any:
        """POST a JSON body. Raises SqalError."""
        query = f"?{urlencode({name: _text(value) for name, value in params.items()})}" if params else ""
        return await self._ask("POST", path + query, body)

    async def health(self) -> dict[str, Any]:
        """How the line is: status, age of the newest sample, database. Raises SqalError."""
        return await self.get("/api/sqal/health")

    async def overview(self) -> dict[str, Any]:
        """Figures of 24 hours and open alerts. Raises SqalError."""
        return await self.get("/api/sqal/dashboard/overview")

    async def devices(self, *, site_code: str | None = None) -> list[dict[str, Any]]:
        """Registered devices. Raises SqalError."""
        return (await self.get("/api/sqal/devices", site_code=site_code))["devices"]

    async def latest(self, *, device_id: str | None = None) -> dict[str, Any] | None:
        """The newest sample, None where there is none. Raises SqalError."""
        try:
            return await self.get("/api/sqal/samples/latest", device_id=device_id)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def samples(
        self, start: datetime, end: datetime, *, device_id: str | None = None, limit: int = 1000
    ) -> list[dict[str, Any]]:
        """The newest `limit` samples of a period, newest first. Raises SqalError."""
        found = await self.get("/api/sqal/samples", start_time=start, end_time=end, device_id=device_id, limit=limit)
        return found["samples"]

    async def alerts(self, *, severity: str | None = None, is_acknowledged: bool | None = None) -> list[dict[str, Any]]:
        """Alerts of 24 hours, newest first. Raises SqalError."""
        return await self.get("/api/sqal/alerts", severity=severity, is_acknowledged=is_acknowledged)

    async def acknowledge(self, alert_id: int, *, by: str) -> dict[str, Any]:
        """Acknowledge an alert. Raises SqalError."""
        return await self.post(f"/api/sqal/alerts/{alert_id}/acknowledge", acknowledged_by=by)

    async def live(
        self,
        *,
        device_id: str | None = None,
        site_code: str | None = None,
        min_grade: str | None = None,
        since: str | None = None,
    ) -> AsyncGenerator[Message]:
        """Yield live messages for ever, each once, across lost connections. Raises ApiError when we are refused.

        `since`: the `timestamp` of the last message of an earlier run, to go on where that one ended.
        """
        filters = {"device_id": device_id, "site_code": site_code, "min_grade": min_grade}
        seen: OrderedDict[tuple[str, str, str], None] = OrderedDict()
        failures = 0
        while True:
            try:
                async for message in self._connection(filters, since):
                    failures = 0
                    if message.kind == "hole" or not _is_known(seen, message):
                        yield message
                    since = message.timestamp or since
            except websockets.InvalidStatus as error:
                if error.response.status_code in REFUSED:
                    raise _refusal(error.response.status_code, bytes(error.response.body or b"")) from error
            except (OSError, TimeoutError, websockets.WebSocketException):
                pass  # connected again below, and what is missed is asked for
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S) - 1)])
            failures += 1

    async def _connection(self, filters: dict[str, str | None], since: str | None) -> AsyncGenerator[Message]:
        """What one connection yields, until it ends or the server says that we missed something."""
        query = {name: value for name, value in {**filters, "since": since}.items() if value is not None}
        parts = urlsplit(self._url)
        scheme = "wss" if parts.scheme == "https" else "ws"
        url = urlunsplit((scheme, parts.netloc, f"{parts.path}/ws/realtime/", urlencode(query), ""))
        async with websockets.connect(
            url, additional_headers=self._headers, max_size=FRAME_BYTES_MAX, open_timeout=self._timeout_s
        ) as socket:
            async for text in socket:
                wire = msgspec.json.decode(text, type=_Wire)
                if wire.type == "gap" and since is not None:
                    return  # too slow for a while: begin again from the last message that we have
                if wire.type == "resume_ack" and not wire.complete:
                    yield Message("hole", wire.timestamp, {"since": wire.since})
                kind = _kind(wire)
                if kind is not None:
                    since = wire.timestamp
                    yield Message(kind, wire.timestamp, wire.payload, bool(wire.replayed))

    async def _ask(self, method: str, path: str, body: Any) -> Any:
        headers = dict(self._headers)
        data = None
        if body is not None:
            data, headers["Content-Type"] = msgspec.json.encode(body), "application/json"
        request = urllib.request.Request(self._url + path, data=data, headers=headers, method=method)  # noqa: S310
        status, content = await asyncio.to_thread(self._exchange, request)
        if status >= 400:
            raise _refusal(status, content)
        return msgspec.json.decode(content) if content else None

    def _exchange(self, request: urllib.request.Request) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310  # an address we were given
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()
        except (urllib.error.URLError, TimeoutError) as error:
            raise UnreachableError(f"{self._url} does not answer: {error}") from error


def _kind(wire: _Wire) -> Kind | None:
    """What a message is to the caller; None for those that are between server and client."""
    if wire.type == "sensor_data":
        return "tof" if wire.payload.get("sensor_type") == "VL53L8CH" else "spectral"
    return _KINDS.get(wire.type)


def _is_known(seen: "OrderedDict[tuple[str, str, str], None]", message: Message) -> bool:
    """Whether a sample's message was shown already; alerts and states are shown as they come."""
    if message.kind not in ("tof", "spectral", "verdict"):
        return False
    key = (message.kind, str(message.payload.get("device_id")), str(message.payload.get("sample_id")))
    if key in seen:
        return True
    seen[key] = None
    if len(seen) > SEEN_MAX:
        seen.popitem(last=False)
    return False


def _refusal(status: int, content: bytes) -> ApiError:
    try:
        problem: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        problem = {}
    named = cast("dict[str, Any]", problem if isinstance(problem, dict) else {})
    errors = [(str(each.get("path")), str(each.get("reason"))) for each in named.get("errors", [])]
    return ApiError(status, str(named.get("detail", "the server gives no reason")), errors)


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value).lower() if isinstance(value, bool) else str(value)
