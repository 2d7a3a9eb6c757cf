"""Random lives of one ledger: hosts that run in turn, are killed, stopped and woken; files that are lost or put back.

The service judges. Every durable step is a point at which a process may end or another one may go on.
"""

from __future__ import annotations

import random
import secrets
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.domain.seals import Person
from pipeline.domain.site_key import SiteKey
from pipeline.errors import HoldLost, LedgerError
from pipeline.ledger.decisions import OF_TWO_NUMBERS, build_adoption_args, list_last_decisions
from pipeline.ledger.opening import Journals, enter_file_journals, enter_shared_journals, finish_purges
from pipeline.ledger.operations import dump_tables, make_tables_anew
from pipeline.ledger.people import read_people
from pipeline.ledger.purge import PersonTraces, build_purge_args
from pipeline.ledger.records import AdoptedSeal, LedgerConflict
from pipeline.ledger.sqlite_ledger import SqliteWriter
from pipeline.ledger.tables import create_tables, insert_row
from pipeline.ledger.writing import Job
from pipeline.support.failpoints import enable_failpoint

TENANT = "sandbox/a/o"
KEY = SiteKey(bytes(range(32)), TENANT)
SIGNATURE_SECONDS = 60.0
NOT_CREATED_SECONDS = 600.0
PEOPLE = 6


class Killed(BaseException):
    """The process ends here."""


class LifeWriter(SqliteWriter):
    """Writes in the thread that asks: a life goes on from one durable step to the next."""

    def __init__(self, connection: sqlite3.Connection, journals: Journals, prove: Callable[[], None]) -> None:
        self._connection, self.journals, self._require_hold = connection, journals, prove
        self._path = Path("ledger")
        self._last = 0

    def _prove_hold(self, _connection: object) -> None:
        self._require_hold()

    def _react_to_failure(self) -> None:
        pass

    def enter(self, name: str, args: dict, *, is_answer: bool = False) -> LedgerConflict | None:
        job = Job(lambda _: [(name, args)], [(name, args)] if is_answer else ())
        self._write([job])
        error = job.future.exception()
        if error is not None and not isinstance(error, LedgerConflict):
            raise error
        return error

    def finish_purges(self) -> None:
        """Blank as `Ledger.purge_person` does."""

        def write(connection: sqlite3.Connection) -> list:
            self.journals.require_last_opening()
            finish_purges(connection, self.journals)
            return []

        job = Job(write)
        self._write([job])
        job.future.result()


@dataclass
class Service:
    """What the service did: every create that reached it, by trace id."""

    seals: dict[str, tuple[str, str]] = field(default_factory=dict)  # trace id -> key, SealId
    elsewhere: dict[str, str] = field(default_factory=dict)  # SealIds of seals made elsewhere -> key
    live: defaultdict[str, set[str]] = field(
        default_factory=lambda: defaultdict(set)
    )  # key -> SealIds not given up
    second: list[str] = field(default_factory=list)  # keys

    def create(self, key: str, uuid: str) -> str:
        seal_id = f"seal-{secrets.token_hex(8)}"
        if self.live[key]:
            self.second.append(key)
        self.live[key].add(seal_id)
        self.seals[uuid] = (key, seal_id)
        return seal_id


@dataclass
class Hospital:
    """One life."""

    folder: Path
    random: random.Random
    hosts: int
    service: Service = field(default_factory=Service)
    now: float = 1_000_000.0
    journaled: dict[str, str] = field(default_factory=dict)  # SealIds that were durable in one journal -> key
    names: defaultdict[str, list[str]] = field(
        default_factory=lambda: defaultdict(list)
    )  # key -> that were entered
    purged: list[str] = field(default_factory=list)  # names that are to stand nowhere
    recorded: list[str] = field(default_factory=list)  # ids of decisions that were reported as recorded
    counts: Counter = field(default_factory=Counter)
    backups: list[Path] = field(default_factory=list)
    share_backups: list[Path] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)
    was_opened: bool = True  # since the last damage: whatever was lost stands in every place again

    @property
    def database(self) -> Path:
        return self.folder / "ledger.sqlite3"

    @property
    def share(self) -> Path:
        return self.folder / "out" / ".ledger"

    def state(self, host: int) -> Path:
        return self.folder / f"state-{host}"

    def say(self, text: str) -> None:
        self.trail.append(text)


