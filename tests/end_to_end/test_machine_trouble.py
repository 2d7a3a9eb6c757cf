"""Trouble of the machine is no trouble of the row: no picture is called damaged, and a rerun seals everybody."""

import pytest
from PIL import Image

pytest.importorskip("resource")
ROWS = 16


@pytest.fixture
def crowded(hospital):
    """Return a hospital of sixteen doctors, half of whose pictures have to be re-encoded."""
    hospital.doctors(ROWS)
    for serial in range(1, ROWS, 2):
        path = hospital.folder / "seals" / f"{serial:05d}.png"
        with Image.open(path) as image:
            image.save(path.with_suffix(".bmp"))
        path.unlink()
    return hospital


@pytest.mark.parametrize("few", [19, 24])
def test_too_few_descriptors_damage_no_picture(crowded, zygote, few):
    """What is imported when the results are written is there already: here files are to run short, not modules."""
    printed = crowded.folder / "printed"
    ended = zygote.run(crowded, "run", "--yes", limits={"RLIMIT_NOFILE": few}, output=str(printed))
    code, text = ended["code"], printed.read_text("utf-8")
    assert code in {0, 5, 74}, text
    assert "Traceback" not in text
    if (crowded.folder / "out" / "latest").exists():
        rows = crowded.outcomes()
        statuses = {row["status"] for row in rows}
        assert statuses <= {"sealed", "not_sent", "unknown"}, [row["codes"] for row in rows]
        assert (code == 0) == (statuses == {"sealed"})
    crowded.go("run", "--yes")
    assert {row["status"] for row in crowded.outcomes()} <= {"sealed", "unchanged", "unknown"}
    assert not crowded.service.list_duplicates()
