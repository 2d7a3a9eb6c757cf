"""A seal name that the service has already: the row is held, and nothing leads to a second seal."""

import openpyxl
import pytest
from people import make_row, name, number
from resolution_support import list_made_seals, run_later
from result_sheet import ResultSheet
from wire_support import CREATE, fault, set_limits

from pipeline.sandbox.actions import Rules

OWN = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称")
TAKEN = fault({"code": "FailedOperation.ExistSameSealName"})


@pytest.fixture
def sealed_before(request, scene):
    """Two doctors have seals that this ledger does not know; the service refuses a name it has, by a code or by words alone."""

    def play(hospital):
        hospital.seal_doctors(2, write=False)
        hospital.forget_ledger()

    return scene(play, rules=Rules(limiter="none", unique_names=getattr(request, "param", "code")))


def own_names(hospital, names: dict[int, str], *, rows: int) -> None:
    """Write the roster again with seal names of its own."""
    roster_rows = [(*make_row(serial), names.get(serial)) for serial in range(1, rows + 1)]
    hospital.roster(roster_rows, headers=OWN)


def sheet_of(hospital, key: str):
    opened = ResultSheet(hospital.folder / "out" / "latest" / "results.xlsx", key)
    return opened.book, opened.sheet


@pytest.mark.parametrize("sealed_before", ["code", "bare"], indirect=True)
def test_a_name_that_exists_holds_the_row_and_advises_no_other_name(sealed_before, capsys):
    assert sealed_before.run_to_end("run") == (3, {"exists": 2})
    stderr_text = capsys.readouterr().err
    _, fix = sheet_of(sealed_before, "sheet.fix")
    assert fix.max_row <= 2, "nothing stands in To fix"
    _, sheet = sheet_of(sealed_before, "sheet.unknown")
    cell_texts = " ".join(str(cell.value) for row in sheet.iter_rows(min_row=2) for cell in row if cell.value)
    assert cell_texts.count("may be this doctor's") == 2
    for text in (stderr_text, cell_texts, str(sealed_before.outcomes())):
        assert "choose another" not in text
        assert "another doctor" not in text
    sent = sealed_before.creates()
    assert sealed_before.go("run") == 3
    assert sealed_before.go("retry") in {0, 3}
    assert sealed_before.creates() == sent, "it is held"
    for language, words in (("zh", "未知 0 人 · 名称已存在 2 人"), ("en", "unknown: 0 · name exists: 2")):
        capsys.readouterr()
        assert sealed_before.go("--lang", language, "status") == 0
        assert words in capsys.readouterr().out


def test_another_name_in_the_roster_makes_no_second_seal(sealed_before):
    sealed_before.go("run")
    own_names(sealed_before, {1: "甲处方章", 2: "乙处方章"}, rows=2)
    assert sealed_before.go("run") == 3
    assert sealed_before.service.list_duplicates() == {}
    assert sealed_before.statuses() == {"exists": 2}


def test_a_seal_of_this_person_is_adopted_by_its_seal_id(sealed_before):
    sealed_before.go("run")
    for who, seal_id in list_made_seals(sealed_before).items():
        assert run_later(sealed_before, "resolve", who, "--sure", "--seal-id", seal_id) == 0
    assert sealed_before.go("run") == 0
    assert {row["name"]: row["seal_id"] for row in sealed_before.outcomes()} == list_made_seals(sealed_before)
    assert sealed_before.service.list_duplicates() == {}


def test_another_persons_name_is_left_for_the_staff_numbers_form(hospital_with):
    hospital = hospital_with(faults=[TAKEN])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    (row,) = [row for row in hospital.outcomes() if row["status"] == "exists"]
    assert run_later(hospital, "resolve", row["name"], "--sure", "--not-theirs", "--why", "seen") == 0
    assert hospital.go("run") == 0
    (seal,) = [seal for seal in hospital.service.seals if seal.name == row["name"]]
    digits = row["staff_no"].translate(str.maketrans("0123456789", "〇一二三四五六七八九"))
    assert seal.seal_name == f"{row['name']}{digits}处方章"
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert hospital.go("ledger", "check") == 0


