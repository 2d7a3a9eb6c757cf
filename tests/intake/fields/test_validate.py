"""Rows into doctors: one each, in order, every trouble at once; defaults, keys and row ids."""

from dataclasses import replace
from datetime import date
from pathlib import Path
from string import ascii_uppercase

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, Field, Origin, Row
from pipeline.intake.fields.id_number import check_character
from pipeline.intake.fields.text_fields import FieldSettings
from pipeline.intake.fields.validate import validate_rows

TODAY = date(2026, 11, 25)
DEFAULTS = {"enable_auto_sign": None, "license_type": None}
ALL_ACCEPTED = {"accepted_parameters": ("enable_auto_sign", "license_type")}
COLUMNS = dict(zip(Field, ascii_uppercase, strict=False))


class Digests:
    """Readable digests: what went in can be seen."""

    def person(self, number):
        return f"person:{number}"

    def row(self, parts, nth):
        return f"{'|'.join(parts)}#{nth}"


def whole(seventeen):
    return seventeen + check_character(seventeen)


GOOD = whole("11019919900307123")


def cell(field, value, kind=None):
    """A cell of the type its value has; a pair (kind, value) says the type itself."""
    if isinstance(value, tuple):
        kind, value = value
    shown = "" if value is None else str(value)
    return Cell(
        COLUMNS[field], field.value, value, kind or (CellKind.TEXT if shown else CellKind.EMPTY), shown
    )


def row(number=2, *, file="a.xlsx", hidden=False, **values):
    values = {"name": "张三", "id_card_number": GOOD, "mobile": "13800138000", **values}
    cells = {Field(name): cell(Field(name), value) for name, value in values.items()}
    return Row(Origin(Path(file), "Sheet1", number), tuple(cells.values()), cells, hidden=hidden)


def judge(
    *rows,
    site_key=None,
    allow_other_card_type=False,
    seal_name_ascii=False,
    accepted_parameters=(),
    **defaults,
) -> list[Doctor]:
    settings = FieldSettings(
        scene_key="OTHER",
        defaults={Field(name): value for name, value in {**DEFAULTS, **defaults}.items()},
        allow_other_card_type=allow_other_card_type,
        seal_name_ascii=seal_name_ascii,
        accepted_parameters=accepted_parameters,
    )
    return validate_rows(rows, settings=settings, today=TODAY, site_key=site_key)


def codes(doctor):
    return [problem.code + ("(w)" if problem.severity == "warning" else "") for problem in doctor.problems]


def test_a_clean_row_is_a_doctor_without_a_problem():
    (doctor,) = judge(
        row(id_card_type="身份证", staff_no="1024", department="内 科", seal_name="张三一〇处方章")
    )
    assert doctor.problems == doctor.changes == ()
    assert (doctor.name, doctor.number, doctor.id_type) == ("张三", GOOD, CardType.ID_CARD)
    assert (doctor.mobile, doctor.staff_no, doctor.department) == ("13800138000", "1024", "内 科")
    assert (doctor.seal_name, doctor.scene_key) == ("张三一〇处方章", "OTHER")
    assert (doctor.picture, doctor.evidence, doctor.key, doctor.row_id) == (None, None, None, None)


def test_all_troubles_of_a_row_stand_together_each_with_its_cell():
    (doctor,) = judge(
        row(12, hidden=True, name="张*三", id_card_number="1.1E+17", mobile="123", seal_name="A" * 51,
            license_type="门诊", enable_auto_sign="也许", department=(CellKind.ERROR, "#N/A"))
    )  # fmt: skip
    assert codes(doctor) == [
        "ROW_HIDDEN(w)",
        "FORMULA_ERROR",
        "NAME_INVALID",
        "ID_PRECISION_LOST",
        "MOBILE_INVALID",
        "SEAL_NAME_LENGTH",
        "SEAL_NAME_CHARS",
        "VALUE_INVALID",
        "VALUE_INVALID",
    ]
    assert all(problem.cell == f"{COLUMNS[problem.field]}12" for problem in doctor.problems if problem.field)
    assert (doctor.name, doctor.number, doctor.id_type, doctor.mobile) == (None, None, None, None)
    assert (doctor.seal_name, doctor.enable_auto_sign, doctor.license_type) == (None, None, None)


@pytest.mark.parametrize("field", list(Field))
def test_a_formula_without_a_usable_value_is_reported_once_for_every_mapped_field(field):
    for kind, code in ((CellKind.ERROR, "FORMULA_ERROR"), (CellKind.NO_VALUE, "FORMULA_NO_VALUE")):
        (doctor,) = judge(row(**{field.value: (kind, "#REF!")}))
        assert codes(doctor) == [code]
        assert doctor.problems[0].field is field


