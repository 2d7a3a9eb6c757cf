"""What a human decides: what follows from it, what the constraints forbid, and that receipts and rebuild know it."""

import asyncio
from contextlib import closing
from dataclasses import replace

import pytest

from pipeline.ledger import care, facts
from pipeline.ledger.protocol import Adopted, Decision, LedgerConflict
from pipeline.ledger.sqlite import connect
from pipeline.model import Judgement, Verdict

TENANT = "sandbox/app/org"
UNKNOWN = Verdict("unknown", code="no_answer")


async def _send(ledger, attempt, verdict):
    await ledger.open_attempt(attempt)
    await ledger.settle(attempt.uuid, verdict, at=9.0)


def send(ledger, attempt, verdict):
    asyncio.run(_send(ledger, attempt, verdict))


def decision(kind, key, **more):
    return Decision(kind, key, 20.0, "it", "looked it up", **more)


@pytest.fixture
def desk(opened, run_record):
    ledger = opened(recover=True)
    ledger.begin_run(run_record("r1"))
    return ledger


@pytest.mark.parametrize("verdict", [UNKNOWN, Verdict("exists", code="FailedOperation.ExistSameSealName")])
def test_created_gives_the_seal(desk, attempt, verdict):
    sent = attempt("p1")
    send(desk, sent, verdict)
    desk.decide(decision("created", "p1", attempt=sent.uuid, seal_id="S1"))
    past = desk.snapshot().people["p1"]
    assert (past.seal.seal_id, past.seal.seal_name, past.unsettled) == ("S1", "p1处方章", None)
    assert past.seal.content == sent.content
    assert [(told.kind, told.who, told.why, told.seal_id) for told in desk.decisions()] == [
        ("created", "it", "looked it up", "S1")
    ]


@pytest.mark.parametrize("kind", ["not_created", "probe"])
def test_not_created_lets_the_person_be_sent_again_under_the_same_name(desk, attempt, sealed, kind):
    sent = attempt("p1")
    send(desk, sent, UNKNOWN)
    desk.decide(decision(kind, "p1", attempt=sent.uuid))
    with pytest.raises(LedgerConflict, match="frozen_name"):
        send(desk, attempt("p1", seal_name="另一个章"), UNKNOWN)
    send(desk, attempt("p1"), sealed("S1"))
    assert desk.snapshot().people["p1"].seal.seal_id == "S1"


def test_a_known_seal_id_settles_nothing(desk, attempt, sealed):
    send(desk, attempt("p1"), sealed("S1"))
    sent = attempt("p2")
    send(desk, sent, UNKNOWN)
    with pytest.raises(LedgerConflict, match="seal_id"):
        desk.decide(decision("created", "p2", attempt=sent.uuid, seal_id="S1"))
    assert desk.snapshot().people["p2"].unsettled is not None
    assert desk.decisions() == []


def test_what_is_settled_is_not_settled_again(desk, attempt):
    sent = attempt("p1")
    send(desk, sent, UNKNOWN)
    desk.decide(decision("not_created", "p1", attempt=sent.uuid))
    for kind, seal_id in (("created", "S1"), ("not_created", None)):
        with pytest.raises(LedgerConflict, match="settled"):
            desk.decide(decision(kind, "p1", attempt=sent.uuid, seal_id=seal_id))


def test_a_decision_on_another_persons_attempt_is_none(desk, attempt):
    sent = attempt("p1")
    send(desk, sent, UNKNOWN)
    send(desk, attempt("p2"), UNKNOWN)
    with pytest.raises(LedgerConflict, match="settled"):
        desk.decide(decision("not_created", "p2", attempt=sent.uuid))


def test_keep_makes_the_present_content_the_accepted_one(desk, attempt, sealed):
    sent = attempt("p1")
    send(desk, sent, sealed("S1"))
    now = replace(sent.content, picture="c" * 64, name="王小名")
    desk.decide(decision("keep", "p1", content=now))
    assert desk.snapshot().people["p1"].seal.content == now
    assert '"picture": "aaa' in desk_detail(desk)


def desk_detail(desk):
    with closing(connect(desk._path, readonly=True)) as connection:
        return connection.execute("SELECT detail FROM decision").fetchone()[0]


def test_replace_ends_the_seal_and_the_next_goes_under_the_new_name(desk, attempt, sealed):
    send(desk, attempt("p1"), sealed("S1"))
    desk.decide(decision("replace", "p1", detail="p1新章"))
    past = desk.snapshot().people["p1"]
    assert (past.seal, past.seal_name) == (None, "p1新章")
    with pytest.raises(LedgerConflict, match="frozen_name"):
        send(desk, attempt("p1"), UNKNOWN)
    send(desk, attempt("p1", seal_name="p1新章"), sealed("S2"))
    assert desk.snapshot().people["p1"].seal.seal_id == "S2"


