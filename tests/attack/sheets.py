"""What a clerk does in a sheet of the results, with openpyxl: paste, sort, shift, delete."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from result_sheet import ResultSheet

TITLES = {
    "picture": ("Picture", "图片", "印章图片"),
    "trace": ("TraceId",),
    "seal_name": ("Seal name", "印章名称"),
    "seal_id": ("SealId", "印章ID"),
    "conclusion": ("Conclusion", "结论"),
    "name": ("姓名", "Name"),
    "number": ("证件号码", "Identity no."),
    "mobile": ("手机号",),
    "staff_no": ("工号",),
    "department": ("科室",),
    "row_id": ("row_id",),
    "check": ("check",),
}
HIDDEN = ("row_id", "check")


class Lines(ResultSheet):
    """The lines of a sheet of the results, by place from 0; a column by its key in ``TITLES``."""

    def __len__(self) -> int:
        return self.sheet.max_row - 1

    def column(self, key: str) -> int:
        """Return a column's number; ValueError where the sheet lacks it."""
        return next(self.heads.index(title) for title in TITLES[key] if title in self.heads) + 1

    def has(self, key: str) -> bool:
        return any(title in self.heads for title in TITLES[key])

    def get(self, line: int, key: str) -> str | None:
        return self.sheet.cell(line + 2, self.column(key)).value

    def put(self, line: int, **values: str | None) -> None:
        for key, value in values.items():
            self.sheet.cell(line + 2, self.column(key)).value = value

    def line_of(self, key: str, value: str) -> int:
        return next(line for line in range(len(self)) if self.get(line, key) == value)

    def move(self, keys: Sequence[str], order: Sequence[int]) -> None:
        """Let line n have what line ``order[n]`` had in these columns."""
        for key in keys:
            values = [self.get(line, key) for line in range(len(self))]
            for line, source in enumerate(order):
                self.put(line, **{key: values[source]})

    def move_visible(self, order: Sequence[int]) -> None:
        """Sort what is in sight and leave the hidden columns where they are."""
        hidden = {self.column(key) for key in HIDDEN}
        columns = [index for index in range(1, len(self.heads) + 1) if index not in hidden]
        for column in columns:
            values = [self.sheet.cell(line + 2, column).value for line in range(len(self))]
            for line, source in enumerate(order):
                self.sheet.cell(line + 2, column).value = values[source]

    def append_copy(self, line: int) -> None:
        """Copy a whole line to the end, its hidden columns too."""
        self.sheet.append([cell.value for cell in self.sheet[line + 2]])

    def delete_columns(self, *keys: str) -> None:
        for column in sorted((self.column(key) for key in keys), reverse=True):
            self.sheet.delete_cols(column)
        self.heads = [cell.value for cell in self.sheet[1]]


Edit = Callable[[Lines], None]


def swapped(count: int, one: int, other: int) -> list[int]:
    """Return the order in which two lines have changed places."""
    order = list(range(count))
    order[one], order[other] = order[other], order[one]
    return order


def turned(count: int, first: int = 0, last: int | None = None) -> list[int]:
    """Return the order in which the lines from ``first`` to ``last`` have moved down by one, the last to the top."""
    lines = list(range(first, count if last is None else last + 1))
    order = list(range(count))
    order[lines[0] : lines[-1] + 1] = [lines[-1], *lines[:-1]]
    return order
