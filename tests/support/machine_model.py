"""What the promise says of one doctor, as small as it can be said: the model of test_machine.py.

A doctor is in one of three states for the ledger: free (nothing in the way of a create), open (a create without a
verdict) or live (a seal). After a kill nobody knows which; then the model holds every state that is possible, and the
next run's word narrows them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from people import name, number

VERSIONS = 3  # of a name, a mobile, a picture: going back to an earlier one is going back to equal content
CREATE = "ChannelCreatePreparedPersonalEsign"

# what a fault is called -> how the sandbox does it; all but the first five leave the outcome of the create open
FAULTS = {
    "throttle": "throttle",
    "refused": {"code": "InvalidParameter.CardNumber"},
    "bare": {"code": {"code": "FailedOperation", "message": "操作失败"}},
    "lie": {"internal_error_after": {"code": "FailedOperation", "message": "操作失败"}},  # it made the seal
    "halt": {"code": {"code": "UnauthorizedOperation", "message": "不行"}},
    "reset_before": "reset_before",
    "reset_after": "reset_after",
    "close_after": {"close": "after"},
    "http_502_before": {"http_502": "before"},
    "http_502": {"http_502": "after"},
    "html_200": "html_200",
    "redirect": "redirect",
    "internal_error": {"code": "InternalError"},
    "internal_error_after": "internal_error_after",
    "truncated_json": "truncated_json",
    "no_seal_id": "no_seal_id",
    "strange_code": {"code": {"code": "Unheard.Of", "message": "?"}},
}
# what lets the service's own refusal through: it strikes nothing, or the answer of a create that was carried out
ANSWERED = frozenset({None, "throttle", "lie", "internal_error_after", "no_seal_id"})
LATE = {"late_before": {"delay_before": 2.2}, "late_after": {"delay_after": 2.2}}  # beyond a time-out of 2 s
UNSEALED = frozenset({"failed", "rejected", "not_sent"})


@dataclass(frozen=True, slots=True)
class Content:
    """Which version of each cell a create was made of; no picture is None."""

    name: int
    mobile: int
    picture: int | None


@dataclass(frozen=True, slots=True)
class State:
    """What the ledger may hold of a doctor."""

    kind: Literal["free", "open", "live"] = "free"
    content: Content | None = None  # of the open create or the seal; an adopted seal's is not known
    refused: tuple[
        tuple[Content, bool], ...
    ] = ()  # since the last seal: what was refused, and was there a reason
    hidden: bool = False  # a bare refusal lied: the service made a seal of this name
    exists: bool = False  # the service said that the name exists: open under another word
    seal_id: str | None = None  # of a live one, once it was told
    lost: tuple[
        Content, ...
    ] = ()  # since the last seal: creates without a verdict of which somebody said not created

    def settled(self, seal_id: str | None) -> State:
        """Return what a human's word makes of an open create."""
        if seal_id is None:
            lost = self.lost if self.exists else (*self.lost, self.content)
            return State("free", refused=self.refused, lost=lost)
        makers = {*self.lost, *(content for content, reason in self.refused if not reason)}
        if not self.exists:
            return State("live", self.content, seal_id=seal_id)
        return State("live", makers.pop() if len(makers) == 1 else None, seal_id=seal_id)


@dataclass(frozen=True, slots=True)
class End:
    """One way in which a run may end for a doctor: what it says, what it leaves, how many creates it takes."""

    status: str
    state: State
    creates: int = 0


