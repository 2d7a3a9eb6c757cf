"""`init --sandbox`, `demo` and `sandbox`: each folder has a sandbox of its own, and another one's is refused by its name."""

import json
import re
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
from strange_servers import StrangeServer, answer, send_raw

from pipeline.cli.app import main
from pipeline.config.settings import load
from pipeline.ledger.registry import default_folder
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
    return int(load(config, {}).api.endpoint.rpartition(":")[2])


def use_address_of(config, other):
    text = config.read_text("utf-8")
    config.write_text(text.replace(f":{find_port(config)}", f":{find_port(other)}"), "utf-8")


@contextmanager
def start_sandbox(config):
    """Run the command until the end of the block, and yield what it prints first."""
    with Zygote() as zygote:
        process = zygote.start(config.parent, "sandbox")
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


def test_a_sandbox_of_another_folder_is_refused_by_its_name(projects, capsys):
    mine, theirs = projects
    with start_sandbox(theirs) as printed:
        assert f"Sandbox at http://127.0.0.1:{find_port(theirs)} " in printed[0]
        assert f"It belongs to {theirs}: " in printed[1]
        assert main(["--lang", "en", "-c", str(theirs), "run", "--limit", "1"]) == 0
        use_address_of(mine, theirs)
        capsys.readouterr()
        for language, words in (("en", "but that of another one: "), ("zh", "是另一个配置的：")):
            for command in ("run", "doctor"):
                assert main(["--lang", language, "-c", str(mine), command]) == 4
                shown = capsys.readouterr()
                assert f"{words}{theirs} (" in shown.out + shown.err
                assert "console" not in shown.err
        truth = read_truth(theirs)
        assert truth["owner"].startswith(f"{theirs} (")
        assert len(truth["seals"]) == 1


def test_a_sandbox_whose_keys_were_changed_is_not_called_that_of_another(projects, capsys):
    mine, _ = projects
    with start_sandbox(mine):
        for part in ("id", "key"):
            file = mine.parent / "secrets" / f"tencent__secret_{part}"
            former = file.read_text()
            file.write_text("AKIDsandbox" + "1" * 26)
            capsys.readouterr()
            for language, words in (
                ("en", f"was started with other keys than {file} holds now"),
                ("zh", f"沙盒启动之后，{file} 改过：沙盒用的还是启动时的密钥"),
            ):
                for command in ("run", "doctor"):
                    assert main(["--lang", language, "-c", str(mine), command]) == 4
                    shown = capsys.readouterr()
                    printed = " ".join((shown.out + shown.err).split())
                    assert words.replace(" ", "") in printed.replace(" ", "")
                    assert f"esign-import --config {mine} sandbox" in printed
                    assert "another configuration" not in printed
            file.write_text(former)


def test_a_port_that_is_taken_names_its_holder_and_a_free_one(projects, capsys):
    mine, theirs = projects
    with start_sandbox(theirs):
        use_address_of(mine, theirs)
        for language in ("en", "zh"):
            assert main(["--lang", language, "-c", str(mine), "sandbox"]) == 2
            printed = capsys.readouterr().err
            assert f"{theirs} (" in printed
            free = re.search(r"\bendpoint: http://127\.0\.0\.1:(\d+)", printed)
            assert free is not None, printed
            with socket.create_server(("127.0.0.1", int(free[1]))):
                pass
            assert printed.rstrip().endswith("sandbox")
        assert main(["--lang", "en", "-c", str(theirs), "sandbox"]) == 2
        printed = capsys.readouterr().err
        assert "is running already" in printed
        assert printed.rstrip().endswith(" check")
        fresh = mine.parent.with_name("fresh")
        assert main(["init", str(fresh), "--sandbox", "--yes"]) == 0
        capsys.readouterr()
        assert (
            main(
                [
                    "--lang",
                    "en",
                    "-c",
                    str(fresh / "config.yaml"),
                    "sandbox",
                    "--port",
                    str(find_port(theirs)),
                ]
            )
            == 2
        )
        assert capsys.readouterr().err.rstrip().endswith("sandbox"), "that of api.endpoint is free"
        assert main(["--lang", "en", "sandbox", "--port", str(find_port(theirs))]) == 2
        printed = capsys.readouterr().err
        assert f"in use by the sandbox of {theirs}" in printed
        assert "sandbox --port 0" in printed


