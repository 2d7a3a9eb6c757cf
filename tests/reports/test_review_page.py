"""The contact sheet in a real browser: what its cards show, hostile texts, print, phones, three thousand cards."""

import io
import random
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from pipeline.domain.roster import CellKind, ImageFile, ImagePreview
from pipeline.domain.run import Review, Status
from pipeline.messages.problems import build_problem
from pipeline.reports.presenter import Presenter
from pipeline.reports.review_page import write_review

pytestmark = pytest.mark.browser

SITE = "5" * 32
TO_JUDGE, OTHERS = 12, 3
JUDGED = {0: "right", 1: "wrong"}


@cache
def webp(seed: int, *, side: int = 256) -> bytes:
    """A noisy red drawing of some 8 KB, as scans are."""
    dice = random.Random(seed)
    noise = Image.frombytes("L", (32, 32), dice.randbytes(32 * 32)).resize((side, side))
    picture = Image.merge("RGB", (Image.new("L", (side, side), 200), noise, noise))
    buffer = io.BytesIO()
    picture.save(buffer, "WEBP", quality=72)
    return buffer.getvalue()


class Copies:
    """A small copy for each picture, by its digest."""

    def __init__(self, copies: list[bytes]) -> None:
        self._copies = copies

    def load_preview(self, image: ImageFile, **_: object) -> ImagePreview:
        return ImagePreview(self._copies[int(image.sha256, 16) % len(self._copies)])


@pytest.fixture
def shown(chromium):
    """Open a page in an empty profile; console errors and requests to anywhere are collected."""

    def show(path: Path, *, context=None):
        size = {"width": 1366, "height": 660}
        if context:
            page = context.new_page()
            page.set_viewport_size(size)
        else:
            page = chromium.open_tab(offline=True, **size)
        page.troubles = []

        def hear_message(message):
            if message.type in {"error", "warning"}:
                page.troubles.append(message.text)

        def hear_request(asked):
            if not asked.url.startswith(("data:", "blob:", path.as_uri())):
                page.troubles.append(asked.url)

        chromium.listen(page, "console", hear_message)
        chromium.listen(page, "pageerror", lambda error: page.troubles.append(str(error)))
        chromium.listen(page, "request", hear_request)
        chromium.listen(page, "dialog", lambda dialog: page.troubles.append(dialog.message))
        page.goto(path.as_uri())
        return page

    return show


def build_run_report(scene, make, count: int, **changes):
    """A check of so many rows that can be judged, the first two of them judged, and a few that cannot."""
    for index in range(count):
        ready = make.outcome(make.doctor(index), Status.READY)
        review = Review(f"{index:032x}", JUDGED.get(index))
        scene.outcomes.append(replace(ready, row_plan=replace(ready.row_plan, review=review)))
    for index in range(count, count + OTHERS):
        scene.outcomes.append(make.outcome(make.doctor(index, picture=None), Status.REJECTED))
    return scene.build_run_report(**{"command": "check", "site_digest": SITE, **changes})


def written(run_report, *, language="zh", copies=None):
    copies = copies or [webp(seed) for seed in range(TO_JUDGE)]
    presenter = Presenter.for_outcomes(run_report.outcomes, language)
    return write_review(
        run_report, run_report.out / "review.html", presenter=presenter, previews=Copies(copies)
    )


@pytest.fixture
def path(scene, make):
    return written(build_run_report(scene, make, TO_JUDGE))


def test_the_head_counts_the_cards_and_a_judgement_has_its_mark(path, shown):
    page = shown(path)
    assert page.locator(".counts span").all_inner_texts() == ["待核对 10", "判对 1", "判错 1", "不能提交 3"]
    assert [mark.get_attribute("aria-label") for mark in page.locator(".stamp[role=img]").all()] == [
        "对",
        "错",
    ]
    assert page.locator("button, input, form").count() == 0
    assert "对错在页面“核对”里登记" in page.inner_text(".notes")


