"""Rows: the table of the newest check, the cells of a row, what is judged and what is saved."""

import errno
import hashlib
import html
import io
import json
import os
import re
from contextlib import contextmanager
from urllib.parse import urlencode

import openpyxl
import pytest
from end_to_end.conftest import HEADERS
from openpyxl.drawing.image import Image as Drawing
from page_support import PageThread, wait_for_checks
from people import make_row, name, number
from run_support import draw_seal, wait_until

from pipeline.support import failpoints
from pipeline.web.access import PageUser, Role
from pipeline.web.users import UserFile

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


def open_cell(inside, key, field):
    """Open a cell of a row as its button does; return its form."""
    (link,) = re.findall(rf'hx-get="(/rows/cell/\w+/{field}\?[^"]+)"', inside.get(f"/rows/row/{key}").text)
    return read_form(inside.get(html.unescape(link)).text, field)


@contextmanager
def open_page_of_users(ward, **roles):
    """Open the page behind a proxy; yield it, and a client of each user."""
    users = UserFile(ward.folder / "state")
    for user, role in roles.items():
        users.save(PageUser(user, role))
    with (ward.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("web: {url: 'https://esign.hospital.example', trusted_proxy: 127.0.0.1}\n")
    with PageThread(ward.folder / "config.yaml") as page:
        clients = [page.visit(X_Forwarded_User=user) for user in roles]
        for client in clients:
            client.read_token()
        yield page, *clients


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
        assert list(list_rows(inside.get(f"/rows?{urlencode(words)}").text)) == expected


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
    saved = inside.post("/rows/save", {**form, "text": number(2)}).text
    assert "已保存，检查中" in saved
    assert read_cell(roster, "B3") == number(2)
    (kept,) = (ward.folder / "state" / "replaced").iterdir()
    assert kept.read_bytes() == before
    wait_until(lambda: "没有要改的行了" in inside.get("/rows").text)
    rows = list_rows(inside.get("/rows").text)
    assert "已保存，检查中" not in rows[name(2)]
    assert [line["action"] for line in read_log(ward)] == ["look", "correct"]
    assert all(line["user"] and line["cell"] == "B3" for line in read_log(ward))
    assert number(2) not in json.dumps(read_log(ward))


def test_a_roster_that_is_put_back_as_it_was_is_corrected_again(ward, page):
    """Its bytes are those that a correction has replaced before."""
    inside = page.enter()
    roster = ward.folder / "inbox" / "roster.xlsx"
    before = roster.read_bytes()
    for _ in range(2):
        key = get_key(list_rows(inside.get("/rows").text)[name(2)])
        form = read_form(inside.get(f"/rows/row/{key}").text)
        assert form["text"] == FAULTY
        assert "已保存，检查中" in inside.post("/rows/save", {**form, "text": number(2)}).text
        assert read_cell(roster, "B3") == number(2)
        wait_until(lambda: "没有要改的行了" in inside.get("/rows").text)
        roster.write_bytes(before)
        ward.go("check")


def test_of_two_rosters_with_the_same_bytes_the_one_that_is_shown_is_corrected(ward):
    roster, copy = (ward.folder / "inbox" / file for file in ("roster.xlsx", "another.xlsx"))
    copy.write_bytes(roster.read_bytes())
    ward.go("check")
    with PageThread(ward.folder / "config.yaml") as page:
        inside = page.enter()
        parts = [part for part in inside.get("/rows").text.split('<tbody class="row')[1:] if name(2) in part]
        shown = next(part for part in parts if "roster.xlsx" in part)
        form = read_form(inside.get(f"/rows/row/{get_key(shown)}").text)
        assert inside.post("/rows/save", {**form, "text": number(2)}).status == 200
        assert page.failures == []
    assert (read_cell(roster, "B3"), read_cell(copy, "B3")) == (number(2), FAULTY)


def test_a_cell_that_is_not_faulty_opens_on_request_and_is_recorded(ward, page):
    inside = page.enter()
    key = get_key(list_rows(inside.get("/rows").text)[name(1)])
    text = inside.get(f"/rows/row/{key}").text
    assert "<form" not in text
    assert number(1) not in text
    assert read_log(ward) == []
    assert open_cell(inside, key, "id_card_number")["text"] == number(1)
    assert [line["action"] for line in read_log(ward)] == ["look"]
    assert open_cell(inside, key, "department")["text"] == "内科"
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
    second = open_cell(clerk, get_key(rows[name(3)]), "department")
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
    answer = inside.post("/rows/save", {**form, "text": number(2)})
    assert "没有写入任何内容" in answer.text
    assert hashlib.sha256((ward.folder / "inbox" / "roster.xlsx").read_bytes()).digest() == before
    # by the check that the page makes, once its rows are read
    wait_until(lambda: inside.post("/rows/judge", {**form, "text": number(2)}).status in {404, 409})


def write_list(ward, kind, *rows):
    """Write the roster as a workbook or as text, which a correction turns into a workbook."""
    if kind == "xlsx":
        ward.roster(rows)
    else:
        (ward.folder / "inbox" / "roster.xlsx").unlink()
        lines = [",".join(row) for row in (HEADERS, *rows)]
        (ward.folder / "inbox" / "roster.csv").write_text("\n".join(lines), "utf-8")
    ward.go("check")


@pytest.mark.parametrize("kind", ["xlsx", "csv"])
@pytest.mark.parametrize("first", ["name", "id_card_number", "mobile"])
def test_cells_of_a_row_are_corrected_one_after_another_with_a_check_between(ward, kind, first):
    """Also by forms that were opened before; where another user changed who the doctor is, they are refused."""
    texts = {"name": name(7), "id_card_number": number(2), "mobile": "15400000009", "department": "儿科"}
    wrong = make_row(2, name="张3", number=FAULTY, mobile="1540000")
    write_list(ward, kind, make_row(1), wrong, make_row(3))
    with open_page_of_users(ward, wang=Role.CLERK, li=Role.CLERK) as (page, inside, other):
        key = get_key(list_rows(inside.get("/rows").text)["张3"])
        opened = inside.get(f"/rows/row/{key}").text
        forms = {field: read_form(opened, field) for field in texts if field != "department"}
        department, of_other = (open_cell(client, key, "department") for client in (inside, other))

        def save(field, form):
            answer = inside.post("/rows/save", {**form, "text": texts[field]})
            assert "已写入" in answer.text, field
            wait_for_checks(inside)
            return answer.text

        answer = save(first, forms.pop(first))
        shown_then = next(iter(forms))
        save(shown_then, read_form(answer, shown_then))
        del forms[shown_then]
        for field, form in forms.items():
            save(field, form)
        refused = other.post("/rows/save", {**of_other, "text": "外科"})
        assert (refused.status, "没有保存" in refused.text) == (409, True)
        save("department", department)
        assert page.failures == []
    row = [read_cell(ward.folder / "inbox" / "roster.xlsx", f"{column}3") for column in "ABCE"]
    assert row == list(texts.values())


# -- what cannot be saved


def open_form(inside, doctor):
    key = get_key(list_rows(inside.get("/rows").text)[doctor])
    return read_form(inside.get(f"/rows/row/{key}").text)


def test_a_roster_that_another_program_holds_is_one_sentence_and_stays(ward, page):
    """As Windows refuses the new name while Excel has the file open."""
    inside = page.enter()
    form = open_form(inside, name(2))
    roster = ward.folder / "inbox" / "roster.xlsx"
    before = roster.read_bytes()

    def refuse(point):
        if point == "results: before roster.xlsx takes its name":
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), "roster.xlsx")

    failpoints.enable_failpoint(refuse)
    try:
        answer = inside.post("/rows/save", {**form, "text": number(2)}).text
    finally:
        failpoints.enable_failpoint(None)
    assert "roster.xlsx 正被别的程序打开" in answer
    assert roster.read_bytes() == before
    assert [path.name for path in roster.parent.iterdir()] == ["roster.xlsx"]


