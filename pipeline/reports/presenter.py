"""Renders texts for one reader: in the reader's language, with the numbers of the roster masked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipeline.domain.masking import Masker
from pipeline.domain.run import ShownStatus
from pipeline.messages import catalogue
from pipeline.messages.areas import get_words

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from pipeline.domain.roster import Field
    from pipeline.domain.run import RowOutcome, RunReport


@dataclass(frozen=True, slots=True)
class Presenter:
    """The language and the masker of one run's reports; made once per run and handed to everything that is written."""

    language: str
    masker: Masker = field(default=Masker(), repr=False)

    @classmethod
    def for_outcomes(cls, outcomes: Iterable[RowOutcome], language: str) -> Presenter:
        """Return a presenter that masks the numbers of these rows."""
        return cls(language, Masker.of_doctors(outcome.doctor for outcome in outcomes))

    @classmethod
    def for_report(cls, report: RunReport, language: str) -> Presenter:
        """Return a presenter that masks the numbers of a report's rows."""
        if report.masker is not None:
            return cls(language, report.masker)
        return cls.for_outcomes(report.outcomes, language)

    def render(self, key: str, **detail: object) -> str:
        """Return a text of the catalogue with its blanks filled."""
        return catalogue.render(key, self.language, **detail)

    def render_review(self, key: str, **detail: object) -> str:
        """Return a text of the contact sheet and of the page Review."""
        return self.render(f"review_page.{key}", **detail)

    def render_text(self, text: str) -> str:
        """Return a message in the reader's language, any other as it is."""
        return catalogue.render_text(text, self.language)

    def join(self, separator: str, *parts: str) -> str:
        """Join texts that are not empty with a separator: colon, comma."""
        return self.render(f"separator.{separator}").join(filter(None, parts))

    def name_status(self, status: ShownStatus) -> str:
        return get_words(f"status.{status}")[self.language]  # without blanks: 100,000 a run

    def name_field(self, name: Field | str) -> str:
        """Return a field of the roster as people read it."""
        return catalogue.name_field(name, self.language)

    def describe_duration(self, seconds: float) -> str:
        """Return a duration with two figures that count: 85 ms, 1.9 s, 2 min 5 s, 3 h 20 min."""
        if round(seconds, 3) < 1:
            thousandths = seconds * 1000
            return self.render("unit.ms", n=f"{thousandths:.2g}" if thousandths < 10 else round(thousandths))
        if round(seconds, 1) < 60:
            return self.render("unit.s", n=f"{seconds:.1f}".removesuffix(".0"))
        minutes, rest = divmod(round(seconds), 60)
        if minutes < 60:
            return self.render("unit.min", n=minutes, s=rest)
        return self.render("unit.h", n=minutes // 60, m=minutes % 60)

    def mask_text(self, text: str) -> str:
        """Hide the numbers in a text."""
        return self.masker.mask_text(text)

    def mask_optional(self, text: str | None) -> str:
        """Hide the numbers in a text; None becomes an empty text."""
        return self.masker.mask_text(text) if text else ""

    def mask_answer(self, text: str) -> str:
        """Hide the numbers in a message of the service, also those of strangers."""
        return self.masker.mask_answer(text)

    def mask_path(self, path: Path | str) -> str:
        """Hide the numbers in a path."""
        return self.masker.mask_path(path)
