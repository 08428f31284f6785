"""A lot changes exactly between two pieces, whenever it is set."""

import random

import pytest

from tests.unit.edge.rig import Device


@pytest.mark.parametrize("seed", range(4))
def test_no_piece_belongs_to_two_lots_and_the_next_piece_has_the_new_one(seed: int):
    """Goal: lots are set at random moments; each piece keeps the lot that held when it was first seen."""
    chance = random.Random(seed)  # noqa: S311  # one seed is one run
    device = Device()
    held: list[int] = []  # the lot that held at each look
    for lot in range(1, 41):
        if chance.random() < 0.4:
            device.assembler.lot_id = lot
        before = len(device.spool.messages)
        device.run(1.0)
        held += [device.assembler.lot_id or 0] * (len(device.spool.messages) - before)
    pieces: dict[str, list[tuple[int | None, int]]] = {}
    for (_, message), lot in zip(device.spool.messages, held, strict=True):
        assert message.piece_id is not None
        pieces.setdefault(message.piece_id, []).append((message.lot_id, lot))
    assert len(pieces) >= 5
    assert sum(len(looks) for looks in pieces.values()) > len(pieces)
    for looks in pieces.values():
        assert {lot for lot, _ in looks} == {looks[0][0]}
        assert (looks[0][0] or 0) == looks[0][1]
