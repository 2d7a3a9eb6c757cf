"""Draw sample_data/ again: the roster, the same as CSV, and the seal pictures.

    make sample      (= .venv/bin/python sample_data/make.py [FOLDER [STEP]])

With a STEP every so many pictures one is drawn.
Seeded throughout: the same versions of Pillow and XlsxWriter write the same bytes. What stands in the roster and how
the program is to answer: README.md; who: entries.py; how it looks: drawing.py, sheets.py; the letters: font/.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "tests" / "support"))  # people.py

from drawing import draw
from entries import LEFT_BEHIND, roster
from sheets import comma_separated, workbook


def make(folder: Path, step: int = 1) -> None:
    """Write roster.xlsx, roster-gb18030.csv and seals/ into the folder, in place of those that are there."""
    entries = roster()
    seals = folder / "seals"
    shutil.rmtree(seals, ignore_errors=True)
    drawings = [drawing for entry in entries for drawing in entry.drawings] + [LEFT_BEHIND]
    for drawing in drawings[::step]:
        target = seals / drawing.path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(draw(drawing))
    (folder / "roster.xlsx").write_bytes(workbook(entries))
    (folder / "roster-gb18030.csv").write_bytes(comma_separated(entries))
    print(f"{folder}: {len(entries)} lines, {len(drawings[::step])} pictures")


if __name__ == "__main__":
    make(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent, int((*sys.argv[2:], 1)[0]))