def test_when_the_name_with_the_staff_number_exists_the_department_is_added_and_then_the_row_is_rejected(
    hospital_with,
):
    hospital = hospital_with(faults=[fault({"code": "FailedOperation.ExistSameSealName"}, nth=(2, 3, 4))])
    hospital.doctors(2)
    used = []
    assert hospital.go("run") == 3
    for status in ("exists", "exists", "rejected"):
        (row,) = [row for row in hospital.outcomes() if not row["seal_id"]]
        used.append(row["seal_name"])
        assert run_later(hospital, "resolve", row["name"], "--sure", "--not-theirs") == 0
        assert hospital.go("run") == 3
        (row,) = [row for row in hospital.outcomes() if not row["seal_id"]]
        assert row["status"] == status
    assert len(set(used)) == 3, "a name that is another's is never sent again"
    assert row["codes"] == ["SEAL_NAME_DUPLICATE"]


def test_a_name_of_the_rosters_own_that_is_anothers_is_asked_for_anew(hospital_with):
    hospital = hospital_with(faults=[TAKEN])
    hospital.doctors(2)
    own_names(hospital, {1: "甲处方章", 2: "乙处方章"}, rows=2)
    assert hospital.go("run") == 3
    (row,) = [row for row in hospital.outcomes() if row["status"] == "exists"]
    assert row["codes"] == []
    assert run_later(hospital, "resolve", row["name"], "--sure", "--not-theirs") == 0
    sent = hospital.creates()
    assert hospital.go("run") == 3
    (row,) = [row for row in hospital.outcomes() if row["status"] == "rejected"]
    assert row["codes"] == ["SEAL_NAME_DUPLICATE"]
    assert hospital.creates() == sent
    own_names(
        hospital,
        {1: "丙处方章", 2: "丁处方章"}
        | {int(row["staff_no"]): row["seal_name"] for row in hospital.outcomes() if row["seal_id"]},
        rows=2,
    )
    assert hospital.go("run") == 0
    assert hospital.service.list_duplicates() == {}


def test_the_namesake_whose_seal_it_is_meets_the_same_question(hospital_with):
    """The seal was the namesake's: sent under the plain name, that doctor is held and not sealed under another."""
    hospital = hospital_with()
    hospital.seal_doctors(1, write=False)
    seal_id = hospital.service.seals[0].seal_id
    hospital.forget_ledger()  # the namesake's seal was made elsewhere
    hospital.doctors(2)
    other = (name(1), number(2), "15400000002", "00002", "外科")
    hospital.roster([other])
    assert hospital.go("run") == 3
    assert run_later(hospital, "resolve", name(1), "--sure", "--not-theirs") == 0
    hospital.roster([other, (name(1), number(1), "15400000001", "00001", "内科")])
    (hospital.folder / "seals" / f"{number(1)}.png").write_bytes(
        (hospital.folder / "seals" / "00001.png").read_bytes()
    )
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "exists": 1})
    assert hospital.service.list_duplicates() == {}
    assert run_later(hospital, "resolve", "00001", "--sure", "--seal-id", seal_id) == 0
    assert hospital.go("run") == 0


def test_the_decision_comes_back_from_the_journals(hospital_with):
    hospital = hospital_with(faults=[TAKEN])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    (row,) = [row for row in hospital.outcomes() if row["status"] == "exists"]
    assert run_later(hospital, "resolve", row["name"], "--sure", "--not-theirs") == 0
    hospital.lose_ledger()
    assert hospital.go("run") == 0
    assert hospital.service.seals[-1].seal_name != row["seal_name"]


