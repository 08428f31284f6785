"""What a user would otherwise write: subscribe with paho, parse the JSON, INSERT a row, commit. `bench ingest` runs it.

    python -m bench.peer_paho DSN BROKER_PORT

It acknowledges when the handler returns, as paho does by itself, and prints `ready` once it is subscribed.
"""

import json
import sys
from typing import Any

import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

TABLE = """CREATE TABLE IF NOT EXISTS peer_samples (
    time TIMESTAMPTZ NOT NULL, sample_id VARCHAR(100) NOT NULL, device_id VARCHAR(100) NOT NULL, lot_id INTEGER,
    vl53l8ch_distance_matrix JSONB NOT NULL, vl53l8ch_reflectance_matrix JSONB NOT NULL,
    vl53l8ch_amplitude_matrix JSONB NOT NULL, vl53l8ch_volume_mm3 DECIMAL(10,2),
    vl53l8ch_surface_uniformity DECIMAL(5,4), vl53l8ch_quality_score DECIMAL(5,4), vl53l8ch_grade VARCHAR(10),
    as7341_channels JSONB NOT NULL, as7341_freshness_index DECIMAL(5,4), as7341_fat_quality_index DECIMAL(5,4),
    as7341_oxidation_index DECIMAL(5,4), as7341_quality_score DECIMAL(5,4), fusion_final_score DECIMAL(5,4) NOT NULL,
    fusion_final_grade VARCHAR(10) NOT NULL, fusion_is_compliant BOOLEAN DEFAULT TRUE, PRIMARY KEY (time, sample_id))"""
INSERT = """INSERT INTO peer_samples VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING"""


def row(message: dict[str, Any]) -> list[Any]:
    """The customer's columns."""
    tof, light, fusion = message["vl53l8ch"], message["as7341"], message["fusion"]
    scores, indices = tof["analysis"], light["analysis"]
    return [
        message["timestamp"],
        message["sample_id"],
        message["device_id"],
        message.get("lot_id"),
        *(json.dumps(tof["raw"][f"{name}_matrix"]) for name in ("distance", "reflectance", "amplitude")),
        *(scores[name] for name in ("volume_mm3", "surface_uniformity", "quality_score", "grade")),
        json.dumps(light["raw"]),
        *(indices[name] for name in ("freshness_index", "fat_quality_index", "oxidation_index", "quality_score")),
        *(fusion[name] for name in ("final_score", "final_grade", "is_compliant")),
    ]


def main(dsn: str, port: int) -> None:
    """Consume for ever."""
    connection = psycopg.connect(dsn, autocommit=True)
    connection.execute(TABLE)

    def on_subscribe(*_: object) -> None:
        print("ready", flush=True)

    def on_message(_client: Client, _userdata: object, message: MQTTMessage) -> None:
        connection.execute(INSERT, row(json.loads(message.payload)), prepare=True)

    client = Client(CallbackAPIVersion.VERSION2, client_id="peer-paho", protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = on_message
    client.on_subscribe = on_subscribe
    client.connect("127.0.0.1", port)
    client.subscribe("sqal/v1/+/+/+/sample", qos=1)
    client.loop_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
