"""A month after the seals: links, doctors who open late or never, another seal, a licence that ends, a leaver.

Every day is compared with a plain model: which calls were due, who got an SMS, and each doctor's state. ``MONTH=300`` plays
every day with so many doctors.
"""

import json
import os
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from people import make_row
from resolution_support import LaterClock
from roster_support import write_roster

from pipeline.sandbox.actions import Rules

DAY = 86_400.0
DOCTORS = int(os.environ.get("MONTH", "12"))
DAYS = range(32) if os.environ.get("MONTH") else (0, 1, 2, 5, 9, 14, 15, 16, 29, 31)
STATUS = "ChannelDescribeUserAutoSignStatus"
ENABLE = "ChannelCreateUserAutoSignEnableUrl"
SEAL = "ChannelCreateUserAutoSignSealUrl"
RECHECK = 30  # days
DISABLE = "ChannelDisableUserAutoSign"
LEAVES, WARNED = (
    15,
    9,
)  # the day on which one leaves, and from which another one's licence ends within 30 days


class Day(LaterClock):
    """The machine's clock so many days on."""

    def __init__(self, day):
        self.passed = day * DAY


@dataclass
class Person:
    """What the model knows of one doctor."""

    serial: int
    opens: int | None  # the day whose evening the doctor opens auto-sign; None: never
    first_choice: str = "own"
    chooses_again: int | None = None  # the day on which the right seal is chosen
    state: str = "not_open"  # the truth
    answered: str | None = None  # by the newest answer
    answered_on: int = 0

    @property
    def number(self):
        return make_row(self.serial)[1]

    def act(self, day):
        """Let the evening of a day change the truth; return what the doctor does with a link."""
        if self.opens == day:
            self.state = {"own": "open", "other": "other_seal", "none": "no_seal"}[self.first_choice]
            return "enable", self.first_choice
        if self.chooses_again == day and self.state in {"other_seal", "no_seal"}:
            self.state = "open"
            return "seal", "own"
        return None


def make_people(days):
    """Doctors who open early, late or never; one takes another seal, one takes none."""
    chance = random.Random(28)
    people = [Person(serial, chance.choice([*days[:-2], None])) for serial in range(1, DOCTORS + 1)]
    people[0].opens, people[1].opens, people[2].opens, people[3].opens = days[1], days[2], days[0], days[0]
    people[0].first_choice, people[1].first_choice = "other", "none"
    people[0].chooses_again, people[1].chooses_again = days[-3], days[-4]
    people[4].opens = None
    return people


class Month:
    """A hospital, its doctors, and the days."""

    def __init__(self, hospital, capsys):
        self.hospital, self.capsys = hospital, capsys
        self.people = make_people(list(DAYS))
        self.leaver, self.ending = self.people[3], self.people[2]
        self.linked = Counter()  # by action

    def go(self, day, *words, code=0):
        clock = Day(day)
        self.hospital.service_clock.ahead = clock.passed
        self.capsys.readouterr()
        assert self.hospital.go("--json", *words, clock=clock) == code, words
        return json.loads(self.capsys.readouterr().out)

    def truth(self):
        return self.hospital.service.auto_sign.build_report(self.hospital.service_clock.now())

    def count(self, action):
        return sum(request.action == action for request in self.hospital.service.received)

    def use_link(self, person, kind, choice):
        links = [
            link
            for link in self.truth()["links"]
            if (link["number"], link["kind"], link["state"]) == (person.number, kind, "live")
        ]
        command = {"do": "use_link", "link": links[-1]["url"], "seal": choice}
        self.hospital.service.auto_sign.control(command, self.hospital.service_clock.now())

    def query(self, day):
        """Run `status`; only who was due is asked, and every state is the true one."""
        due = [
            person
            for person in self.people
            if person.answered != "open"
            or day - person.answered_on >= RECHECK
            or (person is self.ending and day >= WARNED)
        ]
        before = self.count(STATUS)
        answer = self.go(day, "autosign", "status")
        assert self.count(STATUS) - before == len(due), f"day {day}: only who is due is asked"
        states = {doctor["name"]: doctor["state"] for doctor in answer["doctors"]}
        for person in self.people:
            if person in due:
                person.answered, person.answered_on = person.state, day
            wanted = person.answered
            if person is self.ending and wanted == "open" and day >= WARNED:
                wanted = "license_ends"
            assert states[make_row(person.serial)[0]] == wanted, f"day {day}, doctor {person.serial}"

    def make_links(self, day):
        """Run `links --sms`; only who needs a link and has none gets a call, and no SMS goes twice."""
        before = self.count(ENABLE), self.count(SEAL)
        wanted = Counter(
            "enable" if person.answered == "not_open" else "seal"
            for person in self.people
            if person.answered in {"not_open", "other_seal", "no_seal"}
        )
        spent = day > 29 and wanted["enable"] > 0
        answer = self.go(day, "autosign", "links", "--sms", "--yes", code=3 if spent else 0)
        new = self.count(ENABLE) - before[0], self.count(SEAL) - before[1]
        kinds = Counter(link["kind"].partition("_")[0] for link in answer["links"])
        if day == 0:
            assert new == (len(self.people), 0)
        else:
            assert new[0] == 0, f"day {day}: who has a link, or had one, gets no second one"
        if not spent:
            assert kinds == wanted
        per_number = Counter(sms["number"] for sms in self.truth()["sms"])
        assert max(per_number.values()) == 1, "no SMS twice"
        return new

    def leave(self, day, tmp_path):
        """One doctor leaves: out of the roster, and the auto-sign closed by a sheet."""
        sheet = tmp_path / "left.xlsx"
        write_roster(sheet, [("姓名", "证件号码"), make_row(self.leaver.serial)[:2]])
        assert self.go(day, "autosign", "disable", str(sheet), "--count", "1")["disabled"] == 1
        self.people.remove(self.leaver)
        self.hospital.roster([make_row(person.serial) for person in self.people])


@pytest.fixture
def month(hospital_with, capsys):
    hospital = hospital_with(rules=Rules(limiter="none"))
    hospital.doctors(DOCTORS)
    assert hospital.go("run") == 0
    return Month(hospital, capsys)


def test_a_month_of_doctors_who_open_late_or_never(month, tmp_path):
    made = 0
    for day in DAYS:
        if day == LEAVES:
            month.leave(day, tmp_path)
        month.query(day)
        made += month.make_links(day)[1]
        for person in month.people:
            deed = person.act(day)
            if deed is not None:
                month.use_link(person, *deed)
            if deed is not None and person is month.ending:
                end = month.hospital.service_clock.now() + (WARNED + 29.5 - day) * DAY
                command = {"do": "end_licence", "number": person.number, "at": end}
                month.hospital.service.auto_sign.control(command, month.hospital.service_clock.now())
    assert made == 2, "one took another seal, one took none: each got one link to choose"
    assert month.count(DISABLE) == 1
    assert [entry["number"] for entry in month.truth()["disabled"]] == [month.leaver.number]
    assert not {call.code for call in month.hospital.service.received} - {"ok"}, "no call was refused"
