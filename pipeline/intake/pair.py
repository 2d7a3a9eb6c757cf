"""Which picture belongs to which doctor: exact evidence alone, and nobody gets what two could claim (DESIGN §2.5).

How a doctor's picture is found:

1. The picture column. A file it names wins over every other evidence. An entry that can only mean a file and finds
   none is IMAGE_MISSING and nothing else is tried: an older picture of the same name must not stand in for it. An
   entry that means no file (已交, √) is passed over.
2. Otherwise the stem of a file, expected from the row and looked up in the index: the identity number; the staff
   number; the name; and the name written together with either number (张伟_1001, 1001张伟), which counts as that
   number. The first of these that finds something gives the evidence, but all of them are looked up: two files of
   different content are two candidates, whatever named them, and then nobody gets one.
3. A file whose name fits two people by staff number or name is evidence for neither, even where one of them has a
   better file: who else it could belong to is not ours to say.

A stem fits exactly, or (IMAGE_NAME_FUZZY, a warning) exactly after width, Unicode form, case and a known suffix are
taken off; see ``stems``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.intake import pictures, pointer, stems
from pipeline.intake.folding import shown, trim
from pipeline.intake.identity import lifetime
from pipeline.intake.manner import Keep
from pipeline.intake.pictures import Candidate, Library
from pipeline.problems import problem
from pipeline.roster import Doctor, Field, FileStat, Picture, Problem

_COLUMN, _NUMBER, _STAFF_NO, _NAME = "column", "id_card_number", "staff_no", "name"
_STRENGTH = {_COLUMN: 0, _NUMBER: 1, _STAFF_NO: 2, _NAME: 3}
_SHAREABLE = frozenset({_STAFF_NO, _NAME})  # two people may have the same; an identity number belongs to one
_JOINTS = ("", "_", "-", " ")  # between a name and a number
_LISTED = 5  # file names in one sentence
_LONGEST_ENTRY = 80  # characters of a refused entry that are repeated
# suggestions cost a comparison with every file: no more of them than a person reads
_HINT_FORMS = 2_000
_HINT_ROWS = 100


@dataclass(frozen=True, slots=True)
class Pairing:
    """The doctors with their pictures, in the order given; the files nobody claimed; fingerprints to remember."""

    doctors: tuple[Doctor, ...]
    unclaimed: tuple[Path, ...] = field(repr=False)
    stats: Mapping[str, FileStat] = field(repr=False)  # read in this run, by str(path)


@dataclass(frozen=True, slots=True)
class _Claim:
    """One file that one row may mean, why, and whether its name is the expected one to the letter."""

    candidate: Candidate
    evidence: str
    expected: str
    exact: bool

    @property
    def order(self) -> tuple[int, bool, str]:
        return _STRENGTH[self.evidence], not self.exact, self.candidate.relative


class _Fingerprints:
    """Digests of files, each taken at most once in a run."""

    def __init__(self, known: Mapping[str, FileStat]) -> None:
        self._known = known
        self._taken: dict[str, FileStat] = {}

    def of(self, candidate: Candidate) -> FileStat:
        name = str(candidate.path)
        if name not in self._taken:
            self._taken[name] = pictures.fingerprint(candidate.path, self._known)
        return self._taken[name]

    def new(self) -> dict[str, FileStat]:
        return {name: stat for name, stat in self._taken.items() if stat != self._known.get(name)}


def pair(
    doctors: Sequence[Doctor],
    library: Library,
    *,
    known: Mapping[str, FileStat],
    keep: Keep | None = None,  # noqa: ARG001
) -> Pairing:
    """Give every doctor the picture that is certainly theirs, or the problem that tells why there is none.

    Only files that somebody may mean are opened, and of these only the ones that differ from ``known`` (the ledger's
    file_stat, by ``str(path)``). A row whose number is unusable is paired as well, so that all its troubles show at
    once. Whether two people use the same picture is told by ``across.compare``.
    """
    people = [_person(doctor, place) for place, doctor in enumerate(doctors)]
    claims = [list(_claims(doctor, library)) for doctor in doctors]
    rivals = _rivals(people, claims)
    prints = _Fingerprints(known)
    used: set[Path] = set()
    paired = list(doctors)
    missing: list[int] = []
    for place, doctor in enumerate(doctors):
        written = pointer.entry(doctor)
        if written and (why := pointer.refusal(written)):
            found = stems.shown(written[:_LONGEST_ENTRY])
            paired[place] = _with(doctor, _problem("IMAGE_PATH_REJECTED", doctor, found=found, why=why))
            continue
        fitting = _named(written, library) if written else []
        if not fitting and not (written and pointer.names_a_file(written)):
            fitting = claims[place]
        usable = [
            claim for claim in fitting if claim.evidence == _COLUMN or claim.candidate.path not in rivals
        ]
        used.update(claim.candidate.path for claim in usable or fitting)
        if usable:
            paired[place] = _decide(doctor, sorted(usable, key=lambda claim: claim.order), prints)
        elif fitting:
            rows = {
                row
                for claim in fitting
                for row in rivals[claim.candidate.path]
                if people[row] != people[place]
            }
            paired[place] = _with(doctor, _contested(doctor, fitting, [doctors[row] for row in sorted(rows)]))
        else:
            missing.append(place)
    unclaimed = [candidate for candidate in library.candidates if candidate.path not in used]
    forms = {form: candidate for candidate in unclaimed for form in stems.undressed(candidate.stem)}
    for count, place in enumerate(missing):
        hint = _hint(doctors[place], forms) if count < _HINT_ROWS and len(forms) <= _HINT_FORMS else ""
        paired[place] = _with(doctors[place], _missing(doctors[place], library, hint))
    return Pairing(tuple(paired), tuple(candidate.path for candidate in unclaimed), prints.new())


def _person(doctor: Doctor, place: int) -> tuple[str, object]:
    """Return what tells this row's person from others; a row that says nothing of it is a person of its own."""
    if doctor.key:
        return "key", doctor.key
    if doctor.number:
        return "number", lifetime(doctor.number, doctor.id_type) if doctor.id_type else doctor.number
    written = trim(shown(doctor.row.fields.get(Field.NUMBER)))
    return ("written", written) if written else ("row", place)


