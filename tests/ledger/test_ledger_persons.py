"""Two numbers, one person or two."""

from __future__ import annotations

import asyncio

import pytest
from ledger_support import UNKNOWN, decision, open_attempt, send

from pipeline.domain.roster import fold_card_number
from pipeline.domain.seals import PersonDigests
from pipeline.ledger.records import AdoptedSeal, LedgerConflict


def marks_of(ledger, key="p1"):
    history = ledger.snapshot().people[key]
    return history.staff_no, history.mobile


def same(owner, number, **more):
    return decision("same_person", owner, detail=number, **more)


def other(owner, number):
    return decision("other_person", owner, detail=number)


def test_an_attempt_records_staff_number_and_mobile(ledger, attempt):
    asyncio.run(open_attempt(ledger, attempt("p1"), staff_no="s" * 32))
    assert marks_of(ledger) == ("s" * 32, "m" * 32)


def test_an_adopted_seal_records_staff_number_and_mobile(ledger):
    ledger.record_adopted_seals(
        [AdoptedSeal("p1", "S1", "王小明", "*", None, "s", "m")], now=1.0, who="it", why="old"
    )
    assert marks_of(ledger) == ("s", "m")


def test_later_values_replace_earlier_ones_and_blank_values_do_not(ledger, attempt):
    send(ledger, attempt("p1"), UNKNOWN)
    ledger.record_person_digests({"p1": PersonDigests("s", "")})
    assert marks_of(ledger) == ("s", "m" * 32)
    ledger.record_person_digests({"p1": PersonDigests("", "n")})
    assert marks_of(ledger) == ("s", "n")


def test_a_number_becomes_a_persons_and_is_taken_back(ledger, attempt, sealed):
    send(ledger, attempt("p1"), sealed("s1"))
    ledger.record_decision(same("p1", "p2", id_masked="**************0022"))
    known = ledger.snapshot()
    assert (known.same_persons, known.other_persons) == ({"p2": "p1"}, frozenset())
    assert known.people["p1"].id_masked == "**************0022"
    ledger.record_decision(other("p1", "p2"))
    known = ledger.snapshot()
    assert (known.same_persons, known.other_persons) == ({}, frozenset({("p1", "p2")}))
    ledger.record_decision(same("p1", "p2"))
    assert ledger.snapshot().other_persons == frozenset()


def test_all_numbers_of_a_person_lead_to_the_one_with_the_seal(ledger, attempt, sealed):
    send(ledger, attempt("p1"), sealed("s1"))
    ledger.record_decision(same("p1", "p2"))
    ledger.record_decision(decision("replace", "p1", detail="新处方章"))
    send(ledger, attempt("p3"), sealed("s3"))
    ledger.record_decision(same("p3", "p1"))
    assert ledger.snapshot().same_persons == {"p2": "p3", "p1": "p3"}


@pytest.mark.parametrize("verdict", ["sealed", "unknown"])
def test_a_number_with_a_seal_or_an_open_attempt_is_no_other_persons(ledger, attempt, sealed, verdict):
    send(ledger, attempt("p1"), sealed("s1"))
    send(ledger, attempt("p2"), sealed("s2") if verdict == "sealed" else UNKNOWN)
    with pytest.raises(LedgerConflict, match=r"^same_person$"):
        ledger.record_decision(same("p1", "p2"))
    with pytest.raises(LedgerConflict, match=r"^same_person$"):
        ledger.record_decision(same("p1", "p1"))
    assert ledger.snapshot().same_persons == {}


def test_a_person_without_a_seal_or_an_open_attempt_takes_no_number(ledger, attempt, sealed):
    send(ledger, attempt("p1"), sealed("s1"))
    ledger.record_decision(decision("replace", "p1", detail="新处方章"))
    with pytest.raises(LedgerConflict, match=r"^same_person$"):
        ledger.record_decision(same("p1", "p2"))


def test_an_ordinary_number_is_written_in_one_way():
    assert fold_card_number("11010119900307663X", None) == "11010119900307663X"
