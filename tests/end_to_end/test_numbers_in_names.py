"""Numbers in the names of rosters, folders, pictures and archives are stored nowhere, and nothing is lost by that."""

import json
import os
import zipfile
from pathlib import Path
from urllib.parse import urlsplit

import openpyxl
import pytest
from end_to_end.conftest import HEADERS
from people import make_row, name, number
from roster_support import write_roster
from run_support import draw_seal
from watch_support import Watcher
from zip_support import zipped

STRANGER = number(77)  # stands in no roster
PERMIT = "H1234567801"  # of a row: only the roster tells that it is a number
MOBILE = make_row(1)[2]
TO_FIX = "worksheets/sheet3.xml"  # its rows are the roster's, to be corrected
OWN_FOLDER = f"结果{STRANGER} {PERMIT}"  # the user's own name of a folder of results
SECRETS = (number(1), number(2), STRANGER, MOBILE, PERMIT)


def use_ledger(hospital, where, request):
    if where == "server":
        hospital.ledger = request.getfixturevalue("postgres_server").make_database()
        hospital.configure()


def make_files(hospital):
    """Write rosters and pictures whose files and folders are named by numbers; return what `run` is given."""
    folder = hospital.folder / "lists" / f"交接 {STRANGER}"
    folder.mkdir(parents=True)
    first = folder / f"名单{number(1)}.xlsx"
    write_roster(first, [HEADERS, make_row(1), make_row(2), make_row(3, mobile="12")])
    name_sheet(first)
    permit = hospital.folder / "lists" / f"{PERMIT} {MOBILE}.xlsx"
    write_roster(permit, [(*HEADERS, "证件类型"), (*make_row(4, number=PERMIT), "港澳居民来往内地通行证")])
    pictures = hospital.folder / f"图片{STRANGER}"
    pictures.mkdir()
    for serial in (1, 3, 4):
        draw_seal(
            pictures / f"{make_row(serial, number=PERMIT if serial == 4 else number(serial))[1]}.png", serial
        )
    draw_seal(hospital.folder / "of2.png", 2)
    archive = {f"{number(2)}.png".encode(): (hospital.folder / "of2.png").read_bytes()}
    (pictures / f"印章{number(2)}.zip").write_bytes(zipped(archive))
    return first, permit, pictures


def name_sheet(path: Path) -> None:
    book = openpyxl.load_workbook(path)
    book.active.title = f"表{STRANGER}"
    book.save(path)


