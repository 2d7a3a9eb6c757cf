"""Seals made elsewhere: read from a sheet with number and SealId, or from an old results workbook of ours.

Of a results workbook only the SealIds are new: its numbers are masked, so its rows are matched with the present
rosters by name and last four digits, and by these only where they mean one person on both sides. A line whose check
does not fit was sorted or pasted in part, and then none is taken.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.domain.headings import CHECK, seal_line
from pipeline.domain.masking import mask_text
from pipeline.domain.roster import Doctor, Field, FileReport, Problem, Row
from pipeline.domain.row_token import row_id_checksum
from pipeline.domain.seals import LedgerSnapshot, PersonHistory
from pipeline.errors import FileRefused, UsageError
from pipeline.intake.layout.column_titles import fold
from pipeline.intake.read_rosters import open_results, run_of
from pipeline.intake.readers.model import Sheet, letters
from pipeline.ledger.protocol import Adopted
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Bilingual, Joined, Localizable
from pipeline.messages.results import WORDS
from pipeline.reports.presenter import Presenter
from pipeline.reports.reasons import sentence
from pipeline.resolution.decide import SEAL_ID

TITLES = frozenset(
    fold(title)
    for title in ("印章ID", "印章编号", "印章编码", "电子印章ID", "签章ID", "SealId", "seal_id", "Seal ID")
)


@dataclass(frozen=True, slots=True)
class Place:
    """A line, and the cell of it that is looked at."""

    sheet: str  # or the file, where it has no sheets
    row: int
    cell: str | None = None

    def say(self, language: str) -> str:
        """Return where it is, in ``zh`` or ``en``."""
        key = "desk.place_cell" if self.cell else "desk.place"
        return phrase(key, sheet=self.sheet, row=self.row, cell=self.cell).say(language)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file gives: seals to enter, and the lines that give none, each with why."""

    seals: tuple[Adopted, ...]
    known: int  # lines whose seal the ledger holds already
    left: Mapping[Place, Localizable]  # why, and what to do

    def untold(self) -> list[tuple[Place, Localizable]]:
        """Return the lines that give no seal, in the order of the file."""
        return sorted(self.left.items(), key=lambda each: each[0].row)


def of_results(
    path: Path,
    doctors: Sequence[Doctor],
    snapshot: LedgerSnapshot,
    *,
    tenant: str,
    digest: Callable[[str], str],
    ended: Collection[str] = (),
) -> Found:
    """Read an old results workbook of this tenant; ``doctors`` are those of the present rosters.

    ``ended`` are SealIds that the ledger knows and that nobody has any more, ``digest`` is the site key's.
    """
    people: dict[tuple[str, str], set[str]] = {}
    by_key: dict[str, Doctor] = {}
    for doctor in doctors:
        if doctor.key and doctor.name and doctor.number:
            people.setdefault((doctor.name, doctor.number[-4:]), set()).add(doctor.key)
            by_key[doctor.key] = doctor
    lines = [line for line in _lines_of_results(path, tenant) if line.seal_id]
    if (torn := next((line for line in lines if not line.holds_together), None)) is not None:
        raise UsageError("desk.results_torn", path=path, place=torn.place)
    claims = Counter((line.name, line.number[-4:]) for line in lines)
    left: dict[Place, Localizable] = {}
    claimed: list[tuple[str, Doctor, _Line]] = []
    for line in lines:
        who = (line.name, line.number[-4:])
        keys = people.get(who, set())
        if len(keys) != 1 or claims[who] != 1:
            left[line.place] = phrase("desk.several" if keys else "desk.nobody", name=line.name or "—")
            continue
        (key,) = keys
        claimed.append((key, by_key[key], line))
    return _found(
        [(key, doctor, line.seal_id, line.seal_name, line.place) for key, doctor, line in claimed],
        left,
        snapshot,
        ended,
        digest,
    )


