"""The plan: what each row is already, and what would be sent for it."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from plan_support import (
    DAY,
    NOTHING,
    NOW,
    make_attempt,
    make_doctor,
    make_refused,
    make_rules,
    make_sealed,
    make_snapshot,
    plan_one,
)
from readable_key import ReadableKey

from pipeline.domain.roster import CardType, Doctor, Field, ImageFile
from pipeline.domain.run import Review, RowOutcome, Status
from pipeline.domain.seals import LedgerSnapshot, Person, PictureDecision
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.messages.problems import build_problem, render_problem
from pipeline.planning.plan import PlanRules, plan_rows


def compute_names(doctors, known=NOTHING) -> dict[str, str]:
    """Return the seal names that are planned, by the doctor's key."""
    return {plan.doctor.key: plan.seal_name for plan in plan_rows(doctors, known, make_rules())}


def list_codes(row_plan) -> list[str]:
    return [problem.code for problem in row_plan.problems]


def test_a_newcomer_is_ready_with_a_request():
    row_plan = plan_one(make_doctor())
    assert row_plan.status is Status.READY
    assert row_plan.request.seal_name == row_plan.seal_name == "张乙处方章"
    assert row_plan.request.content.picture == "sha1"


def test_a_row_with_an_error_is_rejected_and_has_no_request():
    row_plan = plan_one(make_doctor(problems=(build_problem("ID_CHECKSUM", Field.NUMBER),)))
    assert row_plan.status is Status.REJECTED
    assert row_plan.request is None


def test_a_sealed_doctor_with_the_same_content_is_unchanged():
    doctor = make_doctor()
    row_plan = plan_one(doctor, make_snapshot(make_sealed(doctor)))
    assert row_plan.status is Status.UNCHANGED
    assert RowOutcome.of_plan(row_plan).seal_id == "seal-id"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"name": "张新"}, "name"),
        ({"number": "H12345678902"}, "id_card_number"),
        ({"id_type": CardType.HONGKONG_AND_MACAO}, "id_card_type"),
        ({"scene_key": "E_PRESCRIPTION_AUTO_SIGN"}, "scene_key"),
        ({"mobile": "15400000001"}, "mobile"),
        ({"seal_name": "别的章"}, "seal_name"),
        ({"picture": ImageFile.from_path(Path("1.png"), "other", 10)}, "picture"),
    ],
)
def test_a_sealed_doctor_whose_content_differs_is_changed(changes, field):
    doctor = make_doctor()
    row_plan = plan_one(replace(doctor, **changes), make_snapshot(make_sealed(doctor)))
    assert row_plan.status is Status.CHANGED
    (problem,) = row_plan.problems
    assert (problem.code, problem.severity) == ("CONTENT_CHANGED", "warning")
    assert problem.detail["differs"] == field


def test_the_roster_may_name_what_the_template_named():
    doctor = make_doctor()
    row_plan = plan_one(replace(doctor, seal_name="张乙处方章"), make_snapshot(make_sealed(doctor)))
    assert row_plan.status is Status.UNCHANGED


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
    doctor = make_doctor()
    row_plan = plan_one(
        replace(doctor, picture=None, problems=(build_problem(code, field),)),
        make_snapshot(make_sealed(doctor)),
    )
    assert row_plan.status is Status.UNCHANGED
    assert [problem.severity for problem in row_plan.problems] == ["warning"]


@pytest.mark.parametrize("code", ["IMAGE_AMBIGUOUS", "SEAL_NAME_DUPLICATE"])
def test_a_forgiven_error_keeps_its_own_sentence(code):
    """The other severity's sentence tells something else: that a picture was used, that a name was told apart."""
    doctor = make_doctor()
    error = build_problem(code, Field.PICTURE, found="甲.png, 乙.png", other="甲")
    row_plan = plan_one(replace(doctor, picture=None, problems=(error,)), make_snapshot(make_sealed(doctor)))
    for language in ("zh", "en"):
        assert render_problem(row_plan.problems[0], language) == render_problem(error, language)
        assert render_problem(row_plan.problems[0], language) != render_problem(
            replace(error, severity="warning"), language
        )


