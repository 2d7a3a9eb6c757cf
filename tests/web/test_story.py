"""The whole story in a real browser: from an empty folder to sealed doctors and a resolved unknown one."""

import json

import pytest
from page_support import PageThread
from people import make_row, name, number
from playwright.sync_api import expect
from resolution_support import list_made_seals
from run_support import draw_seal
from wire_support import fault

from pipeline.messages.catalogue import render

pytestmark = pytest.mark.browser

PATIENCE = 60_000  # milliseconds: a check, a run


@pytest.fixture
def desktop(tmp_path, hospital):
    """A folder of the clerk's: a roster of three doctors, one number too short, and a picture each."""
    folder = tmp_path / "desktop"
    folder.mkdir()
    hospital.roster([make_row(1), make_row(2, number=number(2)[:17]), make_row(3)])
    (hospital.folder / "inbox" / "roster.xlsx").rename(folder / "医生.xlsx")
    for serial in (1, 2, 3):
        draw_seal(folder / f"{serial:05d}.png", serial)
    return folder


@pytest.fixture
def hospital(hospital_with):
    return hospital_with(faults=[fault("reset_after", nth=(2,))])


def test_from_an_empty_folder_to_sealed_doctors(hospital, desktop, shown):
    def say(key, **details):
        return render(key, "zh", **details)

    with PageThread(hospital.folder / "config.yaml") as page:
        tab = shown(page)
        tab.get_by_role("link", name=say("web.nav.drop")).first.click()
        tab.set_input_files("#files", sorted(desktop.iterdir()))
        expect(tab.locator(".tile.ready .number")).to_have_text("2", timeout=PATIENCE)
        tab.locator(".tile.rejected").click()
        tab.get_by_role("button", name=name(2)).click()
        field = tab.locator("input[name=text]").first
        expect(field).to_be_focused()  # htmx listens to it by then
        field.fill(number(2))
        expect(tab.locator(".judged .accepted")).to_be_visible()
        field.press("Enter")
        expect(tab.locator("tr.cells .banner.sealed")).to_be_visible()

        tab.locator("nav").get_by_role("link", name=say("web.nav.send"), exact=True).click()
        expect(tab.locator("label.option").first).to_contain_text(say("web.send.all", n=3), timeout=PATIENCE)
        tab.locator("#order button.primary").click()
        unknown = tab.locator("#ended .tile.unknown .number")
        expect(unknown).to_have_text("1", timeout=PATIENCE)
        # a check follows the run by itself: its folder is the newest
        (run,) = [folder for folder in hospital.runs if (folder / "outcomes.jsonl").exists()]
        outcomes = map(json.loads, (run / "outcomes.jsonl").read_text("utf-8").splitlines())
        (who,) = [row["name"] for row in outcomes if row["status"] == "unknown"]

        tab.locator("nav").get_by_role("link", name=say("web.nav.home"), exact=True).click()
        tab.locator("#steps").get_by_role("link", name=say("web.nav.cases")).click()
        expect(tab.locator(".case h2")).to_contain_text(who, timeout=PATIENCE)
        tab.get_by_text(say("web.way.created")).click()
        tab.get_by_label(say("web.field.seal_id")).fill(list_made_seals(hospital)[who])
        tab.locator(".case form:visible button.primary").click()
        tab.locator(".case .answer form button").click()
        expect(tab.locator("main [role=status]").first).to_contain_text(who)
        expect(tab.locator(".case")).to_have_count(0, timeout=PATIENCE)

        tab.goto(f"{page.origin}/runs")
        with tab.expect_download() as saved:
            tab.get_by_role("link", name=say("web.seals.all")).click()
        assert saved.value.suggested_filename.startswith("seals-")
        assert tab.troubles == []
        assert page.failures == []
    assert sorted(list_made_seals(hospital)) == sorted(name(serial) for serial in (1, 2, 3))
    assert hospital.run_to_end("run", "--yes") == (0, {"unchanged": 3})
