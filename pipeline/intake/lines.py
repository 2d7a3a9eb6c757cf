"""Which lines under a header are doctors, and what the others are.

When in doubt a line is a doctor: a refused row is seen by a human, a skipped line hardly.
"""

from __future__ import annotations

import re
from typing import Literal

from pipeline.intake.cells import Line, RawCell, filled
from pipeline.intake.headers import Header
from pipeline.roster import CellKind, Field

Why = Literal["title", "header", "blank", "total", "note"]

_TOTAL = re.compile(
    r"(本页|本科室?|科室|全院|人数|以上)?(合计|小计|总计|共计|总数)(人数)?[::]?\d*人?|共\d+[人行条页].*"
)
_NOTE = re.compile(
    r"(制表|填表|填报|审核|复核|审批|经办|负责|单位负责|科室负责|主管|联系|盖章|签字|签名|打印|导出|制单)"
    r"(人|单位|日期|时间|处|电话)?(签字|签名|盖章)?[::].*|(填表|填写)?(说明|注意?|备注|提示|要求)(事项)?[::].*|第\d+页.*"
)
_UNIT = re.compile(r".*[科室部组院区处站所班]|.*(中心|诊所|门诊|病房|医生|医师|人员|名单)")
_SENTENCE = re.compile(r".*[,，。;；:：!！?？、\d].*")
_COUNT = re.compile(r"\d{1,6}(\.0+)?[人名位]?")
# one of these in a line makes somebody of it; department, card type and the like are filled down in advance
_SOMEBODY = (Field.NAME, Field.MOBILE, Field.STAFF_NO, Field.PICTURE, Field.SEAL_NAME)


def why_not(line: Line, header: Header) -> Why | None:
    """Return why a line under the header is no doctor; None if it is one, or could be."""
    place = header.places[Field.NUMBER]
    number = line.cells.get(place)
    if (
        number is not None
        and filled(number)
        and not _label(number)
        and not _COUNT.fullmatch(_compact(number))
    ):
        return None
    full = {column: cell for column, cell in line.cells.items() if filled(cell)}
    if not full:
        return "blank"
    name = full.get(header.places[Field.NAME])
    label = _label(next(iter(full.values()))) or (_label(name) if name else None)
    if label or place in full:
        return label
    if len(full) == 1:
        return _alone(next(iter(full.values())), is_name=name is not None)
    return _together(full, header)


def _together(full: dict[int, RawCell], header: Header) -> Why | None:
    """Judge several cells without a number: one that belongs to a person makes somebody of the line."""
    if any(header.places.get(field) in full for field in _SOMEBODY):
        return None
    mapped = set(header.places.values())
    return "note" if any(_says(cell) for column, cell in full.items() if column not in mapped) else "blank"


def _alone(cell: RawCell, *, is_name: bool) -> Why | None:
    """Judge the only cell of a line: a name without anything is still somebody, a department's title is not."""
    if cell.kind in (CellKind.ERROR, CellKind.NO_VALUE):
        return None if is_name else "blank"
    if not _says(cell):
        return "blank"
    if is_name and not _UNIT.fullmatch(_compact(cell)) and not _SENTENCE.fullmatch(_compact(cell)):
        return None
    return "title"


def _says(cell: RawCell) -> bool:
    """Tell words from prepared numbers, ticks and formulas."""
    return cell.kind is CellKind.TEXT and not _compact(cell).isdecimal()


def _label(cell: RawCell) -> Why | None:
    text = _compact(cell)
    if _TOTAL.fullmatch(text):
        return "total"
    return "note" if _NOTE.fullmatch(text) else None


def _compact(cell: RawCell) -> str:
    return "".join(cell.shown.split()).replace("：", ":")
