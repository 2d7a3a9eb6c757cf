"""Gives every doctor the picture that is certainly theirs. A picture that may belong to two doctors is given to neither.

The claims of a row (``claims``) are judged in this order:

1. An entry of the picture column that can only mean a file, and finds none, ends the search: an older picture of the same
   name must not take its place. An entry that means no file (已交, √) is passed over. An entry that leads outside the
   picture folder is refused.
2. The files that the entry names count, else those that fit by name; in both cases a picture in the row's own cell, and one
   that a person gave to the doctor. Those that a person saw and did not choose are left out.
3. A file that is or may be another row's is no evidence (``claimants``), nor is one that may be an earlier doctor's
   (``earlier_evidence``). Without any other picture the row is refused, and the problem names the other person.
4. All that is left must be one picture, by its bytes or by its pixels. The strongest claim gives the evidence.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import Any

from pipeline.domain.masking import mask_text
from pipeline.domain.roster import (
    MAX_SHOWN_IMAGES,
    Doctor,
    EmbeddedImage,
    Field,
    FileStat,
    ImageFile,
    Problem,
    UnassignedFile,
    format_size,
)
from pipeline.domain.seals import Bearer, PictureDecision
from pipeline.errors import NotReadNow, isolate_row_failure
from pipeline.intake.images.image_files import MAX_BYTES
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.intake.pairing import match_problems, picture_column
from pipeline.intake.pairing.claimants import Claimants, may_be_of_other_sheet
from pipeline.intake.pairing.claims import CELL, COLUMN, GIVEN, KINDS, MAX_VARIANTS, NUMBER, Claim
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence
from pipeline.intake.pairing.given_files import list_given_files
from pipeline.intake.pairing.image_index import Candidate, ImageIndex
from pipeline.intake.pairing.image_sources import ImageSources
from pipeline.intake.pairing.match_problems import add_problem, list_texts, make_problem, show_path
from pipeline.intake.pairing.picture_column import PictureEntry, read_entry_text, read_picture_entry
from pipeline.intake.pairing.row_values import list_names
from pipeline.intake.pairing.similar_names import RowWords, SimilarNames
from pipeline.intake.pairing.zip_files import UnreadableFile
from pipeline.messages.catalogue import make_message


@dataclass(frozen=True, slots=True)
class MatchResult:
    """The doctors with their pictures, in the order given; the files no row matches; fingerprints to remember."""

    doctors: tuple[Doctor, ...]
    person_ids: Sequence[Hashable] = field(repr=False)  # of the doctors, see fields.person_ids
    unassigned_files: tuple[UnassignedFile, ...] = field(repr=False)  # those that resemble a row come first
    stats: Mapping[str, FileStat] = field(repr=False)  # read in this run, by str(path)


class _RowRefused(Exception):
    """A row gets no picture, for a reason that a person has to look at."""

    def __init__(self, problem: Problem, **images: Any) -> None:
        super().__init__(problem.code)
        self.problem, self.images = (
            problem,
            images,
        )  # rival_images, contested_images or held_image of `Doctor`

    def refuse_images(self, doctor: Doctor) -> Doctor:
        """Return the doctor with the problem, and with the pictures that were not used."""
        return replace(add_problem(doctor, self.problem), **self.images)


@dataclass(frozen=True, slots=True)
class _Option:
    """A picture that may be the doctor's: what a claimed file holds, or what lies in a cell."""

    image: ImageFile | None  # None where the file cannot be read now
    source: Claim | EmbeddedImage
    owner: Bearer | PictureDecision | str | None = (
        None  # who else it may belong to: an earlier doctor, a number
    )
    is_certain: bool = False  # the file bears the doctor's number, or a person judged the picture right

    @property
    def kind(self) -> str:
        return self.source.kind if isinstance(self.source, Claim) else CELL

    @property
    def rank(self) -> tuple[int, bool, bool, str]:
        if isinstance(self.source, Claim):
            return self.source.rank
        return KINDS[CELL].strength, False, False, self.source.address

    def show_source(self, doctor: Doctor) -> str:
        if isinstance(self.source, Claim):
            return show_path(self.source.candidate.relative_path, doctor)
        return f"▣ {self.source.address}"


