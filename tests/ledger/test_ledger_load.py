"""The ledger of a file is loaded into a PostgreSQL server: nothing is lost, and the two are never both in use."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_support import SEALS, UNKNOWN, decision, list_run_ids, open_attempt, send
from postgres_server import run_server
from server_ledger import SECRET, make_places

from pipeline.domain.auto_sign import AutoSignAnswer
from pipeline.domain.roster import FileStat
from pipeline.domain.seals import PictureDecision, Verdict
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import EsignImportError, LedgerError, Locked, UsageError
from pipeline.hosts.ledger import LedgerSchema
from pipeline.hosts.load import LoadedLedger, load_file
from pipeline.ledger.disk import key_path, loaded_path
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.maintenance import back_up_ledger, check_events, restore_ledger
from pipeline.ledger.operations import dump_tables, read_events
from pipeline.ledger.places import Places
from pipeline.ledger.purge import PersonTraces
from pipeline.ledger.records import LedgerConflict
from pipeline.ledger.sqlite_ledger import LedgerFile, connect
from pipeline.ledger.tables import Connection
from pipeline.support import failpoints

NOW = 1_795_000_000.0
LONG = bool(os.environ.get("CRASH"))  # make crash
SEALED = Verdict("sealed", seal_id="S9", http_status=200)
_tenants = count(1)


class Move:
    """A ledger in a file of a folder, and the schema of a server that it is loaded into; the journals stay the same."""

    def __init__(self, folder: Path, server) -> None:
        self.path = folder / "state" / "ledger.sqlite3"
        self.address = ServerAddress(server.make_url())
        self.places = Places(f"sandbox/app/load{next(_tenants)}", folder / "user", folder / "out" / ".ledger")

    def make_store(self, kind: str) -> LedgerFile | LedgerSchema:
        if kind == "file":
            return LedgerFile(self.path, self.places)
        return LedgerSchema(self.address, self.places, SECRET)

    @contextmanager
    def open(self, kind: str, run: str = "r") -> Iterator[Ledger]:
        """Hold and open the ledger in one of its places."""
        store = self.make_store(kind)
        with store.hold.acquire(run=run, now=NOW), closing(store.open_for_writing(now=NOW)) as ledger:
            yield ledger

    def read(self, kind: str) -> closing[Ledger]:
        return closing(self.make_store(kind).open_for_reading())

    def load(self) -> LoadedLedger:
        return load_file(self.path, self.make_store("server"), now=NOW)

    def list_usable(self) -> list[str]:
        """The places whose ledger a command would read."""
        usable = []
        for kind in ("file", "server"):
            with suppress(EsignImportError), self.read(kind) as ledger:
                ledger.list_runs(1)
                usable.append(kind)
        return usable


def read_all(connection: Connection) -> dict[str, list]:
    """Everything that a ledger holds but what belongs to its opening."""
    kept = {
        table: sorted(connection.execute(f"SELECT * FROM {table}").fetchall(), key=repr)
        for table in ("file_stat", "auto_sign")
    }
    events = [event for event in read_events(connection) if event.op not in {"opened", "moved"}]
    return {**dump_tables(connection), **kept, "event": events}


@pytest.fixture
def move(tmp_path, postgres_server) -> Move:
    return Move(tmp_path, postgres_server)


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
    odd = run_record("r1", out="/out/\udcff名单")
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
    ledger.record_files({"/in/\udcff.png": FileStat(1, 1_795_000_000_123_456_789, "a" * 64)})
    ledger.record_rows("r1", [seen("1", "sealed"), seen("2", "failed", sheet=None, key=None)])
    asyncio.run(fill_auto_sign(ledger))
    ledger.finish_run("r1", finished=NOW + 0.1, exit=3, record='{"odd": "\\u0000 \U0002fa1d"}')
    ledger.begin_run(run_record("r2"))
    ledger.record_rows("r2", [seen("1", "unchanged"), seen("2", "failed", sheet=None, key=None)])
    send(ledger, attempt("p10", run="r2"), replace(SEALED, seal_id="S10", request_id="q"))


@pytest.fixture
def filled(move, attempt, run_record, seen) -> Move:
    """A file ledger with something of everything, one person of it removed."""
    with move.open("file") as ledger:
        fill(ledger, attempt, run_record, seen)
        traces = PersonTraces(frozenset(["p2"]), frozenset(), frozenset(["王小明"]))
        ledger.purge_person(traces, now=40.0, who="it")
        ledger.begin_run(run_record("r3"))
        ledger.record_rows("r3", [seen("1", "unchanged"), seen("4", "rejected")])
    return move


def test_the_server_holds_what_the_file_held(filled):
    with filled.read("file") as ledger:
        held, key = ledger.read(read_all), ledger.site_key.secret
    loaded = filled.load()
    with filled.read("server") as ledger:
        assert ledger.read(read_all) == held
        assert ledger.site_key.secret == key
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1y"
        journals = filled.places.make_journals(ledger.site_key)
    assert loaded.rows > 50
    with filled.open("server") as ledger:
        assert [event.op for event in ledger.repair.entered] == ["moved"]
        assert ledger.read(check_events, journals).defects == ()
        assert ledger.read(read_all) == held


def test_the_server_goes_on_behind_what_was_loaded(filled, attempt, run_record):
    filled.load()
    with filled.open("server") as ledger:
        ledger.begin_run(run_record("r4"))
        send(ledger, attempt("p20", run="r4"), replace(SEALED, seal_id="S20"))
        with pytest.raises(LedgerConflict, match=r"^live_seal$"):
            send(ledger, attempt("p10", run="r4"), SEALED)
        assert ledger.get_last_run().run == "r4"
        assert ledger.snapshot().people["p20"].seal.seal_id == "S20"


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
                    create = attempt(key, run="r0", seal_name=f"{key}{staff_no[:1]}")
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
                    records = [seen(row_id, "ready", sheet=sheet or None, line=json.dumps({"name": line}))
                               for row_id, (sheet, line) in distinct.items()]  # fmt: skip
                    ledger.record_rows(f"r{number}", records)
                case "files", number:
                    ledger.record_files({f"/{number}": FileStat(0, number, "a")})


@settings(max_examples=60 if LONG else 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(events=st.lists(EVENTS, max_size=25))
def test_any_history_is_loaded_as_it_is(postgres_server, attempt, run_record, seen, events):
    with TemporaryDirectory() as folder:
        move = Move(Path(folder), postgres_server)
        with move.open("file") as ledger:
            play(ledger, events, attempt, run_record, seen)
            held = ledger.read(read_all)
        move.load()
        with move.open("server") as ledger:
            assert ledger.read(read_all) == held


# -- one of the two is in use


def require_moved(move: Move) -> None:
    """Assert that the file's ledger is refused to a run."""
    with pytest.raises(LedgerError) as refused, move.open("file"):
        pass
    assert refused.value.exit_code == 74
    assert move.address.shown in refused.value.render("en")