def test_a_port_of_another_program_is_called_so_with_its_answer(projects, capsys):
    config = projects[0]
    for body in (b"[1]", b"no JSON", b'{"owner":7}'):
        with StrangeServer(answer("200 OK", body)) as server:
            text = config.read_text("utf-8").replace(f":{find_port(config)}", f":{server.port}")
            config.write_text(text, "utf-8")
            for language, words in (
                ("en", "in use by another program (no sandbox: it answers HTTP 200)"),
                ("zh", "已被其他程序（不是沙盒，应答 HTTP 200）占用"),
            ):
                assert main(["--lang", language, "-c", str(config), "sandbox"]) == 2
                assert words in capsys.readouterr().err
            assert main(["--lang", "en", "-c", str(config), "doctor"]) == 5
            printed = capsys.readouterr()
            assert "names a free port" in " ".join(printed.out.split())
            assert printed.err.rstrip().endswith(" sandbox")


def test_a_program_that_answers_no_http_is_called_so_by_its_name_or_its_silence(projects, capsys):
    config = projects[0]
    for strange, words in (
        (answer("404 Not Found", b"", "Server: printer/2"), "it answers HTTP 404, printer/2)"),
        (send_raw(b"220 mail\r\n"), "no sandbox: it gives no HTTP answer)"),
    ):
        with StrangeServer(strange) as server:
            text = config.read_text("utf-8").replace(f":{find_port(config)}", f":{server.port}")
            config.write_text(text, "utf-8")
            assert main(["--lang", "en", "-c", str(config), "sandbox"]) == 2
            assert words in capsys.readouterr().err


def test_a_configuration_that_uses_no_sandbox_starts_none(tmp_path, capsys):
    config = tmp_path / "config.yaml"
    config.write_text("api: {app_id: a, organization_open_id: b, operator_open_id: c}\n")
    assert main(["--lang", "en", "-c", str(config), "sandbox"]) == 2
    printed = capsys.readouterr().err
    assert "does not use a sandbox on this machine" in printed
    assert "init --sandbox" in printed


def test_a_folder_without_keys_gets_the_published_ones(projects):
    for file in (projects[0].parent / "secrets").iterdir():
        file.write_text("")
    folder = projects[0].parent / "secrets"
    with start_sandbox(projects[0]) as printed:
        text = " ".join(" ".join(printed).split())
        assert f"SecretId {SANDBOX.secret_id} SecretKey {SANDBOX.secret_key} " in text
        assert str(folder / "tencent__secret_key") in text
        assert main(["--lang", "en", "-c", str(projects[0]), "doctor"]) == 4
        (folder / "tencent__secret_id").write_text(SANDBOX.secret_id)
        (folder / "tencent__secret_key").write_text(SANDBOX.secret_key)
        assert main(["--lang", "en", "-c", str(projects[0]), "doctor"]) == 0


def test_sandboxes_of_one_user_do_not_contradict_one_another(projects, capsys):
    for config in projects:
        with start_sandbox(config):
            assert main(["--lang", "en", "-c", str(config), "run", "--limit", "1"]) == 0
            assert "registry" not in capsys.readouterr().err
    assert len([*default_folder().glob("sandbox-*.json")]) == 2
    with start_sandbox(projects[0]):  # of one sandbox there is one ledger
        other = projects[0].parent / "other.yaml"
        text = projects[0].read_text("utf-8").replace("state/ledger", "elsewhere/ledger")
        other.write_text(text.replace("out: out", "out: other"), "utf-8")
        main(["--lang", "en", "-c", str(other), "run", "--limit", "1"])
        assert "According to the registry" in capsys.readouterr().err


def test_demos_have_keys_and_ports_of_their_own(tmp_path):
    for name in ("first", "second"):
        assert main(["--lang", "en", "demo", "--rows", "1", "--out", str(tmp_path / name)]) == 3
    first, second = (tmp_path / name / "config.yaml" for name in ("first", "second"))
    assert find_port(first) != find_port(second)
    assert not {*read_keys(first)} & {*read_keys(second)}
    with start_sandbox(first):
        assert main(["--lang", "en", "-c", str(first), "doctor"]) == 0
