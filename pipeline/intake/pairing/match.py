"""Which picture belongs to which doctor: exact evidence alone, and nobody gets what two could claim.

How a doctor's picture is found:

1. The picture column. A file it names wins over every other file, unless by its own name it is another person's: then
   nobody gets it (``contested``). An entry that can only mean a file and finds none is IMAGE_MISSING and nothing else
   is tried: an older picture of the same name must not stand in for it. An entry that means no file (已交, √) is passed
   over; so is one that this program wrote for another doctor (``entries``).
2. Otherwise the files whose stem is one that the row leads to expect, see ``claims``. The strongest gives the
   evidence, but all of them are looked at.
3. A picture in the row's own cell, see ``embedded``, counts beside either.

All that is found must be one picture, by its bytes or by its pixels: two different ones are two candidates, whatever
named them, and then nobody gets one. A file whose name fits two people by staff number or name is evidence for neither,
even where one of them has a better file: who else it could belong to is not ours to say.

A line of a results workbook whose name and number may be another doctor's than the roster row's gets a picture only by
what it gives anew: a new entry, a picture that somebody put into the workbook, or the evidence that its correction trusts.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from pipeline import row_failures
from pipeline.domain.masking import mask_id
from pipeline.domain.roster import Doctor, EmbeddedImage, Field, FileStat, ImageFile, Problem
from pipeline.errors import NotReadNow
from pipeline.intake.images.image_files import MAX_BYTES, mask_file_name
from pipeline.intake.pairing import embedded_images, file_names, picture_column
from pipeline.intake.pairing.candidates import Candidate, Library
from pipeline.intake.pairing.contested_files import Contest, find_contests
from pipeline.intake.pairing.evidence import (
    CELL,
    COLUMN,
    MOST,
    STRENGTH,
    Claims,
    ImageMatch,
    find_matches,
    names,
)
from pipeline.intake.pairing.image_sources import Sources, Unusable, one_picture
from pipeline.intake.pairing.picture_entries import Entry, PairedBefore, read_entries
from pipeline.intake.pairing.sealed_people import NO_SEALED, Sealed
from pipeline.intake.readers.options import StoreImage
from pipeline.messages.problems import problem
from pipeline.messages.texts import join_texts, make_text

_LISTED = 5  # file names in one sentence
_LONGEST_ENTRY = 80  # characters of a refused entry that are repeated
# suggestions cost a comparison with every file: no more of them than a person reads
_HINT_FORMS = 2_000
_HINT_ROWS = 100


@dataclass(frozen=True, slots=True)
class Pairing:
    """The doctors with their pictures, in the order given; the files nobody claimed; fingerprints to remember."""

    doctors: tuple[Doctor, ...]
    unclaimed: tuple[Path, ...] = field(
        repr=False
    )  # as a person finds them; one in a zip as seals.zip/张伟.png
    stats: Mapping[str, FileStat] = field(repr=False)  # read in this run, by str(path)


class _Refused(Exception):
    """A row whose candidates cannot be compared; the argument is its problem."""

    def __init__(self, fault: Problem) -> None:
        super().__init__(fault.code)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class _Offer:
    """A picture that may be the doctor's: a claimed file's, or the one in a cell."""

    picture: ImageFile
    source: ImageMatch | EmbeddedImage

    @property
    def order(self) -> tuple[int, bool, bool, str]:
        if isinstance(self.source, ImageMatch):
            return self.source.order
        return STRENGTH[CELL], False, False, self.source.address

    def shown(self, doctor: Doctor) -> str:
        if isinstance(self.source, ImageMatch):
            return _shown(self.source.candidate.relative, doctor)
        return f"▣ {self.source.address}"


def match_images(
    doctors: Sequence[Doctor],
    library: Library,
    *,
    known: Mapping[str, FileStat],
    keep: StoreImage | None = None,
    sealed: Sealed = NO_SEALED,
    paired_before: PairedBefore = lambda _: None,
) -> Pairing:
    """Give every doctor the picture that is certainly theirs, or the problem that tells why there is none.

    Only files that somebody may mean are opened, and of these only the ones that differ from ``known`` (the ledger's
    file_stat, by ``str(path)``). ``keep`` puts away the bytes of a picture that lies in a zip; without it there is
    nothing to send. A row whose number is unusable is paired as well, so that all its troubles show at once. Whether
    two people use the same picture is told by ``across.compare``. ``sealed`` are the people who have a seal;
    ``paired_before`` gives the pictures of an earlier run's rows. Raises OSError where ``keep`` cannot write.
    """
    claims = find_matches(doctors, library, sealed)
    used: set[Candidate] = set()
    paired = list(doctors)
    missing: list[int] = []
    with Sources(known, keep) as sources:
        entries = read_entries(doctors, library, claims, sources=sources, paired_before=paired_before)
        contests = find_contests(doctors, entries, claims, sealed)

        def pair_one(place: int, doctor: Doctor) -> None:
            entry = entries[place]
            if entry.refusal:
                found = mask_file_name((entry.text or "")[:_LONGEST_ENTRY])
                fault = _problem("IMAGE_PATH_REJECTED", doctor, found=found, why=entry.refusal)
                paired[place] = _with(doctor, fault)
                return
            fitting, cells = _fitting(doctor, entry, claims.of[place])
            usable = _readable(claims.usable(fitting), cells)
            used.update(claim.candidate for claim in usable or fitting)
            if entry.worth == "moved":
                used.update(claim.candidate for claim in entry.named)
                paired[place] = _with(doctor, _moved(doctor, entry))
            elif contested := [each for each in fitting if place in _rows(contests, each.candidate)]:
                paired[place] = _with(doctor, _disputed(doctor, place, contested, doctors, contests))
            elif not _is_given(doctor, entry, usable, cells):
                paired[place] = _with(doctor, _not_given_anew(doctor))
            elif usable or cells:
                paired[place] = _decide(doctor, usable, cells, sources)
            elif fitting:
                paired[place] = _with(doctor, _contested(doctor, place, fitting, doctors, claims))
            else:
                missing.append(place)

        _pair_each(paired, pair_one)
    unclaimed = [candidate for candidate in library.candidates if candidate not in used]
    forms = {
        file_names.comparison_key(left): each
        for each in unclaimed
        for left, _ in file_names.strip_known_suffixes(each.stem)
    }
    for count, place in enumerate(missing):
        near = _near(doctors[place], forms) if count < _HINT_ROWS and len(forms) <= _HINT_FORMS else ""
        paired[place] = _with(doctors[place], _missing(doctors[place], library, near))
    return Pairing(tuple(paired), tuple(candidate.path for candidate in unclaimed), sources.new_stats())


def _pair_each(paired: list[Doctor], pair_one: Callable[[int, Doctor], None]) -> None:
    """Pair the doctors one by one, in place; one over which pairing breaks keeps that problem."""
    for place, doctor in enumerate(tuple(paired)):

        def leave(found: Problem, place: int = place, doctor: Doctor = doctor) -> None:
            paired[place] = _with(doctor, replace(found, field=Field.PICTURE))

        row_failures.isolate_row_failure(
            partial(pair_one, place, doctor), leave, stage="pair", row_id=doctor.row_id
        )


def _fitting(
    doctor: Doctor, entry: Entry, by_name: Sequence[ImageMatch]
) -> tuple[Sequence[ImageMatch], tuple[EmbeddedImage, ...]]:
    """Return the files and the pictures in cells that may be a row's; ``by_name`` are the files so called."""
    cells = embedded_images.counting(doctor.row)
    if entry.text and entry.worth == "given" and picture_column.cell_named(entry.text):
        return (), cells
    if entry.worth == "written":
        named = {claim.candidate for claim in entry.named}
        return [*entry.named, *(claim for claim in by_name if claim.candidate not in named)], cells
    if entry.claims:
        return entry.claims, cells
    if entry.text and entry.worth == "given" and picture_column.names_a_file(entry.text):
        return (), ()
    return by_name, cells


