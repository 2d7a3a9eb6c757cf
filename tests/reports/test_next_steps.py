"""What is suggested after a run, and after the last run that the ledger knows."""

import json
from dataclasses import replace
from itertools import product

import pytest
from command_lines import require_typable
from people import complete_number

from pipeline.domain.masking import Masker
from pipeline.domain.run import Halt, Status
from pipeline.domain.seals import Attempt
from pipeline.ledger.records import RunRecord
from pipeline.reports.next_steps import CommandLine, RunState, list_run_steps, list_steps
from pipeline.reports.person_step import PersonState, choose_person_step
from pipeline.resolution.status_steps import list_status_steps
from pipeline.resolution.timeline import RecordedRow

PROGRAM = CommandLine("esign-import", ("/inbox",), "/seals")
RUN = RunRecord(
    run="20261125-020000-000",
    command="run",
    started=0.0,
    host="h",
    pid=1,
    user="u",
    out="/out/run",
    contract="file_id",
    config_digest="",
    version="",
    finished=1.0,
    exit=0,
)


def with_record(record: RunRecord, **content: object) -> RunRecord:
    usual = {"statuses": {}, "rows": 3, "halted": None, "seals": "/seals"}
    return replace(record, record=json.dumps({**usual, **content}))


def with_halt(record: RunRecord, halt: Halt | None) -> RunRecord:
    return with_record(record, halted={"code": halt.code, "message": ""} if halt else None)


NAMED = "'/other/a b.xlsx' --seals /pictures"
UNLISTED_ROSTER = with_record(RUN, arguments=NAMED)


def make_rows(*statuses: str) -> list[RecordedRow]:
    return [RecordedRow(Status(status), ()) for status in statuses]


def list_commands(steps) -> list[str]:
    assert all(step.text.render("zh") and step.text.render("en") for step in steps)
    commands = [step.command.removeprefix("esign-import ") for step in steps if step.command]
    assert not any("--accept-guards" in command for command in commands)
    return commands


def require_typable_commands(*steps) -> list[str]:
    commands = [line for step in steps for line in step.commands]
    for line in commands:
        require_typable(line)
    return commands


def commands_after(last, *statuses, unresolved=0, is_under_way=False) -> list[str]:
    """Return the commands of the steps after a run that left rows of these statuses open."""
    rows = make_rows(*statuses)
    return list_commands(
        list_status_steps(last, PROGRAM, rows=rows, unresolved=unresolved, is_under_way=is_under_way)
    )


@pytest.mark.parametrize(
    ("last", "commands"),
    [
        (None, ["run"]),
        (RUN, ["run"]),
        (UNLISTED_ROSTER, [f"run {NAMED}"]),
        (with_record(RUN, arguments="/110101199003070732.xlsx"), ["run --help"]),
        (with_record(RUN, arguments="'/**.xlsx'"), ["run --help"]),
        (replace(RUN, exit=1), ["-v run"]),
        (replace(RUN, exit=130), ["run"]),
        (replace(RUN, exit=None, finished=None), ["run"]),
        (replace(RUN, command="retry"), ["run"]),
        (replace(UNLISTED_ROSTER, command="retry"), [f"run {NAMED}"]),
        (replace(UNLISTED_ROSTER, command="retry", exit=130), [f"retry {NAMED}"]),
        (replace(RUN, command="retry", exit=130), ["retry"]),
        (replace(RUN, command="resolve"), ["run"]),
        (with_record(replace(RUN, exit=74)), ["ledger check"]),
        (with_record(replace(RUN, exit=74), halted={"code": "DISK"}), ["run"]),
        (with_record(replace(RUN, exit=2), halted={"code": "USAGE"}), ["run"]),
        (with_record(replace(RUN, exit=5), halted={"code": "ROSTER_SHRUNK"}), ["run"]),
    ],
)
def test_each_way_in_which_a_run_ended_has_its_command(last, commands):
    assert commands_after(last) == commands


