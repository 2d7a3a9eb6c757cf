"""For which rows a decision on a picture holds: by number, name key and pixels. Digests are the texts themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from image_support import encoded, make_examiner, put, seal
from pair_support import NUMBER, OTHER_NUMBER, doctor, fill
from readable_key import ReadableKey

from pipeline.domain.roster import Doctor, EmbeddedImage, ImageFile
from pipeline.domain.seals import PictureDecision
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence, EvidenceRecords
from pipeline.intake.pairing.match import MatchResult, match_images

KEY = ReadableKey(sign="")
SCAN, OTHER_SCAN = encoded(seal(), "PNG"), encoded(seal(121), "PNG")
OWN = doctor("张伟", key="k1")
NAME_ALONE = doctor("张伟", key="k2", number=OTHER_NUMBER)
NUMBER_ALONE = doctor("李四", key="k1")
NEITHER = doctor("李四", key="k2", number=OTHER_NUMBER)


def decide(word: str, data: bytes = SCAN, **changes: object) -> PictureDecision:
    """Return a decision on the doctor OWN."""
    shown = {"shown_name": "张伟", "position": "旧.xlsx 内科 7"}
    sha256 = hashlib.sha256(data).hexdigest()
    return replace(PictureDecision(word, "k1", "张伟", sha256, size=len(data), **shown), **changes)


def pair(
    folder: Path,
    files: dict[str, bytes],
    decisions: Sequence[PictureDecision],
    *doctors: Doctor,
    **more: object,
) -> MatchResult:
    """Pair doctors where these decisions are all that is known; their pixels are computed as on the page."""
    folder.mkdir(exist_ok=True)
    images = make_examiner(folder)
    pixels = {
        hashlib.sha256(data).hexdigest(): images.compute_pixels(put(folder, data)) or ""
        for data in (SCAN, OTHER_SCAN)
    }
    known = [replace(one, pixels=pixels.get(one.picture, "")) for one in decisions]
    rows = [(one.key, one.name) for one in doctors]
    decided = DecidedPictures(KEY, known, rows=rows, images=images, **more)
    library = image_index.index_images(image_index.list_images(fill(folder / "seals", files)))
    earlier = EarlierEvidence(EvidenceRecords((), KEY, decided=decided, images=images))
    return match_images(doctors, library, known_files={}, images=images, earlier=earlier)


def describe(one: Doctor) -> str:
    """Return whether a row has its picture, else its code, and whether a decision that is void is named."""
    if one.picture is not None:
        return "used"
    (problem,) = one.errors
    if "void" not in problem.detail:
        return f"{problem.code} {problem.detail.get('earlier', '')}".strip()
    assert (problem.detail["earlier"], problem.detail["place"]) == ("张伟", "旧.xlsx 内科 7")
    assert (problem.detail["name"], problem.detail["void"]) == (one.name, "名单.xlsx 内科 2")
    return f"{problem.code} void"


HELD, VOID, VOID_MISSING = "IMAGE_AMBIGUOUS 张伟", "IMAGE_AMBIGUOUS void", "IMAGE_MISSING void"


@pytest.mark.parametrize("saved", ["scanned", "saved anew"])
@pytest.mark.parametrize(("row", "stem", "by_given", "by_right"), [
    (OWN, "scan", "used", "IMAGE_MISSING"),
    (OWN, "张伟", "used", "used"),
    (doctor("張偉", key="k1"), "scan", "used", "IMAGE_MISSING"),
    (NAME_ALONE, "scan", VOID_MISSING, "IMAGE_MISSING"),
    (NAME_ALONE, "张伟", VOID, VOID),
    (NAME_ALONE, OTHER_NUMBER, "used", "used"),
    (NUMBER_ALONE, "scan", VOID_MISSING, "IMAGE_MISSING"),
    (NUMBER_ALONE, "李四", VOID, VOID),
    (NUMBER_ALONE, NUMBER, "used", "used"),
    (NEITHER, "scan", "IMAGE_MISSING", "IMAGE_MISSING"),
    (NEITHER, "李四", HELD, HELD),
    (NEITHER, OTHER_NUMBER, "used", "used"),
])  # fmt: skip
def test_given_and_right_hold_for_number_and_name(tmp_path, row, stem, saved, by_given, by_right):
    data, ending = (SCAN, "png") if saved == "scanned" else (encoded(seal(), "TIFF"), "tif")
    for word, expected in (("given", by_given), ("right", by_right)):
        (one,) = pair(tmp_path / word, {f"{stem}.{ending}": data}, [decide(word)], row).doctors
        assert describe(one) == expected, word


def test_a_picture_that_was_given_stays_the_doctors_where_another_rows_entry_names_it(tmp_path):
    other = replace(NEITHER, row=doctor("李四", number=OTHER_NUMBER, picture="张伟.png", row=3).row)
    both = pair(tmp_path, {"张伟.png": SCAN}, [decide("given")], OWN, other).doctors
    assert [describe(one) for one in both] == ["used", "IMAGE_AMBIGUOUS"]


def test_of_two_namesakes_the_one_to_whom_it_was_given_has_it(tmp_path):
    own, namesake = replace(OWN, staff_no="1001"), replace(NAME_ALONE, staff_no="1002")
    for files, expected in (
        ({"scan.png": SCAN}, ["used", "IMAGE_MISSING"]),
        ({"scan.png": SCAN, "1002.png": OTHER_SCAN}, ["used", "used"]),
        ({"scan.png": SCAN, "1002.png": encoded(seal(), "TIFF")}, ["used", HELD]),
        ({"1002.png": OTHER_SCAN}, ["IMAGE_MISSING", "used"]),
    ):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        both = pair(folder, files, [decide("given")], own, namesake).doctors
        assert [describe(one) for one in both] == expected


def test_a_decision_under_a_number_that_was_corrected_is_the_persons(tmp_path):
    decision = decide("given", key="k-before")
    for same_persons, expected in (({"k-before": "k1"}, "used"), ({}, VOID_MISSING)):
        folder = tmp_path / str(len(same_persons))
        (one,) = pair(folder, {"scan.png": SCAN}, [decision], OWN, same_persons=same_persons).doctors
        assert describe(one) == expected


@pytest.mark.parametrize(("row", "expected"), [
    (OWN, {"given": "used", "right": "used"}),
    (NAME_ALONE, {"given": VOID, "right": VOID}),
    (NUMBER_ALONE, {"given": VOID, "right": VOID}),
    (NEITHER, {"given": HELD, "right": HELD}),
])  # fmt: skip
def test_a_picture_in_the_rows_own_cell_is_decided_like_a_file(tmp_path, row, expected):
    cell = EmbeddedImage("H", 2, put(tmp_path, encoded(seal(), "TIFF"), "cell.tif"))
    row = replace(row, row=replace(row.row, pictures=(cell,)))
    for word in ("given", "right"):
        (one,) = pair(tmp_path / word, {}, [decide(word)], row).doctors
        assert describe(one) == expected[word]


@pytest.mark.parametrize(("row", "stems", "expected"), [
    (OWN, ("张伟", "张伟 (2)"), "used"),
    (OWN, ("张伟 (2)",), "IMAGE_MISSING"),
    (NAME_ALONE, ("张伟", "张伟 (2)"), VOID),
    (NAME_ALONE, ("张伟 (2)",), "IMAGE_MISSING"),
    (NUMBER_ALONE, ("李四",), "IMAGE_MISSING"),
    (NUMBER_ALONE, (NUMBER,), "used"),
    (NEITHER, ("李四",), "used"),
])  # fmt: skip
def test_a_picture_that_was_not_chosen_stays_out_where_number_or_name_stayed(tmp_path, row, stems, expected):
    files = {f"{stem}.png": SCAN if stem == "张伟" else OTHER_SCAN for stem in stems}
    chosen = decide("given", others=(hashlib.sha256(OTHER_SCAN).hexdigest(),))
    (one,) = pair(tmp_path, files, [chosen], row).doctors
    assert describe(one) == expected


def test_a_picture_that_is_given_anew_is_no_longer_asked_about(tmp_path):
    void, anew = decide("given"), decide("given", key="k2", shown_name="张伟")
    rows = (NAME_ALONE, NUMBER_ALONE)
    both = pair(tmp_path / "given", {"scan.png": SCAN}, [void, anew], *rows).doctors
    assert [describe(one) for one in both] == ["used", "IMAGE_MISSING"]
    right = replace(anew, decided="right")
    both = pair(tmp_path / "right", {"张伟.png": SCAN}, [void, right], *rows).doctors
    assert [describe(one) for one in both] == ["used", "IMAGE_MISSING"]


def test_what_was_judged_right_and_then_wrong_holds_no_other_doctor(tmp_path):
    right, wrong = decide("right"), decide("wrong")
    for decisions, expected in (([right], HELD), ([right, wrong], "used"), ([wrong, right], HELD)):
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        (one,) = pair(folder, {"李四.png": SCAN}, decisions, NEITHER).doctors
        assert describe(one) == expected


PICTURE = ImageFile.from_path(Path("a.png"), "a" * 64, 1)
WORDS = st.sampled_from(["given", "right", "wrong"])
DECISIONS = st.lists(
    st.builds(
        PictureDecision,
        WORDS,
        st.sampled_from(["k1", "k2"]),
        st.sampled_from(["张伟", "李四"]),
        st.sampled_from(["a" * 64, "b" * 64]),
        st.sampled_from(["", "pixels"]),
    ),
    max_size=6,
)


WRONG, GIVEN = (PictureDecision(word, "k1", "张伟", "a" * 64) for word in ("wrong", "given"))


@given(decisions=DECISIONS)
@example(decisions=[WRONG, GIVEN])
@example(decisions=[replace(WRONG, key="k2"), GIVEN])
def test_a_wrong_counts_until_a_right_and_one_under_another_number_or_name_until_the_picture_is_given(
    decisions,
):
    decided = DecidedPictures(KEY, decisions, rows=[("k1", "张伟")], known_pixels={"a" * 64: "pixels"})
    on_picture = [one for one in decisions if one.picture == "a" * 64 or one.pixels == "pixels"]
    of_person = [one for one in on_picture if one.key == "k1" or one.name == "张伟"]
    exact = [(one.key, one.name) == ("k1", "张伟") for one in of_person]
    is_wrong = False
    for number, one in enumerate(of_person):
        ends = {"right"} if exact[number] and one.decided == "wrong" else {"right", "given"}
        later = zip(of_person[number:], exact[number:], strict=True)
        is_ended = any(own and other.decided in ends for other, own in later)
        is_wrong = is_wrong or (one.decided == "wrong" and not is_ended)
    judged = decided.get_judged(OWN, PICTURE)
    assert (judged == "wrong") == is_wrong
    if judged == "right":
        assert ("right", True) in [(one.decided, own) for one, own in zip(of_person, exact, strict=True)]
    others = decided.list_others(OWN, PICTURE)
    assert ("k1", "张伟") not in {(one.key, one.name) for one in others}
    assert {one.decided for one in others} <= {"given", "right"}
