"""Several hospitals in one folder: each gets its own seals, within one quota, and a fault of one stops no other."""

import json
import os
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from people import make_row, name
from run_support import QuickClock, draw_seal
from server_ledger import SECRET
from strange_servers import StrangeServer
from watch_support import Watcher
from wire_support import fault

import pipeline
from pipeline.cli.app import main
from pipeline.clock import SystemClock
from pipeline.esign.rate_limiter import max_in_rolling_second
from pipeline.ledger.lock import RunLock
from pipeline.sandbox.actions import Rules
from pipeline.sandbox.faults import Faults
from pipeline.sandbox.gateway import CREATE, SANDBOX, UPLOAD
from pipeline.sandbox.server import SandboxThread

EAST = replace(SANDBOX, organization_open_id="org_east", operator_open_id="operator_east")
NORTHERN = replace(SANDBOX, organization_open_id="org_north", operator_open_id="operator_north")
WEST = replace(SANDBOX, organization_open_id="org_west", operator_open_id="operator_west")


IDS = {
    name: f"{{organization_open_id: org_{name}, operator_open_id: operator_{name}}}"
    for name in ("east", "west", "north", "closed")
}


@pytest.fixture
def group_with(hospital_with, monkeypatch):
    """Make a folder of hospitals, `east` and `west` among them; one sandbox serves all."""

    def make(
        *,
        limits="{requests_per_second: 1000, concurrency: 8}",
        common="",
        west="",
        others=(),
        tenants=(EAST, WEST, NORTHERN),
        **manners,
    ):
        group = hospital_with(tenants=tenants, **manners)
        (group.folder / "config.yaml").unlink()
        (group.folder / "common.yaml").write_text(
            f"""\
api:
  endpoint: {group.sandbox.url}
  app_id: {SANDBOX.app_id}
  timeout_seconds: 30
limits: {limits}
secrets_dir: ../secrets
{common}""",
            "utf-8",
        )
        hospitals = {"east": "", "west": west, **dict.fromkeys(others, "")}
        for hospital, text in hospitals.items():
            add_hospital(group, hospital, f"api: {IDS[hospital]}\n{text}")
        group.config = ""
        monkeypatch.chdir(group.folder)
        return group

    return make


def add_hospital(group, hospital: str, text: str) -> None:
    (group.folder / hospital).mkdir()
    (group.folder / hospital / "config.yaml").write_text(text, "utf-8")


def add_doctors(group, hospital: str, serials: range) -> None:
    """Write a roster and pictures into the folders of a hospital."""
    folder = group.folder / hospital
    (folder / "seals").mkdir(exist_ok=True)
    group.roster([make_row(serial) for serial in serials], file="roster.xlsx")
    (folder / "inbox").mkdir(exist_ok=True)
    (group.folder / "inbox" / "roster.xlsx").rename(folder / "inbox" / "roster.xlsx")
    for serial in serials:
        draw_seal(folder / "seals" / f"{serial:05d}.png", serial)


def read_json_lines(text: str) -> list[dict]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_hospital_gets_its_own_seals_ledger_and_results(group_with, capsys):
    group = group_with()
    add_doctors(group, "east", range(1, 4))
    add_doctors(group, "west", range(3, 8))  # doctor 3 works in both
    assert group.go("run", "--all", "--json") == 0
    stdout_text, stderr_text = capsys.readouterr()
    records = read_json_lines(stdout_text)
    assert [(record["profile"], record["tenant"].rpartition("/")[2]) for record in records] == [
        ("east", "org_east"),
        ("west", "org_west"),
    ]
    assert Counter(seal.organization for seal in group.service.seals) == {"org_east": 3, "org_west": 5}
    assert stderr_text.index("== east ==") < stderr_text.index("== west ==")
    assert "Exit codes: east 0, west 0" in stderr_text
    for hospital in ("east", "west"):
        assert (group.folder / hospital / "state" / "ledger.sqlite3").exists()
        assert (group.folder / hospital / "out" / "latest" / "results.xlsx").exists()
    creates = group.creates()
    assert group.go("run", "--profile", "west", "--profile", "east") == 0
    assert group.creates() == creates


