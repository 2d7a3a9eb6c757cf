"""From the configuration to the plain arguments of the stages: no stage ever sees a whole Config."""

from __future__ import annotations

import hashlib
import json
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial
from math import ceil
from types import MappingProxyType

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.metrics import Traffic
from pipeline.domain.roster import Doctor, Field, ImageFile, ImagePreview, PreparedImage, Problem, SentSize
from pipeline.domain.run import Judgement, RowPlan, RunPreview, RunRequest
from pipeline.domain.seals import LedgerSnapshot, LiveSeal, PersonHistory, SealContent, SealRequest
from pipeline.domain.service_codes import has_reason
from pipeline.esign.client import Client
from pipeline.esign.contracts import CONTRACTS
from pipeline.esign.contracts.base import CREATE, Agent, Contract
from pipeline.esign.rate_limiter import Limiter, max_in_rolling_second
from pipeline.esign.signing import Credentials
from pipeline.intake.fields.text_fields import check_seal_name
from pipeline.intake.fields.validate import FieldSettings
from pipeline.intake.images.image_files import ImageStore
from pipeline.intake.images.prepare import digest_pixels, find_sent_size, prepare_image
from pipeline.intake.images.preview import load_preview
from pipeline.intake.pairing.picture_column import EarlierRow, FindEarlierRows
from pipeline.intake.pairing.sealed_people import NO_SEALED_PEOPLE, SealedPeople, SealedPerson
from pipeline.intake.readers.options import HEADER, ReadOptions, StoreImage
from pipeline.ledger.lock import read_user_name
from pipeline.ledger.protocol import Ledger, RunRecord
from pipeline.ledger.site_key import SiteKey
from pipeline.ledger.tenant import make_tenant_id
from pipeline.planning.guards import Guards, deadline
from pipeline.planning.plan import PlanRules, find_image_conflict
from pipeline.sending.submit import Prepare, Submitted
from pipeline.version import __version__

PREVIEWS = "previews"  # below the work folder: small copies of pictures


def tenant_of(config: Config) -> str:
    """Return the tenant that a configuration speaks for."""
    return make_tenant_id(config.api.endpoint, config.api.app_id, config.api.organization_open_id)


def agent(config: Config) -> Agent:
    """Return who acts."""
    api = config.api
    return Agent(
        app_id=api.app_id,
        organization_open_id=api.organization_open_id,
        operator_open_id=api.operator_open_id,
        proxy_operator_open_id=api.proxy_operator_open_id,
        proxy_app_id=api.proxy_app_id,
    )


def contract_of(config: Config) -> Contract:
    """Return the API contract that is configured."""
    return CONTRACTS[config.api.contract]


def client(config: Config, credentials: Credentials, clock: Clock) -> Client:
    """Return the HTTP client, not yet opened."""
    api = config.api
    return Client(
        endpoint=api.endpoint,
        file_endpoint=api.file_endpoint,
        credentials=credentials,
        clock=clock,
        timeout=api.timeout_seconds,
        region=api.region,
        proxy=api.proxy,
        ca_file=str(config.path(api.ca_file)) if api.ca_file else None,
    )


def field_settings(config: Config) -> FieldSettings:
    """Return what the configuration says of the fields."""
    return FieldSettings(
        defaults={
            field: getattr(config.api, field) for field in Field if field in type(config.api).model_fields
        },
        allow_other_card_type=config.api.allow_other_card_type,
        seal_name_ascii=config.seal_name_ascii,
        accepted_parameters=contract_of(config).optional_parameters,
    )


def preparer(config: Config, drawn: Mapping[str, PersonHistory] = MappingProxyType({})) -> Prepare:
    """Return the function that decodes a row's picture and readies the bytes to send.

    ``drawn`` tells by the digest of its pixels whose seal shows the same drawing, perhaps in another format.
    """
    prepare = partial(
        prepare_image,
        limit=contract_of(config).max_image_bytes,
        work=config.path(config.work),
        trim=config.pictures.trim,
        transparent=config.pictures.transparent,
        previews_folder=config.path(config.work) / PREVIEWS,
    )

    def ready(planned: RowPlan) -> PreparedImage | tuple[Problem, ...]:
        assert planned.doctor.picture is not None
        prepared = prepare(planned.doctor.picture)
        if not isinstance(prepared, PreparedImage):
            return prepared
        stranger = find_image_conflict(planned.doctor, drawn.get(prepared.pixels))
        return (stranger,) if stranger else prepared

    return ready


def images_without_seal(doctors: Iterable[Doctor], snapshot: LedgerSnapshot) -> Iterator[ImageFile]:
    """Yield the pictures of doctors who have no seal: what the others have is not opened again."""
    for doctor in doctors:
        past = snapshot.people.get(doctor.key) if doctor.key else None
        if doctor.picture is not None and not (past and (past.seal or past.unresolved_attempt)):
            yield doctor.picture


