"""Seal names: the roster's own, the template's, and namesakes who are told apart."""

from generated_rosters.cast import Register
from generated_rosters.truth import refused, sent
from generated_rosters.values import Err, Num

TRAPS = Register()
HAN_DIGITS = str.maketrans("0123456789", "〇一二三四五六七八九")


def _own(cast, table, person, own: str) -> None:
    made = cast.give(person, table)
    cast.add(table, person, sent(person, made, seal_names=frozenset({own})), seal_name=own)


@TRAPS("seal name: the roster's own", "+seal_name")
def own(cast, tables):
    person = cast.person()
    _own(cast, tables[0], person, f"{person.name}医师专用章")


@TRAPS("seal name: own, with a dot and Chinese digits", "+seal_name")
def own_dot(cast, tables):
    person = cast.crowd.special("ethnic")
    _own(cast, tables[0], person, f"{person.name}二〇二六")


@TRAPS("seal name: own, spaces around", "+seal_name spaces")
def own_spaces(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    own = f"{person.name}签名章"
    expect = sent(person, made, seal_names=frozenset({own}), changes={"seal_name": own})
    cast.add(tables[0], person, expect, seal_name=f" {own} ")


@TRAPS("seal name: own, blanks inside", "+seal_name spaces")
def own_blanks(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    own = f"{person.name}医师章"
    expect = sent(person, made, seal_names=frozenset({own}), changes={"seal_name": own})
    cast.add(tables[0], person, expect, seal_name=f"{person.name[0]}　{person.name[1:]} 医师章")


@TRAPS("seal name: fifty characters", "+seal_name")
def fifty(cast, tables):
    person = cast.person()
    _own(cast, tables[0], person, (person.name + "医" * 50)[:50])


@TRAPS("seal name: fifty-one characters", "+seal_name")
def too_long(cast, tables):
    person = cast.person()
    cast.give(person, tables[0])
    own = (person.name + "医" * 51)[:51]
    cast.add(tables[0], person, refused("SEAL_NAME_LENGTH", "seal_name"), seal_name=own)


@TRAPS("seal name: characters that are not allowed", "+seal_name")
def strange(cast, tables):
    person = cast.person()
    cast.give(person, tables[0])
    own = cast.dice.choice(
        (f"{person.name}Dr章", f"{person.name}章1", f"{person.name}(章)", f"{person.name}㊞")
    )
    cast.add(tables[0], person, refused("SEAL_NAME_CHARS", "seal_name"), seal_name=own)


@TRAPS("seal name: error value", "+seal_name error")
def error(cast, tables):
    person = cast.person()
    cast.give(person, tables[0])
    cast.add(tables[0], person, refused("FORMULA_ERROR", "seal_name"), seal_name=Err("#N/A"))


@TRAPS("seal name: one for two doctors", "+seal_name", tables=2)
def shared(cast, tables):
    own = f"{cast.person().name}专用章"
    for table in tables:
        person = cast.person()
        cast.give(person, table)
        cast.add(table, person, refused("SEAL_NAME_DUPLICATE", "seal_name"), seal_name=own)


@TRAPS("seal name: own is what the template makes of another", "+seal_name +staff_no", tables=2)
def taken(cast, tables):
    owner, other = cast.person(), cast.person()
    _own(cast, tables[0], owner, other.seal_name)
    made = cast.give(other, tables[1])
    name = f"{other.name}{other.staff_no.translate(HAN_DIGITS)}处方章"
    expect = sent(other, made, seal_names=frozenset({name}), must=["SEAL_NAME_DUPLICATE"])
    cast.add(tables[1], other, expect)


@TRAPS("namesakes: told apart by staff number", "+staff_no", tables=2)
def namesakes(cast, tables):
    for table, person in zip(tables, cast.crowd.namesakes(), strict=True):
        made = cast.give(person, table, "number staff_no")
        name = f"{person.name}{person.staff_no.translate(HAN_DIGITS)}处方章"
        expect = sent(person, made, seal_names=frozenset({name}), must=["SEAL_NAME_DUPLICATE"])
        cast.add(table, person, expect)


@TRAPS("namesakes: three, one with a seal name of his own", "+staff_no +seal_name", tables=2)
def three(cast, tables):
    first, second, third = cast.crowd.namesakes(3)
    _own_of(cast, tables[0], first)
    for table, person in zip(tables, (second, third), strict=True):
        made = cast.give(person, table, "number staff_no")
        name = f"{person.name}{person.staff_no.translate(HAN_DIGITS)}处方章"
        cast.add(
            table, person, sent(person, made, seal_names=frozenset({name}), must=["SEAL_NAME_DUPLICATE"])
        )


def _own_of(cast, table, person) -> None:
    own = f"{person.name}主任医师章"
    made = cast.give(person, table, "number staff_no")
    cast.add(table, person, sent(person, made, seal_names=frozenset({own})), seal_name=own)


@TRAPS("namesakes: told apart by department", "+department")
def departments(cast, tables):
    people = cast.crowd.namesakes()
    for person, department in zip(people, cast.dice.sample(("内科", "外科", "儿科"), 2), strict=True):
        made = cast.give(person, tables[0], "number")
        name = f"{person.name}{department}处方章"
        expect = sent(person, made, seal_names=frozenset({name}), must=["SEAL_NAME_DUPLICATE"])
        cast.add(tables[0], person, expect, department=department, **_no_staff(tables[0]))
        tables[0].rows[-1].department = department


@TRAPS("namesakes: nothing tells them apart", "+department")
def alike(cast, tables):
    for person in cast.crowd.namesakes():
        cast.give(person, tables[0], "number")
        cast.add(
            tables[0],
            person,
            refused("SEAL_NAME_DUPLICATE"),
            department="骨科",
            **_no_staff(tables[0]),
        )
        tables[0].rows[-1].department = "骨科"


def _no_staff(table) -> dict:
    return {"staff_no": None} if table.has("staff_no") else {}


@TRAPS("staff number: leading zeros by number format alone", "+staff_no styled")
def leading_zeros(cast, tables):
    person = cast.person()
    made = cast.png(person)
    cast.add_file(f"{person.staff_no}.png", made.data)
    staff = Num(int(person.staff_no), "00000")
    cast.add(tables[0], person, sent(person, made), staff_no=staff)


@TRAPS("staff number: a plain number in the cell", "+staff_no numeric")
def plain_number(cast, tables):
    person = cast.person(staff_no=f"9{cast.dice.randrange(10**5):05}{cast.person().serial:03}")
    made = cast.png(person)
    cast.add_file(f"{person.staff_no}.png", made.data)
    cast.add(tables[0], person, sent(person, made), staff_no=Num(int(person.staff_no)))
