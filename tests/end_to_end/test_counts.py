"""One number of rows to correct on every surface; where another number stands, the words say what is different."""

import re

import openpyxl
import pytest
from people import is_valid, name, number
from PIL import Image
from run_support import draw_seal

from pipeline.cli.app import main


@pytest.mark.parametrize("language", ["zh", "en"])
def test_console_workbook_and_pages_show_the_number_of_rows_to_correct(hospital, capsys, language):
    hospital.doctors(2)
    good = (name(1), number(1), None, "00001", "内科")
    hospital.roster(
        [good, good, ("王五", "1101", None, "9", None), (name(2), number(2), None, "00002", None)]
    )
    (hospital.folder / "inbox" / "bad.xlsx").write_bytes(b"no workbook")
    assert hospital.go("--lang", language, "run") == 7
    console = capsys.readouterr().err
    latest = hospital.folder / "out" / "latest"
    book = openpyxl.load_workbook(latest / "results.xlsx")
    summary = [
        "　".join(str(cell.value) for cell in line if cell.value is not None) for line in book.worksheets[0]
    ]
    page = (latest / "report.html").read_text("utf-8")
    assert book.worksheets[2].max_row == 1 + 2, "the sheet To fix has a line for each problem of the row"
    texts = {
        "zh": ("待改 1", "重复 1（无需处理）", "1 行要修改", "待改（1）"),
        "en": ("To correct 1", "Duplicate 1 (no action needed)", "1 row to correct.", "To fix (1)"),
    }[language]
    assert texts[0] in console
    assert texts[1] in console
    assert texts[2] in console
    assert any(texts[2] in line for line in summary)
    assert any(texts[3] in line for line in summary)
    to_correct, duplicate = texts[0].split()[0] if language == "zh" else "To correct", texts[1].split()[0]
    for word in (to_correct, duplicate):
        assert any(re.search(rf"{word}　1　33.3%|{word}　1　", line) for line in summary), (word, summary)
        assert re.search(rf'class="word">{word}</span>\s*<span><span class="number">1<', page)
    assert hospital.go("--lang", language, "status", "--runs", "9") == 0
    assert f"{to_correct} 1" in (listed := capsys.readouterr().out)
    assert f"{duplicate} 1" in listed
    assert hospital.record()["statuses"]["rejected"] == 2, "the status itself is as it was"
    assert [line[1].value for line in book.worksheets[1]][1:4].count(duplicate) == 1
    assert hospital.go("--lang", language, "check") == 7
    assert f"{duplicate} 1" in capsys.readouterr().err
    todo = re.search(r"(\d+) (?:行需要处理|to deal with)", page)
    assert todo
    assert int(todo[1]) == 1
    refused = "1 个名单文件没有读取" if language == "zh" else "1 roster was not read: "
    assert refused in console
    assert refused in page


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rows_that_lack_a_picture_alone_are_counted_apart_from_the_yellow_cells(
    hospital, marked_copies_on, capsys, language
):
    """The roster has no picture column: no text asks for one, and no yellow cell is promised."""
    rows = [
        (name(serial), number(serial), f"154{serial:08d}", f"{serial:05d}", "内科") for serial in range(1, 5)
    ]
    hospital.roster([*rows[:2], (*rows[2][:2], "154", *rows[2][3:]), rows[3]])
    for serial in (1, 3):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    texts = {
        "zh": ("2 行只是图片有问题", "1 行要修改", "要马上提交这 1 行（原因在工作表", "要马上提交这 2 行，放好图片", "图片列"),
        "en": (
            "2 rows need only a picture", "1 row to correct.", "this row at once (reason in the sheet", "these 2 rows at once, put the pictures",
            "picture column",
        ),
    }  # fmt: skip
    pictures, cells, fix, put_in, column = texts[language]
    assert main(hospital.command("run", language=language)) == 3
    printed = capsys.readouterr().err
    assert all(text in printed for text in (pictures, cells, fix))
    assert put_in not in printed
    results = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    copy = hospital.newest / "rosters" / "roster.xlsx"
    sheets = [results.worksheets[0], results.worksheets[1], openpyxl.load_workbook(copy).active]
    assert not any(column in str(cell) for sheet in sheets for line in sheet.values for cell in line)
    summary = "\n".join(str(cell) for line in sheets[0].values for cell in line if cell)
    assert all(text in summary for text in (pictures, cells, fix))
    hospital.roster(rows)
    assert main(hospital.command("run", language=language)) == 3
    printed = capsys.readouterr().err
    assert pictures in printed
    assert put_in in printed
    assert cells not in printed
    for serial in (2, 4):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    assert hospital.run_to_end("run") == (0, {"unchanged": 2, "sealed": 2})


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rows_with_errors_of_their_pictures_alone_are_counted_with_what_is_done_about_each(
    hospital, marked_copies_on, capsys, language
):
    """The roster has a picture column: it holds the address of these errors, and needs no correction."""
    headers = ("姓名", "证件号码", "手机号", "工号", "科室", "印章图片")
    rows = [
        [name(serial), number(serial), f"154{serial:08d}", f"{serial:05d}", "内科", None]
        for serial in range(1, 8)
    ]
    rows[5][2] = "154"
    rows[6][5] = "../00007.png"
    hospital.roster(rows, headers=headers)
    seals = hospital.folder / "seals"
    draw_seal(seals / "00001.png", 1)
    for serial in (2, 3):
        draw_seal(seals / f"{serial:05d}.png", 2)
    (seals / "00004.png").write_bytes(b"no picture")
    for serial in (6, 7):
        draw_seal(seals / f"{serial:05d}.png", serial)
    assert main(hospital.command("run", language=language)) == 3
    printed = "".join(capsys.readouterr().err.split())
    assert [row["codes"] for row in hospital.outcomes()[1:5]] == [
        ["IMAGE_SHARED"], ["IMAGE_SHARED"], ["IMAGE_FORMAT"], ["IMAGE_MISSING"],
    ]  # fmt: skip
    texts = {
        "zh": ("4 行只是图片有问题", "1 行没有图片", "2 行不能确定图片是谁的", "1 行的图片不能用", "2 行要修改"),
        "en": ("4 rows need only a picture", "1 row has no picture, but", "for 2 rows look whose", "picture of 1 row (damaged", "2 rows to correct."),
    }[language]  # fmt: skip
    for text in texts:
        assert text.replace(" ", "") in printed
    assert hospital.go("--lang", language, "explain", name(4)) == 0
    next_step = {"zh": "图片按下面的错误说明改正", "en": "Put the picture right"}[language]
    assert next_step in capsys.readouterr().out


