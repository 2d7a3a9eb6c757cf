"""Names: what may be folded is sent and said, rare ones go as they are, everything that is no name is refused."""

from generated_rosters.cast import Cast, Register
from generated_rosters.people import Person
from generated_rosters.truth import refused, sent
from generated_rosters.values import Err, Formula, Num, Runs

TRAPS = Register()
DOTS = "•・．‧･∙⋅﹒."
WIDE = str.maketrans(
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "０１２３４５６７８９ＡＢＣＤＥＦＧＨＩＪＫＬＭＮＯＰＱＲＳＴＵＶＷＸＹＺ",
)

# name -> how it is written, what the table needs
FOLDED = {
    "a blank inside": (lambda n: f"{n[0]} {n[1:]}", ""),
    "blanks between all": (" ".join, ""),
    "an ideographic space inside": (lambda n: f"{n[0]}\u3000{n[1:]}", ""),
    "a no-break space inside": (lambda n: f"{n[0]}\u00a0{n[1:]}", ""),
    "a zero-width space inside": (lambda n: f"{n[0]}\u200b{n[1:]}", ""),
    "a byte order mark before": (lambda n: f"\ufeff{n}", ""),
    "a left-to-right mark after": (lambda n: f"{n}\u200e", ""),
    "a TAB after": (lambda n: f"{n}\t", "spaces"),
    "spaces around": (lambda n: f"  {n} ", "spaces"),
    "a line break after": (lambda n: f"{n}\n", "newline"),
    "a line break inside": (lambda n: f"{n[0]}\n{n[1:]}", "newline"),
    "carriage return and line break inside": (lambda n: f"{n[0]}\r\n{n[1:]}", "crlf"),
    "an apostrophe before": (lambda n: f"'{n}", ""),
    'the ="…" trick': (lambda n: f'="{n}"', "text"),
}
# the character as registers hold it -> what a PDF or an old code page made of it
RADICALS = {"高": "⾼", "石": "⽯", "金": "⾦", "方": "⽅", "马": "⻢", "龙": "⻰", "韦": "⻙"}
COMPATIBLE = {"金": "\uf90a", "李": "\uf9e1", "林": "\uf9f4", "梁": "\uf97a"}
NO_NAMES = {
    "note in brackets": lambda n: f"{n}（返聘）",
    "note in half-width brackets": lambda n: f"{n}(小)",
    "note without brackets": lambda n: f"{n}返聘",
    "title": lambda n: f"{n}主任",
    "profession": lambda n: f"{n}医生",
    "masked": lambda n: f"{n[0]}*{n[1:]}",
    "masked with 某": lambda n: f"{n[0]}某某",
    "question mark for a lost character": lambda n: f"{n[0]}?",
    "box for a lost character": lambda n: f"{n}□",
    "U+FFFD for a lost character": lambda n: f"{n[0]}\ufffd{n[1:]}",
    "private-use character": lambda n: f"{n}\ue000",
    "digit behind": lambda n: f"{n}2",
    "pinyin for a rare character": lambda n: f"{n[0]}yan{n[1:]}",
    "pinyin alone": lambda _n: "Zhang Wei",
    "full-width letters": lambda _n: "ZHANGWEI".translate(WIDE),
    "two people": lambda n: f"{n}、{n[0]}小明",
    "two people, slash": lambda n: f"{n}/{n[0]}小明",
    "a number": lambda _n: "1024",
    "full stop behind": lambda n: f"{n}。",
    "comma behind": lambda n: f"{n}，",
    "dot at the end": lambda n: f"{n}·",
    "two dots": lambda n: f"{n[0]}··{n[1:]}",
    "hyphen inside": lambda n: f"{n[0]}-{n[1:]}",
    "number sign": lambda n: f"{n}①",
    "seal sign": lambda n: f"{n}㊞",
}


def _fits(cast: Cast, characters) -> tuple[Person, str]:
    """Return a person whose family name is one of these characters."""
    family = cast.dice.choice(list(characters))
    plain = cast.person()
    return cast.person(name=cast.crowd.claim(f"{family}{plain.name[1:]}{plain.name[-1]}安")), family


def _folded(name: str, write, needs: str) -> None:
    @TRAPS(f"name: {name}", needs)
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.give(person, tables[0])
        expect = sent(person, made, must=["NAME_NORMALISED"], changes={"name": person.name})
        written = write(person.name)
        unseen = (
            (sent(person, made),) if written[0] == "\ufeff" or written[-1] == "\n" else ()
        )  # as for numbers
        cast.add(tables[0], person, (expect, *unseen), name=written)


for _name, (_write, _needs) in FOLDED.items():
    _folded(_name, _write, _needs)


def _replaced(what: str, table: dict[str, str]) -> None:
    @TRAPS(f"name: {what}")
    def build(cast: Cast, tables) -> None:
        person, family = _fits(cast, table)
        made = cast.give(person, tables[0])
        expect = sent(person, made, must=["NAME_NORMALISED"], changes={"name": person.name})
        cast.add(tables[0], person, expect, name=person.name.replace(family, table[family]))


_replaced("a Kangxi radical", {key: sign for key, sign in RADICALS.items() if sign < "⾿" and sign > "⼀"})
_replaced("a radical of the supplement", {key: sign for key, sign in RADICALS.items() if sign < "⼀"})
_replaced("a compatibility ideograph", COMPATIBLE)


