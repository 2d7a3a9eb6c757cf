"""Answers of the service that do not mean what they seem to: a name that exists, a duplicate task, a SealId of blanks."""

from __future__ import annotations

import openpyxl
import pytest
from attack.marks import draw_mark
from attack.stage import CREATE, LONG, UPLOAD, Stage, person
from people import number

from pipeline.sandbox.actions import Actions, Rules
from pipeline.sandbox.gateway import SANDBOX

GROUP = "answers"
LATER = 640.0  # seconds: beyond the time in which a signed request may still be carried out
DOCTORS = 8 if LONG else 5
NAMES = ("code", "bare")  # how a seal name that exists is refused


def open_again_with_a_new_ledger(stage_with, names: str, doctors: int) -> Stage:
    """Seal doctors, then begin on another machine that knows nothing of it."""
    stage = stage_with(rules=Rules(limiter="none", unique_names=names))
    stage.hire(*range(1, doctors + 1))
    assert stage.go("run").code == 0
    stage.move_to_another_machine()
    return stage


def obey(stage: Stage) -> None:
    """Do what comes next: send the rows of the last run again, and run."""
    stage.go("retry")
    stage.go("run")


@pytest.mark.parametrize("names", NAMES if LONG else NAMES[:1])
def test_doctors_who_have_seals_already_stop_a_new_ledger(stage_with, names):
    stage = open_again_with_a_new_ledger(stage_with, names, DOCTORS)
    ended = stage.go("run")
    statuses = set(stage.statuses().values())
    obey(stage)
    stage.assert_clean()
    assert ended.code == 5, "guard SEALS_EXIST"
    assert statuses <= {"exists", "not_sent"}


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("names", NAMES)
def test_a_name_that_exists_is_held_until_its_owner_is_resolved(stage_with, names):
    """Two such answers stop no run; each doctor's own seal is entered by its SealId."""
    stage = open_again_with_a_new_ledger(stage_with, names, 2)
    assert stage.go("run").code == 3
    statuses = stage.statuses()
    for serial, (seal,) in stage.seals_of().items():
        stage.go("resolve", person(serial).staff_no, "--sure", "--seal-id", seal.seal_id, later=LATER)
    ended = stage.go("run", later=LATER)
    stage.assert_clean()
    assert set(statuses.values()) == {"exists"}
    assert ended.code == 0


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("names", NAMES)
def test_a_name_that_another_person_holds(stage_with, names):
    stage = stage_with(rules=Rules(limiter="none", unique_names=names))
    stage.know(90)
    namesake = person(90)
    stage.draw(90)
    stage.roster([(person(1).name, *namesake.cells[1:])])
    assert stage.go("run").code == 0
    stage.move_to_another_machine()
    stage.hire(1)
    assert stage.go("run").code == 3
    statuses = stage.statuses()
    stage.go("resolve", person(1).staff_no, "--sure", "--not-theirs", later=LATER)
    ended = stage.go("run", later=LATER)
    stage.assert_clean()
    assert set(statuses.values()) == {"exists"}
    assert ended.code == 0
    assert len(stage.service.seals) == 2


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("names", NAMES)
def test_a_new_scan_changes_no_answer_that_the_name_exists(stage_with, names):
    """The clerk changes what the row lets him change: another picture, another mobile, the name's spelling."""
    stage = open_again_with_a_new_ledger(stage_with, names, 2)
    stage.go("run")
    for serial in (1, 2):
        stage.draw(serial, drawing=3)
    stage.roster([(*person(serial).cells[:2], None, *person(serial).cells[3:]) for serial in (1, 2)])
    stage.go("run")
    stage.go("retry")
    stage.assert_clean()


MADE = (2, 3, 4)
CODES = ("InvalidParameter.DupTask", "OperationDenied.AlreadyHas", "InvalidParameter.Status")


def try_everything(stage: Stage) -> None:
    """Do what a clerk does with rows that are not well: retry them, run again."""
    stage.go("retry", later=LATER)
    stage.go("run", later=LATER)


def lost(do: object, *serials: int) -> list[dict]:
    return [{"match": {"action": CREATE, "user_name": person(serial).name}, "do": do} for serial in serials]


@pytest.mark.parametrize("code", CODES if LONG else CODES[:1])
def test_an_answer_that_may_follow_a_seal_is_no_refusal(stage, code):
    """The seal was made, and the answer says that the task, the person or the state is not right for it."""
    stage.strike(*lost({"internal_error_after": {"code": code, "message": "请勿重复提交"}}, *MADE))
    stage.hire(*range(1, 6))
    stage.go("run")
    statuses = [stage.statuses()[person(serial).staff_no] for serial in MADE]
    stage.strike()
    try_everything(stage)
    stage.assert_clean()
    assert statuses == ["unknown"] * len(MADE)


