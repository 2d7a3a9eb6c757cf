"""A run that repeats what the last one found ends as one that judges everything anew, whatever changed between them.

Each run here that repeats the last is done twice from the same state: as it comes, and without what the last run kept.
"""

import json
import os
import shutil
import sqlite3
import sys
import time
from contextlib import closing
from functools import partial
from pathlib import Path
from types import MappingProxyType

import openpyxl
import pytest
from repeated_runs import DAY, StillClock, note_recalls, read_results, read_tables
from roster_support import write_roster
from run_support import QuickClock, draw_seal, make_row, name, number

import pipeline
from pipeline.config.config_file import load
from pipeline.reports.presenter import Presenter
from pipeline.reports.records import file_record, outcome_record, run_record
from pipeline.reports.row_values import display_last_attempt
from pipeline.workflow import unchanged_run
from pipeline.workflow.tenant_ledger import open_configured_ledger

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室", "备注", "印章名称", "印章图片")
DOCTORS = range(1, 13)
# what is odd about some of them; the others are clean
ODD = MappingProxyType(
    {
        2: {"number": f"{number(2)[:6]} {number(2)[6:14]} {number(2)[14:]}"},
        3: {"mobile": None},
        4: {"mobile": "138 0013 8000"},
        5: {"department": "内　科 "},
    }
)


class Nights:
    """A hospital of a dozen doctors that have their seals, and of some rows that never get one."""

    def __init__(self, hospital, monkeypatch) -> None:
        self.hospital, self.folder, self.moment = hospital, hospital.folder, QuickClock().now()
        self.rows = [[*make_row(serial, **ODD.get(serial, {})), "备", None, None] for serial in DOCTORS]
        self.recalled, self.monkeypatch = None, monkeypatch
        note_recalls(self, monkeypatch)
        for serial in DOCTORS:
            draw_seal(self.seals / f"{serial:05d}.png", serial)
        (self.seals / "00006.png").rename(self.seals / f"{number(6)}.png")
        (self.seals / "00007.png").rename(self.seals / f"{name(7)}印章.png")
        self.write()
        assert hospital.go("-q", "run") == 0, "all get their seals"
        self.rows += [
            [*make_row(20), "没有图片", None, None],
            [*make_row(21, number=f"110199{2010}0101001"[:17] + "X"), "", None, None],
            [*make_row(22, number="11019919900101001"), "", "ABC12", None],
            [*make_row(1), "再一次", None, None],
            [*make_row(23, number=make_minor()), "", None, None],
            [*make_row(24, number="110199199013010014"), "没有十三月", None, None],
            ["合计：15人", *[None] * 7],
        ]
        self.rows[7][2] = "15400000999"  # another mobile: a person decides
        draw_seal(self.seals / "没有人.png", 30)
        draw_seal(self.seals / "00021.png", 21)
        self.write()
        self.settle()

    @property
    def seals(self):
        return self.folder / "seals"

    @property
    def kept(self):
        return self.folder / "state" / "work" / unchanged_run.FILE

    def write(self, file="roster.xlsx", rows=None, headers=HEADERS) -> None:
        (self.folder / "inbox").mkdir(exist_ok=True)
        write_roster(self.folder / "inbox" / file, [headers, *(rows or self.rows)])

    def write_config(self, lines: str) -> None:
        with (self.folder / "config.yaml").open("a", encoding="utf-8") as file:
            file.write(lines)

    def go(self, *arguments: str) -> int:
        """Type another command, in the night after the last run."""
        return self.hospital.go("-q", *arguments, clock=StillClock(self.moment + DAY / 2))

    def settle(self, after: str = "the first runs") -> None:
        """Run until a run repeats the one before it."""
        for _ in range(4):
            self.moment += DAY
            self.run()
            if self.recalled:
                return
        raise AssertionError(f"no run repeated the one before it after {after}")

    def run(self) -> tuple:
        """Run once; return what its files are made of, and the tables of the ledger."""
        report = pipeline.run(self.folder / "config.yaml", clock=StillClock(self.moment), write=False).report
        presenter = Presenter.for_outcomes(report.outcomes, "zh")
        return (
            [outcome_record(outcome, run="", presenter=presenter) for outcome in report.outcomes],
            [display_last_attempt(outcome) for outcome in report.outcomes],
            [file_record(file, presenter) for file in report.files],
            report.unassigned_images,
            {**run_record(report), "run": ""},
            self.read_tables(report.run),
        )

    def run_both_ways(self, run, nights: float = 1) -> bool:
        """Run with what the last run kept; if that was used also without it. Return whether it was, once both are the same.

        A run that does not use it judges everything anew, as one without it does.
        """
        self.moment += nights * DAY
        shutil.copytree(self.folder / "state", self.folder / "state-before", symlinks=True)
        calls = len(self.hospital.service.received)
        one = run()
        if not self.recalled:
            shutil.rmtree(self.folder / "state-before")
            return False
        shutil.rmtree(self.folder / "state")
        (self.folder / "state-before").rename(self.folder / "state")
        self.kept.unlink(missing_ok=True)
        other = run()
        assert not self.recalled
        for part, same in zip(one, other, strict=True):
            assert part == same
        assert len(self.hospital.service.received) == calls, "nothing was sent"
        return True

    def read_tables(self, run: str) -> dict:
        return read_tables(self.folder / "state" / "ledger.sqlite3", run)

    def type_run(self, capsys, *arguments: str) -> tuple:
        """Type a run; return its exit code, the screen, the files and the tables of the ledger."""
        shutil.rmtree(self.folder / "out")
        capsys.readouterr()
        code = self.hospital.go("run", *arguments, clock=StillClock(self.moment))
        run = self.hospital.runs[-1].name
        screen = capsys.readouterr().err.replace(run, "RUN").splitlines()
        texts = read_results(self.folder / "out", run)
        return code, screen, *texts.items(), self.read_tables(run)


