"""Gives every test a state folder of its own, never the user's; sets the limits of hypothesis."""

import gc
import os
import signal
from itertools import count
from pathlib import Path

import desktop
import pytest
from hypothesis import HealthCheck, settings
from run_support import OUTAGE_SECONDS
from walks import count_examples

from pipeline.sending import circuit_breaker

# on a busy machine making the input of a test may take long: that says nothing about the test
settings.register_profile(
    "busy", deadline=None, max_examples=count_examples(100), suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("busy")

CHECKOUT = Path(__file__).parents[1]
LONGEST = {
    "test_traps.py",
    "test_crash.py",
    "test_plain_copies.py",
}  # modules of tests that take 10 s and more
_numbers = count()
gc.disable()  # while modules are imported and tests collected: none of it is garbage; `pytest_collection_finish` turns it on
if hasattr(signal, "SIGHUP"):  # `nohup` ignores it, and what the tests start would inherit that
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # so does a shell for what it starts in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Mark the tests that use the shared PostgreSQL server; put the longest first, so that none starts when the others end."""
    for item in items:
        if "postgres_server" in item.fixturenames:
            item.add_marker("server")
    items.sort(key=lambda item: item.path.name not in LONGEST)


def pytest_collection_finish():
    """Let the garbage collector pass over what lives to the end: modules and thousands of tests."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 100)
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item):
    """Let `desktop` hold the test's markers against the programs that it starts."""
    desktop.markers = {marker.name for marker in item.iter_markers()}


@pytest.fixture(scope="session", autouse=True)
def short_outages():
    """Let the runs of this process give up a service that does not answer after a moment."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(circuit_breaker, "GIVE_UP_SECONDS", OUTAGE_SECONDS)
        yield


@pytest.fixture(scope="session", autouse=True)
def state_homes(tmp_path_factory):
    """Make the folder of the tests' state folders; fixtures wider than one module share one of them."""
    folder = tmp_path_factory.mktemp("state-homes")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_STATE_HOME", str(folder / "shared"))
        monkeypatch.setattr(desktop, "office_profile", tmp_path_factory.mktemp("office"))
        yield folder


@pytest.fixture(scope="module", autouse=True)
def state_home_of_module(state_homes):
    """Give the fixtures of a module a state folder: their hospitals have the tenant of those of other modules."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setenv("XDG_STATE_HOME", str(state_homes / str(next(_numbers))))
        yield


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server for all tests of this process; each test makes its own database (`make_database`)."""
    from postgres_server import run_server

    with run_server() as server:
        yield server


@pytest.fixture(scope="session")
def shared_browser():
    """The browser of this process; tests use it by `chromium`."""
    with desktop.browser() as opened:
        shared = desktop.SharedBrowser(opened)
        yield shared
        shared.resume()


@pytest.fixture
def chromium(shared_browser):
    """The browser of this process, whose profiles the test finds empty."""
    desktop.find_program("chromium")
    shared_browser.resume()
    yield shared_browser
    shared_browser.pause()


@pytest.fixture(autouse=True)
def own_state_home(state_homes, monkeypatch):
    """Give a test its state folder; fail it where it leaves something in the checkout, from which tests are started."""
    monkeypatch.setenv("XDG_STATE_HOME", str(state_homes / str(next(_numbers))))
    before = _list_checkout()
    yield
    assert _list_checkout() == before, "the test, or one that ran at the same time, wrote into the checkout"


def _list_checkout():
    """Return the entries of the checkout but for the caches of tools, whose names begin with a dot."""
    return {name for name in os.listdir(CHECKOUT) if not name.startswith((".", "__"))}  # noqa: PTH208 - twice in each test
