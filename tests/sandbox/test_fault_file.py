"""Files of faults and rules: what they may say, which calls faults strike, how a bad file is refused."""

import json

import pytest

from pipeline.errors import UsageError
from pipeline.sandbox.faults import (
    KINDS,
    Fault,
    Faults,
    Match,
    SandboxRules,
    load_faults,
    load_rules,
    parse_faults,
)
from pipeline.sandbox.gateway import CREATE, read_call

EXAMPLE = """
faults:
  - match: {action: ChannelCreatePreparedPersonalEsign, nth: [3, 7]}
    do: reset_after
  - match: {user_name: 张三}
    do: {delay_after: 60}
  - match: {action: UploadFiles, from: 10, to: 20, share: 0.5, seed: 7}
    do: {code: {code: ResourceNotFound.File, message: 文件不存在。}}
  - match: {user_name: 李四, nth: 1}
    do: {internal_error_after: InternalError.DbInsert}
  - match: {every: true}
    do: {http_502: before}
  - match: {every: 5}
    do: {clock_skew: -600}
  - do: {redirect: "http://127.0.0.1:9/"}
"""


def call(action=CREATE, **parameters):
    return read_call(json.dumps(parameters).encode(), headers={"X-TC-Action": action})


def struck(fault, calls):
    faults = Faults([fault])
    return [number for number, one in enumerate(calls, 1) if faults.choose_faults(one)]


def test_a_yaml_file_becomes_faults(tmp_path):
    path = tmp_path / "faults.yaml"
    path.write_text(EXAMPLE, encoding="utf-8")
    assert load_faults(path) == (
        Fault("reset_after", Match(action=CREATE, nth=(3, 7))),
        Fault("delay_after", Match(user_name="张三"), seconds=60.0),
        Fault(
            "code",
            Match(action="UploadFiles", first=10, last=20, share=0.5, seed=7),
            code="ResourceNotFound.File",
            message="文件不存在。",
        ),
        Fault("internal_error_after", Match(user_name="李四", nth=(1,)), code="InternalError.DbInsert"),
        Fault("http_502", Match(), when="before"),
        Fault("clock_skew", Match(every=5), seconds=-600.0),
        Fault("redirect", Match(), url="http://127.0.0.1:9/"),
    )


def test_a_fault_file_in_json_is_read(tmp_path):
    path = tmp_path / "faults.json"
    path.write_text(json.dumps({"faults": [{"match": {"nth": 2}, "do": "throttle"}]}), encoding="utf-8")
    assert load_faults(path) == (Fault("throttle", Match(nth=(2,))),)


def test_every_kind_can_be_written_in_a_file():
    values = {
        "delay_before": 1,
        "delay_after": 1,
        "clock_skew": 1,
        "code": "InvalidParameter",
        "internal_error_after": "InternalError.DbInsert",
        "seal_id": "x",
        "link": "https://127.0.0.1/x",
        "deprecated": "soon",
    }
    file = {"faults": [{"do": {kind: values[kind]} if kind in values else kind} for kind in KINDS]}
    assert [fault.kind for fault in parse_faults(file)] == list(KINDS)


def test_which_answer_is_repeated_is_named_by_action_name_and_number():
    (fault,) = parse_faults({"faults": [{"do": {"replay": {"user_name": "张三", "nth": 1}}}]})
    assert fault == Fault("replay", earlier=Match(user_name="张三", nth=(1,)))


def test_a_rules_file_says_what_differs(tmp_path):
    path = tmp_path / "rules.yaml"
    path.write_text("limiter: none\nunique_names: off\nlatency: 0.5\n", encoding="utf-8")
    assert load_rules(path) == SandboxRules(limiter="none", unique_names="off", latency=0.5)
    for rules in ("limiter: some", "rates: 5", "- limiter"):
        path.write_text(rules, encoding="utf-8")
        with pytest.raises(UsageError, match=r"rules\.yaml: .* does not fit here"):
            load_rules(path)


def test_calls_are_numbered_among_those_that_fit():
    calls = [
        call("UploadFiles"),
        call(UserName="甲"),
        call(UserName="乙"),
        call(UserName="甲"),
        call(UserName="甲"),
    ]
    assert struck(Fault("throttle", Match(action=CREATE, nth=(1, 4))), calls) == [2, 5]
    assert struck(Fault("throttle", Match(user_name="甲", nth=(2,))), calls) == [4]
    assert struck(Fault("throttle", Match(user_name="丙")), calls) == []


