"""Repeats what the last run found where nothing has changed since: no row is judged, no picture is matched.

What a run finds follows from its request, the configuration, this program, the rows, the listing of the pictures, the
ledger, the day and the time zone. A run that sent nothing, and entered nothing in the ledger but itself, keeps a digest
of these in the work folder, with what the ledger's lines of its rows lack. The next run reads the rosters and lists the
pictures as every run does. Where the digest is the same, its outcomes are made of those lines; in every other case, also
where the file is missing or damaged, everything is judged anew. The file holds no name, no number and no path: a picture
is its index in the listing.
"""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import date
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.clock import Clock, stamp
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.roster import CellKind, Doctor, Field, ImageFile, Row
from pipeline.domain.run import RowOutcome, RowPlan, RunReport, RunRequest, Status, needs_fixing
from pipeline.intake.fields.id_number import find_next_judgement, normalise_number
from pipeline.intake.fields.normalize import get_field_text
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.images.formats import is_heic_readable
from pipeline.intake.images.image_files import changed_at, replace_file
from pipeline.intake.pairing.image_index import Candidate
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.tenant import SiteKey
from pipeline.version import __version__
from pipeline.workflow.recorded_rows import RecordedRows, restore_problems
from pipeline.workflow.run_inputs import RunInputs
from pipeline.workflow.stage_settings import build_field_settings

if TYPE_CHECKING:
    from pipeline.workflow.import_run import RunPlan, RunResources

FILE = "unchanged-run"  # in the work folder
_REPEATABLE = frozenset({Status.UNCHANGED, Status.CHANGED, Status.REJECTED})
_TRANSIENT = frozenset({"IMAGE_NOT_READ", "ROW_NOT_PROCESSED"})  # problems that the next run may not find
# nanoseconds: a file that was changed so shortly before it was listed may be changed again under the same time
_YOUNG = 2_000_000_000
_AT_ONCE = 500  # rows or pictures that are digested together
_WINTER, _SUMMER = 1_736_899_200.0, 1_752_537_600.0  # by its times of these two a time zone is known
_OWN_RECEIPTS = 2  # of a run that enters nothing else: its begin and its end


@dataclass(frozen=True, slots=True)
class RecalledRun:
    """The outcomes of the last run, the pictures that no row got, and how many unresolved people its rosters lack."""

    outcomes: tuple[RowOutcome, ...]
    unassigned_images: tuple[Path, ...]
    absent_unresolved: int
    enter_rows: Callable[[str], None]  # enters the rows in the ledger for the run with this id


def open_memory(request: RunRequest, config: Config, resources: RunResources) -> RunMemory | None:
    """Return the memory of runs like this one; None for a run that asks for something else than the usual."""
    is_usual = request.command == "run" and not (request.only_keys or request.review or request.limit)
    if not is_usual or config.pictures.ocr or not isinstance(resources.ledger, DatabaseLedger):
        return None
    return RunMemory(request, config, resources.ledger, resources.site_key, resources.clock)


