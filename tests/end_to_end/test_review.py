"""Judged by a reviewer, obeyed by the run: `run --review FILE` and `require_review`, through the front door."""

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from desktop import browser
from people import name, number
from PIL import Image
from run_support import draw_seal

from pipeline.clock import SystemClock
from pipeline.config.settings import load
from pipeline.workflow.tenant_ledger import lock_tenant, open_store

CARD = re.compile(r'<article class="card".*?</article>', re.DOTALL)


@pytest.fixture
def hospital(hospital):
    """One whose ledger holds nothing yet: without a ledger the page of a check is for looking only."""
    config, clock = load(hospital.folder / "config.yaml", {}), SystemClock()
    with (
        lock_tenant(config, run="r0", clock=clock) as (store, ownership),
        open_store(store, clock, ownership=ownership),
    ):
        return hospital


def page(hospital) -> str:
    return (hospital.newest / "review.html").read_text("utf-8")


def cards(hospital) -> dict[str, dict[str, str]]:
    """Name -> what a script reads of each card."""
    card_by_name = {}
    for card in CARD.finditer(page(hospital)):
        text = card.group()
        attributes = dict(re.findall(r'data-(\w+)="([^"]*)"', text.split("<figure", maxsplit=1)[0]))
        card_by_name[re.search(r"<h2>(.*?)</h2>", text).group(1)] = {**attributes, "html": text}
    return card_by_name


def saved(hospital, judgements: dict[int, str], *, later: timedelta = timedelta(), **changed):
    """Write what the page would save after these judgements by serial number."""
    html = page(hospital)
    ids = {serial: cards(hospital)[name(serial)]["id"] for serial in judgements}
    review = {
        "schema": 1,
        "tool": "esign-import",
        "kind": "review",
        "run": re.search(r'data-run="(.*?)"', html).group(1),
        "site": re.search(r'data-site="(.*?)"', html).group(1),
        "saved": (datetime.now(UTC) + later).isoformat(),
        "right": list(judgements.values()).count("right"),
        "wrong": list(judgements.values()).count("wrong"),
        "judgements": {ids[serial]: word for serial, word in judgements.items()},
        **changed,
    }
    path = hospital.folder / "review.json"
    path.write_text(json.dumps(review), "utf-8")
    return str(path)


def count_seals(hospital) -> int:
    """Return how many seals the sheet All shows."""
    return len(openpyxl.load_workbook(hospital.newest / "results.xlsx")["All"]._images)


def status(hospital) -> dict[str, str]:
    return {line["name"]: line["status"] for line in hospital.outcomes()}


def codes(hospital, serial) -> list[str]:
    return next(line["codes"] for line in hospital.outcomes() if line["name"] == name(serial))


def require_review(hospital) -> None:
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write("require_review: true\n")


def test_what_was_judged_wrong_is_not_sent(hospital, capsys):
    hospital.doctors(3)
    assert hospital.go("check") == 0
    file = saved(hospital, {1: "right", 2: "wrong"})
    assert hospital.go("run", "--yes", "--review", file) == 3
    assert status(hospital) == {name(1): "sealed", name(2): "rejected", name(3): "sealed"}
    assert codes(hospital, 2) == ["REVIEW_WRONG"]
    assert hospital.creates() == 2
    assert "Review: 1 right, 1 wrong." in capsys.readouterr().err


def judge_by_keyboard(hospital, keys: str):
    """Open the page, press these keys, save; returns the file and the command that the page suggests."""
    with browser() as opened:
        page = opened.new_page(accept_downloads=True)
        page.goto((hospital.newest / "review.html").as_uri())
        for key in keys.split():
            page.keyboard.press(key)
        with page.expect_download() as coming:
            page.click("#save")
        path = hospital.folder / coming.value.suggested_filename
        coming.value.save_as(path)
        return path, page.text_content("#saved code")


