"""Another ledger than the SQLite one: dictionaries behind the same Protocol, with the same guards.

It stands for an implementation on a database server: facts are tuples in tables, every write is one transaction on
copies of them that either takes effect whole or not at all. What it does not have is a disk.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field, fields, replace

from pipeline.domain.auto_sign import AutoSignAnswer, AutoSignCall, AutoSignRecord, CallEnd
from pipeline.domain.roster import FileStat
from pipeline.domain.run import PLAN_GUARDS, Judged, Judgement
from pipeline.domain.seals import (
    Bearer,
    CreateAttempt,
    GivenPicture,
    LedgerSnapshot,
    LiveSeal,
    PersonDigests,
    PersonHistory,
    SealContent,
    Verdict,
)
from pipeline.ledger.protocol import (
    UPLOAD_REFUSED,
    WITHOUT_DECISION,
    AdoptedSeal,
    Attempt,
    Decision,
    Ledger,
    LedgerConflict,
    RowRecord,
    RunRecord,
)

EVIDENCE = {  # decisions from which nothing follows
    *("certify_sent", "certify", "certify_failed", "certify_void"),
    *WITHOUT_DECISION,
}
NO_REASON = (None, "", "FailedOperation", "FailedOperation.ExistSameSealName")
SAME_NAME = ("同名", "重名", "已存在")


@dataclass(frozen=True)
class Sent:
    """One attempt, its verdict once there is one, and the kind of the decision that has settled it."""

    number: int
    attempt: Attempt
    verdict: Verdict | None = None
    decided: str | None = None

    @property
    def open(self) -> bool:
        return not self.decided and (self.verdict is None or self.verdict.kind in {"unknown", "exists"})

    @property
    def surely_refused(self) -> bool:
        if self.attempt.contract == UPLOAD_REFUSED:
            return True
        if self.verdict is None or self.verdict.kind not in {"refused", "not_executed"}:
            return False
        named = any(word in (self.verdict.message or "") for word in SAME_NAME)
        return self.verdict.kind == "not_executed" or (self.verdict.code not in NO_REASON and not named)

    @property
    def may_have_left(self) -> bool:
        """Whether a create may have left."""
        never = self.verdict and self.verdict.kind == "not_executed" and self.verdict.http_status is None
        return self.attempt.contract != UPLOAD_REFUSED and not never

    def make_record(self) -> CreateAttempt:
        verdict, attempt = self.verdict or Verdict("unknown"), self.attempt
        return CreateAttempt(
            attempt.uuid,
            attempt.run,
            verdict.kind,
            attempt.signed_at,
            attempt.host,
            attempt.content,
            verdict.code,
            verdict.message,
            verdict.request_id,
            verdict.seal_id,
            attempt.dead_at,
        )


@dataclass(frozen=True)
class Seal:
    """One seal that a person has or had."""

    key: str
    live: LiveSeal
    after: int  # number of the last attempt before it
    ended: bool = False


@dataclass
class Tables:
    """Everything the ledger holds; the values are frozen, so that a copy of the containers is a copy of it all."""

    people: dict[str, str | None] = field(default_factory=dict)  # key -> frozen seal name
    names: dict[str, str] = field(default_factory=dict)  # seal name -> key
    sent: dict[str, Sent] = field(default_factory=dict)  # by uuid, in order
    seals: dict[str, Seal] = field(default_factory=dict)  # by SealId
    decisions: list[Decision] = field(default_factory=list)
    runs: dict[str, RunRecord] = field(default_factory=dict)  # in the order they began
    seen: dict[str, dict[str, RowRecord]] = field(default_factory=dict)  # run -> row_id -> row
    files: dict[str, FileStat] = field(default_factory=dict)
    judged: dict[str, Judgement] = field(default_factory=dict)  # by what was looked at
    bearers: list[Bearer] = field(default_factory=list)
    known_by: dict[str, tuple[str | None, str, str, str]] = field(
        default_factory=dict
    )  # key -> name, masked number, staff number, mobile
    same: dict[str, str] = field(default_factory=dict)  # key of a corrected number -> key
    other: frozenset[tuple[str, str]] = frozenset()
    auto_sign: dict[str, AutoSignRecord] = field(default_factory=dict)  # by key
    calls: dict[str, AutoSignCall] = field(default_factory=dict)  # by uuid, in order
    former: list[tuple[str, SealContent | None]] = field(
        default_factory=list
    )  # what seals were compared with before

    def copy(self) -> Tables:
        copies = {table.name: copy(getattr(self, table.name)) for table in fields(self)}
        copies["seen"] = {run: dict(rows) for run, rows in self.seen.items()}
        return Tables(**copies)

    def live(self, key: str) -> tuple[str, Seal] | None:
        return next((seal for seal in self.seals.items() if seal[1].key == key and not seal[1].ended), None)

    def of(self, key: str) -> list[Sent]:
        return [sent for sent in self.sent.values() if sent.attempt.key == key]

    def frozen(self, key: str) -> bool:
        """Whether the next create must bear the person's present seal name."""
        seals = [seal.after for seal in self.seals.values() if seal.key == key]
        since = [sent for sent in self.of(key) if sent.number > max(seals, default=0)]
        refused = [
            sent
            for sent in since
            if sent.verdict
            and (sent.verdict.kind == "refused" or self.disowned(sent))
            and sent.attempt.contract != UPLOAD_REFUSED
        ]
        harmless = all(sent.surely_refused or self.disowned(sent) for sent in since)
        return not harmless or (bool(seals) and not refused)

    def disowned(self, sent: Sent) -> bool:
        """Whether the seal of its name was found to be another person's, then or later."""
        return any(
            later.decided == "not_theirs"
            and later.number >= sent.number
            and later.attempt.seal_name == sent.attempt.seal_name
            for later in self.of(sent.attempt.key)
        )

    def spare(self, name: str) -> bool:
        """Whether the owner's every create under a name was surely refused, before the owner's first seal."""
        owner = self.names[name]
        under = [sent for sent in self.of(owner) if sent.attempt.seal_name == name]
        if not under or not all(sent.surely_refused or self.disowned(sent) for sent in under):
            return False
        seals = [seal for seal in self.seals.values() if seal.key == owner]
        return not any(seal.live.seal_name == name or seal.after < under[0].number for seal in seals)

    def own_name(self, key: str, name: str) -> None:
        if self.names.setdefault(name, key) != key:
            raise LedgerConflict("seal_name")

    def pass_on(self, key: str, name: str) -> None:
        """Let a name that nobody can bear be this person's."""
        owner = self.names.get(name, key)
        if owner != key and self.spare(name):
            self.names[name] = key
            if self.people[owner] == name:
                self.people[owner] = None

    def add_seal(self, key: str, live: LiveSeal, after: int) -> None:
        if not live.seal_id:
            raise LedgerConflict("a seal without a SealId")
        if live.seal_id in self.seals:
            raise LedgerConflict("seal_id")
        if self.live(key):
            raise LedgerConflict("live_seal")
        if any(sent.open for sent in self.of(key)):
            raise LedgerConflict("open_attempt")
        self.seals[live.seal_id] = Seal(key, live, after)

    def note_digests(self, key: str, staff_no: str, mobile: str) -> None:
        """Remember what tells a person; what is empty takes nothing back."""
        name, id_masked, *before = self.known_by[key]
        self.known_by[key] = (name, id_masked, staff_no or before[0], mobile or before[1])

    def disown(self, decision: Decision) -> None:
        """Settle an attempt whose name another person's seal has: the person's name may be chosen anew."""
        sent = self.settle_by_hand(decision)
        if sent.verdict is None or sent.verdict.kind != "exists":
            raise LedgerConflict("settled")
        self.people[sent.attempt.key] = None

    def part(self, key: str, number: str) -> None:
        """Let a number be another person's."""
        self.other |= {(key, number)}
        if self.same.get(number) == key:
            del self.same[number]

    def holds(self, key: str) -> bool:
        return self.live(key) is not None or any(sent.open for sent in self.of(key))

    def unite(self, key: str, number: str, id_masked: str | None) -> None:
        """Let a number be a person's."""
        if self.holds(number) or not self.holds(key) or number == key:
            raise LedgerConflict("same_person")
        self.same |= {entry: key for entry, owner in self.same.items() if owner == number}
        self.same[number] = key
        self.other -= {(key, number)}
        name, before, staff_no, mobile = self.known_by[key]
        self.known_by[key] = (name, id_masked or before or "", staff_no, mobile)

    def settle_by_hand(self, decision: Decision) -> Sent:
        sent = self.sent.get(decision.attempt or "")
        if sent is None or sent.attempt.key != decision.key or not sent.open or sent.verdict is None:
            raise LedgerConflict("settled")
        self.sent[sent.attempt.uuid] = replace(sent, decided=decision.kind)
        return sent

    def maker(self, sent: Sent) -> Sent | None:
        """Return the create that made the seal of a name; None where it is not known what it was made from."""
        if sent.verdict and sent.verdict.kind == "unknown":
            return sent
        made_by = [
            entry
            for entry in self.of(sent.attempt.key)
            if entry.attempt.seal_name == sent.attempt.seal_name
            and entry.number <= sent.number
            and entry.verdict
            and (entry.verdict.kind, entry.verdict.code == "FailedOperation")
            in {("unknown", False), ("unknown", True), ("refused", True)}
        ]
        return made_by[-1] if len({entry.attempt.content for entry in made_by}) == 1 else None

    def begun(self, run: str) -> RunRecord:
        if run not in self.runs:
            raise LedgerConflict("run")
        return self.runs[run]


