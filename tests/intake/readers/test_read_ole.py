"""Compound files: their streams are read whole or refused, and what is handed on is one that we wrote."""

from __future__ import annotations

import io
import subprocess
import sys
from struct import pack_into, unpack_from

import olefile
import pytest
from biff_support import compound, label, sheet, stream
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import FileRefused
from pipeline.intake.readers import ole

RECORDS = stream(sheet(*[label(row, 0, "x" * 50) for row in range(400)]))


@pytest.mark.parametrize("size", [0, 1, 4_095, 4_096, 4_097, 70_000, 5_000_000])
def test_what_is_wrapped_comes_out_again(size):
    content = bytes(range(256)) * (size // 256 + 1)
    wrapped = ole.wrap(content[:size])
    found = olefile.OleFileIO(io.BytesIO(wrapped))
    assert found.listdir() == [["Workbook"]]
    assert found.openstream("Workbook").read() == content[:size].ljust(4_096, b"\0")
    assert found.parsing_issues == []
    assert ole.Compound(wrapped).read("workbook")[:size] == content[:size]


@pytest.mark.parametrize("name", ["Workbook", "Book", "WORKBOOK"])
def test_a_stream_is_found_in_any_case(name):
    found = ole.Compound(compound(RECORDS, name))
    assert found.streams == {name.casefold()}
    assert found.read(name.casefold()).startswith(RECORDS)


def test_a_large_file_is_refused_unopened(monkeypatch):
    monkeypatch.setattr(ole, "MAX_BYTES", 5_000)
    with pytest.raises(FileRefused) as caught:
        ole.Compound(compound(RECORDS))
    assert caught.value.code == "FILE_TOO_LARGE"


def looped(*, table):
    """Return a file whose chain of sectors, or of tables of chains, runs in a circle."""
    content = bytearray(compound(RECORDS))
    (first,) = unpack_from("<I", content, 76)  # the sector that holds the chains
    if table:
        pack_into(
            "<2I", content, 68, 0, 1
        )  # further tables of chains: in sector 0, which names itself the next
        pack_into("<I", content, 512 + 508, 0)
    else:
        (directory,) = unpack_from("<I", content, 48)
        pack_into("<I", content, 512 * (first + 1) + 4 * directory, directory)
    return bytes(content)


@pytest.mark.parametrize("table", [True, False])
def test_a_chain_in_a_circle_costs_nothing(tmp_path, table):
    """calamine follows it until the memory is gone."""
    (tmp_path / "a.xls").write_bytes(looped(table=table))
    script = (
        "import sys, resource; from pathlib import Path; from pipeline.intake.read_rosters import read_rosters;"
        "resource.setrlimit(resource.RLIMIT_AS, (2_000_000_000,) * 2);"
        "_, (report,) = read_rosters([Path(sys.argv[1])]); print(report.status)"
    )
    out = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "a.xls")],
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    assert out.stdout.strip() == "refused"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_no_damaged_byte_makes_it_raise(data):
    content = bytearray(compound(RECORDS))
    place = data.draw(st.one_of(st.integers(0, 511), st.integers(0, len(content) - 1)))
    content[place] ^= data.draw(st.integers(1, 255))
    try:
        found = ole.Compound(bytes(content))
        assert all(len(found.read(name)) <= len(content) for name in found.streams)
    except FileRefused as error:
        assert error.code == "FILE_CORRUPT"  # noqa: PT017  either is right