def make_minor() -> str:
    """Return a valid number of a person who comes of age in some years."""
    first = "11019920150101001"
    total = sum(int(digit) * (2 ** (17 - position) % 11) for position, digit in enumerate(first))
    return first + "10X98765432"[total % 11]


@pytest.fixture
def nights(hospital, monkeypatch):
    yield Nights(hospital, monkeypatch)
    monkeypatch.undo()
    time.tzset()  # the zone of this machine again


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_run_without_changes_is_repeated(nights, capsys, language):
    assert nights.run_both_ways(partial(nights.type_run, capsys, "--lang", language))
    assert nights.hospital.statuses() == {"unchanged": 11, "changed": 1, "rejected": 6}


def test_what_a_run_keeps_is_private_and_names_no_one(nights):
    text = nights.kept.read_text("utf-8")
    assert nights.kept.stat().st_mode & 0o777 == 0o600
    assert not any(word in text for serial in DOCTORS for word in (name(serial), number(serial)))
    assert str(nights.folder) not in text
    assert ".png" not in text


# -- what changes between two runs


def change_cell(nights):
    nights.rows[0][2] = "15400000888"
    nights.write()


def change_cell_type(nights):
    """The cell shows the same, but Excel may have rounded a number."""
    nights.rows[0][2] = int(nights.rows[0][2])
    nights.write()


def change_unmapped_cell(nights):
    nights.rows[13][5] = "又一句"
    nights.write()


def add_row(nights):
    nights.rows.append([*make_row(40), "", None, None])
    nights.write()


def remove_row(nights):
    del nights.rows[10]
    nights.write()


def move_rows(nights):
    nights.rows[8], nights.rows[9] = nights.rows[9], nights.rows[8]
    nights.write()


def double_row(nights):
    nights.rows.append(nights.rows[8])
    nights.write()


def name_seal(nights):
    nights.rows[8][6] = "另一处方章"
    nights.write()


def move_column(nights):
    order = [1, 0, *range(2, len(HEADERS))]
    rows = [[row[column] for column in order] for row in nights.rows]
    nights.write(rows=rows, headers=[HEADERS[column] for column in order])


def repeat_headers(nights, *, last=HEADERS):
    """Let the header stand twice more, first with two columns the other way round."""
    first, second, *others = nights.rows
    lines = [first, SWAPPED, swap_columns(second), last]
    nights.write(rows=[*lines, *(others if last is HEADERS else map(swap_columns, others))])


def swap_columns(row):
    return [*row[:2], row[3], row[2], *row[4:]]


SWAPPED = tuple(swap_columns(HEADERS))


def swap_columns_further_down(nights):
    """All titles stand in the file as before, and each row holds the same: a missing mobile is in another cell."""
    repeat_headers(nights, last=SWAPPED)


def retitle_column(nights):
    nights.write(headers=["医生姓名", *HEADERS[1:]])


def hide_row(nights):
    path = nights.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    book.active.row_dimensions[4].hidden = True
    book.save(path)


def hide_sheet(nights):
    nights.write()
    path = nights.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    hidden = book.copy_worksheet(book.active)
    hidden.sheet_state = "hidden"
    book.save(path)


