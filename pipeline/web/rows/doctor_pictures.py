"""The pictures of the newest check: their bytes, whose they are, and the decisions to whom they are given."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Field, ImageFile
from pipeline.domain.seals import PictureDecision
from pipeline.errors import EsignImportError, UsageError
from pipeline.intake.pairing.image_index import list_images
from pipeline.intake.pairing.image_sources import ImageSources
from pipeline.resolution.given_pictures import PictureDecisions, open_picture_decisions
from pipeline.web.rows.checked_rows import CheckedPicture, CheckedRow, CheckedRows
from pipeline.web.rows.roster_cells import RosterCells
from pipeline.web.shown import ShownChanged, digest_shown
from pipeline.web.site import Site
from pipeline.workflow.stage_settings import build_image_examiner
from pipeline.workflow.tenant_ledger import open_configured_ledger

MAX_KEPT = 20  # pictures that are kept as they are sent


@dataclass(frozen=True, slots=True)
class PictureOffer:
    """The pictures of a check that no doctor has, and the rows of those who have one."""

    owners: Mapping[str, CheckedRow] = field(repr=False)  # by the sha256 of the picture, as are the others
    free: Mapping[str, CheckedPicture]
    by_candidate: Mapping[str, Sequence[CheckedRow]] = field(repr=False)  # the rows that a picture holds
    given: Mapping[str, str] = field(repr=False)  # the stamps of the decisions that gave a picture

    def get_given(self, row: CheckedRow) -> str | None:
        """Return the stamp of the decision that gave a row's picture to its doctor; None where there is none."""
        picture = row.picture or ""
        return self.given.get(picture) if self.owners.get(picture) is row else None

    def get_picture(self, row: CheckedRow, sha256: str) -> CheckedPicture | None:
        """Return a picture that can be given to a row's doctor; None for one that cannot."""
        may_take = row.lacks_picture or any(picture.sha256 == sha256 for picture in row.candidates)
        return self.free.get(sha256) if row.is_known and may_take else None

    def list_others(self, row: CheckedRow) -> list[CheckedPicture]:
        """Return the pictures beside its candidates that can be given to a row's doctor, those of a similar name first."""
        if not row.lacks_picture:
            return []
        own = {picture.sha256 for picture in row.candidates}
        others = [picture for sha256, picture in self.free.items() if sha256 not in own]
        return sorted(others, key=lambda picture: not picture.resembles(row))


def stamp_given(given: PictureDecision) -> str:
    """Return the digest of a decision that gave a picture, which a form carries back."""
    return digest_shown(given.decided, given.key, given.name, given.picture, given.others, given.decided_at)


