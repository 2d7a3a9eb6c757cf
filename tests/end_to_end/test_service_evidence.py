"""Evidence from the service for creates without a verdict: the list of seals and the audit log, and what never counts."""

import json
from copy import copy
from dataclasses import replace

import pytest
from end_to_end.test_certify import open_auto_sign
from people import make_row
from resolution_support import LaterClock, list_made_seals, read_unknown_rows, run_later
from run_support import draw_seal
from wire_support import fault

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.seal_list import IMPORTED_TYPE, ListedSeal

ORGANIZATION = SANDBOX.organization_open_id
STRANGE_ID = "yD" + "Zz9" * 10
DAY = 86_400.0
# the list of seals as the sandbox begins with it
UNCHANGED = {"others": [], "renamed": {}, "statuses": {}, "hidden": [], "arriving": [], "cut_at": None}


class Later(LaterClock):
    """So many seconds after the run."""

    def __init__(self, passed):
        super().__init__()
        self.passed = passed


def make_hospital(
    hospital_with, do="reset_after", *, doctors=4, lost=(4,), tenants=(SANDBOX,), api=None, **rules
):
    """Make a hospital of whose creates some got no answer; ``do`` decides whether they took effect."""
    hospital = hospital_with(
        rules=Rules(limiter="none", **{"list_shows": True, "audit_delay": 0.0, **rules}),
        faults=[fault(do, nth=lost)],
        tenants=tenants,
        api=api,
    )
    hospital.doctors(doctors)
    assert hospital.run_to_end("run") == (3, {"sealed": doctors - len(lost), "unknown": len(lost)})
    return hospital


def get_unknown(hospital):
    """Return the name and the seal name of the first doctor without an answer."""
    name, row = next(iter(read_unknown_rows(hospital).items()))
    return name, row["seal_name"]


def look_up(hospital, capsys, who, option="--look-up", passed=LaterClock.passed):
    """Ask the service; return the decision and the sentence on it."""
    capsys.readouterr()
    code = run_later(hospital, "--json", "resolve", who, option, clock=Later(passed))
    shown = capsys.readouterr()
    answer = json.loads(shown.out)
    assert code == (3 if answer["decision"] is None else 0)
    return answer["decision"], " ".join(shown.err.split())


def certify(hospital, *arguments, passed=LaterClock.passed):
    return run_later(hospital, "certify", *arguments, clock=Later(passed))


def test_a_line_confirms_only_where_everything_agrees(hospital_with, capsys):
    hospital = make_hospital(hospital_with)
    who, seal_name = get_unknown(hospital)
    seals = hospital.service.seal_list
    seal = next(seal for seal in hospital.service.seals if seal.name == who)
    other = next(seal for seal in hospital.service.seals if seal.name != who)
    line = ListedSeal(STRANGE_ID, ORGANIZATION, seal_name, seal.created_at, seal_type=IMPORTED_TYPE)
    many = [
        ListedSeal(f"yDcompany{number:023d}", ORGANIZATION, f"公章{number}", seal.created_at - DAY)
        for number in range(150)
    ]
    without = {"hidden": [seal.seal_id]}
    attacks = [
        ({"renamed": {seal.seal_id: "王老师专用章"}}, "may have been renamed"),
        ({"renamed": {seal.seal_id: f"{seal_name} "}}, "only a similar name"),
        ({"others": [line]}, "several seals have this name (2: "),
        (
            {**without, "others": [replace(line, created_at=seal.created_at - 3600)]},
            "not in the minutes of this",
        ),
        (
            {**without, "others": [replace(line, created_at=seal.created_at + 1200)]},
            "not in the minutes of this",
        ),
        ({"statuses": {seal.seal_id: "DISABLE"}}, "with the state DISABLE"),
        ({**without, "others": [replace(line, seal_type="OFFICIAL")]}, "is of the kind OFFICIAL"),
        ({**without, "renamed": {other.seal_id: seal_name}}, "already belongs to another person"),
        ({**without, "others": [replace(line, organization="org_other")]}, "run certify --list"),
        ({"cut_at": 2}, "the service counts 4 seals and gave 2"),
        (
            {"others": [*many], "arriving": [replace(line, seal_name="新来的公章")]},
            "changed while it was read",
        ),
    ]
    for changes, sentence in attacks:
        for name, value in (UNCHANGED | changes).items():
            setattr(seals, name, copy(value))
        decision, words = look_up(hospital, capsys, who)
        assert (decision, sentence in words) == (None, True), words
    for name, value in (UNCHANGED | {"others": many}).items():
        setattr(seals, name, value)
    assert look_up(hospital, capsys, who)[0] == "created"
    assert hospital.go("run") == 0
    assert {row["name"]: row["seal_id"] for row in hospital.outcomes()} == list_made_seals(hospital)
    run_later(hospital, "explain", who)
    story = capsys.readouterr().out
    assert "question: asked the hospital's list of seals" in story
    assert "(2 pages, RequestId" in story


