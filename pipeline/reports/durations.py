"""How long something took, in words."""

from __future__ import annotations

from pipeline.reports.presenter import Presenter


def describe_duration(seconds: float, presenter: Presenter) -> str:
    """Return a duration with two figures that count: 85 ms, 1.9 s, 2 min 5 s, 3 h 20 min."""
    if round(seconds, 3) < 1:
        thousandths = seconds * 1000
        return presenter.render("unit.ms", n=f"{thousandths:.2g}" if thousandths < 10 else round(thousandths))
    if round(seconds, 1) < 60:
        return presenter.render("unit.s", n=f"{seconds:.1f}".removesuffix(".0"))
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return presenter.render("unit.min", n=minutes, s=rest)
    return presenter.render("unit.h", n=minutes // 60, m=minutes % 60)
