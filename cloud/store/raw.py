"""What the raw worker reads and notes: calibrations, starts of devices without a clock, what is stored already."""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec

from cloud.raw_analysis import DeviceCalibrations
from cloud.store.queries import Queries
from cloud.store.session import Connection

Number = tuple[str, uuid.UUID, int]  # device, boot, seq


async def read_calibrations(connection: Connection, queries: Queries) -> Mapping[str, DeviceCalibrations | str]:
    """The calibration in use by device; a sentence in its place where what is stored cannot be used."""
    cursor = await connection.execute(queries["select_raw_calibrations"])
    found: dict[str, DeviceCalibrations | str] = {}
    for device_id, content in await cursor.fetchall():
        try:
            found[device_id] = msgspec.json.decode(content, type=DeviceCalibrations)
        except ValueError as error:  # msgspec's and quality's both are
            found[device_id] = f"its stored calibration cannot be used: {error}"
    return found


async def put_calibration(
    connection: Connection, queries: Queries, device_id: str, calibrations: DeviceCalibrations
) -> None:
    """Put a calibration into use. Raises psycopg.errors.ForeignKeyViolation for an unknown device."""
    values = {
        "device_id": device_id,
        "content": msgspec.json.encode(calibrations).decode(),
        "measured_at": calibrations.measured_at,
    }
    await connection.execute(queries["insert_raw_calibration"], values)


async def note_boot(
    connection: Connection, queries: Queries, device_id: str, boot_id: uuid.UUID, zero_at: datetime
) -> datetime:
    """Wall time of the zero of a device's clock: what was noted first for this start."""
    values = {"device_id": device_id, "boot_id": boot_id, "zero_at": zero_at}
    cursor = await connection.execute(queries["note_raw_boot"], values)
    row = await cursor.fetchone()
    if row is None:  # somebody noted it at the same moment: it is there now
        cursor = await connection.execute(queries["note_raw_boot"], values)
        row = await cursor.fetchone()
    assert row is not None
    return row[0]


async def stored(connection: Connection, queries: Queries, numbers: Sequence[Number]) -> set[Number]:
    """Which of `numbers` are stored already."""
    if not numbers:
        return set()
    devices, boots, seqs = (list(column) for column in zip(*numbers, strict=True))
    cursor = await connection.execute(
        queries["select_stored_numbers"], {"devices": devices, "boots": boots, "seqs": seqs}
    )
    return {numbers[place - 1] for (place,) in await cursor.fetchall()}
