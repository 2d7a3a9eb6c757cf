"""The entries of the catalogue of codes: who acts, what is wrong, what to do, in Chinese and English.

``{cell}``, ``{found}`` and the other names in braces come from the problem's ``detail``; what stands in square brackets
is left out where the word in it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.domain.roster import Severity

ResponsibleRole = Literal["clerk", "it", "tencent", "nobody"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One code: its usual severity, who acts, and a sentence with its remedy in both languages.

    Its first semicolon parts what is wrong from what to do; a sentence without one asks nothing of anybody.
    ``other`` is the sentence for the other severity where §8 knows both, and for the case that a word of the
    detail marks (`OTHER_CASE`); further cases stand in `FURTHER_CASES`.
    """

    code: str
    severity: Severity
    who: ResponsibleRole
    zh: str
    en: str
    other: tuple[str, str] | None = None  # zh, en


def _e(
    code: str, zh: str, en: str, who: ResponsibleRole = "clerk", mild: tuple[str, str] | None = None
) -> Entry:
    return Entry(code, "error", who, zh, en, mild)


def _w(
    code: str, zh: str, en: str, who: ResponsibleRole = "nobody", hard: tuple[str, str] | None = None
) -> Entry:
    return Entry(code, "warning", who, zh, en, hard)


FILE_ENTRIES = (
    _e("FILE_ENCRYPTED", "文件有打开密码，无法读取；请在 Excel 中取消密码后重新保存。",
       "The file has an opening password; remove it in Excel and save again."),
    _e("FILE_FORMAT", "文件内容是 {found}，不是能读的名单；请另存为 .xlsx 或 .csv。",
       "The content is {found}, not a roster that can be read; save it as .xlsx or .csv."),
    _e("FILE_CORRUPT", "文件已损坏，无法读取（{found}）；请重新导出或从备份恢复。",
       "The file is damaged ({found}); export it again or restore it from a backup."),
    _e("FILE_NOT_READ", "文件没有读成（{found}，用户 {user}），文件本身不一定有问题；请信息科给该用户读取权限，或把文件放回原处。",
       "The file was not read ({found}, user {user}), which need be no fault of the file; give that user the rights to read "
       "it, or put it back in its place.", "it"),
    _e("FILE_EMPTY", "文件是空的；请检查导出是否成功。", "The file is empty; check whether the export worked."),
    _e("FILE_TOO_LARGE", "文件过大（{found}，上限 {limit}）；请拆分或删除多余内容。",
       "The file is too large ({found}, limit {limit}); split it or delete what is not needed."),
    _e("FILE_SUSPICIOUS", "文件内容可疑（{found}），为安全起见未读取；请用 Excel 另存为新文件。",
       "The content is suspicious ({found}) and was not read; save it as a new file in Excel.", "it",
       mild=("“失败待改”第 {ticket} 行的隐藏标记缺失、被改或重复，文件没有读取；请不要增加、复制行或删隐藏列，新医师写进名单。",
             "The hidden mark of row {ticket} of “To fix” is missing, changed or doubled; add no rows there, new doctors go into the roster.")),
    _e("FILE_ENCODING", "第 {line} 行的文字编码无法识别；请另存为 UTF-8 或 GB18030 编码的 CSV，或 .xlsx。",
       "The text encoding breaks on line {line}; save the CSV as UTF-8 or GB18030, or as .xlsx."),
    _e("HEADER_NOT_FOUND", "找不到表头（需要同时有姓名和证件号码两列），看到的标题：{found}[，最接近的：{near}]；请改列名，或在 config.yaml 的 "
       "columns 中指定。", "No header row was found (a name and an identity number column are needed), seen: {found}[, nearest: {near}]; "
       "rename the columns or map them under columns: in config.yaml.",
       mild=("结果表里没有“{lost_sheet}”工作表（可能被删除）；请从该次运行的文件夹重新打开 results.xlsx，改好后再提交。",
             "The results workbook has no sheet “{lost_sheet}” (it may have been deleted); open results.xlsx in that run's folder again, correct it there and send it again.")),
    _e("HEADER_AMBIGUOUS", "第 {row} 行有两列都像“{field}”：{found}；请删除一列，或在 config.yaml 的 columns 中指定。",
       "Row {row} has two columns for {field}: {found}; delete one or map it under columns: in config.yaml."),
    _e("COLUMN_MISSING", "缺少“{field}”列，看到的标题：{found}[，最接近的：{near}]；请改列名或补上，或在 config.yaml 的 columns 中指定哪一列是。",
       "The column for {field} is missing, seen: {found}[, nearest: {near}]; rename or add it, or name the column that is meant under columns: in config.yaml."),
)  # fmt: skip

