"""Languages, failures and templates of the page."""

import re
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request

from pipeline.messages.areas import is_known
from pipeline.web.access import BrowserSessions
from pipeline.web.entrance import OneTimeEntrance
from pipeline.web.view import LANGUAGE_COOKIE, TEMPLATES, PageView, choose_language

ENTRANCE = OneTimeEntrance(BrowserSessions(lambda: 0.0), "clerk")
STATIC = TEMPLATES.parent / "static"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "zh"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9", "en"),
        ("fr,en;q=0.5,zh;q=0.4", "en"),
        ("en;q=0.3,zh-TW;q=0.7", "zh"),
        ("en;q=0,de", "zh"),
        ("en;q=high", "zh"),
        (";;;,,=", "zh"),
        ("x" * 4000, "zh"),
    ],
)
def test_the_browser_chooses_the_language(header, language):
    request = make_mocked_request("GET", "/", headers={"Accept-Language": header})
    assert choose_language(request) == language


def test_the_switch_outweighs_the_browser():
    for chosen, language in (("en", "en"), ("zh", "zh"), ("../en", "zh"), ("", "zh")):
        headers = {"Accept-Language": "zh", "Cookie": f"{LANGUAGE_COOKIE}={chosen}"}
        assert choose_language(make_mocked_request("GET", "/", headers=headers)) == language


def test_the_switch_sets_a_cookie_and_leads_back_to_our_own_pages_alone(page):
    inside = page.enter(Accept_Language="zh")
    answer = inside.post("/language", {"language": "en", "back": "/runs"})
    assert (answer.status, answer.headers["Location"]) == (303, "/runs")
    assert answer.headers["Set-Cookie"].startswith(f"{LANGUAGE_COOKIE}=en; ")
    assert "HttpOnly" in answer.headers["Set-Cookie"]
    for back in (
        "//evil.example",
        "http://evil.example",
        "/\\evil.example",
        "/%2f/evil",
        "javascript:x",
        "",
        "/x\r\ny",
    ):
        assert inside.post("/language", {"language": "en", "back": back}).headers["Location"] == "/"
    assert "Set-Cookie" not in inside.post("/language", {"language": "fr", "back": "/"}).headers


async def test_a_program_error_is_one_sentence_and_is_reported():
    reported = []
    view = PageView("tenant", ENTRANCE, reported.append)

    async def fail(_):
        raise KeyError("110199197102020016")

    answer = await view.show_failures(make_mocked_request("GET", "/"), fail)
    assert answer.status == 500
    assert "KeyError" in answer.text
    assert "1101991971" not in answer.text
    assert [type(error) for error in reported] == [KeyError]


async def test_a_disk_that_cannot_be_read_is_named_with_its_cure():
    async def fail(_):
        raise PermissionError(13, "Permission denied", "/srv/110199197102020016/x")

    view = PageView("tenant", ENTRANCE, [].append)
    answer = await view.show_failures(
        make_mocked_request("GET", "/", headers={"Accept-Language": "en"}), fail
    )
    assert answer.status == 503
    assert "/srv" in answer.text
    assert "110199197102020016" not in answer.text


def test_an_open_page_shows_that_nothing_was_saved_when_the_session_has_ended(page):
    """Whoever opens a page without a session reads how to come in."""
    stranger = page.visit(Accept_Language="en")
    for answer in (stranger.get("/now", HX_Request="true"), stranger.post("/doctors", HX_Request="true")):
        assert answer.status == 401
        assert "<html" not in answer.text
        assert "nothing was saved" in answer.text
        assert 'target="_blank"' in answer.text
    assert "nothing was saved" in stranger.post("/doctors").text
    assert "nothing was saved" not in stranger.get("/").text


async def test_a_redirect_is_no_failure():
    async def lead(_):
        raise web.HTTPFound("/")

    with pytest.raises(web.HTTPFound):
        await PageView("tenant", ENTRANCE, [].append).show_failures(make_mocked_request("GET", "/"), lead)


def list_templates() -> list[Path]:
    return sorted(TEMPLATES.iterdir())


def test_each_text_of_a_template_is_in_the_catalogue():
    keys = {
        key
        for path in list_templates()
        for key in re.findall(r'\bt(?:ext)?\("([\w.]+)"', path.read_text("utf-8"))
    }
    assert len(keys) > 80
    assert [key for key in keys if not is_known(key)] == []


@pytest.mark.parametrize("path", list_templates(), ids=lambda path: path.name)
def test_no_template_has_a_style_or_a_script_inside_or_an_address_outside(path):
    text = path.read_text("utf-8")
    assert (
        re.findall(
            r"<style|style=|<script(?! src=\"/static/(?:htmx\.min\.js|\{\{ script \}\})\" defer)|\bon\w+=|javascript:|https?:|hx-on",
            text,
        )
        == []
    )
    assert re.findall(r"\|\s*safe\b|autoescape", text) == []
