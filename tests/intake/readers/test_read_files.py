"""Which files are read, what the others are told to be, and the way back of our own To fix sheets."""

from __future__ import annotations

import hashlib
import io
import os
import re
import zipfile
from itertools import cycle
from pathlib import Path
from struct import pack

import pytest
import xlsxwriter
from biff_support import compound, label, record, sheet, stream

from pipeline.intake.read_rosters import is_results_workbook, read_rosters
from pipeline.intake.readers.discover import expand_paths
from pipeline.messages.problems import render_problem

pytestmark = pytest.mark.usefixtures("no_child_process")
NUMBER = "11010119900307123X"
TABLE = f"姓名,身份证号\n张三,{NUMBER}\n".encode()
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 504


def results(path, *, ours=True):
    """Write a results workbook as far as intake looks at it."""
    book = xlsxwriter.Workbook(path)
    if ours:
        book.set_custom_property("esign-import", "results")
    book.add_worksheet("全部结果").write_row(0, 0, ["姓名", "身份证号"])
    book.close()
    return path


def test_a_folder_gives_its_rosters_by_name_and_passes_debris_over(tmp_path):
    for name in ("b.csv", "a.TXT", "old.xls", "~$b.xlsx", ".c.csv", "._b.csv", ".~lock.b.ods#", ".DS_Store", "Thumbs.db",
                 "desktop.ini", "readme.md", "x.png", "x.jpg", "b"):  # fmt: skip
        (tmp_path / name).write_bytes(TABLE)
    for name in ("sub", "folder.xlsx"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "d.csv").write_bytes(TABLE)
    rows, reports = read_rosters([tmp_path, tmp_path / "b.csv"])
    assert [(report.path.name, report.status) for report in reports] == [
        ("a.TXT", "read"),
        ("b.csv", "read"),
        ("old.xls", "read"),
    ]
    assert [row.origin.path.name for row in rows] == ["a.TXT", "b.csv", "old.xls"]


@pytest.mark.parametrize(
    "suffix", ["doc", "docx", "wps", "pdf", "rtf", "zip", "rar", "7z", "fods", "mht", "xml", "numbers"]
)
def test_what_a_clerk_may_mean_as_a_roster_is_reported(tmp_path, suffix):
    (tmp_path / f"名单.{suffix}").write_bytes(b"%PDF-1.7")
    (tmp_path / "b.csv").write_bytes(TABLE)
    _, reports = read_rosters([tmp_path])
    assert [(report.path.name, report.status) for report in reports] == [
        ("b.csv", "read"),
        (f"名单.{suffix}", "refused"),
    ]


def test_a_file_counts_once_however_it_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(TABLE)
    (tmp_path / "link.csv").symlink_to("a.csv")
    monkeypatch.chdir(tmp_path)
    rows, reports = read_rosters([Path("a.csv"), tmp_path, tmp_path / "." / "a.csv", tmp_path / "link.csv"])
    assert (len(rows), [str(report.path) for report in reports]) == (1, ["a.csv"])


def test_several_files_and_folders_come_in_the_order_given(tmp_path):
    for folder in ("z", "a"):
        (tmp_path / folder).mkdir()
        for name in ("2.csv", "1.csv"):
            (tmp_path / folder / name).write_bytes(TABLE)
    (tmp_path / "m.csv").write_bytes(TABLE)
    rows, reports = read_rosters([tmp_path / "z", tmp_path / "m.csv", tmp_path / "a"])
    assert [str(report.path.relative_to(tmp_path)) for report in reports] == [
        "z/1.csv",
        "z/2.csv",
        "m.csv",
        "a/1.csv",
        "a/2.csv",
    ]
    assert len(rows) == 5


def test_a_relative_path_stays_relative(tmp_path, monkeypatch):
    (tmp_path / "a.csv").write_bytes(TABLE)
    monkeypatch.chdir(tmp_path)
    (row,), (report,) = read_rosters([type(tmp_path)("a.csv")])
    assert str(row.origin.path) == str(report.path) == "a.csv"


