"""The pictures of the page: bars and lines as SVG, on a white card so that they are readable on any background."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import NamedTuple
from unicodedata import east_asian_width

from bench.figures import BASELINES, GROUPS, Text, list_figures
from bench.results import Line, Results, build_line

WIDTH, MARGIN, LABELS, BAR, GAP = 800, 20, 330, 14, 8
PLOT = WIDTH - LABELS - MARGIN - 70  # the values stand at its right
FONT = "system-ui, 'Segoe UI', 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
OURS, OPEN, MISSED, GOAL, INK, PALE = "#2563c9", "#9dbcf0", "#d9650d", "#111827", "#1f2937", "#6b7280"
COLOURS = {True: OURS, False: MISSED, None: OPEN}  # by whether the goal is reached; None: not judged
MOST_USED = 2.5  # of a goal: a longer bar is cut
OTHERS = ("#9ca3af", "#c9ced6")
# figures of the first picture: what a reader asks for first
HEADLINES = (
    *("pace.socket.rolling30.share", "pace.socket.rolling60.share", "pace.socket.calendar30.share"),
    *("run.wall", "run.first", "run.memory"),
    *("unlimited.rows", "unlimited.memory"),
    *(
        "unchanged.cpu",
        "unchanged.memory",
        "start.help",
        "start.check",
        "start.status",
        "tests.wall",
        "tests.quick",
    ),
)
WORDS = {
    "goals": Text("How much of its goal each figure uses", "每项数据用掉了目标的多少"),
    "goals.note": Text(
        "The line is the goal: a bar that does not cross it reaches it.", "竖线是目标：不越过竖线即达到。"
    ),
    "pace": Text("Share of the limit of 20 calls a second, real sockets", "每秒 20 次上限用到的比例，真实连接"),
    "unchanged": Text("CPU of a run without changes, seconds by rows", "没有变化的一次运行的 CPU：秒数与行数"),
    "ours": Text("esign-import", "esign-import"),
    "goal": Text("goal", "目标"),
    "reached": Text("reached", "达到"),
    "missed": Text("missed", "未达到"),
    "open": Text("not judged", "不评判"),
    "rows": Text("{size} rows", "{size} 行"),
}  # fmt: skip


class Bar(NamedTuple):
    """One bar of a group."""

    value: float
    shown: str
    colour: str


class BarGroup(NamedTuple):
    """Bars that share a label, and the value to reach."""

    label: str
    bars: Sequence[Bar]
    goal: float | None


def draw_charts(results: Results, language: str) -> Mapping[str, tuple[str, str]]:
    """Return title and SVG of each picture for which there are figures."""
    lines = {
        figure.name: build_line(figure, results.groups.get(group.name))
        for group in GROUPS
        for figure in group.figures
    }
    drawn = {
        "goals": _draw_goals(lines, language),
        "pace": _draw_pace(lines, language),
        "unchanged": _draw_growth(lines, language),
    }
    return {name: (_say(name, language), drawing) for name, drawing in drawn.items() if drawing is not None}


def _say(key: str, language: str) -> str:
    return str(getattr(WORDS[key], language))


def describe_figure(line: Line, language: str) -> str:
    """Return the label of a figure; those that continue the line above get the text of that line's start."""
    names = [figure.name for figure in list_figures()]
    figure, index = line.figure, names.index(line.figure.name)
    what = getattr(figure.what, language)
    if what.startswith("…"):
        first = next(
            before for before in reversed(list_figures()[:index]) if not before.what.en.startswith("…")
        )
        start = getattr(first.what, language)
        colon = ":" if language == "en" else "："
        what = start.rpartition(colon)[0] + f"{colon}{' ' if language == 'en' else ''}" + what.lstrip("… ")
    size = f"{line.size:,}" if line.size is not None else ""
    return what.format(size=size).replace("`", "")


