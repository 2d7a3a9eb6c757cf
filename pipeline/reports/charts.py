"""Computes the charts of the report page: coordinates for the templates, no markup.

Each chart is computed for a width, because letters in a drawing that is scaled down to a phone cannot be read.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipeline.clock import stamp
from pipeline.domain.run import DurationHistogram, Timing

RIGHT, TOP, BOTTOM = 10, 18, 26  # pixels around the plot
COUNT_LABELS, TIME_LABELS = 36, 66  # pixels left of the plot, for the labels of counts and times
TICK_WIDTH = 90  # pixels a time below the axis takes
FAR = 5.0  # a limit so many times above the busiest step would flatten the chart: it is written, not drawn
_TIMES = (
    1,
    2,
    5,
    10,
    15,
    30,
    60,
    120,
    300,
    600,
    900,
    1800,
    3600,
    7200,
    14_400,
    21_600,
)  # seconds between ticks


@dataclass(frozen=True, slots=True)
class Tick:
    """A position on an axis and its label."""

    position: float
    text: str


@dataclass(frozen=True, slots=True)
class Line:
    """One series: the path of its line, and of the area below it."""

    action: str
    path: str
    area: str


@dataclass(frozen=True, slots=True)
class Step:
    """One step of time: where it lies, and the values shown when the pointer is over it."""

    x: float
    width: float
    time: str
    rates: tuple[tuple[str, float], ...]  # action -> calls a second
    throttled: int
    lost: int
    silent: float


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart over time."""

    width: int
    height: int
    margin: int
    bottom: int  # y of the axis
    right: int
    lines: tuple[Line, ...]
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    steps: tuple[Step, ...] = ()
    limit: float | None = None  # y of the limit's line; None if it lies above the chart


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar of a histogram."""

    x: float
    y: float
    width: float
    height: float
    low: float  # seconds
    high: float
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long, on a logarithmic axis."""

    width: int
    height: int
    margin: int
    bottom: int
    right: int
    bars: tuple[Bar, ...]
    x_ticks: tuple[Tick, ...]
    median: float  # x
    p95: float


def draw_pace(timing: Timing, actions: Sequence[str], limit: float, *, width: int, height: int) -> Chart:
    """Draw the calls a second of each action against the limit."""
    rates = {action: [calls / timing.step for calls in timing.calls[action]] for action in actions}
    busiest = max((rate for series in rates.values() for rate in series), default=0.0)
    draws_limit = limit <= FAR * busiest
    plot = _Plot(
        width, height, len(timing.throttled), max(busiest, limit if draws_limit else 0.0) * 1.12, COUNT_LABELS
    )
    return Chart(
        width,
        height,
        plot.margin,
        plot.bottom,
        plot.right,
        lines=tuple(plot.draw_stairs(action, rates[action]) for action in actions),
        x_ticks=tuple(plot.list_time_ticks(timing)),
        y_ticks=tuple(plot.list_value_ticks(lambda value: f"{value:g}")),
        steps=tuple(_list_steps(plot, timing, rates)),
        limit=plot.y(limit) if draws_limit else None,
    )


def draw_latency(
    timing: Timing, actions: Sequence[str], format_seconds: Callable[[float], str], *, width: int, height: int
) -> Chart:
    """Draw the mean time to the answer of each action."""
    series = {action: timing.latency[action] for action in actions}
    slowest = max((value for means in series.values() for value in means if value is not None), default=0.0)
    plot = _Plot(width, height, len(timing.throttled), slowest * 1.12, TIME_LABELS)
    return Chart(
        width,
        height,
        plot.margin,
        plot.bottom,
        plot.right,
        lines=tuple(Line(action, plot.draw_polyline(means), "") for action, means in series.items()),
        x_ticks=tuple(plot.list_time_ticks(timing)),
        y_ticks=tuple(plot.list_value_ticks(format_seconds)),
    )


