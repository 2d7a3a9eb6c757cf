"""A picture that a person gave to a doctor: whose it is in every later run, by any route, and whose it never is."""

import hashlib
import io
from dataclasses import replace

import openpyxl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl.drawing.image import Image as Drawing
from page_support import make_site
from people import make_row, name, number
from PIL import Image
from run_support import QuickClock, draw_seal

from pipeline.domain.roster import ImageFile
from pipeline.errors import UsageError
from pipeline.intake.read_rosters import read_rosters
from pipeline.ledger.protocol import LedgerConflict
from pipeline.resolution.given_pictures import open_picture_decisions

SCAN = 901  # the picture by serial


class Ward:
    """Doctors 1 to 3; the picture of doctor 1 bears no one's name."""

    def __init__(self, hospital):
        self.hospital = hospital
        self.seals = hospital.folder / "seals"
        self.rows = {serial: make_row(serial) for serial in (1, 2, 3)}
        self.save()
        draw_seal(self.seals / "00002.png", 2)
        draw_seal(self.seals / "00003.png", 3)
        draw_seal(self.seals / "scan.png", SCAN)
        self.bytes = (self.seals / "scan.png").read_bytes()
        self.digest = hashlib.sha256(self.bytes).hexdigest()

    def save(self):
        self.hospital.roster(list(self.rows.values()))

    def decide(self, act):
        """Act with the ledger owned, as the page does."""
        site = make_site(self.hospital.folder / "config.yaml", QuickClock())
        with open_picture_decisions(site.config, site.clock) as decisions:
            return act(decisions)

    def give(self, serial, file="scan.png", others=()):
        path = self.seals / file
        data = path.read_bytes()
        image = ImageFile.from_path(path, hashlib.sha256(data).hexdigest(), len(data))
        rows, _ = read_rosters([self.hospital.folder / "inbox"])
        (row,) = [row for row in rows if row.cells[1].display_text == self.rows[serial][1]]
        unused = [hashlib.sha256((self.seals / other).read_bytes()).hexdigest() for other in others]
        return self.decide(lambda decisions: decisions.give(decisions.identify(row), image, "wang", unused))

    def withdraw(self, picture):
        self.decide(lambda decisions: decisions.withdraw(picture.key, picture.picture, "wang"))

    def run(self, command="run"):
        """Return status and codes by the doctor's serial."""
        self.hospital.go(*([command, "--yes"] if command == "run" else [command]))
        lines = self.hospital.outcomes("outcomes.jsonl" if command == "run" else "plan.jsonl")
        serials = {name(serial): serial for serial in (1, 2, 3)}
        return {serials[line["name"]]: line for line in lines}


@pytest.fixture
def ward(hospital):
    return Ward(hospital)


def test_a_given_picture_is_sent_for_this_doctor_by_check_and_run_alike(ward):
    assert ward.run("check")[1]["codes"] == ["IMAGE_MISSING"]
    ward.give(1)
    checked = ward.run("check")[1]
    assert (checked["status"], checked["picture"]["sha256"]) == ("ready", ward.digest)
    done = ward.run()
    assert {line["status"] for line in done.values()} == {"sealed"}
    assert done[1]["picture"]["sha256"] == ward.digest
    assert {line["status"] for line in ward.run().values()} == {"unchanged"}


def test_a_picture_that_is_withdrawn_is_no_evidence(ward):
    given = ward.give(1)
    ward.withdraw(given)
    assert ward.run("check")[1]["codes"] == ["IMAGE_MISSING"]
    with pytest.raises(UsageError) as refusal:
        ward.withdraw(given)
    assert refusal.value.key == "picture.not_given"


def test_other_bytes_under_the_same_name_are_not_given(ward):
    ward.give(1)
    draw_seal(ward.seals / "scan.png", SCAN + 1)
    assert ward.run("check")[1]["codes"] == ["IMAGE_MISSING"]


def test_a_file_that_was_renamed_is_still_given(ward):
    ward.give(1)
    (ward.seals / "scan.png").rename(ward.seals / "IMG_1.png")
    checked = ward.run("check")[1]
    assert (checked["status"], checked["picture"]["sha256"]) == ("ready", ward.digest)


def test_another_doctor_does_not_get_it_by_name(ward):
    """Whether or not the doctor to whom it was given stands in the rosters, as the same bytes or the same pixels."""
    ward.give(1)
    (ward.seals / "scan.png").unlink()
    target = ward.seals / "00002.png"
    with Image.open(io.BytesIO(ward.bytes)) as picture:
        picture.load()
    for command in ("check", "run"):
        for form in ("bytes", "pixels"):
            target.write_bytes(ward.bytes)
            if form == "pixels":
                picture.save(target, compress_level=1)
                assert target.read_bytes() != ward.bytes
            done = ward.run(command)
            assert done[2]["status"] == "rejected"
            assert done[2]["codes"] != ["IMAGE_MISSING"]
        del ward.rows[1 if command == "check" else 3]
        ward.save()


