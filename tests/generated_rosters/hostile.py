"""Files that no roster can be read from: damaged, foreign, empty, hostile; each costs a clear refusal and nothing else."""

import io
import zipfile
from collections.abc import Callable

import openpyxl
from encrypted_support import agile
from generated_rosters.cast import Cast
from generated_rosters.pictures import png
from generated_rosters.truth import FilePlan

REFUSED = frozenset({"refused"})
TITLES = ("姓名", "身份证号", "手机号", "科室")


def workbook(*rows) -> bytes:
    """Return a plain workbook."""
    book = openpyxl.Workbook()
    for row in rows:
        book.active.append(row)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def with_part(data: bytes, name: str, change: Callable[[bytes], bytes]) -> bytes:
    """Return the workbook with one part changed."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.namelist():
            part = old.read(member)
            new.writestr(member, change(part) if member == name else part)
    return result.getvalue()


def _doctor(cast: Cast) -> tuple[str, str, str, str]:
    """Return a line that would be sent, were the file read: the picture lies ready."""
    person = cast.person()
    cast.leave(f"{person.name}.png", cast.png(person).data)
    return person.name, person.number, person.mobile, person.department


def _csv(*rows) -> bytes:
    return "".join(",".join(row) + "\r\n" for row in rows).encode("utf-8")


def _bomb(cast: Cast) -> bytes:
    blank = b" " * 25_000_000
    return with_part(
        workbook(TITLES, _doctor(cast)),
        "xl/worksheets/sheet1.xml",
        lambda part: part.replace(b"</sheetData>", blank + b"</sheetData>"),
    )


def _entity(cast: Cast) -> bytes:
    doctype = b'<!DOCTYPE worksheet [<!ENTITY x SYSTEM "file:///etc/passwd">]><worksheet'
    return with_part(
        workbook(TITLES, _doctor(cast)),
        "xl/worksheets/sheet1.xml",
        lambda part: part.replace(b"<worksheet", doctype, 1),
    )


def _word(_cast: Cast) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr("[Content_Types].xml", "<Types/>")
        book.writestr("word/document.xml", "<document/>")
    return stream.getvalue()


def _open_document(_cast: Cast) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as book:
        book.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        book.writestr("content.xml", "<office:document-content/>")
    return stream.getvalue()


# file name -> how it is made, one of which codes
BAD = {
    "坏01空.xlsx": (lambda _c: b"", "FILE_EMPTY"),
    "坏02截断.xlsx": (lambda c: workbook(TITLES, _doctor(c))[:-700], "FILE_CORRUPT"),
    "坏03照片.xlsx": (lambda c: png(c.draw(c.person())), "FILE_FORMAT"),
    "坏04文档.xls": (lambda _c: b"%PDF-1.4\n%%EOF\n", "FILE_FORMAT"),
    "坏05密码不对.xlsx": (lambda c: agile(workbook(TITLES, _doctor(c)), "不知道"), "FILE_ENCRYPTED"),
    "坏06无表头.csv": (lambda c: _csv(_doctor(c), _doctor(c)), "HEADER_NOT_FOUND"),
    "坏07缺列.xlsx": (lambda c: workbook(("姓名", "手机号", "科室"), _doctor(c)[::2]), "COLUMN_MISSING HEADER_NOT_FOUND"),
    "坏08两列.xlsx": (lambda c: workbook((*TITLES, "证件号码"), (*_doctor(c), c.crowd.number())), "HEADER_AMBIGUOUS"),
    "坏10编码.csv": (lambda c: _csv(TITLES, _doctor(c)) + b"\xff\xff\x81\n", "FILE_ENCODING"),
    "坏11引号.csv": (lambda c: _csv(TITLES, ('"' + _doctor(c)[0], *_doctor(c)[1:])), "FILE_CORRUPT"),
    "坏12炸弹.xlsx": (_bomb, "FILE_SUSPICIOUS FILE_TOO_LARGE"),
    "坏13实体.xlsx": (_entity, "FILE_SUSPICIOUS FILE_CORRUPT"),
    "坏14文字.xlsx": (_word, "FILE_FORMAT"),
    "坏15无内容.xlsx": (lambda _c: workbook(), "FILE_EMPTY HEADER_NOT_FOUND"),
    "坏16网页.xls": (lambda _c: b"<html><body><p>session expired</p></body></html>", "HEADER_NOT_FOUND FILE_FORMAT FILE_EMPTY"),
    "坏17表格2003.xls": (
        lambda _c: b'<?xml version="1.0"?><Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet"/>',
        "FILE_FORMAT FILE_EMPTY HEADER_NOT_FOUND",
    ),
    "坏18空.csv": (lambda _c: b"", "FILE_EMPTY"),
    "坏19开放格式.ods": (_open_document, "FILE_FORMAT"),
}  # fmt: skip


def bad_files(cast: Cast) -> list[FilePlan]:
    """Return every one of them with the truth about it."""
    made = []
    for name, (make, codes) in BAD.items():
        plan = FilePlan(name, "raw", raw=make(cast), statuses=REFUSED, codes=frozenset(codes.split()))
        plan.trap = f"file {name}"
        made.append(plan)
    return made
