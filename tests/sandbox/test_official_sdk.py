"""The official SDK, which nobody here wrote, believes the sandbox: every success and every refusal."""

import base64
import json
from dataclasses import replace

import pytest
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.essbasic.v20210526 import models

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.faults import Fault, Match
from pipeline.sandbox.gateway import CREATE, ENABLE_URL, SANDBOX
from pipeline.sandbox.service import FakeService

UPLOAD = "UploadFiles"


def typed(model, parameters):
    request = model()
    request.from_json_string(json.dumps(parameters))
    return request


def refusal_of(client, action, parameters, **options):
    with pytest.raises(TencentCloudSDKException) as refused:
        client.call_json(action, parameters, **options)
    return refused.value


def test_upload_and_create(running, create, upload, png):
    sandbox = running()
    client = running.client(sandbox.url)
    uploaded = client.UploadFiles(typed(models.UploadFilesRequest, upload(png)))
    assert uploaded.TotalCount == 1
    assert uploaded.Deadline > 0
    wanted = create(SealImage=None, FileId=uploaded.FileIds[0], Mobile="13800138000", SceneKey="OTHER")
    made = client.ChannelCreatePreparedPersonalEsign(
        typed(models.ChannelCreatePreparedPersonalEsignRequest, wanted)
    )
    (seal,) = sandbox.service.seals
    assert (made.SealId, made.RequestId) == (seal.seal_id, seal.request_id)
    assert sandbox.service.pictures[seal.picture] == png
    assert sandbox.service.received[-1].trace_id  # the SDK makes one up


def test_the_sdk_uses_the_older_contract(running, create, jpg):
    sandbox = running(FakeService(Rules(inline="on")))
    wanted = create(
        SealImage=base64.b64encode(jpg).decode(),
        SealImageCompress=True,
        EnableAutoSign=True,
        LicenseType=0,
        Mobile="13800138000",
    )
    request = typed(models.ChannelCreatePreparedPersonalEsignRequest, wanted)
    made = running.client(sandbox.url).ChannelCreatePreparedPersonalEsign(request)
    (seal,) = sandbox.service.seals
    assert made.SealId == seal.seal_id
    assert (seal.contract, seal.seal_image_compress, seal.enable_auto_sign) == ("inline", True, True)


def test_the_sdk_uses_the_two_queries(running, create, agent, number):
    sandbox = running()
    client = running.client(sandbox.url)
    user = {"Name": "测试", "IdCardType": "ID_CARD", "IdCardNumber": number(1)}
    question = {"Agent": agent, "SceneKey": "E_PRESCRIPTION_AUTO_SIGN", "UserInfo": user}
    status = typed(models.ChannelDescribeUserAutoSignStatusRequest, question)
    assert client.ChannelDescribeUserAutoSignStatus(status).IsOpen is False
    client.call_json(CREATE, create(1))
    (seal,) = sandbox.service.seals
    sandbox.service.auto_sign.open(seal.person, seal.seal_id, seal.created_at)
    answer = client.ChannelDescribeUserAutoSignStatus(status)
    assert (answer.IsOpen, answer.SealId) == (True, sandbox.service.seals[0].seal_id)
    seals = client.ChannelDescribeOrganizationSeals(
        typed(models.ChannelDescribeOrganizationSealsRequest, {"Agent": agent, "Limit": 10, "Offset": 0})
    )
    assert (seals.TotalCount, seals.Seals) == (0, [])


def test_the_sdk_reads_the_throttle_and_its_numbers(running, create):
    sandbox = running(FakeService(Rules(rate=1)))
    client = running.client(sandbox.url)
    client.call_json(CREATE, create(1))
    throttled = refusal_of(client, CREATE, create(2))
    assert throttled.code == "RequestLimitExceeded"
    assert "`2` 次" in throttled.message
    assert "`1` 次" in throttled.message


def test_the_sdk_reports_a_reset_before_and_after_alike(running, create):
    faults = (Fault("reset_before", Match(nth=(1,))), Fault("reset_after", Match(nth=(2,))))
    sandbox = running(faults=faults)
    client = running.client(sandbox.url)
    assert refusal_of(client, CREATE, create(1)).code == "ClientNetworkError"
    assert not sandbox.service.seals
    assert refusal_of(client, CREATE, create(1)).code == "ClientNetworkError"
    assert len(sandbox.service.seals) == 1


def test_the_sdk_takes_an_error_for_a_success_when_the_type_has_a_charset(running, create):
    """Known weakness of the SDK, and why the fault exists."""
    sandbox = running(faults=(Fault("charset"),))
    request = typed(models.ChannelCreatePreparedPersonalEsignRequest, create(SealName=""))
    assert running.client(sandbox.url).ChannelCreatePreparedPersonalEsign(request).SealId is None


FORGED = replace(SANDBOX, secret_key="wrong")
STRANGER = replace(SANDBOX, secret_id="AKIDnobody")
BROKEN = base64.b64encode(b"GIF89a").decode()
LARGE = base64.b64encode(b"\xff\xd8\xff" + bytes(5_000_000)).decode()


