"""What a roster writes about a seal, as it reaches the service: picture entries, seal names, pictures that two rows share."""

import io

from people import name, number
from PIL import Image
from run_support import draw_seal

HEADERS = ("姓名", "证件号码", "印章图片", "印章名称")


def row(serial, picture=None, seal_name=None):
    return name(serial), number(serial), picture, seal_name


def codes(hospital):
    return [[problem["code"] for problem in row["problems"]] for row in hospital.outcomes()]


def test_a_path_of_another_computer_names_a_picture_and_leads_nowhere_else(hospital):
    draw_seal(hospital.folder / "seals" / "扫描1.png", 1)
    draw_seal(hospital.folder / "扫描2.png", 2)
    outside = str(hospital.folder / "扫描2.png")
    rows = [row(1, "C:\\Users\\护士站\\Desktop\\扫描1.png"), row(2, outside), row(3, "C:\\..\\扫描2.png")]
    hospital.roster(rows, headers=HEADERS)
    assert hospital.go("run") == 3
    (seal,) = hospital.service.seals
    drawn = (hospital.folder / "seals" / "扫描1.png").read_bytes()
    assert (seal.number, hospital.service.pictures[seal.picture]) == (number(1), drawn)
    assert [set(row_codes) - {"MOBILE_MISSING", "ID_TYPE_INFERRED"} for row_codes in codes(hospital)] == [
        {"IMAGE_NAME_FUZZY"},
        {"IMAGE_MISSING"},
        {"IMAGE_PATH_REJECTED"},
    ]
    (note,) = [
        problem for problem in hospital.outcomes()[0]["problems"] if problem["code"] == "IMAGE_NAME_FUZZY"
    ]
    assert note["severity"] == "warning"
    assert "another computer" in note["message"]


def test_a_path_to_a_file_named_after_another_doctor_stays_contested(hospital):
    draw_seal(hospital.folder / "seals" / f"{name(2)}.png", 2)
    hospital.roster([row(1, f"D:\\章\\{name(2)}.png"), row(2)], headers=HEADERS)
    assert hospital.go("run") == 3
    assert hospital.service.seals == []


def test_blanks_inside_a_seal_name_are_taken_off_and_recorded(hospital):
    draw_seal(hospital.folder / "seals" / f"{number(1)}.png", 1)
    wanted = f"{name(1)}医师章"
    hospital.roster([row(1, None, f" {wanted[0]}　{wanted[1:3]} {wanted[3:]}")], headers=HEADERS)
    assert hospital.go("run") == 0
    (seal,) = hospital.service.seals
    assert seal.seal_name == wanted
    (line,) = hospital.outcomes()
    changes = [(change["field"], change["to"], change["why"]) for change in line["changes"]]
    assert ("seal_name", wanted, "spaces") in changes
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})


def test_a_shared_picture_that_is_unusable_besides_is_called_so_on_every_row(hospital):
    seals = hospital.folder / "seals"
    (seals / "甲.png").write_bytes(b"%PDF-1.7 a seal")
    blank = io.BytesIO()
    Image.new("RGB", (80, 40), "white").save(blank, "PNG")
    (seals / "乙.png").write_bytes(blank.getvalue())
    Image.new("RGB", (80, 40), "white").save(seals / "丙.bmp")
    draw_seal(seals / "丁.png", 1)
    named = ["甲.png", "甲.png", "乙.png", "丙.bmp", "丁.png", "丁.png"]
    hospital.roster([row(serial, file) for serial, file in enumerate(named, 1)], headers=HEADERS)
    expected = [{"IMAGE_SHARED", "IMAGE_FORMAT"}] * 2 + [{"IMAGE_BLANK"}] * 2
    expected += [{"IMAGE_SHARED"}] * 2
    for command, file in (("check", "plan.jsonl"), ("run", "outcomes.jsonl")):
        assert hospital.go(command) == 3
        codes_by_row = [
            set(row["codes"]) - {"MOBILE_MISSING", "ID_TYPE_INFERRED"} for row in hospital.outcomes(file)
        ]
        assert codes_by_row == expected, command
    assert hospital.service.seals == []
