"""One catalogue: every word a person reads is in pipeline/messages/*.toml, in both languages, and some code asks for it."""

import ast
import errno
import json
import pickle
import re
import string
from collections import Counter
from collections.abc import Iterator, Mapping
from copy import copy
from functools import cache
from pathlib import Path
from typing import get_args

import pytest
from catalogue_support import ENTRIES, PAIRS, PROBLEM_CODES, load_area
from pydantic_core.core_schema import ErrorType

from pipeline.domain.service_codes import CODES, ResponsibleRole
from pipeline.errors import ConfigError, LedgerError, LedgerUnreachable, reason_of
from pipeline.messages.areas import AREAS, FOLDER, get_words, list_keys
from pipeline.messages.catalogue import dump_text, load_text, make_message
from pipeline.messages.problems import get_problem_kind
from pipeline.messages.service_errors import list_code_advice, list_halts, list_meanings

REPOSITORY = Path(__file__).parents[2]
PIPELINE = REPOSITORY / "pipeline"
MODULES = sorted(PIPELINE.rglob("*.py"))
TEMPLATES = [
    path for package in ("reports", "web") for path in sorted((PIPELINE / package / "templates").glob("*.*"))
]
HAN = re.compile(r"[\u3400-\u9fff\U00020000-\U000323af、。，；：（）]")
LETTERS = re.compile(r"[A-Za-z]{2}")

# modules whose Chinese is read, matched or imitated, never said
READ = (  # what rosters, file names and pictures are written in
    "domain/fields.py",  # and what people call the fields
    "intake/fields/id_number.py",
    "intake/fields/normalize.py",
    "intake/fields/person_name.py",
    "intake/fields/text_fields.py",
    "intake/layout/column_titles.py",
    "intake/layout/header_search.py",
    "intake/layout/other_persons.py",
    "intake/layout/line_classifier.py",
    "intake/layout/skipped_parts.py",
    "intake/pairing/departments.py",
    "intake/pairing/picture_column.py",
    "intake/pairing/file_names.py",
    "intake/readers/detect.py",
    "intake/readers/delimited_text.py",
    "intake/readers/child/html.py",
)
IMITATED = "auto_sign gateway checks actions"  # the stand-in answers as the service does
VOCABULARIES = {
    *READ,
    *(f"sandbox/{name}.py" for name in IMITATED.split()),
    "config/sections.py",  # what a key means stands in its declaration
    "config/settings.py",
    "domain/name_variants.py",  # characters that stand for each other
    "domain/service_codes.py",  # the words of the service, to be recognised
    "esign/contracts.py",  # the refusal of an account without this contract
    "domain/seals.py",  # the same, in a query
    "reports/row_notes.py",  # words of the service's refusals
    "resolution/adopt.py",  # titles of the column of SealIds in other systems' sheets
}
# single texts of this kind in other modules
TEXTS_OF: Mapping[str, str] = {
    "cli/streams.py": "中文",  # to find out whether the console can write Chinese
    "messages/service_errors.py": "。.",  # full stops, to be cut off
    "domain/name_key.py": "[一-鿿]+",  # what needs no folding
    "planning/seal_names.py": "〇一二三四五六七八九",  # of seal names: they are sent
}

# blanks that English alone can fill, because the words in them come from an English parser
ENGLISH_ALONE = {
    "system.unlisted": {"words"},
    "database.unlisted": {"words"},
    "config.syntax": {"why"},
    "faults.not_yaml": {"error"},
}
# English texts that name a language by its own name, a title as it stands in a sheet, an interface as Tencent calls it, or a page of its console
QUOTES_CHINESE = {
    "init.example.values",
    "resolve.no_seal_ids",
    "resolve.seal_ended",
    "resolve_where",
    "resolve_where.ess",
    "settle.choose_seal",
    "settle.contradicting",
    "settle.unknown",
    "step.choose_seal",
    "step.contradicting",
    "step.unknown",
    "code.OperationDenied.WhiteListForbid.todo",
    "HEADER_NOT_FOUND.case_first",
    "HEADER_NOT_FOUND.case_number_row",
    "IMAGE_AMBIGUOUS.case_ward",
    "web.other_language",
}


