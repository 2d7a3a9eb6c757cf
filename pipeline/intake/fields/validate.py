"""Rows into doctors: every row gives exactly one, with all its troubles at once and no picture yet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any, Protocol, TypeVar

from pipeline import row_failures
from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, Field, Problem, Row
from pipeline.intake.fields.choices import read_card_type, read_license_type, read_scene, read_yes_no
from pipeline.intake.fields.id_number import Identity, lifetime, read_identity
from pipeline.intake.fields.mobile import read_mobile
from pipeline.intake.fields.normalize import BROKEN, FieldResult, is_dash, quote, shown
from pipeline.intake.fields.person_name import read_name
from pipeline.intake.fields.precision_loss import refuse_rounded_numbers
from pipeline.intake.fields.seal_name import read_seal_name
from pipeline.intake.fields.staff_fields import read_department, read_staff_no
from pipeline.messages.problems import problem

T = TypeVar("T")

_NAMED = tuple((field, f"{field}=") for field in Field)  # how each field's text begins within a row's content


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What holds where a row says nothing, and what is allowed; from the config."""

    scene_key: str | None
    enable_auto_sign: bool | None
    license_type: int | None
    seal_image_compress: bool | None
    allow_other_card_type: bool
    seal_name_ascii: bool = False
    accepted_parameters: Collection[str]  # those of the configured API contract


class Identify(Protocol):
    """The site key's digests."""

    def person(self, number: str) -> str:
        """Return the key of a person, from the lifetime number."""

    def row(self, parts: Sequence[str], nth: int) -> str:
        """Return the id of a row's content, the nth (from 0) among equal rows."""


def validate(
    rows: Sequence[Row],
    *,
    defaults: Defaults,
    today: date,
    identify: Identify | None,
    ids: Sequence[str | None] | None = None,
    known: Container[str] = frozenset(),
) -> list[Doctor]:
    """Judge every row: one doctor a row, in the same order.

    ``today`` is the local day that ages are counted to. Without ``identify`` (no site key at hand) ``key`` and
    ``row_id`` are None. ``ids`` are the rows' ids where they are known already. ``known`` are the keys of people who
    have a seal or an unresolved attempt: their numbers have lost no digit.
    """

    def is_known(number: str, card: CardType) -> bool:
        return identify is not None and identify.person(lifetime(number, card)) in known

    read = partial(read_identity, allow_other=defaults.allow_other_card_type, today=today, is_known=is_known)
    judged = [
        row_failures.isolate_row_failure(partial(read, row), _no_identity, stage="validate") for row in rows
    ]
    identities = refuse_rounded_numbers(rows, judged, is_known=is_known)
    if ids is None:
        ids = list(row_ids(rows, identify))
    return [
        row_failures.isolate_row_failure(
            partial(_doctor, row, identity, row_id, defaults, identify),
            partial(_unjudged, row, identity, row_id, identify),
            stage="validate",
            row_id=row_id,
        )
        for row, identity, row_id in zip(rows, identities, ids, strict=True)
    ]


def _no_identity(found: Problem) -> Identity:
    return Identity(None, None, (found,))


def _unjudged(
    row: Row, identity: Identity, row_id: str | None, identify: Identify | None, found: Problem
) -> Doctor:
    """Return the doctor of a row that could not be judged; the number, if known, still tells whose row it is."""
    return Doctor(
        row=row,
        row_id=row_id,
        key=_key(identity, identify),
        name=None,
        number=identity.number,
        id_type=identity.id_type,
        mobile=None,
        staff_no=None,
        department=None,
        seal_name=None,
        scene_key=None,
        enable_auto_sign=None,
        license_type=None,
        seal_image_compress=None,
        problems=(*identity.problems, found),
    )


def row_ids(rows: Sequence[Row], identify: Identify | None) -> Iterator[str | None]:
    """Yield each row's id: its mapped cells as shown, and how many equal rows stand before it in the run."""
    before: Counter[tuple[str, ...]] = Counter()
    for row in rows:
        if identify is None:
            yield None
            continue
        fields = row.fields
        parts = tuple(
            [named + cell.display_text for field, named in _NAMED if (cell := fields.get(field)) is not None]
        )
        yield identify.row(parts, before[parts])
        before[parts] += 1


