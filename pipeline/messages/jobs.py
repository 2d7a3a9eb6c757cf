"""Texts of `worker` and `enqueue`, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

JOB_TEXTS: Mapping[str, tuple[str, str]] = {
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
}
