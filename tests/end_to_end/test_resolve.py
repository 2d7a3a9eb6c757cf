"""`resolve`: a person decides on creates without a verdict, and on rows that changed since the seal was made."""

import os
import pwd
import re
import shutil
import sqlite3
from contextlib import closing
from itertools import product
from pathlib import Path

import pytest
from command_lines import require_typable
from crash_support import Zygote
from people import make_row, name, number
from pty_support import run_on_terminal
from resolution_support import list_made_seals, read_unknown_rows, run_later
from run_support import draw_seal
from wire_support import fault

from pipeline.clock import SystemClock

LONG = bool(os.environ.get("CRASH"))  # make crash
ID = "yD" + "a1B2" * 7 + "zz"


LOST = [  # the answers of the second create, and of the third
    fault("reset_after", nth=(2,)),
    fault("reset_before", nth=(3,)),
]


def lose_answers(hospital):
    """Lose one answer after the create was executed, and one before."""
    hospital.doctors(4)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 2})


def lose_answers_and_change_a_picture(hospital):
    """Replace the picture of doctor 5 after the seal was made, too."""
    lose_answers(hospital)
    hospital.doctors(5)
    hospital.go("run")
    draw_seal(hospital.folder / "seals" / "00005.png", 77)
    assert hospital.run_to_end("run") == (3, {"unchanged": 2, "unknown": 2, "changed": 1})


@pytest.fixture
def unsettled(scene):
    return scene(lose_answers, faults=LOST)


@pytest.fixture
def changed_too(scene):
    return scene(lose_answers_and_change_a_picture, faults=LOST)


def test_the_list_names_what_to_search_for(unsettled, capsys):
    assert run_later(unsettled, "resolve") == 3
    data, stderr_text = capsys.readouterr()
    for who, row in read_unknown_rows(unsettled).items():
        assert who in data
        assert row["trace_id"] in data
        assert row["seal_name"] in data
    assert "--seal-id" in stderr_text


def test_namesakes_are_distinguished_also_where_their_roster_was_named_on_the_command_line(
    hospital_with, capsys
):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2, 3))])
    hospital.doctors(3)
    hospital.roster([make_row(serial, name=name(1)) for serial in range(1, 4)])
    roster = (hospital.folder / "inbox" / "roster.xlsx").rename(hospital.folder / "other.xlsx")
    hospital.go("run", str(roster))
    lost = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    assert len(lost) == 2
    capsys.readouterr()
    assert run_later(hospital, "resolve") == 3
    data = capsys.readouterr().out.splitlines()
    for row in lost:
        (line,) = [line for line in data if row["trace_id"] in line]
        assert f"staff no. {row['staff_no']}, last four digits {row['id_masked'][-4:]}, other.xlsx" in line


def test_the_list_names_the_fields_in_which_a_row_differs(changed, capsys):
    assert run_later(changed, "resolve", name(1), "--seal-id", ID) == 2, "it has no create to resolve"
    capsys.readouterr()
    assert run_later(changed, "resolve") == 3
    data, stderr_text = capsys.readouterr()
    assert re.search(r"staff no\. 00001.* in picture$", data, re.MULTILINE)
    seal_id = next(row["seal_id"] for row in changed.outcomes() if row["status"] == "changed")
    assert stderr_text.rstrip().endswith(f"explain {seal_id}")


def test_a_created_and_a_not_created_row_end_sealed_once(unsettled):
    lost, never = sorted(read_unknown_rows(unsettled), key=lambda who: who not in list_made_seals(unsettled))
    seal_id = list_made_seals(unsettled)[lost]
    assert (
        run_later(unsettled, "resolve", lost, "--sure", "--seal-id", seal_id, "--why", "seen in the console")
        == 0
    )
    assert run_later(unsettled, "resolve", never, "--not-created", "--sure") == 0
    sent = unsettled.creates()
    assert unsettled.run_to_end("run") == (0, {"sealed": 1, "unchanged": 3})
    assert unsettled.creates() == sent + 1
    assert unsettled.service.list_duplicates() == {}
    assert list_made_seals(unsettled) == {row["name"]: row["seal_id"] for row in unsettled.outcomes()}


