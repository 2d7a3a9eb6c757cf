"""Reads cells that hold one of a few words: card type, yes or no, licence, scene.

The words are looked up exactly after width, case and spaces; a word that is not listed is never guessed at.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TypeVar

from pipeline.domain.roster import CardType, Cell, CellKind, Field, Problem
from pipeline.intake.fields.normalize import (
    FieldResult,
    drop_invisible,
    drop_spaces,
    get_text,
    is_placeholder,
    quote_text,
    strip_quotes,
    trim_ends,
)
from pipeline.messages.problems import build_problem

T = TypeVar("T")

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
        """,
        CardType.HONGKONG_AND_MACAO: """
            HONGKONG_AND_MACAO 港澳居民来往内地通行证 港澳居民往来内地通行证 港澳居民来往大陆通行证 港澳来往内地通行证
            港澳往来内地通行证 香港居民来往内地通行证 澳门居民来往内地通行证 港澳台居民来往内地通行证 港澳台通行证 港澳居民通行证 港澳通行证 来往内地通行证 回乡证 港澳回乡证
        """,
        CardType.HONGKONG_MACAO_AND_TAIWAN: """
            HONGKONG_MACAO_AND_TAIWAN 港澳台居民居住证 港澳台居住证 港澳居民居住证 港澳居住证 台湾居民居住证 台湾居住证
            香港居民居住证 澳门居民居住证 居住证
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
_YES_NO_EXPECTED = "是 / 否, true / false, 1 / 0"

# 0 binds a paid personal licence, which cannot be taken back: a bare 是 or 有 is not word enough.
LICENSES = _index_words(
    {
        0: "0 绑定 绑定许可 绑定个人许可 扣减许可",
        1: "1 不绑定 不绑定许可 不绑定个人许可 不扣减许可",
    }
)
_LICENSES_EXPECTED = "0 (绑定), 1 (不绑定)"

SCENES = _index_words(
    {
        "E_PRESCRIPTION_AUTO_SIGN": """
            E_PRESCRIPTION_AUTO_SIGN 电子处方 处方 处方单 电子处方单 电子处方自动签 处方自动签 电子处方场景 处方场景
        """,
        "OTHER": "OTHER 其他 其它 其他场景 其它场景",
    }
)
_SCENES_EXPECTED = "E_PRESCRIPTION_AUTO_SIGN (电子处方), OTHER (其他)"


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


def read_yes_no(field: Field, cell: Cell | None, address: str | None) -> FieldResult[bool]:
    """Read a flag: 是, 否, true, 1 …; blank gives no value."""
    if cell is not None and cell.kind is CellKind.BOOL:
        return FieldResult(bool(cell.value))
    return _choose_value(field, cell, address, YES_NO, _YES_NO_EXPECTED)


def read_license_type(cell: Cell | None, address: str | None) -> FieldResult[int]:
    """Read LicenseType: 0 binds a personal licence, 1 binds none."""
    return _choose_value(Field.LICENSE_TYPE, cell, address, LICENSES, _LICENSES_EXPECTED)


def read_scene(cell: Cell | None, address: str | None) -> FieldResult[str]:
    """Read SceneKey."""
    return _choose_value(Field.SCENE_KEY, cell, address, SCENES, _SCENES_EXPECTED)


def _choose_value(
    field: Field, cell: Cell | None, address: str | None, table: Mapping[str, T], expected: str
) -> FieldResult[T]:
    text = trim_ends(get_text(cell))
    if not text:
        return FieldResult(None)
    for key in _list_spellings(cell, text):
        if key in table:
            return FieldResult(table[key])
    label = cell.header if cell is not None else field.value
    detail = {"found": quote_text(text), "field": label, "expected": expected}
    return FieldResult(None, (Problem("VALUE_INVALID", "error", field, address, detail),))


def _list_spellings(cell: Cell | None, text: str) -> Iterable[str]:
    """Yield the shown word, and for a number the plain integer behind a format such as ``1.00``."""
    yield fold_word(text)
    if cell is not None and cell.kind is CellKind.NUMBER:
        number = Decimal(str(cell.value))
        if number.is_finite() and number == number.to_integral_value():
            yield str(int(number))
