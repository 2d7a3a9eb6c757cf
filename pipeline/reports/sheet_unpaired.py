"""The sheet Unpaired pictures: what nobody got, where it is, why, and what to do about it."""

from __future__ import annotations

from pipeline.domain.run import RunReport
from pipeline.reports.cell_text import count_lines
from pipeline.reports.links import FolderLinks
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import (
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
from pipeline.reports.thumbnails import TALL, Thumbnail, place
from pipeline.reports.unassigned_images import display_folder, list_unassigned

MOST_LINKS = 5_000  # Excel allows 65,530 links a sheet; nobody clicks through as many
MOST_THUMBNAILS = 200  # pictures of rosters may be opened here for the first time
_FILE, _WHERE, _WHY, _WHAT = 32, 34, 42, 48  # columns


def write_unpaired_sheet(
    book: Workbook,
    report: RunReport,
    styles: Styles,
    presenter: Presenter,
    *,
    links: FolderLinks,
    thumbnail: Thumbnail | None,
) -> None:
    """Write a row a picture; those that somebody has looked at are shown."""
    found = list(list_unassigned(report, presenter))
    shown = thumbnail if any(each.picture for each in found) else None
    columns = [
        Column(presenter.render("col.file"), _FILE),
        *([Column(presenter.render("col.seal"), 9.5)] if shown else []),
        Column(presenter.render("col.where"), _WHERE),
        Column(presenter.render("col.why"), _WHY),
        Column(presenter.render("col.what"), _WHAT),
    ]
    sheet = open_table(
        book, presenter.render("sheet.unpaired"), columns, styles, frozen=1, presenter=presenter
    )
    plain, link = (
        styles.make_cell_format(text_wrap=True),
        styles.make_cell_format(font_color=LINK, underline=1, text_wrap=True),
    )
    quiet = styles.make_cell_format(font_color=MUTED, text_wrap=True)
    left, where_at = MOST_THUMBNAILS, 2 if shown else 1
    for row, each in enumerate(found, start=1):
        folder = links.find_folder(each.path)
        # within a roster the file's name and the cells tell the place; a link shows one line only
        where = each.where or display_folder(folder, report.seals, presenter)
        image = shown(each.picture) if shown and each.picture and left else None
        texts = ((each.name, _FILE), (where, _WHERE), (each.why, _WHY), (each.what, _WHAT))
        tall = max(height(count_lines(text, wide)) for text, wide in texts)
        tall = max(tall, TALL if image else 0)
        row_height(sheet, row, tall)
        put(sheet, row, 0, each.name, plain)
        if shown:
            put(sheet, row, 1, "", plain)
        if row > MOST_LINKS or not links.write(sheet, row, where_at, folder, text=where, look=link):
            put(sheet, row, where_at, where, plain)
        put(sheet, row, where_at + 1, each.why, plain)
        put(sheet, row, where_at + 2, each.what, quiet)
        if image:
            left -= 1
            place(sheet, row, 1, image, tall)
    if not found:
        sheet.write_string(1, 0, presenter.render("unpaired.none"), styles.make_format(font_color=MUTED))
    close_table(sheet, columns, len(found))
