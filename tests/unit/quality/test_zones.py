"""Sets of zones against the same in plain loops."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from quality import zones

masks = st.lists(st.booleans(), min_size=64, max_size=64).map(lambda bits: np.array(bits).reshape(8, 8))


@given(mask=masks)
def test_a_set_is_its_mask(mask: np.ndarray) -> None:
    assert (zones.zone_mask(zones.zone_set(mask)) == mask).all()


@given(mask=masks)
def test_growing_takes_all_eight_neighbours(mask: np.ndarray) -> None:
    padded = np.pad(mask, 1)
    around = np.any([padded[r : r + 8, c : c + 8] for r in range(3) for c in range(3)], axis=0)
    assert (zones.zone_mask(zones.grown(zones.zone_set(mask))) == around).all()


@given(mask=masks)
def test_the_core_has_all_its_neighbours_inside(mask: np.ndarray) -> None:
    padded = np.pad(mask, 1)
    inside = np.all([padded[r : r + 8, c : c + 8] for r in range(3) for c in range(3)], axis=0)
    assert (zones.zone_mask(zones.core(zones.zone_set(mask))) == inside).all()


@given(mask=masks)
def test_components_are_a_partition_of_connected_pieces(mask: np.ndarray) -> None:
    pieces = zones.components(zones.zone_set(mask))
    sizes = [piece.bit_count() for piece in pieces]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(sizes) == int(mask.sum())
    joined = 0
    for piece in pieces:
        assert joined & piece == 0
        joined |= piece
        assert zones.components(piece) == [piece]
    for first in pieces:
        for second in pieces:
            if first != second:
                assert len(zones.components(first | second)) == 2
