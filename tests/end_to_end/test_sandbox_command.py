"""`init --sandbox`, `demo` and `sandbox`: each folder is a hospital of its own, and a sandbox knows no other."""

import json
import shutil
import signal
import socket
from contextlib import contextmanager
from urllib.request import urlopen

import pytest
from crash_support import Zygote
from people import make_row
from roster_support import write_roster
from run_support import draw_seal, wait_until
from strange_servers import StrangeServer, answer

from pipeline.cli.app import main
from pipeline.config.settings import Config
from pipeline.ledger.places import get_state_folder
from pipeline.sandbox.gateway import SANDBOX


def make_project(folder):
    """Make a folder for a sandbox, with one doctor in place of the sample; return its configuration's file."""
    assert main(["--lang", "en", "init", str(folder), "--sandbox"]) == 0
    for name in ("inbox", "seals"):
        shutil.rmtree(folder / name)
        (folder / name).mkdir()
    write_roster(
        folder / "inbox" / "roster.xlsx", [("姓名", "证件号码", "手机号", "工号", "科室"), make_row(1)]
    )
    draw_seal(folder / "seals" / "00001.png", 1)
    return folder / "config.yaml"


def read_keys(config):
    folder = config.parent / "secrets"
    return tuple((folder / f"tencent__{name}").read_text().strip() for name in ("secret_id", "secret_key"))


def find_port(config):
    return int(Config.load(config, environment={}).api.endpoint.rpartition(":")[2])


def use_address_of(config, other):
    text = config.read_text("utf-8")
    config.write_text(text.replace(f":{find_port(config)}", f":{find_port(other)}"), "utf-8")


@contextmanager
def start_sandbox(config, *options):
    """Run the command until the end of the block, and yield what it prints first."""
    with Zygote() as zygote:
        process = zygote.start(config.parent, "sandbox", *options)
        printed = process.printed
        wait_until(lambda: printed.exists() and printed.read_text("utf-8").count("\n") >= 2)
        try:
            yield printed.read_text("utf-8").splitlines()
        finally:
            process.send_signal(signal.SIGINT)
            process.wait()


def read_truth(config):
    with urlopen(f"http://127.0.0.1:{find_port(config)}/_truth") as response:
        return json.load(response)


@pytest.fixture(scope="module")
def made_projects(tmp_path_factory):
    folder = tmp_path_factory.mktemp("projects")
    for name in ("mine", "theirs"):
        make_project(folder / name)
    return folder


@pytest.fixture
def projects(made_projects, tmp_path, capsys):
    """Return the configurations of two folders, copied from those that were made once."""
    shutil.copytree(made_projects, tmp_path, dirs_exist_ok=True)
    capsys.readouterr()
    return [tmp_path / name / "config.yaml" for name in ("mine", "theirs")]


def test_two_folders_have_ports_and_keys_of_their_own(projects):
    mine, theirs = projects
    assert find_port(mine) != find_port(theirs)
    assert not {*read_keys(mine), SANDBOX.secret_id, SANDBOX.secret_key} & {*read_keys(theirs)}


def test_a_sandbox_of_another_folder_refuses_the_keys(projects, capsys):
    mine, theirs = projects
    with start_sandbox(theirs) as printed:
        assert f"Sandbox at http://127.0.0.1:{find_port(theirs)} " in printed[0]
        assert f"It belongs to {theirs}: " in printed[1]
        assert main(["--lang", "en", "-c", str(theirs), "run", "--limit", "1"]) == 0
        use_address_of(mine, theirs)
        for command in ("run", "doctor"):
            capsys.readouterr()
            assert main(["--lang", "en", "-c", str(mine), command]) == 4
            shown = capsys.readouterr()
            assert "AuthFailure.SecretIdNotFound" in shown.out + shown.err
        assert len(read_truth(theirs)["seals"]) == 1


