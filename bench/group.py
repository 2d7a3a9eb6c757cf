"""Measures one group of figures in a process of its own: ``python -m bench.group NAME [--short]``.

A line of JSON for each figure goes to stdout as soon as it is measured. Measured children begin with the memory of the
process that starts them: this one stays small.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from importlib import import_module

from bench.figures import GROUPS
from bench.measure import FAILURES


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=[group.name for group in GROUPS])
    parser.add_argument("--short", action="store_true")
    chosen = parser.parse_args()
    group = next(group for group in GROUPS if group.name == chosen.name)
    try:
        for measured in import_module(group.module).measure(short=chosen.short):
            print(json.dumps(asdict(measured)), flush=True)
    except (Exception, AssertionError) as error:  # noqa: BLE001 - whatever fails belongs into the report
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
        import traceback

        traceback.print_exc()
        return 1
    if FAILURES:
        print(json.dumps({"error": "; ".join(dict.fromkeys(FAILURES))}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
