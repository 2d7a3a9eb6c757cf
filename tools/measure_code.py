"""Measure a checkout, beside an earlier one. Usage: python tools/measure_code.py [--package NAME] [CHECKOUT [EARLIER]].

Without CHECKOUT it measures the one that this file lies in. The first table has a line a package, the second one has the
figures that show how hard the code is to follow; with EARLIER it shows both checkouts. ``--package`` lists the one-word
names of a package instead.
"""

import argparse
import ast
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
BRANCHES = (
    ast.If,
    ast.IfExp,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.Assert,
    ast.match_case,
)


@dataclass(frozen=True)
class Module:
    """One file of a package: its dotted name, its text and its syntax tree."""

    path: Path
    name: str

    @cached_property
    def text(self) -> str:
        """The source."""
        return self.path.read_text("utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @property
    def lines(self) -> int:
        """The number of lines."""
        return self.text.count("\n")

    @cached_property
    def functions(self) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
        """All functions and methods, nested ones too."""
        return [node for node in ast.walk(self.tree) if isinstance(node, FUNCTIONS)]


def read_modules(root: Path) -> list[Module]:
    """Return the modules below the folder of a package."""
    modules = []
    for path in sorted(root.rglob("*.py")):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        modules.append(Module(path, ".".join(parts)))
    return modules


# -- names


def is_one_word(name: str) -> bool:
    """Return whether a function's name is a single word; leading underscores do not count."""
    return "_" not in name.strip("_")


def list_function_names(module: Module) -> list[str]:
    """Return the names of all functions and methods of a module, dunder methods left out."""
    names = [function.name for function in module.functions]
    return [name for name in names if not (name.startswith("__") and name.endswith("__"))]


# -- density


def count_comprehensions(module: Module) -> int:
    """Return how many comprehensions and generator expressions a module has."""
    return sum(isinstance(node, COMPREHENSIONS) for node in ast.walk(module.tree))


def compute_complexity(function: ast.AST) -> int:
    """Return the cyclomatic complexity of a function, counted as radon does; a nested function counts for itself alone."""
    complexity = 1
    for node in _walk_own_nodes(function):
        if isinstance(node, BRANCHES):
            complexity += 1
        elif isinstance(node, ast.BoolOp):
            complexity += len(node.values) - 1
        elif isinstance(node, ast.comprehension):
            complexity += 1 + len(node.ifs)
    return complexity


def _walk_own_nodes(function: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below a function, without those of the functions in it."""
    for child in ast.iter_child_nodes(function):
        yield child
        if not isinstance(child, FUNCTIONS):
            yield from _walk_own_nodes(child)


# -- callables in the place of objects


def is_callable_type(annotation: ast.expr | None, aliases: frozenset[str]) -> bool:
    """Return whether a type is a function's: ``Callable[...]``, alone or beside None, or a name for one."""
    match annotation:
        case ast.Subscript(value=value):
            return is_callable_type(value, aliases)
        case ast.BinOp(left=first, op=ast.BitOr(), right=second):
            return is_callable_type(first, aliases) or is_callable_type(second, aliases)
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name == "Callable" or name in aliases
        case ast.Constant(value=str(text)):
            return is_callable_type(ast.parse(text, mode="eval").body, aliases)
        case _:
            return False


def find_callable_aliases(modules: Iterable[Module]) -> frozenset[str]:
    """Return the names that modules give to types of functions (``Describe = Callable[...]``)."""
    aliases = set()
    for module in modules:
        for node in module.tree.body:
            match node:
                case ast.Assign(targets=[ast.Name(id=name)], value=value):
                    pass
                case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
                    pass
                case _:
                    continue
            if isinstance(value, ast.Subscript) and is_callable_type(value, frozenset()):
                aliases.add(name)
    return frozenset(aliases)


def count_callable_fields(module: Module, aliases: frozenset[str]) -> int:
    """Return how many fields of data classes hold a function."""
    count = 0
    for node in ast.walk(module.tree):
        if isinstance(node, ast.ClassDef) and any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            fields = (field for field in node.body if isinstance(field, ast.AnnAssign))
            count += sum(is_callable_type(field.annotation, aliases) for field in fields)
    return count


def count_callable_parameters(module: Module, aliases: frozenset[str]) -> int:
    """Return how many parameters of functions take a function."""
    count = 0
    for function in module.functions:
        arguments = function.args
        parameters = (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)
        count += sum(is_callable_type(parameter.annotation, aliases) for parameter in parameters)
    return count


# -- circles of files


def list_imports(module: Module) -> list[str]:
    """Return the full names that a module imports, also inside functions and for type checkers alone."""
    names = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def find_circles(imported_names: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """Return the groups of modules that import one another in a circle, however long; the largest first.

    ``imported_names`` has the full names that each module imports: of modules, or of what a module holds.
    """
    imports = {}
    for module, names in imported_names.items():
        modules = {name if name in imported_names else name.rpartition(".")[0] for name in names}
        imports[module] = (modules & imported_names.keys()) - {module}
    reached = {module: _list_reached(module, imports) for module in imports}
    circles = {
        frozenset(other for other in reached[module] if module in reached[other]) for module in imports
    }
    return sorted((sorted(circle) for circle in circles if circle), key=lambda circle: (-len(circle), circle))


def _list_reached(name: str, imports: Mapping[str, set[str]]) -> set[str]:
    """Return the modules that a module imports, directly or through others; itself only in a circle."""
    reached: set[str] = set()
    waiting = list(imports[name])
    while waiting:
        other = waiting.pop()
        if other not in reached:
            reached.add(other)
            waiting += imports[other]
    return reached


def list_circles(modules: Iterable[Module]) -> list[list[str]]:
    """Return the circles among these modules."""
    return find_circles({module.name: list_imports(module) for module in modules})


# -- tables


def measure_packages(root: Path) -> dict[str, Counter[str]]:
    """Count modules, lines, functions and one-word functions of each package below ``root``."""
    packages: dict[str, Counter[str]] = defaultdict(Counter)
    for module in read_modules(root):
        relative = module.path.parent.relative_to(root).as_posix()
        names = list_function_names(module)
        packages["(root)" if relative == "." else relative] += Counter(
            modules=1, lines=module.lines, functions=len(names), one_word=sum(map(is_one_word, names))
        )
    return packages


def print_packages(packages: Mapping[str, Counter[str]]) -> None:
    """Print one line a package and the sum."""
    total: Counter[str] = Counter()
    print(f"{'package':32}{'modules':>9}{'lines':>8}{'functions':>11}{'one word':>10}")
    for name, counts in packages.items():
        total += counts
        print_package(name, counts)
    print_package("all", total)
    largest = max(packages, key=lambda name: packages[name]["modules"])
    print(f"largest folder: {largest}, {packages[largest]['modules']} modules (with __init__.py)")


def print_package(name: str, counts: Counter[str]) -> None:
    """Print one line of the table."""
    share = counts["one_word"] / (counts["functions"] or 1)
    print(f"{name:32}{counts['modules']:9}{counts['lines']:8}{counts['functions']:11}{share:10.0%}")


def measure_figures(root: Path) -> dict[str, str]:
    """Return the figures of a package by name, as they are printed."""
    modules = read_modules(root)
    lines = sum(module.lines for module in modules)
    comprehensions = sum(map(count_comprehensions, modules))
    complexities = [compute_complexity(function) for module in modules for function in module.functions]
    names = [name for module in modules for name in list_function_names(module)]
    aliases = find_callable_aliases(modules)
    return {
        "lines": str(lines),
        "modules": str(len(modules)),
        "longest module": str(max(module.lines for module in modules)),
        "comprehensions per 1,000 lines": f"{1000 * comprehensions / lines:.1f}",
        "mean complexity": f"{sum(complexities) / len(complexities):.2f}",
        "functions with a complexity above 10": str(sum(complexity > 10 for complexity in complexities)),
        "functions that begin with find_": str(sum(name.strip("_").startswith("find_") for name in names)),
        "circles of files": str(len(list_circles(modules))),
        "callable fields of data classes": str(
            sum(count_callable_fields(module, aliases) for module in modules)
        ),
        "callable parameters": str(sum(count_callable_parameters(module, aliases) for module in modules)),
    }


def print_figures(roots: Sequence[Path]) -> None:
    """Print the figures of checkouts side by side, and the circles of the first."""
    columns = [measure_figures(root) for root in roots]
    headings = ("now", "earlier") if len(roots) > 1 else ("now",)
    print(f"\n{'figure':40}" + "".join(f"{heading:>10}" for heading in headings))
    for figure in columns[0]:
        print(f"{figure:40}" + "".join(f"{column[figure]:>10}" for column in columns))
    for circle in list_circles(read_modules(roots[0])):
        print(f"circle: {' '.join(circle)}")


def main() -> None:
    """Measure the checkouts that are named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkouts", nargs="*", type=Path, default=[Path(__file__).parents[1]])
    parser.add_argument("--package", help="list the one-word names of this package")
    options = parser.parse_args()
    roots = [checkout.resolve() / "pipeline" for checkout in options.checkouts[:2]]
    if options.package:
        for module in read_modules(roots[0] / options.package):
            names = sorted(name for name in list_function_names(module) if is_one_word(name))
            print(f"{module.name}: {' '.join(names)}")
        return
    print_packages(measure_packages(roots[0]))
    print_figures(roots)


if __name__ == "__main__":
    main()
