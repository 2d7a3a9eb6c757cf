"""Which files a row may mean, by the stems it leads to expect.

Expected are the identity number; the staff number; the name; these written together in any order (张伟_1001, 1001张伟),
which counts as the stronger of the numbers in it; and each with the department before it or behind it. A stem is one of
these exactly, or exactly after width, Unicode form, case, blanks, dots, a known suffix and a known encoding are taken
off (``file_names``). Names with further values of the row are matched in ``composed_names``.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Literal, NamedTuple

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Doctor, Field
from pipeline.intake.fields.normalize import get_field_text, is_placeholder
from pipeline.intake.pairing import file_names
from pipeline.intake.pairing.image_index import Candidate, FileNameVariant, ImageIndex

COLUMN, CELL, NUMBER, STAFF_NO, NAME = "column", "cell", "id_card_number", "staff_no", "name"
GIVEN = "given"  # a person gave these bytes to this doctor
STRENGTH = {COLUMN: 0, CELL: 1, NUMBER: 2, GIVEN: 3, STAFF_NO: 4, NAME: 5}
# the orders in which parts are written, the strongest evidence first: i identity number, s staff number, n name,
# d department
_ORDERS = [
    (evidence, order, tuple(map("isnd".index, order)))
    for evidence, orders in (
        (NUMBER, "i ni in di dni din nid ind sni nsi ins nis sin isn"),
        (STAFF_NO, "s ns sn ds dns dsn nsd snd"),
        (NAME, "n dn nd"),
    )
    for order in orders.split()
]
MAX_VARIANTS = 256  # files looked at for one stem: who has more has to tidy up, and nothing is decided
_READY = frozenset({".png", ".jpg", ".jpeg"})  # taken before one that must be converted

# Where a file lies that is named by a name alone: in the doctor's department, in another one, in some department while
# the row names none, or in none.
DepartmentMatch = Literal["own", "other", "some", ""]
# Where a file lies that is named by a name alone: in a folder of the ward in whose list the row stands, in one of another
# ward or of one whose relation to the row is not known, or in neither.
WardMatch = Literal["own", "other", ""]

# numbering, dates, how many, the zip's own ending
_COUNTS = re.compile(r"[0-9]+[年月日人份张个号]?|[()\[\]【】]|·?zip\Z")
_DEPARTMENT_ENDING = re.compile(
    r"科|(?:室|中心|部|病区|病房|诊区|门诊|急诊|组|所|卫生站|服务站|icu|ccu)[一二三四五六七八九十东西南北]*区?\Z"
)
# parts that stand for every department, and numbered parts of a collection
_NO_DEPARTMENT = re.compile(
    r"(?:各|按|分|所有|全体|临床|医技|职能|行政)*科?(?:室|部门?)?|第?[一二三四五六七八九十a-z甲乙丙丁]*[组部所室]|全部|内部|外部|.?本部"
)


@dataclass(frozen=True, slots=True)
class ImageMatch:
    """One file that one row may mean: by what evidence, and whether its name is the expected one to the letter."""

    candidate: Candidate
    evidence: str
    expected: str = field(repr=False)
    is_exact: bool = True
    department: DepartmentMatch = ""
    is_joined: bool = False  # of several parts: 内科张伟, 张伟_1001
    # only of a row without a department column
    ward: WardMatch = ""

    @property
    def rank(self) -> tuple[int, bool, bool, str]:
        """The order of several matches of one row."""
        needs_conversion = self.candidate.extension not in _READY
        strength = STRENGTH[self.evidence]
        return strength, not self.is_exact, needs_conversion, self.candidate.relative_path


class _Part(NamedTuple):
    """One piece of an expected stem."""

    spellings: tuple[str, ...]  # each of them is it to the letter
    comparison_key: str
    lookup_key: str


def match_by_name(
    doctor: Doctor, departments: tuple[str, ...], known_departments: Collection[str], index: ImageIndex
) -> Iterator[ImageMatch]:
    """Yield the files whose stem is one that this doctor's row leads to expect, each once, by its best evidence."""
    seen: set[Candidate] = set()
    for evidence, order, parts, variant in _list_hits(doctor, departments, index):
        if variant.candidate in seen:
            continue
        joint = file_names.match_parts(variant.comparison_key, [part.comparison_key for part in parts])
        if joint is None or (order == "dn" and may_be_longer_name(variant, parts[-1].comparison_key)):
            continue
        seen.add(variant.candidate)
        department: DepartmentMatch = ""
        if evidence == NAME:
            in_stem = "d" in order
            department = "own" if in_stem else get_department_match(variant, departments, known_departments)
        yield _make_match(variant, evidence, parts, joint, department)


def _list_hits(
    doctor: Doctor, departments: tuple[str, ...], index: ImageIndex
) -> Iterator[tuple[str, str, Sequence[_Part], FileNameVariant]]:
    """Yield (evidence, order, parts, variant) for each name of a file that may be made of the row's parts."""
    for pieces in product(*_list_pieces(doctor, departments)):
        lengths = tuple([len(piece.lookup_key) if piece else 0 for piece in pieces])
        for evidence, order, positions in _select_orders(lengths, index.key_lengths):
            parts = [piece for position in positions if (piece := pieces[position])]
            variants = index.variants.get("".join([part.lookup_key for part in parts]), ())
            for variant in variants[:MAX_VARIANTS]:
                yield evidence, order, parts, variant


