"""Computes the charts of the report page: coordinates in pixels for the templates, no markup.

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
_MINUTE, _HOUR = 60, 3600
# seconds between ticks
_INTERVALS = (
    1,
    2,
    5,
    10,
    15,
    30,
    *(n * _MINUTE for n in (1, 2, 5, 10, 15, 30)),
    *(n * _HOUR for n in (1, 2, 4, 6)),
)


@dataclass(frozen=True, slots=True)
class Tick:
    """A position on an axis and its label."""

    position: float
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """The path of an action's line, and of the area below it."""

    action: str
    path: str
    area: str = ""


@dataclass(frozen=True, slots=True)
class TimeStep:
    """One step of time: where it lies, and the values shown when the pointer is over it."""

    x: float
    width: float
    time: str
    rates: Sequence[tuple[str, float]]  # action -> calls a second
    throttled: int
    lost: int
    silent: float


@dataclass(frozen=True, slots=True)
class HistogramBar:
    """A bar: how often something took about as long."""

    x: float
    y: float
    width: float
    height: float
    count: int


@dataclass(frozen=True, slots=True)
class Histogram:
    """How often something took how long, on a logarithmic axis."""

    width: int
    height: int
    margin: int
    bottom: int  # y of the axis
    right: int
    bars: Sequence[HistogramBar]
    x_ticks: Sequence[Tick]
    p95: float  # x


class TimeChart:
    """A chart over time: x are the steps of a run, y values from 0 to ``most``."""

    def __init__(
        self,
        timing: Timing,
        most: float,
        format_value: Callable[[float], str],
        *,
        width: int,
        height: int,
        margin: int,
    ) -> None:
        self.width, self.height, self.margin = width, height, margin
        self.bottom, self.right = height - BOTTOM, width - RIGHT
        self._timing, self._most = timing, most or 1.0
        self.step_width = (self.right - margin) / max(1, len(timing.throttled))
        self.x_ticks = list(self._list_time_ticks())
        self.y_ticks = list(self._list_value_ticks(format_value))
        self.lines: list[Series] = []
        self.steps: list[TimeStep] = []
        self.limit: float | None = None  # y of the limit's line; None if it lies above the chart

    def x(self, step: float) -> float:
        """Return where a step begins."""
        return round(self.margin + step * self.step_width, 1)

    def y(self, value: float) -> float:
        """Return the height of a value."""
        return round(self.bottom - value / self._most * (self.bottom - TOP), 1)

    def draw_stairs(self, action: str, values: Sequence[float]) -> Series:
        """Return a line that is level within each step."""
        points = "".join(f"V{self.y(value)}H{self.x(index + 1)}" for index, value in enumerate(values))
        path = f"M{self.margin} {self.bottom}{points}V{self.bottom}"
        return Series(action, path, f"{path}Z")

    def draw_polyline(self, action: str, values: Sequence[float | None]) -> Series:
        """Return a line through the middle of each step; steps without a value are passed over."""
        points = [
            f"{self.x(index + 0.5)} {self.y(value)}"
            for index, value in enumerate(values)
            if value is not None
        ]
        return Series(action, "M" + "L".join(points) if points else "")

    def _list_time_ticks(self) -> Iterator[Tick]:
        """Yield full minutes or seconds, as many as fit."""
        timing = self._timing
        span = len(timing.throttled) * timing.step
        fit = max(1, (self.right - self.margin) // TICK_WIDTH)
        every = next((seconds for seconds in _INTERVALS if span / seconds <= fit), 12 * _HOUR)
        moment = math.ceil(timing.began / every) * every
        while moment <= timing.began + span:
            text = _format_time(moment)
            position = self.x((moment - timing.began) / timing.step)
            yield Tick(position, text if every < _MINUTE else text[:5])
            moment += every

    def _list_value_ticks(self, format_value: Callable[[float], str]) -> Iterator[Tick]:
        """Yield round values, four or five of them."""
        rough = self._most / 4
        size = 10 ** math.floor(math.log10(rough))
        every = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * 0.999)
        value = 0.0
        while value <= self._most:
            yield Tick(self.y(value), format_value(value) if value else "0")
            value += every