@cache
def spoken_literals(path: Path) -> tuple[str, ...]:
    """Return the texts of a module that are no docstrings, parts of f-strings among them."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    silent = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    return tuple(
        node.value
        for node in nodes
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in silent
    )


def locate(path: Path) -> str:
    return path.relative_to(PIPELINE).as_posix()


# ---- 1: nobody else speaks Chinese


def test_only_the_catalogue_holds_chinese():
    for path in MODULES:
        if locate(path) not in VOCABULARIES:
            allowed = TEXTS_OF.get(locate(path))
            spoken = [text for text in spoken_literals(path) if HAN.search(text) and text != allowed]
            assert spoken == [], locate(path)


def test_each_vocabulary_module_holds_chinese():
    for name in VOCABULARIES:
        assert any(HAN.search(text) for text in spoken_literals(PIPELINE / name)), name


def test_a_text_of_another_kind_is_still_there():
    for name, text in TEXTS_OF.items():
        assert text in spoken_literals(PIPELINE / name), name


def test_page_templates_hold_no_chinese():
    for path in TEMPLATES:
        assert not re.search(r"[\u3400-\u9fff]", path.read_text("utf-8")), path.name


# ---- 2: every entry is whole in both languages


def blanks(text: str) -> Counter[str]:
    return Counter(
        f"{name}!{turn}:{form}" for _, name, form, turn in string.Formatter().parse(text) if name is not None
    )


def names(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_the_catalogue_is_found():
    assert len(PAIRS) > 1000
    assert {"no_config", "sheet.fix", "verdict.sealed", "config.value", "FILE_EMPTY"} <= {
        key for key, _, _ in PAIRS
    }


def test_an_entry_has_the_same_blanks_in_both_languages():
    for key, zh, en in PAIRS:
        assert zh.strip(), key
        assert en.strip(), key
        alone = ENGLISH_ALONE.get(key, set())
        missing = (names(en) - names(zh)) & alone
        in_english = {blank for blank in blanks(en) if blank.split("!")[0] not in missing}
        is_for_one = en == ENTRIES.get(key, {}).get("en_one")
        assert set(blanks(zh)) == in_english | ({"n!None:"} if is_for_one else set()), key
        assert key in QUOTES_CHINESE or not HAN.search(re.sub(r"\{\w*\}", "", en)), key
        shown = re.sub(r"\{[^{}]*\}", "", zh)
        assert HAN.search(shown) or zh == en or not LETTERS.search(shown), key


# counts that are never one: of what is several, or far above one
ALWAYS_SEVERAL = {
    "age.days",
    "note.tables",
    "same_in_runs",
    "review_page.warn.same_name",
    "review_page.warn.same_name_only",
}


def test_a_count_has_a_text_for_one():
    """A noun after the count is plural, so a count of one needs a text of its own; no text evades it by "Rows: 1"."""
    for key, words in ENTRIES.items():
        is_plural = re.search(r"\{n\} (?:more )?[a-z]+s\b", words["en"])
        assert not is_plural or "en_one" in words or key in {*ALWAYS_SEVERAL, "unit.ms"}, key
        assert not re.match(r"[A-Z][a-z ]+: \{n\}[.;]", words["en"]), key
        if "en_one" in words:
            assert "{n}" in words["en"], key


def test_a_count_of_one_is_singular_in_english_alone():
    one, two = make_message("next.run", n=1), make_message("next.run", n=2)
    assert one == "1 row passed the check. To send it:"
    assert two == "2 rows passed the check. To send them:"
    assert load_text(json.loads(json.dumps(dump_text(one)))) == one
    assert one.render("zh") == two.render("zh").replace("2", "1")


def test_no_key_stands_twice():
    """Within a file TOML itself refuses it."""
    keys = Counter(key for area in AREAS for key in load_area(area))
    assert [key for key, times in keys.items() if times > 1] == []


@pytest.mark.parametrize("area", AREAS)
def test_an_entry_that_is_read_alone_is_that_of_the_whole_file(area):
    entries = load_area(area)
    assert sorted(list_keys(area)) == sorted(entries)
    assert {key: get_words(key) for key in entries} == entries


def test_every_file_is_read():
    assert sorted(AREAS) == sorted(path.stem for path in FOLDER.glob("*.toml"))


def test_the_parts_of_a_sentence_are_in_its_language():
    full = LedgerError(
        "ledger.not_written", path="l", why=reason_of(OSError(errno.ENOSPC, "No space left on device"))
    )
    for error in (full, copy(full), pickle.loads(pickle.dumps(full))):
        assert error.render("zh").startswith("无法写入台账 l（磁盘已满）")
        assert str(error) == error.render("en")
        assert str(error).startswith("The ledger l could not be written (the disk is full)")
    unreachable = LedgerUnreachable.of(OSError(errno.ENOSPC, "", "/ledger"))
    assert copy(unreachable).render("zh") == unreachable.render("zh")
    many = ConfigError([make_message("config.no_mapping", path="a"), make_message("config.near", name="b")])
    assert many.render("zh") == "a：内容必须是“键: 值”\n；是不是 b？"


# ---- 3: what is asked for is there, and what is there is asked for

REVIEW = "review_page."  # `render_review` puts it before its keys
LOOKED_UP = [area for area in AREAS if area not in {"help", "problems", "service_errors"}]
# that look a key up
FUNCTIONS = {"make_message", "render", "get_words", "get_pair"}
METHODS = {"render", "render_sentence"}  # of a presenter and of a command's session
SPEAKERS = {  # further methods of a session
    "inform",
    "alert",
    "print_text",
    "suggest_command",
    "suggest_same_command",
    "confirm",
}
HELPERS = {
    "_file_error",
    "_add_fault",
    "_step_with_arguments",
    "make_damage_refusal",
    "make_danger_refusal",
    "make_fault",
    "_Refused",
}  # what hands a key on
KEY = re.compile(r"[a-z]+(\.[a-z_]+)+")


def errors_of_ours() -> set[str]:
    tree = ast.parse((PIPELINE / "errors.py").read_text("utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.ClassDef)} - {
        "ConfigError",
        "FileRefused",
    }


FUNCTIONS |= errors_of_ours() | {"SumsError"} | HELPERS


def literals(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.IfExp):
        yield from literals(node.body)
        yield from literals(node.orelse)
    else:
        yield node


def asked(path: Path) -> Iterator[tuple[ast.expr, ast.Call]]:
    """Yield every call of a module that asks for a word: its key as written, and the call."""
    speakers = METHODS | (SPEAKERS if locate(path).startswith("cli/") else set())
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Call(func=ast.Name(id=name) | ast.Attribute(attr=name)) if (
                name in HELPERS
            ):  # a place may stand before the key
                keys = [arg for arg in node.args if KEY.fullmatch(str(getattr(arg, "value", "")))]
            case ast.Call(func=ast.Name(id=name)) if name in FUNCTIONS:
                keys = node.args[:1]
            case ast.Call(func=ast.Attribute(attr=name)) if name in speakers:
                keys = node.args[:1]
            case _:
                continue
        for key in (key for arg in keys for key in literals(arg)):
            if getattr(key, "value", "") not in {"zh", "en"}:  # a language is no key
                yield key, node


def test_every_word_that_is_asked_for_is_there():
    for path in MODULES:
        for key, call in asked(path):
            where = f"{locate(path)}, line {key.lineno}"
            if isinstance(key, ast.Constant):
                if key.value in list_keys("help"):  # whole tables from English to Chinese
                    continue
                assert key.value in ENTRIES, where
                filled = {keyword.arg for keyword in call.keywords}
                is_filled_here = ast.unparse(call.func) not in {"get_words", "get_pair"}
                if is_filled_here and None not in filled:
                    words = ENTRIES[key.value]
                    assert names(words["en"]) | names(words["zh"]) <= filled, f"{where}: {key.value}"
            elif isinstance(key, ast.JoinedStr) and isinstance(key.values[0], ast.Constant):
                prefix = key.values[0].value
                assert any(entry.startswith(prefix) for entry in ENTRIES), where


def test_the_search_for_keys_covers_the_modules():
    asking = sum(1 for path in MODULES for _ in asked(path))
    assert asking > 300


def shapes(path: Path) -> Iterator[str]:
    """Yield what a module's f-strings and sums of strings make, as patterns: their blanks are groups."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [
                re.escape(value.value) if isinstance(value, ast.Constant) else "(.+)" for value in node.values
            ]
            yield "".join(parts)
        elif (
            isinstance(node, ast.BinOp)
            and isinstance(node.left, ast.Constant)
            and isinstance(node.op, ast.Add)
        ):
            yield re.escape(str(node.left.value)) + "(.+)"


