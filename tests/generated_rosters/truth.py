"""What an expert would decide, row by row, line by line, file by file: the ground truth."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from generated_rosters.people import Person
from generated_rosters.values import Encoded, Float, Placed, Value
from PIL import Image

NOTHING: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Sent:
    """The row is sent with exactly these wire fields; ``must`` are the warnings that say what was done."""

    name: str
    number: str
    id_type: str
    mobile: str | None
    seal_names: frozenset[str]
    picture: Image.Image = field(repr=False)
    verbatim: bytes | None = field(
        default=None, repr=False
    )  # the bytes that must arrive, where they need nothing
    must: frozenset[str] = NOTHING
    may: frozenset[str] = NOTHING
    changes: Mapping[str, str] = field(default_factory=dict)  # field -> the value that is used


@dataclass(frozen=True)
class Refused:
    """The row is not sent: one of ``codes`` is among its errors, and nothing outside ``codes`` and ``may`` is said.

    ``field`` is the column whose cell the problem must name.
    """

    codes: frozenset[str]
    field: str | None = None
    may: frozenset[str] = NOTHING


Expect = Sent | Refused


@dataclass
class RowPlan:
    """One line that is a doctor, and every outcome an expert would sign."""

    trap: str
    cells: dict[str, Value]
    accept: tuple[Expect, ...]
    floats: tuple[Float, ...] = ()
    hidden: bool = False
    once: str | None = None  # of all rows with this mark exactly one is sent
    department: str = ""  # what a merged cell above gives it


@dataclass(frozen=True)
class Skip:
    """A line that is no doctor, and how files.jsonl may call it."""

    whys: frozenset[str]


@dataclass
class SheetPlan:
    """One sheet; ``lines`` are rows, skips with their cells, or None for an empty line."""

    name: str | None
    columns: list[str]  # field or decoy of each column, in order
    header: list[tuple[Skip, list[Value]]] = field(default_factory=list)
    lines: list["LinePlan"] = field(default_factory=list)
    state: str = "visible"  # hidden | veryHidden
    status: str = "read"  # as files.jsonl must tell it
    merges: list[tuple[int, int, int, int]] = field(
        default_factory=list
    )  # first line, column, last line, column
    hidden: tuple[str, ...] = ()  # columns
    head: list[int] = field(
        default_factory=list
    )  # first physical line of each header line, where lines break
    order: list[str] | None = None  # of a second table below the first
    logo: bytes | None = None  # a picture over the first line
    wide: bool = False  # empty cells with a format stand in the last column there is

    @property
    def hidden_columns(self) -> list[int]:
        """The places of the hidden columns."""
        return [index for index, column in enumerate(self.columns) if column in self.hidden]


@dataclass
class LinePlan:
    """One line below the header: a doctor, or cells that are none."""

    row: RowPlan | None = None
    skip: Skip | None = None
    cells: tuple[Value, ...] = ()
    columns: list[str] = field(default_factory=list)  # of a row: what stands in which cell
    physical_lines: tuple[int, int] = (0, 0)  # first and last physical line, set by the writer


@dataclass
class FilePlan:
    """One roster file: how it is written, and what files.jsonl must say of it."""

    name: str
    form: str  # which writer
    sheets: list[SheetPlan] = field(default_factory=list)
    options: dict[str, str] = field(default_factory=dict)
    statuses: frozenset[str] = frozenset({"read"})
    codes: frozenset[str] = NOTHING  # one of these, where it is refused
    raw: bytes | None = None  # a file made by hand
    trap: str = "plain file"
    either: bool = False  # refusing it whole is as good as reading it


@dataclass
class Corpus:
    """A hospital: rosters, pictures, and the truth about both."""

    seed: int
    way: str  # folder | windows | macos: how the pictures come
    files: list[FilePlan]
    pictures: list[Placed]
    leftovers: frozenset[str]  # pictures that nobody may get, by base name
    drawn: dict[str, Image.Image]  # whose picture is whose, to name a stranger's
    password: str

    def rows(self):
        """Yield (file, sheet, line) of every doctor."""
        for file in self.files:
            for sheet in file.sheets:
                if sheet.state == "visible" and sheet.status == "read":
                    yield from ((file, sheet, line) for line in sheet.lines if line.row is not None)


@dataclass(frozen=True)
class Record:
    """What was seen: the wire, and what the program says of each row and file."""

    folder: Path
    seals: tuple  # of pipeline.sandbox.actions.Seal
    pictures: Mapping[str, bytes]
    outcomes: tuple[Mapping, ...]
    files: tuple[Mapping, ...]
    plan: tuple[Mapping, ...]  # check before run
    plan_files: tuple[Mapping, ...]
    again: tuple[Mapping, ...]  # the second run
    creates_again: int
    unclaimed: frozenset[str]


def sent(person: Person, picture: Encoded, **over) -> Sent:
    """Return the expectation that a person is sent as they are, with what ``over`` says instead."""
    facts = {
        "name": person.name,
        "number": person.number,
        "id_type": person.card,
        "mobile": person.mobile,
        "seal_names": frozenset({f"{over.get('name', person.name)}处方章"}),
        "picture": picture.reference,
        "verbatim": picture.data if picture.verbatim else None,
        "must": picture.warns,
    }
    if "must" in over:
        over["must"] = frozenset(over["must"]) | picture.warns
    return Sent(**{**facts, **over})


def refused(codes: str, field: str | None = None, may: str = "") -> Refused:
    """Return the expectation that one of these codes (separated by spaces) stops the row."""
    return Refused(frozenset(codes.split()), field, frozenset(may.split()))
