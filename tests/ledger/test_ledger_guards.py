"""The constraints refuse what must never be, through the ledger and behind its back."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import pytest
from ledger_support import SEALS, decision, settle_attempt

from pipeline.domain.seals import Verdict
from pipeline.ledger.protocol import LedgerConflict


@pytest.fixture
async def three_people(ledger, attempt, sealed):
    """One with a seal, one refused, one whose attempt is open; the key says which."""
    for key, verdict in (("sealed", sealed("s1")), ("refused", Verdict("refused")), ("open", None)):
        one = attempt(key)
        await ledger.open_attempt(one)
        if verdict:
            await ledger.record_verdict(one.uuid, verdict, now=2.0)


SEAL = (
    "INSERT INTO seal (seal_id, key, seal_name, source, run, attempt, at, after_attempt, content_name, content_number, "
    "content_id_type, content_picture) VALUES ({}, {}, {}, {}, 'r1', {}, 1.0, 1, 'n', 'n', 'ID_CARD', 'p')"
)
OPENED = (
    "INSERT INTO attempt (uuid, key, run, row_id, contract, host, signed_at, seal_name, content_name, content_number, "
    "content_id_type, content_picture, dead_at) "
    "VALUES ('x', {}, 'r1', 'r', 'file_id', 'h', 1.0, {}, 'n', 'n', 'ID_CARD', 'p', 361.0)"
)


@pytest.mark.parametrize(
    ("statement", "refusal"),
    [
        (
            SEAL.format("'s9'", "'sealed'", "'sealed处方章'", "'receipt'", "NULL"),
            "UNIQUE constraint failed: seal.key",
        ),
        (
            SEAL.format("'s1'", "'refused'", "'refused处方章'", "'receipt'", "NULL"),
            "UNIQUE .*one_seal_of_an_id",
        ),
        (SEAL.format("'s9'", "'open'", "'open处方章'", "'receipt'", "NULL"), "open_attempt"),
        (SEAL.format("'s9'", "'refused'", "'sealed处方章'", "'receipt'", "NULL"), "FOREIGN KEY"),
        (SEAL.format("'s9'", "'nobody'", "NULL", "'receipt'", "NULL"), "CHECK|FOREIGN KEY"),
        (SEAL.format("'s9'", "'refused'", "'refused处方章'", "'sent'", "NULL"), "CHECK"),
        (SEAL.format("''", "'refused'", "'refused处方章'", "'receipt'", "NULL"), "CHECK"),
        (SEAL.format("'s9'", "'refused'", "'refused处方章'", "'guessed'", "NULL"), "CHECK"),
        (OPENED.format("'sealed'", "'sealed处方章'"), "live_seal"),
        (OPENED.format("'open'", "'open处方章'"), "UNIQUE constraint failed: attempt.key"),
        (OPENED.format("'refused'", "'sealed处方章'"), "frozen_name"),
        ("UPDATE attempt SET verdict = 'refused' WHERE key = 'sealed'", "settled"),
        ("UPDATE attempt SET verdict = 'lucky', settled_at = 1.0 WHERE key = 'open'", "CHECK"),
        ("UPDATE attempt SET verdict = 'unknown' WHERE key = 'open'", "CHECK"),
        ("UPDATE attempt SET decision = 1 WHERE key = 'refused'", "CHECK"),
        ("UPDATE attempt SET decision = 1 WHERE key = 'open'", "CHECK"),
        ("UPDATE attempt SET signed_at = 'yesterday' WHERE key = 'open'", "cannot store TEXT"),
        ("UPDATE seal_name SET key = 'refused' WHERE key = 'sealed'", "seal_name"),
        ("UPDATE seal_name SET key = 'sealed' WHERE key = 'open'", "seal_name"),
        ("UPDATE seal_name SET key = 'sealed' WHERE key = 'refused'", "seal_name"),  # its code is not known
        ("UPDATE person SET seal_name = 'sealed处方章' WHERE key = 'refused'", "FOREIGN KEY"),
        ("UPDATE seal SET ended_by = 99", "FOREIGN KEY"),
        ("DELETE FROM person WHERE key = 'sealed'", "FOREIGN KEY"),
        (
            "INSERT INTO meta (id, tenant, key_check, key_format, created) VALUES (2, 't', 'c', 1, 1.0)",
            "CHECK",
        ),
    ],
)
async def test_the_constraints_of_the_tables_refuse_wrong_statements(three_people, raw, statement, refusal):
    with pytest.raises(sqlite3.IntegrityError, match=refusal):
        raw(statement)


async def test_a_decision_releases_an_unknown_attempt_and_keeps_its_verdict(ledger, attempt, raw):
    """The seam of `resolve --not-created`: the person may be sent again, the verdict is kept."""
    first = attempt("p1")
    await settle_attempt(ledger, first, Verdict("unknown"), now=2.0)
    _decide(raw, "not_created", first.uuid)
    raw("UPDATE attempt SET decision = 1 WHERE uuid = ?", first.uuid)
    assert ledger.snapshot().people["p1"].unresolved_attempt is None
    await ledger.open_attempt(attempt("p1"))
    assert ledger.snapshot().people["p1"].create_count == 2
    assert raw("SELECT verdict FROM attempt WHERE uuid = ?", first.uuid) == [("unknown",)]


async def test_a_decision_ends_a_seal_and_its_person_may_have_a_new_one(ledger, attempt, sealed, raw):
    """The seam of `resolve --replace --seal-name`: the old SealId and name stay the person's."""
    first = attempt("p1", seal_name="旧处方章")
    await settle_attempt(ledger, first, sealed("s1"), now=2.0)
    _decide(raw, "replace", first.uuid)
    raw("UPDATE seal SET ended_by = 1 WHERE seal_id = 's1'")
    raw("INSERT INTO seal_name VALUES ('新处方章', 'p1')")
    raw("UPDATE person SET seal_name = '新处方章' WHERE key = 'p1'")
    second = attempt("p1", seal_name="新处方章")
    await settle_attempt(ledger, second, sealed("s2"), now=3.0)
    history = ledger.snapshot().people["p1"]
    assert (history.seal.seal_id, history.seal.seal_name, history.create_count) == ("s2", "新处方章", 2)
    assert ledger.snapshot().seal_name_owners == {"旧处方章": "p1", "新处方章": "p1"}


@pytest.mark.parametrize("who", ["", " "])
def test_a_decision_names_who_decided(ledger, raw, who):
    ledger.record_adopted_seals(SEALS[:1], now=1.0, who="it", why="old")
    with pytest.raises(LedgerConflict, match="who"):
        ledger.record_decision(replace(decision("replace", "p1", detail="新章"), who=who))
    assert raw("SELECT who FROM decision") == [("it",)]


def test_an_adopted_seal_may_have_no_content(ledger, raw):
    """Its person is not new, and nothing about it can differ."""
    raw("INSERT INTO person (key) VALUES ('p1')")
    raw("INSERT INTO seal (seal_id, key, source, at, after_attempt) VALUES ('s1', 'p1', 'adopted', 1.0, 0)")
    seal = ledger.snapshot().people["p1"].seal
    assert (seal.seal_id, seal.content, seal.seal_name) == ("s1", None, "")


def _decide(raw, kind, uuid):
    raw(
        "INSERT INTO decision (at, who, why, kind, key, attempt, after_attempt) VALUES (3.0, 'it', 'seen', ?, 'p1', ?, 1)",
        kind,
        uuid,
    )
