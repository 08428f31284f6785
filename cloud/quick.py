"""Read a sample on its way into the database, its matrices straight from JSON text to PostgreSQL's binary form.

Much of what a sample costs to read, store and forget is its zones as Python's numbers, which nobody looks at on this
way. Here a matrix stays text until its form is found to be 8 x 8 whole numbers or nulls; then numpy reads all of a
sample's matrices at once and looks the bytes of every cell up in a table. Whatever looks different in any way is left
to the contract's own reading, which accepts it or says what is wrong: this one never refuses anything by itself.

What a newcomer gets wrong: `sample.vl53l8ch.raw` of what is read here holds text, not numbers.
"""

from collections.abc import Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from cloud.store.samples import CELL, MATRIX_HEAD, Matrices, matrices_of, matrix_of_cells
from contract import ContractError, decode
from contract.bounds import DISTANCE_MM_MAX, KCPS_MAX, REFLECTANCE_MAX, SIGMA_MAX, STATUS_MAX
from contract.sample import Sample, Tof, TofAnalysis, Wire

_NONE = msgspec.Raw(b"[]")  # absent and empty mean the same
_ZONES = 64
_CELL_BYTES = 6
_SKELETON = b"[" + b",".join([b"[" + b"," * 7 + b"]"] * 8) + b"]"  # of a matrix whose digits were taken out
_SKELETONS = [b",".join([_SKELETON] * count) for count in range(7)]
_SPACE = b" \t\r\n"
_DIGITS_AND_SPACE = b"0123456789" + _SPACE
_BRACKETS_AND_SPACE = b"[]" + _SPACE
_NULL = -1
_TOPS = (DISTANCE_MM_MAX, REFLECTANCE_MAX, KCPS_MAX, STATUS_MAX, KCPS_MAX, SIGMA_MAX)
_CELLS = np.array([CELL.pack(2, value) for value in range(max(_TOPS) + 1)], dtype=f"V{_CELL_BYTES}")


class _QuickTofRaw(Wire, frozen=True):
    distance_matrix: msgspec.Raw
    reflectance_matrix: msgspec.Raw
    amplitude_matrix: msgspec.Raw
    status_matrix: msgspec.Raw = _NONE
    ambient_matrix: msgspec.Raw = _NONE
    sigma_matrix: msgspec.Raw = _NONE


class _QuickTof(Wire, frozen=True):
    raw: _QuickTofRaw
    analysis: TofAnalysis


assert Tof.__struct_fields__ == _QuickTof.__struct_fields__


class _QuickSample(Sample, frozen=True):
    """A sample in every respect but its matrices."""

    vl53l8ch: _QuickTof  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]  # see above


def read_sample(payload: bytes) -> tuple[Sample, Matrices]:
    """The sample and its matrices as the database takes them. Raises ContractError, NewerSchemaError as `decode`."""
    try:
        quick = decode(_QuickSample, payload)
    except ContractError:
        pass  # the full reading says where
    else:
        found = quick.vl53l8ch.raw
        packed = pack(
            (
                found.distance_matrix,
                found.reflectance_matrix,
                found.amplitude_matrix,
                found.status_matrix,
                found.ambient_matrix,
                found.sigma_matrix,
            )
        )
        if packed is not None:
            return quick, packed
    sample = decode(Sample, payload)
    return sample, matrices_of(sample)


def pack(texts: Sequence[msgspec.Raw]) -> Matrices | None:
    """The six matrices of a frame, None for those that are absent; None for all where one is not 8 x 8 in range.

    Each text is valid JSON, which is what makes it enough to look at what is left without digits and spaces.
    """
    present = tuple(place for place, text in enumerate(texts) if place < 3 or len(bytes(text)) > len(b"[]"))
    whole = b",".join([bytes(texts[place]) for place in present])
    has_nulls = b"null" in whole
    if has_nulls:
        if b"-" in whole:
            return None
        whole = whole.replace(b"null", b"")
    if whole.translate(None, _DIGITS_AND_SPACE) != _SKELETONS[len(present)]:
        return None
    if has_nulls:
        whole = b",".join([bytes(texts[place]) for place in present]).replace(b"null", b"-1")
    cells = np.fromstring(whole.translate(None, _BRACKETS_AND_SPACE), dtype=np.int64, sep=",")
    if np.count_nonzero(cells > _tops(present)):
        return None
    packed: list[bytes | None] = [None] * len(texts)
    if has_nulls:
        for place, row in zip(present, cells.reshape(-1, _ZONES).tolist(), strict=True):
            packed[place] = matrix_of_cells(None if cell == _NULL else cell for cell in row)
        return tuple(packed)
    bodies, size = _CELLS[cells].tobytes(), _ZONES * _CELL_BYTES
    for n, place in enumerate(present):
        packed[place] = MATRIX_HEAD + bodies[n * size : (n + 1) * size]
    return tuple(packed)


@lru_cache(64)
def _tops(present: tuple[int, ...]) -> NDArray[np.int64]:
    """The highest value of every cell."""
    return np.repeat(np.array([_TOPS[place] for place in present], dtype=np.int64), _ZONES)
