"""The files that may be seal pictures, from folders and zips alike, and the index of what they are called.

The index is looked up with expected stems and nothing else: a key leads to forms of names, and ``stems.joint`` decides
whether a form is made of the expected parts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from zipfile import ZipInfo

from pipeline.intake.pairing import file_name_encodings, file_names


@dataclass(frozen=True, slots=True)
class Place:
    """A folder that holds pictures: the picture folder, one below it, or one inside a zip."""

    root: Path = field(repr=False)  # the picture folder, or the zip that stands for it
    path: Path = field(repr=False)  # the directory, or the zip file
    parts: tuple[str, ...] = field(repr=False)  # names of the folders and of the zip below the root, readable
    called: tuple[Mapping[str, str], ...] = field(
        repr=False
    )  # what each part may be called, tight -> encoding
    garbled: bool = False  # whether some part is not called in the system's encoding
    stamp: tuple[int, int] | None = None  # a zip's size and mtime_ns when it was listed; None for a directory

    def within(self, name: str, *, path: Path | None = None) -> Place:
        """Return the place one level down, of a sub-folder (``path``) or in the same zip."""
        readable = file_name_encodings.readable(name)
        return Place(
            root=self.root,
            path=path or self.path,
            parts=(*self.parts, readable),
            called=(
                *self.called,
                {
                    file_names.comparison_key(text): why
                    for text, why in (*file_name_encodings.readings(name), (name, ""))
                },
            ),
            garbled=self.garbled or readable != name,
            stamp=self.stamp,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """One file that may be a seal picture, as its directory entry tells it."""

    place: Place = field(repr=False)
    file: Path = field(repr=False)  # the regular file to open: the picture, or the zip that holds it
    name: str = field(repr=False)  # as the system gives it, with surrogates for bytes that are no UTF-8
    stem: str = field(repr=False)  # the name without a picture extension
    extension: str  # in lower case; several in a row are one: .jpg.png
    size: int  # bytes
    mtime_ns: int = 0  # of the file; 0 in a zip
    member: ZipInfo | None = field(default=None, repr=False)  # where it lies in a zip
    fault: str = ""  # why its bytes cannot be had

    @property
    def relative(self) -> str:
        """Where it lies below the picture folder, with ``/`` on every system, as a person may read it."""
        return "/".join((*self.place.parts, file_name_encodings.readable(self.name)))

    @property
    def path(self) -> Path:
        """Where a person finds it: ``seals/内科/张伟.png``, ``seals.zip/内科/张伟.png``."""
        plain = (
            self.member is None
            and not self.place.garbled
            and file_name_encodings.readable(self.name) is self.name
        )
        return self.file if plain else self.place.root / self.relative


class FileNameVariant(NamedTuple):
    """One of the things a file may be called: a reading of its stem, without a suffix or with it."""

    candidate: Candidate
    tight: str
    stem: str  # the reading
    left: str  # of it, without the suffix
    suffix: str
    encoding: str  # "" for the name as it stands


class SkippedFile(NamedTuple):
    """Something that was not looked into, or is no picture, and why (a short phrase)."""

    place: str
    why: str


@dataclass(frozen=True, slots=True)
class Library:
    """The candidates in the order of their relative paths, and the index of their forms by ``stems.key``.

    ``strangers`` are files that nobody gets, by ``stems.tight`` of their stem: links, pipes, PDF. They are told to who
    misses a picture.
    """

    folder: Path | None = field(repr=False)  # None: no folder was given, or it does not exist
    candidates: tuple[Candidate, ...] = field(default=(), repr=False)
    forms: Mapping[str, Sequence[FileNameVariant]] = field(default_factory=dict, repr=False)
    unreadable: tuple[SkippedFile, ...] = field(default=(), repr=False)  # folders and zips
    strangers: Mapping[str, SkippedFile] = field(default_factory=dict, repr=False)


def library(
    folder: Path,
    found: Iterable[Candidate],
    *,
    unreadable: Iterable[SkippedFile],
    strangers: Iterable[SkippedFile],
) -> Library:
    """Return the library of these files; it does not depend on their order."""
    # names that read the same are told apart by what they are
    candidates = sorted(found, key=lambda each: (each.relative, each.name, _offset(each)))
    forms: dict[str, list[FileNameVariant]] = {}
    for candidate in candidates:
        for form in forms_of(candidate):
            forms.setdefault(file_names.key(form.tight), []).append(form)
    others: dict[str, SkippedFile] = {}
    for stranger in sorted(strangers):
        others.setdefault(
            file_names.comparison_key(file_names.split(stranger.place.rpartition("/")[2])[0]), stranger
        )
    return Library(folder, tuple(candidates), forms, tuple(sorted(unreadable)), others)


def _offset(candidate: Candidate) -> int:
    return candidate.member.header_offset if candidate.member else 0


def forms_of(candidate: Candidate) -> Iterable[FileNameVariant]:
    """Yield what a file may be called."""
    for reading, encoding in ((candidate.stem, ""), *file_name_encodings.readings(candidate.stem)):
        for left, suffix in file_names.strip_known_suffixes(reading):
            yield FileNameVariant(candidate, file_names.comparison_key(left), reading, left, suffix, encoding)
