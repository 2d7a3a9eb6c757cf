"""What a command that calls the service prints and writes: warnings, its record, and log.jsonl.

The log holds codes, row ids and trace ids; no name, no number, no key, also not inside a traceback.
"""

from __future__ import annotations

import logging
import os
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from pythonjsonlogger.json import JsonFormatter

from pipeline.cli.context import Session
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.run import RunReport
from pipeline.errors import EsignImportError
from pipeline.operations.run_hooks import call_run_end_hooks, call_run_start_hook
from pipeline.reports.records import run_record
from pipeline.support.atomic_files import make_folder
from pipeline.support.rights import make_private
from pipeline.workflow.recorded_runs import LOG_NAME
from pipeline.workflow.session import SessionObserver

OUR_LOGGER = "pipeline"
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class CommandObserver(SessionObserver):
    """Observes a command that calls the service: its warnings and its record are printed, its log is in a folder."""

    def __init__(self, session: Session) -> None:
        self.language = session.language
        self.config_name = str(session.config_name)
        self._session = session

    def print_warning(self, error: EsignImportError) -> None:
        """Print an error that is no reason to stop."""
        self._session.print_warning(error)

    def call_start_hook(self, command: str, config: Config) -> None:
        """Call the hook of the start; where it fails it is a warning."""
        call_run_start_hook(command, config, self._session.warn_of_hook)

    def call_end_hooks(self, report: RunReport, config: Config) -> None:
        """Call the hooks of the end; one that fails is a warning."""
        call_run_end_hooks(report, config, self._session.warn_of_hook)

    @contextmanager
    def write_log(self, folder: Path) -> Iterator[None]:
        """Write log.jsonl in a folder; a warning names it meanwhile."""
        with log_to_folder(folder, verbose=self._session.verbose):
            self._session.log_path = folder / LOG_NAME
            try:
                yield
            finally:
                self._session.log_path = None

    def show_record(self, report: RunReport) -> None:
        """Print the record, where ``--json`` asks for it."""
        self._session.print_record(run_record(report))

    def break_run(self, run: str, seals: int) -> None:
        """Keep how many seals a run made before it broke, for the message about that."""
        self._session.broken_run = run, seals


class _MaskingFormatter(JsonFormatter):
    """Gives the place and the kind of an exception without its text, which may quote a path or a cell."""

    def formatException(self, exc_info: ExcInfo) -> str:  # noqa: N802 - logging's name
        lines = []
        error = exc_info[1]
        while error is not None:
            number = f" {error.errno}" if isinstance(error, OSError) and error.errno else ""
            lines.append("".join(traceback.format_tb(error.__traceback__)) + type(error).__name__ + number)
            error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        return "\n".join(reversed(lines))

    def process_log_record(self, log_data: dict[str, Any]) -> dict[str, Any]:
        log_data["message"] = mask_text(str(log_data.get("message", "")))
        return super().process_log_record(log_data)


class _QuietHandler(logging.StreamHandler[TextIO]):
    """Drops what the disk does not take: the standard handler prints a traceback for each record."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Do nothing: writing the results reports what the disk refuses."""


@contextmanager
def log_to_folder(folder: Path, *, verbose: bool = False) -> Iterator[None]:
    """Write this process's log records to ``folder``/log.jsonl while the block runs; ``verbose`` is DEBUG.

    Libraries are logged from WARNING on: their DEBUG records hold hosts, paths and bodies.
    """
    make_folder(folder)
    stream = _create_anew(folder / LOG_NAME)
    handler = _QuietHandler(stream)
    handler.setFormatter(
        _MaskingFormatter(
            "%(asctime)s %(levelname)s %(name)s %(message)s",
            rename_fields={"asctime": "time", "levelname": "level", "name": "logger"},
            json_ensure_ascii=False,
        )
    )
    root, ours = logging.getLogger(), logging.getLogger(OUR_LOGGER)
    levels_before = root.level, ours.level
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    ours.setLevel(logging.DEBUG if verbose else logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(levels_before[0])
        ours.setLevel(levels_before[1])
        handler.close()
        with suppress(OSError):  # the disk is full, which the error of the run reports
            stream.close()


def _create_anew(path: Path) -> TextIO:
    """Return a new file in place of an old one: a link is not followed, loose rights are not kept."""
    path.unlink(missing_ok=True)
    stream = open(path, "x", encoding="utf-8", opener=partial(os.open, mode=0o600))  # noqa: SIM115 - closed with the log
    make_private(path)  # whatever the umask
    return stream
