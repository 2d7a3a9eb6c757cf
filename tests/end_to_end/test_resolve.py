"""`resolve`: a human settles what the wire left open, and what changed since the seal was made."""

import re

import openpyxl
import pytest
from night_support import draw_seal, name, number
from resolution_support import find_unknown_rows, list_made_seals, run_later
from wire_support import fault

from pipeline.clock import SystemClock
from pipeline.messages.results import WORDS

ID = "yD" + "a1B2" * 7 + "zz"


@pytest.fixture
def night(hospital_with):
    """Doctor 2's answer was lost after executing, doctor 3's before."""
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,)), fault("reset_before", nth=(3,))])
    hospital.doctors(4)
    assert hospital.go("run") == 3
    assert hospital.statuses() == {"sealed": 2, "unknown": 2}
    return hospital


@pytest.fixture
def changed_too(night):
    """Beside them doctor 5's picture was replaced after the seal was made."""
    night.doctors(5)
    night.go("run")
    draw_seal(night.folder / "seals" / "00005.png", 77)
    night.go("run")
    assert night.statuses() == {"unchanged": 2, "unknown": 2, "changed": 1}


def test_the_list_says_what_to_search_for(night, capsys):
    assert run_later(night, "resolve") == 3
    data, told = capsys.readouterr()
    for who, row in find_unknown_rows(night).items():
        assert who in data
        assert row["trace_id"] in data
        assert row["seal_name"] in data
    assert "--seal-id" in told


def test_the_list_points_at_the_workbook_that_holds_the_rows_also_after_a_retry(night, capsys):
    night.roster([("王五", "1101", None, "00009", "内科")], file="bad.xlsx")
    night.go("run")
    first = night.folder / "out" / night.record()["run"] / "results.xlsx"
    traces = {row["trace_id"] for row in find_unknown_rows(night).values()}
    night.go("retry", str(first))
    assert find_unknown_rows(night) == {}
    capsys.readouterr()
    assert run_later(night, "resolve") == 3
    assert capsys.readouterr().err.rstrip().endswith(f"resolve {first}")
    for book in (night.folder / "out").glob("*/results.xlsx"):
        book.unlink()
    assert run_later(night, "resolve") == 3
    last = capsys.readouterr().err.split()
    assert last[-2] == "explain", "no workbook is left"
    assert last[-1] in traces


def test_namesakes_are_told_apart_also_where_their_roster_came_by_the_command_line(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2, 3))])
    hospital.doctors(3)
    rows = [(name(1), number(each), f"154{each:08d}", f"{each:05d}", "内科") for each in range(1, 4)]
    hospital.roster(rows)
    roster = (hospital.folder / "inbox" / "roster.xlsx").rename(hospital.folder / "other.xlsx")
    hospital.go("run", str(roster))
    lost = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    assert len(lost) == 2
    capsys.readouterr()
    assert run_later(hospital, "resolve") == 3
    data = capsys.readouterr().out.splitlines()
    for row in lost:
        (line,) = [line for line in data if row["trace_id"] in line]
        assert f"staff no. {row['staff_no']}, last four {row['id_masked'][-4:]}, other.xlsx" in line


def test_the_list_says_in_what_a_row_differs(changed, capsys):
    assert run_later(changed, "resolve") == 3
    data, told = capsys.readouterr()
    assert re.search(r"staff no\. 00001.* in: picture$", data, re.MULTILINE)
    seal_id = next(row["seal_id"] for row in changed.outcomes() if row["status"] == "changed")
    assert told.rstrip().endswith(f"explain {seal_id}")


def test_a_workbook_that_is_not_there_is_no_doctor(night, capsys):
    assert run_later(night, "resolve", "gone.xlsx") == 2
    assert "gone.xlsx does not exist" in capsys.readouterr().err


def test_each_kind_of_answer(night):
    lost, never = sorted(find_unknown_rows(night), key=lambda who: who not in list_made_seals(night))
    assert (
        run_later(
            night, "resolve", lost, "--seal-id", list_made_seals(night)[lost], "--why", "seen in the console"
        )
        == 0
    )
    assert run_later(night, "resolve", never, "--not-created", "--sure") == 0
    sent = night.creates()
    assert night.go("run") == 0
    assert night.statuses() == {"sealed": 1, "unchanged": 3}
    assert night.creates() == sent + 1
    assert night.service.find_duplicates() == {}
    assert list_made_seals(night) == {row["name"]: row["seal_id"] for row in night.outcomes()}


