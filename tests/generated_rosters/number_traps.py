"""Identity numbers in disguise: what may be normalised is sent, whatever else differs is refused."""

from datetime import date, timedelta

from generated_rosters.cast import Cast, Register, Table
from generated_rosters.people import CARD_WORDS, PERMIT, PREFIXES, RESIDENCE, Person, today
from generated_rosters.truth import refused, sent
from generated_rosters.values import Formula
from people import compute_check_digit

TRAPS = Register()
NUMBER = "id_card_number"
WIDE = str.maketrans("0123456789Xx", "０１２３４５６７８９Ｘｘ")

# what a clerk's number may look like and still be the number: name -> how it is written, what the table needs
DISGUISES = {
    "apostrophe typed as text": (lambda n: f"'{n}", ""),
    "full-width apostrophe": (lambda n: f"‘{n}", ""),
    "curly quotes": (lambda n: f"“{n}”", ""),
    "TAB before": (lambda n: f"\t{n}", "spaces"),
    "full-width digits": (lambda n: n.translate(WIDE), ""),
    "blanks 6-8-4": (lambda n: f"{n[:6]} {n[6:14]} {n[14:]}", ""),
    "hyphens 6-8-4": (lambda n: f"{n[:6]}-{n[6:14]}-{n[14:]}", ""),
    "dashes 6-8-4": (lambda n: f"{n[:6]}–{n[6:14]}—{n[14:]}", ""),
    "blanks by three": (lambda n: " ".join(n[position : position + 3] for position in range(0, 18, 3)), ""),
    "ideographic space after": (lambda n: f"{n}\u3000", ""),
    "no-break spaces around": (lambda n: f"\u00a0{n}\u00a0", ""),
    "zero-width space inside": (lambda n: f"{n[:6]}\u200b{n[6:]}", ""),
    "byte order mark before": (lambda n: f"\ufeff{n}", ""),
    "left-to-right mark after": (lambda n: f"{n}\u200e", ""),
    "direction marks around": (lambda n: f"\u202d{n}\u202c", ""),
    "line break after": (lambda n: f"{n}\n", "newline"),
    "line break inside": (lambda n: f"{n[:6]}\n{n[6:]}", "newline"),
    "soft hyphens inside": (lambda n: f"{n[:6]}\u00ad{n[6:14]}\u00ad{n[14:]}", ""),
    "word joiner inside": (lambda n: f"{n[:14]}\u2060{n[14:]}", ""),
    "no-break hyphens 6-8-4": (lambda n: f"{n[:6]}\u2011{n[6:14]}\u2011{n[14:]}", ""),
    "thin spaces": (lambda n: f"{n[:6]}\u2009{n[6:14]}\u202f{n[14:]}", ""),
    'the ="…" trick': (lambda n: f'="{n}"', "text"),
    "TAB and quotes": (lambda n: f"\t'{n}", "spaces"),
}
LOOKALIKES = "×ΧХхχ*✕Ⅹ╳"


def _accept(cast: Cast, table: Table, person: Person, written: str, *, must: str = "", **cells) -> None:
    made = cast.give(person, table, "staff_no name")
    changes = {NUMBER: person.number} if written != person.number else {}
    expect = sent(person, made, must=must.split(), changes=changes)
    # the reader of .xls takes a byte order mark for one, a page ends no cell with a line break:
    # who never saw it cannot tell of it
    unseen = (sent(person, made),) if written[0] == "\ufeff" or written[-1] == "\n" else ()
    cast.add(table, person, (expect, *unseen), number=written, **cells)


def _disguise(name: str, write, needs: str) -> None:
    @TRAPS(f"number: {name}", needs)
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        _accept(cast, tables[0], person, write(person.number))


for _name, (_write, _needs) in DISGUISES.items():
    _disguise(_name, _write, _needs)


@TRAPS("number: small x")
def small_x(cast, tables):
    person = cast.person(number=cast.crowd.number(ends="X"))
    _accept(cast, tables[0], person, person.number.lower())


@TRAPS("number: full-width X")
def wide_x(cast, tables):
    person = cast.person(number=cast.crowd.number(ends="X"))
    _accept(cast, tables[0], person, person.number[:17] + cast.dice.choice("Ｘｘ"))


@TRAPS("number: X at the end, written as on the card")
def plain_x(cast, tables):
    person = cast.person(number=cast.crowd.number(ends="X"))
    _accept(cast, tables[0], person, person.number)


