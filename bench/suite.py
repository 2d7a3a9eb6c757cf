"""The time of all tests, as `make test` runs them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.measure import ChildFailed, Measured, measure_command, print_progress, require_success


def measure(short: bool) -> Iterator[Measured]:
    if short:
        return
    for name in ("TMPDIR", "XDG_STATE_HOME"):  # as if typed in a shell
        os.environ.pop(name, None)
    print_progress("tests: make test, about five minutes")
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        log = Path(name) / "tests.log"
        try:
            child = require_success(measure_command(["make", "test"], log=log), log)
        except ChildFailed as error:
            lines = log.read_text("utf-8", "replace").splitlines()
            failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
            raise ChildFailed("; ".join([*failed, str(error)])) from error
    yield Measured("tests.wall", [child.wall])
