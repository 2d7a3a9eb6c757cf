"""A decision on a case as a form of the page gives it: what it will do, when it is asked again, and how it is entered.

It goes through `OpenCases.enter` as `resolve` does: the same refusals, the same lock. It is for the case that was shown: if
anything of it has changed since, nothing is entered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal, Self, TypeAlias, cast, get_args

from pipeline.clock import shown, stamp
from pipeline.domain.masking import mask_text
from pipeline.domain.seals import Person
from pipeline.errors import UsageError
from pipeline.ledger.decisions import WITHDRAW
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import Decision, LastDecision
from pipeline.messages.areas import is_known
from pipeline.messages.catalogue import make_message
from pipeline.reports.presenter import Presenter
from pipeline.resolution.case_reader import CaseReader
from pipeline.resolution.cases import Case, DecisionKind, compute_decision_digest
from pipeline.resolution.decide import require_withdrawable
from pipeline.resolution.open_cases import ASKED_KINDS, PERSON_KINDS, OpenCases, open_cases
from pipeline.web.site import Site

Kind: TypeAlias = DecisionKind | Literal["withdraw"]
KINDS = frozenset({*get_args(DecisionKind), WITHDRAW})
MAX_WHY = 300  # characters
MAX_VALUE = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedDecision:
    """What a form gives. ``seen`` is the digest of the case that was shown, ``shown_at`` when that was (unix seconds)."""

    key: str
    name: str  # of the doctor, as shown
    seen: str
    shown_at: float
    kind: Kind
    value: str
    sure: bool
    why: str
    is_confirmed: bool

    @classmethod
    def from_form(cls, form: Mapping[str, object]) -> Self:
        """Read a form. UsageError where no decision was chosen."""

        def get(name: str, longest: int = MAX_VALUE) -> str:
            value = form.get(name, "")
            return value.strip()[:longest] if isinstance(value, str) else ""

        kind = get("kind")
        if kind not in KINDS:
            raise UsageError("web.case.no_kind")
        return cls(
            key=get("key"),
            name=mask_text(get("name")),
            seen=get("seen"),
            shown_at=_parse_moment(get("shown_at")),
            kind=cast("Kind", kind),
            value=get("value") if kind in {"created", "replace", WITHDRAW} else "",
            sure=bool(get("sure")),
            why=mask_text(get("why", MAX_WHY)),
            is_confirmed=bool(get("confirmed")),
        )

    def list_questions(self, presenter: Presenter) -> list[str]:
        """Return what is asked again before the decision is entered, in any case: it could make a second seal."""
        if self.is_confirmed:
            return []
        if self.kind in {"replace", "other_person"} or (self.kind == "not_created" and self.sure):
            way = presenter.render(f"way_{self.kind}")
            asked = presenter.render("web.decide.asked", name=self.name, way=way)
            return [asked, presenter.render(f"web.effect.{self.kind}")]
        return []

    def to_fields(self) -> dict[str, str]:
        """Return the fields of the form that asks again."""
        return {
            "key": self.key,
            "name": self.name,
            "seen": self.seen,
            "shown_at": str(self.shown_at),
            "kind": self.kind,
            "value": self.value,
            "sure": "yes" if self.sure else "",
            "why": self.why,
            "confirmed": "yes",
        }


class CaseChanged(UsageError):
    """The case is not the one that was shown: nothing was entered.

    ``doctor`` is the person on whom something else was decided since.
    """

    doctor: Person | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision that was entered."""

    case: Case | None  # None: a decision was withdrawn
    wanted: WantedDecision

    @property
    def doctor(self) -> Person | None:
        """The person whose history shows the decision; None for one that was withdrawn there, or is on a picture."""
        if self.case is None or self.case.held_image is not None:
            return None
        same = self.case.possibly_same if self.wanted.kind in PERSON_KINDS else None
        return same or self.case.history

    def describe(self, presenter: Presenter) -> list[str]:
        """Return what was recorded, what follows from it, and how it is withdrawn."""
        if self.case is None:
            return [presenter.render("web.withdrawn", name=self.wanted.name)]
        name, kind, seal = self.wanted.name, self.wanted.kind, self.case.history.seal
        shown_kind = "keep_picture" if kind == "keep" and self.case.held_image is not None else kind
        way = presenter.render("way_seal_id" if kind == "created" else f"way_{shown_kind}")
        sentences = [presenter.render("resolved", name=name, way=way)]
        if kind == "replace" and seal is not None:
            page = presenter.render("web.nav.runs")
            sentences.append(presenter.render("replaced", seal_id=seal.seal_id, place=page))
        undo = "web.undo.keep_picture" if shown_kind == "keep_picture" else "web.undo"
        return [*sentences, presenter.render(undo)]


