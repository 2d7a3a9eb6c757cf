"""The rules of the service with plain clock values: no socket, no waiting."""

import base64
import json

import pytest

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import CREATE, SANDBOX, Refusal, Tenant
from pipeline.sandbox.service import FakeService

UPLOAD = "UploadFiles"


def text(data):
    return base64.b64encode(data).decode()


def test_a_file_that_was_uploaded_becomes_a_seal(send_request, create, upload, png, now):
    service = FakeService()
    got = send_request(service, upload(png), UPLOAD).response
    assert got["TotalCount"] == 1
    assert got["Deadline"] == int(now + 600)
    wanted = create(SealImage=None, FileId=got["FileIds"][0], Mobile="13800138000", SceneKey="OTHER")
    answer = send_request(service, wanted, more={"X_TC_TraceId": "trace-1"})
    (seal,) = service.seals
    assert answer.executed
    assert answer.response["SealId"] == seal.seal_id
    assert len(seal.seal_id) == 32
    assert seal.seal_id.startswith("yD")
    assert (seal.contract, seal.trace_id, seal.scene_key) == ("file_id", "trace-1", "OTHER")
    assert service.pictures[seal.picture] == png
    assert not service.list_duplicates()


def test_the_service_is_not_idempotent(send_request, create, number):
    """The same person under another seal name gets a second seal: what the whole project is about."""
    service = FakeService()
    send_request(service, create(1))
    send_request(service, create(1, SealName="另一个处方章"))
    assert list(service.list_duplicates()) == [number(1)]
    assert len(service.list_duplicates()[number(1)]) == 2


def test_a_renewed_permit_belongs_to_the_same_person(send_request, create):
    service = FakeService()
    for nth, permit in enumerate(("H1234567801", "H1234567802")):
        send_request(
            service, create(IdCardNumber=permit, IdCardType="HONGKONG_AND_MACAO", SealName=f"章{nth}")
        )
    assert list(service.list_duplicates()) == ["H12345678"]


@pytest.mark.parametrize(
    ("mode", "code", "message"),
    [
        ("code", "FailedOperation.ExistSameSealName", "存在同名印章。"),
        ("bare", "FailedOperation", "存在同名印章"),
        ("off", "ok", None),
    ],
)
def test_a_seal_name_is_unique_within_one_hospital(send_request, create, mode, code, message):
    service = FakeService(Rules(unique_names=mode))
    send_request(service, create(1))
    answer = send_request(service, create(2, SealName=create(1)["SealName"]))
    assert answer.code == code
    assert len(service.seals) == (2 if mode == "off" else 1)
    if message:
        assert answer.response["Error"]["Message"] == message


def test_two_hospitals_of_one_platform_share_the_quota_but_no_names(send_request, create, agent):
    other = Tenant(SANDBOX.secret_id, SANDBOX.secret_key, SANDBOX.app_id, "org_second", "operator_second")
    service = FakeService(Rules(rate=2), tenants=(SANDBOX, other))
    theirs = agent | {"ProxyOrganizationOpenId": "org_second", "ProxyOperator": {"OpenId": "operator_second"}}
    assert send_request(service, create(1)).code == "ok"
    assert send_request(service, create(1, Agent=theirs, Operator=None)).code == "ok"
    assert send_request(service, create(2)).code == "RequestLimitExceeded"
    assert not service.list_duplicates()


def test_a_throttle_names_the_calls_and_the_limit(send_request, create):
    service = FakeService()
    answers = [send_request(service, create(person)) for person in range(21)]
    assert [answer.code for answer in answers] == ["ok"] * 20 + ["RequestLimitExceeded"]
    assert answers[-1].response["Error"]["Message"] == (
        "您当前每秒请求 `21` 次，超过了每秒频率上限 `20` 次，请稍后重试。"
    )
    assert len(service.seals) == 20


def test_each_action_has_a_quota_of_its_own(send_request, create, upload, png):
    service = FakeService(Rules(rate=1))
    assert send_request(service, upload(png), UPLOAD).code == "ok"
    assert send_request(service, create(1)).code == "ok"
    assert send_request(service, upload(png), UPLOAD).code == "RequestLimitExceeded"


def test_a_wrong_signature_is_refused_before_it_is_counted(send_request, create):
    service = FakeService(Rules(rate=1))
    forged = Tenant(SANDBOX.secret_id, "wrong", SANDBOX.app_id, "org", "operator")
    assert send_request(service, create(1), tenant=forged).code == "AuthFailure.SignatureFailure"
    assert send_request(service, create(1)).code == "ok"


