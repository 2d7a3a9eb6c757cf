"""Names read from pictures: a trial with drawn seals, and that nothing leaves or stays on the machine (`make ocr`)."""

from __future__ import annotations

import hashlib
import json
import os
import random
import stat
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.domain.roster import Cell, CellKind, Doctor, Field, ImageFile, Origin, Row
from pipeline.intake.images import name_ocr
from pipeline.intake.images.name_ocr import check_names_in_images

SAMPLE = Path(__file__).parents[3] / "sample_data"
LOOKS = ("square", "relief", "strip", "plain", "column", "signature", "photo")
EACH = 6  # pictures of a look

pytest.importorskip("rapidocr", reason='the extra "ocr" is not installed (make ocr)')


@pytest.fixture(scope="module")
def draw():
    """Return what draws a name as a seal of some look, with the fonts of the sample."""
    sys.path.insert(0, str(SAMPLE))
    try:
        import drawing
        import entries
    finally:
        sys.path.remove(str(SAMPLE))

    def drawn(name: str, look: str, ink: str = "red", paper: str = "white") -> bytes:
        return drawing.draw(entries.Drawing("x.png", name, entries.Look(look, ink, paper)))

    return drawn


@pytest.fixture(scope="module")
def names() -> list[str]:
    """Return the doctors of the sample, namesakes once."""
    sys.path.insert(0, str(SAMPLE))
    try:
        from entries import STAFF
    finally:
        sys.path.remove(str(SAMPLE))
    return list(dict.fromkeys(line.split()[1] for line in STAFF.strip().split("\n")))


def doctor(name: str | None, picture: ImageFile | None = None) -> Doctor:
    cell = Cell("F", "印章图片", "x.png", CellKind.TEXT, "x.png")
    row = Row(Origin(Path("a.xlsx"), None, 7), (cell,), {Field.PICTURE: cell})
    unset = dict.fromkeys(
        (
            "number",
            "id_type",
            "mobile",
            "staff_no",
            "department",
            "seal_name",
            "scene_key",
            "enable_auto_sign",
        )
    )
    return Doctor(
        row=row,
        row_id="r",
        key="k",
        name=name,
        license_type=None,
        seal_image_compress=None,
        picture=picture,
        **unset,
    )


def put(folder: Path, data: bytes) -> ImageFile:
    sha256 = hashlib.sha256(data).hexdigest()
    path = folder / f"{sha256[:12]}.png"
    path.write_bytes(data)
    return ImageFile.from_path(path, sha256, len(data))


def list_names_found(doctors: Sequence[Doctor]) -> list[str | None]:
    return [doctor.problems[0].detail["found"] if doctor.problems else None for doctor in doctors]


def test_right_pictures_are_never_flagged_and_most_swapped_ones_are(tmp_path, draw, names):
    """Printed seals of five kinds, handwriting, photos: each with its doctor, then with the next one's."""
    dice = random.Random(11)
    roster = [doctor(name) for name in names]
    right, swapped, caught = [], 0, {}
    for look in LOOKS:
        fitting = [
            name for name in names if len(name) <= 4 or look in ("strip", "plain", "signature", "photo")
        ]
        chosen = dice.sample(fitting, EACH)
        pictures = [
            put(
                tmp_path,
                draw(name, look, *dice.choice((("red", "clear"), ("blue", "white"), ("black", "jpg")))),
            )
            for name in chosen
        ]
        own = [doctor(name, picture) for name, picture in zip(chosen, pictures, strict=True)]
        others = [
            doctor(name, picture) for name, picture in zip(chosen[1:] + chosen[:1], pictures, strict=True)
        ]
        right += list_names_found(check_names_in_images([*own, *roster], work=tmp_path / "work")[:EACH])
        reported = list_names_found(check_names_in_images([*others, *roster], work=tmp_path / "work")[:EACH])
        swapped += EACH
        caught[look] = sum(shown == name for shown, name in zip(reported, chosen, strict=True))
        assert all(shown in (None, name) for shown, name in zip(reported, chosen, strict=True))
    assert right == [None] * len(right)
    assert sum(caught.values()) >= 0.8 * swapped, caught


def test_the_problem_names_the_cell_and_the_other_doctor(tmp_path, draw):
    doctors = [doctor("李建国", put(tmp_path, draw("张伟", "strip"))), doctor("张伟")]
    checked = check_names_in_images(doctors, work=tmp_path / "work")
    (problem,) = checked[0].problems
    assert (problem.code, problem.severity, problem.cell) == ("IMAGE_NAME_MISMATCH", "error", "F7")
    assert problem.detail == {"found": "张伟"}
    assert checked[1] == doctors[1]


def test_what_was_read_is_kept_and_not_read_again(tmp_path, draw):
    picture = put(tmp_path, draw("张伟", "strip"))
    doctors = [doctor("李建国", picture), doctor("张伟")]
    first = check_names_in_images(doctors, work=tmp_path / "work")
    (kept,) = (tmp_path / "work" / "ocr").iterdir()
    assert kept.name == f"{picture.sha256}.json"
    if sys.platform != "win32":
        assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(kept.parent.stat().st_mode)) == (0o600, 0o700)
    assert set(json.loads(kept.read_text("utf-8"))) == {"version", "texts"}
    picture.path.unlink()  # what is known needs no picture
    assert check_names_in_images(doctors, work=tmp_path / "work") == first
    assert list_names_found(first) == ["张伟", None]


