"""A page written line by line on a grid of equal columns, for a sheet that is no table."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence

from pipeline.results.style import HEAD, LINE, LINK, PAPER, RULE, Styles, Workbook, print_setup
from pipeline.results.text import clean, lines

Look = Mapping[str, object]
Part = tuple[object, int, Look]  # what stands there, the last grid column it fills, how it looks

LAST = 13  # the last grid column
_MARGIN, _FIRST, _OTHERS = 4.0, 17.0, 9.5  # widths in characters: margin, first grid column, the others


class Canvas:
    """The next free row of one sheet; ``line`` fills it from left to right, merging as wide as asked."""

    def __init__(self, book: Workbook, name: str, styles: Styles, language: str) -> None:
        self._book, self._styles, self._name = book, styles, name
        self._sheet = book.add_worksheet(name)
        print_setup(self._sheet, language)
        self._sheet.hide_gridlines(2)
        self._sheet.set_column(0, 0, _MARGIN)
        self._sheet.set_column(1, 1, _FIRST)
        self._sheet.set_column(2, LAST + 1, _OTHERS)
        self.row = 0

    def line(
        self, parts: Sequence[Part], *, mark: str = "", points: float = 0.0, ruled: bool = False
    ) -> None:
        """Write one row, ``mark`` in the margin; as tall as its longest text or ``points``, whichever is more."""
        needed, first = 1, 0
        for value, last, look in parts:
            if look.get("text_wrap"):
                needed = max(needed, lines(str(value), _width(first, last)))
            first = last + 1
        self._sheet.set_row(self.row, max(points, LINE * needed + 2))
        if mark:
            look = {"bold": True, "font_size": 12, "font_color": HEAD, "align": "center"}
            self._sheet.write_string(self.row, 0, mark, self._styles.get(**look))
        rule: Look = {"bottom": 1, "bottom_color": RULE} if ruled else {}
        first = 0
        for value, last, look in parts:
            form = self._styles.get(**look, **rule)
            self._write(first, last, value, form)
            first = last + 1
        self.row += 1

    def links(self, parts: Sequence[tuple[str, int, str]]) -> None:
        """Write one row of links: what stands there, the last grid column it fills, the address it leads to."""
        form = self._styles.get(font_color=LINK, underline=1)
        self.line([(text, last, {"font_color": LINK, "underline": 1}) for text, last, _ in parts])
        first = 0
        for text, last, address in parts:
            self._sheet.write_url(self.row - 1, first + 1, address, form, clean(text))
            first = last + 1

    def heading(self, text: str) -> None:
        """Leave a gap and write a section's title."""
        self.row += 1
        look: Look = {"bold": True, "font_size": 12, "font_color": HEAD, "bottom": 2, "bottom_color": HEAD}
        self.line([(text, LAST, look)], points=24)

    def titles(self, parts: Sequence[tuple[str, int]], *, numbers: Container[int] = ()) -> None:
        """Write a table's headings; the parts whose places are in ``numbers`` stand above numbers."""
        look: Look = {"bold": True, "font_color": "#52606D", "bg_color": PAPER, "text_wrap": True}
        self.line(
            [
                (text, last, {**look, "align": "right" if place in numbers else "left"})
                for place, (text, last) in enumerate(parts)
            ]
        )

    def new_page(self) -> None:
        """Begin a printed page with the next row."""
        self._sheet.set_h_pagebreaks([self.row])

    def leave_room(self, row: int) -> None:
        """Go down to ``row`` if the page is not there yet: a chart stands beside."""
        self.row = max(self.row, row)

    def doughnut(self, first: int, colours: Sequence[str]) -> None:
        """Draw the counts of the rows from ``first`` on, a colour each, at the right edge."""
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
        self._sheet.insert_chart(first - 1, 11, chart, {"object_position": 3, "x_offset": 20, "y_offset": 4})

    def _write(self, first: int, last: int, value: object, form: object) -> None:
        """Write into grid columns ``first`` to ``last``; the sheet has a margin before them."""
        content = clean(value) if isinstance(value, str) else value
        if last > first:
            self._sheet.merge_range(self.row, first + 1, self.row, last + 1, content, form)
        elif isinstance(content, str):
            self._sheet.write_string(self.row, first + 1, content, form)
        else:
            self._sheet.write_number(self.row, first + 1, content, form)


def _width(first: int, last: int) -> float:
    return sum(_FIRST if place == 0 else _OTHERS for place in range(first, last + 1))
