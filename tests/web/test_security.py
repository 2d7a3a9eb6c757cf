"""Attacks on the page: each rule of `pipeline.web.security` has requests that only it stops."""

import re

import pytest
from aiohttp import web
from page_support import PageThread, collect_routes

from pipeline.web.access import MAX_SESSIONS, BrowserSessions, PageAddress, PageUser, Role
from pipeline.web.entrance import OneTimeEntrance
from pipeline.web.security import HEADERS, MAX_BODY, POLICY, Body, RequestGuard, Route
from pipeline.web.view import TEMPLATES

PAGES = ("/", "/now", "/runs", "/doctors", "/cases", "/cases/list", "/runs/20261130-020000-000", "/nothing")
OPEN_FILES = ("/static/page.css", "/static/htmx.min.js", "/static/icon.svg")


@pytest.fixture
def inside(page):
    return page.enter()


# -- Host


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost:{port}", "127.0.0.1", "127.0.0.1:{port}.evil.example", ""]
)
def test_another_name_of_this_machine_leads_nowhere(page, inside, host):
    answer = inside.get("/", Host=host.format(port=page.port))
    assert answer.status == 421
    assert page.origin in answer.text
    assert "退出" not in answer.text


def test_a_second_host_and_none_at_all_are_refused(page, inside):
    own = f"127.0.0.1:{page.port}"
    assert inside.get("/", Host=[own, own]).status in {400, 421}
    assert inside.get("/", Host=["evil.example", own]).status in {400, 421}
    assert inside.get("/", Host=None).status in {400, 421}
    assert inside.get(f"http://evil.example{'/'}", Host=own).status in {200, 404, 421}


def test_the_one_time_address_counts_at_its_own_host_alone(page):
    assert page.visit().get(page.entry, Host="evil.example").status == 421
    assert page.visit().get(page.entry).status == 200, "the refused request did not use it up"


# -- the session


@pytest.mark.parametrize("path", PAGES)
def test_without_a_cookie_every_page_is_one_sentence(page, path):
    answer = page.visit().get(path)
    assert answer.status == 401
    assert "esign-import serve" in answer.text
    assert page.visit(Accept_Language="en").get(path).text.count("serve printed") == 1
    assert answer.text.count("<nav") == 0


@pytest.mark.parametrize("value", ["", "x", "0" * 43, "\u00e9", "a; b"])
def test_a_cookie_that_was_made_up_opens_nothing(page, inside, value):
    name = inside.cookie.partition("=")[0]
    stranger = page.visit(Cookie=f"{name}={value}".encode("latin-1", "replace").decode("latin-1"))
    assert stranger.get("/runs").status == 401
    assert inside.get("/runs").status == 200


def test_a_session_never_takes_the_id_that_the_browser_brings(page):
    name = PageAddress("127.0.0.1", page.port).cookie
    answer = page.visit(Cookie=f"{name}=chosen-by-an-attacker").get(page.entry)
    assert answer.status == 200
    assert "chosen-by-an-attacker" not in answer.headers["Set-Cookie"]
    assert page.visit(Cookie=f"{name}=chosen-by-an-attacker").get("/").status == 401


def test_a_one_time_address_works_once(page):
    entry = page.entry
    answer = page.visit().get(entry)
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Max-Age=43200" in cookie, "a browser that is closed and opened again stays in"
    again = page.visit().get(entry)
    assert again.status == 401
    assert "Set-Cookie" not in again.headers
    assert "用过" in again.text
    assert page.visit().get("/?token=").status == 401
    assert page.visit().get("/?token=%C3%A9").status == 401
    assert page.addresses[0] != page.addresses[1]


def test_a_page_that_is_open_works_on_when_its_user_has_come_in_again(page, inside):
    again = page.enter()
    assert again.cookie != inside.cookie
    assert again.post("/doctors", token=False, X_Change_Token=inside.token).status == 200


def test_signing_out_ends_the_session(page, inside):
    other = page.enter()
    assert inside.post("/leave").status == 303
    assert inside.get("/").status == 401
    assert other.get("/").status == 200


def test_the_oldest_of_too_many_sessions_of_one_user_is_dropped():
    sessions = BrowserSessions(lambda: 0.0)
    other = sessions.open(PageUser("another", Role.LOOK))
    ids = [sessions.open(PageUser("clerk", Role.SEND)) for _ in range(MAX_SESSIONS + 1)]
    assert sessions.get(ids[0]) is None
    assert all(sessions.get(session_id) for session_id in (other, *ids[1:]))


# -- origin


CHANGES = ("/language", "/leave", "/doctors")