@pytest.mark.parametrize(
    ("state", "status"),
    [("open", Status.UNKNOWN), ("unknown", Status.UNKNOWN), ("exists", Status.EXISTS)],
)
def test_an_unsettled_create_holds_its_person(state, status):
    doctor = make_doctor()
    history = Person(doctor.key, "张乙处方章", attempts=[make_attempt(doctor, state)])
    row_plan = plan_one(doctor, make_snapshot(history), resend_refused=True)
    assert (row_plan.status, row_plan.request) == (status, None)
    assert RowOutcome.of_plan(row_plan).trace_id == "uuid"


@pytest.mark.parametrize(
    ("days", "status"),
    [(0, Status.READY), (1, Status.READY), (2, Status.READY), (3, Status.FAILED), (9, Status.FAILED)],
)
def test_a_refused_row_is_sent_until_its_first_refusal_is_three_days_old(days, status):
    doctor = make_doctor()
    now = NOW + DAY * days
    assert plan_one(doctor, make_snapshot(make_refused(doctor)), now=now).status is status
    attempts = [make_attempt(doctor, moment=NOW + hour) for hour in range(3)]
    history = replace(make_refused(doctor), attempts=attempts)
    assert plan_one(doctor, make_snapshot(history), now=now).status is status


def test_changed_content_or_an_explicit_retry_sends_it_again():
    doctor = make_doctor()
    known, later = make_snapshot(make_refused(doctor)), NOW + 30 * DAY
    assert plan_one(doctor, known, now=later).status is Status.FAILED
    assert plan_one(replace(doctor, name="张改"), known, now=later).status is Status.READY
    assert plan_one(doctor, known, now=later, resend_refused=True).status is Status.READY


def test_a_bare_refusal_is_repeated_only_by_an_explicit_retry():
    doctor = make_doctor()
    known = make_snapshot(make_refused(doctor, code="FailedOperation", message="操作失败"))
    assert plan_one(doctor, known).status is Status.FAILED
    assert RowOutcome.of_plan(plan_one(doctor, known)).code == "FailedOperation"
    assert plan_one(doctor, known, resend_refused=True).status is Status.READY


def test_a_seal_name_is_frozen_at_the_first_attempt():
    doctor = make_doctor()
    row_plan = plan_one(doctor, make_snapshot(make_refused(doctor)), seal_name_template="{name}新章")
    assert row_plan.request.seal_name == "张乙处方章"


def test_a_surely_refused_seal_name_may_be_changed():
    doctor = make_doctor()
    row_plan = plan_one(
        replace(doctor, seal_name="张乙二章"),
        make_snapshot(make_refused(doctor, code="InvalidParameter.LimitSealName")),
    )
    assert row_plan.request.seal_name == "张乙二章"


def test_a_seal_that_may_exist_is_not_renamed():
    doctor = make_doctor()
    known = make_snapshot(make_refused(doctor, code="FailedOperation", message="操作失败"))
    row_plan = plan_one(replace(doctor, seal_name="张乙二章"), known, resend_refused=True)
    assert row_plan.status is Status.REJECTED
    assert "SEAL_NAME_FROZEN" in list_codes(row_plan)


def make_barred(doctor: Doctor, *names: str) -> Person:
    return Person(doctor.key, attempts=[make_attempt(doctor, "not_theirs", seal_name=name) for name in names])


def test_a_name_that_is_another_persons_is_never_used_again():
    doctor = make_doctor()
    barred = "张乙处方章", "张乙〇〇一处方章"
    used = [plan_one(doctor, make_snapshot(make_barred(doctor, *barred[:many]))).seal_name for many in (1, 2)]
    assert used == ["张乙〇〇一处方章", "张乙内科处方章"]
    known = make_snapshot(make_barred(doctor, *barred))
    own = plan_one(replace(doctor, seal_name="张乙处方章"), known)
    assert (own.status, own.problems[-1].code) == (Status.REJECTED, "SEAL_NAME_DUPLICATE")
    assert plan_one(replace(doctor, seal_name="新章"), known).request.seal_name == "新章"


def test_the_namesake_next_to_it_keeps_the_plain_name():
    namesakes = make_namesakes(2)
    key = namesakes[0].key
    people = {key: make_barred(namesakes[0], "张伟处方章")}
    known = LedgerSnapshot(people, {"张伟处方章": key}, frozenset({"张伟处方章"}))
    assert compute_names(namesakes, known) == {"key1": "张伟〇〇一处方章", "key2": "张伟处方章"}


