"""An opening repairs the ledger from its journals, and the journals from the ledger; or it is refused and changes nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_support import (
    NOW,
    SEALS,
    UNKNOWN,
    decision,
    hold_open,
    open_attempt,
    read_tables,
    record_verdict,
    remove_ledger,
    require_whole,
    send,
)
from manual_clock import ManualClock

from pipeline.domain.seals import Bearer, PictureDecision
from pipeline.domain.site_key import SiteKey
from pipeline.errors import EsignImportError, HoldLost, LedgerError, Locked
from pipeline.ledger.disk import key_path
from pipeline.ledger.events import Event
from pipeline.ledger.journal import JournalFile
from pipeline.ledger.operations import dump_tables
from pipeline.ledger.places import Places
from pipeline.ledger.records import LedgerConflict
from pipeline.ledger.sqlite_ledger import LedgerFile
from pipeline.support.failpoints import enable_failpoint
from pipeline.workflow.tenant_ledger import repair_if_behind, repair_ledger


@pytest.fixture
def run_over(attempt, sealed, run_record) -> Callable[..., None]:
    """Run once over these persons: each gets a seal, the last an unknown result."""

    def go(store: LedgerFile, *keys: str) -> None:
        with hold_open(store) as ledger:
            run = f"run-{'-'.join(keys)}"
            ledger.begin_run(run_record(run))
            for key in keys[:-1]:
                send(ledger, attempt(key, run=run), sealed(f"seal-{key}"))
            send(ledger, attempt(keys[-1], run=run), UNKNOWN)

    return go


def read_files(folder: Path) -> dict[Path, bytes]:
    """Return what lies in a folder, without the files of locks and of readers."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    passing = (".lock", ".holder", "-shm", "-wal")
    return {path: path.read_bytes() for path in files if not path.name.endswith(passing)}


# -- what was lost or put back

