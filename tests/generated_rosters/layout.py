"""How a sheet is laid out: titles, headers in every spelling, decoys, merged departments, totals, notes, examples."""

from dataclasses import dataclass

from generated_rosters.cast import FIELDS, Cast, Table
from generated_rosters.truth import LinePlan, RowPlan, SheetPlan, Skip
from generated_rosters.values import Value

SPELLINGS = {
    "name": ("姓名", "*姓名", "医生姓名", "医师姓名", "姓 名", "姓名（必填）", "医师\n姓名", "人员姓名", "职工姓名", "姓　名", "真实姓名", "医生名称", "医护姓名", "名字", "姓名：", "★姓名", "姓名*", "姓名（与身份证一致）", "姓名\u200b"),
    "number": ("身份证号", "身份证号码", "*证件号码", "证件号码\n（18位）", "证件号（必填）", "公民身份号码", "身份证", "*身份证号码*", "身份证件号", "身份证号码\n（请用文本格式）", "身份证号码："),
    "type": ("证件类型", "*证件类型", "证件类别", "证件种类"),
    "mobile": ("手机号", "手机号码", "联系电话", "联系方式", "移动电话", "手机号（非必填）", "电话(号码)", "手 机", "※手机号", "手机号码（11位）"),
    "staff_no": ("工号", "职工号", "员工编号", "人员编码", "*工号"),
    "department": ("科室", "所在科室", "部门", "*所在科室", "科 室"),
    "seal_name": ("印章名称", "签章名称", "电子印章名称", "章名"),
    "picture": ("印章图片", "签名图片", "手写签名", "电子签名", "印章文件", "签名照片"),
    "~serial": ("序号", "编号", "No."),
    "~sex": ("性别",),
    "~title": ("职称", "*职称", "专业技术职务"),
    "~note": ("备注", "备注（选填）"),
    "~relative": ("家属姓名", "患者姓名", "推荐人姓名", "见证医师姓名", "主诊医师姓名", "开单医师姓名"),
    "~relative_number": ("家属身份证号", "家属身份证号码"),
    "~contact": ("紧急联系人", "紧急联系人姓名"),
    "~contact_phone": ("紧急联系人电话", "办公电话", "家属电话"),
    "~their_phone": ("联系电话", "电话", "联系方式", "手机号码"),  # behind the other person's name
    "~valid": ("身份证有效期", "证件有效期"),
    "~clerk": ("填表人", "审核人"),
    "~licence": ("执业证号", "执业证书编码"),
    "~void": (None,),
}  # fmt: skip
OTHER_PERSONS = ("~relative", "~contact", "~clerk")
DECOYS = ("~relative", "~relative_number", "~contact", "~contact_phone", "~valid", "~clerk", "~licence")
GROUPS = (
    ("基本信息", ("~serial", "staff_no", "name", "~sex", "department", "~title")),
    ("证件信息", ("type", "number", "~valid")),
    ("联系方式", ("mobile", "~contact", "~contact_phone")),
    ("电子签章", ("seal_name", "picture")),
)
NOTES = (
    "说明：证件号码、手机号两列请保持“文本”格式。",
    "填表日期：2026年11月20日",
    "注：表中人员均已取得处方权。",
    "以下空白",
    "单位负责人（签字）：                 日期：",
    "科室（盖章）：",
    "打印时间：2026-11-20 10:22",
    "备注：如有疑问请联系医务科，电话 6018。",
    "第 1 页 共 3 页",
)
# what stands beside real doctors, and only looks like a line that is none
REMARKS = (
    *[None] * 12,
    "返聘",
    "多点执业",
    "新入职",
    "原印章请删除",
    "病例讨论组长",
    "示范岗",
    "合计工龄20年",
    "注：周三出诊",
    "说明：已换证",
)
HINTS = {
    "name": "必填",
    "number": "必填，18位，文本格式",
    "type": "下拉选择",
    "mobile": "选填，11位",
    "staff_no": "选填",
    "picture": "PNG或JPG",
}
HEADER, TITLE, NOTE, TOTAL, BLANK = (
    Skip(frozenset(whys.split())) for whys in ("header", "title note", "note title", "total", "blank")
)
UNDER = Skip(frozenset({"header", "title", "note", "example"}))
EXAMPLE = Skip(frozenset({"example"}))


