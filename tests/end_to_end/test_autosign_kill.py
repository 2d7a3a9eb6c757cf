"""kill -9 at every step of `autosign status`, `links`, `cancel` and `disable`: the same command again, and all is right.

`make test` kills each once, at the step that costs most: the answer is there, and not in the ledger yet.
"""

import json
import os
from collections import Counter

import pytest
from people import make_row
from roster_support import write_roster

from pipeline import Config
from pipeline.clock import SystemClock
from pipeline.workflow.tenant_ledger import open_configured_ledger

ACTIONS = {
    "status": "ChannelDescribeUserAutoSignStatus",
    "enable_link": "ChannelCreateUserAutoSignEnableUrl",
    "seal_link": "ChannelCreateUserAutoSignSealUrl",
    "cancel_link": "ChannelCancelUserAutoSignEnableUrl",
    "disable": "ChannelDisableUserAutoSign",
}
LEDGER = (
    "ledger: before the receipts",
    "receipts: before the fsync",
    "ledger: before the commit",
    "ledger: after the commit",
)
WORDS = {
    "status": ("status",),
    "enable_link": ("links", "--sms", "--yes"),
    "seal_link": ("links",),
    "cancel_link": ("cancel", "--all-open", "--yes"),
    "disable": ("disable", "left.xlsx", "--count", "4"),
}


def list_kills():
    """Return what is killed at which step and pass."""
    for kind, action in ACTIONS.items():
        prefix = "autosign" if kind == "status" else f"autosign: {kind}"
        own = f"{prefix}: answered" if kind == "status" else f"{prefix} answered"
        if not os.environ.get("CRASH"):
            if kind != "enable_link":  # test_autosign_links kills it
                yield kind, own, 2
            continue
        steps = [
            f"{action}: before the headers",
            f"{action}: answered",
            own,
            own.replace("answered", "entered"),
        ]
        steps += [] if kind == "status" else [f"{prefix} begun"]
        yield from ((kind, step, count) for step in (*steps, *LEDGER) for count in (1, 3))


def seal_and_ask(hospital):
    hospital.seal_doctors(4)
    assert hospital.go("autosign", "status") == 0


@pytest.fixture
def prepared(scene):
    """Four sealed doctors with a link each; two of them open, with another seal where that is what is tested."""

    def make(kind: str):
        hospital = scene(seal_and_ask)
        if kind == "enable_link":
            return hospital
        assert hospital.go("autosign", "links") == 0
        seals = {"status": "own", "seal_link": "other", "disable": "own"}
        for serial in (
            (1, 2, 3, 4) if kind in {"seal_link", "disable"} else (1, 2) if kind == "status" else ()
        ):
            choice = {"do": "open", "number": make_row(serial)[1], "seal": seals[kind]}
            hospital.service.auto_sign.control(choice, hospital.service_clock.now())
        if kind == "seal_link":
            assert hospital.go("autosign", "status") == 0
        sheet = [("姓名", "证件号码"), *(make_row(serial)[:2] for serial in (1, 2, 3, 4))]
        write_roster(hospital.folder / "left.xlsx", sheet)
        return hospital

    return make


def truth(hospital):
    return hospital.service.auto_sign.build_report(hospital.service_clock.now())


def read_calls(hospital):
    config = Config.load(hospital.folder / "config.yaml")
    with open_configured_ledger(config, SystemClock()) as (ledger, _):
        return ledger.list_auto_sign_calls()


@pytest.mark.parametrize(("kind", "point", "passed"), list(list_kills()))
def test_a_killed_command_is_typed_again(prepared, zygote, capsys, monkeypatch, kind, point, passed):
    hospital = prepared(kind)
    monkeypatch.chdir(hospital.folder)
    words = ("--json", "autosign", *WORDS[kind])
    ended = zygote.run(hospital, *words, name=point, **{"pass": passed}, folder=str(hospital.folder))
    if ended["signal"] != 9:
        assert point in LEDGER or passed > 2, f"{point} is passed: {set(ended['points'])}"
        pytest.skip("the command does not come by so often")
    before = {call.uuid: call for call in read_calls(hospital)}
    if kind == "disable":
        assert hospital.go("autosign", "status", "left.xlsx") == 0
    capsys.readouterr()
    code = hospital.go(*words)
    answer = json.loads(capsys.readouterr().out)
    after = {call.uuid: call for call in read_calls(hospital)}
    assert all(call.verdict for call in after.values()), "what a dead process left has a verdict"
    for uuid, call in before.items():
        assert after[uuid].url == call.url or call.url is None, "no link is lost"
        assert after[uuid].by_sms == call.by_sms
    sent = Counter(sms["number"] for sms in truth(hospital)["sms"])
    assert not sent or max(sent.values()) == 1, "no SMS twice"
    check_end(hospital, kind, code, answer, after.values())
    assert hospital.go("ledger", "check") == 0
    assert len(hospital.service.seals) == 4


def check_end(hospital, kind, code, answer, calls) -> None:
    """Assert that the second command brought about what the first one was to."""
    report = truth(hospital)
    match kind:
        case "status":
            assert (code, answer["states"]) == (0, {"open": 2, "not_open": 2})
        case "enable_link" | "seal_link":
            live = {link["url"] for link in report["links"] if link["state"] == "live"}
            shown = {link["url"] for link in answer["links"]}
            assert (code, len(answer["links"])) == (0, 4), "everybody has a link"
            assert shown <= live
        case "cancel_link":
            assert {link["state"] for link in report["links"]} == {"cancelled"}
            assert not [call for call in calls if call.is_good(hospital.service_clock.now())]
        case "disable":
            assert sorted(one["number"] for one in report["disabled"]) == sorted(
                make_row(serial)[1] for serial in (1, 2, 3, 4)
            ), "each is closed, and once"
            assert {doctor["verdict"] for doctor in answer["doctors"]} <= {"done", "refused"}
