"""Reads the cells that are judged by their own text: short texts, the mobile, and those that hold one of a few words.

Staff number and department are not sent: they find pictures and distinguish namesakes. A value that cannot be one is
none, without a problem: no row is rejected for them. A seal name has 1 to 50 Chinese characters (the API's 中文字符). A
mobile has eleven digits that begin with 13 to 19, in any of the forms that rosters give it. The words of card type,
yes or no and licence are looked up exactly after width, case and spaces; one that is not listed is never guessed
at. `READERS` at the end lists the rules of every field.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pipeline.domain.roster import CardType, Cell, CellKind, Change, Field, Problem, Row, Severity
from pipeline.intake.fields.normalize import (
    CLEANING,
    ENDS,
    FORMULA_TEXT,
    HAN,
    INVISIBLE,
    QUOTES,
    SINGLE_BLANKS,
    SPACES,
    FieldResult,
    Step,
    apply_steps,
    clip_text,
    drop_invisible,
    drop_spaces,
    fold_width,
    get_text,
    is_placeholder,
    keep_groups,
    list_characters,
    quote_text,
    read_whole_number,
    spell_invisible,
    strip_quotes,
    trim_ends,
)
from pipeline.intake.fields.person_name import COMPATIBILITY, DOTS, RADICALS, read_name
from pipeline.messages.problems import build_problem

T = TypeVar("T")

LONGEST = 50  # code points of a seal name

# --- short texts

_PLAIN = re.compile("[0-9A-Za-z\u4e00-\u9fff]+")  # nothing to take off: nearly every value
_FLOAT = re.compile(r"([1-9][0-9]{0,14})\.0+")  # 1001.0: a text file that a program wrote from numbers
_EXPONENT = re.compile(r"[0-9][.][0-9]+E[+][0-9]+", re.IGNORECASE)  # of the number only its size is left
_STRANGE = re.compile(f"[^{HAN}·〇]")  # the Chinese digits are Han characters but for 〇
_STRANGE_WITH_ASCII = f"[^{HAN}·〇 -~]"  # compiled only where seal_name_ascii allows them

_STAFF_NO_STEPS: tuple[Step, ...] = (*CLEANING, ENDS, keep_groups("float", _FLOAT))
_DEPARTMENT_STEPS: tuple[Step, ...] = (INVISIBLE, FORMULA_TEXT, QUOTES, ENDS)
_SEAL_NAME_STEPS: tuple[Step, ...] = (*_DEPARTMENT_STEPS, RADICALS, COMPATIBILITY)


def read_staff_no(cell: Cell | None) -> FieldResult[str]:
    """Read the staff number as its format shows it, leading zeros included; a date that Excel made of it is none."""
    if cell is None or cell.kind in (CellKind.DATE, CellKind.BOOL):
        return FieldResult(None)
    result = _read_text(Field.STAFF_NO, cell, _STAFF_NO_STEPS)
    return FieldResult(None) if result.value and _EXPONENT.fullmatch(result.value) else result


def read_department(cell: Cell | None) -> FieldResult[str]:
    return _read_text(Field.DEPARTMENT, cell, _DEPARTMENT_STEPS)


def _read_text(field: Field, cell: Cell | None, steps: tuple[Step, ...]) -> FieldResult[str]:
    text = get_text(cell)
    if is_placeholder(text):
        return FieldResult(None)
    if _PLAIN.fullmatch(text):
        return FieldResult(text)
    value, changes = apply_steps(field, text, steps)
    return FieldResult(value, (), changes) if value else FieldResult(None)


def read_seal_name(cell: Cell | None, address: str | None, *, ascii_allowed: bool) -> FieldResult[str]:
    """Read the roster's own seal name; a blank cell gives no value.

    Invisible characters and blanks are taken off, as in a doctor's name (张　伟 医师章); next to ASCII characters, where
    those are allowed, single blanks stay. Width and brackets are left as the roster wants them, and refused where they
    are not allowed.
    """
    text = get_text(cell)
    if is_placeholder(text):
        return FieldResult(None)
    steps = (*_SEAL_NAME_STEPS, SINGLE_BLANKS) if ascii_allowed else (*_SEAL_NAME_STEPS, SPACES, DOTS)
    name, changes = apply_steps(Field.SEAL_NAME, text, steps)
    problems = check_seal_name(name, address, ascii_allowed=ascii_allowed)
    return FieldResult(None, problems) if problems else FieldResult(name, (), changes)


def check_seal_name(name: str, address: str | None, *, ascii_allowed: bool) -> tuple[Problem, ...]:
    """Return the problems of a seal name that is to be sent, the roster's own or one made by a template."""
    problems: list[Problem] = []
    if not 1 <= len(name) <= LONGEST:
        problems.append(
            build_problem(
                "SEAL_NAME_LENGTH", Field.SEAL_NAME, address, found=quote_text(name), length=len(name)
            )
        )
    if strange := (re.compile(_STRANGE_WITH_ASCII) if ascii_allowed else _STRANGE).findall(name):
        bad = list_characters(strange)
        problems.append(
            build_problem("SEAL_NAME_CHARS", Field.SEAL_NAME, address, found=quote_text(name), bad=bad)
        )
    return tuple(problems)


