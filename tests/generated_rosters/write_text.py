"""Rosters as text: CSV in every encoding and delimiter, and the HTML tables that hospital systems save as .xls."""

import csv
import io
from html import escape

from generated_rosters.truth import FilePlan, SheetPlan
from generated_rosters.values import shown

ENCODINGS = {
    "utf-8": lambda text: text.encode("utf-8"),
    "utf-8-sig": lambda text: text.encode("utf-8-sig"),
    "utf-16": lambda text: text.encode("utf-16"),
    "utf-16-be-bom": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "gb18030": lambda text: text.encode("gb18030"),
}


def write_csv(file: FilePlan) -> bytes:
    """Return the file and set the physical lines of every record."""
    (plan,) = file.sheets
    stream = io.StringIO(newline="")
    end = file.options.get("line_end", "\r\n")
    quoting = csv.QUOTE_ALL if file.options.get("quoted") or end == "\r" else csv.QUOTE_MINIMAL
    writer = csv.writer(stream, delimiter=file.options["delimiter"], lineterminator=end, quoting=quoting)
    width = len(plan.columns)
    line = 1
    if file.options.get("hint"):
        stream.write(f"sep={file.options['delimiter']}{end}")  # Excel's own word on the delimiter
        line = 2
    plan.head.clear()
    for _, cells in plan.header:
        plan.head.append(line)
        line = _record(writer, stream, cells, width, line, blank=not cells)
    for line_value in plan.lines:
        first = line
        line = _record(
            writer,
            stream,
            line_value.cells,
            width,
            line,
            blank=line_value.row is None and not line_value.cells,
        )
        line_value.physical_lines = (first, line - 1)
    return ENCODINGS[file.options["encoding"]](stream.getvalue())


def _record(writer, stream, cells, width: int, line: int, *, blank: bool = False) -> int:
    """Write one record and return the physical line on which the next one starts."""
    before = stream.tell()
    if blank:
        stream.write(writer_end(writer))
    else:
        values = [shown(value) for value in cells]
        writer.writerow(values + [""] * (width - len(values)))
    stream.seek(before)
    written = stream.read()
    return line + written.count("\n") + written.count("\r") - written.count("\r\n")


def writer_end(writer) -> str:
    """Return what ends a line of this writer."""
    return writer.dialect.lineterminator


def write_html(file: FilePlan) -> bytes:
    """Return a page with one table, and set each line's place among its rows."""
    (plan,) = file.sheets
    charset = file.options["encoding"]
    meta = f'<meta http-equiv="Content-Type" content="text/html; charset={charset}"/>'
    rows, number = [], 0
    covered = _covered(plan)
    careless = bool(file.options.get("careless"))
    for _, cells in plan.header:
        number += 1
        rows.append(_row(plan, number, cells, covered, tag="th" if number == len(plan.header) else "td"))
    for line in plan.lines:
        number += 1
        line.physical_lines = (number, number)
        rows.append(_row(plan, number, line.cells, covered, careless=careless))
    page = (
        '<html xmlns:o="urn:schemas-microsoft-com:office:office" xmlns:x="urn:schemas-microsoft-com:office:excel">\n'
        f'<head>{"" if file.options.get("silent") else meta}<style>td {{mso-number-format:"\\@"}}</style>'
        f'<title>导出</title></head>\n<body><table border="1">\n{"".join(rows)}</table></body></html>\n'
    )
    return page.encode("gb18030" if charset.startswith("gb") else charset)


def _covered(plan: SheetPlan) -> set[tuple[int, int]]:
    return {
        (line, column)
        for first, merge, last, right in plan.merges
        for line in range(first, last + 1)
        for column in range(merge, right + 1)
        if (line, column) != (first, merge)
    }


def _row(plan: SheetPlan, number: int, cells, covered, *, tag: str = "td", careless: bool = False) -> str:
    spans = {
        (first, merge): (last - first + 1, right - merge + 1) for first, merge, last, right in plan.merges
    }
    made = []
    for column in range(len(plan.columns)):
        if (number, column) in covered:
            continue
        text = escape(shown(cells[column] if column < len(cells) else None)).replace("\n", "<br>")
        span = spans.get((number, column))
        extent = f' rowspan="{span[0]}" colspan="{span[1]}"' if span else ""
        made.append(f"<{tag}{extent}>{text.replace(chr(0xA0), '&nbsp;') or '&nbsp;'}</{tag}>")
    line = f"<tr>{''.join(made)}</tr>\n"
    return _careless(line) if careless else line


def _careless(line: str) -> str:
    """Return the line as old programs write it: tags in capitals, those of cells and lines never closed."""
    for tag in ("td", "th", "tr"):
        line = line.replace(f"</{tag}>", "").replace(f"<{tag}", f"<{tag.upper()}")
    return line