def test_the_loaded_file_is_refused_by_everything(filled, tmp_path):
    backup, copy = tmp_path / "backup", tmp_path / "copy"
    back_up_ledger(filled.path, filled.places, backup)
    shutil.copytree(filled.path.parent, copy)
    filled.load()
    assert filled.list_usable() == ["server"]
    with pytest.raises(LedgerError, match="loaded into a PostgreSQL server") as refused, filled.open("file"):
        pass
    assert refused.value.exit_code == 74
    names = {path.name for path in filled.path.parent.iterdir()}
    assert sorted(name for name in names if not name.endswith(("lock", "-shm", "-wal"))) == [
        "ledger.sqlite3.loaded",
        "ledger.sqlite3.loaded.key",
    ]
    # a former copy of the folder, a backup, a deleted file: the journals know that it was moved
    for path in (filled.path, loaded_path(filled.path), key_path(loaded_path(filled.path))):
        path.unlink(missing_ok=True)
    require_moved(filled)
    restore_ledger(filled.path, filled.places, backup)
    require_moved(filled)
    filled.path = copy / filled.path.name
    require_moved(filled)


def test_a_second_time_the_command_only_repeats_its_answer(filled):
    first = filled.load()
    assert filled.load() == first._replace(rows=None)


def test_a_former_copy_that_is_loaded_again_changes_nothing(filled, tmp_path, attempt, run_record):
    shutil.copytree(filled.path.parent, tmp_path / "copy")
    filled.load()
    with filled.open("server") as ledger:
        ledger.begin_run(run_record("r4"))
        send(ledger, attempt("p20", run="r4"), replace(SEALED, seal_id="S20"))
    filled.path = tmp_path / "copy" / filled.path.name
    assert filled.load().rows is None
    with filled.open("server") as ledger:
        assert ledger.snapshot().people["p20"].seal.seal_id == "S20"


