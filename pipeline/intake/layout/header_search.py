"""The search for a table's header: one row of titles, or up to three with groups merged over them.

A group says whose a column is and what it holds: 姓名 under 紧急联系人 is nobody of ours, 号码 under 证件 is a number.
Merged cells tell how far a group reaches; where a format does not tell them, a group reaches to the next filled cell.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.domain.roster import CellKind, Field
from pipeline.errors import FileRefused
from pipeline.intake.layout.column_aliases import ColumnAliases, Header, claims, label
from pipeline.intake.layout.column_titles import FIRST_COLUMN_COUNTS, LONGEST, Meaning, bare, squeeze
from pipeline.intake.layout.merged_cells import Merged
from pipeline.intake.readers.model import Line, filled, letters

DEEPEST = 3  # rows of one header
_LONGEST = 40  # characters of a group
_NAMED = 4  # cells in one message

# groups whose columns tell of somebody else than the doctor
_SOMEBODY_ELSE = re.compile(
    r"家属|亲属|家人|家庭|配偶|父亲|母亲|父母|子女|患者|病人|就诊人|紧急|应急|监护|联系人|联络人|推荐|介绍人|担保|填表人|填报人|经办"
    r"|审核|复核|负责人|法人|代办|代理|委托人|院长|主任信息|带教|导师|上级|见证|(?:开单|主诊|经治|管床|责任|接诊|会诊|送检|手术)医[师生]"
    r"|曾用|emergency|relative|spouse|patient|contact person|next of kin"
)
# groups under which a title that names no document, person or seal by itself is about something else
_SOMETHING_ELSE: Mapping[Field, re.Pattern[str]] = {
    Field.NUMBER: re.compile(r"执业|资格|证书|学历|学位|职称|银行|社保|医保|注册"),
    Field.MOBILE: re.compile(r"单位|办公|公司|医院|科室|部门|住宅|office|home"),
    Field.PICTURE: re.compile(r"身份|证件|证书|资格|执业|学历|学位|职称|头像|人像|免冠|id card"),
}
_PLAIN = re.compile(r"身份|手机|移动|行动|印|章|签|mobile|cell|identity|seal|sign|stamp")
_FORM = re.compile(
    r"(?:填报|填表|制表|编制)(?:单位|部门|人|日期|时间)|单位(?:名称)?|医院(?:名称)?|机构名称|联系人|联系电话|负责人|审核人|经办人|日期|制表|审核"
)
_DATA = re.compile(r"\d{4}|[:：]|[。；;!！?？]")
_NAME_HINT = re.compile(r"名|name|xm", re.IGNORECASE)
_NUMBER_HINT = re.compile(r"[证證份]|id|sfz|zjhm", re.IGNORECASE)


class _Title(NamedTuple):
    """One column's title: where it stands, its text, and what it means under its groups."""

    row: int
    text: str
    meaning: Meaning | None


@dataclass(frozen=True, slots=True)
class _Draft:
    """A block of lines read as a header; whether it is one, and which fields two columns claim, is seen later."""

    lines: Sequence[Line]
    titles: Mapping[int, _Title]

    @property
    def places(self) -> dict[Field, list[int]]:
        return claims((column, title.meaning) for column, title in self.titles.items() if title.meaning)

    def header(self) -> Header:
        """Return it; raises FileRefused HEADER_AMBIGUOUS where two columns claim one field."""
        places = {name: sorted(columns) for name, columns in self.places.items()}
        for name, columns in places.items():
            if len(columns) > 1 and name not in FIRST_COLUMN_COUNTS:
                raise self._ambiguous(name, columns)
        return Header(
            self.lines[0].number,
            self.lines[-1].last,
            {column: title.text for column, title in sorted(self.titles.items())},
            {name: places[name][0] for name in Field if name in places},
            {name: columns[1:] for name, columns in places.items() if len(columns) > 1},
        )

    def _ambiguous(self, name: Field, columns: Sequence[int]) -> FileRefused:
        cells = [f"{letters(column)}{self.titles[column].row}" for column in columns]
        texts = [self.titles[column].text.strip() for column in columns]
        found = ", ".join(f"{cell} {text}" for cell, text in list(zip(cells, texts, strict=True))[:_NAMED])
        more = " …" if len(cells) > _NAMED else ""
        row = str(self.titles[columns[0]].row)
        return FileRefused(
            "HEADER_AMBIGUOUS", {"row": row, "field": label(name), "found": found + more, "cell": cells[1]}
        )


