"""A doctor as the ledger knows them from earlier, with one picture: the evidence over time of which picture is whose."""

from __future__ import annotations

from dataclasses import dataclass
from dataclasses import field as _field


@dataclass(frozen=True, slots=True)
class Bearer:
    """A person with name, staff number and picture, known from a row of an earlier run, an adopted seal or a create.

    Two bearers are equal if these values are equal, independent of the run in which they were first seen.
    """

    key: str = ""  # of the person; "" where the row's number could not be used
    name: str = ""  # HMAC of the name key
    staff_no: str = ""  # HMAC of the comparable staff number
    mobile: str = ""  # HMAC
    # HMACs of what is left of a number that could not be used, sorted and joined by blanks, see `list_number_traces`
    digits: str = ""
    path: str = ""  # HMAC of the picture's path
    picture: str = ""  # sha256 of its bytes
    is_contested: bool = (
        False  # the picture could have been another doctor's as well, and was given to neither
    )
    # digest of the picture's pixels, "" while it is not known: seals and creates hold their own
    pixels: str = _field(default="", compare=False)
    shown_name: str = _field(default="", repr=False, compare=False)  # as the roster writes it
    position: str = _field(default="", repr=False, compare=False)  # of the row: a.xlsx 内科 12
    run: str = _field(default="", compare=False)  # that read it first; "" for an adopted seal
