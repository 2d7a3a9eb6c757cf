"""What every ledger promises, asked of both databases."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_support import (
    EXISTS,
    SEALS,
    UNKNOWN,
    decision,
    open_attempt,
    record_verdict,
    require_same_summary,
    send,
    settle_attempt,
)

from pipeline.domain.auto_sign import AutoSignAnswer, AutoSignRecord
from pipeline.domain.roster import FileStat
from pipeline.domain.run import REPEATED
from pipeline.domain.seals import (
    UPLOAD_REFUSED,
    Attempt,
    Person,
    PictureDecision,
    SealContent,
    Verdict,
)
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.places import Places
from pipeline.ledger.records import AdoptedSeal, LedgerConflict, RowRecord, RunRecord
from pipeline.ledger.sqlite_ledger import LedgerFile

KINDS = ("sqlite", pytest.param("postgres", marks=pytest.mark.server))
KNOWN_BY = {"name": "王小明", "id_masked": "**************0011"}
CONTENT = SealContent("李小红", "n" * 32, "ID_CARD", None, None, "李小红章", "a" * 64, None)


@pytest.fixture(params=KINDS)
def empty(request) -> Iterator[Ledger]:
    """A new ledger of each kind."""
    if request.param == "sqlite":
        yield request.getfixturevalue("opened")()
    else:
        with fresh(request.param, request) as ledger:
            yield ledger


@pytest.fixture
def ledger(empty, run_record) -> Ledger:
    """A ledger in which the run r1 has begun."""
    empty.begin_run(run_record("r1"))
    return empty


@contextmanager
def fresh(kind: str, request: pytest.FixtureRequest) -> Iterator[Ledger]:
    """A new ledger for each example that hypothesis finds."""
    if kind == "postgres":
        with request.getfixturevalue("ledger_bench").open_empty() as ledger:
            yield ledger
        return
    with TemporaryDirectory() as name:
        folder = Path(name)
        store = LedgerFile(folder / "l", Places("sandbox/t", folder / "user", folder / "out"))
        with store.hold.acquire(run="r", now=1.0), closing(store.open_for_writing(now=1.0)) as ledger:
            yield ledger


# -- one attempt, one seal


async def test_a_person_has_one_open_attempt(ledger, attempt):
    await open_attempt(ledger, attempt("p1"))
    with pytest.raises(LedgerConflict, match=r"^open_attempt$"):
        await open_attempt(ledger, attempt("p1"))


@pytest.mark.parametrize("kind", ["unknown", "exists"])
async def test_an_attempt_that_waits_for_a_decision_stays_open(ledger, attempt, kind):
    first = attempt("p1")
    await settle_attempt(ledger, first, Verdict(kind), now=2.0)
    with pytest.raises(LedgerConflict, match=r"^open_attempt$"):
        await open_attempt(ledger, attempt("p1"))


@pytest.mark.parametrize("kind", ["refused", "not_executed"])
async def test_a_proven_refusal_leaves_room_for_the_next_attempt(ledger, attempt, kind):
    first = attempt("p1")
    await settle_attempt(ledger, first, Verdict(kind), now=2.0)
    await open_attempt(ledger, attempt("p1"))


async def test_a_person_with_a_live_seal_gets_no_attempt(ledger, attempt, sealed):
    first = attempt("p1")
    await settle_attempt(ledger, first, sealed("s1"), now=2.0)
    with pytest.raises(LedgerConflict, match=r"^live_seal$"):
        await open_attempt(ledger, attempt("p1"))


async def test_a_seal_id_belongs_to_one_person_and_the_attempt_stays_open_for_unknown(
    ledger, attempt, sealed
):
    first, second = attempt("p1"), attempt("p2")
    await open_attempt(ledger, first)
    await open_attempt(ledger, second)
    await record_verdict(ledger, first, sealed("s1"), now=2.0)
    for known in ("s1", "S1"):
        with pytest.raises(LedgerConflict, match=r"^seal_id$"):
            await record_verdict(ledger, second, replace(sealed(known), request_id="other"), now=2.0)
    still = ledger.snapshot().people["p2"].unresolved_attempt
    assert (still.uuid, still.verdict, still.seal_id) == (second.uuid, None, None)
    await record_verdict(ledger, second, Verdict("unknown", seal_id="s1"), now=3.0)
    people = ledger.snapshot().people
    assert (people["p2"].seal, people["p2"].unresolved_attempt.verdict) == (None, "unknown")
    assert people["p2"].unresolved_attempt.seal_id == "s1", "kept as evidence"


async def test_an_answer_belongs_to_one_attempt_and_another_one_stays_open_for_unknown(ledger, attempt):
    refusal = Verdict("refused", request_id="r-1", code="InvalidParameter.CardNumber")
    await settle_attempt(ledger, attempt("p1"), refusal, now=2.0)
    for key in ("p2", "p3"):
        second = attempt(key)
        await open_attempt(ledger, second)
        for verdict in (refusal, replace(refusal, kind="not_executed", code="RequestLimitExceeded")):
            with pytest.raises(LedgerConflict, match=r"^request_id$"):
                await record_verdict(ledger, second, verdict, now=2.0)
        await record_verdict(ledger, second, replace(refusal, kind="unknown", code=REPEATED), now=3.0)
        kept = ledger.snapshot().people[key].unresolved_attempt
        assert (kept.uuid, kept.verdict, kept.request_id) == (second.uuid, "unknown", "r-1"), "evidence"
    for key in ("p4", "p5"):
        await settle_attempt(ledger, attempt(key), replace(refusal, request_id=None), now=4.0)


async def test_a_seal_name_belongs_to_one_person_and_a_refused_attempt_leaves_nothing(ledger, attempt):
    await open_attempt(ledger, attempt("p1", seal_name="张伟处方章"))
    with pytest.raises(LedgerConflict, match=r"^seal_name$"):
        await open_attempt(ledger, attempt("p2", seal_name="张伟处方章"))
    assert set(ledger.snapshot().people) == {"p1"}


async def test_a_seal_name_is_frozen_at_the_first_attempt(ledger, attempt):
    first = attempt("p1", seal_name="甲处方章")
    await settle_attempt(ledger, first, Verdict("refused", code="FailedOperation"), now=2.0)
    assert ledger.snapshot().people["p1"].is_seal_name_locked
    with pytest.raises(LedgerConflict, match=r"^frozen_name$"):
        await open_attempt(ledger, attempt("p1", seal_name="乙处方章"))
    assert ledger.snapshot().seal_name_owners == {"甲处方章": "p1"}


@pytest.mark.parametrize(
    "verdict",
    [Verdict("not_executed"), Verdict("refused", code="InvalidParameter.LimitSealName")],
    ids=lambda verdict: verdict.kind,
)
async def test_a_surely_refused_seal_name_may_be_changed(ledger, attempt, verdict):
    first = attempt("p1", seal_name="甲处方章")
    await settle_attempt(ledger, first, verdict, now=2.0)
    await open_attempt(ledger, attempt("p1", seal_name="乙处方章"))
    known = ledger.snapshot()
    assert known.people["p1"].seal_name == "乙处方章"
    assert known.seal_name_owners == {"甲处方章": "p1", "乙处方章": "p1"}


@pytest.mark.parametrize("code", ["FailedOperation.ExistSameSealName", "FailedOperation"])
async def test_a_name_that_an_older_version_called_taken_is_kept(ledger, attempt, code):
    """The seal of that name may be this person's: under another name there would be two."""
    first = attempt("p1", seal_name="甲处方章")
    await settle_attempt(ledger, first, Verdict("refused", code=code, message="存在同名印章"), now=2.0)
    assert ledger.snapshot().people["p1"].is_seal_name_locked
    with pytest.raises(LedgerConflict, match=r"^frozen_name$"):
        await open_attempt(ledger, attempt("p1", seal_name="乙处方章"))


