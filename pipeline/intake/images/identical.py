"""One drawing in two files: which pictures show exactly the same, whatever their format and encoding.

Bytes tell most of it before. Here files are told apart at growing cost: by their size in pixels, then by a mark of some
thousand points, and what is still alike by the digest over all pixels. A thousand seals take less than a second.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from PIL import Image

from pipeline.domain.roster import ImageFile
from pipeline.errors import NotReadNow
from pipeline.intake.images.decode import ImageRefused, decode, open_image
from pipeline.intake.images.format_fixes import PNG_START, read_png_size
from pipeline.intake.images.image_scan import reduced, scan_image
from pipeline.intake.images.read_bytes import handling_one, read, room_for, start_of

_THREADS = 2  # Pillow releases the interpreter lock
_DOZEN = 12
_SIDE = 32  # points of a mark's longer side, or up to twice as many

Trait = Callable[[ImageFile], Hashable | None]


@dataclass(frozen=True, slots=True)
class Twins:
    """What comparing drawings found."""

    same: Mapping[
        str, str
    ]  # sha256 -> that of the first picture with the same drawing, for those that share theirs
    unread: Mapping[str, NotReadNow]  # by sha256: the machine could not read it, it may be like any other


def find_identical_images(pictures: Iterable[ImageFile]) -> Twins:
    """Compare pictures by their upright pixels, as in ``PreparedImage.pixels``; a damaged file is like no other."""
    distinct = list({picture.sha256: picture for picture in pictures}.values())
    same: dict[str, str] = {}
    unread: dict[str, NotReadNow] = {}
    with ThreadPoolExecutor(_THREADS) as threads:

        def alike(among: Sequence[ImageFile], trait: Trait) -> Iterator[list[ImageFile]]:
            """Yield those that have a trait in common."""
            groups: defaultdict[Hashable, list[ImageFile]] = defaultdict(list)
            for picture, found in zip(among, _each(threads, trait, among), strict=True):
                if isinstance(found, NotReadNow):
                    unread[picture.sha256] = found
                elif found is not None:
                    groups[found].append(picture)
            return (group for group in groups.values() if len(group) > 1)

        kinds: dict[str, str] = {}
        for sized in alike(distinct, partial(_size, kinds=kinds)):
            # at a fraction of its size a JPEG is quick to read, but comparable to its like alone
            draft = all(kinds[each.sha256] == "JPEG" for each in sized)
            for marked in alike(sized, partial(_mark, draft=draft)):
                for drawn in alike(marked, _pixels):
                    same |= dict.fromkeys((each.sha256 for each in drawn), drawn[0].sha256)
    return Twins(same, unread)


def _each(threads: Executor, trait: Trait, among: Sequence[ImageFile]) -> Iterator[Hashable | None]:
    """Yield a trait of every picture, in order; handed out by the dozen, for a small one takes little longer itself."""

    def found_of(picture: ImageFile) -> Hashable | None:
        try:
            return trait(picture)
        except NotReadNow as trouble:
            return trouble

    dozens = [among[first : first + _DOZEN] for first in range(0, len(among), _DOZEN)]
    for found in threads.map(lambda dozen: list(map(found_of, dozen)), dozens):
        yield from found


def _size(picture: ImageFile, *, kinds: dict[str, str]) -> Hashable | None:
    """Return how many pixels a picture has each way, sorted: one that is turned by its EXIF has them the other way round.

    Its format is entered into ``kinds``. A PNG holds its size at the start; whether the rest is whole shows in its mark.
    """
    try:
        with handling_one():
            kind, size = "PNG", read_png_size(start_of(picture, PNG_START))
            if size is None:
                opened = open_image(read(picture))
                kind, size = opened.kind, opened.size
    except ImageRefused:
        return None
    kinds[picture.sha256] = kind
    return tuple(sorted(size))


def _mark(picture: ImageFile, *, draft: bool) -> Hashable | None:
    """Return the picture some thousand points large, grey, on white paper."""

    def mark(image: Image.Image) -> bytes:
        return reduced(image, max(1, max(image.size) // _SIDE)).convert("L").tobytes()

    return _of_image(picture, mark, draft=2 * _SIDE if draft else None)


def _pixels(picture: ImageFile) -> Hashable | None:
    return _of_image(picture, lambda image: scan_image(image).pixels)


def _of_image(
    picture: ImageFile, trait: Callable[[Image.Image], Hashable], draft: int | None = None
) -> Hashable | None:
    """Return a trait of the decoded image, None where it cannot be decoded."""
    try:
        with handling_one():
            found = open_image(read(picture))
            with room_for(found):
                return trait(decode(found, draft=draft).image)
    except ImageRefused:
        return None
