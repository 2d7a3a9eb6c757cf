"""`doctor`: each planted fault is found, with what to do; a sound installation has none."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from bound_support import BOUND, needs_rights
from crash_support import read_places
from tls_support import TlsRelay

from pipeline.clock import SystemClock
from pipeline.config.settings import Config
from pipeline.ledger.lock import RunLock
from pipeline.ledger.places import get_state_folder
from pipeline.operations import doctor
from pipeline.sandbox.gateway import SANDBOX


def examine(hospital, capsys):
    """Return the exit code of `doctor` and its findings by topic and level."""
    capsys.readouterr()
    code = hospital.go("--json", "doctor")
    report = json.loads(capsys.readouterr().out)
    assert report["exit"] == code
    return code, report["findings"]


def examine_with_rights(hospital):
    """Run `doctor` in a process that rights bind."""
    return subprocess.run(
        [*BOUND, sys.executable, "-m", "pipeline", *hospital.command("doctor")],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={**os.environ, "XDG_STATE_HOME": str(hospital.folder / "state_home")},
        check=False,
    )


def edit_config(hospital, old, new):
    path = hospital.folder / "config.yaml"
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), "utf-8")


def write_secret(hospital, name, text):
    (hospital.folder / "secrets" / f"tencent__{name}").write_text(text)


def stop_run(hospital):
    hospital.doctors(1)
    write_secret(hospital, "secret_key", "")
    assert hospital.go("run") == 4
    write_secret(hospital, "secret_key", SANDBOX.secret_key)


def lose_ledger(hospital):
    hospital.seal_doctors(1)
    hospital.lose_ledger()


def damage_ledger(hospital):
    hospital.seal_doctors(1)
    path = hospital.folder / "state" / "ledger.sqlite3"
    content = bytearray(path.read_bytes())
    content[100:4096] = bytes(len(content[100:4096]))
    path.write_bytes(content)


def damage_journals(hospital, count=1):
    """Change a letter in the middle of so many of the two files."""
    hospital.seal_doctors(1)
    for path in read_places(hospital.folder).list_files()[:count]:
        content = path.read_bytes()
        half = len(content) // 2
        path.write_bytes(content[:half] + bytes([content[half] ^ 1]) + content[half + 1 :])


def damage_all(hospital):
    damage_journals(hospital, count=2)
    hospital.lose_ledger()


def write_keys_into_config(hospital):
    keys = f"credentials: {{secret_id: {SANDBOX.secret_id}, secret_key: {SANDBOX.secret_key}}}"
    edit_config(hospital, "limits:", f"{keys}\nlimits:")


def use_ledger_of_another_tenant(hospital):
    hospital.seal_doctors(1)
    edit_config(hospital, SANDBOX.organization_open_id, "org_another")


FAULTS = {  # what is planted: how, the topic and level of its finding, words of it, the exit code
    "misspelt key": (lambda h: edit_config(h, "limits:", "limitz:"), "config", "fault", "did you mean limits", 2),
    "an id is missing": (lambda h: edit_config(h, SANDBOX.app_id, "…"), "config", "fault", "api.app_id (line 3)", 2),
    "no certificate": (
        lambda h: ((h.folder / "ca.pem").write_text("none"), h.configure(ca_file="ca.pem")),
        "config", "fault", "contains no usable certificate", 2,
    ),
    "no certificate, so no call": (
        lambda h: ((h.folder / "ca.pem").write_text("none"), h.configure(ca_file="ca.pem")),
        "network", "fault", "not asked, because", 2,
    ),
    "a certificate file is missing": (lambda h: h.configure(ca_file="ca.pem"), "config", "fault", "ca.pem", 2),
    "readable secrets": (
        lambda h: (h.folder / "secrets" / "tencent__secret_key").chmod(0o644), "config", "warning", "chmod 600", 0,
    ),
    "misspelt folder": (
        lambda h: edit_config(h, "limits:", "seals: seal\nlimits:"), "paths", "fault", "Did you mean", 2,
    ),
    "results cannot be written": (lambda h: (h.folder / "out").write_text(""), "paths", "fault", "out", 74),
    "no language": (lambda _: None, "console", "warning", "language: zh or en", 0),
    "the proxy is gone": (
        lambda h: h.configure(proxy="http://127.0.0.1:9"), "network", "fault", "api.proxy", 5,
    ),
    "the service is gone": (lambda h: h.configure(endpoint="http://127.0.0.1:9"), "network", "fault", "refused", 5),
    "the clock is slow": (
        lambda h: setattr(h.service_clock, "ahead", 90.0), "clock", "warning", "s behind", 0,
    ),
    "the clock is fast": (
        lambda h: setattr(h.service_clock, "ahead", -900.0), "clock", "fault", "s ahead", 4,
    ),
    "no keys": (lambda h: shutil.rmtree(h.folder / "secrets"), "credentials", "fault", "tencent__secret", 4),
    "half of the keys": (lambda h: write_secret(h, "secret_key", ""), "credentials", "fault", "SecretKey", 4),
    "a wrong key": (lambda h: write_secret(h, "secret_key", "wrong"), "credentials", "fault", "SignatureFailure", 4),
    "keys that expire": (
        lambda h: write_secret(h, "token", "t"), "credentials", "warning", "are not renewed when they expire", 4,
    ),
    "a role that is not asked": (
        lambda h: edit_config(h, "limits:", "credentials: {role: cvm}\nlimits:"), "credentials", "warning", "comes first", 0,
    ),
    "keys in the configuration": (
        write_keys_into_config, "config", "fault", "Keys do not belong in config.yaml", 2,
    ),
    "an unknown id": (lambda h: write_secret(h, "secret_id", "AKIDx"), "credentials", "fault", "SecretId", 4),
    "another operator": (lambda h: h.configure(operator_open_id="nobody"), "credentials", "fault", "perator", 4),
    "another organisation": (
        lambda h: h.configure(organization_open_id="nobody"), "credentials", "fault", "rganization", 4,
    ),
    "a lost ledger": (lose_ledger, "ledger", "warning", "entered from its journals", 0),
    "a damaged ledger": (damage_ledger, "ledger", "warning", "damaged", 0),
    "a damaged journal": (damage_journals, "ledger", "fault", "ledger check", 74),
    "no ledger, and damaged journals": (damage_all, "ledger", "fault", "no journal of this host is whole", 74),
    "another tenant's ledger": (use_ledger_of_another_tenant, "ledger", "fault", "org_another", 4),
    "a run that failed": (stop_run, "last_run", "warning", "exit code 4", 0),
    "no notifications": (lambda _: None, "notify", "warning", "notify__urls", 0),
}  # fmt: skip


@pytest.fixture
def one_seal(scene):
    """A doctor was sealed."""

    def play(hospital):
        hospital.seal_doctors(1)

    return scene(play)


@pytest.mark.parametrize("fault", FAULTS)
def test_each_planted_fault_is_found(hospital, capsys, monkeypatch, fault):
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    plant, topic, level, words, exit_code = FAULTS[fault]
    plant(hospital)
    code, findings = examine(hospital, capsys)
    texts = [
        f"{finding['text']} {finding['remedy']}"
        for finding in findings
        if (finding["topic"], finding["level"]) == (topic, level)
    ]
    assert any(words in text for text in texts), findings
    assert code == exit_code, findings


def test_the_command_for_readable_secrets_can_be_typed(hospital, capsys):
    files = [hospital.folder / "secrets" / f"tencent__{name}" for name in ("secret_id", "secret_key")]
    for file in files:
        file.chmod(0o644)
    _, findings = examine(hospital, capsys)
    (remedy,) = [finding["remedy"] for finding in findings if "chmod" in (finding["remedy"] or "")]
    subprocess.run(remedy.removeprefix("Type: "), shell=True, check=True)
    assert [file.stat().st_mode & 0o077 for file in files] == [0, 0]


def test_a_sound_installation_has_no_faults(hospital, capsys, monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    hospital.seal_doctors(2)
    (hospital.folder / "secrets" / "notify__ping").write_text("http://127.0.0.1:9/ping\n")
    (hospital.folder / "secrets" / "notify__ping").chmod(0o600)
    code, findings = examine(hospital, capsys)
    assert code == 0
    assert [finding for finding in findings if finding["level"] != "ok"] == []
    (last_run,) = [finding["text"] for finding in findings if finding["topic"] == "last_run"]
    assert re.fullmatch(r"[-\d]+, ended \d{4}-\d\d-\d\d \d\d:\d\d, exit code 0", last_run)
    assert {finding["topic"] for finding in findings} == {
        "notify", "config", "paths", "space", "console", "network", "clock", "credentials", "ledger", "last_run",
        "versions",
    }  # fmt: skip
    assert len(hospital.service.seals) == 2  # nothing was created, nothing uploaded
    assert hospital.go("run") == 0


def list_notes(hospital):
    """Return the notes on where the journals lie."""
    config = Config.load(hospital.folder / "config.yaml", environment={})
    return [finding for finding in doctor.examine_places(config, SystemClock()) if finding.level == "note"]


def test_snapshots_are_noted_unless_the_seals_are_a_sandboxes(hospital):
    assert list_notes(hospital) == []
    hospital.configure(endpoint="https://essbasic.tencentcloudapi.com")
    (note,) = list_notes(hospital)
    assert "snapshot" in note.text
    assert note.remedy is not None


@pytest.mark.parametrize(
    ("language", "text", "cure", "indent"),
    [
        ("en", "was found, searched in this order:\n", "To do: Write the keys into ", 10),
        ("zh", "没有找到成对的 SecretId 和 SecretKey，依次查找了：\n", "处理：请把密钥写进 ", 7),
    ],
)
def test_missing_keys_are_listed_below_their_line_and_have_a_cure(
    hospital, capsys, language, text, cure, indent
):
    shutil.rmtree(hospital.folder / "secrets")
    (hospital.folder / "secrets").mkdir()
    assert hospital.go("--lang", language, "doctor") == 4
    printed = capsys.readouterr().out
    listed, _, rest = printed.partition(text)[2].partition(" " * indent + cure)
    assert "tencent__secret_id" in rest.splitlines()[0]
    assert len(listed.splitlines()) == 2
    for line in listed.splitlines():
        assert line.startswith(" " * (indent + 2)), line


def test_a_clock_that_is_nearly_right_is_in_order(hospital, capsys):
    hospital.service_clock.ahead = 20.0
    _, findings = examine(hospital, capsys)
    (clock,) = [finding for finding in findings if finding["topic"] == "clock"]
    assert clock["level"] == "ok"
    assert re.fullmatch(r"differs from the service's time by (19|20|21) seconds", clock["text"])


@pytest.mark.parametrize("elsewhere", ["out", "state"])
def test_a_journal_on_a_network_disk_is_on_another_machine(hospital, monkeypatch, tmp_path, elsewhere):
    hospital.configure(endpoint="https://essbasic.tencentcloudapi.com")
    folder = {"out": hospital.folder / "out", "state": get_state_folder()}[elsewhere]
    mounts = tmp_path / "proc" / "self" / "mounts"
    mounts.parent.mkdir(parents=True)
    mounts.write_text(f"/dev/a / ext4 rw 0 0\n//nas/esign {folder} cifs rw 0 0\n")
    monkeypatch.setattr(psutil, "PROCFS_PATH", str(tmp_path / "proc"))
    assert list_notes(hospital) == []


def test_a_wrong_clock_is_one_fault_and_each_host_has_one_line(hospital, capsys):
    hospital.service_clock.ahead = 900.0
    _, findings = examine(hospital, capsys)
    assert [finding["topic"] for finding in findings if finding["level"] == "fault"] == ["clock"]
    assert sum(finding["topic"] == "network" for finding in findings) == 1


def test_a_certificate_that_is_not_trusted_is_named(hospital, capsys):
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}")
        code, findings = examine(hospital, capsys)
    assert code == 5
    assert any("self-signed certificate" in finding["text"] for finding in findings)


def test_a_run_in_progress_is_no_fault(one_seal, capsys):
    hospital = one_seal
    with RunLock(hospital.folder / "state" / "ledger.sqlite3").acquire(run="another", now=0.0):
        code, findings = examine(hospital, capsys)
    assert code == 0
    assert any("run another is in progress since 1970" in finding["text"] for finding in findings)


def test_a_full_disk_is_a_fault_and_a_nearly_full_one_a_warning(hospital, monkeypatch):
    config = Config.load(hospital.folder / "config.yaml", environment={})
    free = shutil.disk_usage(hospital.folder).free
    for low, none, level in ((free * 2, 0, "warning"), (free * 4, free * 2, "fault")):
        monkeypatch.setattr(doctor, "LOW_SPACE", low)
        monkeypatch.setattr(doctor, "NO_SPACE", none)
        assert {finding.level for finding in doctor.examine_space(config)} == {level}


@needs_rights
def test_rights_are_those_of_the_user_who_runs_it(hospital):
    hospital.doctors(1)
    (hospital.folder / "inbox" / "roster.xlsx").chmod(0)
    done = examine_with_rights(hospital)
    assert done.returncode == 2, done.stdout
    assert "may not read" in done.stdout
    assert "Give user" in done.stdout


@needs_rights
def test_a_stale_side_file_of_the_ledger_is_named(one_seal):
    hospital = one_seal
    side_file = hospital.folder / "state" / "ledger.sqlite3-shm"
    side_file.write_bytes(b"")
    side_file.chmod(0o444)
    done = examine_with_rights(hospital)
    assert done.returncode == 74
    assert "ledger.sqlite3-shm" in done.stdout
