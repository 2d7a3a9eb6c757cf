"""Rows in a real browser: opened, judged and corrected by keyboard."""

import pytest
from page_support import PageThread
from people import make_row, name, number
from playwright.sync_api import expect
from web.test_browser import HOSTILE

pytestmark = pytest.mark.browser


def test_a_row_is_opened_judged_and_corrected_by_keyboard(hospital, shown):
    hospital.doctors(3)
    hospital.roster([make_row(1), make_row(2, number=number(2)[:17]), make_row(3, name=HOSTILE)])
    assert hospital.go("check") == 3
    with PageThread(hospital.folder / "config.yaml") as page:
        tab = shown(page, "/rows")
        tab.keyboard.press("j")
        tab.keyboard.press("j")
        tab.keyboard.press("k")
        expect(tab.locator(":focus")).to_contain_text(name(2))
        tab.keyboard.press("Enter")
        field = tab.locator("input[name=text]")
        expect(field).to_be_focused()
        field.press("j")  # a letter of the text
        expect(tab.locator(".judged .fault")).to_be_visible()
        field.fill(number(2))
        expect(tab.locator(".judged .accepted")).to_be_visible()
        tab.keyboard.press("Escape")
        expect(tab.locator("tr.cells")).to_have_count(0)
        expect(tab.locator(".htmx-added")).to_have_count(0)  # htmx listens to what it has put in
        expect(tab.locator(":focus")).to_contain_text(name(2))
        tab.keyboard.press("Enter")
        field.fill(number(2))
        with tab.expect_request(lambda asked: "/rows/state" in asked.url, timeout=8_000):
            field.press("Enter")  # the end of the check is asked for at once
        expect(tab.locator("tr.cells .banner.sealed")).to_be_visible()
        tab.locator(".row-name", has_text=name(2)).press("Escape")
        expect(tab.locator("tr", has_text=name(2)).locator(".chip.ready")).to_have_text(
            "可提交", timeout=30_000
        )
        counts = tab.locator("#filter-status option")
        expect(counts).to_have_text(["全部", "要改的 (1)", "待改 (1)", "可提交 (2)"])
        assert tab.locator("main img, main script, main [onerror], [style]").count() == 0
        assert tab.troubles == []
        assert page.failures == []