def test_the_quota_is_one_for_all_hospitals(group_with):
    """What the first hospital learnt from a throttle holds for the second; its calls are no part of the second's figures."""
    throttle = {"match": {"action": CREATE, "nth": 1}, "do": "throttle"}
    group = group_with(rules=Rules(limiter="none", rate=4), faults=[throttle])
    add_doctors(group, "east", range(1, 3))
    add_doctors(group, "west", range(3, 8))
    assert group.go("run", "--all", clock=SystemClock()) == 0
    arrivals = group.service.list_arrivals()
    assert len(arrivals) == 8
    assert arrivals[-1] - arrivals[-5] > 0.75  # seconds; at the configured limit it would be 0.004
    traffic = [
        json.loads((group.folder / hospital / "out" / "latest" / "run.json").read_text())
        for hospital in ("east", "west")
    ]
    assert [run["rate"]["throttled"] for run in traffic] == [1, 0]
    assert [run["requests"][CREATE]["ok"] for run in traffic] == [2, 5]
    own_share = 4 / (arrivals[-1] - arrivals[-5]) / 1000  # of the calls of this hospital alone
    assert traffic[1]["rate"]["used_share"] == pytest.approx(own_share, rel=0.2)


def test_each_hospital_is_sent_with_its_own_keys_within_its_own_limit(group_with):
    """The gateway lets each key act for its own hospital alone."""
    own_keys = replace(WEST, secret_id="AKIDsandboxWest", secret_key="another key that opens nothing")
    west = "secrets_dir: secrets\nlimits: {requests_per_second: 10}\n"
    group = group_with(tenants=(EAST, own_keys), west=west)
    secrets = group.folder / "west" / "secrets"
    secrets.mkdir()
    for file_name, text in (("secret_id", own_keys.secret_id), ("secret_key", own_keys.secret_key)):
        (secrets / f"tencent__{file_name}").write_text(text)
        (secrets / f"tencent__{file_name}").chmod(0o600)
    add_doctors(group, "east", range(1, 4))
    add_doctors(group, "west", range(3, 8))
    assert group.go("run", "--all", clock=SystemClock()) == 0
    assert Counter(seal.organization for seal in group.service.seals) == {"org_east": 3, "org_west": 5}
    assert [record["rate"]["limit"] for record in read_records(group, "east", "west")] == [1000, 10]
    uploads = sorted(group.service.list_arrivals(UPLOAD))[3:]
    assert uploads[-1] - uploads[0] > 0.38, "of five calls, seconds"


def test_a_fault_of_one_hospital_keeps_no_other_from_its_turn(group_with, capsys):
    group = group_with()
    add_hospital(group, "closed", f"api: {IDS['closed']}\nsecrets_dir: nowhere\n")
    add_hospital(group, "wrong", "limits: {concurrency: none}\n")
    for hospital in ("east", "west", "closed"):
        add_doctors(group, hospital, range(1, 3))
    with RunLock(group.folder / "east" / "state" / "ledger.sqlite3").acquire(run="another", now=0.0):
        assert group.go("run", "--all", "--json") == 4
    stdout_text, stderr_text = capsys.readouterr()
    assert "Exit codes: closed 4, east 6, west 0, wrong 2. Exit code of this command: 4." in stderr_text
    assert "/wrong/config.yaml:1: limits.concurrency: must be a whole number" in stderr_text
    assert [(line["profile"], line["exit"]) for line in read_json_lines(stdout_text)] == [
        ("closed", 4),
        ("east", 6),
        ("west", 0),
        ("wrong", 2),
    ]
    assert {seal.organization for seal in group.service.seals} == {"org_west"}


def read_records(group, *hospitals: str) -> list[dict]:
    paths = [group.folder / hospital / "out" / "latest" / "run.json" for hospital in hospitals]
    return [json.loads(path.read_text("utf-8")) for path in paths]


def count_calls(record: dict) -> dict[str, int]:
    """Return how many calls of each action a run made."""
    return {action: sum(by_code.values()) for action, by_code in record["requests"].items()}


SILENT = {"do": {"http_502": "before"}}


def test_each_hospital_of_an_outage_has_its_record_and_notification(group_with, capsys):
    with Watcher() as watcher:
        notify = f"notify: {{urls: ['json://{watcher.host}/chat']}}\n"
        group = group_with(common=notify, others=["north"], faults=[SILENT])
        for hospital in ("east", "west", "north"):
            add_doctors(group, hospital, range(1, 9))
        assert group.go("run", "--all") == 5
        titles = [title for _, title, _ in watcher.messages]
        assert [title.partition(":")[0] for title in titles] == ["east", "north", "west"]
    assert re.search("east 5.*north 5.*west 5", capsys.readouterr().err)
    records = read_records(group, "east", "west", "north")
    for record in records:
        assert (record["exit"], record["halted"]["code"]) == (5, "OUTAGE")
        assert {status: n for status, n in record["statuses"].items() if n} == {"not_sent": 8}
        assert count_calls(record)[UPLOAD] >= 5