ROW_ENTRIES = (
    _e("ROW_DUPLICATE", "与 {other} 是同一人，内容相同，只提交那一行；可删除本行。",
       "The same person as {other}; only that row is sent, and this one can be deleted.",
       mild=("与 {other} 是同一人，但{differs}不同；都未提交，请只留正确的一行。",
             "The same person as {other}, but {differs} differ; none was sent, keep the row that is right.")),
    _e("FORMULA_ERROR", "{cell} 是公式错误 {found}；请改成文字。", "{cell} holds the formula error {found}; type the text."),
    _e("FORMULA_NO_VALUE", "{cell} 是没有计算结果的公式；请用 Excel 打开并保存一次，或改成文字。",
       "{cell} is a formula without a value; open and save the file in Excel once, or type the text."),
    _w("ROW_HIDDEN", "该行在表格中是隐藏的，仍已读取；如不需要请删除。", "The row is hidden in the sheet and was read; "
       "delete it if it is not wanted.", "clerk"),
    _w("ROW_SUPERSEDED", "该行已由 {other} 中的修改行代替。", "This row is replaced by its corrected copy in {other}.",
       hard=("结果表：{used} 行代替了名单中的原行。[原行已不在名单中或已改过，没有采用：{gone}。][另有更新的结果表，没有采用：{older}。]",
             "A results workbook. Rows that replace the roster's: {used}.[ Roster row gone or changed, left alone: {gone}.][ In a newer workbook: {older}.]")),
    _e("REVIEW_WRONG", "核对时被判为错误，未提交；请更换印章图片或改正名单。",
       "Judged wrong in the review and not sent; replace the picture or correct the roster.",
       mild=("核对时被判为错误，但这枚印章已经创建；请让腾讯客户经理停用它，更换图片后用 resolve --replace 重新创建。",
             "Judged wrong in the review, but the seal exists: have your Tencent account manager disable it, replace the picture, resolve --replace.")),
    _e("REVIEW_MISSING", "尚未核对，未提交；请在 review.html 中核对。",
       "Not reviewed yet and not sent; judge it in review.html."),
    _e("VALUE_INVALID", "{cell} 的“{field}”写作“{found}”，不认识；可用：{expected}。",
       "“{found}” in {cell} ({field}) is not understood; use one of: {expected}.",
       mild=("{cell} 的“{field}”在 contract: file_id 下没有作用，没有发送。",
             "“{field}” in {cell} has no meaning with contract: file_id and was not sent.")),
    _w("CONTENT_CHANGED", "已有印章，但现在的{differs}与当时不同；没有重新提交，请人工决定。",
       "Has a seal, but {differs} now differ from what it was made from; nothing was sent, a human decides.", "clerk",
       hard=("已有印章，但旧版本可能把图片缩小成 {sent} 像素提交（原图 {whole}）；请在电子签控制台看这枚印章，清晰就保留，不清晰就更换。",
             "Has a seal, but an older version may have sent its picture at {sent} pixels instead of {whole}; look at the seal in the e-Sign console, keep it if it is sharp, replace it if not.")),
    _e("ROW_NOT_PROCESSED", "程序处理这一行时出错（{kind}），没有提交；请把这次运行的 log.jsonl 交给信息科。",
       "The program failed on this row ({kind}) and did not send it; give log.jsonl of this run to IT.", "it"),
    _e("PERSON_POSSIBLY_SAME",
       "姓名和{agreed}与印章“{sealed}”的医生相同，证件号码却不同（那枚尾号 {tail}，{day}，印章ID {seal}）；没有提交，请核对：写错了就改正；"
       "是改正后的号码，请信息科运行 resolve {seal} --same-person；确是另一人，用 --other-person。",
       "The same name and {agreed} as the doctor of “{sealed}” (number ending in {tail}, {day}, SealId {seal}), another number; nothing was sent: "
       "correct the number, or have IT run resolve {seal} --same-person (the corrected number of that doctor) or --other-person.",
       mild=("与 {other} 同名，且{same}相同，证件号码却不同；都未提交，请核对哪个号码正确。",
             "The same name and {same} as {other}, but another identity number; none was sent, find out which number is right.")),
)  # fmt: skip