def _is_given(
    doctor: Doctor, entry: Entry, usable: Sequence[ImageMatch], cells: Sequence[EmbeddedImage]
) -> bool:
    """Tell whether a line that may be another doctor's than its roster row has a picture given anew, or none at all."""
    correction = doctor.row.correction
    if correction is None or correction.trusted_evidence is None:
        return True
    if not usable and not cells:
        return entry.worth != "void"
    return bool(cells or entry.claims) or any(
        claim.evidence in correction.trusted_evidence for claim in usable
    )


def _rows(contests: Mapping[Candidate, Contest], candidate: Candidate) -> frozenset[int]:
    contest = contests.get(candidate)
    return contest.rows if contest else frozenset()


def _readable(usable: Sequence[ImageMatch], cells: Sequence[EmbeddedImage]) -> Sequence[ImageMatch]:
    """Leave out members of a zip that nobody can read, where there is anything else: a locked copy decides nothing."""
    readable = [claim for claim in usable if not claim.candidate.fault]
    return readable if readable or cells else usable


def _decide(
    doctor: Doctor, claims: Sequence[ImageMatch], cells: Sequence[EmbeddedImage], sources: Sources
) -> Doctor:
    """Give the doctor the one picture that all of these are, or say that they are several."""
    if len(claims) >= MOST:
        found = _listed([_shown(claim.candidate.relative, doctor) for claim in claims])
        return _with(doctor, _problem("IMAGE_AMBIGUOUS", doctor, found=found))
    found_in: list[ImageMatch | EmbeddedImage] = [*claims, *cells]
    try:
        offers = [_Offer(_picture(doctor, source, sources), source) for source in found_in]
        drifted = [_Offer(each.picture, each) for each in embedded_images.drifted(doctor.row)]
        _require_one(doctor, [*offers, *drifted])
    except _Refused as refused:
        return _with(doctor, refused.fault)
    if len(offers) > 1:
        offers.sort(key=lambda offer: offer.order)
    first = offers[0]
    warnings = []
    if isinstance(first.source, ImageMatch):
        evidence = first.source.evidence
        path = evidence == COLUMN and picture_column.file_of_whole_path(first.source.expected)
        if first.source.why or path:
            expected = _shown(first.source.expected, doctor)
            detail = {"found": first.shown(doctor), "why": first.source.why, "expected": expected}
            warnings.append(
                _problem("IMAGE_NAME_FUZZY", doctor, **detail, **({"path": "yes"} if path else {}))
            )
    else:
        evidence = CELL
        if first.source.overlaps_neighbour:
            warnings.append(replace(_problem("IMAGE_AMBIGUOUS", doctor), severity="warning"))
    if len(offers) > 1:
        found = _listed([offer.shown(doctor) for offer in offers])
        warnings.append(_problem("IMAGE_DUPLICATE_FILE", doctor, found=found))
    return replace(doctor, picture=first.picture, evidence=evidence, problems=(*doctor.problems, *warnings))


