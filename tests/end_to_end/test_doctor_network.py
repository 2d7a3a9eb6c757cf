"""`doctor` and `run` with servers that are not the service: whatever they answer is a finding with its cure."""

import gzip
import json
import re
import shutil
import socket

import pytest
from strange_servers import (
    StrangeServer,
    answer,
    close_after_request,
    close_in_handshake,
    cut_the_handshake,
    refuse_the_handshake,
    reset_in_handshake,
    send_raw,
    stay_silent,
)
from tls_support import CERTIFICATE, EXPIRED, WRONG_HOST, TlsRelay
from wire_support import UPLOAD, fault

from pipeline.esign import client
from pipeline.messages.areas import list_keys
from pipeline.messages.catalogue import make_message
from pipeline.messages.service_errors import make_network_cure
from pipeline.operations import doctor

HAN = re.compile(r"[\u4e00-\u9fff]")
LIVENESS = "ChannelDescribeOrganizationSeals"
PRODUCTION = {
    "endpoint": "https://essbasic.tencentcloudapi.com",
    "file_endpoint": "https://file.ess.tencent.cn",
}
LOGIN = "<html><head><title>网络登录 &amp; 认证\n\x1b[31m</title></head><form>…</form></html>".encode()
GB_LOGIN = '<html><meta charset="gb2312"><title>上网认证</title></html>'.encode("gb18030")
ANSWER = b'{"Response":{"TotalCount":0,"RequestId":"of-a-cache"}}'
HUGE = b"HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n" + b" " * 1_000_000
ELSEWHERE = "Location: https://user:secret@portal.hospital.example/login?token=secret"

