"""What the last run left to do, for `status`: said so that the first thing stands last, its command ready to type."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cli.context import Session
from pipeline.domain.masking import mask_path
from pipeline.domain.results_format import WORKBOOK
from pipeline.domain.run import Status
from pipeline.messages.results import say
from pipeline.messages.texts import load_texts
from pipeline.reports.next_steps import PLAN_GUARDS
from pipeline.reports.presenter import Presenter
from pipeline.reports.service_text import describe_halt

if TYPE_CHECKING:
    from pipeline.config.settings import Config
    from pipeline.ledger.protocol import RunRecord
    from pipeline.resolution.next_step import Program

# codes of runs that ended before they sent, or could not write: what is said of them names the cure
MENDED = frozenset({"DISK", "LEDGER_REFUSED", "LOCKED", "NOT_READ_NOW", "USAGE"})
TO_FIX = (Status.REJECTED, Status.FAILED)
SIGNALS = 128
# exit code -> what is said of the rerun; 3 and 0 are told by what the run left
RERUN = {4: "status_halted", 5: "status_later", 7: "status_refused"}


def print_next_steps(
    session: Session,
    config: Config,
    program: Program,
    last: RunRecord | None,
    unsettled: int,
    *,
    under_way: bool,
) -> None:
    """Say what is to be done after the last run, the most urgent at the very end."""
    told = print_halt(session, last)
    steps = list(_steps(session, config, program, last, told, under_way=under_way))
    if unsettled:
        steps = [step for step in steps if step[1] != program.command("resolve")]
        text = session.render_sentence("status_settle", n=unsettled)
        steps.insert(
            int(bool(steps) and last is not None and last.exit != 0), (text, program.command("resolve"))
        )
    for text, command in reversed(steps):
        session.print_next_step(text, command)


def print_halt(session: Session, last: RunRecord | None) -> dict[str, Any]:
    """Say why the last run stopped, if it did; return its run.json, empty where there is none."""
    told: dict[str, Any] = json.loads(last.record) if last and last.record else {}
    if halted := told.get("halted"):
        halted = load_texts(halted)
        why = describe_halt(halted["code"], halted["message"], Presenter(session.spoken), halted)
        session.print_text("halted", code=halted["code"], message=why)
    return told


def _steps(
    session: Session,
    config: Config,
    program: Program,
    last: RunRecord | None,
    told: dict[str, Any],
    *,
    under_way: bool,
) -> Iterator[tuple[str, str]]:
    """Yield what the way in which the last run ended asks for, each with its command."""
    if last is None:
        yield session.render_sentence("next_run"), program.command("run")
        return
    again = _again(program, last)
    if last.finished is None or last.exit is None:
        going_on = (session.render_sentence("status_under_way"), program.command("status"))
        yield going_on if under_way else (session.render_sentence("status_killed"), again)
    elif last.exit >= SIGNALS:
        yield session.render_sentence("status_interrupted"), again
    elif last.exit == 1:
        yield (
            session.render_sentence("next_bug"),
            again.replace(program.invocation, f"{program.invocation} -v", 1),
        )
    elif last.exit in {2, 6, 74}:
        yield _mended(session, program, told, again)
    elif key := RERUN.get(last.exit):
        yield _rerun(session, key, told, again)
    elif last.exit == 0:
        yield session.render_sentence("status_done"), again
    if last.exit in {3, 5, 7}:
        wrong = any(told.get("statuses", {}).get(each.value) for each in TO_FIX)
        if wrong or last.exit == 3:
            yield _look(session, config, program, last, wrong=wrong)


def _rerun(session: Session, key: str, told: dict[str, Any], again: str) -> tuple[str, str]:
    """Return what is said of a rerun: after a guard that looks at the plan, a plain one is stopped again."""
    if (told.get("halted") or {}).get("code") in PLAN_GUARDS:
        return say("next.guarded", session.spoken), f"{again} --accept-guards"
    refused = sum(each["status"] == "refused" for each in told.get("files", ()))
    return session.render_sentence(key, n=refused), again


def _mended(session: Session, program: Program, told: dict[str, Any], again: str) -> tuple[str, str]:
    """Return what follows once the cause is removed that was said: results that were not written are rebuilt first."""
    code = (told.get("halted") or {}).get("code")
    if code not in MENDED:
        return session.render_sentence("status_disk"), program.command("ledger", "check")
    unwritten = code == "DISK" and told["rows"]
    return session.render_sentence("status_mended"), program.command("report") if unwritten else again


def _look(
    session: Session, config: Config, program: Program, last: RunRecord, *, wrong: bool
) -> tuple[str, str]:
    """Return where rows are corrected, or looked at where none is to be corrected."""
    place = _workbook(config, last)
    if place is None:
        return session.render_sentence("status_correct_roster"), program.command("retry")
    if not wrong:
        return session.render_sentence("status_look", path=place), program.command("resolve")
    sheet = say("sheet.fix", session.spoken)
    return session.render_sentence("status_correct", path=place, sheet=sheet), program.command("retry", place)


def _again(program: Program, last: RunRecord) -> str:
    """Return the command that does once more what the last run did."""
    if last.command == "retry":
        book = last.rosters[:1] if last.context else ()
        return program.command("retry", *(each for each in book if mask_path(Path(each)) == each))
    return program.command("resolve") if last.command == "resolve" else program.run(last)


def _workbook(config: Config, last: RunRecord) -> str | None:
    """Return where the last run's workbook lies, or its copy; None where neither is there or may be shown."""
    copies = [config.path(config.out) / "latest" / WORKBOOK] if last.command == "run" else []
    places = (Path(last.out) / WORKBOOK, *copies)
    return next((str(each) for each in places if each.is_file() and mask_path(each) == str(each)), None)
