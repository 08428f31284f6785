"""What travels besides REST, as an AsyncAPI 3 document: every MQTT topic and the three WebSockets, and a page of it.

`/schema/asyncapi.json` is for programs, `/docs/messages` for people (plain HTML: no script, nothing from elsewhere).
MQTT's part is made from the contract, so that neither can lag behind it; `send` and `receive` are said of the server.
"""

import json
from functools import cache
from html import escape
from importlib.metadata import version
from typing import Any, Literal, NamedTuple

import msgspec
from litestar import Response, get

from cloud.api.pages import SECURITY_HEADERS, UNCACHED
from cloud.api.rights import PUBLIC
from cloud.hub import Gap
from cloud.live import Alert, AnalysisResult, DeviceStatus, SensorPayload, SystemStatus
from contract.messages import MESSAGES
from contract.topics import ROOT

Action = Literal["send", "receive"]
LIVE: dict[str, type[msgspec.Struct]] = {
    "analysis_result": AnalysisResult,
    "alert": Alert,
    "system_status": SystemStatus,
    "device_status": DeviceStatus,
    "gap": Gap,
}
SEGMENT = {"description": "`[A-Za-z0-9][A-Za-z0-9_-]{0,99}`"}
TEXT: dict[str, Any] = {"type": "string"}
WHEN: dict[str, Any] = {"type": "string", "format": "date-time"}


class Topic(NamedTuple):
    """One class of topics: its address below the root, who sends, quality of service, retained, in words."""

    address: str
    action: Action
    qos: int
    retain: bool
    words: str


DEVICE = "{site}/{line}/{device}"
TOPICS = {
    "sample": Topic(f"{DEVICE}/sample", "receive", 1, False, "Stored exactly once, then receipted."),
    "raw": Topic(f"{DEVICE}/raw", "receive", 1, False, "Analysed in the cloud; docs/contract.md has a packed form."),
    "result": Topic(f"{DEVICE}/result", "receive", 1, True, "For panels and PLCs; expires after 15 min; not stored."),
    "event": Topic(f"{DEVICE}/event", "receive", 1, False, "Numbered with the samples, stored like them."),
    "state": Topic(f"{DEVICE}/state", "receive", 1, True, "Also the device's will."),
    "meta": Topic(f"{DEVICE}/meta", "receive", 1, True, "Birth: versions, sensors, calibrations."),
    "health": Topic(f"{DEVICE}/health", "receive", 0, True, "A device is silent when this is."),
    "receipt": Topic(f"{DEVICE}/receipt", "send", 1, False, "After COMMIT, never before."),
    "error": Topic(f"{DEVICE}/error", "send", 1, False, "Why a message was not accepted."),
    "cfg-desired": Topic(f"{DEVICE}/cfg/desired", "send", 1, True, "What the device is to be."),
    "cfg-reported": Topic(f"{DEVICE}/cfg/reported", "receive", 1, True, "What the device is."),
    "cmd": Topic(f"{DEVICE}/cmd/{{id}}/{{name}}", "send", 1, False, "Expires after 60 s."),
    "res": Topic(f"{DEVICE}/res/{{id}}", "receive", 1, False, "How the command with this id went."),
    "alarm": Topic("{site}/_alarm/{id}", "send", 1, True, "Retained while active; an empty message ends it."),
    "host": Topic("_host/{id}/state", "send", 1, True, "Whether an ingester stores; also its will."),
}


class Room(NamedTuple):
    """One WebSocket: what the server sends and takes, in words."""

    words: str
    sends: tuple[str, ...]
    takes: tuple[str, ...]


