"""Recorded bus traffic: the file format (docs/captures.md) and the bus that records.

A capture is gzip of JSON lines: one header, then one transfer a line, in the order in which they began. Long writes,
which are the manufacturer's firmware, are kept as length and digest: a capture holds none of it and stays small.
"""

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from drivers.bus import Bus, BusError
from drivers.errors import DriverError

VERSION = 1
WRITE_BYTES_MAX = 256  # a longer write is kept as its digest; mailbox messages and settings are shorter
DIGEST_BYTES = 16

Request = tuple[int, int, bytes, int]  # place of the bus, address, write, read_len


class CaptureError(DriverError):
    """A file is not a capture, or one of another version."""


@dataclass(frozen=True, slots=True)
class Header:
    """What was recorded. origin: "simulated" or "hardware", so that nobody takes one for the other.

    session: what ran ("probe", "selftest" or "measure"), which is what a replay must run. scene: what lay before the
    sensors, in words. buses: their names; a transfer tells which by its place. faults: the name of the simulated fault,
    "" for none. made: date of the recording.
    """

    chips: str
    origin: str
    session: str
    scene: str
    buses: tuple[str, ...] = ()
    faults: str = ""
    made: str = ""
    version: int = VERSION


@dataclass(frozen=True, slots=True)
class Record:
    """One transfer. start_ns, took_ns: bus clock, from the first transfer on. error: class of the BusError, and why.

    write: the bytes, or for long ones `digest_of` them. bus: its place in the header's list.
    """

    start_ns: int
    took_ns: int
    address: int
    write: str
    read_len: int
    data: bytes = b""
    error: str = ""
    reason: str = ""
    bus: int = 0


def digest_of(write: bytes) -> str:
    """How a write is kept: hexadecimal, or its length and digest."""
    if len(write) <= WRITE_BYTES_MAX:
        return write.hex()
    return f"{len(write)}:{hashlib.blake2b(write, digest_size=DIGEST_BYTES).hexdigest()}"


class CaptureWriter:
    """Writes one capture; `records` counts. Opening and writing may raise OSError."""

    def __init__(self, path: Path, header: Header) -> None:
        self.records = 0
        self._start_ns: int | None = None
        self._header = header
        self._buses: list[str] = []
        self._file = gzip.GzipFile(path, "wb", mtime=0)

    def add_bus(self, name: str) -> int:
        """Make room for another bus, before its first transfer; returns its place."""
        self._buses.append(name)
        return len(self._buses) - 1

    def add(self, span_ns: tuple[int, int], request: Request, outcome: bytes | BusError) -> None:
        """A transfer from its beginning to its end, what it brought or why it failed."""
        if isinstance(outcome, BusError):
            self._add(span_ns, request, {"e": type(outcome).__name__, "why": outcome.reason})
        else:
            self._add(span_ns, request, {"r": outcome.hex()} if outcome else {})

    def close(self) -> None:
        """End the file."""
        if self._start_ns is None:
            self._write_header()
        self._file.close()

    def _write_header(self) -> None:
        self._line({"sqal_capture": asdict(replace(self._header, buses=tuple(self._buses)))})

    def _add(self, span_ns: tuple[int, int], request: Request, outcome: dict[str, str]) -> None:
        began_ns, ended_ns = span_ns
        if self._start_ns is None:
            self._start_ns = began_ns
            self._write_header()
        bus, address, write, read_len = request
        line: dict[str, Any] = {"t": began_ns - self._start_ns, "d": ended_ns - began_ns, "a": address}
        if bus:
            line["b"] = bus
        if write:
            line["w"] = digest_of(write)
        if read_len:
            line["n"] = read_len
        self._line(line | outcome)
        self.records += 1

    def _line(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")


def read_capture(path: Path) -> tuple[Header, list[Record]]:
    """Header and transfers of a capture. Raises CaptureError."""
    try:
        with gzip.open(path, "rb") as file:
            lines = iter(file)
            header = Header(**json.loads(next(lines))["sqal_capture"])
            if header.version != VERSION:
                raise CaptureError(f"{path} is a capture of version {header.version}, this program reads {VERSION}")
            return header, list(_records(lines))
    except (OSError, EOFError, StopIteration, ValueError, KeyError, TypeError) as error:
        raise CaptureError(f"{path} is not a capture: {error}") from error


def _records(lines: Iterator[bytes]) -> Iterator[Record]:
    for text in lines:
        line = json.loads(text)
        data = bytes.fromhex(line.get("r", ""))
        error, reason = line.get("e", ""), line.get("why", "")
        yield Record(
            line["t"], line["d"], line["a"], line.get("w", ""), line.get("n", 0), data, error, reason, line.get("b", 0)
        )


class RecordingBus:
    """`bus`, every transfer of which `writer` gets; implements drivers.bus.Bus. Several buses may share a writer."""

    def __init__(self, bus: Bus, writer: CaptureWriter) -> None:
        self.name = bus.name
        self.clock = bus.clock
        self.lock = bus.lock
        self._bus = bus
        self._writer = writer
        self._place = writer.add_bus(bus.name)

    def transfer(self, address: int, write: bytes = b"", read_len: int = 0) -> bytes:
        """As drivers.bus.Bus says."""
        with self.lock:
            began_ns = self.clock.monotonic_ns()
            request = (self._place, address, write, read_len)
            try:
                data = self._bus.transfer(address, write, read_len)
            except BusError as error:
                self._writer.add((began_ns, self.clock.monotonic_ns()), request, error)
                raise
            self._writer.add((began_ns, self.clock.monotonic_ns()), request, data)
            return data

    def close(self) -> None:
        """Close the bus beneath; the writer stays open."""
        self._bus.close()