class Process:
    """A run on a host: opens the ledger and sends; ``step`` goes on to the next durable point."""

    def __init__(self, hospital: Hospital, host: int) -> None:
        self.hospital, self.host = hospital, host
        self.epoch = secrets.token_hex(8)
        self.connection = open_database(hospital.database)
        self.steps = self._run()

    def _prove(self) -> None:
        row = self.connection.execute("SELECT epoch FROM hold").fetchone()
        if row is None or row[0] != self.epoch:
            raise HoldLost("ledger.lock_lost", path="")

    def _open(self) -> LifeWriter:
        connection = self.connection
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("DELETE FROM hold")
        connection.execute("INSERT INTO hold (epoch) VALUES (?)", (self.epoch,))
        journals = Journals(
            {"state": self.hospital.state(self.host), "out": self.hospital.share}, f"host{self.host}", KEY
        )
        if self.hospital.hosts > 1:  # as `pipeline.hosts.ledger` opens
            repair = enter_shared_journals(connection, journals, self.hospital.now)
        else:
            repair = enter_file_journals(connection, journals, self.hospital.now)
        connection.execute("COMMIT")
        self.hospital.was_opened = True
        self.hospital.counts["entered"] += len(repair.entered)
        self.hospital.counts["anew"] += repair.is_made_anew
        self.hospital.counts["set aside"] += len(repair.set_aside)
        return LifeWriter(connection, journals, self._prove)

    def _run(self) -> Iterator[str]:
        hospital, choose = self.hospital, self.hospital.random
        writer = self._open()
        yield "opened"
        yield from self._decide(writer)
        if choose.random() < 0.7:
            yield from self._change(writer)
        for number in choose.sample(range(PEOPLE), choose.randint(1, PEOPLE)):
            key = f"person-{number}"
            person = read_people(self.connection, [key]).get(key)
            if person is not None and (person.live or person.is_contested):
                hospital.counts["contested"] += person.is_contested
                continue
            yield from self._create(writer, key)

    def _decide(self, writer: LifeWriter) -> Iterator[str]:
        """Resolve by the truth what waits: the SealId that the service shows, or that it made nothing."""
        hospital = self.hospital
        for person in list(read_people(self.connection).values()):
            for one in person.attempts:
                if not one.is_waiting:
                    continue
                made = hospital.service.seals.get(one.uuid)
                args = {
                    "person": person.key,
                    "attempt": one.uuid,
                    "at": hospital.now,
                    "who": "clerk",
                    "why": "looked",
                }
                if made is not None:
                    args |= {"kind": "created", "seal_id": made[1]}
                elif hospital.now - one.signed_at > NOT_CREATED_SECONDS:
                    args |= {"kind": "not_created"}
                else:
                    continue
                self._enter_decision(
                    writer,
                    "decision",
                    {"attempt": None, "seal_id": None, "detail": None, "content": None} | args,
                )
                yield "decided"

    def _change(self, writer: LifeWriter) -> Iterator[str]:
        """Adopt a seal, decide on one, withdraw a decision, or purge a person."""
        choose = self.hospital.random
        people = read_people(self.connection)
        key = f"person-{choose.randrange(PEOPLE)}"
        person = people.get(key)
        is_free = person is None or not (person.live or person.is_contested)
        kind = choose.choice(
            ("adopt", "withdraw", "withdraw", "keep", "replace", "same_person", "other_person", "purge")
        )
        if kind == "adopt" and is_free:
            self._adopt(writer, key)
        elif kind == "withdraw":
            self._withdraw(writer, people)
        elif (
            kind == "purge"
            and person is not None
            and person.seal is not None
            and person.unresolved_attempt is None
        ):
            self._purge(writer, key)
        elif person is not None and person.seal is not None and not person.is_contested:
            self._decide_on_seal(writer, key, person.seal.seal_id, kind)
        yield kind

    def _enter_decision(self, writer: LifeWriter, op: str, args: dict) -> bool:
        """Enter a decision; return whether it is reported as recorded."""
        hospital = self.hospital
        kind = args.get("kind", op)
        hospital.counts[f"{kind} entered"] += 1
        outcome = writer.enter(op, args)
        if outcome is not None:
            hospital.counts[f"{kind} refused: {outcome.constraint}"] += 1
            return False
        statement = "SELECT id FROM event ORDER BY entered DESC LIMIT 1"
        hospital.recorded.append(self.connection.execute(statement).fetchone()[0])
        return True

    def _adopt(self, writer: LifeWriter, key: str) -> None:
        hospital = self.hospital
        seal_id, name = f"else-{secrets.token_hex(8)}", f"name-{secrets.token_hex(8)}"
        hospital.service.elsewhere[seal_id] = key
        hospital.names[key].append(name)
        seal = AdoptedSeal(key, seal_id, name, "*", None)
        if self._enter_decision(
            writer, "adopt", build_adoption_args(seal, now=hospital.now, who="clerk", why="")
        ):
            hospital.service.live[key].add(seal_id)
            hospital.journaled[seal_id] = key

    def _withdraw(self, writer: LifeWriter, people: dict[str, Person]) -> None:
        """Withdraw a decision: whether it counts is not known until that is reported."""
        hospital = self.hospital
        last = [one for one in list_last_decisions(self.connection, people) if one.can_be_withdrawn]
        if not last:
            return
        decision = hospital.random.choice(last).decision
        key = decision.key
        args = {"decision": decision.id, "person": key, "at": hospital.now, "who": "clerk", "why": ""}
        if decision.kind in OF_TWO_NUMBERS:
            args["other"] = decision.detail
        seals = [
            one for one in people[key].attempts if decision.id in {one.decision, one.ended_by} and one.seal_id
        ]
        if decision.kind == "adopt":
            for seal in seals:
                hospital.service.live[key].discard(seal.seal_id)
                hospital.journaled.pop(seal.seal_id, None)
        if self._enter_decision(writer, "withdraw", args):
            if decision.kind == "replace":
                hospital.service.live[key] |= {seal.seal_id for seal in seals}
        elif decision.kind == "adopt":
            hospital.service.live[key] |= {seal.seal_id for seal in seals}

    def _purge(self, writer: LifeWriter, key: str) -> None:
        hospital = self.hospital
        hospital.counts["purged"] += 1
        traces = PersonTraces(frozenset({key}), frozenset(), frozenset())
        writer.enter("purge", build_purge_args(traces, now=hospital.now, who="clerk"))
        hospital.purged += hospital.names.pop(key, [])
        writer.finish_purges()

    def _decide_on_seal(self, writer: LifeWriter, key: str, seal_id: str, kind: str) -> None:
        """Decide on a person's seal; a replaced one is given up from now on, also where that may not count."""
        hospital = self.hospital
        details = {
            "keep": {"content": ["n", "d", "t", None, None, None, secrets.token_hex(4), None]},
            "replace": {"detail": f"{key}章{secrets.token_hex(4)}"},
            "same_person": {"detail": f"number-{hospital.random.randrange(3)}", "id_masked": "*9"},
            "other_person": {"detail": f"number-{hospital.random.randrange(3)}"},
        }
        if kind not in details:
            return
        args = {
            "kind": kind,
            "person": key,
            "at": hospital.now,
            "who": "clerk",
            "why": "",
            "attempt": None,
            "seal_id": None,
        }
        if kind == "replace":
            hospital.service.live[key].discard(seal_id)
        if not self._enter_decision(
            writer, "decision", {"detail": None, "content": None} | args | details[kind]
        ):
            hospital.service.live[key].add(seal_id)

    def _create(self, writer: LifeWriter, key: str) -> Iterator[str]:
        hospital, choose = self.hospital, self.hospital.random
        uuid, signed_at = secrets.token_hex(8), hospital.now
        person = read_people(self.connection, [key]).get(key)
        is_fixed = person is not None and person.is_seal_name_locked and person.seal_name
        hospital.names[key].append(f"name-{uuid}")
        attempt = {
            "uuid": uuid,
            "person": key,
            "run": self.epoch,
            "row_id": "r",
            "name": f"name-{uuid}",
            "id_masked": "*",
            "staff_no": "",
            "mobile": "",
            "seal_name": person.seal_name if is_fixed else f"{key}章",
            "contract": "file_id",
            "host": "h",
            "signed_at": signed_at,
            "dead_at": signed_at,
            "content": ["n", "d", "t", None, None, None, "p", None],
        }
        outcome = writer.enter("attempt", attempt)
        if outcome is not None:
            hospital.counts[f"attempt refused: {outcome.constraint}"] += 1
            return
        yield "attempt"
        verdict = {"uuid": uuid, "person": key, "at": hospital.now}
        if hospital.now - signed_at > SIGNATURE_SECONDS:
            verdict |= {"kind": "not_executed"}
        else:
            hospital.counts["creates"] += 1
            fate = choose.random()
            if fate < 0.1:
                verdict |= {"kind": "refused", "code": "InvalidParameter"}
            elif fate < 0.15:
                verdict |= {"kind": "not_executed", "code": "RequestLimitExceeded"}
            elif fate < 0.25:
                if choose.random() < 0.5:
                    hospital.service.create(key, uuid)
                verdict |= {"kind": "unknown"}
            else:
                verdict |= {"kind": "sealed", "seal_id": hospital.service.create(key, uuid)}
        yield "answer"
        verdict["at"] = hospital.now
        outcome = writer.enter("verdict", verdict, is_answer=True)
        if outcome is not None:
            hospital.counts[f"verdict refused: {outcome.constraint}"] += 1
        elif verdict["kind"] == "sealed":
            hospital.journaled[verdict["seal_id"]] = key
        yield "verdict"


