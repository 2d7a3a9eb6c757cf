"""Every code of the service: its meaning for a create and for an upload, who acts, and whether a rerun helps.

The tables are data. Every code of the official SDKs of both products and of their common list is in `_CODES_BY_MEANING` once. A
code that is not listed proves nothing about a create, so it is ``unknown`` there. So is a listed one that may mean that an
identical seal exists, or that something broke while the create was executed. The sentences about codes are in
`pipeline.messages.service_errors`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, Literal

from pipeline.domain.roster import Field

Meaning = Literal[
    "throttle",  # refused before the back end: wait, send again
    "clock",  # refused for its timestamp: adopt the server's time, send again
    "credentials",  # the next five stop the run: a rerun cannot help until a person acts
    "permission",
    "account",
    "quota",
    "contract",  # an answer that does not belong to this call: wrong endpoint, version or contract
    "row",  # this row is refused: its data or picture must change
    "exists",  # a seal of this name exists, this person's or another's
    "upload_again",  # the FileId is gone
    "unknown",  # the seal may have been made, by this request or an identical earlier one
]
ResponsibleRole = Literal["clerk", "it", "tencent", "nobody"]
# sent again by the program · once a person has acted · never, until the row is resolved
Rerun = Literal["itself", "after", "held"]


SIGNATURE_REFUSED = "AuthFailure.SignatureFailure"
OPERATOR_REFUSED = "OperationDenied.UserNotInOrganization"
TOKEN_REFUSED = "AuthFailure.TokenFailure"  # noqa: S105 - a code


@dataclass(frozen=True, slots=True)
class Handling:
    """Who has to act, and whether a rerun helps."""

    who: ResponsibleRole
    rerun: Rerun


HANDLING: Mapping[Meaning, Handling] = {
    "throttle": Handling("nobody", "itself"),
    "clock": Handling("it", "after"),
    "credentials": Handling("it", "after"),
    "permission": Handling("tencent", "after"),
    "account": Handling("it", "after"),
    "quota": Handling("tencent", "after"),
    "contract": Handling("it", "after"),
    "row": Handling("clerk", "after"),
    "exists": Handling("it", "held"),
    "upload_again": Handling("nobody", "itself"),
    "unknown": Handling("it", "held"),
}

# meaning -> first part of the code: second parts; "-" is the bare code
_CODES_BY_MEANING: Mapping[Meaning, str] = {
    "throttle": """
        FailedOperation: RequestLimitExceeded
        RequestLimitExceeded: - GlobalRegionUinLimitExceeded IPLimitExceeded UinLimitExceeded
    """,
    "clock": """
        AuthFailure: SignatureExpire
    """,
    "credentials": """
        AuthFailure: - InvalidAuthorization InvalidSecretId MFAFailure SecretIdNotFound SignatureFailure
            TokenFailure UnauthorizedOperation
        FailedOperation: AuthFail
        IpInBlacklist: -
        IpNotInWhitelist: -
    """,
    "permission": """
        FailedOperation: NoRoleAuth
        OperationDenied: AuthTag ErrNoResourceAccess ErrNotOpenWeakAuthorization NoApiAuth
            NoApproverMobileCheckPermission NoFlowPermission NoPermissionUseResource
            NoPermissionUseServerSignSeal NotBelongSuperAdminOrLegalPerson NotInAutoSignWhiteList
            OperatorHasNoPermission OverseaAbilityNotOpen WhiteListForbid
        ResourceNotFound: ApplicationAuth
        UnauthorizedOperation: - NoPermissionFeature UnauthorizedOperationDownload
            UnauthorizedOperationOrganization
    """,
    "account": """
        FailedOperation: ErrNotSyncProxyOrganization FailedConverToQiWeiUserId FailedOpenWkAppReview
            NotFoundShadowUser OrganizationExperienceChange OrganizationNameChanged
            OrganizationNameNeedChange OrganizationNotChange StaffAlreadyVerify
        InvalidParameter: Application BusinessLicense DepartUserId InvalidOpenId InvalidOperatorId
            InvalidOrganizationId InvalidOrganizationName InvalidRoleId InvalidRoleName OpenId OperatorId
            OrganizationId OrganizationName RoleId UniformSocialCreditCode
        MissingParameter: OrgNameOrUniformSocialCreditCode OrgOpenId OrganizationId ProxyOperatorOpenId
            UserId UserOpenId
        OperationDenied: BannedApplication NoLogin NotSupportOrgType OrgUniformSocialCreditCodeErr
            OrganizationClosing OrganizationNotActivated SubOrgNotJoin UserNoAudit UserNotInOrganization
        ResourceNotFound: Application ApplicationId AuthActiveOrganization ErrNotExistRole
            NotExistApplication Organization SuperAdmin TeamWorkOrganization User WeWorkUser
    """,
    "quota": """
        FailedOperation: BalanceNotEnough FlowNumExceed LicenseNoQuota
        InvalidParameterValue: InvalidQuotaType
        LimitExceeded: - CallTimes CreateFlowNum FlowIds FlowInfos ProxyOrganizationOperator
        OperationDenied: LicenseHasExpired NoQuota NotFoundLicense OutQueryLimit ProveNoQuota
    """,
    "contract": """
        ActionOffline: -
        DryRunOperation: -
        FailedOperation: AuthorizationInfoHasBeenDeleted FailedUpdateTemplateOperation FlowHasDocument
            FlowHasNoDocument HasAuthorized NoSignReviewPass NotAvailableSignReview
            QrCodeCreatorSignComponents QrCodeSignUsers QrCodeTemplateId TemplateHasNoResource
            UserAutoSignEnableAlready UserAutoSignEnableUrlNotExist
        InvalidAction: -
        InvalidParameter: ApproverType ApproverVerifyType AuthorizationType BizApproverAlreadyExists
            BusinessId BusinessType CancelReason CcNum ClientToken ComponentFileIndex ComponentInvalid
            ComponentPage ComponentPosition ComponentType ComponentTypeNoMatchValue ContentType
            CustomShowMap CustomerData Date Email EndPoint FlowApproverDeadline FlowApproverInfos
            FlowApprovers FlowCallbackUrl FlowDeadLine FlowDescription FlowFileIds FlowIds FlowInfos
            FlowName FlowType FlowUserData FromSource GenerateType InvalidChannel InvalidLimit InvalidOffset
            InvalidVerifyChannel JumpUrl Keyword Limit MenuStatus MissingRequiredComponentValue NotifyType
            Offset PersonAutoSignTag PreReadTime QrEffectDay QrFlowEffectDay ResourceType SealId
            SignComponentType SignComponents TemplateId Unordered UnsupportedComponentType VerifyChannel
            fFowIds
        InvalidParameterValue: InvalidTime
        InvalidRequest: -
        MissingParameter: ApproverMobile ApproverName ApproverOrganizationInfo ApproverRole
            ApproverSignComponent AuthCode CancelReason CompanyActiveInfo Date Field FileNames FlowApprover
            FlowId FlowIds FlowIdsOrFlowGroupId FlowInfo KeyWord MissComponentName QrCodeId Recipient
            ReportApplicant ResourceId ResourceName SealId SealImage ServerSignSealId SignComponents
            Templates
        NoSuchProduct: -
        NoSuchVersion: -
        OperationDenied: ApproverNoMatchTemplate ApproverRepeat AuthCodeInvalid BatchCancelForbid
            BranchSendFlowToParentNotAllow ByFilesServerSignForbid CcForbid CcUserRepeat
            DownLoadMoreThanOne ErrNoSupportIndividualHasOrganizationName FileNoMatchResource
            FlowCancelForbid FlowHasStarted FlowHasTerminated FlowNoNeedReview FlowStatusForbid
            ManyResourceId NoOpenServerSign NoSupportComponentType NoSupportJumpPage OperateType PayDeadline
            PersonHasNoSignature PersonNoOpenServerSign PersonServerSignForbid QrHasExpire QrInvalid
            RequiredComponentNotFill ServerSignNoAllowComponent ServerSignNoSupportSignature
        ResourceNotFound: Document Flow FlowApprover FlowApprovers FlowGroup NotExistDocument NotExistFlow
            NotExistTemplate QrInfo SaveFlowGroup Seal Template URL Url
        UnknownParameter: -
        UnsupportedOperation: -
        UnsupportedProtocol: -
        UnsupportedRegion: -
    """,
    "row": """
        FailedOperation: - AgeNotAchieveNormalLegal IdCardNumberCheckFailed UserInfoNoMatch
        InvalidParameter: - CardNumber CardType ComponentValue DataNotFound EmptyParams FileType
            IdCardValidityOverLimit Image InvalidMobile InvalidName LimitSealName
            MissingRequiredParameterValue Mobile Name NonsupportMobile ParamError Sensitive
            SensitiveFileContent
        InvalidParameterValue: - InvalidMobile
        LimitExceeded: FileSize
        MissingParameter: - SealName
        OperationDenied: - Forbid InvalidApproverAge NoIdentityVerify NoVerify OverSeaForbid Sensitive
        RequestSizeLimitExceeded: -
        ResourceNotFound: Resource VerifyUser
    """,
    "exists": """
        FailedOperation: ExistSameSealName
    """,
    "upload_again": """
        InvalidParameter: InvalidId
        OperationDenied: FileDeleted
        ResourceNotFound: File
    """,
    "unknown": """
        FailedOperation: PathTypeError PreViewUrlFail
        InternalError: - Api Cache CallOpenCloudApiError Callback Cos Db DbConnection DbDataDeleted DbInsert
            DbNoRowFound DbRead DbUpdate Decryption DependsApi DependsDb Encryption GenerateId JsonMarshal
            JsonUnmarshal Mq Pdf SealUpload Serialize System ThirdParty
        InvalidParameter: DataExists DupTask Status
        InvalidParameterValue: Mask
        OperationDenied: AlreadyHas DocumentNoAvailable
        ResourceInUse: -
        ResourceInsufficient: -
        ResourceNotFound: - NotExistResource
        ResourceUnavailable: -
        ResponseSizeLimitExceeded: -
        ServiceUnavailable: -
    """,
}

# Where another person acts than is usual for the meaning.
_OTHER_ROLE: Mapping[str, ResponsibleRole] = {
    "OperationDenied.BannedApplication": "tencent",
    "OperationDenied.OperatorHasNoPermission": "it",
    "OperationDenied.OrganizationClosing": "tencent",
}
# Where an upload differs: it creates nothing, so what proves nothing is sent again.
_IN_UPLOADS: Mapping[str, Meaning] = {
    "InvalidParameter.DataExists": "row",
    "InvalidParameter.DupTask": "row",
    "InvalidParameter.Status": "row",
    "LimitExceeded.CallTimes": "throttle",
    "MissingParameter.SealImage": "row",
    "OperationDenied.AlreadyHas": "row",
    "OperationDenied.Forbid": "permission",
    "OperationDenied.NoIdentityVerify": "permission",
    "OperationDenied.NoVerify": "permission",
}
# Where the calls about auto-sign differ: they are about one person, and create no seal.
_IN_AUTO_SIGN: Mapping[str, Meaning] = {
    "FailedOperation.UserAutoSignEnableAlready": "row",
    "LimitExceeded.CallTimes": "throttle",
}
# meanings that belong to a create alone: elsewhere the code refuses the picture or the person
_OF_CREATES: frozenset[Meaning] = frozenset({"exists", "upload_again"})
# code of a refusal -> the fields that it is about
REFUSED_FIELDS: Mapping[str, tuple[Field, ...]] = {
    "FailedOperation.AgeNotAchieveNormalLegal": (Field.NUMBER,),
    "FailedOperation.IdCardNumberCheckFailed": (Field.NUMBER,),
    "FailedOperation.UserInfoNoMatch": (Field.NAME, Field.NUMBER),
    "InvalidParameter.CardNumber": (Field.NUMBER,),
    "InvalidParameter.CardType": (Field.ID_TYPE, Field.NUMBER),
    "InvalidParameter.FileType": (Field.PICTURE,),
    "InvalidParameter.IdCardValidityOverLimit": (Field.NUMBER,),
    "InvalidParameter.Image": (Field.PICTURE,),
    "InvalidParameter.InvalidMobile": (Field.MOBILE,),
    "InvalidParameter.InvalidName": (Field.NAME,),
    "InvalidParameter.LimitSealName": (Field.SEAL_NAME,),
    "InvalidParameter.Mobile": (Field.MOBILE,),
    "InvalidParameter.Name": (Field.NAME,),
    "InvalidParameter.NonsupportMobile": (Field.MOBILE,),
    "InvalidParameter.Sensitive": (Field.NAME, Field.SEAL_NAME),
    "InvalidParameter.SensitiveFileContent": (Field.PICTURE,),
    "InvalidParameterValue.InvalidMobile": (Field.MOBILE,),
    "LimitExceeded.FileSize": (Field.PICTURE,),
    "MissingParameter.SealName": (Field.SEAL_NAME,),
    "OperationDenied.InvalidApproverAge": (Field.NUMBER,),
    "OperationDenied.OverSeaForbid": (Field.ID_TYPE, Field.NUMBER),
    "OperationDenied.Sensitive": (Field.NAME, Field.SEAL_NAME),
    "RequestSizeLimitExceeded": (Field.PICTURE,),
}
_OF_GATEWAY: Final = frozenset({"throttle", "clock", "credentials"})
_STOPPING: Final = frozenset({"permission", "account", "quota", "contract"})
_SIZES: Final = frozenset({"RequestSizeLimitExceeded", "ResponseSizeLimitExceeded"})
NAME_EXISTS: Final = "FailedOperation.ExistSameSealName"
_NAME_EXISTS = re.compile("同名|重名|已存在")  # in a bare FailedOperation
_FREQUENCY = re.compile("每秒|频率|frequency", re.IGNORECASE)  # in a bare LimitExceeded
_RATE = re.compile(r"`\d+`.*?`(\d+)`", re.DOTALL)
_EMPTY_WORDS = re.compile(
    r"操作失败|请稍后再?重?试|failed ?operation|operation ?failed|失败|[\s\W]", re.IGNORECASE
)


def _list_codes(table: Mapping[Meaning, str]) -> dict[str, Meaning]:
    codes: dict[str, Meaning] = {}
    for meaning, text in table.items():
        first = ""
        for word in text.split():
            if word.endswith(":"):
                first = word[:-1]
                continue
            code = first if word == "-" else f"{first}.{word}"
            assert code not in codes, code
            codes[code] = meaning
    return codes


CODES: Mapping[str, Meaning] = _list_codes(_CODES_BY_MEANING)


def get_create_meaning(code: str, message: str) -> Meaning:
    """Return the meaning of an error answer to a create; the text only refines codes that leave it open."""
    if means_name_exists(code, message):
        return "exists"
    if code == "LimitExceeded" and _FREQUENCY.search(message):
        return "throttle"
    return get_code_meaning(code) or "unknown"


def get_code_meaning(code: str) -> Meaning | None:
    """Return the meaning of a code for a create; None for one that is not listed."""
    return CODES.get(code)


def get_upload_meaning(code: str, message: str) -> Meaning:
    """Return the meaning of an error answer to an upload; an unlisted code counts as its first part."""
    if code == "LimitExceeded" and _FREQUENCY.search(message):
        return "throttle"
    meaning = _IN_UPLOADS.get(code) or get_listed_meaning(code) or "unknown"
    return "row" if meaning in _OF_CREATES else meaning


def get_auto_sign_meaning(code: str, message: str) -> Meaning:
    """Return the meaning of an error answer to a call about a person's auto-sign; an unlisted code proves nothing."""
    if code == "LimitExceeded" and _FREQUENCY.search(message):
        return "throttle"
    meaning = _IN_AUTO_SIGN.get(code) or get_code_meaning(code) or "unknown"
    return "row" if meaning in _OF_CREATES else meaning


