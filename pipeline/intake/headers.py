"""Which column is which: an exact table of titles, and the search for the line that holds them.

Titles are compared after folding and never by likeness: 患者姓名 is no 姓名 (rosters.md §1.1).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.errors import FileRefused
from pipeline.intake.cells import Line, letters
from pipeline.roster import CellKind, Field

SEARCHED = 50  # lines that hold something, from the top of a sheet

ALIASES: Mapping[Field, tuple[str, ...]] = {
    Field.NAME: (
        "姓名", "医生姓名", "医师姓名", "医生名称", "医师名称", "医护姓名", "医护人员姓名", "人员姓名", "职工姓名",
        "员工姓名", "用户姓名", "真实姓名", "中文姓名", "名字", "name", "user name", "full name", "real name",
        "doctor name",
    ),
    Field.NUMBER: (
        "身份证", "身份证号", "身份证号码", "身份证件号", "身份证件号码", "身份证编号", "居民身份证", "居民身份证号",
        "居民身份证号码", "公民身份号码", "公民身份证号", "公民身份证号码", "证件号", "证件号码", "证件编号",
        "有效证件号", "有效证件号码", "id card number", "id card no", "id card", "id number", "id no",
    ),
    Field.ID_TYPE: (
        "证件类型", "证件类别", "证件种类", "身份证件类型", "身份证件种类", "有效证件类型", "id card type", "id type",
        "card type",
    ),
    Field.MOBILE: (
        "手机", "手机号", "手机号码", "本人手机", "本人手机号", "本人手机号码", "移动电话", "移动电话号码", "联系手机",
        "联系电话", "联系方式", "电话", "电话号码", "mobile", "mobile no", "mobile number", "mobile phone", "phone",
        "phone number", "cell phone",
    ),
    Field.STAFF_NO: (
        "工号", "职工号", "职工工号", "职工编号", "职工编码", "员工号", "员工工号", "员工编号", "员工编码", "人员编号",
        "人员编码", "医生工号", "医生编号", "医生编码", "医师工号", "医师编号", "医师编码", "staff no", "staff number",
        "staff id", "employee no", "employee number", "employee id", "job number",
    ),
    Field.DEPARTMENT: (
        "科室", "科室名称", "所在科室", "所属科室", "科别", "部门", "部门名称", "所在部门", "所属部门", "department",
        "department name", "dept",
    ),
    Field.SEAL_NAME: (
        "印章名称", "印章名", "章名", "电子印章名称", "签章名称", "签章名", "电子签章名称", "seal name",
    ),
    Field.PICTURE: (
        "图片", "图片文件", "图片文件名", "图片名称", "图片名", "印章图片", "印章图片文件", "印章图片文件名",
        "印章图片名称", "印章图", "印章文件", "印章照片", "签章图片", "签名图片", "签名图片文件", "签名照片",
        "手写签名", "手写签名图片", "电子签名", "电子签名图片", "照片", "picture", "picture file", "image",
        "image file", "seal image", "seal picture", "seal file", "photo",
    ),
    Field.SCENE_KEY: ("场景", "场景值", "场景标识", "业务场景", "使用场景", "自动签场景", "scene key", "scene"),
    Field.ENABLE_AUTO_SIGN: (
        "自动签", "自动签署", "授权签", "开通自动签", "开通自动签署", "开通授权签", "是否自动签", "是否开通自动签",
        "是否开通自动签署", "是否开通授权签", "enable auto sign", "auto sign",
    ),
    Field.LICENSE_TYPE: (
        "许可", "许可类型", "个人许可", "个人许可类型", "自动签许可", "自动签许可类型", "license type",
        "licence type", "license", "licence",
    ),
    Field.SEAL_IMAGE_COMPRESS: (
        "压缩", "压缩图片", "压缩印章", "压缩印章图片", "印章图片压缩", "图片压缩", "是否压缩", "是否压缩图片",
        "是否压缩印章图片", "seal image compress", "compress",
    ),
}  # fmt: skip

_BRACKETED = re.compile(
    r"[(\[{<《〈【〔「『〖][^()\[\]{}<>《》〈〉【】〔〕「」『』〖〗]*[)\]}>》〉】〕」』〗]"
)
# a bracket that makes the column another person's or another thing's stays part of the title
_ANOTHER = re.compile(
    r"家属|亲属|配偶|父|母|子女|患者|病人|紧急|联系人|推荐|介绍|担保|填表|填报|经办|审核|办公|单位|公司|有效|到期|签发|原|旧|曾用"
)
_DROPPED = re.compile(r"[\s*※★:_\-./\\'\"]")
_PERSONAL = re.compile(r"\d{6}")


def fold(title: str) -> str:
    """Return a title as it is compared: widths and case folded; space, marks, brackets with their text left out."""
    plain = "".join(
        sign for sign in unicodedata.normalize("NFKC", title) if unicodedata.category(sign) != "Cf"
    )
    without = _BRACKETED.sub(lambda bracket: bracket[0] if _ANOTHER.search(bracket[0]) else "", plain)
    return _DROPPED.sub("", without).casefold()


_BUILT_IN: Mapping[str, Field] = {fold(alias): name for name, aliases in ALIASES.items() for alias in aliases}


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The titles that mean something: the user's ``columns`` first, then the built-in ones."""

    columns: Mapping[str, Field]

    @classmethod
    def of(cls, columns: Mapping[str, str]) -> Vocabulary:
        """Make it from ``columns``: a title as written or folded -> the value of a Field."""
        return cls({fold(title): Field(name) for title, name in columns.items()})

    def places(self, line: Line) -> dict[Field, list[int]]:
        """Return the columns of a line that name each field; a title of the user's rules out built-in rivals."""
        chosen: dict[Field, list[int]] = {}
        usual: dict[Field, list[int]] = {}
        for column, cell in line.cells.items():
            if cell.kind is not CellKind.TEXT:
                continue
            title = fold(cell.shown)
            if title in self.columns:
                chosen.setdefault(self.columns[title], []).append(column)
            elif title in _BUILT_IN:
                usual.setdefault(_BUILT_IN[title], []).append(column)
        return usual | chosen

    def knows(self, title: str) -> bool:
        """Tell whether a title names a field."""
        folded = fold(title)
        return folded in self.columns or folded in _BUILT_IN


