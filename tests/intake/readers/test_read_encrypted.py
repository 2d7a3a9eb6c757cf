"""Workbooks with an opening password: opened with the right one, refused with what to do, and nothing told of it."""

from __future__ import annotations

import io
import logging
import re
import subprocess
import sys
import zipfile

import encrypted_support as encrypted
import openpyxl
import pytest
from biff_support import compound, label, record, sheet, stream
from office_support import edit

from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import compound_files as intake
from pipeline.intake.readers import rare_formats
from pipeline.intake.readers.model import ReadOptions
from pipeline.messages.catalogue import render_text
from pipeline.messages.problems import render_problem

PASSWORD = "处方2026!"
NUMBER = "11010119900307123X"


def workbook():
    book = openpyxl.Workbook()
    book.active.append(["姓名", "身份证号"])
    book.active.append(["张三", NUMBER])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def records(extra=b""):
    texts = (("姓名", "身份证号"), ("张三", NUMBER))
    lines = [label(row, column, text) for row, line in enumerate(texts) for column, text in enumerate(line)]
    return stream(sheet(*lines, record(0x0201, b"\x63" + bytes(2999))), extra=extra)


def old(*, crypto_api):
    return lambda password: encrypted.biff(records, password, crypto_api=crypto_api)


KINDS = {
    "agile": lambda password: encrypted.agile(workbook(), password),
    "agile of Excel 2010": lambda password: encrypted.agile_by_the_book(workbook(), password),
    "agile of SHA-384": lambda password: encrypted.agile_by_the_book(
        workbook(), password, algorithm="SHA384"
    ),
    "standard": lambda password: encrypted.standard(workbook(), password),
    "rc4": old(crypto_api=False),
    "cryptoapi": old(crypto_api=True),
}


@pytest.fixture
def read(tmp_path):
    def of(data, *passwords):
        (tmp_path / "a.xlsx").write_bytes(data)
        rows, (report,) = read_rosters([tmp_path / "a.xlsx"], options=ReadOptions(passwords=passwords))
        return rows, report

    return of


@pytest.mark.parametrize("kind", KINDS)
def test_the_right_password_opens_the_file_and_without_it_the_file_is_refused_with_what_to_do(read, kind):
    """One password of those given opens it, whatever the others are, also ones that no program can type."""
    data = KINDS[kind](PASSWORD)
    rows, report = read(data, "", "wrong", "\ud800", PASSWORD)
    assert report.status == "read"
    assert [[cell.display_text for cell in row.cells] for row in rows] == [["张三", NUMBER]]
    for passwords, hint in (((), intake.NO_PASSWORD), (("wrong",), intake.WRONG_PASSWORD)):
        rows, report = read(data, *passwords)
        assert (rows, report.codes, report.problems[0].detail["hint"]) == ([], ("FILE_ENCRYPTED",), hint)


@pytest.mark.parametrize("kind", ["agile", "standard", "rc4", "cryptoapi"])
def test_the_password_that_excel_gives_by_itself_opens_the_file(read, kind):
    rows, report = read(KINDS[kind](intake.DEFAULT_PASSWORD), "", "wrong")
    assert report.status == "read"
    assert [[cell.display_text for cell in row.cells] for row in rows] == [["张三", NUMBER]]


def test_a_wrong_password_is_called_so_where_the_file_could_not_be_opened_anyway(read):
    _, report = read(encrypted.standard(workbook(), PASSWORD, tail=b"12345"), "wrong")
    assert report.problems[0].detail["hint"] == intake.WRONG_PASSWORD


def test_the_hints_exist_in_both_languages():
    hints = (intake.NO_EXTRA, intake.NO_PASSWORD, intake.WRONG_PASSWORD, intake.UNSUPPORTED)
    assert all(re.search(r"[\u4e00-\u9fff]", render_text(hint, "zh")) for hint in hints)


def test_a_password_is_nowhere_to_be_seen(read, caplog, capfd):
    caplog.set_level(logging.DEBUG)
    data = KINDS["standard"]("another")
    _, report = read(data, PASSWORD)
    everything = repr(report) + repr(report.problems[0].detail) + repr(ReadOptions(passwords=(PASSWORD,)))
    everything += render_problem(report.problems[0], "zh") + render_problem(report.problems[0], "en")
    everything += caplog.text + "".join(capfd.readouterr())
    assert PASSWORD not in everything
    assert repr(PASSWORD.encode("utf-16-le"))[2:-1] not in everything


