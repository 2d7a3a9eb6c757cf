"""Compiles click's words in Chinese for `gettext`: ``python tools/compile_messages.py`` writes the catalogue."""

import struct

from pipeline.cli.help import DOMAIN, LOCALE
from pipeline.messages.areas import get_words
from pipeline.messages.help import PLURALS

HEADER = "Content-Type: text/plain; charset=UTF-8\nLanguage: zh\nPlural-Forms: nplurals=2; plural=(n != 1);\n"
TARGET = LOCALE / "zh" / "LC_MESSAGES" / f"{DOMAIN}.mo"
MAGIC = 0x950412DE


def compile_catalogue() -> bytes:
    """Return the catalogue in GNU's binary form: two tables of (length, offset), sorted, then the texts."""
    chinese = get_words("click")
    pairs = {"": HEADER} | {en: zh for en, zh in chinese.items() if en not in PLURALS.values()}
    pairs |= {f"{one}\0{many}": f"{chinese[one]}\0{chinese[many]}" for one, many in PLURALS.items()}
    pairs = {key: text for key, text in pairs.items() if key not in PLURALS}
    keys = sorted(pairs, key=str.encode)
    texts = [text.encode() for text in (*keys, *(pairs[key] for key in keys))]
    start = 28 + 8 * len(texts)
    tables, body = b"", b""
    for text in texts:
        tables += struct.pack("<II", len(text), start + len(body))
        body += text + b"\0"
    return struct.pack("<7I", MAGIC, 0, len(keys), 28, 28 + 8 * len(keys), 0, 0) + tables + body


if __name__ == "__main__":
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_bytes(compile_catalogue())
