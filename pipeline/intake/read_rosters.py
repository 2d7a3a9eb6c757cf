"""Rosters in, rows out: which files there are, which reader takes each, and what became of it.

A file that cannot be read whole gives no row at all; its report has the reason, and the others go on.
"""

from __future__ import annotations

import gc
import hashlib
import os
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType

from pipeline.domain.masking import compile_masked_name
from pipeline.domain.results_format import shorten_digest
from pipeline.domain.roster import ROSTER_SUFFIXES, FileReport, Problem, Row, SheetReport, UnassignedImage
from pipeline.errors import FileRefused, reason_of, require_lasting
from pipeline.intake.layout.column_titles import ColumnAliases, explain_missing_header
from pipeline.intake.layout.skipped_parts import list_unread_sheets, names_former_staff
from pipeline.intake.layout.table_reader import NO_ROSTER, Table, read_table, skip_example_sheets
from pipeline.intake.readers import delimited_text, rare_formats
from pipeline.intake.readers.compound_files import OLE_MAGIC, UNSUPPORTED, decrypt_workbook
from pipeline.intake.readers.detect import ZIP, detect_kind
from pipeline.intake.readers.discover import expand_paths
from pipeline.intake.readers.model import (
    DEFAULT_OPTIONS,
    Book,
    Line,
    ReadBudget,
    ReadOptions,
    make_damage_refusal,
    make_results_refusal,
    make_size_refusal,
)
from pipeline.intake.readers.xlsx import workbook
from pipeline.intake.readers.xlsx.drawings import NOWHERE
from pipeline.intake.readers.xlsx.package import Package
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import get_problem_kind
from pipeline.support.progress_file import record_progress, write_step
from pipeline.support.rights import acting_user
from pipeline.support.terminal_text import join

MAX_BYTES = 200_000_000  # of a file on disk; what it unpacks to is bounded by its reader
# Windows has no O_NONBLOCK, POSIX no O_BINARY
_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_SAMPLE = 1 << 20  # bytes at which a file that is no package is looked
_HEAD = 8  # bytes that show whether a file is a package
NO_COLUMNS: Mapping[str, str] = MappingProxyType({})


def read_rosters(
    paths: Sequence[Path],
    *,
    columns: Mapping[str, str] = NO_COLUMNS,
    options: ReadOptions = DEFAULT_OPTIONS,
) -> tuple[list[Row], list[FileReport]]:
    """Read files, and the roster files directly in folders, in the order given and then by name.

    ``columns`` maps a header to the value of a Field, before the built-in titles. A file of a folder that is called 离职 or
    the like is left out; one that is named itself is read. A roster that is read together with its marked copy gives no row, the
    copy does. Never raises for a bad file, nor for a results workbook of ours: its report has the status ``refused``, its
    codes, and no rows.
    """
    vocabulary = ColumnAliases.from_config(columns)
    rows: list[Row] = []
    reports: list[FileReport] = []
    for path in expand_paths(paths):
        write_step("rosters", len(rows))
        is_asked_for = path in paths and names_former_staff(path.stem)
        file_rows, report = read_roster(
            path,
            vocabulary,
            options=replace(options, read_former=True) if is_asked_for else options,
        )
        rows += file_rows
        reports.append(report)
    return _leave_out_replaced(rows, reports)


def _leave_out_replaced(rows: list[Row], reports: list[FileReport]) -> tuple[list[Row], list[FileReport]]:
    """Return rows and reports without the rows of rosters that are read together with their marked copy; their reports name it.

    A marked copy names the files it was made from by their digests. A roster that has changed since is another roster: both
    are read, and both reports have a note.
    """
    copies = {digest: report for report in reports if report.rows for digest in report.originals.digests}
    replaced = {
        report.path: copies[digest]
        for report in reports
        if report.status == "read" and (digest := shorten_digest(report.sha256 or "")) in copies
    }
    noted = {
        path: _note_replaced(report, replaced[path])
        for report in reports
        if (path := report.path) in replaced
    }
    for roster, copy in _list_changed(reports, replaced):
        noted[roster.path] = _add_note(
            noted.get(roster.path, roster),
            "note.changed_since_copy",
            copy=copy.path.name,
            newer=_get_newer_file(roster.path, copy.path).name,
        )
        noted[copy.path] = _add_note(
            noted.get(copy.path, copy), "note.copy_of_earlier", roster=roster.path.name
        )
    kept = [row for row in rows if row.origin.path not in replaced]
    return kept, [noted.get(report.path, report) for report in reports]


