"""Rate limiter of several processes and hosts that share one limit; its slots come from a row in the ledger's database.

Every run reserves slots a little ahead, the farther the fewer rows it has still to send. A run with few rows so goes
before one with many, without either knowing of the other; among equals the first come is served. At most a second of slots
is reserved, however many runs there are. A run that got none for some seconds may once reserve as far ahead as any.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import asdict, dataclass

from pipeline.clock import Clock, SystemClock
from pipeline.domain.server_address import ServerAddress
from pipeline.esign.rate_limiter import Departures, Limiter, Pacing
from pipeline.hosts.rate_row import FirstPacing, PacingChange, RateRows, SlotAnswer, StoredPacing
from pipeline.support.progress_file import record_progress

LOG = logging.getLogger(__name__)
# Slots that may lie ahead of a reservation: of a run with up to FEW_ROWS rows, and of the largest ones.
FARTHEST, NEAREST = 19.0, 4.0
FEW_ROWS = 25
NEARER = 1.5  # slots fewer each time the rows double
MOST_TURNS = 20  # calls with an open connection that wait for a slot
PATIENCE_SECONDS = 10.0  # without a slot, until a run may reserve as far ahead as any
# At most so many slots later than necessary a run asks again, the more the more often it was refused: several must not
# ask at once, and a hundred not all the time.
RETRY_SLOTS, MOST_RETRY_SLOTS = 3.0, 10.0
SHORTEST_RETRY = 0.002  # seconds
# A call that leaves later than so is too late for its slot. The spacing's margin over 1/limit makes 30 ms in a second, at
# any limit: calls that are less late put no more into a second than it holds.
LATE_SECONDS = 0.025
FIRST_LEAD, LONGEST_LEAD = 0.05, 0.25  # seconds for what is done between a slot and the first byte: a commit
LEAD_KEPT = 0.95  # of a slow one with each call that follows


@dataclass(frozen=True, slots=True)
class Slot:
    """A reserved slot: its time, which a push of all slots since it was taken moves on."""

    due: float  # monotonic seconds
    pushed: float  # of the row when it was taken


class SharedRateLimiter(Limiter):
    """Limiter whose slots come from rows on a server; ``close`` ends it."""

    def __init__(
        self, address: ServerAddress, requests_per_second: float, clock: Clock | None = None
    ) -> None:
        self.clock = clock or SystemClock()
        pacing = Pacing.begin(requests_per_second)
        first = FirstPacing(requests_per_second, dump_pacing(pacing), pacing.spacing)
        self._rows = RateRows(address, first, self.clock)
        self._rate = requests_per_second
        self._rows_to_send = 0
        self._queues: dict[str, _Queue] = {}
        self._loop: asyncio.AbstractEventLoop | None = None  # that the queues' locks belong to

    async def acquire(self, action: str) -> None:
        """Wait for this action's next slot."""
        await self._get_queue(action).acquire(self._compute_slots_ahead())

    def take_turn(self, action: str) -> AbstractAsyncContextManager[None]:
        """Wait until a call has a chance of a slot soon: only then its connection is opened."""
        return self._get_queue(action).take_turn()

    async def record_departure(self, action: str) -> None:
        """Record a departure; one that is too late for its slot waits for a new one."""
        await self._get_queue(action).record_departure(self._compute_slots_ahead())

    def record_throttle(self, action: str, granted: int | None, counted: int | None) -> None:
        """Hold all calls of the quota, widen the spacing, adopt a lower limit that the message names."""

        def learn(stored: StoredPacing) -> PacingChange:
            pacing, hold = load_pacing(stored.pacing).learn_from_throttle(granted, counted, stored.now)
            return PacingChange(dump_pacing(pacing), pacing.spacing, hold)

        self._get_queue(action).change_pacing(learn)

    def list_departures(self, action: str) -> tuple[float, ...]:
        """Return the monotonic seconds at which this process's calls of an action left."""
        queue = self._queues.get(action)
        return tuple(queue.departures.moments) if queue else ()

    def expect_rows(self, change: int) -> None:
        """Add to the rows that this process has still to send."""
        self._rows_to_send += change

    def close(self) -> None:
        """End the connection to the database."""
        self._rows.close()

    def _compute_slots_ahead(self) -> float:
        doublings = math.log2(max(1.0, self._rows_to_send / FEW_ROWS))
        return max(NEAREST, FARTHEST - NEARER * doublings)

    def _get_queue(self, action: str) -> _Queue:
        self._enter_loop()
        if action not in self._queues:
            self._queues[action] = _Queue(self._rows, action, self._rate, self.clock)
        return self._queues[action]

    def _enter_loop(self) -> None:
        """Make new locks in a new event loop: one command may use several, one after another."""
        loop = asyncio.get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None and self._loop.is_running():
            raise RuntimeError("a limiter serves one event loop at a time")
        self._loop = loop
        for queue in self._queues.values():
            queue.enter_loop()


