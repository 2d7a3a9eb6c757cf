"""The page in a real browser: coming in, each page, the search while one types, renewal, both languages, keyboard and phone."""

import hashlib
import re

import pytest
from desktop import AXE, AXE_DIGEST, SMALL_TARGETS, list_violations
from page_support import PageThread
from people import make_row, name, number
from playwright.sync_api import expect
from tls_support import CERTIFICATE, copy_key
from wire_support import fault

from pipeline.config.settings import Config
from pipeline.messages.catalogue import render
from pipeline.web.access import PageUser, Role
from pipeline.web.users import PasswordChecker, UserFile
from pipeline.web.view import PAGES
from pipeline.workflow.hosts_factory import make_location

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="document.title=1">'
OF_LOOKS = (
    "color-contrast",
    "scrollable-region-focusable",
    "target-size",
)  # axe's rules that the width or the scheme decides
ADDRESSES = (
    "/",
    "/drop",
    "/rows",
    "/rows/pictures",
    "/review",
    "/send",
    "/runs",
    "/runs/{run}",
    "/doctors",
    "/cases",
)


def play_busy(hospital):
    hospital.doctors(4)
    (hospital.folder / "inbox" / "roster.xlsx").unlink()
    hospital.roster(
        [make_row(1), make_row(2, department=HOSTILE), make_row(3), make_row(4, name=HOSTILE)],
        file=f"{HOSTILE.replace('/', '∕')}.xlsx",
    )
    assert hospital.go("run", "--yes") == 3
    assert hospital.go("check") == 3


@pytest.fixture
def busy(scene):
    """A hospital with rows to correct, an unknown one, and texts that are scripts."""
    hospital = scene(play_busy, faults=[fault("reset_after", nth=(2,))])
    with PageThread(hospital.folder / "config.yaml") as page:
        yield hospital, page
        assert page.failures == []


def test_coming_in_by_the_address_or_by_a_link_and_signing_out(busy, shown, tmp_path):
    """The address stands in no history, and nothing is left to go back to."""
    _, page = busy
    tab = shown(page)
    expect(tab.locator("h1")).to_have_text("首页")
    assert "token" not in tab.evaluate("location.href")
    assert tab.evaluate("document.cookie") == "", "no script reads the session"
    stored = tab.evaluate("[JSON.stringify(localStorage), JSON.stringify(sessionStorage)]")
    assert stored == ["{}", '{"htmx-current-path-for-history":"/"}'], "no copy of a page"
    tab.go_back()
    assert "token" not in tab.content()
    assert tab.troubles == []

    # a link on another page: a cookie that is set after it would not be sent with a redirect
    tab.context.clear_cookies()
    other = tmp_path / "mail.html"
    other.write_text(f'<a href="{page.addresses[-1]}">page</a>', "utf-8")
    tab.goto(other.as_uri())
    tab.click("a")
    expect(tab.locator("h1")).to_have_text("首页")

    tab.goto(f"{page.origin}/runs")
    tab.locator(".switch button").last.click()
    expect(tab.locator(".banner")).to_contain_text("esign-import serve")
    tab.go_back()
    assert tab.locator("table").count() == 0


def test_every_page_is_whole_and_accessible_and_has_no_script_of_a_roster(busy, shown):
    """In both languages at every width; axe finds no violation, on a phone in the dark neither, and finds one that is there."""
    hospital, page = busy
    for language in ("zh-CN", "en-US"):
        tab = shown(page, language=language)
        for address in ADDRESSES:
            path = address.format(run=hospital.runs[0].name)
            tab.goto(page.origin + path)
            if tab.locator("[hx-trigger*=load]").count():
                tab.wait_for_load_state("networkidle")
            if path == "/cases":
                expect(tab.locator(".case")).to_have_count(1)
            scripts = tab.locator("main img:not([src^='/']), main script, main [onerror], [style]")
            assert scripts.count() == 0, path
            assert tab.locator("h1").count() == 1
            assert not tab.title().startswith("1")
            check_width(tab, 1280)
            if language == "zh-CN":
                assert list_violations(tab) == [], path
                tab.emulate_media(color_scheme="dark")
            check_width(tab, 390)
            if language == "zh-CN":
                assert list_violations(tab, *OF_LOOKS) == [], path
                tab.emulate_media(color_scheme="light")
                tab.set_viewport_size({"width": 1280, "height": 800})
        assert tab.troubles == []
        tab.evaluate("document.querySelector('main').append(document.createElement('input'))")
        assert [rule for rule, _ in list_violations(tab)] == ["label"]


