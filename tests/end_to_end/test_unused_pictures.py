"""Pictures that no doctor got are shown, with the rows that they may belong to, in every file of the results that lists them."""

from __future__ import annotations

import re
from collections import Counter
from html import unescape
from pathlib import Path

import pytest
from people import name, number
from PIL import Image
from result_sheet import ResultSheet
from run_support import draw_seal

HEADERS = ("姓名", "证件号码", "工号")
SHOWN, TEXT = "shown", "text"  # of a picture in a cell or on a page
# of what is not one whole file for one whole row: the doctors' serials
LONELY, TWIN, OTHER_TWIN, TORN, BLANK, MISSING = 1, 2, 3, 4, 5, 6
UNMATCHED = tuple(f"scan-{serial}.png" for serial in range(1, 8))


@pytest.fixture
def ward(scene):
    return scene(check_ward)


def check_ward(hospital):
    """Check a roster of six doctors, of whom one has a picture that can be used, and eight files that fit no row, one damaged."""
    rows = [(name(serial), number(serial), f"{serial:05d}") for serial in range(LONELY, MISSING + 1)]
    hospital.roster(rows, headers=HEADERS)
    seals = hospital.folder / "seals"
    draw_seal(seals / f"{name(LONELY)}.png", LONELY)
    draw_seal(seals / f"{name(TWIN)}.png", TWIN)
    draw_seal(seals / f"{name(OTHER_TWIN)}.png", TWIN)
    draw_seal(seals / f"{name(TORN)}.png", TORN)
    draw_seal(seals / f"{TORN:05d}.png", 40)
    Image.new("RGB", (120, 120), "white").save(seals / f"{name(BLANK)}.png")
    for serial, file in enumerate(UNMATCHED, start=50):
        draw_seal(seals / file, serial)
    draw_seal(seals / f"{name(MISSING)}-old.png", 60)
    (seals / "damaged.png").write_bytes((seals / UNMATCHED[0]).read_bytes()[:60])
    assert hospital.go("check") == 3


def list_drawn_rows(sheet: ResultSheet) -> Counter[int]:
    """Count the drawings of each row, as openpyxl finds them in the file."""
    return Counter(image.anchor._from.row + 1 for image in sheet.sheet._images)


def read_page_list(page: Path) -> dict[str, tuple[str, str]]:
    """Return the pictures of a page's list by name: whether each is shown, and the rows that it may belong to."""
    (listed,) = re.findall(r'<section class="unused".*?</section>', page.read_text("utf-8"), re.DOTALL)
    pictures = {}
    for item in re.findall("<li>.*?</li>", listed, re.DOTALL):
        (file,) = re.findall("<h3>(.*?)</h3>", item)
        is_shown = 'src="data:image/jpeg;base64,/9j/' in item
        rows = ", ".join(re.findall("<span>([^<]*row[^<]*)</span>", item))
        assert is_shown or "cannot be shown" in item
        pictures[unescape(file)] = (SHOWN if is_shown else TEXT, unescape(rows))
    return pictures


def name_row(serial: int) -> str:
    return f"roster.xlsx Sheet row {serial + 1} {name(serial)}"


def list_expected(both: tuple[str, str]) -> dict[str, tuple[str, str]]:
    return {
        f"{name(TWIN)}.png": (SHOWN, ", ".join(both)),
        f"{name(OTHER_TWIN)}.png": (SHOWN, ", ".join(reversed(both))),
        f"{name(TORN)}.png": (SHOWN, name_row(TORN)),
        f"{TORN:05d}.png": (SHOWN, name_row(TORN)),
        f"{name(BLANK)}.png": (SHOWN, name_row(BLANK)),
        f"{name(MISSING)}-old.png": (SHOWN, name_row(MISSING)),
        "damaged.png": (TEXT, ""),
        **dict.fromkeys(UNMATCHED, (SHOWN, "")),
    }


