"""What people decided on pictures, and for which rows of this run it holds.

A picture is known by its bytes or its pixels, however it was saved. A person is known by number *and* name key.

* Given or judged right: for the doctor with this number and this name. For a row that has only one of the two the decision is
  void, and for every other row it is another doctor's: in both it is a reason not to use the picture by name alone.
* Shown and not chosen: the picture is not used for the doctor, and also not where number or name moved since.
* Judged wrong: for the doctor and for a row that has only one of the two, until the picture is judged right for exactly this
  doctor. Giving it to this doctor ends a judgement under another number or name alone.

Only this module holds the rule. `earlier_evidence` asks it for pairing, `pipeline.planning` for reviews.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from pipeline.domain.masking import mask_text
from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, ImageFile
from pipeline.domain.seals import Decided, Judged, PictureDecision
from pipeline.domain.site_key import PLAIN_KEY, SiteKey
from pipeline.intake.images.image_files import mask_file_name
from pipeline.intake.images.prepare import ImageExaminer

Person = tuple[str, str]  # key, HMAC of the name key


class DecidedPictures:
    """The decisions of people that are not withdrawn, by doctor and by picture."""

    def __init__(
        self,
        site_key: SiteKey = PLAIN_KEY,
        decisions: Iterable[PictureDecision] = (),
        *,
        same_persons: Mapping[str, str] | None = None,
        rows: Iterable[tuple[str | None, str | None]] = (),
        known_pixels: Mapping[str, str] | None = None,
        images: ImageExaminer | None = None,
    ) -> None:
        """Index decisions, oldest first.

        ``same_persons`` maps the key of a corrected number to the person's key. ``rows`` are key and name of all rows of this
        run. ``known_pixels`` are digests of pixels by sha256; other pictures are opened with ``images``, without it not at all.
        """
        self._images = images
        self._pixels = dict(known_pixels or {})
        self._digest_name = cache(lambda name: site_key.digest(make_name_key(name)))
        self._decisions: list[PictureDecision] = []
        self._by_key: defaultdict[str, list[int]] = defaultdict(list)
        self._by_name: defaultdict[str, list[int]] = defaultdict(list)
        self._by_picture: defaultdict[str, list[int]] = defaultdict(
            list
        )  # by sha256, and by the digest of pixels
        same_persons = same_persons or {}
        for decision in decisions:
            self._add(replace(decision, key=same_persons.get(decision.key, decision.key)))
        named = [(key or "", name) for key, name in rows if name] if self._decisions else []
        self._present = frozenset((key, self._digest_name(name)) for key, name in named)

    def _add(self, decision: PictureDecision) -> None:
        number = len(self._decisions)
        self._decisions.append(decision)
        self._by_key[decision.key].append(number)
        self._by_name[decision.name].append(number)
        self._by_picture[decision.picture].append(number)
        if decision.pixels:
            self._by_picture[decision.pixels].append(number)
            self._pixels[decision.picture] = decision.pixels

    def __bool__(self) -> bool:
        """Return whether there is any decision: without one no row and no picture need be looked up."""
        return bool(self._decisions)

    def list_keys(self) -> set[str]:
        """Return the keys of the persons about whom there is a decision."""
        return set(self._by_key)

    def _identify(self, doctor: Doctor) -> Person:
        return doctor.key or "", self._digest_name(doctor.name) if doctor.name else ""

    # -- a new decision

    def decide(self, decided: Decided, doctor: Doctor, image: ImageFile) -> PictureDecision:
        """Return a decision on a doctor and a picture, which nothing knows yet."""
        key, name = self._identify(doctor)
        return PictureDecision(
            decided,
            key,
            name,
            image.sha256,
            self._get_pixels(image),
            shown_name=mask_text(doctor.name or ""),
            position=mask_file_name(doctor.row.origin.position),
        )

    # -- what holds for a row

    @property
    def given_sizes(self) -> Collection[int]:
        """The sizes of the pictures that were given: a file of another size is none of them by its bytes."""
        return {decision.size for decision in self._decisions if decision.decided == "given"}

    def list_given(self, doctor: Doctor) -> list[PictureDecision]:
        """Return the decisions that gave a picture to a doctor."""
        return [one for one in self._list_of(doctor) if one.decided == "given" and self._is_own(one, doctor)]

    def list_void(self, doctor: Doctor) -> list[PictureDecision]:
        """Return the decisions that gave a picture to the name or the number of a row, those to the name first.

        One whose picture was decided anew for another row is left out.
        """
        given = [one for one in self._list_of(doctor) if one.decided == "given" and self.is_void(one, doctor)]
        void = [
            one for one in reversed(given) if self._present.isdisjoint(self._count(one.picture, one.pixels))
        ]
        return sorted(void, key=lambda one: one.name != self._identify(doctor)[1])

    def is_given(self, doctor: Doctor, image: ImageFile) -> bool:
        """Return whether a person gave this picture to a doctor."""
        return any(self.is_on(given, image) for given in self.list_given(doctor))

    def is_right(self, doctor: Doctor, image: ImageFile) -> bool:
        """Return whether a person judged this picture right for a doctor."""
        return self.get_judged(doctor, image) == "right"

    def is_unchosen(self, doctor: Doctor, image: ImageFile, *, by_number: bool = False) -> bool:
        """Return whether a person saw this picture, and gave the doctor another one in its place.

        ``by_number``: its file bears the row's own number, which counts more than a decision on another name or number.
        """
        for given in self._list_of(doctor):
            is_void = self.is_void(given, doctor) and not by_number
            is_shown = given.others and (is_void or self._is_own(given, doctor))
            if is_shown and not {image.sha256, self._get_pixels(image)}.isdisjoint(given.others):
                return not self.is_decided(doctor, image)
        return False

    def is_decided(self, doctor: Doctor, image: ImageFile) -> bool:
        """Return whether a person gave this picture to a doctor, or judged it right."""
        return self.is_given(doctor, image) or self.is_right(doctor, image)

    def get_judged(self, doctor: Doctor, image: ImageFile) -> Judged | None:
        """Return the judgement that counts for a doctor with a picture."""
        judged: Judged | None = None
        is_own_judgement = False
        for one in self._list_of(doctor):
            is_own = self._is_own(one, doctor)
            if not (is_own or self.is_void(one, doctor)) or not self.is_on(one, image):
                continue
            if one.decided == "wrong" or (one.decided == "right" and is_own):
                is_own_judgement = is_own or (is_own_judgement and judged == one.decided)
                judged = one.decided
            elif is_own and not is_own_judgement:  # given
                judged = None
        return judged

    def get_other(self, doctor: Doctor, image: ImageFile, *, may_open: bool = True) -> PictureDecision | None:
        """Return a decision by which a picture is not evidence for a row; None where there is none, or one for the row.

        One that is void for the row comes before one for another doctor.
        """
        others = self.list_others(doctor, image, may_open=may_open)
        return next((one for one in others if self.is_void(one, doctor)), others[-1] if others else None)

    def list_others(
        self, doctor: Doctor, image: ImageFile, *, may_open: bool = True
    ) -> list[PictureDecision]:
        """Return the decisions by which a picture is other doctors'; none where it is decided for this one."""
        if not self._decisions:
            return []
        pixels = self._get_pixels(image) if may_open else self._pixels.get(image.sha256, "")
        counting = self._count(image.sha256, pixels)
        key, name = self._identify(doctor)
        if (key, name) in counting:
            return []
        # a row without a usable number is not another person for that
        return [one for one in counting.values() if key or one.name != name]

    def _count(self, sha256: str, pixels: str) -> dict[Person, PictureDecision]:
        """Return, by doctor, the decisions that a picture is the doctor's: a “wrong” takes back a “right” alone."""
        counting: dict[Person, PictureDecision] = {}
        for number in sorted({*self._by_picture.get(sha256, ()), *self._by_picture.get(pixels, ())}):
            one = self._decisions[number]
            before = counting.get((one.key, one.name))
            if one.decided == "given" or (one.decided == "right" and before is None):
                counting[one.key, one.name] = one
            elif one.decided == "wrong" and before is not None and before.decided == "right":
                del counting[one.key, one.name]
        return counting

    def is_void(self, decision: PictureDecision, doctor: Doctor) -> bool:
        """Return whether a decision was made on a row's name with another number, or on its number with another name.

        While another row has that name and that number, or perhaps that number, the decision is that row's.
        """
        key, name = self._identify(doctor)
        rows = {(decision.key, decision.name), ("", decision.name)}
        if not (key and name) or not self._present.isdisjoint(rows):
            return False
        return (decision.key == key) != (decision.name == name)

    def is_on(self, decision: PictureDecision, image: ImageFile) -> bool:
        """Return whether a decision is on this picture, in whatever bytes."""
        if decision.picture == image.sha256:
            return True
        return bool(decision.pixels) and decision.pixels == self._get_pixels(image)

    # -- indexes

    def _list_of(self, doctor: Doctor) -> Iterator[PictureDecision]:
        """Yield the decisions on a doctor's number or name, oldest first."""
        if not self._decisions:
            return
        key, name = self._identify(doctor)
        for number in sorted({*self._by_key.get(key, ()), *self._by_name.get(name, ())}):
            yield self._decisions[number]

    def _is_own(self, decision: PictureDecision, doctor: Doctor) -> bool:
        return (decision.key, decision.name) == self._identify(doctor)

    def _get_pixels(self, image: ImageFile) -> str:
        """Return the digest of a picture's pixels, "" where it cannot be had; one that is known is not opened."""
        known = self._pixels.get(image.sha256)
        if known is None and self._images is not None:
            known = self._images.examine(image).pixels
        return known or ""
