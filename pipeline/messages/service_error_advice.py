"""The service codes with texts of their own, the frequent ones and those that others must act upon; advice by code.

A code's meaning, who acts and whether a rerun helps are in `pipeline.domain.service_codes`.
"""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.domain.service_codes import CODES, find_handling, find_listed_meaning
from pipeline.messages.service_errors import (
    ANSWERS,
    FIND,
    HALTS,
    IMAGE_NOT_TAKEN,
    MEANINGS,
    Advice,
    Texts,
    make_advice,
)

_RUN_AGAIN = "改好后重新运行。"
_TEXTS: Mapping[str, Texts] = {
    "AuthFailure": (
        "身份验证失败，常见原因是测试环境与正式环境的密钥用反了。", f"核对密钥与 api.endpoint 是否属于同一环境，{_RUN_AGAIN}",
        "Authentication failed, often because the keys belong to another environment.", "Check that the keys and api.endpoint belong to the same environment, then run again."),
    "AuthFailure.SecretIdNotFound": (
        "SecretId 不存在。", f"到访问管理控制台查看密钥是否已删除或停用，前后有没有多余的空格，{_RUN_AGAIN}",
        "This SecretId does not exist.", "Check in the console whether the key was deleted or disabled, and whether it has spaces around it, then run again."),
    "AuthFailure.SignatureFailure": (
        "签名不对：SecretKey 有误，或代理改动了请求头。", f"重新复制 SecretKey；用了 api.proxy 就先不用它试一次，{_RUN_AGAIN}",
        "The signature is wrong: the SecretKey is wrong, or a proxy changes request headers.", "Copy the SecretKey again; if api.proxy is set, try without it, then run again."),
    "AuthFailure.TokenFailure": (
        "临时密钥的 token 不对或已过期。", f"换一组新的临时密钥（三项一起），{_RUN_AGAIN}",
        "The token of the temporary keys is wrong or has expired.", "Get a new set of temporary keys (all three parts), then run again."),
    "IpNotInWhitelist": (
        "本机的出口 IP 不在白名单里。", f"在控制台把本机的出口 IP 加入白名单，{_RUN_AGAIN}",
        "The public IP address of this machine is not on the allow list.", "Add the address to the allow list in the console, then run again."),
    "IpInBlacklist": (
        "本机的出口 IP 被禁止。", f"在控制台查看访问限制，必要时联系腾讯客户经理，{_RUN_AGAIN}",
        "The public IP address of this machine is blocked.", "Check the access rules in the console, ask your Tencent account manager if necessary, then run again."),
    "OperationDenied.WhiteListForbid": (
        "这个接口还没有为贵机构开通。", "请腾讯客户经理为应用开通“创建导入处方单个人印章”（ChannelCreatePreparedPersonalEsign），然后重新运行。",
        "This interface is not enabled for you yet.", "Ask your Tencent account manager to enable 创建导入处方单个人印章 (ChannelCreatePreparedPersonalEsign) for the application, then run again."),
    "UnauthorizedOperation.NoPermissionFeature": (
        "当前版本不含这个功能。", "请腾讯客户经理升级版本或开通功能，然后重新运行。",
        "Your edition does not include this function.", "Ask your Tencent account manager to upgrade the edition or enable the function, then run again."),
    "UnauthorizedOperation.UnauthorizedOperationOrganization": (
        "机构没有授权给这个应用。", "在平台上完成机构对应用的授权，不清楚就问腾讯客户经理，然后重新运行。",
        "The organisation has not authorised this application.", "Complete the authorisation on the platform, or ask your Tencent account manager how to, then run again."),
    "OperationDenied.NoApiAuth": (
        "应用没有调用这个接口的权限。", "请腾讯客户经理为应用开通接口权限，然后重新运行。",
        "The application has no permission for this interface.", "Ask your Tencent account manager to enable the interface for the application, then run again."),
    "OperationDenied.NotInAutoSignWhiteList": (
        "不在此业务的白名单中。", "请腾讯客户经理说明缺哪一项业务并开通（把错误码和 RequestId 发给他），然后重新运行。",
        "You are not on the allow list of this function.", "Send the code and a RequestId to your Tencent account manager and ask which function has to be enabled, then run again."),
    "OperationDenied.OperatorHasNoPermission": (
        "经办人的权限不足。", "请机构的超级管理员给经办人授权，或换一个 api.operator_open_id，然后重新运行。",
        "The operator has insufficient permissions.", "Ask the administrator of the organisation to grant them, or set another api.operator_open_id, then run again."),
    "OperationDenied.UserNotInOrganization": (
        "经办人不属于这个机构。", f"核对 api.operator_open_id 与 api.organization_open_id 是否配套，{_RUN_AGAIN}",
        "The operator does not belong to the organisation.", "Check that api.operator_open_id and api.organization_open_id belong together, then run again."),
    "OperationDenied.BannedApplication": (
        "应用已被停用。", "联系腾讯客户经理恢复应用，然后重新运行。",
        "The application was disabled.", "Ask your Tencent account manager to enable it again, then run again."),
    "OperationDenied.OrganizationClosing": (
        "机构正在注销。", "联系腾讯客户经理确认机构状态，恢复后重新运行。",
        "The organisation is being closed.", "Ask your Tencent account manager about the state of the organisation, then run again."),
    "ResourceNotFound.Application": (
        "没有这个应用号。", f"核对 api.app_id 与 api.endpoint 的环境，{_RUN_AGAIN}",
        "This application id does not exist.", "Check api.app_id and the environment of api.endpoint, then run again."),
    "ResourceNotFound.Organization": (
        "没有这个机构。", f"核对 api.organization_open_id（平台侧的机构标识），{_RUN_AGAIN}",
        "This organisation does not exist.", "Check api.organization_open_id (the platform's id of the organisation), then run again."),
    "InvalidParameter.OpenId": (
        "OpenId 不合法。", f"核对 api.operator_open_id 和 api.proxy_operator_open_id，{_RUN_AGAIN}",
        "An OpenId is invalid.", "Check api.operator_open_id and api.proxy_operator_open_id, then run again."),
    "MissingParameter.ProxyOperatorOpenId": (
        "缺少机构经办人。", f"填写 api.proxy_operator_open_id，{_RUN_AGAIN}",
        "The organisation's operator is missing.", "Set api.proxy_operator_open_id, then run again."),
    "MissingParameter.SealImage": IMAGE_NOT_TAKEN,
    "FailedOperation.LicenseNoQuota": (
        "授权签（原自动签）许可的额度不够。", "请腾讯客户经理增加许可，然后重新运行；使用 contract: inline 时也可以把 api.enable_auto_sign 设为 false。",
        "There are not enough licences for auto-sign.", "Ask your Tencent account manager for more licences, then run again; with contract: inline you can also set api.enable_auto_sign: false."),
    "LimitExceeded.CallTimes": (
        "超出了调用次数的限制。", "请向腾讯客户经理问清是总次数还是频率的限制，增加额度或调低 limits.requests_per_second，然后重新运行。",
        "The limit on the number of calls was exceeded.", "Ask your Tencent account manager whether the limit is a total or a rate; have it raised or lower limits.requests_per_second, then run again."),
    "RequestLimitExceeded.IPLimitExceeded": (
        "同一 IP 的调用太快，请求没有执行。", "程序会放慢并自动重发；同一出口还有别的程序时，请错开时间。",
        "Too many calls from one IP address; the request was not carried out.", "It is sent again more slowly; if other programs use the same address, run them at another time."),
    "FailedOperation": (
        "操作失败，原因只在应答的文字里。", "文字说明了原因就照它改好再 retry；没有说明时只有 retry 会再提交，名称不变；先按名称查有没有这枚印章。",
        "The operation failed; only the message of the service gives the reason.",
        "If the message gives a reason, correct the row and retry. If not, look for a seal with this name first; only retry sends the row again, with the same name."),
    "FailedOperation.UserInfoNoMatch": (
        "姓名与证件号码不一致。", "对照证件核对姓名和证件号码，改好再 retry。",
        "Name and identity number do not match.", "Compare both with the card, correct them, then retry."),
    "FailedOperation.IdCardNumberCheckFailed": (
        "证件号码没有通过核验。", "对照证件核对姓名和证件号码，改好再 retry。",
        "The identity number did not pass the check.", "Compare name and number with the card, correct them, then retry."),
    "FailedOperation.AgeNotAchieveNormalLegal": (
        "腾讯认为此人未达到合法年龄。", "对照证件核对证件号码，改好再 retry；号码没有错就问腾讯客户经理。",
        "According to the service, this person is under the legal age.", "Compare the identity number with the card, correct it, then retry; if it is right, ask your Tencent account manager."),
    "OperationDenied.InvalidApproverAge": (
        "腾讯认为此人未达到合法年龄。", "对照证件核对证件号码，改好再 retry；号码没有错就问腾讯客户经理。",
        "According to the service, this person is under the legal age.", "Compare the identity number with the card, correct it, then retry; if it is right, ask your Tencent account manager."),
    "OperationDenied.NoIdentityVerify": (
        "没有通过个人实名认证；应答没有说是医生还是经办人。", "请医生完成实名认证，再 retry；每一行都这样，就是经办人（api.operator_open_id）没有实名，请信息科处理。",
        "Real-name verification is missing, of the doctor or of the operator.",
        "Ask the doctor to complete the verification, then retry; if every row has this code, the operator (api.operator_open_id) is not verified and IT has to act."),
    "ResourceNotFound.VerifyUser": (
        "腾讯答复实名用户信息不存在。", "对照证件核对姓名和证件号码，改好再 retry；没有错就问腾讯客户经理缺的是谁的实名信息。",
        "The service found no verified user.",
        "Compare name and number with the card, correct them, then retry; if both are right, ask your Tencent account manager whose verification is missing."),
    "InvalidParameter.CardNumber": (
        "腾讯认为证件号码不对。", "对照证件核对号码，改好再 retry。",
        "The service does not accept the identity number.", "Compare it with the card, correct it, then retry."),
    "InvalidParameter.CardType": (
        "腾讯不接受这种证件类型。", "核对证件类型与号码；其他证件要先由腾讯开通。",
        "The service does not accept this card type.", "Check card type and number; Tencent has to enable other cards first."),
    "InvalidParameter.Name": (
        "腾讯不接受这个姓名。", "按证件填写姓名，注意生僻字和间隔点，改好再 retry。",
        "The service does not accept the name.", "Enter the name as on the card, check rare characters and dots, then retry."),
    "InvalidParameter.Mobile": (
        "手机号不对。", "核对手机号，或清空后再 retry。",
        "The mobile number is wrong.", "Correct the mobile number or leave it empty, then retry."),
    "InvalidParameterValue.InvalidMobile": (
        "手机号不对。", "核对手机号，或清空后再 retry。",
        "The mobile number is wrong.", "Correct the mobile number or leave it empty, then retry."),
    "InvalidParameter.NonsupportMobile": (
        "不支持这个号段的手机号。", "换一个手机号，或清空后再 retry。",
        "Mobile numbers of this range are not supported.", "Enter another mobile number or leave it empty, then retry."),
    "InvalidParameter.Image": (
        "腾讯不接受这张图片。", "重新扫描或导出为清晰的 PNG，再 retry。",
        "The service does not accept the picture.", "Scan the seal again or export it as a clear PNG, then retry."),
    "InvalidParameter.FileType": (
        "腾讯不接受这种图片格式。", "另存为 PNG 或 JPG，再 retry。",
        "The service does not accept the picture format.", "Save it as PNG or JPG, then retry."),
    "InvalidParameter.SensitiveFileContent": (
        "图片内容没有通过审核。", "只留签名或印章本身，去掉其他文字和底图，再 retry。",
        "The picture did not pass the content check.", "Keep only the signature or seal, remove other text and backgrounds, then retry."),
    "InvalidParameter.Sensitive": (
        "姓名或印章名称里有敏感词。", "换一个印章名称，再 retry；是姓名就找腾讯客户经理。",
        "The name or the seal name contains a sensitive word.", "Choose another seal name, then retry; if it is the doctor's name, ask your Tencent account manager."),
    "OperationDenied.Sensitive": (
        "姓名或印章名称里有敏感词。", "换一个印章名称，再 retry；是姓名就找腾讯客户经理。",
        "The name or the seal name contains a sensitive word.", "Choose another seal name, then retry; if it is the doctor's name, ask your Tencent account manager."),
    "InvalidParameter.LimitSealName": (
        "印章名称过长。", "在印章名称列写一个短一些的名称，再 retry。",
        "The seal name is too long.", "Enter a shorter name in the seal name column, then retry."),
    "LimitExceeded.FileSize": (
        "图片过大。", "缩小图片，再 retry。",
        "The picture is too large.", "Make it smaller, then retry."),
    "RequestSizeLimitExceeded": (
        "请求过大，多半是图片过大。", "缩小图片，再 retry。",
        "The request is too large, probably because of its picture.", "Make the picture smaller, then retry."),
    "InvalidParameter.InvalidId": (
        "请求里有一个 ID 没有被接受，可能是上传的图片已失效。", "程序会重新上传图片并再提交一次；仍然如此就核对 config.yaml 里的各个 ID。",
        "An id in the request was not accepted; the uploaded picture may have expired.",
        "The picture is uploaded again and the row is sent once more; if this happens again, check the ids in config.yaml."),
    "InternalError": (
        "腾讯内部出错或超时，可能已经创建了印章。", "按名称查找印章（控制台、审计日志），再用 resolve 登记结论；没找到不等于没有创建。频繁出现就把 RequestId 发给腾讯客户经理。",
        "The service had an internal error or time-out; a seal may have been created.",
        "Look for the seal by its name (console, audit log) and record the outcome with resolve. If you do not find it, it may still exist. If this happens often, send RequestIds to your Tencent account manager."),
    "InvalidParameter.DupTask": (
        "腾讯答复任务重复提交：更早的相同请求可能已经创建了印章。", FIND[0],
        "The service reports a repeated task: an earlier identical request may have created the seal.", FIND[1]),
    "OperationDenied.AlreadyHas": (
        "腾讯答复已有，无法再创建：更早的相同请求可能已经创建了印章。", FIND[0],
        "The service reports that it exists already: an earlier identical request may have created the seal.", FIND[1]),
}  # fmt: skip

