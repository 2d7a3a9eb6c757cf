"""Texts of `init` and of shared results, in Chinese and English."""

from __future__ import annotations

from collections.abc import Mapping

SETUP_TEXTS: Mapping[str, tuple[str, str]] = {
    "sharing.no_group": (
        "这台机器上没有用户组 {group}（配置里的 results_group），所以只有运行的用户能读结果；请先建这个组。",
        "There is no group {group} on this machine (results_group in the configuration), so only the user who ran this can read the results; create the group.",
    ),
    "sharing.refused": (
        "{folder} 不接受设定的权限（results_mode、results_group）：{why}。在本机磁盘上，用户 {user} 必须属于组 {group}；在共享盘上由共享盘的设置决定谁能读。",
        "{folder} does not take the configured rights (results_mode, results_group): {why}. On a local disk, user {user} must belong to the group {group}; on a network share its own settings decide who can read.",
    ),
    "sharing.closed": (
        "组 {group} 进不了 {folder}，所以读不到结果；请让它能进入：chmod o+x",
        "The group {group} may not enter {folder} and so cannot read the results; let it pass: chmod o+x",
    ),
    "init.exists": (
        "{path} 已经存在，没有改动；要新建就换一个文件夹：init 文件夹",
        "{path} exists already and was not changed; for a new one use another folder: init DIR",
    ),
    "init.is_a_file": ("{path} 是文件，不是文件夹。", "{path} is a file, not a folder."),
    "init.ask_environment": (
        "给哪个环境用？1 正式环境　2 腾讯联调环境　3 本机沙盒（试用，不需要账号）",
        "Which environment? 1 production, 2 Tencent's test environment, 3 sandbox on this machine (to try, no account)",
    ),
    "init.ask_app_id": (
        "app_id（Agent.AppId，在平台的电子签控制台；暂时没有就直接回车）",
        "app_id (Agent.AppId, from the platform's e-Sign console; press Enter if you do not have it yet)",
    ),
    "init.ask_organization_open_id": (
        "organization_open_id（平台为医院定的编号）",
        "organization_open_id (the platform's id of the hospital)",
    ),
    "init.ask_operator_open_id": (
        "operator_open_id（平台为经办人定的编号）",
        "operator_open_id (the platform's id of the employee who acts)",
    ),
    "init.ask_language": (
        "结果用哪种语言？zh 中文　en 英文",
        "Language of the results: zh Chinese, en English",
    ),
    "init.bad_answer": ("请写其中之一：{choices}", "Please enter one of: {choices}"),
    "init.done": (
        "已在 {folder} 写好 config.yaml 和文件夹。",
        "Wrote config.yaml and its folders in {folder}.",
    ),
    "init.secrets": (
        "1. 把 SecretId 和 SecretKey 分别写进这两个文件（各一行）：\n   {id_file}\n   {key_file}",
        "1. Write SecretId and SecretKey into these files, one line each:\n   {id_file}\n   {key_file}",
    ),
    "init.ids": ("2. 在 {path} 里补上：{keys}", "2. Fill in {path}: {keys}"),
    "init.no_ids": ("2. 三个 id 已写入 {path}。", "2. The three ids are in {path}."),
    "init.fill": (
        "3. 名单放进 {inbox}（空白模板：{template}），印章图片放进 {seals}，文件名写姓名、工号或证件号码。",
        "3. Put the roster into {inbox} (empty template: {template}) and the seal pictures into {seals}, named by the doctor's name, staff number or identity number.",
    ),
    "init.sandbox": (
        "示例名单和印章图片已放好。在另一个窗口启动沙盒：\n   {command}",
        "A sample roster and its seal pictures are in place. Start the sandbox in another window:\n   {command}",
    ),
    "init.next_check": ("然后检查名单，不发送任何内容：", "Then check the roster; nothing is sent:"),
    "init.next_run": ("然后创建示例印章：", "Then create the sample seals:"),
    # the roster template
    "init.template": ("名单模板.xlsx", "roster-template.xlsx"),
    "init.sheet": ("医生名单", "Doctors"),
    "init.card_types": (
        "居民身份证,港澳居民来往内地通行证,港澳台居民居住证",
        "ID_CARD,HONGKONG_AND_MACAO,HONGKONG_MACAO_AND_TAIWAN",
    ),
    "init.note.name": ("必填。与身份证上的姓名一致。", "Required. As on the identity card."),
    "init.note.id_card_number": (
        "必填。居民身份证 18 位，港澳居民来往内地通行证 9 位。这一列是文本格式，请保持。",
        "Required. 18 characters of an identity card, 9 of a mainland travel permit. Keep this column as text.",
    ),
    "init.note.id_card_type": (
        "可空：按号码判断。请从列表中选择。",
        "Optional: follows from the number if it is blank. Choose from the list.",
    ),
    "init.note.mobile": ("可空。11 位手机号。", "Optional. A mobile number of 11 digits."),
    "init.note.staff_no": (
        "可空。同名医生靠工号区分，图片也可以用工号命名。",
        "Optional. Distinguishes doctors of the same name; pictures can be named by it.",
    ),
    "init.note.department": ("可空。", "Optional."),
    "init.note.seal_name": (
        "可空：按配置里的 seal_name 命名。最多 50 个字。",
        "Optional: named by seal_name of the configuration if it is blank. At most 50 characters.",
    ),
    "init.note.picture": (
        "可空。图片文件名；不写就按姓名、工号或证件号码找同名的图片。也可以把图片插入这个单元格。",
        "Optional. File name of the picture; without one, a picture named by name, staff number or identity number is used. A picture inserted into this cell counts as well.",
    ),
}
