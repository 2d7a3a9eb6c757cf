"""Whose a seal name is, by chance: what must never be, whatever happens to a ledger.

People stand for numbers that are corrected, names for what the roster calls them. No name is borne by the seals of two
people, and none passes from somebody who may bear it.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_support import decision, require_same_summary

from pipeline.domain.seals import LedgerSnapshot, SealContent, Verdict
from pipeline.ledger import maintenance
from pipeline.ledger.maintenance import check_ledger
from pipeline.ledger.open import open_ledger
from pipeline.ledger.protocol import UPLOAD_REFUSED, Attempt, Ledger, LedgerConflict, RunRecord

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
RECORD = RunRecord("r1", "run", 1.0, "h", 1, "u", (), None, "out", None, "d", "v")
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
    await ledger.open_attempt(
        Attempt(f"u{number}", key, "r1", "row", "张伟", "*", name, contract, "h", 1.0, CONTENT, 361.0)
    )
    if verdict is SEALED:
        await ledger.record_verdict(f"u{number}", Verdict("sealed", seal_id=f"s{number}"), now=2.0)
    elif verdict is not None:
        await ledger.record_verdict(f"u{number}", verdict, now=2.0)


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
        if person.unresolved_attempt is not None or person.seal_name_locked:
            assert person.seal_name not in known.reusable_seal_names
        if person.seal_name is not None:
            assert owners[person.seal_name] == key


@settings(max_examples=12, deadline=None)
@given(events=EVENTS)
def test_a_seal_name_has_one_owner_and_the_receipts_restore_it(events):
    with TemporaryDirectory() as folder:
        ledger_path = Path(folder) / "state" / "ledger.sqlite3"
        ours, _ = open_ledger(ledger_path, "t", now=1.0)
        ours.begin_run(RECORD)
        for number, what in enumerate(events):
            step(ours, number, what)
            hold(ours.snapshot())
            require_same_summary(ours)
        before = ours.snapshot()
        ours.close()
        assert check_ledger(ledger_path, "t").defects == ()
        ledger_path.unlink()
        maintenance.rebuild_ledger(ledger_path, "t")
        again, _ = open_ledger(ledger_path, "t", now=3.0, readonly=True)
        assert again.snapshot() == before
