"""Names of people are equal by their keys exactly where they are spellings of one name."""

import csv
import hashlib
from itertools import combinations
from pathlib import Path

import pytest
from generated_rosters import people
from hypothesis import example, given
from hypothesis import strategies as st
from people import name

from pipeline.domain.name_key import make_name_key
from pipeline.domain.name_variants import CLASSES
from pipeline.intake.fields.normalize import drop_invisible
from pipeline.intake.fields.person_name import normalise_name

SAMPLE = Path(__file__).parents[2] / "sample_data"
EVERY_CHARACTER = "".join(map(chr, (*range(0x32400), *range(0xE0000, 0xE0200))))  # planes 4 to 13 hold none
JOINTS = "\u115f\u1160\u3164\uffa0·．.•‧・･﹒∙⋅˙ᐧ᛫ㆍ-‐‑–—－ー_'’ \u3000\u00a0\u200b\u200d\ufeff\u2060\u00ad\ufe0f\U000e0100"


@pytest.mark.parametrize(
    "spellings",
    [
        ("阿依古丽·买买提", "阿依古丽买买提", "阿依古麗•買買提", "阿依古丽. 买买提"),
        ("吕布", "呂布"),
        ("张靓颖", "张靚颖", "張靚穎", "张靓 颖"),
        ("于飞", "於飞", "於飛", "于飛"),
        ("欧阳娜娜", "歐陽娜娜", "欧陽 娜娜"),
        ("余秋", "馀秋", "餘秋"),
        ("沈钟", "瀋鍾", "沈锺", "沈鐘"),
        ("温说", "溫說", "溫説"),
        ("户德", "戶徳", "戸德"),
        ("ANNA MARIA", "Ａｎｎａ-Maria", "anna maria"),
    ],
)
def test_the_spellings_of_a_name_have_one_key(spellings):
    assert {make_name_key(spelling) for spelling in spellings} == {make_name_key(spellings[0])}


@pytest.mark.parametrize("joint", JOINTS, ids=[f"{ord(joint):04X}" for joint in JOINTS])
def test_no_joint_is_a_part_of_a_name(joint):
    assert make_name_key(f"阿依{joint}古丽") == "阿依古丽"


def test_rare_characters_are_names_of_their_own():
    assert len({make_name_key(f"王{rare}") for rare in "䶮㙓㼆𰻞"}) == 4
    assert make_name_key("王㙓") == "王㙓"


def list_names():
    with (SAMPLE / "roster-gb18030.csv").open(encoding="gb18030", newline="") as file:
        rows = list(csv.reader(file))
    head = next(row for row in rows if "姓名" in row)
    column = head.index("姓名")
    yield "sample", {normalise_name(row[column])[0] for row in rows if len(row) == len(head)}
    yield "surnames", set(people.SURNAMES)
    yield "given names", set(people.GIVEN)
    yield "serial names", set(map(name, range(20_000)))


@pytest.mark.parametrize(("source", "names"), [*list_names()])
def test_different_names_have_different_keys(source, names):
    assert len(names) > 10, source
    assert len(set(map(make_name_key, names))) == len(names)


@given(st.text())
@example("㊞ᾳ\u0345İß⼾")
def test_making_a_name_key_twice_changes_nothing(name):
    assert make_name_key(make_name_key(name)) == make_name_key(name)


def test_every_character_has_one_key():
    keys = [make_name_key(char) for char in EVERY_CHARACTER]
    assert list(map(make_name_key, keys)) == keys
    assert not any(drop_invisible(key) != key for key in keys)


def test_the_table_is_the_one_that_ledgers_were_written_with():
    """With another one, the digests of name keys in ledgers miss the names whose class changed."""
    assert hashlib.sha256(CLASSES.encode()).hexdigest().startswith("8c894819bc351792")


def test_no_character_is_in_two_classes():
    classes = CLASSES.split()
    assert len(classes) > 3_900
    assert not any(set(first) & set(second) for first, second in combinations(classes[::40], 2))
    assert len("".join(classes)) == len(set("".join(classes)))
