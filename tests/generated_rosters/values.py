"""What stands in a cell, before any file format has its say; a plain ``str`` is text, ``None`` an empty cell."""

from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from PIL import Image


@dataclass(frozen=True)
class Num:
    """A cell of numeric type; ``form`` is its number format."""

    value: float
    form: str | None = None


@dataclass(frozen=True)
class Formula:
    """A formula and what the last program computed; ``cached`` None: nobody has."""

    text: str
    cached: str | float | None


@dataclass(frozen=True)
class Err:
    """An error value: #N/A, #REF!, #VALUE!."""

    text: str


@dataclass(frozen=True)
class Day:
    """A date."""

    day: date


@dataclass(frozen=True)
class Flag:
    """TRUE or FALSE."""

    value: bool


@dataclass(frozen=True)
class Runs:
    """Text in runs of different fonts."""

    parts: tuple[str, ...]


@dataclass(frozen=True)
class InCell:
    """A picture that is the cell's content; ``media`` equal for two cells: one picture, pasted twice.

    ``data`` None: the cell speaks of a picture that the file does not hold.
    """

    data: bytes | None
    media: str
    suffix: str = ".png"


@dataclass(frozen=True)
class Float:
    """A picture that floats over the sheet, placed by its row plan.

    ``anchor``: how the file says where; ``shift``: rows by which its top lies above (< 0) or below the row's own top.
    """

    data: bytes
    anchor: Literal["one", "two", "absolute"] = "two"
    shift: float = 0.0
    tall: float = 0.7  # rows
    suffix: str = ".png"
    linked: bool = False  # its bytes lie elsewhere, the file holds an address alone


Value = str | Runs | Num | Formula | Err | Day | Flag | InCell | None


@dataclass(frozen=True)
class Placed:
    """One entry of the picture folder; ``path`` in bytes is a name that no UTF-8 holds."""

    path: str | bytes
    data: bytes = b""
    link: str | None = None  # a symbolic link to there
    pipe: bool = False


@dataclass(frozen=True)
class Encoded:
    """A drawing as a file, and what its pixels must look like when it arrives."""

    data: bytes
    suffix: str
    reference: Image.Image
    warns: frozenset[str] = frozenset()
    verbatim: bool = True  # what needs nothing is sent byte for byte


def shown(value: Any) -> str:
    """Return what a file that holds text alone shows of a value."""
    match value:
        case None | Formula(cached=None):
            text = ""
        case Num(form=str(form)):
            text = f"{value.value:.0f}".zfill(len(form))
        case Num():
            text = _general(value.value)
        case Formula():
            text = str(value.cached)
        case Day():
            text = value.day.isoformat()
        case Flag():
            text = str(value.value).upper()
        case Err():
            text = value.text
        case _:
            text = value
    assert isinstance(text, str), value
    return text


def _general(number: float) -> str:
    """Return what the General format shows, which is all that a CSV keeps of it."""
    return f"{number:.5E}" if number >= 10**11 else f"{number:.10g}"
