"""The catalogue of codes: complete, in both languages, and its sentences never lose their place."""

import pickle

import pytest
from catalogue_support import PROBLEM_CODES

from pipeline.domain.masking import mask_problem, mask_text
from pipeline.domain.roster import Field
from pipeline.messages.areas import get_pair, get_words
from pipeline.messages.catalogue import (
    dump_line,
    dump_text,
    join_texts,
    load_line,
    load_text,
    make_message,
    render_text,
)
from pipeline.messages.problems import build_problem, get_problem_kind, render_problem
from pipeline.reports.explanations import describe_lost_answer
from pipeline.reports.presenter import Presenter

# they stand in results and in scripts that read them, and are never renamed
CODES = """
COLUMN_MISSING
CONTENT_CHANGED
FILE_CORRUPT FILE_EMPTY FILE_ENCODING FILE_ENCRYPTED FILE_FORMAT FILE_NOT_READ FILE_SUSPICIOUS
FILE_TOO_LARGE
FORMULA_ERROR FORMULA_NO_VALUE
HEADER_AMBIGUOUS HEADER_NOT_FOUND
ID_15_DIGIT ID_AGE ID_BIRTH ID_CHAR ID_CHECKSUM ID_FORMAT ID_LENGTH ID_MISSING ID_NAME_CONFLICT
ID_PRECISION_LOST ID_REGION ID_TYPE_INFERRED ID_TYPE_MISMATCH ID_TYPE_UNSUPPORTED
IMAGE_AMBIGUOUS IMAGE_BLANK IMAGE_CONVERTED IMAGE_CORRUPT IMAGE_DUPLICATE_FILE IMAGE_FORMAT
IMAGE_MISSING IMAGE_NAME_FUZZY IMAGE_NOT_READ IMAGE_PATH_REJECTED IMAGE_SHARED
IMAGE_TOO_LARGE IMAGE_TOO_LARGE_FIXABLE IMAGE_TOO_SMALL
MOBILE_AMBIGUOUS MOBILE_DUPLICATE MOBILE_INVALID MOBILE_MISSING
NAME_INVALID NAME_MISSING NAME_NORMALISED
PERSON_POSSIBLY_SAME
REVIEW_MISSING REVIEW_WRONG
ROW_DUPLICATE ROW_HIDDEN ROW_NOT_PROCESSED
SEAL_NAME_CHARS SEAL_NAME_DUPLICATE SEAL_NAME_FROZEN SEAL_NAME_LENGTH
STAFF_NO_DUPLICATE
VALUE_INVALID
"""


def test_no_code_was_renamed():
    assert sorted(PROBLEM_CODES) == sorted(CODES.split())


def test_every_code_has_a_short_label_in_the_results():
    assert all(label.strip() for code in PROBLEM_CODES for label in get_pair(f"{code}.label"))


def test_the_warnings_are_those_of_the_design():
    warnings = {code for code in PROBLEM_CODES if get_problem_kind(code).severity == "warning"}
    assert warnings == {
        "ROW_HIDDEN",
        "NAME_NORMALISED",
        "ID_TYPE_INFERRED",
        "MOBILE_MISSING",
        "MOBILE_DUPLICATE",
        "STAFF_NO_DUPLICATE",
        "IMAGE_CONVERTED",
        "IMAGE_TOO_LARGE_FIXABLE",
        "IMAGE_NAME_FUZZY",
        "IMAGE_DUPLICATE_FILE",
        "CONTENT_CHANGED",
    }


def test_a_missing_word_never_costs_the_sentence():
    assert "C12" in render_problem(build_problem("ID_CHECKSUM", Field.NUMBER, "C12"), "en")


def test_the_other_severity_has_its_own_sentence():
    soft = render_problem(build_problem("ID_CHAR", Field.NUMBER, "C12", severity="warning", found="×"), "zh")
    assert soft == "C12 末位的“×”已按 X 读取；请核对。"


