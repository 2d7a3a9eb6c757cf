"""The report: a table for the terminal, and the generated part of docs/{en,zh}/performance.md."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from bench.charts import describe_figure, draw_charts
from bench.figures import BASELINES, GROUPS, Goal, Group, Text
from bench.measure import REPOSITORY
from bench.results import Line, Results, build_line

LANGUAGES = ("en", "zh")
IMAGES = REPOSITORY / "docs" / "img"
WORDS = {
    "head": Text("figure|ours|baseline|ratio|goal|", "数据|本程序|对照|比值|目标|"),
    "reached": Text("reached", "达到"),
    "missed": Text("**missed**", "**未达到**"),
    "open": Text("not judged", "不评判"),
    "none": Text("–", "–"),
    "not": Text("not measured", "没有测量"),
    "of": Text("{sign} {number} × baseline", "{sign} {number} × 对照"),
    "machine": Text(
        "Measured on {cpu}, {cores} cores, {memory_gib} GiB, {system}, Python {python}; {libraries}.",
        "测量环境：{cpu}，{cores} 核，{memory_gib} GiB 内存，{system}，Python {python}；{libraries}。",
    ),
    "groups": Text(
        "group|measured (UTC)|commit|took|load average before, at most", "组|测量时间（UTC）|提交|用时|之前和最高的平均负载"
    ),
    "minutes": Text("{minutes:.1f} min", "{minutes:.1f} 分钟"),
    "error": Text("Not measured: {error}", "没有测量：{error}"),
    "count": Text(
        "{reached} of {judged} goals are reached.", "{judged} 项目标中达到 {reached} 项。"
    ),
    "short": Text(
        "Measured in the short form: fewer rows and turns. Where that proves nothing, a goal is not judged.",
        "用简短方式测量：行数和次数较少。不足以说明问题的目标不作评判。",
    ),
    "semicolon": Text("; ", "；"),
    "missing": Text("Missed: {names}.", "未达到：{names}。"),
}  # fmt: skip
DIGITS = {"%": 1, "/s": 1, "ms": 2, "s": 2, "MB": 0, "µs": 0, "n": 2}


def say(key: str, language: str, **values: object) -> str:
    """Return a text of the page."""
    return getattr(WORDS[key], language).format(**values)


def format_value(value: float, unit: str) -> str:
    """Return a value with its unit."""
    digits = DIGITS[unit]
    if unit in {"s", "ms"}:
        digits = 1 if abs(value) >= 10 else 2 if abs(value) >= 1 else 3
    if unit == "n" and abs(value) >= 10:
        digits = 0
    number = f"{value:,.{digits}f}"
    if unit == "n":
        return number.rstrip("0").rstrip(".") if "." in number else number
    return f"{number} {unit}"


def format_goal(goal: Goal | None, unit: str, language: str) -> str:
    """Return what is to be reached."""
    if goal is None:
        return ""
    sign = {"<=": "≤", ">=": "≥"}[goal.relation]
    if goal.is_ratio:
        return say("of", language, sign=sign, number=f"{goal.number:g}")
    return f"{sign} {format_value(goal.number, unit)}" if goal.number else "0"


def format_cells(line: Line, language: str) -> list[str]:
    """Return one line of the table."""
    figure, unit = line.figure, line.figure.unit
    size = f"{line.size:,}" if line.size is not None else "…"
    what = getattr(figure.what, language).format(size=size)
    goal = format_goal(figure.goal, unit, language)
    if line.ours is None:
        return [what, say("not", language), "", "", goal, ""]
    baselines = "; ".join(
        f"{format_value(value, unit)} {getattr(BASELINES[name], language)}"
        for name, value in line.baselines.items()
    )
    ratio = f"{line.ratio:.2f} ×" if line.ratio is not None and unit not in {"n", "%"} else ""
    verdict = {True: "reached", False: "missed", None: "open" if figure.goal else "none"}[line.is_reached]
    return [what, format_value(line.ours, unit), baselines, ratio, goal, say(verdict, language)]


def build_lines(results: Results, group: Group) -> list[Line]:
    """Return the lines of a group."""
    measured = results.groups.get(group.name)
    return [build_line(figure, measured) for figure in group.figures]


def list_table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield a Markdown table; the first row is its head."""
    for index, row in enumerate(rows):
        yield "| " + " | ".join(row) + " |"
        if index == 0:
            yield "|" + "---|" * len(row)


