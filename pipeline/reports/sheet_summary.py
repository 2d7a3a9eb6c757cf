"""The sheet Summary: what happened, why, and what to do next, on one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pipeline.domain.results_format import COPIES
from pipeline.domain.run import (
    SHOWN_STATUSES,
    UNRESOLVED_STATUSES,
    RunReport,
    ShownStatus,
    Status,
    count_shown_statuses,
    needs_fixing,
)
from pipeline.reports.explanations import (
    describe_code,
    describe_file,
    describe_notices,
    describe_skipped_lines,
    describe_status,
)
from pipeline.reports.next_steps import REPORT_PAGE, REVIEW_PAGE, list_run_steps
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import list_retried_rows
from pipeline.reports.styles import CODE, COLOURS, HEAD, STATUSES_OF_FILES, Look, colour_status
from pipeline.reports.summary_grid import LAST, Part, SummaryGrid
from pipeline.reports.table_sheets import count_unread_parts
from pipeline.reports.tables import LINKED, QUIET, QUIET_WRAPPED, STRONG, WRAPPED, WorkbookContext
from pipeline.reports.totals import (
    count_departments,
    describe_auto_sign,
    describe_early_end,
    describe_run,
    list_reason_totals,
    summarize_run,
)

_MAX_DEPARTMENTS, _MAX_FILES = 40, 60
_MAX_LAYOUTS = 3  # of the columns of one file
_LINKED_COLUMNS = (2, 5, 8, LAST)  # where the links of a line end
_NUMBER: Look = {"num_format": "#,##0", "align": "right"}
_TOTAL: Look = {**_NUMBER, **STRONG}
_BANNER: Look = {"bold": True, "font_size": 12, "indent": 1}
_BLOCKS: Look = {"font_name": "Arial", "font_size": 8, "indent": 1}
_COMMAND: Look = {"font_name": "Consolas", "bg_color": CODE, "font_color": HEAD, "indent": 1}


def write_summary(context: WorkbookContext) -> None:
    """Write the page from top to bottom."""
    report, presenter = context.report, context.presenter
    grid = SummaryGrid(context.book, context.styles, presenter.language)
    _write_banner(grid, report, presenter)
    _write_links(grid, context)
    _write_notices(grid, report, presenter)
    _write_steps(grid, report, presenter)
    _write_statuses(grid, report, presenter)
    _write_auto_sign(grid, report, presenter)
    _write_reasons(grid, report, presenter)
    _write_departments(grid, report, presenter)
    _write_files(grid, report, presenter)
    _write_facts(grid, report, presenter)
    grid.close()


def _render_titles(titles: Sequence[tuple[str, int]], presenter: Presenter) -> list[tuple[str, int]]:
    """Return the texts of these keys, each with the last grid column it fills."""
    return [(presenter.render(key) if key else "", last) for key, last in titles]


def _write_banner(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    title = presenter.render("title.check" if report.command == "check" else "title.run")
    grid.write_line([(title, LAST, {"bold": True, "font_size": 18, "font_color": HEAD})], points=30)
    grid.write_line([(describe_run(report, presenter), LAST, QUIET)])
    if halted := describe_early_end(report, presenter):
        grid.write_line([(halted, LAST, {**_BANNER, **colour_status(Status.FAILED), **WRAPPED})], points=30)
    text, status = summarize_run(report, presenter)
    grid.write_line([(text, LAST, {**_BANNER, **colour_status(status), "font_size": 14})], points=30)


def _write_links(grid: SummaryGrid, context: WorkbookContext) -> None:
    """Link the other sheets, each with its number of rows, and the pages in the same folder."""
    report, presenter = context.report, context.presenter
    rows = {presenter.render("sheet.all"): len(report.outcomes)}
    if report.command == "retry":
        rows[presenter.render("sheet.retried")] = len(list_retried_rows(report))
    rows[presenter.render("sheet.fix")] = sum(map(needs_fixing, report.outcomes))
    unresolved = sum(outcome.status in UNRESOLVED_STATUSES for outcome in report.outcomes)
    rows[presenter.render("sheet.unknown")] = unresolved
    rows[presenter.render("sheet.unpaired")] = len(context.unused.pictures)
    rows[presenter.render("sheet.not_read")] = count_unread_parts(report)
    links = [
        (presenter.render("link.sheet", sheet=sheet, n=count), f"internal:'{sheet}'!A1")
        for sheet, count in rows.items()
    ]
    links += [(presenter.render(f"link.{page}"), f"external:{page}") for page in (REVIEW_PAGE, REPORT_PAGE)]
    if report.copies:
        links.append((presenter.render("link.copies"), f"external:{COPIES}"))
    for first in range(0, len(links), len(_LINKED_COLUMNS)):
        line = links[first : first + len(_LINKED_COLUMNS)]
        grid.write_line(
            [(text, last, LINKED) for (text, _), last in zip(line, _LINKED_COLUMNS, strict=False)],
            addresses=[address for _, address in line],
        )


def _write_notices(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    """Write what the run noticed apart from its rows and a person has to put right."""
    if report.notices:
        grid.write_heading("head.notices")
    for text in describe_notices(report, presenter):
        grid.write_line([(text, LAST, WRAPPED)], margin_text="!")


def _write_steps(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    grid.write_heading("head.next")
    for number, step in enumerate(list_run_steps(report, presenter.masker), start=1):
        grid.write_line([(step.render(presenter.language), LAST, WRAPPED)], margin_text=str(number))
        if step.command:
            grid.write_line([(step.command, LAST, _COMMAND)])


def _write_statuses(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    grid.write_heading("head.statuses")
    titles = (("col.status", 0), ("col.rows", 1), ("col.share", 2), ("", 4), ("col.meaning", LAST))
    grid.write_titles(_render_titles(titles, presenter), right_aligned={1, 2}, centred=0)
    total = len(report.outcomes)
    for status, rows in count_shown_statuses(report.outcomes).items():
        ink = COLOURS[status][1]
        grid.write_line(
            [
                (presenter.name_status(status), 0, {**STRONG, **colour_status(status), "align": "center"}),
                (rows, 1, _TOTAL),
                (rows / total, 2, {**QUIET, "num_format": "0.0%", "align": "right"}),
                (_draw_bar(rows, total, blocks=12), 4, {**_BLOCKS, "font_color": ink}),
                (describe_status(status, report.outcomes, presenter), LAST, QUIET_WRAPPED),
            ],
            ruled=True,
        )
    sum_title = (presenter.render("col.total"), 0, {**STRONG, "align": "center"})
    grid.write_line([sum_title, (total, 1, _TOTAL)])


def _write_auto_sign(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    """Write who can sign, where the service was ever asked."""
    if report.auto_sign is not None:
        grid.write_heading("head.auto_sign")
        grid.write_line([(describe_auto_sign(report.auto_sign, presenter), LAST, WRAPPED)])


def _write_reasons(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    reasons = list(list_reason_totals(report, presenter))
    if not reasons:
        return
    grid.write_heading("head.reasons")
    titles = (("col.reason", 3), ("col.rows", 4), ("", 8), ("col.who", 10), ("", LAST))
    grid.write_titles(_render_titles(titles, presenter), right_aligned={1})
    ink = COLOURS[Status.REJECTED][1]
    for reason in reasons:
        if not reason.code:
            grid.write_line([(reason.label, 3, QUIET), (reason.rows, 4, {**_NUMBER, **QUIET})])
            continue
        grid.write_line(
            [
                (reason.label, 3, WRAPPED),
                (reason.rows, 4, _TOTAL),
                (_draw_bar(reason.rows, reasons[0].rows, blocks=22), 8, {**_BLOCKS, "font_color": ink}),
                (reason.who, 10, {}),
                (reason.code, LAST, {**QUIET, "font_size": 8}),
            ],
            ruled=not reason.task,
        )
        if reason.task:
            grid.write_line([(reason.task, LAST, QUIET_WRAPPED)], ruled=True)


def _write_departments(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    departments = count_departments(report.outcomes, presenter)
    if not any(name for name, _ in departments):
        return
    grid.write_heading("head.departments")
    statuses = [status for status in SHOWN_STATUSES if any(counts[status] for _, counts in departments)]
    titles = _render_titles((("col.department", 0), ("col.total", 1)), presenter)
    titles += [(presenter.name_status(status), column) for column, status in enumerate(statuses, start=2)]
    grid.write_titles(titles, right_aligned=range(1, len(titles)))
    lines = [(name or presenter.render("no.department"), counts) for name, counts in departments]
    if others := lines[_MAX_DEPARTMENTS:]:
        summed = sum((counts for _, counts in others), Counter[ShownStatus]())
        lines[_MAX_DEPARTMENTS:] = [(presenter.render("other.departments", n=len(others)), summed)]
    for name, counts in lines:
        grid.write_line([(name, 0, {}), *_list_counts(counts, statuses)], ruled=True)


def _list_counts(counts: Counter[ShownStatus], statuses: Sequence[ShownStatus]) -> Iterator[Part]:
    yield counts.total(), 1, _TOTAL
    for column, status in enumerate(statuses, start=2):
        count = counts[status]
        yield (count, column, {**_NUMBER, **colour_status(status)}) if count else ("", column, {})


def _write_files(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    if not report.files:
        return
    grid.write_heading("head.files")
    titles = _render_titles((("col.file", 3), ("col.status", 4), ("col.rows", 5)), presenter)
    grid.write_titles([*titles, (f"　{presenter.render('col.note')}", LAST)], right_aligned={2}, centred=1)
    others = [file_report for file_report in report.files if not file_report.needs_correction]
    refused = [file_report for file_report in report.files if file_report.needs_correction]
    for file_report in (*refused, *others[:_MAX_FILES]):
        notes = describe_file(file_report, presenter, max_layouts=_MAX_LAYOUTS)
        colour = colour_status(STATUSES_OF_FILES[file_report.reading])
        grid.write_line(
            [
                (presenter.mask_path(file_report.path), 3, WRAPPED),
                (presenter.render(f"file.{file_report.reading}"), 4, {**STRONG, **colour, "align": "center"}),
                (file_report.rows, 5, _NUMBER),
                ("\n".join(notes), LAST, {**QUIET_WRAPPED, "indent": 1}),
            ],
            ruled=True,
        )

    if (more := len(others) - _MAX_FILES) > 0:
        grid.write_line([(presenter.render("other.files", n=more), LAST, QUIET)])
    if skipped := describe_skipped_lines(report, presenter):
        grid.write_line([(skipped, LAST, QUIET_WRAPPED)])


def _write_facts(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    grid.write_heading("head.facts")
    traffic = report.traffic
    facts = {
        "fact.tenant": " · ".join(filter(None, (report.tenant, report.contract))) or "—",
        "fact.exit": str(report.exit),
    }
    if traffic.requests:
        facts["fact.requests"] = "\n".join(
            f"{action}: {code} {calls} {describe_code(code, presenter)}".rstrip()
            for action, codes in traffic.requests.items()
            for code, calls in codes.items()
        )
        facts["fact.rate"] = presenter.render(
            "fact.rate.text",
            limit=f"{traffic.limit:g}",
            share=f"{traffic.used_share:.1%}",
            most=traffic.max_in_second,
            throttled=traffic.throttled,
        )
    for key, text in facts.items():
        grid.write_line([(presenter.render(key), 1, QUIET), (text, LAST, WRAPPED)])


def _draw_bar(rows: int, of: int, *, blocks: int) -> str:
    """Return a bar of blocks: unlike a data bar it looks the same in every program and on paper."""
    return "█" * max(1, round(blocks * rows / of))