@pytest.mark.parametrize("query", ["name", "staff_no", "trace_id", "seal_name", "last four"])
def test_who_is_meant(night, query):
    row = next(iter(find_unknown_rows(night).values()))
    word = row["id_masked"][-4:] if query == "last four" else row[query]
    assert run_later(night, "resolve", word, "--seal-id", ID) == 0


def test_a_known_seal_id_or_a_strange_one_settles_nothing(night, capsys):
    who = next(iter(find_unknown_rows(night)))
    sealed = next(row["seal_id"] for row in night.outcomes() if row["seal_id"])
    assert run_later(night, "resolve", who, "--seal-id", sealed) == 2
    assert "another person" in capsys.readouterr().err
    assert run_later(night, "resolve", who, "--seal-id", "见控制台") == 2
    assert run_later(night, "resolve") == 3


def test_not_created_waits_for_the_signatures_fence(night, capsys):
    who = next(iter(find_unknown_rows(night)))
    assert run_later(night, "resolve", who, "--not-created", "--sure", clock=SystemClock()) == 2
    assert "may still be carried out" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        ("--seal-id", ID, "--not-created", "--sure"),
        ("--keep", "--replace"),
        ("--seal-name", "x"),
        ("--keep",),
    ],
)
def test_what_makes_no_sense_is_refused(night, words):
    assert run_later(night, "resolve", next(iter(find_unknown_rows(night))), *words) == 2


OWN = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称")


def with_own_name(hospital, serial: int, seal_name: str, *, rows: int) -> None:
    """Write the roster again, with a seal name of its own on one row."""
    hospital.doctors(rows)
    told = [
        (name(each), number(each), f"154{each:08d}", f"{each:05d}", "内科", seal_name * (each == serial))
        for each in range(1, rows + 1)
    ]
    hospital.roster(told, headers=OWN)


def test_a_new_name_beside_a_frozen_one_stops_its_row_and_no_other(night, capsys):
    """Whoever looked may have overlooked a seal: under another name the doctor would have two."""
    row = find_unknown_rows(night)[
        next(who for who in find_unknown_rows(night) if who not in list_made_seals(night))
    ]
    assert run_later(night, "resolve", row["trace_id"], "--not-created", "--sure") == 0
    with_own_name(night, int(row["staff_no"]), "新处方章", rows=6)
    assert night.go("run") == 3
    assert night.statuses() == {"sealed": 2, "unchanged": 2, "rejected": 1, "unknown": 1}
    told = next(each for each in night.outcomes() if each["status"] == "rejected")
    assert (told["codes"], row["seal_name"] in told["problems"][0]["message"]) == (["SEAL_NAME_FROZEN"], True)


def test_a_seal_that_was_overlooked_is_not_called_a_taken_name(night):
    lost = next(who for who in find_unknown_rows(night) if who in list_made_seals(night))
    assert run_later(night, "resolve", lost, "--not-created", "--sure") == 0
    assert night.go("run") == 3
    assert night.statuses() == {"unchanged": 2, "unknown": 1, "exists": 1}
    assert run_later(night, "resolve", lost, "--seal-id", list_made_seals(night)[lost]) == 0
    assert night.service.find_duplicates() == {}


def test_what_was_not_entered_ends_with_a_command_that_decides_nothing(night, changed_too, capsys):
    who, row = next(iter(find_unknown_rows(night).items()))
    seal_id = list_made_seals(night)[name(5)]
    for words, then in (
        ((who, "--seal-id", "见控制台"), f"resolve {row['trace_id']}"),
        ((who, "--keep"), f"resolve {row['trace_id']}"),
        ((name(5), "--not-created", "--sure"), f"resolve {seal_id}"),
        ((name(5), "--replace"), f"resolve {seal_id}"),
        (("gone.xlsx",), "resolve"),
        ((str(night.folder / "inbox" / "roster.xlsx"),), "resolve"),
        ((who, "--keep", "--replace"), "resolve --help"),
    ):
        capsys.readouterr()
        assert run_later(night, "resolve", *words) == 2, words
        assert capsys.readouterr().err.rstrip().endswith(f" {then}"), words
    assert run_later(night, "resolve", who, "--not-created", "--sure", clock=SystemClock()) == 2
    assert capsys.readouterr().err.rstrip().endswith(f" resolve {row['trace_id']}")