# --- the mobile

MOBILE_DIGITS = 11
_MOBILE = re.compile(r"1[3-9][0-9]{9}")
_SEVERAL = re.compile(r"(?:1[3-9][0-9]{9}){2,}")
_MOBILE_FLOAT = re.compile(r"([0-9]{11}|86[0-9]{11})\.0+")
_THOUSANDS = re.compile(
    r"([0-9]{2}),([0-9]{3}),([0-9]{3}),([0-9]{3})(?:\.0+)?"
)  # how a number format shows it
_SIGN = "[-‐‑‒–—−.·_/]"
_COUNTRY = re.compile(
    rf"(?:[(\[]\+?86[)\]]|\+?86|0086){_SIGN}?(1(?:{_SIGN}?[0-9]){{10}}|\([0-9]{{3}}\){_SIGN}?[0-9]{{4}}{_SIGN}?[0-9]{{4}})"
)
# Signs only where people group digits: 1380013800.0 is a damaged number, not eleven digits with a dot in them.
_GROUPS = re.compile(
    rf"([0-9]{{3,4}}){_SIGN}([0-9]{{3,4}}){_SIGN}([0-9]{{3,5}})|([0-9]{{3}}){_SIGN}([0-9]{{8}})"
    rf"|\(([0-9]{{3}})\){_SIGN}?([0-9]{{4}}){_SIGN}?([0-9]{{4}})"
)
_LABEL = re.compile(
    r"\A(?:联系电话|移动电话|手机号?码?|电话号?码?|tel|mobile|phone|[☎☏📱✆])[:.]?(?=[+(0-9])", re.IGNORECASE
)
_END = re.compile(r"(?<=[0-9])[,;、。.]+\Z")  # of a list that has one entry
_BETWEEN = re.compile(r"[/\\、,;|&+和或\r\n]+")
_TWICE = re.compile(r"(1[3-9][0-9]{9})(?:[/、,;|]?\1)+")
_ZEROS = re.compile(r"0+(?:\.0+)?")  # a text: what a program writes for a blank


_MOBILE_STEPS: tuple[Step, ...] = (
    *CLEANING,
    SPACES,
    ("label", lambda text: _LABEL.sub("", text)),
    ("punctuation", lambda text: _END.sub("", text)),
    keep_groups("float", _MOBILE_FLOAT),
    keep_groups("thousands", _THOUSANDS),
    keep_groups("country", _COUNTRY),
    keep_groups("grouping", _GROUPS),
    keep_groups("twice", _TWICE),
)


def normalise_mobile(text: str) -> tuple[str, tuple[Change, ...]]:
    """Return the mobile as it is judged and sent, and every step that altered it; idempotent."""
    return (text, ()) if _MOBILE.fullmatch(text) else apply_steps(Field.MOBILE, text, _MOBILE_STEPS)


def read_mobile(cell: Cell | None, address: str | None, *, auto_sign: bool) -> FieldResult[str]:
    """Read the mobile; a missing one is an error only where auto-sign is to be opened.

    The number 0 is no missing mobile: in several formats it is all that is left of a formula that was never computed.
    """
    whole = read_whole_number(cell)
    text = get_text(cell) if whole is None else str(whole)
    is_number = cell is not None and cell.kind is CellKind.NUMBER
    if is_placeholder(text) or (_ZEROS.fullmatch(text) and not is_number):
        severity: Severity = "error" if auto_sign else "warning"
        return FieldResult(None, (build_problem("MOBILE_MISSING", Field.MOBILE, address, severity=severity),))
    mobile, changes = normalise_mobile(text)
    if _MOBILE.fullmatch(mobile):
        return FieldResult(mobile, (), changes)
    if _SEVERAL.fullmatch(mobile) or _holds_several(text):
        return FieldResult(None, (build_problem("MOBILE_AMBIGUOUS", Field.MOBILE, address),))
    hidden = spell_invisible(_mask_digits(clip_text(trim_ends(text), 40)))
    reason: dict[str, Any] = {}
    if mobile.isdecimal():
        reason = {"length": len(mobile)} if len(mobile) != MOBILE_DIGITS else {"start": "yes"}
    return FieldResult(
        None, (build_problem("MOBILE_INVALID", Field.MOBILE, address, found=hidden, **reason),)
    )


