"""Opens a ledger for writing: it is repaired by the journals, and they get what they lack."""

from __future__ import annotations

import json
import socket
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.clock import shown, stamp
from pipeline.domain.site_key import SiteKey
from pipeline.errors import HoldLost, LedgerError
from pipeline.ledger.disk import explain_error
from pipeline.ledger.events import Event
from pipeline.ledger.journal import (
    SUFFIX,
    JournalDamaged,
    JournalFile,
    JournalOfOtherKey,
    JournalReading,
    LastLine,
    ends_at,
    get_tenant_folder,
)
from pipeline.ledger.operations import (
    OPENED,
    UNDO,
    UnknownOperation,
    list_persons,
    make_tables_anew,
    read_events,
    replay,
)
from pipeline.ledger.purge import PURGE, blank_earlier_events
from pipeline.ledger.tables import Connection, compute_next, insert_row
from pipeline.messages.catalogue import make_message

STATE, OUT = "state", "out"  # names of the places
LEFT = "left-"  # begins the name of a file in the state folder whose events the next opening enters


class PlaceGone(Exception):
    """The folder in which other hosts wrote their journals is not there; its text is the folder's path."""


class JournalUnproven(Exception):
    """A file does not prove itself, and nothing else proves what it held; its text is the file's path."""

    def __init__(self, file: Path, *, whole: Path | None, is_own: bool, is_ledger_new: bool) -> None:
        super().__init__(file)
        self.file = file
        self.whole = whole  # this host's file in another place, where that proves itself
        self.is_own = is_own  # this host wrote it
        self.is_ledger_new = is_ledger_new  # the ledger was missing

    def explain(self, ledger: object) -> LedgerError:
        """Return the error with the way out."""
        if not self.is_ledger_new:
            key = "ledger.journal_unproven" if self.is_own else "ledger.journal_unproven.of_other_host"
            return LedgerError(key, file=self.file, path=ledger)
        if self.whole is None:
            return LedgerError("ledger.journal_unproven.alone", file=self.file)
        condition = "" if self.is_own else make_message("ledger.journal_unproven.nothing_sent")
        return LedgerError(
            "ledger.journal_unproven.lost", file=self.file, whole=self.whole, condition=condition
        )


@dataclass(frozen=True, slots=True)
class Repair:
    """What an opening entered from the journals, but for what checks have left and for openings of other hosts."""

    entered: Sequence[Event] = ()
    void: Collection[str] = ()  # ids of the decisions that no longer fit
    is_made_anew: bool = False
    set_aside: Sequence[Path] = ()  # files that did not prove themselves
    written_again: Sequence[Path] = ()  # folders in which the own file was, and was no more
    damaged_ledger: Path | None = None  # where a damaged database is kept, in whose place a new one was made


@dataclass(slots=True)
class Journals:
    """The two places of a ledger's journal; this host writes its own file in each, and reads those of all hosts."""

    places: Mapping[str, Path]  # name -> folder
    host: str
    site_key: SiteKey
    own: dict[str, JournalFile] = field(default_factory=dict)
    opened: Event | None = None  # by which this hold is known to other hosts; None: there were none
    # how far the files in ``out`` were read, by host
    read_to: dict[str, LastLine] = field(default_factory=dict)

    def list_files(self, place_name: str) -> list[JournalFile]:
        """Return the files of all hosts in a place; raises OSError where it cannot be read."""
        folder = get_tenant_folder(self.places[place_name], self.site_key.tenant)
        if not folder.exists():
            return []
        return [JournalFile(path, self.site_key) for path in sorted(folder.glob(f"*{SUFFIX}"))]

    def has_other_hosts(self) -> bool:
        """Return whether another host has written to the shared place; raises OSError where it cannot be read."""
        return any(file.path.stem != self.host for file in self.list_files(OUT))

    def make_own_file(self, place_name: str) -> JournalFile:
        """Return this host's file in a place, which is not made yet."""
        folder = get_tenant_folder(self.places[place_name], self.site_key.tenant)
        return JournalFile(folder / f"{self.host}{SUFFIX}", self.site_key)

    def append(self, events: Sequence[Event]) -> tuple[dict[str, LastLine], OSError | None]:
        """Append events to the own file in each place; return the last lines of those that took them, and the first refusal."""
        last_lines: dict[str, LastLine] = {}
        refusal: OSError | None = None
        for place_name, file in self.own.items():
            try:
                last_lines[place_name] = file.append(events)
            except OSError as error:
                refusal = refusal or error
        return last_lines, refusal

    def require_last_opening(self) -> None:
        """Raise HoldLost where another host has opened the ledger since.

        Both of two servers answer after a fail-over; two copies of a folder share the place of the results alone. Raises
        OSError where a file of another host cannot be read.
        """
        for file in self.list_files(OUT):
            if file.path.stem != self.host:
                try:
                    reading = file.read(self.read_to.get(file.path.stem))
                except (JournalDamaged, JournalOfOtherKey) as error:
                    raise OSError(f"{file.path}: {error}") from error
                self.read_to[file.path.stem] = reading.last_line
                _require_older(reading.events, self.opened)


