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
from pipeline.ledger.records import LedgerConflict
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
        return self.decide_on(row, rows, image, unused)

    def decide_on(self, row, rows, image, others):
        """Give a picture to the doctor of a row; all rows stand in the check that is shown."""

        def give(decisions):
            doctors = [
                decisions.identify(one) for one in rows if one is row or len(one.cells[1].display_text) == 18
            ]
            shown = [(doctor.key, doctor.name) for doctor in doctors]
            return decisions.give(decisions.identify(row), image, "wang", rows=shown, others=others)

        return self.decide(give)

    def list_given(self):
        """Return what is given, oldest first."""
        every = self.decide(lambda decisions: decisions.ledger.list_picture_decisions())
        return [one for one in every if one.decided == "given"]

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
    assert f"a seal picture is this doctor's: {name(1)} roster.xlsx Sheet 2" in shown
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
    assert read_pixels(sent_pictures(ward)[number(1)]) == read_pixels((ward.seals / chosen).read_bytes())
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
    given_pictures = ward.list_given()
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


def test_a_ledger_made_of_its_journals_knows_what_was_given(ward):
    ward.give(1)
    assert ward.run()[1]["status"] == "sealed"
    withdrawn = ward.give(3, "00003.png")
    ward.withdraw(withdrawn)
    before = ward.list_given()
    ward.hospital.lose_ledger()
    assert ward.hospital.go("status") == 0
    assert ward.list_given() == before
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
    assert ward.list_given() == [first]


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
        self.ward.decide_on(row, rows, image, [digests[other]])


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


# -- a decision holds for number and name


def read_pixels(data):
    with Image.open(io.BytesIO(data)) as picture:
        return picture.convert("RGB").tobytes()


class Scans(Ward):
    """Doctors 1 to 5 without staff numbers: a scan of each but the last, whose picture bears the name."""

    def __init__(self, hospital):
        self.hospital, self.seals = hospital, hospital.folder / "seals"
        self.rows = {serial: make_row(serial, staff_no=None) for serial in range(1, 6)}
        for serial in self.rows:
            draw_seal(self.seals / f"scan{serial}.png", 100 + serial)
        self.bytes = {serial: (self.seals / f"scan{serial}.png").read_bytes() for serial in self.rows}
        (self.seals / "scan5.png").rename(self.seals / f"{name(5)}.png")
        self.save()

    def number_rows(self, numbers):
        """Write rows with the identity numbers of these doctors."""
        for serial, other in numbers.items():
            self.rows[serial] = make_row(serial, staff_no=None, number=number(other))
        self.save()

    def run(self, *words):
        """Return the rows by the doctor's serial; no seal may show another doctor's picture."""
        self.hospital.go("run", "--yes", *words)
        owners = {number(serial): read_pixels(data) for serial, data in self.bytes.items()}
        for sealed, data in sent_pictures(self).items():
            assert read_pixels(data) == owners[sealed], "a wrong picture"
        serials = {name(serial): serial for serial in self.bytes}
        return {serials[line["name"]]: line for line in self.hospital.outcomes()}


def assert_void(line, earlier, code="IMAGE_MISSING"):
    """Assert that a row is held for a decision that is void, and that it names both doctors."""
    assert (line["status"], line["codes"]) == ("rejected", [code])
    (problem,) = line["problems"]
    for word in (name(earlier), line["name"], "roster.xlsx", "no longer counts", "on the page"):
        assert word in problem["message"], (word, problem["message"])


@pytest.fixture
def scans(hospital):
    return Scans(hospital)


@pytest.mark.parametrize("between", [None, "check", "run"])
@pytest.mark.parametrize("slip", [{1: 2, 2: 1}, {1: 2, 2: 3, 3: 4, 4: 1}], ids=["exchanged", "shifted"])
def test_pictures_given_to_names_while_the_numbers_were_wrong_are_given_anew(scans, slip, between):
    scans.number_rows(slip)
    for serial in slip:
        scans.give(serial, f"scan{serial}.png")
    if between:
        scans.hospital.go(*["check"] if between == "check" else ["run", "--yes", "--only", name(5)])
    scans.number_rows({serial: serial for serial in slip})
    for _ in range(2):  # a night later as well
        done = scans.run()
        for serial in slip:
            assert_void(done[serial], serial)
        assert done[5]["status"] in {"sealed", "unchanged"}
    for serial in slip:
        scans.give(serial, f"scan{serial}.png")
    assert len(scans.list_given()) == len(slip), "in place of those that were void"
    done = scans.run()
    assert {done[serial]["status"] for serial in slip} == {"sealed"}


@pytest.mark.parametrize("returns", [False, True])
@pytest.mark.parametrize("file", ["scan1.png", f"{name(1)}.png"])
def test_the_owner_of_a_number_that_another_row_bore_by_a_slip_does_not_get_its_picture(scans, file, returns):
    for serial in (2, 3, 4):
        del scans.rows[serial]
    scans.number_rows({1: 2})
    scans.give(1, "scan1.png")
    (scans.seals / "scan1.png").rename(scans.seals / file)
    (scans.seals / "scan2.png").unlink()
    del scans.rows[1]
    scans.rows[2] = make_row(2, staff_no=None)
    if returns:
        scans.rows[1] = make_row(1, staff_no=None)
    scans.save()
    done = scans.run()
    assert_void(done[2], 1)
    if returns:
        code = "IMAGE_MISSING" if file == "scan1.png" else "IMAGE_AMBIGUOUS"
        assert_void(done[1], 1, code)
        (scans.seals / f"{name(2)}.png").write_bytes(scans.bytes[2])
        assert scans.run()[2]["status"] == "sealed"
        done = scans.run()
        assert_void(done[1], 1, code)
        assert "--same-person" not in done[1]["problems"][0]["message"], (
            "the number alone was another doctor's"
        )
        scans.give(1, file)
        assert scans.run()[1]["status"] == "sealed"