SEAL_IDS = {
    "blank": " ",
    "ideographic-space": "\u3000",
    "newline": "yD\nabcdefgh",
    "NUL": "yD\x00abcdefgh",
    "escape": "\x1b[31myDabcdefgh",
    "C1": "yD\x85abcdefgh",
    "65": "y" * 65,
    "900KB": "y" * 900_000,
    "seven": "sealid1",
    "null": "null",
    "None": "None",
    "undefined": "undefined",
    "filled null": "--null--",
    "nothing": "-",
    "zero": "0",
    "nil": "00000000-0000-0000-0000-000000000000",
    "wide": "ｙＤＣＹＩＵＵｃｋｐ７ｔ",
    "name": person(2).name,
    "number": number(2),
    "mobile": person(2).mobile,
    "number of another": number(7),
    "AppId": SANDBOX.app_id,
    "OpenId": SANDBOX.operator_open_id.upper(),
}
STRANGE = SEAL_IDS if LONG else {way: SEAL_IDS[way] for way in ("NUL", "number")}


@pytest.mark.parametrize("seal_id", STRANGE.values(), ids=STRANGE)
def test_what_cannot_be_a_seal_id_is_evidence_and_no_success(stage, seal_id):
    stage.strike(*lost({"seal_id": seal_id}, *MADE))
    stage.hire(*range(1, 6))
    stage.go("run")
    statuses = [stage.statuses()[person(serial).staff_no] for serial in MADE]
    stage.strike()
    try_everything(stage)
    stage.assert_clean()
    assert statuses == ["unknown"] * len(MADE)
    if len(seal_id) == 18:
        kept = [path for part in ("state", "out") for path in (stage.folder / part).rglob("*")]
        kept = [path for path in kept if path.is_file() and "rosters" not in path.parts]
        assert not [path for path in kept if seal_id.encode() in path.read_bytes()], "a whole number"


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_seal_id_of_another_person_in_another_case_stops_the_run(stage):
    stage.hire(1)
    assert stage.go("run").code == 0
    stage.strike(*lost({"seal_id": stage.service.seals[0].seal_id.swapcase()}, 2))
    stage.hire(1, 2)
    ended = stage.go("run")
    statuses = stage.statuses()
    stage.strike()
    assert stage.go("run").code == 4
    stage.assert_clean()
    assert (ended.code, statuses[person(2).staff_no]) == (4, "unknown")


EXAMPLES = ("yDCYIUUckp7t75mxUxAAGY1B8z3p0AI=a", "sealid-1", "0f" * 16, "y" * 64)


@pytest.mark.parametrize("seal_id", EXAMPLES if LONG else EXAMPLES[:1])
def test_a_seal_id_of_another_documented_form_is_one(stage, monkeypatch, seal_id):
    make_identifier = Actions._make_identifier

    def make_form(actions, taken):
        return seal_id if taken is actions._seal_ids else make_identifier(actions, taken)

    monkeypatch.setattr(Actions, "_make_identifier", make_form)
    stage.hire(1)
    assert stage.go("run").code == 0
    stage.assert_clean()
    assert [(row["status"], row["seal_id"]) for row in stage.outcomes()] == [("sealed", seal_id)]


FORMS = {
    "padded": lambda made: made + "=",
    "hex": lambda made: made.encode().hex()[:32],
    "punctuated": lambda made: f"s-{made[2:7]}+/._=",
}


@pytest.mark.parametrize("form", FORMS if LONG else ["padded"])
def test_what_is_accepted_as_a_seal_id_can_be_adopted_and_resolved(stage_with, monkeypatch, form):
    """One rule: an id that the service gave is entered again after the ledger was lost."""
    stage = stage_with(rules=Rules(limiter="none", unique_names="off"))
    make = Actions._make_identifier
    monkeypatch.setattr(Actions, "_make_identifier", lambda actions, taken: FORMS[form](make(actions, taken)))
    stage.hire(1, 2, 3)
    stage.strike(*lost("reset_after", 3))
    assert stage.go("run").code == 3
    stage.strike()
    made = {serial: seal.seal_id for serial, (seal,) in stage.seals_of().items()}
    resolved = stage.go("resolve", person(3).staff_no, "--sure", f"--seal-id={made[3]}", later=LATER)
    assert stage.go("run", later=LATER).code == 0
    stage.move_to_another_machine()
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    for serial, seal_id in made.items():
        book.active.append((person(serial).name, person(serial).number, seal_id))
    book.save(stage.folder / "seals-of-old.xlsx")
    adopted = stage.go("adopt", str(stage.folder / "seals-of-old.xlsx"))
    ended = stage.go("run")
    stage.assert_clean()
    assert (resolved.code, adopted.code, ended.code) == (0, 0, 0)
    assert {row["seal_id"] for row in stage.outcomes()} == set(made.values())


