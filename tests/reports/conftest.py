"""A run of some sixty invented doctors with every status, made from the shared values alone."""

from __future__ import annotations

import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from people import complete_number

from pipeline.domain.roster import (
    CardType,
    Cell,
    CellKind,
    Change,
    Doctor,
    Field,
    FileReport,
    ImageFile,
    ImagePreview,
    Origin,
    Problem,
    Row,
    SheetReport,
    SkippedLine,
)
from pipeline.domain.run import RowOutcome, RowPlan, RunReport, Status, Traffic
from pipeline.domain.seals import Attempt, Person, SealContent
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import build_problem
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import record_outcome
from pipeline.reports.unused_pictures import PreviewLoader
from pipeline.reports.write import ResultsWriter, write_workbook
from pipeline.support.atomic_files import Replace

NAMES = (  # noqa: SIM905  a list of sixty quoted names is unreadable
    "赵明远 钱秀兰 孙立新 李若彤 周建国 吴晓燕 郑国栋 王雅琴 冯子墨 陈思源 褚文静 卫东升 蒋梦洁 沈家豪 韩雪梅 杨振华 "
    "朱婉清 秦海涛 尤丽娟 许志强 何静怡 吕俊杰 施慧敏 张伟 孔令辉 曹雨桐 严正阳 华玉珍 金鑫鑫 魏淑芬 陶然 姜大鹏 "
    "戚晓东 谢婷婷 邹文博 喻小红 柏松涛 水清扬 窦建平 章佳怡 云飞扬 苏晓曼 潘玉洁 葛长青 奚梦瑶 范志刚 彭丽丽 郎俊峰 "
    "鲁海燕 韦春生 昌盛 马丽娜 苗青青 凤仪 花小蕾 方中信 俞敏之 任天行 袁春华 柳如烟"
).split()
DEPARTMENTS = ("内科", "外科", "儿科", "急诊科", "口腔科", "中医科")
COLUMNS = (
    ("A", "序号", None),
    ("B", "姓名", Field.NAME),
    ("C", "证件类型", Field.ID_TYPE),
    ("D", "身份证号码", Field.NUMBER),
    ("E", "手机号", Field.MOBILE),
    ("F", "工号", Field.STAFF_NO),
    ("G", "科室", Field.DEPARTMENT),
    ("H", "职称", None),
)
STARTED = 1_795_543_200.0


def number_of(position: int) -> str:
    """An invented, checksum-valid identity number."""
    body = f"440399{1962 + position % 38}{position % 12 + 1:02}{position % 28 + 1:02}{position * 7 % 1000:03}"
    return complete_number(body)


def doctor_of(
    position: int,
    *,
    name: str | None = None,
    texts: dict[str, str] | None = None,
    kinds: dict[str, CellKind] | None = None,
    columns: Sequence[tuple[str, str, Field | None]] = COLUMNS,
    path: Path = Path("inbox/2026年医师名单.xlsx"),
    sheet: str | None = "医师",
    row: int | None = None,
    picture: str | None = "",
    problems: tuple[Problem, ...] = (),
    changes: tuple[Change, ...] = (),
    usable: bool = True,
) -> Doctor:
    """A row as a roster holds it; ``texts`` replaces cells by column letter, ``picture`` None leaves it out."""
    used = name or NAMES[position % len(NAMES)]
    number = number_of(position)
    mobile = f"138{10_000_000 + position * 7919:08}"
    standard = {
        "A": str(position + 1),
        "B": used,
        "C": "居民身份证",
        "D": number,
        "E": mobile,
        "F": f"{1001 + position}",
        "G": DEPARTMENTS[position * position % len(DEPARTMENTS)],
        "H": ("主任医师", "副主任医师", "主治医师", "住院医师")[position % 4],
    } | (texts or {})
    cells = tuple(
        Cell(
            letter,
            header,
            standard.get(letter, ""),
            (kinds or {}).get(letter, CellKind.TEXT if standard.get(letter) else CellKind.EMPTY),
            standard.get(letter, ""),
        )
        for letter, header, _ in columns
    )
    fields = {name: cell for (_, _, name), cell in zip(columns, cells, strict=True) if name}
    origin = Origin(path, sheet, row or position + 3)
    file = picture or f"{standard['F']}{used}.png"
    return Doctor(
        row=Row(origin, cells, fields),
        row_id=hashlib.sha256(f"row {path} {sheet} {origin.row}".encode()).hexdigest()[:32],
        key=hashlib.sha256(number.encode()).hexdigest()[:32] if usable else None,
        name=used,
        number=number if usable else None,
        id_type=CardType.ID_CARD,
        mobile=mobile,
        staff_no=standard["F"],
        department=standard["G"] or None,
        seal_name=None,
        scene_key=None,
        enable_auto_sign=None,
        license_type=None,
        picture=None
        if picture is None
        else ImageFile.from_path(Path("seals") / file, f"{position:064x}", 60_000 + position),
        evidence=None if picture is None else "staff_no",
        problems=problems,
        changes=changes,
    )


