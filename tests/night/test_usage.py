"""Wrong words and wrong places: exit 2, one clear sentence in the reader's language, nothing sent."""

import os
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


NUMBERED_ZERO = re.compile(r"(?<!\d)0 (seals|creates|rows|s\b|枚|秒|行)")


def foretold(hospital, capfd, *words, language):
    """Return the line that says what a night is about to do."""
    _, told = say(capfd, *words, language=language, config=hospital.folder / "config.yaml")
    return next(line for line in told.splitlines() if line.startswith(("Rows: ", "名单", "The rosters hold")))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_forecast_says_why_nothing_is_to_be_sent(hospital, capfd, language):
    hospital.doctors(3)
    line = foretold(hospital, capfd, "run", language=language)
    assert (
        line
        == {
            "zh": "名单共 3 行；将创建最多 3 枚印章，不到 1 秒。",
            "en": "Rows: 3. Seals to be created: at most 3, in less than a second.",
        }[language]
    )
    line = foretold(hospital, capfd, "run", language=language)
    assert ("未变 3" if language == "zh" else "Unchanged 3") in line
    assert not NUMBERED_ZERO.search(line)
    hospital.roster([("王五", "1101", None, "9", None)], file="two.xlsx")
    line = foretold(hospital, capfd, "run", language=language)
    assert ("未变 3、待改 1" if language == "zh" else "Unchanged 3, To correct 1") in line
    hospital.roster([], file="roster.xlsx")
    hospital.roster([], file="two.xlsx")
    line = foretold(hospital, capfd, "run", language=language)
    assert ("没有医生" if language == "zh" else "hold no doctors") in line


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_guard_is_foretold_and_nothing_is_asked(hospital, capfd, language):
    hospital.doctors(2)
    assert hospital.go("run") == 0
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text().replace("guards: {", "guards: {new_rows: 0, "))
    hospital.doctors(9)
    line = foretold(hospital, capfd, "run", language=language)
    assert ("保护条件" if language == "zh" else "A guard") in line


def folders(hospital) -> set[str]:
    return {each.name for each in (hospital.folder / "out").glob("*")}


@pytest.mark.parametrize("own", [False, True])
def test_who_says_no_finds_no_folder_of_the_run(hospital, own):
    """But one that somebody made stays."""
    hospital.doctors(2)
    named = hospital.folder / "mine"
    words = ["--out", str(named)] if own else []
    if own:
        named.mkdir()
    ours, theirs = os.openpty()
    with hospital.start("run", *words, stdin=theirs) as child:
        os.close(theirs)
        os.write(ours, b"n\n")
        _, said = child.communicate(timeout=60)
    os.close(ours)
    assert (child.returncode, folders(hospital), hospital.world.received) == (0, set(), []), said
    assert named.exists() == own


@pytest.mark.skipif(os.name == "nt", reason="names are not bytes there")
def test_a_roster_named_in_gbk_is_read_and_a_folder_named_so_is_refused(hospital, tmp_path, capsys):
    """An archive unpacked from Windows; the ledger keeps paths as text."""
    hospital.doctors(2)
    inbox = hospital.folder / "inbox"
    (inbox / "roster.xlsx").rename(inbox / os.fsdecode("名单.xlsx".encode("gbk")))
    assert hospital.go("run") == 0
    assert hospital.statuses() == {"sealed": 2}
    assert hospital.go("report") == 0
    assert hospital.go("retry") == 0
    folder = tmp_path / os.fsdecode("结果".encode("gbk"))
    folder.mkdir()
    for option in ("--out", "--seals"):
        assert hospital.go("run", option, str(folder)) == 2
        assert "not UTF-8" in capsys.readouterr().err
