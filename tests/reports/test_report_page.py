"""report.html as Chromium shows it: quiet, self-contained, the numbers of run.json, fits a phone and the dark mode."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from catalogue_support import PROBLEM_CODES
from desktop import SMALL_TARGETS, find_program
from reports.conftest import write_all

from pipeline.domain.roster import Field, FileReport
from pipeline.domain.run import Halt, Status, Traffic
from pipeline.messages.areas import get_pair
from pipeline.messages.problems import build_problem, get_problem_kind
from pipeline.reports.presenter import Presenter
from pipeline.reports.report_page import MAX_ROWS, MAX_TEXT, write_report
from pipeline.reports.totals import count_reasons
from pipeline.sending.call_metrics import CallMetrics

CREATE, UPLOAD = "ChannelCreatePreparedPersonalEsign", "UploadFiles"
HOSTILE = [
    "<img src=x onerror=alert(1)>",
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "{{7*7}}",
    "{% raw %}",
    "javascript:alert(3)",
    '"><svg onload=alert(4)>',
    "' onmouseover='alert(5)",
    "\u202egnp.exe",
    "a\x00b\x1b[31m",
    "\ud800",
    "${7*7}",
    "&lt;b&gt;&amp;",
    "长" * 5_000,
]


class Hand:
    moment = 0.0

    def now(self):
        return 1_795_543_200.0 + self.moment

    def monotonic(self):
        return self.moment


def traffic(calls=120) -> Traffic:
    """A run's traffic: an even pace, one throttle, one call without an answer, a silence."""
    hand = Hand()
    meter = CallMetrics(hand)
    for index in range(calls):
        for action, late in ((UPLOAD, 0.0), (CREATE, 1.0)):
            hand.moment = late + index / 19
            call = meter.start_call(action)
            meter.record_departure(call, 2 if index == 50 else 1)
            hand.moment += 0.07 + index % 7 / 100
            (meter.record_loss if (index, action) == (60, CREATE) else meter.record_answer)(call)
    with meter.measure_wait("outage"):
        hand.moment += 4
    requests = {UPLOAD: {"ok": calls}, CREATE: {"ok": calls - 2, "RequestLimitExceeded": 1, "no_answer": 1}}
    return Traffic(requests, 20.0, 0.9512, 1, 20, meter.summarize())


@dataclass
class Opened:
    """A page and everything it said or asked for."""

    page: object
    messages: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def wait_for_rows(self, count: int) -> None:
        from playwright.sync_api import expect

        expect(self.page.locator("#rows .name")).to_have_count(count)

    def names(self) -> list[str]:
        return self.texts("#rows .name")


@pytest.fixture
def show(chromium):
    """Open a file in a window; afterwards it must have said nothing and asked for nothing but itself."""
    pages = []

    def opened(path: Path, *, wide: int = 1200, scheme: str = "light") -> Opened:
        page = Opened(chromium.open_tab(width=wide))
        page.page.emulate_media(color_scheme=scheme)
        for event, hear in (
            ("console", lambda message: page.messages.append(message.text)),
            ("pageerror", lambda error: page.messages.append(str(error))),
            ("dialog", lambda dialog: (page.messages.append(dialog.message), dialog.dismiss())),
            ("request", lambda request: page.asked.append(request.url)),
        ):
            chromium.listen(page.page, event, hear)
        page.page.goto(path.as_uri())
        pages.append((page, path.as_uri()))
        return page

    yield opened
    for page, address in pages:
        assert page.messages == []
        assert page.asked == [address]


@pytest.fixture
def report(hospital):
    def written(run_report=None, *, language="zh") -> Path:
        run_report = run_report or hospital.build_run_report(traffic=traffic())
        return write_report(
            run_report,
            run_report.out / "report.html",
            presenter=Presenter.for_outcomes(run_report.outcomes, language),
            previews=None,
        )

    return written


