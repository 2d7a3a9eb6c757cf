"""Puts corrected rows in place of roster rows: a row of a results workbook replaces the row whose row_id it has.

The id is made of the roster row's content, so a row that has changed or gone since is not replaced. The corrected row
keeps the roster row's place: every row of the roster is in the results exactly once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.domain.results_format import shorten_digest
from pipeline.domain.roster import Cell, EmbeddedImage, Field, FileReport, Row
from pipeline.errors import UsageError
from pipeline.intake.corrected_lines import find_swapped_row, relate_lines
from pipeline.intake.fields.normalize import get_field_text, get_text, trim_ends
from pipeline.intake.fields.validate import SiteKeyDigests, assign_row_ids
from pipeline.intake.pairing import picture_column
from pipeline.intake.read_rosters import read_rosters, refuse_file
from pipeline.intake.readers.model import ReadOptions
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import build_problem

_MOST_LISTED = 20  # rows in one note

Texts = tuple[tuple[Field, str], ...]


@dataclass(frozen=True, slots=True)
class LoadedRows:
    """The rows of a run with their ids, the reports of the files, and the rows they are only compared with."""

    rows: Sequence[Row]
    row_ids: Sequence[str | None]
    files: Sequence[FileReport]
    others: Sequence[Row] = ()
    other_ids: Sequence[str | None] = ()


def load_rows(
    rosters: Sequence[Path],
    context: Sequence[Path],
    *,
    columns: Mapping[str, str],
    options: ReadOptions,
    to_fix_only: bool,
    site_key: SiteKeyDigests | None,
    roster_unverified: bool = False,
) -> LoadedRows:
    """Read the rosters, and put the corrected rows of results workbooks among them in place of their roster rows.

    With ``to_fix_only`` the rosters are results workbooks: exactly their rows are returned. They take from the rosters
    in ``context`` the values that they do not have, and are compared with the other rows there. If the context is
    ``roster_unverified``, each of them must be in it: an unknown roster may hold a namesake, whose picture would be taken.
    Without a site key no row has an id, and results workbooks among the rosters are deferred.

    Raises UsageError for a row that is in none of the unverified rosters.
    """
    known = site_key is not None
    rows, files = read_rosters(
        rosters, columns=columns, to_fix_only=to_fix_only, corrections=known, options=options
    )
    if not to_fix_only:
        return _replace_corrected(*_leave_out_replaced(rows, files), site_key)
    context_rows, reports = _leave_out_replaced(
        *read_rosters(context, columns=columns, corrections=known, options=options)
    )
    tokens = {row.row_token for row in rows}
    corrected = [row for row in context_rows if row.row_token is not None and row.row_token not in tokens]
    roster = [row for row in context_rows if row.row_token is None]
    by_id = _index_by_id(roster, assign_row_ids(roster, site_key))
    rows, files = _drop_misplaced(rows, files, by_id)
    unknown_row = next((row for row in rows if row.row_token not in by_id), None)
    if roster_unverified and unknown_row is not None:
        raise UsageError(
            "usage.roster_unknown",
            place=make_message(
                "mark.row", place=_name_sheet(unknown_row), row=unknown_row.origin.row, more=""
            ),
            rosters=", ".join(map(str, context)) or "—",
        )
    whole = [_complete_fields(row, by_id[row.row_token]) if row.row_token in by_id else row for row in rows]
    others = _replace_corrected([*roster, *corrected], reports, site_key)
    other_ids = [row_id for row_id in others.row_ids if row_id not in tokens]
    other_rows = [
        row for row, row_id in zip(others.rows, others.row_ids, strict=True) if row_id not in tokens
    ]
    return LoadedRows(whole, list(assign_row_ids(whole, site_key)), files, other_rows, other_ids)


def _leave_out_replaced(
    rows: Sequence[Row], files: Sequence[FileReport]
) -> tuple[list[Row], list[FileReport]]:
    """Return rows and reports without the rows of rosters that lie in the same folder as their marked copy; their reports name it.

    A marked copy names the files it was made from by their digests. A roster that has changed since is another roster.
    """
    copies = {digest: report for report in files if report.rows for digest in report.originals}
    replaced = {
        report.path: copies[digest]
        for report in files
        if report.status == "read" and (digest := shorten_digest(report.sha256 or "")) in copies
    }
    if not replaced:
        return list(rows), list(files)
    reports = [
        replace(
            report,
            rows=0,
            sheets=(),
            skipped=(),
            notes=(make_message("note.replaced", copy=replaced[report.path].path.name),),
            unassigned_images=(),
        )
        if report.path in replaced
        else report
        for report in files
    ]
    return [row for row in rows if row.origin.path not in replaced], reports


def _replace_corrected(
    rows: Sequence[Row], files: Sequence[FileReport], site_key: SiteKeyDigests | None
) -> LoadedRows:
    """Return the rosters' rows; a row that a results workbook corrects is replaced."""
    roster = [row for row in rows if row.row_token is None]
    ids = list(assign_row_ids(roster, site_key))
    if len(roster) == len(rows) and not any(report.run is not None for report in files):
        return LoadedRows(roster, ids, files)
    by_id = _index_by_id(roster, ids)
    corrected, reports = _drop_misplaced([row for row in rows if row.row_token is not None], files, by_id)
    runs = {report.path: report.run or "" for report in reports}
    claims: defaultdict[str, list[Row]] = defaultdict(list)
    for row in corrected:
        claims[row.row_token or ""].append(row)
    used: dict[str, Row] = {}
    counted: Counter[Path] = Counter()
    gone: defaultdict[Path, list[Row]] = defaultdict(list)
    older: defaultdict[Path, list[Row]] = defaultdict(list)
    for token, rivals in claims.items():
        newest = max(runs[row.origin.path] for row in rivals)
        latest = [row for row in rivals if runs[row.origin.path] == newest]
        for row in rivals:
            if token not in by_id:
                gone[row.origin.path].append(row)
            elif runs[row.origin.path] != newest:
                older[row.origin.path].append(row)
        if token in by_id:
            used[token] = _merge_claims(by_id[token], latest)
            if used[token].is_corrected:
                counted.update(row.origin.path for row in latest)
    reported = [
        _report_corrections(report, counted[report.path], gone[report.path], older[report.path])
        if report.run is not None and report.status == "read"
        else report
        for report in reports
    ]
    return LoadedRows(
        [used.get(row_id or "", row) for row, row_id in zip(roster, ids, strict=True)], ids, reported
    )


