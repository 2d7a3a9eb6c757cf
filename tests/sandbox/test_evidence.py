"""The official SDKs ask the sandbox for its list of seals and its audit log."""

import json
import time
from dataclasses import replace

import pytest
from sandbox.test_official_sdk import typed
from tencentcloud.cloudaudit.v20190319 import models as audit
from tencentcloud.cloudaudit.v20190319.cloudaudit_client import CloudauditClient
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.essbasic.v20210526 import models

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import CREATE, SANDBOX
from pipeline.sandbox.seal_list import IMPORTED_TYPE, ListedSeal
from pipeline.sandbox.service import FakeService

pytestmark = pytest.mark.filterwarnings("ignore:parameter `:DeprecationWarning")
OTHER = replace(SANDBOX, organization_open_id="org_other")


def test_the_sdk_reads_the_list_of_seals(running, create, agent):
    sandbox = running(FakeService(Rules(list_shows=True), tenants=(SANDBOX, OTHER)))
    client = running.client(sandbox.url)
    for person in (1, 2, 3):
        client.call_json(CREATE, create(person))
    theirs = {**agent, "ProxyOrganizationOpenId": OTHER.organization_open_id}
    client.call_json(CREATE, create(4, Agent=theirs))
    seals = sandbox.service.seals
    sandbox.service.seal_list.statuses = {seals[2].seal_id: "DISABLE"}
    company = ListedSeal("yDcompany", SANDBOX.organization_open_id, "公章", seals[0].created_at - 60)
    sandbox.service.seal_list.others = [company]

    def read(**parameters):
        request = typed(models.ChannelDescribeOrganizationSealsRequest, {"Agent": agent, **parameters})
        answer = client.ChannelDescribeOrganizationSeals(request)
        return answer.TotalCount, [seal.SealId for seal in answer.Seals]

    own = [seal.seal_id for seal in seals[:3]]
    assert read(SealStatuses=["ALL"]) == (4, [*reversed(own), "yDcompany"])
    assert read(SealStatuses=["ALL"], Limit=2, Offset=2) == (4, [own[0], "yDcompany"])
    assert read() == (3, [own[1], own[0], "yDcompany"]), "only those that are enabled"
    assert read(SealId=own[0]) == (1, own[:1])
    assert read(SealId=seals[3].seal_id) == (0, []), "another hospital's"
    assert read(SealTypes=["OFFICIAL"]) == (1, ["yDcompany"])
    request = typed(models.ChannelDescribeOrganizationSealsRequest, {"Agent": agent, "SealId": own[0]})
    (line,) = client.ChannelDescribeOrganizationSeals(request).Seals
    assert (line.SealName, line.SealType, line.SealStatus) == (seals[0].seal_name, IMPORTED_TYPE, "SUCCESS")
    assert line.CreateOn == int(seals[0].created_at)
    with pytest.raises(TencentCloudSDKException, match="InvalidParameterValue"):
        read(Limit=101)
    sandbox.service.seal_list.shows_imported = False
    assert read(SealStatuses=["ALL"]) == (1, ["yDcompany"])


@pytest.fixture
def auditor():
    """Return SDK clients for the audit log of a sandbox; they are closed in the end."""
    clients = []

    def make(url, region="ap-guangzhou"):
        http = HttpProfile(protocol="http", endpoint=url.removeprefix("http://"), reqTimeout=5)
        credential = Credential(SANDBOX.secret_id, SANDBOX.secret_key)
        clients.append(CloudauditClient(credential, region, ClientProfile(httpProfile=http)))
        return clients[-1]

    yield make
    for client in clients:
        client.request.conn._session.close()


def test_the_sdk_reads_the_audit_log(running, auditor, create):
    sandbox = running(FakeService(Rules(audit_delay=0.0, limiter="none")))
    client, now = running.client(sandbox.url), int(time.time())
    for person in range(1, 61):
        client.call_json(CREATE, create(person))
    with pytest.raises(TencentCloudSDKException):
        client.call_json(CREATE, create(61, IdCardNumber="620000198802020000"))
    reader = auditor(sandbox.url)

    def read(**parameters):
        wanted = {"StartTime": now - 60, "EndTime": int(time.time()) + 1, "MaxResults": 50, **parameters}
        return reader.DescribeEvents(typed(audit.DescribeEventsRequest, wanted))

    first = read()
    assert (len(first.Events), first.ListOver) == (50, False)
    second = read(NextToken=first.NextToken)
    assert (len(second.Events), second.ListOver) == (11, True)
    refused = json.loads(second.Events[-1].CloudAuditEvent)
    assert refused["apiErrorCode"] == "InvalidParameter.CardNumber"
    seal = sandbox.service.seals[0]
    (event,) = read(
        LookupAttributes=[{"AttributeKey": "RequestId", "AttributeValue": seal.request_id}]
    ).Events
    details = json.loads(event.CloudAuditEvent)
    assert (event.EventName, event.RequestID, details["traceID"]) == (CREATE, seal.request_id, seal.trace_id)
    assert json.loads(details["responseElements"]) == {"SealId": seal.seal_id}
    assert json.loads(details["requestParameters"])["IdCardNumber"] == "***", "masked unless a rule shows it"
    for wrong in ({"StartTime": now - 31 * 86_400}, {"MaxResults": 51}, {"LookupAttributes": [{}]}):
        with pytest.raises(TencentCloudSDKException):
            read(**wrong)
    with pytest.raises(TencentCloudSDKException, match="Region"):
        auditor(sandbox.url, region="").DescribeEvents(
            typed(audit.DescribeEventsRequest, {"StartTime": now, "EndTime": now})
        )


def test_events_come_late_or_not_at_all(send_request, create, now):
    service = FakeService(Rules(audit_delay=600.0))
    silent = FakeService()
    for one in (service, silent):
        assert send_request(one, create()).code == "ok"
    question = {"StartTime": int(now) - 60, "EndTime": int(now) + 60}
    call = {"service": "cloudaudit", "X_TC_Version": "2019-03-19", "X_TC_Region": "ap-guangzhou"}

    def count(one, moment):
        answer = send_request(one, question, "DescribeEvents", moment=moment, more=call)
        assert answer.code == "ok", answer
        return len(answer.response["Events"])

    assert [count(service, now + passed) for passed in (1, 599, 601)] == [0, 0, 1]
    assert count(silent, now + 10_000) == 0
    wrong_service = {**call, "service": "essbasic"}
    refused = send_request(service, question, "DescribeEvents", moment=now, more=wrong_service)
    assert refused.code == "AuthFailure.SignatureFailure"
