"""kill -9, or a failing disk, at every point of a small run; then again to the end: nothing twice, nothing lost."""

import errno
import os
import random
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import people
import pytest
from crash_support import CREATE, CrashCounts, Zygote, check_after, creates, ledger_seals, outcomes

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.gateway import SANDBOX

ROWS = 3
IN_FLIGHT = 2
LONG = bool(os.environ.get("CRASH"))  # make crash
CORES = 2 if LONG else 1
FAULTS = (errno.ENOSPC, errno.EIO) if LONG else (errno.ENOSPC,)
ANSWERED = "ChannelCreatePreparedPersonalEsign: answered"
# Points of every run. How often a run passes them depends on the machine's pace: rows share commits, bodies leave in pieces.
COMMIT = {
    "ledger: before the journals",
    "journal: before the append",
    "journal: before the fsync",
    "ledger: before the commit",
    "ledger: after the commit",
}
RESULTS = ("results: before results.xlsx takes its name", "results: before the fsync of run.json")
RUN = {
    *COMMIT,
    "ChannelCreatePreparedPersonalEsign: before the headers",
    ANSWERED,
    "a piece of the body is sent",
    "create: settled",
    "results: before results.xlsx takes its name",
}


@pytest.fixture
def small(hospital_with, tmp_path):
    """Make a hospital of three rows: a folder and a tenant of its own; its sandbox enforces no seal names."""

    def make(folder: str = "a"):
        rules = Rules(limiter="none", unique_names="off")
        tenant = replace(SANDBOX, organization_open_id=f"org_{folder}")
        hospital = hospital_with(rules=rules, tenants=(tenant,))
        hospital.organization = f"org_{folder}"
        hospital.configure()
        hospital.doctors(ROWS)
        home = tmp_path / folder
        home.mkdir()
        for part in ("inbox", "seals", "secrets", "config.yaml"):
            (tmp_path / part).rename(home / part)
        hospital.folder = home
        return hospital

    return make


def fresh(hospital):
    """Forget everything that was sent and written; roster and pictures stay."""
    hospital.forget_ledger()
    shutil.rmtree(hospital.folder / "out", ignore_errors=True)
    hospital.service.reset()


def positions(hospital, parts=()) -> list[tuple[str, int]]:
    """Run unharmed; return every pass of every point."""
    fresh(hospital)
    with Zygote() as zygote:
        ended = zygote.run(hospital)
    assert ended["code"] == 0
    passed: Counter[str] = Counter()
    listed = []
    for name in ended["points"]:
        if not parts or any(word in name for word in parts):
            passed[name] += 1
            listed.append((name, passed[name]))
    return listed