def enter_decision(site: Site, reader: CaseReader, wanted: WantedDecision, user: str) -> Recorded:
    """Enter a decision of a user under the ledger's lock. Raises EsignImportError where it cannot be entered.

    NotSure where it is asked once more.
    """
    open_ = partial(open_cases, site.config, site.clock, invocation=site.invocation, reader=reader)
    # first without the lock: reading rosters takes longer than a run should wait
    with open_(changes=False) as opened:
        if wanted.kind in ASKED_KINDS and not wanted.is_confirmed:
            case = _require_same_case(opened, wanted)
            opened.enter(case, cast("DecisionKind", wanted.kind), who=user, value=wanted.value)
        elif wanted.kind == WITHDRAW:
            require_withdrawable(_require_same_decision(opened, wanted), sure=wanted.is_confirmed)
    with open_(changes=True) as opened:
        if wanted.kind == WITHDRAW:
            last = _require_same_decision(opened, wanted)
            site.record_change(user, "withdraw", key=wanted.key, decision=last.decision.id)
            opened.withdraw(last, who=user, sure=wanted.is_confirmed, why=wanted.why or None)
            return Recorded(None, wanted)
        case = _require_same_case(opened, wanted)
        site.record_change(user, "decide", key=case.key, kind=wanted.kind)
        opened.enter(
            case,
            cast("DecisionKind", wanted.kind),
            who=user,
            value=wanted.value or None,
            sure=wanted.sure or (wanted.kind in ASKED_KINDS and wanted.is_confirmed),
            why=wanted.why or None,
        )
        return Recorded(case, wanted)


def _require_same_case(opened: OpenCases, wanted: WantedDecision) -> Case:
    """Return the case that was shown; CaseChanged, which names what changed, where it is another one now."""
    case = next((case for case in opened.cases if case.key == wanted.key), None)
    if case is not None and case.compute_digest() == wanted.seen:
        return case
    _require_no_later_decision(opened, wanted)
    if case is None:
        raise CaseChanged("web.stale.gone")
    raise CaseChanged("web.stale.changed", status=make_message(f"status.{case.status.value}"))


def _require_same_decision(opened: OpenCases, wanted: WantedDecision) -> LastDecision:
    """Return the decision that was shown; CaseChanged where it does not count any more, or something was built on it."""
    for last in opened.ledger.list_last_decisions([wanted.key]):
        if compute_decision_digest(last) == wanted.seen:
            return last
        if last.decision.id == wanted.value:  # a create was sent on it
            require_withdrawable(last, sure=True)
    _require_no_later_decision(opened, wanted)
    raise CaseChanged("web.stale.gone")


def _require_no_later_decision(opened: OpenCases, wanted: WantedDecision) -> None:
    """Raise CaseChanged where something was decided about the person since the case was shown."""
    if (decision := _get_later_decision(opened.ledger, wanted)) is not None:
        changed = CaseChanged(
            "web.stale.decided",
            name=wanted.name,
            who=decision.who,
            moment=shown(stamp(decision.decided_at)),
            what=_name_decision(decision),
        )
        changed.doctor = opened.ledger.snapshot().people.get(wanted.key)
        raise changed


def _get_later_decision(ledger: Ledger, wanted: WantedDecision) -> Decision | None:
    """Return the last decision about the person since the case was shown."""
    decisions = [
        decision
        for decision in ledger.list_decisions()
        if wanted.key in {decision.key, decision.detail} and decision.decided_at >= wanted.shown_at
    ]
    return decisions[-1] if decisions else None


def _name_decision(decision: Decision) -> object:
    if decision.kind == WITHDRAW:
        return make_message("web.way.withdraw")
    key, seal_id, detail = f"decision.{decision.kind}", decision.seal_id or "—", decision.detail or "—"
    return make_message(key, seal_id=seal_id, detail=detail) if is_known(key) else decision.kind


def _parse_moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
