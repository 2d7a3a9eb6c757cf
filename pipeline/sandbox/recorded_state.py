"""The true record of the sandbox, for tests: every request, every seal, every upload."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pipeline.sandbox.checks import find_lifetime_number


@dataclass(frozen=True, slots=True)
class Received:
    """One request in the order in which it was dealt with; times are steady seconds of the sandbox's clock."""

    arrived: float  # its headers were here
    counted: float  # the limiter saw it
    action: str
    code: str  # ok, the error code, or the fault that struck before the service saw it
    executed: bool
    trace_id: str | None
    request_id: str | None
    connection: str  # the client's address and port
    number: str | None = field(repr=False)  # IdCardNumber of a create
    seal_name: str | None
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Seal:
    """One seal that was made, with everything that was said when it was."""

    seal_id: str
    organization: str
    number: str = field(repr=False)
    name: str = field(repr=False)
    id_card_type: str
    seal_name: str
    picture: str  # sha256 of the bytes that arrived
    contract: str  # file_id | inline
    mobile: str | None = field(repr=False)
    scene_key: str | None
    enable_auto_sign: bool | None
    license_type: int | None
    seal_image_compress: bool | None
    trace_id: str | None
    request_id: str
    created_at: float  # unix seconds

    @property
    def person(self) -> tuple[str, str]:
        """Hospital and lifetime number: who the seal belongs to."""
        return self.organization, find_lifetime_number(self.number)

    @property
    def auto_sign(self) -> bool:
        """Whether auto-sign was opened with the seal: only the older contract can."""
        return self.contract == "inline" and self.enable_auto_sign is True

    @property
    def licence_bound(self) -> bool:
        """Whether a paid licence went to the person: so by default where auto-sign is opened."""
        return self.auto_sign and self.license_type in (None, 0)


@dataclass(frozen=True, slots=True)
class Upload:
    """One file that got a FileId."""

    file_id: str
    app_id: str
    business_type: str
    kind: str  # png, jpg, pdf, zip by its first bytes
    sha256: str
    size: int  # bytes
    deadline: float  # unix seconds
    request_id: str


def find_duplicates(seals: Iterable[Seal]) -> dict[str, list[str]]:
    """Return the SealIds of every person who has more than one, by lifetime number."""
    owned: dict[tuple[str, str], list[str]] = {}
    for seal in seals:
        owned.setdefault(seal.person, []).append(seal.seal_id)
    return {number: ids for (_, number), ids in owned.items() if len(ids) > 1}


def count_results(received: Iterable[Received]) -> dict[str, dict[str, int]]:
    """Return how often each action ended with each code."""
    table: dict[str, Counter[str]] = {}
    for request in received:
        table.setdefault(request.action, Counter())[request.code] += 1
    return {action: dict(codes) for action, codes in table.items()}


def build_report(
    received: Sequence[Received], seals: Sequence[Seal], uploads: Sequence[Upload]
) -> dict[str, Any]:
    """Return the whole truth as what ``GET /_truth`` answers."""
    arrivals: dict[str, list[float]] = {}
    for request in received:
        arrivals.setdefault(request.action, []).append(request.arrived)
    return {
        "counts": count_results(received),
        "arrivals": arrivals,
        "requests": [asdict(request) for request in received],
        "seals": [{**_seal_record(seal), "licence_bound": seal.licence_bound} for seal in seals],
        "uploads": [asdict(upload) for upload in uploads],
        "duplicates": find_duplicates(seals),
        "licences_bound": sum(seal.licence_bound for seal in seals),
    }


def _seal_record(seal: Seal) -> dict[str, Any]:
    record = asdict(seal)
    record["at"] = record.pop("created_at")
    return record


def append_seal(path: Path, seal: Seal) -> None:
    """Append a seal to the truth file, one JSON object a line, readable by its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(_seal_record(seal), ensure_ascii=False) + "\n")


def read_seals(path: Path) -> list[Seal]:
    """Return the seals of a truth file, none when there is no file yet."""
    if not path.exists():
        return []
    seals = []
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        seals.append(Seal(created_at=record.pop("at"), **record))
    return seals
