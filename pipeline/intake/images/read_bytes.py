"""A picture's bytes as they were fingerprinted, and how many of them may be worked on at once."""

from __future__ import annotations

import errno
import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from threading import Lock

from pipeline.domain.roster import ImageFile
from pipeline.errors import NotReadNow, require_granted, require_lasting
from pipeline.intake.images.decode import ImageRefused, OpenedImage
from pipeline.intake.images.encoding import size_of
from pipeline.intake.pairing import image_index
from pipeline.messages.texts import make_text

LOG = logging.getLogger(__name__)
_LARGE = (
    16_000_000  # pixels: more than a phone's usual photo, and only one such picture is unpacked at a time
)
_one_large = Lock()


def read(picture: ImageFile) -> bytes:
    """Return a picture's bytes. Raises ImageRefused where they cannot be read, are too many or no longer those of its digest."""
    try:
        data = image_index.read(picture.file)
    except OSError as error:
        require_granted(error)
        raise ImageRefused("IMAGE_CORRUPT", found=make_text("image.cannot_read")) from None
    if len(data) > image_index.MAX_BYTES:
        found, limit = f"> {size_of(image_index.MAX_BYTES)}", size_of(image_index.MAX_BYTES)
        raise ImageRefused("IMAGE_TOO_LARGE", found=found, limit=limit)
    if hashlib.sha256(data).hexdigest() != picture.sha256:
        raise ImageRefused("IMAGE_CORRUPT", found=make_text("image.changed_while_reading"))
    return data


def start_of(picture: ImageFile, count: int) -> bytes:
    """Return a picture's first bytes, at least ``count`` of them if there are so many; nobody vouches for them."""
    try:
        return image_index.read(picture.file, limit=count)
    except OSError as error:
        require_granted(error)
        raise ImageRefused("IMAGE_CORRUPT", found=make_text("image.cannot_read")) from None


@contextmanager
def handling_one() -> Iterator[None]:
    """Let what breaks over one picture be that picture's fault: ImageRefused, whatever was raised.

    NotReadNow passes; so does the machine's trouble while a decoder works or is loaded, for the picture may be sound.
    """
    try:
        yield
    except (ImageRefused, NotReadNow):
        raise
    except MemoryError as error:
        raise NotReadNow(OSError(errno.ENOMEM, "no memory")) from error
    except ImportError as error:
        raise NotReadNow(OSError(errno.EAGAIN, "a decoder could not be loaded")) from error
    except Exception as bug:
        if isinstance(bug, OSError):
            require_lasting(bug)
        LOG.exception("a picture could not be handled", extra={"kind": type(bug).__name__})
        raise ImageRefused("IMAGE_CORRUPT", found=make_text("image.cannot_decode")) from bug


@contextmanager
def room_for(found: OpenedImage) -> Iterator[None]:
    """Let large pictures through one by one: each costs some 400 MB while it is worked on."""
    width, height = found.size
    large = width * height > _LARGE or found.kind == "HEIC"  # which tells its size when it is read
    with _one_large if large else nullcontext():
        yield
