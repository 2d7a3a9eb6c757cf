"""Writes docs/{zh,en}/codes.md from the catalogues, and the tables of docs/{zh,en}/runbook.md.

Every code has who acts, what to do, and whether a rerun helps.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from pipeline.domain.service_codes import CODES
from pipeline.messages.areas import get_words, is_known, list_keys
from pipeline.messages.problems import get_problem_kind, split_remedy
from pipeline.messages.service_errors import (
    Advice,
    get_action_advice,
    list_answers,
    list_code_advice,
    list_halts,
    list_meanings,
)

HERE = Path(__file__).parent
LANGUAGES = ("zh", "en")
FEW = 6  # codes that share their advice and fit into one cell
Say = Callable[[str], str]

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("代码一览：谁处理，怎么办，重跑有没有用", "Every code: who acts, what to do, whether a rerun helps"),
    "made": (
        "<!-- 由 docs/codes.py 生成，请勿手改；修改目录后运行 make docs -->",
        "<!-- Made by docs/codes.py from the catalogues: do not edit, run make docs -->"),
    "intro": (
        """结果表、outcomes.jsonl、日志和 `esign-import explain` 里出现的代码都在这里，用 Ctrl-F 查找即可。

谁处理：**名单负责人**改名单和图片，**信息科**改设置、网络和密钥，**腾讯客户经理**开通权限和额度。""",
        """Every code that stands in the results, in outcomes.jsonl, in logs and in `esign-import explain`: search this page.

