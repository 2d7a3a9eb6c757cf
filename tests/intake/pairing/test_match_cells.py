"""Pictures that lie in the roster itself: which count, and what they mean beside a file or beside each other."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from image_support import make_examiner
from pair_support import NUMBER, OTHER_NUMBER, doctor, got, paired
from PIL import Image

from pipeline.domain.roster import Cell, CellKind, EmbeddedImage, ImageFile
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.match import match_images
from pipeline.messages.problems import render_problem

PICTURE_COLUMN = "C"  # in pair_support, behind name and number


def embedded(
    folder: Path, data: bytes = b"drawn", *, column: str = PICTURE_COLUMN, row: int = 2, **more
) -> EmbeddedImage:
    stored = folder / hashlib.sha256(data).hexdigest()
    stored.write_bytes(data)
    shown = Path(f"名单.xlsx/内科!{column}{row}")
    picture = ImageFile.from_path(shown, hashlib.sha256(data).hexdigest(), len(data), stored)
    return EmbeddedImage(column, row, picture, **more)


def titled(column: str, title: str) -> Cell:
    return Cell(column, title, None, CellKind.EMPTY, "")


def codes(tmp_path, files, *doctors):
    return [
        (one.evidence, [problem.code for problem in one.problems])
        for one in paired(tmp_path, files, *doctors).doctors
    ]


def test_a_picture_in_the_picture_column_is_the_doctors(tmp_path):
    for floating in (False, True):
        one = doctor(picture="", embedded=[embedded(tmp_path, floating=floating)])
        (row,) = paired(tmp_path, {}, one).doctors
        assert row.picture
        assert (row.evidence, row.problems) == ("cell", ())
        assert row.picture.file.read_bytes() == b"drawn"


def test_a_picture_in_the_cell_needs_no_picture_folder(tmp_path):
    one = doctor(picture="", embedded=[embedded(tmp_path)])
    assert (
        match_images(
            [one],
            image_index.index_images(image_index.list_images(None)),
            known_files={},
            images=make_examiner(tmp_path),
        )
        .doctors[0]
        .evidence
        == "cell"
    )


@pytest.mark.parametrize(
    "title", ["", "  ", "印章", "电子签名", "签 字", "印模（红）", "执业章", "Signature"]
)
def test_a_column_without_a_title_or_with_one_that_mentions_a_seal_counts(tmp_path, title):
    one = doctor(embedded=[embedded(tmp_path, column="F")], more=[titled("F", title)])
    assert codes(tmp_path, {}, one) == [("cell", [])]


def test_a_column_beyond_the_titles_counts(tmp_path):
    assert codes(tmp_path, {}, doctor(embedded=[embedded(tmp_path, column="AB")])) == [("cell", [])]


@pytest.mark.parametrize("title", ["个人照片", "二维码", "备注", "科室", "职称"])
def test_a_picture_under_another_title_does_not_count_and_is_named(tmp_path, title):
    one = doctor(picture="", embedded=[embedded(tmp_path, column="F")], more=[titled("F", title)])
    (row,) = paired(tmp_path, {}, one).doctors
    assert [problem.code for problem in row.problems] == ["IMAGE_MISSING"]
    assert row.problems[0].detail["hint"].startswith(f"▣ F2 {title}: not taken as a seal under this title")
    assert f"▣ F2 {title} 的图片不当作印章" in render_problem(row.problems[0], "zh")
    assert codes(tmp_path, {"张伟.png": b"seal"}, one) == [("name", [])]


def test_two_different_pictures_are_two_candidates(tmp_path):
    two = [embedded(tmp_path), embedded(tmp_path, b"other", column="F")]
    (row,) = paired(tmp_path, {}, doctor(picture="", embedded=two)).doctors
    assert (row.picture, [problem.code for problem in row.problems]) == (None, ["IMAGE_AMBIGUOUS"])
    assert row.problems[0].detail["found"] == "▣ C2, ▣ F2"
    assert "▣ C2" in render_problem(row.problems[0], "zh")


def test_the_same_picture_twice_is_one(tmp_path):
    two = [embedded(tmp_path), embedded(tmp_path, column="F")]
    assert codes(tmp_path, {}, doctor(picture="", embedded=two)) == [("cell", ["IMAGE_DUPLICATE_FILE"])]


@pytest.mark.parametrize(
    ("entry", "file", "evidence"),
    [("a.png", "a.png", "column"), ("", "张伟.png", "cell"), ("已交", f"{NUMBER}.png", "cell")],
)
def test_a_file_next_to_it_must_be_the_same_picture(tmp_path, entry, file, evidence):
    one = doctor(picture=entry, embedded=[embedded(tmp_path)])
    assert codes(tmp_path, {file: b"drawn"}, one) == [(evidence, ["IMAGE_DUPLICATE_FILE"])]
    (tmp_path / "other").mkdir()
    assert codes(tmp_path / "other", {file: b"else"}, one) == [(None, ["IMAGE_AMBIGUOUS"])]


def test_a_file_that_is_named_but_not_there_is_not_replaced_by_it(tmp_path):
    one = doctor(picture="neu.png", embedded=[embedded(tmp_path)])
    (row,) = paired(tmp_path, {}, one).doctors
    assert [problem.code for problem in row.problems] == ["IMAGE_MISSING"]
    assert row.problems[0].detail == {"tried": "“neu.png”", "hint": "▣ C2"}


def test_an_entry_that_is_refused_stays_refused(tmp_path):
    one = doctor(picture="../a.png", embedded=[embedded(tmp_path)])
    assert codes(tmp_path, {}, one) == [(None, ["IMAGE_PATH_REJECTED"])]


def test_one_of_two_namesakes_may_have_it(tmp_path):
    rows = doctor(picture="", embedded=[embedded(tmp_path)]), doctor(number=OTHER_NUMBER)
    assert codes(tmp_path, {"张伟.png": b"whose"}, *rows) == [("cell", []), (None, ["IMAGE_AMBIGUOUS"])]


def test_a_picture_that_overlaps_a_neighbour_row_is_used_with_a_warning(tmp_path):
    one = doctor(picture="", embedded=[embedded(tmp_path, floating=True, overlaps_neighbour=True)])
    (row,) = paired(tmp_path, {}, one).doctors
    assert [(problem.code, problem.severity) for problem in row.problems] == [("IMAGE_AMBIGUOUS", "warning")]
    assert "三分之二在本行" in render_problem(row.problems[0], "zh")
    assert row.evidence == "cell"
    named = doctor(picture="a.png", embedded=[embedded(tmp_path, overlaps_neighbour=True)])
    assert codes(tmp_path, {"a.png": b"drawn"}, named) == [("column", ["IMAGE_DUPLICATE_FILE"])]


def test_an_unreadable_picture_cell_is_named_where_no_other_picture_matches(tmp_path):
    one = doctor(picture="", kind=CellKind.PICTURE, value=None)
    (row,) = paired(tmp_path, {}, one).doctors
    assert row.problems[0].code == "IMAGE_MISSING"
    assert row.problems[0].detail["hint"] == "▣ C2, cannot be read"
    assert "无法读取" in render_problem(row.problems[0], "zh")
    remaining = doctor(
        picture="", kind=CellKind.PICTURE, value=embedded(tmp_path)
    )  # read without a place to keep it
    assert paired(tmp_path, {}, remaining).doctors[0].problems[0].detail["hint"] == ""
    assert codes(tmp_path, {"张伟.png": b"seal"}, one) == [("name", [])]


def test_an_empty_picture_in_a_cell_is_damaged(tmp_path):
    one = doctor(picture="", embedded=[embedded(tmp_path, b"")])
    (row,) = paired(tmp_path, {"张伟.png": b"seal"}, one).doctors
    assert [(problem.code, problem.detail["file"]) for problem in row.problems] == [("IMAGE_CORRUPT", "▣ C2")]


def drawing(path: Path, *, stroke: int = 20) -> bytes:
    picture = Image.new("RGB", (60, 40), "white")
    picture.paste("red", (10, 10, 10 + stroke, 30))
    picture.save(path)
    return path.read_bytes()


def test_the_same_drawing_in_two_formats_is_one_picture(tmp_path):
    files = {f"张伟{end}": drawing(tmp_path / f"a{end}") for end in (".bmp", ".png", ".tif")}
    assert got(tmp_path, files, doctor()) == [("张伟.png", "name", ["IMAGE_DUPLICATE_FILE"])]
    one = doctor(picture="", embedded=[embedded(tmp_path, files["张伟.bmp"])])
    assert codes(tmp_path, files, one) == [("cell", ["IMAGE_DUPLICATE_FILE"])]


def test_two_drawings_are_two_pictures(tmp_path):
    files = {"张伟.bmp": drawing(tmp_path / "a.bmp"), "张伟.png": drawing(tmp_path / "a.png", stroke=21)}
    assert got(tmp_path, files, doctor()) == [(None, None, ["IMAGE_AMBIGUOUS"])]


def test_an_undecodable_file_is_the_same_as_no_other(tmp_path):
    files = {"张伟.bmp": b"no picture", "张伟.png": b"none either"}
    assert got(tmp_path, files, doctor()) == [(None, None, ["IMAGE_AMBIGUOUS"])]


def test_too_many_pictures_of_one_doctor_are_ambiguous(tmp_path):
    same = {f"{n}/张伟.png": b"same" for n in range(20)}
    assert codes(tmp_path, same, doctor()) == [("name", ["IMAGE_DUPLICATE_FILE"])]
    (tmp_path / "b").mkdir()
    different = {f"{n}/张伟.png": b"%d" % n for n in range(20)}
    (row,) = paired(tmp_path / "b", different, doctor()).doctors
    assert row.problems[0].detail["found"].endswith(" …")
    (tmp_path / "c").mkdir()
    many = {f"{n}/张伟.png": b"same" for n in range(256)}
    assert codes(tmp_path / "c", many, doctor()) == [(None, ["IMAGE_AMBIGUOUS"])]


def test_of_many_different_files_not_all_are_decoded(tmp_path):
    picture = Image.new("RGB", (60, 40), "white")
    for count, expected in ((8, ["IMAGE_DUPLICATE_FILE"]), (9, ["IMAGE_AMBIGUOUS"])):
        folder = tmp_path / str(count)
        folder.mkdir()
        files = {}
        for level in range(count):
            picture.save(tmp_path / "a.png", dpi=(level + 1, 1))
            files[f"{level}/张伟.png"] = (tmp_path / "a.png").read_bytes()
        assert [code for _, code in codes(folder, files, doctor())] == [expected]
