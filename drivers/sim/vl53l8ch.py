"""Register-level model of a VL53L8CH: boot handshake, firmware download, mailbox, ranging, stop.

Built so that the manufacturer's driver sequence runs on it unchanged, and so that it refuses what silicon refuses: no
mailbox before a firmware that the chip recognises, nothing left of either after a dip of the supply, nothing at all
from a chip that sleeps.
"""

import numpy as np

from drivers.bus import Clock
from drivers.sim.vl53l8ch_crosstalk import CrosstalkRun
from drivers.sim.vl53l8ch_crosstalk import wanted as crosstalk_wanted
from drivers.sim.vl53l8ch_firmware import PAGES as FIRMWARE_PAGES
from drivers.sim.vl53l8ch_firmware import FirmwareRam
from drivers.sim.vl53l8ch_frame import LayoutError
from drivers.sim.vl53l8ch_laser import LaserLog
from drivers.sim.vl53l8ch_mailbox import BlockListError, Parameters
from drivers.sim.vl53l8ch_optics import ChipOptics, TofScene
from drivers.sim.vl53l8ch_ranging import Ranging, Specimen

ADDRESS = 0x29
DEVICE_ID, REVISION_ID = 0xF0, 0x0C
PAGE_REGISTER = 0x7FFF
PAGE_BYTES = 0x8000
UI_PAGE = 0x02

RESULTS_END = 0x2C00
STATUS_WORD = 0x2C00
REPLY = 0x2C04
COMMAND = 0x2FFC
TRIGGER = 0x2FFF
WRITE_PARAMETERS, READ_PARAMETERS, START_RANGING = 1, 2, 3
DONE = 0x03
MCU_FAILED = 0x7F
BAD_START = 0x9C  # the code that silicon shows after a start with an impossible zone grid
START_REPLY_BYTES = 0x14
FRAME_PARAMETER = 0x5440
ASLEEP, DEEP_SLEEP = 0x02, 0x43
LASER_SAFETY = 0xE0CA
STOPPED_BY_ITSELF = bytes([0xFF, 0x04, 0x00, 0x00])

BOOT_S = 0.002  # from the release of the MCU to its flag; not published, drivers allow 500 ms
GO2_BOOTED, GO2_RUNNING = (0x81, 0x9C), 0x01
GO2_STOPPED = (0x91, 0x85)


