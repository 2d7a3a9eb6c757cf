"""Which pictures nobody got: files that no row claims, drawings that no row holds, and one drawing for two doctors."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.masking import Numbers, mask_path, mask_text
from pipeline.domain.roster import ImageFile, Problem
from pipeline.domain.run import RowOutcome, RunReport
from pipeline.messages.problems import parted
from pipeline.messages.results import say, stray
from pipeline.reports.reasons import errors_of, sentence


@dataclass(frozen=True, slots=True)
class Unpaired:
    """One of them as people read it, masked."""

    path: Path  # of the file, or of the roster that holds it; tells the folder and is never shown
    name: str
    where: str  # within a roster: sheet and cells
    why: str
    what: str
    picture: ImageFile | None = None  # None where nobody has looked at it yet


def unpaired(night: RunReport, numbers: Numbers, language: str) -> Iterator[Unpaired]:
    """Yield them: first those that keep somebody from a seal, then those in rosters, then the files."""
    yield from _shared(night, numbers, language)
    for report in night.files:
        for each in report.unassigned_images:
            why, what = stray(each.why, language)
            sheet = (
                [say("unpaired.sheet", language, sheet=mask_text(each.sheet, numbers))] if each.sheet else []
            )
            cells = [say("unpaired.cells", language, cells=each.covered_cells)] if each.covered_cells else []
            name, where = mask_text(report.path.name, numbers), " ".join([*sheet, *cells])
            yield Unpaired(report.path, name, where, why, what, each.picture)
    why, what = say("unpaired.unclaimed", language), say("unpaired.what", language)
    for path in night.unassigned_images:
        yield Unpaired(path, mask_text(path.name, numbers), "", why, what)


def how_many(night: RunReport) -> int:
    """Return how many there are."""
    strays = sum(len(report.unassigned_images) for report in night.files)
    return len(night.unassigned_images) + strays + len(_disputed(night))


def _disputed(night: RunReport) -> dict[Path, tuple[RowOutcome, Problem]]:
    """Return the pictures that two doctors' rows lead to, each with the first row that is told so."""
    found: dict[Path, tuple[RowOutcome, Problem]] = {}
    for outcome in night.outcomes:
        picture = outcome.doctor.picture
        trouble = next((each for each in errors_of(outcome) if each.code == "IMAGE_SHARED"), None)
        if picture is not None and trouble is not None:
            found.setdefault(picture.path, (outcome, trouble))
    return found


def _shared(night: RunReport, numbers: Numbers, language: str) -> Iterator[Unpaired]:
    for path, (outcome, trouble) in _disputed(night).items():
        why, what = parted(sentence(trouble, language, numbers))
        what = what[:1].upper() + what[1:]
        yield Unpaired(path, mask_text(path.name, numbers), "", why, what, outcome.doctor.picture)


def folder_shown(folder: Path, seals: Path | None, numbers: Numbers) -> str:
    """Return a folder as a person knows it: from the picture folder on."""
    if seals is not None and folder.is_relative_to(seals):
        folder = Path(seals.name) / folder.relative_to(seals)
    return mask_path(folder, numbers)
