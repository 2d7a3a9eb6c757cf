"""What service codes mean; the table is compared with the official SDK's list."""

from tencentcloud.ess.v20201111 import errorcodes as ess_errorcodes
from tencentcloud.essbasic.v20210526 import errorcodes

from pipeline.domain.service_codes import (
    CODES,
    Handling,
    get_auto_sign_meaning,
    get_create_meaning,
    get_handling,
    get_upload_meaning,
    has_reason,
    parse_stated_limit,
)
from pipeline.esign.contracts import FILE_ID, INLINE

SDK_CODES = sorted(
    {
        value
        for module in (errorcodes, ess_errorcodes)
        for name, value in vars(module).items()
        if name.isupper()
    }
)


def test_every_code_of_the_official_sdk_is_listed():
    """A new SDK release with a new code fails here, loudly."""
    assert len(SDK_CODES) >= 300
    assert [code for code in SDK_CODES if code not in CODES] == []


MEANINGS_IN_CREATES = {
    "RequestLimitExceeded": "throttle",
    "RequestLimitExceeded.IPLimitExceeded": "throttle",
    "AuthFailure.SignatureExpire": "clock",
    "AuthFailure.SignatureFailure": "credentials",
    "UnauthorizedOperation.NoPermissionFeature": "permission",
    "ResourceNotFound.Organization": "account",
    "FailedOperation.LicenseNoQuota": "quota",
    "MissingParameter.SealImage": "contract",
    "InvalidParameter.CardNumber": "row",
    "FailedOperation": "row",
    "FailedOperation.ExistSameSealName": "exists",
    "ResourceNotFound.File": "upload_again",
    "InternalError": "unknown",
    "InternalError.DbInsert": "unknown",
    "ServiceUnavailable": "unknown",
    "ResourceInsufficient": "unknown",
    "ResourceNotFound": "unknown",
    "SomethingNobodyHasSeen.Yet": "unknown",
    "FailedOperation.SomethingNew": "unknown",
}


def test_a_code_has_its_meaning_for_a_create():
    meanings = {code: get_create_meaning(code, "") for code in MEANINGS_IN_CREATES}
    assert meanings == MEANINGS_IN_CREATES


def test_refusals_of_the_sister_product_are_refusals():
    rows = ("InvalidParameter.InvalidMobile", "InvalidParameter.InvalidName", "OperationDenied.NoVerify")
    assert {get_create_meaning(code, "") for code in (*rows, "InvalidParameter.IdCardValidityOverLimit")} == {
        "row"
    }
    quota = (
        "OperationDenied.LicenseHasExpired",
        "OperationDenied.NotFoundLicense",
        "FailedOperation.BalanceNotEnough",
    )
    assert {get_create_meaning(code, "") for code in quota} == {"quota"}
    assert get_upload_meaning("OperationDenied.NoVerify", "") == "permission"


def test_the_text_refines_what_the_code_leaves_open():
    assert get_create_meaning("FailedOperation", "印章名称重名，请修改") == "exists"
    assert get_create_meaning("LimitExceeded", "超过了每秒频率上限") == "throttle"
    assert get_create_meaning("LimitExceeded", "超过配额限制") == "quota"


def test_what_a_code_of_ess_proves_about_a_create():
    proves_nothing = (
        "InvalidParameter.DataExists",
        "InvalidParameterValue.Mask",
        "InternalError.Cos",
        "InternalError.CallOpenCloudApiError",
        "FailedOperation.PreViewUrlFail",
        "OperationDenied.DocumentNoAvailable",
        "ResourceNotFound.NotExistResource",
    )
    assert {get_create_meaning(code, "") for code in proves_nothing} == {"unknown"}
    assert get_create_meaning("OperationDenied.OverSeaForbid", "") == "row"
    assert get_create_meaning("InvalidParameter.InvalidOperatorId", "") == "account"
    assert get_create_meaning("OperationDenied.FlowHasStarted", "") == "contract"
    assert get_upload_meaning("InternalError.Cos", "") == "unknown", "an upload is sent again"
    assert get_upload_meaning("InvalidParameter.DataExists", "") == "row"


def test_an_unlisted_code_of_an_upload_counts_as_its_first_part():
    assert get_upload_meaning("AuthFailure.SomethingNew", "") == "credentials"
    assert get_upload_meaning("InternalError.SomethingNew", "") == "unknown"
    assert get_upload_meaning("Unheard.Of", "") == "unknown"


def test_a_bare_refusal_gives_no_reason():
    messages = ["", "操作失败", "操作失败，请稍后重试。", "Operation failed.", "FailedOperation"]
    assert not any(has_reason("FailedOperation", message) for message in messages)


def test_a_refusal_with_words_gives_one():
    assert has_reason("FailedOperation", "姓名与证件号码不一致")
    assert has_reason("InvalidParameter.CardNumber", "")


def test_a_throttle_states_the_limit():
    assert parse_stated_limit("您当前每秒请求 `23` 次，超过了每秒频率上限 `20` 次，请稍后重试。") == 20
    english = "Your current request times equals to `21` in a second, which exceeds the frequency limit `20`"
    assert parse_stated_limit(english) == 20
    assert parse_stated_limit("慢一点") is None


def test_a_refusal_that_misses_the_picture_is_recognised():
    assert INLINE.is_switched_off("印章图片不能为空")
    assert not INLINE.is_switched_off("印章图片含有敏感内容")
    assert not FILE_ID.is_switched_off("印章图片不能为空")


def test_a_code_is_acted_upon_by_the_person_of_its_meaning_unless_it_names_another():
    assert get_handling("UnauthorizedOperation") == Handling("tencent", "after")
    assert get_handling("OperationDenied.OperatorHasNoPermission") == Handling("it", "after")
    assert get_handling("Unheard.Of") == Handling("it", "held")


def test_in_calls_about_auto_sign_a_code_is_about_the_person_and_no_seal_is_at_stake():
    own = {
        "FailedOperation.UserAutoSignEnableAlready": "row",
        "OperationDenied.NotInAutoSignWhiteList": "permission",
        "OperationDenied.WhiteListForbid": "permission",
        "RequestLimitExceeded": "throttle",
        "LimitExceeded.CallTimes": "throttle",
        "InternalError.Encryption": "unknown",
        "NotListed.AtAll": "unknown",
    }
    assert {code: get_auto_sign_meaning(code, "") for code in own} == own
    assert not {get_auto_sign_meaning(code, "") for code in CODES} & {"exists", "upload_again"}
