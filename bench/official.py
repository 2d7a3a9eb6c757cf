"""The same calls by the official SDK, as its documentation shows them: a thread pool, a client a thread, no journal.

Run as a process: ``python -m bench.official HOST:PORT HOSPITAL ROWS``.
"""

from __future__ import annotations

import base64
import json
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tencentcloud.common.credential import Credential
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.essbasic.v20210526 import models
from tencentcloud.essbasic.v20210526.essbasic_client import EssbasicClient

from pipeline.sandbox.gateway import SANDBOX
from tests.support.people import name, number_without_zeros

THREADS = 20
AGENT = {
    "AppId": SANDBOX.app_id,
    "ProxyOrganizationOpenId": SANDBOX.organization_open_id,
    "ProxyOperator": {"OpenId": SANDBOX.operator_open_id},
}
OWN = threading.local()


def make_client(address: str) -> EssbasicClient:
    """Return this thread's client."""
    if not hasattr(OWN, "client"):
        profile = ClientProfile(httpProfile=HttpProfile(protocol="http", endpoint=address))
        OWN.client = EssbasicClient(Credential(SANDBOX.secret_id, SANDBOX.secret_key), "", profile)
    return OWN.client


def create(address: str, seals: Path, serial: int) -> str:
    """Upload the picture, then create; returns the SealId."""
    picture = base64.b64encode((seals / f"{serial:06d}.png").read_bytes()).decode()
    body = {
        "Agent": AGENT,
        "Operator": {"OpenId": SANDBOX.operator_open_id},
        "UserName": name(serial),
        "IdCardType": "ID_CARD",
        "IdCardNumber": number_without_zeros(serial),
        "SealName": f"{name(serial)}处方章",
        "Mobile": f"154{serial:08d}",
        "SceneKey": "E_PRESCRIPTION_AUTO_SIGN",
    }
    upload = models.UploadFilesRequest()
    files = [{"FileName": f"{serial:06d}.png", "FileBody": picture}]
    upload.from_json_string(json.dumps({"Agent": AGENT, "BusinessType": "SEAL", "FileInfos": files}))
    body["FileId"] = make_client(address).UploadFiles(upload).FileIds[0]
    request = models.ChannelCreatePreparedPersonalEsignRequest()
    request.from_json_string(json.dumps(body))
    return make_client(address).ChannelCreatePreparedPersonalEsign(request).SealId


def main(address: str, folder: str, rows: str) -> int:
    seals = Path(folder) / "seals"
    with ThreadPoolExecutor(THREADS) as pool:
        made = list(pool.map(lambda n: create(address, seals, n), range(1, int(rows) + 1)))
    return 0 if all(made) else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