NO_PERSON = Verdict("refused", code="FailedOperation.UserInfoNoMatch", http_status=200)


@pytest.mark.parametrize("verdict", [NO_PERSON, Verdict("not_executed", code="RequestLimitExceeded")])
async def test_a_name_passes_on_from_a_person_who_was_surely_refused(ledger, attempt, sealed, verdict):
    """A corrected number is another person: the doctor must not lose the name to the wrong one."""
    wrong, right = attempt("p1", seal_name="张伟处方章"), attempt("p2", seal_name="张伟处方章")
    await open_attempt(ledger, wrong)
    assert ledger.snapshot().reusable_seal_names == frozenset(), "it may have been executed"
    await record_verdict(ledger, wrong, verdict, now=2.0)
    assert ledger.snapshot().reusable_seal_names == {"张伟处方章"}
    await open_attempt(ledger, right)
    known = ledger.snapshot()
    assert (known.seal_name_owners, known.reusable_seal_names) == ({"张伟处方章": "p2"}, frozenset())
    assert (known.people["p1"].seal_name, known.people["p2"].seal_name) == (None, "张伟处方章")
    await record_verdict(ledger, right, sealed("s1"), now=3.0)
    assert ledger.snapshot().people["p2"].seal.seal_name == "张伟处方章"
    with pytest.raises(LedgerConflict, match=r"^seal_name$"):
        await open_attempt(ledger, attempt("p1", seal_name="张伟处方章"))
    again = attempt("p1", seal_name="张伟内科处方章")
    await settle_attempt(ledger, again, sealed("s2"), now=4.0)
    assert ledger.snapshot().people["p1"].seal.seal_name == "张伟内科处方章"


@pytest.mark.parametrize(
    "verdicts",
    [
        [None],
        [Verdict("unknown")],
        [Verdict("exists", code="FailedOperation.ExistSameSealName")],
        [Verdict("refused", code="FailedOperation", message="请求失败")],
        [Verdict("refused", code="FailedOperation", message="已存在同名印章")],
        [Verdict("refused", code="FailedOperation.ExistSameSealName")],
        [Verdict("refused")],
        [NO_PERSON, Verdict("refused", code="FailedOperation.ExistSameSealName")],
        [Verdict("refused", code="FailedOperation", message="请求失败"), NO_PERSON],
    ],
    ids=lambda verdicts: " ".join(
        verdict.code or verdict.kind if verdict else "open" for verdict in verdicts
    ),
)
async def test_a_name_that_a_person_may_bear_passes_on_to_no_doctor(ledger, attempt, verdicts):
    for verdict in verdicts:
        first = attempt("p1", seal_name="张伟处方章")
        await open_attempt(ledger, first)
        if verdict is not None:
            await record_verdict(ledger, first, verdict, now=2.0)
    before = ledger.snapshot()
    assert before.reusable_seal_names == frozenset()
    with pytest.raises(LedgerConflict, match=r"^seal_name$"):
        await open_attempt(ledger, attempt("p2", seal_name="张伟处方章"))
    assert ledger.snapshot() == before, "nothing of it was entered"


