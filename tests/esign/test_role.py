"""Keys of a role: what is asked, what the official SDK asks, when they are renewed, and what a failure means."""

import asyncio
import json
import socket

import pytest
from key_server import LIST, ROLE, KeyServer
from manual_clock import ManualClock
from tencentcloud.common import credential as sdk
from tls_support import CERTIFICATE, TlsRelay

from pipeline.errors import RoleFailed
from pipeline.esign import role as role_module
from pipeline.esign.role import RETRY_SECONDS, Role, RoleCredentials
from pipeline.esign.signing import Credentials
from pipeline.sandbox.gateway import Tenant, verify_signature

ARN = "qcs::cam::uin/100000000001:roleName/esign-import"
OWN = Credentials("AKIDown", "own-key", None, "secrets_dir (secrets)")
KINDS = {"cvm": {}, "sts": {"arn": ARN}, "oidc": {}}


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def server(clock):
    with KeyServer(clock) as running:
        yield running


@pytest.fixture
def pod(tmp_path, monkeypatch):
    """The environment of a TKE pod."""
    (tmp_path / "token").write_text("oidc-token")
    variables = {
        "TKE_REGION": "ap-beijing",
        "TKE_PROVIDER_ID": "tke",
        "TKE_WEB_IDENTITY_TOKEN_FILE": str(tmp_path / "token"),
        "TKE_ROLE_ARN": ARN,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return variables


def make_role(kind, server, clock, environment=None, **settings):
    role = Role(kind=kind, endpoint=server.url, **{**KINDS[kind], **settings})
    return RoleCredentials(role, clock, environment or {}, OWN if kind == "sts" else None)


async def test_a_machines_role_is_found_by_its_name_or_is_the_one_that_is_bound(server, clock):
    keys = await make_role("cvm", server, clock).get_current()
    assert (keys.secret_id, keys.secret_key, keys.token) == ("AKIDtmp1", "key-1", "token-1")
    await make_role("cvm", server, clock, name="other").get_current()
    assert [path for _, path, *_ in server.requests] == [LIST, LIST + ROLE, LIST + "other"]


async def test_sts_is_asked_with_a_signature_that_holds(server, clock):
    keys = await make_role("sts", server, clock, seconds=3600).get_current()
    assert keys.source == f"credentials.role: sts {ARN} (secrets_dir (secrets))"
    ((method, _, headers, body),) = server.requests
    tenant = Tenant("AKIDown", "own-key", "app", "organization", "operator")
    verify_signature(
        method=method, query="", headers=headers, body=body,
        tenants={"AKIDown": tenant}, service="sts", now=clock.now(),
    )  # fmt: skip
    assert json.loads(body)["DurationSeconds"] == 3600


@pytest.mark.parametrize("kind", KINDS)
async def test_the_official_sdk_asks_the_same(kind, server, clock, pod, monkeypatch):
    ours = await make_role(kind, server, clock, pod).get_current()
    asked, server.requests, server.given = server.requests, [], 0
    monkeypatch.setattr(sdk.CVMRoleCredential, "_role_endpoint", server.url + LIST)
    theirs = {
        "cvm": sdk.CVMRoleCredential,
        "sts": lambda: sdk.STSAssumeRoleCredential(
            "AKIDown", "own-key", ARN, "esign-import", endpoint=server.url
        ),
        "oidc": lambda: sdk.DefaultTkeOIDCRoleArnProvider().get_credential(),
    }[kind]()
    theirs.endpoint = server.url
    assert theirs.get_credential_info() == (ours.secret_id, ours.secret_key, ours.token)
    assert [pick(request) for request in asked] == [pick(request) for request in server.requests]


def pick(request):
    """Return what a request asks for; time, signature and name of the session are each caller's own."""
    method, path, headers, body = request
    names = ("x-tc-action", "x-tc-version", "x-tc-region", "content-type")
    values = {**json.loads(body or b"{}"), "RoleSessionName": ""}
    is_signed = headers.get("authorization", "")[:8]
    return method, path, [headers.get(name) for name in names], values, is_signed


async def test_keys_are_renewed_ten_minutes_before_they_expire_and_not_sooner(server, clock):
    role = make_role("cvm", server, clock, name="r")
    ids = []
    for seconds in (0, 6500, 150, 6500, 150):
        await clock.advance(seconds)
        ids.append((await role.get_current()).secret_id)
    assert ids == ["AKIDtmp1", "AKIDtmp1", "AKIDtmp2", "AKIDtmp2", "AKIDtmp3"]


async def test_twenty_callers_at_once_ask_once(server, clock):
    role = make_role("cvm", server, clock, name="r")
    pairs = await asyncio.gather(*(role.get_current() for _ in range(20)))
    assert {keys.secret_id for keys in pairs} == {"AKIDtmp1"}


async def test_a_failed_renewal_is_harmless_until_the_keys_expire(server, clock, caplog):
    role = make_role("sts", server, clock)
    await role.get_current()
    server.code = "AuthFailure.UnauthorizedOperation"
    await clock.advance(7200 - 300)
    for _ in range(5):
        assert (await role.get_current()).secret_id == "AKIDtmp1"
    assert len(server.requests) == 2, "the next try is a minute later"
    assert "UnauthorizedOperation" in role.renewal_failure
    await clock.advance(RETRY_SECONDS)
    server.code = None
    assert (await role.get_current()).secret_id == "AKIDtmp2"
    assert role.renewal_failure is None
    server.status = 500
    await clock.advance(7300)
    with pytest.raises(RoleFailed, match="HTTP 500"):
        await role.get_current()
    assert "key-" not in caplog.text
    assert "token-" not in caplog.text


async def test_refused_keys_are_replaced_but_not_those_of_the_last_minute(server, clock):
    role = make_role("cvm", server, clock, name="r")
    await role.get_current()
    assert role.discard_current()
    assert (await role.get_current()).secret_id == "AKIDtmp1", "the answer came to older ones"
    await clock.advance(RETRY_SECONDS)
    assert role.discard_current()
    assert (await role.get_current()).secret_id == "AKIDtmp2"


async def test_the_clock_of_sts_counts(clock):
    ahead = ManualClock(clock.now() + 5000)
    with KeyServer(ahead) as server:
        role = make_role("sts", server, clock)
        server.code = "AuthFailure.SignatureExpire"
        with pytest.raises(RoleFailed, match="SignatureExpire"):
            await role.get_current()
        first, second = (int(headers["x-tc-timestamp"]) for _, _, headers, _ in server.requests)
        assert second - first == 5000
        server.code = None
        await role.get_current()
        await clock.advance(6500)
        assert (await role.get_current()).secret_id == "AKIDtmp1", (
            "they are valid for 7,200 seconds, not 12,200"
        )
        await clock.advance(150)
        assert (await role.get_current()).secret_id == "AKIDtmp2"


@pytest.mark.parametrize(("kind", "answer", "words", "zh"), [
    ("cvm", {"status": 404}, "no such role is bound", "没有绑定"),
    ("sts", {"status": 302}, "HTTP 302", "HTTP 302"),
    ("sts", {"content": b"<html>"}, "is not valid", "无法识别"),
    ("cvm", {"content": b'{"Code":"Success","TmpSecretId":""}'}, "is not valid", "无法识别"),
    ("cvm", {"content": b"x" * (2 << 20)}, "too large", "应答过大"),
    ("sts", {"lifetime": -1}, "is not valid", "无法识别"),
    ("sts", {"code": "AuthFailure.UnauthorizedOperation"}, "UnauthorizedOperation no such role for ****", "答复是"),
    ("oidc", {}, "TKE_PROVIDER_ID, TKE_WEB_IDENTITY_TOKEN_FILE, TKE_ROLE_ARN", "缺少环境变量"),
])  # fmt: skip
async def test_a_failed_role_gives_its_reason(server, clock, kind, answer, words, zh):
    for name, value in answer.items():
        setattr(server, name, value)
    with pytest.raises(RoleFailed) as caught:
        await make_role(kind, server, clock).get_current()
    assert words in caught.value.render("en")
    assert zh in caught.value.render("zh")
    assert caught.value.exit_code == 4
    assert all(path != "/elsewhere" for _, path, *_ in server.requests)


async def test_a_file_of_certificates_that_is_gone_is_named(server, clock):
    with pytest.raises(RoleFailed, match=r"gone\.pem: no such file"):
        await make_role("cvm", server, clock, ca_file="gone.pem").get_current()


async def test_a_host_that_is_silent_is_not_waited_for(clock, monkeypatch):
    monkeypatch.setattr(role_module, "ANSWER_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # connects, and never answers
        role = Role(kind="cvm", endpoint="http://127.0.0.1:{1}".format(*silent.getsockname()))
        with pytest.raises(RoleFailed, match="no answer came in time"):
            await RoleCredentials(role, clock, {}).get_current()


async def test_sts_is_asked_over_tls_that_is_verified(server, clock):
    with TlsRelay(server.url) as relay:
        address = f"https://127.0.0.1:{relay.port}"
        settings = {"kind": "sts", "arn": ARN, "endpoint": address}
        with pytest.raises(RoleFailed, match="self-signed certificate"):
            await RoleCredentials(Role(**settings), clock, {}, OWN).get_current()
        assert server.requests == []
        role = RoleCredentials(Role(**settings, ca_file=str(CERTIFICATE)), clock, {}, OWN)
        assert (await role.get_current()).secret_id == "AKIDtmp1"


async def test_a_proxy_of_the_environment_or_of_the_configuration_never_sees_the_metadata(
    server, clock, monkeypatch
):
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    role = make_role("cvm", server, clock, name="r", proxy="http://127.0.0.1:1")
    assert (await role.get_current()).secret_id == "AKIDtmp1"
