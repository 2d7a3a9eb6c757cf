"""The sheet Summary: what happened, why, and what to do next, on one page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.clock import stamp
from pipeline.domain.masking import Numbers, mask_path, mask_text
from pipeline.domain.roster import FileReport
from pipeline.domain.run import RunReport, Status
from pipeline.messages.file_notes import noted
from pipeline.messages.problems import CATALOGUE
from pipeline.messages.results import say, status_word
from pipeline.messages.service_advice import advice_on_refusal
from pipeline.reports.columns import find_layouts, say_columns
from pipeline.reports.dataframe import COUNTED, by_department, by_reason, to_frame
from pipeline.reports.display_values import UNSETTLED, retried
from pipeline.reports.next_steps import REPORT_PAGE, REVIEW_PAGE, next_steps, verdict
from pipeline.reports.notice_text import describe_notices
from pipeline.reports.reasons import label, meaning, sentence
from pipeline.reports.service_text import describe_code, describe_halt_of, is_service_code
from pipeline.reports.styles import COLOURS, HEAD, MUTED, Styles, Workbook
from pipeline.reports.summary_grid import LAST, Look, Part, SummaryGrid
from pipeline.reports.to_fix_layout import Layout, fix_title
from pipeline.reports.unassigned_images import how_many

if TYPE_CHECKING:
    from pipeline.reports.dataframe import Frame

_MOST_REASONS, _MOST_DEPARTMENTS, _MOST_FILES = 12, 40, 60
_MOST_LAYOUTS = 3  # of the columns of one file
_LINKED, _MOST_LINKS = (2, 5, 8, LAST), 12  # where the links of a line end; To fix sheets that are linked
_BAR = 22  # blocks of a full bar
_NUMBER: Look = {"num_format": "#,##0", "align": "right"}
_BANNER: Look = {"bold": True, "font_size": 12, "indent": 1}
_BLOCKS: Look = {"font_name": "Arial", "font_size": 8, "indent": 1}


def write_summary(
    book: Workbook,
    night: RunReport,
    counts: Mapping[Status, int],
    styles: Styles,
    numbers: Numbers,
    *,
    fixing: Sequence[Layout],
    language: str,
) -> None:
    """Write the page from top to bottom; ``counts`` are the checked sums, ``fixing`` the To fix sheets."""
    canvas = SummaryGrid(book, say("sheet.summary", language), styles, language)
    _banner(canvas, night, numbers, language)
    _links(canvas, night, fixing, language)
    _notices(canvas, night, numbers, language)
    _steps(canvas, night, numbers, language)
    _statuses(canvas, night, counts, language)
    table = to_frame(night.outcomes, COUNTED, numbers=numbers)
    _reasons(canvas, table, language)
    _departments(canvas, table, language)
    _files(canvas, night, numbers, language)
    _facts(canvas, night, language)
    canvas.finish()


def _banner(canvas: SummaryGrid, night: RunReport, numbers: Numbers, language: str) -> None:
    title = say("title.check" if night.command == "check" else "title.run", language)
    canvas.line([(title, LAST, {"bold": True, "font_size": 18, "font_color": HEAD})], points=30)
    started, finished = stamp(night.started), stamp(night.finished)
    when = f"{started[:19].replace('T', ' ')} – {finished[11:19]} ({finished[19:]})"
    canvas.line([(f"{when}　{night.command} {night.run}", LAST, {"font_color": MUTED})])
    if night.halt:
        text = say(
            "halted", language, code=night.halt.code, message=describe_halt_of(night, numbers, language)
        )
        fill, ink = COLOURS[Status.FAILED]
        look = {"bg_color": fill, "font_color": ink, "text_wrap": True}
        canvas.line([(text, LAST, {**_BANNER, **look})], points=30)
    text, status = verdict(night, language)
    fill, ink = COLOURS[status]
    canvas.line([(text, LAST, {**_BANNER, "font_size": 14, "bg_color": fill, "font_color": ink})], points=30)


def _links(canvas: SummaryGrid, night: RunReport, fixing: Sequence[Layout], language: str) -> None:
    """Lead to the other sheets, each with what it holds, and to the pages that lie beside the workbook."""
    to_fix = [len(layout.rows) for layout in fixing[:_MOST_LINKS]] or [0]
    rows = {
        say("sheet.all", language): len(night.outcomes),
        **({say("sheet.retried", language): len(retried(night))} if night.command == "retry" else {}),
        **{fix_title(number, language): held for number, held in enumerate(to_fix, start=1)},
        say("sheet.unknown", language): sum(outcome.status in UNSETTLED for outcome in night.outcomes),
        say("sheet.unpaired", language): how_many(night),
    }
    links = [
        (say("link.sheet", language, sheet=sheet, n=held), f"internal:'{sheet}'!A1")
        for sheet, held in rows.items()
    ]
    links += [(say(f"link.{page}", language), f"external:{page}") for page in (REVIEW_PAGE, REPORT_PAGE)]
    for first in range(0, len(links), len(_LINKED)):
        some = links[first : first + len(_LINKED)]
        canvas.links([(text, last, address) for (text, address), last in zip(some, _LINKED, strict=False)])


def _notices(canvas: SummaryGrid, night: RunReport, numbers: Numbers, language: str) -> None:
    """Say what the run noticed beside its rows and somebody has to put right."""
    if night.notices:
        canvas.heading(say("head.notices", language))
    for text in describe_notices(night, numbers, language):
        canvas.line([(text, LAST, {"text_wrap": True})], mark="!")


def _steps(canvas: SummaryGrid, night: RunReport, numbers: Numbers, language: str) -> None:
    canvas.heading(say("head.next", language))
    for number, step in enumerate(next_steps(night, numbers, language), start=1):
        canvas.line([(step.text, LAST, {"text_wrap": True})], mark=str(number))
        if step.command:
            look = {"font_name": "Consolas", "bg_color": "#EEF1F4", "font_color": HEAD, "indent": 1}
            canvas.line([(step.command, LAST, look)])


def _statuses(canvas: SummaryGrid, night: RunReport, counts: Mapping[Status, int], language: str) -> None:
    canvas.heading(say("head.statuses", language))
    canvas.titles(
        [
            (say("col.status", language), 0),
            (say("col.rows", language), 1),
            (say("col.share", language), 2),
            ("", 4),
            (say("col.meaning", language), 9),
        ],
        numbers={1, 2},
    )
    total = sum(counts.values())
    shown = [status for status, rows in counts.items() if rows]
    for status in shown:
        rows = counts[status]
        fill, ink = COLOURS[status]
        chip = {"bold": True, "bg_color": fill, "font_color": ink, "align": "center"}
        canvas.line(
            [
                (status_word(status, language), 0, chip),
                (rows, 1, {**_NUMBER, "bold": True}),
                (rows / total, 2, {"num_format": "0.0%", "font_color": MUTED, "align": "right"}),
                (_bar(rows, total, 12), 4, {**_BLOCKS, "font_color": ink}),
                (meaning(status, night.outcomes, language), 9, {"text_wrap": True, "font_color": MUTED}),
            ],
            ruled=True,
        )
    if shown:
        canvas.doughnut([COLOURS[status][1] for status in shown])
    canvas.line(
        [
            (say("col.total", language), 0, {"bold": True, "align": "center"}),
            (total, 1, {**_NUMBER, "bold": True}),
        ]
    )
    canvas.leave_room()


def _reasons(canvas: SummaryGrid, outcomes: Frame, language: str) -> None:
    most = by_reason(outcomes)
    if not most:
        return
    canvas.heading(say("head.reasons", language))
    canvas.titles(
        [
            (say("col.reason", language), 3),
            (say("col.rows", language), 4),
            ("", 8),
            (say("col.who", language), 10),
            ("", LAST),
        ],
        numbers={1},
    )
    for code, rows in most[:_MOST_REASONS]:
        who = CATALOGUE[code].who if code in CATALOGUE else advice_on_refusal(code).who
        task = advice_on_refusal(code).todo(language) if is_service_code(code) else ""
        canvas.line(
            [
                (label(code, language), 3, {"text_wrap": True}),
                (rows, 4, {**_NUMBER, "bold": True}),
                (
                    _bar(rows, most[0][1], _BAR),
                    8,
                    {**_BLOCKS, "font_color": COLOURS[Status.REJECTED][1]},
                ),
                (say(f"who.{who}", language), 10, {}),
                (code, LAST, {"font_color": MUTED, "font_size": 8}),
            ],
            ruled=not task,
        )
        if task:
            canvas.line([(task, LAST, {"text_wrap": True, "font_color": MUTED})], ruled=True)
    rest = most[_MOST_REASONS:]
    if rest:
        text = say("other.reasons", language, n=len(rest))
        quiet = {"font_color": MUTED}
        canvas.line([(text, 3, quiet), (sum(rows for _, rows in rest), 4, {**_NUMBER, **quiet})])


def _departments(canvas: SummaryGrid, outcomes: Frame, language: str) -> None:
    pivot = by_department(outcomes)
    if not any(pivot.departments):
        return
    canvas.heading(say("head.departments", language))
    words = [status_word(status, language) for status in pivot.statuses]
    names = [say("col.department", language), say("col.total", language), *words]
    canvas.titles([(name, place) for place, name in enumerate(names)], numbers=range(1, len(names)))
    table = [
        (name or say("no.department", language), counts)
        for name, counts in zip(pivot.departments, pivot.counts, strict=True)
    ]
    rest = table[_MOST_DEPARTMENTS:]
    if rest:
        summed = tuple(map(sum, zip(*(counts for _, counts in rest), strict=True)))
        table[_MOST_DEPARTMENTS:] = [(say("other.departments", language, n=len(rest)), summed)]
    for name, counts in table:
        canvas.line([(name, 0, {}), *_counts(counts, pivot.statuses)], ruled=True)


def _counts(counts: Sequence[int], statuses: Sequence[Status]) -> Iterator[Part]:
    yield sum(counts), 1, {**_NUMBER, "bold": True}
    for place, (rows, status) in enumerate(zip(counts, statuses, strict=True), start=2):
        fill, ink = COLOURS[status]
        look = {**_NUMBER, "bg_color": fill, "font_color": ink}
        yield (rows, place, look) if rows else ("", place, {})


def _files(canvas: SummaryGrid, night: RunReport, numbers: Numbers, language: str) -> None:
    if not night.files:
        return
    canvas.heading(say("head.files", language))
    canvas.titles(
        [
            (say("col.file", language), 3),
            (say("col.status", language), 4),
            (say("col.rows", language), 5),
            (f"　{say('col.note', language)}", LAST),
        ],
        numbers={2},
    )
    well = [report for report in night.files if report.status != "refused"]
    refused = [report for report in night.files if report.status == "refused"]
    for report in (*refused, *well[:_MOST_FILES]):
        colour = COLOURS[
            {"read": Status.SEALED, "refused": Status.FAILED, "deferred": Status.NOT_SENT}[report.status]
        ]
        canvas.line(
            [
                (mask_path(report.path, numbers), 3, {"text_wrap": True}),
                (
                    say(f"file.{report.status}", language),
                    4,
                    {"bold": True, "align": "center", "bg_color": colour[0], "font_color": colour[1]},
                ),
                (report.rows, 5, _NUMBER),
                (
                    _file_notes(report, numbers, language),
                    LAST,
                    {"text_wrap": True, "font_color": MUTED, "indent": 1},
                ),
            ],
            ruled=True,
        )

    more = len(well) - _MOST_FILES
    if more > 0:
        canvas.line([(say("other.files", language, n=more), LAST, {"font_color": MUTED})])


def _file_notes(report: FileReport, numbers: Numbers, language: str) -> str:
    said = [sentence(problem, language, numbers) for problem in report.problems]
    layouts = [
        mask_text(say_columns(columns, language), numbers)
        for columns in list(find_layouts([report]))[:_MOST_LAYOUTS]
    ]
    return "\n".join(
        [*said, *layouts, *(noted(mask_text(note, numbers), language) for note in report.notes[:3])]
    )


def _facts(canvas: SummaryGrid, night: RunReport, language: str) -> None:
    canvas.heading(say("head.facts", language))
    traffic = night.traffic
    facts = {
        "fact.tenant": " · ".join(filter(None, (night.tenant, night.contract))) or "—",
        "fact.exit": str(night.exit),
    }
    if traffic.requests:
        facts["fact.requests"] = "\n".join(
            f"{action}: {code} {calls} {describe_code(code, language)}".rstrip()
            for action, codes in traffic.requests.items()
            for code, calls in codes.items()
        )
        facts["fact.rate"] = say(
            "fact.rate.text",
            language,
            limit=f"{traffic.limit:g}",
            share=f"{traffic.used_share:.1%}",
            most=traffic.max_in_second,
            throttled=traffic.throttled,
        )
    for key, text in facts.items():
        canvas.line([(say(key, language), 1, {"font_color": MUTED}), (text, LAST, {"text_wrap": True})])


def _bar(rows: int, of: int, blocks: int) -> str:
    """Return a bar of blocks: unlike a data bar it looks the same in every program and on paper."""
    return "█" * max(1, round(blocks * rows / of))
