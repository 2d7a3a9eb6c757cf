"""Where a picture that floats over a sheet lies: the cell under its centre, and its share of each row."""

from __future__ import annotations

import openpyxl
import pytest
import xlsxwriter
from openpyxl.drawing.image import Image as Drawing
from xlsx_support import (
    TALL,
    absolute,
    drawn,
    extent,
    floating,
    height,
    marker,
    pic,
    read,
    single,
    two,
    write_seal,
)


@pytest.mark.parametrize(
    ("anchor", "address", "overlaps_neighbour"),
    [
        (two(4, 2, 4, 28, pic()), "C5", False),
        (single(4, 2, 26, pic()), "C5", False),
        (absolute(122, 26, pic()), "C5", False),
        (two(3, 28, 4, 28, pic()), "C5", False),  # begins in the row above by 2 of 30 points
        (two(3, 20, 4, 25, pic()), "C5", True),
        (two(4, 10, 5, 10, pic()), "C5", True),
        (single(4, 20, 26, pic()), "C6", True),
        (single(3, 27, 30, pic()), "C5", False),  # exactly a tenth of it above
        (single(3, 26.8, 30, pic()), "C5", True),
        (single(4, 3.2, 30, pic()), "C5", True),
        (absolute(110, 26, pic()), "C5", True),
        (two(4, 0, 5, 0, pic()), "C5", False),
        (single(8, 5, 20, pic()), "C9", False),
    ],
)
def test_a_picture_belongs_to_the_row_under_its_centre(path, work, anchor, address, overlaps_neighbour):
    assert floating(drawn(path, anchor, rows=TALL), work) == [(address, 1, overlaps_neighbour)]


@pytest.mark.parametrize(
    ("anchor", "shares"),
    [
        (single(3, 0, 90, pic()), {4: 1 / 3, 5: 1 / 3, 6: 1 / 3}),
        (single(3, 0, 60, pic()), {4: 1 / 2, 5: 1 / 2}),
        (absolute(110, 40, pic()), {4: 1 / 4, 5: 3 / 4}),
        (two(3, 20, 4, 20, pic()), {4: 1 / 3, 5: 2 / 3}),
    ],
)
def test_a_picture_has_a_share_of_each_row_that_it_lies_over(path, work, anchor, shares):
    (image,) = next(read(drawn(path, anchor, rows=TALL), work).sheets).pictures
    assert dict(image.shares) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("anchor", "begins_row"),
    [
        (single(3, 0, 40, pic()), True),
        (single(3, 0.5, 40, pic()), True),
        (single(3, 29.5, 40, pic()), True),  # less than a pixel above the next row
        (single(3, 2, 40, pic()), False),
        (absolute(90, 40, pic()), True),
        (absolute(93, 40, pic()), False),
    ],
)
def test_a_picture_begins_a_row_on_its_upper_edge(path, work, anchor, begins_row):
    (image,) = next(read(drawn(path, anchor, rows=TALL), work).sheets).pictures
    assert image.begins_row is begins_row


@pytest.mark.parametrize(
    "anchor",
    [
        two(4, 10, 4, 10, pic()),  # of no height
        two(6, 0, 4, 0, pic()),  # upside down
        single(3, 0, 30 * 300, pic()),  # over 300 rows
    ],
)
def test_a_picture_without_a_usual_height_belongs_to_no_row(path, work, anchor):
    book = read(drawn(path, anchor, rows=TALL, head='<sheetFormatPr defaultRowHeight="30"/>'), work)
    assert next(book.sheets).pictures == []
    assert len(book.notes) == 1
    assert book.notes[0].startswith(("a!C4: ", "a!C5: ", "a!C7: "))
    assert "without a row of its own" in book.notes[0]


