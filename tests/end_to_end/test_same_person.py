"""A person whose number was corrected: one seal, whatever else changed with the number."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from crash_support import Zygote
from people import make_row, name, number
from PIL import Image
from resolution_support import list_made_seals, run_later
from run_support import draw_seal
from wire_support import fault

WRONG, RIGHT = number(1), number(501)  # of the person who stands in every test
SEAL_NAME = f"{name(1)}处方章"


LONG = bool(os.environ.get("CRASH"))  # make crash


def person(*, card=RIGHT, mobile="15400000001", staff_no="00001", known_as=None):
    return (known_as or name(1), card, mobile, staff_no, "内科")


def others(*serials):
    return [make_row(serial) for serial in serials]


def scan_anew(hospital, staff_no="00001", serial=901):
    draw_seal(hospital.folder / "seals" / f"{staff_no}.png", serial)


def save_as_jpeg(hospital):
    path = hospital.folder / "seals" / "00001.png"
    Image.open(path).save(path.with_suffix(".jpg"), quality=95)
    path.unlink()


def seals_of(hospital, *numbers) -> list:
    """The seals that the service made for one human, who has all of these numbers."""
    numbers = {card.casefold() for card in numbers or (WRONG, RIGHT)}
    return [seal for seal in hospital.service.seals if seal.number.casefold() in numbers]


def row_of(hospital, file="outcomes.jsonl", card=RIGHT) -> dict:
    (row,) = [row for row in hospital.outcomes(file) if (row["id_masked"] or "").endswith(card[-4:])]
    return row


def seal_three(hospital):
    """Let three doctors have their seals."""
    hospital.seal_doctors(3)


def hold_first(hospital):
    """Correct the number of the first of three sealed doctors, and scan the picture again."""
    hospital.seal_doctors(3)
    scan_anew(hospital)
    hospital.roster([person(), *others(2, 3)])
    assert hospital.go("run") == 3


@pytest.fixture
def sealed(scene):
    return scene(seal_three)


@pytest.fixture
def held(scene):
    return scene(hold_first)


def assert_held(hospital, *, evidence):
    row = row_of(hospital)
    assert (row["status"], row["codes"], row["seal_id"]) == ("rejected", ["PERSON_POSSIBLY_SAME"], None)
    message = row["problems"][0]["message"]
    for word in (SEAL_NAME, WRONG[-4:], evidence, "“One person”", "“Another person”"):
        assert word in message, word
    assert len(seals_of(hospital)) == 1


# -- held


@pytest.mark.parametrize("picture", [scan_anew, save_as_jpeg, lambda _: None])
def test_a_corrected_number_is_held_whatever_became_of_the_picture(sealed, picture):
    picture(sealed)
    sealed.roster([person(), *others(2, 3)])
    assert sealed.go("run") == 3
    assert_held(sealed, evidence="SealId " + list_made_seals(sealed)[name(1)])


def test_a_held_row_stays_held_in_the_next_run(held):
    assert held.go("run") == 3
    assert_held(held, evidence="SealId " + list_made_seals(held)[name(1)])


@pytest.mark.parametrize(
    ("differs", "picture"),
    [
        ({"staff_no": "00077"}, "00077"),
        ({"staff_no": None}, name(1)),
        ({"mobile": "15400000077"}, "00001"),
        ({"mobile": None}, "00001"),
        ({"mobile": None, "staff_no": "０１"}, "01"),
    ],
)
def test_one_of_staff_number_and_mobile_is_enough(sealed, differs, picture):
    (sealed.folder / "seals" / "00001.png").unlink()
    scan_anew(sealed, picture)
    sealed.roster([person(**differs), *others(2, 3)])
    assert sealed.go("run") == 3
    assert row_of(sealed)["codes"][-1] == "PERSON_POSSIBLY_SAME"
    assert len(seals_of(sealed)) == 1


def test_a_namesake_with_another_staff_number_and_mobile_is_sent(sealed):
    scan_anew(sealed, "00077")
    sealed.roster([person(staff_no="00077", mobile="15400000077"), *others(2, 3)])
    assert sealed.go("run") == 0
    assert row_of(sealed)["status"] == "sealed"


def test_another_name_with_the_same_staff_number_is_sent_with_a_picture_of_its_own(sealed):
    """A file called by the number alone may be a new scan of the seal's owner."""
    scan_anew(sealed)
    sealed.roster([person(known_as=name(40), mobile="15400000077"), *others(2, 3)])
    assert sealed.go("run") == 3
    assert row_of(sealed)["codes"] == ["IMAGE_AMBIGUOUS"]
    for own in (f"00001{name(40)}", RIGHT):
        (sealed.folder / "seals" / "00001.png").rename(sealed.folder / "seals" / f"{own}.png")
        assert sealed.go("check") == 0
        (sealed.folder / "seals" / f"{own}.png").rename(sealed.folder / "seals" / "00001.png")