async def test_the_name_of_a_seal_and_of_its_replacement_pass_on_to_no_doctor(ledger, attempt, sealed):
    first = attempt("p1")
    await settle_attempt(ledger, first, sealed("S1"), now=2.0)
    ledger.record_decision(decision("replace", "p1", detail="p1新章"))
    second = attempt("p1", seal_name="p1新章")
    await settle_attempt(ledger, second, NO_PERSON, now=3.0)
    assert ledger.snapshot().reusable_seal_names == frozenset()
    for name in ("p1处方章", "p1新章"):
        with pytest.raises(LedgerConflict, match=r"^seal_name$"):
            await open_attempt(ledger, attempt("p2", seal_name=name))


async def test_a_name_that_was_given_up_before_the_seal_passes_on(ledger, attempt, sealed):
    """The doctor's name was wrong and refused, then corrected and sealed: the one who is called so may have it."""
    for name, verdict in (("张玮处方章", NO_PERSON), ("张伟处方章", sealed("S1"))):
        first = attempt("p1", seal_name=name)
        await settle_attempt(ledger, first, verdict, now=2.0)
    assert ledger.snapshot().reusable_seal_names == {"张玮处方章"}
    await open_attempt(ledger, attempt("p2", seal_name="张玮处方章"))
    assert ledger.snapshot().people["p1"].seal_name == "张伟处方章"


async def test_the_time_until_which_an_attempt_can_be_replayed_is_stored(ledger, attempt):
    """By the clock of the machine that will ask."""
    await open_attempt(ledger, attempt("p1", signed_at=1.0, dead_at=99.5))
    assert ledger.snapshot().people["p1"].unresolved_attempt.dead_at == 99.5


async def test_an_attempt_is_entered_and_settled_once(ledger, attempt, sealed):
    first = attempt("p1")
    await open_attempt(ledger, first)
    with pytest.raises(LedgerConflict, match=r"^attempt$"):
        await open_attempt(ledger, attempt("p2", uuid=first.uuid))
    await record_verdict(ledger, first, Verdict("not_executed"), now=2.0)
    for uuid in (first.uuid, "never entered"):
        with pytest.raises(LedgerConflict, match=r"^settled$"):
            await ledger.record_verdict(uuid, "p1", sealed("s1"), now=3.0)
    assert ledger.snapshot().people["p1"].seal is None


async def test_a_success_without_a_seal_id_is_refused(ledger, attempt):
    for number, seal_id in enumerate([None, ""]):
        first = attempt(f"p{number}")
        await open_attempt(ledger, first)
        with pytest.raises(LedgerConflict):
            await record_verdict(ledger, first, Verdict("sealed", seal_id=seal_id), now=2.0)


def test_what_a_run_records_belongs_to_a_run_that_was_begun(ledger, run_record):
    with pytest.raises(LedgerConflict, match=r"^run$"):
        ledger.begin_run(run_record("r1"))
    with pytest.raises(LedgerConflict, match=r"^run$"):
        ledger.record_rows("never begun", [])
    with pytest.raises(LedgerConflict, match=r"^run$"):
        ledger.finish_run("never begun", exit=0, finished=1.0, record="{}")


# -- what a human decides


def test_created_gives_the_seal(ledger, attempt):
    sent = attempt("p1")
    send(ledger, sent, UNKNOWN)
    ledger.record_decision(decision("created", "p1", attempt=sent.uuid, seal_id="S1"))
    history = ledger.snapshot().people["p1"]
    assert (history.seal.seal_id, history.seal.seal_name, history.unresolved_attempt) == (
        "S1",
        "p1处方章",
        None,
    )
    assert history.seal.content == sent.content
    assert [
        (decision.kind, decision.who, decision.why, decision.seal_id) for decision in ledger.list_decisions()
    ] == [("created", "it", "looked it up", "S1")]


def test_a_seal_whose_name_existed_is_adopted_and_its_content_not_known(ledger, attempt):
    sent = attempt("p1")
    send(ledger, sent, EXISTS)
    ledger.record_decision(decision("created", "p1", attempt=sent.uuid, seal_id="S1"))
    seal = ledger.snapshot().people["p1"].seal
    assert (seal.seal_id, seal.seal_name, seal.content, seal.is_own) == ("S1", "p1处方章", None, False)


def test_a_seal_whose_name_existed_after_a_lost_create_is_that_creates(ledger, attempt):
    lost, later = attempt("p1"), attempt("p1")
    send(ledger, lost, UNKNOWN)
    ledger.record_decision(decision("not_created", "p1", attempt=lost.uuid))
    send(ledger, later, EXISTS)
    ledger.record_decision(decision("created", "p1", attempt=later.uuid, seal_id="S1"))
    seal = ledger.snapshot().people["p1"].seal
    assert (seal.seal_id, seal.content, seal.is_own) == ("S1", lost.content, True)


