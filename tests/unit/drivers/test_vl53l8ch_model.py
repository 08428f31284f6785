"""The simulated VL53L8CH under the manufacturer's sequence as depz-sensor-sdk carries it, unmodified.

What the chip is held against are published register transcripts of real silicon; the numbers in the tests are theirs.
"""

from collections.abc import Callable
from contextlib import suppress
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from depz_sensor_sdk.vl53l8 import uld
from hypothesis import assume, given
from hypothesis import strategies as st

from drivers.bus import NakError
from drivers.sim.vl53l8ch_mailbox import TERMINATOR, Block, BlockListError, Parameters, swap_words
from drivers.sim.vl53l8ch_ranging import stream_count
from tests.unit.drivers.planes import STAIRS, PlaneView, Rig, Still, grid

CHUNKS = (1024, 2048, 4096, 8190)  # what platform layers in use cut the download into


class Platform:
    """The transport of the ULD, as plain as can be."""

    def __init__(self, rig: Rig, chunk: int = 4096) -> None:
        self.rig = rig
        self.chunk = chunk

    def rd_multi(self, register: int, size: int) -> bytes:
        return self.rig.bus.transfer(0x29, register.to_bytes(2, "big"), size)

    def wr_multi(self, register: int, data: bytes) -> None:
        for start in range(0, len(data), self.chunk):
            piece = data[start : start + self.chunk]
            self.rig.bus.transfer(0x29, (register + start).to_bytes(2, "big") + piece)

    def sleep_ms(self, duration_ms: int) -> None:
        self.rig.clock.sleep(duration_ms / 1000)


def booted(rig: Rig, chunk: int = 4096) -> Any:
    chip: Any = uld.VL53L8CX(Platform(rig, chunk), variant="ch")
    assert chip.is_alive() == (0xF0, 0x0C)
    chip.init()
    return chip


def ranging(rig: Rig, resolution: int = 64, hz: int = 15, mode: int = uld.RANGING_MODE_CONTINUOUS) -> Any:
    chip = booted(rig)
    chip.set_resolution(resolution)
    chip.set_ranging_frequency_hz(hz)
    chip.set_ranging_mode(mode)
    chip.start_ranging()
    return chip


def next_frame(rig: Rig, chip: Any) -> dict[str, Any]:
    for _ in range(2000):
        if chip.check_data_ready():
            return chip.get_ranging_data()
        rig.clock.sleep(0.001)
    raise AssertionError("no frame in 2 s")


@pytest.mark.parametrize("chunk", CHUNKS)
def test_boots_whatever_the_size_of_the_pieces(chunk: int) -> None:
    booted(Rig(), chunk)


def test_boot_takes_the_time_and_the_bytes_that_it_takes_in_life() -> None:
    rig = Rig()
    booted(rig)
    assert rig.now_s == pytest.approx(1.0, abs=0.05)
    assert rig.bus.wire_bytes == pytest.approx(89_248, rel=0.01)


def test_go2_registers_after_boot_and_stop_are_those_of_silicon() -> None:
    rig = Rig()
    chip = ranging(rig)
    next_frame(rig, chip)
    chip.stop_ranging()
    platform = Platform(rig)
    platform.wr_multi(0x7FFF, b"\x00")
    assert platform.rd_multi(0x06, 2) in (b"\x91\x85", b"\xb1\x85")
    chip.init()
    platform.wr_multi(0x7FFF, b"\x00")
    assert platform.rd_multi(0x06, 2) == b"\x81\x9c"


def test_flipped_firmware_byte_shows_another_checksum() -> None:
    rig = Rig()
    chip: Any = uld.VL53L8CX(Platform(rig), variant="ch")
    damaged = bytearray(chip.firmware)
    damaged[40_000] ^= 0x01
    chip.firmware = bytes(damaged)
    with pytest.raises(uld.Vl53l8cxError, match="FW_CHECKSUM_FAIL"):
        chip.init()


def test_firmware_is_not_taken_before_the_handshake() -> None:
    rig = Rig()
    platform = Platform(rig)
    chip: Any = uld.VL53L8CX(platform, variant="ch")
    for page, start, end in ((9, 0, 0x8000), (10, 0x8000, 0x10000), (11, 0x10000, 0x15000)):
        platform.wr_multi(0x7FFF, bytes([page]))
        platform.wr_multi(0, chip.firmware[start:end])
    platform.wr_multi(0x7FFF, b"\x00")
    platform.wr_multi(0x0B, b"\x00")
    platform.wr_multi(0x0B, b"\x01")
    platform.wr_multi(0x7FFF, b"\x02")
    assert platform.rd_multi(0x2FFC, 4) != (0x0C0B6C9E).to_bytes(4, "big")


def test_parameters_read_back() -> None:
    rig = Rig()
    chip = booted(rig)
    chip.set_resolution(64)
    assert chip.get_resolution() == 64
    chip.set_ranging_frequency_hz(12)
    assert chip.get_ranging_frequency_hz() == 12
    chip.set_integration_time_ms(7)
    assert chip.get_integration_time_ms() == 7
    chip.set_sharpener_percent(20)
    assert chip.get_sharpener_percent() == 20


