"""Where the tests of workbooks write theirs, and where the pictures in them are put away."""

from __future__ import annotations

import pytest


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.xlsx"
