"""Enters answers with a SealId that an earlier run could not enter in the ledger, from the results of that run.

A run keeps such an answer in log.jsonl as soon as it has read it, and in outcomes.jsonl where its commit failed: the
server was away, the disk refused, the process was killed or had lost the ledger. The rule: an answer counts for an attempt
only if the ledger holds that attempt unresolved and without the answer to it, and if the site key made the proof of the
answer for this tenant, person and attempt. Rows, names and run ids prove nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.domain.run import SEAL_ID_REUSED
from pipeline.domain.seals import KeptAnswer
from pipeline.domain.site_key import SiteKey
from pipeline.errors import LedgerError
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.ownership import WarningOutput
from pipeline.ledger.protocol import LedgerConflict, UnansweredAttempt
from pipeline.messages.catalogue import join_messages
from pipeline.reports.earlier_results import read_kept_answers

LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class KeptAnswers:
    """The answers that the results of earlier runs keep for the unresolved attempts of a ledger."""

    ledger: DatabaseLedger
    site_key: SiteKey
    out: Path  # the configured folder of results, which other hosts may share

    def enter_all(self, *, now: float, warnings: WarningOutput) -> None:
        """Enter every proven answer at ``now`` (unix seconds), and report how many doctors have their seals by it."""
        by_run: defaultdict[str, list[UnansweredAttempt]] = defaultdict(list)
        for attempt in self.ledger.list_unanswered_attempts():
            by_run[attempt.run].append(attempt)
        entered = {run: self._enter_answers_of_run(run, attempts, now) for run, attempts in by_run.items()}
        if runs := [run for run, sealed in entered.items() if sealed]:
            warnings.print_warning(
                LedgerError("ledger.answers_entered", n=sum(entered.values()), runs=join_messages(runs))
            )

    def _enter_answers_of_run(self, run: str, attempts: Sequence[UnansweredAttempt], now: float) -> int:
        """Enter the answers that a run kept for these attempts; return how many were seals."""
        waiting = {attempt.uuid: attempt for attempt in attempts}
        sealed = 0
        for folder in self._list_folders(run):
            for trace_id, answer in read_kept_answers(folder):
                attempt = waiting.get(trace_id)
                if attempt is None or not answer.is_of(attempt.key, trace_id, self.site_key):
                    continue
                if attempt.seal_id not in {None, answer.seal_id}:
                    continue
                del waiting[trace_id]
                sealed += self._enter(attempt, answer, now)
        return sealed

    def _list_folders(self, run: str) -> Iterator[Path]:
        """Yield the folders that may hold the results of a run: on this host, and as it is named on the run's own."""
        yield self.out / run
        record = self.ledger.get_run(run)
        if record is not None and Path(record.out) != self.out / run:
            yield Path(record.out)

    def _enter(self, attempt: UnansweredAttempt, answer: KeptAnswer, now: float) -> bool:
        """Enter an answer; return whether the person has the seal now. A SealId of another person stays evidence alone."""
        verdict, why = answer.to_verdict(), f"answer kept by run {attempt.run}"
        try:
            self.ledger.record_kept_answer(attempt, verdict, now=now, why=why)
        except LedgerConflict:
            LOG.exception("a kept answer has another person's SealId", extra={"trace_id": attempt.uuid})
            reused = replace(verdict, kind="unknown", code=SEAL_ID_REUSED)
            self.ledger.record_kept_answer(attempt, reused, now=now, why=why)
            return False
        return verdict.kind == "sealed"
