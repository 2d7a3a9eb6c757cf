"""The clerk's page on a free port of 127.0.0.1 in a thread of its own, and a client that sends what it is given."""

import asyncio
import html
import http.client
import json
import re
import signal
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import quote, urlencode

from run_support import wait_until

from pipeline.cli.context import Session
from pipeline.clock import SystemClock
from pipeline.web.security import RequestGuard
from pipeline.web.server import PageServer
from pipeline.web.site import Site


def make_site(config_path, clock=None):
    """Return the hospital of a configuration, as `serve` has it."""
    session = Session(clock=clock or SystemClock(), config_path=config_path)
    return Site(
        config=session.require_ready_config(),
        clock=session.clock,
        config_path=config_path,
        invocation=session.invocation,
    )


class PageThread:
    """Serves the page of one configuration: ``with PageThread(path) as page: … page.entry``."""

    def __init__(self, config_path, *, clock=None):
        site = make_site(config_path, clock)
        self.is_secure = site.config.web.certificate is not None
        self.site = site
        self.addresses = []  # one-time addresses, the newest last
        self.failures = []  # program errors
        self._server = PageServer(
            site, "127.0.0.1", 0, report_address=self.addresses.append, report_failure=self.failures.append
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(),))
        self._started = threading.Event()

    async def _serve(self):
        self._stopped = asyncio.Event()
        async with self._server.serve():
            self._started.set()
            await self._stopped.wait()
        await self._loop.shutdown_default_executor()
        for _ in range(500):  # until browsers have closed the connections whose end TLS has announced to them
            if len(self._loop._selector.get_map()) <= 1:
                break
            await asyncio.sleep(0.01)

    def __enter__(self):
        self._thread.start()
        assert self._started.wait(30)
        return self

    def __exit__(self, *_):
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join()
        self._loop.close()

    def stop_checks(self):
        """Let no further check start."""
        self._server._checks.close()

    @property
    def origin(self):
        return self._server.origin

    @property
    def port(self):
        return self._server.port

    def connect(self):
        """Return a connection, over TLS where the page has a certificate, which is not examined here."""
        if self.is_secure:
            context = ssl._create_unverified_context()
            return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=60, context=context)
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    @property
    def entry(self):
        """The path of the newest one-time address."""
        return self.addresses[-1].removeprefix(self.origin)

    def visit(self, **headers):
        """Return a client that has not come in."""
        return PageClient(self, headers)

    def enter(self, **headers):
        """Return a client that came in by the one-time address."""
        client = self.visit(**headers)
        before = len(self.addresses)
        answer = client.get(self.entry)
        assert answer.status == 200
        wait_until(lambda: len(self.addresses) > before)
        client.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        client.read_token()
        return client

    def sign_in(self, name, password, **headers):
        """Return a client that signed in by name and password, or the answer that refused it."""
        client = self.visit(**headers)
        answer = client.post("/sign-in", {"name": name, "password": password})
        if answer.status != 303:
            return answer
        client.cookie = answer.headers["Set-Cookie"].partition(";")[0]
        client.read_token()
        return client


class PageProcess(PageThread):
    """The same page served by `serve`, in a process that can be killed; the runs that it started go on."""

    def __init__(self, config_path):
        self.is_secure, self.addresses, self.failures = False, [], []
        self._command = [sys.executable, "-m", "pipeline", "--config", str(config_path), "--lang", "en"]

    def __enter__(self):
        words = [*self._command, "--json", "serve", "--listen", "127.0.0.1:0"]
        folder = Path(__file__).parents[2]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, cwd=folder)
        self._reader = threading.Thread(target=self._read_addresses, daemon=True)
        self._reader.start()
        wait_until(lambda: self.addresses)
        return self

    def _read_addresses(self):
        for line in self.process.stdout:
            self.addresses.append(json.loads(line)["url"])

    def __exit__(self, *_):
        self.end(signal.SIGKILL)

    def end(self, number):
        """End the page by a signal, and return its exit code."""
        self.process.send_signal(number)
        self.process.wait(120)
        self._reader.join()
        self.process.stdout.close()
        return self.process.returncode

    @property
    def origin(self):
        return self.addresses[0].partition("/?")[0]

    @property
    def port(self):
        return int(self.origin.rpartition(":")[2])


