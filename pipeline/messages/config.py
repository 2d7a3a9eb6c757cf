"""Faults of the configuration, of credentials and of a sandbox's fault file, and the columns of a roster, in Chinese and English.

`pydantic`'s kinds of error have their own names.
"""

from __future__ import annotations

from collections.abc import Mapping

CONFIG_TEXTS: Mapping[str, tuple[str, str]] = {
    "config.faults": ("{faults}", "{faults}"),
    "config.value": ("{place}{where}：{fault}{found}", "{place}{where}: {fault}{found}"),
    "config.found": ("（写的是“{value}”）", " (it is “{value}”)"),
    "config.variable": ("环境变量 {name}：", "environment variable {name}: "),
    "config.key_line": ("{key}（第 {line} 行）", "{key} (line {line})"),
    "config.unknown_key": ("{place}{where}：不认识的配置项{near}", "{place}{where}: unknown key{near}"),
    "config.unknown_variable": (
        "环境变量 {name}：不认识{near}",
        "environment variable {name}: unknown{near}",
    ),
    "config.near": ("；是不是 {name}？", "; did you mean {name}?"),
    # values that do not fit
    "config.only_host": (
        "{value}：这里只能写协议、主机和端口，如 https://essbasic.tencentcloudapi.com",
        "{value}: only scheme, host and port are allowed, such as https://essbasic.tencentcloudapi.com",
    ),
    "config.no_scheme": (
        "{value}：必须以 https:// 开头，如 https://essbasic.tencentcloudapi.com",
        "{value}: must begin with https://, such as https://essbasic.tencentcloudapi.com",
    ),
    "config.no_port": (
        "没有这样的端口；端口是 1 到 65535 的数字",
        "invalid port; use a number from 1 to 65535",
    ),
    "config.proxy": (
        "应写成 http://主机:端口 或 https://主机:端口，需要时写 http://用户:密码@主机:端口",
        "must be http://host:port or https://host:port, if necessary with a user: http://user:password@host:port",
    ),
    "config.no_ledger": (
        "应是本机磁盘上的路径，或 postgresql://用户@主机:端口/数据库；用户名和密码里的 @ / ? : 要写成 %40 %2F %3F %3A",
        "must be a path on a local disk, or postgresql://user@host:port/database; in user and password, write @ / ? : as %40 %2F %3F %3A",
    ),
    "config.server_backup": (
        "台账在 PostgreSQL 里时，backup.folder 不起作用：请改为 backup: {{folder: null}}，并用 pg_dump 备份数据库",
        "backup.folder copies no ledger that is in PostgreSQL: set backup: {{folder: null}} and back the database up with pg_dump",
    ),
    "config.no_ping": (
        "必须以 http:// 或 https:// 开头",
        "must begin with http:// or https://",
    ),
    "config.column": (
        "没有“{value}”这个字段；可以写：{known}（ignore 表示不读取这一列）",
        "unknown field “{value}”; use one of: {known} (ignore: the column is not read)",
    ),
    "config.needs_https": (
        "{value}：必须用 https（只有 127.0.0.1 可用 http）",
        "{value}: https is required (http only for 127.0.0.1)",
    ),
    "config.not_tencent": ("{value}：不是腾讯电子签的地址", "{value}: not an address of Tencent e-Sign"),
    "config.two_environments": (
        "endpoint {general} 与 file_endpoint {files} 不是同一环境",
        "endpoint {general} and file_endpoint {files} belong to different environments",
    ),
    "config.inline_only": (
        "{names}：只有 contract: inline 时才能填写",
        "{names}: only allowed with contract: inline",
    ),
    "config.needs_license": (
        "enable_auto_sign: true 时必须填写 license_type：不填会为每位医生绑定一个付费许可",
        "enable_auto_sign: true needs license_type; without it, a paid licence is bound for every doctor",
    ),
    "config.no_age": (
        "{value}：不是期限；请写成 90d（天）、12w（周）或 1y（年），null 表示一直保留",
        "{value}: must be an age such as 90d (days), 12w (weeks) or 1y (years); null keeps all",
    ),
    "config.quota": (
        "{value}：不能作配额的名称；请用 1 到 40 个字母、数字、点、横线或下划线",
        "{value}: cannot be the name of a quota; use 1 to 40 letters, digits, dots, hyphens or underscores",
    ),
    "config.no_time": (
        '{value}：不是时刻；请写成 "06:00" 的样子，从 "00:00" 到 "23:59"',
        '{value}: must be a time such as "06:00", from "00:00" to "23:59"',
    ),
    "config.no_mode": (
        '{value}：不是可用的文件权限；请写成 "0640" 的样子：所有者可以读写（6），组和其他人可以读（4）或没有权限（0）',
        '{value}: must be the mode of a file such as "0640": the owner reads and writes (6), group and others read (4) or not (0)',
    ),
    "config.template": (
        "{value}：必须含 {{name}}，还可以含 {{staff_no}} 和 {{department}}；花括号里不能写别的",
        "{value}: must contain {{name}} and may contain {{staff_no}} and {{department}}; nothing else is allowed in braces",
    ),
    "config.misplaced_secret": (
        "{place}{where}：这里没有这一项。密钥不写在 config.yaml 里：写入 secrets_dir 里的文件 tencent__secret_id 和 tencent__secret_key，再把这里的删掉；给别人看过的密钥请停用并换新",
        "{place}{where}: no such key. Keys do not belong in config.yaml: put them into the files tencent__secret_id and tencent__secret_key in secrets_dir and delete them here; replace a key that others have seen",
    ),
    "config.secret_variable": (
        "{name}：密钥请用环境变量 TENCENTCLOUD_SECRET_ID 和 TENCENTCLOUD_SECRET_KEY",
        "{name}: use the variables TENCENTCLOUD_SECRET_ID and TENCENTCLOUD_SECRET_KEY for keys",
    ),
    "config.secret_exposed": (
        "{path}：里面有密钥或密码，而本机的其他用户可以读取；请把它们移到 secrets_dir 的文件里，或运行 chmod 600 {path}",
        "{path}: it contains keys or a password, and other users of this machine can read it; move them into files in secrets_dir, or run chmod 600 {path}",
    ),
    "config.secret_in_git": (
        "{path}：里面有密钥或密码，而它在 git 仓库 {folder} 里，没有被忽略；请把它们移到 secrets_dir 的文件里。已经提交过的请停用并换新",
        "{path}: it contains keys or a password, and it lies in the git repository {folder} without being ignored; move them into files in secrets_dir. Replace those that were committed",
    ),
    "config.literal_secret": (
        "{path} 里写有密钥或密码；更好的做法是放在 secrets_dir 的文件里，见 docs/zh/configuration.md。",
        "{path} contains keys or a password; files in secrets_dir are safer, see docs/en/configuration.md.",
    ),
    "config.half_a_pair": (
        "secret_id 和 secret_key 要么都写，要么都不写",
        "secret_id and secret_key must be set together, or not at all",
    ),
    "config.needs_role_arn": (
        "role: sts 需要 role_arn，如 qcs::cam::uin/100000000001:roleName/esign-import",
        "role: sts requires role_arn, such as qcs::cam::uin/100000000001:roleName/esign-import",
    ),
    "config.metadata_endpoint": (
        "role: cvm 的 endpoint 只能是本机地址（用于测试）",
        "with role: cvm, endpoint can only be an address of this machine (for tests)",
    ),
    # profiles
    "profiles.bad_name": (
        "名称要能作文件夹名：最多 40 个字，用汉字、字母、数字、_、- 和 .，以字或数字开头，不以 . 结尾，不用 Windows 的保留名（如 con）",
        "not a name for a folder; use at most 40 letters, digits, _, - and ., first a letter or digit, no dot at the end, and no reserved name of Windows such as con",
    ),
    "profiles.same_name": (
        "与另一个名称只差大小写，请换一个名称",
        "differs from another name only in upper and lower case; choose another name",
    ),
    "profiles.shared": (
        "与 {rival} 相同或在其之内；每家医院都要有自己的",
        "the same as that of {rival}, or inside it; each hospital needs its own",
    ),
    "profiles.top": ("顶层配置", "the top level"),
    "profiles.heading": ("{name}", "{name}"),
    "profiles.both": ("--profile 和 --all 只写一个。", "Use either --profile or --all."),
    "profiles.choose": (
        "{path} 里有几家医院：请用 --profile 写明一家（{known}），或用 --all 处理全部。",
        "{path} holds several hospitals; choose one with --profile ({known}), or all with --all.",
    ),
    "profiles.one_command": (
        "{command} 一次只处理一家医院；请只写一个 --profile。",
        "{command} is for one hospital at a time; use one --profile.",
    ),
    "profiles.one_option": (
        "{option} 只对一家医院有意义；请只写一个 --profile，或不写 {option}。",
        "{option} is for one hospital; use one --profile, or leave out {option}.",
    ),
    "profiles.exit": ("{name} {exit}", "{name} {exit}"),
    "profiles.others": ("其余 {n} 家 0", "the other {n} 0"),
    "profiles.sum": (
        "\n各医院的退出码：{codes}。本次退出码：{exit}。",
        "\nExit codes: {codes}. Exit code of this command: {exit}.",
    ),
    "profiles.skipped": (
        "被中断，还有 {n} 家医院没有处理；请再运行一次。",
        "Interrupted; hospitals that had no turn: {n}. Run the command again.",
    ),
    "profiles.unknown": (
        "{path} 的 profiles 里没有 {name}{near}（有：{known}）",
        "{path} has no profile {name}{near} (profiles: {known})",
    ),
    "profiles.none": (
        "{path} 里没有 profiles；只有一家医院时不用 --profile 和 --all。",
        "{path} has no profiles; with one hospital, leave out --profile and --all.",
    ),
    # pydantic's kinds of error; {…} are of its context
    "config.pydantic.missing": ("缺少", "is missing"),
    "config.pydantic.bool_type": ("必须是 true 或 false", "must be true or false"),
    "config.pydantic.bool_parsing": ("必须是 true 或 false", "must be true or false"),
    "config.pydantic.int_type": ("必须是整数", "must be a whole number"),
    "config.pydantic.int_from_float": ("必须是整数", "must be a whole number"),
    "config.pydantic.int_parsing_size": ("过大", "is too large"),
    "config.pydantic.float_type": ("必须是数字", "must be a number"),
    "config.pydantic.int_parsing": ("必须是整数", "must be a whole number"),
    "config.pydantic.float_parsing": ("必须是数字", "must be a number"),
    "config.pydantic.finite_number": ("必须是有限的数字", "must be a finite number"),
    "config.pydantic.greater_than_equal": ("不能小于 {ge}", "must be at least {ge}"),
    "config.pydantic.less_than_equal": ("不能大于 {le}", "must be at most {le}"),
    "config.pydantic.greater_than": ("必须大于 {gt}", "must be greater than {gt}"),
    "config.pydantic.model_type": ("下面必须缩进写各配置项", "must contain keys, indented below it"),
    "config.pydantic.dict_type": ("必须是“键: 值”", "must contain pairs of key: value"),
    "config.pydantic.path_type": ("必须是路径", "must be a path"),
    "config.pydantic.tuple_type": ("必须是路径或路径列表", "must be a path or a list of paths"),
    "config.pydantic.literal_error": ("必须是 {expected} 之一", "must be one of {expected}"),
    "config.pydantic.enum": ("必须是 {expected} 之一", "must be one of {expected}"),
    "config.pydantic.string_type": ("必须是文字", "must be text"),
    # the file itself
    "config.unreadable": ("{path}：无法读取（{why}）", "{path}: cannot be read ({why})"),
    "config.forbidden": (
        "{path}：没有读取权限；请让用户 {user} 能读取它",
        "{path}: permission denied; let user {user} read it",
    ),
    "config.not_text": (
        "{path}：不是配置文件（内容不是文本）；请用 --config 写明 config.yaml",
        "{path}: not a configuration file (not text); use --config to specify your config.yaml",
    ),
    "config.not_utf8": (
        "{path}：不是 UTF-8 编码；请在记事本里另存为，编码选 UTF-8",
        "{path}: not UTF-8; in Notepad choose Save as with encoding UTF-8",
    ),
    "config.too_large": (
        "{path}：不是配置文件（超过 {limit} KB）",
        "{path}: not a configuration file (larger than {limit} KB)",
    ),
    "config.too_deep": (
        "{path}：括号或缩进的层数太多，配置最多 {limit} 层",
        "{path}: brackets or indentation are nested too deep; a configuration has at most {limit} levels",
    ),
    "config.no_mapping": ("{path}：内容必须是“键: 值”", "{path}: must contain pairs of key: value"),
    "config.syntax": ("{path}:{line}：YAML 写法有误（{why}）", "{path}:{line}: {why}"),
    "config.strange_syntax": ("{path}:{line}：YAML 写法有误", "{path}:{line}: {why}"),
    "config.on_line": ("{path}:{line}：{fault}", "{path}:{line}: {fault}"),
    "config.alias": ("不接受 YAML 别名", "aliases are not accepted"),
    "config.strange_key": ("键必须是普通文字", "a key must be plain text"),
    "config.twice": ("{name}：第 {first} 行已经写过", "{name}: already set on line {first}"),
    # ---- how the columns of a roster were read
    "columns.unused": ("没有用到：{unused}", "not used: {unused}"),
    "columns.guess": (
        "{column} {title}（是不是“{nearest}”？）",
        "{column} {title} (did you mean {nearest}?)",
    ),
    "columns.more": ("另有 {n} 列", "{n} more"),
    "columns.file": ("{place} 的列：{text}", "Columns of {place}: {text}"),
    "columns.files": (
        "{place} 等 {n} 个表的列：{text}",
        "Columns of {place} and other sheets ({n} in all): {text}",
    ),
    "columns.misspelt": (
        "{place} 没有用到这些列：{text}；写错了就改列名，或写进 config.yaml 的 columns。",
        "{place} has columns that are not used: {text}; correct misspelt titles, or map them under columns: in config.yaml.",
    ),
    "columns.saved": (
        "已把 {n} 个列名写入 {path} 的 columns。",
        "Titles added under columns: in {path}: {n}.",
    ),
    "columns.nothing_to_save": (
        "{path} 的 columns 不需要增加。",
        "Nothing to add under columns: in {path}.",
    ),
    "columns.hint": ("最接近：{nearest}", "nearest: {nearest}"),
    "columns.hints": (
        "拿不准的列名只写成了注释（{titles}）；确实是就去掉行首的 #。",
        "Uncertain titles were added as comments ({titles}); remove the leading # if the field is right.",
    ),
    # ---- credentials
    "credentials.missing": (
        """没有找到成对的 SecretId 和 SecretKey。依次查找了：
{places}
请把 tencent__secret_id 和 tencent__secret_key 两个文件放入 secrets_dir，或设置上述两个环境变量。""",
        """No complete pair of SecretId and SecretKey was found. Searched in this order:
{places}
Put the files tencent__secret_id and tencent__secret_key into secrets_dir, or set the two environment variables above.""",
    ),
    "credentials.place": ("  {place}：{why}", "  {place}: {why}"),
    "credentials.id_only": ("只有 SecretId，没有 SecretKey", "SecretId only, no SecretKey"),
    "credentials.key_only": ("只有 SecretKey，没有 SecretId", "SecretKey only, no SecretId"),
    "credentials.nothing": ("没有", "not found"),
    "credentials.forbidden": (
        "没有权限；请信息科让用户 {user} 能读取",
        "permission denied; let user {user} read it",
    ),
    "credentials.unreadable": ("有文件，但内容无法识别", "file found, but its content is invalid"),
    "credentials.no_keyring_extra": (
        "没有安装 pip install 'esign-import[keyring]'",
        "not installed: pip install 'esign-import[keyring]'",
    ),
    "credentials.no_keyring": ("这台机器没有钥匙串", "this machine has no keyring"),
    "credentials.keyring_failed": ("打不开（{kind}）", "cannot be opened ({kind})"),
    "credentials.keyring_silent": ("{seconds} 秒没有应答", "no answer within {seconds} s"),
    "credentials.role_failed": (
        "{source} 没有给出密钥：{why}。请检查角色是否已绑定或允许扮演、本机能否访问它（docs/zh/configuration.md 的“凭据”）。",
        "{source} gave no keys: {why}. Check that the role is bound or may be assumed and that this machine can reach it (docs/en/configuration.md, Credentials).",
    ),
    # ---- faults of a fault file of the sandbox
    "faults.unreadable": ("{path}：无法读取：{why}", "{path}: cannot be read: {why}"),
    "faults.not_utf8": ("不是 UTF-8 编码", "not UTF-8"),
    "faults.not_yaml": (
        "{path}:{line}：不是有效的 YAML 或 JSON；请检查这一行和上一行的冒号、缩进、引号和括号",
        "{path}:{line}: not valid YAML or JSON; check the colons, indents, quotation marks and brackets of this line and the one before",
    ),
    "faults.in_file": ("{path}:{line}：{why}", "{path}:{line}: {why}"),
    "faults.wrong": ("{place}：{why}", "{place}: {why}"),
    "faults.file": ("故障文件", "fault file"),
    "faults.list": (
        "第一行应为 faults:，下面每个故障写一条，如“- do: throttle”",
        "must begin with “faults:”, and below it a line such as “- do: throttle” for each fault",
    ),
    "faults.do": (
        "每个故障要写 do:（如“- do: throttle”），还可以写 match:，没有别的项；现在写的是“{found}”",
        "needs “do:” (such as “- do: throttle”) and may have “match:”, nothing else; it has “{found}”",
    ),
    "faults.one_name": ("应为一个名称，或一个名称及其值", "must be a name, or a name with its value"),
    "faults.no_kind": (
        "没有 {name!r} 这种故障；{near}可以写：{known}",
        "{name!r} is not a fault.{near} Faults: {known}",
    ),
    "faults.seconds": ("要写秒数，如“{kind}: 5”", "needs a number of seconds, such as “{kind}: 5”"),
    "faults.takes": ("应为 {wanted}，而不是 {value!r}", "must be {wanted}, not {value!r}"),
    "faults.either_side": ("before 或 after", "before or after"),
    "faults.url": ("一个 URL", "a url"),
    "faults.no_value": ("没有值", "without a value"),
    "faults.code": ("应为错误码，或 {{code, message}}", "must be a code, or {{code, message}}"),
    "faults.message": ("{code} 需要 message", "{code} needs a message"),
    "faults.object": ("应为对象", "must be an object"),
    "faults.none_of": ("没有这个名称；{near}可以写：{known}", "not a known name.{near} Known: {known}"),
    "faults.text": ("应为文字", "must be text"),
    "faults.share": ("应在 0 和 1 之间", "must be between 0 and 1"),
    "faults.whole_number": ("应为不小于 {least} 的整数", "must be a whole number from {least}"),
}

