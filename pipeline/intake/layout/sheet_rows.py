"""One sheet's lines become rows: the header is found, what is no doctor is told apart, nothing is lost between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.domain.roster import Row, SheetReport, SkippedLine, UnassignedImage
from pipeline.intake.layout.column_aliases import SEARCHED, ColumnAliases, describe_nearest
from pipeline.intake.layout.example_rows import MOST, is_example_sheet
from pipeline.intake.layout.header_search import find_header
from pipeline.intake.layout.merged_cells import Merged
from pipeline.intake.layout.peekable_lines import PeekableLines
from pipeline.intake.layout.skipped_lines import SkippedLineLog
from pipeline.intake.layout.table_reader import SheetReader
from pipeline.intake.readers.model import Line, Sheet, filled
from pipeline.messages.texts import make_text

_LOOKS = 100_000  # cells
NO_ROSTER = make_text("stray.no_roster")


@dataclass(slots=True)
class Table:
    """What one sheet gave."""

    report: SheetReport
    rows: list[Row] = field(default_factory=list)
    skipped: list[SkippedLine] = field(default_factory=list)
    top: list[Line] = field(default_factory=list)  # its first lines, where no header was found
    notes: list[str] = field(default_factory=list)
    strays: list[UnassignedImage] = field(default_factory=list)


def table(sheet: Sheet, path: Path, vocabulary: ColumnAliases, *, ticketed: bool = False) -> Table:
    """Read one sheet; ``ticketed`` for a To fix sheet, whose two hidden columns become each row's ticket.

    Every line from the first to the last that holds something is a row or in ``skipped``, exactly once. Raises
    FileRefused HEADER_AMBIGUOUS, and FILE_SUSPICIOUS for a ticket that is not ours.
    """
    if sheet.hidden:
        return Table(SheetReport(sheet.name, "hidden"))
    lines = PeekableLines(line for line in sheet.lines if any(map(filled, line.cells.values())))
    top = _searched(lines.peek(SEARCHED))
    if not top:
        return Table(SheetReport(sheet.name, "empty"), strays=_strays(sheet))
    merged = Merged(sheet.merges)
    found = find_header(top, vocabulary, merged)
    if found is None:
        report = SheetReport(sheet.name, "no_header", columns=describe_nearest(top, vocabulary))
        return Table(report, top=top, strays=_strays(sheet))
    first, last, header = found
    reader = SheetReader(sheet, path, vocabulary, merged, ticketed=ticketed)
    for line in lines.take(first):
        reader.skip(line, "title")
    reader.open(header, lines.take(last - first + 1))
    for line in lines:
        if (again := reader.repeated(line, lines)) is not None:
            reader.open(again, [line, *lines.take_to(again.last)])
        else:
            reader.read(line)
    reader.close()
    report = SheetReport(sheet.name, "read", len(reader.rows), () if ticketed else reader.columns())
    return Table(report, reader.rows, reader.skips.found, notes=reader.notes(), strays=reader.strays())


def _strays(sheet: Sheet) -> list[UnassignedImage]:
    """Return the pictures of a sheet that holds no roster."""
    return [
        UnassignedImage(sheet.name, each.covered_cells or each.address, NO_ROSTER, each.picture)
        for each in sheet.pictures
    ]


def _searched(lines: list[Line]) -> list[Line]:
    """Return the first lines, as many of them as a header is looked for in: 16,384 columns make few."""
    cells = 0
    for place, line in enumerate(lines):
        cells += len(line.cells)
        if place and cells > _LOOKS:
            return lines[:place]
    return lines


def without_examples(tables: Sequence[Table]) -> list[Table]:
    """Return a file's tables with the people of example sheets skipped, if another sheet is the roster.

    An example sheet is one whose name says so (填写说明, 示例, Instructions) and that holds no more people than an
    example does; alone in its file it is the roster, for somebody filled it in.
    """
    shown = [is_example_sheet(each.report.sheet) for each in tables]
    if not any(
        each.report.status == "read" and not example for each, example in zip(tables, shown, strict=True)
    ):
        return list(tables)
    return [_shown(each) if example else each for each, example in zip(tables, shown, strict=True)]


def _shown(example: Table) -> Table:
    if len(example.rows) > MOST:
        return example
    name = example.report.sheet
    skips = SkippedLineLog(name, example.skipped)
    skips.set_aside((row.origin.row, row.origin.row) for row in example.rows)
    return replace(example, report=replace(example.report, rows=0), rows=[], skipped=skips.found)