@pytest.mark.parametrize(
    ("code", "word"), [(code, word) for code in PROBLEM_CODES for word in get_problem_kind(code).cases]
)
def test_a_word_of_the_detail_asks_for_a_sentence_of_its_own(code, word):
    plain = render_problem(build_problem(code, Field.NUMBER, "C12"), "en")
    marked = render_problem(build_problem(code, Field.NUMBER, "C12", **{word: "x1"}), "en")
    assert plain != marked
    assert ("x1" in marked) == (f"{{{word}}}" in get_words(f"{code}.case_{word}")["en"])


@pytest.mark.parametrize(
    ("result", "zh", "en"),
    [
        (make_message("file.row_too_wide", row=5, limit=3), "第 5 行：超过 3 列", "row 5: > 3 columns"),
        (make_message("file.nul", line=3), "第 3 行含空字符（NUL）", "NUL, line 3"),
        (
            join_texts(["TIFF", make_message("image.bits_reduced")]),
            "TIFF、16 位 → 8 位",
            "TIFF, 16 bit → 8 bit",
        ),
        (
            make_message("wire.no_connection", why=make_message("system.ECONNREFUSED")),
            "连接不上：连接被拒绝",
            "could not connect: the connection was refused",
        ),
        ("zip: xl/a.xml", "zip: xl/a.xml", "zip: xl/a.xml"),
        ("cut off", "cut off", "cut off"),
    ],
)
def test_a_text_in_a_problem_is_rendered_from_its_key(result, zh, en):
    for stored in (result, load_text(dump_text(result)), pickle.loads(pickle.dumps(result)), str(result)):
        trouble = build_problem("FILE_SUSPICIOUS", found=stored)
        assert f"（{zh}）" in render_problem(trouble, "zh")
        assert f"({en})" in render_problem(trouble, "en")


def test_a_masked_text_keeps_its_key():
    number = "110101199003070732"
    text = mask_text(make_message("file.missing_part", part=f"{number}.png"))
    assert render_text(text, "zh") == "缺少 **************0732.png"
    trouble = mask_problem(build_problem("ID_FORMAT", Field.NUMBER, "C2", why=make_message("cell.number")))
    assert "数字" in render_problem(trouble, "zh")


def test_a_text_that_only_looks_stored_is_shown_as_it_is():
    for answer in ('{"key": "no.such"}', '{"key": 1}', '{"key": "file.row"}', '{"key": ', "签名过期"):
        assert render_text(load_line(answer), "zh")
    assert load_line(dump_line(make_message("file.row", row=3))).key == "file.row"


@pytest.mark.parametrize(
    ("trouble", "zh", "en"),
    [
        (
            build_problem("IMAGE_AMBIGUOUS", found="阮星竹.png"),
            "有多张不同的图片都可能是此人的：阮星竹.png；请只留一张，或在图片列写明用哪一张。",
            (
                "More than one picture could be this doctor's: 阮星竹.png; keep one, or enter its file name in the "
                "picture column."
            ),
        ),
        (
            build_problem("FILE_FORMAT", found=make_message("file.no_known_format")),
            "文件内容是无法识别的格式，不是可以读取的名单；请另存为 .xlsx 或 .csv。",
            "The file content is no known format, not a supported roster format; save it as .xlsx or .csv.",
        ),
    ],
)
def test_blank_details_are_left_out(trouble, zh, en):
    assert (render_problem(trouble, "zh"), render_problem(trouble, "en")) == (zh, en)


def test_a_lost_answer_is_described_once():
    message = describe_lost_answer("no_answer", make_message("wire.cut"), Presenter("zh"))
    assert message == "请求已发出，没有等到应答：等待应答时连接断开了"


def test_a_file_or_a_title_is_quoted_as_it_is():
    assert "cell 5.png" in render_problem(
        build_problem("IMAGE_CORRUPT", file="cell 5.png", found=make_message("file.cut_off")), "zh"
    )
    assert "row 5" in render_problem(build_problem("HEADER_NOT_FOUND", found="row 5"), "zh")


def test_short_findings_are_in_chinese():
    message = render_problem(
        build_problem("IMAGE_CORRUPT", Field.PICTURE, None, file="a.png", found=make_message("file.cut_off")),
        "zh",
    )
    assert "文件不完整" in message
    assert "cut off" not in message
