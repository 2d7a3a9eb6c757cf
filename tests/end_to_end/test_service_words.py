"""A code of the service is told in words everywhere: what it means, who acts, what to do, and where refused keys came from."""

import html

import openpyxl
import pytest
from wire_support import CREATE, fault

from pipeline.messages.service_errors import get_advice
from pipeline.sandbox.gateway import SANDBOX

SENTENCES = {
    "zh": ("签名不对", "信息科：从控制台重新复制 SecretKey，改好后", "tencent__secret_key 里，要和"),
    "en": (
        "The signature is wrong",
        "IT: Copy the SecretKey again from the console, then",
        "tencent__secret_key must be that of the SecretId AKID…",
    ),
}
REFUSED = {
    "zh": ("姓名与证件号码不一致", "名单负责人", "对照证件核对姓名和证件号码"),
    "en": ("Name and identity number do not match", "Roster owner", "Compare both with the card"),
}


def workbook_text(folder):
    """Return all that stands in a run's workbook, sheet by sheet."""
    book = openpyxl.load_workbook(folder / "results.xlsx")
    return [
        "\n".join(str(cell) for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)
        for sheet in book.worksheets
    ]


def page_text(folder):
    return html.unescape((folder / "report.html").read_text("utf-8"))


@pytest.mark.parametrize("language", SENTENCES)
def test_refused_keys_are_reported_with_sentence_actor_cure_and_source(hospital, capfd, language):
    hospital.doctors(1)
    (hospital.folder / "secrets" / "tencent__secret_key").write_text("wrong")
    assert hospital.go("--lang", language, "run") == 4
    console = capfd.readouterr().err
    assert "roster.xlsx" not in console.partition("SignatureFailure")[2]  # the row is not at fault
    hospital.go("--lang", language, "status")
    status = capfd.readouterr().out
    expected = (*SENTENCES[language], str(hospital.folder / "secrets"), "AuthFailure.SignatureFailure")
    (run,) = hospital.runs
    for surface in (console, status, workbook_text(run)[0], page_text(run)):
        assert [word for word in expected if word not in surface] == []
    is_cleared = {
        "zh": "运行在这里停止，不是这一行的问题",
        "en": "the run stopped here, and this row is not at fault",
    }
    for surface in (workbook_text(run)[1], page_text(run)):
        assert is_cleared[language] in surface
    assert str(hospital.folder / "secrets") in hospital.record()["halted"]["credentials"]


def test_a_refused_operator_is_named_with_the_organisation(hospital, capfd):
    hospital.doctors(1)
    config = hospital.folder / "config.yaml"
    config.write_text(config.read_text("utf-8").replace(SANDBOX.operator_open_id, "op_stranger"), "utf-8")
    assert hospital.go("--lang", "zh", "run") == 4
    assert (
        f"api.operator_open_id（现在是 op_stranger）与 api.organization_open_id（现在是 {hospital.organization}）"
        in capfd.readouterr().err
    )
    assert hospital.go("--lang", "en", "doctor") == 4
    assert (
        f"api.operator_open_id (now op_stranger) and api.organization_open_id (now {hospital.organization})"
        in capfd.readouterr().out
    )


STRANGERS = (
    "13987654321",
    "139 8765 4321",
    "+8613987654321",
    "１３９８７６５４３２１",
    "H1098765401",
    "M20987654",
    "E87654321",
)


def test_mobiles_and_permits_of_strangers_in_an_answer_are_masked(hospital_with, capfd):
    message = f"与 {'、'.join(STRANGERS)} 重复，RequestId 8f3a1c02-1398-4765-9432-1a2b3c4d5e6f"
    refusals = [{"code": code, "message": message} for code in ("InvalidParameter.Mobile", "AuthFailure")]
    hospital = hospital_with(
        faults=[fault({"code": message}, nth=(n,)) for n, message in enumerate(refusals, 1)]
    )
    hospital.doctors(2)
    assert hospital.go("run") == 4
    hospital.go("explain", "00001")
    (run,) = hospital.runs
    state = [path for path in (hospital.folder / "state").iterdir() if path.is_file()]
    kept = [path.read_bytes().decode("utf-8", "replace") for path in (*run.glob("*.json*"), *state)]
    everything = "\n".join([*workbook_text(run), page_text(run), *capfd.readouterr(), *kept])
    assert [secret for secret in STRANGERS if secret in everything] == []
    assert (
        "139****4321、139 **** 4321、+86139****4321、１３９****４３２１、*******5401、*****7654、*****4321"
        in everything
    )
    assert "8f3a1c02-1398-4765-9432-1a2b3c4d5e6f" in everything, "an id of the service stays whole"