def save_anew(path, suffix):
    """Save a picture with other bytes and the same pixels; return the file."""
    with Image.open(path) as picture:
        picture.load()
    target = path.with_name(f"again{suffix}")
    picture.save(target, **({"compress_level": 1} if suffix == ".png" else {}))
    assert target.read_bytes() != path.read_bytes()
    path.unlink()
    return target


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_a_given_picture_is_given_however_it_is_saved(scans, suffix):
    scans.give(1, "scan1.png")
    scans.give(2, "scan2.png", others=["scan3.png"])
    for serial in (1, 2):
        target = save_anew(scans.seals / f"scan{serial}.png", suffix)
        target.rename(scans.seals / f"again{serial}{suffix}")
    scans.hospital.go("check")
    lines = {line["name"]: line for line in scans.hospital.outcomes("plan.jsonl")}
    for serial in (1, 2):
        assert lines[name(serial)]["status"] == "ready"
        assert lines[name(serial)]["picture"]["path"].endswith(f"again{serial}{suffix}")
    target = scans.seals / f"again1{suffix}"
    target.rename(scans.seals / f"{name(3)}{suffix}")
    done = scans.run()
    assert (done[1]["codes"], done[3]["codes"]) == (["IMAGE_MISSING"], ["IMAGE_AMBIGUOUS"])
    assert name(1) in done[3]["problems"][0]["message"]


def test_a_picture_that_was_not_chosen_stays_out_however_it_is_saved(two_pictures):
    ward = two_pictures
    ward.give(1, f"{name(1)}.png", others=[f"{name(1)} (2).png"])
    target = save_anew(ward.seals / f"{name(1)} (2).png", ".png")
    target.rename(ward.seals / f"{name(1)} (2).png")
    assert ward.run("check")[1]["status"] == "ready"
    (ward.seals / f"{name(1)}.png").unlink()
    assert ward.run("check")[1]["codes"] == ["IMAGE_MISSING"]


def test_a_choice_is_void_where_the_number_moved(two_pictures):
    ward = two_pictures
    one, other = f"{name(1)}.png", f"{name(1)} (2).png"
    ward.give(1, one, others=[other])
    ward.rows[1] = make_row(1, number=number(9))
    ward.save()
    checked = ward.run("check")[1]
    assert (checked["status"], checked["codes"]) == ("rejected", ["IMAGE_AMBIGUOUS"])
    assert "no longer counts" in checked["problems"][0]["message"]
    (ward.seals / one).unlink()
    assert ward.run("check")[1]["codes"] == ["IMAGE_MISSING"], "the other one was not chosen"
    (ward.seals / other).rename(ward.seals / f"{number(9)}.png")
    assert ward.run("check")[1]["status"] == "ready", "a file of the own number"


@pytest.mark.parametrize(("changes", "holds"), [
    ({"name": "歐陽娜娜"}, True),
    ({"name": "欧阳 娜娜"}, True),
    ({"name": "欧阳娜娜儿"}, False),
    ({"number": number(9)}, False),
    ({"department": "外科", "mobile": "15499999999", "staff_no": "00077"}, True),
])  # fmt: skip
def test_what_changes_a_person_and_what_does_not(ward, changes, holds):
    ward.rows[1] = make_row(1, name="欧阳娜娜")
    ward.save()
    ward.give(1)
    row = dict(zip(("name", "number", "mobile", "staff_no", "department"), ward.rows[1], strict=True))
    ward.rows[1] = tuple({**row, **changes}.values())
    ward.save()
    ward.hospital.go("check")
    checked = ward.hospital.outcomes("plan.jsonl")[0]
    assert checked["status"] == ("ready" if holds else "rejected")
    if not holds:
        assert "欧阳娜娜 (roster.xlsx" in checked["problems"][0]["message"]
        assert ward.give(1).shown_name == ward.rows[1][0]
        ward.hospital.go("run", "--yes")
        assert ward.hospital.outcomes()[0]["status"] == "sealed"


@pytest.mark.parametrize("first", ["H1234567801", "M1234567801"])
def test_a_renewed_permit_keeps_the_picture(ward, first):
    ward.rows = {1: (*make_row(1)[:1], first, *make_row(1)[2:], "港澳居民来往内地通行证")}
    headers = ("姓名", "证件号码", "手机号", "工号", "科室", "证件类型")
    ward.hospital.roster(list(ward.rows.values()), headers=headers)
    rows, _ = read_rosters([ward.hospital.folder / "inbox"])
    image = ImageFile.from_path(ward.seals / "scan.png", ward.digest, len(ward.bytes))
    ward.decide_on(rows[0], rows, image, ())
    ward.hospital.roster(
        [(*row[:1], f"{first[:9]}02", *row[2:]) for row in ward.rows.values()], headers=headers
    )
    ward.hospital.go("check")
    assert [line["status"] for line in ward.hospital.outcomes("plan.jsonl")] == ["ready"]


def test_a_purged_doctor_leaves_no_name_in_decisions(ward):
    ward.give(1)
    assert ward.run()[1]["status"] == "sealed"
    assert ward.hospital.go("purge", "--person", name(1), "--yes") == 0
    (given,) = ward.list_given()
    assert (given.picture, given.shown_name, given.position) == (ward.digest, "", "")
