"""An outage is told while it lasts: which host, why, since when, when the run gives up; and in the last words."""

import os
import re
import signal
import sys
import threading

import pytest
from run_support import wait_until
from strange_servers import StrangeServer, answer, close_after_request
from tls_support import TlsRelay
from wire_support import UPLOAD, refusing_port

TIME = r"\d\d:\d\d"


@pytest.fixture
def dead_port():
    with refusing_port() as port:
        yield port


CAUSE = {
    "en": r"could not connect: the connection was refused",
    "zh": r"连接不上：连接被拒绝",
}


@pytest.mark.parametrize(
    ("language", "paused", "line", "halted"),
    [
        (
            "en",
            rf"No usable answer from {{host}} since {TIME} \({{cause}}\)\. Sending is paused .*; the run stops at {TIME} if there is still no answer\. Start the sandbox first",
            rf"done 0/2 \(0%\) no answer since {TIME}, giving up at {TIME}\n",
            r"Stopped: the service was unavailable \({host}: {cause}; waited [\d.]+ m?s since [-\d]+ [:\d]+\)\. IT: Start the sandbox first",
        ),
        (
            "zh",
            rf"{{host}} 从 {TIME} 起没有可用的应答（{{cause}}）。暂停提交.*到 {TIME} 仍没有应答就停止本次运行。先启动沙盒",
            rf"已完成 0/2（0%）{TIME} 起没有应答，{TIME} 放弃\n",
            r"已停止：连接不上服务或没有可用的应答（{host}：{cause}；从 [-\d]+ [:\d]+ 起等待了 [\d.]+ 毫?秒）。信息科：先启动沙盒",
        ),
    ],
)
def test_plain_lines_report_an_outage(hospital, capfd, dead_port, language, paused, line, halted):
    hospital.doctors(2)
    hospital.configure(endpoint=f"http://127.0.0.1:{dead_port}")
    assert hospital.go("--lang", language, "run") == 5
    stderr_text = capfd.readouterr().err
    hospital.go("--lang", language, "status")
    status = capfd.readouterr().out
    filled = {"host": f"127\\.0\\.0\\.1:{dead_port}", "cause": CAUSE[language]}
    assert len(re.findall(paused.format(**filled), stderr_text)) == 1, stderr_text
    assert re.search(line.format(**filled), stderr_text), stderr_text
    assert re.search(halted.format(**filled), stderr_text), stderr_text
    assert re.search(halted.format(**filled), status), status
    assert hospital.record()["halted"]["host"] == f"127.0.0.1:{dead_port}"


@pytest.mark.parametrize(
    ("strike", "then"),
    [
        (answer("200 OK", b"<html><title>login</title></html>"), "doctor"),
        (answer("403 Forbidden"), "doctor"),
        (close_after_request, "doctor"),
        (answer("502 Bad Gateway"), "run"),
        (answer("500 Internal Server Error"), "run"),
    ],
    ids=["portal", "filter", "cut", "gateway", "service"],
)
def test_the_last_line_is_doctor_where_the_network_stopped_the_run(hospital, capfd, strike, then):
    hospital.doctors(2)
    with StrangeServer(strike) as server:
        hospital.configure(endpoint=server.url)
        assert hospital.go("run") == 5
        assert_last_command(hospital, capfd, then)
        hospital.go("--lang", "zh", "status")
        assert_last_command(hospital, capfd, then)


def test_the_last_line_is_doctor_after_a_certificate_that_is_not_known(hospital, capfd):
    hospital.doctors(2)
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}")
        for command, exit_code in (("run", 4), ("status", 0)):
            assert hospital.go(command) == exit_code
            assert_last_command(hospital, capfd, "doctor")


def assert_last_command(hospital, capfd, command):
    last = capfd.readouterr().err.rstrip().splitlines()[-1]
    assert re.search(rf"--config {re.escape(str(hospital.folder))}/config.yaml {command}$", last)


def test_a_proxy_that_is_not_there_is_named(hospital, capfd, dead_port):
    hospital.doctors(2)
    hospital.configure(proxy=f"http://user:geheim@127.0.0.1:{dead_port}")
    assert hospital.go("run") == 5
    stderr_text = capfd.readouterr().err
    assert f"from 127.0.0.1:{dead_port} since" in stderr_text
    assert "the proxy could not be reached: the connection was refused" in stderr_text
    assert "geheim" not in stderr_text


def test_the_end_of_an_outage_is_reported(hospital_with, capfd):
    silent = {"match": {"action": UPLOAD, "from": 2, "to": 6}, "do": {"http_502": "before"}}
    hospital = hospital_with(faults=[silent])
    hospital.seal_doctors(8)  # no row is struck four times: by then the first calls of others have come
    stderr_text = capfd.readouterr().err
    host = hospital.sandbox.url.removeprefix("http://")
    assert f"No usable answer from {host} since" in stderr_text
    assert "the service or a gateway before it failed (HTTP 502" in stderr_text
    assert f"{host} answers again (after" in stderr_text


@pytest.mark.skipif(os.name == "nt", reason="a pseudo-terminal is needed")
def test_the_bar_reports_an_outage(hospital, dead_port):
    import fcntl
    import pty
    import struct
    import termios

    hospital.doctors(2)
    hospital.configure(endpoint=f"http://127.0.0.1:{dead_port}")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 160, 0, 0))
    seen = []

    def read():
        try:
            while piece := os.read(ours, 65536):
                seen.append(piece)
        except OSError:  # the other side has gone
            pass

    reader = threading.Thread(target=read)
    reader.start()
    with os.fdopen(theirs, "w", encoding="utf-8") as terminal, pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stderr", terminal)
        assert hospital.go("run", "--yes") == 5
    reader.join()
    os.close(ours)
    bars = [bar for bar in re.split(r"[\r\n]+", b"".join(seen).decode()) if "0/2" in bar]
    assert any(re.search(rf"no answer since {TIME}, giving up at {TIME}$", bar) for bar in bars), bars
    assert not any("left" in bar for bar in bars if "no answer" in bar)


def test_a_run_that_is_interrupted_in_an_outage_names_its_cause_and_ends_with_doctor(
    hospital, zygote, capfd, dead_port
):
    hospital.doctors(3)
    hospital.configure(endpoint=f"http://127.0.0.1:{dead_port}")
    run = zygote.start(hospital, "run")
    paused = rf"127\.0\.0\.1:{dead_port} since|from 127"
    wait_until(lambda: run.printed.exists() and re.search(paused, run.printed.read_text("utf-8")))
    run.send_signal(signal.SIGTERM)
    assert run.wait() == 143
    printed = run.printed.read_text("utf-8")
    assert "Stopped: the service was unavailable" in printed
    assert "Start the sandbox first" in printed
    assert printed.rstrip().endswith(" doctor")
    hospital.go("--lang", "zh", "status")
    status = capfd.readouterr()
    assert "已停止：连接不上服务" in status.out
    assert "先启动沙盒" in status.out
    assert status.err.rstrip().endswith(" doctor")
