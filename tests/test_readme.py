"""The README is compared with the program: help, commands, codes, keys, statuses, exit codes."""

import re
from pathlib import Path

import pytest

from pipeline.cli.app import SECTIONS, cli
from pipeline.config.sections import Guards
from pipeline.config.settings import list_keys
from pipeline.domain.run import EXIT_SEVERITY, Status

REPOSITORY = Path(__file__).parents[1]
READMES = ["README.md", "README.zh-CN.md"]


PAGES = (
    "first-hour",
    "going-live",
    "runbook",
    "upgrading",
    "delivery-promise",
    "unattended",
    "windows",
    "data-and-privacy",
    "rosters",
    "configuration",
    "several-hospitals",
    "several-hosts",
    "postgresql",
    "workers",
    "unknown-rows",
    "python",
    "codes",
)  # of docs/en and docs/zh


def read_pages(language):
    return [(REPOSITORY / "docs" / language / f"{page}.md").read_text("utf-8") for page in PAGES]


@pytest.fixture(params=READMES)
def readme(request):
    """Return the README with the pages that it links to."""
    text = (REPOSITORY / request.param).read_text("utf-8")
    return "\n".join([text, *read_pages("zh" if "zh" in request.param else "en")])


@pytest.mark.parametrize("name", READMES)
def test_the_commands_stand_there_in_the_groups_of_the_help(name):
    text = (REPOSITORY / name).read_text("utf-8")
    groups = [
        re.findall(r"`([a-z]+)`", cell)
        for cell in re.findall(r"^\| (`[a-z]+`[,、].*?) \|", text, re.MULTILINE)
    ]
    assert groups == [[command.name for command in section.commands] for section in SECTIONS]


@pytest.mark.parametrize("name", READMES)
def test_it_is_short(name):
    assert len((REPOSITORY / name).read_text("utf-8").splitlines()) <= 200


def test_every_key_stands_there(readme):
    assert [".".join(key) for key in list_keys() if f"`{'.'.join(key)}`" not in readme] == []


def test_every_guard_stands_there_with_its_default(readme):
    for name, info in Guards.model_fields.items():
        (meaning,) = re.findall(
            rf"^\| `guards\.(?:new_rows`[,、] ?`guards\.)?{name}`.*? \| (.*) \|$", readme, re.MULTILINE
        )
        default = {True: "true", None: "null"}.get(info.default, str(info.default).removesuffix(".0"))
        assert default in meaning.split("：" if "：" in meaning else ":")[0].replace("和", "and").split(), (
            name
        )


def test_every_option_that_stands_there_exists(readme):
    commands = [cli, *cli.commands.values()]
    commands += [inner for command in commands for inner in getattr(command, "commands", {}).values()]
    options = {name for command in commands for option in command.params for name in option.opts}
    of_pip = {
        "--require-hashes",
        "--no-deps",
        "--no-build-isolation",
        "--upgrade",
        "--no-index",
        "--find-links",
        "--strict",  # mypy's
        "--rm",  # docker's
        "--only-binary",
    }
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", readme)) - options - of_pip - {"--help"} == set()


def test_every_status_stands_there(readme):
    assert [status for status in Status if f"| `{status}` |" not in readme] == []


def test_every_exit_code_stands_there(readme):
    table = re.findall(r"^\| ([0-9]+)(?:[,、] ?([0-9]+))? \|", readme, re.MULTILINE)
    listed = {int(code) for pair in table for code in pair if code}
    assert listed == {*EXIT_SEVERITY, 2, 6, 130, 143}


def test_the_sample_configuration_holds_every_key_and_is_accepted():
    from pipeline.config.settings import Config
    from pipeline.config.yaml_loader import read_document

    positions = read_document(REPOSITORY / "config.yaml").positions
    assert [key for key in list_keys() if key not in positions] == []
    assert Config.load(REPOSITORY / "config.yaml", environment={}).api.placeholders == (
        "api.app_id",
        "api.organization_open_id",
        "api.operator_open_id",
    )


DEVELOPERS_PAGES = ["CONTRIBUTING.md", "docs/en/architecture.md", "docs/en/glossary.md"]
USERS_PAGES = [f"docs/{language}/{page}.md" for language in ("en", "zh") for page in PAGES]


@pytest.mark.parametrize("page", [*READMES, *USERS_PAGES, *DEVELOPERS_PAGES])
def test_linked_files_exist(page):
    links = re.findall(r"\]\(([^)#]+)\)", (REPOSITORY / page).read_text("utf-8"))
    folder = (REPOSITORY / page).parent
    assert [link for link in links if not link.startswith("http") and not (folder / link).exists()] == []


def test_every_make_target_stands_there_and_no_other(readme):
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"^([a-z]+):.*##", makefile, re.MULTILINE))
    contributing = (REPOSITORY / "CONTRIBUTING.md").read_text("utf-8")
    assert set(re.findall(r"\| `make ([a-z]+)` \|", contributing)) == targets - {"help"}
    assert set(re.findall(r"(?:`|\$ )make ([a-z]+)", readme + contributing)) <= targets


def test_both_languages_hold_the_same():
    """The same sections, pictures, tables, links, commands and code in the same order."""
    readmes = [(REPOSITORY / name).read_text("utf-8") for name in READMES]
    for en, zh in (readmes, *zip(read_pages("en")[:-1], read_pages("zh")[:-1], strict=True)):
        assert re.findall(r"^(#+) ", en, re.MULTILINE) == re.findall(r"^(#+) ", zh, re.MULTILINE)
        assert _pictures(en) == [name.replace(".zh.", ".en.") for name in _pictures(zh)]
        assert _tables(en) == _tables(zh), "the first cells of a table are names, the same in every language"
        assert _files(en) == _files(zh)
        assert _typed(en) == _typed(zh)
        assert _code(en) == _code(zh)


def _pictures(text):
    return re.findall(r"!\[[^]]*\]\((docs/img/[^)]+)\)", text)


def _tables(text):
    """The code and the numbers in the first column of each table."""
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    first_cells = [re.findall(r"^\| (`[^|]+`|[0-9][^|]*?) \|", table, re.MULTILINE) for table in tables]
    return [[re.findall(r"`[^`]+`|[0-9]+", cell) for cell in cells] for cells in first_cells]


def _files(text):
    links = re.findall(r"\]\(([^)#]+)\)", text)
    return {
        link.replace("/zh/", "/en/")
        for link in links
        if not link.endswith(("README.md", "README.zh-CN.md", ".png"))
    }


def _typed(text):
    """The commands of the console blocks, without their comments."""
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line) for block in blocks for line in block.splitlines()]
    return [line.replace("名单.xlsx", "doctors.xlsx").replace("图片/", "pictures/") for line in lines]


def _code(text):
    """The Python blocks, without their comments and texts."""
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return [re.sub(r"\s*#.*|\"\"\".*?\"\"\"", "", block) for block in blocks]


def test_the_pictures_are_drawn_and_no_other_lies_there():
    shown = {
        Path(entry).name for name in READMES for entry in _pictures((REPOSITORY / name).read_text("utf-8"))
    }
    drawn = {path.name for path in (REPOSITORY / "docs" / "img").glob("*.png")}
    assert shown <= drawn
