"""After a purge a person's name stands in no file of the ledger, whatever is killed or put back."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from ledger_support import (
    SEALS,
    decision,
    hold_open,
    open_attempt,
    record_verdict,
    remove_ledger,
    require_whole,
    send,
)

from pipeline.domain.seals import Bearer, PictureDecision
from pipeline.ledger.places import Places
from pipeline.ledger.purge import PURGE, PersonTraces, build_purge_args
from pipeline.ledger.sqlite_ledger import LedgerFile
from pipeline.support.failpoints import enable_failpoint

NAME = "欧阳无忌"


@pytest.fixture
def known(store, attempt, sealed, run_record) -> Callable[[], PersonTraces]:
    """A ledger that knows a person's name from everything in which a name may stand."""

    sent = attempt("p9", seal_name=f"{NAME}章")
    sent = replace(sent, content=replace(sent.content, name=NAME))
    with hold_open(store) as ledger:
        ledger.begin_run(run_record("r1"))
        asyncio.run(open_attempt(ledger, sent, name=NAME))
        asyncio.run(record_verdict(ledger, sent, replace(sealed("S-p9"), message=NAME), now=2.0))
        kept = ledger.snapshot().people["p9"].seal.content
        ledger.record_decision(decision("keep", "p9", content=replace(kept, picture="c" * 64)))
        ledger.record_decision(decision("replace", "p9", detail=f"{NAME}新章"))
        ledger.record_decision(decision("other_person", "p9", detail="p8"))
        ledger.record_withdrawal(ledger.list_decisions()[-1].id, now=3.0, who="it", why=NAME)
        seal = replace(SEALS[0], key="p7", seal_id="S-p7", name=NAME, seal_name=f"{NAME}三章")
        ledger.record_adopted_seals([seal], now=4.0, who="it", why=NAME)
        ledger.record_judgement(
            PictureDecision("right", "p9", "n", "a" * 64, shown_name=NAME), now=1.0, who="me", why=NAME
        )
        ledger.record_bearers([Bearer("p9", "n", shown_name=NAME, position=NAME)])
        send(ledger, attempt("p1"), sealed("S1"))
    return lambda: PersonTraces(frozenset({"p9", "p7"}), frozenset(), frozenset({NAME}))


def list_named(folder: Path) -> list[str]:
    """Return the files in which the name stands, in any writing."""
    spellings = (NAME.encode(), NAME.encode("unicode_escape"))
    files = [path for path in folder.rglob("*") if path.is_file()]
    return sorted(str(path) for path in files if any(one in path.read_bytes() for one in spellings))


def require_purged(store: LedgerFile, folder: Path) -> None:
    """Check that the name is gone, and what prevents a second seal is there."""
    assert list_named(folder) == []
    require_whole(store)
    with closing(store.open_for_reading()) as ledger:
        people = ledger.snapshot().people
        assert ledger.list_seal_ids() == {"S-p9", "S-p7", "S1"}
        assert (people["p7"].seal.seal_id, people["p1"].seal.seal_id) == ("S-p7", "S1")
        assert people["p9"].is_seal_name_locked
        assert people["p1"].name == "王小明"
        assert [one.kind for one in ledger.list_decisions(["p9"])].count(PURGE) == 1


def test_a_purge_leaves_the_name_in_no_file(store, known, tmp_path):
    assert len(list_named(tmp_path)) == 3, "the ledger and both journals"
    with hold_open(store) as ledger:
        ledger.purge_person(known(), now=9.0, who="it")
    require_purged(store, tmp_path)
    with hold_open(store) as ledger:
        ledger.record_decision(decision("other_person", "p9", detail="p6"))
        ledger.record_withdrawal(ledger.list_decisions()[-1].id, now=3.0, who="it", why="")
    require_purged(store, tmp_path)


PUT_BACK = (("ledger",), ("user",), ("out",), ("ledger", "user"), ("ledger", "out"), ("user", "out"))


