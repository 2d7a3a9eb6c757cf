"""Figures for Prometheus: of a run in a file, by the textfile collector of node_exporter; of workers on their page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from pipeline.config.settings import Config
from pipeline.domain.run import RunReport, Status
from pipeline.errors import DiskTrouble
from pipeline.operations.notify import load_state, state_path
from pipeline.support.atomic_files import write_bytes

if TYPE_CHECKING:
    from pipeline.hosts.daily_jobs import LastEnd
    from pipeline.hosts.overview import Overview


class MetricsPage:
    """Gauges in Prometheus' text format (version 0.0.4); ``common`` labels are of every one."""

    def __init__(self, common: Mapping[str, str]) -> None:
        self._common = common
        self._lines: list[str] = []

    def add_gauge(
        self,
        name: str,
        description: str,
        values: Mapping[tuple[str, ...], float],
        labels: tuple[str, ...] = (),
    ) -> None:
        """Add a gauge with a value for each combination of its own labels."""
        full_name = f"esign_import_{name}"
        self._lines += [f"# HELP {full_name} {description}", f"# TYPE {full_name} gauge"]
        for label_values, value in values.items():
            pairs = {**self._common, **dict(zip(labels, label_values, strict=True))}
            written = ",".join(f'{label}="{_escape(text)}"' for label, text in sorted(pairs.items()))
            self._lines.append(
                f"{full_name}{{{written}}} {float(value)}" if pairs else f"{full_name} {float(value)}"
            )

    def render(self) -> bytes:
        return "".join(f"{line}\n" for line in self._lines).encode()


def _escape(text: str) -> str:
    """Return the value of a label as the format writes it."""
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def write_metrics(report: RunReport, config: Config) -> None:
    """Write the configured file; one of `check` and `retry` is left alone. Raises DiskTrouble."""
    if config.metrics_file is None or report.command != "run":
        return
    page = MetricsPage({"hospital": config.notify.name or config.api.hospital})
    last_success = load_state(state_path(config)).last_success
    page.add_gauge("last_run_timestamp_seconds", "When the last run ended.", {(): report.finished})
    if last_success is not None:
        page.add_gauge(
            "last_success_timestamp_seconds",
            "When the last run that was no failure ended.",
            {(): last_success},
        )
    page.add_gauge("last_run_exit_code", "Exit code of the last run.", {(): report.exit})
    page.add_gauge(
        "last_run_duration_seconds", "Duration of the last run.", {(): report.finished - report.started}
    )
    counts = Counter(outcome.status for outcome in report.outcomes)
    rows: dict[tuple[str, ...], float] = {
        (status.value,): float(counts[status]) for status in Status if status is not Status.READY
    }
    page.add_gauge("rows", "Rows of the last run by their status.", rows, ("status",))
    requests: dict[tuple[str, ...], float] = {
        (action, code): float(n)
        for action, codes in report.traffic.requests.items()
        for code, n in codes.items()
    }
    page.add_gauge(
        "api_requests", "Calls of the last run by action and result.", requests, ("action", "code")
    )
    path = config.resolve_path(config.metrics_file)
    try:
        write_bytes(path, page.render()).chmod(
            0o644
        )  # the collector is another user; there is nothing personal in it
    except OSError as error:
        raise DiskTrouble.of(error) from error


def render_worker_metrics(
    overview: Overview,
    last_ends: list[LastEnd],
    tenants: Mapping[str, str],
    own: Mapping[str, float],
) -> bytes:
    """Return the page of a worker: its own figures, and those of the database, which every worker shows alike.

    ``tenants`` gives the hospitals of the configuration by their tenants.
    """
    page = MetricsPage({})
    for name, value in own.items():
        page.add_gauge(f"worker_{name}", f"Of this worker: {name}.", {(): value})
    alive = sum(worker.is_alive for worker in overview.workers)
    page.add_gauge("workers_alive", "Workers of the database that are alive.", {(): alive})
    jobs = Counter(job.state for job in overview.jobs)
    states: dict[tuple[str, ...], float] = {
        (state,): float(jobs[state]) for state in ("running", "ending", "queued", "waiting", "paused")
    }
    page.add_gauge("jobs", "Jobs that have not ended, by their state.", states, ("state",))
    ages: dict[tuple[str, ...], float] = {
        (tenants.get(one.tenant, one.tenant),): one.silent_seconds for one in overview.ledgers
    }
    page.add_gauge(
        "hold_silent_seconds",
        "Seconds since the process that holds a ledger sent its last statement.",
        ages,
        ("hospital",),
    )
    for name, description, attribute in (
        ("quota_limit_per_second", "Calls a second that are configured.", "requests_per_second"),
        ("quota_slots", "Slots that were taken in the last minute.", "slots"),
        ("quota_share", "Share of the limit that the last minute used.", "share"),
        ("quota_throttles", "Calls that the service throttled in the last minute.", "throttles"),
    ):
        values: dict[tuple[str, ...], float] = {
            (one.action,): float(getattr(one, attribute)) for one in overview.quotas
        }
        page.add_gauge(name, description, values, ("action",))
    page.add_gauge(
        "hospital_last_exit_code",
        "Exit code of a hospital's last job that ended.",
        {(one.hospital,): float(one.exit) for one in last_ends if one.exit is not None},
        ("hospital",),
    )
    page.add_gauge(
        "hospital_last_success_timestamp_seconds",
        "When a hospital's last run that came to its end ended.",
        {(one.hospital,): one.succeeded for one in last_ends if one.succeeded is not None},
        ("hospital",),
    )
    return page.render()
