"""What is known of a doctor's auto-sign, the authorised signature (授权签), after the seal was made.

The service is asked for each doctor by itself. An answer is kept as the facts that it holds. The state follows from them,
from the seal that the ledger holds and from the time: a seal may be replaced, and a licence ends, without a new answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum, unique
from typing import Literal, Self

from pipeline.domain.seals import fold_seal_id

DAY = 86_400.0
LICENSE_WARNING_SECONDS = 30 * DAY  # before its end
CARD_NOT_QUERIED = "card_not_queried"  # code of a doctor whose card type the call does not take

LinkKind = Literal["enable_link", "seal_link"]


@unique
class AutoSignState(StrEnum):
    """What the newest answer means for a doctor; the order is that of every list."""

    OPEN = "open"  # with the seal of the ledger
    LICENSE_ENDS = "license_ends"  # the same, for 30 days at most
    OTHER_SEAL = "other_seal"  # open, with a seal that is not the ledger's
    NO_SEAL = "no_seal"  # open, no seal chosen
    NOT_OPEN = "not_open"
    CANNOT_ASK = "cannot_ask"  # the call does not take the doctor's card type
    NO_ANSWER = "no_answer"  # asked, and never answered


@dataclass(frozen=True, slots=True)
class AutoSignAnswer:
    """What came of asking for one person; ``is_open`` is None where the service gave no answer, and ``code`` has the reason."""

    key: str
    asked_at: float  # unix seconds
    is_open: bool | None
    seal_id: str | None = None  # chosen by the doctor; None for none
    license_to: float | None = None  # unix seconds; None where auto-sign was opened without a licence
    code: str | None = None
    request_id: str | None = None


@dataclass(frozen=True, slots=True)
class AutoSignRecord:
    """What the ledger holds of a person's auto-sign: the newest asking, and the newest answer, which may be an earlier one."""

    key: str
    asked_at: float
    code: str | None = None  # why the newest asking had no answer; None: it had one
    request_id: str | None = None  # of the newest asking
    answered_at: float | None = None  # the following are of the newest answer
    is_open: bool | None = None
    seal_id: str | None = None
    license_to: float | None = None
    own_seal_id: str | None = None  # the person's live seal in the ledger; None for none

    def get_state(self, now: float) -> AutoSignState:
        """Return the state at a moment (unix seconds)."""
        if self.is_open is None:
            is_card = self.code == CARD_NOT_QUERIED
            return AutoSignState.CANNOT_ASK if is_card else AutoSignState.NO_ANSWER
        if not self.is_open:
            return AutoSignState.NOT_OPEN
        if not self.seal_id:
            return AutoSignState.NO_SEAL
        if self.own_seal_id is None or fold_seal_id(self.seal_id) != fold_seal_id(self.own_seal_id):
            return AutoSignState.OTHER_SEAL
        return AutoSignState.LICENSE_ENDS if self.is_license_ending(now) else AutoSignState.OPEN

    def is_license_ending(self, now: float) -> bool:
        """Return whether the licence has ended, or ends soon."""
        return self.license_to is not None and self.license_to - now <= LICENSE_WARNING_SECONDS


@dataclass(frozen=True, slots=True)
class AutoSignCounts:
    """How many sealed doctors are in which state."""

    sealed: int
    states: dict[AutoSignState, int]  # those with none are absent
    asked_at: float | None = None  # the newest asking, unix seconds

    @classmethod
    def count(cls, records: Iterable[AutoSignRecord], *, sealed: int, now: float) -> Self | None:
        """Count the records of people with a live seal; None where the service was never asked for one."""
        states = dict.fromkeys(AutoSignState, 0)
        asked_at = 0.0
        for record in records:
            if record.own_seal_id is not None:
                states[record.get_state(now)] += 1
                asked_at = max(asked_at, record.asked_at)
        if not any(states.values()):
            return None
        return cls(sealed, {state: n for state, n in states.items() if n}, asked_at)

    @property
    def never_asked(self) -> int:
        """How many were never asked for."""
        return self.sealed - self.asked

    def to_dict(self) -> dict[str, object]:
        """Return the counts as run.json and `status --json` hold them."""
        states = {state.value: n for state, n in self.states.items()}
        return {
            "sealed": self.sealed,
            "can_sign": self.can_sign,
            "states": states,
            "never_asked": self.never_asked,
        }

    @property
    def can_sign(self) -> int:
        """How many can sign with the seal of the ledger."""
        return self.get(AutoSignState.OPEN) + self.get(AutoSignState.LICENSE_ENDS)

    @property
    def asked(self) -> int:
        """How many were ever asked for."""
        return sum(self.states.values())

    def get(self, state: AutoSignState) -> int:
        """Return how many are in a state."""
        return self.states.get(state, 0)


# The link that a doctor in a state needs. By the service's page, who is open without a seal enters the link for opening
# again. The link that was used for opening is such a link.
NEEDED_KINDS: Mapping[AutoSignState, LinkKind] = {
    AutoSignState.NOT_OPEN: "enable_link",
    AutoSignState.NO_SEAL: "enable_link",
    AutoSignState.OTHER_SEAL: "seal_link",
}
