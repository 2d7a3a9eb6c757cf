"""`demo`: it ends as the sample's README describes, and a second demo sends nothing."""

import json
import re
import shutil
from pathlib import Path

from pipeline.cli.app import main

SAMPLE = Path(__file__).parents[2] / "sample_data"


def read_special_rows() -> dict[int, tuple[str, set[str]]]:
    """Read the table of special rows; every other row is plainly sealed."""
    rows = re.findall(
        r"^\| (\d+) \| [^|]+ \| [^|]+ \| (\w+) \| ([A-Z0-9_ ]*)\|$",
        (SAMPLE / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    return {int(row): (status, set(codes.split())) for row, status, codes in rows}


def test_the_demo_ends_as_the_sample_describes(tmp_path, capsys):
    arguments = ["demo", "--out", str(tmp_path / "demo")]
    assert main(["--lang", "en", *arguments]) == 3
    latest = tmp_path / "demo" / "out" / "latest"
    outcomes = [json.loads(line) for line in (latest / "outcomes.jsonl").read_text("utf-8").splitlines()]
    special = read_special_rows()
    assert len(special) > 30
    for outcome in outcomes:
        status, codes = special.get(outcome["row"], ("sealed", set()))
        assert (outcome["row"], outcome["status"], set(outcome["codes"])) == (outcome["row"], status, codes)
    capsys.readouterr()
    assert main(["--json", "--lang", "zh", *arguments]) == 3
    shown = capsys.readouterr()
    assert "退出码是 3" in shown.err
    assert "error" not in json.loads(shown.out), "one document"
    record = json.loads((latest / "run.json").read_text("utf-8"))
    assert record["statuses"]["unchanged"] == 47
    assert record["requests"] == {}

    shutil.rmtree(tmp_path / "demo")
    assert main(["--lang", "en", *arguments, "--rows", "2"]) == 3
    record = json.loads((latest / "run.json").read_text("utf-8"))
    assert (record["statuses"]["sealed"], record["statuses"]["unchanged"]) == (2, 0)


def test_the_csv_roster_of_the_sample_gives_the_rows_that_the_demo_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "out"
    roster = SAMPLE / "roster-gb18030.csv"
    assert main(["check", str(roster), "--seals", str(SAMPLE / "seals"), "--out", str(out)]) == 3
    lines = [json.loads(line) for line in (out / "plan.jsonl").read_text("utf-8").splitlines()]
    special = {
        row: ("ready" if status == "sealed" else status, codes)
        for row, (status, codes) in read_special_rows().items()
    }
    assert {line["row"] for line in lines} > set(special)
    for line in lines:
        expected = special.get(line["row"], ("ready", set()))
        assert (line["row"], line["status"], set(line["codes"])) == (line["row"], *expected)