def test_ranges_and_every():
    calls = [call()] * 10
    assert struck(Fault("throttle"), calls) == list(range(1, 11))
    assert struck(Fault("throttle", Match(first=4, last=6)), calls) == [4, 5, 6]
    assert struck(Fault("throttle", Match(every=3)), calls) == [3, 6, 9]


def test_a_share_strikes_the_same_calls_in_every_run():
    calls = [call()] * 2000
    first, again, other = (
        struck(Fault("throttle", Match(share=0.3, seed=seed)), calls) for seed in (1, 1, 2)
    )
    assert first == again != other
    assert 500 < len(first) < 700
    assert struck(Fault("throttle", Match(share=0.0)), calls) == []
    assert struck(Fault("throttle", Match(share=1.0)), calls) == list(range(1, 2001))


def test_several_faults_may_strike_one_call():
    faults = Faults(
        [Fault("charset"), Fault("delay_after", seconds=1.0), Fault("reset_after", Match(nth=(2,)))]
    )
    assert [fault.kind for fault in faults.choose_faults(call())] == ["charset", "delay_after"]
    assert [fault.kind for fault in faults.choose_faults(call())] == ["charset", "delay_after", "reset_after"]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "“[]” does not fit"),
        ({"fault": []}, "“fault” does not fit"),
        ({"faults": {}}, "faults: “{}” does not fit"),
        ({"faults": ["reset"]}, "faults.0: “reset” does not fit"),
        ({"faults": [{"match": {}}]}, "faults.0.kind: "),
        ({"faults": [{"do": "throttle", "when_": "before"}]}, "faults.0.when_: “before” does not fit"),
        ({"faults": [{"do": "throttle"}, {"do": "explode"}]}, "faults.1.kind: “explode” does not fit"),
        ({"faults": [{"do": {"close": "after", "charset": None}}]}, "faults.0.kind: "),
        ({"faults": [{"do": ["throttle"]}]}, "faults.0.kind: “['throttle']” does not fit"),
        ({"faults": [{"do": "delay_after"}]}, "faults.0.seconds: “None” does not fit"),
        ({"faults": [{"do": {"clock_skew": "early"}}]}, "faults.0.seconds: “early” does not fit"),
        ({"faults": [{"do": {"http_502": "during"}}]}, "faults.0.when: “during” does not fit"),
        ({"faults": [{"do": {"redirect": 5}}]}, "faults.0.url: “5” does not fit"),
        ({"faults": [{"do": {"charset": "gbk"}}]}, "faults.0.charset: “gbk” does not fit"),
        ({"faults": [{"do": "code"}]}, "faults.0.code: “None” does not fit"),
        ({"faults": [{"do": {"code": {"code": "X", "text": "y"}}}]}, "faults.0.text: “y” does not fit"),
        ({"faults": [{"match": [], "do": "throttle"}]}, "faults.0.match: “[]” does not fit"),
        ({"faults": [{"match": {"name": "x"}, "do": "throttle"}]}, "faults.0.match.name: “x” does not fit"),
        ({"faults": [{"match": {"action": "UploadFile"}, "do": "throttle"}]}, "“UploadFile” does not fit"),
        ({"faults": [{"match": {"user_name": 5}, "do": "throttle"}]}, "match.user_name: “5” does not fit"),
        ({"faults": [{"match": {"nth": [0]}, "do": "throttle"}]}, "match.nth.0: “0” does not fit"),
        ({"faults": [{"match": {"every": False}, "do": "throttle"}]}, "match.every: “False” does not fit"),
        ({"faults": [{"match": {"share": "half"}, "do": "throttle"}]}, "match.share: “half” does not fit"),
    ],
)
def test_a_wrong_fault_file_is_refused_with_the_place_of_the_fault(data, words):
    with pytest.raises(UsageError) as refused:
        parse_faults(data)
    assert words in str(refused.value)
    assert refused.value.render("zh") != str(refused.value)


@pytest.mark.parametrize(
    ("content", "words"), [(b"faults: [", ":1: not valid YAML"), (b"\xff\xfe", "cannot be read")]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path, content, words):
    path = tmp_path / "faults.yaml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=words) as refused:
        load_faults(path)
    assert str(path) in refused.value.render("zh")


def test_a_missing_file_and_a_bad_place_name_the_file(tmp_path):
    with pytest.raises(UsageError, match=r"none\.yaml"):
        load_faults(tmp_path / "none.yaml")
    path = tmp_path / "faults.yaml"
    path.write_text("faults:\n- do: explode\n", encoding="utf-8")
    with pytest.raises(UsageError, match=r"faults\.yaml: faults\.0\.kind: “explode”"):
        load_faults(path)
