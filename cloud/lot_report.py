"""Reports of a lot for people: CSV for spreadsheets, PDF for the file. Pure; the rows are given."""

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import getSampleStyleSheet
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

PIECES_ON_PAPER = 500  # ten pages; the CSV has all of them
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would run such a text


def csv_report(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """RFC 4180, one line for each piece; columns that hold nothing are empty."""
    stream = io.StringIO()
    writer = csv.writer(stream)
    writer.writerow(columns)
    writer.writerows([_cell(row[column]) for column in columns] for row in rows)
    return stream.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    text = " ".join(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownArgumentType]  # of a row
    return f"'{text}" if isinstance(text, str) and text.startswith(FORMULA_STARTS) else text


def pdf_report(
    lot: Mapping[str, Any], totals: Mapping[str, Any], decisions: Sequence[Mapping[str, Any]], rows: Sequence[Any]
) -> bytes:
    """A4: the lot, its figures, what was decided, and its pieces up to PIECES_ON_PAPER."""
    styles = getSampleStyleSheet()
    stream = io.BytesIO()
    title = f"Lot {lot.get('code_lot') or lot.get('id')}"
    document = SimpleDocTemplate(stream, pagesize=A4, title=title, author="SQAL", margin=16 * mm)
    facts = [[_plain(name), _plain(value)] for name, value in {**lot, **totals}.items() if value is not None]
    story: list[Any] = [Paragraph(_escape(title), styles["Title"]), _table([["", ""], *facts]), Spacer(1, 5 * mm)]
    if decisions:
        head = ["decision", "reason", "person", "decided_at"]
        story += [_table([head, *([_plain(each[name]) for name in head] for each in decisions)]), Spacer(1, 5 * mm)]
    names = ["time", "piece_id", "fusion_final_score", "fusion_final_grade", "as7341_oxidation_index"]
    shown = rows[:PIECES_ON_PAPER]
    story.append(Paragraph(f"{len(shown)} / {len(rows)}", styles["Normal"]))
    story.append(_table([names, *([_plain(row[name]) for name in names] for row in shown)]))
    document.build(story)
    return stream.getvalue()


def _table(rows: list[list[str]]) -> Table:
    table = Table(rows, repeatRows=1)
    table.setStyle(TableStyle([("FONTSIZE", (0, 0), (-1, -1), 7), ("LINEBELOW", (0, 0), (-1, 0), 0.5, "black")]))
    return table


def _plain(value: Any) -> str:
    text = "" if value is None else str(value)
    return text if len(text) <= 80 else text[:79] + "…"


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
