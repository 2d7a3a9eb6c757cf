"""The page of a small hospital, whose runs go to a real sandbox."""

from functools import partial

import argon2
import pytest
from end_to_end.conftest import (
    hospital,
    hospital_with,
    marked_copies_on,
    scene,
    scenes,
    signals_as_before,
)
from forked_program import ForkedProgram
from page_support import PageThread
from run_support import wait_until

from pipeline.web import check_child
from pipeline.web.send import run_child

__all__ = ["hospital", "hospital_with", "marked_copies_on", "scene", "scenes", "signals_as_before"]


@pytest.fixture(autouse=True)
def forked_checks(request, monkeypatch):
    """Let the checks of a page be forked from a process that has imported everything; `test_check_child` starts real ones."""
    if request.path.name != "test_check_child.py":
        monkeypatch.setattr(check_child, "start_own_program", ForkedProgram)


@pytest.fixture
def forked_runs(monkeypatch):
    """Let the runs of a page be forked as well, where a test is about what the page shows of them."""
    monkeypatch.setattr(run_child, "start_own_program", ForkedProgram)


@pytest.fixture
def page(hospital):
    """The page of a hospital that has not run yet."""
    with PageThread(hospital.folder / "config.yaml") as opened:
        yield opened
        assert opened.failures == []


@pytest.fixture
def quick_digests(monkeypatch):
    """Let a digest of a password take milliseconds; `test_users` holds what it takes otherwise."""
    quick = partial(argon2.PasswordHasher, time_cost=1, memory_cost=8192, parallelism=1)
    monkeypatch.setattr(argon2, "PasswordHasher", quick)


@pytest.fixture
def clerk(hospital, page):
    return page.enter(Accept_Language="en")


@pytest.fixture
def prepared(hospital, tmp_path):
    """The bytes of a roster of two doctors and of their pictures, as a clerk has them elsewhere."""
    hospital.doctors(2)
    folder = hospital.folder
    files = {
        "roster.xlsx": (folder / "inbox" / "roster.xlsx").read_bytes(),
        **{path.name: path.read_bytes() for path in (folder / "seals").iterdir()},
    }
    for path in [folder / "inbox" / "roster.xlsx", *(folder / "seals").iterdir()]:
        path.unlink()
    return files


@pytest.fixture
def shown(chromium):
    """Open a page in an empty profile; console messages and requests to anywhere else are collected."""

    def show(page, path="/", *, language="zh-CN", **settings):
        tab = chromium.open_tab(locale=language, **settings)
        tab.troubles = []
        for event, describe in (
            ("console", lambda message: message.text),
            ("pageerror", str),
            ("dialog", lambda dialog: dialog.message),
        ):
            chromium.listen(tab, event, lambda value, describe=describe: tab.troubles.append(describe(value)))
        chromium.listen(
            tab,
            "request",
            lambda asked: tab.troubles.append(asked.url) if not asked.url.startswith(page.origin) else None,
        )
        before = len(page.addresses)
        tab.goto(page.addresses[-1])
        wait_until(lambda: len(page.addresses) > before)  # the next one, for another browser
        tab.wait_for_url(f"{page.origin}/")
        if path != "/":
            tab.goto(page.origin + path)
        return tab

    return show
