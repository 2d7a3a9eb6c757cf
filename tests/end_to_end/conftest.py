"""A small hospital on disk, a sandbox on a socket, and the command line between them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

import pytest
from crash_support import Zygote, read_places
from desktop import browser_aside
from people import make_row
from roster_support import write_roster
from run_support import QuickClock, draw_seal, newest_results

import pipeline
from pipeline.cli.app import main
from pipeline.clock import SystemClock
from pipeline.ledger.places import SHARE
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.faults import parse_faults
from pipeline.sandbox.gateway import SANDBOX
from pipeline.sandbox.server import Sandbox, SandboxThread
from pipeline.sandbox.service import FakeService

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")
CREATE = "ChannelCreatePreparedPersonalEsign"


class ServiceClock(SystemClock):
    """The service's clock; it moves on with whoever comes back later."""

    ahead = 0.0  # seconds

    def now(self) -> float:
        return super().now() + self.ahead


@dataclass
class Hospital:
    """A folder with a config, a roster and pictures; `go` runs the command line in this process."""

    folder: Path
    sandbox: SandboxThread
    config: str = "config.yaml"  # empty: the folder holds several hospitals
    marked_copies: bool = False  # each costs a run 30 ms
    settings: dict = field(default_factory=dict)
    ledger: str | None = None  # the address of a server; None: the default file
    organization: str = SANDBOX.organization_open_id
    requests_per_second: float = 1000
    direct_ledger: str | None = None  # the same, past a wire that breaks
    service_clock: ServiceClock = field(default_factory=ServiceClock)

    @property
    def service(self) -> FakeService:
        return self.sandbox.service

    def configure(self, **api) -> None:
        ids = {
            "app_id": SANDBOX.app_id,
            "organization_open_id": self.organization,
            "operator_open_id": SANDBOX.operator_open_id,
        }
        if api.get("product") == "ess":
            ids = {"organization": self.organization, "operator_user_id": SANDBOX.operator_user_id}
        lines = {
            "endpoint": self.sandbox.url,
            **ids,
            "timeout_seconds": 30,
            **api,
        }
        text = "api:\n" + "".join(f"  {key}: {json.dumps(value)}\n" for key, value in lines.items())
        text += f"limits: {{requests_per_second: {self.requests_per_second}, concurrency: 8}}\nsecrets_dir: secrets\n"
        text += f"marked_copies: {json.dumps(self.marked_copies)}\n"
        if self.ledger:
            text += f"ledger: {self.ledger}\n"
        (self.folder / "config.yaml").write_text(text, "utf-8")

    def doctors(self, count: int, *, start: int = 1, file: str = "roster.xlsx") -> None:
        """Write a roster of so many clean rows, and a picture for each."""
        self.roster([make_row(serial) for serial in range(start, start + count)], file=file)
        for serial in range(start, start + count):
            draw_seal(self.folder / "seals" / f"{serial:05d}.png", serial)

    def roster(self, rows, *, headers=HEADERS, file: str = "roster.xlsx") -> None:
        (self.folder / "inbox").mkdir(exist_ok=True)
        write_roster(self.folder / "inbox" / file, [headers, *rows])

    def command(self, *arguments: str, language: str = "en") -> list[str]:
        """Return the words of a command line that uses this hospital's configuration."""
        return ["--config", str(self.folder / self.config), "--lang", language, *arguments]

    def go(self, *arguments: str, clock: SystemClock | None = None) -> int:
        with browser_aside():
            return main(self.command(*arguments), clock=clock or QuickClock())

    def run_to_end(self, *arguments: str, clock: SystemClock | None = None) -> tuple[int, dict[str, int]]:
        """Return a command's exit code and how many rows ended in which status: not of a check that a page made meanwhile."""
        code = self.go(*arguments, clock=clock)
        files = [self.newest / "run.json", *(run / "run.json" for run in self.runs[::-1])]
        records = (json.loads(file.read_text("utf-8")) for file in files if file.exists())
        record = next(record for record in records if record["command"] in arguments)
        return code, {status: rows for status, rows in record["statuses"].items() if rows}

    def seal_doctors(self, count: int, *, write: bool = True, **roster) -> None:
        """Write a roster of so many doctors and run over it; without writing, for a third less, no results are left."""
        self.doctors(count, **roster)
        if write:
            assert self.go("run") == 0
        else:
            assert pipeline.run(self.folder / "config.yaml", write=False).exit == 0

    def lose_ledger(self) -> None:
        """Delete the ledger itself; its key and lock file stay."""
        for path in (self.folder / "state").glob("ledger.sqlite3*"):
            if path.suffix not in {".key", ".lock"}:
                path.unlink()

    def damage_keys(self) -> None:
        """Write over the site key and its copy."""
        for path in (self.folder / "state" / "ledger.sqlite3.key", read_places(self.folder).key_copy):
            path.write_bytes(b"short")

    def forget_ledger(self) -> None:
        """Delete the ledger with its key and all journals: for it the service's seals were made elsewhere."""
        places = read_places(self.folder)
        for folder in (self.folder / "state", places.share, places.lock_base):
            shutil.rmtree(folder, ignore_errors=True)

    def start(self, *arguments: str, stdin=None, **environment: str) -> subprocess.Popen:
        """Start the command line in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "-m", "pipeline", *self.command(*arguments)],
            stdin=stdin,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
            env={**os.environ, **environment},
        )

    @property
    def runs(self) -> list[Path]:
        return sorted(path for path in (self.folder / "out").iterdir() if path.name not in {"latest", SHARE})

    @property
    def newest(self) -> Path:
        """The results that were written last: of a run, check or retry; with ``--out`` only the copy of a run."""
        return newest_results(self.folder / "out")

    def outcomes(self, file: str = "outcomes.jsonl") -> list[dict]:
        text = (self.newest / file).read_text("utf-8")
        return [json.loads(line) for line in text.splitlines()]

    def record(self) -> dict:
        return json.loads((self.newest / "run.json").read_text("utf-8"))

    def statuses(self) -> dict[str, int]:
        return {status: rows for status, rows in self.record()["statuses"].items() if rows}

    def creates(self) -> int:
        """How many creates reached the service, whatever became of them."""
        return sum(call.action == CREATE for call in self.service.received)


def start_hospital(
    folder: Path, *, rules: Rules | None = None, tenants=(SANDBOX,), faults=(), **manners
) -> Hospital:
    """Start the sandbox of a hospital in this folder, which `furnish` fills."""
    clock = ServiceClock()
    service = FakeService(rules or Rules(limiter="none"), tenants=tenants)
    manners = {"clock": clock, **manners}
    thread = SandboxThread(Sandbox(service, faults=parse_faults({"faults": list(faults)}), **manners))
    thread.__enter__()
    return Hospital(folder, thread, service_clock=clock)


def furnish(hospital: Hospital, **api) -> None:
    """Make the folders, secrets and configuration of a hospital."""
    for folder in ("seals", "secrets"):
        (hospital.folder / folder).mkdir(exist_ok=True)
    secrets = hospital.folder / "secrets"
    (secrets / "tencent__secret_id").write_text(SANDBOX.secret_id)
    (secrets / "tencent__secret_key").write_text(SANDBOX.secret_key)
    (secrets / "ledger__secret").write_text("the-operator's-secret-of-the-tests")
    for secret in secrets.iterdir():
        secret.chmod(0o600)
    hospital.configure(**api)


@pytest.fixture
def hospital_with(tmp_path, monkeypatch, request):
    """Make a hospital whose sandbox has these rules, faults and manners."""
    for variable in [
        variable for variable in os.environ if variable.startswith(("TENCENTCLOUD_", "ESIGN_IMPORT_"))
    ]:
        monkeypatch.delenv(variable)
    opened = []

    def make(*, api=None, **manners) -> Hospital:
        hospital = start_hospital(tmp_path, **manners)
        opened.append(hospital.sandbox)
        # SERVER_LEDGER=1: the same tests with the ledger on a server; those that look into the ledger's file fail
        if os.environ.get("SERVER_LEDGER"):
            hospital.ledger = request.getfixturevalue("postgres_server").make_database()
        furnish(hospital, **(api or {}))
        return hospital

    yield make
    for thread in opened:
        thread.__exit__()


@pytest.fixture
def hospital(hospital_with):
    return hospital_with()


class Scene:
    """A hospital as a play left it; each test of the module begins with the same files, address, state folder and service."""

    def __init__(self, hospital: Hospital, copies: Path) -> None:
        self._hospital, self._copies = hospital, copies
        shutil.copytree(hospital.folder, copies / "folder")
        state_home = Path(os.environ["XDG_STATE_HOME"])
        state_home.mkdir(exist_ok=True)  # a play may have opened no ledger
        shutil.copytree(state_home, copies / "state_home")
        self._service = self._copy(vars(hospital.service))

    def put_back(self) -> Hospital:
        shutil.rmtree(self._hospital.folder, ignore_errors=True)  # a test may have moved it
        shutil.copytree(self._copies / "folder", self._hospital.folder)
        shutil.copytree(self._copies / "state_home", os.environ["XDG_STATE_HOME"])
        vars(self._hospital.service).update(self._copy(self._service))
        self._hospital.service_clock.ahead = 0.0
        return replace(self._hospital)

    @staticmethod
    def _copy(service: dict) -> dict:
        """Copy the state of a service, which goes on with its random identifiers: an answer that repeats one is none."""
        return deepcopy(
            service, {id(value): value for value in service.values() if isinstance(value, Random)}
        )


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    """Hold the scenes of a module by what played them, and end their sandboxes with it."""
    played: dict[tuple[str, str], Scene] = {}
    opened: list[SandboxThread] = []

    def put(play: Callable[[Hospital], None], *, make_ledger=lambda: None, **manners) -> Hospital:
        key = play.__qualname__, repr(manners)
        if key not in played:
            hospital = start_hospital(tmp_path_factory.mktemp(play.__name__), **manners)
            opened.append(hospital.sandbox)
            hospital.ledger = make_ledger()
            furnish(hospital)
            play(hospital)
            played[key] = Scene(hospital, tmp_path_factory.mktemp("scene"))
            return replace(hospital)
        return played[key].put_back()

    yield put
    for thread in opened:
        thread.__exit__()


@pytest.fixture
def scene(scenes, hospital_with):
    """Give a hospital as this function leaves it: it plays once in a module, and the hospital is put back for each test."""
    if not os.environ.get("SERVER_LEDGER"):
        return scenes

    def play_anew(play, **manners):
        hospital = hospital_with(**manners)
        play(hospital)
        return hospital

    return play_anew


@pytest.fixture
def zygote():
    """A process that forks commands: as processes of their own, without the time that a start takes."""
    with Zygote() as opened:
        yield opened


@pytest.fixture
def marked_copies_on(hospital):
    """Let the runs of this hospital write marked copies."""
    hospital.marked_copies = True
    hospital.configure()


@pytest.fixture(autouse=True)
def signals_as_before():
    """A run in this process takes over the signals; pytest wants them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for signal_number, handler in before.items():
        signal.signal(signal_number, handler)
