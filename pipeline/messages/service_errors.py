"""What an error of the service asks for: what it means, who acts, what to do, whether a rerun helps.

Every code has the advice of its meaning; the frequent ones have texts of their own in `service_error_advice`. Beside the
service's codes stand our own codes for answers that proved nothing, and the reasons for which a run stops.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.service_codes import HANDLING, Handling, Meaning, Rerun, ResponsibleRole

Texts = tuple[str, str, str, str]  # the meaning and what to do in Chinese, then both in English


@dataclass(frozen=True, slots=True)
class Advice:
    """One code's advice in both languages."""

    who: ResponsibleRole
    rerun: Rerun
    zh: tuple[str, str]  # meaning, remedy
    en: tuple[str, str]

    def explain(self, language: str) -> str:
        """Return the meaning of the code."""
        return (self.zh if language == "zh" else self.en)[0]

    def summarize(self, language: str) -> str:
        """Return the meaning without its full stop, for use inside another sentence."""
        return self.explain(language).rstrip("。.")

    def instruct(self, language: str) -> str:
        """Return what to do; ``who`` holds the role that does it."""
        return (self.zh if language == "zh" else self.en)[1]

    def describe(self, language: str) -> str:
        """Return both as one text."""
        return ("" if language == "zh" else " ").join((self.explain(language), self.instruct(language)))


def make_advice(handling: Handling, texts: Texts) -> Advice:
    """Return the advice of a handling and its texts."""
    zh, zh_todo, en, en_todo = texts
    return Advice(handling.who, handling.rerun, (zh, zh_todo), (en, en_todo))


def _advise(who: ResponsibleRole, rerun: Rerun, *texts: str) -> Advice:
    zh, zh_todo, en, en_todo = texts
    return make_advice(Handling(who, rerun), (zh, zh_todo, en, en_todo))


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
        "Too many calls; the request was not carried out.",
        "It is sent again more slowly; if this happens often, find out what else uses the quota, or lower limits.requests_per_second."),
    "clock": (
        "本机时钟与腾讯相差超过五分钟，请求没有执行。", "请给本机打开自动对时；应答里有时间时，程序按它校正并重发一次。",
        "The clock of this machine is wrong by more than five minutes; the request was not carried out.",
        "Turn on automatic time synchronisation; if the answer contains a time, the program uses it and sends the call once more."),
    "credentials": (
        "密钥没有被接受。", "核对 SecretId、SecretKey 是否完整、未停用、属于这个环境，改好后重新运行。",
        "The keys were not accepted.",
        "Check that SecretId and SecretKey are complete, enabled and belong to this environment, then run again."),
    "permission": (
        "没有使用这个功能的权限。", "把错误码和 RequestId 发给腾讯客户经理，请其开通，然后重新运行。",
        "The account has no permission for this function.",
        "Send the code and a RequestId to your Tencent account manager and ask to have the function enabled, then run again."),
    "account": (
        "应用、机构或经办人的标识不对，或状态不正常。", "核对 api.app_id、api.organization_open_id、api.operator_open_id，改好后重新运行。",
        "The id of the application, organisation or operator is wrong, or one of them is not active.",
        "Check api.app_id, api.organization_open_id and api.operator_open_id, then run again."),
    "quota": (
        "额度已用完。", "请腾讯客户经理增加额度，然后重新运行。",
        "The quota is used up.",
        "Ask your Tencent account manager for a larger quota, then run again."),
    "contract": (
        "这个应答不属于本接口：地址、版本或 api.contract 不对，或程序版本过旧。",
        "核对 api.endpoint 和 api.contract，升级程序；仍然如此就把 RequestId 交给开发者。",
        "The answer does not match this call: the endpoint, the version or api.contract is wrong, or the program is too old.",
        "Check api.endpoint and api.contract and update the program; if the problem stays, give the RequestId to the developers."),
    "row": (
        "腾讯拒绝了这一行，没有创建印章。", "按应答里的说明核对姓名、证件、手机号和图片，在“失败待改”里改好，再 retry。",
        "The service refused this row; no seal was created.",
        "Compare name, number, mobile and picture with the message of the service, correct them in “To fix”, then retry."),
    "exists": (
        "本机构已有同名印章，可能是此人的，也可能是他人的；此行先搁置。", "查清它是谁的：是此人的，用 resolve --seal-id 登记；是他人的，用 resolve --not-theirs，下次运行会改用带工号的名称。",
        "The organisation already has a seal with this name, of this doctor or of another person. The row is on hold.",
        "Find out whose seal it is: if it is this doctor's, run resolve --seal-id; if it is another person's, run resolve --not-theirs, and the next run adds the staff number to the name."),
    "upload_again": (
        "上传的图片已不在。", "程序会重新上传并再提交一次。",
        "The uploaded picture is no longer available.",
        "The picture is uploaded again and the row is sent once more."),
    "unknown": (
        "无法确定是否已创建印章，此行先搁置。", FIND[0],
        "It is not certain whether a seal was created; the row is on hold.", FIND[1]),
}  # fmt: skip
MEANINGS: Mapping[Meaning, Advice] = {
    meaning: make_advice(HANDLING[meaning], texts) for meaning, texts in _MEANING_TEXTS.items()
}