def draw_histogram(
    durations: DurationHistogram, format_seconds: Callable[[float], str], *, width: int, height: int
) -> Histogram:
    """Draw how often something took how long; the axis spans at least a factor of four."""
    bins = {durations.first + index: count for index, count in enumerate(durations.bins)}
    merged: dict[int, int] = {}
    for index, count in bins.items():
        merged[index // 2] = merged.get(index // 2, 0) + count
    first, last = min(merged), max(merged)
    while last - first < 6:
        first, last = first - 1, last + 1
    first = max(0, first)
    low, high = (
        math.log10(_find_low_edge(first)),
        math.log10(DurationHistogram.find_bin_edges(2 * last + 1)[1]),
    )
    bottom, right = height - BOTTOM, width - RIGHT

    def x(seconds: float) -> float:
        share = (math.log10(max(seconds, 1e-4)) - low) / (high - low)
        return round(RIGHT + min(1.0, max(0.0, share)) * (right - RIGHT), 1)

    most = max(merged.values())
    bars = []
    for index, count in merged.items():
        if count:
            edges = (_find_low_edge(index), DurationHistogram.find_bin_edges(2 * index + 1)[1])
            bar_height = max(1.5, count / most * (bottom - TOP))
            bars.append(
                Bar(
                    x(edges[0]) + 0.75,
                    round(bottom - bar_height, 1),
                    round(x(edges[1]) - x(edges[0]) - 1.5, 1),
                    round(bar_height, 1),
                    *edges,
                    count,
                )
            )
    ticks = [
        Tick(x(value), format_seconds(value))
        for power in range(-4, 4)
        for value in (10**power, 2 * 10**power, 5 * 10**power)
        if 10**low * 0.99 <= value <= 10**high * 1.01
    ]
    return Histogram(
        width,
        height,
        RIGHT,
        bottom,
        right,
        tuple(bars),
        tuple(_space_ticks(ticks, 58, width)),
        median=x(durations.median),
        p95=x(durations.p95),
    )


def _find_low_edge(pair: int) -> float:
    """Return the seconds at which a pair of bins begins; the first begins at 0, which a logarithm cannot show."""
    return max(DurationHistogram.find_bin_edges(2 * pair)[0], DurationHistogram.find_bin_edges(0)[1] / 2)


def _space_ticks(ticks: list[Tick], spacing: float, width: int) -> Iterator[Tick]:
    last = -math.inf
    for tick in ticks:
        fits = spacing / 2 < tick.position + 6 and tick.position < width - spacing / 3
        if fits and tick.position - last >= spacing:
            last = tick.position
            yield tick


def _list_steps(plot: _Plot, timing: Timing, rates: dict[str, list[float]]) -> Iterator[Step]:
    for index in range(plot.count):
        yield Step(
            plot.x(index),
            round(plot.step_width, 2),
            _format_time(timing.began + index * timing.step),
            tuple((action, round(series[index], 1)) for action, series in rates.items()),
            timing.throttled[index],
            timing.lost[index],
            timing.silent[index],
        )


class _Plot:
    """A plane: x are steps of time, y values from 0 to ``most``."""

    def __init__(self, width: int, height: int, count: int, most: float, margin: int) -> None:
        self.count, self.most, self.margin = count, most or 1.0, margin
        self.bottom, self.right = height - BOTTOM, width - RIGHT
        self.step_width = (self.right - self.margin) / max(1, count)

    def x(self, step: float) -> float:
        return round(self.margin + step * self.step_width, 1)

    def y(self, value: float) -> float:
        return round(self.bottom - value / self.most * (self.bottom - TOP), 1)

    def draw_stairs(self, action: str, series: Sequence[float]) -> Line:
        """Return a line that is level within each step."""
        points = "".join(f"V{self.y(value)}H{self.x(index + 1)}" for index, value in enumerate(series))
        path = f"M{self.margin} {self.bottom}{points}V{self.bottom}"
        return Line(action, path, f"{path}Z")

    def draw_polyline(self, series: Sequence[float | None]) -> str:
        """Return a line through the middle of each step; steps without a value are passed over."""
        known = [(index, value) for index, value in enumerate(series) if value is not None]
        return "".join(
            f"{'L' if number else 'M'}{self.x(index + 0.5)} {self.y(value)}"
            for number, (index, value) in enumerate(known)
        )

    def list_time_ticks(self, timing: Timing) -> Iterator[Tick]:
        """Yield full minutes or seconds, as many as fit."""
        span = self.count * timing.step
        fit = max(1, (self.right - self.margin) // TICK_WIDTH)
        every = next((seconds for seconds in _TIMES if span / seconds <= fit), 43_200)
        moment = math.ceil(timing.began / every) * every
        while moment <= timing.began + span:
            text = _format_time(moment)
            yield Tick(self.x((moment - timing.began) / timing.step), text if every < 60 else text[:5])
            moment += every

    def list_value_ticks(self, format_value: Callable[[float], str]) -> Iterator[Tick]:
        """Yield round values, four or five of them."""
        rough = self.most / 4
        size = 10 ** math.floor(math.log10(rough))
        every = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
        value = 0.0
        while value <= self.most:
            yield Tick(self.y(value), format_value(value) if value else "0")
            value += every


def _format_time(moment: float) -> str:
    return stamp(moment)[11:19]
