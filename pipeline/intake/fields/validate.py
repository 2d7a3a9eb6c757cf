"""Turns rows into doctors: one doctor a row, with all its problems at once and no picture yet; and joins rows of one person."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Container, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from sys import intern
from typing import Any, Protocol

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import CardType, Cell, CellKind, Change, Doctor, Field, Problem, Row
from pipeline.errors import isolate_row_failure
from pipeline.intake.fields.id_number import (
    KEPT_DIGITS,
    Identity,
    find_kept_digits,
    find_lifetime_number,
    read_identity,
    refuse_rounded_numbers,
)
from pipeline.intake.fields.normalize import (
    UNUSABLE_FORMULAS,
    FieldResult,
    get_field_text,
    get_text,
    is_dash,
    quote_text,
    trim_ends,
)
from pipeline.intake.fields.person_name import read_name
from pipeline.intake.fields.text_fields import (
    read_card_type,
    read_choice,
    read_department,
    read_mobile,
    read_seal_name,
    read_staff_no,
    refuse_value,
)
from pipeline.messages.problems import build_problem

# how each field's text begins within a row's content
_LABELLED = tuple((field, f"{field}=") for field in Field)


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldSettings:
    """The settings of the fields in the configuration."""

    defaults: Mapping[Field, object]  # the value of a field whose cell is blank
    allow_other_card_type: bool
    seal_name_ascii: bool = False
    accepted_parameters: Collection[str]  # the optional parameters of the configured API contract


class SiteKeyDigests(Protocol):
    """The digests of the site key, which the ledger holds."""

    def person(self, number: str) -> str:
        """Return the key of a person, from the lifetime number."""

    def row(self, parts: Sequence[str], nth: int) -> str:
        """Return the id of a row's content, the nth (from 0) among equal rows."""


@dataclass(frozen=True, slots=True)
class FieldContext:
    """What the rules of a field may look at beside its own cell."""

    row: Row
    settings: FieldSettings
    results: Mapping[Field, FieldResult[Any]]  # of the fields that were read before

    def is_foreign_card(self) -> bool:
        """Return whether the row names a card that foreigners hold, and such cards are open."""
        if not self.settings.allow_other_card_type:
            return False
        cell = self.row.fields.get(Field.ID_TYPE)
        return read_card_type(cell, None, allow_other=True).value is CardType.OTHER_CARD_TYPE

    def opens_auto_sign(self) -> bool:
        """Return whether the row's create opens auto-sign."""
        return self.results[Field.ENABLE_AUTO_SIGN].value is True


FieldReader = Callable[[Cell | None, str | None, FieldContext], FieldResult[Any]]

# The rules of each field, in the order in which the fields are read. Number and card type are read together before
# them (`read_identity`), the picture is matched after them (`pipeline.intake.pairing`).
READERS: Mapping[Field, FieldReader] = {
    Field.NAME: lambda cell, address, context: read_name(cell, address, latin=context.is_foreign_card()),
    Field.STAFF_NO: lambda cell, _, __: read_staff_no(cell),
    Field.DEPARTMENT: lambda cell, _, __: read_department(cell),
    Field.SEAL_NAME: lambda cell, address, context: read_seal_name(
        cell, address, ascii_allowed=context.settings.seal_name_ascii
    ),
    Field.SCENE_KEY: lambda cell, address, _: read_choice(Field.SCENE_KEY, cell, address),
    Field.ENABLE_AUTO_SIGN: lambda cell, address, _: read_choice(Field.ENABLE_AUTO_SIGN, cell, address),
    Field.LICENSE_TYPE: lambda cell, address, _: read_choice(Field.LICENSE_TYPE, cell, address),
    Field.SEAL_IMAGE_COMPRESS: lambda cell, address, _: read_choice(Field.SEAL_IMAGE_COMPRESS, cell, address),
    Field.MOBILE: lambda cell, address, context: read_mobile(
        cell, address, auto_sign=context.opens_auto_sign()
    ),
}

_ATTRIBUTES = tuple((field, FIELDS[field].attribute or field.value) for field in READERS)


