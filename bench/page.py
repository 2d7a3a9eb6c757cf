"""The clerk's page of a large hospital, next to a static page of the same bytes; what twenty browsers take from a run."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import psutil

from bench.hospital import Hospital, draw_picture, make_hospital_apart, make_row, run_sandbox
from bench.measure import REPOSITORY, Measured, alternate, measure_command, run_python

DOCTORS, FAULTS = (5_000, 500), (200, 20)  # in full, in the short form
TURNS = (9, 3)
SOME_ROWS = 3  # exit code: some rows need attention
FIRST_NEWCOMER = 20_001  # serial
NUMBER_COLUMN = 3  # of the roster, counted from 1
RUN_ROWS, RUN_TURNS = (400, 100), (3, 1)  # of the run next to which browsers look
BROWSERS, PICTURES = 20, (2_000, 200)
RENEWAL = 2.0  # seconds after which the home page asks again during a run


def measure(short: bool) -> Iterator[Measured]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        hospital = make_hospital_apart(Path(name) / "hospital", DOCTORS[short])
        hospital.configure("http://127.0.0.1:9")
        log = Path(name) / "log"
        run_python("bench.unchanged", "seal", str(hospital.folder), log=log)
        for step, words in (("spoil", ("run", "--yes", "--accept-guards")), ("add", ("check",))):
            run_python("bench.page", step, str(hospital.folder), str(FAULTS[short]), log=log)
            ended = measure_command(hospital.command(*words), env=hospital.environment, log=log)
            assert ended.code == SOME_ROWS, log.read_text()
        with serve_page(hospital) as (browser, process):
            yield from measure_pages(browser, short)
            memory = psutil.Process(process.pid).memory_info().rss / 1e6
        yield Measured("page.memory", [memory], {}, DOCTORS[short], is_enough=not short)
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        hospital = make_hospital_apart(Path(name) / "hospital", RUN_ROWS[short], picture_bytes=60_000)
        alone, watched = alternate(
            RUN_TURNS[short],
            "page: a run with twenty browsers",
            lambda: measure_share(hospital),
            lambda: measure_watched_share(hospital, PICTURES[short]),
        )
    yield Measured("page.share", watched, {"alone": alone}, RUN_ROWS[short], is_enough=not short)


def measure_pages(browser: Browser, short: bool) -> Iterator[Measured]:
    table = browser.get("/rows?status=to_fix").decode()
    row = re.search(r'"/rows/row/([^"?]+)', table)
    assert row is not None, "a row to correct"
    opened = browser.get(f"/rows/row/{row[1]}").decode()
    form = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', opened))

    def show_card() -> bytes:
        """Return the part of the review that a search for one doctor shows, and the picture on the card."""
        part = browser.post("/review/cards", {"chosen": "all", "query": f"{FIRST_NEWCOMER:06d}"})
        picture = re.search(rb'src="(/review/picture/[^"]+)"', part)
        assert picture is not None
        return part + browser.get(picture[1].decode())

    requests: dict[str, Callable[[], bytes]] = {
        "home": lambda: browser.get("/"),
        "table": lambda: browser.get("/rows"),
        "filter": lambda: browser.post("/rows", {"query": "00123"}),
        "judge": lambda: browser.post("/rows/judge", {**form, "key": row[1], "text": "11010519491231002X"}),
        "card": show_card,
    }
    for name, send in requests.items():
        content = send()  # the first one reads what the others find in memory
        with serve_static(content) as static:
            theirs, ours = alternate(
                TURNS[short],
                f"page: {name}",
                lambda static=static: measure_milliseconds(lambda: static.get("/")),
                lambda send=send: measure_milliseconds(send),
            )
        yield Measured(f"page.{name}", ours, {"static": theirs}, DOCTORS[short], is_enough=not short)


def measure_milliseconds(send: Callable[[], bytes]) -> float:
    begun = time.perf_counter()
    send()
    return (time.perf_counter() - begun) * 1000


def measure_share(hospital: Hospital) -> float:
    """Return the share of the limit that a first run reaches, in per cent."""
    hospital.forget()
    with run_sandbox() as url:
        hospital.configure(url)
        hospital.run()
    return float(hospital.record()["rate"]["used_share"]) * 100


def measure_watched_share(hospital: Hospital, pictures: int) -> float:
    """Return the same while browsers renew the home page and one drops pictures that nothing needs."""
    hospital.forget()
    ended = threading.Event()
    with run_sandbox() as url:
        hospital.configure(url)
        with serve_page(hospital) as (first, process):
            assert process.stdout is not None
            browsers = [first]
            while len(browsers) < BROWSERS + 1:
                browsers.append(Browser(json.loads(process.stdout.readline())["url"]))
            dropper = browsers.pop()
            threads = [threading.Thread(target=look, args=(browser, ended)) for browser in browsers]
            threads.append(threading.Thread(target=drop_pictures, args=(dropper, pictures, ended)))
            for thread in threads:
                thread.start()
            try:
                hospital.run()
            finally:
                ended.set()
                for thread in threads:
                    thread.join()
    for path in hospital.seals.glob("dropped-*"):
        path.unlink()
    return float(hospital.record()["rate"]["used_share"]) * 100


def look(browser: Browser, ended: threading.Event) -> None:
    """Ask for the part of the home page that changes, as often as a browser does."""
    while not ended.wait(RENEWAL):
        browser.get("/now")


def drop_pictures(browser: Browser, count: int, ended: threading.Event) -> None:
    for serial in range(count):
        if ended.is_set():
            break
        browser.send_file("/drop/file", f"dropped-{serial}.png", draw_picture(1_000_000 + serial, 60_000))


class Browser:
    """Sends requests over one connection, with the cookie and the token of a session."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.origin = f"{parts.scheme}://{parts.netloc}"
        self._connection = http.client.HTTPConnection(parts.netloc, timeout=120)
        self._headers: dict[str, str] = {}
        self._connection.request("GET", f"{parts.path or '/'}?{parts.query}")
        answer = self._connection.getresponse()
        text = answer.read().decode(errors="replace")  # a static page may end with a picture
        cookie = answer.getheader("Set-Cookie")
        if cookie:
            self._headers["Cookie"] = cookie.partition(";")[0]
            text = self.get("/doctors").decode()
            token = re.search(r'name="change_token" value="([^"]+)"', text)
            assert token is not None
            self._headers["X-Change-Token"] = token[1]

    def get(self, path: str) -> bytes:
        """Return the body of a page."""
        return self._send("GET", path, None, {})

    def post(self, path: str, form: dict[str, str]) -> bytes:
        """Send a form as htmx does, and return the body of the answer."""
        kind = "application/x-www-form-urlencoded"
        headers = {"Content-Type": kind, "Origin": self.origin, "HX-Request": "true"}
        return self._send("POST", path, urlencode(form), headers)

    def send_file(self, path: str, name: str, content: bytes) -> bytes:
        """Drop a file."""
        headers = {"Content-Type": "application/octet-stream", "Origin": self.origin, "X-File-Name": name}
        return self._send("POST", path, content, headers)

    def _send(self, method: str, path: str, body: str | bytes | None, headers: dict[str, str]) -> bytes:
        self._connection.request(method, path, body, {**self._headers, **headers})
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            raise RuntimeError(f"{path}: {answer.status} {content[-300:]!r}")
        return content