NAME_ENTRIES = (
    _e("NAME_MISSING", "姓名为空（{cell}）；请填写。", "The name is empty ({cell}); fill it in."),
    _e("NAME_INVALID", "{cell} 的姓名“{found}”不能用：{why}；请按证件填写姓名，不要带备注、星号或问号。",
       "The name “{found}” in {cell} cannot be used: {why}; write the name as on the card, without notes or marks."),
    _w("NAME_NORMALISED", "姓名“{found}”已规范为“{used}”。", "The name “{found}” is used as “{used}”."),
)  # fmt: skip

IDENTITY_ENTRIES = (
    _e("ID_MISSING", "{cell} 没有可用的证件号码[（内容“{found}”）]；请填写完整号码。",
       "{cell} holds no identity number[ (“{found}”)]; write the whole number."),
    _e("ID_LENGTH", "{cell} 的证件号码有 {length} 位，应为 {expected} 位；请对照证件补全。",
       "The identity number in {cell} has {length} characters, {expected} are needed; copy it from the card.",
       mild=("{cell} 是 9 位的港澳通行证号码，还缺 {renewals} 位换证次数（如 01）；请对照证件补成 {expected} 位。",
             "The permit in {cell} lacks the {renewals} digits of its renewals (such as 01); write all {expected} characters.")),
    _e("ID_CHAR", "{cell} 的证件号码第 {place} 位是不该有的字符“{found}”；请对照证件改正。",
       "The identity number in {cell} holds “{found}” (place {place}); correct it from the card.",
       mild=("{cell} 末位的“{found}”已按 X 读取；请核对。", "The “{found}” at the end of {cell} was read as X; check it.")),
    _e("ID_FORMAT", "{cell} 的证件号码格式不对：{why}；请对照证件改正。",
       "The identity number in {cell} has the wrong form: {why}; correct it from the card."),
    _e("ID_15_DIGIT", "{cell} 是 15 位旧身份证号；请填写 18 位号码。",
       "{cell} holds an old 15-digit number; write the number of 18 characters."),
    _e("ID_CHECKSUM", "{cell} 的证件号码校验位不对（末位 {found}，按前 17 位算应为 {expected}），有一位写错了；请对照证件改正。",
       "The check digit in {cell} is wrong (it ends in {found}, the first 17 digits ask for {expected}): one digit is "
       "mistyped; correct it from the card."),
    _e("ID_BIRTH", "{cell} 的出生日期 {found} 不存在或在将来；请对照证件改正。",
       "The birth date {found} in {cell} does not exist or lies ahead; correct it from the card."),
    _e("ID_AGE", "{cell} 的证件显示年龄 {found} 岁，不在 18–100 岁之间；请核对。",
       "The number in {cell} tells an age of {found}, not between 18 and 100; check it."),
    _e("ID_REGION", "{cell} 的证件号码以 {found} 开头，没有这个省份代码；请核对。",
       "The number in {cell} begins with {found}, which is no province's code; check it."),
    _e("ID_PRECISION_LOST", "{cell} 的证件号码是数字格式，Excel 已丢失末几位；请先把整列设为“文本”格式，再对照证件重新填写 18 位号码。",
       "{cell} holds the identity number as a number: Excel has lost its last digits; format the column as text, then "
       "type all 18 characters from the card.",
       mild=("{cell} 的证件号码以 {tail} 结尾，像是 Excel 抹掉了末几位；请对照证件改正，确实如此就按 6、8、4 位用空格分段写。",
             "The number in {cell} ends in {tail}, as if Excel had wiped its last digits; correct it, or, if it is right, write it in groups of 6, 8 and 4 digits.")),
    _w("ID_TYPE_INFERRED", "证件类型为空，按号码判断为 {used}。", "The card type is blank and taken as {used} from the number."),
    _e("ID_TYPE_MISMATCH", "{cell} 的证件类型“{found}”与号码不符，号码属于 {used}；请改正其中之一。",
       "The card type “{found}” in {cell} does not fit the number, which is a {used}; correct one of them.",
       mild=("{cell} 写的是“{found}”，但号码属于 {used}，已按后者提交。",
             "{cell} says “{found}”, but the number is a {used} and is sent as that.")),
    _e("ID_TYPE_UNSUPPORTED", "{cell} 的证件类型“{found}”不能办理；请改正；若确为其他证件且腾讯已为贵院开通，可把 api.allow_other_card_type 设为 true。",
       "The card type “{found}” in {cell} is not supported; correct it, or where Tencent has opened other cards for you, set "
       "api.allow_other_card_type to true."),
    _e("ID_NAME_CONFLICT", "同一证件号码有两个姓名（{other}）；都未提交，请改正。",
       "One identity number stands with two names ({other}); none was sent, correct them."),
)  # fmt: skip

