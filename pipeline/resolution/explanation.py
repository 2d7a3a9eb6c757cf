"""The doctors whom a query means, and a timeline as `explain` shows it: as JSON, or as text by the template ``explain.txt``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.clock import Clock, shown
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.row_record import RecordedPicture
from pipeline.domain.run import PAGE_REASON, REVIEW_REASON, Status
from pipeline.ledger.records import LastDecision
from pipeline.messages.areas import is_known
from pipeline.messages.catalogue import name_field, render
from pipeline.messages.problems import get_problem_kind_if_known
from pipeline.messages.service_errors import get_advice, is_known_code
from pipeline.reports.explanations import describe_halt, describe_lost_answer, describe_problem
from pipeline.reports.html_pages import load_template
from pipeline.reports.next_steps import NextStep
from pipeline.reports.person_step import choose_person_step
from pipeline.reports.presenter import Presenter
from pipeline.resolution.ledger_status import describe_command_line
from pipeline.resolution.person_query import PersonFinder
from pipeline.resolution.timeline import (
    DecisionEntry,
    LastSeen,
    PersonTimeline,
    RunEntry,
    SeenRow,
    SentCreate,
    WrittenProblem,
    make_decision_entry,
)
from pipeline.support.terminal_text import align_columns, measure_width, pad_to_width
from pipeline.workflow.hosts_factory import make_location
from pipeline.workflow.tenant_ledger import WARNING_LOG, WarningOutput, open_configured_ledger

_SUMMARY = ("key", "name", "staff_no", "id_masked", "status", "seal_name")
_NOT_DUMPED = frozenset(
    {"newest_row", "open_create", "contradicting", "refused_create", "is_run_under_way", "last_decision"}
)
_KEYS = {"moment": "at"}  # of fields that have another name in the JSON
_INDENT = "  "
_TAB = "\t"  # behind the label of a line
_NEEDS_NO_MEANING = frozenset({"sealed", "not_executed"})  # verdicts after which there is nothing to do


@dataclass(frozen=True, slots=True)
class Explanation:
    """The doctors whom a query means; of a single one also what to do next, of none similar words."""

    people: tuple[PersonTimeline, ...]
    step: NextStep | None = None
    withdrawal: str = (
        ""  # the command that withdraws the last decision on the single doctor, where that can be done
    )
    similar: tuple[str, ...] = ()  # names and staff numbers

    def to_dict(self, language: str = "en") -> dict[str, Any]:
        """Return what `explain --json` shows, sentences in ``zh`` or ``en``."""
        count = {"query_fits": len(self.people)}
        if not self.people:
            return {**count, "similar": list(self.similar)}
        if self.step is None:
            return {**count, "people": [summarize(timeline) for timeline in self.people]}
        return {**count, "doctor": dump_timeline(self.people[0], self.step, language)}


def explain_people(
    config: Config,
    clock: Clock,
    words: Sequence[str],
    invocation: str,
    *,
    warnings: WarningOutput = WARNING_LOG,
) -> Explanation:
    """Return the doctors to whom all of these words belong, or the words joined, or the doctors of a row of the last run.

    It makes no call and takes no lock. ``invocation`` is how the program is called, for the commands of the next step.
    ``warnings`` takes what was repaired.
    """
    with open_configured_ledger(config, clock, warnings=warnings) as (ledger, site_key):
        # the newest run is under way if it has not ended and a process holds the lock
        under_way = next(
            (
                run.run
                for run in ledger.list_runs(1)
                if run.finished is None and make_location(config).hold.is_taken()
            ),
            None,
        )
        finder = PersonFinder(ledger, site_key, under_way, ledger.list_same_persons())
        whole_query = " ".join(words)
        timelines = finder.list_timelines(words) or finder.list_timelines([whole_query])
        timelines = timelines or finder.list_timelines_of_row(whole_query)
        if not timelines:
            return Explanation((), similar=tuple(finder.suggest_words(words)))
        if len(timelines) > 1:
            return Explanation(tuple(timelines))
        command_line = describe_command_line(config, invocation)
        step = choose_person_step(timelines[0].make_state(command_line, ledger.get_run))
        last, withdrawal = timelines[0].last_decision, ""
        if last is not None and last.can_be_withdrawn:
            withdrawal = command_line.build("resolve", last.unique_word, "--withdraw")
        return Explanation(tuple(timelines), step, withdrawal)


# -- as JSON


def summarize(timeline: PersonTimeline) -> dict[str, Any]:
    """Return who a doctor is."""
    return {name: getattr(timeline, name) for name in _SUMMARY}


def dump_timeline(timeline: PersonTimeline, step: NextStep, language: str) -> dict[str, Any]:
    """Return a timeline with the step that comes next; sentences are in ``language``."""
    values = {name: value for name, value in _dump(timeline, language).items() if name not in _NOT_DUMPED}
    texts = {"text": step.text.render(language), "notes": [note.render(language) for note in step.notes]}
    return {**values, "next": {"who": step.who, "commands": step.commands, **texts}}


def _dump(value: Any, language: str) -> Any:
    if isinstance(value, tuple):
        return [_dump(item, language) for item in value]
    if isinstance(value, WrittenProblem):
        return {
            "code": value.code,
            "field": value.field,
            "cell": value.cell,
            "severity": value.severity,
            "message": _describe_problem(value, language),
            "who": _get_role(value.code),
        }
    if is_dataclass(value):
        names = [field.name for field in fields(value)]
        return {_KEYS.get(name, name): _dump(getattr(value, name), language) for name in names}
    return value


def _get_role(code: str) -> str | None:
    kind = get_problem_kind_if_known(code)
    return kind.who if kind is not None else None


# -- as text


def render_people(timelines: Sequence[PersonTimeline], language: str) -> Iterator[str]:
    """Yield a short table of doctors."""
    columns = ("name", "staff_no", "last_four", "status", "seal_name")
    header = [render(f"col.{name}", language) for name in columns]
    rows = [
        [
            timeline.name or render("who.nameless", language),
            timeline.staff_no or "—",
            (timeline.id_masked or "—")[-4:],
            render(f"status.{timeline.status}", language),
            timeline.seal_name or "—",
        ]
        for timeline in timelines
    ]
    for line in align_columns([header, *rows]):
        yield _INDENT + line


def render_timeline(explanation: Explanation, language: str, base: Path) -> Iterator[str]:
    """Yield the lines of the single doctor's timeline; paths below ``base`` are shortened."""
    values = collect_story_values(explanation, language, base)
    page = load_template("explain.txt").render(**values)
    yield from _align_labels(page.rstrip("\n").split("\n"))


