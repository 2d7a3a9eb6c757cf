"""What a run shows: its progress while it sends; then counts, the commonest reasons, where the results are, what to do next.

The progress is a bar on a terminal, one plain line every 30 seconds elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import sys
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Never, Self

from pipeline.cli.context import Session
from pipeline.clock import stamp
from pipeline.config.settings import Config
from pipeline.domain.results_format import WORKBOOK
from pipeline.domain.run import UNRESOLVED_STATUSES, RowOutcome, RunReport, Status, is_redundant_copy
from pipeline.intake.readers.discover import SUFFIXES
from pipeline.messages.catalogue import JoinedTexts, make_phrase, name_status
from pipeline.operations.run_hooks import call_run_end_hooks
from pipeline.reports.explanations import (
    describe_cause,
    describe_halt_of,
    describe_layouts,
    describe_misspelt_titles,
    describe_notices,
    describe_problem,
    describe_task_of,
    find_titles,
    name_code,
)
from pipeline.reports.next_steps import REPORT_PAGE, NextStep, list_run_steps
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import run_record
from pipeline.reports.row_values import list_blocking_codes
from pipeline.workflow.finish import finish_run

if TYPE_CHECKING:
    from tqdm import tqdm

    from pipeline.sending.circuit_breaker import Outage, OutageMonitor
    from pipeline.workflow.copy_process import CopyProcess

YAML = frozenset({".yaml", ".yml"})
MAX_FILES_NAMED = 10  # in one sentence
MAX_REASONS = 8  # on the screen; all are in the workbook
WITH_REASONS = frozenset({Status.REJECTED, Status.FAILED, Status.UNKNOWN, Status.EXISTS, Status.NOT_SENT})
REFRESH_SECONDS = 1.0  # after which the bar is drawn again although no row has ended
REFRESHES_PER_LINE = 30  # between plain lines
NARROW = 60  # columns of a terminal in which the bar has room for the time left alone
RATE_SECONDS = 10.0  # over which the rate is taken
BAR = "{desc} {percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt}{postfix}"


class Progress:
    """Counts rows as they end; `begin` gives how many there will be and the departures of their calls."""

    def __init__(self, session: Session, requests_per_second: float, outages: OutageMonitor) -> None:
        self._session = session
        self._clock = session.clock
        self._requests_per_second = requests_per_second
        self._outages = outages
        self._printed_outage: Outage | None = None  # the last one
        self._bar: tqdm[Never] | None = None
        self._refresher: asyncio.Task[None] | None = None
        self._total = self._done = 0
        self._begun_at = 0.0
        self._counts: Counter[Status] = Counter()
        self._departures: Callable[[], Sequence[float]] = tuple

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._refresher is not None:
            self._refresher.cancel()
            self._print_outage(self._outages.current_outage())  # the last look may be a second old
        if self._bar is not None:
            self._bar.close()

    def begin(self, total: int, departures: Callable[[], Sequence[float]]) -> None:
        """Start with so many rows to send; ``departures`` are the steady seconds at which creates left."""
        self._total, self._departures = total, departures
        self._begun_at = self._clock.monotonic()
        if not total or self._session.quiet:
            return
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(
                total=total,
                desc=self._session.render_sentence("bar"),
                file=sys.stderr,
                bar_format=BAR,
                dynamic_ncols=True,
                leave=False,
            )
            self._draw_bar()
        self._refresher = asyncio.create_task(self._refresh_forever())

    def __call__(self, outcome: RowOutcome) -> None:
        """Count a row that ended."""
        self._done += 1
        self._counts[outcome.status] += 1
        if self._bar is not None:
            self._bar.set_postfix_str(self._describe_progress(), refresh=False)
            self._bar.update()

    def inform(self, key: str, **details: object) -> None:
        """Print a message without cutting the bar in two."""
        if self._bar is not None:
            self._bar.clear()
        self._session.inform(key, **details)
        if self._bar is not None:
            self._draw_bar()

    async def _refresh_forever(self) -> None:
        """Draw or print again and again, also while the service is silent and no row ends."""
        for number in count(1):
            await self._clock.sleep(REFRESH_SECONDS)
            self._print_outage(self._outages.current_outage())
            if self._bar is not None:
                self._draw_bar()
            elif number % REFRESHES_PER_LINE == 0:
                share = f"{self._done / self._total:.0%}"
                self._session.inform(
                    "progress",
                    done=self._done,
                    total=self._total,
                    share=share,
                    details=self._describe_progress(),
                )

    def _print_outage(self, outage: Outage | None) -> None:
        """Print when an outage begins, when calls are held back, and when it is over."""
        before, self._printed_outage = self._printed_outage, outage
        if outage is None:
            if before is not None:
                time = Presenter(self._session.spoken).describe_duration(self._clock.now() - before.since)
                self.inform("outage_over", host=before.host, time=time)
        elif outage.gives_up_at is not None:
            if before is None or before.gives_up_at is None:
                until = _format_time_of_day(outage.gives_up_at)
                self.inform("outage_paused", until=until, **self._describe_outage(outage))
        elif before is None:
            self.inform("outage_began", **self._describe_outage(outage))

    def _describe_outage(self, outage: Outage) -> dict[str, str]:
        cause = describe_cause(outage.cause, Presenter(self._session.spoken))
        return {"host": outage.host, "cause": cause, "since": _format_time_of_day(outage.since)}

    def _draw_bar(self) -> None:
        assert self._bar is not None
        self._bar.set_postfix_str(self._describe_progress())

    def _describe_progress(self) -> str:
        """Return the counts of rows, with rate, share of the limit and time left, or what is known of an outage."""
        session, outage, rate = self._session, self._outages.current_outage(), self._measure_rate()
        if outage is None:
            share = f"{rate / self._requests_per_second:.0%}"
            time_left = session.render_sentence("left", time=self._estimate_time_left(rate))
            if shutil.get_terminal_size().columns < NARROW:
                return time_left
            parts = [session.render_sentence("rate", rate=f"{rate:.1f}", share=share), time_left]
        elif outage.gives_up_at is None:
            parts = [session.render_sentence("outage_now", **self._describe_outage(outage))]
        else:
            until = _format_time_of_day(outage.gives_up_at)
            parts = [session.render_sentence("outage_until", until=until, **self._describe_outage(outage))]
        counts = self._counts
        parts += [
            f"{name_status(status, session.spoken)} {counts[status]}" for status in Status if counts[status]
        ]
        return " · ".join(parts)

    def _measure_rate(self) -> float:
        """Return the creates a second over the last seconds."""
        now = self._clock.monotonic()
        span = min(max(now - self._begun_at, 1.0), RATE_SECONDS)
        departures = self._departures()
        return (len(departures) - bisect_left(departures, now - span)) / span

    def _estimate_time_left(self, rate: float) -> str:
        """Return how long the rest will take: never less than the limit allows, unknown while no call leaves."""
        limit = self._requests_per_second
        # before a second's worth of calls has left, the limit is the best guess
        is_early = self._clock.monotonic() - self._begun_at < RATE_SECONDS
        is_steady = len(self._departures()) > limit or not is_early
        if is_steady and not rate:
            return "?"
        seconds = round((self._total - self._done) / (min(rate, limit) if is_steady else limit))
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"


def _format_time_of_day(seconds: float) -> str:
    """Return unix seconds as the local time of day."""
    return stamp(seconds)[11:16]


def write_and_print_results(
    session: Session,
    config: Config,
    report: RunReport,
    *,
    latest: Path | None,
    steps: bool = True,
    is_rebuilt: bool = False,
    copy_process: CopyProcess | None = None,
) -> int:
    """Write the results of a run, print them, and return its exit code; ``is_rebuilt``: of an earlier run.

    ``copy_process`` prepared the marked copies.
    """
    session.note_title_language(find_titles(report))
    report = replace(report, latest=latest)
    presenter = Presenter.for_outcomes(report.outcomes, session.spoken)
    file_presenter = replace(presenter, language=session.language)
    report, written = finish_run(report, config, file_presenter, latest=latest, copy_process=copy_process)
    if not is_rebuilt:
        call_run_end_hooks(report, config, session.warn_of_hook)
    if "edited" in written:
        session.alert("kept_edits", path=WORKBOOK, kept=written["edited"])
    if "copy" in written:
        session.alert("copy_held", path=WORKBOOK, copy=written["copy"])
    report = replace(report, workbook=written[WORKBOOK].name)
    _print_problems(session, report, presenter)
    if session.as_json:
        record = session.label_data(run_record(report, presenter.masker))
        session.print_data(json.dumps(record, ensure_ascii=False))
    if not session.quiet:
        _print_counts(session, report, presenter)
        session.inform("results", path=presenter.mask_path(written[WORKBOOK]))
        session.inform("report", path=presenter.mask_path(written[REPORT_PAGE]))
        if steps:
            _print_steps(session, list_run_steps(report, presenter.masker))
    return report.exit


def _print_problems(session: Session, report: RunReport, presenter: Presenter) -> None:
    """Print what stopped the run and which rosters were refused, also with ``-q``."""
    if report.halt is not None:
        text = describe_halt_of(report, presenter)
        session.alert("run_halted", code=report.halt.code, message=text)
    for text in describe_notices(report, presenter):
        session.inform("warning", text=text)
    for path, reason in report.unreadable_images:
        session.alert("pictures_unread", place=presenter.mask_text(path), why=presenter.render_text(reason))
    refused = [file for file in report.files if file.status == "refused"]
    other_files = [file for file in refused if file.path.suffix.lower() not in SUFFIXES]
    # a * of the shell, or a configuration: their reasons are of no use
    if len(other_files) > 1 or any(file.path.suffix.lower() in YAML for file in other_files):
        refused = [file for file in refused if file not in other_files]
        names = [presenter.mask_text(file.path.name) for file in other_files]
        session.alert("no_rosters", **_join_names(session, names))
    for file in refused:
        for problem in file.problems:
            reason = describe_problem(problem, presenter)
            session.alert("file_refused", file=presenter.mask_text(file.path.name), why=reason)


def _join_names(session: Session, names: Sequence[str]) -> dict[str, str]:
    """Return what a sentence about several files is filled with: the first names, and whether there are more."""
    named = JoinedTexts(names[:MAX_FILES_NAMED], make_phrase("mark.comma")).render(session.spoken)
    return {"files": named, "more": " …" if len(names) > MAX_FILES_NAMED else ""}


def _print_counts(session: Session, report: RunReport, presenter: Presenter) -> None:
    """Print how the columns were read, and how many rows ended how, with the commonest reasons."""
    describe_columns = describe_layouts if report.command == "check" else describe_misspelt_titles
    for text in describe_columns(report.files, presenter):
        session.print_line(text)
    empty = [
        file.path.name for file in report.files if file.status == "read" and not file.rows and file.sheets
    ]
    if empty:
        session.inform("no_doctors", **_join_names(session, [presenter.mask_text(name) for name in empty]))
    rows: dict[Status, list[RowOutcome]] = defaultdict(list)
    for outcome in report.outcomes:
        rows[outcome.status].append(outcome)
    explained = report.halt.code if report.halt else ""
    for status in filter(rows.get, Status):
        copies = sum(map(is_redundant_copy, rows[status]))
        key = "count_with_spare" if copies else "count"
        session.inform(key, status=presenter.name_status(status), rows=len(rows[status]), n=copies)
        if status in WITH_REASONS:
            _print_reasons(session, rows[status], presenter, explained=explained)


def _print_reasons(
    session: Session, outcomes: list[RowOutcome], presenter: Presenter, *, explained: str
) -> None:
    """Print the commonest reasons, each with where it occurs first; of a code of the service who acts and what to do.

    What to do about the code ``explained`` was printed already.
    """
    counts: Counter[str] = Counter()
    first_outcomes: dict[str, RowOutcome] = {}
    for outcome in outcomes:
        for code in list_blocking_codes(outcome) or filter(None, [outcome.code]):
            counts[code] += 1
            first_outcomes.setdefault(code, outcome)
    for code, rows in counts.most_common(MAX_REASONS):
        origin, status = first_outcomes[code].doctor.row.display_origin, first_outcomes[code].status
        if status is Status.EXISTS:
            name = presenter.name_status(status)
        else:
            name = name_code(code, presenter, unresolved=status in UNRESOLVED_STATUSES)
        file = presenter.mask_text(origin.file)
        session.inform("reason", rows=rows, code=code, label=name, file=file, row=origin.row)
        task = describe_task_of(code, presenter)
        if task is not None and code != explained:
            session.inform("reason_task", task=task)
    if len(counts) > MAX_REASONS:
        session.inform("reasons_more", n=len(counts) - MAX_REASONS)


def _print_steps(session: Session, steps: Iterable[NextStep]) -> None:
    """Print the steps so that the first stands last: above the prompt, with the command to type at the very end."""
    texts: dict[str, list[str]] = {}
    for step in steps:
        texts.setdefault(step.command or "", []).append(step.render(session.spoken))
    for text in texts.pop("", []):
        session.inform("next", text=text)
    for command, lines in reversed(texts.items()):
        session.print_next_step("\n   ".join(lines), command)
