"""What one code asks for: what it means, who acts, what to do, whether a rerun helps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pipeline.messages.problem_entries import ResponsibleRole

# sent again by itself · once something was done · never, until somebody has settled it
Rerun = Literal["itself", "after", "held"]


@dataclass(frozen=True, slots=True)
class Advice:
    """One code's advice in both languages."""

    who: ResponsibleRole
    rerun: Rerun
    zh: tuple[str, str]  # what it means, what to do
    en: tuple[str, str]

    def what(self, language: str) -> str:
        """Return what the code means."""
        return (self.zh if language == "zh" else self.en)[0]

    def summarize(self, language: str) -> str:
        """Return what the code means without its full stop, to be a part of another sentence."""
        return self.what(language).rstrip("。.")

    def todo(self, language: str) -> str:
        """Return what to do, and who does it is in ``who``."""
        return (self.zh if language == "zh" else self.en)[1]

    def told(self, language: str) -> str:
        """Return both as one text."""
        return ("" if language == "zh" else " ").join((self.what(language), self.todo(language)))


def advise(who: ResponsibleRole, rerun: Rerun, *words: str) -> Advice:
    """Make an advice; ``words`` are what it means and what to do in Chinese, then both in English."""
    zh, zh_todo, en, en_todo = words
    return Advice(who, rerun, (zh, zh_todo), (en, en_todo))