MOBILE_ENTRIES = (
    _w("MOBILE_MISSING", "手机号为空；日后开通授权签（原自动签）时需要。", "The mobile is empty; auto-sign will need one later.", "clerk",
       hard=("手机号为空，而此行要开通授权签（原自动签）；请填写。", "The mobile is empty, but auto-sign is on for this row; fill it in.")),
    _e("MOBILE_INVALID", "{cell} 的手机号“{found}”不对（应为 1 开头的 11 位数字）；请改正或清空。",
       "The mobile “{found}” in {cell} is wrong (11 digits that start with 1); correct or clear it."),
    _e("MOBILE_AMBIGUOUS", "{cell} 里有两个手机号；请只留一个。", "{cell} holds two mobiles; keep one."),
    _w("MOBILE_DUPLICATE", "手机号与 {other} 相同；请核对。", "The mobile is also that of {other}; check it.", "clerk"),
)  # fmt: skip

SEAL_NAME_ENTRIES = (
    _e("SEAL_NAME_LENGTH", "印章名称“{found}”有 {length} 个字，应为 1–50 个字；请缩短。",
       "The seal name “{found}” has {length} characters, 1 to 50 are allowed; shorten it."),
    _e("SEAL_NAME_CHARS", "印章名称“{found}”含有不能用的字符“{bad}”；请只用汉字、“·”和中文数字（或设 seal_name_ascii: true）。",
       "The seal name “{found}” holds “{bad}”; use Han characters, “·” and Chinese digits (or set seal_name_ascii: true)."),
    _e("SEAL_NAME_DUPLICATE", "印章名称“{found}”已属于另一位医生；请改一个名称，或填写工号、科室以便区分。{other}",
       "The seal name “{found}” belongs to another doctor; choose another, or fill in staff number or department. {other}",
       mild=("与他人同名，印章名称用“{used}”以示区分。", "A namesake exists, so the seal is named “{used}”.")),
    _e("SEAL_NAME_FROZEN", "此前曾以“{frozen}”提交且结果不能排除已成功，不能改名为“{found}”；请改回原名。",
       "An earlier create under “{frozen}” may have succeeded, so the name cannot become “{found}”; keep the first."),
)  # fmt: skip