@pytest.mark.parametrize("parts", PUT_BACK, ids="-".join)
def test_what_was_put_back_from_before_a_purge_is_blanked_again(store, known, tmp_path, parts):
    traces = known()
    kept = tmp_path.parent / f"{tmp_path.name}-before"
    shutil.copytree(tmp_path, kept)
    with hold_open(store) as ledger:
        ledger.purge_person(traces, now=9.0, who="it")
    for part in parts:
        if part == "ledger":
            remove_ledger(store)
            shutil.copyfile(kept / "state" / store.path.name, store.path)
        else:
            shutil.rmtree(tmp_path / part)
            shutil.copytree(kept / part, tmp_path / part)
    assert list_named(tmp_path)
    assert store.is_behind(), "a reader is not shown it"
    with hold_open(store):
        pass
    require_purged(store, tmp_path)


def test_a_purge_that_was_only_entered_is_carried_out_by_the_next_opening(store, known, tmp_path):
    traces = known()
    with hold_open(store) as ledger:
        ledger.write([(PURGE, build_purge_args(traces, now=9.0, who="it"))])
    assert list_named(tmp_path)
    with hold_open(store):
        pass
    require_purged(store, tmp_path)


def kill_at(number: int, act: Callable[[], None]) -> bool:
    """Do something in a process that is killed at the nth failpoint; return whether it came so far."""
    child = os.fork()
    if child == 0:
        passes = iter(range(1, number + 1))

        def kill(_name: str) -> None:
            if next(passes) == number:
                os.kill(os.getpid(), signal.SIGKILL)

        enable_failpoint(kill)
        act()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return os.WIFSIGNALED(status)


def test_a_purge_that_was_killed_anywhere_is_finished_by_the_next_opening(store, known, tmp_path):
    traces = known()
    kept = tmp_path.parent / f"{tmp_path.name}-before"
    shutil.copytree(tmp_path, kept)

    def purge() -> None:
        with hold_open(store) as ledger:
            ledger.purge_person(traces, now=9.0, who="it")

    number = 1
    while kill_at(number, purge):
        number += 1
        with hold_open(store) as ledger:
            if not ledger.list_decisions(["p7"]) or ledger.list_decisions(["p9"])[-1].kind != PURGE:
                ledger.purge_person(traces, now=9.0, who="it")  # it was killed before it was entered
        require_purged(store, tmp_path)
        shutil.rmtree(tmp_path)
        shutil.copytree(kept, tmp_path)
    assert number > 8


def test_a_purge_reaches_the_files_of_other_hosts(store, known, tmp_path):
    """Another host's file in the shared place is removed, and its own state folder blanked when it opens the ledger."""
    traces = known()
    other = LedgerFile(store.path, Places(store.places.tenant, tmp_path / "other user", store.places.share))
    with hold_open(other):
        pass
    assert len(list_named(tmp_path)) == 5
    with hold_open(store) as ledger:
        ledger.purge_person(traces, now=9.0, who="it")
    assert list_named(tmp_path) == [str(next((tmp_path / "other user").rglob("*.jsonl")))]
    with hold_open(other):
        pass
    require_purged(other, tmp_path)
    with hold_open(store):
        pass
    require_purged(store, tmp_path)


def test_a_purge_removes_no_file_that_another_host_went_on_with(store, known, tmp_path):
    traces = known()
    shutil.copytree(tmp_path / "state", tmp_path / "copy" / "state")
    places = Places(store.places.tenant, tmp_path / "copy" / "user", store.places.share)
    other = LedgerFile(tmp_path / "copy" / "state" / store.path.name, places)
    with hold_open(other):
        pass
    with hold_open(store) as ledger:
        with hold_open(other, run="resolve") as theirs:
            seal = replace(SEALS[0], key="p20", seal_id="S20")
            theirs.record_adopted_seals([seal], now=4.0, who="it", why="")
        ledger.purge_person(traces, now=9.0, who="it")
    shutil.rmtree(tmp_path / "copy")  # the shared place alone holds it
    with hold_open(store) as ledger:
        assert "S20" in ledger.list_seal_ids()
    assert list_named(tmp_path) == []
    require_whole(store)


@pytest.mark.parametrize("part", ["user", "out"])
def test_what_a_killed_purge_was_writing_does_not_stay(store, known, tmp_path, part):
    traces = known()
    (file,) = (tmp_path / part).rglob("*.jsonl")
    shutil.copyfile(file, file.with_suffix(".draft"))
    with hold_open(store) as ledger:
        ledger.purge_person(traces, now=9.0, who="it")
    require_purged(store, tmp_path)
    shutil.copyfile(file, file.with_suffix(".draft"))
    with hold_open(store):
        pass
    assert not file.with_suffix(".draft").exists()
