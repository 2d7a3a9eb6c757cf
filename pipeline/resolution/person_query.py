"""Who a query means, and that doctor's story: from the ledger, and the run folders for what it does not hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

from pipeline.ledger.person_queries import Archive, Life, RowHistoryEntry
from pipeline.ledger.protocol import RunRecord
from pipeline.ledger.site_key import SiteKey
from pipeline.resolution.run_folders import told
from pipeline.resolution.timeline import PersonTimeline, line_of, story_of

SUGGESTED = 5
RUNS = 10_000  # all that a ledger will ever hold
_WHOLE = ("key", "row_id", "name", "staff_no", "seal_name", "seal_id", "request_id", "trace_id")
_LAST_FOUR = 4
_IDENTITY = re.compile(r"[0-9]{17}[0-9X]")
_PERMIT = re.compile(r"[HM][0-9]{8}(?:[0-9]{2})?")
_LIFETIME = 9  # characters of a permit: the last two count its renewals

Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class PersonMatch:
    """A person by key, or rows without a usable number that seem to be one person's."""

    key: str | None
    row_ids: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Desk:
    """Where stories are looked up."""

    ledger: Archive
    site_key: SiteKey
    out: Path
    under_way: str | None = None  # the run that a process is at just now
    same_persons: Mapping[str, str] = field(default_factory=dict)  # key of a corrected number -> its person's

    def find(self, words: Collection[str]) -> list[PersonTimeline]:
        """Return the story of each doctor to whom all of these words belong, in the order of names.

        A word is a name, staff number, last four, seal name, SealId, RequestId, trace id, key, row_id or a whole
        identity number.
        """
        known = cache(self._named)
        found = [self._who(self._word(word), known) for word in words]
        people = set.intersection(*found) if found else set()
        stories = [self._story(who, known) for who in people]
        return sorted(
            stories, key=lambda story: (story.name or "", story.staff_no or "", story.id_masked or "")
        )

    def similar(self, words: Collection[str]) -> list[str]:
        """Return a few names and staff numbers that somebody who typed these words may have meant."""
        wanted = [word.strip().casefold() for word in words]
        near = {
            each
            for pair in self.ledger.everybody()
            for each in pair
            if each and any(_near(each.casefold(), word) for word in wanted)
        }
        return sorted(near, key=lambda each: (abs(len(each) - len("".join(wanted))), each))[:SUGGESTED]

    # -- who is meant

    def _word(self, word: str) -> str:
        """Return a word as it is looked for: a whole identity number by its digest alone."""
        plain = word.strip()
        number = re.sub(r"[\s-]", "", plain).upper()
        if _IDENTITY.fullmatch(number):
            return self._person(self.site_key.person(number))
        if _PERMIT.fullmatch(number):
            return self._person(self.site_key.person(number[:_LIFETIME]))
        return plain

    def _person(self, key: str) -> str:
        """Return the key of the person to whom a number's key belongs."""
        return self.same_persons.get(key, key)

    def _named(self, word: str) -> tuple[set[str], list[Line]]:
        """Return keys and lines that a word means, whole and without regard to case."""
        if not word:
            return set(), []
        keys, lines = self.ledger.named(word)
        beside = (line_of(said) for said in self._folders((f"{json.dumps(word, ensure_ascii=False)[1:]}",)))
        return keys, [line for line in (*lines, *beside) if means(line, word)]

    def _who(self, word: str, known: Callable[[str], tuple[set[str], list[Line]]]) -> set[PersonMatch]:
        keys, lines = known(word)
        known_keys = keys | {line["key"] for line in lines if line["key"]}
        people = {PersonMatch(self._person(key)) for key in known_keys}
        loose: dict[object, set[str]] = {}
        for line in lines:
            if line["key"]:
                continue
            owner = _owner(line, known)
            if owner is not None:
                people.add(PersonMatch(self._person(owner)))
            else:
                same = (line["name"], line["staff_no"]) if line["name"] else line["row_id"]
                loose.setdefault(same, set()).add(line["row_id"])
        return people | {PersonMatch(None, frozenset(row_ids)) for row_ids in loose.values()}

    # -- the story

    def _story(self, who: PersonMatch, known: Callable[[str], tuple[set[str], list[Line]]]) -> PersonTimeline:
        life = self.ledger.life(who.key, who.row_ids)
        if who.key is not None:
            names = {
                *(line_of(said)["name"] for said in life.said),
                *(create.name for create in life.creates),
            }
            rows = {
                line["row_id"]
                for line in self.ledger.unnumbered(sorted(filter(None, {*names, life.name})))
                if _owner(line, known) == who.key
            }
            if rows:
                life = self.ledger.life(who.key, rows)
            who = replace(who, row_ids=frozenset(rows))
        return story_of(self._with_folders(life, who), run=cache(self.ledger.run), under_way=self.under_way)

    def _with_folders(self, life: Life, who: PersonMatch) -> Life:
        words = [*([who.key] if who.key else []), *who.row_ids]
        beside = [
            said
            for said in self._folders(words)
            if (said.row.key and self._person(said.row.key)) == who.key
            and (who.key is not None or said.row.row_id in who.row_ids)
        ]
        if not beside:
            return life
        return replace(life, said=tuple(sorted((*beside, *life.said), key=lambda said: said.at)))

    def _folders(self, words: Collection[str]) -> Iterator[RowHistoryEntry]:
        held = self.ledger.runs_with_rows()
        elsewhere = [Path(each.out) for each in self._records() if each.run not in held]
        return told(self.out, elsewhere, tenant=self.site_key.tenant, held=held, words=words)

    def _records(self) -> list[RunRecord]:
        return self.ledger.runs(RUNS)