@dataclass(frozen=True)
class Style:
    """What a sheet shows beside its rows."""

    titles: bool = False
    two_rows: bool = False
    merged: bool = False  # departments stand once, in a merged cell
    sections: bool = False  # a line with the department's name before its doctors
    totals: bool = False
    repeated: bool = False  # the header again, as on a printed page
    pages: bool = False  # the title and the header again
    reordered: bool = False  # a second table below, its columns in another order
    prefilled: bool = False  # serial numbers and departments wait for doctors
    notes: bool = False
    gaps: bool = False
    example: bool = False
    hints: bool = False  # under the titles, how to fill in each column
    counted: bool = False  # under the titles, the number of each column


def sheet(cast: Cast, name: str | None, fields=FIELDS, *, decoys: int = 3) -> SheetPlan:
    """Return a sheet with these fields and some decoys in an order of its own."""
    columns = list(fields) + list(cast.dice.sample(DECOYS, decoys)) + ["~sex", "~title", "~note"]
    _shuffle(cast, columns)
    margin = ["~void"] if name is not None and cast.dice.random() < 0.25 else []
    return SheetPlan(name, [*margin, "~serial", *columns])


def _shuffle(cast: Cast, columns: list[str]) -> None:
    """Order columns anew; a relative's or a contact's telephone stands behind the name, and all of that behind the rest."""
    cast.dice.shuffle(columns)
    others = [column for column in columns if column in OTHER_PERSONS]
    columns[:] = [column for column in columns if column not in {*others, "~their_phone"}]
    for column in others:
        columns += [column, "~their_phone"] if column != "~clerk" else [column]


def lay_out(cast: Cast, table: Table, style: Style) -> None:
    """Put the rows of a table into its sheet, with everything that stands around them."""
    plan, rows = table.sheet, list(table.rows)
    cast.dice.shuffle(rows)
    if style.two_rows:
        _group(plan)
    if style.merged or style.sections:
        rows.sort(key=lambda row: row.department)
    _head(cast, plan, style)
    _under(cast, plan, style)
    last = ""
    for index, row in enumerate(rows, start=1):
        if style.sections and row.department != last:
            plan.lines.append(LinePlan(skip=TITLE, cells=_alone(plan, row.department)))
        elif (index > 3 and row.department != last) or not style.merged:
            _between(cast, plan, style, index)
        if style.merged and last == row.department and row.cells.get("department") and plan.lines[-1].row:
            _merge_up(plan)
            row.cells["department"] = None
        last = row.department
        columns = plan.order or plan.columns
        plan.lines.append(LinePlan(row=row, cells=_line(cast, plan, row, index), columns=columns))
        if style.reordered and index == len(rows) // 2:
            _reorder(cast, plan)
    _foot(cast, plan, style, len(rows))


def _under(cast: Cast, plan: SheetPlan, style: Style) -> None:
    """Write what helps those who fill in the form."""
    if style.counted:
        cells = tuple(str(index) for index in range(1, len(plan.columns) + 1))
        plan.lines.append(LinePlan(skip=UNDER, cells=cells))
    if style.hints:
        plan.lines.append(LinePlan(skip=UNDER, cells=tuple(HINTS.get(column) for column in plan.columns)))
    if style.example:
        plan.lines.append(_example(cast, plan))


def _group(plan: SheetPlan) -> None:
    """Bring the columns of a group together, as a merged heading needs them."""
    known = [column for _, columns in GROUPS for column in columns]
    grouped = [column for column in known if column in plan.columns]
    known.append("~their_phone")  # its person stands in a group now
    plan.columns[:] = grouped + [column for column in plan.columns if column not in known]