def test_a_query_is_any_word_that_means_the_doctor(unsettled, capsys):
    row = next(iter(read_unknown_rows(unsettled).values()))
    for word in (row["name"], row["staff_no"], row["trace_id"], row["seal_name"], row["id_masked"][-4:]):
        capsys.readouterr()
        assert run_later(unsettled, "resolve", word) == 3, word
        assert row["trace_id"] in capsys.readouterr().out, word
    assert run_later(unsettled, "resolve", row["id_masked"][-4:], "--sure", "--seal-id", ID) == 0


def test_the_list_fills_in_the_commands_of_the_first_case_of_a_kind_and_names_it(unsettled, capsys):
    (first, row), (second, _) = read_unknown_rows(unsettled).items()
    for language, seal_id, named in (
        ("zh", "印章ID", f"，以{first}为例："),
        ("en", "SEALID", f", here {first}:"),
    ):
        capsys.readouterr()
        assert run_later(unsettled, "resolve", "--lang", language) == 3
        printed = capsys.readouterr().err
        assert f" resolve {row['trace_id']} --seal-id {seal_id}\n" in printed
        assert named in printed
    assert run_later(unsettled, "resolve", second, "--not-created", "--sure") == 0
    for language, seal_id in (("zh", "印章ID"), ("en", "SEALID")):
        capsys.readouterr()
        assert run_later(unsettled, "resolve", "--lang", language) == 3
        printed = capsys.readouterr().err
        assert f" resolve {row['trace_id']} --seal-id {seal_id}\n" in printed
        assert f" resolve {row['trace_id']} --not-created --sure\n" in printed
        assert "--keep" not in printed
        assert "--same-person" not in printed


def test_a_misspelt_name_is_suggested_where_it_has_a_case(unsettled, capsys):
    who = next(iter(read_unknown_rows(unsettled)))
    misspelt = f"{who[:-1]}默"
    assert run_later(unsettled, "resolve", misspelt, "--not-created", "--sure") == 2
    printed = capsys.readouterr().err
    assert f"Did you mean {who}?" in printed
    assert printed.rstrip().endswith(f" resolve {who}")


def test_one_doctor_is_shown_with_the_commands_that_explain_shows(changed_too, capsys):
    unsettled = changed_too
    seal_id = list_made_seals(unsettled)[name(5)]
    (who, row), *_ = read_unknown_rows(unsettled).items()
    for query, commands in (
        (who, [f"{row['trace_id']} --seal-id SEALID", f"{row['trace_id']} --not-created --sure"]),
        (name(5), [f"{seal_id} --keep", f"{seal_id} --replace --seal-name NAME"]),
    ):
        capsys.readouterr()
        assert run_later(unsettled, "resolve", query) == 3
        typed = [line.strip() for line in capsys.readouterr().err.splitlines() if line.startswith("     ")]
        assert [line.partition(" resolve ")[2] for line in typed[:-1]] == commands
        assert run_later(unsettled, "explain", query) == 0
        explained = capsys.readouterr().out
        for line in typed[:-1]:
            require_typable(line)
            assert line in explained
        require_typable(typed[-1])
        assert " explain " in typed[-1]


def test_a_known_seal_id_or_a_strange_one_is_not_entered(unsettled, capsys):
    who = next(iter(read_unknown_rows(unsettled)))
    sealed = next(row["seal_id"] for row in unsettled.outcomes() if row["seal_id"])
    owner = next(row["name"] for row in unsettled.outcomes() if row["seal_id"] == sealed)
    for spelling in (sealed, sealed.swapcase(), f" {sealed.upper()} "):
        assert run_later(unsettled, "resolve", who, "--sure", "--seal-id", spelling) == 2
        printed = capsys.readouterr().err
        assert f"is the seal of {owner}" in printed
        assert printed.count(who) == 1
    for strange in ("见控制台", "".join(chr(ord(letter) + 0xFEE0) for letter in sealed)):  # fullwidth
        assert run_later(unsettled, "resolve", who, "--sure", "--seal-id", strange) == 2
    assert run_later(unsettled, "resolve") == 3


