"""`autosign links`: a sheet of links for the doctors who cannot sign yet; who gets which, and what is no link."""

import json

import openpyxl
import pytest
from wire_support import fault

from pipeline.sandbox.actions import Rules

ENABLE = "ChannelCreateUserAutoSignEnableUrl"
SEAL = "ChannelCreateUserAutoSignSealUrl"
DAY = 86_400.0


@pytest.fixture
def sealed(scene):
    """A hospital of four sealed doctors who were asked for: none is open."""

    def play(hospital):
        hospital.seal_doctors(4, write=False)
        assert hospital.go("autosign", "status") == 0

    def make(faults=(), **rules):
        return scene(play, rules=Rules(limiter="none", **rules), faults=faults)

    return make


def open_auto_sign(hospital, name, seal_id):
    """Let a doctor open auto-sign with a seal; an empty SealId = none was chosen."""
    seal = next(seal for seal in hospital.service.seals if seal.name == name)
    hospital.service.auto_sign.open(seal.person, seal_id, hospital.service_clock.now())


def count_calls(hospital, action):
    return sum(request.action == action for request in hospital.service.received)


def links_of(hospital, capsys, *options, code=0):
    """Run `autosign links --json`; return what it printed."""
    capsys.readouterr()
    assert hospital.go("--json", "autosign", "links", *options) == code
    return json.loads(capsys.readouterr().out)


def newest_folder(hospital, name):
    return max(hospital.folder.glob(f"out/*/{name}")).parent


def read_sheet(hospital, file=None):
    """Return the rows of the newest sheet of links by name: kind, link, until."""
    rows = list(
        openpyxl.load_workbook(file or newest_folder(hospital, "links.xlsx") / "links.xlsx")
        .worksheets[0]
        .values
    )
    return {name: rest for name, _, _, *rest in rows[1:]}


def test_each_doctor_gets_the_link_that_the_newest_state_asks_for(sealed, capsys):
    hospital = sealed()
    first = links_of(hospital, capsys)
    assert (len(first["links"]), first["missing"]) == (4, [])
    assert {link["kind"] for link in first["links"]} == {"enable_link"}

    folder = newest_folder(hospital, "links.xlsx")
    rows = read_sheet(hospital)
    made = {link.name: link.url for link in hospital.service.auto_sign.links}
    assert {name: link for name, (_, link, _) in rows.items()} == made
    assert (folder / "links.xlsx").stat().st_mode & 0o777 == 0o600
    others = (
        json.dumps(first)
        + (folder / "run.json").read_text("utf-8")
        + (folder / "log.jsonl").read_text("utf-8")
    )
    assert not any(url in others for url in made.values()), "a link stands in the sheet alone"
    written = json.dumps(rows, ensure_ascii=False) + others
    assert not any(seal.number in written for seal in hospital.service.seals)
    expires_at = hospital.service.auto_sign.links[0].expires_at
    assert 28.9 * DAY < expires_at - hospital.service_clock.now() <= 29 * DAY

    names = list(rows)
    own = {seal.name: seal.seal_id for seal in hospital.service.seals}
    for name, seal_id in zip(names, (own[names[0]], OTHER_SEAL, ""), strict=False):
        open_auto_sign(hospital, name, seal_id)
    assert hospital.go("autosign", "status") == 0
    again = {link["name"]: link["kind"] for link in links_of(hospital, capsys)["links"]}
    assert again == {names[1]: "seal_link", names[2]: "enable_link", names[3]: "enable_link"}
    assert {name: kind for name, (kind, *_) in read_sheet(hospital).items()} == {
        names[1]: "Choose the seal",
        names[2]: "Open auto-sign",
        names[3]: "Open auto-sign",
    }
    assert (count_calls(hospital, ENABLE), count_calls(hospital, SEAL)) == (6, 1)


def test_a_doctor_who_is_open_without_a_seal_gets_the_link_for_opening(sealed, capsys):
    """As the service has it: without a seal, the opening link is entered again."""
    hospital = sealed()
    seal = hospital.service.seals[0]
    name = seal.name
    open_auto_sign(hospital, name, "")
    capsys.readouterr()
    assert hospital.go("autosign", "status", name) == 0
    assert "enters the link for opening again" in capsys.readouterr().out
    (link,) = links_of(hospital, capsys, name)["links"]
    assert (link["name"], link["kind"]) == (name, "enable_link")
    open_auto_sign(hospital, name, seal.seal_id)
    assert hospital.go("autosign", "status", name) == 0
    assert links_of(hospital, capsys, name)["links"] == []
    assert (count_calls(hospital, ENABLE), count_calls(hospital, SEAL)) == (1, 0)