def outcome_of(doctor: Doctor, status: Status, **known: object) -> RowOutcome:
    history = known.pop("history", None)
    problems = doctor.problems + tuple(known.pop("more", ()))
    planned = RowPlan(doctor, status, f"{doctor.name}处方章", history, problems=problems)
    fresh = {
        "request_id": f"{doctor.row.origin.row:08x}-2c1f-4f5e-9d0a-7b1c33aa90e1",
        "trace_id": f"{doctor.row.origin.row:08x}-88aa-4d1e-a1b2-1c2d3e4f5a6b",
        "attempts": 1,
        "last_attempt_at": STARTED + 5 + doctor.row.origin.row * 0.05,
        "host": "essbasic.tencentcloudapi.com",
    }
    if status in {Status.REJECTED, Status.NOT_SENT, Status.READY}:
        fresh = {}
    if status in {Status.SEALED, Status.UNCHANGED, Status.CHANGED}:
        fresh["seal_id"] = f"yDRSQUU{doctor.row.origin.row:05}x4tUuKdJ0AaEbRfW"
    return RowOutcome(planned, status, problems=problems, **{**fresh, **known})


@dataclass
class Scene:
    """What tests build a run from."""

    folder: Path
    outcomes: list[RowOutcome] = field(default_factory=list)

    def build_run_report(self, **changes: object) -> RunReport:
        paths = dict.fromkeys(outcome.doctor.row.origin.path for outcome in self.outcomes)
        reports = [
            FileReport(
                path,
                hashlib.sha256(str(path).encode()).hexdigest(),
                "read",
                rows=sum(outcome.doctor.row.origin.path == path for outcome in self.outcomes),
                sheets=(SheetReport("医师", "read", 1), SheetReport("填写说明", "no_header", 0)),
                skipped=(SkippedLine("医师", 1, 1, "title"), SkippedLine("医师", 2, 2, "header")),
            )
            for path in paths
        ]
        base = RunReport(
            run="20261125-020000",
            command="run",
            started=STARTED,
            finished=STARTED + 47,
            exit=3,
            tenant="sandbox/yDw1LUUgygq-demo",
            contract="file_id",
            outcomes=tuple(self.outcomes),
            files=tuple(reports),
            unassigned_images=(),
            traffic=Traffic(
                {"UploadFiles": {"ok": 51}, "ChannelCreatePersonSeal": {"ok": 48, "RequestLimitExceeded": 1}},
                20.0,
                0.968,
                1,
                20,
            ),
            halt=None,
            out=self.folder / "out" / "20261125-020000",
            seals=Path("seals"),
        )
        return replace(base, **changes)


def rejected(position: int, *problems: Problem, **known: object) -> RowOutcome:
    return outcome_of(doctor_of(position, problems=problems, **known), Status.REJECTED)


def troubled() -> list[RowOutcome]:
    """One row of every trouble a clerk meets."""
    content = SealContent("苏晓曼", "h", "ID_CARD", None, None, None, "s", None)
    uuid, host = "5e0f7c1a-88aa-4d1e-a1b2-1c2d3e4f5a6b", "essbasic.tencentcloudapi.com"
    held = Attempt(
        uuid,
        "k",
        "苏晓曼处方章",
        content,
        STARTED - 86_390,
        run="20261124-020000",
        contract="file_id",
        host=host,
        state="unknown",
        verdict="unknown",
    )
    unsent = {"trace_id": None, "last_attempt_at": None, "host": None}
    history = Person("k", seal_name="苏晓曼处方章", attempts=[held])
    wrong_texts = {"D": number_of(45)[:-1] + "7", "E": "1381000123"}
    lossy = {"texts": {"D": "4.40399E+17"}, "kinds": {"D": CellKind.NUMBER}, "usable": False}
    near = make_message("image.near", file="彭莉莉.png")
    other = "2026年医师名单.xlsx 医师 4"
    refused, exists = "FailedOperation.UserInfoMismatch", "FailedOperation.ExistSameSealName"
    differs = build_problem("CONTENT_CHANGED", Field.PICTURE, differs="mobile picture")
    return [
        rejected(44, build_problem("ID_PRECISION_LOST", Field.NUMBER, "D47", found="4.40399E+17"), **lossy),
        rejected(
            45,
            build_problem("ID_CHECKSUM", Field.NUMBER, "D48"),
            build_problem("MOBILE_INVALID", Field.MOBILE, "E48", found="1381000123"),
            texts=wrong_texts,
            usable=False,
        ),
        rejected(
            46,
            build_problem("IMAGE_MISSING", Field.PICTURE, tried="1047, 彭丽丽", hint=near),
            picture=None,
        ),
        rejected(
            47, build_problem("NAME_INVALID", Field.NAME, "B50", found="张*三", why="masked"), name="张*三"
        ),
        rejected(48, build_problem("ROW_DUPLICATE", Field.NUMBER, "D51", other=other)),
        rejected(
            49, build_problem("ID_TYPE_UNSUPPORTED", Field.ID_TYPE, "C52", found="护照"), texts={"C": "护照"}
        ),
        rejected(50, build_problem("IMAGE_BLANK", Field.PICTURE, file="1051昌盛.png")),
        outcome_of(
            doctor_of(51), Status.FAILED, code=refused, message=f"姓名与证件号码 {number_of(51)} 不一致"
        ),
        outcome_of(
            doctor_of(52), Status.FAILED, code="FailedOperation", message="印章图片不清晰，请重新上传"
        ),
        outcome_of(doctor_of(53), Status.UNKNOWN, request_id=None),
        outcome_of(doctor_of(41), Status.UNKNOWN, request_id=None, history=history, **unsent),
        outcome_of(doctor_of(54), Status.EXISTS, code=exists, message="印章名称已存在"),
        outcome_of(doctor_of(55), Status.CHANGED, more=(differs,)),
        outcome_of(doctor_of(56), Status.NOT_SENT),
    ]


