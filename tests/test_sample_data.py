"""The sample: invented people whose numbers are sound but where README.md says otherwise, and pictures for them."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import date
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest
from catalogue_support import PROBLEM_CODES
from fontTools.ttLib import TTFont
from openpyxl import load_workbook
from PIL import Image, ImageOps
from walks import WHOLE

SAMPLE = Path(__file__).parent.parent / "sample_data"
SEALS = SAMPLE / "seals"
HEADER_ROW = 3
LEFT_OVER = {"余思原.png", "郭永强（已离职）.png"}
SPOILED = {"ID_PRECISION_LOST", "ID_CHECKSUM", "ID_15_DIGIT", "ID_TYPE_UNSUPPORTED", "ID_LENGTH"}


class Case(NamedTuple):
    """A line of README.md's table."""

    row: int
    name: str
    status: str
    codes: frozenset[str]


def sheet_lines(path: Path) -> list[list[object]]:
    book = load_workbook(path)
    lines = [list(line) for line in book.worksheets[0].iter_rows(values_only=True)]
    book.close()
    return lines


@pytest.fixture(scope="module")
def lines() -> list[list[object]]:
    """The first sheet as it stands, title and closing lines included."""
    return sheet_lines(SAMPLE / "roster.xlsx")


@pytest.fixture(scope="module")
def doctors(lines: list[list[object]]) -> dict[int, dict[str, object]]:
    """Row number -> heading -> value, of the numbered lines."""
    header = [str(heading) for heading in lines[HEADER_ROW - 1]]
    return {
        row: dict(zip(header, line, strict=True))
        for row, line in enumerate(lines, start=1)
        if isinstance(line[0], int)
    }


@pytest.fixture(scope="module")
def cases() -> dict[int, Case]:
    """What README.md says of each special row."""
    table = re.findall(
        r"^\| (\d+) \| (.+?) \| .+ \| (\w+) \| ?([A-Z0-9_ ]*?) ?\|$",
        (SAMPLE / "README.md").read_text("utf-8"),
        re.MULTILINE,
    )
    return {
        int(row): Case(int(row), name, status, frozenset(codes.split())) for row, name, status, codes in table
    }


