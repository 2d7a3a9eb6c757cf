"""review.html: a contact sheet with a card for each doctor, to look at and to print; one file without a script or a network.

The style is allowed by its digest; everything that comes from a roster is text to the browser. Pictures are small copies. That of an unchanged row is taken from the cache or left out, never opened.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

from pipeline.clock import stamp
from pipeline.domain.roster import ImagePreview
from pipeline.domain.row_record import RecordedReview
from pipeline.domain.run import RowOutcome, RunReport, Status, can_be_judged, get_shown_status
from pipeline.messages.areas import is_known
from pipeline.reports.explanations import describe_problem, list_reasons
from pipeline.reports.html_pages import embed_image, write_page
from pipeline.reports.next_steps import REPORT_PAGE
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import display_seal_name, show_doctor_id
from pipeline.reports.styles import clean_text
from pipeline.reports.unused_pictures import PreviewLoader, UnusedPictures

MAX_CARDS = 3_000  # a page of some 30 MB
# in the order in which they are placed on the page, while it has room
GROUPS = ("judge", "refused", "held", "sealed", "unchanged")
# of a row that cannot be judged
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
}

Card: TypeAlias = Mapping[str, object]  # one row as the page shows it: masked, in the reader's words
Value = TypeVar("Value", bound=Hashable)


def write_review(
    report: RunReport, path: Path, *, presenter: Presenter, previews: PreviewLoader | None
) -> Path:
    values = _collect_values(report, presenter, previews)
    return write_page(path, "review.html", presenter.language, values)


def record_review(outcome: RowOutcome, report: RunReport, presenter: Presenter) -> RecordedReview | None:
    """Return the pairing of a row that can be judged, as the plan of a check keeps it; None for any other row."""
    doctor, review = outcome.doctor, outcome.row_plan.review
    picture = doctor.picture or doctor.held_image
    if review is None or picture is None or report.site_digest is None or not can_be_judged(outcome):
        return None
    return RecordedReview(
        id=review.id,
        site=report.site_digest,
        judged=review.judged,
        picture=picture.sha256,
        sent=outcome.sent_image,
        file=presenter.mask_text(picture.name),
        evidence=_name_evidence(outcome) or None,
        named_by=_get_name_reason(outcome),
    )


def _collect_values(
    report: RunReport, presenter: Presenter, previews: PreviewLoader | None
) -> dict[str, object]:
    say = presenter.render_review
    chosen, left_out = _choose_rows(report)
    unused = UnusedPictures(report, presenter, previews)
    cards = tuple(_build_cards(report, chosen, presenter, previews, unused))
    started = stamp(report.started)[:16].replace("T", " ")
    notes = []
    if unchanged := left_out.pop("unchanged", 0):
        notes.append(say("hidden.unchanged", n=unchanged))
    if more := left_out.total():
        notes.append(say("hidden.more", n=more, most=MAX_CARDS))
    return {
        "say": say,
        "title": say("title"),
        "pages": [(REPORT_PAGE, presenter.render("report.title"))],
        "run": report.run,
        "meta": say("of.check" if report.command == "check" else "of.run", time=started),
        "look_only": report.site_digest is None,
        "counts": [(say(f"filter.{name}"), count) for name, count in _count_cards(cards).items()],
        "can_be_judged": any(card["group"] == "judge" for card in cards),
        "notes": notes,
        "cards": cards,
        "unused": unused.collect_page_values(report.workbook),
    }


def _count_cards(cards: Sequence[Card]) -> Mapping[str, int]:
    """Count the cards that wait for a judgement, have one, or cannot be judged; and those with warnings."""
    counts: Counter[str] = Counter()
    for card in cards:
        group = str(card["group"])
        counts[str(card["judged"] or "todo") if group == "judge" else group] += 1
        counts["warn"] += bool(card["warnings"])
    order = ("todo", "right", "wrong", "warn", *GROUPS[1:])
    return {name: counts[name] for name in order if counts[name]}


def _choose_rows(report: RunReport) -> tuple[list[RowOutcome], Counter[str]]:
    """Return the rows that get a card, in the roster's order, and how many of each group do not.

    Only a check shows unchanged rows.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index, outcome in enumerate(report.outcomes):
        groups[_choose_group(outcome)].append(index)
    left_out: Counter[str] = Counter()
    chosen: list[int] = []
    for group in GROUPS:
        room = MAX_CARDS - len(chosen)
        if group == "unchanged" and report.command != "check":
            room = 0
        chosen += groups[group][:room]
        left_out[group] = len(groups[group][room:])
    return [report.outcomes[index] for index in sorted(chosen)], left_out


def _choose_group(outcome: RowOutcome) -> str:
    """Return the group of a row. A row can be judged if it may still be sent, or only its judgement keeps it back."""
    if can_be_judged(outcome):
        return "judge"
    if outcome.status is Status.READY:
        return "judge"  # without a config: for looking only
    if any(problem.code == "REVIEW_WRONG" for problem in outcome.problems):
        return "held"  # judged wrong, and sealed already
    return GROUP_OF[outcome.status]


