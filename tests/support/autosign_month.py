"""Plays steps of a hospital after the seals, and compares each with the service's truth and with the model."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from random import Random

from autosign_model import DAY, LINK_DAYS, RECHECK, STEP, Facts, MadeLink, Person, draw_persons
from roster_support import write_roster
from run_support import QuickClock, draw_seal

from pipeline import Config
from pipeline.clock import SystemClock
from pipeline.sandbox.auto_sign import ControlError
from pipeline.sandbox.faults import Faults, parse_faults
from pipeline.sandbox.gateway import SANDBOX
from pipeline.workflow.tenant_ledger import open_configured_ledger

STATUS = "ChannelDescribeUserAutoSignStatus"
ENABLE = "ChannelCreateUserAutoSignEnableUrl"
SEAL = "ChannelCreateUserAutoSignSealUrl"
CANCEL = "ChannelCancelUserAutoSignEnableUrl"
DISABLE = "ChannelDisableUserAutoSign"
KINDS = {ENABLE: "enable", SEAL: "seal"}
HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室", "证件类型")
VOID = {"FailedOperation.UserAutoSignEnableAlready", "FailedOperation.UserAutoSignEnableUrlNotExist"}
LOST = "reset_after"


class MonthClock(QuickClock):
    """The machine's clock so many seconds on; the program and the service share it."""

    ahead = 0.0

    def now(self) -> float:
        return super().now() + self.ahead


def strike(action: str, do: object, **match: object) -> dict:
    return {"match": {"action": action, **match}, "do": do}


