"""Runs from Python: typed values, the same locks and files as the command line, and a drain when cancelled."""

import ast
import asyncio
import json
import logging
import re
import signal
import subprocess
import sys
import zipfile
from collections import Counter
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest
from people import make_row, number
from resolution_support import list_made_seals
from wire_support import fault

import pipeline
from pipeline.cli.app import main
from pipeline.domain.run import Status
from pipeline.ledger.lock import RunLock
from pipeline.sandbox.gateway import SANDBOX

HOUSE = Path(__file__).parents[2]


@pytest.fixture
def config(hospital):
    return pipeline.Config.load(hospital.folder / "config.yaml")


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.startswith(".")}


def test_a_run_returns_what_its_files_hold(hospital, config):
    hospital.doctors(4)
    hospital.doctors(1, start=9, file="more.xlsx")
    (hospital.folder / "seals" / "00009.png").unlink()
    done = pipeline.run(config, language="en")

    assert (done.exit, done.counts) == (3, {Status.SEALED: 4, Status.REJECTED: 1})
    assert done.halted is None
    record = json.loads(done.files["run.json"].read_text("utf-8"))
    assert (record["exit"], record["command"], record["run"]) == (3, "run", done.report.run)
    records = [json.loads(line) for line in done.files["outcomes.jsonl"].read_text("utf-8").splitlines()]
    assert [line["status"] for line in records] == [outcome.status for outcome in done.outcomes]
    assert [row.to_dict() for row in done.rows] == records
    assert (
        files(hospital.folder / "out" / "latest") == set(done.files) == files(done.files["run.json"].parent)
    )
    assert repr(done) == f"Result(run={done.report.run!r}, exit=3, sealed=4, rejected=1)"
    with pytest.raises(FrozenInstanceError):
        done.report = None


def read_last_record(hospital) -> dict:
    """Return the run.json of the last run, also of one without results."""
    return json.loads((hospital.runs[-1] / "run.json").read_text("utf-8"))


def test_a_run_from_python_and_one_from_the_command_line_share_one_ledger(hospital, config):
    hospital.doctors(3)
    assert pipeline.run(config, limit=2).counts == {Status.SEALED: 2, Status.NOT_SENT: 1}
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "unchanged": 2})
    assert pipeline.run(hospital.folder / "config.yaml").counts == {Status.UNCHANGED: 3}
    assert hospital.creates() == 3


def test_a_retry_sends_the_failed_rows_of_the_last_run_and_those_that_were_corrected(hospital, config):
    hospital.doctors(3)
    picture = hospital.folder / "seals" / "00002.png"
    picture.rename(hospital.folder / "kept.png")
    with pytest.raises(pipeline.UsageError, match=r"never been a run|no ledger|has been no run"):
        pipeline.retry(config)
    pipeline.run(config, limit=1)
    (hospital.folder / "kept.png").rename(picture)
    heard = []
    done = pipeline.retry(config, on_outcome=lambda row: heard.append(row.status))
    assert done.counts == {Status.SEALED: 2, Status.UNCHANGED: 1}
    assert (done.report.command, hospital.creates(), len(heard)) == ("retry", 3, 3)
    assert done.files["outcomes.jsonl"].is_file()


async def test_retry_points_to_retry_async_inside_an_event_loop(hospital, config):
    hospital.doctors(2)
    await pipeline.run_async(config, limit=1)
    with pytest.raises(pipeline.UsageError, match=r"await pipeline\.retry_async"):
        pipeline.retry(config)
    assert (await pipeline.retry_async(config)).counts == {Status.SEALED: 1, Status.UNCHANGED: 1}


def test_a_check_finds_what_a_run_finds_and_sends_nothing(hospital, config):
    hospital.doctors(3)
    (hospital.folder / "seals" / "00002.png").write_bytes(b"no picture")
    checked = pipeline.check(config, language="zh")
    assert checked.counts == {Status.REJECTED: 1, Status.READY: 2}
    planned = [json.loads(line) for line in checked.files["plan.jsonl"].read_text("utf-8").splitlines()]
    for line in planned:
        line.pop("review", None)  # for the page on which pictures are judged
    assert [row.to_whole_dict() for row in checked.rows] == planned
    assert {row.problems[0].code for row in checked.rows if row.status is Status.REJECTED}
    assert not hospital.service.received
    assert "plan.jsonl" in checked.files
    assert pipeline.run(config).counts == {Status.SEALED: 2, Status.REJECTED: 1}


