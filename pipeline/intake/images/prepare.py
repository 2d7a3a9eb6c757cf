"""Pictures: decoded whole, judged, and made ready to be sent. The only room for Pillow.

A PNG or JPEG that needs nothing is sent byte for byte. Anything else that can be read is re-encoded once, and what was
done is said. Sizes are judged from the header before anything is unpacked; every function may run in several threads.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.domain.roster import Field, ImageFile, ImagePreview, PreparedImage, Problem, SentSize
from pipeline.errors import NotReadNow
from pipeline.intake.images import cleanup, ocr_layout, store, thumbnail_suspects
from pipeline.intake.images import preview as previews
from pipeline.intake.images.decode import DecodedImage, ImageRefused, decode, open_image
from pipeline.intake.images.encoding import LEGIBLE_SIDE, MIN_SIDE, fit, own_bytes, size_of
from pipeline.intake.images.image_scan import ImageScan, scan_image
from pipeline.intake.images.ocr_layout import WHOLE
from pipeline.intake.images.read_bytes import handling_one, read, room_for
from pipeline.intake.pairing import file_names, image_index
from pipeline.messages.problems import problem
from pipeline.messages.texts import join_texts

__all__ = [
    "LEGIBLE_SIDE",
    "MIN_SIDE",
    "WHOLE",
    "pixels",
    "prepare",
    "preview",
    "sent_size",
    "views",
]


def prepare(
    picture: ImageFile,
    *,
    limit: int,
    work: Path,
    trim: bool = False,
    transparent: bool = False,
    shelf: Path | None = None,
) -> PreparedImage | tuple[Problem, ...]:
    """Return the picture ready to be sent in at most ``limit`` bytes, or the errors that forbid it.

    ``trim`` cuts the paper around the ink away, ``transparent`` makes it clear; both only where that is safe. The bytes
    are read once; they must still be those of ``picture.sha256``. A re-encoded picture lies in ``work`` (see
    ``spool``), any other is sent from where it is. A small copy for the review is put on the ``shelf``. Raises OSError
    where ``work`` cannot be written: no fault of a row.
    """
    file = file_names.shown(picture.path.name)
    try:
        with handling_one():
            data = read(picture)
            found = open_image(data)
            with room_for(found):
                decoded = decode(found)
                seen = scan_image(decoded.image)
                if shelf is not None and not previews.is_kept(picture.sha256, shelf):
                    previews.keep(picture.sha256, previews.make(decoded.image), shelf)
                if min(decoded.image.size) < MIN_SIDE:
                    least = f"{MIN_SIDE}×{MIN_SIDE}"
                    raise ImageRefused("IMAGE_TOO_SMALL", found=_dimensions(decoded.image.size), limit=least)
                if seen.is_blank(decoded.image.size):
                    raise ImageRefused("IMAGE_BLANK")
                decoded = _cleaned(decoded, seen, trim=trim, transparent=transparent)
                encoded = fit(data, decoded, limit)
    except ImageRefused as refused:
        return (_problem(refused.code, file, **refused.detail),)
    except NotReadNow as trouble:
        return (_problem("IMAGE_NOT_READ", file, **trouble.words),)
    warnings = []
    if decoded.flaws:
        warnings.append(_problem("IMAGE_CONVERTED", file, why=join_texts(decoded.flaws)))
    if not encoded.faithful or (len(data) > limit and not decoded.flaws):
        used = f"{size_of(len(encoded.payload))}, {_dimensions((encoded.width, encoded.height))}"
        warnings.append(_problem("IMAGE_TOO_LARGE_FIXABLE", file, found=size_of(len(data)), used=used))
    path, sha256 = picture.file, picture.sha256
    if encoded.payload is not data:
        path, sha256 = store.keep(encoded.payload, work, ".png" if encoded.format == "PNG" else ".jpg")
    return PreparedImage(
        source=picture,
        path=path,
        sha256=sha256,
        size=len(encoded.payload),
        format=encoded.format,
        width=encoded.width,
        height=encoded.height,
        pixels=seen.pixels,
        problems=tuple(warnings),
    )


def sent_size(
    picture: ImageFile,
    *,
    work: Path,
    same_bytes: bool,
    run: str,
    trim: bool = False,
    transparent: bool = False,
) -> SentSize | None:
    """Return at which size a seal's picture was sent before sizes were recorded; None where it cannot be read.

    ``run`` made the seal. Without ``same_bytes`` the file was encoded otherwise then: it may have been re-encoded.
    """
    try:
        with handling_one():
            data = read(picture)
            found = open_image(data)
            if not thumbnail_suspects.may_be_shrunk(found.size):
                return SentSize()
            decoded = decode(found)
            thumbnail = thumbnail_suspects.thumbnail_size(decoded.image)
            ready = _cleaned(decoded, scan_image(decoded.image), trim=trim, transparent=transparent)
            encoded = fit(data, ready, image_index.MAX_BYTES)
    except (ImageRefused, NotReadNow):
        return None
    sent_as_it_was = same_bytes and own_bytes(data, ready) is not None
    if thumbnail is None or sent_as_it_was or store.was_kept(encoded.payload, work, before=run):
        return SentSize()
    return SentSize(thumbnail, (encoded.width, encoded.height))


def pixels(path: Path) -> str | None:
    """Return the digest of a picture's upright pixels, equal for equal pictures of any format; None if unreadable.

    What is invisible does not count: the colour under full transparency, the palette, the depth beyond eight bits.
    Raises NotReadNow.
    """
    try:
        with handling_one():
            found = open_image(image_index.read(path))
            with room_for(found):
                return scan_image(decode(found).image).pixels
    except ImageRefused:
        return None


def preview(picture: ImageFile, *, shelf: Path, opening: bool) -> ImagePreview | None:
    """Return the small copy of a picture from the ``shelf``; with ``opening`` it is made where there is none.

    None where there is none, or the picture cannot be read.
    """
    if (known := previews.stored(picture.sha256, shelf)) is not None or not opening:
        return known
    try:
        with handling_one():
            found = open_image(read(picture))
            with room_for(found):
                made = previews.make(decode(found, draft=2 * previews.SIDE).image)
    except (ImageRefused, NotReadNow):
        return None
    previews.keep(picture.sha256, made, shelf)
    return made


def views(picture: ImageFile) -> Iterator[tuple[str, bytes]]:
    """Yield (kind, PNG) of the ways in which a picture's characters may be read; none where it is unreadable or blank.

    The last is of kind ``WHOLE``: the picture as it is. All others hold one line of characters. Raises NotReadNow.
    """
    try:
        with handling_one():
            found = open_image(read(picture))
            with room_for(found):
                seal = ocr_layout.seal(decode(found).image)
            if seal is not None:
                yield from ocr_layout.views(seal)
    except ImageRefused:
        return


def _cleaned(decoded: DecodedImage, seen: ImageScan, *, trim: bool, transparent: bool) -> DecodedImage:
    if not (trim or transparent):
        return decoded
    image, done = cleanup.clean(decoded.image, seen.small, trim=trim, transparent=transparent)
    return replace(decoded, image=image, flaws=(*decoded.flaws, *done))


def _problem(code: str, file: str, **detail: str) -> Problem:
    return problem(code, Field.PICTURE, severity=None, file=file, **detail)


def _dimensions(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
