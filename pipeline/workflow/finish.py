"""Finishes a run: the command line and the Python API share this step. A notification belongs in pipeline.operations.run_hooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.config.settings import Config
from pipeline.domain.results_format import COPIES
from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import verify_totals

if TYPE_CHECKING:
    from pipeline.workflow.copy_process import CopyProcess
    from pipeline.workflow.marked_copies import CopyJob


def load_report_modules() -> None:
    """Import the modules that only the results need, while a run waits for its rate limit."""
    from pipeline.reports.write import warm_up  # noqa: PLC0415

    warm_up()


def finish_run(
    report: RunReport,
    config: Config,
    presenter: Presenter,
    *,
    latest: Path | None = None,
    writes_files: bool = True,
    process: CopyProcess | None = None,
) -> tuple[RunReport, Mapping[str, Path]]:
    """Write the files of a run and copies of them into ``latest``; return the report and their paths by usual name.

    The report names the marked copies of the rosters, and has notices of what could not be written.

    Raises SumsError before the first file where the outcomes do not add up. ``writes_files`` False: the caller wants none.
    ``process`` may write the copies.
    """
    from pipeline.reports.write import write_all  # noqa: PLC0415 - `load_report_modules` has imported it
    from pipeline.workflow import marked_copies  # noqa: PLC0415 - reads rosters
    from pipeline.workflow.stage_settings import build_preview_loader  # noqa: PLC0415 - a run that ended early reads no picture

    verify_totals(report)
    if not writes_files:
        return report, {}
    add_copies: Callable[[], RunReport] | None = None
    if config.marked_copies:
        job = marked_copies.plan_marked_copies(report, config.columns, presenter, latest)
        if process is not None and process.begin(job, report.finished - report.started):
            add_copies = cache(partial(_take_copies, report, job, process))
        else:
            report = marked_copies.add_copies_to_report(report, marked_copies.write_marked_copies(job))
    files = write_all(
        report, presenter=presenter, look=build_preview_loader(config), latest=latest, add_copies=add_copies
    )
    report = add_copies() if add_copies else report
    return report, files | ({COPIES: report.out / COPIES} if report.copies else {})


def _take_copies(report: RunReport, job: CopyJob, process: CopyProcess) -> RunReport:
    """Return the report with the copies that the process has written, or that are written here where it could not."""
    from pipeline.workflow.marked_copies import add_copies_to_report, write_marked_copies  # noqa: PLC0415 - as above

    return add_copies_to_report(report, process.take_copies() or write_marked_copies(job))