@lru_cache(maxsize=4096)  # the pieces of most rows have few lengths
def _select_orders(
    piece_lengths: tuple[int, ...], key_lengths: frozenset[int]
) -> Sequence[tuple[str, str, tuple[int, ...]]]:
    """Return the orders whose pieces are there, and together as long as some lookup key of a file."""
    return [
        (evidence, order, positions)
        for evidence, order, positions in _ORDERS
        if all(piece_lengths[position] for position in positions)
        and sum(piece_lengths[position] for position in positions) in key_lengths
    ]


def list_names(doctor: Doctor) -> list[str]:
    """Return the name as it is used and as the roster writes it (阿依古丽.买买提): files follow either."""
    written = get_field_text(doctor.row, Field.NAME)
    return [name for name in dict.fromkeys((doctor.name, written)) if name]


def list_rows_by_name(doctors: Sequence[Doctor]) -> Mapping[str, Sequence[int]]:
    """Return the rows of each name, by the name key: spellings of one name are one."""
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for row, doctor in enumerate(doctors):
        for name in {make_name_key(name) for name in list_names(doctor)}:
            rows[name].append(row)
    return rows


def bears_name(match: ImageMatch, doctor: Doctor) -> bool:
    """Return whether a file that is found by a staff number bears the doctor's name as well: 1001张伟."""
    stem = make_name_key(match.candidate.stem)
    return any(make_name_key(name) in stem for name in list_names(doctor))


def _list_pieces(doctor: Doctor, departments: tuple[str, ...]) -> tuple[Sequence[_Part | None], ...]:
    """Return the pieces for each letter of an order; None for a letter without any piece."""
    number, staff_no = doctor.number or "", doctor.staff_no or ""
    # a last x may be written in either case
    numbers = (number, number[:-1] + "x") if number.endswith("X") else (number,) if number else ()
    return (
        _make_parts(numbers),
        _make_parts(() if is_placeholder(staff_no) else (staff_no,)),
        _make_parts(tuple(list_names(doctor))),
        _make_parts(departments),
    )


@lru_cache(maxsize=4096)  # departments come again
def _make_parts(spellings: tuple[str, ...]) -> Sequence[_Part | None]:
    """Return the pieces that these are, those that differ in nothing but spelling as one; None if there are none."""
    by_key: dict[str, tuple[str, ...]] = {}
    for spelling in spellings:
        key = file_names.comparison_key(spelling)
        by_key[key] = (*by_key.get(key, ()), spelling)
    parts = [
        _Part(same, key, file_names.lookup_key(key))
        for key, same in by_key.items()
        if file_names.lookup_key(key)
    ]
    return parts or (None,)


def may_be_longer_name(variant: FileNameVariant, name: str) -> bool:
    """Return whether the name that ends a stem may be the beginning of a longer one: 内科李文章 is not 李文 of 内科."""
    return file_names.seal_may_end_name(name) and file_names.ends_before_seal(variant.stem, variant.base)


def _make_match(
    variant: FileNameVariant,
    evidence: str,
    parts: Sequence[_Part],
    joint: str,
    department: DepartmentMatch,
) -> ImageMatch:
    written = [part.spellings[0] for part in parts]
    expected = f"{written[0]}({written[1]})" if joint == "(" else joint.replace("·", ".").join(written)
    is_spelled = all(any(spelling in variant.stem for spelling in part.spellings) for part in parts)
    is_exact = is_spelled and variant.stem == variant.base and not variant.is_recoded
    return ImageMatch(variant.candidate, evidence, expected, is_exact, department, len(parts) > 1)


# --- departments


def get_department_match(
    variant: FileNameVariant, departments: Sequence[str], known_departments: Collection[str]
) -> DepartmentMatch:
    """Return in whose department a file lies."""
    part_names = variant.candidate.folder.part_names
    own = [make_department_key(name) for name in departments]
    if any(name in part for part in part_names for name in own):
        return "own"
    own_bare = {get_bare_name(name) for name in own}
    for part in part_names:
        for name in part:
            is_other = is_department(name) and get_bare_name(name) not in own_bare
            if name in known_departments or is_other:
                return "other" if departments else "some"
    return ""


@lru_cache(maxsize=4096)  # departments come again
def make_department_key(name: str) -> str:
    """Return the comparison key of a department's name."""
    return file_names.comparison_key(name)


@lru_cache(maxsize=4096)  # folders come again with every file in them
def is_department(folder: str) -> bool:
    """Return whether a folder so called (a comparison key) looks like one department's.

    Its name ends as departments do (外科, 护理部, 口腔中心, ICU). A year, a batch or a state (2026新增, 第一批, 已处理,
    印章) is none.
    """
    bare = get_bare_name(folder)
    return _DEPARTMENT_ENDING.search(bare) is not None and _NO_DEPARTMENT.fullmatch(bare) is None


@lru_cache(maxsize=4096)
def get_bare_name(folder: str) -> str:
    """Return a folder's name without numbering, counts and a seal's suffix: 01内科印章(12人) is 内科."""
    forms = file_names.strip_known_suffixes(_COUNTS.sub("", folder))
    return file_names.lookup_key(file_names.comparison_key(forms[-1][0])) if forms else ""
