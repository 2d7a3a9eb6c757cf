"""Decides to which doctor each picture of a sheet belongs.

A floating picture belongs to a doctor if at least two thirds of its height are in the doctor's lines. Any other one is
between rows: it is evidence for no doctor, and every doctor with a third of it may be its owner. A single picture over a
cell merged down over several lines belongs to each doctor there; all of them are refused for sharing it.

If most pictures of a column overlap a neighbour row, the column has slipped: each of its pictures may belong to the
neighbour, also one that is mostly in one row. A picture that begins on the upper edge of its row and is too tall for it
has not slipped. Pictures that slipped by whole rows cannot be distinguished from correct ones.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pipeline.domain.roster import EmbeddedImage
from pipeline.intake.readers.model import Merge, MergedCells, Sheet, parse_column

# parts of a picture's height
_OWN, _MEANT, _NOTICED = 2 / 3, 1 / 3, 0.1
_ROUNDING = 1e-6
# lines of a merged cell that can be one doctor's; a taller one is the margin that holds all pictures
_TALLEST = 20
_NO_DOCTOR = 0  # the row of lines that are no doctor's


class _Placement(NamedTuple):
    """The doctors' rows over which a floating picture lies."""

    owners: Collection[int]  # whose it is, if enough of it lies there
    own_share: float
    shares: Mapping[int, float]  # of all rows; those without a doctor count as one

    @property
    def is_noticed(self) -> bool:
        """Whether it noticeably lies over a doctor's row."""
        return any(share > _NOTICED for row, share in self.shares.items() if row != _NO_DOCTOR)

    @property
    def overlaps_neighbour(self) -> bool:
        """Whether it noticeably lies over other rows as well."""
        return any(
            share > _NOTICED + _ROUNDING for row, share in self.shares.items() if row not in self.owners
        )

    def list_meant(self) -> list[int]:
        """Return the doctors' rows that it may be meant for, although it belongs to none."""
        return [
            row for row, share in self.shares.items() if row != _NO_DOCTOR and share >= _MEANT - _ROUNDING
        ]


class SheetImages:
    """The pictures of a sheet while its lines are read: those in cells by line, floating ones when all lines are known."""

    def __init__(self, sheet: Sheet, merged: MergedCells) -> None:
        self._merged = merged
        self._floating = sheet.pictures
        self._doctor_rows: dict[int, int] = {}  # line -> row of its doctor
        self._open: list[tuple[int, EmbeddedImage]] = []  # last line of its merged cell, picture
        self._unassigned: dict[int, EmbeddedImage] = {}
        self.drifted_columns: frozenset[str] = frozenset()  # known once the floating pictures are assigned

    def take_images(self, line: int, images: Mapping[int, EmbeddedImage]) -> list[EmbeddedImage]:
        """Return the pictures of a line, given those in its cells by column; lines come in their order, each once."""
        own = self._list_placed(line, images)
        self._open = [(last_line, image) for last_line, image in self._open if last_line >= line]
        return own + [image for _, image in self._open]

    def assign(self, images: Sequence[EmbeddedImage], row: int) -> tuple[EmbeddedImage, ...]:
        """Return the pictures as those of a doctor's row."""
        for image in images:
            self._unassigned.pop(id(image), None)
        return tuple(image if image.row == row else replace(image, row=row) for image in images)

    def note_doctor(self, row: int, last_line: int) -> None:
        if self._floating:
            lines = range(row, min(last_line, row + _TALLEST) + 1)
            self._doctor_rows |= dict.fromkeys(lines, row)

    def assign_floating(self) -> Mapping[int, Sequence[EmbeddedImage]]:
        """Return by the doctors' rows the floating pictures that are theirs or that may be."""
        merges = self._list_merges()
        placements = [
            self._measure(image, merge) for image, merge in zip(self._floating, merges, strict=True)
        ]
        self.drifted_columns = frozenset(_list_drifted_columns(self._floating, placements))
        by_row: defaultdict[int, list[EmbeddedImage]] = defaultdict(list)
        for image, placement in zip(self._floating, placements, strict=True):
            is_between = placement.is_noticed and (
                placement.own_share < _OWN - _ROUNDING or image.column in self.drifted_columns
            )
            numbers = placement.list_meant() if is_between else placement.owners
            if is_between or not numbers:
                self._unassigned[id(image)] = replace(image, is_between=is_between)
            for number in numbers:
                by_row[number].append(
                    replace(
                        image,
                        row=image.row if is_between else number,
                        overlaps_neighbour=placement.overlaps_neighbour,
                        is_between=is_between,
                        shares=((number, placement.shares[number]),),
                    )
                )
        return by_row

    def _list_merges(self) -> Iterator[Merge | None]:
        """Yield for each floating picture the merged cell that it is alone over."""
        covering = [self._merged.covering(image.row, parse_column(image.column)) for image in self._floating]
        images_over = Counter(merge for merge in covering if merge)
        for merge in covering:
            is_own = merge and images_over[merge] == 1 and merge.last_row - merge.first_row < _TALLEST
            yield merge if is_own else None

    def _measure(self, image: EmbeddedImage, merge: Merge | None) -> _Placement:
        merged_lines = range(merge.first_row, merge.last_row + 1) if merge else ()
        owners = {self._doctor_rows[line] for line in merged_lines if line in self._doctor_rows}
        shares: defaultdict[int, float] = defaultdict(float)
        for line, share in image.shares or ((image.row, 1.0),):
            if line in merged_lines:
                shares[min(owners, default=_NO_DOCTOR)] += share
            else:
                shares[self._doctor_rows.get(line, _NO_DOCTOR)] += share
        row = max(shares, key=lambda row: shares[row])
        return _Placement(owners if row in owners else {row} - {_NO_DOCTOR}, shares[row], shares)

    def list_unassigned(self) -> list[EmbeddedImage]:
        """Return the pictures that no row got, as they lie on the sheet."""
        return sorted(self._unassigned.values(), key=lambda image: (image.row, parse_column(image.column)))

    def _list_placed(self, line: int, images: Mapping[int, EmbeddedImage]) -> list[EmbeddedImage]:
        """Return the pictures placed in the cells of a line that are not merged down."""
        placed = []
        for column, image in images.items():
            self._unassigned[id(image)] = image
            merge = self._merged.beginning_at(line, column)
            if merge and merge.first_row < merge.last_row:
                self._open.append((merge.last_row, image))
            else:
                placed.append(image)
        return placed


def _list_drifted_columns(images: Sequence[EmbeddedImage], placements: Sequence[_Placement]) -> Iterator[str]:
    """Yield the columns in which most pictures, and more than one, lie over a neighbour row as well."""
    pictures: Counter[str] = Counter()
    slipped: Counter[str] = Counter()
    for image, placement in zip(images, placements, strict=True):
        if placement.is_noticed:
            pictures[image.column] += 1
            is_too_tall = image.begins_row and placement.own_share >= _OWN - _ROUNDING
            slipped[image.column] += placement.overlaps_neighbour and not is_too_tall
    yield from (column for column, count in slipped.items() if 1 < count > pictures[column] / 2)