def test_not_created_waits_until_the_signature_has_expired(unsettled, capsys):
    who = next(iter(read_unknown_rows(unsettled)))
    assert run_later(unsettled, "resolve", who, "--not-created", "--sure", clock=SystemClock()) == 2
    assert "may still be carried out" in capsys.readouterr().err


def test_options_that_contradict_each_other_are_refused(unsettled):
    who = next(iter(read_unknown_rows(unsettled)))
    for arguments in (
        ("--seal-id", ID, "--not-created", "--sure"),
        ("--keep", "--replace"),
        ("--seal-name", "x"),
        ("--keep",),
    ):
        assert run_later(unsettled, "resolve", who, *arguments) == 2, arguments


OWN = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称")


def write_roster_with_seal_name(hospital, serial: int, seal_name: str, *, rows: int) -> None:
    """Write the roster again, with a seal name of its own on one row."""
    hospital.doctors(rows)
    seal_names = {serial: seal_name}
    hospital.roster([(*make_row(n), seal_names.get(n)) for n in range(1, rows + 1)], headers=OWN)


def test_a_new_name_next_to_a_locked_one_rejects_its_row_alone(unsettled, capsys):
    """Whoever looked may have overlooked a seal: under another name the doctor would have two."""
    unknown, made = read_unknown_rows(unsettled), list_made_seals(unsettled)
    row = next(row for who, row in unknown.items() if who not in made)
    assert run_later(unsettled, "resolve", row["trace_id"], "--not-created", "--sure") == 0
    write_roster_with_seal_name(unsettled, int(row["staff_no"]), "新处方章", rows=6)
    assert unsettled.run_to_end("run") == (3, {"sealed": 2, "unchanged": 2, "rejected": 1, "unknown": 1})
    rejected = next(row for row in unsettled.outcomes() if row["status"] == "rejected")
    assert rejected["codes"] == ["SEAL_NAME_FROZEN"]
    assert row["seal_name"] in rejected["problems"][0]["message"]


def test_a_seal_that_was_overlooked_is_not_called_a_taken_name(unsettled):
    lost = next(who for who in read_unknown_rows(unsettled) if who in list_made_seals(unsettled))
    assert run_later(unsettled, "resolve", lost, "--not-created", "--sure") == 0
    assert unsettled.run_to_end("run") == (3, {"unchanged": 2, "unknown": 1, "exists": 1})
    assert run_later(unsettled, "resolve", lost, "--sure", "--seal-id", list_made_seals(unsettled)[lost]) == 0
    assert unsettled.service.list_duplicates() == {}


def test_a_refused_decision_ends_with_the_command_that_helps(changed_too, capsys):
    unsettled = changed_too
    who, row = next(iter(read_unknown_rows(unsettled).items()))
    seal_id = list_made_seals(unsettled)[name(5)]
    for arguments, then in (
        ((who, "--seal-id", "见控制台"), f"resolve {row['trace_id']}"),
        ((who, "--keep"), f"resolve {row['trace_id']}"),
        ((name(5), "--not-created", "--sure"), f"resolve {seal_id}"),
        ((name(5), "--replace"), f"resolve {seal_id} --replace --seal-name NAME"),
        (("gone.xlsx",), "resolve"),
        ((str(unsettled.folder / "inbox" / "roster.xlsx"),), "resolve"),
        ((who, "--keep", "--replace"), f"explain {who}"),
        (("--keep", "--replace"), "resolve"),
    ):
        capsys.readouterr()
        assert run_later(unsettled, "resolve", *arguments) == 2, arguments
        printed = capsys.readouterr().err.rstrip()
        assert printed.endswith(f" {then}"), arguments
    assert run_later(unsettled, "resolve", who, "--not-created", "--sure", clock=SystemClock()) == 2
    assert capsys.readouterr().err.rstrip().endswith(f" resolve {row['trace_id']}")


class WrongClock(SystemClock):
    """A machine whose clock is wrong, read some seconds after the run."""

    def __init__(self, seconds: float, after: float = 0.0) -> None:
        self.seconds = seconds + after
        self.passed = after  # on the service's clock

    def now(self) -> float:
        return super().now() + self.seconds


