"""What is wrong with a file of judgements (``run --review``), in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "review.refused": (
        "{path}：{why}。请打开 review.html 重新保存核对结果，并写那个文件；没有发送任何内容。",
        "{path}: {why}. Open review.html, save the judgements once more and name that file; nothing was sent.",
    ),
    "review.too_large": ("文件过大，不是核对结果", "too large for a review file"),
    "review.unreadable": ("无法读取（{why}）", "cannot be read ({why})"),
    "review.no_json": (
        "不是核对结果文件，或已损坏（不是完整的 JSON）",
        "not a review file, or damaged (no whole JSON)",
    ),
    "review.not_ours": ("不是本程序保存的核对结果", "not a review file of this program"),
    "review.other_version": ("由另一版本的程序保存", "saved by another version of this program"),
    "review.other_hospital": (
        "是另一家医院、另一环境或另一台账密钥的核对结果",
        "the review of another hospital, environment or ledger key",
    ),
    "review.changed": ("已损坏或被手工改过", "damaged or changed by hand"),
}
