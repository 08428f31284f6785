"""The crosstalk calibration of the simulated VL53L8CH: a session that ends with a grid in the parameter memory.

It takes as long as UM3109 section 4.9 says, and fails as there when the window throws back too little to be measured.
"""

import numpy as np

from drivers.sim.vl53l8ch_frame import LayoutError, to_zones
from drivers.sim.vl53l8ch_mailbox import Block, Parameters
from drivers.sim.vl53l8ch_optics import ChipOptics
from drivers.sim.vl53l8ch_ranging import CROSSTALK_SCALE, output_headers

CALIBRATION_MODE = 6
CONDITIONS, GRID = 0x5470, 0x9FFC
SECONDS = ((1, 1.0), (4, 2.5), (16, 8.5))  # samples -> duration
LEAST_KCPS = 2.0  # mean over the zones; below it there is nothing to calibrate
TOO_GOOD = 0xE6
RUNNING, FINISHED = bytes([0xFF, 0x05, 0x05, 0x10]), bytes([0x03, 0x05, 0x9F, 0x11])
ROWS = 8


class CrosstalkRun:
    """One calibration, from its start on."""

    def __init__(self, parameters: Parameters, optics: ChipOptics, start_ns: int) -> None:
        blocks = [Block.parse(word) for word in output_headers(parameters)]
        self.size = 24 + sum(4 + block.payload_bytes for block in blocks)
        distance, reflectance, samples = _settings(parameters)
        if not (600 <= distance <= 3000 and 1 <= reflectance <= 99 and 1 <= samples <= 16):
            raise LayoutError("a calibration needs a target at 600 to 3000 mm, of 1 to 99 %, and 1 to 16 samples")
        counts, seconds = zip(*SECONDS, strict=True)
        self._end_ns = start_ns + round(float(np.interp(samples, counts, seconds)) * 1e9)
        self._parameters = parameters
        self._crosstalk = optics.crosstalk_kcps(ROWS)

    def status(self, now_ns: int) -> bytes:
        """The four bytes at address 0, wire order; at the end the grid is in the parameter memory."""
        if now_ns < self._end_ns:
            return RUNNING
        if self._crosstalk.mean() < LEAST_KCPS:
            return bytes([0x03, 0x05, TOO_GOOD, 0x91])
        grid = np.rint(to_zones(self._crosstalk) * CROSSTALK_SCALE).astype("<u4")
        self._parameters[GRID : GRID + grid.nbytes] = grid.tobytes()
        return FINISHED


def _settings(parameters: Parameters) -> tuple[float, float, int]:
    block = parameters[CONDITIONS : CONDITIONS + 8]
    return int.from_bytes(block[0:2], "little") / 4, int.from_bytes(block[2:4], "little") / 16, block[4]


def wanted(parameters: Parameters) -> bool:
    """Whether a start means a calibration."""
    return parameters[0xAD30:0xAD38][1] == CALIBRATION_MODE