class Repair(QuickClock):
    """Mends the service once a file is there."""

    def __init__(self, file: Path, sandbox: SandboxThread) -> None:
        self.file, self.sandbox = file, sandbox

    def monotonic(self) -> float:
        if self.file.exists():
            self.sandbox._sandbox._faults = Faults(())
        return super().monotonic()


def test_a_service_that_answers_again_serves_the_hospitals_that_follow(group_with, capsys):
    group = group_with(others=["north"], faults=[SILENT])
    for hospital in ("east", "west", "north"):
        add_doctors(group, hospital, range(1, 9))
    repair = Repair(group.folder / "east" / "out" / "latest" / "run.json", group.sandbox)
    assert group.go("run", "--all", clock=repair) == 5
    assert "east 5, north 0, west 0" in capsys.readouterr().err
    west, north = map(count_calls, read_records(group, "west", "north"))
    assert west == north == {UPLOAD: 8, CREATE: 8}
    assert Counter(seal.organization for seal in group.service.seals) == {"org_west": 8, "org_north": 8}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("run", "holds several hospitals (east, west); choose one with --profile, or all with --all"),
        ("run --profile easst", "has no hospital easst; did you mean east? (hospitals: east, west)"),
        ("run --all --profile east", "or use --all; not both"),
        ("run --all roster.xlsx", "ROSTER is for one hospital"),
        ("run --all --accept-guards", "--accept-guards is for one hospital"),
        ("export --all --csv", "--csv is for one hospital"),
        ("retry --all", "retry is for one hospital at a time"),
        ("ledger restore x --profile east --profile west", "ledger restore is for one hospital at a time"),
    ],
)
def test_a_choice_that_cannot_be_met_is_refused(group_with, capsys, arguments, words):
    group = group_with()
    assert group.go(*arguments.split()) == 2
    assert words in capsys.readouterr().err
    assert [path.name for path in (group.folder / "east").iterdir()] == ["config.yaml"]


def test_every_command_knows_the_hospital(group_with, capsys):
    group = group_with()
    add_doctors(group, "east", range(1, 3))
    add_doctors(group, "west", range(3, 6))
    assert group.go("--all", "check") == 0
    assert group.go("run", "--all") == 0
    capsys.readouterr()
    assert group.go("status", "--all", "--json") == 0
    assert [
        (line["profile"], line["people"]["sealed"]) for line in read_json_lines(capsys.readouterr().out)
    ] == [
        ("east", 2),
        ("west", 3),
    ]
    assert group.go("explain", "00003", "--profile", "west") == 0
    assert group.go("explain", "00003", "--profile", "east") == 2
    capsys.readouterr()
    assert group.go("config", "show", "--profile", "west") == 0
    assert f"organization_open_id: {WEST.organization_open_id}" in capsys.readouterr().out
    assert group.go("--all", "doctor", "--offline") == 0
    assert capsys.readouterr().out.count("[ok]      configuration") == 2


def test_status_of_all_is_one_line_for_each_hospital(group_with, capsys):
    """Last run, its age, how it ended, and how many rows wait for a decision."""
    group = group_with(faults=[fault("reset_after")])
    add_hospital(group, "north", "limits: {concurrency: many}\n")
    add_hospital(group, "south", "")
    add_doctors(group, "east", range(1, 4))
    assert group.go("run", "--profile", "east") == 3
    capsys.readouterr()
    assert group.go("status", "--all") == 2
    stdout_text, stderr_text = capsys.readouterr()
    assert re.sub(r"20\d\d-\d\d-\d\d \d\d:\d\d", "TIME", stdout_text).splitlines() == [
        "east: ended TIME (0 min ago), exit code 3 (done, some rows need attention), waiting for a decision: 1",
        "north: cannot be read, exit code 2",
        "south: cannot be read, exit code 2",
        "west: no run so far",
    ]
    assert "limits.concurrency" in stderr_text
    assert "Exit codes: east 0, north 2, south 2, west 0." in stderr_text
    assert group.go("status", "--all", "--max-age", "26h") == 2
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == [
        "north",
        "south",
        "west",
    ]
    assert group.go("status", "--profile", "east", "--profile", "west", "--max-age", "26h") == 5
    assert capsys.readouterr().out == "west: no run so far\n"
    assert main(group.command("status", "--all", language="zh")) == 2
    assert "待人工登记 1\n" in capsys.readouterr().out
    assert group.go("status", "--profile", "east", "--profile", "west", "--json") == 0
    stdout_text, stderr_text = capsys.readouterr()
    (east, west) = read_json_lines(stdout_text)
    assert (east["waiting"], east["last_run"]["age_seconds"] < 60, west["last_run"]) == (1, True, None)
    assert east["people"] == {"sealed": 2, "unknown": 1, "refused": 0, "in_flight": 0}
    outcomes = (group.folder / "east" / "out" / "latest" / "outcomes.jsonl").read_text("utf-8")
    unknown = [row["trace_id"] for row in read_json_lines(outcomes) if row["status"] == "unknown"]
    assert [create["trace_id"] for create in east["unknown"]] == unknown
    assert (
        stderr_text == "\nExit codes: east 0, west 0. Exit code of this command: 0.\n"
    )  # no step of one hospital


