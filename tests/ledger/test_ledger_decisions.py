"""What a human decides, in the file itself: the old content is kept beside it, and receipts and rebuild know it."""

from contextlib import closing
from dataclasses import replace

import pytest
from ledger_support import SEALS, UNKNOWN, decision, send

from pipeline.ledger import maintenance, receipt_facts
from pipeline.ledger.check import check_ledger
from pipeline.ledger.sqlite_ledger import connect

TENANT = "sandbox/app/org"


@pytest.fixture
def desk(opened, run_record):
    ledger = opened(recover=True)
    ledger.begin_run(run_record("r1"))
    return ledger


def test_keep_makes_the_present_content_the_accepted_one(desk, attempt, sealed):
    sent = attempt("p1")
    send(desk, sent, sealed("S1"))
    now = replace(sent.content, picture="c" * 64, name="王小名")
    desk.record_decision(decision("keep", "p1", content=now))
    assert desk.snapshot().people["p1"].seal.content == now
    assert '"picture": "aaa' in desk_detail(desk)


def desk_detail(desk):
    with closing(connect(desk._path, readonly=True)) as connection:
        return connection.execute("SELECT detail FROM decision").fetchone()[0]


def test_receipts_and_rebuild_know_every_decision(desk, attempt, sealed, place):
    first, second = attempt("p3"), attempt("p4")
    send(desk, first, UNKNOWN)
    send(desk, second, UNKNOWN)
    send(desk, attempt("p5"), sealed("S5"))
    desk.record_decision(decision("created", "p3", attempt=first.uuid, seal_id="S3"))
    desk.record_decision(decision("not_created", "p4", attempt=second.uuid))
    desk.record_decision(decision("replace", "p5", detail="p5新章"))
    desk.record_adopted_seals(SEALS, now=5.0, who="it", why="old")
    desk.close()
    assert check_ledger(place, TENANT).troubles == ()
    with closing(connect(place, readonly=True)) as connection:
        before = {(each.table, each.id): each.columns for each in receipt_facts.make_all_receipts(connection)}
    for suffix in ("", "-wal", "-shm"):
        place.with_name(place.name + suffix).unlink(missing_ok=True)
    maintenance.rebuild_ledger(place, TENANT)
    with closing(connect(place, readonly=True)) as connection:
        after = {(each.table, each.id): each.columns for each in receipt_facts.make_all_receipts(connection)}
    assert after == before


def test_ten_thousand_judgements_are_short_lines_of_the_receipts(opened, place):
    ledger = opened(recover=True)
    many = {f"{serial:032x}": "right" for serial in range(10_000)}
    ledger.record_judgements(many, now=1.0, who="me", why="review of r1")
    ledger.close()
    assert len(opened(recover=True).list_judgements()) == 10_000
    assert [path.name for path in place.parent.glob("receipts*")] == ["receipts.jsonl"], (
        "found again, not begun anew"
    )
