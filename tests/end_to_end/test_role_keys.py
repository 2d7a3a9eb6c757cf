"""Whole runs whose keys come from a role: renewed in the middle, refused in the middle, never given."""

import dataclasses
import json
import shutil

import pytest
from key_server import LIST, KeyServer
from tencentcloud.common import credential as sdk

from pipeline.esign import role as role_module
from pipeline.sandbox.gateway import SANDBOX


@pytest.fixture
def server(monkeypatch):
    """Give keys of so few seconds that the SDK renews them whenever it is asked, and have it asked for each call."""
    monkeypatch.setattr(role_module, "ASK_SECONDS", 0.0)
    with KeyServer(lifetime=200.0) as running:
        monkeypatch.setattr(sdk.CVMRoleCredential, "_role_endpoint", running.url + LIST)
        yield running


@pytest.fixture
def hospital(hospital_with, server):
    """A hospital that has no keys but those of its machine's role."""
    hospital = hospital_with()
    shutil.rmtree(hospital.folder / "secrets")
    config = hospital.folder / "config.yaml"
    text = config.read_text("utf-8").replace("concurrency: 8", "concurrency: 1")
    config.write_text(f"{text.replace('secrets_dir: secrets', '')}credentials: {{role: cvm}}\n", "utf-8")
    accept(hospital, 60)
    return hospital


def accept(hospital, count):
    """Let the service know the first ``count`` keys of the role alone."""
    tenants = [
        dataclasses.replace(SANDBOX, secret_id=f"AKIDtmp{n}", secret_key=f"key-{n}", token=f"token-{n}")
        for n in range(1, count + 1)
    ]
    hospital.service._gateway._tenants = tenants


def test_keys_are_renewed_in_the_middle_of_a_run_and_stand_in_no_file(hospital, server):
    hospital.doctors(6)
    assert hospital.run_to_end("run") == (0, {"sealed": 6})
    assert server.given > 6
    files = [path.read_bytes() for path in hospital.newest.rglob("*") if path.is_file()]
    hidden = ("key-1", "token-1", "AKIDtmp1")
    assert not any(secret.encode() in content for secret in hidden for content in files)


def test_keys_that_the_service_refuses_stop_the_run_and_what_is_left_is_sent_by_the_next(hospital, server):
    hospital.doctors(6)
    accept(hospital, 6)
    exit_code, statuses = hospital.run_to_end("run")
    assert exit_code == 4
    assert statuses["sealed"] + statuses["not_sent"] == 6
    assert 0 < statuses["sealed"] < 6
    assert hospital.record()["halted"]["code"].startswith("AuthFailure.")
    accept(hospital, 60)
    assert hospital.run_to_end("run")[0] == 0
    assert len(hospital.service.seals) == 6
    assert hospital.service.list_duplicates() == {}


def test_a_renewal_that_fails_costs_nothing_while_the_keys_hold(hospital, server):
    hospital.doctors(4)
    failing = server.answer

    def answer(path):
        return failing(path) if server.given < 3 else b"<html>"

    server.answer = answer
    assert hospital.run_to_end("run") == (0, {"sealed": 4})
    assert server.given == 3


def test_a_role_without_keys_ends_the_run_before_anything_is_sent(hospital, server, capsys):
    hospital.doctors(1)
    server.status = 404
    assert hospital.go("run") == 4
    assert "perhaps no role is bound" in capsys.readouterr().err
    assert hospital.service.received == []
    record = json.loads((hospital.runs[-1] / "run.json").read_text("utf-8"))
    assert record["halted"]["code"] == "CREDENTIALS_MISSING"
    assert hospital.go("autosign", "status") in {0, 2, 4}
    assert hospital.service.received == []


def test_doctor_names_the_role_or_why_it_gives_no_keys(hospital, server, capsys):
    assert hospital.go("doctor", "--json") == 0
    texts = [finding["text"] for finding in json.loads(capsys.readouterr().out)["findings"]]
    assert "found in credentials.role: cvm" in texts
    assert "the sandbox accepted a call that changes nothing" in texts
    server.status = 404
    assert hospital.go("doctor", "--json") == 4
    output = capsys.readouterr().out
    assert "perhaps no role is bound" in output
    assert "found in credentials.role" not in output
