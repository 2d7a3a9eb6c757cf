"""Seals made elsewhere: read from a sheet with number and SealId, or from an old results workbook of ours.

Of a results workbook only the SealIds are new: its numbers are masked, so its rows are matched with the present
rosters by name and last four digits, and by these only where they mean one person on both sides.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.desk.settle import SEAL_ID
from pipeline.errors import FileRefused, UsageError
from pipeline.intake.cells import Sheet
from pipeline.intake.read import open_results, run_of
from pipeline.intake.titles import fold
from pipeline.ledger.protocol import Adopted
from pipeline.model import Snapshot
from pipeline.roster import Doctor, FileReport, Row
from pipeline.words import Either, Phrase
from pipeline.words.results import WORDS
from pipeline.words.sentences import phrase

TITLES = frozenset(
    fold(title)
    for title in ("印章ID", "印章编号", "印章编码", "电子印章ID", "签章ID", "SealId", "seal_id", "Seal ID")
)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file gives: seals to enter, and the lines that give none, each with why."""

    seals: tuple[Adopted, ...]
    known: int  # lines whose seal the ledger holds already
    left: Mapping[str, Phrase]  # place -> why


def of_results(
    path: Path, doctors: Sequence[Doctor], snapshot: Snapshot, *, tenant: str, ended: Collection[str] = ()
) -> Found:
    """Read an old results workbook of this tenant; ``doctors`` are those of the present rosters.

    ``ended`` are SealIds that the ledger knows and that nobody has any more.
    """
    people: dict[tuple[str, str], set[str]] = {}
    by_key: dict[str, Doctor] = {}
    for doctor in doctors:
        if doctor.key and doctor.name and doctor.number:
            people.setdefault((doctor.name, doctor.number[-4:]), set()).add(doctor.key)
            by_key[doctor.key] = doctor
    lines = [line for line in _lines_of_results(path, tenant) if line.seal_id]
    claims = Counter((line.name, line.number[-4:]) for line in lines)
    left: dict[str, Phrase] = {}
    claimed: list[tuple[str, Doctor, _Line]] = []
    for line in lines:
        who = (line.name, line.number[-4:])
        keys = people.get(who, set())
        if len(keys) != 1 or claims[who] != 1:
            left[line.place] = phrase("desk.several" if keys else "desk.nobody")
            continue
        (key,) = keys
        claimed.append((key, by_key[key], line))
    return _found(
        [(key, doctor, line.seal_id, line.seal_name, line.place) for key, doctor, line in claimed],
        left,
        snapshot,
        ended,
    )


def of_sheet(
    rows: Sequence[Row],
    doctors: Sequence[Doctor],
    files: Sequence[FileReport],
    snapshot: Snapshot,
    *,
    ended: Collection[str] = (),
) -> Found:
    """Read the rows of a roster-like sheet that has a SealId column beside name and number."""
    for report in files:
        if report.status != "read":
            raise UsageError("desk.not_a_sheet", path=report.path, codes=", ".join(report.codes))
    left: dict[str, Phrase] = {}
    claimed = []
    for row, doctor in zip(rows, doctors, strict=True):
        place = f"{row.origin.sheet or row.origin.file} {row.origin.row}"
        seal_id = _seal_id(row)
        if doctor.key is None or doctor.number is None:
            left[place] = phrase("desk.number_unusable")
        elif not seal_id:
            left[place] = phrase("desk.seal_id_missing")
        else:
            claimed.append((doctor.key, doctor, seal_id, doctor.seal_name, place))
    if rows and not claimed and not any(_has_title(row) for row in rows):
        raise UsageError("desk.no_seal_ids")
    return _found(claimed, left, snapshot, ended)


def is_results(path: Path) -> bool:
    """Tell whether a file is a results workbook of ours."""
    return run_of(path) is not None


def _found(
    claimed: Iterable[tuple[str, Doctor, str, str | None, str]],
    left: dict[str, Phrase],
    snapshot: Snapshot,
    ended: Collection[str],
) -> Found:
    seals: list[Adopted] = []
    known = 0
    claims = list(claimed)
    people = Counter(key for key, *_ in claims)
    ids = Counter(seal_id for _, _, seal_id, _, _ in claims)
    names = Counter(seal_name for *_, seal_name, _ in claims)  # elsewhere all seals may bear one name
    owners = {past.seal.seal_id: key for key, past in snapshot.people.items() if past.seal}
    for key, doctor, seal_id, seal_name, place in claims:
        past = snapshot.people.get(key)
        if SEAL_ID.fullmatch(seal_id) is None:
            left[place] = phrase("desk.seal_id_strange", seal_id=seal_id)
        elif past is not None and past.seal is not None and past.seal.seal_id == seal_id:
            known += 1
        elif past is not None and past.seal is not None:
            left[place] = phrase("desk.has_seal", seal_id=past.seal.seal_id)
        elif past is not None and past.unsettled is not None:
            left[place] = phrase("desk.unsettled")
        elif seal_id in ended:
            left[place] = phrase("desk.seal_ended")
        elif people[key] > 1 or ids[seal_id] > 1 or owners.get(seal_id, key) != key:
            left[place] = phrase("desk.twice")
        else:
            assert doctor.number is not None
            masked = "*" * (len(doctor.number) - 4) + doctor.number[-4:]
            free = snapshot.seal_names.get(seal_name or "", key) == key and names[seal_name] == 1
            seals.append(Adopted(key, seal_id, doctor.name, masked, seal_name if free else None))
    return Found(tuple(seals), known, left)


def _has_title(row: Row) -> bool:
    return any(fold(cell.header) in TITLES for cell in row.cells)


def _seal_id(row: Row) -> str:
    return next((cell.shown.strip() for cell in row.cells if fold(cell.header) in TITLES), "")


@dataclass(frozen=True, slots=True)
class _Line:
    place: str
    name: str
    number: str  # masked
    seal_id: str
    seal_name: str


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
            for line in sheet.lines:
                texts = {column: cell.shown.strip() for column, cell in line.cells.items()}
                if places is None:
                    places = _places(texts)
                    continue
                told = {field: texts.get(column, "") for field, column in places.items()}
                yield _Line(f"{sheet.name} {line.number}", **told)
    except FileRefused as refused:
        raise UsageError("desk.results_unreadable", path=path, code=refused.code) from refused


def _tenant(summary: Sheet) -> str | None:
    """Return whose run wrote a workbook, as its summary says: a rehearsal's seals are nobody's."""
    for line in summary.lines:
        texts = [cell.shown.strip() for cell in line.cells.values()]
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
            raise UsageError("desk.no_column", title=Either(*WORDS[key]))
        found[field] = place
    return found
