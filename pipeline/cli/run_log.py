"""The records of a command that is to send: log.jsonl, and run.json where the command ends early.

The log holds codes, row ids and trace ids; no name, no number, no key, also not inside a traceback.
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import click
from pythonjsonlogger.json import JsonFormatter

from pipeline.cli.context import Session
from pipeline.config.named_paths import require_ready
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.run import Halt, RunReport, RunRequest, Traffic, more_severe_exit
from pipeline.errors import EsignImportError, HoldLost, LockLost
from pipeline.ledger.ledger import Ledger
from pipeline.operations.run_hooks import call_run_end_hooks, call_run_start_hook
from pipeline.reports.records import run_record
from pipeline.support.atomic_files import make_folder
from pipeline.support.rights import make_private
from pipeline.workflow import run_request
from pipeline.workflow.run_report import build_halt, end_report, start_report, write_run_json

LOG = logging.getLogger(__name__)
LOG_NAME = "log.jsonl"
OUR_LOGGER = "pipeline"
ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


@contextmanager
def record_command(
    session: Session, command: str, config: Config, out: Path | None = None
) -> Iterator[RunRecorder]:
    """Leave a record of a command that is to send, also where an exception ends it; it needs a ready configuration.

    ``out`` is the folder for the results, where one is named.
    """
    run = run_request.reserve_run_id(config, session.clock)
    begun = start_report(config, run=run, command=command, started=session.clock.now(), out=out)
    recorder = RunRecorder(session, config, begun)
    call_run_start_hook(command, config, session.warn_of_hook)
    try:
        require_ready(config, session.config_name)
        yield recorder
    except BaseException as error:
        recorder.record_failure(error)
        raise


@dataclass(slots=True)
class RunRecorder:
    """Records one command. Its log is in the folder of its results as soon as it holds the ledger.

    Before that another run may be writing there, so a run that ended earlier has its record in a separate folder.
    """

    session: Session
    config: Config
    begun: RunReport
    is_logging: bool = False
    is_recorded: bool = False  # run.json holds the end already

    @property
    def run(self) -> str:
        """The run's id."""
        return self.begun.run

    @property
    def own_folder(self) -> Path:
        """The folder to which no other run writes, and in which `status` looks."""
        return self.config.resolve_path(self.config.out) / self.begun.run

    @contextmanager
    def write_log(self, folder: Path) -> Iterator[None]:
        """Write log.jsonl in a folder while the block runs; its last line is the end, also one by an exception."""
        with log_to_folder(folder, verbose=self.session.verbose):
            self.is_logging = True
            self.session.log_path = folder / LOG_NAME
            LOG.info("the run begins", extra={"tenant": self.begun.tenant})  # all that a killed run leaves
            try:
                yield
            except BaseException as error:
                if not isinstance(error, EsignImportError | KeyboardInterrupt | click.Abort):
                    LOG.exception("the run broke")
                halt = build_halt(_without_click(error))
                LOG.error("the run ends", extra={"exit": halt.exit, "code": halt.code})  # noqa: TRY400 - the traceback is logged above
                raise
            finally:
                self.session.log_path = None

    def log_end(self, exit_code: int) -> int:
        """Log the last line of a run that came to its end, and return its exit code."""
        LOG.info("the run ends", extra={"exit": exit_code})
        return exit_code

    def record_nothing_to_do(self, exit_code: int = 0) -> int:
        """Leave the record of a command that has nothing to do, and return its exit code."""
        report = end_report(self.begun, self.session.clock.now())
        with suppress(OSError), self.write_log(self.own_folder):
            self.log_end(exit_code)
            self._leave_record(report, [self.own_folder])
        self.session.print_record(run_record(report))
        return exit_code

    def record_calls(self, traffic: Traffic, halt: Halt | None, exit_code: int) -> int:
        """Leave the record of a command that called the service and has no rows, and return its exit code."""
        report = end_report(self.begun, self.session.clock.now(), halt)
        self.is_recorded = True
        self._leave_record(replace(report, traffic=traffic, exit=exit_code), [self.own_folder])
        return self.log_end(exit_code)

    def record_unwritten_results(self, ledger: Ledger, report: RunReport, error: Exception) -> int:
        """Record a run whose results could not be written, in run.json and in the ledger; return its exit code."""
        from pipeline.workflow.finish import note_takeover

        halt = build_halt(error)
        exit_code = more_severe_exit(report.exit, halt.exit)
        report = note_takeover(replace(report, exit=exit_code, halt=report.halt or halt), ledger, self.config)
        with suppress(EsignImportError):  # sums that do not add up stand in no record
            record = json.dumps(run_record(report), ensure_ascii=False)
            self.is_recorded = True
            self._leave_record(report, [report.out, self.own_folder])
            ledger.finish_run(report.run, exit=exit_code, finished=report.finished, record=record)
        return exit_code

    def record_failure(self, error: BaseException) -> None:
        """Leave the record of a run that an exception ended: in its folder, and where `status` looks."""
        if self.is_recorded:
            return
        report = self._end_report(error)
        if self.is_logging:
            self._leave_record(report, [report.out, self.own_folder])
            return
        with suppress(OSError, type(error)), self.write_log(self.own_folder):
            raise error
        self._leave_record(report, [self.own_folder])

    def _end_report(self, error: BaseException) -> RunReport:
        halt = build_halt(_without_click(error))
        report = end_report(self.begun, self.session.clock.now(), halt)
        is_taken_over = isinstance(error, HoldLost) and not isinstance(error, LockLost)
        return replace(report, is_superseded=is_taken_over)

    def _leave_record(self, report: RunReport, folders: Sequence[Path]) -> None:
        """Write run.json of a run without results, and call the hooks that every run's end calls."""
        write_run_json(report, folders)
        call_run_end_hooks(report, self.config, self.session.warn_of_hook)
        with suppress(EsignImportError):  # the reason of the end is what is reported
            self.session.print_record(run_record(report))

    def record_in_ledger(self, ledger: Ledger, request: RunRequest, error: OSError) -> None:
        """Record a run whose results folder cannot be written, so that there is no run.json, in the ledger."""
        from pipeline.workflow.stage_settings import build_run_record

        report = self._end_report(error)
        record = json.dumps(run_record(report), ensure_ascii=False)
        with suppress(EsignImportError):
            begun = build_run_record(request, self.config, self.begun.started, ledger.site_key)
            ledger.begin_run(replace(begun, exit=report.exit, finished=report.finished, record=record))
        call_run_end_hooks(report, self.config, self.session.warn_of_hook)


def _without_click(error: BaseException) -> BaseException:
    """Return the exception that means the same without click."""
    return KeyboardInterrupt() if isinstance(error, click.Abort) else error


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


def remove_lone_log(folder: Path) -> None:
    """Remove a folder that holds nothing but the log of a run that was declined."""
    with suppress(OSError):  # it stays, without harm
        if [entry.name for entry in folder.iterdir()] == [LOG_NAME]:
            (folder / LOG_NAME).unlink()
            folder.rmdir()


def _create_anew(path: Path) -> TextIO:
    """Return a new file in place of an old one: a link is not followed, loose rights are not kept."""
    path.unlink(missing_ok=True)
    stream = open(path, "x", encoding="utf-8", opener=partial(os.open, mode=0o600))  # noqa: SIM115 - closed with the log
    make_private(path)  # whatever the umask
    return stream