def match_images(
    doctors: Sequence[Doctor],
    index: ImageIndex,
    *,
    known_files: Mapping[str, FileStat],
    now: float = inf,
    images: ImageExaminer,
    earlier: EarlierEvidence | None = None,
) -> MatchResult:
    """Give every doctor the picture that is certainly theirs, or the problem that explains why there is none.

    Only files that a row may mean are opened, and the first of those that no row means, which are shown to a person; and
    of these only the ones that differ from ``known_files`` (the ledger's
    file_stat, by ``str(path)``) or whose time lies after ``now`` (unix seconds). ``images`` keeps the bytes of a picture that
    lies in a zip. A row whose number is unusable is matched as well, so that all its problems show at once. Whether two
    people use the same picture is found by ``conflicts``. ``earlier`` knows the doctors of earlier runs. Raises OSError where
    the work folder cannot be written.
    """
    entries = [read_picture_entry(doctor, index) for doctor in doctors]
    claimants = Claimants(doctors, entries, index)
    earlier = earlier or EarlierEvidence()
    with ImageSources(known_files, images.store, now) as sources:
        given = list_given_files(doctors, claimants, index, sources, earlier=earlier, images=images)
        matcher = _RowMatcher(doctors, entries, claimants, given.claims, sources, images, earlier)
        matched = [matcher.match_row(row) for row in range(len(doctors))]
        unassigned = [candidate for candidate in index.candidates if candidate not in matcher.used]
        missing = [row for row, doctor in enumerate(matched) if doctor is None]
        words = list(map(_collect_words, doctors)) if missing or unassigned else []
        similar_names = SimilarNames(words, missing, unassigned)
        unassigned_files = tuple(_list_unassigned(unassigned, doctors, similar_names, sources))
    problems = match_problems.explain_missing(doctors, missing, index, similar_names, given.void)
    for row, missing_image in zip(missing, problems, strict=True):
        matched[row] = add_problem(doctors[row], missing_image) if missing_image else doctors[row]
    return MatchResult(
        doctors=tuple(doctor for doctor in matched if doctor is not None),
        person_ids=claimants.person_ids,
        unassigned_files=unassigned_files,
        stats=sources.new_stats,
    )


def _collect_words(doctor: Doctor) -> RowWords:
    """Return the words of a row after which a file may be named."""
    return RowWords(list_names(doctor), doctor.staff_no, read_entry_text(doctor) or "")


