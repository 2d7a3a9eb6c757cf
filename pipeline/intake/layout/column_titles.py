"""What the titles of columns mean, and how columns are described in results and messages.

A title counts only if it is listed for a field (`pipeline.domain.fields`), or by the user under ``columns:``. Likeness
is used for suggestions alone: 患者姓名 is not 姓名. What may be left out of a title is listed here: punctuation, numbering,
and brackets that hold a remark. A bracket that makes the column another person's or another thing's (手机号（紧急联系人）,
身份证（复印件）) stays.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from typing import NamedTuple

from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import IGNORED, CellKind, Column, Field
from pipeline.errors import FileRefused
from pipeline.intake.fields.normalize import count_common_start
from pipeline.intake.layout.other_persons import ColumnTitle, list_other_columns
from pipeline.intake.readers.model import Line, format_column

LONGEST = 200  # characters that a title may have, remarks included
SEARCHED = 50  # lines that hold something, from the top of a sheet
_LONGEST_GUESSED, _GUESSES, _NEARLY = 30, 8, 0.7  # of a misspelt title; its likeness to a known one
_DESCRIBED = 100  # unused columns of a header: a sheet may have 16,384
_SHOWN, _STARS = 20, 3  # titles of a line, and characters of each, in a message; stars of a masked cell
_PERSONAL = re.compile(r"\d{6}")

# traditional characters of titles
_SIMPLE = str.maketrans(
    "離調廢證號碼機電話聯絡繫係醫師員職編門別圖簽稱類種動務業場開許壓縮檔屬親緊審薦經辦監護單負責寫選狀態",
    "离调废证号码机电话联络系系医师员职编门别图签称类种动务业场开许压缩档属亲紧审荐经办监护单负责写选状态",
)
_SEAL = re.compile("章|签名|签字|印模|印鉴|手签|seal|signature")
# a bracket with one of these is about another person, or another telephone
_OTHER_PERSON = re.compile(
    r"家属|亲属|家人|家庭|配偶|父亲|母亲|父母|子女|患者|病人|紧急|应急|监护|联系人|联络人|推荐人|介绍人|担保人|填表人|填报人|经办"
    r"|审核人|负责人|法人|代办|代理人|单位电话|公司电话|单位联系|办公|有效期(?!内)|到期|签发|曾用|emergency|relative|spouse|patient"
)
_NEGATED = re.compile(r"[^,，;；。、]*[勿非不无][^,，;；。、]*")  # （勿填家属电话） is about no other person
# a bracket that holds nothing but one of these is about another thing
_OTHER_THING = re.compile(
    r"(?:汉语|全|简)?拼音?|(?:名|首)?字母|(?:英|外|日|藏|维|蒙)文名?|原|旧|原名|旧名|别名|昵称|简称|缩写|[前后末尾][一二三四五六七八九1-9]+位"
    r"|脱敏|掩码|加密|短号|虚拟网|集团短?号|备用\d?|其他|其它|第二|座机|固话|固定电话|宅电|住宅|单位|公司|传真|日期|时间|年月日|编码"
    r"|代码|编号|状态|类型|类别|大小|(?:正面|反面|正反面|人像面|国徽面|复印件|扫描件|影印件|照片|图片|影像|附件|原件|电子版)+"
    r"|id|code|pinyin|english|en|copy|scan|status|date|type|office|home"
)
_BRACKET = re.compile(
    r"[(\[{<《〈【〔「『〖]([^()\[\]{}<>《》〈〉【】〔〕「」『』〖〗]*)(?:[)\]}>》〉】〕」』〗]|\Z)"
)
_NUMBERING = re.compile(
    r"\A\s*(?:[(（]?\d{1,2}\s*[)）.．、:：]|[一二三四五六七八九十]{1,3}\s*[)）.．、:：]|[\u2460-\u249b])(?=\s*\D)"
)
_AFFIX = "非必填项?|必填项?|必须填写|选填项?|可选项?|可空|(?:18|十八|11)位|文本格式?|required|optional"
_AFFIXES = re.compile(rf"(?:{_AFFIX})+(?=.)|(?<=.)(?:{_AFFIX})+\Z")
_SEPARATORS = re.compile(r"[/|\\或、&]")
_TWO_SCRIPTS = re.compile(r"([^a-z]*[^\W\da-z])([a-z][a-z0-9]*)|([a-z][a-z0-9]*?)([^\W\da-z][^a-z]*)")


class Meaning(NamedTuple):
    """The field that a title means, and the title's tier (0 is the plainest)."""

    field: Field
    tier: int