def test_a_check_needs_no_configuration(hospital, tmp_path, monkeypatch):
    hospital.doctors(2)
    monkeypatch.chdir(tmp_path)
    checked = pipeline.check(rosters="inbox", seals="seals", write=False)
    assert checked.counts == {Status.READY: 2}
    assert checked.outcomes[0].doctor.key is None
    assert not (tmp_path / "state" / "ledger.sqlite3").exists()


def test_without_writing_the_ledger_alone_knows(hospital, config):
    hospital.doctors(2)
    done = pipeline.run(config, write=False)
    assert (done.counts, done.files) == ({Status.SEALED: 2}, {})
    assert hospital.runs == []
    assert pipeline.run(config, write=False).counts == {Status.UNCHANGED: 2}


def test_named_rosters_pictures_and_folders(hospital, config, tmp_path):
    hospital.doctors(2)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "inbox" / "roster.xlsx").rename(tmp_path / "elsewhere" / "名单.xlsx")
    (tmp_path / "seals").rename(tmp_path / "pictures")
    done = pipeline.run(
        config,
        rosters=tmp_path / "elsewhere" / "名单.xlsx",
        seals=str(tmp_path / "pictures"),
        out=tmp_path / "here",
    )
    assert done.counts == {Status.SEALED: 2}
    assert {path.parent for path in done.files.values()} == {tmp_path / "here"}
    again = pipeline.run(config, rosters=[str(tmp_path / "elsewhere")], out=tmp_path / "here")
    assert again.counts == {Status.UNCHANGED: 2}


def test_an_empty_inbox_is_nothing_to_do(hospital, config):
    done = pipeline.run(config)
    assert (done.exit, list(done.outcomes), done.files) == (0, [], {})
    assert [run.name for run in hospital.runs] == [done.report.run]
    assert read_last_record(hospital)["exit"] == 0


def test_nothing_is_printed_and_no_logger_is_touched(hospital, config, capfd):
    hospital.doctors(2)
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("wrong")
    before = (logging.getLogger().handlers[:], logging.getLogger().level)
    done = pipeline.run(config)
    assert (done.exit, done.halted.code, done.halted.exit) == (4, "AuthFailure.SignatureFailure", 4)
    assert done.counts == {Status.NOT_SENT: 2}
    assert (logging.getLogger().handlers[:], logging.getLogger().level) == before
    assert capfd.readouterr() == ("", "")


# -- every row is heard once


def test_on_outcome_gets_every_row_exactly_once_and_sent_rows_as_they_end(hospital, config):
    hospital.doctors(5)
    pipeline.run(config, limit=2)
    (hospital.folder / "seals" / "00005.png").unlink()
    heard = []

    def listen(outcome):
        heard.append((outcome.doctor.staff_no, outcome.status, len(hospital.service.seals)))

    done = pipeline.run(config, on_outcome=listen)
    assert Counter((who, status) for who, status, _ in heard) == Counter(
        (outcome.doctor.staff_no, outcome.status) for outcome in done.outcomes
    )
    assert [status for _, status, _ in heard[:2]] == [Status.SEALED] * 2
    assert heard[0][2] == 3, "the first one was heard of before the next was made"


def test_a_listener_that_fails_ends_nothing(hospital, config, caplog):
    hospital.doctors(2)
    hospital.doctors(1, start=3, file="more.xlsx")
    (hospital.folder / "seals" / "00003.png").unlink()

    def listen(_):
        raise OSError("the pipe is broken")

    assert pipeline.run(config, on_outcome=listen).counts == {Status.SEALED: 2, Status.REJECTED: 1}
    assert caplog.text.count("OSError: the pipe is broken") == 3


# -- what is refused, before anything is sent


def test_refused_arguments_raise_an_exception_with_the_reason(hospital, config, tmp_path):
    hospital.doctors(1)
    with pytest.raises(pipeline.UsageError, match="nowhere does not exist"):
        pipeline.run(config, rosters=tmp_path / "nowhere")
    with pytest.raises(pipeline.UsageError, match="neither a picture folder"):
        pipeline.run(config, seals=tmp_path / "config.yaml")
    with pytest.raises(pipeline.UsageError, match=r"config: not filled in: api\.app_id"):
        pipeline.run(pipeline.Config.load(ledger=str(tmp_path / "l"), out=str(tmp_path / "out")))
    (tmp_path / "secrets" / "tencent__secret_key").unlink()
    with pytest.raises(pipeline.CredentialsMissing, match="SecretId only"):
        pipeline.run(config)
    assert (
        read_last_record(hospital)["halted"]["code"] == "CREDENTIALS_MISSING"
    )  # however early, each leaves its record
    assert not hospital.service.received


