"""What an error of the service asks for: what it means, who acts, what to do, whether a rerun helps.

Every code has the advice of its meaning; frequent ones and those for others to act upon have texts of their own. Who acts
and whether a rerun helps: `pipeline.domain.service_codes`. Our own codes and the reasons why a run stops are here, too,
and what to do about a network that lets no answer through.
The texts are in ``service_errors.toml``, under ``.todo`` what to do.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple, dataclass
from functools import cache
from typing import cast
from urllib.parse import urlsplit

from pipeline.domain.message import Message
from pipeline.domain.server_address import is_loopback
from pipeline.domain.service_codes import (
    CODES,
    HANDLING,
    Handling,
    Meaning,
    Rerun,
    ResponsibleRole,
    get_code_meaning,
    get_handling,
    get_listed_meaning,
)
from pipeline.messages.areas import get_words, is_known, list_keys
from pipeline.messages.catalogue import make_message

# code -> the code with the same texts
_SAME_TEXTS: Mapping[str, str] = {
    "OperationDenied.InvalidApproverAge": "FailedOperation.AgeNotAchieveNormalLegal",
    "InvalidParameterValue.InvalidMobile": "InvalidParameter.Mobile",
    "OperationDenied.Sensitive": "InvalidParameter.Sensitive",
}
_TODO = ".todo"
# code of a call about auto-sign: the doctor needs no link
OPEN_ALREADY = "FailedOperation.UserAutoSignEnableAlready"
HTTPS_PORT = 443
# what to do about the network -> the texts of the wire that ask for it; both are the last parts of keys
_CURES: Mapping[str, str] = {
    "reach": "no_connection",
    "no_host": "no_host",
    "no_proxy": "no_proxy",
    "proxy_status": "proxy_status",
    "proxy_login": "proxy_login",
    "certificate": "certificate",
    "port_not_https": "port_not_https",
    "tls_failed": "tls_failed",
    "no_answer": "no_answer",
    "cut": "cut closed_before cut_in_answer cut_in_handshake",
    "other_server": "not_http answer_too_large not_ours repeated",
    "page": "page redirect",
    "status": "status",
    "gateway": "gateway",
}
_CURE_OF_FAULT = {f"wire.{fault}": cure for cure, faults in _CURES.items() for fault in faults.split()}
_OF_SERVICE = frozenset({"gateway", "no_answer"})  # cures of a service that was reached
_OF_NO_SANDBOX = frozenset(
    {"reach", "other_server", "status", "gateway"}
)  # cures that are others where the host is this machine
_REFUSED = "system.ECONNREFUSED"


@dataclass(frozen=True, slots=True)
class Advice:
    """One code's advice: who acts, whether a rerun helps, what the code means and what to do."""

    who: ResponsibleRole
    rerun: Rerun
    meaning: Message
    todo: Message

    def summarize(self, language: str) -> str:
        """Return the meaning without its full stop, for use inside another sentence."""
        return self.meaning.render(language).rstrip("。.")

    def as_message(self) -> Message:
        """Return the meaning and what to do as one text."""
        return make_message("advice.both", meaning=self.meaning, todo=self.todo)


def _make_advice(key: str, handling: Handling | None = None, **arguments: object) -> Advice:
    """Return the advice of an entry, which names who acts and whether a rerun helps where no handling is given.

    ``arguments`` fill what to do.
    """
    words = get_words(key)
    if handling is None:
        who, rerun = cast("ResponsibleRole", words["who"]), cast("Rerun", words["rerun"])
    else:
        who, rerun = astuple(handling)
    todo = words.get("todo", f"{key}{_TODO}")
    return Advice(who, rerun, make_message(key), make_message(todo, **arguments))


def _list_names(start: str) -> list[str]:
    """Return what follows ``start`` in the keys of the advice."""
    keys = list_keys("service_errors")
    return [key.removeprefix(start) for key in keys if key.startswith(start) and not key.endswith(_TODO)]