@pytest.mark.parametrize("step", ["the former is kept", "the new one is written"])
def test_a_full_disk_is_one_sentence_and_the_roster_stays(ward, page, step):
    inside = page.enter()
    form = open_form(inside, name(2))
    roster = ward.folder / "inbox" / "roster.xlsx"
    before = roster.read_bytes()

    def fill(point):
        of_copy = point.startswith("results: before the fsync of 2")
        if of_copy if step == "the former is kept" else point == "results: before the fsync of roster.xlsx":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "roster.xlsx")

    failpoints.enable_failpoint(fill)
    try:
        answer = inside.post("/rows/save", {**form, "text": number(2)}).text
    finally:
        failpoints.enable_failpoint(None)
    assert re.search(r"没有保存：[^<]*磁盘", answer)
    assert roster.read_bytes() == before
    assert [path.name for path in roster.parent.iterdir()] == ["roster.xlsx"]


def test_what_is_not_in_the_log_is_not_done(ward, page):
    inside = page.enter()
    form = open_form(inside, name(2))
    roster = ward.folder / "inbox" / "roster.xlsx"
    before = roster.read_bytes()
    log = ward.folder / "state" / "page-log.jsonl"
    log.unlink()
    log.mkdir()
    assert inside.post("/rows/save", {**form, "text": number(2)}).status == 503
    assert roster.read_bytes() == before
    assert FAULTY not in inside.get(f"/rows/row/{form['opened']}").text, "nor is the number shown"


