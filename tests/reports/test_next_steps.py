"""What is suggested after a run, and after the last run that the ledger knows."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.masking import Masker
from pipeline.domain.run import Halt, Status
from pipeline.ledger.protocol import RunRecord
from pipeline.reports.next_steps import CommandLine, list_run_steps
from pipeline.reports.status_steps import list_status_steps

PROGRAM = CommandLine("esign-import", ("/inbox",), "/seals")
RUN = RunRecord(
    run="20261125-020000-000",
    command="run",
    started=0.0,
    host="h",
    pid=1,
    user="u",
    rosters=("/inbox",),
    seals="/seals",
    out="/out/run",
    contract="file_id",
    config_digest="",
    version="",
    finished=1.0,
    exit=0,
)
UNLISTED_ROSTER = replace(RUN, rosters=("/other/a b.xlsx",), seals="/pictures")


def with_record(record: RunRecord, **content: object) -> RunRecord:
    return replace(record, record=json.dumps({"statuses": {}, "rows": 3, "halted": None, **content}))


def commands_after(last, *, unresolved=0, changed=0, under_way=False, latest=Path("/nowhere")) -> list[str]:
    steps = list_status_steps(
        last, PROGRAM, unresolved=unresolved, changed=changed, under_way=under_way, latest=latest
    )
    assert all(step.text.render("zh") and step.text.render("en") for step in steps)
    return [step.commands[0].removeprefix("esign-import ") for step in steps]


@pytest.mark.parametrize(
    ("last", "commands"),
    [
        (None, ["run"]),
        (RUN, ["run"]),
        (UNLISTED_ROSTER, ["run '/other/a b.xlsx' --seals /pictures"]),
        (replace(UNLISTED_ROSTER, rosters=("/110101199003070732.xlsx",)), ["retry"]),
        (replace(RUN, exit=1), ["-v run"]),
        (replace(RUN, exit=130), ["run"]),
        (replace(RUN, exit=None, finished=None), ["run"]),
        (replace(RUN, command="retry", rosters=("/r.xlsx",), context=("/inbox",)), ["retry /r.xlsx"]),
        (replace(RUN, command="retry"), ["retry"]),
        (replace(RUN, command="resolve"), ["resolve"]),
        (with_record(replace(RUN, exit=74)), ["ledger check"]),
        (with_record(replace(RUN, exit=74), halted={"code": "DISK"}), ["report"]),
        (with_record(replace(RUN, exit=2), halted={"code": "USAGE"}), ["run"]),
        (with_record(replace(RUN, exit=5), halted={"code": "ROSTER_SHRUNK"}), ["run --accept-guards"]),
        (with_record(replace(RUN, exit=5), statuses={"rejected": 1}), ["run", "retry"]),
        (with_record(replace(RUN, exit=3), statuses={"rejected": 1}), ["retry"]),
    ],
)
def test_each_way_in_which_a_run_ended_has_its_command(last, commands):
    assert commands_after(last) == commands


def test_a_run_under_way_is_waited_for():
    assert commands_after(replace(RUN, exit=None, finished=None), under_way=True) == ["status"]


def test_unresolved_creates_follow_what_stopped_the_run():
    assert commands_after(RUN, unresolved=2) == ["resolve", "run"]
    assert commands_after(with_record(replace(RUN, exit=4)), unresolved=2) == ["run", "resolve"]


@pytest.mark.parametrize("status", ["unknown", "exists", "changed"])
def test_rows_that_were_decided_since_ask_for_a_run_alone(tmp_path, status):
    (tmp_path / "results.xlsx").touch()
    last = with_record(replace(RUN, exit=3), statuses={"sealed": 2, status: 1, "rejected": 0})
    assert commands_after(last, latest=tmp_path) == ["run"]
    assert commands_after(last, latest=tmp_path, changed=1) == ["resolve"]
    assert commands_after(last, latest=tmp_path, unresolved=1) == ["resolve"]
    to_correct = with_record(replace(RUN, exit=3), statuses={status: 1, "rejected": 1})
    assert commands_after(to_correct, latest=tmp_path) == [f"retry {tmp_path / 'results.xlsx'}"]


def test_rows_are_corrected_in_the_workbook_that_exists(tmp_path):
    workbook = tmp_path / "results.xlsx"
    workbook.touch()
    last = with_record(replace(RUN, exit=3), statuses={"failed": 1})

    assert commands_after(last, latest=tmp_path) == [f"retry {workbook}"]
    assert commands_after(with_record(replace(RUN, exit=3)), latest=tmp_path) == ["resolve"]


def test_status_names_the_marked_copies_as_the_run_did(tmp_path):
    latest, out = tmp_path / "latest", tmp_path / "out"
    latest.mkdir()
    (latest / "results.xlsx").touch()
    (out / "rosters").mkdir(parents=True)
    last = with_record(replace(RUN, exit=3, out=str(out)), statuses={"rejected": 1})

    def render_step() -> str:
        (step,) = list_status_steps(last, PROGRAM, unresolved=0, changed=0, under_way=False, latest=latest)
        assert step.command == f"esign-import retry {latest / 'results.xlsx'}"
        return step.text.render("en")

    assert str(out / "rosters") not in render_step()
    (out / "rosters" / "roster.xlsx").touch()
    assert str(out / "rosters") in render_step()


def test_a_run_that_needs_nothing_has_one_step(make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.UNCHANGED)]

    (step,) = list_run_steps(scene.build_run_report(arguments="inbox"), Masker())

    assert step.commands == ("esign-import run inbox",)


def test_a_masked_path_is_never_suggested(make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.NOT_SENT)]
    number = make.number(1)
    report = scene.build_run_report(arguments=f"inbox/{number}.xlsx", halt=Halt("TOO_MANY_NEW", "9", 5))

    steps = list_run_steps(report, Masker.of_doctors([make.doctor(1)]))

    assert [step.commands for step in steps] == [("esign-import run --help",)]
    assert number not in "".join(step.render("en") for step in steps)
