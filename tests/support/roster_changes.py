"""What may change in a hospital's rosters between two runs, each drawn by chance: see random_changes.py."""

from __future__ import annotations

import shutil

from changing_hospital import (
    MOST_ROWS,
    NEWCOMERS,
    SERIALS,
    TITLES,
    USUAL,
    ChangingHospital,
    Roster,
    make_line,
)
from run_support import draw_seal, name, newest_results, number

NAMES = ("张", "张伟2", "*某", "王　安", "李·明", "", None)
ROUNDED = ("110101199003071000", "110199199001010000", "110199197505200100")


def choose_row(hospital: ChangingHospital) -> tuple[Roster, int] | None:
    return hospital.dice.choice(hospital.lines) if hospital.lines else None


def draw_value(hospital: ChangingHospital, title: str, serial: int) -> object:
    """Return something that may stand under a title: mostly sound, else of the kinds that clerks write."""
    dice, other = hospital.dice, hospital.dice.choice(SERIALS)
    number_of = number(serial)
    choices: dict[str, list[object]] = {
        "姓名": [name(serial), name(serial), name(other), f" {name(serial)} ", *NAMES],
        "证件号码": [
            *(number_of, number_of, number(other), f"{number_of[:6]} {number_of[6:14]} {number_of[14:]}"),
            *(
                number_of[:-1] + "×",
                number_of[:17] + "5",
                f"{number_of[:10]}13{number_of[12:]}",
                number_of[:15],
                int(number_of[:15]),
                "H12345678",
                None,
            ),
            *ROUNDED,
            *("1101992010010100" + tail for tail in ("1X", "29", "37", "45")),
        ],
        "手机号": [f"154{serial:08d}", f"154{other:08d}", 15400000000 + serial, "138 0013 8000", "12", None],
        "工号": [f"{serial:05d}", f"{other:05d}", serial, str(serial), f"A{serial}", None],
        "科室": ["内科", "外科", "内　科", None],
        "备注": ["备", "又一句", None],
        "印章名称": [None, f"{name(serial)}处方章", f"{name(other)}处方章", "另一处方章", "ABC12", "章" * 60],
        "印章图片": [
            *(
                None,
                None,
                f"{serial:05d}.png",
                f"{other:05d}",
                f"内科/{serial:05d}.png",
                "没有.png",
                "已交",
                "√",
            ),
            str(hospital.seals / f"{serial:05d}.png"),
        ],
        "证件类型": [None, "身份证", "居民身份证", "港澳居民来往内地通行证", "护照", "?"],
    }
    return dice.choice(choices[title])


# -- rosters


def change_cell(hospital: ChangingHospital) -> None:
    if chosen := choose_row(hospital):
        roster, position = chosen
        row, title = roster.rows[position], hospital.dice.choice(roster.titles)
        row[title] = draw_value(hospital, title, row["serial"])
        hospital.log.append(f"  {title} of row {position}: {row[title]!r}")


def mend_row(hospital: ChangingHospital) -> None:
    if chosen := choose_row(hospital):
        roster, position = chosen
        roster.rows[position] = make_line(roster.rows[position]["serial"])


def add_row(hospital: ChangingHospital) -> None:
    """Add a doctor, most often one who was never there and has a picture."""
    serial = hospital.dice.choice(NEWCOMERS if hospital.dice.random() < 0.8 else SERIALS)
    if hospital.rosters and len(hospital.lines) < MOST_ROWS:
        roster = hospital.dice.choice(list(hospital.rosters.values()))
        roster.rows.insert(hospital.dice.randint(0, len(roster.rows)), make_line(serial))
        if hospital.dice.random() < 0.8:
            draw_seal(hospital.seals / f"{serial:05d}.png", serial)


def round_numbers(hospital: ChangingHospital) -> None:
    """Let the numbers of a roster have gone through a program that rounds them."""
    for roster, position in hospital.lines[: hospital.dice.randint(1, 4)]:
        row = roster.rows[position]
        row["证件号码"] = str(int(float(number(row["serial"])[:17] + "0")))