@pytest.mark.browser
def test_judged_in_the_browser_saved_and_run(hospital):
    require_review(hospital)
    hospital.doctors(4)
    assert hospital.go("check") == 3
    file, command = judge_by_keyboard(hospital, "1 2 3 1")
    assert file.name == f"review-{hospital.runs[-1].name}.json"
    assert command.endswith(f" run --review {file.name}")
    assert hospital.go("run", "--yes", "--review", str(file)) == 3
    assert status(hospital) == {
        name(1): "sealed",
        name(2): "rejected",
        name(3): "not_sent",
        name(4): "sealed",
    }
    assert len(hospital.service.seals) == 2
    assert hospital.go("run", "--yes", "--review", saved(hospital, {3: "right"})) == 3
    assert status(hospital)[name(3)] == "sealed"
    assert status(hospital)[name(2)] == "rejected"


def test_the_judgement_wrong_holds_in_later_runs_until_it_is_changed(hospital):
    hospital.doctors(1)
    hospital.go("check")
    wrong = saved(hospital, {1: "wrong"})
    assert hospital.go("run", "--yes", "--review", wrong) == 3
    assert hospital.go("run", "--yes") == 3
    assert hospital.go("retry", "--yes") == 3
    assert hospital.creates() == 0
    card = cards(hospital)[name(1)]
    assert (card["group"], card["judged"]) == ("judge", "wrong"), "whoever judged may change their mind"
    assert hospital.go("run", "--yes", "--review", saved(hospital, {1: "right"})) == 0
    assert hospital.creates() == 1


def test_an_old_review_file_does_not_undo_a_later_judgement_wrong(hospital):
    hospital.doctors(1)
    hospital.go("check")
    old = shutil.copy(saved(hospital, {1: "right"}, later=timedelta(hours=-1)), hospital.folder / "old.json")
    hospital.go("run", "--yes", "--review", saved(hospital, {1: "wrong"}))
    assert hospital.go("run", "--yes", "--review", str(old)) == 3
    assert hospital.creates() == 0


def test_a_judgement_survives_sorting_and_saving_the_roster(hospital):
    hospital.doctors(3)
    hospital.go("check")
    file = saved(hospital, {2: "wrong"})
    path = hospital.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    rows = list(book.active.iter_rows(min_row=2, values_only=True))
    path.unlink()
    hospital.roster([[*row[:2], None, *row[3:]] for row in reversed(rows)], file="another name.xlsx")
    assert hospital.go("run", "--yes", "--review", file) == 3
    assert status(hospital) == {name(3): "sealed", name(2): "rejected", name(1): "sealed"}


@pytest.mark.parametrize(("changes", "sent"), [
    ({"drawing": 77}, 1),
    ({"name": name(2), "number": number(2)}, 1),
    ({"name": name(2)}, 0),
    ({"number": number(2)}, 0),
    ({"seal_name": "处方专用章"}, 0),
    ({"saved_as": ".png"}, 0),
    ({"saved_as": ".bmp"}, 0),
    ({"drawn_as": ".jpg", "saved_as": ".png"}, 0),
])  # fmt: skip
def test_wrong_holds_for_the_picture_and_every_row_with_number_or_name(hospital, changes, sent):
    hospital.doctors(1)
    path = hospital.folder / "seals" / "00001.png"
    if "drawn_as" in changes:
        path.unlink()
        path = path.with_suffix(changes["drawn_as"])
        draw_seal(path, 1)
    hospital.go("check")
    file = saved(hospital, {1: "wrong"})
    if "drawing" in changes:
        draw_seal(path, changes["drawing"])
    if "saved_as" in changes:
        with Image.open(path) as picture:
            picture.load()
        path.unlink()
        picture.save(path.with_suffix(changes["saved_as"]), compress_level=1)
    person = (changes.get("name", name(1)), changes.get("number", number(1)), "15400000001", "00001", "内科")
    headers = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称")
    hospital.roster([(*person, changes.get("seal_name"))], headers=headers)
    assert hospital.go("run", "--yes", "--review", file) == (0 if sent else 3)
    assert hospital.creates() == sent
    if not sent:
        assert {code for line in hospital.outcomes() for code in line["codes"]} >= {"REVIEW_WRONG"}


