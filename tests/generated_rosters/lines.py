"""Files, sheets and lines that are no doctors: every one of them must be accounted for in files.jsonl."""

import re
from collections.abc import Iterator, Mapping

from generated_rosters.truth import Corpus, FilePlan, Record, SheetPlan

LineFault = tuple[str, str, str, str]  # place, trap, expected, got


def judge_files(corpus: Corpus, record: Record) -> Iterator[LineFault]:
    """Compare files.jsonl and the sheet of unpaired pictures with the truth."""
    shown = {line["file"]: line for line in record.files}
    for file in corpus.files:
        line = shown.pop(file.name, None)
        if line is None:
            yield file.name, file.trap, "a line in files.jsonl", "none"
        else:
            yield from _file(file, line)
    for name in shown:
        yield name, "no roster", "no line in files.jsonl", "one"
    yield from _unclaimed(corpus, record)


def _file(file: FilePlan, record: Mapping) -> Iterator[LineFault]:
    codes = set(record["codes"])
    if record["status"] not in file.statuses and not (file.either and record["status"] == "refused"):
        yield (
            file.name,
            file.trap,
            f"{sorted(file.statuses)} {sorted(file.codes)}",
            f"{record['status']} {codes} {record['notes']}",
        )
        return
    if record["status"] == "refused":
        if not codes & file.codes:
            yield file.name, file.trap, f"one of {sorted(file.codes)}", f"{codes} {record['notes']}"
        return
    if codes:
        yield file.name, file.trap, "no codes", f"{codes}"
    sheets = {sheet["sheet"]: sheet for sheet in record["sheets"]}
    for plan in file.sheets:
        yield from _sheet(file, plan, sheets.get(plan.name), record)
    rows = sum(
        line.row is not None for sheet in file.sheets if sheet.status == "read" for line in sheet.lines
    )
    if record["rows"] != rows:
        yield f"{file.name} rows", file.trap, f"{rows} rows", f"{record['rows']}"


def _sheet(file: FilePlan, plan: SheetPlan, record: Mapping | None, line: Mapping) -> Iterator[LineFault]:
    location = f"{file.name} {plan.name}"
    if record is None:
        yield location, "sheet", "a word on the sheet", "none"
        return
    if record["status"] != plan.status:
        yield location, f"sheet {plan.name}", plan.status, f"{record['status']} {record['rows']}"
        return
    if plan.status == "read":
        yield from _lines(
            location, plan, [skipped for skipped in line["skipped_lines"] if skipped["sheet"] == plan.name]
        )


def _lines(location: str, plan: SheetPlan, skipped) -> Iterator[LineFault]:
    """Every line up to the last one that holds something is a row or skipped, once, for the right reason."""
    reasons: dict[int, list[str]] = {}
    for entry in skipped:
        for number in range(entry["first"], entry["last"] + 1):
            reasons.setdefault(number, []).append(entry["why"])
    first = plan.head[0] if plan.head else 1
    for number in range(1, first):
        yield from _one(location, number, frozenset({"title", "note"}), reasons)
    for number, (skip, _) in zip(plan.head or range(1, len(plan.header) + 1), plan.header, strict=True):
        yield from _one(location, number, skip.whys, reasons)
    last = max(
        (index for index, line in enumerate(plan.lines) if line.row is not None or any(line.cells)),
        default=-1,
    )
    for line in plan.lines[: last + 1]:
        first, end = line.physical_lines
        for number in range(first, end + 1):
            yield from _one(location, number, line.skip.whys if line.skip else frozenset(), reasons)


def _one(
    location: str, number: int, whys: frozenset[str], reasons: Mapping[int, list[str]]
) -> Iterator[LineFault]:
    got = reasons.get(number, [])
    right = len(got) == 1 and got[0] in whys if whys else not got
    if not right:
        expected = f"skipped as {sorted(whys)}" if whys else "a row"
        yield f"{location} {number}", "line", expected, f"{got or 'not skipped'}"


def _unclaimed(corpus: Corpus, record: Record) -> Iterator[LineFault]:
    """Pictures that nobody may get are listed."""
    for name in sorted(corpus.leftovers):
        if not record.unclaimed & _as_listed(name, corpus.way):
            yield f"picture {name}", "unpaired pictures", "listed", "not listed"


def _as_listed(name: str, way: str) -> set[str]:
    """Return how the sheet may write a file's name: numbers are masked, GBK bytes may be valid UTF-8."""
    masked = re.sub(r"[0-9]{14,17}(?=[0-9X]{4})", lambda value: "*" * len(value[0]), name)
    if way != "windows":
        return {masked}
    try:
        return {masked, masked.encode("gbk").decode()}
    except UnicodeError:
        return {masked}
