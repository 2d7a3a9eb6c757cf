"""An answer that was seen before: two calls of a run that are under way at once get it, or another command gets it."""

import asyncio
import sys
from threading import Barrier, Event

import pytest
from fault_wire import Connection, Wire
from people import name
from resolution_support import run_later
from run_support import QuickClock
from wire_support import CREATE, UPLOAD, fault

from pipeline.esign.products import ESSBASIC
from pipeline.sandbox.actions import Rules

REFUSED = {"code": {"code": "InvalidParameter.CardNumber", "message": "证件号不合法。"}}


def answer_and_wait(connection: Connection, body: bytes) -> None:
    """Answer in the service's place, and wait until the program has read it: then it closes the connection."""
    connection.reply("200 OK", body, "Content-Type: application/json", "Connection: close")
    connection.hang()


class WaitingClock(QuickClock):
    """Lets a back-off last until an event."""

    def __init__(self, event: Event) -> None:
        self._event = event

    def sleep(self, seconds):
        if sys._getframe(1).f_code.co_name == "back_off":
            return asyncio.to_thread(self._event.wait)
        return super().sleep(seconds)


@pytest.mark.parametrize("do", [REFUSED, "throttle"])
def test_a_refusal_that_two_creates_got_holds_both_rows(hospital_with, do):
    """A create that made a seal gets the refusal of another one, and the other one gets it after that."""
    rules = Rules(limiter="none", inline="on", unique_names="off")
    hospital = hospital_with(rules=rules, faults=[fault(do)])
    hospital.doctors(3)
    executed, refusal, is_read, is_read_twice = Barrier(2), [], Event(), Event()

    def strike(connection):
        _, answer = connection.answer()
        if b"SealId" in answer:
            executed.wait()
            answer_and_wait(connection, refusal[0])
            is_read.set()
        else:
            refusal.append(answer)
            executed.wait()
            is_read.wait()
            answer_and_wait(connection, answer)
            is_read_twice.set()

    with Wire(hospital, strike, nth={2, 3}) as wire:
        hospital.configure(endpoint=wire.url, contract="inline")
        clock = WaitingClock(is_read_twice)
        assert hospital.run_to_end("run", clock=clock) == (3, {"sealed": 1, "unknown": 2})
    hospital.configure(contract="inline")
    run_later(hospital, "retry")
    assert run_later(hospital, "run") == 3
    assert hospital.statuses() == {"unchanged": 1, "unknown": 2}
    assert hospital.service.list_duplicates() == {}


def test_a_file_id_that_two_uploads_got_seals_neither_row(hospital):
    """An upload gets the answer of another one, which gets it itself once the create of the first is under way."""
    hospital.doctors(3)
    answers, is_uploaded, is_taken, is_repeated = [], Event(), Event(), Event()

    def hold_upload(connection):
        answers.append(connection.answer()[1])
        is_uploaded.set()
        is_taken.wait()
        answer_and_wait(connection, answers[0])

    def give_other_answer(connection):
        connection.answer()
        is_uploaded.wait()
        answer_and_wait(connection, answers[0])

    def hold_create(connection):
        request = connection.request()
        connection.request = lambda: request
        is_taken.set()
        is_repeated.wait()
        connection.pass_on()

    def upload_again(connection):
        is_repeated.set()
        connection.pass_on()

    steps = iter((hold_upload, give_other_answer, hold_create, upload_again))

    def strike(connection):
        next(steps)(connection)

    with Wire(hospital, strike, nth={3, 4, 5, 6}) as wire:
        hospital.configure(endpoint=wire.url)
        assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 1})
    pictures = {seal.seal_id: hospital.service.pictures[seal.picture] for seal in hospital.service.seals}
    assert len(pictures) == 3
    assert len(set(pictures.values())) == 2, "one picture made the seals of two doctors"
    own = {
        row["name"]: (hospital.folder / "seals" / f"{row['staff_no']}.png").read_bytes()
        for row in hospital.outcomes()
    }
    for row in hospital.outcomes():
        assert row["status"] == "unknown" or pictures[row["seal_id"]] == own[row["name"]]


@pytest.mark.parametrize(
    ("do", "ended", "code"),
    [
        (REFUSED, (3, {"sealed": 1, "unknown": 1}), "repeated_answer"),
        ("throttle", (3, {"unchanged": 1, "unknown": 1}), "repeated_answer"),
        ({"code": "ResourceNotFound.File"}, (3, {"unchanged": 1, "unknown": 1}), "repeated_answer"),
        ({"delay_after": 0}, (4, {"unchanged": 1, "unknown": 1}), "SEAL_ID_REUSED"),
    ],
    ids=["refusal", "throttle", "file", "success"],
)
def test_the_answer_to_a_create_of_an_earlier_run_is_none(hospital_with, zygote, do, ended, code):
    """Each run is a process of its own: what the one before was answered is known from the ledger alone."""
    repeated = {
        "match": {"action": CREATE, "user_name": name(2)},
        "do": {"replay": {"user_name": name(1), "nth": 1}},
    }
    rules = Rules(limiter="none", unique_names="off")
    hospital = hospital_with(rules=rules, faults=[fault(do, nth=(1,)), repeated])
    hospital.doctors(1)
    zygote.run(hospital)
    hospital.doctors(2)
    assert (zygote.run(hospital)["code"], hospital.statuses()) == ended
    (row,) = (row for row in hospital.outcomes() if row["status"] == "unknown")
    assert (row["name"], row["service"]["code"]) == (name(2), code)
    assert row["request_id"], "evidence"
    assert (zygote.run(hospital)["code"], hospital.statuses()["unknown"]) == (ended[0], 1)
    assert hospital.service.list_duplicates() == {}


def test_the_refusal_of_an_upload_of_an_earlier_run_is_none(hospital_with, zygote):
    refused = fault({"code": "InvalidParameter.FileType"}, action=UPLOAD, nth=(1,))
    repeated = fault({"replay": {"nth": 1}}, action=UPLOAD, nth=(3,))
    hospital = hospital_with(faults=[refused, repeated])
    hospital.doctors(1)
    assert zygote.run(hospital)["code"] == 3
    hospital.doctors(2)
    assert zygote.run(hospital)["code"] == 5
    assert hospital.statuses() == {"sealed": 1, "not_sent": 1}
    assert zygote.run(hospital)["code"] == 0


def test_a_repeated_liveness_answer_is_not_counted(hospital_with):
    outage = {"match": {"action": CREATE, "from": 2}, "do": "http_502"}
    alive = {"match": {"action": ESSBASIC.organization_seals, "from": 2}, "do": {"replay": {"nth": 1}}}
    hospital = hospital_with(faults=[outage, alive])
    hospital.doctors(60)
    assert hospital.go("run") == 5
    counted = hospital.record()["requests"].get(ESSBASIC.organization_seals, {})
    assert counted.get("ok", 0) <= 1
