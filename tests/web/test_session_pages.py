"""The files that every page needs: the vendored script is the one of its package, byte for byte."""

import hashlib
import re

from pipeline.web.session_pages import STATIC

# htmx.org 2.0.11 of the npm registry: dist/htmx.min.js and LICENSE
DIGESTS = {
    "htmx.min.js": "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
    "htmx.LICENSE": "d3d2456f76414f2456104660ebd65aff1c04cd7966b942bdabd63f3cdb316a38",
}


def test_the_vendored_files_are_those_of_the_package():
    assert {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in DIGESTS} == DIGESTS
    assert 'version:"2.0.11"' in (STATIC / "htmx.min.js").read_text("utf-8")
    assert {path.name for path in STATIC.iterdir()} >= {*DIGESTS, "icon.svg", "page.css"}


def test_every_script_is_served(page):
    for path in STATIC.glob("*.js"):
        assert page.visit().get(f"/static/{path.name}").body == path.read_bytes()


def test_the_files_are_sent_whole_and_need_no_session(page):
    stranger = page.visit()
    script = stranger.get("/static/htmx.min.js")
    assert script.body == (STATIC / "htmx.min.js").read_bytes()
    assert script.headers["Content-Type"].startswith("text/javascript")
    style = stranger.get("/static/page.css").text
    assert "--sealed-fill" in style
    assert re.findall(r"@import|url\(", style) == []
    assert stranger.get("/static/icon.svg").headers["Content-Type"].startswith("image/svg+xml")
    for path in ("/static/htmx.LICENSE", "/static/../server.py", "/static/%2e%2e/server.py", "/static/"):
        assert stranger.get(path).status in {401, 404}


def test_coming_in_again_in_the_same_browser_leads_on(page):
    entry = page.entry
    inside = page.enter()
    answer = inside.get(entry)
    assert (answer.status, answer.headers["Location"]) == (303, "/")
    assert len(page.addresses) == 2, "no further address was used up"
