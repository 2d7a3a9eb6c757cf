"""Doctors and folders for the tests of pairing: invented people, real files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from image_support import make_examiner

from pipeline.domain.roster import CardType, Cell, CellKind, Doctor, EmbeddedImage, Field, Origin, Row
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.match import MatchResult, match_images

# made up; the check digits fit
NUMBER = "110101199003070732"
OTHER_NUMBER = "110101198505051238"
X_NUMBER = "11010119900307109X"


def doctor(
    name: str | None = "张伟",
    *,
    number: str | None = NUMBER,
    staff_no: str | None = None,
    department: str | None = None,
    picture: str | None = None,
    row: int = 2,
    key: str | None = None,
    written: dict[Field, str] | None = None,
    kind: CellKind = CellKind.TEXT,
    value: object = None,
    embedded: Sequence[EmbeddedImage] = (),
    more: Sequence[Cell] = (),
    id_type: CardType = CardType.ID_CARD,
) -> Doctor:
    """Return a doctor; ``picture`` is what the picture column says, of type ``kind``."""
    texts = {Field.NAME: name or "", Field.NUMBER: number or "", **(written or {})}
    if picture is not None:
        texts[Field.PICTURE] = picture
    cells = {
        field: Cell(
            "ABCDEFGH"[index],
            field.value,
            value if field is Field.PICTURE and kind is CellKind.PICTURE else text,
            kind if field is Field.PICTURE else CellKind.TEXT,
            text,
        )
        for index, (field, text) in enumerate(texts.items())
    }
    return Doctor(
        row=Row(
            Origin(Path("名单.xlsx"), "内科", row),
            (*cells.values(), *more),
            cells,
            pictures=tuple(embedded),
        ),
        row_id=None, key=key, name=name, number=number, id_type=id_type, mobile=None, staff_no=staff_no,
        department=department, seal_name=None, scene_key=None, enable_auto_sign=None, license_type=None,
    )  # fmt: skip


def fill(folder: Path, files: Mapping[str | bytes, bytes]) -> Path:
    """Write files below a folder; a name in bytes is written as these very bytes."""
    folder.mkdir(exist_ok=True)
    for name, data in files.items():
        path = folder / os.fsdecode(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def paired(tmp_path: Path, files: Mapping[str | bytes, bytes], *doctors: Doctor) -> MatchResult:
    """Pair the doctors with files of a folder ``seals``."""
    library = image_index.index_images(image_index.list_images(fill(tmp_path / "seals", files)))
    return match_images(
        doctors,
        library,
        known_files={},
        images=make_examiner(tmp_path),
    )


def outcome(pairing: MatchResult, root: Path) -> list[tuple[str | None, str | None, list[str]]]:
    """Return (path below the root, evidence, codes) of every doctor."""
    return [
        (
            one.picture.path.relative_to(root).as_posix() if one.picture else None,
            one.evidence,
            [problem.code for problem in one.problems],
        )
        for one in pairing.doctors
    ]


def got(
    tmp_path: Path, files: Mapping[str | bytes, bytes], *doctors: Doctor
) -> list[tuple[str | None, str | None, list[str]]]:
    """Return (relative path, evidence, codes) of every doctor."""
    return outcome(paired(tmp_path, files, *doctors), tmp_path / "seals")