def test_a_number_that_the_live_seal_was_made_with_is_no_other_persons(held):
    """The word that it is the same person was wrong, and a seal was made with the number meanwhile."""
    assert held.go("resolve", RIGHT[-4:], "--same-person") == 0
    assert held.go("resolve", RIGHT[-4:], "--replace", "--seal-name", f"{name(1)}新处方章") == 0
    assert held.go("run") == 0
    scan_anew(held, serial=902)
    assert held.go("run") == 3
    assert row_of(held)["status"] == "changed"
    for words in (("--other-person",), ("--withdraw", "--sure")):
        assert held.go("resolve", RIGHT[-4:], *words) == 2, words
    assert held.go("run") == 3
    assert len(seals_of(held, RIGHT)) == 1


@pytest.mark.parametrize("way", [("--keep",), ("--replace", "--seal-name", "新处方章")])
def test_a_picture_of_a_seal_of_before_stays_its_persons(sealed, way):
    """Kept or replaced, then the doctor left and the first picture lies there again for a newcomer."""
    picture = sealed.folder / "seals" / "00001.png"
    first = picture.read_bytes()
    scan_anew(sealed)
    assert sealed.go("run") == 3
    assert sealed.go("resolve", name(1), *way) == 0
    assert sealed.go("run") == 0
    (sealed.folder / "seals" / "00077.png").write_bytes(first)
    sealed.roster([person(staff_no="00077", mobile="15400000077", known_as=name(40)), *others(2, 3)])
    assert sealed.go("run") == 3
    assert (row_of(sealed)["status"], row_of(sealed)["codes"]) == ("rejected", ["IMAGE_AMBIGUOUS"])


def test_a_person_in_the_roster_under_the_old_number_blocks_no_other_row(sealed):
    """Two people of one name: the rule for rows beside each other judges them."""
    scan_anew(sealed, "00077")
    sealed.roster([*others(1, 2, 3), person(staff_no="00077", mobile="15400000077")])
    assert sealed.go("run") == 0
    assert len(seals_of(sealed)) == 2


def test_the_row_of_the_sealed_person_keeps_its_seal_and_loses_its_warning_once_decided(sealed):
    scan_anew(sealed, "00077")
    sealed.roster([*others(1, 2, 3), person(staff_no="00077")])
    for _ in range(3):
        assert sealed.go("run") == 3
        assert row_of(sealed, card=WRONG)["status"] == "unchanged"
        assert row_of(sealed, card=WRONG)["codes"] == ["PERSON_POSSIBLY_SAME", "MOBILE_DUPLICATE"]
        assert row_of(sealed)["codes"] == ["MOBILE_DUPLICATE", "PERSON_POSSIBLY_SAME"]
    assert run_later(sealed, "resolve", RIGHT[-4:], "--other-person") == 0
    assert sealed.run_to_end("run") == (0, {"sealed": 1, "unchanged": 3})
    for _ in range(2):
        assert row_of(sealed, card=WRONG)["codes"] == ["MOBILE_DUPLICATE"]
        assert sealed.run_to_end("run") == (0, {"unchanged": 4})


