"""`autosign links`: who gets which link, SMS once, and what a kill may cost."""

import json
import os
import re
from datetime import datetime
from urllib.request import Request, urlopen

import openpyxl
import pytest
from crash_support import Zygote
from people import make_row
from resolution_support import LaterClock, run_later
from wire_support import fault

from pipeline import Config
from pipeline.clock import SystemClock
from pipeline.sandbox.actions import Rules
from pipeline.workflow.tenant_ledger import open_configured_ledger

ENABLE = "ChannelCreateUserAutoSignEnableUrl"
SEAL = "ChannelCreateUserAutoSignSealUrl"
DAY = 86_400.0


@pytest.fixture
def sealed(scene):
    """A hospital of four sealed doctors who were asked for: none is open."""

    def play(hospital):
        hospital.seal_doctors(4, write=False)
        assert hospital.go("autosign", "status") == 0

    def make(faults=(), **rules):
        return scene(play, rules=Rules(limiter="none", **rules), faults=faults)

    return make


def control(hospital, **command):
    return hospital.service.auto_sign.control(command, hospital.service_clock.now())


def truth(hospital):
    return hospital.service.auto_sign.build_report(hospital.service_clock.now())


def count_calls(hospital, action):
    return sum(request.action == action for request in hospital.service.received)


def add_faults(hospital, *faults):
    """Add faults that count the calls from now on."""
    body = json.dumps({"faults": faults}).encode()
    with urlopen(Request(f"{hospital.sandbox.url}/_faults", data=body)) as answer:
        assert answer.status == 200


def links_of(hospital, capsys, *options, code=0):
    """Run `autosign links --json`; return what it printed."""
    capsys.readouterr()
    assert hospital.go("--json", "autosign", "links", *options) == code
    return json.loads(capsys.readouterr().out)


def read_calls(hospital):
    config = Config.load(hospital.folder / "config.yaml")
    with open_configured_ledger(config, SystemClock()) as (ledger, _):
        return ledger.list_auto_sign_calls()


def number_of(hospital, name):
    return next(seal.number for seal in hospital.service.seals if seal.name == name)


def newest_folder(hospital, name):
    return max(hospital.folder.glob(f"out/*/{name}")).parent


