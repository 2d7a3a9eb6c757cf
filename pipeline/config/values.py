"""The kinds of values in config.yaml: addresses, ages, durations, times, each with its check."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from datetime import datetime, time
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic_core import PydanticCustomError

from pipeline.config.yaml_loader import OURS
from pipeline.domain.server_address import ServerAddress, is_address, is_loopback
from pipeline.ledger.tenant import PRODUCTION_HOSTS, TEST_HOSTS

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


def host_of(text: str) -> str:
    """Return the host of ``http(s)://host[:port]``, the empty text where an address is none."""
    match = _ADDRESS.fullmatch(text)
    return match["host"].lower().strip("[]") if match else ""


def get_endpoint_fault(text: str) -> str | None:
    """Return the key of the sentence why nothing may be sent to an address, None for one that is allowed.

    Only the service's own hosts are allowed, over https; this machine also over http.
    """
    match = _ADDRESS.fullmatch(text)
    if match is None:
        if _HAS_SCHEME.match(text):
            return "config.only_host"
        return "config.no_scheme_here" if is_loopback(host_of(f"http://{text}")) else "config.no_scheme"
    if not _has_possible_port(match):
        return "config.no_port"
    if is_loopback(host_of(text)):
        return None
    if match["scheme"].lower() != "https":
        return "config.needs_https"
    is_service = host_of(text).endswith(SERVICE_HOSTS) and int(match["port"] or HTTPS_PORT) == HTTPS_PORT
    return None if is_service else "config.not_tencent"


def _has_possible_port(match: re.Match[str]) -> bool:
    return match["port"] is None or 1 <= int(match["port"]) <= MAX_PORT


def _require_endpoint(value: str) -> str:
    if (fault := get_endpoint_fault(value)) is not None:
        raise make_fault(fault, value=value)
    return value


def _require_proxy(value: str) -> str:
    match = _PROXY.fullmatch(value)
    if match is None or not _has_possible_port(match):
        raise make_fault("config.proxy" if match is None else "config.no_port")
    return value


def _read_ledger(value: object) -> Path | ServerAddress:
    if isinstance(value, Path | ServerAddress):
        return value
    if not isinstance(value, str):
        raise PydanticCustomError("path_type", "not a path")
    if not is_address(value):
        return Path(value)
    address = ServerAddress.parse(value)
    if address is None:  # its text is not shown: it may hold a password
        raise make_fault("config.no_ledger")
    return address


def make_fault(key: str, /, **detail: object) -> PydanticCustomError:
    """Return a fault of a value, whose text is a message of ours."""
    return PydanticCustomError(OURS, "{key}", {"key": key, "detail": detail})


def _read_time(value: object) -> object:
    if isinstance(value, time):
        return value
    try:
        return datetime.strptime(str(value), "%H:%M").time()  # noqa: DTZ007 - a time of day, local by meaning
    except ValueError:
        raise make_fault("config.no_time", value=value) from None


TimeOfDay = Annotated[time, BeforeValidator(_read_time), WithJsonSchema({"type": "string"})]


_AGE = re.compile(r"([1-9][0-9]{0,4})([dwy])")
_DAYS = {"d": 1, "w": 7, "y": 365}


def parse_age(text: str) -> float | None:
    """Return an age such as 90d, 12w or 1y in seconds, None for another text."""
    match = _AGE.fullmatch(text.strip().lower())
    return int(match[1]) * _DAYS[match[2]] * 86_400.0 if match else None


_DURATION = re.compile(r"([1-9][0-9]{0,4})([smh])")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_LISTEN = re.compile(r"(?:(?P<host>[A-Za-z0-9.-]+|\[[0-9A-Fa-f:]+\]):)?(?P<port>[0-9]{1,5})")
LOOPBACK = "127.0.0.1"


def parse_duration(text: str) -> float:
    """Return a duration such as 30s, 10m or 6h in seconds. Raises ValueError for another text."""
    match = _DURATION.fullmatch(text.strip().lower())
    if match is None:
        raise ValueError(text)
    return int(match[1]) * _SECONDS[match[2]]


def parse_listen(text: str, *, lowest_port: int = 1) -> tuple[str, int]:
    """Return host and port of an address to listen on; a port alone is of this machine. Raises ValueError for another text."""
    match = _LISTEN.fullmatch(text.strip())
    if match is None or not lowest_port <= int(match["port"]) <= MAX_PORT:
        raise ValueError(text)
    return (match["host"] or LOOPBACK).strip("[]"), int(match["port"])


def _require_parsed(parse: Callable[[str], object], fault: str) -> AfterValidator:
    """Return the check of a text that ``parse`` can read; for any other it returns None or raises ValueError."""

    def require(value: str) -> str:
        try:
            parsed = parse(value)
        except ValueError:
            parsed = None
        if parsed is None:
            raise make_fault(fault, value=value)
        return value

    return AfterValidator(require)


def _require_origin(value: str) -> str:
    match = _ADDRESS.fullmatch(value)
    if match is None:
        raise make_fault("config.no_origin", value=value)
    if match["scheme"].lower() == "http" and not is_loopback(host_of(value)):
        raise make_fault("config.no_https", value=value)
    return value.lower().removesuffix("/")


def _require_network(value: str) -> str:
    try:
        return str(ipaddress.ip_network(value))
    except ValueError:
        raise make_fault("config.no_network", value=value) from None


Age = Annotated[str, _require_parsed(parse_age, "config.no_age")]
Duration = Annotated[str, _require_parsed(parse_duration, "config.no_duration")]
Listen = Annotated[str, _require_parsed(parse_listen, "config.no_listen")]
Endpoint = Annotated[str, AfterValidator(_require_endpoint)]
LedgerLocation = Annotated[
    Path | ServerAddress,
    PlainValidator(_read_ledger),
    PlainSerializer(str),
    WithJsonSchema({"format": "path", "type": "string"}),
]
Proxy = Annotated[str, AfterValidator(_require_proxy)]
Origin = Annotated[str, AfterValidator(_require_origin)]
Network = Annotated[str, AfterValidator(_require_network)]
