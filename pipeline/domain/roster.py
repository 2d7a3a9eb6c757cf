"""The values that the intake produces: rows as their files hold them, validated doctors, reports of files.

They are frozen and have no behaviour beyond access. Personal fields carry ``repr=False``: a traceback or a log line
never shows a number, a name or a picture's path.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from enum import StrEnum
from pathlib import Path
from typing import Literal, NamedTuple

from pipeline.domain.message import Message
from pipeline.domain.results_format import NO_ORIGINALS, Originals

Severity = Literal["error", "warning"]
MAX_DOCTORS = 200_000  # of one roster file
MAX_SHOWN_IMAGES = 200  # unused pictures that are shown; of more, one list has the names alone

# In a folder these are opened, and reported where they are something else after all; all others, pictures above all,
# are passed over in silence. A list in a .doc or a .zip is a roster to the clerk who put it there.
ROSTER_SUFFIXES = frozenset({
    ".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".xls", ".xlt", ".xlw", ".et", ".ett", ".ods", ".ots", ".fods",
    ".numbers", ".csv", ".txt", ".tsv", ".tab", ".htm", ".html", ".mht", ".mhtml", ".xml", ".doc", ".docx", ".wps",
    ".rtf", ".pdf", ".zip", ".rar", ".7z", ".dbf",
})  # fmt: skip


class Field(StrEnum):
    """A value of a doctor; its text is its name in files and, where a column gives it, in ``columns:``."""

    NAME = "name"
    NUMBER = "id_card_number"
    ID_TYPE = "id_card_type"
    MOBILE = "mobile"
    STAFF_NO = "staff_no"
    DEPARTMENT = "department"
    SEAL_NAME = "seal_name"
    PICTURE = "picture"
    SCENE_KEY = "scene_key"
    ENABLE_AUTO_SIGN = "enable_auto_sign"
    LICENSE_TYPE = "license_type"


IGNORED = "ignore"  # in ``columns:`` in place of a field: the column is not read


class CellKind(StrEnum):
    """The type a cell has in its file, before anything is converted."""

    EMPTY = "empty"
    TEXT = "text"
    NUMBER = "number"
    BOOL = "bool"
    DATE = "date"
    ERROR = "error"  # #N/A and its kin
    NO_VALUE = "no_value"  # a formula that no program has computed yet
    # a picture placed in the cell; ``value`` is its Embedded, or None where it cannot be had
    PICTURE = "picture"


def format_number(value: float) -> str:
    """Return a number as a person sees it: whole ones without a point, from 1e15 on in exponent form, as Excel shows them."""
    if abs(value) >= 1e15:
        return f"{value:.5E}"
    is_whole = isinstance(value, int) or value.is_integer()
    return str(int(value)) if is_whole else repr(value)


def format_size(count: int) -> str:
    """Return a number of bytes as a person writes it."""
    return f"{count / 1_000_000:.1f} MB" if count >= 1_000_000 else f"{count / 1000:.1f} KB"


class CardType(StrEnum):
    """IdCardType."""

    ID_CARD = "ID_CARD"
    HONGKONG_AND_MACAO = "HONGKONG_AND_MACAO"
    HONGKONG_MACAO_AND_TAIWAN = "HONGKONG_MACAO_AND_TAIWAN"
    OTHER_CARD_TYPE = "OTHER_CARD_TYPE"


RosterList = tuple[Path, str | None]  # a roster file and its sheet


@dataclass(frozen=True, slots=True)
class Origin:
    """The place of a row: its number as Excel shows it, or the physical line on which a text record starts."""

    path: Path = _field(repr=False)  # as given by the caller: relative stays relative
    sheet: str | None
    row: int

    @property
    def file(self) -> str:
        """The base name."""
        return self.path.name

    @property
    def roster_list(self) -> RosterList:
        """The file and the sheet."""
        return self.path, self.sheet

    @property
    def position(self) -> str:
        """File, sheet and row in one text, in no language: ``a.xlsx 内科 12``."""
        return " ".join(filter(None, (self.file, self.sheet, str(self.row))))


def fold_card_number(number: str, id_type: CardType | None) -> str:
    """Return a card's number in the one form that all ways of writing it share.

    Letters of other cards count without their case, and nothing but letters and digits counts.
    """
    if id_type is not CardType.OTHER_CARD_TYPE:
        return number
    return "".join(filter(str.isalnum, number)).upper()


def fold_staff_no(staff_no: str) -> str:
    """Return a staff number in the one form that all ways of writing it share."""
    return staff_no.casefold().lstrip("0") or staff_no


class Cell(NamedTuple):
    """One cell as its file holds it; ``header`` is the heading as written. A run makes millions of them."""

    column: str  # letter: A, B, …, AA
    header: str
    value: object
    kind: CellKind
    display_text: str  # as a person sees it: with its number format, if the file has one

    def __repr__(self) -> str:
        return f"Cell(column={self.column!r}, header={self.header!r}, kind={self.kind!r})"


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A picture by its bytes: ``sha256`` identifies it, ``path`` shows a person where it is.

    It keeps two texts, of which pictures share the first: the paths of 100,000 pictures would take 40 MB.
    """

    folder: str = _field(repr=False)  # for one in a zip or a cell: seals.zip/内科, a.xlsx
    name: str = _field(repr=False)  # 张伟.png, 内科!H12
    sha256: str
    size: int  # bytes
    stored_path: Path | None = _field(default=None, repr=False)  # where the bytes are if not at ``path``

    @classmethod
    def from_path(cls, path: Path, sha256: str, size: int, stored_path: Path | None = None) -> ImageFile:
        """Return the picture that a person finds at this path."""
        return cls(sys.intern(str(path.parent)), path.name, sha256, size, stored_path)

    @property
    def path(self) -> Path:
        """Where a person finds it."""
        return Path(self.folder, self.name)

    @property
    def location(self) -> str:
        """The path as a text."""
        joined = os.path.join(self.folder, self.name)  # noqa: PTH118 - a path takes seven times as long
        return self.name if self.folder == "." else joined

    @property
    def file(self) -> Path:
        """The regular file that holds the bytes."""
        return self.stored_path or self.path


