"""The review page in a real browser: judged by keyboard, saved, opened again; hostile texts; three thousand cards."""

import io
import json
import random
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path

import pytest
from desktop import SMALL_TARGETS
from PIL import Image
from playwright.sync_api import expect

from pipeline.domain.roster import CellKind, ImageFile, ImagePreview
from pipeline.domain.run import Review, Status
from pipeline.messages.problems import build_problem
from pipeline.reports.presenter import Presenter
from pipeline.reports.review_page import write_review

pytestmark = pytest.mark.browser

SITE = "5" * 32
TO_JUDGE, OTHERS = 12, 3


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
    """A check of so many rows that can be judged, and a few that cannot."""
    for index in range(count):
        ready = make.outcome(make.doctor(index), Status.READY)
        planned = replace(ready.row_plan, review=Review(f"{index:032x}"))
        scene.outcomes.append(replace(ready, row_plan=planned))
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


def press(page, keys: str) -> None:
    for key in keys.split():
        page.keyboard.press(key)


def judged(page) -> list[str | None]:
    return page.eval_on_selector_all(
        ".card[data-id]", "cards => cards.map(card => card.dataset.judgement ?? null)"
    )


def current(page) -> str:
    return page.text_content(".card[aria-current=true] h2")


def visible(page) -> int:
    return page.locator(".card:visible").count()


def save(page, folder: Path) -> Path:
    with page.expect_download() as coming:
        page.keyboard.press("Control+s")
    kept = folder / coming.value.suggested_filename
    coming.value.save_as(kept)
    return kept


def test_right_wrong_skip_and_undo_by_keyboard(path, shown, make):
    page = shown(path)
    names = page.eval_on_selector_all(".card[data-id] h2", "all => all.map(each => each.textContent)")
    assert current(page) == names[0]
    press(page, "1 2 3 Numpad1")
    assert judged(page)[:5] == ["right", "wrong", None, "right", None]
    assert current(page) == names[4]
    press(page, "z")
    assert judged(page)[:5] == ["right", "wrong", None, None, None]
    assert current(page) == names[3]
    press(page, "ArrowLeft ArrowLeft 1")
    assert judged(page)[1] == "right", "a judgement can be changed"
    assert current(page) == names[2], "what was skipped comes next"
    press(page, "ArrowDown")
    across = page.evaluate(
        "getComputedStyle(document.querySelector('main')).gridTemplateColumns.split(' ').length"
    )
    assert current(page) == names[2 + across]
    assert page.text_content("#done") == "2"
    assert page.troubles == []


def test_a_key_that_is_held_down_judges_one_card(path, shown):
    page = shown(path)
    for _ in range(5):
        page.keyboard.down("1")  # playwright marks all but the first as repeats, as a keyboard does
    page.keyboard.up("1")
    assert judged(page).count("right") == 1


def test_the_judged_card_stays_in_view(path, shown):
    page = shown(path)
    for _ in range(TO_JUDGE - 1):
        press(page, "1")
        head_end, card, dock = page.evaluate(
            """() => [".top", ".card[aria-current=true]", ".dock"].map(it => document.querySelector(it).getBoundingClientRect())
                .map((box, index) => index ? box.top : box.bottom)"""
        )
        assert head_end <= card + 1
        assert card + 260 <= dock, "seal and name are seen whole"


def test_the_saved_file_holds_the_judgements_alone(path, shown, tmp_path):
    page = shown(path)
    press(page, "1 2 1")
    kept = save(page, tmp_path)
    assert kept.name == "review-20261125-020000.json"
    message = json.loads(kept.read_text("utf-8"))
    assert message.pop("saved").endswith("Z")
    assert message == {
        "schema": 1,
        "tool": "esign-import",
        "kind": "review",
        "run": "20261125-020000",
        "site": SITE,
        "right": 2,
        "wrong": 1,
        "judgements": {f"{0:032x}": "right", f"{1:032x}": "wrong", f"{2:032x}": "right"},
    }
    assert page.locator("#saved code").text_content().endswith("run --review review-20261125-020000.json")
    assert page.troubles == []


def test_nothing_is_saved_before_something_was_judged(path, shown):
    page = shown(path)
    assert page.is_disabled("#save")
    press(page, "1")
    assert page.is_enabled("#save")


def test_progress_is_kept_in_the_browser_without_names(path, shown):
    page = shown(path)
    press(page, "1 2")
    again = shown(path, context=page.context)
    assert judged(again)[:3] == ["right", "wrong", None]
    assert again.text_content("[data-filter=todo] b") == str(TO_JUDGE - 2)
    assert visible(again) == TO_JUDGE - 2, "it goes on with what is left"
    stored = again.evaluate("JSON.stringify(localStorage)")
    first = again.locator(".card h2").first.text_content()
    assert first not in stored
    assert f"{1:032x}" in stored


