"""Auto-sign over the socket: the official SDK asks, doctors act."""

import pytest
from sandbox.test_official_sdk import refusal_of, typed
from tencentcloud.essbasic.v20210526 import models

from pipeline.clock import SystemClock
from pipeline.sandbox.gateway import AUTO_SIGN_STATUS, CREATE, ENABLE_URL, SEAL_URL

DAY = 86_400


class AheadClock(SystemClock):
    """The machine's clock, and so many seconds more."""

    ahead = 0.0

    def now(self):
        return super().now() + self.ahead


class Room:
    """A sandbox with one sealed doctor, and the official client."""

    def __init__(self, running, create, signer):
        self.clock = AheadClock()
        self.sandbox = running(clock=self.clock)
        self.signer, self.client = signer, running.client(self.sandbox.url)
        self.client.call_json(CREATE, create(1))
        (self.seal,) = self.sandbox.service.seals

    def call(self, action, **changes):
        request = typed(getattr(models, f"{action}Request"), self.signer(action, **changes))
        return getattr(self.client, action)(request)

    def refusal(self, action, **changes):
        return refusal_of(self.client, action, self.signer(action, **changes))

    def open(self, seal_id, licence_to=None):
        self.sandbox.service.auto_sign.open(self.seal.person, seal_id, self.clock.now(), licence_to)


@pytest.fixture
def room(running, create, signer):
    return Room(running, create, signer)


def test_the_official_sdk_drives_a_life_of_auto_sign(room):
    assert room.call(AUTO_SIGN_STATUS).IsOpen is False
    assert room.refusal(SEAL_URL).code == "FailedOperation"
    link = room.call(ENABLE_URL, EndPoint="HTTP_SHORT_URL")
    assert link.Url.startswith("https://")
    assert room.call(ENABLE_URL).Url != link.Url

    room.open("")
    status = room.call(AUTO_SIGN_STATUS)
    assert (status.IsOpen, status.SealId, status.LicenseType) == (True, "", 0)
    assert status.LicenseTo - status.LicenseFrom == 365 * DAY
    assert room.call(ENABLE_URL).Url, "without a seal the doctor enters it again"

    room.open(room.seal.seal_id)
    assert room.call(AUTO_SIGN_STATUS).SealId == room.seal.seal_id
    assert room.refusal(ENABLE_URL).code == "FailedOperation"
    assert room.call(SEAL_URL).Url


def test_a_licence_ends_by_the_sandboxs_clock(room):
    """The clock only moves ahead within the five minutes that the signature allows."""
    licence_end = room.clock.now() + 90
    room.open(room.seal.seal_id, licence_end)
    assert room.call(AUTO_SIGN_STATUS).IsOpen
    room.clock.ahead = 100.0
    ended = room.call(AUTO_SIGN_STATUS)
    assert (ended.IsOpen, ended.LicenseTo) == (False, int(licence_end))
    assert room.call(ENABLE_URL).Url


def test_terms_of_a_link(room):
    now = room.clock.now()
    for terms, code in (
        ({"ExpiredTime": int(now) - 1}, "InvalidParameter.ParamError"),
        ({"ExpiredTime": int(now) + 31 * DAY}, "InvalidParameter.ParamError"),
        ({"EndPoint": "QR"}, "InvalidParameter.EndPoint"),
        ({"NotifyType": "SMS"}, "UnknownParameter"),
        ({"user": {"IdCardType": "OTHER_CARD_TYPE"}}, "InvalidParameter.CardType"),
        ({"user": {"Name": " "}}, "InvalidParameter.Name"),
        ({"user": {"IdCardNumber": "110101201803070737"}}, "InvalidParameter.CardNumber"),
    ):
        assert room.refusal(ENABLE_URL, **terms).code == code, terms
    assert room.call(ENABLE_URL, ExpiredTime=int(now) + 30 * DAY - 60).Url