def test_openpyxl_and_xlsxwriter_place_alike(tmp_path, work):
    rows = {2: 60, 3: 20, 4: 75, 7: 40}  # points
    book = openpyxl.Workbook()
    for row, points in rows.items():
        book.active.row_dimensions[row].height = points
        picture = Drawing(write_seal(tmp_path, row))
        picture.width, picture.height = 40, int(points * 4 / 3) - 4
        book.active.add_image(picture, f"C{row}")
    book.save(tmp_path / "a.xlsx")
    expected = [(f"C{row}", row, False) for row in rows]
    assert floating(tmp_path / "a.xlsx", work) == expected
    for position in (1, 2, 3):  # moves and sizes with cells, moves alone, neither
        other = xlsxwriter.Workbook(tmp_path / "b.xlsx")
        sheet = other.add_worksheet()
        for row, points in rows.items():
            sheet.set_row(row - 1, points)
        for row, points in rows.items():
            scale = {"x_scale": 2, "y_scale": (points * 4 / 3 - 4) / 8}
            sheet.insert_image(
                row - 1, 2, write_seal(tmp_path, row), {"y_offset": 2, "object_position": position, **scale}
            )
        other.close()
        assert floating(tmp_path / "b.xlsx", work) == expected


def test_rows_have_the_heights_of_the_sheet(path, work):
    """Default height, hidden rows of no height, rows left out, and rows without numbers."""
    head = '<sheetFormatPr defaultRowHeight="40"/>'
    rows = '<row r="2" ht="10"/><row ht="60"/><row r="5" hidden="1"/><row r="6" ht="0"/><row r="7" ht="1e9"/>'
    # tops: 0 40 50 110 150 150 150 190
    anchors = (
        absolute(45, 4, pic("p1")) + absolute(120, 20, pic("p2")) + absolute(160, 20, pic("p3"))
        + absolute(40 * 1000 - 2 * 40 - 30 + 20 + 5, 20, pic("p1"))
    )  # fmt: skip
    assert floating(drawn(path, anchors, head=head, rows=rows), work) == [
        ("C2", 1, False),
        ("C4", 2, False),
        ("C7", 3, False),
        ("C1001", 1, False),
    ]


def test_a_picture_over_hidden_rows_belongs_to_the_row_that_shows_it(path, work):
    rows = height(30, 30, None, None, 30, 30)
    anchors = two(1, 5, 4, 2, pic("p1")) + single(4, 2, 26, pic("p2"))
    assert floating(drawn(path, anchors, rows=rows), work) == [("C2", 1, False), ("C5", 2, False)]


def test_a_picture_that_starts_in_a_hidden_row_stays_there(path, work):
    """A filter hides its row: the picture shrinks to nothing, or drifts over a row that is another doctor's."""
    rows = '<row r="1" ht="30"/><row r="2" ht="30" hidden="1"/><row r="3" ht="30" hidden="1"/><row r="4" ht="30"/>'
    rows += '<row r="5" ht="0"/><row r="6" ht="30"/>'
    anchors = (
        two(1, 2, 1, 28, pic("p1"))
        + single(2, 2, 26, pic("p2"))
        + two(2, 0, 2, 0, pic("p3"))
        + single(3, 2, 26, pic("p1"))
        + single(4, 1, 13, pic("p2"))
    )
    assert floating(drawn(path, anchors, rows=rows), work) == [
        ("C2", 1, False),
        ("C3", 2, False),
        ("C3", 3, False),
        ("C4", 1, False),
        ("C5", 2, False),
    ]


def test_rows_that_are_hidden_by_default_have_no_height(path, work):
    head = '<sheetFormatPr defaultRowHeight="20" zeroHeight="1"/>'
    rows = '<row r="1"/><row r="5"/><row r="9" ht="30"/>'
    anchors = absolute(22, 16, pic("p1")) + absolute(45, 20, pic("p2")) + absolute(90, 20, pic("p3"))
    assert floating(drawn(path, anchors, head=head, rows=rows), work) == [
        ("C5", 1, False),
        ("C9", 2, False),
    ]


