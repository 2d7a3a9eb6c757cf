"""Seals made elsewhere, by upload: nothing is entered before a yes, and then exactly what was shown."""

import html
import re
from urllib.parse import quote

import openpyxl
import pytest
from page_support import PageThread
from people import make_row, name, number
from run_support import wait_until

from pipeline.clock import SystemClock
from pipeline.config.settings import load
from pipeline.web import adopt
from pipeline.workflow.tenant_ledger import lock_tenant


def seal_id(serial):
    return f"yD{serial:030d}"


def make_sheet(hospital, rows, headers=("姓名", "身份证号", "印章ID")):
    book = openpyxl.Workbook()
    book.active.append(headers)
    for row in rows:
        book.active.append(row)
    path = hospital.folder / "old.xlsx"
    book.save(path)
    return path


def upload(inside, path, *, shown_name=None, **headers):
    """Send a file as the page's script does."""
    usual = {
        "Content-Type": "application/octet-stream",
        "Origin": inside.page.origin,
        "X-Change-Token": inside.token,
        "X-File-Name": quote(shown_name or path.name),
        "HX-Request": "true",
    }
    return inside.send("POST", "/adopt/file", path.read_bytes(), {**usual, **headers})


def read_fields(answer):
    return {
        field: html.unescape(value)
        for field, value in re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', answer.text)
    }


def list_kept(hospital):
    return list((hospital.folder / "state" / "adopt").glob("*"))


@pytest.fixture
def sheet(hospital):
    hospital.doctors(4)
    rows = [
        (name(1), number(1), seal_id(1)),
        (name(2), number(2), seal_id(2)),
        (name(3), number(3), "见控制台"),
    ]
    return make_sheet(hospital, rows)


def test_what_is_shown_is_entered_after_a_yes(hospital, page, sheet):
    inside = page.enter(Accept_Language="en")
    answer = upload(inside, sheet)
    assert answer.status == 200
    assert "old.xlsx: 2 seals can be imported, 1 row not imported." in html.unescape(answer.text)
    assert seal_id(1) in answer.text
    assert "is not a SealId" in answer.text
    assert not any(number(serial) in answer.text for serial in (1, 2, 3))
    (kept,) = list_kept(hospital)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert not (hospital.folder / "state" / "ledger.sqlite3").exists(), "a look makes no ledger"
    answer = inside.post("/adopt/enter", {**read_fields(answer), "why": "the old system"})
    assert "2 seals imported, 1 row not imported." in html.unescape(answer.text)
    assert list_kept(hospital) == []
    assert '"action":"adopt"' in (hospital.folder / "state" / "page-log.jsonl").read_text("utf-8")
    assert hospital.run_to_end("run", "--yes") == (0, {"sealed": 2, "unchanged": 2})


def test_a_no_removes_the_file_and_enters_nothing(hospital, page, sheet):
    inside = page.enter(Accept_Language="en")
    form = read_fields(upload(inside, sheet))
    assert inside.post("/adopt/forget", form).status == 200
    assert list_kept(hospital) == []
    assert inside.post("/adopt/enter", form).status == 409
    assert hospital.run_to_end("run", "--yes") == (0, {"sealed": 4})


def test_what_changed_since_the_look_is_not_entered(hospital, page, sheet):
    inside = page.enter(Accept_Language="en")
    form = read_fields(upload(inside, sheet))
    assert hospital.go("run", "--yes") == 0
    answer = inside.post("/adopt/enter", form)
    assert (answer.status, "not what was shown" in answer.text) == (409, True)
    assert hospital.run_to_end("run", "--yes") == (0, {"unchanged": 4})


@pytest.mark.parametrize(
    ("rows", "headers", "shown_name", "sentence"),
    [
        ([(name(1), number(1), "x")], ("姓名", "身份证号", "备注"), "a.xlsx", "has no SealId column"),
        ([(name(1), number(1), None)], ("姓名", "身份证号", "印章ID"), "a.xlsx", "without a SealId"),
        (
            [(name(1), number(1), seal_id(1))],
            ("姓名", "身份证号", "印章ID"),
            "../../config.yaml",
            "is no table",
        ),
        ([(name(1), number(1), seal_id(1))], ("姓名", "身份证号", "印章ID"), "", "is no table"),
        ([(name(1), number(1), seal_id(1))], ("姓名", "身份证号", "印章ID"), "<script>.exe", "is no table"),
    ],
)
def test_a_file_that_gives_no_seal_is_refused_and_removed(
    hospital, page, rows, headers, shown_name, sentence
):
    answer = upload(
        page.enter(Accept_Language="en"), make_sheet(hospital, rows, headers), shown_name=shown_name or "x"
    )
    assert (answer.status, sentence in html.unescape(answer.text)) == (409, True)
    assert "<script>" not in answer.text
    assert list_kept(hospital) == []


def test_a_name_of_a_sheet_is_text_and_never_a_path(hospital, page, sheet):
    inside = page.enter(Accept_Language="en")
    answer = upload(inside, sheet, shown_name='../../../<img src=x onerror="x">.xlsx')
    assert "<img src=x" not in answer.text
    (kept,) = list_kept(hospital)
    assert kept.parent == hospital.folder / "state" / "adopt"
    upload(inside, sheet)
    assert len(list_kept(hospital)) == 1, "another one of the same user takes its place"


def test_a_sheet_that_is_too_large_is_not_kept(hospital, page, sheet, monkeypatch):
    monkeypatch.setattr(adopt, "MAX_BYTES", 100)
    answer = upload(page.enter(Accept_Language="en"), sheet)
    assert answer.status == 409
    assert list_kept(hospital) == []


def test_a_lost_ledger_is_no_new_one(hospital, page, sheet):
    inside = page.enter(Accept_Language="en")
    hospital.seal_doctors(1)
    hospital.lose_ledger()
    answer = upload(inside, sheet)
    assert (answer.status, "no ledger" in answer.text) == (409, True)
    assert not (hospital.folder / "state" / "ledger.sqlite3").exists()


def test_a_held_lock_names_its_holder_and_keeps_the_sheet(hospital, page, sheet):
    hospital.roster([make_row(4)])
    assert hospital.go("run", "--yes") == 0
    inside = page.enter(Accept_Language="en")
    form = read_fields(upload(inside, sheet))
    with lock_tenant(load(hospital.folder / "config.yaml", {}), run="r-of-the-night", clock=SystemClock()):
        answer = inside.post("/adopt/enter", form)
        assert (answer.status, "Run r-of-the-night has been using" in answer.text) == (409, True)
    assert inside.post("/adopt/enter", form).status == 200


def test_an_upload_without_the_token_or_the_right_kind_is_refused(hospital, page, sheet):
    inside = page.enter(Accept_Language="en")
    assert upload(inside, sheet, **{"X-Change-Token": "x"}).status == 403
    assert upload(inside, sheet, Origin="https://evil.example").status == 403
    assert upload(inside, sheet, **{"Content-Type": "multipart/form-data"}).status == 415
    assert list_kept(hospital) == []


@pytest.mark.browser
def test_uploaded_in_a_browser(hospital, sheet, shown):
    with PageThread(hospital.folder / "config.yaml") as page:
        tab = shown(page, "/adopt")
        tab.set_input_files("#sheet", sheet)
        tab.click("#upload button")
        tab.click("button:has-text('登记 2 枚印章')")
        tab.wait_for_selector(".banner.sealed")
        assert "登记了 2 枚印章" in tab.text_content(".banner.sealed")
        assert tab.troubles == []
        wait_until(lambda: list_kept(hospital) == [])
        assert page.failures == []
