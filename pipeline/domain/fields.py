"""One entry for each field of a doctor: its name, its titles, its API parameter, what the ledger keeps of it.

A new field needs a member of `Field`, an attribute of `Doctor`, an entry here, and its rules in
`pipeline.intake.fields.text_fields`. If it is part of the seal content, `SealContent` and the ledger need a column as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from pipeline.domain.roster import Doctor, Field, ImageFile, fold_card_number
from pipeline.domain.site_key import SiteKey


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldDefinition:
    """What the program knows of one field."""

    zh: str  # what messages call it
    en: str
    # Requests and the marked copies alone hold its whole value: it is masked in results, texts of the service and logs.
    # A name is not: people need it in the results, and `hide_names` takes it out of what may not hold it.
    is_personal: bool
    # The titles of its column in tiers, the plainest first. If two columns of one line claim the field, the earlier
    # tier wins: 手机号 next to 联系电话, 印章图片 next to 图片. Within a tier the file is refused. () is no column.
    titles: tuple[tuple[str, ...], ...]
    # words that mean the field only together with one of its titles: 身份证号 ID, 手机/Tel., 身份证号/护照号
    companions: tuple[str, ...] = ()
    # a remark in brackets that makes the column one of another document or of another thing: a regular expression
    other_brackets: str | None = None
    # likewise a group over the column, for a title that names no document, person or seal by itself
    other_groups: str | None = None
    # Of several columns within a tier the first is used, and the file's notes name the others. Only for a field that
    # is not sent.
    first_column_counts: bool = False
    # a merged cell gives its value to all lines under it: it belongs to no one person
    is_inherited: bool = False
    shows_person: bool = False  # filled in a line without a number, it shows that the line is a doctor
    attribute: str | None = None  # of `Doctor`; None: the value of `Field`
    parameter: str | None = None  # of the create call; None: it is not sent
    is_optional_parameter: bool = False  # only some contracts take the parameter
    content: str | None = None  # attribute of `SealContent`; None: a change of it does not change the seal
    is_digested: bool = False  # the ledger keeps an HMAC of the value
    blank_is_content: bool = False  # a row without a value differs from a seal that was made with one
    # key in outcomes.jsonl and in the ledger's line, and column of the DataFrame; None: the value is not in the results,
    # or in a form of its own (the picture)
    result: str | None = None
    is_in_outcomes: bool = True  # False: only the ledger's line and the DataFrame have the key
    is_forgivable: bool = False  # a person who has a seal needs none: a wrong value is a warning there


_OWNERS = ("医生", "医师", "医护", "医护人员", "人员", "职工", "员工", "用户", "本人", "个人")
_NUMBERS = (
    "身份证", "身份证号", "身份证号码", "身份证件号", "身份证件号码", "身份证编号", "身份证字号", "居民身份证",
    "居民身份证号", "居民身份证号码", "居民身份证件号码", "二代身份证号", "二代身份证号码", "公民身份号码",
    "公民身份证号", "公民身份证号码", "身份号码", "身份证明号码",
)  # fmt: skip
_SEALS = (
    "印章", "电子印章", "个人印章", "签章", "电子签章", "个人签章", "签名", "电子签名", "手写签名", "印模", "章",
)  # fmt: skip
_IMAGES = (
    "图片", "图像", "图", "图样", "图案", "图片文件", "图片文件名", "图片名称", "图片名", "文件", "文件名", "照片",
)  # fmt: skip

# in the order in which differences of a row and its seal are listed
FIELDS: Mapping[Field, FieldDefinition] = {
    Field.NAME: FieldDefinition(
        zh="姓名",
        en="name",
        is_personal=False,
        titles=((
            "姓名", "医生姓名", "医师姓名", "医生名称", "医师名称", "医生名字", "医师名字", "医护姓名", "医护人员姓名",
            "人员姓名", "职工姓名", "员工姓名", "用户姓名", "本人姓名", "真实姓名", "中文姓名", "名字", "xm", "ysxm", "name",
            "user name", "full name", "real name", "chinese name", "doctor name", "physician name", "staff name",
            "employee name",
        ), ("中文名",)),
        companions=("chinese", "cn"),
        parameter="UserName",
        content="name",
        result="name",
    ),
    Field.NUMBER: FieldDefinition(
        zh="证件号码",
        en="identity number",
        is_personal=True,
        titles=((
            *_NUMBERS, *(owner + number for owner in _OWNERS for number in _NUMBERS if number.startswith("身份证")),
            "证件号", "证件号码", "证件编号", "有效证件号", "有效证件号码", "有效身份证件号", "有效身份证件号码", "sfz", "sfzh",
            "sfzhm", "zjhm", "id card number", "id card no", "id card", "identity card number", "identity card no",
            "identity card", "id number", "id no", "identity number", "identity no", "identification number", "national id",
            "national id number", "citizen id number", "resident id number",
        ),),
        companions=(
            "id", "no", "number", "identity", "护照", "护照号", "护照号码", "通行证号", "通行证号码", "回乡证号", "港澳通行证号",
            "台胞证号", "居住证号", "居住证号码",
        ),
        other_brackets=r"执业|资格|学历|学位|职称|银行|社保|医保|注册",
        other_groups=r"执业|资格|证书|学历|学位|职称|银行|社保|医保|注册",
        attribute="number",
        parameter="IdCardNumber",
        content="number",
        is_digested=True,
        result="id_masked",
    ),
    Field.ID_TYPE: FieldDefinition(
        zh="证件类型",
        en="card type",
        is_personal=False,
        titles=((
            "证件类型", "证件类别", "证件种类", "身份证件类型", "身份证件类别", "身份证件种类", "有效证件类型",
            "有效身份证件类型", "有效身份证件种类", "zjlx", "id card type", "id type", "card type", "identity card type", "identity type",
            "document type",
        ),),
        companions=("type",),
        is_inherited=True,
        attribute="id_type",
        parameter="IdCardType",
        content="id_type",
        result="id_card_type",
    ),
    Field.SCENE_KEY: FieldDefinition(
        zh="场景",
        en="scene",
        is_personal=False,
        titles=(),  # the configuration gives it to every doctor
        parameter="SceneKey",
        content="scene_key",
        blank_is_content=True,
    ),
    Field.MOBILE: FieldDefinition(
        zh="手机号",
        en="mobile",
        is_personal=True,
        titles=((
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
        companions=("contact", "contacts", "no", "number"),
        other_groups=r"单位|办公|公司|医院|科室|部门|住宅|office|home",
        shows_person=True,
        parameter="Mobile",
        content="mobile",
        is_digested=True,
        result="mobile_masked",
        is_forgivable=True,
    ),
    Field.STAFF_NO: FieldDefinition(
        zh="工号",
        en="staff number",
        is_personal=False,
        titles=((
            "工号", "职工号", "职工工号", "职工编号", "职工编码", "职工代码", "员工号", "员工工号", "员工编号", "员工编码",
            "员工代码", "人员工号", "人员编号", "人员编码", "人员代码", "医生工号", "医生编号", "医生编码", "医生代码", "医师工号",
            "医师编号", "医师编码", "医师代码", "本人工号", "gh", "ysgh", "staff no", "staff number", "staff id", "staff code",
            "employee no", "employee number", "employee id", "job number", "job no", "work no", "work number",
        ),),
        companions=("编号", "his", "id", "no", "code", "job id"),
        shows_person=True,
        result="staff_no",
    ),
    Field.DEPARTMENT: FieldDefinition(
        zh="科室",
        en="department",
        is_personal=False,
        titles=((
            "科室", "科室名称", "所在科室", "所属科室", "工作科室", "执业科室", "临床科室", "科别", "医生科室", "医师科室", "ks",
            "ksmc", "department", "department name", "dept", "dept name",
        ), ("部门", "部门名称", "所在部门", "所属部门", "工作部门")),
        companions=("病区", "section", "ward", "unit"),
        first_column_counts=True,
        is_inherited=True,
        result="department",
        is_in_outcomes=False,
    ),
    Field.SEAL_NAME: FieldDefinition(
        zh="印章名称",
        en="seal name",
        is_personal=False,
        titles=((
            "印章名称", "印章名", "章名", "章名称", "电子印章名称", "电子印章名", "个人印章名称", "签章名称", "签章名",
            "电子签章名称", "电子签章名", "个人签章名称", "seal name", "stamp name",
        ),),
        companions=("name",),
        shows_person=True,
        parameter="SealName",
        content="seal_name",
        result="seal_name",
        is_forgivable=True,
    ),
    Field.PICTURE: FieldDefinition(
        zh="图片",
        en="picture",
        is_personal=False,
        titles=(
            (
                *(seal + image for seal in _SEALS for image in _IMAGES if seal + image != "章照片"), "seal image", "seal picture", "seal file",
                "signature image", "signature picture", "signature file", "stamp image", "stamp picture", "stamp file",
            ),
            (*(seal for seal in _SEALS if seal != "章"), "seal", "stamp", "signature", "e signature", "electronic signature"),
            (
                "图片", "图片文件", "图片文件名", "图片文件名称", "图片名称", "图片名", "picture", "picture file", "picture name",
                "image", "image file", "image name",
            ),
        ),
        other_brackets=r"身份证|证件|证书|资格|执业|学历|职称|免冠|寸|头像|人脸|人像|portrait|id card",
        other_groups=r"身份|证件|证书|资格|执业|学历|学位|职称|头像|人像|免冠|id card",
        shows_person=True,
        content="picture",
        is_forgivable=True,
    ),
    Field.ENABLE_AUTO_SIGN: FieldDefinition(
        zh="授权签",
        en="auto-sign",
        is_personal=False,
        titles=((
            "自动签", "自动签署", "授权签", "开通自动签", "开通自动签署", "开通授权签", "是否自动签", "是否自动签署",
            "是否开通自动签", "是否开通自动签署", "是否开通授权签", "enable auto sign", "auto sign",
        ),),
        is_inherited=True,
        parameter="EnableAutoSign",
        is_optional_parameter=True,
    ),
    Field.LICENSE_TYPE: FieldDefinition(
        zh="许可",
        en="licence",
        is_personal=False,
        titles=((
            "许可", "许可类型", "个人许可", "个人许可类型", "自动签许可", "自动签许可类型", "授权签许可", "授权签许可类型", "license type", "licence type",
            "license", "licence",
        ),),
        is_inherited=True,
        parameter="LicenseType",
        is_optional_parameter=True,
    ),
}  # fmt: skip


def value_of(doctor: Doctor, field: Field) -> object:
    """Return a doctor's value of a field, None if there is none that can be used."""
    return getattr(doctor, FIELDS[field].attribute or field.value)


