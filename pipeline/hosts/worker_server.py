"""What a worker answers over HTTP where `workers.listen` is set: `/health` for a supervisor, `/metrics` for Prometheus."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

from pipeline.errors import EsignImportError, LedgerError, UsageError, reason_of

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class WorkerServer:
    """The two pages of a worker. Neither names a person; `/health` asks no database."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        describe_health: Callable[[], Mapping[str, object]],
        make_metrics: Callable[[], Awaitable[bytes]],
    ) -> None:
        self._host = host
        self._port = port
        self._describe_health = describe_health
        self._make_metrics = make_metrics

    @asynccontextmanager
    async def serve(self) -> AsyncIterator[None]:
        """Answer while the block runs. Raises UsageError where the address cannot be taken."""
        app = web.Application()
        app.router.add_get("/health", self._answer_health)
        app.router.add_get("/metrics", self._answer_metrics)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            try:
                await web.TCPSite(runner, self._host, self._port).start()
            except OSError as error:
                address = f"{self._host}:{self._port}"
                raise UsageError("worker.no_address", address=address, why=reason_of(error)) from error
            yield
        finally:
            await runner.cleanup()

    async def _answer_health(self, _: web.Request) -> web.Response:
        health = self._describe_health()
        return web.json_response(dict(health), status=503 if health["status"] == "database_silent" else 200)

    async def _answer_metrics(self, _: web.Request) -> web.Response:
        try:
            metrics = await self._make_metrics()
        except EsignImportError as error:
            status = 503 if isinstance(error, LedgerError) else 501
            return web.Response(text=f"{error.render('en')}\n", status=status)
        return web.Response(body=metrics, headers={"Content-Type": METRICS_TYPE})
