"""The commands of both READMEs, typed one after the other as they stand there."""

import json
import re
import shlex
import shutil
from pathlib import Path

import openpyxl
import pytest
from run_support import draw_seal, name, number

from pipeline.cli.app import main

HOUSE = Path(__file__).parents[2]
PLACES = {"README.md": ("doctors.xlsx", "pictures"), "README.zh-CN.md": ("名单.xlsx", "图片")}


def typed(readme):
    text = (HOUSE / readme).read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [re.sub(r"\s+#.*", "", line).removeprefix("$ ") for each in blocks for line in each.splitlines()]
    return [shlex.split(line) for line in lines]


def review_of(text, saved):
    """Save a review in which nothing is judged, as a page with this text would."""
    site, run = (re.search(rf'data-{what}="([^"]+)"', text)[1] for what in ("site", "run"))
    told = {
        "tool": "esign-import",
        "kind": "review",
        "schema": 1,
        "site": site,
        "run": run,
        "saved": "2026-03-01T22:00:00Z",
    }
    saved.write_text(json.dumps({**told, "judgements": {}, "right": 0, "wrong": 0}))


@pytest.mark.parametrize("readme", PLACES)
def test_each_command_works_as_it_stands_there(hospital, monkeypatch, readme):
    roster, pictures = (hospital.folder / place for place in PLACES[readme])
    pictures.mkdir()
    hospital.roster([(name(n), number(n), None, f"{n:05d}", "内科") for n in (1, 2, 3)], file="a.xlsx")
    (hospital.folder / "inbox" / "a.xlsx").rename(roster)
    for serial in (1, 2):
        draw_seal(pictures / f"{serial:05d}.png", serial)
    monkeypatch.chdir(hospital.folder)
    ended, page = [], ""
    for program, *words in typed(readme):
        if program == "cp":
            shutil.copy(*words)
        if program != "esign-import":
            assert program in {"make", "python3", "pip", "cp"}
            continue
        for word in words:
            if word.startswith("review-"):
                review_of(page, hospital.folder / word)
        if "retry" in words:
            draw_seal(pictures / "00003.png", 3)  # what the third doctor lacked
        ended.append((words[2], main(words)))
        told = (hospital.newest / "review.html").read_text("utf-8")
        if 'data-site=""' not in told:  # before the first run a page is for looking only
            page = told
    assert ended == [("check", 3), ("run", 3), ("run", 3), ("retry", 0), ("run", 0)]
    assert len(hospital.service.seals) == 3
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    assert book.sheetnames[0] in {"汇总", "Summary"}
