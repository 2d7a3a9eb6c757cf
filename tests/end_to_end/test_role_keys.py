"""Whole runs whose keys come from a role: renewed in the middle, refused in the middle, expired in the middle."""

import dataclasses
import json
import shutil

import pytest
from key_server import KeyServer
from run_support import QuickClock

from pipeline.sandbox.gateway import SANDBOX

HOUR = 3600.0


class StagedClock(QuickClock):
    """A clock that jumps when so many creates have arrived; each stage has an action of its own."""

    def __init__(self):
        self.stages = []  # creates, seconds, action
        self.count = lambda: 0
        self._ahead = 0.0

    def _look(self):
        while self.stages and self.count() >= self.stages[0][0]:
            _, seconds, act = self.stages.pop(0)
            self._ahead += seconds
            act()
        return self._ahead

    def now(self):
        return super().now() + self._look()

    def monotonic(self):
        return super().monotonic() + self._look()


@pytest.fixture
def clock():
    return StagedClock()


@pytest.fixture
def server(clock):
    with KeyServer(clock) as running:
        yield running


@pytest.fixture
def hospital(hospital_with, clock, server, monkeypatch, tmp_path):
    """A hospital that has no keys but those of its machine's role; the service knows the first three of them."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    hospital = hospital_with(clock=clock)
    shutil.rmtree(hospital.folder / "secrets")
    config = hospital.folder / "config.yaml"
    text = (
        config.read_text("utf-8")
        .replace("concurrency: 8", "concurrency: 1")
        .replace("secrets_dir: secrets\n", "")
    )
    config.write_text(f"{text}credentials: {{role: cvm, endpoint: '{server.url}'}}\n", "utf-8")
    accept(hospital, 1, 2, 3)
    clock.count = hospital.creates
    return hospital


def accept(hospital, *numbers):
    """Let the service know these keys alone."""
    tenants = tuple(
        dataclasses.replace(
            SANDBOX, secret_id=f"AKIDtmp{number}", secret_key=f"key-{number}", token=f"token-{number}"
        )
        for number in numbers
    )
    hospital.service._gateway._tenants = tenants


def test_keys_that_are_renewed_in_the_middle_of_a_run(hospital, server, clock):
    hospital.doctors(10)
    clock.stages = [
        (3, 7200 - 300, lambda: None),  # the second keys are fetched from here on
        (7, HOUR, lambda: accept(hospital, 2)),  # the first have expired
    ]
    assert hospital.run_to_end("run", clock=clock) == (0, {"sealed": 10})
    assert server.given == 2
    assert len(hospital.service.seals) == 10


def test_a_refused_token_is_replaced_once(hospital, server, clock):
    hospital.doctors(6)
    clock.stages = [(3, 120, lambda: refuse_token(hospital, 1))]
    assert hospital.run_to_end("run", clock=clock) == (0, {"sealed": 6})
    assert server.given == 2
    for number in (2, 3):
        refuse_token(hospital, number)
    hospital.doctors(8)
    assert hospital.go("run", clock=clock) == 4
    assert hospital.record()["halted"]["code"] == "AuthFailure.TokenFailure"
    refused = [call.code for call in hospital.service.received].count("AuthFailure.TokenFailure")
    assert 3 <= refused <= 4, "of the first run one for each row under way, of the second two"


def refuse_token(hospital, number):
    gateway = hospital.service._gateway
    gateway._tenants = tuple(
        dataclasses.replace(tenant, token="another") if tenant.secret_id == f"AKIDtmp{number}" else tenant
        for tenant in gateway._tenants
    )


def test_a_refused_token_is_replaced_once_for_a_certification_too(hospital, server, clock, capsys):
    """The token is refused between upload and create; keys that were just given are not asked for again."""
    hospital.doctors(1)
    assert hospital.go("run", clock=clock) == 0
    accept(hospital, *range(1, 9))
    received = hospital.service.received
    clock.count = lambda: len(received)
    clock.stages = [(len(received) + 1, 120, lambda: refuse_token(hospital, 2))]
    assert hospital.go("certify", "00001", "--yes", clock=clock) == 0
    assert server.given == 3
    refused = "AuthFailure.TokenFailure"
    assert [call.code for call in received][-3:] == ["ok", refused, "FailedOperation.ExistSameSealName"]
    assert len(hospital.service.seals) == 1
    # new keys that are refused as well end it, and the ledger knows that nothing was carried out
    clock.stages = [(len(received) + 1, 120, lambda: [refuse_token(hospital, number) for number in (4, 5)])]
    assert hospital.go("certify", "00001", "--yes", clock=clock) == 2
    assert refused in capsys.readouterr().err
    assert [call.code for call in received][-3:] == ["ok", refused, refused]
    assert hospital.go("certify", "00001", "--yes", clock=clock) == 0


def test_keys_that_expire_stop_the_run_and_what_is_left_is_sent_by_the_next(hospital, server, clock, capsys):
    hospital.doctors(10)

    def break_server():
        server.status = 503

    clock.stages = [(3, 7200 - 300, break_server), (6, HOUR, lambda: None)]
    exit_code, statuses = hospital.run_to_end("run", clock=clock)
    assert exit_code == 4
    assert statuses["sealed"] + statuses["not_sent"] == 10
    assert 6 <= statuses["sealed"] < 10
    record = hospital.record()
    assert record["halted"]["code"] == "ROLE_FAILED"
    assert "notices" not in record
    assert "HTTP 503" in capsys.readouterr().err
    hidden = ("key-1", "token-1", "AKIDtmp1")
    files = [path.read_bytes() for path in hospital.newest.rglob("*") if path.is_file()]
    assert not any(secret.encode() in content for secret in hidden for content in files)
    server.status = 200
    assert hospital.run_to_end("run", clock=clock)[0] == 0
    assert len(hospital.service.seals) == 10


def test_a_renewal_that_fails_late_is_a_notice(hospital, server, clock):
    hospital.doctors(5)

    def break_server():
        server.status = 503

    clock.stages = [(3, 7200 - 300, break_server)]
    assert hospital.run_to_end("run", clock=clock) == (0, {"sealed": 5})
    (notice,) = [notice for notice in hospital.record()["notices"] if notice["code"] == "KEYS_NOT_RENEWED"]
    assert "HTTP 503" in notice["message"]
    log = (hospital.newest / "log.jsonl").read_text("utf-8")
    assert "were not renewed" in log


def test_a_role_without_keys_ends_the_run_before_anything_is_sent(hospital, server, clock, capsys):
    hospital.doctors(1)
    server.status = 404
    assert hospital.go("run", clock=clock) == 4
    assert "no such role is bound to this machine" in capsys.readouterr().err
    assert hospital.service.received == []
    assert {path.name for path in hospital.runs[-1].iterdir()} == {"log.jsonl", "run.json"}, (
        "no row was begun"
    )


def test_doctor_names_the_role_or_why_it_gives_no_keys(hospital, server, capsys):
    assert hospital.go("doctor", "--json") == 0
    texts = [finding["text"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert "found in credentials.role: cvm" in texts
    assert "the sandbox accepted a call that changes nothing" in texts
    server.status = 404
    assert hospital.go("doctor", "--json") == 4
    output = capsys.readouterr().out
    assert "no such role is bound" in output
    assert "found in credentials.role" not in output