def double_row(hospital: ChangingHospital) -> None:
    if (chosen := choose_row(hospital)) and len(hospital.lines) < MOST_ROWS:
        roster, position = chosen
        target = hospital.dice.choice(list(hospital.rosters.values()))
        target.rows.append(dict(roster.rows[position]))


def replace_doctors(hospital: ChangingHospital) -> None:
    """Let newcomers stand in the places of some doctors."""
    for roster, position in hospital.lines:
        if hospital.dice.random() < 0.3:
            serial = hospital.dice.choice(NEWCOMERS)
            roster.rows[position] = make_line(serial)
            draw_seal(hospital.seals / f"{serial:05d}.png", serial)


def remove_row(hospital: ChangingHospital) -> None:
    if (chosen := choose_row(hospital)) and len(hospital.lines) > 2:
        chosen[0].rows.pop(chosen[1])


def shuffle_rows(hospital: ChangingHospital) -> None:
    for roster in hospital.rosters.values():
        hospital.dice.shuffle(roster.rows)


def hide_row(hospital: ChangingHospital) -> None:
    if chosen := choose_row(hospital):
        chosen[0].hidden ^= {chosen[1]}


def move_columns(hospital: ChangingHospital) -> None:
    if hospital.rosters:
        hospital.dice.shuffle(hospital.dice.choice(list(hospital.rosters.values())).titles)


def take_columns(hospital: ChangingHospital) -> None:
    """Let a roster have more or fewer columns."""
    if hospital.rosters:
        roster = hospital.dice.choice(list(hospital.rosters.values()))
        roster.titles = list(TITLES[: hospital.dice.choice([USUAL - 1, USUAL, USUAL + 1, len(TITLES)])])
        roster.header_again.clear()


def repeat_header(hospital: ChangingHospital) -> None:
    """Let the header stand again, with its columns in another order."""
    if chosen := choose_row(hospital):
        roster, position = chosen
        if position in roster.header_again:
            del roster.header_again[position]
        else:
            order = list(roster.titles)
            first, second = hospital.dice.sample(range(len(order)), 2)
            order[first], order[second] = order[second], order[first]
            roster.header_again[position] = order


def rename_roster(hospital: ChangingHospital) -> None:
    if hospital.rosters:
        old = hospital.dice.choice(list(hospital.rosters))
        new = hospital.dice.choice(["inbox/a.xlsx", "inbox/b.csv", "inbox2/乙.csv", "inbox2/丙.xlsx"])
        if new not in hospital.rosters:
            hospital.rosters[new] = hospital.rosters.pop(old)


def add_roster(hospital: ChangingHospital) -> None:
    new = hospital.dice.choice(["inbox/c.csv", "inbox2/d.xlsx"])
    if new in hospital.rosters:
        del hospital.rosters[new]
    elif len(hospital.lines) < MOST_ROWS:
        serial = hospital.dice.choice(SERIALS)
        hospital.rosters[new] = Roster(list(TITLES[:USUAL]), [make_line(serial)])


def add_foreign_file(hospital: ChangingHospital) -> None:
    """Put something into a roster folder that is no roster of the hospital, or take it away."""
    target = hospital.folder / hospital.dice.choice(["inbox", "inbox2"])
    old = list(target.glob("foreign*"))
    if old:
        old[0].unlink()
        return
    kind = hospital.dice.choice(["broken", "empty", "results", "copy", "text"])
    results = (
        newest_results(hospital.folder / "out") if list(hospital.folder.glob("out/*/files.jsonl")) else None
    )
    if kind == "results" and results and (results / "results.xlsx").exists():
        shutil.copy(results / "results.xlsx", target / "foreign.xlsx")
    elif kind == "copy" and results and (copies := list((results / "rosters").glob("*.xlsx"))):
        shutil.copy(copies[0], target / "foreign_copy.xlsx")
    elif kind == "text":
        (target / "foreign.txt").write_text("没有表头\n只有字\n", "utf-8")
    else:
        (target / "foreign.xlsx").write_bytes(b"" if kind == "empty" else b"PK\3\4broken")