def test_answers_that_contradict_each_other_enter_nothing(hospital_with, capsys):
    hospital = make_hospital(hospital_with, doctors=3, lost=(3,))
    who, _ = get_unknown(hospital)
    seals = hospital.service.seal_list
    seal = next(seal for seal in hospital.service.seals if seal.name == who)
    drawn = ListedSeal(STRANGE_ID, ORGANIZATION, "自绘章", seal.created_at - DAY, seal_type="PERSONAL")
    open_auto_sign(hospital, who, STRANGE_ID)
    assert "contradict each other" in look_up(hospital, capsys, who)[1], "each confirms another seal"
    seals.hidden, seals.others = [seal.seal_id], [drawn]
    assert "contradict each other" in look_up(hospital, capsys, who)[1], (
        "the list shows the seal as another one"
    )
    seals.others = []
    assert "contradict each other" in look_up(hospital, capsys, who)[1], "the list rules it out"
    assert list(read_unknown_rows(hospital)) == [who]
    assert run_later(hospital, "--json", "explain", who) == 0
    assert json.loads(capsys.readouterr().out)["doctor"]["status"] == "unknown", "a question decides nothing"
    seals.hidden = []
    open_auto_sign(hospital, who, seal.seal_id)
    assert look_up(hospital, capsys, who)[0] == "created"


def test_absence_in_the_list_counts_once_certified_and_only_whole(hospital_with, capsys):
    hospital = make_hospital(hospital_with, "reset_before")
    who, _ = get_unknown(hospital)
    seals = hospital.service.seal_list
    own = hospital.service.seals[0]
    assert "run certify --list" in look_up(hospital, capsys, who)[1]
    assert certify(hospital, "--list", passed=800) == 0
    assert "resolve --look-up asks it" in capsys.readouterr().err
    assert "may still be carried out" in look_up(hospital, capsys, who, passed=200)[1]
    later = 1500
    strange = ListedSeal(
        STRANGE_ID, ORGANIZATION, "王老师专用章", own.created_at + 5, seal_type=IMPORTED_TYPE
    )
    for changes, sentence in (
        ({"hidden": {own.seal_id}}, "the list is not complete"),
        ({"others": [strange]}, "may have been renamed"),
        (
            {"cut_at": 3, "others": [replace(strange, created_at=own.created_at - DAY)]},
            "counts 4 seals and gave 3",
        ),
        ({"shows_imported": False}, "this list may not show imported seals"),
    ):
        for name, value in changes.items():
            setattr(seals, name, value)
        decision, words = look_up(hospital, capsys, who, passed=later)
        assert (decision, sentence in words) == (None, True), words
        seals.hidden, seals.others, seals.cut_at, seals.shows_imported = set(), [], None, True
    assert "ask again after" in " ".join(look_up(hospital, capsys, who)[1].split()).lower()
    assert look_up(hospital, capsys, who, passed=later)[0] == "not_created"
    assert hospital.go("run") == 0
    assert hospital.service.list_duplicates() == {}
    run_later(hospital, "explain", who)
    assert "not created, can be sent again (source: the hospital's list of seals)" in capsys.readouterr().out


