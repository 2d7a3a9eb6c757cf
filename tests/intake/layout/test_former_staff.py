"""Which names of sheets and files tell that their people left."""

import pytest

from pipeline.intake.layout.skipped_parts import names_former_staff


@pytest.mark.parametrize(
    "name",
    [
        "离职", "离职人员", "已离职", "2026年离职医师名单", "内科离职", "协和医院离职人员", "退休", "退休医生(2025)", "停用", "停用人员", "作废", "已作废",
        "调离", "调出人员", "返聘期满", "退休返聘期满", "已故", "離職", "离退休人员", "辞职", "Retired", "resigned 2026", "Former staff", "Inactive doctors",
    ],
)  # fmt: skip
def test_a_name_of_people_who_left(name):
    assert names_former_staff(name)


@pytest.mark.parametrize(
    "name",
    [
        None, "", "Sheet1", "内科", "在职", "在职及退休返聘", "在职、退休", "退休返聘", "返聘", "未离职", "非离职人员", "不含离职", "医师名单（不含离职）", "含离职",
        "全院（含已离职）", "包括退休", "医师及离职人员", "离职和在岗", "启用停用", "拟退休人员", "申请离职", "离职率", "离职前返岗", "没有离职", "剔除离职",
        "Active and retired", "without retired", "incl. resigned", "not retired", "调研", "去年名单", "停车", "医师名单",
    ],
)  # fmt: skip
def test_a_name_of_others_or_of_all(name):
    assert not names_former_staff(name)
