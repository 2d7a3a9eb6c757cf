"""Leaves out rosters that stand beside their marked copy: the copy holds their rows, as the clerk corrected them.

A marked copy names the files it was made from by their digests. A roster that has changed since is another roster and
is read as well.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pipeline.domain.results_format import shorten_digest
from pipeline.domain.roster import FileReport, Row
from pipeline.messages.texts import make_text


def leave_out_replaced(
    rows: Sequence[Row], files: Sequence[FileReport]
) -> tuple[list[Row], list[FileReport]]:
    """Return rows and reports without the rows of replaced rosters; their reports name the copy."""
    copies = {digest: report for report in files if report.rows for digest in report.originals}
    replaced = {
        report.path: copies[digest]
        for report in files
        if report.status == "read" and (digest := shorten_digest(report.sha256 or "")) in copies
    }
    if not replaced:
        return list(rows), list(files)
    reports = [
        replace(
            report,
            rows=0,
            sheets=(),
            skipped=(),
            notes=(make_text("note.replaced", copy=replaced[report.path].path.name),),
            unassigned_images=(),
        )
        if report.path in replaced
        else report
        for report in files
    ]
    return [row for row in rows if row.origin.path not in replaced], reports
