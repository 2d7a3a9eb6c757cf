"""Workbooks of the .xlsx family (.xlsm alike): which sheets there are, which are hidden, and whose file it is."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element

from pipeline.errors import FileRefused
from pipeline.intake.cells import Book, RawCell, Sheet
from pipeline.intake.package import Package
from pipeline.intake.styles import EPOCH_1900, EPOCH_1904, Format, formats
from pipeline.intake.worksheet import lines, shared_strings

OWN_PROPERTY = "esign-import"  # custom document property of the workbooks this program writes
OWN_VALUE = "results"
OWN_RUN = "esign-import-run"


def read(data: bytes) -> Book:
    """Open a workbook; its sheets are streamed as they are walked.

    Raises FileRefused for a zip that is no workbook, is damaged, locked, oversized or hostile.
    """
    package = Package(data)
    part = package.related("", "officeDocument")
    if part is None or part.endswith(".bin"):
        raise FileRefused("FILE_FORMAT", {"found": _foreign(package, part)})
    workbook = package.tree(part)
    if workbook.tag.rpartition("}")[2] != "workbook":
        raise FileRefused("FILE_FORMAT", {"found": _foreign(package, part)})
    return Book(_sheets(package, part, workbook), run=_run_of(package))


def _sheets(package: Package, part: str, workbook: Element) -> Iterator[Sheet]:
    relations = package.relations(part)
    properties = workbook.find("{*}workbookPr")
    since_1904 = properties is not None and properties.get("date1904") in ("1", "true")
    strings: list[RawCell] | None = None  # read with the first sheet that needs them, shared by all
    styles = _styles(package, part)
    for entry in workbook.iterfind("{*}sheets/{*}sheet"):
        name = entry.get("name", "")
        identifier = next((value for key, value in entry.items() if key.endswith("}id")), "")
        kind, target = relations.get(identifier, ("", ""))
        if kind != "worksheet":  # chart, dialog and macro sheets hold no roster
            continue
        if entry.get("state", "visible") != "visible":
            yield Sheet(name, iter(()), hidden=True)
            continue
        if strings is None:
            shared = package.related(part, "sharedStrings")
            strings = shared_strings(package, shared) if shared else []
        epoch = EPOCH_1904 if since_1904 else EPOCH_1900
        yield Sheet(name, lines(package, target, strings=strings, formats=styles, epoch=epoch))


def _styles(package: Package, part: str) -> list[Format]:
    styles = package.related(part, "styles")
    return formats(package.tree(styles)) if styles else []


def _run_of(package: Package) -> str | None:
    """Return the run that wrote this workbook, if this program did (an empty text where it does not say which)."""
    part = package.related("", "custom-properties")
    if part is None:
        return None
    said = {entry.get("name"): "".join(entry.itertext()).strip() for entry in package.tree(part)}
    return said.get(OWN_RUN, "") if said.get(OWN_PROPERTY) == OWN_VALUE else None


def _foreign(package: Package, part: str | None) -> str:
    """Name what the zip is instead of a workbook."""
    if part is not None and part.endswith("workbook.bin"):
        return "Excel (.xlsb)"
    if part is not None:
        return {"word": "Word (.docx)", "ppt": "PowerPoint (.pptx)"}.get(part.split("/")[0], "Office")
    return (
        "OpenDocument (.ods, .odt)" if "META-INF/manifest.xml" in package and "mimetype" in package else "ZIP"
    )
