"""Several hosts: ledgers on a PostgreSQL server, workers, and slots that all processes share (extra ``postgres``).

The program imports it in one place, `pipeline.workflow.hosts_factory`, where ``ledger:`` names a server, and in
the commands `worker`, `enqueue` and `hosts`. Only this package imports psycopg and procrastinate. A job of the queue names a
hospital; the run is a child process of the worker.
"""
