"""No number is readable outside the marked copies; the last four stay so that a person can be told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.masking import (
    Masker,
    hide_names,
    mask_id,
    mask_mobile,
    mask_text,
)
from pipeline.domain.roster import Change, Field
from pipeline.messages.problems import build_problem
from pipeline.reports.explanations import describe_problem
from pipeline.reports.presenter import Presenter


def test_identity_numbers_and_mobiles_keep_their_last_four(make):
    assert mask_id("110101199003070732") == "**************0732"
    assert mask_id("H12345678") == "*****5678"
    assert mask_id("1234567") == "*******"
    assert mask_mobile("13812345678") == "138****5678"
    assert mask_mobile("+86 138-1234-5678") == "+** 138-****-5678"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("seals/张三110101199003070732.png", "seals/张三**************0732.png"),
        ("seals/11010119900307073x.png", "seals/**************073x.png"),
        ("110101 19900307 0732", "****** ******** 0732"),
        ("１１０１０１１９９００３０７０７３２", "**************０７３２"),
        ("IMG_20261125_102030.jpg", "IMG_20261125_102030.jpg"),
        ("out/20261125-020000-961/results.xlsx", "out/20261125-020000-961/results.xlsx"),
        ("seals/123456789012345.png", "seals/***********2345.png"),
        ("ledgers/test-1/left-1234567890123456.damaged-1", "ledgers/test-1/left-1234567890123456.damaged-1"),
        ("test-1/1234567890123456.jsonl", "test-1/1234567890123456.jsonl"),
        ("test-1/110101199003070732.jsonl", "test-1/**************0732.jsonl"),
    ],
)
def test_a_run_of_fifteen_digits_is_masked_wherever_it_stands(text, shown):
    assert mask_text(text) == shown


def test_every_number_of_the_roster_is_masked_however_short_or_wrong(make):
    permit = make.doctor(1, texts={"D": "H12345678"}, usable=False)
    typo = make.doctor(2, texts={"D": "1101011990"}, usable=False)
    masker = Masker.of_doctors([permit, typo])

    assert masker.mask_path(Path("seals/李h12345678（新）.png")) == "seals/李*****5678（新）.png"
    assert masker.mask_text("看 1101011990 这行") == "看 ******1990 这行"
    assert masker.mask_text(f"手机 {permit.mobile}") == f"手机 {permit.mobile[:3]}****{permit.mobile[-4:]}"


def test_words_in_a_number_column_do_not_mask_file_names(make):
    masker = Masker.of_doctors([make.doctor(1, texts={"D": "100123"}, usable=False)])

    assert masker.mask_text("100123张伟.png") == "100123张伟.png"
    assert masker.mask_text("20100123张伟.png") == "20100123张伟.png"


def test_a_change_shows_what_was_normalised_without_the_number():
    change = Change(Field.NUMBER, "110101 19900307 073x", "11010119900307073X", "spaces")

    assert Masker().mask_change(change) == ("****** ******** 073x", "**************073X")
    assert Masker().mask_change(replace(change, before="h1234567 8", after="H12345678")) == (
        "*****567 8",
        "*****5678",
    )


def test_a_problem_that_quotes_the_cell_masks_it():
    short = build_problem("MOBILE_INVALID", Field.MOBILE, "E5", found="138123456789")
    number = build_problem("ID_FORMAT", Field.NUMBER, "D5", why="H1234567 8")

    assert "12345" not in describe_problem(short, Presenter("zh"))
    assert "H1234567" not in describe_problem(number, Presenter("zh"))
    assert "138123456789" in describe_problem(short, Presenter("zh"), masked=False), (
        "a marked copy may quote the roster"
    )


def test_a_field_named_in_a_sentence_is_in_the_readers_words():
    changed = build_problem("CONTENT_CHANGED", Field.NAME, differs="name picture")

    assert "姓名、图片" in describe_problem(changed, Presenter("zh"))
    assert "name, picture" in describe_problem(changed, Presenter("en"))


def test_names_are_hidden_longest_first():
    assert hide_names("inbox/欧阳明月.xlsx", {"欧阳明", "欧阳明月", ""}) == "inbox/****.xlsx"