def test_only_what_was_judged_right_is_sent_where_that_is_required(hospital, capsys):
    require_review(hospital)
    hospital.doctors(3)
    assert hospital.run_to_end("run", "--yes") == (3, {"not_sent": 3})
    assert {code for line in hospital.outcomes() for code in line["codes"]} == {"REVIEW_MISSING"}
    stderr_text = capsys.readouterr().err
    assert "3 rows wait for a review." in stderr_text
    assert f"--review review-{hospital.runs[-1].name}.json" in stderr_text
    assert "Run again later" not in stderr_text
    summary = openpyxl.load_workbook(hospital.runs[-1] / "results.xlsx")["Summary"]
    assert any("3 of them wait for a review" in str(cell.value) for line in summary for cell in line)
    file = saved(hospital, {1: "right", 2: "wrong"})
    assert hospital.go("run", "--yes", "--review", file) == 3
    assert status(hospital) == {name(1): "sealed", name(2): "rejected", name(3): "not_sent"}
    assert hospital.creates() == 1


def test_the_judgement_right_is_kept_when_the_run_did_not_send_the_row(hospital):
    require_review(hospital)
    hospital.doctors(2)
    hospital.go("check")
    hospital.go("run", "--yes", "--limit", "1", "--review", saved(hospital, {1: "right", 2: "right"}))
    assert hospital.go("run", "--yes") == 0
    assert hospital.creates() == 2


def test_check_and_run_report_the_same_about_a_review(hospital):
    require_review(hospital)
    hospital.doctors(2)
    (hospital.folder / "seals" / "00002.png").write_bytes(b"\x89PNG\r\n\x1a\n broken")
    for command, file in (("check", "plan.jsonl"), ("run", "outcomes.jsonl")):
        assert hospital.go(*[command, *(["--yes"] if command == "run" else [])]) == 3
        lines = hospital.outcomes(file)
        assert [(line["status"], line["codes"]) for line in lines] == [
            ("not_sent", ["REVIEW_MISSING"]),
            ("rejected", ["IMAGE_CORRUPT"]),
        ]
    assert hospital.creates() == 0


def test_the_judgement_wrong_after_the_seal_is_a_warning(hospital):
    hospital.doctors(2)
    hospital.go("check")
    file = saved(hospital, {1: "wrong", 2: "right"})
    assert hospital.go("run", "--yes") == 0
    assert hospital.go("run", "--yes", "--review", file) == 0
    line = next(line for line in hospital.outcomes() if line["name"] == name(1))
    assert line["status"] == "unchanged"
    assert [problem["severity"] for problem in line["problems"]] == ["warning"]
    assert "the seal exists" in line["problems"][0]["message"]
    assert cards(hospital)[name(1)]["group"] == "held", "the one unchanged row that the page shows"


def test_the_file_holds_digests_for_doctors_and_the_ledger_no_number(hospital):
    hospital.doctors(2)
    hospital.go("check")
    file = Path(saved(hospital, {1: "right", 2: "wrong"}))
    hospital.go("run", "--yes", "--review", str(file))
    judgements = json.loads(file.read_text("utf-8"))["judgements"]
    assert all(re.fullmatch(r"[0-9a-fx_]{150,}", identity) for identity in judgements)
    ledger = b"".join(path.read_bytes() for path in (hospital.folder / "state").glob("ledger.sqlite3*"))
    for serial in (1, 2):
        assert number(serial).encode() not in ledger
    assert number(2) not in page(hospital)


