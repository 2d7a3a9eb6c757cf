"""Seal names: the roster's own, the one frozen at the first create, or the template's. Pure.

A name belongs to one person; where that person was surely refused and stands in no roster any more, since its number was
wrong, it passes on. A doctor whose name was corrected after such a refusal takes the template's name anew. Newcomers of
one name are all told apart by their staff number in Chinese digits, or by their department, so that the order of the
rows decides nothing. A doctor whose name turned out to be another person's is told apart in the same way.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.roster import Doctor, Field, Problem
from pipeline.domain.run import RowPlan
from pipeline.domain.seals import LedgerSnapshot
from pipeline.messages.problems import problem

_DIGITS = str.maketrans("0123456789", "〇一二三四五六七八九")


def assign_seal_names(
    ready: Sequence[RowPlan],
    planned: Sequence[RowPlan],
    snapshot: LedgerSnapshot,
    template: str,
    objection: Callable[[str], Problem | None],
    *,
    context_person_keys: Collection[str] = (),
) -> Iterator[tuple[str, list[Problem]]]:
    """Yield the seal name of each row that could be sent, with what is to be said of it; an error forbids the name.

    ``planned`` are all rows, ``context_person_keys`` the people of rows that are only compared with: a name that one of them gives or bears
    is no newcomer's. ``objection`` tells what is wrong with a name's length or characters.
    """
    own = {each.doctor.seal_name: each.doctor.key for each in planned if each.doctor.seal_name}
    form = _Form(template, objection)
    wanted = Counter(
        name
        for each in ready
        if _takes_the_template(each, snapshot.reusable_seal_names)
        for name in form.names(each.doctor, _names_of_others(each))
    )
    owners = {**own, **snapshot.seal_name_owners}
    borne = {each.history.seal_name for each in planned if each.history}
    borne |= {snapshot.people[key].seal_name for key in context_person_keys if key in snapshot.people}
    for spare in snapshot.reusable_seal_names - borne:
        owners[spare] = own.get(spare)
    return (_named(each, _kept(each, snapshot.reusable_seal_names), owners, wanted, form) for each in ready)


@dataclass(frozen=True, slots=True)
class _Form:
    """The template, and what a name may be."""

    template: str
    objection: Callable[[str], Problem | None]

    def fill(self, doctor: Doctor, mark: str = "") -> str:
        """Return the template's name."""
        return self.template.format(
            name=(doctor.name or "") + mark,
            staff_no=doctor.staff_no or "",
            department=doctor.department or "",
        )

    def names(self, doctor: Doctor, barred: Collection[str]) -> set[str | None]:
        """Return the template's name and the one that tells a namesake apart, as far as they are not barred."""
        return {self.fill(doctor), self.told_apart(doctor, barred)}.difference(barred)

    def told_apart(self, doctor: Doctor, barred: Collection[str] = ()) -> str | None:
        """Return the template's name with the staff number in Chinese digits, else with the department."""
        for mark in ((doctor.staff_no or "").translate(_DIGITS), doctor.department or ""):
            if mark and (name := self.fill(doctor, mark)) not in barred and self.objection(name) is None:
                return name
        return None


def _takes_the_template(planned: RowPlan, spare: Collection[str]) -> bool:
    return planned.doctor.seal_name is None and _kept(planned, spare) is None


def _kept(planned: RowPlan, spare: Collection[str]) -> str | None:
    """Return the name that a person keeps: not one made of a doctor's name that was wrong, and surely refused."""
    doctor, past = planned.doctor, planned.history
    if past is None or past.seal_name in past.seal_names_of_others:
        return None
    if past.seal_name not in spare or not past.refusals:
        return past.seal_name
    last = past.refusals[-1].content
    return past.seal_name if doctor.name == last.name or last.seal_name else None


def _named(
    planned: RowPlan,
    kept: str | None,
    owners: Mapping[str, str | None],
    wanted: Counter[str | None],
    form: _Form,
) -> tuple[str, list[Problem]]:
    doctor = planned.doctor
    if doctor.seal_name is not None:
        return doctor.seal_name, list(_own(planned, doctor.seal_name, owners))
    if kept is not None:
        return kept, []
    return _from_template(planned, owners, wanted, form)


def _own(planned: RowPlan, name: str, owners: Mapping[str, str | None]) -> Iterator[Problem]:
    """Yield what forbids the roster's own name."""
    doctor, past = planned.doctor, planned.history
    if past and past.seal_name and past.seal_name != name and past.seal_name_locked:
        yield _trouble("SEAL_NAME_FROZEN", doctor, found=name, frozen=past.seal_name)
    if owners.get(name) not in {None, doctor.key} or name in _names_of_others(planned):
        yield _trouble("SEAL_NAME_DUPLICATE", doctor, found=name)


def _from_template(
    planned: RowPlan, owners: Mapping[str, str | None], wanted: Counter[str | None], form: _Form
) -> tuple[str, list[Problem]]:
    """Return a newcomer's name; namesakes all get their staff number, as does one whose name is another person's."""
    doctor, barred = planned.doctor, _names_of_others(planned)
    plain = form.fill(doctor)
    name, warnings = plain, []
    if barred or wanted[plain] > 1 or owners.get(plain) not in {None, doctor.key}:
        apart = form.told_apart(doctor, barred)
        if apart is None or wanted[apart] > 1 or owners.get(apart) not in {None, doctor.key}:
            return plain, [_trouble("SEAL_NAME_DUPLICATE", doctor, found=plain)]
        name = apart
        warnings = [_trouble("SEAL_NAME_DUPLICATE", doctor, severity="warning", found=plain, used=name)]
    if (trouble := form.objection(name)) is not None:
        return name, [trouble]
    return name, warnings


def _names_of_others(planned: RowPlan) -> frozenset[str]:
    return planned.history.seal_names_of_others if planned.history else frozenset()


def _trouble(code: str, doctor: Doctor, **detail: object) -> Problem:
    return problem(code, Field.SEAL_NAME, doctor.row.address(Field.SEAL_NAME), **detail)  # type: ignore[arg-type]
