"""Trouble of the machine under a run: a FIFO, a symlink, a log that is a link, member names, numbers."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable

import pytest
from attack.stage import CREATE, LONG, Stage, person
from people import compute_check_digit, number
from run_support import wait_until

GROUP = "machine and rows"
PROCESSOR = 15  # seconds of processor time that a check of thirty odd names may take


@pytest.mark.parametrize("when", ["before the run", "under the run"] if LONG else ["before the run"])
def test_a_fifo_in_a_pictures_place_hangs_nothing(stage_with, when):
    stage = stage_with(latency=0.1)
    doctors = 60 if LONG else 12
    stage.hire(*range(1, doctors + 1))

    def replace(*serials: int) -> None:
        for serial in serials:
            path = stage.folder / "seals" / f"{serial:05d}.png"
            path.unlink()
            os.mkfifo(path)

    if when == "before the run":
        replace(10)
        ended = stage.go("run")
    else:
        run = stage.start("run")
        wait_until(lambda: len(stage.service.seals) >= 5)
        replace(*range(10, doctors))
        ended = stage.finish(run)
    stage.assert_clean()
    assert ended.code in {3, 5}
    statuses = stage.statuses()
    assert len(statuses) == doctors
    swapped = "00010" if when == "before the run" else f"{doctors - 1:05d}"  # the first ones may have left
    assert statuses[swapped] in {"rejected", "not_sent"}


@pytest.mark.skipif(not LONG, reason="make attack")
def test_the_log_follows_no_link_and_is_the_owners_alone(stage, tmp_path):
    stage.hire(1, 2)
    victim = tmp_path / "victim.txt"
    victim.write_text("what somebody else wrote\n")
    out = stage.folder / "results"
    out.mkdir()
    (out / "log.jsonl").symlink_to(victim)
    stage.go("run", "--out", str(out))
    assert victim.read_text() == "what somebody else wrote\n"
    stage.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_log_with_loose_rights_is_closed(stage):
    stage.hire(1, 2)
    out = stage.folder / "results"
    out.mkdir()
    (out / "log.jsonl").touch(mode=0o666)
    (out / "log.jsonl").chmod(0o666)
    assert stage.go("run", "--out", str(out)).code == 0
    assert {path.stat().st_mode & 0o777 for path in out.iterdir() if path.is_file()} == {0o600}


NAMES: dict[str, Callable[[int], str]] = {
    "电子": lambda serial: "电子" * 8000 + f"{serial}.png",
    "个人": lambda serial: "个人" * 10_000 + f"{serial}.png",
    "suffix": lambda serial: f"{serial}" + ".png" * 5000,
    "(2)": lambda serial: f"{serial}" + "(2)" * 7000 + ".png",
    "副本": lambda serial: f"{serial}" + " - 副本" * 5000 + ".png",
    "_": lambda serial: f"{serial}" + "_" * 20_000 + "章.png",
    "digits": lambda serial: "1" * 20_000 + f"x{serial}.png",
}


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("name", NAMES)
def test_member_names_of_a_zip_cost_little(stage, name):
    """What takes quadratic time for them is ended by the limit on processor time."""
    stage.hire(1, 2)
    path = stage.folder / "pictures.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for serial in range(1, 31):
            archive.writestr(NAMES[name](serial), (stage.folder / "seals" / "00001.png").read_bytes())
    ended = stage.go("check", "--seals", str(path), limits={"RLIMIT_CPU": PROCESSOR})
    assert ended.signal is None, "the time it took has no bound"
    assert ended.code in {0, 3}


def doubles(count: int, *, sound: bool) -> list[str]:
    """Return made-up numbers that a program which rounds would leave as they are, with a right check digit or a wrong one."""
    result: list[str] = []
    for day in range(1, 29):
        for serial in range(1000):
            first = f"110199198001{day:02d}{serial:03d}"
            check = compute_check_digit(first)
            for last in "0123456789":
                whole = first + last
                if int(whole) % 16 == 0 and (last == check) == sound and serial % 100:
                    result.append(whole)
                    if len(result) == count:
                        return result
    raise AssertionError("too few such numbers")


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("known", ["sealed", "unknown"])
def test_a_number_the_ledger_knows_is_not_doubted_for_its_neighbours(stage, known):
    """Two doctors are sealed; then three rows with numbers that look rounded join their sheet."""
    good, bad = doubles(2, sound=True), doubles(3, sound=False)
    rows = []
    for serial, entry in enumerate(good, start=1):
        stage.know(serial, entry)
        stage.draw(serial)
        rows.append((person(serial).name, entry, *person(serial).cells[2:]))
    if known == "unknown":
        stage.strike({"match": {"action": CREATE, "nth": [2]}, "do": "reset_after"})
    stage.roster(rows)
    stage.go("run")
    before = stage.statuses()
    stage.strike()
    for serial, entry in enumerate(bad, start=3):
        stage.know(serial, entry)
        stage.draw(serial)
        rows.append((person(serial).name, entry, *person(serial).cells[2:]))
    stage.roster(rows)
    stage.go("run")
    after = stage.statuses()
    known_well = [item for item in ("00001", "00002") if after[item] == "rejected"]
    stage.claims += [f"{item} is rejected for digits that the ledger knows" for item in known_well]
    stage.assert_clean()
    wanted = {"sealed": "unchanged", "unknown": "unknown"}
    assert [after[item] for item in ("00001", "00002")] == [
        wanted[before[item]] for item in ("00001", "00002")
    ]


@pytest.mark.skipif(not LONG, reason="make attack")
def test_an_honest_number_that_ends_in_zeros_is_not_doubted_once_it_has_a_seal(stage):
    ending = next(
        entry
        for day in range(1, 29)
        for month in range(1, 13)
        for year in range(1960, 2000)
        if (entry := number_ending_in_zeros(year, month, day)) is not None
    )
    stage.know(1, ending)
    stage.draw(1)
    stage.hire(2)
    for written in (
        f"{ending[:6]} {ending[6:14]} {ending[14:]}",
        ending,
    ):  # in groups it cannot have been rounded
        stage.roster([(person(1).name, written, *person(1).cells[2:]), person(2).cells])
        stage.go("run")
    statuses = stage.statuses()["00001"]
    stage.claims += [f"00001 is {statuses}"] * (statuses != "unchanged")
    stage.assert_clean()


def number_ending_in_zeros(year: int, month: int, day: int) -> str | None:
    first = f"110199{year}{month:02d}{day:02d}000"
    check = compute_check_digit(first)
    return first + check if check == "0" else None


@pytest.mark.skipif(not LONG, reason="make attack")
def test_an_odd_row_is_that_rows_problem(stage: Stage):
    """Texts and pictures that no hospital sends: none of them ends the run."""
    odd = ["\ud7ff", "张" * 30_000, "=1/0", "\u202e张伟", "张\x07伟", "𠀀", "·", "ａ", "-1", "1e400", "NaN"]
    for serial in range(1, 4):
        stage.know(serial)
        stage.draw(serial)
    rows = [person(serial).cells for serial in range(1, 4)]
    for index, text in enumerate(odd, start=10):
        clean = "".join(character for character in text if character.isprintable())
        rows.append((clean, number(index), None, f"{index:05d}", clean[:200]))
        stage.know(index)
        (stage.folder / "seals" / f"{index:05d}.png").write_bytes(bytes(index))
    stage.roster(rows)
    ended = stage.go("run")
    stage.assert_clean()
    assert ended.code == 3
    assert [stage.statuses()[f"{serial:05d}"] for serial in range(1, 4)] == ["sealed"] * 3
