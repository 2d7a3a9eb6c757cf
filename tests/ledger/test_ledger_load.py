"""The ledger of a file is loaded into a PostgreSQL server: nothing is lost, and one of the two is in use at any moment."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
from contextlib import closing, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_support import SEALS, UNKNOWN, decision, send
from postgres_server import find_programs, run_server
from server_ledger import SECRET

from pipeline.domain.auto_sign import AutoSignAnswer
from pipeline.domain.roster import FileStat
from pipeline.domain.seals import PictureDecision, Verdict
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import LeaseLost, LedgerError, Locked, UsageError
from pipeline.hosts.lease import Lease
from pipeline.hosts.ledger import open_server_ledger
from pipeline.hosts.load import FileLoad, list_tables
from pipeline.hosts.server_store import ServerStore
from pipeline.ledger import maintenance
from pipeline.ledger.disk import key_path, loaded_path
from pipeline.ledger.lock import RunLock
from pipeline.ledger.open import open_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.protocol import LedgerConflict
from pipeline.ledger.purge import PersonTraces, erase_person
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.registry import TenantRegistry
from pipeline.ledger.sqlite_ledger import connect
from pipeline.support import failpoints

NOW = 1_795_000_000.0
LONG = bool(os.environ.get("CRASH"))  # make crash
SEALED = Verdict("sealed", seal_id="S9", http_status=200)
_tenants = count(1)


class Places:
    """A ledger's two places: a file of a folder, and a schema of a server."""

    def __init__(self, folder: Path, server) -> None:
        self.path = folder / "state" / "ledger.sqlite3"
        self.address = ServerAddress(server.make_url())
        self.tenant = f"sandbox/app/load{next(_tenants)}"
        self.registry = TenantRegistry(folder / "registry", self.tenant, strict=True)

    def open_file(self, path: Path | None = None, **options):
        ledger, _ = open_ledger(path or self.path, self.tenant, now=NOW, **options)
        return closing(ledger)

    def open_server(self, lease: Lease | None = None, **options):
        ledger, _ = open_server_ledger(
            self.address, self.tenant, now=NOW, secret=SECRET, lease=lease, **options
        )
        return closing(ledger)

    def load(self, *, secret: str = SECRET, ownership=None):
        with (
            RunLock(self.path).acquire(run="load", now=NOW),
            Lease(self.address, self.tenant, SECRET).acquire(run="load", now=NOW) as lease,
        ):
            ownership = ownership or Ownership(self.registry)
            return FileLoad(self.path, self.address, self.tenant, secret, lease, ownership).load(now=NOW)

    def list_usable(self) -> list[str]:
        """The places whose ledger a status command would read."""
        usable = []
        for kind, opened in (("file", lambda: self.open_file(readonly=True)), ("server", self.open_server)):
            try:
                with opened() as ledger:
                    ledger.run_ids()
            except UsageError:
                continue
            usable.append(kind)
        return usable

    def run(self, kind: str, record) -> None:
        """What a run does with the ledger in one of its places."""
        if kind == "file":
            with RunLock(self.path).acquire(run=record.run, now=NOW), self.open_file() as ledger:
                ledger.begin_run(record)
            return
        with (
            Lease(self.address, self.tenant, SECRET).acquire(run=record.run, now=NOW) as lease,
            self.open_server(lease) as ledger,
        ):
            ledger.begin_run(record)


@pytest.fixture
def places(tmp_path, postgres_server) -> Places:
    return Places(tmp_path, postgres_server)


def read_file(path: Path) -> dict[str, list[tuple]]:
    """Every row of a ledger file, by table, and its receipts."""
    with closing(connect(path, readonly=True)) as file:
        held = {table.name: file.execute(f"SELECT * FROM {table.name} ORDER BY 1, 2").fetchall()
                for table in list_tables(file)}  # fmt: skip
    lines = filter(None, receipts_path(path).read_text("utf-8").split("\n"))
    return {**held, "receipt": [(json.loads(line)["n"], f"{line}\n") for line in lines]}


