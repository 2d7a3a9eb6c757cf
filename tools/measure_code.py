"""Measure a checkout: modules, lines, folders, function names. Usage: python tools/measure_code.py [CHECKOUT] [PACKAGE]."""

import ast
import sys
from collections import Counter, defaultdict
from pathlib import Path

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


def is_one_word(name: str) -> bool:
    """Return whether a function's name is a single word; leading underscores do not count."""
    return "_" not in name.strip("_")


def list_functions(module: Path) -> list[str]:
    """Return the names of all functions and methods of a module, dunder methods left out."""
    tree = ast.parse(module.read_text("utf-8"))
    names = [node.name for node in ast.walk(tree) if isinstance(node, FUNCTIONS)]
    return [name for name in names if not (name.startswith("__") and name.endswith("__"))]


def measure_packages(root: Path) -> dict[str, Counter[str]]:
    """Count modules, lines, functions and one-word functions of each package below `root`."""
    packages: dict[str, Counter[str]] = defaultdict(Counter)
    for module in sorted(root.rglob("*.py")):
        relative = module.parent.relative_to(root).as_posix()
        functions = list_functions(module)
        packages["(root)" if relative == "." else relative] += Counter(
            modules=1,
            lines=module.read_text("utf-8").count("\n"),
            functions=len(functions),
            one_word=sum(map(is_one_word, functions)),
        )
    return packages


def print_table(packages: dict[str, Counter[str]]) -> None:
    """Print one line a package and the sum."""
    total: Counter[str] = Counter()
    print(f"{'package':32}{'modules':>9}{'lines':>8}{'functions':>11}{'one word':>10}")
    for name, counts in packages.items():
        total += counts
        print_line(name, counts)
    print_line("all", total)
    largest = max(packages, key=lambda name: packages[name]["modules"])
    print(f"largest folder: {largest}, {packages[largest]['modules']} modules (with __init__.py)")


def print_line(name: str, counts: Counter[str]) -> None:
    """Print one line of the table."""
    share = counts["one_word"] / (counts["functions"] or 1)
    print(f"{name:32}{counts['modules']:9}{counts['lines']:8}{counts['functions']:11}{share:10.0%}")


def main() -> None:
    """Measure the checkout that is named, or the one this file lies in; with a package, list its one-word names."""
    checkout = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1]
    root = checkout / "pipeline"
    if len(sys.argv) > 2:
        root /= sys.argv[2]
        for module in sorted(root.rglob("*.py")):
            names = sorted(name for name in list_functions(module) if is_one_word(name))
            print(f"{module.relative_to(root)}: {' '.join(names)}")
    print_table(measure_packages(root))


if __name__ == "__main__":
    main()
