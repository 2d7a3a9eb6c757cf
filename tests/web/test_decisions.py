"""Decisions that are entered on the page: each kind, the refusals of the command line, and what changed meanwhile."""

import html
import re
import sqlite3
from contextlib import closing

import pytest
from case_forms import FORM, decide, fill_in, list_cases, read_answer, read_doctor, read_forms, withdraw
from end_to_end.test_withdrawal import lose_one_and_take_one
from page_support import PageThread
from people import make_row, name, number
from playwright.sync_api import expect
from resolution_support import LaterClock, list_made_seals, read_unknown_rows, run_later
from run_support import draw_seal, wait_until
from wire_support import fault

from pipeline.config.settings import Config
from pipeline.ledger.lock import read_user_name
from pipeline.reports.presenter import Presenter
from pipeline.sandbox.actions import Rules
from pipeline.web import check_child
from pipeline.web.access import PageUser, Role
from pipeline.web.users import UserFile
from pipeline.web.words import name_controls
from pipeline.workflow.tenant_ledger import lock_ledger

FAULTS = [fault("reset_after", nth=(3,)), fault("reset_before", nth=(4,))]
ID = "yD" + "a1B2" * 7 + "zz"


@pytest.fixture
def later_page(request):
    """Serve the page of a hospital some minutes after its run, on the service's clock as well."""
    opened = []

    def serve(hospital):
        hospital.service_clock.ahead = LaterClock.passed
        page = PageThread(hospital.folder / "config.yaml", clock=LaterClock())
        opened.append(page)
        return page.__enter__()

    yield serve
    for page in opened:
        page.__exit__()
        assert page.failures == []


def leave_unsettled(hospital):
    """Of doctors 2 to 4 lose one answer after executing, one before; then replace the picture of doctor 5's seal."""
    hospital.doctors(5)
    hospital.roster([make_row(1), make_row(5)])  # no other create may be the third or fourth
    hospital.go("run")
    hospital.roster([make_row(serial) for serial in range(1, 6)])
    hospital.go("run")
    assert len(read_unknown_rows(hospital)) == 2
    draw_seal(hospital.folder / "seals" / "00005.png", 77)


@pytest.fixture
def unsettled(scene):
    """Of doctors 2 to 4 one answer was lost after executing, one before; doctor 5's picture was replaced after the seal."""
    return scene(leave_unsettled, faults=FAULTS)


def read_decisions(hospital):
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as connection:
        return connection.execute("SELECT kind, who, why FROM decision ORDER BY event_number, id").fetchall()


def test_each_outcome_ends_with_one_seal_and_records_who_and_why(unsettled, later_page):
    lost, never = sorted(read_unknown_rows(unsettled), key=lambda who: who not in list_made_seals(unsettled))
    inside = later_page(unsettled).enter(Accept_Language="en")
    assert {
        who: set(read_forms(case)) for who, case in list_cases(inside.get("/cases/list").text).items()
    } == {
        lost: {"created", "not_created"},
        never: {"created", "not_created"},
        name(5): {"keep", "replace"},
    }
    answer = decide(inside, lost, "created", value=list_made_seals(unsettled)[lost], why="in the console")
    assert answer.status == 200
    assert re.fullmatch(
        rf"Recorded: {lost} \(staff no\. \d+, last four digits \w+\), created\.", read_answer(answer)[0]
    )
    assert "can be withdrawn in the doctor's history" in read_answer(answer)[-1]
    answer = decide(inside, never, "not_created", sure="yes", confirmed=False)
    assert f"Please confirm: {never} (staff no. " in read_answer(answer)[0]
    assert "this person will have two" in answer.text
    assert len(read_decisions(unsettled)) == 1, "it was asked only"
    assert decide(inside, never, "not_created", sure="yes").status == 200
    assert decide(inside, name(5), "keep").status == 200
    assert list_cases(inside.get("/cases/list").text) == {}
    user = read_user_name()
    assert read_decisions(unsettled) == [
        ("created", user, "in the console"),
        ("not_created", user, ""),
        ("keep", user, ""),
    ]
    log = (unsettled.folder / "state" / "page-log.jsonl").read_text("utf-8")
    assert re.findall(r'"kind":"(\w+)"', log) == ["created", "not_created", "keep"]
    assert unsettled.run_to_end("run") == (0, {"sealed": 1, "unchanged": 4})
    assert unsettled.service.list_duplicates() == {}