def open_database(path: Path) -> sqlite3.Connection:
    is_new = not path.exists()
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA secure_delete = ON")
    if is_new:
        connection.execute("BEGIN")
        create_tables(connection)
        connection.execute("CREATE TABLE hold (epoch TEXT)")
        meta = {"id": 1, "tenant": TENANT, "key_check": KEY.check(), "key_format": 1}
        insert_row(connection, "meta", meta | {"created": 0.0, "opened_by": "", "blanked": 0})
        connection.execute("COMMIT")
    return connection


def run_life(folder: Path, seed: int, *, hosts: int, days: int = 8) -> Hospital:
    """Run some days; return the hospital for its judge."""
    hospital = Hospital(folder, random.Random(seed), hosts)
    stopped: list[Process] = []
    enable_failpoint(lambda point: fail(hospital, point))
    try:
        for day in range(days):
            hospital.say(f"day {day}")
            run_day(hospital, stopped)
    finally:
        enable_failpoint(None)
        for process in stopped:
            process.connection.close()
    return hospital


def fail(hospital: Hospital, point: str) -> None:
    """Kill the process at a failpoint, or let the disk refuse a write, by chance."""
    fate = hospital.random.random()
    if fate < 0.01:
        hospital.say(f"killed at {point}")
        raise Killed
    if fate < 0.02 and point.startswith("journal"):
        hospital.say(f"disk full at {point}")
        raise OSError(28, "no space")
    if fate < 0.025 and point == "ledger: before the commit":
        hospital.say("commit failed")
        raise sqlite3.OperationalError("disk I/O error")


