"""TC3-HMAC-SHA256 against every published and SDK-made vector."""

import hashlib
import json
from pathlib import Path

import pytest

from pipeline.esign.signing import Credentials, authorization, canonical_request

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "tc3_vectors.json").read_text("utf-8"))["vectors"]


def _signed_headers(vector) -> dict[str, str]:
    names = vector["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
    sent = {name.lower(): value for name, value in vector["headers"].items()}
    return {name: sent[name] for name in names}


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_equals_the_vector(vector):
    given = vector["input"]
    if "body" in given and "unsigned" not in vector["name"]:
        assert given["body_sha256"] == hashlib.sha256(given["body"].encode()).hexdigest()
    headers = _signed_headers(vector)
    digest = vector["canonical_request"].rsplit("\n", 1)[1]
    credentials = Credentials(given["secret_id"], given["secret_key"], given["token"])

    assert vector["canonical_request"] == canonical_request(headers, digest)[0]
    assert vector["authorization"] == authorization(
        credentials, headers, digest, timestamp=given["timestamp"], service=given["service"]
    )


def test_there_are_twelve_vectors():
    assert len(VECTORS) == 12


def test_credentials_never_show_their_key():
    assert "s3cret" not in repr(Credentials("AKIDx", "s3cret", "tok3n"))
    assert "tok3n" not in repr(Credentials("AKIDx", "s3cret", "tok3n"))
