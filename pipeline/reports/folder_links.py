"""Links of the workbook to the folders of pictures."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from pipeline.domain.run import RunReport
from pipeline.reports.presenter import Presenter
from pipeline.reports.styles import Format, Worksheet, clean_text

MAX_ADDRESS = 1_000  # characters; Excel takes 2,079
MAX_TIP = 120  # characters; Excel takes 255 UTF-16 units
# Excel takes a # for the end of the address however it is escaped, and may undo %41 once more than it was made
_MISREAD = re.compile("#|%[0-9A-Fa-f]{2}|[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_ESCAPED = re.compile(r'[% "<>\[\]^`{}]')


class FolderLinks:
    """Links to the folders of pictures, each looked at once: 100,000 pictures lie in few folders.

    A link never leads to a file, whose name may be a number. Addresses are as seen from the workbook, so that a moved
    tree keeps its links; ``absolute`` ones hold from anywhere, for a workbook whose copy lies at another depth.
    """

    def __init__(self, report: RunReport, presenter: Presenter, *, absolute: bool = False) -> None:
        self._out, self._seals = report.out, report.seals
        self._presenter, self._absolute = presenter, absolute
        self._folders: dict[Path, Path] = {}
        self._addresses: dict[Path, str | None] = {}
        self._tips: dict[Path, str] = {}

    def get_folder(self, picture: Path) -> Path:
        """Return the folder that can be opened: for a picture in a zip or a workbook the folder of that file."""
        parent = picture.parent
        if parent not in self._folders:
            container = next((path for path in picture.parents if path.is_file()), None)
            self._folders[parent] = parent if container is None else container.parent
        return self._folders[parent]

    def get_address(self, folder: Path) -> str | None:
        """Return the address of a folder, or of the nearest one above it below the picture folder that can be written.

        An address cannot be masked, and some characters mean something else in it. None where not even the picture
        folder can be written.
        """
        if folder not in self._addresses:
            addresses = map(self._build_address, self._list_upwards(folder))
            self._addresses[folder] = next(filter(None, addresses), None)
        return self._addresses[folder]

    def write_link(
        self, sheet: Worksheet, row: int, column: int, folder: Path, *, text: str, form: Format
    ) -> bool:
        """Write a text that leads to a folder and shows its path as a tip; False where there is no address."""
        address = self.get_address(folder)
        if address is None:
            return False
        if folder not in self._tips:
            tip = clean_text(self._presenter.mask_path(folder.absolute()))
            self._tips[folder] = tip if len(tip) <= MAX_TIP else f"… {tip[-MAX_TIP:]}"
        sheet.write_url(row, column, address, form, clean_text(text), self._tips[folder])
        return True

    def _list_upwards(self, folder: Path) -> Iterator[Path]:
        yield folder
        if self._seals is not None and folder.is_relative_to(self._seals):
            yield from (self._seals / parent for parent in folder.relative_to(self._seals).parents)

    def _build_address(self, folder: Path) -> str | None:
        try:
            address = str(folder.absolute()) if self._absolute else os.path.relpath(folder, self._out)
        except ValueError:  # another drive
            address = str(folder.absolute())
        is_misread = _MISREAD.search(address) or (os.sep == "/" and "\\" in address)
        if is_misread or len(address) > MAX_ADDRESS or self._presenter.mask_text(address) != address:
            return None
        # escaped here: XlsxWriter leaves alone what looks escaped already
        escaped = _ESCAPED.sub(lambda match: f"%{ord(match[0]):02X}", address)
        # XlsxWriter takes file:///data for a relative path, and leaves alone what it does not know as one
        return f"FILE://{escaped}" if escaped.startswith("/") else f"external:{escaped}"
