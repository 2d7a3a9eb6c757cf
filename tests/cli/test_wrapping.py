"""What a terminal gets and a pipe does not: lines broken between words, and colour by meaning."""

import os
import re
import sys

import pytest
from crash_support import Zygote
from pty_support import run_on_terminal

from pipeline.cli.terminal import STATUS_TONES, TONES, Tone, list_whole_texts
from pipeline.domain.run import Status
from pipeline.messages.areas import is_known
from pipeline.messages.catalogue import make_message
from pipeline.support.terminal_text import measure_width, wrap_line

pytestmark = pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
CODE = re.compile(r"\x1b\[[0-9;]*m")
LANGUAGES = pytest.mark.parametrize("language", ["zh", "en"])
ROSTER = "某某医院医师名单,,,\n姓名,证件号码,手机号,职称\n张三,1101,,\n李四,,12345,\n合计,2 人,,\n说明：本表由医务科填写,,,\n"


@pytest.fixture
def folder(tmp_path):
    """Return a folder with a roster whose path is long and has a blank."""
    inbox = tmp_path / "第一人民医院 医务科" / "待导入的医师名单"
    inbox.mkdir(parents=True)
    (inbox / "医师 名单.csv").write_text(ROSTER, "utf-8")
    return tmp_path


def check(folder, language):
    roster = next(folder.rglob("*.csv"))
    return ["--lang", language, "check", str(roster), "--out", "out"]


def in_a_pipe(words, folder, **environment):
    output = folder / "printed"
    output.unlink(missing_ok=True)
    with Zygote() as zygote:
        zygote.call(*words, folder=str(folder), output=str(output), environment=environment)
    return output.read_text("utf-8")


def squeeze(text):
    """Return a text without its blanks and line ends, which wrapping changes."""
    return "".join(text.split())


@LANGUAGES
def test_lines_end_at_the_width_and_only_what_is_copied_is_longer(folder, language):
    words = check(folder, language)
    piped = in_a_pipe(words, folder)
    for columns in (40, 60, 120):
        code, seen = run_on_terminal(words, columns=columns, folder=folder, NO_COLOR="1")
        assert code == 3
        assert_wrapped(seen, piped, folder, language, columns)
    if language == "en":
        (line,) = [line for line in piped.splitlines() if "There is no picture folder" in line]
        assert measure_width(line) > 120, "a pipe gets one line"
    assert not CODE.search(piped)


def assert_wrapped(seen, piped, folder, language, columns):
    """Fail unless a terminal got what a pipe got, in lines of its width, and paths and commands on one line."""
    assert squeeze(re.sub(r"\d{8}-\d{6}-\d{3}", "", seen)) == squeeze(re.sub(r"\d{8}-\d{6}-\d{3}", "", piped))
    too_wide = [line for line in seen.splitlines() if measure_width(line) > min(columns, 100) - 2]
    for line in too_wide:
        assert str(folder) in line, line
    assert not CODE.search(seen)
    if language == "en":
        assert set(re.findall(r"[A-Za-z]{3,}", seen)) >= set(re.findall(r"[A-Za-z]{3,}", piped))
    assert str(folder / "seals") in seen
    assert seen.splitlines()[-1].lstrip().startswith(("esign-import", sys.executable, "python"))


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
def test_a_terminal_has_colour_unless_it_is_refused(folder, environment, is_coloured):
    _, seen = run_on_terminal(["--lang", "en", "frobnicate"], columns=80, folder=folder, **environment)
    assert bool(CODE.search(seen)) == is_coloured
    assert "Error: No such command" in CODE.sub("", seen)


def test_a_pipe_has_colour_only_where_it_is_forced(folder):
    assert "\x1b[31mError:\x1b[0m No such" in in_a_pipe(
        ["--lang", "en", "frobnicate"], folder, FORCE_COLOR="1"
    )
    assert not CODE.search(in_a_pipe(["--lang", "en", "frobnicate"], folder, FORCE_COLOR=""))


def test_data_is_never_changed(folder):
    (folder / "config.yaml").write_text("seals: " + "很长的文件夹名/" * 20 + "\n", "utf-8")
    for words in (["config", "show", "--schema"], ["config", "show"], ["config", "show", "--json"]):
        (folder / "data").unlink(missing_ok=True)
        run_on_terminal(["--lang", "en", *words], columns=40, folder=folder, output=folder / "data")
        _, seen = run_on_terminal(["-q", "--lang", "en", *words], columns=40, folder=folder)
        data = (folder / "data").read_text("utf-8")
        assert data
        assert seen.replace("\r\n", "\n") == data


def test_a_status_and_a_message_with_a_meaning_exist():
    assert set(STATUS_TONES) == {status.value for status in Status} - {"ready"}
    assert [key for key in TONES if not is_known(key)] == []
    assert STATUS_TONES["sealed"] is Tone.DONE
    assert STATUS_TONES["unknown"] is Tone.NEEDS_PERSON
    assert STATUS_TONES["failed"] is Tone.FAULT


@pytest.mark.parametrize(
    ("line", "hang", "whole", "lines"),
    [
        ("one two three four", 2, (), ["one two", "  three", "  four"]),
        ("see /a b/c now", 0, ("/a b/c",), ["see", "/a b/c", "now"]),
        ("一二三四五，六", 2, (), ["一二三", "  四五，", "  六"]),
        ("one 工号, two", 2, (), ["one", "  工号,", "  two"]),
        ("(姓名), 科室", 2, (), ["(姓名),", "  科室"]),
        ("at (姓名)", 2, (), ["at", "  (姓名)"]),
        ("are A 序号", 2, (), ["are", "  A 序号"]),
        ("号 第 40 行）", 2, (), ["号", "  第 40 行）"]),
        ("see 秦月.png", 2, (), ["see", "  秦月.png"]),
        ("（一）（二）（三）", 0, (), ["（一）", "（二）", "（三）"]),
        ("extraordinarily", 0, (), ["extraordinarily"]),
        ("用 /甲/乙/丙丁 吧", 0, ("/甲/乙/丙丁",), ["用", "/甲/乙/丙丁", "吧"]),
    ],
)
def test_a_line_breaks_between_words(line, hang, whole, lines):
    assert [*wrap_line(line, 8, hang, whole)] == lines


@pytest.mark.parametrize("width", [38, 78])
def test_a_list_of_column_titles_breaks_between_its_titles(width):
    titles = "证件类型 证件号码 印章名称 标准印章名称 手机号 科室".split()  # noqa: SIM905
    in_brackets = ", ".join(f"seal name ({title})" for title in titles)
    for line in (in_brackets, "、".join(titles * 3) + "；没有用到：A 序号、D 性别"):
        broken = [*wrap_line(line, width, 2)]
        assert all(measure_width(part) <= width for part in broken)
        for title in titles:
            assert sum(part.count(title) for part in broken) == line.count(title)
        assert not any(part.lstrip().startswith((")", ",", "、", "；")) for part in broken)


def test_paths_and_commands_of_a_message_are_whole():
    inner = make_message("no_such_path", path="a b/c.csv", folder="/x", near="")
    assert list_whole_texts({"text": inner, "command": "run --now", "n": 3, "files": "a.csv, b.csv"}) == {
        "a b/c.csv",
        "/x",
        "run --now",
    }
