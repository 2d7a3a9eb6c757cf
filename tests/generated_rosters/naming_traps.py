"""How picture files are called: every habit seen in hospitals, matched backwards from the expected name, never by likeness."""

import unicodedata
from functools import cache

from generated_rosters.cast import Cast, Register
from generated_rosters.people import GIVEN, SURNAMES
from generated_rosters.truth import refused, sent
from generated_rosters.values import Placed
from people import compute_check_digit

TRAPS = Register()
FUZZY = frozenset({"IMAGE_NAME_FUZZY"})
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")

# habit -> (path without extension, what the table needs, whether the warning is due: yes | no | may)
HABITS = {
    "number": (lambda p: p.number, "", "no"),
    "name": (lambda p: p.name, "", "no"),
    "name_number": (lambda p: f"{p.name}_{p.number}", "", "no"),
    "number and name": (lambda p: f"{p.number}{p.name}", "", "no"),
    "name-number": (lambda p: f"{p.name}-{p.number}", "", "no"),
    "staff number": (lambda p: p.staff_no, "+staff_no", "no"),
    "staff number and name": (lambda p: f"{p.staff_no}{p.name}", "+staff_no", "no"),
    "name_staff number": (lambda p: f"{p.name}_{p.staff_no}", "+staff_no", "no"),
    "staff number-name": (lambda p: f"{p.staff_no}-{p.name}", "+staff_no", "no"),
    "department/name": (lambda p: f"{p.department}/{p.name}", "+department", "no"),
    "department-name": (lambda p: f"{p.department}-{p.name}", "+department", "may"),
    "a deep folder": (lambda p: f"2026/新增/{p.name}", "", "no"),
    "name 印章": (lambda p: f"{p.name} 印章", "", "yes"),
    "name签名": (lambda p: f"{p.name}签名", "", "yes"),
    "name_签章": (lambda p: f"{p.name}_签章", "", "yes"),
    "name印章(2)": (lambda p: f"{p.name}印章(2)", "", "yes"),
    "name(2)": (lambda p: f"{p.name}(2)", "", "yes"),
    "name (1)": (lambda p: f"{p.name} (1)", "", "yes"),
    "name（1）": (lambda p: f"{p.name}（1）", "", "yes"),
    "name - 副本": (lambda p: f"{p.name} - 副本", "", "yes"),
    "number印章": (lambda p: f"{p.number}印章", "", "yes"),
    "staff number签名": (lambda p: f"{p.staff_no}签名", "+staff_no", "yes"),
    "name, an ideographic space inside": (lambda p: f"{p.name[0]}\u3000{p.name[1:]}", "", "yes"),
    "name, a blank inside": (lambda p: f"{p.name[0]} {p.name[1:]}", "", "yes"),
    "name, a blank behind": (lambda p: f"{p.name} ", "", "yes"),
    "staff number in full width": (lambda p: p.staff_no.translate(WIDE), "+staff_no", "yes"),
}
EXTENSIONS = (".PNG", ".Png", ".jpg", ".JPEG", ".tif", "")


def _fuzz(due: str) -> dict:
    return {"yes": {"must": FUZZY}, "no": {}, "may": {"may": FUZZY}}[due]


def _habit(name: str, path, needs: str, due: str) -> None:
    @TRAPS(f"file name: {name}", needs)
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.png(person)
        cast.add_file(path(person) + made.suffix, made.data)
        cast.add(tables[0], person, sent(person, made, **_fuzz(due)))


for _name, _case in HABITS.items():
    _habit(_name, *_case)


@TRAPS("file name: a small x in the number")
def small_x(cast, tables):
    person = cast.person(number=cast.crowd.number(ends="X"))
    made = cast.png(person)
    cast.add_file(f"{person.number.lower()}.png", made.data)
    cast.add(tables[0], person, sent(person, made, may=FUZZY))


@TRAPS("file name: extension in any case, wrong, or none")
def extension(cast, tables):
    person = cast.person()
    made = cast.png(person)
    cast.add_file(person.name + cast.dice.choice(EXTENSIONS), made.data)
    cast.add(tables[0], person, sent(person, made))


@TRAPS("file name: the dot of a name written .")
def dot(cast, tables):
    person = cast.crowd.special("ethnic")
    made = cast.png(person)
    cast.add_file(f"{person.name.replace('·', '.')}.png", made.data)
    cast.add(tables[0], person, sent(person, made, may=FUZZY))


@TRAPS("file name: the dot of a name written •", ways="folder macos")
def bullet(cast, tables):
    person = cast.crowd.special("ethnic")
    made = cast.png(person)
    cast.add_file(f"{person.name.replace('·', '•')}.png", made.data)
    cast.add(tables[0], person, sent(person, made, may=FUZZY))


