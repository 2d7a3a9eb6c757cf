"""Doctors, people and rules for tests of the planning."""

from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, Field, ImageFile, Origin, Row
from pipeline.domain.seals import CreateAttempt, LedgerSnapshot, LiveSeal, PersonHistory, SealContent
from pipeline.planning.plan import PlanRules, plan_rows

DAY = 86_400.0
NOW = 1_795_000_000.0
NOTHING = LedgerSnapshot({}, {})


def make_rules(**changes) -> PlanRules:
    given = {
        "seal_name_template": "{name}处方章",
        "resend_refused": False,
        "digest": lambda text: f"#{text}",
        "is_same_image": lambda picture, made: picture.sha256 == made.picture,
        "today": date(2026, 11, 19),  # NOW
        "to_day": lambda seconds: datetime.fromtimestamp(seconds, UTC).date(),
    }
    return PlanRules(**{**given, **changes})


def make_doctor(serial: int = 1, **changes) -> Doctor:
    cells = {
        field: Cell(column, field, "", CellKind.TEXT, "")
        for field, column in zip(Field, "ABCDEFGHIJKL", strict=True)
    }
    plain = Doctor(
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
        seal_image_compress=None,
        picture=ImageFile(Path(f"{serial}.png"), f"sha{serial}", 10),
        evidence="staff_no",
    )
    return replace(plain, **changes)


def make_content(of: Doctor) -> SealContent:
    return SealContent(
        of.name, f"#{of.number}", "ID_CARD", "OTHER", None, of.seal_name, of.picture.sha256, "pixels"
    )


def make_sealed(of: Doctor) -> PersonHistory:
    name = of.seal_name or f"{of.name}处方章"
    return PersonHistory(
        of.key,
        name,
        LiveSeal("seal-id", name, "run1", NOW, make_content(of), "request", "trace"),
        create_count=1,
    )


def make_attempt(
    of: Doctor, verdict="refused", code="InvalidParameter.Name", message="姓名不符", moment=NOW
) -> CreateAttempt:
    return CreateAttempt("uuid", "run1", verdict, moment, "host", make_content(of), code, message, "request")


def make_refused(of: Doctor, *, days: int = 1, **how) -> PersonHistory:
    attempts = tuple(make_attempt(of, moment=NOW + DAY * day, **how) for day in range(days))
    return PersonHistory(of.key, f"{of.name}处方章", refusals=attempts, create_count=days)


def make_snapshot(*people: PersonHistory) -> LedgerSnapshot:
    names = {person.seal_name: person.key for person in people if person.seal_name}
    return LedgerSnapshot({person.key: person for person in people}, names)


def plan_one(of: Doctor, known: LedgerSnapshot = NOTHING, **changes):
    (row_plan,) = plan_rows([of], known, make_rules(**changes))
    return row_plan