def test_two_blank_pictures_are_blank_and_not_one_picture_of_two_people(hospital):
    hospital.doctors(3)
    for serial in (1, 2):
        Image.new("RGB", (120, 60), "white").save(hospital.folder / "seals" / f"{serial:05d}.png")
    assert hospital.run_to_end("run") == (3, {"rejected": 2, "sealed": 1})
    assert [row["codes"] for row in hospital.outcomes()[:2]] == [["IMAGE_BLANK"]] * 2


@pytest.mark.parametrize("language", ["zh", "en"])
def test_rows_that_are_in_order_and_have_warnings_are_counted_with_the_kinds(hospital, capsys, language):
    hospital.doctors(2)
    same_name = [(name(1), number(serial), None, f"{serial:05d}", "内科") for serial in (1, 3)]
    hospital.roster([*same_name, (name(2), number(2), "15400000002", "00002", "内科")])
    draw_seal(hospital.folder / "seals" / "00003.png", 3)
    assert hospital.go("--lang", language, "check") == 0
    printed = capsys.readouterr().err
    texts = {
        "zh": ("可提交 3", "带说明 2", "2 行 手机号为空（MOBILE_MISSING", "与他人同名，印章名称加以区分（SEAL_NAME_DUPLICATE"),
        "en": ("Ready 3", "With notes 2", "2 × Mobile number missing (MOBILE_MISSING", "of a doctor of the same name (SEAL_NAME_DUPLICATE"),
    }[language]  # fmt: skip
    assert all(text in printed for text in texts)
    assert name(1) not in printed


def test_a_run_without_warnings_counts_none(hospital, capsys):
    hospital.doctors(1)
    assert hospital.go("check") == 0
    assert "With notes" not in capsys.readouterr().err


@pytest.mark.parametrize("language", ["zh", "en"])
def test_numbers_that_end_in_000_and_may_be_right_are_counted_apart(hospital, capsys, language):
    may_be_right = next(
        digits for order in range(10) if is_valid(digits := f"110199199001{order + 1:02d}1000")
    )
    wrong = f"{may_be_right[:14]}2000"
    hospital.roster(
        [
            (name(1), may_be_right, "15400000001", "00001", "内科"),
            (name(2), wrong, "15400000002", "00002", "内科"),
        ]
    )
    assert hospital.go("--lang", language, "check") == 3
    printed = capsys.readouterr().err
    text = {
        "zh": "其中 1 个号码以 000 结尾而校验码相符",
        "en": "1 of these numbers ends in 000 and has a check digit that fits",
    }[language]
    assert printed.count(text) == 1
    assert "2 行 证件号码被 Excel 损坏" in printed or "2 × Identity number damaged by Excel" in printed
    summary = openpyxl.load_workbook(hospital.newest / "results.xlsx").worksheets[0]
    assert sum(text in str(cell.value) for line in summary.iter_rows() for cell in line) == 1
    first, second = hospital.outcomes("plan.jsonl")
    messages = [line["problems"][0]["message"] for line in (first, second)]
    assert ("6、8、4" if language == "zh" else "groups of 6, 8 and 4") in messages[0]
    assert ("6、8、4" if language == "zh" else "groups of 6, 8 and 4") not in messages[1]
