"""Finds the files with the pictures that people gave to doctors: by their bytes, else by their pixels."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from pipeline.domain.roster import Doctor
from pipeline.domain.seals import PictureDecision
from pipeline.intake.images.prepare import ImageComparer, ImageExaminer
from pipeline.intake.pairing.claimants import Claimants
from pipeline.intake.pairing.claims import GIVEN, Claim
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence
from pipeline.intake.pairing.image_index import Candidate, ImageIndex
from pipeline.intake.pairing.image_sources import ImageSources
from pipeline.intake.pairing.match_problems import show_path

Files = dict[str, list[Candidate]]  # by sha256, and by the digest of pixels


@dataclass(frozen=True, slots=True)
class GivenFiles:
    """The files with pictures that were given, by row."""

    claims: Mapping[int, Sequence[Claim]] = field(default_factory=dict)
    # of rows whose number or name moved since: the decision, and its file as shown
    void: Mapping[int, tuple[PictureDecision, str]] = field(default_factory=dict)


def list_given_files(
    doctors: Sequence[Doctor],
    claimants: Claimants,
    index: ImageIndex,
    sources: ImageSources,
    *,
    earlier: EarlierEvidence,
    images: ImageExaminer,
) -> GivenFiles:
    """Return the files of every row.

    For its pixels a file is opened only if no row means it by name, and the bytes are lost that a doctor without a seal needs.
    """
    decided = earlier.decided
    if not decided.given_sizes:
        return GivenFiles()
    given = {row: decided.list_given(doctor) for row, doctor in enumerate(doctors)}
    void = {
        row: decided.list_void(doctor)
        for row, doctor in enumerate(doctors)
        if not (given[row] or earlier.is_settled(doctor))
    }
    files: Files = defaultdict(list)
    for candidate in index.candidates:
        if candidate.size in decided.given_sizes and (image := sources.get_image_if_readable(candidate)):
            files[image.sha256].append(candidate)
    unsettled = (given[row] for row, doctor in enumerate(doctors) if not earlier.is_settled(doctor))
    lost = {one.pixels for one in chain(*unsettled, *void.values()) if one.picture not in files} - {""}
    if lost:
        meant = {claim.candidate for claim in chain(*claimants.by_name, *claimants.of_entries)}
        others = [candidate for candidate in index.candidates if candidate not in meant]
        _add_saved_anew(files, lost, others, sources, images)
    by_row = {row: _make_claims(row, decisions, files) for row, decisions in given.items() if decisions}
    void_by_row: dict[int, tuple[PictureDecision, str]] = {}
    for row, decisions in void.items():
        for one, candidate in _list_files(decisions, files):
            void_by_row.setdefault(row, (one, show_path(candidate.relative_path, doctors[row])))
    return GivenFiles(by_row, void_by_row)


def _add_saved_anew(
    files: Files,
    lost: set[str],
    candidates: Iterable[Candidate],
    sources: ImageSources,
    images: ImageExaminer,
) -> None:
    comparer = ImageComparer(images.work, images.limit)
    for candidate in candidates:
        image = sources.get_image_if_readable(candidate)
        pixels = comparer.examine(image).pixels if image is not None else None
        if pixels in lost:
            files[pixels or ""].append(candidate)


def _list_files(
    decisions: Iterable[PictureDecision], files: Files
) -> Iterator[tuple[PictureDecision, Candidate]]:
    for one in decisions:
        for candidate in files.get(one.picture) or files.get(one.pixels) or ():
            yield one, candidate


def _make_claims(row: int, decisions: Iterable[PictureDecision], files: Files) -> list[Claim]:
    candidates = dict.fromkeys(candidate for _, candidate in _list_files(decisions, files))
    return [Claim(candidate, row, GIVEN, candidate.stem) for candidate in candidates]
