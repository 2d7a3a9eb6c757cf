"""results.xlsx as another program reads it back."""

from __future__ import annotations

import re
import zipfile
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest

from pipeline.domain.roster import (
    Field,
    FileReport,
    ImageFile,
    SkippedLine,
    UnassignedFile,
    UnassignedImage,
)
from pipeline.domain.run import Halt, Status
from pipeline.messages.catalogue import make_message
from pipeline.messages.problems import build_problem
from pipeline.reports import table_sheets
from pipeline.reports.summary_grid import choose_page_breaks

A4_POINTS = 784  # of an A4 page, landscape, between its margins
HOSTILE = [
    "=cmd|'/c calc'!A1",
    "+1+1",
    "-2",
    "@SUM(A1)",
    '=HYPERLINK("http://x","y")',
    "{=1+1}",
    "http://example.invalid",
    "<r><t>x</t></r>",
    "_x0041_",
    "a\x00b\x1fc",
    "\ud800",
    "\ufffe",
    "长" * 40_000,
    "🀄" * 20_000,
    "12345678901234567890",
    "&<>\"'",
    "a\r\nb",
]


def _list_columns(sheet, fits):
    """Return the titles of the columns that fit."""
    return {
        sheet.cell(1, number).value
        for column in sheet.column_dimensions.values()
        if fits(column)
        for number in range(column.min, column.max + 1)
    }


def _texts(sheet):
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


@pytest.mark.parametrize(
    ("language", "names"),
    [
        ("zh", ["汇总", "全部结果", "待改", "未知", "未配对印章", "未读取"]),
        ("en", ["Summary", "All", "To fix", "Unknown", "Unpaired pictures", "Not read"]),
    ],
)
def test_the_sheets_have_their_names(write, language, names):
    book = openpyxl.load_workbook(write(language=language))

    assert book.sheetnames == names


def test_the_workbook_is_recognised_by_its_property(write):
    properties = openpyxl.load_workbook(write()).custom_doc_props

    assert properties["esign-import"].value == "results"
    assert properties["esign-import-run"].value == "20261125-020000"
    assert properties["esign-import-schema"].value == 1


def test_all_has_every_row_once_in_the_rosters_order(write, hospital):
    sheet = openpyxl.load_workbook(write())["全部结果"]
    header, *rows = _texts(sheet)

    assert len(rows) == 55
    assert [row[header.index("行号")] for row in rows] == [
        outcome.doctor.row.origin.row for outcome in hospital.outcomes
    ]
    assert [row[header.index("状态")] for row in rows].count("成功") == 27
    assert sheet.freeze_panes == "B2"
    assert sheet.auto_filter.ref == f"A1:{openpyxl.utils.get_column_letter(len(header))}56"
    assert rows[1][header.index("印章ID")] == hospital.outcomes[1].seal_id
    failed = next(row for row in rows if row[header.index("状态")] == "失败")
    assert failed[header.index("原因")].startswith("腾讯拒绝：姓名与证件号码 **************")


def test_no_full_number_stands_in_the_workbook(write, hospital):
    book = openpyxl.load_workbook(write())
    texts = "\n".join(str(value) for sheet in book.worksheets for row in _texts(sheet) for value in row)

    for outcome in hospital.outcomes:
        assert not outcome.doctor.number or outcome.doctor.number not in texts
        assert outcome.doctor.mobile not in texts


def test_a_number_in_any_other_column_is_masked_as_well(write, make, scene):
    number = make.number(7)
    texts = {"F": number, "G": f"外科{number}"}
    doctor = make.doctor(
        7, name=f"张三{number}", texts=texts, picture=f"{number}.png", path=Path(f"in/{number}.csv")
    )
    scene.outcomes = [make.outcome(doctor, Status.SEALED)]
    book = openpyxl.load_workbook(write(scene.build_run_report()))

    assert number not in str([_texts(sheet) for sheet in book.worksheets])