def test_python_runs_a_hospital(group_with):
    group = group_with()
    add_doctors(group, "west", range(1, 3))
    assert pipeline.run(group.folder / "west").exit == 0
    assert {seal.organization for seal in group.service.seals} == {"org_west"}


@pytest.mark.parametrize("command", ["run", "check", "status", "doctor --offline"])
def test_hospitals_that_share_results_are_refused_together(group_with, capsys, command):
    group = group_with(west="out: ../east/out\n")
    add_doctors(group, "east", range(1, 3))
    assert group.go(*command.split(), "--all") == 2
    assert "east and west have the same out (" in capsys.readouterr().err
    assert not (group.folder / "east" / "out").exists(), "nothing was done"
    assert group.go("check", "--profile", "east") == 0


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ("out: ../east/out\n", "east and west have the same out ("),
        ("ledger: postgresql://u@127.0.0.1:9/other\n", "The ledger of west is in another database"),
        ("workers: {processes: 7}\n", "workers: of west differs from that of east"),
    ],
)
@pytest.mark.parametrize("command", ["enqueue --all", "worker"])
def test_workers_refuse_hospitals_that_do_not_fit_together(group_with, capsys, command, own, words):
    group = group_with(common="ledger: postgresql://u@127.0.0.1:9/x\n", west=own)
    (group.folder / "secrets" / "ledger__secret").write_text(SECRET)
    assert group.go(*command.split()) == 2
    assert words in capsys.readouterr().err


def test_a_sandbox_is_refused_where_other_keys_lie_under_it(group_with, capsys):
    group = group_with()
    for words in (["demo"], ["init", "try", "--sandbox"]):
        assert group.go(*words) == 2
        assert "common.yaml" in capsys.readouterr().err
    assert not (group.folder / "demo").exists()


def test_init_leaves_out_what_the_hospitals_have_in_common(group_with, capsys):
    group = group_with(common="ledger: postgresql://user@db/esign\n")
    assert group.go("init", "new", "--yes", "--id", "organization_open_id=org_new") == 0
    stderr_text = capsys.readouterr().err
    assert "Fill in new/config.yaml: api.operator_open_id\n" in stderr_text
    assert "new/../secrets/tencent__secret_id" in stderr_text
    assert not (group.folder / "new" / "secrets").exists()
    assert group.go("init", ".", "--yes") == 2, "the folder of several hospitals is none itself"
    config = pipeline.Config.load(group.folder / "new", environment={})
    assert (config.api.app_id, config.is_ledger_on_server) == (SANDBOX.app_id, True)
    assert (config.limits.requests_per_second, config.notify.name) == (1000, "new")