def enter_shared_journals(connection: Connection, journals: Journals, now: float) -> Repair:
    """Enter the journals of a ledger on a server as `enter_journals` does, and make this opening known to other hosts."""
    return _make_opening_known(connection, journals, now, enter_journals(connection, journals))


def enter_file_journals(
    connection: Connection, journals: Journals, now: float, *, may_send: bool = True
) -> Repair:
    """Enter the journals of a ledger in a file as `enter_journals` does.

    Where other hosts have written to the shared place, an opening that may send is made known to them: they use copies of
    the file.
    """
    repair = enter_journals(connection, journals)
    # the own file was made before this is asked: at least one of two that open at once sees the other
    if may_send and journals.has_other_hosts():
        return _make_opening_known(connection, journals, now, repair)
    journals.read_to = _read_shared_last_lines(connection)
    return repair


def _make_opening_known(connection: Connection, journals: Journals, now: float, repair: Repair) -> Repair:
    """Write that this host has opened the ledger, and read the journals once more.

    What a former holder writes from then on it does not send.
    """
    journals.read_to = _read_shared_last_lines(connection)
    args = {"host": socket.gethostname(), "at": now}
    journals.opened = Event.make(compute_next(connection, "event", "n"), OPENED, args)
    append_events(connection, [journals.opened])
    last_lines, refusal = journals.append([journals.opened])
    if refusal is not None:
        raise refusal
    note_last_lines(connection, journals.host, last_lines)
    later = enter_journals(connection, journals)
    journals.require_last_opening()
    return Repair(
        entered=(*repair.entered, *later.entered),
        void={*repair.void, *later.void},
        is_made_anew=repair.is_made_anew or later.is_made_anew,
        set_aside=(*repair.set_aside, *later.set_aside),
        written_again=repair.written_again,
    )


@contextmanager
def explain_journals(ledger: object) -> Iterator[None]:
    """Raise LedgerError for a place that cannot be used, and for what its journals hold and this opening cannot enter."""
    try:
        yield
    except JournalOfOtherKey as error:
        raise LedgerError("ledger.journal_other_key", file=str(error), path=ledger) from error
    except JournalUnproven as error:
        raise error.explain(ledger) from error
    except PlaceGone as error:
        raise LedgerError("ledger.place_gone", folder=str(error)) from error
    except OSError as error:
        raise explain_error("ledger.place_refused", Path(str(error.filename or ledger)), error) from error
    except UnknownOperation as error:
        raise LedgerError("ledger.unknown_event", name=str(error), path=ledger) from error


def _require_older(events: Sequence[Event], opened: Event | None) -> None:
    """Raise HoldLost where one of these events is an opening that came after this one; None: where any of them is one."""
    for event in events:
        if event.op == OPENED and (opened is None or event > opened):
            since = shown(stamp(event.args["at"]))
            raise HoldLost("ledger.opened_elsewhere", host=event.args["host"], since=since)