class RunMemory:
    """What the last run left for this one, and what this one leaves for the next."""

    def __init__(
        self,
        request: RunRequest,
        config: Config,
        ledger: DatabaseLedger,
        site_key: SiteKey,
        clock: Clock,
    ) -> None:
        """Note the moment and the extent of the ledger before anything is read."""
        self._request, self._config, self._clock = request, config, clock
        self._ledger, self._site_key = ledger, site_key
        self._file = config.resolve_path(config.work) / FILE
        self._begun, self._extent = clock.now(), ledger.read_extent()
        self._facts: dict[str, Any] | None = None  # of this run, for the next one
        self._digest = ""

    def recall(self, inputs: RunInputs) -> RecalledRun | None:
        """Return the outcomes of the last run; None where anything that decides them may have changed."""
        kept = self._read()
        # what another version of the program kept may hold other things: nothing else is looked at before these
        if kept.get("extent") != self._extent or kept.get("inputs") != self._digest_inputs(inputs):
            return None
        today = self._clock.today()
        if not kept["since"] <= today.isoformat() < kept["until"]:
            return None
        candidates = inputs.images.candidates
        pictures = [candidates[index] if index >= 0 else None for index in kept["pictures"]]
        texts: dict[str | None, str | None] = {}  # each of a few kinds of evidence once in memory
        kept["evidence"] = [texts.setdefault(text, text) for text in kept["evidence"]]
        rows = RecordedRows(inputs.rosters, pictures, kept["evidence"])
        self._ledger.pass_rows(kept["run"], rows.add_line)
        outcomes = rows.build_outcomes(self._config, self._site_key, today)
        if outcomes is None:
            return None
        self._facts = kept
        unassigned = tuple(candidates[index].path for index in kept["unassigned"])
        return RecalledRun(outcomes, unassigned, kept["absent_unresolved"], self._ledger.move_rows)

    def note_plan(self, inputs: RunInputs, plan: RunPlan) -> None:
        """Note what the next run needs to repeat this plan, if it can be repeated."""
        is_repeatable = not (plan.file_stats or plan.whole_image_seals or plan.new_bearers)
        if not (is_repeatable and all(map(_is_repeatable, plan.row_plans)) and self._are_plain(inputs)):
            return
        candidates = inputs.images.candidates
        doctors = [row_plan.doctor for row_plan in plan.row_plans]
        indexes = {
            (str(one.folder.path), one.name): index
            for index, one in enumerate(candidates)
            if one.member is None
        }
        pictures = [indexes.get(_locate(one.picture)) if one.picture else -1 for one in doctors]
        unassigned = list(_find_indexes(plan.report.unassigned_images, candidates))
        if (
            None in pictures or None in unassigned
        ):  # one out of a zip lies in the work folder, which may be tidied up
            return
        today = self._clock.today()
        changes = (find_next_judgement(_find_number(doctor), today) for doctor in doctors)
        self._facts = {
            "inputs": self._digest_inputs(inputs),
            "since": today.isoformat(),
            "until": min(filter(None, changes), default=date.max).isoformat(),
            "pictures": pictures,
            "evidence": [doctor.evidence for doctor in doctors],
            "unassigned": unassigned,
            "absent_unresolved": plan.report.absent_unresolved,
        }

    def keep(self, report: RunReport, planned: Sequence[RowOutcome]) -> None:
        """Keep what was noted, where the run ended as planned and entered nothing in the ledger but itself."""
        if self._facts is None or report.halt is not None or report.outcomes != planned:
            return
        assert report.masker is not None
        if not self._can_show_again(planned, report.masker):
            return
        extent = self._ledger.read_extent()
        expected = {
            **self._extent,
            "runs": self._extent["runs"] + 1,
            "receipts": self._extent["receipts"] + _OWN_RECEIPTS,
        }
        if any(extent[name] != expected[name] for name in expected.keys() - {"newest_run", "last_receipt"}):
            return
        body = json.dumps({**self._facts, "run": report.run, "extent": extent})
        mark = self._site_key.digest(body)
        with suppress(OSError):  # the next run judges everything anew
            replace_file(self._file, f"{mark}\n{body}".encode())

    def _can_show_again(self, planned: Sequence[RowOutcome], masker: Masker) -> bool:
        """Return whether all problems that To fix shows are in the ledger's lines, or follow from the rows alone.

        To fix shows them without a mask, the lines hold them with one.
        """
        masked = {
            outcome.row_plan.index: tuple(map(masker.mask_problem, outcome.problems))
            for outcome in planned
            if outcome.problems and needs_fixing(outcome)
        }
        masked = {
            index: problems for index, problems in masked.items() if problems != planned[index].problems
        }
        doctors = validate_rows(
            [planned[index].doctor.row for index in masked],
            settings=build_field_settings(self._config),
            today=self._clock.today(),
            site_key=self._site_key,
        )
        return all(
            restore_problems(problems, doctor.problems) == planned[index].problems
            for (index, problems), doctor in zip(masked.items(), doctors, strict=True)
        )

    def _read(self) -> dict[str, Any]:
        """Return what the last run kept; nothing where that is not what was written."""
        try:
            mark, _, body = self._file.read_text("utf-8").partition("\n")
        except (OSError, ValueError):
            return {}
        kept: dict[str, Any] = json.loads(body) if mark == self._site_key.digest(body) else {}
        return kept

    def _are_plain(self, inputs: RunInputs) -> bool:
        """Return whether the inputs are rosters without pictures and corrections, and no picture is new."""
        rosters = inputs.rosters
        newest = max(map(_find_change, inputs.images.candidates), default=0)
        return (
            newest < self._begun * 1e9 - _YOUNG
            and not rosters.others
            and not any(file.run is not None or file.unassigned_images for file in rosters.files)
            and not any(row.pictures or row.row_token or row.correction for row in rosters.rows)
        )

    def _digest_inputs(self, inputs: RunInputs) -> str:
        """Return a digest of all that decides the outcomes but the ledger and the day."""
        if not self._digest:
            digest = hashlib.sha256()
            for part in self._list_inputs(inputs):
                digest.update(part)
            self._digest = self._site_key.digest(digest.hexdigest())
        return self._digest

    def _list_inputs(self, inputs: RunInputs) -> Iterator[bytes]:
        request, config = self._request, self._config
        paths = (request.rosters, request.seals, request.missing_folders, request.missing_seals, config.base)
        user = os.geteuid() if hasattr(os, "geteuid") else None  # files may be readable for one alone
        libraries = sys.version, version("pillow"), is_heic_readable()
        zone = stamp(_WINTER), stamp(_SUMMER)  # days are shown as they are here
        yield repr((__version__, libraries, user, zone, config.digest_text(), paths)).encode()
        yield repr(list(_list_modules())).encode()
        for file in inputs.rosters.files:
            yield pickle.dumps(replace(file, sha256=None))  # a roster may be exported anew every day
        rosters, images = inputs.rosters, inputs.images
        yield from _dump(map(_list_attributes_of_row, rosters.rows, rosters.row_ids))
        yield from _dump([str(images.folder), images.unreadable, images.other_files])
        yield from _dump(map(_list_attributes, images.candidates))


