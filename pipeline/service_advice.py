"""What an error of the service asks for: what it means, who acts, what to do, whether a rerun helps.

Every code has the advice of its meaning; the frequent ones have their own. Beside the service's codes stand our own
words for answers that told nothing, and the reasons for which a night stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.problems import Who
from pipeline.service_codes import CODES, Meaning

Rerun = Literal[
    "itself", "after", "held"
]  # sent again by itself · once something was done · only once it is settled


@dataclass(frozen=True, slots=True)
class Advice:
    """One code's advice in both languages."""

    who: Who
    rerun: Rerun
    zh: tuple[str, str]  # what it means, what to do
    en: tuple[str, str]

    def what(self, language: str) -> str:
        """Return what the code means."""
        return (self.zh if language == "zh" else self.en)[0]

    def todo(self, language: str) -> str:
        """Return what to do, and who does it is in ``who``."""
        return (self.zh if language == "zh" else self.en)[1]


def _a(who: Who, rerun: Rerun, *words: str) -> Advice:
    zh, zh_todo, en, en_todo = words
    return Advice(who, rerun, (zh, zh_todo), (en, en_todo))


MEANINGS: Mapping[Meaning, Advice] = {
    "throttle": _a(
        "nobody", "itself",
        "调用太快，请求没有执行。", "程序会放慢并自动重发；经常出现时，查一查谁还在用同一额度，或调低 limits.requests_per_second。",
        "Too many calls; the request was not carried out.",
        "It is sent again, more slowly; if it happens often, find out who else uses the quota, or lower limits.requests_per_second."),
    "clock": _a(
        "it", "after",
        "本机时钟与腾讯相差超过五分钟，请求没有执行。", "程序会按腾讯的时间校正并重发一次；请给本机打开自动对时。",
        "This machine's clock is more than five minutes off; the request was not carried out.",
        "It is set right by the service's time and sent once more; switch the machine's time synchronisation on."),
    "credentials": _a(
        "it", "after",
        "密钥没有被接受。", "核对 SecretId、SecretKey 是否完整、未停用、属于这个环境，改好后重新运行。",
        "The keys were not accepted.",
        "Make sure that SecretId and SecretKey are whole, enabled and of this environment, then run again."),
    "permission": _a(
        "tencent", "after",
        "没有使用这个功能的权限。", "把错误码和 RequestId 发给腾讯客户经理，请其开通，然后重新运行。",
        "The account may not use this function.",
        "Send the code and a RequestId to your Tencent account manager, have it opened, then run again."),
    "account": _a(
        "it", "after",
        "应用、机构或经办人的标识不对，或状态不正常。", "核对 api.app_id、api.organization_open_id、api.operator_open_id，改好后重新运行。",
        "The ids of application, organisation or operator are wrong, or their state is.",
        "Check api.app_id, api.organization_open_id and api.operator_open_id, then run again."),
    "quota": _a(
        "tencent", "after",
        "额度已用完。", "请腾讯客户经理增加额度，然后重新运行。",
        "The quota is used up.",
        "Ask your Tencent account manager for more, then run again."),
    "contract": _a(
        "it", "after",
        "这个应答不属于本接口：地址、版本或 api.contract 不对，或程序版本过旧。",
        "核对 api.endpoint 和 api.contract，升级程序；仍然如此就把 RequestId 交给开发者。",
        "This answer does not belong to the call: endpoint, version or api.contract is wrong, or the program is too old.",
        "Check api.endpoint and api.contract, update the program; if it stays, give the RequestId to the developers."),
    "row": _a(
        "clerk", "after",
        "腾讯拒绝了这一行，没有创建印章。", "按应答里的说明核对姓名、证件、手机号和图片，在“失败待改”里改好，再 retry。",
        "The service refused this row; no seal was made.",
        "Check name, number, mobile and picture against the answer's words, correct them in To fix, then retry."),
    "exists": _a(
        "it", "after",
        "本机构已有同名印章。", "在控制台按名称查找：是此人的就用 adopt 登记，是别人的就换一个印章名称，再 retry。",
        "The organisation has a seal of this name already.",
        "Look it up in the console: adopt it if it is this doctor's, else choose another seal name, then retry."),
    "upload_again": _a(
        "nobody", "itself",
        "上传的图片已失效。", "程序会重新上传并再提交一次。",
        "The uploaded picture has expired.",
        "It is uploaded again and the row is sent once more."),
    "unknown": _a(
        "it", "held",
        "不能断定是否已创建印章，此行先搁置。", "在控制台的印章列表中按名称查找，再用 resolve 登记结论；查清前程序不会重复提交。",
        "It cannot be told whether a seal was made; the row is held.",
        "Look for the seal's name in the console's seal list and enter what you found with resolve; until then nothing is sent."),
}  # fmt: skip

