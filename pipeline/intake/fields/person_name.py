"""Reads the doctor's name: Han characters, in parts separated by ``·``. A text that is not certainly a name is refused.

A foreigner's name in Latin letters counts only with a passport or its like: with the cards of Chinese citizens it
is pinyin in place of a name. Width and compatibility forms are folded by block and never by NFKC over everything,
which would turn ㊞ into 印 and ① into 1. Rare and traditional characters stay as they are written.

Rosters put titles, departments and remarks behind a name (返聘, 主任, 内科). They are not taken off: the rest may still
not be the name on the card. They are listed as exact words. A word that also occurs as a given name counts only after a
space.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.domain.roster import Cell, CellKind, Change, Field
from pipeline.intake.fields.normalize import (
    CLEANING,
    HAN,
    SINGLE_BLANKS,
    SPACES,
    FieldResult,
    Step,
    apply_steps,
    clip_text,
    drop_spaces,
    get_text,
    is_placeholder,
    quote_text,
)
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import build_problem

SHORTEST, LONGEST = 2, 50  # code points; 50 is what registers must hold (民委发〔2016〕33号)

# Radicals that PDF text holds in place of characters. NFKC folds the Kangxi block; of the supplement it folds two, so
# those that are drawn like the one character they stand for are listed (Unicode's EquivalentUnifiedIdeograph);
# ⺼, for one, may be 肉 or 月.
_SUPPLEMENT = dict(
    zip(
        "⺎⺓⺝⺟⺠⺩⺬⺻⻁⻄⻅⻆⻉⻋⻑⻓⻔⻘⻙⻚⻛⻜⻝⻢⻣⻤⻥⻦⻧⻨⻩⻪⻫⻬⻭⻮⻯⻰⻱⻲⻳",
        "兀幺月母民王示聿虎西见角贝车長长门青韦页风飞食马骨鬼鱼鸟卤麦黄黾斉齐歯齿竜龙龜亀龟",
        strict=True,
    )
)
# NFKC makes 戶 and 靑 of these two, where mainland fonts draw them for 户 and 青: which is meant is not certain.
_TWO_FACED = "⼾⾭"
_RADICALS = str.maketrans(
    {
        chr(code): unicodedata.normalize("NFKC", chr(code))
        for code in range(0x2F00, 0x2FD6)
        if chr(code) not in _TWO_FACED
    }
    | _SUPPLEMENT
)
_COMPATIBILITY = re.compile("[\uf900-\ufaff\U0002f800-\U0002fa1f]")

# The dot in a name is U+00B7; these are what keyboards and conversions put in its place.
_DOTS = re.compile(
    "[.\u02d9\u0387\u16eb\u1427\u2022\u2024\u2027\u2218\u2219\u22c5\u2e31\u2e33\u30fb\u318d\ufe52\uff0e\uff65]"
)

RADICALS: Step = ("radicals", lambda text: text.translate(_RADICALS))
COMPATIBILITY: Step = (
    "compatibility",
    lambda text: _COMPATIBILITY.sub(lambda char: unicodedata.normalize("NFKC", char[0]), text),
)
DOTS: Step = ("dots", lambda text: _DOTS.sub("·", text))

_STEPS: tuple[Step, ...] = (*CLEANING, SPACES, RADICALS, COMPATIBILITY, DOTS)
_STEPS_LATIN: tuple[Step, ...] = (
    *CLEANING,
    SINGLE_BLANKS,
    ("compatibility", lambda text: unicodedata.normalize("NFC", text)),
)

_PLAIN = re.compile("[\u4e00-\u9fff]+")  # nothing to fold: nearly every name
_NAME = re.compile(f"[{HAN}]+(?:·[{HAN}]+)*")
_LETTERS = "A-Za-zÀ-ÖØ-öø-ſ"
_LATIN = re.compile(f"[{_LETTERS}]+(?:(?:[-'’]|[.]? |, )[{_LETTERS}]+)*[.]?")
_FIRST = re.compile(f"[{HAN}]")
_STRANGE = re.compile(f"[^{HAN}·]+")

# the hundred commonest, with their traditional forms; a name that begins otherwise is not judged by them
_COMMON_SURNAMES = frozenset(
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭何林高罗郑梁谢宋唐许韩邓冯曹彭曾肖田董潘袁蔡蒋余于杜叶程魏苏吕丁任卢姚沈钟姜崔"
    "谭陆范汪廖石金韦贾夏付方邹熊白孟秦邱侯江尹薛闫段雷龙黎史陶贺毛郝顾龚邵万覃武钱戴严莫孔向常"
    "張劉陳楊黃趙吳孫馬羅鄭謝許韓鄧馮盧蘇呂鍾譚陸韋賈鄒龍賀顧錢嚴蕭葉蔣"
)
_PAIRS = (
    "欧阳上官司马诸葛司徒东方独孤南宫万俟闻人夏侯尉迟公羊澹台公冶宗政濮阳淳于单于太叔申屠公孙仲孙轩辕令狐钟离宇文长孙慕容鲜于"
    "闾丘司空呼延端木皇甫拓跋百里东郭南门西门第五歐陽司馬諸葛東方尉遲公孫鍾離長孫"
)
COMPOUND_SURNAMES = frozenset(_PAIRS[index : index + 2] for index in range(0, len(_PAIRS), 2))

_TITLE = (
    "副?主任(?:医师|护师|药师|技师)?|(?:主治|住院|执业|助理|执业助理|全科)?医师|医生|医士|大夫|护士长?|主?管?护师"
    "|副?教授|讲师|副?院长|副?[科处所站队组]长|书记|老师|先生|女士|小姐|专家|返聘|退休|离职|离岗|停用|作废|外聘|规培|实习生?"
)
_DEPARTMENT = (
    "(?:内|外|妇|儿|产|骨|眼|牙|口腔|皮肤|中医|急诊|检验|放射|麻醉|影像|超声|药剂|病理|康复|妇产|肿瘤|感染|传染|耳鼻喉|消化|呼吸"
    "|心血管|神经|血液|风湿|内分泌|老年病?|泌尿|骨伤|针灸|推拿|理疗|营养|输血|介入|核医学|体检|疼痛|精神|重症医学|全科医学|信息)科"
    "|门诊部?|急诊室?|护理部|医务[科处部]|办公室|手术室|检验室|药房|病房|信息中心"
)
_SUFFIX = re.compile(rf"(?<=.)(?:{_TITLE}|{_DEPARTMENT})\Z|(?<=..)(?:博士|硕士|药师|技师|在职)\Z")
_SEPARATE_WORD = re.compile(
    rf"{_TITLE}|{_DEPARTMENT}|博士|硕士|药师|技师|在职|在岗|进修|实习|休假|新增?|新入职|男|女|同志"
)
_NO_NAME = re.compile(
    rf"{_TITLE}|{_DEPARTMENT}|博士|硕士|药师|技师"
    "|(?:医生|医师|人员|职工|真实)?姓名|名字|[小合总共]计|测试|样例|示例|举例|例如?|待[招聘]|待入职|待分配|无名|签[名字章]|审核"
    "|制表|家属|患者|病人|本人|全体|其[他它]|同[上前]|以上|备注|说明|新增|在职|男|女"
)
_BRACKETED = re.compile(r"[(\[{<〔【〈《「『].*|[)\]}>〕】〉》」』]")
# 某 hides a name, 囗 is drawn where a character was lost; both are Han characters
_HIDDEN = re.compile("某+|囗")
_TWICE = re.compile(r"(..+)\1")
_LONGEST_HAN = 4  # characters of a Han name: a longer one with a space in it most likely lost its dot


def normalise_name(text: str, *, latin: bool = False) -> tuple[str, tuple[Change, ...]]:
    """Return the name as it is checked and sent, and every step that altered it; idempotent."""
    if _PLAIN.fullmatch(text):
        return text, ()
    return apply_steps(Field.NAME, text, _STEPS_LATIN if latin else _STEPS)


def read_name(cell: Cell | None, address: str | None, *, latin: bool = False) -> FieldResult[str]:
    """Read the name; ``why`` of a refusal names the piece that does not belong there.

    ``latin``: the row's card is one that foreigners hold.
    """
    text = get_text(cell)
    name, changes = normalise_name(text, latin=latin)
    if not (latin and _LATIN.fullmatch(name) and cell is not None and cell.kind is CellKind.TEXT):
        latin = False
        name, changes = normalise_name(text)
    if is_placeholder(name):
        return FieldResult(None, (build_problem("NAME_MISSING", Field.NAME, address),))
    why = _get_objection(name, changes, latin=latin)
    if why is None and not changes:
        return FieldResult(name)
    written = quote_text(text)
    if why is not None:
        return FieldResult(
            None, (build_problem("NAME_INVALID", Field.NAME, address, found=written, why=why),)
        )
    normalised = build_problem("NAME_NORMALISED", Field.NAME, address, found=written, used=name)
    return FieldResult(name, (normalised,), changes)


def is_surely_other_name(text: str, name: str) -> bool:
    """Return whether a text that is no name is certainly not this name with something added, masked or lost.

    李四（返聘） is not 张三; 张三（返聘）, 张*, *三 and zhangsan may be.
    """
    first = _FIRST.search(text)
    return first is not None and first[0] not in name and name not in drop_spaces(text)


def _get_objection(name: str, changes: tuple[Change, ...], *, latin: bool) -> str | None:
    """Return what keeps a normalised name from being one, None if it is a name."""
    if not latin:
        if piece := _get_remark(name):
            return make_message("name.contains", piece=quote_text(piece))
        if strange := _STRANGE.findall(name):
            listed = clip_text(" ".join(quote_text(piece) for piece in dict.fromkeys(strange)), 40)
            return make_message("name.contains", piece=listed)
        if not _NAME.fullmatch(name):
            return make_message("name.contains", piece="·")
        spaced = next((change.before for change in changes if change.why == SPACES[0]), "")
        if piece := _get_second_part(name, spaced.split()):
            return make_message("name.contains", piece=piece)
    if not SHORTEST <= len(name) <= LONGEST:
        return make_message("name.length", length=len(name), least=SHORTEST, most=LONGEST)
    return None


def _get_remark(name: str) -> str | None:
    """Return the piece of a normalised name that is none, or the name if it is written twice."""
    matches = (_BRACKETED.search(name), _NO_NAME.fullmatch(name), _SUFFIX.search(name), _HIDDEN.search(name))
    if piece := next(filter(None, matches), None):
        return piece[0]
    twice = _TWICE.fullmatch(name)
    return f"{twice[1]} × 2" if twice and _begins_with_surname(name) else None


def _get_second_part(name: str, parts: Sequence[str]) -> str | None:
    """Return the evidence that spaces in a cell separate more than one name; None if they only spread one name.

    ``name`` is normalised, ``parts`` are the words of the cell that white space separates.
    """
    if "·" in name or all(len(part) == 1 for part in parts):  # 张 三: spread to fill a column
        return None
    for part in parts[1:]:
        if _SEPARATE_WORD.fullmatch(part):
            return part
    words = [part for part in parts if len(part) > 1]
    if len(words) < 2 or parts[0] in COMPOUND_SURNAMES:  # one word: 王 小明
        return None
    if all(map(_begins_with_surname, words)):
        return " + ".join(parts)
    return f"{' · '.join(parts)} ?" if len(name) > _LONGEST_HAN else None


def _begins_with_surname(text: str) -> bool:
    """Return whether the text starts with a common surname that something follows."""
    return (text[:1] in _COMMON_SURNAMES and len(text) > 1) or text[:2] in COMPOUND_SURNAMES
