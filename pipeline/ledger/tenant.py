"""Whose ledger it is: environment, application and organisation."""

from __future__ import annotations

import ipaddress
from urllib.parse import quote, urlsplit

from pipeline.errors import UsageError

TEST_HOSTS = ".test.ess.tencent.cn"
PRODUCTION_HOSTS = ".tencentcloudapi.com"


def tenant(endpoint: str, app_id: str, organization_open_id: str) -> str:
    """Return the tenant as ``production/AppId/ProxyOrganizationOpenId``.

    The environment is ``production``, ``test`` or, for any loopback address and port, ``sandbox``. Raises UsageError
    for a host of none of them: a ledger must not belong to a place nobody can name.
    """
    return "/".join([environment(endpoint), quote(app_id, safe=""), quote(organization_open_id, safe="")])


def environment(endpoint: str) -> str:
    """Return ``production``, ``test`` or ``sandbox`` for the service's address."""
    host = urlsplit(endpoint).hostname or ""
    if is_loopback(host):
        return "sandbox"
    if host.endswith(TEST_HOSTS):
        return "test"
    if host.endswith(PRODUCTION_HOSTS):
        return "production"
    raise UsageError("ledger.strange_endpoint", endpoint=endpoint)


def is_loopback(host: str) -> bool:
    """Tell whether a host name or address can only mean this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
