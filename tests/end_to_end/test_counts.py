"""One number of rows to correct on every surface; where another number stands, the words say what is different."""

import re

import openpyxl
import pytest
from run_support import name, number


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_surface_says_how_many_rows_are_to_be_corrected(hospital, capsys, language):
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
    assert book.worksheets[2].max_row == 1 + 1, "the sheet To fix"
    texts = {
        "zh": ("待改 2（其中 1 行重复，无需处理）", "1 行要修改", "失败待改（1）", "其中 1 行重复"),
        "en": ("To correct 2 (duplicates, no action needed: 1)", "Rows to correct: 1", "To fix (1)", "duplicates that need no action: 1"),
    }[language]  # fmt: skip
    assert texts[0] in console
    assert texts[1] in console
    assert any(texts[1] in line for line in summary)
    assert any(texts[2] in line for line in summary)
    assert any(texts[3] in line for line in summary)
    assert texts[3] in page
    todo = re.search(r"(\d+) (?:行需要处理|need action)", page)
    assert todo
    assert int(todo[1]) == 1
    refused = "1 个名单文件没有读取" if language == "zh" else "Roster files not read: 1"
    assert refused in console
    assert refused in page
