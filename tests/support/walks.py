"""How far walks through random cases go: a part of the way in `make test`, all of it in `make trap`."""

import os

WHOLE = bool(os.environ.get("TRAP_SEEDS"))


def count_examples(whole: int) -> int:
    """Return how many examples of a property are looked at, a third of the whole number unless all are asked for."""
    return whole if WHOLE else whole // 3
