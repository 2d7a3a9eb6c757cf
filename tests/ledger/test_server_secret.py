"""The operator's secret, which makes the site keys: another one is refused before anything is written."""

import pytest
from server_ledger import NOW, SECRET, TENANT, make_places, make_store, open_for_reading, open_for_writing

from pipeline.clock import SystemClock
from pipeline.domain.server_address import ServerAddress, name_schema
from pipeline.errors import LedgerError
from pipeline.hosts.operator_secret import derive_key
from pipeline.hosts.queue import JobConnector, open_queue

OTHER = "the secret of a host that was set up otherwise"
# what a database holds: every table's number of rows, and its schemas
CONTENT = """
    SELECT nspname, relname, (xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %I.%I', nspname, relname),
        false, true, '')))[1]::text
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind = 'r' AND nspname LIKE 'esign%' ORDER BY 1, 2
"""


@pytest.fixture
def address(postgres_server):
    return ServerAddress(postgres_server.make_database())


@pytest.fixture
def admin(postgres_server, address):
    with postgres_server.connect(address.url.rpartition("/")[2]) as connection:
        yield connection


async def use_everything(address, secret, tenant):
    """Yield what commands do with a database, each as a coroutine that raises where it is refused."""
    store = make_store(address, tenant, secret=secret)

    async def queue_jobs():
        async with open_queue(JobConnector(address, secret, SystemClock(), patience=5, connections=3)):
            pass

    async def call(do):
        do()

    yield call(lambda: store.hold.acquire(run="r1", now=NOW).release())
    yield queue_jobs()
    if tenant == TENANT:
        for do in (
            store.exists,
            lambda: store.examine_server(NOW),
            store.open_for_reading,
            store.is_behind,
        ):
            yield call(do)


@pytest.mark.parametrize("tenant", [TENANT, "sandbox/app/without-a-ledger"])
async def test_another_secret_is_refused_before_anything_is_written(address, admin, tenant):
    with open_for_writing(address):
        pass
    before = admin.execute(CONTENT).fetchall()
    async for use in use_everything(address, OTHER, tenant):
        with pytest.raises(LedgerError, match="not the one that the hospitals on") as refused:
            await use
        assert refused.value.exit_code == 74
    assert admin.execute(CONTENT).fetchall() == before


def test_every_host_makes_the_same_key_and_each_hospital_has_its_own(address):
    with open_for_writing(address) as ledger:
        site_key = ledger.site_key
    assert site_key == derive_key(SECRET, TENANT)
    assert site_key.secret not in {derive_key(SECRET, "another").secret, derive_key(OTHER, TENANT).secret}
    places = make_places(address, host="two")
    assert not places.key_copy.exists()
    with open_for_writing(address, host="two") as ledger:
        assert ledger.site_key == site_key


def test_a_ledger_that_was_lost_keeps_the_key_of_its_journals(address, admin, run_record):
    """It was loaded from a file: the secret does not make its key, which stands wrapped in the ledger."""
    own_key = bytes(range(32))
    places = make_places(address)
    places.keep_key(places.key_copy, own_key)
    with open_for_writing(address) as ledger:
        ledger.begin_run(run_record("r1"))
    for _ in range(2):
        with open_for_writing(address) as ledger, open_for_reading(address) as reader:
            assert ledger.site_key.secret == reader.site_key.secret == own_key
            assert ledger.get_run("r1") is not None
        ((wrapped,),) = admin.execute(f"SELECT wrapped_key FROM {name_schema(TENANT)}.meta").fetchall()
        assert own_key not in wrapped
        with pytest.raises(LedgerError, match="not the one that the hospitals on"):
            open_for_reading(address, secret=OTHER)
        admin.execute(f"DROP SCHEMA {name_schema(TENANT)} CASCADE")