def means(line: Line, word: str) -> bool:
    """Tell whether a row's line is one that a word means."""
    wanted = word.casefold()
    if any(str(line[name]).casefold() == wanted for name in _WHOLE if line.get(name)):
        return True
    return len(word) == _LAST_FOUR and str(line.get("id_masked") or "")[-_LAST_FOUR:].casefold() == wanted


def telling_word(story: PersonTimeline, others: Collection[PersonTimeline]) -> str:
    """Return a word that means this doctor and none of the others: what stands on a badge before what only we know."""
    taken = {word.casefold() for other in others for word in _words(other)}
    return next((word for word in _words(story) if word.casefold() not in taken), _words(story)[-1])


def _words(story: PersonTimeline) -> list[str]:
    last_four = (story.id_masked or "")[-_LAST_FOUR:]
    row_id = story.newest.row.row_id if story.newest else None
    return [word for word in (story.staff_no, last_four, story.seal_name, story.key or row_id) if word]


def _owner(line: Line, known: Callable[[str], tuple[set[str], list[Line]]]) -> str | None:
    """Return whose row it is although its number cannot be used: the same name with the same staff number or place.

    For telling alone; nothing is ever sent on such evidence. Where two people fit it is nobody's.
    """
    if not line["name"]:
        return None
    others = [each for each in known(line["name"])[1] if each["key"] and each["name"] == line["name"]]
    by_staff = {each["key"] for each in others if line["staff_no"] and each["staff_no"] == line["staff_no"]}
    place = (line["path"], line["sheet"], line["row"])
    by_place = {
        each["key"]
        for each in others
        if (each["path"], each["sheet"], each["row"]) == place
        and (not line["staff_no"] or not each["staff_no"])
    }
    owners = by_staff or by_place
    return owners.pop() if len(owners) == 1 else None


def _near(known: str, word: str) -> bool:
    """Tell whether a word may have been meant: a part of it, another writing of a staff number, one character off."""
    if not word:
        return False
    if known.isdecimal() or word.isdecimal():
        return known.lstrip("0") == word.lstrip("0")
    if len(word) > 1 and (word in known or known in word):
        return True
    off = sum(mine != yours for mine, yours in zip(known, word, strict=False))
    return len(known) == len(word) > 2 and off == 1
