"""The help of the program: its sections, its sentences and its width."""

import pytest

from pipeline.cli.app import SECTIONS, cli, main
from pipeline.cli.help import get_summary, list_all_commands, set_language

LANGUAGES = pytest.mark.parametrize("language", ["zh", "en"])


def print_help(capsys, monkeypatch, language, columns, *words):
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["--lang", language, *words]) == 0
    return capsys.readouterr().out


def test_every_command_stands_in_one_section():
    assert [command for section in SECTIONS for command in section.commands] == [*cli.commands.values()]


@LANGUAGES
def test_every_command_is_listed_with_a_whole_sentence_in_one_line_of_80_columns(
    language, capsys, monkeypatch
):
    for name, command in list_all_commands(cli):
        if not hasattr(command, "commands"):
            continue
        set_language(cli, language)
        summaries = {word: get_summary(child) for word, child in command.commands.items()}
        lines = print_help(capsys, monkeypatch, language, 80, *name.split(), "--help").splitlines()
        for child, summary in summaries.items():
            (line,) = [line for line in lines if line.startswith(f"  {child} ")]
            assert line.split(maxsplit=1)[1] == summary
            assert summary.endswith(("。", "."))
            assert not summary.endswith("...")


def test_a_shell_completes_commands_and_options(capsys, monkeypatch):
    monkeypatch.setenv("_ESIGN_IMPORT_COMPLETE", "bash_source")
    assert main([]) == 0
    assert "complete -o nosort" in capsys.readouterr().out
    monkeypatch.setenv("_ESIGN_IMPORT_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_CWORD", "2")
    for begun, offered in (("re", {"resolve", "retry"}), ("--q", {"--quiet"})):
        monkeypatch.setenv("COMP_WORDS", f"esign-import -v {begun}")
        assert main([]) == 0
        lines = capsys.readouterr().out.split()
        assert {line.partition(",")[2] for line in lines} == offered
