"""Finishes a run: the command line and the Python API share these steps.

A new kind of result is a function and one entry in `STEPS`; a notification belongs in pipeline.operations.run_end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.config.settings import Config
from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter
from pipeline.reports.totals import verify_totals


@dataclass(slots=True)
class FinishedRun:
    """A run whose outcomes are known, and the results that the steps add."""

    report: RunReport
    config: Config
    presenter: Presenter  # for the files
    latest: Path | None = None  # where a copy of the results goes
    writes_files: bool = True  # False: the caller wants no result files
    files: dict[str, Path] = field(default_factory=dict)  # usual name -> path written


def load_report_modules() -> None:
    """Import the modules that only the results need, while a run waits for its rate limit."""
    from pipeline.reports.write import warm_up  # noqa: PLC0415

    warm_up()


FinishStep = Callable[[FinishedRun], None]


def write_results(finished: FinishedRun) -> None:
    """Write the files of the run, and copies of them into ``latest``; see `pipeline.reports.write.write_all`."""
    from pipeline.reports.write import write_all  # noqa: PLC0415 - `load_report_modules` has imported it meanwhile
    from pipeline.workflow.stage_settings import build_preview_loader  # noqa: PLC0415 - a run that ended early reads no picture

    if finished.writes_files:
        finished.files |= write_all(
            finished.report,
            presenter=finished.presenter,
            look=build_preview_loader(finished.config),
            latest=finished.latest,
        )


STEPS: Sequence[FinishStep] = (write_results,)  # in this order


def finish_run(finished: FinishedRun) -> FinishedRun:
    """Take every step; raises SumsError before the first one where the outcomes do not add up."""
    verify_totals(finished.report)
    for step in STEPS:
        step(finished)
    return finished