SERVICE_ERROR_ADVICE: Mapping[str, Advice] = {
    code: make_advice(find_handling(code), texts) for code, texts in _TEXTS.items()
}


def is_known_code(code: str) -> bool:
    """Return whether there is advice on a code."""
    return code in CODES or code in SERVICE_ERROR_ADVICE or code in ANSWERS or code.startswith("http_")


def find_refusal_advice(code: str) -> Advice:
    """Return the advice on a code with which a row was refused; an unlisted one is about the row."""
    return find_advice(code) if is_known_code(code) else MEANINGS["row"]


def find_halt_advice(code: str) -> Advice | None:
    """Return the advice on the code for which a run stopped; None for an unlisted code.

    An upload stops the run with codes that are unlisted, or that only refuse a row where a create gets them.
    """
    meaning = find_listed_meaning(code)
    if meaning == "row":
        return MEANINGS["permission"]
    return HALTS.get(code) or SERVICE_ERROR_ADVICE.get(code) or (MEANINGS[meaning] if meaning else None)


def find_advice(code: str) -> Advice:
    """Return the advice on the answer to a create; an unlisted code proves nothing."""
    own = SERVICE_ERROR_ADVICE.get(code) or ANSWERS.get(code)
    if own is not None:
        return own
    return ANSWERS["http_502"] if code.startswith("http_") else MEANINGS[CODES.get(code, "unknown")]
