"""Guards stop a run before it does much of something that was not meant.

`check_plan` looks at the plan before the first call; `RunGuards` watches the answers as they come. A guard stops the run
with exit 5; ``--accept-guards`` passes them for one run.
"""

from __future__ import annotations

import json
from collections import Counter, deque
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any

from pipeline.domain.path_digests import PathDigests, is_same_path
from pipeline.domain.roster import Field, FileReport
from pipeline.domain.run import PLAN_GUARDS, SEAL_ID_REUSED, Halt, RunRequest, Status
from pipeline.domain.seals import Person
from pipeline.domain.service_codes import NAME_EXISTS
from pipeline.esign.products import PRODUCTS
from pipeline.intake.readers.discover import list_empty_folders
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import RunRecord

FEW_PEOPLE = 10  # of fewer, a third may be one doctor who left; none left at all is a roster without its rows
FIRST_ANSWERS, LAST_ANSWERS = 20, 100
MAX_SAME_REFUSALS = 90  # of the last answers
EXISTING_NAMES = 3  # before this program has made a few seals: seals were made before
RESEND_BUDGET = 200  # each resend takes some of it, each success gives one back
RESEND_COSTS = {"transport": 14, "throttle": 5}
SENT_BEFORE = (Status.UNCHANGED, Status.CHANGED, Status.FAILED, Status.UNKNOWN, Status.EXISTS)
NEW_SHARE = 0.2  # of the live seals
ALL_RUNS = 1_000_000
RUNS_SEARCHED = 50  # back to the last complete run over the same rosters, before all are read


@dataclass(frozen=True, slots=True)
class GuardLimits:
    """The limits at which a run stops; None is never."""

    new_rows: int | None = (
        200  # people that no earlier run has seen, or NEW_SHARE of the live seals if that is more
    )
    shrunk: float | None = 0.3  # share of the people of the last runs that may be missing
    unknown: int | None = 20  # rows that may become unknown in one run
    are_accepted: bool = False  # those that have no limit of their own
    deadline: time | None = None  # local

    def accept_all(self) -> GuardLimits:
        """Return the limits of a run whose guards are accepted: the deadline remains."""
        return GuardLimits(None, None, None, are_accepted=True, deadline=self.deadline)


@dataclass(frozen=True, slots=True)
class SealCounts:
    """What a ledger holds when a run begins."""

    live: int = 0  # seals
    own: int = 0  # of these, made by this program: adopted ones prove nothing of the other doctors
    existing_names: int = 0  # creates that wait for a decision because the seal name exists
    creates: int = 0  # that were sent, whatever became of them


NO_SEALS = SealCounts()


def check_plan(
    guards: GuardLimits,
    ledger: Ledger,
    record: RunRecord,
    *,
    newcomers: Mapping[str, str | None],
    people: int,
    seal_counts: SealCounts,
    files: Sequence[FileReport],
    paths: PathDigests,
    emptied_folders: Sequence[str] = (),
) -> Halt | None:
    """Return why the run does not begin, if it does not. People are counted, not rows: a person in two rosters is one.

    ``newcomers`` are the ids of the rows to send whose person the ledger does not know, with the person's key; ``people`` are
    those of all rows; ``emptied_folders`` the folders that hold no roster and held one before. A ledger without a seal and
    without a create knows too few people for the other two guards: nothing was made of an earlier roster.
    """
    if not guards.are_accepted and (halt := get_missing_rosters_halt(emptied_folders)):
        return halt
    if halt := _check_new_people(newcomers, guards, ledger, record, seal_counts.live):
        return halt
    if not (seal_counts.live or seal_counts.creates):
        return None
    return _check_shrunk_roster(people, guards, ledger, record, files, paths=paths)


def get_untrusted_answer_halt(people: Iterable[Person]) -> Halt | None:
    """Return why nothing is sent while an answer with another person's SealId is unresolved: no answer can be trusted."""
    attempts = (person.unresolved_attempt for person in people)
    if any(attempt is not None and attempt.code == SEAL_ID_REUSED for attempt in attempts):
        return Halt(SEAL_ID_REUSED, "an answer with another person's SealId is unresolved", 4)
    return None


