"""What a disk holds after a power cut at any moment of a recorded run. Needs strace, and no rights.

A run is recorded as its system calls: every byte written to a file of one folder, every sync, and what the process
said on standard output. Then time is played back on a disk of two layers: what was written, and what a sync made sure
of. A cut keeps the second and, of the first, nothing or any choice of 512-byte sectors; a file's name is kept once it
was made. That is harsher than any disk that keeps its word, and knows moments that no kill can hit.
"""

import random
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

SECTOR_BYTES = 512
CALLS = "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,unlink"
LINE = re.compile(r"^\d+ +(\w+)\((.*)$")
TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
HANDLE = re.compile(r"^(\d+)<([^>]*)>")


@dataclass(frozen=True, slots=True)
class Call:
    """One system call: what it did to which file. `name` is the file's within the folder, "" for standard output."""

    kind: str
    name: str = ""
    data: bytes = b""
    offset: int = -1
    to: str = ""


def record(command: list[str], folder: Path, log: Path, cwd: Path) -> list[Call]:
    """Run `command`, which writes to `folder`, to its end. Raises FileNotFoundError without strace."""
    strace = shutil.which("strace")
    if strace is None:
        raise FileNotFoundError("recording a run needs strace: apt-get install strace")
    options = ["-f", "-y", "-xx", "-s", "100000", "-o", str(log), "-e", f"trace={CALLS}"]
    subprocess.run([strace, *options, *command], cwd=cwd, check=True, capture_output=True)
    return list(read(log, str(folder)))


def read(log: Path, folder: str) -> Iterator[Call]:
    """The calls of a log that concern files in `folder`, or standard output."""
    for line in log.read_text().splitlines():
        found = LINE.match(line)
        if not found or " = -1 " in line:
            continue
        kind, rest = found.groups()
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in TEXT.findall(rest)]
        if kind in {"openat", "rename", "unlink"}:
            names = [text.decode() for text in texts]
            if names and names[0].startswith(f"{folder}/"):
                inside = [Path(name).name for name in names]
                truncates = kind == "openat" and "O_TRUNC" in rest
                yield Call("truncate" if truncates else kind, inside[0], offset=0, to=inside[-1])
            continue
        handle = HANDLE.match(rest)
        assert handle, line
        number, path = int(handle[1]), _plain(handle[2])
        if path.startswith(f"{folder}/"):
            last = re.search(r", (\d+)(?:\) += .*| <unfinished \.\.\.>)$", rest)
            offset = int(last[1]) if last and kind in {"pwrite64", "ftruncate"} else -1
            kind = "sync" if kind in {"fsync", "fdatasync"} else "truncate" if kind == "ftruncate" else kind
            yield Call(kind, Path(path).name, texts[0] if texts else b"", offset)
        elif number == 1 and kind == "write":
            yield Call("said", data=texts[0])


def _plain(path: str) -> str:
    return bytes.fromhex(path.replace("\\x", "")).decode() if path.startswith("\\x") else path


@dataclass(slots=True)
class Disk:
    """Files as they were written, and as they were made sure of; and what the process had said by then."""

    written: dict[str, bytearray] = field(default_factory=dict[str, bytearray])
    sure: dict[str, bytes] = field(default_factory=dict[str, bytes])
    said: bytes = b""

    def take(self, call: Call) -> None:
        """Play one call."""
        file = self.written.setdefault(call.name, bytearray()) if call.name else bytearray()
        match call.kind:
            case "said":
                self.said += call.data
            case "write" | "pwrite64":
                offset = call.offset if call.offset >= 0 else len(file)
                file.extend(bytes(max(0, offset + len(call.data) - len(file))))
                file[offset : offset + len(call.data)] = call.data
            case "truncate":
                del file[call.offset :]
                file.extend(bytes(call.offset - len(file)))
            case "sync":
                self.sure[call.name] = bytes(file)
            case "rename":
                self.written[call.to] = self.written.pop(call.name)
                self.sure[call.to] = self.sure.pop(call.name, b"")
            case "unlink":
                self.written.pop(call.name, None)
                self.sure.pop(call.name, None)
            case _:
                self.sure.setdefault(call.name, b"")

    def cut(self, folder: Path, chance: random.Random | None) -> None:
        """Write into `folder` what is left; chance: which of the unsynced sectors are, None for none of them."""
        folder.mkdir()
        for name, file in self.written.items():
            if not name.endswith("-shm"):
                (folder / name).write_bytes(self._left(bytes(file), self.sure.get(name, b""), chance))

    def _left(self, file: bytes, sure: bytes, chance: random.Random | None) -> bytes:
        if chance is None or file == sure:
            return sure
        size = chance.choice([len(file), len(sure)])
        parts = bytearray(sure[:size].ljust(size, b"\0"))
        for start in range(0, size, SECTOR_BYTES):
            if chance.random() < 0.5:
                parts[start : start + SECTOR_BYTES] = file[start : min(size, start + SECTOR_BYTES)].ljust(
                    min(SECTOR_BYTES, size - start), b"\0"
                )
        return bytes(parts)