def test_where_lost_creates_differ_it_is_not_known_what_the_seal_was_made_from(ledger, attempt):
    for picture, verdict in (("a" * 64, UNKNOWN), ("b" * 64, UNKNOWN), ("b" * 64, EXISTS)):
        sent = attempt("p1")
        sent = replace(sent, content=replace(sent.content, picture=picture))
        send(ledger, sent, verdict)
        if verdict is UNKNOWN:
            ledger.record_decision(decision("not_created", "p1", attempt=sent.uuid))
    ledger.record_decision(decision("created", "p1", attempt=sent.uuid, seal_id="S1"))
    assert ledger.snapshot().people["p1"].seal.content is None


def test_not_theirs_bars_the_name_and_lets_the_person_have_another(ledger, attempt, sealed):
    sent = attempt("p1", seal_name="张伟处方章")
    send(ledger, sent, EXISTS)
    ledger.record_decision(decision("not_theirs", "p1", attempt=sent.uuid))
    known = ledger.snapshot()
    history = known.people["p1"]
    assert (history.unresolved_attempt, history.is_seal_name_locked, history.seal_name) == (None, False, None)
    assert (history.seal_names_of_others, known.reusable_seal_names) == ({"张伟处方章"}, {"张伟处方章"})
    send(ledger, attempt("p1", seal_name="张伟〇一处方章"), sealed("S1"))
    send(ledger, attempt("p2", seal_name="张伟处方章"), EXISTS)
    assert ledger.snapshot().seal_name_owners == {"张伟〇一处方章": "p1", "张伟处方章": "p2"}


def test_not_theirs_frees_what_an_earlier_lost_create_had_frozen(ledger, attempt, sealed):
    lost, later = attempt("p1"), attempt("p1")
    send(ledger, lost, UNKNOWN)
    ledger.record_decision(decision("not_created", "p1", attempt=lost.uuid))
    send(ledger, later, EXISTS)
    ledger.record_decision(decision("not_theirs", "p1", attempt=later.uuid))
    assert not ledger.snapshot().people["p1"].is_seal_name_locked
    send(ledger, attempt("p1", seal_name="另一个章"), UNKNOWN)
    assert ledger.snapshot().people["p1"].is_seal_name_locked, "this one may have been made"


def test_a_create_without_a_verdict_is_not_anothers(ledger, attempt):
    sent = attempt("p1")
    send(ledger, sent, UNKNOWN)
    with pytest.raises(LedgerConflict, match="settled"):
        ledger.record_decision(decision("not_theirs", "p1", attempt=sent.uuid))
    assert ledger.snapshot().people["p1"].unresolved_attempt is not None


def test_not_created_lets_the_person_be_sent_again_under_the_same_name(ledger, attempt, sealed):
    sent = attempt("p1")
    send(ledger, sent, UNKNOWN)
    ledger.record_decision(decision("not_created", "p1", attempt=sent.uuid))
    history = ledger.snapshot().people["p1"]
    assert (history.unresolved_attempt, history.is_seal_name_locked) == (None, True)
    with pytest.raises(LedgerConflict, match="frozen_name"):
        send(ledger, attempt("p1", seal_name="另一个章"), UNKNOWN)
    send(ledger, attempt("p1"), sealed("S1"))
    assert ledger.snapshot().people["p1"].seal.seal_id == "S1"


def test_a_known_seal_id_settles_nothing(ledger, attempt, sealed):
    send(ledger, attempt("p1"), sealed("S1"))
    sent = attempt("p2")
    send(ledger, sent, UNKNOWN)
    with pytest.raises(LedgerConflict, match="seal_id"):
        ledger.record_decision(decision("created", "p2", attempt=sent.uuid, seal_id="S1"))
    assert ledger.snapshot().people["p2"].unresolved_attempt is not None
    assert ledger.list_decisions() == []


def test_what_is_settled_is_not_settled_again(ledger, attempt):
    sent = attempt("p1")
    send(ledger, sent, UNKNOWN)
    ledger.record_decision(decision("not_created", "p1", attempt=sent.uuid))
    for kind, seal_id in (("created", "S1"), ("not_created", None)):
        with pytest.raises(LedgerConflict, match="settled"):
            ledger.record_decision(decision(kind, "p1", attempt=sent.uuid, seal_id=seal_id))


def test_a_decision_on_another_persons_attempt_is_none(ledger, attempt):
    sent = attempt("p1")
    send(ledger, sent, UNKNOWN)
    send(ledger, attempt("p2"), UNKNOWN)
    with pytest.raises(LedgerConflict, match="settled"):
        ledger.record_decision(decision("not_created", "p2", attempt=sent.uuid))


