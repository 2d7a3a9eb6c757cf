"""Calls for the sandbox, signed by the official SDK's own function: nothing of ours signs here."""

from __future__ import annotations

import base64
import hashlib
import json
from datetime import UTC, datetime

import pytest
from people import complete_number
from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.common.sign import Sign
from tencentcloud.essbasic.v20210526.essbasic_client import EssbasicClient

from pipeline.sandbox.gateway import CREATE, ENABLE_URL, SANDBOX, read_call
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

NOW = 1_795_000_000.25
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(64))
JPG = b"\xff\xd8\xff\xe0" + bytes(range(64))


def _number(person):
    return complete_number(f"110199199003{person // 1000 % 28 + 1:02d}{person % 1000:03d}")


@pytest.fixture
def checked():
    """Add the check digit to 17 made-up ones; county 99 of Beijing, used here, does not exist."""
    return complete_number


@pytest.fixture
def number():
    """The identity number of the n-th invented doctor."""
    return _number


@pytest.fixture
def agent():
    return {
        "AppId": SANDBOX.app_id,
        "ProxyOrganizationOpenId": SANDBOX.organization_open_id,
        "ProxyOperator": {"OpenId": SANDBOX.operator_open_id},
    }


@pytest.fixture
def create(agent):
    """Parameters of a create by the older contract, for the n-th invented doctor; changes win, None removes."""

    def make(person=1, **changes):
        wanted = {
            "Agent": agent,
            "Operator": {"OpenId": SANDBOX.operator_open_id},
            "UserName": "测试",
            "IdCardNumber": _number(person),
            "SealName": f"测试{person}处方章",
            "SealImage": base64.b64encode(PNG).decode(),
        } | changes
        return {name: value for name, value in wanted.items() if value is not None}

    return make


@pytest.fixture
def signer(agent):
    """Parameters of a call about the auto-sign of the n-th invented doctor; changes win."""

    def make(action, person=1, *, user=None, **changes):
        user = {"Name": "测试", "IdCardType": "ID_CARD", "IdCardNumber": _number(person)} | (user or {})
        wanted = {
            "Agent": agent,
            "Operator": {"OpenId": SANDBOX.operator_open_id},
            "SceneKey": "E_PRESCRIPTION_AUTO_SIGN",
        }
        wanted |= {"AutoSignConfig": {"UserInfo": user}} if action == ENABLE_URL else {"UserInfo": user}
        return {name: value for name, value in (wanted | changes).items() if value is not None}

    return make


@pytest.fixture
def upload(agent):
    """Parameters of an upload of these files."""

    def make(*files, **changes):
        infos = [{"FileBody": base64.b64encode(data).decode()} for data in files]
        return {"Agent": agent, "BusinessType": "SEAL", "FileInfos": infos} | changes

    return make


def _headers(
    body, action, *, moment, tenant=SANDBOX, host="127.0.0.1:1", date=None, service="essbasic", **more
):
    """Headers of a signed request over these bytes; ``more`` replaces headers, None removes one."""
    date = date or datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d")
    canonical = (
        f"POST\n/\n\ncontent-type:application/json\nhost:{host}\n\ncontent-type;host\n"
        f"{hashlib.sha256(body).hexdigest()}"
    )
    scope = f"{date}/{service}/tc3_request"
    digest = hashlib.sha256(canonical.encode()).hexdigest()
    signature = Sign.sign_tc3(
        tenant.secret_key, date, service, f"TC3-HMAC-SHA256\n{int(moment)}\n{scope}\n{digest}"
    )
    headers = {
        "Content-Type": "application/json",
        "Host": host,
        "X-TC-Action": action,
        "X-TC-Version": "2021-05-26",
        "X-TC-Timestamp": str(int(moment)),
        "Authorization": f"TC3-HMAC-SHA256 Credential={tenant.secret_id}/{scope}, "
        f"SignedHeaders=content-type;host, Signature={signature}",
    } | {name.replace("_", "-"): value for name, value in more.items()}
    return {name: value for name, value in headers.items() if value is not None}


@pytest.fixture
def headers():
    return _headers


@pytest.fixture
def send_request():
    """Put one signed call to the service at a moment; returns its Answer."""

    def put(
        service,
        parameters,
        action=CREATE,
        *,
        moment=NOW,
        signed_at=None,
        tenant=SANDBOX,
        call=None,
        more=None,
        **how,
    ):
        body = parameters if isinstance(parameters, bytes) else json.dumps(parameters).encode()
        signed = _headers(
            body, action, moment=moment if signed_at is None else signed_at, tenant=tenant, **(more or {})
        )
        made = read_call(body, headers=signed, **(call or {}))
        return service.receive_call(made, **({"now": moment, "steady": moment} | how))

    return put


@pytest.fixture
def png():
    return PNG


@pytest.fixture
def jpg():
    return JPG


@pytest.fixture
def now():
    return NOW


@pytest.fixture
def running():
    """Start sandboxes in threads and SDK clients for them; all are closed in the end."""
    threads, clients = [], []

    def start(service=None, **options):
        threads.append(SandboxThread(Sandbox(service or FakeService(), **options)).__enter__())
        return threads[-1]

    def client(url, *, tenant=SANDBOX, token=None, method="POST", kind=EssbasicClient):
        http = HttpProfile(
            protocol="http", endpoint=url.removeprefix("http://"), reqMethod=method, reqTimeout=5
        )
        credential = Credential(tenant.secret_id, tenant.secret_key, token)
        made = kind(credential, "", ClientProfile(httpProfile=http))
        clients.append(made)
        return made

    start.client = client
    yield start
    for made in clients:
        made.request.conn._session.close()
    for thread in threads:
        thread.__exit__()
