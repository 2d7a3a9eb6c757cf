"""The Unknown sheet of a results workbook, as it comes back: two columns that a human has filled in.

Whether a line still speaks of one person is asked of the ledger (line_check.py); here only of the sheet itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pipeline.domain.headings import CHECK, ROW_ID
from pipeline.domain.row_token import row_id_checksum
from pipeline.errors import FileRefused, UsageError
from pipeline.intake.read_rosters import open_results
from pipeline.intake.readers.model import Line, Sheet
from pipeline.messages.results import WORDS
from pipeline.resolution.decide import Answer

_TITLES = ("col.trace_id", "col.seal_id", "col.conclusion", "col.name", "col.number", "col.seal_name")


def answers(path: Path) -> list[Answer]:
    """Return the lines of the Unknown sheets; UsageError for a workbook that is none of ours or has lost a column.

    A line whose hidden row_id does not fit its check, or that has lost its TraceId, was pasted or sorted in part: the file
    is refused.
    """
    try:
        book = open_results(path)
        return [answer for sheet in book.sheets for answer in _answers(sheet, path)]
    except FileRefused as refused:
        if refused.code == "FILE_FORMAT":
            raise UsageError("desk.not_results", path=path, then=("resolve",)) from refused
        raise _damaged(path, refused.code) from refused


def _answers(sheet: Sheet, path: Path) -> Iterator[Answer]:
    lines = iter(sheet.lines)
    header = next(lines, None)
    if header is None or not _is_unknown(sheet, header):
        return
    places = _places(header, path)
    for line in lines:
        trace, seal_id, conclusion, name, number, seal_name, row_id, check = (
            _text(line, place) for place in places
        )
        if not (trace or seal_id or conclusion or row_id):
            continue
        if not trace or row_id_checksum(row_id) != check:
            raise _damaged(path, f"{ROW_ID if trace else 'TraceId'} {line.number}")
        yield Answer(line.number, trace, seal_id, conclusion, row_id, name, number[-4:], seal_name)


def _is_unknown(sheet: Sheet, header: Line) -> bool:
    """Tell the sheet by its name, or where that was changed by the columns that no other sheet has."""
    titles = {cell.display_text.strip() for cell in header.cells.values()}
    named = (sheet.name or "").startswith(WORDS["sheet.unknown"])
    alone = (WORDS["col.settle"], WORDS["col.conclusion"])
    return named or (ROW_ID in titles and not any(titles.isdisjoint(words) for words in alone))


def _places(header: Line, path: Path) -> Sequence[int]:
    titles = {cell.display_text.strip(): column for column, cell in header.cells.items()}
    places = []
    for key in (*_TITLES, ROW_ID, CHECK):
        names = WORDS.get(key, (key,))
        place = next((titles[name] for name in names if name in titles), None)
        if place is None:
            raise _damaged(path, names[0])
        places.append(place)
    return places


def _text(line: Line, place: int) -> str:
    cell = line.cells.get(place)
    return cell.display_text.strip() if cell is not None else ""


def _damaged(path: Path, what: str) -> UsageError:
    return UsageError("desk.sheet_damaged", path=path, what=what, then=("resolve",))