def enter_journals(connection: Connection, journals: Journals) -> Repair:
    """Enter what the ledger lacks, and write what the own files lack; ``connection`` is in a transaction.

    Raises OSError where a place cannot be read or written, JournalOfOtherKey, UnknownOperation, JournalUnproven, PlaceGone.
    """
    last_lines = _read_last_lines(connection)
    written_again = _list_lost_folders(journals, last_lines)
    readings: dict[tuple[str, str], tuple[JournalFile, JournalReading]] = {}
    damaged: list[tuple[str, JournalFile]] = []
    for place_name in journals.places:
        for file in journals.list_files(place_name):
            try:
                reading = file.read(last_lines.get((place_name, file.path.stem)))
            except JournalDamaged:
                damaged.append((place_name, file))
                continue
            readings[place_name, file.path.stem] = file, reading
            _note_last_line(connection, place_name, file.path.stem, reading.last_line)
    set_aside = [
        _set_aside_damaged(place_name, file, journals, readings, last_lines) for place_name, file in damaged
    ]
    by_id = {event.id: event for _, reading in readings.values() for event in reading.events}
    left_by_checks = {
        event.id
        for (_, host), (_, reading) in readings.items()
        if host.startswith(LEFT)
        for event in reading.events
    }
    repair = _enter_missing(connection, list(by_id.values()), journals.site_key)
    entered = tuple(
        event for event in repair.entered if event.id not in left_by_checks and event.op != OPENED
    )
    for place_name in journals.places:
        _complete_own_file(connection, journals, place_name, readings.get((place_name, journals.host)))
    _remove_left_files(connection, journals)
    whole = {key: one for key, one in readings.items() if one[1].is_whole}
    finish_purges(connection, journals)
    _blank_read_files(connection, journals, whole)
    return Repair(entered, repair.void, repair.is_made_anew, tuple(set_aside), tuple(written_again))


def _list_lost_folders(journals: Journals, known: Collection[tuple[str, str]]) -> list[Path]:
    """Return the folders in which the own file is to be, by the ledger's notes, and is not.

    ``known`` are places and hosts. Raises PlaceGone where other hosts wrote to the shared one as well, and the whole folder
    is not there: a share that is not mounted looks the same, and what they sent would be sent once more.
    """
    lost: list[Path] = []
    for place_name in journals.places:
        own = journals.make_own_file(place_name).path
        if (place_name, journals.host) not in known or own.exists():
            continue
        other_hosts = {host for known_place, host in known if known_place == place_name} - {journals.host}
        if place_name == OUT and other_hosts and not own.parent.exists():
            raise PlaceGone(own.parent)
        lost.append(own.parent)
    return lost


def _remove_left_files(connection: Connection, journals: Journals) -> None:
    """Remove the files of checks, whose events the own files hold by now; raises OSError."""
    for file in journals.list_files(STATE):
        if file.path.stem.startswith(LEFT):
            file.path.unlink()
            connection.execute("DELETE FROM journal WHERE place = ? AND host = ?", (STATE, file.path.stem))


def append_events(connection: Connection, events: Sequence[Event]) -> None:
    """Enter events in the table of events; what they say is set by `operations`."""
    for number, event in enumerate(events, start=compute_next(connection, "event", "entered")):
        person, other = list_persons(event)
        insert_row(
            connection,
            "event",
            {
                "entered": number,
                "id": event.id,
                "n": event.n,
                "op": event.op,
                "args": event.dump_args(),
                "person": person,
                "other": other,
            },
        )


def note_last_lines(connection: Connection, host: str, last_lines: Mapping[str, LastLine]) -> None:
    """Note how far the own files reach, with all events of the ledger."""
    for place_name, last_line in last_lines.items():
        _note_last_line(connection, place_name, host, last_line)
        connection.execute(
            "UPDATE journal SET entered = (SELECT coalesce(max(entered), 0) FROM event) WHERE place = ? AND host = ?",
            (place_name, host),
        )


