"""What a drawing shows: groups, alternatives, what is linked, cropped or turned, and what is put away."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from pathlib import Path

import pytest
import xlsxwriter
from xlsx_support import (
    TALL,
    drawn,
    floating,
    pic,
    raw,
    read,
    relations,
    seal,
    serials,
    single,
    two,
    write_seal,
)

from pipeline.errors import FileRefused
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.readers.model import ReadOptions
from pipeline.intake.readers.xlsx import workbook


def test_what_is_done_to_a_group_is_done_to_its_pictures(path, work):
    def group(transform: str, content: str, attributes: str = "") -> str:
        names = f'<xdr:nvGrpSpPr><xdr:cNvPr id="9" name="g" {attributes}/></xdr:nvGrpSpPr>'
        return f"<xdr:grpSp>{names}<xdr:grpSpPr>{transform}</xdr:grpSpPr>{content}</xdr:grpSp>"

    quarter, back = '<a:xfrm rot="5400000"/>', '<a:xfrm rot="-5400000"/>'
    anchors = (
        two(1, 2, 1, 28, group(quarter, pic()))
        + two(2, 2, 2, 28, group(quarter, group(back, pic("p2"))))
        + two(3, 2, 3, 28, group(quarter, pic("p3", transform=back)))
        + two(4, 2, 4, 28, group("", pic(), 'hidden="1"'))
        + two(5, 2, 5, 28, group("", group("", pic()), 'hidden="1"'))
    )
    drawn(path, anchors, rows=TALL)
    assert floating(path, work) == [("C3", 2, False), ("C4", 3, False)]
    assert [note.partition(": ")[0] for note in read(path, work).notes] == ["a!C2", "a!C5", "a!C6"]


def test_more_pictures_than_a_sheet_has_refuse_the_file(path, work, monkeypatch):
    monkeypatch.setattr("pipeline.intake.readers.xlsx.drawings._MAX_PICTURES", 2)
    drawn(path, two(1, 2, 1, 28, pic()) * 3, rows=TALL)
    with pytest.raises(FileRefused) as refused:
        read(path, work)
    assert refused.value.code == "FILE_SUSPICIOUS"


def test_a_picture_above_the_limit_is_not_read(path, work, monkeypatch):
    drawn(path, two(1, 2, 1, 28, pic()), rows=TALL)
    for limit, count in ((len(seal(1)), 1), (len(seal(1)) - 1, 0)):
        monkeypatch.setattr("pipeline.intake.images.image_files.MAX_BYTES", limit)
        assert len(next(read(path, work).sheets).pictures) == count


def test_of_alternatives_one_is_taken(path, work):
    """A Choice with a picture counts; ink and newer shapes leave theirs in the Fallback."""
    both = (
        f"<mc:AlternateContent><mc:Choice Requires='a14'>{pic('p1')}</mc:Choice>"
        f"<mc:Fallback>{pic('p2')}</mc:Fallback></mc:AlternateContent>"
    )
    ink = (
        "<mc:AlternateContent><mc:Choice Requires='xdr14'><xdr:contentPart/></mc:Choice>"
        f"<mc:Fallback>{pic('p3')}</mc:Fallback></mc:AlternateContent>"
    )
    around = f"<mc:AlternateContent><mc:Choice Requires='x'>{two(3, 2, 3, 28, pic('p1'))}</mc:Choice></mc:AlternateContent>"
    anchors = two(1, 2, 1, 28, both) + two(2, 2, 2, 28, ink) + around
    assert floating(drawn(path, anchors, rows=TALL), work) == [
        ("C2", 1, False),
        ("C3", 3, False),
        ("C4", 1, False),
    ]


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (pic(blip='r:link="p1"'), "linked"),
        (pic("gone"), "linked"),
        (pic("web"), "linked"),
        (pic(attributes='hidden="1"'), "hidden"),
        (pic(source='<a:srcRect t="50000"/>'), "cropped"),
        (pic(source='<a:srcRect l="6%" r="6%"/>'), "cropped"),
        (pic(source='<a:srcRect b="NaN"/>'), "cropped"),
        (pic(transform='<a:xfrm rot="5400000"/>'), "turned"),
        (pic(transform='<a:xfrm rot="2700000"/>'), "turned"),
        (pic(transform='<a:xfrm rot="x"/>'), "turned"),
        (pic(transform='<a:xfrm flipH="1"/>'), "turned"),
        (pic("page"), "linked"),  # a relationship, but to no picture
        (pic("missing"), "cannot be read"),
        (pic("empty"), "cannot be read"),
        (pic("huge"), "cannot be read"),
        (pic("bomb"), "cannot be read"),
    ],
)
def test_what_the_sheet_shows_otherwise_than_the_file_is_not_used(path, work, shown, why):
    media = {"media/image1.png": seal(1), "media/0.png": b""}
    if "bomb" in shown:
        media["media/bomb.png"] = bytes(11_000_000)
    if "huge" in shown:
        media["media/huge.png"] = bytes(64_000_001)
    related = {
        "p1": ("image", "../media/image1.png"),
        "web": ("image", "https://example.invalid/seal.png"),
        "page": ("hyperlink", "../media/image1.png"),
        "missing": ("image", "../media/9.png"),
        "empty": ("image", "../media/0.png"),
        "huge": ("image", "../media/huge.png"),
        "bomb": ("image", "../media/bomb.png"),
    }
    anchors = two(1, 2, 1, 28, shown) + two(2, 2, 2, 28, pic())
    book = read(drawn(path, anchors, rows=TALL, media=media, **related), work)
    assert [picture.address for picture in next(book.sheets).pictures] == ["C3"]
    assert len(book.notes) == 1
    assert book.notes[0].startswith("a!C2: ")
    assert why in book.notes[0]
    assert len(list(work.iterdir())) == 1


def test_the_fiftieth_note_is_the_last(path, work):
    anchors = "".join(two(1, 2, 1, 28, pic("gone")) for _ in range(60))
    notes = read(drawn(path, anchors, rows=TALL), work).notes
    assert (len(notes), notes[-1]) == (51, "10 more pictures not used")


@pytest.mark.parametrize(
    "shown",
    [
        pic(blip='r:embed="p1" r:link="web"'),
        pic(source='<a:srcRect l="4000" r="5%"/>'),
        pic(source='<a:srcRect t="-90000"/>'),
        pic(source="<a:srcRect/>"),
        pic(transform='<a:xfrm rot="21600000"/>'),
        pic(transform='<a:xfrm rot="-120000"/>'),
        pic(transform='<a:xfrm rot="10800000" flipH="1" flipV="1"/>'),
        pic(attributes='hidden="0"'),
    ],
)
def test_a_picture_shown_as_it_is_is_used(path, work, shown):
    related = {"p1": ("image", "../media/image1.png"), "web": ("image", "https://example.invalid/seal.png")}
    assert floating(drawn(path, two(1, 2, 1, 28, shown), rows=TALL, **related), work) == [("C2", 1, False)]


@pytest.mark.parametrize(("exif", "rotation"), [(6, 5_400_000), (3, 10_800_000), (8, 16_200_000)])
def test_a_photo_is_turned_as_its_camera_was_held(path, work, exif, rotation):
    """Office turns the picture in the sheet and keeps the bytes, whose EXIF says the same."""
    shown = two(1, 2, 1, 28, pic(transform=f'<a:xfrm rot="{rotation}"/>'))
    for turned, count in ((exif, 1), (0, 0), (14 - exif if exif != 3 else 6, 0)):
        media = {"media/image1.png": seal(1, "JPEG", turned)}
        assert len(next(read(drawn(path, shown, rows=TALL, media=media), work).sheets).pictures) == count


def test_the_same_file_shown_twice_is_put_away_once(path, work):
    anchors = "".join(two(row, 2, row, 28, pic("p1")) for row in (1, 2)) + two(3, 2, 3, 28, pic("p2"))
    related = {"p1": ("image", "../media/IMAGE1.PNG"), "p2": ("image", "/xl/media/image1.png")}
    book = read(drawn(path, anchors, rows=TALL, **related), work)
    pictures = [picture.picture for picture in next(book.sheets).pictures]
    assert {picture.sha256 for picture in pictures} == {hashlib.sha256(seal(1)).hexdigest()}
    assert {picture.stored_path.read_bytes() for picture in pictures} == {seal(1)}
    shutil.rmtree(work)
    options = ReadOptions(store=ImageStore(work))
    drawn(path, two(1, 2, 1, 28, pic("p1")) * 5, rows=TALL, **related)
    assert len(next(workbook.read(path.read_bytes(), options=options).sheets).pictures) == 5
    assert [file.read_bytes() for file in work.iterdir()] == [seal(1)]
    assert [picture.path for picture in pictures] == [path / "a!C2", path / "a!C3", path / "a!C4"]
    assert {picture.size for picture in pictures} == {len(seal(1))}


def test_a_damaged_picture_costs_itself_alone(path, work):
    """Bytes that fail their checksum, and a name in the member's own header that is no text."""
    drawn(path, two(1, 2, 1, 28, pic("p1")) + two(2, 2, 2, 28, pic("p2")), rows=TALL)
    data = bytearray(path.read_bytes())
    name = data.index(b"xl/media/image1.png")
    for position, value in ((name + 25, data[name + 25] ^ 1), (name, 0xFF)):
        broken = bytearray(data)
        broken[position] = value
        broken[name - 24 + 1] |= 8 if position == name else 0  # the name is said to be UTF-8
        path.write_bytes(broken)
        book = read(path, work)
        assert [picture.address for picture in next(book.sheets).pictures] == ["C3"]
        assert book.notes == ("a!C2: picture cannot be read",)


