"""What the picture column of a roster may say, and the files it means.

An entry is a base name or a path below the picture folder, with or without extension. It is looked up in the index
and never joined to a path, so no entry can reach outside the folder; entries that try to are refused by name, since
somebody wrote them for a reason (reliability.md §5.2, Image names).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from pipeline.intake import stems
from pipeline.intake.folding import shown, trim
from pipeline.intake.pictures import Candidate, Library
from pipeline.roster import CellKind, Doctor, Field

_MAX_COMPONENT = 255  # bytes: no file system has longer names
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\Z", re.IGNORECASE)
_WORDLESS = frozenset({CellKind.ERROR, CellKind.NO_VALUE})


def entry(doctor: Doctor) -> str | None:
    """Return what the row's picture column says, None where it is blank or holds no text (a picture, an error)."""
    cell = doctor.row.fields.get(Field.PICTURE)
    if cell is None or cell.kind in _WORDLESS:
        return None
    return trim(shown(cell)) or None


def refusal(written: str) -> str | None:
    """Return why an entry is not accepted, as a short phrase, or None for one that may be looked up."""
    components = re.split(r"[/\\]", written)
    reasons = {
        "control character": any(unicodedata.category(char) == "Cc" for char in written),
        "URL": _URL.match(written) is not None,
        "network path": written.startswith(("\\\\", "//")),
        "drive letter": _DRIVE.match(written) is not None,
        "absolute path": written.startswith(("/", "\\")),
        "colon": ":" in written,
        "..": ".." in (component.strip() for component in components),
        "device name": any(_DEVICE.match(component.partition(".")[0].strip()) for component in components),
        "too long": any(
            len(component.encode("utf-8", "replace")) > _MAX_COMPONENT for component in components
        ),
    }
    return next((why for why, found in reasons.items() if found), None)


def names_a_file(written: str) -> bool:
    """Tell whether an entry can only mean a file: it has an extension or a folder. 已交 and √ have neither."""
    return bool(stems.split(written)[1]) or "/" in written or "\\" in written


def find(written: str, library: Library) -> tuple[Sequence[Candidate], bool]:
    """Return the files an entry means, and whether it is their name to the letter.

    Where no name is exact, those are meant that differ in width, Unicode form or case alone. A base name is looked
    for in every sub-folder, a path only where it points.
    """
    wanted = "/".join(part for part in re.split(r"[/\\]", written) if part not in ("", "."))
    names = library.by_path if "/" in wanted else library.by_name
    found = names.get(stems.fold(wanted), ())
    exact = [candidate for candidate in found if _is_exact(wanted, candidate)]
    return exact or found, bool(exact)


def _is_exact(wanted: str, candidate: Candidate) -> bool:
    """Compare to the letter, but for the extension's case: nobody chooses that."""
    stem, extension = stems.split(wanted)
    if extension not in stems.EXTENSIONS:
        stem, extension = wanted, ""
    path, own = stems.split(candidate.relative)
    return extension in ("", own) and stem in (path, candidate.stem)
