"""Lots from a CSV file, as the customer's other system exports them: a header line, then one lot a line.

Errors:

    Exception
    └── LotImportError   one sentence: which line, which column, what is wrong
"""

import csv
import io
from datetime import date
from typing import Annotated

import msgspec

from contract.bounds import INT_MAX

LINES_MAX = 10_000
Count = Annotated[int, msgspec.Meta(ge=0, le=INT_MAX)]


class LotImportError(Exception):
    """A line cannot be taken; one sentence."""


class Lot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A lot as it is imported. itm: ITM of the lot."""

    code_lot: Annotated[str, msgspec.Meta(min_length=1, max_length=50, pattern=r"^[^\x00-\x1f]+$")]
    debut_lot: date
    site_code: Annotated[str, msgspec.Meta(min_length=1, max_length=2)] | None = None
    gaveur_id: Count | None = None
    fin_lot: date | None = None
    nb_canards: Count | None = None
    itm: Annotated[float, msgspec.Meta(ge=0, lt=1000)] | None = None
    statut: Annotated[str, msgspec.Meta(max_length=20)] | None = None


def read_csv(text: str) -> list[Lot]:
    """Lots of a CSV, separated by comma or semicolon; `itm_moyen` is taken as `itm`. Raises LotImportError."""
    first = text.partition("\n")[0]
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff")), delimiter=";" if ";" in first else ","))
    if not rows:
        raise LotImportError("the file is empty")
    if len(rows) > LINES_MAX:
        raise LotImportError(f"{len(rows)} lines, at most {LINES_MAX} are taken at once")
    header = ["itm" if name.strip() == "itm_moyen" else name.strip() for name in rows[0]]
    lots: list[Lot] = []
    for number, row in enumerate(rows[1:], start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(header):
            raise LotImportError(f"line {number} has {len(row)} columns, the header {len(header)}")
        cells = {name: cell.strip() for name, cell in zip(header, row, strict=True) if cell.strip()}
        try:
            lots.append(msgspec.convert(cells, Lot, strict=False))
        except msgspec.ValidationError as error:
            raise LotImportError(f"line {number}: {error}") from error
    return lots
