"""Texts of notifications, pings and metrics, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

NOTIFICATION_TEXTS: Mapping[str, tuple[str, str]] = {
    "notify.title.ok": ("【{name}】电子印章导入：全部完成", "{name}: seal import complete"),
    "notify.title.recovered": ("【{name}】电子印章导入：已恢复正常", "{name}: seal import works again"),
    "notify.title.attention": (
        "【{name}】电子印章导入：有行需要处理",
        "{name}: seal import, rows need attention",
    ),
    "notify.title.failed": (
        "【{name}】电子印章导入：失败（退出码 {exit}）",
        "{name}: seal import failed (exit code {exit})",
    ),
    "notify.title.test": ("【{name}】电子印章导入：通知测试", "{name}: seal import, test message"),
    "notify.body.test": ("收到这条消息，说明通知设置正确。", "The notification settings are correct."),
    "notify.run": ("运行 {run}，主机 {host}", "Run {run} on {host}"),
    "notify.count": ("{status}：{rows} 行", "{status}: {rows}"),
    "notify.reason": ("· {reason}：{rows} 行（{code}）", "- {reason}: {rows} ({code})"),
    "notify.more": ("· 另有 {n} 种原因", "- other reasons: {n}"),
    "notify.results": ("结果：{path}", "Results: {path}"),
    "notify.undelivered": (
        "有 {n} 条通知没有送达，下次运行再送。请用 esign-import notify test 检查。",
        "Notifications not delivered: {n}; the next run tries again. Check with esign-import notify test.",
    ),
    "notify.no_apprise": (
        '设置了通知，但没有安装扩展 notify：请运行 pip install "esign-import[notify]"。',
        'Notifications are configured, but the extra "notify" is not installed: run pip install "esign-import[notify]".',
    ),
    "notify.no_ping": ("监控没有收到通知（{why}）。", "The monitor could not be reached ({why})."),
    "notify.none": (
        "没有设置通知：在配置的 notify: 里写 urls 或 ping，或写进密钥文件 {file}。",
        "No notifications are configured: set urls or ping under notify:, or write them into the secret file {file}.",
    ),
    "notify.sent": ("[正常] {channel}", "[ok]    {channel}"),
    "notify.failed": ("[失败] {channel}：没有送达", "[failed] {channel}: not delivered"),
    "notify.monitor": ("监控 {host}", "monitor {host}"),
    "hooks.failed": (
        "{hook} 这一步因程序错误没有完成（{kind}，{line}）；本次结果和退出码不受影响。",
        "The step {hook} was not completed because of a program error ({kind}, {line}). Results and exit code stay as they are.",
    ),
    "hooks.details": (
        "   详细信息在 {path}，请交给开发者。",
        "   For details, see {path}; send it to the developers.",
    ),
    "hooks.verbose": (
        "   要看详细信息，请加 -v 再运行一次。",
        "   For details, run the command again with -v.",
    ),
    "metrics.not_installed": (
        '设置了 metrics_file，但没有安装扩展 metrics：请运行 pip install "esign-import[metrics]"。',
        'metrics_file is set, but the extra "metrics" is not installed: run pip install "esign-import[metrics]".',
    ),
}
