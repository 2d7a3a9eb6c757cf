"""The texts on a ledger in a PostgreSQL database, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

SERVER_LEDGER_TEXTS: Mapping[str, tuple[str, str]] = {
    "server.no_extra": (
        '台账在 PostgreSQL 里（ledger: {address}），但没有安装扩展 "postgres"：请运行 pip install "esign-import[postgres]"。没有提交任何内容。',
        'The ledger is in PostgreSQL (ledger: {address}), but the extra "postgres" is not installed: run pip install "esign-import[postgres]". Nothing was sent.',
    ),
    "server.bad_address": (
        "{server}：不是 PostgreSQL 能识别的地址{why}；请检查 ledger:，如 postgresql://用户@主机:5432/数据库?sslmode=verify-full。没有提交任何内容。",
        "{server}: PostgreSQL does not understand this address{why}. Check `ledger:`, such as postgresql://user@host:5432/database?sslmode=verify-full. Nothing was sent.",
    ),
    "server.no_secret": (
        """台账在 PostgreSQL 里，需要台账口令来保护其中的台账密钥，但没有找到：{places}。没有提交任何内容。
若这个数据库里已有台账，请用建立它时的那个口令，各台主机都相同；丢了它就打不开台账。
第一次使用时请生成一个，并在备份以外的地方另存一份：
  python -c "import secrets; print(secrets.token_urlsafe(32))" > {file}
  chmod 600 {file}""",
        """The ledger is in PostgreSQL and needs the operator's secret, which protects its site key. It was not found: {places}. Nothing was sent.
If this database has ledgers already, use the secret they were made with, the same on every host; without it they cannot be opened.
The first time, make one and keep a copy where your backups are not:
  python -c "import secrets; print(secrets.token_urlsafe(32))" > {file}
  chmod 600 {file}""",
    ),
    "server.ways_back": (
        "不要运行，也不要改动数据库：先用 pg_dump 把现状存下来，再恢复出问题以前的数据库备份（pg_restore），没有备份就联系开发者。",
        "Do not run, and change nothing in the database: keep it as it is with pg_dump, then restore a backup from before (pg_restore), or contact the developers.",
    ),
    "server.no_backup": (
        """台账在 PostgreSQL 里，由数据库的备份来保管，这条命令不复制它。备份本机构的台账：
  pg_dump --format=custom --schema={schema} --file=ledger.dump {url}
台账口令（ledger__secret）不在里面，请另外保管；没有它，备份打不开。""",
        """The ledger is in PostgreSQL: it is kept by backups of the database, and this command does not copy it. To back up the ledger of this organisation:
  pg_dump --format=custom --schema={schema} --file=ledger.dump {url}
The operator's secret (ledger__secret) is not in it: keep a copy elsewhere. Without it the backup cannot be opened.""",
    ),
    "server.no_restore": (
        """台账在 PostgreSQL 里，请用数据库自己的工具恢复。没有改动任何内容。
先停掉各台主机上的运行，再由最新的备份恢复本机构的台账：
  pg_restore --clean --if-exists --dbname={url} ledger.dump""",
        """The ledger is in PostgreSQL: restore it with the database's own tools. Nothing was changed.
Stop the runs on every host, then restore the ledger of this organisation from the newest backup:
  pg_restore --clean --if-exists --dbname={url} ledger.dump""",
    ),
    "server.no_rebuild": (
        """台账在 PostgreSQL 里，它的回执是同一个数据库里的行，旁边没有可以用来重建的文件。没有改动任何内容。
请恢复最新的数据库备份：
  pg_restore --clean --if-exists --dbname={url} ledger.dump
没有备份，就登记已有的印章：esign-import adopt FILE""",
        """The ledger is in PostgreSQL: its receipts are rows of the same database, and there is no file to rebuild it from. Nothing was changed.
Restore the newest backup of the database:
  pg_restore --clean --if-exists --dbname={url} ledger.dump
Without a backup, import the existing seals: esign-import adopt FILE""",
    ),
    "doctor.server": (
        "PostgreSQL {version}，synchronous_commit {commits}，台账在模式 {schema} 里；它的时钟与本机相差 {seconds} 秒",
        "PostgreSQL {version}, synchronous_commit {commits}, the ledger is in schema {schema}; its clock is {seconds} s from this machine's",
    ),
    "doctor.held": (
        "{path}：运行 {run} 自 {since} 起正在进行（主机 {host}，用户 {name}，进程 {pid}）",
        "{path}: run {run} is in progress since {since} (process {pid} of user {name} on host {host})",
    ),
    "server.weak_secret": (
        '台账口令（{place}）只有 {found} 个字符，至少要 {needed} 个。请重新生成：python -c "import secrets; print(secrets.token_urlsafe(32))"。没有提交任何内容。',
        'The operator\'s secret of the ledger ({place}) has {found} characters; at least {needed} are needed. Make another one: python -c "import secrets; print(secrets.token_urlsafe(32))". Nothing was sent.',
    ),
}