class Wrong(SystemClock):
    """A machine whose clock is wrong, read some seconds after the night."""

    def __init__(self, seconds: float, after: float = 0.0) -> None:
        self.seconds = seconds + after
        self.passed = after  # on the service's clock

    def now(self) -> float:
        return super().now() + self.seconds


@pytest.mark.parametrize(("wrong", "early", "late"), [(600, (0, 340), 380), (-600, (0, 380, 940), 980)])
def test_a_wrong_clock_never_ends_the_wait_for_a_late_copy_early(hospital_with, wrong, early, late):
    """The night learned the service's time and signed with it."""
    hospital = hospital_with(faults=[fault("truncated_json", nth=(1,))])
    hospital.doctors(1)
    assert run_later(hospital, "run", clock=Wrong(wrong)) == 3
    (who,) = find_unknown_rows(hospital)
    for after in early:
        assert (
            run_later(hospital, "resolve", who, "--not-created", "--sure", clock=Wrong(wrong, after)) == 2
        ), after
    assert run_later(hospital, "resolve", who, "--not-created", "--sure", clock=Wrong(wrong, late)) == 0


def test_several_that_answer_are_listed_and_the_next_command_names_one(night, capsys):
    rows = [(name(1), number(each), f"154{each:08d}", f"{each:05d}", "内科") for each in range(1, 5)]
    night.roster(rows)
    named = {row["trace_id"] for row in find_unknown_rows(night).values()} | set(
        list_made_seals(night).values()
    )
    assert run_later(night, "resolve", name(1), "--not-created", "--sure") == 2
    last = capsys.readouterr().err.split()
    assert (last[-2], last[-1] in named) == ("resolve", True)  # a doctor without a verdict, or a changed one


def test_nobody_and_too_many(night):
    assert run_later(night, "resolve", "没有此人", "--not-created", "--sure") == 2
    assert run_later(night, "resolve", "", "--not-created", "--sure") == 2


def fill(hospital, answers, **changes):
    """Fill in the Unknown sheet of the last results: name -> (SealId, conclusion)."""
    path = hospital.folder / "out" / "latest" / "results.xlsx"
    book = openpyxl.load_workbook(path)
    sheet = next(sheet for sheet in book if sheet.title in WORDS["sheet.unknown"])
    titles = {cell.value: cell.column for cell in sheet[1]}
    for row in range(2, sheet.max_row + 1):
        seal_id, conclusion = answers.get(sheet.cell(row, titles["Name"]).value, (None, None))
        sheet.cell(row, titles["SealId"], seal_id)
        sheet.cell(row, titles["Conclusion"], conclusion)
        for title, value in changes.items():
            sheet.cell(row, titles[title], value)
    target = hospital.folder / "filled.xlsx"
    book.save(target)
    return str(target)


def test_many_at_once_by_the_sheet(night, capsys):
    lost, never = sorted(find_unknown_rows(night), key=lambda who: who not in list_made_seals(night))
    path = fill(night, {lost: (list_made_seals(night)[lost], "created"), never: (None, "未创建（确定）")})
    assert run_later(night, "resolve", path) == 0
    assert "Lines entered: 2" in capsys.readouterr().err
    assert run_later(night, "resolve", path) == 3, "the second time there is nothing to settle"
    assert night.go("run") == 0
    assert night.statuses() == {"sealed": 1, "unchanged": 3}


def test_one_seal_id_copied_to_two_doctors_is_entered_for_nobody(hospital_with, capsys):
    """Filled down in Excel: the first of them would get the other's seal."""
    hospital = hospital_with(faults=[fault("reset_after", nth=(2, 3, 4))])
    hospital.doctors(4)
    assert hospital.go("run") == 3
    one, other, third = find_unknown_rows(hospital)
    answers = {who: (list_made_seals(hospital)[other], "created") for who in (one, other)}
    path = fill(hospital, answers | {third: (list_made_seals(hospital)[third], None)})
    assert run_later(hospital, "resolve", path) == 3
    assert capsys.readouterr().err.count("more than one doctor") == 2
    assert hospital.go("run") == 3
    assert set(find_unknown_rows(hospital)) == {one, other}


