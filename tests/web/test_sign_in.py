"""The page for other computers: sign-in by password over TLS, and behind a proxy that names the user."""

import html
import json
import re

import pytest
from page_support import PageThread, collect_routes, make_site
from people import make_row
from tls_support import CERTIFICATE, copy_key

from pipeline.clock import SystemClock
from pipeline.errors import UsageError
from pipeline.web.access import PageUser, Role
from pipeline.web.entrance import SESSION_SECONDS
from pipeline.web.server import PageServer
from pipeline.web.site import PAGE_LOG
from pipeline.web.users import FREE_ATTEMPTS, PasswordChecker, UserFile

pytestmark = pytest.mark.usefixtures("quick_digests")

PASSWORD = "four words are enough"
HEADER = "X_Forwarded_User"


class MovableClock(SystemClock):
    """The clock of the machine, whose monotonic time can be moved on."""

    moved = 0.0

    def monotonic(self):
        return super().monotonic() + self.moved


@pytest.fixture
def digest(quick_digests):
    return PasswordChecker().digest("wang", PASSWORD)


def configure(hospital, **web):
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"web: {json.dumps(web)}\n")


@pytest.fixture
def users(hospital):
    return UserFile(hospital.folder / "state")


@pytest.fixture
def clock():
    return MovableClock()


@pytest.fixture
def secure_page(hospital, users, digest, clock):
    configure(hospital, certificate=str(CERTIFICATE), key=copy_key(hospital.folder))
    users.save(PageUser("wang", Role.CLERK, "", digest))
    with PageThread(hospital.folder / "config.yaml", clock=clock) as opened:
        yield opened
        assert opened.failures == []


def read_log(hospital):
    text = (hospital.folder / "state" / PAGE_LOG).read_text("utf-8")
    return [(line["user"], line["action"]) for line in map(json.loads, text.splitlines())]


def test_name_and_password_open_a_session_of_the_users_role(hospital, secure_page):
    assert secure_page.addresses == [secure_page.origin]
    stranger = secure_page.visit(Accept_Language="en")
    answer = stranger.get("/")
    assert answer.status == 401
    assert 'name="password"' in answer.text
    assert "nav" not in answer.text
    assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
    answer = stranger.post("/sign-in", {"name": "wang", "password": PASSWORD})
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    cookie = answer.headers["Set-Cookie"]
    for part in ("__Host-esign-import", "HttpOnly", "SameSite=Strict", "Secure", "Path=/"):
        assert part in cookie
    inside = secure_page.sign_in("wang", PASSWORD, Accept_Language="en")
    assert "Signed in as wang" in inside.get("/").text
    assert inside.post("/leave").status == 303
    assert inside.get("/").status == 401
    assert ("wang", "sign-in") in read_log(hospital)
    assert ("wang", "leave") in read_log(hospital)


def test_a_failed_sign_in_keeps_the_name_and_leads_to_the_page_that_was_asked_for(secure_page):
    stranger = secure_page.visit()
    assert 'name="back" value="/runs/x"' in stranger.get("/runs/x").text
    assert 'name="back" value="/cases"' in stranger.post("/cases/decide").text
    assert 'name="back" value="/"' in stranger.post("/leave").text
    for name, back, location in (("<w>", "/runs", "/"), ("wang", "/runs", "/runs"), ("wang", "//x", "/")):
        answer = stranger.post("/sign-in", {"name": name, "password": "wrong", "back": back})
        shown = html.escape(name)
        assert f'name="name" value="{shown}"' in answer.text
        assert f'name="back" value="{back}"' in answer.text
        assert "wrong" not in answer.text
        if name == "wang":
            answer = stranger.post("/sign-in", {"name": name, "password": PASSWORD, "back": back})
            assert (answer.status, answer.headers["Location"]) == (303, location)


def test_a_wrong_name_and_a_wrong_password_have_one_answer(hospital, secure_page):
    wrong = secure_page.sign_in("wang", "another password")
    unknown = secure_page.sign_in("li", PASSWORD)
    assert (wrong.status, unknown.status) == (401, 401)
    assert wrong.text.replace("wang", "li") == unknown.text
    assert "Set-Cookie" not in wrong.headers
    assert read_log(hospital) == [("wang", "sign-in refused"), ("?", "sign-in refused")]


