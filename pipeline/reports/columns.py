"""How the columns of rosters were read, as people are told: which field each is, and which are not used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.domain.roster import Column, FileReport
from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter

_NAMED = 20  # unused columns in one sentence
_LAYOUTS = 10  # that are told of one by one

Layout = tuple[Column, ...]


def find_titles(report: RunReport) -> list[str]:
    """Return the titles of the columns that were read."""
    columns = (each for file_report in report.files for sheet in file_report.sheets for each in sheet.columns)
    rows = (
        outcome.doctor.row for outcome in report.outcomes[:1]
    )  # of a results workbook, whose columns are not told
    return [
        *(each.title for each in columns if each.field),
        *(cell.header for row in rows for cell in row.fields.values()),
    ]


def find_layouts(files: Iterable[FileReport]) -> Mapping[Layout, Sequence[str]]:
    """Return the arrangements of columns that were read, each with its sheets: ``a.xlsx 内科``."""
    found: dict[Layout, list[str]] = {}
    for file_report in files:
        for sheet in file_report.sheets if file_report.status == "read" else ():
            if sheet.status == "read" and sheet.columns:
                place = " ".join(filter(None, (file_report.path.name, sheet.sheet)))
                found.setdefault(sheet.columns, []).append(place)
    return found


def describe_layouts(files: Iterable[FileReport], presenter: Presenter) -> Iterator[str]:
    """Yield a sentence for every arrangement of columns: how it is read, and what is not used."""
    for columns, places in list(find_layouts(files).items())[:_LAYOUTS]:
        text = presenter.mask_text(describe_columns(columns, presenter))
        key = "columns.file" if len(places) == 1 else "columns.files"
        yield presenter.render_sentence(key, place=presenter.mask_text(places[0]), n=len(places), text=text)


def describe_misspelt_titles(files: Iterable[FileReport], presenter: Presenter) -> Iterator[str]:
    """Yield a sentence for every arrangement with an unused column whose title is nearly a known one."""
    for columns, places in list(find_layouts(files).items())[:_LAYOUTS]:
        if any(each.nearest for each in columns):
            text = _describe_unused([each for each in columns if each.nearest], presenter)
            yield presenter.mask_text(
                presenter.render_sentence("columns.misspelt", place=places[0], text=text)
            )


def describe_columns(columns: Sequence[Column], presenter: Presenter) -> str:
    """Return how columns are read: each field with its title, then the titles that are not used."""
    comma, semicolon = (presenter.render_sentence(f"mark.{mark}") for mark in ("comma", "semicolon"))
    used = comma.join(_describe_used(each, presenter) for each in columns if each.field)
    unused = [each for each in columns if not each.field]
    rest = (
        [presenter.render_sentence("columns.unused", unused=_describe_unused(unused, presenter))]
        if unused
        else []
    )
    return semicolon.join([used, *rest])


def _describe_used(column: Column, presenter: Presenter) -> str:
    word = presenter.name_field(column.field or "")
    return (
        word if word == column.title else word + presenter.render_sentence("mark.brackets", text=column.title)
    )


def _describe_unused(columns: Sequence[Column], presenter: Presenter) -> str:
    """Return unused columns, those that may be misspelt first."""
    ordered = sorted(columns, key=lambda each: each.nearest is None)
    said = [
        presenter.render_sentence("columns.guess", column=each.column, title=each.title, nearest=each.nearest)
        if each.nearest
        else f"{each.column} {each.title}"
        for each in ordered[:_NAMED]
    ]
    if len(ordered) > _NAMED:
        said.append(presenter.render_sentence("columns.more", n=len(ordered) - _NAMED))
    return presenter.render_sentence("mark.comma").join(said)
