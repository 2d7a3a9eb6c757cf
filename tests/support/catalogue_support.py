"""Every entry of the catalogue of messages: its key, Chinese and English."""

import importlib
import pkgutil
from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline import messages
from pipeline.messages import problem_entries
from pipeline.messages.advice import Advice
from pipeline.messages.help import CHINESE, HELP

MESSAGES = Path(messages.__path__[0])

# (zh, en) tables of other shapes than Mapping[str, (zh, en)]: English -> Chinese
PHRASES = {
    "help": HELP,
    "click": CHINESE,
}


def pairs() -> Iterator[tuple[str, str, str]]:
    """Yield every entry of the catalogue: its key, Chinese, English."""
    for module in pkgutil.iter_modules(messages.__path__):
        if module.name == "catalogue":  # the other tables once more
            continue
        room = importlib.import_module(f"pipeline.messages.{module.name}")
        for name, table in vars(room).items():
            if name.isupper() and isinstance(table, Mapping) and f"{name}: Mapping" in source(module.name):
                for key, value in table.items():
                    yield from entry(f"{module.name}.{name}", str(key), value)


def entry(table: str, key: str, value: object) -> Iterator[tuple[str, str, str]]:
    match value:
        case (str() as zh, str() as en) | (str(), (str() as zh, str() as en)):
            yield key, zh, en
        case Advice():
            yield from ((f"{table} {key}", zh, en) for zh, en in zip(value.zh, value.en, strict=True))
        case problem_entries.Entry():
            yield key, value.zh, value.en
            yield f"{key} (label)", *value.label
            if value.other:
                yield f"{key} (other)", *value.other


def source(module: str) -> str:
    return (MESSAGES / f"{module}.py").read_text("utf-8")


PAIRS = [*pairs(), *((en, zh, en) for table in PHRASES.values() for en, zh in table.items())]