def list_result_fields(*, in_ledger: bool) -> list[tuple[str, Field]]:
    """Return the key of each field in a row's record: first of those that decide nothing about the seal.

    ``in_ledger`` adds the fields that outcomes.jsonl does not have.
    """
    shown = [
        (definition.result, field, definition.content is not None)
        for field, definition in FIELDS.items()
        if definition.result and (definition.is_in_outcomes or in_ledger)
    ]
    first = [(name, field) for name, field, is_content in shown if not is_content]
    return first + [(name, field) for name, field, is_content in shown if is_content]


def set_value(doctor: Doctor, field: Field, value: object) -> Doctor:
    values: dict[str, Any] = {FIELDS[field].attribute or field.value: value}
    return replace(doctor, **values)


def list_sent_values(doctor: Doctor) -> dict[Field, object]:
    """Return the values of a doctor that the service is sent; the seal name is assigned by the plan."""
    values = {field: value_of(doctor, field) for field, definition in FIELDS.items() if definition.parameter}
    del values[Field.SEAL_NAME]
    return {field: value for field, value in values.items() if value is not None}


def list_content(doctor: Doctor, site_key: SiteKey) -> dict[str, Any]:
    """Return a doctor's values as the ledger keeps them, by the attributes of `SealContent`."""
    content: dict[str, Any] = {}
    for field, name, attribute, is_digested in _CONTENT:
        value = getattr(doctor, attribute)
        if field is Field.NUMBER and value is not None:
            value = fold_card_number(value, doctor.id_type)
        elif isinstance(value, ImageFile):
            value = value.sha256
        if value is not None:
            value = site_key.digest(str(value)) if is_digested else str(value)
        content[name] = value
    return content


# of each field that is content: its attribute of `SealContent`, its attribute of `Doctor`, whether the ledger has a digest
_CONTENT = tuple(
    (field, definition.content, definition.attribute or field.value, definition.is_digested)
    for field, definition in FIELDS.items()
    if definition.content
)