class Month:
    """A hospital, its doctors, and its steps."""

    def __init__(
        self, hospital, clock: MonthClock, capsys, *, seed: int, doctors: int, days: list[int]
    ) -> None:
        self.hospital, self.clock, self.capsys = hospital, clock, capsys
        self.dice = Random(f"month {seed}")
        self.days = days  # on which a step is played
        self.persons = draw_persons(self.dice, doctors, len(days))
        self.step = 0
        self.is_blocked = False  # the service refuses or fails every call about auto-sign
        self.seen = Counter()  # what the month has met
        self.renewed: dict[str, bool] = {}  # url -> whether the link was asked for with --renew
        self.keys: dict[int, str] = {}  # of the person in the ledger, by serial
        self.seals: dict[int, str] = {}  # SealId by serial
        self.roster: list[tuple[str, ...]] = []
        self.runs_at_every_step = len(days) > 20
        path = hospital.folder / "config.yaml"
        text = path.read_text("utf-8").replace("give_up_minutes: 0.02", "give_up_minutes: 0.004")
        path.write_text(f"{text}autosign: {{recheck: {RECHECK}d, link_days: {LINK_DAYS}}}\n", "utf-8")

    # -- the world

    @property
    def service(self):
        return self.hospital.service

    @property
    def auto_sign(self):
        return self.service.auto_sign

    @property
    def listed(self) -> list[Person]:
        return [person for person in self.persons if person.is_listed(self.step)]

    def truth(self) -> dict:
        return self.auto_sign.build_report(self.clock.now())

    def own_seal(self, person: Person) -> str:
        if person.serial not in self.seals:
            numbers = {person.number, person.mistaken_number}
            seal_ids = (seal.seal_id for seal in self.service.seals if seal.number in numbers)
            self.seals[person.serial] = next(seal_ids)
        return self.seals[person.serial]

    def read_facts(self) -> dict[str, Facts]:
        """Return what the service would answer, by number; absent: not open."""
        return {
            person["number"]: Facts(person["is_open"], person["seal_id"] or None, person["licence_to"])
            for person in self.truth()["people"]
        }

    def set_time(self, step: int, *, is_later: bool = False) -> None:
        self.clock.ahead = self.days[step] * STEP + is_later * DAY / 2

    def set_faults(self, *faults: dict) -> None:
        self.hospital.sandbox._sandbox._faults = Faults(parse_faults({"faults": list(faults)}))

    def control(self, **command) -> None:
        self.auto_sign.control(command, self.clock.now())

    # -- the program

    def go(self, *words: str, codes: tuple[int, ...] = (0,)) -> dict:
        """Run a command; return what it printed as JSON, with the calls that it made."""
        self.capsys.readouterr()
        before = len(self.service.received)
        code = self.hospital.go("--json", *words, clock=self.clock)
        printed = self.capsys.readouterr()
        assert code in codes, f"step {self.step}: {words} ended with {code}: {printed.err[-600:]}"
        return {
            "exit": code,
            "calls": [call for call in self.service.received[before:] if "AutoSign" in call.action],
            **(json.loads(printed.out or "{}") if words[0] == "autosign" else {}),
        }

    # -- a step

    def play(self, step: int, faults: list[dict], *, white_list: str = "on", outage: bool = False) -> None:
        """Play one step and what the doctors do after it."""
        self.step = step
        self.set_time(step)
        self.set_faults()
        self.import_roster()
        self.is_blocked = outage or white_list != "on"
        self.control(do="white_list", state=white_list)
        if outage:
            faults = [{"match": {"every": 1}, "do": {"http_502": "before"}}]
        self.set_faults(*([] if white_list != "on" else faults))
        blocked_code = 0 if not self.is_blocked else 5 if outage else 4
        self.query_status(blocked_code)
        if outage or step % 3 != 2:
            renew = step > len(self.days) - 3 or (step > 0 and self.dice.random() < 0.3)
            sms = step % 2 == 0 or step > len(self.days) - 3
            self.make_links(blocked_code, renew=renew, sms=sms)
        if not self.is_blocked:
            self.cancel_links()
            self.disable_leavers()
        self.check_truth()
        self.set_time(step, is_later=True)
        facts = self.read_facts()
        for person in self.persons:
            self.act(person, facts.get(person.get_number(step), Facts(False)))

    def import_roster(self) -> None:
        """Write the roster and run over it; a corrected number is decided by a person."""
        step = self.step
        for person in self.persons:
            if person.arrives == step:
                draw_seal(self.hospital.folder / "seals" / f"{person.staff_no}.png", person.serial)
        rows = [person.build_row(step) for person in self.listed]
        if rows == self.roster and not self.runs_at_every_step:
            return
        self.roster = rows
        self.hospital.roster(rows, headers=HEADERS)
        corrected = [person for person in self.listed if person.corrected_on == step]
        self.go("run", "--accept-guards", codes=(3,) if corrected else (0,))
        for person in corrected:
            self.go("resolve", person.staff_no, "--same-person")
            person.note_correction(self.clock.now())
            known_as = SANDBOX.organization_open_id, person.number
            self.auto_sign.newest_seals[known_as] = self.own_seal(person)  # the service was told as well
            self.seen["corrected"] += 1
        if corrected:
            self.go("run", "--accept-guards", codes=(3,))  # each differs from its seal by the number
            for person in corrected:
                self.go("resolve", person.staff_no, "--keep")
        self.check_run_summary()

    def check_run_summary(self) -> None:
        """Compare the counts in run.json with what was answered, for everybody with a seal: also for who has left."""
        counts, now = self.hospital.record().get("auto_sign"), self.clock.now()
        sealed = [person for person in self.persons if person.arrives <= self.step]
        answered = [person for person in sealed if person.answer is not None]
        if not answered:
            return
        expected = Counter(person.name_state(self.own_seal(person), now) for person in answered)
        states = {
            state: n for state, n in counts["states"].items() if state not in {"cannot_ask", "no_answer"}
        }
        assert states == expected, f"step {self.step}: the run's summary"
        assert counts["sealed"] == len(sealed)
        assert counts["can_sign"] == expected["open"] + expected["license_ends"]

    def query_status(self, blocked_code: int) -> None:
        """Run `status`: only who is due is asked; every state is the true one as far as it could be asked."""
        now = self.clock.now()
        due = {
            person.get_number(self.step): person
            for person in self.listed
            if person.is_due(self.own_seal(person), now)
        }
        answer = self.go("autosign", "status", codes=(blocked_code if due else 0,))
        asked = Counter(call.number for call in answer["calls"])
        assert {call.action for call in answer["calls"]} <= {STATUS}
        context = f"step {self.step} (day {self.days[self.step]})"
        if self.is_blocked:
            assert set(asked) <= set(due), f"{context}: only who is due is asked"
            refused = [call for call in answer["calls"] if not call.faults]
            assert len(refused) == (bool(due) and blocked_code == 4), (
                f"{context}: a refusal of all costs one call"
            )
        else:
            assert set(asked) == set(due), f"{context}: who is due is asked, and no other"
            struck = Counter(call.number for call in answer["calls"] if call.faults)
            assert all(asked[number] == 1 + struck[number] for number in due), f"{context}: asked once"
        self.take_answers(due, answer["calls"], now)
        if not self.is_blocked:
            assert all(person.answered_at == now for person in due.values()), (
                f"{context}: everybody was answered"
            )
        self.check_states(answer)

    def take_answers(self, due: dict[str, Person], calls: list, now: float) -> None:
        facts = self.read_facts()
        answered = {call.number for call in calls if call.code == "ok" and LOST not in call.faults}
        for number, person in due.items():
            if number in answered:
                person.note_answer(facts.get(number, Facts(False)), self.own_seal(person), now)
        self.seen["answers"] += len(answered)

    def check_states(self, answer: dict) -> None:
        now, facts = self.clock.now(), self.read_facts()
        shown = {doctor["staff_no"]: doctor for doctor in answer["doctors"]}
        assert set(shown) == {person.staff_no for person in self.listed}
        states: Counter[str] = Counter()
        for person in self.listed:
            own, context = self.own_seal(person), f"step {self.step}: {person}"
            state = shown[person.staff_no]["state"]
            if self.is_blocked and person.answer is None:
                assert state in {None, "no_answer"} or person.is_abroad, context
            else:
                assert state == person.name_state(own, now), context
            true = facts.get(person.get_number(self.step), Facts(False)).name_state(own, now)
            if not person.is_abroad and not self.is_blocked and state != true:
                assert state == "open", context
                assert now - person.answered_at <= RECHECK * DAY, f"{context}: an old answer"
                self.seen["stale within recheck"] += 1
            assert shown[person.staff_no]["seal_id"] == own, context
            key = shown[person.staff_no]["key"]
            assert self.keys.setdefault(person.serial, key) == key, f"{context}: another person"
            if state is not None:
                states[state] += 1
                self.seen[state] += 1
        assert answer["states"] == states
        assert answer["can_sign"] == states["open"] + states["license_ends"]
        assert (answer["sealed"], answer["due"]) == (len(self.listed), answer["due"])
        assert answer["never_asked"] == len(self.listed) - sum(states.values())

    def make_links(self, blocked_code: int, *, renew: bool, sms: bool) -> None:
        """Run `links`: who needs a link and has none gets one; the SMS keep their rule."""
        now, step = self.clock.now(), self.step
        options = {"renew": renew, "sms": sms}
        due = {
            person.get_number(step): person
            for person in self.listed
            if person.gets_link(self.own_seal(person), now, **options)
        }
        texted = {
            number
            for number, person in due.items()
            if sms and person.gets_sms(self.own_seal(person), now, renew=renew)
        }
        words = ["--renew"] * renew + ["--sms", "--yes"] * sms
        codes = {0: (0, 3), 4: (4,), 5: (3, 5)}[blocked_code] if due else (0, 3)
        answer = self.go("autosign", "links", *words, codes=codes)
        context = f"step {step}, links {words}"
        executed = Counter(call.number for call in answer["calls"] if call.executed)
        assert not executed or max(executed.values()) == 1, f"{context}: no call is executed twice"
        asked = {call.number for call in answer["calls"]}
        if self.is_blocked:
            assert asked <= set(due), context
            refused = [call for call in answer["calls"] if not call.faults]
            assert len(refused) == (bool(due) and blocked_code == 4), context
        else:
            assert asked == set(due), context
            refusals = {call.code for call in answer["calls"] if not call.faults} - {"ok"}
            assert not refusals, f"{context}: {refusals}"
        made = self.take_links(answer["calls"], context)
        for call in answer["calls"]:
            if {LOST, "http_502_before"} & set(
                call.faults
            ) and not call.executed:  # for all that the program knows
                texts = call.number in texted
                due[call.number].links.append(MadeLink(KINDS[call.action], "", now, now, False, texts))
        assert {number for number, link in made if link.by_sms} == texted & set(executed), context
        for _, link in made:
            self.renewed[link.url] = renew
        self.check_links(answer, made, context)

    def take_links(self, calls: list, context: str) -> list[tuple[str, MadeLink]]:
        """Take the links that were made by these calls out of the truth."""
        own_calls = {call.trace_id: call for call in calls if call.executed}
        made = []
        for link in self.truth()["links"]:
            if link["trace_id"] not in own_calls:
                continue
            call = own_calls[link["trace_id"]]
            delivered = LOST not in call.faults
            texted = link["sms_to"] is not None
            new = MadeLink(
                link["kind"],
                link["url"],
                link["created_at"],
                link["expires_at"],
                delivered,
                texted,
                link["number"],
            )
            person = next(person for person in self.listed if person.get_number(self.step) == link["number"])
            assert new.kind == person.get_needed_kind(self.own_seal(person), self.clock.now()), context
            person.links.append(new)
            made.append((link["number"], new))
            self.seen["SMS"] += texted
            self.seen[f"{new.kind} links"] += 1
            self.seen["lost links"] += not delivered
            self.seen["lost SMS"] += texted and not delivered
        return made

    def check_links(self, answer: dict, made: list, context: str) -> None:
        now = self.clock.now()
        expected, missing = [], 0
        for person in self.listed:
            kind = person.get_needed_kind(self.own_seal(person), now)
            link = person.find_good_link(kind, now) if kind else None
            expected += [link.url] if link else []
            missing += bool(kind) and link is None
        assert sorted(link["url"] for link in answer["links"]) == sorted(expected), context
        assert len(answer["missing"]) == missing, context
        assert answer["made"] == sum(link.is_delivered for _, link in made), context
        if not self.is_blocked:
            assert answer["exit"] == (3 if missing else 0), context

    def cancel_links(self) -> None:
        """Make one doctor's links void, now and then everybody's."""
        now = self.clock.now()
        holders = [person for person in self.listed if person.find_good_link("enable", now)]
        is_all = self.step % 11 == 10
        is_chosen = is_all or self.step % 2 == 1 or self.dice.random() < 0.3
        if not holders or not is_chosen:
            return
        chosen = holders if is_all else [self.dice.choice(holders)]
        words = ("--all-open", "--yes") if is_all else (chosen[0].staff_no,)
        answer = self.go("autosign", "cancel", *words, codes=(0, 3))
        context = f"step {self.step}, cancel {words}"
        called = Counter(call.number for call in answer["calls"])
        assert called == Counter(person.get_number(self.step) for person in chosen), context
        self.take_cancelled(answer["calls"], {person.get_number(self.step): person for person in chosen})
        unclear = sum(LOST in call.faults for call in answer["calls"])
        assert answer["unknown"] == unclear, context
        self.seen["cancelled"] += answer["cancelled"]
        self.seen["lost cancels"] += unclear

    def take_cancelled(self, calls: list, persons: dict[str, Person]) -> None:
        for call in calls:
            if call.action == CANCEL and LOST not in call.faults and call.code in {"ok", *VOID}:
                for link in persons[call.number].links:
                    link.over = link.over or (link.kind == "enable" and link.is_delivered)

    def disable_leavers(self) -> None:
        """Close the auto-sign of those who left, by a sheet that also names a stranger; then ask for them."""
        step, now = self.step, self.clock.now()
        gone = [
            person
            for person in self.persons
            if person.leaves is not None
            and step - person.leaves in {0, 1, 4}
            and person.arrives < person.leaves
        ]
        if not gone:
            return
        sheet = self.hospital.folder / "left.xlsx"
        stranger = ("王生人", Person(900, "").number, "", "", "", "居民身份证")
        write_roster(sheet, [HEADERS, *(person.build_row(person.leaves - 1) for person in gone), stranger])
        numbers = {person.get_number(person.leaves - 1): person for person in gone}
        due = {
            number
            for number, person in numbers.items()
            if not person.is_abroad and person.sheet_unclear_since is None
        }
        count = ("--count", str(len(due))) if due else ()
        answer = self.go("autosign", "disable", str(sheet), *count, codes=(0, 3))
        context = f"step {step}, disable"
        calls = [call for call in answer["calls"] if call.action == DISABLE]
        assert Counter(call.number for call in calls) == Counter(due), context
        for call in calls:
            person = numbers[call.number]
            person.changed_at = now
            if LOST in call.faults:
                person.sheet_unclear_since = now
                self.seen["lost disables"] += 1
        settled = {call.number for call in calls if LOST not in call.faults}
        assert answer["disabled"] == sum(call.code == "ok" and LOST not in call.faults for call in calls), (
            context
        )
        cancelled = [call for call in answer["calls"] if call.action == CANCEL]
        holders = {number for number in settled if numbers[number].find_good_link("enable", now)}
        assert {call.number for call in cancelled} == holders, context
        self.take_cancelled(cancelled, numbers)
        closed = {entry["number"] for entry in self.truth()["disabled"]}
        assert closed <= {
            number
            for person in self.persons
            if person.leaves is not None
            for number in (person.number, person.mistaken_number)
        }, f"{context}: a doctor who did not leave"
        self.seen["disabled"] += len(closed)
        if any(LOST in call.faults for call in calls):
            return  # asked for in the next step
        answer = self.go("autosign", "status", str(sheet))
        persons = {number: person for number, person in numbers.items() if not person.is_abroad}
        self.take_answers(persons, answer["calls"], self.clock.now())
        for doctor in answer["doctors"]:
            assert doctor["state"] in {"not_open", "cannot_ask"}, f"{context}: {doctor}"

    def check_truth(self) -> None:
        """Compare what holds every step with the truth: seals, SMS, links, cards that no call takes."""
        truth, context = self.truth(), f"step {self.step}"
        made = [person for person in self.persons if person.arrives <= self.step]
        assert len(self.service.seals) == len(made), f"{context}: no seal too many"
        assert self.service.list_duplicates() == {}
        abroad = {person.number for person in self.persons if person.is_abroad}
        autosign_calls = [call for call in self.service.received if "AutoSign" in call.action]
        assert not {call.number for call in autosign_calls} & abroad, context
        self.check_sms(truth, context)
        config = Config.load(self.hospital.folder / "config.yaml")
        with open_configured_ledger(config, SystemClock()) as (ledger, _):
            kept = {call.uuid: call for call in ledger.list_auto_sign_calls()}
        delivered = {link.url for person in self.persons for link in person.links if link.is_delivered}
        assert "" not in delivered
        for link in truth["links"]:
            call = kept[link["trace_id"]]
            assert call.begun_at <= link["created_at"], f"{context}: entered after it had left"
            if link["url"] in delivered:
                assert (call.verdict, call.url) == ("done", link["url"]), f"{context}: a link was lost"
            else:
                assert (call.verdict, call.url) == ("unknown", None), context
            assert call.by_sms == (link["sms_to"] is not None), context
        owners = {
            number: self.keys.get(person.serial)
            for person in self.persons
            for number in (person.number, person.mistaken_number)
        }
        for call in autosign_calls:
            if call.trace_id in kept:
                assert kept[call.trace_id].key == owners[call.number], (
                    f"{context}: entered for another doctor"
                )
        urls = {call.url for call in kept.values() if call.url}
        assert urls <= {link["url"] for link in truth["links"]}, context

    def check_sms(self, truth: dict, context: str) -> None:
        """Assert the rule: a second SMS goes only on request, after a link that was delivered and is over."""
        sent: dict[str, list[dict]] = {}
        for sms in truth["sms"]:
            sent.setdefault(sms["to"].removeprefix("+86"), []).append(sms)
        links = {link.url: link for person in self.persons for link in person.links}
        for texts in sent.values():
            for before, after in pairwise(texts):
                link = links[before["url"]]
                assert link.is_delivered, f"{context}: an SMS after one whose answer was lost"
                assert link.over or after["at"] >= link.until, f"{context}: two SMS for one link"
                since = [
                    url
                    for url, one in links.items()
                    if one.number == after["number"] and before["at"] < one.made_at <= after["at"]
                ]
                is_renewed = any(self.renewed.get(url) for url in since)
                assert is_renewed, f"{context}: a second SMS, and no new link was asked for"
                self.seen["second SMS"] += after is texts[-1]

    # -- a day

    def act(self, person: Person, facts: Facts) -> None:
        """Let a doctor do what the doctor's person has for this day."""
        if person.is_abroad or not person.is_listed(self.step):
            return
        number, now = person.get_number(self.step), self.clock.now()
        with suppress(ControlError):  # a link that is over: the doctor waits for another one
            if not facts.is_open:
                self.open_by_link(person, number, now)
            elif facts.seal_id != self.own_seal(person):
                self.choose_by_link(person)
            else:
                self.live_open(person, number)

    def open_by_link(self, person: Person, number: str, now: float) -> None:
        links = [link for link in person.links if link.kind == "enable"]
        if not links or person.opens_after is None:
            return
        person.days_with_link += 1
        if person.days_with_link <= person.opens_after:
            return
        self.control(do="use_link", link=links[-1].url, seal=person.first_seal)
        self.seen["opened"] += 1
        person.days_open = 0
        if person.licence is None:
            self.auto_sign._open[SANDBOX.organization_open_id, number].licence_to = None
        else:
            self.control(do="end_licence", number=number, at=now + person.licence * DAY)

    def choose_by_link(self, person: Person) -> None:
        links = [link for link in person.links if link.kind == "seal"]
        if not links or person.chooses_after is None:
            return
        person.days_wrong += 1
        if person.days_wrong > person.chooses_after:
            self.control(do="use_link", link=links[-1].url, seal="own")
            self.seen["chose again"] += 1

    def live_open(self, person: Person, number: str) -> None:
        person.days_open += 1
        if person.closes_after is not None and person.days_open > person.closes_after:
            self.control(do="close", number=number)
            person.closes_after = None
            self.seen["closed"] += 1
        elif person.turns_after is not None and person.days_open > person.turns_after:
            self.control(do="choose_seal", number=number, seal="other")
            person.turns_after = None
            self.seen["turned"] += 1