def read_server(places: Places, tables: dict[str, list[tuple]]) -> dict[str, list[tuple]]:
    """Every row of a ledger on a server."""
    with psycopg.connect(places.address.url) as server:
        server.execute(f"SET search_path TO {name_schema(places.tenant)}")
        return {name: server.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall() for name in tables}


async def fill_auto_sign(ledger) -> None:
    """Enter answers about three people."""
    opened = AutoSignAnswer("p1", NOW, is_open=True, seal_id="S1y", license_to=NOW + 9, request_id="q")
    for answer in (
        opened,
        AutoSignAnswer("p2", NOW, is_open=False),
        AutoSignAnswer("p6", NOW, None, code="x"),
    ):
        await ledger.record_auto_sign_answer(answer)


def fill(ledger, attempt, run_record, seen) -> None:
    """Enter something of everything that a ledger can hold."""
    odd = run_record("r1", rosters=("/in/\udcff名单.xlsx",), seals="/seals")
    ledger.begin_run(odd)
    send(ledger, attempt("p1"), replace(SEALED, seal_id="S1x"))
    send(ledger, attempt("p2"), Verdict("refused", code="FailedOperation", message="未通过\n“核验”\t\\N"))
    send(ledger, attempt("p3"), UNKNOWN)
    send(ledger, attempt("p4"), Verdict("exists", code="FailedOperation.ExistSameSealName"))
    send(ledger, attempt("p5"), Verdict("not_executed"))
    lost = attempt("p6")
    send(ledger, lost, UNKNOWN)
    ledger.record_decision(decision("created", "p6", attempt=lost.uuid, seal_id="S6"))
    theirs = attempt("p7")
    send(ledger, theirs, Verdict("exists"))
    ledger.record_decision(decision("not_theirs", "p7", attempt=theirs.uuid))
    ledger.record_decision(decision("replace", "p1", detail="p1处方章二"))
    send(ledger, attempt("p1", seal_name="p1处方章二"), replace(SEALED, seal_id="S1y"))
    ledger.record_decision(decision("keep", "p1", content=attempt("p1").content))
    ledger.record_decision(decision("same_person", "p6", detail="p8"))
    ledger.record_decision(decision("other_person", "p1", detail="p9"))
    adopted = [replace(seal, key=f"a{seal.key}", seal_name=seal.seal_name and "王处方章") for seal in SEALS]
    ledger.record_adopted_seals(adopted, now=30.0, who="it", why="")
    judged = PictureDecision("wrong", "p1", "n", "j" * 64, shown_name="张伟", position="a.xlsx 内科 2")
    ledger.record_judgement(judged, now=31.0, who="it", why="")
    ledger.record_given_picture(replace(judged, decided="given"), now=31.5, who="it", why="")
    ledger.record_accepted_runs(["r0"], now=32.0, who="it")
    ledger.record_files({"/in/\udcff.png": FileStat(1, 1_795_000_000_123_456_789, "a" * 64)})
    ledger.record_rows("r1", [seen("1", "sealed"), seen("2", "failed", sheet=None, key=None)])
    asyncio.run(fill_auto_sign(ledger))
    ledger.finish_run("r1", finished=NOW + 0.1, exit=3, record='{"odd": "\\u0000 \U0002fa1d"}')
    ledger.begin_run(run_record("r2"))
    ledger.record_rows("r2", [seen("1", "unchanged"), seen("2", "failed", sheet=None, key=None)])
    send(ledger, attempt("p10", run="r2"), replace(SEALED, seal_id="S10", request_id="q"))


@pytest.fixture
def filled(places, attempt, run_record, seen) -> Places:
    """A file ledger with something of everything, one person of it removed."""
    with RunLock(places.path).acquire(run="r1", now=NOW), places.open_file() as ledger:
        fill(ledger, attempt, run_record, seen)
    erase_person(
        places.path, PersonTraces(frozenset(["p2"]), frozenset(), frozenset(["王小明"])), now=40.0, who="it"
    )
    with RunLock(places.path).acquire(run="r3", now=NOW), places.open_file() as ledger:
        ledger.begin_run(run_record("r3"))
        ledger.record_rows("r3", [seen("1", "unchanged"), seen("4", "rejected")])
    return places