@pytest.mark.parametrize("path", CHANGES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "http://127.0.0.1:1", "Sec_Fetch_Site": "same-site"},
        {"Origin": "null", "Sec_Fetch_Site": "cross-site"},
        {"Origin": "null", "Sec_Fetch_Site": None},
        {"Origin": None, "Sec_Fetch_Site": None},
        {"Sec_Fetch_Site": "cross-site"},
        {"Sec_Fetch_Site": "same-site"},
        {"Sec_Fetch_Site": "none"},
    ],
)
def test_a_change_from_another_origin_is_refused(inside, path, headers):
    assert inside.post(path, {"query": "x"}, **headers).status == 403
    assert inside.get("/").status == 200, "still signed in"


@pytest.mark.parametrize(
    "headers",
    [{}, {"Origin": "null"}, {"Origin": None}, {"Sec_Fetch_Site": None}],
)
def test_a_change_from_the_page_itself_passes_in_every_browser(inside, headers):
    assert inside.post("/doctors", **headers).status == 200


def test_no_other_page_loads_anything_but_its_link_leads_here(inside):
    for path in ("/", *OPEN_FILES):
        for site in ("cross-site", "same-site"):
            assert (
                inside.get(
                    path, Sec_Fetch_Site=site, Sec_Fetch_Mode="no-cors", Sec_Fetch_Dest="script"
                ).status
                == 403
            )
            assert inside.get(path, Sec_Fetch_Site=site).status == 403
            assert (
                inside.get(
                    path, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="iframe"
                ).status
                == 403
            )
            assert (
                inside.get(
                    path, Sec_Fetch_Site=site, Sec_Fetch_Mode="navigate", Sec_Fetch_Dest="document"
                ).status
                == 200
            )


# -- the token of a change


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_without_its_token_is_refused(page, inside, path):
    assert inside.post(path, token=False).status == 403
    assert inside.post(path, {"change_token": "x"}, token=False).status == 403
    assert inside.get("/").status == 200, "still signed in"
    assert inside.post(path, token=False, X_Change_Token=inside.token).status in {200, 303}


@pytest.mark.parametrize("path", CHANGES)
def test_a_change_without_a_session_is_refused(page, inside, path):
    assert page.visit().post(path, {"change_token": inside.token}).status == 401


def test_a_body_that_is_no_form_is_refused(inside):
    for kind in ("application/json", "text/plain", "multipart/form-data; boundary=x"):
        assert inside.post("/doctors", Content_Type=kind, X_Change_Token=inside.token).status == 415


def test_a_body_without_end_is_refused(inside):
    large = {"query": "x" * (MAX_BODY + 1)}
    assert inside.post("/leave", large, X_Change_Token=inside.token).status == 413
    assert inside.post("/doctors", large, X_Change_Token=inside.token).status == 413
    chunks = b"query=" + b"x" * (2 * MAX_BODY)
    assert send_chunks(inside, chunks).status == 413
    assert inside.get("/").status == 200


def send_chunks(client, data):
    """Send a form that does not announce its size."""
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", client.page.port, timeout=60)
    connection.request(
        "POST",
        "/doctors",
        body=iter([data]),
        encode_chunked=True,
        headers={
            "Host": f"127.0.0.1:{client.page.port}",
            "Cookie": client.cookie,
            "Origin": client.page.origin,
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Change-Token": client.token,
            "Transfer-Encoding": "chunked",
        },
    )
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


# -- nonsense

NONSENSE_TYPES = [
    f"; charset={name}" for name in ("nonsense", "utf-7", "unicode_escape", "undefined", "hex", "\x80")
]
NONSENSE_HEADERS = [
    *({"Content-Encoding": name} for name in ("gzip", "deflate", "br", "nonsense", "gzip, gzip")),
    *(
        {name: "\xff\xed\xa0\x80"}
        for name in ("X-Change-Token", "Origin", "Sec-Fetch-Site", "Accept-Language", "HX-Request", "Range")
    ),
    {"Accept-Language": "zh;q=nan, en;q=1e999, ;q=, zh;q=inf"},
    {"Range": "bytes=-1,x-", "If-Modified-Since": "\xff", "If-None-Match": "\xff"},
    {"Cookie": "=; ;;\xff=\xff; esign-import-language=\xed\xa0\x80"},
]
NONSENSE_NAMES = (
    *(".", "./", "..", "%2e", "%00", "%ff", "%ED%A0%80", "/", "x/./.", ".png", "\xff.png"),
    "a" * 5000 + ".png",
    "x" * 300 + ".xlsx",
)
NONSENSE_VALUES = (
    *(
        "%00",
        "%FF",
        "%ED%A0%80",
        "%F0%9F%92%A9",
        "%E2%80%AE",
        "-1",
        "%EF%BC%95",
        "%C2%B2",
        "1e999",
        "nan",
        "%",
    ),
    *("99999999-999999-999", "2026-13-45T99:99", "..%2F..%2Fetc%2Fpasswd", "[]", "9" * 5000),
)


