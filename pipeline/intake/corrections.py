"""Corrected rows come home: a row of a results workbook stands in for the roster row whose row_id it carries.

It does so as long as that row stands in the roster, which its id tells: the id is made of what the row holds. The
corrected row keeps the roster row's place, so that every row of the roster is in the results exactly once.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from pipeline.domain.roster import Cell, EmbeddedImage, Field, FileReport, Problem, Row
from pipeline.errors import UsageError
from pipeline.intake.corrected_lines import relate_lines
from pipeline.intake.fields.normalize import get_text, trim_ends
from pipeline.intake.fields.validate import SiteKeyDigests, assign_row_ids
from pipeline.intake.pairing import embedded_images, picture_column
from pipeline.intake.read_rosters import refuse_file
from pipeline.intake.swapped_rows import find_swapped_row
from pipeline.messages.catalogue import phrase
from pipeline.messages.problems import problem

_NAMED = 20  # rows in one note

Texts = tuple[tuple[Field, str], ...]


class Read(Protocol):
    """`read_rosters` with everything but the paths settled."""

    def __call__(
        self, paths: Sequence[Path], *, to_fix_only: bool = False, corrections: bool = False
    ) -> tuple[list[Row], list[FileReport]]:
        """Read files and folders."""


@dataclass(frozen=True, slots=True)
class LoadedRows:
    """The rows of a night with their ids, what became of the files, and the rows they are only compared with."""

    rows: Sequence[Row]
    row_ids: Sequence[str | None]
    files: Sequence[FileReport]
    others: Sequence[Row] = ()
    other_ids: Sequence[str | None] = ()


def load_rows(
    read: Read,
    rosters: Sequence[Path],
    context: Sequence[Path],
    *,
    to_fix_only: bool,
    identify: SiteKeyDigests | None,
    guessed: bool = False,
) -> LoadedRows:
    """Read the rosters, and put the corrected rows of results workbooks among them into their places.

    With ``to_fix_only`` the rosters are results workbooks: exactly their rows, which take from the rosters in
    ``context`` what they do not say, and are compared with the other rows there. Where the context is ``guessed``, each of
    them must stand in it: in a roster that nobody knows there may be a namesake, whose picture would be taken for theirs.
    Without a site key nothing tells which row is which, and results workbooks among the rosters are deferred.

    Raises UsageError for a row that stands in none of the guessed rosters.
    """
    known = identify is not None
    rows, files = read(rosters, to_fix_only=to_fix_only, corrections=known)
    if not to_fix_only:
        return _in_place(rows, files, identify)
    beside, reports = read(context, corrections=known)
    tickets = {row.row_token for row in rows}
    fixed = [row for row in beside if row.row_token is not None and row.row_token not in tickets]
    roster = [row for row in beside if row.row_token is None]
    at = _by_id(roster, assign_row_ids(roster, identify))
    rows, files = _at_home(rows, files, at)
    stray = next((row for row in rows if row.row_token not in at), None)
    if guessed and stray is not None:
        raise UsageError(
            "usage.roster_unknown",
            place=phrase("mark.row", place=_sheet(stray), row=stray.origin.row, more=""),
            rosters=", ".join(map(str, context)) or "—",
        )
    whole = [_completed(row, at[row.row_token]) if row.row_token in at else row for row in rows]
    others = _in_place([*roster, *fixed], reports, identify)
    left = [
        (row, row_id)
        for row, row_id in zip(others.rows, others.row_ids, strict=True)
        if row_id not in tickets
    ]
    return LoadedRows(
        whole,
        list(assign_row_ids(whole, identify)),
        files,
        [row for row, _ in left],
        [row_id for _, row_id in left],
    )


def _in_place(
    rows: Sequence[Row], files: Sequence[FileReport], identify: SiteKeyDigests | None
) -> LoadedRows:
    """Return the rosters' rows, those that a results workbook corrects as it has them."""
    roster = [row for row in rows if row.row_token is None]
    ids = list(assign_row_ids(roster, identify))
    if len(roster) == len(rows) and not any(report.run is not None for report in files):
        return LoadedRows(roster, ids, files)
    at = _by_id(roster, ids)
    fixed, reports = _at_home([row for row in rows if row.row_token is not None], files, at)
    runs = {report.path: report.run or "" for report in reports}
    claims: defaultdict[str, list[Row]] = defaultdict(list)
    for row in fixed:
        claims[row.row_token or ""].append(row)
    used: dict[str, Row] = {}
    counted: Counter[Path] = Counter()
    gone: defaultdict[Path, list[Row]] = defaultdict(list)
    older: defaultdict[Path, list[Row]] = defaultdict(list)
    for ticket, rivals in claims.items():
        newest = max(runs[row.origin.path] for row in rivals)
        latest = [row for row in rivals if runs[row.origin.path] == newest]
        for row in rivals:
            if ticket not in at:
                gone[row.origin.path].append(row)
            elif runs[row.origin.path] != newest:
                older[row.origin.path].append(row)
        if ticket in at:
            used[ticket] = _agreed(at[ticket], latest)
            if used[ticket].is_corrected:
                counted.update(row.origin.path for row in latest)
    told = [
        _told(report, counted[report.path], gone[report.path], older[report.path])
        if report.run is not None and report.status == "read"
        else report
        for report in reports
    ]
    return LoadedRows(
        [used.get(row_id or "", row) for row, row_id in zip(roster, ids, strict=True)], ids, told
    )