def test_a_results_workbook_is_no_roster(hospital, config):
    hospital.doctors(1)
    done = pipeline.run(config)
    with pytest.raises(pipeline.UsageError, match="only for reading"):
        pipeline.run(config, rosters=done.files["results.xlsx"])


def test_a_lost_ledger_is_made_of_its_journals(hospital, config, caplog):
    hospital.doctors(1)
    pipeline.run(config)
    hospital.lose_ledger()
    assert pipeline.run(config).counts == {Status.UNCHANGED: 1}
    assert any("entered from its journals" in record.getMessage() for record in caplog.records)
    assert hospital.creates() == 1


def test_the_lock_is_held_and_let_go(hospital, config):
    hospital.doctors(1)
    with RunLock(config.resolve_path(config.ledger)).acquire(run="another", now=0.0):
        with pytest.raises(pipeline.Locked, match="Run another has been using the ledger"):
            pipeline.run(config)
        assert pipeline.check(config).counts == {Status.READY: 1}
    assert pipeline.run(config).counts == {Status.SEALED: 1}


async def test_run_points_to_run_async_inside_an_event_loop(hospital, config):
    hospital.doctors(1)
    with pytest.raises(pipeline.UsageError, match=r"await pipeline\.run_async"):
        pipeline.run(config)
    assert (await pipeline.run_async(config)).counts == {Status.SEALED: 1}


# -- the configuration


def test_a_configuration_from_a_file_the_environment_and_keywords(hospital, tmp_path, monkeypatch):
    monkeypatch.setenv("ESIGN_IMPORT_LIMITS__CONCURRENCY", "3")
    monkeypatch.setenv("ESIGN_IMPORT_SEALS", "from-the-environment")
    config = pipeline.Config.load(tmp_path / "config.yaml", seals="图片", limits={"requests_per_second": 7})
    assert (config.limits.requests_per_second, config.limits.concurrency) == (7, 3)
    assert config.resolve_path(config.seals) == tmp_path / "图片"
    assert config.api.app_id == SANDBOX.app_id
    alone = pipeline.Config.load(environment={}, api={"app_id": "a"}, columns={"大名": "name"})
    assert (alone.api.app_id, alone.limits.concurrency, alone.base) == ("a", 20, Path())
    with pytest.raises(pipeline.ConfigError) as wrong:
        pipeline.Config.load(tmp_path / "config.yaml", limits={"concurency": 7}, seal_name="印章")
    assert "did you mean concurrency?" in str(wrong.value)
    assert len(wrong.value.faults) == 2


def test_every_exception_is_a_name_of_the_package_and_has_one_base(hospital, config):
    names = [
        "ConfigError",
        "CredentialsMissing",
        "LedgerError",
        "Locked",
        "NotReadNow",
        "SumsError",
        "UsageError",
    ]
    assert all(issubclass(getattr(pipeline, name), pipeline.EsignImportError) for name in names)
    config.resolve_path(config.ledger).parent.mkdir()
    config.resolve_path(config.ledger).with_suffix(".sqlite3.key").write_bytes(b"short")
    hospital.doctors(1)
    with pytest.raises(pipeline.LedgerError) as broken:
        pipeline.run(config)
    assert (broken.value.exit_code, str(broken.value)) == (74, broken.value.render("en"))
    assert broken.value.render("zh") != str(broken.value)


# -- what is given is used


def test_credentials_are_used_as_given(hospital, config):
    hospital.doctors(3)
    (hospital.folder / "secrets" / "tencent__secret_id").unlink()
    keys = pipeline.Credentials(SANDBOX.secret_id, SANDBOX.secret_key)
    assert pipeline.run(config, credentials=keys).counts == {Status.SEALED: 3}


