"""TLS is always verified: a strange certificate stops the run before a byte of a request is sent."""

import pytest
from tls_support import CERTIFICATE, TlsRelay

import pipeline


@pytest.mark.parametrize("contract", ["file_id", "inline"])
def test_an_unknown_certificate_stops_the_run_with_nothing_sent(hospital, contract):
    hospital.doctors(5)
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}", contract=contract)
        assert hospital.go("run") == 4
        assert relay.received == 0
    assert hospital.statuses() == {"not_sent": 5}
    assert hospital.record()["halted"]["code"] == "TLS"


def test_a_private_authority_is_believed_when_the_config_names_it(hospital):
    hospital.doctors(2)
    (hospital.folder / "ca.pem").write_text(CERTIFICATE.read_text())
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}", ca_file="ca.pem")
        assert hospital.go("run") == 0
        assert relay.received > 0
    assert hospital.statuses() == {"sealed": 2}


def test_the_secrets_of_a_connection_are_written_nowhere(hospital, monkeypatch):
    """SSLKEYLOGFILE is for debugging browsers; these connections carry identity numbers."""
    hospital.doctors(1)
    (hospital.folder / "ca.pem").write_text(CERTIFICATE.read_text())
    keys = hospital.folder / "keys.log"
    with TlsRelay(hospital.sandbox.url) as relay:
        hospital.configure(endpoint=f"https://127.0.0.1:{relay.port}", ca_file="ca.pem")
        with hospital.start("run", SSLKEYLOGFILE=str(keys)) as child:
            _, stderr_text = child.communicate(timeout=60)
        assert (child.returncode, keys.exists()) == (0, False), stderr_text
        monkeypatch.setenv("SSLKEYLOGFILE", str(keys))  # from Python, with the libraries imported already
        hospital.doctors(2)
        assert pipeline.run(hospital.folder / "config.yaml").exit == 0
    assert (relay.received > 0, keys.exists()) == (True, False)
