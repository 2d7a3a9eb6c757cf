"""Keys of a role, from the official SDK: what is asked, how often, and what a failure means."""

import asyncio
import json
import socket
import sys

import pytest
from key_server import LIST, ROLE, KeyServer
from tencentcloud.common import credential as sdk

from pipeline.clock import SystemClock
from pipeline.errors import CredentialsMissing
from pipeline.esign import role as role_module
from pipeline.esign.credentials import CredentialsPlaces
from pipeline.esign.role import RoleCredentials
from pipeline.esign.signing import Credentials
from pipeline.sandbox.gateway import Tenant, read_call, verify_signature

ARN = "qcs::cam::uin/100000000001:roleName/esign-import"
OWN = Credentials("AKIDown", "own-key", None, "secrets_dir (secrets)")


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A stand-in of metadata and STS, which the SDK asks, in the environment of a TKE pod."""
    (tmp_path / "token").write_text("oidc-token")
    variables = {
        "TKE_REGION": "ap-beijing",
        "TKE_PROVIDER_ID": "tke",
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "TKE_ROLE_ARN": ARN,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with KeyServer() as running:
        monkeypatch.setattr(sdk.CVMRoleCredential, "_role_endpoint", running.url + LIST)
        monkeypatch.setattr(sdk.STSAssumeRoleCredential, "_endpoint", running.url)
        monkeypatch.setattr(sdk.OIDCRoleArnCredential, "_endpoint", running.url)
        yield running


def make_role(kind):
    places = CredentialsPlaces(
        environment={"TENCENTCLOUD_SECRET_ID": OWN.secret_id, "TENCENTCLOUD_SECRET_KEY": OWN.secret_key}
        if kind == "sts"
        else {},
        role=kind,
        role_arn=ARN if kind == "sts" else None,
    )
    return places.find()


@pytest.mark.parametrize("kind", ["cvm", "sts", "oidc"])
async def test_each_role_gives_temporary_keys(server, kind):
    keys = await make_role(kind).get_current()
    assert (keys.secret_id, keys.secret_key, keys.token) == ("AKIDtmp1", "key-1", "token-1")
    assert keys.source.startswith(f"credentials.role: {kind}")


async def test_a_machine_is_asked_for_the_role_that_is_bound_to_it(server):
    await make_role("cvm").get_current()
    assert [path for _, path, *_ in server.requests] == [LIST, LIST + ROLE]


async def test_sts_is_asked_with_the_pair_that_was_found(server):
    keys = await RoleCredentials("sts", ARN, OWN).get_current()
    assert keys.source == f"credentials.role: sts {ARN} (secrets_dir (secrets))"
    ((method, _, headers, body),) = server.requests
    tenant = Tenant("AKIDown", "own-key", "app", "organization", "operator")
    call = read_call(body, headers=headers, method=method)
    verify_signature(call, [tenant], service="sts", now=SystemClock().now())
    assert json.loads(body)["RoleArn"] == ARN


async def test_a_pair_comes_before_a_role_of_the_machine_and_sts_needs_one(server):
    places = {"role": "cvm", "environment": {"TENCENTCLOUD_SECRET_ID": "a", "TENCENTCLOUD_SECRET_KEY": "b"}}
    assert CredentialsPlaces(**places).find().secret_id == "a"
    with pytest.raises(CredentialsMissing, match="not found"):
        CredentialsPlaces(environment={}, role="sts", role_arn=ARN).find()
    assert server.requests == []


async def test_twenty_callers_ask_once_and_again_after_a_minute(server, monkeypatch):
    server.lifetime = 200  # seconds: so few that the SDK renews the keys whenever it is asked
    role = make_role("cvm")
    pairs = await asyncio.gather(*(role.get_current() for _ in range(20)))
    assert {keys.secret_id for keys in pairs} == {"AKIDtmp1"}
    role._ask_at -= role_module.ASK_SECONDS
    assert (await role.get_current()).secret_id == "AKIDtmp2"


async def test_a_failed_renewal_leaves_the_old_keys(server, monkeypatch):
    monkeypatch.setattr(role_module, "ASK_SECONDS", 0.0)
    server.lifetime = 600
    role = make_role("sts")
    await role.get_current()
    server.code = "AuthFailure.UnauthorizedOperation"
    assert (await role.get_current()).secret_id == "AKIDtmp1"
    server.code = None
    assert (await role.get_current()).secret_id == "AKIDtmp2"


@pytest.mark.parametrize(("kind", "answer", "words", "zh"), [
    ("cvm", {"status": 404}, "perhaps no role is bound", "可能没有绑定角色"),
    ("cvm", {"content": b"<html>"}, "perhaps no role is bound", "可能没有绑定角色"),
    ("sts", {"code": "AuthFailure.UnauthorizedOperation"}, "UnauthorizedOperation", "UnauthorizedOperation"),
    ("sts", {"status": 503}, "ServerNetworkError", "ServerNetworkError"),
    ("oidc", {}, "TKE_PROVIDER_ID not exist", "TKE_PROVIDER_ID not exist"),
])  # fmt: skip
async def test_a_failed_role_gives_its_reason_and_no_number(server, monkeypatch, kind, answer, words, zh):
    for name, value in answer.items():
        setattr(server, name, value)
    monkeypatch.delenv("TKE_PROVIDER_ID")
    with pytest.raises(CredentialsMissing) as caught:
        await make_role(kind).get_current()
    assert words in caught.value.render("en")
    assert zh in caught.value.render("zh")
    assert caught.value.exit_code == 4
    assert not any(hidden in caught.value.render("en") for hidden in ("0732", "key-1", "token-1"))


async def test_metadata_that_is_silent_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(role_module, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and never answers
        address = "http://127.0.0.1:{1}/".format(*silent.getsockname())
        monkeypatch.setattr(sdk.CVMRoleCredential, "_role_endpoint", address)
        with pytest.raises(CredentialsMissing, match="no answer came in time"):
            await make_role("cvm").get_current()


def test_without_the_extra_its_name_is_given(monkeypatch):
    monkeypatch.setitem(sys.modules, "tencentcloud.common", None)
    with pytest.raises(CredentialsMissing, match=r"esign-import\[role\]") as caught:
        make_role("cvm")
    assert caught.value.exit_code == 4
