"""The child process that reads rare formats: bounded, without secrets, and never more than one file's trouble."""

from __future__ import annotations

import io
import os
import pickle
import stat
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import xlwt
from format_support import Page, write_html, write_xls, write_xml2003

from pipeline.errors import FileRefused, NotReadNow
from pipeline.intake.read_rosters import read_rosters
from pipeline.intake.readers import model, rare_formats
from pipeline.intake.readers.child.program import Reading, read_sheets
from pipeline.intake.readers.compound_files import Compound

REPOSITORY = Path(__file__).parents[3]
PAGE = Page("内科", {1: {0: "姓名", 1: "身份证号"}, 2: {0: "张三", 1: "11010119900307123X"}})


def read_in_child(kind: str, data: bytes) -> Reading:
    return rare_formats.run_in_child(partial(read_sheets, kind, data))


def refusal(kind: str, data: bytes):
    with pytest.raises(FileRefused) as caught:
        read_in_child(kind, data)
    return caught.value.code, caught.value.detail.get("found")


def stray_cell() -> bytes:
    book = xlwt.Workbook()
    page = book.add_sheet("A")
    page.write(0, 0, "x")
    page.write(65_535, 255, "x")
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


# the alarm ends a child that was not killed; it goes on when its task comes
READY = "import os, pickle, signal, sys; signal.alarm(20); print(flush=True); os.read(0, 1)\n"
ENTITIES = '<!DOCTYPE a [<!ENTITY b "c"><!ENTITY d "&b;&b;&b;">]>'


@pytest.mark.parametrize(
    ("kind", "data", "code"),
    [
        ("xls", b"\x09\x08\x08\x00\x00\x06\x05\x00", "FILE_CORRUPT"),
        ("xml2003", f"{ENTITIES}<Workbook/>".encode(), "FILE_SUSPICIOUS"),
        ("xml2003", b"<Workbook>", "FILE_CORRUPT"),
        ("html", b"<p>x</p>", "FILE_FORMAT"),
    ],
)
def test_hostile_files_are_refused(kind, data, code):
    assert refusal(kind, data)[0] == code


def test_a_stray_cell_in_an_old_workbook_costs_nothing():
    ((_, lines),), _ = read_in_child("xls", Compound(stray_cell()).read_workbook())
    assert [pickle.loads(line).number for line in lines] == [1, 65_536]


def test_more_cells_than_allowed_refuse_a_file(tmp_path, monkeypatch):
    monkeypatch.setattr(model, "MAX_CELLS", 3)
    (tmp_path / "a.xls").write_bytes(write_xls(PAGE))
    _, (report,) = read_rosters([tmp_path])
    assert report.codes == ("FILE_TOO_LARGE",)


def test_a_child_that_takes_too_much_memory_is_killed(monkeypatch):
    """As on Windows and macOS: the child has no limit of its own."""
    monkeypatch.setattr(rare_formats, "_START", READY + "held = b'x' * 100_000_000; signal.pause()")
    monkeypatch.setattr(rare_formats, "MAX_MEMORY", 60_000_000)
    assert refusal("html", b"") == ("FILE_SUSPICIOUS", "> 60 MB of memory")


def test_a_child_that_takes_too_long_is_killed(monkeypatch):
    """Of processor time, and by the clock."""
    monkeypatch.setattr(rare_formats, "_START", READY + "while True: pass")
    monkeypatch.setattr(rare_formats, "MAX_SECONDS", 0.3)
    assert refusal("html", b"") == ("FILE_SUSPICIOUS", "> 0.3 s")
    monkeypatch.setattr(rare_formats, "_START", READY + "signal.pause()")
    monkeypatch.setattr(rare_formats, "MAX_SECONDS", 60)
    monkeypatch.setattr(rare_formats, "MAX_WAIT", 1)
    assert refusal("html", b"") == ("FILE_SUSPICIOUS", "> 1 s")


