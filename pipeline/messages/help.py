"""How click's own texts are polished, and which of them are one another's plural; the texts are in ``help.toml``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

# the same in the plural, where click asks for one of two
PLURALS: Mapping[str, str] = {
    "Got unexpected extra argument ({args})": "Got unexpected extra arguments ({args})",
    "Takes {nargs} values but 1 was given.": "Takes {nargs} values but {len} were given.",
    "{len_type} values are required, but {len_value} was given.": (
        "{len_type} values are required, but {len_value} were given."
    ),
    "{value!r} is not {choice}.": "{value!r} is not one of {choices}.",
    "{value!r} does not match the format {format}.": "{value!r} does not match the formats {formats}.",
    "Did you mean {possibility}?": "(Did you mean one of: {possibilities}?)",
    "Option {name!r} requires an argument.": "Option {name!r} requires {nargs} arguments.",
}

# the names that click gives to kinds of numbers, which it does not translate
KINDS: Mapping[str, tuple[str, str]] = {
    "a valid integer range": ("整数", "a whole number"),
    "a valid float range": ("数字", "a number"),
    "integer range": ("整数", "a whole number"),
    "float range": ("数字", "a number"),
}
# how a range is written in either language: pattern -> replacement
RANGES: Sequence[tuple[str, str]] = (
    (r"\b(\S+)<=x<=(\S+)", r"\1-\2"),
    (r"\bx>=(\S+)", r">= \1"),
    (r"\bx>(?=\S)", "> "),
    (r"\n\t", " "),  # each choice of several has a line
)
# in Chinese: no blank after a wide stop, quotes and commas of its own, a stop of its own at the end
STOPS: Sequence[tuple[str, str]] = (
    (r"(?<!\w)'([^']*)'", r"“\1”"),
    (r"”, (?=“)", "”、"),
    (r"(?<=[^\x00-\x7f]) (?=“)", ""),
    (r"(?<=[，。、；：？！）”]) +(?=[^\x00-\x7f])", ""),
    (r"(?<=[^\x00-\x7f])\.(?=\s|$)", "。"),
    (r"。（(.*？)）$", r"。\1"),
    (r"(?<=[^。？！：])$", "。"),
    (r"(?<=[。：]) +", ""),
)