@pytest.mark.skipif(not LONG, reason="make attack")
def test_another_id_in_place_of_a_seal_id_is_refused(stage):
    stage.hire(1, 2)
    stage.strike(*lost("no_seal_id", 2))
    assert stage.go("run").code == 3
    (row,) = [row for row in stage.outcomes() if row["status"] == "unknown"]
    sealed = stage.service.seals[0].seal_id
    others = (row["trace_id"], row["request_id"], number(2), "undefined", SANDBOX.app_id, sealed.swapcase())
    for seal_id in others:
        refused = stage.go("resolve", person(2).staff_no, "--sure", f"--seal-id={seal_id}", later=LATER)
        assert refused.code == 2, seal_id
        assert number(2) not in refused.output
    stage.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_not_created_needs_the_word_of_a_person(stage):
    """``--not-created`` alone enters nothing."""
    stage.strike(*lost("reset_after", *MADE))
    stage.hire(*range(1, 6))
    assert stage.go("run").code == 3
    stage.strike()
    codes = [
        stage.go("resolve", person(serial).staff_no, "--not-created", later=LATER).code for serial in MADE
    ]
    stage.go("run", later=LATER)
    stage.assert_clean()
    assert codes == [2] * len(MADE)


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("options", [("--not-created",), ("--not-created", "--sure")], ids=["plain", "sure"])
def test_a_wall_clock_that_jumped_ends_no_wait(stage, options):
    """The create is still on its way when somebody sets the clock forward and calls it not created."""
    stage.strike(*lost({"delay_before": 6}, 2))
    stage.hire(1, 2)
    stage.go("run")
    stage.strike()
    decided = stage.go("resolve", person(2).staff_no, *options, jump=LATER)
    stage.go("run", jump=LATER)
    stage.wait_until_quiet()
    stage.assert_clean()
    assert decided.code == 2


@pytest.mark.skipif(not LONG, reason="make attack")
def test_adopting_the_existing_seals_ends_the_guard(stage_with):
    stage = open_again_with_a_new_ledger(stage_with, "code", DOCTORS)
    stage.go("run")
    book = openpyxl.Workbook()
    book.active.append(("姓名", "身份证号", "印章ID"))
    for serial, (seal,) in stage.seals_of().items():
        book.active.append((person(serial).name, person(serial).number, seal.seal_id))
    book.save(stage.folder / "seals-of-old.xlsx")
    stage.go("adopt", str(stage.folder / "seals-of-old.xlsx"), later=LATER)
    stage.go("run", later=LATER)
    stage.assert_clean()


@pytest.mark.skipif(not LONG, reason="make attack")
def test_no_run_and_no_retry_replaces_a_seal(stage):
    """A new scan of a sealed doctor is ``changed``: no run and no retry makes a second seal of it."""
    stage.hire(1, 2)
    assert stage.go("run").code == 0
    draw_mark(1, 4).save(stage.folder / "seals" / "00001.png")
    stage.go("run")
    stage.go("retry")
    stage.assert_clean()


# -- answers that were seen before

WAYS = {  # what person 1's first create is answered; person 2's create makes its seal and gets the same answer
    "throttle": "throttle",
    "reason": {"code": {"code": "FailedOperation", "message": "证件号码不正确"}},
    "bare": {"code": {"code": "FailedOperation", "message": "操作失败"}},
    "missing": {"code": {"code": "MissingParameter", "message": "缺少参数"}},
    "invalid": {"code": "InvalidParameter.CardNumber"},
    "value": {"code": {"code": "InvalidParameterValue", "message": "参数不正确"}},
    "exists": {"code": "FailedOperation.ExistSameSealName"},
    "file": {"code": "ResourceNotFound.File"},
    "clock": {"code": "AuthFailure.SignatureExpire"},
    "keys": {"code": "AuthFailure.SecretIdNotFound"},
    "internal": {"code": "InternalError"},
}

