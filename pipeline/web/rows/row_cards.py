"""What the page shows of a row: its status and reasons in the words of the results, its cells, how a text is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from pipeline.clock import shown
from pipeline.domain.fields import FIELDS
from pipeline.domain.masking import mask_value
from pipeline.domain.roster import CellKind, Field, Problem
from pipeline.domain.row_record import RowLine
from pipeline.domain.run import Status
from pipeline.errors import DiskTrouble, EsignImportError
from pipeline.messages.problems import split_remedy
from pipeline.reports.explanations import (
    advise_on_row,
    describe_problem,
    explain_error,
    list_reasons,
    name_code,
    name_warning,
)
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_notes import get_address
from pipeline.web.rows.checked_rows import (
    NO_PICTURE,
    TO_FIX,
    CheckedPicture,
    CheckedRow,
    CheckedRows,
    get_file_name,
)
from pipeline.web.rows.doctor_pictures import PictureOffer
from pipeline.web.rows.roster_cells import LocatedRow, RosterCells, SavedCorrection
from pipeline.web.todo import DECIDE, choose_entry

Described = dict[str, object]
_AMBIGUOUS = "IMAGE_AMBIGUOUS"
MAX_OFFERED = 24  # pictures, beside those that may be the row's
MAX_NAMED = 3  # doctors of one picture
_REASONED = frozenset(
    {Status.REJECTED, Status.FAILED, Status.NOT_SENT, Status.CHANGED, Status.UNKNOWN, Status.EXISTS}
)


class RowCards:
    """Describes rows and cells to one reader."""

    def __init__(self, presenter: Presenter, rosters: RosterCells) -> None:
        self._presenter = presenter
        self._rosters = rosters
        self.language = presenter.language

    def render(self, key: str, **detail: object) -> str:
        """Return a text of the catalogue."""
        return self._presenter.render(key, **detail)

    # -- the table

    def describe_counts(self, checked: CheckedRows) -> dict[str, list[tuple[str, str, int]]]:
        """Return the values of each filter: the value, its words, and its number of rows."""

        def name_reason(code: str) -> str:
            problem = checked.problems.get(code)  # None: the service's answer to an earlier run
            return name_warning(problem, self._presenter) if problem else name_code(code, self._presenter)

        names = {"status": self._name_status, "code": name_reason, "file": get_file_name}
        return {
            kind: [(value, names.get(kind, str)(value), rows) for value, rows in values.items()]
            for kind, values in checked.counts.items()
        }

    def _name_status(self, value: str) -> str:
        if value in {TO_FIX, NO_PICTURE}:
            return self.render(f"rows.{value}")
        return self.render(f"status.{value}")

    def describe(
        self,
        row: CheckedRow,
        *,
        is_saved: bool,
        offer: PictureOffer | None = None,
        shows_others: bool = False,
    ) -> Described:
        """Return a row of the table; with the pictures that may be its doctor's where there is an ``offer``.

        ``shows_others``: also with the other pictures of the offer, which only a person knows to be the doctor's.
        """
        line = row.line
        sheet = (line.sheet,) if line.sheet else ()
        candidates: list[CheckedPicture] = []
        others: list[CheckedPicture] = []
        if offer is not None and not is_saved:
            candidates = list(row.candidates)
            others = offer.list_others(row)
        shown = [*candidates, *(others[:MAX_OFFERED] if shows_others else ())]
        described = [self._describe_candidate(row, picture, offer) for picture in shown] if offer else []
        return {
            "key": row.key,
            "stamp": row.stamp,
            "name": name_doctor(line, self._presenter),
            "staff_no": line.get(Field.STAFF_NO),
            "department": line.get(Field.DEPARTMENT),
            "number": line.get(Field.NUMBER),
            "status": row.status.value,
            "word": self._presenter.name_status(row.status),
            "sheet": " ".join((line.file, *sheet)),
            "line": line.row,
            "reasons": list(self._list_reasons(row, is_owned=any(picture["owner"] for picture in described))),
            "is_saved": is_saved,
            "who": describe_doctor(line),
            "candidates": described,
            "is_held": bool(row.candidates or row.picture),
            "is_known": row.is_known,
            "can_choose": any(not picture["owner"] for picture in described),
            "others": len(others),
            "shows_others": shows_others,
            "not_shown": max(0, len(others) - MAX_OFFERED),
            "is_case": choose_entry(row.outcome) is DECIDE,
            "wrong": self._describe_wrong_picture(row, offer),
        }

    def _describe_wrong_picture(self, row: CheckedRow, offer: PictureOffer | None) -> Described | None:
        """Return the picture of a row that was judged wrong, with the stamp of the decision that gave it."""
        picture = row.wrong_picture
        if picture is None or offer is None:
            return None
        name = get_file_name(picture.path)
        return {"sha256": picture.sha256, "name": name, "given": offer.get_given(row)}

    def _describe_candidate(self, row: CheckedRow, picture: CheckedPicture, offer: PictureOffer) -> Described:
        owner = offer.owners.get(picture.sha256)
        is_free = owner is None or owner is row
        rivals = [other.line for other in offer.by_candidate.get(picture.sha256, ()) if other is not row]
        return {
            "sha256": picture.sha256,
            "name": picture.name,
            "owner": "" if owner is None or is_free else name_doctors([owner.line], self._presenter),
            "rivals": name_doctors(rivals, self._presenter) if is_free else "",
        }

    def _list_reasons(self, row: CheckedRow, *, is_owned: bool) -> Iterator[Described]:
        """Yield what is wrong with a row, and what to do; of a row without an error its warnings.

        ``is_owned``: one of its pictures was given to another doctor, so that the check's sentence on them does not hold.
        """
        outcome, stop = row.outcome, self.render("web.full_stop")
        for problem in outcome.errors:
            wrong, advice = self._explain(row, problem)
            if row.candidates and problem.code == _AMBIGUOUS:
                advice = ""  # the pictures are shown below, to choose from
                wrong = self.render("picture.not_chosen") if is_owned else wrong
            yield _make_reason(wrong.removesuffix(stop) + stop, advice, cell=get_address(outcome, problem))
        if outcome.errors:
            return
        if outcome.status in _REASONED:
            for sentence in list_reasons(outcome, self._presenter):
                yield _make_reason(sentence)
            if outcome.status in {Status.FAILED, Status.NOT_SENT}:
                yield _make_reason("", advise_on_row(outcome, self._presenter))
            return
        for problem in outcome.problems:
            yield _make_reason(describe_problem(problem, self._presenter), is_warning=True)

    def _explain(self, row: CheckedRow, problem: Problem) -> tuple[str, str]:
        """Return what is wrong, and what to do; of a plan of an earlier version the sentence as it was written."""
        recorded = next((one for one in row.line.problems if one.code == problem.code), None)
        if recorded is not None and recorded.detail is None:
            return split_remedy(recorded.message)
        return explain_error(row.outcome, problem, self._presenter)

    # -- one row and its cells

    def list_faults(
        self, located: LocatedRow, row: CheckedRow, *, is_saved: bool
    ) -> Mapping[Field, list[tuple[str, str]]]:
        """Return what is wrong with the cells of a row: as the check has it, after a correction as the row is now."""
        faults: dict[Field, list[tuple[str, str]]] = {}
        problems = self._rosters.judge(located.row) if is_saved else row.outcome.problems
        for problem in problems:
            if problem.severity == "error" and problem.field is not None:
                explained = self._explain_own(problem) if is_saved else self._explain(row, problem)
                faults.setdefault(problem.field, []).append(explained)
        return faults

    def describe_cell(
        self,
        located: LocatedRow,
        location: str,
        name: Field,
        faults: Sequence[tuple[str, str]],
        *,
        is_open: bool,
    ) -> Described:
        """Return a cell of a row; an open one is a field with what the roster holds."""
        cell = located.row.fields[name]
        text = cell.display_text
        is_picture = cell.kind is CellKind.PICTURE
        masked = mask_value(name, text) if FIELDS[name].is_personal else self._presenter.mask_text(text)
        return {
            "id": f"{location}-{name.value}",
            "location": location,
            "field": name.value,
            "label": self._presenter.name_field(name),
            "address": located.row.address(name),
            "shown": self.render("rows.picture") if is_picture else masked,
            "value": text if is_open else None,
            "is_fixed": is_picture,
            "faults": faults,
            "seen": located.digest_cell(name),
            "roster": located.roster.sha256,
        }

    def describe_judgement(self, name: Field, problems: Sequence[Problem]) -> Described:
        """Return how a text that is typed is judged: what is wrong with the cell, and with others of the row."""
        errors = [problem for problem in problems if problem.severity == "error"]
        own = [self._explain_own(problem) for problem in errors if problem.field is name]
        others = dict.fromkeys(problem.field for problem in errors if problem.field not in {name, None})
        warnings = [
            describe_problem(problem, self._presenter)
            for problem in problems
            if problem.severity == "warning" and problem.field is name
        ]
        fields = self._presenter.join(
            "comma", *(self._presenter.name_field(field) for field in others if field)
        )
        return {"faults": own, "others": fields, "warnings": warnings}

    def _explain_own(self, problem: Problem) -> tuple[str, str]:
        wrong, advice = split_remedy(describe_problem(problem, self._presenter))
        return wrong, advice[:1].upper() + advice[1:]

    # -- why a cell was not saved

    def describe_refusal(self, located: LocatedRow, name: Field, why: str) -> str:
        """Return why the page cannot write a cell, and which one to correct in Excel."""
        return self.render(
            "rows.in_excel", why=self._presenter.render_text(why), **self._describe_position(located, name)
        )

    def describe_other_change(self, located: LocatedRow, name: Field, other: SavedCorrection | None) -> str:
        """Return that another person has changed a cell meanwhile."""
        position = self._describe_position(located, name)
        if other is None:
            return self.render("rows.other_value", **position)
        return self.render("rows.other_person", user=other.user, moment=shown(other.moment), **position)

    def describe_given(self, row: CheckedRow) -> str:
        """Return that a picture is a doctor's now."""
        return self.render("picture.given", name=name_doctors([row.line], self._presenter))

    def describe_error(self, error: EsignImportError) -> str:
        """Return why a decision was refused."""
        return self._presenter.mask_text(error.render(self.language))

    def describe_disk(self, located: LocatedRow, error: OSError) -> str:
        """Return why the disk refused a correction."""
        if isinstance(error, PermissionError):
            return self.render("rows.held", file=self._presenter.mask_text(located.roster.path.name))
        reason = self._presenter.mask_text(DiskTrouble.of(error).render(self.language))
        return self.render("rows.disk", why=reason)

    def _describe_position(self, located: LocatedRow, name: Field) -> dict[str, object]:
        origin = located.row.origin
        return {
            "file": self._presenter.mask_text(" ".join(filter(None, (origin.file, origin.sheet)))),
            "cell": located.row.address(name),
        }


def name_doctor(line: RowLine, presenter: Presenter) -> str:
    return line.get(Field.NAME) or presenter.render("who.nameless")


def describe_doctor(line: RowLine) -> str:
    """Return how a row's doctor differs from others of the name."""
    parts = (line.get(Field.STAFF_NO), line.get(Field.DEPARTMENT), (line.get(Field.NUMBER) or "")[-4:])
    return " · ".join(filter(None, parts))


def name_doctors(lines: Iterable[RowLine], presenter: Presenter) -> str:
    """Return the names of a few doctors, each with how the doctor differs from others of the name."""
    doctors = dict.fromkeys(
        " · ".join(filter(None, (name_doctor(line, presenter), describe_doctor(line)))) for line in lines
    )
    more = ["…"] if len(doctors) > MAX_NAMED else []
    return presenter.join("comma", *islice(doctors, MAX_NAMED), *more)


def _make_reason(
    wrong: str, advice: str = "", *, cell: str | None = None, is_warning: bool = False
) -> Described:
    return {"wrong": wrong, "advice": advice, "cell": cell, "is_warning": is_warning}
