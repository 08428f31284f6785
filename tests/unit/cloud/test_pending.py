"""Who waits for which number, and what receipts and error notices tell them."""

import uuid
from datetime import UTC, datetime

from cloud.pending import Fate, Pending
from contract.messages import ErrorNotice, Receipt, SeqRange

BOOT, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)
NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)


def stored(first: int, last: int, boot: uuid.UUID = BOOT, device: str = "D1") -> Receipt:
    return Receipt(device_id=device, stored=[SeqRange(boot_id=boot, first_seq=first, last_seq=last)])


def notice(seq: int | None, *, held: bool = False) -> ErrorNotice:
    boot = None if seq is None else BOOT
    return ErrorNotice(code="x", reason="why", timestamp=NOW, path="$.a", held=held, boot_id=boot, seq=seq)


async def test_a_receipt_tells_those_in_its_ranges_and_nobody_else() -> None:
    pending = Pending()
    fates = [pending.expect("D1", BOOT, seq) for seq in range(1, 6)]
    others = [pending.expect("D2", BOOT, 3), pending.expect("D1", OTHER, 3)]
    pending.take_receipt(stored(2, 4))
    assert [fate.done() for fate in fates] == [False, True, True, True, False]
    assert fates[1].result() == Fate("stored")
    assert not any(fate.done() for fate in others)


async def test_a_rejection_waits_for_its_reason() -> None:
    pending = Pending(reason_wait_s=60)
    fate = pending.expect("D1", BOOT, 1)
    pending.take_receipt(Receipt(device_id="D1", rejected=[SeqRange(boot_id=BOOT, first_seq=1, last_seq=1)]))
    assert not fate.done()
    pending.take_error("D1", notice(1))
    assert await fate == Fate("rejected", "why", "$.a")


async def test_a_rejection_without_a_reason_is_told_after_a_while() -> None:
    pending = Pending(reason_wait_s=0)
    fate = pending.expect("D1", BOOT, 1)
    pending.take_receipt(Receipt(device_id="D1", rejected=[SeqRange(boot_id=BOOT, first_seq=1, last_seq=1)]))
    assert (await fate).outcome == "rejected"


async def test_held_is_not_rejected_and_a_notice_without_a_number_concerns_nobody() -> None:
    pending = Pending()
    fate = pending.expect("D1", BOOT, 1)
    pending.take_error("D1", notice(None))
    pending.take_error("D2", notice(1))
    pending.take_error("D1", notice(2))
    assert not fate.done()
    pending.take_error("D1", notice(1, held=True))
    assert (await fate).outcome == "held"


async def test_what_is_forgotten_is_gone_and_late_news_are_harmless() -> None:
    pending = Pending()
    fate = pending.expect("D1", BOOT, 1)
    pending.take_receipt(stored(1, 1))
    pending.take_receipt(stored(1, 1))
    pending.take_error("D1", notice(1))
    assert fate.result() == Fate("stored")
    pending.forget("D1", BOOT, 1)
    pending.forget("D1", BOOT, 1)
    assert len(pending) == 0
    pending.take_receipt(stored(1, 2**63 - 1))
