"""`ops/`: what its files refer to exists, and they keep what they promise; the recipes themselves are make targets."""

import re
import shlex
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from zipfile import ZipFile

import pytest
from ruamel.yaml import YAML

from pipeline.cli.app import cli
from pipeline.config.named_paths import LEDGER_SECRET_FILE, SERVER_PASSWORD_FILE
from pipeline.messages.areas import AREAS
from pipeline.operations.init_project import SECRETS as SECRET_FILES

REPOSITORY = Path(__file__).parents[2]
DOCKER = REPOSITORY / "ops" / "docker"
DURABLE_SETTINGS = (
    "synchronous_commit",
    "fsync",
    "full_page_writes",
)  # a ledger refuses a server without them
INSTRUCTIONS = {"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "VOLUME", "STOPSIGNAL", "ENTRYPOINT", "CMD"}


def read_instructions() -> list[tuple[str, str]]:
    text = (DOCKER / "Dockerfile").read_text("utf-8")
    text = re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line]


def read_compose(name: str = "compose.yaml") -> dict:
    return YAML(typ="safe").load((DOCKER / name).read_text("utf-8"))


def test_the_dockerfile_copies_what_exists_and_runs_without_root():
    instructions = read_instructions()
    assert {name for name, _ in instructions} <= INSTRUCTIONS
    last = dict(instructions)
    assert last["USER"].split(":")[0] not in {"0", "root"}
    assert last["VOLUME"] == last["WORKDIR"] == "/data"
    assert "HOME=/data XDG_STATE_HOME=/data/" in last["ENV"], "the journals lie in the volume"
    patterns = (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    sent = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
    sources = [
        source
        for name, words in instructions
        if name == "COPY" and not words.startswith("--from")
        for source in shlex.split(words)[:-1]
    ]
    assert sources
    for source in sources:
        assert (REPOSITORY / source).exists(), source
        assert source in sent, "else the build does not see it"
    assert sorted(sources) == sorted(sent)


def test_what_the_image_installs_is_all_that_the_wheel_needs(tmp_path):
    """Build the wheel from exactly the files that the image gets."""
    from shutil import copy, copytree

    for pattern in (DOCKER / "Dockerfile.dockerignore").read_text("utf-8").splitlines():
        source = REPOSITORY / pattern[1:]
        if pattern.startswith("!"):
            (copytree if source.is_dir() else copy)(source, tmp_path / source.name)
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, "--no-index", "-w", str(tmp_path / "out"), str(tmp_path)], check=True)
    (wheel,) = (tmp_path / "out").iterdir()
    assert fnmatch(wheel.name, "esign_import-*.whl")
    with ZipFile(wheel) as contents:
        packed = {name for name in contents.namelist() if name.startswith("pipeline/messages/")}
    assert {f"pipeline/messages/{area}.toml" for area in AREAS} <= packed


def test_the_compose_file_refers_to_what_exists():
    compose = read_compose()
    service = compose["services"]["esign-import"]
    build = service["build"]
    context = (DOCKER / build["context"]).resolve()
    assert context == REPOSITORY
    assert (context / build["dockerfile"]).samefile(DOCKER / "Dockerfile")
    assert service["command"][0] in cli.commands
    assert service["user"].split(":")[0] == dict(read_instructions())["USER"].split(":")[0]
    assert [volume.partition(":")[2] for volume in service["volumes"]] == ["/data"]
    assert set(service["secrets"]) == compose["secrets"].keys() == set(SECRET_FILES)
    assert service["environment"] == {"CREDENTIALS_DIRECTORY": "/run/secrets"}
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]


def test_the_compose_file_of_several_hosts_has_hardened_workers_and_a_durable_server():
    compose = read_compose("compose.hosts.yaml")
    alone = read_compose()["services"]["esign-import"]
    server, workers = compose["services"].pop("postgres"), compose["services"].values()
    assert len(workers) >= 2
    for worker in workers:
        assert worker["command"] == ["--config", "/data", "worker"]
        hardened = ("build", "image", "user", "init", "read_only", "tmpfs", "cap_drop", "security_opt")
        assert {key: worker[key] for key in hardened} == {key: alone[key] for key in hardened}
        assert worker["environment"] == {
            "CREDENTIALS_DIRECTORY": "/run/secrets",
            "XDG_STATE_HOME": "/var/lib/esign/state",
            "ESIGN_IMPORT_WORKERS__LISTEN": "9187",
        }
        assert "http://127.0.0.1:9187/health" in worker["healthcheck"]["test"][-1]
        assert (
            set(worker["secrets"])
            == compose["secrets"].keys()
            == {*SECRET_FILES, LEDGER_SECRET_FILE, SERVER_PASSWORD_FILE}
        )
        assert [volume.partition(":")[2] for volume in worker["volumes"]] == ["/data", "/var/lib/esign"]
        assert worker["restart"] == "unless-stopped", "a worker ends where the server is away for long"
        assert worker["depends_on"] == {"postgres": {"condition": "service_healthy"}}
        assert set(server["networks"]) < set(worker["networks"]), (
            "the service is reached, by the workers alone"
        )
    assert compose["networks"]["database"] == {"internal": True}
    assert "ports" not in server
    assert server["environment"]["POSTGRES_PASSWORD_FILE"] == f"/run/secrets/{SERVER_PASSWORD_FILE}"
    assert {f"{setting}=on" for setting in DURABLE_SETTINGS} <= set(server["command"])
    assert "pg_isready" in server["healthcheck"]["test"]
    assert server["restart"] == "unless-stopped"
    own = [volume.partition(":")[0] for worker in workers for volume in worker["volumes"][1:]]
    assert [server["volumes"][0].partition(":")[0], *own] == list(compose["volumes"]), (
        "a state folder for each"
    )
    (made,) = [words for name, words in read_instructions() if name == "RUN" and "useradd" in words]
    assert made.endswith("/data /var/lib/esign"), "a new volume has the owner of the image's folder"


def test_the_bundle_holds_every_file_that_is_no_module():
    spec = (REPOSITORY / "ops" / "bundle" / "esign-import.spec").read_text("utf-8")
    package = REPOSITORY / "pipeline"
    files = [
        path
        for path in package.rglob("*")
        if path.is_file() and path.suffix not in {".py", ".pyc"} and path.name != "py.typed"
    ]
    folders = set()
    for path in files:
        first, second, *deeper = path.relative_to(package).parts
        folders.add((first, second if deeper else f"*{path.suffix}"))
    missing = [names for names in folders if " / ".join(f'"{name}"' for name in names) not in spec]
    assert missing == []


def test_the_recipe_of_the_bundle_explains_itself():
    command = [sys.executable, str(REPOSITORY / "ops" / "bundle" / "build.py"), "--help"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "ops/bundle/build.py" in text


@pytest.mark.parametrize("page", ["README.md", "README.zh-CN.md", "CONTRIBUTING.md"])
def test_the_pages_name_every_package_that_ci_installs(page):
    script = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    packages = re.search(r"^packages=\((.*)\)$", script, re.MULTILINE)[1].split()
    text = (REPOSITORY / page).read_text("utf-8")
    assert [package for package in packages if f"`{package}`" not in text] == []