LOSSES: dict[str, tuple[str, ...]] = {  # what is put back as it was a run ago ("<"), or removed
    "ledger removed": ("ledger",),
    "ledger put back": ("<ledger",),
    "state folder removed": ("user",),
    "folder of results removed": ("out",),
    "both places removed": ("user", "out"),
    "ledger and state folder removed": ("ledger", "user"),
    "ledger and folder of results removed": ("ledger", "out"),
    "one journal put back": ("<out",),
    "both journals put back": ("<user", "<out"),
    "ledger and one journal put back": ("<ledger", "<user"),
    "ledger removed, one journal put back": ("ledger", "<user"),
    "ledger put back, one part removed": ("<ledger", "out"),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_what_was_lost_or_put_back_is_repaired(store, run_over, tmp_path, loss):
    run_over(store, "p1", "p2")
    kept = tmp_path.parent / f"{tmp_path.name}-yesterday"
    shutil.copytree(tmp_path, kept)
    run_over(store, "p3", "p4")
    before = read_tables(store)
    for part in LOSSES[loss]:
        name = part.lstrip("<")
        if name == "ledger":
            remove_ledger(store)
        else:
            shutil.rmtree(tmp_path / name)
        if part == "<ledger":
            shutil.copyfile(kept / "state" / store.path.name, store.path)
        elif part != name:
            shutil.copytree(kept / name, tmp_path / name)
    is_lost = any("ledger" in part for part in LOSSES[loss])
    assert store.is_behind() == is_lost or LOSSES[loss][0].startswith("<")
    with hold_open(store) as ledger:
        assert bool(ledger.repair.entered) == is_lost
        assert ledger.repair.set_aside == ()
        is_gone = "out" in LOSSES[loss] and not {"user", "ledger"} & set(LOSSES[loss])
        assert [path.is_relative_to(tmp_path / "out") for path in ledger.repair.written_again] == [
            True
        ] * is_gone
    assert read_tables(store) == before
    require_whole(store)
    with hold_open(store) as ledger:
        assert ledger.repair.entered == ()
    assert read_tables(store) == before


@pytest.mark.parametrize("shared", [("user", "out"), ("user",), ("out",)])
def test_copies_of_a_folder_that_are_used_in_turn_know_each_other(store, run_over, tmp_path, shared):
    """They share the state folder, the folder of results, or both."""
    run_over(store, "p0", "p1")
    copy = tmp_path / "copy"
    for name in {"state", "user", "out"} - set(shared):
        shutil.copytree(tmp_path / name, copy / name)
    if "user" not in shared:
        (copy / "user" / "host").unlink()  # another user, or another machine, has an id of its own
    folders = {name: (tmp_path if name in shared else copy) / name for name in ("user", "out")}
    other = LedgerFile(
        copy / "state" / store.path.name,
        Places(store.places.tenant, folders["user"], folders["out"] / ".ledger"),
    )
    for number, used in enumerate([other, store, other, other, store], start=1):
        run_over(used, f"p{2 * number}", f"p{2 * number + 1}")
    run_over(other, "p20", "p21")
    assert read_tables(other)["person"]
    for used in (store, other):
        with hold_open(used, run="repair"):
            pass
    assert read_tables(store) == read_tables(other)
    for used in (store, other):
        require_whole(used)


@pytest.fixture
def copy(store, tmp_path) -> Callable[[], LedgerFile]:
    """Copy the ledger to another machine, which shares the folder of results alone."""

    def make() -> LedgerFile:
        shutil.copytree(tmp_path / "state", tmp_path / "machine" / "state")
        places = Places(store.places.tenant, tmp_path / "machine" / "user", store.places.share)
        return LedgerFile(tmp_path / "machine" / "state" / store.path.name, places)

    return make


@pytest.mark.parametrize("is_known", [False, True])
def test_of_two_machines_that_share_the_results_the_last_one_sends(
    store, copy, attempt, sealed, run_record, run_over, is_known
):
    """What is decided on the other one meanwhile stops nothing."""
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r1"))
    other = copy()
    if is_known:
        run_over(other, "p8", "p9")
    sent = attempt("p1")
    with hold_open(store) as ledger:
        with hold_open(other, run="resolve"):
            asyncio.run(open_attempt(ledger, sent))
        with hold_open(other) as theirs:
            for key in ("p2", "p3"):
                with pytest.raises(HoldLost, match="opened the ledger"):
                    asyncio.run(open_attempt(ledger, attempt(key)))
            with pytest.raises(LedgerConflict, match="open_attempt"):
                asyncio.run(open_attempt(theirs, attempt("p1")))
            asyncio.run(open_attempt(theirs, attempt("p2")))
            asyncio.run(record_verdict(ledger, sent, sealed("S1"), now=2.0))
    with hold_open(store) as ledger:
        people = ledger.snapshot().people
        assert people["p1"].seal.seal_id == "S1"
        assert [one.state for one in people["p2"].attempts] == ["not_executed", "open"]


def test_a_share_that_other_machines_use_and_that_is_not_mounted_stops_the_opening(
    store, copy, run_over, tmp_path
):
    """The folder is made by hand where it was really deleted; then it is filled again, and a reader is warned."""
    run_over(store, "p1", "p2")
    run_over(copy(), "p3", "p4")
    run_over(store, "p5", "p6")
    shared = next(store.places.share.iterdir())
    store.places.share.rename(tmp_path / "mounted elsewhere")
    for _ in range(2):
        with pytest.raises(LedgerError, match="Check that the share is mounted") as refused, hold_open(store):
            pass
        assert (refused.value.exit_code, str(shared) in str(refused.value)) == (74, True)
        assert not store.places.share.exists()
    shared.mkdir(parents=True)
    with hold_open(store) as ledger:
        assert ledger.repair.written_again == (shared,)
    require_whole(store)


def test_a_withdrawal_that_did_not_know_of_a_create_holds_the_person(
    store, attempt, sealed, run_record, tmp_path
):
    """The create left on the decision before that was withdrawn elsewhere: the former seal and the create contradict."""
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r1"))
        send(ledger, attempt("p1"), sealed("S1"))
        ledger.record_decision(decision("replace", "p1", detail="另一个章"))
    copy = tmp_path / "copy"
    for name in ("state", "user"):
        shutil.copytree(tmp_path / name, copy / name)
    (copy / "user" / "host").unlink()
    places = Places(store.places.tenant, copy / "user", copy / "out" / ".ledger")
    other = LedgerFile(copy / "state" / store.path.name, places)
    second = attempt("p1", seal_name="另一个章")
    with hold_open(store) as ledger:
        asyncio.run(open_attempt(ledger, second))
    with hold_open(other) as ledger:
        send(ledger, attempt("p2"), sealed("S2"))
        ledger.record_withdrawal(ledger.list_decisions()[0].id, now=9.0, who="it", why="")
    (file,) = other.places.share.rglob("*.jsonl")
    shutil.copyfile(file, next(store.places.share.iterdir()) / file.name)
    with hold_open(store) as ledger:
        assert ledger.repair.void == set()
        person = ledger.snapshot().people["p1"]
        assert {one.seal_id for one in person.live} == {"S1", None}
        assert person.is_contested
        ledger.record_decision(decision("not_created", "p1", attempt=second.uuid))
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1"
        with pytest.raises(LedgerConflict, match="live_seal"):
            send(ledger, attempt("p1"), None)
    require_whole(store)


def test_two_parted_histories_are_united_alike_and_what_contradicts_holds_its_persons(
    store, attempt, sealed, run_record, tmp_path
):
    """Two copies that share nothing each made a seal for p1; nothing is refused, and nothing more is sent for p1."""
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r1"))
    copy = tmp_path / "copy"
    for name in ("state", "user", "out"):
        shutil.copytree(tmp_path / name, copy / name)
    (copy / "user" / "host").unlink()
    places = Places(store.places.tenant, copy / "user", copy / "out" / ".ledger")
    other = LedgerFile(copy / "state" / store.path.name, places)
    for number, used in enumerate((store, other)):
        with hold_open(used) as ledger:
            send(ledger, attempt("p1"), sealed(f"S{number}"))
            send(ledger, attempt(f"q{number}"), sealed(f"T{number}"))
            ledger.record_decision(decision("keep", "p1", content=attempt("p1").content))
    for used, theirs in ((store, other), (other, store)):
        host = (theirs.places.state / "host").read_text()
        (file,) = theirs.places.share.rglob(f"{host}.jsonl")
        shutil.copyfile(file, used.places.share / file.parent.name / file.name)
        with hold_open(used) as ledger:
            person = ledger.snapshot().people["p1"]
            assert {one.seal_id for one in person.attempts} == {"S0", "S1"}
            assert (person.is_contested, person.seal_names_of_others) == (True, frozenset())
            assert ledger.list_seal_ids() == {"S0", "S1", "T0", "T1"}
            with pytest.raises(LedgerConflict, match=r"^(live_seal|open_attempt)$"):
                send(ledger, attempt("p1"), None)
            assert [one.has_effect for one in ledger.list_decisions()].count(False) == 2
    with hold_open(store):
        pass
    assert read_tables(store) == read_tables(other)
    for used in (store, other):
        require_whole(used)


def test_a_torn_tail_is_cut_by_the_opening(store, run_over):
    run_over(store, "p1", "p2")
    whole = read_files(store.places.state.parent)
    for file in store.places.list_files():
        with file.open("ab") as end:
            end.write(b"0123 garbage\n" + bytes(8))
    assert store.is_behind()
    with hold_open(store) as ledger:
        assert (ledger.repair.entered, ledger.repair.set_aside) == ((), ())
    for file in store.places.list_files():
        assert file.read_bytes() == whole[file]
    require_whole(store)


# -- files that do not prove themselves


def damage(file: Path) -> None:
    """Change a letter in the last line but two and cut the last one off, so that no mark stands."""
    *lines, edited, last, _ = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([*lines, edited.replace(b"p", b"q"), last]))


