"""One doctor's timeline: who it is, the present status, and what runs and people did about it, oldest first.

`explain --json` shows these values; the names of their fields are its keys (of a moment ``at``). Moments are local ISO 8601, personal data is
masked already.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as _field

from pipeline.clock import stamp
from pipeline.domain.auto_sign import AutoSignRecord, AutoSignState
from pipeline.domain.masking import mask_answer, mask_text
from pipeline.domain.roster import Field, Problem
from pipeline.domain.row_record import RecordedPicture, RecordedProblem, RowLine
from pipeline.domain.run import Status, has_doubtful_picture, is_held_problem, is_redundant_copy
from pipeline.domain.seals import UPLOAD_REFUSED, Attempt
from pipeline.ledger.decisions import GIVE_PICTURE, WITHDRAW_PICTURE
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Decision, LastDecision, PersonRecords, RowHistoryEntry, RunRecord
from pipeline.messages.catalogue import load_texts
from pipeline.messages.problems import load_problem
from pipeline.reports.next_steps import CommandLine
from pipeline.reports.person_step import PersonState

# of the fields that results show: those that have a place of their own here, and what only explains another one
_OWN_FIELDS = frozenset(
    {Field.NAME, Field.NUMBER, Field.ID_TYPE, Field.MOBILE, Field.STAFF_NO, Field.SEAL_NAME}
)
_WELL = frozenset({Status.SEALED, Status.UNCHANGED})
_WITH_SEAL = frozenset({Status.SEALED, Status.UNCHANGED, Status.CHANGED})
# of several rows of a person the last of these counts most; a spare copy is rejected and counts least
_BY_WEIGHT = (Status.REJECTED, Status.NOT_SENT, Status.READY, Status.FAILED)
_ON_CHANGES = frozenset({"keep", "replace"})  # kinds of decisions on a row that differs from its seal
# kinds of decisions whose detail holds nothing personal
_WITH_DETAIL = frozenset({"replace", GIVE_PICTURE, WITHDRAW_PICTURE})


@dataclass(frozen=True, slots=True)
class RecordedRow:
    """How a row of a run ended, as the run recorded it."""

    status: Status
    problems: tuple[WrittenProblem, ...]

    @property
    def errors(self) -> tuple[Problem, ...]:
        """The problems that kept the row from being sent."""
        return tuple(problem for problem in self.problems if problem.severity == "error")

    @property
    def has_held_image(self) -> bool:
        """Whether its picture may be an earlier doctor's."""
        return any(map(is_held_problem, self.errors))


@dataclass(frozen=True, slots=True)
class SeenRow(RecordedRow):
    """A row of a roster, which was the same over one run or several."""

    path: str
    sheet: str | None
    row: int
    row_id: str | None
    until: str  # when the last of these runs began
    runs: int  # how many
    is_redundant: bool  # it only repeats a row that is sent
    changes: tuple[Mapping[str, str], ...]
    picture: RecordedPicture | None
    service: Mapping[str, str | None] | None

    def list_files(self) -> list[str]:
        """Return the paths of the roster and of the picture."""
        return [self.path, *([self.picture.path] if self.picture else [])]


@dataclass(frozen=True, slots=True)
class WrittenProblem(Problem):
    """A problem as a run recorded it; ``written`` is its sentence, where the record holds nothing to make it of again."""

    written: str | None = None


@dataclass(frozen=True, slots=True)
class SentCreate:
    """A create that was sent, or an upload that was refused, and what became of it."""

    moment: str
    what: str  # create | upload
    seal_name: str
    host: str
    trace_id: str
    verdict: str | None  # None: no answer yet
    code: str | None
    message: str | None
    http_status: int | None
    request_id: str | None
    seal_id: str | None
    wait_seconds: float | None
    settled_by: str | None  # id of the decision


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One run, with the doctor's rows and what was sent for them."""

    moment: str
    what: str = _field(default="run", init=False)
    run: str
    command: str | None  # None: the ledger does not know this run any more
    exit: int | None
    under_way: bool
    cut_short: bool
    halted: Mapping[str, str] | None
    restrictions: tuple[str, ...]  # see `RunReport`
    rows: tuple[SeenRow, ...]  # the row that was sent first
    creates: tuple[SentCreate, ...]


@dataclass(frozen=True, slots=True)
class DecisionEntry:
    """One decision of a person."""

    moment: str
    what: str = _field(default="decision", init=False)
    id: str
    kind: str
    who: str
    why: str
    trace_id: str | None
    seal_id: str | None
    detail: str | None
    withdraws: str | None  # of a withdrawal: the id of the decision that it withdraws
    withdrawn: bool
    withdrawable: bool  # now


