"""The time of all tests and of the quick ones, as `make test` and `make quick` run them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import Child, ChildFailed, Measured, measure_command, print_progress, require_success


def measure(short: bool) -> Iterator[Measured]:
    if short:
        return
    for name in ("TMPDIR", "XDG_STATE_HOME"):  # as if typed in a shell
        os.environ.pop(name, None)
    for target, figure in (("test", "tests.wall"), ("quick", "tests.quick")):
        print_progress(f"tests: make {target}")
        yield Measured(figure, [run_target(target).wall])


def run_target(target: str) -> Child:
    """Run a target of the Makefile; raise ChildFailed with the tests that failed."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        log = Path(name) / "tests.log"
        try:
            return require_success(measure_command(["make", target], log=log), log)
        except ChildFailed as error:
            lines = log.read_text("utf-8", "replace").splitlines()
            failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
            raise ChildFailed("; ".join([*failed, str(error)])) from error
