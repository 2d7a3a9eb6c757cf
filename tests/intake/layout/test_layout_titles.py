"""Titles one by one: what hospitals write over a column, and what is never taken for it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.roster import Field
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import TITLES, ColumnAliases, get_title_meaning, keep_best_tiers
from pipeline.intake.layout.header_search import choose_header, may_hold_header
from pipeline.intake.readers.model import Line, MergedCells, text_cell

MEANT = {
    Field.NAME: [
        "姓名", "*姓名", "＊姓名", "姓名*", "★姓名", "※姓名", "▲ 姓名", "姓　名", "姓 名", "姓\n名", "姓名：", "\ufeff姓名", "1.姓名",
        "①姓名", "（1）姓名", "二、姓名", "姓名（必填）", "姓名(必填", "【姓名】", "【姓名】（必填）", "姓名[文本格式]", "“姓名”", "医师姓名",
        "医生名称", "医护人员姓名", "职工姓名", "真实姓名", "姓名 Name", "姓名/Name", "Name 姓名", "姓名\nName", "姓名（与身份证一致）",
        "姓名(勿填曾用名)", "医師姓名", "醫生姓名", "名字", "必填 姓名", "姓名_必填", "XM", "Full Name", "USER NAME", "姓名（中文）",
        "姓名（不要写家属）",
    ],
    Field.NUMBER: [
        "身份证", "身份证号", "身份证号码", "身份证号码（必填，文本）", "身份证号(18位)", "身份证号〔18位数字〕", "身份证号（末位字母X大写）",
        "身份证号码18位", "18位身份证号", "证件号码", "证件号", "公民身份号码", "身分證號", "身份證號碼", "身分證字號", "身份证号(ID No.)",
        "身份证号/ID", "ID/身份证号", "身份证号 ID Number", "居民身份证号码", "医生身份证号", "身份证（号码）", "证件号码（身份证、护照）",
        "身份证号/护照号", "ＩＤ　Card Number", "id_card_number", "身份证号﹡", "身份证号（无则填“无”）", "有效身份证件号码", "SFZH",
        "身份证号（单元格设为文本，勿用科学计数）", "身份证号（有效期内）",
    ],
    Field.ID_TYPE: ["证件类型", "证件类别（下拉选择）", "證件類型", "证件类型/ID Type", "证件（类型）", "有效身份证件种类"],
    Field.MOBILE: [
        "手机", "手机号", "手机号（非必填）", "手机号码(11位)", "手機", "手機號碼", "行動電話", "联系电话", "联系方式", "电话", "联系电话（手机）",
        "手机/电话", "手机Tel", "Mobile", "移动电话", "手机号码（接收短信，请填本人）", "本人手机号码", "手机（非办公电话）", "聯絡電話",
        "手机号（微信同号）", "☎手机", "SJH",
    ],
    Field.STAFF_NO: ["工号", "职工编号", "员工编号", "人员编码", "医生编码", "工号（HIS）", "HIS工号", "工号/编号", "Staff No.", "職工編號"],
    Field.DEPARTMENT: ["科室", "所在科室", "科室名称", "部门", "科室/部门", "科室 Dept.", "科別", "所属科室（病区）"],
    Field.SEAL_NAME: ["印章名称", "印章（名称）", "签章名称", "电子印章名称", "章名", "印章名称（1-50字）", "印章名稱"],
    Field.PICTURE: [
        "印章图片", "印章图片\n（PNG）", "电子签章", "印章", "签章", "印模", "手写签名", "电子签名", "电子签名图片", "签名图片", "图片",
        "图片文件", "图片名称", "印章照片", "簽名圖片", "電子簽章", "印章（图片）", "印章图片（白底）", "Seal Image", "个人签章图片",
    ],
    Field.ENABLE_AUTO_SIGN: ["是否开通自动签", "开通自动签（是/否）"],
    Field.LICENSE_TYPE: ["许可类型", "授权签许可类型", "LicenseType"],
}  # fmt: skip
DECOYS = [
    "家属姓名", "家属身份证号", "紧急联系人", "紧急联系人电话", "紧急联系电话", "患者姓名", "病人姓名", "推荐人姓名", "推荐人", "介绍人姓名",
    "填表人", "填报人", "审核人", "制表人", "办公电话", "办公室电话", "身份证有效期", "身份证有效期限", "身份证到期日", "身份证签发机关", "身份证地址",
    "身份证照片", "身份证（照片）", "身份证正面", "身份证(正反面)", "身份证复印件", "身份证（扫描件）", "证件照", "证件照片", "照片", "photo", "照片（1寸）", "照片(身份证)",
    "头像", "一寸照片", "二维码", "签名日期", "签章日期", "签章时间", "签名（日期）", "印章状态", "印章类型", "印章编号", "印章ID", "图片大小", "手机型号",
    "手机品牌", "手机验证码", "手机号（紧急联系人）", "手机（备用）", "电话（座机）", "联系电话(办公)", "短号", "手机（短号）", "固定电话", "座机", "传真",
    "邮箱", "电话区号", "开单医师姓名", "主诊医师姓名", "见证医师姓名", "曾用名", "曾用姓名", "姓名（曾用名）", "姓名拼音", "姓名（拼音）", "姓名(英文)",
    "姓名首字母", "配偶姓名", "父亲姓名", "监护人", "监护人电话", "姓名（家属）", "身份证号【配偶】", "身份证号（后四位）", "身份证后六位", "身份证号（脱敏）",
    "科室编码", "科室（编码）", "科室主任", "科室电话", "部门负责人", "单位电话", "单位名称", "执业证号", "执业证书编码", "资格证书编码", "证件号码（执业证）",
    "银行卡号", "社保卡号", "经办人", "经办人电话", "操作员", "出生日期", "性别", "年龄", "序号", "编号", "ID", "No.", "备注", "职称", "职务", "姓名/工号",
    "姓名、身份证号", "工号密码", "身份", "手机+备用", "患者手机", "业务场景", "SceneKey", "scene_key", "压缩印章图片", "是否处理印章", "处理印章图片", "印章颜色", "SealColor",
    "家屬姓名", "緊急聯絡人電話", "Emergency Contact Phone", "姓名Pinyin",
]  # fmt: skip


def line(*titles, number=1):
    cells = {index: text_cell(title) for index, title in enumerate(titles) if title}
    return Line(number, cells)


def header(*titles, columns=None):
    header_found = choose_header([line(*titles)], ColumnAliases.from_config(columns or {}), MergedCells(()))
    return (
        {str(name): titles[column] for name, column in header_found[2].columns.items()}
        if header_found
        else None
    )


LONG = "必填，请先把整列设为“文本”格式再录入，否则后三位会变成 0；末位字母 X 请大写；港澳台居民请填写居住证号码，须与证件一致"


def test_a_title_is_known_next_to_a_long_remark_and_a_long_text_is_no_title():
    assert get_title_meaning(f"身份证号码（{LONG}）").field is Field.NUMBER
    assert get_title_meaning("身份证号（18位（文本））").field is Field.NUMBER
    assert get_title_meaning(f"身份证号码（{LONG * 9}）") is None


def test_a_header_of_any_name_and_number_titles_passes_the_quick_check():
    for title in TITLES[Field.NAME]:
        for dressed in (title, f"*{title}（必填）"):
            assert all(
                may_hold_header([dressed, other], ColumnAliases.from_config({}))
                for other in TITLES[Field.NUMBER]
            )


def test_every_written_form_of_a_title_is_known():
    meanings = {(name, title): get_title_meaning(title) for name, titles in MEANT.items() for title in titles}
    assert len(meanings) >= 60
    assert [key for key, meaning in meanings.items() if meaning is None or meaning.field is not key[0]] == []


def test_a_title_about_another_person_or_thing_means_nothing_and_changes_no_other_column():
    assert len(DECOYS) >= 60
    assert [title for title in DECOYS if get_title_meaning(title) is not None] == []
    usual = {"name": "姓名", "id_card_number": "身份证号", "mobile": "手机号", "picture": "印章图片"}
    assert [title for title in DECOYS if header(title, *usual.values()) != usual] == []


@given(
    st.sampled_from([title for titles in TITLES.values() for title in titles if not title.isascii()]),
    st.sampled_from(
        [
            "家属",
            "患者",
            "紧急联系人",
            "推荐人",
            "曾用",
            "配偶",
            "审核人",
            "开单",
            "有效期",
            "拼音",
            "密码",
            "状态",
        ]
    ),
    st.booleans(),
)
def test_a_title_with_one_more_word_is_not_known(title, word, before):
    written = word + title if before else title + word
    assert get_title_meaning(written) is None or written in TITLES[get_title_meaning(written).field]


@given(st.text(max_size=80))
def test_any_text_has_a_known_meaning_or_none(text):
    assert get_title_meaning(text) is None or get_title_meaning(text).field in TITLES


def test_the_plainer_of_two_titles_wins():
    for titles, chosen in (
        (("联系电话", "手机号"), "手机号"),
        (("手机", "电话", "联系方式"), "手机"),
        (("图片", "印章图片"), "印章图片"),
        (("印章", "图片"), "印章"),
        (("电子签章", "签名图片"), "签名图片"),
        (("部门", "科室"), "科室"),
    ):
        assert chosen in header("姓名", "身份证号", *titles).values()
        assert len(header("姓名", "身份证号", *titles)) == 3


def test_two_columns_of_one_field_refuse_the_file_and_both_cells_are_named():
    for titles, message in (
        (("姓名", "身份证号", "证件号码"), "B1 身份证号, C1 证件号码"),
        (("姓名", "身份证号", "姓名"), "A1 姓名, C1 姓名"),
        (("姓名", "医师姓名", "身份证号"), "A1 姓名, B1 医师姓名"),
        (("姓名", "身份证号", "手机", "手机号码"), "C1 手机, D1 手机号码"),
        (("姓名", "身份证号", "联系电话", "电话"), "C1 联系电话, D1 电话"),
        (("姓名", "身份证号", "工号", "人员编码"), "C1 工号, D1 人员编码"),
        (("姓名", "身份证号", "印章图片", "签名图片"), "C1 印章图片, D1 签名图片"),
        (("姓名", "身份证号", "手机", "", "姓名", "身份证号", "手机"), "A1 姓名, E1 姓名"),
        (("姓名", "身份证号", *["手机号"] * 6), "C1 手机号, D1 手机号, E1 手机号, F1 手机号 …"),
    ):
        with pytest.raises(FileRefused) as refused:
            header(*titles)
        assert (refused.value.code, refused.value.detail["found"]) == ("HEADER_AMBIGUOUS", message)


def test_a_title_of_the_configuration_wins_and_distinguishes_brackets():
    titles = ("姓名", "身份证号", "手机号", "电话（本人）", "电话（办公室）")
    assert header(*titles)["mobile"] == "手机号"
    assert header(*titles, columns={"电话（办公室）": "mobile"})["mobile"] == "电话（办公室）"
    assert header(*titles, columns={"电话（本人）": "mobile"})["mobile"] == "电话（本人）"


def test_a_remark_that_only_mentions_others_is_left_out():
    for remark in ("有效期内", "单位电话勿填", "勿填家属，必填", "不是患者", "填写说明见附件"):
        assert get_title_meaning(f"手机号（{remark}）").field is Field.MOBILE


def test_a_mobile_by_another_title_is_read_but_a_plainer_title_wins():
    plainer = get_title_meaning("联系电话")
    for title in ("常用手机号", "预留手机号", "*实名手机号码（必填）"):
        meaning = get_title_meaning(title)
        assert meaning.field is Field.MOBILE
        assert keep_best_tiers([(1, meaning), (2, plainer)]) == {Field.MOBILE: [2]}
