"""Small files that must be right after a power cut, and the lock that keeps a second agent out."""

import fcntl
import os
from pathlib import Path
from typing import IO

from edge.spool_errors import SpoolBusyError

LOCK_NAME = "spool.lock"


def durable_text(path: Path, text: str) -> None:
    """Write a small file so that after a power cut it is the old one or the new one."""
    part = path.with_name(f"{path.name}.part")
    with part.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def lock(folder: Path) -> IO[str]:
    """Take the spool for this process. The kernel lets go when the process ends, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / LOCK_NAME).open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise SpoolBusyError(folder, owner) from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file
