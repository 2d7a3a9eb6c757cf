"""On paper: what belongs together stays on one page, no page is left half empty, charts and text are whole and readable."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from pipeline.domain.roster import FileReport
from pipeline.domain.run import Status
from pipeline.messages.problems import build_problem

HEADS = {
    "zh": ("接下来做什么", "结果", "需要处理的原因", "各科室", "名单文件", "本次运行"),
    "en": ("What to do next", "Results", "Reasons", "By department", "Roster files", "This run"),
}
PAGE = 575  # points of rows on an A4 page one grid wide, in Excel
A4 = 784  # points of an A4 page's printable width, landscape
SMALLEST = 6.0  # points of a letter on paper


def _crowd(scene, make, hospital, departments, files):
    """The hospital's run with many departments and roster files."""
    rows = [
        make.outcome(make.doctor(100 + index, texts={"G": f"第{index % departments + 1}科"}), Status.SEALED)
        for index in range(2 * departments)
    ]
    scene.outcomes = [*hospital.outcomes, *rows]
    refused = FileReport(
        Path("inbox/x.xls"), None, "refused", ("FILE_EMPTY",), (build_problem("FILE_EMPTY"),)
    )
    more = [FileReport(Path(f"inbox/子院{n}/名单.xlsx"), "0" * 64, "read") for n in range(files)]
    run_report = scene.build_run_report()
    return replace(run_report, files=(*run_report.files, refused, *more))


@pytest.fixture(params=["few", "usual", "sixty departments", "sixty files"])
def run_report(request, scene, make, hospital):
    if request.param == "few":
        scene.outcomes = [make.outcome(make.doctor(index), Status.SEALED) for index in range(3)]
        return scene.build_run_report(exit=0)
    departments, files = {"usual": (6, 2), "sixty departments": (60, 3), "sixty files": (9, 60)}[
        request.param
    ]
    return _crowd(scene, make, hospital, departments, files)


def _pages(sheet) -> list[range]:
    starts = [1, *(row_break.id + 1 for row_break in sheet.row_breaks.brk)]
    return [range(first, last) for first, last in zip(starts, [*starts[1:], sheet.max_row + 1], strict=True)]


def _points(sheet, rows) -> float:
    return sum(sheet.row_dimensions[row].height or 15 for row in rows)


def _sections(sheet, language) -> list[range]:
    starts = [row for row in range(1, sheet.max_row + 1) if sheet.cell(row, 2).value in HEADS[language]]
    return [range(first, last) for first, last in zip(starts, [*starts[1:], sheet.max_row + 1], strict=True)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_summary_breaks_between_sections_and_leaves_no_page_half_empty(write, run_report, language):
    book = openpyxl.load_workbook(write(run_report, language=language))
    sheet = book.worksheets[0]
    pages, sections = _pages(sheet), _sections(sheet, language)

    assert all(_points(sheet, page) <= PAGE + 1 for page in pages)
    whole = [section for section in sections if _points(sheet, section) < PAGE - 20]
    assert all(any(set(entry[:-1]) <= set(page) for page in pages) for entry in whole)
    sizes = [_points(sheet, page) for page in pages]
    assert all(size > PAGE / 2 for size in sizes[:-1]), sizes
    heads = [sheet.cell(section[0], 2).value for section in sections]
    assert heads[0] == HEADS[language][0]
    assert len(set(heads)) == len(heads)


def test_a_table_longer_than_a_page_repeats_its_titles(write, scene, make, hospital):
    sheet = openpyxl.load_workbook(write(_crowd(scene, make, hospital, 60, 60))).worksheets[0]
    first = [sheet.cell(page[0], 2).value for page in _pages(sheet)]

    assert {"科室", "文件"} <= set(first)


def test_the_chart_lies_on_one_page_next_to_its_table(write, run_report):
    sheet = openpyxl.load_workbook(write(run_report)).worksheets[0]
    (chart,) = sheet._charts
    first, last = chart.anchor._from.row + 1, chart.anchor.to.row + 1

    assert any(first in page and last in page for page in _pages(sheet))
    title = next(row for row in range(1, sheet.max_row) if sheet.cell(row, 2).value == "结果")
    assert title < first <= title + 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_sheet_is_readable_on_paper_and_repeats_its_titles(write, make, hospital, language):
    path = write(hospital.build_run_report(), language=language, previews=make.previews(side=60))
    for sheet in openpyxl.load_workbook(path).worksheets:
        assert sheet.page_setup.paperSize == 9, "A4"
        assert sheet.page_setup.orientation == "landscape"
        assert (sheet.page_setup.fitToWidth or 1, sheet.page_setup.fitToHeight) == (1, 0)
        area = openpyxl.utils.range_boundaries(sheet.print_area.split("!")[-1]) if sheet.print_area else None
        last = area[2] if area else sheet.max_column
        groups = [group for group in sheet.column_dimensions.values() if not group.hidden]
        letters = sum(
            (min(group.max, last) - group.min + 1) * group.width for group in groups if group.min <= last
        )
        points = letters * 7 * 0.75  # 7 pixels a letter
        assert 10 * min(1.0, A4 / points) >= SMALLEST, (sheet.title, points)
        if sheet is not sheet.parent.worksheets[0]:
            assert sheet.print_title_rows == "$1:$1"