@pytest.fixture
def on_two_rows(night):
    """Two rows with different errors are no copies of each other: whoever is unknown has two lines."""
    for serial in range(1, 5):
        (night.folder / "seals" / f"{serial:05d}.png").unlink()
    rows = [(name(serial), number(serial), "154", f"{serial:05d}", "内科") for serial in range(1, 5)]
    night.roster(rows, file="again.xlsx")
    assert night.go("run") == 3
    assert night.statuses() == {"unchanged": 4, "unknown": 4}
    return night


@pytest.mark.parametrize("lost", [True, False])
def test_one_answer_on_the_two_lines_of_a_doctor(on_two_rows, lost):
    who = next(
        each for each in find_unknown_rows(on_two_rows) if (each in list_made_seals(on_two_rows)) is lost
    )
    answer = (list_made_seals(on_two_rows)[who], "created") if lost else (None, "未创建（确定）")
    assert run_later(on_two_rows, "resolve", fill(on_two_rows, {who: answer})) == 0
    assert on_two_rows.go("run") == 3
    assert who not in find_unknown_rows(on_two_rows)


def test_rows_that_contradict_each_other_hide_no_create_without_a_verdict(night):
    who, row = next(iter(find_unknown_rows(night).items()))
    rows = [(name(each), number(each), f"154{each:08d}", f"{each:05d}", "内科") for each in range(1, 5)]
    serial = int(row["staff_no"])
    night.roster([*rows, (who, number(serial), "15400009999", row["staff_no"], "外科")])
    assert night.go("run") == 3
    told = [each for each in night.outcomes() if each["name"] == who]
    assert [(each["status"], each["codes"], each["trace_id"]) for each in told] == [
        ("unknown", ["ROW_DUPLICATE"], row["trace_id"])
    ] * 2


def test_two_lines_of_a_doctor_that_do_not_agree_are_not_entered(on_two_rows, capsys):
    who, *_ = find_unknown_rows(on_two_rows)
    path = fill(on_two_rows, {who: (ID, "created")})
    book = openpyxl.load_workbook(path)
    sheet = next(sheet for sheet in book if sheet.title in WORDS["sheet.unknown"])
    titles = {cell.value: cell.column for cell in sheet[1]}
    row = next(row for row in range(2, 9) if sheet.cell(row, titles["Name"]).value == who)
    sheet.cell(row, titles["SealId"]).value = "yX" + ID[2:]
    book.save(path)
    assert run_later(on_two_rows, "resolve", path) == 3
    assert "do not agree" in capsys.readouterr().err
    assert run_later(on_two_rows, "resolve", who) == 3, "it is still open"


def test_a_trace_id_pasted_onto_another_doctors_line_refuses_the_sheet(night, capsys):
    one, other = find_unknown_rows(night).values()
    path = fill(night, {one["name"]: (ID, "created")})
    book = openpyxl.load_workbook(path)
    sheet = next(sheet for sheet in book if sheet.title in WORDS["sheet.unknown"])
    (cell,) = [cell for line in sheet for cell in line if cell.value == other["trace_id"]]
    cell.value = one["trace_id"]
    book.save(path)
    assert run_later(night, "resolve", path) == 2
    assert "does not agree" in capsys.readouterr().err


@pytest.mark.parametrize("answer", [(None, "已创建"), (ID, "未创建"), ("?", "已创建"), (ID, "maybe")])
def test_a_line_that_contradicts_itself_is_not_entered(night, answer):
    who = next(iter(find_unknown_rows(night)))
    assert run_later(night, "resolve", fill(night, {who: answer})) == 3
    assert who in find_unknown_rows(night)


def test_an_empty_sheet_settles_nothing(night):
    assert run_later(night, "resolve", fill(night, {})) == 0


def test_a_damaged_sheet_is_refused(night):
    assert run_later(night, "resolve", fill(night, {}, check="00000000")) == 2
    assert run_later(night, "resolve", str(night.folder / "inbox" / "roster.xlsx")) == 2


