"""The texts on a ledger that moves between a file and a server, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

LEDGER_MOVE_TEXTS: Mapping[str, tuple[str, str]] = {
    "moved.to_server": (
        "{path} 处没有台账：本机构的台账在 {server} 上（见 {note}）。请在配置中写 ledger: {server}；要把它迁到这个文件，用那份配置运行 `esign-import ledger move {path}`；若迁移中断过，再运行一次 `esign-import ledger move`。没有提交任何内容。",
        "There is no ledger at {path}: the ledger of this organisation is on {server} (see {note}). Set `ledger: {server}` in the configuration. To move it into this file, run `esign-import ledger move {path}` with that configuration; if a move was interrupted, run `esign-import ledger move` again. Nothing was sent.",
    ),
    "moved.file": (
        "台账 {path} 已迁到数据库服务器，这个文件不能再使用：用它会把之后的医生重新创建一遍。请在配置的 ledger: 中写服务器的地址。没有提交任何内容。",
        "The ledger {path} was moved to a database server, and this file can no longer be used: with it, the seals created since would be created again. Set `ledger:` in the configuration to the address of the server. Nothing was sent.",
    ),
    "moved.registered_on_server": (
        "{path} 是一份旧副本：本机登记 {record} 中，这个台账已在 {registered} 上使用。两份都用会把医生创建两遍。请在配置中写 ledger: {registered}；若服务器上的台账已经丢失，要用 {path} 继续，用 `--new-ledger` 运行一次。",
        "{path} is a former copy: according to the registry of this machine ({record}), this ledger is in use on {registered}. Using both creates seals twice. Set `ledger: {registered}` in the configuration. If the ledger on the server is lost and you go on with {path}, run once with `--new-ledger`.",
    ),
    "moved.registered_in_file": (
        "{path} 上的台账是旧副本：本机登记 {record} 中，这个台账已在文件 {registered} 中使用。两份都用会把医生创建两遍。请在配置中写 ledger: {registered}；若那个文件不再使用，把它移出本机，或用 `--new-ledger` 运行一次。",
        "The ledger on {path} is a former copy: according to the registry of this machine ({record}), this ledger is in use in the file {registered}. Using both creates seals twice. Set `ledger: {registered}` in the configuration. If that file is no longer used, move it off this machine, or run once with `--new-ledger`.",
    ),
    "moved.to_file": (
        "{server} 上没有本机构在用的台账：它在主机 {host} 的文件 {path} 里。请在那台主机上用 ledger: {path} 的配置运行；要迁到服务器（或上次迁移中断），请在那里用该配置运行 `esign-import ledger move`。没有提交任何内容。",
        "The ledger of this organisation is not the one on {server}: it is in the file {path} on host {host}. Run there, with a configuration that has `ledger: {path}`. To move it to the server, also after a move that was interrupted, run `esign-import ledger move` there with that configuration. Nothing was sent.",
    ),
    "moved.unfinished": (
        "主机 {host} 上把台账在 {server} 与文件 {path} 之间迁移时中断，从本机看不出哪一份在用。请在那台主机上再运行一次 `esign-import ledger move`。没有提交任何内容。",
        "A move of the ledger between {server} and the file {path} was interrupted on host {host}, and it cannot be seen from here which of the two is in use. Run `esign-import ledger move` again on that host. Nothing was sent.",
    ),
    "moved.target_in_use": (
        "{server} 上已有本机构在用的台账，{path} 没有迁移。请在配置中写 ledger: {server}；若 {path} 才是对的，请先备份并移走服务器上的台账。没有改动任何内容。",
        "There is a ledger of this organisation in use on {server} already, so {path} was not moved. Set `ledger: {server}` in the configuration. If {path} is the right one, back up and remove the ledger on the server first. Nothing was changed.",
    ),
    "moved.target_exists": (
        "{path} 已经存在，台账没有迁移。请换一个文件名，或先移走它。没有改动任何内容。",
        "{path} exists already, so the ledger was not moved. Give another name, or move that file away first. Nothing was changed.",
    ),
    "moved.other_receipts": (
        "{place} 是另一个台账的回执，台账不能迁到同一文件夹的 {path}。请选另一个文件夹。服务器上的台账仍在使用。",
        "{place} holds the receipts of another ledger, so the ledger cannot be moved to {path} in the same folder. Choose another folder. The ledger on the server is still in use.",
    ),
    "moved.other_key": (
        "{place} 是另一个台账的密钥，台账不能迁到 {path}。请换一个文件名，或先移走该密钥。服务器上的台账仍在使用。",
        "{place} is the site key of another ledger, so the ledger cannot be moved to {path}. Give another name, or move that key away first. The ledger on the server is still in use.",
    ),
    "moved.same_kind": (
        "台账 {ledger} 与目标 {target} 都是{kind}。迁移只在文件与 PostgreSQL 服务器之间进行：在文件之间，停止运行后连同 .key 和 receipts.jsonl 一起移动，再改配置；在服务器之间，先迁到文件。",
        "The ledger {ledger} and the target {target} are both {kind}. A ledger moves between a file and a PostgreSQL server. Between files, move it together with its .key and receipts.jsonl while no run is going on, and change the configuration; between servers, move it to a file first.",
    ),
    "moved.bad_address": (
        "目标不是可用的地址。请写成 postgresql://用户@主机/数据库，不要带口令：口令放在机密文件 ledger__password、PGPASSFILE 或 ~/.pgpass 中。",
        "The target is no address that can be used. Write postgresql://user@host/database, without a password: that belongs in the secret file ledger__password, in PGPASSFILE or in ~/.pgpass.",
    ),
    "moved.one_file": (
        "多家机构的台账不能迁到同一个文件。请用 --profile 逐家迁移，各用各的文件。",
        "The ledgers of several hospitals cannot be moved into one file. Move one after the other with --profile, each into a file of its own.",
    ),
    "moved.kind_file": ("文件", "files"),
    "moved.kind_server": ("服务器", "servers"),
    "moved.defects": (
        "台账 {path} 有 {found} 处问题，没有迁移。请先运行 `esign-import ledger check`，按提示修复。",
        "The ledger {path} has {found} defects and was not moved. Run `esign-import ledger check` and repair them first.",
    ),
    "moved.differs": (
        "迁移后的副本与原台账不一致（表 {table}，第 {row} 行），没有切换：原台账仍在使用。请再运行一次；若仍不一致，请联系开发者。",
        "The copy differs from the ledger (table {table}, row {row}), so the ledger was not moved: the former one is still in use. Run the command again; if it still differs, contact the developers.",
    ),
    "moved.not_taken": (
        "PostgreSQL 不接受台账表 {table} 中的一个值（{why}），没有迁移：原台账仍在使用。请联系开发者。",
        "PostgreSQL does not take a value of the ledger's table {table} ({why}), so the ledger was not moved: it is still in use. Contact the developers.",
    ),
    "moved.receipts_broken": (
        "台账的回执从第 {line} 条起不连贯，没有迁移：原台账仍在使用。请先运行 `esign-import ledger check`。",
        "The chain of the ledger's receipts is broken at number {line}, so the ledger was not moved: it is still in use. Run `esign-import ledger check` first.",
    ),
    "moved.file_in_use": (
        "台账已迁到服务器，但另一个程序还在读 {path}，该文件没有改名。请关闭那个程序，再运行一次同一命令。",
        "The ledger was moved to the server, but another program still reads {path}, so the file was not renamed. Close that program and run the same command again.",
    ),
    "moved.done": (
        "台账已从 {source} 迁到 {target}：{people} 人，{seals} 枚印章，{unresolved} 条未知。",
        "The ledger was moved from {source} to {target}: {people} people, {seals} seals, {unresolved} unknown.",
    ),
    "moved.compared": (
        "逐行比对了 {rows} 行，全部一致，回执也在内。",
        "{rows} rows, the receipts included, were compared one by one and are equal.",
    ),
    "moved.config_line": (
        "请在 {config} 中把 ledger 改为（其他主机的配置也要改）：",
        "Change this line of {config}, and of the configuration on every other host:",
    ),
    "moved.former_file": (
        "原来的文件改名为 {former}（旁边有 .key 和 .receipts.jsonl），不会再被使用；服务器有了备份之后可以删除。",
        "The former file is now {former}, with its .key and .receipts.jsonl. It is not used again; delete it once the server has been backed up.",
    ),
    "moved.former_schema": (
        "服务器上原来的台账改名为模式 {former}，不会再被使用；新台账有了备份（esign-import ledger backup）之后可以删除：DROP SCHEMA {former} CASCADE",
        "The former ledger on the server is now the schema {former}. It is not used again; drop it once the file has been backed up (esign-import ledger backup): DROP SCHEMA {former} CASCADE",
    ),
}
