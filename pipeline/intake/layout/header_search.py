"""Searches for a table's header: one row of titles, or up to three with groups merged over them.

A group names the person and the thing of its columns: 姓名 under 紧急联系人 is no doctor's name, 号码 under 证件 is a
number. Merged cells show how far a group reaches. Without merged cells it reaches to the next filled cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from pipeline.domain.fields import FIELDS
from pipeline.domain.results_format import APPENDED_COLUMNS, get_appended_columns
from pipeline.domain.roster import CellKind, Field
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_titles import (
    LONGEST,
    SEARCHED,
    ColumnAliases,
    Header,
    Meaning,
    fold_title,
    keep_best_tiers,
    label_field,
    squeeze_title,
    strip_remarks,
)
from pipeline.intake.layout.other_persons import list_other_columns
from pipeline.intake.readers.model import Line, MergedCells, PeekableLines, format_column, is_filled
from pipeline.messages.areas import get_pair

DEEPEST = 3  # rows of one header
_LONGEST = 40  # characters of a group
_MOST_LISTED = 4  # cells in one message

# groups whose columns are about another person
_OTHER_PERSON = re.compile(
    r"家属|亲属|家人|家庭|配偶|父亲|母亲|父母|子女|患者|病人|就诊人|紧急|应急|监护|联系人|联络人|推荐|介绍人|担保|填表人|填报人|经办"
    r"|审核|复核|负责人|法人|代办|代理|委托人|院长|主任信息|带教|导师|上级|见证|(?:开单|主诊|经治|管床|责任|接诊|会诊|送检|手术)医[师生]"
    r"|曾用|emergency|relative|spouse|patient|contact person|next of kin"
)
# titles that name a document, person or seal by themselves: `FieldDefinition.other_groups` is not asked
_SELF_EXPLAINING = re.compile(r"身份|手机|移动|行动|印|章|签|mobile|cell|identity|seal|sign|stamp")
_FORM = re.compile(
    r"(?:填报|填表|制表|编制)(?:单位|部门|人|日期|时间)|单位(?:名称)?|医院(?:名称)?|机构名称|联系人|联系电话|负责人|审核人|经办人|日期|制表|审核"
)
_DATA = re.compile(r"\d{4}|[:：]|[。；;!！?？]")
# a title of the name column only where every other column is plainly about the same doctor; the number of 患者 | 医生 |
# 身份证 is the patient's
_BARE_NAMES = frozenset({"医生", "医师"})
# how such a title is written in what follows
_FULL_NAME = "{title}姓名"
_ABOUT_DOCTOR = re.compile(
    r"|序号|编号|no|性别|年龄|民族|籍贯|职称|职务|岗位|级别|学历|学位|专业|备注|出生(?:日期|年月)|(?:入职|聘用|参加工作)(?:日期|时间)|执业证.*|资格证.*"
)
_NAME_HINT = re.compile(r"名|name|xm|医[生师]", re.IGNORECASE)
_NUMBER_HINT = re.compile(r"[证證份]|id|sfz|zjhm", re.IGNORECASE)


_APPENDED_TITLES = [get_pair(key) for key in APPENDED_COLUMNS]


class _Title(NamedTuple):
    """One column's title: its row, its text, and what it means under its groups."""

    row: int
    text: str
    meaning: Meaning | None


