"""Hashes of the stored tree: any subtree's root, and the proofs made of them, from a few hundred rows.

Rows are read in tiles of 256 (leaves, and roots of full subtrees of 2^8, 2^16, 2^24 leaves), each once.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from contract.chain import (
    HASH_BYTES,
    ChainError,
    Frontier,
    consistency_proof,
    inclusion_proof,
    root_of,
)

TILE_BITS = 8
TILE = 1 << TILE_BITS
HEIGHTS = (24, 16, 8)  # of stored subtrees, the highest first

Read = Callable[[str, dict[str, Any]], Awaitable[list[bytes]]]  # a named statement of one column, its values


class StoredTree:
    """The tree of the first `size` entries, as far as it has been read."""

    def __init__(self, read: Read, size: int) -> None:
        self._read = read
        self.size = size
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    async def root(self) -> bytes:
        """The root of all entries."""
        return await self.subtree(0, self.size) if self.size else Frontier().root()

    async def inclusion(self, index: int) -> list[bytes]:
        """The proof that entry `index` is in the tree. Raises ChainError."""
        return await self._resolved(inclusion_ranges(index, self.size))

    async def consistency(self, first: int) -> list[bytes]:
        """The proof that the tree begins with that of `first` entries. Raises ChainError."""
        wanted: list[tuple[int, int]] = []
        consistency_proof(first, self.size, _recorder(wanted))
        # a proof is told from the leaf up, but asked for from the root down
        return await self._resolved(wanted[::-1])

    async def frontier(self) -> Frontier:
        """What appending goes on from. Raises ChainError for a tree with missing rows."""
        peaks, start = list[bytes](), 0
        for bit in reversed(range(self.size.bit_length())):
            if self.size >> bit & 1:
                peaks.append(await self.subtree(start, start + (1 << bit)))
                start += 1 << bit
        return Frontier(self.size, peaks)

    async def _resolved(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        return [await self.subtree(start, end) for start, end in ranges]

    async def subtree(self, start: int, end: int) -> bytes:
        """The root over leaves `start` to `end`; start is a multiple of the subtree's width. Raises ChainError."""
        size = end - start
        for height in HEIGHTS:
            if size >> height and start % (1 << height) == 0:
                count = size >> height
                nodes = await self._nodes(height, start >> height, count)
                rest = start + (count << height)
                return root_of([*nodes, await self.subtree(rest, end)] if rest < end else nodes)
        return root_of(await self._nodes(0, start, size))

    async def _nodes(self, height: int, start: int, count: int) -> list[bytes]:
        found: list[bytes] = []
        while count:
            tile, offset = divmod(start, TILE)
            taken = min(count, TILE - offset)
            part = (await self._tile(height, tile))[offset : offset + taken]
            if len(part) != taken:
                raise ChainError(f"the stored tree lacks nodes of height {height} from {start} on")
            found += part
            start, count = start + taken, count - taken
        return found

    async def _tile(self, height: int, tile: int) -> list[bytes]:
        key = (height, tile)
        if key not in self._tiles:
            # never beyond the size: what was appended meanwhile is not of this tree
            end = min((tile + 1) * TILE, self.size >> height)
            values: dict[str, Any] = {"start": tile * TILE, "end": end}
            if height:
                rows = await self._read("ledger_nodes", {**values, "height": height})
            else:
                rows = await self._read("ledger_leaves", values)
            self._tiles[key] = [bytes(row) for row in rows]
        return self._tiles[key]


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """Which subtrees a proof of inclusion names, from the leaf up. Raises ChainError."""
    wanted: list[tuple[int, int]] = []
    inclusion_proof(index, size, _recorder(wanted))
    return wanted[::-1]


def _recorder(wanted: list[tuple[int, int]]) -> Callable[[int, int], bytes]:
    def record(start: int, end: int) -> bytes:
        wanted.append((start, end))
        return bytes(HASH_BYTES)

    return record