def test_a_replacement_needs_a_name_that_was_never_used(desk, attempt, sealed):
    send(desk, attempt("p1"), sealed("S1"))
    send(desk, attempt("p2"), sealed("S2"))
    for name in ("p1处方章", "p2处方章"):
        with pytest.raises(LedgerConflict, match="seal_name"):
            desk.decide(decision("replace", "p1", detail=name))
    assert desk.snapshot().people["p1"].seal.seal_id == "S1"


@pytest.mark.parametrize("kind", ["keep", "replace"])
def test_without_a_seal_there_is_nothing_to_keep(desk, attempt, kind):
    sent = attempt("p1")
    send(desk, sent, UNKNOWN)
    with pytest.raises(LedgerConflict, match="no_live_seal"):
        desk.decide(decision(kind, "p1", content=sent.content, detail="新"))


SEALS = [
    Adopted("p1", "S1", "王小明", "****0011", "王小明处方章"),
    Adopted("p2", "S2", None, "****0012", None),
]


def test_adopted_seals_are_seals(desk, attempt):
    desk.adopt(SEALS, at=5.0, who="it", why="old system")
    people = desk.snapshot().people
    assert {key: (past.seal.seal_id, past.seal.seal_name) for key, past in people.items()} == {
        "p1": ("S1", "王小明处方章"),
        "p2": ("S2", ""),
    }
    with pytest.raises(LedgerConflict, match="live_seal"):
        send(desk, attempt("p1", seal_name="王小明处方章"), UNKNOWN)


@pytest.mark.parametrize(
    ("third", "constraint"),
    [
        (Adopted("p3", "S1", None, "", None), "seal_id"),
        (Adopted("p1", "S3", None, "", None), "live_seal"),
        (Adopted("p3", "S3", None, "", "王小明处方章"), "seal_name"),
    ],
)
def test_adopting_is_all_or_nothing(desk, third, constraint):
    with pytest.raises(LedgerConflict, match=constraint):
        desk.adopt([*SEALS, third], at=5.0, who="it", why="")
    assert desk.snapshot().people == {}


def test_an_open_attempt_is_not_adopted_away(desk, attempt):
    send(desk, attempt("p1", seal_name="王小明处方章"), UNKNOWN)
    with pytest.raises(LedgerConflict, match="open_attempt"):
        desk.adopt(SEALS, at=5.0, who="it", why="")


def test_receipts_and_rebuild_know_every_decision(desk, attempt, sealed, place):
    first, second = attempt("p3"), attempt("p4")
    send(desk, first, UNKNOWN)
    send(desk, second, UNKNOWN)
    send(desk, attempt("p5"), sealed("S5"))
    desk.decide(decision("created", "p3", attempt=first.uuid, seal_id="S3"))
    desk.decide(decision("not_created", "p4", attempt=second.uuid))
    desk.decide(decision("replace", "p5", detail="p5新章"))
    desk.adopt(SEALS, at=5.0, who="it", why="old")
    desk.close()
    assert care.check(place, TENANT) == []
    with closing(connect(place, readonly=True)) as connection:
        before = {(each.table, each.id): each.columns for each in facts.every(connection)}
    for suffix in ("", "-wal", "-shm"):
        place.with_name(place.name + suffix).unlink(missing_ok=True)
    care.rebuild(place, TENANT)
    with closing(connect(place, readonly=True)) as connection:
        after = {(each.table, each.id): each.columns for each in facts.every(connection)}
    assert after == before


def test_judgements_are_kept_and_the_later_one_counts(opened):
    ledger = opened()
    ledger.judge({"a" * 32: "wrong", "b" * 32: "right"}, at=1.0, who="me", why="review of r1")
    ledger.judge({"a" * 32: "right"}, at=2.0, who="me", why="review of r2")
    assert ledger.judgements() == {"a" * 32: Judgement("right", 2.0), "b" * 32: Judgement("right", 1.0)}
    assert [(told.kind, told.why) for told in ledger.decisions()] == [
        ("review", "review of r1"),
        ("review", "review of r2"),
    ]


def test_ten_thousand_judgements_are_short_lines_of_the_receipts(opened, place):
    ledger = opened(recover=True)
    many = {f"{serial:032x}": "right" for serial in range(10_000)}
    ledger.judge(many, at=1.0, who="me", why="review of r1")
    ledger.close()
    assert len(opened(recover=True).judgements()) == 10_000
    assert [path.name for path in place.parent.glob("receipts*")] == ["receipts.jsonl"], (
        "found again, not begun anew"
    )
