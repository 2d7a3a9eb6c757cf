"""Texts of retention, `purge` and backups, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

RETENTION_TEXTS: Mapping[str, tuple[str, str]] = {
    "backup.no_folder": (
        "没有备份用的文件夹 {path}：请建好它（或挂上那块磁盘）",
        "There is no folder {path} for backups: create it, or mount its disk",
    ),
}
