"""A decision is withdrawn: the person is exactly as before it, as long as no create was sent on it."""

from contextlib import closing
from dataclasses import replace

import pytest
from ledger.test_ledger_contract import empty, fresh, ledger
from ledger_support import SEALS, UNKNOWN, decision, send

from pipeline.domain.seals import PictureDecision, Verdict
from pipeline.ledger import maintenance, receipt_sync
from pipeline.ledger.maintenance import check_ledger
from pipeline.ledger.protocol import LedgerConflict
from pipeline.ledger.sqlite_ledger import connect

__all__ = ["empty", "fresh", "ledger"]  # fixtures

EXISTS = Verdict("exists", code="FailedOperation.ExistSameSealName")
REFUSED = Verdict("refused", code="InvalidParameter.CardNumber")
TENANT = "sandbox/app/org"


def prepare(ledger, attempt, sealed):
    """Of the persons: u is unknown, e exists, s sealed, r refused under a name of its own, n is a number without anything."""
    sent = {key: attempt(key) for key in ("u", "e", "s", "r", "n")}
    for key, verdict in (("u", UNKNOWN), ("e", EXISTS), ("s", sealed("S0")), ("r", REFUSED), ("n", REFUSED)):
        send(ledger, sent[key], verdict)
    return sent


def decide(ledger, sent, kind):
    """Enter a decision of a kind."""
    entries = {
        "created": ("u", {"attempt": sent["u"].uuid, "seal_id": "S1"}),
        "created of a name": ("e", {"attempt": sent["e"].uuid, "seal_id": "S1"}),
        "not_created": ("u", {"attempt": sent["u"].uuid}),
        "not_theirs": ("e", {"attempt": sent["e"].uuid}),
        "keep": ("s", {"content": replace(sent["s"].content, picture="c" * 64, name="王小名")}),
        "replace": ("s", {"detail": "s新章"}),
        "same_person": ("s", {"detail": "n", "id_masked": "****9999"}),
        "other_person": ("s", {"detail": "n"}),
    }
    if kind == "adopt":
        seal = replace(SEALS[0], key="r", seal_id="S9", seal_name="r另一枚章")
        ledger.record_adopted_seals([seal], now=20.0, who="it", why="sheet")
    else:
        key, details = entries[kind]
        ledger.record_decision(decision(kind.partition(" ")[0], key, **details))


KINDS = (
    *("created", "created of a name", "not_created", "not_theirs"),
    *("keep", "replace", "same_person", "other_person", "adopt"),
)


def withdraw(ledger):
    number = [one.number for one in ledger.list_decisions() if one.counts][-1]
    ledger.record_withdrawal(number, now=30.0, who="clerk", why="wrong")