def run_day(hospital: Hospital, stopped: list[Process]) -> None:
    chosen = hospital.random
    damage(hospital)
    for host in chosen.sample(range(hospital.hosts), chosen.randint(1, hospital.hosts)):
        if all(process.host != host for process in stopped):  # which holds the lock of its host
            run_process(hospital, host, stopped)
    hospital.now += chosen.choice([30.0, 3600.0, 86400.0])
    for process in list(stopped):
        if chosen.random() < 0.5:
            stopped.remove(process)
            hospital.say(f"woken on {process.host}")
            drive(hospital, process, stopped)


def run_process(hospital: Hospital, host: int, stopped: list[Process]) -> None:
    hospital.say(f"run on {host}")
    try:
        process = Process(hospital, host)
    except (sqlite3.Error, OSError):
        hospital.counts["not opened"] += 1
        return
    drive(hospital, process, stopped)


def drive(hospital: Hospital, process: Process, stopped: list[Process]) -> None:
    chosen = hospital.random
    try:
        for step in process.steps:
            hospital.say(f"{process.host}: {step}")
            hospital.now += 1
            fate = chosen.random()
            if fate < 0.02:
                hospital.say(f"killed on {process.host}")
                break
            if fate < 0.04 and len(stopped) < 2:
                hospital.say(f"stopped on {process.host}")
                stopped.append(process)
                return
            if fate < 0.05 and hospital.hosts > 1:
                fail_over(hospital)
    except Killed:
        hospital.counts["killed"] += 1
    except (LedgerError, OSError, sqlite3.Error) as error:
        hospital.counts[f"ended: {type(error).__name__}"] += 1
    process.connection.close()


