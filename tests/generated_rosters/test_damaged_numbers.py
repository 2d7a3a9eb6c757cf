"""Hundreds of damaged identity numbers in every kind of file: not one is sent, each is refused with its cell's address."""

import os
from collections import Counter

import pytest
from generated_rosters import layout
from generated_rosters.cast import Cast, Table
from generated_rosters.corpus import CAPS
from generated_rosters.damage import DAMAGES
from generated_rosters.layout import Style
from generated_rosters.stage import stage
from generated_rosters.truth import FilePlan, Refused

LONG = bool(os.environ.get("TRAP_SEEDS"))  # make trap
ROWS = 1000 if LONG else 140
FIELDS = ("name", "number", "mobile", "staff_no", "department")
FILES = (
    FilePlan("a.xlsx", "openpyxl"),
    FilePlan("b.xlsx", "rich"),
    FilePlan("c.xls", "xls"),
    FilePlan("e.csv", "csv", options={"encoding": "gb18030", "delimiter": ","}),
    FilePlan("f.txt", "csv", options={"encoding": "utf-16", "delimiter": "\t"}),
    FilePlan("g.xls", "html", options={"encoding": "utf-8"}),
)


def _hospital(cast: Cast, files):
    """Fill the files in turn with every kind of damage each can express, and one sound doctor each."""
    tables = []
    for file in files:
        name = None if file.form in {"csv", "html"} else "名单"
        sheet = layout.sheet(cast, name, FIELDS)
        file.sheets.append(sheet)
        caps = frozenset(CAPS[file.form].split()) | {f"+{field}" for field in FIELDS}
        tables.append(Table(sheet, caps))
    kinds = list(DAMAGES.items())
    written = turn = 0
    while written < ROWS:
        turn += 1
        for index, (name, damage) in enumerate(kinds):
            able = [table for table in tables if frozenset(damage.needs.split()) <= table.caps]
            table = able[(turn + index) % len(able)]
            person = cast.person(number=cast.crowd.number(ends=cast.dice.choice("123456789")))
            cast.give(person, table, "staff_no name")
            cast.trap = name
            expect = Refused(frozenset(damage.codes.split()), "number")
            cast.add(table, person, expect, number=damage.write(cast, person.number))
            written += 1
    cast.trap = "plain row"
    for table in tables:
        cast.plain(table)
        layout.lay_out(cast, table, Style(titles=table.sheet.name is not None))
    return cast.corpus(list(files), "")


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    corpus = _hospital(Cast(7, "folder"), FILES)
    with stage(corpus, tmp_path_factory.mktemp("damaged")) as scene:
        scene.go("run", "--yes")
        reported_rows = {
            (line["file"], line["sheet"], line["row"]): line for line in scene.lines("outcomes.jsonl")
        }
        yield corpus, reported_rows, list(scene.service.seals)


def _rows(corpus, *, sound: bool):
    return [
        (file, sheet, line) for file, sheet, line in corpus.rows() if (line.row.trap == "plain row") == sound
    ]


def test_there_are_hundreds_of_more_than_forty_kinds(damaged):
    corpus, _, _ = damaged
    rows = _rows(corpus, sound=False)
    kinds = Counter(line.row.trap for _, _, line in rows)
    assert len(rows) >= ROWS
    assert len(kinds) > 40
    assert min(kinds.values()) >= (15 if LONG else 2)
    assert {file.form for file, _, _ in rows} == {file.form for file in FILES}


def test_no_damaged_number_is_sent(damaged):
    corpus, _, seals = damaged
    sound = {line.row.cells["number"] for _, _, line in _rows(corpus, sound=True)}
    assert {seal.number for seal in seals} == sound


def test_each_damaged_number_is_refused_with_its_cell_and_code(damaged):
    corpus, shown, _ = damaged
    wrong = []
    for file, sheet, line in _rows(corpus, sound=False):
        reported = shown.get((file.name, sheet.name, line.physical_lines[0]))
        column = chr(ord("A") + line.columns.index("number"))
        wanted = {(code, f"{column}{line.physical_lines[0]}") for code in line.row.accept[0].codes}
        errors = (
            {
                (problem["code"], problem["cell"])
                for problem in reported["problems"]
                if problem["severity"] == "error"
            }
            if reported
            else set()
        )
        if reported is None or reported["status"] != "rejected" or not errors <= wanted or not errors:
            wrong.append(
                f"{file.name} {line.physical_lines[0]} [{line.row.trap}] expected {wanted}, got {errors}"
            )
    assert not wrong, "\n".join(wrong)
