"""What a run imports."""

import subprocess
import sys
from pathlib import Path


def test_a_run_without_changes_imports_no_network(hospital):
    hospital.doctors(2)
    assert hospital.go("run", "--yes") == 0
    command = [sys.executable, "-X", "importtime", "-m", "pipeline", *hospital.command("run", "--yes")]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    modules = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"pipeline.workflow.send_rows", "asyncio", "xlsxwriter"} <= modules
    assert {"aiohttp", "pandas", "pipeline.esign.client", "tqdm"} & modules == set()