def test_a_doctor_with_a_picture_of_another_name_gets_neither(ward):
    draw_seal(ward.seals / "00001.png", 1)
    ward.give(1)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"]


def test_a_picture_that_bears_another_doctors_number_goes_to_neither(ward):
    ward.give(1)
    (ward.seals / f"{number(2)}.png").write_bytes(ward.bytes)
    (ward.seals / "00002.png").unlink()
    done = ward.run("check")
    assert all("IMAGE_SHARED" in done[serial]["codes"] for serial in (1, 2))
    assert {done[serial]["status"] for serial in (1, 2)} == {"rejected"}


def test_a_picture_of_an_earlier_doctor_cannot_be_given(ward):
    assert ward.run()[2]["status"] == "sealed"
    with pytest.raises(UsageError) as refusal:
        ward.give(1, "00002.png")
    assert refusal.value.key == "picture.of_another"


def test_a_picture_is_given_to_one_doctor_alone(ward):
    first = ward.give(1)
    with pytest.raises(UsageError) as refusal:
        ward.give(2)
    assert refusal.value.key == "picture.of_another"
    ward.withdraw(first)
    ward.give(2)


def test_a_row_without_a_usable_number_is_corrected_first(ward):
    ward.rows[1] = make_row(1, number=number(1)[:17])
    ward.save()
    with pytest.raises(UsageError) as refusal:
        ward.give(1)
    assert refusal.value.key == "picture.no_number"


def test_a_corrected_number_of_the_same_person_keeps_the_picture(ward):
    ward.give(1)
    assert ward.run()[1]["status"] == "sealed"
    ward.rows[1] = make_row(1, number=number(9))
    ward.save()
    assert "PERSON_POSSIBLY_SAME" in ward.run()[1]["codes"]
    assert ward.hospital.go("resolve", name(1), "--same-person") == 0
    assert ward.run()[1]["status"] in {"unchanged", "changed"}
    # and it is still no one else's
    del ward.rows[1]
    ward.save()
    (ward.seals / "scan.png").rename(ward.seals / "00002.png")
    assert ward.run()[2]["status"] in {"unchanged", "changed", "rejected"}


def test_explain_shows_who_gave_it(ward, capsys):
    ward.give(1)
    ward.run()
    capsys.readouterr()
    ward.hospital.go("explain", name(1))
    shown = capsys.readouterr().out
    assert "a seal picture is this doctor's" in shown
    assert "wang" in shown
    ward.hospital.go("explain", name(2))
    assert "a seal picture is this doctor's" not in capsys.readouterr().out


def test_a_picture_that_also_bears_another_doctors_name_goes_to_neither(ward):
    """Also where that doctor has a further picture."""
    ward.give(1)
    (ward.seals / f"{name(2)}.png").write_bytes(ward.bytes)
    done = ward.run("check")
    assert (done[1]["status"], "IMAGE_SHARED" in done[1]["codes"]) == ("rejected", True)
    assert (done[2]["status"], done[2]["codes"]) == ("rejected", ["IMAGE_AMBIGUOUS"])


def test_a_given_file_that_bears_a_strangers_number_is_sent(ward):
    """A person saw the picture and the name of its file; that person is in no roster."""
    (ward.seals / "scan.png").rename(ward.seals / f"{number(30)}.png")
    ward.give(1, f"{number(30)}.png")
    assert ward.run()[1]["status"] == "sealed"
    assert sent_pictures(ward)[number(1)] == ward.bytes


# -- one of several pictures


@pytest.fixture
def two_pictures(ward):
    """Doctor 1 has two different pictures of the name."""
    draw_seal(ward.seals / f"{name(1)}.png", 11)
    draw_seal(ward.seals / f"{name(1)} (2).png", 12)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"]
    return ward


def sent_pictures(ward):
    """Return the picture that the service has of each number, by its bytes."""
    service = ward.hospital.service
    return {seal.number: service.pictures[seal.picture] for seal in service.seals}


def test_of_two_pictures_the_chosen_one_is_sent(two_pictures):
    ward = two_pictures
    other, chosen = f"{name(1)}.png", f"{name(1)} (2).png"
    ward.give(1, chosen, others=[other])
    done = ward.run()
    assert (done[1]["status"], done[1]["codes"]) == ("sealed", [])
    sent = Image.open(io.BytesIO(sent_pictures(ward)[number(1)])).convert("RGB")
    assert sent.tobytes() == Image.open(ward.seals / chosen).convert("RGB").tobytes()
    assert ward.run()[1]["status"] == "unchanged"


