"""report.html of a real run against the sandbox."""

from people import name

UPLOAD = "UploadFiles"
CREATE = "ChannelCreatePreparedPersonalEsign"


def test_every_call_of_a_run_is_measured(hospital_with):
    hospital = hospital_with(
        faults=[
            {"match": {"action": CREATE, "nth": [4]}, "do": "throttle"},
            {"match": {"action": UPLOAD, "nth": [3]}, "do": "reset_after"},
        ]
    )
    hospital.doctors(12)

    assert hospital.go("run") == 0

    record = hospital.record()
    timing = record["rate"]["timing"]
    requests = {action: sum(codes.values()) for action, codes in record["requests"].items()}
    assert timing["sends"] == requests == {CREATE: 13, UPLOAD: 13}
    assert timing["resends"] == {CREATE: 1, UPLOAD: 1}
    assert timing["lost"] == record["requests"][UPLOAD]["no_answer"] == 1
    assert record["rate"]["throttled"] == 1
    assert {action: spread["count"] for action, spread in timing["answers"].items()} == {
        CREATE: 13,
        UPLOAD: 12,
    }
    assert timing["waits"]["back_off"]["count"] == 2
    assert all(
        0 < spread["median"] <= spread["p95"] <= spread["longest"] for spread in timing["answers"].values()
    )

    latest = (hospital.folder / "out" / "latest" / "report.html").read_text("utf-8")
    (run,) = hospital.runs
    assert (run / "report.html").read_text("utf-8") == latest


def test_names_stand_in_the_page_and_not_in_the_record(hospital, capsys):
    hospital.seal_doctors(2)

    (run,) = hospital.runs
    assert f"Report: {run / 'report.html'}" in capsys.readouterr().err

    latest = hospital.folder / "out" / "latest"
    assert name(1) in (latest / "report.html").read_text("utf-8")
    assert name(1) not in (latest / "run.json").read_text("utf-8")


def test_a_check_and_a_retry_have_their_page_too(hospital):
    """In their own folders: the copy of the last run stays."""
    hospital.doctors(2)
    latest = hospital.folder / "out" / "latest"

    def page():
        return (hospital.newest / "report.html").read_text("utf-8")

    assert hospital.go("check") == 0
    assert "Check before sending" in page()
    assert not latest.exists()
    assert hospital.go("run") == 0
    assert "Run report" in page()
    copies = {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()}
    for command, text_part in (("retry", "The service was not called."), ("check", "Check before sending")):
        assert hospital.go(command) == 0
        assert text_part in page()
        assert {path: path.read_bytes() for path in latest.rglob("*") if path.is_file()} == copies
