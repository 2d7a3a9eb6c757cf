"""What `certify` says, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

CERTIFY_WORDS: Mapping[str, tuple[str, str]] = {
    "certify_who": (
        "有 {n} 位已有印章的医生与“{query}”相符；请用工号或印章ID指明一位。",
        "Several sealed doctors answer to “{query}” ({n}); name one by staff number or SealId.",
    ),
    "certify_nobody": (
        "名单里没有已有印章的医生与“{query}”相符；请写姓名、工号、印章名称或印章ID（要写完整）。",
        "No sealed doctor of the rosters answers to “{query}”; write a whole name, staff number, seal name or SealId.",
    ),
    "certify_sure": (
        "将再次为 {name} 提交相同的创建请求；若腾讯不拒绝，此人会有第二枚印章。继续吗？",
        "The create of {name} will be sent again; if the service does not refuse it, there will be a second seal. Go on?",
    ),
    "certified": (
        "腾讯拒绝了相同的创建（{code}，RequestId {request_id}）：90 天内可以用 unknown: probe。",
        "The identical create was refused ({code}, RequestId {request_id}): unknown: probe is allowed for 90 days.",
    ),
    "not_certified": (
        "腾讯没有拒绝：{name} 现在有第二枚印章 {seal_id}，请让腾讯客户经理停用它。不能用 unknown: probe。",
        "It was not refused: {name} has a second seal {seal_id} now, have your Tencent account manager disable it. unknown: probe stays forbidden.",
    ),
    "certify_open": (
        "验证没有结论：{at} 为 {name} 再次提交了“{seal_name}”（{why}）；请腾讯客户经理查是否有第二枚，有则停用，再重新 certify。",
        "No verdict: “{seal_name}” of {name} was sent again {at} ({why}). Have your Tencent account manager look for a second one and disable it, then certify again.",
    ),
    "certify_one_place": (
        "每次只能登记一处：--console、--audit-log 或 --auto-sign。",
        "One place at a time: --console, --audit-log or --auto-sign.",
    ),
    "certify_not_open": (
        "{name}：没有开通授权签（原自动签），或没有得到答复（{words}）；没有登记。请换一位已开通的医生。",
        "{name}: auto-sign is not open, or no answer came ({words}); nothing was recorded. Name a doctor who has opened it.",
    ),
    "certified_shown": (
        "已登记：{place}能看到导入的印章。90 天内，在控制台或审计日志中没找到就可以用 --not-created。",
        "Recorded: {place} shows imported seals. For 90 days, not finding a seal in the console or the audit log counts for --not-created.",
    ),
    "certified_not_shown": (
        "已登记：{place}看不到导入的印章。在那里没找到不能说明没有创建。",
        "Recorded: {place} does not show imported seals. Not finding one there proves nothing.",
    ),
    "place_console": ("控制台", "the console"),
    "place_audit_log": ("审计日志", "the audit log"),
    "place_auto_sign": ("授权签（原自动签）查询", "the auto-sign query"),
}