def _holds_several(text: str) -> bool:
    """Return whether the text holds two telephone numbers, separated by a sign or each a mobile of its own."""
    plain = fold_width(drop_invisible(text))
    parts = [part for part in _BETWEEN.split(plain) if len(re.sub(r"\D", "", part)) >= 7]
    return len(parts) > 1 or len(re.findall(r"(?<![0-9])(?:86)?1[3-9][0-9]{9}(?![0-9])", plain)) > 1


def _mask_digits(text: str) -> str:
    """Keep three digits and the last four, as everywhere outside the marked copies."""
    indices = [index for index, char in enumerate(text) if char.isdigit()]
    hidden = set(indices[3:-4])
    return "".join("*" if index in hidden else char for index, char in enumerate(text))


# --- one of a few words

_BRACKETS = re.compile(r"\([^()]*\)")
# 01居民身份证, 1-身份证: hospital systems put their code before it
_CODE = re.compile(r"\A[0-9]{1,2}[-.、:_]?(?=[^0-9])")
_SIMPLE = str.maketrans("證証來內陸臺灣護軍國號碼門簽電處開啟許", "证证来内陆台湾护军国号码门签电处开启许")


def fold_word(text: str) -> str:
    """Return the text as it is looked up: NFKC, lower case, simplified, no spaces, quotes and invisible characters."""
    plain = strip_quotes(drop_spaces(drop_invisible(unicodedata.normalize("NFKC", text))))
    return plain.rstrip(":").casefold().translate(_SIMPLE)


def _index_words(words: Mapping[T, str]) -> Mapping[str, T]:
    return {fold_word(name): value for value, names in words.items() for name in names.split()}


# Permits differ from residence permits (…居住证) by their exact words alone; 往来港澳通行证 is what mainland
# people travel with and no card that proves an identity here.
CARD_TYPES = _index_words(
    {
        CardType.ID_CARD: """
            ID_CARD IDCARD ID-CARD ID 身份证 身份证号 身份证号码 身份证件 身分证 公民身份证 公民身份号码 居民身份证 居民身份证号
            居民身份证号码 中国身份证 中国居民身份证 中华人民共和国居民身份证 大陆居民身份证 内地居民身份证
            大陆身份证 内地身份证 二代身份证 第二代身份证 二代居民身份证 第二代居民身份证 二代证 临时身份证 临时居民身份证
            ResidentIdentityCard IdentityCard
        """,
        CardType.HONGKONG_AND_MACAO: """
            HONGKONG_AND_MACAO 港澳居民来往内地通行证 港澳居民往来内地通行证 港澳居民来往大陆通行证 港澳来往内地通行证
            港澳往来内地通行证 香港居民来往内地通行证 澳门居民来往内地通行证 港澳台居民来往内地通行证 港澳台通行证 港澳居民通行证 港澳通行证 来往内地通行证 回乡证 港澳回乡证
            MainlandTravelPermit MainlandTravelPermitForHongKongAndMacaoResidents
        """,
        CardType.HONGKONG_MACAO_AND_TAIWAN: """
            HONGKONG_MACAO_AND_TAIWAN 港澳台居民居住证 港澳台居住证 港澳居民居住证 港澳居住证 台湾居民居住证 台湾居住证
            香港居民居住证 澳门居民居住证 居住证
            ResidencePermit ResidencePermitForHongKongMacaoAndTaiwanResidents
        """,
        CardType.OTHER_CARD_TYPE: """
            OTHER_CARD_TYPE OTHER 其他 其它 其他证件 其它证件 其他证件类型 护照 中国护照 外国护照 普通护照 PASSPORT
            护照号 护照号码 台胞证 台湾居民来往大陆通行证 台湾居民来往内地通行证 台湾通行证 军官证 士兵证 士官证 文职干部证 警官证
            人民警察证 外国人永久居留证 外国人永久居留身份证 外国人居留证 外国人居留许可
        """,
    }
)

YES_NO = _index_words(
    {
        True: "是 有 开 开通 启用 需要 要 对 真 √ ✓ ✔ true yes y t on 1",
        False: "否 无 关 不开通 未开通 关闭 停用 不需要 不要 错 假 × ✗ ✕ ✘ false no n f off 0",
    }
)
# 0 binds a paid personal licence, which cannot be taken back: a bare 是 or 有 is not word enough.
LICENSES = _index_words(
    {0: "0 绑定 绑定许可 绑定个人许可 扣减许可", 1: "1 不绑定 不绑定许可 不绑定个人许可 不扣减许可"}
)
# the words of a field, and what a message calls them
CHOICES: Mapping[Field, tuple[Mapping[str, object], str]] = {
    Field.ENABLE_AUTO_SIGN: (YES_NO, "是 / 否, true / false, 1 / 0"),
    Field.LICENSE_TYPE: (LICENSES, "0 (绑定), 1 (不绑定)"),
}