def test_a_run_under_way_is_waited_for():
    assert commands_after(replace(RUN, exit=None, finished=None), is_under_way=True) == ["status"]


def test_unresolved_creates_follow_what_stopped_the_run():
    assert commands_after(RUN, unresolved=2) == ["resolve"]
    assert commands_after(with_record(replace(RUN, exit=4)), unresolved=2) == ["run", "resolve"]
    assert commands_after(replace(RUN, exit=130), unresolved=2) == ["run", "resolve"]
    untrusted = with_record(replace(RUN, exit=4), halted={"code": "SEAL_ID_REUSED"})
    assert commands_after(untrusted, unresolved=1) == ["resolve", "resolve"]


@pytest.mark.parametrize(
    ("statuses", "commands"),
    [
        (["sealed"], ["run"]),  # what was left has been decided since
        (["rejected"], ["run"]),
        (["failed", "failed"], ["retry"]),
        (["changed"], ["resolve"]),
        (["rejected", "failed"], ["run", "retry"]),
        (["rejected", "changed"], ["run", "resolve"]),
        (["not_sent"], ["run"]),
        (["not_sent", "rejected"], ["run"]),
        (["not_sent", "rejected", "failed", "changed"], ["run", "retry", "resolve"]),
    ],
)
def test_the_rows_that_a_run_left_open_have_their_commands(statuses, commands):
    last = with_record(replace(RUN, exit=3))
    assert commands_after(last, *statuses) == commands
    assert "resolve" in commands_after(last, *statuses, unresolved=1)


def test_status_names_the_marked_copies(tmp_path):
    last = with_record(replace(RUN, exit=3, out=str(tmp_path)))

    def render_steps() -> str:
        steps = list_status_steps(last, PROGRAM, rows=make_rows("rejected"), unresolved=0, is_under_way=False)
        return " ".join(step.render("en") for step in steps)

    assert "correct the roster in /inbox" in render_steps()
    (tmp_path / "rosters").mkdir()
    (tmp_path / "rosters" / "roster.xlsx").touch()
    assert f"the marked copy in {tmp_path / 'rosters'}" in render_steps()


def test_status_and_the_run_itself_have_the_same_steps():
    """What differs is the command that does the run again: only a run knows what was typed."""
    rows = make_rows("rejected", "failed", "changed", "not_sent", "unchanged")
    last = with_record(replace(RUN, exit=3))
    state = RunState(
        command_line=PROGRAM,
        command="run",
        again="esign-import run",
        send_again="esign-import run",
        retry="esign-import retry",
        rows=rows,
        roster_folders="/inbox",
        seals="/seals",
    )
    assert list_steps(state) == list_status_steps(last, PROGRAM, rows=rows, unresolved=0, is_under_way=False)


@pytest.mark.parametrize("code", ["ROSTER_SHRUNK", "TOO_MANY_NEW", "ROSTER_MISSING"])
def test_no_step_names_the_option_that_overrides_a_guard(make, scene, code):
    scene.outcomes = [make.outcome(make.doctor(1), Status.NOT_SENT)]
    (step,) = list_run_steps(scene.build_run_report(halt=Halt(code, "9", 5)), Masker())
    assert list_commands([step]) == ["run"]
    assert ("connected" in step.render("en")) == (code == "ROSTER_MISSING")


MIXTURES = [
    *([status] for status in Status),
    [],
    [Status.NOT_SENT, Status.REJECTED],
    [Status.NOT_SENT, Status.FAILED],
    [Status.REJECTED, Status.FAILED],
    [Status.READY, Status.REJECTED],
    [*Status],
]
EXITS_OF_HALTS = {
    4: (
        "SAME_REFUSAL",
        "SEALS_EXIST",
        "SEAL_ID_REUSED",
        "AuthFailure.SecretIdNotFound",
        "CREDENTIALS_MISSING",
    ),
    5: ("OUTAGE", "DEADLINE", "ROSTER_MISSING", "ROSTER_SHRUNK", "TOO_MANY_NEW", "TOO_MANY_UNKNOWN"),
    74: ("DISK",),
    130: ("INTERRUPTED",),
}
HALTS = [None, *(Halt(code, "9", exit_code) for exit_code, codes in EXITS_OF_HALTS.items() for code in codes)]
AFTER_EVERY_HALT = pytest.mark.parametrize("halt", HALTS, ids=lambda halt: halt.code if halt else "none")
ARGUMENTS = ["", "inbox/a.xlsx --seals seals", f"inbox/{complete_number('11010119900307073')}.xlsx"]


