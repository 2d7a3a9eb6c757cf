"""The queue of workers in a database of the tests' server."""

from contextlib import asynccontextmanager

import psycopg
from procrastinate import App
from server_ledger import SECRET

from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.hosts.daily_jobs import DailyJobs
from pipeline.hosts.queue import JobConnector, open_queue
from pipeline.hosts.slots import QUEUES


@asynccontextmanager
async def queue_at(url):
    """Open the queue; give the connector and the table of days."""
    connector = JobConnector(ServerAddress(url), SECRET, SystemClock(), patience=5, connections=3)
    async with open_queue(connector):
        yield connector, DailyJobs(connector, App(connector=connector))


def query(url, text, *values):
    """Ask the database, or change something, past the program."""
    with psycopg.connect(url, autocommit=True, options="-c search_path=esign_jobs") as connection:
        cursor = connection.execute(text, values or None)
        return cursor.fetchall() if cursor.description else None


async def fetch(connector, queues=QUEUES):
    """Take the next job of these queues, as a worker of its own; None where there is none."""
    manager = App(connector=connector).job_manager
    return await manager.fetch_job(queues=[*queues], worker_id=await manager.register_worker())