def of_sheet(
    rows: Sequence[Row],
    doctors: Sequence[Doctor],
    files: Sequence[FileReport],
    snapshot: LedgerSnapshot,
    *,
    digest: Callable[[str], str],
    ended: Collection[str] = (),
) -> Found:
    """Read the rows of a roster-like sheet that has a SealId column beside name and number."""
    for report in files:
        if report.status != "read":
            raise UsageError("desk.not_a_sheet", path=report.path, codes=_sentences(report.problems))
    left: dict[Place, Localizable] = {}
    claimed = []
    for row, doctor in zip(rows, doctors, strict=True):
        seal_id, cell = _seal_id(row)
        sheet = mask_text(row.origin.sheet or row.origin.file)
        place = Place(sheet, row.origin.row, cell)
        if doctor.key is None or doctor.number is None:
            left[Place(sheet, row.origin.row, row.address(Field.NUMBER))] = _unusable(doctor)
        elif not seal_id:
            left[place] = phrase("desk.seal_id_missing")
        else:
            claimed.append((doctor.key, doctor, seal_id, doctor.seal_name, place))
    if rows and not claimed and not any(_has_title(row) for row in rows):
        raise UsageError("desk.no_seal_ids")
    return _found(claimed, left, snapshot, ended, digest)


def is_results(path: Path) -> bool:
    """Tell whether a file is a results workbook of ours."""
    return run_of(path) is not None


def _found(
    claimed: Iterable[tuple[str, Doctor, str, str | None, Place]],
    left: dict[Place, Localizable],
    snapshot: LedgerSnapshot,
    ended: Collection[str],
    digest: Callable[[str], str],
) -> Found:
    seals: list[Adopted] = []
    known = 0
    claims = list(claimed)
    rows: dict[str, list[int]] = {}  # of a person, and of a SealId
    for key, _, seal_id, _, place in claims:
        for each in (key, _as_id(seal_id)):
            rows.setdefault(each, []).append(place.row)
    names = Counter(seal_name for *_, seal_name, _ in claims)  # elsewhere all seals may bear one name
    owners = {past.seal.seal_id: key for key, past in snapshot.people.items() if past.seal}
    for key, doctor, seal_id, seal_name, place in claims:
        past = snapshot.people.get(key)
        if past is not None and past.seal is not None and past.seal.seal_id == seal_id:
            known += 1
        elif why := (
            _strange(seal_id)
            or _in_the_ledger(doctor, seal_id, past, owners.get(seal_id, key), ended)
            or _claimed_twice(key, seal_id, place, rows)
        ):
            left[place] = why
        else:
            assert doctor.number is not None
            masked = "*" * (len(doctor.number) - 4) + doctor.number[-4:]
            free = snapshot.seal_name_owners.get(seal_name or "", key) == key and names[seal_name] == 1
            marks = [digest(mark) if mark else "" for mark in (doctor.comparable_staff_no, doctor.mobile)]
            seals.append(Adopted(key, seal_id, doctor.name, masked, seal_name if free else None, *marks))
    return Found(tuple(seals), known, left)


def _as_id(seal_id: str) -> str:
    return f"id {seal_id}"


def _strange(seal_id: str) -> Localizable | None:
    if SEAL_ID.fullmatch(seal_id) is not None:
        return None
    return phrase("desk.seal_id_strange", seal_id=mask_text(seal_id))


def _in_the_ledger(
    doctor: Doctor, seal_id: str, past: PersonHistory | None, owner: str, ended: Collection[str]
) -> Localizable | None:
    """Return what the ledger has against a SealId for a doctor."""
    if past is not None and past.seal is not None:
        return phrase("desk.has_seal", seal_id=past.seal.seal_id, name=doctor.name)
    if past is not None and past.unresolved_attempt is not None:
        return phrase("desk.unsettled", name=doctor.name, seal_id=seal_id)
    if seal_id in ended:
        return phrase("desk.seal_ended")
    return None if owner == doctor.key else phrase("desk.others_seal", seal_id=seal_id)


