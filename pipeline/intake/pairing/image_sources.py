"""From candidates to pictures: digests of files, bytes out of zips, and whether two pictures are the same.

Each file is fingerprinted at most once in a run, and an unchanged one is not opened; each zip is opened once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from types import TracebackType
from zipfile import ZipFile

from pipeline.domain.roster import FileStat, ImageFile
from pipeline.errors import require_granted
from pipeline.intake.images.image_files import fingerprint_file
from pipeline.intake.images.prepare import digest_pixels
from pipeline.intake.pairing.image_index import Candidate, ImageFolder
from pipeline.intake.pairing.zip_files import UnreadableFile, open_zip, read_member
from pipeline.intake.readers.model import StoreImage
from pipeline.messages.texts import make_text

_COMPARED = 8  # pictures decoded for one row: who has more of them has to tidy up


class ImageSources(AbstractContextManager["ImageSources"]):
    """Gives the pictures of candidates, for as long as the context lasts.

    ``known`` are remembered fingerprints by ``str(path)``; ``store`` keeps the bytes of a zip's member, and without it
    such a picture has a digest and nothing more.
    """

    def __init__(self, known: Mapping[str, FileStat], store: StoreImage | None) -> None:
        self._known = known
        self._store = store
        self._stats: dict[str, FileStat] = {}
        self._new_stats: dict[str, FileStat] = {}
        self._unpacked: dict[Candidate, ImageFile | UnreadableFile] = {}
        self._zips: dict[Path, ZipFile | UnreadableFile] = {}
        self._open_zips = ExitStack()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the zips."""
        self._open_zips.close()

    def get_image(self, candidate: Candidate) -> ImageFile:
        """Return a candidate's picture. Raises UnreadableFile, and OSError where it cannot be stored."""
        if candidate.member is None:
            stat = self._get_stat(candidate)
            path, file = candidate.path, candidate.file
            return ImageFile(path, stat.sha256, stat.size, None if file is path else file)
        if candidate not in self._unpacked:
            self._unpacked[candidate] = self._unpack(candidate)
        image = self._unpacked[candidate]
        if isinstance(image, UnreadableFile):
            raise image
        return image

    def get_new_stats(self) -> dict[str, FileStat]:
        """Return the fingerprints that were not known before."""
        return self._new_stats

    def _get_stat(self, candidate: Candidate) -> FileStat:
        name = str(candidate.file)
        stat = self._stats.get(name)
        if stat is None:
            known = stat = self._known.get(name)
            if stat is None or (stat.size, stat.mtime_ns) != (candidate.size, candidate.mtime_ns):
                try:
                    stat = fingerprint_file(candidate.file, self._known)
                except OSError as error:
                    require_granted(error)
                    raise UnreadableFile(make_text("image.cannot_read")) from None
                if stat != known:
                    self._new_stats[name] = stat
            self._stats[name] = stat
        return stat

    def _unpack(self, candidate: Candidate) -> ImageFile | UnreadableFile:
        assert candidate.member is not None
        if candidate.fault:
            return UnreadableFile(candidate.fault)
        path = candidate.folder.path
        if path not in self._zips:
            self._zips[path] = self._open_zip(candidate.folder)
        archive = self._zips[path]
        if isinstance(archive, UnreadableFile):
            return archive
        try:
            payload = read_member(archive, candidate.member)
        except UnreadableFile as error:
            return error
        if self._store is None:
            return ImageFile(candidate.path, hashlib.sha256(payload).hexdigest(), len(payload))
        stored_path, sha256 = self._store(payload, candidate.extension)
        return ImageFile(candidate.path, sha256, len(payload), stored_path)

    def _open_zip(self, folder: ImageFolder) -> ZipFile | UnreadableFile:
        try:
            archive, stamp = self._open_zips.enter_context(open_zip(folder.path))
        except UnreadableFile as error:
            return error
        except OSError as error:
            require_granted(error)
            return UnreadableFile(make_text("image.cannot_read"))
        if stamp != folder.zip_stamp:
            return UnreadableFile(make_text("image.changed_while_reading"))
        return archive


def are_same_image(images: Iterable[ImageFile]) -> bool:
    """Return whether all of these are the same picture: by their bytes, else by their decoded pixels.

    The same drawing saved as PNG and as BMP is one. Only where the bytes differ is anything opened.
    """
    by_digest = {image.sha256: image for image in images}
    if len(by_digest) < 2:
        return True
    if len(by_digest) > _COMPARED:
        return False
    first, *others = by_digest.values()
    pixels = digest_pixels(first.file)
    return pixels is not None and all(digest_pixels(other.file) == pixels for other in others)