# -- refused, and nothing is changed


def test_a_locked_file_is_refused(filled):
    with filled.open("file", run="r8"), pytest.raises(Locked, match="r8"):
        filled.load()
    assert filled.list_usable() == ["file"]


def test_a_create_without_an_answer_is_loaded_as_unknown(filled, attempt):
    with filled.open("file") as ledger:
        asyncio.run(open_attempt(ledger, attempt("p30", run="r3")))
    filled.load()
    with filled.open("server") as ledger:
        assert ledger.snapshot().people["p30"].unresolved_attempt is not None


def test_another_ledger_in_use_is_refused_and_one_that_holds_nothing_makes_room(filled, run_record, attempt):
    """Both were begun on the server by a host that shares nothing with this one."""
    other = LedgerSchema(filled.address, make_places(filled.address, filled.places.tenant), SECRET)
    with other.hold.acquire(run="x", now=NOW), closing(other.open_for_writing(now=NOW)) as ledger:
        ledger.begin_run(run_record("x"))
        send(ledger, attempt("p1", run="x"), SEALED)
    with pytest.raises(UsageError, match="in use on"):
        filled.load()
    assert filled.path.exists()
    with psycopg.connect(filled.address.url) as server:
        schema = name_schema(filled.places.tenant)
        for table in ("attempt", "person", "decision"):
            server.execute(f"DELETE FROM {schema}.{table}")
    assert filled.load().rows > 50
    with filled.read("server") as ledger:
        assert "x" not in list_run_ids(ledger)


def test_a_name_that_is_taken_and_another_ledger_are_refused(filled, tmp_path):
    loaded_path(filled.path).write_bytes(b"")
    with pytest.raises(UsageError, match="exists already"):
        filled.load()
    loaded_path(filled.path).unlink()
    filled.path.rename(loaded_path(filled.path))
    with pytest.raises(UsageError, match="no load to finish"):
        filled.load()
    loaded_path(filled.path).rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError) as refused:
        filled.load()
    assert refused.value.key == "never_run"


def test_a_ledger_with_defects_is_not_loaded(filled):
    with closing(connect(filled.path, readonly=False)) as file:
        file.execute("UPDATE person SET name = 'x' WHERE person = 'p1'")
        with pytest.raises(LedgerError, match="defect"):
            filled.load()
    assert filled.list_usable() == ["file"]


def test_a_nul_character_is_loaded_as_the_server_holds_one(filled, seen):
    with filled.open("file") as ledger:
        ledger.record_rows("r3", [seen("nul", "failed", file="a\0b")])
    filled.load()
    with filled.read("server") as ledger:
        assert "a␀b" in {row.file for row in ledger.list_rows("r3")}


