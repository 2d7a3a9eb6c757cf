"""The TLS settings of every connection to the service."""

from __future__ import annotations

import ssl
import sys


def make_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context that verifies the server, by ``ca_file`` alone where one is given; OSError where it is no use.

    It is what `ssl.create_default_context` makes, but for SSLKEYLOGFILE: the secrets of a connection that carries
    identity numbers are written nowhere, whatever the environment says.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificate and host name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if sys.version_info >= (3, 13):
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VERIFY_X509_STRICT
    if ca_file is not None:
        context.load_verify_locations(ca_file)
    else:
        context.load_default_certs()
    return context
