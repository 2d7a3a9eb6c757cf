"""Short ways to do what a person does some minutes after a run: resolve, explain."""

from __future__ import annotations

from pipeline.clock import SystemClock


class LaterClock(SystemClock):
    """The machine's clock some minutes on: a late copy of what was sent so far is no longer accepted."""

    passed = 640.0  # seconds since the run, on the service's clock as well

    def now(self) -> float:
        return super().now() + self.passed


def run_later(hospital, *arguments, clock=None) -> int:
    """Run the command line over a hospital, later: on the machine's clock and on the service's."""
    clock = clock or LaterClock()
    hospital.service_clock.ahead = getattr(clock, "passed", 0.0)
    try:
        return hospital.go(*arguments, clock=clock)
    finally:
        hospital.service_clock.ahead = 0.0


def read_unknown_rows(hospital) -> dict[str, dict]:
    """Return the rows without a verdict, by name."""
    return {row["name"]: row for row in hospital.outcomes() if row["status"] == "unknown"}


def list_made_seals(hospital) -> dict[str, str]:
    """Return what the service really made: name -> SealId."""
    return {seal.name: seal.seal_id for seal in hospital.service.seals}
