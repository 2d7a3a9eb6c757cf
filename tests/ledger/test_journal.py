"""A journal's file proves itself line by line: what was not written by this host, in this order, enters nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.domain.site_key import SiteKey
from pipeline.ledger.events import Event
from pipeline.ledger.journal import JournalDamaged, JournalFile, JournalOfOtherKey
from pipeline.support.failpoints import enable_failpoint

KEY = SiteKey(bytes(range(32)), "sandbox/app/org")
OTHERS = {
    "tenant": SiteKey(KEY.secret, "production/app/org"),
    "key": SiteKey(bytes(32), KEY.tenant),
}
EVENTS = [Event.make(number, "opened", {"text": f"第{number}行", "at": 1.0}) for number in range(1, 7)]
MORE = [Event.make(7, "opened", {"text": "x" * 300}), Event.make(8, "opened", {})]


@pytest.fixture
def make_file(tmp_path) -> Callable[..., JournalFile]:
    """Write a file of these events with a key."""

    def make(site_key: SiteKey = KEY, events: list[Event] = EVENTS, name: str = "host") -> JournalFile:
        file = JournalFile(tmp_path / f"{name}.jsonl", site_key)
        file.create()
        file.append(events)
        return file

    return make


@pytest.fixture
def file(make_file) -> JournalFile:
    """A file with six events, opened by the process that wrote it."""
    return make_file()


def read_again(file: JournalFile):
    """Read a file as another process does."""
    return JournalFile(file.path, KEY).read(None)


def read_lines(file: JournalFile) -> list[bytes]:
    """Return the lines; the first one names the file."""
    return file.path.read_bytes().splitlines(keepends=True)


def test_a_file_comes_back_as_it_was_written(file):
    assert [(event, event.op, event.args) for event in read_again(file).events] == [
        (event, event.op, event.args) for event in EVENTS
    ]
    assert read_again(file).torn_bytes == 0
    assert file.path.stat().st_mode & 0o777 == 0o600


def test_what_stands_behind_a_mark_is_read_alone(file):
    last_line = read_again(file).last_line
    reader = JournalFile(file.path, KEY)
    assert reader.read(last_line).events == []
    file.append(MORE)
    reading = reader.read(last_line)
    assert (reading.events, reading.is_whole) == (MORE, False)
    assert reader.read(reading.last_line).events == []


def test_a_mark_whose_line_stands_no_more_makes_the_whole_file_be_read(file, make_file):
    last_line = read_again(file).last_line
    file.path.unlink()
    shorter = make_file(events=EVENTS[:3])
    reading = JournalFile(shorter.path, KEY).read(last_line)
    assert (reading.events, reading.is_whole) == (EVENTS[:3], True)


CHANGES = {
    "edited": lambda lines: [*lines[:3], lines[3].replace("第3行".encode(), "第4行".encode()), *lines[4:]],
    "taken out": lambda lines: [*lines[:3], *lines[4:]],
    "reordered": lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]],
    "doubled": lambda lines: [*lines[:3], lines[3], *lines[3:]],
    "without its first line": lambda lines: lines[1:],
    "without its first line's end": lambda lines: [lines[0][:-1], *lines[1:]],
    "emptied": lambda _lines: [],
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_line_that_was_changed_before_others_enters_nothing_and_is_named(file, change):
    lines = CHANGES[change](read_lines(file))
    file.path.write_bytes(b"".join(lines))
    with pytest.raises(JournalDamaged) as damage:
        read_again(file)
    assert 1 <= damage.value.line <= 5


@pytest.mark.parametrize("change", [name for name in CHANGES if "first" not in name and name != "emptied"])
def test_a_change_behind_a_mark_is_found_as_well(make_file, change):
    file = make_file(events=EVENTS[:1])
    last_line = read_again(file).last_line
    file.append(EVENTS[1:])
    file.path.write_bytes(b"".join(CHANGES[change](read_lines(file))))
    with pytest.raises(JournalDamaged):
        JournalFile(file.path, KEY).read(last_line)


@pytest.mark.parametrize("other", OTHERS)
def test_a_line_of_another_tenant_or_another_key_enters_nothing(file, make_file, other):
    theirs = read_lines(make_file(OTHERS[other], name="other"))
    lines = read_lines(file)
    file.path.write_bytes(b"".join([*lines[:3], theirs[3], *lines[4:]]))
    with pytest.raises(JournalDamaged, match=r"^line 4$"):
        read_again(file)
    file.path.write_bytes(b"".join([*lines, theirs[-1]]))
    assert read_again(file).events == EVENTS, "at the end it is torn off"
    file.path.write_bytes(b"".join(theirs))
    with pytest.raises(JournalOfOtherKey if other == "key" else JournalDamaged):
        read_again(file)


def test_a_file_that_was_cut_between_two_lines_holds_the_lines_before(file):
    lines = read_lines(file)
    for count in range(1, len(lines) + 1):
        file.path.write_bytes(b"".join(lines[:count]))
        assert read_again(file).events == EVENTS[: count - 1]


TAILS = {
    "half a line": lambda line: line[: len(line) // 2],
    "a line without its end": lambda line: line[:-1],
    "NULs": lambda _line: bytes(4096),
    "a garbage line": lambda _line: b"\xff\x00garbage \r\r\n",
    "two garbage lines": lambda line: b"x" * 70 + b"\n" + line[:40] + b"\n",
    "a line of NULs with its end": lambda line: bytes(len(line) - 1) + b"\n",
    "an edited line": lambda line: line.replace(b"x", b"y"),
    "the last line once more": lambda _line: b"",  # see below
}


@pytest.mark.parametrize("tail", TAILS)
@pytest.mark.parametrize("is_marked", [False, True])
def test_a_torn_or_garbled_tail_is_cut_by_the_next_append(file, make_file, tail, is_marked):
    line = read_lines(make_file(events=[*EVENTS, *MORE], name="longer"))[-2]
    last_line = read_again(file).last_line if is_marked else None
    garbage = TAILS[tail](line) or read_lines(file)[-1]
    whole = file.path.read_bytes()
    file.path.write_bytes(whole + garbage)
    reader = JournalFile(file.path, KEY)
    reading = reader.read(last_line)
    assert (reading.torn_bytes, reading.events) == (len(garbage), [] if is_marked else EVENTS)
    assert file.path.read_bytes() == whole + garbage, "reading changes nothing"
    reader.append([])
    assert file.path.read_bytes() == whole
    reader.append(MORE)
    assert read_again(file).events == [*EVENTS, *MORE]


# -- a disk that refuses


def refuse_after(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the disk take this many bytes more, one write of at most a hundred at a time."""
    write, remaining = os.write, [count]

    def take_some(descriptor: int, content: memoryview) -> int:
        some = content[: min(100, remaining[0])]
        if not some:
            raise OSError(errno.ENOSPC, "no space")
        remaining[0] -= len(some)
        return write(descriptor, some)

    monkeypatch.setattr("pipeline.ledger.journal.os.write", take_some)