REFUSALS = {"reason", "bare", "missing", "invalid", "value"}


def as_first(do: object, serial: int = 1) -> dict:
    """Strike the first create of a doctor."""
    return {"match": {"action": CREATE, "user_name": person(serial).name, "nth": 1}, "do": do}


def repeat(serial: int, of: int = 1, *, nth: int = 1) -> dict:
    """Answer the first create of a doctor, which makes a seal, with an answer that another create got."""
    return as_first({"replay": {"user_name": person(of).name, "nth": nth}}, serial)


@pytest.mark.parametrize("way", WAYS if LONG else ("throttle", "reason", "file"))
def test_a_create_with_the_answer_of_another_doctor_is_unknown(stage, way):
    stage.strike(as_first(WAYS[way]), repeat(2))
    stage.hire(*range(1, 7))
    stage.go("run")
    if way == "keys":  # that answer stops the run at the first row; the next run knows it from the ledger
        stage.strike(repeat(2))
        stage.hire(2)
        stage.go("run")
    (row,) = [row for row in stage.outcomes() if row["staff_no"] == person(2).staff_no]
    stage.strike(*(lost(WAYS[way], 1) if way in REFUSALS else ()))  # a doctor who is refused stays refused
    try_everything(stage)
    stage.assert_clean()
    assert (row["status"], row["service"]["code"]) == ("unknown", "repeated_answer")
    assert row["request_id"]


@pytest.mark.skipif(not LONG, reason="make attack")
@pytest.mark.parametrize("way", ["throttle", "reason", "missing", "invalid", "file", "keys"])
def test_an_answer_of_an_earlier_run_is_none(stage, way):
    stage.strike(as_first(WAYS[way]))
    stage.hire(1)
    stage.go("run")
    stage.strike(repeat(2))
    stage.hire(2, 3)
    stage.go("run")
    statuses = stage.statuses()
    stage.strike()
    try_everything(stage)
    stage.assert_clean()
    assert statuses[person(2).staff_no] == "unknown"


@pytest.mark.skipif(not LONG, reason="make attack")
def test_a_retry_of_a_create_with_the_answer_of_the_first_send_is_unknown(stage):
    """The re-send made the seal; its answer is the throttle that the first send got."""
    second = {
        "match": {"action": CREATE, "user_name": person(2).name, "nth": 2},
        "do": {"replay": {"nth": 1}},
    }
    second["do"]["replay"]["user_name"] = person(2).name
    stage.strike(as_first("throttle", 2), second)
    stage.hire(*range(1, 5))
    stage.go("run")
    statuses = stage.statuses()
    stage.strike()
    try_everything(stage)
    stage.assert_clean()
    assert statuses[person(2).staff_no] == "unknown"


def test_a_success_of_another_doctor_stops_the_run(stage):
    stage.strike(repeat(2))
    stage.hire(*range(1, 4))
    ended = stage.go("run")
    statuses = stage.statuses()
    stage.strike()
    again = stage.go("run")
    stage.assert_clean()
    assert (ended.code, again.code) == (4, 4)
    assert statuses[person(2).staff_no] == "unknown"


UPLOADS = {  # which uploads get the answer, or the FileId, of the first one
    "one": ({"nth": 3}, {"replay": {"nth": 1}}),
    "every third": ({"every": 3}, {"replay": {"nth": 1}}),
    "always": ({"from": 2}, {"replay": {"nth": 1}}),
    "one FileId": ({"nth": 3}, "same_file_id"),
    "always one FileId": ({"from": 2}, "same_file_id"),
}


@pytest.mark.parametrize("which", UPLOADS if LONG else ("one", "one FileId"))
def test_an_upload_with_the_answer_of_another_picture_is_made_again(stage, which):
    match, do = UPLOADS[which]
    stage.strike({"match": {"action": UPLOAD, **match}, "do": do})
    stage.hire(*range(1, 7))
    ended = stage.go("run")
    statuses, codes = (
        set(stage.statuses().values()),
        {row["service"] and row["service"]["code"] for row in stage.outcomes()},
    )
    stage.judge()
    stage.assert_clean()
    stage.strike()
    stage.go("run")
    stage.assert_clean()
    assert set(stage.statuses().values()) <= {"sealed", "unchanged"}
    if which.startswith("always"):
        assert ended.code == 5
        assert statuses in ({"sealed", "not_sent"}, {"not_sent"})
        assert codes & {"repeated_answer", "reused_file_id"}
    else:
        assert (ended.code, statuses) == (0, {"sealed"})