@pytest.mark.skipif(os.environ.get("HOSTS") != "1", reason="HOSTS=1: the longer ones")
def test_two_processes_with_ledgers_on_one_server_keep_one_quota(group_with, postgres_server):
    rate = 40
    group = group_with(limits=f"{{requests_per_second: {rate}}}", rules=Rules(limiter="none"))
    database = postgres_server.make_database()
    config, secret = group.folder / "common.yaml", group.folder / "secrets" / "ledger__secret"
    config.write_text(f"{config.read_text('utf-8')}\nledger: {database}\n", "utf-8")
    secret.write_text("the operator's secret of this test")
    secret.chmod(0o600)
    add_doctors(group, "east", range(1, 41))
    add_doctors(group, "west", range(101, 141))
    processes = [group.start("--profile", hospital, "run", "--yes") for hospital in ("east", "west")]
    for process in processes:
        assert process.wait(60) == 0, process.stderr.read()
        process.stderr.close()
    assert group.service.list_duplicates() == {}
    for action in (CREATE, UPLOAD):
        arrivals = group.service.list_arrivals(action)
        assert len(arrivals) == 80
        assert max_in_rolling_second(tuple(arrivals)) <= rate * 1.2, "one process alone may send as many"
    for hospital in ("east", "west"):
        record = json.loads((group.folder / hospital / "out" / "latest" / "run.json").read_text("utf-8"))
        assert record["rate"]["waited_seconds"] > 0
    with postgres_server.connect(database.rpartition("/")[2]) as connection:
        rows = connection.execute("SELECT action, requests_per_second FROM esign_import.rate").fetchall()
    assert sorted(rows) == sorted([(CREATE, rate), (UPLOAD, rate)])


def test_the_ledgers_of_several_hospitals_are_loaded_into_one_database(group_with, postgres_server, capsys):
    group = group_with()
    add_doctors(group, "east", range(1, 3))
    add_doctors(group, "west", range(3, 4))
    assert group.go("run", "--all") == 0
    (group.folder / "secrets" / "ledger__secret").write_text(SECRET)
    with (group.folder / "common.yaml").open("a", encoding="utf-8") as config:
        config.write(f"ledger: {postgres_server.make_database()}\n")
    files = {
        hospital: str(group.folder / hospital / "state" / "ledger.sqlite3") for hospital in ("east", "west")
    }
    assert group.go("ledger", "load", files["east"], "--all") == 2
    assert group.go("ledger", "load", files["west"], "--profile", "east") == 2, "of another hospital"
    for hospital, file in files.items():
        assert group.go("ledger", "load", file, "--profile", hospital) == 0
    capsys.readouterr()
    assert group.go("run", "--all", "--json") == 0
    records = read_json_lines(capsys.readouterr().out)
    assert [record["statuses"]["unchanged"] for record in records] == [2, 1]
    assert group.creates() == 3


def test_the_answer_of_another_hospital_is_none(group_with):
    throttled = {"match": {"action": CREATE, "user_name": name(1), "nth": 1}, "do": "throttle"}
    repeated = {"match": {"action": CREATE, "user_name": name(5), "nth": 1}, "do": {"replay": {"nth": 1}}}
    group = group_with(faults=[throttled, repeated])
    add_doctors(group, "east", range(1, 3))
    add_doctors(group, "west", range(5, 7))
    assert group.go("run", "--all") == 3
    assert sum(seal.name == name(5) for seal in group.service.seals) == 1
    assert group.go("run", "--all") == 3, "it is held"
    assert sum(seal.name == name(5) for seal in group.service.seals) == 1


@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("command", ["cancel", "pause", "resume"])
def test_a_command_on_jobs_that_names_no_hospital_names_them(group_with, capsys, command, language):
    group = group_with()
    for number in range(30):
        add_hospital(group, f"other{number:02}", "")
    assert main(group.command("hosts", command, language=language)) == 2
    error = capsys.readouterr().err
    assert "east" in error
    assert "west" not in error, "of many hospitals the first are named"
    assert ("22 more" if language == "en" else "另外 22 家") in error
    assert "After fixing" not in error
    assert group.go("hosts", command, "east", "--all") == 2
    assert "Name hospitals (or use --profile), or use --all; not both." in capsys.readouterr().err


def test_a_database_that_is_away_is_asked_once_and_reported_once(group_with, capsys):
    """A monitor is not kept for ten seconds by each of hundreds of hospitals."""
    with StrangeServer(lambda client: client.close()) as server:
        options = "sslmode=disable&gssencmode=disable"
        ledger = f"ledger: postgresql://postgres@127.0.0.1:{server.port}/x?{options}\n"
        group = group_with(common=ledger, others=["north"])
        (group.folder / "secrets" / "ledger__secret").write_text(SECRET)
        for words in (("status", "--all"), ("--json", "status", "--all")):
            before = server.connections
            assert group.go(*words) == 74
            stdout_text, stderr_text = capsys.readouterr()
            assert server.connections == before + 1
            assert stderr_text.count("cannot be used") == 1
            assert stderr_text.count("The same fault as that of east.") == 2
            assert len(stdout_text.splitlines()) == 3
