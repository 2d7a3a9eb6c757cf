"""One hospital from a seed: which trap hits which doctor in which file, in what order, beside how many plain rows."""

from collections.abc import Sequence
from dataclasses import dataclass

from generated_rosters import (
    across_traps,
    column_traps,
    damage,
    embedded_traps,
    health,
    layout,
    mobile_traps,
    name_traps,
    naming_traps,
    number_traps,
    seal_traps,
)
from generated_rosters.cast import FIELDS, Cast, Table, Trap
from generated_rosters.hostile import bad_files
from generated_rosters.instructions import bare, copies, grouped, side_sheets, two_phones
from generated_rosters.layout import Style
from generated_rosters.truth import Corpus, FilePlan, Sent, SheetPlan
from generated_rosters.write_text import ENCODINGS

TRAPS: tuple[Trap, ...] = tuple(
    trap
    for room in (
        number_traps,
        damage,
        name_traps,
        mobile_traps,
        seal_traps,
        across_traps,
        naming_traps,
        column_traps,
        health,
        embedded_traps,
    )
    for trap in room.TRAPS.traps
)
PASSWORD = "科室2026"
_GRID = "numeric error date flag newline spaces styled"
CAPS = {
    "openpyxl": f"{_GRID} exact runs crlf novalue hidden float one absolute link",
    "encrypted": f"{_GRID} exact runs crlf novalue hidden",
    "rich": f"{_GRID} runs formula hidden float rich",
    "wps": f"{_GRID} runs formula hidden float dispimg",
    "xls": f"{_GRID} quiet_hidden",
    "csv": "text newline spaces crlf",
    "html": "newline",
}


@dataclass(frozen=True)
class Shape:
    """One roster file of the hospital."""

    name: str
    form: str
    sheets: tuple[str | None, ...]
    without: str = ""  # columns it lacks
    options: tuple[tuple[str, str], ...] = ()
    styles: tuple[str, ...] = ("titles notes gaps",)


def _text(name: str, without: str = "", styles=("gaps",)) -> Shape:
    return Shape(name, "csv", (None,), without, styles=styles)


SHAPES = (
    Shape("01医师名单.xlsx", "openpyxl", ("门诊&急诊 <1>", "住院"), styles=("titles notes totals gaps", "two_rows titles notes")),
    Shape("02平台登记表.xlsx", "rich", ("医师", "药师"), styles=("titles sections notes", "merged titles notes")),
    Shape("03WPS采集表.xlsx", "wps", ("Sheet1",), "seal_name", styles=("titles repeated gaps notes example",)),
    Shape("04人事导出.xls", "xls", ("在编", "聘用"), styles=("titles merged notes", "totals repeated")),
    Shape("05外院.et", "xls", ("Sheet1",), "picture seal_name", styles=("two_rows notes",)),
    Shape("07加密.xlsx", "encrypted", ("名单",), "picture", styles=("titles totals",)),
    Shape("08带宏.xlsm", "encrypted", ("名单",), "seal_name", (("macros", "yes"), ("formatted", "yes")), ("two_rows merged",)),
    _text("09导出.csv", styles=("titles notes gaps",)),
    _text("10导出.csv", "type", styles=("totals notes",)),
    _text("11导出.txt", "seal_name"),
    _text("12导出.csv", "picture mobile", styles=("sections",)),
    _text("13导出.txt", "staff_no seal_name", styles=("titles repeated",)),
    _text("14导出.csv", "type seal_name picture"),
    _text("15制表符.xls", "seal_name"),
    Shape("15HIS导出.xls", "html", (None,), "picture", (("encoding", "gb2312"),), ("titles notes",)),
    Shape("16HIS导出.xls", "html", (None,), "seal_name", (("encoding", "utf-8"),), ("merged totals",)),
)  # fmt: skip


def corpus(seed: int, way: str = "folder", *, times: int = 2, plain: int = 220, step: int = 1) -> Corpus:
    """Return a hospital; ``way`` says how its pictures come, ``times`` how often each trap occurs.

    With a ``step`` of 2 every second trap of each kind occurs.
    """
    cast = Cast(seed, way)
    files, styled = _files(cast)
    tables = [table for table, _ in styled]
    traps = [trap for trap in TRAPS[::step] if way in trap.ways for _ in range(times)]
    cast.dice.shuffle(traps)
    used: dict[str, set[int]] = {}
    for trap in traps:
        chosen = _tables(cast, trap, tables, used.setdefault(trap.name, set()))
        cast.trap = trap.name
        trap.build(cast, chosen)
    cast.trap = "plain row"
    for _ in range(plain):
        cast.plain(cast.dice.choice(tables))
    for table, style in styled:
        layout.lay_out(cast, table, style)
    for file in files:
        side_sheets(cast, file)
    _first_counts(files)
    return cast.corpus(
        [*files, grouped(cast), two_phones(cast), bare(), *copies(cast), *bad_files(cast)], PASSWORD
    )


