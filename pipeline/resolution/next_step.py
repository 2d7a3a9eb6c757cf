"""What has to be done next for one doctor, with the very commands to type."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.clock import shown, stamp
from pipeline.domain.masking import mask_path, mask_text
from pipeline.domain.results_format import WORKBOOK
from pipeline.domain.run import Status
from pipeline.ledger.protocol import RunRecord
from pipeline.messages.problem_entries import ResponsibleRole
from pipeline.messages.problems import CATALOGUE
from pipeline.messages.results import say as result_word
from pipeline.messages.service_advice import advice_on_halt, advice_on_refusal
from pipeline.messages.timeline import say
from pipeline.reports.edited_workbooks import newest
from pipeline.resolution.timeline import PersonTimeline
from pipeline.support.shell_quoting import quote


@dataclass(frozen=True, slots=True)
class Step:
    """What to do; each command is typed as it stands, but for what is written in capitals."""

    text: str
    commands: tuple[str, ...] = ()
    who: ResponsibleRole | None = None  # acts; None: nobody has to, or whoever runs the program
    notes: tuple[str, ...] = ()
    decides: bool = False  # each command is a decision that somebody takes who has looked


@dataclass(frozen=True, slots=True)
class Program:
    """How the program is called, and what it reads when nothing is named."""

    invocation: str
    rosters: tuple[str, ...]
    seals: str | None

    def command(self, *words: str) -> str:
        """Return a command line."""
        return " ".join((self.invocation, *(quote(word) for word in words)))

    def run(self, record: RunRecord | None) -> str:
        """Return the `run` that reads the same rosters again."""
        if record is None or record.command != "run" or set(record.rosters) == set(self.rosters):
            return self.command("run")
        seals = ("--seals", record.seals) if record.seals and record.seals != self.seals else ()
        words = (*record.rosters, *seals)
        if any(mask_text(word) != word for word in words):
            return self.command("retry")  # reads them again; what is not shown cannot be typed
        return self.command("run", *words)


def next_step(
    story: PersonTimeline, program: Program, run: Callable[[str], RunRecord | None], language: str
) -> Step:
    """Return what to do next about a doctor."""
    if story.run_under_way and story.status not in {Status.SEALED, Status.UNCHANGED}:
        return Step(say("next.under_way", language), (program.command("status"),))
    return _by_status(story, program, run, language)


def _by_status(
    story: PersonTimeline, program: Program, run: Callable[[str], RunRecord | None], language: str
) -> Step:
    record = run(story.newest_row.last) if story.newest_row else None
    match story.status:
        case Status.UNKNOWN | Status.EXISTS:
            return _settle(story, program, language)
        case Status.CHANGED:
            return _decide(story, program, language)
        case Status.FAILED:
            return _refused(story, program, record, language)
        case Status.REJECTED:
            return _correct(story, program, record, language)
        case Status.NOT_SENT | Status.READY:
            return _again(story, program, record, language)
        case _:
            return _sealed(story, language)


def _sealed(story: PersonTimeline, language: str) -> Step:
    """Return what is left to do where the seal exists: nothing, unless the roster still holds the row that was corrected."""
    codes = {each["code"] for each in story.newest_line.get("problems", ())}
    if not story.is_gone and story.newest_line.get("status") == Status.REJECTED and "ROW_SUPERSEDED" in codes:
        return Step(say("next.roster_wrong", language), who="clerk")
    return Step(say("next.gone" if story.is_gone else "next.nothing", language))


def _settle(story: PersonTimeline, program: Program, language: str) -> Step:
    assert story.open_create is not None
    seal, trace = story.open_create.seal_name, story.open_create.uuid
    found = program.command("resolve", trace, "--seal-id", "SEALID")
    if story.status is Status.EXISTS:
        others = program.command("resolve", trace, "--not-theirs")
        return Step(say("next.exists", language, seal=seal), (found, others), "it", decides=True)
    moment = shown(stamp(story.open_create.dead_at), to=19)
    nothing = program.command("resolve", trace, "--not-created")
    return Step(say("next.unknown", language, seal=seal, fence=moment), (found, nothing), "it", decides=True)


def _refused(story: PersonTimeline, program: Program, record: RunRecord | None, language: str) -> Step:
    """Return what the service's code asks for; rows are corrected in To fix, all else is no matter of the row."""
    advice = advice_on_refusal(story.refused_create.code or "" if story.refused_create else "")
    if advice.who == "clerk":
        step = _fix(program, record, language, advice.who)
        return replace(step, notes=(advice.told(language), say("next.waits", language)))
    text = say("next.failed", language, todo=advice.told(language))
    return Step(text, (program.command("retry"),), advice.who)


def _decide(story: PersonTimeline, program: Program, language: str) -> Step:
    assert story.seal is not None
    seal = story.seal.seal_id
    commands = (
        program.command("resolve", seal, "--keep"),
        program.command("resolve", seal, "--replace", "--seal-name", "NAME"),
    )
    return Step(say("next.changed", language), commands, "clerk", decides=True)


def _possibly_same(story: PersonTimeline) -> str:
    """Return the SealId or trace id of the person whose corrected number this may be, "" for none."""
    for problem, detail in zip(
        story.newest_line["problems"], story.newest_line.get("words") or (), strict=False
    ):
        if problem["code"] == "PERSON_POSSIBLY_SAME" and detail:
            return str(detail.get("seal") or detail.get("trace") or "")
    return ""


def _correct(story: PersonTimeline, program: Program, record: RunRecord | None, language: str) -> Step:
    word = _possibly_same(story)
    if not word:
        return _fix(program, record, language, _fixer(story))
    commands = (
        program.command("resolve", word, "--same-person"),
        program.command("resolve", word, "--other-person"),
    )
    return Step(say("next.possibly_same", language), commands, "clerk", decides=True)


def _again(story: PersonTimeline, program: Program, record: RunRecord | None, language: str) -> Step:
    """Return how a row goes on whose turn did not come: at once, or after what stopped the run was removed."""
    if story.newest_row is None or story.is_gone:
        return Step(say("next.unseen", language), (program.run(None),))
    halted = (json.loads(record.record) if record and record.record else {}).get("halted")
    advice = advice_on_halt(halted["code"]) if halted else None
    if advice is None or advice.rerun == "itself":
        return Step(say("next.again", language), (program.run(record),))
    return Step(say("next.failed", language, todo=advice.told(language)), (program.run(record),), advice.who)


def _fixer(story: PersonTimeline) -> ResponsibleRole:
    """Return who can put a refused row right."""
    errors = [each["code"] for each in story.newest_line.get("problems", ()) if each["severity"] == "error"]
    return (
        "it"
        if errors and all(CATALOGUE[code].who == "it" for code in errors if code in CATALOGUE)
        else "clerk"
    )


def _fix(program: Program, record: RunRecord | None, language: str, who: ResponsibleRole) -> Step:
    workbook = newest(Path(record.out) / WORKBOOK) if record else None
    if workbook is None or not workbook.is_file() or mask_path(workbook) != str(workbook):
        return Step(say("next.fix_roster", language), (program.run(record),), who)
    sheet = result_word("sheet.fix", language)
    text = say("next.fix", language, path=workbook, sheet=sheet)
    return Step(text, (program.command("retry", str(workbook)),), who)
