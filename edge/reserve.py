"""Disk room that the spool holds for the worst day: a file of real blocks, given back when the disk is full.

On a full disk even deleting needs room, for the log of what is deleted. The reserve is that room; with it the spool
drops its oldest samples for a gap and goes on taking events.
"""

import os
import shutil
from pathlib import Path

FILE_NAME = "spool.reserve"


class Reserve:
    """`bytes` beside the spool in `folder`. free_bytes_min: of the disk, which the spool leaves to others."""

    def __init__(self, folder: Path, size: int, free_bytes_min: int) -> None:
        self._path = folder / FILE_NAME
        self._size = size
        self._free_bytes_min = free_bytes_min

    def room(self) -> int:
        """Bytes by which the spool may still grow; negative when it has taken too much."""
        return shutil.disk_usage(self._path.parent).free - self._free_bytes_min

    def hold(self) -> bool:
        """Take the reserve where there is room for it and the rest; True when it is held."""
        if self._size == 0 or (self._path.exists() and self._path.stat().st_size >= self._size):
            return True
        if self.room() < self._size:
            return False
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size)
        except OSError:
            self._path.unlink(missing_ok=True)  # somebody was quicker: half a reserve is none
            return False
        return True

    def release(self) -> bool:
        """Give the room back; False when nothing was held."""
        held = self._path.exists()
        self._path.unlink(missing_ok=True)
        return held
