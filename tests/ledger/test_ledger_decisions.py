"""What a human decides, in the file itself: the old content is kept beside it, and receipts and rebuild know it."""

from contextlib import closing
from dataclasses import replace

import pytest
from ledger_support import SEALS, UNKNOWN, decision, send

from pipeline.ledger import maintenance, receipt_sync
from pipeline.ledger.maintenance import check_ledger
from pipeline.ledger.sqlite_ledger import connect

TENANT = "sandbox/app/org"


@pytest.fixture
def decision_ledger(opened, run_record):
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    return ledger


def test_keep_makes_the_present_content_the_accepted_one(decision_ledger, attempt, sealed):
    sent = attempt("p1")
    send(decision_ledger, sent, sealed("S1"))
    now = replace(sent.content, picture="c" * 64, name="王小名")
    decision_ledger.record_decision(decision("keep", "p1", content=now))
    assert decision_ledger.snapshot().people["p1"].seal.content == now
    assert '"picture": "aaa' in replaced_content(decision_ledger)


def replaced_content(decision_ledger):
    with closing(connect(decision_ledger._path, readonly=True)) as connection:
        return connection.execute("SELECT replaced FROM decision").fetchone()[0]


def test_receipts_and_rebuild_know_every_decision(decision_ledger, attempt, sealed, ledger_path):
    first, second = attempt("p3"), attempt("p4")
    send(decision_ledger, first, UNKNOWN)
    send(decision_ledger, second, UNKNOWN)
    send(decision_ledger, attempt("p5"), sealed("S5"))
    decision_ledger.record_decision(decision("created", "p3", attempt=first.uuid, seal_id="S3"))
    decision_ledger.record_decision(decision("not_created", "p4", attempt=second.uuid))
    decision_ledger.record_decision(decision("replace", "p5", detail="p5新章"))
    decision_ledger.record_adopted_seals(SEALS, now=5.0, who="it", why="old")
    decision_ledger.close()
    assert check_ledger(ledger_path, TENANT).defects == ()
    with closing(connect(ledger_path, readonly=True)) as connection:
        before = {
            (entry.table, entry.id): entry.columns for entry in receipt_sync.make_all_receipts(connection)
        }
    for suffix in ("", "-wal", "-shm"):
        ledger_path.with_name(ledger_path.name + suffix).unlink(missing_ok=True)
    maintenance.rebuild_ledger(ledger_path, TENANT)
    with closing(connect(ledger_path, readonly=True)) as connection:
        after = {
            (entry.table, entry.id): entry.columns for entry in receipt_sync.make_all_receipts(connection)
        }
    assert after == before
