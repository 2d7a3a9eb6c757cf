"""review.html: a card a doctor, judged by keyboard; one file that needs no network and runs no script but its own.

The only script and the only style are allowed by their digests; everything that comes from a roster is text to the
browser. Pictures are small copies: an unchanged row's is taken from the cache or left out, never opened.
"""

from __future__ import annotations

import base64
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pipeline.clock import stamp
from pipeline.domain.roster import ImageFile, ImagePreview
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.messages.pages import REVIEW_TEXTS, render_review_text
from pipeline.reports.explanations import describe_problem, list_reasons
from pipeline.reports.html_pages import render_pieces
from pipeline.reports.next_steps import build_review_command, name_review_file
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import display_name, display_seal_name, mask_doctor_id
from pipeline.reports.styles import clean_text
from pipeline.support.atomic_files import write_atomically

MOST_CARDS = 3_000  # a page of some 30 MB; nobody judges more in a day
OPENERS = 2  # threads that make small copies
GROUPS = (
    "judge",
    "refused",
    "held",
    "sealed",
    "unchanged",
)  # in the order in which they find room on the page
GROUP_OF: Mapping[Status, str] = {
    Status.REJECTED: "refused",
    Status.FAILED: "refused",
    Status.NOT_SENT: "refused",
    Status.READY: "refused",
    Status.UNKNOWN: "held",
    Status.EXISTS: "held",
    Status.CHANGED: "held",
    Status.SEALED: "sealed",
    Status.UNCHANGED: "unchanged",
}  # of a row that cannot be judged

Thing = TypeVar("Thing", bound=Hashable)
LoadPreview = Callable[
    [ImageFile, bool], ImagePreview | None
]  # may it open the picture, or only look into the cache?

_REVIEW = frozenset({"REVIEW_WRONG", "REVIEW_MISSING"})
_JUDGED_ANYWAY = frozenset({Status.READY, Status.NOT_SENT, Status.FAILED})


@dataclass(frozen=True, slots=True)
class Card:
    """One row as the page shows it: masked, in the reader's words."""

    group: str  # see GROUPS
    id: str | None  # of the judgement, where it can be judged
    judged: str  # right, wrong or nothing: what the ledger remembers
    status: str
    name: str
    who: str  # staff number and department
    seal_name: str
    number: str
    file: str
    evidence: str
    place: str
    picture: str | None  # data: URI
    instead: str  # what is said where there is no picture to see
    warnings: tuple[str, ...]
    why: tuple[str, ...]  # what kept the row from being sent


def write_review(report: RunReport, path: Path, *, presenter: Presenter, look: LoadPreview) -> Path:
    """Write the page and return its path."""
    page = _build_page(report, presenter, look)

    def fill(target: Path) -> None:
        with target.open("w", encoding="utf-8", errors="replace", newline="\n") as stream:
            stream.writelines(page)

    return write_atomically(path, fill)


def _build_page(report: RunReport, presenter: Presenter, look: LoadPreview) -> Iterator[str]:
    chosen, left_out = _choose_rows(report)
    cards = tuple(_build_cards(report, chosen, presenter, look))
    counts = Counter(card.group for card in cards)
    judging = report.review_mark is not None and counts["judge"] > 0
    values = {
        "say": lambda key, **detail: render_review_text(key, presenter.language, **detail),
        "words": json.dumps(_script_words(presenter), ensure_ascii=False),
        "run": report.run,
        "site": report.review_mark if judging else "",
        "made": round(report.started * 1000),
        "when": render_review_text(
            "of.check" if report.command == "check" else "of.run",
            presenter.language,
            time=stamp(report.started)[:16].replace("T", " "),
        ),
        "save_as": name_review_file(report.run),
        "command": presenter.mask_text(build_review_command(report)),
        "look_only": report.review_mark is None,
        "counts": counts,
        "warned": sum(bool(card.warnings) for card in cards),
        "notes": list(_list_notes(left_out, presenter)),
        "cards": cards,
    }
    return render_pieces("review.html", presenter, values, pictures=True)


def _script_words(presenter: Presenter) -> Mapping[str, str]:
    words = {
        key.removeprefix("js."): render_review_text(key, presenter.language)
        for key in REVIEW_TEXTS
        if key.startswith("js.")
    }
    return words | {key: render_review_text(key, presenter.language) for key in ("right", "wrong")}


def _list_notes(left_out: Counter[str], presenter: Presenter) -> Iterator[str]:
    if unchanged := left_out.pop("unchanged", 0):
        yield render_review_text("hidden.unchanged", presenter.language, n=unchanged)
    if more := left_out.total():
        yield render_review_text("hidden.more", presenter.language, n=more, most=MOST_CARDS)


