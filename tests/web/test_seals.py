"""The lists of seals are those of `export`."""

import io

import openpyxl
import pytest


@pytest.fixture
def inside(hospital, page):
    hospital.seal_doctors(3)
    return page.enter(Accept_Language="en")


def read_rows(content):
    book = openpyxl.load_workbook(io.BytesIO(content))
    rows = [list(row) for row in book.active.iter_rows(values_only=True)]
    return rows, [[list(row) for row in sheet.iter_rows(values_only=True)] for sheet in book]


@pytest.mark.parametrize(
    ("address", "options"),
    [
        ("/seals/all.xlsx", ()),
        ("/seals/leavers.xlsx", ("--leavers",)),
        ("/seals/of/{run}.xlsx", ("--run", "{run}")),
    ],
)
def test_a_list_is_the_one_that_the_command_writes(hospital, inside, address, options):
    run = hospital.newest.name
    if options == ("--leavers",):
        hospital.doctors(2)
        assert hospital.go("run") == 0
    exported = hospital.folder / "exported.xlsx"
    words = [word.format(run=run) for word in options]
    assert hospital.go("export", "--out", str(exported), *words) == 0
    answer = inside.get(address.format(run=run))
    assert answer.status == 200
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert read_rows(answer.body) == read_rows(exported.read_bytes())


def test_the_leavers_are_not_listed_while_a_roster_is_not_read(hospital, inside):
    hospital.doctors(2)
    (hospital.folder / "inbox" / "locked.xlsx").write_bytes(b"PK")
    assert hospital.go("check") == 7
    answer = inside.get("/seals/leavers.xlsx")
    assert answer.status == 503
    assert "locked.xlsx was not read" in answer.text


def test_the_pages_lead_to_the_lists(hospital, inside):
    assert 'href="/seals/all.xlsx"' in inside.get("/runs").text
    assert f'href="/seals/of/{hospital.newest.name}.xlsx"' in inside.get(f"/runs/{hospital.newest.name}").text


def test_a_run_that_is_not_known_has_no_list(inside):
    answer = inside.get("/seals/of/20200101-000000-000.xlsx")
    assert answer.status == 404