def test_a_picture_that_was_not_shown_holds_the_row_again(two_pictures):
    ward = two_pictures
    ward.give(1, f"{name(1)}.png", others=[f"{name(1)} (2).png"])
    draw_seal(ward.seals / f"{name(1)} (3).png", 13)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"]
    ward.give(1, f"{name(1)}.png", others=[f"{name(1)} (3).png"])
    assert ward.run("check")[1]["status"] == "ready"
    draw_seal(ward.seals / f"{name(1)} (2).png", 14)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"], "other bytes under a name that was set aside"


def test_a_picture_that_was_not_chosen_is_not_taken_in_place_of_a_lost_one(two_pictures):
    ward = two_pictures
    ward.give(1, f"{name(1)}.png", others=[f"{name(1)} (2).png"])
    (ward.seals / f"{name(1)}.png").unlink()
    assert ward.run("check")[1]["codes"] == ["IMAGE_MISSING"]
    ward.give(1, f"{name(1)} (2).png")
    assert ward.run("check")[1]["status"] == "ready"


def test_a_choice_that_is_withdrawn_holds_the_row_again(two_pictures):
    ward = two_pictures
    chosen = ward.give(1, f"{name(1)}.png", others=[f"{name(1)} (2).png"])
    ward.give(1, f"{name(1)}.png", others=["scan.png"])
    ward.withdraw(chosen)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"]


@pytest.mark.parametrize(
    ("files", "ran"), [(1, False), (2, True)], ids=["one file", "two files after a run that saw both"]
)
def test_each_of_two_namesakes_gets_the_own_picture(ward, ran, files):
    ward.rows[1] = make_row(1, staff_no=None)
    ward.rows[2] = make_row(2, name=name(1), staff_no=None, department="外科")
    ward.save()
    for path in ward.seals.iterdir():
        path.unlink()
    pictures = [f"{name(1)}.png", f"{name(1)} (2).png"][:files]
    for serial, file in enumerate(pictures, start=21):
        draw_seal(ward.seals / file, serial)

    def run(command):
        ward.hospital.go(*([command, "--yes"] if command == "run" else [command]))
        lines = ward.hospital.outcomes("outcomes.jsonl" if command == "run" else "plan.jsonl")
        return [(line["status"], line["codes"]) for line in lines][:2]

    held = ("rejected", ["IMAGE_AMBIGUOUS"])
    assert run("run" if ran else "check") == [held, held]
    ward.give(2, pictures[0], others=pictures[1:])
    assert run("check") == [held, ("ready", [])]
    with pytest.raises(UsageError) as refusal:
        ward.give(1, pictures[0])
    assert refusal.value.key == "picture.of_another"
    expected = {number(2): (ward.seals / pictures[0]).read_bytes()}
    if files == 2:
        ward.give(1, pictures[1], others=pictures[:1])
        expected[number(1)] = (ward.seals / pictures[1]).read_bytes()
    run("run")
    assert sent_pictures(ward) == expected


NAMES = ["00001", "00002", name(2), number(2), number(1), "内科_00003", "scan (2)", "IMG_7"]


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    copies=st.lists(st.sampled_from(NAMES), unique=True, max_size=3),
    present=st.sets(st.sampled_from([1, 2, 3]), min_size=1),
    keeps_scan=st.booleans(),
)
def test_given_bytes_reach_no_other_doctor(ward, copies, present, keeps_scan):
    """But by a file that bears that doctor's own number, and then not both."""
    given_pictures = ward.decide(lambda decisions: decisions.ledger.list_given_pictures())
    if not given_pictures:
        ward.give(1)
    for path in list(ward.seals.iterdir()):
        path.unlink()
    draw_seal(ward.seals / "00003.png", 3)
    for copy in [*copies, *(["scan"] if keeps_scan else [])]:
        (ward.seals / f"{copy}.png").write_bytes(ward.bytes)
    ward.hospital.roster([make_row(serial) for serial in sorted(present)])
    checked = ward.run("check")
    ready = [
        serial
        for serial, line in checked.items()
        if line["status"] == "ready" and line["picture"]["sha256"] == ward.digest
    ]
    assert len(ready) <= 1
    for serial in ready:
        assert serial == 1 or number(serial) in copies
    if present == {1} and (copies or keeps_scan):
        assert ready == [1]