@pytest.mark.parametrize("part", ["user", "out"])
@pytest.mark.parametrize("is_put_back", [False, True])
def test_a_file_that_does_not_prove_itself_is_set_aside_where_ledger_and_other_place_do(
    store, run_over, tmp_path, part, is_put_back
):
    run_over(store, "p1", "p2")
    older = store.path.read_bytes()
    run_over(store, "p3", "p4")
    before = read_tables(store)
    if is_put_back:
        remove_ledger(store)
        store.path.write_bytes(older)
    (file,) = (tmp_path / part).rglob("*.jsonl")
    damage(file)
    damaged = file.read_bytes()
    with hold_open(store) as ledger:
        assert ledger.repair.set_aside == (file.with_name(f"{file.stem}.damaged-1"),)
        assert bool(ledger.repair.entered) == is_put_back
    assert file.with_name(f"{file.stem}.damaged-1").read_bytes() == damaged
    assert read_tables(store) == before
    require_whole(store)


@pytest.mark.parametrize(
    ("lost", "words"),
    [
        ("ledger", "The ledger is missing, and the program"),
        ("user", "Run on that host first"),  # this host has another id since
        ("out", "do not prove each other"),
    ],
)
def test_a_file_that_may_hold_what_nothing_else_does_is_not_set_aside(store, run_over, tmp_path, lost, words):
    run_over(store, "p1", "p2")
    part = "out" if lost == "user" else "user"
    (file,) = (tmp_path / part).rglob("*.jsonl")
    damage(file)
    if lost == "ledger":
        remove_ledger(store)
    else:
        shutil.rmtree(tmp_path / lost)
    damaged = file.read_bytes()
    with pytest.raises(LedgerError, match=words) as refused, hold_open(store):
        pass
    assert refused.value.exit_code == 74
    assert str(file) in str(refused.value)
    assert file.read_bytes() == damaged
    file.unlink()  # the way out that is named: what the other file or the ledger holds counts
    run_over(store, "p3", "p4")
    assert {row[0] for row in read_tables(store)["person"]} >= {"p1", "p3", "p4"}
    require_whole(store)


