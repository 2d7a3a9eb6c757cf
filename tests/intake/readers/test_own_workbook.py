"""Whose workbook a file is, told by property sets as programs write them, and by damaged ones."""

from __future__ import annotations

from struct import pack

import pytest

from pipeline.intake.readers.own_workbook import read_run_of_properties

RUN = "20261125-020000-001"
OURS = {"AppVersion": "12.0000", "esign-import": "results", "esign-import-run": RUN, "esign-import-schema": 1}
USER = bytes.fromhex("05d5cdd59c2e1b10939708002b2cf9ae")
OTHER = bytes.fromhex("02d5cdd59c2e1b10939708002b2cf9ae")


def property_set(record: dict, *, page: int = 936, wide: bool = False) -> bytes:
    """A stream of two sections as [MS-OLEPS] has it: names in the code page, texts in it or as VT_LPWSTR."""
    codec = "utf-16-le" if page == 1200 else "ascii"

    def padded(raw: bytes) -> bytes:
        return raw + bytes(-len(raw) % 4)

    def value(content) -> bytes:
        if isinstance(content, int):
            return pack("<Ii", 3, content)
        if wide:
            return pack("<2I", 0x1F, len(content) + 1) + padded((content + "\0").encode("utf-16-le"))
        raw = (content + "\0").encode(codec)
        return pack("<2I", 0x1E, len(raw)) + padded(raw)

    dictionary = pack("<I", len(record))
    for number, name in enumerate(record, 2):
        raw = (name + "\0").encode(codec)
        dictionary += pack("<2I", number, len(name) + 1) + (padded(raw) if page == 1200 else raw)
    # Excel puts the values before the dictionary's end in whatever order: here the last comes first
    parts = [(1, pack("<IHxx", 2, page)), (0, padded(dictionary))]
    parts += [(number, value(content)) for number, content in reversed(list(enumerate(record.values(), 2)))]
    head, body = b"", b""
    for number, part in parts:
        head += pack("<2I", number, 8 + 8 * len(parts) + len(body))
        body += part
    section = pack("<2I", 8 + len(head) + len(body), len(parts)) + head + body
    empty = pack("<2I", 8, 0)
    start = 28 + 40
    return (
        pack("<2H4x16xI", 0xFFFE, 0, 2)
        + OTHER + pack("<I", start) + USER + pack("<I", start + len(empty)) + empty + section
    )  # fmt: skip


@pytest.mark.parametrize(
    ("page", "wide"), [(936, False), (1252, False), (1200, False), (1200, True), (936, True)]
)
def test_our_mark_is_read_in_every_code_page(page, wide):
    assert read_run_of_properties(property_set(OURS, page=page, wide=wide)) == RUN


def test_others_are_nobodys():
    assert read_run_of_properties(property_set({"esign-import-run": RUN})) is None
    assert read_run_of_properties(property_set({"esign-import": "else", "esign-import-run": RUN})) is None
    assert read_run_of_properties(property_set({"esign-import": "results"})) == ""
    assert read_run_of_properties(b"") is None


def test_no_damage_makes_more_of_it_than_nobodys():
    whole = property_set(OURS)
    for index in range(0, len(whole), 3):
        assert read_run_of_properties(whole[:index]) in {None, RUN}
        result = read_run_of_properties(whole[:index] + b"\xff\xff\xff\x7f" + whole[index + 4 :]) or ""
        assert result in RUN or "\ufffd" in result
