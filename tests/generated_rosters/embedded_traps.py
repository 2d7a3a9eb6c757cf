"""Pictures inside workbooks: floating with every kind of anchor, placed in a cell by WPS or by Excel 365."""

from generated_rosters.cast import Cast, Register
from generated_rosters.health import BAD, GOOD, salted
from generated_rosters.truth import refused, sent
from generated_rosters.values import Encoded, Float, InCell

TRAPS = Register()
STRADDLES = frozenset({"IMAGE_AMBIGUOUS"})  # a warning: two thirds are in this row, the edge in the next


def _float(made: Encoded, **where) -> Float:
    return Float(made.data, suffix=made.suffix, **where)


def _add_whole(cast: Cast, table, anchor: str) -> None:
    """Add pictures that lie within their rows: where most lie over two, the column has slipped."""
    for _ in range(3):
        person = cast.person()
        made = cast.png(person)
        cast.add(table, person, sent(person, made), floats=[_float(made, anchor=anchor, shift=0.1)])


def _floating(name: str, needs: str, *, straddles: bool = False, **where) -> None:
    @TRAPS(f"floating picture: {name}", f"+picture float {needs}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.png(person)
        expect = sent(person, made, must=STRADDLES) if straddles else sent(person, made)
        cast.add(tables[0], person, expect, floats=[_float(made, **where)])
        if straddles:
            _add_whole(cast, tables[0], where["anchor"])


_floating("two corners", "", anchor="two", shift=0.1)
_floating("one corner and a size", "one", anchor="one", shift=0.1)
_floating("absolute place", "absolute", anchor="absolute", shift=0.1)
_floating("two corners, its top in the row above", "", straddles=True, anchor="two", shift=-0.18)
_floating("one corner, its top in the row above", "one", straddles=True, anchor="one", shift=-0.18)
_floating("absolute, its foot in the row below", "absolute", straddles=True, anchor="absolute", shift=0.38)
_floating("two corners, its foot in the row below", "", straddles=True, anchor="two", shift=0.38)


def _between(name: str, needs: str, **where) -> None:
    @TRAPS(f"floating picture: {name}", f"+picture float {needs}")
    def build(cast: Cast, tables) -> None:
        person = cast.person()
        cast.add(tables[0], person, refused("IMAGE_AMBIGUOUS"), floats=[_float(cast.png(person), **where)])
        _add_whole(cast, tables[0], where["anchor"])


_between("less than two thirds in its row", "", anchor="two", shift=-0.28)
_between("one corner, less than two thirds in its row", "one", anchor="one", shift=0.6)
_between("over parts of three rows", "one", anchor="one", shift=-0.4, tall=1.8)
_between("absolute over parts of three rows", "absolute", anchor="absolute", shift=-0.4, tall=1.8)


@TRAPS("floating picture: over three rows, less than half of it in the middle one", "+picture float one")
def tall(cast, tables):
    """Its centre says whose it is; that it is nobody's is the careful answer."""
    person = cast.person()
    made = cast.png(person)
    accept = (sent(person, made, must=STRADDLES), refused("IMAGE_MISSING IMAGE_AMBIGUOUS"))
    cast.add(tables[0], person, accept, floats=[_float(made, anchor="one", shift=-0.7, tall=2.4)])
    _add_whole(cast, tables[0], "one")


@TRAPS("twice: two different pictures in the cells", "+picture float")
def twice_differing(cast, tables):
    person, other = cast.person(), cast.person()
    for entry in (person, other):
        expect = refused("ROW_DUPLICATE IMAGE_AMBIGUOUS")
        cast.add(tables[0], person, expect, floats=[_float(cast.png(entry))])


@TRAPS("floating picture: the file of another doctor", "+picture float", tables=2)
def others_file(cast, tables):
    person, other = cast.person(), cast.person()
    made = cast.give(other, tables[1])
    cast.add(tables[0], person, refused("IMAGE_SHARED"), floats=[_float(made)])
    cast.add(tables[1], other, refused("IMAGE_SHARED"))


@TRAPS("floating picture: over a hidden row", "+picture one hidden")
def over_hidden(cast, tables):
    """Where it shows is nowhere: its own doctor may have it, nobody else."""
    person = cast.person()
    made = cast.png(person)
    accept = (
        sent(person, made, must=["ROW_HIDDEN"], may=STRADDLES),
        refused("IMAGE_MISSING", None, "ROW_HIDDEN"),
    )
    cast.add(tables[0], person, accept, floats=[_float(made, shift=0.1)], hidden=True)


@TRAPS("floating picture: JPEG", "+picture float")
def jpeg(cast, tables):
    person = cast.person()
    made = GOOD["JPEG"](cast.draw(person))
    cast.add(tables[0], person, sent(person, made), floats=[_float(made)])


@TRAPS("floating pictures: two different ones on a row", "+picture float")
def two(cast, tables):
    person, other = cast.person(), cast.person()
    floats = [_float(cast.png(person)), _float(cast.png(other), shift=0.15)]
    cast.add(tables[0], person, refused("IMAGE_AMBIGUOUS"), floats=floats)


@TRAPS("floating pictures: the same one twice on a row", "+picture float")
def same_twice(cast, tables):
    person = cast.person()
    made = cast.png(person)
    expect = sent(person, made, may=frozenset({"IMAGE_DUPLICATE_FILE"}))
    cast.add(tables[0], person, expect, floats=[_float(made), _float(made, shift=0.15)])


@TRAPS("floating picture: one picture on two doctors' rows", "+picture float", tables=2)
def shared(cast, tables):
    first, second = cast.person(), cast.person()
    made = cast.png(first)
    for table, person in zip(tables, (first, second), strict=True):
        cast.add(table, person, refused("IMAGE_SHARED"), floats=[_float(made)])


@TRAPS("floating picture beside the same file in the folder", "+picture float")
def with_same_too(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    expect = sent(person, made, may=frozenset({"IMAGE_DUPLICATE_FILE"}))
    cast.add(tables[0], person, expect, floats=[_float(made)])


@TRAPS("floating picture beside another file in the folder", "+picture float")
def with_other_too(cast, tables):
    person, other = cast.person(), cast.person()
    cast.give(person, tables[0])
    cast.add(tables[0], person, refused("IMAGE_AMBIGUOUS"), floats=[_float(cast.png(other))])


@TRAPS("floating picture beside another named in the column", "+picture float")
def with_column_too(cast, tables):
    person, other = cast.person(), cast.person()
    file = f"附图{person.serial}.png"
    cast.add_file(file, cast.png(person).data)
    expect = refused("IMAGE_AMBIGUOUS")
    cast.add(tables[0], person, expect, floats=[_float(cast.png(other))], picture=file)


@TRAPS("floating picture: linked, its bytes elsewhere", "+picture link")
def linked(cast, tables):
    person = cast.person()
    floats = [_float(cast.png(person), linked=True)]
    cast.add(tables[0], person, refused("IMAGE_MISSING"), floats=floats)


@TRAPS("floating picture: linked, beside a file in the folder", "+picture link")
def linked_with_file(cast, tables):
    person, other = cast.person(), cast.person()
    made = cast.give(person, tables[0])
    floats = [_float(cast.png(other), linked=True)]
    cast.add(tables[0], person, sent(person, made), floats=floats)


@TRAPS("floating picture: blank", "+picture float")
def blank(cast, tables):
    person = cast.person()
    data = salted(BAD["white"][0](cast.draw(person)), person.serial)
    cast.add(tables[0], person, refused("IMAGE_BLANK"), floats=[Float(data)])


def _in_cell(way: str, label: str) -> None:
    @TRAPS(f"{label}: in the cell", f"+picture {way}")
    def plain(cast: Cast, tables) -> None:
        for _ in range(3):
            person = cast.person()
            made = cast.png(person)
            cast.add(tables[0], person, sent(person, made), picture=InCell(made.data, f"p{person.serial}"))

    @TRAPS(f"{label}: a cell copied to another doctor's row", f"+picture {way}")
    def copied(cast: Cast, tables) -> None:
        first, second = cast.person(), cast.person()
        made = cast.png(first)
        for person in (first, second):
            expect = refused("IMAGE_SHARED", "picture")
            cast.add(tables[0], person, expect, picture=InCell(made.data, f"p{first.serial}"))

    @TRAPS(f"{label}: beside the same file in the folder", f"+picture {way}")
    def with_same_too(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.give(person, tables[0])
        expect = sent(person, made, may=frozenset({"IMAGE_DUPLICATE_FILE"}))
        cast.add(tables[0], person, expect, picture=InCell(made.data, f"p{person.serial}"))

    @TRAPS(f"{label}: beside another file in the folder", f"+picture {way}")
    def with_other_too(cast: Cast, tables) -> None:
        person, other = cast.person(), cast.person()
        cast.give(person, tables[0])
        picture = InCell(cast.png(other).data, f"p{other.serial}")
        cast.add(tables[0], person, refused("IMAGE_AMBIGUOUS"), picture=picture)

    @TRAPS(f"{label}: beside another one floating over the row", f"+picture {way} float")
    def with_float_too(cast: Cast, tables) -> None:
        person, other = cast.person(), cast.person()
        picture = InCell(cast.png(person).data, f"p{person.serial}")
        floats = [_float(cast.png(other))]
        cast.add(tables[0], person, refused("IMAGE_AMBIGUOUS"), picture=picture, floats=floats)

    @TRAPS(f"{label}: the same doctor twice, the cell copied", f"+picture {way}")
    def twice(cast: Cast, tables) -> None:
        person = cast.person()
        made = cast.png(person)
        mark = f"{cast.trap} {person.serial}"
        for _ in range(2):
            accept = (sent(person, made), refused("ROW_DUPLICATE", "number"))
            picture = InCell(made.data, f"p{person.serial}")
            cast.add(tables[0], person, accept, once=mark, picture=picture)


_in_cell("dispimg", "WPS picture")
_in_cell("rich", "Excel picture")


@TRAPS("WPS picture: an id the file does not hold", "+picture dispimg")
def dangling(cast, tables):
    person = cast.person()
    expect = refused("IMAGE_MISSING IMAGE_CORRUPT")
    cast.add(tables[0], person, expect, picture=InCell(None, f"gone{person.serial}"))


@TRAPS("WPS picture: an id the file does not hold, beside a file in the folder", "+picture dispimg")
def dangling_with_file(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    accept = (sent(person, made, may=frozenset({"IMAGE_CORRUPT"})), refused("IMAGE_MISSING IMAGE_CORRUPT"))
    cast.add(tables[0], person, accept, picture=InCell(None, f"gone{person.serial}"))


@TRAPS("hidden row", "hidden")
def hidden(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    cast.add(tables[0], person, sent(person, made, must=["ROW_HIDDEN"]), hidden=True)


@TRAPS("hidden row that is refused", "hidden")
def hidden_refused(cast, tables):
    person = cast.person()
    cast.give(person, tables[0], "staff_no name")
    expect = refused("ID_LENGTH", "number", "ROW_HIDDEN")
    cast.add(tables[0], person, expect, hidden=True, number=person.number[:17])


@TRAPS("hidden row, in a format that cannot say so", "quiet_hidden")
def quiet(cast, tables):
    person = cast.person()
    made = cast.give(person, tables[0])
    cast.add(tables[0], person, sent(person, made, may=frozenset({"ROW_HIDDEN"})), hidden=True)
