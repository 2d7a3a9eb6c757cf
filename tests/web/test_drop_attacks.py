"""Uploads that are made to do harm, two at once, and disks that refuse: nothing is half written, and nothing is lost."""

import errno
import os
import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Barrier, BrokenBarrierError

import pytest
from page_support import PageThread, list_names
from people import make_row
from run_support import draw_seal, wait_until
from zip_support import zipped

from pipeline.config.settings import Config
from pipeline.operations.replaced_files import list_replaced_files
from pipeline.support.failpoints import enable_failpoint
from pipeline.web.drop import folders, names


@contextmanager
def raw_upload(clerk, *headers, name="x.png"):
    """Open a request for a file whose body is sent by hand."""
    lines = [
        "POST /drop/file HTTP/1.1",
        f"Host: {clerk.page.origin.removeprefix('http://')}",
        f"Origin: {clerk.page.origin}",
        f"Cookie: {clerk.cookie}",
        f"X-Change-Token: {clerk.token}",
        "Accept-Language: en",
        f"X-File-Name: {name}",
        "Content-Type: application/octet-stream",
        *headers,
    ]
    with socket.create_connection(("127.0.0.1", clerk.page.port), timeout=60) as stream:
        stream.sendall("\r\n".join([*lines, "", ""]).encode())
        yield stream


def read_answer(stream):
    answer = b""
    while chunk := stream.recv(65536):
        answer += chunk
        if b"}" in chunk:
            break
    return answer.decode()


def read_question(clerk):
    text = clerk.get("/drop").text
    return {name: text.split(f'name="{name}" value="')[1].split('"')[0] for name in ("waiting", "stamp")}


def seals(hospital):
    return list_names(hospital.folder / "seals")


@pytest.fixture
def failing():
    """Let the disk fail at a point of a drop."""

    def fail_at(point, number=errno.ENOSPC):
        def act(name):
            if name == point:
                raise OSError(number, os.strerror(number))

        enable_failpoint(act)

    yield fail_at
    enable_failpoint(None)


def test_a_length_that_is_wrong_stores_nothing(hospital, clerk):
    with raw_upload(clerk, "Content-Length: 100") as stream:
        stream.sendall(b"x" * 50)
        wait_until(lambda: seals(hospital))  # the draft
    wait_until(lambda: not seals(hospital))
    with raw_upload(clerk, "Content-Length: 3") as stream:
        stream.sendall(b"abcdef")
        read_answer(stream)
    stored = hospital.folder / "seals" / "x.png"
    assert not stored.exists() or stored.read_bytes() == b"abc"


def test_a_file_without_a_length_is_bounded_while_it_comes(hospital, clerk, monkeypatch):
    monkeypatch.setitem(names.LARGEST, "picture", 100_000)
    with raw_upload(clerk, "Transfer-Encoding: chunked") as stream:
        stream.sendall(b"4\r\nseal\r\n0\r\n\r\n")
        assert '"stored"' in read_answer(stream)
    endless = raw_upload(clerk, "Transfer-Encoding: chunked", name="endless.png")
    with endless as stream:
        for _ in range(11):  # 110 KB; the end never comes
            stream.sendall(b"2710\r\n" + b"x" * 10_000 + b"\r\n")
        assert "at most 100.0 KB" in read_answer(stream)
    wait_until(lambda: seals(hospital) == ["x.png"])
    with raw_upload(clerk, "Content-Length: 999999999999", name="vast.png") as stream:
        assert "at most 100.0 KB" in read_answer(stream)
    with raw_upload(clerk, "Transfer-Encoding: chunked", name="broken.png") as stream:
        stream.sendall(b"zz\r\nseal")
        stream.recv(100)
    wait_until(lambda: seals(hospital) == ["x.png"])


def test_a_slow_upload_is_cut_off(hospital, clerk, monkeypatch):
    monkeypatch.setattr(names, "IDLE_SECONDS", 0.05)
    with raw_upload(clerk, "Content-Length: 100") as stream:
        stream.sendall(b"x")
        assert "too slowly" in read_answer(stream)
    assert seals(hospital) == []


