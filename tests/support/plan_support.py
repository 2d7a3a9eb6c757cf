"""Doctors, people and rules for tests of the planning."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

from openpyxl.utils import get_column_letter
from readable_key import ReadableKey

from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, Field, ImageFile, Origin, Row
from pipeline.domain.seals import Attempt, LedgerSnapshot, Person, SealContent, VerdictKind
from pipeline.intake.images.prepare import ImageExaminer
from pipeline.planning.plan import PlanRules, plan_rows

DAY = 86_400.0
NOW = 1_795_000_000.0
NOTHING = LedgerSnapshot({}, {})


def make_rules(**changes) -> PlanRules:
    rules = {
        "seal_name_template": "{name}处方章",
        "resend_refused": False,
        "site_key": ReadableKey(),
        "images": ImageExaminer(Path("work"), 1),
        "now": NOW,
    }
    return PlanRules(**{**rules, **changes})


def make_doctor(serial: int = 1, **changes) -> Doctor:
    cells = {
        field: Cell(get_column_letter(number), field, "", CellKind.TEXT, "")
        for number, field in enumerate(Field, start=1)
    }
    doctor = Doctor(
        row=Row(Origin(Path("a.xlsx"), "s", serial), (), cells),
        row_id=f"row{serial}",
        key=f"key{serial}",
        name=f"张{'甲乙丙丁戊己庚辛'[serial % 8]}",
        number=f"{serial:018d}",
        id_type=CardType.ID_CARD,
        mobile=None,
        staff_no=f"{serial:03d}",
        department="内科",
        seal_name=None,
        scene_key="OTHER",
        enable_auto_sign=None,
        license_type=None,
        picture=ImageFile.from_path(Path(f"{serial}.png"), f"sha{serial}", 10),
        evidence="staff_no",
    )
    return replace(doctor, **changes)


def make_content(doctor: Doctor) -> SealContent:
    return SealContent(
        doctor.name,
        f"#{doctor.number}",
        "ID_CARD",
        "OTHER",
        None,
        doctor.seal_name,
        doctor.picture.sha256,
        "pixels",
    )


def make_sealed(doctor: Doctor) -> Person:
    name = doctor.seal_name or f"{doctor.name}处方章"
    seal = make_attempt(doctor, "sealed", code=None, message=None, seal_name=name, seal_id="seal-id")
    return Person(doctor.key, name, attempts=(seal,))


def make_attempt(
    doctor: Doctor,
    state="refused",
    code="InvalidParameter.Name",
    message="姓名不符",
    moment=NOW,
    seal_name=None,
    seal_id=None,
) -> Attempt:
    return Attempt(
        uuid="uuid",
        key=doctor.key,
        seal_name=seal_name or f"{doctor.name}处方章",
        content=make_content(doctor),
        signed_at=moment,
        run="run1",
        contract="file_id",
        host="host",
        state=state,
        verdict=state if state in get_args(VerdictKind) else None,
        settled_at=moment,
        http_status=200,
        code=code,
        message=message,
        request_id="request",
        seal_id=seal_id,
    )


def make_refused(doctor: Doctor, *, days: int = 1, **changes) -> Person:
    attempts = tuple(make_attempt(doctor, moment=NOW + DAY * day, **changes) for day in range(days))
    return Person(doctor.key, f"{doctor.name}处方章", attempts=attempts)


def make_snapshot(*people: Person) -> LedgerSnapshot:
    names = {person.seal_name: person.key for person in people if person.seal_name}
    return LedgerSnapshot({person.key: person for person in people}, names)


def plan_one(doctor: Doctor, known: LedgerSnapshot = NOTHING, **changes):
    (row_plan,) = plan_rows([doctor], known, make_rules(**changes))
    return row_plan
