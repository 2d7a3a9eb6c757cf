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

_OFF = "改好后重新运行。", "then run again."
_TEXTS: Mapping[str, Texts] = {
    "AuthFailure": (
        "身份验证失败，常见原因是测试环境与正式环境的密钥用反了。", f"核对密钥与 api.endpoint 是否属于同一环境，{_OFF[0]}",
        "Authentication failed; often the keys of the other environment.", f"Make sure that keys and api.endpoint belong together, {_OFF[1]}"),
    "AuthFailure.SecretIdNotFound": (
        "SecretId 不存在。", f"到访问管理控制台查看密钥是否已删除或停用，前后有没有多余的空格，{_OFF[0]}",
        "There is no such SecretId.", f"See in the console whether the key was deleted or disabled, and look for blanks around it, {_OFF[1]}"),
    "AuthFailure.SignatureFailure": (
        "签名不对：SecretKey 有误，或代理改动了请求头。", f"重新复制 SecretKey；用了 api.proxy 就先不用它试一次，{_OFF[0]}",
        "The signature is wrong: a wrong SecretKey, or a proxy that rewrites headers.", f"Copy the SecretKey again, try without api.proxy, {_OFF[1]}"),
    "AuthFailure.TokenFailure": (
        "临时密钥的 token 不对或已过期。", f"换一组新的临时密钥（三项一起），{_OFF[0]}",
        "The token of the temporary keys is wrong or has expired.", f"Get new temporary keys, all three together, {_OFF[1]}"),
    "IpNotInWhitelist": (
        "本机的出口 IP 不在白名单里。", f"在控制台把本机的出口 IP 加入白名单，{_OFF[0]}",
        "This machine's public address is not on the list of allowed ones.", f"Add it in the console, {_OFF[1]}"),
    "IpInBlacklist": (
        "本机的出口 IP 被禁止。", f"在控制台查看访问限制，必要时联系腾讯客户经理，{_OFF[0]}",
        "This machine's public address is barred.", f"Look at the access rules in the console, ask your account manager if need be, {_OFF[1]}"),
    "OperationDenied.WhiteListForbid": (
        "这个接口还没有为贵机构开通。", "请腾讯客户经理为应用开通“创建导入处方单个人印章”（ChannelCreatePreparedPersonalEsign），然后重新运行。",
        "The interface is not open for you yet.", "Ask your Tencent account manager to open 创建导入处方单个人印章 (ChannelCreatePreparedPersonalEsign) for the application, then run again."),
    "UnauthorizedOperation.NoPermissionFeature": (
        "当前版本不含这个功能。", "请腾讯客户经理升级版本或开通功能，然后重新运行。",
        "Your edition does not include this function.", "Ask your Tencent account manager for the edition that has it, then run again."),
    "UnauthorizedOperation.UnauthorizedOperationOrganization": (
        "机构没有授权给这个应用。", "在平台上完成机构对应用的授权，不清楚就问腾讯客户经理，然后重新运行。",
        "The organisation has not authorised this application.", "Complete the authorisation on the platform, or ask your account manager how, then run again."),
    "OperationDenied.NoApiAuth": (
        "应用没有调用这个接口的权限。", "请腾讯客户经理为应用开通接口权限，然后重新运行。",
        "The application may not call this interface.", "Ask your Tencent account manager to open it for the application, then run again."),
    "OperationDenied.NotInAutoSignWhiteList": (
        "不在此业务的白名单中。", "请腾讯客户经理说明缺哪一项业务并开通（把错误码和 RequestId 发给他），然后重新运行。",
        "You are not on the list for this business.", "Send the code and a RequestId to your Tencent account manager, ask which function has to be opened, then run again."),
    "OperationDenied.OperatorHasNoPermission": (
        "经办人的权限不足。", "请机构的超级管理员给经办人授权，或换一个 api.operator_open_id，然后重新运行。",
        "The operator lacks a right.", "Have the organisation's administrator grant it, or name another api.operator_open_id, then run again."),
    "OperationDenied.UserNotInOrganization": (
        "经办人不属于这个机构。", f"核对 api.operator_open_id 与 api.organization_open_id 是否配套，{_OFF[0]}",
        "The operator does not belong to the organisation.", f"Make sure that api.operator_open_id and api.organization_open_id go together, {_OFF[1]}"),
    "OperationDenied.BannedApplication": (
        "应用已被停用。", "联系腾讯客户经理恢复应用，然后重新运行。",
        "The application is banned.", "Ask your Tencent account manager to restore it, then run again."),
    "OperationDenied.OrganizationClosing": (
        "机构正在注销。", "联系腾讯客户经理确认机构状态，恢复后重新运行。",
        "The organisation is being closed.", "Clear its state with your Tencent account manager, then run again."),
    "ResourceNotFound.Application": (
        "没有这个应用号。", f"核对 api.app_id 与 api.endpoint 的环境，{_OFF[0]}",
        "There is no such application.", f"Check api.app_id, and that api.endpoint is its environment, {_OFF[1]}"),
    "ResourceNotFound.Organization": (
        "没有这个机构。", f"核对 api.organization_open_id（平台侧的机构标识），{_OFF[0]}",
        "There is no such organisation.", f"Check api.organization_open_id, the platform's id for it, {_OFF[1]}"),
    "InvalidParameter.OpenId": (
        "OpenId 不合法。", f"核对 api.operator_open_id 和 api.proxy_operator_open_id，{_OFF[0]}",
        "An OpenId is not valid.", f"Check api.operator_open_id and api.proxy_operator_open_id, {_OFF[1]}"),
    "MissingParameter.ProxyOperatorOpenId": (
        "缺少机构经办人。", f"填写 api.proxy_operator_open_id，{_OFF[0]}",
        "The organisation's operator is missing.", f"Set api.proxy_operator_open_id, {_OFF[1]}"),
    "MissingParameter.SealImage": IMAGE_NOT_TAKEN,
    "FailedOperation.LicenseNoQuota": (
        "授权签（原自动签）许可的额度不够。", "请腾讯客户经理增加许可，然后重新运行；使用 contract: inline 时也可以把 api.enable_auto_sign 设为 false。",
        "There are not enough auto-sign licences.", "Ask your Tencent account manager for more, then run again; with contract: inline, api.enable_auto_sign: false helps as well."),
    "LimitExceeded.CallTimes": (
        "超出了调用次数的限制。", "请向腾讯客户经理问清是总次数还是频率的限制，增加额度或调低 limits.requests_per_second，然后重新运行。",
        "A limit on the number of calls is exceeded.", "Ask your Tencent account manager whether it is a total or a rate; have it raised, or lower limits.requests_per_second, then run again."),
    "RequestLimitExceeded.IPLimitExceeded": (
        "同一 IP 的调用太快，请求没有执行。", "程序会放慢并自动重发；同一出口还有别的程序时，请错开时间。",
        "Too many calls from this address; the request was not carried out.", "It is sent again, more slowly; run other programs behind the same address at another time."),
    "FailedOperation": (
        "操作失败，原因只在应答的文字里。", "文字说明了原因就照它改好再 retry；没有说明时只有 retry 会再提交，名称不变；先按名称查有没有这枚印章。",
        "The operation failed; only the answer's words say why.",
        "Where they do, correct the row and retry; where they do not, only retry sends it again, under the same name: first look for a seal of that name."),
    "FailedOperation.UserInfoNoMatch": (
        "姓名与证件号码不一致。", "对照证件核对姓名和证件号码，改好再 retry。",
        "Name and identity number do not belong together.", "Compare both with the card, correct them, then retry."),
    "FailedOperation.IdCardNumberCheckFailed": (
        "证件号码没有通过核验。", "对照证件核对姓名和证件号码，改好再 retry。",
        "The identity number did not pass the check.", "Compare name and number with the card, correct them, then retry."),
    "FailedOperation.AgeNotAchieveNormalLegal": (
        "腾讯认为此人未达到合法年龄。", "对照证件核对证件号码，改好再 retry；号码没有错就问腾讯客户经理。",
        "The service says that the person is below the legal age.", "Compare the identity number with the card, correct it, then retry; if it is right, ask your account manager."),
    "OperationDenied.InvalidApproverAge": (
        "腾讯认为此人未达到合法年龄。", "对照证件核对证件号码，改好再 retry；号码没有错就问腾讯客户经理。",
        "The service says that the person is below the legal age.", "Compare the identity number with the card, correct it, then retry; if it is right, ask your account manager."),
    "OperationDenied.NoIdentityVerify": (
        "没有通过个人实名认证；应答没有说是医生还是经办人。", "请医生完成实名认证，再 retry；每一行都这样，就是经办人（api.operator_open_id）没有实名，请信息科处理。",
        "Somebody is not verified by real name; the answer does not say whether the doctor or the operator.",
        "Have the doctor complete the verification, then retry; where every row says so, it is the operator (api.operator_open_id), which is for IT."),
    "ResourceNotFound.VerifyUser": (
        "腾讯说实名用户信息不存在。", "对照证件核对姓名和证件号码，改好再 retry；没有错就问腾讯客户经理缺的是谁的实名信息。",
        "The service finds no verified user.",
        "Compare name and number with the card, correct them, then retry; if both are right, ask your account manager whose verification is missing."),
    "InvalidParameter.CardNumber": (
        "腾讯认为证件号码不对。", "对照证件核对号码，改好再 retry。",
        "The service takes the identity number for wrong.", "Compare it with the card, correct it, then retry."),
    "InvalidParameter.CardType": (
        "腾讯不接受这种证件类型。", "核对证件类型与号码；其他证件要先由腾讯开通。",
        "The service does not accept this card type.", "Check type and number; other cards have to be opened by Tencent first."),
    "InvalidParameter.Name": (
        "腾讯不接受这个姓名。", "按证件填写姓名，注意生僻字和间隔点，改好再 retry。",
        "The service does not accept the name.", "Write it as on the card, mind rare characters and dots, then retry."),
    "InvalidParameter.Mobile": (
        "手机号不对。", "核对手机号，或清空后再 retry。",
        "The mobile is wrong.", "Correct or clear it, then retry."),
    "InvalidParameterValue.InvalidMobile": (
        "手机号不对。", "核对手机号，或清空后再 retry。",
        "The mobile is wrong.", "Correct or clear it, then retry."),
    "InvalidParameter.NonsupportMobile": (
        "不支持这个号段的手机号。", "换一个手机号，或清空后再 retry。",
        "Mobiles of this range are not supported.", "Use another or clear it, then retry."),
    "InvalidParameter.Image": (
        "腾讯不接受这张图片。", "重新扫描或导出为清晰的 PNG，再 retry。",
        "The service does not accept the picture.", "Scan it again or export a clear PNG, then retry."),
    "InvalidParameter.FileType": (
        "腾讯不接受这种图片格式。", "另存为 PNG 或 JPG，再 retry。",
        "The service does not accept the picture's format.", "Save it as PNG or JPG, then retry."),
    "InvalidParameter.SensitiveFileContent": (
        "图片内容没有通过审核。", "只留签名或印章本身，去掉其他文字和底图，再 retry。",
        "The picture did not pass the content check.", "Leave nothing but the signature or seal in it, then retry."),
    "InvalidParameter.Sensitive": (
        "姓名或印章名称里有敏感词。", "换一个印章名称，再 retry；是姓名就找腾讯客户经理。",
        "Name or seal name holds a barred word.", "Choose another seal name, then retry; where it is the name, ask your account manager."),
    "OperationDenied.Sensitive": (
        "姓名或印章名称里有敏感词。", "换一个印章名称，再 retry；是姓名就找腾讯客户经理。",
        "Name or seal name holds a barred word.", "Choose another seal name, then retry; where it is the name, ask your account manager."),
    "InvalidParameter.LimitSealName": (
        "印章名称过长。", "在印章名称列写一个短一些的名称，再 retry。",
        "The seal name is too long.", "Write a shorter one into the seal name column, then retry."),
    "LimitExceeded.FileSize": (
        "图片过大。", "缩小图片，再 retry。",
        "The picture is too large.", "Make it smaller, then retry."),
    "RequestSizeLimitExceeded": (
        "请求过大，多半是图片过大。", "缩小图片，再 retry。",
        "The request is too large, most likely its picture.", "Make the picture smaller, then retry."),
    "InvalidParameter.InvalidId": (
        "请求里有一个 ID 没有被接受，可能是上传的图片已失效。", "程序会重新上传图片并再提交一次；仍然如此就核对 config.yaml 里的各个 ID。",
        "An id in the request was not accepted; perhaps the uploaded picture has expired.",
        "The picture is uploaded again and the row is sent once more; if it stays so, check the ids in config.yaml."),
    "InternalError": (
        "腾讯内部出错或超时，可能已经创建了印章。", "按名称查找印章（控制台、审计日志），再用 resolve 登记结论；没找到不等于没有创建。频繁出现就把 RequestId 发给腾讯客户经理。",
        "An error or time-out inside the service; the seal may have been made.",
        "Look for the seal by its name (console, audit log) and enter what you found with resolve; not finding it proves nothing. If it is frequent, send RequestIds to your account manager."),
    "InvalidParameter.DupTask": (
        "腾讯说任务重复提交：更早的相同请求可能已经创建了印章。", FIND[0],
        "The service calls it a repeated task: an identical earlier request may have made the seal.", FIND[1]),
    "OperationDenied.AlreadyHas": (
        "腾讯说已有，无法再创建：更早的相同请求可能已经创建了印章。", FIND[0],
        "The service says that there is one already: an identical earlier request may have made the seal.", FIND[1]),
}  # fmt: skip

