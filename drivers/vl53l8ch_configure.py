"""Puts TofSettings into the chip's parameters, in the order that works; the chip must not be ranging.

Resolution first, with the calibration in its form; then rate, mode, targets and filters; the histogram and the
thresholds; last the output list, which the start needs (UM3109 section 4).
"""

from drivers.vl53l8ch_calibration import Calibration
from drivers.vl53l8ch_frame import FrameDecoder
from drivers.vl53l8ch_registers import (
    CNH_CONFIGURATION,
    CROSSTALK_MARGIN,
    CROSSTALK_MARGIN_BYTES,
    FIRMWARE_TARGETS,
    FIRMWARE_TARGETS_BYTES,
    FREQUENCY,
    FREQUENCY_BYTES,
    INTEGRATION,
    INTEGRATION_BYTES,
    OUTPUT_CONFIGURATION,
    OUTPUT_ENABLES,
    OUTPUT_LIST,
    PIPE,
    PIPE_BYTES,
    RANGING_MODE,
    RANGING_MODE_BYTES,
    SHARPENER,
    SHARPENER_BYTES,
    SINGLE_RANGE,
    SPAD_GROUPING,
    SPAD_GROUPING_BYTES,
    SYNC,
    SYNC_BYTES,
    TARGET_ORDER,
    TARGET_ORDER_BYTES,
    THRESHOLD_STATUSES,
    THRESHOLD_SWITCH,
    THRESHOLD_SWITCH_BYTES,
    THRESHOLDS,
    THRESHOLDS_GLOBAL,
    THRESHOLDS_GLOBAL_BYTES,
    VHV,
    VHV_BYTES,
    ZONE_GRID,
    ZONE_GRID_BYTES,
    Link,
)
from drivers.vl53l8ch_settings import THRESHOLDS_MAX, RangingMode, TofSettings

# zones a side -> bytes of the SPAD grouping and zone grid blocks
_GROUPING = {4: {4: b"\x40", 6: b"\x40", 9: b"\x04"}, 8: {4: b"\x10", 6: b"\x10", 9: b"\x01"}}
_GRID = {4: {0: b"\x04\x04", 4: b"\x08\x08"}, 8: {0: b"\x08\x08", 4: b"\x04\x04"}}
_SYNC_BIT = 0x02
_THRESHOLDS_ON, _THRESHOLDS_OFF = b"\x04", b"\x0c"
_THRESHOLD_BYTES = 12
_VALID = b"\x05" * 8


def configure(link: Link, settings: TofSettings, calibration: Calibration, decoder: FrameDecoder) -> None:
    """Send everything; may raise SensorFaultError."""
    link.patch_parameter(SPAD_GROUPING, SPAD_GROUPING_BYTES, _GROUPING[settings.zones])
    link.patch_parameter(ZONE_GRID, ZONE_GRID_BYTES, _GRID[settings.zones])
    calibration.upload(link, settings.zones)
    link.patch_parameter(FREQUENCY, FREQUENCY_BYTES, {1: bytes([settings.frequency_hz])})
    _mode(link, settings)
    _targets(link, settings)
    sharpener = round(settings.sharpener_pct * 255 / 100)
    link.patch_parameter(SHARPENER, SHARPENER_BYTES, {0xD: bytes([sharpener])})
    link.patch_parameter(VHV, VHV_BYTES, {4: settings.vhv_repeat_frames.to_bytes(4, "little")})
    margin = round(settings.crosstalk_margin_kcps * 2048).to_bytes(4, "little")
    link.patch_parameter(CROSSTALK_MARGIN, CROSSTALK_MARGIN_BYTES, {0: margin})
    if settings.cnh is not None:
        link.set_parameter(CNH_CONFIGURATION, settings.cnh.packed(decoder.zone_of_cell))
    if settings.motion is not None:
        link.set_parameter(CNH_CONFIGURATION, settings.motion.packed(decoder.zone_of_cell))
    _thresholds(link, settings, decoder)
    _outputs(link, decoder)


def _mode(link: Link, settings: TofSettings) -> None:
    first, third = settings.mode.value
    link.patch_parameter(RANGING_MODE, RANGING_MODE_BYTES, {1: bytes([first]), 3: bytes([third])})
    autonomous = settings.mode is RangingMode.AUTONOMOUS
    link.set_parameter(SINGLE_RANGE, bytes([autonomous, 0, 0, 0]))
    if autonomous:
        integration = (settings.integration_ms * 1000).to_bytes(4, "little")
        link.patch_parameter(INTEGRATION, INTEGRATION_BYTES, {0: integration})
    flags = link.parameter(SYNC, SYNC_BYTES)[3]
    flags = flags | _SYNC_BIT if settings.sync_pin else flags & ~_SYNC_BIT
    link.patch_parameter(SYNC, SYNC_BYTES, {3: bytes([flags])})


def _targets(link: Link, settings: TofSettings) -> None:
    if settings.targets > 1:  # the first configuration lets the firmware find two already
        at_least = max(settings.targets, link.parameter(FIRMWARE_TARGETS, FIRMWARE_TARGETS_BYTES)[0xC])
        link.patch_parameter(FIRMWARE_TARGETS, FIRMWARE_TARGETS_BYTES, {0xC: bytes([at_least])})
    pipe = {0: bytes([settings.targets]), 3: bytes([settings.autostop])}
    link.patch_parameter(PIPE, PIPE_BYTES, pipe)
    link.patch_parameter(TARGET_ORDER, TARGET_ORDER_BYTES, {0: bytes([settings.target_order])})


def _thresholds(link: Link, settings: TofSettings, decoder: FrameDecoder) -> None:
    armed = bool(settings.thresholds)
    if armed:
        last = len(settings.thresholds) - 1
        entries = b"".join(
            each.packed(int(decoder.zone_of_cell[each.row, each.column]), number == last)
            for number, each in enumerate(settings.thresholds)
        )
        link.set_parameter(THRESHOLD_STATUSES, _VALID)
        link.set_parameter(THRESHOLDS, entries.ljust(THRESHOLDS_MAX * _THRESHOLD_BYTES, b"\0"))
    switch = _THRESHOLDS_ON if armed else _THRESHOLDS_OFF
    link.patch_parameter(THRESHOLDS_GLOBAL, THRESHOLDS_GLOBAL_BYTES, {0: bytes([1, armed, 1, 0])})
    link.patch_parameter(THRESHOLD_SWITCH, THRESHOLD_SWITCH_BYTES, {0x11: switch})


def _outputs(link: Link, decoder: FrameDecoder) -> None:
    count = len(decoder.headers)
    link.set_parameter(OUTPUT_LIST, b"".join(word.to_bytes(4, "little") for word in decoder.headers))
    link.set_parameter(OUTPUT_CONFIGURATION, decoder.size.to_bytes(4, "little") + (count + 1).to_bytes(4, "little"))
    link.set_parameter(OUTPUT_ENABLES, ((1 << count) - 1).to_bytes(16, "little"))