def test_a_view_that_was_not_read_is_read_when_it_is_needed(tmp_path, draw):
    """The own name was seen at once; another doctor who gets the picture needs the other readings, too."""
    picture = put(tmp_path, draw("张伟", "square"))
    assert list_names_found(check_names_in_images([doctor("张伟", picture)], work=tmp_path / "work")) == [
        None
    ]
    (kept,) = (tmp_path / "work" / "ocr").iterdir()
    few = json.loads(kept.read_text("utf-8"))["texts"]
    assert list_names_found(
        check_names_in_images([doctor("李建国", picture), doctor("张伟")], work=tmp_path / "work")
    ) == [
        "张伟",
        None,
    ]
    many = json.loads(kept.read_text("utf-8"))["texts"]
    assert few.items() < many.items()
    assert list(many)[-1] == "whole"


@pytest.mark.parametrize(
    "spoil", ["not json", "[]", '{"version": 1}', '{"version": "older", "texts": {}}', "null", "wrong type"]
)
def test_a_kept_reading_that_cannot_be_trusted_is_ignored(tmp_path, draw, spoil):
    picture = put(tmp_path, draw("张伟", "strip"))
    doctors = [doctor("李建国", picture), doctor("张伟")]
    check_names_in_images(doctors, work=tmp_path / "work")
    (kept,) = (tmp_path / "work" / "ocr").iterdir()
    sound = json.loads(kept.read_text("utf-8"))
    kept.write_text(json.dumps({**sound, "texts": {"line": 3}}) if spoil == "wrong type" else spoil, "utf-8")
    assert list_names_found(check_names_in_images(doctors, work=tmp_path / "work")) == ["张伟", None]
    assert json.loads(kept.read_text("utf-8")) == sound


def test_a_kept_ocr_reading_never_accepts_a_row(tmp_path, draw):
    """Text that was put there decides nothing but the flag: the row is refused, none is ever passed by it."""
    picture = put(tmp_path, draw("张伟", "strip"))
    (tmp_path / "work" / "ocr").mkdir(parents=True)
    kept = {"version": name_ocr._describe_version(), "texts": {"whole": "李建国"}}
    (tmp_path / "work" / "ocr" / f"{picture.sha256}.json").write_text(json.dumps(kept), "utf-8")
    bad = replace(doctor("李建国", picture), problems=())
    assert check_names_in_images([bad, doctor("张伟")], work=tmp_path / "work") == [bad, doctor("张伟")]


def test_unreadable_pictures_are_not_flagged(tmp_path, draw):
    gone = ImageFile.from_path(tmp_path / "gone.png", "0" * 64, 3)
    broken = put(tmp_path, b"no picture at all")
    blank = put(tmp_path, draw("张伟", "blank"))
    doctors = [doctor("李建国", entry) for entry in (gone, broken, blank, None)] + [
        doctor(None, blank),
        doctor("张伟"),
    ]
    assert check_names_in_images(doctors, work=tmp_path / "work") == doctors
    assert not (tmp_path / "work").exists()


@pytest.mark.parametrize("size", [(20, 20), (20, 2000), (2000, 20), (3000, 40), (1, 400)])
def test_pictures_of_any_shape_can_be_read(tmp_path, size):
    from image_support import encoded, noise

    picture = put(tmp_path, encoded(noise(*size, 1), "PNG"))
    assert list_names_found(
        check_names_in_images([doctor("李建国", picture), doctor("张伟")], work=tmp_path / "work")
    ) == [
        None,
        None,
    ]


SCRIPT = """
import socket, sys
from pathlib import Path
sys.path[:0] = sys.argv[3].split(":")
def no_network(*_): raise AssertionError("network")
socket.socket.connect = socket.getaddrinfo = no_network
from pipeline.intake.images.name_ocr import check_names_in_images
from test_name_ocr import doctor, list_names_found, put
doctors = [doctor("李建国", put(Path(sys.argv[1]), Path(sys.argv[2]).read_bytes())), doctor("张伟")]
print(list_names_found(check_names_in_images(doctors, work=Path(sys.argv[1], "work"))))
"""


def test_it_runs_without_a_network_in_silence_and_writes_nothing_else(tmp_path, draw):
    import rapidocr

    package = Path(rapidocr.__file__).parent
    before = sorted((path, path.stat().st_mtime_ns) for path in (package / "models").iterdir())
    for folder in ("home", "here", "work"):
        (tmp_path / folder).mkdir()
    seal = tmp_path / "seal.png"
    seal.write_bytes(draw("张伟", "column"))
    paths = ":".join(
        [
            str(Path(__file__).parent),
            str(Path(__file__).parents[2] / "support"),
            str(Path(__file__).parents[3]),
        ]
    )
    alone = ["unshare", "--net", "--map-root-user"]
    if (
        sys.platform != "linux"
        or subprocess.run([*alone, "true"], capture_output=True, check=False).returncode
    ):
        alone = []  # not everywhere may a test cut itself off; the script refuses every connection as well
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    run = subprocess.run(
        [*alone, sys.executable, "-W", "error", "-c", SCRIPT, str(tmp_path / "work"), str(seal), paths],
        capture_output=True, text=True, check=False, cwd=tmp_path / "here",
        env={**environment, "HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    assert (run.stdout, run.stderr, run.returncode) == ("['张伟', None]\n", "", 0)
    assert list((tmp_path / "home").iterdir()) == list((tmp_path / "here").iterdir()) == []
    assert sorted((path, path.stat().st_mtime_ns) for path in (package / "models").iterdir()) == before
