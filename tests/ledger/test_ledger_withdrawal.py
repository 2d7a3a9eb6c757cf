"""A decision is withdrawn: the person is exactly as before it, as long as no create was sent on it."""

import asyncio
import uuid
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger.test_ledger_contract import KINDS as DATABASES
from ledger.test_ledger_contract import RECORD, empty, fresh, ledger
from ledger_support import EXISTS, SEALS, UNKNOWN, decision, open_attempt, record_verdict, send

from pipeline.domain.seals import Attempt, PersonDigests, PictureDecision, SealContent, Verdict
from pipeline.ledger.operations import dump_tables, make_tables_anew
from pipeline.ledger.records import AdoptedSeal, LedgerConflict

__all__ = ["empty", "fresh", "ledger"]  # fixtures

REFUSED = Verdict("refused", code="InvalidParameter.CardNumber")


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
    identity = [one.id for one in ledger.list_decisions() if one.counts][-1]
    ledger.record_withdrawal(identity, now=30.0, who="clerk", why="wrong")


def read_all(ledger):
    return (
        ledger.snapshot(),
        sorted(ledger.list_seal_ids()),
        ledger.list_bearers(),
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_withdrawn_decision_leaves_the_person_as_before(ledger, attempt, sealed, kind):
    sent = prepare(ledger, attempt, sealed)
    before = read_all(ledger)
    for _ in range(2):  # what was withdrawn can be decided again, and withdrawn again
        decide(ledger, sent, kind)
        assert read_all(ledger) != before
        withdraw(ledger)
        assert read_all(ledger) == before
    first, withdrawal, *_ = ledger.list_decisions()
    assert (first.withdrawn_at, first.counts, withdrawal.counts) == (30.0, False, False)
    assert (withdrawal.kind, withdrawal.withdraws, withdrawal.who, withdrawal.why) == (
        *("withdraw", first.id),
        *("clerk", "wrong"),
    )
    with pytest.raises(LedgerConflict, match=r"^built_on$"):
        ledger.record_withdrawal(first.id, now=31.0, who="clerk", why="twice")


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
    ids = [one.id for one in ledger.list_decisions()]
    for identity in ids[:2]:
        with pytest.raises(LedgerConflict, match=r"^built_on$"):
            ledger.record_withdrawal(identity, now=30.0, who="clerk", why="")
    ledger.record_withdrawal(ids[3], now=30.0, who="clerk", why="")
    for identity, state in zip(ids[2::-1], states[2::-1], strict=True):
        ledger.record_withdrawal(identity, now=30.0, who="clerk", why="")
        assert ledger.snapshot() == state


def test_a_decision_on_two_numbers_is_held_by_a_decision_on_either(ledger, attempt, sealed):
    sent = prepare(ledger, attempt, sealed)
    decide(ledger, sent, "other_person")
    identity = ledger.list_decisions()[-1].id
    ledger.record_adopted_seals([replace(SEALS[0], key="n", seal_name=None)], now=20.0, who="it", why="sheet")
    with pytest.raises(LedgerConflict, match=r"^built_on$"):
        ledger.record_withdrawal(identity, now=30.0, who="clerk", why="")
    withdraw(ledger)
    ledger.record_withdrawal(identity, now=30.0, who="clerk", why="")
    assert ledger.snapshot().other_persons == frozenset()


def test_what_is_no_decision_of_a_person_on_a_doctor_is_not_withdrawn(ledger):
    ledger.record_judgement(PictureDecision("right", "k", "n", "a" * 64), now=1.0, who="me", why="review")
    for identity in (ledger.list_decisions()[0].id, "unknown"):
        with pytest.raises(LedgerConflict, match=r"^built_on$"):
            ledger.record_withdrawal(identity, now=30.0, who="clerk", why="")


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


def test_a_name_that_passed_to_another_doctor_before_does_not_hold_the_decision(ledger, attempt, sealed):
    """The first doctor's number was refused under the name of the second, then sealed under another one."""
    for key, name, verdict in (
        ("p1", "甲章", REFUSED),
        ("p1", "乙章", sealed("S1")),
        ("p2", "甲章", UNKNOWN),
    ):
        send(ledger, attempt(key, seal_name=name), verdict)
    before = read_all(ledger)
    for details in (
        {"kind": "replace", "detail": "丙章"},
        {"kind": "keep", "content": attempt("p1").content},
    ):
        ledger.record_decision(decision(details.pop("kind"), "p1", **details))
        withdraw(ledger)
        assert read_all(ledger) == before


# -- by chance: what is withdrawn is as if it had never been entered

PEOPLE, NAMES = ("p1", "p2", "p3"), ("甲章", "乙章", "丙章")
CONTENTS = [
    SealContent("张伟", "n" * 32, "ID_CARD", None, mobile * 32, None, mobile * 64, None) for mobile in "ab"
]
VERDICTS = (None, UNKNOWN, EXISTS, REFUSED, Verdict("not_executed"), Verdict("sealed", seal_id=""))
DECISIONS = st.tuples(
    st.sampled_from(("created", "not_created", "not_theirs", "keep", "replace", "same_person", "other_person", "adopt")),
    st.sampled_from(PEOPLE), st.sampled_from(NAMES), st.sampled_from(PEOPLE), st.sampled_from(CONTENTS),
)  # fmt: skip
STEPS = st.one_of(
    st.tuples(
        st.just("create"), st.sampled_from(PEOPLE), st.sampled_from(NAMES), st.sampled_from(VERDICTS),
        st.sampled_from(CONTENTS),
    ),
    DECISIONS,
    st.tuples(st.just("digests"), st.sampled_from(PEOPLE), st.sampled_from(("", "s")), st.sampled_from(("", "m"))),
    st.tuples(st.just("withdraw"), st.integers(0, 3)),
)  # fmt: skip


def take_step(ledger, kind, *details):
    """Do one thing; raises LedgerConflict where the ledger refuses it. Each id and SealId is another one."""
    if kind == "create":
        key, name, verdict, content = details
        sent = Attempt(str(uuid.uuid4()), key, name, content, 1.0, "r1", "row", "file_id", "h", 361.0)
        asyncio.run(open_attempt(ledger, sent))
        if verdict is not None:
            made = replace(verdict, seal_id=sent.uuid) if verdict.kind == "sealed" else verdict
            asyncio.run(record_verdict(ledger, sent, made, now=9.0))
    elif kind == "digests":
        ledger.record_person_digests({details[0]: PersonDigests(*details[1:])})
    elif kind == "withdraw":
        ids = [one.id for one in ledger.list_decisions() if one.counts]
        ledger.record_withdrawal(
            ids[-1 - details[0] % len(ids)] if ids else "", now=30.0, who="clerk", why=""
        )
    elif kind == "adopt":
        key, name, _, content = details
        seal = AdoptedSeal(key, str(uuid.uuid4()), "张伟", "*", name, "s9", content.mobile, "k")
        ledger.record_adopted_seals([seal], now=20.0, who="it", why="")
    else:
        key, name, other, content = details
        person = ledger.snapshot().people.get(key)
        waiting = person and person.unresolved_attempt
        fields = {
            "keep": {"content": content},
            "replace": {"detail": name},
            "same_person": {"detail": other, "id_masked": "*2"},
            "other_person": {"detail": other},
        }
        resolving = {"attempt": waiting.uuid if waiting else None, "seal_id": str(uuid.uuid4())}
        ledger.record_decision(decision(kind, key, **fields.get(kind, resolving)))


def read_tables(ledger):
    """Return what is known of people, without the decisions and what a withdrawal adds to them."""
    snapshot = ledger.snapshot()
    return (
        snapshot,
        sorted(map(repr, ledger.list_bearers())),
        [one.id for one in ledger.list_decisions() if one.counts],
    )


def require_same_anew(ledger):
    """Make all tables once more from the events, and compare."""

    def compare(connection):
        before = dump_tables(connection)
        make_tables_anew(connection)
        assert dump_tables(connection) == before
        return []

    ledger._submit(compare)


@pytest.mark.parametrize("kind", DATABASES)
@settings(max_examples=40, deadline=None)
@given(
    steps=st.lists(STEPS, max_size=14),
    last=DECISIONS,
)
def test_a_withdrawn_decision_leaves_everything_as_if_it_had_never_been_entered(kind, request, steps, last):
    with fresh(kind, request) as ledger:
        ledger.begin_run(RECORD)
        for step in steps:
            with suppress(LedgerConflict):
                take_step(ledger, *step)
        before = read_tables(ledger)
        with suppress(LedgerConflict):
            take_step(ledger, *last)
            withdraw(ledger)
        assert read_tables(ledger) == before
        require_same_anew(ledger)
