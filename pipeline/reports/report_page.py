"""report.html: what happened tonight, one file that needs no network and tells the same numbers as run.json."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from pipeline.clock import stamp
from pipeline.domain.metrics import DurationHistogram
from pipeline.domain.run import RowOutcome, RunReport, Status
from pipeline.messages.problems import CATALOGUE
from pipeline.messages.service_error_advice import advice_on_refusal
from pipeline.reports import charts
from pipeline.reports.explanations import (
    describe_code,
    describe_halt_of,
    describe_notices,
    describe_problem,
    describe_status,
    is_service_code,
    list_reasons,
    name_code,
)
from pipeline.reports.html_pages import render_pieces
from pipeline.reports.next_steps import list_run_steps, needs_action, summarize_run
from pipeline.reports.presenter import Presenter
from pipeline.reports.row_values import (
    display_last_attempt,
    display_name,
    display_seal_name,
    find_confirmed_seal_id,
    list_blocking_codes,
    mask_doctor_id,
    mask_doctor_mobile,
)
from pipeline.reports.styles import COLOURS, clean_text
from pipeline.reports.totals import count_reasons, verify_totals
from pipeline.support.atomic_files import write_atomically
from pipeline.version import __version__

MOST_ROWS = 10_000  # in the page; a phone still opens it
MOST_FILES, MOST_REASONS = 60, 12
LONGEST = 400  # characters of a text in the table
CREATE, UPLOAD = "ChannelCreatePreparedPersonalEsign", "UploadFiles"
WIDE, NARROW = 1072, 334  # pixels of a picture on a desk and on a phone


def write_report(report: RunReport, path: Path, *, presenter: Presenter, workbook: str | None = None) -> Path:
    """Write the page. Raises ``SumsError`` before anything is written.

    ``workbook`` is the name of the workbook in the page's folder, if it is not the report's.
    """
    told = _collect_values(report, presenter)
    told |= {"t": presenter.render, "workbook": workbook or report.workbook}
    page = render_pieces("report.html", presenter, told)

    def fill(temporary: Path) -> None:
        temporary.write_text("".join(page), "utf-8", "replace", newline="\n")

    return write_atomically(path, fill)


def _collect_values(report: RunReport, presenter: Presenter) -> dict[str, object]:
    counts = {status: rows for status, rows in verify_totals(report).items() if rows}
    total = len(report.outcomes)
    text, colour = summarize_run(report, presenter)
    title = presenter.render("report.title.check" if report.command == "check" else "report.title")
    started, finished = stamp(report.started), stamp(report.finished)
    halted = report.halt
    return {
        "title": title,
        "colours": COLOURS,
        "when": f"{started[:19].replace('T', ' ')} – {finished[11:19]} ({finished[19:]})",
        "took": presenter.render(
            "report.took", time=presenter.describe_duration(report.finished - report.started)
        ),
        "report": report,
        "halted": halted
        and presenter.render("halted", code=halted.code, message=describe_halt_of(report, presenter)),
        "notices": [clean_text(text) for text in describe_notices(report, presenter)],
        "verdict": text,
        "verdict_colour": colour.value,
        "steps": [
            {"text": step.render(presenter.language), "command": step.command}
            for step in list_run_steps(report, presenter.masker)
        ],
        "total": total,
        "statuses": [_Total.of(status, rows, report, presenter) for status, rows in counts.items()],
        "reasons": list(_list_reasons(report, presenter)),
        "wire": _describe_traffic(report, presenter),
        "files": [_describe_file(report, place, presenter) for place in range(len(report.files))][
            :MOST_FILES
        ],
        "more_files": len(report.files) - MOST_FILES,
        "rows": _build_table(report, presenter),
        "version": __version__,
    }


@dataclass(frozen=True, slots=True)
class _Total:
    """The rows of one status."""

    status: str
    word: str
    meaning: str
    rows: int
    share: str

    @staticmethod
    def of(status: Status, rows: int, report: RunReport, presenter: Presenter) -> _Total:
        share = f"{rows / len(report.outcomes):.1%}"
        said = describe_status(status, report.outcomes, presenter)
        return _Total(status.value, presenter.name_status(status), said, rows, share)


def _list_reasons(report: RunReport, presenter: Presenter) -> Iterator[dict[str, object]]:
    most = count_reasons(report.outcomes)
    for code, rows in most[:MOST_REASONS]:
        who = CATALOGUE[code].who if code in CATALOGUE else advice_on_refusal(code).who
        yield {
            "code": clean_text(code),
            "label": name_code(code, presenter),
            "rows": rows,
            "share": 100 * rows / most[0][1],
            "who": presenter.render(f"who.{who}"),
            "task": advice_on_refusal(code).instruct(presenter.language) if is_service_code(code) else "",
        }
    if rest := most[MOST_REASONS:]:
        said = presenter.render("other.reasons", n=len(rest))
        yield {
            "code": "",
            "label": said,
            "rows": sum(rows for _, rows in rest),
            "share": 0,
            "who": "",
            "task": "",
        }


def _describe_file(report: RunReport, place: int, presenter: Presenter) -> dict[str, object]:
    file_report = report.files[place]
    said = [describe_problem(problem, presenter) for problem in file_report.problems]
    said += [presenter.render_text(presenter.mask_text(note)) for note in file_report.notes[:3]]
    return {
        "path": clean_text(presenter.mask_path(file_report.path)),
        "status": file_report.status,
        "word": presenter.render(f"file.{file_report.status}"),
        "rows": file_report.rows,
        "notes": [clean_text(note) for note in said],
    }


# -- what went over the wire


def _describe_traffic(report: RunReport, presenter: Presenter) -> dict[str, object]:
    traffic, timing = report.traffic, report.traffic.timing
    tell = presenter.describe_duration
    told_wire: dict[str, object] = {
        "requests": [
            {
                "action": action,
                "name": _name_action(action, presenter),
                "codes": [(code, calls, describe_code(code, presenter)) for code, calls in codes.items()],
            }
            for action, codes in traffic.requests.items()
        ],
        "limit": f"{traffic.limit:g}",
        "share": f"{traffic.used_share:.1%}",
        "charts": None,
    }
    actions = [action for action in (CREATE, UPLOAD) if timing and action in timing.calls]
    if timing is None or not actions:
        return told_wire
    again = sum(sum(numbers[1:]) for numbers in timing.sends.values())
    return told_wire | {
        "lost": sum(timing.lost),
        "silent": sum(timing.silent) > 0,
        "step": tell(timing.step) if timing.step > 1 else "",
        "actions": [(action, _name_action(action, presenter)) for action in actions],
        "charts": [
            {
                "kind": kind,
                "pace": charts.draw_pace(timing, actions, traffic.limit, width=width, height=230),
            }
            for kind, width in (("wide", WIDE), ("narrow", NARROW))
        ],
        "latency": charts.draw_latency(timing, actions, tell, width=NARROW + 150, height=140)
        if len(timing.throttled) > 2
        else None,
        "answers": [
            {
                "action": action,
                "name": _name_action(action, presenter),
                "figures": _describe_durations(spread, tell),
                "chart": charts.draw_histogram(spread, tell, width=NARROW + 150, height=140),
            }
            for action, spread in timing.answers.items()
            if action in actions
        ],
        "waits": [
            {
                "why": presenter.render(f"report.wait.{why}"),
                "count": spread.count,
                "figures": _describe_durations(spread, tell),
                "total": tell(spread.total),
            }
            for why, spread in timing.waits.items()
        ],
        "again": again,
        "sends": [
            {"name": _name_action(action, presenter), "numbers": numbers}
            for action, numbers in timing.sends.items()
        ],
        "most_sends": max(map(len, timing.sends.values())),
    }


def _describe_durations(spread: DurationHistogram, tell: Callable[[float], str]) -> Mapping[str, str]:
    return {"median": tell(spread.median), "p95": tell(spread.p95), "longest": tell(spread.longest)}


def _name_action(action: str, presenter: Presenter) -> str:
    """Return an action in the reader's words; one that has none stands as it is."""
    words = {CREATE: "report.create", UPLOAD: "report.upload"}
    return presenter.render(words[action]) if action in words else action


