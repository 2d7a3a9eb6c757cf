"""Rosters with the columns of relatives and contacts: what reaches the service is the doctor's own, or nothing."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from itertools import product

import pytest
import xlwt
from attack.stage import LONG, Stage, person
from people import number

GROUP = "other persons"
RELATIVE_MOBILE = "13900000201"
SUFFIXES = (".xlsx", ".csv", ".xls")


def write_roster(stage: Stage, suffix: str, titles: Sequence[str], row: Sequence[str]) -> None:
    path = stage.folder / "inbox" / f"roster{suffix}"
    if suffix == ".csv":
        with path.open("w", encoding="utf-8-sig", newline="") as file:
            csv.writer(file).writerows([titles, row])
    elif suffix == ".xls":
        book = xlwt.Workbook()
        sheet = book.add_sheet("名单")
        for line, values in enumerate((titles, row)):
            for column, value in enumerate(values):
                sheet.write(line, column, value)
        book.save(str(path))
    else:
        stage.roster([row], headers=titles)


@pytest.fixture
def own(stage):
    stage.know(1)
    stage.draw(1)
    return person(1)


@pytest.mark.parametrize(
    ("suffix", "phone"),
    [*product(SUFFIXES, ["联系电话", "手机号"])] if LONG else [(".xlsx", "联系电话"), (".csv", "手机号")],
)
def test_the_mobile_of_a_relative_is_not_sent(stage, own, suffix, phone):
    titles = ["姓名", "证件号码", "工号", "家属姓名", "与本人关系", phone]
    write_roster(
        stage, suffix, titles, [own.name, own.number, own.staff_no, "李四光", "配偶", RELATIVE_MOBILE]
    )
    assert stage.go("run").code == 0
    stage.assert_clean()
    (seal,) = stage.service.seals
    assert seal.mobile is None
    (outcome,) = stage.outcomes()
    assert outcome["codes"] == ["MOBILE_MISSING"]


@pytest.mark.parametrize("suffix", SUFFIXES if LONG else [".xls"])
def test_the_mobile_of_a_contact_refuses_no_roster(stage, own, suffix):
    titles = ["科室", "联系人", "联系电话", "姓名", "证件号码", "联系电话", "工号", "紧急联系人", "联系电话"]
    row = [
        "内科",
        "王主任",
        "13900000301",
        own.name,
        own.number,
        own.mobile,
        own.staff_no,
        "李四光",
        RELATIVE_MOBILE,
    ]
    write_roster(stage, suffix, titles, row)
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert [(seal.name, seal.number, seal.mobile) for seal in stage.service.seals] == [
        (own.name, own.number, own.mobile)
    ]


@pytest.mark.parametrize("suffix", SUFFIXES if LONG else [".xlsx"])
def test_the_number_of_a_spouse_makes_no_seal(stage, own, suffix):
    """What the user writes under ``columns`` counts."""
    titles = ["姓名", "工号", "科室", "配偶姓名", "身份证号码"]
    write_roster(stage, suffix, titles, [own.name, own.staff_no, "内科", "李四光", number(2)])
    ended = stage.go("run")
    assert ended.code == 7
    assert "身份证号码 comes after" in ended.output
    assert not stage.service.received

    write_roster(stage, suffix, titles, [own.name, own.staff_no, "内科", "李四光", own.number])
    stage.configure(lines="columns: {身份证号码: id_card_number}\n")
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert len(stage.service.seals) == 1
