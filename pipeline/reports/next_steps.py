"""What the reader should do after a run, in order, each step with the command to type; there is always one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.domain.masking import NO_NUMBERS, Numbers, mask_path, mask_text
from pipeline.domain.roster import Problem
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.messages.results import say, status_word
from pipeline.reports.display_values import UNSETTLED
from pipeline.reports.reasons import is_spare_copy, needs_fixing, waits_for_review
from pipeline.support.shell_quoting import quote

WORKBOOK = "results.xlsx"
REVIEW_PAGE, REPORT_PAGE = "review.html", "report.html"
GUARDS = frozenset(
    {"ROSTER_MISSING", "ROSTER_SHRUNK", "TOO_MANY_NEW"}
)  # they look at the plan: as it is, it is stopped again
CAUSED = frozenset(
    {"DISK", "LEDGER", "SAME_REFUSAL", "SEALS_EXIST", "TOO_MANY_UNKNOWN"}
)  # time alone does not remove what stopped them
_WELL = frozenset({Status.SEALED, Status.UNCHANGED, Status.READY})


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do; ``command`` is typed as it stands."""

    text: str
    command: str | None = None


def waiting(night: RunReport) -> int:
    """Return how many rows wait for somebody: all but those that are well and the spare copies."""
    return sum(map(needs_somebody, night.outcomes))


def needs_somebody(outcome: RowOutcome) -> bool:
    """Tell whether a row waits for somebody."""
    return outcome.status not in _WELL and not is_spare_copy(outcome)


def verdict(night: RunReport, language: str) -> tuple[str, Status]:
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


def next_steps(night: RunReport, numbers: Numbers, language: str) -> Iterator[Step]:
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
        again = "check" if night.command == "check" else "run"
        yield _step(night, say("next.nothing", language), again, language)


def _before_all(night: RunReport, numbers: Numbers, language: str) -> Iterator[Step]:
    if night.halt and night.halt.exit == 4:
        yield _sent_again(night, say("next.halted", language), language)
    if _guarded(night):
        passed = _step(night, say("next.guarded", language), "run", language)
        typed = f"{passed.command} --accept-guards" if _shown(night) else passed.command
        yield replace(passed, command=typed)
    if night.halt and night.halt.code == "SEALS_EXIST":
        yield Step(say("next.adopt", language), f"{night.invocation} adopt --help")
    if deferred := [report.path for report in night.files if report.status == "deferred"]:
        typed = _typed(night, numbers, "retry", deferred[:1]) or f"{night.invocation} retry --help"
        yield Step(say("next.deferred", language, n=len(deferred)), typed)
    refused = [report for report in night.files if report.status == "refused"]
    marked = next((report.path for report in refused if any(map(_is_marks, report.problems))), None)
    if marked is not None and night.command == "retry":
        typed = _typed(night, numbers, "retry", [marked]) or f"{night.invocation} retry --help"
        yield Step(say("next.marks", language, file=mask_text(marked.name, numbers)), typed)
    elif refused and night.command == "retry":
        typed = _typed(night, numbers, "retry", [refused[0].path]) or f"{night.invocation} retry --help"
        yield Step(say("next.files", language, n=len(refused)), typed)
    elif refused:
        again = "check" if night.command == "check" else "run"
        yield _step(night, say("next.files", language, n=len(refused)), again, language)


def _is_marks(problem: Problem) -> bool:
    """Tell whether a results workbook was refused for the hidden marks of its rows."""
    return problem.code == "FILE_SUSPICIOUS" and bool(problem.detail.get("ticket"))


def _guarded(night: RunReport) -> bool:
    """Tell whether a guard let nothing through: a plain run of the same rosters would be stopped again."""
    return night.halt is not None and night.halt.code in GUARDS


def _for_the_clerk(
    night: RunReport, faulty: Counter[Status], sheet: str, numbers: Numbers, language: str
) -> Iterator[Step]:
    if night.command == "check":
        if faulty:
            yield _step(night, say("next.check", language, sheet=sheet), "check", language)
        return
    retry = _typed(night, numbers, "retry", _workbooks(night))
    if retry is None:
        if todo := faulty[Status.REJECTED] + faulty[Status.FAILED]:
            yield Step(say("next.fix_roster", language, n=todo), f"{night.invocation} retry")
        return
    if wrong := faulty[Status.REJECTED]:
        yield Step(say("next.fix", language, n=wrong, sheet=sheet), retry)
    if refused := faulty[Status.FAILED]:
        key, command = ("next.failed_too", None) if wrong else ("next.failed", retry)
        yield Step(say(key, language, n=refused, sheet=sheet), command)


