"""`api.product: ess`: a hospital that is itself a customer, through the same commands and the same code."""

import random
import shutil

import pytest
from people import make_row
from PIL import Image
from pty_support import run_on_terminal
from resolution_support import list_made_seals, read_unknown_rows, run_later
from run_support import draw_seal
from wire_support import fault

from pipeline.cli.app import main
from pipeline.config.settings import Config
from pipeline.errors import ConfigError
from pipeline.reports.records import read_preview
from pipeline.sandbox.actions import Rules
from pipeline.workflow.run_preview import describe_preview


def describe_checked_preview(hospital, language):
    """Return what the page says of the newest check."""
    preview = read_preview(hospital.newest, hospital.newest.name)
    return [text.render(language) for text in describe_preview(preview, language)]


API = {"product": "ess", "process_seal": True, "seal_color": "BLUE", "scene_key": "OTHER"}


def test_two_nights_with_a_lost_answer_a_refusal_and_a_throttle(hospital_with, capsys):
    refused = {"code": {"code": "InvalidParameter.InvalidName", "message": "姓名不正确"}}
    hospital = hospital_with(
        rules=Rules(limiter="none", unique_names="code"),
        faults=[fault("throttle", nth=(1,)), fault("reset_after", nth=(3,)), fault(refused, nth=(4,))],
        api=API,
    )
    rows = [(*make_row(serial), "红", "处方") for serial in range(1, 5)]
    hospital.roster(rows, headers=("姓名", "证件号码", "手机号", "工号", "科室", "印章颜色", "场景"))
    for serial in range(1, 5):
        draw_seal(hospital.folder / "seals" / f"{serial:05d}.png", serial)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "unknown": 1, "failed": 1})
    record = hospital.record()
    assert record["tenant"] == "sandbox/product=ess/org_sandbox_hospital"
    assert record["requests"]["CreatePreparedPersonalEsign"]["ok"] == 2
    made = hospital.service.seals
    assert len(made) == 3
    sent = {(seal.process_seal, seal.seal_color, seal.scene_key) for seal in made}
    assert sent == {(True, "BLUE", "OTHER")}, "the configuration's, whatever the roster's columns hold"

    (who,) = read_unknown_rows(hospital)
    capsys.readouterr()
    assert hospital.go("--lang", "en", "resolve") == 3
    printed = "".join(capsys.readouterr())
    assert "the hospital's e-Sign console" in printed
    assert "the platform" not in printed
    assert hospital.run_to_end("retry") == (0, {"sealed": 1, "unchanged": 2, "unknown": 1})
    assert run_later(hospital, "run") == 3
    assert hospital.statuses() == {"unchanged": 3, "unknown": 1}, "an unknown row is held"
    assert run_later(hospital, "resolve", who, "--seal-id", list_made_seals(hospital)[who], "--sure") == 0
    assert run_later(hospital, "run") == 0
    assert hospital.statuses() == {"unchanged": 4}
    assert hospital.service.list_duplicates() == {}
    capsys.readouterr()
    assert hospital.go("doctor", "--json") == 0
    assert run_later(hospital, "explain", who) == 0
    assert list_made_seals(hospital)[who] in capsys.readouterr().out


def test_the_service_is_asked_for_auto_sign_by_this_products_names(hospital_with):
    hospital = hospital_with(api=API)
    hospital.seal_doctors(2)
    seal = hospital.service.seals[0]
    hospital.service.auto_sign.open(seal.person, seal.seal_id, seal.created_at)
    assert hospital.go("autosign", "status") == 0
    asked = [call for call in hospital.service.received if call.action == "DescribeUserAutoSignStatus"]
    assert [call.code for call in asked] == ["ok", "ok"]
    assert not any(call.action.startswith("Channel") for call in hospital.service.received)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_refused_query_is_explained_as_in_the_other_product(hospital_with, capsys, language):
    refused = {"code": "OperationDenied.WhiteListForbid", "message": "接口功能暂未开放"}
    query = {"action": "DescribeUserAutoSignStatus"}
    hospital = hospital_with(faults=[{"match": query, "do": {"code": refused}}], api=API)
    hospital.seal_doctors(1)
    capsys.readouterr()
    assert hospital.go("--lang", language, "autosign", "status") == 4
    words = {"zh": "请腾讯客户经理开通 DescribeUserAutoSignStatus", "en": "enable DescribeUserAutoSignStatus"}
    assert words[language] in "".join(capsys.readouterr().err.splitlines())


def test_before_the_first_run_it_is_asked_whether_seals_were_made_otherwise(hospital_with, capsys):
    """This product may not refuse a name that exists: each seal that was made by hand would be made a second time."""
    hospital = hospital_with(api=API)
    hospital.doctors(2)
    words = {"en": "made in another way before", "zh": "以前用别的方式"}

    def is_asked(*command, language="en", code=0):
        capsys.readouterr()
        assert hospital.go("--lang", language, *command) == code
        return words[language] in "".join("".join(capsys.readouterr()).split("\n"))

    for language, sentence in words.items():
        assert is_asked("check", language=language)
        assert sentence in "".join(describe_checked_preview(hospital, language)), "also on the page"
    code, seen = run_on_terminal(hospital.command("run"), columns=200, typed=b"n\n")
    question = seen.index("Create these seals?")
    assert (code, seen.index(words["en"]) < question, hospital.creates()) == (0, True, 0)
    hospital.configure(**API, endpoint="http://127.0.0.1:9")
    assert is_asked("run", code=5)
    hospital.configure(**API)
    assert is_asked("run"), "still nothing was sent"
    assert hospital.statuses() == {"sealed": 2}
    assert not is_asked("run")
    hospital.doctors(3)
    assert not is_asked("check")


