"""The parts of a roster that give no row: sheets that were not read, and lines that are no doctor.

Of a sheet that was not read: whether it may hold people, and the note that names it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from pipeline.domain.roster import Row, SheetReport, SkippedLine
from pipeline.intake.fields.id_number import holds_identity_number
from pipeline.intake.layout.column_titles import simplify_text
from pipeline.intake.layout.line_classifier import MOST_EXAMPLES, LineClass, is_example_sheet
from pipeline.intake.readers.model import Line
from pipeline.messages.catalogue import join_texts, make_message

# a sheet or a file whose name has one of these words holds people who left …
_FORMER = (
    "离职|离退休?|离休|退休|停用|作废|调离|调出|返聘期满|已故|去世|死亡|辞职|辞退|解聘|离院|注销"
    r"|retired|resigned|terminated|deceased|inactive|former (?:staff|employees|doctors|physicians)"
)
# … unless the name shows that others are in it (在职及退休, 含离职), or none of these (不含离职, 未离职)
_CURRENT = re.compile(
    rf"在职|在岗|在编|现职|启用|返聘(?!期满)|[未非不无除含及、/&+]了?已?(?:{_FORMER})|(?:包括|没有|剔除|排除|去掉|删除|即将|拟|待|将|申请)已?(?:{_FORMER})"
    rf"|(?:{_FORMER})(?:[及和与、/&+前率]|返岗|申请)|\b(?:not|non|no|without|except|excl\w*|incl\w*|with|and|active)\W+(?:{_FORMER})|\bactive\b"
)
_MOST_SEARCHED = 2_000  # lines of a sheet without a header in which identity numbers are sought
_MOST_TEXTS = 200  # lines of a sheet whose words are kept
_FIRST_CELLS, _LONGEST_CELL = 4, 60  # cells of a line, characters of a cell
_MOST_NAMED = 20  # sheets in one note
# how the names of sheets begin in which WPS and add-ins keep their own data
_OF_PROGRAMS = ("WpsReserved", "_")


def names_former_staff(name: str | None) -> bool:
    """Return whether the name of a sheet or a file shows that its people left: 离职, 退休人员, 停用."""
    text = simplify_text(name or "")
    return re.search(_FORMER, text) is not None and _CURRENT.search(text) is None


def holds_number(line: Line) -> bool:
    """Return whether a line holds an identity number in any cell."""
    return any(holds_identity_number(*cell) for cell in line.cells.values())


def get_first_numbered_line(sheet: str | None, lines: Iterable[Line]) -> Line | None:
    """Return the first line with an identity number; None on an example sheet with no more than an example."""
    allowed = MOST_EXAMPLES if is_example_sheet(sheet) else 0
    numbered = list(islice(filter(holds_number, islice(lines, _MOST_SEARCHED)), allowed + 1))
    return numbered[0] if len(numbered) > allowed else None


def list_unread_sheets(reports: Iterable[SheetReport]) -> list[str]:
    """Return the note that names the sheets that were not read; none where there is no such sheet.

    Example sheets and sheets that a program keeps for itself are left out.
    """
    named = [
        make_message(f"note.sheet_{report.status}", sheet=report.sheet)
        for report in reports
        if report.status in ("hidden", "no_header", "former")
        and report.sheet
        and not is_example_sheet(report.sheet)
        and not report.sheet.startswith(_OF_PROGRAMS)
    ]
    if len(named) > _MOST_NAMED:
        named[_MOST_NAMED:] = [make_message("note.more_sheets", n=len(named) - _MOST_NAMED)]
    return [make_message("note.unread_sheets", sheets=join_texts(named))] if named else []


def join_first_cells(texts: Iterable[str]) -> str:
    """Return what the first filled cells of a line hold, each cut short."""
    words = filter(None, (" ".join(text[: _LONGEST_CELL + 1].split()) for text in texts))
    return " · ".join(
        word if len(word) <= _LONGEST_CELL else f"{word[:_LONGEST_CELL]}…"
        for word in islice(words, _FIRST_CELLS)
    )


class SkippedLineLog:
    """The lines of a sheet that are no doctor; together with the rows they are every line, exactly once.

    Neighbours of one class are one entry, gaps between lines are blank stretches. The words of the first lines are kept.
    """

    def __init__(self, sheet: str | None, entries: Iterable[SkippedLine] = ()) -> None:
        self.entries = list(entries)
        self._sheet = sheet
        self._last = 0
        self._texts_left = _MOST_TEXTS

    def add(self, line: Line, line_class: LineClass) -> None:
        """Account for a line, and for the gap before it."""
        self.pass_over(line.number, line.last)
        self._append(SkippedLine(self._sheet, line.number, line.last, line_class, self._keep_text(line)))

    def pass_over(self, first: int, last: int) -> None:
        """Account for the gap before lines; they are a doctor's, or are added."""
        if first > self._last + 1:
            self._append(SkippedLine(self._sheet, self._last + 1, first - 1, "blank"))
        self._last = last

    def add_examples(self, rows: Iterable[Row], ends: Mapping[int, int]) -> None:
        """Add rows that were taken for doctors and are examples; ``ends`` are the last lines of rows that span several."""
        examples = []
        for row in rows:
            first = row.origin.row
            last = ends.get(first, first)
            text = join_first_cells(cell.display_text for cell in row.cells)
            examples.append(SkippedLine(self._sheet, first, last, "example", ((first, last, text),)))
        entries = sorted([*self.entries, *examples], key=lambda entry: entry.first)
        self.entries = []
        for entry in entries:
            self._append(entry)

    def _keep_text(self, line: Line) -> tuple[tuple[int, int, str], ...]:
        if not self._texts_left:
            return ()
        text = join_first_cells(cell.display_text for cell in line.cells.values())
        self._texts_left -= bool(text)
        return ((line.number, line.last, text),) if text else ()

    def _append(self, entry: SkippedLine) -> None:
        before = self.entries[-1] if self.entries else None
        if before and before.why == entry.why and before.last == entry.first - 1:
            texts = (*before.texts, *entry.texts)
            self.entries[-1] = replace(before, last=entry.last, texts=texts)
        else:
            self.entries.append(entry)