def _by_id(roster: Sequence[Row], ids: Iterable[str | None]) -> dict[str, Row]:
    """Return the rows by their ids, without those of which only their order tells which is which.

    Equal rows count as equal only where their cells hold the same pictures: once sorted, a correction of one would get
    the picture of the other.
    """
    at = {row_id: row for row, row_id in zip(roster, ids, strict=True) if row_id}
    if not any(row.pictures for row in roster):
        return at
    alike: defaultdict[Texts, list[str]] = defaultdict(list)
    for row_id, row in at.items():
        alike[_texts(row)].append(row_id)
    for equal in alike.values():
        held = {tuple((each.column, each.picture.sha256) for each in at[row_id].pictures) for row_id in equal}
        if len(held) > 1:
            for row_id in equal:
                del at[row_id]
    return at


def _told(report: FileReport, used: int, gone: Sequence[Row], older: Sequence[Row]) -> FileReport:
    """Say what became of a workbook's rows; none of them is a row of the roster beside the one it replaces."""
    said = problem("ROW_SUPERSEDED", used=used, gone=_listed(gone), older=_listed(older))
    return replace(report, rows=0, problems=(*report.problems, said))


def _listed(rows: Sequence[Row]) -> str:
    places = [f"{row.origin.sheet} {row.origin.row}" for row in rows[:_NAMED]]
    return ", ".join([*places, *(["…"] if len(rows) > _NAMED else [])]) or "—"


def _at_home(
    fixed: Sequence[Row], files: Sequence[FileReport], at: Mapping[str, Row]
) -> tuple[list[Row], list[FileReport]]:
    """Leave out the workbooks whose tickets stand at other rows than they were given to: they are refused.

    Left out are also the lines that somebody has emptied: they are left alone like deleted ones.
    """
    by_file: defaultdict[Path, list[Row]] = defaultdict(list)
    for row in fixed:
        by_file[row.origin.path].append(row)
    found = {path: find_swapped_row(rows, at) for path, rows in by_file.items()}
    astray = {path: row for path, row in found.items() if row is not None}
    reports = [
        refuse_file(report, "FILE_SUSPICIOUS", found="row_id", ticket=astray[report.path].origin.row)
        if report.path in astray
        else report
        for report in files
    ]
    kept = [row for row in fixed if row.origin.path not in astray and any(text for _, text in _texts(row))]
    return relate_lines(kept, at, {report.path: report.run or "" for report in reports}), reports


def _agreed(standing: Row, claims: Sequence[Row]) -> Row:
    """Return the roster row as workbooks of one run correct it; copies that correct it differently stop it."""
    contents: dict[Texts, Row] = {}
    for row in claims:
        contents.setdefault(_texts(row), row)
    if len(contents) > 1:  # one of the copies may be as it was written
        contents = {texts: row for texts, row in contents.items() if _edits(row, standing)} or contents
    if len(contents) == 1:
        (row,) = contents.values()
        return _replaced(standing, row) if _says_more(row, standing) else standing
    fields = sorted({field for texts in contents for field, _ in set(texts) ^ set(next(iter(contents)))})
    places = ", ".join(_place(row) for row in contents.values())
    dispute = problem("ROW_DUPLICATE", other=places, differs=" ".join(fields))
    return replace(standing, problems=(*standing.problems, dispute))