@AFTER_EVERY_HALT
def test_every_step_after_every_end_is_one_command_that_can_be_typed(make, scene, halt):
    for command, arguments, statuses in product(["check", "run", "retry"], ARGUMENTS, MIXTURES):
        scene.outcomes = [make.outcome(make.doctor(serial), status) for serial, status in enumerate(statuses)]
        report = scene.build_run_report(command=command, halt=halt, arguments=arguments)
        steps = list_run_steps(report, Masker.of_doctors([outcome.doctor for outcome in scene.outcomes]))
        commands = require_typable_commands(*steps)
        assert commands or command == "retry" or halt is None, (statuses, halt)
        if Status.NOT_SENT in statuses and command == "run" and arguments != ARGUMENTS[2]:
            is_reused = halt is not None and halt.code == "SEAL_ID_REUSED"
            assert commands[0].startswith("esign-import resolve" if is_reused else "esign-import run"), (
                statuses
            )
        if command == "run" and Status.FAILED not in statuses and arguments != ARGUMENTS[2]:
            assert "esign-import retry" not in commands, (statuses, halt)


@AFTER_EVERY_HALT
def test_every_step_of_status_is_one_command_that_can_be_typed(halt):
    commands, exit_codes = ("run", "retry", "resolve"), (None, 0, 1, 2, 3, 4, 5, 6, 7, 74, 130, 143)
    for command, exit_code, statuses in product(commands, exit_codes, MIXTURES):
        for record, unresolved in ((RUN, 0), (UNLISTED_ROSTER, 2)):
            last = with_halt(replace(record, command=command, exit=exit_code), halt)
            rows = make_rows(*statuses)
            steps = list_status_steps(last, PROGRAM, rows=rows, unresolved=unresolved, is_under_way=False)
            assert require_typable_commands(*steps)


REFUSALS = [
    "",
    "FailedOperation",
    "InvalidParameter.CardNumber",
    "OperationDenied.NoIdentityVerify",
    "InternalError",
]


@pytest.mark.parametrize("status", Status)
def test_every_step_about_a_doctor_is_one_command_that_can_be_typed(status):
    create = Attempt(
        uuid="00000000-88aa-4d1e-a1b2-1c2d3e4f5a6b",
        key="k",
        seal_name="张伟处方章",
        content=None,
        signed_at=0.0,
    )
    runs = (RUN, UNLISTED_ROSTER, replace(UNLISTED_ROSTER, command="retry"))
    last_runs = (None, *(with_halt(run, halt) for run, halt in product(runs, HALTS)))
    rows, yes_or_no = (None, RecordedRow(status, ())), (False, True)
    for row, is_gone, is_under_way, refusal_code in product(rows, yes_or_no, yes_or_no, REFUSALS):
        for last_run in last_runs:
            step = choose_person_step(
                PersonState(
                    command_line=PROGRAM,
                    status=status,
                    row=row,
                    is_gone=is_gone,
                    is_run_under_way=is_under_way,
                    open_create=create,
                    contradicting=(),
                    seal_id="yDRSQUU00001x4tUuKdJ0AaEbRfW",
                    refusal_code=refusal_code,
                    last_run=last_run,
                )
            )
            commands = require_typable_commands(step)
            assert step.is_decision or len(commands) <= 1
            if status is Status.REJECTED:
                assert not any(line.endswith(" retry") for line in commands)


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
