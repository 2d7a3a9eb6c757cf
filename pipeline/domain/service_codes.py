"""Every code of the service and what it means for a create.

The table is data: every code of the official SDK and of the product's common list stands in it once. A code
that is not listed proves nothing about a create, so it is ``unknown`` there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal

Meaning = Literal[
    "throttle",  # refused before the back end: wait, send again
    "clock",  # refused for its timestamp: adopt the server's time, send again
    "credentials",  # the next five stop the run: a rerun cannot help until somebody acts
    "permission",
    "account",
    "quota",
    "contract",  # this call has no business getting that answer: wrong endpoint, version or contract
    "row",  # this row is refused: its data or picture must change
    "exists",  # a seal of this name exists, whosever it is
    "upload_again",  # the FileId is gone
    "unknown",  # the seal may have been made, by this request or an identical earlier one
]

_NAME_EXISTS = re.compile("同名|重名|已存在")  # in a bare FailedOperation

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
        InvalidParameter: - CardNumber CardType ComponentValue DataNotFound EmptyParams FileType
            Image LimitSealName MissingRequiredParameterValue Mobile Name NonsupportMobile ParamError
            Sensitive SensitiveFileContent
        InvalidParameterValue: - InvalidMobile
        LimitExceeded: FileSize
        MissingParameter: - SealName
        OperationDenied: - Forbid InvalidApproverAge NoIdentityVerify Sensitive
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
        InvalidParameter: DupTask Status
        OperationDenied: AlreadyHas
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


def means_name_exists(code: str, message: str) -> bool:
    """Return whether an error answer means that a seal of this name exists: by its code, or by its words."""
    if code == "FailedOperation":
        return bool(_NAME_EXISTS.search(message))
    return code == "FailedOperation.ExistSameSealName"
