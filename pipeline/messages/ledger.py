"""The texts on the ledger, its key, its lock and its disk, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

LEDGER_TEXTS: Mapping[str, tuple[str, str]] = {
    # the lock
    "ledger.lock_failed": (
        "无法取得运行锁 {path}（{why}）；请把台账放在本机磁盘上。",
        "The run lock {path} cannot be used ({why}); put the ledger on a local disk of this machine.",
    ),
    "ledger.lock_not_made": (
        "无法在 {folder} 中建立台账的文件（{why}）；请核对配置中的 ledger:，改为一个可写的本机文件夹。没有提交任何内容。",
        "The ledger files cannot be created in {folder} ({why}). Check `ledger:` in the configuration and use a local folder that can be written. Nothing was sent.",
    ),
    "ledger.holder_failed": (
        "无法在台账旁写入文件 {path}（{why}）；请腾出磁盘空间或修复磁盘。",
        "{path} next to the ledger cannot be written ({why}); free disk space or repair the disk.",
    ),
    "ledger.locked": (
        "运行 {run} 自 {since} 起正在使用台账：主机 {host}，用户 {name}，进程 {pid}。请待其结束后再试。",
        "Run {run} has been using the ledger since {since}: process {pid} of user {name} on host {host}. Try again after it has ended.",
    ),
    "ledger.locked_by_somebody": (
        "另一个进程正持有运行锁 {path}；请待其结束后再试。",
        "Another process holds the lock {path}; try again after it has ended.",
    ),
    "ledger.network_disk": (
        "{folder} 位于网络文件系统（{kind}），其文件锁和写入都不可靠；请在配置的 ledger: 中改用本机磁盘上的位置。",
        "{folder} is on a network file system ({kind}), where file locks and writes are not reliable; set `ledger:` in the configuration to a place on a local disk of this machine.",
    ),
    # opening
    "ledger.not_opened": ("无法打开台账 {path}（{why}）。", "The ledger {path} cannot be opened ({why})."),
    "ledger.key_missing": (
        "台账密钥 {place} 缺失或已损坏，没有它就认不出任何医生。请从备份放回该文件，或用 `esign-import ledger restore` 一并恢复台账与密钥。",
        "The site key of the ledger, {place}, is missing or damaged, and no doctor can be recognised without it. Put the file back from a backup, or restore ledger and key together with `esign-import ledger restore`.",
    ),
    "ledger.other_environment": (
        "台账 {path} 属于{owner}，而配置指向{environment}。每个环境用自己的台账：请在配置中写 ledger: {suggested}；若只是 api.endpoint 写错了，请改回来。没有提交任何内容。",
        "The ledger {path} belongs to {owner}, but the configuration is for {environment}. Each environment needs its own ledger: set `ledger: {suggested}` in the configuration. If only api.endpoint is wrong, correct it. Nothing was sent.",
    ),
    "ledger.other_id": (
        "台账 {path} 的 {key} 是 {owned}，而配置里写的是 {configured}，其余都相同。若是写错了，请改正配置，不要换台账：换了台账，所有医生会被重新创建一遍。若确实是另一个应用或机构，请在 ledger: 中给它一个新的台账文件。没有提交任何内容。",
        "The ledger {path} has {key} {owned}, but the configuration has {configured}; everything else is the same. If this is a typo, correct the configuration and keep the ledger: with a new ledger, the seals of all doctors would be created again. If it really is another application or organisation, set `ledger:` to a new ledger file. Nothing was sent.",
    ),
    "ledger.other_tenant": (
        "台账 {path} 属于 {owner}，而配置是 {tenant}，应用和机构都不同。请核对用的是不是贵院的配置文件（--config）；若确实是另一家机构，请在 ledger: 中给它一个新的台账文件。没有提交任何内容。",
        "The ledger {path} belongs to {owner}, but the configuration is for {tenant}; application and organisation are both different. Check that --config is the right file. If it really is another organisation, set `ledger:` to a new ledger file. Nothing was sent.",
    ),
    "environment.production": ("正式环境", "the production environment"),
    "environment.test": ("联调环境", "the test environment"),
    "environment.sandbox": ("本机沙盒", "the sandbox on this machine"),
    "ledger.other_key": (
        "密钥 {place} 不是本台账创建时的密钥。请从备份放回正确的密钥，或用 `esign-import ledger restore` 一并恢复台账与密钥。",
        "The site key {place} is not the one this ledger was created with. Put the right key back from a backup, or restore ledger and key together with `esign-import ledger restore`.",
    ),
    "ledger.lost": (
        "{path} 处没有台账，但 {found} 表明以前创建过印章；用新台账会把所有医生重新创建一遍。请恢复备份（`esign-import ledger restore`）、由回执重建（`esign-import ledger rebuild`）、登记已有印章（`esign-import adopt FILE`）；若确实从未创建过，请用 `esign-import run --new-ledger`。",
        "There is no ledger at {path}, but {found} shows that seals were created earlier; with a new ledger, all of them would be created again. Restore a backup (`esign-import ledger restore`), rebuild the ledger from its receipts (`esign-import ledger rebuild`), or import the existing seals (`esign-import adopt FILE`). If no seal was ever created, use `esign-import run --new-ledger`.",
    ),
    "ledger.older": (
        "台账比 {place} 旧：其中没有运行 {run} 创建的印章，这些医生会被重新创建。请恢复更新的备份，或用 `esign-import adopt FILE` 登记该次 results.xlsx 中的印章；之后（或确实没有创建过）用 `--new-ledger` 运行。",
        "The ledger is older than {place}: it lacks seals of run {run}, which would be created again. Restore a newer backup, or import the seals of its results.xlsx with `esign-import adopt FILE`; then, or if nothing was created, run with `--new-ledger`.",
    ),
    "ledger.behind_receipts": (
        "回执 {place} 里有 {attempts} 次创建、{seals} 枚印章是台账 {path} 没有的：台账是旧副本，或复制时缺了 -wal 文件。没有提交任何印章，也没有改动任何文件。请运行 `esign-import ledger rebuild`，由回执重建台账；若这些回执属于另一个台账，请先把它移走。",
        "The receipts {place} contain {attempts} submissions and {seals} seals that the ledger {path} lacks: it is an older copy, or was copied without its -wal file. Nothing was sent or changed. Run `esign-import ledger rebuild` to rebuild the ledger from the receipts. If the receipts belong to another ledger, move them away first.",
    ),
    "ledger.receipts_broken": (
        "回执 {place} 第 {line} 行被改动或缺失。没有提交任何印章，也没有改动任何文件。请运行 `esign-import ledger rebuild`：台账完好时由它重写回执，损坏的文件会保留。",
        "Line {line} of the receipts {place} was changed or is missing. Nothing was sent or changed. Run `esign-import ledger rebuild`: it writes the receipts again from the intact ledger and keeps the damaged file.",
    ),
    "ledger.two_histories": (
        "台账 {path} 与回执 {place} 各有对方没有的印章或创建，不能互相重建。请把两者都保留好，用备份恢复（`esign-import ledger restore`）。",
        "The ledger {path} and the receipts {place} each contain seals or submissions that the other lacks, so neither can be rebuilt from the other. Keep both and restore a backup (`esign-import ledger restore`).",
    ),
    "ledger.receipts_older": (
        "损坏的台账 {path} 比回执 {place} 新，由回执重建会丢失最后的创建。请把两者都保留好，用备份恢复（`esign-import ledger restore`）；没有备份时，把台账移走，用 `esign-import adopt FILE` 登记 results.xlsx 中的印章。",
        "The damaged ledger {path} is newer than the receipts {place}; rebuilding it from them would lose the last submissions. Keep both and restore a backup (`esign-import ledger restore`). Without a backup, move the ledger away and import the seals of results.xlsx (`esign-import adopt FILE`).",
    ),
    "ledger.registered_lost": (
        "{path} 处没有台账，但本机登记 {record} 表明该机构的台账曾在这里并提交过印章；用新台账会把所有医生重新创建一遍。请恢复备份（`esign-import ledger restore`）、由回执重建（`esign-import ledger rebuild`）或登记已有印章（`esign-import adopt FILE`）；若确实不再需要它，用 `--new-ledger` 运行一次。",
        "There is no ledger at {path}, but the registry of this machine ({record}) shows that the ledger of this organisation was there and was used to send seals; with a new ledger, all of them would be created again. Restore a backup (`esign-import ledger restore`), rebuild the ledger from its receipts (`esign-import ledger rebuild`), or import the existing seals (`esign-import adopt FILE`). If it is no longer needed, run once with `--new-ledger`.",
    ),
    "ledger.server_registered_lost": (
        "{path} 上没有该机构的台账，但本机登记 {record} 表明它曾在那里并提交过印章；用新台账会把所有医生重新创建一遍。请恢复数据库的备份（pg_restore），或登记已有印章（`esign-import adopt FILE`）；若确实不再需要它，用 `--new-ledger` 运行一次。",
        "There is no ledger of this organisation on {path}, but the registry of this machine ({record}) shows that it was there and was used to send seals; with a new ledger, all of them would be created again. Restore the database from a backup (pg_restore), or import the existing seals (`esign-import adopt FILE`). If it is no longer needed, run once with `--new-ledger`.",
    ),
    "ledger.server_registered_newer": (
        "{path} 上的台账比本机登记 {record} 的进度旧：缺少 {lost} 次创建，这些医生会被重新创建。数据库可能恢复了旧备份，或切换到了丢失提交的备库。请切回原来的主库或恢复较新的备份，或用 `esign-import adopt FILE` 登记之后各次 results.xlsx 中的印章；然后用 `--new-ledger` 运行一次。",
        "The ledger on {path} is older than the registry of this machine ({record}) shows: {lost} submissions are missing, and their seals would be created again. The database may have been restored from an old backup, or a standby that lost commits has taken over. Go back to the former primary, restore a newer backup, or import the seals of later results.xlsx files (`esign-import adopt FILE`); then run once with `--new-ledger`.",
    ),
    "ledger.registered_other": (
        "本机登记 {record} 中，该机构的台账是 {registered}，不是 {path}。同一机构用两个台账会把医生创建两遍。请把配置的 ledger: 改为前者；若 {path} 才是对的，用 `--new-ledger` 运行一次。",
        "According to the registry of this machine ({record}), the ledger of this organisation is {registered}, not {path}. With two ledgers, seals are created twice. Set `ledger:` in the configuration to the registered ledger. If {path} is the right one, run once with `--new-ledger`.",
    ),
    "ledger.registered_copy": (
        "{path} 与 {registered} 是同一台账的两份副本（本机登记 {record}）。两份都用会把医生创建两遍。请只保留较新的一份，把另一份移出本机；若要用 {path} 而另一份必须保留，用 `--new-ledger` 运行一次。",
        "{path} and {registered} are two copies of the same ledger (registry {record}). Using both creates seals twice. Keep the newer one and move the other off this machine. If you need {path} and have to keep the other, run once with `--new-ledger`.",
    ),
    "ledger.registered_newer": (
        "台账 {path} 比本机登记 {record} 的进度旧：缺少 {lost} 次创建，这些医生会被重新创建。请放回较新的台账或恢复较新的备份（`esign-import ledger restore`），或用 `esign-import adopt FILE` 登记之后各次 results.xlsx 中的印章；然后用 `--new-ledger` 运行一次。",
        "The ledger {path} is older than the registry of this machine ({record}) shows: {lost} submissions are missing, and their seals would be created again. Put the newer ledger back, restore a newer backup (`esign-import ledger restore`), or import the seals of later results.xlsx files (`esign-import adopt FILE`); then run once with `--new-ledger`.",
    ),
    "ledger.registry_failed": (
        "无法写入本机台账登记 {folder}（{why}），因此发现不了同一机构的第二个或较旧的台账。请让运行本程序的用户有可写的状态目录（环境变量 XDG_STATE_HOME）。",
        "The registry of ledgers {folder} cannot be written ({why}), so a second or older ledger of this organisation cannot be detected. Give the user who runs this program a writable state folder (environment variable XDG_STATE_HOME).",
    ),
    "ledger.lock_lost": (
        "运行期间锁文件 {path} 被删除或替换，不再提交任何印章：可能另有运行已经开始。请确认没有其他运行后再运行一次；已发出而无结果的记录会保留为“未知”。",
        "The lock file {path} was deleted or replaced during the run, so sending stopped: another run may have started. Make sure that no other run is in progress, then run again. Rows that were sent without an answer are kept as unknown.",
    ),
    "ledger.lease_lost": (
        "另一个进程已接管 {server} 上的台账，本次运行不再提交任何印章；已发出而没有结果的记录会保留为“未知”。接管的运行会继续处理其余医生。",
        "Another process has taken over the ledger on {server}, so this run stopped sending. Rows that were sent without an answer are kept as unknown. The run that took over goes on with the other doctors.",
    ),
    "ledger.server_failed": (
        "无法使用 {server} 上的台账（{why}）。请检查数据库是否在运行、地址和用户是否正确，然后再次运行；已记入台账的内容没有丢失。",
        "The ledger on {server} cannot be used ({why}). Check that the database runs and that address and user are right, then run again; nothing that the ledger holds is lost.",
    ),
    "ledger.server_old": (
        "{server} 的 PostgreSQL 版本太旧；需要 {needed} 或更新的版本。",
        "PostgreSQL on {server} is too old; version {needed} or later is needed.",
    ),
    "ledger.server_unsafe": (
        "{server} 的 {setting} 为 off：断电后可能丢失已提交的记录，医生会被重复创建印章。请将其设为 on 后再运行。没有提交任何内容。",
        "On {server}, {setting} is off: a commit could be lost in a power failure, and a doctor would get a second seal. Set it to on, then run again. Nothing was sent.",
    ),
    "ledger.server_standby": (
        "{server} 是只读备库。请在 ledger 中写主库的地址。没有提交任何内容。",
        "{server} is a read-only standby. Set `ledger` to the address of the primary server. Nothing was sent.",
    ),
    "ledger.server_secret_short": (
        "台账口令（ledger__secret）太短；至少需要 {needed} 个字符。",
        "The operator's secret (ledger__secret) is too short; it needs at least {needed} characters.",
    ),
    "ledger.server_secret_wrong": (
        "台账口令（ledger__secret）与创建这份台账时的不同，无法解开台账密钥，认不出任何医生。请在本机放入与其他主机相同的口令。没有提交任何内容。",
        "The operator's secret (ledger__secret) is not the one with which this ledger was created: its site key cannot be decrypted, and no doctor can be recognised. Install the same secret as on the other hosts. Nothing was sent.",
    ),
    "ledger.server_encoding": (
        "{server} 的数据库编码是 {encoding}，无法保存所有姓名。请另建编码为 UTF8 的数据库（CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0），并在 ledger 中写它的地址。没有提交任何内容。",
        "The encoding of the database {server} is {encoding}: it cannot hold every name. Create one with the encoding UTF8 (CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0) and set `ledger` to its address. Nothing was sent.",
    ),
    "ledger.server_behind": (
        "{server} 丢失了本次运行已提交的记录（例如切换到了落后的备库），不再提交任何印章。请恢复原来的主库或较新的备份；若无法恢复，请用 `esign-import adopt FILE` 登记本次结果中的印章。",
        "{server} has lost commits of this run (for example by a failover to a standby that was behind), so sending stopped. Bring the former primary or a newer backup back; if that cannot be done, import the seals in the results of this run (`esign-import adopt FILE`).",
    ),
    "ledger.server_lost": (
        "{path} 上没有本机构的台账，但 {found} 表明以前创建过印章；用新台账会把所有医生重新创建一遍。请恢复数据库的备份，用 `esign-import ledger move` 迁入原来的台账，或用 `esign-import adopt FILE` 登记已有印章；若确实从未创建过，请用 `esign-import run --new-ledger`。",
        "There is no ledger of this organisation on {path}, but {found} shows that seals were created earlier; with a new ledger, all of them would be created again. Restore the database from a backup, bring the former ledger in with `esign-import ledger move`, or import the existing seals (`esign-import adopt FILE`). If no seal was ever created, use `esign-import run --new-ledger`.",
    ),
    "ledger.server_damaged": (
        "{server} 上的台账已损坏或属于其他机构：密钥与校验值不符。请恢复数据库的备份。没有提交任何内容。",
        "The ledger on {server} is damaged or belongs to another organisation: its key does not match its check. Restore the database from a backup. Nothing was sent.",
    ),
    "ledger.replaced": (
        "运行期间台账 {path} 被移走或替换，不再提交任何印章。请放回原来的文件后再运行。",
        "The ledger {path} was moved or replaced during the run, so sending stopped. Put the original file back, then run again.",
    ),
    "ledger.old_sqlite": (
        "当前 Python 自带 SQLite {found}，台账需要 {needed} 或更新；请改用 python.org 或 uv 提供的 Python。",
        "This Python includes SQLite {found}, but the ledger needs {needed} or newer. Use a Python from python.org or uv.",
    ),
    "ledger.other_version": (
        "台账 {path} 的版本为 {version}，本程序只用版本 {known}：请改用写下它的 esign-import 版本，或由回执重建台账（ledger rebuild）。",
        "The ledger {path} has version {version}, and this program uses version {known} only: use the version of esign-import that wrote it, or make the ledger again from its receipts (ledger rebuild).",
    ),
    "ledger.strange_endpoint": (
        "接口地址 {endpoint} 既不是腾讯云的正式或联调地址，也不是本机地址。",
        "The endpoint {endpoint} is not an address of Tencent Cloud (production or test) and not on this machine.",
    ),
    # reading and writing
    "ledger.not_read": (
        "无法读取台账 {path}（{why}）。请保留该文件，用 `esign-import ledger restore` 恢复备份，或用 `esign-import ledger rebuild` 由 receipts.jsonl 重建。",
        "The ledger {path} cannot be read ({why}). Keep the file as it is and restore a backup with `esign-import ledger restore`, or rebuild it from receipts.jsonl with `esign-import ledger rebuild`.",
    ),
    "ledger.not_written": (
        "无法写入台账 {path}（{why}），不再提交任何印章。请腾出磁盘空间或修复磁盘后再运行；已发出而无结果的记录会保留为“未知”。",
        "The ledger {path} could not be written ({why}), so sending stopped. Free disk space or repair the disk, then run again. Rows that were sent without an answer are kept as unknown.",
    ),
    "ledger.side_file_opened": (
        "{path} 是台账只读时留下的，已恢复为可写。",
        "{path} was left from when the ledger was read-only; it is writable again.",
    ),
    "ledger.stale_shm": (
        "用户 {user} 没有权限写入 {path}（属于 {owner}）。它是台账只读时留下的索引，不含数据。请在没有运行时删除它，再运行；台账没有损坏，不用恢复或重建。",
        "User {user} has no permission to write {path}, which belongs to {owner}. It is an index left from when the ledger was read-only and contains no data. Delete it while no run is in progress, then run again; the ledger is not damaged.",
    ),
    # backup, restore, rebuild
    "ledger.backup_exists": (
        "{target} 已存在，请换一个文件名，或只写文件夹。",
        "{target} already exists; use another file name, or specify only a folder.",
    ),
    "ledger.backup_failed": (
        "无法写入备份 {target}（{why}）。",
        "The backup {target} could not be written ({why}).",
    ),
    "ledger.no_backup": (
        "{source} 不是本程序的备份；请写 `esign-import ledger backup` 写出的文件（名称如 ledger-20260101-020000-000.backup）。",
        "{source} is not a backup of this program; specify a file that `esign-import ledger backup` wrote (named like ledger-20260101-020000-000.backup).",
    ),
    "ledger.other_past": (
        "{place} 与此备份接不上，记录的是另一段历史。请用更新的备份，或用 `esign-import ledger rebuild`（只需要该文件和密钥）。",
        "{place} does not continue this backup: it has a different history. Use a newer backup, or `esign-import ledger rebuild`, which needs only that file and the key.",
    ),
    "ledger.in_order": (
        "台账 {path} 完好，不会被覆盖；如确需替换，请先把它移走。",
        "The ledger {path} is intact and will not be replaced. To replace it, move it away first.",
    ),
    "ledger.no_receipts": (
        "{place} 处没有回执；请恢复备份（`esign-import ledger restore`）或登记已有印章（`esign-import adopt FILE`）。",
        "There are no receipts at {place}; restore a backup (`esign-import ledger restore`) or import the existing seals (`esign-import adopt FILE`).",
    ),
    "ledger.receipts_line": ("第 {line} 行", "line {line}"),
    "ledger.receipts_damaged": (
        "回执无法还原台账（{why}）。请保留 {place}，改用备份恢复（`esign-import ledger restore`）。",
        "The ledger cannot be rebuilt from the receipts ({why}). Keep {place} and restore a backup (`esign-import ledger restore`).",
    ),
    # the ledger commands
    "ledger_backed_up": (
        "已备份到 {path}（含密钥，请妥善保管）。",
        "Backed up to {path} (it contains the key: keep it safe).",
    ),
    "ledger_aside": ("原来的台账已移到 {path}。", "The former ledger was moved to {path}."),
    "ledger_receipts_rewritten": (
        "回执已由台账重写，损坏的文件已移到 {path}。",
        "The receipts were written again from the ledger; the damaged file was moved to {path}.",
    ),
    "ledger_newer": (
        "旁边的 receipts.jsonl 比备份新，已一并恢复。",
        "receipts.jsonl next to it was newer than the backup and was restored as well.",
    ),
    "ledger_restored": (
        "台账已恢复：{people} 人，{seals} 枚印章，{unresolved} 行结果未知。",
        "Ledger restored. People: {people}. Seals: {seals}. Unknown results: {unresolved}.",
    ),
    "ledger_sound": (
        """台账完好：{path}
  核对了数据库、密钥和 {receipts} 条回执，三者一致
  其中 {people} 人，{seals} 枚印章，{unresolved} 人的提交结果未知""",
        """The ledger is intact: {path}
  Database, site key and receipts ({receipts}) agree
  People: {people}. Seals: {seals}. Unknown results: {unresolved}""",
    ),
    "ledger_trouble_ledger": (
        "台账 {path} 内部已损坏（{what}）",
        "The ledger {path} is damaged ({what})",
    ),
    "ledger_trouble_behind": (
        "回执 {receipts} 里有台账 {path} 没有的创建或印章：{what} 处",
        "The receipts {receipts} contain submissions or seals that the ledger {path} lacks: {what}",
    ),
    "ledger_trouble_end": (
        "回执 {receipts} 不全：台账写到第 {what} 条，文件里没有这一条",
        "The receipts {receipts} are incomplete: the ledger goes up to line {what}, which is missing in the file",
    ),
    "ledger_trouble_line": (
        "回执 {receipts} 第 {what} 行已损坏或被改动",
        "Line {what} of the receipts {receipts} is damaged or was changed",
    ),
    "ledger_trouble_differs": (
        "台账和回执不一致：{what}",
        "Ledger and receipts disagree: {what}",
    ),
    "ledger_troubles_more": ("另有 {n} 处", "and {n} more"),
    "ledger_two_stories": (
        "请保留 state 文件夹里的全部文件，不要运行；用两者一致时的备份恢复，没有备份就联系开发者。",
        "Keep all files in the state folder and do not run; restore a backup from when ledger and receipts agreed, or contact the developers.",
    ),
    "ledger_receipts_again": (
        "台账本身完好，下一次运行会由台账重写 {receipts}，原文件会保留。",
        "The ledger itself is intact. The next run writes {receipts} again from it and keeps the original file.",
    ),
    "ledger_ways_back": (
        "请先保留全部文件，再运行 ledger rebuild（由回执重建台账，或由完好的台账重写回执），或用备份恢复（ledger restore FILE）。",
        "Keep all files, then run ledger rebuild (it rebuilds the ledger from the receipts, or the receipts from an intact ledger), or restore a backup (ledger restore FILE).",
    ),
    # a file or folder of ours that cannot be used
    "disk.rights": (
        "用户 {user} 对 {path} 没有所需的权限（它属于 {owner}）。请给该用户权限（如 chown 或 chmod）后再运行。",
        "User {user} has no permission for {path}, which belongs to {owner}. Give that user permission (chown or chmod), then run again.",
    ),
    "disk.read_only": (
        "{path} 所在的磁盘是只读的，用户 {user} 不能写入。请重新挂载为可写，或把文件夹改到别的磁盘。",
        "The disk of {path} is read-only, so user {user} cannot write there. Mount it read-write, or use a folder on another disk.",
    ),
    "disk.full": (
        "{path} 所在的磁盘已满（或用户 {user} 的配额已用完）。请腾出空间后再运行。",
        "The disk of {path} is full, or the quota of user {user} is used up. Free space, then run again.",
    ),
    "disk.stdout": (
        "标准输出写不进去（{why}）；结果文件和台账已经写好。",
        "Standard output cannot be written ({why}); results and ledger were written.",
    ),
    "disk.in_use": (
        "{path} 正被别的程序打开（Excel、预览窗格、杀毒软件），或用户 {user} 没有写权限。请关闭它后再运行。",
        "{path} is open in another program (Excel, preview pane, virus scanner), or user {user} may not write it. Close it, then run again.",
    ),
    "disk.long_path": (
        "{path} 太长：Windows 的路径最多 259 个字符。请把文件夹移到靠近盘符的位置（如 D:\\esign），或启用长路径（docs/zh/windows.md）。",
        "{path} is too long: a path on Windows has at most 259 characters. Move the folder closer to the drive (such as D:\\esign), or enable long paths (docs/en/windows.md).",
    ),
    "disk.other": (
        "无法读写 {path}（{why}，用户 {user}）。请信息科检查磁盘。",
        "{path} cannot be read or written ({why}, user {user}). IT: check the disk.",
    ),
}
