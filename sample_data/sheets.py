"""The roster as its two files: the workbook that a medical office keeps, and the CSV that Excel makes of it."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from io import BytesIO, StringIO
from typing import Any

import xlsxwriter
from entries import ID_CARD, PERMIT, RESIDENCE, Entry

SHEET = "医师名单"
TITLE = "清岚市第一人民医院电子处方医师印章登记表"
FILLED_IN = "填报部门：医务科        填报日期：2026年11月20日        填表人：吴敏        联系电话：内线 6018"
# heading, width in characters, whether it is set in the middle
COLUMNS = (
    ("序号", 6, True),
    ("工号", 8, True),
    ("姓名", 17, True),
    ("性别", 6, True),
    ("科室", 21, False),
    ("职称", 12, True),
    ("证件类型", 25, False),
    ("证件号码", 23, False),
    ("手机号", 15, True),
    ("印章名称", 19, False),
    ("印章图片", 25, False),
    ("备注", 18, False),
)
SIGNED = "制表人：吴敏                审核人：周立                医务科（盖章）："
REMARKS = (
    "说明：证件号码、手机号两列请保持“文本”格式；印章图片按工号或姓名命名，另有文件名的填入“印章图片”列。"
)
GUIDE = (
    "填写说明",
    "一、本表由各科室填写，医务科汇总后交信息科导入电子签平台，每人一行，不得合并单元格。",
    f"二、证件类型填写：{ID_CARD}、{PERMIT}、{RESIDENCE}。暂不办理护照等其他证件。",
    "三、证件号码须与证件一致。录入前请先将整列设为“文本”格式，否则 Excel 会把第 16 位以后的数字改为 0。",
    "四、港澳居民来往内地通行证填写 11 位：证件上的 9 位号码加 2 位换证次数。",
    "五、手机号用于开通授权签（原自动签），填写本人号码，只填一个。",
    "六、印章图片为 PNG 或 JPG，白底或透明底，放入 seals 文件夹。",
)


def values(entry: Entry, position: int) -> tuple[str | int, ...]:
    """Return a line's cells in the order of the columns."""
    return (
        position,
        entry.staff_no,
        entry.name,
        entry.sex,
        entry.department,
        entry.title,
        entry.card,
        entry.number,
        entry.mobile,
        entry.seal_name,
        entry.picture,
        entry.note,
    )


def total(entries: list[Entry]) -> str:
    """Return the closing line that counts the doctors."""
    return f"合计：{len(entries)} 人"


def workbook(entries: list[Entry]) -> bytes:
    """Return ``roster.xlsx``: title and header over one line a doctor, ready to print on A4 across."""
    stream = BytesIO()
    with xlsxwriter.Workbook(stream, {"in_memory": True}) as book:
        # a workbook carries its date of birth; a fixed one keeps the file the same
        book.set_properties(
            {"title": TITLE, "author": "医务科", "created": datetime(2026, 11, 20, 9, tzinfo=UTC)}
        )
        _fill(book, book.add_worksheet(SHEET), entries)
        _guide(book, book.add_worksheet("填写说明"))
    return stream.getvalue()


def _fill(book: Any, sheet: Any, entries: list[Entry]) -> None:
    face = {"font_name": "宋体", "font_size": 11, "valign": "vcenter"}
    boxed = {**face, "border": 1}
    remaining = book.add_format({**boxed, "num_format": "@"})
    centred = book.add_format({**boxed, "num_format": "@", "align": "center"})
    general = book.add_format({**boxed, "align": "center"})
    head = book.add_format({**boxed, "bold": True, "align": "center", "bg_color": "#DDEBF7"})
    last = len(COLUMNS) - 1

    for column, (_, width, _) in enumerate(COLUMNS):
        sheet.set_column(column, column, width)
    sheet.set_row(0, 34)
    title = {**face, "font_name": "黑体", "font_size": 18, "align": "center"}
    sheet.merge_range(0, 0, 0, last, TITLE, book.add_format(title))
    sheet.set_row(1, 22)
    sheet.merge_range(1, 0, 1, last, FILLED_IN, book.add_format(face))
    sheet.set_row(2, 26)
    sheet.write_row(2, 0, [heading for heading, _, _ in COLUMNS], head)

    for index, entry in enumerate(entries, start=1):
        line = index + 2
        sheet.set_row(line, 20)
        for column, (value, (_, _, middle)) in enumerate(zip(values(entry, index), COLUMNS, strict=True)):
            if isinstance(value, int):
                sheet.write_number(line, column, value, general)
            else:
                # an empty cell stays blank, as a hand leaves it
                sheet.write(line, column, value or None, centred if middle else remaining)

    end = len(entries) + 3
    sheet.set_row(end, 22)
    sheet.merge_range(end, 0, end, last, total(entries), book.add_format({**boxed, "bold": True}))
    sheet.merge_range(end + 2, 0, end + 2, last, SIGNED, book.add_format(face))
    sheet.merge_range(end + 3, 0, end + 3, last, REMARKS, book.add_format({**face, "font_color": "#595959"}))

    sheet.data_validation(
        3, 6, end - 1, 6, {"validate": "list", "source": [ID_CARD, PERMIT, RESIDENCE, "护照"]}
    )
    sheet.ignore_errors({"number_stored_as_text": f"B4:I{end}"})
    sheet.freeze_panes(3, 3)
    sheet.set_landscape()
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(2)
    sheet.set_margins(left=0.4, right=0.4, top=0.6, bottom=0.6)
    sheet.set_footer("&C第 &P 页，共 &N 页")


def _guide(book: Any, sheet: Any) -> None:
    sheet.set_column(0, 0, 70)
    sheet.hide_gridlines(2)
    sheet.set_paper(9)  # A4
    sheet.fit_to_pages(1, 0)
    wrap = book.add_format({"font_name": "宋体", "font_size": 12, "text_wrap": True, "valign": "vcenter"})
    for line, text in enumerate(GUIDE):
        sheet.set_row(line, 38)
        sheet.write_string(line, 0, text, wrap)


def comma_separated(entries: list[Entry]) -> bytes:
    """Return ``roster-gb18030.csv``: the same sheet, line by line, as Excel saves it on a Chinese Windows."""
    stream = StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\r\n")
    rest = [""] * (len(COLUMNS) - 1)
    writer.writerow([TITLE, *rest])
    writer.writerow([FILLED_IN, *rest])
    writer.writerow([heading for heading, _, _ in COLUMNS])
    for index, entry in enumerate(entries, start=1):
        writer.writerow([_shown(value) for value in values(entry, index)])
    writer.writerows([[total(entries), *rest], ["", *rest], [SIGNED, *rest], [REMARKS, *rest]])
    return stream.getvalue().encode("gb18030")


def _shown(value: str | int) -> str:
    """Return what the General format shows of a cell, which is all that a CSV keeps of it."""
    if isinstance(value, int) and value >= 10**11:
        return f"{value:.5E}"
    return str(value)
