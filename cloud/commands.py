"""Commands to devices: published once, with an end; answered on their own topic, or by the record that they lead to."""

import asyncio
import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from cloud.ids import uuid7
from contract.codec import encode
from contract.messages import Command
from contract.topics import device_topic
from messaging.client import Client

COMMAND_S = 60.0  # a device that has not heard it by then shall not do it
PUBLISH_S = 5.0


async def send_command(
    client: Client,
    device: Mapping[str, Any],
    name: str,
    args: dict[str, Any],
    *,
    by: str,
    now: datetime,
    rng: random.Random,
) -> Command:
    """Ask a device (id, site, line) for `name`; the command as sent. Raises MessagingError, TimeoutError."""
    number = str(uuid7(int(now.timestamp() * 1000), rng))
    command = Command(id=number, expires_at=now + timedelta(seconds=COMMAND_S), args=args, issued_by=by)
    topic = device_topic(device["site_code"], device["line"], device["device_id"], "cmd", number, name)
    async with asyncio.timeout(PUBLISH_S):
        await client.publish(topic, encode(command))
    return command