def zipped(**members):
    """Return a zip of these members, named with / for __."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


def ole(*streams):
    """Return a compound file with an empty stream of each name."""
    content = compound(b"")
    offset = content.index("Workbook".encode("utf-16-le"))
    (name,) = streams
    title = (name + "\0").encode("utf-16-le")
    return content[:offset] + title.ljust(64, b"\0") + bytes((len(title), 0)) + content[offset + 66 :]


HEAD = (
    "<html xmlns:x='urn:schemas-microsoft-com:office:excel'><table><tr><td>姓名<td>身份证号<tr><td>张三<td>"
)
PAGE = f"{HEAD}{NUMBER}</table></html>"
BOOK = (
    '<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?><Workbook'
    ' xmlns="urn:schemas-microsoft-com:office:spreadsheet"><Worksheet><Table><Row><Cell><Data>姓名</Data></Cell><Cell><Data>'
    f"身份证号</Data></Cell></Row><Row><Cell><Data>张三</Data></Cell><Cell><Data>{NUMBER}</Data></Cell></Row></Table>"
    "</Worksheet></Workbook>"
)
LABELS = [
    label(row, column, word)
    for row, line in enumerate([("姓名", "身份证号"), ("张三", NUMBER)])
    for column, word in enumerate(line)
]


ROSTERS = (
    TABLE,
    TABLE.replace(b",", b"\t").decode().encode("gb18030"),
    "\ufeff".encode("utf-16-le") + TABLE.decode().encode("utf-16-le"),
    b"\xef\xbb\xbf" + TABLE,
    b"<x>,y\n" + TABLE,
    b"ID;Phone\n" + TABLE.replace(b",", b";"),
    PAGE.encode(),
    b"\xef\xbb\xbf\r\n <!-- <Workbook> -->\n" + PAGE.encode(),
    "\ufeff".encode("utf-16-le") + PAGE.encode("utf-16-le"),
    b"<?xml version='1.0' encoding='utf-8'?>" + PAGE.encode(),
    PAGE[PAGE.index("<table") : PAGE.index("</html>")].encode(),
    "2026年医生名单".encode() + PAGE.encode(),
    BOOK.encode(),
    b"\xef\xbb\xbf" + BOOK.encode(),
    re.sub("<(/?)(?=[A-Z])", r"<\1ss:", BOOK).replace("xmlns=", "xmlns:ss=").encode(),
    compound(stream(sheet(*LABELS))),
    stream(sheet(*LABELS)),
)


@pytest.mark.parametrize(("name", "data"), [*zip(cycle(("a.xlsx", "a.csv", "a")), ROSTERS)])
def test_a_roster_is_recognised_by_its_first_bytes_whatever_its_name(tmp_path, name, data):
    (tmp_path / name).write_bytes(data)
    rows, (report,) = read_rosters([tmp_path / name])
    assert (report.status, report.codes) == ("read", ())
    assert [[cell.display_text for cell in row.cells[:2]] for row in rows] == [["张三", NUMBER]]


_RELATIONS = "http://schemas.openxmlformats.org/%s/2006/relationships"
XLSB = {
    "_rels/.rels": (
        f'<Relationships xmlns="{_RELATIONS % "package"}"><Relationship Id="r" Target="xl/workbook.bin" '
        f'Type="{_RELATIONS % "officeDocument"}/officeDocument"/></Relationships>'
    ),
    "xl/workbook.bin": "",
}


@pytest.mark.parametrize(
    ("data", "code", "result"),
    [
        (b"", "FILE_EMPTY", None),
        (b"%PDF-1.7", "FILE_FORMAT", "PDF"),
        (b"\x89PNG\r\n\x1a\n", "FILE_FORMAT", "PNG"),
        (b"\xff\xd8\xff\xe0", "FILE_FORMAT", "JPEG"),
        (b"{\\rtf1", "FILE_FORMAT", "RTF"),
        (b"Rar!\x1a\x07", "FILE_FORMAT", "RAR"),
        (b"\x09\0\x04\0\x02\0\x10\0", "FILE_CORRUPT", "no known format"),
        (b"\0\0\0\x20ftypheic", "FILE_FORMAT", "HEIC / MP4"),
        (b"<?xml version='1.0'?><note/>", "FILE_FORMAT", "XML"),
        (b"<?xml version='1.0'?><Workbook/>", "FILE_FORMAT", "XML"),
        (
            b"<?xml version='1.0'?><office:document xmlns:office='urn:oasis:names:tc:opendocument:xmlns:office:1.0'/>",
            "FILE_FORMAT",
            "OpenDocument (.fods)",
        ),
        (b"MIME-Version: 1.0\r\nX-Y: z\r\n\r\n<table><tr><td>", "FILE_FORMAT", "MHTML"),
        (b"From: <x>\r\nContent-Type: multipart/related\r\nMIME-Version: 1.0\r\n", "FILE_FORMAT", "MHTML"),
        (ole("WordDocument"), "FILE_FORMAT", "Word (.doc)"),
        (ole("PowerPoint Document"), "FILE_FORMAT", "PowerPoint (.ppt)"),
        (ole("Contents"), "FILE_FORMAT", "OLE"),
        (ole("EncryptedPackage"), "FILE_ENCRYPTED", None),
        (OLE, "FILE_CORRUPT", "OLE"),
        (zipped(a="x"), "FILE_FORMAT", "ZIP"),
        (zipped(mimetype="application/vnd.oasis.opendocument.text"), "FILE_FORMAT", "OpenDocument (.odt)"),
        (
            zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet"),
            "FILE_FORMAT",
            "OpenDocument (.ods)",
        ),
        (
            zipped(mimetype="application/vnd.oasis.opendocument.spreadsheet-template"),
            "FILE_FORMAT",
            "OpenDocument (.ods)",
        ),
        (  # some programs leave out the mark
            zipped(**{"META-INF/manifest.xml": "application/vnd.oasis.opendocument.spreadsheet"}),
            "FILE_FORMAT",
            "OpenDocument (.ods)",
        ),
        (zipped(**XLSB), "FILE_FORMAT", "Excel (.xlsb)"),
        (zipped(Index__Document="x", **{"Index/Document.iwa": "x"}), "FILE_FORMAT", "Numbers"),
        (b"PK\x03\x04" + b"\0" * 100, "FILE_CORRUPT", "damaged zip"),
        (b"\x01\0\0\x02", "FILE_CORRUPT", "no known format"),
        (b"\x01", "FILE_CORRUPT", "no known format"),
        (bytes(range(256)) * 300, "FILE_CORRUPT", "no known format"),
        (b"x", "HEADER_NOT_FOUND", "x"),
        (b"\n\n", "FILE_EMPTY", None),
    ],
)
def test_what_is_no_roster_is_named(tmp_path, data, code, result):
    for name in ("a.xlsx", "a.xls", "a.csv"):
        (tmp_path / name).write_bytes(data)
        rows, (report,) = read_rosters([tmp_path / name])
        assert (rows, report.status, report.codes) == ([], "refused", (code,)), name
        assert report.problems[0].detail.get("found") == result
        assert report.sha256 == hashlib.sha256(data).hexdigest()
        assert all(render_problem(report.problems[0], language) for language in ("zh", "en"))


def test_remarks_without_an_end_cost_nothing(tmp_path):
    (tmp_path / "a.xls").write_bytes(b"<!--" * 16_000 + TABLE)
    assert read_rosters([tmp_path / "a.xls"])[1][0].status == "refused"


def test_what_cannot_be_opened_is_reported_and_never_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.csv")
    (tmp_path / "dangling.csv").symlink_to("nowhere.csv")
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    (tmp_path / "device.csv").symlink_to("/dev/zero")
    findings = ["not a file", "no such file or folder", "not a file", "circular links"]
    for given in (tmp_path, *[[tmp_path / f"{name}.csv" for name in ("a", "dangling", "device", "loop")]]):
        _, reports = read_rosters([given] if isinstance(given, Path) else given)
        assert [report.problems[0].detail["found"] for report in reports] == findings
        assert {report.codes for report in reports} == {("FILE_CORRUPT",), ("FILE_NOT_READ",)}
        assert all("not" not in render_problem(report.problems[0], "zh") for report in reports), (
            "every reason is translated"
        )
    _, (report,) = read_rosters([tmp_path / "absent.csv"])
    assert report.problems[0].detail["found"] == "no such file or folder"
    _, (report,) = read_rosters([tmp_path / "a\0.csv"])
    assert report.problems[0].detail["found"] == "cannot be read"


def test_a_file_that_vanishes_after_it_was_listed_is_reported(tmp_path):
    """What vanishes between the listing and the reading looks like a file that was never there."""
    files = [tmp_path / "a.csv", tmp_path / "b.csv"]
    for file in files:
        file.write_bytes(TABLE)
    listed = expand_paths([tmp_path])
    files[0].unlink()
    _, reports = read_rosters(listed)
    assert [report.status for report in reports] == ["refused", "read"]


def test_a_huge_file_is_refused_unread(tmp_path):
    with (tmp_path / "a.xlsx").open("wb") as file:
        file.truncate(300_000_000)
    _, (report,) = read_rosters([tmp_path / "a.xlsx"])
    assert (report.codes, report.sha256) == (("FILE_TOO_LARGE",), None)
    assert report.problems[0].detail == {"found": "300 MB", "limit": "200 MB"}


@pytest.mark.parametrize(
    "name", [b"\xd5\xc5\xc8\xfd.csv", "张\n三.csv".encode(), b"\xff\xfe.csv", "𠮷\u202e.csv".encode()]
)
def test_a_name_that_is_no_text_stops_nothing(tmp_path, name):
    path = os.path.join(os.fsencode(tmp_path), name)  # noqa: PTH118  bytes
    with open(path, "wb") as file:  # noqa: PTH123  bytes
        file.write(TABLE[:-1] + b'\n"x')
    for given in (tmp_path, Path(os.fsdecode(path))):
        _, (report,) = read_rosters([given])
        assert report.status == "refused"
        for language in ("zh", "en"):
            assert render_problem(report.problems[0], language).encode("utf-8")
        assert "\n" not in repr(report)


def test_notes_of_a_book_are_reported_whether_it_is_read_or_refused(tmp_path):
    drawing = pack("<2HI", 0x000F, 0xF000, 24) + pack("<2HI", 0, 0xF006, 0) + pack("<2HI", 0x1F, 0xF001, 0)
    for content, status in ((LABELS, "read"), ([], "refused")):
        (tmp_path / "a.xls").write_bytes(compound(stream(sheet(*content), extra=record(0xEB, drawing))))
        _, (report,) = read_rosters([tmp_path / "a.xls"])
        assert (report.status, report.notes) == (
            status,
            ("pictures within .xls cannot be read: save it as .xlsx",),
        )


def test_a_results_workbook_is_recognised_from_the_first_bytes(tmp_path):
    assert is_results_workbook(results(tmp_path / "r.xlsx"))
    for other in (results(tmp_path / "o.xlsx", ours=False), tmp_path / "absent.xlsx", tmp_path):
        assert not is_results_workbook(other)
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(150_000_000)
    assert not is_results_workbook(tmp_path / "huge.csv")


def test_a_results_workbook_among_rosters_is_refused_whatever_stands_in_it(tmp_path):
    rows, (report,) = read_rosters([results(tmp_path / "r.xlsx")])
    assert (rows, report.status, report.codes) == ([], "refused", ("FILE_FORMAT",))
    for language, what in (("zh", "标记副本"), ("en", "marked copy")):
        assert what in render_problem(report.problems[0], language)


def test_a_refusal_is_a_whole_sentence_without_personal_data(tmp_path):
    (tmp_path / "a.csv").write_bytes(f'姓名,身份证号\n"张三,{NUMBER}\n'.encode())
    _, (report,) = read_rosters([tmp_path / "a.csv"])
    for language in ("zh", "en"):
        message = render_problem(report.problems[0], language)
        assert "2" in message
        assert NUMBER not in message + repr(report)
    assert NUMBER not in repr(read_rosters([tmp_path / "a.csv"]))
