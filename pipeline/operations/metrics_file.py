"""Writes the figures of the last run for Prometheus: a file for node_exporter's textfile collector."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from pipeline.config.settings import Config
from pipeline.domain.run import RunReport, Status
from pipeline.errors import DiskTrouble, UsageError
from pipeline.operations.notify import load_state, state_path
from pipeline.support.atomic_files import write_bytes


def write_metrics(report: RunReport, config: Config) -> None:
    """Write the configured file; one of `check` and `retry` is left alone. Raises UsageError or DiskTrouble."""
    if config.metrics_file is None or report.command != "run":
        return
    try:
        from prometheus_client import CollectorRegistry, Gauge, generate_latest  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise UsageError("metrics.not_installed") from error
    registry = CollectorRegistry()
    hospital = {"hospital": config.notify.name or config.api.organization_open_id}

    def add_gauge(
        name: str, description: str, values: Mapping[tuple[str, ...], float], labels: tuple[str, ...] = ()
    ) -> None:
        gauge = Gauge(f"esign_import_{name}", description, [*hospital, *labels], registry=registry)
        for label_values, value in values.items():
            gauge.labels(*hospital.values(), *label_values).set(value)

    last_success = load_state(state_path(config)).last_success
    add_gauge("last_run_timestamp_seconds", "When the last run ended.", {(): report.finished})
    if last_success is not None:
        add_gauge(
            "last_success_timestamp_seconds",
            "When the last run that was no failure ended.",
            {(): last_success},
        )
    add_gauge("last_run_exit_code", "Exit code of the last run.", {(): report.exit})
    add_gauge(
        "last_run_duration_seconds", "Duration of the last run.", {(): report.finished - report.started}
    )
    counts = Counter(outcome.status for outcome in report.outcomes)
    rows: dict[tuple[str, ...], float] = {
        (status.value,): float(counts[status]) for status in Status if status is not Status.READY
    }
    add_gauge("rows", "Rows of the last run by their status.", rows, ("status",))
    requests: dict[tuple[str, ...], float] = {
        (action, code): float(n)
        for action, codes in report.traffic.requests.items()
        for code, n in codes.items()
    }
    add_gauge("api_requests", "Calls of the last run by action and result.", requests, ("action", "code"))
    path = config.resolve_path(config.metrics_file)
    try:
        write_bytes(path, generate_latest(registry)).chmod(
            0o644
        )  # the collector is another user; there is nothing personal in it
    except OSError as error:
        raise DiskTrouble.of(error) from error
