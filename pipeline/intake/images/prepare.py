"""Pictures decoded whole, judged, and made ready to be sent.

A PNG or JPEG that needs nothing is sent byte for byte. Anything else that can be read is re-encoded once, and what was
done is reported. Sizes are judged from the header before anything is unpacked; every function may run in several threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.domain.roster import Field, ImageFile, ImagePreview, PreparedImage, Problem
from pipeline.errors import NotReadNow
from pipeline.intake.images import preview as previews
from pipeline.intake.images.checked_images import CheckedImages
from pipeline.intake.images.decode import (
    DecodedImage,
    decoding_bytes,
    decoding_file,
    refusing_faults,
)
from pipeline.intake.images.encode import (
    MIN_SIDE,
    EncodedImage,
    clean_image,
    fit_image,
)
from pipeline.intake.images.image_files import (
    ImageRefused,
    ImageStore,
    format_size,
    mask_file_name,
    read_regular_file,
    require_usable,
)
from pipeline.intake.images.ink import ImageScan, SmallCopy, scan_image
from pipeline.messages.catalogue import join_texts
from pipeline.messages.problems import build_problem


def prepare_image(
    image: ImageFile,
    *,
    limit: int,
    work: Path,
    trim: bool = False,
    transparent: bool = False,
    previews_folder: Path | None = None,
    checked: CheckedImages | None = None,
) -> PreparedImage | tuple[Problem, ...]:
    """Return the picture ready to be sent in at most ``limit`` bytes, or the errors that forbid it.

    ``trim`` cuts the paper around the ink away, ``transparent`` makes it clear; both only where that is safe. The bytes
    are read once; they must still be those of ``image.sha256``. A re-encoded picture lies in ``work``, any other is sent
    from where it is. A small copy of what is sent is put into ``previews_folder``. A picture that ``checked`` knows is not opened. Raises OSError where ``work`` cannot be written: no fault of a row.
    """
    if checked is not None and (known := checked.find(image)) is not None:
        return known
    file = mask_file_name(image.name)
    require_usable(work)
    try:
        with decoding_file(image) as decoded:
            scan = scan_image(decoded.image)
            cleaned, encoded = _encode(decoded, scan, limit=limit, trim=trim, transparent=transparent)
            preview = previews.make_preview(encoded.image, encoded.copy)
    except ImageRefused as refused:
        return (_make_problem(refused.code, file, **refused.detail),)
    except NotReadNow as trouble:
        return (_make_problem("IMAGE_NOT_READ", file, **trouble.words),)
    path, sha256 = image.file, image.sha256
    if encoded.payload is not decoded.data:
        suffix = ".png" if encoded.format == "PNG" else ".jpg"
        path, sha256 = ImageStore(work).put(encoded.payload, suffix)
    if previews_folder is not None:
        previews.write_preview(image.sha256, sha256, preview, previews_folder)
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
        problems=tuple(_list_warnings(cleaned, encoded, limit, file)),
    )
    if checked is not None and decoded.kind != "HEIC":  # what its reader does depends on an extra
        checked.keep(prepared)
    return prepared


def load_preview(
    image: ImageFile,
    *,
    sent: str | None,
    folder: Path,
    may_open: bool,
    limit: int,
    trim: bool = False,
    transparent: bool = False,
) -> ImagePreview | None:
    """Return the small copy of what is sent of a picture from ``folder``; with ``may_open`` it is made where there is none.

    ``sent`` is the digest of the bytes that are sent, None where they were not prepared: a copy of others is none. Of a
    picture that is refused the file itself is shown. None where there is no copy, or the picture cannot be read.
    """
    kept = previews.read_preview(image.sha256, folder)
    if kept is None or sent not in (None, kept[0]):
        if not may_open:
            return None
        try:
            kept = _make_preview(image, limit=limit, trim=trim, transparent=transparent)
        except (ImageRefused, NotReadNow):
            return None
        previews.write_preview(image.sha256, *kept, folder)
    shown, preview = kept
    return preview if sent in (None, shown) else None


def _make_preview(image: ImageFile, *, limit: int, trim: bool, transparent: bool) -> tuple[str, ImagePreview]:
    """Return the digest of the bytes that are sent of a picture, and their small copy."""
    with decoding_file(image) as decoded:
        scan = scan_image(decoded.image)
        try:
            _, encoded = _encode(decoded, scan, limit=limit, trim=trim, transparent=transparent)
        except ImageRefused:
            return image.sha256, previews.make_preview(decoded.image, scan)
        preview = previews.make_preview(encoded.image, encoded.copy)
        return hashlib.sha256(encoded.payload).hexdigest(), preview


def _encode(
    decoded: DecodedImage, scan: ImageScan, *, limit: int, trim: bool, transparent: bool
) -> tuple[DecodedImage, EncodedImage]:
    """Return the picture cleaned, and the bytes to send of it. Raises ImageRefused."""
    _require_visible(scan)
    if trim or transparent:
        image, changes = clean_image(decoded.image, scan.small, trim=trim, transparent=transparent)
        if changes:
            decoded = replace(decoded, image=image, flaws=(*decoded.flaws, *changes))
            scan = scan_image(image)
    encoded = fit_image(decoded, scan, limit)
    if encoded.copy is not scan:
        _require_visible(encoded.copy)
    return decoded, encoded


def _require_visible(copy: SmallCopy) -> None:
    """Raise ImageRefused for a picture that is too small or blank."""
    if min(copy.size) < MIN_SIDE:
        limit = f"{MIN_SIDE}×{MIN_SIDE}"
        raise ImageRefused("IMAGE_TOO_SMALL", found=_format_dimensions(copy.size), limit=limit)
    if copy.is_blank:
        raise ImageRefused("IMAGE_BLANK")


def _list_warnings(decoded: DecodedImage, encoded: EncodedImage, limit: int, file: str) -> Iterator[Problem]:
    """Yield what was changed of a picture."""
    if decoded.flaws:
        yield _make_problem("IMAGE_CONVERTED", file, why=join_texts(decoded.flaws))
    given = len(decoded.data)
    if not encoded.is_faithful or (given > limit and not decoded.flaws):
        used = f"{format_size(len(encoded.payload))}, {_format_dimensions(encoded.copy.size)}"
        yield _make_problem("IMAGE_TOO_LARGE_FIXABLE", file, found=format_size(given), used=used)


def digest_pixels(path: Path) -> str | None:
    """Return the digest of a picture's upright pixels, equal for equal pictures of any format; None if unreadable.

    What is invisible does not count: the colour under full transparency, the palette, the depth beyond eight bits.
    Raises NotReadNow.
    """
    try:
        with refusing_faults():
            data = read_regular_file(path)
        with decoding_bytes(data) as decoded:
            return scan_image(decoded.image).pixels
    except ImageRefused:
        return None


def digest_readable_pixels(image: ImageFile) -> str | None:
    """Return the digest of a picture's upright pixels, None where it cannot be read now."""
    try:
        return digest_pixels(image.file)
    except NotReadNow:
        return None


def _make_problem(code: str, file: str, **detail: str) -> Problem:
    return build_problem(code, Field.PICTURE, severity=None, file=file, **detail)


def _format_dimensions(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"
