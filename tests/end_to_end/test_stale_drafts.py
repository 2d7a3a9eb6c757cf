"""A process that is killed while it writes a file leaves a draft: a later run removes it, and nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest
from crash_support import read_places
from run_support import QuickClock

from pipeline.ledger.places import SHARE
from pipeline.reports.written_workbooks import NOTES
from pipeline.support.atomic_files import DRAFT_SECONDS

LATER = DRAFT_SECONDS + 60.0
KILLS = [
    "work: before a file takes its name",
    "results: before results.xlsx takes its name",
    f"results: before the fsync of {NOTES}",
    "results: before roster.xlsx takes its name",
]
LEAVE_DRAFTS = """
import os, signal, sys, tempfile
from pathlib import Path
from pipeline.support.atomic_files import make_draft, make_draft_prefix

drafts = [make_draft(Path(name)) for name in sys.argv[1:]]
for draft in drafts:
    print(draft.__enter__())
print(tempfile.mkdtemp(prefix=make_draft_prefix(), dir=Path(sys.argv[1]).parent), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


class LaterClock(QuickClock):
    """The machine's clock, so far ahead that each draft of today is old."""

    def now(self) -> float:
        return super().now() + LATER


def list_drafts(folder: Path) -> list[Path]:
    """Return the drafts below a folder: hidden files, without the notes on workbooks and the folder of the journals."""
    return [path for path in folder.rglob(".*") if path.name not in {NOTES, SHARE}]


@pytest.mark.usefixtures("marked_copies_on")
@pytest.mark.parametrize(("point", "count"), [*((point, 1) for point in KILLS), (KILLS[-1], 2)])
def test_the_draft_of_a_killed_run_is_removed_by_a_later_one(hospital, zygote, point, count):
    hospital.doctors(2)
    assert zygote.run(hospital, **{"name": point, "pass": count})["signal"] == 9
    drafts = list_drafts(hospital.folder)
    assert 1 <= len(drafts) <= 2, "pictures are written by two threads"
    zygote.run(hospital)
    assert list_drafts(hospital.folder) == drafts, "it may be another machine's, and is not old"
    assert zygote.run(hospital, later=LATER)["code"] == 0
    assert list_drafts(hospital.folder) == []


def leave_drafts(*files: Path) -> list[Path]:
    """Let a process die that writes these files, and a folder next to the first; return their drafts."""
    command = [sys.executable, "-c", LEAVE_DRAFTS, *map(str, files)]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True, check=False
    )
    drafts = list(map(Path, done.stdout.splitlines()))
    assert len(drafts) == len(files) + 1
    return drafts


@pytest.mark.usefixtures("marked_copies_on")
def test_drafts_go_in_every_folder_of_a_run_and_all_else_stays(hospital):
    backups = hospital.folder / "backups"
    backups.mkdir()
    config = hospital.folder / "config.yaml"
    text = "backup: {folder: backups}\nmetrics_file: figures/esign.prom\n"
    config.write_text(config.read_text("utf-8") + text, "utf-8")
    hospital.doctors(1)
    assert hospital.go("run") == 0
    (run,) = hospital.runs
    state, latest, figures = (hospital.folder / name for name in ("state", "out/latest", "figures"))
    work = state / "work"
    places = read_places(hospital.folder)
    own = [state, work, work / "previews", places.state, *{file.parent for file in places.list_files()}]
    assert len(own) == 6, "the state folder has one for the tenant, and so has the folder of the results"
    results = [latest, latest / "rosters", run, run / "rosters"]
    others = [hospital.folder / "inbox", hospital.folder / "out" / "kept", backups, figures]
    others[1].mkdir()
    gone = leave_drafts(*(folder / "a.json" for folder in (*own, *results)))
    gone += leave_drafts(backups / "ledger-20261127-000000-000.backup", figures / "esign.prom")[:-1]
    stay = leave_drafts(*(folder / "a.json" for folder in others))
    for folder in (*own, *results, *others):
        for name in (".0123456789abcdef", ".0123456789ABCDEF.json", "tmp0a1b2c3d", "0123456789abcdef.json"):
            stay.append(folder / name)
            stay[-1].touch()
    assert hospital.go("run") == 0
    assert all(path.exists() for path in gone), "they may still be written"
    assert hospital.go("run", clock=LaterClock()) == 0
    assert [path for path in gone if path.exists()] == []
    assert [path for path in stay if not path.exists()] == []
