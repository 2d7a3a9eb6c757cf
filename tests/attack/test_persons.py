"""One human under two numbers or spellings: a corrected number with a new scan, a name with or without its dot."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from attack.stage import CREATE, HEADERS, LONG, Person, Stage, person
from people import number

from pipeline.sandbox.actions import Rules

GROUP = "persons"
LATER = 640.0
OTHER = 700  # the serial of the number that doctor 1 is corrected to
SCANS = ("same", "drawn anew", "saved as JPEG", "named by the number")


def correct(stage: Stage, **changes: str) -> Person:
    """Return doctor 1 under another number of his, with other fields changed."""
    stage.know(1, number(1), number(OTHER))
    return replace(person(1), number=number(OTHER), **changes)


def scan_again(stage: Stage, scan: str) -> None:
    old = stage.folder / "seals" / f"{person(1).staff_no}.png"
    if scan == "drawn anew":
        stage.draw(1, drawing=7)
    elif scan == "saved as JPEG":
        old.unlink()
        stage.draw(1, f"{person(1).staff_no}.jpg", quality=88)
    elif scan == "named by the number":
        old.unlink()
        stage.draw(1, f"{number(OTHER)}.png", drawing=7)


KEPT = {
    "everything": {},
    "staff number alone": {"mobile": "15499990000"},
    "mobile alone": {"staff_no": "90001"},
    "another department": {"department": "外科"},
}
CASES = [(scan, kept) for scan in SCANS for kept in KEPT]


@pytest.mark.parametrize(("scan", "kept"), CASES if LONG else [("drawn anew", "everything")])
def test_a_corrected_number_is_no_second_person(stage, scan, kept):
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    scan_again(stage, scan)
    row = correct(stage, **KEPT[kept])
    if row.staff_no != person(1).staff_no:
        stage.draw(1, f"{row.staff_no}.png", drawing=7)
    stage.roster([row.cells, person(2).cells])
    stage.go("run")
    stage.go("retry")
    stage.assert_clean()
    assert [outcome["status"] for outcome in stage.outcomes() if outcome["name"] == row.name] != ["sealed"]


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("scan", SCANS if LONG else ())
def test_a_corrected_number_after_a_lost_answer_is_no_second_person(stage, scan):
    stage.strike({"match": {"action": CREATE, "user_name": person(1).name}, "do": "reset_after"})
    stage.hire(1, 2)
    assert stage.go("run").code == 3
    stage.strike()
    scan_again(stage, scan)
    stage.roster([correct(stage).cells, person(2).cells])
    stage.go("run", later=LATER)
    stage.go("retry", later=LATER)
    stage.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_the_seal_passes_to_the_corrected_number(stage):
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    stage.roster([correct(stage).cells, person(2).cells])
    scan_again(stage, "drawn anew")
    stage.go("run")
    decided = stage.go("resolve", person(1).name, "--same-person", later=LATER)
    stage.go("run", later=LATER)
    stage.assert_clean()
    assert decided.code == 0
    reported_rows = {row["name"]: row["status"] for row in stage.outcomes()}
    assert reported_rows[person(1).name] in {"changed", "unchanged"}


@pytest.mark.skipif(not LONG, reason="make attack")
def test_two_similar_people_are_sealed_after_resolve_other_person(stage):
    """The staff number was given anew: doctor 3 has the name and the staff number of doctor 1, who has left."""
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    stage.know(3)
    newcomer = replace(person(3), name=person(1).name, staff_no=person(1).staff_no)
    stage.draw(3, f"{newcomer.staff_no}.png")
    stage.roster([newcomer.cells, person(2).cells])
    stage.go("run")
    decided = stage.go("resolve", person(1).name, "--other-person", later=LATER)
    stage.go("run", later=LATER)
    assert set(stage.seals_of()) == {1, 2}, "a file called by the staff number may be the earlier doctor's"
    picture = stage.folder / "seals" / f"{newcomer.staff_no}.png"
    picture.rename(picture.with_name(f"{newcomer.number}.png"))
    stage.go("run", later=LATER)
    stage.assert_clean()
    assert decided.code == 0
    assert set(stage.seals_of()) == {1, 2, 3}


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_colleague_of_the_same_name_is_no_corrected_number(stage):
    """Both stand in the roster, so neither is the other's corrected number."""
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    stage.know(3)
    stage.draw(3)
    namesake = replace(person(3), name=person(1).name)
    stage.roster([person(1).cells, person(2).cells, namesake.cells])
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert set(stage.seals_of()) == {1, 2, 3}


