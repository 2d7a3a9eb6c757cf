"""Decides which lines under a header are doctors, and what the others are; logs the lines that are no doctor.

If unsure, a line is a doctor: a rejected row is shown to a person, a skipped line is easily missed. Lines that are no
doctor are known by their words: totals, signatures, notes, departments, hints, examples. Patterns match whole texts
without white space, so that 何总, 王登科 and 沈说明 stay people. A line is an example only if a cell calls it one (示例, 样例，
请删除, 例：张三). A department called 示例科 or a remark that mentions an example makes none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Literal

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import CellKind, Field
from pipeline.intake.fields.person_name import COMPOUND_SURNAMES
from pipeline.intake.layout.column_titles import Header
from pipeline.intake.readers.model import Line, RawCell, is_filled

LineClass = Literal["title", "header", "blank", "total", "note", "example"]

MOST_EXAMPLES = 5  # rows of an example: if there are more, they have been filled in
_READ = 80  # characters of a cell that are looked at
_UNSEEN = re.compile(r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")

_TOTAL = re.compile(
    r"[(\[【]?(?:(?:本页|本科室?|本院|本单位|全院|全科|各科室?|人数|人员|医[生师]|以上|当前|男|女|(?-i:[\u3400-\u9fff]){1,8}[科室部组院区处站所班])[:：]?){0,2}"
    r"(?:合计|小计|总计|共计|总数|累计|总人数|人数合计|总人次|人数|subtotal|grandtotal|total)(?:人数|数|人员)?[)\]】]?"
    r"[:：(（]?[共为]?[\d,.]*[人名位条]?[)）]?[。.]?"
    r"|[(（]?(?:以上|本页|本表|全院|合计|总计|小计)?[,，:：]?共[计有]?[:：]?[\d,]+[人名位行条页].{0,20}",
    re.IGNORECASE,
)
_SIGNED = (
    "制表|填表|填报|填写|编制|审核|复核|审批|审定|批准|核对|经办|负责|单位负责|科室负责|部门负责|主管|分管|联系|盖章|签字|签名|签章|签收|打印"
    "|导出|制单|统计|登记|录入|提交|上报|报送|接收|领导|主管领导|分管领导|院长|副院长|主任|科主任|科长|医务科|医务处|人事科|信息科|单位|医院"
    "|机构|法人|法定代表|申请|见证|监督|日期|时间"
)
_ROLE = "人|单位|部门|科室|医院|日期|时间|处|电话|意见|负责人|领导|签字|签名|签章|盖章|公章|名称|员"
_LABEL = (
    rf"[(（]?(?:{_SIGNED})(?:{_ROLE}){{0,3}}(?:[(（][^()（）]{{0,10}}[)）])?(?:签字|签名|签章|盖章)?[)）]?"
)
_OPEN_LABEL = re.compile(rf"{_LABEL}:")  # its value is in the next cell
# labels of a signature that are no person's name and no department's, even without a colon
_BARE_LABEL = re.compile(
    r"(?:制表|填表|填报|编制|审核|复核|审批|批准|核对|经办|负责|统计|登记|录入|联系|申请|上报|接收|监督|见证)人(?:员)?(?:[(（]?签[字名章][)）]?)?"
    r"|(?:制表|填表|填报|编制|审核|复核|审批|批准|核对|经办)"
    r"|(?:单位|医院|科室|部门|机构)?[(（]?(?:盖章|公章|盖公章|签章)(?:处)?[)）]?|[(（]?(?:负责人|领导|主任|科主任|院长|经办人|法人|医务科|医务处)?"
    r"[(（]?(?:签字|签名|签章|签字盖章)(?:处)?[)）]?[)）]?|(?:制表|填表|填报|编制|打印|导出|统计|报送|上报|制单)(?:日期|时间|单位|部门|科室)"
    r"|(?:单位|科室|部门|医务科|院长|领导|主任)(?:意见|审核|审批|签字|签名|盖章)+|年月日"
)
# a signature or a remark, with its colon or full words: 制表人：王五, 说明：…, 第1页, a date
_NOTE = re.compile(
    rf"{_LABEL}:.*"
    r"|[(（\[【]?(?:填表|填写|填报|录入|导入|使用|操作|温馨|特别|模板)?(?:说明|须知|注意?|备注|提示|要求|附注|附|注意|规则)(?:事项)?\d?[)）\]】]?[:：.、].*"
    r"|[(（\[【]?(?:(?:填表|填写|填报|录入|导入|使用|操作|模板)(?:说明|须知|注意|提示|要求|规则|指南)|注意事项|温馨提示|说明|备注|附注)(?:事项)?[)）\]】]?"
    r"|[-—–]*第\d+页.*|[-—–]+\d+[-—–]+|page\d+(?:of\d+|/\d+)?|\d+/\d+页?"
    r"|[(（\[【*＊※#—-]*(?:本页|此页|以下|以上)?(?:以下|以上)(?:无正文|空白|无内容|为空|无|均为空)[)）\]】*＊※#—-]*"
    r"|[(（]?(?:完|结束|end|theend|theendof.*|-+end-+)[)）]?|\*.*\*"
    r"|(?:日期[:：]?)?\d{2,4}[年/.-]\d{1,2}[月/.-](?:\d{1,2}日?)?(?:[一二三四五六日星期周()（） ]*)"
    r"|[_\s]*年[_\s]*月[_\s]*日",
    re.DOTALL | re.IGNORECASE,
)
_NUMBERED = re.compile(r"\A[(（]?(?:[\d一二三四五六七八九十]{1,3}|[①-⑳])[)）.、:：]?(?=\D)")
_WRAPPED = re.compile(r"^[\W_]+|[\W_]+$")
_COUNTED = re.compile(r"[(（:：,，共]{0,3}\d{1,5}[人名位]?[)）]*$")
_UNIT = re.compile(
    r".*(?:[科室部组院区处站所班楼层]|中心|诊所|门诊|病房|药房|院部|病区|医生|医师|人员|名单|名册|一览表|登记表|信息表|汇总表|统计表|明细表)"
)
# three characters or fewer may as well be a name: 王登科
_SHORT_UNIT = re.compile(
    r"(?:内|外|儿|妇|产|骨|眼|牙|针|检|药|急|口腔|皮肤|中医|急诊|检验|放射|麻醉|影像|超声|药剂|病理|康复|妇产|肿瘤|感染|传染|呼吸|消化|神经"
    r"|血液|风湿|老年|泌尿|骨伤|针灸|推拿|理疗|营养|输血|介入|体检|疼痛|精神|全科|信息|医务|护理|预防|儿保|妇保|公卫|心内|心外|神内|神外|肾内"
    r"|普外|胸外|脑外|儿内|儿外|财务|人事|后勤|设备|总务|保卫|院感|质控|医保|病案|供应|手术|透析|内镜|功能|心电|挂号|收费|注射|输液|抢救"
    r"|值班|档案|行政|临床|医技|门诊|住院|[内外妇儿骨中][一二三四五六七八九十])(?:科|室|部|区|处|组)"
    r"|门诊|急诊|药房|病房|病区|院办|院部|[一二三四五六七八九十\d]+(?:病?区|科|部|组|室|楼|层)|[东南西北中新老]?院区|[男女]?医[生师]"
)
_WORDS = re.compile(
    r"请|勿|不要|不得|不能|必须|如有|如需|以下|以上|下列|上述|注意|说明|填写|填报|名单|信息|表头|统计|汇总|附件|模板|新增人员|离职人员|共\d|第\d|\d+年|\d+月"
)
_PUNCTUATED = re.compile(r"[,，。;；:：!！?？、]")
_HAN_NAMES = re.compile(
    r"[\u3400-\u9fff\U00020000-\U000323af]{2,4}(?:[,，、;；/\s]+[\u3400-\u9fff]{2,4})*\d?"
)
_LONGEST_NAME = 9  # characters without a dot between them
# a small number, of people or of anything
_COUNT = re.compile(r"共?\d{1,6}(?:\.0+)?[人名位]?")
_ORDINAL = re.compile(r"[(\[]?(\d{1,3})[)\].、]?")
# what explains a template's column
_HINT = re.compile(
    r"[(（*]*(?:必填|选填|非必填|可不填|不必填|可空|可为空|可选|必选|必须|不能为空|不可为空|文本|文本格式|文本型|字符|字符串|字符型|数字|数值|下拉|下拉选择|单选"
    r"|唯一|[\d一二三四五六七八九十]+位(?:数字|字符)?|varchar\(?\d*\)?|char\(?\d*\)?|string|text|required|optional|mandatory"
    r"|与身份证一致|同身份证|格式.*|请(?:填写|输入|选择).*)(?:项|字段)?[)）]*(?:[,，、;；/ ].*)?",
    re.IGNORECASE,
)
# signs for an empty cell
_NOTHING = re.compile(r"[-—–－_=~*·.…/\\|、,，。:：()（）\s□○]*")
_EXAMPLE_HINT = re.compile("[例样]|如[:：]|e[.]?g|xample|ample", re.IGNORECASE)
_EXAMPLE = "示例|样例|范例|举例|例子|填写示例|填报示例|录入示例|示范|example|sample"
_EXAMPLE_TEXT = re.compile(
    rf"[(\[【《*※<]*(?:此|本|该|这|以上|上|首|第[一二\d])?(?:行|条|列|人)?(?:数据|信息|内容|记录)?(?:仅)?(?:为|是|作|供|系)?(?:填写|填报|录入|格式)?"
    rf"(?:{_EXAMPLE})(?:数据|行|信息|人员|内容|记录|参考|用|row|data)?\d{{0,2}}[)\]】》*※>]*"
    r"(?:[(\[【,，.。;；:：!！、-]*(?:仅供|供|请|可|勿|不要|不得|不|填写|填报|正式|提交|导入|上传|删除|使用|参考|实际|please|delete|donot).*)?[)\]】.。!！:：]*",
    re.IGNORECASE | re.DOTALL,
)
_EXAMPLE_NUMBER = re.compile(
    rf"[(\[【]?(?:例如?|样|eg|e[.]g[.]?|{_EXAMPLE})(?:[:：]?\d{{1,2}})?[)\]】]?[:：.、]?", re.IGNORECASE
)
_EXAMPLE_NAME = re.compile(
    rf"[(\[【]?(?:(?:例如?|如|eg|e[.]g[.]?)[)\]】]?[:：,，.、-].+|(?:{_EXAMPLE})[)\]】]?[:：,，.、_-]?.*)"
    rf"|.+[(\[【](?:例|{_EXAMPLE})[)\]】]|.+[-_—](?:{_EXAMPLE})",
    re.IGNORECASE,
)
_EXAMPLE_SHEET = re.compile(
    r"(?:附|附件|附表)?\d{0,2}(?:模板|表格|名单|导入|填写|填报|填表|录入|使用|操作|数据|字段|信息|采集|人员|医师|医生){0,3}"
    r"(?:说明|须知|指南|指引|帮助|要求|规范|注意|注意事项|示例|样例|范例|举例|例子|样表|示范|字典|字典表|代码表|码表|对照表|枚举|选项|下拉|下拉框|下拉选项|下拉列表|下拉数据"
    r"|参数|基础数据|数据源|readme|instructions?|examples?|samples?|help|guide|dict|dictionary|lists?|options?|notes?|manual)"
    r"(?:说明|数据|页|表|书|sheet|data|文档|请勿(?:修改|删除|填写))?\d{0,2}",
    re.IGNORECASE,
)
_EXAMPLE_TITLE = re.compile(
    rf"[(\[【]?(?:填写|填报|录入)?(?:{_EXAMPLE}|样表)(?:数据|行|表)?[)\]】]?[:：]?(?:[(\[【].*)?",
    re.IGNORECASE,
)

_DIGITS = re.compile(r"\d")
_IDENTITY_NUMBER = re.compile(r"[0-9]{17}[0-9Xx]")
_MIN_NUMBER_DIGITS = 7  # no count of people has as many
_MIN_STAFF_NO = 4  # digits: beside a label, fewer are a count
_PHONE_OR_DATE = re.compile(r"\+?[\d./年月日-]{7,14}(?:\d\d:.*)?")
# what a formula that was filled down in advance leaves: ="" & "处方章"
_FORMULA_REST = re.compile(
    r"(?:的?(?:电子)?(?:处方|个人|医师|医生)?(?:印章|签章|签名|章)?|none|null)(?:[.](?:png|jpe?g|bmp))?"
)
_PERSONAL_FIELDS = tuple(name for name, definition in FIELDS.items() if definition.shows_person)
_CODE_FIELDS = (Field.MOBILE, Field.STAFF_NO)  # their cells hold digits and letters
_FILE_FIELDS = (Field.PICTURE, Field.SEAL_NAME)


# --- what a line is


def classify_line(line: Line, header: Header, *, spans_person: bool = False) -> LineClass | None:
    """Return what a line under the header is; None if it is a doctor, or could be.

    ``spans_person``: its only cell is merged over the name and number columns, so it is no name.
    """
    if not line.cells:
        return "blank"
    if is_example(line, header):
        return "example"
    number = line.cells.get(header.columns[Field.NUMBER])
    name = line.cells.get(header.columns[Field.NAME])
    if number is not None and _is_number(number, name):
        return None
    cells = {column: cell for column, cell in line.cells.items() if _has_content(cell)}
    if not cells:
        return "blank"
    if all(cell.kind is CellKind.PICTURE for cell in cells.values()):
        return "note"
    return _classify_without_number(cells, header, spans_person=spans_person)


def _is_number(number: RawCell, name: RawCell | None) -> bool:
    """Return whether the number cell alone shows a doctor: too many digits for a count or a telephone."""
    text = _compact_text(number.display_text)
    if len(_DIGITS.findall(text)) < _MIN_NUMBER_DIGITS or _NOTE.fullmatch(text):
        return False
    if not _PHONE_OR_DATE.fullmatch(text):
        return True
    return name is None or _classify_label(_compact_text(name.display_text)) is None


def _has_content(cell: RawCell) -> bool:
    """Return whether a cell holds anything but dashes, or the 0 of a formula that points to an empty cell."""
    if not is_filled(cell) or (cell.kind is CellKind.NUMBER and not cell.value):
        return False
    return cell.kind is not CellKind.TEXT or _NOTHING.fullmatch(cell.display_text[:400]) is None


def _classify_without_number(
    cells: Mapping[int, RawCell], header: Header, *, spans_person: bool
) -> LineClass | None:
    """Classify a line whose number cell is empty, a word, or a count."""
    texts = {column: _compact_text(cell.display_text) for column, cell in cells.items()}
    name, number = (texts.get(header.columns[field]) for field in (Field.NAME, Field.NUMBER))
    if name is not None and number is not None and _are_ordinals(list(texts.values())):
        return "header"  # each column's number, as forms have it under the titles
    if any(map(_IDENTITY_NUMBER.fullmatch, texts.values())):
        return None  # under a header that names another column: rejected and shown, not skipped
    has_name = name is not None and _may_be_name(cells[header.columns[Field.NAME]], name)
    if label := _classify_by_labels(texts, header, has_name=has_name):
        return label
    # 无, #N/A and a count without a label mean a person
    if number is not None and (
        _is_formula(cells[header.columns[Field.NUMBER]]) or not _classify_label(number)
    ):
        is_hint = _HINT.fullmatch(number) and (not name or _HINT.fullmatch(name))
        return "note" if is_hint else None
    if len(cells) == 1:
        return _classify_single_cell(cells, texts, header, has_name=has_name, spans_person=spans_person)
    return _classify_cells(cells, texts, header, has_name=has_name)


def _classify_by_labels(texts: Mapping[int, str], header: Header, *, has_name: bool) -> LineClass | None:
    """Return what a label makes of the line, unless a person's data beside it outweighs the label."""
    first, name = next(iter(texts)), header.columns[Field.NAME]
    has_person = any(
        _outweighs_label(field, texts.get(header.columns.get(field, -1), "")) for field in _PERSONAL_FIELDS
    )
    if first != name and (_OPEN_LABEL.fullmatch(texts[first]) or _BARE_LABEL.fullmatch(texts[first])):
        return "note"  # the cell beside it is a signature
    if has_name:
        return "note" if not has_person and ":" in texts[first] and _NOTE.fullmatch(texts[first]) else None
    for column in (first, name, header.columns[Field.NUMBER]):
        label = _classify_label(texts.get(column, ""))
        if label and not (column == name and _BARE_LABEL.fullmatch(texts[name]) and has_person):
            return label
    return "total" if not has_person and any(map(_TOTAL.fullmatch, texts.values())) else None


