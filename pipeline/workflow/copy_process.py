"""A process that writes the marked copies of rosters while this one writes the other results.

It is no more than a quicker way: whatever breaks there is done here. It starts after the last answer, so that a run takes
no memory for it while rows are sent, and imports what it needs while the run's end is entered in the ledger.
"""

from __future__ import annotations

import gc
import logging
import pickle
import signal
import subprocess
import sys
from threading import Thread, Timer
from typing import TYPE_CHECKING

from pipeline.support.child_process import feed_child, make_python_command, start_child

if TYPE_CHECKING:  # it reads rosters
    from pipeline.workflow.marked_copies import CopyJob, WrittenCopies

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
        self._feeder: Thread | None = None
        self._end: Timer | None = None  # kills a process that does not answer

    def start(self, run_seconds: float) -> None:
        """Start the process, which then waits for its job, unless the run was too short for one."""
        is_frozen = getattr(sys, "frozen", False)  # such a program is no Python that runs a line
        if self._process is not None or run_seconds < MIN_SECONDS or is_frozen:
            return
        try:
            self._process = start_child(make_python_command(_START, {}))
        except OSError:
            self._give_up()
            return
        self._end = Timer(PATIENCE, self._process.kill)
        self._end.daemon = True
        self._end.start()

    def begin(self, job: CopyJob, run_seconds: float) -> bool:
        """Begin to write the copies; False where that is not worth it, or they have to be written here."""
        if job.is_slow:
            self.start(run_seconds)
        else:
            self.close()
        if self._process is None:
            return False
        # the process reads it once it has imported what it needs
        request = pickle.dumps(job)
        self._feeder = Thread(target=feed_child, args=(self._process.stdin, request), daemon=True)
        self._feeder.start()
        return True

    def take_copies(self) -> WrittenCopies | None:
        """Return the copies; None where they have to be written here."""
        if self._process is None:
            return None
        assert self._process.stdout is not None
        written: WrittenCopies | None = None
        try:
            written = pickle.load(self._process.stdout)  # noqa: S301  the process is our own
        except (EOFError, OSError, pickle.UnpicklingError):
            self._give_up()
        self.close()
        return written

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
    """Do the job on standard input; write on standard output what was written, None where something failed."""
    from pipeline.reports import marked_copy  # noqa: F401, PLC0415 - openpyxl takes time, and the job is not there yet
    from pipeline.workflow.marked_copies import write_marked_copies  # noqa: PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.disable()  # what a workbook is made of is needed to its end
    job: CopyJob = pickle.load(sys.stdin.buffer)  # noqa: S301  from the process that started this one
    written = write_marked_copies(job)
    failed = len(written.notices) > len(job.notices)  # tried again where there is a log
    pickle.dump(None if failed else written, sys.stdout.buffer)
    sys.stdout.buffer.flush()
