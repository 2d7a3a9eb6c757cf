"""A worker in a process of its own: the configuration, the queue's address, settings as JSON."""

import json
import os
import sys
from pathlib import Path

from pipeline.clock import SystemClock
from pipeline.config.config_file import ConfigFile
from pipeline.config.sections import Workers
from pipeline.errors import EsignImportError
from pipeline.jobs.daily_jobs import Hospital
from pipeline.jobs.database import run_in_loop
from pipeline.jobs.worker import HospitalWorker
from pipeline.ledger.postgres.address import ServerAddress
from pipeline.messages.catalogue import render

if __name__ == "__main__":
    config_path, url, settings = sys.argv[1:]

    def list_hospitals():
        file = ConfigFile(Path(config_path), os.environ)
        return [
            Hospital(name, [file.load(name).resolve_path(Path(name) / "inbox")], 400) for name in file.names
        ]

    def report(key, **values):
        sys.stderr.write(render(key, "en", **values) + "\n")

    worker = HospitalWorker(
        ServerAddress(url),
        Workers(**json.loads(settings)),
        config_path=Path(config_path),
        list_hospitals=list_hospitals,
        clock=SystemClock(),
        report=report,
    )
    try:
        run_in_loop(worker.run())
    except EsignImportError as error:
        report(error.key, **error.detail)
        sys.exit(error.exit_code)
