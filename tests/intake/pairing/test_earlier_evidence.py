"""Whose picture a file may be by what earlier runs saw: the rule on its own, digests being the texts themselves."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from image_support import encoded, make_examiner, put, seal
from pair_support import NUMBER, OTHER_NUMBER, X_NUMBER, doctor, fill
from readable_key import ReadableKey

from pipeline.domain.masking import mask_id
from pipeline.domain.roster import Cell, CellKind, Doctor, EmbeddedImage, Field, ImageFile
from pipeline.domain.seals import Bearer, PictureDecision
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.decided_pictures import DecidedPictures
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence, EvidenceRecords, list_number_traces
from pipeline.intake.pairing.match import MatchResult, match_images
from pipeline.messages.problems import build_problem

OWN, OTHER = "own", "other"  # keys
MOBILE = "13800000001"
ZHANG = Bearer(key=OWN, name="张伟", staff_no="1001", mobile=MOBILE, shown_name="张伟", position="a.xlsx 2")
LI = Bearer(key=OTHER, name="李娜", staff_no="1002", shown_name="李娜", position="a.xlsx 3", run="r1")


KEY = ReadableKey(sign="", keys={NUMBER: OWN, OTHER_NUMBER: OTHER})


def make_records(
    *bearers: Bearer, decisions: Sequence[PictureDecision] = (), **more: object
) -> EvidenceRecords:
    decided = DecidedPictures(KEY, decisions, same_persons=more.get("same_persons"))
    return EvidenceRecords(bearers, KEY, decided=decided, **more)


def decide(word: str, data: bytes = b"seal", **changes: object) -> PictureDecision:
    return replace(PictureDecision(word, OWN, "张伟", pair_digest(data), size=len(data)), **changes)


def pair(tmp_path: Path, files: dict[str, bytes], records: EvidenceRecords, *doctors: Doctor) -> MatchResult:
    tmp_path.mkdir(exist_ok=True)
    library = image_index.index_images(image_index.list_images(fill(tmp_path / "seals", files)))
    return match_images(
        doctors, library, known_files={}, images=make_examiner(tmp_path), earlier=EarlierEvidence(records)
    )


def is_held(tmp_path: Path, file: str, records: EvidenceRecords, one: Doctor, data: bytes = b"seal") -> bool:
    """Return whether a doctor's only file is held; it is used otherwise."""
    (paired,) = pair(tmp_path, {file: data}, records, one).doctors
    held = [problem for problem in paired.errors if problem.detail.get("earlier")]
    assert (paired.picture is None) == bool(held)
    assert (paired.held_image is not None) == bool(held)
    return bool(held)


def zhang(**changes: object) -> Doctor:
    values = {"key": OWN, "staff_no": "1001", **changes}
    mobile = values.pop("mobile", MOBILE)
    return replace(doctor(**values), mobile=mobile)


FILES = {"staff number": "1001.png", "name": "张伟.png", "both": "1001张伟.png"}


@pytest.mark.parametrize("file", FILES.values())
def test_an_empty_ledger_holds_nothing(tmp_path, file):
    assert not is_held(tmp_path, file, make_records(), zhang())


@pytest.mark.parametrize("file", FILES.values())
def test_what_the_doctor_alone_bore_is_evidence(tmp_path, file):
    assert not is_held(tmp_path, file, make_records(ZHANG, LI), zhang())


@pytest.mark.parametrize(("file", "bearer"), [
    ("1001.png", replace(LI, staff_no="1001")),
    ("张伟.png", replace(LI, name="张伟")),
    ("1001张伟.png", replace(LI, name="张伟", staff_no="1001")),
    ("内科张伟.png", replace(LI, name="张伟")),
])  # fmt: skip
@pytest.mark.parametrize("key", [OTHER, ""])
def test_what_another_doctor_bore_is_none(tmp_path, file, bearer, key):
    bearer = replace(bearer, key=key, digits="" if key else "other digits")
    records = make_records(ZHANG, bearer, acted_keys={OTHER})
    is_correction = not key and (bearer.name, bearer.staff_no) == (ZHANG.name, ZHANG.staff_no)
    assert is_held(tmp_path, file, records, zhang(department="内科")) is not is_correction