def squeeze_title(text: str) -> str:
    """Return letters and digits alone: widths, case and traditional forms folded, all else left out."""
    return "".join(filter(str.isalnum, simplify_text(text)))


@lru_cache(maxsize=8192)
def strip_remarks(title: str) -> str:
    """Return a title with its punctuation, but without brackets that hold no more than a remark."""
    return _drop_remarks(simplify_text(title)).strip()


def fold_title(title: str) -> str:
    """Return a title as it is compared: squeezed, without brackets that hold no more than a remark."""
    return squeeze_title(_drop_remarks(simplify_text(_NUMBERING.sub("", title))))


@lru_cache(maxsize=8192)
def get_title_meaning(title: str) -> Meaning | None:
    """Return what a title means by the table of fields, None if it is not known."""
    if len(title) > LONGEST or not title.strip():
        return None
    title = simplify_text(_NUMBERING.sub("", title))
    if meaning := _MEANINGS.get(squeeze_title(title)):  # 印章（名称）: the bracket belongs to the title
        return meaning
    bracketed = " ".join(bracket[1] for bracket in _BRACKET.finditer(title))
    core = _drop_remarks(title)
    meaning = _look_up(squeeze_title(core) or squeeze_title(bracketed)) or _join_parts(core)  # 【姓名】
    other = meaning and FIELDS[meaning.field].other_brackets
    return None if other and re.search(other, bracketed) else meaning


def get_nearest_title(title: str, fields: Collection[Field]) -> str | None:
    """Return the title of one of these fields that a misspelt one may mean (手机号吗: 手机号码). It is only suggested."""
    wanted = fold_title(title)
    if len(wanted) > _LONGEST_GUESSED:
        return None
    known = {squeeze_title(alias): alias for name in fields for alias in TITLES[name]}
    near = difflib.get_close_matches(wanted, known, n=_GUESSES, cutoff=_NEARLY)
    near.sort(key=lambda alias: (len(alias) != len(wanted), -count_common_start(alias, wanted)))
    return known[near[0]] if near else None


def is_seal_title(title: str) -> bool:
    """Return whether pictures under a title are seals: it names a seal or a signature, or there is none."""
    squeezed = squeeze_title(title)
    return not squeezed or _SEAL.search(squeezed) is not None


def simplify_text(title: str) -> str:
    """Return a text with widths, case and the traditional characters of titles folded."""
    return unicodedata.normalize("NFKC", title).translate(_SIMPLE).replace("身分", "身份").casefold()


def _drop_remarks(title: str) -> str:
    for _ in range(2):  # one bracket may be within another
        title = _BRACKET.sub(lambda bracket: bracket[0] if _is_distinction(bracket[1]) else " ", title)
    return title


def _is_distinction(bracketed: str) -> bool:
    """Return whether a bracket makes a column another person's or another thing's."""
    text = squeeze_title(_NEGATED.sub("", bracketed))
    return bool(_OTHER_PERSON.search(text) or _OTHER_THING.fullmatch(text))


def _look_up(text: str) -> Meaning | None:
    return _MEANINGS.get(text) or _MEANINGS.get(_AFFIXES.sub("", text))


def _join_parts(title: str) -> Meaning | None:
    """Return what a title in two languages or with two words for one thing means: 姓名 Name, 手机/电话.

    All parts must agree.
    """
    parts = list(_split_parts(title))
    meanings = [_look_up(part) for part in parts]
    fields = {meaning.field for meaning in meanings if meaning}
    if len(parts) < 2 or len(fields) != 1:
        return None
    (name,) = fields
    unknown = {part for part, meaning in zip(parts, meanings, strict=True) if meaning is None}
    if not unknown <= _COMPANIONS[name]:
        return None
    return Meaning(name, max(meaning.tier for meaning in meanings if meaning))


def _split_parts(title: str) -> Iterator[str]:
    for piece in filter(None, map(squeeze_title, _SEPARATORS.split(title))):
        scripts = _TWO_SCRIPTS.fullmatch(piece)
        yield from filter(None, scripts.groups()) if scripts else (piece,)