def test_nothing_can_be_taken_for_a_formula_and_everything_stays_readable(write, make, scene):
    scene.outcomes = [
        make.outcome(
            make.doctor(index, name=text, texts={"G": text, "H": text}),
            status,
            message=text,
            code="FailedOperation",
        )
        for index, (text, status) in enumerate(
            (text, status) for text in HOSTILE for status in (Status.FAILED, Status.UNKNOWN, Status.SEALED)
        )
    ]
    unclaimed = tuple(
        UnassignedFile(Path("seals") / f"{text[:50]}.png") for text in HOSTILE if "\0" not in text
    )

    run_report = scene.build_run_report(unassigned_images=unclaimed)
    refused = FileReport(Path("=1+1.xlsx"), None, "refused", notes=("=cmd|x",))

    path = write(replace(run_report, files=(*run_report.files, refused)))

    book = openpyxl.load_workbook(path)
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "inlineStr"}
    assert all(len(str(cell.value).encode("utf-16-le")) <= 2 * 32_767 for cell in cells)
    names = [row[0] for row in _texts(book["待改"])[1:]]
    assert names[:4] == HOSTILE[:4]
    assert names[HOSTILE.index("长" * 40_000)] == "长" * 32_000 + " …"
    assert names[HOSTILE.index("🀄" * 20_000)] == "🀄" * 16_000 + " …"
    assert names[HOSTILE.index("_x0041_")] == "_x005F_x0041_", "escaped: Excel would read an A"
    assert names[HOSTILE.index("<r><t>x</t></r>")].strip() == "<r><t>x</t></r>"
    with zipfile.ZipFile(path) as archive:
        sheets = [archive.read(name) for name in archive.namelist() if name.startswith("xl/worksheets/sheet")]
    assert not any(b"<f>" in sheet for sheet in sheets)


def test_the_summary_shows_how_many_rows_wait_and_the_next_command(write, hospital):
    refused = FileReport(
        Path("inbox/护理部.xls"), None, "refused", ("FILE_EMPTY",), (build_problem("FILE_EMPTY"),)
    )
    run_report = hospital.build_run_report()
    run_report = replace(run_report, files=(*run_report.files, refused))
    shown = [
        str(value)
        for row in _texts(openpyxl.load_workbook(write(run_report))["汇总"])
        for value in row
        if value
    ]

    assert "共 55 行：42 行无需处理，13 行需要处理。" in shown
    assert "esign-import retry" in shown
    assert "文件是空的；请检查导出是否成功。" in shown
    assert "证件号码被 Excel 损坏" in shown
    assert "同一人出现多行" not in shown, "a spare copy is nobody's work"
    assert "口腔科" in shown


def test_a_halt_is_shown_at_the_top(write, hospital):
    halted = hospital.build_run_report(halt=Halt("AuthFailure.SignatureFailure", "密钥不对", 4))
    shown = [row[1] for row in _texts(openpyxl.load_workbook(write(halted))["汇总"])[:5]]

    (line,) = [text for text in shown if text.startswith("运行提前停止：签名不对")]
    assert line.endswith("腾讯的原话：“密钥不对”（AuthFailure.SignatureFailure）")


def test_a_run_without_problems_needs_nothing(write, make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.SEALED)]
    book = openpyxl.load_workbook(write(scene.build_run_report(exit=0)))

    assert book["汇总"]["B3"].value == "全部 1 行都已有印章，不需要处理。"
    assert book["待改"]["A2"].value == "没有需要修改的行。"
    assert book["未知"]["A2"].value == "没有结果未知的行。"


def test_an_empty_run_is_written_too(write, scene):
    book = openpyxl.load_workbook(write(scene.build_run_report(exit=0)))

    assert book["汇总"]["B3"].value == "名单里没有要处理的行。"


def test_unknown_rows_explain_their_resolution_and_name_the_command(write, hospital, make):
    sheet = openpyxl.load_workbook(write())["未知"]
    header, *rows = _texts(sheet)

    assert [row[0] for row in rows] == ["凤仪", "苏晓曼", "花小蕾"]
    held = dict(zip(header, rows[1], strict=True))
    assert held["TraceId"] == "5e0f7c1a-88aa-4d1e-a1b2-1c2d3e4f5a6b"
    assert held["提交地址"] == "essbasic.tencentcloudapi.com"
    assert "苏晓曼处方章" in held["怎样查清"]
    assert held["用这条命令查看"] == f"esign-import resolve {held['TraceId']}"
    assert not _list_columns(sheet, lambda column: column.hidden)
    assert sheet.print_area.endswith("$H$4"), "without those for IT: 提交地址, TraceId, RequestId"
    assert not sheet.data_validations.dataValidation, "for reading only"