@TRAPS("file name: a compatibility ideograph, mended by NFC", ways="folder macos")
def compatible(cast, tables):
    person = cast.person(name=cast.crowd.claim(f"金{cast.person().name[1:]}澜"))
    made = cast.png(person)
    cast.add_file(f"{person.name.replace('金', chr(0xF90A))}.png", made.data)
    cast.add(tables[0], person, sent(person, made, must=FUZZY))


@TRAPS("file name: rare and four-byte characters", ways="folder macos")
def rare(cast, tables):
    person = cast.crowd.special("rare")
    made = cast.png(person)
    cast.add_file(f"{unicodedata.normalize('NFD', person.name)}.png", made.data)
    cast.add(tables[0], person, sent(person, made))


# --- names whose encoding was lost on the way


def _encoded(name: str, spell) -> None:
    @TRAPS(f"file name: {name}", ways="folder")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.png(person)
        cast.add_file(spell(f"{person.name}.png"), made.data)
        cast.add(tables[0], person, sent(person, made, must=FUZZY))


_encoded("GBK bytes", lambda n: n.encode("gbk"))
_encoded("GBK read as cp437", lambda n: n.encode("gbk").decode("cp437"))


@TRAPS("file name: GBK bytes that are valid UTF-8", ways="folder")
def deceptive(cast, tables):
    name = cast.dice.choice([name for name in _deceptive() if not cast.crowd.knows(name)])
    person = cast.person(name=cast.crowd.claim(name))
    made = cast.png(person)
    cast.add_file(f"{name}.png".encode("gbk"), made.data)
    cast.add(tables[0], person, sent(person, made, must=FUZZY))


@cache
def _deceptive() -> list[str]:
    """Return names whose GBK bytes are valid UTF-8, so that no decode error ever shows (姚平 -> Ҧƽ)."""
    names = (family + given for family in f"{SURNAMES}欧" for given in f"{GIVEN}舜平")
    return [name for name in names if _is_utf8(name.encode("gbk"))]


@TRAPS("file name: a character whose second GBK byte is a backslash", ways="folder windows")
def backslash(cast, tables):
    person = cast.person(name=cast.crowd.claim(f"{cast.person().name}誠"))
    made = cast.png(person)
    name = f"{person.name}.png"
    fuzzy = FUZZY if cast.way == "folder" else frozenset()
    cast.add_file(name.encode("gbk") if fuzzy else name, made.data)
    cast.add(tables[0], person, sent(person, made, must=fuzzy))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


# --- what resembles and is nobody's


@TRAPS("no file: one that looks like the name")
def lookalike(cast, tables):
    person = cast.person(name=cast.crowd.claim(f"{cast.person().name}原"))
    other = cast.person()
    cast.leave(f"{person.name[:-1]}源.png", cast.png(other).data)
    cast.add(tables[0], person, refused("IMAGE_MISSING", None))


@TRAPS("no file: the name is the beginning of another doctor's")
def beginning(cast, tables):
    person = cast.person()
    longer = cast.person(name=cast.crowd.claim(f"{person.name}涛"))
    made = cast.png(longer)
    cast.add_file(f"{longer.name}.png", made.data)
    cast.add(tables[0], longer, sent(longer, made))
    cast.add(tables[0], person, refused("IMAGE_MISSING"))


@TRAPS("no file: the staff number stands inside another's identity number", "+staff_no")
def substring(cast, tables):
    first = f"110101{cast.dice.randint(1965, 1995)}0{cast.dice.randint(1, 9)}{cast.dice.randint(10, 28)}"
    first += f"{cast.dice.randint(101, 999)}"
    other = cast.person(number=cast.crowd.claim(first + compute_check_digit(first)))
    inside = [other.number[1:end] for end in range(7, 14) if not cast.crowd.knows(other.number[1:end])]
    person = cast.person(staff_no=cast.crowd.claim(inside[0]))
    made = cast.png(other)
    cast.add_file(f"{other.number}.png", made.data)
    cast.add(tables[0], other, sent(other, made))
    cast.add(tables[0], person, refused("IMAGE_MISSING"))


@TRAPS("no file at all")
def nothing(cast, tables):
    person = cast.person()
    cast.add(tables[0], person, refused("IMAGE_MISSING"))


@TRAPS("no file: only the debris of macOS and Office")
def debris(cast, tables):
    person = cast.person()
    data = cast.png(person).data
    cast.add_file(f"._{person.name}.png", data)
    cast.add_file(f"~${person.name}.png", data)
    cast.add_file(f"__MACOSX/{person.name}.png", data)
    cast.add(tables[0], person, refused("IMAGE_MISSING"))


