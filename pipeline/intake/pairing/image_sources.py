"""From candidates to pictures: digests of files, bytes out of zips, and whether two pictures are the same.

Each file is fingerprinted at most once in a run, and an unchanged one is not opened; each zip is opened once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar
from zipfile import ZipFile, ZipInfo

from pipeline.domain.roster import FileStat, ImageFile
from pipeline.errors import NotReadNow, require_granted
from pipeline.intake.images.image_files import MAX_BYTES, ImageStore, fingerprint_file
from pipeline.intake.pairing.image_index import Candidate, ImageFolder
from pipeline.intake.pairing.zip_files import UnreadableFile, open_zip, read_member
from pipeline.messages.catalogue import make_message

T = TypeVar("T")


class ImageSources(ExitStack):
    """Gives the pictures of candidates, for as long as the context lasts.

    ``known`` are remembered fingerprints by ``str(path)``; ``store`` keeps the bytes of a zip's member. A file whose time lies after ``now`` is read each time: a change would
    not show in it.
    """

    def __init__(self, known: Mapping[str, FileStat], store: ImageStore, now: float) -> None:
        super().__init__()
        self.new_stats: dict[str, FileStat] = {}  # fingerprints that were not known before
        self._known = known
        self._store = store
        self._now_ns = now * 1e9
        self._images: dict[Candidate, ImageFile | UnreadableFile] = {}
        self._zips: dict[Path, ZipFile | UnreadableFile] = {}

    def get_image(self, candidate: Candidate) -> ImageFile:
        """Return a candidate's picture. Raises UnreadableFile, and OSError where it cannot be stored."""
        if candidate not in self._images:
            try:
                member = candidate.member
                self._images[candidate] = (
                    self._unpack(candidate, member) if member else self._fingerprint(candidate)
                )
            except UnreadableFile as error:
                self._images[candidate] = error
        return _require_readable(self._images[candidate])

    def get_image_if_readable(self, candidate: Candidate) -> ImageFile | None:
        """Return a candidate's picture, None where it is too large or cannot be read now."""
        if candidate.size > MAX_BYTES:
            return None
        try:
            return self.get_image(candidate)
        except (NotReadNow, UnreadableFile):
            return None

    def _fingerprint(self, candidate: Candidate) -> ImageFile:
        file = candidate.file
        known = stat = self._known.get(str(file)) if candidate.mtime_ns <= self._now_ns else None
        if stat is None or (stat.size, stat.mtime_ns) != (candidate.size, candidate.mtime_ns):
            with _refusing_unreadable():
                stat = fingerprint_file(file)
            if stat != known and stat.mtime_ns <= self._now_ns:
                self.new_stats[str(file)] = stat
        return candidate.make_image(stat.sha256, stat.size)

    def _unpack(self, candidate: Candidate, member: ZipInfo) -> ImageFile:
        if candidate.fault:
            raise UnreadableFile(candidate.fault)
        path = candidate.folder.path
        if path not in self._zips:
            try:
                self._zips[path] = self._open_zip(candidate.folder)
            except UnreadableFile as error:
                self._zips[path] = error
        payload = read_member(_require_readable(self._zips[path]), member)
        stored_path, sha256 = self._store.put(payload, candidate.extension)
        return candidate.make_image(sha256, len(payload), stored_path)

    def _open_zip(self, folder: ImageFolder) -> ZipFile:
        with _refusing_unreadable():
            archive, stamp = self.enter_context(open_zip(folder.path))
        if stamp != folder.zip_stamp:
            raise UnreadableFile(make_message("image.changed_while_reading"))
        return archive


@contextmanager
def _refusing_unreadable() -> Iterator[None]:
    """Turn the refusal of the file system into UnreadableFile; NotReadNow where another run may read the file."""
    try:
        yield
    except OSError as error:
        require_granted(error)
        raise UnreadableFile(make_message("image.cannot_read")) from None


def _require_readable(source: T | UnreadableFile) -> T:
    if isinstance(source, UnreadableFile):
        raise source
    return source
