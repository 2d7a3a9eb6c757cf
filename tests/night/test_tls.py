"""TLS is always verified: a strange certificate stops the run before a byte of a request is sent."""

import pytest
from tls_support import CERTIFICATE, TlsRelay


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
