"""The judge: what reached the wire and what was said, against the truth.

Critical: a number that should not be there, another doctor's picture or name, a person twice, a refused row sent.
Everything else that an expert would have decided otherwise is wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from generated_rosters.lines import judge_files
from generated_rosters.people import lifetime
from generated_rosters.pictures import decode, faithful, same
from generated_rosters.truth import Corpus, FilePlan, LinePlan, Record, Refused, Sent, SheetPlan
from PIL import Image

SCENE = "E_PRESCRIPTION_AUTO_SIGN"
ERROR, WARNING = "error", "warning"
SCALED = "IMAGE_TOO_LARGE_FIXABLE"  # reported of a picture that a limit made smaller


@dataclass(frozen=True)
class Disagreement:
    """One thing that an expert would have decided otherwise."""

    critical: bool
    seed: str
    location: str
    trap: str
    expected: str
    got: str

    def __str__(self) -> str:
        grade = "CRITICAL" if self.critical else "wrong"
        return (
            f"{grade} seed {self.seed} {self.location} [{self.trap}] expected {self.expected}; got {self.got}"
        )


@dataclass(frozen=True)
class Score:
    """All disagreements, and how many things were judged."""

    disagreements: tuple[Disagreement, ...]
    rows: int
    judged: int  # rows, lines and files

    @property
    def critical(self) -> tuple[Disagreement, ...]:
        """What must never happen."""
        return tuple(result for result in self.disagreements if result.critical)

    @property
    def wrong_share(self) -> float:
        """Share of judged things with at least one disagreement."""
        return len({result.location for result in self.disagreements}) / self.judged

    def report(self) -> str:
        """Return every disagreement, the critical ones first."""
        head = f"{self.rows} rows, {self.judged} judged, {len(self.critical)} critical, {len(self.disagreements)} in all"
        lines = sorted(map(str, self.disagreements))
        traps = Counter(result.trap for result in self.disagreements)
        counts = [f"{count} x {trap}" for trap, count in traps.most_common()]
        return "\n".join([head, *lines, "", *counts])


def score(corpus: Corpus, record: Record) -> Score:
    """Judge a run."""
    seed = f"{corpus.seed}/{corpus.way}"
    rows = list(corpus.rows())
    reported_rows = {(line["file"], line["sheet"], line["row"]): line for line in record.outcomes}
    refused_whole = {
        file.name for file in corpus.files if file.either and _status(record, file.name) == "refused"
    }
    judge = _Judge(corpus, record, seed)
    result = list(judge.wire(rows))
    for file, sheet, line in rows:
        if file.name not in refused_whole:
            result += judge.row(
                file, sheet, line, reported_rows.get((file.name, sheet.name, line.physical_lines[0]))
            )
    places = {(file.name, sheet.name, line.physical_lines[0]) for file, sheet, line in rows}
    for key, line in reported_rows.items():
        if key not in places:
            location = f"{key[0]} {key[1]} {key[2]}"
            result.append(
                Disagreement(
                    False, seed, location, "no doctor", "no row", f"{line['status']} {line['codes']}"
                )
            )
    result += judge.once(rows, reported_rows)
    judged = len(rows)
    for location, trap, expected, got in judge_files(corpus, record):
        result.append(Disagreement(False, seed, location, trap, expected, got))
    lines = sum(
        line.skip is not None for file in corpus.files for sheet in file.sheets for line in sheet.lines
    )
    return Score(tuple(result), len(rows), judged + lines + len(corpus.files))


def _status(record: Record, name: str) -> str | None:
    return next((line["status"] for line in record.files if line["file"] == name), None)


class _Judge:
    def __init__(self, corpus: Corpus, record: Record, seed: str) -> None:
        self.corpus, self.record, self.seed = corpus, record, seed
        self.seals = {}
        self._images: dict[str, Image.Image] = {}
        for seal in record.seals:
            self.seals.setdefault(seal.number, seal)

    def _disagreement(
        self, critical: bool, location: str, trap: str, expected: str, got: str
    ) -> Disagreement:
        return Disagreement(critical, self.seed, location, trap, expected, got)

    def wire(self, rows) -> Iterator[Disagreement]:
        """Look at every seal: whose number is it, and was it made once."""
        owners: dict[str, list[LinePlan]] = defaultdict(list)
        places: dict[str, tuple[str, str]] = {}
        refused: dict[str, tuple[str, str]] = {}
        for file, sheet, line in rows:
            where = f"{file.name} {sheet.name} {line.physical_lines[0]}", line.row.trap
            for expect in line.row.accept:
                if isinstance(expect, Sent):
                    owners[expect.number].append(line)
                    places[expect.number] = where
            refused.setdefault(str(line.row.cells["number"]), where)
        made = Counter(lifetime(seal.number) for seal in self.record.seals)
        for seal in self.record.seals:
            position, trap = (
                places.get(seal.number) or refused.get(seal.number) or (f"wire {seal.name}", "wire")
            )
            if seal.number not in owners:
                yield self._disagreement(
                    True,
                    position,
                    trap,
                    "not on the wire",
                    f"a seal for a number ending in {seal.number[-4:]}",
                )
            if made[lifetime(seal.number)] > 1:
                yield self._disagreement(
                    True, position, trap, "one seal", f"{made[lifetime(seal.number)]} seals"
                )

    def row(
        self, file: FilePlan, sheet: SheetPlan, line: LinePlan, record: Mapping | None
    ) -> Iterator[Disagreement]:
        """Compare one row with each outcome an expert would sign; the nearest one is told."""
        row = line.row
        assert row is not None
        location = f"{file.name} {sheet.name} {line.physical_lines[0]}"
        if record is None:
            yield self._disagreement(False, location, row.trap, "a line in outcomes.jsonl", "none")
            return
        differs = [list(self._compare(expect, record, line)) for expect in row.accept]
        best = min(differs, key=lambda value: (any(critical for critical, *_ in value), len(value)))
        for critical, expected, got in best:
            yield self._disagreement(critical, location, row.trap, expected, got)

    def _compare(self, expect, record: Mapping, line: LinePlan) -> Iterator[tuple[bool, str, str]]:
        if isinstance(expect, Refused):
            yield from _compare_refused(expect, record, line)
            return
        if record["status"] != "sealed":
            yield False, f"sealed {sorted(expect.must)}", f"{record['status']} {_all_reported(record)}"
            return
        yield from _compare_said(expect, record)
        seal = self.seals.get(expect.number)
        if seal is None:
            yield True, "on the wire", "sealed without a seal of that number"
            return
        yield from self._compare_seal(expect, seal)

    def _compare_seal(self, expect: Sent, seal) -> Iterator[tuple[bool, str, str]]:
        facts = {
            "name": (True, expect.name, seal.name),
            "id_type": (False, expect.id_type, seal.id_card_type),
            "mobile": (False, expect.mobile, seal.mobile),
            "scene": (False, SCENE, seal.scene_key),
        }
        for what, (critical, wanted, got) in facts.items():
            if wanted != got:
                yield critical, f"{what} {wanted!r}", f"{got!r}"
        if seal.seal_name not in expect.seal_names:
            yield False, f"seal name {sorted(expect.seal_names)}", seal.seal_name
        data = self.record.pictures.get(seal.picture)
        if data is None:
            yield True, "a picture", "none arrived"
            return
        if seal.picture not in self._images:
            self._images[seal.picture] = decode(data)
        arrived = self._images[seal.picture]
        if not same(arrived, expect.picture):
            yield True, "the doctor's own picture", f"that of {self._whose(arrived)}"
        elif SCALED not in expect.must and not faithful(arrived, expect.picture):
            yield True, f"the file's own points, {expect.picture.size}", f"others, {arrived.size}"
        elif expect.verbatim is not None and data != expect.verbatim:
            yield False, "the file's own bytes", "re-encoded ones"

    def _whose(self, image: Image.Image) -> str:
        return next((name for name, drawn in self.corpus.drawn.items() if same(image, drawn)), "nobody")

    def once(self, rows, reported) -> Iterator[Disagreement]:
        """Of rows that are one person, exactly one is sent."""
        groups: dict[str, list] = defaultdict(list)
        for file, sheet, line in rows:
            if line.row.once:
                groups[line.row.once].append((file.name, sheet.name, line.physical_lines[0]))
        for mark, keys in groups.items():
            sealed = [key for key in keys if key in reported and reported[key]["status"] == "sealed"]
            if len(sealed) != 1:
                position = " ".join(map(str, keys[0]))
                yield self._disagreement(False, position, mark, "one of these rows sealed", f"{len(sealed)}")


def _disagreement(record: Mapping, severity: str) -> set[str]:
    return {problem["code"] for problem in record["problems"] if problem["severity"] == severity}


def _all_reported(record: Mapping) -> str:
    return ", ".join(
        f"{problem['code']} {problem['cell']} {problem['message']}" for problem in record["problems"]
    )


def _compare_refused(expect: Refused, record: Mapping, line: LinePlan) -> Iterator[tuple[bool, str, str]]:
    if record["status"] != "rejected":
        yield (
            record["status"] == "sealed",
            f"rejected {sorted(expect.codes)}",
            f"{record['status']} {_all_reported(record)}",
        )
        return
    errors = _disagreement(record, ERROR)
    strange = {problem["code"] for problem in record["problems"]} - expect.codes - expect.may
    if not errors & expect.codes or strange:
        yield False, f"{sorted(expect.codes)} (may {sorted(expect.may)})", _all_reported(record)
    elif expect.field in line.columns:
        wanted = f"{_letters(line.columns.index(expect.field))}{line.physical_lines[0]}"
        cells = {problem["cell"] for problem in record["problems"] if problem["code"] in expect.codes}
        if wanted not in cells:
            yield False, f"a problem at {wanted}", f"at {sorted(map(str, cells))}"


def _compare_said(expect: Sent, record: Mapping) -> Iterator[tuple[bool, str, str]]:
    warnings = _disagreement(record, WARNING)
    if missing := expect.must - warnings:
        yield False, f"said: {sorted(missing)}", _all_reported(record) or "nothing"
    if strange := warnings - expect.must - expect.may:
        yield (
            False,
            f"nothing but {sorted(expect.must | expect.may)}",
            f"{sorted(strange)}: {_all_reported(record)}",
        )
    last = {change["field"]: change["to"] for change in record["changes"]}
    wanted = {field: _masked(field, value) for field, value in expect.changes.items()}
    if last != wanted:
        yield False, f"changes {wanted}", f"{last}"
    if any(
        not change["why"] or change["from"] == change["to"]
        for change in record["changes"]
        if change["field"] == "name"
    ):
        yield False, "changes with a reason", f"{record['changes']}"


def _masked(field: str, value: str) -> str:
    if field == "id_card_number":
        return "*" * (len(value) - 4) + value[-4:]
    return f"{value[:3]}****{value[-4:]}" if field == "mobile" else value


def _letters(column: int) -> str:
    """Return a column as Excel names it."""
    return ("" if column < 26 else _letters(column // 26 - 1)) + chr(ord("A") + column % 26)
