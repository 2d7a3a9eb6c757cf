"""What one code asks for: its meaning, who acts, what to do, whether a rerun helps."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.domain.service_codes import Rerun, ResponsibleRole

Texts = tuple[str, str, str, str]  # the meaning and what to do in Chinese, then both in English


@dataclass(frozen=True, slots=True)
class Advice:
    """One code's advice in both languages."""

    who: ResponsibleRole
    rerun: Rerun
    zh: tuple[str, str]  # meaning, remedy
    en: tuple[str, str]

    def explain(self, language: str) -> str:
        """Return the meaning of the code."""
        return (self.zh if language == "zh" else self.en)[0]

    def summarize(self, language: str) -> str:
        """Return the meaning without its full stop, for use inside another sentence."""
        return self.explain(language).rstrip("。.")

    def instruct(self, language: str) -> str:
        """Return what to do; ``who`` holds the role that does it."""
        return (self.zh if language == "zh" else self.en)[1]

    def render(self, language: str) -> str:
        """Return both as one text, as every localizable value does."""
        return ("" if language == "zh" else " ").join((self.explain(language), self.instruct(language)))


def make_advice(who: ResponsibleRole, rerun: Rerun, *texts: str) -> Advice:
    """Return advice of four texts: the meaning and what to do in Chinese, then both in English."""
    zh, zh_todo, en, en_todo = texts
    return Advice(who, rerun, (zh, zh_todo), (en, en_todo))