def read_all(ledger):
    return (
        ledger.snapshot(),
        sorted(ledger.list_seal_ids()),
        ledger.list_bearers(TENANT),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_withdrawn_decision_leaves_the_person_as_before(ledger, attempt, sealed, kind):
    sent = prepare(ledger, attempt, sealed)
    before = read_all(ledger)
    for _ in range(2):  # what was withdrawn can be decided again, and withdrawn again
        decide(ledger, sent, kind)
        decided = read_all(ledger)
        assert decided != before
        withdraw(ledger)
        assert read_all(ledger) == before
    first, withdrawal, *_ = ledger.list_decisions()
    assert (first.withdrawn_at, first.counts, withdrawal.counts) == (30.0, False, False)
    assert (withdrawal.kind, withdrawal.withdraws, withdrawal.who, withdrawal.why) == (
        *("withdraw", first.number),
        *("clerk", "wrong"),
    )
    with pytest.raises(LedgerConflict, match=r"^built_on$"):
        ledger.record_withdrawal(first.number, now=31.0, who="clerk", why="twice")
    decide(ledger, sent, kind)
    assert read_all(ledger) == decided


@pytest.mark.parametrize(
    ("kind", "creates"),
    [("not_created", "u"), ("not_theirs", "e"), ("replace", "s"), ("other_person", "n")],
)
@pytest.mark.parametrize(
    ("verdict", "is_built_on"),
    [(UNKNOWN, True), (EXISTS, True), (REFUSED, False), (Verdict("not_executed", http_status=200), False)],
)
def test_a_create_that_may_have_made_a_seal_holds_the_decision(
    ledger, attempt, sealed, kind, creates, verdict, is_built_on
):
    decide(ledger, prepare(ledger, attempt, sealed), kind)
    seal_name = ledger.snapshot().people[creates].seal_name or "另一个章"
    send(ledger, attempt(creates, seal_name=seal_name), verdict)
    if not is_built_on:
        withdraw(ledger)
        return
    before = ledger.snapshot()
    with pytest.raises(LedgerConflict, match=r"^built_on$"):
        withdraw(ledger)
    assert ledger.snapshot() == before


def test_a_seal_name_that_went_to_another_person_holds_the_decision(ledger, attempt, sealed):
    sent = prepare(ledger, attempt, sealed)
    decide(ledger, sent, "not_theirs")
    send(ledger, attempt("other", seal_name="e处方章"), REFUSED)
    with pytest.raises(LedgerConflict, match=r"^built_on$"):
        withdraw(ledger)


def test_decisions_on_a_person_are_withdrawn_from_the_last_to_the_first(ledger, attempt, sealed):
    sent = prepare(ledger, attempt, sealed)
    states = [ledger.snapshot()]
    for kind in ("keep", "same_person", "replace"):
        decide(ledger, sent, kind)
        states.append(ledger.snapshot())
    decide(ledger, sent, "created")  # on another person
    numbers = [one.number for one in ledger.list_decisions()]
    for number in numbers[:2]:
        with pytest.raises(LedgerConflict, match=r"^built_on$"):
            ledger.record_withdrawal(number, now=30.0, who="clerk", why="")
    ledger.record_withdrawal(numbers[3], now=30.0, who="clerk", why="")
    for number, state in zip(numbers[2::-1], states[2::-1], strict=True):
        ledger.record_withdrawal(number, now=30.0, who="clerk", why="")
        assert ledger.snapshot() == state


def test_a_decision_on_two_numbers_is_held_by_a_decision_on_either(ledger, attempt, sealed):
    sent = prepare(ledger, attempt, sealed)
    decide(ledger, sent, "other_person")
    number = ledger.list_decisions()[-1].number
    ledger.record_adopted_seals([replace(SEALS[0], key="n", seal_name=None)], now=20.0, who="it", why="sheet")
    with pytest.raises(LedgerConflict, match=r"^built_on$"):
        ledger.record_withdrawal(number, now=30.0, who="clerk", why="")
    withdraw(ledger)
    ledger.record_withdrawal(number, now=30.0, who="clerk", why="")
    assert ledger.snapshot().other_persons == frozenset()


@pytest.mark.parametrize("number", [0, 1, 99])
def test_what_is_no_decision_of_a_person_on_a_doctor_is_not_withdrawn(ledger, number):
    ledger.record_judgement(PictureDecision("right", "k", "n", "a" * 64), now=1.0, who="me", why="review")
    with pytest.raises(LedgerConflict, match=r"^built_on$"):
        ledger.record_withdrawal(number, now=30.0, who="clerk", why="")


def test_a_seal_id_that_was_withdrawn_is_free_for_another_person(ledger, attempt, sealed):
    sent = prepare(ledger, attempt, sealed)
    decide(ledger, sent, "created")
    withdraw(ledger)
    decide(ledger, sent, "created of a name")
    assert {key: person.seal and person.seal.seal_id for key, person in ledger.snapshot().people.items()} == {
        "u": None,
        "e": "S1",
        "s": "S0",
        "r": None,
        "n": None,
    }


@pytest.mark.parametrize("kind", KINDS)
def test_receipts_and_rebuild_know_a_withdrawal(opened, run_record, attempt, sealed, ledger_path, kind):
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    sent = prepare(ledger, attempt, sealed)
    decide(ledger, sent, kind)
    withdraw(ledger)
    expected = ledger.snapshot()
    ledger.close()
    assert check_ledger(ledger_path, TENANT).defects == ()
    with closing(connect(ledger_path, readonly=True)) as connection:
        before = {(one.table, one.id): one.columns for one in receipt_sync.make_all_receipts(connection)}
    for suffix in ("", "-wal", "-shm"):
        ledger_path.with_name(ledger_path.name + suffix).unlink(missing_ok=True)
    maintenance.rebuild_ledger(ledger_path, TENANT)
    with closing(connect(ledger_path, readonly=True)) as connection:
        after = {(one.table, one.id): one.columns for one in receipt_sync.make_all_receipts(connection)}
    assert after == before
    assert opened().snapshot() == expected