def test_the_server_holds_what_the_file_held(filled, attempt):
    held, key = read_file(filled.path), key_path(filled.path).read_bytes()
    assert b"essurl.cn" not in filled.path.read_bytes() + receipts_path(filled.path).read_bytes()
    loaded = filled.load()
    assert read_server(filled, held) == held
    assert loaded.rows == sum(map(len, held.values())) > 50
    assert {(row[0], row[1]) for row in held["auto_sign"]} == {("p1", NOW), ("p6", NOW)}, "p2 was purged"
    assert (loaded.counts.seals, loaded.counts.unresolved) == (5, 2)
    ledger, site_key = open_server_ledger(filled.address, filled.tenant, now=NOW, secret=SECRET)
    with closing(ledger):
        assert site_key.secret == key
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1y"
        (abandoned,) = ledger.list_abandoned_seals()
        assert (abandoned.key, abandoned.seal_id, abandoned.run) == ("p1", "S1x", "r1")
    assert ServerStore(filled.address, filled.tenant, SECRET).check().defects == ()


def test_the_server_numbers_on_behind_what_was_loaded(filled, attempt, run_record):
    with closing(connect(filled.path, readonly=True)) as file:
        highest = [
            file.execute(f"SELECT max(number) FROM {table}").fetchone()[0] for table in ("run", "attempt")
        ]
    filled.load()
    with (
        Lease(filled.address, filled.tenant, SECRET).acquire(run="r4", now=NOW) as lease,
        filled.open_server(lease) as ledger,
    ):
        ledger.begin_run(run_record("r4"))
        send(ledger, attempt("p20", run="r4"), replace(SEALED, seal_id="S20"))
        with pytest.raises(LedgerConflict, match=r"^live_seal$"):
            send(ledger, attempt("p10", run="r4"), SEALED)
    after = read_server(filled, {"run": [], "attempt": []})
    assert [len(after["run"]), max(row[0] for row in after["attempt"])] == [highest[0] + 1, highest[1] + 1]


TEXTS = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=6)
KEYS = st.sampled_from(["p1", "p2", "p3"])
VERDICTS = st.builds(
    Verdict,
    st.sampled_from(["sealed", "refused", "not_executed", "unknown", "exists"]),
    seal_id=st.sampled_from(["A", "B", "C"]),
    code=st.none() | st.sampled_from(["", "FailedOperation", "InvalidParameter.Name"]),
    message=st.none() | TEXTS,
    http_status=st.none() | st.integers(100, 599),
)
EVENTS = st.one_of(
    st.tuples(st.just("send"), KEYS, VERDICTS, TEXTS),
    st.tuples(st.just("decide"), st.sampled_from(["created", "not_created", "not_theirs", "replace"]), KEYS, TEXTS),
    st.tuples(st.just("rows"), st.lists(st.tuples(KEYS, TEXTS, TEXTS), max_size=4)),
    st.tuples(st.just("files"), st.integers(-(2**63), 2**63 - 1)),
)  # fmt: skip


def play(ledger, events, attempt, run_record, seen) -> None:
    """Enter a history; what the ledger refuses does not happen."""
    ledger.begin_run(run_record("r0"))
    open_attempts = {}
    for number, (kind, *values) in enumerate(events, 1):
        with suppress(LedgerConflict):
            match kind, *values:
                case "send", key, verdict, staff_no:
                    create = attempt(key, run="r0", staff_no=staff_no, seal_name=f"{key}{staff_no[:1]}")
                    open_attempts[key] = create.uuid
                    send(ledger, create, verdict)
                case "decide", what, key, detail:
                    ledger.record_decision(
                        decision(
                            what, key, attempt=open_attempts.get(key), seal_id=f"D{number}", detail=detail
                        )
                    )
                case "rows", rows:
                    ledger.begin_run(run_record(f"r{number}"))
                    distinct = {row_id: (sheet, line) for row_id, sheet, line in rows}
                    records = [seen(row_id, "ready", sheet=sheet or None, line=json.dumps([line]))
                               for row_id, (sheet, line) in distinct.items()]  # fmt: skip
                    ledger.record_rows(f"r{number}", records)
                case "files", number:
                    ledger.record_files({f"/{number}": FileStat(0, number, "a")})