async def test_runs_that_begin_together_over_one_results_folder_have_a_folder_each(hospital_with, tmp_path):
    """They are of two organisations; two runs of one exclude each other."""
    tenants = [replace(SANDBOX, organization_open_id=f"org_{serial}") for serial in range(2)]
    hospital = hospital_with(tenants=tenants)
    configs = []
    for serial in range(2):
        hospital.doctors(1, start=1 + serial, file=f"{serial}.xlsx")
        own = {"roster": f"inbox/{serial}.xlsx", "ledger": f"state-{serial}/ledger"}
        own["api"] = {"organization_open_id": f"org_{serial}"}
        configs.append(pipeline.Config.load(tmp_path / "config.yaml", **own))
    results = await asyncio.gather(*map(pipeline.run_async, configs))
    written = {result.files["outcomes.jsonl"].read_text("utf-8") for result in results}
    assert len({result.report.run for result in results}) == len(written) == 2


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        (pipeline.run, {"limit": "3"}, "run() was called with wrong arguments: limit: "),
        (pipeline.run, {"limit": 0}, "limit: "),
        (pipeline.run, {"limit": True}, "limit: "),
        (pipeline.run, {"language": "fr"}, "language: "),
        (pipeline.run, {"credentials": "a secret"}, "credentials: "),
        (pipeline.run, {"credentials": pipeline.Credentials("", "")}, "credentials: "),
        (pipeline.run, {"credentials": pipeline.Credentials(3, {})}, "credentials: "),
        (pipeline.run, {"on_outcome": []}, "on_outcome: "),
        (pipeline.run, {"rosters": 3}, "rosters: "),
        (pipeline.run, {"rosters": ["a.xlsx", None]}, "rosters: "),
        (pipeline.run, {"seals": ""}, "seals: "),
        (pipeline.run, {"seals": "\0"}, "seals: "),
        (pipeline.run, {"out": b"out"}, "out: "),
        (pipeline.run, {"only": "张伟"}, "only: "),
        (pipeline.run, {"only": [1001]}, "only: "),
        (pipeline.run, {"only": [" "]}, "only: "),
        (pipeline.run, {"write": "no"}, "write: "),
        (pipeline.run, {"accept_guards": 2}, "accept_guards: "),
        (pipeline.run, {"colour": 3}, "colour: "),
        (pipeline.run, {"config": 3}, "config: "),
        (pipeline.retry, {"config": None}, "config: "),
        (pipeline.retry, {"limit": 3}, "retry() was called with wrong arguments: limit: "),
        (pipeline.check, {"limit": 3}, "check() was called with wrong arguments: limit: "),
        (pipeline.explain, {"query": 3}, "query: "),
        (pipeline.explain, {"query": ""}, "query: "),
        (pipeline.export, {"leavers": "yes"}, "leavers: "),
        (pipeline.resolve, {"query": "a", "decision": "forget"}, "decision: "),
        (pipeline.resolve, {"query": 3}, "query: "),
        (pipeline.resolve, {"sure": "yes"}, "sure: "),
        (pipeline.resolve, {"decision": "keep"}, "decision needs query as well"),
        (
            pipeline.resolve,
            {"query": "a", "decision": "keep", "seal_id": "x"},
            "seal_id needs decision='created' as well",
        ),
        (
            pipeline.resolve,
            {"query": "a", "seal_name": "x"},
            "seal_name needs decision='replace' as well",
        ),
    ],
)
def test_a_wrong_argument_is_refused_before_anything_is_read(function, arguments, expected):
    with pytest.raises(pipeline.UsageError, match=re.escape(expected)) as refused:
        function(**{"config": "no-such-config.yaml", **arguments})
    assert "no-such-config" not in str(refused.value)
    assert "a secret" not in str(refused.value), "a value is not named"


async def test_the_coroutines_refuse_wrong_arguments_too():
    with pytest.raises(pipeline.UsageError, match="write: "):
        await pipeline.run_async("config.yaml", write=0)
    with pytest.raises(pipeline.UsageError, match="positional"):
        await pipeline.retry_async("config.yaml", "seals")


@pytest.mark.parametrize(
    "make",
    [
        lambda: pipeline.Config.load(3),
        lambda: pipeline.Config.load({}),
        lambda: pipeline.Config.load(b"config.yaml"),
        lambda: pipeline.Config.load("\0"),
        lambda: pipeline.Config.load(colour=1),
        lambda: pipeline.Config.load(limits=None),
        lambda: pipeline.Config.load(limits={"concurency": 1}),
        lambda: pipeline.Config.load(out=3),
    ],
)
def test_a_configuration_of_wrong_values_is_a_usage_error(make):
    with pytest.raises(pipeline.UsageError):
        make()


