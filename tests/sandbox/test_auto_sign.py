"""Auto-sign over the socket: the official SDK asks, the control API lets doctors act, faults answer every documented code."""

import json
import urllib.error
import urllib.request

import pytest
from people import complete_number
from sandbox.test_official_sdk import refusal_of, typed
from tencentcloud.essbasic.v20210526 import models

from pipeline.clock import SystemClock
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.auto_sign import OTHER_SEAL
from pipeline.sandbox.gateway import (
    AUTO_SIGN_STATUS,
    CREATE,
    ENABLE_URL,
    SEAL_URL,
)
from pipeline.sandbox.service import FakeService

DAY = 86_400

# what the official Go SDK lists for each action
COMMON = (
    "FailedOperation",
    "InternalError.Db",
    "InternalError.Encryption",
    "MissingParameter",
    "OperationDenied",
)
OF_PERSON = (
    "AuthFailure",
    "InvalidParameter.CardNumber",
    "InvalidParameter.CardType",
    "InvalidParameter.Name",
)
DOCUMENTED = {
    AUTO_SIGN_STATUS: (*COMMON, *OF_PERSON),
    ENABLE_URL: (
        *COMMON,
        *OF_PERSON,
        "InvalidParameter",
        "InvalidParameter.ParamError",
        "OperationDenied.InvalidApproverAge",
    ),
    SEAL_URL: (*COMMON, "InternalError.Decryption", "InternalError.DependsApi", "InvalidParameter"),
}


class AheadClock(SystemClock):
    """The machine's clock, and so many seconds more."""

    ahead = 0.0

    def now(self):
        return super().now() + self.ahead


class Room:
    """A sandbox with one sealed doctor, the official client, and the control API."""

    def __init__(self, running, create, signer, **options):
        self.clock = options.get("clock")
        self.sandbox = running(**options)
        self.signer, self.client = signer, running.client(self.sandbox.url)
        self.seal_id = self.client.call_json(CREATE, create(1))["Response"]["SealId"]

    def call(self, action, **changes):
        request = typed(getattr(models, f"{action}Request"), self.signer(action, **changes))
        return getattr(self.client, action)(request)

    def refusal(self, action, **changes):
        return refusal_of(self.client, action, self.signer(action, **changes))

    def control(self, path, **command):
        body = json.dumps(command).encode()
        try:
            with urllib.request.urlopen(f"{self.sandbox.url}/_{path}", body if command else None) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return json.load(error)


@pytest.fixture
def room(running, create, signer):
    return lambda **options: Room(running, create, signer, **options)


def test_the_official_sdk_drives_a_life_of_auto_sign(room, number):
    there = room()
    assert there.call(AUTO_SIGN_STATUS).IsOpen is False
    link = there.call(ENABLE_URL, EndPoint="HTTP_SHORT_URL")
    assert link.Url.startswith("https://")
    assert there.call(ENABLE_URL).Url != link.Url

    used = there.control("auto_sign", do="use_link", link=link.Url, seal="none")
    assert not used["is_used"], "without a seal the doctor enters it again"
    status = there.call(AUTO_SIGN_STATUS)
    assert (status.IsOpen, status.SealId, status.LicenseType) == (True, "", 0)
    assert status.LicenseTo - status.LicenseFrom == 365 * DAY

    again = there.control("auto_sign", do="use_link", link=link.Url)
    assert (again["is_used"], there.call(AUTO_SIGN_STATUS).SealId) == (True, there.seal_id)
    assert there.refusal(ENABLE_URL).code == "FailedOperation"
    for choice, seal_id in (("other", OTHER_SEAL), ("own", there.seal_id)):
        there.control("auto_sign", do="use_link", link=there.call(SEAL_URL).Url, seal=choice)
        assert there.call(AUTO_SIGN_STATUS).SealId == seal_id

    there.control("auto_sign", do="close", number=number(1))
    assert there.call(AUTO_SIGN_STATUS).IsOpen is False
    assert there.refusal(SEAL_URL).code == "FailedOperation"

    truth = there.control("truth")["auto_sign"]
    assert [link["state"] for link in truth["links"]] == ["used", "live", "used", "used"]