def test_a_skewed_service_refuses_a_right_timestamp_and_takes_a_skewed_one(send_request, create, now):
    service = FakeService()
    assert send_request(service, create(1), skew=600).code == "AuthFailure.SignatureExpire"
    assert send_request(service, create(1), skew=600, signed_at=now + 600).code == "ok"


def test_an_action_that_the_service_does_not_have_is_refused(send_request, create):
    error = send_request(FakeService(), create(), "DescribeNothing").response["Error"]
    assert error["Code"] == "InvalidAction"


@pytest.mark.parametrize(
    ("call", "more", "code"),
    [
        ({"method": "PUT"}, {}, "UnsupportedProtocol"),
        ({}, {"Content_Type": "text/plain"}, "InvalidRequest"),
        ({}, {"X_TC_Action": None}, "MissingParameter"),
        ({}, {"X_TC_Timestamp": None}, "MissingParameter"),
        ({}, {"X_TC_Version": None}, "MissingParameter"),
        ({}, {"X_TC_Timestamp": "soon"}, "InvalidParameter"),
        ({}, {"X_TC_Version": "2020-12-22"}, "NoSuchVersion"),
        ({}, {"Authorization": None}, "AuthFailure.InvalidAuthorization"),
    ],
)
def test_the_gateway_looks_at_method_and_headers(send_request, create, call, more, code):
    assert send_request(FakeService(), create(), call=call, more=more).code == code


def test_checks_come_in_the_order_of_a_gateway(send_request, create):
    """Size before signature, signature before rate, rate before parameters, parameters before business."""
    service = FakeService(Rules(rate=0))
    forged = Tenant(SANDBOX.secret_id, "wrong", SANDBOX.app_id, "org", "operator")
    huge = create(SealImage="A" * 11_000_000)
    assert send_request(service, huge, tenant=forged).code == "RequestSizeLimitExceeded"
    assert send_request(service, create(Unknown=1), tenant=forged).code == "AuthFailure.SignatureFailure"
    assert send_request(service, create(Unknown=1)).code == "RequestLimitExceeded"
    assert send_request(FakeService(), create(Unknown=1, UserName="")).code == "UnknownParameter"


def test_an_upload_may_be_larger_than_a_create(send_request, create, upload, png):
    large = upload(*[png + bytes(5_000_000)] * 2)
    assert send_request(FakeService(), large, UPLOAD).code == "ok"
    assert send_request(FakeService(), create(SealImage="A" * 11_000_000)).code == "RequestSizeLimitExceeded"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"UserName": None}, "MissingParameter"),
        ({"UserName": 5}, "InvalidParameter"),
        ({"UserName": ""}, "InvalidParameterValue"),
        ({"IdCardNumber": ""}, "InvalidParameterValue"),
        ({"SealName": ""}, "MissingParameter.SealName"),
        ({"SealName": "印" * 50}, "ok"),
        ({"SealName": "印" * 51}, "InvalidParameter.LimitSealName"),
        ({"IdCardType": ""}, "ok"),
        ({"IdCardType": "PASSPORT"}, "InvalidParameter.CardType"),
        ({"IdCardType": "OTHER_CARD_TYPE"}, "OperationDenied.WhiteListForbid"),
        ({"IdCardType": "HONGKONG_AND_MACAO", "IdCardNumber": "M1234567800"}, "ok"),
        ({"IdCardType": "HONGKONG_AND_MACAO", "IdCardNumber": "C12345678"}, "InvalidParameter.CardNumber"),
        ({"IdCardNumber": "620000198802020000"}, "InvalidParameter.CardNumber"),
        ({"IdCardNumber": "11019919900301001x"}, "InvalidParameter.CardNumber"),
        ({"IdCardNumber": "１１０１９９１９９００３０１００１１"}, "InvalidParameter.CardNumber"),
        ({"Mobile": "12345"}, "InvalidParameter.Mobile"),
        ({"SceneKey": "NIGHT"}, "InvalidParameterValue"),
        ({"EnableAutoSign": "yes"}, "InvalidParameter"),
        ({"EnableAutoSign": True}, "InvalidParameter.Mobile"),
        ({"LicenseType": True}, "InvalidParameter"),
        ({"LicenseType": 2}, "InvalidParameterValue"),
        ({"SealImage": "data:image/png;base64,AAAA"}, "InvalidParameter.Image"),
        ({"SealImage": text(b"\x89PNG\r\n\x1a\n") + "\n"}, "InvalidParameter.Image"),
        ({"SealImage": text(b"GIF89a")}, "InvalidParameter.Image"),
        ({"SealImage": text(b"\x89PNG\r\n\x1a\n" + bytes(5_000_000))}, "LimitExceeded.FileSize"),
        ({"SealImage": None}, "FailedOperation"),
        ({"FileId": "y" * 32}, "ResourceNotFound.File"),
        ({"Operator": None}, "ok"),
        ({"Operator": {}}, "MissingParameter.UserOpenId"),
        ({"Operator": {"OpenId": "stranger"}}, "OperationDenied.UserNotInOrganization"),
        ({"Operator": {"UserId": "n1"}}, "UnknownParameter"),
        ({"ClientToken": "x"}, "UnknownParameter"),
    ],
)
def test_a_create_is_checked_field_by_field(send_request, create, changes, code):
    service = FakeService()
    assert send_request(service, create(**changes)).code == code
    assert len(service.seals) == (code == "ok")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"AppId": "yDanother"}, "ResourceNotFound.Application"),
        ({"AppId": None}, "MissingParameter"),
        ({"ProxyOrganizationOpenId": None}, "MissingParameter.OrgOpenId"),
        ({"ProxyOrganizationOpenId": "org_other"}, "ResourceNotFound.Organization"),
        ({"ProxyOperator": None}, "MissingParameter.ProxyOperatorOpenId"),
        ({"ProxyOperator": {"OpenId": "stranger"}}, "OperationDenied.UserNotInOrganization"),
        ({"ProxyAppId": ""}, "ok"),
        ({"Tenant": "x"}, "UnknownParameter"),
    ],
)
def test_the_agent_must_be_the_tenant(send_request, create, agent, changes, code):
    assert send_request(FakeService(), create(Agent=agent | changes)).code == code


