"""`serve --open` without a configuration: the page that makes a hospital's folder, and leads on to the usual one."""

import json
import os
import re
import signal
import stat
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from threading import Timer

import pytest
from desktop import SMALL_TARGETS, list_violations
from playwright.sync_api import expect

from pipeline.__main__ import choose_arguments
from pipeline.config.settings import load

REPOSITORY = Path(__file__).parents[2]
VALUES = {
    "app_id": "yD" + "x" * 30,
    "organization_open_id": "org_hospital",
    "operator_open_id": "op_clerk",
    "secret_id": "AKIDinvented",
    "secret_key": "invented",
}


@contextmanager
def start(folder, *arguments):
    """Start `serve --open` in a folder; the browser that it opens is a program that does nothing."""
    environment = {**os.environ, "BROWSER": "true", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-m", "pipeline", "--lang", "en", "--json", "serve", "--open", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder, env=environment
    ) as process:
        watchdog = Timer(120, process.kill)
        watchdog.start()
        try:
            yield process, json.loads(process.stdout.readline())["url"]
        finally:
            watchdog.cancel()
            process.send_signal(signal.SIGTERM)
            _, errors = process.communicate(timeout=60)
            assert process.returncode == 0, errors


@pytest.mark.browser
def test_a_folder_is_made_and_the_page_goes_on_in_the_same_browser(tmp_path, chromium):
    with start(tmp_path, "--listen", "127.0.0.1:0") as (process, url):
        tab = chromium.open_tab(locale="en-US")
        tab.goto(url)
        expect(tab.locator("h1")).to_have_text("Set up")
        assert tab.locator("nav").count() == 1
        assert tab.locator("nav a").count() == 0, "there is nothing to go to"
        tab.get_by_label("Production").check()
        tab.get_by_label("The hospital is itself a customer").check()
        expect(tab.locator("#app_id")).to_be_hidden()
        tab.get_by_label("Through a platform").check()
        expect(tab.locator("#operator_user_id")).to_be_hidden()
        for name, value in VALUES.items():
            tab.locator(f"#{name}").fill("工号" if name == "app_id" else value)
        tab.get_by_role("button", name="Set up").click()
        expect(tab.locator(".wrong")).to_contain_text("Only letters, digits and signs")
        assert tab.locator("#secret_key").input_value() == "", "a secret is not sent back"
        assert not (tmp_path / "config.yaml").exists()
        assert list_violations(tab) == []
        assert tab.evaluate(SMALL_TARGETS) == []
        tab.locator("#app_id").fill(VALUES["app_id"])
        tab.locator("#secret_id").fill(VALUES["secret_id"])
        tab.locator("#secret_key").fill(VALUES["secret_key"])
        tab.get_by_role("button", name="Set up").click()
        expect(tab.locator("h1")).to_have_text("Home", timeout=30_000)
        assert json.loads(process.stdout.readline())["url"].startswith(url.partition("?")[0])
    config = load(tmp_path / "config.yaml", {})
    assert (config.api.app_id, config.api.organization_open_id) == (VALUES["app_id"], "org_hospital")
    for name in ("secret_id", "secret_key"):
        path = tmp_path / "secrets" / f"tencent__{name}"
        assert path.read_text().strip() == VALUES[name]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert VALUES["secret_key"] not in (tmp_path / "config.yaml").read_text("utf-8")


def test_it_ends_by_a_signal_before_anything_was_filled_in(tmp_path):
    with start(tmp_path, "--listen", "127.0.0.1:0") as (_, url):
        assert re.match(r"http://127\.0\.0\.1:\d+/\?token=", url)
    assert not (tmp_path / "config.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "programs", "chosen"),
    [([], 1, ["serve", "--open"]), ([], 2, []), ([], None, []), (["run"], 1, ["run"])],
)
def test_a_double_click_without_arguments_opens_the_page(arguments, programs, chosen):
    assert choose_arguments(arguments, programs) == chosen