HOSTILE = (
    '<img src=x onerror="document.title=1">',
    "</script><script>document.title=1</script>",
    "{{7*7}}{%print(7)%}${7*7}",
    "\"'><svg/onload=document.title=1>",
    "--><!--",
    "' onmouseover='document.title=1",
    "&lt;b&gt;",
    "\u202egnp.exe",
    "\ud800\x00\x1b[31m",
)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_hostile_texts_are_texts(scene, make, shown, language):
    for index, text in enumerate(HOSTILE):
        doctor = replace(
            make.doctor(index, name=text, picture=f"{text}.png".replace("/", "∕")),
            staff_no=text,
            department=text,
        )
        ready = make.outcome(doctor, Status.READY)
        planned = replace(ready.row_plan, seal_name=text, review=Review(f"{index:032x}"))
        scene.outcomes.append(replace(ready, row_plan=planned))
    run_report = scene.build_run_report(command="check", site_digest=SITE, run='"><b>')
    page = shown(written(run_report, language=language))
    names = page.eval_on_selector_all(".card h2", "all => all.map(each => each.textContent)")
    assert names[:-1] == list(HOSTILE[:-1])
    assert page.locator("main svg, main script, main b, main [onerror], main [onmouseover]").count() == 0
    assert page.locator("script").count() == 0
    assert page.title().endswith('"><b>')
    assert page.troubles == []


def test_the_policy_lets_nothing_else_run(path, shown):
    page = shown(path)
    html = path.read_text("utf-8")
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in unescape(html)
    assert "unsafe" not in html
    assert "script" not in html
    refused = page.evaluate(
        """() => new Promise(done => {
            document.addEventListener("securitypolicyviolation", event => done(event.effectiveDirective));
            const script = document.createElement("script");
            script.textContent = "document.title = 'owned'";
            document.body.append(script);
        })"""
    )
    assert refused.startswith("script-src")
    assert page.title() != "owned"
    asked = page.evaluate("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')")
    assert asked == "refused"


def test_cards_show_reasons_and_warnings(scene, make, shown):
    namesakes = [make.doctor(position, name="张伟") for position in range(2)]
    for index, doctor in enumerate(namesakes):
        ready = make.outcome(doctor, Status.READY)
        planned = replace(ready.row_plan, review=Review(f"{index:032x}"))
        scene.outcomes.append(replace(ready, row_plan=planned))
    run_report = scene.build_run_report(command="check", site_digest=SITE)
    page = shown(written(run_report, copies=[webp(1)]))
    text = page.inner_text("main")
    assert text.count("2 位同名医生") == 2
    assert text.count("看起来相同") == 2
    assert "文件名就是工号" in text
    assert make.number(0) not in page.content()
    assert make.number(0)[-4:] in text


def test_a_warning_is_never_shown_as_a_reason(scene, make, shown):
    apart = build_problem("SEAL_NAME_DUPLICATE", severity="warning", found="张伟处方章", used="张伟一处方章")
    for index, more in enumerate([(apart,), ()]):
        scene.outcomes.append(make.outcome(make.doctor(index, name="张伟"), Status.SEALED, more=more))
    page = shown(written(scene.build_run_report(site_digest=SITE)))
    assert page.locator(".card .why").count() == 0
    assert page.inner_text("main").count("2 位同名医生") == 2


def test_every_status_has_its_card_and_only_open_rows_can_be_judged(hospital, shown):
    page = shown(written(hospital.build_run_report(command="run", site_digest=SITE), language="en"))
    groups = page.eval_on_selector_all(".card", "all => all.map(each => each.dataset.group)")
    assert {group: groups.count(group) for group in sorted(set(groups))} == {
        "held": 4,
        "refused": 10,
        "sealed": 27,
    }
    assert "Nothing to review" in page.inner_text("header")
    assert page.troubles == []


def test_it_prints_four_in_a_row_with_a_line_to_sign(path, shown):
    page = shown(path)
    page.emulate_media(media="print")
    tops = [round(box.bounding_box()["y"]) for box in page.locator(".card:visible").all()[:5]]
    assert len(set(tops[:4])) == 1
    assert tops[4] > tops[0]
    assert page.is_visible(".sign")