def test_a_seal_id_in_an_unproven_answer_is_kept_as_evidence(write, make, scene):
    scene.outcomes = [make.outcome(make.doctor(1), Status.UNKNOWN, unproven_seal_id="yDmaybe")]
    book = openpyxl.load_workbook(write(scene.build_run_report()))

    assert "yDmaybe" in book["未知"]["F2"].value
    header, row = _texts(book["全部结果"])
    assert row[header.index("印章ID")] is None


def test_unpaired_pictures_are_masked_and_link_to_their_folder(write, hospital, make):
    number = make.number(3)
    run_report = hospital.build_run_report(
        unassigned_images=(
            UnassignedFile(Path(f"seals/旧章/{number}.png")),
            UnassignedFile(Path(f"seals/{number}/a.png")),
        ),
        seals=Path("seals"),
    )
    sheet = openpyxl.load_workbook(write(run_report))["未配对印章"]

    masked = "*" * 14 + number[-4:]
    assert [sheet["A2"].value, sheet["B2"].value] == [
        "1051昌盛.png",
        "2026年医师名单.xlsx 医师 第 53 行 昌盛",
    ]
    assert sheet["A3"].value == f"{masked}.png"
    assert [cell.value for cell in sheet[1]] == [
        "文件",
        "可能对应的行",
        "位置（点击打开文件夹）",
        "为什么没有用上",
        "怎么办",
    ]
    assert sheet["C3"].value == "seals/旧章"
    assert sheet["D3"].value == "没有匹配的医生"
    assert sheet["C3"].hyperlink.target.endswith("旧章")
    assert sheet["C4"].value == f"seals/{masked}"
    assert sheet["C4"].hyperlink.target.endswith("seals"), "a link cannot be masked"


def test_unassigned_drawings_of_rosters_have_an_address_and_a_thumbnail(write, hospital, make):
    number = make.number(3)
    kept = ImageFile.from_path(Path("inbox/a.xlsx/内科!H1"), "7" * 64, 60_000, Path("work/7"))
    unassigned = (
        UnassignedImage(f"内科{number}", "H1:J2", make_message("stray.no_doctor"), kept),
        UnassignedImage("内科", "H9", make_message("stray.linked")),
        UnassignedImage("印章页", "", make_message("stray.no_roster")),
    )
    report = FileReport(Path(f"inbox/名单{number}.xlsx"), "0" * 64, "read", unassigned_images=unassigned)
    run_report = hospital.build_run_report(unassigned_images=(UnassignedFile(Path("seals/旧章/x.png")),))
    previews = make.previews()
    book = openpyxl.load_workbook(
        write(replace(run_report, files=(*run_report.files, report)), previews=previews)
    )
    header, blank, *rows = _texts(sheet := book["未配对印章"])

    masked = "*" * 14 + number[-4:]
    assert [row[0] for row in rows] == [f"名单{masked}.xlsx"] * 3 + ["x.png"]
    assert [row[header.index("位置（点击打开文件夹）")] for row in rows] == [
        f"工作表“内科{masked}” 单元格 H1:J2",
        "工作表“内科” 单元格 H9",
        "工作表“印章页”",
        "seals/旧章",
    ]
    assert "不是医生" in rows[0][header.index("为什么没有用上")]
    assert "链接" in rows[1][header.index("为什么没有用上")]
    assert "移到" in rows[0][header.index("怎么办")]
    assert "另存为" in rows[1][header.index("怎么办")]
    assert blank[0] == "1051昌盛.png"
    assert [(image.anchor._from.row, image.anchor._from.col) for image in sheet._images] == [(1, 1), (2, 1)]
    assert (kept, True) in previews.asked
    assert [row[1] for row in rows] == [None, *["无法显示：图片过大、损坏或读不出来"] * 3]
    assert "→ 未配对印章（5）" in [cell.value for row in book["汇总"].iter_rows() for cell in row]