def test_the_ledger_outweighs_older_judgements_of_the_browser(scene, make, shown):
    run_report = build_run_report(scene, make, TO_JUDGE)
    page = shown(written(run_report))
    press(page, "1 1")
    first = run_report.outcomes[0]
    known = replace(first, row_plan=replace(first.row_plan, review=Review(f"{0:032x}", "wrong")))
    later = replace(run_report, outcomes=(known, *run_report.outcomes[1:]), started=4_000_000_000.0)
    again = shown(written(later), context=page.context)
    assert judged(again)[:2] == ["wrong", "right"]


def test_a_saved_file_is_loaded_elsewhere_and_a_foreign_one_is_refused(path, shown, tmp_path):
    page = shown(path)
    press(page, "1 2")
    kept = save(page, tmp_path)
    elsewhere = shown(path)
    assert judged(elsewhere)[0] is None
    elsewhere.set_input_files("#open", kept)
    expect(elsewhere.locator(".card[data-judgement=wrong]")).to_have_count(1)
    assert judged(elsewhere)[:2] == ["right", "wrong"]
    strange = tmp_path / "strange.json"
    strange.write_text(kept.read_text("utf-8").replace(SITE, "6" * 32).replace('"wrong"', '"right"'), "utf-8")
    elsewhere.set_input_files("#open", strange)
    expect(elsewhere.locator("#toast")).to_contain_text("不是本院")
    assert judged(elsewhere)[:2] == ["right", "wrong"]


def test_filters_and_search(path, shown, make):
    page = shown(path)
    assert visible(page) == TO_JUDGE
    page.click("[data-filter=all]")
    assert visible(page) == TO_JUDGE + OTHERS
    page.click("[data-filter=refused]")
    assert visible(page) == OTHERS
    assert page.is_disabled("[data-key=right]"), "what is not sent anyway cannot be judged"
    press(page, "1")
    assert judged(page) == [None] * TO_JUDGE
    page.click("[data-filter=todo]")
    press(page, "/")
    page.keyboard.type(make.number(3)[-4:])
    expect(page.locator(".card:visible")).to_have_count(1)
    page.keyboard.type("1")
    assert judged(page) == [None] * TO_JUDGE, "a digit in the search judges nobody"
    page.keyboard.press("Backspace")
    press(page, "Enter 2")
    assert judged(page)[3] == "wrong"
    press(page, "/ Escape Escape")
    page.click("[data-filter=wrong]")
    assert visible(page) == 1


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
    run_report = scene.build_run_report(command="check", site_digest=SITE, run='"><b>', arguments="'</code>'")
    page = shown(written(run_report, language=language))
    names = page.eval_on_selector_all(".card h2", "all => all.map(each => each.textContent)")
    assert names[:-1] == list(HOSTILE[:-1])
    assert page.locator("main svg, main script, main b, main [onerror], main [onmouseover]").count() == 0
    assert page.locator("script").count() == 1
    press(page, "1 2")
    assert page.title().endswith('"><b>')
    assert page.troubles == []


def test_the_policy_lets_nothing_else_run(path, shown):
    page = shown(path)
    html = path.read_text("utf-8")
    assert "default-src 'none'; img-src data:; style-src 'sha256-" in unescape(html)
    assert "unsafe" not in html
    assert html.count("<script") == 1
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
    assert page.locator("#save, .dock").count() == 0, "nothing can be judged"
    assert "Nothing to review" in page.inner_text("header")
    assert page.troubles == []


def test_it_prints_four_in_a_row_with_a_line_to_sign(path, shown):
    page = shown(path)
    press(page, "1")
    page.emulate_media(media="print")
    tops = [round(box.bounding_box()["y"]) for box in page.locator(".card:visible").all()[:5]]
    assert len(set(tops[:4])) == 1
    assert tops[4] > tops[0]
    assert page.is_visible(".sign")
    assert page.locator(".dock:visible, #search:visible, .filters:visible").count() == 0


@pytest.mark.parametrize("wide", [390, 1366])
def test_there_is_one_pair_of_buttons_and_the_notice_covers_no_card(path, shown, wide):
    page = shown(path)
    page.set_viewport_size({"width": wide, "height": 660})
    names = page.locator(".card h2").all_text_contents()
    page.locator(".card").nth(2).click()
    page.locator("[data-key=wrong]:visible").click()
    assert judged(page)[:4] == [None, None, "wrong", None]
    assert page.locator("button:visible", has_text="错").count() == 2, "the filter and the button"
    expect(page.locator("#toast")).to_have_text(f"{names[2]}：错")
    toast, dock = (page.locator(part).bounding_box() for part in ("#toast", ".dock"))
    assert dock["y"] <= toast["y"]
    assert toast["y"] + toast["height"] <= dock["y"] + dock["height"]


