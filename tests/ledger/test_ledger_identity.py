"""Digests that never change, and tenants that are never confused."""

from __future__ import annotations

import pytest

from pipeline.domain.site_key import KEY_FORMAT, SiteKey
from pipeline.errors import UsageError
from pipeline.ledger.tenant import make_tenant_id

KEY = SiteKey(bytes(range(32)), "production/app/org")


def test_the_digests_are_those_that_lie_in_ledgers_already():
    """They change with a new KEY_FORMAT, or every doctor is new."""
    assert KEY_FORMAT == 1
    assert KEY.person("110101199003070011") == "478c3b5d23fd30ceecc2a17727072922"
    assert KEY.row(["name=张三", "id_card_number=1"], 0) == "97a7746fe835b7c93c2408812fd23b41"
    assert KEY.digest("13800138000") == "812131485ae87b253b6e67cca71b5dd0"
    assert KEY.check() == "2abc10f4d63f05b49bbbcafd9568f396"


def test_digests_of_different_parts_differ():
    digests = [
        KEY.row(["ab", "c"], 0),
        KEY.row(["a", "bc"], 0),
        KEY.row(["abc"], 0),
        KEY.row(["ab", "c", ""], 0),
        KEY.row(["ab", "c"], 1),
        KEY.row([], 0),
        KEY.person("1"),
        KEY.digest("1"),
        SiteKey(KEY.secret, "production/app/org1").person(""),
        KEY.person(""),
        SiteKey(KEY.secret, "test/app/org").person("1"),
        SiteKey(bytes(32), KEY.tenant).person("1"),
    ]
    assert len(set(digests)) == len(digests)


def test_text_that_no_encoding_holds_has_a_digest_too():
    assert KEY.digest("\ud800") != KEY.digest("?")


def test_the_secret_shows_nowhere():
    assert KEY.secret.hex() not in repr(KEY)
    assert repr(KEY) == "SiteKey(tenant='production/app/org')"


@pytest.mark.parametrize(
    ("endpoint", "environment"),
    [
        ("https://essbasic.tencentcloudapi.com", "production"),
        ("https://ESSBASIC.ap-guangzhou.tencentcloudapi.com:443/", "production"),
        ("https://essbasic.test.ess.tencent.cn", "test"),
        ("http://127.0.0.1:8765", "sandbox"),
        ("http://127.9.9.9", "sandbox"),
        ("http://localhost:1", "sandbox"),
        ("http://[::1]:8765", "sandbox"),
    ],
)
def test_a_tenant_is_environment_application_and_organisation(endpoint, environment):
    assert make_tenant_id(endpoint, "yDRapp", "org_1") == f"{environment}/yDRapp/org_1"


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://tencentcloudapi.com.evil.cn",
        "https://eviltencentcloudapi.com",
        "https://10.0.0.1",
        "127.0.0.1:80",
        "",
    ],
)
def test_an_unnamed_ledger_has_no_tenant(endpoint):
    with pytest.raises(UsageError):
        make_tenant_id(endpoint, "app", "org")


def test_an_id_cannot_pass_for_two():
    assert make_tenant_id("http://localhost", "a/b", "c") != make_tenant_id("http://localhost", "a", "b/c")
