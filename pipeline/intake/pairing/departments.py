"""The departments of doctors, and in whose folder a picture lies.

A department comes from the row, or without such a column from the name of its sheet or file (骨科医师名单). A sheet's
department gives no picture to one of two namesakes. It only shows that a folder is another department's.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Hashable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from pipeline.domain.roster import Doctor, RosterList
from pipeline.intake.fields.normalize import is_placeholder
from pipeline.intake.pairing.file_names import comparison_key, lookup_key, strip_known_suffixes
from pipeline.intake.pairing.image_index import ImageFolder

# Where a file lies: in a folder of the doctor's department, of another one, of some department while the row names none;
# in a folder of the department after which the row's sheet is named, or of another sheet's; in none of these.
FolderMatch = Literal["own", "other", "some", "own_sheet", "other_sheet", ""]

_FEWEST = 2  # sheets named after departments: with fewer, folders need not be those of the sheets
# numbering, dates, how many, the zip's own ending
_COUNTS = re.compile(r"[0-9]+[年月日人份张个号]?|[()\[\]【】]|·?zip\Z")
_DEPARTMENT_ENDING = re.compile(
    r"科|(?:室|中心|部|病区|病房|诊区|门诊|急诊|组|所|卫生站|服务站|icu|ccu)[一二三四五六七八九十东西南北]*区?\Z"
)
# parts that stand for every department, and numbered parts of a collection
_NO_DEPARTMENT = re.compile(
    r"(?:各|按|分|所有|全体|临床|医技|职能|行政)*科?(?:室|部门?)?|第?[一二三四五六七八九十a-z甲乙丙丁]*[组部所室]|全部|内部|外部|.?本部"
)
# what a list is called behind its department: 骨科医师名单
_LIST_ENDING = re.compile(
    r"(?:在职|在岗|全体)?(?:执业)?(?:医师|医生|医务人员|人员|职工|员工)?(?:基本)?(?:信息|登记|印章|签章)?"
    r"(?:花名册|名册|名单|清单|一览表|汇总表|统计表|表)?\Z"
)
# a sheet between those of departments: 妇产, 内一, but not 第二批, 新增, 东院区
_SHORT_DEPARTMENT = re.compile(
    r"(?=.*[\u3400-\u9fff])(?!.*(?:[年月批组]|院区|院\Z|新增|新进|新入|聘|退休|离职|进修|规培|全部|全体|其[他它]|[未已]|[印章签])).+"
)
# who makes lists of doctors who work elsewhere
_OFFICE = re.compile("医务|医政|人事|人力|信息|质控|院办|办公|行政")


class Departments:
    """The departments of all rows; who works in two has two rows."""

    def __init__(self, doctors: Sequence[Doctor], person_ids: Sequence[Hashable]) -> None:
        """Collect the departments of every person, and those after which sheets and files are named."""
        of_persons: defaultdict[Hashable, set[str]] = defaultdict(set)
        sheets_of_persons: defaultdict[Hashable, set[str]] = defaultdict(set)
        self._sheets_by_file: defaultdict[Path, set[str]] = defaultdict(set)
        lists = _read_lists({doctor.row.origin.roster_list for doctor in doctors})
        for person, doctor in zip(person_ids, doctors, strict=True):
            if doctor.department and not is_placeholder(doctor.department):
                of_persons[person].add(doctor.department)
            if sheet := lists[doctor.row.origin.roster_list]:
                sheets_of_persons[person].add(sheet)
                self._sheets_by_file[doctor.row.origin.path].add(sheet)
        self._doctors = doctors
        self._of_rows = [tuple(sorted(of_persons.get(person, ()))) for person in person_ids]
        self._sheets_of_rows = [frozenset(sheets_of_persons.get(person, ())) for person in person_ids]
        names = set().union(*of_persons.values())
        self.known = frozenset(map(make_department_key, names))
        self._sheets = frozenset(set().union(*self._sheets_by_file.values()))
        self._known_of_sheets = self._sheets | {_get_list_name(name) for name in self.known}

    def of_row(self, row: int) -> tuple[str, ...]:
        """Return the departments of a row's person, none of them from the name of a sheet."""
        return self._of_rows[row]

    def match_folder(self, row: int, folder: ImageFolder, *, is_entry: bool = False) -> FolderMatch:
        """Return in whose folder a file lies; ``is_entry``: it is named by the row's picture column."""
        names = {name for part in folder.part_names for name in part}
        departments = self._of_rows[row]
        has_sheet_alone = not departments and self._doctors[row].has_ward_alone
        if has_sheet_alone and (match := self._match_sheet(row, names, is_entry=is_entry)):
            return match
        own = set(map(make_department_key, departments))
        if own & names:
            return "own"
        own_bare = set(map(get_bare_name, own))
        for name in names:
            if name in self.known or (is_department(name) and get_bare_name(name) not in own_bare):
                return "other" if departments else "some"
        return ""

    def _match_sheet(self, row: int, names: Iterable[str], *, is_entry: bool) -> FolderMatch:
        """Return whether a folder is that of the row's sheet, or another sheet's.

        A row whose sheet names no department knows only the sheets of its own file.
        """
        own = self._sheets_of_rows[row]
        of_file = self._sheets_by_file.get(self._doctors[row].row.origin.path, set())
        sheets, known = (self._sheets, self._known_of_sheets) if own else (of_file, of_file)
        folders = set(map(_get_list_name, names)) - {""}
        if own & folders:
            return "own_sheet"
        if known & folders:
            return "other_sheet"
        are_folders = len(sheets) >= _FEWEST or (is_entry and bool(own))
        if are_folders and any(is_department(name) and not is_part_of_any(name, own) for name in folders):
            return "other_sheet"
        return ""

    def may_be_near(self, row: int, other: int) -> bool:
        """Return whether the departments of another row are not known, or may be one with the row's (内科一病区: 内科)."""
        own = [get_bare_name(make_department_key(name)) for name in self._of_rows[row]]
        others = [get_bare_name(make_department_key(name)) for name in self._of_rows[other]]
        return not others or any(is_part_of_any(name, own) for name in others)