def finish_purges(connection: Connection, journals: Journals) -> None:
    """Blank in ledger and journals what purges that were entered lately remove; ``connection`` is in a transaction.

    The own files, which hold all events of the ledger, are written anew, and those of other hosts that it has entered to
    their end are removed. Raises OSError; what was not finished is done by the next opening.
    """
    (last,) = connection.execute("SELECT coalesce(max(entered), 0) FROM event").fetchone()
    statement = "SELECT count(*) FROM event WHERE op = ? AND entered > (SELECT blanked FROM meta)"
    if not connection.execute(statement, (PURGE,)).fetchone()[0]:
        return
    events = read_events(connection)
    blanked = blank_earlier_events(events, list_purges(connection), journals.site_key)
    rows = [(event.dump_args(), event.id) for event in blanked.values()]
    connection.executemany("UPDATE event SET args = ? WHERE id = ?", rows)
    make_tables_anew(connection)
    events = read_events(connection)
    entered = _read_last_lines(connection)
    for place_name, own in journals.own.items():
        note_last_lines(connection, journals.host, {place_name: own.rewrite(events)})
        for file in journals.list_files(place_name):
            last_line = entered.get((place_name, file.path.stem))
            if file.path != own.path and last_line is not None and ends_at(file.path, last_line):
                file.path.unlink()
    # other files of other hosts, in their own state folders as well, are read whole by the next opening and blanked
    connection.execute("DELETE FROM journal WHERE host <> ?", (journals.host,))
    connection.execute("UPDATE meta SET blanked = ?", (last,))


def _blank_read_files(
    connection: Connection,
    journals: Journals,
    readings: Mapping[tuple[str, str], tuple[JournalFile, JournalReading]],
) -> None:
    """Blank what purged persons left in files that were read whole: an older one was put back."""
    purges = list_purges(connection) if readings else []
    for (place_name, host), (file, reading) in readings.items() if purges else ():
        if not file.path.exists() or not blank_earlier_events(reading.events, purges, journals.site_key):
            continue
        if host == journals.host:
            note_last_lines(
                connection, host, {place_name: journals.own[place_name].rewrite(read_events(connection))}
            )
        else:
            file.path.unlink()
            connection.execute("DELETE FROM journal WHERE place = ? AND host = ?", (place_name, host))


def list_purges(connection: Connection) -> list[Event]:
    """Return the purges that were entered."""
    rows = connection.execute("SELECT n, id, op, args FROM event WHERE op = ?", (PURGE,))
    return [Event(number, identity, op, json.loads(args)) for number, identity, op, args in rows]


def is_behind_files(connection: Connection, places: Mapping[str, Path], files: Collection[Path]) -> bool:
    """Return whether one of these files does not end where it was entered: it holds more, or is another one. Raises OSError."""
    last_lines = {
        (places[place_name], host): last_line
        for (place_name, host), last_line in _read_last_lines(connection).items()
    }
    for file in files:
        last_line = last_lines.get((file.parent.parent, file.stem))
        if last_line is None or not ends_at(file, last_line):
            return True
    return False


def list_unseen_journals(connection: Connection, journals: Journals) -> list[Path]:
    """Return the files of other hosts that the ledger has entered from the shared place and that are not there."""
    folder = get_tenant_folder(journals.places[OUT], journals.site_key.tenant)
    files = [folder / f"{host}{SUFFIX}" for host in sorted(_read_shared_last_lines(connection))]
    return [file for file in files if file.stem != journals.host and not file.exists()]


def _read_shared_last_lines(connection: Connection) -> dict[str, LastLine]:
    """Return how far the files in ``out`` were entered, by host."""
    return {
        host: last_line
        for (place_name, host), last_line in _read_last_lines(connection).items()
        if place_name == OUT
    }


def _read_last_lines(connection: Connection) -> dict[tuple[str, str], LastLine]:
    rows = connection.execute("SELECT place, host, line_start, line_end, mac FROM journal").fetchall()
    return {(place_name, host): LastLine(start, end, mac) for place_name, host, start, end, mac in rows}


def _note_last_line(connection: Connection, place_name: str, host: str, last_line: LastLine) -> None:
    connection.execute(
        "INSERT INTO journal (place, host, line_start, line_end, mac, entered) VALUES (?, ?, ?, ?, ?, 0) "
        "ON CONFLICT (place, host) DO UPDATE SET line_start = excluded.line_start, line_end = excluded.line_end, "
        "mac = excluded.mac",
        (place_name, host, *last_line),
    )