# what the host answers: how, words of the finding, words of its cure
ANSWERS = {
    "a login page": (answer("200 OK", LOGIN), "web page, not the service's (HTTP 200, page “网络登录 & 认证", "log in"),
    "a login page in GBK": (answer("200 OK", GB_LOGIN), "page “上网认证”", "log in"),
    "a redirect": (answer("302 Found", b"", ELSEWHERE), "redirects to portal.hospital.example (HTTP 302)", "log in"),
    "a redirect to a path": (answer("307 Redirect", b"", "Location: /login"), "not the service's (HTTP 307)", "run esign-import sandbox"),
    "a redirect to nowhere": (answer("302 Found", b"", "Location: http://[::1/\udcff"), "(HTTP 302)", "run esign-import sandbox"),
    "403 of a filter": (
        answer("403 Forbidden", b"<title>ERR_ACCESS_DENIED</title>"), "(HTTP 403, page “ERR_ACCESS_DENIED”)", "run esign-import sandbox",
    ),
    "407": (answer("407 Proxy Authentication Required"), "asks for a user name and password", "USER:PASSWORD"),
    "502": (answer("502 Bad Gateway"), "a gateway before it failed (HTTP 502)", "run esign-import sandbox"),
    "no body": (answer("200 OK"), "not in the service's format", "run esign-import sandbox"),
    "no RequestId": (answer("200 OK", b'{"Response":{}}'), "not in the service's format", "run esign-import sandbox"),
    "an Error that is a text": (answer("200 OK", b'{"Response":{"Error":"no"}}'), "not in the service's", "run esign-import sandbox"),
    "deeply nested JSON": (answer("200 OK", b"[" * 100_000), "not in the service's format", "run esign-import sandbox"),
    "JSON that breaks off": (answer("200 OK", ANSWER[:-3]), "it was cut", "run esign-import sandbox"),
    "UTF-16": (answer("200 OK", ANSWER.decode().encode("utf-16")), "converted", "run esign-import sandbox"),
    "gzip": (
        answer("200 OK", gzip.compress(ANSWER), "Content-Encoding: gzip"), "compressed", "run esign-import sandbox",
    ),
    "SSH": (send_raw(b"SSH-2.0-OpenSSH_9\r\n"), "not in HTTP format", "run esign-import sandbox"),
    "a chunk that is none": (
        send_raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"), "not in HTTP format", "run esign-import sandbox",
    ),
    "a header of 100 KB": (
        send_raw(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n"), "not in HTTP format", "run esign-import sandbox",
    ),
    "a body of 100 MB": (send_raw(HUGE, times=100), "the answer is too large", "run esign-import sandbox"),
    "a body that is cut": (
        send_raw(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{}"), "interrupted during the answer", "let 127.0.0.1",
    ),
    "a connection that ends": (close_after_request, "interrupted before an answer came", "let 127.0.0.1"),
    "silence": (stay_silent, "no answer came in time", "api.timeout_seconds"),
}  # fmt: skip
# what the host does with the greeting of a TLS connection
HANDSHAKES = {
    "closed": (close_in_handshake, "interrupted while its encryption was set up", "let 127.0.0.1"),
    "reset": (reset_in_handshake, "interrupted while its encryption was set up", "let 127.0.0.1"),
    "cut": (cut_the_handshake, "interrupted while its encryption was set up", "let 127.0.0.1"),
    "refused": (refuse_the_handshake, "the TLS handshake failed", "TLS 1.2 and 1.3"),
    "silence": (stay_silent, "could not connect: timed out", "run esign-import sandbox"),
}
# what the proxy of the configuration answers
PROXIES = {
    "407": (
        answer("407 Proxy Authentication Required"),
        "asks for a user name and password",
        "USER:PASSWORD",
    ),
    "403": (answer("403 Forbidden"), "the proxy refused the connection (HTTP 403)", "let the proxy connect"),
    "502": (
        answer("502 Bad Gateway"),
        "the proxy refused the connection (HTTP 502)",
        "let the proxy connect",
    ),
    "a connection that ends": (close_after_request, "closed before anything was sent", "let essbasic"),
    "a tunnel that ends": (answer("200 OK"), "interrupted while its encryption was set up", "let essbasic"),
    "silence": (stay_silent, "could not connect: timed out", "Check api.proxy"),
}
CERTIFICATES = {
    "an unknown issuer": (CERTIFICATE, {}, "self-signed certificate", "api.ca_file"),
    "an expired one": (EXPIRED, {"ca_file": str(EXPIRED)}, "has expired", "date and time of this machine"),
    "that of another host": (WRONG_HOST, {"ca_file": str(WRONG_HOST)}, "mismatch", "api.endpoint"),
}


def examine(hospital, capsys, language="en"):
    """Return the exit code of `doctor` and its findings."""
    capsys.readouterr()
    code = hospital.go("--lang", language, "--json", "doctor")
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    assert "\x1b" not in shown.out
    report = json.loads(shown.out)
    assert report["exit"] == code
    return code, report["findings"]


def choose_seconds(strike):
    """Return how long to wait for a server: short only for one that never answers."""
    return 0.5 if strike is stay_silent else 60


def list_faults(findings, topic="network"):
    return [finding for finding in findings if (finding["topic"], finding["level"]) == (topic, "fault")]


def require_fault(
    hospital, capsys, words, cure, *, topic="network", exit_code=5, faults=1, languages=("en", "zh")
):
    """Require one fault, with its cure, in both languages; everything behind it is examined as well."""
    for language in languages:
        code, findings = examine(hospital, capsys, language)
        assert code == exit_code, findings
        assert findings[-1]["topic"] == "versions"
        of_topic = list_faults(findings, topic)
        assert len(of_topic) == faults, findings
        assert [finding for finding in findings if finding["level"] == "fault"] == of_topic
        text, remedy = of_topic[0]["text"], of_topic[0]["remedy"] or ""
        if language == "en":
            assert words in text, text
            assert cure in f"{remedy} {text}", remedy
        else:
            assert HAN.search(text), text
            assert HAN.search(f"{remedy} {text}"), remedy


@pytest.mark.parametrize("name", ANSWERS)
def test_an_answer_that_is_not_the_services_is_a_finding(hospital, capsys, name):
    strike, words, cure = ANSWERS[name]
    with StrangeServer(strike) as server:
        hospital.configure(endpoint=server.url, timeout_seconds=choose_seconds(strike))
        # one answer of each cure in Chinese as well
        is_first = next(other for other, (*_, its_cure) in ANSWERS.items() if its_cure == cure) == name
        require_fault(hospital, capsys, words, cure, languages=("en", "zh") if is_first else ("en",))


def test_it_is_found_without_keys_and_at_the_file_host_alone(hospital, capsys):
    with StrangeServer(answer("200 OK", LOGIN)) as server:
        hospital.configure(file_endpoint=server.url)
        require_fault(hospital, capsys, f"{server.host}: the answer is a web page", "log in")
        shutil.rmtree(hospital.folder / "secrets")
        hospital.configure(endpoint=server.url)
        code, findings = examine(hospital, capsys)
    assert code == 4
    assert "web page" in list_faults(findings)[0]["text"]
    assert not any(finding["topic"] == "clock" for finding in findings), "its Date is not the service's"


@pytest.mark.parametrize("name", HANDSHAKES)
def test_a_handshake_that_fails_is_a_finding(hospital, capsys, monkeypatch, name):
    strike, words, cure = HANDSHAKES[name]
    monkeypatch.setattr(client, "CONNECT_SECONDS", choose_seconds(strike))
    with StrangeServer(strike) as server:
        hospital.configure(endpoint=f"https://{server.host}", timeout_seconds=choose_seconds(strike))
        require_fault(hospital, capsys, words, cure)


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_that_lets_nothing_through_is_a_finding(hospital, capsys, monkeypatch, name):
    strike, words, cure = PROXIES[name]
    monkeypatch.setattr(client, "CONNECT_SECONDS", choose_seconds(strike))
    with StrangeServer(strike) as server:
        hospital.configure(**PRODUCTION, proxy=f"http://user:secret@{server.host}")
        of_proxy = name.isdigit()
        require_fault(hospital, capsys, words, cure, faults=1 if of_proxy else 2)
        _, findings = examine(hospital, capsys)
        texts = [f"{finding['text']} {finding['remedy']}" for finding in list_faults(findings)]
    assert not any("secret" in text for text in texts)
    assert all(server.host in text for text in texts) or "ends" in name


@pytest.mark.parametrize("name", CERTIFICATES)
def test_a_certificate_that_is_refused_has_its_own_cure(hospital, capsys, name):
    certificate, settings, words, cure = CERTIFICATES[name]
    with TlsRelay(hospital.sandbox.url, certificate) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}", **settings)
        require_fault(hospital, capsys, words, cure)


def test_a_port_without_tls_is_a_finding(hospital, capsys):
    hospital.configure(endpoint=hospital.sandbox.url.replace("http:", "https:"))
    require_fault(
        hospital, capsys, "this port does not use https", f"set api.endpoint: {hospital.sandbox.url}"
    )


def test_an_answer_of_a_cache_is_a_finding_and_its_date_no_clock(hospital, capsys):
    date = "Date: Mon, 01 Jan 2024 00:00:00 GMT"
    with StrangeServer(answer("200 OK", ANSWER, date)) as server:
        hospital.configure(endpoint=server.url)
        require_fault(hospital, capsys, "a RequestId that was seen before", "run esign-import sandbox")


@pytest.mark.parametrize("date", ["yesterday", "Mon, 99 Foo 99999999 00:00:00 GMT"])
def test_a_date_that_is_none_ends_nothing(hospital, capsys, date):
    body = json.dumps({"Response": {"TotalCount": 0, "RequestId": f"dated {date}"}}).encode()
    with StrangeServer(answer("200 OK", body, f"Date: {date}")) as server:
        hospital.configure(endpoint=server.url, contract="inline")
        code, findings = examine(hospital, capsys)
    assert code == 0, findings
    assert any(finding["topic"] == "credentials" and "accepted" in finding["text"] for finding in findings)


def test_a_host_that_listens_on_ipv6_alone_is_examined(hospital, capsys):
    with StrangeServer(answer("200 OK", LOGIN), host="::1") as server:
        hospital.configure(endpoint=server.url)
        require_fault(hospital, capsys, f"{server.host}: the answer is a web page", "log in")
    require_fault(hospital, capsys, "the connection was refused", "Start the sandbox first")


@pytest.fixture
def no_names(monkeypatch):
    """DNS gives nothing, and this machine names no proxy."""

    look_up = socket.getaddrinfo

    def refuse(host, *arguments, **options):
        if host == "127.0.0.1":
            return look_up(host, *arguments, **options)
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.usefixtures("no_names")
def test_a_name_that_is_not_found_is_a_finding_of_each_host(hospital, capsys):
    hospital.configure(**PRODUCTION)
    require_fault(hospital, capsys, "the host name was not found", "DNS settings", faults=2)


@pytest.mark.usefixtures("no_names")
def test_a_proxy_that_only_the_machine_knows_is_named_without_its_password(hospital, capsys, monkeypatch):
    hospital.configure(**PRODUCTION)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:secret@{address}")
        proxy = f"set api.proxy: http://{address}"
        require_fault(hospital, capsys, "the host name was not found", proxy, faults=2)
    refused = f"The proxy http://{address} in the environment of this machine cannot be reached either (the connection was refused)"
    require_fault(hospital, capsys, "the host name was not found", refused, faults=2)
    monkeypatch.setenv("NO_PROXY", ".tencentcloudapi.com,.tencent.cn")
    require_fault(hospital, capsys, "the host name was not found", "DNS settings", faults=2)


@pytest.mark.parametrize(
    ("action", "do", "words", "cure", "exit_code"),
    [
        (LIVENESS, {"code": {"code": "InternalError", "message": "内部错误"}}, "InternalError: 内部错误", "RequestId", 5),
        (LIVENESS, {"code": {"code": "Strange.Code", "message": "110101199003070732"}}, "Strange.Code: ****", "RequestId", 5),
        (LIVENESS, "throttle", "RequestLimitExceeded", "in a few minutes", 5),
        (UPLOAD, {"code": {"code": "AuthFailure.UnauthorizedOperation", "message": "CAM"}}, "refused an upload", "CAM", 4),
        (UPLOAD, {"code": {"code": "OperationDenied.WhiteListForbid", "message": "W"}}, "refused an upload", "W", 4),
    ],
)  # fmt: skip
def test_a_refusal_is_reported_with_the_words_of_the_service(
    hospital_with, capsys, action, do, words, cure, exit_code
):
    hospital = hospital_with(faults=[fault(do, action=action, nth=(1, 2))])
    require_fault(hospital, capsys, words, cure, topic="credentials", exit_code=exit_code)


def test_a_file_host_that_is_the_general_one_is_a_finding(hospital_with, capsys):
    hospital = hospital_with(faults=[fault({"code": "InvalidAction"}, action=UPLOAD, nth=(1, 2))])
    require_fault(hospital, capsys, "takes no uploads (InvalidAction)", "api.file_endpoint")
    assert list_faults(examine(hospital, capsys)[1]) == []


def test_a_program_error_ends_one_examination_alone(hospital, capsys, monkeypatch):
    monkeypatch.setattr(doctor, "PACKAGES", 0)
    code, findings = examine(hospital, capsys)
    assert code == 1
    (broken,) = list_faults(findings, "versions")
    assert "TypeError" in broken["text"]
    assert "-v doctor" in broken["remedy"]
    hospital.go("-v", "doctor")
    assert "Traceback" in capsys.readouterr().err


def test_everything_of_the_wire_that_may_end_a_call_has_a_cure():
    own = {
        "title",
        "cancelled",
        "no_slot",
        "process_ended",
    }  # of a sentence, and of calls that a run ended itself
    names = [key.removeprefix("wire.") for key in list_keys("wire") if key.startswith("wire.")]
    blanks = {"why": "", "status": 200, "page": "", "target": "", "run": ""}
    for name in set(names) - own:
        assert make_network_cure(make_message(f"wire.{name}", **blanks), "host") is not None, name
    assert make_network_cure("of another version", "host") is None


# -- a run says the same


@pytest.mark.parametrize(
    ("strike", "words", "cure"),
    [ANSWERS[name] for name in ("a login page", "a redirect", "407", "502", "silence")],
)
def test_a_run_names_what_answered_and_its_cure(hospital, capsys, strike, words, cure):
    hospital.doctors(3)
    with StrangeServer(strike) as server:
        hospital.configure(endpoint=server.url, timeout_seconds=choose_seconds(strike))
        assert hospital.go("run") == 5
    console = capsys.readouterr().err
    assert words in console, console
    assert cure in console
    assert "Then run again; rows that were not sent are sent then." in " ".join(console.split())
    assert "a seal may have been created" not in console, "nothing but uploads was sent"
    assert hospital.statuses() == {"not_sent": 3}
    hospital.go("--lang", "zh", "status")
    assert "处理好之后再运行，没有提交的行会接着提交" in "".join(capsys.readouterr())


def test_a_run_names_the_cure_of_a_refused_certificate(hospital, capsys):
    hospital.doctors(1)
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}")
        assert hospital.go("run") == 4
        assert f"exempt 127.0.0.1:{relay.port}" in capsys.readouterr().err