def find_sealed_people(
    snapshot: LedgerSnapshot, ledger: Ledger | None, site_key: SiteKey | None
) -> SealedPeople:
    """Return the people who have a seal, as far as their names and numbers may be those of picture files."""
    if ledger is None or site_key is None:
        return NO_SEALED_PEOPLE
    owners = [past for past in snapshot.people.values() if past.seal is not None]
    adopted = [_sealed_person(past) for past in owners if past.seal and past.seal.content is None]
    keys = frozenset(past.key for past in owners)
    return SealedPeople(
        keys, adopted, lambda: list(map(_sealed_person, owners)), ledger.list_staff_numbers, site_key.person
    )


def _sealed_person(past: PersonHistory) -> SealedPerson:
    assert past.seal is not None
    made = past.seal.content
    name = made.name if made else past.name
    return SealedPerson(past.key, name, past.seal.seal_name, picture_known=made is not None)


def make_row_finder(ledger: Ledger | None) -> FindEarlierRows:
    """Return the function that gives the rows of an earlier run by the sha256 of their pictures."""

    @cache
    def find_earlier_rows(run: str) -> Mapping[str, Sequence[EarlierRow]] | None:
        rows = ledger.list_rows(run) if ledger is not None and run else []
        found: dict[str, list[EarlierRow]] = {}
        for row in rows:
            line = json.loads(row.line)
            if picture := line["picture"]:
                place = " ".join(filter(None, (row.file, row.sheet, str(row.row))))
                found.setdefault(picture["sha256"], []).append(
                    EarlierRow(row.row_id, row.key, line["name"], place)
                )
        return found if rows else None

    return find_earlier_rows


def sent_size(config: Config) -> Callable[[ImageFile, LiveSeal], SentSize | None]:
    """Return the function that tells at which size an older seal's picture was sent."""

    def size_of(picture: ImageFile, seal: LiveSeal) -> SentSize | None:
        return find_sent_size(
            picture,
            work=config.path(config.work),
            same_bytes=seal.content is not None and seal.content.picture == picture.sha256,
            run=seal.run,
            trim=config.pictures.trim,
            transparent=config.pictures.transparent,
        )

    return size_of


def preview(config: Config) -> Callable[[ImageFile, bool], ImagePreview | None]:
    """Return the function that gives the small copy of a picture; it may open the picture only where it is told."""
    folder = config.path(config.work) / PREVIEWS
    return lambda picture, opening: load_preview(picture, folder=folder, may_open=opening)


def read_options(ask: RunRequest, config: Config) -> ReadOptions:
    """Return how rosters are read."""
    return ReadOptions(
        max_rows=config.intake.max_rows + HEADER,
        passwords=ask.passwords,
        keep=image_store(config),
    )


def image_store(config: Config) -> StoreImage:
    """Return what puts the bytes of a picture out of a workbook or zip into the work folder."""
    return ImageStore(config.path(config.work)).put


def guards(ask: RunRequest, config: Config) -> Guards:
    """Return where this night stops; a retry is not judged by what is new or gone."""
    said = config.guards
    chosen = Guards(
        new_rows=said.new_rows,
        new_share=said.new_share,
        shrunk=said.shrunk,
        unknown=said.unknown,
        same_refusal=said.same_refusal,
        seals_exist=said.seals_exist,
        deadline=said.deadline,
        patience=said.give_up_minutes * 60,
    )
    if ask.command == "retry":
        chosen = replace(chosen, new_rows=None, shrunk=None)
    return chosen.accepted() if ask.accept_guards else chosen


def deadline_timestamp(limits: Guards, clock: Clock) -> float | None:
    """Return the unix second at which this night has to stop."""
    moment = deadline(limits, datetime.fromtimestamp(clock.now(), UTC).astimezone())
    return moment.timestamp() if moment else None


def workers(config: Config) -> int:
    """Return how many rows are between upload and verdict at a time: enough for both calls of a row."""
    return creates_in_flight(config) * (2 if contract_of(config).needs_upload else 1)


def creates_in_flight(config: Config) -> int:
    """Return how many creates may be under way at once: a whole number, at least one."""
    return max(1, int(config.limits.concurrency))


def doors(config: Config) -> int:
    """Return how many open connections may wait for a slot: a second's worth, so that none waits long."""
    return ceil(min(config.limits.requests_per_second, creates_in_flight(config)))


