"""Everything is run at DEBUG with canaries for secrets, numbers, mobiles, names and pictures; then all is searched."""

import fnmatch
import io
import json
import shutil
import stat
import zipfile
from collections.abc import Collection, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import openpyxl
import pytest
from leaks import Canary, leaks, members
from openpyxl import load_workbook
from openpyxl.drawing.image import Image
from people import complete_number, name, number
from resolution_support import run_later
from run_support import draw_seal
from wire_support import CREATE, UPLOAD

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_text
from pipeline.domain.run import RunRequest
from pipeline.sandbox.gateway import SANDBOX
from pipeline.workflow.import_run import run_check

PASSWORD = "canary-password-of-a-workbook"
UPLOADED, LOST, REFUSED, ERROR, BY_NUMBER, WRONG, NUMERIC, TWO_MOBILES, SPACED, WELL = range(
    1, 11
)  # the canary goes first
PEOPLE = range(1, 13)
SEAL_ID = "yD" + "a1B2" * 7 + "zz"
IN_NAME = number(40)  # in the file name of the roster and of a picture that nobody claims

# of the marked copy of a roster: its cells and its notes
COPIED = ["out/*/rosters/*.xlsx!xl/worksheets/*", "out/*/rosters/*.xlsx!xl/comments/*"]
# kind -> where it may stand; a member of a workbook is named file!member
ALLOWED = {
    "secret": ["secrets/*"],
    "number": ["inbox/*", "seals-of-old.xlsx!*", *COPIED],
    "mobile": ["inbox/*", *COPIED],
    "name": [
        "inbox/*", "seals-of-old.xlsx!*", "*/results*.xlsx!*", *COPIED, "*/outcomes.jsonl", "*/plan.jsonl", "*.html",
        "state/ledger.sqlite3*", "out/.ledger/*", "ledger.backup", "stderr", "stdout",
    ],
    "picture": ["seals/*", "state/work/*"],
}  # fmt: skip


def mobile(serial):
    return f"154{serial:08d}"


def says(text, serial, *, code="InvalidParameter.CardNumber"):
    message = f"{text} {number(serial)} {mobile(serial)}"
    return {"code": {"code": code, "message": message}}


@pytest.fixture
def canary_hospital(hospital_with):
    """One doctor for each way in which the service and the roster may quote what nobody should read."""
    faults = [
        {"match": {"action": CREATE, "user_name": name(LOST), "nth": [1]}, "do": "reset_after"},
        {"match": {"action": CREATE, "user_name": name(REFUSED)}, "do": says("证件号码不对", REFUSED)},
        {
            "match": {"action": CREATE, "user_name": name(ERROR), "nth": [1]},
            "do": {"internal_error_after": {"message": f"Traceback: {number(ERROR)} {mobile(ERROR)}"}},
        },
        {
            "match": {"action": UPLOAD, "nth": [1]},
            "do": says("图片", UPLOADED, code="InvalidParameter.BizType"),
        },
    ]
    hospital = hospital_with(faults=faults)
    hospital.marked_copies = True
    hospital.configure()
    (hospital.folder / "secrets" / "roster__password").write_text(PASSWORD)
    rows = [[name(n), number(n), mobile(n), f"{n:05d}", "内科"] for n in PEOPLE]
    for serial in PEOPLE:
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    rows[BY_NUMBER - 1][3] = None
    (hospital.folder / "seals" / f"{BY_NUMBER:05d}.png").rename(
        hospital.folder / "seals" / f"{number(BY_NUMBER)}.png"
    )
    rows[WRONG - 1][1] = wrong(WRONG)
    rows[NUMERIC - 1][1] = int(number(NUMERIC)[:17] + "0")
    rows[TWO_MOBILES - 1][2] = f"{mobile(TWO_MOBILES)}/{mobile(30)}"
    rows[SPACED - 1][1] = f"{number(SPACED)[:6]} {number(SPACED)[6:14]} {number(SPACED)[14:]}"
    hospital.roster(rows, file=f"名单{IN_NAME}.xlsx")
    draw_seal(hospital.folder / "seals" / f"{number(41)}.png", 41)  # nobody's
    return hospital