def test_the_last_of_the_disk_is_left_for_runs(hospital, clerk, monkeypatch):
    monkeypatch.setattr(folders, "NO_SPACE", 1 << 62)
    assert "too little space" in clerk.drop("x.png", b"x")["text"]
    assert seals(hospital) == []


def test_nothing_is_written_through_links(hospital, clerk):
    outside = hospital.folder / "outside"
    outside.mkdir()
    (outside / "kept.png").write_bytes(b"kept")
    (hospital.folder / "seals" / "link").symlink_to(outside)
    (hospital.folder / "seals" / "x.png").symlink_to(outside / "kept.png")
    (hospital.folder / "seals" / "gone.png").symlink_to(outside / "gone.png")
    (hospital.folder / "seals" / "folder.png").mkdir()
    for path in ("link/x.png", "link/a/x.png", "x.png", "gone.png", "folder.png", "x.png/y.png"):
        answer = clerk.drop(path, b"other")
        assert answer["outcome"] == "refused", path
        assert "a link has this name" in answer["text"]
    assert list_names(outside) == ["kept.png"]
    assert (outside / "kept.png").read_bytes() == b"kept"


@pytest.mark.parametrize("point", ["drop: before the file takes its name", "drop: before the file waits"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EIO])
def test_a_disk_that_refuses_is_named_in_one_sentence(hospital, clerk, failing, point, number):
    if point.endswith("waits"):
        clerk.drop("x.png", b"former")
    before = seals(hospital)
    failing(point, number)
    answer = clerk.drop("x.png", b"newer")
    assert answer["outcome"] == "refused"
    assert "seals" in answer["text"]
    assert seals(hospital) == before


def test_a_disk_that_is_full_when_a_file_is_replaced_leaves_the_former(hospital, clerk, failing):
    clerk.drop("x.png", b"former")
    clerk.drop("x.png", b"newer")
    values = read_question(clerk)
    for point in ("drop: before the former file is copied", "drop: the former file is copied"):
        failing(point)
        answer = clerk.post("/drop/answer", {**values, "answer": "replace"})
        assert answer.status == 503
        assert "x.png" in answer.text
        assert (hospital.folder / "seals" / "x.png").read_bytes() == b"former"
    enable_failpoint(None)
    assert clerk.post("/drop/answer", {**values, "answer": "replace"}).status == 303
    assert (hospital.folder / "seals" / "x.png").read_bytes() == b"newer"
    copies = list_replaced_files(Config.load(hospital.folder / "config.yaml", environment={}))
    assert {copy.read_bytes() for copy in copies} == {b"former"}


