r"""What the picture column of a roster may say, and the files it means.

An entry is a base name or a path below the picture folder, with or without extension. It is looked up in the library
and never joined to a path, so no entry can reach outside the folder; entries that try to are refused by name, since
somebody wrote them for a reason. A whole path to a picture, as another computer has it (``C:\印章\张伟.png``), counts by
its last part, and that is said.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence

from pipeline.domain.roster import CellKind, Doctor, Field
from pipeline.intake.fields.normalize import shown, trim
from pipeline.intake.pairing import file_names
from pipeline.intake.pairing.candidates import Candidate, FileNameVariant, Library
from pipeline.messages.texts import make_text

_MAX_COMPONENT = 255  # bytes: no file system has longer names
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_DRIVE = re.compile(r"[A-Za-z]:")
_DEVICE = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9¹²³])\Z", re.IGNORECASE)
_WHOLE_PATH = re.compile(r"(?:[A-Za-z]:)?[/\\]+")
_CELL = re.compile(r"▣ ?([A-Z]{1,3})[1-9][0-9]*\b")  # how a picture in a cell is called everywhere
_WORDLESS = frozenset({CellKind.ERROR, CellKind.NO_VALUE, CellKind.PICTURE})


def entry(doctor: Doctor) -> str | None:
    """Return what the row's picture column says, None where it is blank or holds no text (a picture, an error)."""
    cell = doctor.row.fields.get(Field.PICTURE)
    if cell is None or cell.kind in _WORDLESS:
        return None
    text = trim(shown(cell))
    unquoted = text.strip('"')  # as Windows copies a path
    return (unquoted if file_of_whole_path(unquoted) else text) or None


def file_of_whole_path(written: str) -> str | None:
    """Return the file's name of a whole path to a picture; None for any other entry."""
    name = re.split(r"[/\\]", written)[-1]
    is_picture = file_names.split(name)[1] in file_names.EXTENSIONS
    return name if is_picture and _WHOLE_PATH.match(written) else None


def cell_named(written: str) -> str | None:
    """Return the column of the roster cell whose picture an entry means (``▣ H12``, as To fix writes it), or None."""
    found = _CELL.match(written)
    return found[1] if found else None


def refusal(written: str) -> str | None:
    """Return why an entry is not accepted, as a short phrase, or None for one that may be looked up."""
    if file_of_whole_path(written):
        written = _WHOLE_PATH.sub("", written, count=1)
    components = re.split(r"[/\\]", written)
    reasons = {
        "entry.control": any(unicodedata.category(char) == "Cc" for char in written),
        "entry.url": _URL.match(written) is not None,
        "entry.network": written.startswith(("\\\\", "//")),
        "entry.drive": _DRIVE.match(written) is not None,
        "entry.absolute": written.startswith(("/", "\\")),
        "entry.colon": ":" in written,
        "entry.parent": ".." in (component.strip() for component in components),
        "entry.device": any(_DEVICE.match(component.partition(".")[0].strip()) for component in components),
        "image.path_too_long": any(
            len(component.encode("utf-8", "replace")) > _MAX_COMPONENT for component in components
        ),
    }
    return next((make_text(key) for key, applies in reasons.items() if applies), None)


def names_a_file(written: str) -> bool:
    """Tell whether an entry can only mean a file: it has an extension or a folder. 已交 and √ have neither."""
    if cell_named(written):
        return False
    return bool(file_names.split(written)[1]) or "/" in written or "\\" in written


def find(written: str, library: Library) -> list[tuple[Candidate, str]]:
    """Return the files an entry means, each with what was taken off its name, ``""`` for one named to the letter.

    Where no name is exact, those are meant that differ in width, Unicode form, case, blanks, dots or encoding alone. A
    base name is looked for in every sub-folder and zip, a path where folders so named end it; the longest way counts,
    and the picture folder's own name may lead it. The folders of a whole path are another computer's and do not count.
    """
    written = file_of_whole_path(written) or written
    *folders, name = [part for part in re.split(r"[/\\]", written) if part not in ("", ".")] or [""]
    stem, extension = file_names.split(name)
    if not file_names.is_picture(extension):
        stem, extension = name, ""
    wanted = file_names.comparison_key(stem)
    if not wanted:
        return []
    found: dict[Candidate, str] = {}
    for form in library.forms.get(file_names.key(wanted), ()):
        if form.suffix or form.tight != wanted or not _has_extension(form.candidate, extension):
            continue
        steps = [*_folder_steps(folders, form.candidate), _stem_step(stem, form)]
        if None not in steps:
            told = " + ".join(dict.fromkeys(step for step in steps if step))
            found[form.candidate] = min(found.get(form.candidate, told), told, key=len)
    fitting = [each for each in found.items() if not each[1]] or list(found.items())
    outermost = [each for each in fitting if folders and len(each[0].place.parts) == len(folders)]
    return outermost or fitting


def _has_extension(candidate: Candidate, extension: str) -> bool:
    """Compare without case: nobody chooses that. Windows hides the last of several extensions."""
    return extension in ("", candidate.extension) or candidate.extension.startswith(extension + ".")


def _stem_step(stem: str, form: FileNameVariant) -> str:
    if not form.encoding and form.stem == stem:
        return ""
    told = (
        file_names.describe_differences(form.stem, (form.left, form.suffix), stem)
        if form.stem != stem
        else ""
    )
    return " + ".join(filter(None, (form.encoding, told)))


def _folder_steps(folders: Sequence[str], candidate: Candidate) -> Iterator[str | None]:
    """Yield for each folder of an entry what was taken off the candidate's, None where it is another one."""
    place = candidate.place
    parts = (place.root.name, *place.parts)
    called = ({file_names.comparison_key(place.root.name): ""}, *place.called)
    if len(folders) > len(parts):
        yield None
        return
    for folder, part, names in zip(reversed(folders), reversed(parts), reversed(called), strict=False):
        encoding = names.get(file_names.comparison_key(folder))
        if encoding is None or encoding or folder == part:
            yield encoding
        else:
            yield file_names.describe_differences(part, (part, ""), folder)
