"""Wrong words and wrong places: exit 2, one clear sentence in the reader's language, nothing sent."""

import re

import pytest

from pipeline.cli import main
from pipeline.clock import SystemClock

HAN = re.compile(r"[\u4e00-\u9fff]")


def say(capfd, *words, language="zh", config=None):
    """Run the command line; return its exit code and what it said."""
    capfd.readouterr()
    named = ["--config", str(config)] if config else []
    code = main([*named, "--lang", language, *words], clock=SystemClock())
    told = capfd.readouterr()
    return code, told.out + told.err


@pytest.mark.parametrize("below", ["", "deeper/still"])
@pytest.mark.parametrize("command", ["check", "run", "retry", "demo"])
def test_results_cannot_lie_in_a_file(hospital, capfd, command, below):
    hospital.doctors(1)
    if command == "retry":
        assert hospital.go("run") == 0
    before = len(hospital.world.received)
    taken = hospital.folder / "taken"
    taken.write_text("mine")
    for language, words in (("zh", "是文件"), ("en", "is a file")):
        out = str(taken / below) if below else str(taken)
        code, told = say(
            capfd, command, "--out", out, language=language, config=hospital.folder / "config.yaml"
        )
        assert (code, taken.read_text()) == (2, "mine")
        assert words in told
        assert str(taken) in told
    assert len(hospital.world.received) == before
