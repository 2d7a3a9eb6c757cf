"""The life of auto-sign: links that are made, opened and used, and which doctor can sign with which seal.

What no document states is chosen here: a new link leaves earlier ones valid; a doctor whose licence has ended is not open;
one who is open with a seal gets no further link for opening, but one who is open without a seal does.
"""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, cast

from pipeline.sandbox.checks import check_signer, get_lifetime_number, get_link_end
from pipeline.sandbox.gateway import Order, Refusal

Response = Mapping[str, Any]  # the inside of ``Response``, without its RequestId
WhiteList = Literal["on", "unlisted", "forbidden"]
Person = tuple[str, str]  # hospital, lifetime number

DAY = 86_400.0  # seconds
NOT_OPEN = "用户未开通授权签"
_WHITE_LIST_CODES: Mapping[WhiteList, str] = {
    "unlisted": "OperationDenied.NotInAutoSignWhiteList",
    "forbidden": "OperationDenied.WhiteListForbid",
}
_TOKEN_ALPHABET = string.ascii_letters + string.digits
_LINKS = "https://essurl.invalid/"  # a name that no network resolves: the links must lead nowhere
OTHER_SEAL: Final = "yDsandboxAnotherSealOfThisDoctor"


@dataclass(slots=True)
class Link:
    """One link for one doctor, to open auto-sign or to choose another seal."""

    url: str
    kind: Literal["enable", "seal"]
    organization: str
    number: str = field(repr=False)
    name: str = field(repr=False)
    trace_id: str | None
    request_id: str
    created_at: float  # unix seconds, as are the next ones
    expires_at: float
    is_used: bool = False

    @property
    def person(self) -> Person:
        """Hospital and lifetime number: whom the link is for."""
        return self.organization, get_lifetime_number(self.number)

    def get_state(self, now: float) -> str:
        """Return live, expired or used."""
        if self.is_used:
            return "used"
        return "live" if now < self.expires_at else "expired"


@dataclass(slots=True)
class Authorisation:
    """A doctor's open auto-sign; an empty SealId = no seal was chosen."""

    seal_id: str
    opened_at: float
    licence_to: float | None  # None = opened without a licence


class ControlError(ValueError):
    """What a test asked of the life of auto-sign makes no sense there."""


