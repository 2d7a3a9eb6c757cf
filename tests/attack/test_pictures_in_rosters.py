"""Pictures in a roster: what slipped into another row, and what is a portrait, may become no seal."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import openpyxl
import pytest
from attack.marks import draw_mark
from attack.stage import HEADERS, LONG, Stage, person, read_lines
from run_support import newest_results
from xlsx_support import absolute, drawn, inline, pic, single, two

GROUP = "pictures in rosters"
DOCTORS = 6
TITLES = ("姓名", "证件号码", "印章", "手机号", "工号", "科室")
PICTURE = 37.5  # points: 50 pixels
EVEN = [30.0, *[45.0] * DOCTORS]  # the header and the doctors
UNEVEN = [30.0, *[45.0, 80.0] * (DOCTORS // 2)]
TIGHT = [30.0, *[PICTURE] * DOCTORS]


def compute_row(heights: Sequence[float], top: float) -> tuple[int, float]:
    """Return the row from 0, and the points below its upper edge."""
    for row, height in enumerate(heights):
        if top < height:
            return row, top
        top -= height
    return len(heights) + int(top // 15), top % 15


def by_two(heights, top: float, content: str) -> str:
    return two(*compute_row(heights, top), *compute_row(heights, top + PICTURE), content)


def by_one(heights, top: float, content: str) -> str:
    return single(*compute_row(heights, top), PICTURE, content)


def by_place(_heights, top: float, content: str) -> str:
    return absolute(top, PICTURE, content, left_edge=110)


def in_group(heights, top: float, content: str) -> str:
    """The upper half of the group is empty."""
    own = '<a:off x="0" y="100"/><a:ext cx="100" cy="100"/>'
    content = content.replace("<xdr:spPr></xdr:spPr>", f"<xdr:spPr><a:xfrm>{own}</a:xfrm></xdr:spPr>")
    space = '<a:chOff x="0" y="0"/><a:chExt cx="100" cy="200"/>'
    group = (
        f"<xdr:grpSp><xdr:nvGrpSpPr/><xdr:grpSpPr><a:xfrm>{space}</a:xfrm></xdr:grpSpPr>{content}</xdr:grpSp>"
    )
    return absolute(top - PICTURE, 2 * PICTURE, group, left_edge=110)


def write_roster(
    stage: Stage,
    tops: Sequence[float],
    anchor: Callable[..., str] = by_two,
    *,
    heights: Sequence[float] = EVEN,
    titles: Sequence[str] = TITLES,
    lines: int = 1,
    merges: str = "",
    hidden: Sequence[int] = (),
) -> None:
    """Write a roster whose doctors' pictures begin so many points below its top; ``lines`` of the sheet for each."""
    serials = range(1, len(tops) + 1)
    data = {0: titles}
    for serial in serials:
        stage.know(serial)
        name, number, mobile, staff_no, department = person(serial).cells
        data[1 + (serial - 1) * lines] = (name, number, "", mobile, staff_no, department)
    rows = ""
    for row, height in enumerate(heights):
        cells = "".join(
            inline(f"{'ABCDEF'[index]}{row + 1}", text)
            for index, text in enumerate(data.get(row, ()))
            if text
        )
        mark = ' hidden="1"' if row in hidden else ""
        rows += f'<row r="{row + 1}" ht="{height}"{mark}>{cells}</row>'
    media = {}
    for serial in serials:
        buffer = io.BytesIO()
        draw_mark(serial).save(buffer, "PNG")
        media[f"media/{serial}.png"] = buffer.getvalue()
    pictures = "".join(
        anchor(heights, top, pic(f"p{serial}")) for serial, top in zip(serials, tops, strict=True)
    )
    related = {f"p{serial}": ("image", f"../media/{serial}.png") for serial in serials}
    path = stage.folder / "inbox" / "roster.xlsx"
    drawn(path, pictures, rows=rows, behind=merges, media=media, **related)