def name_sheet_departments(lists: Collection[RosterList]) -> dict[RosterList, str]:
    """Return the departments after which sheets are named, as it is written there: 骨科 of 01骨科医师名单."""
    names: dict[RosterList, str] = {}
    for (path, sheet), department in _read_sheets(lists).items():
        if sheet is not None and department:
            start = sheet.casefold().find(department)
            names[path, sheet] = sheet.strip() if start < 0 else sheet[start : start + len(department)]
    return names


def _read_lists(lists: Collection[RosterList]) -> dict[RosterList, str]:
    """Return the department after which each sheet is named, or else its file; "" where neither is."""
    return {one: name or _get_department(one[0].stem) for one, name in _read_sheets(lists).items()}


def _read_sheets(lists: Collection[RosterList]) -> dict[RosterList, str]:
    """Return the department after which each sheet is named, "" where it is named after none.

    妇产 and 内一 are departments between other sheets that are.
    """
    departments = {(path, sheet): _get_department(sheet or "") for path, sheet in lists}
    counts = Counter(path for (path, _), department in departments.items() if department)
    for path, sheet in lists:
        name = _get_list_name(make_department_key(sheet or ""))
        if not departments[path, sheet] and counts[path] >= _FEWEST and _SHORT_DEPARTMENT.fullmatch(name):
            departments[path, sheet] = name
    return departments


@lru_cache(maxsize=4096)  # sheets come again with every row
def _get_department(list_name: str) -> str:
    """Return the bare name of the department after which a list is named, "" where it is named after none."""
    name = _get_list_name(make_department_key(list_name))
    return name if is_department(name) and _OFFICE.search(name) is None else ""


@lru_cache(maxsize=4096)  # departments come again
def make_department_key(name: str) -> str:
    """Return the comparison key of a department's name."""
    return comparison_key(name)


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
    forms = strip_known_suffixes(_COUNTS.sub("", folder))
    return lookup_key(comparison_key(forms[-1][0])) if forms else ""


@lru_cache(maxsize=4096)
def _get_list_name(name: str) -> str:
    """Return the bare name of a list or a folder, by its comparison key: 01骨科医师名单(12人) is 骨科."""
    return _LIST_ENDING.sub("", get_bare_name(name), count=1)


def is_part_of_any(department: str, others: Collection[str]) -> bool:
    """Return whether a name and one of others may mean one department: 口腔科 and 口腔, 骨科 and 骨科一病区."""
    return any(department.startswith(name) or name.startswith(department) for name in others)
