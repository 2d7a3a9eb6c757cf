"""Runs whose calls travel in encrypted envelopes: the service's own reading of the pages opens and answers them."""

import json
from collections import Counter
from dataclasses import replace

import pytest
from resolution_support import run_later
from wire_support import CREATE, fault, set_limits

import pipeline
from pipeline.clock import SystemClock
from pipeline.config.sections import Encryption
from pipeline.config.settings import Config
from pipeline.esign.products import ESSBASIC, PRODUCTS
from pipeline.esign.rate_limiter import AdaptiveRateLimiter, SingleQuota
from pipeline.operations.encryption_examination import set_encryption
from pipeline.resolution.service_calls import ServiceAccess
from pipeline.sandbox.gateway import SANDBOX, UPLOAD, EnvelopeKeys
from pipeline.workflow.hosts_factory import share_envelope_quota

KEY, HMAC_KEY = "SM4-CBC-Key-1234", "the key of the HMAC, 32 bytes xx"
ALGORITHMS = {
    "sm4": EnvelopeKeys("sm4", "sm3", KEY.encode(), HMAC_KEY.encode()),
    "aes": EnvelopeKeys("aes", "sha256", KEY.encode() * 2, HMAC_KEY.encode()),
}


@pytest.fixture
def encrypted(hospital_with):
    """Make a hospital whose calls are encrypted; the service may have other keys than it."""

    def make(algorithm="sm4", *, hmac=None, of_service=None, **how):
        of_service = of_service or ALGORITHMS[algorithm]
        settings = {"algorithm": algorithm, **({"hmac": hmac} if hmac else {})}
        how["api"] = {"encryption": settings, **how.get("api", {})}
        hospital = hospital_with(tenants=(replace(SANDBOX, envelope=of_service),), **how)
        write_keys(hospital, ALGORITHMS[algorithm].key.decode(), HMAC_KEY)
        return hospital

    return make


def write_keys(hospital, key, hmac_key):
    for name, text in (("encryption_key", key), ("encryption_hmac_key", hmac_key)):
        path = hospital.folder / "secrets" / f"tencent__{name}"
        path.write_text(text)
        path.chmod(0o600)


FORMS = {
    "file_id": {},
    "inline": {"contract": "inline"},
    "ess": {"product": "ess"},
}


@pytest.mark.parametrize(
    ("api", "algorithm"), list(zip(FORMS.values(), ("sm4", "aes", "aes"), strict=True)), ids=FORMS
)
def test_a_run_with_a_lost_answer_a_broken_one_and_a_throttle(encrypted, algorithm, api):
    """What proves nothing is unknown; what was refused before it was opened is sent again; the rest is sealed."""
    faults = [
        fault("reset_after", nth=(4,)),
        fault({"envelope": "signature"}, nth=(6,)),
        fault("throttle", nth=(5,)),
        fault({"code": "InvalidParameter.Name"}, nth=(7,)),
        fault({"envelope": "bare"}, nth=(8,)),
    ]
    hospital, product = encrypted(algorithm, faults=faults, api=api), PRODUCTS[api.get("product", "essbasic")]
    hospital.doctors(8)
    assert hospital.run_to_end("run") == (3, {"sealed": 5, "unknown": 2, "failed": 1})
    service, record = hospital.service, hospital.record()
    unknown = {row["service"]["code"] for row in hospital.outcomes() if row["status"] == "unknown"}
    assert unknown == {"no_answer", "forged_envelope"}
    assert all(call.encrypted == (call.action != UPLOAD) for call in service.received)
    # one call that changes nothing was tried first
    assert service.received[0].action == product.organization_seals
    assert record["requests"][product.create]["InvalidParameter.Name"] == 1
    assert record["requests"][product.create]["RequestLimitExceeded"] == 1
    assert len(service.seals) == 7
    assert not service.list_duplicates()
    # the next run sends the refused row alone
    assert hospital.run_to_end("run") == (3, {"sealed": 1, "unchanged": 5, "unknown": 2})
    assert len(service.seals) == 8
    assert not service.list_duplicates()
    seal_ids = {seal.seal_id for seal in service.seals}
    assert {row["seal_id"] for row in hospital.outcomes() if row["status"] == "unchanged"} <= seal_ids
    assert not [path for path in (hospital.folder / "out").rglob("*.jsonl") if KEY in path.read_text("utf-8")]


