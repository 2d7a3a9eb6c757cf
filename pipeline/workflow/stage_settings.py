"""Turns the configuration into the plain arguments of the stages: no stage sees a whole Config."""

from __future__ import annotations

import hashlib
import os
import socket
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.masking import mask_path
from pipeline.domain.roster import Field
from pipeline.domain.run import RunRequest
from pipeline.domain.site_key import SiteKey
from pipeline.esign.contracts import CONTRACTS, Contract
from pipeline.esign.credentials import CredentialsPlaces
from pipeline.esign.products import ESS, Agent, Product
from pipeline.esign.signing import Credentials, CredentialsSource
from pipeline.intake.fields.text_fields import FieldSettings
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.images.prepare import ImageComparer, ImageExaminer
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.intake.readers.model import ReadOptions
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.records import RunRecord
from pipeline.planning.guards import GuardLimits
from pipeline.planning.plan import PlanRules
from pipeline.version import __version__

if TYPE_CHECKING:
    from pipeline.esign.client import Client


# -- the service


def get_product(config: Config) -> Product:
    return get_contract(config).product


def get_contract(config: Config) -> Contract:
    """Return the API contract that is configured."""
    return CONTRACTS[config.api.product, config.api.contract]


def build_agent(config: Config) -> Agent:
    """Return the ids of who acts."""
    agent_class = get_product(config).agent
    return agent_class(**{field.name: getattr(config.api, field.name) for field in fields(agent_class)})


def build_client(config: Config, credentials: CredentialsSource, clock: Clock) -> Client:
    """Return the HTTP client, not yet opened."""
    from pipeline.esign.client import Client  # noqa: PLC0415 - `check` imports no aiohttp
    from pipeline.esign.responses import OF_THIS_PROCESS  # noqa: PLC0415 - the same

    api = config.api
    return Client(
        product=get_product(config),
        endpoint=api.endpoint,
        file_endpoint=api.file_endpoint,
        credentials=credentials,
        clock=clock,
        timeout=api.timeout_seconds,
        answers=OF_THIS_PROCESS,
        region=api.region,
        proxy=api.proxy,
        ca_file=str(config.resolve_path(api.ca_file)) if api.ca_file else None,
    )


def describe_keys(config: Config, credentials: CredentialsSource) -> dict[str, str]:
    """Return what a refusal of the keys or of the operator is explained with: where the keys are, and what is configured."""
    api = config.api
    detail = {"credentials": credentials.source}
    if isinstance(credentials, Credentials):
        detail = credentials.describe()
    if get_product(config) is ESS:
        detail |= {"operator_user": api.operator_user_id}
    else:
        detail |= {"operator": api.operator_open_id, "organization": api.organization_open_id}
    return detail | ({"proxy": "yes"} if api.proxy else {})


def get_credentials_places(config: Config) -> CredentialsPlaces:
    """Return the places where SecretId and SecretKey are looked for."""
    return CredentialsPlaces(
        environment=os.environ,
        secrets_dir=config.resolve_path(config.secrets_dir) if config.secrets_dir else None,
        role=config.credentials.role,
        role_arn=config.credentials.role_arn,
    )


# -- rosters and their fields


def build_read_options(request: RunRequest, config: Config) -> ReadOptions:
    """Return how rosters are read."""
    return ReadOptions(
        passwords=request.passwords,
        store=ImageStore(config.work_folder),
        read_former=config.intake.read_former,
    )


def build_field_settings(config: Config) -> FieldSettings:
    api = config.api
    return FieldSettings(
        scene_key=api.scene_key,
        defaults={Field.ENABLE_AUTO_SIGN: api.enable_auto_sign, Field.LICENSE_TYPE: api.license_type},
        allow_other_card_type=api.allow_other_card_type,
        seal_name_ascii=config.seal_name_ascii,
        accepted_parameters=get_contract(config).optional_parameters,
    )


# -- pictures


def build_image_examiner(config: Config) -> ImageExaminer:
    """Return what examines the pictures of a run and prepares the bytes to send."""
    return ImageExaminer(*_list_image_settings(config))


def build_image_comparer(config: Config) -> ImageComparer:
    """Return what compares the pictures of rows that wait for a decision."""
    return ImageComparer(*_list_image_settings(config))


def _list_image_settings(config: Config) -> tuple[Path, int]:
    return config.work_folder, get_contract(config).max_image_bytes


# -- the plan


def build_guards(request: RunRequest, config: Config) -> GuardLimits:
    """Return the limits at which a run stops; a retry is not judged by what is new or gone."""
    guards = GuardLimits(**config.guards.model_dump())
    if request.command == "retry":
        guards = replace(guards, new_rows=None, shrunk=None)
    return guards.accept_all() if request.accept_guards else guards


def build_plan_rules(
    request: RunRequest,
    config: Config,
    site_key: SiteKey,
    now: float,
    *,
    images: ImageExaminer,
    decided: DecidedPictures | None,
) -> PlanRules:
    """Return what the plan depends on beside roster and ledger."""
    return PlanRules(
        seal_name_template=config.seal_name,
        resend_refused=request.command == "retry",
        site_key=site_key,
        images=images,
        now=now,
        seal_name_ascii=config.seal_name_ascii,
        decided=decided,
        require_review=config.require_review,
    )


def build_run_record(request: RunRequest, config: Config, started: float, site_key: SiteKey) -> RunRecord:
    """Return the ledger's entry of a run that starts now."""
    return RunRecord(
        run=request.run,
        command=request.command,
        started=started,
        host=socket.gethostname(),
        pid=os.getpid(),
        user=read_user_name(),
        rosters=request.make_path_digests(site_key).digest_all(request.rosters),
        out=mask_path(request.out.absolute()),
        contract=config.api.contract,
        config_digest=hashlib.sha256(config.digest_text().encode()).hexdigest(),
        version=__version__,
    )
