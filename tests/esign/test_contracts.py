"""What holds for every API contract in the table."""

import json

import pytest

from pipeline.config.sections import Api
from pipeline.config.settings import Config
from pipeline.domain.roster import CardType, Field
from pipeline.domain.seals import SealContent, SealRequest
from pipeline.errors import ConfigError
from pipeline.esign.contracts import CONTRACTS, OPTIONAL_PARAMETERS, CreateImage
from pipeline.esign.products import CustomerAgent, PlatformAgent

CONTENT = SealContent("n", "d", "ID_CARD", None, None, None, "p", None)
VALUES = {
    Field.NAME: "张三",
    Field.NUMBER: "110101199003070732",
    Field.ID_TYPE: CardType.ID_CARD,
    Field.ENABLE_AUTO_SIGN: True,
    Field.LICENSE_TYPE: 1,
}
REQUEST = SealRequest("k", "r", "张三处方章", VALUES, CONTENT)
PARAMETERS = {
    "EnableAutoSign": "enable_auto_sign",
    "LicenseType": "license_type",
    "SealImageCompress": "seal_image_compress",
    "ProcessSeal": "process_seal",
    "SealColor": "seal_color",
}
AGENTS = {
    "essbasic-file_id": PlatformAgent("a", "o", "u"),
    "essbasic-inline": PlatformAgent("a", "o", "u", seal_image_compress=True),
    "ess-file_id": CustomerAgent("u", process_seal=True, seal_color="RED"),
}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=map("-".join, CONTRACTS))
def test_a_create_brings_its_picture_one_way_and_only_accepted_parameters(contract):
    agent = AGENTS[f"{contract.product.name}-{contract.name}"]
    body = json.loads(contract.build_create(agent, REQUEST, CreateImage(b"image", "file")))
    assert body.get("FileId") == ("file" if contract.needs_upload else None)
    assert body.get("SealImage") == (None if contract.needs_upload else "aW1hZ2U=")
    sent = {field for name, field in PARAMETERS.items() if name in body}
    assert sent == contract.optional_parameters - {"proxy_app_id"}


@pytest.mark.parametrize("contract", CONTRACTS.values(), ids=map("-".join, CONTRACTS))
def test_the_configuration_refuses_what_the_contract_does_not_take(contract):
    values = {
        "seal_image_compress": True,
        "enable_auto_sign": False,
        "license_type": 1,
        "proxy_app_id": "q",
        "process_seal": False,
        "seal_color": "BLUE",
    }
    assert set(values) == set(OPTIONAL_PARAMETERS)
    for name, value in values.items():
        needed = {"process_seal": True} if name == "seal_color" else {}
        api = {"product": contract.product.name, "contract": contract.name, **needed, name: value}
        if name in contract.optional_parameters:
            assert Config.load(environment={}, api=api).api.contract == contract.name
        else:
            with pytest.raises(ConfigError, match=name):
                Config.load(environment={}, api=api)


def test_an_unknown_contract_is_refused_with_the_known_names():
    with pytest.raises(ConfigError) as refused:
        Config.load(environment={}, api={"contract": "post"})
    assert "must be one of 'file_id' or 'inline'" in refused.value.render("en")
    assert {name for _, name in CONTRACTS} == {*Api.model_json_schema()["properties"]["contract"]["enum"]}
