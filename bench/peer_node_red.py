"""What a user would otherwise draw: a Node-RED flow, MQTT in (JSON) to INSERT. `bench ingest` runs it where it can.

Node-RED is no part of SQAL; it is measured when SQAL_NODE_RED names a folder in which it was installed:

    npm install --prefix FOLDER node-red@4 pg

The INSERT is a function node with `pg`'s pool of ten connections, as Node-RED's PostgreSQL nodes use it. Node-RED
acknowledges a message on its arrival, so unlike ours this flow loses what it holds when it dies.
"""

import json
import os
import subprocess
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from psycopg.conninfo import conninfo_to_dict

from bench.ingest_rig import Rig
from bench.peer_paho import INSERT, TABLE
from sqal.demo.plan import free_port
from sqal.parts import PartError

FOLDER = "SQAL_NODE_RED"
STARTED = b"Connected to broker"
SETTINGS = (
    "module.exports = {{uiPort: {port}, uiHost: '127.0.0.1', flowFile: 'flows.json', functionExternalModules: true}}"
)
INITIALIZE = "context.set('pool', new pg.Pool({options}));"
FUNCTION = """const m = msg.payload, t = m.vl53l8ch, a = t.analysis, s = m.as7341, i = s.analysis, f = m.fusion;
const text = JSON.stringify;
context.get('pool').query({{name: 'put', text: {insert}, values: [m.timestamp, m.sample_id, m.device_id, m.lot_id,
    text(t.raw.distance_matrix), text(t.raw.reflectance_matrix), text(t.raw.amplitude_matrix), a.volume_mm3,
    a.surface_uniformity, a.quality_score, a.grade, text(s.raw), i.freshness_index, i.fat_quality_index,
    i.oxidation_index, i.quality_score, f.final_score, f.final_grade, f.is_compliant]}})
    .then(() => node.done(), (error) => node.error(error, msg));"""


def folder() -> Path | None:
    """Where Node-RED is installed; None where nobody says."""
    named = os.environ.get(FOLDER)
    return Path(named) if named else None


@contextmanager
def node_red(rig: Rig, installed: Path) -> Generator[None]:
    """Run the flow, connected to the broker, into an empty `peer_samples`. Raises PartError."""
    rig.run("DROP TABLE IF EXISTS peer_samples")
    rig.run(TABLE)
    home = rig.folder / "node-red"
    home.mkdir(exist_ok=True)
    modules = home / "node_modules"
    if not modules.exists():
        modules.symlink_to((installed / "node_modules").resolve())
    (home / "package.json").write_text(json.dumps({"name": "peer", "dependencies": {"pg": "*"}}))
    (home / "flows.json").write_text(json.dumps(flow(rig)))
    (home / "settings.js").write_text(SETTINGS.format(port=free_port()))
    command = ["node", str(modules / "node-red" / "red.js"), "--userDir", str(home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        try:
            assert process.stdout is not None
            said: list[bytes] = []
            while STARTED not in (line := process.stdout.readline()):
                said.append(line)
                if not line:
                    raise PartError(f"Node-RED ended: {b''.join(said[-5:]).decode(errors='replace')}")
            yield
        finally:
            process.kill()


def flow(rig: Rig) -> list[Mapping[str, object]]:
    """The flow as Node-RED stores it."""
    place = conninfo_to_dict(rig.dsn)
    named = {"host": "host", "port": "port", "user": "user", "password": "password", "dbname": "database"}
    options = {ours: place[name] for name, ours in named.items() if name in place} | {"max": 10}
    insert = INSERT
    for n in range(1, INSERT.count("%s") + 1):
        insert = insert.replace("%s", f"${n}", 1)
    broker = {
        "id": "broker",
        "type": "mqtt-broker",
        "broker": "127.0.0.1",
        "port": str(rig.broker_port),
        "clientid": "peer-node-red",
        "protocolVersion": "5",
        "autoConnect": True,
        "cleansession": True,
        "keepalive": "60",
    }
    source = {
        "id": "in",
        "type": "mqtt in",
        "z": "tab",
        "topic": "sqal/v1/+/+/+/sample",
        "qos": "1",
        "datatype": "json",
        "broker": "broker",
        "inputs": 0,
        "wires": [["put"]],
    }
    put = {
        "id": "put",
        "type": "function",
        "z": "tab",
        "func": FUNCTION.format(insert=json.dumps(insert)),
        "initialize": INITIALIZE.format(options=json.dumps(options)),
        "libs": [{"var": "pg", "module": "pg"}],
        "outputs": 0,
        "wires": [],
    }
    return [{"id": "tab", "type": "tab", "label": "peer"}, broker, source, put]