def list_tops(heights: Sequence[float], slip: float = 0.0, *, lines: int = 1) -> list[float]:
    """Return where each picture begins if its upper edge is so many points away from that of its row."""
    return [sum(heights[: 1 + index * lines]) + slip for index in range((len(heights) - 1) // lines)]


def list_notes(stage: Stage) -> list[str]:
    results = newest_results(stage.folder / "out")
    return [note for file in read_lines(results / "files.jsonl") for note in file["notes"]]


ANCHORS = (by_two, by_one, by_place, in_group)
SHARES = (0.52, 0.5, 0.48, 0.28)
SLIPPED = [
    (share, anchor, heights, way)
    for share in SHARES
    for anchor in ANCHORS
    for heights in (EVEN, UNEVEN, TIGHT)
    for way in (1, -1)
]
MERGED = [
    (merged, anchor, slip) for merged in ("ABCDEF", "AB", "C") for anchor in ANCHORS for slip in (0, -0.45)
]
TITLES_OF_NO_SEAL = ("照片", "图片", "Photo", "image", "图像", "Picture", "图片文件名", "免冠照片", "近照")
TITLES_OF_SEALS = ("", "签名照片", "印章", "电子签名", "手写签名图片", "Signature image")
if not LONG:  # `make attack` has them all
    SLIPPED = [
        (0.48, by_two, EVEN, 1),
        (0.28, by_one, UNEVEN, -1),
        (0.52, by_place, TIGHT, 1),
        (0.5, in_group, EVEN, -1),
    ]
    MERGED = [("ABCDEF", by_one, 0), ("AB", by_two, 0), ("C", by_place, -0.45)]
    TITLES_OF_NO_SEAL, TITLES_OF_SEALS = ("照片", "Picture"), TITLES_OF_SEALS[:1]


@pytest.mark.parametrize(("share", "anchor", "heights", "way"), SLIPPED)
def test_a_column_of_pictures_that_slipped_makes_no_seal(stage, share, anchor, heights, way):
    slip = way * (1 - share) * PICTURE
    tops = list_tops(heights, slip)
    if way > 0:  # the picture's lower edge slips out of its row
        tops = [top + height - PICTURE for top, height in zip(tops, heights[1:], strict=True)]
    write_roster(stage, tops, anchor, heights=heights)
    ended = stage.go("run")
    stage.assert_clean()
    assert not stage.service.seals
    assert ended.code == 3
    codes = [row["codes"] for row in stage.outcomes()]
    assert sum("IMAGE_AMBIGUOUS" in row for row in codes) >= DOCTORS - 1  # the last may have no picture near
    drifted = [note for note in list_notes(stage) if "may have slipped" in note]
    assert len(drifted) == 1
    assert drifted[0].startswith("sheet a: most pictures of column C overlap two rows")
    assert drifted[0] in ended.output

    if LONG or anchor in {by_place, in_group}:  # those of the other two are sealed below
        write_roster(stage, list_tops(heights), anchor, heights=heights)
        assert stage.go("run").code == 0
        stage.assert_clean()
        assert len(stage.service.seals) == DOCTORS


@pytest.mark.parametrize("anchor", ANCHORS if LONG else [by_place])
def test_pictures_that_slip_further_with_every_row_make_no_seal(stage, anchor):
    """A program that shows rows a little lower: the first pictures are right, the last in the neighbour's row."""
    write_roster(stage, [top - 7 * index for index, top in enumerate(list_tops(EVEN))], anchor)
    stage.go("run")
    stage.assert_clean()
    assert not stage.service.seals


@pytest.mark.parametrize(
    ("slip", "sealed"), [(-0.3, 6), (-0.4, 5), (-0.5, 4), (-0.6, 4)][:: 1 if LONG else 3]
)
def test_one_picture_that_slipped_stops_no_doctor_who_cannot_be_meant(stage, slip, sealed):
    tops = list_tops(EVEN)
    tops[0] += 1
    tops[3] += slip * PICTURE
    write_roster(stage, tops)
    assert stage.go("run").code == (0 if sealed == DOCTORS else 3)
    stage.assert_clean()
    assert len(stage.service.seals) == sealed
    ambiguous = [row["row"] for row in stage.outcomes() if "IMAGE_AMBIGUOUS" in row["codes"]]
    assert ambiguous == [4, 5][-max(DOCTORS - sealed, 1) :]
    assert not any("slipped" in note for note in list_notes(stage))


@pytest.mark.parametrize("share", [0.6, 0.36])
def test_a_file_of_the_row_that_a_picture_lies_half_over(stage, share):
    """The doctor whose row has most of the picture may be meant; for the neighbour's own file it is no doubt."""
    tops = list_tops(EVEN)
    tops[3] -= (1 - share) * PICTURE
    write_roster(stage, tops)
    stage.draw(3, f"{person(3).number}.png")
    stage.draw(4, f"{person(4).number}.png", drawing=3)
    stage.go("run")
    stage.assert_clean()
    assert len(stage.service.seals) == DOCTORS - 1
    (held,) = [row["row"] for row in stage.outcomes() if row["status"] == "rejected"]
    assert held == (5 if share > 0.5 else 4)


@pytest.mark.parametrize(("merged", "anchor", "slip"), MERGED)
def test_doctors_of_two_merged_rows(stage, merged, anchor, slip):
    """The lines of one doctor count together; a merged cell of the picture column does as well."""
    heights = [30.0, *[24.0] * (2 * DOCTORS)]
    cells = [f"{column}{row}:{column}{row + 1}" for row in range(2, 2 * DOCTORS + 1, 2) for column in merged]
    merges = "<mergeCells>" + "".join(f'<mergeCell ref="{cell}"/>' for cell in cells) + "</mergeCells>"
    tops = list_tops(heights, 5 + slip * PICTURE, lines=2)
    write_roster(stage, tops, anchor, heights=heights, lines=2, merges=merges)
    stage.go("run")
    stage.assert_clean()
    assert len(stage.service.seals) == (0 if slip else DOCTORS)


@pytest.mark.parametrize("anchor", ANCHORS[:3] if LONG else [by_two])
def test_hidden_rows_between_the_doctors(stage, anchor):
    heights = [30.0, *[45.0] * DOCTORS]
    shown = [30.0, 45.0, 0.0, 0.0, 45.0, 45.0, 45.0]
    tops = [shown_top for index, shown_top in enumerate(list_tops(shown, 3)) if index not in {1, 2}]
    stage.know(1)
    write_roster(stage, [tops[0], -200, -200, *tops[1:]], lambda _heights, top, content: (
        "" if top < 0 else anchor(shown, top, content)
    ), heights=heights, hidden=(2, 3))  # fmt: skip
    stage.go("run")
    stage.assert_clean()
    assert len(stage.service.seals) == DOCTORS - 2


def test_pictures_that_are_too_tall_for_their_rows_but_begin_on_their_edges(stage):
    """A program that puts each picture to the corner of its cell has not let it slip."""
    heights = [30.0, *[30.0] * DOCTORS]
    write_roster(stage, list_tops(heights), by_one, heights=heights)
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert len(stage.service.seals) == DOCTORS
    assert all("IMAGE_AMBIGUOUS" in row["codes"] for row in stage.outcomes())


@pytest.mark.parametrize("title", ["照片", "图片"] if LONG else ["照片"])
def test_overlapping_portraits_do_not_hold_the_seals(stage, title):
    write_roster(stage, list_tops(EVEN, -15), titles=[*TITLES[:2], title, *TITLES[3:]])
    for serial in range(1, DOCTORS + 1):
        stage.draw(serial, drawing=2)
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert len(stage.service.seals) == DOCTORS
    assert not any("slipped" in note for note in list_notes(stage))


@pytest.mark.parametrize("title", TITLES_OF_NO_SEAL)
def test_a_picture_under_a_title_that_names_no_seal_makes_none(stage, title):
    titles = [*TITLES[:2], title, *TITLES[3:]]
    write_roster(stage, list_tops(EVEN, 3), titles=titles)
    assert stage.go("run").code == 3
    assert not stage.service.received
    problems = [problem for row in stage.outcomes() for problem in row["problems"]]
    assert {problem["code"] for problem in problems} == {"IMAGE_MISSING"}
    assert f"▣ C2 {title}: not taken as a seal under this title" in problems[0]["message"]

    stage.configure(lines=f"columns: {{{title}: picture}}\n")
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert len(stage.service.seals) == DOCTORS


@pytest.mark.parametrize("title", TITLES_OF_SEALS)
def test_a_picture_under_a_title_that_names_a_seal_or_without_one_is_the_seal(stage, title):
    write_roster(stage, list_tops(EVEN, 3), titles=[*TITLES[:2], title, *TITLES[3:]])
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert len(stage.service.seals) == DOCTORS


def test_a_file_named_in_a_column_with_a_plain_title_is_used(stage):
    """图片 is a column of file names, which lie in the folder of seal pictures. 照片 names portraits."""
    stage.know(1)
    stage.draw(1, "scan01.png")
    stage.draw(1, "portrait.png", drawing=5)
    stage.roster([(*person(1).cells, "portrait.png", "scan01.png")], headers=(*HEADERS, "照片", "图片"))
    assert stage.go("run").code == 0
    stage.assert_clean()
    (row,) = stage.outcomes()
    assert row["picture"]["path"].endswith("seals/scan01.png")


def test_the_sheet_that_slipped_is_named_in_results_and_report_in_both_languages(stage):
    write_roster(stage, list_tops(EVEN, -18))
    stage.go("run")
    results = newest_results(stage.folder / "out")
    summary = openpyxl.load_workbook(results / "results.xlsx")["Summary"]
    assert any("may have slipped" in str(value) for line in summary.values for value in line)
    assert "may have slipped" in (results / "report.html").read_text("utf-8")
    stage.go("--lang", "zh", "run")
    results = newest_results(stage.folder / "out")
    assert "可能整列错了位" in (results / "report.html").read_text("utf-8")