@settings(max_examples=60 if LONG else 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=st.lists(EVENTS, max_size=25))
def test_any_history_is_loaded_as_it_is(postgres_server, attempt, run_record, seen, events):
    with TemporaryDirectory() as folder:
        places = Places(Path(folder), postgres_server)
        with RunLock(places.path).acquire(run="r0", now=NOW), places.open_file() as ledger:
            play(ledger, events, attempt, run_record, seen)
        with RunLock(places.path).acquire(run="r0", now=NOW), places.open_file():
            pass  # a create whose verdict was refused becomes unknown at the next opening
        held = read_file(places.path)
        places.load()
        assert read_server(places, held) == held


# -- one of the two is in use


def explain(refused) -> str:
    """The English sentence of a refusal."""
    return refused.value.render("en")


def test_the_loaded_file_is_refused_by_everything(filled, tmp_path):
    backup = tmp_path / "backup"
    maintenance.back_up_ledger(filled.path, backup)
    filled.load()
    assert filled.list_usable() == ["server"]
    for attempted in (
        lambda: open_ledger(filled.path, filled.tenant, now=NOW, readonly=True),
        lambda: open_ledger(filled.path, filled.tenant, now=NOW, ownership=Ownership(accept_ledger=True)),
        lambda: maintenance.restore_ledger(filled.path, backup, filled.tenant),
        lambda: maintenance.rebuild_ledger(filled.path, filled.tenant),
    ):
        with pytest.raises(UsageError) as refused:
            attempted()
        assert "loaded into a PostgreSQL server" in explain(refused)
    names = {path.name for path in filled.path.parent.iterdir()}
    assert sorted(name for name in names if not name.endswith(("lock", "-shm", "-wal"))) == [
        "ledger.sqlite3.loaded",
        "ledger.sqlite3.loaded.key",
        "ledger.sqlite3.loaded.receipts.jsonl",
    ]
    copy = filled.path.with_name("copy.sqlite3")
    maintenance.restore_ledger(copy, backup, filled.tenant)
    with pytest.raises(UsageError) as refused:  # the registry knows where the ledger is
        open_ledger(copy, filled.tenant, now=NOW, ownership=Ownership(filled.registry))
    assert filled.address.shown in explain(refused)


def test_a_copy_on_the_server_is_refused_where_the_registry_knows_a_file(filled):
    """A database was restored from before the ledger was given to this file."""
    filled.load()
    loaded_path(filled.path).rename(filled.path)
    key_path(loaded_path(filled.path)).rename(key_path(filled.path))
    loaded_path(filled.path).with_name("ledger.sqlite3.loaded.receipts.jsonl").rename(
        receipts_path(filled.path)
    )
    with filled.open_file(ownership=Ownership(filled.registry, accept_ledger=True)):
        pass
    with (
        Lease(filled.address, filled.tenant, SECRET).acquire(run="r9", now=NOW) as lease,
        pytest.raises(UsageError) as refused,
    ):
        filled.open_server(lease, ownership=Ownership(filled.registry))
    assert f"in use in the file {filled.path}" in explain(refused)


def test_a_server_that_is_lost_after_the_load_is_replaced_by_the_file(filled):
    """As the documentation has it."""
    held = read_file(filled.path)
    filled.load()
    for path in sorted(filled.path.parent.glob("ledger.sqlite3.loaded*")):
        name = path.name.replace("ledger.sqlite3.loaded", "ledger.sqlite3").removeprefix("ledger.sqlite3.r")
        path.rename(path.with_name(f"r{name}" if name == "eceipts.jsonl" else name))
    assert read_file(filled.path) == held
    with filled.open_file(ownership=Ownership(filled.registry, accept_ledger=True)) as ledger:
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1y"


