"""The alarm over all hospitals, at a real server that takes the messages: what is a fault, and what is news."""

from dataclasses import replace

import pytest
from watch_support import Watcher

from pipeline.hosts.daily_jobs import LastEnd
from pipeline.messages.catalogue import make_message
from pipeline.operations.hospitals_alarm import HospitalsAlarm, get_hospital_fault

DAY, NOW = 86_400.0, 1_795_000_000.0
FAILED = make_message("alarm.failed", exit=2)


@pytest.fixture
def watcher():
    with Watcher() as server:
        yield server


class Alarm:
    """Sends day after day; keeps the state as the database does."""

    def __init__(self, watcher):
        self.watcher, self.state = watcher, None
        self.alarm = HospitalsAlarm([f"json://{watcher.host}/chat"], "滨江", "26h", "en")

    def send(self, *hospitals, day=0.0):
        """Return the messages that are sent where these hospitals have a fault, of ten."""
        self.watcher.messages.clear()
        faults = dict.fromkeys(hospitals, FAILED)
        self.state, self.undelivered = self.alarm.send_news(self.state, faults, 10, NOW + day * DAY)
        return [(title, body) for _, title, body in self.watcher.messages]


def test_one_message_tells_of_all_hospitals_when_the_state_changes_and_weekly_while_it_lasts(watcher):
    alarm = Alarm(watcher)
    assert alarm.send() == [], "all is well from the beginning"
    ((title, body),) = alarm.send("east", "west", day=1)
    assert title == "滨江: 2 of 10 hospitals need attention"
    assert body.splitlines()[:2] == [
        "east: the last run failed (exit code 2) and is not tried again today",
        "west: the last run failed (exit code 2) and is not tried again today",
    ]
    assert "status --all --max-age 26h" in body
    assert alarm.send("east", "west", day=2) == []
    assert alarm.send("east", day=3) == [], "one of two is well again"
    ((title, _),) = alarm.send("east", "north", day=4)
    assert title == "滨江: 2 of 10 hospitals need attention"
    assert alarm.send("east", "north", day=10) == []
    ((_, body),) = alarm.send("east", "north", day=11)
    assert body.startswith("So since 2026-")
    ((title, _),) = alarm.send(day=12)
    assert title == "滨江: all 10 hospitals run again"
    assert alarm.send(day=30) == []


def test_a_message_names_twenty_hospitals_at_most(watcher):
    ((_, body),) = Alarm(watcher).send(*(f"hospital{number}" for number in range(23)))
    assert body.count("the last run failed") == 20
    assert "and 3 more" in body


def test_what_could_not_be_delivered_is_sent_later(watcher):
    alarm = Alarm(watcher)
    watcher.refuses = True
    alarm.send("east")
    assert alarm.undelivered == 1
    watcher.refuses = False
    ((title, _),) = alarm.send("east")
    assert "1 of 10" in title
    assert alarm.undelivered == 0
    assert alarm.send("east") == []


def test_a_channel_that_took_a_message_gets_no_second_one_while_another_channel_is_broken(watcher):
    """A worker looks every minute."""
    with Watcher() as broken:
        broken.refuses = True
        alarm = Alarm(watcher)
        alarm.alarm = replace(alarm.alarm, channels=[*alarm.alarm.channels, f"json://{broken.host}/mail"])
        assert len(alarm.send("east")) == 1
        assert alarm.undelivered == 1
        assert alarm.send("east") == []
        assert len(alarm.send(day=1)) == 1, "all run again"


def make_end(**values):
    usual = {
        "hospital": "east",
        "has_ended": True,
        "exit": 0,
        "succeeded": NOW - 3600,
        "known_since": NOW - 30 * DAY,
        "is_paused": False,
        "now": NOW,
    }
    return LastEnd(**(usual | values))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({}, None),
        ({"exit": 3}, None),
        ({"exit": 2}, "alarm.failed"),
        ({"exit": None}, "alarm.failed"),
        ({"exit": 2, "is_paused": True}, None),
        ({"succeeded": NOW - 27 * 3600}, "alarm.too_old"),
        ({"has_ended": False, "exit": None, "succeeded": None, "known_since": NOW - 3600}, None),
        ({"has_ended": False, "exit": None, "succeeded": None}, "alarm.too_old"),
    ],
)
def test_what_is_a_fault_of_a_hospital(values, fault):
    message = get_hospital_fault(make_end(**values), 26 * 3600)
    assert (message.key if message else None) == fault
    if message is not None and fault == "alarm.too_old":
        texts = message.render("en"), message.render("zh")
        assert texts[0].startswith("no complete run since 20")
        assert texts[1].endswith("以来没有完整的运行")