@dataclass(frozen=True, slots=True)
class _RowMatcher:
    """Judges the claims of the rows one by one, and notes which files are used."""

    doctors: Sequence[Doctor] = field(repr=False)
    entries: Sequence[PictureEntry]
    claimants: Claimants
    given: Mapping[int, Sequence[Claim]]  # by row: files with the picture that a person gave to the doctor
    sources: ImageSources
    images: ImageExaminer
    earlier: EarlierEvidence
    used: set[Candidate] = field(default_factory=set)

    def match_row(self, row: int) -> Doctor | None:
        """Return a row's doctor with a picture or a problem, None where nothing matches.

        An unexpected error is a problem of the row.
        """
        doctor = self.doctors[row]
        return isolate_row_failure(
            lambda: self._match_row(row),
            lambda failure: add_problem(doctor, replace(failure, field=Field.PICTURE)),
            stage="pair",
            row_id=doctor.row_id,
        )

    def _match_row(self, row: int) -> Doctor | None:
        doctor, entry, given = self.doctors[row], self.entries[row], self.given.get(row, ())
        if entry.is_refused and not given:
            return add_problem(doctor, match_problems.explain_refused_entry(doctor, entry))
        claims, cells = self._list_claims(row)
        evident = _add_given(self.claimants.list_valid(claims), given)
        if not cells and may_be_of_other_sheet(evident):
            evident = []
        valid = _prefer_readable(evident, cells)
        self.used.update(claim.candidate for claim in valid or claims)
        try:
            given_files = {claim.candidate for claim in given}
            others = [claim for claim in claims if claim.candidate not in given_files]
            self._require_own(row, others, has_own=bool(valid or cells))
            options, is_held = self._leave_out_doubtful(doctor, self._make_options(row, valid, cells))
            if not options:
                self._require_none_between(doctor)
                return None
            chosen = self._choose_image(doctor, options)
            return replace(chosen, held_image=chosen.picture) if is_held else chosen
        except _RowRefused as refused:
            return refused.refuse_images(doctor)

    def _list_claims(self, row: int) -> tuple[list[Claim], list[EmbeddedImage]]:
        """Return what may be a row's by its entry, its name and its cells, without what a person did not choose."""
        doctor, entry, decided = self.doctors[row], self.entries[row], self.earlier.decided
        claims, cells = self.claimants.by_name[row], list(picture_column.list_seal_images(doctor.row))
        if entry.files:
            claims = self.claimants.of_entries[row]
        elif entry.text and picture_column.names_file(entry.text):
            claims, cells = [], []
        if not decided:
            return claims, cells
        others = [image for image in doctor.row.pictures if image not in cells]
        cells += [image for image in others if decided.is_given(doctor, image.picture)]
        chosen = []
        for claim in claims:
            image = self.sources.get_image_if_readable(claim.candidate)
            by_number = claim.kind == NUMBER
            if image is None or not decided.is_unchosen(doctor, image, by_number=by_number):
                chosen.append(claim)
        return chosen, self._leave_out_unchosen(doctor, cells)

    def _leave_out_unchosen(self, doctor: Doctor, images: Iterable[EmbeddedImage]) -> list[EmbeddedImage]:
        return [image for image in images if not self.earlier.decided.is_unchosen(doctor, image.picture)]

    def _require_own(self, row: int, claims: Sequence[Claim], *, has_own: bool) -> None:
        """Raise _RowRefused where what fits is or may be another row's."""
        contested = self.claimants.contested
        of_others = [claim for claim in claims if row in contested.get(claim.candidate, ())]
        if of_others:
            problem = match_problems.explain_contested_files(row, of_others, self.doctors, contested)
            raise _RowRefused(problem, contested_images=self._list_images(of_others))
        if claims and not has_own:
            problem = match_problems.explain_shared_files(row, claims, self.claimants)
            raise _RowRefused(problem, contested_images=self._list_images(claims))

    def _list_images(self, claims: Sequence[Claim]) -> tuple[ImageFile, ...]:
        """Return what claimed files hold, as far as they can be read now."""
        images = [self.sources.get_image_if_readable(claim.candidate) for claim in claims[:MAX_VARIANTS]]
        return tuple(filter(None, images))

    def _make_options(
        self, row: int, claims: Sequence[Claim], cells: Sequence[EmbeddedImage]
    ) -> list[_Option]:
        """Return the pictures that may be a row's, each with the person whose it may be as well.

        An entry that only repeats the doctor's name or number is no better evidence than the name of the file.
        """
        doctor, is_right = self.doctors[row], self.earlier.decided.is_right
        by_name = {claim.candidate: claim for claim in self.claimants.fitting[row]}
        options = []
        for claim in claims:
            image = self.sources.get_image_if_readable(claim.candidate)
            evident = by_name.get(claim.candidate, claim) if claim.kind == COLUMN else claim
            owner = self.earlier.get_other_person(doctor, evident, image, self.claimants.mentions)
            owner = owner or self._get_mentioned_doctor(claim, image)
            is_certain = claim.kind == NUMBER or (image is not None and is_right(doctor, image))
            options.append(_Option(image, claim, owner, is_certain))
        for cell in cells:
            owner = self.earlier.get_other_owner_of_cell(doctor, cell)
            options.append(_Option(cell.picture, cell, owner, is_right(doctor, cell.picture)))
        return options

    def _get_mentioned_doctor(self, claim: Claim, image: ImageFile | None) -> Bearer | None:
        """Return the doctor of another row whose name or number an entry's file holds, unless a person decided."""
        rows = self.claimants.mentioned.get((claim.candidate, claim.row), ())
        doctor = self.doctors[claim.row]
        if not rows or (image is not None and self.earlier.decided.is_decided(doctor, image)):
            return None
        other = self.doctors[rows[0]]
        name, position = mask_text(other.display_name or ""), match_problems.describe_row(other)
        return Bearer(key=other.key or "", shown_name=name, position=position)

    def _leave_out_doubtful(
        self, doctor: Doctor, options: Sequence[_Option]
    ) -> tuple[Sequence[_Option], bool]:
        """Return the pictures that are evidence for a doctor, and whether all may be another person's.

        A picture that may be another person's is left out only where there is one that is certainly the doctor's own. It is
        not used where it is the doctor's by another file. Without another picture the row is refused. Where nothing is
        sent for the doctor, the picture is only compared with that of the seal.
        """
        doubtful = [option for option in options if option.owner is not None]
        own = [option for option in options if option.owner is None]
        certain = [option for option in own if option.is_certain]
        if not doubtful or certain:
            return certain if doubtful else options, False
        if self.earlier.is_settled(doctor):
            return own or options, not own
        bears_other_number = any(isinstance(option.owner, str) for option in doubtful)
        if own and not bears_other_number and not self._are_one_image([*own, *doubtful]):
            return options, False
        raise self._refuse_doubtful(doctor, doubtful)

    def _refuse_doubtful(self, doctor: Doctor, doubtful: Sequence[_Option]) -> _RowRefused:
        owners = [option.owner for option in doubtful if option.owner is not None]
        is_void = isinstance(owners[0], PictureDecision) and self.earlier.decided.is_void(owners[0], doctor)
        files = [option.show_source(doctor) for option in doubtful]
        problem = match_problems.explain_other_owners(doctor, files, owners, is_void=is_void)
        digests = {option.image and option.image.sha256 for option in doubtful}
        held = doubtful[0].image if len(digests) == 1 else None
        # what was decided before may be decided anew
        offered = [(files[0], held)] if is_void and held is not None else []
        return _RowRefused(problem, held_image=held, rival_images=offered)

    def _are_one_image(self, options: Sequence[_Option]) -> bool:
        """Return whether pictures are certainly one; not where one of them cannot be read now."""
        readable = [option.image for option in options if option.image is not None]
        try:
            return len(readable) == len(options) and self.images.are_same_image(readable)
        except NotReadNow:
            return False

    def _require_none_between(self, doctor: Doctor) -> None:
        """Raise _RowRefused where the only pictures that may be the doctor's lie between rows."""
        if between := self._leave_out_unchosen(doctor, picture_column.list_images_between(doctor.row)):
            rivals = [(f"▣ {image.address}", image.picture) for image in between]
            problem = match_problems.explain_images_between(doctor, between)
            raise _RowRefused(problem, rival_images=rivals)

    def _choose_image(self, doctor: Doctor, options: Sequence[_Option]) -> Doctor:
        """Give the doctor the one picture that all of these are. Raises _RowRefused where they are several."""
        claims = [option.source for option in options if isinstance(option.source, Claim)]
        if len(claims) >= MAX_VARIANTS:
            files = list_texts(show_path(claim.candidate.relative_path, doctor) for claim in claims)
            raise _RowRefused(make_problem("IMAGE_AMBIGUOUS", doctor, found=files))
        options = sorted(options, key=lambda option: option.rank)
        images = [self._get_image(doctor, option.source) for option in options]
        misplaced = self._leave_out_unchosen(doctor, picture_column.list_misplaced_images(doctor.row))
        shown = [option.show_source(doctor) for option in options]
        shown += [f"▣ {image.address}" for image in misplaced]
        self._require_one_image(doctor, shown, [*images, *(image.picture for image in misplaced)])
        problems = (*doctor.problems, *_list_warnings(doctor, options))
        return replace(doctor, picture=images[0], evidence=options[0].kind, problems=problems)

    def _get_image(self, doctor: Doctor, source: Claim | EmbeddedImage) -> ImageFile:
        """Return what a claimed file or a cell holds. Raises _RowRefused where it cannot even be compared."""
        if isinstance(source, EmbeddedImage):
            image, file = source.picture, f"▣ {source.address}"
        else:
            file = show_path(source.candidate.relative_path, doctor)
            image = self._read_file(doctor, source.candidate, file)
        # all empty files have the same digest, and would look like one that is shared
        if not image.size:
            detail = {"file": file, "found": make_message("image.empty")}
            raise _RowRefused(make_problem("IMAGE_CORRUPT", doctor, **detail))
        return image

    def _read_file(self, doctor: Doctor, candidate: Candidate, file: str) -> ImageFile:
        if candidate.size > MAX_BYTES and not candidate.fault:
            detail = {"found": format_size(candidate.size), "limit": format_size(MAX_BYTES)}
            raise _RowRefused(make_problem("IMAGE_TOO_LARGE", doctor, file=file, **detail))
        try:
            return self.sources.get_image(candidate)
        except NotReadNow as trouble:
            raise _RowRefused(make_problem("IMAGE_NOT_READ", doctor, file=file, **trouble.words)) from None
        except UnreadableFile as unreadable:
            problem = make_problem("IMAGE_CORRUPT", doctor, file=file, found=unreadable.reason)
            raise _RowRefused(problem) from None

    def _require_one_image(self, doctor: Doctor, shown: Sequence[str], images: Sequence[ImageFile]) -> None:
        """Raise _RowRefused where pictures are not all one, or cannot be compared now; ``shown`` are their places."""
        if len(images) == 1:
            return
        files = list_texts(shown)
        try:
            is_one = self.images.are_same_image(images)
        except NotReadNow as trouble:
            raise _RowRefused(make_problem("IMAGE_NOT_READ", doctor, file=files, **trouble.words)) from None
        if not is_one:
            rivals = list(zip(shown, images, strict=True))
            misplaced = picture_column.list_misplaced_images(doctor.row)
            if between := [image for image in misplaced if image.is_between]:
                problem = match_problems.explain_images_between(doctor, between)
            else:
                problem = make_problem("IMAGE_AMBIGUOUS", doctor, found=files)
            raise _RowRefused(problem, rival_images=rivals)