@cache
def list_message_texts() -> frozenset[str]:
    """Return the texts of all modules; not at import, which every process of a run of the tests does."""
    return frozenset(text for path in MODULES for text in spoken_literals(path))


PAGES = "".join(path.read_text("utf-8") for path in TEMPLATES)
IN_PAGES = set(re.findall(r"""["'](\w[\w.]*)["']|words\.(\w+)""", PAGES))


@cache
def list_known_words() -> frozenset[str]:
    """Return what stands somewhere as it is: in a module, a page or the ledger."""
    in_pages = {word for result in IN_PAGES for word in result}
    return list_message_texts() | in_pages | set(get_args(ResponsibleRole))


@cache
def list_shapes() -> frozenset[str]:
    """Return the patterns of the keys that are put together."""
    of_modules = (shape for path in MODULES for shape in shapes(path))
    return frozenset(
        {
            *(shape for shape in of_modules if re.match(r"[a-z]+(\\\.|_)", shape)),
            *(re.escape(head) + "(.+)" for head in re.findall(r"'([a-z.]+\.)' \+", PAGES)),
            r"halt\.(.+)",  # asked for in the catalogue itself (`halt_word`)
        }
    )


OF_PYDANTIC = "config.pydantic."  # its kinds of error stand in no text of ours
# by pydantic, by the system's and SQLite's error names, in the catalogue itself
ASKED_FOR_ELSEWHERE = (OF_PYDANTIC, "system.", "database.", "halted.same_names")


