"""Named statements from SQL files: the text stays SQL that runs in psql, Python only knows its name.

A file holds statements, each after a line `-- name: word` and at least one comment line that describes it. Parameters
are psycopg's `%(name)s`.
"""

import re
from pathlib import Path
from typing import LiteralString, cast

NAME = re.compile(r"^-- name: ([a-z0-9_]+)[ \t]*$", re.MULTILINE)


class Queries:
    """The statements of one folder; `queries["insert_samples"]`. Raises KeyError for one that is not there."""

    def __init__(self, folder: Path) -> None:
        """Read every `.sql` in `folder`. Raises ValueError for a name used twice or a statement not described."""
        self._texts: dict[str, str] = {}
        for path in sorted(folder.glob("*.sql")):
            for name, text in parse(path.read_text(encoding="utf-8"), source=path.name):
                if name in self._texts:
                    raise ValueError(f"{path.name}: the statement {name} exists twice")
                self._texts[name] = text

    def __getitem__(self, name: str) -> LiteralString:
        """Return the statement `name`."""
        return cast("LiteralString", self._texts[name])  # our own files, never input

    def names(self) -> list[str]:
        """Return all names in order of the alphabet."""
        return sorted(self._texts)


def parse(text: str, *, source: str) -> list[tuple[str, str]]:
    """Split the text of one file into (name, statement). Raises ValueError."""
    parts = NAME.split(text)
    found: list[tuple[str, str]] = []
    for name, body in zip(parts[1::2], parts[2::2], strict=True):
        if not body.strip().startswith("--"):
            raise ValueError(f"{source}: the statement {name} is not described")
        statement = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip().rstrip(";")
        if not statement:
            raise ValueError(f"{source}: {name} holds no statement")
        found.append((name, statement))
    return found