def hints_at_a_header(texts: Iterable[str], vocabulary: ColumnAliases) -> bool:
    """Tell whether the texts show the signs without which there is no name's and no number's title; cheap."""
    if vocabulary.whole:  # the user's titles may be any words
        return True
    together = unicodedata.normalize("NFKC", "\n".join(texts))
    return bool(_NAME_HINT.search(together) and _NUMBER_HINT.search(together))


def find_header(
    lines: Sequence[Line], vocabulary: ColumnAliases, merged: Merged
) -> tuple[int, int, Header] | None:
    """Return (first, last, header): the first of the lines that name a name and a number column, as places in ``lines``.

    Raises FileRefused HEADER_AMBIGUOUS where two columns claim one field that is sent or decides who somebody is.
    """
    lines = [_seen(line) for line in lines]
    for last in range(len(lines)):
        first = _start(lines, last, merged)
        block = lines[first : last + 1]
        if not hints_at_a_header(
            (cell.display_text for line in block for cell in line.cells.values()), vocabulary
        ):
            continue
        draft = _draft(block, vocabulary, merged)
        if not _complete(draft):
            continue
        while (longer := _longer(draft, lines, last, vocabulary, merged)) is not None:
            draft, last = longer, last + 1  # noqa: PLW2901  the header reaches down to here
        return first, last, draft.header()
    return None


def _seen(line: Line) -> Line:
    """Return the line without cells that show nothing."""
    return line._replace(cells={column: cell for column, cell in line.cells.items() if filled(cell)})


def _complete(draft: _Draft) -> bool:
    places = draft.places
    return Field.NAME in places and Field.NUMBER in places


def _start(lines: Sequence[Line], last: int, merged: Merged) -> int:
    """Return the first line of the groups that stand over a row of titles."""
    first = last
    while first and last - first < DEEPEST - 1 and _groups(lines[first - 1], lines[first], merged):
        first -= 1
    return first


def _groups(line: Line, below: Line, merged: Merged) -> bool:
    """Tell whether a line can hold the groups of the one below: several short titles, or one that is not over all."""
    if line.last + 1 != below.number or not _titled(line) or _filled_in(line):
        return False
    if len(line.cells) > 1:
        return True
    (column,) = line.cells
    merge = merged.at(line.number, column)
    if merge is None:
        return column > min(below.cells)
    return merge.right > column and not (column <= min(below.cells) and merge.right >= max(below.cells))


def _titled(line: Line) -> bool:
    """Tell whether a line holds nothing but short texts without data."""
    if any(
        cell.kind is not CellKind.TEXT or len(cell.display_text) > LONGEST for cell in line.cells.values()
    ):
        return False
    texts = [bare(cell.display_text) for cell in line.cells.values()]
    return all(len(text) <= _LONGEST and not _DATA.search(text) for text in texts)


def _filled_in(line: Line) -> bool:
    """Tell a form's line (填表人 | 王五 | 审核人 | 赵六) from groups: its label is followed by its value."""
    first, second = [*list(line.cells)[:2], None, None][:2]
    return (
        first is not None
        and second == first + 1
        and bool(_FORM.fullmatch(squeeze(line.cells[first].display_text)))
    )