@dataclass(frozen=True, slots=True)
class PresentSeal:
    """The live seal."""

    seal_id: str
    seal_name: str | None
    source: str  # sent | resolved | adopted
    moment: str
    request_id: str | None
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Signing:
    """Whether the doctor could sign when the service last answered, or was last asked where it never answered."""

    state: AutoSignState
    moment: str
    license_to: str | None


@dataclass(frozen=True, slots=True)
class LastSeen:
    """Where the newest run saw the doctor's row."""

    path: str
    sheet: str | None
    row: int
    run: str
    moment: str


@dataclass(frozen=True, slots=True)
class PersonTimeline:
    """A doctor: identity, present status, and every entry, oldest first."""

    key: str | None
    name: str | None = _field(repr=False)
    staff_no: str | None
    id_masked: str | None
    status: Status
    seal_name: str | None  # fixed at the first create, else the one that was planned
    other_names: tuple[str, ...] = _field(repr=False)
    mobile_masked: str | None
    other_values: Mapping[Field, str] = _field(repr=False)  # of the further fields that results show
    seal_name_frozen: bool
    seal: PresentSeal | None
    signing: Signing | None  # None: no seal, or the service was never asked
    creates: int  # that were sent
    seen: LastSeen | None
    gone: bool  # the newest runs do not see the doctor any more
    doubtful_picture: (
        bool  # the newest run found pictures of which it is not known whether they are the sealed doctor's
    )
    history: tuple[RunEntry | DecisionEntry, ...] = _field(repr=False)
    # what the next step depends on as well
    newest_row: SeenRow | None = _field(repr=False)
    open_create: Attempt | None  # nothing is sent before it is resolved
    contradicting: tuple[str, ...]  # SealIds of which one is to be chosen
    last_decision: LastDecision | None
    refused_create: Attempt | None  # the last create, where the service refused it
    is_run_under_way: bool  # a run that knows the doctor has not ended

    def make_state(
        self, command_line: CommandLine, get_run: Callable[[str], RunRecord | None]
    ) -> PersonState:
        """Return what the next step depends on; ``get_run`` returns the record of a run by its id."""
        return PersonState(
            command_line=command_line,
            status=self.status,
            row=self.newest_row,
            is_gone=self.gone,
            is_run_under_way=self.is_run_under_way,
            open_create=self.open_create,
            contradicting=self.contradicting,
            seal_id=self.seal.seal_id if self.seal else None,
            refusal_code=(self.refused_create.code if self.refused_create else None) or "",
            last_run=get_run(self.seen.run) if self.seen else None,
        )

    @property
    def rows(self) -> list[SeenRow]:
        """The rows of all runs, oldest first."""
        return [row for entry in self.history if isinstance(entry, RunEntry) for row in entry.rows]


def build_timeline(
    person: PersonRecords, *, get_run: Callable[[str], RunRecord | None], run_under_way: str | None = None
) -> PersonTimeline:
    """Build a timeline; ``get_run`` returns what is known of a run, ``run_under_way`` has not ended yet."""
    rows = sorted(person.rows, key=_rank_newness, reverse=True)
    newest = rows[0] if rows else None
    newest_row = _make_row(newest) if newest else None
    lines = [row.row.read_line() for row in rows]
    values = _get_values(lines)
    names = [
        *(line.get(Field.NAME) for line in lines),
        *(create.sent_name for create in person.attempts[::-1]),
    ]
    known_names = list(dict.fromkeys(filter(None, (*names, person.name))))
    sent = [create for create in person.attempts if not create.is_adopted]
    last_create = sent[-1] if sent else None
    history = _build_history(person, get_run, run_under_way)
    status = _compute_status(person, newest)
    return PersonTimeline(
        key=person.key,
        name=known_names[0] if known_names else None,
        staff_no=values.get(Field.STAFF_NO),
        id_masked=values.get(Field.NUMBER) or person.id_masked,
        status=status,
        seal_name=person.seal_name or _get_planned_name(person, values),
        other_names=tuple(known_names[1:]),
        mobile_masked=values.get(Field.MOBILE),
        other_values={field: text for field, text in values.items() if field not in _OWN_FIELDS},
        seal_name_frozen=person.seal_name is not None,
        seal=_make_seal(person.live_seal) if person.live_seal else None,
        signing=_make_signing(person.auto_sign) if person.auto_sign and person.live_seal else None,
        creates=sum(create.was_sent for create in person.attempts),
        seen=_make_last_seen(newest_row, newest) if newest_row and newest else None,
        gone=bool(person.rows) and not any(row.is_current for row in person.rows),
        doubtful_picture=status is Status.UNCHANGED
        and newest_row is not None
        and has_doubtful_picture(newest_row),
        history=history,
        newest_row=newest_row,
        open_create=person.open_create,
        contradicting=tuple(person.person.contradicting_seal_ids) if person.person else (),
        last_decision=person.last_decision,
        refused_create=last_create if last_create and last_create.verdict == "refused" else None,
        is_run_under_way=any(isinstance(entry, RunEntry) and entry.under_way for entry in history),
    )