Who acts: the **roster owner** corrects roster and pictures, **IT** settings, network and keys, the **Tencent account
manager** opens functions and quotas."""),
    "ours": ("我们自己的检查", "Our own checks"),
    "ours.intro": (
        "“不提交”的行改好后，`retry` 结果表或等下次运行即可；“提醒”的行已照常处理。",
        "A row that was not sent goes on with `retry` of the corrected workbook, or in the next run; a warning stops nothing."),
    "group.file": ("名单文件", "Roster files"),
    "group.row": ("行", "Rows"),
    "group.name": ("姓名", "Names"),
    "group.identity": ("证件", "Identity numbers"),
    "group.mobile": ("手机号", "Mobiles"),
    "group.staff_no": ("工号", "Staff numbers"),
    "group.seal_name": ("印章名称", "Seal names"),
    "group.picture": ("图片", "Pictures"),
    "service": ("腾讯的错误码", "Codes of the service"),
    "service.intro": (
        "按含义分组；没有列出的错误码一律按“不能断定是否已创建”处理。",
        "Grouped by what they mean; a code that is not listed counts as one that proves nothing."),
    "meaning.throttle": ("调用太快", "Too many calls"),
    "meaning.clock": ("时钟", "Clock"),
    "meaning.credentials": ("密钥（停止运行）", "Keys (stops the run)"),
    "meaning.permission": ("权限（停止运行）", "Permission (stops the run)"),
    "meaning.account": ("应用、机构、经办人（停止运行）", "Application, organisation, operator (stops the run)"),
    "meaning.quota": ("额度（停止运行）", "Quota (stops the run)"),
    "meaning.contract": ("接口用法（停止运行）", "Contract (stops the run)"),
    "meaning.row": ("这一行被拒绝", "This row is refused"),
    "row.intro": (
        "没有改的行，三天之内每次运行会原样再提交（上传图片、创建）；之后只有改动这一行或 `retry` 才会再提交。",
        "Each run sends such a row again as it is (upload and create) until its first refusal is three days old; after that, only a change of the row or `retry` does."),
    "meaning.exists": ("名称已存在", "The name exists"),
    "meaning.upload_again": ("上传的图片", "The upload"),
    "meaning.unknown": ("不能断定是否已创建", "Nothing is proven"),
    "rest": ("其余 {n} 个", "{n} others"),
    "rest.list": ("其余 {n} 个：{codes}", "The {n} others: {codes}"),
    "actions": ("授权签（autosign）的调用里", "In the calls about auto-sign"),
    "actions.intro": (
        "这些错误码在 `autosign` 和 `doctor` 的调用里另有含义；其余的同上，但这些调用不创建印章。",
        "In the calls of `autosign` and `doctor` these codes mean something of their own; the others mean what stands above, but no seal is at stake."),
    "col.action": ("接口", "Action"),
    "answers": ("没有可用的应答", "No usable answer"),
    "answers.intro": (
        "腾讯没有给出可用的应答时，结果里写的是我们自己的词。",
        "If the service gave no usable answer, the results contain one of our own codes."),
    "halts": ("运行为什么提前停止", "Why a run stops early"),
    "halts.intro": (
        "run.json 的 halted.code；腾讯的错误码也会使运行停止，见上。",
        "halted.code in run.json; the service's own codes stop a run as well, see above."),
    "col.code": ("代码", "Code"),
    "col.means": ("含义", "Meaning"),
    "col.effect": ("后果", "Effect"),
    "col.who": ("谁处理", "Who acts"),
    "col.todo": ("怎么办", "What to do"),
    "col.rerun": ("重跑有用吗", "Does a rerun help?"),
    "effect.error": ("不提交", "not sent"),
    "effect.warning": ("提醒", "sent, with a warning"),
    "effect.file": ("整个文件不读", "file not read"),
    "rerun.after": ("改好之后", "after correcting it"),
    "rerun.itself": ("有用", "yes"),
    "rerun.held": ("没有，先 resolve", "no, resolve it first"),
    "rerun.needless": ("不需要", "not needed"),
    "col.reason": ("原因", "Reason"),
    "col.group": ("种类", "Kind"),
    "col.examples": ("错误码，例如", "Codes, for example"),
    "col.type": ("输入", "Type"),
    "more": ("，另有 {n} 个", " and {n} more"),
}  # fmt: skip
# reason of a stop, kind of a code -> the command that a person at night types, after what "what to do" asks for
TYPED: Mapping[str, str] = {
    "OUTAGE": "doctor",
    "TOO_MANY_NEW": "run --accept-guards",
    "ROSTER_SHRUNK": "run --accept-guards",
    "ROSTER_MISSING": "run",
    "TOO_MANY_UNKNOWN": "resolve",
    "SAME_REFUSAL": "doctor",
    "SEALS_EXIST": "adopt FILE",
    "ATTEMPT_BUDGET": "run",
    "PLAN_CHANGED": "check",
    "CUT_SHORT": "run",
    "HOLD_LOST": "status",
    "USAGE": "doctor --offline",
    "CREDENTIALS_MISSING": "doctor",
    "LOCKED": "status",
    "LEDGER_REFUSED": "ledger check",
    "NOT_READ_NOW": "run",
    "BEFORE_RUN": "run",
    "SEAL_ID_REUSED": "resolve",
    "CONTRACT_INLINE_IGNORED": "doctor --offline",
    "TLS": "doctor",
    "DISK": "doctor",
    "LEDGER": "doctor",
    "LEDGER_CONFLICT": "ledger check",
    "BUG": "run -v",
    "clock": "doctor",
    "credentials": "doctor",
    "permission": "explain NAME",
    "account": "doctor --offline",
    "quota": "run",
    "contract": "config show",
    "row": "retry",
    "exists": "resolve",
    "unknown": "resolve",
}
SHOWN_CODES = 3  # of a kind, in the runbook

GROUPS = ("file", "row", "name", "identity", "mobile", "staff_no", "seal_name", "picture")


def page(language: str) -> str:
    """Return the page in ``zh`` or ``en``."""

    def say(key: str) -> str:
        return WORDS[key][LANGUAGES.index(language)]

    lines = [
        f"# {say('title')}",
        "",
        say("made"),
        "",
        say("intro"),
        "",
        f"## {say('ours')}",
        "",
        say("ours.intro"),
    ]
    for name in GROUPS:
        codes = [code for code in list_keys("problems") if get_words(code).get("group") == name]
        lines += ["", f"### {say(f'group.{name}')}", ""]
        rows = (row for code in codes for row in _list_rows(code, name, language, say))
        lines += _table(("code", "means", "effect", "who", "todo", "rerun"), rows, say)
    lines += ["", f"## {say('service')}", "", say("service.intro")]
    for meaning, advice in list_meanings().items():
        codes = [code for code, code_value in CODES.items() if code_value == meaning]
        own = [code for code in codes if code in list_code_advice()]
        rest = [f"`{code}`" for code in codes if code not in list_code_advice()]
        lines += ["", f"### {say(f'meaning.{meaning}')}", ""]
        if meaning == "row":
            lines += [say("row.intro"), ""]
        rows = [(f"`{code}`", *_advice(list_code_advice()[code], language, say)) for code in own]
        few = len(rest) <= FEW
        if rest:
            first = "<br>".join(rest) if few else say("rest").format(n=len(rest))
            rows.append((first, *_advice(advice, language, say)))
        lines += _table(("code", "means", "who", "todo", "rerun"), rows, say)
        if not few:
            lines += ["", say("rest.list").format(n=len(rest), codes=" ".join(rest))]
    lines += ["", f"## {say('actions')}", "", say("actions.intro"), ""]
    rows = _list_action_rows(language, say)
    lines += _table(("action", "code", "means", "who", "todo", "rerun"), rows, say)
    for name, advised in (("answers", list_answers()), ("halts", list_halts())):
        lines += ["", f"## {say(name)}", "", say(f"{name}.intro"), ""]
        rows = [(f"`{code}`", *_advice(entry, language, say)) for code, entry in advised.items()]
        lines += _table(("code", "means", "who", "todo", "rerun"), rows, say)
    return "\n".join(lines) + "\n"


def fill_runbook(text: str, language: str) -> str:
    """Return a runbook with its tables made anew: reasons of a stop, and kinds of codes of the service."""

    def say(key: str) -> str:
        return WORDS[key][LANGUAGES.index(language)]

    reasons = [
        (f"`{code}`", *_advice(advice, language, say)[:3], _typed(code))
        for code, advice in list_halts().items()
    ]
    kinds = []
    for meaning, advice in list_meanings().items():
        codes = sorted(
            (code for code, code_value in CODES.items() if code_value == meaning),
            key=lambda code: code not in list_code_advice(),  # those with a text of their own first
        )
        shown = " ".join(f"`{code}`" for code in codes[:SHOWN_CODES])
        if len(codes) > SHOWN_CODES:
            shown += say("more").format(n=len(codes) - SHOWN_CODES)
        _, who, todo, _ = _advice(advice, language, say)
        kinds.append((say(f"meaning.{meaning}"), shown, who, todo, _typed(meaning)))
    for name, columns, rows in (
        ("reasons", ("reason", "means", "who", "todo", "type"), reasons),
        ("kinds", ("group", "examples", "who", "todo", "type"), kinds),
    ):
        table = "\n".join(_table(columns, rows, say))
        made = rf"(<!-- {name}[^>]*-->\n).*?(<!-- end -->)"
        text = re.sub(made, lambda m, table=table: f"{m[1]}\n{table}\n\n{m[2]}", text, flags=re.DOTALL)
    return text


def _list_action_rows(language: str, say: Say) -> Iterator[tuple[str, ...]]:
    """Yield a row for each code that means something of its own in one action."""
    start = "code_of."
    for key in list_keys("service_errors"):
        action, _, code = key.removeprefix(start).partition(".")
        if key.startswith(start) and not key.endswith(".todo"):
            advice = get_action_advice(code, action)
            assert advice is not None
            yield (action, f"`{code}`", *_advice(advice, language, say))


def _typed(name: str) -> str:
    return f"`{TYPED[name]}`" if name in TYPED else "—"


def _list_rows(code: str, group: str, language: str, say: Say) -> Iterator[tuple[str, ...]]:
    """Yield a code's row, and one for its sentence of the other severity and for each case that is documented."""
    kind = get_problem_kind(code)
    label, sentence = get_words(f"{code}.label")[language], get_words(code)[language]
    cases = [(label, split_remedy(sentence)[1], kind.severity)]
    for word in kind.cases:
        words = get_words(f"{code}.case_{word}")
        if "docs" in words:
            cases.append((*split_remedy(words[language]), kind.severity))
    if is_known(f"{code}.other_severity"):
        severity = "warning" if kind.severity == "error" else "error"
        cases.append((*split_remedy(get_words(f"{code}.other_severity")[language]), severity))
    for number, (means, todo, severity) in enumerate(cases):
        who = kind.who if todo else "nobody"
        rerun = "needless" if severity == "warning" else "after"
        if code == "ROW_DUPLICATE" and not number:  # an equal copy: nobody has to act
            who, rerun = "nobody", "needless"
        effect = severity
        if code == "CONTENT_CHANGED":  # a warning about a row that has its seal; nothing is sent
            effect, rerun = "error", "held"
        yield (
            f"`{code}`",
            _blanks(means).rstrip("。."),
            say("effect.file" if group == "file" else f"effect.{effect}"),
            get_words(f"who.{who}")[language],
            _blanks(todo) or "—",
            say(f"rerun.{rerun}"),
        )