def _require_one(doctor: Doctor, offers: Sequence[_Offer]) -> None:
    """Raise _Refused where the offers are not all one picture, or cannot be compared now."""
    found = _listed([offer.shown(doctor) for offer in offers])
    try:
        is_one = len(offers) == 1 or one_picture(offer.picture for offer in offers)
    except NotReadNow as trouble:
        raise _Refused(_problem("IMAGE_NOT_READ", doctor, file=found, **trouble.words)) from None
    if not is_one:
        raise _Refused(_problem("IMAGE_AMBIGUOUS", doctor, found=found))


def _picture(doctor: Doctor, source: ImageMatch | EmbeddedImage, sources: Sources) -> ImageFile:
    """Return what a claimed file or a cell holds. Raises _Refused where it cannot even be compared."""
    if isinstance(source, EmbeddedImage):
        return _something(doctor, source.picture, f"▣ {source.address}")
    candidate = source.candidate
    if candidate.size > MAX_BYTES and not candidate.fault:
        found, limit = (f"{size / 1_000_000:.1f} MB" for size in (candidate.size, MAX_BYTES))
        file = _shown(candidate.relative, doctor)
        raise _Refused(_problem("IMAGE_TOO_LARGE", doctor, file=file, found=found, limit=limit))
    try:
        picture = sources.picture(candidate)
    except NotReadNow as trouble:
        file = _shown(candidate.relative, doctor)
        raise _Refused(_problem("IMAGE_NOT_READ", doctor, file=file, **trouble.words)) from None
    except Unusable as unusable:
        file = _shown(candidate.relative, doctor)
        raise _Refused(_problem("IMAGE_CORRUPT", doctor, file=file, found=str(unusable))) from None
    return picture if picture.size else _something(doctor, picture, _shown(candidate.relative, doctor))


def _something(doctor: Doctor, picture: ImageFile, shown: str) -> ImageFile:
    """Refuse an empty file here: all of them have the same digest, and would look like one that is shared."""
    if not picture.size:
        raise _Refused(_problem("IMAGE_CORRUPT", doctor, file=shown, found=make_text("image.empty")))
    return picture


def _contested(
    doctor: Doctor, place: int, fitting: Sequence[ImageMatch], doctors: Sequence[Doctor], claims: Claims
) -> Problem:
    """Tell which files fit this row and another person's, in the roster or before it, or lie in another department."""
    files = _listed([_shown(claim.candidate.relative, doctor) for claim in fitting])
    others = {
        row
        for claim in fitting
        for row in claims.rivals.get(claim.candidate, ())
        if claims.people[row] != claims.people[place]
    }
    if not others:
        if any(claim.department == "namesake" for claim in fitting):
            return _problem("IMAGE_AMBIGUOUS", doctor, found=files, namesake="yes")
        return _problem(
            "IMAGE_AMBIGUOUS", doctor, found=files, department=mask_file_name(doctor.department or "—")
        )
    rows = _listed([_place(doctors[row]) for row in sorted(others)])
    return _problem("IMAGE_AMBIGUOUS", doctor, found=files, other=rows)