def test_check_holds_it_before_anything_is_sent(sealed):
    scan_anew(sealed)
    sealed.roster([person(), *others(2, 3)])
    calls = len(sealed.service.received)
    assert sealed.go("check") == 3
    (line,) = [
        json.loads(line)
        for line in (sealed.runs[-1] / "plan.jsonl").read_text("utf-8").splitlines()
        if RIGHT[-4:] in line and "rejected" in line
    ]
    assert line["codes"] == ["PERSON_POSSIBLY_SAME"]
    assert len(sealed.service.received) == calls


@pytest.mark.parametrize("arguments", [("run", "--limit", "5"), ("retry",)])
def test_no_other_command_sends_the_held_row(held, arguments):
    assert held.go(*arguments) == 3
    assert len(seals_of(held)) == 1


def test_a_number_put_back_as_it_was_is_unchanged(held):
    held.roster([person(card=WRONG), *others(2, 3)])
    draw_seal(held.folder / "seals" / "00001.png", 1)
    assert held.run_to_end("run") == (0, {"unchanged": 3})


def test_a_staff_number_that_changed_since_the_seal_counts(sealed):
    sealed.roster([person(card=WRONG, staff_no="00088"), *others(2, 3)])
    draw_seal(sealed.folder / "seals" / "00088.png", 1)
    assert sealed.go("run") == 0
    scan_anew(sealed, "00088")
    sealed.roster([person(staff_no="00088", mobile="15400000077"), *others(2, 3)])
    assert sealed.go("run") == 3
    assert len(seals_of(sealed)) == 1


# -- decided


def test_the_same_person_keeps_the_one_seal(held):
    assert run_later(held, "resolve", name(1), "--same-person", "--why", "saw the card") == 0
    creates = held.creates()
    assert held.go("run") == 3
    row = row_of(held)
    assert (row["status"], row["seal_id"]) == ("changed", list_made_seals(held)[name(1)])
    assert "number" in row["problems"][0]["message"]
    assert "picture" in row["problems"][0]["message"]
    assert run_later(held, "resolve", name(1), "--keep") == 0
    assert held.run_to_end("run") == (0, {"unchanged": 3})
    assert held.creates() == creates
    assert len(seals_of(held)) == 1


def test_the_same_person_may_have_a_new_seal_made_in_place_of_the_old(held):
    assert run_later(held, "resolve", name(1), "--same-person") == 0
    assert run_later(held, "resolve", name(1), "--replace", "--seal-name", "新处方章") == 0
    assert held.go("run") == 0
    assert [(seal.number, seal.seal_name) for seal in seals_of(held)] == [
        (WRONG, SEAL_NAME),
        (RIGHT, "新处方章"),
    ]
    assert held.run_to_end("run") == (0, {"unchanged": 3})


def test_another_person_gets_a_seal_distinguished_by_name(held):
    assert run_later(held, "resolve", list_made_seals(held)[name(1)], "--other-person") == 0
    creates = held.creates()
    decide_picture(held)
    assert held.go("run") == 0
    row = row_of(held)
    assert (row["status"], row["seal_name"]) == ("sealed", f"{name(1)}〇〇〇〇一处方章")
    assert held.creates() == creates + 1
    assert held.go("run") == 0
    assert held.creates() == creates + 1


def decide_picture(hospital):
    """Enter that the file, which the other person had, is this doctor's: it was held."""
    creates = hospital.creates()
    assert hospital.go("run") == 3
    assert (row_of(hospital)["codes"], hospital.creates()) == (["IMAGE_AMBIGUOUS"], creates)
    assert run_later(hospital, "resolve", name(1), "--keep") == 0


def test_another_person_with_the_very_picture_is_not_sent(sealed):
    sealed.roster([person(), *others(2, 3)])
    assert sealed.go("run") == 3
    assert run_later(sealed, "resolve", name(1), "--other-person") == 0
    assert sealed.go("run") == 3
    assert row_of(sealed)["codes"] == ["IMAGE_SHARED"]
    assert len(seals_of(sealed)) == 1