def rename_roster(nights):
    inbox = nights.folder / "inbox"
    (inbox / "roster.xlsx").rename(inbox / "名单.xlsx")


def add_roster(nights):
    nights.write("second.xlsx", [nights.rows[0]])


def replace_picture(nights):
    """Put another drawing of the same size and time in a picture's place."""
    path = nights.seals / "00009.png"
    size, times = path.stat().st_size, path.stat()
    draw_seal(path, 41)
    data = path.read_bytes()
    path.write_bytes(data[:size] + b"\0" * (size - len(data)))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def add_ambiguous_picture(nights):
    draw_seal(nights.seals / f"{number(10)}.png", 42)


def delete_picture(nights):
    (nights.seals / "00011.png").unlink()


def swap_pictures(nights):
    one, other, third = (nights.seals / f"{stem}.png" for stem in ("00009", "00012", "别"))
    for old, new in ((one, third), (other, one), (third, other)):
        old.rename(new)


def link_picture(nights):
    os.link(nights.seals / "00012.png", nights.folder / "link.png")


def garble_folder(nights):
    """Put a picture into a folder that is named in an encoding of old zips, and name it in the roster."""
    folder = Path(os.fsdecode(os.fsencode(nights.seals) + b"/" + "内科".encode("gb18030")))
    folder.mkdir()
    (nights.seals / "00012.png").rename(folder / "00012.png")
    nights.rows[11][7] = "内科/00012.png"
    nights.write()


def mend_folder_name(nights):
    (folder,) = (path for path in nights.seals.iterdir() if path.is_dir())
    folder.rename(nights.seals / "内科")


def add_other_file(nights):
    (nights.seals / f"{name(20)}.pdf").write_bytes(b"%PDF")


def zip_pictures(nights):
    shutil.make_archive(str(nights.folder / "zipped"), "zip", nights.seals)
    nights.write_config(f"seals: {json.dumps(str(nights.folder / 'zipped.zip'))}\n")


def allow_letters(nights):
    nights.write_config("seal_name_ascii: true\n")


def map_column(nights):
    nights.write_config("columns: {备注: department}\n")


def decide(nights):
    shutil.copytree(nights.folder / "state", nights.folder / "older")
    assert nights.go("resolve", number(8), "--keep", "--why", "x") == 0


def adopt(nights):
    book = openpyxl.Workbook()
    for row in (("姓名", "身份证号", "印章ID"), (name(20), number(20), "yD" + "0" * 30)):
        book.active.append(row)
    book.save(nights.folder / "old.xlsx")
    assert nights.go("adopt", str(nights.folder / "old.xlsx"), "--why", "x") == 0


def purge(nights):
    assert nights.go("purge", "--person", number(1), "--yes") == 0


def restore_older(nights):
    """Bring back the ledger of some nights ago, from before the decision; not what the last run kept."""
    for path in (nights.folder / "older").glob("ledger*"):
        shutil.copy(path, nights.folder / "state")


def retry(nights):
    nights.go("retry")


def check(nights):
    nights.go("check")


def cut_run_short(nights):
    """Leave a run that began and never ended."""
    with closing(sqlite3.connect(nights.folder / "state" / "ledger.sqlite3")) as ledger:
        columns = "command, host, pid, user, rosters, context, out, config_digest, version"
        ledger.execute(
            f"INSERT INTO run (run, started, {columns}) SELECT 'cut', {nights.moment}, {columns} FROM run "
            "ORDER BY number DESC LIMIT 1"
        )
        ledger.commit()


def damage(nights):
    mark, body = nights.kept.read_text("utf-8").split("\n")
    content = json.loads(body)
    content["pictures"].reverse()
    nights.kept.write_text(f"{mark}\n{json.dumps(content)}", "utf-8")


def pass_birthday(nights):
    """Let the child whose number stands in the roster be a year older."""
    nights.moment += 366 * DAY


def turn_clock_back(nights):
    nights.moment -= 300 * DAY


def update_program(nights):
    nights.monkeypatch.setattr(unchanged_run, "__version__", "0")


def mend_module(nights):
    package = nights.folder / "pipeline"
    (package / "workflow").mkdir(parents=True)
    (package / "mended.py").write_text("")
    nights.monkeypatch.setattr(unchanged_run, "__file__", str(package / "workflow" / "unchanged_run.py"))


def start_bundle(nights):
    """Let the program be one file, as PyInstaller makes it."""
    program = nights.folder / "esign-import"
    program.write_bytes(b"one")
    nights.monkeypatch.setattr(unchanged_run, "__file__", str(nights.folder / "no" / "modules" / "here.py"))
    nights.monkeypatch.setattr(sys, "executable", str(program))


