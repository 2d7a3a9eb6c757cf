"""What a row's record holds survives its line of the ledger, and the line of outcomes.jsonl as far as that goes."""

import json
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from pipeline.domain.fields import FIELDS, list_result_fields
from pipeline.domain.masking import mask_id, mask_mobile
from pipeline.domain.roster import Change, Field, ImageSize
from pipeline.domain.row_record import RecordedAnswer, RecordedPicture, RecordedProblem, RowLine
from pipeline.domain.run import Status

COUNTS = st.none() | st.integers(0, 9)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
STORED = st.one_of(TEXTS, st.fixed_dictionaries({"key": TEXTS, "arguments": st.dictionaries(TEXTS, TEXTS)}))
FIELD = st.sampled_from(Field)
PROBLEMS = st.builds(
    RecordedProblem,
    code=TEXTS,
    severity=st.sampled_from(["error", "warning"]),
    field=st.none() | FIELD,
    cell=st.none() | TEXTS,
    message=TEXTS,
    detail=st.dictionaries(TEXTS, STORED, max_size=2),
)
LINES = st.builds(
    RowLine,
    run=TEXTS,
    file=TEXTS,
    path=TEXTS,
    sheet=st.none() | TEXTS,
    row=st.integers(1, 1_000),
    row_id=st.none() | TEXTS,
    key=st.none() | TEXTS,
    status=st.sampled_from(Status),
    codes=st.lists(TEXTS, max_size=2).map(tuple),
    problems=st.lists(PROBLEMS, max_size=2).map(tuple),
    changes=st.lists(st.builds(Change, FIELD, TEXTS, TEXTS, TEXTS), max_size=2).map(tuple),
    values=st.fixed_dictionaries(
        {field: st.none() | TEXTS for _, field in list_result_fields(in_ledger=True)}
    ),
    picture=st.none()
    | st.builds(
        RecordedPicture,
        TEXTS,
        TEXTS,
        COUNTS,
        COUNTS,
        COUNTS,
        st.none() | st.builds(ImageSize, st.integers(0, 9), COUNTS, COUNTS),
    ),
    seal_id=st.none() | TEXTS,
    request_id=st.none() | TEXTS,
    trace_id=st.none() | TEXTS,
    attempts=st.integers(0, 9),
    service=st.none() | st.builds(RecordedAnswer, st.none() | TEXTS, st.none() | TEXTS, st.none() | STORED),
)


@given(LINES)
def test_all_of_a_row_survives_the_line_of_the_ledger(line):
    assert RowLine.from_text(line.to_ledger_text()) == line


@given(LINES)
def test_all_that_outcomes_jsonl_shows_of_a_row_survives_its_line(line):
    again = RowLine.from_text(json.dumps(line.to_dict()))
    assert again.to_dict() == line.to_dict()
    assert all(problem.detail is None for problem in again.problems)


def test_each_result_of_the_table_of_fields_has_a_key_of_its_own():
    names = [definition.result for definition in FIELDS.values() if definition.result]
    assert sorted(names) == sorted(name for name, _ in list_result_fields(in_ledger=True))
    assert len(names) == len(set(names))
    assert {field for _, field in list_result_fields(in_ledger=True)} - {
        field for _, field in list_result_fields(in_ledger=False)
    } == {Field.DEPARTMENT}


@given(LINES)
def test_a_removed_persons_line_names_no_one(line):
    bare = line.remove_person()
    own = dict.fromkeys(line.values) | {Field.ID_TYPE: line.get(Field.ID_TYPE)}
    assert {field: bare.get(field) for field in line.values} == own
    assert replace(bare, values=line.values) == replace(
        line, problems=(), changes=(), picture=None, service=None
    )
    assert RowLine.from_text(json.dumps(bare.to_dict())).status is line.status


def test_a_name_is_hidden_in_another_persons_line_and_kept_in_a_namesakes():
    problem = RecordedProblem("IMAGE_SHARED", "error", None, None, "与张伟相同", {"other": "张伟"})
    change = Change(Field.NAME, "张伟 ", "张伟", "outer_space")
    answer = RecordedAnswer("FailedOperation", "张伟已存在", {"key": "a", "arguments": {"name": "张伟"}})
    line = RowLine(
        run="", file="a.xlsx", path="a.xlsx", sheet=None, row=2, row_id="r", key="k", status=Status.REJECTED,
        problems=(problem,), changes=(change,), values={Field.NAME: "李静"}, service=answer,
    )  # fmt: skip
    hidden = line.hide_names({"张伟"})
    assert "张伟" not in hidden.to_ledger_text()
    assert hidden.problems[0].message == "与**相同"
    namesake = replace(line, values={Field.NAME: "张伟"})
    assert namesake.hide_names({"张伟"}) == namesake


@given(st.text("0123456789X", min_size=1, max_size=18) | TEXTS)
def test_a_number_that_is_masked_stays_as_it_is(text):
    """Results that are made again of a record mask its numbers once more."""
    for mask, whole in ((mask_id, "110101199003070732"), (mask_mobile, "13812345678")):
        assert mask(mask(whole)) == mask(whole)
        hidden = mask(text)
        if hidden.count("*") >= 4:
            assert mask(hidden) == hidden