def test_default_configuration_is_in_place_after_boot() -> None:
    chip = booted(Rig())
    assert chip.get_resolution() == 16
    assert chip.get_ranging_frequency_hz() == 1
    assert chip.get_integration_time_ms() == 10
    assert chip.get_ranging_mode() == uld.RANGING_MODE_AUTONOMOUS
    assert chip.get_target_order() == uld.TARGET_ORDER_STRONGEST
    assert chip.dci_read_data(0xE0C4, 8)[1] == 2


def test_calibration_in_the_memory_is_what_the_host_uploaded() -> None:
    chip = booted(Rig())
    chip.set_resolution(64)
    assert bytes(chip.dci_read_data(0x9E38, 256)) == swap_words(chip.offset_data)[0x3C : 0x3C + 256]


def test_ranges_8x8_at_15_hz_and_agrees_with_the_scene() -> None:
    """Goal: values are the scene's within noise, frames come at the rate. Method: 30 frames of a staircase."""
    rig = Rig()
    chip = ranging(rig)
    assert (chip.data_read_size, chip.frame_size_mismatch) == (1444, None)
    first = next_frame(rig, chip)
    assert set(first["target_status"]) == {6}
    began_s = rig.now_s
    frames = [next_frame(rig, chip) for _ in range(30)]
    assert 30 / (rig.now_s - began_s) == pytest.approx(15, rel=0.02)
    assert all(set(frame["target_status"]) == {5} for frame in frames)
    distance = np.mean([frame["distance_mm"] for frame in frames], axis=0)
    seen_from_zone_0 = STAIRS[:, ::-1].ravel()  # zone 0 looks at the top right of the scene
    assert distance + 0.375 == pytest.approx(seen_from_zone_0, abs=0.6)  # the ULD cuts quarters off
    last = frames[-1]
    assert last["reflectance"] == pytest.approx([50.0] * 64, abs=0.5)
    assert last["ambient_per_spad"] == pytest.approx([3.0] * 64, abs=0.01)
    assert last["signal_per_spad"][7] == pytest.approx(2.06e8 * 0.5 / 200**2, rel=0.01)
    assert 20 <= last["silicon_temp_degc"] <= 45


def test_temporal_noise_is_half_of_the_reported_sigma() -> None:
    rig = Rig(grid(600.0))
    chip = ranging(rig)
    next_frame(rig, chip)
    raw = [swap_words(chip.p.rd_multi(0, 1444)) for _ in range(200) if next_frame(rig, chip)]
    offset = 1024  # of the distances; the sigmas are the block before
    distance = np.array([np.frombuffer(frame, "<i2", 64, offset) for frame in raw]) / 4
    sigma = np.frombuffer(raw[0], "<u2", 64, offset - 132) / 128
    assert distance.std(axis=0).mean() / sigma.mean() == pytest.approx(0.5, rel=0.05)


def test_zone_without_target_is_255_and_a_new_target_10() -> None:
    rig = Rig()
    empty = STAIRS.copy()
    empty[0, 7] = np.nan  # top right of the scene: zone 0
    rig.scene.view = PlaneView(empty)
    chip = ranging(rig)
    next_frame(rig, chip)
    frame = next_frame(rig, chip)
    assert (frame["target_status"][0], frame["nb_target_detected"][0]) == (255, 0)
    assert set(frame["target_status"][1:]) == {5}
    rig.scene.view = PlaneView(STAIRS)
    frame = next_frame(rig, chip)
    assert frame["target_status"][0] == 10
    assert next_frame(rig, chip)["target_status"][0] == 5


@pytest.mark.parametrize(
    ("view", "status"),
    [
        (PlaneView(grid(200.0), incidence_cos=grid(0.6)), 9),
        (PlaneView(grid(400.0), incidence_cos=grid(0.2)), 13),
        (PlaneView(grid(2500.0), reflectance=grid(0.1)), 3),
        (PlaneView(grid(3900.0), reflectance=grid(0.02)), 255),
        (PlaneView(grid(8.0)), 4),
    ],
)
def test_status_follows_from_optics(view: PlaneView, status: int) -> None:
    rig = Rig()
    rig.scene.view = view
    chip = ranging(rig)
    next_frame(rig, chip)
    assert set(next_frame(rig, chip)["target_status"]) == {status}


def test_ranges_4x4_at_60_hz() -> None:
    rig = Rig(grid(300.0))
    chip = ranging(rig, resolution=16, hz=60)
    assert chip.data_read_size == 532
    next_frame(rig, chip)
    began_s = rig.now_s
    frames = [next_frame(rig, chip) for _ in range(60)]
    assert 60 / (rig.now_s - began_s) == pytest.approx(60, rel=0.02)
    assert np.mean([frame["distance_mm"][:16] for frame in frames]) == pytest.approx(299.6, abs=0.5)


def test_autonomous_mode_stretches_the_period_to_its_integrations() -> None:
    rig = Rig()
    chip = booted(rig)
    chip.set_resolution(64)
    chip.set_ranging_frequency_hz(15)
    chip.set_integration_time_ms(50)
    chip.start_ranging()
    next_frame(rig, chip)
    began_s = rig.now_s
    next_frame(rig, chip)
    assert rig.now_s - began_s == pytest.approx(4 * 0.050 + 0.001, abs=0.015)


