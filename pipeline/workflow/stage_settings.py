"""Turns the configuration into the plain arguments of the stages: no stage sees a whole Config."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from datetime import UTC, date, datetime
from math import inf
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.roster import Field, ImageFile, ImagePreview, PreparedImage, Problem
from pipeline.domain.run import Judgement, RunRequest
from pipeline.domain.seals import PersonHistory, SealContent
from pipeline.esign.contracts import CONTRACTS, Agent, Contract
from pipeline.esign.signing import CredentialsSource
from pipeline.intake.fields.validate import FieldSettings
from pipeline.intake.images.checked_images import CheckedImages
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.images.prepare import digest_pixels, load_preview, prepare_image
from pipeline.intake.readers.model import HEADER, ReadOptions, StoreImage
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.protocol import Ledger, RunRecord
from pipeline.ledger.tenant import SiteKey
from pipeline.planning.guards import Guards
from pipeline.planning.plan import PlanRules
from pipeline.planning.unsent_rows import ImagePreparer
from pipeline.version import __version__

if TYPE_CHECKING:
    from pipeline.esign.client import Client
    from pipeline.esign.role import Role

# below the work folder: small copies of pictures, and what was found out about them
PREVIEWS, CHECKED = "previews", "checked"
_PIXELS_A_SECOND = 100_000_000  # that a core prepares


# -- the service


def find_contract(config: Config) -> Contract:
    """Return the API contract that is configured."""
    return CONTRACTS[config.api.contract]


def build_agent(config: Config) -> Agent:
    """Return the ids of application, organisation and operator."""
    return Agent(**{field.name: getattr(config.api, field.name) for field in fields(Agent)})


def build_client(
    config: Config, credentials: CredentialsSource, clock: Clock, ledger: Ledger | None = None
) -> Client:
    """Return the HTTP client, not yet opened; an answer that ``ledger`` knows is none."""
    from pipeline.esign.client import Client  # noqa: PLC0415 - `check` imports no aiohttp
    from pipeline.esign.seen_answers import OF_THIS_PROCESS  # noqa: PLC0415 - the same

    if ledger is not None:
        OF_THIS_PROCESS.remember(ledger.list_request_ids(), ledger.list_seal_ids())
    api = config.api
    return Client(
        endpoint=api.endpoint,
        file_endpoint=api.file_endpoint,
        credentials=credentials,
        clock=clock,
        timeout=api.timeout_seconds,
        answers=OF_THIS_PROCESS,
        region=api.region,
        proxy=api.proxy,
        ca_file=_find_ca_file(config),
    )


def build_role(config: Config) -> Role | None:
    """Return the role that is asked for keys, None where none is configured."""
    settings = config.credentials
    if settings.role is None:
        return None
    from pipeline.esign.role import Role  # noqa: PLC0415 - `check` imports no aiohttp

    return Role(
        kind=settings.role,
        name=settings.role_name,
        arn=settings.role_arn,
        seconds=settings.duration_seconds,
        endpoint=settings.endpoint,
        proxy=config.api.proxy,
        ca_file=_find_ca_file(config),
    )


def _find_ca_file(config: Config) -> str | None:
    return str(config.resolve_path(config.api.ca_file)) if config.api.ca_file else None


# -- rosters and their fields


def build_read_options(request: RunRequest, config: Config) -> ReadOptions:
    """Return how rosters are read."""
    return ReadOptions(
        max_rows=config.intake.max_rows + HEADER,
        passwords=request.passwords,
        keep=build_image_store(config),
        read_former=config.intake.read_former,
    )


def build_field_settings(config: Config) -> FieldSettings:
    """Return the configuration of the fields."""
    return FieldSettings(
        defaults={
            field: getattr(config.api, field) for field in Field if field in type(config.api).model_fields
        },
        allow_other_card_type=config.api.allow_other_card_type,
        seal_name_ascii=config.seal_name_ascii,
        accepted_parameters=find_contract(config).optional_parameters,
    )


# -- pictures


def build_image_store(config: Config) -> StoreImage:
    """Return the function that puts the bytes of a picture out of a workbook or zip into the work folder."""
    return ImageStore(config.resolve_path(config.work)).put


def _build_checked_images(config: Config) -> CheckedImages:
    """Return what was found out about pictures before, under the same settings."""
    limit, pictures = find_contract(config).max_image_bytes, config.pictures
    settings = f"limit {limit}, trim {pictures.trim}, transparent {pictures.transparent}"
    return CheckedImages(config.resolve_path(config.work) / CHECKED, settings)


def find_least_prepared(config: Config, limit: int | None) -> float:
    """Return from how many pixels on a run prepares pictures before the first call; ``limit`` is that of its rows.

    Smaller ones are prepared while calls are made, faster than these may follow each other.
    """
    return inf if limit is not None else _PIXELS_A_SECOND / config.limits.requests_per_second


def build_image_preparer(
    config: Config, pixel_owners: Mapping[str, PersonHistory] = MappingProxyType({})
) -> ImagePreparer:
    """Return what decodes the pictures of rows and prepares the bytes to send."""
    work, checked = config.resolve_path(config.work), _build_checked_images(config)

    def prepare(picture: ImageFile) -> PreparedImage | tuple[Problem, ...]:
        return prepare_image(
            picture,
            limit=find_contract(config).max_image_bytes,
            work=work,
            trim=config.pictures.trim,
            transparent=config.pictures.transparent,
            previews_folder=work / PREVIEWS,
            checked=checked,
        )

    return ImagePreparer(prepare, pixel_owners, checked.find_pixels, checked.is_in_memory)


def build_preview_loader(config: Config) -> Callable[[ImageFile, bool, str | None], ImagePreview | None]:
    """Return the function that loads the small copy of what is sent of a picture.

    Its second argument allows to open the picture, the third is the digest of the bytes that are sent, if it is known.
    """

    def load(picture: ImageFile, may_open: bool, sent: str | None) -> ImagePreview | None:
        return load_preview(
            picture,
            sent=sent,
            folder=config.resolve_path(config.work) / PREVIEWS,
            may_open=may_open,
            limit=find_contract(config).max_image_bytes,
            trim=config.pictures.trim,
            transparent=config.pictures.transparent,
        )

    return load


# -- the plan


def build_guards(request: RunRequest, config: Config) -> Guards:
    """Return the limits at which a run stops; a retry is not judged by what is new or gone."""
    limits = config.guards.model_dump(exclude={"give_up_minutes"})
    guards = Guards(**limits, patience=config.guards.give_up_minutes * 60)
    if request.command == "retry":
        guards = replace(guards, new_rows=None, shrunk=None)
    return guards.accept_all() if request.accept_guards else guards


def build_plan_rules(
    request: RunRequest,
    config: Config,
    site_key: SiteKey | None,
    clock: Clock,
    *,
    judgements: Mapping[str, Judgement],
) -> PlanRules:
    """Return what the plan depends on beside roster and ledger."""
    now = clock.now()

    def may_probe(person: PersonHistory) -> bool:
        """Return whether a create may be sent once more to resolve it: its signature is no longer accepted."""
        if config.unknown != "probe" or request.command == "check":
            return False
        if request.only_keys and person.key not in request.only_keys:
            return False
        attempt = person.unresolved_attempt
        return attempt is not None and attempt.verdict == "unknown" and now >= attempt.replayable_until

    return PlanRules(
        seal_name_template=config.seal_name,
        resend_refused=request.command == "retry",
        digest=site_key.digest if site_key else _digest_nothing,
        is_same_image=_is_same_image,
        today=clock.today(),
        to_day=_to_local_day,
        seal_name_ascii=config.seal_name_ascii,
        may_probe=may_probe,
        judgement_id=site_key.judgement if site_key else None,
        judgements=judgements,
        require_review=config.require_review,
    )


def _to_local_day(seconds: float) -> date:
    return datetime.fromtimestamp(seconds, UTC).astimezone().date()


def _digest_nothing(_: str) -> str:
    """Stand in for the site key of a check without a ledger, where nothing is compared."""
    return ""


def _is_same_image(picture: ImageFile, content: SealContent) -> bool:
    """Compare source bytes, else decoded pixels; only a picture that was changed is opened."""
    if picture.sha256 == content.picture:
        return True
    return content.pixels is not None and digest_pixels(picture.file) == content.pixels


def build_run_record(request: RunRequest, config: Config, started: float) -> RunRecord:
    """Return the ledger's entry of a run that starts now."""
    return RunRecord(
        run=request.run,
        command=request.command,
        started=started,
        host=socket.gethostname(),
        pid=os.getpid(),
        user=read_user_name(),
        rosters=tuple(str(path.absolute()) for path in request.rosters),
        context=tuple(str(path.absolute()) for path in request.context),
        seals=str(request.seals.absolute()) if request.seals else None,
        out=str(request.out.absolute()),
        contract=config.api.contract,
        config_digest=hashlib.sha256(config.digest_text().encode()).hexdigest(),
        version=__version__,
    )
