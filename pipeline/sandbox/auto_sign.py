"""The life of auto-sign: links that are made, and which doctor can sign with which seal.

What no document states is chosen here: a new link leaves earlier ones valid; a doctor whose licence has ended is not open;
one who is open with a seal gets no further link for opening, but one who is open without a seal does.
"""

from __future__ import annotations

import random
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from pipeline.sandbox.checks import check_signer, get_lifetime_number, get_link_end
from pipeline.sandbox.gateway import Order, Refusal

Response = Mapping[str, Any]  # the inside of ``Response``, without its RequestId
Person = tuple[str, str]  # hospital, lifetime number

LICENCE = 365 * 86_400.0  # seconds
_TOKEN_ALPHABET = string.ascii_letters + string.digits
_LINKS = "https://essurl.invalid/"  # a name that no network resolves: the links must lead nowhere


@dataclass(slots=True)
class Link:
    """One link for one doctor, to open auto-sign or to choose another seal."""

    url: str
    kind: Literal["enable", "seal"]
    person: Person = field(repr=False)
    name: str = field(repr=False)
    expires_at: float  # unix seconds


@dataclass(slots=True)
class Authorisation:
    """A doctor's open auto-sign; an empty SealId = no seal was chosen."""

    seal_id: str
    opened_at: float
    licence_to: float


class AutoSign:
    """Links and authorisations of every doctor; the methods that answer a call raise Refusal."""

    def __init__(self, identifiers: random.Random) -> None:
        self.links: list[Link] = []
        self._random = identifiers
        self._open: dict[Person, Authorisation] = {}

    def describe_status(self, order: Order) -> Response:
        """Answer whether a doctor has opened auto-sign, with which seal and until when."""
        authorisation = self._open.get(_get_person(order, order.sent["UserInfo"]))
        if authorisation is None:
            return {"IsOpen": False}
        return {
            "IsOpen": order.now < authorisation.licence_to,
            "SealId": authorisation.seal_id,
            "LicenseType": 0,
            "LicenseFrom": int(authorisation.opened_at),
            "LicenseTo": int(authorisation.licence_to),
        }

    def create_enable_link(self, order: Order) -> Response:
        """Answer with a link by which a doctor opens auto-sign."""
        user = order.sent["AutoSignConfig"]["UserInfo"]
        person = _get_person(order, user)
        if self._is_open(person, order.now) and self._open[person].seal_id:
            raise Refusal("FailedOperation", "用户已开通授权签")
        return self._make_link("enable", order, user)

    def create_seal_link(self, order: Order) -> Response:
        """Answer with a link by which a doctor who has opened auto-sign chooses another seal."""
        user = order.sent["UserInfo"]
        if not self._is_open(_get_person(order, user), order.now):
            raise Refusal("FailedOperation", "用户未开通授权签")
        return self._make_link("seal", order, user)

    def _is_open(self, person: Person, now: float) -> bool:
        authorisation = self._open.get(person)
        return authorisation is not None and now < authorisation.licence_to

    def _make_link(self, kind: Literal["enable", "seal"], order: Order, user: Mapping[str, Any]) -> Response:
        end = get_link_end(order.sent, order.now)
        url = _LINKS + "".join(self._random.choices(_TOKEN_ALPHABET, k=12))
        self.links.append(Link(url, kind, _get_person(order, user), user["Name"], end))
        return {"Url": url}

    def open(self, person: Person, seal_id: str, now: float, licence_to: float | None = None) -> None:
        """Let a doctor be open with this SealId; an empty one = no seal chosen."""
        self._open[person] = Authorisation(seal_id, now, licence_to or now + LICENCE)


def _get_person(order: Order, user: Mapping[str, Any]) -> Person:
    """Return the person whom a call is about, or raise Refusal."""
    check_signer(order.sent["SceneKey"], user)
    return order.tenant.organization_open_id, get_lifetime_number(user["IdCardNumber"])
