"""Example people of a template: a line that says it is one, and a sheet that exists to show one.

A line is an example only if a cell says so outright (示例, 样例，请删除, 例：张三); a department called 示例科 or a remark
that mentions an example makes none.
"""

from __future__ import annotations

import re

from pipeline.domain.roster import CellKind, Field
from pipeline.intake.layout.column_aliases import Header
from pipeline.intake.layout.line_words import compact
from pipeline.intake.readers.model import Line, filled

MOST = 5  # rows of an example: where more stand, somebody filled in the example

_MAYBE = re.compile("[例样]|如[:：]|e[.]?g|xample|ample", re.IGNORECASE)
_WORD = "示例|样例|范例|举例|例子|填写示例|填报示例|录入示例|示范|example|sample"
_SAYS = re.compile(
    rf"[(\[【《*※<]*(?:此|本|该|这|以上|上|首|第[一二\d])?(?:行|条|列|人)?(?:数据|信息|内容|记录)?(?:仅)?(?:为|是|作|供|系)?(?:填写|填报|录入|格式)?"
    rf"(?:{_WORD})(?:数据|行|信息|人员|内容|记录|参考|用|row|data)?\d{{0,2}}[)\]】》*※>]*"
    r"(?:[(\[【,，.。;；:：!！、-]*(?:仅供|供|请|可|勿|不要|不得|不|填写|填报|正式|提交|导入|上传|删除|使用|参考|实际|please|delete|donot).*)?[)\]】.。!！:：]*",
    re.IGNORECASE | re.DOTALL,
)
_NUMBERED = re.compile(
    rf"[(\[【]?(?:例如?|样|eg|e[.]g[.]?|{_WORD})(?:[:：]?\d{{1,2}})?[)\]】]?[:：.、]?", re.IGNORECASE
)
_OF_A_NAME = re.compile(
    rf"[(\[【]?(?:(?:例如?|如|eg|e[.]g[.]?)[)\]】]?[:：,，.、-].+|(?:{_WORD})[)\]】]?[:：,，.、_-]?.*)"
    rf"|.+[(\[【](?:例|{_WORD})[)\]】]|.+[-_—](?:{_WORD})",
    re.IGNORECASE,
)
_SHEET = re.compile(
    r"(?:附|附件|附表)?\d{0,2}(?:模板|表格|名单|导入|填写|填报|填表|录入|使用|操作|数据|字段|信息|采集|人员|医师|医生){0,3}"
    r"(?:说明|须知|指南|指引|帮助|要求|规范|注意|注意事项|示例|样例|范例|举例|例子|样表|示范|字典|字典表|代码表|码表|对照表|枚举|选项|下拉|下拉框|下拉选项|下拉列表|下拉数据"
    r"|参数|基础数据|数据源|readme|instructions?|examples?|samples?|help|guide|dict|dictionary|lists?|options?|notes?|manual)"
    r"(?:说明|数据|页|表|书|sheet|data|文档|请勿(?:修改|删除|填写))?\d{0,2}",
    re.IGNORECASE,
)
_TITLE = re.compile(
    rf"[(\[【]?(?:填写|填报|录入)?(?:{_WORD}|样表)(?:数据|行|表)?[)\]】]?[:：]?(?:[(\[【].*)?", re.IGNORECASE
)


def is_example(line: Line, header: Header) -> bool:
    """Tell whether a line says of itself that it is an example."""
    if not _MAYBE.search("\n".join([cell.display_text for cell in line.cells.values()])):
        return False
    own = {header.places[Field.NAME]: _OF_A_NAME, header.places[Field.NUMBER]: _OF_A_NAME}
    first = next((column for column, cell in line.cells.items() if filled(cell)), None)
    for column, cell in line.cells.items():
        if cell.kind is not CellKind.TEXT or not _MAYBE.search(cell.display_text):
            continue
        text = compact(cell.display_text)
        if own.get(column, _SAYS).fullmatch(text) or (
            column == first and column not in own and _NUMBERED.fullmatch(text)
        ):
            return True
    return False


def is_example_title(line: Line) -> bool:
    """Tell whether a line above a table calls it an example: 示例, 填写示例（请勿删除）."""
    texts = [compact(cell.display_text) for cell in line.cells.values()]
    return len(texts) == 1 and bool(_TITLE.fullmatch(texts[0]))


def is_example_sheet(name: str | None) -> bool:
    """Tell whether a sheet's name says that it explains or shows: 填写说明, 示例, 字典, Instructions."""
    return name is not None and bool(_SHEET.fullmatch(re.sub(r"[\W_]+", "", compact(name))))