@dataclass(frozen=True, slots=True)
class _HeaderDraft:
    """Lines read as a header, before it is known whether they are one and which fields two columns claim."""

    lines: Sequence[Line]
    titles: Mapping[int, _Title]
    other_columns: Mapping[int, int]  # another person's, which mean nothing, see `other_persons`

    @property
    def claimed_columns(self) -> dict[Field, list[int]]:
        return keep_best_tiers(
            (column, title.meaning) for column, title in self.titles.items() if title.meaning
        )

    @property
    def is_complete(self) -> bool:
        """Whether it has a name and a number column."""
        columns = self.claimed_columns
        return Field.NAME in columns and Field.NUMBER in columns

    def make_header(self) -> Header:
        """Return the header; raises FileRefused HEADER_AMBIGUOUS if two columns claim one field."""
        claimed = {name: sorted(columns) for name, columns in self.claimed_columns.items()}
        for name, columns in claimed.items():
            if len(columns) > 1 and not FIELDS[name].first_column_counts:
                raise self._explain_ambiguity(name, columns)
        return Header(
            self.lines[-1].last,
            {column: title.text for column, title in sorted(self.titles.items())},
            {name: claimed[name][0] for name in Field if name in claimed},
            {name: columns[1:] for name, columns in claimed.items() if len(columns) > 1},
            self.other_columns,
        )

    def _explain_ambiguity(self, name: Field, columns: Sequence[int]) -> FileRefused:
        cells = [f"{format_column(column)}{self.titles[column].row}" for column in columns]
        titles = [self.titles[column].text.strip() for column in columns]
        listed = [f"{cell} {title}" for cell, title in zip(cells, titles, strict=True)]
        text = ", ".join(listed[:_MOST_LISTED]) + (" …" if len(cells) > _MOST_LISTED else "")
        row = str(self.titles[columns[0]].row)
        return FileRefused(
            "HEADER_AMBIGUOUS", {"row": row, "field": label_field(name), "found": text, "cell": cells[1]}
        )


def drop_appended_columns(lines: Iterable[Line]) -> Iterator[Line]:
    """Yield the lines of a sheet without the columns that a marked copy of a roster has: import status, reason, SealId.

    They are known by their titles, next to each other, in either language. Nothing behind sees them, so a marked copy is
    read as the roster that it was made from.
    """
    ahead = PeekableLines(lines)
    columns = next(filter(None, map(_get_appended_columns, ahead.peek(SEARCHED))), None)
    if columns is None:
        yield from ahead
        return
    for line in ahead:
        yield line._replace(
            cells={column: cell for column, cell in line.cells.items() if column not in columns}
        )


def _get_appended_columns(line: Line) -> tuple[int, ...] | None:
    titles = {
        column: cell.display_text
        for column, cell in line.cells.items()
        if cell.kind is CellKind.TEXT and not _DATA.search(cell.display_text)
    }
    return get_appended_columns(titles, _APPENDED_TITLES)


def may_hold_header(texts: Iterable[str], aliases: ColumnAliases) -> bool:
    """Return whether the texts have the characters without which no title means a name or a number; cheap."""
    if aliases.exact:  # the user's titles may be any words
        return True
    joined = unicodedata.normalize("NFKC", "\n".join(texts))
    return bool(_NAME_HINT.search(joined) and _NUMBER_HINT.search(joined))


def choose_header(
    lines: Sequence[Line], aliases: ColumnAliases, merged: MergedCells
) -> tuple[int, int, Header] | None:
    """Return (first, last, header) of the first lines with a name and a number column, as indices of ``lines``.

    Raises FileRefused HEADER_AMBIGUOUS if two columns claim a field that is sent or shows who a doctor is.
    """
    lines = [_drop_blank_cells(line) for line in lines]
    for last in range(len(lines)):
        first = _get_first_group_line(lines, last, merged)
        block = lines[first : last + 1]
        texts = (cell.display_text for line in block for cell in line.cells.values())
        if not may_hold_header(texts, aliases):
            continue
        draft = _draft_header(block, aliases, merged)
        if not draft.is_complete:
            continue
        while (longer := _extend_draft(draft, lines, last, aliases, merged)) is not None:
            draft, last = longer, last + 1  # noqa: PLW2901  the header reaches down to here
        return first, last, draft.make_header()
    return None


def _drop_blank_cells(line: Line) -> Line:
    return line._replace(cells={column: cell for column, cell in line.cells.items() if is_filled(cell)})