GREETINGS = ("connection_established", "latest_sample")
ANSWERS = ("pong", "heartbeat_ack", "subscribe_ack", "ws_error")
ROOMS = {
    "realtime": Room(
        "Live view. Query: device_id, site_code, min_grade, mode=latest, since; docs/api.md says what they do. Closed "
        "with 1008 when rights end, with 1013 when there are too many viewers.",
        (*GREETINGS, "sensor_data", *LIVE, "device_health", "resume_ack", "ping", *ANSWERS),
        ("subscribe", "heartbeat", "ping", "pong"),
    ),
    "sensors": Room(
        "For devices without MQTT; needs the scope `ingest`.",
        ("connection_established", "hello_ack", "pong", "ack", "ws_error"),
        ("sample", "esp32_hello", "heartbeat", "ping"),
    ),
    "mqtt": Room(
        "Chosen topics as they travel, within the caller's rights.",
        ("connection_established", "mqtt", "subscribe_ack", "pong", "heartbeat_ack", "ws_error"),
        ("subscribe_topics", "heartbeat", "ping"),
    ),
}
# Frames that are put together where they are sent: the fields beside `type` and `timestamp`; of callers, beside `type`.
# sensor_data carries either sensor's part of a sample, which one struct can't say.
SENSOR: dict[str, Any] = {
    "type": "object",
    "properties": {
        **{field.name: TEXT for field in msgspec.structs.fields(SensorPayload)},
        "timestamp": WHEN,
        "data": {"anyOf": [{"$ref": "#/components/schemas/Tof"}, {"$ref": "#/components/schemas/Spectral"}]},
        "hist": {"type": "boolean"},
    },
    "required": [field.name for field in msgspec.structs.fields(SensorPayload)],
}
FILTERS = ("device_id", "site_code", "min_grade")
FRAMES: dict[str, dict[str, Any]] = {
    "sensor_data": {"payload": SENSOR},
    "connection_established": {"message": TEXT},
    "latest_sample": {"data": {"type": "object", "description": "a row as `GET samples/latest` has it"}},
    "device_health": {"payload": {"type": "object", "description": "the device's `health`"}},
    "resume_ack": {"since": WHEN, "replayed": {"type": "integer"}, "complete": {"type": "boolean"}},
    "ws_error": {"error": TEXT, "path": TEXT},  # its type is `error`, as that of a topic's message
    "subscribe_ack": {},
    "ack": {"sample_id": TEXT, "status": {"const": "saved"}, "fusion_score": {"type": "number"}, "fusion_grade": TEXT},
    "hello_ack": {"message": TEXT},
    "heartbeat_ack": {},
    "mqtt": {"topic": TEXT, "retain": {"type": "boolean"}},
}
CALLS: dict[str, dict[str, Any]] = {
    "subscribe": {
        "filters": {"type": "object", "properties": {"device_id": TEXT, "site_code": TEXT, "min_grade": TEXT}}
    },
    "subscribe_topics": {"topics": {"type": "array", "items": TEXT, "maxItems": 50}},
    "esp32_hello": {"device_id": TEXT},
    "heartbeat": {},
    "ping": {},
    "pong": {},
}


@cache
def document() -> dict[str, Any]:
    """The AsyncAPI document. Treat it as read-only."""
    types = [*MESSAGES.values(), *LIVE.values()]
    references, schemas = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    payloads: dict[str, Any] = dict(zip([*MESSAGES, *LIVE], references, strict=True))
    payloads |= {name: _frame(name.removeprefix("ws_"), fields, stamped=True) for name, fields in FRAMES.items()}
    payloads |= {name: _frame(name.partition("_topics")[0], fields) for name, fields in CALLS.items()}
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    for name, topic in TOPICS.items():
        channels[name] = _channel(f"{ROOT}/{topic.address}", "mqtt", topic.words, (name,))
        bindings = {"mqtt": {"qos": topic.qos, "retain": topic.retain, "bindingVersion": "0.2.0"}}
        operations[f"{topic.action}-{name}"] = _operation(topic.action, name, (name,)) | {"bindings": bindings}
    for name, room in ROOMS.items():
        channels[f"ws-{name}"] = _channel(f"/ws/{name}/", "websocket", room.words, (*room.sends, *room.takes))
        operations[f"send-ws-{name}"] = _operation("send", f"ws-{name}", room.sends)
        operations[f"receive-ws-{name}"] = _operation("receive", f"ws-{name}", room.takes)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "SQAL messages",
            "version": version("sqal"),
            "description": "MQTT topics and WebSockets. JSON in UTF-8, at most 64 KiB; times are RFC 3339 in UTC.",
        },
        "defaultContentType": "application/json",
        "servers": {
            "mqtt": _server("secure-mqtt", "8883") | {"protocolVersion": "5"},
            "websocket": _server("wss", "443"),
        },
        "channels": channels,
        "operations": operations,
        "components": {
            "messages": {name: {"name": name, "payload": payload} for name, payload in payloads.items()},
            "schemas": schemas,
        },
    }


