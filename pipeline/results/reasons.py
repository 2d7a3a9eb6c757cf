"""Why a row ended as it did, and what to do about it: sentences for people, short labels for counting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from pipeline.model import Outcome, Status
from pipeline.problems import CATALOGUE, is_phrase, message, phrase
from pipeline.results.facts import UNSETTLED, when
from pipeline.results.privacy import Numbers, mask_problem, mask_text
from pipeline.results.words import FIELD_WORDS, say
from pipeline.roster import Field, Problem
from pipeline.service_advice import ANSWERS, advice_on, known

TO_FIX = frozenset({Status.REJECTED, Status.FAILED, Status.NOT_SENT})
_COMMA = {"zh": "、", "en": ", "}

# code -> what is counted in the Summary, where the catalogue's whole sentence would be too long
LABELS: Mapping[str, tuple[str, str]] = {
    "FILE_ENCRYPTED": ("文件有打开密码", "File with a password"),
    "FILE_FORMAT": ("文件格式不能读", "Unreadable file format"),
    "FILE_CORRUPT": ("文件已损坏", "Damaged file"),
    "FILE_EMPTY": ("文件是空的", "Empty file"),
    "FILE_TOO_LARGE": ("文件过大", "File too large"),
    "FILE_SUSPICIOUS": ("文件内容可疑", "Suspicious file"),
    "FILE_ENCODING": ("文字编码无法识别", "Unknown text encoding"),
    "HEADER_NOT_FOUND": ("找不到表头", "No header row"),
    "HEADER_AMBIGUOUS": ("表头有重复的列", "Ambiguous header"),
    "COLUMN_MISSING": ("缺少必需的列", "Column missing"),
    "ROW_DUPLICATE": ("同一人出现多行", "One person on several rows"),
    "FORMULA_ERROR": ("单元格是公式错误", "Formula error in a cell"),
    "FORMULA_NO_VALUE": ("公式没有计算结果", "Formula without a value"),
    "ROW_HIDDEN": ("隐藏的行也已读取", "Hidden row was read"),
    "ROW_SUPERSEDED": ("已由修改行代替", "Replaced by a corrected row"),
    "REVIEW_WRONG": ("核对时判为错误", "Judged wrong in review"),
    "REVIEW_MISSING": ("尚未核对", "Not reviewed yet"),
    "VALUE_INVALID": ("单元格的写法不认识", "Value not understood"),
    "CONTENT_CHANGED": ("内容与已有印章不同", "Differs from the seal that exists"),
    "PERSON_POSSIBLY_SAME": ("可能与他人是同一人", "Possibly the same person"),
    "NAME_MISSING": ("姓名为空", "Name missing"),
    "NAME_INVALID": ("姓名不能用", "Name cannot be used"),
    "NAME_NORMALISED": ("姓名已规范", "Name normalised"),
    "ID_MISSING": ("证件号码为空", "Identity number missing"),
    "ID_LENGTH": ("证件号码位数不对", "Identity number: wrong length"),
    "ID_CHAR": ("证件号码含有错误字符", "Identity number: wrong character"),
    "ID_FORMAT": ("证件号码格式不对", "Identity number: wrong form"),
    "ID_15_DIGIT": ("15 位旧身份证号", "Old 15-digit number"),
    "ID_CHECKSUM": ("证件号码有一位写错", "Identity number: a digit is mistyped"),
    "ID_BIRTH": ("证件号码的出生日期不对", "Identity number: impossible birth date"),
    "ID_AGE": ("证件显示的年龄不对", "Identity number: age out of range"),
    "ID_REGION": ("证件号码的地区码有疑问", "Identity number: region code"),
    "ID_PRECISION_LOST": ("证件号码被 Excel 损坏", "Identity number damaged by Excel"),
    "ID_TYPE_INFERRED": ("证件类型按号码判断", "Card type inferred"),
    "ID_TYPE_MISMATCH": ("证件类型与号码不符", "Card type does not fit the number"),
    "ID_TYPE_UNSUPPORTED": ("证件类型不能办理", "Card type not supported"),
    "ID_NAME_CONFLICT": ("同一证件号码有两个姓名", "One number with two names"),
    "MOBILE_MISSING": ("手机号为空", "Mobile missing"),
    "MOBILE_INVALID": ("手机号不对", "Mobile invalid"),
    "MOBILE_AMBIGUOUS": ("一格里有两个手机号", "Two mobiles in one cell"),
    "MOBILE_DUPLICATE": ("手机号与他人相同", "Mobile shared with somebody"),
    "SEAL_NAME_LENGTH": ("印章名称长度不对", "Seal name: wrong length"),
    "SEAL_NAME_CHARS": ("印章名称含有不能用的字符", "Seal name: wrong character"),
    "SEAL_NAME_DUPLICATE": ("印章名称已属于他人", "Seal name is taken"),
    "SEAL_NAME_FROZEN": ("沿用已有的印章名称", "Earlier seal name kept"),
    "IMAGE_MISSING": ("找不到印章图片", "No seal picture"),
    "IMAGE_AMBIGUOUS": ("有多张可能的图片", "Several possible pictures"),
    "IMAGE_CORRUPT": ("图片已损坏", "Damaged picture"),
    "IMAGE_FORMAT": ("图片格式不能用", "Picture format not usable"),
    "IMAGE_CONVERTED": ("图片已转换格式", "Picture converted"),
    "IMAGE_BLANK": ("图片是空白的", "Blank picture"),
    "IMAGE_TOO_SMALL": ("图片太小", "Picture too small"),
    "IMAGE_TOO_LARGE": ("图片过大", "Picture too large"),
    "IMAGE_TOO_LARGE_FIXABLE": ("图片过大，已缩小", "Large picture, brought down"),
    "IMAGE_SHARED": ("两人用了同一张图片", "One picture for two people"),
    "IMAGE_NAME_FUZZY": ("图片文件名与预期略有不同", "Picture name slightly different"),
    "IMAGE_NAME_MISMATCH": ("图片上的姓名不是此人", "Picture shows another name"),
    "IMAGE_DUPLICATE_FILE": ("同一张图片有多个文件", "Same picture more than once"),
    "IMAGE_PATH_REJECTED": ("图片列的写法不被接受", "Picture entry not accepted"),
}


def label(code: str, language: str, *, unsettled: bool = False) -> str:
    """Return a code's short name; all codes of the service share one, by whether they settled their row."""
    if code.startswith("http_"):
        code = "http_502"  # they all prove as little
    if code in ANSWERS:
        return ANSWERS[code].what(language).rstrip("。.")
    if code not in LABELS:
        return (
            code if code in CATALOGUE else say("reason.doubtful" if unsettled else "reason.service", language)
        )
    zh, en = LABELS[code]
    return zh if language == "zh" else en