def format_for_terminal(results: Results, groups: Sequence[Group]) -> str:
    """Return the report with its columns in line, and the load of each group."""
    head = say("head", "en").split("|")
    parts = []
    for group in groups:
        measured = results.groups[group.name]
        parts.append(
            f"\n{group.title.en} ({measured.seconds / 60:.1f} min, load average {measured.load_before:.1f} before, "
            f"at most {measured.load_most:.1f})"
        )
        if measured.error:
            parts.append(say("error", "en", error=measured.error))
        rows = [head, *(format_cells(line, "en") for line in build_lines(results, group))]
        rows = [[cell.replace("`", "").replace("**missed**", "MISSED") for cell in row] for row in rows]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        parts += [
            "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
    return "\n".join(parts)


def list_machine(results: Results, language: str) -> Iterator[str]:
    """Yield the notes on machine and measurement."""
    machine = results.machine
    libraries = ", ".join(f"{name} {number}" for name, number in machine["libraries"].items())
    yield say("machine", language, **{**machine, "libraries": libraries})
    yield ""
    rows = [say("groups", language).split("|")]
    for group in GROUPS:
        if measured := results.groups.get(group.name):
            loads = f"{measured.load_before:.1f}, {measured.load_most:.1f}"
            took = say("minutes", language, minutes=measured.seconds / 60)
            title = getattr(group.title, language)
            rows.append([title, measured.begun, measured.commit, took, loads])
    yield from list_table(rows)


def list_verdict(results: Results, language: str) -> Iterator[str]:
    """Yield how many goals are reached, and which are not."""
    lines = [line for group in GROUPS for line in build_lines(results, group) if line.is_reached is not None]
    reached = sum(bool(line.is_reached) for line in lines)
    yield say("count", language, reached=reached, judged=len(lines))
    if missed := [describe_figure(line, language) for line in lines if not line.is_reached]:
        yield say("missing", language, names=say("semicolon", language).join(missed))


def list_page(results: Results, language: str) -> Iterator[str]:
    """Yield the generated part of the page."""
    charts = draw_charts(results, language)
    if results.is_short:
        yield say("short", language)
        yield ""
    yield from list_verdict(results, language)
    yield ""
    yield from _list_image(charts, "goals", language)
    for group in GROUPS:
        yield f"### {getattr(group.title, language)}"
        yield ""
        yield from _list_image(charts, group.name, language)
        if (measured := results.groups.get(group.name)) and measured.error:
            yield say("error", language, error=measured.error)
            yield ""
        rows = [format_cells(line, language) for line in build_lines(results, group)]
        yield from list_table([say("head", language).split("|"), *rows])
        yield ""
    yield from list_machine(results, language)


def _list_image(charts: Mapping[str, tuple[str, str]], name: str, language: str) -> Iterator[str]:
    if name in charts:
        title, _ = charts[name]
        yield f"![{title}](../img/bench-{name}.{language}.svg)"
        yield ""


def get_page_path(language: str) -> Path:
    """Return the path of the page."""
    return REPOSITORY / "docs" / language / "performance.md"


def fill_page(text: str, results: Results, language: str) -> str:
    """Return the page with its generated part made anew."""
    part = "\n".join(list_page(results, language))
    filled, count = re.subn(
        r"(<!-- figures[^>]*-->\n).*?(<!-- end -->)",
        lambda m: f"{m[1]}\n{part}\n\n{m[2]}",
        text,
        flags=re.DOTALL,
    )
    assert count == 1, f"no place for the figures in performance.md ({language})"
    return filled


def list_files(results: Results) -> Iterator[tuple[Path, str]]:
    """Yield each generated file with its text."""
    for language in LANGUAGES:
        page = get_page_path(language)
        yield page, fill_page(page.read_text("utf-8"), results, language)
        for name, (_, drawing) in draw_charts(results, language).items():
            yield IMAGES / f"bench-{name}.{language}.svg", drawing


def write_pages(results: Results) -> None:
    """Write both pages and their pictures."""
    for path, text in list_files(results):
        path.write_text(text, "utf-8")
