"""A command line of this program that is forked from a zygote (zygote.py), with what its starter asks of a process.

A process of its own costs 0.6 s of processor time, nearly all of it for imports. It is for tests of what a page shows of its
checks and runs; tests/web/test_check_child.py, the long runs of test_send.py and the tests of `serve` start real ones.
"""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO

from crash_support import Zygote

OF_PYTHON = 3  # words of a command line: the interpreter, -m, pipeline


class ForkedProgram:
    """One command in a child of a zygote that is its own while it runs."""

    def __init__(
        self,
        words: list[str],
        *,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = None if stdout and stderr else TemporaryDirectory()  # `communicate` removes it
        folder = self._folder.name if self._folder else ""
        self._output = Path(stdout.name if stdout else f"{folder}/output")
        self._errors = Path(stderr.name if stderr else f"{folder}/errors")
        for path in (self._output, self._errors):
            path.touch()  # a child that is ended at once opens neither
        self._zygote = Zygote()
        self._zygote.__enter__()
        self._run = self._zygote.fork(
            words[OF_PYTHON:],
            output=self._output,
            errors=str(self._errors),
            environment=dict(variables or {}),
            folder=str(Path.cwd()),
            session=True,
        )
        self.pid = self._run.pid
        self.returncode: int | None = None
        self._ended = threading.Event()
        threading.Thread(target=self._wait_for_end, daemon=True).start()

    def _wait_for_end(self) -> None:
        code = self._run.wait()  # of an answer of its zygote: no other thread reads one
        self._zygote.__exit__(None)
        self.returncode = code
        self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("forked", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, 15)

    def communicate(self) -> tuple[str, str]:
        """Return what it printed, and on stderr, once it has ended."""
        self.wait()
        printed, errors = (path.read_text("utf-8", "replace") for path in (self._output, self._errors))
        if self._folder is not None:
            self._folder.cleanup()
        return printed, errors