@pytest.mark.parametrize(("wrong", "early", "late"), [(600, (0, 580), 620), (-600, (0, 620, 1180), 1220)])
def test_a_wrong_clock_never_ends_the_wait_for_a_late_copy_early(hospital_with, wrong, early, late):
    """The run learned the service's time and signed with it."""
    hospital = hospital_with(faults=[fault("truncated_json", nth=(1,))])
    hospital.doctors(1)
    assert run_later(hospital, "run", clock=WrongClock(wrong)) == 3
    (who,) = read_unknown_rows(hospital)
    decision = ("resolve", who, "--not-created", "--sure")
    for after in early:
        assert run_later(hospital, *decision, clock=WrongClock(wrong, after)) == 2, after
    assert run_later(hospital, *decision, clock=WrongClock(wrong, late)) == 0


def test_several_matches_are_listed_and_the_next_command_names_one(unsettled, capsys):
    unsettled.roster([make_row(serial, name=name(1)) for serial in range(1, 5)])
    traces = {row["trace_id"] for row in read_unknown_rows(unsettled).values()}
    named = {*traces, *list_made_seals(unsettled).values()}
    assert run_later(unsettled, "resolve", name(1), "--not-created", "--sure") == 2
    last = capsys.readouterr().err.split()
    assert (last[-2], last[-1] in named) == ("resolve", True)  # a doctor without a verdict, or a changed one


def test_a_doctor_with_a_seal_has_nothing_to_resolve(unsettled, capsys):
    sealed = next(row for row in unsettled.outcomes() if row["seal_id"])
    for query in (sealed["name"], sealed["seal_id"], sealed["staff_no"]):
        assert run_later(unsettled, "resolve", query, "--keep") == 2
        printed = capsys.readouterr().err
        assert f"{sealed['name']} has a seal ({sealed['seal_id']}) and nothing to resolve." in printed
        assert printed.rstrip().endswith(f" explain {sealed['seal_id']}")


def test_a_query_without_a_match_is_refused(unsettled):
    assert run_later(unsettled, "resolve", "没有此人", "--not-created", "--sure") == 2
    assert run_later(unsettled, "resolve", "", "--not-created", "--sure") == 2


def test_rows_that_contradict_each_other_hide_no_create_without_a_verdict(unsettled):
    who, row = next(iter(read_unknown_rows(unsettled).items()))
    contradicting = make_row(int(row["staff_no"]), mobile="15400009999", department="外科")
    unsettled.roster([*map(make_row, range(1, 5)), contradicting])
    assert unsettled.go("run") == 3
    outcomes = [outcome for outcome in unsettled.outcomes() if outcome["name"] == who]
    ends = [(outcome["status"], outcome["codes"], outcome["trace_id"]) for outcome in outcomes]
    assert ends == [("unknown", ["ROW_DUPLICATE"], row["trace_id"])] * 2


def change_a_picture(hospital):
    """Replace the picture of doctor 1 after the seal was made."""
    hospital.seal_doctors(3)
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert hospital.run_to_end("run") == (3, {"changed": 1, "unchanged": 2})


@pytest.fixture
def changed(scene):
    return scene(change_a_picture)


def test_kept_content_is_unchanged_in_later_runs(changed):
    assert run_later(changed, "resolve", name(1), "--keep") == 0
    sent = changed.creates()
    assert changed.run_to_end("run") == (0, {"unchanged": 3})
    assert changed.creates() == sent
    draw_seal(changed.folder / "seals" / "00001.png", 78)
    assert changed.go("run") == 3, "another change is another question"


def test_a_kept_seal_name_of_the_roster_is_unchanged_as_well(changed):
    assert run_later(changed, "resolve", name(1), "--keep") == 0
    write_roster_with_seal_name(changed, 1, "甲处方章", rows=3)
    draw_seal(changed.folder / "seals" / "00001.png", 77)
    assert changed.go("run") == 3
    assert run_later(changed, "resolve", name(1), "--keep") == 0
    assert changed.go("run") == 0
    write_roster_with_seal_name(changed, 1, "乙处方章", rows=3)
    draw_seal(changed.folder / "seals" / "00001.png", 77)
    assert changed.go("run") == 3, "another name is another question"


