"""Describes a reply that is no answer of the service: a redirect, a login page, another status, or something else.

What stands in the answer's place came from an unknown server: of it only a host and the title of a page are shown, short and
without control characters.
"""

from __future__ import annotations

import html
import re
from urllib.parse import urlsplit

from pipeline.domain.masking import mask_answer
from pipeline.domain.message import Message
from pipeline.esign.responses import HTTP_OK, Reply
from pipeline.messages.catalogue import make_message

PROXY_LOGIN, SERVER_ERROR = 407, 500
MAX_SHOWN = 60  # characters of a host or a title
PAGE_START = 4096  # bytes in which a page is known and its title stands
_PAGE = re.compile(r"<(?:!doctype|html|head|body|title|script|meta|form)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>([^<]+)</title", re.IGNORECASE)


def describe_reply_fault(reply: Reply) -> Message:
    """Return what came in place of an answer; ``reply.answer`` is None."""
    if reply.is_repeated and reply.status == HTTP_OK:
        return make_message("wire.repeated")
    target = _shorten(_read_host(reply.location))
    return make_message(
        f"wire.{_name_fault(reply, target)}",
        status=reply.status,
        page=_describe_title(reply.body),
        target=target,
    )


def _name_fault(reply: Reply, target: str) -> str:
    """Return the last part of the key of a fault; ``target`` is the host of a redirect."""
    if 300 <= reply.status < 400 and target:
        return "redirect"
    if reply.status == PROXY_LOGIN:
        return "proxy_login"
    if reply.status != HTTP_OK:
        return "gateway" if reply.status >= SERVER_ERROR else "status"
    return "page" if _PAGE.search(_decode_start(reply.body)) else "not_ours"


def _describe_title(body: bytes) -> Message | str:
    """Return the title of a page for the end of a sentence, empty where there is none."""
    match = _TITLE.search(_decode_start(body))
    title = _shorten(mask_answer(html.unescape(match[1]))) if match else ""
    return make_message("wire.title", title=title) if title else ""


def _decode_start(body: bytes) -> str:
    """Return the start of a body as text, as far as it can be read."""
    start = body[:PAGE_START]
    text = start.decode("utf-8", "replace")
    return start.decode("gb18030", "replace") if "charset=gb" in text.lower().replace('"', "") else text


def _read_host(location: str | None) -> str:
    """Return the host of a redirect: the rest of the address may hold a token."""
    try:
        return urlsplit(location or "").netloc.rpartition("@")[2]
    except ValueError:
        return ""


def _shorten(text: str) -> str:
    """Return a text of an unknown server as it may stand in a line."""
    words = " ".join(text.split())
    shown = "".join(character for character in words if character.isprintable())
    return shown if len(shown) <= MAX_SHOWN else shown[: MAX_SHOWN - 1] + "…"
