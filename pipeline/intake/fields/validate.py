"""Turns rows into doctors: one doctor a row, with all its problems at once and no picture yet.

Some programs round numbers: Excel keeps 15 digits, some writers 16, a double 53 bits. The check digit of one rounded
number in eleven fits by chance, and then it is another person's. Such numbers are known by their neighbours.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Hashable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from sys import intern
from typing import Any

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import CardType, Cell, CellKind, Change, Doctor, Field, Problem, Row
from pipeline.domain.site_key import SiteKey
from pipeline.errors import isolate_row_failure
from pipeline.intake.fields.id_number import (
    Identity,
    IsKnown,
    get_lifetime_number,
    read_identity,
    refuse_number,
)
from pipeline.intake.fields.normalize import (
    UNUSABLE_FORMULAS,
    FieldResult,
    get_field_text,
    get_text,
    is_dash,
    quote_text,
)
from pipeline.intake.fields.text_fields import (
    READERS,
    FieldContext,
    FieldReader,
    FieldSettings,
    refuse_value,
)
from pipeline.messages.problems import build_problem

_POSITIONS = {field: position for position, field in enumerate(Field)}  # within a row's content
_ATTRIBUTES = tuple((field, FIELDS[field].attribute or field.value) for field in READERS)


def validate_rows(
    rows: Sequence[Row],
    *,
    settings: FieldSettings,
    today: date,
    site_key: SiteKey | None,
    row_ids: Sequence[str | None] | None = None,
    known_keys: Container[str] = frozenset(),
) -> list[Doctor]:
    """Validate every row: one doctor a row, in the same order.

    ``today`` is the local day to which ages are counted. Without ``site_key`` the attributes ``key`` and ``row_id`` are
    None. ``row_ids`` are the rows' ids if they are known already. ``known_keys`` are the keys of people who have a seal
    or an unresolved attempt: their numbers have lost no digit.
    """

    def is_known(number: str, card: CardType) -> bool:
        return site_key is not None and site_key.person(get_lifetime_number(number, card)) in known_keys

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


def assign_row_ids(rows: Sequence[Row], site_key: SiteKey | None) -> Iterator[str | None]:
    """Yield each row's id: of its mapped cells as displayed, and of the number of equal rows before it in the run."""
    equal_rows: Counter[str] = Counter()  # by the id of the first of them
    for row in rows:
        if site_key is None:
            yield None
            continue
        fields = row.fields
        in_order = sorted(fields, key=_POSITIONS.__getitem__)
        parts = [f"{field}={fields[field].display_text}" for field in in_order]
        first = site_key.row(parts, 0)
        nth = equal_rows[first]
        equal_rows[first] = nth + 1
        yield site_key.row(parts, nth) if nth else first