def _index_by_id(roster: Sequence[Row], ids: Iterable[str | None]) -> dict[str, Row]:
    """Return the rows by their ids, without those that only their order distinguishes.

    Equal rows count as equal only where their cells hold the same pictures: once sorted, a correction of one would get
    the picture of the other.
    """
    by_id = {row_id: row for row, row_id in zip(roster, ids, strict=True) if row_id}
    if not any(row.pictures for row in roster):
        return by_id
    by_texts: defaultdict[Texts, list[str]] = defaultdict(list)
    for row_id, row in by_id.items():
        by_texts[_list_texts(row)].append(row_id)
    for equal in by_texts.values():
        held = {
            tuple((image.column, image.picture.sha256) for image in by_id[row_id].pictures)
            for row_id in equal
        }
        if len(held) > 1:
            for row_id in equal:
                del by_id[row_id]
    return by_id


def _report_corrections(
    report: FileReport, used: int, gone: Sequence[Row], older: Sequence[Row]
) -> FileReport:
    """Return the report of a workbook with the fate of its rows; none of them counts as a row of its own."""
    note = build_problem("ROW_SUPERSEDED", used=used, gone=_list_rows(gone), older=_list_rows(older))
    return replace(report, rows=0, problems=(*report.problems, note))


def _list_rows(rows: Sequence[Row]) -> str:
    rows_named = [f"{row.origin.sheet} {row.origin.row}" for row in rows[:_MOST_LISTED]]
    return ", ".join([*rows_named, *(["…"] if len(rows) > _MOST_LISTED else [])]) or "—"


def _drop_misplaced(
    corrected: Sequence[Row], files: Sequence[FileReport], by_id: Mapping[str, Row]
) -> tuple[list[Row], list[FileReport]]:
    """Leave out the workbooks whose row tokens are on other rows than they were given to: they are refused.

    Emptied lines are left out as well, like deleted ones.
    """
    by_file: defaultdict[Path, list[Row]] = defaultdict(list)
    for row in corrected:
        by_file[row.origin.path].append(row)
    swapped = {path: find_swapped_row(rows, by_id) for path, rows in by_file.items()}
    swapped_rows = {path: row for path, row in swapped.items() if row is not None}
    reports = [
        refuse_file(
            report, "FILE_SUSPICIOUS", found="row_id", to_fix_row=swapped_rows[report.path].origin.row
        )
        if report.path in swapped_rows
        else report
        for report in files
    ]
    kept = [
        row
        for row in corrected
        if row.origin.path not in swapped_rows and any(text for _, text in _list_texts(row))
    ]
    return relate_lines(kept, by_id, {report.path: report.run or "" for report in reports}), reports


