"""Matches pictures with doctors on exact evidence. A picture that may belong to two doctors is given to neither.

How a doctor's picture is found:

1. The picture column. A file it names wins over every other file, unless by its own name it is another person's: then
   no one gets it (``contested_files``). An entry that can only mean a file and finds none is IMAGE_MISSING
   and nothing else is tried: an older picture of the same name must not take its place. An entry that means no file
   (已交, √) is passed over.
   A picture that a person gave to the doctor counts in addition to all of these, by its bytes or pixels, and also where the
   entry is refused; those that the person saw and did not choose are left out.
2. Otherwise the files whose stem is one that the row leads to expect, see ``expected_names``, or is made of its values,
   see ``composed_names``. The strongest gives the evidence, but all of them are looked at.
3. A picture in the row's own cell, see ``picture_column.list_seal_images``, counts in both cases.

All that is found must be one picture, by its bytes or by its pixels: two different ones are two candidates, whatever
named them, and then no one gets one. A file whose name fits two people by staff number or name is evidence for neither,
even where one of them has a better file: who else it could belong to is not ours to decide. What is left counts only as
far as no earlier doctor may be meant, see ``earlier_evidence``.
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
from pipeline.intake.pairing.contested_files import ContestedFiles
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence
from pipeline.intake.pairing.evidence import (
    ImageMatches,
    compute_image_matches,
    may_be_other_wards,
)
from pipeline.intake.pairing.expected_names import (
    CELL,
    COLUMN,
    GIVEN,
    MAX_VARIANTS,
    NUMBER,
    STRENGTH,
    ImageMatch,
    list_names,
)
from pipeline.intake.pairing.file_texts import FileTexts
from pipeline.intake.pairing.given_files import list_given_files
from pipeline.intake.pairing.image_index import Candidate, ImageIndex
from pipeline.intake.pairing.image_sources import ImageSources
from pipeline.intake.pairing.match_problems import add_problem, list_texts, make_problem, show_path
from pipeline.intake.pairing.picture_column import PictureEntry, read_entry_text, read_picture_entry
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
    """A picture that may be the doctor's: a matched file's, or the one in a cell."""

    image: ImageFile
    source: ImageMatch | EmbeddedImage

    @property
    def rank(self) -> tuple[int, bool, bool, str]:
        if isinstance(self.source, ImageMatch):
            return self.source.rank
        return STRENGTH[CELL], False, False, self.source.address

    def show_source(self, doctor: Doctor) -> str:
        if isinstance(self.source, ImageMatch):
            return show_path(self.source.candidate.relative_path, doctor)
        return f"▣ {self.source.address}"


@dataclass(frozen=True, slots=True)
class _Doubt:
    """A picture that may be another person's: an earlier doctor's, or that of the identity number in its path."""

    source: str  # as shown
    image: ImageFile | None  # None where the file cannot be read
    owner: Bearer | PictureDecision | str


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a person chose among the pictures that may be a doctor's."""

    doctor: Doctor
    files: Mapping[Candidate, ImageMatch]  # with the picture that was given
    decided: DecidedPictures

    def prefer(self, matches: Iterable[ImageMatch]) -> list[ImageMatch]:
        """Return the evidence of names with that of the choice, which counts more than a name or a staff number."""
        evident = {match.candidate: match for match in matches}
        for file, match in self.files.items():
            by_name = evident.get(file)
            if by_name is None or STRENGTH[by_name.evidence] > STRENGTH[GIVEN]:
                evident[file] = match
        return list(evident.values())

    def add_given(self, cells: tuple[EmbeddedImage, ...]) -> tuple[EmbeddedImage, ...]:
        """Return the pictures of a row that are meant as its seal, and those elsewhere in it that were given to its doctor."""
        others = (image for image in self.doctor.row.pictures if image not in cells)
        return (*cells, *(image for image in others if self.decided.is_given(self.doctor, image.picture)))

    def leave_out(self, images: Iterable[EmbeddedImage]) -> tuple[EmbeddedImage, ...]:
        """Return pictures of the roster without those that were not chosen."""
        return tuple(image for image in images if not self.decided.is_unchosen(self.doctor, image.picture))


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
    read_entries = [read_picture_entry(doctor, index) for doctor in doctors]
    matches = compute_image_matches(doctors, read_entries, index)
    with ImageSources(known_files, images.store, now) as sources:
        entries = [
            replace(entry, named=named) for entry, named in zip(read_entries, matches.named, strict=True)
        ]
        texts = FileTexts(doctors, matches.named, matches.person_ids)
        contested = ContestedFiles(doctors, matches.named, matches, texts)
        earlier = earlier or EarlierEvidence()
        given = list_given_files(doctors, matches, index, sources, earlier=earlier, images=images)
        matcher = _RowMatcher(
            doctors,
            matches,
            entries,
            contested.list_rows(),
            contested.doubts,
            texts,
            given.matches,
            sources,
            images,
            earlier,
        )
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
        person_ids=matches.person_ids,
        unassigned_files=unassigned_files,
        stats=sources.new_stats,
    )