def test_a_number_next_to_a_broken_card_type_is_not_judged():
    (doctor,) = judge(row(id_card_type=(CellKind.ERROR, "#N/A"), id_card_number="E1234"))
    assert codes(doctor) == ["FORMULA_ERROR"]
    assert doctor.number is None


def test_a_row_of_a_roster_without_a_column_misses_it_without_an_address():
    bare = Row(Origin(Path("a.csv"), None, 3), (), {})
    (doctor,) = judge(bare)
    assert codes(doctor) == ["NAME_MISSING", "ID_MISSING", "MOBILE_MISSING(w)"]
    assert {problem.cell for problem in doctor.problems} == {None}


def test_the_row_overrides_the_defaults():
    (doctor,) = judge(
        row(enable_auto_sign=(CellKind.BOOL, False), license_type="绑定"),
        enable_auto_sign=True, license_type=1, **ALL_ACCEPTED,
    )  # fmt: skip
    assert (doctor.enable_auto_sign, doctor.license_type) == (False, 0)


def test_the_defaults_hold_where_cells_are_blank_or_absent():
    (doctor,) = judge(row(enable_auto_sign=" "), enable_auto_sign=True, license_type=1, **ALL_ACCEPTED)
    assert (doctor.enable_auto_sign, doctor.license_type) == (True, 1)


def test_choices_are_read_in_words_and_constants():
    for field, written, used in (
        ("enable_auto_sign", "是", True),
        ("enable_auto_sign", "TRUE", True),
        ("enable_auto_sign", (CellKind.NUMBER, 1.0), True),
        ("enable_auto_sign", "×", False),
        ("enable_auto_sign", "０", False),
        ("enable_auto_sign", (CellKind.BOOL, False), False),
        ("license_type", (CellKind.NUMBER, 0.0), 0),
        ("license_type", "1", 1),
        ("license_type", "不绑定", 1),
    ):
        (doctor,) = judge(row(**{field: written}), license_type=1, **ALL_ACCEPTED)
        assert doctor.problems == ()
        assert getattr(doctor, field) == used


def test_a_choice_that_is_not_understood_refuses_the_row_and_names_what_is():
    for field, written in (
        ("license_type", "是"), ("license_type", "2"), ("license_type", (CellKind.NUMBER, 0.5)),
        ("enable_auto_sign", "大"), ("enable_auto_sign", (CellKind.DATE, date(2026, 1, 1))),
    ):  # fmt: skip
        (doctor,) = judge(row(**{field: written}))
        (refused,) = doctor.problems
        assert (refused.code, refused.severity, refused.field) == ("VALUE_INVALID", "error", field)
        assert refused.detail["field"] == field  # the heading as written
        assert refused.detail["found"]
        assert refused.detail["expected"]
        assert getattr(doctor, field) is None


def test_a_mobile_must_stand_where_auto_sign_is_on_by_row_or_default():
    assert codes(judge(row(mobile=""))[0]) == ["MOBILE_MISSING(w)"]
    by_default = {"enable_auto_sign": True, "license_type": 1, **ALL_ACCEPTED}
    assert codes(judge(row(mobile=""), **by_default)[0]) == ["MOBILE_MISSING"]
    by_row = {"license_type": 1, **ALL_ACCEPTED}
    assert codes(judge(row(mobile="", enable_auto_sign="是"), **by_row)[0]) == ["MOBILE_MISSING"]
    assert codes(judge(row(mobile="", enable_auto_sign="否"), **by_default)[0]) == ["MOBILE_MISSING(w)"]


def test_auto_sign_inline_without_a_word_on_the_licence_would_bind_a_paid_one_and_is_refused():
    (doctor,) = judge(row(enable_auto_sign="是"), **ALL_ACCEPTED)
    assert codes(doctor) == ["VALUE_INVALID"]
    assert doctor.problems[0].field is Field.LICENSE_TYPE
    assert codes(judge(row(enable_auto_sign="是", license_type="1"), **ALL_ACCEPTED)[0]) == []


@pytest.mark.parametrize(("field", "written"), [("enable_auto_sign", "是"), ("license_type", "1")])
def test_fields_of_the_older_contract_alone_are_dropped_and_reported(field, written):
    (doctor,) = judge(row(mobile="", **{field: written}))
    assert sorted(codes(doctor)) == ["MOBILE_MISSING(w)", "VALUE_INVALID(w)"]
    assert getattr(doctor, field) is None


def test_a_field_set_to_no_needs_no_warning():
    (doctor,) = judge(row(enable_auto_sign="否"))
    assert codes(doctor) == []
    assert doctor.enable_auto_sign is None