def _merge_claims(roster_row: Row, claims: Sequence[Row]) -> Row:
    """Return the roster row as workbooks of one run correct it; copies that differ stop it."""
    contents: dict[Texts, Row] = {}
    for row in claims:
        contents.setdefault(_list_texts(row), row)
    if len(contents) > 1:  # one of the copies may be as it was written
        contents = {texts: row for texts, row in contents.items() if _is_edited(row, roster_row)} or contents
    if len(contents) == 1:
        (row,) = contents.values()
        return _replace_content(roster_row, row) if _adds_content(row, roster_row) else roster_row
    fields = sorted({field for texts in contents for field, _ in set(texts) ^ set(next(iter(contents)))})
    rows_named = ", ".join(_name_row(row) for row in contents.values())
    dispute = build_problem("ROW_DUPLICATE", other=rows_named, differs=" ".join(fields))
    return replace(roster_row, problems=(*roster_row.problems, dispute))


def _list_texts(row: Row) -> Texts:
    return tuple((field, get_field_text(row, field)) for field in Field if field in row.fields)


def _adds_content(row: Row, roster_row: Row) -> bool:
    """Return whether anything in a workbook's row is not in the roster's; a picture that is named there may be typed."""
    added = any(text and field not in roster_row.fields for field, text in _list_texts(row))
    return added or bool(row.pictures) or _is_edited(row, roster_row)


def _is_edited(row: Row, roster_row: Row) -> bool:
    """Return whether a row's own cells have been edited since it left the roster."""
    return any(
        field in roster_row.fields
        and text != get_field_text(roster_row, field)
        and not (field is Field.PICTURE and picture_column.find_named_column(text))
        and not (field is Field.NUMBER and not text)
        for field, text in _list_texts(row)
    )


def _replace_content(roster_row: Row, row: Row) -> Row:
    """Return a roster row with a workbook's content: in its own place, under its own titles, in its own order.

    What the workbook has no column for stays as the roster has it. A number that was damaged and left empty there, and
    is empty still, stays the damaged one.
    """
    names = {cell.column: field for field, cell in roster_row.fields.items()}
    written = _index_by_header(row)
    own = _index_by_header(roster_row)
    cells = []
    for cell in roster_row.cells:
        name = names.get(cell.column)
        new = row.fields.get(name) if name else written.get(cell.header) if cell.header in own else None
        if new is None or (name is Field.NUMBER and not trim_ends(get_text(new))):
            cells.append(cell)
        else:
            cells.append(cell._replace(value=new.value, kind=new.kind, display_text=new.display_text))
    fields = {field: cell for cell in cells if (field := names.get(cell.column))}
    added = {field: cell._replace(column="") for field, cell in row.fields.items() if field not in fields}
    return replace(
        roster_row,
        cells=(*cells, *added.values()),
        fields={**fields, **added},
        pictures=_choose_pictures(roster_row, row),
        problems=(*roster_row.problems, build_problem("ROW_SUPERSEDED", other=_name_row(row))),
        correction=row.correction,
    )


def _name_row(row: Row) -> str:
    return f"{_name_sheet(row)} {row.origin.row}"


def _name_sheet(row: Row) -> str:
    return f"{row.origin.file} {row.origin.sheet}"


def _index_by_header(row: Row) -> dict[str, Cell]:
    """Return the cells under titles that occur once and mean no field."""
    meant = {cell.column for cell in row.fields.values()}
    count = Counter(cell.header for cell in row.cells)
    return {
        cell.header: cell
        for cell in row.cells
        if cell.header and count[cell.header] == 1 and cell.column not in meant
    }


def _complete_fields(row: Row, roster_row: Row) -> Row:
    """Return a workbook's row with the fields of its roster row for which the workbook has no column."""
    lacking = {
        field: cell._replace(column="")
        for field, cell in roster_row.fields.items()
        if field not in row.fields
    }
    return replace(
        row,
        cells=(*row.cells, *lacking.values()) if lacking else row.cells,
        fields={**row.fields, **lacking} if lacking else row.fields,
        pictures=_choose_pictures(roster_row, row),
        roster_origin=roster_row.origin,
    )


def _choose_pictures(roster_row: Row, row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures in cells that count for a corrected row.

    One that the clerk put into the workbook is meant instead of the roster's; so is a file that the row names now and
    did not name before. Those of a roster row that may be another doctor's are not taken over.
    """
    if row.correction is not None and row.correction.trusted_evidence is not None:
        return row.pictures
    written = get_field_text(row, Field.PICTURE)
    before = get_field_text(roster_row, Field.PICTURE)
    if column := picture_column.find_named_column(written):
        return (*row.pictures, *(image for image in roster_row.pictures if image.column == column))
    if row.pictures or (written and written != before):
        return row.pictures
    misplaced = (
        replace(image, is_misplaced=True) for image in picture_column.find_misplaced_images(roster_row)
    )
    return (*picture_column.find_seal_images(roster_row), *misplaced)
