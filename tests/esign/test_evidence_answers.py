"""Answers of the list of seals and of the audit log: what is read from every shape, and what is no answer."""

import json

import pytest

from pipeline.esign.audit_log import read_event_page
from pipeline.esign.organization_seals import read_seal_page
from pipeline.esign.responses import parse_answer

UUID = "6e3eb9ef-61f9-4884-9874-465eaffc3d64"
LINE = {"SealId": "yDwivUUckpo2v2bhUx8pIP8vBdA0hGSe", "SealName": "张三处方章", "CreateOn": 1_700_000_000}


def answer(**fields):
    return parse_answer(json.dumps({"Response": {**fields, "RequestId": "r"}}).encode())


@pytest.mark.parametrize(
    "fields",
    [
        {"Seals": [LINE]},
        {"TotalCount": -1, "Seals": []},
        {"TotalCount": True, "Seals": [LINE]},
        {"TotalCount": 1},
        {"TotalCount": 1, "Seals": None},
        {"TotalCount": 1, "Seals": ["yD"]},
        {"TotalCount": 1, "Seals": [{**LINE, "SealId": ""}]},
        {"TotalCount": 1, "Seals": [{**LINE, "SealName": None}]},
    ],
)
def test_a_list_that_lacks_what_is_documented_is_no_answer(fields):
    assert read_seal_page(answer(**fields)) is None


def test_a_list_without_seals_may_come_without_the_list():
    assert read_seal_page(answer(TotalCount=0)).seals == ()
    (seal,) = read_seal_page(answer(TotalCount=1, Seals=[{**LINE, "CreateOn": "soon"}])).seals
    assert (seal.created_at, seal.status) == (None, "")


def read_event(details, **parts):
    event = {"EventName": "Create", "RequestID": "r-1", **parts, "CloudAuditEvent": details}
    (read,) = read_event_page(answer(ListOver=True, Events=[event])).events
    return read


@pytest.mark.parametrize(
    "details",
    [
        {"traceId": UUID, "responseElements": {"Response": {"SealId": "yDseal-01"}}},
        {"traceId": UUID, "responseElements": json.dumps({"SealId": "yDseal-01"})},
        {"headers": f"x-tc-traceid={UUID};", "resources": [{"sealID": "x"}, {"SealId": "yDseal-01"}]},
    ],
)
def test_ids_are_read_wherever_they_stand(details):
    event = read_event(json.dumps(details))
    assert event.is_readable
    assert event.holds(UUID)
    assert event.holds("r-1")
    assert "yDseal-01" in event.list_seal_ids()
    assert event.error_code is None


def test_an_id_is_a_word_of_its_own():
    event = read_event(json.dumps({"note": f"{UUID}0 a{UUID} {UUID}-x"}))
    assert not event.holds(UUID)
    assert not event.holds("")
    assert not event.holds(None)


def test_details_that_are_no_json_show_ids_alone():
    """The official example is of this form: quotation marks inside a text are not escaped."""
    event = read_event(f'{{"requestParameters":"{{"SealId":"yDseal-01"}}","traceId":"{UUID}"}}')
    assert not event.is_readable
    assert event.holds(UUID)
    assert event.list_seal_ids() == set()


@pytest.mark.parametrize(
    ("details", "code"),
    [
        ({"apiErrorCode": "InvalidParameter.Image"}, "InvalidParameter.Image"),
        ({"apiErrorCode": "", "errorCode": 0}, None),
        ({"errorCode": 4100}, "4100"),
        ({"responseElements": {"Error": {"Code": "InternalError", "Message": "x"}}}, "InternalError"),
        ({"responseElements": '{"Response":{"Error":{"Code":"InternalError"}}}'}, "InternalError"),
    ],
)
def test_an_error_is_read_from_every_form(details, code):
    assert read_event(json.dumps(details)).error_code == code


def test_a_deep_or_large_event_is_not_readable():
    deep: object = "end"
    for _ in range(30):
        deep = json.dumps({"inner": deep})[:20_000]
    assert not read_event(json.dumps({"many": ["v"] * 20_000})).is_readable
    assert read_event(json.dumps({"deep": deep})).list_seal_ids() == set()


@pytest.mark.parametrize(
    "fields",
    [
        {"Events": []},
        {"ListOver": "true", "Events": []},
        {"ListOver": False, "Events": []},
        {"ListOver": False, "Events": [], "NextToken": True},
        {"ListOver": True, "Events": [None]},
        {"ListOver": False, "NextToken": 1},
    ],
)
def test_a_page_of_events_that_lacks_what_is_documented_is_no_answer(fields):
    assert read_event_page(answer(**fields)) is None
    assert read_event_page(answer(ListOver=True)).events == ()