@dataclass(frozen=True, slots=True)
class ImageSize:
    """How large a picture is; without pixels where it was not opened or could not be decoded."""

    bytes: int
    width: int | None = None
    height: int | None = None

    def __str__(self) -> str:
        size = format_size(self.bytes)
        return size if self.width is None else f"{size}, {self.width}×{self.height}"


@dataclass(frozen=True, slots=True)
class ImageSizes:
    """How large a picture is as it was given, and as it is sent; the latter is None where nothing could be sent."""

    given: ImageSize
    sent: ImageSize | None = None


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """A picture inside a workbook: placed in a cell, or floating with its centre over one."""

    column: str  # letters
    row: int  # as Excel shows it
    picture: ImageFile = _field(repr=False)
    floating: bool = False
    overlaps_neighbour: bool = False  # it also covers part of another row
    is_other_picture: bool = False  # it lies under a title of the picture column that names no seal: 图片
    is_between: bool = False  # it lies between rows, so it is evidence for none of them
    covered_cells: str = ""  # those it lies over (``G11:H14``), if more than the one under its centre
    shares: tuple[tuple[int, float], ...] = ()  # of a floating one: lines, part of its height in each
    begins_row: bool = False  # of a floating one: its upper edge is that of a row

    @property
    def address(self) -> str:
        """The cell, as Excel writes it (``H12``)."""
        return f"{self.column}{self.row}"


