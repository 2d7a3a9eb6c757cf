"""A process that writes the marked copies of rosters while this one writes the other results.

It is no more than a quicker way: whatever breaks there is done here. It begins after the last answer, so that a run takes
no memory for it while rows are sent.
"""

from __future__ import annotations

import gc
import logging
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from threading import Thread, Timer

from pipeline.config.settings import Config
from pipeline.domain.run import RowOutcome, RunReport
from pipeline.reports.presenter import Presenter
from pipeline.support.child_process import feed_child, make_python_command, start_child

LOG = logging.getLogger(__name__)
MIN_SECONDS = 30.0  # of a run: for a shorter one a second process costs more than it saves
PATIENCE = 120.0  # seconds for the copies, on a busy machine

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1])['path'];"
    "sys.modules['numpy'] = None;"  # openpyxl would import it, to know its numbers in the cells of others
    "from pipeline.workflow.copy_process import write_copies as main; main()"
)


class CopyProcess:
    """The marked copies of one run, written in a process of its own."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._outcomes: Sequence[RowOutcome] = ()
        self._feeder: Thread | None = None
        self._end: Timer | None = None  # kills a process that does not answer

    def begin(self, report: RunReport, config: Config, presenter: Presenter, latest: Path | None) -> bool:
        """Begin to write the copies; False where that is not worth it, or they have to be written here."""
        is_frozen = getattr(sys, "frozen", False)  # such a program is no Python that runs a line
        if report.finished - report.started < MIN_SECONDS or is_frozen or not config.marked_copies:
            return False
        from pipeline.workflow.marked_copies import MAX_ROWS  # noqa: PLC0415 - as `finish_run`

        if not any(0 < file.rows <= MAX_ROWS for file in report.files):
            return False
        try:
            self._process = start_child(make_python_command(_START, {}))
            self._end = Timer(PATIENCE, self._process.kill)
            self._end.daemon = True
            self._end.start()
            self._outcomes = report.outcomes
            request = pickle.dumps((report, dict(config.columns), presenter, latest))
            # the process reads it once it has imported what it needs
            self._feeder = Thread(target=feed_child, args=(self._process.stdin, request), daemon=True)
            self._feeder.start()
        except OSError:
            self._give_up()
        return self._process is not None

    def take_copies(self) -> RunReport | None:
        """Return the report with the marked copies; None where they have to be written here."""
        if self._process is None:
            return None
        assert self._process.stdout is not None
        try:
            report: RunReport | None = pickle.load(self._process.stdout)  # noqa: S301  the process is our own
            report = report and replace(report, outcomes=self._outcomes)
        except (EOFError, OSError, pickle.UnpicklingError):
            report = None
            self._give_up()
        self.close()
        return report

    def close(self) -> None:
        """End the process."""
        if self._end is not None:
            self._end.cancel()
        if self._process is None:
            return
        self._process.kill()
        if self._feeder is not None:
            self._feeder.join()
        self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        self._process = None

    def _give_up(self) -> None:
        LOG.warning("the process that writes marked copies has ended")
        self.close()


def write_copies() -> None:
    """Write the marked copies of the report on standard input; on standard output the report with them, without its rows."""
    from pipeline.workflow.marked_copies import write_marked_copies  # noqa: PLC0415 - openpyxl takes time

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # what a workbook is made of is needed to its end
    report, columns, presenter, latest = pickle.load(sys.stdin.buffer)  # noqa: S301  from the process that started this one
    copied = write_marked_copies(report, columns, presenter, latest)
    failed = len(copied.notices) > len(report.notices)  # tried again where there is a log
    pickle.dump(None if failed else replace(copied, outcomes=()), sys.stdout.buffer)
    sys.stdout.buffer.flush()
