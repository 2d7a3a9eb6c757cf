"""What each service code means for a create and for an upload (DESIGN §5 "Evidence"; reliability.md §3.5).

The table is data: every code of the official SDK and of the product's common list stands in it once. A code
that is not listed proves nothing about a create, so it is ``unknown`` there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

from pipeline.model import SAME_NAME

Meaning = Literal[
    "throttle",  # refused before the back end: wait, send again
    "clock",  # refused for its timestamp: adopt the server's time, send again
    "credentials",  # the next five stop the run: a rerun cannot help until somebody acts
    "permission",
    "account",
    "quota",
    "contract",  # this call has no business getting that answer: wrong endpoint, version or contract
    "row",  # this row is refused: its data or picture must change
    "exists",  # the seal name is taken
    "upload_again",  # the FileId is gone
    "unknown",  # the seal may have been made
]

STOPPING: frozenset[Meaning] = frozenset({"credentials", "permission", "account", "quota", "contract"})

# meaning -> first part of the code: second parts; "-" is the bare code
_TABLE: Mapping[Meaning, str] = {
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
        FailedOperation: ErrNotSyncProxyOrganization OrganizationExperienceChange
            OrganizationNameChanged OrganizationNameNeedChange OrganizationNotChange StaffAlreadyVerify
        InvalidParameter: Application BusinessLicense DepartUserId OpenId OperatorId OrganizationId
            OrganizationName RoleId UniformSocialCreditCode
        MissingParameter: OrgOpenId OrganizationId ProxyOperatorOpenId UserId UserOpenId
        OperationDenied: BannedApplication NotSupportOrgType OrganizationClosing UserNotInOrganization
        ResourceNotFound: Application ApplicationId NotExistApplication Organization
            TeamWorkOrganization User
    """,
    "quota": """
        FailedOperation: FlowNumExceed LicenseNoQuota
        InvalidParameterValue: InvalidQuotaType
        LimitExceeded: - CallTimes CreateFlowNum FlowIds FlowInfos ProxyOrganizationOperator
        OperationDenied: NoQuota OutQueryLimit ProveNoQuota
    """,
    "contract": """
        ActionOffline: -
        DryRunOperation: -
        FailedOperation: HasAuthorized NotAvailableSignReview QrCodeCreatorSignComponents
            QrCodeSignUsers QrCodeTemplateId UserAutoSignEnableAlready UserAutoSignEnableUrlNotExist
        InvalidAction: -
        InvalidParameter: ApproverType ApproverVerifyType AuthorizationType BizApproverAlreadyExists
            CancelReason ComponentPosition ComponentType ContentType CustomShowMap CustomerData Date
            EndPoint FlowApproverInfos FlowApprovers FlowCallbackUrl FlowDeadLine FlowDescription
            FlowFileIds FlowIds FlowInfos FlowName FlowType GenerateType Keyword Limit MenuStatus
            ResourceType SignComponentType SignComponents Unordered UnsupportedComponentType fFowIds
        InvalidParameterValue: InvalidTime
        InvalidRequest: -
        MissingParameter: CompanyActiveInfo Date FlowId FlowIds FlowIdsOrFlowGroupId FlowInfo
            MissComponentName ReportApplicant ResourceName SealId SealImage SignComponents Templates
        NoSuchProduct: -
        NoSuchVersion: -
        OperationDenied: ApproverRepeat ByFilesServerSignForbid CcUserRepeat DownLoadMoreThanOne
            FlowHasTerminated FlowStatusForbid OperateType PersonHasNoSignature PersonNoOpenServerSign
            RequiredComponentNotFill
        ResourceNotFound: Flow FlowApprover FlowApprovers FlowGroup SaveFlowGroup Seal Template URL
        UnknownParameter: -
        UnsupportedOperation: -
        UnsupportedProtocol: -
        UnsupportedRegion: -
    """,
    "row": """
        FailedOperation: - AgeNotAchieveNormalLegal IdCardNumberCheckFailed UserInfoNoMatch
        InvalidParameter: - CardNumber CardType ComponentValue DataNotFound DupTask EmptyParams FileType
            Image LimitSealName MissingRequiredParameterValue Mobile Name NonsupportMobile ParamError
            Sensitive SensitiveFileContent Status
        InvalidParameterValue: - InvalidMobile
        LimitExceeded: FileSize
        MissingParameter: - SealName
        OperationDenied: - AlreadyHas Forbid InvalidApproverAge NoIdentityVerify Sensitive
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
        InternalError: - Api Db DbConnection DbInsert DbRead DbUpdate Decryption DependsApi DependsDb
            Encryption GenerateId Pdf SealUpload Serialize System ThirdParty
        ResourceInUse: -
        ResourceInsufficient: -
        ResourceNotFound: -
        ResourceUnavailable: -
        ResponseSizeLimitExceeded: -
        ServiceUnavailable: -
    """,
}


def _read(table: Mapping[Meaning, str]) -> dict[str, Meaning]:
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


CODES: Mapping[str, Meaning] = _read(_TABLE)

# Where an upload differs: it creates nothing, so what is in doubt is simply sent again.
_UPLOAD: Mapping[str, Meaning] = {
    "LimitExceeded.CallTimes": "throttle",
    "MissingParameter.SealImage": "row",
    "OperationDenied.Forbid": "permission",
    "OperationDenied.NoIdentityVerify": "permission",
}
_FREQUENCY = re.compile("每秒|频率|frequency", re.IGNORECASE)
_RATE = re.compile(r"`(\d+)`.*?`(\d+)`", re.DOTALL)
_EMPTY_WORDS = re.compile(
    r"操作失败|请稍后再?重?试|failed ?operation|operation ?failed|失败|[\s\W]", re.IGNORECASE
)
_PICTURE_MISSING = re.compile(
    "(缺少|为空|不能为空|缺失).{0,6}印章图片|印章图片.{0,8}(缺少|为空|不能为空|缺失)"
)


def of_create(code: str, message: str) -> Meaning:
    """Return what an error answer to a create means; the text only refines codes that leave it open."""
    if code == "FailedOperation" and SAME_NAME.search(message):
        return "exists"
    if code == "LimitExceeded" and _FREQUENCY.search(message):
        return "throttle"
    return CODES.get(code, "unknown")


def of_upload(code: str, message: str) -> Meaning:
    """Return what an error answer to an upload means; an unlisted code counts as its first part."""
    if code == "LimitExceeded" and _FREQUENCY.search(message):
        return "throttle"
    if code in _UPLOAD:
        return _UPLOAD[code]
    return CODES.get(code) or CODES.get(code.partition(".")[0], "unknown")


def has_reason(code: str, message: str) -> bool:
    """Tell whether a refusal says why; a bare FailedOperation often does not, and then no night repeats it."""
    return code != "FailedOperation" or bool(_EMPTY_WORDS.sub("", message))


def picture_ignored(message: str) -> bool:
    """Tell whether a refusal says that no picture came: the inline contract is switched off for this account."""
    return bool(_PICTURE_MISSING.search(message))


def stated_rate(message: str) -> tuple[int | None, int | None]:
    """Return the calls a second that a throttle's message grants and those it counted, as far as it says so.

    It names them in backquotes: first what was counted, then the limit.
    """
    match = _RATE.search(message)
    return (int(match[2]), int(match[1])) if match and int(match[2]) > 0 else (None, None)