def test_a_call_without_an_answer_is_repeated_and_a_refusal_is_named(sealed, capsys):
    """A second link harms nobody: what the lost answer held is given to nobody."""
    refusal = {"code": {"code": "InvalidParameter.Name", "message": "姓名不合法"}}
    hospital = sealed(
        [fault("reset_after", action=ENABLE, nth=(2,)), fault(refusal, action=ENABLE, nth=(3,))]
    )
    answer = links_of(hospital, capsys, code=3)
    assert (len(answer["links"]), count_calls(hospital, ENABLE)) == (3, 5)
    (missing,) = answer["missing"]
    assert "InvalidParameter.Name" in missing["reason"]
    assert missing["name"] not in read_sheet(hospital)
    assert missing["name"] in read_written_links(hospital)


def test_the_sheet_is_written_where_it_is_asked_for(sealed, capsys):
    hospital = sealed()
    file = hospital.folder / "sheets" / "links.xlsx"
    assert hospital.go("autosign", "links", "--out", str(file.with_suffix(".csv"))) == 2
    assert count_calls(hospital, ENABLE) == 0
    answer = links_of(hospital, capsys, "--out", str(file))
    assert answer["file"] == str(file)
    assert len(read_sheet(hospital, file)) == 4
    assert not list(hospital.folder.glob("out/*/links.xlsx"))


def test_a_refusal_that_hits_everybody_stops_after_one_call(sealed, capsys):
    hospital = sealed([fault({"code": "OperationDenied.NotInAutoSignWhiteList"}, action=ENABLE, nth=(1,))])
    answer = links_of(hospital, capsys, code=4)
    assert answer["halted"]["code"] == "OperationDenied.NotInAutoSignWhiteList"
    assert count_calls(hospital, ENABLE) == 1
    assert len(links_of(hospital, capsys)["links"]) == 4


def read_written_links(hospital):
    """Return the text of the newest workbook."""
    folder = newest_folder(hospital, "links.xlsx")
    sheets = openpyxl.load_workbook(folder / "links.xlsx").worksheets
    texts = [str(cell) for sheet in sheets for row in sheet.iter_rows(values_only=True) for cell in row]
    return " ".join(texts)


OTHER_SEAL = "yDsandboxAnotherSealOfThisDoctor"
SAME = "https://essurl.invalid/same"


def test_a_link_for_two_doctors_is_none_for_either_and_both_are_named(sealed, capsys):
    hospital = sealed([fault({"link": SAME}, action=ENABLE, nth=(1, 3))])
    names = {seal.name for seal in hospital.service.seals}
    answer = links_of(hospital, capsys, code=3)
    assert len(answer["links"]) == 2
    both = names - {link["name"] for link in answer["links"]}
    without = {doctor["name"]: doctor["reason"] for doctor in answer["missing"]}
    assert set(without) == both
    for name, reason in without.items():
        (other,) = both - {name}
        assert f"gave the same link to {other}" in reason
    assert SAME not in read_written_links(hospital)
    assert len(links_of(hospital, capsys)["links"]) == 4


def test_what_is_no_https_address_is_no_link(sealed, capsys):
    odd = [
        "http://essurl.invalid/a", "javascript:alert(1)", "file:///etc/passwd", "=cmd|' /C calc'!A0",
        "//essurl.invalid/a", "https:/essurl.invalid", "https://", "https://a@essurl.invalid/a", "pages/guide?token=1", "",
        "data:text/html,a", "https://[a",
    ]  # fmt: skip
    hospital = sealed([fault({"link": url}, action=ENABLE, nth=(n,)) for n, url in enumerate(odd, 1)])
    names = {seal.name for seal in hospital.service.seals}
    for _ in range(0, len(odd), 4):
        answer = links_of(hospital, capsys, code=3)
        assert answer["links"] == []
        assert {doctor["name"] for doctor in answer["missing"]} == names
        assert all("no usable link" in doctor["reason"] for doctor in answer["missing"])
        assert not [url for url in odd if url and url in read_written_links(hospital)]
    assert count_calls(hospital, ENABLE) == len(odd)
    assert len(links_of(hospital, capsys)["links"]) == 4


def test_a_doctor_who_was_never_asked_for_gets_no_link(hospital, capsys):
    hospital.seal_doctors(2)
    capsys.readouterr()
    assert hospital.go("autosign", "links") == 0
    printed = capsys.readouterr()
    assert "No doctor needs a link" in printed.out
    assert "2 doctors were never asked for" in printed.err
    assert count_calls(hospital, ENABLE) == 0


def test_the_files_with_links_go_with_the_data_of_a_doctor(sealed, capsys):
    hospital = sealed()
    first = links_of(hospital, capsys)["links"]
    assert hospital.go("purge", "--person", first[0]["name"], "--yes") == 0
    assert not list(hospital.folder.glob("out/*/links.*"))