def test_a_ledger_that_is_rebuilt_knows_what_was_given(ward):
    ward.give(1)
    assert ward.run()[1]["status"] == "sealed"
    withdrawn = ward.give(3, "00003.png")
    ward.withdraw(withdrawn)
    before = ward.decide(lambda decisions: decisions.ledger.list_given_pictures())
    ward.hospital.lose_ledger()
    assert ward.hospital.go("ledger", "rebuild") == 0
    assert ward.decide(lambda decisions: decisions.ledger.list_given_pictures()) == before
    assert len(before) == 1


def test_the_ledger_refuses_a_second_doctor_for_one_picture(ward):
    """Also where two people decide at once."""
    first = ward.give(1)
    for other in (replace(first, key="another"), replace(first, key="another", picture="0" * 64)):
        with pytest.raises(LedgerConflict):
            ward.decide(
                lambda decisions, other=other: decisions.ledger.record_given_picture(
                    other, now=1.0, who="li", why="page"
                )
            )
    assert ward.decide(lambda decisions: decisions.ledger.list_given_pictures()) == [first]


def test_a_picture_given_under_a_corrected_number_passes_to_the_person(ward):
    draw_seal(ward.seals / "00001.png", 1)
    assert ward.run()[1]["status"] == "sealed"
    ward.rows[1] = make_row(1, number=number(9))
    ward.save()
    (ward.seals / "00001.png").unlink()
    ward.give(1)
    assert "PERSON_POSSIBLY_SAME" in ward.run()[1]["codes"]
    assert ward.hospital.go("resolve", name(1), "--same-person") == 0
    row = ward.run()[1]
    assert (row["status"], row["picture"] and row["picture"]["sha256"]) == ("changed", ward.digest)


# -- pictures in the roster


class DrawnRoster:
    """A roster whose row of doctor 1 shows a picture; a file of the doctor's staff number is another one."""

    def __init__(self, ward):
        self.ward = ward
        draw_seal(ward.seals / "00001.png", 11)
        self.drawn = ward.hospital.folder / "drawn.png"
        draw_seal(self.drawn, 12)

    def save(self, cell, height=16):
        """Write the roster with the drawing over a cell; one of 40 pixels lies between two rows."""
        self.ward.save()
        path = self.ward.hospital.folder / "inbox" / "roster.xlsx"
        book = openpyxl.load_workbook(path)
        book.active.cell(1, 6, "印章")
        drawing = Drawing(str(self.drawn))
        drawing.width, drawing.height = 60, height
        book.active.add_image(drawing, cell)
        book.save(path)

    def give(self, chosen, other):
        """Give doctor 1 one of both pictures; the other one was shown as well."""
        rows, _ = read_rosters([self.ward.hospital.folder / "inbox"])
        (row,) = [row for row in rows if row.cells[1].display_text == number(1)]
        digests = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in (chosen, other)}
        image = ImageFile.from_path(chosen, digests[chosen], chosen.stat().st_size)
        self.ward.decide(
            lambda decisions: decisions.give(decisions.identify(row), image, "wang", [digests[other]])
        )


@pytest.mark.parametrize("cell", ["F2", "C2", "H2"], ids=["seal column", "mobile column", "no title"])
def test_a_picture_in_the_row_that_was_not_chosen_is_not_asked_about_again(ward, cell):
    drawn = DrawnRoster(ward)
    drawn.save(cell)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"]
    drawn.give(ward.seals / "00001.png", drawn.drawn)
    assert ward.run("check")[1]["status"] == "ready"
    assert ward.run()[1]["status"] == "sealed"
    assert sent_pictures(ward)[number(1)] == (ward.seals / "00001.png").read_bytes()
    draw_seal(drawn.drawn, 13)
    drawn.save(cell)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"], "other bytes in the cell that was set aside"


@pytest.mark.parametrize("cell", ["F2", "C2", "H2"], ids=["seal column", "mobile column", "no title"])
def test_a_picture_in_the_row_that_was_chosen_is_sent(ward, cell):
    drawn = DrawnRoster(ward)
    drawn.save(cell)
    drawn.give(drawn.drawn, ward.seals / "00001.png")
    assert ward.run()[1]["status"] == "sealed"
    assert sent_pictures(ward)[number(1)] == drawn.drawn.read_bytes()


def test_a_picture_between_rows_that_was_not_chosen_is_not_asked_about_in_place_of_a_lost_one(ward):
    drawn = DrawnRoster(ward)
    (ward.seals / "00001.png").unlink()
    drawn.save("F2", height=40)
    assert ward.run("check")[1]["codes"] == ["IMAGE_AMBIGUOUS"]
    drawn.give(ward.seals / "scan.png", drawn.drawn)
    assert ward.run("check")[1]["status"] == "ready"
    (ward.seals / "scan.png").unlink()
    assert ward.run("check")[1]["codes"] == ["IMAGE_MISSING"]