def _classify_label(text: str) -> LineClass | None:
    if _TOTAL.fullmatch(text):
        return "total"
    return "note" if _NOTE.fullmatch(text) or _BARE_LABEL.fullmatch(text) else None


def _is_formula(cell: RawCell) -> bool:
    return cell.kind in (CellKind.ERROR, CellKind.NO_VALUE)


def _may_be_name(cell: RawCell, text: str) -> bool:
    """Return whether the name cell may hold a person's name, or a formula that should."""
    if _is_formula(cell):
        return True
    if cell.kind is not CellKind.TEXT or _COUNT.fullmatch(text) or _HINT.fullmatch(text):
        return False
    return not (_classify_label(text) or _is_unit(text) or _is_sentence(text))


def _is_personal(text: str) -> bool:
    """Return whether a cell of a personal field holds a person's data."""
    return bool(text) and not (
        _classify_label(text) or _HINT.fullmatch(text) or _FORMULA_REST.fullmatch(text)
    )


def _outweighs_label(field: Field, text: str) -> bool:
    """Return whether a cell of a personal field outweighs a label in its line."""
    if field in _CODE_FIELDS and not (text.isascii() and len(text) >= _MIN_STAFF_NO):
        return False
    return _is_personal(text)


def _classify_single_cell(
    cells: Mapping[int, RawCell],
    texts: Mapping[int, str],
    header: Header,
    *,
    has_name: bool,
    spans_person: bool,
) -> LineClass | None:
    """Classify a line of one cell: a name without anything is still a person, a department's title is not."""
    ((column, cell),) = cells.items()
    text = texts[column]
    is_code = text.isascii() and len(_DIGITS.findall(text)) >= _MIN_STAFF_NO
    is_file = not (_is_unit(text) or _is_sentence(text)) and _is_personal(text)
    is_person = (
        has_name
        or (is_code and column in map(header.columns.get, _CODE_FIELDS))
        or (is_file and column in map(header.columns.get, _FILE_FIELDS))
    )
    if is_person and not spans_person:
        return None
    return "title" if _is_wording(cell, text) else "blank"