PICTURE_ENTRIES = (
    _e("IMAGE_MISSING", "找不到印章图片（{tried}）；请放入图片文件夹，或在图片列写明文件名。{hint}",
       "No seal picture was found ({tried}); put it into the folder or name it in the picture column. {hint}"),
    _e("IMAGE_AMBIGUOUS", "有多张不同的图片都可能是此人的：{found}；请只留一张，或在图片列写明用哪一张。",
       "More than one picture could be this doctor's: {found}; keep one, or write its file name into the picture column.",
       mild=("图片压到了相邻行，因中心在本行，已采用；把图片移到本行之内就不再提示。",
             "The picture overlaps a neighbour row and was used for this one, which holds its centre; move it inside the row to be rid of this note.")),
    _e("IMAGE_CORRUPT", "图片 {file} 已损坏（{found}）；请重新导出。", "The picture {file} is damaged ({found}); export it again."),
    _e("IMAGE_NOT_READ", "这次没能读取图片 {file}（{why}），图片和名单都没有问题；请再运行一次，仍然如此请找信息科。",
       "The picture {file} could not be read this time ({why}), which is no fault of picture or roster; "
       "run again, and ask IT if it happens again.", "it"),
    _e("IMAGE_FORMAT", "图片 {file} 的内容是 {found}，不是 PNG 或 JPG；请另存为 PNG。",
       "The picture {file} is {found}, not PNG or JPG; save it as PNG."),
    _w("IMAGE_CONVERTED", "图片 {file} 已转换（{why}）。", "The picture {file} was converted ({why})."),
    _e("IMAGE_BLANK", "图片 {file} 是空白的；请换一张。", "The picture {file} is blank; replace it."),
    _e("IMAGE_TOO_SMALL", "图片 {file} 只有 {found} 像素，印章会看不清；请至少 {limit} 像素。",
       "The picture {file} has only {found} pixels; at least {limit} are needed."),
    _e("IMAGE_TOO_LARGE", "图片 {file} 过大（{found}，上限 {limit}）；请缩小后再试。",
       "The picture {file} is too large ({found}, limit {limit}); make it smaller."),
    _w("IMAGE_TOO_LARGE_FIXABLE", "图片 {file} 过大（{found}），已缩小为 {used}。",
       "The picture {file} was too large ({found}) and was brought down to {used}."),
    _e("IMAGE_SHARED", "图片 {file} 也是 {other} 的图片；都未提交，请看清是谁的章，给其他人换上各自的图片。",
       "The picture {file} is also that of {other}; none was sent, look whose seal it is and give the others their own.",
       mild=("图片 {file} 已经用于另一位医生的印章“{sealed}”；没有提交，请给本人换上自己的图片，或核对名单。",
             "The picture {file} already made another doctor's seal “{sealed}”; nothing was sent, give this doctor their own.")),
    _w("IMAGE_NAME_FUZZY", "用了图片 {found}，文件名去掉{why}后就是 {expected}；改好文件名后不再提示。",
       "The picture {found} was used for {expected}, from which its name differs by {why}; rename the file to be rid of this note.", "clerk"),
    _e("IMAGE_NAME_MISMATCH", "图片上的名字像是“{found}”，不是此人；请核对。",
       "The picture seems to show the name “{found}”, not this person's; check it."),
    _w("IMAGE_DUPLICATE_FILE", "同一张图片有多个文件：{found}；用了第一个。",
       "The same picture lies there more than once: {found}; the first was used."),
    _e("IMAGE_PATH_REJECTED", "图片列的写法不被接受：{found}（{why}）；请只写图片文件夹中的文件名。",
       "The picture column's entry is not accepted: {found} ({why}); write the name of a file in the folder."),
)  # fmt: skip

CATALOGUE: Mapping[str, Entry] = {
    entry.code: entry
    for group in (
        FILE_ENTRIES,
        ROW_ENTRIES,
        NAME_ENTRIES,
        IDENTITY_ENTRIES,
        MOBILE_ENTRIES,
        SEAL_NAME_ENTRIES,
        PICTURE_ENTRIES,
    )
    for entry in group
}


# code -> the word of its detail that asks for the other sentence
OTHER_CASE: Mapping[str, str] = {
    "CONTENT_CHANGED": "sent",
    "FILE_SUSPICIOUS": "ticket",
    "HEADER_NOT_FOUND": "lost_sheet",
    "ID_LENGTH": "renewals",
    "ID_PRECISION_LOST": "tail",
    "IMAGE_SHARED": "sealed",
    "PERSON_POSSIBLY_SAME": "same",
    "ROW_DUPLICATE": "differs",
    "ROW_SUPERSEDED": "gone",
}

