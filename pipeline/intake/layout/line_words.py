"""Recognises lines that are no doctor by their words: totals, signatures, notes, departments, hints, examples.

Texts come compact (`compact_text`): without white space, widths folded, cut short. Patterns match whole texts, so that
何总, 王登科 and 沈说明 stay people. A line is an example only if a cell calls it one (示例, 样例，请删除, 例：张三). A department
called 示例科 or a remark that mentions an example makes none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.domain.roster import CellKind, Field
from pipeline.intake.fields.person_name import COMPOUND_SURNAMES
from pipeline.intake.layout.column_titles import Header
from pipeline.intake.readers.model import Line, is_filled

MOST_EXAMPLES = 5  # rows of an example: if there are more, they have been filled in
_READ = 80  # characters of a cell that are looked at
_UNSEEN = re.compile(r"[\s\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]+")

_TOTAL = re.compile(
    r"[(\[【]?(?:(?:本页|本科室?|本院|本单位|全院|全科|各科室?|人数|人员|医[生师]|以上|当前|男|女|[\u3400-\u9fff]{1,8}[科室部组院区处站所班])[:：]?){0,2}"
    r"(?:合计|小计|总计|共计|总数|累计|总人数|人数合计|总人次|人数|subtotal|grandtotal|total)(?:人数|数|人员)?[)\]】]?"
    r"[:：(（]?[共为]?[\d,.]*[人名位条]?[)）]?[。.]?"
    r"|[(（]?(?:以上|本页|本表|全院|合计|总计|小计)?[,，:：]?共[计有]?[:：]?[\d,]+[人名位行条页].{0,20}"
)
_SIGNED = (
    "制表|填表|填报|填写|编制|审核|复核|审批|审定|批准|核对|经办|负责|单位负责|科室负责|部门负责|主管|分管|联系|盖章|签字|签名|签章|签收|打印"
    "|导出|制单|统计|登记|录入|提交|上报|报送|接收|领导|主管领导|分管领导|院长|副院长|主任|科主任|科长|医务科|医务处|人事科|信息科|单位|医院"
    "|机构|法人|法定代表|申请|见证|监督|日期|时间"
)
_ROLE = "人|单位|部门|科室|医院|日期|时间|处|电话|意见|负责人|领导|签字|签名|签章|盖章|公章|名称|员"
_LABEL = re.compile(
    rf"[(（]?(?:{_SIGNED})(?:{_ROLE}){{0,3}}(?:[(（][^()（）]{{0,10}}[)）])?(?:签字|签名|签章|盖章)?[)）]?"
)
_LABELLED = re.compile(
    rf"[(（]?(?:{_SIGNED})(?:{_ROLE}){{0,3}}(?:[(（][^()（）]{{0,10}}[)）])?(?:签字|签名|签章|盖章)?[:：].*",
    re.DOTALL,
)
# labels that are no person's name and no department's, even without a colon
_BARE = re.compile(
    r"(?:制表|填表|填报|编制|审核|复核|审批|批准|核对|经办|负责|统计|登记|录入|联系|申请|上报|接收|监督|见证)人(?:员)?(?:[(（]?签[字名章][)）]?)?"
    r"|(?:制表|填表|填报|编制|审核|复核|审批|批准|核对|经办)"
    r"|(?:单位|医院|科室|部门|机构)?[(（]?(?:盖章|公章|盖公章|签章)(?:处)?[)）]?|[(（]?(?:负责人|领导|主任|科主任|院长|经办人|法人|医务科|医务处)?"
    r"[(（]?(?:签字|签名|签章|签字盖章)(?:处)?[)）]?[)）]?|(?:制表|填表|填报|编制|打印|导出|统计|报送|上报|制单)(?:日期|时间|单位|部门|科室)"
    r"|(?:单位|科室|部门|医务科|院长|领导|主任)(?:意见|审核|审批|签字|签名|盖章)+|年月日"
)
_NOTE = re.compile(
    r"[(（\[【]?(?:填表|填写|填报|录入|导入|使用|操作|温馨|特别|模板)?(?:说明|须知|注意?|备注|提示|要求|附注|附|注意|规则)(?:事项)?\d?[)）\]】]?[:：.、].*"
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
_COUNT = re.compile(r"共?\d{1,6}(?:\.0+)?[人名位]?")
_ORDINAL = re.compile(r"[(\[]?(\d{1,3})[)\].、]?")
_HINT = re.compile(
    r"[(（*]*(?:必填|选填|非必填|可不填|不必填|可空|可为空|可选|必选|必须|不能为空|不可为空|文本|文本格式|文本型|字符|字符串|字符型|数字|数值|下拉|下拉选择|单选"
    r"|唯一|[\d一二三四五六七八九十]+位(?:数字|字符)?|varchar\(?\d*\)?|char\(?\d*\)?|string|text|required|optional|mandatory"
    r"|与身份证一致|同身份证|格式.*|请(?:填写|输入|选择).*)(?:项|字段)?[)）]*(?:[,，、;；/ ].*)?",
    re.IGNORECASE,
)
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


def compact_text(text: str) -> str:
    """Return the beginning of a text as it is judged: without white space and invisible characters, widths folded."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text[:_READ]))


