"""Gives a picture to a doctor, and takes it back: a person's decision, which later checks and runs pair by.

It is refused where the picture is evidence for another doctor. What is found out later holds the rows as everywhere.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from pipeline.clock import Clock
from pipeline.config.settings import Config
from pipeline.domain.roster import Doctor, ImageFile, Row
from pipeline.domain.run import PAGE_REASON
from pipeline.domain.seals import PictureDecision
from pipeline.domain.site_key import SiteKey
from pipeline.errors import UsageError
from pipeline.intake.fields.validate import validate_rows
from pipeline.intake.images.image_files import PREVIEWS
from pipeline.intake.images.prepare import read_pixels
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence
from pipeline.ledger.ledger import Ledger
from pipeline.ledger.records import LedgerConflict
from pipeline.planning.known_people import unite_persons
from pipeline.workflow.run_plan import LedgerView
from pipeline.workflow.stage_settings import build_field_settings, build_image_examiner
from pipeline.workflow.tenant_ledger import lock_ledger


@dataclass(frozen=True, slots=True)
class PictureDecisions:
    """The ledger, owned for one decision on a picture."""

    config: Config
    clock: Clock
    ledger: Ledger
    site_key: SiteKey

    def identify(self, row: Row) -> Doctor:
        """Return the doctor of a row under the key of the ledger. UsageError where the number cannot be used."""
        settings = build_field_settings(self.config)
        doctors = validate_rows([row], settings=settings, today=self.clock.today(), site_key=self.site_key)
        (doctor,) = unite_persons(doctors, self.ledger.snapshot())
        if doctor.key is None or doctor.name is None:
            raise UsageError("picture.no_number")
        return doctor

    def give(
        self,
        doctor: Doctor,
        image: ImageFile,
        who: str,
        *,
        rows: Iterable[tuple[str | None, str | None]],
        others: Collection[str] = (),
    ) -> PictureDecision:
        """Enter that a picture is a doctor's. UsageError where it is evidence for another one, or cannot be sent.

        ``others`` (sha256) are the pictures from which it was chosen: they do not hold the doctor's row any more. ``rows`` are key
        and name of all rows: where none has them any more to whom it was given, and this doctor has one of both, that
        decision is withdrawn.
        """
        examiner = build_image_examiner(self.config)
        examined = examiner.examine(image)
        if examined.prepared is None:
            raise UsageError("picture.unusable", file=image.name)
        view = LedgerView(self.ledger, self.site_key)
        earlier = view.make_earlier_evidence(view.make_decided_pictures(examiner, rows), examiner)
        void = self._list_void(doctor, image, earlier)
        unused = set(others) - {image.sha256}
        unused.update(filter(None, (read_pixels(sha256, examiner.work / PREVIEWS) for sha256 in set(unused))))
        given = replace(
            earlier.decided.decide("given", doctor, image), size=image.size, others=tuple(sorted(unused))
        )
        self._withdraw(void, who)
        try:
            self.ledger.record_given_picture(given, now=self.clock.now(), who=who, why=PAGE_REASON)
        except LedgerConflict as conflict:
            raise UsageError("picture.given_to_another") from conflict
        return given

    def withdraw(self, key: str, picture: str, who: str) -> None:
        """Enter that a picture is no longer given to a doctor. UsageError where it was not."""
        withdrawn = [one for one in self._list_given() if (one.key, one.picture) == (key, picture)]
        if not withdrawn:
            raise UsageError("picture.not_given")
        self._withdraw(withdrawn, who)  # the same picture may have been chosen from others more than once

    def _list_given(self) -> list[PictureDecision]:
        return [one for one in self.ledger.list_picture_decisions() if one.decided == "given"]

    def _withdraw(self, decisions: Iterable[PictureDecision], who: str) -> None:
        for one in decisions:
            self.ledger.record_withdrawn_picture(one, now=self.clock.now(), who=who, why=PAGE_REASON)

    def _list_void(self, doctor: Doctor, image: ImageFile, earlier: EarlierEvidence) -> list[PictureDecision]:
        """Return the decisions that gave a picture to this doctor under another number or name.

        UsageError where it is another doctor's.
        """
        others = earlier.decided.list_others(doctor, image)
        owners = (one for one in others if not earlier.decided.is_void(one, doctor))
        if (owner := earlier.get_other_owner(doctor, image) or next(owners, None)) is not None:
            raise UsageError("picture.of_another", name=owner.shown_name or "—")
        void = [one for one in earlier.decided.list_void(doctor) if earlier.decided.is_on(one, image)]
        # the ledger holds them with the number at that time
        return [one for one in self._list_given() if any(replace(one, key=of.key) == of for of in void)]


@contextmanager
def open_picture_decisions(config: Config, clock: Clock) -> Iterator[PictureDecisions]:
    """Own the ledger for a moment, as a run does; one that there is not yet is begun. Raises Locked."""
    with lock_ledger(config, "picture", clock) as (ledger, site_key):
        yield PictureDecisions(config, clock, ledger, site_key)