@dataclass(frozen=True, slots=True)
class UnassignedImage:
    """A picture inside a roster that no row got."""

    sheet: str | None
    covered_cells: str  # the cells it lies over: H12, G11:H14; empty where it does not say
    why: str  # a message of `files.toml`
    picture: ImageFile | None = _field(default=None, repr=False)  # None where it cannot be had


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a roster: every cell in sheet order, and the cells of each field."""

    origin: Origin
    cells: Sequence[Cell] = _field(repr=False)
    fields: Mapping[Field, Cell] = _field(repr=False)
    hidden: bool = False
    pictures: tuple[EmbeddedImage, ...] = _field(default=(), repr=False)  # in its cells or floating over them
    problems: tuple[Problem, ...] = ()  # of the row as a whole, found while it was read

    def address(self, name: Field) -> str | None:
        """Return the address of a field's cell, as Excel writes it (``C12``), or None without that column."""
        cell = self.fields.get(name)
        return self.address_of(cell) if cell else None

    def address_of(self, cell: Cell) -> str:
        """Return the address of one of the row's cells."""
        return f"{cell.column}{self.origin.row}"


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of one row: a code of the catalogue, its cell, and the values that fill its sentence."""

    code: str
    severity: Severity
    field: Field | None = None
    cell: str | None = None  # C12
    detail: Mapping[str, str] = _field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Change:
    """A normalisation of a field: the text before it, the text after it, and its reason (a short word)."""

    field: Field
    before: str = _field(repr=False)
    after: str = _field(repr=False)
    why: str


@dataclass(frozen=True, slots=True)
class PreparedImage:
    """A picture that was decoded whole and is on disk as it will be sent, byte for byte."""

    source: ImageFile
    path: Path = _field(repr=False)  # source.file itself when nothing had to be done
    sha256: str  # of the bytes to send
    size: int  # bytes
    format: Literal["PNG", "JPEG"]
    width: int  # pixels
    height: int
    pixels: str  # digest of the decoded source, turned upright: equal for equal pictures
    problems: tuple[Problem, ...] = ()  # warnings alone


@dataclass(frozen=True, slots=True)
class ImagePreview:
    """A small copy of what is sent of a picture, on white paper, for people to look at."""

    data: bytes = _field(repr=False)  # a JPEG
    hints: tuple[str, ...] = ()  # faint: what a reviewer should look at twice
    pixels: str = ""  # digest of the upright pixels of the picture itself
    size: tuple[int, int] = (1, 1)  # of the copy, in pixels


@dataclass(frozen=True, slots=True)
class FileStat:
    """The size, time and digest of a file, by which an unchanged one need not be opened (ledger table file_stat)."""

    size: int
    mtime_ns: int  # see `changed_at` in intake/images/image_files.py
    sha256: str


@dataclass(frozen=True, slots=True)
class Doctor:
    """One row as it was read: normalised values, its picture, and all its problems at once.

    A value that could not be used is None, and ``problems`` holds an error.
    """

    row: Row
    row_id: str | None
    key: str | None  # the person; None where the number is unusable or no site key is at hand
    name: str | None = _field(default=None, repr=False)
    number: str | None = _field(default=None, repr=False)
    id_type: CardType | None = None
    mobile: str | None = _field(default=None, repr=False)
    staff_no: str | None = None
    department: str | None = None
    sheet_department: str | None = (
        None  # of a row without that column: the ward of its sheet, which is only shown
    )
    seal_name: str | None = None  # the roster's own, if it has one
    scene_key: str | None = None
    enable_auto_sign: bool | None = None
    license_type: int | None = None
    picture: ImageFile | None = _field(default=None, repr=False)
    evidence: str | None = None  # column | cell | id_card_number | staff_no | name
    rival_images: Sequence[tuple[str, ImageFile]] = _field(default=(), repr=False)  # shown path, picture
    contested_images: tuple[ImageFile, ...] = _field(default=(), repr=False)  # perhaps another row's
    held_image: ImageFile | None = _field(default=None, repr=False)  # perhaps an earlier doctor's
    possibly_same: tuple[str, ...] = ()  # keys of people on other rows who may be this one
    problems: tuple[Problem, ...] = ()
    changes: tuple[Change, ...] = _field(default=(), repr=False)

    def display_field(self, field: Field) -> str:
        """Return a cell as a person sees it in the roster, or an empty text."""
        return cell.display_text if (cell := self.row.fields.get(field)) else ""

    @property
    def display_name(self) -> str | None:
        """The name that is used, else the roster's own text."""
        return self.name or self.display_field(Field.NAME) or None

    @property
    def display_department(self) -> str | None:
        """The department that people see: the row's, else the one after which its sheet is named."""
        return self.department or self.sheet_department

    @property
    def has_ward_alone(self) -> bool:
        """Whether its department can only be known from the name of its list: there is no column for it."""
        return self.department is None and Field.DEPARTMENT not in self.row.fields

    @property
    def comparable_staff_no(self) -> str | None:
        """The staff number as it is compared: case and leading zeros do not count."""
        return fold_staff_no(self.staff_no) if self.staff_no else None

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that keep the row from being sent."""
        return tuple(problem for problem in self.problems if problem.severity == "error")


def list_candidate_images(doctor: Doctor) -> list[ImageFile]:
    """Return the different pictures that may be a doctor's, of which none was used: a person can choose one."""
    images = [*(image for _, image in doctor.rival_images), *doctor.contested_images]
    return list({image.sha256: image for image in images}.values())