def get_missing_rosters_halt(emptied_folders: Sequence[str]) -> Halt | None:
    """Return why a run stops whose roster folders are empty or gone: a share that is not mounted looks the same."""
    if not emptied_folders:
        return None
    missing = [folder for folder in emptied_folders if not Path(folder).exists()]
    empty = [folder for folder in emptied_folders if folder not in missing]
    states = {"missing": ", ".join(missing), "empty": ", ".join(empty)}
    detail = {state: folders for state, folders in states.items() if folders}
    return Halt("ROSTER_MISSING", ", ".join(emptied_folders), 5, detail)


def _check_new_people(
    newcomers: Mapping[str, str | None],
    guards: GuardLimits,
    ledger: Ledger,
    record: RunRecord,
    live_seals: int,
) -> Halt | None:
    """Stop a run with too many people that no earlier run has seen; in a first run, without seals, all are new."""
    if guards.new_rows is None or not live_seals:
        return None
    most = max(guards.new_rows, int(NEW_SHARE * live_seals))
    if len(newcomers) <= most:
        return None
    seen_rows = ledger.list_seen_rows(newcomers)
    new_keys = {key for row_id, key in newcomers.items() if row_id not in seen_rows}
    if len(new_keys) <= most:
        return None
    seen_people = frozenset().union(*(_list_people(ledger, last) for last in _list_last_runs(ledger, record)))
    new_people = len(new_keys - seen_people)
    return Halt("TOO_MANY_NEW", f"{new_people} > {most}", 5) if new_people > most else None


def _check_shrunk_roster(
    people: int,
    guards: GuardLimits,
    ledger: Ledger,
    record: RunRecord,
    files: Sequence[FileReport],
    *,
    paths: PathDigests,
) -> Halt | None:
    """Stop a run that lacks too many people of the last runs; the rows of an unread file have not gone away.

    A run that had something to send and sent nothing counts only where its guards were accepted.
    Where a file was not read, the newest run counts alone, without the rows of that file; a file that it does not name
    may be one of its files under another name, so that nothing can be compared. The rows of a file that is not opened
    because of its name do not count either; those of a roster that its marked copy replaces do.
    """
    unread_files = [paths.digest(report.path) for report in files if report.status != "read"]
    left_out = [
        paths.digest(report.path) for report in files if report.status == "read" and report.sha256 is None
    ]
    if guards.shrunk is None:
        return None
    kept_share = 1 - guards.shrunk
    last_runs = _list_last_runs(ledger, record, only_sent=True)
    if unread_files:
        last_runs = [last for last in last_runs[:1] if all(map(last.list_rows_paths, unread_files))]
    larger = [last for last in last_runs if people < kept_share * last.rows]
    uncounted = (*unread_files, *left_out)
    last_people = max((len(_list_people(ledger, last, uncounted)) for last in larger), default=0)
    if (last_people >= FEW_PEOPLE or not people) and people < kept_share * last_people:
        return Halt("ROSTER_SHRUNK", f"{last_people} → {people}", 5)
    return None


@dataclass(frozen=True, slots=True)
class LastRun:
    """An earlier run that shows who was in its rosters."""

    run: str
    rows: int  # never fewer than its people
    files: Sequence[Mapping[str, str]]  # as recorded
    is_complete: bool  # it read every file of its rosters

    def list_rows_paths(self, file: str) -> list[str]:
        """Return, of the file with this digest, the digest of the path in its rows; none where the run did not read it."""
        return [known["rows"] for known in self.files if is_same_path(known["path"], file)]