# a part of the YAML parser's message -> an explanation
PARSER_TEXTS: Mapping[str, tuple[str, str]] = {
    r"'\t' that cannot start": (
        "缩进要用空格，不能用制表符",
        "the indentation holds a tab; use spaces",
    ),
    "that cannot start any token": (
        "不能以这个字符开头；值里有特殊字符时请加引号",
        "a value cannot begin with this character; put the value in quotes",
    ),
    "',' or '}'": ("花括号里缺少逗号或右括号", "a comma or the closing brace is missing"),
    "',' or ']'": ("方括号里缺少逗号或右括号", "a comma or the closing bracket is missing"),
    "mapping values are not allowed": (
        "这里不能再有“键: 值”；值里有冒号时请加引号，上一行也可能缺少冒号",
        "a value here contains “:”; put it in quotes. Or the line above has no colon",
    ),
    "could not find expected ':'": ("键后面缺少冒号", "a colon is missing after the key"),
    "full-width colon": (
        "冒号要用半角“:”，后面加一个空格",
        "this colon is full-width; write “:” and a space",
    ),
    "expected <block end>": ("缩进没有对齐", "the indentation does not match the lines above"),
    "expected the node content": ("这里缺少值", "a value is missing here"),
    "unexpected end of stream": ("引号没有配对", "a quotation mark is not closed"),
    "unknown escape character": (
        "双引号里的反斜杠写法不对；路径请用单引号",
        "invalid backslash inside double quotes; put paths in single quotes",
    ),
    "undefined alias": ("不接受 YAML 别名", "aliases are not accepted"),
    "expected a single document": (
        "只能有一份文档，不能有 ---",
        "only one document is accepted, without ---",
    ),
    "tag": ("不接受 YAML 标签", "tags are not accepted"),
    "not YAML": ("不是 YAML 文件", "not a YAML file"),
}