def _list_changed(
    reports: Sequence[FileReport], replaced: Collection[Path]
) -> Iterator[tuple[FileReport, FileReport]]:
    """Yield each roster that has changed since a marked copy of it was made that is read as well, with that copy.

    A copy under the name of its roster has taken its place.
    """
    read = [report for report in reports if report.rows and report.path not in replaced]
    for copy in read:
        names = [compile_masked_name(name) for name in copy.originals.names]
        for roster in read:
            has_name = any(name.fullmatch(roster.path.name) for name in names)
            if has_name and roster.path.name != copy.path.name:
                yield roster, copy


def _get_newer_file(one: Path, other: Path) -> Path:
    """Return the file that was saved later; the first where a file is gone or was saved at the same time."""
    try:
        return other if other.stat().st_mtime > one.stat().st_mtime else one
    except OSError:
        return one


def _add_note(report: FileReport, key: str, **detail: str) -> FileReport:
    return replace(report, notes=(make_message(key, **detail), *report.notes))


def _note_replaced(report: FileReport, copy: FileReport) -> FileReport:
    """Return the report of a roster whose rows its marked copy gives."""
    note = make_message("note.replaced", copy=copy.path.name)
    if copy.rows < report.rows:
        note = make_message("note.replaced_by_fewer", copy=copy.path.name, rows=copy.rows, before=report.rows)
    return replace(report, rows=0, sheets=(), skipped=(), notes=(note,), unassigned_images=())


def read_roster(
    path: Path, vocabulary: ColumnAliases, *, options: ReadOptions
) -> tuple[list[Row], FileReport]:
    """Read one file whole, or not at all."""
    if names_former_staff(path.stem) and not options.read_former:
        return [], FileReport(path, None, "read", notes=(make_message("note.former_file"),))
    digest = book = None
    tables: list[Table] = []
    try:
        data = _read_bytes(path)
        digest = hashlib.sha256(data).hexdigest()
        book = open_book(data, path, vocabulary, options)
        del data
        with _pause_collection():
            tables.extend(_read_tables(book, path, vocabulary, options))
        _require_whole(tables, vocabulary)
        tables = skip_example_sheets(tables)
    except FileRefused as refusal:
        if refusal.code == "FILE_ENCRYPTED":  # a reader that meets a password later than msoffcrypto could
            refusal.detail.setdefault("hint", UNSUPPORTED)
        if refusal.detail.get("picture") and path.suffix.lower() in ROSTER_SUFFIXES:
            refusal.detail["picture_as"] = path.suffix
        return [], FileReport(
            path,
            digest,
            "refused",
            (refusal.code,),
            (make_refusal_problem(refusal),),
            sheets=tuple(table.report for table in tables),
            notes=book.notes if book else (),
        )
    rows = [row for table in tables for row in table.rows]
    problems = tuple(_list_unread_people(tables, vocabulary))
    unread = list_unread_sheets(table.report for table in tables if table.first_number is None)
    return rows, FileReport(
        path,
        digest,
        "read",
        tuple(dict.fromkeys(entry.code for entry in problems)),
        problems,
        rows=len(rows),
        sheets=tuple(table.report for table in tables),
        skipped=tuple(line for table in tables for line in table.skipped),
        notes=(*unread, *book.notes, *(note for table in tables for note in table.notes)),
        unassigned_images=tuple(_list_unassigned(book, tables)),
        originals=book.originals,
    )