def test_the_receipts_of_the_server_make_a_file_again(filled, tmp_path):
    """As the documentation has it, where no command leads back."""
    held = read_file(filled.path)
    filled.load()
    query = f"SELECT rtrim(line, E'\\n') FROM {name_schema(filled.tenant)}.receipt ORDER BY n"
    command = [find_programs() / "psql", "-Atc", query, filled.address.url]
    lines = subprocess.run(command, check=True, capture_output=True).stdout
    again = tmp_path / "again" / "ledger.sqlite3"
    again.parent.mkdir()
    receipts_path(again).write_bytes(lines)
    key_path(again).write_bytes(key_path(loaded_path(filled.path)).read_bytes())
    maintenance.rebuild_ledger(again, filled.tenant)
    tables = ("person", "seal_name", "attempt", "seal", "decision", "bearer")
    assert {name: read_file(again)[name] for name in tables} == {name: held[name] for name in tables}


def test_a_second_time_the_command_only_repeats_its_answer(filled):
    first = filled.load()
    assert filled.load() == replace(first, rows=None)


# -- refused, and nothing is changed


def test_a_locked_file_and_one_with_an_open_attempt_are_refused(filled, attempt):
    with RunLock(filled.path).acquire(run="r8", now=NOW), pytest.raises(Locked):
        filled.load()
    with RunLock(filled.path).acquire(run="r8", now=NOW), filled.open_file() as ledger:
        asyncio.run(ledger.open_attempt(attempt("p30", run="r3")))
    with pytest.raises(UsageError, match="1 submission has no result yet"):
        filled.load()
    assert filled.list_usable() == ["file"]


def test_a_server_that_is_in_use_is_refused_and_an_empty_ledger_makes_room(filled, run_record, attempt):
    filled.run("server", run_record("x"))
    loaded = filled.load()
    assert loaded.rows > 50
    with filled.open_server() as ledger:
        assert "x" not in ledger.run_ids()
    loaded_path(filled.path).rename(filled.path)
    key_path(loaded_path(filled.path)).rename(key_path(filled.path))
    loaded_path(filled.path).with_name("ledger.sqlite3.loaded.receipts.jsonl").rename(
        receipts_path(filled.path)
    )
    with pytest.raises(UsageError, match="in use on"):
        filled.load(ownership=Ownership())
    assert filled.path.exists()


def test_a_name_that_is_taken_and_another_ledger_are_refused(filled):
    loaded_path(filled.path).write_bytes(b"")
    with pytest.raises(UsageError, match="exists already"):
        filled.load()
    filled.path.rename(filled.path.with_name("elsewhere"))
    with pytest.raises(UsageError, match="no load to finish"):
        filled.load()


def test_a_ledger_with_defects_is_not_loaded(filled):
    lines = receipts_path(filled.path).read_bytes()
    receipts_path(filled.path).write_bytes(lines.replace(b'"S10"', b'"S11"'))
    with pytest.raises(LedgerError, match=r"defects|was changed"):
        filled.load()
    receipts_path(filled.path).write_bytes(lines)
    filled.load()
    assert filled.list_usable() == ["server"]


def test_a_value_that_postgresql_refuses_stops_the_load(filled, seen):
    with RunLock(filled.path).acquire(run="r", now=NOW), filled.open_file() as ledger:
        ledger.record_rows("r3", [seen("nul", "failed", file="a\0b")])
    with pytest.raises(LedgerError, match="row_line") as refused:
        filled.load()
    assert "NUL" in explain(refused)
    assert filled.list_usable() == ["file"]


def test_a_copy_that_differs_in_one_value_is_not_taken(filled):
    def change(name: str) -> None:
        if name == "load: after the rows are copied":
            with closing(sqlite3.connect(filled.path)) as file:
                file.execute("UPDATE run SET finished = finished + 0.001 WHERE number = 1")
                file.commit()

    failpoints.enable_failpoint(change)
    try:
        with pytest.raises(LedgerError, match="table run"):
            filled.load()
    finally:
        failpoints.enable_failpoint(None)
    assert filled.list_usable() == ["file"]
    filled.load()
    assert filled.list_usable() == ["server"]


