"""The sandbox's verifier agrees with the published vectors, and says what is wrong with anything else."""

import base64
import json
from functools import cache
from pathlib import Path

import pytest

from pipeline.sandbox.gateway import CallCounter, Refusal, Tenant, read_call, verify_signature
from pipeline.sandbox.service import FakeService

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "tc3_vectors.json").read_text(encoding="utf-8"))[
    "vectors"
]
AGENT = json.loads(
    next(v["input"]["body"] for v in VECTORS if v["name"] == "essbasic-create-fileid-utf8-compact")
)
CREATE = next(v for v in VECTORS if v["name"] == "essbasic-create-fileid-utf8-compact")


def body_of(vector):
    return vector["input"]["body"].encode() if "body" in vector["input"] else five_mebibytes()


@cache
def five_mebibytes():
    """The body that one vector gives as a recipe."""
    image = base64.b64encode(bytes((i * 7 + 3) & 0xFF for i in range(5 * 1024 * 1024))).decode()
    person = {"UserName": "李四", "IdCardNumber": "110101199003070732", "SealName": "李四处方章"}
    return json.dumps({"Agent": AGENT["Agent"], **person, "SealImage": image}).encode()


def check(vector, *, now=None, body=None, secret_key=None, token=..., service=None, **headers):
    given = vector["input"]
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    call = read_call(
        body_of(vector) if body is None else body,
        headers={**vector["headers"], "Authorization": vector["authorization"], **changed},
    )
    token = given["token"] if token is ... else token
    tenant = Tenant(given["secret_id"], secret_key or given["secret_key"], "", "", "", token=token)
    return verify_signature(
        call, [tenant], service=service or given["service"], now=given["timestamp"] if now is None else now
    )


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_every_vector_verifies(vector):
    assert check(vector) == vector["input"]["secret_id"]


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_no_vector_verifies_with_another_key(vector):
    with pytest.raises(Refusal, match="SignatureFailure"):
        check(vector, secret_key="another")


def test_one_changed_byte_of_the_body_fails():
    with pytest.raises(Refusal, match="SignatureFailure"):
        check(CREATE, body=body_of(CREATE) + b" ")


def test_a_content_type_other_than_the_signed_one_fails():
    with pytest.raises(Refusal, match="SignatureFailure"):
        check(CREATE, **{"content-type": "application/json; charset=utf-8"})


@pytest.mark.parametrize("off", [-300, 300])
def test_five_minutes_off_is_still_accepted(off):
    assert check(CREATE, now=CREATE["input"]["timestamp"] + off)


@pytest.mark.parametrize("off", [-301, 301])
def test_more_than_five_minutes_off_is_expired(off):
    with pytest.raises(Refusal, match="SignatureExpire"):
        check(CREATE, now=CREATE["input"]["timestamp"] + off)


def test_the_scope_holds_the_utc_date_of_the_timestamp_and_the_service(send_request, create):
    """Each with a signature that is right for the scope it names."""
    assert send_request(FakeService(), create()).code == "ok"
    assert (
        send_request(FakeService(), create(), more={"date": "2026-11-19"}).code
        == "AuthFailure.SignatureFailure"
    )
    assert (
        send_request(FakeService(), create(), more={"service": "ess"}).code == "AuthFailure.SignatureFailure"
    )


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "SKIP",
        "TC3-HMAC-SHA256",
        CREATE["authorization"].replace("TC3-HMAC-SHA256", "HMAC-SHA1"),
        CREATE["authorization"].replace("content-type;host", "host"),
        CREATE["authorization"].replace("content-type;host", "host;content-type"),
        CREATE["authorization"].replace("tc3_request", "aws4_request"),
        CREATE["authorization"][:-1],
    ],
)
def test_an_authorization_of_another_form_is_invalid(authorization):
    with pytest.raises(Refusal, match="InvalidAuthorization"):
        check(CREATE, authorization=authorization)


def test_a_signed_header_that_did_not_arrive_fails():
    three = next(v for v in VECTORS if v["name"] == "essbasic-create-three-signed-headers")
    missing = {**three, "headers": {k: v for k, v in three["headers"].items() if k != "X-TC-Action"}}
    with pytest.raises(Refusal, match="SignatureFailure"):
        check(missing)


def test_an_unknown_secret_id_is_not_found():
    with pytest.raises(Refusal, match="SecretIdNotFound"):
        check(CREATE, authorization=CREATE["authorization"].replace("AKIDEXAMPLE", "AKIDanother"))


def test_a_temporary_credential_needs_its_token_and_a_lasting_one_takes_none():
    with pytest.raises(Refusal, match="TokenFailure"):
        check(CREATE, token="expected")
    with pytest.raises(Refusal, match="TokenFailure"):
        check(CREATE, **{"x-tc-token": "unexpected"})


# ---- counting calls in a second, the rolling and the calendar way

KEY = ("AKID", "Create")


def count_excess_calls(counter, moments, key=KEY):
    return [counter.count_call(key, now=moment, steady=moment) for moment in moments]


def test_rolling_lets_the_limit_pass_in_any_second_and_not_one_more():
    spread = [index / 16 for index in range(200)]
    assert not any(count_excess_calls(CallCounter("rolling", 16), spread))
    assert count_excess_calls(CallCounter("rolling", 15), spread)[:16] == [None] * 15 + [16]


def test_the_rolling_limiter_counts_refused_calls():
    hammer = [index * 0.01 for index in range(500)]
    assert all(count_excess_calls(CallCounter("rolling", 20), hammer)[20:])


def test_calendar_starts_again_with_each_second_of_the_wall_clock():
    moments = [100.9] * 20 + [101.0] * 20 + [101.999, 102.0]
    assert count_excess_calls(CallCounter("calendar", 20), moments) == [None] * 40 + [21, None]


def test_calendar_shows_refused_calls_in_the_number():
    assert count_excess_calls(CallCounter("calendar", 20), [5.5] * 23)[-3:] == [21, 22, 23]


def test_the_limiter_none_accepts_all_calls_and_each_key_is_counted_separately():
    assert not any(count_excess_calls(CallCounter("none", 1), [0.0] * 100))
    counter = CallCounter("rolling", 1)
    assert count_excess_calls(counter, [0.0], ("AKID", "Create")) == [None]
    assert count_excess_calls(counter, [0.0], ("AKID", "UploadFiles")) == [None]
    assert count_excess_calls(counter, [0.0], ("AKID", "Create")) == [2]
