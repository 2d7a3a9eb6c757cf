"""The ledger on a PostgreSQL server (extra ``postgres``): nothing here is imported unless `ledger:` names a server."""
