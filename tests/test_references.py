"""Names that docstrings mention, and names that tests and scripts import (mypy reads pipeline/ alone), exist."""

import ast
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from source_trees import list_nodes, parse_module

REPOSITORY = Path(__file__).parents[1]
PIPELINE = sorted((REPOSITORY / "pipeline").rglob("*.py"))
SCRIPTS = [
    path
    for folder in ("tests", "bench", "tools", "docs", "sample_data")
    for path in (REPOSITORY / folder).rglob("*.py")
]
ROOTS = [REPOSITORY / folder for folder in (".", "tests", "tests/support", "tools", "bench", "sample_data")]
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
MENTIONED = re.compile(r"(?<!`)`{1,2}([A-Za-z_][\w.]*(?:\(\))?)`{1,2}(?!`)")


@cache
def get_module_path(name: str) -> Path | None:
    """Return the file of a module of ours, or the folder of a package without one."""
    for root in ROOTS:
        path = root / name.replace(".", "/")
        for candidate in (path.with_suffix(".py"), path / "__init__.py", path):
            if candidate.exists():
                return candidate
    return None


def list_bindings(body: list[ast.stmt]) -> Iterator[str]:
    """Yield the names that statements bind, those of functions and classes within them left out."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((alias.asname or alias.name).split(".")[0] for alias in aliases)
            case _:
                inner = (part for part in ast.walk(node) if isinstance(part, ast.Name | ast.alias))
                yield from (
                    part.id if isinstance(part, ast.Name) else part.asname or part.name for part in inner
                )


@cache
def get_bindings(module: Path) -> frozenset[str]:
    if module.is_dir():
        return frozenset()
    return frozenset(list_bindings(parse_module(module).body))


@cache
def is_importable(module: str, name: str) -> bool:
    """Return whether a module has a name, which may be a module below it; one that is not ours is not looked into."""
    path = get_module_path(module)
    if path is None:
        library = module.partition(".")[0]
        return get_module_path(library) is None and importlib.util.find_spec(library) is not None
    names = get_bindings(path) | {"__path__"}
    return name in names or "__getattr__" in names or get_module_path(f"{module}.{name}") is not None


def list_imported(path: Path) -> Iterator[tuple[str, str]]:
    """Yield (module, name) for what a script imports from modules, and what it reads of imported modules of ours."""
    modules: dict[str, str] = {}
    attributes: list[tuple[str, str]] = []
    for node in list_nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module, alias.name
                if get_module_path(f"{node.module}.{alias.name}"):
                    modules[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            attributes.append((node.value.id, node.attr))
    yield from ((modules[owner], name) for owner, name in attributes if owner in modules)


def test_every_name_that_a_test_or_a_script_imports_exists():
    missing = {
        f"{path.relative_to(REPOSITORY)}: {module}.{name}"
        for path in SCRIPTS
        for module, name in list_imported(path)
        if not is_importable(module, name)
    }
    assert missing == set()


def list_known_names() -> tuple[set[str], set[str]]:
    """Return the classes of pipeline/, and every name and every word of a text constant."""
    classes, names = set(), {path.name for path in PIPELINE}
    for node in (node for path in PIPELINE for node in list_nodes(path)):
        match node:
            case ast.ClassDef(name=name):
                classes.add(name)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.arg(arg=name):
                names.add(name)
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                names.add(name)
            case ast.Constant(value=str(text)):
                names.update(re.findall(r"\w+", text) if "_" in text else ())
            case _:
                pass
    return classes, classes | names


def is_stale(mention: str, classes: set[str], names: set[str]) -> bool:
    """Return whether `pipeline.module.name`, `Class.name`, `module.py`, `name()` or `some_name` is not there."""
    owner, _, name = mention.removesuffix("()").rpartition(".")
    if owner.split(".")[0] == "pipeline":
        return not is_importable(owner, name)
    if mention.endswith(".py"):
        return mention not in names
    if owner:
        return owner in classes and name not in names
    return name not in names and (mention.endswith("()") or ("_" in name and name.islower()))


def find_stale_mentions(path: Path, classes: set[str], names: set[str]) -> list[str]:
    """Return what the docstrings of a module mention in backticks and is not there."""
    nodes = (node for node in list_nodes(path) if isinstance(node, DOCUMENTED))
    mentions = (mention for node in nodes for mention in MENTIONED.findall(ast.get_docstring(node) or ""))
    return [mention for mention in mentions if is_stale(mention, classes, names)]


def test_every_name_that_a_docstring_mentions_exists():
    known = list_known_names()
    stale = {path.relative_to(REPOSITORY).as_posix(): find_stale_mentions(path, *known) for path in PIPELINE}
    assert {path: mentions for path, mentions in stale.items() if mentions} == {}


def test_a_stale_mention_is_found(tmp_path):
    stale = ["old_name", "Known.gone", "old()", "old.py", "pipeline.gone.name", "pipeline.clock.Gone"]
    right = ["Known", "json.loads", "a.yaml", "known()", "pipeline.clock.Clock", "retry"]
    module = tmp_path / "module.py"
    module.write_text(f'"""{" ".join(f"`{mention}`" for mention in stale + right)}"""\n')
    assert find_stale_mentions(module, {"Known"}, {"Known", "known"}) == stale


def test_a_name_that_cannot_be_imported_is_found():
    assert not is_importable("pipeline.clock", "Gone")
    assert not is_importable("pipeline.gone", "name")
    assert not is_importable("gone_support", "name")
    assert is_importable("pipeline.messages", "catalogue")
    assert is_importable("run_support", "draw_seal")
