"""What may change in a hospital between two runs, each drawn by chance: see changing_hospital.py."""

from __future__ import annotations

import shutil
from collections.abc import Callable

from changing_hospital import (
    PLAIN_SETTINGS,
    SERIALS,
    ChangingHospital,
)
from picture_changes import (
    add_other_file,
    copy_picture,
    delete_picture,
    draw_odd_picture,
    draw_picture,
    move_folder,
    rename_picture,
    replace_content,
    restore_pictures,
    swap_pictures,
    touch_picture,
    zip_pictures,
)
from repeated_runs import DAY
from result_sheet import ResultSheet
from roster_changes import (
    add_foreign_file,
    add_roster,
    add_row,
    change_cell,
    double_row,
    hide_row,
    mend_row,
    move_columns,
    remove_row,
    rename_roster,
    repeat_header,
    replace_doctors,
    round_numbers,
    shuffle_rows,
    take_columns,
)
from run_support import name, newest_results, number

Change = Callable[[ChangingHospital], None]
DECISIONS = {
    "changed": (["--keep"], ["--keep"], ["--replace"]),
    "unknown": (["--not-created", "--sure"],),
    "exists": (["--not-theirs"], ["--not-created", "--sure"]),
}


# -- configuration


def change_setting(hospital: ChangingHospital) -> None:
    dice = hospital.dice
    key, values = dice.choice(
        [
            ("seal_name_ascii", [True, False]),
            ("seal_name", ["{name}处方章", "{name}章", "{name}{department}章"]),
            ("columns", [{}, {"备注": "department"}, {"备注": "ignore"}, {"工号": "ignore"}]),
            ("marked_copies", [True, False]),
            ("require_review", [True, False]),
            ("roster", [["inbox", "inbox2"], ["inbox"], ["inbox2", "inbox"]]),
            ("seals", ["seals", "seals/内科", "none"]),
            ("work", ["state/work", "state/work2"]),
            ("pictures", [{}, {"trim": True}]),
            ("api", [{}, {"allow_other_card_type": True}, {"contract": "inline", "enable_auto_sign": False}]),
            ("guards", [{"give_up_minutes": 0.02}, {"give_up_minutes": 0.02, "shrunk": 0.1}]),
        ]
    )
    value = dice.choice(values)
    hospital.settings[key] = value
    hospital.log.append(f"  {key}: {value}")


def restore_settings(hospital: ChangingHospital) -> None:
    hospital.settings = dict(PLAIN_SETTINGS)


def change_language(hospital: ChangingHospital) -> None:
    hospital.language = "en" if hospital.language == "zh" else "zh"


# -- the clock


def move_clock(hospital: ChangingHospital) -> None:
    days = hospital.dice.choice([0.001, 0.4, 2, 40, 366, 366, 3660, -0.3, -5])
    hospital.moment += days * DAY
    hospital.log.append(f"  {days} days")


# -- commands and decisions


def type_command(hospital: ChangingHospital) -> None:
    dice = hospital.dice
    words = dice.choice(
        [
            *(
                ["check"],
                ["check"],
                ["retry"],
                ["retry", "--yes"],
                ["run", "--limit", "1"],
                ["run"],
                ["status"],
            ),
            *(["run", "--accept-guards"], ["run", str(hospital.folder / "inbox")], ["report"]),
            *(["run", "--out", str(hospital.folder / "elsewhere")], ["run", "--seals", str(hospital.seals)]),
            *(["ledger", "check"], ["ledger", "backup", str(hospital.folder / "backup"), "--keep", "1"]),
        ]
    )
    hospital.write()
    code, _ = hospital.go(*words, passed=dice.choice([60, DAY / 3]))
    hospital.log.append(f"  {' '.join(words)}: {code}")


def decide(hospital: ChangingHospital) -> None:
    """Decide about a row of the last results, rightly or wrongly."""
    if not list(hospital.folder.glob("out/*/outcomes.jsonl")):
        return
    known = [line for line in hospital.read_outcomes() if line["key"]]
    waiting = [
        line for line in known if line["status"] in DECISIONS or "PERSON_POSSIBLY_SAME" in line["codes"]
    ]
    if not known:
        return
    line = hospital.dice.choice(waiting if waiting and hospital.dice.random() < 0.8 else known)
    made = [seal.seal_id for seal in list(hospital.service.seals) if seal.name == line["name"]]
    sensible = DECISIONS.get(line["status"], (["--same-person"], ["--other-person"]))
    decisions = [*sensible, ["--seal-id", made[-1] if made else "yD" + "0" * 30]]
    words = ["resolve", line["key"], *hospital.dice.choice(decisions), "--why", "x"]
    code, _ = hospital.go(*words, passed=DAY / 3)
    hospital.log.append(f"  {line['status']} {' '.join(words)}: {code}")


