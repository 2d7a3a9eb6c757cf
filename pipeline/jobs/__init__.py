"""Workers on several hosts: a queue in PostgreSQL gives every hospital's run of a day to one of them.

Only this package imports procrastinate. A job names a hospital; the run is a child process of the worker.
"""