def copy_database(hospital: Hospital) -> None:
    target = hospital.folder / f"backup-{len(hospital.backups)}"
    with closing(sqlite3.connect(hospital.database)) as source, closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
    hospital.backups.append(target)


def fail_over(hospital: Hospital) -> None:
    """Put an older database in the place of the running one: what was committed since is gone from it."""
    if hospital.backups:
        put_back(hospital, hospital.random.choice(hospital.backups))


def put_back(hospital: Hospital, backup: Path | None) -> None:
    hospital.say(f"put back {backup and backup.name}")
    for suffix in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            Path(f"{hospital.database}{suffix}").unlink()
    if backup is not None:
        shutil.copyfile(backup, hospital.database)


def damage(hospital: Hospital) -> None:
    """Between two days: a backup, a lost or older database, a lost or torn journal; never all that knows an event."""
    chosen = hospital.random
    if hospital.database.exists() and hospital.was_opened:
        hospital.was_opened = False
        if chosen.random() < 0.4:
            copy_database(hospital)
        fate = chosen.random()
        if fate < 0.1:
            put_back(hospital, None)
        elif fate < 0.3 and hospital.backups:
            put_back(hospital, chosen.choice(hospital.backups))
        elif fate < 0.4 and hospital.hosts == 1:
            folder = chosen.choice([hospital.state(0), hospital.share])
            hospital.say(f"lost {folder.name}")
            shutil.rmtree(folder, ignore_errors=True)
        elif fate < 0.5:
            files = [*hospital.share.glob("*/*.jsonl"), *hospital.state(0).glob("*/*.jsonl")]
            if files:
                torn = chosen.choice(files)
                hospital.say(f"torn {torn.parent.parent.name}/{torn.name}")
                with torn.open("ab") as file:
                    file.write(b"0123 garbage" + bytes(8) + chosen.choice([b"", b"\n"]))


def judge(hospital: Hospital) -> dict[str, list]:
    """Open once more on every host, and compare the ledger with the service and with what was reported."""
    for host in range(hospital.hosts):
        process = Process(hospital, host)
        process._open()
        process.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        process.connection.close()
    connection = open_database(hospital.database)
    people = read_people(connection)
    sealed = {
        one.seal_id: person.key for person in people.values() for one in person.attempts if one.has_seal
    }
    made = dict(hospital.service.elsewhere) | {
        seal_id: key for key, seal_id in hospital.service.seals.values()
    }
    decided = {identity for (identity,) in connection.execute("SELECT id FROM decision")}
    before = dump_tables(connection)
    connection.execute("BEGIN")
    make_tables_anew(connection)
    anew = dump_tables(connection)
    connection.execute("ROLLBACK")
    connection.close()
    files = [hospital.database, *hospital.share.rglob("*"), *hospital.folder.glob("state-*/**/*")]
    contents = b"".join(file.read_bytes() for file in files if file.is_file())
    return {
        "second": hospital.service.second,
        "false": [one for one, key in sealed.items() if made.get(one) != key],
        "lost": [one for one in hospital.journaled if one not in sealed],
        "not recorded": [one for one in hospital.recorded if one not in decided],
        "named": [name for name in hospital.purged if name.encode() in contents],
        "differs": [table for table in before if before[table] != anew[table]],
    }


def count_lives(folder: Path, seeds: range, *, hosts: int) -> tuple[Counter, dict[str, list[int]]]:
    """Return what happened in lives with these seeds, and the seeds by what was wrong."""
    total: Counter = Counter()
    problems = defaultdict(list)
    for seed in seeds:
        life_folder = folder / str(seed)
        life_folder.mkdir()
        hospital = run_life(life_folder, seed, hosts=hosts)
        total += hospital.counts
        for kind, what in judge(hospital).items():
            if what:
                total[kind] += len(what)
                problems[kind].append(seed)
        shutil.rmtree(life_folder)
    total["lives"] = len(seeds)
    return total, dict(problems)