def test_after_some_wrong_passwords_the_right_one_waits_too(secure_page, clock):
    for _ in range(FREE_ATTEMPTS):
        assert secure_page.sign_in("wang", "another password").status == 401
    assert secure_page.sign_in("wang", PASSWORD).status == 429
    clock.moved += 1000
    assert secure_page.sign_in("wang", PASSWORD).get("/").status == 200


@pytest.mark.parametrize("change", ["removed", "role", "password"])
def test_a_user_who_is_removed_or_changed_has_no_session_any_more(secure_page, users, digest, change):
    inside = secure_page.sign_in("wang", PASSWORD)
    assert inside.get("/").status == 200
    if change == "removed":
        users.remove("wang")
    else:
        role = Role.LOOK if change == "role" else Role.CLERK
        other = PasswordChecker().digest("wang", "quite another one") if change == "password" else digest
        users.save(PageUser("wang", role, "", other))
    assert inside.get("/").status == 401


def test_a_session_ends_after_its_time(secure_page, clock):
    inside = secure_page.sign_in("wang", PASSWORD)
    clock.moved += SESSION_SECONDS - 60
    assert inside.get("/").status == 200
    clock.moved += 61
    assert inside.get("/").status == 401


def test_the_session_before_ends_where_the_same_browser_signs_in_again(secure_page):
    inside = secure_page.sign_in("wang", PASSWORD)
    former = inside.cookie
    answer = inside.post("/sign-in", {"name": "wang", "password": PASSWORD})
    assert answer.headers["Set-Cookie"].partition(";")[0] != former
    assert inside.get("/").status == 401


def test_another_page_cannot_sign_a_browser_in(secure_page):
    form = {"name": "wang", "password": PASSWORD}
    stranger = secure_page.visit()
    assert stranger.post("/sign-in", form, Origin="https://evil.example").status == 403
    assert stranger.post("/sign-in", form, Sec_Fetch_Site="cross-site").status == 403
    assert stranger.post("/sign-in", form, Content_Type="text/plain").status == 415


@pytest.mark.parametrize(
    "body", [b"name=wang&password=%00", b"name=%ED%A0%80&password=x", b"\xff", b"name" * 9000]
)
def test_a_sign_in_that_makes_no_sense_is_refused(secure_page, body):
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Origin": secure_page.origin}
    assert secure_page.visit().send("POST", "/sign-in", body, headers).status in {400, 401}


def test_on_this_machine_alone_there_is_no_sign_in(page):
    assert page.visit().post("/sign-in", {"name": "wang", "password": PASSWORD}).status == 404
    assert 'name="password"' not in page.visit().get("/").text


# -- behind a proxy


@pytest.fixture
def proxied(hospital, users):
    configure(hospital, url="https://esign.hospital.example", trusted_proxy="127.0.0.1")
    users.save(PageUser("wang", Role.LOOK))
    with PageThread(hospital.folder / "config.yaml") as opened:
        yield opened
        assert opened.failures == []


def test_the_proxy_names_the_user(proxied):
    named = proxied.visit(**{HEADER: "wang"}, Accept_Language="en")
    answer = named.get("/")
    assert answer.status == 200
    assert "Sign out" not in answer.text, "the proxy knows who is signed in"
    named.read_token()
    assert named.post("/language", {"language": "zh"}).status == 303
    assert named.post("/language", {"language": "zh"}, token=False).status == 403


@pytest.mark.parametrize("names", [None, "", "li", ["wang", "wang"], ["li", "wang"], "wang,li"])
def test_who_is_not_named_once_and_known_stays_out(proxied, names):
    answer = proxied.visit(**{HEADER: names}).get("/")
    assert answer.status == 401
    assert "<nav" not in answer.text
    assert 'name="password"' not in answer.text