def choose_one_of_each_kind(everywhere: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Return the points of a create, the ledger's while creates are in the air, and what differs before and after."""
    later = {(name, 8) for name in COMMIT} | {("a piece of the body is sent", 2)}
    first = ("UploadFiles: answered", f"{CREATE}: before the headers", ANSWERED, "create:", *RESULTS)
    return [
        (name, count)
        for name, count in everywhere
        if (count == 1 and name.startswith(first)) or (name, count) in later
    ]


def run_again(hospital, zygote) -> int | None:
    """Run to the end after a failure; return the exit code. A fork costs half a run more."""
    return zygote.run(hospital)["code"] if LONG else hospital.go("run")


def in_two(hospitals, all_of_them, one) -> CrashCounts:
    """Go through the positions two at a time, each half in a hospital of its own."""

    def half(number: int) -> CrashCounts:
        counts = CrashCounts()
        with Zygote() as zygote:
            for position in all_of_them[number::CORES]:
                fresh(hospitals[number])
                one(hospitals[number], zygote, position, counts)
        return counts

    if CORES == 1:
        return half(0)
    with ThreadPoolExecutor(CORES) as threads:
        halves = list(threads.map(half, range(CORES)))
    return CrashCounts(
        sum(half_counts.positions for half_counts in halves),
        sum(half_counts.unknown for half_counts in halves),
        set().union(*(half_counts.points for half_counts in halves)),
    )


def killed(hospital, zygote, position, counts, *, second=()):
    """Kill at a position (and the recovery at ``second``), run to the end, and look."""
    name, count = position
    ended = zygote.run(hospital, **{"name": name, "pass": count})
    if ended["signal"] is None:  # points of a shared commit may be one fewer this time
        assert ended["code"] == 0
        return
    counts.positions += 1
    counts.points.add(name)
    context = f"killed at {name} ({count})"
    for again in second:
        zygote.run(hospital, **{"name": again[0], "pass": again[1]})
    durable = ledger_seals(hospital)
    code = run_again(hospital, zygote)
    doubted = check_after(hospital, durable, in_flight=IN_FLIGHT * (1 + len(second)), context=context)
    assert code == (3 if doubted else 0), context
    counts.unknown += doubted


def test_a_kill_at_every_point(small):
    hospitals = [small("a"), small("b")]
    everywhere = positions(hospitals[0])
    if not LONG:
        everywhere = choose_one_of_each_kind(everywhere)
    counts = in_two(hospitals, everywhere, killed)
    assert counts.points >= RUN
    assert counts.unknown > 0, "some kill must have caught a create in the air"


def test_a_kill_wherever_the_ledger_writes_while_a_seal_name_passes_on(hospital_with):
    """The doctor's number was wrong, refused and corrected: the name is hers, and the journals say the same."""
    no_match = {"code": {"code": "FailedOperation.UserInfoNoMatch", "message": "姓名与证件号码不一致。"}}
    hospital = hospital_with(
        rules=Rules(limiter="none", unique_names="off"),
        faults=[{"match": {"action": CREATE, "nth": [1]}, "do": no_match}],
    )
    doctor = people.name(1)
    hospital.doctors(1)
    hospital.roster([(doctor, people.number(9), "15400000001", "00001", "内科")])
    assert hospital.go("run") == 3
    hospital.doctors(1)
    before = hospital.folder / "before"
    parts = {part: hospital.folder / part for part in ("state", "out")}
    parts["state home"] = Path(os.environ["XDG_STATE_HOME"])
    for part, folder in parts.items():
        shutil.copytree(folder, before / part)
    counts = CrashCounts()
    with Zygote() as zygote:
        points = zygote.run(hospital)["points"]
        create = slice(points.index("UploadFiles: answered"), points.index("create: settled"))
        passed = Counter()
        for index, point in enumerate(points):
            passed[point] += 1
            if not point.startswith(("ledger", "journal")) or not create.start < index < create.stop:
                continue
            fresh(hospital)
            for part, folder in parts.items():
                shutil.rmtree(folder, ignore_errors=True)
                shutil.copytree(before / part, folder)
            killed(hospital, zygote, (point, passed[point]), counts)
            (row,) = outcomes(hospital)
            assert row["seal_name"] == f"{doctor}处方章", point
            assert hospital.go("ledger", "check") == 0, point
    assert counts.points >= COMMIT


def test_a_second_rerun_changes_nothing(small):
    hospital = small()
    with Zygote() as zygote:
        ended = zygote.run(hospital, **{"name": ANSWERED, "pass": 2})
        assert ended["signal"] == 9
    hospital.go("run")
    before, sent = outcomes(hospital), creates(hospital)
    hospital.go("run")
    assert creates(hospital) == sent
    still = {row["name"]: (row["seal_id"], row["status"].replace("sealed", "unchanged")) for row in before}
    assert {row["name"]: (row["seal_id"], row["status"]) for row in outcomes(hospital)} == still


def failed(hospital, zygote, position, counts, *, fault):
    """Let the write at a position fail, then run on a sound disk, and look."""
    name, count = position
    ended = zygote.run(hospital, **{"name": name, "pass": count, "fail": fault})
    context = f"a write fails at {name} ({count})"
    assert ended["signal"] is None, context
    assert ended["code"] in {74, 3, 0}, f"{context}: exit {ended['code']}"
    counts.positions += 1
    counts.points.add(name)
    durable = ledger_seals(hospital)
    code = run_again(hospital, zygote)
    doubted = check_after(hospital, durable, in_flight=IN_FLIGHT, context=context)
    assert code == (3 if doubted else 0), context
    counts.unknown += doubted


@pytest.mark.parametrize("fault", FAULTS, ids=errno.errorcode.get)
def test_a_failure_of_every_write(small, fault):
    hospitals = [small("a"), small("b")]
    writes = positions(hospitals[0], ("before the fsync", "before the commit", "takes its name"))
    if not LONG:
        writes = choose_one_of_each_kind(writes)
    counts = in_two(hospitals, writes, partial(failed, fault=fault))
    assert {
        "journal: before the fsync",
        "ledger: before the commit",
        "results: before the fsync of run.json",
        "results: before results.xlsx takes its name",
    } <= counts.points
    assert counts.unknown <= 2, "a verdict that one write refused finds its way by another"


def stopped(hospital, zygote, position, counts, *, signals):
    """Send signals at a position, look, run to the end, and look again."""
    name, count = position
    ended = zygote.run(hospital, **{"name": name, "pass": count, "signals": signals})
    if ended["points"].count(name) < count:  # points of a shared commit may be one fewer this time
        assert ended["code"] == 0
        return
    context = f"stopped at {name} ({count}): {ended['code']}, {ended['signal']}"
    if ended["signal"] is not None:  # the roster was still being read: nothing is to be drained
        assert ended["signal"] in signals, context
        assert not hospital.service.received, context
    elif len(signals) == 1:
        assert ended["code"] in {143, 0}, context  # 0: the run was over, its results are still written
        rows = outcomes(hospital)
        assert (len(rows), {row["status"] for row in rows} <= {"sealed", "not_sent"}) == (ROWS, True), context
        assert {row["seal_id"] for row in rows} - {None} == {seal.seal_id for seal in hospital.service.seals}
        counts.points |= {name} if ended["code"] == 143 else {"after the run"}
    else:
        assert ended["code"] in {130, 143}, context
    counts.positions += 1
    durable = ledger_seals(hospital)
    code = run_again(hospital, zygote)
    doubted = check_after(hospital, durable, in_flight=IN_FLIGHT, context=context)
    assert code == (3 if doubted else 0), context
    counts.unknown += doubted


@pytest.mark.parametrize("signals", [[15], [2, 15]], ids=["drains", "the second leaves at once"])
def test_a_signal_at_every_point(small, signals):
    hospitals = [small("a"), small("b")]
    everywhere = positions(hospitals[0])
    if not LONG:
        others = {("ledger: before the commit", 3), (RESULTS[0], 1)}
        everywhere = sorted({*everywhere[:: 30 * len(signals)], *others}, key=everywhere.index)
    counts = in_two(hospitals, everywhere, partial(stopped, signals=signals))
    if len(signals) == 1:
        assert counts.unknown == 0
        assert {"after the run", "ledger: before the commit"} < counts.points
    else:
        assert counts.unknown or not LONG


@pytest.mark.skipif(not LONG, reason="make crash")
def test_a_kill_at_every_point_and_another_in_the_recovery(small):
    hospitals = [small("a"), small("b")]
    everywhere = positions(hospitals[0])
    dice = random.Random(4)
    seconds = {position: dice.choice(everywhere) for position in everywhere}

    def twice(hospital, zygote, position, counts):
        killed(hospital, zygote, position, counts, second=[seconds[position]])

    counts = in_two(hospitals, everywhere, twice)
    assert counts.points >= RUN


KILLS = 12 if LONG else 4  # of each storm
STORM = [
    {"match": {"action": CREATE, "share": 0.08, "seed": 1}, "do": "reset_after"},
    {"match": {"action": CREATE, "share": 0.08, "seed": 2}, "do": "http_502"},
    {"match": {"action": CREATE, "share": 0.05, "seed": 3}, "do": "internal_error_after"},
    {"match": {"action": CREATE, "share": 0.05, "seed": 4}, "do": "throttle"},
    {"match": {"action": "UploadFiles", "share": 0.1, "seed": 5}, "do": "reset_before"},
    {"match": {"action": CREATE, "share": 0.05, "seed": 6}, "do": {"delay_after": 0.2}},
]


@pytest.mark.parametrize("names", ["code", "bare", "off"] if LONG else ["off"])
@pytest.mark.parametrize("seed", range(10 if LONG else 1))
def test_random_kills_in_a_storm(hospital_with, names, seed):
    """Killed wherever it is, over and over, until a run comes to its end; then nothing changes any more."""
    hospital = hospital_with(
        rules=Rules(limiter="none", unique_names=names),
        faults=[
            {**rule, "match": {**rule["match"], "seed": rule["match"]["seed"] + 100 * seed}} for rule in STORM
        ],
    )
    hospital.doctors(20)
    path = hospital.folder / "config.yaml"
    path.write_text(path.read_text("utf-8") + "guards: {unknown: null}\n", "utf-8")
    dice = random.Random(seed)
    kills, durable, latest = 0, set(), 0.4
    with Zygote() as zygote:
        for _ in range(5 * KILLS):
            ended = zygote.run(hospital, random=0.02 + dice.random() * latest)
            kills += ended["signal"] == 9
            if ended["signal"] is None:  # this machine is quicker than the kill
                latest *= 0.7
            durable |= ledger_seals(hospital)
            if kills == KILLS:
                break
        for _ in range(6):  # rows whose every send was proven not executed wait for the next run
            ended = zygote.run(hospital)
            if ended["code"] in {0, 3}:
                break
        doubted = check_after(hospital, durable, in_flight=20, context=f"seed {seed}, {names}")
        before, sent = outcomes(hospital), creates(hospital)
        assert zygote.run(hospital)["code"] == (3 if doubted else 0)
        assert creates(hospital) == sent
        assert [row["status"].replace("sealed", "unchanged") for row in before] == [
            row["status"] for row in outcomes(hospital)
        ]
    assert kills == KILLS