def read_files(folder: Path):
    """Yield each file's path and bytes, of archives also each part's; not what is a roster by itself."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.parent.name != "rosters":
            yield path, path.read_bytes()
            if zipfile.is_zipfile(path):
                with zipfile.ZipFile(path) as archive:
                    for part in archive.namelist():
                        if not part.endswith(TO_FIX):
                            yield path / part, archive.read(part)


def read_server(hospital, request):
    if hospital.ledger is None:
        return
    with request.getfixturevalue("postgres_server").connect(urlsplit(hospital.ledger).path[1:]) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        assert len(tables) > 9
        for schema, table in tables:
            for (row,) in connection.execute(f'SELECT t::text FROM "{schema}"."{table}" AS t'):
                yield f"{schema}.{table}", row.encode()


def find_secrets(hospital, request) -> list[tuple[str, str]]:
    """Return which numbers stand where in all that the program keeps or has sent to people."""
    texts = [
        *(entry for kept in ("state", "out", "metrics") for entry in read_files(hospital.folder / kept)),
        *read_files(Path(os.environ["XDG_STATE_HOME"])),
        *read_server(hospital, request),
    ]
    spelt = {secret: (secret.encode(), secret.encode("utf-16-le")) for secret in SECRETS}
    return [
        (secret, str(location))
        for location, text in texts
        for secret, forms in spelt.items()
        if any(form in text for form in forms) or secret in str(location).replace(OWN_FOLDER, "")
    ]


@pytest.mark.parametrize("where", ["file", "server"])
def test_numbers_in_names_are_stored_nowhere_and_the_files_are_known_again(
    hospital, request, where, capsys, tmp_path
):
    use_ledger(hospital, where, request)
    first, permit, pictures = make_files(hospital)
    with Watcher() as watcher:
        config = hospital.folder / "config.yaml"
        settings = f"notify: {{urls: ['json://{watcher.host}/chat']}}\nmetrics_file: metrics/esign.prom\n"
        (hospital.folder / "metrics").mkdir()
        config.write_text(config.read_text("utf-8") + settings, "utf-8")
        arguments = (str(first), str(permit), "--seals", str(pictures))
        assert hospital.run_to_end("run", *arguments) == (3, {"sealed": 3, "rejected": 1})
        write_roster(first, [HEADERS, *map(make_row, (1, 2, 3))])
        name_sheet(first)
        assert hospital.run_to_end("retry", *arguments) == (0, {"sealed": 1, "unchanged": 3})
        assert hospital.run_to_end("run", *arguments) == (0, {"unchanged": 4})
        assert hospital.run_to_end("run", *arguments) == (0, {"unchanged": 4}), "from what the last run kept"
        assert hospital.creates() == 4
        for command in (("explain", name(1)), ("status", "--runs", "9"), ("resolve",)):
            assert hospital.go(*command) == 0, command
        capsys.readouterr()
        if where == "file":
            assert hospital.go("ledger", "backup", str(hospital.folder / "a.backup")) == 0
        damaged = hospital.folder / "lists" / f"损坏{STRANGER}.xlsx"
        damaged.write_bytes(b"PK")
        out = hospital.folder / "out" / OWN_FOLDER
        assert hospital.go("run", *arguments[:2], str(damaged), *arguments[2:], "--out", str(out)) == 7
        assert watcher.messages
        sent = "\n".join(map(str, watcher.messages))
    assert [secret for secret in SECRETS if secret in sent] == []
    assert "\n".join(map(str, find_secrets(hospital, request))) == ""
    report = json.loads((hospital.newest / "run.json").read_text("utf-8"))
    assert all("*" in file["path"] for file in report["files"])


def test_runs_over_rosters_that_are_named_by_numbers_are_counted_together(hospital, capsys):
    first, permit, pictures = make_files(hospital)
    for _ in range(3):
        assert hospital.go("run", str(first), str(permit), "--seals", str(pictures)) == 3
    capsys.readouterr()
    assert hospital.go("explain", make_row(3)[0]) == 0
    assert "same in 3 runs" in capsys.readouterr().out


@pytest.mark.parametrize("trouble", ["emptied", "gone", "shrunken"])
def test_a_folder_that_is_named_by_a_number_keeps_its_guards_after_a_move(hospital, trouble, capsys):
    config = hospital.folder / "config.yaml"
    settings = config.read_text("utf-8") + f"roster: ['{STRANGER}', inbox]\n"
    config.write_text(settings, "utf-8")
    hospital.doctors(1)
    (hospital.folder / "inbox").rename(hospital.folder / STRANGER)
    (hospital.folder / "inbox").mkdir()
    assert hospital.go("run") == 0
    hospital.folder = hospital.folder.rename(f"{hospital.folder}-moved")
    (hospital.folder / "config.yaml").write_text(settings, "utf-8")
    (roster,) = (hospital.folder / STRANGER).iterdir()
    if trouble == "shrunken":
        write_roster(roster, [HEADERS])
    else:
        roster.unlink()
    if trouble == "gone":
        roster.parent.rmdir()
    capsys.readouterr()
    assert hospital.go("run") == 5
    record = json.loads((hospital.runs[-1] / "run.json").read_text("utf-8"))
    assert record["halted"]["code"] == ("ROSTER_SHRUNK" if trouble == "shrunken" else "ROSTER_MISSING")
    assert hospital.go("status") == 0
    assert STRANGER not in "".join(capsys.readouterr())


def test_a_retry_of_a_roster_that_was_named_asks_for_its_name(hospital, capsys):
    """Neither another file of the same masked name is read, nor is a path shown that cannot be typed."""
    folder = hospital.folder / "lists"
    folder.mkdir()
    path = folder / f"{number(1)}.xlsx"
    hospital.doctors(1)
    (hospital.folder / "inbox" / "roster.xlsx").rename(path)
    picture = (hospital.folder / "seals" / "00001.png").rename(hospital.folder / "00001.png")
    assert hospital.run_to_end("run", str(path)) == (3, {"rejected": 1})
    write_roster(path.with_stem(f"{number(1)[:-5]}9{number(1)[-4:]}"), [HEADERS, make_row(77)])
    picture.rename(hospital.folder / "seals" / "00001.png")
    capsys.readouterr()
    assert hospital.go("retry") == 2
    printed = capsys.readouterr().err
    assert number(1) not in printed
    assert "name its rosters as in that run" in printed
    assert hospital.go("status") == 0
    steps = "".join(line for line in capsys.readouterr().err.splitlines() if " run " in line)
    assert "*" not in steps, "cannot be typed"
    assert hospital.run_to_end("retry", str(path)) == (0, {"sealed": 1})
    assert [seal.name for seal in hospital.service.seals] == [name(1)]