def test_a_file_of_staff_number_and_name_is_another_doctors_only_if_that_one_bore_both(tmp_path):
    bearers = (replace(LI, staff_no="1001"), replace(LI, name="张伟"))
    assert not is_held(tmp_path, "1001张伟.png", make_records(*bearers), zhang())


def test_the_own_identity_number_is_evidence_for_a_file_of_another(tmp_path):
    tied = replace(LI, path=str(tmp_path / "seals" / f"{NUMBER}.png"))
    assert not is_held(tmp_path, f"{NUMBER}.png", make_records(tied), zhang())


def test_the_pixels_of_a_picture_that_another_doctor_had_are_none(tmp_path):
    drawn = put(tmp_path, encoded(seal(), "TIFF"))
    images = make_examiner(tmp_path)
    tied = make_records(replace(LI, pixels=images.compute_pixels(drawn)), images=images)
    for name, is_drawn in (("drawn", True), ("other", False)):
        file = encoded(seal() if is_drawn else seal(121), "PNG")
        assert is_held(tmp_path / name, "1001.png", tied, zhang(), data=file) is is_drawn


@pytest.mark.parametrize("contested", [False, True])
@pytest.mark.parametrize("by", ["path", "picture"])
@pytest.mark.parametrize(("file", "entry"), [("1001.png", None), ("scan07.png", "scan07.png")])
def test_a_picture_that_another_doctor_had_is_none(tmp_path, contested, by, file, entry):
    values = {"path": str(tmp_path / "seals" / file), "picture": pair_digest(b"seal")}
    tied = replace(LI, is_contested=contested, **{by: values[by]})
    assert is_held(tmp_path, file, make_records(ZHANG, tied), zhang(picture=entry))


@pytest.mark.parametrize(("file", "held"), [
    ("李娜.png", True),
    ("1002.png", True),
    ("2026-李娜_签名.png", True),
    ("内科李娜.png", True),
    ("1002李娜.png", True),
    ("1001_李娜_旧.png", True),
    ("张伟-李娜.png", True),
    ("2026-张伟_签名.png", False),
    ("scan07.png", False),
    (f"李娜_{NUMBER}.png", False),
])  # fmt: skip
def test_a_file_of_the_picture_column_that_holds_an_earlier_doctors_name(tmp_path, file, held):
    records = make_records(ZHANG, LI)
    assert is_held(tmp_path, file, records, zhang(picture=file)) is held
    assert not is_held(tmp_path / "new", file, make_records(ZHANG), zhang(picture=file))


@pytest.mark.parametrize("other", [b"seal", b"another"])
def test_a_picture_that_another_file_may_give_to_an_earlier_doctor_is_nobodys(tmp_path, other):
    """Different pictures are several; in a row of a doctor with a seal they are compared."""
    records = make_records(ZHANG, replace(LI, staff_no="1001"))
    files = {"张伟.png": b"seal", "1001.png": other}
    (paired,) = pair(tmp_path / "a", files, records, zhang()).doctors
    assert (paired.picture, [problem.code for problem in paired.errors]) == (None, ["IMAGE_AMBIGUOUS"])
    assert bool(paired.errors[0].detail.get("earlier")) is (other == b"seal")
    settled = replace(records, settled_keys={OWN})
    (paired,) = pair(tmp_path / "b", files, settled, zhang()).doctors
    assert paired.picture.name == "张伟.png"


def test_a_picture_in_the_row_and_a_file_that_may_be_an_earlier_doctors(tmp_path):
    records = make_records(ZHANG, replace(LI, staff_no="1001"), images=make_examiner(tmp_path))
    cell = EmbeddedImage("H", 2, ImageFile("a.xlsx", "内科!H2", pair_digest(b"seal"), 4))
    for data in (b"seal", b"another"):
        row = zhang(embedded=(cell,))
        (paired,) = pair(tmp_path / data.decode(), {"1001.png": data}, records, row).doctors
        assert (paired.picture, [problem.code for problem in paired.errors]) == (None, ["IMAGE_AMBIGUOUS"])
        assert bool(paired.errors[0].detail.get("earlier")) is (data == b"seal")