def strike_every_second(strikes):
    """Return faults of creates that are sent one after another; a sound answer follows each."""
    return [fault(do, nth=(2 * number,)) for number, do in enumerate(strikes, 1)]


def test_a_broken_answer_to_a_create_is_unknown(encrypted):
    """Never failed, never sealed: the seal was made, whatever the answer says."""
    forms = ["signature", "other_key", "iv", "padding", "not_base64", "plain", "replayed", "reflected"]
    hospital = encrypted(faults=strike_every_second({"envelope": form} for form in forms))
    set_limits(hospital, 1000, 1)
    hospital.doctors(17)
    assert hospital.run_to_end("run") == (3, {"sealed": 9, "unknown": 8})
    unknown = [row for row in hospital.outcomes() if row["status"] == "unknown"]
    assert Counter((row["service"]["code"], row["seal_id"]) for row in unknown) == {
        ("forged_envelope", None): 2,
        ("damaged_envelope", None): 3,
        ("no_envelope", None): 1,
        ("repeated_answer", None): 2,
    }
    made = {seal.seal_id: seal.name for seal in hospital.service.seals}
    assert len(made) == 17
    sealed = {row["seal_id"]: row["name"] for row in hospital.outcomes() if row["seal_id"]}
    assert sealed.items() <= made.items()


@pytest.mark.parametrize("code", ["InvalidParameter", "OperationDenied.WhiteListForbid"])
def test_an_envelope_that_was_refused_stops_the_run_with_nothing_sent(encrypted, code):
    refused = {"envelope_code": {"code": code, "message": "加密请求"}}
    hospital = encrypted(faults=[fault(refused, nth=(1,))])
    hospital.doctors(1)
    assert hospital.run_to_end("run") == (4, {"not_sent": 1})
    assert hospital.outcomes()[0]["service"]["code"] == f"Envelope.{code}"
    assert hospital.service.seals == []


def test_an_error_of_the_envelope_is_no_refusal_of_the_row(encrypted):
    codes = [
        "FailedOperation",  # before or after the call inside: not documented
        "InternalError",
        "FailedOperation.ExistSameSealName",  # never of an envelope's own call
        "FailedOperation.ByNobodyListed",
    ]
    strikes = [{"envelope_code": {"code": code, "message": "加密请求"}} for code in codes]
    hospital = encrypted(faults=strike_every_second(strikes))
    set_limits(hospital, 1000, 1)
    hospital.doctors(9)
    assert hospital.run_to_end("run") == (3, {"sealed": 5, "unknown": 4})
    ended = {row["service"]["code"] for row in hospital.outcomes() if row["status"] == "unknown"}
    assert ended == {f"Envelope.{code}" for code in codes}
    assert len(hospital.service.seals) == 5


OTHER_KEYS = replace(ALGORITHMS["sm4"], hmac_key=b"something else, 16 bytes or more")
OTHER_DIGEST = replace(ALGORITHMS["sm4"], digest="sha256")


@pytest.mark.parametrize(
    ("of_service", "faults", "words"),
    [
        (OTHER_KEYS, (), "after a change start it again"),
        (OTHER_DIGEST, (), "set api.encryption.hmac: sha256"),
        (
            None,
            ({"match": {"action": ESSBASIC.organization_seals}, "do": {"envelope": "other_key"}},),
            "wrong signature",
        ),
    ],
    ids=["other keys", "other digest", "answers of another key"],
)
def test_keys_that_do_not_fit_stop_the_run_before_the_first_create(
    encrypted, capsys, of_service, faults, words
):
    hospital = encrypted(of_service=of_service, faults=faults)
    hospital.doctors(1)
    assert hospital.run_to_end("run") == (4, {"not_sent": 1})
    assert [call for call in hospital.service.received if call.action == CREATE] == []
    halted = hospital.record()["halted"]["code"]
    assert halted == ("ENVELOPE_NOT_OPENED" if faults else "Envelope.InvalidParameter")
    capsys.readouterr()
    assert hospital.go("doctor") == 4
    printed = capsys.readouterr()
    assert words in printed.out + printed.err


