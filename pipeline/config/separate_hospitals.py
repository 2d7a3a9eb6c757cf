"""Several hospitals must not share results, ledger or tenant."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pipeline.errors import UsageError
from pipeline.esign.products import ESS

if TYPE_CHECKING:
    from pipeline.config.settings import Config


def require_separate_hospitals(configs: Mapping[str, Config]) -> None:
    """Raise UsageError where two hospitals have the same results, the same place of the ledger or the same tenant."""
    owners: dict[tuple[str, str], str] = {}
    for name, config in configs.items():
        for key, value in _list_own_values(config):
            owner = owners.setdefault((key, value), name)
            if owner != name:
                raise UsageError("hospitals.shared", first=owner, second=name, key=key, value=value)


def _list_own_values(config: Config) -> Iterator[tuple[str, str]]:
    """Yield the keys whose values belong to one hospital alone, with the values as they are compared."""
    if not config.api.placeholders:
        is_own_customer = config.api.product == ESS.name
        yield "api.organization" if is_own_customer else "api.organization_open_id", config.tenant
    places = {"out": config.resolve_path(config.out)}
    if not config.is_ledger_on_server:
        places["ledger"] = (
            config.resolve_ledger_file().parent
        )  # the files of the page and the pictures lie in it
    for key, path in places.items():
        yield key, os.path.normcase(os.path.realpath(path))