def test_replace_ends_the_seal_and_the_next_goes_under_the_new_name(ledger, attempt, sealed):
    send(ledger, attempt("p1"), sealed("S1"))
    ledger.record_decision(decision("replace", "p1", detail="p1新章"))
    history = ledger.snapshot().people["p1"]
    assert (history.seal, history.seal_name, history.is_seal_name_locked) == (None, "p1新章", True)
    with pytest.raises(LedgerConflict, match="frozen_name"):
        send(ledger, attempt("p1"), UNKNOWN)
    send(ledger, attempt("p1", seal_name="p1新章"), Verdict("not_executed", code="RequestLimitExceeded"))
    assert ledger.snapshot().people["p1"].is_seal_name_locked, "the name was not refused"
    again = attempt("p1", seal_name="p1新章")
    send(ledger, again, EXISTS)
    assert ledger.snapshot().people["p1"].is_seal_name_locked, "the seal of that name may be this person's"
    ledger.record_decision(decision("not_theirs", "p1", attempt=again.uuid))
    assert not ledger.snapshot().people["p1"].is_seal_name_locked, (
        "the new name is another's: a human may choose one"
    )
    send(ledger, attempt("p1", seal_name="p1三章"), sealed("S2"))
    assert ledger.snapshot().people["p1"].seal.seal_id == "S2"


def test_a_replacement_needs_a_name_that_was_never_used(ledger, attempt, sealed):
    send(ledger, attempt("p1"), sealed("S1"))
    send(ledger, attempt("p2"), sealed("S2"))
    for name in ("p1处方章", "p2处方章"):
        with pytest.raises(LedgerConflict, match="seal_name"):
            ledger.record_decision(decision("replace", "p1", detail=name))
    assert ledger.snapshot().people["p1"].seal.seal_id == "S1"


@pytest.mark.parametrize("kind", ["keep", "replace"])
def test_without_a_seal_there_is_nothing_to_keep(ledger, attempt, kind):
    sent = attempt("p1")
    send(ledger, sent, UNKNOWN)
    with pytest.raises(LedgerConflict, match="no_live_seal"):
        ledger.record_decision(decision(kind, "p1", content=sent.content, detail="新"))


def test_adopted_seals_are_seals(ledger, attempt):
    ledger.record_adopted_seals(SEALS, now=5.0, who="it", why="old system")
    people = ledger.snapshot().people
    assert {key: (person.seal.seal_id, person.seal.seal_name) for key, person in people.items()} == {
        "p1": ("S1", "王小明处方章"),
        "p2": ("S2", ""),
    }
    assert {key: person.name for key, person in people.items()} == {seal.key: seal.name for seal in SEALS}
    with pytest.raises(LedgerConflict, match="live_seal"):
        send(ledger, attempt("p1", seal_name="王小明处方章"), UNKNOWN)


def test_the_ids_of_all_answers_are_kept(ledger, attempt, sealed):
    send(ledger, attempt("p1"), replace(sealed("S1"), request_id="r-1"))
    ledger.record_decision(decision("replace", "p1", detail="p1新章"))
    send(ledger, attempt("p2"), Verdict("not_executed", request_id="r-2", code="RequestLimitExceeded"))
    send(ledger, attempt("p2"), replace(UNKNOWN, request_id=None))
    assert set(ledger.list_request_ids()) == {"r-1", "r-2"}
    assert set(ledger.list_seal_ids()) == {"S1"}, "also of a seal that was given up"


def test_staff_numbers_are_those_that_runs_read_for_people_with_a_seal(ledger, attempt, seen, sealed):
    send(ledger, attempt("p1"), sealed("S1"))
    send(ledger, attempt("p2"), UNKNOWN)

    def row(row_id, key, staff_no):
        return seen(row_id, "unchanged", key=key, line=json.dumps({"staff_no": staff_no}))

    ledger.record_rows(
        "r1", [row("a", "p1", "1001"), row("b", "p1", "A-7"), row("c", "p2", "1002"), row("d", "p1", None)]
    )
    findings = {key: set(numbers) for key, numbers in ledger.list_staff_numbers().items()}
    assert findings == {"p1": {"1001", "A-7"}}


@pytest.mark.parametrize(
    ("third", "constraint"),
    [
        (AdoptedSeal("p3", "S1", None, "", None), "seal_id"),
        (AdoptedSeal("p1", "S3", None, "", None), "live_seal"),
        (AdoptedSeal("p3", "S3", None, "", "王小明处方章"), "seal_name"),
    ],
)
def test_adopting_is_all_or_nothing(ledger, third, constraint):
    with pytest.raises(LedgerConflict, match=constraint):
        ledger.record_adopted_seals([*SEALS, third], now=5.0, who="it", why="")
    assert ledger.snapshot().people == {}


def test_an_open_attempt_is_not_adopted_away(ledger, attempt):
    send(ledger, attempt("p1", seal_name="王小明处方章"), UNKNOWN)
    with pytest.raises(LedgerConflict, match="open_attempt"):
        ledger.record_adopted_seals(SEALS, now=5.0, who="it", why="")


def test_keep_makes_the_present_content_the_accepted_one(ledger, attempt, sealed):
    sent = attempt("p1")
    send(ledger, sent, sealed("S1"))
    now = replace(sent.content, picture="c" * 64, name="王小名")
    ledger.record_decision(decision("keep", "p1", content=now))
    assert ledger.snapshot().people["p1"].seal.content == now


def test_decisions_are_reported_oldest_first(ledger, attempt):
    sent = attempt("p1")
    send(ledger, sent, UNKNOWN)
    ledger.record_decision(decision("other_person", "p1", detail="p2"))
    assert ledger.snapshot().people["p1"].unresolved_attempt is not None, "it is on another question"
    ledger.record_decision(decision("not_created", "p1", attempt=sent.uuid))
    decisions = [(decision.kind, decision.attempt) for decision in ledger.list_decisions()]
    assert decisions == [("other_person", None), ("not_created", sent.uuid)]
    assert ledger.snapshot().people["p1"].unresolved_attempt is None


