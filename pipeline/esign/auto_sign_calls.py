"""The bodies of the calls about auto-sign (授权签), and what their answers prove.

An answer that lacks what the page documents is none. The whole number stands in a body only: no reading holds it.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field

from pipeline.domain.masking import Masker
from pipeline.domain.roster import CardType, Doctor
from pipeline.domain.seals import is_seal_id
from pipeline.domain.service_codes import get_auto_sign_meaning
from pipeline.esign.contracts import dump_json, list_sent_texts
from pipeline.esign.products import Agent
from pipeline.esign.responses import Answer, Reading, Reply, read_answer

USUAL_SCENE = "E_PRESCRIPTION_AUTO_SIGN"
MAX_URL = 4_096  # characters
LINK = re.compile(r"https://[0-9a-z.-]+(:[0-9]+)?([/?#]\S*)?", re.ASCII | re.IGNORECASE)
LAST_SECOND = 253_402_300_799  # of the year 9999: a later moment is none
NO_IS_OPEN, ODD_SEAL_ID, NO_URL = "no_is_open", "odd_seal_id", "no_url"  # codes of ours


@dataclass(frozen=True, slots=True)
class Signer:
    """The person whom a call is about, as the service identifies one."""

    name: str = field(repr=False)
    id_type: CardType
    number: str = field(repr=False)
    scene_key: str = USUAL_SCENE

    @classmethod
    def of_doctor(cls, doctor: Doctor) -> Signer | None:
        """Return who a row is about; None where a value is missing or unusable."""
        if not (doctor.name and doctor.number and doctor.id_type):
            return None
        scene = doctor.scene_key or USUAL_SCENE
        return cls(doctor.name, doctor.id_type, doctor.number, scene)

    @property
    def has_known_card(self) -> bool:
        """Whether the calls take this card type: they know three."""
        return self.id_type is not CardType.OTHER_CARD_TYPE

    def list_sent_texts(self, agent: Agent) -> Collection[str]:
        """Return the texts that a call about this person brings."""
        return list_sent_texts(agent, self.name, self.number)

    def build_body(self) -> dict[str, object]:
        """Return the UserInfo of the API page."""
        return {"Name": self.name, "IdCardType": str(self.id_type), "IdCardNumber": self.number}


# -- bodies


def build_status_query(agent: Agent, signer: Signer) -> bytes:
    """Return the body of the question whether a doctor's auto-sign is open."""
    return dump_json(
        {
            **agent.build_query_caller(),
            "SceneKey": signer.scene_key,
            "UserInfo": signer.build_body(),
        }
    )


def build_enable_link(agent: Agent, signer: Signer, *, expires_at: int, end_point: str) -> bytes:
    """Return the body that makes a link by which a doctor opens auto-sign; no message is asked for."""
    body = {
        **agent.build_caller(),
        "SceneKey": signer.scene_key,
        "AutoSignConfig": {"UserInfo": signer.build_body()},
        "ExpiredTime": expires_at,
        "EndPoint": end_point,
    }
    return dump_json(body)


def build_seal_link(agent: Agent, signer: Signer, *, expires_at: int, end_point: str) -> bytes:
    """Return the body that makes a link by which a doctor whose auto-sign is open chooses a seal."""
    body = {
        **agent.build_caller(),
        "SceneKey": signer.scene_key,
        "UserInfo": signer.build_body(),
        "ExpiredTime": expires_at,
        "EndPoint": end_point,
    }
    return dump_json(body)


# -- answers


@dataclass(frozen=True, slots=True)
class StatusReading(Reading):
    """Whether a doctor's auto-sign is open, with which seal, and until when its licence lasts."""

    is_open: bool | None = None
    license_to: float | None = None  # unix seconds


@dataclass(frozen=True, slots=True)
class LinkReading(Reading):
    """A link that was made."""

    url: str | None = None


def read_status(reply: Reply, *, sent: Collection[str], masker: Masker) -> Reading:
    """Read the answer about a doctor; ``sent`` are the texts of the call."""
    answer = read_answer(reply, get_auto_sign_meaning, masker)
    if isinstance(answer, Reading):
        return answer
    is_open, request_id = answer.fields.get("IsOpen"), answer.request_id
    if not isinstance(is_open, bool):
        return Reading(NO_IS_OPEN, "unknown", request_id=request_id)
    seal_id = (answer.get_text("SealId") or "").strip() or None
    if not is_open:
        return StatusReading(request_id=request_id, is_open=False, license_to=_read_moment(answer))
    if seal_id is not None and not is_seal_id(seal_id, (*sent, request_id)):
        return Reading(ODD_SEAL_ID, "unknown", request_id=request_id)
    return StatusReading(
        request_id=request_id, is_open=True, seal_id=seal_id, license_to=_read_moment(answer)
    )


def read_link(reply: Reply, signer: Signer, *, masker: Masker) -> Reading:
    """Read the answer with a link: an https address. One that would show the person's number is none."""
    answer = read_answer(reply, get_auto_sign_meaning, masker)
    if isinstance(answer, Reading):
        return answer
    url = answer.get_text("Url") or ""
    is_link = len(url) <= MAX_URL and url.isprintable() and LINK.fullmatch(url) is not None
    if not is_link or signer.number.casefold() in url.casefold():
        return LinkReading(NO_URL, "row", request_id=answer.request_id)
    return LinkReading(request_id=answer.request_id, url=url)


def _read_moment(answer: Answer) -> float | None:
    """Return when the licence ends; None without one. The page documents seconds."""
    moment = answer.fields.get("LicenseTo")
    if not isinstance(moment, int) or isinstance(moment, bool) or not 0 < moment <= LAST_SECOND:
        return None
    return float(moment)
