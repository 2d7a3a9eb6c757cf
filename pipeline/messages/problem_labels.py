"""The short name of every code of ours and of every field, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.fields import FIELDS

# code -> what is counted in the Summary, where the catalogue's whole sentence would be too long
LABELS: Mapping[str, tuple[str, str]] = {
    "FILE_ENCRYPTED": ("文件有打开密码", "File with a password"),
    "FILE_FORMAT": ("文件格式不能读", "Unreadable file format"),
    "FILE_NOT_READ": ("文件没有读成", "File not read"),
    "FILE_CORRUPT": ("文件已损坏", "Damaged file"),
    "FILE_EMPTY": ("文件是空的", "Empty file"),
    "FILE_TOO_LARGE": ("文件过大", "File too large"),
    "FILE_SUSPICIOUS": ("文件内容可疑", "Suspicious file"),
    "FILE_ENCODING": ("文字编码无法识别", "Unknown text encoding"),
    "HEADER_NOT_FOUND": ("找不到表头", "No header row"),
    "HEADER_AMBIGUOUS": ("表头有重复的列", "Ambiguous header"),
    "COLUMN_MISSING": ("缺少必需的列", "Column missing"),
    "ROW_DUPLICATE": ("同一人出现多行", "One person on several rows"),
    "FORMULA_ERROR": ("单元格是公式错误", "Formula error in a cell"),
    "FORMULA_NO_VALUE": ("公式没有计算结果", "Formula without a value"),
    "ROW_HIDDEN": ("隐藏的行也已读取", "Hidden row was read"),
    "ROW_SUPERSEDED": ("已由修改行代替", "Replaced by a corrected row"),
    "REVIEW_WRONG": ("核对时判为错误", "Judged wrong in review"),
    "REVIEW_MISSING": ("尚未核对", "Not reviewed yet"),
    "VALUE_INVALID": ("单元格的写法不认识", "Value not understood"),
    "ROW_NOT_PROCESSED": ("程序处理出错", "Failed in the program"),
    "CONTENT_CHANGED": ("内容与已有印章不同", "Differs from the seal that exists"),
    "PERSON_POSSIBLY_SAME": ("可能与他人是同一人", "Possibly the same person"),
    "NAME_MISSING": ("姓名为空", "Name missing"),
    "NAME_INVALID": ("姓名不能用", "Name cannot be used"),
    "NAME_NORMALISED": ("姓名已规范", "Name normalised"),
    "ID_MISSING": ("证件号码为空", "Identity number missing"),
    "ID_LENGTH": ("证件号码位数不对", "Identity number: wrong length"),
    "ID_CHAR": ("证件号码含有错误字符", "Identity number: wrong character"),
    "ID_FORMAT": ("证件号码格式不对", "Identity number: wrong form"),
    "ID_15_DIGIT": ("15 位旧身份证号", "Old 15-digit number"),
    "ID_CHECKSUM": ("证件号码有一位写错", "Identity number: a digit is mistyped"),
    "ID_BIRTH": ("证件号码的出生日期不对", "Identity number: impossible birth date"),
    "ID_AGE": ("证件显示的年龄不对", "Identity number: age out of range"),
    "ID_REGION": ("证件号码的省份代码不存在", "Identity number: no such province"),
    "ID_PRECISION_LOST": ("证件号码被 Excel 损坏", "Identity number damaged by Excel"),
    "ID_TYPE_INFERRED": ("证件类型按号码判断", "Card type inferred"),
    "ID_TYPE_MISMATCH": ("证件类型与号码不符", "Card type does not fit the number"),
    "ID_TYPE_UNSUPPORTED": ("证件类型不能办理", "Card type not supported"),
    "ID_NAME_CONFLICT": ("同一证件号码有两个姓名", "One number with two names"),
    "MOBILE_MISSING": ("手机号为空", "Mobile missing"),
    "MOBILE_INVALID": ("手机号不对", "Mobile invalid"),
    "MOBILE_AMBIGUOUS": ("一格里有两个手机号", "Two mobiles in one cell"),
    "MOBILE_DUPLICATE": ("手机号与他人相同", "Mobile shared with somebody"),
    "SEAL_NAME_LENGTH": ("印章名称长度不对", "Seal name: wrong length"),
    "SEAL_NAME_CHARS": ("印章名称含有不能用的字符", "Seal name: wrong character"),
    "SEAL_NAME_DUPLICATE": ("印章名称已属于他人", "Seal name is taken"),
    "SEAL_NAME_FROZEN": ("沿用已有的印章名称", "Earlier seal name kept"),
    "IMAGE_MISSING": ("找不到印章图片", "No seal picture"),
    "IMAGE_AMBIGUOUS": ("有多张可能的图片", "Several possible pictures"),
    "IMAGE_CORRUPT": ("图片已损坏", "Damaged picture"),
    "IMAGE_FORMAT": ("图片格式不能用", "Picture format not usable"),
    "IMAGE_NOT_READ": ("图片暂时读不到", "Picture not read this time"),
    "IMAGE_CONVERTED": ("图片已转换格式", "Picture converted"),
    "IMAGE_BLANK": ("图片是空白的", "Blank picture"),
    "IMAGE_TOO_SMALL": ("图片太小", "Picture too small"),
    "IMAGE_TOO_LARGE": ("图片过大", "Picture too large"),
    "IMAGE_TOO_LARGE_FIXABLE": ("图片过大，已缩小", "Large picture, brought down"),
    "IMAGE_SHARED": ("两人用了同一张图片", "One picture for two people"),
    "IMAGE_NAME_FUZZY": ("图片文件名与预期略有不同", "Picture name slightly different"),
    "IMAGE_NAME_MISMATCH": ("图片上的姓名不是此人", "Picture shows another name"),
    "IMAGE_DUPLICATE_FILE": ("同一张图片有多个文件", "Same picture more than once"),
    "IMAGE_PATH_REJECTED": ("图片列的写法不被接受", "Picture entry not accepted"),
}

FIELD_WORDS: Mapping[str, tuple[str, str]] = {name: entry.words for name, entry in FIELDS.items()}


def field_word(field: str, language: str) -> str:
    """Return a field as people read it."""
    zh, en = FIELD_WORDS.get(field, (field, field))
    return zh if language == "zh" else en