def test_a_seal_that_was_judged_as_not_created_may_be_the_doctors_own(unsettled, later_page):
    lost, never = sorted(read_unknown_rows(unsettled), key=lambda who: who not in list_made_seals(unsettled))
    inside = later_page(unsettled).enter(Accept_Language="en")
    for who in (lost, never):
        assert "would give this doctor a second seal" not in inside.get("/cases/list").text
        assert decide(inside, who, "not_created", sure="yes").status == 200
    assert unsettled.run_to_end("run") == (3, {"sealed": 1, "exists": 1, "changed": 1, "unchanged": 2})
    case = list_cases(inside.get("/cases/list").text)[lost]
    assert "would give this doctor a second seal" in case
    assert '<a class="button" href="/cases">' in inside.post("/doctors", {"query": lost}).text
    story = inside.get(f"/doctors/{read_doctor(decide(inside, lost, 'not_theirs'))}").text
    assert "Seal name" not in story, "the name that was planned is another person's"
    assert '<a class="button" href="/send">' in story
    assert "<dt>Department</dt>" in story


def test_a_seal_that_is_replaced_is_asked_about_and_named_for_disabling(unsettled, later_page):
    old = list_made_seals(unsettled)[name(5)]
    inside = later_page(unsettled).enter(Accept_Language="en")
    answer = decide(inside, name(5), "replace", value="新处方章", confirmed=False)
    assert "stays valid until Tencent disables it" in answer.text
    assert read_decisions(unsettled) == []
    answer = decide(inside, name(5), "replace", value="新处方章")
    assert any(f"The old seal {old} stays valid" in sentence for sentence in read_answer(answer))
    assert unsettled.go("run") == 3
    assert [seal.seal_name for seal in unsettled.service.seals if seal.name == name(5)][-1] == "新处方章"


def test_a_corrected_number_is_one_person_or_another_and_the_first_is_withdrawn(hospital, later_page):
    hospital.seal_doctors(2)
    hospital.roster([make_row(1, number=number(501)), make_row(2)])
    inside = later_page(hospital).enter(Accept_Language="en")
    answer = decide(inside, name(1), "same_person")
    assert set(read_forms(list_cases(inside.get("/cases/list").text)[name(1)])) == {"keep", "replace"}
    answer = withdraw(inside, read_doctor(answer))
    assert read_answer(answer) == [
        f"Withdrawn: {name(1)} (staff no. 00001, last four digits {number(1)[-4:]}) is as before that decision."
    ]
    answer = decide(inside, name(1), "other_person", confirmed=False)
    assert "another person; the next run sends it" in read_answer(answer)[0]
    assert decide(inside, name(1), "other_person").status == 200
    assert [kind for kind, *_ in read_decisions(hospital)] == ["same_person", "withdraw", "other_person"]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_every_refusal_of_the_command_line_is_that_of_the_page(unsettled, later_page, capsys, language):
    who, row = next(iter(read_unknown_rows(unsettled).items()))
    sealed = list_made_seals(unsettled)[name(1)]
    page = later_page(unsettled)
    inside = page.enter(Accept_Language=language)
    presenter = Presenter(language)
    for doctor, query, kind, values, options in (
        (who, row["trace_id"], "created", {"value": sealed}, ["--seal-id", sealed]),
        (who, row["trace_id"], "created", {"value": "见控制台"}, ["--seal-id", "见控制台"]),
        (who, row["trace_id"], "created", {"value": row["trace_id"]}, ["--seal-id", row["trace_id"]]),
        (who, row["trace_id"], "not_created", {}, ["--not-created"]),
        (who, row["trace_id"], "not_theirs", {}, ["--not-theirs"]),
        (who, row["trace_id"], "keep", {}, ["--keep"]),
        (who, row["trace_id"], "replace", {"value": "新"}, ["--replace", "--seal-name", "新"]),
        (who, row["trace_id"], "same_person", {}, ["--same-person"]),
        (who, row["trace_id"], "other_person", {}, ["--other-person"]),
        (name(5), name(5), "created", {"value": ID}, ["--seal-id", ID]),
        (name(5), name(5), "not_created", {"sure": "yes"}, ["--not-created", "--sure"]),
        (name(5), name(5), "replace", {}, ["--replace"]),
        (
            name(5),
            name(5),
            "replace",
            {"value": f"{name(5)}处方章"},
            ["--replace", "--seal-name", f"{name(5)}处方章"],
        ),
    ):
        capsys.readouterr()
        assert run_later(unsettled, "--lang", language, "resolve", query, *options) == 2, options
        unsettled.service_clock.ahead = LaterClock.passed
        printed = capsys.readouterr().err
        answer = decide(inside, doctor, kind, **values)
        assert answer.status == 409, options
        assert read_answer(answer)[0] in name_controls(printed, presenter), options
        assert " --" not in read_answer(answer)[0], options
    assert read_decisions(unsettled) == []


