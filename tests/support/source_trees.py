"""The syntax trees of our modules, parsed and walked once for all tests of a process."""

import ast
import gc
from functools import cache
from pathlib import Path


@cache
def parse_module(path: Path) -> ast.Module:
    gc.disable()  # it would look at every tree that is kept again and again: two thirds of the time
    try:
        return ast.parse(path.read_text("utf-8"))
    finally:
        gc.freeze()
        gc.enable()


@cache
def list_nodes(path: Path) -> tuple[ast.AST, ...]:
    """Return every node of a module, each before those within it."""
    return tuple(ast.walk(parse_module(path)))
