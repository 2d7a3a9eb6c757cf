"""Pictures that are held at a time stay within the limit, whatever their sizes, and each gets its turn."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from pipeline.sending.submit import ByteBudget

LIMIT = 100


@given(st.lists(st.tuples(st.integers(0, 150), st.integers(0, 3)), max_size=40), st.sets(st.integers(0, 39)))
def test_the_limit_holds_and_every_task_gets_its_turn(tasks, cancelled):
    """Each task holds so many bytes for so many turns of the loop; some are cancelled in the meantime."""
    held, begun, done = [], set(), set()

    async def hold(budget, number, size, turns):
        async with budget.hold(size):
            begun.add(number)
            held.append(size)
            assert sum(held) <= LIMIT or len([size for size in held if size]) == 1
            for _ in range(turns):
                await asyncio.sleep(0)
            held.remove(size)
        done.add(number)

    async def run_all():
        budget = ByteBudget(LIMIT)
        running = [asyncio.create_task(hold(budget, number, *task)) for number, task in enumerate(tasks)]
        await asyncio.sleep(0)
        blocked = {number for number in cancelled if number < len(running) and number not in begun}
        for number in blocked:
            running[number].cancel()
        await asyncio.wait_for(asyncio.gather(*running, return_exceptions=True), 10)
        return blocked

    blocked = asyncio.run(run_all())
    assert done == set(range(len(tasks))) - blocked