def test_a_cleaned_file_name_is_not_called_the_name_itself(scene, make, shown):
    fuzzy = build_problem("IMAGE_NAME_FUZZY", severity="warning", found="1001赵.png", expected="赵")
    for index, more in enumerate([(fuzzy,), ()]):
        scene.outcomes.append(make.outcome(make.doctor(index), Status.SEALED, more=more))
    page = shown(written(scene.build_run_report(site_digest=SITE)))
    named = "按统一格式由姓名组成"  # the seal
    assert page.locator("dd i").all_text_contents() == [
        *(named, "文件名相符（忽略了细小差异）"),
        *(named, "文件名就是工号"),
    ]


def test_a_number_has_one_line_and_the_text_in_place_of_one_stays_in_its_card(scene, make, shown):
    damaged = make.doctor(1, texts={"D": "440304199003070000"}, kinds={"D": CellKind.NUMBER}, usable=False)
    for doctor in (make.doctor(0), damaged):
        scene.outcomes.append(make.outcome(doctor, Status.REJECTED))
    page = shown(written(scene.build_run_report(), language="en"))
    number, text = page.locator("dd.number").all()
    assert number.text_content().endswith(make.number(0)[-4:])
    assert text.text_content() == "damaged (last digits lost)"
    for width in (320, 390, 1366):
        page.set_viewport_size({"width": width, "height": 844})
        assert number.bounding_box()["height"] < 24, width
        assert all(
            card.evaluate("it => it.scrollWidth <= it.clientWidth") for card in page.locator(".card").all()
        ), width


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_head_is_whole_and_low_at_every_width(scene, make, shown, language):
    page = shown(written(build_run_report(scene, make, TO_JUDGE), language=language))
    for width in (390, 600, 768, 900, 1024, 1280):
        page.set_viewport_size({"width": width, "height": 800})
        head = page.evaluate(HEAD)
        assert head["parts"] > 3
        assert head["left"] >= 0, width
        assert head["right"] <= width
        assert head["task"] < 60, width
        assert head["top"] < (290 if width < 761 else 175), width


# the edges of the parts of a page's head, and how high it is
HEAD = """() => {
  const boxes = [...document.querySelectorAll(".top .line > *, .counts > *")].map(it => it.getBoundingClientRect())
    .filter(box => box.width && box.height);
  const height = part => document.querySelector(part).getBoundingClientRect().height;
  return {
    parts: boxes.length,
    left: Math.min(...boxes.map(box => box.left)),
    right: Math.max(...boxes.map(box => box.right)),
    task: height(".task"),
    top: height(".top"),
  };
}"""


def test_the_mark_never_covers_the_seal(path, shown):
    page = shown(path)
    marked = page.locator(".card[data-judged]").all()
    assert len(marked) == len(JUDGED)
    for media in ("screen", "print"):
        page.emulate_media(media=media)
        for card in marked:
            seal, stamp, name = (card.locator(part).bounding_box() for part in ("figure img", ".stamp", "h2"))
            assert stamp["y"] >= seal["y"] + seal["height"], media
            assert stamp["y"] + stamp["height"] / 2 == pytest.approx(name["y"] + name["height"] / 2, abs=18)


# how many cards the browser lays out
LAID_OUT = "parts => parts.filter(part => part.checkVisibility({ contentVisibilityAuto: true })).length"


def test_three_thousand_cards_cost_only_the_visible_ones(scene, make, shown):
    run_report = build_run_report(scene, make, 3_000)
    # pictures of a tenth of the usual 8 KB: what is measured is what the page does with its cards
    copies = [webp(seed, side=48) for seed in range(40)]
    written_to = written(run_report, copies=copies)
    pictures = 3_000 * sum(len(copy) * 4 / 3 for copy in copies) / len(copies)
    assert 0 < written_to.stat().st_size - pictures < 3e6
    page = shown(written_to)
    assert page.locator(".card").count() == 3_000
    assert f"{OTHERS} 行没有显示" in page.inner_text(".notes")
    laid_out = page.locator(".card h2").evaluate_all(LAID_OUT)
    assert 0 < laid_out < 100
    assert page.troubles == []
