"""Compares esign-import with the official SDK, with and without its retryer, on a service with faults (`make gauntlet`).

200 doctors, 20 calls a second. The service refuses 10 for their data, loses 12 answers after it executed them, answers
4 calls with InternalError and 4 with a throttle. Counted from the sandbox: doctors with two seals, reported successes
without a seal, reported failures with one. Exits with 1 unless esign-import has 0 / 0 / 0.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))

import openpyxl
from people import name, number
from run_support import draw_seal
from tencentcloud.common.credential import Credential
from tencentcloud.common.exception import TencentCloudSDKException
from tencentcloud.common.profile.client_profile import ClientProfile
from tencentcloud.common.profile.http_profile import HttpProfile
from tencentcloud.common.retry import NoopRetryer, StandardRetryer
from tencentcloud.essbasic.v20210526 import models
from tencentcloud.essbasic.v20210526.essbasic_client import EssbasicClient

from pipeline.cli.app import main
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.faults import parse_faults
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

ROWS, RATE, THREADS = 200, 20, 8
CREATE = "ChannelCreatePreparedPersonalEsign"
REFUSED = {"code": {"code": "InvalidParameter.CardNumber", "message": "证件号码不正确"}}
TROUBLE = [  # what happens to how many doctors, and at which of their calls (None: at all of them)
    (REFUSED, 10, None),
    ("reset_after", 8, 1),
    ({"http_502": "after"}, 4, 1),
    ({"code": "InternalError"}, 4, 1),
    ("throttle", 4, 1),
]


@dataclass(frozen=True)
class Reported:
    """What a program reported of each doctor, by name."""

    made: Mapping[str, str]  # -> SealId, "" where none was given
    failed: frozenset[str]


def list_faults(*, charset: bool) -> Sequence[Mapping[str, object]]:
    """Return the faults, each for doctors of its own, spread over the roster."""
    faults: list[Mapping[str, object]] = []
    victims = iter(range(3, ROWS, 6))
    for do, people, nth in TROUBLE:
        for _ in range(people):
            match = {"action": CREATE, "user_name": name(next(victims))} | ({"nth": [nth]} if nth else {})
            faults.append({"match": match, "do": do})
    return [*faults, {"match": {"every": True}, "do": "charset"}] if charset else faults


def run_esign_import(url: str, folder: Path) -> Reported:
    """Import with the command line, as a hospital would."""
    book = openpyxl.Workbook()
    book.active.append(("姓名", "证件号码", "工号"))
    for serial in range(ROWS):
        book.active.append((name(serial), number(serial), f"{serial:05}"))
    (folder / "inbox").mkdir()
    book.save(folder / "inbox" / "roster.xlsx")
    (folder / "secrets").mkdir(mode=0o700)
    for key, value in (("id", SANDBOX.secret_id), ("key", SANDBOX.secret_key)):
        (folder / "secrets" / f"tencent__secret_{key}").write_text(value)
    api = {"endpoint": url, "app_id": SANDBOX.app_id, "organization_open_id": SANDBOX.organization_open_id}
    api |= {"operator_open_id": SANDBOX.operator_open_id, "contract": "inline"}
    config = {"api": api, "limits": {"requests_per_second": RATE}, "secrets_dir": "secrets"}
    (folder / "config.yaml").write_text(json.dumps(config))
    with contextlib.redirect_stderr(io.StringIO()):
        main(["--config", str(folder / "config.yaml"), "run", "--yes"])
    rows = [json.loads(line) for line in (folder / "out/latest/outcomes.jsonl").read_text().splitlines()]
    return Reported(
        {row["name"]: row["seal_id"] for row in rows if row["status"] == "sealed"},
        frozenset(row["name"] for row in rows if row["status"] in {"failed", "rejected"}),
    )


def build_sdk_run(retryer: Callable[[], object]) -> Callable[[str, Path], Reported]:
    """Return an import as a plain script does it: eight threads, a slot every 52.5 ms, an exception is a failure."""

    def run(url: str, folder: Path) -> Reported:
        profile = ClientProfile(
            httpProfile=HttpProfile(protocol="http", endpoint=url.removeprefix("http://"))
        )
        profile.retryer = retryer()
        credential = Credential(SANDBOX.secret_id, SANDBOX.secret_key)
        made: dict[str, str] = {}
        failed: set[str] = set()
        turn, slot = threading.Lock(), [time.monotonic()]

        def create(serial: int) -> None:
            with turn:
                slot[0] = max(slot[0] + 1.05 / RATE, time.monotonic())
                wait = slot[0] - time.monotonic()
            time.sleep(max(0.0, wait))
            request = models.ChannelCreatePreparedPersonalEsignRequest()
            picture = base64.b64encode((folder / "seals" / f"{serial:05}.png").read_bytes()).decode()
            request.from_json_string(json.dumps(build_body(serial, picture)))
            client = EssbasicClient(credential, "", profile)
            try:
                made[name(serial)] = client.ChannelCreatePreparedPersonalEsign(request).SealId or ""
            except TencentCloudSDKException:
                failed.add(name(serial))

        with ThreadPoolExecutor(THREADS) as pool:
            list(pool.map(create, range(ROWS)))
        return Reported(made, frozenset(failed))

    return run


def build_body(serial: int, picture: str) -> Mapping[str, object]:
    operator = {"OpenId": SANDBOX.operator_open_id}
    agent = {"AppId": SANDBOX.app_id, "ProxyOrganizationOpenId": SANDBOX.organization_open_id}
    return {
        "Agent": {**agent, "ProxyOperator": operator},
        "UserName": name(serial),
        "IdCardType": "ID_CARD",
        "IdCardNumber": number(serial),
        "SealName": f"{name(serial)}处方章",
        "SealImage": picture,
        "SceneKey": "E_PRESCRIPTION_AUTO_SIGN",
    }


def compare(reported: Reported, service: FakeService) -> dict[str, int]:
    """Compare what was reported with the seals of the service."""
    seals: dict[str, set[str]] = {}
    for seal in service.seals:
        seals.setdefault(seal.name, set()).add(seal.seal_id)
    lost = [
        name(serial)
        for serial in range(ROWS)
        if name(serial) not in reported.made and name(serial) not in reported.failed
    ]
    return {
        "calls": sum(call.action == CREATE for call in service.received),
        "throttled": sum(call.code.startswith("RequestLimit") for call in service.received),
        "doctors with a seal": len(seals),
        "DUPLICATES": sum(len(ids) - 1 for ids in seals.values()),
        "reported sealed": len(reported.made),
        "FALSE SUCCESS": sum(
            seal_id not in seals.get(doctor, ()) for doctor, seal_id in reported.made.items()
        ),
        "reported failed": len(reported.failed),
        "FALSE FAILURE": sum(doctor in seals for doctor in reported.failed),
        "reported unknown": len(lost),
        "SealIds kept": sum(bool(seal_id) for seal_id in reported.made.values()),
    }


PROGRAMS: Mapping[str, Callable[[str, Path], Reported]] = {
    "esign-import": run_esign_import,
    "official SDK": build_sdk_run(NoopRetryer),
    "SDK + StandardRetryer": build_sdk_run(StandardRetryer),
}


def run_program(program: Callable[[str, Path], Reported], *, names: str, charset: bool) -> dict[str, int]:
    """Run one program against a service of its own."""
    service = FakeService(Rules(inline="on", unique_names=names, rate=RATE))
    with tempfile.TemporaryDirectory() as name_of_folder:
        folder = Path(name_of_folder)
        (folder / "seals").mkdir()
        for serial in range(ROWS):
            draw_seal(folder / "seals" / f"{serial:05}.png", serial)
        with SandboxThread(
            Sandbox(service, faults=parse_faults({"faults": list_faults(charset=charset)}), latency=0.08)
        ) as sandbox:
            return compare(program(sandbox.url, folder), service)


def print_table() -> int:
    """Run every program and print the table; return 0 if esign-import has 0 / 0 / 0."""
    warnings.simplefilter("ignore")
    assert len({name(serial) for serial in range(ROWS)}) == ROWS, "namesakes would blur the comparison"
    clean = True
    for names, charset in (("off", False), ("code", False), ("off", True)):
        regime = "enforced" if names == "code" else "not enforced"
        more = ", Content-Type with a charset" if charset else ""
        print(f"\n{ROWS} doctors, {RATE} calls a second, unique seal names {regime}{more}")
        results = {
            title: run_program(program, names=names, charset=charset) for title, program in PROGRAMS.items()
        }
        print(f"{'':24}" + "".join(f"{title:>24}" for title in results))
        for line in next(iter(results.values())):
            print(f"{line:24}" + "".join(f"{result[line]:>24}" for result in results.values()))
        mine = Counter(results["esign-import"])
        clean &= not (mine["DUPLICATES"] or mine["FALSE SUCCESS"] or mine["FALSE FAILURE"])
    print("\nesign-import: 0 / 0 / 0" if clean else "\nesign-import: NOT 0 / 0 / 0")
    return 0 if clean else 1


if __name__ == "__main__":
    raise SystemExit(print_table())
