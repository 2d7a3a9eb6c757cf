"""The entries of the catalogue of codes: who acts, the short name, what is wrong and what to do, in Chinese and English.

``{cell}``, ``{found}`` and the other names in braces come from the problem's ``detail``. Text in square brackets is left
out where the word in it is empty.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipeline.domain.roster import Severity
from pipeline.domain.service_codes import ResponsibleRole

Pair = tuple[str, str]  # zh, en


@dataclass(frozen=True, slots=True)
class Entry:
    """One code: its usual severity, who acts, its short name, and a sentence with its remedy in both languages.

    The first semicolon separates what is wrong from what to do; a sentence without one asks for nothing.
    ``other`` is the sentence for the other severity, or for the case that a word of the detail marks (`OTHER_CASE`).
    Further cases are in `FURTHER_CASES`.
    """

    code: str
    severity: Severity
    who: ResponsibleRole
    label: Pair  # counted in the Summary, where the whole sentence would be too long
    zh: str
    en: str
    other: Pair | None = None


def _error(
    code: str, label: Pair, zh: str, en: str, who: ResponsibleRole = "clerk", *, other: Pair | None = None
) -> Entry:
    return Entry(code, "error", who, label, zh, en, other)


def _warning(
    code: str, label: Pair, zh: str, en: str, who: ResponsibleRole = "nobody", *, other: Pair | None = None
) -> Entry:
    return Entry(code, "warning", who, label, zh, en, other)


FILE_ENTRIES = (
    _error("FILE_ENCRYPTED", ("文件有打开密码", "Password-protected file"),
       "文件有打开密码，无法读取；请在 Excel 中取消密码后重新保存。",
       "The file needs a password to open; remove the password in Excel and save the file again."),
    _error("FILE_FORMAT", ("文件格式不支持", "Unsupported file format"),
       "文件内容是 {found}，不是可以读取的名单；请另存为 .xlsx 或 .csv。",
       "The file content is {found}, not a supported roster format; save it as .xlsx or .csv."),
    _error("FILE_CORRUPT", ("文件已损坏", "Damaged file"),
       "文件已损坏，无法读取（{found}）；请重新导出或从备份恢复。",
       "The file is damaged ({found}); export it again or restore it from a backup."),
    _error("FILE_NOT_READ", ("文件无法读取", "File not readable"),
       "无法读取文件（{found}，用户 {user}），文件本身不一定有问题；请信息科给该用户读取权限，或把文件放回原处。",
       "The file could not be read ({found}, user {user}), but may be intact; give that user read permission, or put the file back.", "it"),
    _error("FILE_EMPTY", ("文件是空的", "Empty file"),
       "文件是空的；请检查导出是否成功。", "The file is empty; check whether the export worked."),
    _error("FILE_TOO_LARGE", ("文件过大", "File too large"),
       "文件过大（{found}，上限 {limit}）；请拆分文件或删除多余内容。",
       "The file is too large ({found}, limit {limit}); split it or delete what is not needed."),
    _error("FILE_SUSPICIOUS", ("文件内容可疑", "Suspicious file"),
       "文件内容可疑（{found}），为安全起见未读取；请用 Excel 另存为新文件。",
       "The file content is suspicious ({found}) and was not read; save it as a new file in Excel.", "it",
       other=("“失败待改”第 {to_fix_row} 行的隐藏标记缺失、被改或重复，文件没有读取；请不要在表中新增、复制行或删除隐藏列，新医师请写进名单。",
        "The hidden mark of row {to_fix_row} of “To fix” is missing, changed or duplicated, so the file was not read; do not add or copy rows or delete hidden columns there, and add new doctors to the roster.")),
    _error("FILE_ENCODING", ("文字编码无法识别", "Unknown text encoding"),
       "第 {line} 行的文字编码无法识别；请另存为 UTF-8 或 GB18030 编码的 CSV，或 .xlsx。",
       "The text encoding of line {line} is not supported; save the CSV as UTF-8 or GB18030, or use .xlsx."),
    _error("HEADER_NOT_FOUND", ("找不到表头", "No header row"),
       "找不到表头（需要同时有姓名和证件号码两列），[工作表“{sheet}”里]看到的标题：{found}[，最接近的：{near}]；请改列名，或在 config.yaml 的 columns 中指定。",
       "No header row was found (it needs columns for name and identity number). Titles found[ in sheet {sheet}]: {found}[, nearest: {near}]; rename the columns or map them under columns: in config.yaml.",
       other=("结果表里没有“{lost_sheet}”工作表（可能被删除）；请从该次运行的文件夹重新打开 results.xlsx，改好后再提交。",
              "The results workbook has no sheet “{lost_sheet}” (it may have been deleted); open results.xlsx in the folder of that run again, correct it there and submit it again.")),
    _error("HEADER_AMBIGUOUS", ("表头有重复的列", "Ambiguous header"),
       "[工作表“{sheet}”]第 {row} 行有两列都像“{field}”：{found}；两列内容相同请删除一列；左右并排两组人请把右边一组移到左边一组的下面；不是医生的列在 config.yaml 的 columns 中写 ignore。",
       "[Sheet {sheet}, ]row {row} has two columns for {field}: {found}; if both hold the same, delete one. If two groups of people stand side by side, move the second below the first. Map a column that is not the doctor's to ignore under columns: in config.yaml."),
    _error("COLUMN_MISSING", ("缺少必需的列", "Column missing"),
       "缺少“{field}”列，[工作表“{sheet}”里]看到的标题：{found}[，最接近的：{near}]；请改列名或补上该列，或在 config.yaml 的 columns 中指定。",
       "The column {field} is missing. Titles found[ in sheet {sheet}]: {found}[, nearest: {near}]; rename or add the column, or map it under columns: in config.yaml."),
)  # fmt: skip

ROW_ENTRIES = (
    _error("ROW_DUPLICATE", ("同一人出现多行", "Same person on several rows"),
       "与 {other} 是同一人，内容相同，只提交那一行；可删除本行。",
       "Same person and same content as {other}, and only that row is sent; you can delete this row.",
       other=("与 {other} 是同一人，但{differs}不同；都未提交，请只留正确的一行。",
              "Same person as {other}, but with a different {differs}; none of the rows was sent, keep only the correct one.")),
    _error("FORMULA_ERROR", ("单元格是公式错误", "Formula error in a cell"),
       "{cell} 是公式错误 {found}；请改成文字。", "{cell} contains the formula error {found}; type the text instead."),
    _error("FORMULA_NO_VALUE", ("公式没有计算结果", "Formula without a value"),
       "{cell} 是没有计算结果的公式；请用 Excel 打开并保存一次，或改成文字。",
       "{cell} contains a formula without a result; open and save the file in Excel once, or type the text instead."),
    _warning("ROW_HIDDEN", ("隐藏的行也已读取", "Hidden row was read"),
       "该行在表格中是隐藏的，仍已读取；如不需要请删除。",
       "The row is hidden in the sheet but was read; delete it if it is not needed.", "clerk"),
    _warning("ROW_SUPERSEDED", ("已由修改行代替", "Replaced by a corrected row"),
       "该行已由 {other} 中的修改行代替。", "This row is replaced by its corrected copy in {other}.",
       other=("结果表：{used} 行代替了名单中的原行。[原行已不在名单中或已改过，没有采用：{gone}。][另有更新的结果表，没有采用：{older}。]",
              "Results workbook. Roster rows replaced: {used}.[ Not used, because the roster row is gone or has changed: {gone}.][ Not used, because a newer workbook has them: {older}.]")),
    _error("REVIEW_WRONG", ("核对时判为错误", "Marked wrong in the review"),
       "核对时被判为错误，未提交；请更换印章图片或改正名单。",
       "Marked wrong in the review and not sent; replace the picture or correct the roster.",
       other=("核对时被判为错误，但这枚印章已经创建；请让腾讯客户经理停用它，更换图片后用 resolve --replace 重新创建。",
              "Marked wrong in the review, but the seal exists already; ask your Tencent account manager to disable it, replace the picture, then run resolve --replace.")),
    _error("REVIEW_MISSING", ("尚未核对", "Not reviewed yet"),
       "尚未核对，未提交；请在 review.html 中核对。", "Not reviewed yet and not sent; review it in review.html."),
    _error("VALUE_INVALID", ("单元格内容无法识别", "Unknown value"),
       "{cell} 的“{field}”是“{found}”，无法识别；请改为：{expected}。",
       "{cell} ({field}) contains “{found}”, which is not a known value; use one of: {expected}.",
       other=("{cell} 的“{field}”在 contract: file_id 下没有作用，没有发送。",
              "{cell} ({field}) has no effect with contract: file_id and was not sent.")),
    _warning("CONTENT_CHANGED", ("内容与已有印章不同", "Differs from the existing seal"),
       "已有印章，但现在的{differs}与当时不同；没有重新提交，请人工决定。",
       "This doctor has a seal, but the {differs} changed since it was made; nothing was sent, a person has to decide.", "clerk",
       other=("{cell} 的证件号码是印章“{sealed}”的医生的，此行的{differs}却与那位医生不同；没有提交。号码可能填成了别人的：请先对照证件核对，填错了就改正名单；确是同一人，再人工决定。",
        "The identity number in {cell} is that of the doctor of seal “{sealed}”, but this row differs in {differs}; nothing was sent. The number may be another person's: compare it with the card first and correct the roster; if it is the same person, a person has to decide.")),
    _error("ROW_NOT_PROCESSED", ("程序处理出错", "Program error on this row"),
       "程序处理这一行时出错（{kind}），没有提交；请把这次运行的 log.jsonl 交给信息科。",
       "The program failed on this row ({kind}) and did not send it; give log.jsonl of this run to IT.", "it"),
    _error("PERSON_POSSIBLY_SAME", ("可能与他人是同一人", "Possibly the same person"),
       "{agreed}与印章“{sealed}”的医生相同[（名单里的 {other}）]，证件号码却不同（那枚印章：尾号 {tail}，{day}，印章ID {seal}）；没有提交。号码写错了请改正；"
       "是改正后的号码，请信息科运行 resolve {seal} --same-person；确是另一人，运行 resolve {seal} --other-person。",
       "Same {agreed} as the doctor of seal “{sealed}” (number ending in {tail}, {day}, SealId {seal}[, {other}]), but the identity number is different; nothing was sent. "
       "Correct a wrong number; if it is the corrected number of that doctor, IT runs resolve {seal} --same-person; if it is another person, resolve {seal} --other-person.",
       other=("{same}与 {other} 相同，证件号码却不同；没有为此行提交。是同一人，请只留号码正确的一行；是两个人，请改正误填成相同的内容（没有本人手机号的请留空）。",
              "Same {same} as {other}, but the identity number is different; nothing was sent for this row. If it is one person, keep only the row with the correct number; if they are two, correct what is the same by mistake (leave a mobile empty that is not their own).")),
)  # fmt: skip

NAME_ENTRIES = (
    _error("NAME_MISSING", ("姓名为空", "Name missing"), "姓名为空（{cell}）；请填写。", "The name is empty ({cell}); fill it in."),
    _error("NAME_INVALID", ("姓名格式不对", "Invalid name"),
       "{cell} 的姓名“{found}”{why}；请按证件填写姓名，不要带备注、星号或问号。",
       "The name “{found}” in {cell} {why}; enter the name as on the card, without notes, asterisks or question marks."),
    _warning("NAME_NORMALISED", ("姓名已规范", "Name normalised"),
       "姓名“{found}”已规范为“{used}”。", "The name “{found}” was read as “{used}”."),
)  # fmt: skip

IDENTITY_ENTRIES = (
    _error("ID_MISSING", ("证件号码为空", "Identity number missing"),
       "{cell} 没有可用的证件号码[（内容“{found}”）]；请填写完整号码。",
       "{cell} contains no identity number[ (“{found}”)]; enter the complete number."),
    _error("ID_LENGTH", ("证件号码位数不对", "Identity number: wrong length"),
       "{cell} 的证件号码有 {length} 位，应为 {expected} 位；请对照证件补全。",
       "The identity number in {cell} has {length} characters instead of {expected}; copy it from the card.",
       other=("{cell} 是 9 位的港澳通行证号码，还缺 {renewals} 位换证次数（如 01）；请对照证件补成 {expected} 位。",
              "The permit number in {cell} lacks its last {renewals} digits, the number of renewals (such as 01); enter all {expected} characters.")),
    _error("ID_CHAR", ("证件号码含有错误字符", "Identity number: wrong character"),
       "{cell} 的证件号码第 {place} 位是不该有的字符“{found}”；请对照证件改正。",
       "The identity number in {cell} contains “{found}” at position {place}; correct it from the card.",
       other=("{cell} 末位的“{found}”已按 X 读取；请核对。", "The “{found}” at the end of {cell} was read as X; check it.")),
    _error("ID_FORMAT", ("证件号码格式不对", "Identity number: wrong format"),
       "{cell} 的证件号码格式不对：{why}；请对照证件改正。",
       "The identity number in {cell} has the wrong format: {why}; correct it from the card."),
    _error("ID_15_DIGIT", ("15 位旧身份证号", "Old 15-digit number"),
       "{cell} 是 15 位旧身份证号；请填写 18 位号码。",
       "{cell} contains an old 15-digit number; enter the 18-character number."),
    _error("ID_CHECKSUM", ("证件号码有一位写错", "Identity number: wrong digit"),
       "{cell} 的证件号码校验不符：18 位中有一位写错，或有两位写颠倒了；请逐位对照证件改正。",
       "The identity number in {cell} fails its check: one of the 18 characters is wrong, or two are swapped; compare all of them with the card."),
    _error("ID_BIRTH", ("证件号码的出生日期不对", "Identity number: impossible birth date"),
       "{cell} 的出生日期 {found} 不存在或在将来；请对照证件改正。",
       "The birth date {found} in {cell} does not exist or is in the future; correct it from the card."),
    _error("ID_AGE", ("证件显示的年龄不对", "Identity number: age out of range"),
       "{cell} 的证件显示年龄 {found} 岁，不在 18–100 岁之间；请核对。",
       "The number in {cell} gives an age of {found}, which is not between 18 and 100; check it."),
    _error("ID_REGION", ("证件号码的省份代码不存在", "Identity number: unknown province"),
       "{cell} 的证件号码以 {found} 开头，没有这个省份代码；请核对。",
       "The number in {cell} begins with {found}, which is not a province code; check it."),
    _error("ID_PRECISION_LOST", ("证件号码被 Excel 损坏", "Identity number damaged by Excel"),
       "{cell} 的证件号码是数字格式，Excel 已丢失末几位；请先把整列设为“文本”格式，再对照证件重新填写 18 位号码。",
       "{cell} contains the identity number as a number, so Excel has lost its last digits; format the column as text, then enter all 18 characters from the card.",
       other=("{cell} 的证件号码以 {tail} 结尾，像是 Excel 抹掉了末几位；请对照证件改正，确实如此就按 6、8、4 位用空格分段写。",
              "The number in {cell} ends in {tail}, as if Excel had lost its last digits; correct it, or, if it is right, enter it in groups of 6, 8 and 4 digits.")),
    _warning("ID_TYPE_INFERRED", ("证件类型按号码判断", "Card type inferred"),
       "证件类型为空，按号码判断为{used}。", "The card type is empty; from the number it was taken as {used}."),
    _error("ID_TYPE_MISMATCH", ("证件类型与号码不符", "Card type does not match the number"),
       "{cell} 的证件类型“{found}”与号码不符，号码属于{used}；请改正其中之一。",
       "The card type “{found}” in {cell} does not match the number, which belongs to a {used}; correct one of them.",
       other=("{cell} 的证件类型是“{found}”，但号码属于{used}，已按后者提交。",
              "The card type in {cell} is “{found}”, but the number belongs to a {used} and is sent as that.")),
    _error("ID_TYPE_UNSUPPORTED", ("证件类型不支持", "Card type not supported"),
       "{cell} 的证件类型“{found}”不支持；请改正；若确为其他证件且腾讯已为贵院开通，可把 api.allow_other_card_type 设为 true。",
       "The card type “{found}” in {cell} is not supported; correct it, or, if Tencent has enabled other cards for you, set api.allow_other_card_type to true."),
    _error("ID_NAME_CONFLICT", ("同一证件号码有两个姓名", "One number with two names"),
       "同一证件号码有两个姓名（{other}）；都未提交，请改正。",
       "The same identity number appears with two names ({other}); none of them was sent, correct them."),
)  # fmt: skip

MOBILE_ENTRIES = (
    _warning("MOBILE_MISSING", ("手机号为空", "Mobile number missing"),
       "手机号为空；日后开通授权签（原自动签）时需要。",
       "The mobile number is empty; it will be needed to enable auto-sign later.", "clerk",
       other=("手机号为空，而此行要开通授权签（原自动签）；请填写。",
        "The mobile number is empty, but auto-sign is enabled for this row; fill it in.")),
    _error("MOBILE_INVALID", ("手机号格式不对", "Invalid mobile number"),
       "{cell} 的手机号“{found}”不对（应为 1 开头的 11 位数字）；请改正或清空。",
       "The mobile number “{found}” in {cell} must be 11 digits starting with 1; correct it or leave it empty."),
    _error("MOBILE_AMBIGUOUS", ("一格里有两个手机号", "Two mobile numbers in one cell"),
       "{cell} 里有两个手机号；请只留一个。", "{cell} contains two mobile numbers; keep one."),
    _warning("MOBILE_DUPLICATE", ("手机号与他人相同", "Mobile number used twice"),
       "手机号与 {other} 相同；请核对。", "The mobile number is also used by {other}; check it.", "clerk"),
)  # fmt: skip

STAFF_NO_ENTRIES = (
    _warning("STAFF_NO_DUPLICATE", ("工号与他人相同", "Staff number used twice"),
       "工号与 {other} 相同，以这个工号命名的图片两人都不采用；请核对工号，或用证件号码给图片命名。",
       "The staff number is also used by {other}, so a picture named by it is used for neither; check the number, or name the pictures by identity number.", "clerk"),
)  # fmt: skip

SEAL_NAME_ENTRIES = (
    _error("SEAL_NAME_LENGTH", ("印章名称长度不对", "Seal name: wrong length"),
       "印章名称“{found}”有 {length} 个字，应为 1–50 个字；请缩短。",
       "The seal name “{found}” has {length} characters (1 to 50 are allowed); shorten it."),
    _error("SEAL_NAME_CHARS", ("印章名称含有不支持的字符", "Seal name: wrong character"),
       "印章名称“{found}”含有不支持的字符“{bad}”；请只用汉字、“·”和中文数字（或设 seal_name_ascii: true）。",
       "The seal name “{found}” contains “{bad}”; use only Chinese characters, “·” and Chinese digits (or set seal_name_ascii: true)."),
    _error("SEAL_NAME_DUPLICATE", ("印章名称已属于他人", "Seal name already in use"),
       "印章名称“{found}”已属于另一位医生；请改一个名称，或填写工号、科室以便区分。{other}",
       "The seal name “{found}” belongs to another doctor; choose another name, or fill in the staff number or department. {other}",
       other=("与他人同名，印章名称用“{used}”以示区分。", "Another doctor has the same name, so the seal is named “{used}”.")),
    _error("SEAL_NAME_FROZEN", ("沿用已有的印章名称", "Earlier seal name kept"),
       "此前曾以“{frozen}”提交且不能排除已创建，不能改名为“{found}”；请改回原名。",
       "A seal named “{frozen}” was submitted before and may exist, so the name cannot change to “{found}”; use the first name."),
)  # fmt: skip

PICTURE_ENTRIES = (
    _error("IMAGE_MISSING", ("找不到印章图片", "No seal picture"),
       "找不到印章图片（{tried}）；请放入图片文件夹，或在图片列写明文件名。{hint}",
       "No seal picture was found ({tried}); put it into the picture folder or enter its file name in the picture column. {hint}"),
    _error("IMAGE_AMBIGUOUS", ("有多张可能的图片", "Several possible pictures"),
       "有多张不同的图片都可能是此人的：{found}；请只留一张，或在图片列写明用哪一张。",
       "More than one picture could be this doctor's: {found}; keep one, or enter its file name in the picture column.",
       other=("图片压到了相邻行，因至少三分之二在本行，已采用；把图片移到本行之内就不再提示。",
              "The picture overlaps a neighbouring row and was used for this row, because at least two thirds of it are here; move it inside this row to remove this note.")),
    _error("IMAGE_CORRUPT", ("图片已损坏", "Damaged picture"),
       "图片 {file} 已损坏（{found}）；请重新导出。", "The picture {file} is damaged ({found}); export it again."),
    _error("IMAGE_NOT_READ", ("图片暂时无法读取", "Picture not readable this time"),
       "这次没能读取图片 {file}（{why}），图片和名单都没有问题；请再运行一次，仍然如此请找信息科。",
       "The picture {file} could not be read this time ({why}); picture and roster need no correction. Run again, and ask IT if it happens again.", "it"),
    _error("IMAGE_FORMAT", ("图片格式不支持", "Unsupported picture format"),
       "图片 {file} 的内容是 {found}，不是 PNG 或 JPG；请另存为 PNG。",
       "The picture {file} is {found}, not PNG or JPG; save it as PNG."),
    _warning("IMAGE_CONVERTED", ("图片已转换格式", "Picture converted"),
       "图片 {file} 已转换（{why}）。", "The picture {file} was converted ({why})."),
    _error("IMAGE_BLANK", ("图片是空白的", "Blank picture"),
       "图片 {file} 是空白的；请换一张。", "The picture {file} is blank; replace it."),
    _error("IMAGE_TOO_SMALL", ("图片太小", "Picture too small"),
       "图片 {file} 只有 {found} 像素，印章会看不清；请换成至少 {limit} 像素的图片。",
       "The picture {file} has only {found} pixels, too few for a legible seal; use one of at least {limit} pixels."),
    _error("IMAGE_TOO_LARGE", ("图片过大", "Picture too large"),
       "图片 {file} 过大（{found}，上限 {limit}）；请缩小后再试。",
       "The picture {file} is too large ({found}, limit {limit}); make it smaller."),
    _warning("IMAGE_TOO_LARGE_FIXABLE", ("图片过大，已缩小", "Large picture, reduced"),
       "图片 {file} 过大（{found}），已缩小为 {used}。", "The picture {file} was too large ({found}) and was reduced to {used}."),
    _error("IMAGE_SHARED", ("两人用了同一张图片", "One picture for two people"),
       "图片 {file} 也是 {other} 的图片；都未提交，请看清是谁的章，给其他人换上各自的图片。",
       "The picture {file} is also used by {other}; none of them was sent, check whose seal it is and replace the others.",
       other=("图片 {file} 已经用于另一位医生的印章“{sealed}”；没有提交，请给本人换上自己的图片，或核对名单。",
              "The picture {file} was already used for another doctor's seal “{sealed}”; nothing was sent, use this doctor's own picture or check the roster.")),
    _warning("IMAGE_NAME_FUZZY", ("图片文件名与预期略有不同", "Picture name slightly different"),
       "用了图片 {found}，文件名去掉{why}后就是 {expected}；改好文件名后不再提示。",
       "The picture {found} was used for {expected} (ignoring {why}); rename the file to remove this note.", "clerk"),
    _error("IMAGE_NAME_MISMATCH", ("图片上的姓名不是此人", "Picture shows another name"),
       "图片上的名字像是“{found}”，不是此人；请核对。",
       "The picture seems to show the name “{found}”, not this doctor's; check it."),
    _warning("IMAGE_DUPLICATE_FILE", ("同一张图片有多个文件", "Same picture in several files"),
       "同一张图片有多个文件：{found}；用了第一个。", "Several files contain the same picture: {found}; the first was used."),
    _error("IMAGE_PATH_REJECTED", ("图片列的写法不支持", "Picture entry not accepted"),
       "图片列的写法不支持：{found}（{why}）；请只写图片文件夹中的文件名。",
       "The entry of the picture column is not accepted: {found} ({why}); enter only the name of a file in the picture folder."),
)  # fmt: skip

CATALOGUE: Mapping[str, Entry] = {
    entry.code: entry
    for group in (
        FILE_ENTRIES,
        ROW_ENTRIES,
        NAME_ENTRIES,
        IDENTITY_ENTRIES,
        MOBILE_ENTRIES,
        STAFF_NO_ENTRIES,
        SEAL_NAME_ENTRIES,
        PICTURE_ENTRIES,
    )
    for entry in group
}

# code -> the word of its detail that asks for the other sentence
OTHER_CASE: Mapping[str, str] = {
    "CONTENT_CHANGED": "sealed",
    "FILE_SUSPICIOUS": "to_fix_row",
    "HEADER_NOT_FOUND": "lost_sheet",
    "ID_LENGTH": "renewals",
    "ID_PRECISION_LOST": "tail",
    "IMAGE_SHARED": "sealed",
    "PERSON_POSSIBLY_SAME": "same",
    "ROW_DUPLICATE": "differs",
    "ROW_SUPERSEDED": "gone",
}

# code -> further words of its detail, each with the sentence that it asks for; the first one found counts
FURTHER_CASES: Mapping[str, Mapping[str, Pair]] = {
    "COLUMN_MISSING": {"theirs": (
        "缺少医生的“{field}”列，[工作表“{sheet}”里]{theirs} 在 {person} 之后，当作那个人的，没有采用；是医生本人的就把它移到 {person} 之前，或在 config.yaml 的 columns 中指定这一列。",
        "The column {field} of the doctor is missing.[ In sheet {sheet}:] {theirs} comes after {person}, so it was taken as that person's and not used. If it is the doctor's, move it before {person}, or map it under columns: in config.yaml.",
    )},
    "FILE_SUSPICIOUS": {"twice": (
        "“失败待改”第 {to_fix_row} 行和第 {twice} 行的隐藏标记相同（其中一行是复制的），文件没有读取；请删掉复制的行，新医师写进名单。",
        "Rows {to_fix_row} and {twice} of “To fix” have the same hidden mark, so one is a copy, and the file was not read; delete the copied row, and add new doctors to the roster.",
    )},
    "HEADER_NOT_FOUND": {"number_row": (
        "工作表“{sheet}”没有读取，但第 {number_row} 行有证件号码：没有同时有姓名和证件号码两列的表头[，看到的标题：{found}][，最接近的：{near}]；请在这张表的人员上面加一行列名（姓名、证件号码），不是名单就删除这张工作表。其他工作表已照常读取。",
        "The sheet {sheet} was not read, although row {number_row} contains an identity number: it has no header row with columns for name and identity number[. Titles found: {found}][, nearest: {near}]; add a row with column names, at least 姓名 (name) and 证件号码 (identity number), above its people, or delete the sheet if it is no roster. The other sheets were read.",
    ), "first": (
        "没有表头：[工作表“{sheet}”]第 {first} 行已经是数据（{found}）；请在最上面加一行列名，至少有姓名和证件号码。",
        "There is no header row: [in sheet {sheet}, ]row {first} already contains data ({found}); add a first row with column names, at least 姓名 (name) and 证件号码 (identity number).",
    )},
    "ID_MISSING": {"elsewhere": (
        "证件号码为空，{elsewhere} 里却有一个证件号码；请把姓名、证件号码、手机号分别填进各自的列。",
        "The identity number is missing, but {elsewhere} contains one; enter name, identity number and mobile in their own columns.",
    )},
    "IMAGE_AMBIGUOUS": {"between": (
        "名单里的图片 {between} 压在两行之间，不能确定是哪位医生的，没有采用；请把图片移到本人的那一行之内（至少三分之二在本行）。",
        "The roster's picture {between} lies between two rows, so it is not certain whose it is and it was not used; move it into the row of its doctor (at least two thirds of it).",
    ), "used": (
        "有多张不同的图片都可能是此人的，现有印章用的是 {used}，没有重新提交；如果 {others} 是新的印章图片，请删除 {used}（下次运行会列为“有变化”，由人工决定），否则删除 {others}。",
        "More than one picture could be this doctor's; the seal was made from {used} and nothing was sent. If {others} is the new picture, delete {used} (the next run lists the row as Changed, for a decision); if not, delete {others}.",
    ), "unused": (
        "有多张不同的图片都可能是此人的（{unused}），现有印章用的不是其中任何一张，没有重新提交；请只留下此人的那一张（下次运行会列为“有变化”，由人工决定）。",
        "More than one picture could be this doctor's ({unused}); the seal was made from none of them and nothing was sent. Keep the doctor's picture alone (the next run lists the row as Changed, for a decision).",
    ), "claimed": (
        "图片 {found} 写在一位医生的图片列里，按文件名或原结果表却是另一位的（{other}）；都未提交，请改正图片列。",
        "The picture {found} is entered for one doctor, but by its file name or the results it belongs to another ({other}); none of them was sent, correct the picture column.",
    ), "known": (
        "图片 {found} 没有用于 {name}：按姓名、工号或以前的运行，它可能是另一位医生 {earlier} 的（{place}[，运行 {run}]）。是 {name} 本人的，请任选一种办法：用证件号码给文件命名；在 review.html 里判为“正确”；运行 esign-import resolve {name} --keep。不是，请换上本人的图片。两位如果是同一人（改过姓名或号码），请运行 esign-import resolve {name} --same-person：不会有第二枚印章。",
        "The picture {found} was not used for {name}: by its name, its staff number or an earlier run it may belong to another doctor, {earlier} ({place}[, run {run}]). If it is {name}'s, do one of three things: name the file by the identity number, judge it right in review.html, or run esign-import resolve {name} --keep. If not, put this doctor's own picture in its place. If the two are one person whose name or number changed, run esign-import resolve {name} --same-person: no second seal is made.",
    ), "earlier": (
        "图片 {found} 没有用于 {name}：按姓名、工号或以前的运行，它可能是另一位医生 {earlier} 的（{place}[，运行 {run}]）。是 {name} 本人的，请任选一种办法：用证件号码给文件命名；在 review.html 里判为“正确”；运行 esign-import resolve {name} --keep。不是，请换上本人的图片。",
        "The picture {found} was not used for {name}: by its name, its staff number or an earlier run it may belong to another doctor, {earlier} ({place}[, run {run}]). If it is {name}'s, do one of three things: name the file by the identity number, judge it right in review.html, or run esign-import resolve {name} --keep. If not, put this doctor's own picture in its place.",
    ), "department": (
        "图片 {found} 在别的科室的文件夹里，此人的科室是{department}；请移到本科室的文件夹，或用工号、证件号码命名。",
        "The picture {found} is in another department's folder, but this doctor's department is {department}; move the file, or name it by staff number or identity number.",
    ), "ward": (
        "图片 {found} 在某个科室的文件夹里，名单没有科室列，这一行在“{ward}”中，所以可能是别的科室同名医生的图片；如果是此人的，请用工号或证件号码命名，或给名单加“科室”列，并把图片放进该科室的文件夹。",
        "The picture {found} is in a department's folder, the roster has no department column, and this row is in “{ward}”, so the picture may be that of a doctor with the same name in another department; if it is this doctor's, name it by staff number or identity number, or add a department column (科室) and put the picture into the folder of that department.",
    ), "other": (
        "图片 {found} 也可能是 {other} 的，没有采用；请用工号或证件号码给图片命名。",
        "The picture {found} could also belong to {other} and was not used; name pictures by staff number or identity number.",
    ), "no_column": (
        "有多张不同的图片都可能是此人的：{found}；请只留下正确的那一张。",
        "More than one picture could be this doctor's: {found}; keep the right one alone.",
    )},
    "IMAGE_MISSING": {"moved": (
        "姓名或证件号码可能已是另一位医生的（{tried}），原来的图片没有沿用；请填写本人图片的文件名，或用这个证件号码给图片命名。",
        "The name or number may now be another doctor's ({tried}), so the earlier picture was not used; enter the file name of this doctor's picture, or name the file by this number.",
    ), "no_column": (
        "找不到印章图片（{tried}）；请放入图片文件夹，用工号、证件号码或姓名给文件命名。{hint}",
        "No seal picture was found ({tried}); put it into the picture folder, named by staff number, identity number or name. {hint}",
    )},
    "IMAGE_NAME_FUZZY": {"path": (
        "图片列写的是另一台电脑上的路径（{expected}），按其中的文件名用了图片文件夹里的 {found}[（去掉{why}）]；只写文件名就不再提示。",
        "The picture column contains a path of another computer ({expected}), so {found} in the picture folder was used by its file name[ (ignoring {why})]; enter only the file name to remove this note.",
    )},
    "IMAGE_CORRUPT": {"differs": (
        "图片 {file} 转换为 {differs} 后与原图不一致，没有提交；请用看图软件打开，另存为 PNG。",
        "The picture {file} looked different once it was converted to {differs} and was not sent; open it in an image viewer and save it as PNG.",
    )},
    "IMAGE_NOT_READ": {"user": (
        "用户 {user} 没有权限读取图片 {file}，图片和名单都没有问题；请信息科让该用户能读取它（如 chmod），再运行一次。",
        "User {user} may not read the picture {file}, picture and roster need no correction; IT: let that user read it (chmod), then run again.",
    )},
    "IMAGE_SHARED": {"twin": (
        "图片 {file} 与 {twin}（{other}）虽是两个文件，图案却完全相同；都未提交，请打开看清是谁的章，给其他人换上各自的图片。",
        "The files {file} and {twin} ({other}) show the same seal; none of them was sent, check whose seal it is and replace the others.",
    )},
    "ROW_SUPERSEDED": {"seal": (
        "改好的行（{other}）已经提交，印章已创建（{seal}，{day}）；请把名单里的这一行也改过来，否则每次运行都会再提示。",
        "The corrected copy of this row ({other}) was sent and its seal was created ({seal}, {day}); correct this row of the roster as well, or every run lists it again.",
    )},
    "ROW_DUPLICATE": {"faults": (
        "与 {other} 是同一人，问题也相同；改正那一行即可，本行可删除。",
        "Same person as {other}, with the same problems; correct that row, you can delete this one.",
    )},
    "PERSON_POSSIBLY_SAME": {"trace": (
        "{agreed}与一次结果未知的提交相同[（名单里的 {other}）]，证件号码却不同（“{sealed}”，尾号 {tail}，{day}，TraceId {trace}）；没有提交。号码写错了请改正；是改正后的号码，请信息科运行 resolve {trace} --same-person；确是另一人，运行 resolve {trace} --other-person。",
        "Same {agreed} as a submission whose result is unknown (“{sealed}”, number ending in {tail}, {day}, TraceId {trace}[, {other}]), but the identity number is different; nothing was sent. Correct a wrong number; if it is the corrected number of that doctor, IT runs resolve {trace} --same-person; if it is another person, resolve {trace} --other-person.",
    )},
}  # fmt: skip
