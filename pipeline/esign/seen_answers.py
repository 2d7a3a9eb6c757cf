"""What earlier answers gave out: an answer that was seen before is none, and an id that was given once is not given again.

A cache, a proxy that repeats calls or a service that confuses two of them can answer a call with the answer to another
one. Each answer has a RequestId of its own, each FileId was given for known bytes, each SealId is of one seal.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable

from pipeline.domain.seals import fold_seal_id

_OF_TWO = object()  # marks a RequestId that two calls got, and a FileId that was given for two pictures


class SeenAnswers:
    """The ids of all answers that this process read, and of those in the ledgers that it opened for sending.

    Its methods may be called from any thread: each decides by one operation of a dictionary.
    """

    def __init__(self) -> None:
        self._request_ids: dict[str, object] = {}
        self._file_owners: dict[str, Hashable] = {}
        self._seal_ids: dict[str, object] = {}

    def remember(self, request_ids: Iterable[str], seal_ids: Iterable[str]) -> None:
        """Enter the RequestIds and SealIds of a ledger."""
        self._request_ids.update(dict.fromkeys(request_ids))
        self._seal_ids.update(dict.fromkeys(map(fold_seal_id, seal_ids)))

    def is_repeated(self, request_id: str | None) -> bool:
        """Enter the RequestId of an answer; return whether an earlier answer had it. One without any proves nothing."""
        if request_id is None or _enter(self._request_ids, request_id):
            return False
        self._request_ids[request_id] = _OF_TWO
        return True

    def is_of_two_calls(self, request_id: str | None) -> bool:
        """Return whether two calls of this process got an answer with this RequestId: neither proves anything."""
        return request_id is not None and self._request_ids.get(request_id) is _OF_TWO

    def claim_seal(self, seal_id: str) -> bool:
        """Enter the SealId of a new seal; return False where a seal has it already."""
        return _enter(self._seal_ids, fold_seal_id(seal_id))

    def claim_file(self, file_id: str, owner: Hashable) -> bool:
        """Enter that a FileId was given for a picture; return whether it was given for no other one.

        ``owner`` identifies person and picture. A FileId that was given for two pictures is neither's: it is not known
        which of both answers was right.
        """
        if self._file_owners.setdefault(file_id, owner) != owner:
            self._file_owners[file_id] = _OF_TWO
        return self.is_file_of(file_id, owner)

    def is_file_of(self, file_id: str, owner: Hashable) -> bool:
        """Return whether a FileId was given for this picture and for no other one."""
        return self._file_owners.get(file_id) == owner


def _enter(ids: dict[str, object], entry: str) -> bool:
    """Enter an id; return whether it is new."""
    mark = object()
    return ids.setdefault(entry, mark) is mark


OF_THIS_PROCESS = SeenAnswers()  # shared by all hospitals whose runs this process makes
