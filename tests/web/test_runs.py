"""Runs: the history, one run, and its files: those of its folder that are known by name, and nothing else."""

import os
import re
from urllib.parse import quote, unquote

import openpyxl
import pytest
from page_support import PageThread
from people import make_row, number

ROSTER = f"名单 {number(1)}.xlsx"
COPY = f"名单 {'_' * 14}{number(1)[-4:]}.xlsx"  # as the name of its marked copy
HOSTILE = '<img src=x onerror="document.title=1">'


@pytest.fixture
def ran(hospital, marked_copies_on):
    """A hospital with a run that left one row to correct, in a roster whose file is named by a number."""
    hospital.doctors(2, file=ROSTER)
    hospital.roster([make_row(1), make_row(2, number="110199")], file=ROSTER)
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "rejected": 1})
    return hospital


@pytest.fixture
def inside(ran, page):
    return page.enter()


def list_files(text):
    return re.findall(r'<li><a class="button" href="(/runs/[^"]+)">([^<]+)</a>', text)


def test_the_history_leads_to_each_run(ran, inside):
    text = inside.get("/runs").text
    assert f'href="/runs/{ran.newest.name}"' in text
    assert "完成，有行需要人工处理" in text
    assert "待改 1" in text


def test_a_run_has_its_numbers_and_its_files(ran, inside):
    text = inside.get(f"/runs/{ran.newest.name}", Accept_Language="en").text
    assert re.search(
        r'<li class="tile sealed">\s*<span class="word">Sealed</span>\s*<span class="number">1<', text
    )
    names = [shown for _, shown in list_files(text)]
    assert names[:3] == ["report.html", "review.html", "results.xlsx"]
    assert number(1) not in text
    assert names[3:] == [COPY]
    assert number(1) not in inside.get("/runs").text


def test_each_file_is_the_one_of_the_folder(ran, inside, tmp_path):
    files = [address for address, _ in list_files(inside.get(f"/runs/{ran.newest.name}").text)]
    report, review, workbook, copy = (inside.get(address) for address in files)
    link = f'<a href="/runs/{ran.newest.name}">返回这次运行</a>'
    assert report.text.replace(f"\n{link}", "") == (ran.newest / "report.html").read_text("utf-8")
    assert link in report.text
    assert report.headers["Content-Type"] == "text/html"
    assert "Content-Disposition" not in report.headers
    policy = report.headers["Content-Security-Policy"]
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in policy
    assert "unsafe" not in policy
    assert policy.endswith("form-action 'none'; frame-ancestors 'none'")
    for answer, path in ((review, "review.html"), (workbook, "results.xlsx"), (copy, f"rosters/{COPY}")):
        assert answer.body == (ran.newest / path).read_bytes()
        saved_as = unquote(
            answer.headers["Content-Disposition"].removeprefix("attachment; filename*=UTF-8''")
        )
        assert saved_as == path.rpartition("/")[2]
    (tmp_path / "saved.xlsx").write_bytes(copy.body)
    assert openpyxl.load_workbook(tmp_path / "saved.xlsx").active.cell(2, 1).value == make_row(1)[0]


def test_a_report_that_was_changed_is_saved_and_never_opened(ran, inside):
    path = ran.newest / "report.html"
    text = path.read_text("utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', text)[1]
    path.write_text(text.replace(policy, policy.replace("sha256-", "sha256-x", 1)), "utf-8")
    answer = inside.get(f"/runs/{ran.newest.name}/report.html")
    assert answer.headers["Content-Disposition"].startswith("attachment;")
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'self'")
    path.write_text(f"<script>{policy}</script>", "utf-8")
    assert "attachment" in inside.get(f"/runs/{ran.newest.name}/report.html").headers["Content-Disposition"]


WAYS_OUT = (
    "..",
    "../run.json",
    "..%2frun.json",
    "%2e%2e%2f%2e%2e%2fconfig.yaml",
    "..%5cconfig.yaml",
    "run.json",
    "log.jsonl",
    "outcomes.jsonl",
    "rosters",
    "rosters%2f" + quote(COPY),
    quote(COPY),
    "%00report.html",
    "report.html%00",
    "report.html/",
    "./report.html/.",
    "REPORT.HTML",
    "%2fetc%2fpasswd",
    "results%20(2).xlsx",
)


def test_no_name_leads_out_of_the_list(ran, inside):
    for name in WAYS_OUT:
        answer = inside.get(f"/runs/{ran.newest.name}/{name}")
        assert answer.status == 404, name
        for secret in ("secret_id", "api:", '"schema"', "root:"):
            assert secret not in answer.text, name


def test_no_name_of_a_run_leads_to_another_folder(ran, inside):
    own = ran.newest.name
    for run in ("latest", "..%2f..", f"%2e%2e%2fout%2f{own}", f"{own}%2f..%2f{own}", "x", "%00", f"{own}%00"):
        for path in (f"/runs/{run}/report.html", f"/runs/{run}/run.json", f"/runs/{run}"):
            assert inside.get(path).status == 404, path
    for run in ("..", "%2e%2e", "."):
        for path in (f"/runs/{run}/report.html", f"/runs/{run}/run.json"):
            assert inside.get(path).status == 404, path


def test_a_link_in_the_folder_is_not_followed(ran, inside, tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    for path in (ran.newest / "results.xlsx", ran.newest / "report.html", ran.newest / "rosters" / COPY):
        path.unlink()
        path.symlink_to(secret)
    os.link(ran.newest / "review.html", ran.newest / "rosters" / f"{number(1)}.xlsx")
    files = list_files(inside.get(f"/runs/{ran.newest.name}").text)
    assert [shown for _, shown in files] == ["review.html", f"{'*' * 14}{number(1)[-4:]}.xlsx"]
    assert inside.get(f"/runs/{ran.newest.name}/report.html").status == 404


def test_a_folder_that_a_later_run_took_over_is_not_handed_out_for_the_earlier_one(hospital):
    hospital.doctors(1)
    out = hospital.folder / "shared"
    runs = []
    for _ in range(2):
        assert hospital.go("run", "--out", str(out)) == 0
        runs.append(hospital.folder / "out")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        newest, oldest = re.findall(r'class="target" href="(/runs/[^"]+)"', inside.get("/runs").text)
        assert list_files(inside.get(newest).text)
        assert "已不在" in inside.get(oldest).text
        assert inside.get(f"{oldest}/results.xlsx").status == 404


def test_a_file_whose_name_is_a_script_is_a_text(hospital, marked_copies_on, page):
    file = HOSTILE.replace("/", "∕") + ".xlsx"
    hospital.doctors(1, file=file)
    hospital.roster([make_row(1, number="1")], file=file)
    assert hospital.go("run") == 3
    inside = page.enter()
    text = inside.get(f"/runs/{hospital.newest.name}").text
    assert "<img" not in text
    assert "&lt;img src=x onerror=" in text
    copy = next(address for address, shown in list_files(text) if "img" in shown)
    answer = inside.get(copy)
    assert answer.status == 200
    assert '"' not in answer.headers["Content-Disposition"]
    assert "\n" not in answer.headers["Content-Disposition"]