def test_each_doctor_gets_the_link_that_the_newest_state_asks_for(sealed, capsys):
    hospital = sealed()
    first = links_of(hospital, capsys)
    assert (first["made"], len(first["links"]), first["missing"]) == (4, 4, [])
    assert {link["kind"] for link in first["links"]} == {"enable_link"}
    until = datetime.fromisoformat(first["links"][0]["until"]).timestamp()
    assert 29.9 * DAY < until - hospital.service_clock.now() <= 30 * DAY

    folder = newest_folder(hospital, "links.xlsx")
    book = openpyxl.load_workbook(folder / "links.xlsx")
    rows = list(book.active.iter_rows(values_only=True))
    assert [(row[0], row[3]) for row in rows[1:]] == [(link["name"], link["url"]) for link in first["links"]]
    page = (folder / "links.html").read_text("utf-8")
    for file in ("links.xlsx", "links.html"):
        assert (folder / file).stat().st_mode & 0o777 == 0o600
    written = page + json.dumps(rows, ensure_ascii=False) + (folder / "run.json").read_text("utf-8")
    assert not any(seal.number in written for seal in hospital.service.seals)
    shown = re.sub(r"<style>.*?</style>|<script>.*?</script>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert not re.search(r"\d{4}(?![-\d])", shown.partition("<body")[2]), "no part of a number"

    # shown again, not made again
    again = links_of(hospital, capsys)
    assert (again["made"], again["links"]) == (0, first["links"])
    assert count_calls(hospital, ENABLE) == 4

    names = [link["name"] for link in first["links"]]
    for name, link, choice in zip(names, first["links"], ("own", "other", "none"), strict=False):
        assert control(hospital, do="use_link", link=link["url"], seal=choice)["name"] == name
    assert hospital.go("autosign", "status") == 0
    now = {link["name"]: link["kind"] for link in links_of(hospital, capsys)["links"]}
    assert now == {names[1]: "seal_link", names[2]: "enable_link", names[3]: "enable_link"}
    assert (count_calls(hospital, ENABLE), count_calls(hospital, SEAL)) == (4, 1)


@pytest.mark.parametrize("is_linked", [False, True])
def test_a_doctor_who_is_open_without_a_seal_enters_the_link_for_opening_again(sealed, capsys, is_linked):
    """As the service has it: without a seal, the opening link is entered again. The link that was used is that link."""
    hospital = sealed()
    name = hospital.service.seals[0].name
    if is_linked:
        (link,) = links_of(hospital, capsys, name)["links"]
        control(hospital, do="use_link", link=link["url"], seal="none")
    else:
        control(hospital, do="open", number=number_of(hospital, name), seal="none")
    capsys.readouterr()
    assert hospital.go("autosign", "status", name) == 0
    assert "enters the link for opening again" in capsys.readouterr().out
    for words in ((name,), (name, "--renew")):
        (link,) = links_of(hospital, capsys, *words)["links"]
        assert (link["name"], link["kind"]) == (name, "enable_link")
    assert [made["kind"] for made in truth(hospital)["links"]] == ["enable"]
    control(hospital, do="use_link", link=link["url"])
    assert hospital.go("autosign", "status", name) == 0
    assert links_of(hospital, capsys, name)["links"] == []
    assert (count_calls(hospital, ENABLE), count_calls(hospital, SEAL)) == (1, 0)


class Days(LaterClock):
    """The machine's clock some days on."""

    def __init__(self, days):
        self.passed = days * DAY


def test_an_expired_and_a_used_link_are_replaced_on_request_alone(sealed, capsys):
    hospital = sealed()
    first = links_of(hospital, capsys)
    names = [link["name"] for link in first["links"]]
    # used, and closed again: the used link is not shown again
    used = next(link for link in first["links"] if link["name"] == names[1])
    control(hospital, do="use_link", link=used["url"])
    assert hospital.go("autosign", "status") == 0
    assert len(links_of(hospital, capsys)["links"]) == 3
    control(hospital, do="close", number=number_of(hospital, names[1]))
    assert hospital.go("autosign", "status", names[1]) == 0
    later = links_of(hospital, capsys, code=3)
    assert (len(later["links"]), [doctor["name"] for doctor in later["missing"]]) == (3, names[1:2])
    assert "--renew" in later["missing"][0]["reason"]

    capsys.readouterr()
    assert run_later(hospital, "--json", "autosign", "links", clock=Days(31)) == 3
    assert len(json.loads(capsys.readouterr().out)["missing"]) == 4
    assert run_later(hospital, "--json", "autosign", "links", "--renew", clock=Days(31)) == 0
    assert json.loads(capsys.readouterr().out)["made"] == 4


def test_an_sms_goes_once_for_a_doctor_and_link(sealed, capsys):
    """One call gets no answer although the SMS went: it counts as sent for ever, and its doctor still gets a link."""
    hospital = sealed([fault("reset_after", action=ENABLE, nth=(2,))])
    assert hospital.go("autosign", "links", "--sms") == 2
    assert "4 doctors get one SMS each" in " ".join(capsys.readouterr().err.split())
    assert truth(hospital)["sms"] == []
    lost = links_of(hospital, capsys, "--sms", "--yes", code=3)
    assert (lost["made"], len(lost["missing"])) == (3, 1)
    for options in ((), ("--sms", "--yes"), ("--sms", "--yes", "--renew")):
        assert len(links_of(hospital, capsys, *options)["links"]) == 4
    sent = [sms["number"] for sms in truth(hospital)["sms"]]
    assert len(sent) == len(set(sent)) == 4
    assert hospital.go("autosign", "links", "--sms") == 0, "without an SMS to send there is no question"
    # the ledger is lost and made again from its receipts
    hospital.lose_ledger()
    assert hospital.go("ledger", "rebuild") == 0
    assert hospital.go("autosign", "status") == 0
    assert len(links_of(hospital, capsys, "--sms", "--yes")["links"]) == 4
    assert len(truth(hospital)["sms"]) == 4
    # a month later the links are over: a new one may be texted, but not where the answer was lost
    run_later(hospital, "autosign", "links", "--sms", "--yes", "--renew", clock=Days(31))
    sent = sorted(sms["number"] for sms in truth(hospital)["sms"])
    assert len(sent) == 7
    assert sent.count(number_of(hospital, lost["missing"][0]["name"])) == 1


def test_doctors_without_a_mobile_or_with_a_link_to_choose_get_no_sms(sealed, capsys):
    hospital = sealed()
    rows = [list(make_row(serial)) for serial in range(1, 5)]
    rows[0][2] = ""
    hospital.roster(rows)
    first = links_of(hospital, capsys)["links"]
    control(hospital, do="use_link", link=first[1]["url"], seal="other")
    assert hospital.go("autosign", "status") == 0
    links = links_of(hospital, capsys, "--sms", "--yes")["links"]
    assert [link["by_sms"] for link in links] == [False, False, True, True]
    assert len(truth(hospital)["sms"]) == 2


def test_a_refusal_that_hits_everybody_stops_after_one_call(sealed, capsys):
    hospital = sealed()
    control(hospital, do="white_list", state="unlisted")
    answer = links_of(hospital, capsys, code=4)
    assert answer["halted"]["code"] == "OperationDenied.NotInAutoSignWhiteList"
    assert count_calls(hospital, ENABLE) == 1
    control(hospital, do="white_list", state="on")
    assert links_of(hospital, capsys)["made"] == 4


def read_written_links(hospital):
    """Return the text of the newest workbook and page."""
    folder = newest_folder(hospital, "links.xlsx")
    sheets = openpyxl.load_workbook(folder / "links.xlsx").worksheets
    texts = [str(cell) for sheet in sheets for row in sheet.iter_rows(values_only=True) for cell in row]
    page = folder / "links.html"
    return " ".join([*texts, page.read_text("utf-8") if page.exists() else ""])


SAME = "https://essurl.invalid/same"


@pytest.mark.parametrize("first", ["in the same run", "in an earlier run", "used before"])
def test_a_link_for_two_doctors_is_none_for_either_and_both_are_named(sealed, capsys, first):
    hospital = sealed()
    add_faults(hospital, fault({"link": SAME}, action=ENABLE, nth=(1, 3, 5)))
    names = [seal.name for seal in hospital.service.seals]
    if first != "in the same run":
        (link,) = links_of(hospital, capsys, names[0])["links"]
        assert link["url"] == SAME
    if first == "used before":
        control(hospital, do="open", number=number_of(hospital, names[0]))
        assert hospital.go("autosign", "status") == 0
    answer = links_of(hospital, capsys, code=3)
    assert (answer["made"], len(answer["links"])) == (2, 2)
    assert SAME not in {link["url"] for link in answer["links"]}
    without = {doctor["name"]: doctor["reason"] for doctor in answer["missing"]}
    both = {*names} - {link["name"] for link in answer["links"]}
    assert set(without) == both - ({names[0]} if first == "used before" else set())
    assert len(both) == 2
    for name, reason in without.items():
        (other,) = both - {name}
        assert f"gave the same link to {other}" in reason
    assert SAME not in read_written_links(hospital)
    again = links_of(hospital, capsys, next(iter(without)), code=3)
    assert (again["made"], again["links"]) == (0, []), "a third time: the ledger knows whom it was given to"
    assert links_of(hospital, capsys)["made"] == len(without)
    links = {link["name"]: link["url"] for link in links_of(hospital, capsys)["links"]}
    assert len({*links.values()} - {SAME}) == len(links) == 4 - (first == "used before")


def test_what_is_no_https_address_is_no_link(sealed, capsys):
    odd = [
        "http://essurl.invalid/a", "javascript:alert(1)", "file:///etc/passwd", "=cmd|' /C calc'!A0",
        "//essurl.invalid/a", "https:/essurl.invalid", "https://", "https://a@essurl.invalid/a", "pages/guide?token=1", "",
        "data:text/html,a", "https://[a",
    ]  # fmt: skip
    hospital = sealed()
    add_faults(hospital, *(fault({"link": url}, action=ENABLE, nth=(n,)) for n, url in enumerate(odd, 1)))
    names = {seal.name for seal in hospital.service.seals}
    for _ in range(0, len(odd), 4):
        answer = links_of(hospital, capsys, code=3)
        assert (answer["made"], answer["links"]) == (0, [])
        assert {doctor["name"] for doctor in answer["missing"]} == names
        assert all("no usable link" in doctor["reason"] for doctor in answer["missing"])
        assert not [url for url in odd if url and url in read_written_links(hospital)]
    assert {call.url for call in read_calls(hospital)} == {None}
    assert count_calls(hospital, ENABLE) == len(odd)
    assert links_of(hospital, capsys)["made"] == 4


def test_a_doctor_who_was_never_asked_for_gets_no_link(hospital, capsys):
    hospital.seal_doctors(2)
    capsys.readouterr()
    assert hospital.go("autosign", "links") == 0
    printed = capsys.readouterr()
    assert "No doctor needs a link" in printed.out
    assert "2 doctors were never asked for" in printed.err
    assert count_calls(hospital, ENABLE) == 0


POINTS = (
    "autosign: enable_link begun",
    f"{ENABLE}: before the headers",
    f"{ENABLE}: answered",
    "autosign: enable_link answered",
    "autosign: enable_link entered",
    "ledger: before the receipts",
    "ledger: before the commit",
    "ledger: after the commit",
    "receipts: before the fsync",
    "results: before links.xlsx takes its name",
    "results: before links.html takes its name",
)
if not os.environ.get("CRASH"):  # make crash
    POINTS = tuple(
        point
        for point in POINTS
        if point.endswith(("answered", "before the commit", "links.html takes its name"))
    )


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_costs_no_link_and_repeats_no_sms(sealed, capsys, point):
    hospital = sealed()
    words = ("--json", "autosign", "links", "--sms", "--yes")
    with Zygote() as zygote:
        killed = zygote.run(hospital, *words, **{"name": point, "pass": 2 if "results" not in point else 1})
    assert killed["signal"] == 9, killed["points"]
    entered = {call.url for call in read_calls(hospital) if call.verdict == "done"}
    answer = links_of(hospital, capsys, "--sms", "--yes")
    assert len(answer["links"]) == 4, "everybody has a link"
    assert entered <= {link["url"] for link in answer["links"]}, "no link is lost"
    sent = [sms["number"] for sms in truth(hospital)["sms"]]
    assert len(sent) == len(set(sent)), "no SMS twice"
    assert links_of(hospital, capsys, "--sms", "--yes")["made"] == 0, "a second rerun changes nothing"


def test_the_files_with_links_go_with_the_data_of_a_doctor(sealed, capsys):
    hospital = sealed()
    first = links_of(hospital, capsys)["links"]
    assert hospital.go("purge", "--person", first[0]["name"], "--yes") == 0
    assert not list(hospital.folder.glob("out/*/links.*"))
    assert first[0]["url"] not in {call.url for call in read_calls(hospital)}
