"""Pictures decoded whole, judged, and made ready to be sent, and small copies of them for people to look at.

A PNG or JPEG that needs nothing is sent byte for byte. Anything else that can be read is re-encoded once, and what was
done is reported. Sizes are judged from the header before anything is unpacked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from PIL import Image

from pipeline.domain.roster import (
    Field,
    ImageFile,
    ImagePreview,
    ImageSize,
    ImageSizes,
    PreparedImage,
    Problem,
    format_size,
)
from pipeline.domain.seals import SealContent
from pipeline.errors import NotReadNow, isolate_row_failure, require_lasting
from pipeline.intake.images.decode import OF_COLOUR, DecodedImage, decoding_file
from pipeline.intake.images.encode import (
    MIN_SIDE,
    EncodedImage,
    convert_to_srgb,
    encode_image,
    fit_image,
)
from pipeline.intake.images.image_files import (
    PREVIEWS,
    ImageRefused,
    ImageStore,
    mask_file_name,
    read_regular_file,
    replace_file,
    require_usable,
)
from pipeline.intake.images.ink import (
    SmallCopy,
    get_step,
    measure_darkness,
    reduce_image,
    scan_image,
)
from pipeline.messages.catalogue import join_texts
from pipeline.messages.problems import build_problem
from pipeline.support.progress_file import write_step

_BLANK = "IMAGE_BLANK"
_MOST_COMPARED = 8  # pictures opened for one row: a row with more of them has to be tidied up
_IN_ONE_STEP = 20  # pictures after which a check that is watched shows its progress
_THREADS = 2  # that decode; Pillow releases the interpreter lock


@dataclass(frozen=True, slots=True)
class ExaminedImage:
    """The result of examining a picture: the bytes to send, or the errors that forbid it."""

    pixels: str | None  # digest of the upright pixels, None where it cannot be decoded
    prepared: PreparedImage | None
    errors: tuple[Problem, ...] = ()
    unread: NotReadNow | None = None  # the machine could not read it: another run may
    sizes: ImageSizes | None = None  # None where it cannot be decoded


@dataclass(frozen=True, slots=True)
class ImageExaminer:
    """Examines the pictures of a run, each once, and remembers the results; every method may run in several threads.

    A re-encoded picture lies in ``work``, any other is sent from where it is.
    """

    work: Path
    limit: int  # bytes that the service takes
    _examined: dict[ImageFile, ExaminedImage] = field(default_factory=dict, repr=False)

    @property
    def store(self) -> ImageStore:
        """The work folder, which also keeps the pictures out of workbooks and zips."""
        return ImageStore(self.work)

    def examine(self, image: ImageFile) -> ExaminedImage:
        """Decode a picture, judge it and prepare the bytes to send.

        The bytes are read once; they must still be those of ``image.sha256``. A small copy of what is sent is put into
        the folder of previews. Raises OSError where ``work`` cannot be written: no fault of the picture.
        """
        examined = self._examined.get(image)
        if examined is None:
            examined = self._examined[image] = isolate_row_failure(
                lambda: self._examine(image),
                lambda failure: ExaminedImage(None, None, (failure,)),
                stage="picture",
            )
        return examined

    def forget_unread(self) -> None:
        """Forget the pictures that could not be read for a reason of the machine: they are tried again."""
        for image, examined in list(self._examined.items()):
            if examined.unread is not None:
                del self._examined[image]

    def examine_all(self, images: Iterable[ImageFile]) -> None:
        """Examine pictures in threads. Raises OSError as `examine` does."""
        distinct = dict.fromkeys(images)
        with ThreadPoolExecutor(_THREADS) as threads:
            for number, _ in enumerate(threads.map(self.examine, distinct)):
                if number % _IN_ONE_STEP == 0:
                    write_step("pictures", number, len(distinct))

    def compute_pixels(self, image: ImageFile) -> str | None:
        """Return the digest of a picture's upright pixels, equal for equal pictures of any format; None if unreadable.

        Invisible data does not count: the colour under full transparency, the palette, the depth beyond eight bits.
        Raises NotReadNow.
        """
        examined = self.examine(image)
        if examined.unread is not None:
            raise examined.unread
        return examined.pixels

    def is_same_image(self, image: ImageFile, content: SealContent) -> bool:
        """Return whether a seal was made from a picture: by source bytes, else by pixels. Raises NotReadNow.

        A picture with the same bytes is not opened.
        """
        if image.sha256 == content.picture:
            return True
        return content.pixels is not None and self.compute_pixels(image) == content.pixels

    def are_same_image(self, images: Iterable[ImageFile]) -> bool:
        """Return whether all of these are the same picture: by their bytes, else by their pixels. Raises NotReadNow.

        The same drawing saved as PNG and as BMP is one. Only where the bytes differ is anything opened.
        """
        distinct = {image.sha256: image for image in images}.values()
        if len(distinct) < 2:
            return True
        if len(distinct) > _MOST_COMPARED:
            return False
        digests = {self.compute_pixels(image) for image in distinct}
        return len(digests) == 1 and None not in digests

    def group_identical(self, images: Iterable[ImageFile]) -> dict[str, str]:
        """Return, by sha256, the sha256 of the first picture that shows the same; a damaged file shows nothing."""
        first_by_pixels: dict[str, str] = {}
        first_of: dict[str, str] = {}
        for image in images:
            pixels = self.examine(image).pixels
            if pixels is not None:
                first_of[image.sha256] = first_by_pixels.setdefault(pixels, image.sha256)
        return first_of

    def list_blank(self, images: Iterable[ImageFile]) -> list[str]:
        """Return the sha256 of pictures without ink."""
        return [
            image.sha256
            for image in images
            if any(error.code == _BLANK for error in self.examine(image).errors)
        ]

    def list_unread(self, images: Iterable[ImageFile]) -> dict[str, NotReadNow]:
        """Return, by sha256, why pictures could not be read this time."""
        pairs = [(image.sha256, self.examine(image).unread) for image in images]
        return {sha256: unread for sha256, unread in pairs if unread is not None}

    def load_preview(
        self, image: ImageFile, *, sent: str | None, may_open: bool = True
    ) -> ImagePreview | None:
        """Return the small copy of what is sent of a picture; with ``may_open`` it is made where there is none.

        ``sent`` is the digest of the bytes that are sent, None where they were not prepared: a copy of others is none. Of
        a picture that is refused the file itself is shown. None where there is no copy, or the picture cannot be read.
        """
        kept = read_preview(image.sha256, self.work / PREVIEWS)
        if may_open and (kept is None or sent not in (None, kept[0])):
            with suppress(OSError):
                self.examine(image)
            kept = read_preview(image.sha256, self.work / PREVIEWS)
        return kept[1] if kept is not None and sent in (None, kept[0]) else None

    def _examine(self, image: ImageFile) -> ExaminedImage:
        try:
            return self._prepare(image)
        except OSError as error:
            try:
                require_lasting(error)
            except NotReadNow as trouble:
                return _make_unread(image, trouble)
            raise

    def _prepare(self, image: ImageFile) -> ExaminedImage:
        file = mask_file_name(image.name)
        require_usable(self.work)
        try:
            with decoding_file(image) as decoded:
                given = ImageSize(len(decoded.data), *decoded.image.size)
                scan = scan_image(decoded.image)
                try:
                    _require_visible(scan)
                    encoded = fit_image(decoded, scan, self.limit)
                    if encoded.copy is not scan:
                        _require_visible(encoded.copy)
                except ImageRefused as refused:
                    shown = make_preview(decoded.image, scan)
                    is_blank = refused.code == _BLANK
                    shown = replace(shown, pixels=f"{_BLANK}-{scan.pixels}" if is_blank else scan.pixels)
                    write_preview(image.sha256, image.sha256, shown, self.work / PREVIEWS)
                    problem = make_image_problem(refused.code, file, **refused.detail)
                    return ExaminedImage(scan.pixels, None, (problem,), sizes=ImageSizes(given))
                preview = replace(make_preview(encoded.image, encoded.copy), pixels=scan.pixels)
        except ImageRefused as refused:
            return ExaminedImage(None, None, (make_image_problem(refused.code, file, **refused.detail),))
        except NotReadNow as trouble:
            return _make_unread(image, trouble)
        path, sha256 = image.file, image.sha256
        if encoded.payload is not decoded.data:
            suffix = ".png" if encoded.format == "PNG" else ".jpg"
            path, sha256 = self.store.put(encoded.payload, suffix)
        write_preview(image.sha256, sha256, preview, self.work / PREVIEWS)
        width, height = encoded.copy.size
        prepared = PreparedImage(
            source=image,
            path=path,
            sha256=sha256,
            size=len(encoded.payload),
            format=encoded.format,
            width=width,
            height=height,
            pixels=scan.pixels,
            problems=tuple(_list_warnings(decoded, encoded, self.limit, file)),
        )
        sent = ImageSize(prepared.size, width, height)
        return ExaminedImage(scan.pixels, prepared, sizes=ImageSizes(given, sent))


@dataclass(frozen=True, slots=True)
class ImageComparer(ImageExaminer):
    """Compares pictures without opening those that a run or check has examined; it prepares none to be sent."""

    def _examine(self, image: ImageFile) -> ExaminedImage:
        kept = read_preview(image.sha256, self.work / PREVIEWS)
        if kept is None or not kept[1].pixels:
            return super(ImageComparer, self)._examine(image)
        code, _, pixels = kept[1].pixels.rpartition("-")
        errors = (make_image_problem(code, mask_file_name(image.name)),) if code else ()
        return ExaminedImage(pixels, None, errors)


def _require_visible(copy: SmallCopy) -> None:
    """Raise ImageRefused for a picture that is too small or blank."""
    if min(copy.size) < MIN_SIDE:
        limit = f"{MIN_SIDE}×{MIN_SIDE}"
        raise ImageRefused("IMAGE_TOO_SMALL", found=_format_dimensions(copy.size), limit=limit)
    if copy.is_blank:
        raise ImageRefused(_BLANK)


def _list_warnings(decoded: DecodedImage, encoded: EncodedImage, limit: int, file: str) -> Iterator[Problem]:
    """Yield what was changed of a picture."""
    if decoded.flaws:
        yield make_image_problem("IMAGE_CONVERTED", file, why=join_texts(decoded.flaws))
    given = len(decoded.data)
    if encoded.copy.size != decoded.image.size or (given > limit and not decoded.flaws):
        used = f"{format_size(len(encoded.payload))}, {_format_dimensions(encoded.copy.size)}"
        yield make_image_problem("IMAGE_TOO_LARGE_FIXABLE", file, found=format_size(given), used=used)


def _make_unread(image: ImageFile, trouble: NotReadNow) -> ExaminedImage:
    problem = make_image_problem("IMAGE_NOT_READ", mask_file_name(image.name), **trouble.words)
    return ExaminedImage(None, None, (problem,), trouble)


def make_image_problem(code: str, file: str, **detail: str) -> Problem:
    """Return a problem of a picture; ``file`` is its masked name."""
    return build_problem(code, Field.PICTURE, severity=None, file=file, **detail)


def _format_dimensions(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


# --- previews: small copies of what is sent, for people to look at, kept in a folder
#
# An unchanged picture is not opened again. A file is named by the sha256 of the picture's own bytes. Its first line is a
# JSON object: the sha256 of the bytes that are shown, the hints, the digest of the pixels, the size. The rest is a JPEG.

SIDE = 256  # pixels: sharp at the size of a card, some 8 KB, 3,000 of them in one page
_SHARP = 192  # pixels: a copy that was made for another purpose serves if it is so large

_QUALITY = 85
_FAINT = 60  # levels of 255 between ink and paper; a red seal has 200, a pencil 90


def make_preview(image: Image.Image, copy: SmallCopy) -> ImagePreview:
    """Return the small copy of a decoded picture, as it looks on white paper; ``copy`` is that of `ink`."""
    paper = _make_paper(image, copy)
    is_measured = paper is copy.small and get_step(copy.size) > 1  # and so not smoothed
    darkness = copy.darkness if is_measured else measure_darkness(paper)
    strongest = darkness.getextrema()[1]
    assert isinstance(strongest, (int, float))
    hints = ("faint",) if strongest < _FAINT else ()
    return ImagePreview(encode_image(paper, "JPEG", quality=_QUALITY), hints, size=paper.size)


def _make_paper(image: Image.Image, copy: SmallCopy) -> Image.Image:
    """Return the picture at most SIDE large, on white (L or RGB).

    Steps whose cost grows with the pixels come after the reduction by whole steps: colours, then the exact size.
    """
    small = copy.small
    if max(small.size) < min(_SHARP, max(image.size)):
        small = reduce_image(image, max(1, max(image.size) // SIDE))
    if any(name in image.info for name in OF_COLOUR):
        # a profile of a picture in colours is applied to its grey as well
        small = small.copy() if image.mode == "L" else small.convert("RGB")
        small.info.update(image.info)
        small = convert_to_srgb(small)
    scale = SIDE / max(image.size)
    if scale < 1 and max(small.size) > SIDE:
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        small = small.resize(size, Image.Resampling.BICUBIC)
    return small


def write_preview(sha256: str, shown: str, preview: ImagePreview, folder: Path) -> None:
    """Keep the small copy of a picture, if the disk takes it: a run goes on without it.

    ``sha256`` is the digest of the picture's own bytes, ``shown`` that of the bytes of which the copy was made.
    """
    facts = {"shown": shown, "hints": preview.hints, "pixels": preview.pixels, "size": preview.size}
    with suppress(OSError):
        replace_file(folder / sha256, json.dumps(facts).encode() + b"\n" + preview.data)


def read_preview(sha256: str, folder: Path) -> tuple[str, ImagePreview] | None:
    """Return the small copy that is kept of a picture, after the digest of the bytes of which it was made."""
    try:
        first, _, data = read_regular_file(folder / sha256).partition(b"\n")
        facts = json.loads(first)
        width, height = facts["size"]
        preview = ImagePreview(data, tuple(facts["hints"]), facts["pixels"], (width, height))
        return (facts["shown"], preview) if data.startswith(b"\xff\xd8") else None
    except (NotReadNow, OSError, ValueError, KeyError, TypeError):
        return None


def read_pixels(sha256: str, folder: Path) -> str | None:
    """Return the digest of the pixels of a picture of which a small copy is kept, None where there is none."""
    kept = read_preview(sha256, folder)
    return kept[1].pixels.rpartition("-")[2] or None if kept is not None else None
