"""Assigns seal names: the roster's own, the one fixed at the first create, or the template's. Pure.

A name belongs to one person. It passes on where that person was certainly refused and is in no roster any more, since
the number was wrong. A doctor whose name was corrected after such a refusal gets the template's name anew. All newcomers
of one name get their staff number in Chinese digits, or their department, so that the order of the rows decides nothing.
So does a doctor whose seal name proved to be another person's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.domain.roster import Doctor, Field, Problem
from pipeline.domain.run import RowPlan
from pipeline.domain.seals import LedgerSnapshot
from pipeline.intake.fields.text_fields import check_seal_name
from pipeline.messages.problems import build_problem

_CHINESE_DIGITS = str.maketrans("0123456789", "〇一二三四五六七八九")


def write_chinese_digits(text: str) -> str:
    """Return a text with its digits as Chinese ones, which a seal name may hold."""
    return text.translate(_CHINESE_DIGITS)


class SealNamer:
    """Names the seals of the rows of one run that could be sent."""

    def __init__(
        self,
        row_plans: Sequence[RowPlan],
        ready: Sequence[RowPlan],
        snapshot: LedgerSnapshot,
        template: str,
        *,
        ascii_allowed: bool,
    ) -> None:
        """Collect who has and who wants which name; ``ready`` are those of ``row_plans`` that could be sent."""
        self._template, self._ascii_allowed = template, ascii_allowed
        self._reusable = snapshot.reusable_seal_names
        roster_names = {
            row_plan.doctor.seal_name: row_plan.doctor.key
            for row_plan in row_plans
            if row_plan.doctor.seal_name
        }
        in_use = {row_plan.history.seal_name for row_plan in row_plans if row_plan.history}
        self._owners: dict[str, str | None] = {**roster_names, **snapshot.seal_name_owners}
        for name in self._reusable - in_use:
            self._owners[name] = roster_names.get(name)
        self._wanted: Counter[str | None] = Counter()
        for row_plan in ready:
            if row_plan.doctor.seal_name is None and self._get_kept_name(row_plan) is None:
                self._wanted.update(self._list_candidates(row_plan))

    def name_seal(self, row_plan: RowPlan) -> tuple[str, list[Problem]]:
        """Return the seal name of a row that could be sent, with its problems; an error forbids the name."""
        name = row_plan.doctor.seal_name
        if name is not None:
            return name, list(self._check_roster_name(row_plan, name))
        name = self._get_kept_name(row_plan)
        return (name, []) if name is not None else self._name_newcomer(row_plan)

    def _get_kept_name(self, row_plan: RowPlan) -> str | None:
        """Return the name that a person keeps: not one made of a wrong doctor's name that was certainly refused."""
        doctor, person = row_plan.doctor, row_plan.history
        if person is None or person.seal_name in person.seal_names_of_others:
            return None
        if person.seal_name not in self._reusable or not person.refusals:
            return person.seal_name
        last = person.refusals[-1].content
        if last is not None and doctor.name != last.name and not last.seal_name:
            return None
        return person.seal_name

    def _check_roster_name(self, row_plan: RowPlan, name: str) -> Iterator[Problem]:
        """Yield the problems that forbid the roster's own name."""
        doctor, person = row_plan.doctor, row_plan.history
        if person and person.seal_name and person.seal_name != name and person.is_seal_name_locked:
            yield _build_problem("SEAL_NAME_FROZEN", doctor, found=name, frozen=person.seal_name)
        if self._is_of_another(name, doctor) or name in _names_of_others(row_plan):
            yield _build_problem("SEAL_NAME_DUPLICATE", doctor, found=name)

    def _name_newcomer(self, row_plan: RowPlan) -> tuple[str, list[Problem]]:
        """Return a newcomer's name; namesakes all get their staff number, as does one whose name is another person's."""
        doctor = row_plan.doctor
        plain = self._fill_in(doctor)
        if not _names_of_others(row_plan) and not self._is_contested(plain, doctor):
            name, warnings = plain, []
        else:
            disambiguated = self._disambiguate(row_plan)
            if disambiguated is None or self._is_contested(disambiguated, doctor):
                return plain, [_build_problem("SEAL_NAME_DUPLICATE", doctor, found=plain)]
            name, by = disambiguated, self._get_addition(doctor, disambiguated)
            detail = {"found": plain, "used": disambiguated, "by": by}
            warnings = [_build_problem("SEAL_NAME_DUPLICATE", doctor, severity="warning", **detail)]
        fault = self._get_fault(name)
        return name, warnings if fault is None else [fault]

    def _get_addition(self, doctor: Doctor, name: str) -> Field:
        """Return the field by which a newcomer's seal name differs from those of namesakes."""
        by_staff_no = self._fill_in(doctor, write_chinese_digits(doctor.staff_no or ""))
        return Field.STAFF_NO if doctor.staff_no and name == by_staff_no else Field.DEPARTMENT

    def _is_of_another(self, name: str, doctor: Doctor) -> bool:
        return self._owners.get(name) not in {None, doctor.key}

    def _is_contested(self, name: str, doctor: Doctor) -> bool:
        return self._wanted[name] > 1 or self._is_of_another(name, doctor)

    def _get_fault(self, name: str) -> Problem | None:
        """Return what is wrong with the length or the characters of a name."""
        return next(iter(check_seal_name(name, None, ascii_allowed=self._ascii_allowed)), None)

    def _fill_in(self, doctor: Doctor, suffix: str = "") -> str:
        """Return the template's name, with a suffix behind the doctor's name."""
        return self._template.format(
            name=(doctor.name or "") + suffix,
            staff_no=doctor.staff_no or "",
            department=doctor.department or "",
        )

    def _list_candidates(self, row_plan: RowPlan) -> set[str | None]:
        """Return the plain and the disambiguated name, as far as they are not other persons'."""
        candidates = {self._fill_in(row_plan.doctor), self._disambiguate(row_plan)}
        return candidates.difference(_names_of_others(row_plan))

    def _disambiguate(self, row_plan: RowPlan) -> str | None:
        """Return the name with the staff number in Chinese digits, else with the department."""
        doctor = row_plan.doctor
        for suffix in (write_chinese_digits(doctor.staff_no or ""), doctor.department or ""):
            name = self._fill_in(doctor, suffix)
            if suffix and name not in _names_of_others(row_plan) and self._get_fault(name) is None:
                return name
        return None


def _names_of_others(row_plan: RowPlan) -> frozenset[str]:
    return row_plan.history.seal_names_of_others if row_plan.history else frozenset()


def _build_problem(code: str, doctor: Doctor, **detail: object) -> Problem:
    return build_problem(code, Field.SEAL_NAME, doctor.row.address(Field.SEAL_NAME), **detail)  # type: ignore[arg-type]
