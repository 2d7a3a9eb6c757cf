"""What holds for every roster and every folder (issue 3): order changes nothing, nobody is told two things."""

from __future__ import annotations

import random
import tempfile
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from image_support import make_examiner
from pair_support import doctor, fill
from people import number
from readable_key import ReadableKey
from walks import count_examples

from pipeline.domain.roster import Field
from pipeline.domain.seals import Bearer
from pipeline.intake.conflicts import compute_person_ids, flag_conflicts
from pipeline.intake.pairing import image_index
from pipeline.intake.pairing.earlier_evidence import EarlierEvidence, EvidenceRecords
from pipeline.intake.pairing.match import match_images

NAMES = ["张伟", "李文", "李文章", "欧阳文", "欧阳文章", "姚平", "阿依古丽·买买提"]
DEPARTMENTS = [None, "内科", "外科", "无"]
STAFF = [None, "1", "12", "1001", "A-01", "张伟"]
ENTRIES = [None, "", "张伟.png", "李文", "../a.png", "内科/1.png", "已交"]
STEMS = [
    "张伟",
    "李文",
    "李文章",
    "欧阳文章",
    "Ҧƽ",
    "阿依古丽.买买提",
    "1",
    "1001",
    "A-01",
    number(0),
    number(1),
]
JOINTS = ["", "_", "-", " ", "."]
SUFFIXES = ["", "", "印章", " (2)", "章", " - 副本"]
FOLDERS = ["", "内科/", "外科/", "旧/内科/", "2026/", "眼科/", "护理部/"]

rows = st.lists(
    st.tuples(
        st.sampled_from(NAMES),
        st.one_of(st.none(), st.integers(0, 4)),
        st.sampled_from(STAFF),
        st.sampled_from(DEPARTMENTS),
        st.sampled_from(ENTRIES),
    ),
    min_size=1,
    max_size=6,
)
files = st.dictionaries(
    st.builds(
        lambda folder, first, joint, second, suffix, end: f"{folder}{first}{joint}{second}{suffix}{end}",
        st.sampled_from(FOLDERS),
        st.sampled_from(STEMS),
        st.sampled_from(JOINTS),
        st.sampled_from(["", "", "", "1001", "内科", "张伟"]),
        st.sampled_from(SUFFIXES),
        st.sampled_from([".png", ".jpg", ""]),
    ),
    st.sampled_from([b"one", b"two", b"three"]),
    max_size=6,
)


def doctors_of(people):
    return [
        doctor(
            name,
            number=None if serial is None else number(serial),
            staff_no=staff_no,
            department=department,
            picture=entry,
            row=index + 2,
            written={} if serial is not None else {Field.NUMBER: "待补"},
        )
        for index, (name, serial, staff_no, department, entry) in enumerate(people)
    ]


def outcomes(doctors, content, folder):
    """Return row -> (path, evidence, codes), after pairing."""
    library = image_index.index_images(image_index.list_images(fill(folder, content)))
    result = match_images(doctors, library, known_files={}, images=make_examiner(folder))
    paired = result.doctors
    assert result.person_ids == compute_person_ids(paired), "a picture changes no person"
    assert flag_conflicts(paired, person_ids=result.person_ids) == flag_conflicts(paired)
    return paired, {
        one.row.origin.row: (
            one.picture.path.relative_to(folder).as_posix() if one.picture else None,
            one.evidence,
            tuple(problem.code for problem in one.problems),
        )
        for one in paired
    }


@settings(max_examples=count_examples(60), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, files, st.randoms(use_true_random=False))
def test_order_changes_no_match_and_every_row_has_a_picture_or_a_problem(
    people, content, shuffler: random.Random
):
    doctors = doctors_of(people)
    with tempfile.TemporaryDirectory() as folder:
        paired, first = outcomes(doctors, content, Path(folder) / "a")
        shuffled, names = doctors[:], list(content.items())
        shuffler.shuffle(shuffled)
        shuffler.shuffle(names)
        _, second = outcomes(shuffled, dict(names), Path(folder) / "b")
    assert first == second
    for path, evidence, codes in first.values():
        errors = [code for code in codes if code not in ("IMAGE_NAME_FUZZY", "IMAGE_DUPLICATE_FILE")]
        assert len(errors) == (path is None)
        assert (path is None) == (evidence is None)
        assert all(code.startswith("IMAGE_") for code in errors)
    compared = flag_conflicts(paired)
    owners: dict[str, set[str]] = {}
    for one in compared:
        # a row without a number is never sent, whosever it is
        if one.picture and one.number and not one.errors:
            owners.setdefault(one.picture.sha256, set()).add(one.number)
    assert all(len(people) == 1 for people in owners.values())


