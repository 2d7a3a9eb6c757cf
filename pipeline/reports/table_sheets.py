"""The sheets All, Retried, Unknown, Unpaired pictures and Not read: tables of rows, pictures that no doctor got, and lines."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from pipeline.domain.roster import FileReport, SkippedLine
from pipeline.domain.run import UNRESOLVED_STATUSES, RowOutcome, RunReport, Status, get_shown_status
from pipeline.reports.explanations import (
    describe_lost_answer,
    explain_answer,
    get_contradicting_seal_ids,
    list_reasons,
)
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import (
    display_last_attempt,
    display_seal_name,
    get_confirmed_seal_id,
    get_trace,
    show_doctor_id,
)
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
from pipeline.reports.unused_pictures import UnusedPicture, name_rows
from pipeline.version import PROGRAM

MAX_THUMBNAIL_ROWS = 2_000  # beyond that the file grows heavy and slow to open
# Excel allows 65,530 links a sheet and opens slowly long before
MAX_LINKS, MAX_PICTURE_LINKS = 20_000, 5_000
_MAX_LINES = 5_000  # of the sheet Not read; all are in files.jsonl
_MAX_WIDTH, _MAX_LINK_WIDTH = 28, 24
OutcomeColumn = SheetColumn[RowOutcome]


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
        table.write_row(outcome, images=[preview] if preview else ())
    table.close()


def write_unknown_sheet(context: WorkbookContext) -> None:
    """Write the rows that are held until a person has looked into the console, each with the command that records it."""
    table = TableSheet(context, context.presenter.render("sheet.unknown"), UNKNOWN_COLUMNS)
    for outcome in context.report.outcomes:
        if outcome.status in UNRESOLVED_STATUSES:
            table.write_row(outcome, min_lines=2)
    table.close(context.presenter.render("unknown.none"))


def write_unpaired_sheet(context: WorkbookContext) -> None:
    """Write a row a picture; the first ones have a small copy."""
    unused, presenter = context.unused, context.presenter
    columns = [column for column in UNPAIRED_COLUMNS if unused.can_be_shown or column is not IMAGE_COLUMN]
    table = TableSheet(context, presenter.render("sheet.unpaired"), columns, max_links=MAX_PICTURE_LINKS)
    for picture in unused.pictures:
        preview = unused.load_preview(picture)
        instead = unused.explain_absence(picture)
        table.write_row(picture, images=[preview] if preview else (), instead=instead)
    table.close(presenter.render("unpaired.none"), limit=unused.describe_limit())


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


def _describe_resolution(outcome: RowOutcome, presenter: Presenter) -> str:
    """Return how an unresolved row is resolved."""
    contradicting = get_contradicting_seal_ids(outcome)
    if contradicting is None:
        key, values = f"settle.{outcome.status.value}", {"seal": display_seal_name(outcome) or "—"}
    else:
        attempt = outcome.row_plan.history and outcome.row_plan.history.unresolved_attempt
        key = "settle.choose_seal" if attempt and attempt.has_own_seal else "settle.contradicting"
        values = {"seal_ids": contradicting.render(presenter.language)}
    text = presenter.render(key, **values)
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
_STATUS = OutcomeColumn("col.status", 11, lambda outcome, _: get_shown_status(outcome), CENTRED)
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
        "col.department", 8, _masked(lambda outcome: outcome.doctor.display_department), max_width=_MAX_WIDTH
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


def _list_rows(picture: UnusedPicture, presenter: Presenter) -> str:
    return "\n".join(name_rows(picture, presenter))


UNPAIRED_COLUMNS: Sequence[SheetColumn[UnusedPicture]] = (
    SheetColumn("col.file", 26, lambda picture, _: picture.name, WRAPPED),
    IMAGE_COLUMN,
    SheetColumn("col.may_belong", 34, _list_rows, WRAPPED),
    SheetColumn(
        "col.where",
        28,
        lambda picture, _: LinkedText(picture.location, picture.path),
        WRAPPED,
        is_link=True,
    ),
    SheetColumn("col.why", 42, lambda picture, _: picture.reason, WRAPPED),
    SheetColumn("col.what", 42, lambda picture, _: picture.advice, QUIET_WRAPPED),
)


# -- lines and sheets of rosters that gave no doctor


@dataclass(frozen=True, slots=True)
class UnreadPart:
    """A line, a stretch of lines or a whole sheet that gave no doctor, as people read it, masked."""

    file: str
    sheet: str
    rows: str  # 12, 12–40; empty for a whole sheet
    text: str
    reason: str


def write_unread_sheet(context: WorkbookContext) -> None:
    """Write a row for each line that has words, for each empty stretch, and for each sheet that was left out."""
    presenter = context.presenter
    parts = list(_list_parts(context.report, presenter))
    table = TableSheet(context, presenter.render("sheet.not_read"), NOT_READ_COLUMNS)
    for part in parts[:_MAX_LINES]:
        table.write_row(part)
    if len(parts) > _MAX_LINES:
        more = presenter.render("not_read.more", n=len(parts) - _MAX_LINES)
        table.write_row(UnreadPart("", "", "", more, ""))
    table.close(presenter.render("not_read.none"))


def count_unread_parts(report: RunReport) -> int:
    """Return how many rows the sheet has."""
    return sum(1 for _ in islice(_list_parts(report, Presenter("en")), _MAX_LINES))


def _list_parts(report: RunReport, presenter: Presenter) -> Iterator[UnreadPart]:
    for file_report in report.files:
        if file_report.status == "read":
            yield from _list_parts_of_file(file_report, presenter)


def _list_parts_of_file(file_report: FileReport, presenter: Presenter) -> Iterator[UnreadPart]:
    file = presenter.mask_text(file_report.path.name)
    if not file_report.sheets and not file_report.rows:
        for note in file_report.notes:  # a file that was left out as a whole
            yield UnreadPart(file, "", "", "", presenter.render_text(presenter.mask_text(note)))
    for sheet in file_report.sheets:
        name = presenter.mask_optional(sheet.sheet)
        if sheet.status != "read":
            yield UnreadPart(file, name, "", "", presenter.render(f"not_read.sheet_{sheet.status}"))
        for line in file_report.skipped:
            if line.sheet == sheet.sheet:
                for rows, text in _split_stretch(line):
                    masked = presenter.masker.mask_every_number(text)
                    reason = presenter.render(f"skipped.{line.why}")
                    yield UnreadPart(file, name, rows, masked, reason[:1].upper() + reason[1:])


def _split_stretch(line: SkippedLine) -> Iterator[tuple[str, str]]:
    """Yield the lines of a stretch that have words, each by itself, and what lies between them and behind them."""
    following = line.first
    for first, last, text in line.texts:
        if following < first:
            yield _format_rows(following, first - 1), ""
        yield _format_rows(first, last), text
        following = last + 1
    if following <= line.last:
        yield _format_rows(following, line.last), ""


def _format_rows(first: int, last: int) -> str:
    return str(first) if first == last else f"{first}–{last}"


NOT_READ_COLUMNS: Sequence[SheetColumn[UnreadPart]] = (
    SheetColumn("col.file", 26, lambda part, _: part.file, WRAPPED),
    SheetColumn("col.sheet", 16, lambda part, _: part.sheet, WRAPPED),
    SheetColumn("col.row", 10, lambda part, _: part.rows, QUIET),
    SheetColumn("col.first_cells", 70, lambda part, _: part.text, WRAPPED),
    SheetColumn("col.why_not_read", 48, lambda part, _: part.reason, QUIET_WRAPPED),
)
