"""Guided calibration on simulated chips: one part at a time, refused where the conditions are wrong."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import msgspec
import numpy as np
import pytest

from contract.studies import CalibrationReport
from drivers.sim import scene as sim
from edge.calibration import CalibrationError, drop_report, leave_report, load, save, take_report
from edge.guided import VALID, Guide, Outcome, Procedure, expired, gauge
from tests.unit.edge.rig import NOW, STAGES, Device

LATER = NOW + timedelta(days=1)


def run(device: Device, procedure: Procedure, stages: dict[str, sim.Stage] | None = None) -> Outcome:
    shown = STAGES | (stages or {})

    def show(target: str) -> None:
        device.world.stage = shown[target]

    guide = Guide(
        device.tof_driver,
        device.spectral_driver,
        show=show,
        white_reflectance=sim.TILE_REFLECTANCE,
        device_id="ESP32_LL_01",
        now=LATER,
        before=device.calibrations,
    )
    return guide.run(procedure)


def test_a_part_is_replaced_and_says_what_it_was_based_on() -> None:
    device = Device()
    found = run(device, "belt")
    assert found.calibrations.spectral == device.calibrations.spectral
    assert found.calibrations.tof.id != device.calibrations.tof.id
    (record,) = found.records
    assert (record.sensor, record.procedure, record.based_on) == ("tof", "belt", device.calibrations.tof.id)
    assert record.valid_until == LATER + VALID["tof"]
    assert not record.drift[0].is_beyond
    msgspec.convert(msgspec.to_builtins(CalibrationReport(calibrations=found.records)), CalibrationReport)
    white = run(device, "white")
    assert white.calibrations.tof == device.calibrations.tof
    assert white.calibrations.spectral.dark_counts == device.calibrations.spectral.dark_counts
    dark = run(device, "dark")
    assert dark.calibrations.spectral.white_counts == device.calibrations.spectral.white_counts


@pytest.mark.parametrize(
    ("procedure", "stages", "reason"),
    [
        ("belt", {"empty belt": sim.LINE}, "not an empty belt"),
        ("dark", {"black cap": sim.WHITE_TILE}, "not dark"),
        ("white", {"white tile": sim.BLACK_CAP}, "white|drift"),
        ("all", {"white tile": sim.BLACK_CAP, "black cap": sim.WHITE_TILE}, "white|drift"),
    ],
)
def test_wrong_conditions_are_refused_with_their_reason(
    procedure: Procedure, stages: dict[str, sim.Stage], reason: str
) -> None:
    with pytest.raises(CalibrationError, match=reason):
        run(Device(), procedure, stages)


def test_a_saturated_white_is_refused() -> None:
    device = Device()
    device.world.lighting = replace(device.world.lighting, hall_level=400.0)
    with pytest.raises(CalibrationError, match="saturate"):
        run(device, "white")


def test_a_gauge_body_sets_the_factor_and_a_wrong_one_is_refused() -> None:
    before = Device().calibrations
    volumes = np.array([5.1e5, 5.11e5, 5.09e5, 5.1e5, 5.1e5])
    found = gauge(before, volumes, true_mm3=5.0e5, true_mm3_u=500.0, device_id="D1", now=LATER)
    assert found.calibrations.tof.volume_factor == pytest.approx(5.0 / 5.1, rel=1e-3)
    assert found.records[0].procedure == "gauge"
    with pytest.raises(CalibrationError, match="gauge body"):
        gauge(before, volumes * 2.0, true_mm3=5.0e5, true_mm3_u=500.0, device_id="D1", now=LATER)


def test_what_was_measured_is_kept_expires_and_is_told_once(tmp_path: Path) -> None:
    device = Device()
    found = run(device, "belt")
    save(tmp_path, found.calibrations)
    kept = load(tmp_path)
    assert kept is not None
    assert (kept.tof.id, kept.tof_measured_at) == (found.calibrations.tof.id, LATER)
    assert expired(found.calibrations, LATER) == []
    assert expired(found.calibrations, NOW + VALID["spectral"] + timedelta(hours=1)) == ["spectral"]
    leave_report(tmp_path, found.records)
    report = take_report(tmp_path)
    assert report is not None
    assert [each.calibration_id for each in report.calibrations] == [found.records[0].calibration_id]
    drop_report(tmp_path)
    assert take_report(tmp_path) is None
