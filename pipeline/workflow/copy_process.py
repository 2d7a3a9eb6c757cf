"""A process that loads a run's rosters while rows are sent, so that the marked copies are written soon after the last answer.

It is no more than a quicker way: whatever breaks there, the copies are written here.
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

from pipeline.config.settings import Config
from pipeline.domain.roster import FileReport
from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter
from pipeline.workflow import marked_copies

LOG = logging.getLogger(__name__)
MIN_SECONDS = 30.0  # of sending: for a shorter run a second process costs more than it saves
AHEAD_SECONDS = 15.0  # before the end of sending: until then it would only take memory
PATIENCE = 60.0  # seconds for the copies themselves, on a busy machine
MAX_ROWS = 5_000  # loaded ahead, 5 KB each: the results of a longer run may take longer

# -S: the process gets this one's search path, not the one that site.py would make
_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]);"
    "from pipeline.workflow.copy_process import prepare_and_write_copies as main; main()"
)


class CopyProcess:
    """Marked copies, prepared in a process of its own between `start` and `begin_copies`."""

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
            LOG.warning("no process for the marked copies", exc_info=True)

    def begin_copies(
        self, report: RunReport, config: Config, presenter: Presenter, latest: Path | None
    ) -> bool:
        """Begin to write the marked copies; False where they have to be written here."""
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
            LOG.warning("the process for the marked copies has ended")
            self.close()
            return False
        return True

    def finish_copies(self) -> RunReport | None:
        """Return the report with the marked copies; None where they have to be written here."""
        assert self._process is not None
        assert self._process.stdout is not None
        try:
            report: RunReport | None = pickle.load(self._process.stdout)  # noqa: S301  the process is our own
        except (EOFError, OSError, pickle.UnpicklingError):
            report = None
            LOG.warning("the process for the marked copies has ended")
        self.close()
        return report

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

    def _send(self, message: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        pickle.dump(message, self._process.stdin)
        self._process.stdin.flush()


def prepare_and_write_copies() -> None:
    """Load the rosters named on standard input, then write the marked copies of the report that follows."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests, answers = sys.stdin.buffer, sys.stdout.buffer
    files, config = pickle.load(requests)  # noqa: S301  from the process that started this one
    rosters = marked_copies.load_rosters(files, config, max_rows=MAX_ROWS)
    try:
        report, config, presenter, latest = pickle.load(requests)  # noqa: S301
    except EOFError:  # the run ended without results
        return
    written = marked_copies.write_marked_copies(report, config, presenter, latest, rosters)
    failed = len(written.notices) > len(report.notices)  # tried again where there is a log
    pickle.dump(None if failed else written, answers)
    answers.flush()