@TRAPS("no file: a link out of the folder", ways="folder")
def link(cast, tables):
    person = cast.person()
    cast.placed.append(Placed(f"../outside-{person.serial}.png", cast.png(person).data))
    cast.placed.append(Placed(f"{person.name}.png", link=f"../outside-{person.serial}.png"))
    cast.add(tables[0], person, refused("IMAGE_MISSING IMAGE_CORRUPT"))


@TRAPS("no file: a pipe", ways="folder")
def pipe(cast, tables):
    person = cast.person()
    cast.placed.append(Placed(f"{person.name}.png", pipe=True))
    cast.add(tables[0], person, refused("IMAGE_MISSING IMAGE_CORRUPT"))


@TRAPS("no file: one that names two people", "+staff_no")
def two_in_a_name(cast, tables):
    person, other = cast.person(), cast.person()
    mixed = cast.dice.choice(
        (f"{person.name}_{other.number}", f"{other.staff_no}{person.name}", f"{person.staff_no}-{other.name}")
    )
    cast.leave(f"{mixed}.png", cast.png(person).data)
    for entry in (person, other):
        cast.add(tables[0], entry, refused("IMAGE_MISSING IMAGE_AMBIGUOUS"))


@TRAPS("no file: the staff number without its zeros", "+staff_no")
def zeros(cast, tables):
    person = cast.person()
    cast.leave(f"{person.staff_no.lstrip('0')}.png", cast.png(person).data)
    cast.add(tables[0], person, refused("IMAGE_MISSING"))


def _rivals(name: str, first: str, second: str) -> None:
    @TRAPS(f"two different files: {name}")
    def build(cast: Cast, tables) -> None:
        person, other = cast.person(), cast.person()
        cast.add_file(first.format(name=person.name), cast.png(person).data)
        cast.add_file(second.format(name=person.name), cast.png(other).data)
        cast.add(tables[0], person, refused("IMAGE_AMBIGUOUS"))

    @TRAPS(f"two equal files: {name}")
    def alike(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.png(person)
        cast.add_file(first.format(name=person.name), made.data)
        cast.add_file(second.format(name=person.name), made.data)
        must = frozenset({"IMAGE_DUPLICATE_FILE"})
        cast.add(tables[0], person, sent(person, made, must=must, may=FUZZY))


_rivals("in two folders", "旧/{name}.png", "新/{name}.png")
_rivals("one of them a copy", "{name}.png", "{name}(2).png")
_rivals("one of them 印章", "{name}.png", "{name}印章.png")
_rivals("two copies", "{name} (1).png", "{name} - 副本.png")


# --- namesakes


@TRAPS("namesakes: one file with their name", tables=2)
def one_for_two(cast, tables):
    people = cast.crowd.namesakes()
    cast.add_file(f"{people[0].name}.png", cast.png(people[0]).data)
    for table, person in zip(tables, people, strict=True):
        cast.add(table, person, refused("IMAGE_AMBIGUOUS", None))


@TRAPS("namesakes: a file for one, the name's for the other", "+staff_no", tables=2)
def better_file(cast, tables):
    owner, other = cast.crowd.namesakes()
    made = cast.png(owner)
    cast.add_file(f"{owner.staff_no}.png", made.data)
    cast.add_file(f"{owner.name}.png", cast.png(other).data)
    han = str.maketrans("0123456789", "〇一二三四五六七八九")
    names = {owner.seal_name, f"{owner.name}{owner.staff_no.translate(han)}处方章"}
    own = sent(owner, made, seal_names=frozenset(names), may=frozenset({"SEAL_NAME_DUPLICATE"}))
    cast.add(tables[0], owner, (own, refused("IMAGE_AMBIGUOUS")))
    cast.add(tables[1], other, refused("IMAGE_AMBIGUOUS"))


@TRAPS("namesakes: each in the folder of their department", "+department +staff_no", tables=2)
def department_folders(cast, tables):
    people = cast.crowd.namesakes()
    han = str.maketrans("0123456789", "〇一二三四五六七八九")
    for table, person, department in zip(tables, people, ("眼科", "骨科"), strict=True):
        made = cast.png(person)
        cast.add_file(f"{department}/{person.name}.png", made.data)
        name = f"{person.name}{person.staff_no.translate(han)}处方章"
        expect = sent(person, made, seal_names=frozenset({name}), must=["SEAL_NAME_DUPLICATE"])
        cast.add(table, person, expect, department=department)
        table.rows[-1].department = department