class SimVl53l8ch:
    """One chip looking at `scene`. `seed` makes the specimen: its calibration data and its noise.

    What may go wrong with it, at any time: `laser_fault` (0 is healthy) is the laser safety byte from the next start
    on. `supply` False is a chip without power, which acknowledges nothing. `mcu_fault` (0, or 0x7F to 0xFF) is the code
    of a processor that has failed: commands and frames end in it until the next reboot. `stuck` True keeps showing the
    same frame. `torn` is how many of the next frames come with the first half of the one before. `identity` are the
    two bytes of another chip in its place, from the next power-on. `optics` may be exchanged between sessions.
    """

    def __init__(
        self, clock: Clock, scene: TofScene, seed: int = 0, address: int = ADDRESS, optics: ChipOptics | None = None
    ) -> None:
        self.laser_fault = 0
        self.mcu_fault = 0
        self.stuck = False
        self.torn = 0
        self.identity = bytes([DEVICE_ID, REVISION_ID])
        self.optics = ChipOptics() if optics is None else optics
        self._clock = clock
        self._scene = scene
        self._seed = seed
        self._rng = np.random.default_rng(seed)
        self._power_on_address = address
        self._laser = LaserLog()
        self._supply = True
        self.power_cycle()

    @property
    def supply(self) -> bool:
        """Whether the chip has power."""
        return self._supply

    @supply.setter
    def supply(self, supply: bool) -> None:
        self._supply = supply
        if not supply:
            self._laser.end(self._clock.monotonic_ns() / 1e9)

    def sync_edge(self) -> bool:
        """A rising edge at the sync pin, now; whether it starts a frame."""
        now_ns, session = self._clock.monotonic_ns(), self._ranging
        if session is None or session.triggered is None or self._stop_at_ns is not None or not self._supply:
            return False
        begun = session.triggered.edge(now_ns)
        if begun and not self.laser_fault:
            self._laser.begin(now_ns / 1e9, session.timing.lit_s, session.timing.lit_s)
            self._laser.end(now_ns / 1e9 + session.timing.lit_s)
        return begun

    def laser_share(self, start_s: float, end_s: float) -> float:
        """For which part of the time from `start_s` to `end_s` (bus clock) the laser is on; at an instant 0 or 1.

        For whom the light disturbs; a span within the last sessions, of which 64 are kept.
        """
        if self._ranging is not None and self._ranging.stopped_at_ns is not None:
            self._laser.end(self._ranging.stopped_at_ns / 1e9)
        return self._laser.share(start_s, end_s)

    def present_at(self, address: int) -> bool:
        """Whether the chip acknowledges this 7-bit address now."""
        return self.supply and address == self._pages[0][0x04]

    def power_cycle(self) -> None:
        """Lose firmware, parameters, page and address."""
        self._powered_ns = self._clock.monotonic_ns()
        self._pages: dict[int, bytearray] = {}
        self._page = 0
        self._pointer = 0
        self._firmware = FirmwareRam()
        self._firmware_access = False
        self._parameters: Parameters | None = None
        self._end_session()
        self._asleep = self._deep_asleep = False
        self._stop_at_ns: int | None = None
        self._running_at_ns: int | None = None
        self._fault = b""
        self._stuck_at_ns: int | None = None
        self._whole = b""
        self.mcu_fault = 0
        registers = self._registers(0)
        registers[0:2] = self.identity
        registers[0x04] = self._power_on_address

    def write(self, data: bytes) -> None:
        """Two bytes of register address, high byte first, then what goes there."""
        if len(data) < 2:
            return
        address = int.from_bytes(data[:2], "big")
        data = data[2:]
        self._pointer = address + len(data)
        if not data:
            return
        if address == PAGE_REGISTER:
            self._page = data[0]
        elif self._page in FIRMWARE_PAGES:
            if self._firmware_access:
                self._firmware.write(self._page, address, data)
        elif self._page == UI_PAGE:
            self._write_ui(address, data)
        else:
            self._store(address, data)
            for offset, value in enumerate(data[:16]):
                self._react(address + offset, value)

    def read(self, count: int) -> bytes:
        """Bytes from the pointer on, which moves along."""
        address = self._pointer
        self._pointer += count
        if address == PAGE_REGISTER:
            return bytes([self._page]) + bytes(count - 1)
        if self._page == UI_PAGE and address < RESULTS_END:
            data = self._read_results(address, count)
        elif self._page == 0 and address in (0x06, 0x07):
            data = bytes(self._go2())[address - 0x06 :][:count]
        else:
            data = bytes(self._registers(self._page)[address : address + count])
        return data + bytes(count - len(data))

    def _registers(self, page: int) -> bytearray:
        if page not in self._pages:
            self._pages[page] = bytearray(PAGE_BYTES)
        return self._pages[page]

    def _store(self, address: int, data: bytes) -> None:
        data = data[: max(0, PAGE_BYTES - address)]
        self._registers(self._page)[address : address + len(data)] = data

    def _react(self, address: int, value: int) -> None:
        """What writes to the boot and power registers set off; the switches of the analogue part have no effect."""
        if self._page == 0x01 and address == 0x06 and value in (0x01, 0x03):
            self._registers(1)[0x21] = 0x04
            self._firmware_access = value == 0x01
        if self._page != 0:
            return
        if address == 0x0A and value == 0x01:
            self._reboot()
        elif address == 0x0B and value == 0x01:
            self._boot_firmware()
        elif address == 0x14 and value == 0x01 and self._registers(0)[0x15] == 0x16:
            self._request_stop()
        elif address in (0x09, 0x0F):
            self._power(address, value)

    def _power(self, address: int, value: int) -> None:
        """Sleep keeps the firmware; deep sleep, which is entered from sleep, loses it."""
        if address == 0x09:
            self._asleep = value == ASLEEP or self._deep_asleep
            if self._asleep:
                self._end_session()
        elif value == DEEP_SLEEP and self._asleep:
            self._reboot()
            self._firmware = FirmwareRam()
            self._deep_asleep = True
        elif value != DEEP_SLEEP and self._deep_asleep:
            self._deep_asleep = False
            self._asleep = self._registers(0)[0x09] == ASLEEP

    def _end_session(self) -> None:
        self._ranging: Ranging | None = None
        self._crosstalk: CrosstalkRun | None = None
        self._laser.end(self._clock.monotonic_ns() / 1e9)

    def _reboot(self) -> None:
        self.mcu_fault = 0
        self._end_session()
        self._parameters = None
        self._running_at_ns = None
        self._stop_at_ns = None
        self._fault = b""

    def _boot_firmware(self) -> None:
        result = self._firmware.boot()
        self._running_at_ns = self._clock.monotonic_ns() + round(BOOT_S * 1e9)
        self._registers(UI_PAGE)[COMMAND : COMMAND + 4] = result.checksum.to_bytes(4, "big")
        if result.runs:
            self._parameters = Parameters(self._seed, self.laser_fault)

    def _go2(self) -> tuple[int, int]:
        now_ns = self._clock.monotonic_ns()
        if self._asleep:
            return 0, 0
        if self._stop_at_ns is not None and now_ns >= self._stop_at_ns:
            parity = self._ranging.frame_id(self._stop_at_ns) & 1 if self._ranging else 0
            return GO2_STOPPED[0] | parity << 5, GO2_STOPPED[1]
        if self._ranging is not None:
            return GO2_RUNNING | (max(self._ranging.frame_id(now_ns), 0) & 1) << 5, 0
        if self._running_at_ns is None:
            return GO2_RUNNING, 0  # after power-on or a reboot: awake, waiting for its firmware
        return GO2_BOOTED if now_ns >= self._running_at_ns else (0, 0)

    def _request_stop(self) -> None:
        now_ns = self._clock.monotonic_ns()
        if self._parameters is None:
            return  # nobody is there who could stop
        if self._ranging is None:
            self._stop_at_ns = now_ns
        else:
            self._stop_at_ns = self._ranging.ends_ns(now_ns)
            self._laser.end(self._stop_at_ns / 1e9)

    def _write_ui(self, address: int, data: bytes) -> None:
        self._store(address, data)
        if address <= TRIGGER < address + len(data) and self._parameters is not None and not self._asleep:
            self._command(self._parameters)

    def _command(self, parameters: Parameters) -> None:
        ui = self._registers(UI_PAGE)
        tag, opcode = ui[COMMAND], ui[COMMAND + 1]
        size = int.from_bytes(ui[COMMAND + 2 : COMMAND + 4], "big")
        blocks = bytes(ui[max(REPLY, COMMAND - size) : COMMAND])
        if self.mcu_fault:
            ui[STATUS_WORD:REPLY] = bytes([tag, 0, self.mcu_fault, 0])
            return
        try:
            reply = self._carry_out(parameters, opcode, blocks)
        except BlockListError:
            ui[STATUS_WORD:REPLY] = bytes([tag, 0, MCU_FAILED, 0])
            return
        ui[REPLY : REPLY + len(reply)] = reply
        ui[STATUS_WORD:REPLY] = bytes([tag, DONE]) + len(reply).to_bytes(2, "big")

    def _carry_out(self, parameters: Parameters, opcode: int, blocks: bytes) -> bytes:
        if opcode == WRITE_PARAMETERS:
            parameters.write_list(blocks)
            return b""
        if opcode == READ_PARAMETERS:
            return parameters.read_list(blocks)
        if opcode == START_RANGING:
            self._start(parameters)
            return bytes(START_REPLY_BYTES)
        raise BlockListError(f"no command {opcode}")

    def _start(self, parameters: Parameters) -> None:
        self._stop_at_ns = None
        self._end_session()
        self._fault = self._whole = b""
        parameters[LASER_SAFETY : LASER_SAFETY + 1] = bytes([self.laser_fault])
        try:
            size = self._begin(parameters, self._clock.monotonic_ns())
        except LayoutError:
            self._fault = bytes([0xFF, 0x05, BAD_START, 0x91])
            return
        head = ((size - 1) << 16 | 4).to_bytes(4, "little")
        parameters[FRAME_PARAMETER : FRAME_PARAMETER + 12] = head + bytes(4) + size.to_bytes(4, "little")

    def _begin(self, parameters: Parameters, now_ns: int) -> int:
        """Start ranging, or a crosstalk calibration; returns the size of a frame. Raises LayoutError."""
        if crosstalk_wanted(parameters):
            self._crosstalk = CrosstalkRun(parameters, self.optics, now_ns)
            return self._crosstalk.size
        specimen = Specimen(self._scene, self.optics, self._rng, self._powered_ns)
        self._ranging = Ranging(parameters, specimen, now_ns)
        if not self.laser_fault and self._ranging.triggered is None:
            timing = self._ranging.timing
            self._laser.begin(now_ns / 1e9, timing.period_s, timing.lit_s)
        return self._ranging.layout.size

    def _read_results(self, address: int, count: int) -> bytes:
        now_ns = self._clock.monotonic_ns()
        if self.mcu_fault:
            return bytes([0xFF, 0x05, self.mcu_fault, 0x91])[address : address + count]
        if self._crosstalk is not None:
            return self._crosstalk.status(now_ns)[address : address + count]
        if self._ranging is None:
            return (self._fault or bytes(4))[address : address + count]
        now_ns = min(now_ns, self._shown_until_ns(now_ns))
        status = self._ranging.status(now_ns)
        if self._ranging.stopped_at_ns is not None and self._stop_at_ns is None:
            self._stop_at_ns = self._ranging.stopped_at_ns
            self._registers(UI_PAGE)[COMMAND : COMMAND + 4] = STOPPED_BY_ITSELF
        if address + count <= 4:
            return status[address : address + count]
        return self._frame_bytes(self._ranging.frame(now_ns))[address : address + count]

    def _shown_until_ns(self, now_ns: int) -> int:
        """From when on the result registers don't change any more: it was stopped, or is stuck."""
        if not self.stuck:
            self._stuck_at_ns = None
        elif self._stuck_at_ns is None:
            self._stuck_at_ns = now_ns
        ends = (self._stop_at_ns, self._stuck_at_ns)
        return min((end for end in ends if end is not None), default=now_ns)

    def _frame_bytes(self, frame: bytes) -> bytes:
        """The frame, or a torn one: read while the chip replaced it by the next."""
        before, self._whole = self._whole, frame
        if self.torn > 0 and before and before != frame:
            self.torn -= 1
            half = len(frame) // 8 * 4
            return before[:half] + frame[half:]
        return frame
