"""Workbooks of the .xlsx family (.xlsm alike): which sheets there are, which are hidden, and whose file it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from xml.etree.ElementTree import Element

from pipeline.domain.results_format import TO_FIX_TITLES
from pipeline.domain.roster import EmbeddedImage, UnassignedImage
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import (
    DEFAULT_OPTIONS,
    Book,
    ReadBudget,
    ReadOptions,
    Sheet,
    make_danger_refusal,
)
from pipeline.intake.readers.own_workbook import read_run_of_package
from pipeline.intake.readers.xlsx.cell_images import Album, CellPictures, RichValues
from pipeline.intake.readers.xlsx.drawings import read_floating
from pipeline.intake.readers.xlsx.geometry import measure_sheet
from pipeline.intake.readers.xlsx.package import Package, is_true
from pipeline.intake.readers.xlsx.pictures import Media, get_relation
from pipeline.intake.readers.xlsx.sheet_cells import read_lines, read_shared_strings
from pipeline.intake.readers.xlsx.sheet_outline import SheetOutline, survey_sheet
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, EPOCH_1904, read_formats
from pipeline.messages.texts import make_text

_NOTED = 50  # pictures not used that are reported one by one


@dataclass(slots=True)
class _Page:
    """A sheet that is surveyed, but not read."""

    name: str
    part: str | None = None  # None: hidden
    survey: SheetOutline = field(default_factory=SheetOutline)
    floating: list[EmbeddedImage] = field(default_factory=list)
    pictures: CellPictures | None = None


def read(data: bytes, *, path: Path = Path(), options: ReadOptions = DEFAULT_OPTIONS) -> Book:
    """Open a workbook: its visible sheets are surveyed now, and read as they are walked.

    ``path`` is how a person knows the file. Pictures in its sheets are put away by ``options.keep``, or left alone.
    Raises FileRefused for a zip that is no workbook, is damaged, locked, oversized or hostile; the lines raise it for
    damaged cells.
    """
    package = Package(data)
    part = package.find_related("", "officeDocument")
    if part is None or part.endswith(".bin"):
        raise FileRefused("FILE_FORMAT", {"found": _name_format(package, part)})
    root = package.read_tree(part)
    if root.tag.rpartition("}")[2] != "workbook":
        raise FileRefused("FILE_FORMAT", {"found": _name_format(package, part)})
    workbook = _Workbook(package, part, root, path, options)
    run = read_run_of_package(package)
    if run is not None:  # few of its sheets are read, if any: each is surveyed when it is reached
        return Book(workbook.sheets(workbook.survey_pages(None)), run=run)
    pages = list(workbook.survey_pages(ReadBudget(options.max_rows)))
    unassigned = workbook.unassigned
    notes = [_make_note(image) for image in unassigned[:_NOTED]]
    if len(unassigned) > _NOTED:
        notes.append(make_text("note.more_pictures", n=len(unassigned) - _NOTED))
    return Book(workbook.sheets(pages), notes=tuple(notes), unassigned=tuple(unassigned))


class _Workbook:
    """The parts that its sheets share; the strings are read with the first sheet that is walked."""

    def __init__(self, package: Package, part: str, root: Element, path: Path, options: ReadOptions) -> None:
        properties = root.find("{*}workbookPr")
        since_1904 = properties is not None and is_true(properties.get("date1904"))
        self.unassigned: list[UnassignedImage] = []  # as far as the sheets are surveyed
        self._package, self._part, self._root = package, part, root
        self._epoch = EPOCH_1904 if since_1904 else EPOCH_1900
        self._budget = ReadBudget(options.max_rows)
        self._media = Media(package, options.keep, path) if options.keep else None
        self._album, self._values = Album(package, part), RichValues(package, part)

    def survey_pages(self, budget: ReadBudget | None) -> Iterator[_Page]:
        """Survey the sheets in their order."""
        relations = self._package.read_relations(self._part)
        seen = set()
        for entry in self._root.iterfind("{*}sheets/{*}sheet"):
            name = entry.get("name", "")
            kind, target = relations.get(get_relation(entry, "id") or "", ("", ""))
            if kind != "worksheet":  # chart, dialog and macro sheets hold no roster
                continue
            if entry.get("state", "visible") != "visible":
                yield _Page(name)
                continue
            if target in seen:
                raise make_danger_refusal("file.two_sheets", part=target)
            seen.add(target)
            page = _Page(name, target, survey_sheet(self._package, target, budget))
            # the thumbnails in a workbook of ours belong to no doctor
            if self._media is not None and (budget is not None or name.startswith(TO_FIX_TITLES)):
                page.pictures = CellPictures(self._album, self._values, self._media, name)
                self._find_floating(page, self._media)
            yield page

    def sheets(self, pages: Iterable[_Page]) -> Iterator[Sheet]:
        """Return the sheets of surveyed pages, their lines still to be walked."""
        styles = self._package.find_related(self._part, "styles") or ""
        shared = (
            self._package.find_related(self._part, "sharedStrings") or ""
        )  # it may lead nowhere if no cell needs it
        codes = read_formats(self._package.read_tree(styles)) if styles in self._package else []
        strings: list[str] | None = None
        for page in pages:
            if page.part is None:
                yield Sheet(page.name, iter(()), hidden=True)
                continue
            if strings is None:
                strings = read_shared_strings(self._package, shared) if shared in self._package else []
            read = read_lines(
                self._package,
                page.part,
                strings=strings,
                formats=codes,
                epoch=self._epoch,
                budget=self._budget,
                pictures=page.pictures,
            )
            yield Sheet(
                page.name,
                read,
                merges=page.survey.merges,
                hidden_columns=frozenset(page.survey.hidden_columns),
                pictures=page.floating,
            )

    def _find_floating(self, page: _Page, media: Media) -> None:
        """Find the pictures that float over a sheet."""
        assert page.part is not None
        kind, drawing = self._package.read_relations(page.part).get(page.survey.drawing or "", ("", ""))
        if kind == "drawing" and drawing in self._package:
            measure = partial(measure_sheet, self._package, page.part)
            page.floating, unassigned = read_floating(
                self._package, drawing, page.name, media=media, measure=measure
            )
            self.unassigned += unassigned


def _make_note(image: UnassignedImage) -> str:
    corner = image.covered_cells.partition(":")[0]
    address = "!".join(filter(None, (image.sheet, corner)))
    return make_text("note.picture", place=address, why=image.why)


def _name_format(package: Package, part: str | None) -> str:
    """Name what the zip is instead of a workbook."""
    if part is not None and part.endswith("workbook.bin"):
        return "Excel (.xlsb)"
    if part is not None:
        return {"word": "Word (.docx)", "ppt": "PowerPoint (.pptx)"}.get(part.split("/")[0], "Office")
    return (
        "OpenDocument (.ods, .odt)" if "META-INF/manifest.xml" in package and "mimetype" in package else "ZIP"
    )
