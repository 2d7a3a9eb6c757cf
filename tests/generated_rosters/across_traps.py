"""Rows and files against each other: one person twice, one number with two names, one picture for two people."""

from dataclasses import replace

from generated_rosters.cast import Cast, Register
from generated_rosters.people import PERMIT
from generated_rosters.truth import refused, sent
from generated_rosters.values import Encoded

TRAPS = Register()
TWICE = "ROW_DUPLICATE"


def _once(cast: Cast, tables, person, made: Encoded, spellings) -> None:
    """Write one person several times with equal content: exactly one row is sent."""
    mark = f"{cast.trap} {person.serial}"
    for table, cells in zip(tables, spellings, strict=True):
        accept = (
            sent(person, made, **_reported(person, cells)),
            refused(TWICE, "number", _reported_codes(cells)),
        )
        cast.add(table, person, accept, once=mark, **cells)


def _reported(person, cells) -> dict:
    changes, must = {}, []
    if cells.get("number", person.number) != person.number:
        changes["id_card_number"] = person.number
    if cells.get("name", person.name) != person.name:
        changes["name"] = person.name
        must.append("NAME_NORMALISED")
    return {"changes": changes, "must": must}


def _reported_codes(cells) -> str:
    return "NAME_NORMALISED" if "name" in cells else ""


@TRAPS("twice: the same line in one sheet")
def same_sheet(cast, tables):
    person = cast.person()
    _once(cast, [tables[0]] * 2, person, cast.give(person, tables[0]), ({}, {}))


@TRAPS("twice: in two files", tables=2)
def two_files(cast, tables):
    person = cast.person()
    _once(cast, tables, person, cast.give(person, tables[0], "number name"), ({}, {}))


