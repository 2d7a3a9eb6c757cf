"""A stage with the clerk's page: its checks and runs wait in a queue, and are played in this process when the walk says so."""

from __future__ import annotations

import asyncio
import queue
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import IO, Self

import pytest
from attack.stage import Ended, Stage, run_here
from page_support import PageClient, PageThread
from run_support import wait_until
from zygote import QuickClock

from pipeline.web import check_child
from pipeline.web.drop import page as drop_page
from pipeline.web.send import run_child

OF_PYTHON = 3  # words of a command line: the interpreter, -m, pipeline
NO_PROCESS = 1 << 30  # a number that no process has
HURRY = 0.005  # seconds: timers of the page have come, those of a later moment are none
ENDED = -15  # a program that was asked to end before it began


class LifeClock(QuickClock):
    """The clock of a hospital and of the service, which moves on when the walk says so."""

    ahead = 0.0  # seconds

    def now(self) -> float:
        return super().now() + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead


class QueuedProgram:
    """A command of the page that waits until it is played; asked to end before, it never begins."""

    pid = NO_PROCESS

    def __init__(
        self,
        words: list[str],
        *,
        stdout: IO[str] | None = None,
        stderr: IO[str] | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self.words, self._variables = words[OF_PYTHON:], dict(variables or {})
        self._folder = TemporaryDirectory()
        self._output = Path(stdout.name if stdout else f"{self._folder.name}/output")
        self._errors = Path(stderr.name if stderr else f"{self._folder.name}/errors")
        self.printed = ""
        self.returncode: int | None = None
        self._ended, self._turn = threading.Event(), threading.Lock()

    def play(self, clock: QuickClock) -> None:
        """Run the command, unless it was asked to end."""
        with self._turn:
            if self.returncode is not None:
                return
            with (
                self._output.open("w", encoding="utf-8") as output,
                self._errors.open("w", encoding="utf-8") as errors,
            ):
                code = run_here(self.words, output, errors, self._variables, clock=clock)
            self.printed = self._errors.read_text("utf-8", "replace")
            self._end(code)

    def _end(self, code: int) -> None:
        self.returncode = code
        self._ended.set()

    def poll(self) -> int | None:
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if not self._ended.wait(timeout):
            raise subprocess.TimeoutExpired("queued", timeout or 0.0)
        assert self.returncode is not None
        return self.returncode

    def terminate(self) -> None:
        with self._turn:
            if self.returncode is None:
                self._end(ENDED)

    def communicate(self) -> tuple[str, str]:
        self.wait()
        printed, errors = (
            path.read_text("utf-8", "replace") if path.exists() else ""
            for path in (self._output, self._errors)
        )
        self._folder.cleanup()
        return printed, errors


class PageStage:
    """The page of a stage's hospital, and the commands that it starts."""

    def __init__(self, stage: Stage, clock: LifeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stage, self.clock = stage, clock
        self._programs: queue.SimpleQueue[QueuedProgram] = queue.SimpleQueue()
        for variable, value in stage.environment.items():
            monkeypatch.setenv(variable, value)
        for module in (check_child, run_child):
            monkeypatch.setattr(module, "start_own_program", self._start)
        monkeypatch.setattr(check_child, "QUIET_SECONDS", 0.0)
        monkeypatch.setattr(drop_page, "CHECK_SECONDS", 0.0)
        self.page = PageThread(stage.folder / "config.yaml", clock=clock)

    def _start(self, words: list[str], **streams) -> QueuedProgram:
        program = QueuedProgram(words, **streams)
        self._programs.put(program)
        return program

    def __enter__(self) -> Self:
        self.page.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        while (program := self._take()) is not None:
            program.terminate()
        self.page.__exit__()
        self.stage.counts.remarks += [f"the page failed: {failure}" for failure in self.page.failures]

    def enter(self) -> PageClient:
        """Return a browser in which a clerk has come in."""
        return self.page.enter(Accept_Language="en")

    def _take(self) -> QueuedProgram | None:
        with suppress(queue.Empty):
            return self._programs.get_nowait()
        return None

    @property
    def is_checking(self) -> bool:
        """Whether a check of the page waits or is under way."""
        return self.page._server._checks.progress is not None

    def settle(self) -> None:
        """Play all that the page has started or will start by itself."""
        while True:
            asyncio.run_coroutine_threadsafe(asyncio.sleep(HURRY), self.page._loop).result()
            wait_until(lambda: not self._programs.empty() or not self.is_checking)
            program = self._take()
            if program is None:
                return
            program.play(self.clock)
            self.stage.judge_end(Ended(program.returncode, None, program.printed), program.words)
            if "run" in program.words:
                wait_until(lambda: self.is_checking)  # the page checks after each run
            else:
                wait_until(lambda: not self.is_checking or not self._programs.empty())
