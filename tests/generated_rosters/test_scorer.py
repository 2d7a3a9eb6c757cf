"""The judge itself: each fault planted in a run is counted as that fault."""

from dataclasses import replace

import pytest
from generated_rosters.cast import FIELDS, Cast, Table
from generated_rosters.corpus import CAPS
from generated_rosters.layout import Style, lay_out, sheet
from generated_rosters.pictures import decode, png
from generated_rosters.score import score
from generated_rosters.stage import play
from generated_rosters.truth import FilePlan, refused

ROWS = 12


@pytest.fixture(scope="module")
def fair(tmp_path_factory):
    """Return a small hospital and an honest record of its run."""
    cast = Cast(5, "folder")
    caps = frozenset(CAPS["openpyxl"].split()) | {f"+{field}" for field in FIELDS}
    table = Table(sheet(cast, "名单", FIELDS), caps)
    for _ in range(ROWS):
        cast.plain(table)
    person = cast.person()
    cast.give(person, table, "name")
    cast.trap = "one digit short"
    cast.add(table, person, refused("ID_LENGTH", "number"), number=person.number[:17])
    lay_out(cast, table, Style(titles=True, notes=True))
    file = FilePlan("名单.xlsx", "openpyxl", [table.sheet])
    corpus = cast.corpus([file], "")
    return corpus, play(corpus, tmp_path_factory.mktemp("fair"))


def _seals(record, change):
    return replace(record, seals=tuple(change(list(record.seals))))


def _outcomes(record, position, **over):
    lines = list(record.outcomes)
    lines[position] = {**lines[position], **over}
    return replace(record, outcomes=tuple(lines))


def _first(record, status):
    return next(index for index, line in enumerate(record.outcomes) if line["status"] == status)


def _swap(seals):
    first, second = seals[0], seals[1]
    return [replace(first, picture=second.picture), replace(second, picture=first.picture), *seals[2:]]


def _digit(seals):
    number = seals[0].number
    changed = str((int(number[10]) + 1) % 10)
    return [replace(seals[0], number=number[:10] + changed + number[11:]), *seals[1:]]


def _name(seals):
    return [replace(seals[0], name=seals[1].name), *seals[1:]]


def _thumbnails(record):
    small = {}
    for digest, data in record.pictures.items():
        image = decode(data)
        image.thumbnail((96, 96))
        small[digest] = png(image)
    return small


def _twice(seals):
    return [*seals, replace(seals[0], seal_id="another", seal_name="另一枚章")]


CRITICAL = {
    "two pictures swapped": lambda record: _seals(record, _swap),
    "a digit changed": lambda record: _seals(record, _digit),
    "another doctor's name": lambda record: _seals(record, _name),
    "a person twice": lambda record: _seals(record, _twice),
    "a refused row sealed": lambda record: _outcomes(
        record, _first(record, "rejected"), status="sealed", problems=[]
    ),
    "sealed without a seal": lambda record: _seals(record, lambda seals: seals[1:]),
    "a picture that never arrived": lambda record: replace(record, pictures={}),
    "thumbnails in place of the pictures": lambda record: replace(record, pictures=_thumbnails(record)),
}
WRONG = {
    "a line dropped": lambda record: replace(record, outcomes=record.outcomes[1:]),
    "a line too many": lambda record: replace(record, outcomes=(*record.outcomes, {**record.outcomes[0], "row": 999})),
    "a sealed row called rejected": lambda record: _outcomes(record, _first(record, "sealed"), status="rejected"),
    "no code": lambda record: _outcomes(record, _first(record, "rejected"), problems=[]),
    "another code": lambda record: _outcomes(record, _first(record, "rejected"), problems=[_problem("ID_CHAR")]),
    "another cell": lambda record: _outcomes(record, _first(record, "rejected"), problems=[_problem("ID_LENGTH")]),
    "a warning too many": lambda record: _outcomes(record, 0, problems=[{**_problem("ROW_HIDDEN"), "severity": "warning"}]),
    "a change that was none": lambda record: _outcomes(record, 0, changes=[{"field": "name", "from": "a", "to": "b", "why": "c"}]),
    "another mobile": lambda record: _seals(record, lambda seals: [replace(seals[0], mobile="16400000000"), *seals[1:]]),
    "another seal name": lambda record: _seals(record, lambda seals: [replace(seals[0], seal_name="章"), *seals[1:]]),
    "another card": lambda record: _seals(record, lambda seals: [replace(seals[0], id_card_type="OTHER_CARD_TYPE"), *seals[1:]]),
    "another scene": lambda record: _seals(record, lambda seals: [replace(seals[0], scene_key="OTHER"), *seals[1:]]),
    "a file not told of": lambda record: replace(record, files=()),
    "a file called refused": lambda record: _files(record, status="refused", codes=["FILE_CORRUPT"]),
    "a skipped line not told of": lambda record: _files(record, skipped_lines=record.files[0]["skipped_lines"][1:]),
    "a sheet not told of": lambda record: _files(record, sheets=[]),
}  # fmt: skip


def _problem(code):
    return {"code": code, "field": "id_card_number", "cell": "ZZ1", "severity": "error", "message": ""}


def _files(record, **over):
    return replace(record, files=({**record.files[0], **over},))


def test_an_honest_run_has_no_disagreement(fair):
    corpus, record = fair
    judged = score(corpus, record)
    assert judged.disagreements == (), judged.report()
    assert judged.rows == ROWS + 1
    assert len(record.seals) == ROWS


@pytest.mark.parametrize("corrupt", CRITICAL.values(), ids=CRITICAL.keys())
def test_what_must_never_happen_is_critical(fair, corrupt):
    corpus, record = fair
    assert score(corpus, corrupt(record)).critical


@pytest.mark.parametrize("corrupt", WRONG.values(), ids=WRONG.keys())
def test_what_an_expert_would_decide_otherwise_is_wrong(fair, corrupt):
    corpus, record = fair
    judged = score(corpus, corrupt(record))
    assert judged.disagreements
    assert not judged.critical, judged.report()


def test_the_report_names_seed_file_row_trap_and_both_sides(fair):
    corpus, record = fair
    report = score(corpus, WRONG["no code"](record)).report()
    assert "seed 5/folder 名单.xlsx 名单" in report
    assert "[one digit short]" in report
    assert "expected ['ID_LENGTH']" in report
