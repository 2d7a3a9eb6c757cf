"""The alarm for a contract that changes: no field that is sent may be flagged by the newest official SDK, or missing from it.

The SDK warns when a flagged field is read, and its descriptions use words of their own. What is known stands in KNOWN, with
the date: a field that is flagged later, and one whose flag is taken back, both fail here.
"""

import json
import re
import warnings
from importlib import import_module

import pytest
from wire_support import fault

from pipeline.esign.products import PRODUCTS
from pipeline.sandbox.gateway import SANDBOX

MODELS = {
    "essbasic": "tencentcloud.essbasic.v20210526.models",
    "ess": "tencentcloud.ess.v20201111.models",
}
# contract -> fields. Looked at on 2026-11-30: essbasic 3.1.193, ess 3.1.194. ``inline`` is kept as it was before Tencent switched its
# picture and its licence off (flagged in 3.1.173 of 2026-09-09, EnableAutoSign in 3.1.127); ProxyAppId is for old accounts.
KNOWN = {
    "inline": {"SealImage", "SealImageCompress", "EnableAutoSign", "LicenseType", "Agent.ProxyAppId"},
    "file_id": set(),
    "ess": set(),
}
WORDS = re.compile("不再使用|废弃|弃用|不生效|已下线|不用填写|无需填写|暂未开放")
ALL_OF_INLINE = {
    "contract": "inline",
    "seal_image_compress": True,
    "enable_auto_sign": True,
    "license_type": 1,
    "proxy_app_id": "yDold",
}


def list_flagged_fields(model, body, path=""):
    """Return the fields of a body that its model flags, or does not have."""
    flagged = set()
    for field, value in body.items():
        described = getattr(type(model), field, None)
        if described is None:
            flagged.add(f"{path}{field} (gone)")
            continue
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            inside = getattr(model, field)
        if caught or WORDS.search(described.__doc__ or ""):
            flagged.add(f"{path}{field}")
        for item, model_inside in zip(
            value if isinstance(value, list) else [value],
            inside if isinstance(inside, list) else [inside],
            strict=False,
        ):
            if isinstance(item, dict):
                flagged |= list_flagged_fields(model_inside, item, f"{path}{field}.")
    return flagged


def list_flags(product, action, body):
    models = import_module(MODELS[product])
    request = getattr(models, f"{action}Request")()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        request.from_json_string(json.dumps(body))
    return list_flagged_fields(request, body)


def follow_auto_sign(hospital, capsys):
    """Make every call about auto-sign: links of both kinds."""

    def run_json(*words):
        capsys.readouterr()
        hospital.go("--json", "autosign", *words)
        return json.loads(capsys.readouterr().out)

    run_json("status")
    run_json("links")
    person = hospital.service.auto_sign.links[0].person
    hospital.service.auto_sign.open(person, "yDsandboxAnotherSealOfThisDoctor", hospital.service_clock.now())
    run_json("status")
    run_json("links")


@pytest.fixture
def bodies(hospital_with, capsys):
    """Make the commands of a configuration send what they can send; return the bodies that arrived, by action."""

    def send(**api):
        arrived = []
        hospital = hospital_with(faults=[fault("no_seal_id", nth=(2,))], api=api)
        service = hospital.service
        receive = service.receive_call

        def note_and_receive(call, **how):
            arrived.append((call.action, json.loads(call.body)))
            return receive(call, **how)

        service.receive_call = note_and_receive
        hospital.doctors(3)
        assert hospital.go("run") == 3
        hospital.go("doctor")
        if api.get("contract") != "inline":  # whose creates open auto-sign themselves
            follow_auto_sign(hospital, capsys)
        return arrived

    return send


@pytest.mark.parametrize(
    ("contract", "api"),
    [
        ("inline", ALL_OF_INLINE),
        ("file_id", {"proxy_operator_open_id": SANDBOX.operator_open_id}),
        ("ess", {"product": "ess", "process_seal": True, "seal_color": "RED"}),
    ],
    ids=["inline", "file_id", "ess"],
)
def test_no_field_that_is_sent_is_flagged_by_the_newest_sdk(bodies, contract, api):
    arrived = bodies(**api)
    product = PRODUCTS[api.get("product", "essbasic")]
    flagged = set().union(*(list_flags(product.name, action, body) for action, body in arrived))
    assert flagged == KNOWN[contract], "the service's contract has changed: see the module's text"
    expected = {product.create, product.organization_seals}
    if contract != "inline":
        expected |= {
            product.upload,
            product.auto_sign_status,
            product.auto_sign_enable_url,
            product.auto_sign_seal_url,
        }
    assert {action for action, _ in arrived} == expected


def test_the_alarm_rings():
    """A flag, a word in a description and a field that is gone are each seen, at every depth."""
    flags = list_flags(
        "essbasic",
        "UploadFiles",
        {
            "Agent": {"AppId": "a", "ProxyOrganizationId": "internal", "ProxyOperator": {"Channel": "c"}},
            "FileInfos": [{"FileBody": "", "NoSuchField": 1}],
            "Operator": {"OpenId": "o"},
        },
    )
    assert flags == {
        "Agent.ProxyOrganizationId",
        "Agent.ProxyOperator.Channel",
        "FileInfos.NoSuchField (gone)",
        "Operator",
    }