def test_a_list_that_shows_no_imported_seal_is_not_asked_again(hospital_with, capsys):
    hospital = make_hospital(hospital_with, "reset_before", list_shows=False, doctors=2, lost=(2,))
    who, _ = get_unknown(hospital)
    assert "none created by this program" in look_up(hospital, capsys, who)[1]
    assert certify(hospital, "--list") == 3
    listings = sum(call.action == "ChannelDescribeOrganizationSeals" for call in hospital.service.received)
    assert "not asked: it was recorded" in look_up(hospital, capsys, who)[1]
    assert listings == sum(
        call.action == "ChannelDescribeOrganizationSeals" for call in hospital.service.received
    )
    hospital.service.seal_list.shows_imported = True
    assert certify(hospital, "--list") == 0
    assert "not found, but it is not recorded" in look_up(hospital, capsys, who, passed=91 * DAY)[1]


def test_two_unknown_rows_do_not_confuse_each_other(hospital_with, capsys):
    hospital = make_hospital(hospital_with, lost=(3, 4), unique_names="off")
    unknown = read_unknown_rows(hospital)
    assert certify(hospital, "--list") == 0
    gone = next(seal for seal in hospital.service.seals if seal.name in unknown)
    hospital.service.seals.remove(gone)  # its create never took effect
    assert look_up(hospital, capsys, gone.name, passed=1000)[0] == "not_created"
    (other,) = unknown.keys() - {gone.name}
    assert look_up(hospital, capsys, other, passed=1000)[0] == "created"
    assert hospital.go("run") == 0
    assert hospital.service.list_duplicates() == {}


@pytest.mark.parametrize("ahead", [-25.0, 25.0])
def test_a_clock_that_is_a_little_wrong_hides_no_seal(hospital_with, capsys, ahead):
    hospital = hospital_with(
        rules=Rules(limiter="none", list_shows=True), faults=[fault("reset_after", nth=(2,))]
    )
    hospital.doctors(2)
    hospital.service_clock.ahead = ahead
    assert hospital.go("run") == 3
    assert look_up(hospital, capsys, get_unknown(hospital)[0])[0] == "created"


def test_a_name_that_exists_is_confirmed_where_an_earlier_create_made_it(hospital_with, capsys):
    hospital = make_hospital(hospital_with, doctors=3, lost=(3,))
    who, seal_name = get_unknown(hospital)
    path = hospital.folder / "config.yaml"
    assert run_later(hospital, "certify", "00001", "--yes") == 0
    path.write_text(path.read_text("utf-8") + "unknown: probe\n", "utf-8")
    assert run_later(hospital, "run") == 3
    assert hospital.statuses() == {"unchanged": 2, "exists": 1}
    seal = next(seal for seal in hospital.service.seals if seal.name == who)
    hospital.service.seal_list.hidden = {seal.seal_id}
    hospital.service.seal_list.others = [
        ListedSeal(STRANGE_ID, ORGANIZATION, seal_name, seal.created_at - DAY, seal_type=IMPORTED_TYPE)
    ]
    assert "not in the minutes of this submission" in look_up(hospital, capsys, who, passed=1000)[1]
    hospital.service.seal_list.others.clear()
    assert "although the service reported that one exists" in look_up(hospital, capsys, who, passed=1000)[1]
    hospital.service.seal_list.hidden = set()
    assert look_up(hospital, capsys, who, passed=1000)[0] == "created"


