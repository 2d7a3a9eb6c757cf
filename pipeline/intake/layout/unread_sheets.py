"""Examines sheets that were not read: whether they may hold people, and the note that names them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from itertools import islice

from pipeline.domain.roster import SheetReport
from pipeline.intake.fields.number_search import holds_identity_number
from pipeline.intake.layout.column_titles import simplify_text
from pipeline.intake.layout.line_classifier import MOST_EXAMPLES, is_example_sheet
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


def find_first_number(sheet: str | None, lines: Iterable[Line]) -> Line | None:
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