@pytest.mark.parametrize("kind", ["not_created", "guessed"])
def test_a_decision_without_a_person_or_a_kind_is_refused(ledger, attempt, kind):
    if kind == "guessed":
        send(ledger, attempt("p1"), UNKNOWN)
    with pytest.raises(LedgerConflict):
        ledger.record_decision(decision(kind, "p1"))
    assert ledger.list_decisions() == []


# -- a caller that is cancelled


async def test_a_cancelled_attempt_is_never_left_open(ledger, attempt):
    """However far it came, its caller never learnt that it may send."""
    for turns in range(4):
        entering = asyncio.ensure_future(open_attempt(ledger, attempt(f"p{turns}")))
        for _ in range(turns):
            await asyncio.sleep(0)
        if entering.done():
            continue
        entering.cancel()
        with pytest.raises(asyncio.CancelledError):
            await entering
        await open_attempt(ledger, attempt(f"p{turns}"))  # queued behind it: no attempt is in its way
        assert ledger.snapshot().people[f"p{turns}"].create_count == 1


async def test_a_verdict_is_entered_though_its_caller_is_cancelled(ledger, attempt, sealed):
    first = attempt("p1")
    await open_attempt(ledger, first)
    settling = asyncio.ensure_future(record_verdict(ledger, first, sealed("s1"), now=2.0))
    await asyncio.sleep(0)
    settling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await settling
    with pytest.raises(LedgerConflict, match=r"^live_seal$"):
        await open_attempt(ledger, attempt("p1"))


# -- what a snapshot tells


async def test_a_refused_upload_is_a_refusal_and_no_create(ledger, attempt):
    first = attempt("p1", contract=UPLOAD_REFUSED)
    await settle_attempt(ledger, first, Verdict("refused", code="FailedOperation"), now=2.0)
    history = ledger.snapshot().people["p1"]
    assert (history.create_count, len(history.refusals)) == (0, 1)
    await open_attempt(
        ledger, attempt("p1", seal_name="另一个章")
    )  # nothing can have been made under the first


async def test_refusals_before_a_seal_do_not_count(ledger, attempt, sealed):
    for verdict in (Verdict("refused", code="InvalidParameter"), sealed("s1")):
        one = attempt("p1")
        await settle_attempt(ledger, one, verdict, now=2.0)
    assert ledger.snapshot().people["p1"].refusals == []
    await asyncio.to_thread(ledger.record_decision, decision("replace", "p1", detail="新章"))
    later = attempt("p1", seal_name="新章")
    await settle_attempt(ledger, later, Verdict("refused", code="InvalidParameter"), now=3.0)
    history = ledger.snapshot().people["p1"]
    assert ([one.uuid for one in history.refusals], history.seal, history.create_count) == (
        [later.uuid],
        None,
        3,
    )


async def test_a_snapshot_is_of_one_moment(ledger, attempt):
    await open_attempt(ledger, attempt("p1"))
    before = ledger.snapshot()
    await open_attempt(ledger, attempt("p2"))
    assert (set(before.people), set(before.seal_name_owners)) == ({"p1"}, {"p1处方章"})
    assert set(ledger.snapshot().people) == {"p1", "p2"}


def test_reading_and_writing_from_several_threads(ledger, attempt):
    """The run plans in one thread and decides in another."""
    people = [f"p{number}" for number in range(8)]
    writers = [threading.Thread(target=send, args=(ledger, attempt(person), UNKNOWN)) for person in people]
    for writer in writers:
        writer.start()
        ledger.snapshot()
    for writer in writers:
        writer.join()
    assert set(ledger.snapshot().people) == set(people)


def test_files_are_known_by_path(ledger):
    ledger.record_files({"/seals/甲.png": FileStat(1, 2, "a"), "/seals/乙.png": FileStat(3, 4, "b")})
    ledger.record_files({"/seals/甲.png": FileStat(5, 6, "c")})
    known = ledger.list_known_files()
    assert (known["/seals/甲.png"], known.get("/seals/乙.png")) == (FileStat(5, 6, "c"), FileStat(3, 4, "b"))
    assert (known.get("/seals/丙.png"), "/seals/丙.png" in known) == (None, False)


async def test_a_seal_holds_what_its_attempt_was_made_from(ledger, attempt, sealed):
    first = attempt("p1", content=CONTENT)
    await settle_attempt(ledger, first, sealed("s1"), now=9.0)
    answered = {"state": "sealed", "verdict": "sealed", "settled_at": 9.0, "http_status": 200}
    seal = replace(first, seal_id="s1", request_id="request-s1", **answered)
    (person,) = ledger.snapshot().people.values()
    assert person == Person(
        "p1", "p1处方章", attempts=(replace(seal, event_number=person.seal.event_number),), **KNOWN_BY
    )
    assert (person.seal, person.create_count, person.is_seal_name_locked) == (person.attempts[0], 1, True)
    assert ledger.snapshot().seal_name_owners == {"p1处方章": "p1"}


