"""The pictures that no doctor got, each with a small copy and the rows that it may belong to, for every file of the results.

They are pictures that keep a doctor from a seal (for two doctors, of several pictures one, blank, damaged), pictures in
rosters that no row got, and files that no row matches.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path
from typing import Protocol

from pipeline.domain.message import Message
from pipeline.domain.roster import MAX_SHOWN_IMAGES, Doctor, ImageFile, ImagePreview, Origin, Problem
from pipeline.domain.run import RowOutcome, RunReport
from pipeline.messages.areas import get_words
from pipeline.reports.explanations import explain_error
from pipeline.reports.folder_links import FolderLinks
from pipeline.reports.html_pages import embed_image
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import clean_text

MAX_OF_ROW = 3  # pictures shown of one row
_MAX_ROWS = 3  # named of one picture
# a picture in a roster that its owner moves within the sheet; others are saved as files
_MOVED = frozenset({"stray.no_doctor", "stray.no_roster", "stray.no_row"})


class PreviewLoader(Protocol):
    """Loads the small copies of pictures: `ImageExaminer`."""

    def load_preview(self, image: ImageFile, *, sent: str | None, may_open: bool) -> ImagePreview | None:
        """Return the small copy of a picture, None if there is none or the picture cannot be read.

        ``may_open`` allows to open the picture where no copy is kept. ``sent`` is the digest of the bytes that are sent,
        if it is known.
        """


@dataclass(frozen=True, slots=True)
class UnusedPicture:
    """A picture that no doctor got, as people read it, masked."""

    # of the file, or of the roster that holds it; its folder is linked, and it is never shown
    path: Path = field(repr=False)
    name: str = field(repr=False)
    location: str = field(repr=False)  # sheet and cells within a roster, otherwise the folder
    reason: str = field(repr=False)
    advice: str
    image: ImageFile | None = field(default=None, repr=False)  # None: it cannot be read, or is left out
    # of the rows that lead to it, or that its name resembles
    doctors: Sequence[Doctor] = field(default=(), repr=False)
    # these, and those of rows that lead to another file with the same bytes
    all_doctors: Sequence[Doctor] = field(default=(), repr=False)
    is_left_out: bool = False  # there are more pictures than are shown


class UnusedPictures:
    """The pictures of one run that no doctor got, in the order of the sheet Unpaired pictures.

    At most `MAX_SHOWN_IMAGES` have a small copy in one file of the results. None is opened for it twice.
    """

    def __init__(self, report: RunReport, presenter: Presenter, previews: PreviewLoader | None) -> None:
        self._report, self._presenter, self._previews = report, presenter, previews
        self._links = FolderLinks(report, presenter)
        self._loaded: dict[str, ImagePreview | None] = {}  # by sha256
        self._shown_folders: dict[Path, str] = {}  # of pictures: 10,000 lie in few
        self._of_rows: defaultdict[Origin, list[int]] = defaultdict(list)  # places in ``pictures``
        self.pictures = [*self._list_refused(), *self._list_strays(), *self._list_files()]
        for index, picture in enumerate(self.pictures):
            for doctor in picture.doctors:
                self._of_rows[doctor.row.origin].append(index)

    @property
    def can_be_shown(self) -> bool:
        """Whether small copies can be had of any."""
        return self._previews is not None and any(picture.image for picture in self.pictures)

    def list_indices(self, outcome: RowOutcome) -> list[int]:
        """Return the places in ``pictures`` of those that keep a row from its seal: refused ones, or of a similar name."""
        if _get_picture_error(outcome) is None:
            return []
        return self._of_rows.get(outcome.doctor.row.origin, [])[:MAX_OF_ROW]

    def list_of_row(self, outcome: RowOutcome) -> list[UnusedPicture]:
        """Return the pictures that keep a row from its seal."""
        return [self.pictures[index] for index in self.list_indices(outcome)]

    def load_preview(self, picture: UnusedPicture) -> ImagePreview | None:
        """Return the small copy of a picture; None where it cannot be read, or enough are shown."""
        image = picture.image
        if image is None or self._previews is None:
            return None
        if image.sha256 not in self._loaded and len(self._loaded) < MAX_SHOWN_IMAGES:
            self._loaded[image.sha256] = self._previews.load_preview(image, sent=None, may_open=True)
        return self._loaded.get(image.sha256)

    def explain_absence(self, picture: UnusedPicture) -> str:
        """Return the text in place of a small copy that there is not."""
        if self._previews is None or self.load_preview(picture) is not None:
            return ""
        was_tried = picture.image is None or picture.image.sha256 in self._loaded
        is_left_out = picture.is_left_out or not was_tried
        return self._presenter.render("unused.not_shown" if is_left_out else "unused.unreadable")

    def describe_of_row(self, outcome: RowOutcome) -> Iterator[str]:
        """Yield a sentence for each picture of a row that may belong to other rows as well, or that cannot be shown."""
        for picture in self.list_of_row(outcome):
            if rows := name_rows(picture, self._presenter, without=outcome):
                listed = self._presenter.join("comma", *rows)
                yield self._presenter.render("unused.other_rows", file=picture.name, rows=listed)
            if absence := self.explain_absence(picture):
                yield self._presenter.join("colon", picture.name, absence)

    def describe_limit(self) -> str:
        """Return the sentence on how many are shown, empty where all are."""
        if len(self.pictures) <= MAX_SHOWN_IMAGES:
            return ""
        more = len(self.pictures) - MAX_SHOWN_IMAGES
        return self._presenter.render("unused.limit", most=MAX_SHOWN_IMAGES, n=more)

    def collect_page_values(self, workbook: str) -> dict[str, object]:
        """Return what a page shows of the first pictures; ``workbook`` names the file that lists all."""
        render, total = self._presenter.render, len(self.pictures)
        shown = self.pictures[:MAX_SHOWN_IMAGES]
        limit = render(
            "unused.cut", kept=len(shown), n=total - len(shown), file=workbook, sheet=render("sheet.unpaired")
        )
        return {
            "title": render("sheet.unpaired"),
            "may_belong": render("col.may_belong"),
            "total": total,
            "limit": limit if total > len(shown) else "",
            "pictures": [self.describe_on_page(picture) for picture in shown],
        }

    def describe_on_page(self, picture: UnusedPicture) -> dict[str, object]:
        preview = self.load_preview(picture)
        return {
            "source": embed_image(preview.data) if preview else "",
            "instead": self.explain_absence(picture),
            "name": clean_text(picture.name),
            "location": clean_text(picture.location),
            "reason": clean_text(picture.reason),
            "advice": clean_text(picture.advice),
            "rows": name_rows(picture, self._presenter),
        }

    def _list_refused(self) -> Iterator[UnusedPicture]:
        """Yield the pictures that keep a doctor from a seal."""
        first: dict[str, tuple[ImageFile, RowOutcome, Problem]] = {}
        doctors: defaultdict[str, list[Doctor]] = defaultdict(list)
        by_bytes: defaultdict[str, list[Doctor]] = defaultdict(list)
        for outcome in self._report.outcomes:
            problem = _get_picture_error(outcome)
            for image in _list_refused_images(outcome.doctor) if problem else ():
                assert problem is not None
                first.setdefault(image.location, (image, outcome, problem))
                doctors[image.location].append(outcome.doctor)
                by_bytes[image.sha256].append(outcome.doctor)
        for location, (image, outcome, problem) in first.items():
            reason, advice = explain_error(outcome, problem, self._presenter)
            described = self._describe_file(image.path, reason, advice, image, doctors[location])
            yield replace(described, all_doctors=by_bytes[image.sha256])

    def _list_strays(self) -> Iterator[UnusedPicture]:
        """Yield the pictures in rosters that no row got."""
        presenter = self._presenter
        for file_report in self._report.files:
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
                location = " ".join(filter(None, parts)) or self._display_folder(file_report.path)
                yield UnusedPicture(file_report.path, name, location, reason, advice, image.picture)

    def _list_files(self) -> Iterator[UnusedPicture]:
        """Yield the files that no row matches."""
        render = self._presenter.render
        advice = render("unpaired.what")
        for file in self._report.unassigned_images:
            reason = render("unpaired.similar" if file.similar else "unpaired.unclaimed")
            described = self._describe_file(file.path, reason, advice, file.image, file.similar)
            yield replace(described, all_doctors=file.similar, is_left_out=not file.was_read)

    def _describe_file(
        self, path: Path, reason: str, advice: str, image: ImageFile | None, doctors: Sequence[Doctor]
    ) -> UnusedPicture:
        name, location = self._presenter.mask_text(path.name), self._display_folder(path)
        return UnusedPicture(path, name, location, reason, advice, image, tuple(doctors))

    def _display_folder(self, path: Path) -> str:
        """Return the folder of a picture as a person knows it: from the picture folder on."""
        if path.parent not in self._shown_folders:
            self._shown_folders[path.parent] = self._describe_folder(path)
        return self._shown_folders[path.parent]

    def _describe_folder(self, path: Path) -> str:
        folder, seals = self._links.get_folder(path), self._report.seals
        if seals is not None and folder.is_relative_to(seals):
            folder = Path(seals.name) / folder.relative_to(seals)
        return self._presenter.mask_path(folder)


def name_rows(
    picture: UnusedPicture, presenter: Presenter, *, without: RowOutcome | None = None
) -> list[str]:
    """Return the rows that a picture may belong to, masked; ``without`` the one that is looked at."""
    seen = {without.doctor.row.origin} if without else set()
    named: list[str] = []
    for doctor in chain(picture.doctors, picture.all_doctors):
        if len(named) == _MAX_ROWS:
            break
        if doctor.row.origin not in seen:
            seen.add(doctor.row.origin)
            named.append(_name_row(doctor, presenter))
    if (more := len(picture.all_doctors) - len(seen)) > 0:
        named.append(presenter.render("unused.more_rows", n=more))
    return named


def _name_row(doctor: Doctor, presenter: Presenter) -> str:
    """Return the position of a row, and its doctor."""
    origin = doctor.row.origin
    position = presenter.render(
        "report.place",
        file=presenter.mask_text(origin.file),
        sheet=presenter.mask_optional(origin.sheet),
        row=origin.row,
    )
    return clean_text(" ".join(f"{position} {presenter.mask_optional(doctor.display_name)}".split()))


def explain_unassigned_image(why: str, language: str) -> tuple[str, str]:
    """Return why a picture in a roster was not used, and what to do."""
    key = why.key if isinstance(why, Message) else why
    advice = "stray.move" if key in _MOVED else "stray.save"
    return get_words(f"{key}.reason")[language], get_words(advice)[language]


def is_picture_error(problem: Problem) -> bool:
    """Return whether a problem keeps a row from its seal and is about its picture."""
    return problem.severity == "error" and problem.code.startswith("IMAGE_")


def _get_picture_error(outcome: RowOutcome) -> Problem | None:
    """Return the first error that is about a row's picture."""
    return next(filter(is_picture_error, outcome.problems), None)


def _list_refused_images(doctor: Doctor) -> Iterator[ImageFile]:
    """Yield the pictures of a row that were not used, each once."""
    images = [doctor.picture, doctor.held_image, *doctor.contested_images]
    images += [image for _, image in doctor.rival_images]
    yield from {image.location: image for image in images if image is not None}.values()
