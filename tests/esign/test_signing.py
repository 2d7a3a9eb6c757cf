"""TC3-HMAC-SHA256 against every published and SDK-made vector."""

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tencentcloud.common.sign import Sign

from pipeline.esign.signing import Credentials, authorization, canonical_request

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "tc3_vectors.json").read_text("utf-8"))["vectors"]


def _signed_headers(vector) -> dict[str, str]:
    names = vector["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    sent = {name.lower(): value for name, value in vector["headers"].items()}
    return {name: sent[name] for name in names}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_equals_the_vector(vector):
    values = vector["input"]
    if "body" in values and "unsigned" not in vector["name"]:
        assert values["body_sha256"] == hashlib.sha256(values["body"].encode()).hexdigest()
    headers = _signed_headers(vector)
    digest = vector["canonical_request"].rsplit("\n", 1)[1]
    credentials = Credentials(values["secret_id"], values["secret_key"], values["token"])

    assert vector["canonical_request"] == canonical_request(headers, digest)[0]
    assert vector["authorization"] == authorization(
        credentials, headers, digest, timestamp=values["timestamp"], service=values["service"]
    )


def test_there_are_twelve_vectors():
    assert len(VECTORS) == 12


@given(
    secret_key=st.text(),
    headers=st.dictionaries(st.from_regex(r"[a-zA-Z-]{1,12}", fullmatch=True), st.text(), min_size=1),
    body=st.binary(),
    timestamp=st.integers(min_value=0, max_value=4_102_444_800),
    service=st.text(),
)
def test_the_signature_is_that_of_the_official_sdk(secret_key, headers, body, timestamp, service):
    digest = hashlib.sha256(body).hexdigest()
    for moment in (timestamp, timestamp + 86_400, timestamp):
        signed = authorization(
            Credentials("id", secret_key), headers, digest, timestamp=moment, service=service
        )
        day = datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
        request_digest = hashlib.sha256(canonical_request(headers, digest)[0].encode()).hexdigest()
        to_sign = f"TC3-HMAC-SHA256\n{moment}\n{day}/{service}/tc3_request\n{request_digest}"
        assert signed.rpartition("=")[2] == Sign.sign_tc3(secret_key, day, service, to_sign)


def test_credentials_never_show_their_key():
    assert "s3cret" not in repr(Credentials("AKIDx", "s3cret", "tok3n"))
    assert "tok3n" not in repr(Credentials("AKIDx", "s3cret", "tok3n"))
