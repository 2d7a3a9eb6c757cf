"""The folders into which files are dropped: a file is complete there under its name, or it is not there.

A file of the same name with other bytes waits next to it under a hidden name, which neither rosters nor pictures are read
from, until a person decides. What is replaced or removed is copied to ``state/replaced`` first. After a kill between any
two steps the former file is in its place, or the new one is and the former is in ``state/replaced``.
"""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import BinaryIO, Literal

from pipeline.domain.roster import ROSTER_SUFFIXES, ImageFile
from pipeline.errors import FileRefused, NotReadNow
from pipeline.intake.images.decode import require_usable_size
from pipeline.intake.images.image_files import ImageRefused, mask_file_name
from pipeline.intake.images.prepare import make_image_problem
from pipeline.intake.pairing.image_index import is_junction
from pipeline.intake.read_rosters import make_refusal_problem, require_roster_format
from pipeline.operations.doctor import NO_SPACE
from pipeline.operations.replaced_files import KEPT_SECONDS, keep_replaced_file
from pipeline.support.atomic_files import (
    create_private_file,
    make_draft_prefix,
    make_folder,
    publish_draft,
    remove_old_drafts,
    sync_file,
    sync_folder,
)
from pipeline.support.failpoints import hit_failpoint
from pipeline.support.rights import allow_unsupported
from pipeline.web.drop.listing import (
    StoredFile,
    WaitingFile,
    get_stamp,
    list_folder_content,
    list_waiting,
    make_waiting_name,
)
from pipeline.web.drop.names import LARGEST, CheckRefused, DroppedName, DropRefused, NoSpaceLeft
from pipeline.web.site import Site
from pipeline.workflow.stage_settings import build_image_examiner

Outcome = Literal["stored", "same", "waiting"]