# -- what the ledger holds


def read_json(capsys, hospital, *arguments):
    """Return what a command prints with --json."""
    capsys.readouterr()
    hospital.go("--json", *arguments)
    return json.loads(capsys.readouterr().out)


def test_status_is_what_the_command_prints(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    path = hospital.folder / "config.yaml"
    hospital.doctors(3)
    assert (pipeline.status(path).ledger, pipeline.status(path).last_run) == (None, None)
    pipeline.run(path, limit=2)
    answer = pipeline.status(path)
    assert (answer.people.sealed, answer.people.unknown, answer.waiting) == (1, 1, 1)
    assert answer.unknown[0].seal_name
    assert (answer.last_run.command, answer.last_run.exit, answer.last_run.under_way) == ("run", 3, False)
    printed = read_json(capsys, hospital, "status")
    ages = [answer.last_run.age_seconds, printed["last_run"].pop("age_seconds")]
    assert ages[0] <= ages[1] < 600
    expected = answer.to_dict()
    expected["last_run"].pop("age_seconds")
    assert printed == {"schema": 1, **expected}


def test_explain_is_what_the_command_prints(hospital, config, capsys):
    hospital.doctors(3)
    with pytest.raises(pipeline.UsageError, match="nothing has been sent with"):
        pipeline.explain(config, "00001")
    pipeline.run(config)
    path = hospital.folder / "config.yaml"
    answer = pipeline.explain(path, "00001")
    assert (answer.people[0].staff_no, answer.people[0].status, answer.step.commands) == (
        "00001",
        Status.SEALED,
        (),
    )
    printed = read_json(capsys, hospital, "--lang", "en", "explain", "00001")
    assert printed == {"schema": 1, **json.loads(json.dumps(answer.to_dict("en")))}
    assert pipeline.explain(path, ["00001", answer.people[0].name]) == answer
    several = pipeline.explain(path, [])
    assert several.people == ()
    unknown = pipeline.explain(path, "0001")
    assert (unknown.people, unknown.similar) == ((), ("00001",))
    assert read_json(capsys, hospital, "explain", "0001") == {"schema": 1, **unknown.to_dict()}


def test_export_is_what_the_command_prints(hospital, config, capsys):
    hospital.doctors(3)
    first = pipeline.run(config, limit=1)
    pipeline.run(config)
    seals = pipeline.export(config)
    assert [seal.staff_no for seal in seals] == ["00001", "00002", "00003"]
    assert [seal.to_dict() for seal in seals] == read_json(capsys, hospital, "export")["seals"]
    (of_first,) = pipeline.export(config, run=first.report.run)
    assert of_first == seals[0]
    assert pipeline.export(config, leavers=True) == []
    with pytest.raises(pipeline.UsageError, match="nowhere"):
        pipeline.export(config, run="nowhere")


def test_history_is_what_status_lists(hospital, config, capsys):
    hospital.seal_doctors(1)
    assert hospital.go("run") == 0
    runs = pipeline.history(config)
    assert [run.to_dict() for run in runs] == read_json(capsys, hospital, "status", "--runs", "30")["runs"]
    assert [run.exit for run in runs] == [0, 0]
    assert pipeline.history(config, limit=1) == runs[:1]


def test_resolve_lists_what_the_command_lists_and_enters_decisions(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    path = hospital.folder / "config.yaml"
    hospital.doctors(3)
    pipeline.run(path)
    (case,) = pipeline.resolve(path)
    assert (case.status, case.seal_id, case.possibly_same) == ("unknown", None, None)
    printed = read_json(capsys, hospital, "resolve")["waiting"]
    assert printed == [json.loads(json.dumps(case.to_dict()))]
    assert pipeline.resolve(path, case.name) == pipeline.resolve(path, case.trace_id) == [case]
    with pytest.raises(pipeline.UsageError, match="No row to resolve matches"):
        pipeline.resolve(path, "no such doctor")
    with pytest.raises(pipeline.UsageError, match="does not differ"):
        pipeline.resolve(path, case.trace_id, "keep")
    assert pipeline.resolve(path) == [case]
    made = list_made_seals(hospital)[case.name]
    with pytest.raises(pipeline.UsageError, match="if you are sure"):
        pipeline.resolve(path, case.trace_id, "created", seal_id=made)
    assert pipeline.resolve(path, case.trace_id, "created", seal_id=made, sure=True, why="slip") == [case]
    assert pipeline.resolve(path) == []
    assert pipeline.resolve(path, case.name, "withdraw", why="of another") == [case]
    assert pipeline.resolve(path, case.trace_id, "created", seal_id=made, sure=True, why="console") == [case]
    assert pipeline.resolve(path) == []
    timeline = pipeline.explain(path, case.key).people[0]
    assert (timeline.seal.seal_id, timeline.seal.source) == (made, "resolved")
    assert [entry.why for entry in timeline.history if entry.what == "decision"] == [
        *("slip", "of another", "console")
    ]


async def test_not_created_is_refused_while_it_is_early_inside_an_event_loop(hospital_with):
    hospital = hospital_with(faults=[fault("reset_after", nth=(1,))])
    path = hospital.folder / "config.yaml"
    hospital.doctors(1)
    await pipeline.run_async(path)
    (case,) = pipeline.resolve(path)
    with pytest.raises(pipeline.UsageError, match="may still be carried out until"):
        pipeline.resolve(path, case.key, "not_created")
    with pytest.raises(pipeline.UsageError) as early:
        pipeline.resolve(path, case.key, "not_created", sure=True)
    assert early.value.key == "resolve.too_early"
    assert pipeline.resolve(path) == [case]


# -- cancelled


@pytest.fixture
def slow(hospital_with):
    """A service that takes its time over every answer."""
    hospital = hospital_with(latency=0.15)
    hospital.doctors(9)
    return hospital


async def reached(hospital, calls: int) -> None:
    """Wait until so many creates have reached the service."""
    while hospital.creates() < calls:  # noqa: ASYNC110 - it lives in another thread
        await asyncio.sleep(0.01)


async def test_cancelling_drains(slow):
    config = pipeline.Config.load(slow.folder / "config.yaml", limits={"concurrency": 3})
    running_import = asyncio.create_task(pipeline.run_async(config))
    await reached(slow, 2)
    running_import.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_import
    sent = slow.creates()
    assert 2 <= sent < 9
    assert slow.record()["exit"] == 130
    assert slow.statuses() == {"sealed": sent, "not_sent": 9 - sent}
    assert len(slow.service.seals) == sent
    done = await pipeline.run_async(config, write=False)
    assert done.counts == {Status.SEALED: 9 - sent, Status.UNCHANGED: sent}


async def test_a_time_out_is_a_cancellation(slow):
    config = pipeline.Config.load(slow.folder / "config.yaml", limits={"concurrency": 1})

    async def run_for_a_while() -> None:
        async with asyncio.timeout(None) as timer:
            running_import = asyncio.create_task(pipeline.run_async(config))
            await reached(slow, 2)
            timer.reschedule(asyncio.get_running_loop().time())
            await running_import

    with pytest.raises(TimeoutError):
        await run_for_a_while()
    assert slow.record()["exit"] == 130
    assert slow.statuses().keys() == {"sealed", "not_sent"}, "drained"


async def test_a_second_cancellation_leaves_at_once_and_what_was_under_way_is_unknown(slow):
    config = pipeline.Config.load(slow.folder / "config.yaml", limits={"concurrency": 3})
    running_import = asyncio.create_task(pipeline.run_async(config))
    await reached(slow, 3)
    running_import.cancel()
    await asyncio.sleep(0)
    running_import.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_import
    assert read_last_record(slow)["halted"]["code"] == "CUT_SHORT"
    done = await pipeline.run_async(config, write=False)  # ledger and lock were let go
    assert done.counts[Status.UNKNOWN] >= 1
    assert slow.service.list_duplicates() == {}


async def test_cancelled_before_the_first_call_nothing_happened(slow):
    running_import = asyncio.create_task(pipeline.run_async(slow.folder / "config.yaml"))
    await asyncio.sleep(0)
    running_import.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running_import
    assert not slow.service.received
    assert slow.runs == []
    assert main(["--config", str(slow.folder / "config.yaml"), "status"]) == 0


def test_a_ctrl_c_drains_run_which_prints_nothing_and_is_imported_late(slow):
    code = f"""
import sys, pipeline
pipeline.run
late = ("click", "tqdm", "pandas", "aiohttp", "jinja2", "pipeline.cli.app", "pipeline.sandbox")
print([name for name in late if name in sys.modules])
try:
    pipeline.run({str(slow.folder / "config.yaml")!r}, on_outcome=lambda _: 1 / 0)
except KeyboardInterrupt:
    print("interrupted")
"""
    pipe = subprocess.PIPE
    child = subprocess.Popen([sys.executable, "-c", code], cwd=HOUSE, stdout=pipe, stderr=pipe, text=True)
    asyncio.run(reached(slow, 2))
    child.send_signal(signal.SIGINT)
    # errors of the listener are logged, and logging is not set up: nothing else is printed;
    # the first line: neither the command line nor what is needed only later was imported
    assert child.communicate(timeout=60) == ("[]\ninterrupted\n", "")
    assert slow.record()["exit"] == 130
    assert slow.statuses().keys() <= {"sealed", "not_sent"}, (
        "drained; on a busy machine all rows were through"
    )
    assert slow.statuses()["sealed"] == len(slow.service.seals)


# -- the package


def test_the_wheel_is_marked_as_typed(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)],
        cwd=HOUSE,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    assert "pipeline/py.typed" in zipfile.ZipFile(wheel).namelist()


def test_the_package_offers_its_names_and_no_others():
    assert set(pipeline.__all__) <= set(dir(pipeline))
    assert all(getattr(pipeline, public_name) is not None for public_name in pipeline.__all__)
    with pytest.raises(AttributeError, match="no attribute 'runs'"):
        _ = pipeline.runs


def test_the_example_of_the_documents_runs_as_it_stands(hospital, monkeypatch, capsys):
    """Two doctors with and one without a picture."""
    example, chinese = (
        re.findall(
            r"```python\n(.*?)```", (HOUSE / f"docs/{language}/python.md").read_text("utf-8"), re.DOTALL
        )[0]
        for language in ("en", "zh")
    )
    assert list_statements(chinese) == list_statements(example)
    hospital.doctors(3)
    (hospital.folder / "seals" / "00003.png").unlink()
    monkeypatch.chdir(hospital.folder)
    exec(compile(example, "python.md", "exec"), {"__name__": "__main__"})
    stdout_text = capsys.readouterr().out
    assert "{<Status.REJECTED: 'rejected'>: 1, <Status.READY: 'ready'>: 2}" in stdout_text
    assert re.search(r"2 sealed\n3 sealed\n4 rejected", stdout_text)
    assert re.search(r"\n3 out/[0-9-]+/results\.xlsx", stdout_text)
    assert re.search(r"内科 +1 +2\n", stdout_text)
    assert len(hospital.service.seals) == 2


def list_statements(example):
    """Return the statements of an example without its comments and docstrings."""
    tree = ast.parse(example)
    for part in ast.walk(tree):
        if isinstance(part, ast.AsyncFunctionDef) and ast.get_docstring(part):
            del part.body[0]
    return ast.dump(tree)


# -- the frame


def test_the_frame_has_a_row_for_every_row_and_no_whole_number(hospital, config):
    rows = [make_row(serial) for serial in (1, 2)]
    hospital.doctors(3)
    hospital.roster([*rows, (f"{number(3)}号", number(3), "15400000003", "00003", None)])
    frame = pipeline.run(config).to_frame()
    assert frame["status"].tolist() == ["sealed", "sealed", "rejected"]
    assert frame["row"].tolist() == [2, 3, 4]
    assert frame["department"].tolist()[:2] == ["内科", "内科"]
    assert frame["reasons"].tolist() == [[], [], ["NAME_INVALID"]]
    assert frame["seal_id"].notna().tolist() == [True, True, False]
    assert frame["sent_at"].dt.year.tolist()[:2] == [frame["sent_at"].dt.year[0]] * 2
    assert str(frame["sent_at"].dt.tz) == "UTC"
    assert number(1)[:14] not in frame.to_csv()
    assert number(3) not in frame.to_csv()
    assert "15400000001" not in frame.to_csv()


def test_an_empty_frame_has_its_columns(hospital, config):
    frame = pipeline.run(config).to_frame()
    assert len(frame) == 0
    assert {"status", "department", "sent_at", "attempts"} <= set(frame.columns)
