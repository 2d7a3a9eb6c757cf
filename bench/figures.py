"""Every figure that ``make bench`` measures: its name, its goal, and the group that measures it with its baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
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
    "program": Text("the same with bare libraries", "只用底层库做同样的事"),
    "script": Text("SDK script with a CSV", "用 SDK 和 CSV 的脚本"),
    "bare": Text("bare calamine + XlsxWriter", "只用 calamine 和 XlsxWriter"),
    "pillow": Text("Pillow decoding it whole", "Pillow 完整解码"),
    "small": Text("the same with 60 KB pictures", "同样行数、60 KB 图片"),
    "python": Text("Python alone", "只启动 Python"),
    "libraries": Text("bare calamine + Pillow + XlsxWriter", "只用 calamine、Pillow、XlsxWriter"),
    "sqlite": Text("one query with sqlite3", "用 sqlite3 查询一次"),
    "tenth": Text("the same from 1,000 to 10,000 rows", "1,000 到 10,000 行之间的同一项"),
}


def _list_pace() -> list[Figure]:
    kinds = {
        "rolling": Text("rolling second", "滚动一秒"),
        "calendar": Text("calendar second", "自然秒"),
    }
    weathers = (
        ("socket.rolling30", "rolling", 30, 96.5, 1, Text("real sockets", "真实连接")),
        ("socket.rolling5", "rolling", 5, 97.5, 2, Text("real sockets", "真实连接")),
        ("socket.calendar30", "calendar", 30, 97.0, 1, Text("real sockets", "真实连接")),
        (
            "simulated.rolling30",
            "rolling",
            30,
            96.5,
            1,
            Text("simulated, {size} seeds", "模拟，{size} 组随机数"),
        ),
        (
            "simulated.rolling5",
            "rolling",
            5,
            97.5,
            2,
            Text("simulated, {size} seeds", "模拟，{size} 组随机数"),
        ),
        (
            "simulated.calendar30",
            "calendar",
            30,
            97.0,
            1,
            Text("simulated, {size} seeds", "模拟，{size} 组随机数"),
        ),
        (
            *("simulated.learned5", "rolling", 5, 99.0, 2),
            Text("simulated, {size} seeds, after 10 minutes", "模拟，{size} 组随机数，10 分钟之后"),
        ),
    )
    figures = []
    for name, kind, jitter, share, throttles, how in weathers:
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


def _list_unlimited() -> list[Figure]:
    figures = []
    for contract in ("file_id", "inline"):
        figures += [
            Figure(
                f"unlimited.{contract}.checked.rows",
                Text(f"`{contract}`, every check on: rows a second", f"`{contract}`，做全部检查：每秒行数"),
                "/s",
                Goal(">=", 1.0, is_ratio=True),
            ),
            Figure(
                f"unlimited.{contract}.checked.cpu",
                Text("… CPU a row", "……每行 CPU"),
                "ms",
                Goal("<=", 1.0, is_ratio=True),
            ),
        ]
    return figures


def _list_parts() -> list[Figure]:
    parts = (
        (
            "read",
            "read the file, SHA-256 of its bytes; once when it is checked, once when it is sent",
            "读取文件并计算 SHA-256；检查时一次，提交时一次",
        ),
        ("decode", "decode the picture", "解码图片"),
        ("pixels", "SHA-256 of its pixels", "计算像素的 SHA-256"),
        ("reduce", "reduce it, look for ink", "缩小并查看是否有墨迹"),
        ("copy", "small copy for review and workbook, kept in a file", "供复核和结果表使用的小图，存为文件"),
        ("body", "base64, SHA-256 of the body", "base64，请求正文的 SHA-256"),
        ("upload", "the call with the picture, by aiohttp", "带图片的调用（aiohttp）"),
        ("create", "the call without it, on a connection of its own", "不带图片的调用，单独的连接"),
        ("ledger", "two durable entries, 20 rows a commit", "台账里两条落盘的记录，20 行一次提交"),
        ("line", "line of the workbook with its thumbnail", "结果表里的一行和缩略图"),
        ("marked", "line of the roster's copy, by openpyxl", "名单副本里的一行（openpyxl）"),
    )
    photo = ("a photo of 12 megapixels", "一张 1200 万像素照片")
    photos = (
        ("photo.decode", f"{photo[0]}: decode it", f"{photo[1]}：解码"),
        ("photo.pixels", f"{photo[0]}: SHA-256 of its pixels", f"{photo[1]}：计算像素的 SHA-256"),
        ("photo", f"{photo[0]}: sum of what checks it", f"{photo[1]}：检查它的合计"),
    )
    return [Figure(f"parts.{name}", Text(en, zh), "ms") for name, en, zh in (*parts, *photos)]


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
                Goal("<=", 1.05, is_ratio=True),
            ),
            Figure("run.first", Text("… first call after", "……第一次调用之前"), "s", Goal("<=", 5)),
            Figure(
                "run.memory",
                Text("… most memory while sending", "……提交期间的最大内存"),
                "MB",
                Goal("<=", 120),
            ),
            Figure("run.cpu", Text("… CPU, start to end", "……CPU，从头到尾"), "s"),
        ],
    ),
    Group(
        "large",
        "bench.large_pictures",
        Text("Large pictures at 20 a second", "大图片，每秒 20 次"),
        (4, 0.5),
        [
            Figure(
                "large.memory",
                Text("2 MB pictures, {size} rows: memory", "2 MB 图片，{size} 行：内存"),
                "MB",
                Goal("<=", 250),
                "max",
            ),
            Figure(
                "large.photo.cpu",
                Text("photo of 12 megapixels: CPU to prepare it", "1200 万像素照片：准备一张的 CPU"),
                "ms",
                Goal("<=", 60),
            ),
            Figure(
                "large.photo.rate",
                Text("{size} such photos: creates a second", "{size} 张这样的照片：每秒创建数"),
                "/s",
                Goal(">=", 0.99, is_ratio=True),
            ),
        ],
    ),
    Group(
        "unlimited",
        "bench.unlimited",
        Text("The limit lifted, 300 KB pictures", "不限频率，300 KB 图片"),
        (7, 0.7),
        _list_unlimited(),
    ),
    Group(
        "parts",
        "bench.parts",
        Text("The parts of a row alone: CPU", "一行的各部分单独的 CPU"),
        (2, 0.2),
        _list_parts(),
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
                Goal("<=", 1.0),
            ),
            Figure("start.status", Text("`status`: CPU", "`status`：CPU"), "s", Goal("<=", 0.3)),
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
        "tests",
        "bench.suite",
        Text("The tests", "测试"),
        (5, 0),
        [Figure("tests.wall", Text("`make test`", "`make test`"), "s", Goal("<=", 300))],
    ),
)  # fmt: skip


def list_figures() -> list[Figure]:
    """Return every figure, in the order of the page."""
    return [figure for group in GROUPS for figure in group.figures]
