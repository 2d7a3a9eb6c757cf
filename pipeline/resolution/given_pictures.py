"""Gives a picture to a doctor, and takes it back: a person's decision, which later checks and runs pair by.

It is refused where the picture is evidence for another doctor. What is found out later holds the rows as everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.roster import Doctor, ImageFile, Row
from pipeline.domain.run import PAGE_REASON
from pipeline.domain.seals import GivenPicture
from pipeline.domain.site_key import SiteKey
from pipeline.errors import UsageError
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.ledger.database_ledger import DatabaseLedger
from pipeline.ledger.protocol import LedgerConflict
from pipeline.planning.known_people import unite_persons
from pipeline.workflow.run_plan import LedgerView
from pipeline.workflow.run_request import build_request
from pipeline.workflow.stage_settings import build_field_settings, build_image_examiner
from pipeline.workflow.tenant_ledger import lock_ledger


@dataclass(frozen=True, slots=True)
class PictureDecisions:
    """The ledger, owned for one decision on a picture."""

    config: Config
    clock: Clock
    ledger: DatabaseLedger
    site_key: SiteKey

    def identify(self, row: Row) -> Doctor:
        """Return the doctor of a row under the key of the ledger. UsageError where the number cannot be used."""
        settings = build_field_settings(self.config)
        doctors = validate_rows([row], settings=settings, today=self.clock.today(), site_key=self.site_key)
        (doctor,) = unite_persons(doctors, self.ledger.snapshot())
        if doctor.key is None or doctor.name is None:
            raise UsageError("picture.no_number")
        return doctor

    def give(self, doctor: Doctor, image: ImageFile, who: str, others: Collection[str] = ()) -> GivenPicture:
        """Enter that a picture is a doctor's. UsageError where it is evidence for another one, or cannot be sent.

        ``others`` (sha256) are the pictures from which it was chosen: they do not hold the doctor's row any more.
        """
        examiner = build_image_examiner(self.config)
        examined = examiner.examine(image)
        if examined.prepared is None:
            raise UsageError("picture.unusable", file=image.name)
        self._require_own(doctor, image, examiner)
        unused = tuple(sorted(set(others) - {image.sha256}))
        given = GivenPicture(doctor.key or "", image.sha256, image.size, examined.pixels or "", unused)
        try:
            self.ledger.record_given_picture(given, now=self.clock.now(), who=who, why=PAGE_REASON)
        except LedgerConflict as conflict:
            raise UsageError("picture.given_to_another") from conflict
        return given

    def withdraw(self, key: str, picture: str, who: str) -> None:
        """Enter that a picture is no longer given to a doctor. UsageError where it was not."""
        withdrawn = [
            given
            for given in self.ledger.list_given_pictures()
            if (given.key, given.picture) == (key, picture)
        ]
        if not withdrawn:
            raise UsageError("picture.not_given")
        for given in withdrawn:  # the same picture may have been chosen from others more than once
            self.ledger.record_withdrawn_picture(given, now=self.clock.now(), who=who, why=PAGE_REASON)

    def _require_own(self, doctor: Doctor, image: ImageFile, examiner: ImageExaminer) -> None:
        view = LedgerView(self.ledger, self.site_key)
        earlier = view.make_earlier_evidence(view.get_judgements({}), examiner)
        if (owner := earlier.get_other_owner(doctor, image)) is not None:
            raise UsageError("picture.of_another", name=owner.shown_name or "—")


@contextmanager
def open_picture_decisions(config: Config, clock: Clock) -> Iterator[PictureDecisions]:
    """Own the ledger for a moment, as a run does; one that there is not yet is begun. Raises Locked."""
    request = build_request("resolve", config, clock)
    with lock_ledger(config, request, clock) as (ledger, site_key):
        yield PictureDecisions(config, clock, ledger, site_key)