def test_the_column_is_the_one_under_the_centre(path, work):
    head = (
        '<sheetFormatPr defaultRowHeight="30" defaultColWidth="10"/>'
        '<cols><col min="1" max="2" width="20"/><col min="3" max="3" width="5" hidden="1"/></cols>'
    )
    wide = 140 * 0.75  # points of a column of 20 characters
    anchors = (
        absolute(2, 26, pic("p1"), left_edge=5)
        + absolute(2, 26, pic("p2"), left_edge=wide + 5)
        + absolute(2, 26, pic("p3"), left_edge=2 * wide + 2)
    )
    assert [entry[0] for entry in floating(drawn(path, anchors, head=head), work)] == ["A1", "B1", "D1"]
    inside = two(0, 2, 0, 28, pic()).replace("<xdr:col>3</xdr:col>", "<xdr:col>2</xdr:col>")
    assert floating(drawn(path, inside, head=head), work) == [("C1", 1, False)]


def test_pictures_in_groups_stand_where_they_are_drawn(path, work):
    """The group's children live in coordinates of their own; groups hold groups."""

    def position(y: int, embed: str) -> str:
        return pic(embed, transform=f'<a:xfrm><a:off x="1000" y="{y}"/><a:ext cx="100" cy="100"/></a:xfrm>')

    def group(content: str, own: str = "", space: str = "") -> str:
        return f"<xdr:grpSp><xdr:nvGrpSpPr/><xdr:grpSpPr><a:xfrm>{own}{space}</a:xfrm></xdr:grpSpPr>{content}</xdr:grpSp>"

    space = '<a:chOff x="1000" y="5000"/><a:chExt cx="100" cy="300"/>'
    inner_own = '<a:off x="1000" y="5200"/><a:ext cx="100" cy="100"/>'
    inner_space = '<a:chOff x="1000" y="0"/><a:chExt cx="100" cy="100"/>'
    children = position(5000, "p1") + position(5100, "p2") + group(position(0, "p3"), inner_own, inner_space)
    anchor = two(2, 0, 5, 0, group(children, "", space))
    assert floating(drawn(path, anchor, rows=TALL), work) == [
        ("C3", 1, False),
        ("C4", 2, False),
        ("C5", 3, False),
    ]
    unplaced = two(2, 2, 2, 28, group(pic("p1") + group(pic("p2"))))
    assert floating(drawn(path, unplaced, rows=TALL), work) == [("C3", 1, False), ("C3", 2, False)]


@pytest.mark.parametrize(
    "anchor",
    [
        two(1, 2, 1, 28, pic()).replace("<xdr:row>1<", f"<xdr:row>{10**30}<", 1),
        two(1, 2, 1, 28, pic()).replace("<xdr:row>1<", "<xdr:row>-1<", 1),
        two(1, 2, 1, 28, pic()).replace("<xdr:row>1<", f"<xdr:row>{'9' * 5_000}<", 1),
        two(1, 2, 1, 28, pic()).replace("<xdr:row>1<", "<xdr:row>１<", 1),
        two(1, 2, 1, 28, pic()).replace("<xdr:col>2<", "<xdr:col>16384<"),
        two(1, 2, 1, 28, pic()).replace(f"<xdr:rowOff>{28 * 12_700}<", f"<xdr:rowOff>{10**40}<"),
        two(1, 2, 1, 28, pic()).replace("xdr:to>", "xdr:till>"),
        single(1, 2, 26, pic()).replace(extent(26), ""),
        single(1, 2, 26, pic()).replace('cy="', 'cy="NaN'),
        absolute(2, 26, pic()).replace('y="', 'y="1e'),
        absolute(20_000_000, 26, pic()),
        f"<xdr:twoCellAnchor>{pic()}</xdr:twoCellAnchor>",
        f"<xdr:oneCellAnchor>{marker('from', 1).replace('<xdr:row>1</xdr:row>', '')}{extent(9)}{pic()}</xdr:oneCellAnchor>",
    ],
)
def test_an_anchor_that_makes_no_sense_holds_nothing(path, work, anchor):
    book = read(drawn(path, anchor, rows=TALL), work)
    assert next(book.sheets).pictures == []
    assert "without a row" in book.notes[0]
