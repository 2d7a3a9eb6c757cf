"""A page that is killed at any point of a drop, a replacement or a removal: no file is lost, and none is half read."""

import hashlib
import os
import signal
from contextlib import suppress

import pytest
from page_support import make_site

from pipeline.config.settings import Config
from pipeline.operations.replaced_files import list_replaced_files
from pipeline.support.failpoints import enable_failpoint
from pipeline.web.drop.folders import DropFolders
from pipeline.web.drop.listing import list_folder_content
from pipeline.web.drop.names import DroppedName

STORE, REPLACE, REMOVE = "store", "replace", "remove"
FORMER, NEWER = "姓名,证件号码\n甲,1\n".encode(), "姓名,证件号码\n乙,2\n".encode()


def act(hospital, operation, killed_at=None):
    """Do one thing to the folders in a process of its own, which kills itself at a point; return the points it passed."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        points = []

        def note(point):
            os.write(writer, f"{point}\n".encode())
            points.append(point)
            if len(points) - 1 == killed_at:
                os.kill(os.getpid(), signal.SIGKILL)

        with suppress(BaseException):
            enable_failpoint(note)
            site = make_site(hospital.folder / "config.yaml")
            operate(DropFolders(site), hospital, operation)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, encoding="utf-8") as printed:
        points = printed.read().splitlines()
    os.waitpid(child, 0)
    return points


def operate(folders, hospital, operation):
    content = list_folder_content(Config.load(hospital.folder / "config.yaml", environment={}))
    if operation == STORE:
        with folders.open_draft("roster", 1) as draft:
            draft.write_bytes(NEWER)
            folders.store(
                draft, DroppedName("roster", ("a.csv",)), hashlib.sha256(NEWER).hexdigest(), "clerk"
            )
    elif operation == REPLACE:
        for waiting in content.waiting:
            folders.replace(waiting.id, waiting.stamp, "clerk")
    else:
        for roster in content.rosters:
            folders.remove(roster.id, roster.stamp, "clerk")


@pytest.mark.parametrize("steps", [[STORE], [STORE, REPLACE], [REMOVE]], ids=["store", "replace", "remove"])
@pytest.mark.parametrize("has_former", [False, True])
def test_a_process_that_is_killed_at_any_point_loses_nothing(hospital, steps, has_former):
    """The former file is in its place, or the new one is; what was replaced is kept; a second try completes it."""
    config = Config.load(hospital.folder / "config.yaml", environment={})
    inbox = hospital.folder / "inbox"
    inbox.mkdir()
    target = inbox / "a.csv"

    def prepare():
        for path in [*inbox.iterdir(), *list_replaced_files(config)]:
            path.unlink()
        if has_former:
            target.write_bytes(FORMER)
        for step in steps[:-1]:
            act(hospital, step)

    prepare()
    points = act(hospital, steps[-1])
    assert len(points) >= (2 if has_former or steps == [STORE] else 0)
    for number in range(len(points)):
        prepare()
        act(hospital, steps[-1], killed_at=number)
        files = {path.read_bytes() for path in (*inbox.iterdir(), *list_replaced_files(config))}
        assert not has_former or FORMER in files, points[number]
        rosters = list_folder_content(Config.load(hospital.folder / "config.yaml", environment={})).rosters
        assert [roster.path for roster in rosters] in ([], [target])
        assert all(roster.path.read_bytes() in {FORMER, NEWER} for roster in rosters)
        for step in steps:
            act(hospital, step)
        files = {path.read_bytes() for path in (*inbox.iterdir(), *list_replaced_files(config))}
        assert not has_former or FORMER in files
        if steps[-1] == REPLACE:
            assert target.read_bytes() == NEWER
        assert not (steps == [REMOVE] and target.exists())