def _advice(advice: Advice, language: str, say: Say) -> tuple[str, ...]:
    who = get_words(f"who.{advice.who}")[language]
    return advice.meaning.render(language), who, advice.todo.render(language), say(f"rerun.{advice.rerun}")


def _blanks(sentence: str) -> str:
    """Return a catalogue's words without what only a row can fill in."""
    plain = re.sub(r"\s*\{(hint|other)\}$", "", sentence).replace("{cell}", "C12")
    plain = re.sub(r"\{[a-z_]+\}", "…", plain).strip()
    return plain[:1].upper() + plain[1:]


def _table(names: Iterable[str], rows: Iterable[tuple[str, ...]], say: Say) -> Iterator[str]:
    heads = [say(f"col.{name}") for name in names]
    yield f"| {' | '.join(heads)} |"
    yield "|" + "---|" * len(heads)
    for row in rows:
        yield f"| {' | '.join(cell.replace('|', '&#124;') for cell in row)} |"


def path(language: str, name: str = "codes") -> Path:
    """Return where a page of a language lies."""
    return HERE / language / f"{name}.md"


if __name__ == "__main__":
    for language in LANGUAGES:
        path(language).parent.mkdir(exist_ok=True)
        path(language).write_text(page(language), encoding="utf-8")
        runbook = path(language, "runbook")
        runbook.write_text(fill_runbook(runbook.read_text("utf-8"), language), encoding="utf-8")
