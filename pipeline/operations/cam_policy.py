"""The CAM policy of an account that may make this program's calls and no others."""

from __future__ import annotations

from pipeline.config.settings import Config
from pipeline.esign.contracts import AUTO_SIGN_QUERY, CREATE, LIVENESS_CHECK, UPLOAD
from pipeline.esign.signing import SERVICE
from pipeline.workflow.stage_settings import find_contract


def build_policy(config: Config) -> dict[str, object]:
    """Return the policy (CAM, version 2.0) for the configured contract; essbasic authorises by action alone."""
    uploads = (UPLOAD,) if find_contract(config).needs_upload else ()
    actions = (CREATE, *uploads, LIVENESS_CHECK, AUTO_SIGN_QUERY)
    statement = {
        "effect": "allow",
        "action": [f"{SERVICE}:{action}" for action in actions],
        "resource": ["*"],
    }
    return {"version": "2.0", "statement": [statement]}