# our own words where the service said nothing usable (Outcome.code)
ANSWERS: Mapping[str, Advice] = {
    "no_answer": _advise(
        "it", "held",
        "请求已发出，没有等到应答。", MEANINGS["unknown"].zh[1],
        "The request was sent, but no answer came.", MEANINGS["unknown"].en[1]),
    "not_sent": _advise(
        "it", "itself",
        "没有连上服务，请求没有发出。", "下次运行会自动提交；一直如此就检查网络、DNS、代理和防火墙。",
        "The service could not be reached; nothing was sent.", "The next run sends it; if this happens again, check network, DNS, proxy and firewall."),
    "unreadable": _advise(
        "it", "held",
        "应答无法识别，可能是代理返回的页面。", "检查代理；印章是否已创建，按“未知”行的办法查清。",
        "The answer is not in the service's format; it may be a page of a proxy.", "Check the proxy, then resolve the row like an unknown one."),
    "no_seal_id": _advise(
        "it", "held",
        "应答里没有印章ID。", MEANINGS["unknown"].zh[1],
        "The answer contained no SealId.", MEANINGS["unknown"].en[1]),
    "no_file_id": _advise(
        "it", "itself",
        "上传的应答里没有文件编号。", "程序会重新上传；一直如此就把 RequestId 发给腾讯客户经理。",
        "The answer to the upload contained no FileId.", "The picture is uploaded again; if this happens again, send RequestIds to your Tencent account manager."),
    "http_502": _advise(
        "it", "held",
        "HTTP 状态码不是 200，可能已经创建了印章。", MEANINGS["unknown"].zh[1],
        "The HTTP status was not 200; a seal may have been created.", MEANINGS["unknown"].en[1]),
    "SEAL_ID_REUSED": _advise(
        "tencent", "held",
        "服务返回了属于另一人的印章ID，运行已停止。", "把两个 RequestId 发给腾讯客户经理；查清后用 resolve 登记。",
        "The service returned the SealId of another person, so the run stopped.", "Send both RequestIds to your Tencent account manager, then record the outcome with resolve."),
}  # fmt: skip