@pytest.mark.parametrize(("file", "held"), [
    ("2026_阿依古丽·买买提_旧.png", True),
    ("工号10020.png", True),
    ("工号10020_张伟1001.png", False),
    ("阿依古丽·买买提/签名.png", True),
    ("10020/签名.png", True),
])  # fmt: skip
def test_a_file_that_holds_a_long_name_or_a_staff_number_of_an_earlier_doctor(tmp_path, file, held):
    earlier = replace(LI, name="阿依古丽买买提", staff_no="10020")
    assert is_held(tmp_path, file, make_records(ZHANG, earlier), zhang(picture=file)) is held


def pair_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def test_the_doctors_own_file_of_an_earlier_run_is_evidence_although_a_namesake_is_known(tmp_path):
    namesake = replace(LI, name="张伟")
    own = replace(ZHANG, path=str(tmp_path / "seals" / "张伟.png"), picture=pair_digest(b"seal"))
    for entry in (None, "张伟.png"):
        assert not is_held(tmp_path, "张伟.png", make_records(own, namesake), zhang(picture=entry))
        contested = make_records(replace(own, is_contested=True), namesake)
        assert is_held(tmp_path, "张伟.png", contested, zhang(picture=entry))


def test_other_bytes_at_the_own_path_are_no_evidence_where_a_namesake_is_known(tmp_path):
    own = replace(ZHANG, path=str(tmp_path / "seals" / "张伟.png"), picture=pair_digest(b"earlier"))
    assert is_held(tmp_path, "张伟.png", make_records(own, replace(LI, name="张伟")), zhang())
    assert not is_held(tmp_path, "张伟.png", make_records(own, LI), zhang())


def test_the_own_pixels_are_evidence_where_a_namesake_is_known(tmp_path):
    drawn = put(tmp_path, encoded(seal(), "TIFF"))
    images = make_examiner(tmp_path)
    own = replace(ZHANG, path=str(tmp_path / "a" / "seals" / "1001.png"), pixels=images.compute_pixels(drawn))
    records = make_records(own, replace(LI, staff_no="1001"), images=images)
    for data, held in ((encoded(seal(), "PNG"), False), (encoded(seal(121), "PNG"), True)):
        assert is_held(tmp_path / "a", "1001.png", records, zhang(), data=data) is held


@pytest.mark.parametrize(("file", "entry"), [
    ("1001.png", "1001.png"),
    ("张伟.png", "张伟"),
    ("张伟签名.png", "张伟签名.png"),
    ("2025/张伟.png", r"D:\印章\张伟.png"),
    ("1001张伟.png", "1001张伟.png"),
    ("内科张伟.png", "内科张伟.png"),
])  # fmt: skip
def test_an_entry_that_repeats_name_or_staff_number_is_no_better_evidence(tmp_path, file, entry):
    bearer = replace(LI, name="张伟", staff_no="1001")
    records = make_records(ZHANG, bearer, acted_keys={OTHER})
    assert is_held(tmp_path, file, records, zhang(picture=entry, department="内科"))
    assert not is_held(tmp_path / "b", file, make_records(ZHANG, LI), zhang(picture=entry, department="内科"))


def test_a_picture_that_a_person_gave_ties_itself_only_as_long_as_it_is_given(tmp_path):
    records = make_records(replace(LI, name="张伟"), decisions=[decide("given")])
    paired = pair(tmp_path, {"张伟.png": b"seal"}, records, zhang()).doctors
    (bearer,) = EarlierEvidence(records).list_new_bearers(paired, "r1")
    assert (bearer.picture, bearer.is_contested) == (pair_digest(b"seal"), True)
    withdrawn = make_records(replace(LI, name="张伟"), bearer)
    assert is_held(tmp_path, "张伟.png", withdrawn, zhang())


