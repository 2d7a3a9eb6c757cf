"""The picture folder or zip as a library of names, and the fingerprints of its files; no picture is decoded here.

The library is made from directory entries alone. A file is opened only to be hashed (``fingerprint``) or prepared, and
then so that a link, a pipe or a device put in its place is refused, not followed or waited for.
"""

from __future__ import annotations

import os
import re
import stat
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.errors import DiskTrouble, reason_of, require_lasting
from pipeline.intake.images.image_files import changed_at, open_regular_file
from pipeline.intake.pairing import candidates, file_name_encodings, file_names, zip_files
from pipeline.intake.pairing.candidates import Candidate, Library, Place, SkippedFile
from pipeline.messages.texts import make_text

_DEBRIS = frozenset(
    {
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "__macosx",
        "icon\r",
        "$recycle.bin",
        "system volume information",
        "@eadir",
        "#recycle",
        "@recycle",
        "lost+found",
    }
)
_DEBRIS_STARTS = (".", "~$")  # with the dot: ._张伟.png and .DS_Store of macOS, whatever else is hidden
_STREAM = "zone.identifier"  # Windows' note where a file came from, as another system shows it
_ZIP = ".zip"
_OTHER_ARCHIVES = frozenset({".rar", ".7z", ".tar", ".gz", ".tgz", ".bz2", ".xz"})
# a member that only somebody with a purpose names so; nothing is ever put where its name says
_ESCAPES = re.compile(r"\A/|\A[A-Za-z]:|(?:\A|/)\.\.(?:/|\Z)|\x00")
_LONGEST = 255  # characters of a name: no file system has longer ones
_SHOWN = 80  # of one that is longer
_DEEPEST = 64  # folders above a member of a zip


@dataclass(slots=True)
class _Found:
    """What the walk came upon."""

    candidates: list[Candidate] = field(default_factory=list)
    unreadable: list[SkippedFile] = field(default_factory=list)
    strangers: list[SkippedFile] = field(default_factory=list)


def index_images(folder: Path | None) -> Library:
    """Return the library of a folder with its sub-folders and zips, or of a zip; the order of entries has no part in it.

    Taken are regular files with a picture extension in any case, or with none. Links are not followed, wherever they
    lead; debris of macOS, Windows and Office is passed over. A folder that does not exist gives an empty library with
    ``folder=None``; what cannot be listed (a folder, a damaged zip, a zip in a zip) stands in ``unreadable``.
    """
    if folder is None or not folder.exists():
        return Library(None)
    found = _Found()
    if folder.is_dir():
        _walk(Place(folder, folder, (), ()), found)
    else:
        _open(
            Place(folder, folder.resolve(), (), ()), found
        )  # what is named may be a link, what is found may not
    return candidates.library(
        folder, found.candidates, unreadable=found.unreadable, strangers=found.strangers
    )


def _walk(top: Place, found: _Found) -> None:
    waiting = [top]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place.path) as entries:
                listed = [entry for entry in entries if not _is_debris(entry.name)]
        except OSError as error:
            require_lasting(error)  # a picture that is not seen might be another one's rival
            if not place.parts:  # without any picture every row would be told to lack its own
                raise DiskTrouble.of(error) from error
            found.unreadable.append(SkippedFile("/".join(place.parts), reason_of(error)))
            continue
        for entry in listed:
            try:
                status = entry.stat(follow_symlinks=False)
            except OSError as error:  # gone since it was listed
                require_lasting(error)
                continue
            if stat.S_ISDIR(status.st_mode) and not _is_junction(status):
                waiting.append(place.within(entry.name, path=place.path / entry.name))
            elif stat.S_ISREG(status.st_mode):
                _take(place, entry, status, found)
            else:
                why = make_text("image.link" if stat.S_ISLNK(status.st_mode) else "image.not_regular")
                found.strangers.append(SkippedFile(_shown(place, entry.name), why))