@contextmanager
def serve_page(hospital: Hospital) -> Iterator[tuple[Browser, subprocess.Popen[str]]]:
    """Serve the page in a process of its own."""
    command = hospital.command("--json", "serve", "--listen", "127.0.0.1:0")
    variables = {**os.environ, **hospital.environment}
    with subprocess.Popen(
        command, cwd=REPOSITORY, env=variables, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield Browser(json.loads(process.stdout.readline())["url"]), process
        finally:
            process.send_signal(signal.SIGTERM)


@contextmanager
def serve_static(content: bytes) -> Iterator[Browser]:
    """Serve bytes by aiohttp alone, in a process of its own."""
    with tempfile.NamedTemporaryFile() as page:
        page.write(content)
        page.flush()
        command = [sys.executable, "-m", "bench.baselines", "serve", page.name]
        with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield Browser(process.stdout.readline().strip())
            finally:
                process.kill()


def spoil_numbers(folder: str, count: str) -> None:
    """Take the last digit off some numbers of the roster."""
    import openpyxl

    path = Hospital(Path(folder)).roster
    book = openpyxl.load_workbook(path)
    sheet = book.active
    step = max(1, (sheet.max_row - 1) // int(count))
    for line in range(2, 2 + step * int(count), step):
        cell = sheet.cell(line, NUMBER_COLUMN)
        cell.value = str(cell.value)[:-1]
    book.save(path)


def add_newcomers(folder: str, count: str) -> None:
    """Add doctors with a picture each, who can be reviewed."""
    import openpyxl

    hospital = Hospital(Path(folder))
    book = openpyxl.load_workbook(hospital.roster)
    for serial in range(FIRST_NEWCOMER, FIRST_NEWCOMER + int(count)):
        book.active.append(make_row(serial))
        (hospital.seals / f"{serial:06d}.png").write_bytes(draw_picture(serial, 60_000))
    book.save(hospital.roster)


if __name__ == "__main__":
    {"spoil": spoil_numbers, "add": add_newcomers}[sys.argv[1]](*sys.argv[2:])
