"""The rosters of the page's rows: located by their bytes, read once, judged while one types, corrected.

The bytes of a roster with the location of a row name its cells exactly: so do they after corrections of this page, which move no row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock, RLock

from pipeline.clock import stamp
from pipeline.domain.masking import compile_masked_name
from pipeline.domain.roster import CellKind, Field, Origin, Problem, Row
from pipeline.domain.row_record import RowLine
from pipeline.errors import RosterChanged
from pipeline.intake.fields.validate import validate_rows
from pipeline.operations.correct_roster import RosterCorrector, RosterReading, change_cell
from pipeline.web.site import Site
from pipeline.workflow.stage_settings import build_field_settings

MAX_READINGS = 4  # rosters that are kept as they were read
MAX_DIGESTS = 1000

Stat = tuple[int, int]  # modification time, size


@dataclass(frozen=True, slots=True)
class SavedCorrection:
    """A correction that this page saved: what it made of the roster, who saved it and when."""

    sha256: str
    user: str
    moment: str
    cell: str  # C12
    origin: Origin = field(repr=False)  # of its row
    name: Field

    @property
    def is_of_identity(self) -> bool:
        """Whether it changed who the doctor is."""
        return self.name in {Field.NAME, Field.NUMBER}

    def is_of(self, row: Row) -> bool:
        """Return whether it changed a cell of a row of this roster; a text file that has become a workbook names its sheet."""
        sheets = {self.origin.sheet, row.origin.sheet} - {None}
        return self.origin.row == row.origin.row and len(sheets) <= 1


@dataclass(frozen=True, slots=True)
class LocatedRow:
    """A row in its roster as it is now."""

    roster: RosterReading
    row: Row = field(repr=False)

    def digest_cell(self, name: Field) -> str:
        """Return a digest of a cell as it is: a form carries it back."""
        cell = self.row.fields[name]
        return hashlib.sha256(
            repr((cell.kind, cell.display_text)).encode("utf-8", "surrogatepass")
        ).hexdigest()


class RosterCells:
    """Reads and corrects the rosters of one hospital; one correction at a time."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._corrector = RosterCorrector(site.config, site.clock)
        self._turn = Lock()  # of corrections
        self._lock = RLock()  # of what is kept
        self._digests: dict[tuple[Path, Stat], str] = {}
        self._readings: dict[tuple[Path, str], RosterReading] = {}
        self._saved: dict[str, SavedCorrection] = {}  # by the digest of the former roster

    # -- finding

    def locate(self, line: RowLine, sha256: str) -> LocatedRow:
        """Return the row of a line of the check, whose roster had these bytes.

        The roster has them still or again, or it is what corrections of this page have made of them; of several the one of the
        line's name. Raises RosterChanged where there is none.
        """
        with self._lock:
            readings: list[RosterReading] = []
            for digest in dict.fromkeys([sha256, self.follow(sha256)]):
                readings += self._list_rosters(digest)
        readings.sort(key=lambda reading: not _is_named_as(reading.path, line))
        for reading in readings:
            rows = [row for row in reading.rows if _is_row_of(row, line)]
            if len(rows) == 1:
                return LocatedRow(reading, rows[0])
        raise RosterChanged

    def follow(self, sha256: str) -> str:
        """Return the digest of what the corrections of this page have made of a roster."""
        seen = {sha256}
        while (saved := self._saved.get(sha256)) is not None and saved.sha256 not in seen:
            sha256 = saved.sha256
            seen.add(sha256)
        return sha256

    def list_corrections(self, located: LocatedRow, sha256: str) -> list[SavedCorrection]:
        """Return the corrections of a row since its roster had these bytes, which `locate` has found."""
        corrections = []
        while sha256 != located.roster.sha256:
            saved = self._saved[sha256]
            corrections += [saved] if saved.is_of(located.row) else []
            sha256 = saved.sha256
        return corrections

    def _list_rosters(self, sha256: str) -> Sequence[RosterReading]:
        """Return the rosters in the configured folders that have these bytes."""
        paths = self._corrector.list_rosters()
        return [self._read(path, sha256) for path in paths if self._compute_digest(path) == sha256]

    def _compute_digest(self, path: Path) -> str:
        """Return the digest of a file's bytes, computed again only where its time or size changed."""
        try:
            status = path.stat()
            known = (path, (status.st_mtime_ns, status.st_size))
            if known not in self._digests:
                if len(self._digests) >= MAX_DIGESTS:
                    self._digests.clear()
                with path.open("rb") as file:
                    self._digests[known] = hashlib.file_digest(file, "sha256").hexdigest()
            return self._digests[known]
        except OSError:
            return ""

    def _read(self, path: Path, sha256: str) -> RosterReading:
        reading = self._readings.pop((path, sha256), None) or self._corrector.read(path)
        self._keep(reading)
        return reading

    def _keep(self, reading: RosterReading) -> None:
        with self._lock:
            while len(self._readings) >= MAX_READINGS:
                del self._readings[next(iter(self._readings))]
            self._readings[(reading.path, reading.sha256)] = reading

    # -- judging and correcting

    def judge(self, row: Row) -> tuple[Problem, ...]:
        """Return the problems of a row by itself, by the rules of a run."""
        config, clock = self._site.config, self._site.clock
        settings = build_field_settings(config)
        (doctor,) = validate_rows([row], settings=settings, today=clock.today(), site_key=None)
        return doctor.problems

    def judge_text(self, located: LocatedRow, name: Field, text: str) -> tuple[Problem, ...]:
        """Return the problems that a row would have with another text in a cell."""
        return self.judge(change_cell(located.row, name, text))

    def correct(self, located: LocatedRow, name: Field, text: str, user: str) -> None:
        """Write a text into a cell of a roster, as `RosterCorrector.correct` does."""
        roster, row = located.roster, located.row
        with self._turn:
            after = self._corrector.correct(roster, row, name, text)
            self._saved[roster.sha256] = SavedCorrection(
                after.sha256,
                user,
                stamp(self._site.clock.now()),
                row.address(name) or "",
                row.origin,
                name,
            )
            self._keep(after)


def _is_row_of(row: Row, line: RowLine) -> bool:
    """Return whether a row stands where the check saw it; names are masked there."""
    if row.origin.row != line.row:
        return False
    if (
        line.sheet is None or row.origin.sheet is None
    ):  # a text file that has become a workbook names its sheet
        return line.sheet is None
    return compile_masked_name(line.sheet).fullmatch(row.origin.sheet) is not None


def _is_named_as(path: Path, line: RowLine) -> bool:
    """Return whether a roster has the name that the check saw, whatever its format is now."""
    return compile_masked_name(Path(line.file).stem).fullmatch(path.stem) is not None


def is_editable(row: Row, name: Field) -> bool:
    """Return whether a field of a row is a text that can be corrected: a picture in a cell is none."""
    return row.fields[name].kind is not CellKind.PICTURE