@TRAPS("three times", tables=2)
def thrice(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number name")
    _once(cast, [tables[0], tables[1], tables[1]], person, made, ({}, {}, {}))


@TRAPS("twice: the number written in two ways", tables=2)
def two_spellings(cast, tables):
    person = cast.person(number=cast.crowd.number(ends="X"))
    made = cast.give(person, tables[0], "number name")
    small = {"number": person.number.lower()}
    grouped = {"number": f"{person.number[:6]} {person.number[6:14]} {person.number[14:]}"}
    _once(cast, tables, person, made, (small, grouped))


@TRAPS("twice: the name with and without a blank")
def two_names_alike(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number")
    _once(cast, [tables[0]] * 2, person, made, ({}, {"name": f"{person.name[0]} {person.name[1:]}"}))


@TRAPS("twice: in two departments", "+department", tables=2)
def two_departments(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number name")
    mark = f"{cast.trap} {person.serial}"
    for table, department in zip(tables, ("内科", "外科"), strict=True):
        there = replace(person, department=department)
        cast.add(table, there, (sent(there, made), refused(TWICE, "number")), once=mark)


@TRAPS("twice: one line without a mobile", "+mobile", tables=2)
def one_mobile(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number name")
    mark = f"{cast.trap} {person.serial}"
    cast.add(tables[0], person, (sent(person, made), refused(TWICE, "number")), once=mark)
    bare = sent(person, made, mobile=None, must=["MOBILE_MISSING"])
    cast.add(tables[1], person, (bare, refused(TWICE, "number", "MOBILE_MISSING")), once=mark, mobile=None)


@TRAPS("twice: two mobiles", "+mobile", tables=2)
def two_mobiles(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number name")
    for table in tables:
        cast.add(table, person, refused(TWICE), mobile=cast.person().mobile)


@TRAPS("twice: two seal names of its own", "+seal_name", tables=2)
def two_seal_names(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number name")
    for table, word in zip(tables, ("专用章", "签名章"), strict=True):
        cast.add(table, person, refused(TWICE), seal_name=person.name + word)


@TRAPS("twice: two pictures named in the column", "+picture", tables=2)
def two_pictures(cast, tables):
    person = cast.person()
    for table, other in zip(tables, (person, cast.person()), strict=True):
        file = f"图{cast.person().serial}.png"
        cast.add_file(file, cast.png(other).data)
        cast.add(table, person, refused(f"{TWICE} IMAGE_AMBIGUOUS"), picture=file)


@TRAPS("twice: the first line's mobile is wrong", "+mobile")
def first_invalid(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number name")
    wrong = refused("MOBILE_INVALID", "mobile", TWICE)
    cast.add(tables[0], person, wrong, mobile=person.mobile[:9])
    cast.add(tables[0], person, sent(person, made, mobile=None, must=["MOBILE_MISSING"]), mobile=None)


@TRAPS("one number, two names", tables=2)
def two_names(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number")
    other = replace(person, name=cast.person().name)
    for table, table_value in zip(tables, (person, other), strict=True):
        cast.add(table, table_value, refused("ID_NAME_CONFLICT", "number"))


@TRAPS("one number: twice one name, once another", tables=2)
def three_rows(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number")
    other = replace(person, name=cast.person().name)
    for table, entry in zip((tables[0], tables[1], tables[0]), (person, other, person), strict=True):
        cast.add(table, entry, refused("ID_NAME_CONFLICT", "number", TWICE))


@TRAPS("twice, and a namesake", "+staff_no", tables=2)
def twice_and_namesake(cast, tables):
    person, other = cast.crowd.namesakes()
    han = str.maketrans("0123456789", "〇一二三四五六七八九")
    mark = f"{cast.trap} {person.serial}"
    for entry, places in ((person, tables), (other, tables[:1])):
        made = cast.give(entry, tables[0], "number")
        name = f"{entry.name}{entry.staff_no.translate(han)}处方章"
        expect = sent(entry, made, seal_names=frozenset({name}), must=["SEAL_NAME_DUPLICATE"])
        for table in places:
            if entry is person:
                cast.add(table, entry, (expect, refused(TWICE, "number")), once=mark)
            else:
                cast.add(table, entry, expect)


@TRAPS("one seal name for two doctors, a blank between", "+seal_name spaces", tables=2)
def nearly_shared(cast, tables):
    own = f"{cast.person().name}签发章"
    for table, written in zip(tables, (own, f"{own} "), strict=True):
        person = cast.person()
        cast.give(person, table)
        cast.add(table, person, refused("SEAL_NAME_DUPLICATE", "seal_name"), seal_name=written)


@TRAPS("namesakes: the other one is refused", "+staff_no", tables=2)
def refused_namesake(cast, tables):
    """Nobody knows yet whether he will come: the plain name and the one with the staff number are both right."""
    owner, other = cast.crowd.namesakes()
    made = cast.give(owner, tables[0], "number staff_no")
    han = str.maketrans("0123456789", "〇一二三四五六七八九")
    names = frozenset({owner.seal_name, f"{owner.name}{owner.staff_no.translate(han)}处方章"})
    cast.add(tables[0], owner, sent(owner, made, seal_names=names, may=frozenset({"SEAL_NAME_DUPLICATE"})))
    cast.add_file(f"{other.staff_no}.png", cast.png(other).data)
    cast.add(tables[1], other, refused("ID_LENGTH", "number"), number=other.number[:17])


@TRAPS("namesakes: one writes a blank in the name, one file with their name", tables=2)
def blank_namesakes(cast, tables):
    people = cast.crowd.namesakes()
    cast.add_file(f"{people[0].name}.png", cast.png(people[0]).data)
    for table, person, name in zip(
        tables, people, (people[0].name, f"{people[0].name[0]} {people[0].name[1:]}"), strict=True
    ):
        cast.add(table, person, refused("IMAGE_AMBIGUOUS", None, "NAME_NORMALISED"), name=name)


@TRAPS("one number, two names, one of them a variant")
def variant(cast, tables):
    person = cast.crowd.special("traditional")
    cast.give(person, tables[0], "number")
    simple = person.name.translate(
        str.maketrans("陳黃歐陽鄧羅劉儀詠詩慧嫻麗華強偉傑嘉志", "陈黄欧阳邓罗刘仪咏诗慧娴丽华强伟杰嘉志")
    )
    refusal = refused("ROW_DUPLICATE", "name")  # spellings of one name: a person decides which one is sent
    if simple == person.name:
        simple, refusal = f"{person.name}明", refused("ID_NAME_CONFLICT", "number")
    for name in (person.name, simple):
        cast.add(tables[0], person, refusal, name=name)


@TRAPS("one permit, renewed: two last digits", "+type", tables=2)
def renewed(cast, tables):
    person = cast.person(card=PERMIT)
    later = replace(person, number=f"{person.number[:9]}{int(person.number[9:]) + 1:02}")
    made = cast.png(person)
    for table, table_value in zip(tables, (person, later), strict=True):
        cast.add_file(f"{table_value.number}.png", made.data)
        cast.add(table, table_value, refused(f"{TWICE} IMAGE_SHARED IMAGE_AMBIGUOUS"))


@TRAPS("the same doctor again with a damaged number", tables=2)
def damaged_copy(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number")
    digit = next(entry for entry in "123456789" if entry != person.number[-1])
    cast.add(tables[0], person, sent(person, made))
    expect = refused("ID_CHECKSUM", "number", "IMAGE_MISSING MOBILE_MISSING")
    cast.add(tables[1], person, expect, number=person.number[:-1] + digit, **_blank(tables[1], "mobile"))


def _blank(table, field: str) -> dict:
    return {field: None} if table.has(field) else {}


@TRAPS("one picture, two doctors: the same bytes under two names", tables=2)
def same_bytes(cast, tables):
    first, second = cast.person(), cast.person()
    made = cast.png(first)
    for table, person in zip(tables, (first, second), strict=True):
        cast.add_file(f"{person.number}.png", made.data)
        cast.add(table, person, refused("IMAGE_SHARED"))


@TRAPS("one picture, two doctors: one file named twice", "+picture", tables=2)
def same_file(cast, tables):
    first, second = cast.person(), cast.person()
    file = f"章{first.serial}.png"
    cast.add_file(file, cast.png(first).data)
    for table, person in zip(tables, (first, second), strict=True):
        cast.add(table, person, refused("IMAGE_SHARED IMAGE_AMBIGUOUS", "picture"), picture=file)


@TRAPS("one doctor, two different pictures", "+staff_no")
def two_files_differ(cast, tables):
    person, other = cast.person(), cast.person()
    cast.add_file(f"{person.number}.png", cast.png(person).data)
    cast.add_file(f"{person.staff_no}.png", cast.png(other).data)
    cast.add(tables[0], person, refused("IMAGE_AMBIGUOUS"))


@TRAPS("one doctor, the same picture twice", "+staff_no")
def two_files_alike(cast, tables):
    person = cast.person()
    made = cast.png(person)
    cast.add_file(f"{person.number}.png", made.data)
    cast.add_file(f"{person.staff_no}.png", made.data)
    cast.add(tables[0], person, sent(person, made, must=["IMAGE_DUPLICATE_FILE"]))
