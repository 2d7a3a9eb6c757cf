"""A reader is told what happened on the wire in words, in one language; a library's own words stay in log.jsonl."""

import re
import sqlite3
from contextlib import closing

import openpyxl
import pytest
from resolution_support import run_later
from tls_support import CERTIFICATE, EXPIRED, WRONG_HOST, TlsRelay
from wire_support import UPLOAD, fault, refusing_port

CLASS = re.compile(r"\b[A-Z]\w*(?:Error|Exception|Timeout)\b")


def spoken(hospital, capsys, language):
    """Every surface a reader has: the console, the workbook, the pages, `explain` for each row."""
    capsys.readouterr()
    hospital.go("--lang", language, "run")
    console = capsys.readouterr().err
    latest = hospital.folder / "out" / "latest"
    book = openpyxl.load_workbook(latest / "results.xlsx")
    cells = [str(cell.value) for sheet in book for line in sheet.iter_rows() for cell in line if cell.value]
    pages = [(latest / file).read_text("utf-8") for file in ("report.html", "outcomes.jsonl", "run.json")]
    for row in hospital.outcomes():
        run_later(hospital, "--lang", language, "explain", row["staff_no"])
    run_later(hospital, "--lang", language, "status")
    asked = capsys.readouterr()
    return [console, *cells, *pages, asked.out, asked.err]


def cut(text):
    """Return a page's own data, without its program."""
    return re.sub(r"<script(?! type=.application/json).*?</script>", "", text, flags=re.DOTALL)


@pytest.mark.parametrize(
    ("kind", "zh", "en"),
    [
        ("reset_after", "等待应答时连接断开了", "the connection was interrupted before an answer came"),
        ({"delay_after": 60}, "等待应答超时", "no answer came in time"),
        ({"http_502": "after"}, "HTTP 状态码不是 200", "The HTTP status was not 200"),
        ({"html_200": "after"}, "应答不是接口的格式", "The answer is not in the service's format"),
    ],
)
def test_a_lost_answer_is_described_in_words(hospital_with, capsys, kind, zh, en):
    language = "en" if kind in ("http_502", "html_200") else "zh"
    is_late = "delay_after" in kind
    hospital = hospital_with(faults=[fault(kind)], api={"timeout_seconds": 2 if is_late else 30})
    hospital.doctors(2)
    surfaces = spoken(hospital, capsys, language)
    assert [CLASS.findall(cut(text)) for text in surfaces if CLASS.search(cut(text))] == []
    assert sum((zh if language == "zh" else en) in text for text in surfaces) >= 3, "All, Unknown, explain"
    if kind == "reset_after":
        assert CLASS.search((hospital.runs[-1] / "log.jsonl").read_text("utf-8")), (
            "for whoever mends the network"
        )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_service_that_is_not_there_is_described_in_words(hospital, capsys, language):
    hospital.doctors(2)
    with refusing_port() as port:
        hospital.configure(endpoint=f"http://127.0.0.1:{port}")
        surfaces = spoken(hospital, capsys, language)
    assert [CLASS.findall(cut(text)) for text in surfaces if CLASS.search(cut(text))] == []
    wanted = "连接不上：连接被拒绝" if language == "zh" else "could not connect: the connection was refused"
    assert sum(wanted in text for text in surfaces) >= 2
    assert (hospital.record()["halted"] or {})["code"] == "OUTAGE"
    if language == "zh":
        assert re.search(r"已停止：连接不上服务或没有可用的应答（[^a-z]+）", surfaces[0])


@pytest.mark.parametrize(
    ("certificate", "why"),
    [
        (CERTIFICATE, "self-signed certificate"),
        (EXPIRED, "certificate has expired"),
        (WRONG_HOST, "IP address mismatch"),
    ],
)
def test_a_refused_certificate_is_reported_with_its_reason(hospital, capsys, certificate, why):
    hospital.doctors(1)
    with TlsRelay(hospital.sandbox.url, certificate) as relay:
        trusted = {} if certificate is CERTIFICATE else {"ca_file": str(certificate)}
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}", **trusted)
        surfaces = spoken(hospital, capsys, "zh")
    assert "已停止：没有建立可信的加密连接：证书没有通过验证（" in surfaces[0]
    assert why in surfaces[0]
    assert [CLASS.findall(cut(text)) for text in surfaces if CLASS.search(cut(text))] == []
    assert hospital.record()["halted"]["texts"]["message"]["key"].startswith("wire.certificate")


def test_a_port_without_tls_is_not_a_refused_certificate(hospital, capsys):
    hospital.doctors(1)
    hospital.configure(endpoint=hospital.sandbox.url.replace("http:", "https:"))
    surfaces = spoken(hospital, capsys, "en")
    assert "no trusted encrypted connection: this port does not use https" in surfaces[0]
    assert "api.endpoint" in surfaces[0]


def test_words_of_an_older_version_are_left_out(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(2)
    hospital.go("run")
    with closing(sqlite3.connect(hospital.folder / "state" / "ledger.sqlite3")) as ledger:
        ledger.execute(
            "UPDATE attempt SET message = 'ClientOSError: [Errno 104] Connection reset' WHERE code = 'no_answer'"
        )
        ledger.commit()
    surfaces = spoken(hospital, capsys, "zh")
    assert "ClientOSError" not in "".join(map(cut, surfaces))
    assert "没有等到应答" in "".join(surfaces)


def test_a_lost_upload_is_reported_with_its_reason(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_before", action=UPLOAD, nth=(2, 3, 4, 5))])
    hospital.doctors(2)
    surfaces = spoken(hospital, capsys, "zh")
    assert hospital.statuses() == {"sealed": 1, "not_sent": 1}
    assert [CLASS.findall(cut(text)) for text in surfaces if CLASS.search(cut(text))] == []
