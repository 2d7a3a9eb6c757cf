"""Texts of several hosts, in Chinese and English: workers, a ledger on a PostgreSQL server, its way there and back."""

from __future__ import annotations

from collections.abc import Mapping

SERVER_TEXTS: Mapping[str, tuple[str, str]] = {
    # ---- `worker` and `enqueue`
    "jobs.no_extra": (
        '没有安装扩展 postgres：请运行 pip install "esign-import[postgres]"。',
        'The extra "postgres" is not installed: run pip install "esign-import[postgres]".',
    ),
    "jobs.no_server": (
        "台账是本机文件（{ledger}）；worker 和 enqueue 要求所有医院的台账在同一个 PostgreSQL 数据库里（顶层的 ledger: postgresql://…）。只有一台主机时请用 schedule install。",
        "The ledger is a file on this host ({ledger}); worker and enqueue need the ledgers of all hospitals in one PostgreSQL database (ledger: postgresql://… at the top level). On a single host use schedule install.",
    ),
    "jobs.other_database": (
        "{hospital} 的台账在另一个数据库（{ledger}），而队列在 {queue}；所有医院的 ledger 要写同一个地址。",
        "The ledger of {hospital} is in another database ({ledger}) than the queue ({queue}); give all hospitals the same ledger.",
    ),
    "jobs.every_hospital": (
        "worker 为配置里的全部医院工作；请去掉 --profile。只运行一家请用 enqueue 医院名。",
        "A worker works for every hospital of the configuration; omit --profile. To run one hospital, use enqueue HOSPITAL.",
    ),
    "jobs.pooler": (
        "应答的不是 PostgreSQL 本身，而是连接池（例如 PgBouncer）；worker 需要直接连接：请在 ledger 里写 PostgreSQL 自己的主机和端口。",
        "A connection pooler (such as PgBouncer) answers in place of PostgreSQL; a worker needs a direct connection: give the host and port of PostgreSQL itself in ledger.",
    ),
    "jobs.too_new": (
        "队列的表属于更新的 procrastinate（{applied}，这里是 {newest}）；请在所有主机上安装同一版本的 esign-import[postgres]。",
        "The queue's tables are those of a newer procrastinate ({applied}; here: {newest}); install the same version of esign-import[postgres] on every host.",
    ),
    "worker.started": (
        "worker 已启动（同时运行 {processes} 家医院），每天 {start} 排队；Ctrl-C 停止。",
        "The worker has started ({processes} runs at once); hospitals are queued every day at {start}. Ctrl-C stops it.",
    ),
    "worker.stopping": (
        "正在停止：等待 {runs} 个运行已发出的请求……",
        "Stopping after the requests in progress of {runs} runs.",
    ),
    "worker.stopped": ("worker 已停止。", "The worker has stopped."),
    "worker.queued": ("{hospital}：已排队（{day}）", "{hospital}: queued for {day}"),
    "worker.new": (
        "第一次见到：{names}；从下一个 {start} 起每天运行。要现在就运行：esign-import enqueue --all，或写医院名",
        "Seen for the first time: {names}. They run every day from the next {start} on; to run them now: esign-import enqueue --all, or their names",
    ),
    "worker.run": ("{hospital}：开始运行（第 {attempt} 次）", "{hospital}: run begins (try {attempt})"),
    "worker.ended": (
        "{hospital}：运行{run} 结束，退出码 {exit}",
        "{hospital}: run{run} ended, exit code {exit}",
    ),
    "worker.failed": (
        "{hospital}：运行{run} 失败，退出码 {exit}；今天不再重试",
        "{hospital}: run{run} failed, exit code {exit}; it is not tried again today",
    ),
    "worker.again": (
        "{hospital}：运行{run} 提前停止，退出码 {exit}；{wait} 秒后重试",
        "{hospital}: run{run} stopped early, exit code {exit}; next try in {wait} seconds",
    ),
    "worker.drained": (
        "{hospital}：运行已收尾；由别的 worker 接着做",
        "{hospital}: the run has drained; another worker continues it",
    ),
    "worker.taken_over": (
        "任务 {job}：原来的 worker 没有了，重新排队",
        "Job {job}: its worker is gone; queued again",
    ),
    "worker.closed": (
        "任务 {job}：原来的 worker 没有了，同一天已有另一个任务；已关闭",
        "Job {job}: its worker is gone and the day has another job; closed",
    ),
    "worker.too_often": (
        "{hospital}：今天已开始 {tries} 次都没有做完，不再重试；请看 worker 为什么中断（内存、磁盘），再用 enqueue 排队",
        "{hospital}: the run began {tries} times today and never ended; it is not tried again. Find out what ends the workers (memory, disk), then use enqueue",
    ),
    "worker.line": ("{hospital}：{line}", "{hospital}: {line}"),
    "enqueue.queued": ("{hospital}：已排队（{day}）", "{hospital}: queued for {day}"),
    "enqueue.present": (
        "{hospital}：已在队列中或正在运行（{day}）",
        "{hospital}: already queued or running ({day})",
    ),
    "enqueue.next": (
        "worker 会接着运行。要看结果，请输入：",
        "A worker runs them. To see how they end, run:",
    ),
    # ---- a ledger in a database
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
    # ---- a ledger that moves between a file and a server
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