def test_a_port_that_is_taken_is_named_with_the_way_to_another(projects, capsys):
    config = projects[0]
    with socket.create_server(("127.0.0.1", find_port(config))):
        for language, words in (
            ("en", "is in use; choose another"),
            ("zh", "端口已被占用；请用 --port 换一个"),
        ):
            assert main(["--lang", language, "-c", str(config), "sandbox"]) == 2
            printed = capsys.readouterr().err
            assert str(find_port(config)) in printed
            assert words in printed
            assert printed.rstrip().endswith("sandbox --port 0")


def test_a_port_of_another_program_is_a_finding(projects, capsys):
    config = projects[0]
    for body in (b"[1]", b"no JSON"):
        with StrangeServer(answer("200 OK", body)) as server:
            text = config.read_text("utf-8").replace(f":{find_port(config)}", f":{server.port}")
            config.write_text(text, "utf-8")
            assert main(["--lang", "en", "-c", str(config), "doctor"]) == 5
            printed = capsys.readouterr()
            assert "Stop it and run esign-import sandbox" in " ".join(printed.out.split())


def test_a_rules_file_decides_how_the_sandbox_answers(projects, tmp_path, capsys):
    config = projects[0]
    rules = tmp_path / "rules.yaml"
    rules.write_text("inline: sometimes")
    assert main(["--lang", "en", "-c", str(config), "sandbox", "--rules", str(rules)]) == 2
    assert f"{rules}: inline: “sometimes” does not fit here" in capsys.readouterr().err
    assert main(["--lang", "en", "-c", str(config), "sandbox", "--rules", str(tmp_path / "none.yaml")]) == 2
    assert f"{tmp_path / 'none.yaml'} does not exist" in capsys.readouterr().err
    rules.write_text("inline: on")
    with start_sandbox(config, "--rules", str(rules)):
        assert main(["--lang", "en", "-c", str(config), "run"]) == 4, "no FileId is taken"
        assert read_truth(config)["seals"] == []


def test_a_configuration_that_uses_no_sandbox_starts_none(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("api: {app_id: a, organization_open_id: b, operator_open_id: c}\n")
    assert main(["--lang", "en", "-c", str(config), "sandbox"]) == 2
    printed = capsys.readouterr().err
    assert "does not use a sandbox on this machine" in printed
    assert "init --sandbox" in printed


def test_a_folder_without_keys_starts_none(projects, capsys):
    folder = projects[0].parent / "secrets"
    for file in folder.iterdir():
        file.write_text("")
    assert main(["--lang", "en", "-c", str(projects[0]), "sandbox"]) != 0
    assert str(folder / "tencent__secret_key") in capsys.readouterr().err


def test_sandboxes_of_one_user_do_not_contradict_one_another(projects, capsys):
    for config in projects:
        with start_sandbox(config):
            assert main(["--lang", "en", "-c", str(config), "run", "--limit", "1"]) == 0
            assert "from its journals" not in capsys.readouterr().err
            assert len(read_truth(config)["seals"]) == 1
    assert len([*get_state_folder().glob("sandbox-*/*.jsonl")]) == 2
    with start_sandbox(projects[0]):  # what one sandbox has made is known to each of its ledgers
        other = projects[0].parent / "other.yaml"
        text = projects[0].read_text("utf-8").replace("state/ledger", "elsewhere/ledger")
        other.write_text(text.replace("out: out", "out: other"), "utf-8")
        assert main(["--lang", "en", "-c", str(other), "run", "--limit", "1"]) == 0
        assert "from its journals" in capsys.readouterr().err
        assert read_truth(projects[0])["seals"] == [], "of this sandbox's own start: none is made again"


def test_demos_are_hospitals_of_their_own(tmp_path):
    for name in ("first", "second"):
        assert main(["--lang", "en", "demo", "--rows", "1", "--out", str(tmp_path / name)]) == 3
    first, second = (tmp_path / name / "config.yaml" for name in ("first", "second"))
    assert find_port(first) != find_port(second)
    assert Config.load(first, environment={}).tenant != Config.load(second, environment={}).tenant
    assert not {*read_keys(first)} & {*read_keys(second)}
    with start_sandbox(first):
        assert main(["--lang", "en", "-c", str(first), "doctor"]) == 0
    assert not get_state_folder().exists(), "what a demo knows lies in its own folder"