def collect_story_values(explanation: Explanation, language: str, base: Path) -> dict[str, object]:
    """Return what a template shows of the single doctor's timeline, and the functions that it calls.

    Paths below ``base`` are shortened.
    """
    (timeline,), step = explanation.people, explanation.step
    assert step is not None
    functions: dict[str, Callable[..., object]] = {
        "text": partial(_render_known, language),
        "address": partial(_format_address, language),
        "moment": lambda moment: shown(moment, to=19),
        "shorten": lambda path: path.removeprefix(f"{base}{os.sep}"),
        "role": lambda who: render(f"who.{who or 'nobody'}", language),
        "field": Presenter(language).name_field,
        "problem": partial(_describe_problem, language=language),
        "role_of": lambda problem: _get_role(problem.code),
        "lost": lambda create: describe_lost_answer(create.code, create.message, Presenter(language)),
        "meaning": partial(_explain_code, language),
        "unsent": partial(_explain_unsent, language),
        "sizes": partial(_describe_sizes, language),
        "author": partial(_describe_author, language),
        "decision": partial(_describe_decision, language, timeline),
    }
    other_values = [f"{name_field(field, language)} {text}" for field, text in timeline.other_values.items()]
    # of a row “sealed” means “in this run”, of a person it does not
    known = "has_seal" if timeline.status is Status.SEALED else f"meaning.{timeline.status}"
    return {
        "person": timeline,
        "other_values": other_values,
        "meaning_of_status": "meaning.doubtful" if timeline.doubtful_picture else known,
        "step": {
            "who": step.who,
            "text": step.text.render(language),
            "commands": step.render_commands(language),
        },
        "notes": [note.render(language) for note in step.notes],
        "withdrawal": explanation.withdrawal,
        **functions,
    }


def describe_decision(entry: DecisionEntry, language: str) -> str:
    """Return what was decided."""
    seal_id, detail = entry.seal_id or "—", entry.detail or "—"
    return _render_known(language, f"decision.{entry.kind}", entry.kind, seal_id=seal_id, detail=detail)