def test_pictures_in_the_workbook_lead_to_excel(ward, page):
    draw_seal(ward.folder / "one.png", 1)
    book = openpyxl.load_workbook(ward.folder / "inbox" / "roster.xlsx")
    book.active.add_image(Drawing(io.BytesIO((ward.folder / "one.png").read_bytes())), "G2")
    book.save(ward.folder / "inbox" / "roster.xlsx")
    before = (ward.folder / "inbox" / "roster.xlsx").read_bytes()
    ward.go("check")
    inside = page.enter(Accept_Language="en")
    answer = html.unescape(inside.post("/rows/save", {**open_form(inside, name(2)), "text": number(2)}).text)
    assert "correct this cell in Excel (roster.xlsx Sheet, cell B3)" in answer
    assert "it has pictures" in answer
    assert (ward.folder / "inbox" / "roster.xlsx").read_bytes() == before


def test_a_text_file_becomes_a_workbook_and_is_read_once(ward, page):
    (ward.folder / "inbox" / "roster.xlsx").unlink()
    lines = [",".join(HEADERS), ",".join(make_row(1)), ",".join(make_row(2, number=FAULTY))]
    (ward.folder / "inbox" / "名单.csv").write_text("\n".join(lines), "utf-8")
    ward.go("check")
    inside = page.enter()
    form = open_form(inside, name(2))
    assert "已写入" in inside.post("/rows/save", {**form, "text": number(2)}).text
    assert [path.name for path in (ward.folder / "inbox").iterdir()] == ["名单.xlsx"]
    second = open_cell(inside, form["opened"], "department")
    assert "已写入" in inside.post("/rows/save", {**second, "text": "外科"}).text, (
        "before the check has ended"
    )
    wait_until(lambda: all(line["status"] == "ready" for line in ward.outcomes("plan.jsonl")))
    assert read_cell(ward.folder / "inbox" / "名单.xlsx", "E3") == "外科"


# -- who may what, and whose words these are


def test_who_may_only_look_sees_no_number_and_corrects_nothing(ward):
    ward.go("check")
    with open_page_of_users(ward, wang=Role.LOOK, li=Role.CLERK) as (_, looking, clerk):
        form = open_form(clerk, name(2))
        text = looking.get(f"/rows/row/{form['opened']}").text
        assert "<form" not in text
        assert FAULTY not in text
        assert (
            looking.get(f"/rows/cell/{form['location']}/id_card_number?roster={form['roster']}").status == 403
        )
        for path in ("/rows/judge", "/rows/save", "/rows/pictures/give", "/rows/pictures/withdraw"):
            assert looking.post(path, {**form, "text": number(2)}).status == 403
        assert read_cell(ward.folder / "inbox" / "roster.xlsx", "B3") == FAULTY
        assert [line["user"] for line in read_log(ward)] == ["li"]


def test_an_old_link_opens_the_row_of_the_same_person(ward, page):
    ward.go("run")
    ward.go("check")
    inside = page.enter()
    keys = {doctor: get_key(part) for doctor, part in list_rows(inside.get("/rows").text).items()}
    ward.roster([make_row(3, department="外科"), make_row(4, number=number(1)), make_row(5)])
    ward.go("check")
    assert list(list_rows(inside.get(f"/rows/row/{keys[name(3)]}").text)) == [name(3)]
    for doctor in (name(1), name(2)):  # another has the number, the row
        assert inside.get(f"/rows/row/{keys[doctor]}").status == 404
        in_place = inside.get(f"/rows/row/{keys[doctor]}?closed", hx_request="true")
        assert in_place.status == 200  # its row closes in a list that is about to be renewed
        assert "这一行已不在最新的检查结果里" in in_place.text
        assert doctor not in in_place.text


