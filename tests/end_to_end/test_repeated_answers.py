"""An answer that was seen before, where another command than a run gets it."""

from people import name
from resolution_support import run_later
from wire_support import CREATE, fault

from pipeline.esign.products import ESSBASIC
from pipeline.sandbox.faults import Faults, parse_faults


def strike(hospital, *faults):
    hospital.sandbox._sandbox._faults = Faults(parse_faults({"faults": list(faults)}))


def test_a_certification_with_the_answer_of_a_run_got_no_verdict(hospital_with):
    """A repeated "name exists" must not allow probing."""
    hospital = hospital_with(faults=[fault({"code": "FailedOperation.ExistSameSealName"}, nth=(2,))])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    held = next(row["name"] for row in hospital.outcomes() if row["status"] == "exists")
    sealed = next(row["name"] for row in hospital.outcomes() if row["status"] == "sealed")
    strike(hospital, {"match": {"action": CREATE}, "do": {"replay": {"user_name": held}}})
    assert run_later(hospital, "certify", sealed, "--yes") == 2


def test_a_look_up_with_an_earlier_answer_confirms_nothing(hospital_with):
    hospital = hospital_with(faults=[fault("no_seal_id", nth=(1, 2))])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    for seal in hospital.service.seals:
        hospital.service.open_auto_sign(seal)
    strike(hospital, {"match": {"action": ESSBASIC.auto_sign_status, "nth": 2}, "do": "replay"})
    calls = [run_later(hospital, "resolve", name(serial), "--look-up") for serial in (1, 2)]
    assert calls == [0, 3]
    assert run_later(hospital, "resolve", name(2), "--look-up") == 0
    assert hospital.go("run") == 0
    assert {row["name"]: row["seal_id"] for row in hospital.outcomes()} == {
        seal.name: seal.seal_id for seal in hospital.service.seals
    }


def test_a_repeated_liveness_answer_is_not_counted(hospital_with):
    outage = {"match": {"action": CREATE, "from": 2}, "do": "http_502"}
    alive = {"match": {"action": ESSBASIC.organization_seals, "from": 2}, "do": {"replay": {"nth": 1}}}
    hospital = hospital_with(faults=[outage, alive])
    hospital.doctors(60)
    assert hospital.go("run") == 5
    counted = hospital.record()["requests"].get(ESSBASIC.organization_seals, {})
    assert counted.get("ok", 0) <= 1