# -- the rows


def _build_table(report: RunReport, presenter: Presenter) -> dict[str, object]:
    """Return the table for the page's script: texts that repeat stand once, a row is a short list.

    A row: status, name, reasons, codes, number, staff no., department, seal name, SealId, time, attempts,
    RequestId, TraceId, file, sheet, row, picture, mobile, seconds, waits for somebody.
    """
    chosen = _choose_rows(report.outcomes)
    words: dict[str, int] = {}  # a text that many rows share -> its place

    def shared(text: str | None) -> int:
        return words.setdefault(_cut_text(presenter.mask_text(text)) if text else "", len(words))

    def own(text: str | None) -> str:
        return _cut_text(presenter.mask_text(text)) if text else ""

    blanks = {
        blank: f"{{{blank}}}" for blank in ("shown", "total", "n", "file", "sheet", "row")
    }  # for the script
    lines = []
    for outcome in chosen:
        doctor = outcome.doctor
        origin = doctor.row.origin
        lines.append(
            [
                outcome.status.value,
                own(display_name(doctor)),
                [_cut_text(reason) for reason in list_reasons(outcome, presenter)],
                [shared(code) for code in list_blocking_codes(outcome)],
                mask_doctor_id(doctor) or "",
                own(doctor.staff_no),
                shared(doctor.department),
                own(display_seal_name(outcome)),
                find_confirmed_seal_id(outcome) or "",
                display_last_attempt(outcome),
                outcome.attempts,
                outcome.request_id or "",
                outcome.trace_id or "",
                shared(origin.file),
                shared(origin.sheet),
                origin.row,
                own(doctor.picture.path.name) if doctor.picture else "",
                mask_doctor_mobile(doctor) or "",
                presenter.describe_duration(outcome.call_seconds) if outcome.call_seconds is not None else "",
                int(needs_action(outcome)),
            ]
        )
    codes = Counter(chain.from_iterable(list_blocking_codes(outcome) for outcome in chosen))
    departments = Counter(outcome.doctor.department or "" for outcome in chosen)
    departments.pop("", None)
    return {
        "data": {
            "texts": list(words),
            "rows": lines,
            "oneFile": len({outcome.doctor.row.origin.path for outcome in chosen}) == 1,
            "statuses": {status.value: presenter.name_status(status) for status in Status},
            "words": {
                name: presenter.render(f"report.{name}", **blanks)
                for name in ("shown", "more", "none", "place")
            },
            "labels": {
                name: presenter.render(key)
                for name, key in {
                    "number": "col.number",
                    "mobile": "report.mobile",
                    "sealName": "col.seal_name",
                    "sealId": "col.seal_id",
                    "time": "col.time",
                    "attempts": "col.attempts",
                    "took": "report.took.row",
                    "request": "col.request_id",
                    "trace": "col.trace_id",
                    "picture": "col.picture",
                    "where": "report.where",
                }.items()
            },
        },
        "kept": len(chosen),
        "todo": sum(map(needs_action, report.outcomes)),
        "codes": [
            (shared(code), f"{name_code(code, presenter)} ({code})") for code, _ in codes.most_common()
        ],
        "departments": [(shared(name), own(name)) for name, _ in departments.most_common()],
    }


def _choose_rows(every: Sequence[RowOutcome]) -> Sequence[RowOutcome]:
    """Return the rows the page holds, in the roster's order: all, or those that need somebody first."""
    if len(every) <= MOST_ROWS:
        return every
    places = sorted(range(len(every)), key=lambda place: (not needs_action(every[place]), place))[:MOST_ROWS]
    return [every[place] for place in sorted(places)]


def _cut_text(text: str) -> str:
    text = clean_text(text)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]} …"
