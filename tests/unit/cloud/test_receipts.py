"""Goal: receipts cover exactly the numbers they are made of."""

import itertools
import uuid

from hypothesis import given
from hypothesis import strategies as st

from cloud.receipts import RANGES_MAX, ranges, receipts
from contract import encode
from contract.bounds import MESSAGE_BYTES_MAX
from contract.messages import SeqRange

BOOTS = [uuid.UUID(int=1), uuid.UUID(int=2)]
NUMBERS = st.lists(st.tuples(st.sampled_from(BOOTS), st.integers(1, 60)))


def covered(parts: list[SeqRange]) -> list[tuple[uuid.UUID, int]]:
    return [(part.boot_id, seq) for part in parts for seq in range(part.first_seq, part.last_seq + 1)]


@given(NUMBERS)
def test_ranges_cover_exactly_the_numbers(numbers: list[tuple[uuid.UUID, int]]) -> None:
    found = ranges(numbers)
    assert covered(found) == sorted(set(numbers))
    for one, other in itertools.pairwise(found):
        assert one.boot_id != other.boot_id or other.first_seq > one.last_seq + 1


@given(NUMBERS, NUMBERS)
def test_receipts_say_stored_and_rejected(
    stored: list[tuple[uuid.UUID, int]], rejected: list[tuple[uuid.UUID, int]]
) -> None:
    made = receipts("D", stored=stored, rejected=rejected)
    assert covered([part for each in made for part in each.stored]) == sorted(set(stored))
    assert covered([part for each in made for part in each.rejected]) == sorted(set(rejected))


def test_a_receipt_full_of_holes_is_split_below_the_largest_message() -> None:
    made = receipts("D" * 100, stored=[(BOOTS[0], 2**62 + 2 * n) for n in range(3 * RANGES_MAX)], rejected=[])
    assert len(made) == 3
    assert all(len(encode(each)) < MESSAGE_BYTES_MAX for each in made)


def test_no_numbers_no_receipt() -> None:
    assert receipts("D", stored=[], rejected=[]) == []
