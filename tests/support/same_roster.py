"""One roster of 200 invented doctors to be saved in every format: what any reader must give back."""

from people import name, number

TITLES = ("工号", "姓名", "身份证号码", "科室", "手机", "备注")
TITLE = "某某医院医生名单"
DEPARTMENTS = ("内科", "外科(一)", "急诊·ICU", "")
REMARKS = ("", "返聘", "5'10\" 高", "一,二;三", "第一行\n第二行", '"全引"', "𠮷野", "=无", "a\tb", "'01")
NAMES = {3: "欧阳䶮", 7: "买买提·艾力", 11: "㼆某", 13: "𠮷一", 17: "张　三", 19: "李 四", 23: "镕堃喆"}


def people() -> list[tuple[str, ...]]:
    """Return the cells of 200 rows, all texts: leading zeros, rare characters, marks, breaks and delimiters."""
    return [
        (
            f"{serial:04d}",
            NAMES.get(serial, name(serial)),
            number(serial).lower() if serial % 9 == 0 else number(serial),
            DEPARTMENTS[serial % 4],
            f"138{serial:08d}",
            REMARKS[serial % len(REMARKS)],
        )
        for serial in range(200)
    ]


def table() -> list[tuple[str, ...]]:
    """Return every line: a title, the header, the rows with a blank line among them, a total."""
    rows = people()
    return [(TITLE,), TITLES, *rows[:100], (), *rows[100:], ("合计：200人",)]


def content(rows) -> list[tuple[str, ...]]:
    """Return what was read of each row, by column, in the form of ``people``."""
    assert all(cell.header == title for row in rows for cell, title in zip(row.cells, TITLES, strict=True))
    return [tuple(cell.value or "" for cell in row.cells) for row in rows]
