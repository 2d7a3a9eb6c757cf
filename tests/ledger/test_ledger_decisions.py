"""What a decision replaces is kept with it."""

from dataclasses import replace

import pytest
from ledger_support import SEALS, UNKNOWN, decision, send

from pipeline.ledger.records import LedgerConflict


def test_the_content_that_a_decision_replaced_is_kept(ledger, attempt, sealed, raw):
    sent = attempt("p1")
    send(ledger, sent, sealed("S1"))
    now = replace(sent.content, picture="c" * 64, name="王小名")
    ledger.record_decision(decision("keep", "p1", content=now))
    assert ledger.snapshot().people["p1"].seal.content == now
    assert sent.content.picture in raw("SELECT replaced FROM decision")[0][0]
    assert ledger.snapshot().former_image_owners[sent.content.picture] == "p1"


@pytest.mark.parametrize("who", ["", " "])
def test_a_decision_names_who_decided(ledger, raw, who):
    ledger.record_adopted_seals(SEALS[:1], now=1.0, who="it", why="old")
    with pytest.raises(LedgerConflict, match="who"):
        ledger.record_decision(replace(decision("replace", "p1", detail="新章"), who=who))
    assert raw("SELECT who FROM decision") == [("it",)]


def test_a_decision_releases_an_unknown_attempt_and_keeps_its_verdict(ledger, attempt, raw):
    first = attempt("p1")
    send(ledger, first, UNKNOWN)
    ledger.record_decision(decision("not_created", "p1", attempt=first.uuid))
    assert raw("SELECT state, verdict FROM attempt") == [("not_created", "unknown")]