def _list_colours(groups: Sequence[BarGroup], language: str) -> list[tuple[str, str]]:
    """Return the legend of bars that are coloured by whether the goal is reached."""
    shown = {bar.colour for group in groups for bar in group.bars}
    names = {OURS: "reached", MISSED: "missed", OPEN: "open"}
    legend = [(colour, _say(name, language)) for colour, name in names.items() if colour in shown]
    return [*legend, (GOAL, _say("goal", language))]


def _draw_goals(lines: Mapping[str, Line], language: str) -> str | None:
    groups = []
    for group in GROUPS:
        bars = []
        for name in (figure.name for figure in group.figures if figure.name in HEADLINES):
            line = lines[name]
            goal, value = line.figure.goal, line.judged
            if goal is None or not value:
                continue
            used = value / goal.number if goal.relation == "<=" else goal.number / value
            shown = f"{used:.0%}" if used <= MOST_USED else f"… {used:.0%}"
            bar = Bar(min(used, MOST_USED), shown, COLOURS[line.is_reached])
            bars.append(BarGroup(describe_figure(line, language), [bar], None))
        if bars:
            groups += [BarGroup(getattr(group.title, language), [], None), *bars]
    if not groups:
        return None
    legend = _list_colours(groups, language)
    return _draw_bars(_say("goals", language), groups, legend, note=_say("goals.note", language), line_at=1.0)


def _draw_pace(lines: Mapping[str, Line], language: str) -> str | None:
    groups = []
    for name in ("rolling30", "rolling60", "calendar30", "calendar60"):
        line = lines[f"pace.socket.{name}.share"]
        if line.ours is None:
            continue
        bars = [Bar(line.ours, f"{line.ours:.1f} %", OURS)]
        bars += [
            Bar(value, f"{value:.1f} %", colour)
            for value, colour in zip(line.baselines.values(), OTHERS, strict=False)
        ]
        label = describe_figure(line, language).partition(":" if language == "en" else "：")[2]
        assert line.figure.goal
        groups.append(BarGroup(label.strip(), bars, line.figure.goal.number))
    if not groups:
        return None
    legend = [(OURS, _say("ours", language))]
    names = lines["pace.socket.rolling30.share"].baselines
    legend += [
        (colour, getattr(BASELINES[name], language)) for name, colour in zip(names, OTHERS, strict=False)
    ]
    return _draw_bars(_say("pace", language), groups, [*legend, (GOAL, _say("goal", language))])


