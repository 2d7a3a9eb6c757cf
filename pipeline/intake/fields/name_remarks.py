"""What stands in a name cell beside a name, or in its place: titles, departments, remarks, two names.

Rosters put 返聘, 主任 or 内科 behind a name; nothing here takes them off, for what is left might still not be the name
on the card. Lists are exact words; what also occurs as a given name counts only where a space sets it
apart.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.intake.fields.surnames import COMPOUND_SURNAMES, begins_like_a_name

_TITLE = (
    "副?主任(?:医师|护师|药师|技师)?|(?:主治|住院|执业|助理|执业助理|全科)?医师|医生|医士|大夫|护士长?|主?管?护师"
    "|副?教授|讲师|副?院长|副?[科处所站队组]长|书记|老师|先生|女士|小姐|专家|返聘|退休|离职|离岗|停用|作废|外聘|规培|实习生?"
)
_DEPARTMENT = (
    "(?:内|外|妇|儿|产|骨|眼|牙|口腔|皮肤|中医|急诊|检验|放射|麻醉|影像|超声|药剂|病理|康复|妇产|肿瘤|感染|传染|耳鼻喉|消化|呼吸"
    "|心血管|神经|血液|风湿|内分泌|老年病?|泌尿|骨伤|针灸|推拿|理疗|营养|输血|介入|核医学|体检|疼痛|精神|重症医学|全科医学|信息)科"
    "|门诊部?|急诊室?|护理部|医务[科处部]|办公室|手术室|检验室|药房|病房|信息中心"
)
_BEHIND = re.compile(rf"(?<=.)(?:{_TITLE}|{_DEPARTMENT})\Z|(?<=..)(?:博士|硕士|药师|技师|在职)\Z")
_APART = re.compile(
    rf"{_TITLE}|{_DEPARTMENT}|博士|硕士|药师|技师|在职|在岗|进修|实习|休假|新增?|新入职|男|女|同志"
)
_INSTEAD = re.compile(
    rf"{_TITLE}|{_DEPARTMENT}|博士|硕士|药师|技师"
    "|(?:医生|医师|人员|职工|真实)?姓名|名字|[小合总共]计|测试|样例|示例|举例|例如?|待[招聘]|待入职|待分配|无名|签[名字章]|审核"
    "|制表|家属|患者|病人|本人|全体|其[他它]|同[上前]|以上|备注|说明|新增|在职|男|女"
)
_BRACKETED = re.compile(r"[(\[{<〔【〈《「『].*|[)\]}>〕】〉》」』]")
# 某 hides a name, 囗 is drawn where a character was lost; both are Han characters
_HIDDEN = re.compile("某+|囗")
_TWICE = re.compile(r"(..+)\1")
_LONGEST_HAN = 4  # characters of a Han name: a longer one with a space in it most likely lost its dot


def find_remark(name: str) -> str | None:
    """Return the piece of a normalised name that is none, or the name twice; None where there is no such piece."""
    for found in (
        _BRACKETED.search(name),
        _INSTEAD.fullmatch(name),
        _BEHIND.search(name),
        _HIDDEN.search(name),
    ):
        if found:
            return found[0]
    twice = _TWICE.fullmatch(name)
    return f"{twice[1]} × 2" if twice and begins_like_a_name(name) else None


def find_second_part(name: str, parts: Sequence[str]) -> str | None:
    """Return what shows that the white space in a cell is more than the spreading of one name; None where nothing does.

    ``name`` is normalised, ``parts`` are the words of the cell that white space set apart.
    """
    if "·" in name or all(len(part) == 1 for part in parts):  # 张 三: set wide, as people do to fill a column
        return None
    for part in parts[1:]:
        if _APART.fullmatch(part):
            return part
    words = [part for part in parts if len(part) > 1]
    if len(words) < 2 or parts[0] in COMPOUND_SURNAMES:  # one word: 王 小明
        return None
    if all(map(begins_like_a_name, words)):
        return " + ".join(parts)
    return f"{' · '.join(parts)} ?" if len(name) > _LONGEST_HAN else None