def test_a_receipt_that_differs_is_not_taken(filled):
    def change(name: str) -> None:
        if name == "load: after the rows are copied":
            lines = receipts_path(filled.path).read_bytes()
            receipts_path(filled.path).write_bytes(lines.replace(b'"S10"', b'"S11"'))

    failpoints.enable_failpoint(change)
    try:
        with pytest.raises(LedgerError, match="table receipt"):
            filled.load()
    finally:
        failpoints.enable_failpoint(None)
    assert filled.list_usable() == ["file"]


def test_a_process_that_lost_the_lease_loads_nothing(filled):
    def take(name: str) -> None:
        if name == "load: after the rows are copied":
            with psycopg.connect(filled.address.url) as server:
                server.execute("UPDATE esign_import.lease SET token = 'another'")

    failpoints.enable_failpoint(take)
    try:
        with pytest.raises(LeaseLost):
            filled.load()
    finally:
        failpoints.enable_failpoint(None)
    assert filled.list_usable() == ["file"]


# -- kill -9


@pytest.fixture
def begin(tmp_path, attempt, run_record, seen):
    """Make a ledger file of a tenant of its own with a seal."""
    folders = count(1)

    def make(server) -> Places:
        places = Places(tmp_path / str(next(folders)), server)
        with RunLock(places.path).acquire(run="r1", now=NOW), places.open_file() as ledger:
            ledger.begin_run(run_record("r1"))
            send(ledger, attempt("p1"), SEALED)
            ledger.record_rows("r1", [seen("1", "sealed")])
        return places

    return make


def list_points(places: Places) -> list[str]:
    """The points that a load passes, in their order."""
    points: list[str] = []
    failpoints.enable_failpoint(points.append)
    try:
        places.load()
    finally:
        failpoints.enable_failpoint(None)
    return points


@pytest.mark.skipif(not LONG, reason="make crash")
def test_a_server_that_is_killed_at_any_point_leaves_one_ledger_in_use(begin):
    with run_server() as server:
        for point in dict.fromkeys(list_points(begin(server))):
            places = begin(server)

            def crash(name: str, point: str = point) -> None:
                if name == point:
                    failpoints.enable_failpoint(None)
                    server.kill()
                    server.start()

            failpoints.enable_failpoint(crash)
            with suppress(LedgerError):  # the server may have been needed no more
                places.load()
            failpoints.enable_failpoint(None)
            assert len(places.list_usable()) == 1, point
            places.load()
            assert places.list_usable() == ["server"], point


def load_in_child(places: Places, kill_at: str, nth: int) -> None:
    """Load in a process of its own, which is killed when it passes a failpoint for the nth time."""
    child = os.fork()
    if child == 0:
        passed = count(1)

        def act(name: str) -> None:
            if name == kill_at and next(passed) == nth:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            failpoints.enable_failpoint(act)
            places.load()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def test_a_kill_at_every_point_leaves_one_ledger_in_use(begin, postgres_server, run_record):
    """The command is killed at each point and repeated, without or with a run that uses the ledger in between.

    ``make crash``: without and with it, and at every point of the ledger and the files as well.
    """
    points = list_points(begin(postgres_server))
    if not LONG:
        points = [point for point in points if point.startswith("load")]
    kills = [(point, points[: index + 1].count(point)) for index, point in enumerate(points)]
    if not LONG:  # of several files that are renamed, the first and the last one
        kills = [kill for kill in kills if kill[1] in {1, points.count(kill[0])} and "the end" not in kill[0]]
    usable_after: set[str] = set()
    for number, (point, nth) in enumerate(kills * 2 if LONG else kills):
        places = begin(postgres_server)
        load_in_child(places, point, nth)
        usable = places.list_usable()
        assert usable in (["file"], ["server"]), (point, nth)
        usable_after.update(usable)
        runs = {"r1"}
        if number >= len(kills) if LONG else number % 2:
            runs.add("r2")
            places.run(usable[0], run_record("r2"))
        places.load()
        assert places.list_usable() == ["server"], (point, nth)
        with places.open_server() as ledger:
            assert ledger.run_ids() == runs, (point, nth)
            assert ledger.snapshot().people["p1"].seal.seal_id == "S9", (point, nth)
    assert usable_after == {"file", "server"}
    assert len(kills) >= 6