def _draw_growth(lines: Mapping[str, Line], language: str) -> str | None:
    """Draw seconds by rows, both on logarithmic scales: linear growth is a straight line of slope one."""
    points = [
        (float(line.size), line.ours, line.baselines["bare"])
        for name in ("growth.1000", "unchanged.cpu", "growth.50000")
        if (line := lines[name]).ours and line.size and line.baselines.get("bare")
    ]
    if len(points) < 2:
        return None
    values = [value for _, *pair in points for value in pair]
    low, high = math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)))
    first, last = math.log10(points[0][0]), math.log10(points[-1][0])
    edge, top, width, height = 70, 86, WIDTH - 70 - 130, 240

    def compute_x(size: float) -> float:
        return edge + (math.log10(size) - first) / (last - first) * width

    def compute_y(value: float) -> float:
        return top + height - (math.log10(value) - low) / (high - low) * height

    parts = []
    for power in range(low, high + 1):
        y = compute_y(10**power)
        parts.append(f'<line x1="{edge}" y1="{y:.1f}" x2="{edge + width}" y2="{y:.1f}" stroke="#e5e7eb"/>')
        parts.append(_write(edge - 8, y + 4, f"{10.0**power:g} s", anchor="end", colour=PALE))
    for size, *_ in points:
        label = _say("rows", language).format(size=f"{size:,.0f}")
        parts.append(_write(compute_x(size), top + height + 20, label, anchor="middle", colour=PALE))
    for index, colour, shift in ((1, OURS, -10), (2, "#6b7280", 20)):
        path = " ".join(f"{compute_x(point[0]):.1f},{compute_y(point[index]):.1f}" for point in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
        for point in points:
            x, y = compute_x(point[0]), compute_y(point[index])
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')
            parts.append(_write(x + 8, y + shift, f"{point[index]:.2f} s", colour=colour))
    legend = [(OURS, _say("ours", language)), ("#6b7280", getattr(BASELINES["bare"], language))]
    return _wrap(_say("unchanged", language), legend, "", parts, top + height + 44)


def _draw_bars(
    title: str,
    groups: Sequence[BarGroup],
    legend: Sequence[tuple[str, str]],
    *,
    note: str = "",
    line_at: float | None = None,
) -> str:
    most = max(
        [bar.value for group in groups for bar in group.bars]
        + [group.goal or 0.0 for group in groups]
        + [line_at or 0.0]
    )
    shapes, parts, y = [], [], 106.0 if note else 86.0
    top = y
    for label, bars, goal in groups:
        if not bars:  # the title of those below
            parts.append(_write(MARGIN, y + 14, label, weight="bold"))
            y += BAR + GAP
            continue
        height = len(bars) * (BAR + 2)
        parts.append(_write(LABELS, y + height / 2 + 4, label, anchor="end", most=LABELS - MARGIN))
        for index, bar in enumerate(bars):
            bar_y, length = y + index * (BAR + 2), max(1.0, bar.value / most * PLOT)
            shapes.append(_draw_box(LABELS + 10, bar_y, length, BAR, bar.colour))
            parts.append(_write(LABELS + 16 + length, bar_y + 11, bar.shown, colour=PALE))
        if goal is not None:
            shapes.append(_draw_mark(LABELS + 10 + goal / most * PLOT, y - 2, y + height))
        y += height + GAP
    if line_at is not None:
        shapes.append(_draw_mark(LABELS + 10 + line_at / most * PLOT, top - 4, y - GAP + 2))
    return _wrap(title, legend, note, [*shapes, *parts], y + MARGIN - GAP)


def _draw_box(x: float, y: float, width: float, height: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height}" rx="2" fill="{colour}"/>'


def _draw_mark(x: float, top: float, bottom: float) -> str:
    return (
        f'<line x1="{x:.1f}" y1="{top:.1f}" x2="{x:.1f}" y2="{bottom:.1f}" stroke="{GOAL}" stroke-width="2"/>'
    )


def measure_text(text: str) -> float:
    """Return about how many pixels a text of 12 pixels takes."""
    return sum(12.0 if east_asian_width(letter) in "WF" else 6.4 for letter in text)


def _write(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    colour: str = INK,
    weight: str = "",
    most: float | None = None,
) -> str:
    more = ' paint-order="stroke" stroke="#ffffff" stroke-width="3"'  # readable across a line
    more += f' font-weight="{weight}"' if weight else ""
    if most is not None and measure_text(text) > most:
        more += f' textLength="{most:.0f}" lengthAdjust="spacingAndGlyphs"'
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"{more}>{escape(text)}</text>'


def _list_legend(legend: Sequence[tuple[str, str]], y: float) -> Iterator[str]:
    x = float(MARGIN)
    for colour, text in legend:
        if colour == GOAL:
            yield _draw_mark(x + 6, y - 11, y + 2)
        else:
            yield _draw_box(x, y - 10, 12, 12, colour)
        yield _write(x + 18, y, text)
        x += 18 + measure_text(text) + 22


def _wrap(
    title: str, legend: Sequence[tuple[str, str]], note: str, parts: Sequence[str], height: float
) -> str:
    lines = [
        '<svg xmlns="http://www.w3.org/2000/svg" role="img" font-size="12"',
        f'  font-family="{FONT}"',
        f'  width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}">',
        f"<title>{escape(title)}</title>",
        f'<rect x="0.5" y="0.5" width="{WIDTH - 1}" height="{height - 1:.0f}" rx="8" fill="#ffffff" stroke="#d1d5db"/>',
        _write(MARGIN, 32, title, weight="bold").replace("<text ", '<text font-size="15" ', 1),
        *_list_legend(legend, 58),
        *([_write(MARGIN, 84, note, colour=PALE)] if note else []),
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"
