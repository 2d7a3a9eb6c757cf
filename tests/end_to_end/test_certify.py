"""`certify`, `resolve --probe` and `resolve --look-up`: evidence from the service itself."""

import pytest
from resolution_support import LaterClock, list_made_seals, read_unknown_rows, run_later
from wire_support import fault

from pipeline.sandbox.actions import Rules


def allow_probing(hospital):
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8") + "unknown: probe\n", "utf-8")


def play_first_run(hospital):
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 1})


def make_hospital(scene, *, names="code", do="reset_after"):
    rules = Rules(limiter="none", unique_names=names)
    return scene(play_first_run, rules=rules, faults=[fault(do, nth=(3,))])


def get_sealed_name(hospital):
    return next(row["name"] for row in hospital.outcomes() if row["status"] == "sealed")


def open_auto_sign(hospital, who, seal_id):
    """Let a doctor have opened auto-sign with a seal."""
    person = next(seal.person for seal in hospital.service.seals if seal.name == who)
    hospital.service.auto_sign.open(person, seal_id, hospital.service_clock.now())


@pytest.mark.parametrize("names", ["code", "bare"])
def test_a_tenant_that_refuses_is_certified_and_may_be_probed(scene, names):
    hospital = make_hospital(scene, names=names)
    assert run_later(hospital, "certify", get_sealed_name(hospital), "--yes") == 0
    allow_probing(hospital)
    sent = hospital.creates()
    assert run_later(hospital, "run") == 3
    assert hospital.statuses() == {"unchanged": 2, "exists": 1}, (
        "the name exists: the lost create took effect"
    )
    assert hospital.creates() == sent + 1
    assert run_later(hospital, "run") == 3
    assert hospital.creates() == sent + 1, "what exists is not probed again"
    assert hospital.service.list_duplicates() == {}


def test_a_probe_that_was_not_executed_leaves_the_row_unresolved(hospital_with):
    refused = {"code": {"code": "AuthFailure.SignatureFailure", "message": "签名错误"}}
    hospital = hospital_with(
        rules=Rules(limiter="none", unique_names="code"),
        faults=[fault("reset_after", nth=(3,)), fault(refused, nth=(5,))],
    )
    hospital.doctors(3)
    assert hospital.go("run") == 3
    assert run_later(hospital, "certify", get_sealed_name(hospital), "--yes") == 0
    allow_probing(hospital)
    assert run_later(hospital, "run") == 4
    assert hospital.statuses() == {"unchanged": 2, "not_sent": 1}
    assert run_later(hospital, "run") == 3
    assert hospital.statuses() == {"unchanged": 2, "exists": 1}, "not a name that is taken: the seal is ours"


def test_a_create_that_never_took_effect_is_made_by_its_probe(scene):
    hospital = make_hospital(scene, do="reset_before")
    assert run_later(hospital, "certify", get_sealed_name(hospital), "--yes") == 0
    allow_probing(hospital)
    assert run_later(hospital, "run") == 0
    assert hospital.statuses() == {"sealed": 1, "unchanged": 2}


def test_a_tenant_that_does_not_refuse_is_never_probed(scene, capsys):
    hospital = make_hospital(scene, names="off")
    assert run_later(hospital, "certify", get_sealed_name(hospital), "--yes") == 3
    assert "second seal" in capsys.readouterr().err
    allow_probing(hospital)
    sent = hospital.creates()
    assert run_later(hospital, "run") == 2
    assert hospital.creates() == sent


def test_without_evidence_nothing_is_probed(scene, capsys):
    hospital = make_hospital(scene)
    allow_probing(hospital)
    assert run_later(hospital, "run") == 2
    assert "certify" in capsys.readouterr().err
    assert run_later(hospital, "resolve", next(iter(read_unknown_rows(hospital))), "--probe") == 2


def test_a_certificate_expires(scene):
    class MuchLater(LaterClock):
        def now(self):
            return super().now() + 91 * 86_400

    hospital = make_hospital(scene)
    assert run_later(hospital, "certify", get_sealed_name(hospital), "--yes") == 0
    allow_probing(hospital)
    assert run_later(hospital, "run", clock=MuchLater()) == 2


def test_nothing_is_probed_before_the_signature_has_expired(scene):
    hospital = make_hospital(scene)
    assert hospital.go("certify", get_sealed_name(hospital), "--yes") == 0
    allow_probing(hospital)
    sent = hospital.creates()
    assert hospital.go("run") == 3
    assert hospital.creates() == sent
    assert hospital.go("resolve", next(iter(read_unknown_rows(hospital))), "--probe") == 2


def test_a_row_that_is_no_longer_the_same_is_not_probed(scene):
    from run_support import draw_seal

    hospital = make_hospital(scene)
    who = next(iter(read_unknown_rows(hospital)))
    assert run_later(hospital, "certify", get_sealed_name(hospital), "--yes") == 0
    allow_probing(hospital)
    staff_no = read_unknown_rows(hospital)[who]["staff_no"]
    draw_seal(hospital.folder / "seals" / f"{staff_no}.png", 99)
    sent = hospital.creates()
    assert run_later(hospital, "run") == 3
    assert hospital.creates() == sent


