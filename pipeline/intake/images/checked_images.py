"""What was found out about pictures, kept in a folder: a picture that was checked before is not decoded again.

A file is named by the sha256 of the picture's own bytes, which is computed anew for every run, and again of the bytes
that are sent. It counts only as long as everything else that decides how a picture is prepared is the same: the
settings, and the versions of this program and of Pillow. Only pictures that may be sent are kept.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import PIL

from pipeline.domain.roster import Field, ImageFile, PreparedImage
from pipeline.errors import NotReadNow
from pipeline.intake.images.image_files import mask_file_name, read_regular_file, replace_file
from pipeline.messages.catalogue import dump_texts, load_texts
from pipeline.messages.problems import build_problem
from pipeline.version import __version__

_RULES = 2  # raised with every change of what is checked or how a picture is prepared
_MOST = 100_000  # bytes of a file
_FIELDS = ("sha256", "size", "format", "width", "height", "pixels")


@dataclass(frozen=True, slots=True)
class CheckedImages:
    """The folder, and the settings with which pictures are prepared; what one run reads or keeps stays in memory."""

    folder: Path
    settings: str
    _prepared: dict[ImageFile, PreparedImage] = field(default_factory=dict)

    def find(self, image: ImageFile) -> PreparedImage | None:
        """Return a picture as it was prepared before; None where it was not, or its prepared bytes are gone."""
        prepared = self._prepared.get(image) or self._read(image)
        if prepared is None:
            return None
        is_there = prepared.path == image.file or _holds(prepared.path, prepared.sha256)
        return prepared if is_there else None

    def find_pixels(self, image: ImageFile) -> str | None:
        """Return the digest of a picture's pixels, None where it is not known."""
        prepared = self._prepared.get(image) or self._read(image)
        return prepared.pixels if prepared else None

    def is_in_memory(self, image: ImageFile) -> bool:
        """Return whether `find` reads no file to return a picture."""
        prepared = self._prepared.get(image)
        return prepared is not None and prepared.path == image.file

    def keep(self, prepared: PreparedImage) -> None:
        """Keep what was found out, if the disk takes it: a run goes on without it."""
        self._prepared[prepared.source] = prepared
        kept = {name: getattr(prepared, name) for name in _FIELDS}
        problems = [
            (
                problem.code,
                dump_texts({name: text for name, text in problem.detail.items() if name != "file"}),
            )
            for problem in prepared.problems
        ]
        is_own = prepared.path == prepared.source.file
        kept |= {"path": None if is_own else str(prepared.path), "problems": problems}
        payload = json.dumps(kept, ensure_ascii=False).encode()
        seal = self._digest(prepared.source, payload)
        with suppress(OSError):
            replace_file(self.folder / prepared.source.sha256, seal + b"\n" + payload)

    def _read(self, image: ImageFile) -> PreparedImage | None:
        try:
            seal, _, payload = read_regular_file(self.folder / image.sha256, limit=_MOST).partition(b"\n")
        except (NotReadNow, OSError):
            return None
        if seal != self._digest(image, payload):  # half a file, or other settings
            return None
        kept = json.loads(payload)
        file = mask_file_name(image.name)
        prepared = PreparedImage(
            source=image,
            path=Path(kept["path"]) if kept["path"] else image.file,
            problems=tuple(
                build_problem(code, Field.PICTURE, severity=None, file=file, **load_texts(detail))
                for code, detail in kept["problems"]
            ),
            **{name: kept[name] for name in _FIELDS},
        )
        self._prepared[image] = prepared
        return prepared

    def _digest(self, image: ImageFile, payload: bytes) -> bytes:
        """Return what proves that a file is whole, of this picture, and of these settings and versions."""
        decisive = f"{image.sha256} {_RULES} {__version__} {PIL.__version__} {self.settings}\n"
        return hashlib.sha256(decisive.encode() + payload).hexdigest().encode()


def _holds(path: Path, sha256: str) -> bool:
    """Return whether a file holds the bytes of a digest."""
    try:
        return hashlib.sha256(read_regular_file(path)).hexdigest() == sha256
    except (NotReadNow, OSError):
        return False