def _head(cast: Cast, plan: SheetPlan, style: Style) -> None:
    width = len(plan.columns)
    if cast.dice.random() < 0.3:  # the table does not begin in the first line
        plan.header.extend((BLANK, []) for _ in range(cast.dice.randint(1, 3)))
    if style.titles:
        title = cast.dice.choice(("市人民医院电子处方医师印章登记表", "医师电子签章采集表（2026年）"))
        plan.header.append((TITLE, [title]))
        plan.merges.append((len(plan.header), 0, len(plan.header), width - 1))
        plan.header.append((TITLE, ["填报单位：医务科", None, "填报日期：2026年11月20日"]))
        if cast.dice.random() < 0.5:
            plan.header.append((BLANK, []))
    if style.two_rows:
        _two_rows(cast, plan)
    else:
        plan.header.append((HEADER, _titles(cast, plan)))


def _titles(cast: Cast, plan: SheetPlan) -> list[Value]:
    return [cast.dice.choice(SPELLINGS[column]) for column in plan.columns]


def _two_rows(cast: Cast, plan: SheetPlan) -> None:
    """Write group headings over the titles; what belongs to no group is merged over both lines."""
    top: list[Value] = [None] * len(plan.columns)
    titles = _titles(cast, plan)
    line = len(plan.header) + 1
    for heading, columns in GROUPS:
        places = [position for position, column in enumerate(plan.columns) if column in columns]
        if len(places) > 1:
            top[places[0]] = heading
            plan.merges.append((line, places[0], line, places[-1]))
        elif places:
            top[places[0]], titles[places[0]] = titles[places[0]], None
            plan.merges.append((line, places[0], line + 1, places[0]))
    known = {column for _, columns in GROUPS for column in columns}
    for index, column in enumerate(plan.columns):
        if column not in known and titles[index]:
            top[index], titles[index] = titles[index], None
            plan.merges.append((line, index, line + 1, index))
    plan.header.append((Skip(frozenset({"header", "title"})), top))
    plan.header.append((HEADER, titles))


def _reorder(cast: Cast, plan: SheetPlan) -> None:
    """Begin a second table: the same titles in another order."""
    plan.order = list(plan.columns)
    _shuffle(cast, plan.order)
    plan.lines.append(LinePlan(skip=BLANK))
    plan.lines.append(LinePlan(skip=HEADER, cells=_current(plan)))


def _current(plan: SheetPlan) -> tuple[Value, ...]:
    """Return the titles in the order of the table that is being written."""
    titles = dict(zip(plan.columns, plan.header[-1][1], strict=True))
    return tuple(titles[column] for column in plan.order or plan.columns)


def _line(cast: Cast, plan: SheetPlan, row: RowPlan, position: int) -> tuple[Value, ...]:
    return tuple(
        row.cells[column] if column in row.cells else _decoy(cast, column, position)
        for column in plan.order or plan.columns
    )


def _decoy(cast: Cast, column: str, position: int) -> Value:
    """Return what stands beside a doctor; it looks as real as the doctor's own."""
    dice = cast.dice
    if column == "~serial":
        return dice.choice((f"{position}",) * 9 + (f"{position}、", f"No.{position}", f"{position:03}"))
    if column in OTHER_PERSONS:
        return cast.crowd.stranger()
    if column == "~relative_number":
        return cast.crowd.number()
    if column in ("~contact_phone", "~their_phone"):
        return f"164{dice.randrange(10**8):08}"
    return {
        "~void": None,
        "~sex": dice.choice("男女"),
        "~title": dice.choice(("主任医师", "副主任医师", "主治医师", "住院医师")),
        "~valid": dice.choice(("2018.03.07-2038.03.07", "长期")),
        "~licence": f"110{dice.randrange(10**12):012}",
        "~note": dice.choice(REMARKS),
    }[column]


