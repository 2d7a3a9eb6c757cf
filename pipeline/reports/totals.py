"""The sums of a night, computed and enforced: a result that does not add up is never written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.errors import EsignImportError
from pipeline.messages.catalogue import phrase
from pipeline.messages.localized import Joined, Phrase

HOLDING_A_SEAL = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})
_SHOWN = 5  # faults named in the message


class SumsError(EsignImportError):
    """Rows, statuses and files do not add up: a bug, never a fact about the roster."""

    exit_code = 1


def verify_totals(night: RunReport) -> Mapping[Status, int]:
    """Return the rows of each status, zeros included, once every sum holds; else raise ``SumsError``.

    Every row stands once under its (path, sheet, row); what was read from a file is what is in the results
    (a ``retry`` may take fewer); a status that promises a SealId has one; ``ready`` occurs in ``check`` alone.
    """
    faults = list(islice(_faults(night), _SHOWN))
    if faults:
        raise SumsError("usage.sums", faults=Joined(faults, phrase("mark.semicolon")))
    seen = Counter(outcome.status for outcome in night.outcomes)
    return {
        status: seen[status] for status in Status if status is not Status.READY or night.command == "check"
    }


def _faults(night: RunReport) -> Iterator[Phrase]:
    yield from _twice(night)
    yield from _against_files(night)
    for outcome in night.outcomes:
        if outcome.status in HOLDING_A_SEAL and not outcome.seal_id:
            yield phrase("sums.no_seal_id", place=_place(outcome), status=outcome.status.value)
        if outcome.status is Status.READY and night.command != "check":
            yield phrase("sums.ready", place=_place(outcome), command=night.command)


def _twice(night: RunReport) -> Iterator[Phrase]:
    seen = set()
    for outcome in night.outcomes:
        origin = outcome.doctor.row.origin
        place = (origin.path, origin.sheet, origin.row)
        if place in seen:
            yield phrase("sums.twice", place=_place(outcome))
        seen.add(place)


def _against_files(night: RunReport) -> Iterator[Phrase]:
    read: Counter[Path] = Counter()
    for report in night.files:
        read[report.path] += report.rows if report.status == "read" else 0
    found = Counter(outcome.doctor.row.origin.path for outcome in night.outcomes)
    for number, path in enumerate(dict.fromkeys([*read, *found]), start=1):
        some_are_enough = night.command == "retry"
        if found[path] > read[path] or (found[path] < read[path] and not some_are_enough):
            yield phrase("sums.file", number=number, read=read[path], found=found[path])


def _place(outcome: RowOutcome) -> Phrase:
    """Name a row without its file's name, which may hold a person's."""
    origin = outcome.doctor.row.origin
    if origin.sheet is None:
        return phrase("sums.row", row=origin.row)
    return phrase("sums.row_of_sheet", row=origin.row, sheet=origin.sheet)
