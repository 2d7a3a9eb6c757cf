"""The table of claims: on what evidence a file may be a doctor's picture, and what stands against it.

A claim is one file that one row may mean. These are its kinds, the strongest first:

kind             read from                                        another person's claim on the same file
column           the picture column of the row                    by number, staff number or name: the file is not used
cell             a picture in a cell of the row                   decided by ``conflicts``
id_card_number   the identity number in the file's name           by the picture column: the file is not used
given            a person gave this picture to this doctor        does not count
staff_no         the staff number in the file's name              the file is not used
name             the name in the file's name                      the file is not used, unless the folder names one's department

A claim that is not certain never gives a picture. It only stands against the claims of others:

* the same name in another spelling, the same staff number with other leading zeros, a serial number that is another
  doctor's staff number (``claimants``);
* another doctor's name or number among other words in the name of a file that an entry names (``mentions``);
* what earlier runs and people's decisions know of the file, its bytes and its pixels (``earlier_evidence``).

All certain claims of one row must be one picture, by bytes or pixels (``match``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from pipeline.intake.pairing.departments import FolderMatch
from pipeline.intake.pairing.image_index import Candidate

COLUMN, CELL, NUMBER, GIVEN, STAFF_NO, NAME = "column", "cell", "id_card_number", "given", "staff_no", "name"


class Kind(NamedTuple):
    """What follows from the evidence of a claim."""

    strength: int  # 0 is the strongest
    is_shareable: bool = False  # two people may have the same value
    decides_alone: bool = False  # a file that another row may mean as well does not count against it


KINDS = {
    COLUMN: Kind(0, decides_alone=True),
    CELL: Kind(1, decides_alone=True),
    NUMBER: Kind(2, decides_alone=True),
    GIVEN: Kind(3),
    STAFF_NO: Kind(4, is_shareable=True),
    NAME: Kind(5, is_shareable=True),
}
MAX_VARIANTS = 256  # claims of one row, rows of one stem: with more of them nothing is decided
_READY = frozenset({".png", ".jpg", ".jpeg"})  # taken before one that must be converted


@dataclass(frozen=True, slots=True)
class Claim:
    """One file that one row may mean."""

    candidate: Candidate
    row: int
    kind: str
    expected: str = field(repr=False)  # how the file would be named to the letter
    is_exact: bool = True
    folder: FolderMatch = ""
    is_joined: bool = False  # the name is made of several values: 内科张伟, 张伟_1001
    is_certain: bool = True

    @property
    def rank(self) -> tuple[int, bool, bool, str]:
        """The order of several claims of one row."""
        needs_conversion = self.candidate.extension not in _READY
        strength = KINDS[self.kind].strength
        return strength, not self.is_exact, needs_conversion, self.candidate.relative_path

    @property
    def is_name_alone(self) -> bool:
        """Whether only a name shows whose the file is."""
        return self.kind == NAME and not self.folder