def test_a_seal_name_of_the_roster_is_held_to_length_and_characters():
    for name, ascii_allowed, expected in (
        ("张" * 50, False, []),
        ("𠮷" * 50, False, []),
        ("张" * 51, False, ["SEAL_NAME_LENGTH"]),
        ("买买提·张处方章", False, []),
        ("张三二〇一〇", False, []),
        ("张三2010", False, ["SEAL_NAME_CHARS"]),
        ("张三（处方）", False, ["SEAL_NAME_CHARS"]),
        ("张三2010 (A)", True, []),
        ("张三（处方）", True, ["SEAL_NAME_CHARS"]),
    ):
        (doctor,) = judge(row(seal_name=name), seal_name_ascii=ascii_allowed)
        assert codes(doctor) == expected
        assert doctor.seal_name == (None if expected else name)


def test_other_cards_are_open_only_by_config():
    passport = row(id_card_type="护照", id_card_number="E12345678")
    assert codes(judge(passport)[0]) == ["ID_TYPE_UNSUPPORTED"]
    (doctor,) = judge(passport, allow_other_card_type=True)
    assert (doctor.number, doctor.id_type, doctor.problems) == ("E12345678", CardType.OTHER_CARD_TYPE, ())


def test_next_to_an_open_passport_a_latin_name_is_one_and_nowhere_else():
    foreigner = row(id_card_type="护照", id_card_number="E12345678", name="John Smith")
    assert codes(judge(foreigner)[0]) == ["NAME_INVALID", "ID_TYPE_UNSUPPORTED"]
    (doctor,) = judge(foreigner, allow_other_card_type=True)
    assert (doctor.name, doctor.problems) == ("John Smith", ())
    for card in ("身份证", "", (CellKind.ERROR, "#N/A")):
        (doctor,) = judge(row(id_card_type=card, name="John Smith"), allow_other_card_type=True)
        assert "NAME_INVALID" in codes(doctor)


def test_what_was_normalised_in_any_field_is_recorded():
    (doctor,) = judge(
        row(name="张 三", id_card_number=f"'{GOOD}", mobile="+8613800138000", staff_no=" 7", department="内科\u200b", seal_name=" 张三章")
    )  # fmt: skip
    changed = [(change.field, change.after) for change in doctor.changes]
    assert changed == [
        (Field.NAME, "张三"),
        (Field.NUMBER, GOOD),
        (Field.MOBILE, "13800138000"),
        (Field.STAFF_NO, "7"),
        (Field.DEPARTMENT, "内科"),
        (Field.SEAL_NAME, "张三章"),
    ]
    assert codes(doctor) == ["NAME_NORMALISED(w)"]


def test_a_column_that_went_through_a_program_that_rounds_gives_no_number():
    people = (whole(f"1101991990{month:02}{day:02}123") for month in range(1, 13) for day in range(1, 29))
    rounded = [str(int(float(number))) for number in people if number.isdecimal()]
    doctors = judge(*(row(index, id_card_number=number) for index, number in enumerate(rounded, 2)))
    assert any(whole(number[:17]) == number for number in rounded)
    assert {doctor.number for doctor in doctors} == {None}


@pytest.mark.parametrize("field", [field for field in Field if field is not Field.PICTURE])
def test_a_picture_in_a_mapped_cell_is_never_read_as_text(field):
    (doctor,) = judge(row(**{field.value: (CellKind.PICTURE, None)}))
    (blank,) = judge(row(**{field.value: ""}))
    assert codes(doctor) == codes(blank)
    assert replace(doctor, row=blank.row) == blank


@pytest.mark.parametrize("dash", ["-", "—", "/", "……"])
def test_a_dash_in_a_choice_is_a_blank(dash):
    (doctor,) = judge(
        row(license_type=dash, enable_auto_sign=dash), enable_auto_sign=False, license_type=1, **ALL_ACCEPTED
    )
    assert (doctor.problems, doctor.enable_auto_sign, doctor.license_type) == ((), False, 1)


def test_the_key_is_made_from_the_lifetime_number_and_only_from_a_usable_one():
    permit = row(id_card_number="h1234567801", id_card_type="回乡证")
    doctors = judge(permit, row(), row(id_card_number=GOOD[:-1]), site_key=Digests())
    assert [doctor.key for doctor in doctors] == ["person:H12345678", f"person:{GOOD}", None]


def test_a_row_id_is_the_content_as_shown_and_the_count_of_equal_rows():
    first, other, again = row(2), row(3, name="李四"), row(9, file="b.xlsx")
    ids = [doctor.row_id for doctor in judge(first, other, again, site_key=Digests())]
    content = f"name=张三|id_card_number={GOOD}|mobile=13800138000"
    assert ids == [f"{content}#0", content.replace("张三", "李四") + "#0", f"{content}#1"]


