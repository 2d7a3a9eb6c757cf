"""The official SDK of the product ess believes the sandbox: create, upload, the list of seals and the auto-sign calls."""

import base64

import pytest
from sandbox.test_official_sdk import refusal_of, typed
from tencentcloud.ess.v20201111 import models
from tencentcloud.ess.v20201111.ess_client import EssClient

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.service import FakeService

OPERATOR = {"UserId": SANDBOX.operator_user_id}
CALLER = {"OperatorId": SANDBOX.operator_user_id}


@pytest.fixture
def of_customer(create):
    """Parameters of a create for the n-th invented doctor, as a hospital of its own sends them."""

    def make(person=1, **changes):
        return create(person, **({"Agent": None, "SealImage": None, "Operator": OPERATOR} | changes))

    return make


def upload_of(data, caller=CALLER):
    infos = [{"FileName": "a.png", "FileBody": base64.b64encode(data).decode()}]
    return {"Caller": caller, "BusinessType": "SEAL", "FileInfos": infos}


def test_the_sdk_uploads_creates_and_lists(running, of_customer, png):
    sandbox = running()
    client = running.client(sandbox.url, kind=EssClient)
    uploaded = client.UploadFiles(typed(models.UploadFilesRequest, upload_of(png)))
    assert uploaded.Deadline > 0
    wanted = of_customer(FileId=uploaded.FileIds[0], ProcessSeal=True, SealColor="RED", Mobile="13800138000")
    made = client.CreatePreparedPersonalEsign(typed(models.CreatePreparedPersonalEsignRequest, wanted))
    (seal,) = sandbox.service.seals
    assert made.SealId == seal.seal_id
    assert (seal.organization, seal.process_seal, seal.seal_color) == (SANDBOX.organization, True, "RED")
    assert sandbox.service.pictures[seal.picture] == png
    listed = client.DescribeOrganizationSeals(
        typed(models.DescribeOrganizationSealsRequest, {"Operator": OPERATOR, "Limit": 200, "Offset": 0})
    )
    assert listed.RequestId
    again = of_customer(FileId=uploaded.FileIds[0])
    client.CreatePreparedPersonalEsign(typed(models.CreatePreparedPersonalEsignRequest, again))
    assert len(sandbox.service.seals) == 2, "no text of this product has a refusal of a name that exists"


def test_a_name_that_exists_is_refused_where_the_rules_have_it(running, of_customer, png):
    sandbox = running(FakeService(Rules(unique_names="code")))
    client = running.client(sandbox.url, kind=EssClient)
    file_id = client.UploadFiles(typed(models.UploadFilesRequest, upload_of(png))).FileIds[0]
    client.call_json("CreatePreparedPersonalEsign", of_customer(FileId=file_id))
    refused = refusal_of(client, "CreatePreparedPersonalEsign", of_customer(FileId=file_id))
    assert refused.code == "FailedOperation.ExistSameSealName"


def test_the_sdk_follows_a_doctor_through_auto_sign(running, of_customer, number, png):
    sandbox = running()
    client = running.client(sandbox.url, kind=EssClient)
    file_id = client.UploadFiles(typed(models.UploadFilesRequest, upload_of(png))).FileIds[0]
    client.call_json("CreatePreparedPersonalEsign", of_customer(FileId=file_id))
    (seal,) = sandbox.service.seals
    user = {"Name": "测试", "IdCardType": "ID_CARD", "IdCardNumber": number(1)}
    about = {"Operator": OPERATOR, "SceneKey": "E_PRESCRIPTION_AUTO_SIGN"}
    question = typed(models.DescribeUserAutoSignStatusRequest, {**about, "UserInfo": user})
    assert client.DescribeUserAutoSignStatus(question).IsOpen is False
    link = typed(models.CreateUserAutoSignEnableUrlRequest, {**about, "AutoSignConfig": {"UserInfo": user}})
    assert client.CreateUserAutoSignEnableUrl(link).Url
    sandbox.service.auto_sign.open(seal.person, seal.seal_id, seal.created_at)
    answer = client.DescribeUserAutoSignStatus(question)
    assert (answer.IsOpen, answer.SealId) == (True, seal.seal_id)
    choose = typed(models.CreateUserAutoSignSealUrlRequest, {**about, "UserInfo": user})
    assert client.CreateUserAutoSignSealUrl(choose).Url


def test_what_belongs_to_the_other_product_is_refused(running, create, of_customer, upload, png):
    sandbox = running()
    customer = running.client(sandbox.url, kind=EssClient)
    action = "CreatePreparedPersonalEsign"
    assert refusal_of(customer, "ChannelCreatePreparedPersonalEsign", create()).code == "InvalidAction"
    assert refusal_of(customer, action, create()).code == "UnknownParameter", "the Agent"
    without_user = of_customer(Operator={})
    assert refusal_of(customer, action, without_user).code == "MissingParameter.UserId"
    stranger = of_customer(Operator={"UserId": "somebody"})
    assert refusal_of(customer, action, stranger).code == "OperationDenied.UserNotInOrganization"
    assert refusal_of(customer, "UploadFiles", upload(png)).code == "UnknownParameter", "the Agent"
    assert refusal_of(customer, "UploadFiles", upload_of(png, None)).code == "MissingParameter", "the Caller"
    large = upload_of(png + bytes(5_000_000 - len(png)))
    assert refusal_of(customer, "UploadFiles", large).code == "LimitExceeded.FileSize"
    other_card = of_customer(IdCardType="OTHER_CARD_TYPE", FileId="x")
    assert refusal_of(customer, action, other_card).code == "InvalidParameter.CardType"
    platform = running.client(sandbox.url)
    coloured = create(SealColor="RED")
    refused = refusal_of(platform, "ChannelCreatePreparedPersonalEsign", coloured)
    assert refused.code == "UnknownParameter"
    assert refusal_of(platform, action, of_customer()).code == "InvalidAction"
    assert not sandbox.service.seals