def is_asked_for(key: str) -> bool:
    """Return whether a key stands somewhere as it is, or is put together of a head and words that stand somewhere."""
    if key.startswith("stray."):
        key = key.removesuffix(".reason")
    put_together = (re.fullmatch(shape, key) for shape in list_shapes())
    known = list_known_words()
    return (
        key in known
        or key.startswith(ASKED_FOR_ELSEWHERE)
        or any(result and all(part in known for part in result.groups()) for result in put_together)
    )


def test_every_word_that_is_there_is_asked_for():
    for area in LOOKED_UP:
        keys = (key.removeprefix(REVIEW) for key in load_area(area))
        assert [key for key in keys if not is_asked_for(key)] == [], area


def list_words_of_details() -> set[str]:
    """Return the names of all arguments and the keys of all dictionaries that modules write."""
    trees = [ast.parse(path.read_text("utf-8")) for path in MODULES]
    arguments = {node.arg for tree in trees for node in ast.walk(tree) if isinstance(node, ast.keyword)}
    return {name for name in arguments if name} | list_message_texts()


def test_every_case_of_a_problem_can_come():
    words = list_words_of_details()
    for key in load_area("problems"):
        code, *rest = key.split(".")
        assert code in PROBLEM_CODES, key
        marks = [mark for mark in rest if mark not in {"label", "other_severity"}]
        for mark in marks:
            kind, _, word = mark.partition("_")
            assert kind in {"case", "if"}, key
            assert word in words, key
        assert "docs" not in load_area("problems")[key] or marks, key
    assert any(get_problem_kind(code).cases for code in PROBLEM_CODES)


def test_a_part_of_a_sentence_has_its_blank_in_the_sentence():
    for key, words in load_area("problems").items():
        sentence, has_part, word = key.rpartition(".if_")
        if has_part:
            assert all(f"{{{word}}}" in ENTRIES[sentence][language] for language in ("zh", "en")), key
            assert names(words["zh"]) == names(words["en"]) == {word}, key


def test_what_to_do_belongs_to_a_meaning():
    area = load_area("service_errors")
    for key, words in area.items():
        if key.endswith(".todo"):
            assert key.removesuffix(".todo") in area, key
        elif not key.startswith("advice."):
            assert words.get("todo", f"{key}.todo") in area, key


def test_no_entry_of_the_catalogue_is_unused():
    assert set(PROBLEM_CODES) - list_message_texts() == set()
    assert {key for key in ENTRIES if key.startswith("halt.")} == {f"halt.{code}" for code in list_halts()}
    assert set(list_halts()) - list_message_texts() == set()
    assert set(list_code_advice()) - set(CODES) == set()
    assert set(list_meanings()) == set(CODES.values())
    kinds = {key.removeprefix(OF_PYDANTIC) for key in ENTRIES if key.startswith(OF_PYDANTIC)}
    assert kinds - {*get_args(ErrorType), "path_type"} == set()  # the last is made in pydantic itself


LOWER_CASE_WORD = re.compile(r"\b(?!zip|esign|import|results|xlsx|xlsb|odt|fods|heic)[a-z]{3,}\b")
REFUSALS = ("Refused", "Unreadable", "DamagedImage", "UnsupportedImage", "Unusable", "SkippedFile")


def list_plain_texts(call: ast.Call) -> Iterator[str]:
    """Yield the strings that a call passes on, what is filled in as ``{}``; keyword names and codes are none."""
    values = [keyword.value for keyword in call.keywords] + list(call.args)
    for passed in (
        *values,
        *(item for value in values if isinstance(value, ast.Dict) for item in value.values),
    ):
        if isinstance(passed, ast.Constant):
            yield str(passed.value)
        elif isinstance(passed, ast.JoinedStr):
            yield "".join(
                str(part.value) if isinstance(part, ast.Constant) else "{}" for part in passed.values
            )


def test_a_refusal_passes_on_keys_and_no_english_sentence():
    for path in (path for path in MODULES if locate(path).startswith("intake/")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(REFUSALS):
                plain = (text for text in list_plain_texts(node) if text not in ENTRIES)
                english = [text for text in plain if LOWER_CASE_WORD.search(text)]
                assert english == [], f"{locate(path)}, line {node.lineno}"
