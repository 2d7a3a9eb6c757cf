"""A ledger moves from a file to a PostgreSQL server and back: nothing is lost, and one of the two is in use at any moment."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
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
from postgres_server import run_server
from server_ledger import SECRET

from pipeline.domain.roster import FileStat
from pipeline.domain.seals import Verdict
from pipeline.errors import LeaseLost, LedgerError, UsageError
from pipeline.ledger import maintenance
from pipeline.ledger.disk import key_path
from pipeline.ledger.lock import RunLock
from pipeline.ledger.moved import draft_path, note_path
from pipeline.ledger.open import open_ledger
from pipeline.ledger.postgres.address import ServerAddress, name_schema
from pipeline.ledger.postgres.copy_tables import list_tables
from pipeline.ledger.postgres.lease import Lease
from pipeline.ledger.postgres.ledger import find_server_identity, open_server_ledger
from pipeline.ledger.postgres.move import Ends, move_to_file, move_to_server
from pipeline.ledger.protocol import LedgerConflict
from pipeline.ledger.purge import PersonTraces, erase_person
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.registry import Ownership, TenantRegistry
from pipeline.ledger.sqlite_ledger import connect
from pipeline.support import failpoints

NOW = 1_795_000_000.0
LONG = bool(os.environ.get("CRASH"))  # make crash
SEALED = Verdict("sealed", seal_id="S9", request_id="q", http_status=200)
_tenants = count(1)


class Places:
    """A ledger's two places: a file of a folder, and a schema of a server."""

    def __init__(self, folder: Path, server) -> None:
        self.path = folder / "state" / "ledger.sqlite3"
        self.address = ServerAddress(server.make_url())
        self.tenant = f"sandbox/app/move{next(_tenants)}"
        self.registry = TenantRegistry(folder / "registry", self.tenant, strict=True)
        self.ends = Ends(self.path, self.address, self.tenant, SECRET, None)

    def open_file(self, path: Path | None = None, **options):
        ledger, _ = open_ledger(path or self.path, self.tenant, now=NOW, **options)
        return closing(ledger)

    def open_server(self, lease: Lease | None = None, **options):
        ledger, _ = open_server_ledger(
            self.address, self.tenant, now=NOW, secret=SECRET, lease=lease, **options
        )
        return closing(ledger)

    def move(self, direction, path: Path | None = None, *, secret: str = SECRET, ownership=None):
        path = path or self.path
        with (
            RunLock(path).acquire(run="move", now=NOW),
            Lease(self.address, self.tenant).acquire(run="move", now=NOW) as lease,
        ):
            ends = replace(self.ends, path=path, lease=lease, secret=secret)
            return direction(ends, ownership or Ownership(self.registry), now=NOW)

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
            Lease(self.address, self.tenant).acquire(run=record.run, now=NOW) as lease,
            self.open_server(lease) as ledger,
        ):
            ledger.begin_run(record)


@pytest.fixture
def places(tmp_path, postgres_server) -> Places:
    return Places(tmp_path, postgres_server)


def read_file(path: Path) -> dict[str, object]:
    """Every value of a ledger file, its key and its receipts."""
    with closing(connect(path, readonly=True)) as file:
        held = {table.name: file.execute(f"SELECT * FROM {table.name} ORDER BY 1, 2").fetchall()
                for table in list_tables(file)}  # fmt: skip
        held["schema"] = file.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        for pragma in ("application_id", "user_version", "integrity_check", "foreign_key_check"):
            held[pragma] = file.execute(f"PRAGMA {pragma}").fetchall()
    return {**held, "key": key_path(path).read_bytes(), "receipts": receipts_path(path).read_bytes()}


