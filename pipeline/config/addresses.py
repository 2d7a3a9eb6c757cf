"""Which addresses a configuration may name: the service's own hosts, this machine, and a proxy."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pipeline.ledger.tenant import PRODUCTION_HOSTS, TEST_HOSTS, is_loopback

HTTPS_PORT = 443
MAX_PORT = 65_535
SERVICE_HOSTS = (PRODUCTION_HOSTS, ".ess.tencent.cn")
assert TEST_HOSTS.endswith(SERVICE_HOSTS[1])

# Stricter than urlsplit, and ASCII alone: what one parser takes for a part of the host, another takes for its end.
_HOST = r"(?P<host>\[[0-9a-f:.]+\]|[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*)"
_PORT = r"(?::(?P<port>[0-9]{1,5}))?"
_ADDRESS = re.compile(rf"(?P<scheme>https?)://{_HOST}{_PORT}/?", re.IGNORECASE | re.ASCII)
_PROXY = re.compile(rf"(?P<scheme>https?)://(?:[^\s/@\\]+@)?{_HOST}{_PORT}/?", re.IGNORECASE | re.ASCII)
_HAS_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE | re.ASCII)


@dataclass(frozen=True, slots=True)
class Address:
    """Scheme, host and port of an address."""

    scheme: str
    host: str
    port: int | None

    @property
    def port_exists(self) -> bool:
        """Return whether the port is one that a connection can go to."""
        return self.port is None or 1 <= self.port <= MAX_PORT


def parse_address(text: str) -> Address | None:
    """Return the parts of ``http(s)://host[:port]``, None for any other text."""
    return _build_address(_ADDRESS.fullmatch(text))


def host_of(text: str) -> str:
    """Return the host of an address, the empty text where it is none."""
    address = parse_address(text)
    return address.host if address else ""


def find_endpoint_fault(text: str) -> str | None:
    """Return the key of the sentence why nothing may be sent to an address, None for one that is allowed.

    Only the service's own hosts are allowed, over https; this machine also over http.
    """
    address = parse_address(text)
    if address is None:
        return "config.only_host" if _HAS_SCHEME.match(text) else "config.no_scheme"
    if not address.port_exists:
        return "config.no_port"
    if is_loopback(address.host):
        return None
    if address.scheme != "https":
        return "config.needs_https"
    known = address.host.endswith(SERVICE_HOSTS)
    return None if known and address.port in {None, HTTPS_PORT} else "config.not_tencent"


def find_proxy_fault(text: str) -> str | None:
    """Return the key of the sentence why an address is no proxy, None for one that is."""
    address = _build_address(_PROXY.fullmatch(text))
    if address is None:
        return "config.proxy"
    return None if address.port_exists else "config.no_port"


def _build_address(match: re.Match[str] | None) -> Address | None:
    if match is None:
        return None
    port = match["port"]
    host = match["host"].lower().removeprefix("[").removesuffix("]")
    return Address(match["scheme"].lower(), host, int(port) if port else None)
