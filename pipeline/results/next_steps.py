"""What the reader should do after a run, in order, each step with the command to type; there is always one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.model import Night, Outcome, Status
from pipeline.results.facts import UNSETTLED
from pipeline.results.privacy import Numbers, mask_path, mask_text
from pipeline.results.reasons import is_spare_copy, needs_fixing, waits_for_review
from pipeline.shell import quote
from pipeline.words.results import say, status_word

WORKBOOK = "results.xlsx"
REVIEW_PAGE, REPORT_PAGE = "review.html", "report.html"
_WELL = frozenset({Status.SEALED, Status.UNCHANGED, Status.READY})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; ``command`` is typed as it stands."""

    text: str
    command: str | None = None


def waiting(night: Night) -> int:
    """Return how many rows wait for somebody: all but those that are well and the spare copies."""
    return sum(map(needs_somebody, night.outcomes))


def needs_somebody(outcome: Outcome) -> bool:
    """Tell whether a row waits for somebody."""
    return outcome.status not in _WELL and not is_spare_copy(outcome)


def verdict(night: Night, language: str) -> tuple[str, Status]:
    """Return the first sentence about a night, and the status whose colour it has."""
    rows, todo = len(night.outcomes), waiting(night)
    if todo:
        return say("verdict.people", language, rows=rows, good=rows - todo, todo=todo), Status.REJECTED
    if any(report.status == "refused" for report in night.files):
        return say("verdict.refused_only", language), Status.FAILED
    if not rows:
        return say("verdict.nothing", language), Status.UNCHANGED
    if night.command == "check":
        return say("verdict.ready", language, rows=rows), Status.SEALED
    return say("verdict.done", language, rows=rows), Status.SEALED


def next_steps(night: Night, numbers: Numbers, language: str) -> Iterator[Step]:
    """Yield the steps: what blocks everything first, then the clerk's, then the console, then decisions."""
    counts = Counter(outcome.status for outcome in night.outcomes)
    faulty = Counter(outcome.status for outcome in night.outcomes if needs_fixing(outcome))
    sheets = {name: say(f"sheet.{name}", language) for name in ("all", "fix", "unknown")}
    some = False
    for step in (
        *_before_all(night, numbers, language),
        *_for_the_clerk(night, faulty, sheets["fix"], numbers, language),
        *_for_the_rest(night, counts, sheets, numbers, language),
    ):
        some = True
        yield step
    if not some:
        yield Step(
            say("next.nothing", language), _command(night, "check" if night.command == "check" else "run")
        )


def _before_all(night: Night, numbers: Numbers, language: str) -> Iterator[Step]:
    if night.halted and night.halted.exit == 4:
        yield Step(say("next.halted", language), _command(night, "run"))
    if deferred := [report.path for report in night.files if report.status == "deferred"]:
        yield Step(
            say("next.deferred", language, n=len(deferred)),
            _on_workbook(night, numbers, "retry", deferred[0]),
        )
    refused = sum(report.status == "refused" for report in night.files)
    if refused:
        again = "check" if night.command == "check" else "run"
        yield Step(say("next.files", language, n=refused), _command(night, again))


def _for_the_clerk(
    night: Night, faulty: Counter[Status], sheet: str, numbers: Numbers, language: str
) -> Iterator[Step]:
    if night.command == "check":
        if faulty:
            yield Step(say("next.check", language, sheet=sheet), _command(night, "check"))
        return
    retry = _on_workbook(night, numbers, "retry")
    if wrong := faulty[Status.REJECTED]:
        yield Step(say("next.fix", language, n=wrong, sheet=sheet), retry)
    if refused := faulty[Status.FAILED]:
        key, command = ("next.failed_too", None) if wrong else ("next.failed", retry)
        yield Step(say(key, language, n=refused, sheet=sheet), command)


def _for_the_rest(
    night: Night, counts: Counter[Status], sheets: dict[str, str], numbers: Numbers, language: str
) -> Iterator[Step]:
    unsettled = sum(counts[status] for status in UNSETTLED)
    if unsettled:
        settle = _on_workbook(night, numbers, "resolve")
        yield Step(say("next.unknown", language, n=unsettled, sheet=sheets["unknown"]), settle)
    if changed := counts[Status.CHANGED]:
        word = status_word(Status.CHANGED, language)
        listing = f"{night.invocation} resolve"
        yield Step(say("next.changed", language, n=changed, sheet=sheets["all"], status=word), listing)
    if night.absent:
        yield Step(say("next.absent", language, n=night.absent), f"{night.invocation} status")
    reviewable = sum(map(waits_for_review, night.outcomes))
    if reviewable:
        page = mask_path(night.out / REVIEW_PAGE, numbers)
        yield Step(say("next.review", language, n=reviewable, page=page), review_command(night))
    waits = counts[Status.NOT_SENT] - reviewable
    if waits and not (night.halted and night.halted.exit == 4):
        again = _on_workbook(night, numbers, "retry") if night.command == "retry" else _command(night, "run")
        yield Step(say("next.again", language, n=waits), again)
    if ready := counts[Status.READY]:
        yield Step(say("next.run", language, n=ready), _command(night, "run"))
        if night.reviews and not reviewable:
            page = mask_path(night.out / REVIEW_PAGE, numbers)
            yield Step(say("next.look", language, page=page), review_command(night))


def review_command(night: Night) -> str:
    """Return the command that takes up what was judged on the night's review page."""
    return f"{_command(night, 'run')} --review {review_file(night.run)}"


def review_file(run: str) -> str:
    """Return the name under which a page's judgements are saved."""
    return f"review-{run}.json"


def _on_workbook(night: Night, numbers: Numbers, command: str, path: Path | None = None) -> str:
    return f"{night.invocation} {command} {quote(mask_path(path or night.out / night.workbook, numbers))}"


def _command(night: Night, command: str) -> str:
    """Return a command as it was called tonight, with the rosters and folders that were named."""
    return " ".join(filter(None, (night.invocation, command, mask_text(night.arguments))))
