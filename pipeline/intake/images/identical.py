"""Pictures that show exactly the same, whatever their format and encoding.

Pictures are compared at growing cost: by their size in pixels, which is read and nothing decoded, then by some thousand
of their points, and what is still alike by the digest over all pixels. Pictures whose digests are known from an earlier
check are compared by these, and none is opened. (To decode a part of a PNG costs no less than the
whole: most of the time is spent on opening, reading and verifying it.)
Pictures that would be prepared too slowly once calls are made are prepared here, and compared by what that finds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from math import inf, prod

from PIL import Image

from pipeline.domain.roster import ImageFile
from pipeline.errors import NotReadNow
from pipeline.intake.images.decode import decoding_file, open_image, refusing_faults
from pipeline.intake.images.formats import JPEG_START, PNG_START, read_jpeg_size, read_png_size
from pipeline.intake.images.image_files import ImageRefused, read_image, read_image_start
from pipeline.intake.images.ink import reduce_image, scan_image
from pipeline.intake.images.pixel_digest import get_digested_size

_THREADS = 2  # Pillow releases the interpreter lock
_BATCH = 12  # pictures: handing out one small picture takes as long as looking at some points of it
_SIDE = 64  # points across and down that are looked at first

Trait = Callable[[ImageFile], Hashable | None]


@dataclass(frozen=True, slots=True)
class IdenticalImages:
    """The result of comparing pictures."""

    # sha256 -> that of the first picture that shows the same, for those that share theirs
    first_of: Mapping[str, str]
    unread: Mapping[str, NotReadNow]  # by sha256: the machine could not read it, it may be like any other


def find_identical_images(
    images: Iterable[ImageFile],
    find_pixels: Callable[[ImageFile], str | None] = lambda _: None,
    *,
    prepare_pixels: Callable[[ImageFile], str | None] = lambda _: None,
    least_prepared: float = inf,
) -> IdenticalImages:
    """Compare pictures by their upright pixels, as in ``PreparedImage.pixels``; a damaged file is like no other.

    ``find_pixels`` returns a digest of pixels that is known, or None. Pictures of at least ``least_prepared`` pixels that
    have to be decoded are decoded by ``prepare_pixels``; it returns their digest, or None where they cannot be prepared.
    """
    distinct = list({image.sha256: image for image in images}.values())
    first_of: dict[str, str] = {}
    with ThreadPoolExecutor(_THREADS) as threads:
        comparison = _Comparison(find_pixels, prepare_pixels, least_prepared, threads)
        for same_size in comparison.group_images(distinct, comparison.find_size):
            for identical in comparison.group_by_pixels(same_size):
                first_of |= dict.fromkeys((image.sha256 for image in identical), identical[0].sha256)
    return IdenticalImages(first_of, comparison.unread)


@dataclass(slots=True)
class _Comparison:
    """Groups pictures by what they have in common, and keeps by sha256 what was learnt of them."""

    find_pixels: Callable[[ImageFile], str | None]
    prepare_pixels: Callable[[ImageFile], str | None]
    least_prepared: float
    threads: Executor
    unread: dict[str, NotReadNow] = field(default_factory=dict)
    _known: dict[str, str] = field(default_factory=dict)  # digests of pixels
    _kinds: dict[str, tuple[str, int]] = field(default_factory=dict)  # format and number of pixels

    def find_size(self, image: ImageFile) -> Hashable | None:
        if pixels := self.find_pixels(image):
            self._known[image.sha256] = pixels
            return tuple(sorted(get_digested_size(pixels)))
        kind, size = _read_kind_and_size(image)
        self._kinds[image.sha256] = kind, prod(size)
        return tuple(sorted(size))  # one that is turned by its EXIF has width and height the other way round

    def group_by_pixels(self, same_size: list[ImageFile]) -> Iterator[list[ImageFile]]:
        """Yield those that show the same."""
        unknown = [self._kinds[image.sha256] for image in same_size if image.sha256 not in self._known]
        if not unknown:
            yield from self.group_images(same_size, self._find_digest)
        elif unknown[0][1] >= self.least_prepared:
            yield from self.group_images(same_size, self._prepare_digest, batch=1)
        else:
            # at a fraction of its size a JPEG is quick to read, but comparable to its like alone
            are_jpegs = [kind for kind, _ in unknown] == ["JPEG"] * len(same_size)
            pick_points = partial(_pick_points, draft=_SIDE if are_jpegs else None)
            for similar in self.group_images(same_size, pick_points):
                yield from self.group_images(similar, self._find_digest)

    def group_images(
        self, images: Sequence[ImageFile], get_trait: Trait, batch: int = _BATCH
    ) -> Iterator[list[ImageFile]]:
        """Yield those that have a trait in common; ``batch`` of them are handed to a thread at a time."""
        groups: defaultdict[Hashable, list[ImageFile]] = defaultdict(list)
        for image, trait in zip(images, _map_trait(self.threads, get_trait, images, batch), strict=True):
            if isinstance(trait, NotReadNow):
                self.unread[image.sha256] = trait
            elif trait is not None:
                groups[trait].append(image)
        return (group for group in groups.values() if len(group) > 1)

    def _find_digest(self, image: ImageFile) -> str:
        return self._known.get(image.sha256) or _digest_pixels(image)

    def _prepare_digest(self, image: ImageFile) -> str:
        return self._known.get(image.sha256) or self.prepare_pixels(image) or _digest_pixels(image)


def _map_trait(
    threads: Executor, get_trait: Trait, images: Sequence[ImageFile], batch: int
) -> Iterator[Hashable | NotReadNow | None]:
    """Yield a trait of every picture in order, None where it cannot be decoded."""

    def get_or_explain(image: ImageFile) -> Hashable | NotReadNow | None:
        try:
            return get_trait(image)
        except ImageRefused:
            return None
        except NotReadNow as trouble:
            return trouble

    batches = [images[start : start + batch] for start in range(0, len(images), batch)]
    for traits in threads.map(lambda batch: list(map(get_or_explain, batch)), batches):
        yield from traits


def _read_kind_and_size(image: ImageFile) -> tuple[str, tuple[int, int]]:
    """Return a picture's format and size; of most the first bytes are read, whether the rest is whole shows later."""
    with refusing_faults():
        if size := read_png_size(read_image_start(image, PNG_START)):
            return "PNG", size
        if size := read_jpeg_size(read_image_start(image, JPEG_START)):
            return "JPEG", size
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