def _validate_row(
    row: Row, identity: Identity, row_id: str | None, reader: _RowReader, site_key: SiteKey | None
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
        cells = dict(row.fields)
        for field, read in READERS.items():
            cell = cells.get(field)
            results[field] = (
                self._read_absent(field, read, context)
                if cell is None
                else _read_field(field, read, cell, context)
            )
        in_order = [identity if field is Field.NUMBER else results.get(field) for field in _POSITIONS]
        eventful = [
            result for result in in_order if result is not None and (result.problems or result.changes)
        ]
        values = {attribute: results[field].value for field, attribute in _ATTRIBUTES}
        values["scene_key"] = self._settings.scene_key
        problems = (*_list_row_problems(row), *(other for result in eventful for other in result.problems))
        return values, problems, tuple(change for result in eventful for change in result.changes)

    def _read_absent(self, field: Field, read: FieldReader, context: FieldContext) -> FieldResult[Any]:
        """Read a field that the row has no cell of: the same in every row that opens auto-sign, or does not."""
        auto_sign = context.results.get(Field.ENABLE_AUTO_SIGN)
        key = (field, auto_sign is not None and auto_sign.value is True)
        if key not in self._absent:
            self._absent[key] = _read_field(field, read, None, context)
        return self._absent[key]


def _make_key(identity: Identity, site_key: SiteKey | None) -> str | None:
    if site_key is None or identity.number is None or identity.id_type is None:
        return None
    # the ledger's snapshot has interned the keys of all people who are known
    return intern(site_key.person(get_lifetime_number(identity.number, identity.id_type)))


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


# --- numbers that some program rounded

Rounding = Callable[[int], bool]  # could this number be what such a program made of another?

_EIGHTEEN_DIGITS = re.compile(r"[0-9]{18}")
# failing numbers of one rounding that give a sheet away, and their share of all that fail: by chance so in less than one
# honest sheet in a thousand
_FEWEST, _SHARE = 3, 0.75


def _is_double(number: int) -> bool:
    return int(float(number)) == number


def _is_shortest_double(number: int) -> bool:
    """Return whether JavaScript and JSON print a double so, or a number cut to 16 digits leaves it."""
    return int(Decimal(repr(float(number)))) == number


_ROUNDINGS: tuple[Rounding, ...] = (_is_double, _is_shortest_double)


def refuse_rounded_numbers(
    rows: Sequence[Row], identities: Sequence[Identity], *, is_known: IsKnown = lambda *_: False
) -> list[Identity]:
    """Return the identities, refused where the number's sheet went through a program that rounds.

    A typing error fits a rounding seldom, a rounded number always, and one rounded number in eleven passes the check
    digit. So where three and more numbers of a sheet fail it, nearly all of them are of one rounding, and they are at
    least as many as those of that rounding that pass (one in ten of which is then another person's), every number of
    that rounding is refused. Numbers with an X, or written in groups, cannot have been rounded; one for which
    ``is_known`` is true was not.
    """
    failing: defaultdict[Hashable, list[int]] = defaultdict(list)
    passing: defaultdict[Hashable, list[int]] = defaultdict(list)
    digits = list(map(_read_digits, rows))
    for row, identity, number in zip(rows, identities, digits, strict=True):
        if number is not None and any(map(_has_wrong_check_digit, identity.problems)):
            failing[_identify_sheet(row)].append(number)
        elif number is not None and identity.number:
            passing[_identify_sheet(row)].append(number)
    roundings = {
        sheet: _list_roundings(numbers, passing[sheet])
        for sheet, numbers in failing.items()
        if len(numbers) >= _FEWEST
    }
    judged = list(identities)
    for index, (row, identity, number) in enumerate(zip(rows, identities, digits, strict=True)):
        is_rounded = number is not None and any(
            kind(number) for kind in roundings.get(_identify_sheet(row), ())
        )
        if is_rounded and not _is_known(identity, is_known):
            judged[index] = _refuse_rounded(row, identity)
    return judged


def _has_wrong_check_digit(refusal: Problem) -> bool:
    """Return whether the check digit refused the number; 000 is left out: it shows no other rounding."""
    return refusal.code == "ID_CHECKSUM" or refusal.detail.get("tail") == "00"


def _list_roundings(failing: Sequence[int], passing: Sequence[int]) -> list[Rounding]:
    return [
        kind
        for kind in _ROUNDINGS
        if sum(map(kind, failing)) >= max(_FEWEST, _SHARE * len(failing), sum(map(kind, passing)))
    ]


def _is_known(identity: Identity, is_known: IsKnown) -> bool:
    number, card = identity.number, identity.id_type
    return number is not None and card is not None and is_known(number, card)


def _refuse_rounded(row: Row, identity: Identity) -> Identity:
    lost = refuse_number("ID_PRECISION_LOST", row.address(Field.NUMBER))
    others = tuple(other for other in identity.problems if other.code not in ("ID_CHECKSUM", lost.code))
    return replace(identity, number=None, id_type=None, problems=(*others, lost), changes=())


def _read_digits(row: Row) -> int | None:
    text = get_field_text(row, Field.NUMBER)
    return int(text) if _EIGHTEEN_DIGITS.fullmatch(text) else None


def _identify_sheet(row: Row) -> Hashable:
    return row.origin.path, row.origin.sheet
