"""Plays nights of a hospital after the seals, and compares each with the service's truth and with the model."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from itertools import pairwise
from random import Random

from autosign_model import DAY, LINK_DAYS, NIGHT, RECHECK, Facts, Life, MadeLink, draw_lives
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
    """A hospital, its doctors, and its nights."""

    def __init__(
        self, hospital, clock: MonthClock, capsys, *, seed: int, doctors: int, days: list[int]
    ) -> None:
        self.hospital, self.clock, self.capsys = hospital, clock, capsys
        self.dice = Random(f"month {seed}")
        self.days = days  # on which a night is played
        self.lives = draw_lives(self.dice, doctors, len(days))
        self.night = 0
        self.is_blocked = False  # the service refuses or fails every call about auto-sign
        self.seen = Counter()  # what the month has met
        self.texted_with_renew: dict[str, bool] = {}  # url -> whether its link was asked for with --renew
        self.keys: dict[int, str] = {}  # of the person in the ledger, by serial
        self.seals: dict[int, str] = {}  # SealId by serial
        self.roster: list[tuple[str, ...]] = []
        self.runs_every_night = len(days) > 20
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
    def standing(self) -> list[Life]:
        return [life for life in self.lives if life.stands(self.night)]

    def truth(self) -> dict:
        return self.auto_sign.build_report(self.clock.now())

    def own_seal(self, life: Life) -> str:
        if life.serial not in self.seals:
            numbers = {life.number, life.mistaken_number}
            found = (seal.seal_id for seal in self.service.seals if seal.number in numbers)
            self.seals[life.serial] = next(found)
        return self.seals[life.serial]

    def read_facts(self) -> dict[str, Facts]:
        """Return what the service would answer, by number; absent: not open."""
        return {
            person["number"]: Facts(person["is_open"], person["seal_id"] or None, person["licence_to"])
            for person in self.truth()["people"]
        }

    def set_time(self, night: int, *, evening: bool = False) -> None:
        self.clock.ahead = self.days[night] * NIGHT + evening * DAY / 2

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
        assert code in codes, f"night {self.night}: {words} ended with {code}: {printed.err[-600:]}"
        return {
            "exit": code,
            "calls": [call for call in self.service.received[before:] if "AutoSign" in call.action],
            **(json.loads(printed.out or "{}") if words[0] == "autosign" else {}),
        }

    # -- a night

    def play(self, night: int, faults: list[dict], *, white_list: str = "on", outage: bool = False) -> None:
        """Play one night and the evening after it."""
        self.night = night
        self.set_time(night)
        self.set_faults()
        self.import_roster()
        self.is_blocked = outage or white_list != "on"
        self.control(do="white_list", state=white_list)
        if outage:
            faults = [{"match": {"every": 1}, "do": {"http_502": "before"}}]
        self.set_faults(*([] if white_list != "on" else faults))
        blocked_code = 0 if not self.is_blocked else 5 if outage else 4
        self.query_status(blocked_code)
        if outage or night % 3 != 2:
            renew = night > len(self.days) - 3 or (night > 0 and self.dice.random() < 0.3)
            sms = night % 2 == 0 or night > len(self.days) - 3
            self.make_links(blocked_code, renew=renew, sms=sms)
        if not self.is_blocked:
            self.cancel_links()
            self.disable_leavers()
        self.check_truth()
        self.set_time(night, evening=True)
        facts = self.read_facts()
        for life in self.lives:
            self.live_an_evening(life, facts.get(life.get_number(night), Facts(False)))

    def import_roster(self) -> None:
        """Write tonight's roster and run over it; a corrected number is decided by a person."""
        night = self.night
        for life in self.lives:
            if life.arrives == night:
                draw_seal(self.hospital.folder / "seals" / f"{life.staff_no}.png", life.serial)
        rows = [life.build_row(night) for life in self.standing]
        if rows == self.roster and not self.runs_every_night:
            return
        self.roster = rows
        self.hospital.roster(rows, headers=HEADERS)
        corrected = [life for life in self.standing if life.corrected_on == night]
        self.go("run", "--accept-guards", codes=(3,) if corrected else (0,))
        for life in corrected:
            self.go("resolve", life.staff_no, "--same-person")
            life.note_correction(self.clock.now())
            person = SANDBOX.organization_open_id, life.number
            self.auto_sign.newest_seals[person] = self.own_seal(life)  # the service was told as well
            self.seen["corrected"] += 1
        if corrected:
            self.go("run", "--accept-guards", codes=(3,))  # each differs from its seal by the number
            for life in corrected:
                self.go("resolve", life.staff_no, "--keep")

    def query_status(self, blocked_code: int) -> None:
        """Run `status`: only who is due is asked; every state is the true one as far as it could be asked."""
        now = self.clock.now()
        due = {
            life.get_number(self.night): life
            for life in self.standing
            if life.is_due(self.own_seal(life), now)
        }
        answer = self.go("autosign", "status", codes=(blocked_code if due else 0,))
        asked = Counter(call.number for call in answer["calls"])
        assert {call.action for call in answer["calls"]} <= {STATUS}
        context = f"night {self.night} (day {self.days[self.night]})"
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
            assert all(life.answered_at == now for life in due.values()), f"{context}: everybody was answered"
        self.check_states(answer)

    def take_answers(self, due: dict[str, Life], calls: list, now: float) -> None:
        facts = self.read_facts()
        answered = {call.number for call in calls if call.code == "ok" and LOST not in call.faults}
        for number, life in due.items():
            if number in answered:
                life.note_answer(facts.get(number, Facts(False)), self.own_seal(life), now)
        self.seen["answers"] += len(answered)

    def check_states(self, answer: dict) -> None:
        now, facts = self.clock.now(), self.read_facts()
        shown = {doctor["staff_no"]: doctor for doctor in answer["doctors"]}
        assert set(shown) == {life.staff_no for life in self.standing}
        states: Counter[str] = Counter()
        for life in self.standing:
            own, context = self.own_seal(life), f"night {self.night}: {life}"
            state = shown[life.staff_no]["state"]
            if self.is_blocked and life.answer is None:
                assert state in {None, "no_answer"} or life.is_abroad, context
            else:
                assert state == life.name_state(own, now), context
            true = facts.get(life.get_number(self.night), Facts(False)).name_state(own, now)
            if not life.is_abroad and not self.is_blocked and state != true:
                assert state == "open", context
                assert now - life.answered_at <= RECHECK * DAY, f"{context}: an old answer"
                self.seen["stale within recheck"] += 1
            assert shown[life.staff_no]["seal_id"] == own, context
            key = shown[life.staff_no]["key"]
            assert self.keys.setdefault(life.serial, key) == key, f"{context}: another person"
            if state is not None:
                states[state] += 1
                self.seen[state] += 1
        assert answer["states"] == states
        assert answer["can_sign"] == states["open"] + states["license_ends"]
        assert (answer["sealed"], answer["due"]) == (len(self.standing), answer["due"])
        assert answer["never_asked"] == len(self.standing) - sum(states.values())

    def make_links(self, blocked_code: int, *, renew: bool, sms: bool) -> None:
        """Run `links`: who needs a link and has none gets one; the SMS keep their rule."""
        now, night = self.clock.now(), self.night
        options = {"renew": renew, "sms": sms}
        due = {
            life.get_number(night): life
            for life in self.standing
            if life.gets_link(self.own_seal(life), now, **options)
        }
        texted = {
            number
            for number, life in due.items()
            if sms and life.gets_sms(self.own_seal(life), now, renew=renew)
        }
        words = ["--renew"] * renew + ["--sms", "--yes"] * sms
        codes = {0: (0, 3), 4: (4,), 5: (3, 5)}[blocked_code] if due else (0, 3)
        answer = self.go("autosign", "links", *words, codes=codes)
        context = f"night {night}, links {words}"
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
            self.texted_with_renew[link.url] = renew
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
                link["kind"], link["url"], link["created_at"], link["expires_at"], delivered, texted
            )
            life = next(life for life in self.standing if life.get_number(self.night) == link["number"])
            assert new.kind == life.get_needed_kind(self.own_seal(life), self.clock.now()), context
            life.links.append(new)
            made.append((link["number"], new))
            self.seen["SMS"] += texted
            self.seen[f"{new.kind} links"] += 1
            self.seen["lost links"] += not delivered
            self.seen["lost SMS"] += texted and not delivered
        return made

    def check_links(self, answer: dict, made: list, context: str) -> None:
        now = self.clock.now()
        expected, missing = [], 0
        for life in self.standing:
            kind = life.get_needed_kind(self.own_seal(life), now)
            link = life.find_good_link(kind, now) if kind else None
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
        holders = [life for life in self.standing if life.find_good_link("enable", now)]
        is_all = self.night % 11 == 10
        is_chosen = is_all or self.night % 2 == 1 or self.dice.random() < 0.3
        if not holders or not is_chosen:
            return
        chosen = holders if is_all else [self.dice.choice(holders)]
        words = ("--all-open", "--yes") if is_all else (chosen[0].staff_no,)
        answer = self.go("autosign", "cancel", *words, codes=(0, 3))
        context = f"night {self.night}, cancel {words}"
        called = Counter(call.number for call in answer["calls"])
        assert called == Counter(life.get_number(self.night) for life in chosen), context
        self.take_cancelled(answer["calls"], {life.get_number(self.night): life for life in chosen})
        unclear = sum(LOST in call.faults for call in answer["calls"])
        assert answer["unknown"] == unclear, context
        self.seen["cancelled"] += answer["cancelled"]
        self.seen["lost cancels"] += unclear

    def take_cancelled(self, calls: list, lives: dict[str, Life]) -> None:
        for call in calls:
            if call.action == CANCEL and LOST not in call.faults and call.code in {"ok", *VOID}:
                for link in lives[call.number].links:
                    link.over = link.over or (link.kind == "enable" and link.is_delivered)

    def disable_leavers(self) -> None:
        """Close the auto-sign of those who left, by a sheet that also names a stranger; then ask for them."""
        night, now = self.night, self.clock.now()
        gone = [
            life
            for life in self.lives
            if life.leaves is not None and night - life.leaves in {0, 1, 4} and life.arrives < life.leaves
        ]
        if not gone:
            return
        sheet = self.hospital.folder / "left.xlsx"
        stranger = ("王生人", Life(900, "").number, "", "", "", "居民身份证")
        write_roster(sheet, [HEADERS, *(life.build_row(life.leaves - 1) for life in gone), stranger])
        numbers = {life.get_number(life.leaves - 1): life for life in gone}
        due = {
            number
            for number, life in numbers.items()
            if not life.is_abroad and life.sheet_unclear_since is None
        }
        count = ("--count", str(len(due))) if due else ()
        answer = self.go("autosign", "disable", str(sheet), *count, codes=(0, 3))
        context = f"night {night}, disable"
        calls = [call for call in answer["calls"] if call.action == DISABLE]
        assert Counter(call.number for call in calls) == Counter(due), context
        for call in calls:
            life = numbers[call.number]
            life.changed_at = now
            if LOST in call.faults:
                life.sheet_unclear_since = now
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
            for life in self.lives
            if life.leaves is not None
            for number in (life.number, life.mistaken_number)
        }, f"{context}: a doctor who did not leave"
        self.seen["disabled"] += len(closed)
        if any(LOST in call.faults for call in calls):
            return  # asked for in the next night
        answer = self.go("autosign", "status", str(sheet))
        lives = {number: life for number, life in numbers.items() if not life.is_abroad}
        self.take_answers(lives, answer["calls"], self.clock.now())
        for doctor in answer["doctors"]:
            assert doctor["state"] in {"not_open", "cannot_ask"}, f"{context}: {doctor}"

    def check_truth(self) -> None:
        """Compare what holds every night with the truth: seals, SMS, links, cards that no call takes."""
        truth, context = self.truth(), f"night {self.night}"
        made = [life for life in self.lives if life.arrives <= self.night]
        assert len(self.service.seals) == len(made), f"{context}: no seal too many"
        assert self.service.list_duplicates() == {}
        abroad = {life.number for life in self.lives if life.is_abroad}
        autosign_calls = [call for call in self.service.received if "AutoSign" in call.action]
        assert not {call.number for call in autosign_calls} & abroad, context
        self.check_sms(truth, context)
        config = Config.load(self.hospital.folder / "config.yaml")
        with open_configured_ledger(config, SystemClock()) as (ledger, _):
            kept = {call.uuid: call for call in ledger.list_auto_sign_calls()}
        delivered = {link.url for life in self.lives for link in life.links if link.is_delivered}
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
            number: self.keys.get(life.serial)
            for life in self.lives
            for number in (life.number, life.mistaken_number)
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
        links = {link.url: link for life in self.lives for link in life.links}
        for texts in sent.values():
            for before, after in pairwise(texts):
                link = links[before["url"]]
                assert link.is_delivered, f"{context}: an SMS after one whose answer was lost"
                assert link.over or after["at"] >= link.until, f"{context}: two SMS for one link"
                assert self.texted_with_renew[after["url"]], f"{context}: a second SMS that was not asked for"
                self.seen["second SMS"] += after is texts[-1]

    # -- an evening

    def live_an_evening(self, life: Life, facts: Facts) -> None:
        """Let a doctor do what the doctor's life has for this evening."""
        if life.is_abroad or not life.stands(self.night):
            return
        number, now = life.get_number(self.night), self.clock.now()
        with suppress(ControlError):  # a link that is over: the doctor waits for another one
            if not facts.is_open:
                self.open_by_link(life, number, now)
            elif facts.seal_id != self.own_seal(life):
                self.choose_by_link(life)
            else:
                self.live_open(life, number)

    def open_by_link(self, life: Life, number: str, now: float) -> None:
        links = [link for link in life.links if link.kind == "enable"]
        if not links or life.opens_after is None:
            return
        life.evenings_with_link += 1
        if life.evenings_with_link <= life.opens_after:
            return
        self.control(do="use_link", link=links[-1].url, seal=life.first_seal)
        self.seen["opened"] += 1
        life.evenings_open = 0
        if life.licence is None:
            self.auto_sign._open[SANDBOX.organization_open_id, number].licence_to = None
        else:
            self.control(do="end_licence", number=number, at=now + life.licence * DAY)

    def choose_by_link(self, life: Life) -> None:
        links = [link for link in life.links if link.kind == "seal"]
        if not links or life.chooses_after is None:
            return
        life.evenings_wrong += 1
        if life.evenings_wrong > life.chooses_after:
            self.control(do="use_link", link=links[-1].url, seal="own")
            self.seen["chose again"] += 1

    def live_open(self, life: Life, number: str) -> None:
        life.evenings_open += 1
        if life.closes_after is not None and life.evenings_open > life.closes_after:
            self.control(do="close", number=number)
            life.closes_after = None
            self.seen["closed"] += 1
        elif life.turns_after is not None and life.evenings_open > life.turns_after:
            self.control(do="choose_seal", number=number, seal="other")
            life.turns_after = None
            self.seen["turned"] += 1