@cache
def list_meanings() -> Mapping[Meaning, Advice]:
    return {meaning: _make_advice(f"meaning_of.{meaning}", HANDLING[meaning]) for meaning in HANDLING}


@cache
def list_answers() -> Mapping[str, Advice]:
    """Return the advice on our own codes where the service gave nothing usable (``Outcome.code``)."""
    return {code: _make_advice(f"answer.{code}") for code in _list_names("answer.")}


@cache
def list_halts() -> Mapping[str, Advice]:
    """Return the advice on why a run stops before its end (run.json, ``halted.code``)."""
    halts = {code: _make_advice(f"halt_advice.{code}") for code in _list_names("halt_advice.")}
    return {**halts, "SEAL_ID_REUSED": list_answers()["SEAL_ID_REUSED"]}


@cache
def list_code_advice() -> Mapping[str, Advice]:
    """Return the advice on the codes of the service that have texts of their own."""
    texts = {**{code: code for code in _list_names("code.")}, **_SAME_TEXTS}
    return {code: _make_advice(f"code.{same}", get_handling(code)) for code, same in texts.items()}


def is_known_code(code: str) -> bool:
    is_ours = code in list_answers() or code.startswith("http_")
    return is_ours or code in CODES or code in list_code_advice()


def get_refusal_advice(code: str) -> Advice:
    """Return the advice on a code with which a row was refused; an unlisted one is about the row."""
    return get_advice(code) if is_known_code(code) else list_meanings()["row"]


def get_action_advice(code: str, action: str) -> Advice | None:
    """Return the advice on a code that means something of its own in one action; None for the usual meaning."""
    for name in (action, f"Channel{action}"):  # the names of essbasic stand for those of ess
        if is_known(key := f"code_of.{name}.{code}"):
            handling = Handling("nobody", "itself") if code == OPEN_ALREADY else get_handling(code)
            return _make_advice(key, handling, action=action)
    return None


def get_halt_advice(code: str, action: str = "") -> Advice | None:
    """Return the advice on the code for which a run or the one call of ``action`` ended; None for an unlisted code.

    An upload stops the run with codes that are unlisted, or that only refuse a row where a create gets them.
    """
    if (advice := get_action_advice(code, action)) is not None:
        return advice
    meaning = get_listed_meaning(code)
    if meaning == "row":
        return list_meanings()["permission"]
    return (
        list_halts().get(code)
        or list_code_advice().get(code)
        or (list_meanings()[meaning] if meaning else None)
    )


def make_network_cure(why: str, host: str) -> Message | None:
    """Return what to do about a call that got no answer of the service; None where ``why`` is no text of the wire.

    ``host`` is the one at fault, with its port where it is not the usual one.
    """
    cure = _CURE_OF_FAULT.get(why.key) if isinstance(why, Message) else None
    if cure is None:
        return None
    address = urlsplit(f"//{host}")
    if cure in _OF_NO_SANDBOX and is_loopback(address.hostname or ""):
        is_refused = getattr(cast("Message", why).arguments.get("why"), "key", "") == _REFUSED
        cure = "sandbox" if is_refused else "sandbox_port"
    if cure == "port_not_https" and is_loopback(address.hostname or ""):
        cure = "sandbox_http"
    return make_message(f"cure.{cure}", host=host, port=address.port or HTTPS_PORT)


def is_network_fault(why: object) -> bool:
    """Return whether the network, a proxy or a portal is at fault for a call without an answer, not the service."""
    cure = _CURE_OF_FAULT.get(why.key) if isinstance(why, Message) else None
    return cure is not None and cure not in _OF_SERVICE


def get_advice(code: str) -> Advice:
    """Return the advice on the answer to a create; an unlisted code proves nothing."""
    own = list_code_advice().get(code) or list_answers().get(code)
    if own is not None:
        return own
    return (
        list_answers()["http_502"]
        if code.startswith("http_")
        else list_meanings()[get_code_meaning(code) or "unknown"]
    )