def list_fields():
    """Return the names of the fields of all forms, and of what an address asks for."""
    texts = [path.read_text("utf-8") for path in TEMPLATES.iterdir()]
    fields = {name for text in texts for name in re.findall(r'name="(\w+)"', text)}
    return sorted(fields | {"first", "seen", "opened", "closed", "run"} - {"change_token"})


def send_request(client, route, *, segment="x", values="", **headers):
    """Return the status of a request that is right but for what is given."""
    path = re.sub(r"\{[^}]*\}", segment, route.path)
    if route.method == "GET":
        return client.send("GET", f"{path}?{values}", None, headers).status
    usual = {
        "Content-Type": route.body.value,
        "Origin": client.page.origin,
        "Sec-Fetch-Site": "same-origin",
        "X-Change-Token": client.token,
    }
    return client.send("POST", path, values, {**usual, **headers}).status


def test_nonsense_is_refused_and_breaks_no_page(hospital, monkeypatch, caplog):
    """Every route gets headers, charsets, encodings, names, numbers and dates that make no sense."""
    hospital.doctors(2)
    assert hospital.go("run", "--yes") == 0
    assert hospital.go("check") == 0
    collected = collect_routes(monkeypatch)
    with PageThread(hospital.folder / "config.yaml") as page:
        client = page.enter()
        page.stop_checks()
        broken = []
        dynamic = [route for route in collected if not route.path.endswith(".js")]
        for route in sorted(dynamic, key=lambda route: route.path == "/leave"):
            kind = route.body.value
            asked = [(client, {"values": "name=%E7%8E%8B", **headers}) for headers in NONSENSE_HEADERS]
            asked += [
                (client, {"Content-Type": kind + charset, "values": "name=\\ud800"})
                for charset in NONSENSE_TYPES
            ]
            if route.body is Body.FILE:
                asked += [(client, {"X-File-Name": name, "values": "x"}) for name in NONSENSE_NAMES]
            if route.role is Role.ANYONE or route.path == "/":
                asked += [(page.visit(), given) for _, given in asked]
            for value in NONSENSE_VALUES:
                asked.append(
                    (client, {"values": "&".join(f"{field}={value}" for field in list_fields())[:60_000]})
                )
                if "{" in route.path:
                    asked.append((client, {"segment": value}))
                if route.path == "/":
                    asked.append((page.visit(), {"values": f"token={value}"}))
            statuses = [(send_request(asking, route, **given), route.path, given) for asking, given in asked]
            broken += [(status, path, str(given)[:100]) for status, path, given in statuses if status >= 500]
        assert (broken, page.failures) == ([], [])
    assert [record for record in caplog.records if record.exc_info] == [], "no traceback in the log of serve"


# -- answers


@pytest.mark.parametrize("path", [*PAGES, *OPEN_FILES])
def test_every_answer_has_the_headers(page, inside, path):
    for client in (inside, page.visit()):
        answer = client.get(path)
        for name, value in HEADERS.items():
            assert answer.headers[name] == value
        assert answer.headers["Content-Security-Policy"] == POLICY
        assert "unsafe" not in POLICY
        assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"])
def test_no_other_method_does_anything(inside, method):
    headers = {"Origin": inside.page.origin, "X-Change-Token": inside.token}
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    assert inside.send(method, "/", None, headers).status == 405


# -- the table of routes


def test_there_is_no_route_without_a_role():
    with pytest.raises(TypeError):
        Route("GET", "/secret", handler=None)


async def test_a_route_past_the_table_and_one_for_a_higher_role_are_refused():
    from aiohttp.test_utils import TestClient, TestServer

    from pipeline.web.security import RequestRefused

    async def answer(_):
        return web.Response(text="secret")

    @web.middleware
    async def show(request, handler):
        try:
            return await handler(request)
        except RequestRefused as refused:
            return web.Response(status=refused.status)

    server = TestServer(web.Application())
    await server.start_server()
    address = PageAddress("127.0.0.1", server.port)
    await server.close()
    sessions = BrowserSessions(lambda: 0.0)
    cookies = {address.cookie: sessions.open(PageUser("clerk", Role.LOOK))}
    guard = RequestGuard(address, OneTimeEntrance(sessions, "clerk"), answer)
    app = web.Application(middlewares=[show, guard.check_request])
    guard.register_routes(app, [Route("GET", f"/{role.name}", role, answer) for role in Role])
    app.router.add_get("/past", answer)
    async with TestClient(TestServer(app, port=address.port), cookies=cookies) as client:
        statuses = {
            path: (await client.get(path)).status for path in ("/ANYONE", "/LOOK", "/CLERK", "/SEND", "/past")
        }
    assert statuses == {"/ANYONE": 200, "/LOOK": 200, "/CLERK": 403, "/SEND": 403, "/past": 403}
