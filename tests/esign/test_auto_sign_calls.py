"""What the answers to calls about auto-sign prove; an answer that lacks what the page documents is none."""

from __future__ import annotations

import json

import pytest

from pipeline.domain.masking import Masker
from pipeline.domain.roster import CardType
from pipeline.esign.auto_sign_calls import (
    NO_IS_OPEN,
    NO_URL,
    ODD_SEAL_ID,
    Signer,
    build_enable_link,
    build_status_query,
    read_link,
    read_status,
)
from pipeline.esign.products import PlatformAgent
from pipeline.esign.responses import Reply

NUMBER, SEAL_ID = "11010119900307467X", "yDsealsealsealsealsealsealseal01"
SIGNER = Signer("王小明", CardType.ID_CARD, NUMBER)
AGENT = PlatformAgent("app", "organization", "operator")


def reply(fields: object, *, status: int = 200) -> Reply:
    body = fields if isinstance(fields, bytes) else json.dumps({"Response": fields}).encode()
    return Reply(status, body, None)


def read(fields: object, **more: int):
    return read_status(reply(fields, **more), sent=SIGNER.list_sent_texts(AGENT), masker=Masker())


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"IsOpen": False, "RequestId": "q"}, (False, None, None)),
        ({"IsOpen": True, "SealId": SEAL_ID, "LicenseTo": 1_800_000_000, "RequestId": "q"}, (True, SEAL_ID, 1.8e9)),
        ({"IsOpen": True, "SealId": "", "LicenseTo": 0, "RequestId": "q"}, (True, None, None)),
        ({"IsOpen": True, "SealId": None, "LicenseTo": "soon", "RequestId": "q"}, (True, None, None)),
        ({"IsOpen": True, "LicenseTo": 10**30, "RequestId": "q"}, (True, None, None)),
    ],
)  # fmt: skip
def test_an_answer_is_read_as_documented(fields, expected):
    reading = read(fields)
    assert reading.is_done
    assert (reading.is_open, reading.seal_id, reading.license_to) == expected
    assert (reading.request_id, reading.counted_as) == ("q", "ok")


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"RequestId": "q"}, NO_IS_OPEN),
        ({"IsOpen": "true", "RequestId": "q"}, NO_IS_OPEN),
        ({"IsOpen": 1, "SealId": SEAL_ID, "RequestId": "q"}, NO_IS_OPEN),
        ({"IsOpen": True, "SealId": NUMBER, "RequestId": "q"}, ODD_SEAL_ID),
        ({"IsOpen": True, "SealId": "null", "RequestId": "q"}, ODD_SEAL_ID),
        (b"<html>502</html>", "unreadable"),
        ({"IsOpen": True}, None),
    ],
)
def test_an_answer_that_lacks_what_is_documented_proves_nothing(fields, code):
    reading = read(fields)
    assert reading.code == code
    assert reading.is_done == (code is None)
    assert reading.seal_id is None, "a number is never kept as a SealId"
    assert read({"IsOpen": True, "RequestId": "q"}, status=502).meaning == "unknown"


def test_a_refusal_is_masked():
    error = {
        "Error": {"Code": "InvalidParameter.CardNumber", "Message": f"证件号 {NUMBER} 有误"},
        "RequestId": "q",
    }
    reading = read(error)
    assert (reading.code, reading.meaning, reading.is_usable) == ("InvalidParameter.CardNumber", "row", True)
    assert NUMBER not in (reading.message or "")
    assert "王小明" not in repr(reading) + repr(SIGNER)
    assert NUMBER not in repr(SIGNER)


@pytest.mark.parametrize(
    ("url", "is_link"),
    [
        ("https://essurl.cn/AbC123", True),
        ("pages/guide?from=autoSign&token=x", False),
        (f"https://essurl.cn/?card={NUMBER}", False),
        (f"https://essurl.cn/?card={NUMBER.lower()}", False),
        ("https://essurl.cn/a b", False),
        ("https://essurl.cn/\n", False),
        ("", False),
        ("x" * 5_000, False),
    ],
)
def test_a_link_never_shows_a_number(url, is_link):
    reading = read_link(reply({"Url": url, "RequestId": "q"}), SIGNER, masker=Masker())
    assert (reading.url, reading.code) == ((url, None) if is_link else (None, NO_URL))


def test_a_call_brings_the_person_and_asks_for_no_message():
    asked = json.loads(build_status_query(AGENT, SIGNER))
    assert asked["UserInfo"] == {"Name": "王小明", "IdCardType": "ID_CARD", "IdCardNumber": NUMBER}
    assert set(asked) == {"Agent", "SceneKey", "UserInfo"}
    link = json.loads(build_enable_link(AGENT, SIGNER, expires_at=9, end_point="HTTP_SHORT_URL"))
    assert set(link) == {"Agent", "Operator", "SceneKey", "AutoSignConfig", "ExpiredTime", "EndPoint"}