def test_a_replaced_seal_is_made_anew_under_its_own_name(changed):
    assert run_later(changed, "resolve", name(1), "--replace") == 2, "the old name is taken"
    assert run_later(changed, "resolve", name(1), "--replace", "--seal-name", "新处方章") == 0
    assert changed.run_to_end("run") == (0, {"sealed": 1, "unchanged": 2})
    assert [seal.seal_name for seal in changed.service.seals if seal.name == name(1)][-1] == "新处方章"
    assert changed.run_to_end("run") == (0, {"unchanged": 3})


def test_a_replacement_under_another_name_than_the_rosters_rejects_its_row_alone(hospital):
    write_roster_with_seal_name(hospital, 1, "甲处方章", rows=2)
    assert hospital.go("run") == 0
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert run_later(hospital, "resolve", name(1), "--replace", "--seal-name", "乙处方章") == 0
    write_roster_with_seal_name(hospital, 1, "甲处方章", rows=3)
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "unchanged": 1, "rejected": 1})
    write_roster_with_seal_name(hospital, 1, "乙处方章", rows=3)
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 2})


def test_a_replacement_whose_name_is_taken_may_be_named_once_more(hospital_with):
    taken = {"code": {"code": "FailedOperation.ExistSameSealName", "message": "存在同名印章。"}}
    hospital = hospital_with(faults=[fault(taken, nth=(2,))])
    hospital.seal_doctors(1)
    draw_seal(hospital.folder / "seals" / "00001.png", 77)
    assert run_later(hospital, "resolve", name(1), "--replace", "--seal-name", "乙处方章") == 0
    assert hospital.run_to_end("run") == (3, {"exists": 1})
    assert run_later(hospital, "resolve", name(1), "--sure", "--not-theirs") == 0
    write_roster_with_seal_name(hospital, 1, "丙处方章", rows=1)
    assert hospital.run_to_end("run") == (0, {"sealed": 1})


@pytest.mark.parametrize("blank", [None, "", " "])
def test_every_decision_records_who_when_and_why(unsettled, monkeypatch, blank):
    """Also one of cron, which may set no user, or a blank one."""
    for variable in ("LOGNAME", "USER", "LNAME", "USERNAME", "ESIGN_RUN_USER"):
        if blank is None:
            monkeypatch.delenv(variable, raising=False)
        else:
            monkeypatch.setenv(variable, blank)
    who = next(iter(read_unknown_rows(unsettled)))
    sheet = unsettled.folder / "seals.csv"
    sheet.write_text(f"姓名,证件号码,印章ID\n{name(9)},{number(9)},{ID[::-1]}\n", "utf-8")
    assert run_later(unsettled, "resolve", who, "--sure", "--seal-id", ID, "--why", "ticket 7") == 0
    assert run_later(unsettled, "resolve", ID, "--withdraw", "--why", "ticket 8") == 0
    assert run_later(unsettled, "adopt", str(sheet), "--why", "ticket 9") == 0
    with closing(sqlite3.connect(unsettled.folder / "state" / "ledger.sqlite3")) as connection:
        entered = connection.execute(
            "SELECT who, why, decided_at FROM decision ORDER BY event_number"
        ).fetchall()
    assert [why for _, why, _ in entered] == ["ticket 7", "ticket 8", "ticket 9"]
    user = pwd.getpwuid(os.getuid()).pw_name
    assert {decided_by for decided_by, _, _ in entered} == {user}
    assert all(decided_at > 1.7e9 for _, _, decided_at in entered)


