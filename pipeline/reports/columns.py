"""How the columns of rosters were read, as people are told: which field each is, and which are not used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from pipeline.domain.masking import Numbers, mask_text
from pipeline.domain.roster import Column, FileReport
from pipeline.domain.run import RunReport
from pipeline.messages.catalogue import say
from pipeline.messages.results import field_word

_NAMED = 20  # unused columns in one sentence
_LAYOUTS = 10  # that are told of one by one

Layout = tuple[Column, ...]


def find_titles(night: RunReport) -> list[str]:
    """Return the titles of the columns that were read."""
    columns = (each for report in night.files for sheet in report.sheets for each in sheet.columns)
    rows = (
        outcome.doctor.row for outcome in night.outcomes[:1]
    )  # of a results workbook, whose columns are not told
    return [
        *(each.title for each in columns if each.field),
        *(cell.header for row in rows for cell in row.fields.values()),
    ]


def find_layouts(files: Iterable[FileReport]) -> Mapping[Layout, Sequence[str]]:
    """Return the arrangements of columns that were read, each with its sheets: ``a.xlsx 内科``."""
    found: dict[Layout, list[str]] = {}
    for report in files:
        for sheet in report.sheets if report.status == "read" else ():
            if sheet.status == "read" and sheet.columns:
                place = " ".join(filter(None, (report.path.name, sheet.sheet)))
                found.setdefault(sheet.columns, []).append(place)
    return found


def say_layouts(files: Iterable[FileReport], language: str, numbers: Numbers) -> Iterator[str]:
    """Yield a sentence for every arrangement of columns: how it is read, and what is not used."""
    for columns, places in list(find_layouts(files).items())[:_LAYOUTS]:
        text = mask_text(say_columns(columns, language), numbers)
        key = "columns.file" if len(places) == 1 else "columns.files"
        yield say(key, language, place=mask_text(places[0], numbers), n=len(places), text=text)


def say_misspelt(files: Iterable[FileReport], language: str, numbers: Numbers) -> Iterator[str]:
    """Yield a sentence for every arrangement with an unused column whose title is nearly a known one."""
    for columns, places in list(find_layouts(files).items())[:_LAYOUTS]:
        if any(each.nearest for each in columns):
            text = _unused([each for each in columns if each.nearest], language)
            yield mask_text(say("columns.misspelt", language, place=places[0], text=text), numbers)


def say_columns(columns: Sequence[Column], language: str) -> str:
    """Return how columns are read: each field with its title, then the titles that are not used."""
    comma, semicolon = (say(f"mark.{mark}", language) for mark in ("comma", "semicolon"))
    used = comma.join(_used(each, language) for each in columns if each.field)
    unused = [each for each in columns if not each.field]
    rest = [say("columns.unused", language, unused=_unused(unused, language))] if unused else []
    return semicolon.join([used, *rest])


def _used(column: Column, language: str) -> str:
    word = field_word(column.field or "", language)
    return word if word == column.title else word + say("mark.brackets", language, text=column.title)


def _unused(columns: Sequence[Column], language: str) -> str:
    """Return unused columns, those that may be misspelt first."""
    ordered = sorted(columns, key=lambda each: each.nearest is None)
    said = [
        say("columns.guess", language, column=each.column, title=each.title, nearest=each.nearest)
        if each.nearest
        else f"{each.column} {each.title}"
        for each in ordered[:_NAMED]
    ]
    if len(ordered) > _NAMED:
        said.append(say("columns.more", language, n=len(ordered) - _NAMED))
    return say("mark.comma", language).join(said)
