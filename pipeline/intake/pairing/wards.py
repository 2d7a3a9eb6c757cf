"""The wards after which sheets, roster files and picture folders are named, for rosters without a department column.

A ward leads to no picture. It shows that a folder is another ward's, and people see the ward of a sheet as the department
of its rows.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from pipeline.domain.roster import RosterList
from pipeline.intake.pairing.expected_names import (
    COLUMN,
    NAME,
    ImageMatch,
    get_bare_name,
    is_department,
    make_department_key,
)
from pipeline.intake.pairing.image_index import ImageIndex

_FEWEST = 2  # wards in the names of lists: with fewer, folders that look like wards need not be those of the doctors
# what a list is called behind its ward: 骨科医师名单
_LIST_ENDING = re.compile(
    r"(?:在职|在岗|全体)?(?:执业)?(?:医师|医生|医务人员|人员|职工|员工)?(?:基本)?(?:信息|登记|印章|签章)?"
    r"(?:花名册|名册|名单|清单|一览表|汇总表|统计表|表)?\Z"
)
# who makes lists of doctors who work elsewhere
_OFFICE = re.compile("医务|医政|人事|人力|信息|质控|院办|办公|行政")
# sheets that are no ward, between others that are: 第二批, 新增, 东院区
_NO_WARD = re.compile(
    r"[年月批组]|院区|院\Z|新增|新进|新入|聘|退休|离职|进修|规培|全部|全体|其[他它]|[未已]|[印章签]"
)
_HAN = re.compile("[\u3400-\u9fff]")


class Wards:
    """The wards that rosters and picture folders name, each by its bare name.

    The doctors of a sheet 儿科, or of a file 骨科医师名单.xlsx, work in that ward. In another ward's folder a name alone may be
    a namesake's.
    """

    def __init__(
        self,
        person_ids: Sequence[Hashable],
        lists_of_rows: Sequence[RosterList],
        departments: Iterable[str],
        index: ImageIndex,
    ) -> None:
        """Collect the wards of all lists and departments, and the names of the folders that hold pictures."""
        self._departments = {_get_ward_name(make_department_key(name)) for name in departments} - {""}
        lists = _read_lists(set(lists_of_rows), self._departments)
        self._of_lists = frozenset(filter(None, lists.values()))
        self._by_file: defaultdict[Path, set[str]] = defaultdict(set)
        for (path, _), ward in lists.items():
            self._by_file[path] |= {ward} - {""}
        # who is in two lists works in both wards
        self._own: defaultdict[Hashable, set[str]] = defaultdict(set)
        for person, one in zip(person_ids, lists_of_rows, strict=True):
            self._own[person] |= {lists[one]} - {""}
        folders = {id(one.folder): one.folder.part_names for one in index.candidates}
        names = {name for parts in folders.values() for part in parts for name in part}
        self._folders = frozenset(map(_get_ward_name, names))

    def note_ward(self, match: ImageMatch, person: Hashable, roster: Path) -> ImageMatch:
        """Return the match of a row without a department column, with the ward where its file lies in a ward's folder.

        A folder belongs to another ward if it has the name of a roster, or if it looks like a ward and the names of the lists
        show that folders are wards. For a row whose own ward is unknown, only the lists of its own file count.
        """
        if match.evidence not in (NAME, COLUMN):
            return match
        own = self._own[person]
        of_file = self._by_file[roster]
        lists, known = (self._of_lists, self._of_lists | self._departments) if own else (of_file, of_file)
        wards = {_get_ward_name(name) for part in match.candidate.folder.part_names for name in part}
        if not own.isdisjoint(wards):
            return replace(match, ward="own")
        are_folders = len(lists) >= _FEWEST and not self._folders.isdisjoint(lists)
        # an entry whose file is only counted (1.png) needs no other lists: its own ward's folder is missing
        is_other = not known.isdisjoint(wards) or (
            (are_folders or (match.evidence == COLUMN and bool(own)))
            and any(is_department(ward) and not is_part_of_ward(ward, own) for ward in wards)
        )
        return replace(match, ward="other") if is_other else match


def name_sheet_wards(lists: Iterable[RosterList], departments: Iterable[str]) -> dict[RosterList, str | None]:
    """Return the wards after which sheets are named, as the sheets write them; ``departments`` are those of all rows."""
    known = {_get_ward_name(make_department_key(name)) for name in departments}
    sheets = _read_sheets(lists, known - {""})
    return {one: _cut_ward(one[1], ward) for one, ward in sheets.items() if one[1] and ward}


def _read_lists(lists: Iterable[RosterList], departments: Collection[str]) -> dict[RosterList, str]:
    """Return the ward after which each sheet is named, or else its file; "" where neither is."""
    wards = _read_sheets(lists, departments)
    for one, ward in wards.items():
        of_file = _get_ward_name(make_department_key(one[0].stem))
        if not ward and _is_ward(of_file, departments):
            wards[one] = of_file
    return wards


def _read_sheets(lists: Iterable[RosterList], departments: Collection[str]) -> dict[RosterList, str]:
    """Return the ward after which each sheet is named; "" where it is named after none."""
    names = {(path, sheet): _get_ward_name(make_department_key(sheet or "")) for path, sheet in lists}
    wards = {one: name if _is_ward(name, departments) else "" for one, name in names.items()}
    by_file = Counter(path for (path, _), ward in wards.items() if ward)
    for (path, sheet), name in names.items():
        # 妇产 and 内一 are wards between other sheets that are
        is_short = by_file[path] >= _FEWEST and _HAN.search(name) and not _NO_WARD.search(name)
        if not wards[path, sheet] and is_short:
            wards[path, sheet] = name
    return wards


def _is_ward(name: str, departments: Collection[str]) -> bool:
    return name in departments or (is_department(name) and _OFFICE.search(name) is None)


def _cut_ward(sheet: str | None, ward: str) -> str | None:
    """Return the part of a sheet's name that is its ward, as it is written: 骨科 of 01骨科医师名单."""
    if sheet is None:
        return None
    start = sheet.casefold().find(ward)
    return sheet.strip() if start < 0 else sheet[start : start + len(ward)]


@lru_cache(maxsize=4096)  # folders come again with every file in them
def _get_ward_name(name: str) -> str:
    """Return the bare name of a ward's list or folder, by its comparison key: 01骨科医师名单(12人) is 骨科."""
    return _LIST_ENDING.sub("", get_bare_name(name), count=1)


def is_part_of_ward(ward: str, own: Iterable[str]) -> bool:
    """Return whether a name and one of others may mean one ward: 口腔科 and 口腔, 骨科 and 骨科一病区."""
    return any(ward.startswith(name) or name.startswith(ward) for name in own)
