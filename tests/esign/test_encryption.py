"""The encrypted envelope: the published test vectors, those of openssl, and every way in which one can be wrong.

The vectors of both products stand in the docstrings of the official SDK (CreateRequestWithEncryption), word for word as on
pages 1420/137080 and 1323/137078. Their texts ask for HMAC-SM3 with SM4, but **the published signature of the SM4 example is
HMAC-SHA256** (looked at on 2026-11-30, essbasic 3.1.193 and ess 3.1.194): that is why ``hmac`` is a setting. A vector for
HMAC-SM3 is not published; ours is made by openssl.
"""

import base64
import json
import re
import shutil
import subprocess

import pytest
from cryptography.exceptions import InvalidSignature
from tencentcloud.ess.v20201111.ess_client import EssClient
from tencentcloud.essbasic.v20210526.essbasic_client import EssbasicClient

from pipeline.errors import EncryptionKeysMissing
from pipeline.esign.encryption import Encryption
from pipeline.esign.encryption_keys import EncryptionKeyPlaces, EncryptionKeys
from pipeline.esign.responses import Reply, SeenAnswers

PRODUCTS = {"essbasic": EssbasicClient, "ess": EssClient}
_EXAMPLE = re.compile(
    r"\*\*(?P<cipher>AES|SM4)-CBC 示例.*?加密密钥：(?P<key>\S+)\s+签名密钥：(?P<hmac_key>\S+)\s+IV：(?P<iv>\S+)\s+请求内容：(?P<body>.+?)\n"
    r'.*?"IV": "(?P<sent_iv>[^"]+)",\s+"EncryptedData": "(?P<data>[^"]+)",\s+"EncryptionSignature": "(?P<signature>[^"]+)"',
    re.DOTALL,
)


def read_examples(client):
    """Return the published examples by cipher."""
    text = client.CreateRequestWithEncryption.__doc__
    return {example["cipher"].lower(): example.groupdict() for example in _EXAMPLE.finditer(text)}


def make_encryption(cipher, digest, key, hmac_key, application_id="yDapp"):
    return Encryption(cipher, digest, EncryptionKeys(key.encode(), hmac_key.encode()), application_id)


def encode(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("cipher", ["aes", "sm4"])
def test_the_published_vectors(product, cipher):
    example = read_examples(PRODUCTS[product])[cipher]
    encryption = make_encryption(cipher, "sha256", example["key"], example["hmac_key"])
    sealed = encryption.encrypt(example["body"].encode(), example["iv"].encode())
    assert encode(sealed.iv) == example["sent_iv"]
    assert encode(sealed.ciphertext) == example["data"]
    assert encode(sealed.signature) == example["signature"]
    assert encryption.decrypt(sealed) == example["body"].encode()


def test_the_published_sm4_signature_is_not_hmac_sm3():
    """The page contradicts itself; where Tencent corrects its example, this fails, and the default of ``hmac`` is proven."""
    example = read_examples(EssbasicClient)["sm4"]
    encryption = make_encryption("sm4", "sm3", example["key"], example["hmac_key"])
    sealed = encryption.encrypt(example["body"].encode(), example["iv"].encode())
    assert encode(sealed.ciphertext) == example["data"]
    assert (
        encode(sealed.signature) == "xlLl/ivhQ+SoBuvFTak8++h51Q0s6Et0McYtDGxPzMo="
    )  # made by openssl, not published
    assert encode(sealed.signature) != example["signature"]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("cipher", "digest", "name", "key"),
    [
        ("aes", "sha256", "aes-256-cbc", "AES-CBC-Key-1234AES-CBC-Key-1234"),
        ("aes", "sha256", "aes-128-cbc", "AES-CBC-Key-1234"),
        ("sm4", "sm3", "sm4-cbc", "SM4-CBC-Key-1234"),
    ],
)
def test_openssl_makes_and_opens_the_same(cipher, digest, name, key):
    """No published vectors: made by another implementation at the time of the test."""
    encryption = make_encryption(cipher, digest, key, "the key of the HMAC")
    body = "张三 0123456789abcdef".encode() * 50

    def run_openssl(*words, data):
        return subprocess.run(["openssl", *words], input=data, capture_output=True, check=True).stdout

    wire = json.loads(encryption.seal_call("A", body, SeenAnswers()))
    iv, data = (base64.b64decode(wire[name]) for name in ("IV", "EncryptedData"))
    options = ("enc", f"-{name}", "-K", key.encode().hex(), "-iv", iv.hex())
    assert run_openssl(*options, "-d", data=data) == body
    assert run_openssl(*options, data=body) == data
    signed = run_openssl("dgst", f"-{digest}", "-hmac", "the key of the HMAC", "-binary", data=iv + data)
    assert encode(signed) == wire["EncryptionSignature"]