async def test_refusals_are_reported_oldest_first_and_unexecuted_sends_leave_a_count(ledger, attempt):
    messages = []
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
        await settle_attempt(ledger, one, verdict, now=200.0)
        if verdict.kind == "refused":
            messages.append((one.uuid, one.signed_at, verdict.code, verdict.message, verdict.request_id))
    history = ledger.snapshot().people["p1"]
    refusals = [(one.uuid, one.signed_at, one.code, one.message, one.request_id) for one in history.refusals]
    assert (refusals, history.create_count, history.unresolved_attempt, history.seal) == (
        messages,
        2,
        None,
        None,
    )


VERDICTS = st.sampled_from(["sealed", "refused", "not_executed", "unknown", "exists", None])


STEPS = st.lists(st.tuples(st.integers(0, 3), VERDICTS), max_size=25)


RECORD = RunRecord("r1", "run", 1.0, "h", 1, "u", (), "out", None, "d", "v")


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(steps=STEPS)
def test_a_snapshot_equals_a_model_of_what_was_written(kind, request, steps):
    with fresh(kind, request) as ledger:
        ledger.begin_run(RECORD)
        model: dict[str, list[tuple[str, str]]] = {}
        for number, (person, verdict) in enumerate(steps):
            asyncio.run(_step(ledger, model, f"u{number}", f"p{person}", verdict))
        snapshot = ledger.snapshot()
        known = {
            key: [(one.uuid, one.state) for one in person.attempts] for key, person in snapshot.people.items()
        }
        assert known == model
        assert snapshot.seal_name_owners == {f"{key}章": key for key in model}
        spare = {
            f"{key}章"
            for key, states in model.items()
            if all(state in {"refused", "not_executed"} for _, state in states)
        }
        assert snapshot.reusable_seal_names == spare
        require_same_summary(ledger)


async def _step(
    ledger: Ledger, model: dict[str, list[tuple[str, str]]], uuid: str, key: str, kind: str | None
) -> None:
    states = model.setdefault(key, [])
    blocks = {"open", "unknown", "exists", "sealed"}
    attempt = Attempt(uuid, key, f"{key}章", CONTENT, 1.0, "r1", "row", "file_id", "h", 361.0)
    try:
        await open_attempt(ledger, attempt)
    except LedgerConflict:
        assert any(state in blocks for _, state in states)
        return
    assert not any(state in blocks for _, state in states)
    states.append((uuid, kind or "open"))
    if kind:
        seal_id = f"s-{uuid}" if kind == "sealed" else None
        code = "FailedOperation.UserInfoNoMatch" if kind == "refused" else None
        await record_verdict(ledger, attempt, Verdict(kind, seal_id=seal_id, code=code), now=2.0)


# -- auto-sign


async def test_the_newest_answer_about_a_person_counts_and_no_answer_takes_none_back(ledger, attempt, sealed):
    with pytest.raises(LedgerConflict, match=r"^person$"):
        await ledger.record_auto_sign_answer(AutoSignAnswer("p1", 1.0, is_open=False))
    await settle_attempt(ledger, attempt("p1"), sealed("s1"), now=2.0)
    await settle_attempt(ledger, attempt("p2"), Verdict("unknown"), now=2.0)
    await ledger.record_auto_sign_answer(AutoSignAnswer("p1", 3.0, is_open=None, code="no_answer"))
    await ledger.record_auto_sign_answer(AutoSignAnswer("p2", 3.0, is_open=False, request_id="q1"))
    assert ledger.list_auto_sign_records() == {
        "p1": AutoSignRecord("p1", 3.0, "no_answer", own_seal_id="s1"),
        "p2": AutoSignRecord("p2", 3.0, None, "q1", 3.0, is_open=False),
    }
    opened = AutoSignAnswer("p1", 4.0, is_open=True, seal_id="s9", license_to=99.0, request_id="q2")
    await ledger.record_auto_sign_answer(opened)
    await ledger.record_auto_sign_answer(AutoSignAnswer("p1", 5.0, is_open=None, code="InternalError.Db"))
    asked = AutoSignRecord("p1", 5.0, "InternalError.Db", None, 4.0, True, "s9", 99.0, "s1")
    assert ledger.list_auto_sign_records()["p1"] == asked
    await ledger.record_auto_sign_answer(AutoSignAnswer("p1", 6.0, is_open=True, seal_id="s1"))
    assert ledger.list_auto_sign_records()["p1"] == AutoSignRecord(
        "p1", 6.0, answered_at=6.0, is_open=True, seal_id="s1", own_seal_id="s1"
    )


# -- runs and what they said


def test_rows_seen_before_count_unless_the_run_was_stopped_for_new_ones(ledger, run_record, seen):
    assert ledger.list_seen_rows(["a"]) == set()
    ledger.record_rows("r1", [seen("a", "ready"), seen("b", "ready")])
    ledger.finish_run("r1", exit=5, finished=2.0, record='{"halted": {"code": "TOO_MANY_NEW"}}')
    assert ledger.list_seen_rows(["a", "b", "c"]) == set()
    ledger.begin_run(run_record("r2"))
    ledger.record_rows("r2", [seen("a", "ready")])
    assert ledger.list_seen_rows(["a", "b", "c"]) == {"a"}, "also of a run that was killed"
    ledger.finish_run("r2", exit=5, finished=3.0, record='{"halted": null}')
    assert ledger.list_seen_rows(["a", "b", "c"]) == {"a"}