def _list_unassigned(
    unassigned: Sequence[Candidate],
    doctors: Sequence[Doctor],
    similar_names: SimilarNames,
    sources: ImageSources,
) -> Iterator[UnassignedFile]:
    """Yield the files that no row matches, those that resemble a row first; so many as are shown are read."""
    ordered = sorted(unassigned, key=lambda candidate: not similar_names.list_rows(candidate))
    for number, candidate in enumerate(ordered):
        image, is_shown = None, number < MAX_SHOWN_IMAGES
        if is_shown:
            # a member of a zip needs a place in the work folder: without it the picture is not shown
            with suppress(OSError):
                image = sources.get_image_if_readable(candidate)
        similar = tuple(doctors[row] for row in similar_names.list_rows(candidate))
        yield UnassignedFile(candidate.path, image, similar, was_read=is_shown)


def _add_given(claims: Iterable[Claim], given: Iterable[Claim]) -> list[Claim]:
    """Return the claims with those of a person's choice, which count more than a name or a staff number."""
    evident = {claim.candidate: claim for claim in claims}
    for claim in given:
        by_name = evident.get(claim.candidate)
        if by_name is None or KINDS[by_name.kind].strength > KINDS[GIVEN].strength:
            evident[claim.candidate] = claim
    return list(evident.values())


