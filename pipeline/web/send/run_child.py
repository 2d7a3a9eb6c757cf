"""The runs that the page starts: the command `run` of this program as a child process, which outlives the page.

Each start has a folder in the page's state: who started it, what the run printed, and its progress. After a restart the page reads
there what became of it. Whether a run is under way is decided by the ledger's lock alone, also of a run that a timer started.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from threading import Lock, Thread
from typing import Any

from pipeline.clock import run_id, stamp
from pipeline.domain.masking import mask_text
from pipeline.errors import EsignImportError
from pipeline.ledger.lock import USER_VARIABLE, Holder
from pipeline.support import progress_file
from pipeline.support.atomic_files import create_private_file, make_folder, write_json
from pipeline.support.own_program import (
    has_begun_before,
    interrupt_program,
    list_own_words,
    runs_with_word,
    start_own_program,
)
from pipeline.web.site import Site
from pipeline.workflow.hosts_factory import make_location
from pipeline.workflow.recorded_runs import RUN_FOLDER

FOLDER = "page-runs"
START, PRINTED, ERRORS, PROGRESS = "start.json", "stdout.json", "stderr.txt", "progress.json"
KEPT_STARTS, STARTS_READ = 10, 3
READ_SECONDS = 1.0  # for which what was read is shown to every browser


@dataclass(frozen=True, slots=True)
class RunStart:
    """One start of a run by the page."""

    name: str  # of its folder
    user: str
    started: str
    check: str
    chosen: int | None  # how many rows were chosen, None: all
    accept_guards: bool
    pid: int | None = None  # None: the page ended before it was known, or the run was never started


@dataclass(frozen=True, slots=True)
class RunView:
    """What is known of the run that is under way, and of the last one that the page started."""

    holder: Holder | None = None  # of the ledger
    start: RunStart | None = None  # the last one
    is_alive: bool = False  # the process of the last start
    printed: Mapping[str, Any] | None = None  # the run.json that it printed
    errors: str = ""  # what it printed to stderr, numbers masked
    numbers: Mapping[str, Any] | None = None  # of its progress file; None before it sends
    idle_seconds: float = 0.0  # since the progress file changed

    @property
    def is_under_way(self) -> bool:
        """Whether a run is under way, or is about to begin."""
        return self.is_alive or (
            self.holder is not None and RUN_FOLDER.fullmatch(self.holder.run) is not None
        )

    @property
    def is_own(self) -> bool:
        """Whether the run that is under way is the last one that the page started."""
        if self.start is None or self.holder is None:
            return self.is_alive
        is_same_process = self.is_alive and self.holder.pid == self.start.pid  # it has not named its run yet
        return is_same_process or self.holder.run == self.own_run

    @property
    def own_run(self) -> str | None:
        """The id of the last run that the page started, as far as it is known."""
        for known in (self.printed, self.numbers):
            if known is not None and isinstance(known.get("run"), str):
                return str(known["run"])
        return None

    @property
    def is_stopping(self) -> bool:
        """Whether the run that is under way was asked to end."""
        return self.is_own and bool(self.numbers and self.numbers.get("stopping"))


class RunUnderWay(Exception):
    """A run is under way already, or another command holds the ledger; ``view`` shows who."""

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self.view = view


class RunChild:
    """Starts runs, stops them, and reads what they show, at most once a second for all browsers."""

    def __init__(self, site: Site, report_end: Callable[[], None]) -> None:
        self._site = site
        self._report_end = report_end  # a run that this page started has ended
        self._folder = site.state / FOLDER
        self._starting, self._reading = Lock(), Lock()
        self._processes: dict[str, subprocess.Popen[str]] = {}  # name of a start -> its process
        self._read_at: float | None = None
        self._view = RunView()

    def start(
        self,
        user: str,
        check: str,
        lines: Sequence[int] | None,
        *,
        accept_guards: bool,
        language: str | None = None,
    ) -> None:
        """Start a run that sends what a check showed, of it the rows in these lines of its plan.

        Its results are in the language of the configuration, else in ``language``, which is that of the user.
        Raises RunUnderWay where one is under way, OSError where the disk or the system refuses.
        """
        with self._starting:
            view = self.read(afresh=True)
            if view.is_under_way or view.holder is not None:
                raise RunUnderWay(view)
            self._site.record_change(
                user,
                "send",
                check=check,
                rows=len(lines) if lines is not None else "all",
                guards=accept_guards,
            )
            now = self._site.clock.now()
            start = RunStart(
                run_id(now), user, stamp(now), check, None if lines is None else len(lines), accept_guards
            )
            folder = make_folder(self._folder / start.name)
            try:
                write_json(folder / START, asdict(start))
                process = self._start_process(folder, start, lines, self._site.config.language or language)
            except OSError:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            self._processes[start.name] = process
            Thread(target=self._wait_for_end, args=[process], daemon=True).start()
            write_json(folder / START, asdict(replace(start, pid=process.pid)))
            self._read_at = None
            self._remove_old_starts()

    def _start_process(
        self, folder: Path, start: RunStart, lines: Sequence[int] | None, language: str | None
    ) -> subprocess.Popen[str]:
        words = list_own_words(self._site.config_path, language)
        words += ["--quiet", "--json", "run", "--yes", "--checked", start.check]
        for line in lines or ():
            words += ["--only", f"plan.jsonl:{line}"]
        if start.accept_guards:
            words.append("--accept-guards")
        for name in (PRINTED, ERRORS, PROGRESS):
            create_private_file(folder / name)
        variables = {
            USER_VARIABLE: start.user,
            progress_file.VARIABLE: str((folder / PROGRESS).absolute()),
        }
        with (
            (folder / PRINTED).open("w", encoding="utf-8") as printed,
            (folder / ERRORS).open("w", encoding="utf-8") as errors,
        ):
            return start_own_program(words, stdout=printed, stderr=errors, variables=variables)

    def _wait_for_end(self, process: subprocess.Popen[str]) -> None:
        process.wait()
        self._read_at = None
        self._report_end()

    def _remove_old_starts(self) -> None:
        for name in self._list_starts()[KEPT_STARTS:]:
            shutil.rmtree(self._folder / name, ignore_errors=True)

    def _list_starts(self) -> list[str]:
        """Return the names of the starts, the newest first."""
        with suppress(OSError):
            names = [path.name for path in self._folder.iterdir()]
            return sorted(filter(RUN_FOLDER.fullmatch, names), reverse=True)
        return []

    # -- what is shown

    def read(self, *, afresh: bool = False) -> RunView:
        """Return what is known; read once a second at most, but for a decision ``afresh``."""
        with self._reading:
            now = self._site.clock.monotonic()
            if afresh or self._read_at is None or now - self._read_at >= READ_SECONDS:
                self._read_at = now
                self._view = self._read()
            return self._view

    def _read(self) -> RunView:
        holder = None
        with suppress(EsignImportError):  # home shows a ledger that cannot be read
            holder = make_location(self._site.config).hold.get_holder()
        views = [
            view for name in self._list_starts()[:STARTS_READ] if (view := self._read_start(name, holder))
        ]
        # of two pages of one hospital each may have started one: the run that holds the ledger counts
        own = (view for view in views if holder is not None and view.own_run == holder.run)
        return next(own, views[0] if views else RunView(holder))

    def _read_start(self, name: str, holder: Holder | None) -> RunView | None:
        """Return what a start shows; None for one that the page did not finish, since it was killed."""
        folder = self._folder / name
        try:
            start = RunStart(**_read_json(folder / START))
        except (TypeError, ValueError, OSError):
            return None
        process = self._processes.get(name)
        numbers, idle_seconds = self._read_progress(folder / PROGRESS)
        if process is not None:
            is_alive = process.poll() is None
        else:
            is_alive = start.pid is not None and runs_with_word(start.pid, start.check)
        printed = None if is_alive else _read_json_if_any(folder / PRINTED)
        errors = ""
        if not is_alive:
            with suppress(OSError):
                errors = mask_text((folder / ERRORS).read_text("utf-8", "replace").strip())
        return RunView(holder, start, is_alive, printed, errors, numbers, idle_seconds)

    def _read_progress(self, path: Path) -> tuple[Mapping[str, Any] | None, float]:
        try:
            changed = path.stat().st_mtime
        except OSError:
            return None, 0.0
        return _read_json_if_any(path), max(0.0, self._site.clock.now() - changed)

    # -- stopping

    def stop(self, user: str, run: str, *, again: bool) -> bool:
        """Ask the run under way to end, and return whether it was asked; asked ``again`` it ends at once.

        Nothing is sent to a run of another host, nor to another run than the one that the user saw. Raises OSError, PermissionError for
        a run of another user of this machine.
        """
        view = self.read(afresh=True)
        holder = view.holder
        if holder is None or holder.run != run or not view.is_under_way or (view.is_stopping and not again):
            return False
        if holder.host != socket.gethostname() or not has_begun_before(
            holder.pid, datetime.fromisoformat(holder.since).timestamp()
        ):
            return False
        self._site.record_change(user, "stop", run=run, again=again)
        try:
            interrupt_program(holder.pid)
        except ProcessLookupError:  # it has just ended
            return False
        return True


def _read_json(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text("utf-8"))
    if not isinstance(content, dict):
        raise TypeError(path.name)
    return content


def _read_json_if_any(path: Path) -> Mapping[str, Any] | None:
    with suppress(OSError, ValueError, TypeError):
        return _read_json(path)
    return None