def test_the_end_of_a_run_replaces_the_rows_of_its_plan(ledger, seen):
    ledger.record_rows("r1", [seen("a", "ready"), seen("b", "unchanged")])
    ledger.record_rows("r1", [seen("a", "sealed")])
    assert [(row.row_id, row.status) for row in ledger.list_rows("r1")] == [
        ("a", "sealed"),
        ("b", "unchanged"),
    ]


def test_a_closed_ledger_takes_nothing(ledger, seen):
    ledger.close()
    ledger.close()
    with pytest.raises(RuntimeError, match="closed"):
        ledger.record_rows("r1", [seen("a", "ready")])


def test_a_run_comes_back_as_it_was_begun_and_ended(ledger, run_record):
    assert ledger.get_run("r1") == run_record("r1")
    ledger.finish_run("r1", exit=3, finished=5.0, record='{"run":"r1"}')
    assert ledger.get_run("r1") == run_record("r1", exit=3, finished=5.0, record='{"run":"r1"}')
    assert ledger.get_run("r2") is None


def test_runs_are_reported_newest_first_in_the_order_they_began(ledger, run_record):
    ledger.finish_run("r1", exit=0, finished=5.0, record="{}")
    ledger.begin_run(run_record("r0", started=1.0))  # the clock was set back
    assert [record.run for record in ledger.list_runs(10)] == ["r0", "r1"]
    assert [record.run for record in ledger.list_runs(1)] == ["r0"]
    assert ledger.get_last_run().run == "r0"
    assert ledger.get_last_run(complete=True).run == "r1"


def test_a_new_ledger_has_no_run(empty):
    assert (
        empty.get_last_run(),
        empty.get_last_run(complete=True),
        empty.list_runs(5),
        empty.list_rows("r1"),
    ) == (
        None,
        None,
        [],
        [],
    )


def test_rows_come_back_by_file_sheet_and_row(ledger, seen):
    rows = [
        seen("a", "sealed", row=12, codes=("NAME_NORMALISED", "IMAGE_CONVERTED")),
        seen("b", "rejected", row=3, key=None, sheet=None),
        seen("c", "failed", row=4, file="乙.csv"),
        seen("d", "failed", row=2),
    ]
    ledger.record_rows("r1", rows)
    assert [row.row_id for row in ledger.list_rows("r1")] == ["c", "b", "d", "a"]
    assert sorted(ledger.list_rows("r1"), key=lambda row: row.row_id) == rows


def test_a_run_lists_only_the_rows_it_read(ledger, run_record, seen):
    ledger.record_rows("r1", [seen("a", "unchanged")])
    ledger.begin_run(run_record("r2"))
    ledger.record_rows("r2", [])
    ledger.begin_run(run_record("r3"))
    ledger.record_rows("r3", [seen("a", "unchanged")])
    assert [len(ledger.list_rows(run_report)) for run_report in ("r1", "r2", "r3")] == [1, 0, 1]


RUNS = st.lists(
    st.tuples(
        st.sampled_from(["run", "retry"]),
        st.lists(
            st.dictionaries(st.sampled_from("abc"), st.sampled_from(["failed", "sealed", "unchanged"])),
            max_size=3,
        ),
    ),
    max_size=8,
)


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=8, deadline=None)
@given(runs=RUNS)
def test_every_run_keeps_its_last_status_of_every_row(kind, request, runs):
    with fresh(kind, request) as ledger:
        shown: dict[str, dict[str, str]] = {}
        for number, (command, words) in enumerate(runs):
            run = f"r{number}"
            ledger.begin_run(RunRecord(run, command, 1.0, "h", 1, "u", ("5" * 32,), "out", None, "d", "v"))
            shown[run] = {}
            for statuses in words:
                shown[run] |= statuses
                ledger.record_rows(
                    run,
                    [
                        RowRecord(row_id, None, "f", None, 1, status, (), "{}")
                        for row_id, status in statuses.items()
                    ],
                )
        assert {run: {row.row_id: row.status for row in ledger.list_rows(run)} for run in shown} == shown


def test_judgements_are_kept_and_the_later_one_counts(ledger):
    one, other = (PictureDecision("wrong", "k", "n", picture * 64, shown_name="张伟") for picture in "ab")
    right = replace(one, decided="right")
    ledger.record_judgement(one, now=1.0, who="me", why="review of r1")
    ledger.record_judgement(other, now=1.0, who="me", why="review of r1")
    ledger.record_judgement(right, now=2.0, who="me", why="review of r2")
    ledger.record_judgement(one, now=3.0, who="me", why="review of r3")
    kept = ledger.list_picture_decisions()
    assert kept == [other, right, one]
    assert [(judged.shown_name, judged.decided_at) for judged in kept] == [
        ("张伟", 1.0),
        ("张伟", 2.0),
        ("张伟", 3.0),
    ]
    assert [(decision.kind, decision.why) for decision in ledger.list_decisions()] == [
        ("review", "review of r1"),
        ("review", "review of r1"),
        ("review", "review of r2"),
        ("review", "review of r3"),
    ]
