"""receipts.jsonl: a second copy of the guarded rows, chained, and what the next opening makes of it."""

import asyncio
import json
import os
import signal
from contextlib import closing
from dataclasses import replace

import pytest
from ledger_support import SEALS, UNKNOWN, decision

from pipeline.domain.seals import Verdict
from pipeline.errors import LedgerError
from pipeline.ledger import maintenance, receipt_sync, receipts, schema
from pipeline.ledger.maintenance import check_ledger
from pipeline.ledger.ownership import Ownership
from pipeline.ledger.receipt_sync import receipts_path
from pipeline.ledger.registry import TenantRegistry
from pipeline.ledger.sqlite_ledger import connect
from pipeline.support.failpoints import enable_failpoint

TENANT = "sandbox/app/org"
TABLES = ("meta", "run", "person", "seal_name", "decision", "attempt", "seal")


def read_receipt_lines(position):
    return list(receipts.read_chained(receipts_path(position)))


def contents(connection):
    left_out = {"receipts_n", "receipts_sha256", "receipts_size", "record", "saw_rows", "number"}
    left_out |= {"rosters", "seals"}  # paths: the ledger alone holds them
    findings = {}
    for table in TABLES:
        rows = connection.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in rows.description]
        findings[table] = sorted(
            (
                tuple((name, value) for name, value in zip(names, row, strict=True) if name not in left_out)
                for row in rows
            ),
            key=repr,
        )
    return findings


async def seal(ledger, attempt, verdict):
    await ledger.open_attempt(attempt)
    if verdict is not None:
        await ledger.record_verdict(attempt.uuid, verdict, now=9.0)


def filled(opened, attempt, run_record, sealed):
    """A ledger with one person of every kind."""
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    for key, verdict in {
        "p1": sealed("S1"),
        "p2": Verdict("refused", code="InvalidParameter.Name", message="姓名错误", http_status=200),
        "p3": Verdict("unknown", code="no_answer"),
        "p4": Verdict("exists", code="FailedOperation.ExistSameSealName"),
        "p5": Verdict("not_executed", code="RequestLimitExceeded"),
    }.items():
        asyncio.run(seal(ledger, attempt(key), verdict))
    asyncio.run(seal(ledger, attempt("p5"), sealed("S5")))
    asyncio.run(seal(ledger, attempt("p6", seal_name="p2处方章"), sealed("S6")))  # p2 had a wrong number
    return ledger


def test_the_receipts_alone_make_the_ledger_again(opened, ledger_path, attempt, run_record, sealed, tmp_path):
    ledger = filled(opened, attempt, run_record, sealed)
    ledger.finish_run("r1", exit=3, finished=9.5, record="{}")
    ledger.close()
    with (
        closing(connect(ledger_path, readonly=True)) as old,
        closing(connect(_empty(tmp_path / "new"), readonly=False)) as new,
    ):
        schema.create_tables(new)
        receipt_sync.restore_rows(new, read_receipt_lines(ledger_path))
        assert contents(new) == contents(old)
        with pytest.raises(Exception, match="live_seal"):  # the triggers are back
            new.execute(
                "INSERT INTO attempt (uuid, key, run, row_id, contract, host, signed_at, seal_name, content_name, "
                "content_number, content_id_type, content_picture) VALUES ('x','p1','r1','','','',1,'p1处方章','','','','')"
            )


def _empty(path):
    path.touch()
    return path


def test_every_line_carries_the_digest_of_the_one_before(opened, ledger_path, attempt, run_record, sealed):
    filled(opened, attempt, run_record, sealed).close()
    path = receipts_path(ledger_path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert receipts.read_end_position(path).size == path.stat().st_size
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(
        b"".join(lines[:4]) + lines[4].replace("p1处".encode(), "p9处".encode()) + b"".join(lines[5:])
    )
    assert lines != path.read_bytes().splitlines(keepends=True)
    with pytest.raises(receipts.ReceiptsDamaged) as damaged:
        receipts.read_end_position(path)
    assert damaged.value.line == 6


@pytest.mark.parametrize("lines_kept", [0, 3])
def test_receipts_that_do_not_belong_are_set_aside_and_written_anew(
    opened, ledger_path, attempt, run_record, sealed, lines_kept
):
    filled(opened, attempt, run_record, sealed).close()
    path = receipts_path(ledger_path)
    whole = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(whole[:lines_kept]))
    opened().close()
    assert path.with_name("receipts.1.jsonl").read_bytes() == b"".join(whole[:lines_kept])
    with closing(connect(ledger_path, readonly=True)) as connection:
        assert len(read_receipt_lines(ledger_path)) == len(receipt_sync.make_all_receipts(connection))