def damaged(text: str) -> dict[str, str]:
    review = json.loads(text)
    one = next(iter(review["judgements"]))
    return {
        "cut off": text[: len(text) // 2],
        "empty": "",
        "not json": "<!doctype html>",
        "a list": "[]",
        "not ours": json.dumps({"schema": 1}),
        "another version": json.dumps({**review, "schema": 2}),
        "a word": json.dumps({**review, "judgements": {one: "maybe"}}),
        "an id": json.dumps({**review, "judgements": {"张三": "right"}}),
        "a line lost": json.dumps({**review, "judgements": {}}),
        "changed by hand": text.replace('"wrong"}', '"right"}'),
        "a word that is no word": json.dumps({**review, "judgements": {one: ["wrong"]}}),
        "twice": text.replace('"judgements": {', f'"judgements": {{"{one}": "right", '),
        "no time": json.dumps({**review, "saved": "yesterday"}),
        "another hospital": json.dumps({**review, "site": "0" * 32}),
    }


def test_what_is_not_ours_or_damaged_is_refused(hospital, capsys):
    hospital.doctors(1)
    hospital.go("check")
    path = hospital.folder / "review.json"
    text = (hospital.folder / saved(hospital, {1: "wrong"})).read_text("utf-8")
    for kind, payload in damaged(text).items():
        path.write_text(payload, "utf-8")
        capsys.readouterr()
        assert hospital.go("run", "--yes", "--review", str(path)) == 2, kind
        stderr_text = capsys.readouterr().err
        assert "nothing was sent" in stderr_text, kind
        assert ("another hospital" in stderr_text) == (kind == "another hospital"), kind
    assert hospital.go("--lang", "zh", "run", "--yes", "--review", str(path)) == 2
    assert "没有发送任何内容" in capsys.readouterr().err
    assert hospital.creates() == 0


def test_a_file_that_is_not_there_is_exit_2(hospital, capsys):
    hospital.doctors(1)
    assert hospital.go("run", "--yes", "--review", "nowhere.json") == 2
    assert "nowhere.json" in capsys.readouterr().err


@pytest.mark.parametrize("file", ["review.json", "config.yaml"])
def test_the_page_on_which_a_review_is_saved_is_named(hospital, capsys, file):
    hospital.doctors(1)
    assert hospital.go("run", "--limit", "1") == 0
    run = hospital.newest.name
    capsys.readouterr()
    assert hospital.go("run", "--review", str(hospital.folder / "elsewhere" / file)) == 2
    assert hospital.go("run", "--review", str(hospital.folder / file)) == 2
    for printed in capsys.readouterr().err.rstrip().split("After saving the review in this folder, run:")[1:]:
        assert f"--review review-{run}.json" in printed


def test_without_a_config_the_page_is_for_looking_only(hospital, monkeypatch):
    from pipeline.cli.app import main

    hospital.doctors(2)
    monkeypatch.chdir(hospital.folder)
    (hospital.folder / "config.yaml").unlink()
    assert main(["--lang", "en", "check", "inbox", "--seals", "seals"]) == 0
    html = page(hospital)
    assert 'data-site=""' in html
    assert "This page is read-only" in html
    assert "data-id=" not in html
    assert html.count("data:image/jpeg") == 2


def test_an_unchanged_run_opens_no_picture_and_a_check_shows_the_copies(hospital):
    hospital.doctors(3)
    assert hospital.go("run", "--yes") == 0
    assert page(hospital).count("data:image/jpeg") == 3
    assert hospital.go("run", "--yes") == 0
    assert cards(hospital) == {}, "a run's page is about what happened"
    assert "3 doctors whose seal is unchanged are not shown here; see the workbook, sheet All." in page(
        hospital
    )
    assert count_seals(hospital) == 3
    previews = hospital.folder / "state" / "work" / "previews"
    assert {path.stat().st_mode & 0o777 for path in previews.iterdir()} == {0o600}
    next(previews.iterdir()).unlink()
    assert hospital.go("check") == 0
    assert page(hospital).count("data:image/jpeg") == 2, "taken from the cache, or left out"
    assert {card["group"] for card in cards(hospital).values()} == {"unchanged"}
    assert len(list(previews.iterdir())) == 2
    assert count_seals(hospital) == 2


def test_judgements_come_back_from_the_receipts(hospital):
    hospital.doctors(2)
    hospital.go("check")
    hospital.go("run", "--yes", "--review", saved(hospital, {1: "wrong", 2: "right"}))
    assert hospital.go("ledger", "check") == 0
    (hospital.folder / "state" / "ledger.sqlite3").unlink()
    assert hospital.go("ledger", "rebuild") == 0
    assert hospital.go("run", "--yes") == 3
    assert codes(hospital, 1) == ["REVIEW_WRONG"]
