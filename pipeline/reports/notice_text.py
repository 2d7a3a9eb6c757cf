"""What a run noticed beside its rows, in words."""

from __future__ import annotations

from pipeline.domain.masking import Numbers, mask_text
from pipeline.domain.run import Notice, RunReport
from pipeline.messages.results import say


def describe_notice(notice: Notice, language: str) -> str:
    """Return what a run noticed, and what to do about it."""
    words = {
        name: say(f"notice.{text}", language) if name == "direction" else text
        for name, text in notice.detail.items()
    }
    return say(f"notice.{notice.code}", language, **words)


def describe_notices(night: RunReport, numbers: Numbers, language: str) -> list[str]:
    """Return all that a run noticed, masked."""
    return [mask_text(describe_notice(each, language), numbers) for each in night.notices]