def _collect_words(doctor: Doctor) -> RowWords:
    """Return the words of a row after which a file may be named."""
    return RowWords(list_names(doctor), doctor.staff_no, read_entry_text(doctor) or "")


@dataclass(frozen=True, slots=True)
class _RowMatcher:
    """Matches the rows one by one, and notes which files are used."""

    doctors: Sequence[Doctor] = field(repr=False)
    matches: ImageMatches
    entries: Sequence[PictureEntry]
    contested: Mapping[Candidate, frozenset[int]]
    doubts: Mapping[tuple[Candidate, int], Sequence[int]]  # the rows of whom an entry's file may be
    texts: FileTexts
    given: Mapping[
        int, Sequence[ImageMatch]
    ]  # by row: the files with the picture that a person gave to the doctor
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
        doctor, entry = self.doctors[row], self.entries[row]
        if entry.is_refused and not self.given.get(row):
            return add_problem(doctor, match_problems.explain_refused_entry(doctor, entry))
        files = {match.candidate: match for match in self.given.get(row, ())}
        choice = _Choice(doctor, files, self.earlier.decided)
        fitting, cells = _list_fitting(doctor, entry, self.matches.by_row[row])
        fitting, cells = self._leave_out_unchosen(fitting, choice.add_given(cells), choice)
        evident = choice.prefer(self.matches.valid_matches(fitting))
        is_doubtful = not cells and may_be_other_wards(evident)
        valid = () if is_doubtful else _prefer_readable(evident, cells)
        self.used.update(match.candidate for match in valid or fitting)
        try:
            others = [match for match in fitting if match.candidate not in choice.files]
            self._require_own(row, others, has_own=bool(valid or cells))
            valid, cells, is_doubtful = self._leave_out_earlier(row, valid, cells)
            if not (valid or cells):
                _require_none_between(doctor, choice)
            if not (valid or cells):
                return None
            chosen = self._choose_image(doctor, valid, cells, choice)
            return replace(chosen, held_image=chosen.picture) if is_doubtful else chosen
        except _RowRefused as refused:
            return refused.refuse_images(doctor)

    def _leave_out_unchosen(
        self, matches: Sequence[ImageMatch], cells: tuple[EmbeddedImage, ...], choice: _Choice
    ) -> tuple[Sequence[ImageMatch], tuple[EmbeddedImage, ...]]:
        """Return what fits a row without the pictures that a person saw and did not choose."""
        if not self.earlier.decided:
            return matches, cells
        fitting = []
        for match in matches:
            image = self.sources.get_image_if_readable(match.candidate)
            by_number = match.evidence == NUMBER
            if image is None or not choice.decided.is_unchosen(choice.doctor, image, by_number=by_number):
                fitting.append(match)
        return fitting, choice.leave_out(cells)

    def _require_own(self, row: int, fitting: Sequence[ImageMatch], *, has_own: bool) -> None:
        """Raise _RowRefused where what fits is or may be another person's."""
        contested = [match for match in fitting if self._is_contested(match.candidate, row)]
        if contested:
            problem = match_problems.explain_contested_files(row, contested, self.doctors, self.contested)
            raise _RowRefused(problem, contested_images=self._list_images(contested))
        if fitting and not has_own:
            problem = match_problems.explain_shared_files(row, fitting, self.doctors, self.matches)
            raise _RowRefused(problem, contested_images=self._list_images(fitting))

    def _is_contested(self, candidate: Candidate, row: int) -> bool:
        return row in self.contested.get(candidate, ())

    def _list_images(self, matches: Sequence[ImageMatch]) -> tuple[ImageFile, ...]:
        """Return what matched files hold, as far as they can be read now."""
        images = [self.sources.get_image_if_readable(match.candidate) for match in matches[:MAX_VARIANTS]]
        return tuple(filter(None, images))

    def _leave_out_earlier(
        self, row: int, matches: Sequence[ImageMatch], cells: tuple[EmbeddedImage, ...]
    ) -> tuple[Sequence[ImageMatch], tuple[EmbeddedImage, ...], bool]:
        """Return the pictures that are evidence for the doctor, and whether all may be an earlier doctor's.

        What earlier runs saw never decides between tonight's pictures: one that may be an earlier doctor's is left out only where there is
        one that is surely the doctor's own. One picture that is the doctor's by one file and may be another's by a second file is not used.
        A file that bears another person's number is not used, whatever other files there are. Raises _RowRefused where there is no other picture, unless nothing is sent for the doctor.
        """
        doctor = self.doctors[row]
        own_matches, own_cells, doubts = self._separate_doubts(row, matches, cells)
        if not doubts:
            return matches, cells, False
        has_own = bool(own_matches or own_cells)
        if has_own:
            certain_matches = [match for match in own_matches if self._is_certain(doctor, match)]
            is_right = self.earlier.decided.is_right
            certain_cells = [cell for cell in own_cells if is_right(doctor, cell.picture)]
            if certain_matches or certain_cells:
                return certain_matches, tuple(certain_cells), False
        if self.earlier.is_settled(doctor):
            return (own_matches, tuple(own_cells), False) if has_own else (matches, cells, True)
        owners = [doubt.owner for doubt in doubts]
        images = [doubt.image for doubt in doubts]
        if has_own and not any(isinstance(owner, str) for owner in owners):
            own_images = [self.sources.get_image_if_readable(match.candidate) for match in own_matches]
            own_images += [cell.picture for cell in own_cells]
            if not self._are_one_image([*own_images, *images]):
                return matches, cells, False
        is_void = isinstance(owners[0], PictureDecision) and self.earlier.decided.is_void(owners[0], doctor)
        sources = [doubt.source for doubt in doubts]
        problem = match_problems.explain_other_owners(doctor, sources, owners, is_void=is_void)
        held = images[0] if len({image and image.sha256 for image in images}) == 1 else None
        # what was decided before may be decided anew
        offered = [(sources[0], held)] if is_void and held is not None else []
        raise _RowRefused(problem, held_image=held, rival_images=offered)

    def _are_one_image(self, images: Sequence[ImageFile | None]) -> bool:
        """Return whether pictures are certainly one; not where one of them cannot be read now."""
        readable = [image for image in images if image is not None]
        try:
            return len(readable) == len(images) and self.images.are_same_image(readable)
        except NotReadNow:
            return False

    def _separate_doubts(
        self, row: int, matches: Sequence[ImageMatch], cells: Sequence[EmbeddedImage]
    ) -> tuple[list[ImageMatch], list[EmbeddedImage], list[_Doubt]]:
        """Return the files and the pictures in cells that are evidence for the doctor, and those that may be another person's.

        An entry that only repeats the doctor's name or number is no better evidence than the name of the file.
        """
        doctor = self.doctors[row]
        by_name = {match.candidate: match for match in self.matches.fitting[row]}
        own_matches, own_cells, doubts = [], [], []
        for match in matches:
            image = self.sources.get_image_if_readable(match.candidate)
            evident = by_name.get(match.candidate, match) if match.evidence == COLUMN else match
            owner = self.earlier.get_other_person(doctor, evident, image, self.texts)
            if owner := owner or self._get_other_doctor(row, match, image):
                doubts.append(_Doubt(show_path(match.candidate.relative_path, doctor), image, owner))
            else:
                own_matches.append(match)
        for cell in cells:
            if owner := self.earlier.get_other_owner_of_cell(doctor, cell):
                doubts.append(_Doubt(f"▣ {cell.address}", cell.picture, owner))
            else:
                own_cells.append(cell)
        return own_matches, own_cells, doubts

    def _get_other_doctor(self, row: int, match: ImageMatch, image: ImageFile | None) -> Bearer | None:
        """Return the doctor of another row whose name or number the file of an entry holds, unless a person decided."""
        rows = self.doubts.get((match.candidate, row), ())
        doctor = self.doctors[row]
        if not rows or (image is not None and self.earlier.decided.is_decided(doctor, image)):
            return None
        other = self.doctors[rows[0]]
        name, position = mask_text(other.display_name or ""), match_problems.describe_row(other)
        return Bearer(key=other.key or "", shown_name=name, position=position)

    def _is_certain(self, doctor: Doctor, match: ImageMatch) -> bool:
        """Return whether a file bears the doctor's number, or a person judged it right."""
        image = self.sources.get_image_if_readable(match.candidate)
        is_right = image is not None and self.earlier.decided.is_right(doctor, image)
        return match.evidence == NUMBER or is_right

    def _choose_image(
        self,
        doctor: Doctor,
        matches: Sequence[ImageMatch],
        cells: Sequence[EmbeddedImage],
        choice: _Choice,
    ) -> Doctor:
        """Give the doctor the one picture that all of these are. Raises _RowRefused where they are several."""
        if len(matches) >= MAX_VARIANTS:
            files = list_texts(show_path(match.candidate.relative_path, doctor) for match in matches)
            raise _RowRefused(make_problem("IMAGE_AMBIGUOUS", doctor, found=files))
        options = [
            *(_Option(self._get_image(doctor, match), match) for match in matches),
            *(_Option(_get_cell_image(doctor, cell), cell) for cell in cells),
        ]
        misplaced = choice.leave_out(picture_column.list_misplaced_images(doctor.row))
        self._require_one_image(doctor, [*options, *(_Option(image.picture, image) for image in misplaced)])
        if len(options) > 1:
            options.sort(key=lambda option: option.rank)
        source = options[0].source
        evidence = source.evidence if isinstance(source, ImageMatch) else CELL
        problems = (*doctor.problems, *_list_warnings(doctor, options))
        return replace(doctor, picture=options[0].image, evidence=evidence, problems=problems)

    def _get_image(self, doctor: Doctor, match: ImageMatch) -> ImageFile:
        """Return what a matched file holds. Raises _RowRefused where it cannot even be compared."""
        candidate = match.candidate
        if candidate.size > MAX_BYTES and not candidate.fault:
            detail = {"found": format_size(candidate.size), "limit": format_size(MAX_BYTES)}
            raise _RowRefused(_make_file_problem("IMAGE_TOO_LARGE", doctor, match, **detail))
        try:
            image = self.sources.get_image(candidate)
        except NotReadNow as trouble:
            raise _RowRefused(_make_file_problem("IMAGE_NOT_READ", doctor, match, **trouble.words)) from None
        except UnreadableFile as unreadable:
            problem = _make_file_problem("IMAGE_CORRUPT", doctor, match, found=unreadable.reason)
            raise _RowRefused(problem) from None
        # all empty files have the same digest, and would look like one that is shared
        if not image.size:
            raise _RowRefused(
                _make_file_problem("IMAGE_CORRUPT", doctor, match, found=make_message("image.empty"))
            )
        return image

    def _require_one_image(self, doctor: Doctor, options: Sequence[_Option]) -> None:
        """Raise _RowRefused where the options are not all one picture, or cannot be compared now."""
        if len(options) == 1:
            return
        files = list_texts(option.show_source(doctor) for option in options)
        try:
            is_one = self.images.are_same_image(option.image for option in options)
        except NotReadNow as trouble:
            raise _RowRefused(make_problem("IMAGE_NOT_READ", doctor, file=files, **trouble.words)) from None
        if not is_one:
            images = [(option.show_source(doctor), option.image) for option in options]
            misplaced = picture_column.list_misplaced_images(doctor.row)
            if between := [image for image in misplaced if image.is_between]:
                raise _RowRefused(match_problems.explain_images_between(doctor, between), rival_images=images)
            raise _RowRefused(make_problem("IMAGE_AMBIGUOUS", doctor, found=files), rival_images=images)


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


