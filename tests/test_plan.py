"""Where roster and ledger meet: pure values in, pure values out."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, Field, ImageFile, Origin, Row
from pipeline.domain.run import Judgement, Review, Status
from pipeline.domain.seals import CreateAttempt, LedgerSnapshot, LiveSeal, PersonHistory, SealContent
from pipeline.domain.service_codes import has_reason
from pipeline.messages.problems import message, problem
from pipeline.planning.plan import PlanRules, outcome_if_not_sent, plan_rows

DAY = 86_400.0
NOW = 1_795_000_000.0
NOTHING = LedgerSnapshot({}, {})


def rules(**changes) -> PlanRules:
    given = {
        "template": "{name}处方章",
        "again": False,
        "digest": lambda text: f"#{text}",
        "same_picture": lambda picture, made: picture.sha256 == made.picture,
        "today": date(2026, 11, 19),  # NOW
        "day_of": lambda seconds: datetime.fromtimestamp(seconds, UTC).date(),
        "has_reason": has_reason,
        "name_problem": lambda name: problem("SEAL_NAME_LENGTH", Field.SEAL_NAME) if len(name) > 50 else None,
    }
    return PlanRules(**{**given, **changes})


def doctor(serial: int = 1, **changes) -> Doctor:
    cells = {
        field: Cell(column, field, "", CellKind.TEXT, "")
        for field, column in zip(Field, "ABCDEFGHIJKL", strict=True)
    }
    plain = Doctor(
        row=Row(Origin(Path("a.xlsx"), "s", serial), (), cells),
        row_id=f"row{serial}",
        key=f"key{serial}",
        name=f"张{'甲乙丙丁戊己庚辛'[serial % 8]}",
        number=f"{serial:018d}",
        id_type=CardType.ID_CARD,
        mobile=None,
        staff_no=f"{serial:03d}",
        department="内科",
        seal_name=None,
        scene_key="OTHER",
        enable_auto_sign=None,
        license_type=None,
        seal_image_compress=None,
        picture=ImageFile(Path(f"{serial}.png"), f"sha{serial}", 10),
        evidence="staff_no",
    )
    return replace(plain, **changes)


def content(of: Doctor) -> SealContent:
    return SealContent(
        of.name, f"#{of.number}", "ID_CARD", "OTHER", None, of.seal_name, of.picture.sha256, "pixels"
    )


def sealed(of: Doctor) -> PersonHistory:
    name = of.seal_name or f"{of.name}处方章"
    return PersonHistory(
        of.key,
        name,
        LiveSeal("seal-id", name, "night1", NOW, content(of), "request", "trace"),
        create_count=1,
    )


def attempt(
    of: Doctor, verdict="refused", code="InvalidParameter.Name", message="姓名不符", at=NOW
) -> CreateAttempt:
    return CreateAttempt("uuid", "night1", verdict, at, "host", content(of), code, message, "request")


def refused(of: Doctor, *, nights: int = 1, **how) -> PersonHistory:
    tries = tuple(attempt(of, at=NOW + DAY * night, **how) for night in range(nights))
    return PersonHistory(of.key, f"{of.name}处方章", refusals=tries, create_count=nights)


def snapshot(*pasts: PersonHistory) -> LedgerSnapshot:
    names = {past.seal_name: past.key for past in pasts if past.seal_name}
    return LedgerSnapshot({past.key: past for past in pasts}, names)


def one(of: Doctor, known: LedgerSnapshot = NOTHING, **changes):
    (planned,) = plan_rows([of], known, rules(**changes))
    return planned


def test_a_newcomer_is_ready_with_a_request():
    planned = one(doctor())
    assert planned.status is Status.READY
    assert planned.request.seal_name == planned.seal_name == "张乙处方章"
    assert planned.request.content.picture == "sha1"


def test_a_row_with_an_error_is_rejected_and_has_no_request():
    planned = one(doctor(problems=(problem("ID_CHECKSUM", Field.NUMBER),)))
    assert planned.status is Status.REJECTED
    assert planned.request is None


def test_a_sealed_doctor_with_the_same_content_is_unchanged():
    of = doctor()
    planned = one(of, snapshot(sealed(of)))
    assert planned.status is Status.UNCHANGED
    assert outcome_if_not_sent(planned).seal_id == "seal-id"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "张新"}, "name"),
        ({"number": "H12345678902"}, "id_card_number"),
        ({"id_type": CardType.HONGKONG_AND_MACAO}, "id_card_type"),
        ({"scene_key": "E_PRESCRIPTION_AUTO_SIGN"}, "scene_key"),
        ({"mobile": "15400000001"}, "mobile"),
        ({"seal_name": "别的章"}, "seal_name"),
        ({"picture": ImageFile(Path("1.png"), "other", 10)}, "picture"),
    ],
)
def test_a_sealed_doctor_whose_content_differs_is_changed(changes, field):
    of = doctor()
    planned = one(replace(of, **changes), snapshot(sealed(of)))
    assert planned.status is Status.CHANGED
    (told,) = planned.problems
    assert (told.code, told.severity, told.detail["differs"]) == ("CONTENT_CHANGED", "warning", field)


def test_the_roster_may_name_what_the_template_named():
    of = doctor()
    assert one(replace(of, seal_name="张乙处方章"), snapshot(sealed(of))).status is Status.UNCHANGED


@pytest.mark.parametrize(
    ("code", "field"),
    [
        ("IMAGE_MISSING", Field.PICTURE),
        ("IMAGE_SHARED", Field.PICTURE),
        ("MOBILE_INVALID", Field.MOBILE),
        ("SEAL_NAME_CHARS", Field.SEAL_NAME),
    ],
)
def test_a_sealed_doctor_needs_no_picture_mobile_or_seal_name(code, field):
    of = doctor()
    planned = one(replace(of, picture=None, problems=(problem(code, field),)), snapshot(sealed(of)))
    assert planned.status is Status.UNCHANGED
    assert [each.severity for each in planned.problems] == ["warning"]


@pytest.mark.parametrize("code", ["IMAGE_AMBIGUOUS", "SEAL_NAME_DUPLICATE"])
def test_a_forgiven_error_keeps_its_own_sentence(code):
    """The other severity's sentence tells something else: that a picture was used, that a name was told apart."""
    of = doctor()
    error = problem(code, Field.PICTURE, found="甲.png, 乙.png", other="甲")
    planned = one(replace(of, picture=None, problems=(error,)), snapshot(sealed(of)))
    for language in ("zh", "en"):
        assert message(planned.problems[0], language) == message(error, language)
        assert message(planned.problems[0], language) != message(replace(error, severity="warning"), language)