def _alone(plan: SheetPlan, text: str) -> tuple[Value, ...]:
    """Return a line with one text in its first cell."""
    return (text, *([None] * (len(plan.columns) - 1)))


def _between(cast: Cast, plan: SheetPlan, style: Style, position: int) -> None:
    if style.gaps and cast.dice.random() < 0.06:
        plan.lines.extend(LinePlan(skip=BLANK) for _ in range(cast.dice.randint(1, 3)))
    if style.totals and position > 1 and cast.dice.random() < 0.06:
        plan.lines.append(_total(cast, plan, position))
    if style.repeated and position % 17 == 0 and not style.two_rows:
        plan.lines.append(LinePlan(skip=HEADER, cells=_current(plan)))
    if style.pages and position % 19 == 0:
        plan.lines.append(LinePlan(skip=NOTE, cells=_alone(plan, f"第{position // 19}页")))
        plan.lines.extend(
            LinePlan(skip=skip, cells=tuple(cells)) for skip, cells in plan.header[:-1] if cells
        )
        plan.lines.append(LinePlan(skip=HEADER, cells=_current(plan)))


def _total(cast: Cast, plan: SheetPlan, position: int) -> LinePlan:
    """Return a subtotal: the word in the first cell or in the name's, a count somewhere, or all in one text."""
    cells: list[Value] = [None] * len(plan.columns)
    where = cast.dice.choice((0, plan.columns.index("name")))
    labels = (
        "小计",
        "小计：",
        "合计",
        "小 计",
        f"小计{position}人",
        f"合计：{position}人",
        f"小计（{position}人）",
        "内科小计",
    )
    word = cast.dice.choice(labels)
    cells[where] = word
    if not any(sign.isdigit() for sign in word):
        cells[plan.columns.index("~title")] = cast.dice.choice((f"{position}人", f"{position}"))
    return LinePlan(skip=TOTAL, cells=tuple(cells))


def _merge_up(plan: SheetPlan) -> None:
    """Let the merged department cell reach down to the line that comes next."""
    column = plan.columns.index("department")
    line = len(plan.header) + len(plan.lines)  # of the row before, from 1
    open_ = next(
        (m for m in plan.merges if m[1] == column and m[0] > len(plan.header) and m[2] == line), None
    )
    if open_ is not None:
        plan.merges.remove(open_)
    plan.merges.append((open_[0] if open_ else line, column, line + 1, column))


def _example(cast: Cast, plan: SheetPlan) -> LinePlan:
    """Return the line that shows how to fill in the others; its person has a picture, and is nobody."""
    person = cast.person()
    cast.leave(f"{person.name}.png", cast.png(person).data)
    cells = {**dict.fromkeys(plan.columns), "name": person.name, "number": person.number}
    cells |= {"mobile": person.mobile, "~serial": cast.dice.choice(("示例", "例", "样例", "例如"))}
    return LinePlan(skip=EXAMPLE, cells=tuple(cells[column] for column in plan.columns))


def _foot(cast: Cast, plan: SheetPlan, style: Style, count: int) -> None:
    if style.prefilled:
        for index in range(count + 1, count + 6):
            cells = {
                **dict.fromkeys(plan.columns),
                "~serial": str(index),
                "department": "内科",
                "type": "身份证",
            }
            plan.lines.append(
                LinePlan(skip=BLANK, cells=tuple(cells[column] for column in plan.order or plan.columns))
            )
    if style.totals:
        plan.lines.append(LinePlan(skip=TOTAL, cells=_alone(plan, f"合计：{count} 人")))
    if style.notes:
        plan.lines.append(LinePlan(skip=BLANK))
        for text in ("制表人：吴敏                审核人：周立", *cast.dice.sample(NOTES, 3)):
            plan.lines.append(LinePlan(skip=NOTE, cells=_alone(plan, text)))