def validate_rows(
    rows: Sequence[Row],
    *,
    settings: FieldSettings,
    today: date,
    site_key: SiteKeyDigests | None,
    row_ids: Sequence[str | None] | None = None,
    known_keys: Container[str] = frozenset(),
) -> list[Doctor]:
    """Validate every row: one doctor a row, in the same order.

    ``today`` is the local day to which ages are counted. Without ``site_key`` the attributes ``key`` and ``row_id`` are
    None. ``row_ids`` are the rows' ids if they are known already. ``known_keys`` are the keys of people who have a seal
    or an unresolved attempt: their numbers have lost no digit.
    """

    def is_known(number: str, card: CardType) -> bool:
        return site_key is not None and site_key.person(find_lifetime_number(number, card)) in known_keys

    def read(row: Row) -> Identity:
        return isolate_row_failure(
            lambda: read_identity(
                row, allow_other=settings.allow_other_card_type, today=today, is_known=is_known
            ),
            lambda failure: Identity(None, None, (failure,)),
            stage="validate",
        )

    identities = refuse_rounded_numbers(rows, list(map(read, rows)), is_known=is_known)
    if row_ids is None:
        row_ids = list(assign_row_ids(rows, site_key))
    reader = _RowReader(settings)
    return [
        _validate_row(row, identity, row_id, reader, site_key)
        for row, identity, row_id in zip(rows, identities, row_ids, strict=True)
    ]


def assign_row_ids(rows: Sequence[Row], site_key: SiteKeyDigests | None) -> Iterator[str | None]:
    """Yield each row's id: of its mapped cells as displayed, and of the number of equal rows before it in the run."""
    equal_rows: Counter[str] = Counter()  # by the id of the first of them
    for row in rows:
        if site_key is None:
            yield None
            continue
        fields = row.fields
        parts = tuple(
            [
                label + cell.display_text
                for field, label in _LABELLED
                if (cell := fields.get(field)) is not None
            ]
        )
        first = site_key.row(parts, 0)
        nth = equal_rows[first]
        equal_rows[first] = nth + 1
        yield site_key.row(parts, nth) if nth else first


def _validate_row(
    row: Row, identity: Identity, row_id: str | None, reader: _RowReader, site_key: SiteKeyDigests | None
) -> Doctor:
    """Return the doctor of a row; one whose other cells cannot be read for a fault of ours still has its number."""
    key = _make_key(identity, site_key)
    number, id_type = identity.number, identity.id_type

    def read() -> Doctor:
        values, problems, changes = reader.read_row(row, identity)
        return Doctor(
            row, row_id, key, number=number, id_type=id_type, problems=problems, changes=changes, **values
        )

    def keep_number(failure: Problem) -> Doctor:
        problems = (*identity.problems, failure)
        return Doctor(row, row_id, key, number=number, id_type=id_type, problems=problems)

    return isolate_row_failure(read, keep_number, stage="validate", row_id=row_id)


class _RowReader:
    """Reads the fields of rows with the settings of a run."""

    def __init__(self, settings: FieldSettings) -> None:
        self._settings = settings
        # of fields without a column: by the field, and whether the row opens auto-sign
        self._absent: dict[tuple[Field, bool], FieldResult[Any]] = {}

    def read_row(
        self, row: Row, identity: Identity
    ) -> tuple[dict[str, Any], tuple[Problem, ...], tuple[Change, ...]]:
        """Return the values of a row by attribute, its problems and changes; ``identity`` was read before."""
        results: dict[Field, FieldResult[Any]] = {}
        context = FieldContext(row, self._settings, results)
        for field, read in READERS.items():
            cell = row.fields.get(field)
            results[field] = (
                self._read_absent(field, read, context)
                if cell is None
                else _read_field(field, read, cell, context)
            )
        in_order = [identity if field is Field.NUMBER else results.get(field) for field, _ in _LABELLED]
        eventful = [
            result for result in in_order if result is not None and (result.problems or result.changes)
        ]
        values = {attribute: results[field].value for field, attribute in _ATTRIBUTES}
        problems = (*_list_row_problems(row), *(other for result in eventful for other in result.problems))
        return values, problems, tuple(change for result in eventful for change in result.changes)

    def _read_absent(self, field: Field, read: FieldReader, context: FieldContext) -> FieldResult[Any]:
        """Read a field that the row has no cell of: the same in every row that opens auto-sign, or does not."""
        auto_sign = context.results.get(Field.ENABLE_AUTO_SIGN)
        key = (field, auto_sign is not None and auto_sign.value is True)
        if key not in self._absent:
            self._absent[key] = _read_field(field, read, None, context)
        return self._absent[key]


def _make_key(identity: Identity, site_key: SiteKeyDigests | None) -> str | None:
    if site_key is None or identity.number is None or identity.id_type is None:
        return None
    # the ledger's snapshot has interned the keys of all people who are known
    return intern(site_key.person(find_lifetime_number(identity.number, identity.id_type)))


