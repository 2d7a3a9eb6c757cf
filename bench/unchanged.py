"""A run in which nothing changed, compared with reading and writing as many rows with the bare libraries.

The ledger is filled as a first run would have left it, without its calls. One run follows that learns the pictures'
fingerprints and one that finds nothing new; the runs after them are measured.
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.hospital import Hospital, make_hospital
from bench.measure import Child, Measured, alternate, print_progress, run_python

AT_A_TIME = 500  # attempts under way while the ledger is filled
FEW, USUAL, MANY = 1_000, 10_000, 50_000  # rows
ROWS, TURNS = (USUAL, 2_000), (5, 1)  # in full, in the short form


def prepare_hospital(folder: str, rows: int) -> None:
    """Make the hospital and its ledger.

    In a process of its own: a child that is measured begins with the memory of who starts it.
    """
    hospital = make_hospital(Path(folder), rows)
    hospital.configure("http://127.0.0.1:9")
    seal_everyone(hospital)


def seal_everyone(hospital: Hospital) -> None:
    """Enter a seal for every row of the roster, as if a first run had made them."""
    from pipeline.clock import SystemClock
    from pipeline.config.settings import Config
    from pipeline.workflow import import_run, stage_settings
    from pipeline.workflow.run_request import build_request
    from pipeline.workflow.tenant_ledger import lock_ledger

    os.environ.update(hospital.environment)
    clock = SystemClock()
    config = Config.load(hospital.folder / "config.yaml", environment={})
    request = build_request("run", config, clock)
    with lock_ledger(config, request.run, clock) as (ledger, site_key):
        plan = import_run.prepare_run(request, config, ledger=ledger, site_key=site_key, clock=clock)
        ledger.begin_run(stage_settings.build_run_record(request, config, clock.now(), site_key))
        asyncio.run(record_seals(ledger, request.run, plan.row_plans, clock.now()))


async def record_seals(ledger, run, planned, now) -> None:
    from pipeline.domain.seals import Attempt, Verdict
    from pipeline.esign.signing import REPLAY_WINDOW_SECONDS

    rows = iter(planned)

    async def worker() -> None:
        for row_plan in rows:
            request = row_plan.request
            attempt = Attempt(
                uuid=str(uuid.uuid4()),
                key=request.key,
                run=run,
                row_id=request.row_id,
                seal_name=request.seal_name,
                contract="file_id",
                host="127.0.0.1",
                signed_at=now,
                content=request.content,
                dead_at=now + REPLAY_WINDOW_SECONDS,
            )
            await ledger.open_attempt(attempt, request)
            verdict = Verdict("sealed", uuid.uuid4().hex, str(uuid.uuid4()))
            await ledger.record_verdict(attempt.uuid, attempt.key, verdict, now=now)

    await asyncio.gather(*[worker() for _ in range(AT_A_TIME)])


def run_watched(config: str, target: str) -> None:
    """Run once in this process and write how many pictures were opened."""
    from pipeline.cli.app import main

    hospital = Hospital(Path(config).parent)
    os.environ.update(hospital.environment)
    seals = str(hospital.seals)
    opened = []
    sys.addaudithook(
        lambda event, given: (
            opened.append(given[0]) if event == "open" and str(given[0]).startswith(seals + "/") else None
        )
    )
    assert main(["--config", config, "-q", "run", "--yes"]) == 0
    Path(target).write_text(str(len(opened)))


def begin_hospital(folder: Path, rows: int) -> Hospital:
    """Make a hospital whose ledger holds everybody, and do the runs after which nothing is new."""
    print_progress(f"unchanged: making {rows} rows and pictures")
    run_python("bench.unchanged", "begin", str(folder), str(rows), log=folder.with_suffix(".log"))
    hospital = Hospital(folder)
    for number in (1, 2):
        print_progress(f"unchanged: {rows} rows, run {number} of 2 before those that are measured")
        hospital.run()
    return hospital


def run_bare(hospital: Hospital) -> Child:
    """Read and write as many rows with the bare libraries."""
    log, target = hospital.folder / "bare.log", hospital.folder / "bare.xlsx"
    return run_python("bench.baselines", "copy", str(hospital.roster), str(target), log=log)


def measure_children(hospital: Hospital, rows: int, times: int) -> tuple[list[Child], list[Child]]:
    """Do bare copies and runs in turn; return both."""
    children = alternate(
        times,
        f"unchanged: {rows} rows",
        lambda: run_bare(hospital),
        lambda: hospital.run(watch=lambda *_: None),
    )
    record = hospital.record()
    assert record["statuses"]["unchanged"] == rows, record["statuses"]
    return children


def measure(short: bool) -> Iterator[Measured]:
    rows, times = ROWS[short], TURNS[short]
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        few = begin_hospital(folder / "few", FEW)
        bares, runs = measure_children(few, FEW, times)
        cpu_of_few = statistics.median(child.cpu for child in runs)
        yield measure_growth(FEW, bares, runs)

        usual = begin_hospital(folder / "usual", rows)
        bares, runs = measure_children(usual, rows, times)
        cpu_of_usual = statistics.median(child.cpu for child in runs)
        for figure in ("wall", "cpu"):
            ours, theirs = ([getattr(child, figure) for child in children] for children in (runs, bares))
            yield Measured(f"unchanged.{figure}", ours, {"bare": theirs}, rows, not short)
        calls = sum(sum(codes.values()) for codes in usual.record()["requests"].values())
        yield Measured("unchanged.calls", [calls], size=rows)
        target = folder / "opened"
        config = str(usual.folder / "config.yaml")
        run_python("bench.unchanged", "watched", config, str(target), log=usual.folder / "watched.log")
        yield Measured("unchanged.opened", [int(target.read_text())], size=rows)
        if short:
            return

        many = begin_hospital(folder / "many", MANY)
        bares, runs = measure_children(many, MANY, times)
        yield measure_growth(MANY, bares, runs)
        peaks = {"bare": [child.peak for child in bares]}
        yield Measured("unchanged.memory", [child.peak for child in runs], peaks, MANY)
        before = 1e6 * (cpu_of_usual - cpu_of_few) / (USUAL - FEW)
        after = [1e6 * (child.cpu - cpu_of_usual) / (MANY - USUAL) for child in runs]
        yield Measured("growth.row", after, {"tenth": [before]}, MANY)


def measure_growth(rows: int, bares: Sequence[Child], runs: Sequence[Child]) -> Measured:
    """Return the CPU of runs of this size beside the bare copies'."""
    theirs = {"bare": [child.cpu for child in bares]}
    return Measured(f"growth.{rows}", [child.cpu for child in runs], theirs, rows)


def main(command: str, *arguments: str) -> None:
    if command == "begin":
        prepare_hospital(arguments[0], int(arguments[1]))
    elif command == "seal":
        seal_everyone(Hospital(Path(arguments[0])))
    else:
        run_watched(*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