def test_not_theirs_is_for_names_that_exist_alone(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    (row,) = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    assert run_later(hospital, "resolve", row["name"], "--not-theirs") == 2


def test_the_sheet_names_the_command_of_each_row(hospital_with):
    hospital = hospital_with(faults=[fault({"code": "FailedOperation.ExistSameSealName"}, nth=(2, 3))])
    hospital.doctors(4)
    assert hospital.go("run") == 3
    waiting = {row["name"]: row["trace_id"] for row in hospital.outcomes() if row["status"] == "exists"}
    sheet = ResultSheet(hospital.folder / "out" / "latest" / "results.xlsx", "sheet.unknown")
    commands = {sheet.read(row, "Name"): sheet.read(row, "Command that shows it") for row in sheet.rows}
    assert commands == {name: f"esign-import resolve {trace}" for name, trace in waiting.items()}
    mine, others = waiting.values()
    assert run_later(hospital, "resolve", mine, "--sure", "--seal-id", "y" * 32) == 0
    assert run_later(hospital, "resolve", others, "--sure", "--not-theirs") == 0
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 3})


@pytest.fixture
def many_before(scene):
    """Seven doctors have seals that this ledger does not know."""

    def play(hospital):
        set_limits(hospital, 1000, 1)
        hospital.seal_doctors(7, write=False)
        hospital.forget_ledger()

    return scene(play)


def test_a_new_ledger_next_to_old_seals_stops_after_three_names(many_before, capsys):
    hospital = many_before
    assert hospital.go("run") == 5
    assert hospital.record()["halted"]["code"] == "SEALS_EXIST"
    assert 3 <= hospital.statuses()["exists"] <= 6
    assert "adopt" in capsys.readouterr().err
    assert hospital.run_to_end("run", "--accept-guards") == (3, {"exists": 7})
    assert hospital.service.list_duplicates() == {}


def test_the_first_doctors_that_were_sealed_alone_do_not_end_the_watch(many_before, capsys):
    """The documented way: one doctor first. The others have seals that the ledger does not know."""
    hospital = many_before
    hospital.doctors(1, start=20)
    assert hospital.run_to_end("run", "--limit", "1") == (0, {"sealed": 1})
    hospital.doctors(7)
    capsys.readouterr()
    assert hospital.go("run") == 5
    assert hospital.record()["halted"]["code"] == "SEALS_EXIST"
    stderr_text = capsys.readouterr().err
    assert "adopt --help" in stderr_text
    assert hospital.statuses()["exists"] <= 6
    assert hospital.service.list_duplicates() == {}


def test_adopted_seals_do_not_end_the_seals_exist_guard(many_before):
    hospital = many_before
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    for seal in hospital.service.seals[:2]:
        book.active.append((seal.name, seal.number, seal.seal_id))
    book.save(hospital.folder / "some.xlsx")
    assert hospital.go("adopt", str(hospital.folder / "some.xlsx")) == 0
    assert hospital.go("run") == 5
    assert hospital.record()["halted"]["code"] == "SEALS_EXIST"
    assert hospital.service.list_duplicates() == {}


def test_names_that_exist_are_counted_over_small_runs(many_before):
    hospital = many_before
    exits = [hospital.go("run", "--limit", "1") for _ in range(4)]
    assert exits == [3, 3, 5, 5], "the third one, and then the first of each run"
    assert hospital.creates() == 7 + 4


def test_after_twenty_seals_a_name_that_exists_stops_its_row_alone(hospital_with):
    hospital = hospital_with(
        faults=[fault({"code": "FailedOperation.ExistSameSealName"}, nth=(21, 22, 23, 24))]
    )
    hospital.seal_doctors(20, write=False)
    hospital.doctors(26)
    assert hospital.run_to_end("run") == (3, {"unchanged": 20, "exists": 4, "sealed": 2})


def test_the_same_refusal_because_of_existing_names_advises_adopt(hospital_with, capsys):
    code = {"code": "FailedOperation", "message": "存在同名印章"}
    hospital = hospital_with(faults=[{"match": {"action": CREATE, "from": 21}, "do": {"code": code}}])
    hospital.seal_doctors(20, write=False)
    hospital.doctors(44)
    capsys.readouterr()
    assert hospital.go("run") == 5
    assert hospital.record()["halted"]["code"] == "SAME_REFUSAL"
    stderr_text = capsys.readouterr().err
    assert "adopt --help" in stderr_text
    assert "settings" not in stderr_text
    hospital.go("status")
    assert "settings" not in capsys.readouterr().err