def _claimed_twice(
    key: str, seal_id: str, place: Place, rows: Mapping[str, Sequence[int]]
) -> Localizable | None:
    """Return which other lines are about the same person, or give the same SealId."""
    for word, each in (("desk.person_twice", key), ("desk.seal_id_twice", _as_id(seal_id))):
        if len(rows[each]) > 1:
            others = [row for row in rows[each] if row != place.row]
            return phrase(word, rows=Joined(others, phrase("mark.comma")))
    return None


def _has_title(row: Row) -> bool:
    return any(fold(cell.header) in TITLES for cell in row.cells)


def _seal_id(row: Row) -> tuple[str, str | None]:
    """Return the SealId of a line and the address of its cell."""
    cell = next((cell for cell in row.cells if fold(cell.header) in TITLES), None)
    if cell is None:
        return "", None
    return cell.display_text.strip(), f"{cell.column}{row.origin.row}" if cell.column else None


def _unusable(doctor: Doctor) -> Localizable:
    """Return what is wrong with a line's identity number, as a roster's row is told it."""
    errors = [each for each in doctor.problems if each.severity == "error" and each.field is Field.NUMBER]
    return _sentences(errors) if errors else phrase("desk.number_unusable")


def _sentences(problems: Sequence[Problem]) -> Localizable:
    zh, en = (" ".join(sentence(each, Presenter(language)) for each in problems) for language in ("zh", "en"))
    return Bilingual(zh, en)


@dataclass(frozen=True, slots=True)
class _Line:
    place: Place
    name: str
    number: str  # masked
    seal_id: str
    seal_name: str
    check: str | None  # None: the workbook of a version that wrote none

    @property
    def holds_together(self) -> bool:
        """Whether the SealId stands where it was written."""
        told = seal_line(self.name, self.number, self.seal_name, self.seal_id)
        return self.check is None or self.check == row_id_checksum(told)


def _lines_of_results(path: Path, tenant: str) -> Iterator[_Line]:
    try:
        book = open_results(path)
        for sheet in book.sheets:
            if (sheet.name or "") in WORDS["sheet.summary"] and (other := _tenant(sheet)) not in {
                None,
                tenant,
            }:
                raise UsageError("desk.other_tenant", path=path, tenant=other, ours=tenant)
            if (sheet.name or "") not in WORDS["sheet.all"]:
                continue
            places: dict[str, int] | None = None
            check: int | None = None
            for line in sheet.lines:
                texts = {column: cell.display_text.strip() for column, cell in line.cells.items()}
                if places is None:
                    places = _places(texts)
                    check = next((column for column, text in texts.items() if text == CHECK), None)
                    continue
                told = {field: texts.get(column, "") for field, column in places.items()}
                beside = texts.get(check, "") if check is not None else None
                cell = f"{letters(places['seal_id'])}{line.number}"
                yield _Line(Place(sheet.name or "", line.number, cell), **told, check=beside)
    except FileRefused as refused:
        raise UsageError("desk.results_unreadable", path=path, code=refused.code) from refused


def _tenant(summary: Sheet) -> str | None:
    """Return whose run wrote a workbook, as its summary says: a rehearsal's seals are nobody's."""
    for line in summary.lines:
        texts = [cell.display_text.strip() for cell in line.cells.values()]
        if len(texts) > 1 and texts[0] in WORDS["fact.tenant"] and "/" in texts[1]:
            return texts[1].partition(" · ")[0]
    return None


def _places(texts: Mapping[int, str]) -> dict[str, int]:
    wanted = {
        "name": "col.name",
        "number": "col.number",
        "seal_id": "col.seal_id",
        "seal_name": "col.seal_name",
    }
    found = {}
    for field, key in wanted.items():
        place = next((column for column, text in texts.items() if text in WORDS[key]), None)
        if place is None:
            raise UsageError("desk.no_column", title=Bilingual(*WORDS[key]))
        found[field] = place
    return found
