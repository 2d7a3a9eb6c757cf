"""Assigns seal names: the roster's own, the one fixed at the first create, or the template's. Pure.

A name belongs to one person. It passes on where that person was certainly refused and is in no roster any more, since
the number was wrong. A doctor whose name was corrected after such a refusal gets the template's name anew. All newcomers
of one name get their staff number in Chinese digits, or their department, so that the order of the rows decides nothing.
So does a doctor whose seal name proved to be another person's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.domain.roster import Doctor, Field, Problem
from pipeline.domain.run import RowPlan
from pipeline.domain.seals import LedgerSnapshot
from pipeline.intake.fields.text_fields import check_seal_name
from pipeline.messages.problems import build_problem

_CHINESE_DIGITS = str.maketrans("0123456789", "〇一二三四五六七八九")


def assign_seal_names(
    ready: Sequence[RowPlan],
    row_plans: Sequence[RowPlan],
    snapshot: LedgerSnapshot,
    template: str,
    ascii_allowed: bool,
    *,
    context_person_keys: Collection[str] = (),
) -> Iterator[tuple[str, list[Problem]]]:
    """Yield the seal name of each row that could be sent, with its problems; an error forbids the name.

    ``row_plans`` are all rows, ``context_person_keys`` the people of rows that are only compared with: a newcomer gets no
    name that one of them gives or has.
    """
    roster_names = {
        row_plan.doctor.seal_name: row_plan.doctor.key for row_plan in row_plans if row_plan.doctor.seal_name
    }
    reusable = snapshot.reusable_seal_names
    name_template = _NameTemplate(template, ascii_allowed)
    wanted = Counter(
        name
        for row_plan in ready
        if row_plan.doctor.seal_name is None and _find_kept_name(row_plan, reusable) is None
        for name in name_template.list_candidates(row_plan.doctor, _names_of_others(row_plan))
    )
    names_in_use = {row_plan.history.seal_name for row_plan in row_plans if row_plan.history}
    names_in_use |= {snapshot.people[key].seal_name for key in context_person_keys if key in snapshot.people}
    owners: dict[str, str | None] = {**roster_names, **snapshot.seal_name_owners}
    for name in reusable - names_in_use:
        owners[name] = roster_names.get(name)
    return (
        _assign_name(row_plan, _find_kept_name(row_plan, reusable), owners, wanted, name_template)
        for row_plan in ready
    )


@dataclass(frozen=True, slots=True)
class _NameTemplate:
    """The template of seal names, and the check of a name."""

    template: str
    ascii_allowed: bool

    def find_fault(self, name: str) -> Problem | None:
        """Return what is wrong with the length or the characters of a name."""
        return next(iter(check_seal_name(name, None, ascii_allowed=self.ascii_allowed)), None)

    def fill_in(self, doctor: Doctor, suffix: str = "") -> str:
        """Return the template's name, with a suffix behind the doctor's name."""
        return self.template.format(
            name=(doctor.name or "") + suffix,
            staff_no=doctor.staff_no or "",
            department=doctor.department or "",
        )

    def list_candidates(self, doctor: Doctor, barred: Collection[str]) -> set[str | None]:
        """Return the plain and the disambiguated name, as far as they are not barred."""
        return {self.fill_in(doctor), self.disambiguate(doctor, barred)}.difference(barred)

    def disambiguate(self, doctor: Doctor, barred: Collection[str] = ()) -> str | None:
        """Return the name with the staff number in Chinese digits, else with the department."""
        for suffix in ((doctor.staff_no or "").translate(_CHINESE_DIGITS), doctor.department or ""):
            name = self.fill_in(doctor, suffix)
            if suffix and name not in barred and self.find_fault(name) is None:
                return name
        return None


def _find_kept_name(row_plan: RowPlan, reusable: Collection[str]) -> str | None:
    """Return the name that a person keeps: not one made of a wrong doctor's name that was certainly refused."""
    doctor, person = row_plan.doctor, row_plan.history
    if person is None or person.seal_name in person.seal_names_of_others:
        return None
    if person.seal_name not in reusable or not person.refusals:
        return person.seal_name
    last = person.refusals[-1].content
    return person.seal_name if doctor.name == last.name or last.seal_name else None


def _assign_name(
    row_plan: RowPlan,
    kept_name: str | None,
    owners: Mapping[str, str | None],
    wanted: Counter[str | None],
    name_template: _NameTemplate,
) -> tuple[str, list[Problem]]:
    doctor = row_plan.doctor
    if doctor.seal_name is not None:
        return doctor.seal_name, list(_check_roster_name(row_plan, doctor.seal_name, owners))
    if kept_name is not None:
        return kept_name, []
    return _assign_template_name(row_plan, owners, wanted, name_template)


def _check_roster_name(row_plan: RowPlan, name: str, owners: Mapping[str, str | None]) -> Iterator[Problem]:
    """Yield the problems that forbid the roster's own name."""
    doctor, person = row_plan.doctor, row_plan.history
    if person and person.seal_name and person.seal_name != name and person.seal_name_locked:
        yield _build_problem("SEAL_NAME_FROZEN", doctor, found=name, frozen=person.seal_name)
    if owners.get(name) not in {None, doctor.key} or name in _names_of_others(row_plan):
        yield _build_problem("SEAL_NAME_DUPLICATE", doctor, found=name)


def _assign_template_name(
    row_plan: RowPlan,
    owners: Mapping[str, str | None],
    wanted: Counter[str | None],
    name_template: _NameTemplate,
) -> tuple[str, list[Problem]]:
    """Return a newcomer's name; namesakes all get their staff number, as does one whose name is another person's."""
    doctor, barred = row_plan.doctor, _names_of_others(row_plan)

    def is_contested(name: str) -> bool:
        return wanted[name] > 1 or owners.get(name) not in {None, doctor.key}

    plain = name_template.fill_in(doctor)
    name: str | None = plain
    warnings = []
    if barred or is_contested(plain):
        name = name_template.disambiguate(doctor, barred)
        if name is None or is_contested(name):
            return plain, [_build_problem("SEAL_NAME_DUPLICATE", doctor, found=plain)]
        warnings = [_build_problem("SEAL_NAME_DUPLICATE", doctor, severity="warning", found=plain, used=name)]
    assert name is not None
    if (name_problem := name_template.find_fault(name)) is not None:
        return name, [name_problem]
    return name, warnings


def _names_of_others(row_plan: RowPlan) -> frozenset[str]:
    return row_plan.history.seal_names_of_others if row_plan.history else frozenset()


def _build_problem(code: str, doctor: Doctor, **detail: object) -> Problem:
    return build_problem(code, Field.SEAL_NAME, doctor.row.address(Field.SEAL_NAME), **detail)  # type: ignore[arg-type]
