"""Thirty daily runs of one hospital: the seals, exit codes and messages of each are exactly those expected."""

import shutil

import pytest
from crash_support import CREATE, Zygote
from people import make_row, name, number
from resolution_support import list_made_seals
from run_support import QuickClock, draw_seal
from watch_support import Watcher

from pipeline.sandbox.faults import Faults, parse_faults
from pipeline.sandbox.gateway import SANDBOX

DAY = 86_400
THROTTLE = [{"match": {"action": CREATE, "nth": [1, 2]}, "do": "throttle"}]


class DayClock(QuickClock):
    """The machine's clock, so many days ahead."""

    def __init__(self, days: int) -> None:
        self._ahead = days * DAY

    def now(self) -> float:
        return super().now() + self._ahead

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead


class DailyRuns:
    """A hospital, its changes from day to day, and the checks of each daily run."""

    def __init__(self, hospital, watcher):
        self.hospital, self.watcher = hospital, watcher
        self.day = 0
        self.present = {}  # serial -> changes of its row

    def arrive(self, *serials, **changes):
        for serial in serials:
            self.present[serial] = changes
            draw_seal(self.hospital.folder / "seals" / f"{serial:05d}.png", serial)

    def set_faults(self, faults):
        self.hospital.sandbox._sandbox._faults = Faults(parse_faults({"faults": faults}))

    def go(self, *arguments):
        return self.hospital.go(*arguments, clock=DayClock(self.day))

    def begin_day(self):
        """Move both clocks on, and write the roster as it is now."""
        self.day += 1
        self.hospital.service_clock.ahead = self.day * DAY
        self.hospital.roster([make_row(serial, **changes) for serial, changes in self.present.items()])

    def run(self, exit_code, *, seals=0, message=None, is_missing=False):
        """Run once; ``message`` is a word of its title, None for none."""
        self.begin_day()
        if is_missing:
            shutil.rmtree(self.hospital.folder / "inbox")
        before = len(self.hospital.service.seals)
        calls = len(self.hospital.service.received)
        assert self.go("run") == exit_code, f"day {self.day}"
        assert len(self.hospital.service.seals) - before == seals, f"day {self.day}"
        if not seals and exit_code in {0, 3}:
            assert len(self.hospital.service.received) == calls, f"day {self.day}: no calls"
        titles = [title for _, title, _ in self.watcher.messages]
        self.watcher.messages.clear()
        if message is None:
            assert titles == [], f"day {self.day}"
        else:
            assert len(titles) == 1, f"day {self.day}: {titles}"
            assert message in titles[0], f"day {self.day}"
        assert self.hospital.service.list_duplicates() == {}, f"day {self.day}"

    def sleep_until(self, day, exit_code=0):
        """Run without changes until a day: no calls, no message."""
        while self.day < day:
            self.run(exit_code)

    def be_killed(self):
        """Run once, and be killed after a create has left."""
        self.begin_day()
        with Zygote() as zygote:
            order = {"name": f"{CREATE}: answered", "pass": 1, "later": self.day * DAY}
            assert zygote.run(self.hospital, **order)["signal"] == 9
        assert self.watcher.messages == []  # a monitor that misses its ping raises the alarm


@pytest.fixture
def daily_runs(hospital):
    with Watcher() as watcher:
        config = hospital.folder / "config.yaml"
        config.write_text(
            f"{config.read_text('utf-8')}notify: {{urls: ['json://{watcher.host}/chat']}}\nlanguage: en\n",
            "utf-8",
        )
        yield DailyRuns(hospital, watcher)


def test_thirty_runs(daily_runs, monkeypatch):
    hospital = daily_runs.hospital
    secret = hospital.folder / "secrets" / "tencent__secret_key"
    daily_runs.arrive(*range(1, 9))
    daily_runs.run(0, seals=8)
    daily_runs.sleep_until(2)
    daily_runs.arrive(24, 25)
    daily_runs.run(0, seals=2)
    daily_runs.arrive(26, number=number(26)[:-1])  # a digit is missing
    daily_runs.run(3, message="rows need attention")
    daily_runs.sleep_until(5, exit_code=3)
    daily_runs.arrive(26)
    daily_runs.run(0, seals=1, message="works again")
    draw_seal(hospital.folder / "seals" / "00002.png", 77)  # another picture
    daily_runs.run(3, message="rows need attention")
    daily_runs.sleep_until(8, exit_code=3)
    assert daily_runs.go("resolve", "00002", "--replace", "--seal-name", f"{name(2)}新处方章") == 0
    hospital.service.seals[:] = [
        seal for seal in hospital.service.seals if seal.number != number(2)
    ]  # disabled
    daily_runs.run(0, seals=1, message="works again")
    daily_runs.arrive(27, 28, 29)
    daily_runs.set_faults(THROTTLE)
    daily_runs.run(0, seals=3)
    daily_runs.arrive(30, 31)
    monkeypatch.setenv("ESIGN_IMPORT_API__ENDPOINT", "http://127.0.0.1:9")  # nothing answers
    daily_runs.run(5, message="failed (exit code 5)")
    monkeypatch.delenv("ESIGN_IMPORT_API__ENDPOINT")
    daily_runs.run(0, seals=2, message="works again")
    daily_runs.sleep_until(13)
    daily_runs.arrive(32)
    daily_runs.be_killed()
    daily_runs.run(3, message="rows need attention")  # one row is unknown
    daily_runs.sleep_until(16, exit_code=3)
    assert daily_runs.go("resolve", "00032", "--sure", "--seal-id", list_made_seals(hospital)[name(32)]) == 0
    daily_runs.run(0, message="works again")
    leaver = daily_runs.present.popitem()
    daily_runs.run(0)  # one doctor fewer
    staff, daily_runs.present = daily_runs.present, dict(list(daily_runs.present.items())[:6])
    daily_runs.run(5, message="failed (exit code 5)")  # ROSTER_SHRUNK
    daily_runs.present = staff
    daily_runs.run(0, message="works again")
    daily_runs.run(5, message="failed (exit code 5)", is_missing=True)
    daily_runs.run(5, is_missing=True)  # for the same reason as the day before
    daily_runs.run(0, message="works again")
    daily_runs.arrive(33, 34)
    secret.write_text("expired")
    daily_runs.run(4, message="failed (exit code 4)")
    secret.write_text(SANDBOX.secret_key)
    daily_runs.run(0, seals=2, message="works again")
    daily_runs.present |= dict([leaver])
    daily_runs.run(0)  # the doctor is back and has the seal of before
    daily_runs.sleep_until(30)
    assert daily_runs.day == 30
    seals = {seal.number for seal in hospital.service.seals}
    assert seals == {number(serial) for serial in daily_runs.present}
