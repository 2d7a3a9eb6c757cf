"""Rosters in, rows out: which files there are, which reader takes each, and what became of it.

A file that cannot be read whole gives no row at all; its report says why, and the others go on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pipeline.errors import FileRefused
from pipeline.intake import text, xlsx
from pipeline.intake.cells import Book
from pipeline.intake.formats import ROSTER_SUFFIXES, SPREADSHEET_SUFFIXES, kind_of
from pipeline.intake.headers import Vocabulary, missing
from pipeline.intake.manner import PLAIN, Manner
from pipeline.intake.rows import Table, table
from pipeline.problems import CATALOGUE
from pipeline.roster import FileReport, Problem, Row

MAX_BYTES = 200_000_000  # of a file on disk; what it unpacks to is bounded by its reader
TO_FIX = ("失败待改", "To fix")  # how the sheets of our own workbook that a clerk corrects are called
NO_COLUMNS: Mapping[str, str] = MappingProxyType({})


def read_rosters(
    paths: Sequence[Path],
    *,
    columns: Mapping[str, str] = NO_COLUMNS,
    to_fix_only: bool = False,
    manner: Manner = PLAIN,
) -> tuple[list[Row], list[FileReport]]:
    """Read files, and the roster files directly in folders, in the order given and then by name.

    ``columns`` maps a header to the value of a Field, before the built-in titles. ``to_fix_only`` takes nothing
    but our own results workbooks, of which only the To fix sheets are read; without it those are deferred.
    Never raises for a bad file: its report has the status ``refused``, its codes, and no rows.
    """
    vocabulary = Vocabulary.of(columns)
    rows: list[Row] = []
    reports: list[FileReport] = []
    for path in expand(paths):
        found, report = read_roster(path, vocabulary, to_fix_only=to_fix_only, manner=manner)
        rows += found
        reports.append(report)
    return rows, reports


def expand(paths: Sequence[Path]) -> list[Path]:
    """Return the files meant, each once; a folder gives its spreadsheets, without debris and sub-folders."""
    files = [file for path in paths for file in (_in_folder(path) if path.is_dir() else [path])]
    once: dict[Path, Path] = {}
    for file in files:
        once.setdefault(file.resolve(), file)
    return list(once.values())


def read_roster(
    path: Path, vocabulary: Vocabulary, *, to_fix_only: bool, manner: Manner
) -> tuple[list[Row], FileReport]:
    """Read one file whole, or not at all."""
    digest = None
    tables: list[Table] = []
    try:
        data = _bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        book = _open(data, path, vocabulary, manner)
        del data
        if book.results and not to_fix_only:
            return [], FileReport(path, digest, "deferred", notes=("esign-import results",))
        if to_fix_only and not book.results:
            raise FileRefused("FILE_FORMAT", {"found": "≠ esign-import results.xlsx"})
        tables.extend(_tables(book, path, vocabulary))
        _whole(tables, vocabulary, ours=book.results)
    except FileRefused as refused:
        sheets = tuple(each.report for each in tables)
        return [], FileReport(path, digest, "refused", (refused.code,), (_problem(refused),), sheets=sheets)
    rows = [row for each in tables for row in each.rows]
    return rows, FileReport(
        path,
        digest,
        "read",
        rows=len(rows),
        sheets=tuple(each.report for each in tables),
        skipped=tuple(line for each in tables for line in each.skipped),
        notes=tuple(note for each in tables for note in each.notes),
    )


def run_of(path: Path) -> str | None:
    """Return the run whose results workbook a file is; None when it is anything else."""
    try:
        return _open(_bytes(path), path, Vocabulary.of({}), PLAIN).run
    except FileRefused:
        return None


def _in_folder(folder: Path) -> Iterator[Path]:
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        known = file.suffix.lower() in ROSTER_SUFFIXES | SPREADSHEET_SUFFIXES
        if known and not file.name.startswith(("~$", ".")) and file.is_file():
            yield file


def _bytes(path: Path) -> bytes:
    """Return a regular file's bytes; a pipe or a device would never end."""
    try:
        if not path.is_file():
            raise FileRefused("FILE_CORRUPT", {"found": "不是文件 / not a file"})
        size = path.stat().st_size
        if size > MAX_BYTES:
            found, limit = f"{size / 1e6:.0f} MB", f"{MAX_BYTES // 1_000_000} MB"
            raise FileRefused("FILE_TOO_LARGE", {"found": found, "limit": limit})
        return path.read_bytes()
    except OSError as error:
        raise FileRefused("FILE_CORRUPT", {"found": error.strerror or "I/O"}) from error


def _open(data: bytes, path: Path, vocabulary: Vocabulary, manner: Manner) -> Book:  # noqa: ARG001
    return xlsx.read(data) if kind_of(data, path) == "xlsx" else text.read(data, vocabulary)


def _tables(book: Book, path: Path, vocabulary: Vocabulary) -> Iterator[Table]:
    for sheet in book.sheets:
        if not book.results:
            yield table(sheet, path, vocabulary)
        elif (sheet.name or "").startswith(TO_FIX):
            yield table(sheet, path, vocabulary, ticketed=True)


def _whole(tables: Sequence[Table], vocabulary: Vocabulary, *, ours: bool) -> None:
    """Refuse a file that holds no table, or whose tickets occur twice; an empty To fix sheet is good news."""
    if ours and not tables:
        raise FileRefused("HEADER_NOT_FOUND", {"found": "≠ " + " / ".join(TO_FIX)})
    if ours:
        _tickets_once(tables)
    read = [each.report.status for each in tables]
    if "no_header" in read and ("read" not in read or ours):
        raise missing([each.top for each in tables], vocabulary)
    if "read" not in read and not ours:
        raise FileRefused("FILE_EMPTY")


def _tickets_once(tables: Sequence[Table]) -> None:
    seen: dict[str, Row] = {}
    for row in (row for each in tables for row in each.rows):
        first = seen.setdefault(row.ticket or "", row)
        if first is not row:
            twice = f"{first.origin.row} = {row.origin.row}"
            raise FileRefused("FILE_SUSPICIOUS", {"found": "row_id", "ticket": twice})


def _problem(refused: FileRefused) -> Problem:
    entry = CATALOGUE[refused.code]
    return Problem(entry.code, entry.severity, cell=refused.detail.get("cell"), detail=refused.detail)
