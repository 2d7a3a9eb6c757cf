"""Every entry of the table of fields fits the types that hold its values."""

from dataclasses import fields, replace
from pathlib import Path

import pytest
from readable_key import ReadableKey

from pipeline.domain.fields import FIELDS, list_content, list_sent_values
from pipeline.domain.masking import Masker
from pipeline.domain.roster import CardType, Cell, CellKind, Change, Doctor, Field, ImageFile, Origin, Row
from pipeline.domain.seals import SealContent
from pipeline.intake.fields.text_fields import READERS
from pipeline.messages.problems import build_problem

DOCTOR = Doctor(
    Row(Origin(Path("a.xlsx"), None, 2), (), {}),
    None,
    None,
    name="张三",
    number="110101199003070732",
    id_type=CardType.ID_CARD,
    mobile="13800138000",
    seal_name="张三章",
    enable_auto_sign=False,
    picture=ImageFile.from_path(Path("a.png"), "sha256", 1),
)


def test_every_field_has_an_entry_an_attribute_of_a_doctor_and_titles_unless_the_configuration_gives_it():
    assert set(FIELDS) == set(Field)
    for field, definition in FIELDS.items():
        assert all(definition.titles), field
        assert bool(definition.titles) == (field is not Field.SCENE_KEY)
        assert hasattr(DOCTOR, definition.attribute or field), field


def test_every_field_that_is_read_from_its_own_cell_has_rules():
    assert set(Field) - set(READERS) == {Field.NUMBER, Field.ID_TYPE, Field.PICTURE, Field.SCENE_KEY}


def test_the_entries_name_every_attribute_of_the_seal_content_that_a_row_gives():
    names = {definition.content for definition in FIELDS.values() if definition.content}
    assert names == {field.name for field in fields(SealContent)} - {"pixels"}
    assert SealContent(**list_content(DOCTOR, ReadableKey()), pixels=None) == SealContent(
        name="张三",
        number="#110101199003070732",
        id_type="ID_CARD",
        scene_key=None,
        mobile="#13800138000",
        seal_name="张三章",
        picture="sha256",
        pixels=None,
    )


def test_another_cards_number_has_one_digest_in_every_spelling():
    cards = [
        replace(DOCTOR, number=number, id_type=CardType.OTHER_CARD_TYPE) for number in ("e1-23", "E1 23")
    ]
    assert len({list_content(doctor, ReadableKey())["number"] for doctor in cards}) == 1


def test_a_field_set_to_no_is_sent_and_a_blank_one_is_not():
    assert list_sent_values(DOCTOR) == {
        Field.NAME: "张三",
        Field.NUMBER: "110101199003070732",
        Field.ID_TYPE: CardType.ID_CARD,
        Field.MOBILE: "13800138000",
        Field.ENABLE_AUTO_SIGN: False,
    }


def test_a_field_of_which_the_first_column_counts_is_not_sent():
    for definition in FIELDS.values():
        assert not (definition.first_column_counts and (definition.parameter or definition.content))


def list_masked_texts(field, value):
    """Return what texts of the service, problems and changes show of a value of this field."""
    cell = Cell("A", "", value, CellKind.TEXT, value)
    row = Row(Origin(Path("a.xlsx"), None, 2), (cell,), {field: cell})
    masker = Masker.of_doctors([replace(DOCTOR, row=row, **{FIELDS[field].attribute or field: value})])
    problem = masker.mask_problem(build_problem("VALUE_INVALID", field, "A2", found=f"{value};"))
    return [
        masker.mask_text(f"see {value}."),
        masker.mask_answer(f"参数不正确：{value.lower()}"),
        *problem.detail.values(),
        *masker.mask_change(Change(field, f" {value}", value, "ends")),
    ]


@pytest.mark.parametrize("field", [field for field in Field if field is not Field.PICTURE])
def test_a_field_is_masked_everywhere_if_its_entry_calls_it_personal(field, monkeypatch):
    value = {Field.NUMBER: "110101199003070732", Field.MOBILE: "13800138000"}.get(field, "Li.Wei@Hospital.cn")
    if not FIELDS[field].is_personal:
        assert all(value.lower() in text.lower() for text in list_masked_texts(field, value))
    monkeypatch.setitem(FIELDS, field, replace(FIELDS[field], is_personal=True))
    for text in list_masked_texts(field, value):
        assert value[:10].lower() not in text.lower()
        assert value[-4:].lower() in text.lower()
