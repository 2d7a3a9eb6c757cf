"""Every figure that ``make bench`` measures: its name, its goal, and the group that measures it with its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, NamedTuple


class Text(NamedTuple):
    """A text of the page in both languages."""

    en: str
    zh: str


@dataclass(frozen=True)
class Goal:
    """What a figure must reach: the value itself, or its ratio to the first baseline."""

    relation: Literal["<=", ">="]
    number: float
    is_ratio: bool = False

    def is_reached(self, value: float) -> bool:
        return value <= self.number if self.relation == "<=" else value >= self.number


@dataclass(frozen=True)
class Figure:
    """One line of the report; ``{size}`` in its text is the size that was measured."""

    name: str
    what: Text
    unit: str
    goal: Goal | None = None
    combine: Literal["median", "mean", "max"] = "median"  # of the turns


@dataclass(frozen=True)
class Group:
    """Figures that are measured together, by ``measure(short)`` of a module in this folder."""

    name: str
    module: str
    title: Text
    minutes: tuple[float, float]  # in full and in the short form, on two cores
    figures: Sequence[Figure]


BASELINES = {
    "bucket": Text("AsyncLimiter(20, 1)", "AsyncLimiter(20, 1)"),
    "fixed": Text("50 ms fixed", "固定 50 毫秒"),
    "rate": Text("rows ÷ limit", "行数 ÷ 频率上限"),
    "sdk": Text("official SDK, 20 threads", "官方 SDK，20 个线程"),
    "script": Text("SDK script with a CSV", "用 SDK 和 CSV 的脚本"),
    "bare": Text("bare calamine + XlsxWriter", "只用 calamine 和 XlsxWriter"),
    "python": Text("Python alone", "只启动 Python"),
    "libraries": Text("bare calamine + Pillow + XlsxWriter", "只用 calamine、Pillow、XlsxWriter"),
    "sqlite": Text("one query with sqlite3", "用 sqlite3 查询一次"),
    "json": Text("one journal parsed", "解析一份日志"),
    "static": Text("the same bytes, by aiohttp alone", "只用 aiohttp 发送同样的内容"),
    "alone": Text("the run alone", "单独运行"),
    "tenth": Text("the same from 1,000 to 10,000 rows", "1,000 到 10,000 行之间的同一项"),
}


def _list_pace() -> list[Figure]:
    kinds = {
        "rolling": Text("rolling second", "滚动一秒"),
        "calendar": Text("calendar second", "自然秒"),
    }
    ways = {
        "socket": Text("real sockets", "真实连接"),
        "simulated": Text("simulated, {size} seeds", "模拟，{size} 组随机数"),
    }
    goals = {30: (95, 0), 60: (90, 3)}  # by the jitter in milliseconds: share and throttles
    figures = []
    for (way, how), jitter, kind in product(ways.items(), goals, kinds):
        name = f"{way}.{kind}{jitter}"
        share, throttles = goals[jitter]
        en = f"{kinds[kind].en}, {jitter} ms jitter, {how.en}"
        zh = f"{kinds[kind].zh}，抖动 {jitter} 毫秒，{how.zh}"
        figures += [
            Figure(
                f"pace.{name}.share",
                Text(f"share of the limit: {en}", f"用到频率上限的比例：{zh}"),
                "%",
                Goal(">=", share),
            ),
            Figure(
                f"pace.{name}.throttles",
                Text("… throttles per 1,000 calls", "……每 1,000 次调用被限流的次数"),
                "n",
                Goal("<=", throttles),
                "mean",
            ),
        ]
    most = Text("most calls of ours in any rolling second", "任意滚动一秒内我们最多发出的调用")
    return [*figures, Figure("pace.most", most, "n", Goal("<=", 20), "max")]


GROUPS = (
    Group(
        "pace",
        "bench.pace",
        Text("Pace under the limit of 20 calls a second", "每秒 20 次上限之下的节奏"),
        (8, 1.5),
        _list_pace(),
    ),
    Group(
        "run",
        "bench.full_run",
        Text("A whole run under the limit, 60 KB pictures", "上限之下的一次完整运行，60 KB 图片"),
        (11, 0.8),
        [
            Figure(
                "run.wall",
                Text("{size} rows: process start to closed workbook", "{size} 行：从进程启动到结果表写完"),
                "s",
                Goal("<=", 1.06, is_ratio=True),
            ),
            Figure("run.first", Text("… first call after", "……第一次调用之前"), "s", Goal("<=", 8)),
            Figure(
                "run.memory",
                Text("… most memory while sending", "……提交期间的最大内存"),
                "MB",
                Goal("<=", 150),
            ),
            Figure("run.cpu", Text("… CPU, start to end", "……CPU，从头到尾"), "s"),
        ],
    ),
    Group(
        "unlimited",
        "bench.unlimited",
        Text("The limit lifted to 200 a second, 300 KB pictures", "频率上限放宽到每秒 200 次，300 KB 图片"),
        (5, 0.5),
        [
            Figure(
                "unlimited.rows",
                Text("every check on: rows a second", "做全部检查：每秒行数"),
                "/s",
                Goal(">=", 120),
            ),
            Figure("unlimited.memory", Text("… memory", "……内存"), "MB", Goal("<=", 250), "max"),
            Figure("unlimited.cpu", Text("… CPU a row", "……每行 CPU"), "ms"),
        ],
    ),
    Group(
        "unchanged",
        "bench.unchanged",
        Text("A run without changes", "没有变化的一次运行"),
        (8, 0.7),
        [
            Figure(
                "unchanged.wall",
                Text("{size} rows: wall time", "{size} 行：耗时"),
                "s",
                Goal("<=", 5, is_ratio=True),
            ),
            Figure(
                "unchanged.cpu",
                Text("{size} rows: CPU", "{size} 行：CPU"),
                "s",
                Goal("<=", 5, is_ratio=True),
            ),
            Figure("unchanged.calls", Text("… calls", "……调用次数"), "n", Goal("<=", 0), "max"),
            Figure("unchanged.opened", Text("… pictures opened", "……打开的图片"), "n", Goal("<=", 0), "max"),
            Figure("growth.1000", Text("1,000 rows: CPU", "1,000 行：CPU"), "s"),
            Figure("growth.50000", Text("50,000 rows: CPU", "50,000 行：CPU"), "s"),
            Figure(
                "unchanged.memory", Text("{size} rows: memory", "{size} 行：内存"), "MB", Goal("<=", 500), "max"
            ),
            Figure(
                "growth.row",
                Text("CPU of one more row, 10,000 to 50,000 rows", "10,000 到 50,000 行之间每多一行的 CPU"),
                "µs",
                Goal("<=", 1.15, is_ratio=True),
            ),
        ],
    ),
    Group(
        "start",
        "bench.start",
        Text("Start-up", "启动"),
        (0.5, 0.3),
        [
            Figure("start.help", Text("`--help`: CPU", "`--help`：CPU"), "s", Goal("<=", 0.15)),
            Figure(
                "start.check",
                Text("`check` of {size} rows: CPU", "`check` {size} 行：CPU"),
                "s",
                Goal("<=", 1.2),
            ),
            Figure("start.status", Text("`status`: CPU", "`status`：CPU"), "s", Goal("<=", 0.35)),
        ],
    ),
    Group(
        "opening",
        "bench.opening",
        Text("The ledger is opened", "打开台账"),
        (1, 0.2),
        [
            Figure(
                "opening.intact",
                Text("{size} doctors, both journals intact", "{size} 位医生，两份日志完好"),
                "s",
                Goal("<=", 0.1),
            ),
            Figure(
                "opening.deleted",
                Text("… the ledger deleted: made again from its journals", "……台账被删除：由日志重建"),
                "s",
                Goal("<=", 10),
            ),
        ],
    ),
    Group(
        "kills",
        "bench.kills",
        Text("Killed at every point, then run again", "在每一处被杀掉，然后再运行"),
        (2, 0.3),
        [
            Figure(
                "kills.duplicates",
                Text("kill -9, {size} positions: seals made twice, per 100 kills", "kill -9，{size} 处：每 100 次重复创建的印章"),
                "n",
                Goal("<=", 0),
            ),
            Figure(
                "kills.lost",
                Text("… seals made that no result shows, per 100 kills", "……每 100 次已创建而结果里没有的印章"),
                "n",
                Goal("<=", 0),
            ),
            Figure(
                "kills.changes",
                Text("… calls of a second rerun", "……第二次重跑的调用次数"),
                "n",
                Goal("<=", 0),
                "max",
            ),
        ],
    ),
    Group(
        "page",
        "bench.page",
        Text("The page in the browser", "浏览器里的页面"),
        (6, 1.5),
        [
            Figure("page.home", Text("home of {size} doctors", "{size} 位医生的首页"), "ms", Goal("<=", 200)),
            Figure("page.table", Text("table of rows: first page", "行的列表：第一页"), "ms", Goal("<=", 300)),
            Figure("page.filter", Text("… a filter", "……筛选"), "ms", Goal("<=", 150)),
            Figure("page.judge", Text("… a cell judged while one types", "……输入时检查单元格"), "ms", Goal("<=", 100)),
            Figure("page.card", Text("… a card of the review with its picture", "……一张核对卡片和图片"), "ms", Goal("<=", 100)),
            Figure("page.memory", Text("memory", "内存"), "MB", Goal("<=", 200)),
            Figure(
                "page.share",
                Text("share of the limit of a run, next to 20 browsers and a drop", "20 个浏览器和一次放入旁边的运行：用到频率上限的比例"),
                "%",
                Goal(">=", 0.98, is_ratio=True),
            ),
        ],
    ),
    Group(
        "tests",
        "bench.suite",
        Text("The tests", "测试"),
        (6, 0),
        [
            Figure("tests.wall", Text("`make test`", "`make test`"), "s", Goal("<=", 240)),
            Figure("tests.quick", Text("`make quick`", "`make quick`"), "s", Goal("<=", 60)),
        ],
    ),
)  # fmt: skip


def list_figures() -> list[Figure]:
    """Return every figure, in the order of the page."""
    return [figure for group in GROUPS for figure in group.figures]
