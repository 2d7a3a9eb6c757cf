"""What cannot be done as it was asked for, on the command line and from Python, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

WORDS: Mapping[str, tuple[str, str]] = {
    "usage.placeholders": ("{place} 里还没有填写：{keys}", "{place} still has to say: {keys}"),
    "usage.near": ("是不是 {name}？", " Did you mean {name}?"),
    "usage.not_unicode": (
        "文件夹名 {path} 不是 UTF-8 编码（可能是 GBK），无法记入台账；请改名后再试。",
        "The folder name {path} is not UTF-8 (it may be GBK) and cannot be kept in the ledger; rename the folder and try again.",
    ),
    "usage.no_pictures": (
        "{path}：不是图片文件夹，也不是 zip；请写文件夹或 .zip 文件。",
        "{path} is neither a folder of pictures nor a zip; name one of these.",
    ),
    "usage.out_is_a_file": (
        "{file} 是文件，不能存放结果；请用 --out 写一个文件夹。",
        "{file} is a file: results need a folder. Name another with --out.",
    ),
    "usage.no_certificate": (
        "{path}（配置里的 api.ca_file）里没有可用的证书；请写 PEM 格式的证书文件（-----BEGIN CERTIFICATE-----）。没有提交任何内容。",
        "{path} (api.ca_file in the configuration) holds no certificate that can be used; name a PEM file (-----BEGIN CERTIFICATE-----). Nothing was sent.",
    ),
    "usage.configured_missing": (
        "找不到 {path}（配置里的 {key}）。是不是共享盘没有连上，或路径写错了？没有提交任何内容。",
        "There is no {path} ({key} in the configuration). Is a share not mounted, or the path misspelt? Nothing was sent.",
    ),
    "usage.results_as_roster": (
        "这是结果表，不是名单；要提交其中改好的行，请用 retry 命令。",
        "This is a results workbook, not a roster; to send its corrected rows, use retry.",
    ),
    "usage.roster_unknown": (
        "{place}：找不到这份结果表的名单，这一行也不在 {rosters} 中；请把结果表放进它的名单所在的文件夹，再运行 run（不是默认文件夹时，在 run 后面写上该文件夹）。",
        "{place}: the roster of this workbook is not found, and the row stands in none of {rosters}; put the workbook into the folder of its roster and use run (name that folder after run where it is not the default one).",
    ),
    "usage.unreadable_password": ("{path}：无法按文本读取", "{path}: cannot be read as text"),
    "usage.not_certified": (
        "unknown: probe 需要证据：{days} 天内、接口 {contract} 下，本租户会拒绝第二次相同的创建。请运行 `esign-import certify`，或改为 unknown: hold。",
        "unknown: probe needs evidence that this tenant refuses a second identical create, not older than {days} days and for contract {contract}: run `esign-import certify`, or set unknown: hold.",
    ),
    "usage.no_ocr": (
        'pictures.ocr 为 true，但没有安装扩展 ocr：请运行 pip install "esign-import[ocr]"，或改为 pictures.ocr: false。',
        'pictures.ocr is true, but the extra "ocr" is not installed: pip install "esign-import[ocr]", or set pictures.ocr: false.',
    ),
    # from Python
    "usage.loop_runs": (
        "事件循环正在运行，不能调用 pipeline.run()：请用 `await pipeline.run_async(...)`。",
        "pipeline.run() cannot be called while an event loop is running: use `await pipeline.run_async(...)`.",
    ),
    "usage.limit": ("limit={limit}：至少为 1", "limit={limit}: at least 1"),
    "usage.ledger_and_key": (
        "ledger 和 site_key 必须一起给出，site_key 为 {bytes} 字节。",
        "ledger and site_key go together, and a site key has {bytes} bytes.",
    ),
    # a bug
    "usage.sums": (
        "结果的合计对不上，没有写出；这是程序错误：{faults}",
        "The results do not add up and were not written; this is a bug: {faults}",
    ),
    "sums.no_seal_id": ("{place}的状态是 {status}，却没有印章ID", "{place} is {status} without a SealId"),
    "sums.ready": ("{place}在 {command} 之后仍是 ready", "{place} is ready after a {command}"),
    "sums.twice": ("{place}出现了两次", "{place} stands twice"),
    "sums.file": (
        "第 {number} 个文件：读取 {read} 行，结果里有 {found} 行",
        "file {number}: {read} rows read, {found} in the results",
    ),
    "sums.row": ("第 {row} 行", "row {row}"),
    "sums.row_of_sheet": ("工作表 {sheet!r} 第 {row} 行", "row {row} of sheet {sheet!r}"),
}