def test_other_cards_are_refused_until_the_white_list_is_open(send_request, create):
    passport = create(2, IdCardType="OTHER_CARD_TYPE", IdCardNumber="X1")
    assert send_request(FakeService(), passport).code == "OperationDenied.WhiteListForbid"
    assert send_request(FakeService(Rules(other_card_type=True)), passport).code == "ok"


def test_the_older_contract_refuses_a_file_id_and_requires_a_picture(send_request, create):
    service = FakeService(Rules(inline="on"))
    assert send_request(service, create(FileId="y" * 32)).code == "UnknownParameter"
    assert send_request(service, create(SealImage=None)).code == "MissingParameter.SealImage"
    assert send_request(service, create(EnableAutoSign=True, Mobile="13800138000")).code == "ok"
    assert (
        send_request(service, create(2, EnableAutoSign=True, Mobile="13800138000", LicenseType=1)).code
        == "ok"
    )
    assert send_request(service, create(3, LicenseType=0)).code == "ok"
    assert [(seal.enable_auto_sign, seal.license_type) for seal in service.seals] == [
        (True, None),
        (True, 1),
        (None, 0),
    ]


def test_today_the_picture_in_the_request_has_no_effect(send_request, create, upload, png):
    service = FakeService(Rules(inline="ignored"))
    answer = send_request(service, create(EnableAutoSign=True, LicenseType=9))
    assert answer.code == "FailedOperation"
    assert "印章图片" in answer.response["Error"]["Message"]
    file_id = send_request(service, upload(png), UPLOAD).response["FileIds"][0]
    assert send_request(service, create(FileId=file_id, EnableAutoSign=True)).code == "ok"


def test_auto_sign_is_closed_until_the_doctor_opens_it(send_request, create, agent, number):
    service = FakeService()
    question = {
        "Agent": agent,
        "SceneKey": "E_PRESCRIPTION_AUTO_SIGN",
        "UserInfo": {"Name": "测试", "IdCardType": "ID_CARD", "IdCardNumber": number(1)},
    }
    made = send_request(service, create(1)).response["SealId"]
    assert send_request(service, question, "ChannelDescribeUserAutoSignStatus").response["IsOpen"] is False
    service.auto_sign.open(service.seals[0].person, made, service.seals[0].created_at)
    answer = send_request(service, question, "ChannelDescribeUserAutoSignStatus").response
    assert (answer["IsOpen"], answer["SealId"]) == (True, made)