@pytest.fixture
def other_host(store, run_over, tmp_path) -> LedgerFile:
    """A copy of the folder with a state folder of its own, which shares the folder of results; both have run since."""
    run_over(store, "p1", "p2")
    shutil.copytree(tmp_path / "state", tmp_path / "copy" / "state")
    shutil.copytree(tmp_path / "user", tmp_path / "copy" / "user")
    (tmp_path / "copy" / "user" / "host").unlink()
    places = Places(store.places.tenant, tmp_path / "copy" / "user", store.places.share)
    other = LedgerFile(tmp_path / "copy" / "state" / store.path.name, places)
    run_over(other, "p3", "p4")
    run_over(store, "p5", "p6")
    return other


def get_file_of(host: LedgerFile) -> Path:
    """Return the file of a host in the shared place."""
    (file,) = host.places.share.rglob(f"{(host.places.state / 'host').read_text()}.jsonl")
    return file


@pytest.mark.parametrize("is_ledger_lost", [False, True])
def test_the_file_of_another_host_is_not_set_aside_while_it_may_hold_what_nothing_else_does(
    store, run_over, other_host, is_ledger_lost
):
    run_over(other_host, "p7", "p8")
    file = get_file_of(other_host)
    damage(file)
    damaged = file.read_bytes()
    if is_ledger_lost:
        remove_ledger(store)
    words = "nothing was sent from the other host" if is_ledger_lost else "Run on that host first"
    with pytest.raises(LedgerError, match=words) as refused, hold_open(store):
        pass
    assert refused.value.exit_code == 74
    assert file.read_bytes() == damaged
    if is_ledger_lost:
        assert str(next(store.places.state.rglob("*.jsonl"))) in str(refused.value)
    run_over(other_host, "p9", "p10")  # the way out that is named
    run_over(store, "p11", "p12")
    assert {row[0] for row in read_tables(store)["person"]} == {f"p{number}" for number in range(1, 13)}
    require_whole(store)


def test_the_file_of_another_host_is_set_aside_where_the_ledger_has_entered_all_of_it(
    store, run_over, other_host
):
    file = get_file_of(other_host)
    damage(file)
    damaged = file.read_bytes()
    before = read_tables(store)
    with hold_open(store) as ledger:
        assert ledger.repair.set_aside == (file.with_name(f"{file.stem}.damaged-1"),)
        assert ledger.repair.set_aside[0].read_bytes() == damaged
    assert read_tables(store)["attempt"] == before["attempt"]


def test_the_file_of_another_tenant_is_set_aside_and_nothing_of_it_entered(
    store, run_over, make_store, tmp_path
):
    run_over(store, "p1", "p2")
    other = make_store("sandbox/other/org", tmp_path / "other" / "ledger.sqlite3")
    key_path(other.path).parent.mkdir()
    shutil.copyfile(key_path(store.path), key_path(other.path))
    run_over(other, "q1", "q2")
    _, file = store.places.list_files()
    _, theirs = other.places.list_files()
    before = read_tables(store)
    shutil.copyfile(theirs, file)
    with hold_open(store) as ledger:
        assert len(ledger.repair.set_aside) == 1
    assert read_tables(store) == before
    require_whole(store)