def test_every_list_shows_the_picture_and_its_rows(ward):
    expected = list_expected((name_row(TWIN), name_row(OTHER_TWIN)))

    unpaired = ResultSheet(ward.newest / "results.xlsx", "sheet.unpaired")
    drawn = list_drawn_rows(unpaired)
    listed = {
        unpaired.read(row, "File"): (
            SHOWN if drawn[row] == 1 else TEXT,
            (unpaired.read(row, "Rows it may belong to") or "").replace("\n", ", "),
        )
        for row in unpaired.rows
    }
    assert listed == expected
    assert unpaired.read(unpaired.get_row_number("File", "damaged.png"), "Seal").startswith("cannot be shown")
    assert read_page_list(ward.newest / "report.html") == expected
    assert read_page_list(ward.newest / "review.html") == expected


def test_a_line_to_fix_shows_the_pictures_that_it_is_about(ward):
    to_fix = ResultSheet(ward.newest / "results.xlsx")
    drawn = list_drawn_rows(to_fix)
    assert {to_fix.read(row, "Name"): drawn[row] for row in to_fix.rows} == {
        name(TWIN): 1, name(OTHER_TWIN): 1, name(TORN): 2, name(BLANK): 1, name(MISSING): 1,
    }  # fmt: skip
    wrong = to_fix.read(to_fix.get_row_number("Name", name(TWIN)), "What is wrong")
    assert wrong.endswith(f"{name(TWIN)}.png may also belong to: {name_row(OTHER_TWIN)}")
    anchors = {(image.anchor._from.row, image.anchor._from.rowOff) for image in to_fix.sheet._images}
    assert len(anchors) == 6, "two pictures of one line do not lie over each other"


def test_a_card_without_a_picture_of_its_own_shows_those_that_it_may_be(ward):
    page = (ward.newest / "review.html").read_text("utf-8")
    cards = {
        re.search("<h2>(.*?)</h2>", card)[1]: card
        for card in re.findall('<article class="card".*?</article>', page, re.DOTALL)
    }
    for serial, files in {
        TORN: [f"{TORN:05d}.png", f"{name(TORN)}.png"],
        MISSING: [f"{name(MISSING)}-old.png"],
    }.items():
        figure = re.search('<div class="candidates">.*?</h2>', cards[name(serial)], re.DOTALL)[0]
        assert figure.count("data:image/jpeg;base64,") == len(files)
        assert sorted(re.findall("<p>(.*?)</p>", figure)) == sorted(files)
    assert "may also belong to" in cards[name(TWIN)]


def test_no_more_are_shown_than_a_workbook_bears_and_the_rest_is_counted(hospital):
    """The pictures that resemble a row come first; those beyond the limit are not even read."""
    hospital.roster([(name(1), number(1), "00001")], headers=HEADERS)
    seals = hospital.folder / "seals"
    draw_seal(seals / "scan.png", 1)
    data = (seals / "scan.png").read_bytes()
    for serial in range(1, 205):
        (seals / f"scan-{serial:03d}.png").write_bytes(data + bytes([serial]))
    draw_seal(seals / f"z-{name(1)}-old.png", 2)
    hospital.go("check")

    unpaired = ResultSheet(hospital.newest / "results.xlsx", "sheet.unpaired")
    drawn = list_drawn_rows(unpaired)
    assert drawn == dict.fromkeys(range(2, 202), 1)
    assert unpaired.read(2, "File") == f"z-{name(1)}-old.png"
    assert [unpaired.read(row, "Seal") for row in range(202, 208)] == ["not shown"] * 6
    assert unpaired.read(208, "File").startswith("Only the first 200 pictures are shown; for the other 6")
    assert unpaired.sheet.auto_filter.ref.endswith("207")
    page = (hospital.newest / "report.html").read_text("utf-8")
    assert (
        "This page shows the first 200; the other 6 are in results.xlsx, sheet “Unpaired pictures”." in page
    )
    assert page.count("<li>\n<figure") == 200
    assert len(list((hospital.folder / "state" / "work" / "previews").iterdir())) == 200


def test_a_zip_that_cannot_be_read_is_reported(hospital, capsys):
    hospital.doctors(1)
    (hospital.folder / "seals" / "more.zip").write_bytes(b"PK\x03\x04 no zip at all")
    assert hospital.go("run", "--yes") == 0
    assert "more.zip cannot be read" in capsys.readouterr().err
