"""The newest check, read once: the rows of its plan, filtered, located again by a key; its files, pictures and record."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from threading import Lock
from typing import Any

from pipeline.domain.roster import Field, fold_staff_no
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import (
    SHOWN_STATUSES,
    RowOutcome,
    ShownStatus,
    get_shown_status,
    needs_fixing,
)
from pipeline.ledger.protocol import RunRecord
from pipeline.reports.earlier_results import PLAN
from pipeline.reports.records import PICTURES
from pipeline.reports.write import FILES
from pipeline.web.check_child import Checks
from pipeline.workflow.rebuild import rebuild_planned_outcome
from pipeline.workflow.recorded_runs import RUN, load_record

TO_FIX = "to_fix"  # in place of a status: rows that a person has to correct
_KEY = 16  # hexadecimal digits
_MISSING = "IMAGE_MISSING"
_IDENTIFYING = frozenset({Field.NAME, Field.NUMBER})
_OTHER = "other"  # word of a problem's detail that names other rows


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """A picture of the check that no row got."""

    sha256: str
    size: int
    path: str = field(repr=False)  # masked
    similar: Sequence[str] = field(default=(), repr=False)  # positions of the rows that its name resembles

    @property
    def name(self) -> str:
        """The name of its file."""
        return get_file_name(self.path)


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """One row of the check; ``key`` finds it again as long as it stays in its place."""

    key: str
    line: RowLine = field(repr=False)
    outcome: RowOutcome = field(repr=False)
    candidates: Sequence[CheckedPicture] = field(default=(), repr=False)  # of which one may be chosen
    picture: str | None = None  # sha256 of the one that it has

    @property
    def status(self) -> ShownStatus:
        """The status as people read it."""
        return get_shown_status(self.outcome)

    @property
    def needs_fixing(self) -> bool:
        """Whether a person has to correct it."""
        return needs_fixing(self.outcome)

    @property
    def is_known(self) -> bool:
        """Whether it has a name and a number by which a picture can be given to its doctor."""
        return not any(error.field in _IDENTIFYING for error in self.outcome.errors)

    @property
    def lacks_picture(self) -> bool:
        """Whether it has no picture, and one can be given to its doctor."""
        return self.is_known and any(error.code == _MISSING for error in self.outcome.errors)

    @property
    def position(self) -> str:
        """File, sheet and row, as a problem of another row names them."""
        return " ".join(filter(None, (self.line.file, self.line.sheet, str(self.line.row))))

    @property
    def named_positions(self) -> Sequence[str]:
        """The rows that its problems name."""
        named = (str(problem.detail.get(_OTHER, "")) for problem in self.outcome.problems)
        return [position for text in named for position in text.split(", ") if position]


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows are shown; an empty word lets every row pass."""

    status: str = ""
    code: str = ""
    department: str = ""
    file: str = ""
    query: str = field(default="", repr=False)  # of a name, or a staff number

    def matches(self, row: CheckedRow) -> bool:
        """Return whether a row is shown."""
        line = row.line
        if self.status and not (row.needs_fixing if self.status == TO_FIX else row.status == self.status):
            return False
        if self.code and self.code not in line.codes:
            return False
        if self.department and self.department != line.get(Field.DEPARTMENT):
            return False
        return (not self.file or self.file == line.path) and self._matches_query(line)

    def _matches_query(self, line: RowLine) -> bool:
        query = self.query.strip()
        if not query:
            return True
        name, staff_no = line.get(Field.NAME) or "", line.get(Field.STAFF_NO) or ""
        return query.casefold() in name.casefold() or fold_staff_no(query) == fold_staff_no(staff_no)


