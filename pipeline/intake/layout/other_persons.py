"""Finds the columns of a header that are another person's, although their own titles do not name that person.

家属姓名 | 联系电话: the telephone is the relative's. A title that is the name of another person, or a relation to one,
begins that person's columns: identity numbers, card types and mobiles after it are not the doctor's. They end at a title
that is surely the doctor's (工号, 科室, 印章, 职称, 本人手机号), at a title of the user's ``columns``, where another group
begins, and at the next title of a name. Only behind a relation alone (与本人关系 | 姓名) a second name is that person's.

A title that names person and thing together (家属电话, 紧急联系电话) begins nothing: bare titles after it are the doctor's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from pipeline.domain.roster import Field

_PERSONS = (
    "家属|亲属|家人|家庭成员|配偶|爱人|丈夫|妻子|父亲|母亲|父母|子女|儿子|女儿|监护人|紧急联[系络]|应急联[系络]|联[系络]人"
    "|患者|病人|就诊人|推荐人|介绍人|担保人|保证人|填[表报]人|经办人|审核人|复核人|负责人|法人|法定代表人|代办人|代理人|委托人|见证人"
    "|带教(?:老师|教师|医[师生])?|导师|指导(?:老师|教师)|上级医[师生]|科室?主任|(?:开单|主诊|经治|管床|责任|接诊|会诊|送检|手术|见证)医[师生]"
    "|emergencycontact|nextofkin|contactperson|guardian|relative|spouse|father|mother|husband|wife|patient|guarantor|mentor|tutor"
)
# 紧急联系人1, 配偶信息, Contact name, 姓名（家属）; not 手机号（家属）
_NAMES_OTHER = re.compile(
    r"\A(?!.*(?:电话|手机|号|证件|身份|地址|住址|方式|邮箱|phone|mobile|number|mail))"
    rf"(?:.*(?:{_PERSONS})|contact)(?:的?姓名|名字|名|人|信息|fullname|name)*[0-9一二三四]?\Z"
)
_ABOUT_OTHER = re.compile(_PERSONS)
_RELATION = re.compile(
    r"(?:与|和|同)?(?:本人|医[师生]|职工|员工|持证人)?的?(?:亲属)?关系|.*人关系|称谓|relation(?:ship)?(?:to.*)?"
)
_ABOUT_DOCTOR = re.compile(
    r"\A(?:医[师生护]|人员|职工|员工|用户|本人|个人|doctor|physician|staff|employee)|职称|执业|资格|处方|岗位|入职|聘用"
)
_OF_ANYBODY = frozenset({Field.NUMBER, Field.ID_TYPE, Field.MOBILE})


class ColumnTitle(NamedTuple):
    """A title as this module looks at it."""

    column: int
    text: str  # folded
    field: Field | None
    is_configured: bool  # by the user's ``columns``
    groups: tuple[str, ...] = ()


def list_other_columns(titles: Iterable[ColumnTitle]) -> dict[int, int]:
    """Return the columns that are another person's, each with the column where that person's begin."""
    others: dict[int, int] = {}
    first: int | None = None  # of the other person's columns
    has_name = has_own_name = False  # of the other person, of the doctor
    groups: tuple[str, ...] = ()
    for title in sorted(titles):
        if title.groups != groups:
            first, groups = None, title.groups
        if title.field is Field.NAME and first is not None and has_own_name and not has_name:
            others[title.column] = first
            has_name = True
        elif title.field is Field.NAME:
            first, has_own_name = None, True
        elif title.field is None and _NAMES_OTHER.search(title.text):
            first, has_name = title.column, True
        elif title.field is None and _RELATION.fullmatch(title.text):
            has_name = has_name and first is not None
            first = title.column if first is None else first
        elif _ends_other_person(title):
            first = None
        elif title.field and first is not None:
            others[title.column] = first
    return others


def _ends_other_person(title: ColumnTitle) -> bool:
    if title.field is None:
        return bool(_ABOUT_DOCTOR.search(title.text)) and not _ABOUT_OTHER.search(title.text)
    return title.is_configured or title.field not in _OF_ANYBODY or bool(_ABOUT_DOCTOR.search(title.text))
