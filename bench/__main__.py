"""Measures every figure next to its baseline and writes docs/{en,zh}/performance.md: ``python -m bench [NAME…]``.

``make bench`` is all of it; ``make bench-short`` takes five minutes, with fewer rows and turns, and writes no page. A name
measures one group alone and renews its part of the pages. ``--pages`` makes the pages from bench/results.json without
measuring.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench.figures import GROUPS, Group
from bench.measure import REPOSITORY, print_progress, read_load_average
from bench.report import format_for_terminal, write_pages
from bench.results import GroupResults, Results, describe_machine, load_results, read_commit

BUSY = 1.0  # load average above which the machine is not idle
PATIENCE = 4  # times the minutes that a group usually takes, and some more


def measure_group(group: Group, *, short: bool) -> GroupResults:
    """Measure one group in a process of its own; what fails stands in its result."""
    load = read_load_average()
    measured = GroupResults(
        begun=f"{datetime.now(UTC):%Y-%m-%d %H:%M}", commit=read_commit(), load_before=load, load_most=load
    )
    command = [sys.executable, "-m", "bench.group", group.name, *(["--short"] if short else [])]
    begun = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env={**os.environ, "XDG_STATE_HOME": folder, "TMPDIR": folder},
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        limit = 60 * (PATIENCE * group.minutes[short] + 5)
        timer = threading.Timer(limit, os.killpg, (process.pid, signal.SIGKILL))
        timer.start()
        assert process.stdout is not None
        try:
            with process.stdout as lines:
                for line in lines:
                    measured.load_most = max(measured.load_most, read_load_average())
                    if not line.startswith("{"):  # of a program that the group started
                        continue
                    values = json.loads(line)
                    if "error" in values:
                        measured.error = values["error"]
                    else:
                        measured.figures[values.pop("name")] = values
            code = process.wait()
        except BaseException:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
    measured.seconds = time.monotonic() - begun
    measured.load_most = max(measured.load_most, read_load_average())
    if code and not measured.error:
        measured.error = f"ended with {code} after {measured.seconds:.0f} s"
    return measured


def measure_groups(groups: Sequence[Group], *, short: bool) -> Results:
    """Measure groups; those in full are kept after each, with what was measured on this machine before."""
    machine = describe_machine()
    earlier = None if short else load_results()
    is_continued = earlier is not None and earlier.machine == machine and not earlier.is_short
    kept = earlier.groups if earlier and is_continued else {}
    results = Results(machine, short, kept)
    if (load := read_load_average()) > BUSY:
        print_progress(f"the machine is busy, load average {load:.1f}: wall times and pace will be worse")
    for group in groups:
        print_progress(f"{group.name}: about {group.minutes[short]:g} minutes")
        results.groups[group.name] = measure_group(group, short=short)
        if not short:  # pages as well: a test compares them, and the tests are measured, too
            results.save()
            write_pages(results)
    return results


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [group.name for group in GROUPS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--short", action="store_true", help="fewer rows and turns; no page is written")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every value there")
    parser.add_argument("--pages", action="store_true", help="make the pages again, measure nothing")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(names):
        parser.error(f"no such figures: {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if chosen.pages:
        results = load_results()
        if results is None:
            parser.error("nothing was measured yet: make bench")
        write_pages(results)
        return 0
    groups = [
        group
        for group in GROUPS
        if (group.name in chosen.names or not chosen.names) and (group.minutes[chosen.short] or chosen.names)
    ]
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # ends the group that is measured
    results = measure_groups(groups, short=chosen.short)
    if chosen.json:
        results.save(chosen.json)
    if chosen.short:
        print(
            "\nShort form: fewer rows and turns. Where that proves nothing, a goal is not judged. No page was written."
        )
    print(format_for_terminal(results, groups))
    return 0


if __name__ == "__main__":
    sys.exit(main())
