"""The form of a SealId: one rule for answers of the service, `adopt`, `resolve` and the Unknown sheet.

The service documents 32 characters and no alphabet. Its own examples have 33 characters with ``=``, or are ``sealid-1``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable

from pipeline.domain.masking import is_personal_number
from pipeline.domain.roster import Doctor

MAX_SEAL_ID = 64  # characters
_FORM = re.compile(rf"[0-9A-Za-z_\-=.+/]{{8,{MAX_SEAL_ID}}}")
_FILLERS = "0_-=.+/"
_NULL_WORDS = frozenset({"", "null", "none", "undefined", "nil", "nan", "true", "false"})


def fold_seal_id(text: str) -> str:
    """Return what two SealIds are compared by: case and width make no other one."""
    return unicodedata.normalize("NFKC", text).casefold()


def list_doctor_texts(doctor: Doctor) -> Collection[str]:
    """Return the texts of a row that may stand where its SealId is expected."""
    texts = (doctor.name, doctor.number, doctor.mobile, doctor.staff_no, doctor.seal_name)
    return frozenset(filter(None, texts))


def is_seal_id(text: str, other_values: Iterable[object]) -> bool:
    """Return whether a text can be a SealId.

    ``other_values`` are those of its request and of the doctor: a SealId is none of them.
    """
    folded = fold_seal_id(text)
    return (
        _FORM.fullmatch(text) is not None
        and folded.strip(_FILLERS) not in _NULL_WORDS
        and not is_personal_number(text)
        and all(folded != fold_seal_id(value) for value in other_values if isinstance(value, str))
    )
