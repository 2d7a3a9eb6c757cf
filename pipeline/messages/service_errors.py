"""What an error of the service asks for: what it means, who acts, what to do, whether a rerun helps.

Every code has the advice of its meaning; frequent ones and those for others to act upon have texts of their own. Who acts
and whether a rerun helps: `pipeline.domain.service_codes`. Our own codes and the reasons why a run stops are here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import astuple

from pipeline.domain.service_codes import (
    CODES,
    HANDLING,
    Meaning,
    find_handling,
    find_listed_meaning,
)
from pipeline.messages.advice import Advice, Texts, make_advice

IMAGE_NOT_TAKEN: Texts = (
    "请求里没有图片：接口的用法与 api.contract 不一致。",
    "改为 contract: file_id，改好后重新运行。",
    "The request contained no picture: the interface does not match api.contract.",
    "Set contract: file_id, then run again.",
)
FIND = (  # how to resolve an unknown row
    "按名称查找印章（控制台、审计日志），再用 resolve 登记结论；没找到不等于没有创建。查清前程序不会重复提交。",
    "Look for the seal by its name (console, audit log) and record the outcome with resolve. If you do not find it, it may still exist. Nothing is sent until then.",
)
_MEANING_TEXTS: Mapping[Meaning, Texts] = {
    "throttle": (
        "调用太快，请求没有执行。", "程序会放慢并自动重发；经常出现时，查一查谁还在用同一额度，或调低 limits.requests_per_second。",
        "Too many calls; the request was not carried out.", "It is sent again more slowly; if this happens often, find out what else uses the quota, or lower limits.requests_per_second."),
    "clock": (
        "本机时钟与腾讯相差超过五分钟，请求没有执行。", "请给本机打开自动对时；应答里有时间时，程序按它校正并重发一次。",
        "The clock of this machine is wrong by more than five minutes; the request was not carried out.", "Turn on automatic time synchronisation; if the answer contains a time, the program uses it and sends the call once more."),
    "credentials": (
        "密钥没有被接受。", "核对 SecretId、SecretKey 是否完整、未停用、属于这个环境，改好后重新运行。",
        "The keys were not accepted.", "Check that SecretId and SecretKey are complete, enabled and belong to this environment, then run again."),
    "permission": (
        "没有使用这个功能的权限。", "把错误码和 RequestId 发给腾讯客户经理，请其开通，然后重新运行。",
        "The account has no permission for this function.", "Send the code and a RequestId to your Tencent account manager and ask to have the function enabled, then run again."),
    "account": (
        "应用、机构或经办人的标识不对，或状态不正常。", "核对 api.app_id、api.organization_open_id、api.operator_open_id，改好后重新运行。",
        "The id of the application, organisation or operator is wrong, or one of them is not active.", "Check api.app_id, api.organization_open_id and api.operator_open_id, then run again."),
    "quota": (
        "额度已用完。", "请腾讯客户经理增加额度，然后重新运行。",
        "The quota is used up.", "Ask your Tencent account manager for a larger quota, then run again."),
    "contract": (
        "这个应答不属于本接口：地址、版本或 api.contract 不对，或程序版本过旧。", "核对 api.endpoint 和 api.contract，升级程序；仍然如此就把 RequestId 交给开发者。",
        "The answer does not match this call: the endpoint, the version or api.contract is wrong, or the program is too old.", "Check api.endpoint and api.contract and update the program; if the problem stays, give the RequestId to the developers."),
    "row": (
        "腾讯拒绝了这一行，没有创建印章。", "按应答里的说明核对姓名、证件、手机号和图片，在“失败待改”里改好，再 retry。",
        "The service refused this row; no seal was created.", "Compare name, number, mobile and picture with the message of the service, correct them in “To fix”, then retry."),
    "exists": (
        "本机构已有同名印章，可能是此人的，也可能是他人的；此行先搁置。", "查清它是谁的：是此人的，用 resolve --seal-id 登记；是他人的，用 resolve --not-theirs，下次运行会改用带工号的名称。",
        "The organisation already has a seal with this name, of this doctor or of another person. The row is on hold.", "Find out whose seal it is: if it is this doctor's, run resolve --seal-id; if it is another person's, run resolve --not-theirs, and the next run adds the staff number to the name."),
    "upload_again": (
        "上传的图片已不在。", "程序会重新上传并再提交一次。",
        "The uploaded picture is no longer available.", "The picture is uploaded again and the row is sent once more."),
    "unknown": (
        "无法确定是否已创建印章，此行先搁置。", FIND[0],
        "It is not certain whether a seal was created; the row is on hold.", FIND[1]),
}  # fmt: skip
MEANINGS: Mapping[Meaning, Advice] = {
    meaning: make_advice(*astuple(HANDLING[meaning]), *texts) for meaning, texts in _MEANING_TEXTS.items()
}

# our own words where the service said nothing usable (Outcome.code)
ANSWERS: Mapping[str, Advice] = {
    "no_answer": make_advice(
        "it", "held", "请求已发出，没有等到应答。", MEANINGS["unknown"].zh[1],
        "The request was sent, but no answer came.", MEANINGS["unknown"].en[1]),
    "not_sent": make_advice(
        "it", "itself",
        "没有连上服务，请求没有发出。", "下次运行会自动提交；一直如此就检查网络、DNS、代理和防火墙。",
        "The service could not be reached; nothing was sent.", "The next run sends it; if this happens again, check network, DNS, proxy and firewall."),
    "unreadable": make_advice(
        "it", "held", "应答无法识别，可能是代理返回的页面。", "检查代理；印章是否已创建，按“未知”行的办法查清。",
        "The answer is not in the service's format; it may be a page of a proxy.", "Check the proxy, then resolve the row like an unknown one."),
    "no_seal_id": make_advice(
        "it", "held",
        "应答里没有可用的印章ID。", MEANINGS["unknown"].zh[1],
        "The answer contained no usable SealId.", MEANINGS["unknown"].en[1]),
    "repeated_answer": make_advice(
        "it", "held",
        "应答的 RequestId 以前出现过：它是对另一次调用的应答。",
        "检查代理或网关是否缓存、重复了应答；印章是否已创建，按“未知”行的办法查清。没有发出创建请求的行，下次运行会自动提交。",
        "The answer has a RequestId that was seen before: it is the answer to another call.",
        "Check whether a proxy or gateway caches or repeats answers, then resolve the row like an unknown one. A row whose create was not sent is sent by the next run."),
    "reused_file_id": make_advice(
        "it", "held",
        "上传的应答给出了属于另一张图片的文件编号，没有使用它。",
        "检查代理或网关是否缓存、重复了应答；没有提交的行下次运行会自动提交，结果未知的行请在控制台核对印章图样，再用 resolve 登记结论。",
        "The answer to the upload gave a FileId that belongs to another picture.",
        "Check whether a proxy or gateway caches or repeats answers. Rows that were not sent are sent by the next run; for an unknown row compare the picture of the seal in the console, then record the outcome with resolve."),
    "no_file_id": make_advice(
        "it", "itself",
        "上传的应答里没有文件编号。", "程序会重新上传；一直如此就把 RequestId 发给腾讯客户经理。",
        "The answer to the upload contained no FileId.", "The picture is uploaded again; if this happens again, send RequestIds to your Tencent account manager."),
    "http_502": make_advice(
        "it", "held",
        "HTTP 状态码不是 200，可能已经创建了印章。", MEANINGS["unknown"].zh[1],
        "The HTTP status was not 200; a seal may have been created.", MEANINGS["unknown"].en[1]),
    "SEAL_ID_REUSED": make_advice(
        "tencent", "held",
        "服务返回了属于另一人的印章ID，查清之前不再提交。", "把两个 RequestId（explain 会显示）发给腾讯客户经理；查清后用 resolve 登记，之后照常运行。",
        "The service returned the SealId of another person; nothing more is sent until it is resolved.", "Send both RequestIds (explain shows them) to your Tencent account manager, record the outcome with resolve, then run as usual."),
}  # fmt: skip

# why a run stops before its end (run.json, halted.code)
HALTS: Mapping[str, Advice] = {
    "OUTAGE": make_advice(
        "it", "itself", "连接不上服务，或一直没有可用的应答。", "检查网络、DNS、代理和防火墙；恢复后再运行，没有提交的行会接着提交。",
        "The service was unavailable for too long.", "Check network, DNS, proxy and firewall, then run again; rows that were not sent are sent then."),
    "TOO_MANY_NEW": make_advice(
        "it", "after", "新出现的医生太多，一个也没有提交。", "核对名单是不是放错了；确实如此就用 run --accept-guards。",
        "Too many doctors are new; nothing was sent.", "Check that it is the right roster; if it is, run with --accept-guards."),
    "ROSTER_SHRUNK": make_advice(
        "it", "after", "名单上的医生比上次少了很多，一个也没有提交。", "核对名单是否完整；确实如此就用 run --accept-guards。",
        "The roster has far fewer doctors than last time; nothing was sent.", "Check that the roster is complete; if it is, run with --accept-guards."),
    "ROSTER_MISSING": make_advice(
        "it", "after", "名单文件夹是空的或不存在，而以前的运行在那里读过名单。", "检查共享文件夹是否已连接、名单是否已放入；确实没有名单就用 run --accept-guards。",
        "A roster folder that earlier runs used is empty or missing.", "Check that the shared folder is connected and the roster is there; if there is no roster, run with --accept-guards."),
    "TOO_MANY_UNKNOWN": make_advice(
        "it", "itself", "本次运行中结果未知的行太多。", "检查网络，查清“未知”表里的行，再运行。",
        "Too many rows of this run have an unknown result.", "Check the network, resolve the rows of the sheet Unknown, then run again."),
    "SAME_REFUSAL": make_advice(
        "it", "after", "几乎所有行都因同一原因被拒绝。", "按那个错误码检查设置和权限；印章名称已存在的，先用 adopt 登记已有的印章；确实是名单的问题就用 run --accept-guards。",
        "Almost all rows were refused for the same reason.", "Check settings and permissions for that code. If the seal names exist, import the existing seals with adopt first. If the rows are the cause, run with --accept-guards."),
    "SEALS_EXIST": make_advice(
        "it", "after", "本程序创建的印章还很少，腾讯却答复同名印章已存在：这些医生可能早有印章。", "先用 adopt 登记已有的印章，再运行；确实都是他人的就用 run --accept-guards。",
        "This program has made few seals yet, but seals with these names exist: the doctors may have seals already.",
        "Import the existing seals with adopt first, then run; if the seals belong to other people, run with --accept-guards."),
    "DEADLINE": make_advice(
        "nobody", "itself", "到了 guards.deadline 设定的时刻。", "不用处理；余下的行下次运行先提交。",
        "The time set in guards.deadline was reached.", "No action is needed; the remaining rows are sent first in the next run."),
    "ATTEMPT_BUDGET": make_advice(
        "nobody", "itself", "重发的次数太多。", "稍后再运行。",
        "Too many calls had to be repeated.", "Run again later."),
    "CUT_SHORT": make_advice(
        "nobody", "itself", "运行被中断。", "再运行一次；已发出的都记在台账里。",
        "The run was interrupted.", "Run again; everything sent so far is in the ledger."),
    "USAGE": make_advice(
        "it", "after", "命令或配置有误，没有发送。", "按 halted.message 的说明改好命令或配置，再运行。",
        "The command or the configuration is wrong; nothing was sent.", "Correct what halted.message describes, then run again."),
    "CREDENTIALS_MISSING": make_advice(
        "it", "after", "没有找到成对的 SecretId 和 SecretKey，没有发送。", "按 halted.message 列出的位置放好密钥，再运行。",
        "No complete pair of SecretId and SecretKey was found; nothing was sent.", "Put the keys in one of the places listed in halted.message, then run again."),
    "ROLE_FAILED": make_advice(
        "it", "after", "credentials.role 没有给出密钥，或密钥过期后没有换到新的。", "按 halted.message 的说明处理：角色是否绑定或允许扮演，本机能否访问 STS；然后再运行。",
        "credentials.role gave no keys, or none in place of those that expired.", "Follow halted.message: is the role bound or allowed to be assumed, can this machine reach STS? Then run again."),
    "LOCKED": make_advice(
        "nobody", "itself", "另一次运行正在进行，没有发送。", "不用处理；经常如此就把定时任务隔开一些。",
        "Another run was in progress; nothing was sent.", "No action is needed; if it happens often, schedule the runs further apart."),
    "LEDGER_REFUSED": make_advice(
        "it", "after", "台账、密钥或它们的权限不能用，没有发送。", "按 halted.message 的说明处理，再运行。",
        "The ledger, its key or their permissions cannot be used; nothing was sent.", "Follow halted.message, then run again."),
    "NOT_READ_NOW": make_advice(
        "it", "itself", "有文件这次没能读取，没有发送。", "再运行一次；仍然如此请检查电脑和共享文件夹。",
        "A file could not be read this time; nothing was sent.", "Run again; if it happens again, check the computer and the shared folders."),
    "SEAL_ID_REUSED": ANSWERS["SEAL_ID_REUSED"],
    "CONTRACT_INLINE_IGNORED": make_advice("it", "after", *IMAGE_NOT_TAKEN),
    "TLS": make_advice(
        "it", "after", "没有建立可信的加密连接。", "核对 api.endpoint 的地址和端口，检查代理是否替换了证书；自有证书写在 api.ca_file。",
        "No trusted encrypted connection could be made.", "Check the host and port of api.endpoint and whether a proxy replaces certificates; set api.ca_file for a certificate authority of your own."),
    "DISK": make_advice(
        "it", "after", "磁盘或文件出错。", "检查磁盘空间和权限，再运行。",
        "A disk or file error occurred.", "Check disk space and permissions, then run again."),
    "LEDGER": make_advice(
        "it", "after", "台账无法写入。", "检查磁盘空间和权限，再运行；台账没有因此损坏。",
        "The ledger could not be written.", "Check disk space and permissions, then run again; the ledger is not damaged."),
    "LEASE_LOST": make_advice("it", "after", "另一个进程接管了台账。", "等它结束后再运行。",
        "Another process took over the ledger.", "Run again after it has ended."),
    "LEDGER_CONFLICT": make_advice(
        "it", "after", "台账拒绝了一次提交，防止了重复创建。", "保留 state/ 和 log.jsonl，交给开发者。",
        "The ledger refused a submission and so prevented a second seal.", "Keep state/ and log.jsonl and send them to the developers."),
    "BUG": make_advice(
        "it", "after", "程序内部错误。", "已发送的都记在台账里；带上 -v 的输出联系开发者。",
        "An error in the program.", "Everything sent is in the ledger; report the error with the output of -v."),
}  # fmt: skip

_RUN_AGAIN = "改好后重新运行。"
_TEXTS: dict[str, Texts] = {
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
    "AuthFailure.UnauthorizedOperation": (
        "密钥有效，但没有获准调用这个接口（CAM 鉴权）。", "密钥属于子账号的，请主账号把 config policy 打印的策略授予这个子账号；密钥在电子签控制台生成的，问腾讯客户经理；然后重新运行。",
        "The keys are valid, but they are not authorised for this call (CAM).", "If they belong to a sub-account, have the policy that config policy prints attached to it; if they were made in the e-Sign console, ask your Tencent account manager; then run again."),
    "AuthFailure.MFAFailure": (
        "多因子验证（MFA）没有通过；不是密钥写错了。", "请主账号查看这个子账号的 MFA 设置，改好后重新运行。",
        "The multi-factor check (MFA) failed; the keys themselves are not the cause.", "Ask the main account to check the MFA settings of this sub-account, then run again."),
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
        "操作失败，原因只在应答的文字里。", "文字说明了原因就照它改好再 retry（不改的话，三天之内每次运行会原样再提交）；没有说明原因时只有 retry 会再提交，名称不变；先按名称查有没有这枚印章。",
        "The operation failed; only the message of the service gives the reason.", "If the message gives a reason, correct the row and retry; unchanged, runs send it again for three days. If it gives none, look for a seal with this name first; only retry sends the row again, with the same name."),
    "FailedOperation.UserInfoNoMatch": (
        "姓名与证件号码不一致。", "对照证件核对姓名和证件号码，改好再 retry。",
        "Name and identity number do not match.", "Compare both with the card, correct them, then retry."),
    "FailedOperation.IdCardNumberCheckFailed": (
        "证件号码没有通过核验。", "对照证件核对姓名和证件号码，改好再 retry。",
        "The identity number did not pass the check.", "Compare name and number with the card, correct them, then retry."),
    "FailedOperation.AgeNotAchieveNormalLegal": (
        "腾讯认为此人未达到合法年龄。", "对照证件核对证件号码，改好再 retry；号码没有错就问腾讯客户经理。",
        "According to the service, this person is under the legal age.", "Compare the identity number with the card, correct it, then retry; if it is right, ask your Tencent account manager."),
    "OperationDenied.NoIdentityVerify": (
        "没有通过个人实名认证；应答没有说是医生还是经办人。", "请医生完成实名认证，再 retry；每一行都这样，就是经办人（api.operator_open_id）没有实名，请信息科处理。",
        "Real-name verification is missing, of the doctor or of the operator.", "Ask the doctor to complete the verification, then retry; if every row has this code, the operator (api.operator_open_id) is not verified and IT has to act."),
    "ResourceNotFound.VerifyUser": (
        "腾讯答复实名用户信息不存在。", "对照证件核对姓名和证件号码，改好再 retry；没有错就问腾讯客户经理缺的是谁的实名信息。",
        "The service found no verified user.", "Compare name and number with the card, correct them, then retry; if both are right, ask your Tencent account manager whose verification is missing."),
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
        "An id in the request was not accepted; the uploaded picture may have expired.", "The picture is uploaded again and the row is sent once more; if this happens again, check the ids in config.yaml."),
    "InternalError": (
        "腾讯内部出错或超时，可能已经创建了印章。", "按名称查找印章（控制台、审计日志），再用 resolve 登记结论；没找到不等于没有创建。频繁出现就把 RequestId 发给腾讯客户经理。",
        "The service had an internal error or time-out; a seal may have been created.", "Look for the seal by its name (console, audit log) and record the outcome with resolve. If you do not find it, it may still exist. If this happens often, send RequestIds to your Tencent account manager."),
    "InvalidParameter.DupTask": (
        "腾讯答复任务重复提交：更早的相同请求可能已经创建了印章。", FIND[0],
        "The service reports a repeated task: an earlier identical request may have created the seal.", FIND[1]),
    "OperationDenied.AlreadyHas": (
        "腾讯答复已有，无法再创建：更早的相同请求可能已经创建了印章。", FIND[0],
        "The service reports that it exists already: an earlier identical request may have created the seal.", FIND[1]),
}  # fmt: skip

# (action, code) -> texts of a code that means something else there than in a run's creates and uploads
_TEXTS_BY_ACTION: Mapping[tuple[str, str], Texts] = {
    ("ChannelDescribeUserAutoSignStatus", "OperationDenied.WhiteListForbid"): (
        "授权签（原自动签）查询还没有为贵机构开通；创建印章不受影响。", "请腾讯客户经理为应用开通 ChannelDescribeUserAutoSignStatus，再输入一次同样的命令。",
        "The auto-sign query is not enabled for you yet; creating seals is not affected.", "Ask your Tencent account manager to enable ChannelDescribeUserAutoSignStatus for the application, then type the same command again."),
    ("ChannelDescribeOrganizationSeals", "OperationDenied.WhiteListForbid"): (
        "印章列表的查询还没有为贵机构开通；它只用来检查连接，创建印章不受影响。", "请腾讯客户经理为应用开通 ChannelDescribeOrganizationSeals，再输入一次同样的命令。",
        "The query of seals is not enabled for you yet; it only tests the connection, and creating seals is not affected.", "Ask your Tencent account manager to enable ChannelDescribeOrganizationSeals for the application, then type the same command again."),
}  # fmt: skip
# code -> the code with the same texts
_SAME_TEXTS: Mapping[str, str] = {
    "OperationDenied.InvalidApproverAge": "FailedOperation.AgeNotAchieveNormalLegal",
    "InvalidParameterValue.InvalidMobile": "InvalidParameter.Mobile",
    "OperationDenied.Sensitive": "InvalidParameter.Sensitive",
}
SERVICE_ERROR_ADVICE: Mapping[str, Advice] = {
    code: make_advice(*astuple(find_handling(code)), *texts)
    for code, texts in (_TEXTS | {code: _TEXTS[other] for code, other in _SAME_TEXTS.items()}).items()
}


def is_known_code(code: str) -> bool:
    """Return whether there is advice on a code."""
    return code in CODES or code in SERVICE_ERROR_ADVICE or code in ANSWERS or code.startswith("http_")


def find_refusal_advice(code: str) -> Advice:
    """Return the advice on a code with which a row was refused; an unlisted one is about the row."""
    return find_advice(code) if is_known_code(code) else MEANINGS["row"]


def find_halt_advice(code: str, action: str = "") -> Advice | None:
    """Return the advice on the code for which a run or the one call of ``action`` ended; None for an unlisted code.

    An upload stops the run with codes that are unlisted, or that only refuse a row where a create gets them.
    """
    if texts := _TEXTS_BY_ACTION.get((action, code)):
        return make_advice(*astuple(find_handling(code)), *texts)
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