def wrong(serial):
    """Return a number with a digit mistyped."""
    right = number(serial)
    return right[:-2] + str((int(right[-2]) + 1) % 10) + right[-1]


def canaries(hospital):
    pictures = (path.read_bytes() for path in sorted((hospital.folder / "seals").iterdir()))
    numbers = [number(n) for n in PEOPLE if n != NUMERIC] + [
        wrong(WRONG),
        number(NUMERIC)[:17] + "0",
        IN_NAME,
        number(41),
    ]
    return [
        *(Canary("secret", text) for text in (SANDBOX.secret_id, SANDBOX.secret_key, PASSWORD)),
        *(Canary("number", text) for text in numbers),
        *(Canary("mobile", mobile(n)) for n in (*PEOPLE, 30)),
        *(Canary("name", name(n)) for n in PEOPLE),
        *(Canary("picture", data[len(data) // 2 :][:24]) for data in pictures),
    ]


def everything(hospital, capfd):
    """Run every command there is, at DEBUG, and keep what was said beside the files."""
    folder = hospital.folder
    run_later(hospital, "-v", "check")
    assert run_later(hospital, "-v", "run") == 3
    assert hospital.statuses()["unknown"] == 2
    run_later(hospital, "-v", "resolve")
    run_later(hospital, "-v", "resolve", name(LOST), "--sure", "--seal-id", SEAL_ID)
    run_later(hospital, "-v", "resolve", name(ERROR))
    run_later(hospital, "-v", "retry")
    run_later(hospital, "-v", "--json", "run")
    for command in ("status", "config show", "doctor --offline", "ledger check"):
        run_later(hospital, "-v", *command.split())
    run_later(hospital, "-v", "ledger", "backup", str(folder / "ledger.backup"))
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    book.active.append((name(WELL), number(WELL), SEAL_ID))
    book.active.append((name(WRONG), wrong(WRONG), "yD" + "0" * 30))
    book.save(folder / "seals-of-old.xlsx")
    run_later(hospital, "-v", "adopt", str(folder / "seals-of-old.xlsx"))
    run_later(
        hospital,
        "-v",
        "check",
        str(folder / "inbox" / f"名单{IN_NAME}.xlsx"),
        "--out",
        str(folder / "out" / "named"),
    )
    captured = capfd.readouterr()
    (folder / "stdout").write_text(captured.out, "utf-8")
    (folder / "stderr").write_text(captured.err, "utf-8")


def find_leaks(hospital, watched):
    """Return every canary that stands where it may not."""
    unexpected = []
    for path in sorted(path for path in hospital.folder.rglob("*") if path.is_file()):
        file = path.relative_to(hospital.folder).as_posix()
        for member, data in members(path):
            inner = member.removeprefix(str(path))
            unexpected += [leak for leak in leaks(file + inner, data, watched) if not allowed(*leak)]
        unexpected += [
            leak for leak in leaks(f"the name of {file}", path.name.encode(), watched) if not ours(file)
        ]
    return unexpected


def ours(file):
    """Tell whether a file was there before the program came: its name is its owner's."""
    return file.startswith(("inbox/", "seals/"))


def allowed(file, kind, *_):
    return any(fnmatch.fnmatchcase(file, pattern) for pattern in ALLOWED[kind])


def test_no_personal_data_reaches_a_file_or_the_console(canary_hospital, capfd):
    everything(canary_hospital, capfd)
    unexpected = find_leaks(canary_hospital, canaries(canary_hospital))
    assert unexpected == []
    assert list(loose(canary_hospital)) == []


def loose(hospital):
    """Yield the files and folders of ours that others may open."""
    for top in ("state", "out", "ledger.backup"):
        for path in ((hospital.folder / top), *(hospital.folder / top).rglob("*")):
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode != (0o700 if path.is_dir() else 0o600):
                yield path.relative_to(hospital.folder).as_posix(), oct(mode)


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030", "utf-16-le", "utf-16-be"])
def test_a_planted_leak_is_found_in_every_disguise(hospital, encoding):
    import base64

    planted = [Canary("number", number(1)), Canary("name", "张三丰"), Canary("secret", SANDBOX.secret_key)]
    for canary in planted:
        raw = canary.text.encode(encoding)
        for before in range(3):
            hidden = base64.b64encode(b"x" * before + raw + b"tail")
            assert {kind for _, kind, _, _ in leaks("", hidden, planted)} == {canary.kind}
        assert list(leaks("", b"..." + raw + b"...", [canary]))
        assert list(leaks("", raw.hex().encode(), [canary]))


def test_a_leak_planted_next_to_the_results_is_found(canary_hospital):
    shutil.copytree(canary_hospital.folder / "seals", canary_hospital.folder / "out" / "r" / "copied")
    (canary_hospital.folder / "out" / "r" / "log.jsonl").write_bytes(number(3).encode("utf-16-le"))
    kinds = {kind for _, kind, _, _ in find_leaks(canary_hospital, canaries(canary_hospital))}
    assert kinds == {"number", "picture"}


# numbers that stand in no cell: in the names of folders, files, members, sheets
(FOLDER, ZIP, MEMBER, ALONE, SHEET, BROKEN, PAGE, GROUPED) = map(number, range(50, 58))
ACCOUNT = "6222021234567890123"  # a run of digits that is no identity number
SPACED_OUT = f"{GROUPED[:6]} {GROUPED[6:14]} {GROUPED[14:]}"


@pytest.fixture
def numbered(hospital_with):
    """Everything that has a name has a number in it."""
    faults = [{"match": {"action": CREATE, "user_name": name(2), "nth": [1]}, "do": "reset_after"}]
    hospital = hospital_with(faults=faults)
    (hospital.folder / "secrets" / "roster__password").write_text(PASSWORD)
    seals = hospital.folder / "seals"
    places = (
        seals / FOLDER / f"{number(1)}.png", seals / f"内科 {SPACED_OUT}" / f"{number(2)}.png", seals / "00003.png",
        seals / f"{ACCOUNT}.png", seals / f"{number(4)}.png",
    )  # fmt: skip
    for serial, picture_path in enumerate(places, start=1):
        picture_path.parent.mkdir(exist_ok=True)
        draw_seal(picture_path, serial)
    shutil.copy(seals / "00003.png", seals / "00007.png")  # one picture for two
    with zipfile.ZipFile(seals / f"{ZIP}.zip", "w") as packed:
        for serial, called in ((5, f"{MEMBER}/00005.png"), (6, f"{ALONE}.png"), (8, "00008.png")):
            draw_seal(hospital.folder / "drawn.png", serial)
            packed.write(hospital.folder / "drawn.png", called)
    (hospital.folder / "drawn.png").unlink()
    rows = [[name(n), number(n), mobile(n), f"{n:05d}", "内科"] for n in range(1, 9)]
    rows[3][3] = None
    rows[7][1] = wrong(8)
    file = hospital.folder / "inbox" / f"名单{IN_NAME}.xlsx"
    hospital.roster(rows, file=file.name)
    book = load_workbook(file)
    book.active.title = f"内科{SHEET}"
    drawing = Image(io.BytesIO((seals / "00003.png").read_bytes()))
    book.active.add_image(drawing, "H40")
    book.create_sheet(f"{PAGE}章").add_image(Image(io.BytesIO((seals / "00003.png").read_bytes())), "A1")
    book.save(file)
    (hospital.folder / "inbox" / f"坏{BROKEN}.xlsx").write_bytes(b"no workbook")
    return hospital


def test_no_number_in_a_file_name_reaches_a_file_or_the_console(numbered, capfd):
    folder = numbered.folder
    for command in ("check", "run", "retry", "status", "resolve", "--json run"):
        run_later(numbered, "-v", *command.split())
    for query in (name(2), "00005", IN_NAME, number(4)[-4:]):
        run_later(numbered, "-v", "explain", query)
    captured = capfd.readouterr()
    (folder / "stdout").write_text(captured.out, "utf-8")
    (folder / "stderr").write_text(captured.err, "utf-8")
    names = (IN_NAME, FOLDER, ZIP, MEMBER, ALONE, SHEET, BROKEN, PAGE, GROUPED, SPACED_OUT, ACCOUNT)
    watched = [Canary("number", text) for text in (*names, *map(number, range(1, 9)), wrong(8))]
    statuses = json.loads((numbered.runs[1] / "run.json").read_text("utf-8"))["statuses"]
    assert all(statuses[status] for status in ("rejected", "unknown", "sealed"))
    assert find_leaks(numbered, watched) == []
    kept = load_workbook(numbered.runs[1] / "results.xlsx")
    assert f"内科{mask_text(SHEET)}" in str(
        [[cell.value for cell in row] for row in kept["To fix"].iter_rows()]
    )
    pages = kept["Unpaired pictures"]
    assert pages.max_row > 5, "what nobody got is told, masked"


def list_texts(value):
    """Yield every text that an object holds, also inside others."""
    if isinstance(value, str | Path):
        yield str(value)
    elif isinstance(value, Mapping):
        yield from list_texts([*value, *value.values()])
    elif isinstance(value, Collection) and not isinstance(value, bytes):
        for part in value:
            yield from list_texts(part)
    elif is_dataclass(value):
        yield from list_texts([getattr(value, entry.name) for entry in fields(value)])


def test_the_report_of_a_run_holds_no_whole_number(hospital):
    """The rows of the plan hold them: for what is sent, and for the marked copies."""
    hospital.roster(
        [
            (name(1), number(1), mobile(1), "00001", number(21)),  # a number where no field expects one
            (name(2), f"{number(2)}9", mobile(2), "00002", "内科"),
            (f"{name(3)}{number(3)}", "无", mobile(3), "00003", "内科"),
            (name(4), f"{number(4)[:6]} {number(4)[6:]}", f"{mobile(4)}/{mobile(24)}", "00004", "内科"),
            (name(5), number(1), mobile(5), "00005", "内科"),  # one number with two names
        ]
    )
    config = Config.load(hospital.folder / "config.yaml", environment={})
    request = RunRequest("check", "r", (hospital.folder / "inbox",), None, hospital.folder / "out" / "r")
    ended = run_check(request, config, SystemClock(), has_tenant=False)
    numbers = [number(n) for n in (1, 2, 3, 21)] + [mobile(n) for n in (1, 2, 3, 4, 5, 24)]
    whole = "\n".join(list_texts(ended.row_plans))
    assert [one for one in numbers if one not in whole] == []
    shown = "\n".join(list_texts(ended.report))
    assert name(1) in shown
    assert [one for one in [*numbers, number(4)[6:]] if one in shown] == []


def test_a_check_without_keys_and_numbers_counts_namesakes_and_not_rows(hospital):
    candidates = (
        complete_number(f"{number(2)[:6]}{year}0101{number(2)[14:17]}") for year in range(1950, 2000)
    )
    namesake = next(other for other in candidates if other[-4:] == number(2)[-4:])
    # one doctor on two rows; two doctors whose names and last four digits are equal
    rows = [(name(1), number(1)), (name(1), number(1)), (name(2), number(2)), (name(2), namesake)]
    hospital.roster([(*person, None, f"{serial:05d}", "内科") for serial, person in enumerate(rows, 1)])
    for serial in range(1, 5):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    hospital.go("--lang", "en", "check")
    cards = (hospital.newest / "review.html").read_text("utf-8").split('<article class="card"')[1:]
    hints = {
        of_name: [name(of_name) in card and "doctors have this name" in card for card in cards]
        for of_name in (1, 2)
    }
    assert hints[1].count(True) == 0
    assert hints[2].count(True) == 2