_OFF = "改好后重新运行。", "then run again."
OWN: Mapping[str, Advice] = {
    "AuthFailure": _a(
        "it", "after",
        "身份验证失败，常见原因是测试环境与正式环境的密钥用反了。", f"核对密钥与 api.endpoint 是否属于同一环境，{_OFF[0]}",
        "Authentication failed; often the keys of the other environment.", f"Make sure that keys and api.endpoint belong together, {_OFF[1]}"),
    "AuthFailure.SecretIdNotFound": _a(
        "it", "after",
        "SecretId 不存在。", f"到访问管理控制台查看密钥是否已删除或停用，前后有没有多余的空格，{_OFF[0]}",
        "There is no such SecretId.", f"See in the console whether the key was deleted or disabled, and look for blanks around it, {_OFF[1]}"),
    "AuthFailure.SignatureFailure": _a(
        "it", "after",
        "签名不对：SecretKey 有误，或代理改动了请求头。", f"重新复制 SecretKey；用了 api.proxy 就先不用它试一次，{_OFF[0]}",
        "The signature is wrong: a wrong SecretKey, or a proxy that rewrites headers.", f"Copy the SecretKey again, try without api.proxy, {_OFF[1]}"),
    "AuthFailure.TokenFailure": _a(
        "it", "after",
        "临时密钥的 token 不对或已过期。", f"换一组新的临时密钥（三项一起），{_OFF[0]}",
        "The token of the temporary keys is wrong or has expired.", f"Get new temporary keys, all three together, {_OFF[1]}"),
    "IpNotInWhitelist": _a(
        "it", "after",
        "本机的出口 IP 不在白名单里。", f"在控制台把本机的出口 IP 加入白名单，{_OFF[0]}",
        "This machine's public address is not on the list of allowed ones.", f"Add it in the console, {_OFF[1]}"),
    "IpInBlacklist": _a(
        "it", "after",
        "本机的出口 IP 被禁止。", f"在控制台查看访问限制，必要时联系腾讯客户经理，{_OFF[0]}",
        "This machine's public address is barred.", f"Look at the access rules in the console, ask your account manager if need be, {_OFF[1]}"),
    "OperationDenied.WhiteListForbid": _a(
        "tencent", "after",
        "这个接口还没有为贵机构开通。", "请腾讯客户经理把应用加入“创建个人处方签印章”的白名单，然后重新运行。",
        "The interface is not open for you yet.", "Ask your Tencent account manager to put the application on the list for prescription seals, then run again."),
    "UnauthorizedOperation.NoPermissionFeature": _a(
        "tencent", "after",
        "当前版本不含这个功能。", "请腾讯客户经理升级版本或开通功能，然后重新运行。",
        "Your edition does not include this function.", "Ask your Tencent account manager for the edition that has it, then run again."),
    "UnauthorizedOperation.UnauthorizedOperationOrganization": _a(
        "tencent", "after",
        "机构没有授权给这个应用。", "在平台上完成机构对应用的授权，不清楚就问腾讯客户经理，然后重新运行。",
        "The organisation has not authorised this application.", "Complete the authorisation on the platform, or ask your account manager how, then run again."),
    "OperationDenied.NoApiAuth": _a(
        "tencent", "after",
        "应用没有调用这个接口的权限。", "请腾讯客户经理为应用开通接口权限，然后重新运行。",
        "The application may not call this interface.", "Ask your Tencent account manager to open it for the application, then run again."),
    "OperationDenied.NotInAutoSignWhiteList": _a(
        "tencent", "after",
        "自动签的场景没有为贵机构开通。", "请腾讯客户经理开通 api.scene_key 所写的场景，然后重新运行。",
        "The auto-sign scene is not open for you.", "Ask your Tencent account manager to open the scene in api.scene_key, then run again."),
    "OperationDenied.OperatorHasNoPermission": _a(
        "it", "after",
        "经办人没有管理印章的权限。", "由机构的超级管理员在控制台给经办人授权，或换一个 api.operator_open_id，然后重新运行。",
        "The operator may not manage seals.", "The organisation's administrator gives the right in the console, or name another api.operator_open_id, then run again."),
    "OperationDenied.UserNotInOrganization": _a(
        "it", "after",
        "经办人不属于这个机构。", f"核对 api.operator_open_id 与 api.organization_open_id 是否配套，{_OFF[0]}",
        "The operator does not belong to the organisation.", f"Make sure that api.operator_open_id and api.organization_open_id go together, {_OFF[1]}"),
    "OperationDenied.BannedApplication": _a(
        "tencent", "after",
        "应用已被停用。", "联系腾讯客户经理恢复应用，然后重新运行。",
        "The application is banned.", "Ask your Tencent account manager to restore it, then run again."),
    "OperationDenied.OrganizationClosing": _a(
        "tencent", "after",
        "机构正在注销。", "联系腾讯客户经理确认机构状态，恢复后重新运行。",
        "The organisation is being closed.", "Clear its state with your Tencent account manager, then run again."),
    "ResourceNotFound.Application": _a(
        "it", "after",
        "没有这个应用号。", f"核对 api.app_id 与 api.endpoint 的环境，{_OFF[0]}",
        "There is no such application.", f"Check api.app_id, and that api.endpoint is its environment, {_OFF[1]}"),
    "ResourceNotFound.Organization": _a(
        "it", "after",
        "没有这个机构。", f"核对 api.organization_open_id（平台侧的机构标识），{_OFF[0]}",
        "There is no such organisation.", f"Check api.organization_open_id, the platform's id for it, {_OFF[1]}"),
    "InvalidParameter.OpenId": _a(
        "it", "after",
        "OpenId 不合法。", f"核对 api.operator_open_id 和 api.proxy_operator_open_id，{_OFF[0]}",
        "An OpenId is not valid.", f"Check api.operator_open_id and api.proxy_operator_open_id, {_OFF[1]}"),
    "MissingParameter.ProxyOperatorOpenId": _a(
        "it", "after",
        "缺少机构经办人。", f"填写 api.proxy_operator_open_id，{_OFF[0]}",
        "The organisation's operator is missing.", f"Set api.proxy_operator_open_id, {_OFF[1]}"),
    "MissingParameter.SealImage": _a(
        "it", "after",
        "请求里没有图片：接口的用法与 api.contract 不一致。", f"改为 contract: file_id，{_OFF[0]}",
        "The request held no picture: the interface expects another api.contract.", f"Set contract: file_id, {_OFF[1]}"),
    "FailedOperation.LicenseNoQuota": _a(
        "tencent", "after",
        "自动签许可的额度不够。", "请腾讯客户经理增加许可，或把 enable_auto_sign 关掉，然后重新运行。",
        "There are not enough auto-sign licences.", "Ask your Tencent account manager for more, or switch enable_auto_sign off, then run again."),
    "LimitExceeded.CallTimes": _a(
        "tencent", "after",
        "调用总次数的额度已用完。", "请腾讯客户经理增加次数，然后重新运行。",
        "The quota of calls is used up.", "Ask your Tencent account manager for more calls, then run again."),
    "RequestLimitExceeded.IPLimitExceeded": _a(
        "nobody", "itself",
        "同一 IP 的调用太快，请求没有执行。", "程序会放慢并自动重发；同一出口还有别的程序时，请错开时间。",
        "Too many calls from this address; the request was not carried out.", "It is sent again, more slowly; run other programs behind the same address at another time."),
    "FailedOperation": _a(
        "clerk", "after",
        "操作失败，原因只在应答的文字里。", "文字说明了原因就照它改好再 retry；没有说明时只有 retry 会再提交，先到控制台确认没有这枚印章。",
        "The operation failed; only the answer's words say why.",
        "Where they do, correct the row and retry; where they do not, only retry sends it again: first see in the console that there is no such seal."),
    "FailedOperation.UserInfoNoMatch": _a(
        "clerk", "after",
        "姓名与证件号码不一致。", "对照证件核对姓名和证件号码，改好再 retry。",
        "Name and identity number do not belong together.", "Compare both with the card, correct them, then retry."),
    "FailedOperation.IdCardNumberCheckFailed": _a(
        "clerk", "after",
        "证件号码没有通过核验。", "对照证件核对姓名和证件号码，改好再 retry。",
        "The identity number did not pass the check.", "Compare name and number with the card, correct them, then retry."),
    "FailedOperation.AgeNotAchieveNormalLegal": _a(
        "clerk", "after",
        "证件显示未成年。", "核对证件号码；确实未成年的人不能办理。",
        "The number tells a minor.", "Check the identity number; a minor cannot have a seal."),
    "OperationDenied.InvalidApproverAge": _a(
        "clerk", "after",
        "证件显示未成年。", "核对证件号码；确实未成年的人不能办理。",
        "The number tells a minor.", "Check the identity number; a minor cannot have a seal."),
    "OperationDenied.NoIdentityVerify": _a(
        "clerk", "after",
        "此人没有通过实名认证。", "请医生本人先完成实名认证，再 retry。",
        "The person is not verified.", "The doctor completes the real-name verification first, then retry."),
    "ResourceNotFound.VerifyUser": _a(
        "clerk", "after",
        "找不到此人的实名信息。", "核对姓名和证件号码；请医生本人完成实名认证，再 retry。",
        "There is no verified person of this name and number.", "Check both; the doctor completes the real-name verification, then retry."),
    "InvalidParameter.CardNumber": _a(
        "clerk", "after",
        "腾讯认为证件号码不对。", "对照证件核对号码，改好再 retry。",
        "The service takes the identity number for wrong.", "Compare it with the card, correct it, then retry."),
    "InvalidParameter.CardType": _a(
        "clerk", "after",
        "腾讯不接受这种证件类型。", "核对证件类型与号码；其他证件要先由腾讯开通。",
        "The service does not accept this card type.", "Check type and number; other cards have to be opened by Tencent first."),
    "InvalidParameter.Name": _a(
        "clerk", "after",
        "腾讯不接受这个姓名。", "按证件填写姓名，注意生僻字和间隔点，改好再 retry。",
        "The service does not accept the name.", "Write it as on the card, mind rare characters and dots, then retry."),
    "InvalidParameter.Mobile": _a(
        "clerk", "after",
        "手机号不对。", "核对手机号，或清空后再 retry。",
        "The mobile is wrong.", "Correct or clear it, then retry."),
    "InvalidParameterValue.InvalidMobile": _a(
        "clerk", "after",
        "手机号不对。", "核对手机号，或清空后再 retry。",
        "The mobile is wrong.", "Correct or clear it, then retry."),
    "InvalidParameter.NonsupportMobile": _a(
        "clerk", "after",
        "不支持这个号段的手机号。", "换一个手机号，或清空后再 retry。",
        "Mobiles of this range are not supported.", "Use another or clear it, then retry."),
    "InvalidParameter.Image": _a(
        "clerk", "after",
        "腾讯不接受这张图片。", "重新扫描或导出为清晰的 PNG，再 retry。",
        "The service does not accept the picture.", "Scan it again or export a clear PNG, then retry."),
    "InvalidParameter.FileType": _a(
        "clerk", "after",
        "腾讯不接受这种图片格式。", "另存为 PNG 或 JPG，再 retry。",
        "The service does not accept the picture's format.", "Save it as PNG or JPG, then retry."),
    "InvalidParameter.SensitiveFileContent": _a(
        "clerk", "after",
        "图片内容没有通过审核。", "只留签名或印章本身，去掉其他文字和底图，再 retry。",
        "The picture did not pass the content check.", "Leave nothing but the signature or seal in it, then retry."),
    "InvalidParameter.Sensitive": _a(
        "clerk", "after",
        "姓名或印章名称里有敏感词。", "换一个印章名称，再 retry；是姓名就找腾讯客户经理。",
        "Name or seal name holds a barred word.", "Choose another seal name, then retry; where it is the name, ask your account manager."),
    "OperationDenied.Sensitive": _a(
        "clerk", "after",
        "姓名或印章名称里有敏感词。", "换一个印章名称，再 retry；是姓名就找腾讯客户经理。",
        "Name or seal name holds a barred word.", "Choose another seal name, then retry; where it is the name, ask your account manager."),
    "InvalidParameter.LimitSealName": _a(
        "clerk", "after",
        "印章名称过长。", "在印章名称列写一个短一些的名称，再 retry。",
        "The seal name is too long.", "Write a shorter one into the seal name column, then retry."),
    "LimitExceeded.FileSize": _a(
        "clerk", "after",
        "图片过大。", "缩小图片，再 retry。",
        "The picture is too large.", "Make it smaller, then retry."),
    "RequestSizeLimitExceeded": _a(
        "clerk", "after",
        "请求过大，多半是图片过大。", "缩小图片，或设 api.seal_image_compress: true，再 retry。",
        "The request is too large, most likely its picture.", "Make the picture smaller or set api.seal_image_compress: true, then retry."),
    "InternalError": _a(
        "it", "held",
        "腾讯内部出错或超时，可能已经创建了印章。", "在控制台的印章列表中按名称查找，再用 resolve 登记结论；频繁出现就把 RequestId 发给腾讯客户经理。",
        "An error or time-out inside the service; the seal may have been made.",
        "Look for the seal's name in the console and enter what you found with resolve; if it is frequent, send RequestIds to your account manager."),
}  # fmt: skip