def agent_with(**changes):
    agent = {
        "AppId": SANDBOX.app_id,
        "ProxyOrganizationOpenId": SANDBOX.organization_open_id,
        "ProxyOperator": {"OpenId": SANDBOX.operator_open_id},
    } | changes
    return {"Agent": {name: value for name, value in agent.items() if value is not None}}


# code -> how to provoke it: parameters of a create, rules, how the client is made, how it calls, faults
CASES = {
    "AuthFailure.InvalidAuthorization": {"call": {"options": {"SkipSign": True}}},
    "AuthFailure.SecretIdNotFound": {"client": {"tenant": STRANGER}},
    "AuthFailure.SignatureExpire": {"faults": (Fault("clock_skew", seconds=600),)},
    "AuthFailure.SignatureFailure": {"client": {"tenant": FORGED}},
    "AuthFailure.TokenFailure": {"client": {"token": "stale"}},
    "FailedOperation": {"create": {"SealImage": None}},
    "FailedOperation.ExistSameSealName": {"twice": True},
    "InternalError": {"faults": (Fault("code", code="InternalError"),)},
    "InvalidAction": {"action": "ChannelCreateFlowByFiles"},
    "InvalidParameter": {"create": {"Mobile": 13800138000}},
    "InvalidParameter.CardNumber": {"create": {"IdCardNumber": "620000198802020000"}},
    "InvalidParameter.CardType": {"create": {"IdCardType": "PASSPORT"}},
    "InvalidParameter.EndPoint": {"action": ENABLE_URL, "link": {"EndPoint": "QR"}},
    "InvalidParameter.FileType": {"upload": (b"%PDF-1.7",)},
    "InvalidParameter.Image": {"create": {"SealImage": BROKEN}},
    "InvalidParameter.LimitSealName": {"create": {"SealName": "印" * 51}},
    "InvalidParameter.Mobile": {"create": {"Mobile": "123"}},
    "InvalidParameter.Name": {"faults": (Fault("code", code="InvalidParameter.Name"),)},
    "InvalidParameter.ParamError": {"action": ENABLE_URL, "link": {"ExpiredTime": 1}},
    "InvalidParameterValue": {"create": {"UserName": ""}},
    "InvalidRequest": {"call": {"options": {"IsMultipart": True}}},
    "LimitExceeded.FileSize": {"create": {"SealImage": LARGE}},
    "MissingParameter": {"create": {"UserName": None}},
    "MissingParameter.OrgOpenId": {"create": agent_with(ProxyOrganizationOpenId=None)},
    "MissingParameter.ProxyOperatorOpenId": {"create": agent_with(ProxyOperator=None)},
    "MissingParameter.SealImage": {"create": {"SealImage": None}, "rules": Rules(inline="on")},
    "MissingParameter.SealName": {"create": {"SealName": " "}},
    "MissingParameter.UserOpenId": {"create": {"Operator": {"OpenId": ""}}},
    "NoSuchVersion": {"version": "2020-12-22"},
    "OperationDenied.UserNotInOrganization": {"create": {"Operator": {"OpenId": "stranger"}}},
    "OperationDenied.WhiteListForbid": {"create": {"IdCardType": "OTHER_CARD_TYPE"}},
    "RequestLimitExceeded": {"faults": (Fault("throttle"),)},
    "RequestSizeLimitExceeded": {"create": {"SealImage": "A" * 11_000_000}},
    "ResourceNotFound.Application": {"create": agent_with(AppId="yDnone")},
    "ResourceNotFound.File": {"create": {"FileId": "y" * 32}},
    "ResourceNotFound.Organization": {"create": agent_with(ProxyOrganizationOpenId="org_none")},
    "UnknownParameter": {"create": {"ClientToken": "once"}},
    "UnsupportedProtocol": {"client": {"method": "GET"}},
}


@pytest.mark.parametrize("code", CASES)
def test_the_sdk_raises_every_code_the_sandbox_can_answer(running, create, upload, signer, code):
    case = CASES[code]
    service = FakeService(case.get("rules"))
    sandbox = running(service, faults=case.get("faults", ()))
    client = running.client(sandbox.url, **case.get("client", {}))
    client._apiVersion = case.get("version", client._apiVersion)
    if "upload" in case:
        action, parameters = UPLOAD, upload(*case["upload"])
    elif case.get("action") == ENABLE_URL:
        action, parameters = ENABLE_URL, signer(ENABLE_URL, **case.get("link", {}))
    else:
        action, parameters = case.get("action", CREATE), create(**case.get("create", {}))
    if "twice" in case:
        client.call_json(action, parameters)
    refused = refusal_of(client, action, parameters, **case.get("call", {}))
    assert refused.code == code
    assert refused.message
    assert len(refused.requestId) == 36
    assert len(service.seals) == ("twice" in case)
    assert service.received[-1].code == code


def test_any_code_can_be_answered_with_any_message(running, create):
    sandbox = running(faults=(Fault("code", code="FailedOperation.LicenseNoQuota", message="许可额度不足"),))
    refused = refusal_of(running.client(sandbox.url), CREATE, create())
    assert (refused.code, refused.message) == ("FailedOperation.LicenseNoQuota", "许可额度不足")
