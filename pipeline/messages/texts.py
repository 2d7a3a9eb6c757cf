"""Short texts inside other messages, by key: what was found in a file or picture, what happened on the wire.

`make_text` returns a `KeyedText`: an English string that knows its key and arguments. Stages pass it on in a problem's
detail, a note or an answer's message; `render_text` shows it in either language, `dump_text` and `load_text` store it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.domain.fields import FIELDS
from pipeline.domain.keyed_text import KeyedText

LIST = "list"  # the key of several texts in a row

FIELD_NAMES: Mapping[str, tuple[str, str]] = {name: entry.words for name, entry in FIELDS.items()}

TEXTS: Mapping[str, tuple[str, str]] = {
    # ---- why a roster gets no marked copy
    "copy.cell_pictures": ("单元格里有图片", "it has pictures in cells"),
    "copy.controls": ("有控件，或既有宏又有批注", "it has form controls, or comments and macros"),
    "copy.differs": ("副本读出来与名单不一致", "the copy would not read like the roster"),
    "copy.drawings": ("有图片、图表或图形", "it has pictures, charts or shapes"),
    "copy.encrypted": ("不是普通的 .xlsx 文件（例如有打开密码）", "it is no plain .xlsx file, for instance it has a password"),
    "copy.feature": ("有副本保留不了的内容（{what}）", "it has something that the copy cannot keep ({what})"),
    "copy.large": ("名单太大", "it is too large"),
    "copy.no_room": ("右边没有空列", "there is no free column at its right end"),
    "copy.pivot": ("有数据透视表", "it has a pivot table"),
    "copy.rows": ("本次名单超过 {limit} 行", "the rosters of this run have more than {limit} rows"),
    "copy.signature": ("宏有数字签名", "its macros are signed"),
    "copy.threads": ("有批注对话", "it has comment threads"),
    # ---- inside a roster file
    "file.cells": ("单元格", "cells"),
    "file.cell": ("{cell} 单元格", "cell {cell}"),
    "file.cell_too_long": ("{cell}：{length} 个字", "{cell}: {length} characters"),
    "file.changed_since": ("运行之后被改过", "changed since the run"),
    "file.cut_off": ("文件不完整", "cut off"),
    "file.damaged_zip": ("压缩包已损坏", "damaged zip"),
    "file.delimiter": ("分隔符 {sign}", "delimiter {sign}"),
    "file.is_results": ("本程序的结果表", "esign-import results"),
    "file.line_too_long": ("第 {line} 行：超过 {limit} 个字", "line {line}: > {limit} characters"),
    "file.missing_part": ("缺少 {part}", "missing part: {part}"),
    "file.no_known_format": ("无法识别的格式", "no known format"),
    "file.not_a_file": ("不是文件", "not a file"),
    "file.nul": ("第 {line} 行含空字符（NUL）", "NUL, line {line}"),
    "file.page_in_parts": ("框架网页（各工作表在另外的文件里）", "a web page whose sheets are in other files"),
    "file.page_without_table": ("没有表格的网页", "a web page without a table"),
    "file.quotes_in_row": ("第 {row} 行引号", "quotes in row {row}"),
    "file.quotes_on_line": ("第 {line} 行引号", "quotes of the record on line {line}"),
    "file.reader_exit": ("读取程序中断（{code}）", "the reader ended: {code}"),
    "file.reader_memory": ("读取占用内存超过 {limit} MB", "> {limit} MB of memory"),
    "file.reader_time": ("读取超过 {limit} 秒", "> {limit} s"),
    "file.records": ("数据记录", "records"),
    "file.row": ("第 {row} 行", "row {row}"),
    "file.row_order": ("第 {row} 行排在第 {before} 行之后", "row {row} after row {before}"),
    "file.row_too_wide": ("第 {row} 行：超过 {limit} 列", "row {row}: > {limit} columns"),
    "file.row_too_many_spans": ("第 {row} 行：超过 {limit} 处跨行单元格", "row {row}: > {limit} rowspan"),
    "file.tables_too_deep": ("表格嵌套超过 {limit} 层", "HTML: > {limit} <table> in <table>"),
    "file.too_many_cells": ("超过 {limit} 个单元格", "> {limit} cells"),
    "file.too_many_merged": ("超过 {limit} 处合并单元格", "> {limit} merged"),
    "file.too_many_pictures": ("{part}：超过 {limit} 张图片", "{part}: > {limit} pictures"),
    "file.too_many_rows": ("超过 {limit} 行", "> {limit} rows"),
    "file.too_many_sheets": ("超过 {limit} 个工作表", "> {limit} sheets"),
    "file.too_many_tags": ("超过 {limit} 个标签", "> {limit} tags"),
    "file.two_sheets": ("{part}：两个工作表共用", "{part}: two sheets"),
    "file.unended_tag": ("有标签没有结束", "a tag that does not end"),
    "limit.cells": ("{limit} 个单元格", "{limit} cells"),
    "limit.rows": ("{limit} 行", "{limit} rows"),
    "limit.tags": ("{limit} 个标签", "{limit} tags"),
    "locked.no_extra": (
        "缺少扩展组件：pip install 'esign-import[encrypted]'",
        "the extra is missing: pip install 'esign-import[encrypted]'",
    ),
    "locked.no_password": ("没有配置打开密码", "no opening password is configured"),
    "locked.unsupported": ("这种加密方式无法打开", "a kind of protection that cannot be opened here"),
    "locked.wrong_password": ("配置的密码都打不开", "none of the configured passwords opens it"),
    "zip.many_members": ("压缩包里有 {members} 个文件", "zip: {members} members"),
    "zip.unknown_method": ("不认识的压缩方法 {method}", "zip: method {method}"),
    "zip.method": ("压缩包里 {part} 的压缩方法 {method} 不认识", "zip: {part}: method {method}"),
    "zip.overlapping": ("压缩包内容可疑", "zip: overlapping members"),
    "zip.ratio": ("压缩包里 {part} 的压缩比超过 {ratio}", "zip: {part} 1:{ratio}+"),
    "zip.read_again": ("压缩包里的内容要读 {times} 遍以上", "zip: parts read > {times} ×"),
    "zip.too_large": ("压缩包解开有 {size} MB", "zip: {size} MB"),
    "zip.too_many": ("压缩包里文件过多", "zip: too many members"),
    "zip.two_of_one_name": ("压缩包里有两个同名文件", "zip: two members of one name"),
    # ---- notes on a roster file
    "note.column": ("{column}（{field}）", "{column} ({field})"),
    "note.columns_left_out": ("{column} 列起的内容不写进结果表", "columns from {column} on are not copied to the results"),
    "note.hidden_columns": ("隐藏的列 {columns}", "hidden columns {columns}"),
    "note.in_sheet": ("工作表“{sheet}”：{note}", "sheet {sheet}: {note}"),
    "note.more_pictures": ("另有 {n} 张图片没有使用", "{n} more pictures not used"),
    "note.more_pictures_unmatched": ("另有 {n} 张图片不属于任何医生", "{n} more pictures belong to no doctor"),
    "note.more_sheets": ("另有 {n} 张", "{n} more"),
    "note.more_wide_lines": ("另有 {n} 行的内容比标题多", "{n} more lines with more fields than titles"),
    "note.number_above": ("第 {line} 行在列名之上，没有当作医生读取，却有证件号码：是医生请移到列名下面", "row {line} is above the column titles and was not read as a doctor, but contains an identity number: move a doctor below the titles"),
    "note.other_person": ("{theirs} 在 {person} 之后，当作那个人的，没有使用", "{theirs} comes after {person}: taken as that person's, not used"),
    "note.picture": ("{place}：{why}", "{place}: {why}"),
    "note.picture_unmatched": ("{cell} 上的图片不属于任何医生", "a picture over {cell} belongs to no doctor"),
    "note.pictures_drifted": ("{columns} 列的图片大多压在两行之间，可能整列错了位，一张都没有采用：请把每张图片移到本人的那一行之内", "most pictures of column {columns} overlap two rows and may have slipped, so none of them was used: move each picture into the row of its doctor"),
    "note.pictures_not_read": ("{format} 里的图片读不出来，请另存为 .xlsx", "pictures within {format} cannot be read: save it as .xlsx"),
    "note.no_copy": ("没有标记副本：{why}", "no marked copy: {why}"),
    "note.replaced": ("由它的标记副本 {copy} 代替", "replaced by its marked copy {copy}"),
    "note.same_field": ("有几列都是“{field}”：使用 {used}，没有使用 {unused}", "several columns mean the same ({field}): {used} is used, {unused} is not"),
    "note.tables": ("有 {n} 个表格，逐个读取", "{n} tables: each is read by itself"),
    "note.sheet_hidden": ("{sheet}（隐藏）", "{sheet} (hidden)"),
    "note.sheet_no_header": ("{sheet}（没有表头）", "{sheet} (no header row)"),
    "note.former_file": ("没有读取：文件名表明是离职、退休、停用等人员（要读取就在命令行写明这个文件）", "not read: by its name it holds former staff (name the file on the command line to read it)"),
    "note.sheet_former": ("{sheet}（名称表明是离职、退休、停用等人员；要读取就设 intake.read_former: true）", "{sheet} (by its name former staff; set intake.read_former: true to read it)"),
    "note.unread_sheets": ("没有读取的工作表：{sheets}", "sheets not read: {sheets}"),
    "note.wide_line": ("第 {line} 行的内容比标题多", "line {line}: more fields than titles"),
    # ---- a picture inside a roster that no row got
    "stray.cropped": ("图片在表格里裁剪过，没有使用", "picture cropped in the sheet, not used"),
    "stray.hidden": ("图片是隐藏的，没有使用", "hidden picture, not used"),
    "stray.linked": ("只有图片的链接，没有使用", "linked picture, not used"),
    "stray.no_doctor": ("图片不在医生的行里", "picture over no doctor's row"),
    "stray.no_roster": ("图片所在的工作表里没有名单", "picture on a sheet without a roster"),
    "stray.no_row": ("图片不在任何一行里，没有使用", "picture without a row of its own, not used"),
    "stray.turned": ("图片在表格里旋转或翻转过，没有使用", "picture turned or mirrored in the sheet, not used"),
    "stray.unreadable": ("图片读不出来", "picture cannot be read"),
    # ---- inside a picture, or where it lies
    "image.arithmetic": ("算术编码的 JPEG → JPEG", "arithmetic JPEG → JPEG"),
    "image.bits": ("{kind}，{bits} 位", "{kind}, {bits} bit"),
    "image.bits_reduced": ("16 位 → 8 位", "16 bit → 8 bit"),
    "image.cannot_decode": ("无法解码", "cannot be decoded"),
    "image.cannot_read": ("无法读取", "cannot be read"),
    "image.changed_in_run": ("运行过程中被改动", "changed during the run"),
    "image.changed_while_reading": ("读取过程中被改动", "changed while reading"),
    "image.checksum": ("校验和不对", "wrong check sum"),
    "image.colour_map": ("调色板不完整", "incomplete colour map"),
    "image.empty": ("0 字节", "0 bytes"),
    "image.encrypted": ("有密码", "encrypted"),
    "image.frames": ("多帧 → 一帧", "frames → 1"),
    "image.hierarchical": ("分层编码的 JPEG", "JPEG, hierarchical"),
    "image.link": ("是链接", "link"),
    "image.lossless": ("无损 JPEG → JPEG", "lossless JPEG → JPEG"),
    "image.blanks": ("空格", "spaces"),
    "image.zeros": (
        "与工号只差前面的 0 但没有采用：{file}",
        "Differs from the staff number in leading zeros alone, not used: {file}",
    ),
    "image.near": ("名称相近但没有采用：{file}", "Similar name, not used: {file}"),
    "image.no_seal_title": (
        "{images} 的图片不当作印章（是印章就放进标题为“印章”“签名”或“电子签名”的列，或在 config.yaml 的 columns 中把这一列写成 picture）",
        "{images}: not taken as a seal under this title (if it is the seal, put it into a column titled seal or signature, or map the column to picture under columns: in config.yaml)",
    ),
    "image.no_folder": ("没有图片文件夹", "no picture folder"),
    "image.not_regular": ("不是普通文件", "not a regular file"),
    "image.not_zip": ("不是 zip 压缩包", "not a zip"),
    "image.path_too_long": ("过长", "too long"),
    "image.stray_bytes": ("夹在中间的多余字节", "stray bytes"),
    "image.texts_removed": ("去掉过长的文字", "long texts left out"),
    "image.too_many_parts": ("数据块过多", "too many parts"),
    "image.trailing_bytes": ("多余的尾部数据", "trailing bytes"),
    "image.transparent": ("白纸改为透明", "paper made clear"),
    "image.trimmed": ("已裁到印迹", "trimmed"),
    "image.unpacks_too_large": ("解开后过大", "unpacks to too much"),
    "image.zip_in_zip": ("压缩包里的压缩包", "zip in a zip"),
    # ---- why an entry of the picture column is not accepted
    "entry.absolute": ("绝对路径", "absolute path"),
    "entry.colon": ("含冒号", "colon"),
    "entry.control": ("含控制字符", "control character"),
    "entry.device": ("系统保留名称", "device name"),
    "entry.drive": ("含盘符", "drive letter"),
    "entry.network": ("网络路径", "network path"),
    "entry.parent": ("含 ..", ".."),
    "entry.url": ("网址", "URL"),
    # ---- names, kinds of cells, cards
    "name.contains": ("含有“{piece}”", "contains “{piece}”"),
    "name.length": ("有 {length} 个字，应为 {least}–{most} 个字", "has {length} characters ({least} to {most} are allowed)"),
    "cell.bool": ("逻辑值", "true or false"),
    "cell.date": ("日期", "date"),
    "cell.number": ("数字", "number"),
    "cell.two_numbers": ("两个号码", "two numbers"),
    "card.ID_CARD": ("居民身份证", "resident identity card"),
    "card.HONGKONG_AND_MACAO": ("港澳居民来往内地通行证", "mainland travel permit for Hong Kong and Macao residents"),
    "card.HONGKONG_MACAO_AND_TAIWAN": ("港澳台居民居住证", "residence permit for Hong Kong, Macao and Taiwan residents"),
    "card.OTHER_CARD_TYPE": ("其他证件", "other card"),
    # ---- what happened on the wire
    "wire.answer_too_large": ("应答过大", "the answer is too large"),
    "wire.cancelled": ("发送之前就取消了", "cancelled before sending"),
    "wire.certificate_early": ("证书还没有生效", "the certificate is not valid yet"),
    "wire.certificate_expired": ("证书已过期", "the certificate has expired"),
    "wire.certificate_host": ("证书不属于这台主机", "the certificate belongs to another host"),
    "wire.certificate_issuer": ("本机不认识证书的颁发机构", "the issuer of the certificate is not known to this machine"),
    "wire.certificate_refused": ("证书没有通过验证", "the certificate was not accepted"),
    "wire.closed_before": ("还没有发送，连接就断开了", "the connection was closed before anything was sent"),
    "wire.cut": ("等待应答时连接断开了", "the connection was interrupted before an answer came"),
    "wire.cut_in_answer": ("应答没有收完，连接就断开了", "the connection was interrupted during the answer"),
    "wire.no_answer": ("等待应答超时", "no answer came in time"),
    "wire.no_connection": ("连接不上：{why}", "could not connect: {why}"),
    "wire.no_host": ("找不到这个主机名（DNS）", "the host name was not found"),
    "wire.no_proxy": ("连不上代理服务器：{why}", "the proxy could not be reached: {why}"),
    "wire.no_slot": ("等待发送的时间太长", "waited too long to be sent"),
    "wire.not_http": ("应答不是 HTTP 格式", "the answer was not in HTTP format"),
    "wire.port_not_https": ("这个端口不是 https", "this port does not use https"),
    "wire.process_ended": ("程序在收到应答之前结束了", "the program ended before an answer came"),
    "wire.proxy_refused": ("代理服务器拒绝了连接", "the proxy refused the connection"),
    "wire.tls_failed": ("TLS 握手失败", "the TLS handshake failed"),
    # ---- why a role gave no keys
    "role.code": ("腾讯的答复是 {code}", "the answer was {code}"),
    "role.failed": (
        "{source} 没有给出密钥：{why}；请检查角色是否已绑定或允许扮演、本机能否访问它",
        "{source} gave no keys: {why}; check that the role is bound or may be assumed and that this machine can reach it",
    ),
    "role.host": ("{host}：{why}", "{host}: {why}"),
    "role.not_bound": ("这台机器没有绑定这个角色", "no such role is bound to this machine"),
    "role.status": ("{host} 的应答是 HTTP {status}", "{host} answered HTTP {status}"),
    "role.unreadable": ("{host} 的应答无法识别", "the answer of {host} is not valid"),
    "role.variables": ("缺少环境变量 {names}", "these variables are not set: {names}"),
    # ---- figures of a stop
    "stop.file": ("{file}：{why}", "{file}: {why}"),
    "stop.at_once": ("只试了一次，因为刚才对另一家医院也没有应答", "one attempt, since it did not answer another hospital just now either"),
    "stop.minutes": ("{n} 分钟", "{n} min"),
    "stop.outage": ("{host}：{cause}：{waited}", "{host}: {cause}: {waited}"),
    **{f"field.{field}": words for field, words in FIELD_NAMES.items()},
    # ---- why the operating system refuses, by the name of its error
    "system.ENOENT": ("找不到文件或文件夹", "no such file or folder"),
    "system.EACCES": ("没有权限", "permission denied"),
    "not_read.rights": ("{why}；请让用户 {user} 能读取它", "{why}; let user {user} read it"),
    "system.EPERM": ("没有权限", "not permitted"),
    "system.EEXIST": ("已经存在", "it already exists"),
    "system.ENOTDIR": ("路径中有一段不是文件夹", "part of the path is not a folder"),
    "system.EISDIR": ("它是文件夹", "it is a folder"),
    "system.ENOTEMPTY": ("文件夹不是空的", "the folder is not empty"),
    "system.ENOSPC": ("磁盘已满", "the disk is full"),
    "system.EDQUOT": ("磁盘配额已用完", "the disk quota is used up"),
    "system.EFBIG": ("文件过大", "the file is too large"),
    "system.EROFS": ("磁盘是只读的", "the disk is read-only"),
    "system.EIO": ("磁盘读写出错", "the disk cannot be read or written"),
    "system.EBUSY": ("正被占用", "it is in use"),
    "system.ETXTBSY": ("正被占用", "it is in use"),
    "system.EAGAIN": ("系统资源暂时不足", "the system is short of resources"),
    "system.EMFILE": ("打开的文件过多", "too many open files"),
    "system.ENFILE": ("打开的文件过多", "too many open files"),
    "system.ENAMETOOLONG": ("路径过长", "the path is too long"),
    "system.ELOOP": ("链接循环", "circular links"),
    "system.ENOMEM": ("内存不足", "out of memory"),
    "system.ESTALE": ("网络文件夹已断开", "the network folder is disconnected"),
    "system.EINVAL": ("名称或值不被接受", "the name or value is not accepted"),
    "system.EPIPE": ("读取方已关闭", "the reader has closed"),
    "system.ENOLCK": ("此磁盘不支持文件锁", "this disk does not support file locks"),
    "system.ENOTSUP": ("此磁盘不支持", "not supported on this disk"),
    "system.ENODEV": ("设备不存在", "the device is missing"),
    "system.ENXIO": ("设备不存在", "the device is missing"),
    "system.EADDRINUSE": ("地址已被占用", "the address is in use"),
    "system.ECONNREFUSED": ("连接被拒绝", "the connection was refused"),
    "system.ECONNRESET": ("连接被中断", "the connection was interrupted"),
    "system.ETIMEDOUT": ("等待超时", "timed out"),
    "system.ENETUNREACH": ("网络不通", "the network is unreachable"),
    "system.EHOSTUNREACH": ("主机不可达", "the host is unreachable"),
    "system.unlisted": ("系统错误 {code}", "{words} ({code})"),
    # ---- why the database refuses, by the first two words of SQLite's error name
    "database.SQLITE_BUSY": ("正被其他程序占用", "another program is using it"),
    "database.SQLITE_LOCKED": ("正被其他程序占用", "another program is using it"),
    "database.SQLITE_CORRUPT": ("已损坏", "it is damaged"),
    "database.SQLITE_NOTADB": ("不是数据库文件", "it is not a database"),
    "database.SQLITE_IOERR": ("磁盘读写出错", "the disk cannot be read or written"),
    "database.SQLITE_FULL": ("磁盘已满", "the disk is full"),
    "database.SQLITE_READONLY": ("只读，不能写入", "it is read-only"),
    "database.SQLITE_CANTOPEN": ("文件打不开", "the file cannot be opened"),
    "database.not_a_ledger": ("不是本程序的台账", "this file is not a ledger of esign-import"),
    "database.unlisted": ("数据库错误 {code}", "{words} ({code})"),
}  # fmt: skip

# between other texts
MARKS: Mapping[str, tuple[str, str]] = {
    "mark.comma": ("、", ", "),
    "mark.semicolon": ("；", "; "),
    "mark.colon": ("：", ": "),
    "mark.dash": ("——", " — "),
    "mark.brackets": ("（{text}）", " ({text})"),
    "mark.row": ("{place} 第 {row} 行{more}", "{place} row {row}{more}"),
    "mark.or": (" 或 ", " or "),
}


def make_text(key: str, /, **arguments: object) -> KeyedText:
    """Return the text of a key; KeyError where the catalogue has none."""
    given = {name: value if isinstance(value, str) else str(value) for name, value in arguments.items()}
    return KeyedText(TEXTS[key][1].format_map(given), key, given)


def join_texts(texts: Iterable[str]) -> str:
    """Return several texts with commas between them, each keeping its key."""
    parts = list(texts)
    if not any(isinstance(part, KeyedText) for part in parts):
        return ", ".join(parts)
    return KeyedText(", ".join(parts), LIST, {str(number): part for number, part in enumerate(parts)})


def render_text(text: str, language: str) -> str:
    """Return a text in ``zh`` or ``en``; one without a key, such as a file's name or the service's words, as it is."""
    if not isinstance(text, KeyedText):
        return text
    arguments = {name: render_text(value, language) for name, value in text.arguments.items()}
    if text.key == LIST:
        return MARKS["mark.comma"][language != "zh"].join(arguments.values())
    if text.key not in TEXTS:  # of a newer version
        return text[:]
    return TEXTS[text.key][language != "zh"].format_map(arguments)


def name_field(field: str, language: str) -> str:
    """Return the name of a field of the roster; a word that is no field is returned as it is."""
    return FIELD_NAMES.get(field, (field, field))[language != "zh"]


def dump_text(text: str) -> str | dict[str, Any]:
    """Return a text as JSON holds it: a keyed one as its key and arguments."""
    if not isinstance(text, KeyedText):
        return text
    arguments = {name: dump_text(value) for name, value in text.arguments.items()}
    return {"key": text.key, "arguments": arguments} if arguments else {"key": text.key}


def load_text(stored: object) -> str:
    """Return a text that was stored; what an older version stored has no key and is returned as it is."""
    match stored:
        case {"key": str(key), "arguments": dict(arguments)}:
            given = {name: load_text(value) for name, value in arguments.items()}
        case {"key": str(key)}:
            given = {}
        case _:
            return str(stored)
    if key == LIST:
        return join_texts(given.values())
    english = TEXTS[key][1].format_map(given) if key in TEXTS else key
    return KeyedText(english, key, given)


def dump_texts(fields: Mapping[str, str]) -> dict[str, object]:
    """Return fields of a JSON object: texts in English, and under ``texts`` the keyed ones by key and arguments."""
    keyed = {name: dump_text(text) for name, text in fields.items() if isinstance(text, KeyedText)}
    return {**fields, **({"texts": keyed} if keyed else {})}


def load_texts(stored: Mapping[str, Any]) -> dict[str, str]:
    """Return the fields that `dump_texts` stored, with their keys."""
    keyed = stored.get("texts") or {}
    return {name: load_text(keyed.get(name, text)) for name, text in stored.items() if name != "texts"}


def dump_line(text: str | None) -> str | None:
    """Return a text as a column of the ledger holds it."""
    return json.dumps(dump_text(text), ensure_ascii=False) if isinstance(text, KeyedText) else text


def load_line(stored: str | None) -> str | None:
    """Return a text that a column of the ledger holds."""
    if stored is None or not stored.startswith('{"key": '):
        return stored
    try:
        return load_text(json.loads(stored))
    except (ValueError, LookupError):  # an answer's own words that only look so
        return stored