# why a run stops before its end (run.json, halted.code)
HALTS: Mapping[str, Advice] = {
    "OUTAGE": _advise(
        "it", "itself", "连接不上服务，或一直没有可用的应答。", "检查网络、DNS、代理和防火墙；恢复后再运行，没有提交的行会接着提交。",
        "The service was unavailable for too long.", "Check network, DNS, proxy and firewall, then run again; rows that were not sent are sent then."),
    "TOO_MANY_NEW": _advise(
        "it", "after", "新出现的医生太多，一个也没有提交。", "核对名单是不是放错了；确实如此就用 run --accept-guards。",
        "Too many doctors are new; nothing was sent.", "Check that it is the right roster; if it is, run with --accept-guards."),
    "ROSTER_SHRUNK": _advise(
        "it", "after", "名单上的医生比上次少了很多，一个也没有提交。", "核对名单是否完整；确实如此就用 run --accept-guards。",
        "The roster has far fewer doctors than last time; nothing was sent.", "Check that the roster is complete; if it is, run with --accept-guards."),
    "ROSTER_MISSING": _advise(
        "it", "after", "名单文件夹是空的或不存在，而以前的运行在那里读过名单。", "检查共享文件夹是否已连接、名单是否已放入；确实没有名单就用 run --accept-guards。",
        "A roster folder that earlier runs used is empty or missing.", "Check that the shared folder is connected and the roster is there; if there is no roster, run with --accept-guards."),
    "TOO_MANY_UNKNOWN": _advise(
        "it", "itself", "本次运行中结果未知的行太多。", "检查网络，查清“未知”表里的行，再运行。",
        "Too many rows of this run have an unknown result.", "Check the network, resolve the rows of the sheet Unknown, then run again."),
    "SAME_REFUSAL": _advise(
        "it", "after", "几乎所有行都因同一原因被拒绝。", "按那个错误码检查设置和权限；确实是名单的问题就用 run --accept-guards。",
        "Almost all rows were refused for the same reason.", "Check settings and permissions for that code; if the rows are the cause, run with --accept-guards."),
    "SEALS_EXIST": _advise(
        "it", "after", "台账里还没有印章，腾讯却答复同名印章已存在：这些医生可能早有印章。", "先用 adopt 登记已有的印章，再运行；确实都是他人的就用 run --accept-guards。",
        "The ledger contains no seal, but seals with these names exist: the doctors may have seals already.",
        "Import the existing seals with adopt first, then run; if the seals belong to other people, run with --accept-guards."),
    "DEADLINE": _advise(
        "nobody", "itself", "到了 guards.deadline 设定的时刻。", "不用处理；余下的行下次运行先提交。",
        "The time set in guards.deadline was reached.", "No action is needed; the remaining rows are sent first in the next run."),
    "ATTEMPT_BUDGET": _advise(
        "nobody", "itself", "重发的次数太多。", "稍后再运行。",
        "Too many calls had to be repeated.", "Run again later."),
    "CUT_SHORT": _advise(
        "nobody", "itself", "运行被中断。", "再运行一次；已发出的都记在台账里。",
        "The run was interrupted.", "Run again; everything sent so far is in the ledger."),
    "USAGE": _advise(
        "it", "after", "命令或配置有误，没有发送。", "按 halted.message 的说明改好命令或配置，再运行。",
        "The command or the configuration is wrong; nothing was sent.", "Correct what halted.message describes, then run again."),
    "CREDENTIALS_MISSING": _advise(
        "it", "after", "没有找到成对的 SecretId 和 SecretKey，没有发送。", "按 halted.message 列出的位置放好密钥，再运行。",
        "No complete pair of SecretId and SecretKey was found; nothing was sent.", "Put the keys in one of the places listed in halted.message, then run again."),
    "LOCKED": _advise(
        "nobody", "itself", "另一次运行正在进行，没有发送。", "不用处理；经常如此就把定时任务隔开一些。",
        "Another run was in progress; nothing was sent.", "No action is needed; if it happens often, schedule the runs further apart."),
    "LEDGER_REFUSED": _advise(
        "it", "after", "台账、密钥或它们的权限不能用，没有发送。", "按 halted.message 的说明处理，再运行。",
        "The ledger, its key or their permissions cannot be used; nothing was sent.", "Follow halted.message, then run again."),
    "NOT_READ_NOW": _advise(
        "it", "itself", "有文件这次没能读取，没有发送。", "再运行一次；仍然如此请检查电脑和共享文件夹。",
        "A file could not be read this time; nothing was sent.", "Run again; if it happens again, check the computer and the shared folders."),
    "SEAL_ID_REUSED": ANSWERS["SEAL_ID_REUSED"],
    "CONTRACT_INLINE_IGNORED": make_advice(HANDLING["contract"], IMAGE_NOT_TAKEN),
    "TLS": _advise(
        "it", "after", "没有建立可信的加密连接。", "核对 api.endpoint 的地址和端口，检查代理是否替换了证书；自有证书写在 api.ca_file。",
        "No trusted encrypted connection could be made.", "Check the host and port of api.endpoint and whether a proxy replaces certificates; set api.ca_file for a certificate authority of your own."),
    "DISK": _advise(
        "it", "after", "磁盘或文件出错。", "检查磁盘空间和权限，再运行。",
        "A disk or file error occurred.", "Check disk space and permissions, then run again."),
    "LEDGER": _advise(
        "it", "after", "台账无法写入。", "检查磁盘空间和权限，再运行；台账没有因此损坏。",
        "The ledger could not be written.", "Check disk space and permissions, then run again; the ledger is not damaged."),
    "LEDGER_CONFLICT": _advise(
        "it", "after", "台账拒绝了一次提交，防止了重复创建。", "保留 state/ 和 log.jsonl，交给开发者。",
        "The ledger refused a submission and so prevented a second seal.", "Keep state/ and log.jsonl and send them to the developers."),
    "BUG": _advise(
        "it", "after", "程序内部错误。", "已发送的都记在台账里；带上 -v 的输出联系开发者。",
        "An error in the program.", "Everything sent is in the ledger; report the error with the output of -v."),
}  # fmt: skip
