"""What a terminal gets and a pipe does not: colour by meaning; lines are whole everywhere."""

import os
import re

import pytest
from crash_support import Zygote
from pty_support import run_on_terminal

from pipeline.cli.terminal import STATUS_TONES
from pipeline.domain.run import Status

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
CODE = re.compile(r"\x1b\[[0-9;]*m")
WRONG = ["--lang", "en", "frobnicate"]


def in_a_pipe(words, folder, **environment):
    output = folder / "printed"
    output.unlink(missing_ok=True)
    with Zygote() as zygote:
        zygote.call(*words, folder=str(folder), output=str(output), environment=environment)
    return output.read_text("utf-8")


@pytest.mark.parametrize(
    ("environment", "is_coloured"),
    [
        ({}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "dumb", "FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
    ],
)
def test_a_terminal_has_colour_unless_it_is_refused(tmp_path, environment, is_coloured):
    _, seen = run_on_terminal(WRONG, columns=80, folder=tmp_path, **environment)
    assert bool(CODE.search(seen)) == is_coloured
    assert "Error: No such command" in CODE.sub("", seen)


def test_a_pipe_has_colour_only_where_it_is_forced(tmp_path):
    assert "\x1b[31mError:\x1b[0m No such" in in_a_pipe(WRONG, tmp_path, FORCE_COLOR="1")
    assert not CODE.search(in_a_pipe(WRONG, tmp_path, FORCE_COLOR=""))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_narrow_terminal_gets_the_lines_of_a_pipe(tmp_path, language):
    """It breaks them itself, and a path that is copied is whole."""
    roster = tmp_path / "第一人民医院 医务科" / "待导入的医师名单.csv"
    roster.parent.mkdir()
    roster.write_text("姓名,证件号码\n张三,1101\n", "utf-8")
    words = ["--lang", language, "check", str(roster), "--out", "out"]
    code, seen = run_on_terminal(words, columns=40, folder=tmp_path, NO_COLOR="1")
    assert code == 3
    assert seen.replace("\r\n", "\n") == in_a_pipe(words, tmp_path)


def test_every_status_has_a_colour():
    assert set(STATUS_TONES) == {status.value for status in Status} - {"ready"}
