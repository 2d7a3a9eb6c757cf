"""`check --save-columns`: how the rosters' columns were read becomes ``columns:`` of the configuration.

What was read goes in as it is. A title that is only near to a known one goes in as a comment: nothing is guessed.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.nodes import MappingNode

from pipeline.config.settings import load
from pipeline.domain.roster import FileReport
from pipeline.intake.layout.column_titles import LONGEST, get_title_meaning, squeeze_title
from pipeline.messages.catalogue import render
from pipeline.support.atomic_files import write_atomically

_KEY = "columns"


def save_columns(
    path: Path, files: Iterable[FileReport], known: Mapping[str, str], *, language: str
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """Add to a configuration file how the columns of these rosters were read; the rest of it stays as it is.

    ``known`` are the titles that stand there already, ``language`` is that of the comments. Returns the titles that were
    added with their fields, and those that stand there as comments with the nearest title. Raises OSError where the file
    cannot be written.
    """
    path = path.resolve()
    wanted, nearest = _collect_titles(files, known)
    text = path.read_bytes().decode("utf-8")
    hints = {title: near for title, near in nearest.items() if _as_comment(title, near) not in text}
    if wanted or hints:
        comments = [
            f"{_as_comment(title, near)}  # {render('columns.hint', language, nearest=near)}"
            for title, near in hints.items()
        ]
        new_text = _with_columns(text, wanted, comments)

        def write_checked(file: Path) -> None:
            file.write_bytes(new_text.encode("utf-8"))
            load(file, {})  # what is not accepted replaces nothing

        mode = path.stat().st_mode & 0o777
        write_atomically(path, write_checked)
        path.chmod(mode)
    return wanted, hints


def _collect_titles(
    files: Iterable[FileReport], known: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the titles that were read with their fields, and the unused ones that are nearly known.

    A title that another column went before, or that means two fields in two files, is left out.
    """
    taken = set(map(squeeze_title, known))
    fields: dict[str, set[str]] = {}
    written: dict[str, str] = {}
    near: dict[str, str] = {}
    columns = (column for report in files for sheet in report.sheets for column in sheet.columns)
    for column in columns:
        name = squeeze_title(column.title)
        if not name or name in taken or len(column.title) > LONGEST:
            continue
        written.setdefault(name, column.title)
        if column.field or get_title_meaning(column.title):
            fields.setdefault(name, set()).add(column.field.value if column.field else "")
        elif column.nearest:
            near.setdefault(column.title, column.nearest)
    wanted = {
        written[name]: meanings.pop()
        for name, meanings in fields.items()
        if len(meanings) == 1 and "" not in meanings
    }
    return wanted, near


def _with_columns(text: str, wanted: Mapping[str, str], comments: Iterable[str]) -> str:
    """Return the file's text with more columns: the lines of ``columns:`` by a round trip, all others as they are."""
    line_end = "\r\n" if "\r\n" in text else "\n"
    body = text.removeprefix("\ufeff")
    bom = text[: len(text) - len(body)]
    lines = body.splitlines(keepends=True)
    first, last, indent = _get_columns_span(body, len(lines))
    yaml = YAML(typ="rt", pure=True)
    yaml.preserve_quotes, yaml.width, yaml.map_indent = True, 1_000_000, indent
    section: Any = yaml.load("".join(lines[first:last])) or CommentedMap()
    columns = section.get(_KEY)
    if not columns and wanted:
        columns = section[_KEY] = CommentedMap()
        columns.fa.set_block_style()
    for title, field in wanted.items():
        columns[title] = field
    dumped = io.StringIO()
    if first < last or wanted:
        yaml.dump(section, dumped)
    hints = "".join(f"{' ' * indent}{comment}\n" for comment in comments)
    before = "".join(lines[:first])
    if before and not before.endswith("\n"):
        before += line_end
    added = (dumped.getvalue() + hints).replace("\n", line_end)
    return bom + before + added + "".join(lines[last:])


def _get_columns_span(text: str, count: int) -> tuple[int, int, int]:
    """Return where ``columns:`` begins and ends, as indexes of the lines, and how far its entries are indented."""
    root = YAML(typ="rt", pure=True).compose(text)
    for key, value in root.value if isinstance(root, MappingNode) else ():
        if key.value == _KEY:
            entries = value.value if isinstance(value, MappingNode) and not value.flow_style else []
            end = entries[-1][1] if entries else value
            indent = entries[0][0].start_mark.column if entries else 2
            return key.start_mark.line, end.end_mark.line + 1, indent
    return count, count, 2


def _as_comment(title: str, nearest: str) -> str:
    """Return the line of a title that may be misspelt, ready to be used once its # is taken away."""
    field = get_title_meaning(nearest)
    entry = io.StringIO()
    YAML(typ="rt", pure=True).dump({title: field.field.value if field else ""}, entry)
    return f"# {entry.getvalue().strip()}"