def _compute_status(person: PersonRecords, newest_row: RowHistoryEntry | None) -> Status:
    """Return the present status of a person: what the ledger holds counts first, then the newest run."""
    open_create = person.open_create
    if open_create is not None:
        return Status.EXISTS if open_create.verdict == "exists" else Status.UNKNOWN
    row_status = Status(newest_row.row.status) if newest_row else None
    seen_at = newest_row.last_started if newest_row else float("inf")
    is_decided_since = any(one.counts and one.decided_at > seen_at for one in person.decisions)
    if person.live_seal is not None:
        if any(one.kind in _ON_CHANGES and (one.withdrawn_at or 0) > seen_at for one in person.decisions):
            row_status, is_decided_since = Status.CHANGED, False  # the row that was decided on
        if row_status is None or row_status not in _WITH_SEAL or is_decided_since:
            return Status.SEALED
        return row_status
    if is_decided_since:
        return Status.NOT_SENT  # not created, or given up: the next run sends it
    if row_status is None or row_status is Status.READY:  # no run has ended with it: the ledger counts
        is_refused = bool(person.attempts) and person.attempts[-1].verdict == "refused"
        return Status.FAILED if is_refused else Status.NOT_SENT
    return row_status if row_status in _BY_WEIGHT else Status.NOT_SENT


def _rank_newness(row: RowHistoryEntry) -> tuple[float, int, float]:
    """Order rows by what counts: the newest run, in it the row that was sent, then the row that is newer."""
    return row.last_started, _rank_weight(row), row.first_started


def _rank_weight(row: RowHistoryEntry) -> int:
    status = Status(row.row.status)
    return _BY_WEIGHT.index(status) if status in _BY_WEIGHT else len(_BY_WEIGHT)


def _get_values(lines: Sequence[RowLine]) -> dict[Field, str]:
    """Return the newest value of each field that a row has had."""
    values: dict[Field, str] = {}
    for line in lines:
        for field, text in line.values.items():
            if text:
                values.setdefault(field, text)
    return values


def _get_planned_name(person: PersonRecords, values: Mapping[Field, str]) -> str | None:
    """Return the seal name of the newest row; None where a decision since has found it to be another person's."""
    of_others = {one.attempt for one in person.decisions if one.kind == "not_theirs" and one.counts}
    names = {create.seal_name for create in person.attempts if create.uuid in of_others}
    planned = values.get(Field.SEAL_NAME)
    return None if planned in names else planned


def _build_history(
    person: PersonRecords, get_run: Callable[[str], RunRecord | None], run_under_way: str | None
) -> tuple[RunEntry | DecisionEntry, ...]:
    """Join what belongs to one run; each decision is an entry of its own."""
    rows: defaultdict[str, list[RowHistoryEntry]] = defaultdict(list)
    creates: defaultdict[str, list[Attempt]] = defaultdict(list)
    for row in person.rows:
        rows[row.first_run].append(row)
    for create in person.attempts:
        if not create.is_adopted:
            creates[create.run].append(create)
    moments_and_entries: list[tuple[float, RunEntry | DecisionEntry]] = []
    for run in {*rows, *creates}:
        record = get_run(run)
        moments = [row.first_started for row in rows[run]] + [create.signed_at for create in creates[run]]
        moment = record.started if record else min(moments)
        entry = _make_run(
            run, record, rows[run], creates[run], moment=moment, is_under_way=run == run_under_way
        )
        moments_and_entries.append((moment, entry))
    last = person.last_decision
    last_id = last.decision.id if last is not None and last.can_be_withdrawn else None
    for decision in (*person.decisions, *person.picture_decisions):
        decided = make_decision_entry(decision, withdrawable=decision.id == last_id)
        moments_and_entries.append((decision.decided_at, decided))
    moments_and_entries.sort(key=lambda moment_and_entry: moment_and_entry[0])
    return tuple(entry for _, entry in moments_and_entries)


# -- the rows of one run


