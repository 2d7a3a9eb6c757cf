"""The rows of the newest check that a person can judge: read once from its plan, found by filter, each shown as a card."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from unicodedata import normalize

from pipeline.domain.name_key import make_name_key
from pipeline.domain.roster import Field
from pipeline.domain.row_record import RecordedReview, RowLine
from pipeline.domain.run import Status
from pipeline.domain.seals import Judged, PictureDecision
from pipeline.intake.images.prepare import read_preview
from pipeline.messages.areas import is_known
from pipeline.messages.problems import load_problem
from pipeline.reports.explanations import describe_problem
from pipeline.reports.presenter import Presenter
from pipeline.web.rows.checked_rows import CheckedRows

UNJUDGED, RIGHT, WRONG, WARNED, ALL = "todo", "right", "wrong", "warn", "all"
FILTERS = (UNJUDGED, RIGHT, WRONG, WARNED, ALL)
# a hint on namesakes explains more, and every card that was not judged yet waits for its review
_UNWARNED = frozenset({"SEAL_NAME_DUPLICATE", "REVIEW_MISSING"})


@dataclass(frozen=True)
class CheckedPairing:
    """One row that can be judged; ``index`` is its place among them."""

    index: int
    line: RowLine = field(repr=False)
    review: RecordedReview
    hints: tuple[str, ...] | None = None  # on its picture; None where no small copy of it is kept

    def get_judged(self, judgements: Mapping[str, Judged]) -> Judged | None:
        """Return the judgement that counts: that of the ledger now, else that of the check, which may be on equal pixels."""
        return judgements.get(self.review.id, self.review.judged)

    def judge(self, judged: Judged) -> PictureDecision:
        """Return a judgement of the pairing."""
        line = self.line
        position = " ".join(filter(None, (line.file, line.sheet, str(line.row))))
        name = line.get(Field.NAME) or ""
        return PictureDecision.from_id(self.review.id, judged, shown_name=name, position=position)

    @property
    def warnings(self) -> list[str]:
        """The codes of what a person should look at."""
        return [code for code in self.line.codes if code not in _UNWARNED]

    @cached_property
    def text(self) -> str:
        """What a search looks into."""
        values = (
            self.line.get(name) for name in (Field.NAME, Field.STAFF_NO, Field.NUMBER, Field.DEPARTMENT)
        )
        return normalize("NFKC", " ".join((*filter(None, values), self.review.file))).casefold()


@dataclass(frozen=True)
class CheckedPairings:
    """All rows of one check that can be judged, in the roster's order."""

    run: str
    pairings: Sequence[CheckedPairing] = field(repr=False)
    namesakes: Mapping[str, int] = field(repr=False)  # people by name key
    files: int  # rosters
    is_for_looking: bool  # the check had no ledger: nothing can be judged

    @classmethod
    def of(cls, checked: CheckedRows, previews: Path) -> CheckedPairings:
        """Return the pairings of a check, with what the small copies of its pictures show."""
        lines = checked.lines
        people = {(line.get(Field.NAME) or "", line.key) for line in lines}
        namesakes = Counter(make_name_key(name) for name, _ in people if name)
        reviewed = [(line, line.review) for line in lines if line.review is not None]
        hints = _list_hints([review for _, review in reviewed], previews)
        pairings = [
            CheckedPairing(index, line, review, hints.get(review.picture))
            for index, (line, review) in enumerate(reviewed)
        ]
        return cls(
            checked.run,
            pairings,
            namesakes,
            len({line.path for line in lines}),
            any(line.status is Status.READY and line.review is None for line in lines),
        )

    @cached_property
    def by_id(self) -> Mapping[str, CheckedPairing]:
        """A row by what its judgement belongs to."""
        return {pairing.review.id: pairing for pairing in self.pairings}

    @cached_property
    def sent_by_picture(self) -> Mapping[str, str | None]:
        """The bytes that are sent of each picture."""
        return {pairing.review.picture: pairing.review.sent for pairing in self.pairings}

    def count(self, judgements: Mapping[str, Judged]) -> dict[str, int]:
        """Return how many rows each filter shows."""
        judged = Counter(pairing.get_judged(judgements) for pairing in self.pairings)
        return {
            UNJUDGED: judged[None],
            RIGHT: judged["right"],
            WRONG: judged["wrong"],
            WARNED: sum(self.is_warned(pairing) for pairing in self.pairings),
            ALL: len(self.pairings),
        }

    def select(
        self, judgements: Mapping[str, Judged], *, chosen: str, query: str, first: int, most: int
    ) -> list[CheckedPairing]:
        """Return the rows that a filter shows, from the place ``first`` on, and one more than ``most`` where there is one."""
        words = normalize("NFKC", query).casefold().split()
        selected: list[CheckedPairing] = []
        for pairing in self.pairings[first:]:
            if not self._is_shown(pairing, judgements, chosen):
                continue
            if all(word in pairing.text for word in words):
                selected.append(pairing)
                if len(selected) > most:
                    break
        return selected

    def _is_shown(self, pairing: CheckedPairing, judgements: Mapping[str, Judged], chosen: str) -> bool:
        if chosen == WARNED:
            return self.is_warned(pairing)
        judged = pairing.get_judged(judgements)
        return chosen not in {UNJUDGED, RIGHT, WRONG} or (judged or UNJUDGED) == chosen

    def is_warned(self, pairing: CheckedPairing) -> bool:
        """Return whether there is something to look at other than name and picture."""
        return bool(pairing.warnings or pairing.hints) or self._count_namesakes(pairing) > 1

    def _count_namesakes(self, pairing: CheckedPairing) -> int:
        return self.namesakes.get(make_name_key(pairing.line.get(Field.NAME) or ""), 0)

    def describe(
        self,
        pairing: CheckedPairing,
        judgements: Mapping[str, Judged],
        presenter: Presenter,
    ) -> dict[str, object]:
        """Return a card, with the lines that it has in review.html as well."""
        line, review, say = pairing.line, pairing.review, presenter.render_review
        problems = [load_problem(problem) for problem in line.problems]
        texts = [say(f"warn.{hint}") for hint in pairing.hints or ()]
        if (many := self._count_namesakes(pairing)) > 1:
            key = "warn.same_name" if line.get(Field.DEPARTMENT) else "warn.same_name_only"
            texts.insert(0, say(key, n=many))
        texts += [
            describe_problem(problem, presenter)
            for problem in problems
            if problem.severity == "warning" and problem.code not in _UNWARNED
        ]
        is_ready = line.status in {Status.READY, Status.NOT_SENT}
        sheet = (line.sheet,) if line.sheet else ()
        file = (line.file,) if self.files > 1 else ()
        return {
            "id": review.id,
            "judged": pairing.get_judged(judgements),
            "status": "" if is_ready else line.status.value,
            "name": line.get(Field.NAME) or presenter.render("who.nameless"),
            "who": " · ".join(filter(None, (line.get(Field.STAFF_NO), line.get(Field.DEPARTMENT)))),
            "seal_name": line.get(Field.SEAL_NAME),
            "number": line.get(Field.NUMBER),
            "file": review.file,
            "evidence": say(f"evidence.{review.evidence}") if review.evidence else "",
            "named_by": say(f"named.{review.named_by}") if review.named_by else "",
            "place": " · ".join((*file, *sheet, say("row", row=line.row))),
            "picture": review.picture if pairing.hints is not None else None,
            "warnings": texts,
            "reasons": [
                describe_problem(problem, presenter)
                for problem in problems
                if problem.severity == "error" and problem.code != "REVIEW_MISSING"
            ],
        }


def _list_hints(reviews: Sequence[RecordedReview], previews: Path) -> dict[str, tuple[str, ...]]:
    """Return what a person should look at in each picture: as `review_page` has it."""
    hints: dict[str, list[str]] = {}
    pictures: defaultdict[str, set[str]] = defaultdict(set)  # by what the small copy shows
    for picture in {review.picture for review in reviews}:
        kept = read_preview(picture, previews)
        if kept is None:
            continue
        hints[picture] = [hint for hint in kept[1].hints if is_known(f"review_page.warn.{hint}")]
        pictures[sha256(kept[1].data).hexdigest()].add(picture)
    for alike in pictures.values():
        for picture in alike if len(alike) > 1 else ():
            hints[picture].insert(0, "same_picture")
    return {picture: tuple(names) for picture, names in hints.items()}
