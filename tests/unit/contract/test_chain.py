"""Goal: our tree is RFC 9162's, every proof that should hold holds, and none survives a changed bit.

Method: pymerkle, an independent implementation, gives roots and proofs of trees of any size; hypothesis draws entries.
"""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from contract.chain import (
    ChainError,
    EventEntry,
    Frontier,
    Item,
    SamplesEntry,
    consistency_proof,
    decode_entry,
    encode_entry,
    inclusion_proof,
    leaf_hash,
    moment_of,
    root_of,
    verify_consistency,
    verify_inclusion,
)
from contract.checkpoint import (
    PublicKey,
    checkpoint_body,
    parse_key,
    parse_note,
    signed_note,
    verify_note,
)

LEAVES = [leaf_hash(b"entry %d" % n) for n in range(70)]
ORACLE = InmemoryTree(algorithm="sha256")
for _n in range(70):
    ORACLE.append_entry(b"entry %d" % _n)


def subtree(start: int, end: int) -> bytes:
    return root_of(LEAVES[start:end])


@given(size=st.integers(0, 70))
def test_the_root_is_that_of_the_oracle(size: int) -> None:
    assert root_of(LEAVES[:size]) == (ORACLE.get_root(size) if size else hashlib.sha256(b"").digest())


@given(st.data())
def test_every_inclusion_is_proven_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    index = data.draw(st.integers(0, size - 1))
    proof = inclusion_proof(index, size, subtree)
    root = ORACLE.get_root(size)
    assert verify_inclusion(LEAVES[index], index, size, proof, root)
    other = data.draw(st.integers(0, 70).filter(lambda n: n != index))
    assert not verify_inclusion(LEAVES[index], other, size, proof, root)
    for n, step in enumerate(proof):
        bad = [*proof[:n], bytes([step[0] ^ 1]) + step[1:], *proof[n + 1 :]]
        assert not verify_inclusion(LEAVES[index], index, size, bad, root)
        assert not verify_inclusion(LEAVES[index], index, size, proof[:n] + proof[n + 1 :], root)
    assert not verify_inclusion(LEAVES[index], index, size, [*proof, root], root)


@given(st.data())
def test_every_earlier_tree_is_proven_and_no_fork(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 70))
    first = data.draw(st.integers(1, size))
    proof = consistency_proof(first, size, subtree)
    old, new = ORACLE.get_root(first), ORACLE.get_root(size)
    assert verify_consistency(first, size, proof, old, new)
    assert not verify_consistency(first, size, proof, leaf_hash(b"fork"), new)
    assert not verify_consistency(first, size, proof, old, leaf_hash(b"fork"))
    for n, step in enumerate(proof):
        bad = [*proof[:n], bytes([step[0] ^ 1]) + step[1:], *proof[n + 1 :]]
        assert not verify_consistency(first, size, bad, old, new)
    if first < size:
        assert not verify_consistency(first, size, [*proof, new], old, new)


@given(size=st.integers(0, 60), more=st.integers(0, 10))
def test_a_frontier_goes_on_where_it_stopped(size: int, more: int) -> None:
    peaks, start = list[bytes](), 0
    for bit in reversed(range(size.bit_length())):
        if size >> bit & 1:
            peaks.append(subtree(start, start + (1 << bit)))
            start += 1 << bit
    tree = Frontier(size, peaks)
    for leaf in LEAVES[size : size + more]:
        tree.append(leaf)
    assert tree.root() == root_of(LEAVES[: size + more])


times = st.integers(-(2**55), 2**55)
texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
hashes = st.binary(min_size=32, max_size=32)
items = st.builds(Item, times, texts, texts, hashes, hashes)
lots = st.integers(0, 2**31 - 1)
entries = st.one_of(
    st.builds(SamplesEntry, lots, st.lists(items, min_size=1, max_size=4).map(tuple)),
    st.builds(EventEntry, times, texts, texts, lots, texts, st.binary(min_size=16, max_size=16), hashes),
)


@given(entries)
def test_an_entry_is_read_as_it_was_written(entry: SamplesEntry | EventEntry) -> None:
    data = encode_entry(entry)
    assert decode_entry(data) == entry
    with pytest.raises(ChainError):
        decode_entry(data + b"\0")
    with pytest.raises(ChainError):
        decode_entry(data[:-1])


@given(st.binary(max_size=200))
def test_what_can_be_read_is_written_in_that_one_way(data: bytes) -> None:
    try:
        entry = decode_entry(data)
    except ChainError:
        return
    assert encode_entry(entry) == data


def _sign(body: bytes) -> bytes:
    return hashlib.sha512(b"secret" + body).digest()


def _check(_key: bytes, signature: bytes, body: bytes) -> bool:
    return signature == _sign(body)


def test_a_note_says_what_was_signed_and_no_byte_of_it_may_change() -> None:
    key = PublicKey("sqal.example/ledger", bytes(range(32)))
    assert parse_key(str(key)) == key
    body = checkpoint_body(key.name, 128, LEAVES[0], moment_of(1_772_438_400_000_000))
    note = signed_note(body, [(key, _sign)])
    found = verify_note(note, [key], _check)
    assert (found.size, found.root) == (128, LEAVES[0])
    assert parse_note(note) == found
    raw = note.encode()
    for at in range(len(raw)):
        for bit in (1, 0x80):
            changed = raw[:at] + bytes([raw[at] ^ bit]) + raw[at + 1 :]
            with pytest.raises((ChainError, UnicodeDecodeError)):
                verify_note(changed.decode(), [key], _check)
    with pytest.raises(ChainError, match="no signature is of a key"):
        verify_note(note, [PublicKey(key.name, bytes(32))], _check)
