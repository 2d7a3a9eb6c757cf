"""Finishes a run: the command line and the Python API share this step. A notification belongs in pipeline.operations.run_hooks."""

from __future__ import annotations

from collections.abc import Mapping
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
    from pipeline.workflow.marked_copies import write_marked_copies  # noqa: PLC0415 - reads rosters
    from pipeline.workflow.stage_settings import build_preview_loader  # noqa: PLC0415 - a run that ended early reads no picture

    verify_totals(report)
    if not writes_files:
        return report, {}
    look = build_preview_loader(config)
    write = partial(write_all, presenter=presenter, look=look, latest=latest)
    if process is not None and process.begin(report, config, presenter, latest):
        add_copies = cache(
            lambda: process.take_copies() or write_marked_copies(report, config.columns, presenter, latest)
        )
        files = write(report, add_copies=add_copies)
        report = add_copies()
    else:
        if config.marked_copies:
            report = write_marked_copies(report, config.columns, presenter, latest)
        files = write(report)
    return report, files | ({COPIES: report.out / COPIES} if report.copies else {})