def test_one_drawing_for_two_doctors_is_among_the_unpaired_pictures(write, scene, make):
    scene.outcomes = [
        make.outcome(
            make.doctor(
                position,
                problems=(build_problem("IMAGE_SHARED", Field.PICTURE, file=f"{mine}.png", twin=f"{theirs}.png",
                                  other=f"2026年医师名单.xlsx 医师 {row}"),),
            ),
            Status.REJECTED,
        )
        for position, mine, theirs, row in ((1, "1002", "1003", 5), (2, "1003", "1002", 4))
    ]  # fmt: skip
    _, *rows = _texts(openpyxl.load_workbook(write(scene.build_run_report()))["未配对印章"])

    assert [row[0] for row in rows] == ["1002钱秀兰.png", "1003孙立新.png"]
    assert (
        rows[0][3]
        == "图片 1002.png 与 1003.png（2026年医师名单.xlsx 医师 第 5 行）虽是两个文件，图案却完全相同，都未提交"
    )
    assert rows[0][4].startswith("请打开看清")


def test_unchanged_rows_show_their_stored_thumbnail_and_open_no_picture(write, make, scene):
    scene.outcomes = [
        make.outcome(make.doctor(1), Status.SEALED),
        make.outcome(make.doctor(2), Status.UNCHANGED),
        make.outcome(make.doctor(3, picture=None), Status.REJECTED),
        make.outcome(make.doctor(4), Status.UNCHANGED),
    ]
    previews = make.previews(unseen=scene.outcomes[3].doctor.picture)
    sheet = openpyxl.load_workbook(write(scene.build_run_report(), previews=previews))["全部结果"]

    sealed, unchanged, _, unseen = (outcome.doctor.picture for outcome in scene.outcomes)
    assert previews.asked == [(sealed, True), (unchanged, False), (unseen, False)]
    column = [cell.value for cell in sheet[1]].index("印章")
    assert [(image.anchor._from.row, image.anchor._from.col) for image in sheet._images] == [
        (1, column),
        (2, column),
    ]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_no_text_touches_a_border_and_no_heading_is_broken_inside_a_word(write, language):
    _, *sheets = openpyxl.load_workbook(write(language=language)).worksheets
    for sheet in sheets:
        for column in sheet.iter_cols():
            heading, *cells = (cell for cell in column if cell.value is not None)
            if not cells:
                continue
            width = next(
                dimension.width
                for dimension in sheet.column_dimensions.values()
                if dimension.min <= heading.column <= dimension.max
            )
            longest = max(map(len, re.findall("[!-~]+", heading.value)), default=0)
            assert width > 1.15 * longest + 1, heading.value
            for cell in (heading, *cells):
                assert cell.alignment.horizontal == "center" or cell.alignment.indent == 1, cell
            centred = {cell.alignment.horizontal == "center" for cell in (heading, *cells)}
            assert len(centred) == 1, f"{heading.value} stands as its cells do"


def test_a_large_run_has_no_thumbnails(write, make, scene):
    scene.outcomes = [make.outcome(make.doctor(index), Status.SEALED) for index in range(2_001)]
    previews = make.previews()
    with zipfile.ZipFile(write(scene.build_run_report(), previews=previews)) as archive:
        assert not [name for name in archive.namelist() if name.startswith("xl/media/")]
    assert not previews.asked


def test_every_sheet_prints_on_landscape_pages_one_wide(write):
    for sheet in openpyxl.load_workbook(write()).worksheets:
        assert sheet.page_setup.orientation == "landscape"
        assert sheet.page_setup.fitToHeight == 0
        assert sheet.title == "汇总" or sheet.print_title_rows == "$1:$1"


