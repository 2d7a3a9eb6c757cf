"""Decides what `status` suggests after the last run in the ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.domain.masking import mask_path
from pipeline.domain.results_format import COPIES
from pipeline.domain.run import EndedRow
from pipeline.ledger.records import RunRecord
from pipeline.messages.catalogue import load_texts
from pipeline.messages.service_errors import is_network_fault
from pipeline.reports.next_steps import (
    CommandLine,
    NextStep,
    RunState,
    list_steps,
    make_resolve_step,
    make_step,
    name_files,
    note_unshown,
)

# runs that ended before they sent, or could not write: their message names the cure
EXPLAINED_HALTS = frozenset(
    {"BEFORE_RUN", "DISK", "HOLD_LOST", "LEDGER_REFUSED", "LOCKED", "NOT_READ_NOW", "USAGE"}
)
EXIT_BUG, EXIT_USAGE, EXIT_LOCKED, EXIT_DISK = 1, 2, 6, 74
EXIT_SIGNAL = 128


def list_status_steps(
    last: RunRecord | None,
    command_line: CommandLine,
    *,
    rows: Sequence[EndedRow],
    unresolved: int,
    is_under_way: bool,
) -> list[NextStep]:
    """Return the steps after the last run, the most urgent first.

    ``rows`` are those it left open and on which no decision was taken since; ``unresolved`` creates wait for a decision now.
    """
    if last is None:
        step = make_step("next_run", command_line.build("run"))
    elif (last.finished is None or last.exit is None) and is_under_way:
        step = make_step("status_under_way", command_line.build("status"))
    elif last.finished is None or last.exit is None:
        step = note_unshown(make_step("status_killed", command_line.repeat(last)))
    elif last.exit >= EXIT_SIGNAL and _get_halt(last).get("code") != "OUTAGE":
        step = note_unshown(make_step("status_interrupted", command_line.repeat(last)))
    elif last.exit == EXIT_BUG:
        verbose = replace(command_line, invocation=f"{command_line.invocation} -v")
        step = note_unshown(make_step("next_bug", verbose.repeat(last)))
    elif last.exit in {EXIT_USAGE, EXIT_LOCKED, EXIT_DISK}:
        step = _choose_repair_step(last, command_line)
    else:
        return list_steps(_make_recorded_state(last, command_line, rows=rows, unresolved=unresolved))
    if not unresolved:
        return [step]
    to_resolve = make_resolve_step(command_line, unresolved)
    return [step, to_resolve] if step.command != to_resolve.command else [to_resolve]


def _get_halt(record: RunRecord) -> Mapping[str, str]:
    """Return why a run stopped, empty where it did not; an interrupted one has a reason where an outage lasted."""
    return load_texts(record.content.get("halted") or {})


def _make_recorded_state(
    record: RunRecord, command_line: CommandLine, *, rows: Sequence[EndedRow], unresolved: int
) -> RunState:
    """Return what the ledger knows of a run that has ended."""
    content, send_again = record.content, command_line.repeat(record)
    halt = _get_halt(record)
    files = content.get("files", ())
    refused = [Path(file["path"]) for file in files if file["status"] == "refused" or file.get("codes")]
    named = name_files(refused)
    again = command_line.repeat_run(record)
    is_missing = "seals" not in content and command_line.seals and not Path(command_line.seals).exists()
    folders = dict.fromkeys(str(Path(file["path"]).parent) for file in files)
    copies = Path(record.out) / COPIES
    has_copies = mask_path(copies) == str(copies) and copies.is_dir() and any(copies.iterdir())
    return RunState(
        command_line=command_line,
        command=record.command,
        again=again,
        send_again=send_again,
        retry=command_line.repeat_run(record, "retry"),
        rows=rows,
        exit=record.exit or 0,
        halt_code=halt.get("code", ""),
        is_network_fault=is_network_fault(halt.get("cause", halt.get("message"))),
        is_limited_to_people="--only" in content.get("restrictions", ()),
        is_of_existing_names=halt.get("code") == "SEALS_EXIST",
        file_steps=[make_step("next.files", send_again, n=len(refused), files=named)] if refused else (),
        unresolved=unresolved,
        copies_folder=str(copies) if has_copies else None,
        roster_folders=", ".join(map(mask_path, folders or command_line.rosters)),
        seals=content.get("seals"),
        missing_seals=mask_path(command_line.seals or "") if is_missing else None,
    )


def _choose_repair_step(record: RunRecord, command_line: CommandLine) -> NextStep:
    """Return what follows once the cause is removed."""
    code = (record.content.get("halted") or {}).get("code")
    if code not in EXPLAINED_HALTS:
        return make_step("status_disk", command_line.build("ledger", "check"))
    return note_unshown(make_step("status_mended", command_line.repeat(record)))