# ---- lost tails: an honest number may end in 000, a damaged one may pass by chance --------------------------------

TAIL = next(
    number
    for number in (whole(f"{region}199003{day:02}{n}00") for region in (110101, 110102) for day in range(1, 29) for n in range(10))
    if number.endswith("000")
)  # fmt: skip


def test_a_number_that_ends_in_000_is_refused_although_its_check_digit_passes():
    (doctor,) = judge(row(id_card_number=TAIL))
    assert (codes(doctor), doctor.number) == (["ID_PRECISION_LOST"], None)


@pytest.mark.parametrize("joint", [" ", "-", "　"])
def test_written_in_groups_it_was_typed_from_the_card(joint):
    grouped = joint.join((TAIL[:6], TAIL[6:14], TAIL[14:]))
    assert judge(row(id_card_number=grouped))[0].number == TAIL


def test_other_blanks_prove_nothing():
    assert judge(row(id_card_number=f" {TAIL} "))[0].number is None


# ---- whatever stands in the cells ---------------------------------------------------------------------------------

values = st.one_of(
    st.text(max_size=30),
    st.tuples(st.just(CellKind.NUMBER), st.one_of(st.integers(), st.floats())),
    st.tuples(st.sampled_from([CellKind.ERROR, CellKind.NO_VALUE]), st.just("#N/A")),
    st.tuples(st.just(CellKind.BOOL), st.booleans()),
    st.none(),
)
rows = st.builds(
    lambda cells, number: row(number, **cells),
    st.dictionaries(st.sampled_from([field.value for field in Field]), values),
    st.integers(1, 9),
)


@settings(deadline=None)
@given(st.lists(rows, max_size=4), st.sampled_from([(), ALL_ACCEPTED["accepted_parameters"]]), st.booleans())
def test_every_row_gives_exactly_one_doctor_in_order_whatever_stands_in_it(sheet, accepted, allow_other):
    doctors = judge(
        *sheet, accepted_parameters=accepted, allow_other_card_type=allow_other, site_key=Digests()
    )
    assert [doctor.row for doctor in doctors] == sheet
    assert len({doctor.row_id for doctor in doctors}) == len(sheet)
    for doctor in doctors:
        usable = doctor.name is not None and doctor.number is not None
        assert usable or doctor.errors
        assert (doctor.key is None) == (doctor.number is None)


@given(st.sampled_from(list(Field)), st.integers(10**15, 10**18))
def test_a_long_number_in_the_wrong_column_never_reaches_a_message(field, number):
    (doctor,) = judge(row(**{field.value: str(number)}))
    for problem in doctor.problems:
        assert str(number) not in "".join(problem.detail.values())


VALUES = {
    Field.NAME: [None, "张三", "Ann Lee", "张*", (CellKind.ERROR, "#N/A")],
    Field.NUMBER: [None, GOOD, "E12345678", 110199199003071.0],
    Field.ID_TYPE: [None, "身份证", "护照"],
    Field.MOBILE: [None, "13800138000", "无", 0],
    Field.SEAL_NAME: [None, "张三章", "a"],
    Field.ENABLE_AUTO_SIGN: [None, "是", "否", True],
    Field.LICENSE_TYPE: [None, "0", "1", (CellKind.NO_VALUE, None)],
}
CONTENTS = st.lists(
    st.fixed_dictionaries({}, optional={field: st.sampled_from(texts) for field, texts in VALUES.items()}),
    max_size=6,
)


@settings(max_examples=60, deadline=None)
@example([{Field.NUMBER: GOOD, Field.ENABLE_AUTO_SIGN: "是"}, {Field.NUMBER: GOOD}], False, None, True)
@given(CONTENTS, st.booleans(), st.sampled_from([None, True]), st.booleans())
def test_a_row_is_read_alike_alone_and_among_rows_with_other_columns(contents, other, auto_sign, accepted):
    rows = []
    for number, values in enumerate(contents, start=2):
        cells = {field: cell(field, value) for field, value in values.items()}
        rows.append(Row(Origin(Path("a.xlsx"), None, number), tuple(cells.values()), cells))
    rules = FieldSettings(
        scene_key=None,
        defaults={Field(name): value for name, value in {**DEFAULTS, "enable_auto_sign": auto_sign}.items()},
        allow_other_card_type=other,
        accepted_parameters=ALL_ACCEPTED["accepted_parameters"] if accepted else (),
    )

    def read(some):
        ids = [str(one.origin.row) for one in some]
        return validate_rows(some, settings=rules, today=TODAY, site_key=Digests(), row_ids=ids)

    assert read(rows) == [doctor for one in rows for doctor in read([one])]