@dataclass(frozen=True, slots=True)
class Header:
    """The line of titles of a table."""

    row: int
    titles: Mapping[int, str]  # column -> as written
    places: Mapping[Field, int]


def header_of(line: Line, vocabulary: Vocabulary) -> Header | None:
    """Return the line as a header if it names a name and a number column.

    Raises FileRefused HEADER_AMBIGUOUS where two columns claim one field: nobody may guess which one counts.
    """
    places = vocabulary.places(line)
    if Field.NAME not in places or Field.NUMBER not in places:
        return None
    for name, columns in places.items():
        if len(columns) > 1:
            cells = [f"{letters(column)}{line.number}" for column in columns]
            found = ", ".join(
                f"{cell} {line.cells[column].shown}" for cell, column in zip(cells, columns, strict=True)
            )
            detail = {"row": str(line.number), "field": label(name), "found": found, "cell": cells[1]}
            raise FileRefused("HEADER_AMBIGUOUS", detail)
    titles = {column: cell.shown for column, cell in line.cells.items()}
    return Header(line.number, titles, {name: places[name][0] for name in Field if name in places})


def missing(seen: Iterable[Sequence[Line]], vocabulary: Vocabulary) -> FileRefused:
    """Return why no sheet has a header: ``seen`` are the first lines of each sheet that was read.

    The line that comes nearest tells its titles; a line with personal data is no line of titles and is not shown.
    """
    lines = [line for sheet in seen for line in sheet if not _holds_data(line)]
    nearest = max(lines, key=lambda line: (len(vocabulary.places(line)), len(line.cells) > 1), default=None)
    places = vocabulary.places(nearest) if nearest else {}
    titles = [cell.shown.strip() for cell in nearest.cells.values()] if nearest else []
    found = " | ".join(title[:20] for title in titles[:20] if title) or "—"
    lacking = [name for name in (Field.NAME, Field.NUMBER) if name not in places]
    if len(places) > 1 and len(lacking) == 1:
        return FileRefused("COLUMN_MISSING", {"field": label(lacking[0]), "found": found})
    return FileRefused("HEADER_NOT_FOUND", {"found": found})


def label(name: Field) -> str:
    """Return a field's name for a message: its first Chinese title and the word that ``columns`` takes."""
    return f"{ALIASES[name][0]} ({name})"


def _holds_data(line: Line) -> bool:
    return any(cell.kind is not CellKind.TEXT or _PERSONAL.search(cell.shown) for cell in line.cells.values())