def _take(place: Place, entry: os.DirEntry[str], status: os.stat_result, found: _Found) -> None:
    stem, extension = file_names.split(entry.name)
    if file_names.is_picture(extension):
        found.candidates.append(
            Candidate(
                place,
                place.path / entry.name,
                entry.name,
                stem,
                extension,
                status.st_size,
                changed_at(status),
            )
        )
    elif extension == _ZIP:
        _open(place.within(entry.name, path=place.path / entry.name), found)
    else:
        _pass(_shown(place, entry.name), extension, found)


def _pass(shown: str, extension: str, found: _Found) -> None:
    if extension in _OTHER_ARCHIVES:
        found.unreadable.append(SkippedFile(shown, make_text("image.not_zip")))
    else:
        found.strangers.append(SkippedFile(shown, extension[1:].upper()))


def _open(zipped: Place, found: _Found) -> None:
    """List the pictures of a zip; one that cannot be listed is said."""
    shown = "/".join(zipped.parts) or zipped.path.name
    try:
        descriptor = open_regular_file(zipped.path)
        status = os.fstat(descriptor)
        places: dict[tuple[str, ...], Place] = {
            (): replace(zipped, stamp=(status.st_size, status.st_mtime_ns))
        }
        with zip_files.open_zip(descriptor) as opened:
            for member in zip_files.members(opened):
                _take_member(member, places, shown, found)
    except (zip_files.Unreadable, OSError) as error:
        if isinstance(error, OSError):
            require_lasting(error)
        why = str(error) if isinstance(error, zip_files.Unreadable) else reason_of(error)
        found.unreadable.append(SkippedFile(shown, why))


def _take_member(
    member: zip_files.Member, places: dict[tuple[str, ...], Place], zipped: str, found: _Found
) -> None:
    if any(len(part) > _LONGEST for part in member.name.split("/")):
        found.unreadable.append(
            SkippedFile(
                f"{zipped}/{file_name_encodings.readable(member.name[:_SHOWN])}…",
                make_text("image.path_too_long"),
            )
        )
        return
    *folders, name = member.name.removeprefix("./").split("/")
    shown = f"{zipped}/{file_name_encodings.readable(member.name)}"
    stem, extension = file_names.split(name)
    if _ESCAPES.search(member.name):
        found.unreadable.append(SkippedFile(shown, ".."))
    elif any(map(_is_debris, (*folders, name))):
        return
    elif len(folders) > _DEEPEST:
        found.unreadable.append(SkippedFile(f"{zipped}/{folders[0]}", make_text("image.path_too_long")))
    elif not member.regular:
        found.strangers.append(SkippedFile(shown, make_text("image.link")))
    elif file_names.is_picture(extension):
        place = _inner(places, tuple(folders))
        found.candidates.append(
            Candidate(
                place,
                place.path,
                name,
                stem,
                extension,
                member.info.file_size,
                member=member.info,
                fault=member.fault,
            )
        )
    elif extension == _ZIP:
        found.unreadable.append(SkippedFile(shown, make_text("image.zip_in_zip")))
    else:
        _pass(shown, extension, found)


def _inner(places: dict[tuple[str, ...], Place], folders: tuple[str, ...]) -> Place:
    """Return the place of a folder inside a zip, each made once."""
    for depth in range(1, len(folders) + 1):
        if folders[:depth] not in places:
            places[folders[:depth]] = places[folders[: depth - 1]].within(folders[depth - 1])
    return places[folders]


def _shown(place: Place, name: str) -> str:
    return "/".join((*place.parts, file_name_encodings.readable(name)))


def _is_debris(name: str) -> bool:
    lower = name.lower()
    return lower in _DEBRIS or name.startswith(_DEBRIS_STARTS) or _STREAM in lower


def _is_junction(status: os.stat_result) -> bool:
    """Tell whether a Windows directory entry leads elsewhere; lstat calls it a directory (absent on POSIX)."""
    tag: int = getattr(status, "st_reparse_tag", 0)
    return tag != 0 and tag == getattr(stat, "IO_REPARSE_TAG_MOUNT_POINT", None)
