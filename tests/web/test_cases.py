"""Waiting decisions: the cases of `resolve`, of each kind, and what the page never does."""

import re

from case_forms import fill_in, read_answer, read_forms
from end_to_end.test_contradictions import OTHER_SEAL, get_made, unite_with_another_history
from page_support import PageThread
from people import make_row, name, number
from resolution_support import read_unknown_rows
from run_support import draw_seal
from wire_support import fault


def list_cases(text):
    """Return the text of each case by the doctor's name."""
    parts = text.split('<section class="card case">')[1:]
    return {re.search(r"<h2>(\S+) ", part)[1]: part for part in parts}


def test_unknown_and_changed_rows_have_what_to_look_for_and_their_history(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 1})
    who, row = next(iter(read_unknown_rows(hospital).items()))
    sealed = next(name(serial) for serial in (1, 2, 3) if name(serial) != who)
    serial = next(serial for serial in (1, 2, 3) if name(serial) == sealed)
    draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", 77)
    hospital.go("run")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        cases = list_cases(inside.get("/cases/list").text)
        assert cases.keys() == {who, sealed}
        assert row["trace_id"] in cases[who]
        assert row["seal_name"] in cases[who]
        assert "Look for the seal" in cases[who]
        assert "It was not created" in cases[who]
        assert re.search(r"Differs from the seal in</dt><dd>picture<", cases[sealed])
        assert "Keep the seal" in cases[sealed]
        for case, doctor in ((cases[who], who), (cases[sealed], sealed)):
            history = inside.get(re.search(r'href="(/doctors/[0-9a-f]+)"', case)[1]).text
            assert f"<h2>{doctor} " in history
        assert not any(number(doctor) in text for doctor in (1, 2, 3) for text in cases.values())
        assert page.failures == []


def test_a_corrected_number_shows_whose_it_may_be(hospital, page):
    hospital.seal_doctors(1)
    hospital.roster([make_row(1, number=number(5))])
    draw_seal(hospital.folder / "seals" / f"{number(5)}.png", 9)
    hospital.go("run")
    inside = page.enter()
    text = inside.get("/cases/list").text
    (case,) = list_cases(text).values()
    assert "可能同一人" in case
    assert re.search(r"与那位医生相同的</dt><dd>[^<]*姓名", case)
    assert number(5) not in text
    assert inside.get(re.search(r'href="(/doctors/[0-9a-f]+)"', case)[1]).status == 200


def test_the_page_comes_before_the_list(hospital, page):
    hospital.seal_doctors(1)
    inside = page.enter()
    text = inside.get("/cases").text
    assert 'hx-get="/cases/list" hx-trigger="load"' in text
    assert '<noscript><p><a class="button" href="/cases/list">' in text
    assert "没有待定事项" in inside.get("/cases/list").text
    assert "<html" not in inside.get("/cases/list", HX_Request="true").text


def test_looking_writes_nothing_into_ledger_and_results(hospital, page):
    hospital.seal_doctors(2)
    before = read_files(hospital.folder)
    inside = page.enter()
    for path in ("/", "/now", "/runs", f"/runs/{hospital.newest.name}", "/cases", "/cases/list"):
        assert inside.get(path).status == 200
    inside.post("/doctors", {"query": name(1)})
    assert read_files(hospital.folder) == before


def read_files(folder):
    parts = ("state/ledger.sqlite3", "state/ledger.sqlite3.key", "inbox", "out", "seals")
    paths = [path for part in parts for path in sorted((folder / part).rglob("*"))]
    return {
        path: path.read_bytes() for path in (*paths, *(folder / part for part in parts)) if path.is_file()
    }


def test_a_doctor_with_two_seals_waits_on_every_page(hospital, page):
    """The overview, the case and the history show that one of the two SealIds is to be chosen; none of them shows a sealed doctor."""
    hospital.seal_doctors(2)
    made = get_made(hospital)
    unite_with_another_history(hospital, seal_id=OTHER_SEAL)
    hospital.go("run", "--yes")
    inside = page.enter(Accept_Language="en")
    home = inside.get("/").text
    counts = dict(re.findall(r"<dt>([^<]*)</dt>\s*<dd>(\d+)", home))
    assert (counts["Doctors with a seal"], counts["To be resolved"]) == ("1", "1")
    story = inside.post("/doctors", {"query": name(1)}).text
    assert "Sent, result unknown" not in home
    listed = inside.get("/cases/list").text
    case = list_cases(listed)[name(1)]
    for text in (case, story):
        assert f"has 2 SealIds in the ledger: {made}, {OTHER_SEAL}" in text
        assert "Compare" in text
    assert "Nothing to do" not in story
    assert "For rows with an unknown result" not in listed
    assert read_forms(case).keys() == {"created"}
    assert "Choose the seal to keep" in case
    assert re.findall(r'type="radio" name="value" value="(\w+)"', case) == [made, OTHER_SEAL]
    forged = fill_in(inside, name(1), "not_created", sure="yes", confirmed="yes")
    answer = inside.post("/cases/decide", forged)
    assert answer.status == 409
    assert made in read_answer(answer)[0]
    assert OTHER_SEAL in read_answer(answer)[0]
    assert "record the one to keep" in read_answer(answer)[0]
    assert page.failures == []