def _classify_cells(
    cells: Mapping[int, RawCell], texts: Mapping[int, str], header: Header, *, has_name: bool
) -> LineClass | None:
    """Classify several cells without a number: one cell that belongs to a person makes the line a doctor."""
    columns = header.columns
    personal = [columns[field] for field in _PERSONAL_FIELDS if columns.get(field, -1) in cells]
    if has_name or any(
        cells[column].kind is not CellKind.TEXT or _is_personal(texts[column]) for column in personal
    ):
        return None
    name = texts.get(columns[Field.NAME])
    if name is not None:
        if _HINT.fullmatch(name):
            return "note"
        if _COUNT.fullmatch(name):
            return "total"
        return "title" if _is_unit(name) else None
    field_columns = set(columns.values())
    has_wording = any(
        _is_wording(cell, texts[column]) for column, cell in cells.items() if column not in field_columns
    )
    return "note" if has_wording else "blank"


def _is_wording(cell: RawCell, text: str) -> bool:
    """Return whether a cell holds words, and not a prepared number, tick or formula."""
    return cell.kind is CellKind.TEXT and not text.isdecimal()


# --- what the words of a cell are


def _compact_text(text: str) -> str:
    """Return the beginning of a text as it is judged: without white space and invisible characters, widths folded."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text[:_READ]))


def _are_ordinals(texts: Sequence[str]) -> bool:
    """Return whether texts are a form's column numbers: 1 2 3 …, (4) (5) (6) …; without a gap, at least three."""
    matches = [_ORDINAL.fullmatch(text) for text in texts]
    if len(matches) < 3 or not all(matches):
        return False
    first, *rest = (int(match[1]) for match in matches if match)
    return rest == list(range(first + 1, first + 1 + len(rest)))