TITLES: Mapping[Field, tuple[str, ...]] = {
    name: tuple(title for tier in definition.titles for title in tier) for name, definition in FIELDS.items()
}
_MEANINGS: Mapping[str, Meaning] = {
    squeeze_title(title): Meaning(name, tier)
    for name, definition in FIELDS.items()
    for tier, titles in enumerate(definition.titles)
    for title in titles
}
_COMPANIONS: Mapping[Field, frozenset[str]] = {
    name: frozenset(map(squeeze_title, definition.companions)) for name, definition in FIELDS.items()
}


@dataclass(frozen=True, slots=True)
class ColumnAliases:
    """The titles that mean something: the user's ``columns`` first, then the built-in ones."""

    exact: Mapping[str, Field | None]  # the user's, with the text of their brackets; None: not to be read
    folded: Mapping[str, Field | None]

    @classmethod
    def from_config(cls, columns: Mapping[str, str]) -> ColumnAliases:
        """Make the aliases from ``columns``: a title as written or folded -> the value of a Field, or "ignore"."""
        fields = {title: None if name == IGNORED else Field(name) for title, name in columns.items()}
        return cls(
            {squeeze_title(title): name for title, name in fields.items()},
            {fold_title(title): name for title, name in fields.items()},
        )

    def get_title_meaning(self, title: str) -> Meaning | None:
        """Return what a title means; the user's titles are of a tier before all others."""
        if not self.exact:
            return get_title_meaning(title)
        for titles, folded in ((self.exact, squeeze_title(title)), (self.folded, fold_title(title))):
            if folded in titles:
                name = titles[folded]
                return Meaning(name, -1) if name else None
        return get_title_meaning(title)

    def maps(self, title: str) -> bool:
        """Return whether the user's ``columns`` have the title, also to leave its column out."""
        return squeeze_title(title) in self.exact or fold_title(title) in self.folded

    def is_known(self, title: str) -> bool:
        """Return whether a title means a field."""
        return self.get_title_meaning(title) is not None

    def list_field_columns(self, line: Line) -> dict[Field, list[int]]:
        """Return the columns of a line whose titles mean each field, those of its best tier."""
        meanings = {
            column: self.get_title_meaning(cell.display_text)
            for column, cell in line.cells.items()
            if cell.kind is CellKind.TEXT
        }
        others = self.list_other_columns(line)
        return keep_best_tiers(
            (column, meaning) for column, meaning in meanings.items() if meaning and column not in others
        )

    def list_other_columns(self, line: Line) -> dict[int, int]:
        """Return the columns of a line that are another person's, see `other_persons`."""
        return list_other_columns(
            self.make_column_title(column, cell.display_text, self.get_title_meaning(cell.display_text))
            for column, cell in line.cells.items()
            if cell.kind is CellKind.TEXT
        )

    def make_column_title(
        self, column: int, text: str, meaning: Meaning | None, groups: Sequence[str] = ()
    ) -> ColumnTitle:
        """Return a title as `other_persons` looks at it."""
        name = meaning.field if meaning else None
        return ColumnTitle(column, fold_title(text), name, self.maps(text), tuple(groups))


def keep_best_tiers(meanings: Iterable[tuple[int, Meaning]]) -> dict[Field, list[int]]:
    """Return the columns that claim each field, those of its best tier alone."""
    best: dict[Field, tuple[int, list[int]]] = {}
    for column, (name, tier) in meanings:
        first, columns = best.get(name, (tier, []))
        if tier < first or not columns:
            best[name] = (tier, [column])
        elif tier == first:
            columns.append(column)
    return {name: columns for name, (_, columns) in best.items()}


@dataclass(frozen=True, slots=True)
class Header:
    """The titles of a table; in a header of several rows each column's own, with its group if that counts."""

    last_line: int
    titles: Mapping[int, str]  # column -> as written
    columns: Mapping[Field, int]
    unused_columns: Mapping[Field, Sequence[int]] = field(default_factory=dict)  # further ones of a field
    other_columns: Mapping[int, int] = field(default_factory=dict)  # another person's, see `other_persons`

    def name_column(self, column: int) -> str:
        """Return a column's letters and title."""
        return f"{format_column(column)} {self.titles[column].strip()}"


def describe_columns(
    titles: Mapping[int, str], columns: Mapping[Field, int], aliases: ColumnAliases
) -> tuple[Column, ...]:
    """Return what each column with a title is read as; for an unused one the nearest title of a field that has none."""
    fields = {column: name for name, column in columns.items()}
    absent = [name for name in Field if name not in columns]
    described: list[Column] = []
    unused = 0
    for column, title in sorted((column, title.strip()) for column, title in titles.items()):
        name = fields.get(column)
        unused += name is None
        if not title or (name is None and unused > _DESCRIBED):
            continue
        is_clear = name or aliases.maps(title) or aliases.is_known(title)
        guess = None if is_clear else get_nearest_title(title, absent)
        described.append(Column(format_column(column), title, name, guess))
    return tuple(described)