@pytest.mark.parametrize(("verdict", "status"), [("unknown", Status.UNKNOWN), ("exists", Status.EXISTS)])
def test_an_unsettled_create_holds_its_person(verdict, status):
    of = doctor()
    past = PersonHistory(of.key, "张乙处方章", unresolved_attempt=attempt(of, verdict), create_count=1)
    planned = one(of, snapshot(past), again=True)
    assert (planned.status, planned.request) == (status, None)
    assert outcome_if_not_sent(planned).trace_id == "uuid"


@pytest.mark.parametrize(
    ("night", "status"),
    [(0, Status.READY), (1, Status.READY), (2, Status.READY), (3, Status.FAILED), (9, Status.FAILED)],
)
def test_a_refused_row_is_sent_until_its_first_refusal_is_three_nights_old(night, status):
    of = doctor()
    today = datetime.fromtimestamp(NOW, UTC).date() + timedelta(days=night)
    assert one(of, snapshot(refused(of)), today=today).status is status
    past = replace(refused(of), refusals=tuple(attempt(of, at=NOW + hour) for hour in range(3)))
    assert one(of, snapshot(past), today=today).status is status


def test_changed_content_or_an_explicit_retry_sends_it_again():
    of = doctor()
    known, later = snapshot(refused(of)), date(2026, 12, 24)
    assert one(of, known, today=later).status is Status.FAILED
    assert one(replace(of, name="张改"), known, today=later).status is Status.READY
    assert one(of, known, today=later, again=True).status is Status.READY


