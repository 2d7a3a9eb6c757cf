"""The record of a command that is to send: the first and the last line of its log, and its run.json if it ends early."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.context import Session
from pipeline.config.settings import Config
from pipeline.errors import DiskTrouble, EsignImportError
from pipeline.workflow import run_environment

if TYPE_CHECKING:
    from pipeline.domain.run import Halt, RunReport, RunRequest
    from pipeline.ledger.sqlite_ledger import SqliteLedger
    from pipeline.workflow.early_end import Begun

LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Recorder:
    """Records one command. Its log lies where its results go once it holds the ledger.

    Before, another run may be writing there: a record of a run that ended earlier lies in a folder of its own.
    """

    session: Session
    begun: Begun
    logging: bool = False
    recorded: bool = False  # run.json tells the end already

    @property
    def run(self) -> str:
        """The run's id."""
        return self.begun.run

    @contextmanager
    def log(self, folder: Path) -> Iterator[None]:
        """Keep log.jsonl in a folder while the block runs; the last line tells how it ended, also by an exception."""
        from pipeline.cli.run_log import logging_to  # noqa: PLC0415
        from pipeline.workflow.early_end import halt_of  # noqa: PLC0415

        with logging_to(folder, loud=self.session.verbose):
            self.logging = True
            LOG.info("the run begins", extra={"tenant": self.begun.tenant})  # all that a killed run leaves
            try:
                yield
            except BaseException as trouble:
                if not isinstance(trouble, EsignImportError | KeyboardInterrupt | click.Abort):
                    LOG.exception("the run broke")
                self._log_end(halt_of(_as_ours(trouble), "en"))
                raise

    def end(self, exit_code: int) -> int:
        """Log the last line of a run that came to its end, and return its exit code."""
        LOG.info("the run ends", extra={"exit": exit_code})
        return exit_code

    def end_early(self, exit_code: int = 0) -> int:
        """Leave the record of a command that found nothing to do, and return its exit code."""
        from pipeline.workflow.early_end import empty_night, leave_record  # noqa: PLC0415

        folder = self.begun.own_folder
        with suppress(OSError), self.log(folder):
            self.end(exit_code)
            leave_record(empty_night(self.begun, self.session.clock, None), [folder])
        return exit_code

    @contextmanager
    def keeping(self, ledger: SqliteLedger, night: RunReport) -> Iterator[None]:
        """Record how a run ended whose results could not be told, in run.json and in the ledger."""
        from pipeline.reports.records import run_record  # noqa: PLC0415
        from pipeline.workflow.early_end import halt_of, leave_record  # noqa: PLC0415
        from pipeline.workflow.exit_codes import more_severe_exit  # noqa: PLC0415

        try:
            yield
        except Exception as trouble:
            halted = halt_of(trouble, self.session.language)
            ended = more_severe_exit(night.exit, halted.exit)
            night = replace(night, exit=ended, halt=night.halt or halted)
            with suppress(EsignImportError):  # sums that do not add up are told by no record
                told = json.dumps(run_record(night), ensure_ascii=False)
                self.recorded = True
                leave_record(night, [night.out, self.begun.own_folder])
                ledger.finish_run(night.run, exit=ended, finished=night.finished, record=told)
            if isinstance(trouble, OSError):
                disk = DiskTrouble.of(trouble)
                disk.exit_code = ended
                raise disk from trouble
            raise

    def leave(self, trouble: BaseException) -> None:
        """Leave the record of a run that an exception ended: in its folder, and where `status` looks."""
        from pipeline.workflow.early_end import empty_night, halt_of, leave_record  # noqa: PLC0415

        if self.recorded:
            return
        halted = halt_of(_as_ours(trouble), self.session.language)
        night, own = empty_night(self.begun, self.session.clock, halted), self.begun.own_folder
        if self.logging:
            leave_record(night, [night.out, own])
            return
        with suppress(OSError, type(trouble)), self.log(own):
            raise trouble
        leave_record(night, [own])

    def enter(self, ledger: SqliteLedger, ask: RunRequest, trouble: OSError) -> None:
        """Record in the ledger a run whose results folder cannot be written: no run.json can tell of it."""
        from pipeline.reports.records import run_record  # noqa: PLC0415
        from pipeline.workflow.early_end import empty_night, halt_of  # noqa: PLC0415
        from pipeline.workflow.stage_settings import record  # noqa: PLC0415

        night = empty_night(self.begun, self.session.clock, halt_of(trouble, self.session.language))
        told = json.dumps(run_record(night), ensure_ascii=False)
        with suppress(EsignImportError):
            ledger.begin_run(record(ask, self.begun.config, self.begun.started))
            ledger.finish_run(night.run, exit=night.exit, finished=night.finished, record=told)

    @staticmethod
    def _log_end(halted: Halt) -> None:
        LOG.error("the run ends", extra={"exit": halted.exit, "code": halted.code})


@contextmanager
def recorded(session: Session, command: str, config: Config, out: Path | None = None) -> Iterator[Recorder]:
    """Leave a record of a command that is to send, whatever ends the block early. ``out`` is where results are to go."""
    from pipeline.workflow.early_end import Begun  # noqa: PLC0415

    run = run_environment.new_run(config, session.clock)
    recorder = Recorder(session, Begun(command, run, session.clock.now(), config, out))
    try:
        yield recorder
    except BaseException as trouble:
        recorder.leave(trouble)
        raise


def _as_ours(trouble: BaseException) -> BaseException:
    """Return the exception that means the same without click."""
    return KeyboardInterrupt() if isinstance(trouble, click.Abort) else trouble
