"""What a changed row says now: the content that `--keep` accepts, the name under which `--replace` goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pipeline.domain.roster import list_spellings
from pipeline.domain.seals import KEPT, SealContent
from pipeline.errors import UsageError
from pipeline.intake.fields.id_number import lifetime
from pipeline.intake.images import prepare
from pipeline.resolution.cases import Case
from pipeline.resolution.decide import require_changed


def accepted_content(case: Case, digest: Callable[[str], str]) -> SealContent:
    """Return the seal's content with everything that the row gives in its place; what it does not give stays."""
    require_changed(case)
    assert case.planned is not None
    assert case.past.seal is not None
    made = case.past.seal.content
    assert made is not None
    doctor = case.planned.doctor
    content = replace(
        made,
        name=doctor.name or made.name,
        number=digest(list_spellings(doctor.number, doctor.id_type)[0]) if doctor.number else made.number,
        id_type=str(doctor.id_type) if doctor.id_type else made.id_type,
        scene_key=doctor.scene_key,
        mobile=digest(doctor.mobile) if doctor.mobile else made.mobile,
        seal_name=doctor.seal_name or made.seal_name,
        sent_size=made.sent_size or KEPT,
    )
    if doctor.picture is None:
        return content
    return replace(content, picture=doctor.picture.sha256, pixels=prepare.pixels(doctor.picture.file))


def number_key(
    case: Case,
    person_key: Callable[[str], str],
    digest: Callable[[str], str],
    same_persons: Mapping[str, str],
) -> str | None:
    """Return the key of a row's own number where a human entered it as a corrected number of this person.

    Raises UsageError where the person's seal, or create without a verdict, was made with this very number: it is in use.
    """
    doctor = case.planned.doctor if case.planned else None
    if doctor is None or doctor.number is None or doctor.id_type is None:
        return None
    key = person_key(lifetime(doctor.number, doctor.id_type))
    if same_persons.get(key) != case.key:
        return None
    made = case.past.seal or case.past.unresolved_attempt
    if (
        made
        and made.content
        and made.content.number == digest(list_spellings(doctor.number, doctor.id_type)[0])
    ):
        raise UsageError("desk.made_with_number", name=case.name)
    return key


def replacement_name(case: Case, given: str | None) -> str:
    """Return the new seal's name: what is given, else the roster's own where it is a new one; UsageError else."""
    require_changed(case)
    assert case.planned is not None
    own = case.planned.doctor.seal_name
    if given:
        return given
    if own and own != case.seal_name:
        return own
    raise UsageError("desk.needs_seal_name", name=case.name, seal_name=case.seal_name)