def make_namesakes(count: int) -> list[Doctor]:
    return [make_doctor(serial, name="张伟") for serial in range(1, count + 1)]


def test_namesakes_get_their_staff_numbers_in_any_order():
    names = {"key1": "张伟〇〇一处方章", "key2": "张伟〇〇二处方章"}
    assert compute_names(make_namesakes(2)) == compute_names(make_namesakes(2)[::-1]) == names


def test_a_newcomer_next_to_a_sealed_namesake_is_distinguished_by_staff_number_or_department():
    first, second = make_namesakes(2)
    known = make_snapshot(make_sealed(first))
    by_number = plan_one(second, known)
    assert by_number.seal_name == "张伟〇〇二处方章"
    assert [problem.severity for problem in by_number.problems] == ["warning"]
    assert plan_one(replace(second, staff_no=None), known).seal_name == "张伟内科处方章"
    by_nothing = plan_one(replace(second, staff_no=None, department=None), known)
    assert by_nothing.status is Status.REJECTED
    assert "SEAL_NAME_DUPLICATE" in list_codes(by_nothing)


def test_the_rosters_own_name_that_belongs_to_another_is_refused():
    known = make_snapshot(make_sealed(make_doctor(1, seal_name="院长章")))
    assert plan_one(make_doctor(2, seal_name="院长章"), known).status is Status.REJECTED


def make_reusable(*people: Person) -> LedgerSnapshot:
    """Return people of whom those without a seal were certainly refused: their names may pass on."""
    reusable = frozenset(person.seal_name for person in people if not person.seal)
    return replace(make_snapshot(*people), reusable_seal_names=reusable)


@pytest.mark.parametrize("own", [None, "院长章"])
def test_a_corrected_number_keeps_the_doctors_seal_name(own):
    wrong, right = make_doctor(1, name="张伟", seal_name=own), make_doctor(2, name="张伟", seal_name=own)
    before = replace(make_refused(wrong), seal_name=own or "张伟处方章")
    row_plan = plan_one(right, make_reusable(before))
    assert (row_plan.status, row_plan.seal_name, row_plan.problems) == (Status.READY, own or "张伟处方章", ())
    assert plan_one(right, make_snapshot(before)).seal_name != "张伟处方章", "not where somebody may bear it"


def test_a_namesake_who_is_still_in_a_roster_keeps_the_seal_name():
    first, second = make_namesakes(2)
    known = make_reusable(make_refused(first))
    assert compute_names([first, second], known) == {"key1": "张伟处方章", "key2": "张伟〇〇二处方章"}


def test_two_newcomers_are_distinguished_though_the_name_is_reusable():
    gone, *new = make_namesakes(3)
    names = {"key2": "张伟〇〇二处方章", "key3": "张伟〇〇三处方章"}
    assert compute_names(new, make_reusable(make_refused(gone))) == names


def test_a_corrected_name_takes_the_templates_name_anew():
    wrong, right = make_doctor(1, name="张玮"), make_doctor(1, name="张伟")
    refused = make_refused(wrong)
    known = make_reusable(refused)
    assert plan_one(right, known).request.seal_name == "张伟处方章"
    assert plan_one(right, make_snapshot(refused)).request.seal_name == "张玮处方章", "somebody may bear it"
    assert plan_one(wrong, known, seal_name_template="{name}新章").request.seal_name == "张玮处方章"
    named = make_refused(replace(wrong, seal_name="院长章"))
    assert plan_one(right, make_reusable(replace(named, seal_name="院长章"))).request.seal_name == "院长章"
    neighbour = plan_one(right, make_reusable(refused, make_sealed(make_doctor(2, name="张伟"))))
    assert (neighbour.seal_name, neighbour.problems[-1].code) == ("张伟〇〇一处方章", "SEAL_NAME_DUPLICATE")


def test_another_doctors_picture_is_never_used_again():
    first = make_doctor(1)
    known = make_snapshot(make_sealed(first))
    stranger = plan_one(make_doctor(2, picture=first.picture), known)
    perhaps = plan_one(make_doctor(2, picture=first.picture, name=first.name), known)
    assert [list_codes(stranger), list_codes(perhaps)] == [["IMAGE_SHARED"], ["PERSON_POSSIBLY_SAME"]]
    assert {stranger.status, perhaps.status} == {Status.REJECTED}