def test_a_late_copy_is_waited_for(unsettled):
    who = next(iter(read_unknown_rows(unsettled)))
    with PageThread(unsettled.folder / "config.yaml") as page:
        answer = decide(page.enter(Accept_Language="en"), who, "not_created", sure="yes")
        assert "may still be carried out until" in read_answer(answer)[0]
        assert read_decisions(unsettled) == []
        assert page.failures == []


def test_a_seal_id_of_an_odd_length_is_asked_about(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    inside = later_page(unsettled).enter(Accept_Language="en")
    answer = decide(inside, who, "created", value="yDnotaseal", confirmed=False)
    assert "has 10 characters" in read_answer(answer)[0]
    assert read_decisions(unsettled) == []
    assert decide(inside, who, "created", value="yDnotaseal").status == 200


def test_another_persons_number_needs_certainty(hospital, later_page):
    hospital.seal_doctors(2)
    hospital.roster([make_row(1, name="李四", staff_no="00099"), make_row(2)])
    inside = later_page(hospital).enter(Accept_Language="en")
    case = html.unescape(list_cases(inside.get("/cases/list").text)["李四"])
    assert "If it is the same doctor, use “Keep the seal” instead." in case
    answer = decide(inside, "李四", "keep")
    assert answer.status == 409
    assert "The number may have been entered for the wrong doctor" in read_answer(answer)[0]
    assert "add “I am sure”" in read_answer(answer)[0]
    assert decide(inside, "李四", "keep", sure="yes").status == 200


def test_a_held_picture_is_judged_right_by_its_form(hospital, later_page):
    """The newcomer has the staff number that doctor 1 had, and so doctor 1's file."""
    hospital.seal_doctors(2)
    hospital.roster([make_row(1, staff_no="00101"), make_row(2), make_row(7, staff_no="00001")])
    draw_seal(hospital.folder / "seals" / "00001.png", 901)
    inside = later_page(hospital).enter(Accept_Language="en")
    case = list_cases(inside.get("/cases/list").text)[name(7)]
    assert set(read_forms(case)) == {"keep", "same_person", "other_person"}
    assert " --" not in case
    answer = decide(inside, name(7), "keep")
    assert "mark the picture as wrong" in read_answer(answer)[-1]
    assert [kind for kind, *_ in read_decisions(hospital)] == ["review"]


# -- withdrawn


@pytest.fixture
def waiting(scene):
    """Doctor 1 is unknown, doctor 2's name exists: their seals are on the service."""
    rules = Rules(limiter="none", unique_names="code")
    return scene(lose_one_and_take_one, rules=rules, faults=[fault("reset_after", nth=(2,))])


def test_a_seal_id_of_the_wrong_doctor_is_taken_back_on_the_page(waiting, later_page):
    made, sent = list_made_seals(waiting), waiting.creates()
    lost, taken = name(1), name(2)
    inside = later_page(waiting).enter(Accept_Language="zh")
    question = read_answer(decide(inside, lost, "created", value=made[taken], confirmed=False))
    assert [part in question[0] for part in (lost, number(1)[-4:], f"“{lost}处方章”", made[taken])] == [
        True
    ] * 4
    assert read_decisions(waiting) == []
    assert decide(inside, lost, "created", value=made[taken]).status == 200
    answer = decide(inside, taken, "created", value=made[taken])
    assert answer.status == 409
    assert f"是{lost}（证件尾号 {number(1)[-4:]}）的印章" in read_answer(answer)[0]
    assert f"它是 {read_user_name()} 于 " in read_answer(answer)[0]
    assert " --" not in read_answer(answer)[0]
    listed = inside.get("/cases/list").text
    assert f'href="/doctors/{read_doctor(answer)}">{lost}</a> <span>已创建，印章ID {made[taken]}' in listed
    owner = read_doctor(answer)
    answer = withdraw(inside, owner, why="贴错了")
    who = f"{lost}（工号 00001、证件末四位 {number(1)[-4:]}）"
    assert read_answer(answer) == [f"已撤回：{who}恢复到那个决定之前。"]
    assert set(list_cases(inside.get("/cases/list").text)) == {lost, taken}
    story = inside.get(f"/doctors/{owner}").text
    assert f"已创建，印章ID {made[taken]}（已撤回）" in story
    assert f"{read_user_name()}，理由：贴错了" in story
    assert "可以撤回的决定" not in inside.get("/cases/list").text
    for who in (lost, taken):
        assert decide(inside, who, "created", value=made[who]).status == 200
    assert waiting.run_to_end("run") == (0, {"unchanged": 2})
    assert {row["name"]: row["seal_id"] for row in waiting.outcomes()} == made
    assert waiting.service.list_duplicates() == {}
    assert waiting.creates() == sent


def test_that_a_name_is_anothers_is_asked_once_more(waiting, later_page):
    inside = later_page(waiting).enter(Accept_Language="en")
    answer = decide(inside, name(2), "not_theirs", confirmed=False)
    assert (answer.status, "there will be two" in read_answer(answer)[0]) == (200, True)
    assert read_decisions(waiting) == []
    assert decide(inside, name(2), "not_theirs").status == 200
    assert [kind for kind, *_ in read_decisions(waiting)] == ["not_theirs"]


def test_a_withdrawal_is_of_the_decision_that_was_shown(waiting, later_page):
    page = later_page(waiting)
    inside, other = page.enter(Accept_Language="en"), page.enter(Accept_Language="en")
    key = read_doctor(decide(inside, name(2), "not_theirs"))
    stale = read_forms(other.get(f"/doctors/{key}").text)["withdraw"]
    assert other.post("/cases/decide", {**stale, "seen": "0" * 64}).status == 409
    assert withdraw(inside, key).status == 200
    for again in (False, True):  # it was withdrawn, then decided again
        if again:
            assert decide(inside, name(2), "not_theirs").status == 200
        answer = other.post("/cases/decide", stale)
        assert (answer.status, "meanwhile" in read_answer(answer)[0]) == (409, True)
    stale = read_forms(other.get(f"/doctors/{key}").text)["withdraw"]
    assert waiting.run_to_end("run") == (3, {"sealed": 1, "unknown": 1})
    answer = other.post("/cases/decide", stale)
    assert (answer.status, "a create was sent for" in read_answer(answer)[0]) == (409, True)
    assert [kind for kind, *_ in read_decisions(waiting)] == ["not_theirs", "withdraw", "not_theirs"]
    assert read_forms(other.get(f"/doctors/{key}").text) == {}


def test_an_adopted_seal_is_withdrawn_only_once_it_was_asked_about(hospital, later_page):
    hospital.doctors(1)
    sheet = hospital.folder / "seals.csv"
    sheet.write_text(f"姓名,证件号码,印章ID\n{name(1)},{number(1)},{ID}\n", "utf-8")
    assert hospital.go("adopt", str(sheet)) == 0
    assert hospital.go("run") == 0
    inside = later_page(hospital).enter(Accept_Language="en")
    key = re.search(r'id="doctor" hx-get="/doctors/([0-9a-f]+)"', inside.post("/doctors", {"query": ID}).text)
    answer = withdraw(inside, key[1], confirmed=False)
    assert "the next run creates one" in read_answer(answer)[0]
    assert [kind for kind, *_ in read_decisions(hospital)] == ["adopt"]
    assert withdraw(inside, key[1]).status == 200
    assert hospital.run_to_end("run") == (0, {"sealed": 1})


@pytest.mark.browser
def test_withdrawn_in_a_browser(waiting, later_page, shown):
    made = list_made_seals(waiting)
    page = later_page(waiting)
    inside = page.enter(Accept_Language="en")
    assert decide(inside, name(1), "created", value=made[name(2)]).status == 200
    tab = shown(page, "/cases", language="en-US")
    tab.get_by_role("link", name=name(1)).click()
    tab.locator("summary", has_text="Withdraw").click()
    tab.get_by_label("Why (kept").fill("pasted for another doctor")
    tab.locator("details[open] .primary").click()
    expect(tab.locator("#said")).to_contain_text(f"Withdrawn: {name(1)}")
    expect(tab.locator("#doctor h2 .chip")).to_have_text("Unknown")
    expect(tab.locator("#doctor")).to_contain_text("reason: pasted for another doctor")
    expect(tab.locator("summary", has_text="Withdraw")).to_have_count(0)
    assert tab.troubles == []


# -- what changed between the list and the form


def test_the_second_of_two_clerks_reads_who_decided_what(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    page = later_page(unsettled)
    first, second = page.enter(Accept_Language="en"), page.enter(Accept_Language="en")
    stale = fill_in(second, who, "not_created", sure="yes", confirmed="yes")
    assert decide(first, who, "created", value=ID).status == 200
    answer = second.post("/cases/decide", stale)
    assert answer.status == 409
    assert re.fullmatch(
        rf"Nothing was recorded: meanwhile {read_user_name()} recorded for {who} \(.*\) at .*: created, SealId {ID}\.",
        read_answer(answer)[0],
    )
    history = second.get(f"/doctors/{read_doctor(answer)}").text
    assert f'<p class="quiet">{read_user_name()}</p>' in history, "no reason was typed"
    assert answer.headers["HX-Trigger"] == "cases-changed"
    assert [kind for kind, *_ in read_decisions(unsettled)] == ["created"]


def test_a_row_that_changed_is_not_the_one_that_was_shown(unsettled, later_page):
    inside = later_page(unsettled).enter(Accept_Language="en")
    stale = fill_in(inside, name(5), "keep")
    draw_seal(unsettled.folder / "seals" / "00005.png", 78)
    answer = inside.post("/cases/decide", stale)
    assert "have changed, and the case is now “Changed”" in read_answer(answer)[0]
    draw_seal(unsettled.folder / "seals" / "00005.png", 5)
    answer = inside.post("/cases/decide", stale)
    assert "does not wait any more" in read_answer(answer)[0]
    assert read_decisions(unsettled) == []


def test_a_key_that_is_no_case_and_a_form_without_a_kind_are_refused(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    inside = later_page(unsettled).enter(Accept_Language="en")
    form = fill_in(inside, who, "created", value=ID)
    for change, sentence in (
        ({"key": "../../etc/passwd"}, "does not wait any more"),
        ({"key": ""}, "does not wait any more"),
        ({"seen": ""}, "have changed"),
        ({"kind": "purge"}, "choose a decision"),
        ({"kind": ""}, "choose a decision"),
        ({"shown_at": "nan?"}, None),
    ):
        answer = inside.post("/cases/decide", {**form, **change})
        if sentence is None:
            assert answer.status == 200
        else:
            assert (answer.status, sentence in read_answer(answer)[0]) == (409, True), change
            assert read_decisions(unsettled) == []


def test_a_held_lock_names_its_holder(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    inside = later_page(unsettled).enter(Accept_Language="en")
    form = fill_in(inside, who, "created", value=ID, confirmed="yes")
    config = Config.load(unsettled.folder / "config.yaml", environment={})
    with lock_ledger(config, "r-of-the-night", LaterClock()):
        answer = inside.post("/cases/decide", form)
        assert answer.status == 409
        assert "Run r-of-the-night has been using the ledger since" in read_answer(answer)[0]
        assert read_user_name() in read_answer(answer)[0]
    assert inside.post("/cases/decide", form).status == 200


def test_a_ledger_that_is_away_is_named_and_nothing_is_made(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    inside = later_page(unsettled).enter(Accept_Language="en")
    form = fill_in(inside, who, "created", value=ID)
    unsettled.forget_ledger()
    answer = inside.post("/cases/decide", form)
    assert answer.status == 409
    assert "no ledger" in read_answer(answer)[0]
    assert not (unsettled.folder / "state" / "ledger.sqlite3").exists()


def test_a_decision_on_a_deleted_ledger_is_entered_in_the_repaired_one(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    inside = later_page(unsettled).enter(Accept_Language="en")
    form = fill_in(inside, who, "created", value=ID, confirmed="yes")
    unsettled.lose_ledger()
    assert inside.post("/cases/decide", form).status == 200
    assert [kind for kind, *_ in read_decisions(unsettled)] == ["created"]
    assert who not in list_cases(inside.get("/cases/list").text)
    sent = unsettled.creates()
    unsettled.go("run")
    assert unsettled.creates() == sent, "all others are sealed or wait"


def test_who_may_only_look_sees_no_form_and_enters_nothing(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    users = UserFile(unsettled.folder / "state")
    users.save(PageUser("wang", Role.LOOK))
    users.save(PageUser("li", Role.CLERK))
    with (unsettled.folder / "config.yaml").open("a", encoding="utf-8") as file:
        file.write("web: {url: 'https://esign.hospital.example', trusted_proxy: 127.0.0.1}\n")
    page = later_page(unsettled)
    looking, clerk = (page.visit(X_Forwarded_User=user, Accept_Language="en") for user in ("wang", "li"))
    looking.read_token()
    clerk.read_token()
    text = looking.get("/cases/list").text
    assert FORM.search(text) is None
    assert "role clerk" in text
    form = fill_in(clerk, who, "created", value=ID, confirmed="yes")
    assert looking.post("/cases/decide", form).status == 403
    assert read_decisions(unsettled) == []
    answer = clerk.post("/cases/decide", form)
    assert read_decisions(unsettled) == [("created", "li", "")]
    story = f"/doctors/{read_doctor(answer)}"
    assert FORM.search(looking.get(story).text) is None
    form = read_forms(clerk.get(story).text)["withdraw"]
    assert looking.post("/cases/decide", form).status == 403
    assert clerk.post("/cases/decide", form).status == 200
    assert read_decisions(unsettled)[1:] == [("withdraw", "li", "")]


def test_a_full_log_enters_nothing(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    inside = later_page(unsettled).enter(Accept_Language="en")
    form = fill_in(inside, who, "created", value=ID, confirmed="yes")
    log = unsettled.folder / "state" / "page-log.jsonl"
    log.unlink()
    log.mkdir()
    assert inside.post("/cases/decide", form).status == 503
    assert read_decisions(unsettled) == []


def test_what_is_typed_as_the_reason_is_text_without_numbers(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    inside = later_page(unsettled).enter(Accept_Language="en")
    script = f"<script>alert(1)</script> {number(2)}"
    assert decide(inside, who, "created", value=ID, why=script).status == 200
    key = re.search(r'href="/doctors/([0-9a-f]+)"', inside.post("/doctors", {"query": who}).text)
    story = (
        inside.post("/doctors", {"query": who}).text if key is None else inside.get(f"/doctors/{key[1]}").text
    )
    assert "<script>alert" not in story
    assert html.escape("<script>alert(1)</script>", quote=False) in story
    assert number(2) not in story
    assert number(2) not in str(read_decisions(unsettled))


def test_the_list_is_read_again_only_where_something_changed(unsettled, later_page):
    who = next(iter(read_unknown_rows(unsettled)))
    page = later_page(unsettled)
    inside = page.enter(Accept_Language="en")
    before = list_cases(inside.get("/cases/list").text)
    roster = unsettled.folder / "inbox" / "roster.xlsx"
    assert list_cases(inside.get("/cases/list").text).keys() == before.keys()
    draw_seal(unsettled.folder / "seals" / "00001.png", 79)
    assert list_cases(inside.get("/cases/list").text).keys() == before.keys() | {name(1)}
    unsettled.roster([make_row(serial) for serial in (2, 3, 4, 5)])
    assert roster.exists()
    assert name(1) not in list_cases(inside.get("/cases/list").text)
    assert run_later(unsettled, "resolve", who, "--seal-id", ID, "--sure") == 0
    assert who not in list_cases(inside.get("/cases/list").text)


def test_a_check_follows_the_last_decision(unsettled, later_page, monkeypatch):
    monkeypatch.setattr(check_child, "QUIET_SECONDS", 0.0)
    before = unsettled.newest
    inside = later_page(unsettled).enter(Accept_Language="en")
    assert decide(inside, name(5), "keep").status == 200
    wait_until(lambda: unsettled.newest != before and (unsettled.newest / "run.json").exists())
    statuses = {line["name"]: line["status"] for line in unsettled.outcomes("plan.jsonl")}
    assert statuses[name(5)] == "unchanged"


@pytest.mark.browser
def test_decided_in_a_browser(unsettled, later_page, shown):
    lost, never = sorted(read_unknown_rows(unsettled), key=lambda who: who not in list_made_seals(unsettled))
    page = later_page(unsettled)
    tab = shown(page, "/cases", language="en-US")
    case = tab.locator(".case", has_text=lost)
    case.locator("summary", has_text="Found").click()
    case.get_by_label("SealId (copied").fill("strange")
    case.locator("details[open] .primary").click()
    expect(case.locator(".answer .banner.failed")).to_contain_text("is not a SealId")
    case.get_by_label("SealId (copied").fill(list_made_seals(unsettled)[lost])
    case.locator("details[open] .primary").first.click()
    expect(case.locator("details[open] .answer")).to_contain_text(f"{lost} (number ending in ")
    case.locator("details[open] .answer button").click()
    expect(tab.locator("#said")).to_contain_text(f"Recorded: {lost} (")
    expect(tab.locator(".case", has_text=lost)).to_have_count(0)
    case = tab.locator(".case", has_text=never)
    case.locator("summary", has_text="Show history").click()
    expect(case.locator(".story-here")).to_contain_text("History")
    case.locator("summary", has_text="It was not created").click()
    case.get_by_label("I am sure").check()
    case.locator("details.way[open] form .primary").click()
    expect(case.locator("details.way[open] .answer")).to_contain_text("Please confirm")
    assert len(read_decisions(unsettled)) == 1
    case.locator("details.way[open] .answer button").click()
    expect(tab.locator("#said")).to_contain_text(f"Recorded: {never} (")
    expect(tab.locator(".case")).to_have_count(1)
    assert [text for text in tab.troubles if "409 (Conflict)" not in text] == []