def test_a_hospitals_own_list_never_shows_a_personal_seal(send_request, create, agent):
    service = FakeService()
    send_request(service, create(1))
    answer = send_request(
        service, {"Agent": agent, "Limit": 100}, "ChannelDescribeOrganizationSeals"
    ).response
    assert (answer["TotalCount"], answer["Seals"]) == (0, [])


@pytest.mark.parametrize("body", [b"", b"[]", b"not json", b"\xff"])
def test_a_body_that_is_no_object_is_refused(send_request, body):
    assert send_request(FakeService(), body).code == "InvalidParameter"


def test_an_answer_given_in_place_of_executing_still_passes_the_gateway(send_request, create):
    service = FakeService(Rules(rate=1))
    instead = Refusal("InternalError.Db", "数据库异常")
    assert send_request(service, create(1), instead=instead).code == "InternalError.Db"
    assert send_request(service, create(1), instead=instead).code == "RequestLimitExceeded"
    assert not service.seals


def test_the_report_holds_every_request(send_request, create, number, now):
    service = FakeService(Rules(rate=1))
    send_request(service, create(7), arrived=now - 0.5, more={"X_TC_TraceId": "t-1"})
    send_request(service, create(7), steady=now + 0.1)
    reported = service.build_report()
    assert reported["counts"] == {CREATE: {"ok": 1, "RequestLimitExceeded": 1}}
    assert service.list_arrivals() == reported["arrivals"][CREATE] == [now - 0.5, now + 0.1]
    first, second = reported["requests"]
    assert (first["trace_id"], first["executed"], first["number"]) == ("t-1", True, number(7))
    assert (second["executed"], second["code"]) == (False, "RequestLimitExceeded")
    assert first["request_id"] == reported["seals"][0]["request_id"]
    assert number(7) not in repr(service.received)
    assert number(7) not in repr(service.seals)
    json.dumps(reported)


# ---- uploaded files: who may use them and for how long, and what an upload must be like


def test_a_file_can_be_used_again_until_its_deadline(send_request, create, upload, png, now):
    service = FakeService()
    got = send_request(service, upload(png), UPLOAD).response
    file_id, deadline = got["FileIds"][0], got["Deadline"]
    assert send_request(service, create(1, FileId=file_id)).code == "ok"
    assert send_request(service, create(2, FileId=file_id), moment=deadline - 1).code == "ok"
    assert send_request(service, create(3, FileId=file_id), moment=deadline).code == "ResourceNotFound.File"


def test_a_file_belongs_to_the_application_that_uploaded_it(send_request, create, upload, png):
    other = Tenant("AKIDother", "key", "yDother", "org_other", "operator")
    service = FakeService(tenants=(SANDBOX, other))
    file_id = send_request(service, upload(png), UPLOAD).response["FileIds"][0]
    theirs = {
        "AppId": "yDother",
        "ProxyOrganizationOpenId": "org_other",
        "ProxyOperator": {"OpenId": "operator"},
    }
    wanted = create(Agent=theirs, Operator=None, FileId=file_id)
    assert send_request(service, wanted, tenant=other).code == "ResourceNotFound.File"


def test_uploads_are_all_or_nothing(send_request, upload, png):
    service = FakeService(Rules(limiter="none"))
    cases = {
        "InvalidParameter.FileType": [
            upload(png, b"%PDF-1.7"),
            upload(png, b"BM bitmap"),
            upload(FileInfos=[{"FileBody": text(png), "FileName": "seal.jpg"}]),
        ],
        "InvalidParameter": [
            upload(),
            upload(*[png] * 21),
            upload(FileInfos=[{"FileBody": text(png)}, {"FileBody": "%%%"}]),
            upload(FileInfos=["x"]),
        ],
        "InvalidParameterValue": [upload(png, BusinessType="DOCUMENT")],
        "LimitExceeded.FileSize": [upload(png, png + bytes(8_000_000))],
        "MissingParameter": [upload(FileInfos=[{"FileName": "seal.png"}])],
        "UnknownParameter": [upload(FileInfos=[{"FileBody": text(png), "FileType": "png"}])],
    }
    for code, calls in cases.items():
        assert [send_request(service, call, UPLOAD).code for call in calls] == [code] * len(calls)
    assert not service.uploads
    assert send_request(service, upload(*[png] * 20), UPLOAD).response["TotalCount"] == 20
    assert len(service.uploads) == 20