def _make_file_problem(code: str, doctor: Doctor, match: ImageMatch, **detail: str) -> Problem:
    return make_problem(code, doctor, file=show_path(match.candidate.relative_path, doctor), **detail)


def _list_fitting(
    doctor: Doctor, entry: PictureEntry, by_name: Sequence[ImageMatch]
) -> tuple[Sequence[ImageMatch], tuple[EmbeddedImage, ...]]:
    """Return the files and the pictures in cells that may be a row's; ``by_name`` are the files so called."""
    cells = picture_column.list_seal_images(doctor.row)
    if entry.named:
        return entry.named, cells
    if entry.text and picture_column.names_file(entry.text):
        return (), ()
    return by_name, cells


def _prefer_readable(valid: Sequence[ImageMatch], cells: Sequence[EmbeddedImage]) -> Sequence[ImageMatch]:
    """Leave out members of a zip that cannot be read, where there is anything else: a locked copy decides nothing."""
    readable = [match for match in valid if not match.candidate.fault]
    return readable if readable or cells else valid


def _require_none_between(doctor: Doctor, choice: _Choice) -> None:
    """Raise _RowRefused where the only pictures that may be the doctor's lie between rows."""
    if between := choice.leave_out(picture_column.list_images_between(doctor.row)):
        rivals = [(f"▣ {image.address}", image.picture) for image in between]
        raise _RowRefused(match_problems.explain_images_between(doctor, between), rival_images=rivals)


