"""Words that the code no longer uses: docs/en/glossary.md holds the ones it uses instead."""

import ast
import io
import re
import tokenize
from pathlib import Path

from source_trees import list_nodes

REPOSITORY = Path(__file__).parents[1]
PIPELINE = REPOSITORY / "pipeline"

# a name of a variable, parameter, attribute, function, class or module is none of these
RETIRED_NAMES = re.compile(
    r"ask|aside|at|beside|blips|desk|doors|each|evening|found|gallery|left|life|manner|"
    r"meet|night|past|place|said|shelf|spool|stands|standing|stood|stray|strays|"
    r"surroundings|tails|tally|tells|told|twins|undone|walk|wiring|world"
)
# nor one of these in the program: a mark is what the marked copy of a roster has
RETIRED_PROGRAM_NAMES = re.compile(r"(?:find_|_find_)\w+|marks?|\w*_marks?|mark_\w+|\w*Marks?")
ALLOWED_PROGRAM_NAMES = {"mark_faults", "remove_marks"}
# names in tests that are no words of ours -> why
ALLOWED_NAMES = {("tests/end_to_end/test_sent_pixels.py", "left"): "the left edge of a rectangle"}
# no name has one of these as a part between underscores
RETIRED_PARTS = re.compile(r"beside|desk|evening|fence|night|nobody|somebody|stood|told|twins|undone|whoever")
# no comment and no docstring holds one of these
RETIRED_TEXT = re.compile(
    r"\b(?:aside|ballast|blips?|desk|evening|fences?|gauntlet|house test|nights?|nobody|somebody|says|stood|tells?|told|twins|whoever)\b",
    re.IGNORECASE,
)


def list_names(path: Path) -> set[str]:
    """Return every name that a module binds."""
    names: set[str] = set()
    for node in list_nodes(path):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.add(name)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.alias(asname=str(name)):
                names.add(name)
            case ast.Attribute(attr=name, ctx=ast.Store()) | ast.MatchAs(name=str(name)):
                names.add(name)
            case _:
                pass
    return names


def list_texts(path: Path) -> list[str]:
    """Return the comments and the docstrings of a module."""
    texts = [
        token.string
        for token in tokenize.generate_tokens(io.StringIO(path.read_text("utf-8")).readline)
        if token.type == tokenize.COMMENT
    ]
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return texts + [
        ast.get_docstring(node) or "" for node in list_nodes(path) if isinstance(node, documented)
    ]


def find_retired_names(path: Path) -> list[str]:
    """Return the retired words among a module's own name and the names it binds."""
    names = {name.strip("_") for name in {path.stem, *list_names(path)}}
    return sorted(
        name
        for name in names
        if RETIRED_NAMES.fullmatch(name) or any(map(RETIRED_PARTS.fullmatch, name.lower().split("_")))
    )


def find_retired_words(path: Path) -> list[str]:
    """Return the retired words of one module: its own name, the names it binds, its comments and docstrings."""
    return find_retired_names(path) + [
        hit[0] for text in list_texts(path) for hit in RETIRED_TEXT.finditer(text)
    ]


def test_no_retired_word_is_left():
    retired = {
        path.relative_to(REPOSITORY).as_posix(): find_retired_words(path) for path in PIPELINE.rglob("*.py")
    }
    assert {path: words for path, words in retired.items() if words} == {}


def test_no_retired_name_is_left_in_tests_and_tools():
    names = {
        (path.relative_to(REPOSITORY).as_posix(), name)
        for folder in ("tests", "bench", "tools", "docs", "sample_data")
        for path in (REPOSITORY / folder).rglob("*.py")
        for name in find_retired_names(path)
    }
    assert names == ALLOWED_NAMES.keys()


def test_no_name_of_the_program_is_a_mark_or_finds_something():
    names = {name for path in PIPELINE.rglob("*.py") for name in list_names(path)}
    assert {name for name in names if RETIRED_PROGRAM_NAMES.fullmatch(name)} <= ALLOWED_PROGRAM_NAMES


def test_a_retired_word_is_found(tmp_path):
    module = tmp_path / "night.py"
    module.write_text(
        '"""Nobody tells."""\n\n\ndef told(place):  # the night\n    for each in place:\n        beside_it = each\n'
    )
    assert find_retired_words(module) == [
        "beside_it",
        "each",
        "night",
        "place",
        "told",
        "night",
        "Nobody",
        "tells",
    ]