@pytest.mark.parametrize("is_agreed", [True, False])
def test_a_damaged_ledger_is_made_again_where_both_journals_hold_the_same(
    store, run_over, tmp_path, is_agreed
):
    run_over(store, "p1", "p2")
    before = read_tables(store)
    store.path.write_bytes(store.path.read_bytes()[:4096] + b"\xff" * 8192)
    damaged = store.path.read_bytes()
    if is_agreed:
        with hold_open(store) as ledger:
            assert ledger.repair.entered
        assert read_tables(store) == before
        require_whole(store)
        assert store.path.with_name(f"{store.path.name}.damaged-1").read_bytes() == damaged
        return
    (file,) = (tmp_path / "out").rglob("*.jsonl")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with pytest.raises(LedgerError, match="ledger restore"), hold_open(store):
        pass
    assert store.path.read_bytes() == damaged


# -- keys


@pytest.mark.parametrize("is_lost", [False, True])
def test_a_key_that_lies_no_more_with_the_ledger_is_taken_from_the_state_folder(store, run_over, is_lost):
    run_over(store, "p1", "p2")
    before, secret = read_tables(store), key_path(store.path).read_bytes()
    key_path(store.path).unlink()
    if is_lost:
        shutil.rmtree(store.path.parent)
    with hold_open(store):
        pass
    assert key_path(store.path).read_bytes() == secret
    assert read_tables(store) == before


KEYS = {  # of the ledger, of the state folder: the right one, none, another one
    "none": (None, None),
    "another next to the ledger": (bytes(32), None),
    "another in the state folder": (None, bytes(32)),
    "two others": (bytes(32), bytes(31) + b"x"),
}


@pytest.mark.parametrize("keys", KEYS)
@pytest.mark.parametrize("is_lost", [False, True])
def test_without_the_key_that_wrote_it_nothing_is_opened_and_nothing_made(
    store, run_over, tmp_path, keys, is_lost
):
    run_over(store, "p1", "p2")
    before, secret = read_tables(store), key_path(store.path).read_bytes()
    files = (key_path(store.path), store.places.key_copy)
    for file, content in zip(files, KEYS[keys], strict=True):
        file.unlink()
        if content is not None:
            file.write_bytes(content)
    if is_lost:
        remove_ledger(store)
    there = read_files(tmp_path)
    with pytest.raises(LedgerError) as refused, hold_open(store):
        pass
    assert refused.value.exit_code == 74
    assert read_files(tmp_path) == there
    for file in files:
        file.unlink(missing_ok=True)
    key_path(store.path).write_bytes(secret)  # the way back that is named
    with hold_open(store):
        pass
    assert read_tables(store) == before


@pytest.mark.parametrize("wrong", [bytes(32), b"", b"short"])
@pytest.mark.parametrize("spoiled", ["next to the ledger", "in the state folder"])
@pytest.mark.parametrize("is_lost", [False, True])
def test_the_key_that_fits_is_put_in_the_place_of_a_wrong_one(store, run_over, spoiled, wrong, is_lost):
    run_over(store, "p1", "p2")
    before, secret = read_tables(store), key_path(store.path).read_bytes()
    files = [key_path(store.path), store.places.key_copy]
    file = files[0] if spoiled == "next to the ledger" else files[1]
    file.write_bytes(wrong)
    former = file.with_name(f"{file.name}.damaged-1")
    former.write_bytes(b"an earlier one")
    if is_lost:
        if len(wrong) == len(secret):
            return  # which of two whole keys it is the ledger tells
        remove_ledger(store)
    else:
        assert read_tables(store) == before, "a reader changes nothing"
        assert file.read_bytes() == wrong
    warned = Warnings()
    assert repair_ledger(store, ManualClock(), warned)
    kept = file.with_name(f"{file.name}.damaged-2")
    assert [text for text in warned if str(kept) in text and "right key was put in its place" in text]
    assert [one.read_bytes() for one in (*files, former, kept)] == [secret, secret, b"an earlier one", wrong]
    assert read_tables(store) == before
    warned.clear()
    assert repair_ledger(store, ManualClock(), warned)
    assert warned == []


