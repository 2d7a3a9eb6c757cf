"""The sheets All, Retried, Unknown and Unpaired pictures: tables of rows and of pictures that no doctor got."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.domain.message import Message
from pipeline.domain.results_format import CHECK, compute_line_check
from pipeline.domain.roster import ImageFile, Problem
from pipeline.domain.run import UNRESOLVED_STATUSES, RowOutcome, RunReport, Status
from pipeline.messages.areas import get_words
from pipeline.messages.problems import split_remedy
from pipeline.reports.explanations import describe_lost_answer, describe_problem, explain_answer, list_reasons
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import (
    display_last_attempt,
    display_seal_name,
    get_confirmed_seal_id,
    get_trace,
    mask_doctor_id,
    show_doctor_id,
)
from pipeline.reports.styles import clean_text
from pipeline.reports.tables import (
    CENTRED,
    IMAGE_COLUMN,
    NUMBER,
    QUIET,
    QUIET_WRAPPED,
    STRONG,
    WRAPPED,
    LinkedText,
    SheetColumn,
    TableSheet,
    WorkbookContext,
)
from pipeline.version import PROGRAM

MAX_THUMBNAIL_ROWS = 2_000  # beyond that the file grows heavy and slow to open
# Excel allows 65,530 links a sheet and opens slowly long before
MAX_LINKS, MAX_PICTURE_LINKS = 20_000, 5_000
MAX_THUMBNAILS = 200  # of unpaired pictures: those of rosters may be opened here for the first time
_MAX_WIDTH, _MAX_LINK_WIDTH = 28, 24
OutcomeColumn = SheetColumn[RowOutcome]
# a picture in a roster that its owner moves within the sheet; others are saved as files
_MOVED = frozenset({"stray.no_doctor", "stray.no_roster", "stray.no_row"})


@dataclass(frozen=True, slots=True)
class UnassignedPicture:
    """A picture that no doctor got, as people read it, masked."""

    path: Path  # of the file, or of the roster that holds it; its folder is linked, and it is never shown
    name: str
    location: str  # sheet and cells within a roster, otherwise the folder
    reason: str
    advice: str
    image: ImageFile | None = None  # None: was not looked at


def write_all_sheet(
    context: WorkbookContext, outcomes: Sequence[RowOutcome], title: str = "sheet.all"
) -> None:
    """Write a row an outcome, in the roster's order; ``title`` is the key of the sheet's name."""
    previews = context.previews if len(outcomes) <= MAX_THUMBNAIL_ROWS else None
    columns = [column for column in ALL_COLUMNS if previews or column is not IMAGE_COLUMN]
    table = TableSheet(
        context,
        context.presenter.render(title),
        columns,
        # a thousand rows are tall enough for several lines and narrow enough to be read on paper; more stay flat
        wraps=previews is not None,
        max_links=MAX_LINKS,
        sample=outcomes,
    )
    for outcome in outcomes:
        picture, preview = outcome.doctor.picture, None
        if previews and picture:
            # an unchanged picture is shown from its stored copy or not at all: it is never opened again
            may_open = outcome.status is not Status.UNCHANGED
            preview = previews.load_preview(picture, sent=outcome.sent_image, may_open=may_open)
        table.write_row(outcome, image=preview.thumbnail if preview else None)
    table.close()


def write_unknown_sheet(context: WorkbookContext) -> None:
    """Write the rows that are held until a person has looked into the console, each with the command that records it."""
    table = TableSheet(context, context.presenter.render("sheet.unknown"), UNKNOWN_COLUMNS)
    for outcome in context.report.outcomes:
        if outcome.status in UNRESOLVED_STATUSES:
            table.write_row(outcome, min_lines=2)
    table.close(context.presenter.render("unknown.none"))


def write_unpaired_sheet(context: WorkbookContext) -> None:
    """Write a row a picture, with a thumbnail of those that were looked at."""
    pictures = list(_list_unassigned(context))
    previews = context.previews if any(picture.image for picture in pictures) else None
    columns = [column for column in UNPAIRED_COLUMNS if previews or column is not IMAGE_COLUMN]
    table = TableSheet(
        context, context.presenter.render("sheet.unpaired"), columns, max_links=MAX_PICTURE_LINKS
    )
    thumbnails = 0
    for picture in pictures:
        preview = None
        if previews and picture.image and thumbnails < MAX_THUMBNAILS:
            preview = previews.load_preview(picture.image, sent=None, may_open=True)
            thumbnails += preview is not None
        table.write_row(picture, image=preview.thumbnail if preview else None)
    table.close(context.presenter.render("unpaired.none"))


def _masked(
    get_text: Callable[[RowOutcome], str | None],
) -> Callable[[RowOutcome, Presenter], str]:
    return lambda outcome, presenter: presenter.mask_optional(get_text(outcome))


def _link_picture(outcome: RowOutcome, presenter: Presenter) -> LinkedText:
    picture = outcome.doctor.picture
    return LinkedText(presenter.mask_text(picture.name), picture.path) if picture else LinkedText("", None)


def _describe_size(outcome: RowOutcome, _presenter: Presenter) -> str:
    """Return the bytes and pixels of a picture's file."""
    return str(outcome.image_sizes.given) if outcome.image_sizes else ""