def test_one_row_is_probed_on_demand_and_no_other(scene):
    hospital = make_hospital(scene, do="reset_before")
    hospital.doctors(5)
    assert run_later(hospital, "certify", get_sealed_name(hospital), "--yes") == 0
    allow_probing(hospital)
    sent = hospital.creates()
    assert run_later(hospital, "resolve", next(iter(read_unknown_rows(hospital))), "--probe") == 0
    assert hospital.creates() == sent + 1
    assert len(hospital.service.seals) == 3


def test_probing_needs_the_configuration(scene):
    hospital = make_hospital(scene)
    assert run_later(hospital, "resolve", next(iter(read_unknown_rows(hospital))), "--probe") == 2


def test_only_a_sealed_doctor_can_be_certified_with(scene):
    hospital = make_hospital(scene)
    assert run_later(hospital, "certify", "没有此人", "--yes") == 2
    assert run_later(hospital, "certify", next(iter(read_unknown_rows(hospital))), "--yes") == 2


def test_a_look_up_confirms_a_seal_and_never_disproves_one(scene, capsys):
    hospital = make_hospital(scene)
    who = next(iter(read_unknown_rows(hospital)))
    assert run_later(hospital, "resolve", who, "--look-up") == 3
    assert "may still exist" in capsys.readouterr().err
    assert who in read_unknown_rows(hospital)
    open_auto_sign(hospital, who, list_made_seals(hospital)[who])
    assert run_later(hospital, "resolve", who, "--look-up") == 0
    assert run_later(hospital, "run") == 0
    assert {row["name"]: row["seal_id"] for row in hospital.outcomes()} == list_made_seals(hospital)


def test_an_older_seal_does_not_confirm_an_unknown_create(scene):
    hospital = make_hospital(scene)
    who = next(iter(read_unknown_rows(hospital)))
    older = next(row["seal_id"] for row in hospital.outcomes() if row["status"] == "sealed")
    open_auto_sign(hospital, who, older)
    assert run_later(hospital, "resolve", who, "--look-up") == 3


def certify_with_fault(hospital_with, do):
    """Certify a hospital whose second create of the doctor meets a fault; returns it and the doctor."""
    hospital = hospital_with(
        rules=Rules(limiter="none", unique_names="off"),
        faults=[fault("reset_after", nth=(3,)), fault(do, nth=(4,))],
    )
    hospital.doctors(3)
    assert hospital.go("run") == 3
    return hospital, get_sealed_name(hospital)


def test_a_second_create_without_an_answer_is_shown_by_status_resolve_and_explain(hospital_with, capsys):
    hospital, who = certify_with_fault(hospital_with, "reset_after")
    assert run_later(hospital, "certify", who, "--yes") == 2
    trace_id = hospital.service.received[-1].trace_id
    assert trace_id in capsys.readouterr().err, "what the console is asked for"
    assert hospital.service.list_duplicates(), "this doctor has two seals now"
    for command in ("status", "resolve"):
        run_later(hospital, command)
        stderr_text = capsys.readouterr().err
        assert who in stderr_text
        assert trace_id in stderr_text
    assert run_later(hospital, "explain", who) == 0
    assert trace_id in capsys.readouterr().out
    allow_probing(hospital)
    assert run_later(hospital, "run") == 2, "it is no evidence"


def test_a_second_create_that_was_not_carried_out_leaves_nothing_open(hospital_with, capsys):
    hospital, who = certify_with_fault(hospital_with, {"code": "AuthFailure.SecretIdNotFound"})
    assert run_later(hospital, "certify", who, "--yes") == 2
    assert "not carried out" in capsys.readouterr().err
    run_later(hospital, "status")
    assert who not in capsys.readouterr().err
    assert hospital.service.list_duplicates() == {}


def test_the_next_verdict_ends_the_warning(hospital_with, capsys):
    hospital, who = certify_with_fault(hospital_with, "reset_before")
    assert run_later(hospital, "certify", who, "--yes") == 2
    assert run_later(hospital, "certify", who, "--yes") == 3, "this tenant does not refuse"
    capsys.readouterr()
    run_later(hospital, "status")
    assert who not in capsys.readouterr().err


def test_a_ledger_older_than_a_run_certifies_nothing(scene, capsys):
    hospital = make_hospital(scene)
    assert run_later(hospital, "ledger", "backup", str(hospital.folder / "old")) == 0
    hospital.doctors(4)
    assert run_later(hospital, "run") == 3
    for name in ("ledger.sqlite3", "receipts.jsonl"):
        (hospital.folder / "state" / name).unlink()
    assert run_later(hospital, "ledger", "restore", str(hospital.folder / "old")) == 0
    sent, who = (
        hospital.creates(),
        next(row["name"] for row in hospital.outcomes() if row["status"] == "unchanged"),
    )
    for arguments in (
        ("certify", who, "--yes"),
        ("resolve", next(iter(read_unknown_rows(hospital))), "--not-created", "--sure"),
    ):
        assert run_later(hospital, *arguments) == 2
        assert "older than" in capsys.readouterr().err
    assert hospital.creates() == sent