def killed_at(point, passes, opened, attempt, run_record, verdict):
    """In a child: begin, send one create, and die at the nth pass of a point."""
    child = os.fork()
    if child == 0:
        remaining = [passes]

        def act(name):
            if name == point:
                remaining[0] -= 1
                if remaining[0] == 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        ledger = opened()
        ledger.begin_run(run_record("r1"))
        enable_failpoint(act)
        asyncio.run(seal(ledger, attempt("p1", uuid="u1"), verdict))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the point was not reached"


@pytest.mark.parametrize(
    ("point", "verdict", "seal_id"),
    [
        ("ledger: before the receipts", "unknown", None),
        ("ledger: before the commit", "sealed", "S1"),  # the receipts have it, the ledger has not
        ("ledger: after the commit", "sealed", "S1"),
    ],
)
def test_a_verdict_that_reached_the_receipts_survives_a_kill(
    opened, ledger_path, attempt, run_record, sealed, raw, point, verdict, seal_id
):
    killed_at(point, 2, opened, attempt, run_record, sealed("S1"))
    opened().close()
    assert raw("SELECT verdict, seal_id FROM attempt") == [(verdict, seal_id)]
    with closing(connect(ledger_path, readonly=True)) as connection:
        assert receipt_sync.read_position(connection) == receipts.read_end_position(
            receipts_path(ledger_path)
        )


def registry_files(folder):
    """Return the files of the registry of `registered`."""
    return [path for path in (folder / "registry").iterdir() if path.is_file()]


@pytest.fixture
def registered(tmp_path):
    """The registry as each process opens it."""
    return lambda: {"ownership": Ownership(TenantRegistry(tmp_path / "registry", TENANT, strict=True))}


def test_an_attempt_in_the_receipts_alone_never_left_where_the_registry_did_not_count_it(
    opened, attempt, run_record, sealed, raw, ledger_path, registered
):
    """A process was killed between its receipts and its commit: the create waits for the commit."""

    def open_registered():
        return opened(**registered())

    killed_at("ledger: before the commit", 1, open_registered, attempt, run_record, sealed("S1"))
    open_registered().close()
    assert raw("SELECT * FROM attempt") == []
    assert [line.table for line in read_receipt_lines(ledger_path)].count("attempt") == 0


def test_an_attempt_in_the_receipts_alone_is_held_where_no_registry_vouches_for_it(
    opened, attempt, run_record, sealed, raw, ledger_path
):
    """The same files are left by a copy without its write-ahead log: then the create was sent."""
    killed_at("ledger: before the commit", 1, opened, attempt, run_record, sealed("S1"))
    before = receipts_path(ledger_path).read_bytes()
    with pytest.raises(LedgerError, match="ledger rebuild"):
        opened()
    assert receipts_path(ledger_path).read_bytes() == before
    restored = maintenance.rebuild_ledger(ledger_path, TENANT)
    assert (restored.counts.people, restored.counts.unresolved) == (1, 1)
    assert restored.set_aside.name == "ledger.sqlite3.replaced-1"
    opened().close()
    assert raw("SELECT verdict FROM attempt") == [("unknown",)]


def enter_decided_seals(ledger, kind):
    """Enter seals that a person knows: two made elsewhere, or one found for an attempt."""
    if kind == "adopt":
        ledger.record_adopted_seals(SEALS, now=10.0, who="it", why="before")
    else:
        people = ledger.snapshot().people
        (key,) = [key for key, history in people.items() if history.unresolved_attempt]
        uuid = people[key].unresolved_attempt.uuid
        ledger.record_decision(decision("created", key, attempt=uuid, seal_id="S1"))


@pytest.mark.parametrize("kind", ["adopt", "created"])
def test_seals_of_a_person_are_entered_as_far_as_their_receipts_reach(
    opened, attempt, run_record, raw, ledger_path, registered, tmp_path, kind
):
    """The process and then the machine stopped between receipts and commit: any number of bytes may be there."""
    with closing(opened(**registered())) as ledger:
        ledger.begin_run(run_record("r1"))
        asyncio.run(seal(ledger, attempt("p9"), UNKNOWN))
    kept = receipts_path(ledger_path).read_bytes()
    before = {path: path.read_bytes() for path in (*ledger_path.parent.iterdir(), *registry_files(tmp_path))}
    with closing(opened(**registered())) as ledger:
        enter_decided_seals(ledger, kind)
    with_seals = receipts_path(ledger_path).read_bytes()
    assert with_seals.startswith(kept)
    wanted = set(raw("SELECT * FROM seal"))
    rows = "SELECT * FROM person", "SELECT * FROM decision", "SELECT * FROM bearer", "SELECT * FROM attempt"
    complete = {statement: set(raw(statement)) for statement in rows}
    counts = set()
    ends = [len(kept) + 1, *range(len(kept) + 40, len(with_seals), 97), len(with_seals) - 1, len(with_seals)]
    for end in ends:
        for path, content in before.items():
            path.write_bytes(content)
        receipts_path(ledger_path).write_bytes(with_seals[:end])
        opened(**registered()).close()
        entered = set(raw("SELECT * FROM seal"))
        assert entered <= wanted
        counts.add(len(entered))
        assert len(raw("SELECT * FROM decision")) == len(entered), end
        assert check_ledger(ledger_path, TENANT).defects == (), end
        is_open = raw("SELECT 1 FROM attempt WHERE decision IS NULL")
        assert bool(is_open) == (kind == "adopt" or not entered), "the attempt waits until its seal is there"
        if entered == wanted:
            assert {statement: set(raw(statement)) for statement in rows} == complete
    assert counts == set(range(len(wanted) + 1))