def _enter_missing(connection: Connection, events: Collection[Event], site_key: SiteKey) -> Repair:
    """Enter the events that the ledger lacks.

    One that belongs between known ones makes the tables anew, and so does one that undoes others.
    """
    is_known = "SELECT 1 FROM event WHERE id = ?"
    missing = [event for event in events if connection.execute(is_known, (event.id,)).fetchone() is None]
    if not missing:
        return Repair()
    purges = [*list_purges(connection), *(event for event in missing if event.op == PURGE)]
    if purges:
        blanked = blank_earlier_events(missing, purges, site_key)
        missing = [blanked.get(event.id, event) for event in missing]
    missing.sort()
    last = connection.execute("SELECT n, id FROM event ORDER BY n DESC, id DESC LIMIT 1").fetchone()
    append_events(connection, missing)
    first = missing[0]
    void_before = _list_void_decisions(connection)
    is_late = last is not None and (first.n, first.id) < tuple(last)
    is_made_anew = is_late or any(event.op == UNDO for event in missing)
    if is_made_anew:
        make_tables_anew(connection)
    else:
        for event in missing:
            replay(connection, event)
    void = _list_void_decisions(connection) - void_before
    return Repair(missing, void, is_made_anew=is_made_anew)


def _list_void_decisions(connection: Connection) -> set[str]:
    return {identity for (identity,) in connection.execute("SELECT id FROM decision WHERE has_effect = 0")}


def _complete_own_file(
    connection: Connection,
    journals: Journals,
    place_name: str,
    own: tuple[JournalFile, JournalReading] | None,
) -> None:
    """Append to the own file of a place what it lacks of the ledger's events; a missing file is made."""
    reached = 0
    if own is None:
        file = journals.make_own_file(place_name)
        file.remove_draft()
        _note_last_line(connection, place_name, journals.host, file.create())
        read_now: set[str] = set()
    else:
        file, reading = own
        file.remove_draft()
        read_now = {event.id for event in reading.events}
        if not reading.is_whole:
            statement = "SELECT entered FROM journal WHERE place = ? AND host = ?"
            reached = connection.execute(statement, (place_name, journals.host)).fetchone()[0]
    journals.own[place_name] = file
    rows = connection.execute(
        "SELECT n, id, op, args FROM event WHERE entered > ? ORDER BY entered", (reached,)
    ).fetchall()
    lacking = [
        Event(number, identity, op, json.loads(args))
        for number, identity, op, args in rows
        if identity not in read_now
    ]
    if lacking or (own is not None and own[1].torn_bytes):
        _note_last_line(connection, place_name, journals.host, file.append(lacking))
    connection.execute(
        "UPDATE journal SET entered = (SELECT coalesce(max(entered), 0) FROM event) WHERE place = ? AND host = ?",
        (place_name, journals.host),
    )


def _set_aside_damaged(
    place_name: str,
    file: JournalFile,
    journals: Journals,
    readings: Mapping[tuple[str, str], tuple[JournalFile, JournalReading]],
    last_lines: Mapping[tuple[str, str], LastLine],
) -> Path:
    """Move a file that does not prove itself to another name; it is never overwritten.

    Raises JournalUnproven unless the ledger and this host's file in another place prove each other: the line up to which
    the ledger has entered it still stands there. A file of another host has to be entered to its end besides: what was sent
    from there stands in no file of this host.
    """
    others = [
        own
        for other in journals.places
        if other != place_name and (own := readings.get((other, journals.host)))
    ]
    host, known = file.path.stem, last_lines.get((place_name, file.path.stem))
    is_own = host == journals.host or host.startswith(LEFT)
    is_entered = is_own or (known is not None and file.path.stat().st_size <= known.end)
    if all(reading.is_whole for _, reading in others) or not is_entered:
        whole = others[0][0].path if others else None
        raise JournalUnproven(file.path, whole=whole, is_own=is_own, is_ledger_new=not last_lines)
    path, number = file.path, 1
    while (new_path := path.with_name(f"{path.stem}.damaged-{number}")).exists():
        number += 1
    with suppress(OSError):
        path.rename(new_path)
    return new_path