def _prefer_readable(claims: Sequence[Claim], cells: Sequence[EmbeddedImage]) -> Sequence[Claim]:
    """Leave out members of a zip that cannot be read, where there is anything else: a locked copy decides nothing."""
    readable = [claim for claim in claims if not claim.candidate.fault]
    return readable if readable or cells else claims


def _list_warnings(doctor: Doctor, options: Sequence[_Option]) -> Iterator[Problem]:
    """Yield what a person should know of the first option, which is the doctor's picture, and of the others."""
    first = options[0]
    if isinstance(first.source, Claim):
        yield from _list_name_warnings(doctor, first.source)
    elif first.source.overlaps_neighbour:
        yield replace(make_problem("IMAGE_AMBIGUOUS", doctor), severity="warning")
    if len(options) > 1:
        files = list_texts(option.show_source(doctor) for option in options)
        yield make_problem("IMAGE_DUPLICATE_FILE", doctor, found=files)


def _list_name_warnings(doctor: Doctor, claim: Claim) -> Iterator[Problem]:
    is_whole_path = claim.kind == COLUMN and picture_column.get_file_of_path(claim.expected)
    if not claim.is_exact or is_whole_path:
        detail = {
            "found": show_path(claim.candidate.relative_path, doctor),
            "expected": show_path(claim.expected, doctor),
        }
        if is_whole_path:
            detail["path"] = "yes"
        yield make_problem("IMAGE_NAME_FUZZY", doctor, **detail)
