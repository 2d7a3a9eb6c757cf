"""Lines that can be looked at before they are taken: a header of three rows is seen whole."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import islice

from pipeline.intake.readers.model import Line


class PeekableLines(Iterator[Line]):
    """A stream of lines, ascending."""

    def __init__(self, lines: Iterable[Line]) -> None:
        self._lines = iter(lines)
        self._seen: deque[Line] = deque()

    def __next__(self) -> Line:
        return self._seen.popleft() if self._seen else next(self._lines)

    def peek(self, count: int) -> list[Line]:
        """Return up to so many lines that come next, without taking them."""
        self._seen.extend(islice(self._lines, max(count - len(self._seen), 0)))
        return list(islice(self._seen, count))

    def take(self, count: int) -> list[Line]:
        """Take so many lines."""
        return list(islice(self, count))

    def take_to(self, last: int) -> list[Line]:
        """Take the lines up to a number."""
        taken: list[Line] = []
        while (ahead := self.peek(1)) and ahead[0].number <= last:
            taken += self.take(1)
        return taken