def test_a_kill_at_every_write_of_a_found_seal_loses_nothing(unsettled, tmp_path):
    """A seal that a journal alone holds is entered by the next command that writes the ledger; no second one is made."""
    lost, made = next(
        (who, made) for who, made in list_made_seals(unsettled).items() if who in read_unknown_rows(unsettled)
    )
    folders = [unsettled.folder / "state", unsettled.folder / "out", Path(os.environ["XDG_STATE_HOME"])]
    for folder in folders:
        shutil.copytree(folder, tmp_path / "before" / folder.name)
    sent, words = unsettled.creates(), ("resolve", lost, "--sure", "--seal-id", made)
    with Zygote() as zygote:
        points = zygote.run(unsettled, *words, later=1000)["points"]
        last = len(points) - 1 - points[::-1].index("ledger: before the journals")
        written = points.index("journal: before the fsync", last)
        assert "ledger: before the commit" in points[written:]
        for nth, point in enumerate(points):
            if not LONG and nth < last and point in points[:nth]:
                continue  # each kind of point once
            for folder in folders:
                shutil.rmtree(folder)
                shutil.copytree(tmp_path / "before" / folder.name, folder)
            order = {"name": point, "pass": points[: nth + 1].count(point), "later": 1000}
            assert zygote.run(unsettled, *words, **order)["signal"] == 9, point
            assert zygote.run(unsettled, "run")["code"] == 3, point
            is_entered = nth >= written
            statuses = {"unchanged": 3, "unknown": 1} if is_entered else {"unchanged": 2, "unknown": 2}
            assert unsettled.statuses() == statuses, point
            repeated = zygote.run(unsettled, *words, later=1000)["code"]
            assert repeated == (2 if is_entered else 0), point
            assert zygote.run(unsettled, "run")["code"] == 3, point
            assert unsettled.statuses() == {"unchanged": 3, "unknown": 1}, point
            assert zygote.run(unsettled, "ledger", "check")["code"] == 0, point
    assert unsettled.creates() == sent


@pytest.mark.parametrize(
    ("options", "zh", "en", "then"),
    [
        (["--seal-id", ""], "--seal-id 后面是空的", "--seal-id is empty", "resolve {who}"),
        (["--not-created"], "在 20", "may still be carried out until", "resolve {trace}"),
        (["--seal-id", "yDnotaseal"], "有 10 个字符", "has 10 characters", "resolve {trace}"),
    ],
)
def test_a_decision_that_cannot_be_right_names_the_reason_first(unsettled, capsys, options, zh, en, then):
    who, row = next(iter(read_unknown_rows(unsettled).items()))
    for language, sentence in (("zh", zh), ("en", en)):
        capsys.readouterr()
        assert unsettled.go("--lang", language, "resolve", who, *options) == 2
        printed = capsys.readouterr().err
        assert sentence in printed
        assert printed.rstrip().endswith(" " + then.format(who=who, trace=row["trace_id"])), printed


def test_an_odd_seal_id_is_asked_about_on_a_terminal(unsettled):
    who = next(iter(read_unknown_rows(unsettled)))
    words = unsettled.command("resolve", who, "--seal-id", "yDnotaseal")
    code, seen = run_on_terminal(words, columns=200, typed=b"n\n")
    assert code == 0
    assert "Nothing was recorded." in seen
    assert who in read_unknown_rows(unsettled)


def test_the_list_names_only_the_options_that_fit(unsettled, capsys):
    assert run_later(unsettled, "resolve") == 3
    printed = capsys.readouterr().err
    for option, fits in (
        ("--seal-id", True),
        ("--not-created", True),
        ("--not-theirs", False),
        ("--same-person", False),
    ):
        assert (f"{option} " in printed) is fits, printed


def test_a_number_of_another_doctor_leads_to_the_roster_and_a_run(hospital, capsys):
    """`resolve` and `explain` do not name each other for ever."""
    hospital.seal_doctors(2)
    other = ["李四", make_row(1)[1], *make_row(1)[2:3], "00077", "内科"]
    hospital.roster([other, make_row(2)])
    assert hospital.go("run") == 3
    correct_it = {
        "zh": "就改正名单并保存，再运行一次",
        "en": "correct the roster, save, then run again",
    }
    for command, language in product(("resolve", "explain"), correct_it):
        capsys.readouterr()
        hospital.go("--lang", language, command, "李四")
        printed = "".join(capsys.readouterr())
        assert correct_it[language].replace(" ", "") in "".join(printed.split())
        assert re.search(r"resolve\s+yD\w+\s+--keep", printed)
        assert printed.rstrip().endswith(" run")
