"""Workbooks of the .xlsx family (.xlsm alike): which sheets there are, which are hidden, and whose file it is."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from xml.etree.ElementTree import Element

from pipeline.domain.results_format import TO_FIX_TITLES
from pipeline.domain.roster import EmbeddedImage, UnassignedImage
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import (
    DEFAULT_OPTIONS,
    Book,
    Line,
    ReadBudget,
    ReadOptions,
    Sheet,
    make_danger_refusal,
)
from pipeline.intake.readers.own_workbook import read_originals, read_run_of_package
from pipeline.intake.readers.xlsx.drawings import read_floating
from pipeline.intake.readers.xlsx.package import Package, is_true
from pipeline.intake.readers.xlsx.pictures import Album, CellPictures, Media, RichValues, get_relation
from pipeline.intake.readers.xlsx.shared_strings import read_shared_strings
from pipeline.intake.readers.xlsx.sheet_cells import SheetReader
from pipeline.intake.readers.xlsx.sheet_outline import SheetOutline, survey_sheet
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, EPOCH_1904, Format, read_formats
from pipeline.messages.texts import make_text

_NOTED = 50  # pictures not used that are reported one by one
_OTHER_FILES = {"word": "Word (.docx)", "ppt": "PowerPoint (.pptx)"}  # by the folder of their main part


def read(data: bytes, *, path: Path = Path(), options: ReadOptions = DEFAULT_OPTIONS) -> Book:
    """Open a workbook: its visible sheets are surveyed now, and read as they are walked.

    ``path`` is how a person knows the file. Pictures in its sheets are put away by ``options.keep``, or left alone.
    Raises FileRefused for a zip that is no workbook, is damaged, locked, oversized or hostile; the lines raise it for
    damaged cells.
    """
    package = Package(data)
    part = package.find_related("", "officeDocument") or ""
    root = package.read_tree(part)
    if root.tag.rpartition("}")[2] != "workbook":
        raise FileRefused("FILE_FORMAT", {"found": _OTHER_FILES.get(part.split("/")[0], "Office")})
    workbook = _Workbook(package, part, root, path, options)
    run = read_run_of_package(package)
    if run is not None:  # few of its sheets are read, if any: each is surveyed when it is reached
        return Book(workbook.survey_sheets(None), run=run)
    sheets = list(workbook.survey_sheets(ReadBudget(options.max_rows)))
    unassigned = workbook.unassigned
    notes = [_make_note(image) for image in unassigned[:_NOTED]]
    if len(unassigned) > _NOTED:
        notes.append(make_text("note.more_pictures", n=len(unassigned) - _NOTED))
    return Book(
        iter(sheets), notes=tuple(notes), unassigned=tuple(unassigned), originals=read_originals(package)
    )


class _Workbook:
    """The parts that its sheets share; strings and formats are read with the first sheet that is walked."""

    def __init__(self, package: Package, part: str, root: Element, path: Path, options: ReadOptions) -> None:
        properties = root.find("{*}workbookPr")
        since_1904 = properties is not None and is_true(properties.get("date1904"))
        self.unassigned: list[UnassignedImage] = []  # as far as the sheets are surveyed
        self._package, self._part, self._root = package, part, root
        self._epoch = EPOCH_1904 if since_1904 else EPOCH_1900
        self._budget = ReadBudget(options.max_rows)
        self._media = Media(package, options.keep, path) if options.keep else None
        self._album, self._values = Album(package, part), RichValues(package, part)

    def survey_sheets(self, budget: ReadBudget | None) -> Iterator[Sheet]:
        """Survey the sheets in their order; without a budget, in a workbook of ours, as they are reached."""
        relations = self._package.read_relations(self._part)
        seen = set()
        for entry in self._root.iterfind("{*}sheets/{*}sheet"):
            name = entry.get("name", "")
            kind, target = relations.get(get_relation(entry, "id") or "", ("", ""))
            if kind != "worksheet":  # chart, dialog and macro sheets hold no roster
                continue
            if entry.get("state", "visible") != "visible":
                yield Sheet(name, iter(()), hidden=True)
                continue
            if target in seen:
                raise make_danger_refusal("file.two_sheets", part=target)
            seen.add(target)
            # the thumbnails in a workbook of ours belong to no doctor
            media = self._media if budget is not None or name.startswith(TO_FIX_TITLES) else None
            has_drawing = media is not None and self._package.find_related(target, "drawing") is not None
            outline = survey_sheet(self._package, target, budget, is_measured=has_drawing)
            cell_pictures = CellPictures(self._album, self._values, media, name) if media else None
            yield Sheet(
                name,
                self._read_lines(target, cell_pictures),
                merges=outline.merges,
                hidden_columns=frozenset(outline.hidden_columns),
                pictures=self._find_floating(name, target, outline, media) if media else (),
            )

    def _find_floating(
        self, name: str, part: str, outline: SheetOutline, media: Media
    ) -> list[EmbeddedImage]:
        """Return the pictures that float over a sheet."""
        kind, drawing = self._package.read_relations(part).get(outline.drawing, ("", ""))
        if kind != "drawing" or drawing not in self._package:
            return []
        placed, unassigned = read_floating(self._package, drawing, name, media, outline.grid)
        self.unassigned += unassigned
        return placed

    def _read_lines(self, part: str, pictures: CellPictures | None) -> Iterator[Line]:
        formats = self._formats
        reader = SheetReader(
            part, formats=formats, strings=self._strings, epoch=self._epoch, pictures=pictures
        )
        yield from reader.read_lines(self._package, self._budget)

    @cached_property
    def _strings(self) -> list[str]:
        part = self._package.find_related(self._part, "sharedStrings") or ""
        # the relation may lead nowhere if no cell needs it
        return read_shared_strings(self._package, part) if part in self._package else []

    @cached_property
    def _formats(self) -> list[Format]:
        part = self._package.find_related(self._part, "styles") or ""
        return read_formats(self._package.read_tree(part)) if part in self._package else []


def _make_note(image: UnassignedImage) -> str:
    corner = image.covered_cells.partition(":")[0]
    address = "!".join(filter(None, (image.sheet, corner)))
    return make_text("note.picture", place=address, why=image.why)
