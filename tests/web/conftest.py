"""The page of a small hospital, whose runs go to a real sandbox."""

import pytest
from desktop import browser
from end_to_end.conftest import hospital, hospital_with, marked_copies_on, signals_as_before
from page_support import PageThread

__all__ = ["hospital", "hospital_with", "marked_copies_on", "signals_as_before"]


@pytest.fixture
def page(hospital):
    """The page of a hospital that has not run yet."""
    with PageThread(hospital.folder / "config.yaml") as opened:
        yield opened
        assert opened.failures == []


@pytest.fixture(scope="module")  # an open one would be in the way of another module's event loop
def chromium():
    with browser() as opened:
        yield opened