def test_the_names_of_media_files_decide_nothing(path, work):
    media = {"media/image1": seal(1), "media/b.EMF": b"EMF", "media/c.a-b": seal(2), "x.png": seal(3)}
    related = {
        "p1": ("image", "../media/image1"),
        "p2": ("image", "../media/b.EMF"),
        "p3": ("image", "../media/c.a-b"),
        "p4": ("image", "../../../../../xl/x.png"),
    }
    anchors = "".join(two(row, 2, row, 28, pic(f"p{row}")) for row in (1, 2, 3, 4))
    sheet = next(read(drawn(path, anchors, rows=TALL, media=media, **related), work).sheets)
    assert [picture.picture.stored_path.suffix for picture in sheet.pictures] == ["", ".emf", "", ".png"]
    assert sheet.pictures[3].picture.stored_path.read_bytes() == seal(3)


def test_pictures_are_left_alone_unless_asked_for(path, tmp_path):
    drawn(path, two(1, 2, 1, 28, pic()), rows=TALL)
    assert not next(workbook.read(path.read_bytes()).sheets).pictures
    assert list(tmp_path.iterdir()) == [path]


def test_pictures_of_hidden_sheets_are_not_touched(path, work):
    book = xlsxwriter.Workbook(path)
    for name in ("内科", "旧"):
        sheet = book.add_worksheet(name)
        sheet.set_row(1, 30)
        sheet.insert_image(1, 2, write_seal(path.parent, 1 if name == "内科" else 2), {"y_scale": 4})
    sheet.hide()
    book.close()
    first, second = read(path, work).sheets
    assert [serials()[picture.picture.sha256] for picture in first.pictures] == [1]
    assert first.pictures[0].picture.path == path / "内科!C2"
    assert second.pictures == ()
    assert len(list(work.iterdir())) == 1