def presenter_of(report: RunReport, language: str = "zh") -> Presenter:
    return Presenter.for_outcomes(report.outcomes, language)


def record_of(outcome: RowOutcome, language: str) -> dict[str, object]:
    """A row's line of outcomes.jsonl, its own numbers masked."""
    presenter = Presenter.for_outcomes([outcome], language)
    return record_outcome(outcome, run="r1", presenter=presenter).to_dict()


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


@pytest.fixture
def hospital(tmp_path: Path) -> Scene:
    """Sixty rows: most sealed or unchanged, the others troubled."""
    well = [
        outcome_of(
            doctor_of(index, problems=_warnings(index)),
            Status.UNCHANGED if index % 3 == 0 else Status.SEALED,
        )
        for index in range(41)
    ]
    return Scene(tmp_path, well + troubled())


def _warnings(position: int) -> tuple[Problem, ...]:
    if position % 11 == 4:
        return (
            build_problem("NAME_NORMALISED", Field.NAME, f"B{position + 3}", found="周 建国", used="周建国"),
        )
    return ()


def png(side: int, colour: tuple[int, int, int] = (200, 30, 30)) -> bytes:
    """A square ring, as a PNG made by hand: Pillow lives elsewhere."""
    edge = max(2, side // 12)
    inked = bytes(colour)
    inside = range(edge, side - edge)
    lines = [[b"\xff\xff\xff" if {x, y} <= {*inside} else inked for x in range(side)] for y in range(side)]
    rows = b"".join(b"\0" + b"".join(line) for line in lines)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    chunks = (chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


class Previews:
    """Small copies of pictures: one for all but the ``unseen``; remembers which were asked for."""

    def __init__(self, *, side: int = 96, unseen: ImageFile | None = None) -> None:
        self.asked: list[tuple[ImageFile, bool]] = []
        self._preview, self._unseen = ImagePreview(png(side), size=(side, side)), unseen

    def load_preview(self, image: ImageFile, *, sent: str | None, may_open: bool) -> ImagePreview | None:
        assert sent is None
        self.asked.append((image, may_open))
        return None if image == self._unseen else self._preview


@pytest.fixture
def make() -> SimpleNamespace:
    """The builders above, for tests that need their own rows."""
    return SimpleNamespace(
        doctor=doctor_of,
        outcome=outcome_of,
        number=number_of,
        png=png,
        previews=Previews,
        presenter=presenter_of,
        record=record_of,
    )


def write_all(
    run_report: RunReport,
    *,
    presenter: Presenter,
    previews: PreviewLoader | None = None,
    latest: Path | None,
    replace_file: Replace = os.replace,
) -> dict[str, Path]:
    """Write all files of a run but marked copies, and return their paths."""
    writer = ResultsWriter(presenter=presenter, previews=previews, latest=latest, replace_file=replace_file)
    writer.write_workbook(run_report)
    writer.write_pages(run_report)
    return writer.copy_into_latest(run_report)


@pytest.fixture
def write_files() -> Callable[..., dict[str, Path]]:
    """Write all files of a run and return their paths, in Chinese and without a copy unless asked."""

    def written(
        run_report: RunReport, *, language: str = "zh", latest: Path | None = None, **options: object
    ):
        return write_all(run_report, presenter=presenter_of(run_report, language), latest=latest, **options)

    return written


@pytest.fixture
def write(hospital: Scene) -> Callable[..., Path]:
    """Write a run's workbook and return its path; the hospital's run unless another is given."""

    def written(
        run_report: RunReport | None = None, *, language: str = "zh", previews: PreviewLoader | None = None
    ) -> Path:
        run_report = run_report or hospital.build_run_report()
        presenter = presenter_of(run_report, language)
        return write_workbook(
            run_report, run_report.out / "results.xlsx", presenter=presenter, previews=previews
        )

    return written