def draw_pace(timing: Timing, actions: Sequence[str], limit: float, *, width: int, height: int) -> TimeChart:
    """Draw the calls a second of each action against the limit."""
    rates = {action: [calls / timing.step for calls in timing.calls[action]] for action in actions}
    busiest = max((rate for series in rates.values() for rate in series), default=0.0)
    draws_limit = limit <= FAR * busiest
    most = max(busiest, limit if draws_limit else 0.0) * 1.12
    chart = TimeChart(
        timing, most, lambda value: f"{value:g}", width=width, height=height, margin=COUNT_LABELS
    )
    chart.lines = [chart.draw_stairs(action, series) for action, series in rates.items()]
    chart.steps = [
        TimeStep(
            chart.x(index),
            round(chart.step_width, 2),
            _format_time(timing.began + index * timing.step),
            [(action, round(series[index], 1)) for action, series in rates.items()],
            timing.throttled[index],
            timing.lost[index],
            timing.silent[index],
        )
        for index in range(len(timing.throttled))
    ]
    chart.limit = chart.y(limit) if draws_limit else None
    return chart


def draw_latency(
    timing: Timing, actions: Sequence[str], format_seconds: Callable[[float], str], *, width: int, height: int
) -> TimeChart:
    """Draw the mean time to the answer of each action."""
    means = {action: timing.latency[action] for action in actions}
    slowest = max((value for series in means.values() for value in series if value is not None), default=0.0)
    chart = TimeChart(timing, slowest * 1.12, format_seconds, width=width, height=height, margin=TIME_LABELS)
    chart.lines = [chart.draw_polyline(action, series) for action, series in means.items()]
    return chart


def draw_histogram(
    durations: DurationHistogram, format_seconds: Callable[[float], str], *, width: int, height: int
) -> Histogram:
    """Draw how often something took how long; the axis spans at least a factor of four."""
    counts: dict[int, int] = {}  # of two neighbouring bins each
    for index, count in enumerate(durations.bins, start=durations.first):
        counts[index // 2] = counts.get(index // 2, 0) + count
    first, last = min(counts), max(counts)
    while last - first < 6:
        first, last = first - 1, last + 1
    low, high = (math.log10(edge) for edge in (_compute_edges(max(0, first))[0], _compute_edges(last)[1]))
    bottom, right = height - BOTTOM, width - RIGHT

    def x(seconds: float) -> float:
        share = (math.log10(max(seconds, 1e-4)) - low) / (high - low)
        return round(RIGHT + min(1.0, max(0.0, share)) * (right - RIGHT), 1)

    bars = []
    for index, count in counts.items():
        if count:
            begin, end = map(x, _compute_edges(index))
            bar_height = max(1.5, count / max(counts.values()) * (bottom - TOP))
            top, bar_width = round(bottom - bar_height, 1), round(end - begin - 1.5, 1)
            bars.append(HistogramBar(begin + 0.75, top, bar_width, round(bar_height, 1), count))
    ticks = [
        Tick(x(value), format_seconds(value))
        for power in range(-4, 4)
        for value in (10**power, 2 * 10**power, 5 * 10**power)
        if 10**low * 0.99 <= value <= 10**high * 1.01
    ]
    x_ticks = list(_space_ticks(ticks, 58, width))
    return Histogram(width, height, RIGHT, bottom, right, bars, x_ticks, x(durations.p95))


def _compute_edges(pair: int) -> tuple[float, float]:
    """Return the seconds between which a pair of bins lies; the first begins at 0, which a logarithm cannot show."""
    compute_edges = DurationHistogram.compute_bin_edges
    return max(compute_edges(2 * pair)[0], compute_edges(0)[1] / 2), compute_edges(2 * pair + 1)[1]


def _space_ticks(ticks: Sequence[Tick], spacing: float, width: int) -> Iterator[Tick]:
    last = -math.inf
    for tick in ticks:
        fits = spacing / 2 < tick.position + 6 and tick.position < width - spacing / 3
        if fits and tick.position - last >= spacing:
            last = tick.position
            yield tick


def _format_time(moment: float) -> str:
    return stamp(moment)[11:19]