def test_a_child_has_limits_of_its_own_where_the_system_has_them():
    resource = pytest.importorskip("resource")
    code = (
        "import resource; from pipeline.intake.readers.child.program import _limit_resources as limit;"
        "limit(2 * 10**9, 7); print([resource.getrlimit(getattr(resource, f'RLIMIT_{name}'))[0] for name in"
        " ('AS', 'CPU', 'FSIZE', 'CORE')])"
    )
    shown = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=REPOSITORY)
    assert shown.strip() == "[2000000000, 8, 100000000, 0]"
    assert resource.getrlimit(resource.RLIMIT_CPU)[0] != 7


@pytest.mark.parametrize(
    ("program", "result"),
    [
        ("os.abort()", "the reader ended: -6"),
        ("pass", "the reader ended: 0"),
        ("sys.stdout.buffer.write(pickle.dumps([1] * 99)[:-9])", "the reader ended: 0"),
    ],
)
def test_a_child_that_breaks_down_refuses_the_file(monkeypatch, program, result):
    monkeypatch.setattr(rare_formats, "_START", READY + program)
    assert refusal("xls", b"") == ("FILE_SUSPICIOUS", result)


def test_a_child_that_does_not_start_is_no_fault_of_the_file(monkeypatch):
    monkeypatch.setattr(rare_formats, "_START", "raise SystemExit(1)")
    with pytest.raises(NotReadNow):
        read_in_child("xls", b"")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(NotReadNow):
        read_in_child("xls", b"")


def test_no_secret_reaches_the_child(monkeypatch):
    monkeypatch.setenv("TENCENTCLOUD_SECRET_KEY", "secret")
    monkeypatch.setattr(rare_formats, "_START", READY + "pickle.dump(sorted(os.environ), sys.stdout.buffer)")
    names = read_in_child("xls", b"")
    assert "PATH" in names
    assert "TENCENTCLOUD_SECRET_KEY" not in names


def test_a_refused_file_does_not_affect_another(tmp_path):
    (tmp_path / "a.xls").write_bytes(write_xls(PAGE)[:-3000])
    (tmp_path / "b.xls").write_bytes(write_xls(PAGE))
    rows, reports = read_rosters([tmp_path])
    assert [report.status for report in reports] == ["refused", "read"]
    assert [row.origin.file for row in rows] == ["b.xls"]


def test_the_child_loads_no_more_than_it_needs():
    code = "import sys; import pipeline.intake.readers.child.program; import pipeline.intake.readers.child.xls; print(*sys.modules)"
    modules = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=REPOSITORY).split()
    assert not {"pydantic", "pandas", "aiohttp", "PIL"} & set(modules)


def test_a_program_that_embeds_the_package_needs_no_guard(tmp_path):
    """A child that imported the program again would read the roster again, and again."""
    (tmp_path / "a.xls").write_bytes(write_xls(PAGE))
    (tmp_path / "embedder.py").write_text(
        f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); from pathlib import Path\n"
        "from pipeline.intake.read_rosters import read_rosters\n"
        "print(len(read_rosters([Path('a.xls')])[0]), 'row')\n"
    )
    command = [sys.executable, str(tmp_path / "embedder.py")]
    assert subprocess.check_output(command, text=True, cwd=tmp_path) == "1 row\n"


@pytest.mark.skipif(os.name == "nt", reason="the stand-in for a frozen program is a shell script")
def test_a_frozen_program_is_its_own_child(tmp_path, monkeypatch):
    program = tmp_path / "esign-import"
    program.write_text(f'#!/bin/sh\ncd {REPOSITORY} && exec {sys.executable} -m pipeline "$@"\n')
    program.chmod(stat.S_IRWXU)
    monkeypatch.setattr(sys, "executable", str(program))
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    for kind, data in (("xml2003", write_xml2003(PAGE)), ("html", write_html(PAGE))):
        ((_, lines),), _ = read_in_child(kind, data)
        assert len(lines) == 2
