"""Temporary keys of a role, from the official SDK's own providers (extra ``role``), which renew them in time.

The providers block, and wait for the metadata without end: they are asked in a thread of their own.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from functools import cached_property
from threading import Thread
from typing import Any

from pipeline.domain.masking import mask_answer
from pipeline.domain.message import Message
from pipeline.errors import CredentialsMissing
from pipeline.esign.signing import Credentials
from pipeline.messages.catalogue import make_message

ASK_SECONDS = 60.0  # between two questions: the providers renew keys five minutes before their end, or sooner
ANSWER_SECONDS = 20.0


class RoleCredentials:
    """The keys of a role; where they cannot be renewed, the old ones are used until the service refuses them."""

    def __init__(self, kind: str, arn: str | None, own_keys: Credentials | None = None) -> None:
        try:
            from tencentcloud.common import credential  # noqa: PLC0415 - an extra
        except ImportError as error:
            raise CredentialsMissing("credentials.no_role_extra") from error
        self._kind, self._arn, self._own_keys, self._sdk = kind, arn, own_keys, credential
        self._keys: Credentials | None = None
        self._ask_at = 0.0  # by the clock of the event loop
        self._lock = asyncio.Lock()
        self.source = f"credentials.role: {kind}" + (f" {arn} ({own_keys.source})" if own_keys else "")
        self.files = own_keys.files if own_keys else ()  # of the keys with which the role is assumed

    async def get_current(self) -> Credentials:
        """Return the keys of the role. Raises CredentialsMissing where it has given none yet."""
        async with self._lock:
            moment = asyncio.get_running_loop().time()
            if self._keys is None or moment >= self._ask_at:
                self._ask_at = moment + ASK_SECONDS
                why = await self._renew()
                if self._keys is None:
                    raise CredentialsMissing("credentials.role_failed", source=self.source, why=why)
            return self._keys

    async def _renew(self) -> Message | str | None:
        """Ask for keys; return why there are none."""
        answer: Future[tuple[str, str, str]] = Future()
        answer.set_running_or_notify_cancel()
        Thread(
            target=self._run_provider, args=(answer,), daemon=True
        ).start()  # the program may end before it
        try:
            parts = await asyncio.wait_for(asyncio.wrap_future(answer), ANSWER_SECONDS)
        except TimeoutError:
            return make_message("wire.no_answer")
        except Exception as error:  # noqa: BLE001 - a provider raises what it likes
            # a message of the SDK may hold the whole answer
            return getattr(error, "code", None) or mask_answer(str(error)) or type(error).__name__
        if not all(parts):  # the provider of a machine hides why
            return make_message("role.not_bound")
        self._keys = Credentials(*parts, self.source, self.files)
        return None

    def _run_provider(self, answer: Future[tuple[str, str, str]]) -> None:
        try:
            answer.set_result(self._provider.get_credential_info())
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is awaited
            answer.set_exception(error)

    @cached_property
    def _provider(self) -> Any:
        if (own := self._own_keys) is not None:
            return self._sdk.STSAssumeRoleCredential(own.secret_id, own.secret_key, self._arn, "esign-import")
        if self._kind == "oidc":
            return self._sdk.DefaultTkeOIDCRoleArnProvider().get_credentials()
        return self._sdk.CVMRoleCredential()
