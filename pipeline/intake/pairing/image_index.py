"""The files that may be seal pictures, from folders and zips alike, indexed by their names; none is decoded here.

The index is made from directory entries alone.
"""

from __future__ import annotations

import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipInfo

from pipeline.domain.roster import ImageFile
from pipeline.errors import DiskTrouble, reason_of, require_lasting
from pipeline.intake.images.image_files import changed_at
from pipeline.intake.pairing import file_names, zip_files
from pipeline.messages.catalogue import make_message

# names that macOS, Windows, a NAS and Office leave in folders, whatever else is hidden (._张伟.png), and Windows' note
# where a file came from, as another system shows it
_DEBRIS = re.compile(
    r"[.]|~\$|(?s:.*)zone[.]identifier|(?:(?:eh)?thumbs[.]db|desktop[.]ini|__macosx|icon\r|[$]recycle[.]bin"
    r"|system volume information|@eadir|#recycle|@recycle|lost[+]found)\Z"
)
_ZIP = ".zip"
_OTHER_ARCHIVES = frozenset({".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
# a member with such a name was made to do harm; nothing is ever put where its name leads
_ESCAPES = re.compile(r"\A/|\A[A-Za-z]:|(?:\A|/)\.\.(?:/|\Z)|\x00")
_LONGEST = 255  # characters of a name: no file system has longer ones
_SHOWN = 80  # of one that is longer
DEEPEST = 64  # folders above a member of a zip


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """A folder that holds pictures: the picture folder, one below it, or one inside a zip."""

    root: Path = field(repr=False)  # the picture folder, or the zip that is named in its place
    path: Path = field(repr=False)  # the directory, or the zip file
    parts: tuple[str, ...] = field(repr=False)  # names of the folders and of the zip below the root, readable
    part_names: tuple[frozenset[str], ...] = field(
        repr=False
    )  # what each part may be called, as comparison keys
    is_garbled: bool = False  # whether some part is not called in the system's encoding
    # a zip's size and mtime_ns when it was listed; None for a directory
    zip_stamp: tuple[int, int] | None = None

    def get_subfolder(self, name: str, *, path: Path | None = None) -> ImageFolder:
        """Return the folder one level down, of a directory (``path``) or in the same zip."""
        readable = file_names.make_readable(name)
        part = frozenset(map(file_names.comparison_key, (name, *file_names.list_readings(name))))
        return replace(
            self,
            path=path or self.path,
            parts=(*self.parts, readable),
            part_names=(*self.part_names, part),
            is_garbled=self.is_garbled or readable != name,
        )

    def describe_path(self, name: str) -> str:
        """Return where a file of this name lies below the root, as a person may read it."""
        return "/".join((*self.parts, file_names.make_readable(name)))


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One file that may be a seal picture, as its directory entry describes it."""

    folder: ImageFolder = field(repr=False)
    name: str = field(repr=False)  # as the system gives it, with surrogates for bytes that are no UTF-8
    stem_length: int  # of the name without a picture extension
    extension: str  # in lower case; several in a row are one: .jpg.png
    size: int  # bytes
    mtime_ns: int = 0  # of the file; 0 in a zip
    member: ZipInfo | None = field(default=None, repr=False)  # where it lies in a zip
    fault: str = ""  # why its bytes cannot be read
    may_be_linked: bool = False  # the file may have another name; on Windows a listing never has their number

    @property
    def stem(self) -> str:
        """The name without a picture extension."""
        return self.name[: self.stem_length]

    @property
    def file(self) -> Path:
        """The regular file to open: the picture, or the zip that holds it."""
        return self.folder.path / self.name if self.member is None else self.folder.path

    @property
    def relative_path(self) -> str:
        """Where it lies below the picture folder, with ``/`` on every system, as a person may read it."""
        return self.folder.describe_path(self.name)

    @property
    def path(self) -> Path:
        """Where a person finds it: ``seals/内科/张伟.png``, ``seals.zip/内科/张伟.png``."""
        return self.file if self._is_plain else self.folder.root / self.relative_path

    @property
    def _is_plain(self) -> bool:
        return (
            self.member is None
            and not self.folder.is_garbled
            and file_names.make_readable(self.name) is self.name
        )

    def make_image(self, sha256: str, size: int, stored_path: Path | None = None) -> ImageFile:
        """Return its picture; ``stored_path`` is where the bytes of one in a zip are."""
        if self._is_plain:
            return ImageFile(str(self.folder.path), self.name, sha256, size)
        return ImageFile.from_path(self.path, sha256, size, stored_path if self.member else self.file)


class FileNameVariant(NamedTuple):
    """One of the things a file may be called: a reading of its stem, without a suffix or with it."""

    candidate: Candidate
    comparison_key: str
    stem: str  # the reading
    base: str  # of it, without the suffix
    suffix: str
    is_recoded: bool  # the reading is another than the name as it is


class SkippedFile(NamedTuple):
    """Something that was not looked into, or is no picture, and why (a short phrase)."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """The candidates in the order of their relative paths, and the variants of their names by comparison key.

    ``other_files`` are no pictures (links, pipes, PDF), by the comparison key of their stem. They are named where a row
    misses its picture.
    """

    folder: Path | None = field(repr=False)  # None: no folder was given, or it does not exist
    candidates: tuple[Candidate, ...] = field(default=(), repr=False)
    variants: Mapping[str, Sequence[FileNameVariant]] = field(default_factory=dict, repr=False)
    unreadable: tuple[SkippedFile, ...] = field(default=(), repr=False)  # folders and zips
    other_files: Mapping[str, SkippedFile] = field(default_factory=dict, repr=False)


@dataclass(slots=True)
class ImageListing:
    """What the folders and zips hold; the candidates in the order of their relative paths."""

    folder: Path | None = field(repr=False)  # None: no folder was given, or it does not exist
    candidates: list[Candidate] = field(default_factory=list, repr=False)
    unreadable: list[SkippedFile] = field(default_factory=list, repr=False)
    other_files: list[SkippedFile] = field(default_factory=list, repr=False)


def list_images(folder: Path | None) -> ImageListing:
    """List a folder with its sub-folders and zips, or a zip; the order of entries does not matter.

    Taken are regular files with a picture extension in any case, or with none. Links are not followed, wherever they
    lead; debris of macOS, Windows and Office is passed over. A folder that does not exist gives an empty listing with
    ``folder=None``; what cannot be listed (a folder, a damaged zip, a zip in a zip) is in ``unreadable``.
    """
    if folder is None or not folder.exists():
        return ImageListing(None)
    listing = ImageListing(folder)
    if folder.is_dir():
        _list_folders(ImageFolder(folder, folder, (), ()), listing)
    else:
        # the zip that is named may be a link, one that lies in a folder may not
        _list_zip(ImageFolder(folder, folder.resolve(), (), ()), listing)
    # names that read the same are ordered by what they are
    listing.candidates.sort(key=lambda one: (one.relative_path, one.name, _get_offset(one)))
    listing.unreadable.sort()
    listing.other_files.sort()
    return listing


def index_images(listing: ImageListing) -> ImageIndex:
    variants: dict[str, list[FileNameVariant]] = {}
    for candidate in listing.candidates:
        for variant in list_variants(candidate):
            variants.setdefault(variant.comparison_key, []).append(variant)
    others: dict[str, SkippedFile] = {}
    for other in listing.other_files:
        stem, _ = file_names.split_extension(other.path.rpartition("/")[2])
        others.setdefault(file_names.comparison_key(stem), other)
    return ImageIndex(
        listing.folder,
        tuple(listing.candidates),
        variants,
        tuple(listing.unreadable),
        others,
    )


def _get_offset(candidate: Candidate) -> int:
    return candidate.member.header_offset if candidate.member else 0


def list_variants(candidate: Candidate) -> Iterable[FileNameVariant]:
    """Yield what a file may be called."""
    for reading in (candidate.stem, *file_names.list_readings(candidate.stem)):
        for base, suffix in file_names.strip_known_suffixes(reading):
            key = file_names.comparison_key(base)
            yield FileNameVariant(candidate, key, reading, base, suffix, reading != candidate.stem)


# --- folders


def _list_folders(top: ImageFolder, listing: ImageListing) -> None:
    waiting = [top]
    while waiting:
        folder = waiting.pop()
        entries = _scan_folder(folder, listing)
        while entries:
            entry = entries.pop()  # an entry takes more memory than its candidate
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:  # gone since it was listed
                require_lasting(error)
                continue
            if stat.S_ISDIR(status.st_mode) and not is_junction(status):
                waiting.append(folder.get_subfolder(entry.name, path=folder.path / entry.name))
            elif stat.S_ISREG(status.st_mode):
                _list_file(folder, entry.name, status, listing)
            else:
                reason = make_message("image.link" if stat.S_ISLNK(status.st_mode) else "image.not_regular")
                listing.other_files.append(SkippedFile(folder.describe_path(entry.name), reason))


def _scan_folder(folder: ImageFolder, listing: ImageListing) -> list[os.DirEntry[str]]:
    """Return the entries of a folder; one that cannot be listed is noted, but for the picture folder itself."""
    try:
        with os.scandir(folder.path) as entries:
            return [entry for entry in entries if not is_debris(entry.name)]
    except OSError as error:
        require_lasting(error)  # a picture that is not seen might match another row as well
        if not folder.parts:  # without any picture every row would lack its own
            raise DiskTrouble.of(error) from error
        listing.unreadable.append(SkippedFile("/".join(folder.parts), reason_of(error)))
        return []


def _list_file(folder: ImageFolder, name: str, status: os.stat_result, listing: ImageListing) -> None:
    stem, extension = file_names.split_extension(name)
    if file_names.is_image_extension(extension):
        size, changed = status.st_size, changed_at(status)
        linked = status.st_nlink != 1
        listing.candidates.append(
            Candidate(folder, name, len(stem), sys.intern(extension), size, changed, may_be_linked=linked)
        )
    elif extension == _ZIP:
        _list_zip(folder.get_subfolder(name, path=folder.path / name), listing)
    else:
        _skip_file(folder.describe_path(name), extension, listing)


def _skip_file(path: str, extension: str, listing: ImageListing) -> None:
    if extension in _OTHER_ARCHIVES:
        listing.unreadable.append(SkippedFile(path, make_message("image.not_zip")))
    else:
        listing.other_files.append(SkippedFile(path, extension[1:].upper()))


def is_debris(name: str) -> bool:
    """Return whether a file or folder of this name is passed over."""
    return _DEBRIS.match(name.lower()) is not None


def leads_outside(name: str) -> bool:
    """Return whether the name of a member was made to do harm."""
    return _ESCAPES.search(name) is not None


def is_junction(status: os.stat_result) -> bool:
    """Return whether a Windows directory entry leads elsewhere; lstat calls it a directory (absent on POSIX)."""
    tag: int = getattr(status, "st_reparse_tag", 0)
    return tag != 0 and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)


# --- zips


def _list_zip(zipped: ImageFolder, listing: ImageListing) -> None:
    """List the pictures of a zip; one that cannot be listed is noted."""
    path = "/".join(zipped.parts) or zipped.path.name
    try:
        with zip_files.open_zip(zipped.path) as (archive, stamp):
            folders: dict[tuple[str, ...], ImageFolder] = {(): replace(zipped, zip_stamp=stamp)}
            for member in zip_files.list_members(archive):
                _list_member(member, folders, path, listing)
    except zip_files.UnreadableFile as error:
        listing.unreadable.append(SkippedFile(path, error.reason))
    except OSError as error:
        require_lasting(error)
        listing.unreadable.append(SkippedFile(path, reason_of(error)))


def _list_member(
    member: zip_files.Member,
    folders: dict[tuple[str, ...], ImageFolder],
    zip_path: str,
    listing: ImageListing,
) -> None:
    if any(len(part) > _LONGEST for part in member.name.split("/")):
        start = file_names.make_readable(member.name[:_SHOWN])
        listing.unreadable.append(SkippedFile(f"{zip_path}/{start}…", make_message("image.path_too_long")))
        return
    *parents, name = member.name.removeprefix("./").split("/")
    path = f"{zip_path}/{file_names.make_readable(member.name)}"
    stem, extension = file_names.split_extension(name)
    if leads_outside(member.name):
        listing.unreadable.append(SkippedFile(path, ".."))
    elif any(map(is_debris, (*parents, name))):
        return
    elif len(parents) > DEEPEST:
        listing.unreadable.append(
            SkippedFile(f"{zip_path}/{parents[0]}", make_message("image.path_too_long"))
        )
    elif not member.is_regular:
        listing.other_files.append(SkippedFile(path, make_message("image.link")))
    elif file_names.is_image_extension(extension):
        folder = _get_inner_folder(folders, tuple(parents))
        size = member.info.file_size
        listing.candidates.append(
            Candidate(
                folder,
                name,
                len(stem),
                sys.intern(extension),
                size,
                member=member.info,
                fault=member.fault,
            )
        )
    elif extension == _ZIP:
        listing.unreadable.append(SkippedFile(path, make_message("image.zip_in_zip")))
    else:
        _skip_file(path, extension, listing)


def _get_inner_folder(folders: dict[tuple[str, ...], ImageFolder], parents: tuple[str, ...]) -> ImageFolder:
    """Return a folder inside a zip, each made once."""
    for depth in range(1, len(parents) + 1):
        if parents[:depth] not in folders:
            above = folders[parents[: depth - 1]]
            folders[parents[:depth]] = above.get_subfolder(parents[depth - 1])
    return folders[parents]