def fill(ledger, attempt, run_record, seen) -> None:
    """Enter something of everything that a ledger can hold."""
    odd = run_record("r1", rosters=("/in/\udcff名单.xlsx",), context=("/in/\udcfe",), seals="/seals")
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
    ledger.record_decision(decision("place_shown", "p1", detail="console", seal_id="S1y"))
    ledger.record_decision(decision("same_person", "p6", detail="p8"))
    ledger.record_decision(decision("other_person", "p1", detail="p9"))
    adopted = [replace(seal, key=f"a{seal.key}", seal_name=seal.seal_name and "王处方章") for seal in SEALS]
    ledger.record_adopted_seals(adopted, now=30.0, who="it", why="")
    ledger.record_judgements({"j" * 32: "wrong"}, now=31.0, who="it", why="")
    ledger.record_accepted_runs(["r0"], now=32.0, who="it")
    ledger.record_files({"/in/\udcff.png": FileStat(1, 1_795_000_000_123_456_789, "a" * 64)})
    ledger.record_rows("r1", [seen("1", "sealed"), seen("2", "failed", sheet=None, key=None)])
    ledger.finish_run("r1", finished=NOW + 0.1, exit=3, record='{"odd": "\\u0000 \U0002fa1d"}')
    ledger.begin_run(run_record("r2"))
    ledger.record_rows("r2", [seen("1", "unchanged"), seen("2", "failed", sheet=None, key=None)])
    send(ledger, attempt("p10", run="r2"), replace(SEALED, seal_id="S10"))


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


def test_there_and_back_again_gives_the_same_ledger(filled, tmp_path, attempt):
    before = read_file(filled.path)
    moved = filled.move(move_to_server)
    assert moved.rows > 50
    assert (moved.counts.seals, moved.counts.unresolved) == (5, 2)
    with filled.open_server() as ledger:
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1y"
        (abandoned,) = ledger.list_abandoned_seals()
        assert (abandoned.key, abandoned.seal_id, abandoned.run) == ("p1", "S1x", "r1")
    other = tmp_path / "other" / "ledger.sqlite3"
    back = filled.move(move_to_file, other)
    assert (back.rows, back.counts) == (moved.rows, moved.counts)
    assert read_file(other) == before
    assert maintenance.check_ledger(other, filled.tenant).defects == ()
    assert {other.stat().st_mode & 0o777, key_path(other).stat().st_mode & 0o777} == {0o600}
    with filled.open_file(other) as ledger:
        send(ledger, attempt("p5"), replace(SEALED, seal_id="S5"))


def test_the_server_numbers_on_behind_what_was_moved(filled, attempt, run_record):
    with closing(connect(filled.path, readonly=True)) as file:
        highest = [file.execute(f"SELECT max({number}) FROM {table}").fetchone()[0]
                   for table, number in (("run", "number"), ("attempt", "number"), ("row_line", "id"))]  # fmt: skip
    filled.move(move_to_server)
    with (
        Lease(filled.address, filled.tenant).acquire(run="r4", now=NOW) as lease,
        filled.open_server(lease) as ledger,
    ):
        ledger.begin_run(run_record("r4"))
        send(ledger, attempt("p20", run="r4"), replace(SEALED, seal_id="S20"))
        with pytest.raises(LedgerConflict, match=r"^live_seal$"):
            send(ledger, attempt("p10", run="r4"), SEALED)
    with psycopg.connect(filled.address.url) as server:
        server.execute(f"SET search_path TO {name_schema(filled.tenant)}")
        (numbers,) = server.execute("SELECT (SELECT max(number) FROM run), (SELECT max(number) FROM attempt)")
    assert [numbers[0] - highest[0], numbers[1] - highest[1]] == [1, 1]


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
                case "send", key, verdict, mark:
                    create = attempt(key, run="r0", staff_no=mark, seal_name=f"{key}{mark[:1]}")
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
def test_any_history_comes_back_as_it_was(postgres_server, attempt, run_record, seen, events):
    with TemporaryDirectory() as folder:
        places = Places(Path(folder), postgres_server)
        with RunLock(places.path).acquire(run="r0", now=NOW), places.open_file() as ledger:
            play(ledger, events, attempt, run_record, seen)
        with RunLock(places.path).acquire(run="r0", now=NOW), places.open_file():
            pass  # a create whose verdict was refused becomes unknown at the next opening: a move is one
        before = read_file(places.path)
        places.move(move_to_server)
        places.move(move_to_file)
        assert read_file(places.path) == before


