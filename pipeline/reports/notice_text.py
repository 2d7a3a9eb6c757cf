"""What a run noticed beside its rows, in words."""

from __future__ import annotations

from pipeline.domain.run import Notice, RunReport
from pipeline.reports.presenter import Presenter


def describe_notice(notice: Notice, presenter: Presenter) -> str:
    """Return what a run noticed, and what to do about it."""
    words = {
        name: presenter.render(f"notice.{text}") if name == "direction" else text
        for name, text in notice.detail.items()
    }
    return presenter.render(f"notice.{notice.code}", **words)


def describe_notices(report: RunReport, presenter: Presenter) -> list[str]:
    """Return all that a run noticed, masked."""
    return [presenter.mask_text(describe_notice(each, presenter)) for each in report.notices]