def test_after_a_disk_that_was_full_at_any_byte_the_file_holds_whole_lines_alone(make_file, monkeypatch):
    length = sum(map(len, read_lines(make_file(events=[*EVENTS, *MORE], name="longer"))[-2:]))
    file = make_file()
    whole = file.path.read_bytes()
    for count in range(length):
        with monkeypatch.context() as disk:
            refuse_after(count, disk)
            with pytest.raises(OSError, match="no space"):
                file.append(MORE)
        assert (file.path.read_bytes(), file.is_given_up) == (whole, False)
    file.append(MORE)
    assert read_again(file).events == [*EVENTS, *MORE]


@pytest.mark.parametrize("is_cut", [True, False])
def test_after_a_failed_fsync_the_file_is_cut_or_given_up(file, monkeypatch, is_cut):
    """A flush that failed proves nothing when it succeeds the next time: the lines are not counted."""
    sync, calls = os.fsync, iter([True, not is_cut])

    def fail(descriptor: int) -> None:
        if next(calls, False):
            raise OSError(errno.EIO, "input/output error")
        sync(descriptor)

    whole = file.path.read_bytes()
    with monkeypatch.context() as disk:
        disk.setattr("pipeline.ledger.journal.os.fsync", fail)
        with pytest.raises(OSError, match="input/output"):
            file.append(MORE)
    assert file.path.read_bytes() == whole
    if is_cut:
        file.append(MORE)
        assert read_again(file).events == [*EVENTS, *MORE]
    else:
        with pytest.raises(OSError, match="given up"):
            file.append(MORE)
        assert file.path.read_bytes() == whole


