"""Seals made before the ledger recorded at which size their pictures were sent: each picture is examined once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pipeline.domain.roster import Doctor, ImageFile, SentSize
from pipeline.domain.seals import LedgerSnapshot, LiveSeal


@dataclass(frozen=True, slots=True)
class Examined:
    """What the examination of older seals' pictures found."""

    shrunk: Mapping[str, SentSize] = field(default_factory=lambda: MappingProxyType({}))  # by person
    checked: frozenset[str] = frozenset()  # SealIds of seals whose pictures were sent whole


def examine_sent_sizes(
    doctors: Iterable[Doctor],
    snapshot: LedgerSnapshot,
    size_of: Callable[[ImageFile, LiveSeal], SentSize | None],
) -> Examined:
    """Examine the pictures of sealed doctors whose seal has no recorded size.

    A picture that cannot be read, or has other bytes than the seal's, leaves the question to a later run.
    """
    shrunk: dict[str, SentSize] = {}
    checked: set[str] = set()
    for doctor in doctors:
        past = snapshot.people.get(doctor.key) if doctor.key else None
        seal = past.seal if past else None
        if doctor.picture is None or seal is None or seal.content is None or seal.content.sent_size:
            continue
        found = size_of(doctor.picture, seal)
        if found is None:
            continue
        if found.shrunk is not None:
            shrunk[doctor.key or ""] = found
        elif doctor.picture.sha256 == seal.content.picture:
            checked.add(seal.seal_id)
    return Examined(shrunk, frozenset(checked - {_seal_of(snapshot, key) for key in shrunk}))


def _seal_of(snapshot: LedgerSnapshot, key: str) -> str | None:
    seal = snapshot.people[key].seal
    return seal.seal_id if seal else None