# our own words where the service said nothing usable (Outcome.code)
ANSWERS: Mapping[str, Advice] = {
    "no_answer": _a(
        "it", "held",
        "请求已发出，没有等到应答。", MEANINGS["unknown"].zh[1],
        "The request left, no answer came back.", MEANINGS["unknown"].en[1]),
    "not_sent": _a(
        "it", "itself",
        "没有连上服务，请求没有发出。", "下次运行会自动提交；一直如此就检查网络、DNS、代理和防火墙。",
        "The service was not reached; nothing was sent.", "The next run sends it; if it stays so, look at network, DNS, proxy and firewall."),
    "unreadable": _a(
        "it", "held",
        "应答读不懂，可能是代理的页面。", "检查代理；印章是否已创建按“未知”的办法查清。",
        "The answer cannot be read; perhaps it is a proxy's page.", "Look at the proxy; settle the row as an unknown one."),
    "no_seal_id": _a(
        "it", "held",
        "应答里没有印章ID。", MEANINGS["unknown"].zh[1],
        "The answer held no SealId.", MEANINGS["unknown"].en[1]),
    "no_file_id": _a(
        "it", "itself",
        "上传的应答里没有文件编号。", "程序会重新上传；一直如此就把 RequestId 发给腾讯客户经理。",
        "The upload's answer held no FileId.", "It is uploaded again; if it stays so, send RequestIds to your account manager."),
    "http_502": _a(
        "it", "held",
        "应答的状态不是 200（数字就是状态码），可能已经创建了印章。", MEANINGS["unknown"].zh[1],
        "The answer's status was not 200 (the number says which); the seal may have been made.", MEANINGS["unknown"].en[1]),
    "SEAL_ID_REUSED": _a(
        "tencent", "held",
        "服务返回了属于另一人的印章ID，运行已停止。", "把两个 RequestId 发给腾讯客户经理；查清后用 resolve 登记。",
        "The service answered with another person's SealId, and the run was stopped.", "Send both RequestIds to your account manager; enter the outcome with resolve."),
}  # fmt: skip