def test_a_file_that_cannot_be_cut_is_given_up_and_its_half_line_is_cut_by_the_next_process(
    file, monkeypatch
):
    truncate, calls = os.ftruncate, iter([False, True])  # the second call is the one that cuts

    def fail(descriptor: int, length: int) -> None:
        if next(calls):
            raise OSError(errno.EIO, "input/output error")
        truncate(descriptor, length)

    with monkeypatch.context() as disk:
        refuse_after(90, disk)
        disk.setattr("pipeline.ledger.journal.os.ftruncate", fail)
        with pytest.raises(OSError, match="no space"):
            file.append(MORE)
    for _ in range(2):
        with pytest.raises(OSError, match="given up"):
            file.append(MORE)
    reader = JournalFile(file.path, KEY)
    assert (reader.read(None).events, reader.read(None).torn_bytes) == (EVENTS, 90)
    reader.append(MORE)
    assert read_again(file).events == [*EVENTS, *MORE]


@pytest.mark.parametrize("written", [b"half a line", b""])
def test_a_file_that_another_process_wrote_into_is_given_up(file, written):
    """Two holds at once, or a file that was put back meanwhile: nothing is written over it."""
    other = JournalFile(file.path, KEY)
    other.read(None)
    if written:
        with file.path.open("ab") as end:
            end.write(written)
    else:
        other.append(MORE)
    content = file.path.read_bytes()
    for message in ("changed", "given up"):
        with pytest.raises(OSError, match=message):
            file.append(EVENTS[:1])
    assert file.path.read_bytes() == content


def test_a_file_that_was_removed_is_not_made_again_by_an_append(file):
    file.path.unlink()
    with pytest.raises(FileNotFoundError):
        file.append(MORE)
    assert not file.path.exists()


# -- a file that is written anew


@pytest.mark.parametrize("point", ["journal: before the append", "journal: before the fsync"])
def test_a_file_that_is_written_anew_is_there_whole_or_not_at_all(file, point):
    before = file.path.read_bytes()

    def act(name: str) -> None:
        if name == point:
            raise OSError(errno.ENOSPC, "no space")

    enable_failpoint(act)
    try:
        with pytest.raises(OSError, match="no space"):
            file.rewrite(MORE)
    finally:
        enable_failpoint(None)
    assert file.path.read_bytes() == before
    file.append(MORE)
    last_line = file.rewrite(MORE)
    assert read_again(file).last_line == last_line
    assert read_again(file).events == MORE
    assert [path.name for path in file.path.parent.iterdir()] == [file.path.name]
    file.append(EVENTS[:1])
    assert read_again(file).events == [*MORE, EVENTS[0]]


def test_a_file_is_made_once_and_never_over_another(file):
    before = file.path.read_bytes()
    with pytest.raises(FileExistsError):
        JournalFile(file.path, KEY).create()
    assert file.path.read_bytes() == before


def test_the_folder_of_a_file_is_flushed_when_it_is_made_or_replaced(tmp_path, monkeypatch):
    synced: list[Path] = []
    monkeypatch.setattr("pipeline.ledger.journal.sync_folder", synced.append)
    file = JournalFile(tmp_path / "host.jsonl", KEY)
    file.create()
    file.append(EVENTS)
    assert synced == [tmp_path]
    file.rewrite(EVENTS)
    assert set(synced) == {tmp_path}
    assert len(synced) > 1
