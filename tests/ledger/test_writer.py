"""Goal: whatever crashes, no two checkpoints of one size differ, nothing queued is lost, and nothing stands twice.

Method: the writer is stopped at every statement and every file operation of a round, as a crash would stop it; then it
starts anew. All checkpoints that anybody could have seen are collected.
"""

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from cloud import ledger as ledger_module
from cloud.ledger import Ledger, LedgerError
from contract.checkpoint import parse_note
from tests.kit.fix_ledger import LedgerKit


class CrashError(Exception):
    """The process ended here."""


class Fuse:
    """Counts steps and blows at the one that is set."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise CrashError


def _armed(call: Callable[..., Any], fuse: Fuse, *, after: bool) -> Callable[..., Any]:
    async def run(*args: Any, **kwargs: Any) -> Any:
        if not after:
            fuse.step()
        result = await call(*args, **kwargs)
        if after:
            fuse.step()
        return result

    return run


async def _crashing_round(kit: LedgerKit, at: int, monkeypatch: pytest.MonkeyPatch, seen: list[str]) -> bool:
    """One round that crashes at its `at`-th step; whether it got through without one."""
    fuse = Fuse(at)
    real = ledger_module.write_durably

    def write(path: Any, text: str, *, mode: int = 0o600) -> None:
        fuse.step()
        real(path, text, mode=mode)
        seen.append(text)
        fuse.step()

    async with kit.opened() as ledger:
        with monkeypatch.context() as patch:
            patch.setattr(ledger_module, "write_durably", write)
            patch.setattr(psycopg.AsyncCursor, "execute", _armed(psycopg.AsyncCursor.execute, fuse, after=False))
            patch.setattr(psycopg.AsyncConnection, "execute", _armed(psycopg.AsyncConnection.execute, fuse, after=True))
            try:
                await ledger.write_round()
            except CrashError:
                return False
    return True


async def test_a_crash_at_any_step_never_makes_two_checkpoints_of_one_size(
    ledger: LedgerKit, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    put = 0
    for at in range(1, 100):
        ledger.put(3, start=put)
        put += 3
        whole = await _crashing_round(ledger, at, monkeypatch, seen)
        seen.append(await ledger.write())
        if whole:
            break
    else:
        pytest.fail("a round has no end")
    assert at > 5
    roots = {(said.size, said.root) for said in map(parse_note, seen)}
    assert len(roots) == len({size for size, _ in roots})
    report = ledger.verify(*seen)
    assert (report.findings, report.samples, report.not_covered) == ([], put, 0)


async def test_a_writer_does_not_go_on_from_a_damaged_tree(ledger: LedgerKit) -> None:
    ledger.put(300)
    await ledger.write()
    ledger.sql("UPDATE sqal_ledger_nodes SET hash = sha256('x')")
    with pytest.raises(LedgerError, match="not that of its newest checkpoint"):
        await ledger.write()


async def test_the_ledger_refuses_changes_of_ordinary_users(ledger: LedgerKit) -> None:
    ledger.put(1)
    await ledger.write()
    with psycopg.connect(ledger.dsn) as connection, pytest.raises(psycopg.errors.RaiseException, match="append-only"):
        connection.execute("DELETE FROM sqal_ledger")


async def test_a_tree_goes_on_over_tiles(ledger: LedgerKit) -> None:
    """Goal: nodes of full subtrees are right wherever rounds begin and end."""
    for start, count in ((0, 200), (200, 100), (300, 212), (512, 1), (513, 300)):
        ledger.put(count, start=start)
        await ledger.write()
    assert ledger.verify().findings == []
    assert ledger.sql("SELECT count(*) FROM sqal_ledger_nodes") == [(3,)]


async def test_only_one_writes(ledger: LedgerKit) -> None:
    async with ledger.opened() as first:
        assert isinstance(first, Ledger)
        rows = ledger.sql("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'")
        assert rows[0][0] == 1