def test_a_picture_links_to_its_folder_and_never_to_a_number(write, scene, make):
    number = make.number(5)
    folders = ["seals/内科", f"seals/{number}", "seals/a#b"]
    scene.outcomes = [
        make.outcome(
            replace(
                doctor := make.doctor(index),
                picture=replace(doctor.picture, folder=folder, name=f"{number}.png"),
            ),
            Status.SEALED,
        )
        for index, folder in enumerate(folders)
    ]
    scene.outcomes.append(make.outcome(make.doctor(9, picture=None), Status.REJECTED))
    sheet = openpyxl.load_workbook(write(scene.build_run_report()))["全部结果"]
    column = [cell.value for cell in sheet[1]].index("图片") + 1
    cells = [sheet.cell(row, column) for row in range(2, 6)]

    assert [cell.value for cell in cells] == [f"{'*' * 14}{number[-4:]}.png"] * 3 + [None]
    assert cells[0].hyperlink.target.replace("\\", "/").endswith("/seals/内科")
    assert [cell.hyperlink.target.replace("\\", "/").endswith("/seals") for cell in cells[1:3]] == [
        True
    ] * 2, "an address can be neither masked nor ambiguous"
    assert cells[3].hyperlink is None


def test_a_large_run_stays_within_excels_limit_of_links(write, scene, make, monkeypatch):
    assert table_sheets.MAX_LINKS + table_sheets.MAX_PICTURE_LINKS < 65_530
    monkeypatch.setattr(table_sheets, "MAX_LINKS", 20)
    scene.outcomes = [make.outcome(make.doctor(index), Status.UNCHANGED) for index in range(23)]
    with zipfile.ZipFile(write(scene.build_run_report())) as archive:
        links = archive.read("xl/worksheets/_rels/sheet2.xml.rels").count(b"/hyperlink")
    assert links == 20


def test_the_summary_links_every_sheet_with_its_number_of_rows(write, hospital):
    book = openpyxl.load_workbook(write())
    links = {
        cell.value: cell.hyperlink.location
        for row in book["汇总"].iter_rows()
        for cell in row
        if cell.hyperlink and cell.hyperlink.location
    }

    assert links == {
        "→ 全部结果（55）": "'全部结果'!A1",
        "→ 待改（9）": "'待改'!A1",
        "→ 未知（3）": "'未知'!A1",
        "→ 未配对印章（1）": "'未配对印章'!A1",
        "→ 未读取（3）": "'未读取'!A1",
    }
    assert {location.split("'")[1] for location in links.values()} <= set(book.sheetnames)


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
        assert 10 * min(1.0, A4_POINTS / points) >= 6.0, (sheet.title, points)
        if sheet is not sheet.parent.worksheets[0]:
            assert sheet.print_title_rows == "$1:$1"


def test_beyond_its_limit_the_sheet_of_lines_without_a_doctor_counts_the_rest(write, hospital):
    report = hospital.build_run_report()
    lines = tuple(SkippedLine("医师", row, row, "note") for row in range(1, 5_004))
    files = (replace(report.files[0], skipped=lines), *report.files[1:])
    rows = list(openpyxl.load_workbook(write(replace(report, files=files)))["未读取"].values)
    assert len(rows) == 1 + 5_000 + 1
    assert rows[-1][3] == f"另有 {len(lines) + 1 + 3 * (len(files) - 1) - 5_000} 处，见 files.jsonl"


def test_a_section_of_the_summary_begins_where_it_has_room(write, make, scene):
    """With more departments than a page has lines left, the table begins a page of its own."""
    scene.outcomes = [
        make.outcome(
            make.doctor(index % 50, row=index + 3, texts={"G": f"科室{index % 25:02d}"}), Status.SEALED
        )
        for index in range(50)
    ]
    sheet = openpyxl.load_workbook(write(scene.build_run_report()))["汇总"]
    (heading,) = [row[1].row for row in sheet.iter_rows(max_col=2) if row[1].value == "各科室"]

    assert heading - 2 not in [one.id for one in sheet.row_breaks.brk], "it begins on the first page"


@pytest.mark.parametrize(
    ("heights", "sections", "breaks"),
    [
        ([20.0] * 10, [2, 5], []),
        ([20.0] * 32, [10, 27], [27]),
        ([20.0] * 40, [10, 20], []),  # a page would be half empty without the second
        ([20.0] * 90, [10, 20], []),  # the second is longer than a page, and begins on this one
        ([20.0] * 90, [10, 26], [26]),  # here its heading alone has room
        ([20.0] * 40, [], []),
        ([], [], []),
    ],
)
def test_page_breaks_keep_what_fits_on_a_page_together(heights, sections, breaks):
    assert choose_page_breaks(heights, sections) == breaks