def _build_cards(
    report: RunReport,
    chosen: Sequence[RowOutcome],
    presenter: Presenter,
    previews: PreviewLoader | None,
    unused: UnusedPictures,
) -> Iterator[Card]:
    if not chosen:
        return
    namesakes = _count_people(
        (name, outcome) for outcome in report.outcomes if (name := outcome.doctor.display_name)
    )
    single = len({outcome.doctor.row.origin.path for outcome in chosen}) == 1
    loaded = _load_previews(chosen, previews)
    people_of_image = _count_people(
        (preview.data, outcome)
        for outcome, preview in zip(chosen, loaded, strict=True)
        if preview is not None
    )
    for outcome, preview in zip(chosen, loaded, strict=True):
        hints = [f"warn.{hint}" for hint in preview.hints] if preview else []
        if preview and people_of_image[preview.data] > 1:
            hints.insert(0, "warn.same_picture")
        warnings = [presenter.render_review(hint) for hint in hints if is_known(f"review_page.{hint}")]
        if (many := namesakes[outcome.doctor.display_name or ""]) > 1:
            key = "warn.same_name" if outcome.doctor.display_department else "warn.same_name_only"
            warnings.insert(0, presenter.render_review(key, n=many))
        yield _build_card(outcome, preview, warnings, presenter, unused, named=not single)


def _load_previews(chosen: Sequence[RowOutcome], previews: PreviewLoader | None) -> list[ImagePreview | None]:
    loaded: list[ImagePreview | None] = []
    for outcome in chosen:
        picture = outcome.doctor.picture or outcome.doctor.held_image
        if picture is None or previews is None:
            loaded.append(None)
        else:
            may_open = outcome.status is not Status.UNCHANGED
            loaded.append(previews.load_preview(picture, sent=outcome.sent_image, may_open=may_open))
    return loaded


def _count_people(pairs: Iterable[tuple[Value, RowOutcome]]) -> Counter[Value]:
    """Count the people, not the rows, of each value."""
    people: dict[Value, set[str | int]] = defaultdict(set)
    for value, outcome in pairs:
        person = outcome.row_plan.person
        people[value].add(outcome.doctor.key or (id(outcome) if person is None else person))
    return Counter({value: len(keys) for value, keys in people.items()})


def _build_card(
    outcome: RowOutcome,
    preview: ImagePreview | None,
    hints: Sequence[str],
    presenter: Presenter,
    unused: UnusedPictures,
    *,
    named: bool,
) -> Card:
    """Make a row's card; ``named`` adds the name of its roster, if there are several."""
    doctor, review, origin = outcome.doctor, outcome.row_plan.review, outcome.doctor.row.origin
    picture = doctor.picture or doctor.held_image
    group, say = _choose_group(outcome), presenter.render_review

    def mask_and_clean(text: str | None) -> str:
        return clean_text(presenter.mask_optional(text))

    shown_warnings = [
        describe_problem(problem, presenter)
        for problem in outcome.problems
        # a hint on namesakes explains more than SEAL_NAME_DUPLICATE
        if problem.severity == "warning" and problem.code != "SEAL_NAME_DUPLICATE"
    ]
    unspoken = {
        describe_problem(problem, presenter)
        for problem in outcome.problems
        if problem.severity == "warning" or problem.code == "REVIEW_MISSING"
    }
    is_ready = group == "judge" and outcome.status in {Status.READY, Status.NOT_SENT}
    reasons = [] if is_ready else [text for text in list_reasons(outcome, presenter) if text not in unspoken]
    if not is_ready:
        reasons += unused.describe_of_row(outcome)
    if outcome.status is Status.UNCHANGED:
        instead = "not_opened"
    else:
        instead = "unreadable" if picture else "no_picture"
    return {
        "group": group,
        "judged": review and review.judged,  # in the ledger
        "status": "" if is_ready else presenter.name_status(get_shown_status(outcome)),
        "colour": get_shown_status(outcome).value,
        "name": mask_and_clean(doctor.display_name),
        "who": _join_parts(mask_and_clean(doctor.staff_no), mask_and_clean(doctor.display_department)),
        "seal_name": mask_and_clean(display_seal_name(outcome)),
        "number": clean_text(show_doctor_id(doctor, presenter)),
        "file": mask_and_clean(picture.name) if picture else "",
        "evidence": say(f"evidence.{_name_evidence(outcome)}") if doctor.evidence else "",
        "named_by": say(f"named.{named_by}") if (named_by := _get_name_reason(outcome)) else "",
        "place": _join_parts(
            mask_and_clean(origin.file) if named else "",
            mask_and_clean(origin.sheet),
            say("row", row=origin.row),
        ),
        "picture": embed_image(preview.data) if preview else None,
        "instead": say(instead),  # of a picture that is not shown
        # without a picture of the row's own: those that it may be
        "unused": [] if preview else [unused.describe_on_page(one) for one in unused.list_of_row(outcome)],
        "warnings": [clean_text(text) for text in (*hints, *shown_warnings)],
        "reasons": [clean_text(text) for text in reasons],
    }


def _name_evidence(outcome: RowOutcome) -> str:
    """Return by what the picture was found; a file name that had to be cleaned up is not the name itself."""
    is_fuzzy = any(problem.code == "IMAGE_NAME_FUZZY" for problem in outcome.problems)
    evidence = outcome.doctor.evidence or ""
    return "fuzzy" if is_fuzzy and evidence in {"name", "staff_no", "id_card_number"} else evidence


def _get_name_reason(outcome: RowOutcome) -> str | None:
    """Return where the seal name of a row comes from: `review_page.named`; None where it has none yet."""
    doctor, history, seal_name = outcome.doctor, outcome.row_plan.history, outcome.row_plan.seal_name
    if seal_name is None:
        return None
    if doctor.seal_name == seal_name:
        return "roster"
    if history is not None and history.seal_name == seal_name:
        return "kept"
    added = (
        problem.detail.get("by") for problem in outcome.problems if problem.code == "SEAL_NAME_DUPLICATE"
    )
    return next(filter(None, added), "template")


def _join_parts(*parts: str) -> str:
    return " · ".join(filter(None, parts))
