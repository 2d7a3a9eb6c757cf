"""Sheets beside the roster: instructions with an example person, hidden ones with old lists, notes, empty ones."""

from generated_rosters.cast import Cast
from generated_rosters.layout import EXAMPLE, HEADER, TITLE
from generated_rosters.truth import FilePlan, LinePlan, RowPlan, SheetPlan, Skip, refused, sent

GUIDE = (
    "填写说明",
    "一、本表由各科室填写，医务科汇总后导入电子签平台，每人一行。",
    "二、证件号码须与证件一致，录入前请先将整列设为“文本”格式。",
    "三、印章图片为 PNG 或 JPG，白底或透明底。",
)
MANY = frozenset({"openpyxl", "rich", "wps", "xls"})


def side_sheets(cast: Cast, file: FilePlan) -> None:
    """Put some of them into a workbook, before and behind its own sheets."""
    if file.form not in MANY:
        return
    behind = [_example, _hidden, _very_hidden, _notes, _empty]
    chosen = [make for make in behind if cast.dice.random() < 0.75]
    for make in chosen:
        sheet = make(cast)
        file.sheets.insert(cast.dice.choice((0, len(file.sheets))), sheet)


def _people(cast: Cast, sheet: SheetPlan, count: int, skip) -> None:
    """Write people whose pictures lie ready and who must not be sent."""
    sheet.header.append((HEADER, ["姓名", "身份证号", "手机号", "备注"]))
    for _ in range(count):
        person = cast.person()
        cast.leave(f"{person.name}.png", cast.png(person).data)
        sheet.lines.append(LinePlan(skip=skip, cells=(person.name, person.number, person.mobile, None)))


def _example(cast: Cast) -> SheetPlan:
    name = cast.dice.choice(("填写说明", "填表说明", "示例", "填写示例", "样表"))
    sheet = SheetPlan(name, ["name", "number", "mobile", "~note"])
    if "说明" in name:
        sheet.header.extend((TITLE, [text]) for text in GUIDE)
    _people(cast, sheet, 1, EXAMPLE)
    return sheet


def _hidden(cast: Cast) -> SheetPlan:
    sheet = SheetPlan("旧名单", ["name", "number", "mobile", "~note"], state="hidden", status="hidden")
    _people(cast, sheet, 3, None)
    return sheet


def _very_hidden(cast: Cast) -> SheetPlan:
    sheet = SheetPlan("数据源", ["name", "number", "mobile", "~note"], state="veryHidden", status="hidden")
    _people(cast, sheet, 2, None)
    return sheet


def _notes(cast: Cast) -> SheetPlan:
    sheet = SheetPlan("说明", ["~note"], status="no_header")
    sheet.lines.extend(LinePlan(skip=TITLE, cells=(text,)) for text in GUIDE)
    return sheet


def _empty(cast: Cast) -> SheetPlan:
    return SheetPlan("Sheet9", ["~note"], status="empty")


def grouped(cast: Cast) -> FilePlan:
    """Return a roster whose group headings alone tell the doctor's name from the relative's.

    Stopping at two columns that claim one field is as good as reading it right; reading the relative's is not.
    """
    columns = ["name", "number", "mobile", "~relative", "~contact_phone"]
    sheet = SheetPlan("名单", columns)
    sheet.header.append((Skip(frozenset({"header", "title"})), ["医师信息", None, None, "家属信息", None]))
    sheet.header.append((HEADER, ["姓名", "身份证号", "手机号", "姓名", "手机号"]))
    sheet.merges += [(1, 0, 1, 2), (1, 3, 1, 4)]
    for _ in range(4):
        person, other = cast.person(), cast.person()
        made = cast.png(person)
        cast.add_file(f"{person.number}.png", made.data)
        row = RowPlan("two groups with a name each", {"number": person.number}, (sent(person, made),))
        cells = (person.name, person.number, person.mobile, other.name, other.mobile)
        sheet.lines.append(LinePlan(row=row, cells=cells))
    codes = frozenset({"HEADER_AMBIGUOUS"})
    return FilePlan("17分组表头.xlsx", "openpyxl", [sheet], codes=codes, either=True)


def bare() -> FilePlan:
    """Return a roster that has titles and no doctor yet."""
    sheet = SheetPlan("名单", ["name", "number"])
    sheet.header.append((HEADER, ["姓名", "身份证号"]))
    statuses = frozenset({"read", "refused"})
    return FilePlan(
        "18只有表头.xlsx", "openpyxl", [sheet], statuses=statuses, codes=frozenset({"FILE_EMPTY"})
    )


def two_phones(cast: Cast) -> FilePlan:
    """Return a roster with a mobile and a contact telephone: stopping and taking the mobile are both right."""
    sheet = SheetPlan("名单", ["name", "number", "mobile", "~contact_phone"])
    sheet.header.append((HEADER, ["姓名", "身份证号", "手机号", "联系电话"]))
    for _ in range(3):
        person, other = cast.person(), cast.person()
        made = cast.png(person)
        cast.add_file(f"{person.number}.png", made.data)
        row = RowPlan("a mobile and a contact telephone", {"number": person.number}, (sent(person, made),))
        sheet.lines.append(LinePlan(row=row, cells=(person.name, person.number, person.mobile, other.mobile)))
    codes = frozenset({"HEADER_AMBIGUOUS"})
    return FilePlan("19两列电话.xlsx", "openpyxl", [sheet], codes=codes, either=True)


def copies(cast: Cast) -> list[FilePlan]:
    """Return one roster under two names, as a copy on the desktop makes it: every doctor is sent once."""
    sheets = [SheetPlan(None, ["name", "number", "mobile"]) for _ in range(2)]
    for sheet in sheets:
        sheet.header.append((HEADER, ["姓名", "身份证号", "手机号"]))
    for _ in range(5):
        person = cast.person()
        made = cast.png(person)
        cast.add_file(f"{person.number}.png", made.data)
        for sheet in sheets:
            accept = (sent(person, made), refused("ROW_DUPLICATE", "number"))
            row = RowPlan("a copied file", {"number": person.number}, accept, once=f"copied {person.serial}")
            cells = (person.name, person.number, person.mobile)
            sheet.lines.append(LinePlan(row=row, cells=cells, columns=sheet.columns))
    options = {"encoding": "utf-8-sig", "delimiter": ","}
    return [
        FilePlan(f"20名单{end}.csv", "csv", [sheet], options)
        for end, sheet in zip(("", " - 副本"), sheets, strict=True)
    ]
