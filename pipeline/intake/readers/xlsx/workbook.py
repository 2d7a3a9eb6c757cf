"""Workbooks of the .xlsx family (.xlsm alike): whose file it is, which sheets there are, and what each is before it is read.

A sheet is parsed twice: first for its outline (what is merged, which columns are hidden, its drawing), part of which
stands behind the rows; then for its cells.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from xml.etree.ElementTree import Element

from pipeline.domain.results_format import PROPERTY, PROPERTY_VALUE, Originals
from pipeline.domain.roster import EmbeddedImage, UnassignedImage
from pipeline.errors import FileRefused
from pipeline.intake.readers.model import (
    DEFAULT_OPTIONS,
    MAX_COLUMN,
    MAX_MERGES,
    MAX_ROW,
    Book,
    Line,
    Merge,
    ReadOptions,
    Sheet,
    make_danger_refusal,
    make_results_refusal,
    parse_column,
)
from pipeline.intake.readers.xlsx.drawings import Grid, parse_height, parse_width, read_floating
from pipeline.intake.readers.xlsx.package import Package, is_true, parse_whole
from pipeline.intake.readers.xlsx.pictures import CellPictures, Media, PlacedPictures, get_relation
from pipeline.intake.readers.xlsx.sheet_cells import SheetReader, read_shared_strings
from pipeline.intake.readers.xlsx.styles import EPOCH_1900, EPOCH_1904, Format, read_formats
from pipeline.intake.readers.xml_elements import get_name
from pipeline.messages.catalogue import make_message

_NOTED = 50  # pictures not used that are reported one by one
_OTHER_FILES = {"word": "Word (.docx)", "ppt": "PowerPoint (.pptx)"}  # by the folder of their main part
_HIDDEN = ("hidden", "veryHidden")  # ST_SheetState, ECMA-376 part 1 §18.18.68; exceljs has written "show"
_CORNERS = re.compile(r"([A-Z]{1,3})([1-9][0-9]{0,6}):([A-Z]{1,3})([1-9][0-9]{0,6})")


def read(data: bytes, *, path: Path = Path(), options: ReadOptions = DEFAULT_OPTIONS) -> Book:
    """Open a workbook: the outlines of its visible sheets are read now, their lines as they are walked.

    ``path`` is how a person knows the file. Pictures in its sheets are put away by ``options.store``, or left alone.
    Raises FileRefused for a zip that is no workbook, is damaged, locked, oversized or hostile; the lines raise it for
    damaged cells.
    """
    package = Package(data)
    part = package.get_related_part("", "officeDocument") or ""
    root = package.read_tree(part)
    if root.tag.rpartition("}")[2] != "workbook":
        raise FileRefused("FILE_FORMAT", {"found": _OTHER_FILES.get(part.split("/")[0], "Office")})
    if is_results_package(package):
        raise make_results_refusal()
    workbook = _Workbook(package, part, root, path, options)
    sheets = list(workbook.list_sheets())
    unassigned = workbook.unassigned
    notes = [_make_note(image) for image in unassigned[:_NOTED]]
    if len(unassigned) > _NOTED:
        notes.append(make_message("note.more_pictures", n=len(unassigned) - _NOTED))
    originals = Originals.read(_read_custom_properties(package))
    return Book(iter(sheets), notes=tuple(notes), unassigned=tuple(unassigned), originals=originals)


class _Workbook:
    """The parts that its sheets share; strings and formats are read with the first sheet that is walked."""

    def __init__(self, package: Package, part: str, root: Element, path: Path, options: ReadOptions) -> None:
        properties = root.find("{*}workbookPr")
        since_1904 = properties is not None and is_true(properties.get("date1904"))
        self.unassigned: list[UnassignedImage] = []  # of the sheets whose outline was read
        self._package, self._part, self._root = package, part, root
        self._epoch = EPOCH_1904 if since_1904 else EPOCH_1900
        self._media = Media(package, options.store, path) if options.store else None
        self._placed = PlacedPictures(package, part)

    def list_sheets(self) -> Iterator[Sheet]:
        """Yield the sheets in their order."""
        relations = self._package.read_relations(self._part)
        seen = set()
        for entry in self._root.iterfind("{*}sheets/{*}sheet"):
            name = entry.get("name", "")
            kind, target = relations.get(get_relation(entry, "id") or "", ("", ""))
            if kind != "worksheet":  # chart, dialog and macro sheets hold no roster
                continue
            if entry.get("state") in _HIDDEN:
                yield Sheet(name, iter(()), hidden=True)
                continue
            if target in seen:
                raise make_danger_refusal("file.two_sheets", part=target)
            seen.add(target)
            media = self._media
            has_drawing = media is not None and self._package.get_related_part(target, "drawing") is not None
            outline = _SheetOutline(is_measured=has_drawing)
            outline.read(self._package, target)
            cell_pictures = CellPictures(self._placed, media, name) if media else None
            yield Sheet(
                name,
                self._read_lines(target, cell_pictures),
                merges=outline.merges,
                hidden_columns=frozenset(outline.hidden_columns),
                pictures=self._list_floating(name, target, outline, media) if media else (),
            )

    def _list_floating(
        self, name: str, part: str, outline: _SheetOutline, media: Media
    ) -> list[EmbeddedImage]:
        """Return the pictures that float over a sheet."""
        kind, drawing = self._package.read_relations(part).get(outline.drawing, ("", ""))
        if kind != "drawing" or drawing not in self._package:
            return []
        placed, unassigned = read_floating(self._package, drawing, name, media, outline.grid)
        self.unassigned += unassigned
        return placed

    def _read_lines(self, part: str, pictures: CellPictures | None) -> Iterator[Line]:
        reader = SheetReader(
            part, formats=self._formats, strings=self._strings, epoch=self._epoch, pictures=pictures
        )
        yield from reader.read_lines(self._package)

    @cached_property
    def _strings(self) -> list[str]:
        part = self._package.get_related_part(self._part, "sharedStrings") or ""
        # the relation may lead nowhere if no cell needs it
        return read_shared_strings(self._package, part) if part in self._package else []

    @cached_property
    def _formats(self) -> list[Format]:
        part = self._package.get_related_part(self._part, "styles") or ""
        return read_formats(self._package.read_tree(part)) if part in self._package else []


def _make_note(image: UnassignedImage) -> str:
    corner = image.covered_cells.partition(":")[0]
    address = "!".join(filter(None, (image.sheet, corner)))
    return make_message("note.picture", place=address, why=image.why)


# --- a sheet before it is read


class _SheetOutline:
    """What is known of a sheet before its first line is walked; only rows that are measured are looked at.

    Rows and columns are described in their order (ECMA-376 part 1 §18.3.1.13, §18.3.1.73); what is not is passed over.
    """

    def __init__(self, *, is_measured: bool) -> None:
        self.merges: list[Merge] = []
        self.hidden_columns: set[int] = set()
        self.drawing = ""  # the identifier of the relationship
        self.grid = Grid()
        self._is_measured = is_measured
        self._row = -1  # the last ones described
        self._column = 0

    def read(self, package: Package, part: str) -> None:
        """Take what stands around the rows of a sheet."""
        for parent, elements in package.take_elements(part, depth=2):
            if parent.tag.endswith("sheetData") and not self._is_measured:
                continue
            for element in elements:
                match get_name(parent, element):
                    case "row":
                        self._measure_row(element)
                    case "col":
                        self._take_columns(element)
                    case "sheetFormatPr":
                        self._take_defaults(element)
                    case "mergeCell":
                        self._add_merge(element)
                    case "drawing":
                        self.drawing = self.drawing or get_relation(element, "id") or ""
                    case _:
                        pass

    def _add_merge(self, element: Element) -> None:
        corners = _CORNERS.fullmatch(element.get("ref", "").replace("$", ""))
        if corners is None:
            return
        try:
            first, last = sorted((parse_column(corners[1]), parse_column(corners[3])))
        except ValueError:  # behind the last column
            return
        top, bottom = sorted((int(corners[2]), int(corners[4])))
        if (top, first) != (bottom, last):
            self.merges.append(Merge(top, bottom, first, last))
        if len(self.merges) > MAX_MERGES:
            raise make_danger_refusal("file.too_many_merged", limit=MAX_MERGES)

    def _take_defaults(self, element: Element) -> None:
        grid = self.grid
        grid.unhidden.size = parse_height(element.get("defaultRowHeight"), grid.unhidden.size)
        grid.rows.size = 0 if is_true(element.get("zeroHeight")) else grid.unhidden.size
        grid.columns.size = parse_width(element.get("defaultColWidth"), element.get("baseColWidth"))

    def _take_columns(self, element: Element) -> None:
        first, last = (parse_whole(element.get(name, ""), MAX_COLUMN) for name in ("min", "max"))
        if not first or not last or not self._column < first <= last:
            return
        self._column = last
        axis = self.grid.columns
        width = element.get("width")
        size = axis.size if width is None else parse_width(width)
        is_hidden = is_true(element.get("hidden"))
        for column in range(first - 1, last):
            axis.add_size(column, 0 if is_hidden else size)
        if is_hidden:
            self.hidden_columns.update(range(first - 1, last))

    def _measure_row(self, element: Element) -> None:
        number = parse_whole(element.get("r", ""), MAX_ROW)
        row = number - 1 if number else self._row + 1
        if not self._row < row < MAX_ROW:
            return
        self._row = row
        grid = self.grid
        height = parse_height(element.get("ht"), grid.unhidden.size)
        grid.unhidden.add_size(row, height or grid.unhidden.size)
        grid.rows.add_size(row, 0 if is_true(element.get("hidden")) else height)


# -- the custom document properties that this program writes (ECMA-376 part 1 §22.3)


def is_results_package(package: Package) -> bool:
    return _read_custom_properties(package).get(PROPERTY, "").strip() == PROPERTY_VALUE


def _read_custom_properties(package: Package) -> Mapping[str, str]:
    part = package.get_related_part("", "custom-properties")
    entries = () if part is None else package.read_tree(part)
    return {entry.get("name", ""): "".join(entry.itertext()) for entry in entries}
