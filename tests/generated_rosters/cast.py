"""What a trap is made of: new people, their pictures, a place in the folder, a line in a table."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from generated_rosters import pictures
from generated_rosters.people import ID, Crowd, Person
from generated_rosters.truth import Corpus, Expect, RowPlan, Sent, SheetPlan, sent
from generated_rosters.values import Encoded, Placed, Value
from PIL import Image

FIELDS = ("name", "number", "type", "mobile", "staff_no", "department", "seal_name", "picture")


@dataclass
class Table:
    """One sheet that takes doctors: what its format can express (``caps``) and the rows it has so far.

    Capabilities are words like ``numeric`` or ``formula``, and ``+staff_no`` for a column that it has.
    """

    sheet: SheetPlan
    caps: frozenset[str]
    rows: list[RowPlan] = field(default_factory=list)

    def add(self, plan: RowPlan) -> None:
        """Take a row."""
        self.rows.append(plan)

    def has(self, column: str) -> bool:
        """Tell whether the table has a column."""
        return f"+{column}" in self.caps


@dataclass(frozen=True)
class Trap:
    """One trap: what makes it, and what a table must be able to express for it."""

    name: str
    build: Callable[["Cast", Sequence[Table]], None]
    needs: frozenset[str]
    tables: int = 1
    ways: frozenset[str] = frozenset({"folder", "windows", "macos"})


class Register:
    """The traps of one module, in the order in which they are written."""

    def __init__(self) -> None:
        self.traps: list[Trap] = []

    def __call__(self, name: str, needs: str = "", *, tables: int = 1, ways: str = "folder windows macos"):
        """Enter the decorated function as a trap."""

        def enter(build):
            self.traps.append(Trap(name, build, frozenset(needs.split()), tables, frozenset(ways.split())))
            return build

        return enter


class Cast:
    """One corpus in the making."""

    def __init__(self, seed: int, way: str) -> None:
        self.seed, self.way = seed, way
        self.dice = random.Random(f"{seed} {way}")
        self.crowd = Crowd(self.dice)
        self.placed: list[Placed] = []
        self.leftovers: set[str] = set()
        self.drawn: dict[str, Image.Image] = {}
        self.trap = "plain row"

    def person(self, **fixed) -> Person:
        """Return a new doctor."""
        return self.crowd.person(**fixed)

    def draw(self, person: Person) -> Image.Image:
        """Return the doctor's picture, and remember whose it is."""
        made = pictures.draw(self.seed, person.serial, person.name)
        self.drawn.setdefault(f"{person.name}#{person.serial}", made)
        return made

    def png(self, person: Person) -> Encoded:
        """Return the doctor's picture as a plain PNG."""
        made = self.draw(person)
        return Encoded(pictures.png(made), ".png", made)

    def add_file(self, path: str | bytes, data: bytes) -> None:
        """Put a file into the picture folder."""
        self.placed.append(Placed(path, data))

    def leave(self, path: str, data: bytes) -> None:
        """Put a picture there that nobody may get."""
        self.add_file(path, data)
        self.leftovers.add(path.rsplit("/", 1)[-1])

    def give(self, person: Person, table: Table, by: str = "number staff_no name") -> Encoded:
        """Put the doctor's picture into the folder under an exact name, after one of the columns in ``by``."""
        ways = [way for way in by.split() if way != "staff_no" or table.has("staff_no")]
        if not self.writable(person.name):
            ways = [way for way in ways if way != "name"] or ["number"]
        stem = {"number": person.number, "staff_no": person.staff_no, "name": person.name}
        made = self.png(person)
        self.add_file(stem[self.dice.choice(ways)] + made.suffix, made.data)
        return made

    def writable(self, name: str) -> bool:
        """Tell whether the way the pictures come can carry a name: Windows zips know no four-byte characters."""
        if self.way != "windows":
            return True
        try:
            name.encode("gbk")
        except UnicodeEncodeError:
            return False
        return True

    def cells(self, person: Person, table: Table, **over: Value) -> dict[str, Value]:
        """Return a line's cells for the columns of the table, as a careful clerk fills them in."""
        usual: dict[str, Value] = {
            "name": person.name,
            "number": person.number,
            "type": person.card_word,
            "mobile": person.mobile,
            "staff_no": person.staff_no,
            "department": person.department,
            "seal_name": None,
            "picture": None,
        }
        unknown = over.keys() - usual.keys()
        assert not unknown, unknown
        return {column: value for column, value in {**usual, **over}.items() if table.has(column)}

    def add(
        self,
        table: Table,
        person: Person,
        accept: Expect | Iterable[Expect],
        *,
        floats=(),
        hidden: bool = False,
        once: str | None = None,
        **cells: Value,
    ) -> None:
        """Write a line for the person into the table, with every outcome an expert would sign."""
        outcomes = (accept,) if not isinstance(accept, tuple | list) else tuple(accept)
        if not table.has("mobile"):
            outcomes = tuple(map(_without_mobile, outcomes))
        if (
            self.way == "windows"
        ):  # in such a zip GBK bytes may be valid UTF-8: then the name is mended, and said so
            outcomes = tuple(replace(outcome, may=outcome.may | {"IMAGE_NAME_FUZZY"}) for outcome in outcomes)
        plan = RowPlan(self.trap, self.cells(person, table, **cells), outcomes, tuple(floats), hidden, once)
        plan.department = person.department
        table.add(plan)

    def plain(self, table: Table, person: Person | None = None) -> None:
        """Write a line without any trap."""
        person = person or self.person()
        made = self.give(person, table)
        self.add(table, person, sent(person, made))

    def corpus(self, files, password: str) -> Corpus:
        """Return everything that was made."""
        return Corpus(
            self.seed, self.way, files, self.placed, frozenset(self.leftovers), self.drawn, password
        )


def _without_mobile(expect: Expect) -> Expect:
    """Return what is expected where the table has no such column: that may be said or not."""
    may = expect.may | {"MOBILE_MISSING"}
    return replace(expect, mobile=None, may=may) if isinstance(expect, Sent) else replace(expect, may=may)


def is_id(person: Person) -> bool:
    """Tell whether the doctor has an identity card."""
    return person.card == ID
