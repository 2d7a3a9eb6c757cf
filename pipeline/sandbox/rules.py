"""How this world behaves where the real one is not known, or has changed over the years: all its switches."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from pipeline.sandbox.limits import LimiterKind
from pipeline.sandbox.person import PersonRules


@dataclass(frozen=True, slots=True)
class Rules:
    """The switches of a World.

    ``inline``: ``on`` = the contract before FileId existed; ``transition`` = both; ``ignored`` = SealImage and its
    companions have no effect, as the page says today.
    ``unique_names``: how a seal name that the hospital has already is refused: by a code of its own, by a bare
    FailedOperation, or not at all.
    """

    inline: Literal["on", "transition", "ignored"] = "transition"
    unique_names: Literal["code", "bare", "off"] = "code"
    person: PersonRules = field(default_factory=PersonRules)
    file_life: float = 600.0  # seconds from upload
    tell_deadline: bool = True
    limiter: LimiterKind = "rolling"
    rate: float = 20.0  # calls in a second, per SecretId and action
    keep_pictures: bool = True  # their bytes, by sha256
