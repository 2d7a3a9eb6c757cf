"""Dropping in a real browser: a folder and a zip from the desktop, chosen files, the question, the check by itself."""

import pytest
from desktop import list_violations
from page_support import PageThread, list_names
from people import make_row
from playwright.sync_api import expect
from run_support import draw_seal
from zip_support import zipped

pytestmark = pytest.mark.browser

HOSTILE = "<img src=x onerror=document.title=1>"


@pytest.fixture
def desktop(hospital):
    """A folder of the clerk's: a roster of two doctors, a folder with a picture, a zip with the other."""
    folder = hospital.folder / "desktop"
    (folder / "印章" / "内科").mkdir(parents=True)
    hospital.roster([make_row(1), make_row(2)])
    (hospital.folder / "inbox" / "roster.xlsx").rename(folder / "名单.xlsx")
    draw_seal(folder / "印章" / "内科" / "00001.png", 1)
    draw_seal(folder / "x.png", 2)
    (folder / "更多.zip").write_bytes(zipped({"00002.png": (folder / "x.png").read_bytes()}))
    (folder / f"{HOSTILE}.exe").write_bytes(b"MZ")
    (folder / "x.png").unlink()
    return folder


def drag(tab, paths):
    """Drag files and folders from the desktop over the page, and drop them."""
    browser = tab.context.new_cdp_session(tab)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        browser.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def test_a_clerk_drops_everything_and_sees_the_check(hospital, desktop, shown):
    with PageThread(hospital.folder / "config.yaml") as page:
        tab = shown(page, "/drop")
        drag(tab, sorted(desktop.iterdir()))
        expect(tab.locator("#sending")).to_contain_text("传完 4 个")
        expect(tab.locator("#dropped strong")).to_have_text(f"{HOSTILE}.exe")
        expect(tab.locator(".tile.ready")).to_contain_text("可提交", timeout=60_000)
        expect(tab.locator(".tile.ready .number")).to_have_text("2")
        assert list_names(hospital.folder / "inbox") == ["名单.xlsx"]
        assert list_names(hospital.folder / "seals") == [
            "印章",
            "印章/内科",
            "印章/内科/00001.png",
            "更多",
            "更多/00002.png",
        ]

        hospital.roster([make_row(1)], file="other.xlsx")
        (hospital.folder / "inbox" / "other.xlsx").rename(desktop / "名单.xlsx")
        tab.set_input_files("#files", desktop / "名单.xlsx")
        expect(tab.locator(".question")).to_have_count(1)
        tab.locator("#stored .remove summary").click()
        assert list_violations(tab) == []
        tab.locator(".question button.primary").click()
        expect(tab.locator(".question")).to_have_count(0)
        expect(tab.locator(".tile.ready .number")).to_have_text("1", timeout=60_000)
        tab.set_input_files("#folder", desktop / "印章")
        expect(tab.locator("#sending")).to_contain_text("1")
        assert list_names(hospital.folder / "seals")[-3:] == ["印章/内科/00001.png", "更多", "更多/00002.png"]

        tab.locator("#stored .remove summary").click()
        tab.locator("#stored .remove form button").click()
        expect(tab.locator("#stored tbody tr")).to_have_count(0)
        assert tab.title() != "1"
        assert tab.troubles == []
        assert page.failures == []


def test_a_question_that_is_open_stays_open_when_the_page_is_refreshed(hospital, shown):
    hospital.doctors(1)
    with PageThread(hospital.folder / "config.yaml") as page:
        tab = shown(page, "/drop")
        tab.locator("#stored .remove summary").click()
        refreshed = "document.body.dispatchEvent(new Event('dropped'))"
        with tab.expect_response(lambda answer: "/drop/now" in answer.url):
            hospital.roster([make_row(2)], file="b.xlsx")
            tab.evaluate(refreshed)
        expect(tab.locator("#stored tbody tr")).to_have_count(2)
        expect(tab.locator("#stored .remove[open]")).to_have_count(1)
        expect(tab.locator("#stored .remove[open] form button")).to_be_visible()
        tab.locator("#stored .remove[open] form button").click()
        expect(tab.locator("#stored tbody tr")).to_have_count(1)
        expect(tab.locator("#stored .remove[open]")).to_have_count(0)
        assert list_names(hospital.folder / "inbox") == ["b.xlsx"]


def test_files_are_pasted_and_go_on_after_a_cut(hospital, chromium):
    with PageThread(hospital.folder / "config.yaml") as page:
        tab = chromium.open_tab(locale="en-US")
        tab.goto(page.addresses[-1])
        tab.wait_for_url(f"{page.origin}/")
        tab.goto(f"{page.origin}/drop")
        tab.evaluate(
            """() => {
              const transfer = new DataTransfer();
              transfer.items.add(new File(["seal"], "张伟.png"));
              document.dispatchEvent(new ClipboardEvent("paste", {clipboardData: transfer, bubbles: true}));
            }"""
        )
        expect(tab.locator("#sending")).to_contain_text("1 added")
        assert list_names(hospital.folder / "seals") == ["张伟.png"]
        tab.context.set_offline(True)
        tab.set_input_files("#files", {"name": "y.png", "mimeType": "image/png", "buffer": b"y"})
        expect(tab.locator("#sending")).to_contain_text("cut after 0 of 1")
        tab.context.set_offline(False)
        expect(tab.locator("#sending")).to_contain_text("1 added")
        tab.evaluate("setInterval(() => dispatchEvent(new Event('online')), 20)")  # the wait between tries
        tab.route("**/drop/file", lambda route: route.abort())
        tab.set_input_files("#files", {"name": "x.png", "mimeType": "image/png", "buffer": b"x"})
        expect(tab.locator("#dropped li")).to_contain_text("did not arrive")
        assert list_names(hospital.folder / "seals") == ["y.png", "张伟.png"]