def describe_last_decision(last: LastDecision, language: str) -> dict[str, str]:
    """Return what messages and the page show of a decision that can be withdrawn: about whom, what, who decided, and when."""
    entry = make_decision_entry(last.decision, withdrawable=True)
    return {
        "name": last.person.name or render("who.nameless", language),
        "tail": (last.person.id_masked or "—")[-4:],
        "what": describe_decision(entry, language),
        "who": entry.who,
        "at": shown(entry.moment),
    }


def _describe_decision(language: str, timeline: PersonTimeline, entry: DecisionEntry) -> str:
    """Return what was decided, of a withdrawal what it withdraws."""
    decisions = [other for other in timeline.history if isinstance(other, DecisionEntry)]
    withdrawn = next((other for other in decisions if other.id == entry.withdraws), None)
    if withdrawn is not None:
        what, moment = describe_decision(withdrawn, language), shown(withdrawn.moment, to=19)
        return render("decision.withdraws", language, what=what, moment=moment)
    text = describe_decision(entry, language)
    return render("decision.withdrawn", language, what=text) if entry.withdrawn else text


def _describe_author(language: str, entry: DecisionEntry) -> str:
    """Return who decided, and why where there is a reason; what the program entered in its place is put into words."""
    why = entry.why
    if why == PAGE_REASON:
        why = render("why.page", language)
    elif why.startswith(REVIEW_REASON):
        why = render("why.review", language, run=why.removeprefix(REVIEW_REASON))
    return render("by", language, who=entry.who, why=why) if why else entry.who


def _align_labels(lines: Sequence[str]) -> Iterator[str]:
    """Yield lines; the texts behind a tab begin below each other, and a label like that of the line before is left out."""
    for _, paragraph in groupby(lines, bool):
        own_lines = [*paragraph]
        labels = [line.partition(_TAB)[0] for line in own_lines if _TAB in line]
        width = max(map(measure_width, labels), default=0) + 2
        label_before = None
        for line in own_lines:
            label, tab, text = line.partition(_TAB)
            if tab:
                shown_label = "" if label == label_before else label
                yield _INDENT + pad_to_width(shown_label, width) + text
            else:
                yield line
            label_before = label if tab else None


def _render_known(language: str, key: str, otherwise: str | None = None, /, **detail: object) -> str:
    """Return a text of the catalogue; ``otherwise`` where it has none of this key."""
    if otherwise is not None and not is_known(key):
        return otherwise
    return render(key, language, **detail)


def _format_address(language: str, row: SeenRow | LastSeen) -> str:
    return render("place.sheet" if row.sheet else "place.row", language, sheet=row.sheet, row=row.row)


def _describe_sizes(language: str, picture: RecordedPicture) -> str:
    """Return how large a picture is, and what was sent of it if that is not the same; "" where it was not recorded."""
    sizes = picture.sizes
    if sizes is None:
        return ""
    if sizes.sent is None or sizes.sent == sizes.given:
        return str(sizes.given)
    return render("sent_size", language, given=sizes.given, sent=sizes.sent)


def _describe_problem(problem: WrittenProblem, language: str) -> str:
    """Return a problem's sentence in the reader's language, where the record holds what it is made of."""
    if problem.written is not None:
        return problem.written
    return mask_text(describe_problem(problem, Presenter(language), masked=False))


def _explain_code(language: str, create: SentCreate) -> str:
    """Return what the code of an answer means, "" where that is of no use."""
    code = create.code
    if not code or create.verdict in _NEEDS_NO_MEANING or not is_known_code(code):
        return ""
    is_lost = describe_lost_answer(code, create.message, Presenter(language)) is not None
    return "" if is_lost else get_advice(code).meaning.render(language)


def _explain_unsent(language: str, run: RunEntry) -> str:
    """Return why a run left a row of the doctor unsent for a reason of its own, not of the row; else ""."""
    if all(row.status not in {Status.NOT_SENT, Status.READY} or row.errors for row in run.rows):
        return ""
    if halted := run.halted:
        message = describe_halt(halted["code"], halted["message"], Presenter(language), halted)
        return render("timeline.halted", language, message=message, code=halted["code"])
    if run.restrictions:
        return render("timeline.restricted", language, options=", ".join(run.restrictions))
    return ""