@contextmanager
def _pause_collection() -> Iterator[None]:
    """Keep Python's collector from looking at all cells again and again while they are made: a fifth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _list_unread_people(tables: Sequence[Table], vocabulary: ColumnAliases) -> Iterator[Problem]:
    """Yield a problem of each sheet that has no header, but a line with an identity number."""
    for table in tables:
        if table.first_number is not None:
            refusal = explain_missing_header([(None, table.first_lines)], vocabulary)
            # a masked line of data is no title
            detail = {} if "first" in refusal.detail else refusal.detail
            location = {"sheet": table.report.sheet or "—", "number_row": str(table.first_number.number)}
            yield make_refusal_problem(FileRefused("HEADER_NOT_FOUND", {**detail, **location}))


def _list_unassigned(book: Book, tables: Sequence[Table]) -> Iterator[UnassignedImage]:
    """Yield the pictures that no row got; on a sheet without a roster it does not matter where they lie."""
    read = {table.report.sheet for table in tables if table.report.status == "read"}
    for image in book.unassigned:
        yield image if image.sheet in read or image.why != NOWHERE else replace(image, why=NO_ROSTER)
    for table in tables:
        yield from table.unassigned_images


def is_results_workbook(path: Path) -> bool:
    """Return whether a file is a results workbook of ours."""
    try:
        is_package = _read_bytes(path, first=_HEAD).startswith(ZIP)
        return is_package and workbook.is_results_package(Package(_read_bytes(path)))
    except FileRefused:
        return False


def require_roster_format(path: Path) -> None:
    """Raise FileRefused for a file that no reader takes, and for a results workbook of ours; no row is read."""
    data = _read_bytes(path, first=_SAMPLE)
    if data.startswith((*ZIP, OLE_MAGIC)):  # of any other file the beginning shows what it is
        data = _read_bytes(path)
    if detect_kind(data) == "xlsx" and workbook.is_results_package(Package(data)):
        raise make_results_refusal()


def _read_bytes(path: Path, first: int = MAX_BYTES) -> bytes:
    """Return a regular file's bytes, or the first of them; a pipe or a device would never end."""
    detail: dict[str, str] = {}
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):  # `expand_paths` gives the folder itself where it cannot list it
            detail = {"folder": str(path)}
            os.scandir(path).close()
        _require_regular(status)
        with os.fdopen(os.open(path, _OPEN_FLAGS), "rb") as file:
            status = os.fstat(file.fileno())
            _require_regular(status)
            if status.st_size > MAX_BYTES:
                raise make_size_refusal(status.st_size, MAX_BYTES)
            return file.read(min(status.st_size, first))
    except OSError as error:
        require_lasting(error)  # nothing is wrong with the file: the run ends, and a rerun reads it
        if isinstance(error, PermissionError) and not detail:
            detail = {"command": join(["chmod", "u+r", str(path)])}
        raise FileRefused(
            "FILE_NOT_READ", {"found": reason_of(error), "user": acting_user(), **detail}
        ) from error
    except ValueError as error:  # a NUL in the name
        raise make_damage_refusal("image.cannot_read") from error


def _require_regular(status: os.stat_result) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise make_damage_refusal("file.not_a_file")


def open_book(data: bytes, path: Path, vocabulary: ColumnAliases, options: ReadOptions) -> Book:
    """Open a file by its content; one with an opening password is tried with the configured passwords."""
    try:
        return _read_book(data, path, vocabulary, options)
    except FileRefused as refusal:
        if refusal.code != "FILE_ENCRYPTED" or not data.startswith(OLE_MAGIC):
            raise
    opened = rare_formats.run_in_child(partial(decrypt_workbook, data, options.passwords))
    return _read_book(opened, path, vocabulary, options)


def _read_book(data: bytes, path: Path, vocabulary: ColumnAliases, options: ReadOptions) -> Book:
    kind = detect_kind(data)
    if kind == "encrypted":
        raise FileRefused("FILE_ENCRYPTED")
    if kind == "xlsx":
        return workbook.read(data, path=path, options=options)
    if kind == "text":
        return delimited_text.read(data, vocabulary, options)
    return rare_formats.read(kind, data)


def _read_tables(book: Book, path: Path, vocabulary: ColumnAliases, options: ReadOptions) -> Iterator[Table]:
    budget = ReadBudget(options.max_rows)
    for sheet in book.sheets:
        counted = replace(sheet, lines=_count_lines(sheet.lines, budget))
        is_left_out = names_former_staff(sheet.name) and not (sheet.hidden or options.read_former)
        former = Table(SheetReport(sheet.name, "former"))
        yield former if is_left_out else read_table(counted, path, vocabulary)


def _count_lines(lines: Iterator[Line], budget: ReadBudget) -> Iterator[Line]:
    for line in lines:
        budget.count_line(line)
        record_progress()
        yield line


def _require_whole(tables: Sequence[Table], vocabulary: ColumnAliases) -> None:
    """Refuse a file that holds no table."""
    read = [table.report.status for table in tables]
    if "former" in read and all(table.first_number is None for table in tables):
        return  # former staff alone
    if "no_header" in read and "read" not in read:
        sheets = [(table.report.sheet, table.first_lines) for table in tables if table.first_lines]
        raise explain_missing_header(sheets, vocabulary)
    if "read" not in read:
        names = [table.report.sheet for table in tables if table.report.sheet]
        raise FileRefused("FILE_EMPTY", {"sheets": ", ".join(names)} if names else {})


def make_refusal_problem(refused: FileRefused) -> Problem:
    severity = get_problem_kind(refused.code).severity
    return Problem(refused.code, severity, cell=refused.detail.get("cell"), detail=refused.detail)