def test_an_entry_that_names_another_doctors_file_is_none(tmp_path):
    for file in ("李娜.png", "1002.png", f"{OTHER_NUMBER}.png"):
        assert is_held(tmp_path / file, file, make_records(ZHANG, LI), zhang(picture=file))


def test_a_picture_in_a_cell_that_another_doctor_had_is_none(tmp_path):
    sha256 = pair_digest(b"seal")
    cell = EmbeddedImage("H", 2, ImageFile("a.xlsx", "内科!H2", sha256, 4))
    (held,) = pair(tmp_path, {}, make_records(replace(LI, picture=sha256)), zhang(embedded=(cell,))).doctors
    assert held.held_image == cell.picture
    (used,) = pair(tmp_path, {}, make_records(LI), zhang(embedded=(cell,))).doctors
    assert used.picture == cell.picture


def test_a_decision_holds_for_this_picture_and_this_doctor(tmp_path):
    records = make_records(replace(LI, staff_no="1001"), decisions=[decide("right")])
    assert not is_held(tmp_path, "1001.png", records, zhang())
    assert is_held(tmp_path, "1001.png", records, zhang(key="third"))
    (paired,) = pair(tmp_path / "new", {"1001.png": b"scanned anew"}, records, zhang()).doctors
    assert paired.picture is None


def test_the_picture_of_a_sealed_doctor_is_compared_and_ties_no_file(tmp_path):
    records = make_records(replace(LI, staff_no="1001"), settled_keys={OWN})
    (paired,) = pair(tmp_path, {"1001.png": b"seal"}, records, zhang()).doctors
    assert (paired.picture.name, paired.errors) == ("1001.png", ())
    (bearer,) = EarlierEvidence(records).list_new_bearers([paired], "r2")
    assert (bearer.path, bearer.picture) == ("", "")


def test_a_file_with_the_identity_number_is_used_where_another_may_be_an_earlier_doctors(tmp_path):
    namesake = replace(LI, name="张伟")
    files = {"张伟.png": b"theirs", f"{zhang().number}.png": b"own"}
    (paired,) = pair(tmp_path, files, make_records(namesake), zhang()).doctors
    assert (paired.picture.name, paired.errors) == (f"{zhang().number}.png", ())


def test_of_two_pictures_none_is_used_although_one_may_be_an_earlier_doctors(tmp_path):
    """As without an earlier run: what it saw never makes a row ready."""
    namesake = replace(LI, name="张伟")
    files = {"张伟.png": b"theirs", "1001.png": b"own"}
    (paired,) = pair(tmp_path, files, make_records(namesake), zhang()).doctors
    assert (paired.picture, [error.code for error in paired.errors]) == (None, ["IMAGE_AMBIGUOUS"])


def test_files_that_two_rows_may_mean_are_remembered_for_both(tmp_path):
    rows = (zhang(), zhang(key="third", number=OTHER_NUMBER, row=3))
    paired = pair(tmp_path, {"1001.png": b"seal"}, make_records(), *rows).doctors
    new = EarlierEvidence(make_records()).list_new_bearers(paired, "r2")
    assert {(bearer.key, bearer.is_contested, bearer.path) for bearer in new} == {
        (key, True, str(tmp_path / "seals" / "1001.png")) for key in (OWN, "third")
    }


# -- who is the same person

DAMAGED = {
    "a digit": NUMBER[:9] + "5" + NUMBER[10:],
    "two neighbours": NUMBER[:15] + NUMBER[16] + NUMBER[15] + NUMBER[17:],
    "one too few": NUMBER[:4] + NUMBER[5:],
    "one too many": NUMBER[:4] + "7" + NUMBER[4:],
    "a lost tail": NUMBER[:15] + "000",
    "15 digits": NUMBER[:6] + NUMBER[8:17],
}


@pytest.mark.parametrize("number", DAMAGED.values(), ids=DAMAGED)
def test_a_row_whose_number_was_damaged_is_the_same_doctors(number):
    """Traces are compared whole here: their digests are cut, not the texts."""
    own = set(list_number_traces(zhang().row))
    assert own & set(list_number_traces(doctor(number=None, written={Field.NUMBER: number}).row))
    assert not own & set(list_number_traces(doctor(number=OTHER_NUMBER).row))


