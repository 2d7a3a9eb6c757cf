"""The elements of a large XML text, one after another while it is unpacked: a sheet is never held whole."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO
from xml.etree.ElementTree import Element, TreeBuilder, XMLParser

# expat itself: its handler refuses a DOCTYPE before ElementTree sees one
from xml.parsers import expat

from pipeline.errors import FileRefused
from pipeline.intake.readers.model import make_danger_refusal

_MAX_HELD = 8_000_000  # bytes of one element, and of what stands between two: a row of Excel's 16,384 columns has one million
_CHUNK = (
    1 << 12
)  # bytes parsed at once: the elements of many more do not stay in the processor's cache, and take half as long again


def take_elements(stream: IO[bytes], part: str, depth: int) -> Iterator[tuple[Element, list[Element]]]:
    """Yield (parent, elements) for elements that have ended, down to a depth below the root, and let go of them.

    An element comes behind those in it. Raises FileRefused for a DOCTYPE, and with it every entity, and for an element
    that is too large; ParseError, ExpatError, LookupError and ValueError for what is no XML.
    """
    builder = TreeBuilder()
    above = builder.start("", {})  # the root becomes its child, so that the tree is at hand while it grows
    parser = XMLParser(target=builder)  # noqa: S314  it gets no DOCTYPE
    guard = _make_guard(part)
    held = 0
    while chunk := stream.read(_CHUNK):
        if not len(above):  # a DOCTYPE can only stand before the root
            guard.Parse(chunk)
        parser.feed(chunk)
        held += len(chunk)
        for root in above:
            for ended in _take_ended(root, depth, is_ended=False):
                held = 0
                yield ended
        if held > _MAX_HELD:
            raise make_danger_refusal("file.cell_too_long", cell=part, length=held)
    parser.close()
    yield from _take_ended(above[0], depth, is_ended=True)


def _take_ended(parent: Element, depth: int, *, is_ended: bool) -> Iterator[tuple[Element, list[Element]]]:
    """Yield the children that have ended: all but the last one, which may grow as long as its parent does."""
    ended = parent[:] if is_ended else parent[:-1]
    if depth == 1:
        if ended:
            yield parent, ended
    else:
        for index, child in enumerate(parent):
            has_ended = index < len(ended)
            yield from _take_ended(child, depth - 1, is_ended=has_ended)
            if has_ended:
                yield parent, [child]
    del parent[: len(ended)]


def _make_guard(part: str) -> expat.XMLParserType:
    def refuse(*_: object) -> None:
        raise FileRefused("FILE_SUSPICIOUS", {"found": f"DOCTYPE: {part}"})

    guard = expat.ParserCreate()
    guard.StartDoctypeDeclHandler = refuse
    return guard


def get_name(parent: Element, element: Element) -> str:
    """Return the name of an element without its namespace; nothing for one of another namespace than its parent's."""
    name = element.tag.rpartition("}")[2]
    return name if parent.tag.startswith(element.tag[: -len(name)]) else ""
