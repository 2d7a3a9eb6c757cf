"""The pages that are made from the catalogues are those that are committed, and leave no code out."""

import importlib.util
import re
import string
import tomllib
from pathlib import Path

import pytest
from catalogue_support import PROBLEM_CODES

from bench.several_hosts import print_paper
from pipeline.config.settings import COLUMN_WORDS
from pipeline.domain.roster import Field
from pipeline.domain.service_codes import CODES
from pipeline.ledger.tables import VERSION
from pipeline.messages.areas import get_words, is_known
from pipeline.messages.problems import (
    build_problem,
    get_problem_kind,
    render_problem,
    split_remedy,
)
from pipeline.messages.service_errors import (
    get_advice,
    is_known_code,
    list_answers,
    list_code_advice,
    list_halts,
    list_meanings,
)
from pipeline.version import __version__

REPOSITORY = Path(__file__).parents[1]
ADVICE = {**list_meanings(), **list_code_advice(), **list_answers(), **list_halts()}
HAN = re.compile("[一-鿿]")
INTERFACE = "创建导入处方单个人印章"  # an account manager knows it by this name alone


def load_script(name):
    spec = importlib.util.spec_from_file_location(f"docs_{name}", REPOSITORY / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def codes():
    return load_script("codes")


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_committed_page_is_the_one_that_is_made(codes, language):
    assert codes.path(language).read_text("utf-8") == codes.page(language), "run make docs"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_code_stands_on_the_page(codes, language):
    page = codes.page(language)
    assert [
        code for code in (*PROBLEM_CODES, *CODES, *list_answers(), *list_halts()) if f"`{code}`" not in page
    ] == []
    assert "{" not in page, "no blank is left to fill in"


@pytest.mark.parametrize(
    "wrong",
    [
        r"(revoke|disable) (it|the seal) in the console|在控制台(撤销|停用)",  # personal seals: the account manager does
        r"[Nn]either this program nor the API|本程序和接口都不能",  # no call is documented, which is less
        r"The service refuses a seal name that exists|\(Tencent refuses that name",  # not documented for this call
    ],
)
def test_no_text_promises_what_no_document_of_the_service_states(wrong):
    paths = [
        *REPOSITORY.glob("*.md"),
        *REPOSITORY.glob("docs/*/*.md"),
        *REPOSITORY.glob("pipeline/messages/*.toml"),
    ]
    assert len(paths) > 50
    texts = {path: " ".join(path.read_text("utf-8").split()) for path in paths if path.name != "CHANGELOG.md"}
    assert [path for path, text in texts.items() if re.search(wrong, text)] == []


def test_every_advice_names_actor_cause_and_cure_in_both_languages():
    for code, advice in ADVICE.items():
        assert is_known(f"who.{advice.who}"), code
        for message in (advice.meaning.render, advice.todo.render):
            assert HAN.search(message("zh")), code
            assert message("zh").endswith("。"), code
            assert not HAN.search(message("en").replace(INTERFACE, "")), code
            assert message("en").endswith("."), code


@pytest.mark.parametrize(
    ("code", "who", "rerun"),
    [
        ("RequestLimitExceeded", "nobody", "itself"),
        ("AuthFailure.SignatureExpire", "it", "after"),
        ("OperationDenied.WhiteListForbid", "tencent", "after"),
        ("InvalidParameter.CardNumber", "clerk", "after"),
        ("FailedOperation.ExistSameSealName", "it", "held"),
        ("OperationDenied.AlreadyHas", "it", "held"),
        ("InternalError.DbInsert", "it", "held"),
        ("http_504", "it", "held"),
        ("SomethingNobodyHasSeen.Yet", "it", "held"),
    ],
)
def test_the_actor_of_a_code_and_whether_a_rerun_helps(code, who, rerun):
    advice = get_advice(code)
    assert (advice.who, advice.rerun) == (who, rerun)
    assert is_known_code(code) == (code != "SomethingNobodyHasSeen.Yet")


def test_what_may_have_made_a_seal_is_never_sent_again():
    doubtful = [code for code, meaning in CODES.items() if meaning == "unknown"]
    assert {get_advice(code).rerun for code in doubtful} == {"held"}


@pytest.mark.parametrize("code", PROBLEM_CODES)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_message_names_the_cell_what_was_found_and_what_to_do(code, language):
    kind = get_problem_kind(code)
    cases = [(kind.severity, code, {})]
    cases += [(kind.severity, f"{code}.case_{word}", {word: "7"}) for word in kind.cases]
    if is_known(other := f"{code}.other_severity"):
        cases.append(("error" if kind.severity == "warning" else "warning", other, {}))
    for severity, key, detail in cases:
        sentence = get_words(key)[language]
        blanks = {name for _, name, _, _ in string.Formatter().parse(sentence) if name} - {"cell"}
        words = {name: f"<{name}>" for name in blanks} | detail
        message = render_problem(
            build_problem(code, Field.NUMBER, "C12", severity=severity, **words), language
        )
        if "row" not in blanks:  # of a header the message names the row, and finds the cells
            assert "C12" in message
        assert [words[name] for name in blanks if words[name] not in message] == []
        if severity == "error":
            assert split_remedy(sentence)[1], "what to do"


# sentences that no page of the service bears out -> what stands there now
@pytest.mark.parametrize(
    ("language", "wrong", "right"),
    [
        ("zh", "创建个人处方签印章", INTERFACE),
        ("zh", "(?<!原)自动签", "授权签（原自动签）"),
        ("en", "seal_image_compress", "Make the picture smaller, then retry"),
        (
            "en",
            "switch enable_auto_sign off",
            "with contract: inline you can also set api.enable_auto_sign: false",
        ),
        ("en", "a minor cannot have a seal", "under the legal age"),
        ("en", "The uploaded picture has expired", "An id in the request was not accepted"),
        ("en", "may not manage seals", "The operator has insufficient permissions"),
    ],
)
def test_a_sentence_without_a_source_is_gone(language, wrong, right):
    pages = [REPOSITORY / "docs" / language / "codes.md"]
    pages += [REPOSITORY / "README.zh-CN.md"] if language == "zh" else []
    message = "\n".join(page.read_text("utf-8") for page in pages)
    assert not re.search(wrong, message)
    assert right in message


@pytest.mark.parametrize(("language", "title"), [("en", "version of the schema"), ("zh", "结构版本")])
def test_the_version_of_the_schema_is_that_of_the_ledger(language, title):
    text = (REPOSITORY / "docs" / language / "upgrading.md").read_text("utf-8")
    (stated,) = re.findall(rf"^\| {title} \| ([0-9]+)", text, re.MULTILINE)
    assert int(stated) == VERSION


def test_the_version_has_its_section():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    changes = (REPOSITORY / "CHANGELOG.md").read_text("utf-8")
    assert project["version"] == __version__
    versions = re.findall(r"^## \[([0-9.]+)\] - [0-9-]{10}$", changes, re.MULTILINE)
    assert versions[0] == __version__


def test_the_keys_are_published_as_they_are_declared():
    keys = load_script("keys")
    assert keys.CONFIG.read_text("utf-8") == keys.render_sample(), "run make docs"
    for language in ("zh", "en"):
        assert keys.page(language).read_text("utf-8") == keys.render_page(language), "run make docs"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_on_the_configuration_lists_every_field_that_a_column_can_have(language):
    page = (REPOSITORY / "docs" / language / "configuration.md").read_text("utf-8")
    (entry,) = re.findall(r"^\| `columns` \|.*$", page, re.MULTILINE)
    assert set(COLUMN_WORDS) - set(re.findall(r"`(\w+)`", entry)) == set()


def test_the_architecture_names_every_package():
    text = (REPOSITORY / "docs" / "en" / "architecture.md").read_text("utf-8")
    packages = {path.parent.name for path in (REPOSITORY / "pipeline").glob("*/__init__.py")}
    assert {name for name in packages if f"[{name}]" not in text} == set()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_on_several_hosts_has_the_figures_that_are_computed(language, capsys):
    """Every row that bench/several_hosts.py prints stands on the page."""
    print_paper()
    rows = [
        re.findall(r"[0-9.]+", line) for line in capsys.readouterr().out.splitlines() if line.startswith("|")
    ]
    figures = {tuple(row) for row in rows if row}
    page = (REPOSITORY / "docs" / language / "several-hosts-sizing.md").read_text("utf-8")
    assert figures - {tuple(re.findall(r"[0-9.]+", line)) for line in page.splitlines()} == set()
