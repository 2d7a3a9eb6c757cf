"""Rows: the table of the newest check, the cells of a row, what is judged and what is saved."""

import hashlib
import html
import json
import re

import openpyxl
import pytest
from page_support import PageThread
from people import make_row, name, number
from run_support import wait_until

FAULTY = number(2)[:17]


@pytest.fixture
def ward(hospital):
    """Three doctors: the second lacks a digit of the number."""
    hospital.doctors(3)
    hospital.roster([make_row(1), make_row(2, number=FAULTY), make_row(3, department="外科")])
    return hospital


@pytest.fixture
def page(ward):
    ward.go("check")
    with PageThread(ward.folder / "config.yaml") as opened:
        yield opened
        assert opened.failures == []


def list_rows(text):
    """Return the text of each row of the table by the doctor's name."""
    parts = text.split('<tbody class="row')[1:]
    return {re.search(r">([^<]+)</button>", part)[1]: part for part in parts}


def get_key(part):
    return re.search(r'id="row-([0-9a-f]+)"', part)[1]


def read_form(text, field="id_card_number"):
    """Return the values of the form of a cell."""
    form = next(form for form in text.split("<form ")[1:] if f'name="field" value="{field}"' in form)
    form = form.split("</form>")[0]
    return {key: html.unescape(value) for key, value in re.findall(r'name="(\w+)" value="([^"]*)"', form)}


def read_cell(path, address):
    return openpyxl.load_workbook(path).active[address].value


def read_log(hospital):
    lines = (hospital.folder / "state" / "page-log.jsonl").read_text("utf-8").splitlines()
    return [line for line in map(json.loads, lines) if line["action"] in {"look", "correct"}]


def test_the_rows_to_correct_come_first_with_reason_and_cell(page):
    inside = page.enter()
    text = inside.get("/rows").text
    rows = list_rows(text)
    assert list(rows) == [name(2), name(1), name(3)]
    assert "B3" in rows[name(2)]
    assert "17" in rows[name(2)]
    assert not any(number(serial) in text or FAULTY in text for serial in (1, 2, 3))
    english = list_rows(page.enter(Accept_Language="en").get("/rows").text)
    assert "digits" in english[name(2)] or "characters" in english[name(2)]


@pytest.mark.parametrize(
    ("words", "serials"),
    [
        ({"status": "rejected"}, [2]),
        ({"status": "to_fix"}, [2]),
        ({"status": "ready"}, [1, 3]),
        ({"code": "ID_LENGTH"}, [2]),
        ({"department": "外科"}, [3]),
        ({"query": name(3)[:2]}, [3]),
        ({"query": "3"}, [3]),
        ({"query": "00003"}, [3]),
        ({"file": "elsewhere.xlsx"}, []),
    ],
)
def test_filters_leave_the_rows_that_match(page, words, serials):
    inside = page.enter()
    expected = [name(serial) for serial in serials]
    assert list(list_rows(inside.post("/rows", words).text)) == expected
    if "query" not in words:
        path = "&".join(f"{key}={value}" for key, value in words.items())
        from urllib.parse import quote

        assert list(list_rows(inside.get(f"/rows?{quote(path, safe='=&')}").text)) == expected


def test_a_cell_is_judged_while_it_is_typed_and_saved_into_the_roster(ward, page):
    inside = page.enter()
    key = get_key(list_rows(inside.get("/rows").text)[name(2)])
    text = inside.get(f"/rows/row/{key}").text
    form = read_form(text)
    assert form["text"] == FAULTY
    assert number(2) not in text
    assert inside.post("/rows/judge", {**form, "text": number(2)}).text.count('class="accepted"') == 1
    assert 'class="fault"' in inside.post("/rows/judge", {**form, "text": number(2)[:16]}).text
    roster = ward.folder / "inbox" / "roster.xlsx"
    before = roster.read_bytes()
    checks = len(ward.runs)
    saved = inside.post("/rows/save", {**form, "text": number(2)}).text
    assert "已保存，检查中" in saved
    assert read_cell(roster, "B3") == number(2)
    (kept,) = (ward.folder / "state" / "replaced").iterdir()
    assert kept.read_bytes() == before
    wait_until(lambda: len(ward.runs) > checks and "要改的" not in inside.get("/rows").text)
    rows = list_rows(inside.get("/rows").text)
    assert "已保存，检查中" not in rows[name(2)]
    assert [line["action"] for line in read_log(ward)] == ["look", "correct"]
    assert all(line["user"] and line["cell"] == "B3" for line in read_log(ward))
    assert number(2) not in json.dumps(read_log(ward))


def test_a_cell_that_is_not_faulty_opens_on_request_and_is_recorded(ward, page):
    inside = page.enter()
    key = get_key(list_rows(inside.get("/rows").text)[name(1)])
    text = inside.get(f"/rows/row/{key}").text
    assert "<form" not in text
    assert number(1) not in text
    assert read_log(ward) == []
    assert read_form(inside.get(f"/rows/cell/{key}/id_card_number").text)["text"] == number(1)
    assert [line["action"] for line in read_log(ward)] == ["look"]
    assert read_form(inside.get(f"/rows/cell/{key}/department").text, "department")["text"] == "内科"
    assert len(read_log(ward)) == 1, "a department is no number"


def test_the_second_of_two_clerks_on_one_cell_is_refused(ward, page):
    first, second = page.enter(), page.enter(Accept_Language="en")
    key = get_key(list_rows(first.get("/rows").text)[name(2)])
    forms = [read_form(clerk.get(f"/rows/row/{key}").text) for clerk in (first, second)]
    first.post("/rows/save", {**forms[0], "text": number(2)})
    answer = second.post("/rows/save", {**forms[1], "text": number(4)}).text
    assert "Not saved" in answer
    assert read_cell(ward.folder / "inbox" / "roster.xlsx", "B3") == number(2)


def test_two_clerks_on_two_cells_both_save(ward, page):
    clerk = page.enter()
    rows = list_rows(clerk.get("/rows").text)
    first = read_form(clerk.get(f"/rows/row/{get_key(rows[name(2)])}").text)
    second = read_form(clerk.get(f"/rows/cell/{get_key(rows[name(3)])}/department").text, "department")
    clerk.post("/rows/save", {**first, "text": number(2)})
    assert "已写入" in clerk.post("/rows/save", {**second, "text": "儿科"}).text
    roster = ward.folder / "inbox" / "roster.xlsx"
    assert (read_cell(roster, "B3"), read_cell(roster, "E4")) == (number(2), "儿科")


def test_a_roster_that_changed_in_excel_is_not_written(ward, page):
    inside = page.enter()
    key = get_key(list_rows(inside.get("/rows").text)[name(2)])
    form = read_form(inside.get(f"/rows/row/{key}").text)
    ward.roster([make_row(7), make_row(8), make_row(9)])
    before = hashlib.sha256((ward.folder / "inbox" / "roster.xlsx").read_bytes()).digest()
    checks = len(ward.runs)
    answer = inside.post("/rows/save", {**form, "text": number(2)})
    assert "没有写入任何内容" in answer.text
    assert hashlib.sha256((ward.folder / "inbox" / "roster.xlsx").read_bytes()).digest() == before
    wait_until(lambda: len(ward.runs) > checks)
    assert inside.post("/rows/judge", {**form, "text": number(2)}).status in {404, 409}
