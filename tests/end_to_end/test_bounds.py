"""Bounds that a run keeps: creates in flight, answers' size, what a no means, what is forecast."""

import asyncio
from pathlib import Path

import pytest
from aiohttp import web
from people import number
from wire_support import CREATE, fault, set_limits

from pipeline.clock import SystemClock
from pipeline.config.sections import Api
from pipeline.config.settings import Config
from pipeline.domain.roster import Doctor, ImageFile, Origin, Row
from pipeline.domain.run import RowPlan, Status
from pipeline.esign.client import MAX_REPLY_BYTES, Client, NoAnswer
from pipeline.esign.products import ESSBASIC
from pipeline.esign.responses import SeenAnswers
from pipeline.esign.signing import Credentials
from pipeline.workflow.run_preview import preview_run
from pipeline.workflow.send_rows import count_workers
from pipeline.workflow.tenant_ledger import open_configured_ledger


def test_no_more_creates_are_under_way_than_the_config_allows(hospital_with):
    hospital = hospital_with(latency=0.3)
    hospital.doctors(12)
    set_limits(hospital, 1000, 2)
    assert hospital.go("run") == 0
    arrivals = sorted(hospital.service.list_arrivals(CREATE))
    for first, third in zip(arrivals, arrivals[2:], strict=False):
        assert third - first > 0.25


def test_fingerprints_are_remembered(hospital):
    hospital.doctors(2)
    hospital.go("run")
    config = Config.load(hospital.folder / "config.yaml", environment={})
    with open_configured_ledger(config, SystemClock()) as (ledger, _):
        known = ledger.list_known_files()
    assert known[str(hospital.folder / "seals" / "00001.png")].size > 0


def planned(*, size=10, auto_sign=None, licence=None) -> RowPlan:
    doctor = Doctor(
        Row(Origin(Path("a.xlsx"), None, 2), (), {}),
        "r",
        "k",
        enable_auto_sign=auto_sign,
        license_type=licence,
        picture=ImageFile.from_path(Path("a.png"), "p", size),
    )
    return RowPlan(doctor, Status.READY, "张三处方章", None)


@pytest.mark.parametrize(
    ("auto_sign", "licence", "bound"),
    [(None, None, 0), (None, 1, 0), (True, 1, 0), (True, 0, 1), (None, 0, 1), (True, None, 1)],
)
def test_paid_licences_are_counted(auto_sign, licence, bound):
    inline = Config(api=Api(contract="inline"))
    rows = [planned(auto_sign=auto_sign, licence=licence)]
    assert preview_run([], rows, [], inline, None).licences == bound
    assert preview_run([], rows, [], Config(), None).licences == 0


@pytest.mark.parametrize(
    ("size", "compress", "heavy"), [(2_000_000, None, 0), (2_000_001, None, 1), (3_000_000, True, 0)]
)
def test_heavy_pictures_are_counted(size, compress, heavy):
    inline = Config(api=Api(contract="inline", seal_image_compress=compress))
    assert preview_run([], [planned(size=size)], [], inline, None).large_images == heavy


def test_workers_are_enough_for_both_calls_of_a_row():
    config = Config()
    assert count_workers(config) == 40
    assert count_workers(config.model_copy(update={"api": Api(contract="inline")})) == 20


async def _answered(handler, **settings):
    """Call a server of this test's own, once."""
    server = web.Server(handler)
    runner = web.ServerRunner(server, shutdown_timeout=0.05)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    keys = Credentials("AKIDx", "k", "tok")
    client = Client(
        product=ESSBASIC,
        endpoint=url,
        file_endpoint=url,
        credentials=keys,
        clock=SystemClock(),
        timeout=2,
        answers=SeenAnswers(),
        **settings,
    )

    async def before_send(call):
        assert call.may_leave()

    try:
        async with client:
            return await client.call(CREATE, b"{}", trace_id="t", before_send=before_send)
    finally:
        await runner.cleanup()


async def test_an_answer_without_end_is_no_answer():
    async def handler(_):
        return web.Response(body=b"x" * (MAX_REPLY_BYTES + 1))

    with pytest.raises(NoAnswer, match="too large"):
        await _answered(handler)


async def test_a_redirect_is_not_followed_and_nothing_is_unpacked():
    seen = []

    async def handler(request):
        seen.append(dict(request.headers))
        raise web.HTTPTemporaryRedirect("/elsewhere")

    reply = await _answered(handler, region="ap-x")
    assert (reply.status, len(seen)) == (307, 1)
    assert seen[0]["X-TC-Token"] == "tok"
    assert seen[0]["X-TC-Region"] == "ap-x"
    assert seen[0]["Accept-Encoding"] == "identity"

    async def packed(_):
        return web.Response(body=b"\x1f\x8b\x08not really", headers={"Content-Encoding": "gzip"})

    assert (await _answered(packed)).body == b"\x1f\x8b\x08not really"


async def test_the_answers_clock_runs_from_the_last_byte_sent():
    async def slow(request):
        await request.read()
        await asyncio.get_running_loop().create_future()

    with pytest.raises(NoAnswer, match="no answer came in time"):
        await _answered(slow)


def test_equal_rows_need_no_decision(hospital):
    hospital.doctors(1)
    row = ("赵邦安", number(1), None, "00001", "内科")
    hospital.roster([row, row])
    assert hospital.run_to_end("run") == (0, {"sealed": 1, "rejected": 1})


def test_creates_of_earlier_runs_are_counted(hospital_with):
    refused = {"code": {"code": "FailedOperation", "message": "操作失败"}}
    hospital = hospital_with(faults=[fault(refused)])
    hospital.doctors(2)
    hospital.go("run")
    hospital.go("retry")
    (again,) = [outcome for outcome in hospital.outcomes() if outcome["status"] == "sealed"]
    assert again["attempts"] == 2
