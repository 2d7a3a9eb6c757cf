"""The check of the page: the command `check` of this program as a child process, at most one at a time.

It reads rosters and pictures from the configured folders and writes its results into `out`, as a check from the command line does;
the newest one of either is what the pages show.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread

from pipeline.domain.masking import mask_text
from pipeline.errors import reason_of
from pipeline.support import progress_file
from pipeline.support.own_program import list_own_words, start_own_program
from pipeline.web.site import Site
from pipeline.workflow.recorded_runs import RUN, RUN_FOLDER

COMMAND = "check"
QUIET_SECONDS = 5.0  # without a decision, after which a check starts
END_SECONDS = 5.0  # for which a check that is asked to end is waited for, before it is killed


@dataclass(frozen=True, slots=True)
class CheckEnd:
    """How a check ended: without ``run`` it failed, without ``folder`` it had nothing to read."""

    exit: int
    finished: float
    run: str | None = None
    folder: Path | None = None
    errors: str = field(default="", repr=False)  # what it printed to stderr, numbers masked


@dataclass(frozen=True, slots=True)
class CheckProgress:
    """A check that is under way: its step, how much of it is done (None: not known), and of how much."""

    started: float
    step: str | None = None
    done: int | None = None
    total: int | None = None


class Checks:
    """Starts checks of one hospital, and knows the newest one that ended."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = Lock()
        self._child: _CheckChild | None = None
        self._is_closed = False
        self._commands: dict[
            str, bool
        ] = {}  # of the folders in `out`: whether it is a check of this hospital
        self._last_empty = (
            ""  # the run that found no roster: the results before it show rosters that are gone
        )

    def start(self, language: str | None = None) -> None:
        """Start a check; one under way is ended first. What it prints is in ``language``."""
        with self._lock:
            if self._is_closed:
                return
            self._child = _CheckChild(self._site, language, former=self._child)
            self._child.start()

    def close(self) -> None:
        """End the check that is under way; no other one starts."""
        with self._lock:
            self._is_closed, child = True, self._child
        if child is not None:
            child.stop()

    @property
    def progress(self) -> CheckProgress | None:
        """What is known of the check that is under way; None where there is none."""
        child = self._child
        return child.read_progress() if child is not None and child.end is None else None

    @property
    def end(self) -> CheckEnd | None:
        """How the last check of this page ended; None where there was none, and while one is under way."""
        return self._child.end if self._child is not None else None

    @property
    def newest(self) -> Path | None:
        """The folder of the newest check that ended, also one from the command line; None where no roster was there since."""
        end = self.end
        if end is not None and end.run is not None and end.folder is None:
            self._last_empty = end.run
        out, names = self._site.config.resolve_path(self._site.config.out), []
        with suppress(OSError):
            names = [path.name for path in out.iterdir() if RUN_FOLDER.fullmatch(path.name)]
        for name in sorted(names, reverse=True):
            if name <= self._last_empty:
                return None
            if self._is_check(out / name):
                return out / name
        return None

    def _is_check(self, folder: Path) -> bool:
        """Return whether a folder holds the whole results of a check of this hospital."""
        known = self._commands.get(folder.name)
        if known is None:
            try:
                record = json.loads((folder / RUN).read_text("utf-8"))
                is_ours = record["run"] == folder.name and record["tenant"] == self._site.config.tenant
                known = is_ours and record["command"] == COMMAND
            except (OSError, ValueError, KeyError, TypeError):
                return False  # it is not written yet, or never will be
            self._commands[folder.name] = known
        return known


class DelayedCheck:
    """Starts a check when nothing was decided for a moment: what is ready to be sent has changed."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._timer: asyncio.TimerHandle | None = None

    def start_soon(self) -> None:
        """Start a check after QUIET_SECONDS, counted from the last call; in the event loop."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(QUIET_SECONDS, self._checks.start)


class _CheckChild:
    """One check, and the thread that waits for its end. ``former`` is ended before it starts."""

    def __init__(self, site: Site, language: str | None, former: _CheckChild | None) -> None:
        words = list_own_words(site.config_path, language)
        self._words = [*words, "--quiet", "--json", COMMAND]
        self._site, self._former = site, former
        self._progress: Path | None = None
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()
        self._is_stopped = False
        self._ended = Event()
        self.started = site.clock.now()
        self.end: CheckEnd | None = None

    def read_progress(self) -> CheckProgress:
        """Return how far it is."""
        path = self._progress
        try:
            numbers = json.loads(path.read_text("utf-8")) if path else {}
            return CheckProgress(self.started, numbers["step"], numbers["done"], numbers["total"])
        except (OSError, ValueError, KeyError):  # it has not begun to read
            return CheckProgress(self.started)

    def start(self) -> None:
        """Start it, and return at once."""
        Thread(target=self._run, daemon=True).start()

    def stop(self) -> None:
        """End it, also before it has started; return when it has ended."""
        with self._lock:
            self._is_stopped, process = True, self._process
        if process is not None and process.poll() is None:
            _ask_to_end(process)
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                _kill(process)
        self._ended.wait(END_SECONDS)

    def _run(self) -> None:
        try:
            if self._former is not None:
                self._former.stop()
                self._former = None
            self.end = self._wait_for_end()
        except Exception as error:
            self.end = CheckEnd(1, self._site.clock.now(), errors=type(error).__name__)
            raise
        finally:
            self._ended.set()

    def _wait_for_end(self) -> CheckEnd:
        try:
            with TemporaryDirectory(prefix="esign-import-check-", ignore_cleanup_errors=True) as folder:
                self._progress = Path(folder) / "progress.json"
                variables = {progress_file.VARIABLE: str(self._progress)}
                with self._lock:
                    if self._is_stopped:
                        return CheckEnd(0, self._site.clock.now())
                    self._process = start_own_program(self._words, variables=variables)
                printed, errors = self._process.communicate()
        except OSError as error:  # no memory, no process left, no space
            return CheckEnd(1, self._site.clock.now(), errors=str(reason_of(error)))
        return self._read_end(self._process.returncode, printed, errors)

    def _read_end(self, exit_code: int, printed: str, errors: str) -> CheckEnd:
        """Return how the check ended, by its exit code and the record that it printed, if it did."""
        now, errors = self._site.clock.now(), mask_text(errors.strip())
        try:
            run = json.loads(printed)["run"]
        except (ValueError, KeyError, TypeError):
            return CheckEnd(exit_code, now, errors=errors)
        config = self._site.config
        folder = config.resolve_path(config.out) / run
        return CheckEnd(exit_code, now, run, folder if folder.is_dir() else None, errors)


def _ask_to_end(process: subprocess.Popen[str]) -> None:
    with suppress(OSError):
        if os.name == "nt":
            process.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
        else:
            process.terminate()


def _kill(process: subprocess.Popen[str]) -> None:
    """End a process, and what it has started, at once."""
    with suppress(OSError):
        if os.name == "nt":
            process.kill()
        else:
            os.killpg(process.pid, signal.SIGKILL)  # it leads a session of its own