def _dotted(sign: str) -> None:
    @TRAPS(f"name: dot written U+{ord(sign):04X}")
    def build(cast: Cast, tables) -> None:
        person = cast.crowd.special("ethnic")
        made = cast.give(person, tables[0], "number staff_no")
        written = person.name.replace("·", cast.dice.choice((sign, f" {sign} ", f"{sign} ")))
        expect = sent(person, made, must=["NAME_NORMALISED"], changes={"name": person.name})
        cast.add(tables[0], person, expect, name=written)


for _sign in DOTS:
    _dotted(_sign)


@TRAPS("name: the dot as the register writes it")
def ethnic(cast, tables):
    person = cast.crowd.special("ethnic")
    cast.add(tables[0], person, sent(person, cast.give(person, tables[0])))


@TRAPS("name: it ends like a department's")
def unit(cast, tables):
    name = f"{cast.person().name[:2]}{cast.dice.choice('科院班部组处所')}"
    person = cast.person(
        name=cast.crowd.claim(f"{name[:-1]}学{name[-1]}" if cast.crowd.knows(name) else name)
    )
    cast.add(tables[0], person, sent(person, cast.give(person, tables[0], "number staff_no")))


@TRAPS("name: forty-seven characters")
def long(cast, tables):
    person = cast.person(name=cast.crowd.claim(_long(cast, 47)))
    cast.add(tables[0], person, sent(person, cast.give(person, tables[0], "number staff_no")))


@TRAPS("name: forty-eight characters, too many for the template")
def too_long(cast, tables):
    person = cast.person(name=cast.crowd.claim(_long(cast, 48)))
    cast.give(person, tables[0], "number staff_no")
    cast.add(tables[0], person, refused("SEAL_NAME_LENGTH"))


def _long(cast: Cast, length: int) -> str:
    syllables = "".join(cast.dice.choices("阿力古丽提买尔木依不都克汗", k=length))
    return f"{syllables[:20]}·{syllables[21:]}"


@TRAPS("name: spaces around the right dot")
def spaced_dot(cast, tables):
    person = cast.crowd.special("ethnic")
    made = cast.give(person, tables[0], "number staff_no")
    expect = sent(person, made, must=["NAME_NORMALISED"], changes={"name": person.name})
    cast.add(tables[0], person, expect, name=person.name.replace("·", " · "))


@TRAPS("name: rare and four-byte characters")
def rare(cast, tables):
    for _ in range(2):
        person = cast.crowd.special("rare")
        cast.add(tables[0], person, sent(person, cast.give(person, tables[0])))


@TRAPS("name: traditional characters")
def traditional(cast, tables):
    person = cast.crowd.special("traditional")
    cast.add(tables[0], person, sent(person, cast.give(person, tables[0])))


@TRAPS("name: compound family name")
def compound(cast, tables):
    person = cast.person(name=cast.crowd.claim(f"诸葛{cast.person().name[1:]}安"))
    cast.add(tables[0], person, sent(person, cast.give(person, tables[0])))


@TRAPS("name and number in runs of rich text", "runs")
def runs(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number staff_no")
    name, number = Runs((person.name[:1], person.name[1:])), Runs((person.number[:6], person.number[6:]))
    cast.add(tables[0], person, sent(person, made), name=name, number=number)


@TRAPS("name: a formula whose cached value is text", "formula")
def formula(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "number staff_no")
    parts = f'"{person.name[:1]}"&"{person.name[1:]}"'
    cast.add(tables[0], person, sent(person, made), name=Formula(parts, person.name))


def _no_name(name: str, write) -> None:
    @TRAPS(f"name: {name}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        cast.give(person, tables[0], "number staff_no")
        cast.add(tables[0], person, refused("NAME_INVALID", "name"), name=write(person.name))


for _name, _write in NO_NAMES.items():
    _no_name(_name, _write)


@TRAPS("name: FE59 of GB18030, private use until 2022, 龴 since")
def moved(cast, tables):
    person = cast.person(name=cast.crowd.claim(f"{cast.person().name}龴"))
    made = cast.give(person, tables[0], "number staff_no")
    as_said = sent(person, made, may=frozenset({"NAME_NORMALISED"}), changes={"name": person.name})
    accept = (sent(person, made), as_said, refused("NAME_INVALID", "name"))
    cast.add(tables[0], person, accept, name=person.name.replace("龴", "\ue81e"))


@TRAPS("name: blank beside everything else")
def blank(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number staff_no")
    written = cast.dice.choice((None, "无", "—", "待补"))
    cast.add(tables[0], person, refused("NAME_MISSING", "name"), name=written)


@TRAPS("name: error value", "error")
def error(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number staff_no")
    cast.add(tables[0], person, refused("FORMULA_ERROR", "name"), name=Err("#N/A"))


@TRAPS("name: formula without a value", "novalue")
def no_value(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number staff_no")
    cast.add(tables[0], person, refused("FORMULA_NO_VALUE", "name"), name=Formula('"张"&"三"', None))


@TRAPS("name: a number in the cell", "numeric")
def numeric(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "number staff_no")
    cast.add(tables[0], person, refused("NAME_INVALID", "name"), name=Num(20101))


@TRAPS("name and number changed places")
def swapped(cast, tables):
    person = cast.person()
    cast.add_file(f"{person.staff_no}.png", cast.png(person).data)
    expect = refused("NAME_INVALID", "name", "ID_MISSING ID_CHAR ID_FORMAT ID_LENGTH IMAGE_MISSING")
    cast.add(tables[0], person, expect, name=person.number, number=person.name)
