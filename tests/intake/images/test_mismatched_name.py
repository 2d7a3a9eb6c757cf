"""Another doctor's name is found in a reading only where that is plain."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator

import pytest

from pipeline.errors import UsageError
from pipeline.intake.images.name_ocr import check_names_in_images, choose_mismatched_name, get_share_seen

ROSTER = {"张伟", "王小明", "李建国", "欧阳慧敏", "阿依古丽·买买提", "王建国"}


@pytest.mark.parametrize(
    ("own", "texts", "result"),
    [
        ("张伟", ["李建国印"], "李建国"),
        ("张伟", ["", "试验", "国建李印"], "李建国"),  # in any order: squares are read by rows and by columns
        ("李建国", ["伟张印之"], "张伟"),
        ("李建国", ["欧慧阳"], "欧阳慧敏"),  # three of four
        ("张伟", ["古丽买买提依阿"], "阿依古丽·买买提"),
        ("阿依古丽·买买提", ["张伟之印"], "张伟"),
    ],
)
def test_the_clear_name_of_another_doctor_is_found(own, texts, result):
    assert choose_mismatched_name(own, ROSTER, texts) == result


@pytest.mark.parametrize(
    ("own", "texts"),
    [
        ("李建国", ["李建国印"]),
        ("李建国", ["王小明", "建国"]),  # one reading shows enough of the own name
        ("李建国", ["李小明", "张三丰"]),  # two of three characters are not clear
        ("张伟", ["张小明"]),  # half of the own name
        ("张伟", ["赵六合"]),  # nobody of this roster
        ("张伟", []),
        ("张伟", ["", ""]),
        ("张", ["李建国"]),  # a name of one character cannot be told to be absent
        ("张伟", ["张伟", "李建国"]),
    ],
)
def test_a_doubtful_reading_returns_no_name(own, texts):
    assert choose_mismatched_name(own, ROSTER, texts) is None


def test_a_namesake_is_not_another_doctor():
    assert choose_mismatched_name("张伟", {"张伟"}, ["张伟"]) is None
    assert (
        choose_mismatched_name("李四", {"李四", "李"}, ["李"]) is None
    )  # a name of one character is shown by too many


def test_the_clearest_of_several_names_is_found_and_always_the_same_one():
    texts = ["欧阳慧", "建国王"]
    assert (
        choose_mismatched_name("张伟", ROSTER, texts)
        == choose_mismatched_name("张伟", ROSTER, texts[::-1])
        == "王建国"
    )


def test_reading_stops_once_the_own_name_was_seen():
    taken = []

    def texts() -> Iterator[str]:
        for text in ("王小明", "李建", "张伟"):
            taken.append(text)
            yield text

    assert choose_mismatched_name("李建国", ROSTER, texts()) is None
    assert taken == ["王小明", "李建"]


def test_a_share_counts_characters_without_the_dot():
    assert get_share_seen("买买提·阿", "买") == 0.5
    assert get_share_seen("李建国", "国李") == pytest.approx(2 / 3)


@pytest.mark.skipif(importlib.util.find_spec("rapidocr") is not None, reason='the extra "ocr" is installed')
def test_without_the_extra_the_run_ends_with_what_to_do(tmp_path):
    with pytest.raises(UsageError) as reported:
        check_names_in_images([], work=tmp_path)
    assert reported.value.exit_code == 2
    assert 'pip install "esign-import[ocr]"' in reported.value.render("en")
    assert 'pip install "esign-import[ocr]"' in reported.value.render("zh")
