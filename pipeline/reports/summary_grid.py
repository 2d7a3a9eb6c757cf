"""A page written line by line on a grid of equal columns, for a sheet that is no table."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import pairwise

from pipeline.messages.catalogue import render
from pipeline.reports.styles import (
    HEAD,
    LINE,
    MUTED,
    PAPER,
    RULE,
    Look,
    Styles,
    Workbook,
    clean_text,
    count_lines,
    set_up_printing,
)

Part = tuple[object, int, Look]  # a value, the last grid column it fills, its look

LAST = 13  # the last grid column
_MARGIN, _FIRST, _OTHERS = 4.0, 17.0, 10.6  # widths in characters: margin, first grid column, the others
# points of rows that a page holds at least: wider letters make the sheet smaller, and a page holds more
_PAGE = 570.0
_UNDIVIDED = _PAGE / 3  # points: a page that ends before a higher section would stay half empty
_BEGINNING = 6  # rows of a section: gap, heading, titles and three rows
_GAP, _AIR = 12.0, 0.75  # points above a section, around a line's text: whole pixels, for programs round them


class SummaryGrid:
    """Lines of one sheet, filled from left to right, merged as wide as asked."""

    def __init__(self, book: Workbook, styles: Styles, language: str) -> None:
        self._styles, self._language = styles, language
        self._sheet = book.add_worksheet(render("sheet.summary", language))
        set_up_printing(self._sheet, language)
        self._sheet.hide_gridlines(2)
        self._sheet.set_column(0, 0, _MARGIN)
        self._sheet.set_column(1, 1, _FIRST)
        self._sheet.set_column(2, LAST + 1, _OTHERS)
        self._row = 0
        self._heights: list[float] = []  # of the rows, in points
        self._sections: list[int] = []  # their first rows

    def write_line(
        self,
        parts: Sequence[Part],
        *,
        margin_text: str = "",
        points: float = 0.0,
        ruled: bool = False,
        addresses: Sequence[str] = (),
    ) -> None:
        """Write one row, ``margin_text`` in the margin; as tall as its longest text or ``points``, whichever is more.

        ``addresses`` are where the parts lead.
        """
        needed, first = 1, 0
        for value, last, look in parts:
            if look.get("text_wrap"):
                needed = max(needed, count_lines(str(value), _sum_widths(first, last)))
            first = last + 1
        self._set_height(max(points, LINE * needed + _AIR))
        if margin_text:
            margin_look = {"bold": True, "font_size": 12, "font_color": HEAD, "align": "center"}
            self._sheet.write_string(self._row, 0, margin_text, self._styles.make_format(**margin_look))
        rule: Look = {"bottom": 1, "bottom_color": RULE} if ruled else {}
        first = 0
        for index, (value, last, look) in enumerate(parts):
            form = self._styles.make_format(**look, **rule)
            self._write_cells(first, last, value, form)
            if addresses:
                self._sheet.write_url(self._row, first + 1, addresses[index], form, clean_text(str(value)))
            first = last + 1
        self._row += 1

    def write_heading(self, key: str) -> None:
        """Begin a section: leave a gap and write its title."""
        self._sections.append(self._row)
        self._set_height(_GAP)
        # streaming forgets the height of a row without cells
        self._sheet.write_blank(self._row, 0, None, self._styles.make_format())
        self._row += 1
        look: Look = {"bold": True, "font_size": 12, "font_color": HEAD, "bottom": 2, "bottom_color": HEAD}
        self.write_line([(render(key, self._language), LAST, look)], points=24)

    def write_titles(
        self,
        parts: Sequence[tuple[str, int]],
        *,
        right_aligned: Container[int] = (),
        centred: int | None = None,
    ) -> None:
        """Write a table's headings; those of ``right_aligned`` are above numbers, ``centred`` is above statuses."""
        look: Look = {"bold": True, "font_color": MUTED, "bg_color": PAPER, "text_wrap": True}
        titles: list[Part] = []
        for index, (text, last) in enumerate(parts):
            align = "center" if index == centred else "right" if index in right_aligned else "left"
            titles.append((text, last, {**look, "align": align}))
        self.write_line(titles)

    def close(self) -> None:
        """Begin a page with each section that would stand on two pages, or would end one with its titles alone."""
        breaks = choose_page_breaks(self._heights, self._sections)
        if breaks:
            self._sheet.set_h_pagebreaks(breaks)

    def _set_height(self, points: float) -> None:
        self._sheet.set_row(self._row, points)
        self._heights.append(points)

    def _write_cells(self, first: int, last: int, value: object, form: object) -> None:
        """Write into grid columns ``first`` to ``last``; the sheet has a margin before them."""
        content = clean_text(value) if isinstance(value, str) else value
        if last > first:
            self._sheet.merge_range(self._row, first + 1, self._row, last + 1, content, form)
        elif isinstance(content, str):
            self._sheet.write_string(self._row, first + 1, content, form)
        else:
            self._sheet.write_number(self._row, first + 1, content, form)


def choose_page_breaks(heights: Sequence[float], sections: Sequence[int]) -> list[int]:
    """Return the rows before which a page begins, of rows so high whose sections begin at these rows.

    A section of at most a third of a page is not divided. A longer one begins where its titles and three rows have room.
    """
    breaks: list[int] = []
    used = sum(heights[: sections[0]]) if sections else 0.0
    for first, end in pairwise([*sections, len(heights)]):
        height = sum(heights[first:end])
        needed = height if height <= _UNDIVIDED else sum(heights[first : first + _BEGINNING])
        if used and used + needed > _PAGE:
            breaks.append(first)
            used = 0.0
        for points in heights[first:end]:
            used = used + points if used + points <= _PAGE else points
    return breaks


def _sum_widths(first: int, last: int) -> float:
    return sum(_FIRST if column == 0 else _OTHERS for column in range(first, last + 1))
