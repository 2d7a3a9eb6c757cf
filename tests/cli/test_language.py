"""The language of messages: how it is found, that every text exists in both, and what a poor console gets."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.cli.app import cli, main
from pipeline.cli.help import list_texts
from pipeline.config.environment import choose_message_language, get_named_configuration
from pipeline.config.settings import Config, list_keys
from pipeline.errors import ConfigError, reason_of
from pipeline.messages.areas import get_words
from pipeline.messages.catalogue import render_text

HAN = re.compile(r"[\u3400-\u9fff]")
HERE = Path(__file__).parents[2]

OF_CLICK = (
    *("Usage:", "[OPTIONS]", "COMMAND [ARGS]...", "Options:", "Commands:"),
    *("[default: ", "Show this message and exit.", "Show the version and exit."),
)


@pytest.mark.parametrize(
    ("arguments", "environment", "text", "spoken"),
    [
        (["--lang", "zh", "run"], {"ESIGN_IMPORT_LANGUAGE": "en"}, "language: en", "zh"),
        (["--lang=zh", "run"], {"ESIGN_IMPORT_LANGUAGE": "en"}, "language: en", "zh"),
        (["run"], {"ESIGN_IMPORT_LANGUAGE": "zh"}, "language: en", "zh"),
        (["run"], {"LC_ALL": "en_US.UTF-8"}, "api: {}\nlanguage: 'zh'  # ours\n", "zh"),
        (["run"], {"LC_ALL": "zh_CN.UTF-8"}, "language: null", "zh"),
        (["run"], {"LC_ALL": "", "LC_MESSAGES": "zh_CN", "LANG": "en_US"}, "", "zh"),
        (["run"], {"LC_ALL": "C", "LANG": "zh_CN"}, "", None),
        (["run"], {"LANG": "C.UTF-8"}, "", None),
        (["run"], {}, "", None),
        (["run"], {"LANG": "zh_TW.Big5"}, "api:\n  language: en\n", "zh"),
        (["--lang", "fr", "run"], {"ESIGN_IMPORT_LANGUAGE": "de", "LANG": "zh_CN"}, "language: it", "zh"),
        (["run", "--lang", "zh"], {"ESIGN_IMPORT_LANGUAGE": "en"}, "language: en", "zh"),
        (["--", "--lang", "zh"], {"LANG": "en_US"}, "", "en"),
    ],
)
def test_the_first_source_that_gives_a_language_counts(tmp_path, arguments, environment, text, spoken):
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    assert choose_message_language(arguments, environment, tmp_path / "c.yaml") == spoken


@pytest.mark.parametrize("words", [["run", "-c", "C"], ["run", "--config=C"], ["run", "-cC"]])
def test_the_configuration_named_after_the_command_gives_the_language(tmp_path, words):
    (tmp_path / "c.yaml").write_text("language: zh\n", "utf-8")
    words = [word.replace("C", str(tmp_path / "c.yaml")) for word in words]
    assert choose_message_language(words, {"LANG": "en_US"}, get_named_configuration(words)) == "zh"


@pytest.mark.parametrize(
    ("words", "spoken"),
    [
        (["-c", "hospitals", "--all"], "zh"),
        (["-c", "hospitals", "--profile=west"], "en"),
        (["-c", "hospitals/east"], "zh"),
    ],
)
def test_a_hospitals_language_counts_more_than_that_of_all(tmp_path, monkeypatch, words, spoken):
    monkeypatch.chdir(tmp_path)
    for name, text in (("east", "seals: x\n"), ("west", "language: en\n")):
        (tmp_path / "hospitals" / name).mkdir(parents=True)
        (tmp_path / "hospitals" / name / "config.yaml").write_text(text)
    (tmp_path / "hospitals" / "common.yaml").write_text("language: zh\n")
    assert choose_message_language(words, {}, get_named_configuration(words)) == spoken


def test_every_command_and_option_explains_itself_in_chinese():
    own = {"Show the version and exit."}  # click's
    assert {en for _, _, zh, en in list_texts(cli) if not HAN.search(zh)} == own
    assert set(get_words("help").values()) - {zh for _, _, zh, _ in list_texts(cli)} == set()


def list_commands(command, words=()):
    yield words
    for name, child in getattr(command, "commands", {}).items():
        yield from list_commands(child, (*words, name))


@pytest.mark.parametrize("words", [*list_commands(cli)], ids=" ".join)
def test_help_is_in_one_language_but_for_the_sentences_of_click(words, capsys):
    assert main(["--lang", "zh", *words, "--help"]) == 0
    stdout_text = capsys.readouterr().out
    for english in OF_CLICK:
        stdout_text = stdout_text.replace(english, "")
    names = r"[\w./|<>=\[\]-]*[A-Z_/.=-][\w./|<>=\[\]-]*|`[^`]*`|--?\w[\w-]*|\[[\w|]+\]"
    without = re.sub(names, "", stdout_text)
    assert not re.search(r"\b(the|of|and|is|default|Show|Options|Usage)\b", without), stdout_text
    assert main(["--lang", "en", *words, "--help"]) == 0
    assert not HAN.search(capsys.readouterr().out)


@pytest.mark.parametrize(
    "words",
    [
        "", "rnu", "run --limt 3", "run --limit x", "run --limit 0", "run --limit", "run nowhere.xlsx",
        "sandbox --rules nowhere", "sandbox --port 99999", "sandbox --faults nowhere", "sandbox --faults .", "sandbox a b",
        "ledger", "ledger backup", "ledger restore x", "config shwo", "--lang fr run", "check --out",
        "run --l 3", "sandbox --rules .", "--foo", "run --yes=3", "sandbox --truth .", "explain",
        "demo --rows -1", "adopt", "retry a b", "resolve --seal-id", "--config nowhere.yaml run", "run -c nowhere.yaml",
    ],
)  # fmt: skip
def test_a_sentence_of_click_has_a_chinese_one_before_it(words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["--lang", "zh", *words.split()] if "fr" not in words else words.split()) in {0, 2}
    printed = capsys.readouterr()
    reported = printed.err + printed.out
    if "fr" not in words:
        assert HAN.search(reported)
        assert "Error: " not in reported
        assert main(["--lang", "en", *words.split()]) in {0, 2}
        assert not HAN.search(capsys.readouterr().err)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("api:\n\tcontract: inline\n", 2),
        ("api: {contract: file_id\nseals: x\n", 2),
        ("a: b: c\n", 1),
        ("- a\nb: c\n", 2),
        ("a: 'open\n", 2),
        ("a: &x 1\nb: *x\n", 2),
        ("a: @x\n", 1),
        ("a: |3x\n", 1),
        ("%YAML 9\n---\n", 1),
    ],
)
def test_faults_of_the_yaml_are_reported_in_chinese(tmp_path, capsys, text, line):
    (tmp_path / "c.yaml").write_text(text, "utf-8")
    assert main(["--lang", "zh", "--config", str(tmp_path / "c.yaml"), "doctor", "--offline"]) == 2
    stderr_text = capsys.readouterr().err.splitlines()[0].replace(str(tmp_path), "")
    assert HAN.search(stderr_text)
    assert not re.search(r"[a-z]{4,}", stderr_text.replace("yaml", "")), stderr_text


WRONG = ("x y", "[]", "{}", "[[1]]", "{a: b}", "null", "1e999", "-1", "1.5", "nan", '""', "9" * 5000)


def nest(values):
    """Return keys of the configuration in one YAML mapping; all have this value."""
    inner = (f"{name}: {nest(value) if isinstance(value, dict) else value}" for name, value in values.items())
    return "{" + ", ".join(inner) + "}"


def test_every_kind_of_wrong_value_is_reported_in_chinese(tmp_path):
    """Each value stands under every key at once: what is wrong has a line for each."""
    english = re.compile(r"\b(should|must|Input|valid|unable|expected|or)\b", re.IGNORECASE)
    reported = set()
    for value in WRONG:
        values = {}
        for *groups, key in list_keys():
            group = values
            for name in groups:
                group = group.setdefault(name, {})
            group[key] = value
        (tmp_path / "c.yaml").write_text(nest(values), "utf-8")
        with pytest.raises(ConfigError) as caught:
            Config.load(tmp_path / "c.yaml", environment={})
        reported |= {*caught.value.render("zh").replace(str(tmp_path), "").splitlines()}
    assert len(reported) > 290
    assert [row for row in reported if english.search(row) or not HAN.search(row)] == []


def test_errors_of_the_system_exist_in_both_languages():
    for number in range(1, 134):
        reported = reason_of(OSError(number, os.strerror(number)))
        assert HAN.search(render_text(reported, "zh"))
        assert not HAN.search(reported)


CHECK = ["--lang", "zh", "--json", "check", "名单𠮷.csv", "--out", "o"]


def assert_console_copes(code, out, err, folder):
    """Names with 𠮷 and · are written as the console can."""
    assert code == 3, err
    assert "Traceback" not in err
    assert ("\\xb7" in err, "\\u201c" in err) == (False, False)
    assert b'"run"' in out
    assert "𠮷田·古丽" in (folder / "o" / "plan.jsonl").read_text("utf-8")


@pytest.fixture
def rare_names(tmp_path):
    """Write a roster with a rare character and a dot in names."""
    (tmp_path / "名单𠮷.csv").write_text("姓名,证件号码\n𠮷田·古丽,1101\n张三,\n", "utf-8")


def test_a_console_of_gbk_gets_chinese(rare_names, tmp_path):
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("LC_", "ESIGN_IMPORT_"))
    }
    environment |= {"PYTHONIOENCODING": "gbk", "LC_ALL": "C.UTF-8", "PYTHONPATH": str(HERE)}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *CHECK],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        check=False,
    )
    stderr_text = done.stderr.decode("gbk")
    assert_console_copes(done.returncode, done.stdout, stderr_text, tmp_path)
    assert "待改" in stderr_text


def test_a_console_without_chinese_gets_english(rare_names, tmp_path, monkeypatch):
    for stream in ("stdout", "stderr"):
        errors = "strict" if stream == "stdout" else "backslashreplace"
        monkeypatch.setattr(sys, stream, io.TextIOWrapper(io.BytesIO(), "ascii", errors))
    monkeypatch.chdir(tmp_path)
    code = main(CHECK)
    out, err = (stream.buffer.getvalue() for stream in (sys.stdout, sys.stderr))
    assert_console_copes(code, out, err.decode("ascii"), tmp_path)
    assert "To correct" in err.decode("ascii")


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
@pytest.mark.parametrize(("spoken", "asked", "again"), [("zh", "创建这些印章，是否继续？ [y/N] ", "请回答 y 或 n。"), ("en", "Create these seals? [y/N] ", "Please answer y or n.")])  # fmt: skip
def test_the_question_is_asked_in_one_language(spoken, asked, again):
    import pty

    code = (
        "from pipeline.cli.app import cli; from pipeline.cli.context import Session;"
        "from pipeline.cli.help import set_language; from pipeline.clock import SystemClock;"
        f"set_language(cli, {spoken!r}); session = Session(clock=SystemClock(), lang={spoken!r});"
        "print(session.confirm('confirm'))"
    )
    ours, theirs = pty.openpty()
    done = subprocess.Popen(
        [sys.executable, "-c", code], stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=HERE
    )
    os.close(theirs)
    os.write(ours, "什么\ny\n".encode())
    out, err = done.communicate()
    os.close(ours)
    shown = err.decode() + out.decode()
    assert asked in shown
    assert again in shown
    assert shown.rstrip().endswith("True")
