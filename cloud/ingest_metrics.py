"""What an ingester counts and holds, for Prometheus: plain HTTP on 127.0.0.1, GET only, one answer a connection.

`/metrics` is every counter, `/livez` says that the process runs, `/readyz` that it is the active one and stores (200)
or stands by (503). The web framework of the API stays out of this process.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog

from cloud.counters import ROWS_BOUNDS, SECONDS_BOUNDS, IngestCounters
from cloud.metrics import CONTENT_TYPE, histogram_lines, metric_lines

log = structlog.get_logger("ingest")

HEAD_BYTES_MAX = 8_192
REQUEST_S = 5.0

COUNTERS: dict[str, str] = {
    "accepted_total": "Messages stored.",
    "duplicates_total": "Messages that were stored already.",
    "rejected_total": "Messages refused for good, kept as dead letters.",
    "held_total": "Messages refused for now: their device keeps them.",
    "rate_limited_total": "Messages over the quota of their device.",
    "database_losses_total": "Sessions of the database lost.",
    "database_retries_total": "Statements done again in the same session.",
    "receipts_unsent_total": "Batches whose receipts could not be sent.",
}
GAUGES: dict[str, str] = {
    "active": "1 while this ingester holds the lock of its shard.",
    "database_connected": "1 while the database does what it is asked.",
    "broker_connected": "1 while the receiving connection to the broker stands.",
    "storing": "1 while devices are told that somebody stores.",
    "held_messages": "Messages between the broker's socket and their acknowledgement.",
    "queued_batches": "Batches that wait for the one before them.",
    "lag_seconds": "From the timestamp of the newest live sample to its commit.",
    "devices_watched": "Devices whose health or state was heard.",
    "health_unreadable_total": "Messages of health and state that break the contract.",
    "outbox_published_total": "Messages of the outbox that the broker took.",
    "alarms_ended_total": "Retained alarms of the broker that nobody knew.",
    "notifications_sent_total": "Messages that a channel took.",
    "notifications_failed_total": "Attempts at a channel that failed.",
    "notifications_dead_total": "Messages given up.",
}

Gauges = Callable[[], dict[str, float]]


def text_of(totals: IngestCounters, gauges: dict[str, float]) -> str:
    """Everything in Prometheus' format; a gauge that is not told is left out."""
    lines: list[str] = []
    for name, text in COUNTERS.items():
        lines += metric_lines(f"sqal_ingest_{name}", "counter", text, [({}, getattr(totals, name))])
    for name, text in GAUGES.items():
        if name in gauges:
            kind = "counter" if name.endswith("_total") else "gauge"
            lines += metric_lines(f"sqal_ingest_{name}", kind, text, [({}, gauges[name])])
    lines += histogram_lines(
        "sqal_ingest_batch_rows",
        "Messages in a committed batch.",
        (*ROWS_BOUNDS, "+Inf"),
        totals.batch_rows,
        totals.rows_total,
    )
    lines += histogram_lines(
        "sqal_ingest_commit_seconds",
        "Time to commit a batch.",
        (*SECONDS_BOUNDS, "+Inf"),
        totals.commit_seconds,
        totals.commit_seconds_total,
    )
    return "\n".join(lines) + "\n"


@asynccontextmanager
async def serve_metrics(port: int, totals: IngestCounters, gauges: Gauges) -> AsyncGenerator[None]:
    """Answer on 127.0.0.1:`port` while the block runs; port 0: not at all. A port that is taken is a warning."""
    if port == 0:
        yield
        return

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(REQUEST_S):
                line = await reader.readline()
                writer.write(_answer(line, totals, gauges()))
                await writer.drain()
        except (OSError, TimeoutError, ValueError):
            log.info("a request for metrics was broken off")
        finally:
            writer.close()

    try:
        server = await asyncio.start_server(answer, "127.0.0.1", port, limit=HEAD_BYTES_MAX)
    except OSError as error:
        log.warning("no metrics: the port is taken", port=port, why=str(error))
        yield
        return
    async with server:
        yield


def _answer(line: bytes, totals: IngestCounters, gauges: dict[str, float]) -> bytes:
    method, _, rest = line.decode("latin-1").partition(" ")
    path = rest.partition(" ")[0].partition("?")[0]
    if method != "GET":
        return _response("405 Method Not Allowed", "only GET\n")
    match path:
        case "/metrics":
            return _response("200 OK", text_of(totals, gauges), CONTENT_TYPE)
        case "/livez":
            return _response("200 OK", "alive\n")
        case "/readyz":
            is_storing = bool(gauges.get("storing"))
            return _response("200 OK" if is_storing else "503 Service Unavailable", f"storing: {is_storing}\n")
        case _:
            return _response("404 Not Found", "there is /metrics, /livez and /readyz\n")


def _response(status: str, text: str, kind: str = "text/plain; charset=utf-8") -> bytes:
    body = text.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body