@given(st.permutations(range(8)))
def test_the_order_of_rows_decides_nothing(order):
    doctors = [make_doctor(serial, name="张伟" if serial % 3 else f"李{serial}") for serial in range(8)]
    known = make_snapshot(make_sealed(doctors[3]), make_refused(doctors[4], days=3))

    def verdicts(rows):
        return {
            row_plan.doctor.key: (row_plan.status, row_plan.seal_name)
            for row_plan in plan_rows(rows, known, make_rules())
        }

    assert verdicts([doctors[position] for position in order]) == verdicts(doctors)


def make_review_rules(judged=MappingProxyType({}), **changes) -> PlanRules:
    """Return rules with the judgement of each pairing."""
    judgements = [PictureDecision.from_id(identity, value) for identity, value in judged.items()]
    return make_rules(decided=DecidedPictures(ReadableKey(), judgements), **changes)


ID = "key1_#张乙_sha1"


def test_every_row_that_would_be_sent_can_be_judged():
    (row_plan,) = plan_rows([make_doctor()], NOTHING, make_review_rules())
    assert (row_plan.status, row_plan.review) == (Status.READY, Review(ID))


def test_wrong_is_rejected_at_the_picture_and_can_be_judged_again():
    (row_plan,) = plan_rows([make_doctor()], NOTHING, make_review_rules({ID: "wrong"}))
    assert (row_plan.status, row_plan.request) == (Status.REJECTED, None)
    assert row_plan.review == Review(ID, "wrong")
    (problem,) = row_plan.problems
    assert (problem.code, problem.field, problem.cell) == ("REVIEW_WRONG", Field.PICTURE, "H1")


@pytest.mark.parametrize("judged", [{}, {ID: "right"}, {ID: "wrong"}])
def test_where_a_review_is_required_only_right_is_sent(judged):
    (row_plan,) = plan_rows([make_doctor()], NOTHING, make_review_rules(judged, require_review=True))
    expected = {None: Status.NOT_SENT, "right": Status.READY, "wrong": Status.REJECTED}[judged.get(ID)]
    assert row_plan.status is expected
    assert RowOutcome.of_plan(row_plan).status is expected


@pytest.mark.parametrize(("parts", "judged"), [
    ((), "right wrong"),
    (("seal_name",), "right wrong"),
    (("key",), "wrong"),
    (("name",), "wrong"),
    (("key", "name"), ""),
    (("picture",), ""),
])  # fmt: skip
def test_a_judgement_holds_for_person_name_and_picture_and_wrong_for_either_of_the_first_two(parts, judged):
    others = dict.fromkeys(parts, "别")
    if "picture" in parts:
        others["picture"] = ImageFile.from_path(Path("b.png"), "shaB", 10)
    for word, expected in (("right", Status.READY), ("wrong", Status.REJECTED)):
        rules = make_review_rules({ID: word}, require_review=True)
        (row_plan,) = plan_rows([make_doctor(**others)], NOTHING, rules)
        assert row_plan.status is (expected if word in judged else Status.NOT_SENT)


def test_a_seal_judged_wrong_is_kept_and_reported():
    rules = make_review_rules({ID: "wrong"}, require_review=True)
    (row_plan,) = plan_rows([make_doctor()], make_snapshot(make_sealed(make_doctor())), rules)
    assert row_plan.status is Status.UNCHANGED
    (problem,) = row_plan.problems
    assert (problem.code, problem.severity) == ("REVIEW_WRONG", "warning")


@pytest.mark.parametrize("judged", [{}, {ID: "wrong"}, {ID: "right"}])
def test_a_create_without_a_verdict_stays_unknown_whatever_its_review(judged):
    history = Person("key1", seal_name="张乙处方章", attempts=[make_attempt(make_doctor(), "unknown")])
    rules = make_review_rules(judged, require_review=bool(judged))
    (row_plan,) = plan_rows([make_doctor()], make_snapshot(history), rules)
    assert row_plan.status is Status.UNKNOWN
    assert RowOutcome.of_plan(row_plan).status is Status.UNKNOWN