def list_open_rows(record: RunRecord, ledger: Ledger | None) -> list[RecordedRow]:
    """Return the rows that a run left open, but for those of people on whom a decision was taken since.

    Where the ledger has none of its rows, only their statuses are known.
    """
    rows = ledger.list_open_rows(record.run, _WELL) if ledger else None
    if rows is None or ledger is None:
        statuses = record.content.get("statuses", {})
        return [RecordedRow(Status(status), ()) for status, n in statuses.items() for _ in range(n)]
    decisions = ledger.list_decisions()
    decided = {
        decision.key for decision in decisions if decision.decided_at > record.started and decision.counts
    }
    return [
        RecordedRow(Status(row.status), tuple(map(_make_problem, row.read_line().problems)))
        for row in rows
        if row.key is None or row.key not in decided
    ]


# -- one entry each


def _make_run(
    run: str,
    record: RunRecord | None,
    rows: Iterable[RowHistoryEntry],
    creates: Iterable[Attempt],
    *,
    moment: float,
    is_under_way: bool,
) -> RunEntry:
    content = record.content if record else {}
    halted = content.get("halted")
    return RunEntry(
        moment=stamp(moment),
        run=run,
        command=record.command if record else None,
        exit=record.exit if record else None,
        under_way=is_under_way,
        cut_short=record is not None and record.finished is None and not is_under_way,
        halted=load_texts(halted) if halted else None,
        restrictions=tuple(content.get("restrictions", ())),
        rows=tuple(_make_row(row) for row in sorted(rows, key=_rank_weight, reverse=True)),
        creates=tuple(_make_create(create) for create in creates),
    )


def _make_row(entry: RowHistoryEntry) -> SeenRow:
    line = entry.row.read_line()
    shown = line.to_dict()
    row = SeenRow(
        status=Status(entry.row.status),
        problems=tuple(map(_make_problem, line.problems)),
        path=line.path,
        sheet=line.sheet,
        row=line.row,
        row_id=entry.row.row_id,
        until=stamp(entry.last_started),
        runs=entry.runs,
        is_redundant=False,
        changes=tuple(shown["changes"]),
        picture=line.picture,
        service=shown["service"],
    )
    return replace(row, is_redundant=is_redundant_copy(row))


def _make_problem(recorded: RecordedProblem) -> WrittenProblem:
    """Return a problem, with what its sentence is made of where the record holds it."""
    problem = load_problem(recorded)
    written = recorded.message if recorded.detail is None else None
    return WrittenProblem(
        problem.code, problem.severity, problem.field, problem.cell, problem.detail, written=written
    )


def _make_create(create: Attempt) -> SentCreate:
    is_answered = bool(create.code or create.request_id or create.http_status)
    wait_seconds = None
    if create.settled_at is not None and create.contract != UPLOAD_REFUSED and is_answered:
        wait_seconds = round(max(0.0, create.settled_at - create.signed_at), 3)
    return SentCreate(
        moment=stamp(create.signed_at),
        what="upload" if create.contract == UPLOAD_REFUSED else "create",
        seal_name=create.seal_name,
        host=create.host,
        trace_id=create.uuid,
        verdict=create.verdict,
        code=create.code,
        message=mask_answer(create.message) if create.message else None,
        http_status=create.http_status,
        request_id=create.request_id,
        seal_id=create.seal_id,
        wait_seconds=wait_seconds,
        settled_by=create.decision,
    )


def make_decision_entry(decision: Decision, *, withdrawable: bool) -> DecisionEntry:
    """Return a decision as the history shows it."""
    return DecisionEntry(
        moment=stamp(decision.decided_at),
        id=decision.id,
        kind=decision.kind,
        who=decision.who,
        why=mask_text(decision.why),
        trace_id=decision.attempt,
        seal_id=decision.seal_id,
        detail=decision.detail if decision.kind in _WITH_DETAIL else None,
        withdraws=decision.withdraws,
        withdrawn=decision.withdrawn_at is not None,
        withdrawable=withdrawable,
    )


def _make_seal(seal: Attempt) -> PresentSeal:
    return PresentSeal(
        seal_id=seal.seal_id or "",
        seal_name=seal.seal_name or None,
        source=seal.source,
        moment=stamp(seal.made_at),
        request_id=seal.request_id,
        trace_id=seal.trace_id,
    )


def _make_signing(record: AutoSignRecord) -> Signing:
    moment = record.asked_at if record.answered_at is None else record.answered_at
    return Signing(
        state=record.get_state(moment),
        moment=stamp(moment),
        license_to=None if record.license_to is None else stamp(record.license_to),
    )


def _make_last_seen(row: SeenRow, entry: RowHistoryEntry) -> LastSeen:
    return LastSeen(
        path=row.path, sheet=row.sheet, row=row.row, run=entry.last_run, moment=stamp(entry.last_started)
    )