def _choose_rows(report: RunReport) -> tuple[list[RowOutcome], Counter[str]]:
    """Return the rows that get a card, in the roster's order, and how many of each group do not.

    A report's page is about what happened: only a check shows what is unchanged.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for place, outcome in enumerate(report.outcomes):
        groups[_find_group(outcome)].append(place)
    left_out: Counter[str] = Counter()
    places: list[int] = []
    for group in GROUPS:
        room = MOST_CARDS - len(places)
        if group == "unchanged" and report.command != "check":
            room = 0
        places += groups[group][:room]
        left_out[group] = len(groups[group][room:])
    return [report.outcomes[place] for place in sorted(places)], left_out


def _find_group(outcome: RowOutcome) -> str:
    """Tell whether a row can be judged: one that may still be sent, or that only its judgement keeps back."""
    if outcome.row_plan.review is not None:
        if outcome.status in _JUDGED_ANYWAY:
            return "judge"
        if outcome.status is Status.REJECTED and {each.code for each in outcome.errors} <= _REVIEW:
            return "judge"
    if outcome.status is Status.READY:
        return "judge"  # without a config: for looking only
    if any(each.code == "REVIEW_WRONG" for each in outcome.problems):
        return "held"  # judged wrong, and sealed already
    return GROUP_OF[outcome.status]


def _build_cards(
    report: RunReport, chosen: Sequence[RowOutcome], presenter: Presenter, look: LoadPreview
) -> Iterator[Card]:
    namesakes = _count_namesakes(report.outcomes) if chosen else Counter()
    single = len({outcome.doctor.row.origin.path for outcome in chosen}) == 1
    previews = _load_previews(chosen, look)
    shown = _count_people(
        (preview.webp, outcome)
        for outcome, preview in zip(chosen, previews, strict=True)
        if preview is not None
    )
    for outcome, preview in zip(chosen, previews, strict=True):
        hints = [f"warn.{hint}" for hint in preview.hints] if preview else []
        if preview and shown[preview.webp] > 1:
            hints.insert(0, "warn.same_picture")
        warnings = [render_review_text(hint, presenter.language) for hint in hints if hint in REVIEW_TEXTS]
        if (many := namesakes[display_name(outcome.doctor) or ""]) > 1:
            warnings.insert(0, render_review_text("warn.same_name", presenter.language, n=many))
        yield _build_card(outcome, preview, warnings, presenter, named=not single)


def _load_previews(chosen: Sequence[RowOutcome], look: LoadPreview) -> list[ImagePreview | None]:
    def of(outcome: RowOutcome) -> ImagePreview | None:
        picture = outcome.doctor.picture
        return look(picture, outcome.status is not Status.UNCHANGED) if picture else None

    with ThreadPoolExecutor(OPENERS) as threads:
        return list(threads.map(of, chosen))


def _count_namesakes(outcomes: Iterable[RowOutcome]) -> Counter[str]:
    return Counter(
        {
            name: people
            for name, people in _count_people(
                (display_name(outcome.doctor) or "", outcome) for outcome in outcomes
            ).items()
            if name
        }
    )


def _count_people(pairs: Iterable[tuple[Thing, RowOutcome]]) -> Counter[Thing]:
    """Count the people, not the rows, of each thing."""
    seen: dict[Thing, set[str]] = defaultdict(set)
    for thing, outcome in pairs:
        doctor = outcome.doctor
        seen[thing].add(doctor.key or doctor.number or doctor.row_id or str(id(outcome)))
    return Counter({thing: len(people) for thing, people in seen.items()})


def _build_card(
    outcome: RowOutcome,
    preview: ImagePreview | None,
    hints: Sequence[str],
    presenter: Presenter,
    *,
    named: bool,
) -> Card:
    """Make a row's card; ``named`` says its roster's name, which one of several needs."""
    doctor, planned = outcome.doctor, outcome.row_plan
    group = _find_group(outcome)

    def hide(text: str | None) -> str:
        return clean_text(presenter.mask_text(text)) if text else ""

    origin = doctor.row.origin
    row = render_review_text("row", presenter.language, row=origin.row)
    warned = [each for each in outcome.problems if each.severity == "warning"]
    mild = {describe_problem(each, presenter) for each in warned}
    told = [
        describe_problem(each, presenter)
        for each in warned
        if each.code != "SEAL_NAME_DUPLICATE"  # a hint on namesakes says more
    ]
    silent = {describe_problem(each, presenter) for each in outcome.errors if each.code == "REVIEW_MISSING"}
    quiet = group == "judge" and outcome.status in {Status.READY, Status.NOT_SENT}
    why = [] if quiet else [each for each in list_reasons(outcome, presenter) if each not in mild]
    instead = (
        "not_opened"
        if outcome.status is Status.UNCHANGED
        else "unreadable"
        if doctor.picture
        else "no_picture"
    )
    return Card(
        group=group,
        id=planned.review.id if planned.review and group == "judge" else None,
        judged=(planned.review.judged or "") if planned.review else "",
        status="" if quiet else presenter.name_status(outcome.status),
        name=hide(display_name(doctor)),
        who=" · ".join(filter(None, (hide(doctor.staff_no), hide(doctor.department)))),
        seal_name=hide(display_seal_name(outcome)),
        number=hide(mask_doctor_id(doctor)),
        file=hide(doctor.picture.path.name) if doctor.picture else "",
        evidence=render_review_text(f"evidence.{doctor.evidence}", presenter.language)
        if doctor.evidence
        else "",
        place=" · ".join(filter(None, (hide(origin.file) if named else "", hide(origin.sheet), row))),
        picture="data:image/webp;base64," + base64.b64encode(preview.webp).decode() if preview else None,
        instead=render_review_text(instead, presenter.language),
        warnings=tuple(map(clean_text, [*hints, *told])),
        why=tuple(clean_text(each) for each in why if each not in silent),
    )