def test_a_torn_last_line_is_not_read(opened, ledger_path, attempt, run_record, sealed):
    filled(opened, attempt, run_record, sealed).close()
    path = receipts_path(ledger_path)
    before = read_receipt_lines(ledger_path)
    with path.open("ab") as file:
        file.write(b'{"n":99,"prev":')
    assert read_receipt_lines(ledger_path) == before
    opened().close()
    assert read_receipt_lines(ledger_path) == before


def test_a_surrogate_in_a_message_is_kept(opened, ledger_path, attempt, run_record):
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    asyncio.run(seal(ledger, attempt("p1"), Verdict("refused", code="X", message="行\n尾")))
    ledger.close()
    assert [
        line.columns["message"] for line in read_receipt_lines(ledger_path) if line.columns.get("code")
    ] == ["行\n尾"]
    assert all(json.loads(line) for line in receipts_path(ledger_path).read_text("utf-8").splitlines())


def test_what_was_committed_behind_a_verdict_that_was_not_stays_in_the_receipts(
    opened, ledger_path, attempt, run_record, sealed
):
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    lost, kept = attempt("p1"), attempt("p2")
    for entry in (lost, kept):
        asyncio.run(ledger.open_attempt(entry))
    failures = iter(range(2))  # both tries of the first verdict's commit, and no more

    def act(name):
        if name == "ledger: before the commit" and next(failures, None) is not None:
            raise OSError(28, "no space")

    enable_failpoint(act)
    try:
        with pytest.raises(LedgerError):
            asyncio.run(ledger.record_verdict(lost.uuid, sealed("S1"), now=9.0))
        asyncio.run(ledger.record_verdict(kept.uuid, sealed("S2"), now=9.0))
    finally:
        enable_failpoint(None)
    ledger.close()
    opened().close()
    assert check_ledger(ledger_path, TENANT).defects == ()
    ledger_path.unlink()
    assert maintenance.rebuild_ledger(ledger_path, TENANT).counts.seals == 2


def test_seals_of_a_person_whose_commit_the_disk_refused_are_entered_at_the_next_opening(
    opened, ledger_path, run_record, registered
):
    failures = iter(range(2))  # both tries of the commit

    def act(name):
        if name == "ledger: before the commit" and next(failures, None) is not None:
            raise OSError(28, "no space")

    with closing(opened(**registered())) as ledger:
        ledger.begin_run(run_record("r1"))
        enable_failpoint(act)
        try:
            with pytest.raises(LedgerError):
                enter_decided_seals(ledger, "adopt")
        finally:
            enable_failpoint(None)
        assert ledger.list_seal_ids() == set()
    with closing(opened(**registered())) as ledger:
        assert ledger.list_seal_ids() == {"S1", "S2"}
    assert check_ledger(ledger_path, TENANT).defects == ()


def test_no_path_of_a_roster_stands_in_the_receipts_and_its_number_nowhere(
    opened, ledger_path, run_record, tmp_path
):
    number = "110199197001011234"
    roster, seals = tmp_path / "inbox" / f"{number}.xlsx", tmp_path / number
    roster.parent.mkdir()
    roster.touch()
    seals.mkdir()
    record = replace(run_record("r1"), seals=str(seals), rosters=(str(roster),))
    with closing(opened()) as ledger:
        ledger.begin_run(record)
        ledger.finish_run("r1", exit=0, finished=9.0, record="{}")
        assert ledger.get_run("r1").rosters == record.rosters, "retry reads them again"
    assert str(roster.parent) not in receipts_path(ledger_path).read_text("utf-8")
    for path in ledger_path.parent.iterdir():
        assert path.is_dir() or number.encode() not in path.read_bytes(), path
    ledger_path.unlink()
    maintenance.rebuild_ledger(ledger_path, TENANT)
    with closing(opened(readonly=True)) as ledger:
        assert (ledger.get_run("r1").rosters, ledger.get_run("r1").seals) == ((), None)


def test_a_verdict_reads_its_own_seal_and_no_other(opened, ledger_path):
    """A hospital's ten thousandth seal must not cost more than its first."""
    opened().close()
    with closing(connect(ledger_path, readonly=True)) as connection:
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM seal WHERE attempt = ?", ("uuid",)
        ).fetchall()
    assert "USING INDEX seal_of_attempt" in plan[0][-1]
