"""Where the tests of workbooks write theirs, and where the pictures in them are put away."""

from __future__ import annotations

import pytest
from format_support import run_in_this_process

from pipeline.intake.readers import rare_formats


@pytest.fixture
def work(tmp_path):
    return tmp_path / "work"


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.xlsx"


@pytest.fixture
def no_child_process(monkeypatch):
    """Let files of rare formats be read in this process; test_child_process.py has what the other one is for."""
    monkeypatch.setattr(rare_formats, "run_in_child", run_in_this_process)