def _get_cell_image(doctor: Doctor, cell: EmbeddedImage) -> ImageFile:
    if not cell.picture.size:
        detail = {"file": f"▣ {cell.address}", "found": make_message("image.empty")}
        raise _RowRefused(make_problem("IMAGE_CORRUPT", doctor, **detail))
    return cell.picture


def _list_warnings(doctor: Doctor, options: Sequence[_Option]) -> Iterator[Problem]:
    """Yield what a person should know of the first option, which is the doctor's picture, and of the others."""
    first = options[0]
    if isinstance(first.source, ImageMatch):
        yield from _list_name_warnings(doctor, first.source)
    elif first.source.overlaps_neighbour:
        yield replace(make_problem("IMAGE_AMBIGUOUS", doctor), severity="warning")
    if len(options) > 1:
        files = list_texts(option.show_source(doctor) for option in options)
        yield make_problem("IMAGE_DUPLICATE_FILE", doctor, found=files)


def _list_name_warnings(doctor: Doctor, match: ImageMatch) -> Iterator[Problem]:
    is_whole_path = match.evidence == COLUMN and picture_column.get_file_of_path(match.expected)
    if not match.is_exact or is_whole_path:
        detail = {
            "found": show_path(match.candidate.relative_path, doctor),
            "expected": show_path(match.expected, doctor),
        }
        if is_whole_path:
            detail["path"] = "yes"
        yield make_problem("IMAGE_NAME_FUZZY", doctor, **detail)
