"""Finishes a run: the command line and the Python API share this step. A notification belongs in pipeline.operations.run_hooks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.domain.results_format import COPIES
from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import verify_totals


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
) -> tuple[RunReport, Mapping[str, Path]]:
    """Write the files of a run and copies of them into ``latest``; return the report and their paths by usual name.

    A `retry` replaces only the marked copies in ``latest``. The returned report names the marked copies of the rosters, and
    has notices of what could not be written.

    Raises SumsError before the first file where the outcomes do not add up. ``writes_files`` False: the caller wants none.
    """
    from pipeline.reports.write import ResultsWriter  # noqa: PLC0415 - `load_report_modules` has imported it
    from pipeline.workflow.marked_copies import MarkedCopies  # noqa: PLC0415 - reads rosters
    from pipeline.workflow.stage_settings import build_image_examiner  # noqa: PLC0415 - a run that ended early reads no picture

    verify_totals(report)
    if not writes_files:
        return report, {}
    writer = ResultsWriter(
        presenter=presenter,
        previews=build_image_examiner(config),
        latest=None if report.command == "retry" else latest,
    )
    copies = MarkedCopies(report, config.columns, presenter, latest) if config.marked_copies else None
    if copies is not None:
        report = copies.write_copies_to_correct(report)
    writer.write_workbook(report)
    if copies is not None:
        report = copies.write_other_copies(report)
    files = writer.write_pages(report)
    return report, files | ({COPIES: report.out / COPIES} if report.copies else {})