def test_a_lost_ledger_with_two_keys_is_not_guessed_at(store, run_over):
    run_over(store, "p1", "p2")
    remove_ledger(store)
    key_path(store.path).write_bytes(bytes(32))
    with pytest.raises(LedgerError, match="not the one"), hold_open(store):
        pass
    assert not store.path.exists()


# -- events of a newer program


@pytest.mark.parametrize("is_lost", [False, True])
def test_an_operation_that_is_not_known_is_never_passed_over(store, run_over, is_lost):
    run_over(store, "p1", "p2")
    site_key = SiteKey(key_path(store.path).read_bytes(), store.places.tenant)
    for path in store.places.list_files():
        file = JournalFile(path, site_key)
        last = file.read(None).events[-1]
        file.append([Event.make(last.n + 1, "newer", {"person": "p3"})])
    if is_lost:
        remove_ledger(store)
    for _ in range(2):
        with pytest.raises(LedgerError, match=r"does not know \(newer\)") as refused, hold_open(store):
            pass
        assert refused.value.exit_code == 74
        assert store.is_behind()


# -- places that cannot be written


@pytest.mark.parametrize("part", ["user", "out"])
@pytest.mark.parametrize("is_new", [False, True])
def test_a_place_that_cannot_be_written_is_named_at_the_opening(store, run_over, tmp_path, part, is_new):
    if not is_new:
        run_over(store, "p1", "p2")
        shutil.rmtree(tmp_path / part)
    (tmp_path / part).write_text("a file, not a folder")
    with pytest.raises(EsignImportError) as refused, hold_open(store):
        pass
    assert refused.value.exit_code == 74
    assert str(tmp_path / part) in str(refused.value)


@pytest.mark.parametrize("part", ["user", "out"])
def test_a_place_that_is_full_at_the_opening_is_refused_as_well(store, run_over, tmp_path, part):
    run_over(store, "p1", "p2")
    (file,) = (tmp_path / part).rglob("*.jsonl")
    file.write_bytes(b"".join(file.read_bytes().splitlines(keepends=True)[:-1]))
    with full_disk("journal: before the fsync"), pytest.raises(LedgerError) as refused, hold_open(store):
        pass
    assert refused.value.exit_code == 74
    with hold_open(store):
        pass
    require_whole(store)


@contextmanager
def full_disk(point: str, *, times: int = 1) -> Iterator[None]:
    """Refuse some writes at a failpoint."""
    remaining = [times]

    def act(name: str) -> None:
        if name == point and remaining[0]:
            remaining[0] -= 1
            raise OSError(errno.ENOSPC, "no space")

    enable_failpoint(act)
    try:
        yield
    finally:
        enable_failpoint(None)


@pytest.mark.parametrize("lost", [("user",), ("out",), ("user", "out")])
def test_in_a_run_a_lost_place_stops_before_the_next_create_and_answers_go_to_what_is_left(
    store, attempt, sealed, run_record, tmp_path, lost
):
    first = attempt("p1")
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r1"))
        asyncio.run(open_attempt(ledger, first))
        for part in lost:
            for file in (tmp_path / part).rglob("*.jsonl"):
                file.unlink()
        for _ in range(2):
            with pytest.raises(LedgerError) as refused:
                asyncio.run(open_attempt(ledger, attempt("p2")))
            assert refused.value.exit_code == 74
        assert str(tmp_path / lost[0]) in str(refused.value)
        asyncio.run(record_verdict(ledger, first, sealed("S1"), now=2.0))
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1"
        with pytest.raises(LedgerError):
            ledger.begin_run(run_record("r2"))
    with hold_open(store) as ledger:
        people = ledger.snapshot().people
        assert people["p1"].seal.seal_id == "S1"
        assert "p2" not in people or [one.state for one in people["p2"].attempts] == ["not_executed"]
    require_whole(store)


def test_an_answer_that_the_ledger_does_not_take_any_more_stands_in_the_journals(
    store, attempt, sealed, run_record, monkeypatch
):
    def refuse(_connection) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    first = attempt("p1")
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r1"))
        asyncio.run(open_attempt(ledger, first))
        monkeypatch.setattr(ledger._writer, "_commit", refuse)
        asyncio.run(record_verdict(ledger, first, sealed("S1"), now=2.0))
        assert ledger.snapshot().people["p1"].seal is None
    with hold_open(store) as ledger:
        assert ledger.snapshot().people["p1"].seal.seal_id == "S1"
    require_whole(store)


