"""The restore drill of both pages, typed as it stands there."""

import re
import shlex
from pathlib import Path

import pytest

from pipeline.cli.app import main

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_drill_brings_the_ledger_back(hospital, monkeypatch, language):
    monkeypatch.chdir(hospital.folder)
    hospital.doctors(2)
    assert hospital.go("run", "--yes") == 0
    copies = hospital.folder / "copies"
    copies.mkdir()
    text = (DOCS / language / "data-and-privacy.md").read_text("utf-8")
    (drill,) = re.findall(
        r"恢复演练.*?```console\n(.*?)```|Restore drill.*?```console\n(.*?)```", text, re.DOTALL
    )
    exits = []
    for line in filter(None, "".join(drill).splitlines()):
        words = shlex.split(line.removeprefix("$ "), comments=True)
        words = [word.replace("/mnt/backup/esign", str(copies)) for word in words]
        if words[0] == "mkdir":
            Path(words[1]).mkdir()
            continue
        if words[0] == "mv":
            for path in Path().glob(words[1]):
                path.rename(Path(words[2]) / path.name)
            continue
        if "TIME" in words[-1]:
            (words[-1],) = map(str, copies.iterdir())
        exits.append((words[1], main(words[1:])))
    assert exits == [("ledger", 0), ("check", 0), ("ledger", 0), ("ledger", 0), ("run", 0)]
    assert hospital.creates() == 2
