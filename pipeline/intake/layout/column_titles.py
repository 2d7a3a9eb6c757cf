"""The titles of columns that mean something: an exact table, and what a title is compared without.

Nothing is compared by likeness, which only suggests: 患者姓名 is no 姓名. What may be left out of a title is listed here
as well: marks, numbering, brackets that hold a remark; a bracket that makes the column another person's or another
thing's (手机号（紧急联系人）, 身份证（复印件）) stays.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from pipeline.domain.roster import Field

LONGEST = 200  # characters that a title may have, remarks included
_LONGEST_GUESSED, _GUESSES, _NEARLY = 30, 8, 0.7  # of a misspelt one; its likeness to a known title

_OWNERS = ("医生", "医师", "医护", "医护人员", "人员", "职工", "员工", "用户", "本人", "个人")
_NUMBERS = (
    "身份证", "身份证号", "身份证号码", "身份证件号", "身份证件号码", "身份证编号", "身份证字号", "居民身份证",
    "居民身份证号", "居民身份证号码", "居民身份证件号码", "二代身份证号", "二代身份证号码", "公民身份号码",
    "公民身份证号", "公民身份证号码", "身份号码", "身份证明号码",
)  # fmt: skip
_SEALS = (
    "印章",
    "电子印章",
    "个人印章",
    "签章",
    "电子签章",
    "个人签章",
    "签名",
    "电子签名",
    "手写签名",
    "印模",
    "章",
)
_IMAGES = (
    "图片",
    "图像",
    "图",
    "图样",
    "图案",
    "图片文件",
    "图片文件名",
    "图片名称",
    "图片名",
    "文件",
    "文件名",
    "照片",
)

# field -> its titles, the plainest first. Where two columns of one line claim a field, the earlier tier wins: 手机号
# beside 联系电话, 印章图片 beside 照片, 科室 beside 部门. Within a tier the file is refused, but for FIRST_COLUMN_COUNTS.
TIERS: Mapping[Field, tuple[tuple[str, ...], ...]] = {
    Field.NAME: ((
        "姓名", "医生姓名", "医师姓名", "医生名称", "医师名称", "医生名字", "医师名字", "医护姓名", "医护人员姓名",
        "人员姓名", "职工姓名", "员工姓名", "用户姓名", "本人姓名", "真实姓名", "中文姓名", "名字", "xm", "ysxm", "name",
        "user name", "full name", "real name", "chinese name", "doctor name", "physician name", "staff name",
        "employee name",
    ), ("中文名",)),
    Field.NUMBER: ((
        *_NUMBERS, *(owner + number for owner in _OWNERS for number in _NUMBERS if number.startswith("身份证")),
        "证件号", "证件号码", "证件编号", "有效证件号", "有效证件号码", "有效身份证件号", "有效身份证件号码", "sfz", "sfzh",
        "sfzhm", "zjhm", "id card number", "id card no", "id card", "identity card number", "identity card no",
        "identity card", "id number", "id no", "identity number", "identity no", "identification number", "national id",
        "national id number", "citizen id number", "resident id number",
    ),),
    Field.ID_TYPE: ((
        "证件类型", "证件类别", "证件种类", "身份证件类型", "身份证件类别", "身份证件种类", "有效证件类型",
        "有效身份证件类型", "有效身份证件种类", "zjlx", "id card type", "id type", "card type", "identity card type", "identity type",
        "document type",
    ),),
    Field.MOBILE: ((
        "手机", "手机号", "手机号码", "手机电话", "移动手机", "移动电话", "移动电话号码", "行动电话", "行动电话号码",
        "联系手机", "联系手机号", "联系手机号码", *(f"{owner}手机{rest}" for owner in _OWNERS for rest in ("", "号", "号码")),
        "sj", "sjh", "sjhm", "mobile", "mobile no", "mobile number", "mobile phone", "mobile phone no",
        "mobile phone number", "cell", "cell phone", "cell phone number",
    ), (
        "联系电话", "联系电话号码", "联络电话", "联系方式", "联络方式", "电话", "电话号码",
        *(f"{owner}{phone}" for owner in _OWNERS for phone in ("电话", "电话号码", "联系电话", "联系方式")), "lxdh",
        "phone", "phone no", "phone number", "telephone", "telephone no", "telephone number", "tel", "tel no",
        "contact number", "contact phone",
    ), ("常用手机", "常用手机号", "常用手机号码", "预留手机", "预留手机号", "预留手机号码", "实名手机号", "实名手机号码")),
    Field.STAFF_NO: ((
        "工号", "职工号", "职工工号", "职工编号", "职工编码", "职工代码", "员工号", "员工工号", "员工编号", "员工编码",
        "员工代码", "人员工号", "人员编号", "人员编码", "人员代码", "医生工号", "医生编号", "医生编码", "医生代码", "医师工号",
        "医师编号", "医师编码", "医师代码", "本人工号", "gh", "ysgh", "staff no", "staff number", "staff id", "staff code",
        "employee no", "employee number", "employee id", "job number", "job no", "work no", "work number",
    ),),
    Field.DEPARTMENT: ((
        "科室", "科室名称", "所在科室", "所属科室", "工作科室", "执业科室", "临床科室", "科别", "医生科室", "医师科室", "ks",
        "ksmc", "department", "department name", "dept", "dept name",
    ), ("部门", "部门名称", "所在部门", "所属部门", "工作部门")),
    Field.SEAL_NAME: ((
        "印章名称", "印章名", "章名", "章名称", "电子印章名称", "电子印章名", "个人印章名称", "签章名称", "签章名",
        "电子签章名称", "电子签章名", "个人签章名称", "seal name", "stamp name",
    ),),
    Field.PICTURE: (
        (
            *(seal + image for seal in _SEALS for image in _IMAGES), "seal image", "seal picture", "seal file",
            "signature image", "signature picture", "signature file", "stamp image", "stamp picture", "stamp file",
        ),
        (*(seal for seal in _SEALS if seal != "章"), "seal", "stamp", "signature", "e signature", "electronic signature"),
        (
            "图片", "图片文件", "图片文件名", "图片文件名称", "图片名称", "图片名", "照片", "picture", "picture file",
            "picture name", "image", "image file", "image name", "photo",
        ),
    ),
    Field.SCENE_KEY: ((
        "场景", "场景值", "场景标识", "业务场景", "使用场景", "自动签场景", "scene key", "scene",
    ),),
    Field.ENABLE_AUTO_SIGN: ((
        "自动签", "自动签署", "授权签", "开通自动签", "开通自动签署", "开通授权签", "是否自动签", "是否自动签署",
        "是否开通自动签", "是否开通自动签署", "是否开通授权签", "enable auto sign", "auto sign",
    ),),
    Field.LICENSE_TYPE: ((
        "许可", "许可类型", "个人许可", "个人许可类型", "自动签许可", "自动签许可类型", "license type", "licence type",
        "license", "licence",
    ),),
    Field.SEAL_IMAGE_COMPRESS: ((
        "压缩", "压缩图片", "压缩印章", "压缩印章图片", "印章图片压缩", "图片压缩", "是否压缩", "是否压缩图片",
        "是否压缩印章图片", "seal image compress", "compress",
    ),),
}  # fmt: skip
ALIASES: Mapping[Field, tuple[str, ...]] = {
    name: tuple(title for tier in tiers for title in tier) for name, tiers in TIERS.items()
}
# fields that are not sent and decide on no person: of several columns the first one is used, and the file's notes name
# the others
FIRST_COLUMN_COUNTS = frozenset({Field.DEPARTMENT})

# what means a field only beside one of its titles: 身份证号 ID, 手机/Tel., 身份证号/护照号
_BESIDE: Mapping[Field, tuple[str, ...]] = {
    Field.NAME: ("chinese", "cn"),
    Field.NUMBER: (
        "id", "no", "number", "identity", "护照", "护照号", "护照号码", "通行证号", "通行证号码", "回乡证号", "港澳通行证号",
        "台胞证号", "居住证号", "居住证号码",
    ),
    Field.MOBILE: ("contact", "contacts", "no", "number"),
    Field.STAFF_NO: ("编号", "his", "id", "no", "code", "job id"),
    Field.DEPARTMENT: ("病区", "section", "ward", "unit"),
    Field.ID_TYPE: ("type",),
    Field.SEAL_NAME: ("name",),
}  # fmt: skip

# traditional forms of the characters that titles and their decoys are made of
_SIMPLE = str.maketrans(
    "證號碼機電話聯絡繫係醫師員職編門別圖簽稱類種動務業場開許壓縮檔屬親緊審薦經辦監護單負責寫選狀態",
    "证号码机电话联络系系医师员职编门别图签称类种动务业场开许压缩档属亲紧审荐经办监护单负责写选状态",
)
# a bracket that names another person or another line to them
_SOMEBODY_ELSE = re.compile(
    r"家属|亲属|家人|家庭|配偶|父亲|母亲|父母|子女|患者|病人|紧急|应急|监护|联系人|联络人|推荐人|介绍人|担保人|填表人|填报人|经办"
    r"|审核人|负责人|法人|代办|代理人|单位电话|公司电话|单位联系|办公|有效期(?!内)|到期|签发|曾用|emergency|relative|spouse|patient"
)
_NEGATED = re.compile(r"[^,，;；。、]*[勿非不无][^,，;；。、]*")  # （勿填家属电话） names nobody
# a bracket that is nothing but one of these names another thing
_SOMETHING_ELSE = re.compile(
    r"(?:汉语|全|简)?拼音?|(?:名|首)?字母|(?:英|外|日|藏|维|蒙)文名?|原|旧|原名|旧名|别名|昵称|简称|缩写|[前后末尾][一二三四五六七八九1-9]+位"
    r"|脱敏|掩码|加密|短号|虚拟网|集团短?号|备用\d?|其他|其它|第二|座机|固话|固定电话|宅电|住宅|单位|公司|传真|日期|时间|年月日|编码"
    r"|代码|编号|状态|类型|类别|大小|(?:正面|反面|正反面|人像面|国徽面|复印件|扫描件|影印件|照片|图片|影像|附件|原件|电子版)+"
    r"|id|code|pinyin|english|en|copy|scan|status|date|type|office|home"
)
# brackets that make a picture one of the card or of the person, and a number one of another document
_OTHER_DOCUMENT: Mapping[Field, re.Pattern[str]] = {
    Field.PICTURE: re.compile(
        r"身份证|证件|证书|资格|执业|学历|职称|免冠|寸|头像|人脸|人像|portrait|id card"
    ),
    Field.NUMBER: re.compile(r"执业|资格|学历|学位|职称|银行|社保|医保|注册"),
}
_BRACKET = re.compile(
    r"[(\[{<《〈【〔「『〖]([^()\[\]{}<>《》〈〉【】〔〕「」『』〖〗]*)(?:[)\]}>》〉】〕」』〗]|\Z)"
)
_NUMBERING = re.compile(
    r"\A\s*(?:[(（]?\d{1,2}\s*[)）.．、:：]|[一二三四五六七八九十]{1,3}\s*[)）.．、:：]|[\u2460-\u249b])(?=\s*\D)"
)
_AFFIX = "非必填项?|必填项?|必须填写|选填项?|可选项?|可空|(?:18|十八|11)位|文本格式?|required|optional"
_AFFIXES = re.compile(rf"(?:{_AFFIX})+(?=.)|(?<=.)(?:{_AFFIX})+\Z")
_APART = re.compile(r"[/|\\或、&]")
_TWO_SCRIPTS = re.compile(r"([^a-z]*[^\W\da-z])([a-z][a-z0-9]*)|([a-z][a-z0-9]*?)([^\W\da-z][^a-z]*)")


class Meaning(NamedTuple):
    """What a title means: a field, and its tier in the table (0 is the plainest)."""

    field: Field
    tier: int


def squeeze(text: str) -> str:
    """Return letters and digits alone: widths, case and traditional forms folded, all else left out."""
    return "".join(filter(str.isalnum, _plain(text)))


@lru_cache(maxsize=8192)
def bare(title: str) -> str:
    """Return a title with its marks, but without brackets that hold no more than a remark."""
    return _without_remarks(_plain(title)).strip()


def fold(title: str) -> str:
    """Return a title as it is compared: squeezed, without brackets that hold no more than a remark."""
    return squeeze(_without_remarks(_plain(_NUMBERING.sub("", title))))


@lru_cache(maxsize=8192)
def meaning(title: str) -> Meaning | None:
    """Return what a title means by the built-in table; None for every other."""
    if len(title) > LONGEST or not title.strip():
        return None
    title = _plain(_NUMBERING.sub("", title))
    if found := _TABLE.get(squeeze(title)):  # 印章（名称）: the bracket belongs to the title
        return found
    within = " ".join(bracket[1] for bracket in _BRACKET.finditer(title))
    said = _without_remarks(title)
    found = _either(squeeze(said) or squeeze(within)) or _parts(said)  # 【姓名】 is all bracket
    other = _OTHER_DOCUMENT.get(found.field) if found else None
    return None if other and other.search(within) else found


def find_nearest(title: str, fields: Collection[Field]) -> str | None:
    """Return the title of one of these fields that a misspelt one may mean (手机号吗: 手机号码): a suggestion to a person."""
    wanted = fold(title)
    if len(wanted) > _LONGEST_GUESSED:
        return None
    known = {squeeze(each): each for name in fields for each in ALIASES[name]}
    near = difflib.get_close_matches(wanted, known, n=_GUESSES, cutoff=_NEARLY)
    near.sort(key=lambda each: (len(each) != len(wanted), -_common(each, wanted)))
    return known[near[0]] if near else None


def _common(one: str, other: str) -> int:
    """Return how many characters two titles begin with alike."""
    return next((place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), len(one))


def _plain(title: str) -> str:
    return unicodedata.normalize("NFKC", title).translate(_SIMPLE).replace("身分", "身份").casefold()


def _without_remarks(plain: str) -> str:
    for _ in range(2):  # one may stand in another
        plain = _BRACKET.sub(lambda bracket: bracket[0] if _distinguishes(bracket[1]) else " ", plain)
    return plain


def _distinguishes(text: str) -> bool:
    said = squeeze(_NEGATED.sub("", text))
    return bool(_SOMEBODY_ELSE.search(said) or _SOMETHING_ELSE.fullmatch(said))


def _either(text: str) -> Meaning | None:
    return _TABLE.get(text) or _TABLE.get(_AFFIXES.sub("", text))


def _parts(plain: str) -> Meaning | None:
    """Read a title in two languages or with two words for one thing: 姓名 Name, 手机/电话. All parts must agree."""
    parts = list(_split(plain))
    if len(parts) < 2:
        return None
    found = [_either(part) for part in parts]
    fields = {each.field for each in found if each}
    if len(fields) != 1:
        return None
    (field,) = fields
    beside = _COMPANIONS.get(field, frozenset())
    if any(each is None and part not in beside for part, each in zip(parts, found, strict=True)):
        return None
    return Meaning(field, max(each.tier for each in found if each))


def _split(plain: str) -> Iterator[str]:
    for piece in filter(None, map(squeeze, _APART.split(plain))):
        scripts = _TWO_SCRIPTS.fullmatch(piece)
        yield from filter(None, scripts.groups()) if scripts else (piece,)


_TABLE: Mapping[str, Meaning] = {
    squeeze(title): Meaning(name, tier)
    for name, tiers in TIERS.items()
    for tier, titles in enumerate(tiers)
    for title in titles
}
_COMPANIONS: Mapping[Field, frozenset[str]] = {
    name: frozenset(map(squeeze, words)) for name, words in _BESIDE.items()
}