def mend_bundle(nights):
    (nights.folder / "esign-import").write_bytes(b"another")


def remove_extra(nights):
    nights.monkeypatch.setitem(sys.modules, "pillow_heif", None)


def move_abroad(nights):
    """Let the same day begin at another time: the day on which a seal was made is shown as it is here."""
    nights.monkeypatch.setenv("TZ", "America/Los_Angeles")
    time.tzset()


def keep_as_other_version(nights):
    """Leave what a version kept that knows other facts."""
    with open_configured_ledger(load(nights.folder / "config.yaml", {}), QuickClock()) as (_, site_key):
        body = json.dumps({"facts": []})
        nights.kept.write_text(f"{site_key.digest(body)}\n{body}", "utf-8")


def judge(nights):
    """Enter that the picture of a doctor who has a seal is another doctor's."""
    line = next(line for line in nights.run()[0] if line["name"] == name(6))
    with open_configured_ledger(load(nights.folder / "config.yaml", {}), QuickClock()) as (ledger, site_key):
        identity = site_key.judgement(line["key"], line["name"], line["seal_name"], line["picture"]["sha256"])
        ledger.record_judgements({identity: "wrong"}, now=nights.moment, who="x", why="x")


def date_roster(nights):
    """Name the roster by a long date, which is masked as numbers are, but for the sheet of rows to correct."""
    nights.rows.append([name(50), *nights.rows[8][1:]])
    nights.write()
    (nights.folder / "inbox" / "roster.xlsx").rename(nights.folder / "inbox" / "20261127143005123.xlsx")


def set_clock_wrong(nights):
    """Let the runs be earlier than the pictures: these may be changed again without another time."""
    nights.moment = QuickClock().now() - 10 * DAY


CHANGES = (
    *(
        change_unmapped_cell,
        check,
        change_cell,
        change_cell_type,
        add_row,
        remove_row,
        move_rows,
        double_row,
        name_seal,
    ),
    *(move_column, repeat_headers, swap_columns_further_down, retitle_column),
    *(hide_sheet, hide_row, rename_roster, add_roster, replace_picture, add_ambiguous_picture),
    *(delete_picture, swap_pictures, link_picture, add_other_file, garble_folder, mend_folder_name, decide),
    *(restore_older, adopt, purge, retry, cut_run_short, damage, pass_birthday, turn_clock_back),
    *(update_program, mend_module, start_bundle, mend_bundle, remove_extra, move_abroad),
    *(keep_as_other_version, allow_letters, map_column),
)
HARMLESS = {change_unmapped_cell, check}  # what differs of these is read anew by every run


def test_whatever_changed_is_seen(nights):
    """One test: each process that had a part of it would seal the hospital again."""
    for change in CHANGES:
        change(nights)
        assert nights.run_both_ways(nights.run) is (change in HARMLESS), change.__name__
        nights.settle(after=change.__name__)


@pytest.mark.parametrize("change", [zip_pictures, judge, date_roster, set_clock_wrong])
def test_what_is_not_repeated_is_seen_as_well(nights, change):
    change(nights)
    for _ in range(3):
        assert not nights.run_both_ways(nights.run)


def test_a_ledger_on_a_server_gives_the_outcomes_as_well(hospital, monkeypatch, postgres_server):
    hospital.ledger = postgres_server.make_database()
    hospital.configure()
    hospital.doctors(3)
    recalled = []
    recall = unchanged_run.RunMemory.recall

    def watch(memory, inputs):
        recalled.append(recall(memory, inputs))
        return recalled[-1]

    monkeypatch.setattr(unchanged_run.RunMemory, "recall", watch)
    begun = QuickClock().now()
    ends = [
        pipeline.run(hospital.folder / "config.yaml", clock=StillClock(begun + day * DAY), write=False)
        for day in range(5)
    ]
    assert [run is not None for run in recalled] == [False, False, False, True, True]
    rows = [
        [
            outcome_record(outcome, run="", presenter=Presenter.for_report(end.report, "zh"))
            for outcome in end.outcomes
        ]
        for end in ends
    ]
    assert rows[1] == rows[2] == rows[3] == rows[4]
    hospital.go("-q", "retry", clock=StillClock(begun + 6 * DAY))
    assert hospital.go("-q", "run", clock=StillClock(begun + 7 * DAY)) == 0
    assert recalled[-1] is None, "the ledger holds another run"
    assert hospital.statuses() == {"unchanged": 3}