def check_width(tab, width):
    """Show the page at this width: it is whole, and everything in it is large enough for a finger."""
    tab.set_viewport_size({"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") == width, tab.url
    assert tab.evaluate(SMALL_TARGETS) == [], tab.url


def test_search_switch_files_and_keyboard(busy, shown):
    """The search answers while one types; the switch stays on the page; the report opens, and the other files are saved."""
    hospital, page = busy
    tab = shown(page)
    reached = []
    names = [render(f"web.nav.{name}", "zh") for _, name in PAGES]
    for _ in range(5 + len(names)):
        tab.keyboard.press("Tab")
        reached.append(
            tab.evaluate("""() => {
              const it = document.activeElement, ring = getComputedStyle(it).outlineStyle;
              return [it.textContent.trim(), ring, it.checkVisibility()];
            }""")
        )
    assert all(ring == "solid" and visible for _, ring, visible in reached), reached
    words = [word for word, _, _ in reached]
    assert words[:-1] == ["跳到正文", "医生印章导入", *names, "English 英文", "退出"]
    tab.keyboard.press("Shift+Tab")
    tab.locator(".skip").focus()
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"

    tab.goto(f"{page.origin}/doctors")
    tab.locator("#query").press_sequentially(name(1))
    expect(tab.locator("#doctor h2")).to_contain_text(name(1))
    assert tab.evaluate("location.pathname + location.search") == "/doctors"
    tab.fill("#query", name(1)[:2])
    tab.locator(".similar button").first.click()
    expect(tab.locator("#doctor h2")).to_contain_text(name(1))
    tab.fill("#query", HOSTILE)
    expect(tab.locator("#people h2")).to_contain_text(HOSTILE)
    tab.fill("#query", "")
    expect(tab.locator("#people section")).to_have_count(0)
    assert tab.troubles == []

    tab.goto(f"{page.origin}/runs")
    assert tab.get_attribute("html", "lang") == "zh-CN"
    tab.click(".switch [name=language]")
    expect(tab.locator("h1")).to_have_text("Runs")
    assert tab.evaluate("location.pathname") == "/runs"

    tab.goto(f"{page.origin}/runs/{hospital.runs[0].name}")
    assert tab.get_attribute("html", "lang") == "en"
    for label in ("results.xlsx", "review.html"):
        with tab.expect_download() as coming:
            tab.click(f".files a:has-text('{label}')")
        assert coming.value.suggested_filename == label
    tab.click(".files a:has-text('report.html')")
    expect(tab.locator("#rows tbody tr").first).to_be_visible()
    assert tab.locator("main img[src=x]").count() == 0
    with tab.expect_download() as coming:
        tab.click(".pages a:has-text('results.xlsx')")
    assert coming.value.suggested_filename == "results.xlsx"
    assert [trouble for trouble in tab.troubles if not trouble.startswith("data:")] == []

    # without a script everything is there by links and buttons
    tab = shown(page, "/doctors", java_script_enabled=False)
    tab.fill("#query", name(1))
    tab.click(".search button")
    assert tab.locator("#doctor h2").inner_text().startswith(name(1))
    tab.goto(f"{page.origin}/cases")
    tab.click("noscript a")
    assert tab.locator(".case").count() == 1


def test_home_renews_itself_where_a_run_was_made(busy, shown):
    hospital, page = busy
    tab = shown(page)
    before = tab.locator("#last-run .more-link a").get_attribute("href")
    hospital.go("run", "--yes")
    tab.evaluate("htmx.ajax('GET', '/now?seen=', {target: '#now', swap: 'outerHTML'})")
    expect(tab.locator("#last-run .more-link a")).not_to_have_attribute("href", before)
    assert tab.troubles == []


def test_another_page_in_the_same_browser_gets_nothing(busy, shown, tmp_path):
    """A page on another port of this machine is of the same site: the cookie goes with its requests."""
    _, page = busy
    tab = shown(page)
    tab.goto(page.origin)
    with PageThread(busy[0].folder / "config.yaml") as other:
        stranger = tab.context.new_page()
        stranger.goto(f"{other.origin}/static/icon.svg")
        results = stranger.evaluate(
            """async origin => Promise.all([
              fetch(`${origin}/runs`, {credentials: "include"}).then(() => "read", () => "refused"),
              fetch(`${origin}/leave`, {method: "POST", credentials: "include", mode: "no-cors"}).then(() => "sent", () => "refused"),
            ])""",
            page.origin,
        )
        assert results[0] == "refused"
        stranger.goto("about:blank")
        form = f'<form id=f method=post action="{page.origin}/leave"><input name=change_token value=x></form>'
        other_page = tmp_path / "form.html"
        other_page.write_text(form, "utf-8")
        stranger.goto(other_page.as_uri())
        stranger.evaluate("document.getElementById('f').submit()")
        stranger.wait_for_url(f"{page.origin}/leave")
        assert re.search("没有执行|别的网页", stranger.content())
    tab.goto(f"{page.origin}/runs")
    expect(tab.locator("h1")).to_have_text("运行记录")


# -- sending


@pytest.fixture
def slow(hospital_with):
    """A hospital with thirty doctors whose run lasts more than a minute, unless it is stopped; checked."""
    hospital = hospital_with()
    hospital.requests_per_second = 0.4
    hospital.configure()
    hospital.doctors(30)
    assert hospital.go("check") == 0
    with PageThread(hospital.folder / "config.yaml") as page:
        yield hospital, page
        assert page.failures == []


def test_some_are_chosen_sent_and_stopped(forked_runs, slow, shown):
    hospital, page = slow
    tab = shown(page, "/send")
    expect(tab.locator("#rows")).to_be_hidden()
    tab.check("[name=which][value=chosen]")
    for serial in (3, 7, 8, 9, 10, 11, 12, 13, 14, 15):
        tab.fill("#order [name=query]", name(serial))
        tab.get_by_label(name(serial)).check()
    expect(tab.locator("#rows :checked")).to_have_count(10)
    assert list_violations(tab) == []
    tab.route("**/send/events*", lambda route: route.abort())  # without a stream the page asks
    tab.locator("#order .primary").focus()
    tab.keyboard.press("Enter")
    expect(tab.locator("#live .ended")).to_contain_text(name(3), timeout=60_000)
    expect(tab.locator("#live .amount")).to_contain_text("/ 10")
    tab.unroute("**/send/events*")
    tab.troubles.clear()
    tab.reload()
    assert list_violations(tab) == []
    tab.locator(".stop button").focus()
    before = tab.locator("#live .amount").inner_text()
    expect(tab.locator("#live .amount")).not_to_have_text(before, timeout=60_000)
    assert tab.evaluate("document.activeElement.closest('.stop') !== null"), "the numbers leave the focus"
    tab.keyboard.press("Enter")
    expect(tab.locator("#ended .banner")).to_have_text("被人停止", timeout=60_000)
    expect(tab.locator("#steps")).to_contain_text("现在要做的")
    expect(tab.locator("#order")).to_be_visible(timeout=60_000)
    assert 0 < hospital.creates() == len(hospital.service.seals) < 10
    assert tab.troubles == []


# -- accessibility


def test_the_file_of_axe_is_that_of_the_package():
    assert hashlib.sha256(AXE.read_bytes()).hexdigest() == AXE_DIGEST


def test_signing_in_by_password(hospital_with, chromium, quick_digests):
    """Over TLS, by keyboard; after a wrong password the name is kept.

    Without a session or a connection a button says that nothing was saved, and what was typed is saved afterwards.
    """
    hospital = hospital_with()
    hospital.doctors(2)
    hospital.roster([make_row(1, number=number(1)[:17]), make_row(2)])
    assert hospital.go("check") == 3
    with (hospital.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write(f"web: {{certificate: {CERTIFICATE}, key: {copy_key(hospital.folder)}}}\n")
    digest = PasswordChecker().digest("wang", "four words are enough")
    UserFile(hospital.folder / "state").save(PageUser("wang", Role.CLERK, "", digest))
    with PageThread(hospital.folder / "config.yaml") as page:
        tab = chromium.open_tab(locale="en-US")
        tab.goto(f"{page.origin}/rows")
        assert list_violations(tab) == []
        expect(tab.get_by_label("User name")).to_be_focused()
        tab.keyboard.type("wang")
        tab.keyboard.press("Tab")
        for password in ("not this one", "four words are enough"):
            expect(tab.get_by_label("Password")).to_be_focused()
            tab.keyboard.type(password)
            tab.keyboard.press("Enter")
            if password == "not this one":
                expect(tab.get_by_role("alert")).to_contain_text("wrong")
                assert list_violations(tab) == []
                assert tab.evaluate(SMALL_TARGETS) == []
        expect(tab.locator("h1")).to_have_text("Rows")
        expect(tab.locator("header")).to_contain_text("wang")
        tab.locator(".row-name", has_text=name(1)).click()
        field, notice = tab.locator("input[name=text]"), tab.locator("#unsaved")
        other = tab.context.new_page()
        other.goto(page.origin)
        other.get_by_role("button", name="Sign out").click()
        expect(other.get_by_label("Password")).to_be_visible()

        field.fill("typed with care")
        field.press("Enter")
        expect(notice).to_contain_text("nothing was saved")
        assert list_violations(tab) == []
        with tab.context.expect_page() as opened:
            notice.get_by_role("link").click()
        entering = opened.value
        entering.get_by_label("User name").fill("wang")
        entering.get_by_label("Password").fill("four words are enough")
        entering.keyboard.press("Enter")
        expect(entering.locator("h1")).to_have_text("Home")
        tab.context.set_offline(True)
        field.press("Enter")
        expect(notice).to_contain_text("cannot be reached")
        expect(field).to_have_value("typed with care")
        tab.context.set_offline(False)
        field.press("Enter")
        expect(tab.locator("tr.cells .banner.sealed")).to_be_visible()
        expect(notice).to_have_text("")
        expect(field).to_have_value("typed with care")
        chromium.close_profile(tab)


def test_the_warning_of_a_ledger_that_is_behind_goes_with_the_next_part_of_a_page(hospital, shown):
    """A run holds the ledger, which was put back meanwhile; what stands on the page is renewed without loading it again."""
    hospital.seal_doctors(1)
    ledger = hospital.folder / "state" / "ledger.sqlite3"
    older = ledger.read_bytes()
    hospital.doctors(2)
    hospital.go("run")
    hold = make_location(Config.load(hospital.folder / "config.yaml", environment={})).hold
    with PageThread(hospital.folder / "config.yaml") as page:
        tab = shown(page)
        with hold.acquire(run="r-of-the-night", now=0.0):
            ledger.write_bytes(older)
            tab.goto(f"{page.origin}/cases")
            expect(tab.locator("#cases .sealed")).to_be_visible()
            warning = tab.locator("main > :first-child .banner")
            expect(warning).to_have_text(render("ledger.behind", "zh"))
        tab.evaluate("document.body.dispatchEvent(new Event('cases-changed'))")
        expect(warning).to_have_count(0)
        assert tab.troubles == []
        assert page.failures == []
