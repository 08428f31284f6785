"""The parameter memory of the simulated VL53L8CH and the block lists by which the host reads and writes it.

Every 32-bit word is big-endian on the wire; the memory holds bytes in host order, that is, with each word reversed.
A block list is a run of [32-bit header][payload, writes only], closed by 0x0000000F. A header is
index << 16 | size << 4 | type, and index is a byte address in 64 KiB.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

PARAMETER_BYTES = 0x10000
TERMINATOR = 0x0000000F
MODULE_TYPE_L8 = 2


class BlockListError(Exception):
    """The host sent a block list that the firmware can't walk."""


@dataclass(frozen=True, slots=True)
class Block:
    """One block header, taken apart."""

    index: int
    size: int
    kind: int

    @classmethod
    def parse(cls, word: int) -> "Block":
        """From the header word."""
        return cls(index=word >> 16, size=(word >> 4) & 0xFFF, kind=word & 0xF)

    @property
    def word(self) -> int:
        """The header word."""
        return self.index << 16 | self.size << 4 | self.kind

    @property
    def payload_bytes(self) -> int:
        """Type 2 to 12 is the bytes of one element; any other type counts single bytes."""
        return self.kind * self.size if 1 < self.kind < 13 else self.size


def swap_words(data: bytes) -> bytes:
    """Reverse the bytes of every 32-bit word: wire order to host order and back."""
    return np.frombuffer(data, dtype=">u4").astype("<u4").tobytes()


class Parameters:
    """The 64 KiB parameter space, as the firmware finds it after boot."""

    def __init__(self, seed: int, laser_fault: int) -> None:
        self._memory = bytearray(PARAMETER_BYTES)
        self._calibrate(np.random.default_rng(seed))
        self[0xE0C4:0xE0CC] = bytes([0, MODULE_TYPE_L8, 0x10, 0, 0, 0, laser_fault, 0])

    def __getitem__(self, span: slice) -> bytes:
        return bytes(self._memory[span])

    def __setitem__(self, span: slice, data: bytes) -> None:
        self._memory[span] = data

    def u32(self, index: int) -> int:
        """The little-endian word at `index`."""
        return int.from_bytes(self._memory[index : index + 4], "little")

    def write_list(self, blocks: bytes) -> None:
        """Carry out a list of writes in wire order, terminator included; raises BlockListError."""
        for block, start in _walk(blocks):
            payload = blocks[start : start + block.payload_bytes]
            if len(payload) < block.payload_bytes or len(payload) % 4:
                raise BlockListError(f"block 0x{block.word:08X} is cut short")
            self._store(block, swap_words(payload))

    def read_list(self, blocks: bytes) -> bytes:
        """The answer to a list of read headers, in wire order: every header with its data, and the terminator."""
        answer = bytearray()
        for offset in range(0, len(blocks), 4):
            word = int.from_bytes(blocks[offset : offset + 4], "big")
            answer += blocks[offset : offset + 4]
            if word == TERMINATOR:
                return bytes(answer)
            block = Block.parse(word)
            end = block.index + block.payload_bytes
            if end > PARAMETER_BYTES or block.payload_bytes % 4:
                raise BlockListError(f"block 0x{word:08X} is outside of the parameter memory")
            answer += swap_words(self[block.index : end])
        raise BlockListError("the block list has no end")

    def _store(self, block: Block, payload: bytes) -> None:
        end = block.index + len(payload)
        if end > PARAMETER_BYTES:
            raise BlockListError(f"block 0x{block.word:08X} runs over the end of the parameter memory")
        self[block.index : end] = payload

    def _calibrate(self, rng: np.random.Generator) -> None:
        """Fill in what the factory measured; ranges as seen on silicon, every seed another specimen."""
        self[0x9E14:0x9E20] = swap_words(bytes.fromhex("00d001900b08080808080803"))
        self[0x9E38:0x9F38] = rng.integers(3_000_000, 5_100_000, 64).astype("<u4").tobytes()
        self[0x9F38:0x9FB8] = rng.integers(-300, -100, 64).astype("<i2").tobytes()


def _walk(blocks: bytes) -> Iterator[tuple[Block, int]]:
    """Every block of a write list with the offset of its payload."""
    position = 0
    while position + 4 <= len(blocks):
        word = int.from_bytes(blocks[position : position + 4], "big")
        if word == TERMINATOR:
            return
        block = Block.parse(word)
        yield block, position + 4
        position += 4 + block.payload_bytes
    raise BlockListError("the block list has no end")
