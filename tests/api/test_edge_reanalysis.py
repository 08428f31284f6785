"""Goal: what a device measured and graded itself comes back bit for bit in the cloud, from what it sent alone.

Method: simulated chips under the production drivers, sampler and assembler, timed and on a running belt; their messages
and the records of their calibration through a real ingester into a real database; `sqal cloud reanalyse` over them.
"""

import asyncio
import json
import uuid
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from contract.codec import encode
from contract.messages import Event
from contract.sample import Sample, sample_id_for
from contract.studies import CalibrationReport
from drivers.sim.conveyor import Continuous
from edge.identity import Identity
from edge.rows import Stamp
from tests.api.test_reanalysis import run
from tests.kit.fix_ingest import TestDevice
from tests.kit.fix_serve import Served
from tests.unit.edge.rig import Device

NewDevice = Callable[..., Awaitable[TestDevice]]
TIMED_S, BELT_S = 24.0, 16.0


async def report_of(edge: Device, served: Served, new_device: NewDevice, tmp_path: Path) -> tuple[int, dict[str, Any]]:
    """Send all that the device found, analyse it again as it was; how many samples, and the report."""
    samples = [message for _, message in edge.spool.messages if isinstance(message, Sample)]
    assert len(samples) >= 8
    device = await new_device(served.settings.broker.port)
    now, boot_id = datetime.now(UTC) - timedelta(minutes=2), uuid.uuid4()
    records = CalibrationReport(calibrations=[msgspec.structs.replace(each, measured_at=now) for each in edge.records])
    identity = Identity(device.device, device.site, "line1", session=boot_id)
    stamp = Stamp(boot_id=boot_id, seq=1, timestamp=now, clock=None)
    told: Event = identity.event(stamp, "calibration", data=msgspec.to_builtins(records))
    await device.send(encode(told), "event")
    for seq, each in enumerate(samples, start=2):
        moved = msgspec.structs.replace(
            each,
            device_id=device.device,
            sample_id=sample_id_for(device.device, boot_id, seq),
            boot_id=boot_id,
            seq=seq,
            timestamp=now + timedelta(seconds=seq),
        )
        await device.send(encode(moved))
    await device.until(lambda each: len(each.stored) + len(each.rejected) == len(samples) + 1)
    assert not device.rejected, device.errors
    out = tmp_path / "report.json"
    done = await asyncio.to_thread(run, served, "--recipe", "original", "--format", "json", "--out", str(out))
    report: dict[str, Any] = json.loads(out.read_text())
    assert done.exit_code == 0, (done.output, report["exactness"])
    return len(samples), report


async def test_a_timed_device_s_samples_come_back_bit_for_bit(
    line: Served, new_device: NewDevice, tmp_path: Path
) -> None:
    edge = Device()
    edge.run(TIMED_S)
    count, report = await report_of(edge, line, new_device, tmp_path)
    assert report["exactness"]["identical"] == report["exactness"]["compared"] == count, report["exactness"]
    assert report["assumed"] == {}
    assert report["skipped"] == {}


async def test_a_belt_device_s_samples_keep_their_geometry_and_nearly_all_come_back(
    line: Served, new_device: NewDevice, tmp_path: Path
) -> None:
    edge = Device(motion=Continuous(200.0, 220.0))
    edge.run_belt(BELT_S)
    count, report = await report_of(edge, line, new_device, tmp_path)
    assert report["assumed"] == {"geometry_kept": count}
    exactness = report["exactness"]  # the geometry is stored rounded, and neighbours in the one frame are not taken off
    assert exactness["compared"] == count
    assert exactness["identical"] >= count - 3, exactness
