"""Decides what to do next after the last run in the ledger: for `status`, and for one doctor."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.domain.masking import mask_path
from pipeline.domain.results_format import COPIES, WORKBOOK
from pipeline.domain.run import PLAN_GUARDS, SEAL_ID_REUSED, UNRESOLVED_STATUSES, Status
from pipeline.messages.catalogue import make_phrase
from pipeline.reports.earlier_results import find_newest_workbook
from pipeline.reports.next_steps import CommandLine, NextStep, make_step

if TYPE_CHECKING:
    from pipeline.ledger.protocol import RunRecord

# runs that ended before they sent, or could not write: their message names the cure
EXPLAINED_HALTS = frozenset({"DISK", "LEASE_LOST", "LEDGER_REFUSED", "LOCKED", "NOT_READ_NOW", "USAGE"})
EXIT_BUG, EXIT_SIGNAL = 1, 128
# statuses of rows that a decision of a person ends
_DECIDED_STATUSES = UNRESOLVED_STATUSES | {Status.CHANGED}
# exit code -> what `status` writes of a rerun; 0 and 3 depend on what the run left
RERUN_TEXTS = {4: "status_halted", 5: "status_later", 7: "status_refused"}


def list_status_steps(
    last: RunRecord | None,
    command_line: CommandLine,
    *,
    unresolved: int,
    changed: int,
    under_way: bool,
    latest: Path,
) -> list[NextStep]:
    """Return the steps after the last run, the most urgent first; ``latest`` is the folder of the copies.

    ``unresolved`` creates and ``changed`` rows wait for a decision now.
    """
    waits = bool(unresolved or changed)
    steps = list(_list_steps_after(last, command_line, under_way=under_way, latest=latest, waits=waits))
    if unresolved:
        listing = command_line.build("resolve")
        steps = [step for step in steps if step.command != listing]
        blocks_first = bool(steps) and last is not None and last.exit != 0 and not _is_untrusted(last)
        steps.insert(int(blocks_first), make_step("status_settle", listing, n=unresolved))
    return steps


def _is_untrusted(record: RunRecord) -> bool:
    """Return whether an answer held another person's SealId: no run sends anything before it is resolved."""
    return (record.content.get("halted") or {}).get("code") == SEAL_ID_REUSED


def _list_steps_after(
    last: RunRecord | None, command_line: CommandLine, *, under_way: bool, latest: Path, waits: bool
) -> Iterator[NextStep]:
    if last is None:
        yield make_step("next_run", command_line.build("run"))
        return
    content, again = last.content, command_line.repeat(last)
    if last.finished is None or last.exit is None:
        if under_way:
            yield make_step("status_under_way", command_line.build("status"))
        else:
            yield make_step("status_killed", again)
        return
    if last.exit >= EXIT_SIGNAL:
        yield make_step("status_interrupted", again)
    elif last.exit == EXIT_BUG:
        verbose = again.replace(command_line.invocation, f"{command_line.invocation} -v", 1)
        yield make_step("next_bug", verbose)
    elif last.exit in {2, 6, 74}:
        yield _choose_repair_step(content, command_line, again)
    elif last.exit in RERUN_TEXTS:
        yield _choose_rerun_step(last.exit, content, again)
    elif last.exit == 0:
        yield make_step("status_done", again)
    if last.exit in {3, 5, 7}:
        yield from _list_correction_steps(
            last, content.get("statuses", {}), command_line, latest, waits=waits
        )


def _list_correction_steps(
    last: RunRecord, statuses: Mapping[str, int], command_line: CommandLine, latest: Path, *, waits: bool
) -> Iterator[NextStep]:
    """Yield what to do about the rows that a run left open."""
    must_correct = bool(statuses.get(Status.REJECTED) or statuses.get(Status.FAILED))
    if last.exit == 3 and not waits and _left_only_decisions(statuses):
        yield make_step("status_decided", command_line.repeat(last))
    elif last.exit == 3 or must_correct:
        copies = [latest] if last.command == "run" else []
        workbook = find_workbook([Path(last.out), *copies])
        copies_folder = find_marked_copies(Path(last.out))
        yield _choose_correction_step(workbook, copies_folder, command_line, must_correct=must_correct)


def _left_only_decisions(statuses: Mapping[str, int]) -> bool:
    """Return whether all rows that a run left open wait for a decision, and for nothing else."""
    open_statuses = {status for status, rows in statuses.items() if rows} - {Status.SEALED, Status.UNCHANGED}
    return bool(open_statuses) and open_statuses <= _DECIDED_STATUSES


def _choose_rerun_step(exit_code: int, content: Mapping[str, Any], again: str) -> NextStep:
    if (content.get("halted") or {}).get("code") in PLAN_GUARDS:
        return make_step("next.guarded", f"{again} --accept-guards")
    refused = sum(file["status"] == "refused" or bool(file.get("codes")) for file in content.get("files", ()))
    return make_step(RERUN_TEXTS[exit_code], again, n=refused)


def _choose_repair_step(content: Mapping[str, Any], command_line: CommandLine, again: str) -> NextStep:
    """Return what follows once the cause is removed; results that were not written are rebuilt first."""
    code = (content.get("halted") or {}).get("code")
    if code not in EXPLAINED_HALTS:
        return make_step("status_disk", command_line.build("ledger", "check"))
    is_unwritten = code == "DISK" and content["rows"]
    return make_step("status_mended", command_line.build("report") if is_unwritten else again)


def _choose_correction_step(
    workbook: Path | None, copies: Path | None, command_line: CommandLine, *, must_correct: bool
) -> NextStep:
    if workbook is None:
        return make_step("status_correct_roster", command_line.build("retry"))
    if not must_correct:
        return make_step("status_look", command_line.build("resolve"), path=workbook)
    retry, sheet = command_line.build("retry", str(workbook)), make_phrase("sheet.fix")
    if copies is None:
        return make_step("status_correct", retry, path=workbook, sheet=sheet)
    return make_step("status_correct_copy", retry, path=workbook, sheet=sheet, copies=copies)


def find_workbook(folders: Sequence[Path]) -> Path | None:
    """Return the first results workbook that exists and whose path may be shown."""
    workbooks = (find_newest_workbook(folder / WORKBOOK) for folder in folders)
    return next((path for path in workbooks if path.is_file() and mask_path(path) == str(path)), None)


def find_marked_copies(out: Path) -> Path | None:
    """Return the folder of a run's marked copies if it holds any and its path may be shown."""
    folder = out / COPIES
    is_shown = mask_path(folder) == str(folder)
    return folder if is_shown and folder.is_dir() and any(folder.iterdir()) else None