@dataclass(eq=False, repr=False)
class Person:
    """A doctor, the row as it is now, and what the world may hold."""

    serial: int
    content: Content = Content(0, 0, 0)
    sound: bool = True  # the number is as the card says it
    files: tuple[int, ...] = (0,)  # which roster files name the doctor; of two equal rows one is a spare copy
    states: tuple[State, ...] = (State(),)
    allowed: int = 1  # seals there may be: one, and one more for each that a human gave up
    given_up: set[str] = field(default_factory=set)  # SealIds

    def __repr__(self) -> str:
        row = "".join(
            "-" if entry is None else str(entry)
            for entry in (self.content.name, self.content.mobile, self.content.picture)
        )
        states = " or ".join(f"{state.kind}{' hidden' * state.hidden}" for state in self.states)
        return f"<{self.serial} {row}{'' if self.sound else ' damaged'} in {self.files}: {states}>"

    def _repr_pretty_(self, printer, _):
        printer.text(repr(self))

    @property
    def number(self) -> str:
        return number(self.serial)

    @property
    def name(self) -> str:
        return name(VERSIONS * self.serial + self.content.name)

    @property
    def mobile(self) -> str:
        return f"154{VERSIONS * self.serial + self.content.mobile:08d}"

    @property
    def picture(self) -> int | None:
        """The serial of the drawing."""
        return None if self.content.picture is None else VERSIONS * self.serial + self.content.picture

    @property
    def staff_no(self) -> str:
        return f"{self.serial:05d}"

    @property
    def known(self) -> State | None:
        """The state, where there is no doubt about it."""
        return self.states[0] if len(self.states) == 1 else None

    @property
    def is_read(self) -> bool:
        """Whether a run recognises the doctor in the rosters."""
        return bool(self.files) and self.sound

    @property
    def differs(self) -> bool:
        """Whether the row surely differs from the doctor's seal: a human has to decide."""
        known = self.known
        return known is not None and known.kind == "live" and not _same(known.content, self.content)

    def ends(self, fault: str | None, *, enforced: bool, again: bool = False) -> list[End]:
        """Return how a run that comes to its end may end for the doctor's first valid row."""
        if not self.sound:
            return [End("rejected", state) for state in self.states]
        return [_end(state, self.content, fault, enforced=enforced, again=again) for state in self.states]

    def cut_short(self, ends: list[End]) -> None:
        """Take in that a run ended anywhere between its beginning and these ends."""
        if self.is_read:
            sent = []
            caught = []
            for state, end in zip(self.states, ends, strict=True):
                if end.creates or end.status == "not_sent":
                    sent.append(end)
                    # without a verdict: a refusal that came is not known
                    caught.append(
                        State("open", self.content, state.refused, end.state.hidden, lost=end.state.lost)
                    )
            self.states = tuple(dict.fromkeys([*self.states, *(end.state for end in sent), *caught]))


def _end(state: State, content: Content, fault: str | None, *, enforced: bool, again: bool) -> End:
    match state.kind:
        case "open":
            return End("exists" if state.exists else "unknown", state)
        case "live":
            return End("unchanged" if _same(state.content, content) else "changed", state)
    if content.picture is None:
        return End("rejected", state)
    reasons = [reason for refused_row, reason in state.refused if refused_row == content]
    if reasons and not reasons[-1] and not again:
        return End("failed", state)
    return _sent(state, content, fault, taken=state.hidden and enforced)


def _sent(state: State, content: Content, fault: str | None, *, taken: bool) -> End:
    """Say what a create does; ``taken``: the service finds a seal of this name and refuses, whatever else it would do."""
    creates = 2 if fault == "throttle" else 1
    if taken and fault in ANSWERED:
        return End("exists", replace(state, kind="open", content=content, exists=True), creates)
    match fault:
        case None | "throttle":
            return End("sealed", State("live", content), creates)
        case "refused" | "bare" | "lie":
            refused = (*state.refused, (content, fault == "refused"))
            return End(
                "failed", replace(state, refused=refused, hidden=state.hidden or fault == "lie"), creates
            )
        case "halt":
            return End("not_sent", state, creates)
        case _:
            return End("unknown", replace(state, kind="open", content=content), creates)


def _same(made: Content | None, content: Content) -> bool:
    if made is None:
        return True
    return content == made or (content.picture is None and replace(made, picture=None) == content)


def spare(rows: list[dict]) -> tuple[list[dict], list[dict]]:
    """Split a doctor's rows: those that speak for the doctor, and spare copies of one that does."""
    copies = [row for row in rows if row["status"] == "rejected" and "ROW_DUPLICATE" in row["codes"]]
    return [row for row in rows if row not in copies], copies


def needs_picture_alone(row: dict) -> bool:
    """Return whether a row lacks nothing but a picture in the folder: no cell of the roster is to be corrected."""
    errors = [problem for problem in row["problems"] if problem["severity"] == "error"]
    return row["status"] == "rejected" and all(
        problem["field"] == "picture" and problem["code"].startswith("IMAGE_") and problem["cell"] is None
        for problem in errors
    )


def fault_file(people: dict[Person, str]) -> Iterator[dict]:
    """Yield what the sandbox needs to strike each doctor's next create."""
    for person, fault in people.items():
        match = {"action": CREATE, "user_name": person.name, "nth": [1]}
        yield {"match": match, "do": {**FAULTS, **LATE}[fault]}