@pytest.fixture(scope="module")
def drawn_again(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sample")
    command = [sys.executable, SAMPLE / "make.py", folder, "1" if WHOLE else "5"]
    subprocess.run(command, check=True, capture_output=True)
    return folder


def check_character_fits(number: str) -> bool:
    """GB 11643 the other way round: all eighteen digits, each times its weight, leave 1 modulo 11."""
    digits = [10 if character == "X" else int(character) for character in number]
    return sum(digit * 2 ** (17 - index) for index, digit in enumerate(digits)) % 11 == 1


def tidy(value: object) -> str:
    return str(value or "").replace(" ", "").upper()


def pictures() -> Iterator[Path]:
    return (path for path in SEALS.rglob("*") if path.is_file())


def test_the_table_of_the_readme_names_existing_rows_and_codes(doctors, cases):
    assert len(cases) == 37
    for case in cases.values():
        assert doctors[case.row]["姓名"] == case.name
        assert case.status in {"sealed", "rejected"}
        assert case.codes <= set(PROBLEM_CODES)
        assert case.codes or case.status == "sealed"


def test_readme_counts_are_those_of_its_table(doctors, cases):
    rejected = sum(case.status == "rejected" for case in cases.values())
    text = (SAMPLE / "README.md").read_text("utf-8")
    assert f"**{len(doctors) - rejected}** of {len(doctors)} rows and rejects **{rejected}**" in text
    assert f"{len(doctors) - rejected} 行成功，{rejected} 行待改" in text


def test_roster_has_a_title_a_header_and_closing_lines_that_are_no_doctors(lines, doctors):
    assert [row for row, line in enumerate(lines, start=1) if line[0] == "序号"] == [HEADER_ROW]
    assert list(doctors) == list(range(HEADER_ROW + 1, HEADER_ROW + 1 + len(doctors)))
    others = [line for row, line in enumerate(lines, start=1) if row not in doctors and row != HEADER_ROW]
    assert all(not any(line[1:]) for line in others), "a title or closing line is one merged cell"
    assert f"合计：{len(doctors)} 人" in [line[0] for line in others]


def test_cells_are_text_but_for_the_one_that_excel_damaged(doctors, cases):
    damaged = [row for row, doctor in doctors.items() if not isinstance(doctor["证件号码"], str)]
    assert damaged == [row for row, case in cases.items() if "ID_PRECISION_LOST" in case.codes]
    (number,) = (float(doctors[row]["证件号码"]) for row in damaged)
    assert number > 1e17
    assert number == float(f"{number:.14e}"), "fifteen digits are left of it"
    for doctor in doctors.values():
        assert all(value is None or isinstance(value, str) for value in (doctor["工号"], doctor["手机号"]))


def test_every_sound_number_fits_its_card_and_the_spoiled_ones_do_not(doctors, cases):
    cards = Counter()
    for row, doctor in doctors.items():
        number = tidy(doctor["证件号码"])
        resident = re.fullmatch(r"8[123]0000\d{11}[\dX]", number)
        if re.fullmatch(r"[HM]\d{10}", number):
            sound, card = True, "permit"
        elif re.fullmatch(r"\d{17}[\dX]", number):
            sound, card = check_character_fits(number), "residence" if resident else "identity"
        else:
            sound, card = False, "none"
        spoiled = row in cases and cases[row].codes & SPOILED
        assert sound is not bool(spoiled), f"row {row}"
        cards[card] += sound
    assert cards["identity"] > 40
    assert cards["permit"] == 2
    assert cards["residence"] == 3


def test_identity_numbers_have_the_right_sex_a_working_age_and_no_real_county(doctors):
    for row, doctor in doctors.items():
        number = tidy(doctor["证件号码"])
        if not re.fullmatch(r"\d{17}[\dX]", number) or not isinstance(doctor["证件号码"], str):
            continue
        assert number[2:4] == "99" or number[:6] in {"810000", "820000", "830000"}, f"row {row}"
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
        assert 25 <= (date(2026, 11, 20) - born).days // 365 <= 68, f"row {row}"
        assert (int(number[16]) % 2 == 1) is (doctor["性别"] == "男"), f"row {row}"


def test_only_the_intended_doctor_is_in_the_roster_twice(doctors, cases):
    twice = [row for row, case in cases.items() if "ROW_DUPLICATE" in case.codes]
    for heading in ("工号", "证件号码", "手机号"):
        count = Counter(tidy(doctor[heading]) for doctor in doctors.values() if doctor[heading])
        repeated = [value for value, times in count.items() if times > 1]
        assert repeated == [tidy(doctors[row][heading]) for row in twice], heading
    namesakes = Counter(doctor["姓名"] for row, doctor in doctors.items() if row not in twice)
    assert {name for name, times in namesakes.items() if times > 1} == {"张伟", "李娜"}


def test_mobiles_are_well_formed_except_where_the_readme_lists_them(doctors, cases):
    for row, doctor in doctors.items():
        codes = cases[row].codes if row in cases else frozenset()
        well_formed = re.fullmatch(r"1(54|64|69|79)\d{8}", tidy(doctor["手机号"])) is not None
        assert well_formed is not bool(codes & {"MOBILE_INVALID", "MOBILE_MISSING"}), f"row {row}"


def test_every_doctor_has_a_picture_and_every_picture_a_doctor_where_meant(doctors, cases):
    by_stem = {path.stem: path for path in pictures()}
    used = set()
    for row, doctor in doctors.items():
        codes = cases[row].codes if row in cases else frozenset()
        if named := doctor["印章图片"]:
            findings = [SEALS / str(named)]
            assert findings[0].is_file()
        else:
            name = str(doctor["姓名"])
            stems = (tidy(doctor["证件号码"]), str(doctor["工号"]), name, tidy(name))
            findings = [by_stem[stem] for stem in dict.fromkeys(stems) if stem in by_stem]
            if "IMAGE_NAME_FUZZY" in codes:
                findings = [by_stem[f"{name}印章"]]
        assert len(findings) == ("IMAGE_MISSING" not in codes), f"row {row}"
        used.update(findings)
    assert {path.name for path in pictures()} - {path.name for path in used} == LEFT_OVER


def test_no_two_pictures_are_the_same_but_the_shared_one(doctors, cases):
    same = Counter(path.read_bytes() for path in pictures())
    shared = [path.stem for path in sorted(pictures()) if same[path.read_bytes()] > 1]
    assert shared == [
        str(doctors[row]["工号"]) for row, case in cases.items() if "IMAGE_SHARED" in case.codes
    ]


def test_pictures_have_the_format_of_their_names_and_a_bounded_size(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)  # the program, once imported, has set its own limit
    kinds = Counter()
    for path in pictures():
        with Image.open(path) as image:
            if path.name == "邵逸.png":
                assert image.size == (6614, 9354)
                continue
            image.load()
            assert {"PNG": ".png", "JPEG": ".jpg"}[str(image.format)] == path.suffix
            kinds[image.format, image.mode] += 1
            turned = image.getexif().get(0x0112, 1) != 1
            upright = ImageOps.exif_transpose(image)
            blank = all(low == high for low, high in upright.convert("RGB").getextrema())
        assert path.stat().st_size < 300_000
        assert turned is (path.name == "06003.jpg")
        if path.name == "06003.jpg":
            assert upright.size == (3000, 4000)
        else:
            assert min(upright.size) >= 100
            assert max(upright.size) <= 800
        assert blank is (path.name == "钱友林.png" or image.mode == "RGBA")
    assert min(kinds["PNG", "RGBA"], kinds["PNG", "RGB"], kinds["JPEG", "RGB"]) >= 5


def test_names_are_within_the_reach_of_both_fonts(doctors):
    names = {
        character for doctor in doctors.values() for character in re.sub(r"（.*）| ", "", str(doctor["姓名"]))
    }
    fonts = sorted((SAMPLE / "font").glob("*-subset.*"))
    assert len(fonts) == 2
    for path in fonts:
        with TTFont(path) as font:
            assert names | set("之印") <= {chr(point) for point in font.getBestCmap()}
            own_names = " ".join(str(record) for record in font["name"].names if record.nameID in {1, 4, 6})
        assert not re.search(r"Noto|Source|LXGW|Klee|霞鹜", own_names), "a cut font goes by a name of its own"
        assert path.name in (SAMPLE / "font" / "OFL.txt").read_text("utf-8")


def test_the_csv_equals_the_workbook_except_for_the_damaged_number(lines, doctors, cases):
    with (SAMPLE / "roster-gb18030.csv").open(encoding="gb18030", newline="") as stream:
        csv_lines = list(csv.reader(stream))
    differences = [
        (row, in_book, in_csv)
        for row, (book_line, csv_line) in enumerate(zip_longest(lines, csv_lines), start=1)
        for in_book, in_csv in zip_longest(book_line, csv_line)
        if str(in_book or "") != in_csv
    ]
    (damaged,) = (row for row, case in cases.items() if "ID_PRECISION_LOST" in case.codes)
    assert differences == [(damaged, doctors[damaged]["证件号码"], "4.29904E+17")]


def test_csv_needs_gb18030_and_is_no_utf8():
    raw = (SAMPLE / "roster-gb18030.csv").read_bytes()
    assert raw.count(b"\n") == raw.count(b"\r\n")
    for charset in ("utf-8", "gbk"):
        with pytest.raises(UnicodeDecodeError):
            raw.decode(charset)


def test_drawing_again_gives_the_same_files(drawn_again):
    def files(folder: Path) -> set[Path]:
        return {Path("roster-gb18030.csv")} | {
            path.relative_to(folder) for path in (folder / "seals").rglob("*.*") if path.is_file()
        }

    assert len(files(drawn_again)) > 10
    assert files(drawn_again) <= files(SAMPLE)
    if WHOLE:
        assert files(drawn_again) == files(SAMPLE)
    differing = [
        str(name)
        for name in files(drawn_again)
        if (drawn_again / name).read_bytes() != (SAMPLE / name).read_bytes()
    ]
    assert differing == []
    assert sheet_lines(drawn_again / "roster.xlsx") == sheet_lines(SAMPLE / "roster.xlsx")


def test_the_whole_folder_stays_small():
    kept = [path for path in SAMPLE.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    assert sum(path.stat().st_size for path in kept) < 2_000_000