def test_an_event_with_our_trace_id_and_a_seal_id_confirms(hospital_with, capsys):
    hospital = make_hospital(hospital_with, doctors=2, lost=(2,))
    who, seal_name = get_unknown(hospital)
    log = hospital.service.audit_log
    events = list(log.calls)

    def change_events(**parts):
        """Let the events of this create hold something else."""
        log.calls = [
            replace(call, event={**call.event, **parts})
            if seal_name in call.event["requestParameters"]
            else call
            for call in events
        ]

    (own,) = [call.event for call in events if seal_name in call.event["requestParameters"]]
    known = next(seal.seal_id for seal in hospital.service.seals if seal.name != who)
    for parts, sentence in (
        ({"responseElements": "{}"}, "the request arrived"),
        ({"traceID": "another"}, "does not show whose it is"),
        ({"responseElements": json.dumps({"SealId": known})}, "already belongs to another person"),
        ({"apiErrorCode": "InternalError", "responseElements": "{}"}, "with the error InternalError"),
        ({"apiErrorCode": "InvalidParameter.CardNumber", "responseElements": "{}"}, "run certify --audit"),
        ({"traceID": None, "requestParameters": json.dumps({"IdCardNumber": "***"})}, "run certify --audit"),
    ):
        change_events(**parts)
        decision, words = look_up(hospital, capsys, who, "--audit", passed=500)
        assert (decision, sentence in words) == (None, True), words
    change_events(traceID=None, note=f"trace={own['traceID']};")
    assert look_up(hospital, capsys, who, "--audit", passed=500)[0] == "created"
    assert hospital.go("run") == 0
    assert {row["name"]: row["seal_id"] for row in hospital.outcomes()} == list_made_seals(hospital)


def test_a_doctor_is_known_by_the_whole_number_and_never_by_the_seal_name(hospital_with, capsys):
    """The log holds the calls of all hospitals of the account."""
    second = replace(SANDBOX, organization_open_id="org_other_hospital")
    hospital = make_hospital(
        hospital_with,
        doctors=2,
        lost=(2,),
        tenants=(SANDBOX, second),
        audit_shows=("request_id", "seal_id", "person"),
    )
    who, seal_name = get_unknown(hospital)
    log = hospital.service.audit_log
    (own,) = [call for call in log.calls if seal_name in call.event["requestParameters"]]
    for old, new in (
        (ORGANIZATION, second.organization_open_id),
        (own_number(hospital, who), make_row(9)[1]),
    ):
        changed = own.event["requestParameters"].replace(old, new)
        log.calls[log.calls.index(own)] = theirs = replace(
            own, event={**own.event, "requestParameters": changed}
        )
        decision, words = look_up(hospital, capsys, who, "--audit")
        assert (decision, "does not show whose it is" in words) == (None, True), words
        log.calls[log.calls.index(theirs)] = own
    assert look_up(hospital, capsys, who, "--audit")[0] == "created"


def own_number(hospital, who):
    return next(seal.number for seal in hospital.service.seals if seal.name == who)


def test_absence_in_the_log_counts_after_the_delay_that_was_seen(hospital_with, capsys):
    hospital = make_hospital(hospital_with, "reset_before", doctors=2, lost=(2,), audit_delay=600.0)
    who, _ = get_unknown(hospital)
    assert certify(hospital, "--audit") == 3, "not yet in the log"
    assert "certify --audit" in look_up(hospital, capsys, who, "--audit", passed=700)[1]
    assert certify(hospital, "--audit", passed=700) == 0
    assert "ask again after" in look_up(hospital, capsys, who, "--audit", passed=690)[1].lower()
    assert look_up(hospital, capsys, who, "--audit", passed=1500)[0] == "not_created"
    assert hospital.go("run") == 0
    assert hospital.service.list_duplicates() == {}


def test_a_log_without_trace_ids_confirms_and_never_refutes(hospital_with, capsys):
    hospital = make_hospital(
        hospital_with, "reset_before", doctors=2, lost=(2,), audit_shows=("request_id", "seal_id")
    )
    who, _ = get_unknown(hospital)
    assert certify(hospital, "--audit") == 0
    decision, words = look_up(hospital, capsys, who, "--audit", passed=2000)
    assert (decision, "has no TraceId in this log either" in words) == (None, True)
    hospital.service.audit_log.calls.clear()
    decision, words = look_up(hospital, capsys, who, "--audit", passed=2000)
    assert (decision, "has no TraceId in this log either" in words) == (None, True), (
        "the control is gone as well"
    )