# -- answers


def answer_of(encryption, inside, **changes):
    """Return the reply to an encrypted call."""
    sealed = encryption.encrypt(json.dumps(inside).encode(), bytes(range(16)))
    fields = {
        "IV": encode(sealed.iv),
        "EncryptedData": encode(sealed.ciphertext),
        "EncryptionSignature": encode(sealed.signature),
        "RequestId": "outer",
        **changes,
    }
    return Reply(200, json.dumps({"Response": fields}).encode(), None)


@pytest.fixture
def encryption():
    return make_encryption("sm4", "sm3", "SM4-CBC-Key-1234", "SM4-HMAC-Key-123")


def test_an_envelope_has_its_parameters_and_a_fresh_iv(encryption):
    answers = SeenAnswers()
    wires = [json.loads(encryption.seal_call("Create", b"{}", answers)) for _ in range(2)]
    names = {"RequestAction", "ApplicationId", "IV", "EncryptedData", "EncryptionSignature"}
    assert [set(wire) for wire in wires] == [names, names]
    assert (wires[0]["RequestAction"], wires[0]["ApplicationId"]) == ("Create", "yDapp")
    assert wires[0]["IV"] != wires[1]["IV"]
    of_ess = make_encryption("sm4", "sm3", "SM4-CBC-Key-1234", "SM4-HMAC-Key-123", None)
    assert "ApplicationId" not in json.loads(of_ess.seal_call("Create", b"{}", answers))


@pytest.mark.parametrize("wrap", [lambda inside: {"Response": inside}, lambda inside: inside])
def test_what_is_inside_is_the_answer(encryption, wrap):
    """The page does not show whether ``Response`` stands inside."""
    reply = encryption.open_reply(answer_of(encryption, wrap({"SealId": "yDseal00", "RequestId": "inner"})))
    assert reply.answer.fields["SealId"] == "yDseal00"
    assert reply.list_ids() == {"outer", "inner", "iv AAECAwQFBgcICQoLDA0ODw=="}
    error = {"Error": {"Code": "InvalidParameter.Name", "Message": "姓名"}}
    refused = encryption.open_reply(answer_of(encryption, wrap(error)))
    assert (refused.answer.code, refused.answer.request_id) == ("InvalidParameter.Name", "outer")


OTHER = base64.b64encode(bytes(32)).decode()
BROKEN = {
    "signature of something else": {"EncryptionSignature": OTHER},
    "no signature": {"EncryptionSignature": ""},
    "another IV": {"IV": base64.b64encode(bytes(16)).decode()},
    "no IV": {"IV": None},
    "other data": {"EncryptedData": OTHER},
    "no data": {"EncryptedData": ""},
    "a number": {"EncryptedData": 5},
    "no base64": {"EncryptedData": "*"},
    "the URL's alphabet": {"EncryptionSignature": "-_" * 22},
    "nothing": dict.fromkeys(("IV", "EncryptedData", "EncryptionSignature")),
    "plain text": {**dict.fromkeys(("IV", "EncryptedData", "EncryptionSignature")), "SealId": "yDseal00"},
}


@pytest.mark.parametrize("changes", BROKEN.values(), ids=BROKEN)
def test_a_broken_answer_is_none(encryption, changes):
    reply = encryption.open_reply(answer_of(encryption, {"Response": {"SealId": "yDseal00"}}, **changes))
    assert reply.answer is None
    assert not reply.is_from_service
    assert reply.fault.endswith("_envelope")


