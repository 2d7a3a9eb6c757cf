"""The pages on performance are those that bench/results.json gives, and every promised figure is measured."""

import re
from importlib.util import find_spec

import pytest

from bench.__main__ import main, measure_group
from bench.figures import BASELINES, GROUPS, Figure, Goal, Group, Text, list_figures
from bench.measure import FAILURES, Child, alternate, require_success
from bench.report import LANGUAGES, build_lines, format_cells, list_files
from bench.results import GroupResults, build_line, load_results

PACES = ("socket.rolling", "socket.calendar", "simulated.rolling", "simulated.calendar")
# what is promised: figure -> relation and number of its goal
PROMISED = {
    **{f"pace.{name}30.share": (">=", 95) for name in PACES},
    **{f"pace.{name}30.throttles": ("<=", 0) for name in PACES},
    **{f"pace.{name}60.share": (">=", 90) for name in PACES},
    **{f"pace.{name}60.throttles": ("<=", 3) for name in PACES},
    "pace.most": ("<=", 20),
    "run.wall": ("<=", 1.06),
    "run.first": ("<=", 8),
    "run.memory": ("<=", 150),
    "unlimited.rows": (">=", 120),
    "unlimited.memory": ("<=", 250),
    "unchanged.wall": ("<=", 5),
    "unchanged.cpu": ("<=", 5),
    "unchanged.calls": ("<=", 0),
    "unchanged.opened": ("<=", 0),
    "unchanged.memory": ("<=", 500),
    "start.help": ("<=", 0.15),
    "start.check": ("<=", 1.2),
    "start.status": ("<=", 0.35),
    "opening.intact": ("<=", 0.1),
    "opening.deleted": ("<=", 10),
    "kills.duplicates": ("<=", 0),
    "kills.lost": ("<=", 0),
    "kills.changes": ("<=", 0),
    "tests.wall": ("<=", 240),
    "tests.quick": ("<=", 60),
}


def test_every_promised_figure_is_measured_against_its_goal():
    goals = {figure.name: figure.goal for figure in list_figures() if figure.goal}
    assert {name: (goals[name].relation, goals[name].number) for name in PROMISED} == PROMISED


def test_the_names_of_figures_are_unique_and_their_modules_exist():
    names = [figure.name for figure in list_figures()]
    assert len(set(names)) == len(names)
    assert [group.module for group in GROUPS if find_spec(group.module) is None] == []


def test_the_committed_pages_and_pictures_are_those_of_the_results():
    results = load_results()
    assert results is not None
    assert [path for path, text in list_files(results) if path.read_text("utf-8") != text] == [], (
        "run python -m bench --pages"
    )


def test_both_languages_have_the_same_figures():
    results = load_results()
    lines = [line for group in GROUPS for line in build_lines(results, group)]
    cells = {language: [format_cells(line, language) for line in lines] for language in LANGUAGES}
    numbers = {
        language: [re.findall(r"[0-9.,]+ \S+", row[1]) for row in rows] for language, rows in cells.items()
    }
    assert numbers["en"] == numbers["zh"]
    assert any(numbers["en"])


@pytest.fixture
def speed():
    return Figure("a.speed", Text("speed", "速度"), "/s", Goal(">=", 1.7, is_ratio=True))


def give(figure, **values):
    values = {"ours": [3.0, 1.0, 2.0], "baselines": {"sdk": [1.0]}, "size": 5, "is_enough": True} | values
    return GroupResults(figures={figure.name: values})


def test_a_figure_is_the_median_of_its_turns_and_judged_by_its_ratio(speed):
    line = build_line(speed, give(speed))
    assert (line.ours, line.ratio, line.is_reached) == (2.0, 2.0, True)
    assert build_line(speed, give(speed, ours=[1.6])).is_reached is False
    assert "**missed**" in format_cells(build_line(speed, give(speed, ours=[1.6])), "en")


def test_too_few_rows_judge_nothing(speed):
    line = build_line(speed, give(speed, is_enough=False))
    assert line.is_reached is None
    assert "not judged" in format_cells(line, "en")


def test_a_failing_group_is_named_and_the_others_are_measured(speed):
    broken = Group("broken", "bench.no_such_module", Text("broken", "坏"), (0.1, 0.1), [speed])
    measured = measure_group(broken, short=True)
    assert measured.error
    assert build_line(speed, measured).ours is None
    assert "not measured" in format_cells(build_line(speed, measured), "en")


def test_an_unknown_name_is_refused(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["bench", "unlimitd"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "unlimited" in capsys.readouterr().err


def test_every_baseline_has_a_text_in_both_languages():
    assert [name for name, text in BASELINES.items() if not (text.en and text.zh)] == []


def test_a_baseline_whose_library_is_missing_does_not_cost_our_figure(tmp_path):
    log = tmp_path / "log"
    log.write_text("Traceback\nImportError: no SDK\n")

    def fail():
        require_success(Child(wall=0.1, cpu=0.1, peak=1, code=1), log)

    assert alternate(2, "a", fail, lambda: 7) == ([], [7, 7])
    assert FAILURES == ["the baseline: exit 1: ImportError: no SDK"]
    FAILURES.clear()