def adopt(hospital: ChangingHospital) -> None:
    serial = hospital.dice.choice(SERIALS)
    path = hospital.folder / "old.csv"
    path.write_text(
        f"姓名,身份证号,印章ID\n{name(serial)},{number(serial)},yD{'a' * 27}{serial:03d}\n", "utf-8-sig"
    )
    code, _ = hospital.go("adopt", str(path), "--why", "x", passed=DAY / 3)
    hospital.log.append(f"  adopt {serial}: {code}")


def purge(hospital: ChangingHospital) -> None:
    serial = hospital.dice.choice(SERIALS)
    code, _ = hospital.go("purge", "--person", number(serial), "--yes", passed=DAY / 3)
    hospital.log.append(f"  purge {serial}: {code}")


def correct_in_workbook(hospital: ChangingHospital) -> None:
    """Correct the number of a row on the To fix sheet, and have exactly its rows done again."""
    if not list(hospital.folder.glob("out/*/results.xlsx")):
        return
    sheet = ResultSheet(newest_results(hospital.folder / "out") / "results.xlsx", "sheet.fix")
    rows = list(sheet.rows)
    if not rows:
        return
    title = "证件号码" if hospital.dice.random() < 0.7 else "手机号"
    try:
        sheet.write(
            rows[0], title, number(hospital.dice.choice(SERIALS)) if title == "证件号码" else "15400000777"
        )
    except (KeyError, AssertionError, ValueError):
        return
    sheet.save(hospital.folder / "corrected.xlsx")
    code, _ = hospital.go("retry", str(hospital.folder / "corrected.xlsx"), passed=DAY / 3)
    hospital.log.append(f"  corrected workbook: {code}")


# -- the state


def copy_state(hospital: ChangingHospital) -> None:
    """Put a copy of the state aside."""
    hospital.copy_state(hospital.home / f"old{hospital.dice.randint(0, 1)}")


def bring_back(hospital: ChangingHospital) -> None:
    """Bring back an old state, its ledger alone, or alone what an old run kept."""
    old = hospital.home / f"old{hospital.dice.randint(0, 1)}"
    if not (old / "state").exists():
        return
    newest = hospital.home / "newest"
    if not newest.exists():
        hospital.copy_state(newest)
    kind = hospital.dice.choice(["kept", "kept", "kept", "ledger", "state", "all"])
    state, kept = hospital.folder / "state", old / "state" / "work" / hospital.kept.name
    if kind == "kept":
        shutil.rmtree(newest)
        if kept.exists():
            hospital.kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept, hospital.kept)
    elif kind == "ledger":
        for path in state.glob("ledger.sqlite3*"):
            path.unlink()
        for path in (old / "state").glob("ledger.sqlite3*"):
            shutil.copy(path, state)
    elif kind == "state":
        shutil.rmtree(state)
        shutil.copytree(old / "state", state)
    else:
        hospital.bring_back(old)
    hospital.log.append(f"  {kind}")


def tidy_work(hospital: ChangingHospital) -> None:
    """Lose the work folder, or what it holds but for what the last run kept."""
    kept = hospital.kept.read_bytes() if hospital.kept.exists() else None
    shutil.rmtree(hospital.kept.parent, ignore_errors=True)
    if kept is not None and hospital.dice.random() < 0.7:
        hospital.kept.parent.mkdir(parents=True)
        hospital.kept.write_bytes(kept)


def do_nothing(_: ChangingHospital) -> None:
    """Let a step pass without a change."""


def strike(hospital: ChangingHospital) -> None:
    """Let the service fail for some doctors in the next run."""
    hospital.strike()


CHANGES: tuple[Change, ...] = (
    *(6 * (change_cell,)),
    *(4 * (add_row,)),
    *(
        2
        * (
            mend_row,
            replace_doctors,
            draw_picture,
            draw_odd_picture,
            replace_content,
            swap_pictures,
            copy_picture,
        )
    ),
    *(
        2
        * (
            rename_picture,
            delete_picture,
            change_setting,
            move_clock,
            type_command,
            type_command,
            decide,
            decide,
        )
    ),
    *(
        round_numbers,
        double_row,
        remove_row,
        shuffle_rows,
        hide_row,
        move_columns,
        take_columns,
        repeat_header,
    ),
    *(
        rename_roster,
        add_roster,
        add_foreign_file,
        touch_picture,
        restore_pictures,
        move_folder,
        zip_pictures,
    ),
    *(add_other_file, restore_settings, change_language, adopt, purge, correct_in_workbook, copy_state),
    *(bring_back, tidy_work, do_nothing, do_nothing, strike, strike),
)


def take_step(hospital: ChangingHospital) -> None:
    """Let one to three things change at once, and some time pass."""
    for change in hospital.dice.choices(CHANGES, k=hospital.dice.choice([1, 1, 1, 2, 3])):
        hospital.log.append(change.__name__)
        change(hospital)
    hospital.moment += DAY * hospital.dice.choice([1, 1, 0.01])