def sentence(problem: Problem, language: str, numbers: Numbers | None = None) -> str:
    """Return a problem as a sentence with fields in the reader's words; masked when ``numbers`` are given."""
    differs = problem.detail.get("differs")
    if differs:
        fields = [FIELD_WORDS.get(word, (word, word)) for word in differs.replace(",", " ").split()]
        named = _COMMA[language].join(zh if language == "zh" else en for zh, en in fields)
        problem = replace(problem, detail={**problem.detail, "differs": named})
    if numbers is None:
        return message(problem, language)
    return mask_text(message(mask_problem(problem, numbers), language), numbers)


def is_spare_copy(outcome: Outcome) -> bool:
    """Tell whether the row was left out only because an equal one is sent: nobody has to act (DESIGN §8)."""
    errors = errors_of(outcome)
    return (
        outcome.status is Status.REJECTED
        and bool(errors)
        and all(error.code == "ROW_DUPLICATE" and not error.detail.get("differs") for error in errors)
    )


def waits_for_review(outcome: Outcome) -> bool:
    """Tell whether a row was not sent because nobody has judged it right yet."""
    return outcome.status is Status.NOT_SENT and any(
        error.code == "REVIEW_MISSING" for error in errors_of(outcome)
    )


def needs_fixing(outcome: Outcome) -> bool:
    """Tell whether the row belongs on the To fix sheet and into ``retry``."""
    return outcome.status in TO_FIX and not is_spare_copy(outcome)