@dataclass(frozen=True, slots=True)
class UnassignedFile:
    """A file of the picture folder that no row got, and the doctors of the rows that its name resembles."""

    path: Path = _field(repr=False)  # as a person finds it; one in a zip as seals.zip/张伟.png
    image: ImageFile | None = _field(default=None, repr=False)  # None: it cannot be read, or was not
    similar: tuple[Doctor, ...] = _field(default=(), repr=False)
    was_read: bool = True  # False: it is not among the first MAX_SHOWN_IMAGES


@dataclass(frozen=True, slots=True)
class SkippedLine:
    """Lines of a sheet that are no doctor, and why; blank stretches are one entry."""

    sheet: str | None
    first: int
    last: int
    why: str  # title | header | blank | total | note | example
    # of its lines that hold something, as many as are kept: the first line, the last line, the first cells
    texts: tuple[tuple[int, int, str], ...] = _field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class Column:
    """A column with a title: the field that it is read as, or the known title that it may have been meant to have."""

    column: str  # letters
    title: str
    field: Field | None = None  # None: not used
    nearest: str | None = None  # of an unused one; a suggestion, never used


@dataclass(frozen=True, slots=True)
class SheetReport:
    """One sheet of a roster file; where no header was found, ``columns`` are those of the line that comes nearest."""

    sheet: str | None
    status: Literal["read", "hidden", "no_header", "empty", "former"]
    rows: int = 0
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True, slots=True)
class FileReport:
    """One roster file: a line of files.jsonl."""

    path: Path
    sha256: str | None
    status: Literal["read", "refused"]
    codes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    rows: int = 0
    sheets: tuple[SheetReport, ...] = ()
    skipped: tuple[SkippedLine, ...] = ()
    notes: tuple[str, ...] = ()
    unassigned_images: tuple[UnassignedImage, ...] = ()  # pictures that no row got
    originals: Originals = NO_ORIGINALS  # of a marked copy of a roster
    # where later runs compare it: of its path, of its folder, and of its path as the lines of its rows show it
    digests: Mapping[str, str] = _field(default_factory=dict)

    @property
    def reading(self) -> Literal["read", "partly", "refused"]:
        """The status as people see it: of a file that was read, sheets with people may have been left out."""
        return "partly" if self.status == "read" and self.codes else self.status

    @property
    def needs_correction(self) -> bool:
        """Whether people of the file were not read: in whole, or those of a sheet."""
        return self.reading in {"refused", "partly"}

    @property
    def misspelt_titles(self) -> list[str]:
        """The columns that are not used, each with the known title that it may have been meant to have."""
        columns = [column for sheet in self.sheets if sheet.status == "read" for column in sheet.columns]
        return [f"{one.column} {one.title} → {one.nearest}" for one in columns if one.nearest]

    @property
    def other_version(self) -> Message | None:
        """The note that an earlier marked copy of the roster is read as well, which names it and the newer file."""
        notes = (note for note in self.notes if isinstance(note, Message))
        return next((note for note in notes if note.key == "note.changed_since_copy"), None)

    @property
    def is_no_roster(self) -> bool:
        """Whether a file that was refused is something else than a roster, such as a picture or a configuration.

        Of a file or folder that could not be opened that is not known.
        """
        is_other = "FILE_FORMAT" in self.codes or self.path.suffix.lower() not in ROSTER_SUFFIXES
        return self.status == "refused" and is_other and "FILE_NOT_READ" not in self.codes
