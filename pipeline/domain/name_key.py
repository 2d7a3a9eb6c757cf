"""The one form in which names of people are compared: what can be written in several ways without being another name.

Width and compatibility forms, case, blanks, dots, joints and invisible characters are folded, and traditional and
variant characters (`pipeline.domain.name_variants`). A rare character without an entry stays as it is. A key is never
shown or sent. Ledgers keep digests of keys: names whose key changes are no longer recognised by these.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

from pipeline.domain.name_variants import CLASSES

_PLAIN = re.compile("[\u4e00-\u9fff]+")  # no more than variants to fold: nearly every name
# letters by Unicode that stand for a dot or a dash between the parts of a name, and those that show nothing
_JOINTS = re.compile("[\u02bb\u02bc\u1427\u119e\u30fc\u115f\u1160]")


def make_name_key(name: str) -> str:
    """Return what is equal for all spellings of a name: 阿依古丽·买买提 and 阿依古麗 買買提; idempotent."""
    if not _PLAIN.fullmatch(name):
        folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
        name = "".join(filter(str.isalnum, _JOINTS.sub("", folded)))
    return name.translate(_index_variants())


@cache
def _index_variants() -> dict[int, str]:
    return {ord(form): forms[0] for forms in CLASSES.split() for form in forms[1:]}
