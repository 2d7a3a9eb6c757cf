"""Where seals are shown, recorded on the page: it counts as `certify` does, and what it refuses."""

import html

import pytest
from case_forms import decide, list_cases, read_answer, read_forms
from page_support import PageThread
from people import name, number
from resolution_support import LaterClock, read_unknown_rows
from wire_support import fault

from pipeline.clock import SystemClock
from pipeline.config.settings import load
from pipeline.sandbox.actions import Rules
from pipeline.workflow.tenant_ledger import lock_tenant


@pytest.fixture
def hospital(hospital_with):
    """Doctor 2's create was not answered, and not carried out."""
    hospital = hospital_with(faults=[fault("reset_before", nth=(2,))])
    hospital.doctors(2)
    assert hospital.run_to_end("run", "--yes") == (3, {"sealed": 1, "unknown": 1})
    hospital.service_clock.ahead = LaterClock.passed
    return hospital


@pytest.fixture
def page(hospital):
    with PageThread(hospital.folder / "config.yaml", clock=LaterClock()) as opened:
        yield opened
        assert opened.failures == []


def record(inside, **changed):
    (who,) = set(changed.pop("of", [""]))
    form = {"query": who, "place": "console", "answer": "shown", "why": "looked there", **changed}
    return inside.post("/certify", form)


def test_a_place_that_shows_a_seal_counts_for_not_created(hospital, page):
    (who,) = read_unknown_rows(hospital)
    sealed = next(name(serial) for serial in (1, 2) if name(serial) != who)
    inside = page.enter(Accept_Language="en")
    assert "no place is recorded" in inside.get("/certify").text
    assert decide(inside, who, "not_created").status == 409
    answer = record(inside, of=[sealed], answer="not_shown")
    assert "does not show imported seals" in answer.text
    assert decide(inside, who, "not_created").status == 409
    answer = record(inside, of=[sealed])
    assert "For 90 days, not finding a seal there is enough for “It was not created”" in html.unescape(
        answer.text
    )
    assert "it is recorded that the console shows imported seals" in answer.text
    answer = decide(inside, who, "not_created")
    assert (answer.status, "not created" in read_answer(answer)[0]) == (200, True)
    assert '"action":"certify"' in (hospital.folder / "state" / "page-log.jsonl").read_text("utf-8")


def test_what_certify_refuses_the_page_refuses(hospital, page):
    (who,) = read_unknown_rows(hospital)
    sealed = next(name(serial) for serial in (1, 2) if name(serial) != who)
    inside = page.enter(Accept_Language="en")
    for form, sentence in (
        ({"of": [who]}, "No doctor with a seal in the rosters matches"),
        ({"of": [number(1)]}, "No doctor with a seal in the rosters matches"),
        ({"of": ["<script>alert(1)</script>"]}, "No doctor with a seal in the rosters matches"),
        ({"of": [""]}, "enter a doctor"),
        ({"of": [sealed], "place": "auto_sign"}, "enter a doctor"),
        ({"of": [sealed], "answer": "perhaps"}, "enter a doctor"),
    ):
        answer = record(inside, **form)
        assert (answer.status, sentence in answer.text) == (409, True), form
        assert number(1) not in answer.text
        assert "<script>alert" not in answer.text
    with lock_tenant(load(hospital.folder / "config.yaml", {}), run="r-of-the-night", clock=SystemClock()):
        answer = record(inside, of=[sealed])
        assert (answer.status, "Run r-of-the-night has been using" in answer.text) == (409, True)
    assert "no place is recorded" in inside.get("/certify").text


def test_the_page_asks_the_list_and_the_audit_log(hospital_with):
    """Doctor 2's create was not carried out, doctor 3's was, and neither was answered."""
    hospital = hospital_with(
        rules=Rules(limiter="none", list_shows=True, audit_delay=0.0),
        faults=[fault("reset_before", nth=(2,)), fault("reset_after", nth=(3,))],
    )
    hospital.doctors(3)
    assert hospital.run_to_end("run", "--yes") == (3, {"sealed": 1, "unknown": 2})
    clock = LaterClock()
    hospital.service_clock.ahead = clock.passed
    with PageThread(hospital.folder / "config.yaml", clock=clock) as page:
        inside = page.enter(Accept_Language="en")
        made = {seal.name for seal in hospital.service.seals}
        (lost,) = read_unknown_rows(hospital).keys() & made
        (never,) = read_unknown_rows(hospital).keys() - made
        assert "audit" not in read_forms(list_cases(inside.get("/cases/list").text)[never])
        answer = record(inside, of=[""], place="list", answer="")
        assert "the hospital's list of seals shows imported seals" in html.unescape(answer.text)
        answer = record(inside, of=[""], place="audit", answer="")
        assert "the audit log query (of the account that owns the keys" in html.unescape(answer.text)
        answer = decide(inside, lost, "audit")
        assert "the service confirms that the seal was created" in read_answer(answer)[0]
        clock.passed = hospital.service_clock.ahead = 2000.0
        answer = decide(inside, never, "look_up")
        assert f"{never}: it was not created; recorded" in html.unescape(read_answer(answer)[0])
        assert page.failures == []