def _names(doctor: Doctor) -> list[str]:
    """Return the name as it is used and as the roster writes it (阿依古丽.买买提): files follow either."""
    written = trim(shown(doctor.row.fields.get(Field.NAME)))
    return [name for name in dict.fromkeys((doctor.name, written)) if name]


def _named(written: str, library: Library) -> list[_Claim]:
    found, exact = pointer.find(written, library)
    return [_Claim(candidate, _COLUMN, written, exact) for candidate in found]


def _claims(doctor: Doctor, library: Library) -> Iterator[_Claim]:
    """Yield the files whose stem is one that this doctor's row leads to expect, each once, by its best evidence."""
    seen: set[Path] = set()
    for evidence, expected, folded in _expected(doctor):
        for candidate in library.by_stem.get(folded, ()):
            if candidate.path not in seen:
                seen.add(candidate.path)
                exact = candidate.stem == expected or (
                    evidence == _NUMBER and candidate.stem == _small_x(expected, doctor.number)
                )
                yield _Claim(candidate, evidence, expected, exact)


def _expected(doctor: Doctor) -> Iterator[tuple[str, str, str]]:
    """Yield (evidence, stem, folded stem), the strongest evidence first.

    Folding a joined text is joining the folded parts, so each part is folded once.
    """
    names = [(name, stems.fold(name)) for name in _names(doctor)]
    for evidence, number in ((_NUMBER, doctor.number), (_STAFF_NO, doctor.staff_no)):
        if number:
            folded = stems.fold(number)
            yield evidence, number, folded
            for name, folded_name in names:
                for joint in _JOINTS:
                    yield evidence, f"{name}{joint}{number}", f"{folded_name}{joint}{folded}"
                    yield evidence, f"{number}{joint}{name}", f"{folded}{joint}{folded_name}"
    for name, folded_name in names:
        yield _NAME, name, folded_name


def _small_x(expected: str, number: str | None) -> str:
    return expected.replace(number, number[:-1] + number[-1].lower()) if number else expected


def _rivals(
    people: Sequence[tuple[str, object]], claims: Sequence[Sequence[_Claim]]
) -> dict[Path, list[int]]:
    """Return the files whose names fit more than one person, each with the places of the rows."""
    rows: dict[Path, list[int]] = {}
    for place, own in enumerate(claims):
        for claim in own:
            if claim.evidence in _SHAREABLE:
                rows.setdefault(claim.candidate.path, []).append(place)
    return {path: places for path, places in rows.items() if len({people[place] for place in places}) > 1}