# -- one of the two is in use


def explain(refused) -> str:
    """The English sentence of a refusal."""
    return refused.value.render("en")


def test_the_former_file_is_refused_by_everything_and_names_the_server(filled, tmp_path, run_record):
    backup, copy = tmp_path / "backup", tmp_path / "copy" / "ledger.sqlite3"
    maintenance.back_up_ledger(filled.path, backup)
    filled.move(move_to_server)
    assert filled.list_usable() == ["server"]
    for attempted in (
        lambda: open_ledger(filled.path, filled.tenant, now=NOW, readonly=True),
        lambda: open_ledger(filled.path, filled.tenant, now=NOW, ownership=Ownership(accept_ledger=True)),
        lambda: maintenance.restore_ledger(filled.path, backup, filled.tenant),
        lambda: maintenance.rebuild_ledger(filled.path, filled.tenant),
    ):
        with pytest.raises(UsageError) as refused:
            attempted()
        assert f"ledger: {filled.address.shown}" in explain(refused)
    assert not filled.path.exists()
    former = filled.path.with_name("ledger.sqlite3.moved-1")
    copy.parent.mkdir()
    former.rename(copy)
    key_path(former).rename(key_path(copy))
    with pytest.raises(UsageError) as refused:
        open_ledger(copy, filled.tenant, now=NOW)
    assert "can no longer be used" in explain(refused)
    maintenance.restore_ledger(copy.with_name("l2"), backup, filled.tenant)
    ownership = Ownership(filled.registry)
    with pytest.raises(
        UsageError
    ) as refused:  # a copy from before the move bears no mark: the registry knows
        open_ledger(copy.with_name("l2"), filled.tenant, now=NOW, ownership=ownership)
    assert filled.address.shown in explain(refused)


def test_the_former_server_is_refused_and_names_the_file(filled):
    filled.move(move_to_server)
    back = filled.move(move_to_file)
    assert filled.list_usable() == ["file"]
    assert back.former == f"{name_schema(filled.tenant)}_moved_1"
    with Lease(filled.address, filled.tenant).acquire(run="r9", now=NOW) as lease:
        for attempted in (
            lambda: filled.open_server(lease),
            lambda: find_server_identity(filled.address, filled.tenant),
        ):
            with pytest.raises(UsageError) as refused:
                attempted()
            assert f"in the file {filled.path}" in explain(refused)
    assert not note_path(filled.path).exists()
    again = filled.move(move_to_server)
    assert Path(again.former).name == "ledger.sqlite3.moved-2"
    filled.move(move_to_file)
    assert filled.list_usable() == ["file"]


def test_a_database_restored_from_before_the_move_back_is_refused_on_the_host_of_the_file(filled):
    filled.move(move_to_server)
    former = filled.move(move_to_file).former
    with psycopg.connect(filled.address.url) as server:
        server.execute(f"ALTER SCHEMA {former} RENAME TO {name_schema(filled.tenant)}")
        server.execute("DELETE FROM esign_import.move WHERE ledger = %s", [name_schema(filled.tenant)])
    with (
        Lease(filled.address, filled.tenant).acquire(run="r9", now=NOW) as lease,
        pytest.raises(UsageError) as refused,
    ):
        filled.open_server(lease, ownership=Ownership(filled.registry))
    assert f"in use in the file {filled.path}" in explain(refused)


def test_a_server_that_is_lost_after_the_move_is_replaced_by_the_receipts_of_the_file(filled):
    """As the documentation has it."""
    before = read_file(filled.path)
    former = Path(filled.move(move_to_server).former)
    key_path(former).rename(key_path(filled.path))
    former.with_name(f"{former.name}.receipts.jsonl").rename(receipts_path(filled.path))
    note_path(filled.path).unlink()
    maintenance.rebuild_ledger(filled.path, filled.tenant)
    after = read_file(filled.path)
    assert [before[table] == after[table] for table in ("person", "attempt", "seal", "decision")] == [
        True
    ] * 4


