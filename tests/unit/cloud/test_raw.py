"""Raw messages without broker and database: read, put together, analysed as a Raspberry Pi would."""

import json
import random
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.judge import Refusal
from cloud.raw_analysis import CHANNELS, Analyst, DeviceCalibrations, Moment
from cloud.raw_calibration import calibrated
from cloud.raw_pairing import WAITING_MAX, WINDOW_S, Pairing
from cloud.raw_reading import incomplete, raw_topic, read
from cloud.store.samples import Place
from contract import ContractError, TopicError
from contract.codec import encode
from contract.messages import Event, Raw
from contract.packed import Kind, RawPart, pack, raw_of, unpack
from contract.sample import Sample
from contract.topics import device_topic
from edge.calibration import Calibrations
from quality import fusion, geometry, spectrum
from quality.errors import QualityError
from quality.recipe import DEFAULT_RECIPE
from tests.kit.raws import Look, SmallDevice

PLACE = Place("ESP32_LL_01", "LL", "line1")
TOPIC = raw_topic(device_topic("LL", "line1", "ESP32_LL_01", "raw"))
REGISTRY = {PLACE.device_id: PLACE}
NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture(scope="module")
def calibrated_device() -> tuple[SmallDevice, DeviceCalibrations]:
    device = SmallDevice()
    kept = msgspec.json.encode(device.calibrations())
    return device, msgspec.json.decode(kept, type=DeviceCalibrations)


def moment(raw: Raw) -> Moment:
    assert raw.uptime_ms is not None
    return Moment(NOW + timedelta(milliseconds=raw.uptime_ms), None, raw.uptime_ms)


def on_a_pi(look: Look, found: DeviceCalibrations) -> fusion.FusionResult | fusion.Ungraded:
    tof, light = look.tof, look.spectral
    heights = geometry.analyse_tof(
        tof.distance_mm,
        sigma_mm=tof.sigma_mm,
        reflectance_pct=tof.reflectance_pct,
        status=tof.status,
        calibration=found.tof,
        recipe=DEFAULT_RECIPE,
    )
    spectral = spectrum.analyse_spectrum(
        light.counts,
        clear_halves=light.clear_halves,
        gain=light.gain,
        integration_ms=light.integration_ms,
        full_scale=light.full_scale,
        saturated=light.saturated,
        calibration=found.spectral,
        recipe=DEFAULT_RECIPE,
        brightness_per_mm2=heights.brightness_per_mm2 if heights.product_present else None,
    )
    return fusion.fuse(heights, spectral, DEFAULT_RECIPE)