class Answer:
    """What came back, with its body as text."""

    def __init__(self, response):
        self.status, self.headers, self.body = response.status, response.headers, response.read()

    @property
    def text(self):
        return self.body.decode("utf-8")


class PageClient:
    """Sends single requests; a header that is given as None is left out."""

    def __init__(self, page, headers):
        self.page, self.headers = page, headers
        self.cookie = self.token = None

    def read_token(self):
        """Read the token of changes from a page."""
        self.token = re.search(r'name="change_token" value="([^"]+)"', self.get("/doctors").text)[1]

    def get(self, path, **headers):
        return self.send("GET", path, None, headers)

    def post(self, path, form=None, *, token=True, **headers):
        """Send a form as a browser does."""
        fields = form.items() if isinstance(form, dict) else form or ()
        values = [*fields, *([("change_token", self.token)] if token and self.token else [])]
        usual = {
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": self.page.origin,
            "Sec-Fetch-Site": "same-origin",
        }
        return self.send("POST", path, urlencode(values), {**usual, **rename(headers)})

    def drop(self, name, content, **headers):
        """Send a file as the page for drops does; return the answer's JSON."""
        usual = {
            "Content-Type": "application/octet-stream",
            "Origin": self.page.origin,
            "Sec-Fetch-Site": "same-origin",
            "X-Change-Token": self.token,
            "X-File-Name": quote(name),
        }
        answer = self.send("POST", "/drop/file", content, {**usual, **rename(headers)})
        assert answer.status == 200, answer.text
        return json.loads(answer.body)

    def send(self, method, path, body, headers):
        usual = {"Host": self.page.origin.partition("://")[2], "Cookie": self.cookie}
        wanted = {**usual, **rename(self.headers), **rename(headers)}
        connection = self.page.connect()
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, values in wanted.items():
                for value in values if isinstance(values, list) else [values]:
                    if value is not None:
                        connection.putheader(name, value)
            data = body if isinstance(body, bytes) else (body or "").encode()
            if body is not None:
                connection.putheader("Content-Length", str(len(data)))
            connection.endheaders(data or None)
            return Answer(connection.getresponse())
        finally:
            connection.close()


_CARD = re.compile(r'<article class="card seal-card".*?</article>', re.DOTALL)


def read_cards(text):
    """Return the text of each card of the page Review by its doctor."""
    return {html.unescape(re.search(r"<h2>([^<]*)", card)[1]).strip(): card for card in _CARD.findall(text)}


def read_id(card):
    """Return what the judgement on a card belongs to."""
    return re.search(r'name="id" value="(\w+)"', card)[1]


def judge(inside, who, word):
    """Judge the card of a doctor as it is shown now."""
    cards = read_cards(inside.post("/review/cards", {"chosen": "all"}, HX_Request="true").text)
    shown = re.search(r'name="shown" value="(\w*)"', cards[who])[1]
    form = {"id": read_id(cards[who]), "shown": shown, "judged": word}
    return inside.post("/review/judge", form, HX_Request="true")


def judge_pictures(config_path, words):
    """Judge pictures of the newest check on the page: a word by the doctor's name."""
    with PageThread(config_path) as page:
        page.stop_checks()
        inside = page.enter(Accept_Language="en")
        for who, word in words.items():
            answer = judge(inside, who, word)
            assert answer.status == 200, answer.text
        assert page.failures == []


def find_forms(text, action):
    """Return the forms of an action: what each shows, and its hidden fields but for the token."""
    forms = re.findall(rf'<form [^>]*action="{action}".*?</form>', text, re.DOTALL)
    return [(html.unescape(form), _read_hidden(form)) for form in forms]


def _read_hidden(form):
    hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in hidden if name != "change_token"}


def wait_for_checks(inside):
    """Return when no check is under way."""
    wait_until(lambda: "正在检查" not in inside.get("/rows/state?seen=").text)


def rename(headers):
    """Return headers that were given as keyword arguments under their own names."""
    return {name.replace("_", "-"): value for name, value in headers.items()}


def list_names(folder):
    """Return every name in a folder, hidden ones included."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def collect_routes(monkeypatch):
    """Return a list that holds the routes of a page as soon as they are registered."""
    routes = []
    register = RequestGuard.register_routes

    def collect(guard, app, added):
        added = list(added)
        routes.extend(added)
        register(guard, app, added)

    monkeypatch.setattr(RequestGuard, "register_routes", collect)
    return routes