@pytest.fixture
def changed(hospital):
    """Doctor 1's picture was replaced after the seal was made."""
    hospital.doctors(3)
    assert hospital.go("run") == 0
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert hospital.go("run") == 3
    assert hospital.statuses() == {"changed": 1, "unchanged": 2}
    return hospital


def test_kept_content_is_silent_in_later_nights(changed):
    assert run_later(changed, "resolve", name(1), "--keep") == 0
    sent = changed.creates()
    assert changed.go("run") == 0
    assert changed.statuses() == {"unchanged": 3}
    assert changed.creates() == sent
    draw_seal(changed.folder / "seals" / "00001.png", 78)
    assert changed.go("run") == 3, "another change is another question"


def test_a_kept_seal_name_of_the_rosters_own_is_silent_as_well(changed):
    assert run_later(changed, "resolve", name(1), "--keep") == 0
    with_own_name(changed, 1, "甲处方章", rows=3)
    draw_seal(changed.folder / "seals" / "00001.png", 77)
    assert changed.go("run") == 3
    assert run_later(changed, "resolve", name(1), "--keep") == 0
    assert changed.go("run") == 0
    with_own_name(changed, 1, "乙处方章", rows=3)
    draw_seal(changed.folder / "seals" / "00001.png", 77)
    assert changed.go("run") == 3, "another name is another question"


def test_a_replaced_seal_is_made_anew_under_its_own_name(changed):
    assert run_later(changed, "resolve", name(1), "--replace") == 2, "the old name is taken"
    assert run_later(changed, "resolve", name(1), "--replace", "--seal-name", "新处方章") == 0
    assert changed.go("run") == 0
    assert changed.statuses() == {"sealed": 1, "unchanged": 2}
    assert [seal.seal_name for seal in changed.service.seals if seal.name == name(1)][-1] == "新处方章"
    assert changed.go("run") == 0
    assert changed.statuses() == {"unchanged": 3}


def test_a_replacement_under_another_name_than_the_rosters_stops_its_row_and_no_other(hospital):
    with_own_name(hospital, 1, "甲处方章", rows=2)
    assert hospital.go("run") == 0
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert run_later(hospital, "resolve", name(1), "--replace", "--seal-name", "乙处方章") == 0
    with_own_name(hospital, 1, "甲处方章", rows=3)
    assert hospital.go("run") == 3
    assert hospital.statuses() == {"sealed": 1, "unchanged": 1, "rejected": 1}
    with_own_name(hospital, 1, "乙处方章", rows=3)
    assert hospital.go("run") == 0
    assert hospital.statuses() == {"sealed": 1, "unchanged": 2}


def test_a_replacement_whose_name_is_taken_may_be_named_once_more(hospital_with):
    taken = {"code": {"code": "FailedOperation.ExistSameSealName", "message": "存在同名印章。"}}
    hospital = hospital_with(faults=[fault(taken, nth=(2,))])
    hospital.doctors(1)
    assert hospital.go("run") == 0
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert run_later(hospital, "resolve", name(1), "--replace", "--seal-name", "乙处方章") == 0
    assert hospital.go("run") == 3
    assert hospital.statuses() == {"exists": 1}
    assert run_later(hospital, "resolve", name(1), "--not-theirs") == 0
    with_own_name(hospital, 1, "丙处方章", rows=1)
    assert hospital.go("run") == 0
    assert hospital.statuses() == {"sealed": 1}


def test_a_changed_row_has_no_create_to_settle(changed):
    assert run_later(changed, "resolve", name(1), "--seal-id", ID) == 2


def test_every_decision_says_who_when_and_why(night):
    import sqlite3
    from contextlib import closing

    who = next(iter(find_unknown_rows(night)))
    assert run_later(night, "resolve", who, "--seal-id", ID, "--why", "ticket 7") == 0
    with closing(sqlite3.connect(night.folder / "state" / "ledger.sqlite3")) as connection:
        ((user, why, at),) = connection.execute("SELECT who, why, at FROM decision").fetchall()
    assert (bool(user), why, at > 1.7e9) == (True, "ticket 7", True)
