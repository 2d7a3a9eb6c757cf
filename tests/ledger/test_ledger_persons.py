"""Two numbers, one person or two: what every ledger keeps of it, and what outlives the ledger."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from ledger_support import UNKNOWN, decision, send

from pipeline.domain.roster import fold_card_number
from pipeline.domain.seals import PersonDigests
from pipeline.ledger import maintenance
from pipeline.ledger.maintenance import check_ledger
from pipeline.ledger.open import open_ledger
from pipeline.ledger.protocol import AdoptedSeal, LedgerConflict


@pytest.fixture
def ledger(opened, run_record):
    """A ledger in which the run r1 has begun."""
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    return ledger


def marks_of(ledger, key="p1"):
    history = ledger.snapshot().people[key]
    return history.staff_no_digest, history.mobile_digest


def same(owner, number, **more):
    return decision("same_person", owner, detail=number, **more)


def other(owner, number):
    return decision("other_person", owner, detail=number)


def test_an_attempt_records_staff_number_and_mobile(ledger, attempt):
    send(ledger, attempt("p1", staff_no="s" * 32), UNKNOWN)
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


def test_an_older_ledger_takes_staff_numbers_from_the_rows_of_its_runs(
    opened, run_record, attempt, sealed, seen, raw
):
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    send(ledger, attempt("p1"), sealed("s1"))
    rows = [seen("a", "sealed", key="p1", line=json.dumps({"staff_no": staff_no})) for staff_no in ("00A1",)]
    ledger.record_rows("r1", rows)
    raw("UPDATE person SET staff_no = NULL, mobile = NULL")
    staff_no, mobile = marks_of(ledger)
    assert mobile is None
    assert len(staff_no) == 32
    ledger.record_person_digests({})
    assert raw("SELECT staff_no, mobile FROM person") == [(staff_no, "")]


def test_receipts_restore_persons_and_decisions(opened, run_record, attempt, sealed, ledger_path):
    ledger = opened()
    ledger.begin_run(run_record("r1"))
    send(ledger, attempt("p1", staff_no="s"), sealed("s1"))
    ledger.record_person_digests({"p1": PersonDigests("t", "")})
    ledger.record_decision(same("p1", "p2", id_masked="*0022"))
    ledger.record_decision(other("p1", "p3"))
    before = ledger.snapshot()
    ledger.close()
    assert check_ledger(ledger_path, "sandbox/app/org").defects == ()
    ledger_path.unlink()
    maintenance.rebuild_ledger(ledger_path, "sandbox/app/org")
    again, _ = open_ledger(ledger_path, "sandbox/app/org", now=1.0, readonly=True)
    after = again.snapshot()
    assert replace(after, people=before.people) == before
    assert marks_of(again) == ("t", "m" * 32)
    assert after.people["p1"].id_masked == "*0022"


def test_an_ordinary_number_is_written_in_one_way():
    assert fold_card_number("11010119900307663X", None) == "11010119900307663X"