def test_the_saved_command_can_be_copied(path, shown, tmp_path):
    page = shown(path)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    press(page, "1")
    save(page, tmp_path)
    page.locator("#saved .copy").click()
    page.locator("#saved .copy.done").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == page.text_content("#saved code")


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


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_phone_shows_every_button_whole_and_nothing_lies_over_them(scene, make, shown, language):
    page = shown(written(build_run_report(scene, make, TO_JUDGE), language=language))
    page.set_viewport_size({"width": 390, "height": 844})
    dock = page.locator(".dock").bounding_box()
    press(page, "1")
    buttons = page.locator(".dock button:visible").all()
    assert all(button.evaluate("it => it.scrollWidth <= it.clientWidth") for button in buttons)
    assert page.evaluate(SMALL_TARGETS) == []
    assert page.locator(".dock").bounding_box() == dock, "what is said moves no button"
    assert page.evaluate("document.documentElement.scrollWidth") == 390


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
        # on a phone and a tablet the filters are one line that is pushed aside
        parts = ".top .line > *" if width < 1001 else ".top .line > *, .filters > *"
        head = page.evaluate(HEAD, parts)
        assert head["parts"] > 3
        assert head["left"] >= 0, width
        assert head["right"] <= width
        assert head["isWhole"] or width < 1001
        assert head["task"] < 60, width
        assert head["top"] < (290 if width < 761 else 175), width


# the edges of the parts of a page's head that are shown, whether its filters are whole, and how high it is
HEAD = """parts => {
  const boxes = [...document.querySelectorAll(parts)].filter(it => it.checkVisibility()).map(it => it.getBoundingClientRect())
    .filter(box => box.width && box.height);
  const height = part => document.querySelector(part).getBoundingClientRect().height;
  const filters = document.querySelector(".filters");
  return {
    parts: boxes.length,
    left: Math.min(...boxes.map(box => box.left)),
    right: Math.max(...boxes.map(box => box.right)),
    isWhole: filters.scrollWidth <= filters.clientWidth,
    task: height(".task"),
    top: height(".top"),
  };
}"""


def test_the_mark_never_covers_the_seal(path, shown):
    page = shown(path)
    press(page, "1 2")
    for media in ("screen", "print"):
        page.emulate_media(media=media)
        for card in page.locator(".card[data-judgement=right], .card[data-judgement=wrong]").all():
            seal, stamp, name = (card.locator(part).bounding_box() for part in ("figure img", ".stamp", "h2"))
            assert stamp["y"] >= seal["y"] + seal["height"], media
            assert stamp["y"] + stamp["height"] / 2 == pytest.approx(name["y"] + name["height"] / 2, abs=18)


def test_the_focused_part_is_visible(path, shown):
    page = shown(path)
    press(page, "1")
    for part in ("#search", "#open", "#save", "[data-filter=all]", "[data-key=wrong]"):
        page.locator(part).focus()
        page.keyboard.press("Shift+Tab")
        page.keyboard.press("Tab")
        seen = page.evaluate(
            """part => {
              const it = document.querySelector(part);
              const ring = it.id === "open" ? document.querySelector("label[for=open]") : it;
              return [document.activeElement === it, getComputedStyle(ring).outlineStyle];
            }""",
            part,
        )
        assert seen == [True, "solid"], part


# how many cards the browser lays out, and how many a key press changes
MEASURE = """async () => {
  const parts = [...document.querySelectorAll(".card h2")];
  const touched = new Set();
  const observer = new MutationObserver(records => records.forEach(record => {
    const card = record.target.nodeType === 1 && record.target.closest(".card");
    if (card) touched.add(card);
  }));
  observer.observe(document.body, { subtree: true, attributes: true, childList: true, characterData: true });
  document.body.dispatchEvent(new KeyboardEvent("keydown", { code: "Digit1", bubbles: true }));
  await new Promise(done => requestAnimationFrame(() => setTimeout(done)));
  observer.disconnect();
  return { laidOut: parts.filter(part => part.checkVisibility({ contentVisibilityAuto: true })).length, changed: touched.size };
}"""


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
    cost = page.evaluate(MEASURE)
    assert 0 < cost["laidOut"] < 100, cost
    assert 0 < cost["changed"] <= 3, cost
    assert page.troubles == []