def _get_first_group_line(lines: Sequence[Line], last: int, merged: MergedCells) -> int:
    """Return the index of the first line of the groups over a row of titles."""
    first = last
    while first and last - first < DEEPEST - 1 and _may_hold_groups(lines[first - 1], lines[first], merged):
        first -= 1
    return first


def _may_hold_groups(line: Line, below: Line, merged: MergedCells) -> bool:
    """Return whether a line may hold the groups of the one below: several short titles, or one not over everything."""
    if line.last + 1 != below.number or not _holds_titles_only(line) or _is_form_line(line):
        return False
    if len(line.cells) > 1:
        return True
    (column,) = line.cells
    merge = merged.beginning_at(line.number, column)
    if merge is None:
        return column > min(below.cells)
    return merge.last_column > column and not (
        column <= min(below.cells) and merge.last_column >= max(below.cells)
    )


def _holds_titles_only(line: Line) -> bool:
    """Return whether a line holds nothing but short texts without data."""
    if any(
        cell.kind is not CellKind.TEXT or len(cell.display_text) > LONGEST for cell in line.cells.values()
    ):
        return False
    texts = [strip_remarks(cell.display_text) for cell in line.cells.values()]
    return all(len(text) <= _LONGEST and not _DATA.search(text) for text in texts)


def _is_form_line(line: Line) -> bool:
    """Return whether a line is one of a form (填表人 | 王五 | 审核人 | 赵六): a label and the value next to it."""
    first, *others = line.cells
    return others[:1] == [first + 1] and bool(_FORM.fullmatch(squeeze_title(line.cells[first].display_text)))


def _extend_draft(
    draft: _HeaderDraft, lines: Sequence[Line], last: int, aliases: ColumnAliases, merged: MergedCells
) -> _HeaderDraft | None:
    """Return the header with the line below it, if that holds titles as well."""
    if last + 1 >= len(lines) or len(draft.lines) >= DEEPEST:
        return None
    below = lines[last + 1]
    if lines[last].last + 1 != below.number or not _holds_titles_only(below):
        return None
    above = draft.lines[-1]
    groups = (_list_group_columns(above, column, set(below.cells), merged) for column in above.cells)
    split = {column for group in groups if len(group) > 1 for column in group}
    columns = draft.claimed_columns
    own = {column for name in (Field.NAME, Field.NUMBER) for column in columns[name]}
    if own & below.cells.keys() - split:
        return _join_languages(draft, _draft_header([below], aliases, merged))
    longer = _draft_header([*draft.lines, below], aliases, merged)
    if not longer.is_complete:
        return None
    reaches_down = False
    for line in draft.lines:
        for column in own:
            merge = merged.beginning_at(line.number, column)
            reaches_down |= merge is not None and merge.last_row >= below.number
    # 手机 and 邮箱 under 联系方式; a value under its title (居民身份证 under 证件类型) splits nothing
    splits_group = any(
        aliases.is_known(below.cells[column].display_text) or longer.titles[column].meaning
        for column in split
    )
    return longer if reaches_down or splits_group else None


def _join_languages(draft: _HeaderDraft, below: _HeaderDraft) -> _HeaderDraft | None:
    """Join two rows that both have the name and the number in the same columns; a title that means something counts."""
    ours, theirs = draft.claimed_columns, below.claimed_columns
    if any(ours[name] != theirs.get(name) for name in (Field.NAME, Field.NUMBER)):
        return None
    others = {**below.other_columns, **draft.other_columns}
    titles = dict(draft.titles)
    for column, title in below.titles.items():
        above = draft.titles.get(column)
        if above is None or (title.meaning and not above.meaning and column not in others):
            titles[column] = title
    return _HeaderDraft([*draft.lines, *below.lines], titles, others)