class MemoryLedger:
    """A ledger that lives as long as its process."""

    def __init__(self) -> None:
        self._tables = Tables()
        self._lock = threading.Lock()
        self.closed = False
        self.read_in: set[str] = set()  # names of the threads that read

    @contextmanager
    def _transaction(self) -> Iterator[Tables]:
        with self._lock:
            if self.closed:
                raise RuntimeError("the ledger is closed")
            changed = self._tables.copy()
            yield changed
            self._tables = changed

    def snapshot(self) -> LedgerSnapshot:
        self.read_in.add(threading.current_thread().name)
        tables = self._tables  # never changed once it stands there
        people = {key: self._read_history(tables, key) for key in tables.people}
        spare = frozenset(name for name in tables.names if tables.spare(name))
        made = [(seal.key, seal.live.content) for seal in tables.seals.values() if seal.ended]
        former = {
            digest: key
            for key, content in (*made, *tables.former)
            if content
            for digest in (content.picture, content.pixels)
            if digest
        }
        return LedgerSnapshot(people, dict(tables.names), spare, dict(tables.same), tables.other, former)

    def _read_history(self, tables: Tables, key: str) -> PersonHistory:
        sent = tables.of(key)
        live = tables.live(key)
        last = max((seal.after for seal in tables.seals.values() if seal.key == key), default=0)
        refused = [sent_row for sent_row in sent if sent_row.verdict and sent_row.verdict.kind == "refused"]
        return PersonHistory(
            key,
            tables.people[key],
            live[1].live if live else None,
            next((sent_row.make_record() for sent_row in sent if sent_row.open), None),
            tuple(refused_row.make_record() for refused_row in refused if refused_row.number > last),
            sum(sent_row.may_have_left for sent_row in sent),
            tables.frozen(key),
            *tables.known_by[key],
            frozenset(sent_row.attempt.seal_name for sent_row in sent if sent_row.decided == "not_theirs"),
        )

    def count_receipts(self) -> int:
        return len(self._tables.sent) + len(self._tables.decisions)

    def list_request_ids(self) -> Collection[str]:
        verdicts = (sent.verdict for sent in self._tables.sent.values())
        return {verdict.request_id for verdict in verdicts if verdict and verdict.request_id}

    def list_seal_ids(self) -> Collection[str]:
        return set(self._tables.seals)

    def list_known_files(self) -> Mapping[str, FileStat]:
        return self._tables.files

    def record_files(self, stats: Mapping[str, FileStat]) -> None:
        with self._transaction() as tables:
            tables.files.update(stats)

    def begin_run(self, record: RunRecord) -> None:
        with self._transaction() as tables:
            if record.run in tables.runs:
                raise LedgerConflict("run")
            tables.runs[record.run] = record

    def record_rows(self, run: str, rows: Iterable[RowRecord]) -> None:
        with self._transaction() as tables:
            tables.begun(run)
            tables.seen.setdefault(run, {}).update({row.row_id: row for row in rows})

    def record_person_digests(self, digests: Mapping[str, PersonDigests]) -> None:
        with self._transaction() as tables:
            for key, person in digests.items():
                tables.note_digests(key, person.staff_no, person.mobile)

    async def open_attempt(self, attempt: Attempt) -> None:
        await asyncio.sleep(0)  # the way to a server; who is cancelled on it has entered nothing
        with self._transaction() as tables:
            tables.begun(attempt.run)
            if attempt.uuid in tables.sent:
                raise LedgerConflict("attempt")
            if tables.live(attempt.key):
                raise LedgerConflict("live_seal")
            earlier = tables.of(attempt.key)
            if any(sent.open for sent in earlier):
                raise LedgerConflict("open_attempt")
            tables.pass_on(attempt.key, attempt.seal_name)
            tables.own_name(attempt.key, attempt.seal_name)
            if not tables.frozen(attempt.key):
                tables.people[attempt.key] = attempt.seal_name
            if tables.people[attempt.key] != attempt.seal_name:
                raise LedgerConflict("frozen_name")
            tables.sent[attempt.uuid] = Sent(len(tables.sent) + 1, attempt)
            digests = (attempt.staff_no, attempt.content.mobile or "")
            tables.known_by[attempt.key] = (attempt.name, attempt.id_masked, *digests)

    async def record_verdict(self, uuid: str, verdict: Verdict, *, now: float) -> None:
        with self._transaction() as tables:
            sent = tables.sent.get(uuid)
            if sent is None or sent.verdict is not None:
                raise LedgerConflict("settled")
            tables.sent[uuid] = replace(sent, verdict=verdict)
            if verdict.kind == "sealed":
                self._seal(tables, sent, verdict.seal_id, now, verdict.request_id)
        await asyncio.sleep(0)  # the way back; the entry stands whoever is cancelled on it

    def finish_run(self, run: str, *, exit: int, finished: float, record: str) -> None:  # noqa: A002 - run.json's word
        with self._transaction() as tables:
            tables.runs[run] = replace(tables.begun(run), exit=exit, finished=finished, record=record)

    def get_run(self, run: str) -> RunRecord | None:
        return self._tables.runs.get(run)

    def list_runs(self, limit: int) -> list[RunRecord]:
        return list(reversed(self._tables.runs.values()))[:limit]

    def get_last_run(self, *, complete: bool = False) -> RunRecord | None:
        known = reversed(self._tables.runs.values())
        return next((run for run in known if run.finished is not None or not complete), None)

    def list_rows(self, run: str) -> list[RowRecord]:
        rows = self._tables.seen.get(run, {}).values()
        return sorted(rows, key=lambda row: (row.file, row.sheet or "", row.row, row.row_id))

    def list_staff_numbers(self) -> Mapping[str, Collection[str]]:
        tables = self._tables
        result: dict[str, set[str]] = {}
        for row in (row for rows in tables.seen.values() for row in rows.values()):
            number = json.loads(row.line).get("staff_no")
            if number and row.key is not None and tables.live(row.key):
                result.setdefault(row.key, set()).add(number)
        return result

    def list_seen_rows(self, row_ids: Collection[str]) -> set[str]:
        tables = self._tables
        counting = [rows for run, rows in tables.seen.items() if not _stopped_by_guard(tables.runs[run])]
        return {row_id for row_id in row_ids if any(row_id in rows for rows in counting)}

    def record_decision(self, decision: Decision) -> None:
        with self._transaction() as tables:
            if decision.key not in tables.people:
                raise LedgerConflict("a decision about nobody")
            self._note(tables, decision)
            match decision.kind:
                case "created":
                    self._enter_found_seal(tables, tables.settle_by_hand(decision), decision)
                case "not_created" | "probe":
                    tables.settle_by_hand(decision)
                case "not_theirs":
                    tables.disown(decision)
                case "keep":
                    seal_id, seal = _live(tables, decision.key)
                    tables.former.append((decision.key, seal.live.content))
                    kept = replace(seal.live, content=decision.content)
                    tables.seals[seal_id] = replace(seal, live=kept)
                case "replace":
                    self._replace(tables, decision.key, decision.detail or "")
                case "same_person":
                    tables.unite(decision.key, decision.detail or "", decision.id_masked)
                case "other_person":
                    tables.part(decision.key, decision.detail or "")
                case kind if kind not in EVIDENCE:
                    raise LedgerConflict(decision.kind)

    def record_adopted_seals(self, seals: Sequence[AdoptedSeal], *, now: float, who: str, why: str) -> None:
        with self._transaction() as tables:
            for seal in seals:
                frozen = tables.people.setdefault(seal.key, None)
                tables.known_by.setdefault(seal.key, (seal.name, seal.id_masked, "", ""))
                tables.note_digests(seal.key, seal.staff_no, seal.mobile)
                if seal.seal_name:
                    tables.own_name(seal.key, seal.seal_name)
                    tables.people[seal.key] = frozen or seal.seal_name
                self._note(tables, Decision("adopt", seal.key, now, who, why, seal_id=seal.seal_id))
                made = LiveSeal(seal.seal_id, seal.seal_name or "", "", now, None)
                tables.add_seal(seal.key, made, len(tables.sent))
                name, position = seal.name or "", seal.seal_name or seal.seal_id
                tables.bearers.append(
                    Bearer(
                        seal.key,
                        seal.name_key,
                        seal.staff_no,
                        seal.mobile,
                        shown_name=name,
                        position=position,
                    )
                )

    def record_judgements(self, judgements: Mapping[str, Judged], *, now: float, who: str, why: str) -> None:
        with self._transaction() as tables:
            tables.decisions.append(Decision("review", None, now, who, why))
            tables.judged.update(
                {judgement: Judgement(judged, now) for judgement, judged in judgements.items()}
            )

    def list_judgements(self) -> Mapping[str, Judgement]:
        return dict(self._tables.judged)

    def list_given_pictures(self) -> list[GivenPicture]:
        return []

    def record_bearers(self, new: Sequence[Bearer]) -> None:
        with self._transaction() as tables:
            tables.bearers += new

    def record_pixels(self, pixels: Mapping[str, str]) -> None:
        with self._transaction() as tables:
            tables.bearers = [
                replace(bearer, pixels=pixels.get(bearer.picture, bearer.pixels)) for bearer in tables.bearers
            ]

    def pictures_without_pixels(self) -> set[str]:
        return {bearer.picture for bearer in self._tables.bearers if bearer.picture and not bearer.pixels}

    def list_bearers(self, _tenant: str) -> list[Bearer]:
        return list(self._tables.bearers)

    def list_auto_sign_records(self) -> Mapping[str, AutoSignRecord]:
        tables = self._tables
        live = {seal.key: seal_id for seal_id, seal in tables.seals.items() if not seal.ended}
        return {
            key: replace(record, own_seal_id=live.get(key))
            for key, record in sorted(tables.auto_sign.items())
        }

    async def record_auto_sign_answer(self, answer: AutoSignAnswer) -> None:
        with self._transaction() as tables:
            if answer.key not in tables.people:
                raise LedgerConflict("person")
            before = tables.auto_sign.get(answer.key) or AutoSignRecord(answer.key, answer.asked_at)
            asking = {name: getattr(answer, name) for name in ("asked_at", "code", "request_id")}
            facts = {name: getattr(answer, name) for name in ("is_open", "seal_id", "license_to")}
            if answer.is_open is not None:
                asking |= {**facts, "answered_at": answer.asked_at}
            tables.auto_sign[answer.key] = replace(before, **asking)

    def list_auto_sign_calls(self) -> list[AutoSignCall]:
        return list(self._tables.calls.values())

    async def begin_auto_sign_call(self, call: AutoSignCall) -> None:
        with self._transaction() as tables:
            if call.key not in tables.people:
                raise LedgerConflict("person")
            if call.uuid in tables.calls:
                raise LedgerConflict("attempt")
            if call.by_sms and any(_sms_stands(earlier, call) for earlier in tables.calls.values()):
                raise LedgerConflict("sms")
            tables.calls[call.uuid] = call

    async def end_auto_sign_call(self, uuid: str, end: CallEnd, *, now: float) -> None:
        with self._transaction() as tables:
            call = tables.calls.get(uuid)
            if call is None or call.verdict not in {None, "unknown"}:
                raise LedgerConflict("settled")
            facts = {attribute.name: getattr(end, attribute.name) for attribute in fields(end)}
            tables.calls[uuid] = replace(call, ended_at=now, **facts)

    def record_void_links(self, uuids: Collection[str], *, now: float) -> None:
        with self._transaction() as tables:
            for uuid in uuids:
                call = tables.calls[uuid]
                tables.calls[uuid] = replace(call, void_at=call.void_at or now)

    def list_decisions(self, kind: str | None = None) -> list[Decision]:
        return [decision for decision in self._tables.decisions if kind in {None, decision.kind}]

    def close(self) -> None:
        self.closed = True

    def _seal(
        self, tables: Tables, sent: Sent, seal_id: str | None, moment: float, request: str | None
    ) -> None:
        attempt = sent.attempt
        content: SealContent = attempt.content
        made = LiveSeal(seal_id or "", attempt.seal_name, attempt.run, moment, content, request, attempt.uuid)
        tables.add_seal(attempt.key, made, sent.number)

    def _enter_found_seal(self, tables: Tables, sent: Sent, decision: Decision) -> None:
        """Enter a seal that a human found: of a create without a verdict, else made elsewhere."""
        name, seal_id = sent.attempt.seal_name, decision.seal_id or ""
        maker = tables.maker(sent)
        if maker is None:
            made = LiveSeal(seal_id, name, "", decision.decided_at, None)
        else:
            request = maker.verdict.request_id if maker.verdict else None
            attempt = maker.attempt
            made = LiveSeal(
                seal_id, name, attempt.run, decision.decided_at, attempt.content, request, attempt.uuid
            )
        tables.add_seal(sent.attempt.key, made, sent.number)

    def _replace(self, tables: Tables, key: str, name: str) -> None:
        seal_id, seal = _live(tables, key)
        tables.seals[seal_id] = replace(seal, ended=True)
        used = {sent.attempt.seal_name for sent in tables.of(key)}
        used |= {seal.live.seal_name for seal in tables.seals.values() if seal.key == key}
        if name in used:
            raise LedgerConflict("seal_name")
        tables.own_name(key, name)
        tables.people[key] = name

    def _note(self, tables: Tables, decision: Decision) -> None:
        number = len(tables.decisions) + 1
        tables.decisions.append(replace(decision, number=number, content=None, id_masked=None))


def _live(tables: Tables, key: str) -> tuple[str, Seal]:
    result = tables.live(key)
    if result is None:
        raise LedgerConflict("no_live_seal")
    return result


def _sms_stands(earlier: AutoSignCall, call: AutoSignCall) -> bool:
    """Whether an SMS for the same kind of link was sent, or may have been."""
    if not earlier.by_sms or (earlier.key, earlier.kind) != (call.key, call.kind):
        return False
    is_good = earlier.verdict == "done" and earlier.void_at is None and (earlier.until or 0) > call.begun_at
    return earlier.verdict in {None, "unknown"} or is_good


def _stopped_by_guard(run: RunRecord) -> bool:
    halted = json.loads(run.record)["halted"] if run.record else None
    return halted is not None and halted["code"] in PLAN_GUARDS


def checked_by_mypy() -> Ledger:
    """Stand where a Ledger is wanted: mypy compares every method (test_architecture.py runs it)."""
    return MemoryLedger()