@settings(max_examples=count_examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, files, files)
@example([("李文", 1, None, None, "李文.png")], {"李文 .png": b"one"}, {"李文.png": b"another"})
@example([("张伟", 0, None, None, "李文")], {f"{number(0)}.png": b"one"}, {"李文.png": b"another"})
def test_one_file_more_takes_pictures_away_or_gives_a_missing_one(people, content, more):
    doctors = doctors_of(people)
    with tempfile.TemporaryDirectory() as folder:
        _, before = outcomes(doctors, content, Path(folder) / "a")
        _, after = outcomes(doctors, more | content, Path(folder) / "b")
    for row, (path, _, codes) in before.items():
        now, _, reported = after[row]
        if path is not None and now is not None and now != path:
            # by the picture column, which had only a nearly equal name before or named nothing
            named_exactly = people[row - 2][4] in (now, now.rpartition("/")[2].partition(".")[0])
            # else the same picture under a better name
            assert named_exactly or more.get(now) == content[path]
        if path is not None and now is None:
            assert "IMAGE_AMBIGUOUS" in reported
        if "IMAGE_AMBIGUOUS" in codes or "IMAGE_PATH_REJECTED" in codes:
            assert now is None or "IMAGE_AMBIGUOUS" in codes


@settings(max_examples=count_examples(40), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows, st.lists(st.text("张李文章王x1_-. ", min_size=1, max_size=8), max_size=6))
def test_a_name_that_holds_more_than_expected_matches_no_one(people, stems_):
    doctors = doctors_of(people)
    content = {f"王{stem.strip(' ._-') or 'x'}王.png": b"stranger" for stem in stems_}
    with tempfile.TemporaryDirectory() as folder:
        _, result = outcomes(doctors, content, Path(folder) / "a")
    assert {path for path, _, _ in result.values()} == {None}


EARLIER = [
    Bearer(key="k8", name="姚平", staff_no="12"),
    Bearer(key="k9", name="李文"),
]  # digests are the texts
WHO = ["张伟", "李文", "姚平"]
CALLED = [*WHO, "12", *map(number, (0, 8, 9))]
plain_files = st.dictionaries(
    st.builds(
        lambda folder, stem: f"{folder}{stem}.png",
        st.sampled_from(["", "内科/", "眼科/", "2026/"]),
        st.sampled_from(CALLED),
    ),
    st.integers(0, 9).map(lambda serial: f"picture {serial}".encode()),
    min_size=1,
    max_size=3,
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(
        st.tuples(
            st.sampled_from(WHO),
            st.integers(0, 1),
            st.sampled_from([None, "1", "12"]),
            st.sampled_from([None, "内科", "外科"]),
            st.sampled_from([None] * 10 + [f"{stem}.png" for stem in CALLED]),
        ),
        min_size=1,
        max_size=3,
    ),
    plain_files,
)
@example(
    [("张伟", 0, None, None, None), ("张伟", 0, "12", None, None)], {"张伟.png": b"one", "12.png": b"one"}
)
def test_no_one_gets_a_file_named_after_another_person_or_in_another_department(people, content):
    """Judged by the file's path alone, apart from the code that pairs."""
    doctors = [replace(entry, key=f"k{entry.number}") for entry in doctors_of(people)]
    keys = {number(8): "k8", number(9): "k9"}
    records = EvidenceRecords(EARLIER, ReadableKey(sign="", keys=keys), acted_keys={"k8", "k9"})
    with tempfile.TemporaryDirectory() as folder:
        library = image_index.index_images(image_index.list_images(fill(Path(folder) / "a", content)))
        earlier = EarlierEvidence(records)
        paired = flag_conflicts(
            match_images(
                doctors, library, known_files={}, images=make_examiner(Path(folder)), earlier=earlier
            ).doctors
        )
    outside = {"姚平": "k8", "李文": "k9", "12": "k8", number(8): "k8", number(9): "k9"}
    for one in paired:
        if one.picture is None or one.errors:
            continue
        stem, position = one.picture.path.stem, one.picture.path.parent.name
        own = {one.name, one.staff_no, one.number}
        departments = {doctor.department for doctor in doctors if doctor.number == one.number}
        bearers = {
            doctor.number for doctor in doctors if stem in {doctor.name, doctor.staff_no, doctor.number}
        }
        if stem not in own and stem not in {
            doctor.staff_no for doctor in doctors if doctor.number == one.number
        }:
            assert not bearers - {one.number}, "called after another row's doctor"
            assert stem not in outside, "called after an earlier doctor"
        if one.evidence == "staff_no":
            assert stem not in outside, "an earlier doctor bore the staff number"
        if one.evidence == "name":
            assert bearers <= {one.number} or position in departments
            assert stem not in outside, "an earlier doctor bore the name"
            assert position not in {"内科", "外科", "眼科"} - departments or departments == {None}
