"""Forms of a tab that is older than the newest check: each is entered for the person and the picture that it shows, or not at all."""

import hashlib
import html
import re
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import pytest
from page_support import PageThread, find_forms, wait_for_checks
from people import make_row, name, number
from run_support import draw_seal

LEAVER, FAULTY, GIVEN = 9, 8, 7
OTHERS = {5: {"name": name(4), "department": "外科"}}  # 4 and 5 are namesakes
PICTURES = {
    1: "00001.png",
    2: "scan_a.png",
    3: "scan_b.png",
    4: f"{name(4)}.png",
    5: f"{name(4)} (2).png",
    6: "00006.png",
    GIVEN: "scan_c.png",
    FAULTY: "00008.png",
    LEAVER: "00009.png",
}


def make_person(serial, **changes):
    return make_row(serial, **{**OTHERS.get(serial, {}), **changes})


def list_people(*serials):
    """Return the rows of these people, that of one with a digit too few."""
    cut = {"number": number(FAULTY)[:17]}
    return [make_person(serial, **(cut if serial == FAULTY else {})) for serial in serials]


class OldTab:
    """The forms of a page as they were shown to a clerk, who fills them in later."""

    def __init__(self, inside):
        self._inside = inside
        self.rows = inside.get("/rows").text
        self._pictures = inside.get("/rows/pictures").text
        self._review = inside.post("/review/cards", {"chosen": "all"}, HX_Request="true").text
        self._send = inside.get("/send").text
        keys = re.findall(r'id="row-(\w+)"', self.rows)
        cells = [inside.get(f"/rows/row/{key}").text for key in keys]
        self._cells = [form for text in cells for form in find_forms(text, "/rows/save")]

    def _post(self, path, fields):
        return self._inside.post(path, fields, HX_Request="true")

    def give(self, serial, to=None):
        """Give the picture of a doctor to that doctor, or to another one, who is chosen by the staff number."""
        forms = find_forms(self._pictures, "/rows/pictures/give")
        ((text, fields),) = [form for form in forms if form[1]["picture"] == DIGESTS[serial]]
        (option,) = set(re.findall(rf'<option value="([^"]+)">[^<]*{to or serial:05d}', text))
        return self._post("/rows/pictures/give", {**fields, "row": option})

    def choose(self, serial, of=None):
        """Choose the own picture of a doctor, or that ``of`` a namesake, among those that hold the row."""
        forms = find_forms(self.rows, "/rows/choose")
        wanted = DIGESTS[of or serial]
        (fields,) = [
            fields for text, fields in forms if f"（{serial:05d} · " in text and fields["picture"] == wanted
        ]
        return self._post("/rows/choose", fields)

    def withdraw(self, serial):
        entries = self._pictures.split("<li>")
        (entry,) = [entry for entry in entries if f"/pictures/{DIGESTS[serial]}" in entry]
        ((_, fields),) = find_forms(entry, "/rows/pictures/withdraw")
        return self._post("/rows/pictures/withdraw", fields)

    def judge(self, serial, word):
        cards = re.findall(r"<article .*?</article>", self._review, re.DOTALL)
        (card,) = [card for card in cards if f">{serial:05d} · " in card]
        ((_, fields),) = find_forms(card, "/review/judge")
        return self._post("/review/judge", {**fields, "judged": word})

    def correct(self, text):
        """Correct the only number that is wrong."""
        (fields,) = [fields for _, fields in self._cells if fields["field"] == "id_card_number"]
        return self._post("/rows/save", {**fields, "text": text})

    def send(self, serial):
        """Send one doctor."""
        ((text, fields),) = find_forms(self._send, "/send")
        (line,) = re.findall(rf'name="row" value="(\d+)"[^\n]*{serial:05d}', text)
        return self._post("/send", {**fields, "which": "chosen", "row": line})


DIGESTS, NEW_DIGESTS = {}, {}  # of the picture of each serial, and of the one that takes its place
OTHER = 77


@pytest.fixture(scope="module", autouse=True)
def digests(tmp_path_factory):
    path = tmp_path_factory.mktemp("drawn") / "seal.png"
    for serial in PICTURES:
        for digests, drawn in ((DIGESTS, serial), (NEW_DIGESTS, OTHER + serial)):
            draw_seal(path, drawn)
            digests[serial] = hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def ward(hospital):
    hospital.roster(list_people(LEAVER, 1, 2, 3, 4, 5, 6, GIVEN, FAULTY))
    for serial in PICTURES:
        put(hospital, serial)
    hospital.go("check")
    return hospital


