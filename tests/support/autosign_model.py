"""A plain model of auto-sign over a month: what each doctor does, what the hospital knows, and which calls are due.

It restates the rules in its own words and asks the program nothing.

* The service is asked about a doctor who stands in the roster with a card that the call takes, and who was never answered
  for; who by the last answer cannot sign with the hospital's seal, or only for 30 more
  days; whose last answer is older than ``RECHECK``, or older than a call that closed the auto-sign or a corrected number.
* A doctor who by the last answer is not open, or open without a seal, needs a link to open, one who is open with another
  seal a link to choose. A link is made where none can be opened, a second one only on request (``--renew``). A link whose answer was
  lost is none.
* An SMS goes with a link to open. The next one goes only after a link that was delivered and is over, and where a new link
  was made on request since. After an SMS whose answer was lost no other one goes, ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import people

DAY = 86_400.0
RECHECK, LINK_DAYS, WARNING = 5, 12, 30  # days
STEP = 1.01 * DAY  # no age of an answer or link is a whole number of days: no state hangs on a millisecond
CORRECTED = 2_000  # added to the serial of a number that was entered by mistake
NEEDS = {"not_open": "enable", "other_seal": "seal", "no_seal": "enable"}


@dataclass(frozen=True)
class Facts:
    """What the service answers of a doctor."""

    is_open: bool
    seal_id: str | None = None
    licence_to: float | None = None

    def name_state(self, own: str, now: float) -> str:
        """Return the state that the program has to show."""
        if not self.is_open:
            return "not_open"
        if not self.seal_id:
            return "no_seal"
        if self.seal_id != own:
            return "other_seal"
        is_ending = self.licence_to is not None and self.licence_to - now <= WARNING * DAY
        return "license_ends" if is_ending else "open"


@dataclass
class MadeLink:
    """A link that the service made."""

    kind: str  # enable | seal
    url: str
    made_at: float
    until: float
    is_delivered: bool  # its answer arrived
    by_sms: bool
    number: str = ""
    over: bool = False  # as the hospital knows: used, cancelled, or for a number that was corrected

    def is_good(self, now: float) -> bool:
        return self.is_delivered and not self.over and now < self.until


@dataclass
class Person:
    """One doctor: what the roster holds, what the doctor will do, and what the hospital knows."""

    serial: int
    name: str
    arrives: int = 0  # step, counted from 0
    leaves: int | None = None
    corrected_on: int | None = None
    is_abroad: bool = False  # a card that no call about auto-sign takes
    has_mobile: bool = True
    # -- what the doctor does, in days
    opens_after: int | None = 1  # days with a link; None: never
    first_seal: str = "own"
    chooses_after: int | None = 1  # days with a link to choose; None: never
    closes_after: int | None = None  # days with open auto-sign
    turns_after: int | None = None  # the same: chooses another seal
    licence: float | None = 365.0  # days
    # -- what happens
    days_with_link: int = 0
    days_open: int = 0
    days_wrong: int = 0
    # -- what the hospital knows
    answer: Facts | None = None
    answered_at: float = 0.0
    changed_at: float = 0.0
    links: list[MadeLink] = field(default_factory=list)
    sheet_unclear_since: float | None = None  # a call to close without an answer

    @property
    def number(self) -> str:
        if self.is_abroad:
            return f"E{self.serial:08d}"
        return people.number(self.serial)

    @property
    def mistaken_number(self) -> str:
        return people.number(self.serial + CORRECTED)

    @property
    def staff_no(self) -> str:
        return f"{self.serial:05d}"

    def get_number(self, step: int) -> str:
        is_mistaken = self.corrected_on is not None and step < self.corrected_on
        return self.mistaken_number if is_mistaken else self.number

    def is_listed(self, step: int) -> bool:
        return self.arrives <= step and (self.leaves is None or step < self.leaves)

    def build_row(self, step: int) -> tuple[str, ...]:
        card = "护照" if self.is_abroad else "居民身份证"
        mobile = f"154{self.serial:08d}" if self.has_mobile else ""
        return (self.name, self.get_number(step), mobile, self.staff_no, "内科", card)

    # -- the rules

    def name_state(self, own: str, now: float) -> str | None:
        """Return the state that the program has to show; None: never asked."""
        if self.is_abroad:
            return "cannot_ask"
        if self.answer is None:
            return None
        return self.answer.name_state(own, now)

    def is_due(self, own: str, now: float) -> bool:
        if self.is_abroad:
            return False
        if self.answer is None or self.changed_at >= self.answered_at:
            return True
        return self.name_state(own, now) != "open" or now - self.answered_at > RECHECK * DAY

    def get_needed_kind(self, own: str, now: float) -> str | None:
        return NEEDS.get(self.name_state(own, now) or "")

    def find_good_link(self, kind: str, now: float) -> MadeLink | None:
        good = [link for link in self.links if link.kind == kind and link.is_good(now)]
        return good[-1] if good else None

    def is_spent(self, kind: str, now: float) -> bool:
        was_made = any(link.kind == kind and link.is_delivered for link in self.links)
        return was_made and self.find_good_link(kind, now) is None

    def gets_sms(self, own: str, now: float, *, renew: bool) -> bool:
        kind = self.get_needed_kind(own, now)
        texted = [link for link in self.links if link.by_sms]
        is_barred = any(not link.is_delivered or link.is_good(now) for link in texted)
        if kind != "enable" or not self.has_mobile or is_barred:
            return False
        return renew or not self.is_spent(kind, now)

    def gets_link(self, own: str, now: float, *, renew: bool, sms: bool) -> bool:
        kind = self.get_needed_kind(own, now)
        if kind is None:
            return False
        if sms and self.gets_sms(own, now, renew=renew):
            return True
        return self.find_good_link(kind, now) is None and (renew or not self.is_spent(kind, now))

    def note_answer(self, facts: Facts, own: str, now: float) -> None:
        """Take a new answer; a link that it shows to be needless is over."""
        self.answer, self.answered_at = facts, now
        self.sheet_unclear_since = None
        needed = self.get_needed_kind(own, now)
        for link in self.links:
            link.over = link.over or (link.is_delivered and needed != link.kind)

    def note_correction(self, now: float) -> None:
        """The number was wrong: what was answered for it, and the links for it, count no more."""
        self.changed_at = now
        for link in self.links:
            link.over = True


def draw_persons(dice: Random, count: int, steps: int) -> list[Person]:
    """Draw the doctors of a month; the first ones are those that every month must have."""
    usual = range(1, count + 1)
    persons = [Person(serial, people.name(serial)) for serial in usual]
    chosen = {
        "other seal": {"first_seal": "other", "chooses_after": 1},
        "no seal": {"first_seal": "none", "chooses_after": 1},
        "never": {"opens_after": None},
        "late": {"opens_after": 2},
        "licence ends soon": {"licence": 12.0},
        "licence ends later": {"licence": 34.0},
        "closes": {"closes_after": 0, "opens_after": 1, "licence": 20.0},
        "turns": {"turns_after": 1, "opens_after": 0},
        "leaver": {"leaves": 3, "opens_after": 0},
        "newcomer": {"arrives": 2},
        "abroad": {"is_abroad": True},
        "corrected": {"corrected_on": 2, "opens_after": 0},
        "corrected with a link": {"corrected_on": 2, "opens_after": None},
        "no mobile": {"has_mobile": False, "opens_after": None},
        "never chooses": {"first_seal": "other", "chooses_after": None},
        "no licence": {"licence": None, "opens_after": 0},
    }
    for person, changes in zip(persons, chosen.values(), strict=False):
        for name, value in changes.items():
            setattr(person, name, value)
    leaver = persons[list(chosen).index("leaver")]
    persons[len(chosen)].name = leaver.name  # a namesake who stays
    for person in persons[len(chosen) + 1 :]:
        person.opens_after = dice.choice([0, 0, 1, 2, 4, LINK_DAYS + 2, None])
        person.first_seal = dice.choice(["own"] * 6 + ["other", "none"])
        person.chooses_after = dice.choice([0, 1, 3, None])
        person.licence = dice.choice([365.0, 365.0, None, dice.randint(3, 45)])
        if dice.random() < 0.1:
            person.closes_after = dice.randint(0, 6)
        elif dice.random() < 0.1:
            person.turns_after = dice.randint(0, 6)
        if dice.random() < 0.06:
            person.leaves = dice.randint(2, steps - 1)
        elif dice.random() < 0.06:
            person.arrives = dice.randint(1, steps - 2)
        elif dice.random() < 0.03:
            person.corrected_on = dice.randint(2, steps - 1)
        elif dice.random() < 0.03:
            person.is_abroad = True
        person.has_mobile = dice.random() > 0.05
    return persons