def select_last_runs(runs: Iterable[RunRecord]) -> Iterator[LastRun]:
    """Yield which of these runs, the newest first, show who was in the rosters: one or two, none of `retry`.

    The first is the newest that no guard stopped before its first call, for instance an accepted one. A run that was
    stopped or killed later on, or limited, counts once its end was entered: it read the rosters all the same. Where a
    file of that run was not read, the newest one that read every file follows: it has the people of the unread file.
    """
    is_newest = True
    for run in runs:
        if run.command != "run" or not run.finished or not run.record:
            continue
        content = json.loads(run.record)
        if not content["files"] or (content.get("halted") or {}).get("code") in PLAN_GUARDS:
            continue
        is_complete = not list_unread_files(content)
        if is_newest or is_complete:
            files = [file["digests"] for file in content["files"]]
            yield LastRun(run.run, int(content["rows"]), files, is_complete)
        if is_complete:
            return
        is_newest = False


def list_unread_files(content: Mapping[str, Any]) -> list[str]:
    """Return the paths of the files that a run did not read in whole, by its run.json.

    A file with codes was read in part: who is missing was confirmed where the guards were accepted.
    """
    are_accepted = bool(content.get("accepted_guards"))
    return [
        file["path"]
        for file in content.get("files", ())
        if file["status"] != "read" or (file["codes"] and not are_accepted)
    ]


def _has_sent(run: RunRecord) -> bool:
    """Return whether a run sent a create, knew all its people from earlier ones, or had its guards accepted."""
    content = run.content
    statuses, requests = content.get("statuses", {}), content.get("requests", {})
    if content.get("accepted_guards") or any(product.create in requests for product in PRODUCTS.values()):
        return True
    return not statuses.get(Status.NOT_SENT) and any(statuses.get(status) for status in SENT_BEFORE)


def _list_last_runs(ledger: Ledger, record: RunRecord, *, only_sent: bool = False) -> list[LastRun]:
    """Return the last runs over the same rosters, as `select_last_runs` selects them; ``only_sent``: that left not all unsent."""
    last_runs: list[LastRun] = []
    for limit in (RUNS_SEARCHED, ALL_RUNS):
        runs = ledger.list_runs(limit)
        last_runs = list(
            select_last_runs(
                run
                for run in runs
                if reads_same_rosters(run, record.rosters) and (not only_sent or _has_sent(run))
            )
        )
        if len(runs) < limit or any(last.is_complete for last in last_runs):
            break
    return last_runs


def _list_people(ledger: Ledger, last: LastRun, left_out: Iterable[str] = ()) -> frozenset[Hashable]:
    """Return the people of a run's rows, but for some files; where a number could not be used, the name is the person."""
    rows = ledger.list_rows(last.run)
    unseen = {path for file in left_out for path in last.list_rows_paths(file)}
    if unseen:
        rows = [row for row in rows if ledger.site_key.digest(row.read_line().path) not in unseen]
    return frozenset(row.key or row.read_line().get(Field.NAME) or row.row_id for row in rows)


def has_read_rosters(run: RunRecord) -> bool:
    """Return whether a run read any roster; one that was killed before it recorded its rosters counts."""
    return not run.record or bool(json.loads(run.record)["files"])


def has_read_any(run: RunRecord, paths: Iterable[str]) -> bool:
    """Return whether a run was given one of the rosters or folders with these digests, or has read one of these files."""
    known = [*run.rosters, *(file["digests"]["path"] for file in run.content.get("files", ()))]
    return any(is_same_path(path, one) for path in paths for one in known)


def list_emptied_folders(request: RunRequest, ledger: Ledger | None) -> list[str]:
    """Return the roster folders that hold no roster, or are gone, and in which an earlier run read one."""
    if ledger is None:
        return []
    folders = [*request.missing_folders, *list_empty_folders(request.rosters)]
    return list_used_folders(folders, ledger, request.make_path_digests(ledger.site_key))


def list_used_folders(folders: Sequence[Path], ledger: Ledger, paths: PathDigests) -> list[str]:
    """Return those of the folders in which an earlier run read a roster."""
    runs = ledger.list_runs(ALL_RUNS) if folders else []
    used = []
    for folder in folders:
        digest = paths.digest(folder)
        if any(_has_read_in(run, digest) for run in runs):
            used.append(str(folder))
    return used


