"""Picture folders that are departments, told by what they are called.

A folder is a department where the roster has a department of that name, or where its name ends as departments do
(外科, 护理部, 口腔中心, ICU). A year, a batch or a state (2026新增, 第一批, 已处理, 印章) is none.
"""

from __future__ import annotations

import re
from functools import lru_cache

from pipeline.intake.pairing import file_names

_COUNTS = re.compile(
    r"[0-9]+[年月日人份张个号]?|[()\[\]【】]|·?zip\Z"
)  # numbering, dates, how many, the zip's own ending
_ENDING = re.compile(
    r"科|(?:室|中心|部|病区|病房|诊区|门诊|急诊|组|所|卫生站|服务站|icu|ccu)[一二三四五六七八九十东西南北]*区?\Z"
)
# parts that stand for every department, and numbered parts of a collection
_GENERAL = re.compile(
    r"(?:各|按|分|所有|全体|临床|医技|职能|行政)*科?(?:室|部门?)?|第?[一二三四五六七八九十a-z甲乙丙丁]*[组部所室]|全部|内部|外部|.?本部"
)


@lru_cache(maxsize=4096)  # folders come again with every file in them
def is_department(folder: str) -> bool:
    """Tell whether a folder so called (tight) looks like one department's."""
    bare = bare_name(folder)
    return _ENDING.search(bare) is not None and _GENERAL.fullmatch(bare) is None


@lru_cache(maxsize=4096)
def bare_name(folder: str) -> str:
    """Return a tight name without numbering, counts and a seal's suffix: 01内科印章(12人) is 内科."""
    forms = file_names.strip_known_suffixes(_COUNTS.sub("", folder))
    return file_names.key(file_names.comparison_key(forms[-1][0])) if forms else ""