def _lookalike(sign: str) -> None:
    @TRAPS(f"number: {sign} U+{ord(sign):04X} for the last X")
    def build(cast: Cast, tables) -> None:
        person = cast.person(number=cast.crowd.number(ends="X"))
        _accept(cast, tables[0], person, person.number[:17] + sign, must="ID_CHAR")


for _sign in LOOKALIKES:
    _lookalike(_sign)


@TRAPS("number: a look-alike of X where the check digit is another")
def false_lookalike(cast, tables):
    person = cast.person(number=cast.crowd.number(ends="5"))
    cast.give(person, tables[0], "staff_no name")
    written = person.number[:17] + cast.dice.choice("×*Х")
    cast.add(
        tables[0], person, refused("ID_CHECKSUM ID_CHAR ID_MISSING", "number", "ID_CHAR"), number=written
    )


@TRAPS("number: a formula whose cached value is text", "formula")
def formula(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0], "staff_no name")
    parts = f'"{person.number[:6]}"&"{person.number[6:]}"'
    cast.add(tables[0], person, sent(person, made), number=Formula(parts, person.number))


@TRAPS("number: born long before its county, or in an abolished one")
def old_county(cast, tables):
    region = cast.dice.choice(("440301", "310115", "330106", "110103"))
    first = (
        f"{region}{cast.dice.randint(1958, 1978)}{cast.dice.randint(1, 12):02}17{cast.dice.randint(900, 998)}"
    )
    person = cast.person(number=first + compute_check_digit(first))
    made = cast.give(person, tables[0], "staff_no name")
    cast.add(tables[0], person, sent(person, made))


def _ending(cast: Cast, zeros: str) -> str:
    """Return a valid number that honestly ends so."""
    while True:
        born = f"{cast.dice.randint(1960, 1995)}{cast.dice.randint(1, 12):02}{cast.dice.randint(1, 28):02}"
        order = f"{cast.dice.randint(1, 9)}00" if zeros == "000" else f"{cast.dice.randint(1, 99):02}0"
        first = f"{cast.dice.choice(PREFIXES)}{born}{order}"
        if compute_check_digit(first) == "0" and (zeros == "000" or order[1] != "0"):
            return cast.crowd.claim(f"{first}0")


@TRAPS("number: honestly ends in 00")
def two_zeros(cast, tables):
    person = cast.person(number=_ending(cast, "00"))
    made = cast.give(person, tables[0], "staff_no name")
    cast.add(tables[0], person, sent(person, made))


@TRAPS("number: honestly ends in 000, written from the card in groups")
def three_zeros(cast, tables):
    person = cast.person(number=_ending(cast, "000"))
    made = cast.give(person, tables[0], "staff_no name")
    written = f"{person.number[:6]} {person.number[6:14]} {person.number[14:]}"
    accept = (sent(person, made, changes={NUMBER: person.number}), refused("ID_PRECISION_LOST", "number"))
    cast.add(tables[0], person, accept, number=written)


@TRAPS("number: a doctor past ninety")
def aged(cast, tables):
    born = today() - timedelta(days=365 * cast.dice.randint(91, 95))
    person = cast.person(number=cast.crowd.number(born=born))
    made = cast.give(person, tables[0], "staff_no name")
    cast.add(tables[0], person, sent(person, made, may=frozenset({"ID_AGE"})))


@TRAPS("number: eighteen years old today")
def just_adult(cast, tables):
    now = today()
    day = 28 if (now.month, now.day) == (2, 29) else now.day
    person = cast.person(number=cast.crowd.number(born=date(now.year - 18, now.month, day)))
    made = cast.give(person, tables[0], "staff_no name")
    cast.add(tables[0], person, sent(person, made))


# --- cards


