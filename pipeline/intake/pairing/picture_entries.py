"""Picture entries: which files each row's picture column names, and what that says.

A roster's entry is the hospital's word. In a line of a results workbook it may be what this program wrote there, which is
no evidence of the clerk's: it counts as much as the file's name does, and for another doctor than it was written for it
counts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as _field
from typing import Literal, NamedTuple

from pipeline.domain.roster import Correction, Doctor
from pipeline.errors import NotReadNow
from pipeline.intake.pairing import picture_column
from pipeline.intake.pairing.candidates import Library
from pipeline.intake.pairing.evidence import COLUMN, Claims, ImageMatch
from pipeline.intake.pairing.image_sources import Sources, Unusable

# given: somebody wrote it for this doctor; written: this program did, for this row; moved: it was another row's;
# void: it was the row's, and the row's doctor may be another one now
Worth = Literal["given", "written", "moved", "void"]


class PairedRow(NamedTuple):
    """A row of an earlier run that had a picture."""

    row_id: str
    key: str | None
    name: str | None
    place: str  # a.xlsx 内科 12


PairedBefore = Callable[
    [str], Mapping[str, Sequence[PairedRow]] | None
]  # run -> sha256 -> rows; None: unknown run


@dataclass(frozen=True, slots=True)
class Entry:
    """What a row's picture column says."""

    text: str | None = _field(repr=False)
    refusal: str | None = None  # why it is not accepted
    named: Sequence[ImageMatch] = _field(default=(), repr=False)  # the files it means
    worth: Worth = "given"
    of: str = ""  # of a moved one: the row whose entry or picture it was

    @property
    def claims(self) -> Sequence[ImageMatch]:
        """The files that it gives to the row."""
        return () if self.worth == "void" else self.named


def read_entries(
    doctors: Sequence[Doctor],
    library: Library,
    claims: Claims,
    *,
    sources: Sources,
    paired_before: PairedBefore,
) -> list[Entry]:
    """Return every row's entry; files are opened only where a line of a results workbook names them."""
    entries = []
    for place, doctor in enumerate(doctors):
        text = picture_column.entry(doctor)
        if text is None:
            entries.append(_BLANK)
            continue
        if refusal := picture_column.refusal(text):
            entries.append(Entry(text, refusal))
            continue
        named = [
            ImageMatch(candidate, COLUMN, text, why) for candidate, why in picture_column.find(text, library)
        ]
        correction = doctor.row.correction
        if picture_column.cell_named(text):
            in_doubt = correction is not None and correction.trusted_evidence is not None
            entries.append(Entry(text, worth="void" if in_doubt else "given"))
            continue
        if correction is None:
            entries.append(Entry(text, named=named))
            continue
        own = {claim.candidate for claim in claims.of[place]}
        rows = _paired(named, sources, paired_before(correction.run))
        worth, of = _judge(doctor, correction, rows, is_own=own.issuperset(each.candidate for each in named))
        entries.append(Entry(text, named=named, worth=worth, of=of))
    return entries


_BLANK = Entry(None)


def _judge(
    doctor: Doctor, correction: Correction, rows: Sequence[PairedRow] | None, *, is_own: bool
) -> tuple[Worth, str]:
    """Judge the entry of a results workbook's line by the roster row it came from and by the run that wrote it.

    ``rows`` are those that the run had its picture for, None where that is not known; ``is_own`` tells whether the files
    bear the doctor's name or number.
    """
    in_doubt = correction.trusted_evidence is not None
    old = correction.picture_entry_unchanged or correction.picture_entry_owner != ""
    if not old and rows is not None and (not rows or any(_is_person(row, doctor) for row in rows)):
        return "given", ""
    if in_doubt:
        return "void", ""
    if correction.picture_entry_unchanged or (rows is None and not old):
        return "given", ""
    if not old and rows and any(_is_row(row, doctor, correction) for row in rows):
        return "written", ""
    return (
        ("given", "")
        if is_own
        else ("moved", correction.picture_entry_owner or (rows[0].place if rows else ""))
    )


def _paired(
    named: Sequence[ImageMatch], sources: Sources, before: Mapping[str, Sequence[PairedRow]] | None
) -> Sequence[PairedRow] | None:
    """Return the rows that a run had these files' pictures for; None where the run is not known."""
    if not named or before is None:
        return [] if not named else None
    return [row for digest in _digests(named, sources) for row in before.get(digest, ())]


def _is_person(row: PairedRow, doctor: Doctor) -> bool:
    """Tell whether the earlier run had the picture for this very person."""
    return row.key is not None and (row.key, row.name) == (doctor.key, doctor.name)


def _is_row(row: PairedRow, doctor: Doctor, correction: Correction) -> bool:
    """Tell whether the earlier run had the picture for this row; a retry's rows have other ids than the roster's."""
    if row.row_id == correction.row_token:
        return True
    return (row.key is not None and row.key == doctor.key) or (
        row.name is not None and row.name == doctor.name
    )


def _digests(named: Sequence[ImageMatch], sources: Sources) -> list[str]:
    """Return the digests of files, without those that cannot be read: the pairing says so."""
    found = []
    for claim in named:
        try:
            found.append(sources.picture(claim.candidate).sha256)
        except (Unusable, NotReadNow):
            continue
    return found