# why a night stops before its end (run.json, halted.code)
HALTS: Mapping[str, Advice] = {
    "OUTAGE": _a(
        "it", "itself", "服务一直没有可用的应答。", "检查网络；恢复后再运行，没有提交的行会接着提交。",
        "The service gave no usable answer for a long time.", "Look at the network; run again later, what was not sent goes on."),
    "TOO_MANY_NEW": _a(
        "it", "after", "新出现的医生太多，一个也没有提交。", "核对名单是不是放错了；确实如此就用 run --accept-guards。",
        "Too many doctors are new; nothing was sent.", "Is it the right roster? If so, run --accept-guards."),
    "ROSTER_SHRUNK": _a(
        "it", "after", "名单比上次少了很多，一个也没有提交。", "核对名单是否完整；确实如此就用 run --accept-guards。",
        "The roster has far fewer rows than last time; nothing was sent.", "Is it whole? If so, run --accept-guards."),
    "TOO_MANY_UNKNOWN": _a(
        "it", "itself", "这一晚没有结论的行太多。", "检查网络，查清“未知”表里的行，再运行。",
        "Too many rows have no verdict tonight.", "Look at the network, settle the sheet Unknown, then run again."),
    "SAME_REFUSAL": _a(
        "it", "after", "几乎人人被同一原因拒绝。", "按那个错误码检查设置和权限；确实是名单的问题就用 run --accept-guards。",
        "Nearly everybody is refused for the same reason.", "Check settings and permissions by that code; if it is the rows, run --accept-guards."),
    "DEADLINE": _a(
        "nobody", "itself", "到了 guards.deadline 设定的时刻。", "不用处理；余下的行下一晚先提交。",
        "The moment set as guards.deadline has come.", "Nothing; the rest goes first the next night."),
    "ATTEMPT_BUDGET": _a(
        "nobody", "itself", "重发的次数太多。", "稍后再运行。",
        "Too many calls had to be made again.", "Run again later."),
    "CUT_SHORT": _a(
        "nobody", "itself", "运行被中断。", "再运行一次；已发出的都记在台账里。",
        "The run was cut short.", "Run again; what was sent is in the ledger."),
    "SEAL_ID_REUSED": ANSWERS["SEAL_ID_REUSED"],
    "CONTRACT_INLINE_IGNORED": OWN["MissingParameter.SealImage"],
    "TLS": _a(
        "it", "after", "服务器证书无法验证。", "检查代理是否替换了证书；自有证书写在 api.ca_file。",
        "The server's certificate was refused.", "Does a proxy replace certificates? Name its authority as api.ca_file."),
    "DISK": _a(
        "it", "after", "磁盘或文件出错。", "检查磁盘空间和权限，再运行。",
        "Disk or file trouble.", "Look at the disk's space and the permissions, then run again."),
    "LEDGER": _a(
        "it", "after", "台账无法写入。", "检查磁盘；台账损坏就用 ledger restore 或 ledger rebuild。",
        "The ledger cannot be written.", "Look at the disk; bring a damaged ledger back with ledger restore or ledger rebuild."),
    "LEDGER_CONFLICT": _a(
        "it", "after", "台账拒绝了一次提交，防止了重复创建。", "保留 state/ 和 log.jsonl，交给开发者。",
        "The ledger refused an attempt and so prevented a second seal.", "Keep state/ and log.jsonl for the developers."),
    "BUG": _a(
        "it", "after", "程序内部错误。", "已发送的都记在台账里；带上 -v 的输出联系开发者。",
        "A bug.", "What was sent is in the ledger; report it with the output of -v."),
}  # fmt: skip


def known(code: str) -> bool:
    """Tell whether a code is one that there is advice on."""
    return code in CODES or code in OWN or code in ANSWERS or code.startswith("http_")


def advice_on(code: str) -> Advice:
    """Return the advice on what a create was answered with; a code that nobody lists proves nothing."""
    own = OWN.get(code) or ANSWERS.get(code)
    if own is not None:
        return own
    return ANSWERS["http_502"] if code.startswith("http_") else MEANINGS[CODES.get(code, "unknown")]
