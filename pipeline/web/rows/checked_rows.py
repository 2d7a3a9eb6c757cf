"""The newest check, read once: the rows of its plan, filtered, each under a key of its person; its files, pictures and record."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePath
from threading import Lock
from typing import Any

from pipeline.domain.fields import set_value
from pipeline.domain.name_key import make_name_key
from pipeline.domain.results_format import PLAN
from pipeline.domain.roster import (
    CardType,
    Doctor,
    Field,
    ImageFile,
    Origin,
    Problem,
    Row,
    fold_staff_no,
)
from pipeline.domain.row_record import RecordedAnswer, RecordedPicture, RowLine
from pipeline.domain.run import (
    SHOWN_STATUSES,
    RowOutcome,
    RowPlan,
    ShownStatus,
    Status,
    get_shown_status,
    needs_fixing,
)
from pipeline.ledger.records import RunRecord
from pipeline.messages.catalogue import load_text
from pipeline.messages.problems import load_problem
from pipeline.reports.records import PICTURES
from pipeline.reports.write import FILES
from pipeline.web.check_child import Checks
from pipeline.web.shown import CHARS, ShownChanged, digest_shown
from pipeline.workflow.recorded_runs import RUN, load_record

# in place of a status: rows that a person has to correct, and those of them to whose doctors a picture can be given
TO_FIX, NO_PICTURE = "to_fix", "no_picture"
_SHOWN = (Field.NAME, Field.STAFF_NO, Field.DEPARTMENT, Field.NUMBER)  # by which people know a row
_IDENTIFYING = frozenset({Field.NAME, Field.NUMBER})
_OTHER = "other"  # word of a problem's detail that names other rows


@dataclass(frozen=True, slots=True)
class CheckedPicture:
    """A picture of the check that no row got, or that holds one."""

    sha256: str
    size: int
    path: str = field(repr=False)  # masked
    similar: Sequence[str] = field(default=(), repr=False)  # positions of the rows that its name resembles

    @property
    def name(self) -> str:
        return get_file_name(self.path)

    def resembles(self, row: CheckedRow) -> bool:
        """Return whether its name is like a row's, or holds the doctor's name: a suggestion alone."""
        name = row.line.get(Field.NAME)
        return row.position in self.similar or bool(name and name in self.name)


@dataclass(frozen=True, slots=True)
class CheckedRow:
    """One row of the check.

    ``key`` is of the person and the name, independent of where the row stands; ``location`` is of where it stands, which names a cell
    together with the bytes of the roster. ``roster`` is the digest of these.
    """

    key: str
    location: str
    roster: str
    line: RowLine = field(repr=False)
    outcome: RowOutcome = field(repr=False)
    candidates: Sequence[CheckedPicture] = field(default=(), repr=False)  # of which one may be chosen
    picture: str | None = None  # sha256 of the one that it has

    @property
    def shown(self) -> list[str | None]:
        """The values by which people know its doctor."""
        return [self.line.get(name) for name in _SHOWN]

    @property
    def stamp(self) -> str:
        """The key, and the digest of what a person sees of the row before deciding on its picture.

        A check without a ledger has no key of a person: there it is of the roster's bytes as well.
        """
        line, pictures = self.line, [picture.sha256 for picture in self.candidates]
        roster = None if line.row_id else self.roster
        return self.key + digest_shown(self.shown, line.status, line.codes, self.picture, pictures, roster)

    @property
    def status(self) -> ShownStatus:
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
    def is_without_picture(self) -> bool:
        """Whether it has no picture of its own: none is found, or what is found is damaged, or perhaps another doctor's."""
        return self.needs_fixing and any(error.field is Field.PICTURE for error in self.outcome.errors)

    @property
    def lacks_picture(self) -> bool:
        """Whether it has no picture of its own, and one can be given to its doctor."""
        return self.is_known and self.is_without_picture

    @property
    def wrong_picture(self) -> RecordedPicture | None:
        """Its picture, where that was judged wrong."""
        is_wrong = any(error.code == "REVIEW_WRONG" for error in self.outcome.errors)
        return self.line.picture if is_wrong else None

    @property
    def position(self) -> str:
        """File, sheet and row, as a problem of another row names them."""
        return " ".join(filter(None, (self.line.file, self.line.sheet, str(self.line.row))))

    @property
    def named_positions(self) -> Sequence[str]:
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
        line = row.line
        if self.status and not self._matches_status(row):
            return False
        if self.code and self.code not in line.codes:
            return False
        if self.department and self.department != line.get(Field.DEPARTMENT):
            return False
        return (not self.file or self.file == line.path) and self._matches_query(line)

    def _matches_status(self, row: CheckedRow) -> bool:
        if self.status == TO_FIX:
            return row.needs_fixing
        return row.lacks_picture if self.status == NO_PICTURE else row.status == self.status

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
    held: Sequence[CheckedPicture] = field(default=(), repr=False)  # of rows that wait for a decision

    @classmethod
    def read(cls, folder: Path) -> CheckedRows:
        """Read the files of a check; pictures that resemble a row come first. Raises OSError, and others of a damaged one."""
        lines = [RowLine.from_text(text) for text in _read_lines(folder / PLAN)]
        pictures = _Pictures.read(folder / PICTURES)
        files = [json.loads(text) for text in _read_lines(folder / FILES)]
        rosters = {file["path"]: file["sha256"] or "" for file in files}
        rows = list(_make_rows(lines, pictures, rosters))
        rows.sort(key=lambda row: not row.needs_fixing)
        record = load_record(folder, json.loads((folder / RUN).read_text("utf-8")))
        return cls(folder, record, lines, rows, files, pictures.unmatched, list(pictures.matched.values()))

    @property
    def run(self) -> str:
        return self.folder.name

    @cached_property
    def unread_files(self) -> int:
        """How many rosters were refused, or parts of them."""
        return sum(file["status"] == "refused" or bool(file["codes"]) for file in self.files)

    @cached_property
    def by_key(self) -> Mapping[str, CheckedRow]:
        return {row.key: row for row in self.rows}

    @cached_property
    def by_location(self) -> Mapping[str, CheckedRow]:
        return {row.location: row for row in self.rows}

    def get_same(self, stamp: object) -> CheckedRow:
        """Return the row that a form shows, by its stamp. Raises ShownChanged where it is not as it was shown."""
        row = self.by_key.get(str(stamp)[:CHARS])
        if row is None or row.stamp != stamp:
            raise ShownChanged
        return row

    @cached_property
    def pictures(self) -> Mapping[str, CheckedPicture]:
        """The pictures that can be given to a doctor, by their sha256."""
        candidates = [picture for row in self.rows for picture in row.candidates]
        return {picture.sha256: picture for picture in (*self.unmatched, *candidates)}

    @cached_property
    def picture_sizes(self) -> Mapping[str, int]:
        """The sizes in bytes of the pictures on which a person decides, by their sha256."""
        changed = [row.line.picture for row in self.rows if row.line.status is Status.CHANGED]
        wrong = [row.wrong_picture for row in self.rows]
        own = {picture.sha256: picture.bytes or 0 for picture in (*changed, *wrong) if picture is not None}
        return own | {picture.sha256: picture.size for picture in (*self.pictures.values(), *self.held)}

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
    def problems(self) -> Mapping[str, Problem]:
        """A problem of each code, an error where one row has it as an error."""
        problems = [problem for row in self.rows for problem in row.outcome.problems]
        problems.sort(key=lambda problem: problem.severity == "error")
        return {problem.code: problem for problem in problems}

    @cached_property
    def counts(self) -> Mapping[str, Mapping[str, int]]:
        """How many rows have which value of each filter; the values in the order in which they are offered."""
        statuses = Counter(row.status for row in self.rows)
        codes = Counter(code for row in self.rows for code in dict.fromkeys(row.line.codes))
        departments = Counter(row.line.get(Field.DEPARTMENT) or "" for row in self.rows)
        files = Counter(row.line.path for row in self.rows)
        to_fix = {
            TO_FIX: sum(row.needs_fixing for row in self.rows),
            NO_PICTURE: sum(row.lacks_picture for row in self.rows),
        }
        return {
            "status": {
                **{name: rows for name, rows in to_fix.items() if rows},
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


def _make_rows(
    lines: Sequence[RowLine], pictures: _Pictures, rosters: Mapping[str, str]
) -> Iterator[CheckedRow]:
    nth: Counter[tuple[str, int]] = Counter()  # a text file becomes a workbook, whose sheet has a name
    for number, (line, key) in enumerate(zip(lines, _make_keys(lines), strict=True)):
        position = (str(PurePath(line.path).with_suffix("")), line.row)
        location = digest_shown(*position, nth[position])
        nth[position] += 1
        image = line.picture or pictures.matched.get(number)
        picture = image.sha256 if image else None
        candidates = pictures.candidates.get(number, ())
        outcome, roster = _rebuild_outcome(line), rosters.get(line.path, "")
        yield CheckedRow(key, location, roster, line, outcome, candidates, picture)


def _rebuild_outcome(line: RowLine) -> RowOutcome:
    """Return a row of a check as its record has it: without cells, its numbers masked."""
    problems = tuple(map(load_problem, line.problems))
    answer = line.service or RecordedAnswer(None, None)
    row_plan = RowPlan(_rebuild_doctor(line), line.status, line.get(Field.SEAL_NAME), None, problems=problems)
    return RowOutcome(
        row_plan,
        line.status,
        seal_id=line.seal_id,
        trace_id=line.trace_id,
        attempts=line.attempts,
        code=answer.code,
        message=answer.message if answer.words is None else load_text(answer.words),
        problems=problems,
    )


def _rebuild_doctor(line: RowLine) -> Doctor:
    """Return the doctor of a row, with the values that results show of it."""
    picture = line.picture
    row = Row(Origin(Path(line.path), line.sheet, line.row), (), {})
    doctor = Doctor(
        row=row,
        row_id=line.row_id,
        key=line.key,
        picture=ImageFile.from_path(Path(picture.path), picture.sha256, picture.bytes or 0)
        if picture
        else None,
        changes=line.changes,
    )
    for row_field, value in line.values.items():
        if value is not None and row_field is not Field.SEAL_NAME:  # which may be the plan's
            doctor = set_value(doctor, row_field, CardType(value) if row_field is Field.ID_TYPE else value)
    return doctor


def _make_keys(lines: Sequence[RowLine]) -> list[str]:
    """Return a key of each row: of the person and the name, else of its content; rows of one person differ by their content."""
    persons = [_identify_person(line) for line in lines]
    rows_of_person = Counter(persons)
    equal_rows: Counter[str] = Counter()
    keys = []
    for line, person in zip(lines, persons, strict=True):
        key = person
        if rows_of_person[person] > 1:
            content = digest_shown(person, *_list_content(line))
            key = digest_shown(content, equal_rows[content])
            equal_rows[content] += 1
        keys.append(key)
    return keys


def _identify_person(line: RowLine) -> str:
    """Return a digest of the person and the name; of a row without a usable number, and without a ledger, of its content."""
    if line.key is None:
        return digest_shown(line.row_id, *_list_content(line))
    return digest_shown(line.key, make_name_key(line.get(Field.NAME) or ""))


def _list_content(line: RowLine) -> list[object]:
    return [line.path, line.sheet, *sorted(line.values.items())]


@dataclass(frozen=True)
class _Pictures:
    """What a check keeps of pictures: those that no row matched, and by the number of a row's line what that has."""

    unmatched: Sequence[CheckedPicture] = ()
    candidates: Mapping[int, Sequence[CheckedPicture]] = field(default_factory=dict)
    matched: Mapping[int, CheckedPicture] = field(default_factory=dict)  # where the line has none

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
        matched = {
            int(number): CheckedPicture(**picture) for number, picture in stored.get("matched", {}).items()
        }
        return cls(tuple(reversed(unmatched.values())), candidates, matched)


def get_file_name(path: str) -> str:
    """Return the last part of a path of any system."""
    return path.replace("\\", "/").rpartition("/")[2]


def _read_lines(path: Path) -> list[str]:
    return [line for line in path.read_text("utf-8").split("\n") if line]