def is_total(text: str) -> bool:
    """Return whether a text is a total: 合计, 内科小计：12."""
    return bool(_TOTAL.fullmatch(text.casefold()))


def is_note(text: str) -> bool:
    """Return whether a text is a signature or note with its colon or full words: 制表人：王五, 说明：…, 第1页, a date."""
    return bool(_LABELLED.fullmatch(text) or _NOTE.fullmatch(text))


def is_label(text: str) -> bool:
    """Return whether a text is the bare label of a signature: 审核人, 院长签字, 单位（盖章）."""
    return bool(_BARE.fullmatch(text))


def is_open_label(text: str) -> bool:
    """Return whether a text is a label whose value is in the next cell: 制表人：."""
    return text.endswith(":") and bool(_LABEL.fullmatch(text[:-1]))


def is_count(text: str) -> bool:
    """Return whether a text is a small number, of people or of anything."""
    return bool(_COUNT.fullmatch(text))


def is_hint(text: str) -> bool:
    """Return whether a text explains a template's column: 必填, 文本格式, 18位."""
    return bool(_HINT.fullmatch(text))


def are_ordinals(texts: Sequence[str]) -> bool:
    """Return whether texts are a form's column numbers: 1 2 3 …, (4) (5) (6) …; without a gap, at least three."""
    matches = [_ORDINAL.fullmatch(text) for text in texts]
    if len(matches) < 3 or not all(matches):
        return False
    first, *rest = (int(match[1]) for match in matches if match)
    return rest == list(range(first + 1, first + 1 + len(rest)))


def is_nothing(text: str) -> bool:
    """Return whether a text is only dashes, dots and other signs for an empty cell."""
    return bool(_NOTHING.fullmatch(text))


def is_unit(text: str) -> bool:
    """Return whether a text is a department's title and no person's name: 内科, 一、外科, 【儿科】(12人)."""
    uncounted = _COUNTED.sub("", text)
    return any(_is_bare_unit(title) for title in (uncounted, _NUMBERED.sub("", uncounted)))


def _is_bare_unit(text: str) -> bool:
    bare = _WRAPPED.sub("", text)
    if len(bare) <= 3:
        return bool(_SHORT_UNIT.fullmatch(bare))
    return bool(_UNIT.fullmatch(bare)) and not (len(bare) == 4 and bare[:2] in COMPOUND_SURNAMES)


def is_sentence(text: str) -> bool:
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
        text = compact_text(cell.display_text)
        if (_EXAMPLE_NAME if column in own else _EXAMPLE_TEXT).fullmatch(text):
            return True
        if column == first and column not in own and _EXAMPLE_NUMBER.fullmatch(text):
            return True
    return False


def is_example_title(line: Line) -> bool:
    """Return whether a line above a table calls it an example: 示例, 填写示例（请勿删除）."""
    texts = [compact_text(cell.display_text) for cell in line.cells.values()]
    return len(texts) == 1 and bool(_EXAMPLE_TITLE.fullmatch(texts[0]))


def is_example_sheet(name: str | None) -> bool:
    """Return whether a sheet's name is that of an explanation or example: 填写说明, 示例, 字典, Instructions."""
    return name is not None and bool(_EXAMPLE_SHEET.fullmatch(re.sub(r"[\W_]+", "", compact_text(name))))