PICTURE = PictureDecision("given", "p1", "n" * 32, "a" * 64)
DECISIONS = {
    "replace": lambda ledger: ledger.record_decision(decision("replace", "p1", detail="另一个章")),
    "same person": lambda ledger: ledger.record_decision(decision("same_person", "p1", detail="p9")),
    "withdraw": lambda ledger: ledger.record_withdrawal(
        ledger.list_decisions()[0].id, now=9.0, who="it", why=""
    ),
    "adopt": lambda ledger: ledger.record_adopted_seals(
        [replace(SEALS[1], key="p3", name="张名")], now=9.0, who="it", why=""
    ),
    "judge a picture": lambda ledger: ledger.record_judgement(
        replace(PICTURE, decided="wrong"), now=9.0, who="it", why=""
    ),
    "give a picture": lambda ledger: ledger.record_given_picture(PICTURE, now=9.0, who="it", why=""),
    "no longer give it": lambda ledger: ledger.record_withdrawn_picture(
        replace(PICTURE, picture="b" * 64), now=9.0, who="it", why=""
    ),
}


@pytest.fixture
def used(store, attempt, sealed, run_record) -> LedgerFile:
    """A ledger with a seal, a decision on it and a given picture."""
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r1"))
        one = attempt("p1")
        send(ledger, one, sealed("S1"))
        ledger.record_decision(decision("keep", "p1", content=one.content))
        ledger.record_given_picture(replace(PICTURE, picture="b" * 64), now=9.0, who="it", why="")
    return store


def test_a_create_whose_commit_was_refused_is_closed_in_the_journals(used, attempt):
    with hold_open(used) as ledger, full_disk("ledger: before the commit"), pytest.raises(LedgerError):
        asyncio.run(open_attempt(ledger, attempt("p2")))
    with hold_open(used) as ledger:
        assert [one.state for one in ledger.snapshot().people["p2"].attempts] == ["not_executed"]
    require_whole(used)


@pytest.mark.parametrize("is_lost", [False, True])
@pytest.mark.parametrize("kind", DECISIONS)
def test_a_decision_whose_commit_was_refused_never_counts(used, kind, is_lost, tmp_path):
    """It was reported as not recorded. It can be made once more, and then it counts."""
    with hold_open(used) as ledger:
        before = ledger.read(dump_tables)
        with full_disk("ledger: before the commit"), pytest.raises(LedgerError, match="full"):
            DECISIONS[kind](ledger)
    if is_lost:
        remove_ledger(used)
    with hold_open(used) as ledger:
        assert ledger.read(dump_tables) == before
        DECISIONS[kind](ledger)
        assert ledger.read(dump_tables) != before
    require_whole(used)


@pytest.mark.parametrize("part", ["user", "out"])
def test_a_refused_decision_that_a_place_still_holds_is_not_called_unrecorded(used, part, tmp_path):
    def fail(name: str) -> None:
        if name == "ledger: before the commit":
            for file in (tmp_path / part).rglob("*.jsonl"):
                file.rename(file.with_suffix(".away"))  # its line is durable; what is appended now is not
            raise OSError(errno.ENOSPC, "no space")

    enable_failpoint(fail)
    try:
        with hold_open(used) as ledger, pytest.raises(LedgerError, match="may be recorded") as refused:
            DECISIONS["replace"](ledger)
    finally:
        enable_failpoint(None)
    assert str(tmp_path / part) in str(refused.value)


# -- the order of a write


