"""Names of dropped files, which come from strangers: what a file is by its name, and the name under which it is stored."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from typing import Literal

from pipeline.domain.masking import mask_text
from pipeline.domain.roster import ROSTER_SUFFIXES, Problem, format_size
from pipeline.intake.images.image_files import MAX_BYTES as MAX_PICTURE
from pipeline.intake.pairing.file_names import is_image_extension, split_extension
from pipeline.intake.pairing.image_index import DEEPEST, is_debris, leads_outside
from pipeline.intake.pairing.zip_files import MAX_UNPACKED
from pipeline.intake.read_rosters import MAX_BYTES as MAX_ROSTER
from pipeline.messages.catalogue import render
from pipeline.messages.problems import render_problem

Kind = Literal["roster", "picture", "zip"]
# the limits of one file: those of intake, and how long the next bytes may take
LARGEST = {"roster": MAX_ROSTER, "picture": MAX_PICTURE, "zip": MAX_UNPACKED}  # bytes of a file
TOO_LARGE = {
    "roster": "web.drop.too_large",
    "picture": "web.drop.picture_too_large",
    "zip": "web.drop.too_large",
}
IDLE_SECONDS = 60.0  # without a byte

LONGEST_NAME = (
    200  # bytes: a draft, a question and a copy put something before it, and no name has more than 255
)
LONGEST_PATH = 800  # bytes below the folder
_ZIP = ".zip"
# what no system has in a name, and what makes a text read in another direction or is not seen
_SIGNS = re.compile(
    '[\x00-\x1f\x7f-\x9f<>:"/\\\\|?*\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufffe\uffff]'
)
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(?:\.|\Z)", re.IGNORECASE)


class DropRefused(Exception):
    """A file that is not taken: why, and what to do."""

    def __init__(self, key: str, /, **detail: object) -> None:
        super().__init__(key)
        self._detail = detail

    def render(self, language: str) -> str:
        return render(str(self), language, **self._detail)


class NoSpaceLeft(DropRefused):
    """A file that would leave too little space for the ledger and the results."""


class CheckRefused(DropRefused):
    """A file that `check` would refuse, for the same reason."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self._problem = problem

    def render(self, language: str) -> str:
        return mask_text(render_problem(self._problem, language))


@dataclass(frozen=True, slots=True)
class DroppedName:
    """What a file is, and the names of its folders and its own, as they are stored."""

    kind: Kind
    parts: tuple[str, ...] = field(repr=False)

    @property
    def name(self) -> str:
        return self.parts[-1]

    @property
    def path(self) -> str:
        """The path below the folder of its kind, as a person reads it."""
        return "/".join(self.parts)


def require_size(kind: Kind, size: int) -> None:
    """Raise DropRefused for more bytes than a file of this kind may have."""
    if size > LARGEST[kind]:
        raise DropRefused(TOO_LARGE[kind], size=format_size(size), limit=format_size(LARGEST[kind]))


def parse_dropped_path(path: str) -> DroppedName | None:
    """Return what a path of a drop or of a zip means; None for what systems leave in folders. Raises DropRefused.

    A roster loses its folders: only the files directly in a roster folder are read.
    """
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if leads_outside(path) or not parts:
        raise DropRefused("web.drop.outside")
    if any(map(is_debris, parts)):
        return None
    kind = _get_kind(parts[-1])
    if len(parts) > DEEPEST:
        raise DropRefused("web.drop.too_long")
    cleaned = tuple(map(clean_name, parts if kind == "picture" else parts[-1:]))
    sizes = [len(part.encode()) for part in cleaned]
    if max(sizes) > LONGEST_NAME or sum(sizes) > LONGEST_PATH:
        raise DropRefused("web.drop.too_long")
    return DroppedName(kind, cleaned)


def _get_kind(name: str) -> Kind:
    _, extension = split_extension(name)
    if extension == _ZIP:
        return "zip"
    if any(name.lower().endswith(suffix) for suffix in ROSTER_SUFFIXES):
        return "roster"
    if is_image_extension(extension):
        return "picture"
    raise DropRefused("web.drop.other_kind", kind=extension[1:].upper())


def clean_name(name: str) -> str:
    """Return a name that every system can store; Han characters and blanks inside stay. Raises DropRefused."""
    try:
        name.encode()
    except UnicodeEncodeError:
        raise DropRefused("web.drop.unreadable_name") from None
    text = _SIGNS.sub("_", unicodedata.normalize("NFC", name)).strip().rstrip(". ")
    text = re.sub(r"\A[.]+|\A~(?=\$)", "_", text)
    if _RESERVED.match(text):
        text = f"_{text}"
    if not text:
        raise DropRefused("web.drop.unreadable_name")
    return text