def test_a_process_that_lost_the_hold_loads_nothing(filled):
    def take(name: str) -> None:
        if name == "load: after a table is copied":
            with psycopg.connect(filled.address.url) as server:
                server.execute(
                    "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
                    "WHERE application_name = 'esign-import writer' AND datname = current_database()"
                )

    failpoints.enable_failpoint(take)
    try:
        with pytest.raises(LedgerError):
            filled.load()
    finally:
        failpoints.enable_failpoint(None)
    assert filled.list_usable() == ["file"]


# -- kill -9


@pytest.fixture
def begin(tmp_path, attempt, run_record, seen):
    """Make a ledger file of a tenant of its own with a seal."""
    folders = count(1)

    def make(server) -> Move:
        move = Move(tmp_path / str(next(folders)), server)
        with move.open("file") as ledger:
            ledger.begin_run(run_record("r1"))
            send(ledger, attempt("p1"), SEALED)
            ledger.record_rows("r1", [seen("1", "sealed")])
        return move

    return make


def list_points(move: Move) -> list[str]:
    """The points that a load passes, in their order."""
    points: list[str] = []
    failpoints.enable_failpoint(points.append)
    try:
        move.load()
    finally:
        failpoints.enable_failpoint(None)
    return points


@pytest.mark.skipif(not LONG, reason="make crash")
def test_a_server_that_is_killed_at_any_point_leaves_at_most_one_ledger_in_use(begin):
    with run_server() as server:
        for point in dict.fromkeys(list_points(begin(server))):
            move = begin(server)

            def crash(name: str, point: str = point) -> None:
                if name == point:
                    failpoints.enable_failpoint(None)
                    server.kill()
                    server.start()

            failpoints.enable_failpoint(crash)
            with suppress(LedgerError):  # the server may have been needed no more
                move.load()
            failpoints.enable_failpoint(None)
            assert len(move.list_usable()) <= 1, point
            move.load()
            assert move.list_usable() == ["server"], point


def load_in_child(move: Move, kill_at: str, nth: int) -> None:
    """Load in a process of its own, which is killed when it passes a failpoint for the nth time."""
    child = os.fork()
    if child == 0:
        passed = count(1)

        def act(name: str) -> None:
            if name == kill_at and next(passed) == nth:
                os.kill(os.getpid(), signal.SIGKILL)

        try:
            failpoints.enable_failpoint(act)
            move.load()
        finally:
            os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL


def test_a_kill_at_every_point_leaves_at_most_one_ledger_in_use(begin, postgres_server, run_record):
    """The command is killed at each point and repeated, without or with a run that uses the ledger in between.

    ``make crash``: without and with it, and at every point of the ledger and the files as well.
    """
    points = list_points(begin(postgres_server))
    if not LONG:
        points = [point for point in points if point.startswith("load")]
    kills = [(point, points[: index + 1].count(point)) for index, point in enumerate(points)]
    if not LONG:  # of several tables and files, the first and the last one
        kills = [kill for kill in kills if kill[1] in {1, points.count(kill[0])}]
    usable_after: set[str] = set()
    for number, (point, nth) in enumerate(kills * 2 if LONG else kills):
        move = begin(postgres_server)
        load_in_child(move, point, nth)
        usable = move.list_usable()
        assert usable in ([], ["file"], ["server"]), (point, nth)
        usable_after.update(usable)
        runs = {"r1"}
        if usable and (number >= len(kills) if LONG else number % 2):
            try:
                with move.open(usable[0]) as ledger:
                    ledger.begin_run(run_record("r2"))
                runs.add("r2")
            except LedgerError as error:  # a journal holds the event, and the file does not yet
                assert error.key == "ledger.moved", (point, nth)  # noqa: PT017 - it may open as well
        move.load()
        assert move.list_usable() == ["server"], (point, nth)
        with move.open("server") as ledger:
            assert list_run_ids(ledger) == runs, (point, nth)
            assert ledger.snapshot().people["p1"].seal.seal_id == "S9", (point, nth)
    assert usable_after == {"file", "server"}
    assert len(kills) >= 6