@pytest.mark.parametrize("inside", [b"", b"[]", b"{", b"\xff", b'{"Response":[]}', b"[" * 100_000])
def test_an_answer_that_holds_no_answer_is_none(encryption, inside):
    sealed = encryption.encrypt(inside, bytes(16))
    fields = {
        "IV": encode(sealed.iv),
        "EncryptedData": encode(sealed.ciphertext),
        "EncryptionSignature": encode(sealed.signature),
    }
    reply = Reply(200, json.dumps({"Response": {**fields, "RequestId": "outer"}}).encode(), None)
    assert encryption.open_reply(reply).fault == "damaged_envelope"


def test_nothing_is_decrypted_before_the_signature_was_verified(encryption):
    with pytest.raises(InvalidSignature):
        encryption.decrypt(replace_signature(encryption.encrypt(b"{}", bytes(16))))


def replace_signature(sealed):
    return type(sealed)(sealed.iv, sealed.ciphertext, sealed.signature[:-1] + b"\0")


def test_an_error_in_plain_text_is_of_the_envelope(encryption):
    def code_of(code):
        body = json.dumps({"Response": {"Error": {"Code": code, "Message": "m"}, "RequestId": "r"}})
        return encryption.open_reply(Reply(200, body.encode(), None)).answer.code

    assert code_of("InvalidParameter") == "Envelope.InvalidParameter"
    assert code_of("FailedOperation.ExistSameSealName") == "Envelope.FailedOperation.ExistSameSealName"
    for same in ("RequestLimitExceeded", "AuthFailure.SignatureExpire", "AuthFailure.SecretIdNotFound"):
        assert code_of(same) == same  # the gateway's, before it looks inside


# -- keys


def write_keys(folder, key, hmac_key):
    folder.mkdir(exist_ok=True)
    for name, text in (("encryption_key", key), ("encryption_hmac_key", hmac_key)):
        if text is not None:
            (folder / f"tencent__{name}").write_text(text, "utf-8")
    return folder


def find_keys(cipher="sm4", environment=None, folder=None):
    places = EncryptionKeyPlaces(
        environment=environment or {}, variables=("KEY", "HMAC_KEY"), secrets_dir=folder
    )
    return places.find(cipher)


def test_keys_come_from_secret_files_then_from_the_environment(tmp_path):
    variables = {"KEY": "SM4-CBC-Key-1234", "HMAC_KEY": "base64:" + encode(bytes(range(32)))}
    assert find_keys(environment=variables).hmac_key == bytes(range(32))
    folder = write_keys(tmp_path / "secrets", "hex:" + bytes(range(16)).hex(), "of the file: the HMAC\n")
    keys = find_keys(environment=variables, folder=folder)
    assert (keys.encryption_key, keys.hmac_key) == (bytes(range(16)), b"of the file: the HMAC")
    assert "of the file" not in repr(keys)
    half = write_keys(tmp_path / "half", "SM4-CBC-Key-9999", None)
    assert find_keys(environment=variables, folder=half).encryption_key == b"SM4-CBC-Key-1234"  # never mixed


@pytest.mark.parametrize(
    ("cipher", "key", "hmac_key", "words"),
    [
        ("sm4", "short", "the key of the HMAC", "5 bytes; SM4 takes 16"),
        ("sm4", bytes(16).hex(), "the key of the HMAC", "write hex:"),
        ("aes", "x" * 24, "the key of the HMAC", "24 bytes; AES takes 16 or 32"),
        ("sm4", "hex:zz", "the key of the HMAC", "0 bytes"),
        ("sm4", "SM4-CBC-Key-1234", "short", "at least 16 bytes"),
        ("sm4", "SM4-CBC-Key-1234", "SM4-CBC-Key-1234", "two different keys"),
        ("sm4", "SM4-CBC-Key-1234", None, "Only the encryption_hmac_key is missing. Write it into"),
        ("sm4", None, None, "Write the encryption key and the HMAC key into"),
    ],
)
def test_keys_that_do_not_fit_are_refused_and_never_shown(tmp_path, cipher, key, hmac_key, words):
    folder = write_keys(tmp_path / "secrets", key, hmac_key)
    with pytest.raises(EncryptionKeysMissing) as missing:
        find_keys(cipher, folder=folder)
    text = missing.value.as_message().render("en")
    assert words in text
    assert key is None or key not in text