# -- a corrected number and another spelling of the name

SPELLINGS = (
    ("阿依古丽·买买提", "阿依古丽买买提"),
    ("买买提.艾力", "買買提•艾力"),
    ("吕布", "呂布"),
    ("张靓颖", "张靚颖"),
    ("于飞", "於飞"),
    ("欧阳娜娜", "歐陽娜娜"),
    ("王小明", "王 小 明"),
)
if not LONG:  # one with a dot, one in other characters
    SPELLINGS = (SPELLINGS[0], SPELLINGS[5])
CORRECTED = 500  # added to the serial of the wrong number


def write(stage: Stage, spelling: int, *, corrected: bool, **changes: str) -> list[tuple[str, ...]]:
    """Return the doctors' rows in one of the two spellings, each with the wrong or the corrected number."""
    rows = []
    for serial, names in enumerate(SPELLINGS, start=1):
        card = number(serial + CORRECTED) if corrected else number(serial)
        stage.know(serial, card)
        row = replace(person(serial), name=names[spelling], number=card)
        rows.append(
            replace(row, **{field: text.format(serial=serial) for field, text in changes.items()}).cells
        )
    return rows


def draw_all(stage: Stage, *, corrected: bool = False, human: int = 0) -> None:
    """Draw a picture for each row, called by its identity number; a corrected one is a new scan."""
    for serial in range(1, len(SPELLINGS) + 1):
        card = number(serial + CORRECTED) if corrected else number(serial)
        stage.draw(serial + human, f"{card}.png", drawing=7 if corrected else 0)


def list_codes(stage: Stage, corrected: int = CORRECTED) -> list[list[str]]:
    endings = {number(serial + corrected)[-4:] for serial in range(1, len(SPELLINGS) + 1)}
    return [row["codes"] for row in stage.outcomes() if (row["id_masked"] or "")[-4:] in endings]


@pytest.fixture
def renamed(stage):
    """The doctors have their seals; then each number is corrected, each name spelt otherwise, each seal scanned anew."""
    draw_all(stage)
    stage.roster(write(stage, 0, corrected=False))
    assert stage.go("run").code == 0
    draw_all(stage, corrected=True)
    stage.roster(write(stage, 1, corrected=True))
    assert stage.go("run").code == 3
    return stage


@pytest.mark.parametrize("asked", [0, 1] if LONG else [0])
def test_another_spelling_of_the_name_is_no_second_person_and_the_seal_passes_to_it(renamed, asked):
    assert [codes[-1] for codes in list_codes(renamed)] == ["PERSON_POSSIBLY_SAME"] * len(SPELLINGS)
    renamed.go("retry")
    renamed.assert_clean()
    assert renamed.creates() == len(SPELLINGS)
    for names in SPELLINGS:
        assert renamed.go("resolve", names[asked], "--same-person", later=LATER).code == 0
    assert renamed.go("run", later=LATER).code == 3
    assert {row["status"] for row in renamed.outcomes()} == {"changed"}
    renamed.assert_clean()
    assert renamed.creates() == len(SPELLINGS)


def test_a_person_of_a_similar_name_is_sealed_after_resolve_other_person(renamed):
    for serial in range(1, len(SPELLINGS) + 1):
        renamed.know(serial + CORRECTED)
    draw_all(renamed, corrected=True, human=CORRECTED)
    for names in SPELLINGS:
        assert renamed.go("resolve", names[0], "--other-person", later=LATER).code == 0
    assert renamed.go("run", later=LATER).code == 0
    renamed.assert_clean()
    assert len(renamed.seals_of()) == 2 * len(SPELLINGS)


def test_two_spellings_in_two_rosters_are_no_two_people(stage):
    draw_all(stage)
    draw_all(stage, corrected=True)
    stage.roster(write(stage, 0, corrected=False), file="a.xlsx")
    stage.roster(write(stage, 1, corrected=True), file="b.xlsx")
    assert stage.go("run").code == 3
    assert stage.creates() == 0
    for corrected in (0, CORRECTED):
        assert all("PERSON_POSSIBLY_SAME" in codes for codes in list_codes(stage, corrected))
    (stage.folder / "inbox" / "a.xlsx").unlink()
    assert stage.go("run", "--accept-guards").code == 0
    stage.assert_clean()
    assert stage.creates() == len(SPELLINGS)


