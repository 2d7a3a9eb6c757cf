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