def _for_the_rest(
    night: RunReport, counts: Counter[Status], sheets: dict[str, str], numbers: Numbers, language: str
) -> Iterator[Step]:
    unsettled = sum(counts[status] for status in UNSETTLED)
    if unsettled:
        settle = _typed(night, numbers, "resolve", _workbooks(night))
        key = "next.unknown" if settle else "next.unknown_list"
        text = say(key, language, n=unsettled, sheet=sheets["unknown"])
        yield Step(text, settle or f"{night.invocation} resolve")
    if changed := counts[Status.CHANGED]:
        word = status_word(Status.CHANGED, language)
        listing = f"{night.invocation} resolve"
        yield Step(say("next.changed", language, n=changed, sheet=sheets["all"], status=word), listing)
    if held := sum(outcome.row_plan.possibly_same is not None for outcome in night.outcomes):
        yield Step(say("next.possibly_same", language, n=held), f"{night.invocation} resolve")
    if night.absent_unresolved:
        yield Step(say("next.absent", language, n=night.absent_unresolved), f"{night.invocation} status")
    note = "" if _shown(night) else f" {say('next.unshown', language)}"
    reviewable = sum(map(waits_for_review, night.outcomes))
    if reviewable:
        page = mask_path(night.out / REVIEW_PAGE, numbers)
        yield Step(say("next.review", language, n=reviewable, page=page) + note, review_command(night))
    waits = counts[Status.NOT_SENT] - reviewable
    if waits and not _guarded(night) and not (night.halt and night.halt.exit == 4):
        key = "next.again_after" if night.halt and night.halt.code in CAUSED else "next.again"
        yield _sent_again(night, say(key, language, n=waits), language, numbers)
    if ready := counts[Status.READY]:
        yield _step(night, say("next.run", language, n=ready), "run", language)
        if night.review_mark and not reviewable:
            page = mask_path(night.out / REVIEW_PAGE, numbers)
            yield Step(say("next.look", language, page=page) + note, review_command(night))


def review_command(night: RunReport) -> str:
    """Return the command that takes up what was judged on the night's review page."""
    run = _command(night, "run") if _shown(night) else f"{night.invocation} run"
    return f"{run} --review {review_file(night.run)}"


def review_file(run: str) -> str:
    """Return the name under which a page's judgements are saved."""
    return f"review-{run}.json"


def _sent_again(night: RunReport, text: str, language: str, numbers: Numbers = NO_NUMBERS) -> Step:
    """Return how rows that were not sent go on: with tonight's words, or by `retry`, which needs none of them."""
    if night.command == "retry":
        again = _typed(night, numbers, "retry", _workbooks(night))
        return Step(text, again or f"{night.invocation} retry")
    if not _shown(night):
        return Step(text, f"{night.invocation} retry")
    return _step(night, text, "run", language)


def _step(night: RunReport, text: str, command: str, language: str) -> Step:
    """Return a step with a command as it was called tonight, with the rosters and folders that were named.

    A name that holds a number is masked and cannot be typed: then it is said so.
    """
    if _shown(night):
        return Step(text, _command(night, command))
    return Step(f"{text} {say('next.unshown', language)}", f"{night.invocation} {command} --help")


def _shown(night: RunReport) -> bool:
    """Tell whether rosters and folders that were named may be shown as they are."""
    return mask_text(night.arguments) == night.arguments


def _workbooks(night: RunReport) -> list[Path]:
    """Return where the night's workbook lies, and where its copy."""
    return [night.out / night.workbook, *([night.latest / WORKBOOK] if night.latest else [])]


def _typed(night: RunReport, numbers: Numbers, command: str, paths: Sequence[Path]) -> str | None:
    """Return the command on the first path that may be shown as it is; what is masked cannot be typed."""
    told = next((path for path in paths if mask_path(path, numbers) == str(path)), None)
    return None if told is None else f"{night.invocation} {command} {quote(str(told))}"


def _command(night: RunReport, command: str) -> str:
    return " ".join(filter(None, (night.invocation, command, night.arguments)))