class AutoSign:
    """Links and authorisations of every doctor; the methods that answer a call raise Refusal."""

    def __init__(self, white_list: WhiteList, licence_days: float | None, identifiers: random.Random) -> None:
        self.links: list[Link] = []
        self.newest_seals: dict[Person, str] = {}
        self._white_list: WhiteList = white_list
        self._licence_days = licence_days
        self._random = identifiers
        self._open: dict[Person, Authorisation] = {}

    # -- what the service is asked

    def describe_status(self, order: Order) -> Response:
        """Answer whether a doctor has opened auto-sign, with which seal and until when."""
        authorisation = self._open.get(self._check_order(order, order.sent["UserInfo"]))
        if authorisation is None:
            return {"IsOpen": False}
        answer: dict[str, Any] = {"IsOpen": True, "SealId": authorisation.seal_id, "LicenseType": 1}
        if authorisation.licence_to is not None:
            times = {
                "LicenseFrom": int(authorisation.opened_at),
                "LicenseTo": int(authorisation.licence_to),
            }
            answer |= {"LicenseType": 0, "IsOpen": order.now < authorisation.licence_to} | times
        return answer

    def create_enable_link(self, order: Order) -> Response:
        """Answer with a link by which a doctor opens auto-sign."""
        user = order.sent["AutoSignConfig"]["UserInfo"]
        person = self._check_order(order, user)
        end = get_link_end(order.sent, order.now)
        if self._is_open(person, order.now) and self._open[person].seal_id:
            raise Refusal("FailedOperation", "用户已开通授权签")
        return self._make_link("enable", order, user, end)

    def create_seal_link(self, order: Order) -> Response:
        """Answer with a link by which a doctor who has opened auto-sign chooses another seal."""
        person = self._check_order(order, order.sent["UserInfo"])
        end = get_link_end(order.sent, order.now)
        if not self._is_open(person, order.now):
            raise Refusal("FailedOperation", NOT_OPEN)
        return self._make_link("seal", order, order.sent["UserInfo"], end)

    def _check_order(self, order: Order, user: Mapping[str, Any]) -> Person:
        """Return the person whom a call is about."""
        if self._white_list != "on":
            raise Refusal(_WHITE_LIST_CODES[self._white_list])
        check_signer(order.sent["SceneKey"], user, order.now)
        return order.tenant.organization_open_id, get_lifetime_number(user["IdCardNumber"])

    def _is_open(self, person: Person, now: float) -> bool:
        authorisation = self._open.get(person)
        return authorisation is not None and (
            authorisation.licence_to is None or now < authorisation.licence_to
        )

    def _make_link(
        self,
        kind: Literal["enable", "seal"],
        order: Order,
        user: Mapping[str, Any],
        end: float,
    ) -> Response:
        token = "".join(self._random.choices(_TOKEN_ALPHABET, k=12))
        url = f"{_LINKS}{token}"
        self.links.append(
            Link(
                url=url,
                kind=kind,
                organization=order.tenant.organization_open_id,
                number=user["IdCardNumber"],
                name=user["Name"],
                trace_id=order.trace_id,
                request_id=order.request_id,
                created_at=order.now,
                expires_at=end,
            )
        )
        return {"Url": url}

    # -- what doctors do, and what befalls them

    def open(self, person: Person, seal_id: str, now: float) -> None:
        """Let a doctor be open with this SealId; an empty one = no seal chosen."""
        days = self._licence_days
        licence_to = None if days is None else now + days * DAY
        self._open[person] = Authorisation(seal_id, now, licence_to)

    def control(self, command: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        """Do what a command of ``POST /_auto_sign`` asks and return what it changed; raises ControlError."""
        deeds: Mapping[str, Callable[[Mapping[str, Any], float], Mapping[str, Any]]] = {
            "use_link": self._use_link,
            "open": self._open_by_number,
            "end_licence": self._end_licence,
            "close": self._close,
            "white_list": self._set_white_list,
        }
        deed = deeds.get(str(command.get("do")))
        if deed is None:
            raise ControlError(f"do: one of {', '.join(deeds)}")
        return deed(command, now)

    def _use_link(self, command: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        """Let the doctor do what the link is for, with the seal that ``seal`` names; without one the link is entered again."""
        link = self._get_live_link(command, now)
        seal_id = self._get_chosen_seal(link.person, command)
        if self._is_open(link.person, now):
            self._open[link.person].seal_id = seal_id
        else:
            self.open(link.person, seal_id, now)
        if link.kind == "seal" or seal_id:
            link.is_used = True
        return asdict(link)

    def _open_by_number(self, command: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        person = self._get_person(command)
        self.open(person, self._get_chosen_seal(person, command), now)
        return asdict(self._open[person])

    def _end_licence(self, command: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        """Let the licence end at ``at`` (unix seconds), now without it."""
        authorisation = self._get_open(command, now)
        authorisation.licence_to = float(command.get("at", now))
        return asdict(authorisation)

    def _close(self, command: Mapping[str, Any], now: float) -> Mapping[str, Any]:
        authorisation = self._get_open(command, now)
        del self._open[self._get_person(command)]
        return asdict(authorisation)

    def _set_white_list(self, command: Mapping[str, Any], _: float) -> Mapping[str, Any]:
        if command.get("state") not in {"on", *_WHITE_LIST_CODES}:
            raise ControlError(f"state: one of on, {', '.join(_WHITE_LIST_CODES)}")
        self._white_list = cast("WhiteList", command["state"])
        return {"white_list": self._white_list}

    def _get_live_link(self, command: Mapping[str, Any], now: float) -> Link:
        link = next((link for link in self.links if link.url == command.get("link")), None)
        if link is None or link.get_state(now) != "live":
            raise ControlError("link: no live one" if link is None else f"link: {link.get_state(now)}")
        return link

    def _get_open(self, command: Mapping[str, Any], now: float) -> Authorisation:
        person = self._get_person(command)
        if not self._is_open(person, now):
            raise ControlError("number: not open")
        return self._open[person]

    def _get_person(self, command: Mapping[str, Any]) -> Person:
        """Return whom ``number`` means: a doctor with a seal, of any hospital."""
        number = get_lifetime_number(str(command.get("number", "")))
        person = next((person for person in self.newest_seals if person[1] == number), None)
        if person is None:
            raise ControlError("number: no doctor with a seal")
        return person

    def _get_chosen_seal(self, person: Person, command: Mapping[str, Any]) -> str:
        """Return the SealId that ``seal`` names: own (the newest imported one), other, none."""
        choices = {"own": self.newest_seals.get(person), "other": OTHER_SEAL, "none": ""}
        seal_id = choices.get(str(command.get("seal", "own")))
        if seal_id is None:
            raise ControlError(f"seal: one of {', '.join(choices)}; own needs an imported seal")
        return seal_id

    # -- the truth

    def build_report(self, now: float) -> dict[str, Any]:
        """Return every link and authorisation as ``GET /_truth`` answers it."""
        people = [
            {"organization": person[0], "number": person[1], "is_open": self._is_open(person, now)}
            | asdict(one)
            for person, one in self._open.items()
        ]
        return {
            "white_list": self._white_list,
            "links": [asdict(link) | {"state": link.get_state(now)} for link in self.links],
            "people": people,
        }
