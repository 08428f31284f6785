"""Certificates as files: HTML and PDF for people, with the document inside; and reading them back.

Both are made of the document alone and come out the same, byte by byte, every time. So a verifier makes the file again
and compares: a figure changed in the text is found, although the document inside is untouched.
"""

import base64
import html
import io
from typing import Literal

import segno
from reportlab.graphics.shapes import Drawing, Rect
from reportlab.lib.colors import Color, black
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.platypus import Paragraph, SimpleDocTemplate, Spacer, Table, TableStyle

from cloud.certificate import CertificateError, Document, code_url, encode, read
from cloud.certificate_texts import TEXTS, lines_of
from contract.chain import ChainError

Kind = Literal["json", "html", "pdf"]
FILE_BYTES_MAX = 32 << 20
HTML_BEGIN = b'<script type="application/json" id="certificate">'
HTML_END = b"</script>"
PDF_MARK = b"\n%SQAL-CERTIFICATE "
GREY = Color(0.33, 0.33, 0.33)
CODE_MM = 62.0  # modules of 0.4 mm: a telephone reads them from paper
MARGINS = dict.fromkeys(("leftMargin", "rightMargin", "topMargin", "bottomMargin"), 16 * mm)

STYLE = """
body{font:16px/1.45 system-ui,sans-serif;max-width:52rem;margin:2rem auto;padding:0 1rem;color:#1d1d1b;background:#fff}
h1{font-size:1.5rem} dl{display:grid;grid-template-columns:16rem 1fr;gap:.35rem 1rem} dt{color:#555}
dd{margin:0;overflow-wrap:anywhere} svg{width:62mm;height:62mm} p{max-width:40rem}
"""


def to_html(document: Document) -> bytes:
    """A page that stands alone. Raises CertificateError, ChainError."""
    words = TEXTS[document.language]
    rows = "".join(f"<dt>{_escape(label)}</dt><dd>{_escape(value)}</dd>\n" for label, value in lines_of(document))
    url = code_url(document)
    code = segno.make(url, error="l", micro=False, boost_error=False).svg_inline(scale=2, border=4)
    inside = encode(document).replace(b"<", b"\\u003c")
    page = (
        f'<!doctype html>\n<html lang="{document.language}">\n<head><meta charset="utf-8">'
        f"<title>{words['title']}</title>\n<style>{STYLE}</style></head>\n<body>\n<h1>{words['title']}</h1>\n"
        f'<dl>\n{rows}</dl>\n<p><a href="{_escape(url)}">{code}</a></p>\n<p>{_escape(words["scan"])}</p>\n'
    )
    return page.encode() + HTML_BEGIN + inside + HTML_END + b"\n</body>\n</html>\n"


def to_pdf(document: Document) -> bytes:
    """A4, with the document behind the last object. Raises CertificateError, ChainError."""
    words = TEXTS[document.language]
    label = ParagraphStyle("label", fontName="Helvetica", fontSize=8.5, leading=11, textColor=GREY)
    value = ParagraphStyle("value", fontName="Helvetica", fontSize=8.5, leading=11, wordWrap="CJK")
    title = ParagraphStyle("title", fontName="Helvetica-Bold", fontSize=15, leading=20)
    rows = [[Paragraph(_escape(name), label), Paragraph(_escape(text), value)] for name, text in lines_of(document)]
    table = Table(rows, colWidths=[48 * mm, 126 * mm], hAlign="LEFT")
    table.setStyle(
        TableStyle(
            [
                ("VALIGN", (0, 0), (-1, -1), "TOP"),
                ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
                ("LEFTPADDING", (0, 0), (0, -1), 0),
            ]
        )
    )
    stream = io.BytesIO()
    page = SimpleDocTemplate(stream, pagesize=A4, title=words["title"], author="SQAL", invariant=1, **MARGINS)
    page.build(
        [
            Paragraph(_escape(words["title"]), title),
            Spacer(1, 4 * mm),
            table,
            Spacer(1, 3 * mm),
            _code(code_url(document)),
            Spacer(1, 3 * mm),  # a reader wants four modules of white around the code
            Paragraph(_escape(words["scan"]), label),
        ]
    )
    made = stream.getvalue()
    # A reader looks for the place of the table of objects at the end: it is told once more behind what we add.
    start = made.rindex(b"startxref")
    return made + PDF_MARK + base64.b64encode(encode(document)) + b"\n" + made[start:]


def _code(url: str) -> Drawing:
    matrix = [list(row) for row in segno.make(url, error="l", micro=False, boost_error=False).matrix]
    side = CODE_MM * mm
    cell = side / len(matrix)
    drawing = Drawing(side, side)
    for y, row in enumerate(matrix):
        x = 0
        while x < len(row):
            run = x
            while run < len(row) and row[run]:
                run += 1
            if run > x:
                bar = Rect(x * cell, side - (y + 1) * cell, (run - x) * cell, cell)
                bar.fillColor, bar.strokeColor = black, None
                drawing.add(bar)
            x = max(run, x + 1)
    return drawing


def _escape(text: str) -> str:
    return html.escape(text, quote=True)


def read_file(data: bytes) -> tuple[Document, Kind]:
    """The document in a file. Raises CertificateError."""
    if len(data) > FILE_BYTES_MAX:
        raise CertificateError(f"a file of {len(data)} bytes, at most {FILE_BYTES_MAX} are read")
    if data.startswith(b"%PDF-"):
        _, mark, rest = data.rpartition(PDF_MARK)
        if not mark:
            raise CertificateError("this PDF holds no certificate")
        try:
            return read(base64.b64decode(rest.partition(b"\n")[0], validate=True)), "pdf"
        except ValueError as error:
            raise CertificateError("what this PDF holds is no certificate") from error
    if HTML_BEGIN in data:
        return read(data.partition(HTML_BEGIN)[2].partition(HTML_END)[0]), "html"
    return read(data), "json"


def write_file(document: Document, kind: Kind) -> bytes:
    """The file of a document. Raises CertificateError, ChainError."""
    if document.language not in TEXTS:
        raise CertificateError(f"its language {document.language!r} is not known")
    match kind:
        case "html":
            return to_html(document)
        case "pdf":
            return to_pdf(document)
        case "json":
            return encode(document)


def check_appearance(document: Document, kind: Kind, data: bytes) -> None:
    """Whether the file says what its document says. Raises CertificateError."""
    try:
        made = write_file(document, kind)
    except ChainError as error:
        raise CertificateError(str(error)) from error
    if made != data:
        raise CertificateError("the file is not the one that belongs to the proven data: its text was changed")
