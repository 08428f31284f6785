"""Firmware memory of the simulated VL53L8CH: three windows of 32 KiB, and the checksum that its boot code shows.

The chip's checksum algorithm is not published, so the model recognises an image by its SHA-256 and looks the word up.
Any other image shows another word and doesn't run, as a flipped byte would on silicon.
"""

import hashlib
from dataclasses import dataclass

WINDOW_BYTES = 0x8000
FIRMWARE_BYTES = 0x15000
FIRST_PAGE = 0x09
PAGES = (0x09, 0x0A, 0x0B)

# The image of the VL53L8CH as ST publishes it ("MM1.8"): SHA-256 and the word at 0x2FFC after boot.
KNOWN_IMAGES = {"fc50ff57e426b6c43532042e08a6b4bb7dcc3dac36c9d79787c511ef074e9cda": 0x0C0B6C9E}


@dataclass(frozen=True, slots=True)
class BootResult:
    """What the boot code found. runs: the image is one that the silicon executes."""

    checksum: int
    runs: bool


class FirmwareRam:
    """Write-only through the host's windows."""

    def __init__(self) -> None:
        self._ram = bytearray(len(PAGES) * WINDOW_BYTES)

    def write(self, page: int, address: int, data: bytes) -> None:
        """Store `data` at `address` (0 to 0x7FFF) of one window; what runs over its end is lost, as on the chip."""
        start = (page - FIRST_PAGE) * WINDOW_BYTES + address
        data = data[: WINDOW_BYTES - address]
        self._ram[start : start + len(data)] = data

    def boot(self) -> BootResult:
        """Check what was stored."""
        digest = hashlib.sha256(self._ram[:FIRMWARE_BYTES]).digest()
        known = KNOWN_IMAGES.get(digest.hex())
        if known is not None:
            return BootResult(known, runs=True)
        return BootResult(int.from_bytes(digest[:4], "big"), runs=False)
