"""The sheet Unpaired pictures: files of the picture folder that no row of the roster claimed."""

from __future__ import annotations

from pathlib import Path

from pipeline.model import Night
from pipeline.results.links import FolderLinks
from pipeline.results.privacy import Numbers, mask_path, mask_text
from pipeline.results.style import (
    LINK,
    MUTED,
    Column,
    Styles,
    Workbook,
    close_table,
    height,
    open_table,
    put,
    row_height,
)
from pipeline.results.text import lines
from pipeline.words.results import say

MOST_LINKS = 5_000  # Excel allows 65,530 links a sheet; nobody clicks through as many
_WHAT = 60  # columns


def write_unpaired_sheet(
    book: Workbook, night: Night, styles: Styles, numbers: Numbers, *, links: FolderLinks, language: str
) -> None:
    """Write a row a file: its name, its folder as a link, and how to make it found."""
    columns = [
        Column(say("col.file", language), 40),
        Column(say("col.folder", language), 44),
        Column(say("col.what", language), _WHAT),
    ]
    sheet = open_table(book, say("sheet.unpaired", language), columns, styles, frozen=1, language=language)
    plain, link = styles.cell(), styles.cell(font_color=LINK, underline=1)
    wrapped = styles.cell(text_wrap=True, font_color=MUTED)
    what = say("unpaired.what", language)
    tall = height(lines(what, _WHAT))
    for row, path in enumerate(night.unclaimed, start=1):
        row_height(sheet, row, tall)
        folder = links.folder(path)
        shown = mask_path(_below(folder, night.seals), numbers)
        put(sheet, row, 0, mask_text(path.name, numbers), plain)
        if row > MOST_LINKS or not links.write(sheet, row, 1, folder, text=shown, look=link):
            put(sheet, row, 1, shown, plain)
        sheet.write_string(row, 2, what, wrapped)
    if not night.unclaimed:
        sheet.write_string(1, 0, say("unpaired.none", language), styles.get(font_color=MUTED))
    close_table(sheet, columns, len(night.unclaimed))


def _below(folder: Path, seals: Path | None) -> Path:
    """Return the folder as a person knows it: from the picture folder on."""
    if seals is not None and folder.is_relative_to(seals):
        return Path(seals.name) / folder.relative_to(seals)
    return folder