@pytest.mark.browser
def test_the_numbers_of_the_page_are_those_of_run_json(show, hospital, make):
    run_report = hospital.build_run_report(traffic=traffic())
    written = write_all(
        run_report, presenter=make.presenter(run_report, "en"), latest=run_report.out.parent / "latest"
    )
    record = json.loads(written["run.json"].read_text("utf-8"))
    page = show(run_report.out.parent / "latest" / "report.html")

    tiles = {
        tile.get_attribute("data-status"): int(tile.locator(".number").inner_text())
        for tile in page.page.locator("#totals .tile").all()
    }
    duplicates = {"duplicate": record["duplicates"], "rejected": record["statuses"]["rejected"] - 1}
    counts = record["statuses"] | duplicates
    assert tiles == {status: rows for status, rows in counts.items() if rows}
    rate = {
        entry.get_attribute("data-rate"): entry.inner_text()
        for entry in page.page.locator("#pace [data-rate]").all()
    }
    assert rate == {
        "lost": str(record["rate"]["timing"]["lost"]),
        "limit": "20 per second",
        "used_share": f"{record['rate']['used_share']:.1%}",
        "max_in_second": str(record["rate"]["max_in_second"]),
        "throttled": str(record["rate"]["throttled"]),
    }
    page.page.locator("#pace summary").click()
    requests = {}
    for line in page.page.locator("#requests tbody tr").all():
        calls = requests.setdefault(line.get_attribute("data-action"), {})
        calls[line.get_attribute("data-code")] = int(line.locator(".n").inner_text())
    assert requests == record["requests"]
    reasons = dict(zip(page.texts("#reasons .code"), map(int, page.texts("#reasons tbody .n")), strict=True))
    assert reasons == dict(count_reasons(run_report.outcomes))
    assert "ROW_DUPLICATE" not in reasons, "a spare copy is nobody's work"


@pytest.mark.browser
def test_reasons_beyond_the_most_frequent_are_counted(show, scene, make, report):
    errors = [code for code in PROBLEM_CODES if get_problem_kind(code).severity == "error"]
    codes = [code for code in errors if code != "ROW_DUPLICATE"][:15]
    scene.outcomes = [
        make.outcome(make.doctor(index, problems=(build_problem(code),)), Status.REJECTED)
        for index, code in enumerate(codes)
    ]

    page = show(report(scene.build_run_report(traffic=Traffic()), language="en"))

    rows = page.texts("#reasons tbody tr")
    assert len(rows) == 13
    assert rows[-1].split("\t")[:2] == ["3 more", "3"]


