"""A clerk at the page: looks at it, decides by the names that it shows, and sends the form at once or much later.

She knows every doctor and sees every picture. What she means with a form is settled when she looks at it: a tab that she
left open is sent as it is.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from random import Random

from attack.page_forms import Form, Node, list_forms, read_page
from attack.page_hospital import Human, Line, PageHospital
from attack.page_stage import PageStage
from page_support import Answer

TRACE = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")
PROGRAM_ERROR = 500
NUMBER = "id_card_number"  # the page's word for the field


@dataclass(frozen=True)
class Intent:
    """A form as a clerk fills it in."""

    kind: str
    action: str
    fields: dict[str, str]
    about: str
    is_slip: bool = False
    line: Line | None = None  # of a cell that is corrected
    replaces: str = ""  # SealId that is given up
    picture: str = ""  # whose owner is decided

    def __str__(self) -> str:
        return f"{self.kind} {self.about}{' SLIP' * self.is_slip}"


@dataclass
class Clerk:
    """One session, and the tabs that are open in it."""

    name: str
    hospital: PageHospital
    pages: PageStage
    dice: Random
    kept: list[Intent] = field(default_factory=list)
    opens_all: bool = False  # rows, in place of one by chance

    def __post_init__(self) -> None:
        self.client = self.pages.enter()

    # -- what she sees

    def see(self, path: str, form: dict[str, str] | None = None) -> Node:
        answer = self.client.get(path) if form is None else self.client.post(path, form)
        self._judge(answer, path)
        return read_page(answer.text)

    def _judge(self, answer: Answer, about: object) -> None:
        if answer.status == PROGRAM_ERROR:
            self.hospital.stage.counts.remarks.append(f"{about} was answered with {answer.status}")

    def look(self, page: str) -> list[Intent]:
        """Return what she would do on a page."""
        return list(LOOKS[page](self))

    def look_at_pictures(self) -> Iterator[Intent]:
        """Give a picture to its owner; take back one that is given to somebody else, or by chance."""
        page, hospital = self.see("/rows/pictures"), self.hospital
        for form in list_forms(page, "/rows/pictures/give"):
            (picture,) = form.card.pictures
            owner = hospital.pictures.get(picture)
            offered = {
                value: human
                for value, text in form.options
                if value and (human := self._read_option(text)) is not None
            }
            for value, human in offered.items():
                is_slip = human.serial != owner
                if is_slip and self.dice.random() > 0.02:
                    continue
                fields = {**form.values, form.choice: value}
                yield Intent(
                    "give", form.action, fields, f"mark {owner} to {human}", is_slip, picture=picture
                )
        for form in list_forms(page, "/rows/pictures/withdraw"):
            picture = form.card.pictures[0]
            shown = form.card.list_all("span")[0].text
            human = hospital.find_human(shown.split()[0], shown)
            is_wrong = human is not None and human.serial != hospital.pictures.get(picture)
            if is_wrong or self.dice.random() < 0.1:
                about = f"mark {hospital.pictures.get(picture)} from {shown}"
                yield Intent("withdraw", form.action, form.values, about, picture=picture)

    def _read_option(self, text: str) -> Human | None:
        name, _, rest = text.partition(" · ")
        return self.hospital.find_human(name, rest.replace("·", " "))

    def look_at_rows(self) -> Iterator[Intent]:
        """Choose among the pictures that hold a row, and correct cells of one row."""
        page, hospital = self.see("/rows"), self.hospital
        links = [node.attributes.get("hx-get", "") for node in page.list_all("a")]
        links = [link for link in links if link.endswith("?pictures")]  # rows that may get another picture
        others = [self.see(link) for link in self.dice.sample(links, min(len(links), 2))]
        for form in [form for part in (page, *others) for form in list_forms(part, "/rows/choose")]:
            (picture,) = form.card.pictures
            row = _get_row(form.node)
            human = hospital.find_human(_name_of_row(row), row.list_all("tr")[0].text)
            if human is not None and human.serial == hospital.pictures.get(picture):
                yield Intent("choose", form.action, form.values, f"for {human}", picture=picture)
        opened = [node.attributes["hx-get"] for node in page.list_all("button", class_="row-name")]
        for path in opened if self.opens_all else self.dice.sample(opened, min(len(opened), 1)):
            yield from self.open_row(path)

    def open_row(self, path: str) -> Iterator[Intent]:
        """Open a row; fill in what is true in each cell that holds something else."""
        row = self.see(path)
        shown = row.list_all("tr")[0].text if row.list_all("tr") else ""
        for section in row.list_all("section"):
            line = self.hospital.find_line(
                section.attributes.get("aria-label", ""), f"{shown} {section.text}"
            )
            if line is None:
                continue
            forms = list_forms(section, "/rows/save")
            for button in section.list_all("button"):
                address = button.attributes.get("hx-get", "")
                if any(f"/{NUMBER if key == 'number' else key}?" in address for key in line.slips):
                    forms += list_forms(self.see(address), "/rows/save")
            for form in forms:
                key = _name_field(form.values)
                right = getattr(line.human, key, None)
                if right is not None and right != form.values["text"]:
                    fields = {**form.values, "text": right}
                    yield Intent("save", form.action, fields, f"{key} of {line.human}", line=line)

    def look_at_review(self) -> Iterator[Intent]:
        """Say of each card whether the picture is the doctor's."""
        hospital = self.hospital
        for form in list_forms(self.see("/review/cards", {"chosen": "all"}), "/review/judge"):
            card = form.card
            human = hospital.find_human(_own_text(card.list_all("h2")[0]), card.text)
            owner = hospital.pictures.get(card.pictures[0]) if card.pictures else None
            if human is None or owner is None:
                continue
            judged = "right" if human.serial == owner else "wrong"
            is_slip = judged == "wrong" and self.dice.random() < 0.02
            if card.attributes.get("data-judged") != judged or is_slip:
                fields = {**form.values, "judged": "right" if is_slip else judged}
                about = f"mark {owner} is {fields['judged']} for {human}"
                yield Intent("judge", form.action, fields, about, is_slip, picture=card.pictures[0])

    def look_at_cases(self) -> Iterator[Intent]:
        """Decide what waits, by what the service really has."""
        for form in list_forms(self.see("/cases/list"), "/cases/decide"):
            card = form.node
            while "case" not in card.attributes.get("class", "").split():
                assert card.parent is not None
                card = card.parent
            human = self.hospital.find_human(
                _own_text(card.list_all("h2")[0]), card.list_all("p", class_="quiet")[0].text
            )
            if human is not None:
                yield from self._decide(form, card, human)

    def _decide(self, form: Form, card: Node, human: Human) -> Iterator[Intent]:
        stage, dice, kind = self.hospital.stage, self.dice, form.values["kind"]
        seals = {seal.seal_id: seal for seal in stage.service.seals}
        traced = {seal.trace_id: seal for seal in seals.values()}
        match = TRACE.search(card.text)
        made = traced.get(match[0]) if match else None
        shown = next((seal for seal_id, seal in seals.items() if seal_id in card.text), None)
        other = made or shown
        lines = [line for line in self.hospital.lines if line.human is human]
        is_plain = len(lines) == 1 and not lines[0].is_slip  # else the roster is corrected first
        value, is_true, replaces, is_slip = "", False, "", False
        match kind:
            case "created":
                is_slip = dice.random() < 0.1
                strangers = [
                    seal.seal_id for seal in seals.values() if stage.owner(seal.number) != human.serial
                ]
                is_slip = is_slip and bool(strangers)
                is_true = made is not None or is_slip
                value = dice.choice(strangers) if is_slip else made.seal_id if made else ""
            case "not_created" | "not_theirs":
                is_true = made is None
            case "keep" if "held" in card.text or not shown:
                path = next((path for path in self._list_pictures() if path.name in card.text), None)
                digest = hashlib.sha256(path.read_bytes()).hexdigest() if path else ""
                is_true = self.hospital.pictures.get(digest) == human.serial
            case "keep" | "replace":
                is_true = is_plain and shown is not None and stage.owner(shown.number) == human.serial
                if kind == "replace":
                    is_true = is_true and dice.random() < 0.3
                    value = f"换章{dice.choice('甲乙丙丁戊己')}{human.name[0]}"
                    replaces = shown.seal_id if shown else ""
            case "same_person":
                is_true = is_plain and other is not None and stage.owner(other.number) == human.serial
            case "other_person":
                is_true = is_plain and other is not None and stage.owner(other.number) != human.serial
        if is_true:
            fields = {**form.values, "sure": "yes"} | ({"value": value} if value else {})
            yield Intent("decide", form.action, fields, f"{kind} {value} {human}", is_slip, replaces=replaces)

    def _list_pictures(self):
        return [path for path in (self.hospital.stage.folder / "seals").rglob("*") if path.is_file()]

    def look_at_decisions(self) -> Iterator[Intent]:
        """Withdraw a decision by chance, which a story offers to withdraw."""
        links = {node.attributes["href"] for node in self.see("/cases/list").list_all("a", class_="target")}
        for link in sorted(links):
            story = self.see(link)
            for form in list_forms(story, "/cases/decide"):
                if form.values["kind"] == "withdraw" and self.dice.random() < 0.3:
                    fields = {**form.values, "why": "a slip"}
                    yield Intent("decide", form.action, fields, f"withdraw {form.card.text[:80]}")

    def look_at_send(self) -> Iterator[Intent]:
        """Send all rows, or one of them."""
        page = self.see("/send")
        for form in list_forms(page, "/send"):
            fields = {**form.values, "accept": "yes"}
            yield Intent("send", form.action, {**fields, "which": "all"}, "all")
            rows = [
                one.attributes["value"]
                for one in page.list_all("input")
                if one.attributes.get("name") == "row"
            ]
            if rows:
                row = self.dice.choice(rows)
                yield Intent("send", form.action, {**fields, "which": "chosen", "row": row}, f"row {row}")

    def look_at_drops(self) -> Iterator[Intent]:
        """Answer whether a file that waits takes the place of the one that is there."""
        for form in list_forms(self.see("/drop"), "/drop/answer"):
            answer = "replace" if self.dice.random() < 0.9 else "leave"
            yield Intent(answer, form.action, {**form.values, "answer": answer}, form.card.text[:40])

    # -- what she does

    def drop(self, name: str, data: bytes) -> str:
        """Drop a file; return what became of it."""
        return self.client.drop(name, data)["outcome"]

    def send(self, intent: Intent) -> bool:
        """Send a form, and confirm it where it is asked again; return whether it was accepted."""
        answer = self.client.post(intent.action, intent.fields, HX_Request="true")
        self._judge(answer, intent)
        if intent.kind == "decide" and answer.status == 200 and self.dice.random() < 0.9:
            for again in list_forms(read_page(answer.text), intent.action):
                answer = self.client.post(again.action, again.values, HX_Request="true")
                self._judge(answer, intent)
        banner = read_page(answer.text).list_all("p", role="alert") + read_page(answer.text).list_all(
            "p", role="status"
        )
        printed = answer.text and " ".join(node.text for node in banner)[:100]
        self.hospital.log.append(f"  {self.name} {intent}: {answer.status} {printed}")
        is_good = answer.status in {200, 303} and not read_page(answer.text).list_all("p", class_="failed")
        if intent.kind == "save":
            self._judge_save(intent)
        elif intent.kind == "replace":
            self.hospital.take_versions()
        elif is_good and intent.replaces and "old seal" in answer.text:
            self.hospital.stage.replaced.add(intent.replaces)
        elif is_good and intent.fields.get("kind") == "withdraw":
            self._take_back_replacements()
        elif intent.is_slip and is_good and intent.kind == "decide":
            self.hospital.stage.counts.remarks.append(f"accepted: {intent}")
        return is_good

    def _take_back_replacements(self) -> None:
        """Take a seal for the doctor's again where the decision to replace it was withdrawn: there is no other one."""
        stage = self.hospital.stage
        owners = {seal.seal_id: stage.owner(seal.number) for seal in stage.service.seals}
        living = {owner for seal_id, owner in owners.items() if seal_id not in stage.replaced}
        stage.replaced -= {seal_id for seal_id in stage.replaced if owners[seal_id] not in living}

    def _judge_save(self, intent: Intent) -> None:
        """Compare the rosters with what was meant: a corrected cell is the one of the doctor whom the form named."""
        hospital, line, key = self.hospital, intent.line, _name_field(intent.fields)
        assert line is not None
        for file, lines in hospital.rosters.items():
            for one, cells in zip(lines, hospital.read(file), strict=True):
                changed = {name for name in cells if cells[name] != one.cells[name]}
                if changed and (
                    one.human is not line.human or changed != {key} or cells[key] != intent.fields["text"]
                ):
                    hospital.stage.counts.remarks.append(f"{intent} changed {one.human}: {changed}")
                one.cells = cells


def _name_field(values: Mapping[str, str]) -> str:
    """Return which cell a form is about."""
    return values.get("field", "").replace(NUMBER, "number")


def _own_text(node: Node) -> str:
    return " ".join(child for child in node.children if isinstance(child, str)).strip()


def _get_row(node: Node) -> Node:
    while node.parent is not None and node.tag != "tbody":
        node = node.parent
    return node


def _name_of_row(row: Node) -> str:
    return row.list_all("button", class_="row-name")[0].text


LOOKS: dict[str, Callable[[Clerk], Iterator[Intent]]] = {
    "pictures": Clerk.look_at_pictures,
    "rows": Clerk.look_at_rows,
    "review": Clerk.look_at_review,
    "cases": Clerk.look_at_cases,
    "decisions": Clerk.look_at_decisions,
    "send": Clerk.look_at_send,
    "drop": Clerk.look_at_drops,
}
