"""Programs that tests need: LibreOffice, a browser, systemd-analyze. Where one is missing its tests are skipped,
under REQUIRE_DESKTOP=1 they fail.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import pytest

# without these Chromium looks for its maker's hosts at every start
_QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

# what of a page is pressed and is smaller than a finger, which needs 44 pixels; a box in a label is pressed by its label
SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, select, summary, input:not([type=file]), label.button')]
    .filter(it => it.checkVisibility())
    .map(it => [it.outerHTML.slice(0, 90), (it.matches('[type=radio], [type=checkbox]') && it.closest('label') || it)])
    .map(([html, it]) => [html, it.getBoundingClientRect()])
    .filter(([_, box]) => box.height < 44 || box.width < 44).map(([html, box]) => `${box.width} x ${box.height}: ${html}`)"""

AXE = Path(__file__).parents[1] / "data" / "axe" / "axe.min.js"  # axe-core 4.14.1 of the npm registry
AXE_DIGEST = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


MARKER_OF = {"chromium": "browser", "soffice": "office"}
markers: set[str] | None = None  # of the test that runs; None outside of tests
office_profile = (
    Path()
)  # of LibreOffice in this process, whose first start makes it: a second of processor time


def find_program(program: str) -> str:
    """Return the path of a program, or skip (REQUIRE_DESKTOP=1: fail) the test that needs it.

    A test that starts a browser or LibreOffice bears its marker, so that `make quick` leaves it out.
    """
    marker = MARKER_OF.get(program)
    assert marker is None or markers is None or marker in markers, f"mark the test: @pytest.mark.{marker}"
    path = shutil.which(program)
    if path is None:
        skip_or_fail(program)
    return path


def skip_or_fail(missing: str) -> NoReturn:
    """Skip the test that needs what is missing, or fail under REQUIRE_DESKTOP=1."""
    if os.environ.get("REQUIRE_DESKTOP") == "1":
        pytest.fail(f"REQUIRE_DESKTOP=1 asks for {missing}")
    pytest.skip(f"{missing} is not installed")


def office() -> list[str]:
    """Return the beginning of a LibreOffice command with the tests' profile."""
    return [find_program("soffice"), f"-env:UserInstallation={office_profile.as_uri()}", "--headless"]


def convert(source: Path, form: str, folder: Path) -> Path:
    """Let LibreOffice save a file in another form ("xls:MS Excel 97") and return it."""
    command = [*office(), "--convert-to", form, "--outdir", str(folder), str(source)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    return folder / f"{source.stem}.{form.split(':', maxsplit=1)[0]}"


@contextmanager
def browser() -> Iterator:
    """Open Debian's Chromium under playwright; yields its Browser (sync API)."""
    path = find_program("chromium")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(
        timeout=30_000
    )  # for what never comes about; a busy machine takes more than the usual 5 s
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=path, args=list(_QUIET))
        try:
            yield opened
        finally:
            opened.close()


class SharedBrowser:
    """The Chromium of all tests of this process, with tabs that are used again: the first page of a new one takes a second.

    Playwright's event loop counts as the running one of this thread between `resume` and `pause` alone; at another time it
    would be in the way of every other loop.
    """

    def __init__(self, opened: Any) -> None:
        self._browser = opened
        self._loop = asyncio.get_running_loop()
        self._profiles: dict[tuple, list] = {}  # settings -> unused profiles, each with one empty tab
        self._used: list[tuple[tuple, Any]] = []
        self._listeners: list[tuple[Any, str, Callable]] = []
        asyncio._set_running_loop(None)

    def resume(self) -> None:
        """Let a test use the browser."""
        asyncio._set_running_loop(self._loop)

    def pause(self) -> None:
        """Empty the profiles that the test has used; one that cannot be emptied is not used again."""
        listeners, self._listeners = self._listeners, []
        used, self._used = self._used, []
        try:
            for tab, event, listener in listeners:
                tab.remove_listener(event, listener)
            for settings, profile in used:
                self._empty(profile)
                self._profiles.setdefault(settings, []).append(profile)
        finally:
            asyncio._set_running_loop(None)

    @staticmethod
    def _empty(profile: Any) -> None:
        for tab in profile.pages:
            tab.evaluate("try { localStorage.clear(); sessionStorage.clear() } catch {}")
        for tab in profile.pages[1:]:
            tab.close()
        (tab,) = profile.pages
        tab.unroute_all()
        tab.emulate_media(media="null", color_scheme="null")
        tab.goto("about:blank")
        profile.clear_cookies()
        profile.clear_permissions()

    def open_tab(self, *, width: int = 1280, height: int = 800, **settings: Any) -> Any:
        """Return an empty page of this size in an empty profile that no other tab of this test has."""
        key = tuple(sorted(settings.items()))
        if self._profiles.get(key):
            profile = self._profiles[key].pop()
        else:
            profile = self._browser.new_context(ignore_https_errors=True, **settings)
            profile.new_page()
        self._used.append((key, profile))
        (tab,) = profile.pages
        tab.set_viewport_size({"width": width, "height": height})
        return tab

    def close_profile(self, tab: Any) -> None:
        """Close the profile of a tab with its connections, for whose end a page over TLS waits."""
        self._used = [(settings, profile) for settings, profile in self._used if profile is not tab.context]
        tab.context.close()

    def listen(self, tab: Any, event: str, listener: Callable) -> None:
        """Let a function hear an event of a tab while this test lasts."""
        tab.on(event, listener)
        self._listeners.append((tab, event, listener))


@contextmanager
def browser_aside() -> Iterator[None]:
    """Run what has an event loop of its own while a test uses the browser."""
    loop = asyncio._get_running_loop()
    asyncio._set_running_loop(None)
    try:
        yield
    finally:
        asyncio._set_running_loop(loop)


def list_violations(tab, *rules: str):
    """Return what axe-core finds on a page by all its rules, or by these: the rule, and the elements."""
    if not tab.evaluate("'axe' in window"):
        tab.evaluate(AXE.read_text("utf-8"))
    return tab.evaluate(
        """async rules => (await axe.run(rules.length ? { runOnly: rules } : {})).violations
            .map(it => [it.id, it.nodes.map(node => node.html.slice(0, 200))])""",
        list(rules),
    )