@pytest.mark.browser
def test_it_prints_light_without_half_empty_pages_and_without_its_filters(
    show, report, hospital, scene, make, tmp_path
):
    errors = [code for code in PROBLEM_CODES if get_problem_kind(code).severity == "error"]
    codes = [code for code in errors if code.startswith(("ID_", "IMAGE_"))][:12]
    scene.outcomes = [
        make.outcome(make.doctor(index, problems=(build_problem(code),)), Status.REJECTED)
        for index, code in enumerate(codes)
    ]
    page = show(report(scene.build_run_report(traffic=traffic())), scheme="dark")
    page.page.emulate_media(media="print", color_scheme="dark")
    paper = page.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == "rgb(255, 255, 255)"
    assert page.page.locator(".filters:visible, #more:visible").count() == 0
    page.page.pdf(path=tmp_path / "report.pdf", format="A4")
    text = subprocess.run(
        [find_program("pdftotext"), "-layout", str(tmp_path / "report.pdf"), "-"],
        check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    first = text.split("\f")[0]
    assert "需要处理的原因" in first
    assert codes[0] in first, "a table may go on over the page"


@pytest.mark.browser
def test_times_waits_and_retries_are_shown(show, report):
    page = show(report(language="en"))

    assert page.texts("#latency tbody tr") == [
        "Create\t100 ms\t130 ms\t130 ms\t1",
        "Upload\t100 ms\t130 ms\t130 ms\t1",
    ]
    assert page.texts("#pace [data-rate=lost]") == ["1"]
    waits = page.page.locator("#waits").inner_text()
    assert re.search(r"While the service was unavailable\s+1\s+4 s\s+4 s", waits)


@pytest.mark.browser
def test_the_filters_narrow_the_rows(show, hospital, report):
    page = show(report())
    waiting = [
        outcome for outcome in hospital.outcomes if outcome.status not in {Status.SEALED, Status.UNCHANGED}
    ]

    assert len(page.names()) == len(waiting) - 1 == 13, (
        "what needs somebody comes first, without the spare copy"
    )
    page.page.locator("#chips button[data-status='']").click()
    assert page.names() == [outcome.doctor.name for outcome in hospital.outcomes]
    page.page.locator("#chips button[data-status='failed']").click()
    assert set(page.texts("#rows .state")) == {get_pair("status.failed")[0]}
    assert page.texts("#shown") == ["2 / 55 行"]
    page.page.locator("#clear").click()
    page.page.locator("#code").select_option(label="证件号码有一位写错 (ID_CHECKSUM)")
    assert len(page.names()) == 1
    page.page.locator("#clear").click()
    page.page.locator("#department").select_option(label="口腔科")
    result = page.names()
    assert result == [
        outcome.doctor.name for outcome in hospital.outcomes if outcome.doctor.department == "口腔科"
    ]
    page.page.locator("#search").fill(hospital.outcomes[2].doctor.name)
    page.page.locator("#department").select_option("")
    page.wait_for_rows(1)
    page.page.locator("#search").fill("no such doctor")
    page.wait_for_rows(0)
    assert page.texts("#shown") == ["没有符合条件的行。"]


@pytest.mark.browser
def test_a_row_opens_and_shows_its_last_four_alone(show, hospital, report, make):
    path = report()
    page = show(path)
    doctor = hospital.outcomes[1].doctor
    page.page.locator("#chips button[data-status='sealed']").click()

    page.page.locator("#rows .open button").first.focus()
    page.page.keyboard.press("Enter")

    details = page.texts("#rows dl.all")[0]
    assert "*" * 14 + doctor.number[-4:] in details
    assert hospital.outcomes[1].seal_id in details
    assert hospital.outcomes[1].request_id in details
    text = path.read_text("utf-8")
    for outcome in hospital.outcomes:
        assert make.number(outcome.doctor.row.origin.row - 3) not in text
        assert outcome.doctor.mobile not in text
    page.page.keyboard.press("Enter")
    assert page.page.locator("#rows dl.all").count() == 0


@pytest.mark.browser
def test_hostile_texts_are_only_texts(show, scene, make, report):
    scene.outcomes = [
        make.outcome(
            make.doctor(
                index,
                name=text,
                texts={"F": text, "G": text},
                path=Path("inbox") / f"{text[:40].replace('/', '_')}.xlsx"
                if text.isprintable()
                else Path("a.xlsx"),
                sheet=text[:31] if text.isprintable() else "a",
                problems=(build_problem("NAME_INVALID", Field.NAME, "B9", found=text, why=text),),
            ),
            status,
            message=text,
            code=text[:60],
            more=(),
        )
        for index, (text, status) in enumerate(
            (text, status) for text in HOSTILE for status in (Status.FAILED, Status.UNKNOWN)
        )
    ]
    run_report = scene.build_run_report(
        traffic=replace(traffic(), requests={CREATE: dict.fromkeys(HOSTILE, 1)}),
        halt=Halt(HOSTILE[0], HOSTILE[1], 4),
        arguments=HOSTILE[0],
        tenant=HOSTILE[1],
    )
    refused = FileReport(Path(HOSTILE[0]), None, "refused", ("FILE_EMPTY",), (), notes=tuple(HOSTILE))
    page = show(report(replace(run_report, files=(*run_report.files, refused))))

    names = page.names()
    assert names[::2][:6] == HOSTILE[:6]
    assert names[2 * HOSTILE.index("{{7*7}}")] == "{{7*7}}"
    assert len(names[-1]) == MAX_TEXT + 2
    assert page.page.locator("img, iframe, object, svg[onload], [onerror], [onmouseover]").count() == 0
    assert page.page.locator("script").count() == 2
    assert HOSTILE[0] in page.texts("#files td")[-3]
    for button in page.page.locator("#rows .open button").all()[:4]:
        button.click()
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.browser
def test_only_its_own_style_and_script_are_allowed(chromium, report):
    page = chromium.open_tab()
    messages = []
    page.on("console", lambda message: messages.append(message.text))
    page.goto(report().as_uri())
    page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.broken = 1';
            document.body.appendChild(script);
            const picture = document.createElement('img');
            picture.src = 'http://127.0.0.1:9/x.png';
            document.body.appendChild(picture);
            document.body.setAttribute('style', 'color: red');
            document.body.setAttribute('onclick', 'window.broken = 2');
        }"""
    )
    page.locator("h1").click()

    assert page.evaluate("window.broken") is None
    assert page.evaluate("getComputedStyle(document.body).color") != "rgb(255, 0, 0)"
    assert sum("Content Security Policy" in text for text in messages) == 4


@pytest.mark.browser
def test_the_whole_row_opens_and_a_marked_text_does_not_close_it(show, report):
    page = show(report())
    row = page.page.locator("#rows tbody tr").first
    button = row.locator(".open button")
    row.locator(".why").click()
    assert button.get_attribute("aria-expanded") == "true"
    assert page.page.locator("#rows dl.all").count() == 1
    page.page.locator("#rows dl.all").click()
    assert button.get_attribute("aria-expanded") == "true", "its details are read, not closed"
    row.locator(".why").select_text()
    row.locator(".why").dispatch_event("click")
    assert button.get_attribute("aria-expanded") == "true"
    page.page.evaluate("getSelection().removeAllRanges()")
    button.focus()
    for key, expanded in (("Space", "false"), ("Enter", "true")):
        page.page.keyboard.press(key)
        assert button.get_attribute("aria-expanded") == expanded


@pytest.mark.browser
def test_a_reason_and_a_total_lead_to_their_rows(show, report, hospital):
    page = show(report())
    page.page.locator("#search").fill("no such doctor")
    page.wait_for_rows(0)
    page.page.locator("#reasons tr:has(.code:text-is('ID_CHECKSUM')) a").click()
    page.wait_for_rows(1)
    assert page.page.locator("#code option:checked").inner_text() == "证件号码有一位写错 (ID_CHECKSUM)"
    assert page.page.locator("#every-row").evaluate("it => it.getBoundingClientRect().top < innerHeight / 2")
    for link in page.page.locator("#reasons a[data-code]").all():
        link.click()
        counted = link.locator("xpath=ancestor::tr").locator(".n").inner_text()
        assert page.texts("#shown")[0].split(" ")[0] == counted
    page.page.locator("#totals a[data-status=unknown]").click()
    unknown = [outcome.doctor.name for outcome in hospital.outcomes if outcome.status is Status.UNKNOWN]
    assert page.names() == unknown


@pytest.mark.parametrize("has_clipboard", [True, False])
@pytest.mark.browser
def test_commands_and_codes_are_copied_also_without_a_clipboard(show, report, has_clipboard):
    page = show(report()).page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"] if has_clipboard else [])
    if not has_clipboard:
        page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
        page.evaluate(
            "document.addEventListener('copy', () => { window.copied = getSelection().toString(); })"
        )
        page.evaluate(
            "document.addEventListener('copy', event => window.copied = document.activeElement.value)"
        )
    page.locator("#chips button[data-status=sealed]").click()
    page.locator("#rows tbody tr").first.click()
    for selector in (".steps .copyable", "#reasons .copyable", "#rows dl.all .copyable"):
        holder = page.locator(selector).first
        wanted = holder.locator(":scope > :first-child").inner_text()
        holder.locator("button.copy").click()
        holder.locator("button.copy.done").wait_for()
        clipboard = "navigator.clipboard.readText()" if has_clipboard else "window.copied"
        assert page.evaluate(clipboard) == wanted
        assert holder.locator("button.copy").evaluate("it => it === document.activeElement")
    assert page.locator("#rows dl.all").count() == 1, "a copy button does not close its row"


@pytest.mark.parametrize(("language", "widths"), [("zh", (390,)), ("en", (790, 390))])
@pytest.mark.browser
def test_the_page_fits_a_phone_and_a_tablet(show, report, language, widths):
    """What a finger hits is 44 pixels high there."""
    page = show(report(language=language)).page
    page.locator("#chips button[data-status='']").click()
    page.locator("#rows .open button").first.click()
    for wide in widths:
        page.set_viewport_size({"width": wide, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") == wide
        beyond = page.evaluate(
            "Array.from(document.querySelectorAll('main *')).filter(e => e.getBoundingClientRect().right > innerWidth + 1).length"
        )
        assert beyond == 0
    page.locator("#chips button[data-status='sealed']").click()
    page.locator("#rows tbody tr").first.click()
    page.locator("summary").click()
    assert page.evaluate(SMALL_TARGETS) == []
    assert page.locator(".copy").count() > 5


@pytest.mark.browser
def test_every_word_can_be_read_light_and_dark(show, report):
    """The page follows the dark mode of the browser; WCAG AA: 4.5 to 1 for whatever stands as text on its ground."""
    measure = """() => {
        const parts = c => c.match(/[\\d.]+/g).map(Number);
        const light = c => { const [r, g, b] = parts(c).map(v => v / 255).map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
            return .2126 * r + .7152 * g + .0722 * b; };
        const ground = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
            const p = parts(c); if (p.length < 4 || p[3] === 1) return c; } return 'rgb(255,255,255)'; };
        return Array.from(document.querySelectorAll('main *')).filter(e => e instanceof HTMLElement && e.offsetParent
            && Array.from(e.childNodes).some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
            const [a, b] = [light(getComputedStyle(e).color), light(ground(e))];
            return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), e.className, e.textContent.slice(0, 20)]; })
            .filter(([contrast]) => contrast < 4.5);
    }"""
    look = "(e => [getComputedStyle(e).backgroundColor, getComputedStyle(e).color])(document.body)"
    page = show(report()).page

    def brightness(colour):
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    light, ink = page.evaluate(look)
    assert brightness(light) > 650
    assert brightness(ink) < 150
    assert page.evaluate(measure) == []
    page.emulate_media(color_scheme="dark")
    dark, pale = page.evaluate(look)
    assert brightness(dark) < 120
    assert brightness(pale) > 600
    assert page.evaluate(measure) == []


@pytest.mark.browser
def test_a_large_run_keeps_rows_that_need_action_and_links_the_workbook(show, scene, make, report):
    scene.outcomes = [
        make.outcome(
            make.doctor(index), Status.REJECTED if index % 20 == 19 else Status.UNCHANGED, request_id=None
        )
        for index in range(MAX_ROWS + 2_000)
    ]
    path = report(scene.build_run_report(traffic=Traffic()))
    page = show(path)

    assert path.stat().st_size < 3_500_000
    assert page.texts("#cut") == [
        f"本页只列 {MAX_ROWS:,} 行（需要处理的在先），共 {MAX_ROWS + 2_000:,} 行；全部在 results.xlsx 的“全部结果”里。"
    ]
    assert page.texts("#shown") == ["350 / 5,000 行"]
    assert len(page.names()) <= 200, "drawn as the reader scrolls"
    for drawn in (200, 300, 350):
        page.page.locator("#more").scroll_into_view_if_needed()
        page.wait_for_rows(drawn)
    assert page.page.locator("#more").is_hidden()
    assert page.texts("#pace .quiet") == ["本次运行没有调用腾讯的接口。"]


@pytest.mark.browser
def test_missing_times_are_mentioned(show, hospital, report):
    page = show(report(hospital.build_run_report(traffic=replace(traffic(), timing=None)), language="en"))

    assert page.texts("#no-timing") == ["Call times of this run are not available: it was interrupted."]
    assert page.page.locator("#latency").count() == 0
    assert page.page.locator("#pace [data-rate]").count() == 4


@pytest.mark.browser
def test_a_check_and_an_empty_run_have_their_page(show, scene, make, report):
    assert show(report(scene.build_run_report(traffic=Traffic()))).texts("#verdict") == [
        "名单里没有要处理的行。"
    ]
    scene.outcomes = [make.outcome(make.doctor(1), Status.READY)]
    page = show(report(scene.build_run_report(command="check", traffic=Traffic(), exit=0), language="en"))
    assert page.texts("h1") == ["Run report"]
    assert page.texts(".meta")[0].startswith("Check before sending · ")
    assert page.names() == ["钱秀兰"]


@pytest.mark.parametrize(
    ("seconds", "zh", "en"),
    [
        (0.0851, "85 毫秒", "85 ms"),
        (0.9999, "1 秒", "1 s"),
        (1.94, "1.9 秒", "1.9 s"),
        (59.97, "1 分 0 秒", "1 min 0 s"),
        (125.2, "2 分 5 秒", "2 min 5 s"),
        (12_000, "3 小时 20 分", "3 h 20 min"),
        (0.0004, "0.4 毫秒", "0.4 ms"),
    ],
)
def test_a_duration_has_two_figures(seconds, zh, en):
    assert (Presenter("zh").describe_duration(seconds), Presenter("en").describe_duration(seconds)) == (
        zh,
        en,
    )


def test_the_page_loads_nothing_and_names_no_host(report):
    text = report().read_text("utf-8")

    assert not re.search(r"""(?:src|srcset|url\(|@import|href)\s*=?\s*["'(]?(?:https?:)?//""", text)
    assert "style=" not in text
    assert not re.search(r"<[^>]+\son\w+=", text)
