"""Short ways to say what a human does at the desk, some minutes after the night."""

from __future__ import annotations

from pipeline.cli.app import main
from pipeline.clock import SystemClock


class Later(SystemClock):
    """The machine's clock some minutes on, beyond the fence of every signature sent so far."""

    passed = 400.0  # seconds since the run, on the service's clock as well

    def now(self) -> float:
        return super().now() + self.passed


def go(hospital, *words, clock=None) -> int:
    """Run the command line over a hospital, later: on the machine's clock and on the service's."""
    clock = clock or Later()
    hospital.service_clock.ahead = getattr(clock, "passed", 0.0)
    try:
        return main(["--config", str(hospital.folder / "config.yaml"), "--lang", "en", *words], clock=clock)
    finally:
        hospital.service_clock.ahead = 0.0


def unknown(hospital) -> dict[str, dict]:
    """The rows without a verdict, by name."""
    return {row["name"]: row for row in hospital.outcomes() if row["status"] == "unknown"}


def made(hospital) -> dict[str, str]:
    """What the service really made: name -> SealId."""
    return {seal.name: seal.seal_id for seal in hospital.world.seals}