def _files(cast: Cast) -> tuple[list[FilePlan], list[tuple[Table, Style]]]:
    files, tables = [], []
    for shape in SHAPES:
        fields = [field for field in FIELDS if field not in shape.without.split()]
        caps = frozenset(CAPS[shape.form].split()) | {f"+{field}" for field in fields}
        file = FilePlan(_named(cast, shape), shape.form, options=_options(cast, shape))
        for index, name in enumerate(shape.sheets):
            sheet = layout.sheet(cast, name, fields, decoys=cast.dice.randint(1, 4))
            _office(cast, sheet, caps)
            file.sheets.append(sheet)
            tables.append((Table(sheet, caps), _style(cast, shape, index)))
        files.append(file)
    return files, tables


def _office(cast: Cast, sheet: SheetPlan, caps: frozenset[str]) -> None:
    """Leave in a sheet what people leave there."""
    if "one" in caps and cast.dice.random() < 0.5:
        sheet.logo = cast.png(cast.person()).data
    if "hidden" in caps and cast.dice.random() < 0.6:
        able = [entry for entry in ("mobile", "~note", "~title", "type") if entry in sheet.columns]
        sheet.hidden = (cast.dice.choice(able),)
        sheet.wide = True


def _options(cast: Cast, shape: Shape) -> dict[str, str]:
    options = dict(shape.options)
    if shape.form == "wps":
        options["in_cell"] = "wps"
    if shape.name == "07加密.xlsx":
        options["password"] = PASSWORD
    if shape.form == "csv":
        options |= {"encoding": cast.dice.choice(list(ENCODINGS)), "delimiter": cast.dice.choice(",\t;")}
        options |= {"line_end": cast.dice.choice(("\r\n", "\n", "\r\n", "\r"))}
        options |= {word: "yes" for word in ("quoted", "hint") if cast.dice.random() < 0.2}
    if shape.form == "html" and cast.dice.random() < 0.5:
        options["careless"] = "yes"
    if shape.form == "html" and cast.dice.random() < 0.3:
        options["silent"] = "yes"
    return options


def _style(cast: Cast, shape: Shape, position: int) -> Style:
    traits = shape.styles[position % len(shape.styles)].split()
    if "numeric" in CAPS[shape.form] and cast.dice.random() < 0.3 and "merged" not in traits:
        traits.append("example")
    if not {"merged", "two_rows", "sections"} & set(traits):
        traits += [
            word
            for word in ("pages", "reordered", "prefilled", "hints", "counted")
            if cast.dice.random() < 0.2
        ]
    return Style(**dict.fromkeys(traits, True))


def _named(cast: Cast, shape: Shape) -> str:
    """Return the file's name, which lies about its kind now and then: the first bytes decide."""
    if shape.form not in {"openpyxl", "rich", "wps", "xls"} or cast.dice.random() > 0.25:
        return shape.name
    stem, _, suffix = shape.name.rpartition(".")
    return f"{stem}.{'xls' if suffix == 'xlsx' else 'xlsx'}"


def _tables(cast: Cast, trap: Trap, tables: Sequence[Table], used: set[int]) -> list[Table]:
    """Return tables that can express a trap: others than last time, the emptier the likelier."""
    able = [index for index, table in enumerate(tables) if trap.needs <= table.caps]
    assert able, f"no table for {trap.name}"
    fresh = [position for position in able if position not in used] or able
    chosen: list[int] = []
    while len(chosen) < trap.tables:
        remaining = (
            [position for position in fresh if position not in chosen]
            or [p for p in able if p not in chosen]
            or able
        )
        weights = [1 / (8 + len(tables[position].rows)) for position in remaining]
        chosen += cast.dice.choices(remaining, weights)
    used.update(chosen)
    return [tables[position] for position in chosen]


def _first_counts(files: Sequence[FilePlan]) -> None:
    """Of equal rows in one sheet the first is the one that is sent."""
    marks: dict[str, list[tuple[int, object]]] = {}
    for file in files:
        for sheet in file.sheets:
            for line in sheet.lines:
                if line.row is not None and line.row.once:
                    marks.setdefault(line.row.once, []).append((id(sheet), line.row))
    for rows in marks.values():
        if len({sheet for sheet, _ in rows}) == 1:
            for index, (_, row) in enumerate(rows):
                row.accept = tuple(entry for entry in row.accept if isinstance(entry, Sent) == (index == 0))