def test_a_raw_message_becomes_the_sample_that_a_pi_makes(calibrated_device: tuple[SmallDevice, DeviceCalibrations]):
    """Every look of half a minute: refused for the same reason, or a score within what rounding to integers costs."""
    device, found = calibrated_device
    analyst = Analyst("test")
    differences: list[float] = []
    for _ in range(30):
        look = device.look()
        raw = raw_of(unpack(pack(look.part, Kind.WHOLE)), PLACE.device_id)
        expected, made = on_a_pi(look, found), analyst.analyse(raw, PLACE, found, DEFAULT_RECIPE, moment(raw))
        if isinstance(expected, fusion.Ungraded):
            assert not isinstance(made, Sample)
            continue
        assert isinstance(made, Sample)
        assert made.origin == "raw"
        assert (made.boot_id, made.seq, made.site_code) == (raw.boot_id, raw.seq, "LL")
        assert made.recipe == expected.recipe
        differences.append(abs(made.fusion.final_score - expected.final_score))
    assert len(differences) >= 10
    assert sorted(differences)[len(differences) // 2] < 0.03
    assert max(differences) < 0.12


def test_looks_at_one_piece_share_its_name(calibrated_device: tuple[SmallDevice, DeviceCalibrations]):
    device, found = calibrated_device
    analyst = Analyst("test")
    names: list[str] = []
    for _ in range(20):
        raw = raw_of(device.look().part, PLACE.device_id)
        made = analyst.analyse(raw, PLACE, found, DEFAULT_RECIPE, moment(raw))
        if isinstance(made, Sample):
            assert made.piece_id is not None
            names.append(made.piece_id)
    assert 3 <= len(set(names)) < len(names)
    assert names == sorted(names, key=lambda name: int(name.rpartition("-")[2]))  # none comes back


def test_a_dead_lamp_is_told_once_a_piece_and_never_graded(calibrated_device: tuple[SmallDevice, DeviceCalibrations]):
    device, found = calibrated_device
    analyst = Analyst("test")
    told: list[Event] = []
    for _ in range(20):
        raw = raw_of(device.look().part, PLACE.device_id)
        dark = dict.fromkeys(CHANNELS, 1)
        part = msgspec.structs.replace(
            raw.as7341, raw=msgspec.structs.replace(raw.as7341.raw, **dark), clear_halves=[1, 1]
        )
        made = analyst.analyse(msgspec.structs.replace(raw, as7341=part), PLACE, found, DEFAULT_RECIPE, moment(raw))
        assert not isinstance(made, Sample)
        told += [made] if made is not None else []
    assert told
    assert {event.reason.code for event in told if event.reason} == {"spectral_low_light"}
    assert len({event.piece_id for event in told}) == len(told)


def test_a_device_that_names_its_pieces_sends_one_of_each(calibrated_device: tuple[SmallDevice, DeviceCalibrations]):
    device, found = calibrated_device
    analyst = Analyst("test")
    for _ in range(12):
        raw = msgspec.structs.replace(raw_of(device.look().part, PLACE.device_id), piece_id=f"T{device.seq}")
        made = analyst.analyse(raw, PLACE, found, DEFAULT_RECIPE, moment(raw))
        assert made is None or made.piece_id == raw.piece_id  # passing by is told too: no second look will come
        assert made is not None or _is_empty(raw, found)


def _is_empty(raw: Raw, found: DeviceCalibrations) -> bool:
    belt = found.tof.belt_plane[0]
    cells = [cell for row in raw.vl53l8ch.raw.distance_matrix for cell in row if cell is not None]
    return min(cells) > belt - 15


def test_a_small_device_is_calibrated_from_what_it_sends():
    """Goal: the calibration made of raw messages grades as the one made beside the chips."""
    device = SmallDevice(seed=2)
    beside: Calibrations = device.calibrations()
    shown: dict[str, list[Raw]] = {}
    for target in ("empty belt", "black cap", "white tile"):
        device.show(target)
        device.look()
        shown[target] = [raw_of(device.look().part, PLACE.device_id) for _ in range(8)]
    found = calibrated(*shown.values(), white_reflectance=beside.spectral.white_reflectance, now=NOW)
    assert found.tof.belt_plane[0] == pytest.approx(beside.tof.belt_plane[0], abs=1.0)
    assert found.spectral.white_counts == pytest.approx(beside.spectral.white_counts, rel=0.05, abs=5)
    assert found.spectral.gain == pytest.approx(beside.spectral.gain)
    no_settings = [
        msgspec.structs.replace(each, as7341=msgspec.structs.replace(each.as7341, gain=None))
        for each in shown["white tile"]
    ]
    with pytest.raises(QualityError, match="gain"):
        calibrated(shown["empty belt"], shown["black cap"], no_settings, white_reflectance=0.98, now=NOW)


# --- reading


def raw_json(**changes: Any) -> bytes:
    part = RawPart(1, 1, 5, (100,) * 64, (40,) * 64, (80,) * 64, unpack(PACKED).light)
    return json.dumps(msgspec.to_builtins(raw_of(part, PLACE.device_id)) | changes).encode()


PACKED = bytes([1, Kind.LIGHT]) + (1).to_bytes(4, "little") * 3 + bytes([1, 0]) * 14


@pytest.mark.parametrize(
    ("payload", "code", "path"),
    [
        (b"garbage", "invalid", "$"),
        (b"{not json", "not_json", "$"),
        (raw_json(device_id="ESP32_MT_01"), "device_mismatch", "$.device_id"),
        (raw_json(site_code="MT"), "wrong_site", "$.site_code"),
        (raw_json(uptime_ms=None), "invalid", "$.uptime_ms"),
        (raw_json(schema=2), "newer_schema", "$.schema"),
        (raw_json(vl53l8ch={"raw": {}}), "invalid", "$.vl53l8ch.raw.distance_matrix"),
        (b"\2" + PACKED[1:], "newer_schema", "$.schema"),
        (b"x" * 70_000, "oversized", "$"),
    ],
)
def test_what_is_no_raw_message_is_refused_with_its_path(payload: bytes, code: str, path: str):
    found = read(TOPIC, payload, REGISTRY)
    assert isinstance(found, Refusal)
    assert (found.code, found.path) == (code, path)


def test_strangers_and_wrong_sites_are_refused():
    assert isinstance(found := read(TOPIC, raw_json(), {}), Refusal)
    assert found.code == "unknown_device"
    assert isinstance(found := read(TOPIC, raw_json(), {"ESP32_LL_01": Place("ESP32_LL_01", "MT", "l")}), Refusal)
    assert found.code == "wrong_site"
    with pytest.raises(TopicError):
        raw_topic(device_topic("LL", "line1", "ESP32_LL_01", "sample"))


def test_both_forms_are_read():
    assert isinstance(read(TOPIC, raw_json(), REGISTRY), Raw)
    assert isinstance(read(TOPIC, PACKED, REGISTRY), RawPart)
    assert encode(raw_of(unpack(pack(whole_part(3), Kind.WHOLE)), "D")) == encode(raw_of(whole_part(3), "D"))


# --- pairing


def whole_part(seq: int) -> RawPart:
    return RawPart(1, seq, 5, (100,) * 64, (40,) * 64, (80,) * 64, unpack(PACKED).light)


@given(seed=st.integers(0, 2**32), seqs=st.integers(1, WAITING_MAX), repeat=st.booleans())
def test_parts_in_any_order_make_each_number_whole_once(seed: int, seqs: int, repeat: bool):
    rng = random.Random(seed)  # noqa: S311  # one seed is one order
    kinds = (Kind.DISTANCE, Kind.REFLECTANCE, Kind.AMPLITUDE, Kind.LIGHT)
    sent = [(seq, unpack(pack(whole_part(seq), kind))) for seq in range(1, seqs + 1) for kind in kinds]
    rng.shuffle(sent)
    if repeat:
        sent.insert(1, sent[0])  # a broker that repeats itself before the number is whole
    pairing: Pairing[int] = Pairing()
    whole = [found for n, (_, part) in enumerate(sent) if (found := pairing.take("d", part, n, 0.0)) is not None]
    assert sorted(each.part.seq for each in whole) == list(range(1, seqs + 1))
    assert sorted(n for each in whole for n in each.carriers) == list(range(len(sent)))
    assert len(pairing) == 0


def test_a_part_that_stays_alone_is_given_up_in_time_with_what_is_missing():
    pairing: Pairing[str] = Pairing()
    pairing.take("d", unpack(PACKED), "a", 100.0)
    assert pairing.given_up(100.0 + WINDOW_S - 0.1) == []
    ((device, waiting),) = pairing.given_up(100.0 + WINDOW_S)
    why = incomplete(TOPIC, waiting.part)
    assert (device, why.code, why.path, why.seq) == ("d", "raw_incomplete", "$.distance", 1)
    assert "distance, reflectance, amplitude did not come" in why.detail
    assert len(pairing) == 0


def test_a_device_that_never_completes_pushes_out_its_own_only():
    pairing: Pairing[int] = Pairing()
    pairing.take("good", unpack(PACKED), 0, 0.0)
    for seq in range(1, WAITING_MAX + 4):
        pairing.take("bad", unpack(pack(whole_part(seq), Kind.LIGHT)), seq, 0.0)
    assert [(device, each.part.seq) for device, each in pairing.given_up(0.0)] == [("bad", 1), ("bad", 2), ("bad", 3)]
    assert len(pairing) == WAITING_MAX + 1


def test_a_contradiction_is_refused():
    pairing: Pairing[int] = Pairing()
    pairing.take("d", unpack(PACKED), 0, 0.0)
    with pytest.raises(ContractError, match="twice"):
        pairing.take("d", unpack(PACKED[:-1] + b"\7"), 1, 0.0)


def test_a_boot_is_the_same_for_both_forms():
    assert raw_of(whole_part(1), "D").boot_id == raw_of(whole_part(2), "D").boot_id
    assert raw_of(whole_part(1), "D").boot_id != raw_of(whole_part(1), "E").boot_id
    assert isinstance(raw_of(whole_part(1), "D").boot_id, uuid.UUID)