class _Queue:
    """This process's share of one action's slots."""

    def __init__(self, rows: RateRows, action: str, rate: float, clock: Clock) -> None:
        self.departures = Departures(max(1, int(rate)), clock)
        self._rows = rows
        self._action = action
        self._rate = rate
        self._clock = clock
        self._spacing = 1 / rate
        self._round_trip = 0.0  # seconds until the server's answer, of the last ones
        self._pushed, self._version = 0.0, 0  # as the newest answer has them
        self._last_slot_at = clock.monotonic()
        self._spare: deque[Slot] = deque()  # reserved by calls that do not need them any more
        # Slots of calls that are about to leave, and when `acquire` returned. The first call that is ready takes the first
        # slot: one whose commit is slow, or that does not leave at all, leaves its slot to another.
        self._used: deque[tuple[Slot, float]] = deque(maxlen=MOST_TURNS)
        self._lead = FIRST_LEAD  # seconds before its slot at which a call may begin to leave
        self.enter_loop()

    def enter_loop(self) -> None:
        """Make the locks of a new event loop."""
        self.departures.turn = asyncio.Lock()
        self._reserving, self._leaving = asyncio.Lock(), asyncio.Lock()
        self._spare.clear()
        self._used.clear()
        self._turns = _Turns()

    def take_turn(self) -> AbstractAsyncContextManager[None]:
        return self._turns.take()

    async def acquire(self, slots_ahead: float) -> None:
        """Return a little before the slot, for what a call does before it leaves."""
        while True:
            slot = await self._reserve(slots_ahead)
            try:
                await self._wait_for(slot, earlier=self._lead)
            except asyncio.CancelledError:
                self._spare.append(slot)
                raise
            if not self._is_late(slot):
                self._used.append((slot, self._clock.monotonic()))
                return

    async def record_departure(self, slots_ahead: float) -> None:
        """Return at the first slot that is not over; where none is left, at a new one."""
        async with self._leaving:
            slot = self._take_used_slot()
            if slot is not None:
                await self._wait_for(slot)
        if slot is None:
            await self._wait_for(await self._reserve(slots_ahead))
        await self.departures.add()

    def _take_used_slot(self) -> Slot | None:
        while self._used:
            slot, returned_at = self._used.popleft()
            self._learn_lead(self._clock.monotonic() - returned_at)
            if not self._is_late(slot):
                return slot
        return None

    async def _wait_for(self, slot: Slot, *, earlier: float = 0.0) -> None:
        while (wait := self._compute_due(slot) - earlier - self._clock.monotonic()) > 0:
            await self._clock.sleep(wait)

    def _learn_lead(self, seconds: float) -> None:
        """Learn how long before its slot a call has to begin to leave in time: as long as the slow ones took."""
        self._lead = min(LONGEST_LEAD, max(seconds, LEAD_KEPT * self._lead))

    def _compute_due(self, slot: Slot) -> float:
        """Return when a slot comes: a throttle anywhere pushes all slots that were taken before."""
        return slot.due + max(0.0, self._pushed - slot.pushed)

    def _is_late(self, slot: Slot) -> bool:
        return self._clock.monotonic() - self._compute_due(slot) > LATE_SECONDS

    async def _reserve(self, slots_ahead: float) -> Slot:
        async with self._reserving:
            refusals = 0
            while True:
                while self._spare:
                    spare = self._spare.popleft()
                    if self._compute_due(spare) > self._clock.monotonic():
                        return spare
                now = self._clock.monotonic()
                ahead = FARTHEST if now - self._last_slot_at > PATIENCE_SECONDS else slots_ahead
                ahead += 2 * self._round_trip / self._spacing  # else a slot is over when a slow answer comes
                answer = await asyncio.wrap_future(self._rows.take_slot(self._action, ahead))
                self._round_trip += (answer.arrived_at - now - self._round_trip) / 8
                self._adopt(answer)
                if answer.is_taken:
                    self._last_slot_at = answer.arrived_at
                    self._turns.widen()
                    self._learn(answer)
                    return Slot(answer.arrived_at + max(0.0, answer.wait), answer.pushed)
                self._turns.narrow()
                refusals += 1
                later = random.uniform(0, min(RETRY_SLOTS * refusals, MOST_RETRY_SLOTS))  # noqa: S311 - no secret
                await self._clock.sleep(max(SHORTEST_RETRY, answer.wait + later * answer.spacing))

    def _adopt(self, answer: SlotAnswer) -> None:
        """Take over the state of the row; an older one was brought back by a crash of the server."""
        record_progress()  # a run waits behind others as long as they send
        pushed = self._pushed if answer.version >= self._version else 0.0
        self._pushed = max(pushed, answer.pushed)  # a throttle of this process may be newer than the answer
        self._spacing, self._version = answer.spacing, answer.version

    def _learn(self, answer: SlotAnswer) -> None:
        pacing = load_pacing(answer.pacing)
        self.departures.limit, self.departures.window = pacing.limit, pacing.departure_window
        slot_at = answer.now + max(0.0, answer.wait)
        if answer.wait <= 0 or not pacing.may_narrow(answer.calls_at_pace, slot_at):
            return

        def narrow(stored: StoredPacing) -> PacingChange | None:
            if stored.version != answer.version:
                return None
            narrower = load_pacing(stored.pacing).narrow()
            return PacingChange(dump_pacing(narrower), narrower.spacing)

        self.change_pacing(narrow)

    def change_pacing(self, change: Callable[[StoredPacing], PacingChange | None]) -> None:
        """Change what the row has learnt, without waiting for it."""
        self._rows.change_pacing(self._action, change).add_done_callback(self._take_push)

    def _take_push(self, done: Future[float]) -> None:
        """Move the slots that this process has reserved; it runs in the database's thread."""
        if done.cancelled():
            return
        if (error := done.exception()) is not None:  # the next slot fails for the same reason
            LOG.warning("the pace was not recorded", extra={"reason": str(error)})
        else:
            self._pushed = max(self._pushed, done.result())


class _Turns:
    """How many calls may wait for a slot with an open connection: more while slots come at once, else fewer.

    A run that waits behind others would else keep connections waiting until the service closes them.
    """

    def __init__(self) -> None:
        self._most = 1
        self._taken = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    def widen(self) -> None:
        self._most = min(self._most + 1, MOST_TURNS)
        self._wake()

    def narrow(self) -> None:
        self._most = max(self._most - 1, 1)

    @asynccontextmanager
    async def take(self) -> AsyncIterator[None]:
        while self._taken >= self._most:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            try:
                await waiting
            finally:
                self._waiting.remove(waiting)
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._wake()

    def _wake(self) -> None:
        for waiting in list(self._waiting)[: max(0, self._most - self._taken)]:
            if not waiting.done():
                waiting.set_result(None)


def dump_pacing(pacing: Pacing) -> str:
    """Return a pacing as the text that a row keeps."""
    return json.dumps(asdict(pacing))


def load_pacing(text: str) -> Pacing:
    """Return the pacing of a row."""
    values = json.loads(text)
    return Pacing(**{**values, "jitters": tuple(values["jitters"])})
