"""Offers the pairing of a doctor with a picture to a person, who judges it; a judgement belongs to person, name and pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipeline.domain.roster import Doctor, ImageFile
from pipeline.domain.run import Review, RowPlan
from pipeline.domain.seals import Person
from pipeline.intake.pairing.decided_pictures import DecidedPictures


def make_review(doctor: Doctor, image: ImageFile, decided: DecidedPictures) -> Review | None:
    """Return the pairing of a doctor with a picture, None where the doctor's name or number cannot be used."""
    if not (doctor.key and doctor.name):
        return None
    return Review(decided.decide("right", doctor, image).id, decided.get_judged(doctor, image))


def offer_held_image(
    row_plan: RowPlan, people: Mapping[str, Person], decided: DecidedPictures | None
) -> RowPlan:
    """Let a person decide on a picture that may be an earlier doctor's, where nothing else is wrong with the row.

    An earlier doctor with a seal, or a create without a verdict, may be the row's own person under another number.
    """
    doctor, image = row_plan.doctor, row_plan.doctor.held_image
    if image is None or decided is None or (review := make_review(doctor, image, decided)) is None:
        return row_plan
    errors = [problem for problem in row_plan.problems if problem.severity == "error"]
    if len(errors) > 1:
        return row_plan
    row_plan = replace(row_plan, review=review)
    earlier = people.get(errors[0].detail.get("person", ""))
    if earlier is None or not (earlier.seal or earlier.unresolved_attempt):
        return row_plan
    known = replace(errors[0], detail={**errors[0].detail, "known": "yes"})
    problems = tuple(known if problem is errors[0] else problem for problem in row_plan.problems)
    return replace(row_plan, problems=problems, possibly_same=earlier)
