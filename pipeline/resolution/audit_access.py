"""Calls of the audit log: its own host, Region and signature, and keys of its own where they are given."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from typing import Self

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.esign.client import Client
from pipeline.ledger.protocol import Ledger
from pipeline.resolution.service_calls import ServiceAccess
from pipeline.workflow import stage_settings
from pipeline.workflow.hosts_factory import make_limiter


@dataclass(frozen=True, slots=True)
class AuditAccess(ServiceAccess):
    """What a call of the audit log needs."""

    @classmethod
    def from_config(cls, config: Config, clock: Clock, ledger: Ledger | None) -> Self:
        """Find the log's own credentials, else those of the service; raises CredentialsMissing."""
        credentials = stage_settings.get_audit_credentials(config)
        return cls(config, credentials, make_limiter(config, clock), clock, ledger)

    @asynccontextmanager
    async def open_client(self) -> AsyncIterator[Client]:
        """Open a client for the host of the audit log, and close it with the limiter at the end."""
        with closing(self.limiter):
            client = stage_settings.build_audit_client(self.config, self.credentials, self.clock, self.ledger)
            async with client:
                yield client