def put(ward, serial, more=0):
    """Write the file of a serial's picture."""
    draw_seal(ward.folder / "seals" / PICTURES[serial], serial + more)


def list_sent(ward):
    service = ward.service
    pictures = {
        hashlib.sha256(service.pictures[seal.picture]).hexdigest(): seal.number for seal in service.seals
    }
    drawn = {digest: serial for digests in (DIGESTS, NEW_DIGESTS) for serial, digest in digests.items()}
    return {number_of: drawn[digest] for digest, number_of in pictures.items()}


# -- what happens meanwhile


def do_nothing(ward, _):
    pass


def sort_backwards(ward, _):
    ward.roster(list_people(*range(LEAVER, 0, -1)))


def remove_the_first(ward, _):
    ward.roster(list_people(1, 2, 3, 4, 5, 6, GIVEN, FAULTY))


def split(ward, _):
    """Move rows into a roster that is read before."""
    ward.roster(list_people(5, 3, FAULTY, 1), file="a.xlsx")
    ward.roster(list_people(LEAVER, GIVEN, 4, 2, 6))


def swap_namesakes(ward, _):
    ward.roster(list_people(LEAVER, 1, 3, 2, 5, 4, 6, GIVEN, FAULTY))


def replace_people(ward, _):
    """Put other people of the same names and staff numbers into the rows."""
    others = [make_person(serial, number=number(serial + 500)) for serial in (2, 3, 4, 5)]
    ward.roster([*list_people(LEAVER, 1), *others, *list_people(6, GIVEN, FAULTY)])


def rename_people(ward, _):
    others = [make_person(serial, name=name(serial + 20)) for serial in (2, 3, 4, 5)]
    ward.roster([*list_people(LEAVER, 1), *others, *list_people(6, GIVEN, FAULTY)])


def replace_pictures(ward, _):
    for serial in (2, 4, 6):
        put(ward, serial, OTHER)


def decide_first(ward, other):
    """Another clerk is quicker, and judges otherwise."""
    done = [other.give(2), other.give(3), other.choose(4), other.withdraw(GIVEN)]
    done += [other.judge(1, "wrong"), other.judge(6, "right"), other.correct(number(FAULTY))]
    assert {answer.status for answer in done} == {200}


DECISIONS = {
    "send one": lambda tab: tab.send(LEAVER),
    "right": lambda tab: tab.judge(1, "right"),
    "wrong": lambda tab: tab.judge(6, "wrong"),
    "give 2": lambda tab: tab.give(2),
    "give 3": lambda tab: tab.give(3),
    "choose 4": lambda tab: tab.choose(4),
    "choose 5": lambda tab: tab.choose(5),
    "withdraw": lambda tab: tab.withdraw(GIVEN),
    "correct": lambda tab: tab.correct(number(FAULTY)),
}
MOVED = {"send one", "correct"}  # rows that moved are for these another content
ABOUT_ROWS = {"give 2", "give 3", "choose 4", "choose 5"}
EVERYBODY = {1, 2, 3, 4, 5, LEAVER}
SCENES = {
    # what happens meanwhile -> which decisions are refused then, and who is sealed in the end
    do_nothing: ({"send one"}, EVERYBODY | {FAULTY}),
    sort_backwards: (MOVED, EVERYBODY),
    remove_the_first: (MOVED, EVERYBODY - {LEAVER}),
    split: (MOVED, EVERYBODY),
    swap_namesakes: (MOVED, EVERYBODY),
    replace_people: (MOVED | ABOUT_ROWS, {1, LEAVER}),
    rename_people: (MOVED | ABOUT_ROWS, {1, LEAVER}),
    replace_pictures: ({"send one", "wrong", "give 2", "choose 4", "choose 5"}, {1, 3, 6, LEAVER, FAULTY}),
    decide_first: (set(DECISIONS) - {"choose 5"}, {2, 3, 4, 5, 6, LEAVER, FAULTY}),
}


@pytest.mark.parametrize("happen", SCENES, ids=lambda scene: scene.__name__)
def test_what_an_old_tab_decides_is_of_the_person_and_picture_that_it_shows(ward, happen):
    refused, sealed = SCENES[happen]
    with PageThread(ward.folder / "config.yaml") as page:
        inside, other = page.enter(), page.enter()
        OldTab(inside).give(GIVEN)
        wait_for_checks(inside)
        tab = OldTab(inside)
        happen(ward, OldTab(other))
        wait_for_checks(inside)
        ward.go("check")
        answers = {decision: decide(tab) for decision, decide in DECISIONS.items()}
        assert {decision for decision, answer in answers.items() if answer.status == 409} == refused
        assert {answer.status for answer in answers.values()} <= {200, 409}
        wait_for_checks(inside)
        assert page.failures == []
    ward.go("run", "--yes")
    assert list_sent(ward) == {number(serial): serial for serial in sealed}