# code -> further words of its detail, each with the sentence (zh, en) that it asks for; the first one found counts
FURTHER_CASES: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "FILE_SUSPICIOUS": {"twice": (
        "“失败待改”第 {ticket} 行和第 {twice} 行的隐藏标记相同（其中一行是复制的），文件没有读取；请删掉复制的行，新医师写进名单。",
        "Rows {ticket} and {twice} of “To fix” carry the same hidden mark, one is a copy; nothing was read; delete the copy, new doctors go into the roster.",
    )},
    "HEADER_NOT_FOUND": {"first": (
        "没有表头：第 {first} 行已经是数据（{found}）；请在最上面加一行列名，至少有姓名和证件号码。",
        "There is no header: row {first} holds data already ({found}); add a first row of titles, at least 姓名 (name) and 证件号码 (identity number).",
    )},
    "IMAGE_AMBIGUOUS": {"claimed": (
        "图片 {found} 写在一位医生的图片列里，按文件名或原结果表却是另一位的（{other}）；都未提交，请改正图片列。",
        "A picture column names {found}, which its name or the results give to another doctor ({other}); none was sent, correct the entry.",
    ), "namesake": (
        "图片 {found} 可能是此人的，也可能是已有印章、现在不在名单中的同名或同工号医生的；请用证件号码给此人的图片命名。",
        "The picture {found} may be this doctor's or that of a doctor of the same name or staff number who has a seal and is not in the roster; name this doctor's picture by identity number.",
    ), "department": (
        "图片 {found} 在别的科室的文件夹里，此人的科室是{department}；请移到本科室的文件夹，或用工号、证件号码命名。",
        "The picture {found} lies in another department's folder, this doctor's is {department}; move it, or name it by staff or identity number.",
    ), "other": (
        "图片 {found} 也可能是 {other} 的，没有采用；请用工号或证件号码给图片命名。",
        "The picture {found} could also be that of {other} and was not used; name pictures by staff or identity number.",
    )},
    "IMAGE_MISSING": {"moved": (
        "姓名或证件号码可能已是另一位医生的（{tried}），原来的图片没有沿用；请填写本人图片的文件名，或用这个证件号码给图片命名。",
        "Name or number may now be another doctor's ({tried}): the earlier picture was not used; enter a file or name it by this number.",
    )},
    "IMAGE_NAME_FUZZY": {"path": (
        "图片列写的是另一台电脑上的路径（{expected}），按其中的文件名用了图片文件夹里的 {found}[（去掉{why}）]；只写文件名就不再提示。",
        "The picture column holds a path of another computer ({expected}): {found} in the picture folder was used by its file name[ (without {why})]; write the file name alone to be rid of this note.",
    )},
    "IMAGE_SHARED": {"twin": (
        "图片 {file} 与 {twin}（{other}）虽是两个文件，图案却完全相同；都未提交，请打开看清是谁的章，给其他人换上各自的图片。",
        "The pictures {file} and {twin} ({other}) show the very same seal; none was sent, look whose it is, replace the others.",
    )},
    "ROW_SUPERSEDED": {"seal": (
        "改好的行（{other}）已经提交，印章已创建（{seal}，{day}）；请把名单里的这一行也改过来，否则每次运行都会再提示。",
        "Its corrected copy ({other}) was sent and has a seal ({seal}, {day}); correct this row of the roster as well, or every run lists it again.",
    )},
    "ROW_DUPLICATE": {"faults": (
        "与 {other} 是同一人，问题也相同；改正那一行即可，本行可删除。",
        "The same person as {other}, with the same problems; correct that row, this one can be deleted.",
    )},
    "PERSON_POSSIBLY_SAME": {"trace": (
        "姓名和{agreed}与一次未查清的提交相同，证件号码却不同（“{sealed}”，尾号 {tail}，{day}，TraceId {trace}）；没有提交，请核对：写错了就改正；是改正后的号码，请信息科运行 resolve {trace} --same-person；确是另一人，用 --other-person。",
        "The same name and {agreed} as a create without a verdict (“{sealed}”, number ending in {tail}, {day}, TraceId {trace}), another number; nothing was sent: correct the number, or have IT run resolve {trace} --same-person (the corrected number of that doctor) or --other-person.",
    )},
}  # fmt: skip