SERVICE_ERROR_ADVICE: Mapping[str, Advice] = {
    code: make_advice(find_handling(code), texts) for code, texts in _TEXTS.items()
}


def known(code: str) -> bool:
    """Tell whether a code is one that there is advice on."""
    return code in CODES or code in SERVICE_ERROR_ADVICE or code in ANSWERS or code.startswith("http_")


def advice_on_refusal(code: str) -> Advice:
    """Return the advice on a code with which a row was refused; one that nobody lists is about the row."""
    return advice_for(code) if known(code) else MEANINGS["row"]


def advice_on_halt(code: str) -> Advice | None:
    """Return the advice on the code for which a run stopped; None for a code that nobody lists.

    An upload stops the run with codes that are unlisted, or that only refuse a row where a create gets them.
    """
    meaning = find_listed_meaning(code)
    if meaning == "row":
        return MEANINGS["permission"]
    return HALTS.get(code) or SERVICE_ERROR_ADVICE.get(code) or (MEANINGS[meaning] if meaning else None)


def advice_for(code: str) -> Advice:
    """Return the advice on what a create was answered with; a code that nobody lists proves nothing."""
    own = SERVICE_ERROR_ADVICE.get(code) or ANSWERS.get(code)
    if own is not None:
        return own
    return ANSWERS["http_502"] if code.startswith("http_") else MEANINGS[CODES.get(code, "unknown")]