def test_forms_of_a_page_that_one_goes_back_to_are_entered_once(ward):
    with PageThread(ward.folder / "config.yaml") as page:
        inside = page.enter()
        OldTab(inside).give(GIVEN)
        wait_for_checks(inside)
        tab = OldTab(inside)
        put(ward, 3, OTHER)
        answer = tab.give(3)
        assert (answer.status, "已不在印章文件夹里" in answer.text) == (409, True), "no check has seen it"
        put(ward, 3)
        with ThreadPoolExecutor() as threads:  # two clerks at once
            answers = list(threads.map(lambda _: tab.give(2), range(2)))
        assert sorted(answer.status for answer in answers) == [200, 409]
        assert tab.give(3, to=2).status == 409, "also before the check has ended"
        assert {tab.choose(4).status, tab.correct(number(FAULTY)).status} == {200}
        wait_for_checks(inside)
        second = [tab.give(2, to=3), tab.give(3, to=2), tab.give(2), tab.choose(4), tab.choose(4, of=5)]
        assert {answer.status for answer in second} == {409}
        assert "没有保存" in tab.correct(number(6)).text
        assert tab.choose(5, of=4).status == 409, "it is the namesake's"
        assert (tab.choose(5).status, tab.give(3).status) == (200, 200)
        tab = OldTab(inside)
        assert tab.withdraw(2).status == 200
        assert tab.withdraw(2).status == 409
        wait_for_checks(inside)
        assert page.failures == []
    ward.go("run", "--yes")
    assert list_sent(ward) == {number(serial): serial for serial in set(PICTURES) - {2}}


@pytest.mark.parametrize(("field", "text"), [("name", name(27)), ("id_card_number", number(502))])
def test_a_picture_is_not_given_to_whom_a_correction_made_of_a_row(ward, field, text):
    """The newest check still shows the row as it was."""
    with PageThread(ward.folder / "config.yaml") as page:
        inside = page.enter()
        tab = OldTab(inside)
        key = re.search(rf'id="row-(\w+)"(?:(?!<tbody).)*?>{2:05d}<', tab.rows, re.DOTALL)[1]
        opened = inside.get(f"/rows/row/{key}").text
        (link,) = re.findall(rf'hx-get="(/rows/cell/\w+/{field}\?[^"]+)"', opened)
        ((_, form),) = find_forms(inside.get(html.unescape(link)).text, "/rows/save")
        assert inside.post("/rows/save", {**form, "text": text}).status == 200
        assert tab.give(2).status == 409
        wait_for_checks(inside)
        assert page.failures == []
    ward.go("run", "--yes")
    assert list_sent(ward) == {number(serial): serial for serial in (1, 6, LEAVER)}


def test_two_doctors_whom_the_page_shows_alike_are_never_taken_for_each_other(hospital):
    """Of one name and department, without staff numbers, the last four digits of their numbers the same."""
    hospital.doctors(1)
    numbers = sorted((number(serial) for serial in range(1, 2000)), key=lambda text: (text[-4:], text))
    first, second = next(pair for pair in pairwise(numbers) if pair[0][-4:] == pair[1][-4:])
    alike = [make_row(2, number=one, mobile="", staff_no="") for one in (first, second)]
    hospital.roster([make_row(1), *alike])
    for serial in (2, 3):
        draw_seal(hospital.folder / "seals" / PICTURES[serial], serial)
    hospital.go("check")
    with PageThread(hospital.folder / "config.yaml") as page:
        inside = page.enter()
        text = inside.get("/rows/pictures").text
        (form,) = [
            form for form in find_forms(text, "/rows/pictures/give") if form[1]["picture"] == DIGESTS[2]
        ]
        options = re.findall(rf'<option value="([^"]+)">{name(2)}', form[0])
        hospital.roster([make_row(1), *reversed(alike)])
        hospital.go("check")
        answer = inside.post("/rows/pictures/give", {**form[1], "row": options[-2]})
        assert answer.status == 200
        wait_for_checks(inside)
        assert page.failures == []
    hospital.go("run", "--yes")
    assert list_sent(hospital) == {number(1): 1, first: 2}
