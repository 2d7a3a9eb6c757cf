"""Workbook, report and review look like one product: the same colours, and both pages readable without a script."""

from __future__ import annotations

import openpyxl
import pytest

from pipeline.domain.run import Status
from pipeline.reports.styles import COLOURS

pytestmark = pytest.mark.browser


@pytest.fixture
def files(hospital, write_files):
    return write_files(hospital.build_run_report(site_digest="5" * 32))


def test_a_status_has_the_same_colours_everywhere(files, chromium):
    expected = {status: tuple(COLOURS[status]) for status in (Status.REJECTED, Status.EXISTS)}
    sheet = openpyxl.load_workbook(files["results.xlsx"])["全部结果"]
    words = {"待改": Status.REJECTED, "名称已存在": Status.EXISTS}
    of_workbook = {
        words[cell.value]: (f"#{cell.fill.fgColor.rgb[2:]}", f"#{cell.font.color.rgb[2:]}")
        for cell in sheet["B"]
        if cell.value in words
    }
    page = chromium.open_tab()
    look = """it => [getComputedStyle(it).backgroundColor, getComputedStyle(it).color].map(
        c => "#" + c.match(/\\d+/g).map(n => Number(n).toString(16).padStart(2, "0")).join("").toUpperCase())"""

    def read_colours(name: str, selector: str) -> dict[Status, tuple[str, ...]]:
        page.goto(files[name].as_uri())
        return {
            status: tuple(page.locator(selector.format(status.value)).first.evaluate(look))
            for status in expected
        }

    assert of_workbook == expected
    assert read_colours("report.html", ".tile.{}") == expected
    assert read_colours("review.html", ".chip.{}") == expected


@pytest.mark.parametrize("name", ["report.html", "review.html"])
def test_without_a_script_nothing_is_offered_that_does_not_work(files, chromium, name):
    page = chromium.open_tab(java_script_enabled=False)
    page.goto(files[name].as_uri())
    assert page.locator(".copy").count() == 0
    other = page.locator(".pages a").first
    assert (files[name].parent / other.get_attribute("href")).is_file()
    if name == "review.html":
        assert page.locator(".card:visible").count() > 10
    else:
        assert page.locator("noscript").inner_text()
        assert page.locator(".steps .command:visible").count() > 0