def test_it_is_not_asked_once_seals_were_imported_and_not_of_the_other_product(hospital_with, capsys):
    hospital = hospital_with(api=API)
    old = [(*make_row(1), f"yD{1:030d}")]
    hospital.roster(old, headers=("姓名", "证件号码", "手机号", "工号", "科室", "SealId"), file="../old.xlsx")
    hospital.doctors(2)
    assert hospital.go("adopt", str(hospital.folder / "old.xlsx")) == 0
    for product in ("ess", "essbasic"):
        if product == "essbasic":
            hospital.configure()
            hospital.service.reset()
            for part in ("state", "out"):
                shutil.rmtree(hospital.folder / part)
        for command in ("check", "run"):
            capsys.readouterr()
            assert hospital.go(command) == 0
            assert "made in another way" not in " ".join("".join(capsys.readouterr()).split()), product


def test_an_operator_of_another_hospital_stops_the_run_with_the_key_to_correct(hospital_with, capsys):
    hospital = hospital_with(api=API | {"operator_user_id": "yDother"})
    hospital.doctors(2)
    assert hospital.run_to_end("run") == (4, {"not_sent": 2})
    error = capsys.readouterr().err
    assert "api.operator_user_id (now yDother)" in error
    assert "open_id" not in error


@pytest.mark.parametrize(
    ("api", "words"),
    [
        ({"product": "ess", "app_id": "a", "organization_open_id": "o"}, "app_id, organization_open_id: only for"),
        ({"product": "ess", "allow_other_card_type": True}, "allow_other_card_type: only for"),
        ({"organization": "o", "operator_user_id": "u"}, "organization, operator_user_id: only for"),
        ({"seal_color": "RED"}, "seal_color: only for"),
        ({"product": "ess", "seal_color": "RED", "process_seal": False}, "set process_seal: true"),
        ({"product": "ess", "contract": "inline"}, "has no contract"),
        ({"product": "ess", "endpoint": "https://essbasic.tencentcloudapi.com"}, "belongs to the product essbasic"),
        ({"endpoint": "https://ess.test.ess.tencent.cn"}, "belongs to the product ess"),
        ({"product": "esx"}, "must be one of"),
    ],
)  # fmt: skip
def test_what_belongs_to_the_other_product_is_refused_with_a_sentence(api, words):
    with pytest.raises(ConfigError) as refused:
        Config.load(environment={}, api=api)
    assert words in refused.value.render("en")


def test_the_hosts_and_the_tenant_follow_the_product():
    ids = {"organization": "我院/1", "operator_user_id": "u"}
    config = Config.load(environment={}, api={"product": "ess", **ids})
    assert (config.api.endpoint, config.api.file_endpoint) == (
        "https://ess.tencentcloudapi.com", "https://file.ess.tencent.cn"
    )  # fmt: skip
    assert config.tenant == "production/product=ess/%E6%88%91%E9%99%A2%2F1"
    test = Config.load(
        environment={}, api={"product": "ess", "endpoint": "https://ess.test.ess.tencent.cn", **ids}
    )
    assert test.api.file_endpoint == "https://file.test.ess.tencent.cn"
    assert Config.load(environment={}, api={"product": "ess"}).api.placeholders == (
        "api.organization", "api.operator_user_id"
    )  # fmt: skip
    alike = {"app_id": "product=ess", "organization_open_id": "o", "operator_open_id": "u"}
    assert Config.load(environment={}, api=alike).tenant == "production/product%3Dess/o"


def test_a_picture_that_the_other_product_takes_is_made_smaller(hospital_with):
    hospital = hospital_with(api=API)
    hospital.doctors(1)
    picture = Image.new("RGB", (2600, 2300), "white")
    picture.paste(Image.frombytes("RGB", (2600, 830), random.Random(1).randbytes(2600 * 830 * 3)), (0, 600))
    picture.save(hospital.folder / "seals" / "00001.png")
    assert 5_000_000 < (hospital.folder / "seals" / "00001.png").stat().st_size < 8_000_000
    assert hospital.run_to_end("run") == (0, {"sealed": 1})
    (picture,) = hospital.service.pictures.values()
    assert len(picture) < 5_000_000


def test_init_asks_for_the_ids_of_the_product(tmp_path, capsys):
    ids = ["--id", "organization=91310000", "--id", "operator_user_id=yDuser"]
    assert main(["init", str(tmp_path / "a"), "--yes", "--product", "ess", *ids]) == 0
    config = Config.load(tmp_path / "a" / "config.yaml", environment={})
    assert (config.tenant, config.api.placeholders) == ("production/product=ess/91310000", ())
    assert main(["--lang", "en", "init", str(tmp_path / "b"), "--yes", *ids]) == 2
    assert "organization is no id of the product essbasic; its ids are app_id" in capsys.readouterr().err
