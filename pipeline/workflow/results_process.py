"""A process that writes a part of the results beside this one: the marked copies, and the review page.

It loads the rosters to be copied while rows are still sent. It is no more than a quicker way: whatever breaks there is
done here.
"""

from __future__ import annotations

import json
import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from threading import Timer
from typing import Any

from pipeline.config.settings import Config
from pipeline.domain.roster import FileReport
from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter

LOG = logging.getLogger(__name__)
MIN_SECONDS = 30.0  # of sending: for a shorter run a second process costs more than it saves
AHEAD_SECONDS = 15.0  # before the end of sending: until then it would only take memory
PATIENCE = 60.0  # seconds for the copies themselves, on a busy machine
MAX_ROWS = 5_000  # loaded ahead, 5 KB each: the results of a longer run may take longer

# -S: the process gets this one's search path, not the one that site.py would make
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from pipeline.workflow.results_process import write_part_of_results as main; main()"
)


class ResultsProcess:
    """A part of the results, written in a process of its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._starter: Timer | None = None
        self._end: Timer | None = None  # kills a process that does not answer

    def start(self, files: Sequence[FileReport], config: Config, *, seconds: float) -> None:
        """Load the rosters of a run that is about to send for so many seconds, shortly before its end; not of a short run."""
        is_frozen = getattr(sys, "frozen", False)  # such a program is no Python that runs a line
        if seconds < MIN_SECONDS or is_frozen or not config.marked_copies:
            return
        self._starter = Timer(seconds - AHEAD_SECONDS, self._start, (files, config))
        self._starter.daemon = True
        self._starter.start()

    def _start(self, files: Sequence[FileReport], config: Config) -> None:
        path = [os.path.abspath(entry) for entry in (*sys.path, str(Path(__file__).parents[2]))]  # noqa: PTH100  "" is the current folder
        try:
            self._process = subprocess.Popen(  # noqa: S603  the program is this one
                [sys.executable, "-I", "-S", "-c", _START, json.dumps(path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,  # a Ctrl-C is this process's to answer
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            self._send((tuple(files), config))
        except OSError:
            LOG.warning("no process that writes results", exc_info=True)

    def begin(self, report: RunReport, config: Config, presenter: Presenter, latest: Path | None) -> bool:
        """Begin to write; False where everything has to be written here."""
        if self._starter is not None:
            self._starter.cancel()  # of a run that ended early
            self._starter.join()
        if self._process is None:
            return False
        self._end = Timer(PATIENCE, self._process.kill)
        self._end.daemon = True
        self._end.start()
        try:
            self._send((report, config, presenter, latest))
        except OSError:
            self._give_up()
        return self._process is not None

    def take_copies(self) -> RunReport | None:
        """Return the report with the marked copies; None where they have to be written here."""
        report: RunReport | None = self._receive()
        return report

    def take_review_page(self) -> Path | None:
        """Return the path of the review page; None where it has to be written here. Comes after the copies."""
        path: Path | None = self._receive()
        self.close()
        return path

    def close(self) -> None:
        """End the process."""
        if self._starter is not None:
            self._starter.cancel()
        if self._process is None:
            return
        if self._end is not None:
            self._end.cancel()
        self._process.kill()
        self._process.communicate()
        self._process = None

    def _give_up(self) -> None:
        LOG.warning("the process that writes results has ended")
        self.close()

    def _receive(self) -> Any:
        """Return the next answer, None of a process that has ended."""
        if self._process is None:
            return None
        assert self._process.stdout is not None
        try:
            return pickle.load(self._process.stdout)  # noqa: S301  the process is our own
        except (EOFError, OSError, pickle.UnpicklingError):
            self._give_up()
            return None

    def _send(self, message: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()


def write_part_of_results() -> None:
    """Load the rosters named on standard input, then write the copies and the review page of the report that follows."""
    # ruff: noqa: PLC0415 - no process but this one needs them so early
    from pipeline.reports.write import warm_up, write_review_page
    from pipeline.workflow import marked_copies
    from pipeline.workflow.stage_settings import build_preview_loader

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    files, config = pickle.load(requests)  # noqa: S301  from the process that started this one
    rosters = marked_copies.load_rosters(files, config, max_rows=MAX_ROWS)
    warm_up()
    try:
        report, config, presenter, latest = pickle.load(requests)  # noqa: S301
    except EOFError:  # the run ended without results
        return
    copied = marked_copies.write_marked_copies(report, config, presenter, latest, rosters)
    failed = len(copied.notices) > len(report.notices)  # tried again where there is a log
    pickle.dump(None if failed else copied, answers)
    answers.flush()
    page = write_review_page(report, presenter=presenter, look=build_preview_loader(config))
    pickle.dump(page, answers)
    answers.flush()