def test_a_bare_refusal_is_repeated_only_by_an_explicit_retry():
    of = doctor()
    known = snapshot(refused(of, code="FailedOperation", message="操作失败"))
    assert one(of, known).status is Status.FAILED
    assert outcome_if_not_sent(one(of, known)).code == "FailedOperation"
    assert one(of, known, again=True).status is Status.READY


def test_a_seal_name_is_frozen_at_the_first_attempt():
    of = doctor()
    planned = one(of, snapshot(refused(of)), template="{name}新章")
    assert planned.request.seal_name == "张乙处方章"


def test_a_human_may_rename_what_was_surely_refused():
    of = doctor()
    planned = one(
        replace(of, seal_name="张乙二章"), snapshot(refused(of, code="InvalidParameter.LimitSealName"))
    )
    assert planned.request.seal_name == "张乙二章"


def test_nobody_renames_what_may_have_been_made():
    of = doctor()
    known = snapshot(replace(refused(of, code="FailedOperation", message="操作失败"), seal_name_locked=True))
    planned = one(replace(of, seal_name="张乙二章"), known, again=True)
    assert planned.status is Status.REJECTED
    assert "SEAL_NAME_FROZEN" in {each.code for each in planned.problems}


@pytest.mark.parametrize(
    ("code", "message"), [("FailedOperation.ExistSameSealName", ""), ("FailedOperation", "存在同名印章")]
)
def test_a_name_that_an_older_version_called_taken_is_asked_for_again_however_old(code, message):
    of = doctor()
    known = snapshot(replace(refused(of, code=code, message=message, nights=9), seal_name_locked=True))
    assert one(of, known).request.seal_name == "张乙处方章"
    assert "SEAL_NAME_FROZEN" in {
        each.code for each in one(replace(of, seal_name="张乙二章"), known).problems
    }


def of_another(of: Doctor, *names: str) -> PersonHistory:
    return PersonHistory(of.key, None, seal_names_of_others=frozenset(names), create_count=len(names))


def test_a_name_that_is_another_persons_is_never_used_again():
    of = doctor()
    barred = "张乙处方章", "张乙〇〇一处方章"
    used = [one(of, snapshot(of_another(of, *barred[:many]))).seal_name for many in (1, 2)]
    assert used == ["张乙〇〇一处方章", "张乙内科处方章"]
    own = one(replace(of, seal_name="张乙处方章"), snapshot(of_another(of, *barred)))
    assert (own.status, own.problems[-1].code) == (Status.REJECTED, "SEAL_NAME_DUPLICATE")
    assert one(replace(of, seal_name="新章"), snapshot(of_another(of, *barred))).request.seal_name == "新章"


def test_the_namesake_beside_it_keeps_the_plain_name():
    one_of, other = doctor(1, name="张伟"), doctor(2, name="张伟")
    known = LedgerSnapshot(
        {one_of.key: of_another(one_of, "张伟处方章")},
        {"张伟处方章": one_of.key},
        frozenset({"张伟处方章"}),
    )
    names = {each.doctor.key: each.seal_name for each in plan_rows([one_of, other], known, rules())}
    assert names == {"key1": "张伟〇〇一处方章", "key2": "张伟处方章"}


def test_namesakes_get_their_staff_numbers_whoever_stands_first():
    twins = [doctor(1, name="张伟"), doctor(2, name="张伟")]
    names = {each.doctor.key: each.seal_name for each in plan_rows(twins, NOTHING, rules())}
    assert names == {"key1": "张伟〇〇一处方章", "key2": "张伟〇〇二处方章"}
    assert names == {each.doctor.key: each.seal_name for each in plan_rows(twins[::-1], NOTHING, rules())}


