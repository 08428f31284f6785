"""Why the spool could not do what it was asked.

SpoolError              the root of the tree
├── SpoolBusyError        another agent holds this spool
├── SpoolNewerError       the file was written by a newer version: hands off
├── SpoolDamagedError     the file is not what was written; it is set aside, never deleted
├── SpoolDroppedError     a message gave way to newer ones before it reached the disk; a gap tells of it
└── SpoolClosedError      the spool has been closed
"""

from pathlib import Path


class SpoolError(Exception):
    """The spool could not do what it was asked."""


class SpoolBusyError(SpoolError):
    """Another process holds the lock: two writers of one spool would number two messages alike."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(f"{folder} is used by another agent (process {owner or 'unknown'}); stop it first")
        self.folder = folder
        self.owner = owner


class SpoolNewerError(SpoolError):
    """The file's version is above what this code writes."""

    def __init__(self, path: Path, version: int, known: int) -> None:
        super().__init__(f"{path} is of version {version}, this software writes {known}: install the newer one again")
        self.version = version


class SpoolDamagedError(SpoolError):
    """The file fails SQLite's own check, or is no database at all."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path} is damaged: {reason}")
        self.path = path
        self.reason = reason


class SpoolDroppedError(SpoolError):
    """The disk did not keep up: message `seq` gave way before it was written."""

    def __init__(self, seq: int) -> None:
        super().__init__(f"message {seq} was dropped before it reached the disk, which does not keep up")
        self.seq = seq


class SpoolClosedError(SpoolError):
    """The spool has been closed; nothing more is taken."""

    def __init__(self) -> None:
        super().__init__("the spool is closed")
