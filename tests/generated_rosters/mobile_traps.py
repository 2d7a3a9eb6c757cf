"""Mobiles in all shapes: eleven digits are found under every dress, anything else refuses the row, a blank does not."""

from generated_rosters.cast import Cast, Register
from generated_rosters.truth import refused, sent
from generated_rosters.values import Err, Formula, Num, Value

TRAPS = Register()
WIDE = str.maketrans("0123456789", "０１２３４５６７８９")

DRESSES = {
    "+86": (lambda m: f"+86{m}", ""),
    "+86 and a blank": (lambda m: f"+86 {m}", ""),
    "+86 and a dash": (lambda m: f"+86-{m}", ""),
    "86": (lambda m: f"86{m}", ""),
    "0086": (lambda m: f"0086{m}", ""),
    "(+86)": (lambda m: f"(+86){m}", ""),
    "（+86）": (lambda m: f"（+86）{m}", ""),
    "dashes 3-4-4": (lambda m: f"{m[:3]}-{m[3:7]}-{m[7:]}", ""),
    "blanks 3-4-4": (lambda m: f"{m[:3]} {m[3:7]} {m[7:]}", ""),
    "dots": (lambda m: f"{m[:3]}.{m[3:7]}.{m[7:]}", ""),
    "a float's .0": (lambda m: f"{m}.0", ""),
    "the Windows phone book's marks": (lambda m: f"\u202d{m}\u202c", ""),
    "full width": (lambda m: m.translate(WIDE), ""),
    "an apostrophe": (lambda m: f"'{m}", ""),
    "a TAB before": (lambda m: f"\t{m}", "spaces"),
    "a no-break space after": (lambda m: f"{m}\u00a0", ""),
    "a line break after": (lambda m: f"{m}\n", "newline"),
    'the ="…" trick': (lambda m: f'="{m}"', "text"),
}
NO_MOBILES = {
    "two numbers, slash": (lambda m: f"{m}/13{m[2:]}", "MOBILE_AMBIGUOUS"),
    "two numbers, blank": (lambda m: f"{m} 13{m[2:]}", "MOBILE_AMBIGUOUS"),
    "two numbers, comma": (lambda m: f"{m}，13{m[2:]}", "MOBILE_AMBIGUOUS"),
    "two numbers, 、": (lambda m: f"{m}、13{m[2:]}", "MOBILE_AMBIGUOUS"),
    "landline": (lambda m: f"010-{m[3:]}", "MOBILE_INVALID"),
    "landline without area": (lambda m: m[3:], "MOBILE_INVALID"),
    "extension": (lambda m: f"内线{m[7:]}", "MOBILE_INVALID"),
    "Hong Kong": (lambda m: f"+852 {m[3:]}", "MOBILE_INVALID"),
    "exponent": (lambda _m: "1.54E+10", "MOBILE_INVALID"),
    "masked": (lambda m: f"{m[:3]}****{m[7:]}", "MOBILE_INVALID"),
    "ten digits": (lambda m: m[:10], "MOBILE_INVALID"),
    "twelve digits": (lambda m: f"{m}0", "MOBILE_INVALID"),
    "starts with 12": (lambda m: f"12{m[2:]}", "MOBILE_INVALID"),
    "letter O": (lambda m: f"{m[:10]}O", "MOBILE_INVALID"),
    "a float of ten digits": (lambda m: f"{m[:10]}.0", "MOBILE_INVALID"),
}


def _dressed(name: str, write, needs: str) -> None:
    @TRAPS(f"mobile: {name}", f"+mobile {needs}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.give(person, tables[0])
        written = write(person.mobile)
        expect = sent(person, made, changes={"mobile": person.mobile})
        unseen = (sent(person, made),) if written[-1] == "\n" else ()  # a page ends no cell with a line break
        cast.add(tables[0], person, (expect, *unseen), mobile=written)


for _name, (_write, _needs) in DRESSES.items():
    _dressed(_name, _write, _needs)


def _refused(name: str, write, codes: str) -> None:
    @TRAPS(f"mobile: {name}", "+mobile")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        cast.give(person, tables[0])
        cast.add(tables[0], person, refused(codes, "mobile"), mobile=write(person.mobile))


for _name, (_write, _codes) in NO_MOBILES.items():
    _refused(_name, _write, _codes)


def _kept(name: str, value, needs: str) -> None:
    @TRAPS(f"mobile: {name}", f"+mobile {needs}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.give(person, tables[0])
        cast.add(tables[0], person, sent(person, made), mobile=value(person.mobile))


_kept("a number in the cell", lambda m: Num(int(m)), "numeric")
_kept("a number with the format 0", lambda m: Num(int(m), "0"), "numeric")
_kept("a formula with text", lambda m: Formula(f'"{m}"', m), "formula")


def _broken(name: str, value: Value, code: str, needs: str) -> None:
    @TRAPS(f"mobile: {name}", f"+mobile {needs}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        cast.give(person, tables[0])
        cast.add(tables[0], person, refused(code, "mobile"), mobile=value)


_broken("error value", Err("#REF!"), "FORMULA_ERROR", "error")
_broken("formula without a value", Formula("1+1", None), "FORMULA_NO_VALUE", "novalue")


@TRAPS("mobile: blank, 无, a dash", "+mobile")
def blank(cast, tables):
    for written in (None, "无", "—"):
        person = cast.person()
        made = cast.give(person, tables[0])
        cast.add(tables[0], person, sent(person, made, mobile=None, must=["MOBILE_MISSING"]), mobile=written)


@TRAPS("mobile: one for two doctors", "+mobile", tables=2)
def shared(cast, tables):
    mobile = cast.person().mobile
    for table in tables:
        person = cast.person(mobile=mobile)
        made = cast.give(person, table)
        cast.add(table, person, sent(person, made, must=["MOBILE_DUPLICATE"]))
