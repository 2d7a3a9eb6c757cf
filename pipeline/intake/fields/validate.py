"""Turns rows into doctors: one doctor a row, with all its problems at once and no picture yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Protocol

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, Field, Problem, Row
from pipeline.errors import isolate_row_failure
from pipeline.intake.fields.choices import read_card_type, read_license_type, read_scene, read_yes_no
from pipeline.intake.fields.id_number import (
    Identity,
    find_lifetime_number,
    read_identity,
    refuse_rounded_numbers,
)
from pipeline.intake.fields.mobile import read_mobile
from pipeline.intake.fields.normalize import UNUSABLE_FORMULAS, FieldResult, get_text, is_dash, quote_text
from pipeline.intake.fields.person_name import read_name
from pipeline.intake.fields.text_fields import read_department, read_seal_name, read_staff_no
from pipeline.messages.problems import build_problem

_LABELLED = tuple(
    (field, f"{field}=") for field in Field
)  # how each field's text begins within a row's content


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
    Field.SCENE_KEY: lambda cell, address, _: read_scene(cell, address),
    Field.ENABLE_AUTO_SIGN: lambda cell, address, _: read_yes_no(Field.ENABLE_AUTO_SIGN, cell, address),
    Field.LICENSE_TYPE: lambda cell, address, _: read_license_type(cell, address),
    Field.SEAL_IMAGE_COMPRESS: lambda cell, address, _: read_yes_no(Field.SEAL_IMAGE_COMPRESS, cell, address),
    Field.MOBILE: lambda cell, address, context: read_mobile(
        cell, address, auto_sign=context.opens_auto_sign()
    ),
}


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

    read = partial(read_identity, allow_other=settings.allow_other_card_type, today=today, is_known=is_known)
    identities = [
        isolate_row_failure(
            partial(read, row), lambda failure: Identity(None, None, (failure,)), stage="validate"
        )
        for row in rows
    ]
    identities = refuse_rounded_numbers(rows, identities, is_known=is_known)
    if row_ids is None:
        row_ids = list(assign_row_ids(rows, site_key))
    return [
        isolate_row_failure(
            partial(_validate_row, row, identity, row_id, settings, site_key),
            partial(_make_unvalidated_doctor, row, identity, row_id, site_key),
            stage="validate",
            row_id=row_id,
        )
        for row, identity, row_id in zip(rows, identities, row_ids, strict=True)
    ]


def assign_row_ids(rows: Sequence[Row], site_key: SiteKeyDigests | None) -> Iterator[str | None]:
    """Yield each row's id: of its mapped cells as displayed, and of the number of equal rows before it in the run."""
    equal_rows: Counter[tuple[str, ...]] = Counter()
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
        yield site_key.row(parts, equal_rows[parts])
        equal_rows[parts] += 1


def _make_unvalidated_doctor(
    row: Row, identity: Identity, row_id: str | None, site_key: SiteKeyDigests | None, failure: Problem
) -> Doctor:
    """Return the doctor of a row that could not be validated; a known number still shows whose row it is."""
    return Doctor(
        row=row,
        row_id=row_id,
        key=_make_key(identity, site_key),
        number=identity.number,
        id_type=identity.id_type,
        problems=(*identity.problems, failure),
    )


def _validate_row(
    row: Row,
    identity: Identity,
    row_id: str | None,
    settings: FieldSettings,
    site_key: SiteKeyDigests | None,
) -> Doctor:
    results: dict[Field, FieldResult[Any]] = {}
    context = FieldContext(row, settings, results)
    for field, read in READERS.items():
        results[field] = _read_field(field, read, context)
    in_order: list[FieldResult[Any] | Identity] = [
        identity if field is Field.NUMBER else results[field]
        for field in Field
        if field is Field.NUMBER or field in results
    ]
    return Doctor(
        row=row,
        row_id=row_id,
        key=_make_key(identity, site_key),
        number=identity.number,
        id_type=identity.id_type,
        problems=(*_list_row_problems(row), *(other for result in in_order for other in result.problems)),
        changes=tuple(change for result in in_order for change in result.changes),
        **{FIELDS[field].attribute or field.value: result.value for field, result in results.items()},
    )


def _make_key(identity: Identity, site_key: SiteKeyDigests | None) -> str | None:
    if site_key is None or identity.number is None or identity.id_type is None:
        return None
    return site_key.person(find_lifetime_number(identity.number, identity.id_type))


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


def _read_field(field: Field, read: FieldReader, context: FieldContext) -> FieldResult[Any]:
    """Read one field: a blank cell has the default, a broken formula has its problem already and no value."""
    row, settings = context.row, context.settings
    cell = row.fields.get(field)
    is_broken = cell is not None and cell.kind in UNUSABLE_FORMULAS
    if is_broken:
        result: FieldResult[Any] = FieldResult(None)
    elif field in settings.defaults and is_dash(get_text(cell)):
        result = FieldResult(settings.defaults[field])
    else:
        result = read(cell, row.address(field), context)
    if FIELDS[field].is_optional_parameter and field not in settings.accepted_parameters:
        return _drop_unaccepted(row, field, result)
    is_missing_license = field is Field.LICENSE_TYPE and result == FieldResult(None)
    return _refuse_missing_license(row) if is_missing_license and context.opens_auto_sign() else result


def _refuse_missing_license(row: Row) -> FieldResult[int]:
    """Refuse auto-sign without a licence type: a create without this parameter binds a paid licence."""
    cell = row.fields.get(Field.LICENSE_TYPE)
    detail = {"found": "", "field": cell.header if cell else Field.LICENSE_TYPE.value, "expected": "0, 1"}
    address = row.address(Field.LICENSE_TYPE)
    return FieldResult(None, (Problem("VALUE_INVALID", "error", Field.LICENSE_TYPE, address, detail),))


def _drop_unaccepted(row: Row, field: Field, result: FieldResult[Any]) -> FieldResult[Any]:
    """Drop a value that the API contract does not take, with a warning."""
    if result.value is None or result.value is False:  # a "no" loses nothing
        return FieldResult(None, result.problems)
    cell = row.fields.get(field)
    detail = {"found": quote_text(get_text(cell)), "field": cell.header if cell else field.value}
    warning = Problem("VALUE_INVALID", "warning", field, row.address(field), detail)
    return FieldResult(None, (*result.problems, warning))