@TRAPS("card: blank type", "+type")
def blank_type(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    cast.add(tables[0], person, sent(person, made, must=["ID_TYPE_INFERRED"]), type=None)


WORDS = (" 居民身份证 ", "身份证（二代）", "身份证(居民)", "ID_CARD", "第二代居民身份证")


@TRAPS("card: its name written in another way", "+type")
def other_words(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    cast.add(tables[0], person, sent(person, made), type=cast.dice.choice(WORDS))


@TRAPS("card: permit of eleven characters", "+type")
def permit(cast, tables):
    person = cast.person(card=PERMIT)
    _accept(cast, tables[0], person, person.number)


@TRAPS("card: permit with a small letter", "+type")
def small_permit(cast, tables):
    person = cast.person(card=PERMIT)
    _accept(cast, tables[0], person, person.number.lower())


@TRAPS("card: permit with blanks and full width", "+type")
def wide_permit(cast, tables):
    person = cast.person(card=PERMIT)
    wide = person.number.translate(str.maketrans("HM0123456789", "ＨＭ０１２３４５６７８９"))
    _accept(cast, tables[0], person, cast.dice.choice((f"{person.number[:9]} {person.number[9:]}", wide)))


@TRAPS("card: permit, blank type", "+type")
def untyped_permit(cast, tables):
    person = cast.person(card=PERMIT)
    _accept(cast, tables[0], person, person.number, must="ID_TYPE_INFERRED", type=None)


@TRAPS("card: residence permit under its own name", "+type")
def residence(cast, tables):
    person = cast.person(card=RESIDENCE)
    _accept(cast, tables[0], person, person.number)


@TRAPS("card: residence permit called 身份证", "+type")
def misnamed_residence(cast, tables):
    person = cast.person(card=RESIDENCE)
    made = cast.give(person, tables[0], "staff_no name")
    expect = sent(person, made, must=["ID_TYPE_MISMATCH"], changes={"id_card_type": RESIDENCE})
    cast.add(tables[0], person, expect, type="身份证")


@TRAPS("card: residence permit, blank type", "+type")
def untyped_residence(cast, tables):
    person = cast.person(card=RESIDENCE)
    _accept(cast, tables[0], person, person.number, must="ID_TYPE_INFERRED", type=None)


REFUSED_CARDS = {
    "permit of nine characters": (PERMIT, lambda n: n[:9], CARD_WORDS[PERMIT][0], "ID_LENGTH"),
    "permit of ten characters": (PERMIT, lambda n: n[:10], CARD_WORDS[PERMIT][1], "ID_LENGTH"),
    "permit of twelve characters": (PERMIT, lambda n: f"{n}1", CARD_WORDS[PERMIT][0], "ID_LENGTH"),
    "permit, letter O": (PERMIT, lambda n: f"{n[:4]}O{n[5:]}", CARD_WORDS[PERMIT][0], "ID_CHAR"),
    "permit HA of 2024": (
        PERMIT,
        lambda n: f"{n[0]}A{n[2:9]}",
        CARD_WORDS[PERMIT][0],
        "ID_CHAR ID_LENGTH ID_FORMAT ID_TYPE_UNSUPPORTED",
    ),
    "travel permit C": (PERMIT, lambda n: f"C{n[1:9]}", CARD_WORDS[PERMIT][0], "ID_FORMAT ID_CHAR ID_LENGTH"),
    "permit called 身份证": (PERMIT, lambda n: n, "居民身份证", "ID_TYPE_MISMATCH"),
    "identity number called a permit": ("ID_CARD", lambda n: n, CARD_WORDS[PERMIT][0], "ID_TYPE_MISMATCH"),
    "identity number called a residence permit": (
        "ID_CARD",
        lambda n: n,
        "港澳台居民居住证",
        "ID_TYPE_MISMATCH",
    ),
    "passport": (PERMIT, lambda n: f"E{n[1:9]}", "护照", "ID_TYPE_UNSUPPORTED"),
    "Taiwan travel permit": (PERMIT, lambda n: n[1:9], "台胞证", "ID_TYPE_UNSUPPORTED"),
    "officer's card": (PERMIT, lambda n: f"军字第{n[1:8]}号", "军官证", "ID_TYPE_UNSUPPORTED"),
    "foreigner's permanent residence": (
        "ID_CARD",
        lambda n: f"9{n[1:]}",
        "外国人永久居留身份证",
        "ID_TYPE_UNSUPPORTED",
    ),
    "a word that is no card": ("ID_CARD", lambda n: n, "学生证", "ID_TYPE_UNSUPPORTED"),
}


def _refused_card(name: str, card: str, write, word: str, codes: str) -> None:
    @TRAPS(f"card: {name}", "+type")
    def build(cast: Cast, tables) -> None:
        person = cast.person(card=card)
        cast.give(person, tables[0], "staff_no name")
        cell = "type" if "TYPE" in codes and "FORMAT" not in codes else "number"
        also = "ID_CHAR ID_LENGTH ID_FORMAT ID_MISSING" if cell == "type" else ""
        cast.add(tables[0], person, refused(codes, cell, also), number=write(person.number), type=word)


for _name, _case in REFUSED_CARDS.items():
    _refused_card(_name, *_case)