@dataclass(frozen=True)
class CheckedRows:
    """The rows of one check, those to correct first."""

    folder: Path
    record: RunRecord
    lines: Sequence[RowLine] = field(repr=False)  # in the order of the plan
    rows: Sequence[CheckedRow] = field(repr=False)
    files: Sequence[Mapping[str, Any]] = field(repr=False)  # lines of files.jsonl
    unmatched: Sequence[CheckedPicture] = field(default=(), repr=False)  # each once

    @classmethod
    def read(cls, folder: Path) -> CheckedRows:
        """Read the files of a check; pictures that resemble a row come first. Raises OSError, and others of a damaged one."""
        lines = [RowLine.from_text(text) for text in _read_lines(folder / PLAN)]
        pictures = _Pictures.read(folder / PICTURES)
        rows = list(_make_rows(lines, pictures))
        rows.sort(key=lambda row: not row.needs_fixing)
        files = [json.loads(text) for text in _read_lines(folder / FILES)]
        record = load_record(folder, json.loads((folder / RUN).read_text("utf-8")))
        return cls(folder, record, lines, rows, files, pictures.unmatched)

    @property
    def run(self) -> str:
        """The id of the check."""
        return self.folder.name

    @cached_property
    def digests(self) -> Mapping[str, str]:
        """The sha256 of a roster's bytes, by its masked path."""
        return {file["path"]: file["sha256"] or "" for file in self.files}

    @cached_property
    def unread_files(self) -> int:
        """How many rosters were refused, or parts of them."""
        return sum(file["status"] == "refused" or bool(file["codes"]) for file in self.files)

    @cached_property
    def by_key(self) -> Mapping[str, CheckedRow]:
        """Each row by its key."""
        return {row.key: row for row in self.rows}

    @cached_property
    def pictures(self) -> Mapping[str, CheckedPicture]:
        """The pictures that can be given to a doctor, by their sha256."""
        candidates = [picture for row in self.rows for picture in row.candidates]
        return {picture.sha256: picture for picture in (*candidates, *self.unmatched)}

    @cached_property
    def by_picture(self) -> Mapping[str, Sequence[CheckedRow]]:
        """The rows that have a picture, by its sha256."""
        rows: defaultdict[str, list[CheckedRow]] = defaultdict(list)
        for row in self.rows:
            if row.picture:
                rows[row.picture].append(row)
        return rows

    @cached_property
    def by_candidate(self) -> Mapping[str, Sequence[CheckedRow]]:
        """The rows that a picture holds, by its sha256."""
        rows: defaultdict[str, list[CheckedRow]] = defaultdict(list)
        for row in self.rows:
            for picture in row.candidates:
                rows[picture.sha256].append(row)
        return rows

    @cached_property
    def _by_position(self) -> Mapping[str, CheckedRow]:
        return {row.position: row for row in self.rows}

    def list_opponents(self, row: CheckedRow) -> list[CheckedRow]:
        """Return the rows with which one is in conflict, or that repeat it."""
        named = [
            self._by_position[position] for position in row.named_positions if position in self._by_position
        ]
        naming = [other for other in self.rows if row.position in other.named_positions]
        return [
            other for other in {other.key: other for other in (*named, *naming)}.values() if other is not row
        ]

    @cached_property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """How many rows have which value of each filter; the values in the order in which they are offered."""
        statuses = Counter(row.status for row in self.rows)
        codes = Counter(code for row in self.rows for code in dict.fromkeys(row.line.codes))
        departments = Counter(row.line.get(Field.DEPARTMENT) or "" for row in self.rows)
        files = Counter(row.line.path for row in self.rows)
        to_fix = sum(row.needs_fixing for row in self.rows)
        return {
            "status": {
                **({TO_FIX: to_fix} if to_fix else {}),
                **{status.value: statuses[status] for status in SHOWN_STATUSES if statuses[status]},
            },
            "code": dict(codes.most_common()),
            "department": {name: departments[name] for name in sorted(departments) if name},
            "file": dict(sorted(files.items())),
        }


class NewestRows:
    """Reads the newest check, and keeps it: its files do not change."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._lock = Lock()
        self._kept: CheckedRows | None = None

    def get(self) -> CheckedRows | None:
        """Return the newest check that ended; None where there is none, an earlier version made it, or its folder is gone."""
        folder = self._checks.newest
        if folder is None:
            return None
        with self._lock:
            if self._kept is None or self._kept.folder != folder:
                self._kept = None
                with suppress(OSError, ValueError, KeyError, TypeError):
                    self._kept = CheckedRows.read(folder)
            return self._kept


def _make_rows(lines: Sequence[RowLine], pictures: _Pictures) -> Iterator[CheckedRow]:
    nth: Counter[tuple[str, str | None, int]] = Counter()  # the tables of a page have no names
    for number, line in enumerate(lines):
        position = (line.path, line.sheet, line.row)
        text = json.dumps([*position, nth[position]])
        nth[position] += 1
        key = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY]
        picture = line.picture.sha256 if line.picture else pictures.matched.get(number)
        candidates = pictures.candidates.get(number, ())
        yield CheckedRow(key, line, rebuild_planned_outcome(line), candidates, picture)


@dataclass(frozen=True)
class _Pictures:
    """What a check keeps of pictures: those that no row matched, and by the number of a row's line what that has."""

    unmatched: Sequence[CheckedPicture] = ()
    candidates: Mapping[int, Sequence[CheckedPicture]] = field(default_factory=dict)
    matched: Mapping[int, str] = field(default_factory=dict)  # sha256, where the line has none

    @classmethod
    def read(cls, path: Path) -> _Pictures:
        """Read pictures.json; a check of an earlier version has none, or less."""
        try:
            stored = json.loads(path.read_text("utf-8"))
        except OSError:
            return cls()
        unmatched = {picture["sha256"]: CheckedPicture(**picture) for picture in reversed(stored["pictures"])}
        candidates = {
            int(number): [CheckedPicture(**picture) for picture in pictures]
            for number, pictures in stored.get("candidates", {}).items()
        }
        matched = {int(number): sha256 for number, sha256 in stored.get("matched", {}).items()}
        return cls(tuple(reversed(unmatched.values())), candidates, matched)


def get_file_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return path.replace("\\", "/").rpartition("/")[2]


def _read_lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").split("\n") if line]