def _longer(
    draft: _Draft, lines: Sequence[Line], last: int, vocabulary: ColumnAliases, merged: Merged
) -> _Draft | None:
    """Return the header with the line below it, if that holds titles as well."""
    if last + 1 >= len(lines) or len(draft.lines) >= DEEPEST:
        return None
    below = lines[last + 1]
    if lines[last].last + 1 != below.number or not _titled(below):
        return None
    above = draft.lines[-1]
    split = {
        column
        for group in (_reach(above, column, set(below.cells), merged) for column in above.cells)
        if len(group) > 1
        for column in group
    }
    places = draft.places
    own = {column for name in (Field.NAME, Field.NUMBER) for column in places[name]}
    if own & below.cells.keys() - split:
        return _in_two_languages(draft, _draft([below], vocabulary, merged))
    longer = _draft([*draft.lines, below], vocabulary, merged)
    if not _complete(longer):
        return None
    down = any(
        (merge := merged.at(line.number, column)) and merge.bottom >= below.number
        for line in draft.lines
        for column in own
    )
    # 手机 and 邮箱 under 联系方式; a value under its title (居民身份证 under 证件类型) splits nothing
    told = any(
        vocabulary.knows(below.cells[column].display_text) or longer.titles[column].meaning
        for column in split
    )
    return longer if down or told else None


def _in_two_languages(draft: _Draft, below: _Draft) -> _Draft | None:
    """Join two rows that both name the name and the number, in the same columns; a title counts that means something."""
    ours, theirs = draft.places, below.places
    if any(ours[name] != theirs.get(name) for name in (Field.NAME, Field.NUMBER)):
        return None
    titles = {
        column: title
        for column, title in below.titles.items()
        if column not in draft.titles or (title.meaning and not draft.titles[column].meaning)
    }
    return _Draft([*draft.lines, *below.lines], {**draft.titles, **titles})


def _draft(lines: Sequence[Line], vocabulary: ColumnAliases, merged: Merged) -> _Draft:
    """Read a block of lines: of each column the lowest text is its title, what stands or reaches over it its groups."""
    titles: dict[int, _Title] = {}
    groups: dict[int, list[str]] = {}
    for place, line in enumerate(lines):
        below = {column for lower in lines[place + 1 :] for column in lower.cells}
        for column, cell in line.cells.items():
            reach = _reach(line, column, below, merged)
            if reach:
                for each in reach:
                    groups.setdefault(each, []).append(cell.display_text)
            else:
                over = groups.get(column, [])
                if cell.kind is CellKind.TEXT:
                    titles[column] = _title(line.number, cell.display_text, over, vocabulary)
                else:
                    titles[column] = _Title(line.number, cell.display_text, None)
    return _Draft(lines, titles)


def _reach(line: Line, column: int, below: set[int], merged: Merged) -> list[int]:
    """Return the columns of the lower rows that a cell is the group of; none makes it a title."""
    if not below:
        return []
    merge = merged.at(line.number, column)
    if merge is not None and merge.right > column:
        reach = []
        for each in range(column, merge.right + 1):
            if each > column and each in line.cells:  # merged cells do not overlap
                break
            if each in below:
                reach.append(each)
        return reach
    if column not in below:
        return []
    if line.number in merged.wide:  # the format tells how far groups reach: this one is over its own column
        return [column]
    end = column + 1
    while end in below and end not in line.cells:
        end += 1
    return list(range(column, end))


def _title(row: int, text: str, groups: Sequence[str], vocabulary: ColumnAliases) -> _Title:
    """Return a column's title, written so that it means the same without its groups: a To fix sheet has one row."""
    whole = " ".join([*groups, text])
    if not groups:
        return _Title(row, text, vocabulary.meaning(text))
    wanted = _under(groups, text, vocabulary)
    for written in (text, f"{groups[-1]} {text}", f"{text} {groups[-1]}"):
        if vocabulary.meaning(written) == wanted:
            return _Title(row, written, wanted)
    return _Title(row, whole, wanted)


def _under(groups: Sequence[str], text: str, vocabulary: ColumnAliases) -> Meaning | None:
    near = groups[-1]
    together = (vocabulary.meaning(f"{near} {text}"), vocabulary.meaning(f"{text} {near}"))
    told = next(filter(None, together), None)
    if told and told.tier < 0:  # the user's own word
        return told
    said = [squeeze(group) for group in groups]
    if any(map(_SOMEBODY_ELSE.search, said)):
        return None
    found = told or vocabulary.meaning(text)
    other = _SOMETHING_ELSE.get(found.field) if found else None
    if other and not told and not _PLAIN.search(squeeze(text)) and any(map(other.search, said)):
        return None
    return found
