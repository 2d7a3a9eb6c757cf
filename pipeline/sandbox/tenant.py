"""Who may call the sandbox: one credential, one application, one hospital, its operators."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Tenant:
    """One hospital as the service knows it; tenants may share a credential, and with it the quota."""

    secret_id: str
    secret_key: str = field(repr=False)
    app_id: str
    organization_open_id: str
    operator_open_id: str
    more_operators: tuple[str, ...] = ()  # further employees whose OpenId is accepted
    token: str | None = field(default=None, repr=False)  # of a temporary credential

    @property
    def operators(self) -> tuple[str, ...]:
        """Every OpenId that may act for the hospital."""
        return (self.operator_open_id, *self.more_operators)


SANDBOX = Tenant(
    secret_id="AKIDsandbox0000000000000000000000001",  # noqa: S106  published on purpose, as is the next:
    secret_key="not-a-secret-only-the-sandbox-knows-it",  # noqa: S106  they open nothing but this room
    app_id="yDsandbox00000000000000000000app",
    organization_open_id="org_sandbox_hospital",
    operator_open_id="sandbox_operator",
)
