"""Writes the plain rows of a large sheet without the time that XlsxWriter takes for each of their cells.

XlsxWriter writes the first row of each kind, and every row that is not plain: one with a link, a picture, several lines
or an unusual text. The later rows of a kind differ from its first row in their texts and numbers alone. They wait in a
file, and are made of the first row's XML and put between the others once XlsxWriter has closed the workbook. The result
is the sheet that XlsxWriter would have written, byte for byte.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Sequence
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, BadZipFile, ZipFile, ZipInfo

_BETWEEN = "\x1f"  # stands between the texts of a row that waits; no plain text holds it
_LONGEST = 16_000  # characters of a plain row
_CHUNK = 1 << 18  # bytes
_AT_ONCE = 200  # rows
_WRITTEN, _FIRST = "written", "first"  # begin the line of a row that XlsxWriter writes
_ROW_NUMBER = "\0"  # in a template
_END = b"</row>"
_ROW = re.compile(r'<row r="[0-9]+"([^>]*)>(.*)</row>')
_CELL = re.compile(
    r'<c r="(?P<column>[A-Z]+)[0-9]+"(?P<style> s="[0-9]+")?'
    r'(?:(?P<empty>/>)|(?P<before> t="inlineStr"><is><t>|><v>)[^<]*(?P<after></t></is></c>|</v></c>))'
)


class RowsNotMerged(Exception):
    """What XlsxWriter wrote has another form than expected: the sheet has to be written by XlsxWriter alone."""


class StreamedRows:
    """The rows of one sheet below its heading, in order: those that wait, and the places of those XlsxWriter writes."""

    def __init__(self, file: Path, rows: int) -> None:
        """Open the file of the rows that wait; the last of so many ``rows`` is always XlsxWriter's: it ends the sheet."""
        self._file = file.open("w+", encoding="utf-8", newline="\n")
        self._kinds: dict[Hashable, int] = {}
        self._count, self._rows = 0, rows

    def add_plain(self, kind: Hashable, values: Sequence[str | int]) -> bool:
        """Take the next row; False where XlsxWriter has to write it: it is not plain, or the first of its kind.

        ``kind`` is equal for rows whose cells have the same formats.
        """
        self._count += 1
        texts = [value if isinstance(value, str) else f"{value:.16G}" for value in values if value != ""]
        line = _BETWEEN.join(texts)
        if self._count == self._rows or not texts or not _is_plain("".join(texts), line):
            self._file.write(f"{_WRITTEN}\n")
            return False
        whole_kind = (kind, tuple([(value == "", type(value)) for value in values]))
        if "&" in line or ">" in line:
            line = line.replace("&", "&amp;").replace(">", "&gt;")
        known = self._kinds.get(whole_kind)
        if known is None:
            self._kinds[whole_kind] = len(self._kinds)
        self._file.write(f"{_FIRST if known is None else known}{_BETWEEN}{line}\n")
        return known is not None

    def add_written(self) -> None:
        """Note that XlsxWriter writes the next row."""
        self._count += 1
        self._file.write(f"{_WRITTEN}\n")

    def merge(self, draft: Path, target: Path, part: str) -> None:
        """Write the workbook ``draft`` to ``target``, its sheet ``part`` with the rows that waited."""
        try:
            with ZipFile(draft) as book, ZipFile(target, "w") as merged:
                for member in book.infolist():
                    copy = ZipInfo(member.filename, member.date_time)
                    copy.compress_type = ZIP_DEFLATED
                    with book.open(member) as source, merged.open(copy, "w") as sink:
                        if member.filename == part:
                            self._merge_sheet(source, sink)
                        else:
                            while chunk := source.read(_CHUNK):
                                sink.write(chunk)
        except BadZipFile as error:
            raise RowsNotMerged(str(error)) from error

    def close(self) -> None:
        """Close the file of the rows that wait."""
        self._file.close()

    def _merge_sheet(self, source: IO[bytes], sink: IO[bytes]) -> None:
        rows = _split_rows(source)
        sink.write(next(rows))  # the heading
        templates: list[str] = []
        ready: list[str] = []
        self._file.seek(0)
        for number, line in enumerate(self._file, start=2):
            kind, _, joined = line[:-1].partition(_BETWEEN)
            texts = tuple(joined.split(_BETWEEN))
            if kind in {_WRITTEN, _FIRST}:
                row = next(rows, b"").decode()
                if not row.startswith(f'<row r="{number}"'):
                    raise RowsNotMerged(row)
                if kind == _FIRST:
                    templates.append(_make_template(row, number, texts))
            else:
                row = (templates[int(kind)] % texts).replace(_ROW_NUMBER, str(number))
            ready.append(row)
            if len(ready) == _AT_ONCE:
                sink.write("".join(ready).encode())
                ready.clear()
        sink.write("".join(ready).encode())
        rest = next(rows, _END)
        if _END in rest or next(rows, None) is not None:
            raise RowsNotMerged("other rows than were written")
        sink.write(rest)


def _is_plain(text: str, line: str) -> bool:
    """Return whether XlsxWriter would write the texts of a row as they are, but for ``&`` and ``>``.

    It escapes ``_x0041_``, takes ``<r>`` for XML, and marks blanks at the ends.
    """
    return (
        text.isprintable()
        and len(line) < _LONGEST
        and "<" not in line
        and "_x" not in line
        and line[:1] != " "
        and line[-1:] != " "
        and f" {_BETWEEN}" not in line
        and f"{_BETWEEN} " not in line
    )


def _split_rows(source: IO[bytes]) -> Iterator[bytes]:
    """Yield a sheet's XML in pieces that end with a row each; the last piece is what follows the rows."""
    rest = b""
    while chunk := source.read(_CHUNK):
        *rows, rest = (rest + chunk).split(_END)
        for row in rows:
            yield row + _END
    yield rest


def _make_template(row: str, number: int, texts: tuple[str, ...]) -> str:
    """Return the XML of a row, whose texts these are, with ``%s`` in place of each and a mark in place of its number."""
    whole = _ROW.fullmatch(row)
    template = [f'<row r="{_ROW_NUMBER}"{whole[1]}>'] if whole else []
    cells = 0
    for cell in _CELL.finditer(whole[2]) if whole else ():
        cells += not cell["empty"]
        content = cell["empty"] or f"{cell['before']}%s{cell['after']}"
        template.append(f'<c r="{cell["column"]}{_ROW_NUMBER}"{cell["style"] or ""}{content}')
    template.append(_END.decode())
    made = "".join(template)
    if cells != len(texts) or (made % texts).replace(_ROW_NUMBER, str(number)) != row:
        raise RowsNotMerged(row)
    return made
