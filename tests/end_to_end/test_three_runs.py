"""Three runs over one hospital whose roster does not hold still, on a bad line, with a kill in each run."""

import os

import pytest
from crash_support import CREATE, Zygote, in_the_air
from people import make_row, name, number
from resolution_support import list_made_seals, run_later
from run_support import draw_seal

from pipeline.sandbox.actions import Rules
from pipeline.sandbox.faults import Faults

DOCTORS = range(1, 13)
BAD_LINE = [
    {"match": {"action": CREATE, "share": 0.15, "seed": 1}, "do": "reset_after"},
    {"match": {"action": CREATE, "share": 0.15, "seed": 2}, "do": {"http_502": "before"}},
    {"match": {"action": CREATE, "share": 0.10, "seed": 3}, "do": "throttle"},
    {
        "match": {"action": CREATE, "user_name": name(5), "nth": [1]},
        "do": {"code": "InvalidParameter.CardNumber"},
    },
    {"match": {"action": "UploadFiles", "share": 0.2, "seed": 4}, "do": "reset_before"},
]


def pictures(hospital, *serials):
    for serial in serials:
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)


def look(hospital, rows, killed, before=()):
    """Return the results by doctor, once it is certain that nobody is forgotten, doubled or told an untruth."""
    rows_reported = hospital.outcomes()
    assert len(rows_reported) == rows == hospital.record()["rows"] == sum(hospital.statuses().values())
    assert hospital.service.list_duplicates() == {}, "each doctor at most once"
    speaking = {line["name"]: line for line in rows_reported if "ROW_DUPLICATE" not in line["codes"]}
    assert len(speaking) == len({line["name"] for line in rows_reported})
    struck = {call.trace_id for call in hospital.service.received if call.action == CREATE and call.faults}
    real = {seal.seal_id: seal.number for seal in hospital.service.seals}
    for line in rows_reported:
        if line["seal_id"]:
            assert real[line["seal_id"]][-4:] == line["id_masked"][-4:], (
                "a seal that is one, and this doctor's"
            )
        elif line["status"] == "unknown":
            assert line["trace_id"] in struck | killed, "a call of this doctor's was lost"
        else:
            assert line["status"] in {"failed", "rejected", "not_sent"}
    everybody = {**dict(before), **speaking}  # who has left the roster is as the last results said
    known = {line["seal_id"] for line in everybody.values()}
    in_doubt = {line["id_masked"][-4:] for line in everybody.values() if line["status"] == "unknown"}
    nobodys = {seal.number[-4:] for seal in hospital.service.seals if seal.seal_id not in known}
    assert nobodys <= in_doubt, "a seal that nobody was told of is in doubt"
    for who, line in dict(before).items():
        if line["seal_id"] and who in speaking:
            assert speaking[who]["seal_id"] == line["seal_id"], "a seal stays with its doctor"
        if line["status"] == "unknown" and who in speaking:
            assert speaking[who]["status"] == "unknown", "what is in doubt waits for a human"
    return everybody


@pytest.mark.parametrize("names", ["off", "code"] if os.environ.get("CRASH") else ["off"])  # make crash
def test_three_runs_killed_at_random_points(hospital_with, names):
    hospital = hospital_with(rules=Rules(limiter="none", unique_names=names), faults=BAD_LINE)
    hospital.doctors(0)
    inbox = hospital.folder / "inbox"
    killed = set()

    def run_with_fault(point, count, **rosters):
        """Put the rosters into the inbox, be killed in the middle, begin again, and come to the end."""
        for old in inbox.iterdir():
            old.unlink()
        for file, rows in rosters.items():
            hospital.roster(rows, file=f"{file}.xlsx")
        assert zygote.run(hospital, **{"name": point, "pass": count})["signal"] == 9
        killed.update(in_the_air(hospital))
        assert hospital.go("run") in {3, 5}

    with Zygote() as zygote:
        # The first run: as it was delivered. One number is mistyped, one picture is missing.
        pictures(hospital, *(serial for serial in DOCTORS if serial != 4))
        rows = [make_row(serial) for serial in DOCTORS]
        rows[2] = make_row(3, number="1" + number(3)[:-1])
        run_with_fault(f"{CREATE}: answered", 4, 名单=rows)
        first = look(hospital, 12, killed)
        assert first[name(3)]["status"] == first[name(4)]["status"] == "rejected"

        # The second run: the other way round, under another name, corrected, one doctor more, one gone.
        pictures(hospital, 4, 13)
        run_with_fault(
            "create: settled",
            1,
            名单改=[make_row(serial) for serial in reversed([*DOCTORS, 13]) if serial != 9],
        )
        second = look(hospital, 12, killed, first)
        assert "rejected" not in {second[name(serial)]["status"] for serial in (3, 4)}

        # The third run: in three files, doctor 9 is back, a mobile and a picture are others, doctor 13 has two rows.
        pictures(hospital, 14)
        draw_seal(hospital.folder / "seals" / "00002.png", 77)
        rows = [make_row(1, mobile="15499999999"), *(make_row(serial) for serial in range(2, 14))]
        run_with_fault(
            f"{CREATE}: before the headers",
            1,
            一部=rows[6:],
            二部=[*rows[:6], rows[12]],
            新来的=[make_row(14)],
        )
        third = look(hospital, 15, killed, second)
        for who in (name(1), name(2)):
            assert third[who]["status"] == "changed" or not second[who]["seal_id"]

    assert any(line["status"] == "unknown" for line in third.values())
    assert killed, "the kills met calls in the air"

    # In the morning somebody settles what is in doubt. Then the line is good: everybody has a seal, and that is all.
    hospital.sandbox._sandbox._faults = Faults(())
    for who, line in third.items():
        if line["status"] == "unknown":
            settled = (
                ["--sure", "--seal-id", list_made_seals(hospital)[who]]
                if who in list_made_seals(hospital)
                else ["--not-created", "--sure"]
            )
            assert run_later(hospital, "resolve", line["trace_id"], *settled) == 0
    assert hospital.go("run") in {0, 3}  # a row that differs from its seal waits for a decision
    look(hospital, 15, killed)
    assert sorted(seal.number for seal in hospital.service.seals) == sorted(map(number, range(1, 15)))
    calls = len(hospital.service.received)
    hospital.go("run")
    assert len(hospital.service.received) == calls, "an unchanged run makes no call"