def _list_row_problems(row: Row) -> Iterator[Problem]:
    """Yield the problems of the row as a whole, and of the mapped cells whose formula has no usable value."""
    yield from row.problems
    if row.hidden:
        yield build_problem("ROW_HIDDEN")
    if not any(cell.kind in UNUSABLE_FORMULAS for cell in row.fields.values()):
        return
    for field in Field:
        cell = row.fields.get(field)
        if cell is not None and cell.kind is CellKind.ERROR:
            yield build_problem(
                "FORMULA_ERROR", field, row.address(field), found=quote_text(cell.display_text)
            )
        elif cell is not None and cell.kind is CellKind.NO_VALUE:
            yield build_problem("FORMULA_NO_VALUE", field, row.address(field))


def _read_field(
    field: Field, read: FieldReader, cell: Cell | None, context: FieldContext
) -> FieldResult[Any]:
    """Read one field: a blank cell has the default, a broken formula has its problem already and no value."""
    settings = context.settings
    address = context.row.address_of(cell) if cell is not None else None
    if cell is not None and cell.kind in UNUSABLE_FORMULAS:
        result: FieldResult[Any] = FieldResult(None)
    elif field in settings.defaults and is_dash(get_text(cell)):
        result = FieldResult(settings.defaults[field])
    else:
        result = read(cell, address, context)
    if FIELDS[field].is_optional_parameter and field not in settings.accepted_parameters:
        if result.value is None or result.value is False:  # a "no" loses nothing
            return FieldResult(None, result.problems)
        return FieldResult(None, (*result.problems, refuse_value(field, cell, address, "warning")))
    if field is Field.LICENSE_TYPE and result == FieldResult(None) and context.opens_auto_sign():
        # a create without this parameter binds a paid licence
        return FieldResult(None, (refuse_value(field, cell, address, found="", expected="0, 1"),))
    return result


# --- which rows are one person


def find_person_ids(doctors: Sequence[Doctor]) -> list[Hashable]:
    """Return a person_id for each row, equal for rows of one person, as far as rows show it.

    The person's key decides, or the lifetime number without a site key. A row whose number cannot be used is a person
    of its own, unless the rest of it belongs to exactly one row's person with a usable number: the same name, and the
    staff number or the digits that a spreadsheet kept of the number. Among themselves such rows are one person if the
    name and the written number, staff number or mobile are the same. Without any of these, equal rows of two files are
    one person: the same roster may be there twice.
    """
    equal: Counter[Hashable] = Counter()
    own_ids = [_make_own_id(doctor, index, equal) for index, doctor in enumerate(doctors)]
    lost = {doctor.name for doctor in doctors if not doctor.number}
    known: defaultdict[tuple[str, str], set[Hashable]] = defaultdict(set)
    for doctor, person_id in zip(doctors, own_ids, strict=True):
        if doctor.number and doctor.name in lost:
            for trace in _list_traces(doctor, doctor.number[:KEPT_DIGITS]):
                known[trace].add(person_id)
    return [
        person_id if doctor.number else _recognise_person(doctor, known, person_id)
        for doctor, person_id in zip(doctors, own_ids, strict=True)
    ]


def _make_own_id(doctor: Doctor, index: int, equal: Counter[Hashable]) -> Hashable:
    """Return the id that a row itself gives; ``equal`` counts equal rows of a file, each of which is a person."""
    if doctor.number and doctor.id_type:
        return doctor.key or find_lifetime_number(doctor.number, doctor.id_type)
    if not doctor.name:
        return index
    written = get_field_text(doctor.row, Field.NUMBER)
    if any(map(str.isdigit, written)):
        return doctor.name, written
    if doctor.staff_no:
        return doctor.name, Field.STAFF_NO, doctor.comparable_staff_no
    if doctor.mobile:
        return doctor.name, Field.MOBILE, doctor.mobile
    row = (
        doctor.name,
        *((field, trim_ends(get_text(cell))) for field, cell in sorted(doctor.row.fields.items())),
    )
    of_file = doctor.row.origin.path, row
    equal[of_file] += 1
    return row, equal[of_file]


def _recognise_person(
    doctor: Doctor, known: Mapping[tuple[str, str], set[Hashable]], person_id: Hashable
) -> Hashable:
    traces = _list_traces(doctor, find_kept_digits(doctor.row.fields.get(Field.NUMBER)))
    people = set().union(*(known.get(trace, ()) for trace in traces))
    return people.pop() if len(people) == 1 else person_id


def _list_traces(doctor: Doctor, digits: str | None) -> list[tuple[str, str]]:
    """Return what identifies a person beside the whole number, each together with the name."""
    if doctor.name is None:
        return []
    marks = (f"staff {doctor.comparable_staff_no}" if doctor.staff_no else None, digits)
    return [(doctor.name, mark) for mark in marks if mark]
