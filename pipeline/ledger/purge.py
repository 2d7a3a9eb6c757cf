"""Removes one person's data from the events; what prevents a second seal stays: keys, SealIds, dates, verdicts.

A purge is an event. A host that enters it blanks the earlier events of its persons, in the ledger and in the journals. A seal
whose content is no longer known counts as an adopted one: every row of the person is unchanged.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.domain.row_record import RowLine
from pipeline.domain.site_key import SiteKey
from pipeline.ledger.decisions import insert_decision
from pipeline.ledger.events import Event
from pipeline.ledger.tables import Connection, make_placeholders

PURGE = "purge"  # the operation, and the kind of the decision that records it
REMOVED = "purged"  # how the text in place of a seal name begins
_BLANK_BEARER = ("name", "mobile", "digits", "picture", "shown_name", "position")
Args = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PersonTraces:
    """What identifies the records of one person."""

    keys: frozenset[str]  # of all numbers that are the person's; empty: only rows without a usable number
    row_ids: frozenset[str]  # of rows without a usable number
    names: frozenset[str] = field(repr=False)

    def covers(self, line: RowLine) -> bool:
        """Return whether a row's line is the person's."""
        return line.key in self.keys if line.key else line.row_id in self.row_ids


def build_purge_args(traces: PersonTraces, *, now: float, who: str) -> dict[str, Any]:
    """Return the arguments of the event of a purge: keys and ids of rows, no name."""
    return {
        "keys": sorted(traces.keys),
        "row_ids": sorted(traces.row_ids),
        "at": now,
        "who": who,
        "why": "purge --person",
    }


def apply_purge(connection: Connection, event: Event) -> None:
    """Record a purge as a decision on each of its persons; `blank_earlier_events` blanks the events."""
    keys: Sequence[str] = event.args["keys"]
    statement = f"SELECT person FROM person WHERE person IN ({make_placeholders(keys) or 'NULL'})"  # noqa: S608 - our own words
    for (key,) in connection.execute(statement, tuple(keys)).fetchall():
        own = Event(event.n, f"{event.id}/{key}", PURGE, {**event.args, "person": key})
        insert_decision(connection, own, kind=PURGE)


def blank_earlier_events(
    events: Iterable[Event], purges: Iterable[Event], site_key: SiteKey
) -> dict[str, Event]:
    """Return the events that a purge blanks and that are not blank yet, blanked, by id."""
    all_events = list(events)
    blanked: dict[str, Event] = {}
    for purge in purges:
        earlier = [blanked.get(event.id, event) for event in all_events if event < purge]
        traces = PersonTraces(
            frozenset(purge.args["keys"]),
            frozenset(purge.args["row_ids"]),
            frozenset(_list_names(earlier, purge.args["keys"], purge.args["row_ids"])),
        )
        for event in earlier:
            args = _blank(event, traces, site_key)
            if args != event.args:
                blanked[event.id] = replace(event, args=args)
    return blanked


def _list_names(events: Iterable[Event], keys: Collection[str], row_ids: Collection[str]) -> Iterable[str]:
    """Yield the names under which events know the persons."""
    for event in events:
        if event.op in {"attempt", "adopt"} and event.args["person"] in keys and event.args["name"]:
            yield event.args["name"]
        elif event.op == "rows":
            for row_id, key, *_, line, _digest in event.args["rows"]:
                if (key in keys or (key is None and row_id in row_ids)) and (
                    name := json.loads(line).get("name")
                ):
                    yield name


def _blank(event: Event, traces: PersonTraces, site_key: SiteKey) -> Args:
    """Return the arguments of an event without what is personal of these persons."""
    blank = _BLANKING.get(event.op)
    is_own = event.args.get("person") in traces.keys
    if blank is not None:
        return blank(event.args, traces)
    if not is_own or event.op not in _BLANKS:
        return event.args
    args = {**event.args, **{name: value for name, value in _BLANKS[event.op].items() if name in event.args}}
    for name in ("seal_name", "detail"):
        is_name = name == "seal_name" or args.get("kind") == "replace"
        if is_name and args.get(name):
            args[name] = _hide_seal_name(args[name], site_key)
    return args


_BLANKS: Mapping[str, Args] = {  # by operation, the values in place of personal ones
    "attempt": {"name": "", "id_masked": None, "staff_no": "", "mobile": "", "content": None},
    "verdict": {"message": None},
    "adopt": {"name": "", "id_masked": None, "staff_no": "", "mobile": "", "name_key": "", "why": ""},
    "decision": {"why": "", "content": None, "id_masked": None},
    "withdraw": {"why": ""},
}


def _hide_seal_name(seal_name: str, site_key: SiteKey) -> str:
    """Return the text in place of a seal name, which holds the person's name: everywhere the same."""
    if seal_name.startswith(f"{REMOVED}-"):
        return seal_name
    return f"{REMOVED}-{site_key.digest(seal_name)[:12]}"


def _blank_persons(args: Args, traces: PersonTraces) -> Args:
    kept = {key: digests for key, digests in args["persons"].items() if key not in traces.keys}
    return {**args, "persons": kept}


def _blank_rows(args: Args, traces: PersonTraces) -> Args:
    rows = []
    for row in args["rows"]:
        row_id, key, *middle, line, digest = row
        is_own = key in traces.keys if key else row_id in traces.row_ids
        if is_own:
            continue
        if any(name in line for name in traces.names):
            line = RowLine.from_text(line).hide_names(traces.names).to_ledger_text()
        rows.append([row_id, key, *middle, line, digest])
    return {**args, "rows": rows}


def _blank_bearers(args: Args, traces: PersonTraces) -> Args:
    """Leave of a person's bearers what keeps other people from the person's file: key, HMACs of staff number and path."""
    bearers = []
    for bearer in args["bearers"]:
        if bearer.get("key") in traces.keys:
            bearers.append({name: value for name, value in bearer.items() if name not in _BLANK_BEARER})
        elif bearer.get("key") or bearer.get("shown_name") not in traces.names:
            bearers.append(bearer)
    return {**args, "bearers": bearers}


def _blank_picture(args: Args, traces: PersonTraces) -> Args:
    picture = args["picture"]
    if picture["key"] not in traces.keys:
        return args
    kept = {name: value for name, value in picture.items() if name not in {"shown_name", "position"}}
    return {**args, "picture": kept, "why": ""}


_BLANKING: Mapping[str, Callable[[Args, PersonTraces], Args]] = {
    "persons": _blank_persons,
    "rows": _blank_rows,
    "bearers": _blank_bearers,
    "picture": _blank_picture,
}
