"""A dropped zip: its pictures and rosters go where they would go without it, by the rules of zips in the picture folder."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zipfile import ZipFile

from pipeline.intake.pairing.image_index import is_debris, leads_outside
from pipeline.intake.pairing.zip_files import Member, UnreadableFile, list_members, open_zip, read_member
from pipeline.messages.catalogue import make_message
from pipeline.web.drop.folders import DropFolders, Outcome
from pipeline.web.drop.names import DroppedName, DropRefused, NoSpaceLeft, parse_dropped_path, require_size


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """What became of one file of a zip: ``refusal`` is why it was not taken."""

    path: str = field(repr=False)
    outcome: Outcome | None = None
    refusal: DropRefused | None = None
    picture_size: int = 0  # bytes; 0: it is no picture


def unpack(folders: DropFolders, archive_path: Path, stem: str, user: str) -> Iterator[UnpackedFile]:
    """Yield each file of a zip, when it has its place or was refused. Raises DropRefused for the zip as a whole, OSError.

    Pictures go into a folder of the zip's name, so that those of two zips do not meet; a zip whose only folder has that name
    already gets no second one.
    """
    try:
        with open_zip(archive_path) as (archive, _):
            members = [member for member in list_members(archive) if not _is_passed_over(member.name)]
            prefix = "" if _have_folder(members, stem) else f"{stem}/"
            for member in members:
                yield _unpack_member(folders, archive, member, prefix, user)
    except UnreadableFile as error:
        raise DropRefused("web.drop.unreadable_zip", why=error.reason) from error


def _is_passed_over(name: str) -> bool:
    return not leads_outside(name) and any(map(is_debris, name.split("/")))


def _have_folder(members: Sequence[Member], folder: str) -> bool:
    return all(member.name.startswith(f"{folder}/") for member in members)


def _unpack_member(
    folders: DropFolders, archive: ZipFile, member: Member, prefix: str, user: str
) -> UnpackedFile:
    try:
        if leads_outside(member.name):
            raise DropRefused("web.drop.outside")
        dropped = parse_dropped_path(prefix + member.name)
        if dropped is None:  # the zip's own name is one that is passed over
            raise DropRefused("web.drop.unreadable_name")
        outcome = _store_member(folders, archive, member, dropped, user)
    except NoSpaceLeft:  # nor for any other one
        raise
    except DropRefused as refusal:
        return UnpackedFile(member.name, refusal=refusal)
    size = member.info.file_size if dropped.kind == "picture" else 0
    return UnpackedFile(dropped.path, outcome, picture_size=size)


def _store_member(
    folders: DropFolders, archive: ZipFile, member: Member, dropped: DroppedName, user: str
) -> Outcome:
    """Write a member's bytes under a draft, and give it its name."""
    size, fault = member.info.file_size, member.fault
    if dropped.kind == "zip":
        fault = make_message("image.zip_in_zip")
    elif not member.is_regular:
        fault = make_message("image.link")
    if fault:
        raise DropRefused("web.drop.unreadable_member", why=fault)
    require_size(dropped.kind, size)
    with folders.open_draft(dropped.kind, size) as draft:
        try:
            payload = read_member(archive, member.info)
        except UnreadableFile as error:
            raise DropRefused("web.drop.unreadable_member", why=error.reason) from error
        with draft.open("wb") as file:
            folders.write(file, payload, dropped.kind)
        return folders.store(draft, dropped, hashlib.sha256(payload).hexdigest(), user)
