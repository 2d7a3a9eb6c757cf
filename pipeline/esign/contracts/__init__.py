"""The API contracts by their name in config.yaml; adding one is a module here and an entry in CONTRACTS."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.esign.contracts.base import Contract
from pipeline.esign.contracts.file_id import FILE_ID
from pipeline.esign.contracts.inline import INLINE

CONTRACTS: Mapping[str, Contract] = {contract.name: contract for contract in (FILE_ID, INLINE)}