def rules(
    ask: RunRequest,
    config: Config,
    site_key: SiteKey | None,
    clock: Clock,
    judgements: Mapping[str, Judgement],
    *,
    shrunk: Mapping[str, SentSize],
) -> PlanRules:
    """Return what the plan needs to know beside roster and ledger."""
    return PlanRules(
        template=config.seal_name,
        again=ask.command == "retry",
        digest=site_key.digest if site_key else _no_digest,
        same_picture=_same_picture,
        today=clock.today(),
        day_of=lambda seconds: datetime.fromtimestamp(seconds, UTC).astimezone().date(),
        has_reason=has_reason,
        name_problem=partial(_name_problem, ascii_allowed=config.seal_name_ascii),
        may_probe=partial(_may_probe, config=config, ask=ask, now=clock.now()),
        judgement_id=site_key.judgement if site_key else None,
        judgements=judgements,
        require_review=config.require_review,
        shrunk=shrunk,
    )


def _may_probe(past: PersonHistory, *, config: Config, ask: RunRequest, now: float) -> bool:
    """Tell whether a create may be sent once more to settle it: where that is wanted, and its signature is dead."""
    if (
        config.unknown != "probe"
        or ask.command == "check"
        or (ask.only_keys and past.key not in ask.only_keys)
    ):
        return False
    tried = past.unresolved_attempt
    return tried is not None and tried.verdict == "unknown" and now >= tried.replayable_until


def _no_digest(_: str) -> str:
    """Stand in for the site key of a check without a config, where nothing is compared with a ledger."""
    return ""


def _same_picture(picture: ImageFile, made: SealContent) -> bool:
    """Compare by source bytes, else by decoded pixels; only a picture that was touched is opened."""
    if picture.sha256 == made.picture:
        return True
    return made.pixels is not None and digest_pixels(picture.file) == made.pixels


def _name_problem(name: str, *, ascii_allowed: bool) -> Problem | None:
    troubles = check_seal_name(name, None, ascii_allowed=ascii_allowed)
    return troubles[0] if troubles else None


def record(ask: RunRequest, config: Config, started: float) -> RunRecord:
    """Return the ledger's entry of a run that starts now."""
    return RunRecord(
        run=ask.run,
        command=ask.command,
        started=started,
        host=socket.gethostname(),
        pid=os.getpid(),
        user=read_user_name(),
        rosters=tuple(str(path.absolute()) for path in ask.rosters),
        context=tuple(str(path.absolute()) for path in ask.context),
        seals=str(ask.seals.absolute()) if ask.seals else None,
        out=str(ask.out.absolute()),
        contract=config.api.contract,
        config_digest=hashlib.sha256(config.digest_text().encode()).hexdigest(),
        version=__version__,
    )


def forecast(
    planned: Sequence[RowPlan],
    chosen: Sequence[RowPlan],
    config: Config,
    judged: tuple[int, int, int] | None = None,
    *,
    guarded: bool = False,
    unread: bool = False,
    titles: Iterable[str] = (),
) -> RunPreview:
    """Tell what a night is about to do: calls, paid licences, pictures that are heavy for the older contract.

    ``judged`` counts the judgements of a review that was given (``review.tally``); where a guard lets nothing through,
    nothing is chosen.
    """
    chosen = () if guarded else chosen
    sent = {row_plan.index for row_plan in chosen}
    contract = contract_of(config)
    requests = [each.request for each in chosen if each.request]
    pictures = [each.doctor.picture for each in chosen if each.doctor.picture]
    return RunPreview(
        rows=len(planned),
        creates=len(requests),
        licences=sum(_binds(each) for each in requests)
        if "license_type" in contract.optional_parameters
        else 0,
        large_images=sum(
            contract.is_heavy(picture.size) and not request.values.get(Field.SEAL_IMAGE_COMPRESS)
            for picture, request in zip(pictures, requests, strict=True)
        ),
        seconds=len(requests) / config.limits.requests_per_second,
        review_counts=judged,
        unsent_rows=Counter(row_plan.status for row_plan in planned if row_plan.index not in sent),
        column_titles=tuple(titles),
        stopped_by_guard=guarded,
        all_rosters_refused=unread,
    )


def _binds(request: SealRequest) -> bool:
    """Tell whether a create binds a paid licence: 0 asks for it, and so does auto-sign that says nothing."""
    license_type = request.values.get(Field.LICENSE_TYPE)
    return license_type == 0 or (license_type is None and bool(request.values.get(Field.ENABLE_AUTO_SIGN)))


def traffic(config: Config, limiter: Limiter, submitted: Submitted) -> Traffic:
    """Sum up what went over the wire; the share is that of the creates, from the first to the last."""
    moments = limiter.list_departures(CREATE)
    span = moments[-1] - moments[0] if moments else 0.0
    limit = config.limits.requests_per_second
    return Traffic(
        requests={action: dict(calls) for action, calls in submitted.requests.items()},
        limit=limit,
        used_share=round((len(moments) - 1) / span / limit, 4) if span else 0.0,
        throttled=submitted.throttled,
        max_in_second=max_in_rolling_second(moments),
        timing=submitted.timing,
    )