def test_a_second_time_the_command_only_repeats_its_answer(filled):
    first = filled.move(move_to_server)
    second = filled.move(move_to_server)
    assert (second.former, second.counts, second.rows) == (first.former, first.counts, None)
    back = filled.move(move_to_file)
    assert filled.move(move_to_file) == replace(back, rows=None)


# -- refused, and nothing is changed


def test_a_target_in_use_is_refused(filled, tmp_path, postgres_server, run_record):
    filled.run("server", run_record("x"))
    with pytest.raises(UsageError, match="in use on"):
        filled.move(move_to_server)
    for name in ("ledger.sqlite3", "new.sqlite3"):
        with pytest.raises(UsageError, match=r"exists already|receipts of another ledger"):
            filled.move(move_to_file, filled.path.with_name(name), ownership=Ownership())
    assert filled.list_usable() == ["file", "server"]
    assert sorted(path.name for path in filled.path.parent.iterdir() if "new" in path.name) == [
        "new.sqlite3.lock"
    ]


def test_a_ledger_with_defects_or_another_secret_is_not_moved(filled):
    lines = receipts_path(filled.path).read_bytes()
    receipts_path(filled.path).write_bytes(lines.replace(b'"S10"', b'"S11"'))
    with pytest.raises(LedgerError, match=r"defects|was changed"):
        filled.move(move_to_server)
    receipts_path(filled.path).write_bytes(lines)
    filled.move(move_to_server)
    with pytest.raises(LedgerError, match="not the one with which"):
        filled.move(move_to_file, secret="another secret of twenty characters")
    assert filled.list_usable() == ["server"]


def test_a_value_that_postgresql_refuses_stops_the_move(filled, seen):
    with RunLock(filled.path).acquire(run="r", now=NOW), filled.open_file() as ledger:
        ledger.record_rows("r3", [seen("nul", "failed", file="a\0b")])
    with pytest.raises(LedgerError, match="row_line") as refused:
        filled.move(move_to_server)
    assert "NUL" in explain(refused)
    assert filled.list_usable() == ["file"]


@pytest.mark.parametrize("direction", [move_to_server, move_to_file], ids=["to the server", "to a file"])
def test_a_copy_that_differs_in_one_value_is_not_taken(filled, direction):
    changed = filled.path
    if direction is move_to_file:
        filled.move(move_to_server)
        changed = draft_path(filled.path)

    def change(name: str) -> None:
        if name == "move: after the rows are copied":
            with closing(sqlite3.connect(changed)) as file:
                file.execute("UPDATE run SET finished = finished + 0.001 WHERE number = 1")
                file.commit()

    usable = filled.list_usable()
    failpoints.enable_failpoint(change)
    try:
        with pytest.raises(LedgerError, match="table run"):
            filled.move(direction)
    finally:
        failpoints.enable_failpoint(None)
    assert filled.list_usable() == usable
    filled.move(direction)
    assert filled.list_usable() != usable


@pytest.mark.parametrize("direction", [move_to_server, move_to_file], ids=["to the server", "to a file"])
def test_a_process_that_lost_the_lease_moves_nothing(filled, direction):
    if direction is move_to_file:
        filled.move(move_to_server)
    usable = filled.list_usable()

    def take(name: str) -> None:
        if name == "move: after the rows are copied":
            with psycopg.connect(filled.address.url) as server:
                server.execute("UPDATE esign_import.lease SET token = 'another'")

    failpoints.enable_failpoint(take)
    try:
        with pytest.raises(LeaseLost):
            filled.move(direction)
    finally:
        failpoints.enable_failpoint(None)
    assert filled.list_usable() == usable


# -- kill -9