def test_every_write_is_proven_then_flushed_in_both_places_then_committed(
    store, attempt, sealed, run_record, seen, monkeypatch, tmp_path
):
    steps: list[str] = []
    sync = os.fsync

    def spy(descriptor: int) -> None:
        sync(descriptor)
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        steps.append(target.relative_to(tmp_path).parts[0])

    with hold_open(store) as ledger:
        monkeypatch.setattr("pipeline.ledger.journal.os.fsync", spy)
        ledger._writer._connection.set_trace_callback(
            lambda statement: steps.append(statement) if statement in {"BEGIN IMMEDIATE", "COMMIT"} else None
        )
        require = ledger._writer._require_hold
        ledger._writer._require_hold = lambda: (require(), steps.append("proven"))
        first = attempt("p1")
        writes = [
            lambda: ledger.begin_run(run_record("r1")),
            lambda: asyncio.run(open_attempt(ledger, first)),
            lambda: asyncio.run(record_verdict(ledger, first, sealed("S1"), now=2.0)),
            lambda: ledger.record_decision(decision("replace", "p1", detail="p1新章")),
            lambda: ledger.record_withdrawal(ledger.list_decisions()[0].id, now=3.0, who="it", why=""),
            lambda: ledger.record_adopted_seals(SEALS[1:], now=3.0, who="it", why=""),
            lambda: ledger.record_judgement(
                PictureDecision("right", "k", "n", "a" * 64), now=1.0, who="me", why=""
            ),
            lambda: ledger.record_bearers([Bearer("p1", "n", picture="a" * 64)]),
            lambda: ledger.record_pixels({"a" * 64: "b" * 64}),
            lambda: ledger.record_rows("r1", [seen("a", "ready")]),
            lambda: ledger.finish_run("r1", exit=0, finished=5.0, record="{}"),
        ]
        for write in writes:
            steps.clear()
            write()
            assert steps == ["BEGIN IMMEDIATE", "proven", "user", "out", "COMMIT"]


# -- readers


class Warnings(list):
    """The warnings of a reader."""

    def print_warning(self, error: EsignImportError) -> None:
        """Keep it."""
        self.append(str(error))


@pytest.mark.parametrize("is_held", [False, True])
@pytest.mark.parametrize("loss", ["removed", "put back"])
def test_a_reader_is_not_shown_a_ledger_that_is_behind_its_journals(
    store, run_over, make_store, loss, is_held
):
    run_over(store, "p1", "p2")
    older = store.path.read_bytes()
    run_over(store, "p3", "p4")
    before = read_tables(store)
    assert not store.is_behind()
    remove_ledger(store)
    if loss == "put back":
        store.path.write_bytes(older)
    assert store.is_behind()
    if is_held:
        with make_store().hold.acquire(run="r", now=NOW):
            warned = Warnings()
            if loss == "removed":
                with pytest.raises(Locked):
                    repair_if_behind(store, ManualClock(), warned)
                return
            assert not repair_if_behind(store, ManualClock(), warned)
            assert store.is_behind(), "the holder repairs it"
            assert [text for text in warned if "may not be the latest" in text] == warned != []
        return
    warned = Warnings()
    repair_if_behind(store, ManualClock(), warned)
    assert not store.is_behind()
    assert read_tables(store) == before
    assert [text for text in warned if "were entered from its journals" in text] == warned != []
    repair_if_behind(store, ManualClock(), warned)
    assert len(warned) == 1


def test_what_a_check_has_left_is_no_lack_while_a_run_holds_the_ledger(store, run_over, make_store):
    run_over(store, "p1")
    with closing(store.open_for_reading()) as ledger:
        store.places.leave_events(ledger.site_key, ledger.make_bearer_events([Bearer("p2", "name")]))
    assert store.is_behind()
    warned = Warnings()
    with make_store().hold.acquire(run="r", now=NOW):
        assert repair_if_behind(store, ManualClock(), warned)
    assert warned == []


def test_a_reader_says_so_where_the_ledger_cannot_be_repaired(store, run_over, tmp_path):
    run_over(store, "p1", "p2")
    older = store.path.read_bytes()
    run_over(store, "p3", "p4")
    remove_ledger(store)
    store.path.write_bytes(older)
    key_path(store.path).write_bytes(bytes(32))
    store.places.key_copy.unlink()
    warned = Warnings()
    repair_if_behind(store, ManualClock(), warned)
    assert "may not be the latest" in warned[-1]


@pytest.mark.parametrize("part", ["user", "out"])
def test_a_journal_that_another_process_writes_is_named_as_that(
    store, run_over, attempt, run_record, tmp_path, part
):
    run_over(store, "p1", "p2")
    (file,) = (tmp_path / part).rglob("*.jsonl")
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r2"))
        with file.open("ab") as end:
            end.write(b"a line of a cloned machine")
        with pytest.raises(LedgerError, match="Another process writes the journal") as refused:
            send(ledger, attempt("p3", run="r2"), None)
        assert str(file) in str(refused.value)