@pytest.mark.parametrize("kept", [False, True])
def test_the_old_number_back_in_the_roster_is_the_same_person(held, kept):
    assert run_later(held, "resolve", name(1), "--same-person") == 0
    if kept:
        assert run_later(held, "resolve", name(1), "--keep") == 0
    creates = held.creates()
    held.roster([person(card=WRONG), *others(2, 3)])
    assert held.go("run") == 3
    row = row_of(held, card=WRONG)
    assert (row["status"], row["seal_id"]) == ("changed", list_made_seals(held)[name(1)])
    assert held.creates() == creates


def test_both_numbers_in_one_roster_are_one_person_twice(held):
    assert run_later(held, "resolve", name(1), "--same-person") == 0
    creates = held.creates()
    scan_anew(held, "00077")
    held.roster([person(card=WRONG, staff_no="00077", mobile="15400000077"), person(), *others(2, 3)])
    assert held.go("run") == 3
    for card in (WRONG, RIGHT):
        assert row_of(held, card=card)["codes"] == ["ROW_DUPLICATE"]
    assert held.creates() == creates


def test_a_number_corrected_twice_is_one_person(held):
    assert run_later(held, "resolve", name(1), "--same-person") == 0
    held.roster([person(card=number(601)), *others(2, 3)])
    assert held.go("run") == 3
    assert row_of(held, card=number(601))["codes"] == ["PERSON_POSSIBLY_SAME"]
    assert run_later(held, "resolve", name(1), "--same-person") == 0
    assert held.go("run") == 3
    assert row_of(held, card=number(601))["status"] == "changed"
    assert len(seals_of(held, WRONG, RIGHT, number(601))) == 1


def test_the_decision_same_person_can_be_reversed(held):
    before = row_of(held)
    assert run_later(held, "resolve", name(1), "--same-person") == 0
    assert held.go("run") == 3
    assert row_of(held)["status"] == "changed"
    assert run_later(held, "resolve", name(1), "--withdraw") == 0
    assert held.go("run") == 3
    assert [row_of(held)[part] for part in ("status", "codes", "key")] == [
        before[part] for part in ("status", "codes", "key")
    ]
    assert run_later(held, "resolve", name(1), "--other-person") == 0
    decide_picture(held)
    assert held.go("run") == 0
    assert row_of(held)["status"] == "sealed"


def test_a_decision_about_a_row_that_is_not_held_is_refused(sealed, capsys):
    draw_seal(sealed.folder / "seals" / "00001.png", 901)
    sealed.go("run")
    assert run_later(sealed, "resolve", name(1), "--same-person") == 2
    assert run_later(sealed, "resolve", name(1), "--other-person") == 2


def test_the_decision_outlives_the_ledger(held):
    assert run_later(held, "resolve", name(1), "--same-person") == 0
    assert held.go("ledger", "check") == 0
    held.lose_ledger()
    assert held.go("run") == 3
    assert row_of(held)["status"] == "changed"
    assert len(seals_of(held)) == 1


def test_a_repaired_ledger_knows_staff_number_and_mobile(sealed):
    for differs in ({"staff_no": "00077"}, {"mobile": "15400000077"}):
        scan_anew(sealed, "00077")
        scan_anew(sealed)
        sealed.roster([person(**differs), *others(2, 3)])
        sealed.lose_ledger()
        assert sealed.go("run") == 3
        assert row_of(sealed)["codes"] == ["PERSON_POSSIBLY_SAME"]
        assert len(seals_of(sealed)) == 1


def test_two_people_by_decision_may_be_in_one_roster(sealed):
    draw_seal(sealed.folder / "seals" / "00077.png", 901)
    sealed.roster([person(staff_no="00077"), *others(2, 3)])
    assert sealed.go("run") == 3
    assert run_later(sealed, "resolve", name(1), "--other-person") == 0
    sealed.roster([person(staff_no="00077"), *others(1, 2, 3)])
    assert sealed.run_to_end("run") == (0, {"sealed": 1, "unchanged": 3})
    assert sealed.run_to_end("run") == (0, {"unchanged": 4})