@pytest.mark.parametrize("language", REFUSED)
def test_a_refused_row_is_reported_with_sentence_actor_and_cure(hospital_with, capfd, language):
    refusal = {"code": "FailedOperation.UserInfoNoMatch", "message": "姓名与证件号不匹配。"}
    lost = {"code": "InternalError", "message": "内部错误。"}
    hospital = hospital_with(faults=[fault({"code": refusal}, nth=(1,)), fault({"code": lost}, nth=(2,))])
    hospital.doctors(2)
    assert hospital.go("--lang", language, "run") == 3
    console = capfd.readouterr().err
    (run,) = hospital.runs
    summary, every, to_fix, unknown, *_ = workbook_text(run)
    expected = (*REFUSED[language], refusal["code"])
    for surface in (console, summary, every, to_fix, page_text(run)):
        assert [word for word in expected if word not in surface] == []
    meaning = {"zh": "腾讯内部出错或超时", "en": "The service had an internal error or time-out"}[language]
    for surface in (console, every, unknown, page_text(run)):
        assert meaning in surface


@pytest.mark.parametrize(
    ("command", "action"),
    [
        ("autosign status", "ChannelDescribeUserAutoSignStatus"),
        ("doctor", "ChannelDescribeOrganizationSeals"),
    ],
)
def test_the_white_list_of_a_query_is_not_the_one_of_the_create(hospital_with, capfd, command, action):
    refusal = {
        "code": "OperationDenied.WhiteListForbid",
        "message": "接口功能暂未开放，请联系客户经理申请白名单使用",
    }
    hospital = hospital_with(faults=[{"match": {"action": action}, "do": {"code": refusal}}])
    hospital.doctors(1)
    assert hospital.go("run") == 0
    capfd.readouterr()
    assert hospital.go(*command.split()) != 0
    stderr_text = "".join(capfd.readouterr())
    assert f"enable {action}, then" in stderr_text
    assert CREATE not in stderr_text, "the create works"


def test_the_white_list_of_a_create_names_the_create(hospital_with, capfd):
    refusal = {
        "code": "OperationDenied.WhiteListForbid",
        "message": "接口功能暂未开放，请联系客户经理申请白名单使用",
    }
    hospital = hospital_with(faults=[fault({"code": refusal}, nth=(1,))])
    hospital.doctors(1)
    assert hospital.go("run") == 4
    assert CREATE in capfd.readouterr().err


def test_keys_without_the_right_to_a_call_are_not_called_wrong(hospital_with, capfd):
    refusal = {"code": "AuthFailure.UnauthorizedOperation", "message": "请求未授权。"}
    hospital = hospital_with(faults=[fault({"code": refusal}, nth=(1,))])
    hospital.doctors(1)
    assert hospital.go("run") == 4
    stderr_text = capfd.readouterr().err
    assert "configuration page" in stderr_text
    assert "SecretKey are complete" not in stderr_text


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_code_that_refused_no_row_is_explained_where_the_calls_are_counted(hospital_with, language):
    hospital = hospital_with(faults=[fault("throttle", nth=(1,))])
    hospital.doctors(1)
    assert hospital.go("--lang", language, "run") == 0
    (run,) = hospital.runs
    advice = get_advice("RequestLimitExceeded")
    for text in (workbook_text(run)[0], page_text(run)):
        assert "RequestLimitExceeded" in text
        assert [
            text_part
            for text_part in (advice.meaning.render(language), advice.todo.render(language))
            if text_part not in text
        ] == []
