"""A crawler against the page: requests without what a session has change nothing and show no name.

Each request is wrong in one way alone: the cookie, the host, the origin, or the token.
"""

import asyncio
import hashlib
import re
from random import Random

import aiohttp
import pytest
from end_to_end.conftest import hospital, hospital_with, marked_copies_on, signals_as_before
from page_support import PageThread, collect_routes
from people import name

from pipeline.web.security import Body

__all__ = ["hospital", "hospital_with", "marked_copies_on", "signals_as_before"]

REQUESTS = 100_000
AT_ONCE = 16
REFUSED = {400, 401, 403, 404, 405, 413, 415, 421}
WRONG = ("cookie", "host", "origin", "token")


@pytest.fixture
def routes(monkeypatch):
    return collect_routes(monkeypatch)


def read_state(folder):
    """Return every file of a hospital but the page's log, by its digest."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "page-log.jsonl"
    }


def make_request(random, client, route, run):
    """Return method, path, headers and body of a request that is right but for one thing."""
    wrong = random.choice(WRONG)
    values = {"run": run, "file": "results.xlsx"}
    path = re.sub(r"\{(\w+)[^}]*\}", lambda blank: values.get(blank[1], "x"), route.path)
    origin = client.page.origin
    headers = {"Host": origin.partition("://")[2], "Cookie": client.cookie}
    if route.method == "POST":
        headers |= {"Origin": origin, "Content-Type": route.body.value, "X-Change-Token": client.token}
    elif wrong in {"origin", "token"}:
        headers["Sec-Fetch-Site"] = random.choice(["cross-site", "same-site"])
    if wrong == "cookie":
        cookie, _, value = client.cookie.partition("=")
        changed = random.choice(["", value[:-1], f"{value}x", value.swapcase(), "x" * 43])
        headers["Cookie"] = f"{cookie}={changed}"
    elif wrong == "host":
        headers["Host"] = random.choice(
            ["evil.example", f"localhost:{client.page.port}", "127.0.0.1", "x" * 200]
        )
    elif route.method == "POST" and wrong == "origin":
        headers["Origin"] = random.choice(
            ["http://evil.example", "null", f"{origin}.evil.example", "file://"]
        )
    elif route.method == "POST":
        headers["X-Change-Token"] = random.choice(["", client.token[:-1], f"{client.token}x", "x" * 43])
    query = f"query={name(1)}" if route.body is Body.FORM else name(1)
    return route.method, path, headers, query.encode() if route.method == "POST" else None


async def crawl(client, routes, run, names):
    """Send the requests; return those that were answered otherwise than by a refusal without a name."""
    random, wrong_answers = Random(1), []
    requests = [make_request(random, client, random.choice(routes), run) for _ in range(REQUESTS)]
    waiting = iter(requests)

    async def send_some(session):
        for method, path, headers, body in waiting:
            url = f"http://127.0.0.1:{client.page.port}{path}"
            async with session.request(
                method, url, headers=headers, data=body, allow_redirects=False
            ) as answer:
                text = (await answer.read()).decode("utf-8", "replace")
                if answer.status not in REFUSED or any(name_ in text for name_ in names):
                    wrong_answers.append((method, path, headers, answer.status, text[:200]))

    connector = aiohttp.TCPConnector(limit=AT_ONCE)
    async with aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar()) as session:
        await asyncio.gather(*(send_some(session) for _ in range(AT_ONCE)))
    return wrong_answers


def test_a_crawler_changes_nothing_and_reads_no_name(hospital, routes):
    hospital.doctors(3)
    assert hospital.go("run") == 0
    before = read_state(hospital.folder)
    with PageThread(hospital.folder / "config.yaml") as page:
        client = page.enter()
        guarded = [route for route in routes if route.role and route.path != "/leave"]
        assert len(guarded) > 15
        names = [name(serial) for serial in range(1, 4)]
        assert asyncio.run(crawl(client, guarded, hospital.newest.name, names)) == []
        assert read_state(hospital.folder) == before
        assert client.get("/").status == 200, "the session goes on"
        assert page.failures == []