@pytest.mark.skipif(not LONG, reason="make crash")
@pytest.mark.parametrize("direction", [move_to_server, move_to_file], ids=["to the server", "to a file"])
def test_a_server_that_is_killed_at_any_point_leaves_one_ledger_in_use(
    tmp_path, attempt, run_record, seen, direction
):
    with run_server() as server:
        places = Places(tmp_path, server)
        with RunLock(places.path).acquire(run="r1", now=NOW), places.open_file() as ledger:
            ledger.begin_run(run_record("r1"))
        if direction is move_to_file:
            places.move(move_to_server)
        target = "server" if direction is move_to_server else "file"
        other = move_to_file if direction is move_to_server else move_to_server
        points: list[str] = []
        failpoints.enable_failpoint(points.append)
        places.move(direction)
        failpoints.enable_failpoint(None)
        for point in dict.fromkeys(points):
            places.move(other)

            def crash(name: str, point: str = point) -> None:
                if name == point:
                    failpoints.enable_failpoint(None)
                    server.kill()
                    server.start()

            failpoints.enable_failpoint(crash)
            with suppress(LedgerError):  # the server may have been needed no more
                places.move(direction)
            failpoints.enable_failpoint(None)
            assert len(places.list_usable()) == 1, point
            places.move(direction)
            assert places.list_usable() == [target], point


def run_in_child(places: Places, direction, kill_at: str | None = None) -> list[str]:
    """Move in a process of its own, which is killed at a failpoint; return the points that it passed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)

            def act(name: str) -> None:
                os.write(writing, f"{name}\n".encode())
                if name == kill_at:
                    os.kill(os.getpid(), signal.SIGKILL)

            failpoints.enable_failpoint(act)
            places.move(direction)
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as passed:
        points = passed.read().decode().splitlines()
    status = os.waitpid(child, 0)[1]
    assert os.WTERMSIG(status) == signal.SIGKILL if kill_at else os.waitstatus_to_exitcode(status) == 0
    return points


def test_a_kill_at_every_point_leaves_one_ledger_in_use(places, attempt, run_record, seen):
    """The ledger moves to and fro; each time its process dies at another point, and the command is repeated.

    At every second point a run uses the ledger in between, as it would in the night after (make crash: at all of them, and at every
    point of the ledger and the files as well).
    """
    with RunLock(places.path).acquire(run="r1", now=NOW), places.open_file() as ledger:
        ledger.begin_run(run_record("r1"))
        send(ledger, attempt("p1"), SEALED)
        ledger.record_rows("r1", [seen("1", "sealed")])
    directions = {"server": (move_to_server, "file"), "file": (move_to_file, "server")}
    waiting = {target: list_kills(run_in_child(places, move)) for target, (move, _) in directions.items()}
    runs, usable_after = {"r1"}, set()
    target = "server"
    while any(waiting.values()):
        move, former = directions[target]
        if waiting[target]:
            point, runs_between = waiting[target].pop()
            run_in_child(places, move, point)
            usable = places.list_usable()
            assert usable in ([former], [target]), point
            usable_after.add((target, *usable))
            if runs_between:
                runs.add(f"r{len(runs) + 1}")
                places.run(usable[0], run_record(f"r{len(runs)}"))
        places.move(move)
        assert places.list_usable() == [target], point
        with places.open_file(readonly=True) if target == "file" else places.open_server() as ledger:
            assert ledger.run_ids() == runs, point
            assert ledger.snapshot().people["p1"].seal.seal_id == "S9", point
        target = former
    assert len(usable_after) == 4


def list_kills(points: list[str]) -> list[tuple[str, bool]]:
    """The points at which a move is killed, each with whether a run uses the ledger before the move is repeated."""
    chosen = [point for point in dict.fromkeys(points) if LONG or point.startswith("move")]
    assert len(chosen) >= 6
    if LONG:
        return [(point, between) for point in chosen for between in (False, True)]
    return [(point, bool(number % 2)) for number, point in enumerate(chosen)]
