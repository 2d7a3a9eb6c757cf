"""Pictures in a roster that no row got: which sheet, over which cells, and why."""

from io import BytesIO

import openpyxl
import pytest
from openpyxl.drawing.image import Image as Drawing
from openpyxl.drawing.spreadsheet_drawing import AnchorMarker, TwoCellAnchor
from people import name, number
from run_support import draw_seal

from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers.model import ReadOptions
from pipeline.messages.areas import list_keys
from pipeline.reports.unused_pictures import explain_unassigned_image


def drawn(sheet, folder, serial, first, last):
    """Put a picture over the cells from ``first`` to ``last``, each (column, row) from 0."""
    path = folder / f"{serial}.png"
    draw_seal(path, serial)
    picture = Drawing(BytesIO(path.read_bytes()))
    (first_column, top), (right, bottom) = first, last
    start = AnchorMarker(col=first_column, row=top, colOff=20_000, rowOff=20_000)
    end = AnchorMarker(col=right, row=bottom, colOff=300_000, rowOff=150_000)
    picture.anchor = TwoCellAnchor(_from=start, to=end)
    sheet.add_image(picture)


@pytest.fixture
def report(tmp_path):
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "内科"
    sheet.append(["某某医院医师名单"])
    sheet.append(["姓名", "证件号码", "印章"])
    for serial in (1, 2):
        sheet.append([name(serial), number(serial), None])
    drawn(sheet, tmp_path, 1, (2, 2), (2, 2))  # the first doctor's
    drawn(sheet, tmp_path, 2, (4, 0), (5, 0))  # a logo beside the title
    drawn(sheet, tmp_path, 3, (2, 7), (2, 7))  # below the table
    drawn(sheet, tmp_path, 4, (2, 2), (2, 5))  # over four rows
    alone = book.create_sheet("只有印章")
    drawn(alone, tmp_path, 5, (0, 0), (0, 0))
    drawn(alone, tmp_path, 7, (0, 3), (2, 9))
    noted = book.create_sheet("说明")
    noted.append(["请填写完整"])
    drawn(noted, tmp_path, 6, (1, 3), (1, 3))
    book.save(tmp_path / "a.xlsx")

    options = ReadOptions(store=ImageStore(tmp_path / "work"))
    (first, _), (report,) = read_rosters([tmp_path / "a.xlsx"], options=options)
    assert [picture.address for picture in first.pictures] == ["C3"]
    return report


def test_an_unassigned_image_has_its_sheet_its_cells_and_a_reason(report):
    assert sorted((image.sheet, image.covered_cells, image.why) for image in report.unassigned_images) == [
        ("内科", "C3:C6", "picture without a row of its own, not used"),
        ("内科", "C8", "picture over no doctor's row"),
        ("内科", "E1:F1", "picture over no doctor's row"),
        ("只有印章", "A1", "picture on a sheet without a roster"),
        ("只有印章", "A4:C10", "picture on a sheet without a roster"),
        ("说明", "B4", "picture on a sheet without a roster"),
    ]


def test_a_readable_unassigned_image_can_be_shown(report):
    assert all(image.picture.file.is_file() for image in report.unassigned_images)


def test_every_reason_for_an_unassigned_image_has_a_text(report):
    from pathlib import Path

    import pipeline.intake

    source = "".join(path.read_text("utf-8") for path in Path(pipeline.intake.__file__).parent.rglob("*.py"))
    reasons = [key.removesuffix(".reason") for key in list_keys("files") if key.endswith(".reason")]
    assert len(reasons) > 5
    assert [why for why in reasons if f'"{why}"' not in source] == []
    assert all(
        explain_unassigned_image(image.why, language)
        for image in report.unassigned_images
        for language in ("zh", "en")
    )