def errors_of(outcome: Outcome) -> list[Problem]:
    """Return the troubles that kept the row from being sent."""
    return [problem for problem in outcome.problems if problem.severity == "error"]


def reasons(
    outcome: Outcome, language: str, numbers: Numbers, *, tell: Callable[[Problem], str] | None = None
) -> Iterator[str]:
    """Yield every sentence about a row: the service's word, its errors, its warnings.

    All is masked with ``numbers``, unless ``tell`` makes a problem's sentence: the To fix sheet may quote the roster.
    """
    service = outcome.code or outcome.message
    if outcome.status is Status.FAILED or (service and outcome.status in UNSETTLED | {Status.NOT_SENT}):
        own = happened(outcome.code, outcome.message, language)
        text = own or mask_text(outcome.message or "", numbers) or "—"
        key = "reason.refused" if outcome.status is Status.FAILED else "reason.answered"
        yield say("reason.wire" if own else key, language, code=outcome.code or "—", message=text)
    if outcome.status in UNSETTLED:
        yield say(f"reason.{outcome.status.value}", language, time=when(outcome) or "—")
    if outcome.status is Status.NOT_SENT and not errors_of(outcome) and not service:
        yield say("reason.not_sent", language)
    for problem in sorted(outcome.problems, key=lambda problem: problem.severity):
        yield tell(problem) if tell else sentence(problem, language, numbers)


def happened(code: str | None, message: str | None, language: str) -> str | None:
    """Return what happened on the wire where the service itself said nothing usable; None where it did.

    Nights of older versions kept a library's own words as the message: they are no phrase, and are left out.
    """
    if code is None or not (code in ANSWERS or code.startswith("http_")):
        return None
    what = advice_on(code).what(language).rstrip("。.")
    told = phrase(message, language) if message and is_phrase(message) else ""
    return ("：" if language == "zh" else ": ").join(filter(None, (what, told)))


def counted(outcome: Outcome) -> list[str]:
    """Return the codes that keep this row from having its seal, each once; nothing for rows that are well."""
    if outcome.status is Status.FAILED:
        return [outcome.code or "—"]
    if outcome.status is Status.CHANGED:
        return ["CONTENT_CHANGED"]
    if outcome.status not in {Status.REJECTED, Status.NOT_SENT} or is_spare_copy(outcome):
        return []
    return list(dict.fromkeys(problem.code for problem in errors_of(outcome)))


def advice(outcome: Outcome, language: str) -> str:
    """Return what the reader of the To fix sheet should do with this row."""
    errors = errors_of(outcome)
    if outcome.status is Status.NOT_SENT and not errors:
        return say("advice.not_sent", language)
    if outcome.status is Status.FAILED and not errors:
        return _service_advice(outcome.code, language)
    if waits_for_review(outcome):
        return say("advice.review", language)
    if any(CATALOGUE[error.code].who == "it" for error in errors if error.code in CATALOGUE):
        return say("advice.it", language)
    if errors and all(error.field is Field.PICTURE for error in errors):
        return say("advice.picture", language)
    return say("advice.cells", language)


def _service_advice(code: str | None, language: str) -> str:
    """Return what a refusal asks for, and of whom where it is not the sheet's reader."""
    if code is None or not known(code):
        return say("advice.failed", language)
    told = advice_on(code)
    if told.who == "clerk":
        return told.todo(language)
    return f"{say(f'who.{told.who}', language)}{'：' if language == 'zh' else ': '}{told.todo(language)}"
