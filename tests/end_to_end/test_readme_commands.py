"""The commands of both READMEs and of the page on rosters, typed one after the other as they stand there."""

import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path

import openpyxl
import pytest
from people import name, number
from run_support import draw_seal

from pipeline.cli.app import main

HOUSE = Path(__file__).parents[2]
PAGES = {"README.md": "docs/en/rosters.md", "README.zh-CN.md": "docs/zh/rosters.md"}  # the second goes on


def list_commands(readme):
    text = (HOUSE / readme).read_text("utf-8") + (HOUSE / PAGES[readme]).read_text("utf-8")
    blocks = re.findall(r"```console\n(.*?)```", text, re.DOTALL)
    lines = [
        re.sub(r"\s+#.*", "", line).removeprefix("$ ") for block in blocks for line in block.splitlines()
    ]
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize("readme", PAGES)
def test_each_command_works_as_it_stands_there(hospital, monkeypatch, readme):
    monkeypatch.chdir(hospital.folder)
    exits = []
    for program, *arguments in list_commands(readme):
        if program == "cd":
            hospital = move_hospital(hospital, Path(arguments[0]))
            monkeypatch.chdir(hospital.folder)
        if program != "esign-import":
            assert program in {"make", "python3", "pip", "cd"}
            continue
        if "retry" in arguments:
            draw_seal(hospital.folder / "seals" / "00003.png", 3)  # what the third doctor lacked
        exits.append((arguments[0], main(arguments)))
    assert exits == [("init", 0), ("check", 3), ("run", 3), ("run", 3), ("retry", 0)]
    assert len(hospital.service.seals) == 3
    book = openpyxl.load_workbook(hospital.newest / "results.xlsx")
    assert book.sheetnames[0] in {"汇总", "Summary"}


def move_hospital(hospital, name_of_folder):
    """Fill in what `init` wrote into a folder: ids and keys of the sandbox, a roster, pictures."""
    folder = hospital.folder / name_of_folder
    shutil.copy(hospital.folder / "config.yaml", folder)
    shutil.copytree(hospital.folder / "secrets", folder / "secrets", dirs_exist_ok=True)
    moved = replace(hospital, folder=folder)
    moved.roster([(name(n), number(n), None, f"{n:05d}", "内科") for n in (1, 2, 3)])
    for serial in (1, 2):
        draw_seal(folder / "seals" / f"{serial:05d}.png", serial)
    return moved