def test_a_copy_of_the_roster_as_it_was_is_not_corrected_in_its_place(ward, page):
    inside = page.enter()
    form = open_form(inside, name(2))
    roster, copy = (ward.folder / "inbox" / file for file in ("roster.xlsx", "copy.xlsx"))
    roster.rename(copy)
    ward.roster([make_row(3), make_row(1), make_row(2, number=FAULTY)])
    ward.go("check")
    before = roster.read_bytes(), copy.read_bytes()
    assert inside.post("/rows/save", {**form, "text": number(2)}).status == 409
    assert (roster.read_bytes(), copy.read_bytes()) == before


def test_rows_in_conflict_stand_side_by_side(ward, page):
    ward.roster([make_row(1), make_row(2, number=number(1)), make_row(3)])
    ward.go("check")
    inside = page.enter()
    text = inside.get(f"/rows/row/{get_key(list_rows(inside.get('/rows').text)[name(2)])}").text
    sections = re.findall(r'<section aria-label="([^"]+)">', text)
    assert sections == [name(2), name(1)]
    assert text.count('name="field" value="id_card_number"') == 2


def test_texts_of_strangers_are_texts(ward, page):
    script = "<script>document.title=1</script>"
    rows = [make_row(1, name=script), make_row(2, department=script, number=f'{FAULTY}"><b>')]
    ward.roster(rows, headers=(*HEADERS[:4], "科室"), file=f"{script.replace('/', '∕')}.xlsx")
    ward.go("check")
    inside = page.enter()
    text = inside.get("/rows").text
    for key in re.findall(r'id="row-([0-9a-f]{16})"', text):
        opened = inside.get(f"/rows/row/{key}").text
        text += opened
        location, roster = re.search(r'"/rows/cell/(\w+)/name\?roster=(\w+)', opened).groups()
        form = {"location": location, "roster": roster, "field": "name", "text": script}
        text += inside.post("/rows/judge", form).text
    assert script in html.unescape(text)
    assert "<script>document" not in text
    assert "><b>" not in text


@pytest.mark.parametrize(
    "change",
    [
        {"location": "0" * 16},
        {"field": "picture"},
        {"field": "seal_name"},
        {"field": "../../config.yaml"},
        {"roster": "0" * 64},
        {"seen": ""},
    ],
)
def test_a_form_that_was_changed_writes_nothing(ward, page, change):
    inside = page.enter()
    form = open_form(inside, name(2))
    before = (ward.folder / "inbox" / "roster.xlsx").read_bytes()
    inside.post("/rows/save", {**form, "text": number(2), **change})
    assert (ward.folder / "inbox" / "roster.xlsx").read_bytes() == before


def test_home_leads_to_the_rows_to_correct(ward, page):
    ward.go("run")
    assert 'href="/rows?status=to_fix"' in page.enter().get("/").text


def test_without_a_roster_the_page_leads_to_where_they_are_put(hospital):
    (hospital.folder / "inbox").mkdir()
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        assert "正在检查" in inside.get("/rows").text
        wait_until(lambda: "还没有检查过名单" in inside.get("/rows").text)
        assert "正在检查" not in inside.get("/rows").text, "not checked again and again"


def test_after_the_last_correction_the_page_leads_to_send(ward, page):
    inside = page.enter(Accept_Language="en")
    assert "No row is left to correct" not in inside.get("/rows").text
    row = list_rows(inside.get("/rows").text)[name(2)]
    form = read_form(inside.get(f"/rows/row/{get_key(row)}").text)
    inside.post("/rows/save", {**form, "text": number(2)})
    assert "No row is left to correct" not in inside.get("/rows").text, "it is being checked"
    wait_until(lambda: "No row is left to correct" in inside.get("/rows").text)
    text = inside.get("/rows").text
    assert 'left to correct. <a class="button" href="/send">' in text
    assert 'Usual order: step 2 of 4 · <a href="/review">next: Review</a>' in text
    assert "Usual order: step 4 of 4</p>" in inside.get("/send").text
    assert "Usual order" not in inside.get("/doctors").text


def test_a_row_without_a_picture_leads_to_those_that_no_row_matched(ward):
    (ward.folder / "seals" / "00001.png").rename(ward.folder / "seals" / "scan.png")
    ward.go("check")
    with PageThread(ward.folder / "config.yaml") as page:
        rows = list_rows(page.enter().get("/rows").text)
        assert ['href="/rows/pictures"' in rows[name(serial)] for serial in (1, 2, 3)] == [True, False, False]