def _draft_header(lines: Sequence[Line], aliases: ColumnAliases, merged: MergedCells) -> _HeaderDraft:
    """Read lines as a header: the lowest text of a column is its title, the texts over it are its groups."""
    titles: dict[int, _Title] = {}
    groups: dict[int, list[str]] = {}
    for index, line in enumerate(lines):
        below = {column for lower in lines[index + 1 :] for column in lower.cells}
        for column, cell in line.cells.items():
            if grouped := _list_group_columns(line, column, below, merged):
                for lower_column in grouped:
                    groups.setdefault(lower_column, []).append(cell.display_text)
            elif cell.kind is CellKind.TEXT:
                titles[column] = _read_title(line.number, cell.display_text, groups.get(column, []), aliases)
            else:
                titles[column] = _Title(line.number, cell.display_text, None)
    others = list_other_columns(
        aliases.make_column_title(column, title.text, title.meaning, groups.get(column, ()))
        for column, title in titles.items()
    )
    titles |= {column: titles[column]._replace(meaning=None) for column in others}
    return _HeaderDraft(lines, _name_bare_column(titles, aliases), others)


def _name_bare_column(titles: dict[int, _Title], aliases: ColumnAliases) -> dict[int, _Title]:
    """Return the titles with a column 医生 as the name, if there is a number, a mobile, and nothing of another person."""
    bare = [column for column, title in titles.items() if fold_title(title.text) in _BARE_NAMES]
    fields = {title.meaning.field for title in titles.values() if title.meaning}
    if len(bare) != 1 or Field.NAME in fields or not fields >= {Field.NUMBER, Field.MOBILE}:
        return titles
    (column,) = bare
    others = (title for other, title in titles.items() if other != column and title.meaning is None)
    if not all(_ABOUT_DOCTOR.fullmatch(fold_title(title.text)) for title in others):
        return titles
    written = _FULL_NAME.format(title=fold_title(titles[column].text))
    meaning = aliases.get_title_meaning(written)
    if aliases.maps(titles[column].text) or meaning is None:
        return titles
    return {**titles, column: _Title(titles[column].row, written, meaning)}


def _list_group_columns(line: Line, column: int, below: set[int], merged: MergedCells) -> list[int]:
    """Return the columns of the lower rows over which a cell is a group; none makes the cell a title."""
    if not below:
        return []
    merge = merged.beginning_at(line.number, column)
    if merge is not None and merge.last_column > column:
        # merged cells do not overlap
        further = takewhile(
            lambda covered: covered not in line.cells, range(column + 1, merge.last_column + 1)
        )
        return [covered for covered in (column, *further) if covered in below]
    if column not in below:
        return []
    if line.number in merged.wide_rows:  # they show how far groups reach: this one covers its own column
        return [column]
    end = column + 1
    while end in below and end not in line.cells:
        end += 1
    return list(range(column, end))


def _read_title(row: int, text: str, groups: Sequence[str], aliases: ColumnAliases) -> _Title:
    """Return a column's title, written so that it means the same without its groups: messages and results name it so."""
    if not groups:
        return _Title(row, text, aliases.get_title_meaning(text))
    meaning = _get_meaning_in_groups(groups, text, aliases)
    for written in (text, f"{groups[-1]} {text}", f"{text} {groups[-1]}"):
        if aliases.get_title_meaning(written) == meaning:
            return _Title(row, written, meaning)
    return _Title(row, " ".join([*groups, text]), meaning)


def _get_meaning_in_groups(groups: Sequence[str], text: str, aliases: ColumnAliases) -> Meaning | None:
    nearest = groups[-1]
    joined = aliases.get_title_meaning(f"{nearest} {text}") or aliases.get_title_meaning(f"{text} {nearest}")
    if joined and joined.tier < 0:  # the user's own title
        return joined
    squeezed = [squeeze_title(group) for group in groups]
    if any(map(_OTHER_PERSON.search, squeezed)):
        return None
    meaning = joined or aliases.get_title_meaning(text)
    if joined or meaning is None or _SELF_EXPLAINING.search(squeeze_title(text)):
        return meaning
    other = FIELDS[meaning.field].other_groups
    return None if other and any(re.search(other, group) for group in squeezed) else meaning