def is_of_settings(code: str) -> bool:
    """Return whether a code refuses the keys, or the ids of operator and organisation."""
    return code == OPERATOR_REFUSED or get_listed_meaning(code) == "credentials"


def get_listed_meaning(code: str) -> Meaning | None:
    """Return the meaning of a code, or of its first part; None where neither is listed."""
    return get_code_meaning(code) or CODES.get(code.partition(".")[0])


def get_handling(code: str) -> Handling:
    """Return who acts on a code, and whether a rerun helps; an unlisted one proves nothing."""
    handling = HANDLING[get_code_meaning(code) or "unknown"]
    return replace(handling, who=_OTHER_ROLE[code]) if code in _OTHER_ROLE else handling


def means_name_exists(code: str, message: str) -> bool:
    """Return whether an error answer means that a seal of this name exists: by its code, or by its words."""
    if code == "FailedOperation":
        return bool(_NAME_EXISTS.search(message))
    return code == NAME_EXISTS


def has_reason(code: str, message: str) -> bool:
    """Return whether a refusal names a reason; a bare FailedOperation often does not, and then no run repeats it."""
    return code != "FailedOperation" or bool(_EMPTY_WORDS.sub("", message))


def parse_stated_limit(message: str) -> int | None:
    """Return the calls a second that a throttle's message grants, None where it names none.

    It names in backquotes first the calls that were counted, then the limit.
    """
    match = _RATE.search(message)
    return int(match[1]) if match and int(match[1]) > 0 else None
