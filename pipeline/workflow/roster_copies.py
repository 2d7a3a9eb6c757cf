"""How a roster is copied: as it is by openpyxl or anew with the same cells, and whether a copy reads like its roster."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from pipeline.domain.message import Message
from pipeline.domain.results_format import ExactSheet
from pipeline.domain.roster import FileReport, Row
from pipeline.errors import FileRefused, FormatsLost, NotCopied
from pipeline.intake.readers.detect import detect_kind
from pipeline.intake.readers.model import Sheet
from pipeline.intake.readers.xlsx.copying import collect_exact_sheets, require_no_pictures
from pipeline.intake.readers.xlsx.package import Package
from pipeline.messages.catalogue import make_message
from pipeline.reports.copies.plain_copy import PlainSheet, convert_cell
from pipeline.reports.row_notes import RowNotes


def read_unchanged(roster: FileReport) -> bytes:
    """Return a roster's bytes; NotCopied where they are no longer those that the run has read."""
    data = roster.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != roster.sha256:
        raise NotCopied(make_message("file.changed_since"))
    return data


def look_over(roster: FileReport, data: bytes, *, is_small: bool = True) -> Sequence[ExactSheet] | None:
    """Return what openpyxl does not take over of a roster; None where it does not copy it, and it is copied anew.

    Raises NotCopied where a copy would lack pictures, controls or a password.
    """
    kind = detect_kind(data)
    if kind == "encrypted":
        raise NotCopied(make_message("copy.encrypted"))
    has_pictures = any(
        isinstance(note, Message) and note.key == "note.pictures_not_read" for note in roster.notes
    )
    if has_pictures and kind != "html":  # those of a page are no part of its file
        raise NotCopied(make_message("copy.pictures"))
    if kind != "xlsx":
        return None
    package = Package(data)
    require_no_pictures(package)
    try:
        return collect_exact_sheets(package) if is_small else None
    except (FormatsLost, FileRefused):
        return None


def list_plain_sheets(
    sheets: Iterable[Sheet], roster: FileReport, row_notes: Iterator[RowNotes]
) -> Iterator[PlainSheet]:
    """Yield the sheets of a roster for a copy that is made anew; the notes stand in the order of its rows."""
    headers: defaultdict[str | None, list[int]] = defaultdict(list)
    for line in roster.skipped:
        if line.why == "header":
            headers[line.sheet].append(line.first)
    for sheet, report in zip(sheets, roster.sheets, strict=True):
        own_notes = list(islice(row_notes, report.rows))
        yield PlainSheet(
            sheet.name,
            sheet.hidden,
            ((line.number, line.cells, line.hidden) for line in sheet.lines),
            sheet.merges,
            sheet.hidden_columns,
            _take_header(headers[sheet.name], own_notes),
            own_notes,
        )


def _take_header(headers: list[int], row_notes: Sequence[RowNotes]) -> int:
    """Take the titles of the next table off a list; return their line, 0 for a table without doctors.

    The tables of a page have no names: their titles stand one after the other in the list.
    """
    if not row_notes or not headers:
        return 0
    header = headers.pop(0)
    while headers and header < headers[0] < row_notes[-1].row:
        del headers[0]
    return header


def digest_rows(rows: Iterable[Row], report: FileReport) -> str:
    """Return a digest of everything that is read from a roster but its name."""
    digest = hashlib.sha256(repr(report.skipped).encode())
    for row in rows:
        cells = [tuple(cell) for cell in row.cells]
        fields = {field: cell.column for field, cell in row.fields.items()}
        digest.update(repr((row.origin.sheet, row.origin.row, row.hidden, cells, fields)).encode())
    return digest.hexdigest()


def digest_content(rows: Iterable[Row], _report: FileReport) -> str:
    """Return a digest of the rows of a roster as they read in a copy that is made anew."""
    digest = hashlib.sha256()
    for row in rows:
        cells = []
        for cell in row.cells:
            kind, _, text = convert_cell(cell.kind, cell.value, cell.display_text)
            cells.append((cell.column, cell.header, kind, text))
        fields = {field: cell.column for field, cell in row.fields.items()}
        digest.update(repr((row.origin.row, row.hidden, cells, fields)).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()