class DropFolders:
    """Takes files into the roster folder and the picture folder of one hospital. Its methods block."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._lock = Lock()  # of two uploads under one name, one is the first
        self._preview_lock = Lock()

    def get_folder(self, kind: str) -> Path:
        """Return the folder into which files of a kind go. Raises DropRefused where no folder is configured."""
        config = self._site.config
        if kind != "roster":
            folder = config.resolve_path(config.seals)
            if folder.is_file() or folder.suffix.lower() == ".zip":
                raise DropRefused("web.drop.no_picture_folder", path=folder)
            return folder
        paths = [config.resolve_path(path) for path in config.roster]
        for path in paths:
            if path.is_dir() or not (path.exists() or path.suffix.lower() in ROSTER_SUFFIXES):
                return path
        raise DropRefused("web.drop.no_roster_folder", path=paths[0])

    def remove_remains(self) -> None:
        """Remove what killed processes left in the folders, and files that have waited too long."""
        now = self._site.clock.now()
        with suppress(OSError, DropRefused):
            for kind in ("roster", "picture"):
                remove_old_drafts(self.get_folder(kind), now=now)
        for waiting in list_folder_content(self._site.config).waiting:
            if waiting.new.modified < now - KEPT_SECONDS:
                with suppress(OSError):
                    waiting.new.path.unlink(missing_ok=True)

    @contextmanager
    def open_draft(self, kind: str, size: int) -> Iterator[Path]:
        """Yield an empty hidden file in the folder of a kind, which is removed unless it is stored.

        Raises OSError, and DropRefused where so many bytes would leave too little space for runs.
        """
        folder = make_folder(self.get_folder(kind))
        self.require_space(kind, size)
        draft = folder / f"{make_draft_prefix()}upload"
        create_private_file(draft)
        try:
            yield draft
        finally:
            with suppress(OSError):
                draft.unlink(missing_ok=True)

    def write(self, file: BinaryIO, chunk: bytes, kind: str) -> None:
        """Write bytes into a draft. Raises OSError, which names the folder, and NoSpaceLeft."""
        self.require_space(kind, len(chunk))
        with _name_target(self.get_folder(kind)):
            file.write(chunk)
            file.flush()

    def require_space(self, kind: str, size: int) -> None:
        """Raise DropRefused where so many bytes would leave too little space for the ledger and the results."""
        if shutil.disk_usage(self.get_folder(kind)).free < NO_SPACE + size:
            raise NoSpaceLeft("web.drop.no_space")

    def store(self, draft: Path, dropped: DroppedName, sha256: str, user: str) -> Outcome:
        """Give a complete draft its name; where that is another file's, it waits.

        Raises OSError and DropRefused; then nothing has changed. Recorded before it is done.
        """
        if dropped.kind == "roster":
            _require_roster(draft)
        else:
            _require_picture(draft, dropped.name)
        root = self.get_folder(dropped.kind)
        target = root.joinpath(*dropped.parts)
        with self._lock, _name_target(target):
            _require_plain_folders(root, target.parent)
            if os.path.lexists(target):
                return self._keep_waiting(draft, target, sha256, user)
            self._record(user, "drop", dropped, sha256)
            make_folder(target.parent)
            sync_file(draft)
            hit_failpoint("drop: before the file takes its name")
            try:
                publish_draft(draft, target)
            except FileExistsError:  # another program was quicker
                return self._keep_waiting(draft, target, sha256, user)
            hit_failpoint("drop: the file has its name")
            with allow_unsupported():
                sync_folder(target.parent)
        return "stored"

    def _keep_waiting(self, draft: Path, target: Path, sha256: str, user: str) -> Outcome:
        """Compare a draft with the file that has its name; it waits where they differ."""
        if not stat.S_ISREG(target.lstat().st_mode):
            raise DropRefused("web.drop.name_taken")
        former = StoredFile.of(target)
        size = draft.stat().st_size
        if former.size == size and former.digest() == sha256:
            return "same"
        for waiting in list_waiting(target.parent):
            if waiting.target == target and waiting.new.size == size and waiting.new.digest() == sha256:
                return "waiting"
        self._site.record_change(user, "ask", file=target.name, sha256=sha256)
        sync_file(draft)
        hit_failpoint("drop: before the file waits")
        draft.rename(target.with_name(make_waiting_name(target.name)))
        hit_failpoint("drop: the file waits")
        return "waiting"

    def replace(self, waiting_id: str, stamp: str, user: str) -> Path | None:
        """Put a waiting file in the place of the former one, as a person saw that; return its path.

        None where the former one is another one by now, or nothing waits any more: nothing has changed. Raises OSError.
        """
        with self._lock:
            waiting = self._get_waiting(waiting_id)
            if waiting is None or waiting.stamp != stamp:
                return None
            return self._replace(waiting, user)

    def _replace(self, waiting: WaitingFile, user: str) -> Path | None:
        """Put a file in the place of the former one; None where that is another one than the listing had."""
        target = waiting.target
        with _name_target(target):
            self._site.record_change(user, "replace", file=target.name, sha256=waiting.new.digest())
            hit_failpoint("drop: before the former file is copied")
            if waiting.former is not None:
                keep_replaced_file(self._site.config, target, self._site.clock.now())
                hit_failpoint("drop: the former file is copied")
            if get_stamp(target) != waiting.stamp:  # saved while it was copied
                return None
            waiting.new.path.replace(target)
            hit_failpoint("drop: the former file is replaced")
            with allow_unsupported():
                sync_folder(target.parent)
        return target

    def answer_all(self, answer: str, digest: str, user: str) -> bool:
        """Replace or leave all files that wait, as a person saw them; return False where one changed since. Raises OSError."""
        with self._lock:
            content = list_folder_content(self._site.config)
            if content.waiting_digest != digest:
                return False
            for waiting in content.waiting:
                if answer == "leave":
                    self._leave(waiting, user)
                elif self._replace(waiting, user) is None:
                    return False
        return True

    def leave(self, waiting_id: str, stamp: str, user: str) -> bool:
        """Keep the former file, as a person saw it, and remove the one that waits; return False where it is another one.

        Raises OSError.
        """
        with self._lock:
            waiting = self._get_waiting(waiting_id)
            if waiting is None or waiting.stamp != stamp:
                return False
            self._leave(waiting, user)
            return True

    def _leave(self, waiting: WaitingFile, user: str) -> None:
        self._site.record_change(user, "leave", file=waiting.target.name)
        waiting.new.path.unlink(missing_ok=True)

    def remove(self, file_id: str, stamp: str, user: str) -> bool:
        """Move a roster to ``state/replaced``; return False where it is another one by now. Raises OSError."""
        with self._lock:
            stored = self._get_stored(file_id)
            if stored is None or stored.stamp != stamp:
                return False
            with _name_target(stored.path):
                self._site.record_change(user, "remove", file=stored.path.name, sha256=stored.digest())
                keep_replaced_file(self._site.config, stored.path, self._site.clock.now())
                hit_failpoint("drop: before the file is removed")
                if get_stamp(stored.path) != stamp:
                    return False
                stored.path.unlink()
            return True

    def _get_stored(self, file_id: str) -> StoredFile | None:
        rosters = list_folder_content(self._site.config).rosters
        return next((roster for roster in rosters if roster.id == file_id), None)

    def read_preview(self, waiting_id: str, side: str) -> bytes | None:
        """Return a small copy (JPEG) of a picture that waits (``new``) or of the former one; None where there is none."""
        waiting = self._get_waiting(waiting_id)
        sides = {"new": waiting.new, "former": waiting.former} if waiting and waiting.is_picture else {}
        stored = sides.get(side)
        if stored is None or stored.size > LARGEST["picture"]:
            return None
        with self._preview_lock:  # one at a time: a large picture takes 160 MB while it is decoded
            image = ImageFile.from_path(stored.path, stored.digest(), stored.size)
            preview = build_image_examiner(self._site.config).load_preview(image, sent=None)
        return preview.data if preview else None

    @property
    def sent_bytes(self) -> int:
        """The bytes of the largest picture that is sent as it is."""
        return build_image_examiner(self._site.config).limit

    def _get_waiting(self, waiting_id: str) -> WaitingFile | None:
        return next(
            (one for one in list_folder_content(self._site.config).waiting if one.id == waiting_id), None
        )

    def _record(self, user: str, action: str, dropped: DroppedName, sha256: str) -> None:
        self._site.record_change(user, action, kind=dropped.kind, file=dropped.path, sha256=sha256)


@contextmanager
def _name_target(target: Path) -> Iterator[None]:
    """Name the file itself in errors of the block: no person knows a draft."""
    try:
        yield
    except OSError as error:
        error.filename = str(target)
        raise


def _require_plain_folders(root: Path, folder: Path) -> None:
    """Raise DropRefused where a folder below the root is a link or a file: pictures are not read through links."""
    while folder != root:
        with suppress(FileNotFoundError):
            status = folder.lstat()
            if not stat.S_ISDIR(status.st_mode) or is_junction(status):
                raise DropRefused("web.drop.name_taken")
        folder = folder.parent


def _require_roster(draft: Path) -> None:
    """Raise CheckRefused for a file that no reader takes, and for a results workbook of this program."""
    try:
        require_roster_format(draft)
    except FileRefused as refusal:
        raise CheckRefused(make_refusal_problem(refusal)) from refusal


def _require_picture(draft: Path, name: str) -> None:
    """Raise CheckRefused for a picture that cannot be made small enough."""
    try:
        require_usable_size(draft)
    except ImageRefused as refusal:
        raise CheckRefused(
            make_image_problem(refusal.code, mask_file_name(name), **refusal.detail)
        ) from refusal
    except NotReadNow:  # another check may read it
        return
