"""What is said where no credentials are found, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "credentials.missing": (
        """没有找到成对的 SecretId 和 SecretKey。依次查找了：
{places}
请把 tencent__secret_id 和 tencent__secret_key 两个文件放入 secrets_dir，或设置上述两个环境变量。""",
        """No complete pair of SecretId and SecretKey was found. Looked at, in this order:
{places}
Put tencent__secret_id and tencent__secret_key into secrets_dir, or set the two variables.""",
    ),
    "credentials.place": ("  {place}：{why}", "  {place}: {why}"),
    "credentials.id_only": ("只有 SecretId，没有 SecretKey", "SecretId only, no SecretKey"),
    "credentials.key_only": ("只有 SecretKey，没有 SecretId", "SecretKey only, no SecretId"),
    "credentials.nothing": ("没有", "nothing"),
    "credentials.forbidden": (
        "没有权限；请信息科让用户 {user} 能读取",
        "permission denied; let user {user} read it",
    ),
    "credentials.unreadable": ("有文件，但内容读不懂", "a file whose content makes no sense"),
}
