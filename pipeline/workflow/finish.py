"""Writes the files of a run that ended. A notification belongs in pipeline.operations.run_hooks."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.settings import Config
from pipeline.domain.results_format import COPIES
from pipeline.domain.run import RunReport
from pipeline.errors import HoldLost, LedgerError, LockLost
from pipeline.ledger.ledger import Ledger
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import verify_totals
from pipeline.support.progress_file import write_step
from pipeline.workflow.recorded_runs import LATEST, RUN

if TYPE_CHECKING:
    from pipeline.workflow.run_plan import EndedRun  # it imports Pillow


def load_report_modules() -> None:
    """Import the modules that only the results need, while a run waits for its rate limit."""
    from pipeline.reports.write import warm_up  # noqa: PLC0415

    warm_up()


@contextmanager
def _hide_numpy() -> Iterator[None]:
    """Keep openpyxl from importing numpy, to know its numbers: no roster holds one, and it takes 80 ms."""
    if "numpy" in sys.modules:
        yield
        return
    sys.modules["numpy"] = None  # type: ignore[assignment] # the documented way to make an import fail
    try:
        yield
    finally:
        del sys.modules["numpy"]


def finish_run(
    ended: EndedRun,
    config: Config,
    presenter: Presenter,
    *,
    ledger: Ledger | None = None,
    latest: Path | None = None,
    writes_files: bool = True,
) -> tuple[RunReport, Mapping[str, Path]]:
    """Write the files of a run and copies of them into ``latest``; return the report and their paths by usual name.

    A `retry` replaces only the marked copies in ``latest``. A run whose ``ledger`` another run has taken over leaves ``latest``
    alone, which shows what that run knows. The returned report names the marked copies of the rosters, and
    has notices of what could not be written.

    Raises SumsError before the first file where the outcomes do not add up. ``writes_files`` False: the caller wants none.
    """
    from pipeline.reports.write import ResultsWriter  # noqa: PLC0415 - `load_report_modules` has imported it
    from pipeline.workflow.marked_copies import MarkedCopies  # noqa: PLC0415 - reads rosters
    from pipeline.workflow.stage_settings import build_image_examiner  # noqa: PLC0415 - a run that ended early reads no picture

    report = ended.report
    verify_totals(report)
    write_step("results")
    report = note_takeover(report, ledger, config)
    if not writes_files:
        return report, {}
    latest = None if report.is_superseded else latest
    writer = ResultsWriter(
        presenter=presenter,
        previews=build_image_examiner(config),
        latest=None if report.command == "retry" else latest,
    )
    copies = MarkedCopies(ended, config.columns, presenter, latest) if config.marked_copies else None
    if copies is not None:
        with _hide_numpy():
            report = copies.write_copies_to_correct(report)
    writer.write_workbook(report)
    if copies is not None:
        with _hide_numpy():
            report = copies.write_other_copies(report)
    files = writer.write_pages(report)
    report = note_takeover(report, ledger, config)  # this process may have been stopped while it wrote
    if not report.is_superseded:
        files = writer.copy_into_latest(report)
    return report, files | ({COPIES: report.out / COPIES} if report.copies else {})


def note_takeover(report: RunReport, ledger: Ledger | None, config: Config) -> RunReport:
    """Return the report of a run, superseded where another run has taken over the ledger.

    Where that cannot be found out (the server is away, a lock file was deleted), the results of a later run show it.
    """
    if report.is_superseded or not isinstance(ledger, Ledger):
        return report
    try:
        ledger.require_held()
    except HoldLost as error:
        is_certain = not isinstance(error, LockLost)
        is_superseded = is_certain or _shows_later_run(config, report)
    except LedgerError:
        is_superseded = _shows_later_run(config, report)
    else:
        return report
    return replace(report, is_superseded=is_superseded, latest=None if is_superseded else report.latest)


def _shows_later_run(config: Config, report: RunReport) -> bool:
    """Return whether ``latest`` shows a run that began after this one."""
    try:
        record = json.loads((config.resolve_path(config.out) / LATEST / RUN).read_text(encoding="utf-8"))
        return bool(record["tenant"] == report.tenant and record["run"] > report.run)
    except (OSError, ValueError, KeyError, TypeError):
        return False