def read_card_type(cell: Cell | None, address: str | None, *, allow_other: bool) -> FieldResult[CardType]:
    """Read IdCardType; a blank cell gives no value and no problem: the card type then follows from the number.

    OTHER_CARD_TYPE is open to accounts on Tencent's white list alone: without ``allow_other`` it is refused, and
    so is every word that is no card's name.
    """
    text = trim_ends(get_text(cell))
    if is_placeholder(text):
        return FieldResult(None)
    key = fold_word(text)
    bare = _BRACKETS.sub("", key)
    spellings = (key, bare, _CODE.sub("", bare))
    chosen = next((CARD_TYPES[spelling] for spelling in spellings if spelling in CARD_TYPES), None)
    if chosen is None or (chosen is CardType.OTHER_CARD_TYPE and not allow_other):
        return FieldResult(
            None, (build_problem("ID_TYPE_UNSUPPORTED", Field.ID_TYPE, address, found=quote_text(text)),)
        )
    return FieldResult(chosen)


def read_choice(field: Field, cell: Cell | None, address: str | None) -> FieldResult[object]:
    """Read the cell of one of `CHOICES`; a blank one gives no value."""
    words, expected = CHOICES[field]
    if words is YES_NO and cell is not None and cell.kind is CellKind.BOOL:
        return FieldResult(bool(cell.value))
    text = trim_ends(get_text(cell))
    if not text:
        return FieldResult(None)
    word, whole = fold_word(text), read_whole_number(cell)
    if word not in words and whole is not None:
        word = str(whole)  # behind a format such as 1.00
    if word not in words:
        return FieldResult(None, (refuse_value(field, cell, address, expected=expected),))
    return FieldResult(words[word])


def refuse_value(
    field: Field, cell: Cell | None, address: str | None, severity: Severity = "error", **detail: str
) -> Problem:
    """Return the problem of a value that its field does not take; ``detail`` fills its sentence further."""
    label = cell.header if cell is not None else field.value
    detail = {"found": quote_text(get_text(cell)), "field": label, **detail}
    return Problem("VALUE_INVALID", severity, field, address, detail)


# --- the rules of all fields


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSettings:
    """The settings of the fields in the configuration."""

    scene_key: str | None  # of every doctor
    defaults: Mapping[Field, object]  # the value of a field whose cell is blank
    allow_other_card_type: bool
    seal_name_ascii: bool = False
    accepted_parameters: Collection[str]  # the optional parameters of the configured API contract


@dataclass(frozen=True, slots=True)
class FieldContext:
    """What the rules of a field may look at, apart from its own cell."""

    row: Row
    settings: FieldSettings
    results: Mapping[Field, FieldResult[Any]]  # of the fields that were read before

    def is_foreign_card(self) -> bool:
        """Return whether the row names a card that foreigners hold, and such cards are open."""
        if not self.settings.allow_other_card_type:
            return False
        cell = self.row.fields.get(Field.ID_TYPE)
        return read_card_type(cell, None, allow_other=True).value is CardType.OTHER_CARD_TYPE

    def opens_auto_sign(self) -> bool:
        """Return whether the row's create opens auto-sign."""
        return self.results[Field.ENABLE_AUTO_SIGN].value is True


FieldReader = Callable[[Cell | None, str | None, FieldContext], FieldResult[Any]]

# The rules of each field, in the order in which the fields are read. Number and card type are read together before
# them (`read_identity`), the picture is matched after them (`pipeline.intake.pairing`).
READERS: Mapping[Field, FieldReader] = {
    Field.NAME: lambda cell, address, context: read_name(cell, address, latin=context.is_foreign_card()),
    Field.STAFF_NO: lambda cell, _, __: read_staff_no(cell),
    Field.DEPARTMENT: lambda cell, _, __: read_department(cell),
    Field.SEAL_NAME: lambda cell, address, context: read_seal_name(
        cell, address, ascii_allowed=context.settings.seal_name_ascii
    ),
    Field.ENABLE_AUTO_SIGN: lambda cell, address, _: read_choice(Field.ENABLE_AUTO_SIGN, cell, address),
    Field.LICENSE_TYPE: lambda cell, address, _: read_choice(Field.LICENSE_TYPE, cell, address),
    Field.MOBILE: lambda cell, address, context: read_mobile(
        cell, address, auto_sign=context.opens_auto_sign()
    ),
}