@pytest.mark.parametrize("word", ["--same-person", "--other-person"] if LONG else ["--same-person"])
def test_a_kill_at_every_write_of_the_decision_loses_nothing(held, word, tmp_path):
    seals, state_home = held.folder / "seals", Path(os.environ["XDG_STATE_HOME"])
    folders = {
        held.folder / "state": tmp_path / "before" / "state",
        held.folder / "out": tmp_path / "before" / "out",
        state_home: tmp_path / "before" / "state home",  # the journal there holds the decision before
    }
    (seals / "00001.png").rename(
        seals / f"{RIGHT}.png"
    )  # by the staff number it would be held for another person
    for folder, before in folders.items():
        shutil.copytree(folder, before)
    settled = {"--same-person": "changed", "--other-person": "sealed"}[word]

    def afresh():
        for folder, before in folders.items():
            shutil.rmtree(folder)
            shutil.copytree(before, folder)

    with Zygote() as zygote:
        passed = zygote.run(held, "resolve", name(1), word)["points"]
        points = [(point, passed[: n + 1].count(point)) for n, point in enumerate(passed)]
        assert {"journal: before the append", "ledger: before the commit", "ledger: after the commit"} <= {
            point for point, _ in points
        }
        if not LONG:
            points = list(dict(points).items())  # each of them once, where it is passed last
        for point, count in points:
            afresh()
            made_before = len(held.service.seals)
            order = {"name": point, "pass": count}
            ended = zygote.run(held, "resolve", name(1), word, **order)
            assert ended["signal"] is not None, point
            if point != "ledger: after the commit":
                assert zygote.run(held, "resolve", name(1), word)["code"] in {0, 2}, point
            zygote.run(held, "run")
            assert row_of(held)["status"] == settled, point
            assert len(held.service.seals) == made_before + (word == "--other-person"), point
            assert zygote.run(held, "ledger", "check")["code"] == 0, point
            held.service.reset()


# -- a create without a verdict in place of the seal


def lose_answer(hospital):
    """Make the first doctor's seal, whose answer is lost; then correct the number."""
    hospital.roster([person(card=WRONG)])
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    assert hospital.run_to_end("run") == (3, {"unknown": 1})
    scan_anew(hospital)
    hospital.roster([person()])
    assert hospital.go("run") == 3


@pytest.fixture
def lost(scene):
    return scene(lose_answer, faults=[fault("reset_after", nth=(1,))])


def test_a_create_without_a_verdict_holds_a_corrected_number_too(lost):
    assert_held(lost, evidence="TraceId")


def test_an_unknown_create_stays_unknown_under_the_corrected_number(lost):
    assert run_later(lost, "resolve", name(1), "--same-person") == 0
    creates = lost.creates()
    assert lost.go("run") == 3
    assert row_of(lost)["status"] == "unknown"
    assert run_later(lost, "resolve", name(1), "--sure", "--seal-id", list_made_seals(lost)[name(1)]) == 0
    assert lost.go("run") == 3
    assert (row_of(lost)["status"], lost.creates()) == ("changed", creates)


def test_another_person_than_the_lost_create_is_sent(lost):
    assert run_later(lost, "resolve", name(1), "--other-person") == 0
    decide_picture(lost)
    assert lost.go("run") == 0
    assert row_of(lost)["status"] == "sealed"


# -- seals made elsewhere


def test_an_adopted_seal_holds_a_corrected_number(hospital):
    hospital.roster([person(card=WRONG)])
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    hospital.roster(
        [(*person(card=WRONG), "yD" + "a1B2" * 7 + "zz")],
        headers=("姓名", "证件号码", "手机号", "工号", "科室", "印章ID"),
        file="../adopt.xlsx",
    )
    assert hospital.go("adopt", str(hospital.folder / "adopt.xlsx")) == 0
    for differs in ({"staff_no": "00077"}, {"mobile": "15400000077"}):
        scan_anew(hospital, "00077")
        hospital.roster([person(**differs)])
        assert hospital.go("run") == 3
        assert row_of(hospital)["codes"] == ["PERSON_POSSIBLY_SAME"]
    assert run_later(hospital, "resolve", name(1), "--same-person") == 0
    assert hospital.go("run") == 0
    assert row_of(hospital)["status"] == "unchanged"
    assert hospital.creates() == 0