def _decide(doctor: Doctor, claims: Sequence[_Claim], prints: _Fingerprints) -> Doctor:
    """Give the doctor the one picture that all these files are; ``claims`` is in order of strength."""
    for claim in claims:
        if fault := _unusable(doctor, claim.candidate, prints):
            return _with(doctor, fault)
    if len({prints.of(claim.candidate).sha256 for claim in claims}) > 1:
        return _with(doctor, _problem("IMAGE_AMBIGUOUS", doctor, found=_listed(claims, doctor)))
    first = claims[0]
    warnings = []
    if not first.exact:
        detail = {
            "found": _shown(first.candidate.relative, doctor),
            "why": stems.taken_off(first.candidate.stem, first.expected),
            "expected": _shown(first.expected, doctor),
        }
        warnings.append(_problem("IMAGE_NAME_FUZZY", doctor, **detail))
    if len(claims) > 1:
        warnings.append(_problem("IMAGE_DUPLICATE_FILE", doctor, found=_listed(claims, doctor)))
    stat = prints.of(first.candidate)
    picture = Picture(first.candidate.path, stat.sha256, stat.size)
    problems = (*doctor.problems, *warnings)
    return replace(doctor, picture=picture, evidence=first.evidence, problems=problems)


def _unusable(doctor: Doctor, candidate: Candidate, prints: _Fingerprints) -> Problem | None:
    """Return what keeps a file from being compared at all."""
    if candidate.size > pictures.MAX_BYTES:
        found, limit = (f"{size / 1_000_000:.1f} MB" for size in (candidate.size, pictures.MAX_BYTES))
        file = _shown(candidate.relative, doctor)
        return _problem("IMAGE_TOO_LARGE", doctor, file=file, found=found, limit=limit)
    try:
        if prints.of(candidate).size:
            return None
        found = (
            "0 bytes"  # not left to its digest: all empty files have the same, and would look like one shared
        )
    except OSError:
        found = "cannot be read"
    return _problem("IMAGE_CORRUPT", doctor, file=_shown(candidate.relative, doctor), found=found)


def _contested(doctor: Doctor, claims: Sequence[_Claim], others: Sequence[Doctor]) -> Problem:
    rows = ", ".join(_place(other) for other in others[:_LISTED])
    found = f"{_listed(claims, doctor)} ↔ {rows}" + (" …" if len(others) > _LISTED else "")
    return _problem("IMAGE_AMBIGUOUS", doctor, found=found, other=rows)


def _missing(doctor: Doctor, library: Library, hint: str) -> Problem:
    """Tell what was looked for, without the whole identity number."""
    if library.folder is None:
        return _problem("IMAGE_MISSING", doctor, tried="no picture folder", hint="")
    written = pointer.entry(doctor) or ""
    looked_for = [stems.shown(written[:_LONGEST_ENTRY])]
    if not pointer.names_a_file(written):
        looked_for.append(stems.mask(doctor.number) if doctor.number else "")
        looked_for += (stems.shown(text) for text in (doctor.staff_no or "", *_names(doctor)[:1]))
    unreadable = "".join(f" ⚠ {stems.shown(folder)}/" for folder in library.unreadable[:_LISTED])
    return _problem(
        "IMAGE_MISSING", doctor, tried=", ".join(filter(None, looked_for)), hint=(hint + unreadable).strip()
    )


def _hint(doctor: Doctor, forms: Mapping[str, Candidate]) -> str:
    """Return the nearest name of a file that nobody claimed: a suggestion to a person, evidence for nothing."""
    written = pointer.entry(doctor) or ""
    wanted = stems.split(written)[0] if pointer.names_a_file(written) else "".join(_names(doctor)[:1])
    near = difflib.get_close_matches(stems.fold(wanted), forms, n=1, cutoff=0.5)
    return f"≈ {_shown(forms[near[0]].relative, doctor)}" if near else ""


def _listed(claims: Sequence[_Claim], doctor: Doctor) -> str:
    more = " …" if len(claims) > _LISTED else ""
    return ", ".join(_shown(claim.candidate.relative, doctor) for claim in claims[:_LISTED]) + more


def _shown(name: str, doctor: Doctor) -> str:
    """Return a file's name with identity numbers masked: the row's own, and what may be another's."""
    return stems.shown(name.replace(doctor.number, stems.mask(doctor.number)) if doctor.number else name)


def _place(doctor: Doctor) -> str:
    origin = doctor.row.origin
    return " ".join(filter(None, (stems.shown(origin.file), origin.sheet, str(origin.row))))


def _problem(code: str, doctor: Doctor, **detail: str) -> Problem:
    return problem(code, Field.PICTURE, doctor.row.address(Field.PICTURE), severity=None, **detail)


def _with(doctor: Doctor, fault: Problem) -> Doctor:
    return replace(doctor, problems=(*doctor.problems, fault))
