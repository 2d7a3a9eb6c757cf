"""Pictures that show exactly the same, whatever their format and encoding.

Pictures are compared at growing cost: by their size in pixels, which is read and nothing decoded, then by some thousand
of their points, and what is still alike by the digest over all pixels. Pictures whose digests are known from an earlier
check are compared by these, and none is opened. (To decode a part of a PNG costs no less than the
whole: most of the time is spent on opening, reading and verifying it.)
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
from pipeline.intake.images.decode import decoding_file, open_image, refusing_faults
from pipeline.intake.images.formats import PNG_START, read_png_size
from pipeline.intake.images.image_files import ImageRefused, read_image, read_image_start
from pipeline.intake.images.ink import reduce_image, scan_image
from pipeline.intake.images.pixel_digest import get_digested_size

_THREADS = 2  # Pillow releases the interpreter lock
_BATCH = 12  # pictures: handing out one small picture takes as long as comparing it
_SIDE = 64  # points across and down that are looked at first

Trait = Callable[[ImageFile], Hashable | None]


@dataclass(frozen=True, slots=True)
class IdenticalImages:
    """The result of comparing pictures."""

    # sha256 -> that of the first picture that shows the same, for those that share theirs
    first_of: Mapping[str, str]
    unread: Mapping[str, NotReadNow]  # by sha256: the machine could not read it, it may be like any other


def find_identical_images(
    images: Iterable[ImageFile], find_pixels: Callable[[ImageFile], str | None] = lambda _: None
) -> IdenticalImages:
    """Compare pictures by their upright pixels, as in ``PreparedImage.pixels``; a damaged file is like no other.

    ``find_pixels`` returns a digest of pixels that is known, or None.
    """
    distinct = list({image.sha256: image for image in images}.values())
    first_of: dict[str, str] = {}
    unread: dict[str, NotReadNow] = {}
    kinds: dict[str, str] = {}
    known: dict[str, str] = {}  # digests of pixels

    def find_size(image: ImageFile) -> Hashable | None:
        if pixels := find_pixels(image):
            known[image.sha256] = pixels
            return tuple(sorted(get_digested_size(pixels)))
        kind, size = _read_kind_and_size(image)
        kinds[image.sha256] = kind
        return tuple(sorted(size))  # one that is turned by its EXIF has width and height the other way round

    with ThreadPoolExecutor(_THREADS) as threads:

        def group_images(among: Sequence[ImageFile], get_trait: Trait) -> Iterator[list[ImageFile]]:
            """Yield those that have a trait in common."""
            groups: defaultdict[Hashable, list[ImageFile]] = defaultdict(list)
            for image, trait in zip(among, _map_trait(threads, get_trait, among), strict=True):
                if isinstance(trait, NotReadNow):
                    unread[image.sha256] = trait
                elif trait is not None:
                    groups[trait].append(image)
            return (group for group in groups.values() if len(group) > 1)

        for same_size in group_images(distinct, find_size):
            # at a fraction of its size a JPEG is quick to read, but comparable to its like alone
            are_jpegs = all(kinds.get(image.sha256) == "JPEG" for image in same_size)
            pick_points = partial(_pick_points, draft=_SIDE if are_jpegs else None)
            are_known = all(image.sha256 in known for image in same_size)
            for similar in [same_size] if are_known else group_images(same_size, pick_points):
                for identical in group_images(
                    similar, lambda image: known.get(image.sha256) or _digest_pixels(image)
                ):
                    first_of |= dict.fromkeys((image.sha256 for image in identical), identical[0].sha256)
    return IdenticalImages(first_of, unread)


def _map_trait(
    threads: Executor, get_trait: Trait, images: Sequence[ImageFile]
) -> Iterator[Hashable | NotReadNow | None]:
    """Yield a trait of every picture in order, None where it cannot be decoded."""

    def get_or_explain(image: ImageFile) -> Hashable | NotReadNow | None:
        try:
            return get_trait(image)
        except ImageRefused:
            return None
        except NotReadNow as trouble:
            return trouble

    batches = [images[start : start + _BATCH] for start in range(0, len(images), _BATCH)]
    for traits in threads.map(lambda batch: list(map(get_or_explain, batch)), batches):
        yield from traits


def _read_kind_and_size(image: ImageFile) -> tuple[str, tuple[int, int]]:
    """Return a picture's format and size; of a PNG the first bytes are read, whether the rest is whole shows later."""
    with refusing_faults():
        if size := read_png_size(read_image_start(image, PNG_START)):
            return "PNG", size
        opened = open_image(read_image(image))
        return opened.kind, opened.size


def _pick_points(image: ImageFile, draft: int | None = None) -> bytes:
    """Return points of the picture, evenly spread, grey, on white paper."""
    with decoding_file(image, draft=draft) as decoded:
        width, height = decoded.image.size
        points = decoded.image.resize((min(width, _SIDE), min(height, _SIDE)), Image.Resampling.NEAREST)
        return reduce_image(points, 1).convert("L").tobytes()


def _digest_pixels(image: ImageFile) -> str:
    with decoding_file(image) as decoded:
        return scan_image(decoded.image).pixels
