"""What is read equals what was written."""

from __future__ import annotations

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ledger import people
from pipeline.ledger.open import open_ledger
from pipeline.ledger.protocol import Attempt, Ledger, LedgerConflict, RunRecord
from pipeline.model import Content, LiveSeal, Past, Snapshot, Try, Verdict
from pipeline.roster import FileStat

CONTENT = Content("李小红", "n" * 32, "ID_CARD", None, None, "李小红章", "a" * 64, None)


async def test_a_seal_holds_what_its_attempt_was_made_from(ledger, attempt, sealed):
    first = attempt("p1", content=CONTENT)
    await ledger.open_attempt(first)
    await ledger.settle(first.uuid, sealed("s1"), at=9.0)
    seal = LiveSeal("s1", "p1处方章", "r1", 9.0, CONTENT, "request-s1", first.uuid)
    assert ledger.snapshot() == Snapshot({"p1": Past("p1", "p1处方章", seal, creates=1)}, {"p1处方章": "p1"})


async def test_refusals_are_told_oldest_first_and_unexecuted_sends_leave_a_count(ledger, attempt):
    told = []
    for number, verdict in enumerate(
        [
            Verdict(
                "refused", code="FailedOperation", message="证件号码不正确", request_id="q0", http_status=200
            ),
            Verdict("not_executed", code="RequestLimitExceeded"),
            Verdict("refused", code="InvalidParameter.Image"),
        ]
    ):
        one = attempt(
            "p1", signed_at=100.0 - number
        )  # a clock that runs backwards does not change their order
        await ledger.open_attempt(one)
        await ledger.settle(one.uuid, verdict, at=200.0)
        if verdict.kind == "refused":
            told.append(
                Try(
                    one.uuid,
                    "r1",
                    "refused",
                    one.signed_at,
                    "h",
                    one.content,
                    verdict.code,
                    verdict.message,
                    verdict.request_id,
                )
            )
    past = ledger.snapshot().people["p1"]
    assert (past.refusals, past.creates, past.unsettled, past.seal) == (tuple(told), 2, None, None)


async def test_refusals_before_a_seal_are_of_the_past(ledger, attempt, sealed, raw):
    for verdict in (Verdict("refused"), sealed("s1")):
        one = attempt("p1")
        await ledger.open_attempt(one)
        await ledger.settle(one.uuid, verdict, at=2.0)
    assert ledger.snapshot().people["p1"].refusals == ()
    raw("INSERT INTO decision (at, who, why, kind) VALUES (1.0, 'it', 'w', 'replace')")
    raw("UPDATE seal SET ended_by = 1")
    assert ledger.snapshot().people["p1"].seal is None
    later = attempt("p1")
    await ledger.open_attempt(later)
    await ledger.settle(later.uuid, Verdict("refused"), at=3.0)
    assert [one.uuid for one in ledger.snapshot().people["p1"].refusals] == [later.uuid]


async def test_a_reader_sees_one_moment_while_others_write(ledger, attempt):
    await ledger.open_attempt(attempt("p1"))
    with ledger._reading() as connection:
        before = people.snapshot(connection)
        await ledger.open_attempt(attempt("p2"))
        assert people.snapshot(connection) == before
    assert ledger.snapshot().people.keys() == {"p1", "p2"}


async def test_a_person_keeps_the_newest_name_and_the_first_seal_name(ledger, attempt, raw):
    for name in ("王小明", "王晓明"):
        one = attempt("p1", name=name)
        await ledger.open_attempt(one)
        await ledger.settle(one.uuid, Verdict("refused"), at=2.0)
    assert raw("SELECT name, id_masked, seal_name FROM person") == [
        ("王晓明", "**************0011", "p1处方章")
    ]


def test_files_are_known_by_path_and_no_path_is_kept(ledger, place):
    path = "/seals/110101199003070011.png"
    ledger.remember_files({path: FileStat(1, 2, "a"), "/seals/乙.png": FileStat(3, 4, "b")})
    ledger.remember_files({path: FileStat(5, 6, "c")})
    known = ledger.known_files()
    assert (known[path], known.get("/seals/乙.png")) == (FileStat(5, 6, "c"), FileStat(3, 4, "b"))
    assert "/seals/丙.png" not in known
    assert {known[digest].sha256 for digest in known} == {"b", "c"}
    ledger.close()
    assert b"110101199003070011" not in b"".join(file.read_bytes() for file in place.parent.iterdir())


def test_the_ledger_is_what_the_night_asks_for(ledger):
    asked: Ledger = ledger
    assert [name for name in dir(Ledger) if not name.startswith("_") and not hasattr(asked, name)] == []


VERDICTS = st.sampled_from(["sealed", "refused", "not_executed", "unknown", "exists", None])
STEPS = st.lists(st.tuples(st.integers(0, 3), VERDICTS), max_size=25)
RECORD = RunRecord("r1", "run", 1.0, "h", 1, "u", (), None, "out", None, "d", "v")


@settings(max_examples=20, deadline=None)
@given(STEPS)
def test_a_snapshot_equals_a_model_of_what_was_written(steps):
    with TemporaryDirectory() as folder:
        ledger, _ = open_ledger(Path(folder) / "l", "t", now=1.0)
        ledger.begin_run(RECORD)
        model: dict[str, Past] = {}
        for number, (person, kind) in enumerate(steps):
            asyncio.run(_step(ledger, model, f"u{number}", f"p{person}", kind))
        ledger.close()
        assert ledger.snapshot() == Snapshot(model, {past.seal_name: key for key, past in model.items()})


async def _step(ledger: Ledger, model: dict[str, Past], uuid: str, key: str, kind: str | None) -> None:
    past = model.get(key) or Past(key, f"{key}章")
    attempt = Attempt(uuid, key, "r1", "row", "李小红", "*", f"{key}章", "file_id", "h", 1.0, CONTENT)
    try:
        await ledger.open_attempt(attempt)
    except LedgerConflict:
        assert past.seal or past.unsettled
        return
    assert not past.seal
    assert not past.unsettled
    tried = Try(uuid, "r1", kind or "unknown", 1.0, "h", CONTENT)
    if kind:
        await ledger.settle(uuid, Verdict(kind, seal_id=f"s-{uuid}" if kind == "sealed" else None), at=2.0)
    model[key] = Past(
        key,
        past.seal_name,
        LiveSeal(f"s-{uuid}", past.seal_name, "r1", 2.0, CONTENT, None, uuid) if kind == "sealed" else None,
        tried if kind in {None, "unknown", "exists"} else None,
        () if kind == "sealed" else past.refusals + ((tried,) if kind == "refused" else ()),
        past.creates + (kind != "not_executed"),  # without an answer it never left
    )