def test_without_the_extra_the_file_is_refused_with_how_to_install_it(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(KINDS["agile"](PASSWORD))
    script = (
        "import sys; sys.modules['msoffcrypto'] = None; from pathlib import Path;"
        "from pipeline.intake.readers import rare_formats; rare_formats.run_in_child = lambda function: function();"
        "from pipeline.intake.read_rosters import read_rosters; from pipeline.intake.readers.model import ReadOptions;"
        "_, (report,) = read_rosters([Path(sys.argv[1])], options=ReadOptions(passwords=('x',)));"
        "print(report.codes[0], report.problems[0].detail['hint'])"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.xlsx")], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == f"FILE_ENCRYPTED {intake.NO_EXTRA}"


def test_what_comes_out_is_guarded_like_any_file(read):
    twice = encrypted.agile(workbook(), PASSWORD)
    info, secret = intake_package(twice)
    _, report = read(encrypted.described(info, secret), PASSWORD)
    assert report.codes == ("FILE_ENCRYPTED",)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(
            "[Content_Types].xml",
            "<Types xmlns='http://schemas.openxmlformats.org/package/2006/content-types'/>",
        )
        archive.writestr("xl/worksheets/sheet1.xml", bytes(30_000_000))
    _, report = read(encrypted.agile(bomb.getvalue(), PASSWORD), PASSWORD)
    assert report.codes == ("FILE_SUSPICIOUS",)


def intake_package(data):
    """Return an encrypted file packed and encrypted once more, but for the zip that msoffcrypto asks for."""
    from msoffcrypto.method.ecma376_agile import ECMA376Agile

    info, secret = ECMA376Agile.generate_encryption_parameters(PASSWORD)
    package = ECMA376Agile.encrypt_payload(
        io.BytesIO(data), info.encryptedKey, secret, info.keyData.saltValue
    )
    return package, ECMA376Agile.get_encryption_information(info, package, secret)


def test_a_password_that_would_be_hashed_for_hours_is_given_up(read, monkeypatch):
    monkeypatch.setattr(rare_formats, "MAX_SECONDS", 2)
    _, report = read(encrypted.spinning(workbook(), PASSWORD, 10_000_000), PASSWORD, "b", "c", "d")
    assert (report.codes, report.problems[0].detail["found"]) == (("FILE_SUSPICIOUS",), "> 2 s")


@pytest.mark.parametrize(
    "description",
    [
        b"\4\0\4\0\x40\0\0\0<!DOCTYPE a [<!ENTITY b 'c'>]><a/>",
        b"\4\0\4\0\x40\0\0\0<a",
        b"\4\0\4\0\x40\0\0\0<a spinCount='x'/>",
        b"\4\0\3\0\x40\0\0\0",
        b"",
    ],
)
def test_hostile_and_unknown_descriptions_are_refused(read, description):
    _, report = read(encrypted.described(bytes(5_000), description), PASSWORD)
    assert (report.codes, report.problems[0].detail["hint"]) == (("FILE_ENCRYPTED",), intake.UNSUPPORTED)


def test_an_unknown_protection_is_reported(read):
    xor = compound(records(record(0x002F, b"\2\0" + bytes(4))))
    _, report = read(xor, PASSWORD)
    assert (report.codes, report.problems[0].detail["hint"]) == (("FILE_ENCRYPTED",), intake.UNSUPPORTED)


def test_a_large_encrypted_file_is_refused_before_it_is_decrypted(read, monkeypatch):
    monkeypatch.setattr(intake, "MAX_BYTES", 5_000)
    _, report = read(KINDS["agile"](PASSWORD) + bytes(5_000), PASSWORD)
    assert report.codes == ("FILE_TOO_LARGE",)


@pytest.mark.office
def test_what_libreoffice_encrypted_is_opened(tmp_path):
    """One program that is not msoffcrypto: its .xls and .xlsx open."""
    plain = tmp_path / "plain.xlsx"
    plain.write_bytes(workbook())
    files = [tmp_path / name for name in ("a.xls", "a.xlsx")]
    edit(plain, "", files, password="secret12")
    rows, reports = read_rosters(files, options=ReadOptions(passwords=("secret12",)))
    assert [report.codes for report in reports] == [(), ()]
    assert [[cell.display_text for cell in row.cells] for row in rows] == 2 * [["张三", NUMBER]]
