"""Runs are child processes: whatever they do, the worker's event loop stays free for its sign of life.

`subprocess` in threads, not asyncio's: on Windows the loop that psycopg needs has no child processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Lock, Thread

from pipeline.errors import reason_of
from pipeline.jobs.retry import RunEnd

NOT_STARTED = 74  # the exit code of a run that the system did not start
ReportLine = Callable[[str, str], None]  # a hospital, and a line that its run printed


class RunChildren:
    """The runs of one worker."""

    def __init__(self, config_path: Path, language: str | None, report_line: ReportLine) -> None:
        self._config_path = config_path
        self._language = language
        self._report_line = report_line
        self._processes: set[subprocess.Popen[str]] = set()
        self._lock = Lock()
        self.is_draining = False

    def make_command(self, hospital: str) -> list[str]:
        """Return the words that start a run of a hospital; ``""`` is that of the configuration's top level."""
        program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, "-m", "pipeline"]
        profile = ("--profile", hospital) if hospital else ()
        language = ("--lang", self._language) if self._language else ()
        config = ("--config", str(self._config_path))
        return [*program, *config, *profile, *language, "--quiet", "--json", "run", "--yes"]

    def run(self, hospital: str) -> RunEnd | None:
        """Run a hospital to its end; None where the worker is about to end and nothing was started.

        Blocks: to be called in a thread. What the run prints to stderr is reported line by line.
        """
        with self._lock:
            if self.is_draining:
                return None
            try:
                process = _start(self.make_command(hospital))
            except OSError as error:  # no memory, no process left
                self._report_line(hospital, str(reason_of(error)))
                return RunEnd(NOT_STARTED)
            self._processes.add(process)
        try:
            assert process.stdout is not None
            assert process.stderr is not None
            records: list[str] = []
            reader = Thread(target=lambda: records.extend(process.stdout or ()), daemon=True)
            reader.start()
            for line in process.stderr:
                self._report_line(hospital, line.rstrip("\n"))
            exit_code = process.wait()
            reader.join()
            process.stdout.close()
            process.stderr.close()
        finally:
            with self._lock:
                self._processes.discard(process)
        return _read_end(exit_code, records)

    def drain(self) -> None:
        """Ask every run to finish what is under way and to end; asked twice, a run ends at once."""
        with self._lock:
            self.is_draining = True
            for process in self._processes:
                if os.name == "nt":
                    process.send_signal(signal.CTRL_BREAK_EVENT)  # type: ignore[attr-defined,unused-ignore]
                else:
                    process.terminate()


def _start(command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a child out of reach of the terminal's Ctrl-C, which goes to the worker alone."""
    flags = subprocess.CREATE_NEW_PROCESS_GROUP if os.name == "nt" else 0  # type: ignore[attr-defined,unused-ignore]
    return subprocess.Popen(  # noqa: S603 - this program itself
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={**os.environ, "PYTHONUTF8": "1"},
        start_new_session=True,
        creationflags=flags,
    )


def _read_end(exit_code: int, lines: Sequence[str]) -> RunEnd:
    """Return how a run ended, by its exit code and by the record that it printed, if it did."""
    try:
        record = json.loads(lines[-1])
        return RunEnd(exit_code, record["run"], (record["halted"] or {}).get("code"))
    except (IndexError, KeyError, ValueError, TypeError, AttributeError):  # it ended before it had a record
        return RunEnd(exit_code)