def _dump(values: Iterable[object]) -> Iterator[bytes]:
    """Yield values as JSON, some hundred at a time."""
    waiting = iter(values)
    while some := list(islice(waiting, _AT_ONCE)):
        yield json.dumps(some).encode()


def _list_modules() -> Iterator[tuple[str, int, int]]:
    """Yield the files of this program, in a bundle the one that holds it: one that was mended keeps its version."""
    for path in sorted(Path(__file__).parents[1].rglob("*.py")) or [Path(sys.executable)]:
        status = path.stat()
        yield str(path), status.st_size, status.st_mtime_ns


def _list_attributes_of_row(row: Row, row_id: str | None) -> list[object]:
    """Return all of a row that decides its outcome.

    Its id stands for the cells of the fields as they are displayed, the report of its file for the titles. A header may
    stand again further down, with its columns in another order.
    """
    origin = row.origin
    attributes: list[object] = [row_id, str(origin.path), origin.sheet, origin.row, row.hidden]
    for name, cell in row.fields.items():
        attributes.append(cell.column)
        if cell.kind is not CellKind.TEXT or cell.value is not cell.display_text:
            attributes += (name, cell.kind, repr(cell.value))
    for problem in row.problems:
        attributes += (problem.code, problem.severity, problem.field, problem.cell, dict(problem.detail))
    return attributes


def _list_attributes(candidate: Candidate) -> list[object]:
    """Return all by which a picture file is known without being opened.

    The folder is named as the system has it: a name that is readable in spite of its encoding is worth a warning.
    """
    member = candidate.member
    of_member = (
        [
            candidate.relative_path,
            _find_change(candidate),
            member.header_offset,
            member.CRC,
            member.compress_size,
        ]
        if member
        else []
    )
    return [
        str(candidate.folder.path),
        candidate.name,
        candidate.size,
        candidate.mtime_ns,
        candidate.fault,
        *of_member,
    ]


def _find_change(candidate: Candidate) -> int:
    """Return when a picture last changed, or the zip that holds it."""
    return candidate.mtime_ns if candidate.member is None else changed_at(candidate.folder.path.stat())


def _locate(picture: ImageFile) -> tuple[str, str]:
    """Return folder and name of the file that holds a picture."""
    stored = picture.stored_path
    return (picture.folder, picture.name) if stored is None else (str(stored.parent), stored.name)


def _find_number(doctor: Doctor) -> str:
    return doctor.number or normalise_number(get_field_text(doctor.row, Field.NUMBER))[0]


def _is_repeatable(row_plan: RowPlan) -> bool:
    """Return whether a row ends the same way in the next run, and is shown the same from the ledger's line."""
    return (
        row_plan.status in _REPEATABLE
        and row_plan.review is None
        and row_plan.possibly_same is None
        and (row_plan.status is not Status.REJECTED or row_plan.doctor.held_image is None)
        # that a seal may have been made of a smaller copy depends on what the work folder holds
        and not any(problem.code in _TRANSIENT or "sent" in problem.detail for problem in row_plan.problems)
    )


def _find_indexes(paths: Iterable[Path], candidates: Sequence[Candidate]) -> Iterator[int | None]:
    """Yield the indexes of paths, which are in the order of the candidates, among these."""
    numbered = enumerate(candidates)
    for path in paths:
        yield next((index for index, candidate in numbered if candidate.path == path), None)
