"""A page that is killed while a decision or a judgement is entered: it is in the ledger once, or not at all and can be entered again."""

import os
import signal
import sqlite3
from contextlib import closing, suppress

import pytest
from case_forms import decide, list_cases, read_doctor, withdraw
from page_support import PageThread
from people import name
from resolution_support import list_made_seals
from web.test_review import judge
from wire_support import fault

from pipeline.support.failpoints import enable_failpoint

POINTS = (
    "journal: before the append",
    "journal: before the fsync",
    "ledger: before the commit",
    "ledger: after the commit",
)
ENTERED = POINTS[1:]  # a line of a journal stands, and the ledger is repaired from it before it is read


@pytest.fixture
def unsettled(scene):
    """Doctor 2's answer was lost after the seal was made; doctor 4 has not been sent yet."""
    hospital = scene(leave_unsettled, faults=[fault("reset_after", nth=(2,))])
    (who,) = [row["name"] for row in hospital.outcomes("plan.jsonl") if row["status"] == "unknown"]
    return hospital, who


def leave_unsettled(hospital):
    hospital.doctors(3)
    assert hospital.go("run") == 3
    hospital.doctors(4)
    assert hospital.go("check") in {0, 3}


def kill_at(hospital, point, act):
    """Serve the page in a process of its own that kills itself at a point while ``act`` is done; return whether it got there."""
    child = os.fork()
    if child == 0:
        with suppress(BaseException), PageThread(hospital.folder / "config.yaml") as page:
            inside = page.enter(Accept_Language="en")
            enable_failpoint(
                lambda reached: os.kill(os.getpid(), signal.SIGKILL) if reached == point else None
            )
            act(inside)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def read_decisions(hospital):
    """Return the kinds of the decisions of the ledger as a reader finds it."""
    assert hospital.go("ledger", "check") == 0
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as connection:
        return [kind for (kind,) in connection.execute("SELECT kind FROM decision ORDER BY event_number, id")]


@pytest.mark.parametrize("point", POINTS)
def test_a_page_that_is_killed_while_it_enters_a_decision(unsettled, point):
    hospital, who = unsettled
    seal_id = list_made_seals(hospital)[who]
    assert kill_at(hospital, point, lambda inside: decide(inside, who, "created", value=seal_id))
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        is_waiting = who in list_cases(inside.get("/cases/list").text)
        assert is_waiting == (point not in ENTERED)
        if is_waiting:
            assert decide(inside, who, "created", value=seal_id).status == 200
        assert who not in list_cases(inside.get("/cases/list").text)
        assert page.failures == []
    assert read_decisions(hospital) == ["created"]
    assert hospital.run_to_end("run") == (0, {"unchanged": 3, "sealed": 1})


@pytest.mark.parametrize("point", POINTS)
def test_a_page_that_is_killed_while_it_enters_a_withdrawal(unsettled, point):
    hospital, who = unsettled
    seal_id = list_made_seals(hospital)[who]
    with PageThread(hospital.folder / "config.yaml") as page:
        key = read_doctor(decide(page.enter(), who, "created", value=seal_id))
    assert kill_at(hospital, point, lambda inside: withdraw(inside, key))
    was_entered = read_decisions(hospital) == ["created", "withdraw"]
    assert was_entered == (point in ENTERED)
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        assert was_entered or withdraw(inside, key).status == 200
        assert who in list_cases(inside.get("/cases/list").text)
        assert decide(inside, who, "created", value=seal_id).status == 200
        assert page.failures == []
    assert read_decisions(hospital) == ["created", "withdraw", "created"]
    assert hospital.run_to_end("run") == (0, {"unchanged": 3, "sealed": 1})


@pytest.mark.parametrize("point", POINTS)
def test_a_page_that_is_killed_while_it_enters_a_judgement(unsettled, point):
    hospital, _ = unsettled
    assert kill_at(hospital, point, lambda inside: judge(inside, name(4), "wrong"))
    was_entered = read_decisions(hospital) == ["review"]
    assert was_entered == (point in ENTERED)
    if not was_entered:
        with PageThread(hospital.folder / "config.yaml") as page:
            assert judge(page.enter(), name(4), "wrong").status == 200
    assert read_decisions(hospital) == ["review"]
    assert hospital.go("run") == 3
    assert name(4) not in list_made_seals(hospital)