def test_links_and_licences_end_by_the_sandboxs_clock(room):
    """The clock only moves ahead within the five minutes that the signature allows; terms are set to fit."""
    there = room(clock=AheadClock())
    now = there.clock.now()
    soon = there.call(ENABLE_URL, ExpiredTime=int(now) + 60)
    there.control("auto_sign", do="open", number=there.sandbox.service.seals[0].number)
    licence_end = now + 90
    there.control("auto_sign", do="end_licence", number=there.sandbox.service.seals[0].number, at=licence_end)
    assert there.call(AUTO_SIGN_STATUS).LicenseTo == int(licence_end)
    there.clock.ahead = 100.0
    assert there.control("auto_sign", do="use_link", link=soon.Url) == {"error": "link: expired"}
    ended = there.call(AUTO_SIGN_STATUS)
    assert (ended.IsOpen, ended.LicenseTo) == (False, int(licence_end))


def test_terms_of_a_link(room):
    there = room()
    now = there.sandbox._sandbox.clock.now()
    for terms, code in (
        ({"ExpiredTime": int(now) - 1}, "InvalidParameter.ParamError"),
        ({"ExpiredTime": int(now) + 31 * DAY}, "InvalidParameter.ParamError"),
        ({"EndPoint": "QR"}, "InvalidParameter.EndPoint"),
        ({"NotifyType": "SMS"}, "UnknownParameter"),
        ({"user": {"IdCardType": "OTHER_CARD_TYPE"}}, "InvalidParameter.CardType"),
        ({"user": {"Name": " "}}, "InvalidParameter.Name"),
        ({"user": {"IdCardNumber": "110101201803070737"}}, "InvalidParameter.CardNumber"),
        (
            {"user": {"IdCardNumber": complete_number("11010120180307075")}},
            "OperationDenied.InvalidApproverAge",
        ),
    ):
        assert there.refusal(ENABLE_URL, **terms).code == code, terms
    assert there.call(ENABLE_URL, ExpiredTime=int(now) + 30 * DAY - 60).Url


@pytest.mark.parametrize("action", DOCUMENTED)
def test_every_documented_code_of_an_action_can_be_set_over_the_socket(room, action):
    there = room()
    codes = DOCUMENTED[action]
    faults = [
        {"match": {"action": action, "nth": number}, "do": {"code": {"code": code, "message": code}}}
        for number, code in enumerate(codes, 1)
    ]
    assert there.control("faults", faults=faults) == {"faults": len(codes)}
    assert [there.refusal(action).code for _ in codes] == list(codes)
    for state, code in (("unlisted", "NotInAutoSignWhiteList"), ("forbidden", "WhiteListForbid")):
        there.control("auto_sign", do="white_list", state=state)
        assert there.refusal(action).code == f"OperationDenied.{code}"


def test_a_hospital_off_the_white_list_from_the_start_and_without_licences(room):
    there = room(service=FakeService(Rules(auto_sign="forbidden", licence_days=None)))
    assert there.refusal(AUTO_SIGN_STATUS).code == "OperationDenied.WhiteListForbid"
    there.control("auto_sign", do="white_list", state="on")
    there.control("auto_sign", do="open", number=there.sandbox.service.seals[0].number)
    status = there.call(AUTO_SIGN_STATUS)
    assert (status.IsOpen, status.LicenseType, status.LicenseTo) == (True, 1, None)


def test_a_command_that_makes_no_sense_is_refused_with_its_reason(room):
    there = room()
    for command in ({"do": "fly"}, {"do": "use_link", "link": "x"}, {"do": "open", "number": "1"}):
        assert there.control("auto_sign", **command)["error"]
    number = there.sandbox.service.seals[0].number
    assert "seal" in there.control("auto_sign", do="open", number=number, seal="blue")["error"]
    assert there.control("auto_sign", do="close", number=number)["error"] == "number: not open"
    assert there.control("faults", faults=[{"do": "explode"}])["error"]
