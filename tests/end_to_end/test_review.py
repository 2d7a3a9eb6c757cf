"""Judged on the page, obeyed by the run: what a judgement holds for, `require_review`, and the contact sheet."""

import re

import openpyxl
import pytest
from page_support import judge_pictures
from people import name, number
from PIL import Image
from run_support import draw_seal

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.workflow.tenant_ledger import lock_ledger

CARD = re.compile(r'<article class="card".*?</article>', re.DOTALL)


@pytest.fixture
def hospital(hospital):
    """One whose ledger holds nothing yet: without a ledger the page of a check is for looking only."""
    config, clock = Config.load(hospital.folder / "config.yaml", environment={}), SystemClock()
    with lock_ledger(config, "r0", clock):
        return hospital


def page(hospital) -> str:
    return (hospital.newest / "review.html").read_text("utf-8")


def cards(hospital) -> dict[str, dict[str, str]]:
    """Name -> the attributes of each card of the contact sheet."""
    card_by_name = {}
    for card in CARD.finditer(page(hospital)):
        text = card.group()
        attributes = dict(re.findall(r'data-(\w+)="([^"]*)"', text.split("<figure", maxsplit=1)[0]))
        card_by_name[re.search(r"<h2>(.*?)</h2>", text).group(1)] = {**attributes, "html": text}
    return card_by_name


def judge(hospital, words: dict[int, str]) -> None:
    """Check, and judge pictures on the page, by serial number."""
    hospital.go("check")
    named = {name(serial): word for serial, word in words.items()}
    judge_pictures(hospital.folder / "config.yaml", named)


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


def test_what_was_judged_wrong_is_not_sent(hospital):
    hospital.doctors(3)
    judge(hospital, {1: "right", 2: "wrong"})
    assert hospital.go("run", "--yes") == 3
    assert status(hospital) == {name(1): "sealed", name(2): "rejected", name(3): "sealed"}
    assert codes(hospital, 2) == ["REVIEW_WRONG"]
    assert hospital.creates() == 2


def test_the_judgement_wrong_holds_in_later_runs_until_it_is_changed(hospital):
    hospital.doctors(1)
    judge(hospital, {1: "wrong"})
    assert hospital.go("run", "--yes") == 3
    assert hospital.go("run", "--yes") == 3
    assert hospital.go("retry", "--yes") == 3
    assert hospital.creates() == 0
    card = cards(hospital)[name(1)]
    assert (card["group"], card["judged"]) == ("judge", "wrong"), "whoever judged may change their mind"
    judge(hospital, {1: "right"})
    assert hospital.go("run", "--yes") == 0
    assert hospital.creates() == 1


def test_a_judgement_survives_sorting_and_saving_the_roster(hospital):
    hospital.doctors(3)
    judge(hospital, {2: "wrong"})
    path = hospital.folder / "inbox" / "roster.xlsx"
    book = openpyxl.load_workbook(path)
    rows = list(book.active.iter_rows(min_row=2, values_only=True))
    path.unlink()
    hospital.roster([[*row[:2], None, *row[3:]] for row in reversed(rows)], file="another name.xlsx")
    assert hospital.go("run", "--yes") == 3
    assert status(hospital) == {name(3): "sealed", name(2): "rejected", name(1): "sealed"}


@pytest.mark.parametrize(("changes", "sent"), [
    ({"drawing": 77}, 1),
    ({"name": name(2), "number": number(2), "file": number(2)}, 1),
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
    judge(hospital, {1: "wrong"})
    if "drawing" in changes:
        draw_seal(path, changes["drawing"])
    if "saved_as" in changes:
        with Image.open(path) as picture:
            picture.load()
        path.unlink()
        picture.save(path.with_suffix(changes["saved_as"]), compress_level=1)
    if "file" in changes:  # the staff number stood in a check and finds no picture for another person
        path.rename(path.with_stem(changes["file"]))
    person = (changes.get("name", name(1)), changes.get("number", number(1)), "15400000001", "00001", "内科")
    headers = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称")
    hospital.roster([(*person, changes.get("seal_name"))], headers=headers)
    assert hospital.go("run", "--yes") == (0 if sent else 3)
    assert hospital.creates() == sent
    if not sent:
        assert {code for line in hospital.outcomes() for code in line["codes"]} >= {"REVIEW_WRONG"}


def test_only_what_was_judged_right_is_sent_where_that_is_required(hospital, capsys):
    require_review(hospital)
    hospital.doctors(3)
    assert hospital.run_to_end("run", "--yes") == (3, {"not_sent": 3})
    assert {code for line in hospital.outcomes() for code in line["codes"]} == {"REVIEW_MISSING"}
    stderr_text = capsys.readouterr().err
    assert "3 rows wait for a review" in stderr_text
    assert "serve --open" in stderr_text
    assert "Run again later" not in stderr_text
    summary = openpyxl.load_workbook(hospital.runs[-1] / "results.xlsx")["Summary"]
    assert any("3 of them wait for a review" in str(cell.value) for line in summary for cell in line)
    judge(hospital, {1: "right", 2: "wrong"})
    assert hospital.go("run", "--yes") == 3
    assert status(hospital) == {name(1): "sealed", name(2): "rejected", name(3): "not_sent"}
    assert hospital.creates() == 1


def test_the_judgement_right_is_kept_when_the_run_did_not_send_the_row(hospital):
    require_review(hospital)
    hospital.doctors(2)
    judge(hospital, {1: "right", 2: "right"})
    hospital.go("run", "--yes", "--limit", "1")
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


def test_the_judgement_wrong_on_a_doctor_with_a_seal_is_a_warning(hospital):
    hospital.doctors(2)
    judge(hospital, {1: "wrong", 2: "right"})
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    book.active.append((name(1), number(1), f"yD{1:030d}"))
    book.save(hospital.folder / "old-seals.xlsx")
    assert hospital.go("adopt", str(hospital.folder / "old-seals.xlsx")) == 0
    assert hospital.go("run", "--yes") == 0
    line = next(line for line in hospital.outcomes() if line["name"] == name(1))
    assert line["status"] == "unchanged"
    assert [problem["severity"] for problem in line["problems"]] == ["warning"]
    assert "the seal exists" in line["problems"][0]["message"]
    assert cards(hospital)[name(1)]["group"] == "held", "the one unchanged row that the sheet shows"


def test_neither_ledger_nor_contact_sheet_holds_a_number(hospital):
    hospital.doctors(2)
    judge(hospital, {1: "right", 2: "wrong"})
    ledger = b"".join(path.read_bytes() for path in (hospital.folder / "state").glob("ledger.sqlite3*"))
    for serial in (1, 2):
        assert number(serial).encode() not in ledger
        assert number(serial) not in page(hospital)


def test_without_a_config_the_page_is_for_looking_only(hospital, monkeypatch):
    from pipeline.cli.app import main

    hospital.doctors(2)
    monkeypatch.chdir(hospital.folder)
    (hospital.folder / "config.yaml").unlink()
    assert main(["--lang", "en", "check", "inbox", "--seals", "seals"]) == 0
    html = page(hospital)
    assert "There was no usable configuration or ledger" in html
    assert "<script" not in html
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


def test_judgements_come_back_from_the_journals(hospital):
    hospital.doctors(2)
    judge(hospital, {1: "wrong", 2: "right"})
    hospital.go("run", "--yes")
    assert hospital.go("ledger", "check") == 0
    hospital.lose_ledger()
    assert hospital.go("run", "--yes") == 3
    assert codes(hospital, 1) == ["REVIEW_WRONG"]