def _moved(doctor: Doctor, entry: Entry) -> Problem:
    """Tell that the picture entry of a results workbook's line was another row's."""
    found = mask_file_name((entry.text or "")[:_LONGEST_ENTRY])
    return _problem("IMAGE_AMBIGUOUS", doctor, found=found, other=entry.of, claimed="entry")


def _disputed(
    doctor: Doctor,
    place: int,
    contested: Sequence[ImageMatch],
    doctors: Sequence[Doctor],
    contests: Mapping[Candidate, Contest],
) -> Problem:
    """Tell which files one doctor's entry names and another doctor's name fits, and who the others are."""
    found = _listed([_shown(claim.candidate.relative, doctor) for claim in contested])
    rows = {row for claim in contested for row in _rows(contests, claim.candidate)} - {place}
    seals = dict.fromkeys(name for claim in contested for name in contests[claim.candidate].seals)
    other = _listed([*(_place(doctors[row]) for row in sorted(rows)), *seals])
    return _problem("IMAGE_AMBIGUOUS", doctor, found=found, other=other, claimed="name")


def _not_given_anew(doctor: Doctor) -> Problem:
    """Tell that a corrected line may be another doctor's than its roster row, and has no picture of its own."""
    looked_for = (
        mask_id(doctor.number) if doctor.number else "",
        mask_file_name(doctor.name or ""),
    )
    return _problem("IMAGE_MISSING", doctor, tried=", ".join(filter(None, looked_for)), moved="yes")


def _missing(doctor: Doctor, library: Library, near: str) -> Problem:
    """Tell what was looked for, without the whole identity number, and what is there instead."""
    beside = embedded_images.elsewhere(doctor.row)
    if address := embedded_images.lost(doctor):
        beside = join_texts(filter(None, (f"▣ {address}", make_text("image.cannot_read"), beside)))
    if library.folder is None:
        return _problem("IMAGE_MISSING", doctor, tried=make_text("image.no_folder"), hint=beside)
    written = picture_column.entry(doctor) or ""
    looked_for = [mask_file_name(written[:_LONGEST_ENTRY])]
    wanted = [_stem(written)]
    if not picture_column.names_a_file(written):
        looked_for.append(mask_id(doctor.number) if doctor.number else "")
        looked_for += (mask_file_name(text) for text in (doctor.staff_no or "", *names(doctor)[:1]))
        wanted += (doctor.number or "", doctor.staff_no or "", *names(doctor))
    else:
        own = (f"▣ {each.address}" for each in embedded_images.counting(doctor.row))
        beside = join_texts(filter(None, (*own, beside)))
    strangers = [library.strangers.get(file_names.comparison_key(text)) for text in wanted]
    passed = [*dict.fromkeys(filter(None, strangers)), *library.unreadable[:_LISTED]]
    barred = [text for each in passed for text in (f"⚠ {_shown(each.place, doctor)}", each.why)]
    hint = join_texts(filter(None, (near, beside, *barred)))
    return _problem("IMAGE_MISSING", doctor, tried=", ".join(filter(None, looked_for)), hint=hint)


def _near(doctor: Doctor, forms: Mapping[str, Candidate]) -> str:
    """Return the nearest name of a file that nobody claimed: a suggestion to a person, evidence for nothing."""
    written = picture_column.entry(doctor) or ""
    wanted = _stem(written) if picture_column.names_a_file(written) else "".join(names(doctor)[:1])
    near = difflib.get_close_matches(file_names.comparison_key(wanted), forms, n=1, cutoff=0.5)
    return make_text("image.near", file=_shown(forms[near[0]].relative, doctor)) if near else ""


def _stem(written: str) -> str:
    """Return the stem that an entry names."""
    return file_names.split(picture_column.file_of_whole_path(written) or written)[0]


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(texts[:_LISTED]) + (" …" if len(texts) > _LISTED else "")


def _shown(name: str, doctor: Doctor) -> str:
    """Return a file's name with identity numbers masked: the row's own, and what may be another's."""
    return mask_file_name(name.replace(doctor.number, mask_id(doctor.number)) if doctor.number else name)


def _place(doctor: Doctor) -> str:
    origin = doctor.row.display_origin
    return " ".join(filter(None, (mask_file_name(origin.file), origin.sheet, str(origin.row))))


def _problem(code: str, doctor: Doctor, **detail: str) -> Problem:
    return problem(code, Field.PICTURE, doctor.row.address(Field.PICTURE), severity=None, **detail)


def _with(doctor: Doctor, fault: Problem) -> Doctor:
    return replace(doctor, problems=(*doctor.problems, fault))
