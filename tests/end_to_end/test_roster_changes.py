"""`check`, and the question before a run, show how the rosters differ from those of the last run over them."""

from __future__ import annotations

import io

import pytest
from people import name, number

from pipeline.cli.app import main


class Terminal(io.StringIO):
    """A terminal at which a person types these lines."""

    def isatty(self) -> bool:
        return True


HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室")


def mobile(serial):
    return f"154{serial:08d}"


def cells(serial, **values):
    right = {
        "name": name(serial),
        "number": number(serial),
        "mobile": mobile(serial),
        "staff_no": f"{serial:05d}",
        "department": "内科",
    }
    return tuple((right | values).values())


def seal_three(hospital):
    """Seal three doctors; a fourth has a picture."""
    hospital.doctors(4)
    hospital.roster([cells(serial) for serial in (1, 2, 3)], headers=HEADERS)
    assert hospital.go("run") == 0


@pytest.fixture
def listed(scene):
    return scene(seal_three)


def check(hospital, capsys, *options, language="en"):
    capsys.readouterr()
    main(hospital.command(*options, "check", language=language))
    lines = capsys.readouterr().err.splitlines()
    return [
        line
        for line in lines
        if line.startswith(("Compared", "The rosters are", "与运行", "  + ", "  ~ ", "  - "))
    ]


def test_rosters_that_stayed_the_same(listed, capsys):
    assert check(listed, capsys)[0].startswith("The rosters are as in run 2")


def test_before_the_first_run_nothing_is_compared(hospital, capsys):
    hospital.doctors(2)
    assert check(hospital, capsys) == []


def test_new_changed_and_gone_people_are_counted_and_named(listed, capsys):
    rows = [cells(2, mobile=mobile(9), department="外科"), cells(1), cells(4)]
    listed.roster(rows, headers=HEADERS)
    (count,) = check(listed, capsys)
    assert count.endswith(": + 1 new, ~ 1 changed, - 1 gone")
    assert check(listed, capsys, "-v") == [
        count,
        f"  + {name(4)} (roster.xlsx Sheet row 4)",
        (
            f"  ~ {name(2)} (roster.xlsx Sheet row 2): mobile {mobile(2)[:3]}****{mobile(2)[-4:]} → "
            f"{mobile(9)[:3]}****{mobile(9)[-4:]}, department 内科 → 外科"
        ),
        f"  - {name(3)} (roster.xlsx Sheet row 4)",
    ]


def test_a_corrected_number_and_another_picture_are_changes_of_one_person(listed, capsys):
    listed.roster([cells(1, number=number(8)), cells(2), cells(3)], headers=HEADERS)
    picture = (listed.folder / "seals" / "00004.png").read_bytes()
    (listed.folder / "seals" / "00002.png").write_bytes(picture)
    (listed.folder / "seals" / "00004.png").unlink()
    count, *lines = check(listed, capsys, "-v")
    assert "~ 2 changed" in count
    assert "identity number *" in lines[0]
    assert lines[0].endswith(f"→ **************{number(8)[-4:]}")
    assert lines[1].endswith(": another picture")
    assert not any(number(serial) in line for serial in (1, 8) for line in lines)


def test_in_chinese(listed, capsys):
    listed.roster([cells(1, mobile=mobile(9)), cells(2)], headers=HEADERS)
    (count,) = check(listed, capsys, language="zh")
    assert count.endswith("相比：+ 新增 0，~ 改动 1，- 不在名单 1")


def test_other_rosters_are_not_compared(listed, capsys):
    listed.roster([cells(4)], headers=HEADERS, file="other.xlsx")
    capsys.readouterr()
    assert main(listed.command("check", str(listed.folder / "inbox" / "other.xlsx"))) == 0
    assert "Compared" not in capsys.readouterr().err


@pytest.mark.parametrize("answer", ["n", "y"])
def test_the_question_shows_them(listed, capsys, monkeypatch, answer):
    listed.roster([cells(serial) for serial in (1, 2, 3, 4)], headers=HEADERS)
    monkeypatch.setattr("sys.stdin", Terminal(f"{answer}\n"))
    capsys.readouterr()
    main(listed.command("run"))
    printed = capsys.readouterr()
    assert "+ 1 new, ~ 0 changed, - 0 gone" in printed.err
    assert len(listed.service.seals) == 3 + (answer == "y")


def test_a_run_without_a_question_shows_none(listed, capsys):
    listed.roster([cells(4)], headers=HEADERS)
    capsys.readouterr()
    main(listed.command("run", "--accept-guards"))
    assert "Compared" not in capsys.readouterr().err


def test_a_picture_that_two_doctors_share_is_no_change(hospital, capsys):
    hospital.doctors(4)
    seals = hospital.folder / "seals"
    (seals / "00002.png").write_bytes((seals / "00001.png").read_bytes())
    assert hospital.go("run") == 3
    assert check(hospital, capsys, "-v")[0].startswith("The rosters are as in run 2")


@pytest.mark.parametrize("unread", ["roster", "inbox", "pictures"])
def test_what_could_not_be_read_is_no_change(listed, capsys, unread):
    """Neither in the run that could not read it nor in the next one."""
    inbox, seals = listed.folder / "inbox", listed.folder / "seals"
    if unread == "roster":
        content = (inbox / "roster.xlsx").read_bytes()
        (inbox / "roster.xlsx").write_bytes(b"PK")
    else:
        moved = (inbox if unread == "inbox" else seals).rename(listed.folder / "moved")
    assert not [line for line in check(listed, capsys) if "Compared" in line]
    listed.go("run")
    if unread == "roster":
        (inbox / "roster.xlsx").write_bytes(content)
    else:
        moved.rename(inbox if unread == "inbox" else seals)
    assert check(listed, capsys)[0].startswith("The rosters are as in run 2")