def test_start_with_an_impossible_grid_is_an_error_of_the_chip() -> None:
    rig = Rig()
    chip = booted(rig)
    chip.dci_write_data(uld.DCI_ZONE_CONFIG, bytes(8))
    chip.p.wr_multi(0x2FFC, b"\x00\x03\x00\x00")
    with pytest.raises(uld.Vl53l8cxError) as caught:
        chip.check_data_ready()
    assert caught.value.code == 0x9C


def test_laser_fault_is_shown() -> None:
    rig = Rig()
    rig.chip.laser_fault = 1
    with pytest.raises(uld.Vl53l8cxError, match="LASER_SAFETY"):
        ranging(rig)


def test_block_list_without_end_fails_the_mailbox() -> None:
    rig = Rig()
    chip = booted(rig)
    chip.p.wr_multi(0x2FF4, bytes(8) + b"\x05\x01\x00\x08")
    with pytest.raises(uld.Vl53l8cxError, match="MCU_ERROR"):
        chip._poll_for_answer(4, 1, 0x2C00, 0xFF, 0x03)


def test_stop_keeps_the_firmware() -> None:
    rig = Rig()
    chip = ranging(rig)
    next_frame(rig, chip)
    chip.stop_ranging()
    before = rig.bus.wire_bytes
    chip.start_ranging()
    next_frame(rig, chip)
    assert rig.bus.wire_bytes - before < 5_000


def test_brown_out_takes_everything() -> None:
    rig = Rig()
    chip = ranging(rig)
    next_frame(rig, chip)
    rig.chip.power_cycle()
    assert chip.p.rd_multi(0, 2) == b"\xf0\x0c"  # back on page 0
    rig.clock.sleep(1.0)
    assert not chip.check_data_ready()
    chip._wr_byte(0x7FFF, 0x02)
    chip.p.wr_multi(0x2FFC, b"\x00\x03\x00\x00")
    assert chip.p.rd_multi(0x2C00, 4) == bytes(4)


def test_address_can_be_moved_until_the_power_goes() -> None:
    rig = Rig()
    platform = Platform(rig)
    platform.wr_multi(0x7FFF, b"\x00")
    platform.wr_multi(0x0004, b"\x2a")
    with pytest.raises(NakError):
        rig.bus.transfer(0x29)
    rig.bus.transfer(0x2A)
    rig.chip.power_cycle()
    rig.bus.transfer(0x29)


def test_chip_without_supply_is_silent() -> None:
    rig = Rig()
    rig.chip.supply = False
    with pytest.raises(NakError):
        rig.bus.transfer(0x29)


def test_a_seed_is_a_specimen() -> None:
    def story(seed: int) -> tuple[bytes, list[list[int]]]:
        rig = Rig(seed=seed)
        chip = ranging(rig)
        return bytes(chip.offset_data), [next_frame(rig, chip)["distance_mm"] for _ in range(3)]

    assert story(3) == story(3)
    assert story(3)[0] != story(4)[0]
    assert story(3)[1] != story(4)[1]


def test_stream_count_is_that_of_silicon() -> None:
    assert [stream_count(frame) for frame in (0, 1, 30, 31, 32, 33, 62, 63, 64)] == [
        *(3, 7, 123, 127, 0x83, 0x87, 0xFB, 0x7F, 0x83),
    ]
    assert 0xFF not in {stream_count(frame) for frame in range(200)}


BLOCKS = st.lists(
    st.builds(
        lambda index, words, kind: Block(index, words * 4 // (kind if 1 < kind < 13 else 1), kind),
        st.integers(0x100, 0xF000),
        st.integers(1, 40),
        st.sampled_from([0, 1, 2, 4]),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda block: block.index // 0x400,
)


def _apart(blocks: list[Block]) -> bool:
    spans = sorted((block.index, block.index + block.payload_bytes) for block in blocks)
    return all(end <= start for (_, end), (start, _) in pairwise(spans))


@given(BLOCKS, st.randoms(use_true_random=False))
def test_block_walk_reads_what_it_wrote(blocks: list[Block], rng: Any) -> None:
    assume(_apart(blocks))
    memory = Parameters(0, 0)
    end = TERMINATOR.to_bytes(4, "big")
    body = b"".join(block.word.to_bytes(4, "big") + rng.randbytes(block.payload_bytes) for block in blocks)
    memory.write_list(body + end)
    request = b"".join(block.word.to_bytes(4, "big") for block in blocks) + end
    assert memory.read_list(request) == body + end


@given(st.binary(max_size=200))
def test_block_walk_survives_anything(data: bytes) -> None:
    for walk in _walks(Parameters(0, 0)):
        with suppress(BlockListError):
            walk(data)


def _walks(memory: Parameters) -> list[Callable[[bytes], object]]:
    return [memory.write_list, memory.read_list]


def test_still_scene_is_a_scene() -> None:
    assert Still(PlaneView(STAIRS)).tof(0.0).distance_mm is STAIRS