@pytest.mark.parametrize(("earlier", "held"), [
    ({"digits": ""}, False),  # the number was blank, the staff number is the same
    ({"digits": "", "staff_no": "9", "mobile": "9"}, True),  # a namesake
    ({"digits": "", "staff_no": "9"}, False),  # the mobile is the same
    ({"digits": "x", "mobile": "", "staff_no": "9"}, True),  # another number
    ({"digits": "x", "mobile": ""}, False),  # corrected as a whole: name and staff number stayed
    ({"digits": "x", "staff_no": "9"}, False),  # the same by the mobile
    ({"key": "slip", "staff_no": "9"}, False),
    ({"key": "slip", "mobile": "9"}, False),
    ({"key": "slip", "mobile": "9", "staff_no": "9"}, True),
    ({"key": "acted", "staff_no": "9"}, False),  # of a person with a seal the mobile alone shows it
    ({"key": "acted", "mobile": "9"}, True),
    ({"key": "slip", "name": "李娜"}, True),
])  # fmt: skip
def test_an_earlier_row_of_another_or_no_number(tmp_path, earlier, held):
    bearer = replace(ZHANG, **{"key": "", **earlier})
    file = "1001.png" if bearer.name != "张伟" or bearer.staff_no == "1001" else "张伟.png"
    assert is_held(tmp_path, file, make_records(bearer, acted_keys={"acted"}), zhang()) is held


def test_a_number_that_another_doctor_had_is_no_correction(tmp_path):
    """Two numbers pasted in the wrong order: name, staff number and mobile stayed where they were."""
    earlier = replace(ZHANG, key="slip")
    anothers = replace(LI, key=OWN)
    assert is_held(tmp_path, "1001.png", make_records(earlier, anothers), zhang())


def test_two_numbers_that_a_person_distinguished_are_two_doctors(tmp_path):
    earlier = replace(ZHANG, key="slip")
    records = make_records(earlier, other_persons=frozenset({("slip", OWN)}))
    assert is_held(tmp_path, "1001.png", records, zhang())
    united = make_records(replace(earlier, mobile=""), same_persons={"slip": OWN})
    assert not is_held(tmp_path, "1001.png", united, zhang())


def test_a_run_adds_what_the_ledger_lacks(tmp_path):
    paired = pair(tmp_path, {"1001.png": b"seal"}, make_records(), zhang()).doctors
    (bearer,) = EarlierEvidence(make_records()).list_new_bearers(paired, "r1")
    assert (bearer.key, bearer.name, bearer.staff_no, bearer.mobile) == (OWN, "张伟", "1001", MOBILE)
    assert (bearer.picture, bearer.is_contested, bearer.run) == (pair_digest(b"seal"), False, "r1")
    assert EarlierEvidence(make_records(bearer)).list_new_bearers(paired, "r2") == []


def test_a_held_row_ties_no_picture_to_its_doctor(tmp_path):
    records = make_records(replace(LI, staff_no="1001"))
    paired = pair(tmp_path, {"1001.png": b"seal"}, records, zhang()).doctors
    (bearer,) = EarlierEvidence(records).list_new_bearers(paired, "r2")
    assert (bearer.path, bearer.picture) == ("", "")


def test_a_row_of_another_persons_number_is_remembered_by_what_it_shows(tmp_path):
    conflict = build_problem("ID_NAME_CONFLICT", Field.NUMBER, "B2")
    (bearer,) = EarlierEvidence(make_records()).list_new_bearers(
        [replace(zhang(), problems=(conflict,))], "r"
    )
    assert bearer.key == ""
    assert bearer.digits


# -- files that bear an identity number, of whomever


SPOUSE = Cell("H", "配偶", OTHER_NUMBER, CellKind.TEXT, OTHER_NUMBER)


