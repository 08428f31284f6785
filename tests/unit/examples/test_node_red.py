"""The Node-RED flow is whole, listens where verdicts travel, and its functions do what their names say."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from cloud.acl import acl_text
from contract.topics import subscription

REPOSITORY = Path(__file__).parents[3]
FLOW: list[dict[str, Any]] = json.loads((REPOSITORY / "examples" / "node-red" / "flow.json").read_text())
NODES = {node["id"]: node for node in FLOW}
GOLDEN: dict[str, Any] = json.loads((REPOSITORY / "contract" / "golden" / "result.v1.json").read_text())
REJECTED = GOLDEN | {"final_grade": "REJECT", "is_compliant": False}
# A node's function as Node-RED calls it: with msg, and with contexts that keep what is set.
HARNESS = """
const [code, messages] = JSON.parse(require('fs').readFileSync(0));
const store = (kept = {}) => ({ get: (key) => kept[key], set: (key, value) => { kept[key] = value; } });
const run = new Function('msg', 'context', 'flow', code);
const context = store(), flow = store();
console.log(JSON.stringify(messages.map((payload) => run({ payload }, context, flow) ?? null)));
"""


def test_every_wire_and_setting_leads_to_a_node() -> None:
    assert len(NODES) == len(FLOW)
    for node in FLOW:
        for outputs in node.get("wires", []):
            assert set(outputs) <= set(NODES), node["id"]
        for key in ("z", "broker", "tls"):
            if node["type"] in ("mqtt in", "mqtt-broker", "function", "switch", "debug") and key in node:
                is_address = node["type"] == "mqtt-broker" and key == "broker"
                assert is_address or node[key] in NODES, (node["id"], key)
        assert node["type"] != "switch" or len(node["rules"]) == node["outputs"] == len(node["wires"])


def test_it_listens_where_its_certificate_may() -> None:
    topic = next(node for node in FLOW if node["type"] == "mqtt in")["topic"]
    assert topic == subscription("result", site="LL")
    reader = acl_text([]).partition("user sqal-reader")[2]
    assert f"topic read {subscription('result')}" in reader
    assert "write" not in reader


def ran(name: str, *payloads: dict[str, Any]) -> list[Any]:
    """What the function node `name` makes of messages, in a JavaScript engine."""
    node = shutil.which("node")
    assert node is not None, "the page is built with Node, so it is there"
    asked = json.dumps([NODES[name]["func"], payloads])
    said = subprocess.run([node, "-e", HARNESS], input=asked, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(said.stdout)


needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="no Node on this machine's path")


@needs_node
def test_a_sample_passes_once() -> None:
    other = GOLDEN | {"sample_id": "another"}
    assert [each is not None for each in ran("sqal.fresh", GOLDEN, GOLDEN, other, {"x": 1})] == [
        True,
        False,
        True,
        False,
    ]


@needs_node
def test_only_a_fresh_reject_moves_the_ejector() -> None:
    fresh = REJECTED | {"timestamp": "2999-01-01T00:00:00Z"}
    old, order = ran("sqal.reject", REJECTED | {"timestamp": "2000-01-01T00:00:00Z"}, fresh)
    assert old is None
    assert order["payload"]["reasons"] == ["oxidation_above_limit"]
    assert order["payload"]["piece_id"] == GOLDEN["piece_id"]


@needs_node
def test_grades_are_counted() -> None:
    assert ran("sqal.count", GOLDEN, REJECTED, GOLDEN)[-1]["payload"] == {"A+": 0, "A": 2, "B": 0, "C": 0, "REJECT": 1}
