"""Every command, key, code and exit code that a page names is one of the program's; every page is linked and short."""

import importlib.util
import re
import shlex
from pathlib import Path

import click
import pytest
from catalogue_support import PROBLEM_CODES
from ruamel.yaml import YAML

from pipeline.cli.app import cli
from pipeline.cli.context import Session
from pipeline.clock import SystemClock
from pipeline.config.settings import list_keys
from pipeline.domain.run import EXIT_SEVERITY
from pipeline.domain.service_codes import CODES
from pipeline.messages.service_errors import list_answers, list_halts

REPOSITORY = Path(__file__).parents[1]
LANGUAGES = ("en", "zh")
ENGLISH_ONLY = {"architecture.md", "glossary.md"}  # for developers
USERS_PAGES = sorted(
    [
        *(REPOSITORY / name for name in ("README.md", "README.zh-CN.md")),
        *(
            path
            for language in LANGUAGES
            for path in (REPOSITORY / "docs" / language).glob("*.md")
            if path.name not in ENGLISH_ONLY
        ),
    ]
)
LONGEST = 125  # lines of a page that is read from top to bottom
REFERENCE = {"codes.md", "configuration.md", "performance.md"}
EXIT_CODES = {*EXIT_SEVERITY, 2, 6, 130, 143}
KEYS = {".".join(key[:end]) for key in list_keys() for end in range(1, len(key) + 1)}
LEAVES = {key.rsplit(".", 1)[-1] for key in KEYS}
SECTIONS = {key.split(".")[0] for key in KEYS if "." in key}
CODES_OF_OURS = {*PROBLEM_CODES, *list_answers(), *list_halts()}
NO_CODES = ("ESIGN_IMPORT_", "TENCENTCLOUD_", "TKE_", "REQUIRE_")  # variables of the environment
OTHER_WORDS = {
    *(
        "NO_COLOR",
        "FORCE_COLOR",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "CREDENTIALS_DIRECTORY",
        "XDG_STATE_HOME",
    ),
    *("E_PRESCRIPTION_AUTO_SIGN", "OTHER_CARD_TYPE"),
}


def read_pages():
    """Yield the name and the text of every page."""
    for path in USERS_PAGES:
        yield path.relative_to(REPOSITORY).as_posix(), path.read_text("utf-8")


def list_typed_commands(text):
    """Yield the words behind `esign-import` of each line of a console block."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            for command in re.sub(r"\s+#.*", "", line).removeprefix("$ ").split(" && "):
                program, *words = shlex.split(command)
                if program == "esign-import":
                    yield words


def list_spans(text):
    """Yield the code in running text, and in the cells of tables."""
    plain = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", plain)


def parse_words(words, *, is_whole):
    """Parse a command line as the program does; a command that is only mentioned may lack its arguments."""
    session = Session(clock=SystemClock())
    command, name, parent = cli, "esign-import", None
    try:
        while True:
            parent = command.make_context(name, list(words), parent=parent, obj=session)
            if not isinstance(command, click.Group):
                return
            words = [*parent._protected_args, *parent.args]
            if not words and not is_whole:
                return
            name, command, words = command.resolve_command(parent, words)
    except click.exceptions.Exit:
        return  # --version, --help
    except click.MissingParameter:
        assert not is_whole, words
    except click.exceptions.NoArgsIsHelpError:
        assert not is_whole, words


def test_each_line_of_a_console_block_is_a_command_of_the_program():
    lines = [words for _, page in read_pages() for words in list_typed_commands(page)]
    assert len(lines) > 50
    for words in lines:
        parse_words(words, is_whole=True)


def test_each_command_in_a_sentence_exists():
    for span in sorted({span for _, page in read_pages() for span in list_spans(page)}):
        words = [
            "1" if word == "N" else word
            for word in re.sub(r"\s*\|\s*", " ", span.split(" | Out-")[0]).split()
        ]
        if words[:1] == ["esign-import"]:
            words = words[1:]
        elif len(words) < 2 or words[0] not in cli.commands:
            continue
        if "…" not in span and words[:1] not in (["COMMAND"], ["命令"]):
            parse_words(words, is_whole=False)


def test_each_key_exists():
    for _, page in read_pages():
        require_known_keys(page)


def require_known_keys(page):
    """Fail unless the program has each key that the page names."""
    for span in list_spans(page):
        if match := re.fullmatch(r"([a-z_]+(?:\.[a-z_]+)*): .+", span):
            assert match[1] in KEYS | LEAVES, span
        elif match := re.fullmatch(r"([a-z_]+)\.([a-z_]+)", span):
            assert match[1] not in SECTIONS or span in KEYS, span
    for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL):
        values = YAML(typ="safe").load(block)
        keys = {
            f"{name}.{inner}"
            for name, value in values.items()
            if name in SECTIONS and isinstance(value, dict)
            for inner in value
        }
        assert (keys | values.keys()) - KEYS == set()


def test_each_code_exists():
    for span in sorted({span for _, page in read_pages() for span in list_spans(page)}):
        if re.fullmatch(r"[A-Z0-9]+(_[A-Z0-9]+)+", span) and not span.startswith(NO_CODES):
            assert span in CODES_OF_OURS | OTHER_WORDS, span
        elif re.fullmatch(r"[A-Z][A-Za-z]+\.[A-Z][A-Za-z]+", span):
            assert span in CODES, span


def test_each_exit_code_exists():
    for name, page in read_pages():
        mentioned = re.findall(r"(?:[Ee]xit(?:s| code)?(?: of)?|退出码(?:为|是)?) ?([0-9]+)", page)
        assert {int(code) for code in mentioned} <= EXIT_CODES, name


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_index_links_every_page(language):
    folder = REPOSITORY / "docs" / language
    pages = {path.name for path in folder.glob("*.md")} - {"README.md"}
    assert pages == {path.name for path in (REPOSITORY / "docs" / "zh").glob("*.md")} - {"README.md"} | (
        ENGLISH_ONLY if language == "en" else set()
    )
    links = {
        Path(link).name for link in re.findall(r"\]\(([^)#]+)\)", (folder / "README.md").read_text("utf-8"))
    }
    assert pages <= links


def test_a_page_that_is_read_whole_is_short():
    pages = [path for path in USERS_PAGES if path.parent != REPOSITORY and path.name not in REFERENCE]
    assert [path.name for path in pages if path.read_text("utf-8").count("\n") > LONGEST] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_runbook_holds_every_exit_code_and_the_tables_that_are_made(language):
    spec = importlib.util.spec_from_file_location("docs_codes", REPOSITORY / "docs" / "codes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.path(language, "runbook").read_text("utf-8")
    assert text == module.fill_runbook(text, language), "run make docs"
    rows = re.findall(r"^\| ([0-9]+)(?:[,、] ?([0-9]+))? \|", text, re.MULTILINE)
    assert {int(code) for row in rows for code in row if code} == EXIT_CODES
    assert [code for code in list_halts() if f"| `{code}` |" not in text] == []
    assert [
        code for code, advice in list_halts().items() if advice.who == "it" and code not in module.TYPED
    ] == []


def test_the_glossary_is_short():
    text = (REPOSITORY / "docs" / "en" / "glossary.md").read_text("utf-8")
    assert 30 <= len(re.findall(r"^\| (?!word |---)", text, re.MULTILINE)) <= 45