def choose_nearest_line(lines: Iterable[Line], aliases: ColumnAliases) -> Line | None:
    """Return the line that comes nearest to a header; a line with personal data is left out."""
    titled = (line for line in lines if not _holds_data(line))
    return max(
        titled, key=lambda line: (len(aliases.list_field_columns(line)), len(line.cells) > 1), default=None
    )


def describe_nearest_line(lines: Iterable[Line], aliases: ColumnAliases) -> tuple[Column, ...]:
    """Return what the columns of the line that comes nearest to a header would be read as; empty without one."""
    nearest = choose_nearest_line(lines, aliases)
    columns = aliases.list_field_columns(nearest) if nearest else {}
    if nearest is None or not columns:
        return ()
    titles = {column: cell.display_text for column, cell in nearest.cells.items()}
    return describe_columns(titles, {name: claimed[0] for name, claimed in columns.items()}, aliases)


def explain_missing_header(
    sheets: Sequence[tuple[str | None, Sequence[Line]]], aliases: ColumnAliases
) -> FileRefused:
    """Return why no sheet has a header: ``sheets`` are the names and first lines of those that hold something.

    The titles of the line that comes nearest are shown, with its sheet where there are several. If none has a known
    title, the first line with personal data is shown masked: its sheet is the roster, not one of explanations.
    """
    lines = [line for _, own in sheets for line in own]
    nearest = choose_nearest_line(lines, aliases)
    data = next(filter(_holds_data, lines), None)
    if nearest is not None and data is not None and not aliases.list_field_columns(nearest):
        nearest = None
    first = nearest or data or lines[0]
    names = [name for name, own in sheets if name and any(line is first for line in own)]
    named = {"sheet": names[0]} if names and len(sheets) > 1 else {}
    if nearest is None:
        masked = _join_texts(mask_cell(cell.display_text) for cell in first.cells.values())
        return FileRefused("HEADER_NOT_FOUND", {"found": masked, "first": str(first.number), **named})
    columns = aliases.list_field_columns(nearest)
    titles = [cell.display_text.strip() for cell in nearest.cells.values()]
    cells = {
        cell.display_text.strip(): f"{format_column(column)}{nearest.number}"
        for column, cell in nearest.cells.items()
    }
    lacking = [name for name in (Field.NAME, Field.NUMBER) if name not in columns]
    guesses = {
        title: guess
        for title in titles
        if not aliases.is_known(title) and (guess := get_nearest_title(title, lacking))
    }
    detail = {
        **named,
        "found": _join_texts(titles),
        "near": ", ".join(f"{cells[title]} {title} → {guess}" for title, guess in guesses.items()),
    }
    for theirs, person in aliases.list_other_columns(nearest).items():
        meaning = aliases.get_title_meaning(nearest.cells[theirs].display_text)
        if meaning and meaning.field in lacking:
            detail["theirs"], detail["person"] = (
                f"{format_column(column)}{nearest.number} {nearest.cells[column].display_text.strip()[:_SHOWN]}"
                for column in (theirs, person)
            )
            return FileRefused("COLUMN_MISSING", {"field": label_field(meaning.field), **detail})
    if len(columns) > 1 and len(lacking) == 1:
        return FileRefused("COLUMN_MISSING", {"field": label_field(lacking[0]), **detail})
    return FileRefused("HEADER_NOT_FOUND", detail)


def _join_texts(texts: Iterable[str]) -> str:
    return " | ".join(text[:_SHOWN] for text in islice(filter(None, texts), _SHOWN)) or "—"


def mask_cell(text: str) -> str:
    """Return no more of a cell than lets its owner recognise it: the first character and some stars."""
    text = text.strip()
    return text[:1] + "*" * min(len(text) - 1, _STARS) if text else ""


def label_field(name: Field) -> str:
    """Return a field's name for a message: its first Chinese title and the word that ``columns`` takes."""
    return f"{TITLES[name][0]} ({name})"


def _holds_data(line: Line) -> bool:
    return any(
        cell.kind is not CellKind.TEXT or _PERSONAL.search(cell.display_text) for cell in line.cells.values()
    )
