"""The two test scripts of the customer's mission document run unchanged against the whole line.

Their text stands below as the document has it, but for the port, which is free here instead of 8000. The second script
listens for ever: it is ended once it has printed the three messages of the first one's sample.
"""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

from tests.kit.fix_serve import Served

SENSORS = """
import asyncio
import websockets
import json
from datetime import datetime

async def test_simulator():
    uri = "ws://localhost:8000/ws/sensors/"
    async with websockets.connect(uri) as websocket:
        # Message de bienvenue
        welcome = await websocket.recv()
        print(f"< {welcome}")

        # Envoie échantillon test
        sample = {
            "sample_id": "test-001",
            "device_id": "ESP32_LL_01",
            "timestamp": datetime.utcnow().isoformat(),
            "vl53l8ch": {
                "raw": {
                    "distance_matrix": [[100]*8 for _ in range(8)],
                    "reflectance_matrix": [[120]*8 for _ in range(8)],
                    "amplitude_matrix": [[80]*8 for _ in range(8)]
                },
                "analysis": {
                    "volume_mm3": 50000.0,
                    "surface_uniformity": 0.85,
                    "quality_score": 0.88,
                    "grade": "A"
                }
            },
            "as7341": {
                "raw": {
                    "F1_415nm": 1200, "F2_445nm": 1500,
                    "F3_480nm": 1800, "F4_515nm": 2000,
                    "F5_555nm": 2200, "F6_590nm": 1900,
                    "F7_630nm": 1600, "F8_680nm": 1400,
                    "Clear": 15000, "NIR": 3000
                },
                "analysis": {
                    "freshness_index": 0.92,
                    "fat_quality_index": 0.88,
                    "oxidation_index": 0.15,
                    "quality_score": 0.90
                }
            },
            "fusion": {
                "final_score": 0.89,
                "final_grade": "A",
                "is_compliant": True
            }
        }

        await websocket.send(json.dumps(sample))

        # Attend ACK
        ack = await websocket.recv()
        print(f"< ACK: {ack}")

asyncio.run(test_simulator())
"""

REALTIME = """
import asyncio
import websockets

async def test_dashboard():
    uri = "ws://localhost:8000/ws/realtime/"
    async with websockets.connect(uri) as websocket:
        # Reçoit bienvenue
        welcome = await websocket.recv()
        print(f"< {welcome}")

        # Écoute messages (VL53L8CH, AS7341, Fusion)
        while True:
            message = await websocket.recv()
            print(f"< {message}")

asyncio.run(test_dashboard())
"""


async def start(script: str, port: int) -> Process:
    text = script.replace("localhost:8000", f"localhost:{port}")
    return await asyncio.create_subprocess_exec(sys.executable, "-u", "-c", text, stdout=PIPE, stderr=PIPE)


async def lines_until(process: Process, word: str) -> list[str]:
    assert process.stdout is not None
    lines: list[str] = []
    async with asyncio.timeout(20):
        while not lines or word not in lines[-1]:
            line = (await process.stdout.readline()).decode()
            assert line, f"the script ended without {word}; it said {lines}"
            lines.append(line)
    return lines


async def test_both_scripts(line: Served) -> None:
    dashboard = await start(REALTIME, line.port)
    try:
        await lines_until(dashboard, "connection_established")
        simulator = await start(SENSORS, line.port)
        out, err = await asyncio.wait_for(simulator.communicate(), 20)
        assert simulator.returncode == 0, err.decode()
        welcome, ack = out.decode().splitlines()
        assert '"type":"connection_established"' in welcome
        assert ack.startswith("< ACK: ")
        assert '"type":"ack"' in ack
        assert '"status":"saved"' in ack
        assert '"fusion_score":0.89,"fusion_grade":"A"' in ack
        seen = await lines_until(dashboard, "analysis_result")
        assert [word in line for word, line in zip(("VL53L8CH", "AS7341", "analysis_result"), seen[-3:], strict=True)]
    finally:
        dashboard.kill()
        await dashboard.communicate()
    latest = (await line.get("samples/latest")).json()
    assert latest["sample_id"] == "test-001"
    assert latest["site_code"] == "LL"
    assert latest["origin"] == "ws"
    assert latest["seq"] == 1
