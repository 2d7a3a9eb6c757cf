"""The sheet Unpaired pictures: pictures that no doctor got, where each is, why, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.roster import ImageFile, Problem
from pipeline.domain.run import RowOutcome, RunReport
from pipeline.messages.catalogue import explain_unassigned_image
from pipeline.messages.problems import split_remedy
from pipeline.reports.explanations import describe_problem
from pipeline.reports.tables import (
    IMAGE_COLUMN,
    QUIET_WRAPPED,
    WRAPPED,
    SheetColumn,
    TableSheet,
    WorkbookContext,
)

MAX_LINKS = 5_000  # Excel allows 65,530 links a sheet
MAX_THUMBNAILS = 200  # pictures of rosters may be opened here for the first time


@dataclass(frozen=True, slots=True)
class UnassignedPicture:
    """A picture that no doctor got, as people read it, masked."""

    path: Path  # of the file, or of the roster that holds it; its folder is linked, and it is never shown
    name: str
    location: str  # sheet and cells within a roster, otherwise the folder
    reason: str
    advice: str
    image: ImageFile | None = None  # None: was not looked at


def write_unpaired_sheet(context: WorkbookContext) -> None:
    """Write a row a picture, with a thumbnail of those that were looked at."""
    pictures = list(_list_unassigned(context))
    load_thumbnail = context.load_thumbnail if any(picture.image for picture in pictures) else None
    columns = [column for column in COLUMNS if load_thumbnail or column is not IMAGE_COLUMN]
    table = TableSheet(context, context.presenter.render("sheet.unpaired"), columns, max_links=MAX_LINKS)
    thumbnails = 0
    for picture in pictures:
        image = None
        if load_thumbnail and picture.image and thumbnails < MAX_THUMBNAILS:
            image = load_thumbnail(picture.image)
            thumbnails += image is not None
        table.write_row(picture, image=image)
    if not pictures:
        table.write_note(context.presenter.render("unpaired.none"))
    table.close()


COLUMNS: tuple[SheetColumn[UnassignedPicture], ...] = (
    SheetColumn("col.file", 32, lambda picture, _: picture.name, WRAPPED),
    IMAGE_COLUMN,
    SheetColumn(
        "col.where",
        34,
        lambda picture, _: picture.location,
        WRAPPED,
        linked_path=lambda picture: picture.path,
    ),
    SheetColumn("col.why", 42, lambda picture, _: picture.reason, WRAPPED),
    SheetColumn("col.what", 48, lambda picture, _: picture.advice, QUIET_WRAPPED),
)


def count_unassigned(report: RunReport) -> int:
    """Return how many pictures no doctor got."""
    in_rosters = sum(len(file_report.unassigned_images) for file_report in report.files)
    return len(report.unassigned_images) + in_rosters + len(_find_shared(report))


def _list_unassigned(context: WorkbookContext) -> Iterator[UnassignedPicture]:
    """Yield the pictures: first those that keep a doctor from a seal, then those in rosters, then the files."""
    report, presenter = context.report, context.presenter
    for path, (outcome, problem) in _find_shared(report).items():
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


def _find_shared(report: RunReport) -> dict[Path, tuple[RowOutcome, Problem]]:
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
    folder, seals = context.links.find_folder(path), context.report.seals
    if seals is not None and folder.is_relative_to(seals):
        folder = Path(seals.name) / folder.relative_to(seals)
    return context.presenter.mask_path(folder)