def test_a_roster_named_on_the_command_line_is_read_again_to_decide(sealed):
    scan_anew(sealed)
    (sealed.folder / "inbox" / "roster.xlsx").unlink()
    sealed.roster([person()], file="../named.xlsx")
    assert sealed.go("run", str(sealed.folder / "named.xlsx")) == 3
    assert run_later(sealed, "resolve", name(1), "--same-person") == 0
    assert run_later(sealed, "resolve", name(1), "--keep") == 0
    assert sealed.run_to_end("run", str(sealed.folder / "named.xlsx")) == (0, {"unchanged": 1})


# -- what people read


def test_the_list_shows_both_and_the_two_commands(held, capsys):
    capsys.readouterr()
    assert run_later(held, "resolve") == 3
    printed = "".join(capsys.readouterr())
    for word in (
        SEAL_NAME,
        WRONG[-4:],
        RIGHT[-4:],
        list_made_seals(held)[name(1)],
        "--same-person",
        "--other-person",
    ):
        assert word in printed, word
    report = (held.folder / "out" / "latest" / "report.html").read_text("utf-8")
    assert "may be a known doctor" in report


def test_a_name_is_asked_for_in_any_spelling(hospital, capsys):
    """Rows with a usable number, and one without, which is the same doctor's by the staff number."""
    for serial in (1, 2):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    hospital.roster([person(card=WRONG, known_as="吕布"), *others(2)])
    assert hospital.go("run") == 0
    hospital.roster([person(card=WRONG, known_as="呂布"), *others(2)])
    assert hospital.go("run") == 3
    hospital.roster([person(card=f"{WRONG[:-1]}?", known_as="呂布"), *others(2)])
    assert hospital.go("run") == 3
    for query in ("吕布", "呂布", "呂 布"):
        capsys.readouterr()
        assert hospital.go("explain", query) == 0
        stdout_text = capsys.readouterr().out
        for words in ("呂布", "also written as: 吕布", "Sealed", "CONTENT_CHANGED", "To correct"):
            assert words in stdout_text, (query, words)


def test_an_adopted_seal_is_known_by_another_spelling(hospital):
    sheet = hospital.folder / "old.csv"
    sheet.write_text(
        f"姓名,证件号码,手机号,工号,印章ID\n吕布,{WRONG},15400000001,00001,{'a' * 32}\n", "utf-8"
    )
    assert hospital.go("adopt", str(sheet)) == 0
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    hospital.roster([person(known_as="呂布")])
    assert hospital.go("run") == 3
    assert row_of(hospital)["codes"] == ["PERSON_POSSIBLY_SAME"]
    assert hospital.creates() == 0


def test_explain_ends_with_the_two_commands_and_shows_the_decision(held, capsys):
    capsys.readouterr()
    held.go("explain", name(1), RIGHT[-4:])
    stdout_text = capsys.readouterr().out
    seal_id = list_made_seals(held)[name(1)]
    assert f"resolve {seal_id} --same-person" in stdout_text
    assert f"resolve {seal_id} --other-person" in stdout_text
    assert run_later(held, "resolve", seal_id, "--same-person", "--why", "saw the card") == 0
    held.go("run")
    capsys.readouterr()
    assert held.go("explain", name(1)) == 0, "one person, one story"
    stdout_text = capsys.readouterr().out
    assert "saw the card" in stdout_text
    assert "PERSON_POSSIBLY_SAME" in stdout_text
    assert held.go("explain", RIGHT) == 0
    assert held.go("explain", WRONG) == 0