def _doctor(
    row: Row, identity: Identity, row_id: str | None, defaults: Defaults, identify: Identify | None
) -> Doctor:
    name = _read(row, Field.NAME, partial(read_name, latin=_is_foreign(row, defaults)))
    staff_no = _read(row, Field.STAFF_NO, read_staff_no)
    department = _read(row, Field.DEPARTMENT, read_department)
    seal_name = _read(row, Field.SEAL_NAME, partial(read_seal_name, ascii_allowed=defaults.seal_name_ascii))
    scene = _read_or(row, Field.SCENE_KEY, read_scene, defaults.scene_key)
    auto_sign = _read_or(
        row, Field.ENABLE_AUTO_SIGN, partial(read_yes_no, Field.ENABLE_AUTO_SIGN), defaults.enable_auto_sign
    )
    licence = _read_or(row, Field.LICENSE_TYPE, read_license_type, defaults.license_type)
    if (
        Field.LICENSE_TYPE in defaults.accepted_parameters
        and auto_sign.value
        and licence == FieldResult(None)
    ):
        licence = _unsaid_licence(row)
    compress = _read_or(
        row,
        Field.SEAL_IMAGE_COMPRESS,
        partial(read_yes_no, Field.SEAL_IMAGE_COMPRESS),
        defaults.seal_image_compress,
    )
    auto_sign = _drop_unaccepted(row, Field.ENABLE_AUTO_SIGN, auto_sign, defaults.accepted_parameters)
    licence = _drop_unaccepted(row, Field.LICENSE_TYPE, licence, defaults.accepted_parameters)
    compress = _drop_unaccepted(row, Field.SEAL_IMAGE_COMPRESS, compress, defaults.accepted_parameters)
    mobile = _read(row, Field.MOBILE, partial(read_mobile, auto_sign=auto_sign.value is True))
    readings: tuple[FieldResult[Any] | Identity, ...] = (
        name,
        identity,
        mobile,
        staff_no,
        department,
        seal_name,
        scene,
        auto_sign,
        licence,
        compress,
    )
    return Doctor(
        row=row,
        row_id=row_id,
        key=_key(identity, identify),
        name=name.value,
        number=identity.number,
        id_type=identity.id_type,
        mobile=mobile.value,
        staff_no=staff_no.value,
        department=department.value,
        seal_name=seal_name.value,
        scene_key=scene.value,
        enable_auto_sign=auto_sign.value,
        license_type=licence.value,
        seal_image_compress=compress.value,
        problems=(*_of_the_row(row), *(told for reading in readings for told in reading.problems)),
        changes=tuple(change for reading in readings for change in reading.changes),
    )


def _is_foreign(row: Row, defaults: Defaults) -> bool:
    """Tell whether the row names a card that foreigners hold, and such cards are open."""
    cell = row.fields.get(Field.ID_TYPE)
    if not defaults.allow_other_card_type:
        return False
    return read_card_type(cell, None, allow_other=True).value is CardType.OTHER_CARD_TYPE


def _key(identity: Identity, identify: Identify | None) -> str | None:
    if identify is None or identity.number is None or identity.id_type is None:
        return None
    return identify.person(lifetime(identity.number, identity.id_type))


def _of_the_row(row: Row) -> Iterator[Problem]:
    """Yield what concerns the row as a whole, and the mapped cells whose formula has no usable value."""
    yield from row.problems
    if row.hidden:
        yield problem("ROW_HIDDEN")
    if not any(cell.kind in BROKEN for cell in row.fields.values()):
        return
    for field in Field:
        cell = row.fields.get(field)
        if cell is not None and cell.kind is CellKind.ERROR:
            yield problem("FORMULA_ERROR", field, row.address(field), found=quote(cell.display_text))
        elif cell is not None and cell.kind is CellKind.NO_VALUE:
            yield problem("FORMULA_NO_VALUE", field, row.address(field))


def _read(
    row: Row, field: Field, reader: Callable[[Cell | None, str | None], FieldResult[T]]
) -> FieldResult[T]:
    """Read one field; a broken formula has its problem already and is neither blank nor wrong beside it."""
    cell = row.fields.get(field)
    if cell is None:
        return reader(None, None)
    return FieldResult(None) if cell.kind in BROKEN else reader(cell, row.address_of(cell))


def _read_or(
    row: Row, field: Field, reader: Callable[[Cell | None, str | None], FieldResult[T]], default: T | None
) -> FieldResult[T]:
    """Read one field; where its cell is blank or absent, the default holds."""
    cell = row.fields.get(field)
    blank = cell is None or (cell.kind not in BROKEN and is_dash(shown(cell)))
    return FieldResult(default) if blank else _read(row, field, reader)


def _unsaid_licence(row: Row) -> FieldResult[int]:
    """Refuse auto-sign without a word on the licence: not sending it binds a paid one."""
    cell = row.fields.get(Field.LICENSE_TYPE)
    detail = {"found": "", "field": cell.header if cell else Field.LICENSE_TYPE.value, "expected": "0, 1"}
    return FieldResult(
        None,
        (Problem("VALUE_INVALID", "error", Field.LICENSE_TYPE, row.address(Field.LICENSE_TYPE), detail),),
    )


def _drop_unaccepted(
    row: Row, field: Field, reading: FieldResult[T], accepted: Collection[str]
) -> FieldResult[T]:
    """Drop a value that the API contract does not take, with a warning."""
    if field in accepted:
        return reading
    if reading.value is None or reading.value is False:  # a "no" loses nothing
        return FieldResult(None, reading.problems)
    cell = row.fields.get(field)
    detail = {"found": quote(shown(cell)), "field": cell.header if cell else field.value}
    return FieldResult(
        None, (*reading.problems, Problem("VALUE_INVALID", "warning", field, row.address(field), detail))
    )
