"""A run in which nothing changed, beside reading and writing as many rows with the bare libraries.

The ledger is filled as a first run would have left it, without its calls; one run follows that learns the pictures'
fingerprints, and the runs after it are measured.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import uuid
from pathlib import Path

from bench.hospital import Hospital, make_hospital
from bench.measure import Figure, format_table, measure_command, print_progress, read_load_average

COLUMNS = 15  # of the bare workbook
AT_A_TIME = 500  # attempts under way while the ledger is filled


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
    from pipeline.config.config_file import load as load_config
    from pipeline.workflow import import_run, stage_settings
    from pipeline.workflow.run_request import build_request
    from pipeline.workflow.tenant_ledger import open_configured_ledger

    clock = SystemClock()
    config = load_config(hospital.folder / "config.yaml", {})
    request = build_request("run", config, clock)
    with open_configured_ledger(config, clock) as (ledger, site_key):
        plan = import_run.prepare_run(request, config, ledger=ledger, site_key=site_key, clock=clock)
        ledger.begin_run(stage_settings.build_run_record(request, config, clock.now()))
        asyncio.run(record_seals(ledger, request.run, plan.row_plans, clock.now()))


async def record_seals(ledger, run, planned, now) -> None:
    from pipeline.domain.seals import Verdict
    from pipeline.ledger.protocol import Attempt

    rows = iter(planned)

    async def worker() -> None:
        for row_plan in rows:
            request = row_plan.request
            attempt = Attempt(
                uuid=str(uuid.uuid4()),
                key=request.key,
                run=run,
                row_id=request.row_id,
                name=request.name,
                id_masked="*" * 14 + request.number[-4:],
                seal_name=request.seal_name,
                contract="file_id",
                host="127.0.0.1",
                signed_at=now,
                content=request.content,
            )
            await ledger.open_attempt(attempt)
            await ledger.record_verdict(
                attempt.uuid, Verdict("sealed", uuid.uuid4().hex, str(uuid.uuid4())), now=now
            )

    await asyncio.gather(*[worker() for _ in range(AT_A_TIME)])


def copy_with_bare_libraries(roster: str, target: str) -> None:
    """Read a roster with calamine and write as many rows × 15 columns with XlsxWriter, nothing in between."""
    import xlsxwriter
    from python_calamine import CalamineWorkbook

    rows = list(CalamineWorkbook.from_path(roster).get_sheet_by_index(0).iter_rows())
    with xlsxwriter.Workbook(target, {"constant_memory": True}) as book:
        sheet = book.add_worksheet()
        for line, cells in enumerate(rows):
            for column in range(COLUMNS):
                sheet.write_string(line, column, cells[column % len(cells)])


def run_watched(config: str) -> int:
    """Run once in this process and print how many pictures were opened."""
    from pipeline.cli.app import main

    seals = str(Path(config).parent / "seals")
    opened = []
    sys.addaudithook(
        lambda event, given: (
            opened.append(given[0]) if event == "open" and str(given[0]).startswith(seals + "/") else None
        )
    )
    code = main(["--config", config, "-q", "run", "--yes"])
    print(json.dumps({"code": code, "opened": len(opened)}))
    return 0


def measure_figures(rows: int, times: int) -> list[Figure]:
    """Measure; ``times`` runs and as many bare ones, in turn."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        print_progress(f"unchanged: making {rows} rows and pictures")
        hospital = Hospital(folder / "hospital")
        begun = [
            sys.executable,
            "-m",
            "bench.unchanged",
            "--begin",
            str(hospital.folder),
            "--rows",
            str(rows),
        ]
        assert measure_command(begun).code == 0
        print_progress("unchanged: the run that learns the fingerprints")
        first = hospital.run()
        assert first.code == 0, (hospital.folder / "output.log").read_text()
        runs_measured, bares = [], []
        for turn in range(times):
            print_progress(f"unchanged: run {turn + 1} of {times}")
            target = str(folder / "bare.xlsx")
            bares.append(
                measure_command(
                    [sys.executable, "-m", "bench.unchanged", "--bare", str(hospital.roster), target]
                )
            )
            runs_measured.append(hospital.run())
            assert runs_measured[-1].code == 0
        record = hospital.record()
        assert record["statuses"]["unchanged"] == rows, record["statuses"]
        calls = sum(sum(codes.values()) for codes in record["requests"].values())
        log = folder / "watched.log"
        measure_command(
            [sys.executable, "-m", "bench.unchanged", "--watched", str(hospital.folder / "config.yaml")],
            log=log,
        )
        seen = json.loads(log.read_text().splitlines()[-1])
        assert seen["code"] == 0
    now = read_load_average()
    wall, bare_wall = (
        statistics.median(child.wall for child in children) for children in (runs_measured, bares)
    )
    cpu, bare_cpu = (
        statistics.median(child.cpu for child in children) for children in (runs_measured, bares)
    )
    peak = max(child.peak for child in runs_measured)
    whole = rows >= 100_000
    return [
        Figure(
            f"unchanged run, {rows} rows: wall",
            f"{wall:.1f} s",
            f"{bare_wall:.1f} s bare read + write",
            f"{wall / bare_wall:.2f} x",
            "<= 2 x",
            wall / bare_wall <= 2,
            now,
        ),
        Figure(
            f"unchanged run, {rows} rows: CPU",
            f"{cpu:.1f} s",
            f"{bare_cpu:.1f} s bare read + write",
            f"{cpu / bare_cpu:.2f} x",
            "(<= 2 x)",
            cpu / bare_cpu <= 2,
            now,
        ),
        Figure("unchanged run: calls", str(calls), "", "", "0", calls == 0, now),
        Figure("unchanged run: pictures opened", str(seen["opened"]), "", "", "0", seen["opened"] == 0, now),
        Figure(
            f"unchanged run, {rows} rows: memory",
            f"{peak:.0f} MB",
            f"{max(child.peak for child in bares):.0f} MB bare",
            "",
            "<= 400 MB at 100,000",
            peak <= 400 if whole else None,
            now,
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--quick", action="store_true", help="10,000 rows, once")
    parser.add_argument("--begin", help=argparse.SUPPRESS)
    parser.add_argument("--bare", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--watched", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.begin:
        prepare_hospital(chosen.begin, chosen.rows)
    elif chosen.bare:
        copy_with_bare_libraries(*chosen.bare)
    elif chosen.watched:
        run_watched(chosen.watched)
    else:
        print(format_table(measure_figures(10_000, 1) if chosen.quick else measure_figures(chosen.rows, 5)))


if __name__ == "__main__":
    main()
