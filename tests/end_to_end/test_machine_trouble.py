"""Trouble of the machine is no trouble of the row: no picture is called damaged, and a rerun seals everybody."""

import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("resource")
ROWS = 40
# what is imported when the results are written is there already: here files are to run short, not modules
PROGRAM = """
import resource, pandas
from pipeline.cli.app import main
from pipeline.reports.write import warm_up
import pipeline.cli.run_session, pipeline.sending.submit, pipeline.workflow.finish, pipeline.workflow.send_rows
from PIL import Image
warm_up()
resource.setrlimit(resource.RLIMIT_NOFILE, ({few}, {few}))
raise SystemExit(main({words!r}))
"""


def run_with_few_descriptors(hospital, few: int, *arguments: str) -> tuple[int, str]:
    """Run the command line in a child process that may have so many files open."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(few=few, words=hospital.command(*arguments))],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        timeout=120,
    )
    return done.returncode, done.stderr


@pytest.fixture
def crowded(hospital):
    """Return a hospital of forty doctors, half of whose pictures have to be re-encoded."""
    hospital.doctors(ROWS)
    for serial in range(1, ROWS, 2):
        path = hospital.folder / "seals" / f"{serial:05d}.png"
        with Image.open(path) as image:
            image.save(path.with_suffix(".bmp"))
        path.unlink()
    return hospital


@pytest.mark.parametrize("few", [15, 20])
def test_too_few_descriptors_damage_no_picture(crowded, few):
    code, stderr_text = run_with_few_descriptors(crowded, few, "run", "--yes")
    assert code in {0, 5, 74}, stderr_text
    assert "Traceback" not in stderr_text
    if (crowded.folder / "out" / "latest").exists():
        rows = crowded.outcomes()
        statuses = {row["status"] for row in rows}
        assert statuses <= {"sealed", "not_sent", "unknown"}, [row["codes"] for row in rows]
        assert (code == 0) == (statuses == {"sealed"})
    crowded.go("run", "--yes")
    assert {row["status"] for row in crowded.outcomes()} <= {"sealed", "unchanged", "unknown"}
    assert not crowded.service.list_duplicates()
