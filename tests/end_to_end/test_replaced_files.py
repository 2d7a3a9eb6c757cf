"""What the page replaced is kept for thirty days: under the moment and the name, numbers masked."""

import os

from people import number

from pipeline.config.settings import Config
from pipeline.operations.replaced_files import keep_replaced_file, list_replaced_files

DAY = 24 * 3600


def test_copies_are_kept_for_thirty_days_and_removed_at_the_end_of_a_run(hospital):
    hospital.doctors(1)
    config = Config.load(hospital.folder / "config.yaml", environment={})
    roster, picture = hospital.folder / "inbox" / "roster.xlsx", hospital.folder / "seals" / "00001.png"
    numbered = picture.with_name(f"{number(1)}.png")
    numbered.write_bytes(picture.read_bytes())
    copies = [keep_replaced_file(config, path, 1_700_000_000.0) for path in (roster, roster, numbered)]
    numbered.unlink()
    assert len({*copies}) == 3, "two of the same moment"
    assert {copy.parent for copy in copies} == {hospital.folder / "state" / "replaced"}
    assert all(copy.stat().st_mode & 0o777 == 0o600 for copy in copies)
    assert copies[0].read_bytes() == roster.read_bytes()
    assert copies[0].name.startswith("2023")
    assert copies[0].name.endswith("-roster.xlsx")
    assert number(1) not in copies[2].name
    assert list_replaced_files(config) == sorted(copies)
    written = copies[0].stat().st_mtime
    os.utime(copies[0], (written, written - 31 * DAY))
    assert hospital.go("run") == 0
    assert list_replaced_files(config) == sorted(copies[1:])


def test_purge_names_them_as_files_that_may_hold_the_person(hospital, capsys):
    hospital.seal_doctors(1)
    config = Config.load(hospital.folder / "config.yaml", environment={})
    copy = keep_replaced_file(config, hospital.folder / "inbox" / "roster.xlsx", 1_700_000_000.0)
    assert hospital.go("purge", "--person", "00001", "--yes") == 0
    assert str(copy) in capsys.readouterr().err.replace("\n", "")
