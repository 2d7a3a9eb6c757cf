"""A page written line by line on a grid of equal columns, for a sheet that is no table.

Sections are laid on printed pages before the first is written: one that fits on a page is never broken, and a later one
that is short may fill the rest of a page that the next would leave empty.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass, field

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
_PAGE = 575.0  # points of lines on an A4 page one grid wide: in Excel; programs with wider columns fit more
_GAP, _AIR = 12.0, 0.75  # points above a section, around a line's text: whole pixels, for programs round them
_EMPTY = 0.4  # of a page: stays free only if no section fits
_BEGINS = 0.3  # of a page: the least on which a section longer than a page begins
_CHART_COLUMN, _CHART_LINES = 11, 9  # the grid column of a chart; lines that are as high as one


@dataclass(frozen=True, slots=True)
class _Line:
    points: float
    parts: Sequence[Part] = ()
    margin_text: str = ""
    ruled: bool = False
    addresses: Sequence[str] = ()  # where the parts lead, if they do


@dataclass(slots=True)
class _Section:
    """Lines that stay on one page: a heading, the titles of a table, its lines."""

    lines: list[_Line] = field(default_factory=list)
    titles: int | None = None  # index of the line that is repeated on the next page
    chart: tuple[int, Sequence[str]] | None = None  # its first line, and a colour for each line from there on

    @property
    def points(self) -> float:
        return sum(line.points for line in self.lines)


class SummaryGrid:
    """Lines of one sheet, filled from left to right, merged as wide as asked; `write_sections` writes them."""

    def __init__(self, book: Workbook, styles: Styles, language: str) -> None:
        self._book, self._styles, self._language = book, styles, language
        self._name = render("sheet.summary", language)
        self._sheet = book.add_worksheet(self._name)
        set_up_printing(self._sheet, language)
        self._sheet.hide_gridlines(2)
        self._sheet.set_column(0, 0, _MARGIN)
        self._sheet.set_column(1, 1, _FIRST)
        self._sheet.set_column(2, LAST + 1, _OTHERS)
        self._sections = [_Section()]
        self._row = 0

    def add_line(
        self,
        parts: Sequence[Part],
        *,
        margin_text: str = "",
        points: float = 0.0,
        ruled: bool = False,
        addresses: Sequence[str] = (),
    ) -> None:
        """Add one row, ``margin_text`` in the margin; as tall as its longest text or ``points``, whichever is more.

        ``addresses`` are where the parts lead.
        """
        needed, first = 1, 0
        for value, last, look in parts:
            if look.get("text_wrap"):
                needed = max(needed, count_lines(str(value), _sum_widths(first, last)))
            first = last + 1
        height = max(points, LINE * needed + _AIR)
        self._sections[-1].lines.append(_Line(height, parts, margin_text, ruled, addresses))

    def add_heading(self, key: str) -> None:
        """Begin a section: leave a gap and add its title."""
        self._sections.append(_Section([_Line(_GAP)]))
        look: Look = {"bold": True, "font_size": 12, "font_color": HEAD, "bottom": 2, "bottom_color": HEAD}
        self.add_line([(render(key, self._language), LAST, look)], points=24)

    def add_titles(
        self,
        parts: Sequence[tuple[str, int]],
        *,
        right_aligned: Container[int] = (),
        centred: int | None = None,
    ) -> None:
        """Add a table's headings; those of ``right_aligned`` are above numbers, ``centred`` is above statuses."""
        look: Look = {"bold": True, "font_color": MUTED, "bg_color": PAPER, "text_wrap": True}
        section = self._sections[-1]
        section.titles = len(section.lines)
        aligns = [
            "center" if index == centred else "right" if index in right_aligned else "left"
            for index in range(len(parts))
        ]
        self.add_line(
            [
                (text, last, {**look, "align": align})
                for (text, last), align in zip(parts, aligns, strict=True)
            ]
        )

    def add_doughnut(self, colours: Sequence[str]) -> None:
        """Draw the counts of the lines before the last one, a colour each, at the right edge.

        The section becomes as long as the chart is high.
        """
        section = self._sections[-1]
        first = len(section.lines) - 1 - len(colours)
        section.chart = first, colours
        section.lines += [_Line(LINE + _AIR)] * max(0, first + _CHART_LINES - len(section.lines))

    def write_sections(self) -> None:
        """Write all sections."""
        breaks, free = [], _PAGE
        for section in _order_sections(self._sections):
            if section.points > free and (section.points <= _PAGE or free < _BEGINS * _PAGE):
                breaks.append(self._row)
                free = _PAGE
            first = self._row
            for index, line in enumerate(section.lines):
                if line.points > free and index:
                    breaks.append(self._row)
                    free = _PAGE
                    if section.titles is not None and index > section.titles:
                        free -= self._write_line(section.lines[section.titles])
                free -= self._write_line(line)
            if section.chart:
                self._draw_chart(first + section.chart[0], section.chart[1])
        self._sheet.set_h_pagebreaks([row for row in breaks if row])

    def _write_line(self, line: _Line) -> float:
        """Write one row and return its height in points."""
        self._sheet.set_row(self._row, line.points)
        if not line.parts:  # streaming forgets the height of a row without cells
            self._sheet.write_blank(self._row, 0, None, self._styles.make_format())
        if line.margin_text:
            margin_look = {"bold": True, "font_size": 12, "font_color": HEAD, "align": "center"}
            self._sheet.write_string(self._row, 0, line.margin_text, self._styles.make_format(**margin_look))
        rule: Look = {"bottom": 1, "bottom_color": RULE} if line.ruled else {}
        first = 0
        for index, (value, last, look) in enumerate(line.parts):
            form = self._styles.make_format(**look, **rule)
            self._write_cells(first, last, value, form)
            if line.addresses:
                self._sheet.write_url(
                    self._row, first + 1, line.addresses[index], form, clean_text(str(value))
                )
            first = last + 1
        self._row += 1
        return line.points

    def _draw_chart(self, first: int, colours: Sequence[str]) -> None:
        last = first + len(colours) - 1
        chart = self._book.add_chart({"type": "doughnut"})
        chart.add_series(
            {
                "categories": [self._name, first, 1, last, 1],
                "values": [self._name, first, 2, last, 2],
                "points": [{"fill": {"color": colour}, "border": {"color": "#FFFFFF"}} for colour in colours],
            }
        )
        chart.set_legend({"none": True})
        chart.set_hole_size(58)
        chart.set_chartarea({"border": {"none": True}, "fill": {"none": True}})
        chart.set_size({"width": 250, "height": 200})
        options = {"object_position": 3, "x_offset": 20, "y_offset": 4}
        self._sheet.insert_chart(first - 1, _CHART_COLUMN, chart, options)

    def _write_cells(self, first: int, last: int, value: object, form: object) -> None:
        """Write into grid columns ``first`` to ``last``; the sheet has a margin before them."""
        content = clean_text(value) if isinstance(value, str) else value
        if last > first:
            self._sheet.merge_range(self._row, first + 1, self._row, last + 1, content, form)
        elif isinstance(content, str):
            self._sheet.write_string(self._row, first + 1, content, form)
        else:
            self._sheet.write_number(self._row, first + 1, content, form)


def _order_sections(sections: Sequence[_Section]) -> Iterator[_Section]:
    """Yield the sections as they were added, but a later one first if it fills space that the next leaves empty."""
    waiting, free = list(sections), _PAGE
    while waiting:
        chosen = waiting[0]
        if chosen.points > free > _EMPTY * _PAGE and chosen.points <= _PAGE:
            chosen = next((section for section in waiting if section.points <= free), chosen)
        waiting.remove(chosen)
        yield chosen
        fits = chosen.points <= free
        free = free - chosen.points if fits else _PAGE - chosen.points % _PAGE


def _sum_widths(first: int, last: int) -> float:
    return sum(_FIRST if column == 0 else _OTHERS for column in range(first, last + 1))
