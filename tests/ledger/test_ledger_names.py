"""Whose a seal name is, by chance: what must never be, whatever happens to a ledger.

People stand for numbers that are corrected, names for what the roster calls them. No name is borne by the seals of two
people, and none passes from somebody who may bear it.
"""

from __future__ import annotations

import asyncio
from contextlib import closing, suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_support import decision, open_attempt, record_verdict, require_same_summary

from pipeline.domain.seals import UPLOAD_REFUSED, Attempt, LedgerSnapshot, SealContent, Verdict
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.operations import dump_tables
from pipeline.ledger.places import Places
from pipeline.ledger.records import LedgerConflict, RunRecord
from pipeline.ledger.sqlite_ledger import LedgerFile

PEOPLE, NAMES = ("p1", "p2", "p3"), ("甲章", "乙章", "丙章")
SEALED = Verdict("sealed", seal_id="")  # each time another
VERDICTS = (
    SEALED,
    None,
    Verdict("unknown"),
    Verdict("exists", code="FailedOperation.ExistSameSealName"),
    Verdict("not_executed", code="RequestLimitExceeded"),
    Verdict("refused", code="FailedOperation.UserInfoNoMatch", message="姓名与证件号码不一致"),
    Verdict("refused", code="FailedOperation.ExistSameSealName", message="存在同名印章"),
    Verdict("refused", code="FailedOperation", message="请求失败"),
    Verdict("refused", code="FailedOperation", message="印章已存在"),
)
RECORD = RunRecord("r1", "run", 1.0, "h", 1, "u", (), "out", None, "d", "v")
CONTENT = SealContent("张伟", "n" * 32, "ID_CARD", None, None, None, "a" * 64, None)
CREATES = st.tuples(
    st.just("create"),
    st.sampled_from(PEOPLE),
    st.sampled_from(NAMES),
    st.sampled_from(VERDICTS),
    st.booleans(),
)
DECISIONS = st.tuples(
    st.sampled_from(("created", "not_created", "not_theirs", "replace")),
    st.sampled_from(PEOPLE),
    st.sampled_from(NAMES),
)
EVENTS = st.lists(st.one_of(CREATES, CREATES, CREATES, DECISIONS), max_size=20)


def step(ledger: Ledger, number: int, what: tuple) -> None:
    """Do one thing, if the ledger allows it."""
    with suppress(LedgerConflict):
        if what[0] == "create":
            asyncio.run(create(ledger, number, *what[1:]))
        else:
            decide(ledger, number, *what)


async def create(
    ledger: Ledger, number: int, key: str, name: str, verdict: Verdict | None, upload: bool
) -> None:
    refused_upload = upload and verdict is not None and verdict.kind == "refused"
    contract = UPLOAD_REFUSED if refused_upload else "file_id"
    sent = Attempt(f"u{number}", key, name, CONTENT, 1.0, "r1", "row", contract, "h", 361.0)
    await open_attempt(ledger, sent)
    if verdict is SEALED:
        await record_verdict(ledger, sent, Verdict("sealed", seal_id=f"s{number}"), now=2.0)
    elif verdict is not None:
        await record_verdict(ledger, sent, verdict, now=2.0)


def decide(ledger: Ledger, number: int, kind: str, key: str, name: str) -> None:
    history = ledger.snapshot().people.get(key)
    if history is not None and kind == "replace":
        ledger.record_decision(decision(kind, key, detail=name))
    elif history is not None and history.unresolved_attempt is not None:
        seal_id = f"s{number}" if kind == "created" else None
        ledger.record_decision(decision(kind, key, attempt=history.unresolved_attempt.uuid, seal_id=seal_id))


def hold(known: LedgerSnapshot) -> None:
    """Check what must never be."""
    owners = known.seal_name_owners
    for key, person in known.people.items():
        if person.seal is not None:
            assert owners[person.seal.seal_name] == key
            assert person.seal.seal_name not in known.reusable_seal_names
        if person.unresolved_attempt is not None or person.is_seal_name_locked:
            assert person.seal_name not in known.reusable_seal_names
        if person.seal_name is not None:
            assert owners[person.seal_name] == key


@settings(max_examples=12, deadline=None)
@given(events=EVENTS)
def test_a_seal_name_has_one_owner_and_the_journals_alone_make_the_same_tables(events):
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = LedgerFile(folder / "l", Places("sandbox/t", folder / "user", folder / "out"))
        with store.hold.acquire(run="r", now=1.0), closing(store.open_for_writing(now=1.0)) as ledger:
            ledger.begin_run(RECORD)
            for number, what in enumerate(events):
                step(ledger, number, what)
                hold(ledger.snapshot())
                require_same_summary(ledger)
            before = ledger.read(dump_tables)
        store.path.unlink()
        with store.hold.acquire(run="r", now=1.0), closing(store.open_for_writing(now=1.0)) as again:
            assert again.read(dump_tables) == before
