"""Links of the workbook: they reach the folder from wherever the workbook lies, and never name a number."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote

import openpyxl
import pytest
from desktop import convert, find_program
from reports.conftest import write_all

from pipeline.domain.roster import UnassignedFile
from pipeline.domain.run import Status
from pipeline.reports.presenter import Presenter

PLAIN = ("内科", "five senses", "全　角", "100%", "50% off", "a&b [x]{y}", "it's", "第1组+2")


def _reached(workbook: Path, target: str) -> Path:
    """Follow a link as a spreadsheet program does."""
    reported = unquote(target).replace("\\", "/").removeprefix("FILE://")
    return (workbook.parent / reported).resolve()


def _links(workbook: Path, sheet: str) -> list[str | None]:
    cells = (cell for row in openpyxl.load_workbook(workbook)[sheet].iter_rows(min_row=2) for cell in row)
    return [cell.hyperlink.target for cell in cells if cell.hyperlink]


@pytest.fixture
def filed(scene, make):
    """Build a run whose pictures lie in these folders of ``top``/seals, and files that belong to no doctor."""

    def built(top: Path, folders: list[str], **changes: object):
        for index, folder in enumerate(folders):
            (top / "seals" / folder).mkdir(parents=True, exist_ok=True)
            doctor = make.doctor(index)
            target = {"folder": str(top / "seals" / folder), "name": f"{make.number(index)}.png"}
            picture = replace(doctor.picture, **target)
            scene.outcomes.append(make.outcome(replace(doctor, picture=picture), Status.SEALED))
        unclaimed = tuple(UnassignedFile(top / "seals" / folder / "旧.png") for folder in folders)
        changes = {"out": top / "out" / "20261125-020000", **changes}
        return scene.build_run_report(seals=top / "seals", unassigned_images=unclaimed, **changes)

    return built


def _written(run_report, latest: Path | None) -> list[Path]:
    written = write_all(
        run_report, presenter=Presenter.for_outcomes(run_report.outcomes, "zh"), latest=latest
    )
    return [written["results.xlsx"], *([latest / "results.xlsx"] if latest else [])]


@pytest.mark.parametrize("top", ["院", "第 1 医院 100%", "a b [c]"])
def test_both_copies_link_every_folder(filed, tmp_path, top):
    top = tmp_path / top
    folders = [top / "seals" / folder for folder in PLAIN]
    run_report = filed(top, list(PLAIN))

    for workbook in _written(run_report, top / "out" / "latest"):
        for sheet in ("全部结果", "未配对印章"):
            assert [_reached(workbook, link) for link in _links(workbook, sheet)] == folders


@pytest.mark.parametrize("out", ["elsewhere/deep/a", "out", "x"])
def test_a_copy_at_another_depth_has_absolute_links(filed, tmp_path, out):
    run_report = filed(tmp_path, ["内科"], out=tmp_path / out)

    for workbook in _written(run_report, tmp_path / "out" / "latest"):
        assert _reached(workbook, _links(workbook, "全部结果")[0]) == tmp_path / "seals" / "内科"


def test_a_moved_tree_keeps_its_links(filed, tmp_path):
    run_report = filed(tmp_path / "old", ["内科"])
    workbook = _written(run_report, tmp_path / "old" / "out" / "latest")[1]
    (tmp_path / "old").rename(tmp_path / "new")

    moved = tmp_path / "new" / workbook.relative_to(tmp_path / "old")
    assert _reached(moved, _links(moved, "全部结果")[0]) == tmp_path / "new" / "seals" / "内科"


def test_the_tip_of_a_link_names_the_folder(filed, tmp_path):
    (workbook,) = _written(filed(tmp_path, ["内科"]), None)
    link = openpyxl.load_workbook(workbook)["未配对印章"]["C2"].hyperlink

    assert link.tooltip.endswith(str(tmp_path / "seals" / "内科")[-60:])


@pytest.mark.parametrize("folder", ["a#b", "五官%41科", "110199199003071237", "旧章 11019919900307123X/内"])
def test_a_folder_that_no_address_can_hold_links_the_folder_above(filed, tmp_path, folder):
    run_report = filed(tmp_path, [f"外科/{folder}"])

    (workbook,) = _written(run_report, None)
    for sheet in ("全部结果", "未配对印章"):
        (link,) = _links(workbook, sheet)
        assert _reached(workbook, link) == tmp_path / "seals" / "外科"


def test_no_link_leaves_the_picture_folder(filed, tmp_path):
    """Where the picture folder itself cannot be said, the one above it is none of the reader's business."""
    top = tmp_path / "110199199003071237"

    (workbook,) = _written(filed(top, ["内科"], out=tmp_path / "out"), None)

    assert _links(workbook, "全部结果") == []


@pytest.mark.office
def test_libreoffice_follows_the_links(filed, tmp_path):
    top = tmp_path / "第 1 医院 100%"
    (workbook,) = _written(filed(top, [*PLAIN, "a#b"]), None)

    pdf = convert(workbook, "pdf", tmp_path)
    completed = subprocess.run(
        [find_program("pdfinfo"), "-url", str(pdf)], check=True, capture_output=True, text=True
    )

    links = [line.split(maxsplit=2)[2] for line in completed.stdout.splitlines()[1:]]
    reached = [_reached(workbook, link) for link in links if "seals" in link]
    folders = [top / "seals" / folder for folder in (*PLAIN, "")]
    assert reached == [*folders, *folders], "of All, then of Unpaired pictures"
    assert [link for link in links if "seals" not in link] == ["review.html", "report.html"]


def test_the_summary_links_to_fix_and_the_pages(scene, make, tmp_path):
    scene.outcomes = [
        make.outcome(make.doctor(1), Status.NOT_SENT),
        make.outcome(make.doctor(2), Status.NOT_SENT),
    ]
    workbook, copy = _written(scene.build_run_report(), tmp_path / "out" / "latest")
    sheet = openpyxl.load_workbook(copy)["汇总"]
    links = {cell.value: cell.hyperlink for row in sheet.iter_rows() for cell in row if cell.hyperlink}

    assert links["→ 待改（2）"].location == "'待改'!A1"
    for position in (workbook, copy):
        assert _reached(position, links["→ 印章一览 review.html"].target).is_file()
        assert _reached(position, links["→ 运行报告 report.html"].target).is_file()