class DoctorPictures:
    """Gives pictures to doctors, and remembers for whom since the check that is shown. Its methods block."""

    def __init__(self, site: Site, rosters: RosterCells) -> None:
        self._site, self._rosters = site, rosters
        self._turn = Lock()  # of decisions
        # sha256 of a picture that was given -> the check that does not know it, and the key of the row
        self._given: dict[str, tuple[str, str]] = {}
        self._sent: dict[str, tuple[bytes, str]] = {}  # by sha256: the bytes that are sent, and their type

    # -- the bytes

    def read_sent(self, checked: CheckedRows | None, wanted: str) -> tuple[bytes, str] | None:
        """Return the bytes that would be sent of a picture, and their type; None for one that is unknown, gone or unusable.

        It is found by its digest, never by a path.
        """
        sizes = {given.picture: given.size for given in self.list_given()}
        if checked is not None:
            sizes |= checked.picture_sizes
        if wanted not in sizes:
            return None
        if wanted not in self._sent:
            image = self._get_image(wanted, sizes[wanted])
            examined = build_image_examiner(self._site.config).examine(image) if image is not None else None
            if examined is None or examined.prepared is None:
                return None
            data = examined.prepared.path.read_bytes()
            if sha256(data).hexdigest() != examined.prepared.sha256:
                return None
            while len(self._sent) >= MAX_KEPT:
                self._sent.pop(next(iter(self._sent)), None)
            self._sent[wanted] = (data, f"image/{examined.prepared.format.lower()}")
        return self._sent[wanted]

    def _get_image(self, wanted: str, size: int) -> ImageFile | None:
        """Return the file of the picture folder that has these bytes, else the copy of a picture of a roster's cell."""
        config = self._site.config
        examiner = build_image_examiner(config)
        with ImageSources({}, examiner.store, self._site.clock.now()) as sources:
            for candidate in list_images(config.resolve_path(config.seals)).candidates:
                image = sources.get_image_if_readable(candidate) if candidate.size == size else None
                if image is not None and image.sha256 == wanted:
                    return image
        copy = next(examiner.work.glob(f"{wanted}*"), None)
        return ImageFile.from_path(copy, wanted, size) if copy is not None else None

    # -- whose they are

    def list_given(self) -> list[PictureDecision]:
        """Return the pictures that are given to doctors; none where there is no ledger, or it cannot be read now."""
        try:
            with open_configured_ledger(self._site.config, self._site.clock) as (ledger, _):
                return [one for one in ledger.list_picture_decisions() if one.decided == "given"]
        except EsignImportError:
            return []

    def list_given_since(self, checked: CheckedRows | None) -> dict[str, str]:
        """Return the pictures that were given after the check that is shown, with the keys of the rows."""
        run = checked.run if checked else ""
        return {picture: key for picture, (of_run, key) in self._given.items() if of_run == run}

    def map_owners(self, checked: CheckedRows) -> dict[str, CheckedRow]:
        """Return the row whose doctor has a picture by the check, or was given it, by the sha256 of each picture."""
        owners = {row.picture: row for row in checked.rows if row.picture and not row.is_without_picture}
        rows = {(row.line.key, make_name_key(row.line.get(Field.NAME) or "")): row for row in checked.rows}
        for given in self.list_given():
            if (row := rows.get((given.key, make_name_key(given.shown_name)))) is not None:
                owners[given.picture] = row
        since = self.list_given_since(checked)
        return owners | {picture: checked.by_key[key] for picture, key in since.items()}

    def make_offer(self, checked: CheckedRows) -> PictureOffer:
        """Return the pictures that no doctor has, and whose the others are."""
        owners = self.map_owners(checked)
        free = {sha256: picture for sha256, picture in checked.pictures.items() if sha256 not in owners}
        given = {one.picture: stamp_given(one) for one in self.list_given()}
        return PictureOffer(owners, free, checked.by_candidate, given)

    def give(self, checked: CheckedRows, stamp: str, sha256: str, user: str) -> CheckedRow:
        """Enter that a picture is the doctor's of a row as a form shows it; return the row.

        The other pictures that are or hold the row's are not used for this doctor any more. Raises ShownChanged, RosterChanged, and
        EsignImportError where it is refused.
        """
        with self._turn:
            row = checked.get_same(stamp)
            picture = self.make_offer(checked).get_picture(row, sha256)
            if picture is None or row.key in self.list_given_since(checked).values():
                raise ShownChanged
            self._give(checked, row, picture, user)
            self._given[sha256] = (checked.run, row.key)
            return row

    def _give(self, checked: CheckedRows, row: CheckedRow, picture: CheckedPicture, user: str) -> None:
        located = self._rosters.locate(row.line, row.roster)
        if any(saved.is_of_identity for saved in self._rosters.list_corrections(located, row.roster)):
            raise ShownChanged
        image = self._get_image(picture.sha256, picture.size)
        if image is None:
            raise UsageError("picture.gone")
        own = [row.picture] if row.picture else []
        others = {*own, *(other.sha256 for other in row.candidates)} - {picture.sha256}

        def give(decisions: PictureDecisions) -> None:
            doctor = decisions.identify(located.row)
            if row.line.key not in {None, doctor.key}:  # decided since: another person
                raise ShownChanged
            self._record(user, row, picture.sha256, sorted(others))
            rows = [(line.key, line.get(Field.NAME)) for line in checked.lines]
            decisions.give(doctor, image, user, rows=rows, others=others)

        self._decide(give)

    def withdraw(self, stamp: str, user: str) -> None:
        """Enter that a picture is no longer given to a doctor, as a form shows it. Raises EsignImportError where it is refused."""

        def withdraw(decisions: PictureDecisions) -> None:
            entered = decisions.ledger.list_picture_decisions()
            given = next((one for one in entered if stamp_given(one) == stamp), None)
            if given is None:
                raise ShownChanged
            self._site.record_change(user, "withdraw_picture", picture=given.picture)
            decisions.withdraw(given.key, given.picture, user)
            self._given.pop(given.picture, None)

        with self._turn:
            self._decide(withdraw)

    def _decide(self, act: Callable[[PictureDecisions], None]) -> None:
        with open_picture_decisions(self._site.config, self._site.clock) as decisions:
            act(decisions)

    def _record(self, user: str, row: CheckedRow, picture: str, others: Collection[str]) -> None:
        line = row.line
        self._site.record_change(
            user,
            "give_picture",
            file=line.file,
            sheet=line.sheet,
            row=line.row,
            name=line.get(Field.NAME),
            picture=picture,
            **({"others": list(others)} if others else {}),
        )
