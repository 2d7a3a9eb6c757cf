"""The sheet Summary: what happened, why, and what to do next, on one page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from pipeline.clock import stamp
from pipeline.domain.outcomes import UNRESOLVED_STATUSES
from pipeline.domain.roster import FileReport
from pipeline.domain.run import RunReport, Status
from pipeline.messages.problem_entries import CATALOGUE
from pipeline.messages.service_error_advice import find_refusal_advice
from pipeline.reports.explanations import (
    describe_code,
    describe_columns,
    describe_halt_of,
    describe_notices,
    describe_problem,
    describe_status,
    find_layouts,
    is_service_code,
    name_code,
)
from pipeline.reports.next_steps import REPORT_PAGE, REVIEW_PAGE, list_run_steps
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import find_retried_rows
from pipeline.reports.sheet_unpaired import count_unassigned
from pipeline.reports.styles import COLOURS, HEAD, MUTED
from pipeline.reports.summary_grid import LAST, Look, Part, SummaryGrid
from pipeline.reports.tables import WorkbookContext
from pipeline.reports.to_fix_layout import Layout, name_fix_sheet
from pipeline.reports.totals import count_departments, count_reasons, summarize_run

_MAX_REASONS, _MAX_DEPARTMENTS, _MAX_FILES = 12, 40, 60
_MAX_LAYOUTS = 3  # of the columns of one file
_LINKED, _MAX_LINKS = (2, 5, 8, LAST), 12  # where the links of a line end; To fix sheets that are linked
_BAR = 22  # blocks of a full bar
_NUMBER: Look = {"num_format": "#,##0", "align": "right"}
_BANNER: Look = {"bold": True, "font_size": 12, "indent": 1}
_BLOCKS: Look = {"font_name": "Arial", "font_size": 8, "indent": 1}


def write_summary(context: WorkbookContext, counts: Mapping[Status, int], layouts: Sequence[Layout]) -> None:
    """Write the page from top to bottom; ``counts`` are the checked sums, ``layouts`` the To fix sheets."""
    report, presenter = context.report, context.presenter
    grid = SummaryGrid(context, presenter.render("sheet.summary"))
    _write_banner(grid, report, presenter)
    _write_links(grid, report, layouts, presenter)
    _write_notices(grid, report, presenter)
    _write_steps(grid, report, presenter)
    _write_statuses(grid, report, counts, presenter)
    _write_reasons(grid, report, presenter)
    _write_departments(grid, report, presenter)
    _write_files(grid, report, presenter)
    _write_facts(grid, report, presenter)
    grid.write_sections()


def _write_banner(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    title = presenter.render("title.check" if report.command == "check" else "title.run")
    grid.add_line([(title, LAST, {"bold": True, "font_size": 18, "font_color": HEAD})], points=30)
    started, finished = stamp(report.started), stamp(report.finished)
    when = f"{started[:19].replace('T', ' ')} – {finished[11:19]} ({finished[19:]})"
    grid.add_line([(f"{when}　{report.command} {report.run}", LAST, {"font_color": MUTED})])
    if report.halt:
        text = presenter.render("halted", code=report.halt.code, message=describe_halt_of(report, presenter))
        fill, ink = COLOURS[Status.FAILED]
        look = {"bg_color": fill, "font_color": ink, "text_wrap": True}
        grid.add_line([(text, LAST, {**_BANNER, **look})], points=30)
    text, status = summarize_run(report, presenter)
    fill, ink = COLOURS[status]
    grid.add_line(
        [(text, LAST, {**_BANNER, "font_size": 14, "bg_color": fill, "font_color": ink})], points=30
    )


def _write_links(
    grid: SummaryGrid, report: RunReport, layouts: Sequence[Layout], presenter: Presenter
) -> None:
    """Link the other sheets, each with its number of rows, and the pages in the same folder."""
    to_fix = [len(layout.rows) for layout in layouts[:_MAX_LINKS]] or [0]
    rows = {
        presenter.render("sheet.all"): len(report.outcomes),
        **(
            {presenter.render("sheet.retried"): len(find_retried_rows(report))}
            if report.command == "retry"
            else {}
        ),
        **{
            name_fix_sheet(number, presenter): rows_to_fix
            for number, rows_to_fix in enumerate(to_fix, start=1)
        },
        presenter.render("sheet.unknown"): sum(
            outcome.status in UNRESOLVED_STATUSES for outcome in report.outcomes
        ),
        presenter.render("sheet.unpaired"): count_unassigned(report),
    }
    links = [
        (presenter.render("link.sheet", sheet=sheet, n=count), f"internal:'{sheet}'!A1")
        for sheet, count in rows.items()
    ]
    links += [(presenter.render(f"link.{page}"), f"external:{page}") for page in (REVIEW_PAGE, REPORT_PAGE)]
    for first in range(0, len(links), len(_LINKED)):
        line = links[first : first + len(_LINKED)]
        grid.add_links([(text, last, address) for (text, address), last in zip(line, _LINKED, strict=False)])


def _write_notices(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    """Write what the run noticed beside its rows and a person has to put right."""
    if report.notices:
        grid.add_heading(presenter.render("head.notices"))
    for text in describe_notices(report, presenter):
        grid.add_line([(text, LAST, {"text_wrap": True})], mark="!")


def _write_steps(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    grid.add_heading(presenter.render("head.next"))
    for number, step in enumerate(list_run_steps(report, presenter.masker), start=1):
        grid.add_line([(step.render(presenter.language), LAST, {"text_wrap": True})], mark=str(number))
        if step.command:
            look = {"font_name": "Consolas", "bg_color": "#EEF1F4", "font_color": HEAD, "indent": 1}
            grid.add_line([(step.command, LAST, look)])


def _write_statuses(
    grid: SummaryGrid, report: RunReport, counts: Mapping[Status, int], presenter: Presenter
) -> None:
    grid.add_heading(presenter.render("head.statuses"))
    grid.add_titles(
        [
            (presenter.render("col.status"), 0),
            (presenter.render("col.rows"), 1),
            (presenter.render("col.share"), 2),
            ("", 4),
            (presenter.render("col.meaning"), 9),
        ],
        right_aligned={1, 2},
    )
    total = sum(counts.values())
    shown = [status for status, rows in counts.items() if rows]
    for status in shown:
        rows = counts[status]
        fill, ink = COLOURS[status]
        chip = {"bold": True, "bg_color": fill, "font_color": ink, "align": "center"}
        grid.add_line(
            [
                (presenter.name_status(status), 0, chip),
                (rows, 1, {**_NUMBER, "bold": True}),
                (rows / total, 2, {"num_format": "0.0%", "font_color": MUTED, "align": "right"}),
                (_draw_bar(rows, total, 12), 4, {**_BLOCKS, "font_color": ink}),
                (
                    describe_status(status, report.outcomes, presenter),
                    9,
                    {"text_wrap": True, "font_color": MUTED},
                ),
            ],
            ruled=True,
        )
    if shown:
        grid.add_doughnut([COLOURS[status][1] for status in shown])
    grid.add_line(
        [
            (presenter.render("col.total"), 0, {"bold": True, "align": "center"}),
            (total, 1, {**_NUMBER, "bold": True}),
        ]
    )
    grid.leave_room()


def _write_reasons(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    reasons = count_reasons(report.outcomes)
    if not reasons:
        return
    grid.add_heading(presenter.render("head.reasons"))
    grid.add_titles(
        [
            (presenter.render("col.reason"), 3),
            (presenter.render("col.rows"), 4),
            ("", 8),
            (presenter.render("col.who"), 10),
            ("", LAST),
        ],
        right_aligned={1},
    )
    for code, rows in reasons[:_MAX_REASONS]:
        who = CATALOGUE[code].who if code in CATALOGUE else find_refusal_advice(code).who
        task = find_refusal_advice(code).instruct(presenter.language) if is_service_code(code) else ""
        grid.add_line(
            [
                (name_code(code, presenter), 3, {"text_wrap": True}),
                (rows, 4, {**_NUMBER, "bold": True}),
                (
                    _draw_bar(rows, reasons[0][1], _BAR),
                    8,
                    {**_BLOCKS, "font_color": COLOURS[Status.REJECTED][1]},
                ),
                (presenter.render(f"who.{who}"), 10, {}),
                (code, LAST, {"font_color": MUTED, "font_size": 8}),
            ],
            ruled=not task,
        )
        if task:
            grid.add_line([(task, LAST, {"text_wrap": True, "font_color": MUTED})], ruled=True)
    if others := reasons[_MAX_REASONS:]:
        text = presenter.render("other.reasons", n=len(others))
        quiet = {"font_color": MUTED}
        grid.add_line([(text, 3, quiet), (sum(rows for _, rows in others), 4, {**_NUMBER, **quiet})])


def _write_departments(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    departments = count_departments(report.outcomes, presenter)
    if not any(name for name, _ in departments):
        return
    grid.add_heading(presenter.render("head.departments"))
    statuses = [status for status in Status if any(counts[status] for _, counts in departments)]
    titles = [
        presenter.render("col.department"),
        presenter.render("col.total"),
        *map(presenter.name_status, statuses),
    ]
    grid.add_titles(
        [(title, column) for column, title in enumerate(titles)], right_aligned=range(1, len(titles))
    )
    lines = [(name or presenter.render("no.department"), counts) for name, counts in departments]
    if others := lines[_MAX_DEPARTMENTS:]:
        summed = sum((counts for _, counts in others), Counter[Status]())
        lines[_MAX_DEPARTMENTS:] = [(presenter.render("other.departments", n=len(others)), summed)]
    for name, counts in lines:
        grid.add_line([(name, 0, {}), *_list_counts(counts, statuses)], ruled=True)


def _list_counts(counts: Counter[Status], statuses: Sequence[Status]) -> Iterator[Part]:
    yield counts.total(), 1, {**_NUMBER, "bold": True}
    for column, status in enumerate(statuses, start=2):
        fill, ink = COLOURS[status]
        look = {**_NUMBER, "bg_color": fill, "font_color": ink}
        yield (counts[status], column, look) if counts[status] else ("", column, {})


def _write_files(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    if not report.files:
        return
    grid.add_heading(presenter.render("head.files"))
    grid.add_titles(
        [
            (presenter.render("col.file"), 3),
            (presenter.render("col.status"), 4),
            (presenter.render("col.rows"), 5),
            (f"　{presenter.render('col.note')}", LAST),
        ],
        right_aligned={2},
    )
    others = [file_report for file_report in report.files if file_report.status != "refused"]
    refused = [file_report for file_report in report.files if file_report.status == "refused"]
    for file_report in (*refused, *others[:_MAX_FILES]):
        colour = COLOURS[
            {"read": Status.SEALED, "refused": Status.FAILED, "deferred": Status.NOT_SENT}[file_report.status]
        ]
        grid.add_line(
            [
                (presenter.mask_path(file_report.path), 3, {"text_wrap": True}),
                (
                    presenter.render(f"file.{file_report.status}"),
                    4,
                    {"bold": True, "align": "center", "bg_color": colour[0], "font_color": colour[1]},
                ),
                (file_report.rows, 5, _NUMBER),
                (
                    _file_notes(file_report, presenter),
                    LAST,
                    {"text_wrap": True, "font_color": MUTED, "indent": 1},
                ),
            ],
            ruled=True,
        )

    if (more := len(others) - _MAX_FILES) > 0:
        grid.add_line([(presenter.render("other.files", n=more), LAST, {"font_color": MUTED})])


def _file_notes(file_report: FileReport, presenter: Presenter) -> str:
    problems = [describe_problem(problem, presenter) for problem in file_report.problems]
    layouts = [
        presenter.mask_text(describe_columns(columns, presenter))
        for columns in list(find_layouts([file_report]))[:_MAX_LAYOUTS]
    ]
    return "\n".join(
        [
            *problems,
            *layouts,
            *(presenter.render_text(presenter.mask_text(note)) for note in file_report.notes[:3]),
        ]
    )


def _write_facts(grid: SummaryGrid, report: RunReport, presenter: Presenter) -> None:
    grid.add_heading(presenter.render("head.facts"))
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
        grid.add_line([(presenter.render(key), 1, {"font_color": MUTED}), (text, LAST, {"text_wrap": True})])


def _draw_bar(rows: int, of: int, blocks: int) -> str:
    """Return a bar of blocks: unlike a data bar it looks the same in every program and on paper."""
    return "█" * max(1, round(blocks * rows / of))