def test_a_token_of_one_user_is_none_of_another(proxied, users):
    users.save(PageUser("li", Role.SEND))
    wang = proxied.visit(**{HEADER: "wang"})
    wang.read_token()
    li = proxied.visit(**{HEADER: "li"})
    li.token = wang.token
    assert li.post("/language", {"language": "zh"}).status == 403


def test_another_sender_than_the_proxy_stays_out(hospital, users):
    configure(hospital, url="https://esign.hospital.example", trusted_proxy="192.0.2.0/24")
    users.save(PageUser("wang", Role.SEND))
    with PageThread(hospital.folder / "config.yaml") as opened:
        assert opened.visit(**{HEADER: "wang"}).get("/").status == 401


# -- roles


@pytest.fixture
def collected(monkeypatch):
    return collect_routes(monkeypatch)


def test_a_role_opens_its_own_routes_and_no_others(collected, proxied, users):
    """Each route that needs more than to look is refused to who may only look, and so is each that sends to a clerk."""
    users.save(PageUser("clerk", Role.CLERK))
    for name, role in (("wang", Role.LOOK), ("clerk", Role.CLERK)):
        client = proxied.visit(**{HEADER: name})
        client.read_token()
        higher = [route for route in collected if route.role > role]
        assert higher
        for route in higher:
            path = re.sub(r"\{[^}]*\}", "x", route.path)
            kind = {"Content_Type": route.body.value, "X_Change_Token": client.token}
            answer = client.get(path) if route.method == "GET" else client.post(path, **kind)
            assert answer.status == 403, (name, route.path)


def test_a_marked_copy_which_holds_whole_numbers_needs_a_clerk_and_is_recorded(
    hospital, marked_copies_on, proxied, users
):
    hospital.roster([make_row(1, number="110199")])
    assert hospital.go("run") == 3
    users.save(PageUser("clerk", Role.CLERK))
    clerk, wang = (proxied.visit(**{HEADER: name}) for name in ("clerk", "wang"))
    address = f"/runs/{hospital.newest.name}"
    (copy,) = re.findall(r'href="(/runs/[^"]*/copy-[^"]*)"', clerk.get(address).text)
    assert "copy-" not in wang.get(address).text
    assert wang.get(copy).status == 403
    assert clerk.get(copy).status == 200
    assert read_log(hospital) == [("clerk", "marked copy")]


# -- what is not started


@pytest.mark.parametrize(
    ("host", "web", "key"),
    [
        ("192.0.2.1", {}, "web.not_loopback"),
        ("192.0.2.1", {"url": "https://esign.hospital.example"}, "web.not_loopback"),
        ("0.0.0.0", {"certificate": str(CERTIFICATE), "key": "key.pem"}, "web.needs_url"),
        ("192.0.2.1", {"certificate": str(CERTIFICATE), "key": "key.pem"}, "web.no_users"),
        ("192.0.2.1", {"url": "https://x.example", "trusted_proxy": "192.0.2.9"}, "web.no_users"),
        ("192.0.2.1", {"certificate": "missing.pem", "key": "missing.pem"}, "web.no_certificate"),
    ],
)
def test_other_computers_come_in_by_tls_or_a_proxy_and_as_users_alone(hospital, host, web, key):
    configure(hospital, **web)
    copy_key(hospital.folder)
    with pytest.raises(UsageError) as refused:
        PageServer(
            make_site(hospital.folder / "config.yaml"), host, 8766, report_address=None, report_failure=None
        )
    assert refused.value.key == key


@pytest.mark.parametrize(
    ("web", "words"),
    [
        ({"certificate": "a.pem"}, "belong together"),
        ({"trusted_proxy": "10.0.0.5"}, "needs web.url"),
        ({"trusted_proxy": "proxy.example", "url": "https://x.example"}, "must be an IP address"),
        ({"url": "esign.hospital.example"}, "must be https://HOST"),
        ({"url": "https://x.example/page"}, "must be https://HOST"),
        ({"url": "http://esign.hospital.example"}, "begins with https://"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(hospital, capsys, web, words):
    configure(hospital, **web)
    assert hospital.go("doctor", "--offline") == 2
    assert words in " ".join(capsys.readouterr().out.split())
