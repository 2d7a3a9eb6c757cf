"""Every text of the catalogue files: its key, Chinese and English."""

from collections.abc import Iterator

from pipeline.messages.areas import AREAS, load_area

HELP, CHINESE = load_area("help")["help"], load_area("help")["click"]  # English -> Chinese
ENTRIES = {key: words for area in AREAS if area != "help" for key, words in load_area(area).items()}


def pairs() -> Iterator[tuple[str, str, str]]:
    """Yield every text of the catalogue: its key, Chinese, English."""
    for key, words in ENTRIES.items():
        yield key, words["zh"], words["en"]
    for table in (HELP, CHINESE):
        for en, zh in table.items():
            yield en, zh, en


PAIRS = [*pairs()]
PROBLEM_CODES = [key for key, words in load_area("problems").items() if "severity" in words]