def test_a_hospital_that_is_itself_a_customer_asks_the_same_places(hospital_with, capsys):
    """Its list is read by the number of the page, and its log holds its own calls alone."""
    hospital = make_hospital(
        hospital_with, lost=(3, 4), api={"product": "ess"}, audit_shows=("request_id", "seal_id", "person")
    )
    first, second = read_unknown_rows(hospital)
    created_at = hospital.service.seals[0].created_at
    hospital.service.seal_list.others = [
        ListedSeal(f"yDcompany{number:023d}", ORGANIZATION, f"公章{number}", created_at - DAY)
        for number in range(150)
    ]
    assert certify(hospital, "--list") == 0
    assert look_up(hospital, capsys, first)[0] == "created"
    pages = [call for call in hospital.service.received if call.action == "DescribeOrganizationSeals"]
    assert len(pages) == 3, "one seal, then two pages"
    assert look_up(hospital, capsys, second, "--audit")[0] == "created"
    assert hospital.go("run") == 0
    assert {row["name"]: row["seal_id"] for row in hospital.outcomes()} == list_made_seals(hospital)


def test_a_log_of_another_account_refutes_nothing(hospital_with, capsys):
    """After the place was certified, the program got keys of another account: its creates are in that one's log."""
    hospital = hospital_with(
        rules=Rules(limiter="none", audit_delay=0.0), faults=[fault("reset_before", nth=(3,))]
    )
    hospital.doctors(1)
    assert hospital.go("run") == 0
    assert certify(hospital, "--audit") == 0
    hospital.doctors(3)
    assert hospital.go("run") == 3
    who, _ = get_unknown(hospital)
    log = hospital.service.audit_log
    events = list(log.calls)
    log.calls = [call for call in events if hospital.service.seals[0].trace_id == call.event["traceID"]]
    decision, words = look_up(hospital, capsys, who, "--audit", passed=2000)
    assert (decision, "or is missing" in words) == (None, True), words
    log.calls = events
    assert look_up(hospital, capsys, who, "--audit", passed=2000)[0] == "not_created"


def test_the_log_has_keys_of_its_own(hospital_with, capsys):
    reader = replace(SANDBOX, secret_id="AKIDreader00000000000000000000000", secret_key="of-the-reader")
    hospital = make_hospital(hospital_with, doctors=2, lost=(2,), tenants=(SANDBOX, reader))
    who, _ = get_unknown(hospital)
    secrets = hospital.folder / "secrets"
    (secrets / "tencent__audit_secret_id").write_text(reader.secret_id)
    assert run_later(hospital, "resolve", who, "--audit") == 4
    assert "tencent__audit_secret_key" in capsys.readouterr().err, (
        "never the keys of the service in place of half a pair"
    )
    (secrets / "tencent__audit_secret_key").write_text("wrong")
    assert "AuthFailure.SignatureFailure" in look_up(hospital, capsys, who, "--audit")[1]
    (secrets / "tencent__audit_secret_key").write_text(reader.secret_key)
    assert look_up(hospital, capsys, who, "--audit")[0] == "created"


def test_certify_asks_for_what_exists(hospital_with, capsys):
    hospital = hospital_with(rules=Rules(limiter="none", list_shows=True, audit_delay=0.0))
    hospital.doctors(1)
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    assert certify(hospital, "--list") == 2
    assert hospital.go("run") == 0
    assert certify(hospital) == 2
    assert certify(hospital, "--list", "--audit") == 2
    capsys.readouterr()
    assert certify(hospital, "--json", "--audit", "00001") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["found_by"] == ["request_id", "seal_id", "trace_id"]
    hospital.configure(endpoint="http://127.0.0.1:9")
    assert certify(hospital, "--list") == 2
    assert "Nothing was recorded: no answer" in capsys.readouterr().err