def _has_read_in(run: RunRecord, folder: str) -> bool:
    """Return whether a run read a roster in the folder with this digest."""
    if not run.record:  # killed before it recorded its rosters
        return True
    if not _reads_roster(run, folder):
        return False
    files = run.content["files"]
    if len(run.rosters) == 1:
        return bool(files)
    return any(is_same_path(folder, file["digests"]["folder"]) for file in files)


def reads_same_rosters(run: RunRecord, rosters: Sequence[str]) -> bool:
    """Return whether an earlier run read the rosters with these digests."""
    return len(run.rosters) == len(rosters) and all(_reads_roster(run, roster) for roster in rosters)


def _reads_roster(run: RunRecord, roster: str) -> bool:
    """Return whether the roster with this digest is one that a run was given."""
    return any(is_same_path(roster, known) for known in run.rosters)


def compute_deadline(guards: GuardLimits, now: datetime) -> datetime | None:
    """Return the moment at which a run that begins ``now`` (with its zone) has to stop."""
    if guards.deadline is None:
        return None
    today = now.replace(
        hour=guards.deadline.hour, minute=guards.deadline.minute, second=guards.deadline.second, microsecond=0
    )
    return today if today > now else today + timedelta(days=1)


@dataclass(slots=True)
class RunGuards:
    """Counts the answers of a run, and stops it where they have too much in common."""

    guards: GuardLimits = GuardLimits()
    own_seals: int = 0  # as in SealCounts, those of this run included
    existing_names: int = 0
    resend_budget: float = RESEND_BUDGET
    # codes of the last definite answers; None: a seal was made
    _refusals: deque[str | None] = field(default_factory=lambda: deque(maxlen=LAST_ANSWERS))
    _definite_answers: int = 0
    _unknown_rows: int = 0

    def count_outcome(self, status: Status, code: str | None) -> Halt | None:
        """Count a row that was sent; return why the run stops, if it does."""
        if status is Status.UNKNOWN:
            self._unknown_rows += 1
            if self.guards.unknown is not None and self._unknown_rows > self.guards.unknown:
                return Halt("TOO_MANY_UNKNOWN", str(self._unknown_rows), 5)
        elif status is Status.SEALED:
            if self.resend_budget < RESEND_BUDGET:
                self.resend_budget += 1
            self.own_seals += 1
            return self._count_definite_answer(None)
        elif status is Status.EXISTS:
            return self._count_existing_name() or self._count_definite_answer(NAME_EXISTS)
        elif status is Status.FAILED:
            return self._count_definite_answer(code or "")
        return None

    def count_resend(self, reason: str) -> Halt | None:
        """Count a call that is made again, after a ``transport`` fault or a ``throttle``."""
        self.resend_budget -= RESEND_COSTS[reason]
        return Halt("ATTEMPT_BUDGET", "", 5) if self.resend_budget < 0 else None

    def _count_existing_name(self) -> Halt | None:
        """Stop a run if the ledger has made few seals and several seal names existed already, in this or an earlier run."""
        self.existing_names += 1
        is_new_ledger = self.own_seals < FIRST_ANSWERS
        if not self.guards.are_accepted and is_new_ledger and self.existing_names >= EXISTING_NAMES:
            return Halt("SEALS_EXIST", str(self.existing_names), 5)
        return None

    def _count_definite_answer(self, refusal: str | None) -> Halt | None:
        self._refusals.append(refusal)
        self._definite_answers += 1
        if self.guards.are_accepted or refusal is None:
            return None
        code, times = Counter(self._refusals).most_common(1)[0]
        is_all_of_first = self._definite_answers == FIRST_ANSWERS == times
        is_most_of_last = len(self._refusals) == LAST_ANSWERS and times >= MAX_SAME_REFUSALS
        if code is None or not (is_all_of_first or is_most_of_last):
            return None
        return Halt("SAME_REFUSAL", f"{times} × {code}", 5)