def _texts(row: Row) -> Texts:
    return tuple(
        (field, trim_ends(get_text(row.fields.get(field)))) for field in Field if field in row.fields
    )


def _says_more(row: Row, standing: Row) -> bool:
    """Tell whether anything in a workbook's row is not in the roster's; a picture that is named there may be typed."""
    added = any(text and field not in standing.fields for field, text in _texts(row))
    return added or bool(row.pictures) or _edits(row, standing)


def _edits(row: Row, standing: Row) -> bool:
    """Tell whether somebody wrote into a row's own cells since it left the roster."""
    return any(
        field in standing.fields
        and text != trim_ends(get_text(standing.fields[field]))
        and not (field is Field.PICTURE and picture_column.find_named_column(text))
        and not (field is Field.NUMBER and not text)
        for field, text in _texts(row)
    )


def _replaced(standing: Row, row: Row) -> Row:
    """Return a roster row with a workbook's content: in its own place, under its own titles, in its own order.

    What the workbook has no column for stays as the roster has it. A number that was damaged and left empty there, and
    is empty still, stays the damaged one.
    """
    names = {cell.column: field for field, cell in standing.fields.items()}
    written = _by_header(row)
    own = _by_header(standing)
    cells = []
    for cell in standing.cells:
        name = names.get(cell.column)
        new = row.fields.get(name) if name else written.get(cell.header) if cell.header in own else None
        if new is None or (name is Field.NUMBER and not trim_ends(get_text(new))):
            cells.append(cell)
        else:
            cells.append(cell._replace(value=new.value, kind=new.kind, display_text=new.display_text))
    fields = {field: cell for cell in cells if (field := names.get(cell.column))}
    added = {field: cell._replace(column="") for field, cell in row.fields.items() if field not in fields}
    return replace(
        standing,
        cells=(*cells, *added.values()),
        fields={**fields, **added},
        pictures=_pictures(standing, row),
        problems=(*standing.problems, _superseded(row)),
        correction=row.correction,
    )


def _superseded(row: Row) -> Problem:
    return problem("ROW_SUPERSEDED", other=_place(row))


def _place(row: Row) -> str:
    return f"{_sheet(row)} {row.origin.row}"


def _sheet(row: Row) -> str:
    return f"{row.origin.file} {row.origin.sheet}"


def _by_header(row: Row) -> dict[str, Cell]:
    """Return the cells under titles that stand once and mean nothing to us."""
    meant = {cell.column for cell in row.fields.values()}
    count = Counter(cell.header for cell in row.cells)
    return {
        cell.header: cell
        for cell in row.cells
        if cell.header and count[cell.header] == 1 and cell.column not in meant
    }


def _completed(row: Row, standing: Row) -> Row:
    """Return a workbook's row with what its roster row has and no column of the workbook says."""
    lacking = {
        field: cell._replace(column="") for field, cell in standing.fields.items() if field not in row.fields
    }
    return replace(
        row,
        cells=(*row.cells, *lacking.values()) if lacking else row.cells,
        fields={**row.fields, **lacking} if lacking else row.fields,
        pictures=_pictures(standing, row),
        roster_origin=standing.origin,
    )


def _pictures(standing: Row, row: Row) -> tuple[EmbeddedImage, ...]:
    """Return the pictures in cells that count for a corrected row.

    One that the clerk put into the workbook is meant instead of the roster's; so is a file that the row names now and
    did not name before. Those of a roster row that may be another doctor's are not taken over.
    """
    if row.correction is not None and row.correction.trusted_evidence is not None:
        return row.pictures
    written = trim_ends(get_text(row.fields.get(Field.PICTURE)))
    before = trim_ends(get_text(standing.fields.get(Field.PICTURE)))
    if column := picture_column.find_named_column(written):
        return (*row.pictures, *(each for each in standing.pictures if each.column == column))
    if row.pictures or (written and written != before):
        return row.pictures
    drifted = (replace(each, is_misplaced=True) for each in embedded_images.find_misplaced_images(standing))
    return (*embedded_images.find_seal_images(standing), *drifted)