def _server(protocol: str, port: str) -> dict[str, Any]:
    host = {"description": "name of your installation", "default": "localhost"}
    return {"host": f"{{host}}:{port}", "protocol": protocol, "variables": {"host": host}}


def _frame(kind: str, fields: dict[str, Any], *, stamped: bool = False) -> dict[str, Any]:
    always: dict[str, Any] = {"type": {"const": kind}} | ({"timestamp": WHEN} if stamped else {})
    return {"type": "object", "properties": always | fields, "required": list(always | fields) if stamped else ["type"]}


def _channel(address: str, server: str, words: str, messages: tuple[str, ...]) -> dict[str, Any]:
    names = [part.partition("}")[0] for part in address.split("{")[1:]]
    channel: dict[str, Any] = {"address": address, "description": words, "servers": [{"$ref": f"#/servers/{server}"}]}
    channel["messages"] = {name: {"$ref": f"#/components/messages/{name}"} for name in messages}
    return channel | ({"parameters": dict.fromkeys(names, SEGMENT)} if names else {})


def _operation(action: Action, channel: str, messages: tuple[str, ...]) -> dict[str, Any]:
    of = [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages]
    return {"action": action, "channel": {"$ref": f"#/channels/{channel}"}, "messages": of}


def page_of(made: dict[str, Any]) -> str:
    """The document as a page for people."""
    parts = [PAGE_HEAD.format(title=escape(made["info"]["title"]), words=escape(made["info"]["description"]))]
    for name, channel in made["channels"].items():
        parts.append(
            f'<h2 id="{name}"><code>{escape(channel["address"])}</code></h2><p>{escape(channel["description"])}'
        )
        for action, verb in (("receive", "The server takes"), ("send", "The server sends")):
            operation = made["operations"].get(f"{action}-{name}")
            if operation is not None:
                kinds = [str(each["$ref"]).rpartition("/")[2] for each in operation["messages"]]
                links = ", ".join(f'<a href="#message-{kind}">{kind}</a>' for kind in kinds)
                parts.append(f"<p>{verb}: {links}{_quality(operation)}")
    parts.append("<h1>Messages</h1>")
    parts += [
        f'<details id="message-{name}" open><summary>{name}</summary><pre>{_pretty(message["payload"])}</pre></details>'
        for name, message in made["components"]["messages"].items()
    ]
    parts.append("<h1>Types</h1>")
    parts += [
        f'<details id="type-{name}"><summary>{name}</summary><pre>{_pretty(schema)}</pre></details>'
        for name, schema in made["components"]["schemas"].items()
    ]
    return "\n".join([*parts, "</html>", ""])


def _quality(operation: dict[str, Any]) -> str:
    if "bindings" not in operation:
        return ""
    binding = operation["bindings"]["mqtt"]
    return f" (QoS {binding['qos']}, {'retained' if binding['retain'] else 'not retained'})"


def _pretty(schema: dict[str, Any]) -> str:
    return escape(json.dumps(schema, indent=1, ensure_ascii=False), quote=False)


PAGE_HEAD = """<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<h1>{title}</h1>
<p>{words} For programs: <a href="/schema/asyncapi.json">AsyncAPI 3</a>. REST: <a href="/docs">its own page</a>.
"""


@get("/docs/messages", include_in_schema=False, opt=PUBLIC, sync_to_thread=False)
def messages_page() -> Response[str]:
    """The page."""
    headers = {**SECURITY_HEADERS, "Cache-Control": UNCACHED}
    return Response(page_of(document()), media_type="text/html; charset=utf-8", headers=headers)


@get("/schema/asyncapi.json", include_in_schema=False, opt=PUBLIC, sync_to_thread=False)
def messages_document() -> Response[bytes]:
    """The document."""
    return Response(msgspec.json.encode(document()), media_type="application/json")