def test_other_things_in_a_drawing_are_none_of_ours(path, work):
    shape = "<xdr:sp><xdr:spPr/></xdr:sp>"
    others = two(1, 2, 1, 28, shape) + two(1, 2, 1, 28, "<xdr:graphicFrame/>") + "<xdr:nonsense/>"
    book = read(drawn(path, others, rows=TALL), work)
    assert (next(book.sheets).pictures, book.notes) == ([], ())


def test_groups_without_end_stop_somewhere(path, work):
    deep = two(1, 2, 1, 28, "<xdr:grpSp>" * 5_000 + pic() + "</xdr:grpSp>" * 5_000)
    nested = two(
        2,
        2,
        2,
        28,
        "<mc:AlternateContent><mc:Choice>" * 500 + pic() + "</mc:Choice></mc:AlternateContent>" * 500,
    )
    assert floating(drawn(path, deep + nested + two(3, 2, 3, 28, pic()), rows=TALL), work) == [
        ("C4", 1, False)
    ]


def test_a_drawing_that_is_broken_refuses_the_file_and_one_that_is_gone_does_not(path, work):
    for text, code in (("<xdr:wsDr>", "FILE_CORRUPT"), ("<!DOCTYPE a><a/>", "FILE_SUSPICIOUS")):
        drawn(path, "")
        _replace(path, "xl/drawings/drawing1.xml", text)
        with pytest.raises(FileRefused) as refused:
            read(path, work)
        assert refused.value.code == code
    raw(path, f'<sheetData>{TALL}</sheetData><drawing r:id="d9"/>')
    assert not next(read(path, work).sheets).pictures
    raw(
        path,
        f'<sheetData>{TALL}</sheetData><drawing r:id="d1"/>',
        extra={"xl/worksheets/_rels/sheet1.xml.rels": relations(d1=("drawing", "../drawings/gone.xml"))},
    )
    assert not next(read(path, work).sheets).pictures


def test_two_relationships_of_one_name_refuse_the_file(path, work):
    drawn(path, two(1, 2, 1, 28, pic()))
    name = "xl/drawings/_rels/drawing1.xml.rels"
    text = _parts(path)[name].decode().replace('Id="p2"', 'Id="p1"')
    _replace(path, name, text)
    with pytest.raises(FileRefused) as refused:
        read(path, work)
    assert refused.value.code == "FILE_CORRUPT"


def test_strict_workbooks_are_read_alike(path, work):
    """ISO/IEC 29500 strict: other namespaces, coordinates with units."""
    anchor = single(1, 2, 26, pic()).replace(f'cy="{26 * 12_700}"', 'cy="26pt"').replace(
        f"<xdr:rowOff>{2 * 12_700}<", "<xdr:rowOff>0.5mm<"
    )  # fmt: skip
    drawn(path, anchor, rows=TALL)
    for name, payload in _parts(path).items():
        if name.endswith((".xml", ".rels")):
            text = payload.decode()
            for old, new in (
                ("http://schemas.openxmlformats.org/spreadsheetml/2006/main", "http://purl.oclc.org/ooxml/spreadsheetml/main"),
                ("http://schemas.openxmlformats.org/officeDocument/2006", "http://purl.oclc.org/ooxml/officeDocument"),
                ("http://schemas.openxmlformats.org/drawingml/2006", "http://purl.oclc.org/ooxml/drawingml"),
            ):  # fmt: skip
                text = text.replace(old, new)
            _replace(path, name, text)
    assert floating(path, work) == [("C2", 1, False)]


def _parts(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def _replace(path: Path, name: str, text: str) -> None:
    parts = _parts(path) | {name: text.encode()}
    with zipfile.ZipFile(path, "w") as archive:
        for part, payload in parts.items():
            archive.writestr(part, payload)
