"""Uploaded files: who may use them and for how long, and what an upload must be like."""

import base64

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.authentication import SANDBOX, Tenant
from pipeline.sandbox.service import FakeService

UPLOAD = "UploadFiles"


def text(data):
    return base64.b64encode(data).decode()


def test_a_file_can_be_used_again_until_its_deadline(send_request, create, upload, png, now):
    service = FakeService(Rules(file_life=60))
    got = send_request(service, upload(png), UPLOAD).response
    file_id, deadline = got["FileIds"][0], got["Deadline"]
    assert send_request(service, create(1, FileId=file_id)).code == "ok"
    assert send_request(service, create(2, FileId=file_id), moment=deadline - 1).code == "ok"
    assert send_request(service, create(3, FileId=file_id), moment=deadline).code == "ResourceNotFound.File"


def test_the_deadline_can_be_kept_silent_and_still_holds(send_request, create, upload, png, now):
    service = FakeService(Rules(tell_deadline=False))
    got = send_request(service, upload(png), UPLOAD).response
    assert "Deadline" not in got
    assert (
        send_request(service, create(FileId=got["FileIds"][0]), moment=now + 601).code
        == "ResourceNotFound.File"
    )


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


def test_a_file_for_another_business_is_no_seal(send_request, create, upload, png):
    service = FakeService()
    file_id = send_request(service, upload(png, BusinessType="DOCUMENT"), UPLOAD).response["FileIds"][0]
    assert send_request(service, create(FileId=file_id)).code == "InvalidParameter.FileType"


def test_uploads_are_all_or_nothing(send_request, upload, png, jpg):
    service = FakeService(Rules(limiter="none"))
    cases = {
        "InvalidParameter.FileType": [
            upload(png, jpg),
            upload(png, b"%PDF-1.7"),
            upload(png, b"BM bitmap"),
            upload(FileInfos=[{"FileBody": text(png), "FileName": "seal.jpg"}]),
        ],
        "InvalidParameter": [
            upload(),
            upload(*[png] * 21),
            upload(FileInfos=[{"FileBody": text(png)}, {"FileBody": "%%%"}]),
            upload(FileInfos=[{"FileBody": text(png), "FileName": "a" * 201}]),
            upload(FileInfos=["x"]),
        ],
        "InvalidParameterValue": [upload(png, BusinessType="STAMP")],
        "LimitExceeded.FileSize": [upload(png, png + bytes(8_000_000))],
        "OperationDenied.WhiteListForbid": [upload(png, Deadline=1)],
        "MissingParameter": [upload(FileInfos=[{"FileName": "seal.png"}])],
        "UnknownParameter": [upload(FileInfos=[{"FileBody": text(png), "FileType": "png"}])],
    }
    for code, calls in cases.items():
        assert [send_request(service, call, UPLOAD).code for call in calls] == [code] * len(calls)
    assert not service.uploads
    assert send_request(service, upload(*[png] * 20), UPLOAD).response["TotalCount"] == 20
    assert len(service.uploads) == 20
