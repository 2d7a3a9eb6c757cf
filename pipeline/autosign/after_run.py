"""Asks which doctors can sign after a run, as `autosign: {after_run: true}` has it; a hook of the run's end.

The results of the run are written by then, and its exit code stands: they show what was known before.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing

from pipeline.autosign.calls import CallResources
from pipeline.autosign.doctors import list_sealed_doctors
from pipeline.autosign.status import StatusInquiry
from pipeline.clock import Clock
from pipeline.config.sections import parse_age
from pipeline.config.settings import Config
from pipeline.domain.masking import Masker
from pipeline.domain.run import SIGNALLED, RowPlan, RunReport
from pipeline.errors import UsageError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.protocol import Ledger
from pipeline.messages.catalogue import make_finished_message
from pipeline.reports.explanations import describe_halt
from pipeline.reports.presenter import Presenter
from pipeline.sending.run_state import StopSignal
from pipeline.workflow.hosts_factory import make_limiter
from pipeline.workflow.stage_settings import get_credentials_places

LOG = logging.getLogger(__name__)
COMMANDS = frozenset({"run", "retry"})


def query_after_run(
    report: RunReport, config: Config, *, row_plans: Sequence[RowPlan], ledger: Ledger, clock: Clock
) -> None:
    """Ask for the sealed doctors of a run's rosters who are due; ``row_plans`` hold their whole numbers.

    Not after a run that was stopped or interrupted: what stopped it would stop this as well. Raises UsageError where the
    asking was stopped, EsignImportError where there are no credentials.
    """
    was_stopped = report.halt is not None or report.exit > SIGNALLED
    if report.command not in COMMANDS or was_stopped or not isinstance(ledger, DatabaseLedger):
        return
    doctors = list_sealed_doctors(row_plans, ledger.snapshot().people)
    with closing(make_limiter(config, clock)) as limiter:
        resources = CallResources(
            config=config,
            clock=clock,
            ledger=ledger,
            credentials=get_credentials_places(config),
            limiter=limiter,
            stop=StopSignal(),
            masker=report.masker or Masker.of_doctors(row_plan.doctor for row_plan in row_plans),
            run=report.run,
        )
        asked = StatusInquiry(resources).run(
            doctors, recheck_seconds=parse_age(config.autosign.recheck) or 0.0
        )
    LOG.info("asked who can sign", extra={"due": asked.due, "asked": asked.asked})
    if asked.halt is not None:
        zh, en = (
            describe_halt(asked.halt.code, asked.halt.message, Presenter(language), asked.halt.detail)
            for language in ("zh", "en")
        )
        why = make_finished_message(asked.halt.code, zh, en)
        raise UsageError("autosign.after_run_stopped", why=why)