def test_a_newcomer_beside_a_sealed_namesake():
    first = doctor(1, name="张伟")
    planned = one(doctor(2, name="张伟"), snapshot(sealed(first)))
    assert planned.seal_name == "张伟〇〇二处方章"
    assert [each.severity for each in planned.problems] == ["warning"]


def test_without_a_staff_number_the_department_tells_apart_or_nobody_does():
    first = doctor(1, name="张伟")
    by_department = one(doctor(2, name="张伟", staff_no=None), snapshot(sealed(first)))
    assert by_department.seal_name == "张伟内科处方章"
    nothing = one(doctor(2, name="张伟", staff_no=None, department=None), snapshot(sealed(first)))
    assert nothing.status is Status.REJECTED
    assert "SEAL_NAME_DUPLICATE" in {each.code for each in nothing.problems}


def test_the_rosters_own_name_that_belongs_to_another_is_refused():
    first = doctor(1, seal_name="院长章")
    assert one(doctor(2, seal_name="院长章"), snapshot(sealed(first))).status is Status.REJECTED


def spare(*pasts: PersonHistory) -> LedgerSnapshot:
    """People of whom those without a seal were surely refused: their names may pass on."""
    return replace(
        snapshot(*pasts), reusable_seal_names=frozenset(past.seal_name for past in pasts if not past.seal)
    )


@pytest.mark.parametrize("own", [None, "院长章"])
def test_a_corrected_number_keeps_the_doctors_seal_name(own):
    wrong, right = doctor(1, name="张伟", seal_name=own), doctor(2, name="张伟", seal_name=own)
    before = replace(refused(wrong), seal_name=own or "张伟处方章")
    planned = one(right, spare(before))
    assert (planned.status, planned.seal_name, planned.problems) == (Status.READY, own or "张伟处方章", ())
    assert one(right, snapshot(before)).seal_name != "张伟处方章", "not where somebody may bear it"


def test_a_namesake_who_still_stands_in_the_roster_keeps_the_seal_name():
    first, second = doctor(1, name="张伟"), doctor(2, name="张伟")
    planned = {
        each.doctor.key: each.seal_name for each in plan_rows([first, second], spare(refused(first)), rules())
    }
    assert planned == {"key1": "张伟处方章", "key2": "张伟〇〇二处方章"}


def test_a_namesake_whose_row_is_not_asked_for_keeps_the_seal_name_too():
    first, second = doctor(1, name="张伟"), doctor(2, name="张伟")
    (planned,) = plan_rows([second], spare(refused(first)), rules(), beside={first.key})
    assert planned.seal_name == "张伟〇〇二处方章"


def test_two_newcomers_are_told_apart_though_the_name_is_spare():
    gone, *new = (doctor(serial, name="张伟") for serial in range(1, 4))
    assert {each.seal_name for each in plan_rows(new, spare(refused(gone)), rules())} == {
        "张伟〇〇二处方章",
        "张伟〇〇三处方章",
    }


def test_a_corrected_name_takes_the_templates_name_anew():
    wrong, right = doctor(1, name="张玮"), doctor(1, name="张伟")
    assert one(right, spare(refused(wrong))).request.seal_name == "张伟处方章"
    assert one(right, snapshot(refused(wrong))).request.seal_name == "张玮处方章", "somebody may bear it"
    assert one(wrong, spare(refused(wrong)), template="{name}新章").request.seal_name == "张玮处方章"
    named = refused(replace(wrong, seal_name="院长章"))
    assert one(right, spare(replace(named, seal_name="院长章"))).request.seal_name == "院长章"
    beside = one(right, spare(refused(wrong), sealed(doctor(2, name="张伟"))))
    assert (beside.seal_name, beside.problems[-1].code) == ("张伟〇〇一处方章", "SEAL_NAME_DUPLICATE")


