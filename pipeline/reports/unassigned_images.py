"""Which pictures nobody got: files that no row claims, drawings that no row holds, and one drawing for two doctors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.roster import ImageFile, Problem
from pipeline.domain.run import RowOutcome, RunReport
from pipeline.messages.problems import parted
from pipeline.messages.results import stray
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import describe_problem


@dataclass(frozen=True, slots=True)
class UnassignedPicture:
    """One of them as people read it, masked."""

    path: Path  # of the file, or of the roster that holds it; tells the folder and is never shown
    name: str
    where: str  # within a roster: sheet and cells
    why: str
    what: str
    picture: ImageFile | None = None  # None where nobody has looked at it yet


def list_unassigned(report: RunReport, presenter: Presenter) -> Iterator[UnassignedPicture]:
    """Yield them: first those that keep somebody from a seal, then those in rosters, then the files."""
    yield from _list_shared(report, presenter)
    for file_report in report.files:
        for each in file_report.unassigned_images:
            why, what = stray(each.why, presenter.language)
            sheet = (
                [presenter.render("unpaired.sheet", sheet=presenter.mask_text(each.sheet))]
                if each.sheet
                else []
            )
            cells = (
                [presenter.render("unpaired.cells", cells=each.covered_cells)] if each.covered_cells else []
            )
            name, where = presenter.mask_text(file_report.path.name), " ".join([*sheet, *cells])
            yield UnassignedPicture(file_report.path, name, where, why, what, each.picture)
    why, what = presenter.render("unpaired.unclaimed"), presenter.render("unpaired.what")
    for path in report.unassigned_images:
        yield UnassignedPicture(path, presenter.mask_text(path.name), "", why, what)


def count_unassigned(report: RunReport) -> int:
    """Return how many there are."""
    strays = sum(len(file_report.unassigned_images) for file_report in report.files)
    return len(report.unassigned_images) + strays + len(_find_shared(report))


def _find_shared(report: RunReport) -> dict[Path, tuple[RowOutcome, Problem]]:
    """Return the pictures that two doctors' rows lead to, each with the first row that is told so."""
    found: dict[Path, tuple[RowOutcome, Problem]] = {}
    for outcome in report.outcomes:
        picture = outcome.doctor.picture
        trouble = next((each for each in outcome.errors if each.code == "IMAGE_SHARED"), None)
        if picture is not None and trouble is not None:
            found.setdefault(picture.path, (outcome, trouble))
    return found


def _list_shared(report: RunReport, presenter: Presenter) -> Iterator[UnassignedPicture]:
    for path, (outcome, trouble) in _find_shared(report).items():
        why, what = parted(describe_problem(trouble, presenter))
        what = what[:1].upper() + what[1:]
        yield UnassignedPicture(path, presenter.mask_text(path.name), "", why, what, outcome.doctor.picture)


def display_folder(folder: Path, seals: Path | None, presenter: Presenter) -> str:
    """Return a folder as a person knows it: from the picture folder on."""
    if seals is not None and folder.is_relative_to(seals):
        folder = Path(seals.name) / folder.relative_to(seals)
    return presenter.mask_path(folder)
