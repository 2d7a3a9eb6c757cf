"""From candidates to pictures: digests of files, bytes out of zips, and whether two pictures are one.

Each file is fingerprinted at most once in a run, and an unchanged one is not opened; each zip is opened once.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from zipfile import ZipFile

from pipeline.domain.roster import FileStat, ImageFile
from pipeline.errors import require_granted
from pipeline.intake.images.image_files import fingerprint_file, open_regular_file
from pipeline.intake.images.prepare import digest_pixels
from pipeline.intake.pairing import zip_files
from pipeline.intake.pairing.candidates import Candidate, Place
from pipeline.intake.readers.options import StoreImage
from pipeline.messages.texts import make_text

_COMPARED = 8  # pictures decoded for one row: who has more of them has to tidy up


class Unusable(Exception):
    """A candidate whose bytes cannot be had; the argument is a short phrase that says why."""


class Sources(AbstractContextManager["Sources"]):
    """What the candidates hold, for as long as the context lasts.

    ``known`` are remembered fingerprints by ``str(path)``; ``keep`` puts the bytes of a zip's member away, and without
    it such a picture has a digest and nothing more.
    """

    def __init__(self, known: Mapping[str, FileStat], keep: StoreImage | None) -> None:
        self._known = known
        self._keep = keep
        self._stats: dict[str, FileStat] = {}
        self._new: dict[str, FileStat] = {}  # those that were not known before
        self._kept: dict[Candidate, ImageFile | Unusable] = {}
        self._zips: dict[Path, ZipFile | Unusable] = {}
        self._open = ExitStack()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the zips."""
        self._open.close()

    def picture(self, candidate: Candidate) -> ImageFile:
        """Return a candidate's picture. Raises Unusable, and OSError where ``keep`` cannot write."""
        if candidate.member is None:
            stat = self._fingerprint(candidate)
            path, file = candidate.path, candidate.file
            return ImageFile(path, stat.sha256, stat.size, None if file is path else file)
        if candidate not in self._kept:
            self._kept[candidate] = self._unpacked(candidate)
        found = self._kept[candidate]
        if isinstance(found, Unusable):
            raise found
        return found

    def new_stats(self) -> dict[str, FileStat]:
        """Return the fingerprints that were not known before."""
        return self._new

    def _fingerprint(self, candidate: Candidate) -> FileStat:
        name = str(candidate.file)
        stat = self._stats.get(name)
        if stat is None:
            known = stat = self._known.get(name)
            if stat is None or (stat.size, stat.mtime_ns) != (candidate.size, candidate.mtime_ns):
                try:
                    stat = fingerprint_file(candidate.file, self._known)
                except OSError as error:
                    require_granted(error)
                    raise Unusable(make_text("image.cannot_read")) from None
                if stat != known:
                    self._new[name] = stat
            self._stats[name] = stat
        return stat

    def _unpacked(self, candidate: Candidate) -> ImageFile | Unusable:
        assert candidate.member is not None
        if candidate.fault:
            return Unusable(candidate.fault)
        opened = self._zip(candidate.place)
        if isinstance(opened, Unusable):
            return opened
        try:
            payload = zip_files.read(opened, candidate.member)
        except zip_files.Unreadable as error:
            return Unusable(str(error))
        if self._keep is None:
            return ImageFile(candidate.path, hashlib.sha256(payload).hexdigest(), len(payload))
        stored, sha256 = self._keep(payload, candidate.extension)
        return ImageFile(candidate.path, sha256, len(payload), stored)

    def _zip(self, place: Place) -> ZipFile | Unusable:
        if place.path not in self._zips:
            self._zips[place.path] = self._opened(place)
        return self._zips[place.path]

    def _opened(self, place: Place) -> ZipFile | Unusable:
        try:
            descriptor = open_regular_file(place.path)
            status = os.fstat(descriptor)
            opened = self._open.enter_context(zip_files.open_zip(descriptor))
        except zip_files.Unreadable as error:
            return Unusable(str(error))
        except OSError as error:
            require_granted(error)
            return Unusable(make_text("image.cannot_read"))
        changed = place.stamp != (status.st_size, status.st_mtime_ns)
        return Unusable(make_text("image.changed_while_reading")) if changed else opened


def one_picture(these: Iterable[ImageFile]) -> bool:
    """Tell whether all of these are the same picture: by their bytes, else by their decoded pixels.

    The same drawing saved as PNG and as BMP is one. Only where the bytes differ is anything opened.
    """
    by_digest = {picture.sha256: picture for picture in these}
    if len(by_digest) < 2:
        return True
    if len(by_digest) > _COMPARED:
        return False
    first, *others = by_digest.values()
    pixels = digest_pixels(first.file)
    return pixels is not None and all(digest_pixels(other.file) == pixels for other in others)