def test_another_doctors_picture_is_never_used_again():
    first = doctor(1)
    stranger = one(doctor(2, picture=first.picture), snapshot(sealed(first)))
    assert [each.code for each in stranger.problems] == ["IMAGE_SHARED"]
    perhaps = one(doctor(2, picture=first.picture, name=first.name), snapshot(sealed(first)))
    assert [each.code for each in perhaps.problems] == ["PERSON_POSSIBLY_SAME"]
    assert {stranger.status, perhaps.status} == {Status.REJECTED}


@given(st.permutations(range(8)))
def test_the_order_of_rows_decides_nothing(order):
    doctors = [doctor(serial, name="张伟" if serial % 3 else f"李{serial}") for serial in range(8)]
    known = snapshot(sealed(doctors[3]), refused(doctors[4], nights=3))

    def verdicts(rows):
        return {each.doctor.key: (each.status, each.seal_name) for each in plan_rows(rows, known, rules())}

    assert verdicts([doctors[place] for place in order]) == verdicts(doctors)


def reviewing(**said) -> PlanRules:
    """Rules with judgements: the id of a pairing is made of its four parts, joined."""
    judged = {identity: Judgement(word, NOW) for identity, word in said.pop("said", {}).items()}
    return rules(judgement_id=lambda *parts: "|".join(parts), judgements=judged, **said)


ID = "key1|张乙|张乙处方章|sha1"


def test_every_row_that_would_be_sent_can_be_judged():
    (planned,) = plan_rows([doctor()], NOTHING, reviewing())
    assert (planned.status, planned.review) == (Status.READY, Review(ID))


def test_wrong_is_rejected_at_the_picture_and_can_be_judged_again():
    (planned,) = plan_rows([doctor()], NOTHING, reviewing(said={ID: "wrong"}))
    assert (planned.status, planned.request, planned.review) == (
        Status.REJECTED,
        None,
        Review(ID, "wrong"),
    )
    assert [(each.code, each.field, each.cell) for each in planned.problems] == [
        ("REVIEW_WRONG", Field.PICTURE, "H1")
    ]


@pytest.mark.parametrize("said", [{}, {ID: "right"}, {ID: "wrong"}])
def test_where_a_review_is_required_only_right_is_sent(said):
    (planned,) = plan_rows([doctor()], NOTHING, reviewing(said=said, require_review=True))
    expected = {None: Status.NOT_SENT, "right": Status.READY, "wrong": Status.REJECTED}[said.get(ID)]
    assert planned.status is expected
    assert outcome_if_not_sent(planned).status is expected


@pytest.mark.parametrize("part", ["key", "name", "seal_name", "picture"])
def test_a_judgement_belongs_to_all_four(part):
    other = {"picture": ImageFile(Path("b.png"), "shaB", 10)}.get(part, "别")
    (planned,) = plan_rows([doctor(**{part: other})], NOTHING, reviewing(said={ID: "wrong"}))
    assert planned.status is Status.READY


def test_a_seal_that_exists_is_kept_and_its_wrong_said():
    (planned,) = plan_rows(
        [doctor()], snapshot(sealed(doctor())), reviewing(said={ID: "wrong"}, require_review=True)
    )
    assert planned.status is Status.UNCHANGED
    assert [(each.code, each.severity) for each in planned.problems] == [("REVIEW_WRONG", "warning")]


@pytest.mark.parametrize(
    ("said", "required", "status"),
    [
        ({}, False, Status.READY),
        ({ID: "wrong"}, False, Status.UNKNOWN),
        ({}, True, Status.UNKNOWN),
        ({ID: "right"}, True, Status.READY),
    ],
)
def test_a_create_without_a_verdict_stays_unknown_where_its_review_forbids_the_probe(said, required, status):
    tried = replace(attempt(doctor(), verdict="unknown"))
    past = PersonHistory("key1", seal_name="张乙处方章", unresolved_attempt=tried, create_count=1)
    ruled = reviewing(said=said, require_review=required, may_probe=lambda _: True)
    (planned,) = plan_rows([doctor()], snapshot(past), ruled)
    assert planned.status is status
    assert outcome_if_not_sent(planned).status is status