def test_a_second_roster_with_the_other_spelling_leaves_the_sealed_rows_alone(stage):
    draw_all(stage)
    stage.roster(write(stage, 0, corrected=False), file="a.xlsx")
    assert stage.go("run").code == 0
    draw_all(stage, corrected=True)
    stage.roster(write(stage, 1, corrected=True), file="b.xlsx")
    assert stage.go("run").code == 3
    assert sorted({(row["status"], row["file"]) for row in stage.outcomes()}) == [
        ("rejected", "b.xlsx"),
        ("unchanged", "a.xlsx"),
    ]
    for names in SPELLINGS:
        assert stage.go("resolve", names[1], "--same-person", later=LATER).code == 0
    stage.go("run", later=LATER)
    stage.assert_clean()
    assert stage.creates() == len(SPELLINGS)


def test_the_sealed_row_of_a_shorter_roster_hides_no_second_row(stage):
    """The old row gives name and number alone; the ledger knows the rest."""
    draw_all(stage)
    stage.roster(write(stage, 0, corrected=False), file="a.xlsx")
    assert stage.go("run").code == 0
    draw_all(stage, corrected=True)
    stage.roster([row[:2] for row in write(stage, 0, corrected=False)], headers=HEADERS[:2], file="a.xlsx")
    stage.roster(write(stage, 1, corrected=True), file="b.xlsx")
    assert stage.go("run").code == 3
    assert [codes[-1] for codes in list_codes(stage)] == ["PERSON_POSSIBLY_SAME"] * len(SPELLINGS)
    stage.assert_clean()
    assert stage.creates() == len(SPELLINGS)


OTHERWISE = {
    "another name": {"name": "甄贤"},
    "another name and staff number, the same picture": {"name": "甄贤", "staff_no": "9000{serial}"},
    "another name and mobile, the same picture": {"name": "甄贤", "mobile": "1549999000{serial}"},
    "another spelling and staff number": {"staff_no": "9000{serial}"},
    "another spelling and mobile": {"mobile": "1549999000{serial}"},
}


@pytest.mark.parametrize(
    ("case", "lost"),
    [*product(OTHERWISE, [False, True])]
    if LONG
    else [("another name", True), ("another name and staff number, the same picture", False)],
)
def test_two_marks_of_four_are_enough(stage, case, lost):
    """Whatever the other two are, and whether the first seal's answer came or not."""
    if lost:
        stage.strike({"match": {"action": CREATE}, "do": "reset_after"})
    draw_all(stage)
    stage.roster(write(stage, 0, corrected=False))
    stage.go("run")
    stage.strike()
    sent = stage.creates()
    if "picture" in case:
        for serial in range(1, len(SPELLINGS) + 1):
            path = stage.folder / "seals" / f"{number(serial)}.png"
            path.rename(path.with_name(f"{number(serial + CORRECTED)}.png"))
    else:
        draw_all(stage, corrected=True)
    stage.roster(write(stage, 1, corrected=True, **OTHERWISE[case]))
    stage.go("run", later=LATER)
    assert all("PERSON_POSSIBLY_SAME" in codes for codes in list_codes(stage))
    stage.go("retry", later=LATER)
    stage.assert_clean()
    assert stage.creates() == sent


def test_a_ward_with_one_mobile_is_sealed(stage):
    """One trait in common is no one person, neither in one run nor with people who have left."""
    ward = [replace(person(serial), mobile="15400009999") for serial in range(1, 11)]
    for row in ward:
        stage.know(row.serial)
        stage.draw(row.serial)
    stage.roster([row.cells for row in ward])
    assert stage.go("run").code == 0
    newcomer = replace(person(11), mobile="15400009999")
    stage.know(11)
    stage.draw(11)
    stage.roster([row.cells for row in (*ward[1:], newcomer)])
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert len(stage.seals_of()) == 11


# -- another card

CARDS = ("e12345678", "Ｅ12345678", " E1234 5678", "Ｅ１２３４５６７８")
TYPED = ("姓名", "证件号码", "手机号", "工号", "科室", "证件类型")


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("card", CARDS if LONG else ())
def test_another_card_in_another_spelling_is_no_second_person(stage_with, card):
    stage = stage_with(rules=Rules(limiter="none", unique_names="off", other_card_type=True))
    stage.configure(allow_other_card_type=True)
    stage.know(1, "E12345678", "e12345678", card, card.replace(" ", ""))
    stage.draw(1)
    for scan, written in ((0, "E12345678"), (7, card)):
        stage.draw(1, drawing=scan)
        row = (person(1).name, written, person(1).mobile, person(1).staff_no, "内科", "护照")
        stage.roster([row], headers=TYPED)
        stage.go("run")
    stage.assert_clean()
    assert len(stage.service.seals) == 1
