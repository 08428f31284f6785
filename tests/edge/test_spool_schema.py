"""A flipped byte in the words that describe the tables: the file is set aside, no row of it is lost."""

from collections.abc import Callable

import pytest

from edge.rows import Kind
from edge.spool import Spool
from tests.kit.fix_spool import DEADLINE_S, HandClock, put


@pytest.mark.parametrize("word", [b"anchor_ns INTEGER", b"body BLOB", b"WHERE stamped = 0", b"CREATE TABLE rows"])
def test_tables_that_are_not_ours_are_damage_and_no_refusal_of_the_disk(
    word: bytes, new_spool: Callable[..., Spool], clock: HandClock
) -> None:
    first = new_spool()
    put(first, clock)
    first.close()
    path = first._file.path
    content = path.read_bytes()
    assert content.count(word) == 1
    path.write_bytes(content.replace(word, bytes([word[0] ^ 1]) + word[1:]))
    again = new_spool()
    assert again.damage is not None
    again.mending.join(DEADLINE_S)
    assert [(row.position >> 40, row.seq) for row in again.peek(0, 10).result(DEADLINE_S)] == [(1, 1)]


def test_a_row_that_only_seems_to_wait_for_its_time_is_damage(
    new_spool: Callable[..., Spool], clock: HandClock
) -> None:
    """One bit of a record turns `stamped` from 1 to 0: a row is read once it has a time, which never comes."""
    first = new_spool()
    put(first, clock)
    put(first, clock)
    first.close()
    path = first._file.path
    content = path.read_bytes()
    header = b"\x00\x09\x09"  # serial types: position, kind 1, stamped 1
    assert content.count(header) == 2
    path.write_bytes(content.replace(header, b"\x00\x09\x08", 1))
    again = new_spool()
    assert again.damage is not None
    again.mending.join(DEADLINE_S)
    put(again, clock)
    kinds = [row.kind for row in again.peek(0, 10).result(DEADLINE_S)]
    assert kinds.count(Kind.GAP) == 1
    assert kinds.count(Kind.EVENT) == 2