def _describe_sent_size(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return the bytes and pixels of what is sent of a picture."""
    sizes = outcome.image_sizes
    if sizes is None or sizes.sent is None:
        return ""
    return presenter.render("size.as_given") if sizes.sent == sizes.given else str(sizes.sent)


def _compute_check(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return the checksum by which `adopt` sees whether a line still holds together."""
    seal_id = get_confirmed_seal_id(outcome)
    if not seal_id:
        return ""
    name, seal_name = map(presenter.mask_optional, (outcome.doctor.display_name, display_seal_name(outcome)))
    texts = (name, mask_doctor_id(outcome.doctor) or "", seal_name, seal_id)
    return compute_line_check(*map(clean_text, texts))


def _describe_resolution(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return how an unresolved row is resolved."""
    text = presenter.render(f"settle.{outcome.status.value}", seal=display_seal_name(outcome) or "—")
    if outcome.unproven_seal_id:
        text += " " + presenter.render("settle.evidence", seal_id=outcome.unproven_seal_id)
    return presenter.mask_text(text)


def _build_resolve_command(outcome: RowOutcome) -> str:
    """Return the command that shows an unresolved row; the trace id means no other."""
    return f"{PROGRAM} resolve {get_trace(outcome)[0]}"


def _describe_answer(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return the code of an answer with its explanation."""
    text = describe_lost_answer(outcome.code, outcome.message, presenter)
    text = text or explain_answer(outcome, outcome.message or "", presenter)
    return presenter.mask_answer(" ".join(filter(None, (outcome.code, text))))


_NAME = OutcomeColumn("col.name", 11, _masked(lambda outcome: outcome.doctor.display_name), STRONG)
_STATUS = OutcomeColumn("col.status", 11, lambda outcome, _: outcome.status, CENTRED)
_NUMBER = OutcomeColumn(
    "col.number", 20, lambda outcome, presenter: show_doctor_id(outcome.doctor, presenter)
)
_SEAL_NAME = OutcomeColumn("col.seal_name", 14, _masked(display_seal_name))
_TIME = OutcomeColumn("col.time", 19, lambda outcome, _: display_last_attempt(outcome))
# needed for a search alone: on paper the text stays readable without it
_REQUEST_ID = OutcomeColumn(
    "col.request_id", 38, lambda outcome, _: outcome.request_id or "", QUIET, is_printed=False
)

ALL_COLUMNS: Sequence[OutcomeColumn] = (
    _NAME,
    _STATUS,
    OutcomeColumn(
        "col.reason", 40, lambda outcome, presenter: "\n".join(list_reasons(outcome, presenter)), WRAPPED
    ),
    _NUMBER,
    OutcomeColumn("col.staff_no", 8, _masked(lambda outcome: outcome.doctor.staff_no), max_width=_MAX_WIDTH),
    OutcomeColumn(
        "col.department", 8, _masked(lambda outcome: outcome.doctor.department), max_width=_MAX_WIDTH
    ),
    IMAGE_COLUMN,
    replace(_SEAL_NAME, max_width=_MAX_WIDTH),
    OutcomeColumn(
        "col.seal_id", 34, lambda outcome, _: get_confirmed_seal_id(outcome) or "", width_with_images=18
    ),
    replace(_TIME, look=QUIET, width_with_images=11),
    OutcomeColumn("col.picture", 12, _link_picture, QUIET, max_width=_MAX_LINK_WIDTH, is_link=True),
    OutcomeColumn(
        "col.file", 12, _masked(lambda outcome: outcome.doctor.row.origin.file), QUIET, max_width=_MAX_WIDTH
    ),
    OutcomeColumn(
        "col.sheet", 8, _masked(lambda outcome: outcome.doctor.row.origin.sheet), QUIET, max_width=_MAX_WIDTH
    ),
    OutcomeColumn("col.row", 7, lambda outcome, _: outcome.doctor.row.origin.row, NUMBER),
    OutcomeColumn("col.attempts", 9, lambda outcome, _: outcome.attempts, NUMBER, is_printed=False),
    OutcomeColumn("col.picture_size", 20, _describe_size, QUIET, is_printed=False),
    OutcomeColumn("col.sent_size", 20, _describe_sent_size, QUIET, is_printed=False),
    _REQUEST_ID,
    OutcomeColumn(CHECK, 10, _compute_check, QUIET, title=CHECK, is_hidden=True),
)
UNKNOWN_COLUMNS: Sequence[OutcomeColumn] = (
    replace(_NAME, width=10),
    replace(_STATUS, width=12),
    replace(_SEAL_NAME, width=16, look=WRAPPED),
    replace(_NUMBER, width=20),
    replace(_TIME, width=12, look=WRAPPED),
    OutcomeColumn("col.settle", 52, _describe_resolution, WRAPPED),
    OutcomeColumn("col.resolve", 32, lambda outcome, _: _build_resolve_command(outcome), WRAPPED),
    OutcomeColumn("col.answer", 36, _describe_answer, WRAPPED),
    OutcomeColumn("col.host", 28, lambda outcome, _: get_trace(outcome)[1], QUIET, is_printed=False),
    OutcomeColumn("col.trace_id", 38, lambda outcome, _: get_trace(outcome)[0], QUIET, is_printed=False),
    _REQUEST_ID,
)
UNPAIRED_COLUMNS: Sequence[SheetColumn[UnassignedPicture]] = (
    SheetColumn("col.file", 32, lambda picture, _: picture.name, WRAPPED),
    IMAGE_COLUMN,
    SheetColumn(
        "col.where",
        34,
        lambda picture, _: LinkedText(picture.location, picture.path),
        WRAPPED,
        is_link=True,
    ),
    SheetColumn("col.why", 42, lambda picture, _: picture.reason, WRAPPED),
    SheetColumn("col.what", 48, lambda picture, _: picture.advice, QUIET_WRAPPED),
)


# -- pictures that no doctor got


def count_unassigned(report: RunReport) -> int:
    """Return how many pictures no doctor got."""
    in_rosters = sum(len(file_report.unassigned_images) for file_report in report.files)
    return len(report.unassigned_images) + in_rosters + len(_get_shared_pictures(report))


def explain_unassigned_image(why: str, language: str) -> tuple[str, str]:
    """Return why a picture in a roster was not used, and what to do."""
    key = why.key if isinstance(why, Message) else why
    advice = "stray.move" if key in _MOVED else "stray.save"
    return get_words(f"{key}.reason")[language], get_words(advice)[language]


def _list_unassigned(context: WorkbookContext) -> Iterator[UnassignedPicture]:
    """Yield the pictures: first those that keep a doctor from a seal, then those in rosters, then the files."""
    report, presenter = context.report, context.presenter
    for path, (outcome, problem) in _get_shared_pictures(report).items():
        reason, advice = split_remedy(describe_problem(problem, presenter))
        advice = advice[:1].upper() + advice[1:]
        yield _describe_file(path, context, reason, advice, outcome.doctor.picture)
    for file_report in report.files:
        name = presenter.mask_text(file_report.path.name)
        for image in file_report.unassigned_images:
            reason, advice = explain_unassigned_image(image.why, presenter.language)
            sheet = presenter.mask_optional(image.sheet)
            cells = image.covered_cells
            parts = (
                presenter.render("unpaired.sheet", sheet=sheet) if sheet else "",
                presenter.render("unpaired.cells", cells=cells) if cells else "",
            )
            # the file's name and the cells give the place: a link shows one line only
            location = " ".join(filter(None, parts)) or _display_folder(file_report.path, context)
            yield UnassignedPicture(file_report.path, name, location, reason, advice, image.picture)
    reason, advice = presenter.render("unpaired.unclaimed"), presenter.render("unpaired.what")
    for path in report.unassigned_images:
        yield _describe_file(path, context, reason, advice)


def _describe_file(
    path: Path, context: WorkbookContext, reason: str, advice: str, image: ImageFile | None = None
) -> UnassignedPicture:
    name, location = context.presenter.mask_text(path.name), _display_folder(path, context)
    return UnassignedPicture(path, name, location, reason, advice, image)


def _get_shared_pictures(report: RunReport) -> dict[Path, tuple[RowOutcome, Problem]]:
    """Return the pictures that two doctors' rows lead to, each with the first row that was refused for it."""
    shared: dict[Path, tuple[RowOutcome, Problem]] = {}
    for outcome in report.outcomes:
        picture = outcome.doctor.picture
        problem = next((error for error in outcome.errors if error.code == "IMAGE_SHARED"), None)
        if picture is not None and problem is not None:
            shared.setdefault(picture.path, (outcome, problem))
    return shared


def _display_folder(path: Path, context: WorkbookContext) -> str:
    """Return the folder of a picture as a person knows it: from the picture folder on."""
    folder, seals = context.links.get_folder(path), context.report.seals
    if seals is not None and folder.is_relative_to(seals):
        folder = Path(seals.name) / folder.relative_to(seals)
    return context.presenter.mask_path(folder)