@pytest.mark.parametrize(("file", "entry"), [
    (f"{OTHER_NUMBER}.png", f"{OTHER_NUMBER}.png"),
    (f"{OTHER_NUMBER}.png", OTHER_NUMBER),
    (f"李娜-{OTHER_NUMBER}-内科.png", f"李娜-{OTHER_NUMBER}-内科.png"),
    (f"张伟-{OTHER_NUMBER}.png", f"张伟-{OTHER_NUMBER}"),
    (f"{OTHER_NUMBER}/签名.png", f"{OTHER_NUMBER}/签名.png"),
    (f"{OTHER_NUMBER[:6]} {OTHER_NUMBER[6:14]}-{OTHER_NUMBER[14:]}/签名.png", "签名.png"),
    (f"{OTHER_NUMBER}/签名.png", "签名.png"),
    (f"{OTHER_NUMBER}/张伟.png", None),
    (f"{OTHER_NUMBER}/1001.png", None),
    (f"{OTHER_NUMBER}/{NUMBER}/签名.png", "签名.png"),
])  # fmt: skip
@pytest.mark.parametrize("records", [make_records(), make_records(ZHANG)], ids=["nobody", "the doctor"])
def test_a_file_that_bears_another_persons_number_is_held(tmp_path, records, file, entry):
    """No run has ever seen the other person."""
    (paired,) = pair(tmp_path, {file: b"seal"}, records, zhang(picture=entry)).doctors
    (problem,) = paired.errors
    assert problem.code == "IMAGE_AMBIGUOUS"
    assert problem.detail["other_number"] == mask_id(OTHER_NUMBER)
    assert (paired.picture, paired.held_image.sha256) == (None, pair_digest(b"seal"))


@pytest.mark.parametrize(("file", "entry", "changes"), [
    (f"{NUMBER}.png", f"{NUMBER}.png", {}),
    (f"{OTHER_NUMBER}/{NUMBER}.png", None, {}),  # the file's own name decides
    (f"{X_NUMBER.lower()}.png", X_NUMBER.lower(), {"number": X_NUMBER}),
    (f"{OTHER_NUMBER[:17]}0.png", f"{OTHER_NUMBER[:17]}0", {}),  # its check character is wrong
    (f"1{OTHER_NUMBER}.png", f"1{OTHER_NUMBER}", {}),
    ("110101199002300735.png", "110101199002300735", {}),  # 30 February
    (f"{OTHER_NUMBER}.png", OTHER_NUMBER, {"more": [SPOUSE]}),  # a value of the row
])  # fmt: skip
def test_a_file_with_no_number_but_the_rows_own_is_used(tmp_path, file, entry, changes):
    (paired,) = pair(tmp_path, {file: b"seal"}, make_records(), zhang(picture=entry, **changes)).doctors
    assert (paired.errors, paired.picture.sha256) == ((), pair_digest(b"seal"))


def test_what_a_person_decided_about_a_file_with_a_number_counts(tmp_path):
    file = f"{OTHER_NUMBER}.png"
    digest = pair_digest(b"seal")
    corrected = make_records(same_persons={OTHER: OWN})
    for records in (make_records(decisions=[decide("right")]), corrected):
        (paired,) = pair(tmp_path, {file: b"seal"}, records, zhang(picture=file)).doctors
        assert (paired.errors, paired.picture.sha256) == ((), digest)


def test_a_settled_doctor_is_compared_with_a_file_that_bears_another_number(tmp_path):
    """Nothing is sent."""
    records = make_records(settled_keys={OWN})
    (paired,) = pair(tmp_path, {f"{OTHER_NUMBER}.png": b"seal"}, records, zhang(picture=OTHER_NUMBER)).doctors
    assert (paired.errors, paired.picture is paired.held_image) == ((), True)


def test_the_same_picture_in_another_folder_does_not_clear_a_file_with_a_number(tmp_path):
    files = {f"{OTHER_NUMBER}/签名.png": b"seal", "内科/签名.png": b"seal"}
    (paired,) = pair(tmp_path, files, make_records(), zhang(picture="签名.png")).doctors
    assert [problem.detail["other_number"] for problem in paired.errors] == [mask_id(OTHER_NUMBER)]
