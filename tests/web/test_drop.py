"""Dropped files: where they go, under which names, what is refused, what is asked; and the check that follows."""

import json
import os
import re
import zipfile
from random import Random

import pytest
from image_support import raw_png
from page_support import PageThread, list_names
from people import make_row, name, number
from run_support import draw_seal, wait_until
from zip_support import Entry, zipped

from pipeline.config.settings import Config
from pipeline.operations.replaced_files import list_replaced_files
from pipeline.web.access import PageUser, Role
from pipeline.web.users import UserFile


def read_log(hospital):
    text = (hospital.folder / "state" / "page-log.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_a_drop_is_stored_and_checked_by_itself(hospital, clerk, prepared):
    for file, content in prepared.items():
        answer = clerk.drop(file, content)
        assert answer == {"outcome": "stored", "name": file, "is_renamed": False}
    assert list_names(hospital.folder / "inbox") == ["roster.xlsx"]
    assert list_names(hospital.folder / "seals") == ["00001.png", "00002.png"]
    wait_until(lambda: 'href="/send"' in clerk.get("/drop/now").text)
    text = clerk.get("/drop").text
    assert 'href="/rows?status=ready"' in text
    assert re.search(r'<span class="chip sealed">Read</span></td>\s*<td class="n" data-unit="rows">2<', text)
    assert hospital.statuses() == {"ready": 2}
    drops = [line for line in read_log(hospital) if line["action"] == "drop"]
    assert [line["file"] for line in drops] == list(prepared)
    assert all(line["user"] and len(line["sha256"]) == 64 for line in drops)


def test_names_are_cleaned_and_folders_of_pictures_are_kept(hospital, clerk, prepared):
    picture = prepared["00001.png"]
    for sent, stored in (
        ("内科/张 伟.png", "内科/张 伟.png"),
        ("con.png", "_con.png"),
        ("内科:b?.png", "内科_b_.png"),
        ("x\u202egnp.png", "x_gnp.png"),
        ("<script>alert(1)<∕script>.png", "_script_alert(1)_∕script_.png"),
    ):
        answer = clerk.drop(sent, picture)
        assert answer == {"outcome": "stored", "name": stored, "is_renamed": sent != stored}
        assert (hospital.folder / "seals" / stored).read_bytes() == picture
    assert clerk.drop("一/二/名单.xlsx", prepared["roster.xlsx"])["name"] == "名单.xlsx"
    assert list_names(hospital.folder / "inbox") == ["名单.xlsx"]
    page = clerk.get("/drop").text
    assert "<script>alert" not in page


@pytest.mark.parametrize(
    "path",
    [
        "../x.png",
        "a/../../x.png",
        "/etc/x.png",
        "C:/x.png",
        "a\x00.png",
        "..",
        "",
        "/",
        "x" * 300 + ".png",
        "一" * 70 + ".png",
    ],
)
def test_a_name_that_leads_elsewhere_or_is_too_long_is_refused(hospital, clerk, path):
    assert clerk.drop(path, b"x")["outcome"] == "refused"
    assert list_names(hospital.folder / "seals") == []


def test_a_name_of_no_text_is_refused(hospital, clerk):
    assert clerk.drop("x.png", b"x", X_File_Name="%ff%fe.png")["outcome"] == "refused"
    assert clerk.drop("x.png", b"x", X_File_Name=None)["outcome"] == "refused"
    assert list_names(hospital.folder / "seals") == []


def test_a_picture_that_is_too_large_is_named_when_it_is_dropped(hospital, clerk):
    """By its bytes and by its header: what cannot be made fit is refused, what can is taken and said."""
    random = Random(1)
    whole, large = random.randbytes(33_000_000), random.randbytes(8_100_000)
    header = raw_png((20_000, 20_000), 1, 0, [b"\0"])
    refused = clerk.drop("whole.png", whole)
    assert refused["outcome"] == "refused"
    assert "33.0 MB, at most 32.0 MB" in refused["text"]
    refused = clerk.drop("header.png", header)
    assert refused["outcome"] == "refused"
    assert "20000×20000" in refused["text"]
    stored = clerk.drop("large.png", large)
    assert stored["outcome"] == "stored"
    assert "8.1 MB; at most 8.0 MB" in stored["note"]
    assert "note" not in clerk.drop("small.png", b"x")
    members = {"w.png": whole, "h.png": header, "l.png": large, "s.png": b"x"}
    entries = [Entry(file, data, method=zipfile.ZIP_STORED) for file, data in members.items()]
    unpacked = clerk.drop("all.zip", zipped(entries))
    assert (unpacked["counts"], len(unpacked["refused"])) == ({"stored": 2}, 2)
    assert [(note["name"], "8.1 MB" in note["text"]) for note in unpacked["notes"]] == [("all/l.png", True)]
    assert list_names(hospital.folder / "seals") == [
        "all",
        "all/l.png",
        "all/s.png",
        "large.png",
        "small.png",
    ]


def test_what_systems_leave_in_folders_is_passed_over(hospital, clerk):
    for path in ("seals/.DS_Store", "__MACOSX/x.png", "~$roster.xlsx", "seals/Thumbs.db", ".hidden/x.png"):
        assert clerk.drop(path, b"x") == {"outcome": "passed"}
    assert list_names(hospital.folder / "seals") == []


def test_what_is_no_roster_is_refused_as_check_does(hospital, clerk):
    hospital.seal_doctors(1)
    results = (hospital.newest / "results.xlsx").read_bytes()
    before = list_names(hospital.folder / "inbox")
    for file, content, words in (
        ("results.xlsx", results, "results workbook of this program"),
        ("staff.doc", b"%PDF-1.4", "This is PDF, not a roster"),
        ("staff.csv", b"", "empty"),
        ("setup.exe", b"MZ", "A EXE file is neither"),
    ):
        answer = clerk.drop(file, content)
        assert answer["outcome"] == "refused"
        assert words in answer["text"]
    assert list_names(hospital.folder / "inbox") == before


def test_a_check_that_is_due_is_shown_at_once(hospital, clerk):
    hospital.roster([])
    content = (hospital.folder / "inbox" / "roster.xlsx").read_bytes()
    assert clerk.drop("other.xlsx", content)["outcome"] == "stored"
    assert 'hx-trigger="every 1s' in clerk.get("/drop/now").text


def test_a_roster_that_is_not_read_is_named_with_what_to_do_in_either_language(clerk):
    clerk.drop("list.csv", "甲,乙\n1,2\n".encode())
    wait_until(lambda: "list.csv</strong>" in clerk.get("/drop/now").text)
    assert re.search(r"list\.csv</strong><p>[^<]*header[^<]*; [^<]+</p>", clerk.get("/drop").text)
    assert re.search(
        r"list\.csv</strong><p>找不到表头[^<]*；[^<]+</p>", clerk.get("/drop", Accept_Language="zh").text
    )
    assert 'href="/send"' not in clerk.get("/drop/now").text


def list_questions(page):
    """Return the values of each question of the page, by the file's name."""
    forms = re.findall(r'<section class="card question">.*?</section>', page, re.DOTALL)
    values = {}
    for form in forms:
        title = re.search(r"<h2>“(.*?)”", form)[1]
        hidden = dict(re.findall(r'name="(waiting|stamp)" value="([^"]*)"', form))
        values.setdefault(title, []).append(hidden)
    return values


def test_another_file_of_the_same_name_is_replaced_only_after_a_yes(hospital, clerk, prepared):
    clerk.drop("roster.xlsx", prepared["roster.xlsx"])
    target = hospital.folder / "inbox" / "roster.xlsx"
    former = target.read_bytes()
    hospital.roster([make_row(5)], file="other.xlsx")
    newer = (hospital.folder / "inbox" / "other.xlsx").read_bytes()
    (hospital.folder / "inbox" / "other.xlsx").unlink()
    assert clerk.drop("roster.xlsx", former)["outcome"] == "same"
    assert clerk.drop("roster.xlsx", newer)["outcome"] == "waiting"
    assert clerk.drop("roster.xlsx", newer)["outcome"] == "waiting"
    assert target.read_bytes() == former
    config = Config.load(hospital.folder / "config.yaml", environment={})
    (values,) = list_questions(clerk.get("/drop").text)["roster.xlsx"]
    assert clerk.post("/drop/answer", {**values, "answer": "leave"}).status == 303
    assert list_questions(clerk.get("/drop").text) == {}
    assert list_names(hospital.folder / "inbox") == ["roster.xlsx"]
    clerk.drop("roster.xlsx", newer)
    (values,) = list_questions(clerk.get("/drop").text)["roster.xlsx"]
    assert clerk.post("/drop/answer", {**values, "answer": "replace"}).status == 303
    assert target.read_bytes() == newer
    assert [copy.read_bytes() for copy in list_replaced_files(config)] == [former]
    assert list_names(hospital.folder / "inbox") == ["roster.xlsx"]
    assert [line["action"] for line in read_log(hospital)[1:]] == ["drop", "ask", "leave", "ask", "replace"]
    wait_until(
        lambda: (
            'href="/send"' not in clerk.get("/drop/now").text
            and "/rows?status" in clerk.get("/drop/now").text
        )
    )


def test_a_yes_holds_for_the_file_that_was_seen(hospital, clerk, prepared):
    """Two clerks answer: the second is told."""
    first, second = prepared["00001.png"], prepared["00002.png"]
    target = hospital.folder / "seals" / "x.png"
    clerk.drop("x.png", first)
    clerk.drop("x.png", second)
    draw_seal(hospital.folder / "third.png", 77)
    clerk.drop("x.png", (hospital.folder / "third.png").read_bytes())
    one, other = list_questions(clerk.get("/drop").text)["x.png"]
    assert clerk.post("/drop/answer", {**one, "answer": "replace"}).status == 303
    replaced = target.read_bytes()
    for answer in ("replace", "leave"):
        refused = clerk.post("/drop/answer", {**other, "answer": answer}, HX_Request="true")
        assert refused.status == 409
        assert "has changed since the page was opened" in refused.text
        assert len(list_questions(refused.text)) == 1, "as it is now"
    assert target.read_bytes() == replaced != first
    (again,) = list_questions(clerk.get("/drop").text)["x.png"]
    assert clerk.post("/drop/answer", {**again, "answer": "replace"}).status == 303
    assert target.read_bytes() != replaced
    assert clerk.post("/drop/answer", {**again, "answer": "replace"}).status == 409
    assert [line["action"] for line in read_log(hospital)].count("replace") == 2
    assert len(list_replaced_files(Config.load(hospital.folder / "config.yaml", environment={}))) == 2


def test_pictures_of_a_question_are_shown_by_what_waits_alone(hospital, clerk, prepared):
    clerk.drop("x.png", prepared["00001.png"])
    clerk.drop("x.png", prepared["00002.png"])
    clerk.drop("broken.png", b"former")
    clerk.drop("broken.png", b"newer")
    clerk.drop("a.csv", b"a,b\n")
    clerk.drop("a.csv", b"c,d\n")
    page = clerk.get("/drop").text
    questions = list_questions(page)
    addresses = re.findall(r'<img src="(/drop/picture/[^"]+)"', page)
    assert len(addresses) == 4, "two of each picture, none of a roster"
    (waiting,) = questions["x.png"]
    pictures = [clerk.get(f"/drop/picture/{waiting['waiting']}/{side}") for side in ("former", "new")]
    assert [picture.headers["Content-Type"] for picture in pictures] == ["image/jpeg"] * 2
    assert all(picture.body.startswith(b"\xff\xd8") for picture in pictures)
    assert pictures[0].body != pictures[1].body
    for path in (f"{waiting['waiting']}/other", "0123456789abcdef/new", "..%2f..%2fsecrets/new", "%00/new"):
        assert clerk.get(f"/drop/picture/{path}").status == 404
    (broken,), (roster,) = questions["broken.png"], questions["a.csv"]
    assert clerk.get(f"/drop/picture/{broken['waiting']}/new").status == 404
    assert clerk.get(f"/drop/picture/{roster['waiting']}/new").status == 404


def test_all_that_wait_are_answered_at_once(hospital, clerk, prepared):
    files = [f"{n:02}.png" for n in range(25)]
    for file in files:
        clerk.drop(file, prepared["00001.png"])
        clerk.drop(file, prepared["00002.png"])
    page = clerk.get("/drop").text
    assert "25 of the files are there already" in page
    assert len(list_questions(page)) == 20
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', page)[1]
    clerk.drop("00.png", b"another one")
    assert clerk.post("/drop/answers", {"seen": seen, "answer": "replace"}).status == 409
    assert {(hospital.folder / "seals" / file).read_bytes() for file in files} == {prepared["00001.png"]}
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', clerk.get("/drop").text)[1]
    assert clerk.post("/drop/answers", {"seen": seen, "answer": "leave"}).status == 303
    assert list_names(hospital.folder / "seals") == files
    for file in files[:2]:
        clerk.drop(file, prepared["00002.png"])
    seen = re.search(r'name="seen" value="([0-9a-f]+)"', clerk.get("/drop").text)[1]
    assert clerk.post("/drop/answers", {"seen": seen, "answer": "replace"}).status == 303
    assert {(hospital.folder / "seals" / file).read_bytes() for file in files[:2]} == {prepared["00002.png"]}
    assert list_names(hospital.folder / "seals") == files


def test_a_roster_is_removed_after_a_yes_and_kept(hospital, clerk, prepared):
    clerk.drop("roster.xlsx", prepared["roster.xlsx"])
    page = clerk.get("/drop").text
    values = dict(re.findall(r'name="(file|stamp)" value="([^"]*)"', page))
    target = hospital.folder / "inbox" / "roster.xlsx"
    assert clerk.post("/drop/remove", {**values, "stamp": "0-0"}).status == 409
    assert clerk.post("/drop/remove", {**values, "file": "../inbox/roster.xlsx"}).status == 409
    before = target.stat()
    target.write_bytes(prepared["roster.xlsx"][::-1])  # of the same size and time
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert clerk.post("/drop/remove", values).status == 409
    target.write_bytes(prepared["roster.xlsx"])
    values = dict(re.findall(r'name="(file|stamp)" value="([^"]*)"', clerk.get("/drop").text))
    assert clerk.post("/drop/remove", values).status == 303
    assert list_names(hospital.folder / "inbox") == []
    config = Config.load(hospital.folder / "config.yaml", environment={})
    assert [copy.read_bytes() for copy in list_replaced_files(config)] == [prepared["roster.xlsx"]]
    assert "There is no roster" in clerk.get("/drop").text


def test_numbers_in_names_are_masked_on_the_page_and_in_its_log(hospital, clerk, prepared):
    answer = clerk.drop(f"{number(1)}.png", prepared["00001.png"])
    assert number(1) not in json.dumps(answer)
    assert (hospital.folder / "seals" / f"{number(1)}.png").exists()
    clerk.drop(f"{number(1)}.png", prepared["00002.png"])
    assert number(1) not in clerk.get("/drop").text
    assert number(1) not in json.dumps(read_log(hospital))


def test_who_may_only_look_sees_what_is_there_and_no_controls(hospital):
    hospital.doctors(1)
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write('web: {url: "https://esign.hospital.example", trusted_proxy: 127.0.0.1}\n')
    UserFile(hospital.folder / "state").save(PageUser("wang", Role.LOOK))
    (hospital.folder / "seals" / ".waiting-0123456789abcdef-00001.png").write_bytes(b"other")
    with PageThread(hospital.folder / "config.yaml") as page:
        looking = page.visit(X_Forwarded_User="wang", Accept_Language="en")
        text = looking.get("/drop").text
        assert "roster.xlsx" in text
        assert not re.search(r'id="zone"|/drop/answer|/drop/remove|/drop/check', text)
        looking.read_token()
        refused = looking.post("/drop/remove", {"file": "x", "stamp": "x"})
        assert refused.status == 403


def test_corrections_that_a_dropped_roster_would_undo_are_counted_and_the_first_is_named(hospital):
    """Those that it holds as well are not lost."""
    faulty = [make_row(1, number=number(1)[:17]), make_row(2, number=number(2)[:17]), make_row(3)]
    hospital.roster(faulty)
    path = hospital.folder / "inbox" / "roster.xlsx"
    before = path.read_bytes()
    hospital.roster([make_row(1), *faulty[1:]])
    one_corrected = path.read_bytes()
    path.write_bytes(before)
    hospital.go("check")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter(Accept_Language="en")
        inside.drop("other.xlsx", before)
        inside.drop("roster.xlsx", one_corrected)
        assert "corrected on this page" not in inside.get("/drop").text
        for serial in (1, 2):
            rows = inside.get("/rows").text.split('<tbody class="row')[1:]
            (row,) = [row for row in rows if f">{serial:05d}<" in row]
            key = re.search(r'id="row-([0-9a-f]+)"', row)[1]
            opened = inside.get(f"/rows/row/{key}").text
            form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', opened.split('action="/rows/save"')[1]))
            assert "Written" in inside.post("/rows/save", {**form, "text": number(serial)}).text
        text = inside.get("/drop").text
        assert f"one cell differs from the new one, identity number of {name(2)} (B3)" in text
        inside.drop("roster.xlsx", before)
        assert (
            f"2 cells differ from the new one, the first is identity number of {name(1)} (B2)"
            in inside.get("/drop").text
        )
        assert page.failures == []
