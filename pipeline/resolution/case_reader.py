"""Reads the cases of rosters and ledger; a process that stays reads them again only where one of these changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import chain
from pathlib import Path

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.run import RunRequest
from pipeline.domain.site_key import SiteKey
from pipeline.intake.images.image_files import changed_at
from pipeline.intake.images.prepare import ImageComparer
from pipeline.intake.pairing.image_index import list_images
from pipeline.intake.readers.discover import expand_paths
from pipeline.ledger.ledger import Ledger
from pipeline.resolution.cases import Case, list_cases, merge_cases
from pipeline.workflow.import_run import prepare_run
from pipeline.workflow.stage_settings import build_image_comparer

_MOMENT_NS = 2_000_000_000  # nanoseconds for which two changes of a file may show the same time


class CaseReader:
    """The cases that were read last, and the pictures that were examined for them."""

    def __init__(self) -> None:
        self._state: str | None = None  # of all that the cases follow from
        self._cases: Sequence[Case] = ()
        self._images: ImageComparer | None = None

    def read(
        self,
        requests: Sequence[RunRequest],
        config: Config,
        ledger: Ledger,
        site_key: SiteKey,
        clock: Clock,
    ) -> Sequence[Case]:
        """Return the cases of the rosters of these requests, and of the creates without a verdict."""
        state = _digest_state(requests, ledger, clock)
        if state is not None and state == self._state:
            return self._cases
        images = self._images or build_image_comparer(config)
        images.forget_unread()
        snapshot = ledger.snapshot()
        cases: list[Case] = []
        for request in requests:
            run_plan = prepare_run(
                request,
                config,
                ledger=ledger,
                site_key=site_key,
                clock=clock,
                images=images,
                to_send=False,
            )
            cases = merge_cases(cases, list_cases(run_plan.row_plans, snapshot))
        self._state, self._cases, self._images = state, cases, images
        return cases


def _digest_state(requests: Sequence[RunRequest], ledger: Ledger, clock: Clock) -> str | None:
    """Return what stands for all that the cases follow from; None where a file may change without showing it."""
    now, files = clock.now(), sorted(chain.from_iterable(map(_list_files, requests)))
    if any(changed_ns > now * 1e9 - _MOMENT_NS for _, _, changed_ns in files):
        return None
    last_run = ledger.get_last_run()
    known = (ledger.count_events(), last_run and (last_run.run, last_run.finished), clock.today())
    return hashlib.sha256(repr((known, files)).encode("utf-8", "surrogateescape")).hexdigest()


def _list_files(request: RunRequest) -> Iterator[tuple[str, int, int]]:
    """Yield path, size and time of the rosters, of the pictures, and of the zips that hold pictures."""
    listing = list_images(request.seals)
    zips = {candidate.file for candidate in listing.candidates if candidate.member is not None}
    for path in (*expand_paths(request.rosters), *zips, *([request.seals] if request.seals else [])):
        with suppress(OSError):
            status = Path(path).stat()
            yield str(path), status.st_size, changed_at(status)
    for candidate in listing.candidates:
        yield candidate.relative_path, candidate.size, candidate.mtime_ns
