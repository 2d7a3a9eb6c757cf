"""What a notebook such as Jupyter shows of a run: exit code, counts and the first rows."""

from __future__ import annotations

import html
from collections.abc import Mapping

from pipeline.domain.masking import Masker
from pipeline.domain.run import RunReport, Status
from pipeline.reports.row_values import to_frame

SHOWN_ROWS = 10
COLUMNS = ("file", "row", "name", "id_masked", "department", "status", "reasons", "seal_name", "seal_id")


def render_notebook_view(report: RunReport, counts: Mapping[Status, int]) -> str:
    """Return HTML with the first rows as `to_frame` has them: names as they are, numbers masked, all text escaped."""
    masker = Masker.of_doctors(outcome.doctor for outcome in report.outcomes)
    frame = to_frame(report.outcomes[:SHOWN_ROWS], COLUMNS, masker=masker)
    frame["reasons"] = frame["reasons"].map(", ".join)
    head = f"{report.command} {report.run}: exit {report.exit}"
    if report.halt:
        head += f", {report.halt.code}"
    amounts = "".join(f"<li>{status.value}: {rows}</li>" for status, rows in counts.items())
    table = frame.astype(object).where(frame.notna(), "").to_html(index=False, border=0)
    rest = len(report.outcomes) - len(frame)
    return f"<p>{html.escape(head)}</p><ul>{amounts}</ul>{table}" + (f"<p>… +{rest}</p>" if rest else "")