def _is_unit(text: str) -> bool:
    """Return whether a text is a department's title and no person's name: 内科, 一、外科, 【儿科】(12人)."""
    uncounted = _COUNTED.sub("", text)
    for title in (uncounted, _NUMBERED.sub("", uncounted)):
        bare = _WRAPPED.sub("", title)
        if len(bare) <= 3:
            is_unit = _SHORT_UNIT.fullmatch(bare)
        else:
            is_unit = _UNIT.fullmatch(bare) if len(bare) > 4 or bare[:2] not in COMPOUND_SURNAMES else None
        if is_unit:
            return True
    return False


def _is_sentence(text: str) -> bool:
    """Return whether a text is a sentence, and neither a name nor several names in one cell."""
    if _HAN_NAMES.fullmatch(text):
        return bool(_WORDS.search(text)) and len(text) > 4
    long = len(text) > _LONGEST_NAME and "·" not in text
    return bool(long or _WORDS.search(text) or _PUNCTUATED.search(text))


def is_example(line: Line, header: Header) -> bool:
    """Return whether a line calls itself an example."""
    if not _EXAMPLE_HINT.search("\n".join([cell.display_text for cell in line.cells.values()])):
        return False
    own = {header.columns[Field.NAME], header.columns[Field.NUMBER]}
    first = next((column for column, cell in line.cells.items() if is_filled(cell)), None)
    for column, cell in line.cells.items():
        if cell.kind is not CellKind.TEXT or not _EXAMPLE_HINT.search(cell.display_text):
            continue
        text = _compact_text(cell.display_text)
        if (_EXAMPLE_NAME if column in own else _EXAMPLE_TEXT).fullmatch(text):
            return True
        if column == first and column not in own and _EXAMPLE_NUMBER.fullmatch(text):
            return True
    return False


def is_example_title(line: Line) -> bool:
    """Return whether a line above a table calls it an example: 示例, 填写示例（请勿删除）."""
    texts = [_compact_text(cell.display_text) for cell in line.cells.values()]
    return len(texts) == 1 and bool(_EXAMPLE_TITLE.fullmatch(texts[0]))


def is_example_sheet(name: str | None) -> bool:
    """Return whether a sheet's name is that of an explanation or example: 填写说明, 示例, 字典, Instructions."""
    return name is not None and bool(_EXAMPLE_SHEET.fullmatch(re.sub(r"[\W_]+", "", _compact_text(name))))
