"""What a changed row says now: the content that `--keep` accepts, the name under which `--replace` goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from pipeline.desk.cases import Case
from pipeline.desk.settle import require_changed
from pipeline.errors import UsageError
from pipeline.intake import image
from pipeline.model import KEPT, Content


def accepted_content(case: Case, digest: Callable[[str], str]) -> Content:
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
        number=digest(doctor.number) if doctor.number else made.number,
        id_type=str(doctor.id_type) if doctor.id_type else made.id_type,
        scene_key=doctor.scene_key,
        mobile=digest(doctor.mobile) if doctor.mobile else made.mobile,
        seal_name=doctor.seal_name or made.seal_name,
        sent_size=made.sent_size or KEPT,
    )
    if doctor.picture is None:
        return content
    return replace(content, picture=doctor.picture.sha256, pixels=image.pixels(doctor.picture.file))


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