def test_a_disk_that_takes_no_more_bytes_leaves_nothing_half_written(hospital, clerk):
    clerk.drop("x.png", b"former")  # what a request needs has been loaded and logged
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    picture = bytes(300_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        answers = [clerk.drop("y.png", picture), clerk.drop("z.zip", zipped({"y.png": picture}))]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert all("seals" in answer["text"] for answer in answers)
    assert seals(hospital) == ["x.png"]


def test_what_a_killed_page_left_is_removed_by_the_next_one(hospital):
    day, folder = 24 * 3600, hospital.folder / "seals"
    ages = {".7fffffff00000000.upload": 2 * day, ".waiting-0123456789abcdef-old.png": 31 * day}
    ages |= {".7fffffff00000001.upload": 60, ".waiting-0123456789abcdef-new.png": 29 * day}
    for name, age in ages.items():
        (folder / name).write_bytes(b"x")
        moment = time.time() - age
        os.utime(folder / name, (moment, moment))
    with PageThread(hospital.folder / "config.yaml"):
        assert seals(hospital) == [".7fffffff00000001.upload", ".waiting-0123456789abcdef-new.png"]


def test_a_file_that_excel_holds_open_on_windows_is_named(hospital, clerk):
    clerk.drop("x.png", b"former")
    clerk.drop("x.png", b"newer")

    def refuse(point):
        if point == "drop: the former file is copied":
            error = PermissionError(errno.EACCES, "in use")
            error.winerror = 32
            raise error

    values = read_question(clerk)
    enable_failpoint(refuse)
    try:
        answer = clerk.post("/drop/answer", {**values, "answer": "replace"})
    finally:
        enable_failpoint(None)
    assert answer.status == 503
    assert "open in another program" in answer.text
    assert (hospital.folder / "seals" / "x.png").read_bytes() == b"former"
    assert clerk.post("/drop/answer", {**values, "answer": "replace"}).status == 303


def test_a_log_that_cannot_be_written_stops_the_change(hospital, clerk):
    log = hospital.folder / "state" / "page-log.jsonl"
    log.unlink()
    log.mkdir()
    assert clerk.drop("x.png", b"x")["outcome"] == "refused"
    assert seals(hospital) == []


def test_folders_that_are_away_are_made_or_named(hospital, clerk):
    (hospital.folder / "seals").rmdir()
    assert clerk.drop("x.png", b"x")["outcome"] == "stored"
    (hospital.folder / "inbox").write_bytes(b"a file")
    answer = clerk.drop("a.csv", "姓名\n".encode())
    assert "single file" in answer["text"]


def test_two_drop_at_once(hospital, page, clerk):
    """The same file twice, two files of one name, and many others: each is whole, one of a name."""
    other = page.enter(Accept_Language="en")
    (hospital.folder / "new").mkdir()
    for serial in range(1, 5):
        draw_seal(hospital.folder / "new" / f"{serial}.png", serial)
    contents = [(hospital.folder / "new" / f"{serial}.png").read_bytes() for serial in range(1, 5)]
    jobs = [(client, "same.png", contents[0]) for client in (clerk, other) * 4]
    jobs += [(client, "two.png", contents[index]) for index, client in enumerate((clerk, other) * 2)]
    jobs += [(clerk, f"own{n}.png", contents[n % 4]) for n in range(8)]
    clerk.drop("once.png", contents[0])
    jobs += [(client, "once.png", contents[1]) for client in (clerk, other) * 3]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda job: job[0].drop(job[1], job[2]), jobs))
    outcomes = [answer["outcome"] for answer in answers]
    assert sorted(outcomes[:8]) == ["same"] * 7 + ["stored"]
    assert sorted(outcomes[8:12]) == ["stored", "waiting", "waiting", "waiting"]
    assert outcomes[12:] == ["stored"] * 8 + ["waiting"] * 6
    assert sum(name.startswith(".waiting") and name.endswith("once.png") for name in seals(hospital)) == 1
    assert (hospital.folder / "seals" / "same.png").read_bytes() == contents[0]
    assert (hospital.folder / "seals" / "two.png").read_bytes() in contents
    assert not any(".upload" in name for name in seals(hospital))


def test_two_uploads_of_one_name_are_stored_one_after_the_other(hospital, page, clerk):
    both = Barrier(2)

    def pause(point):
        if point == "drop: before the file waits":
            with suppress(BrokenBarrierError):  # the other one does not come: it is not let in
                both.wait(0.3)

    clerk.drop("x.png", b"former")
    enable_failpoint(pause)
    try:
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda client: client.drop("x.png", b"newer"), [clerk, page.enter()]))
    finally:
        enable_failpoint(None)
    assert len(seals(hospital)) == 2


def test_a_file_that_is_saved_while_it_is_replaced_is_left(hospital, clerk):
    clerk.drop("x.png", b"former")
    clerk.drop("x.png", b"newer")
    target = hospital.folder / "seals" / "x.png"
    enable_failpoint(lambda point: target.write_bytes(b"saved") if point.endswith("file is copied") else None)
    try:
        assert clerk.post("/drop/answer", {**read_question(clerk), "answer": "replace"}).status == 409
    finally:
        enable_failpoint(None)
    assert target.read_bytes() == b"saved"


def test_rosters_and_pictures_that_wait_are_not_read(hospital, clerk):
    hospital.doctors(1)
    clerk.drop("00001.png", b"other bytes")
    hospital.roster([make_row(1), make_row(2)], file="new.xlsx")
    newer = (hospital.folder / "inbox" / "new.xlsx").read_bytes()
    (hospital.folder / "inbox" / "new.xlsx").unlink()
    clerk.drop("roster.xlsx", newer)
    assert hospital.run_to_end("check") == (0, {"ready": 1})
    record = hospital.record()
    assert [Path(file["path"]).name for file in record["files"]] == ["roster.xlsx"]
    text = (hospital.newest / "review.html").read_text("utf-8")
    assert "waiting-" not in text
