"""A sandbox in a thread with an event loop of its own: for blocking callers, the demo, command-line tests."""

from __future__ import annotations

import asyncio
import threading
from typing import Self

from pipeline.sandbox.server import Sandbox
from pipeline.sandbox.world import World


class SandboxThread:
    """``with SandboxThread(Sandbox(world)) as sandbox: … sandbox.url``; its world may be read meanwhile."""

    def __init__(self, sandbox: Sandbox | None = None) -> None:
        self._sandbox = sandbox or Sandbox()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sandbox", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._done: asyncio.Event | None = None
        self._trouble: Exception | None = None

    @property
    def url(self) -> str:
        """Address of the general host."""
        return self._sandbox.url

    @property
    def file_url(self) -> str:
        """Address of the file host; the same one unless the sandbox has two ports."""
        return self._sandbox.file_url

    @property
    def world(self) -> World:
        """The world behind it."""
        return self._sandbox.world

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._trouble is not None:
            raise self._trouble
        return self

    def __exit__(self, *_: object) -> None:
        assert self._loop is not None
        assert self._done is not None
        self._loop.call_soon_threadsafe(self._done.set)
        self._thread.join()

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._done = asyncio.Event()
        try:
            await self._sandbox.start()
        except Exception as error:  # noqa: BLE001  a taken port, a damaged file: raised where the thread was asked for
            self._trouble = error
            return
        finally:
            self._ready.set()
        await self._done.wait()
        await self._sandbox.stop()
