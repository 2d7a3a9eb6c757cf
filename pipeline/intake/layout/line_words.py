"""What the words of a line say that is no doctor: totals, signatures and notes, departments, hints.

Texts come compact (``compact``): without white space, widths folded, cut short. All patterns are of whole texts, so
that 何总, 王登科 or 沈说明 stay people.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.intake.fields.surnames import COMPOUND

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
# labels that are nobody's name and no department's either, even without a colon
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


def compact(text: str) -> str:
    """Return the beginning of a text as it is judged: without white space and invisible characters, widths folded."""
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", text[:_READ]))


def is_total(text: str) -> bool:
    """Tell 合计, 内科小计：12 and their kin."""
    return bool(_TOTAL.fullmatch(text.casefold()))


def is_note(text: str) -> bool:
    """Tell a signature or note with its colon or full words: 制表人：王五, 说明：…, 第1页, 以下空白, a date."""
    return bool(_LABELLED.fullmatch(text) or _NOTE.fullmatch(text))


def is_label(text: str) -> bool:
    """Tell the bare label of a signature that is nobody's name: 审核人, 院长签字, 单位（盖章）."""
    return bool(_BARE.fullmatch(text))


def opens(text: str) -> bool:
    """Tell a label that waits for its value in the next cell: 制表人：."""
    return text.endswith(":") and bool(_LABEL.fullmatch(text[:-1]))


def is_count(text: str) -> bool:
    """Tell a small number, of people or of anything."""
    return bool(_COUNT.fullmatch(text))


def is_hint(text: str) -> bool:
    """Tell what a template says about a column: 必填, 文本格式, 18位."""
    return bool(_HINT.fullmatch(text))


def are_ordinals(texts: Sequence[str]) -> bool:
    """Tell a form's line of column numbers: 1 2 3 …, (4) (5) (6) …; without a gap, at least three."""
    found = [_ORDINAL.fullmatch(text) for text in texts]
    if len(found) < 3 or not all(found):
        return False
    first, *rest = (int(match[1]) for match in found if match)
    return rest == list(range(first + 1, first + 1 + len(rest)))


def is_nothing(text: str) -> bool:
    """Tell dashes, dots and other signs that stand for an empty cell."""
    return bool(_NOTHING.fullmatch(text))


def is_unit(text: str) -> bool:
    """Tell a department's line from a person's name: 内科, 一、外科, 【儿科】(12人)."""
    counted = _COUNTED.sub("", text)
    return any(_is_unit(bare) for bare in (counted, _NUMBERED.sub("", counted)))


def _is_unit(text: str) -> bool:
    bare = _WRAPPED.sub("", text)
    if len(bare) <= 3:
        return bool(_SHORT_UNIT.fullmatch(bare))
    return bool(_UNIT.fullmatch(bare)) and not (len(bare) == 4 and bare[:2] in COMPOUND)


def is_sentence(text: str) -> bool:
    """Tell words that say something from a name, or from several names in one cell."""
    if _HAN_NAMES.fullmatch(text):
        return bool(_WORDS.search(text)) and len(text) > 4
    long = len(text) > _LONGEST_NAME and "·" not in text
    return bool(long or _WORDS.search(text) or _PUNCTUATED.search(text))
