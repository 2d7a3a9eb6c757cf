"""What stops no run and somebody has to put right is said: on the console, in the Summary, on the page, in run.json."""

import html
import os

import openpyxl
import pytest
from wire_support import CREATE, UPLOAD, fault

WORDS = {
    "CLOCK_WRONG": {"en": "This machine's clock is 61 min slow", "zh": "本机时钟比腾讯的时间慢 61 分钟"},
    "FILE_EXPOSED": {"en": "Other users of this machine can read", "zh": "的权限允许本机的其他用户读取"},
    "ROSTER_OPEN": {
        "en": "roster.xlsx is open in Excel or WPS",
        "zh": "roster.xlsx 正在 Excel 或 WPS 里打开",
    },
    "IMAGE_HARD_LINK": {
        "en": "1 seal picture in use is a hard link (00001.png)",
        "zh": "硬链接（如 00001.png）",
    },
    "SERVICE_DEPRECATED": {"en": "UploadFiles is deprecated: “Soon.”", "zh": "UploadFiles 将停用：“Soon.”"},
}


def skewed(seconds):
    """Set the service's clock wrong for every call: to it, ours is."""
    return [fault({"clock_skew": seconds}, action=action, nth=range(1, 9)) for action in (UPLOAD, CREATE)]


def codes(hospital):
    return sorted(notice["code"] for notice in hospital.record().get("notices", ()))


@pytest.mark.skipif(os.name == "nt", reason="rights and hard links of POSIX")
@pytest.mark.parametrize("language", ["en", "zh"])
def test_each_notice_is_reported_everywhere_with_its_cure(hospital_with, capfd, language):
    warning = fault({"deprecated": "Soon."}, action=UPLOAD, nth=(1,))
    hospital = hospital_with(faults=[*skewed(3660), warning])
    hospital.doctors(1)
    secret = hospital.folder / "secrets" / "tencent__secret_key"
    secret.chmod(0o644)
    (hospital.folder / "inbox" / "~$roster.xlsx").write_bytes(b"\x05clerk")
    os.link(hospital.folder / "seals" / "00001.png", hospital.folder / "elsewhere.png")
    assert hospital.go("--lang", language, "run") == 0
    assert codes(hospital) == sorted(WORDS)
    console, latest = capfd.readouterr().err, hospital.folder / "out" / "latest"
    sheet = openpyxl.load_workbook(latest / "results.xlsx").worksheets[0]
    summary = "\n".join(str(cell) for row in sheet.iter_rows(values_only=True) for cell in row if cell)
    page = html.unescape((latest / "report.html").read_text("utf-8"))
    for surface in (console, summary, page):
        assert [text[language] for text in WORDS.values() if text[language] not in surface] == []
        assert str(secret) in surface


def test_doctor_reports_the_interfaces_that_will_end(hospital_with, capfd):
    """Of the last run that made calls, and of its own."""
    of_run = fault({"deprecated": "Soon."}, action=UPLOAD, nth=(1,))
    of_doctor = fault({"deprecated": "Sooner."}, action="ChannelDescribeOrganizationSeals", nth=(2,))
    hospital = hospital_with(faults=[of_run, of_doctor])
    hospital.seal_doctors(1)
    assert hospital.go("run") == 0  # has nothing to send
    hospital.go("doctor")
    first = capfd.readouterr().out
    assert "the service announced that UploadFiles will end: “Soon.”" in first
    assert "Update this program" in first
    hospital.go("doctor")
    assert "announces that ChannelDescribeOrganizationSeals will end: “Sooner.”" in capfd.readouterr().out


@pytest.mark.parametrize("seconds", [50, -50])
def test_a_run_without_trouble_has_no_notice(hospital_with, capfd, seconds):
    hospital = hospital_with(faults=skewed(seconds))
    hospital.seal_doctors(1)
    assert codes(hospital) == []
    assert "Warning" not in capfd.readouterr().err


@pytest.mark.skipif(os.name == "nt", reason="rights of POSIX")
def test_a_check_reports_the_notices_that_need_no_call(hospital, capfd):
    hospital.doctors(1)
    config = hospital.folder / "config.yaml"
    text = config.read_text("utf-8")
    config.write_text(text.replace("api:\n", "api:\n  proxy: http://it:geheim@127.0.0.1:9\n"), "utf-8")
    config.chmod(0o604)
    (hospital.folder / "secrets" / "roster__password").write_text("geheim")
    (hospital.folder / "secrets" / "roster__password").chmod(0o640)
    (hospital.folder / "inbox" / ".~lock.roster.xlsx#").write_text(",clerk,host,;")
    assert hospital.go("check") == 0
    assert codes(hospital) == ["FILE_EXPOSED", "ROSTER_OPEN"]
    stderr_text = capfd.readouterr().err
    assert (
        f"can read the keys or passwords in {config}, {hospital.folder / 'secrets' / 'roster__password'}."
        in stderr_text
    )


@pytest.mark.parametrize(
    ("language", "step"), [("zh", "保存并关闭后再运行："), ("en", "Save and close it, then run again:")]
)
def test_the_last_line_of_a_run_waits_for_an_open_roster(hospital, capfd, language, step):
    hospital.doctors(1)
    (hospital.folder / "inbox" / "~$roster.xlsx").write_bytes(b"")
    assert hospital.go("--lang", language, "run") == 0
    *_, text, command = capfd.readouterr().err.rstrip().splitlines()
    assert text.endswith(step)
    assert command.endswith(" run")