def test_doctor_tells_that_it_is_on_and_works(encrypted, capsys):
    hospital = encrypted()
    hospital.go("--json", "doctor")
    findings = json.loads(capsys.readouterr().out)["findings"]
    (line,) = [finding for finding in findings if finding["topic"] == "encryption"]
    assert line["level"] == "ok"
    assert "SM4-CBC with HMAC-SM3" in line["text"]
    assert hospital.go("config", "policy") == 0
    assert ESSBASIC.envelope in capsys.readouterr().out


def test_without_its_keys_nothing_is_sent_and_the_run_is_recorded(encrypted, capsys):
    hospital = encrypted()
    (hospital.folder / "secrets" / "tencent__encryption_hmac_key").unlink()
    hospital.doctors(1)
    assert hospital.go("run") == 4
    assert hospital.service.received == []
    records = [json.loads(path.read_text("utf-8")) for path in (hospital.folder / "out").glob("*/run.json")]
    assert {record["halted"]["code"] for record in records} == {"ENCRYPTION_KEYS_MISSING"}
    assert "tencent__encryption_hmac_key" in capsys.readouterr().err
    assert hospital.go("doctor") == 4
    assert "Only the encryption_hmac_key is missing" in capsys.readouterr().out


def test_all_encrypted_calls_share_one_quota(encrypted):
    """The gateway counts the envelope's action: it does not see the one inside."""
    hospital = encrypted()
    hospital.doctors(2)
    limiter = AdaptiveRateLimiter(1000, SystemClock())
    config = Config.load(hospital.folder / "config.yaml")
    assert pipeline.run(config, limiter=limiter).exit == 0
    assert len(limiter.list_departures(ESSBASIC.envelope)) == 2  # those of creates alone are recorded
    assert len(limiter.list_departures(ESSBASIC.upload)) == 2
    assert limiter.list_departures(CREATE) == ()
    access = ServiceAccess.from_config(config, SystemClock(), None)
    assert isinstance(access.limiter, SingleQuota)
    assert isinstance(share_envelope_quota(limiter, config), SingleQuota)
    assert share_envelope_quota(limiter, set_encryption(config, Encryption())) is limiter


def test_the_commands_outside_a_run_are_encrypted_as_well(encrypted):
    hospital = encrypted(faults=[fault("no_seal_id", nth=(1,))])
    hospital.doctors(2)
    assert hospital.go("run") == 3
    (unknown,) = [row["name"] for row in hospital.outcomes() if row["status"] == "unknown"]
    (sealed,) = [row["name"] for row in hospital.outcomes() if row["status"] == "sealed"]
    hospital.service.open_auto_sign(next(seal for seal in hospital.service.seals if seal.name == unknown))
    assert run_later(hospital, "resolve", unknown, "--look-up") == 0
    assert run_later(hospital, "certify", sealed, "--yes") == 0
    assert run_later(hospital, "autosign", "status") in {0, 3}
    assert run_later(hospital, "certify", "--list", sealed) in {0, 3}
    assert all(call.encrypted == (call.action != UPLOAD) for call in hospital.service.received)
    assert run_later(hospital, "run") == 0
    assert hospital.statuses() == {"unchanged": 2}


@pytest.mark.parametrize("broken", [{"envelope": "signature"}, {"envelope_code": "FailedOperation"}])
def test_a_text_message_whose_answer_cannot_be_opened_is_not_sent_again(encrypted, broken):
    hospital = encrypted(faults=[fault(broken, action=ESSBASIC.auto_sign_enable_url, nth=(1,))])
    hospital.seal_doctors(2, write=False)
    assert hospital.go("autosign", "status") == 0
    assert hospital.go("autosign", "links", "--sms", "--yes") == 3
    for options in (("--sms", "--yes"), ("--sms", "--yes", "--renew")):
        hospital.go("autosign", "links", *options)
    asked = [call for call in hospital.service.received if call.action == ESSBASIC.auto_sign_enable_url]
    report = hospital.service.auto_sign.build_report(hospital.service_clock.now())
    numbers = [message["number"] for message in report["sms"]]
    assert len(numbers) == len(set(numbers))
    assert all(call.encrypted for call in asked)
