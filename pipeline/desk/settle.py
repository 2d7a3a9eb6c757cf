"""Settle a case: what has to hold before a decision is entered, and the decision itself (DESIGN §6, `resolve`)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pipeline.clock import stamp
from pipeline.desk.cases import Case
from pipeline.errors import UsageError
from pipeline.esign.signing import FENCE
from pipeline.ledger.protocol import Decision, Ledger, LedgerConflict
from pipeline.model import Content, Status

SEAL_ID = re.compile(r"[0-9A-Za-z_-]{16,64}")  # the service's have 32 characters (api.md §1.2)
CREATED, NOT_CREATED = frozenset({"已创建", "created"}), frozenset({"未创建", "not created"})


@dataclass(frozen=True, slots=True)
class Who:
    """Who decides, when and why."""

    name: str
    at: float  # unix seconds
    why: str


def created(ledger: Ledger, case: Case, seal_id: str, who: Who) -> None:
    """Enter that the open create made this seal; UsageError where its shape is wrong or another person has it."""
    attempt = _open(case)
    seal_id = seal_id.strip()
    if SEAL_ID.fullmatch(seal_id) is None:
        raise UsageError(
            f"“{seal_id}” is no SealId (16 to 64 letters and digits, mostly 32): copy it from the console.",
            f"“{seal_id}”不是印章ID（16 到 64 位字母和数字，一般为 32 位）；请从控制台复制。",
        )
    _enter(ledger, Decision("created", case.key, who.at, who.name, who.why, attempt=attempt, seal_id=seal_id))


def not_created(ledger: Ledger, case: Case, who: Who) -> None:
    """Enter that the open create made nothing: the next run sends the row again. Not before the signature's fence."""
    attempt = _open(case)
    require_fence(case, who.at)
    _enter(ledger, Decision("not_created", case.key, who.at, who.name, who.why, attempt=attempt))


def keep(ledger: Ledger, case: Case, content: Content, who: Who) -> None:
    """Enter that the roster's present content is the accepted one; the seal stays as it is."""
    require_changed(case)
    _enter(ledger, Decision("keep", case.key, who.at, who.name, who.why, content=content))


def replace_seal(ledger: Ledger, case: Case, seal_name: str, who: Who) -> None:
    """Enter that the live seal is given up: the next run creates one under ``seal_name``."""
    require_changed(case)
    _enter(ledger, Decision("replace", case.key, who.at, who.name, who.why, detail=seal_name))


def require_fence(case: Case, now: float) -> None:
    """Raise UsageError while a late copy of the create could still be accepted."""
    assert case.attempt is not None
    if now < case.attempt.at + FENCE:
        moment = stamp(case.attempt.at + FENCE)
        raise UsageError(
            f"{case.name}: the request may still be carried out until {moment}; decide after that.",
            f"{case.name}：在 {moment} 之前该请求仍可能被执行；请在此之后再判断。",
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """One line of the Unknown sheet that was filled in."""

    row: int
    trace_id: str
    seal_id: str
    conclusion: str


def by_sheet(
    ledger: Ledger, open_cases: Iterable[Case], answers: Iterable[Answer], who: Who
) -> dict[int, str | None]:
    """Settle many at once; returns row -> what is wrong with its line (zh / en), None where it was settled.

    A line that is not filled in is left out. One that was settled meanwhile, or never was open, says so. A doctor with two
    rows has two lines: one answer, on either or on both; where they do not agree neither counts. One SealId beside two
    doctors was copied too far: it is entered for nobody.
    """
    by_trace: Mapping[str, Case] = {
        case.attempt.uuid: case for case in open_cases if case.attempt is not None
    }
    said: defaultdict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        if answer.seal_id or answer.conclusion:
            said[answer.trace_id].append(answer)
    claims = Counter(seal_id for lines in said.values() for seal_id in {line.seal_id for line in lines})
    told: dict[int, str | None] = {}
    for trace_id, lines in said.items():
        first = lines[0]
        if any(line.seal_id and claims[line.seal_id] > 1 for line in lines):
            trouble: str | None = (
                "同一印章ID填给了不止一位医生 / the SealId stands beside more than one doctor"
            )
        elif len({(line.seal_id, line.conclusion.strip().casefold()) for line in lines}) > 1:
            trouble = "同一位医生的几行填写不一致 / the lines of this doctor do not agree"
        else:
            trouble = _answered(ledger, by_trace.get(trace_id), first, who)
        told |= {line.row: trouble for line in lines}
    return told


def _answered(ledger: Ledger, case: Case | None, answer: Answer, who: Who) -> str | None:
    if case is None:
        return "已经查清，或不是本台账的行 / settled already, or not a row of this ledger"
    conclusion = answer.conclusion.strip().casefold()
    who = replace(who, why=f"{who.why} {answer.row}")
    try:
        if conclusion in NOT_CREATED and not answer.seal_id:
            not_created(ledger, case, who)
        elif answer.seal_id and (not conclusion or conclusion in CREATED):
            created(ledger, case, answer.seal_id, who)
        else:
            return "印章ID和结论不一致 / SealId and conclusion do not go together"
    except UsageError as error:
        return f"{error.zh} / {error.en}"
    return None


def _open(case: Case) -> str:
    if case.attempt is None:
        raise UsageError(
            f"{case.name}: no create waits for a verdict; a changed row is settled by --keep or --replace.",
            f"{case.name}：没有待查清的提交；内容有变的行请用 --keep 或 --replace。",
        )
    return case.attempt.uuid


def require_changed(case: Case) -> None:
    """Raise UsageError for a case that is not a changed row."""
    if case.status is not Status.CHANGED:
        raise UsageError(
            f"{case.name}: the row does not differ from its seal; first settle its create (--seal-id or --not-created).",
            f"{case.name}：此行与印章没有差异；请先用 --seal-id 或 --not-created 查清提交结果。",
        )


_FORBIDDEN: Mapping[str, tuple[str, str]] = {
    "seal_id": ("another person has this SealId already", "该印章ID已属于另一人"),
    "settled": ("it was settled meanwhile", "在此期间已经查清"),
    "seal_name": (
        "the seal name is in use, or was used before: choose another with --seal-name",
        "印章名称已被使用过；请用 --seal-name 换一个",
    ),
    "live_seal": ("the person has a seal already", "此人已有印章"),
    "no_live_seal": ("the person has no seal", "此人没有印章"),
}


def _enter(ledger: Ledger, decision: Decision) -> None:
    try:
        ledger.decide(decision)
    except LedgerConflict as conflict:
        en, zh = _FORBIDDEN.get(conflict.constraint, (conflict.constraint, conflict.constraint))
        raise UsageError(f"Not entered: {en}.", f"没有登记：{zh}。") from conflict
