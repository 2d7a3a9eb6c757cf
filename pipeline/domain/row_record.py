"""The record of a row: its line of outcomes.jsonl, and the line of plan.jsonl and of the ledger, which holds a few facts more.

Both are written and read here alone. What a line holds of the roster's fields follows from the table of fields: a field with
a ``result`` is in every line, written by `RowLine.to_dict` and read by `RowLine.from_text`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from dataclasses import field as _field
from typing import Any

from pipeline.domain.fields import list_result_fields
from pipeline.domain.masking import hide_names
from pipeline.domain.roster import Change, Field, ImageSize, ImageSizes, Severity
from pipeline.domain.run import Status
from pipeline.domain.seals import Judged

SCHEMA = 1
_ENCODER = json.JSONEncoder(ensure_ascii=False)
_MIN_NAME = 2  # characters of a name that is searched in other texts


@dataclass(frozen=True, slots=True)
class RecordedProblem:
    """A problem: its sentence as it was written, and in the ledger what the sentence is made of."""

    code: str
    severity: Severity
    field: Field | None
    cell: str | None
    message: str = _field(repr=False)
    # texts as `pipeline.messages.catalogue.dump_text` stores them, masked; None: not recorded
    detail: Mapping[str, object] | None = _field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class RecordedPicture:
    """A picture of a row: its file, and how large it is as it was sent.

    Lines of earlier versions hold neither size. Pixels are None where the picture was not opened.
    """

    path: str = _field(repr=False)  # masked
    sha256: str
    bytes: int | None = None
    width: int | None = None
    height: int | None = None
    sent: ImageSize | None = None

    @classmethod
    def of_image(cls, path: str, sha256: str, sizes: ImageSizes) -> RecordedPicture:
        given = sizes.given
        return cls(path, sha256, given.bytes, given.width, given.height, sizes.sent)

    @property
    def sizes(self) -> ImageSizes | None:
        """How large the picture is; None in a line of an earlier version."""
        if self.bytes is None:
            return None
        return ImageSizes(ImageSize(self.bytes, self.width, self.height), self.sent)


@dataclass(frozen=True, slots=True)
class RecordedReview:
    """The pairing of a row that a person may judge."""

    id: str  # see `PictureDecision.id`
    site: str  # whose ledger takes the judgement: `SiteKey.check`
    judged: Judged | None  # so far
    picture: str  # sha256 of the picture that is judged
    sent: str | None  # sha256 of the bytes that are sent of it
    file: str = _field(repr=False)  # its name, masked
    evidence: str | None  # by what it was found: see `review_page.evidence`
    named_by: str | None = None  # where the seal name comes from: see `review_page.named`


@dataclass(frozen=True, slots=True)
class RecordedAnswer:
    """What the service answered."""

    code: str | None
    message: str | None = _field(repr=False)
    words: object = _field(
        default=None, repr=False
    )  # the message as `dump_text` stores it, where it has a key


@dataclass(frozen=True, slots=True, kw_only=True)
class RowLine:
    """How a row ended, as far as results show it; numbers are masked.

    ``run`` is empty in the ledger: lines that are equal in successive runs are stored once.
    """

    run: str
    file: str
    path: str
    sheet: str | None
    row: int
    row_id: str | None
    key: str | None
    status: Status
    codes: tuple[str, ...] = ()
    problems: tuple[RecordedProblem, ...] = ()
    changes: tuple[Change, ...] = _field(default=(), repr=False)
    values: Mapping[Field, str | None] = _field(
        default_factory=dict, repr=False
    )  # of the fields with a result
    picture: RecordedPicture | None = None
    seal_id: str | None = None
    request_id: str | None = None
    trace_id: str | None = None
    attempts: int = 0
    service: RecordedAnswer | None = None
    review: RecordedReview | None = None  # in plan.jsonl alone

    def get(self, field: Field) -> str | None:
        """Return the value of a field as results show it."""
        return self.values.get(field)

    def to_dict(self) -> dict[str, Any]:
        """Return the line of outcomes.jsonl."""
        return {
            "schema": SCHEMA,
            "run": self.run,
            "file": self.file,
            "path": self.path,
            "sheet": self.sheet,
            "row": self.row,
            "row_id": self.row_id,
            "key": self.key,
            "status": self.status.value,
            "codes": list(self.codes),
            "problems": [_dump_problem(problem) for problem in self.problems],
            "changes": [_dump_change(change) for change in self.changes],
            **{name: self.get(field) for name, field in list_result_fields(in_ledger=False)},
            "picture": _dump_picture(self.picture) if self.picture else None,
            "seal_id": self.seal_id,
            "request_id": self.request_id,
            "trace_id": self.trace_id,
            "attempts": self.attempts,
            "service": {"code": self.service.code, "message": self.service.message} if self.service else None,
        }

    def to_whole_dict(self) -> dict[str, Any]:
        """Return the line of the ledger and of plan.jsonl: from it the row is shown again, in either language."""
        line = self.to_dict() | {name: self.get(field) for name, field in list_result_fields(in_ledger=True)}
        line["words"] = [problem.detail for problem in self.problems]
        if self.service is not None and self.service.words is not None:
            line["answer"] = self.service.words
        if self.review is not None:
            line["review"] = asdict(self.review)
        return line

    def to_ledger_text(self) -> str:
        return _ENCODER.encode(self.to_whole_dict())

    @classmethod
    def from_text(cls, text: str) -> RowLine:
        """Read a line of either kind."""
        line = json.loads(text)
        words = line.get("words") or [None] * len(line["problems"])
        picture, service = line["picture"], line["service"]
        return cls(
            run=line["run"],
            file=line["file"],
            path=line["path"],
            sheet=line["sheet"],
            row=line["row"],
            row_id=line["row_id"],
            key=line["key"],
            status=Status(line["status"]),
            codes=tuple(line["codes"]),
            problems=tuple(map(_load_problem, line["problems"], words)),
            changes=tuple(map(_load_change, line["changes"])),
            values={field: line.get(name) for name, field in list_result_fields(in_ledger=True)},
            picture=_load_picture(picture) if picture else None,
            seal_id=line["seal_id"],
            request_id=line["request_id"],
            trace_id=line["trace_id"],
            attempts=line["attempts"] or 0,
            service=RecordedAnswer(service["code"], service["message"], line.get("answer"))
            if service
            else None,
            review=RecordedReview(**line["review"]) if line.get("review") else None,
        )

    def hide_names(self, names: Collection[str]) -> RowLine:
        """Return another person's line with these names starred in its texts.

        A line whose own name holds one of them, of a namesake, stays as it is.
        """
        own_name = self.get(Field.NAME) or ""
        if any(name in own_name for name in names):
            return self
        long_names = [name for name in names if len(name) >= _MIN_NAME]

        def hide(value: Any) -> Any:
            return json.loads(hide_names(json.dumps(value, ensure_ascii=False), long_names))

        return replace(
            self,
            problems=tuple(
                replace(problem, message=hide(problem.message), detail=hide(problem.detail))
                for problem in self.problems
            ),
            changes=tuple(
                replace(change, before=hide(change.before), after=hide(change.after))
                for change in self.changes
            ),
            service=self.service
            and replace(self.service, message=hide(self.service.message), words=hide(self.service.words)),
        )

    def remove_person(self) -> RowLine:
        """Return the line without what is personal: address, status, codes, and what shows a seal or a create stay."""
        return replace(
            self,
            problems=(),
            changes=(),
            values={Field.ID_TYPE: self.get(Field.ID_TYPE)},
            picture=None,
            service=None,
        )


def _dump_problem(problem: RecordedProblem) -> dict[str, Any]:
    return {
        "code": problem.code,
        "field": problem.field.value if problem.field else None,
        "cell": problem.cell,
        "severity": problem.severity,
        "message": problem.message,
    }


def _load_problem(stored: Mapping[str, Any], detail: Mapping[str, object] | None) -> RecordedProblem:
    field = Field(stored["field"]) if stored["field"] else None
    return RecordedProblem(
        stored["code"], stored["severity"], field, stored["cell"], stored["message"], detail
    )


def _dump_picture(picture: RecordedPicture) -> dict[str, Any]:
    sent = picture.sent
    return {
        "path": picture.path,
        "sha256": picture.sha256,
        "bytes": picture.bytes,
        "width": picture.width,
        "height": picture.height,
        "sent": {"bytes": sent.bytes, "width": sent.width, "height": sent.height} if sent else None,
    }


def _load_picture(stored: Mapping[str, Any]) -> RecordedPicture:
    sent = stored.get("sent")
    return RecordedPicture(
        stored["path"],
        stored["sha256"],
        stored.get("bytes"),
        stored.get("width"),
        stored.get("height"),
        ImageSize(**sent) if sent else None,
    )


def _dump_change(change: Change) -> dict[str, str]:
    return {"field": change.field.value, "from": change.before, "to": change.after, "why": change.why}


def _load_change(stored: Mapping[str, str]) -> Change:
    return Change(Field(stored["field"]), stored["from"], stored["to"], stored["why"])
