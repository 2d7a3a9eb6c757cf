"""Whole runs from the command line: the requests that the service got, and the results."""

import hashlib
import json
import shutil
from collections import Counter

import pytest
from people import name, number
from PIL import Image
from tencentcloud.ess.v20201111 import models as ess_models
from tencentcloud.essbasic.v20210526 import models
from wire_support import fault

from pipeline.sandbox.actions import Rules


def test_every_doctor_gets_a_seal_of_the_own_picture(hospital):
    hospital.seal_doctors(12)

    assert hospital.statuses() == {"sealed": 12}
    made = {seal.number: seal for seal in hospital.service.seals}
    assert len(made) == 12
    for outcome in hospital.outcomes():
        serial = int(outcome["staff_no"])
        seal = made[number(serial)]
        assert outcome["seal_id"] == seal.seal_id
        assert outcome["name"] == seal.name == name(serial)
        assert (
            hospital.service.pictures[seal.picture]
            == (hospital.folder / "seals" / f"{serial:05d}.png").read_bytes()
        )
        assert outcome["picture"]["sha256"] == seal.picture
        assert outcome["trace_id"] == seal.trace_id


def test_the_inline_contract_sends_its_own_fields(hospital_with):
    api = {"contract": "inline", "enable_auto_sign": True, "license_type": 1, "seal_image_compress": True}
    hospital = hospital_with(rules=Rules(limiter="none", inline="on"), api=api)
    hospital.doctors(5)
    assert hospital.run_to_end("run") == (0, {"sealed": 5})
    assert not hospital.service.uploads
    sent = {
        (seal.enable_auto_sign, seal.license_type, seal.seal_image_compress)
        for seal in hospital.service.seals
    }
    assert sent == {(True, 1, True)}


def test_paid_licences_are_reported_before_they_are_bound(hospital_with, capsys):
    api = {"contract": "inline", "enable_auto_sign": True, "license_type": 0}
    hospital = hospital_with(rules=Rules(limiter="none", inline="on"), api=api)
    hospital.doctors(3)
    hospital.go("run", "--limit", "2")
    assert "2 rows ask for a personal licence" in capsys.readouterr().err


def test_a_second_run_sends_nothing_also_with_an_emptied_picture_folder(hospital):
    hospital.doctors(6)
    hospital.go("run")
    before = len(hospital.service.received)
    assert hospital.run_to_end("run") == (0, {"unchanged": 6})
    shutil.rmtree(hospital.folder / "seals")
    assert hospital.run_to_end("run") == (0, {"unchanged": 6})
    assert len(hospital.service.received) == before
    assert {problem["severity"] for outcome in hospital.outcomes() for problem in outcome["problems"]} == {
        "warning"
    }


def test_what_changed_after_the_seal_is_not_sent(hospital):
    hospital.doctors(2)
    hospital.go("run")
    hospital.roster(
        [("王小明", number(1), "15400000001", "00001", "内科"), (name(2), number(2), None, "00002", "外科")]
    )
    assert hospital.go("run") == 3
    first, second = hospital.outcomes()
    assert (first["status"], second["status"]) == ("changed", "unchanged")
    assert first["codes"] == ["CONTENT_CHANGED"]
    assert len(hospital.service.seals) == 2


def test_the_same_picture_saved_anew_is_no_change(hospital):
    from PIL import Image

    hospital.doctors(1)
    hospital.go("run")
    path = hospital.folder / "seals" / "00001.png"
    Image.open(path).save(path, compress_level=1)
    assert hospital.run_to_end("run") == (0, {"unchanged": 1})


def test_a_new_doctor_with_a_sealed_ones_picture_gets_nothing(hospital):
    hospital.doctors(1)
    hospital.go("run")
    shutil.copy(hospital.folder / "seals" / "00001.png", hospital.folder / "seals" / "00002.png")
    hospital.roster([(name(2), number(2), None, "00002", "内科")], file="more.xlsx")
    assert hospital.go("run") == 3
    assert len(hospital.service.seals) == 1
    assert "IMAGE_SHARED" in {code for outcome in hospital.outcomes() for code in outcome["codes"]}


def save_as_bmp(hospital, serial, whose):
    """Give a doctor another one's drawing, in a file of another format."""
    seals = hospital.folder / "seals"
    Image.open(seals / f"{whose:05d}.png").save(seals / f"{serial:05d}.bmp")
    (seals / f"{serial:05d}.png").unlink(missing_ok=True)


def shared(hospital, command):
    """Who is told that another one has the same picture."""
    rows = hospital.outcomes("plan.jsonl" if command == "check" else "outcomes.jsonl")
    return {row["name"] for row in rows if "IMAGE_SHARED" in row["codes"]}


def test_one_drawing_in_two_files_goes_to_no_doctor(hospital):
    hospital.doctors(3)
    save_as_bmp(hospital, 2, whose=1)
    for command in ("check", "run"):
        assert hospital.go(command) == 3
        assert shared(hospital, command) == {name(1), name(2)}
        assert {seal.name for seal in hospital.service.seals} == ({name(3)} if command == "run" else set())


def test_a_new_doctor_with_a_sealed_ones_drawing_gets_nothing_either(hospital):
    hospital.doctors(1)
    hospital.go("run")
    save_as_bmp(hospital, 2, whose=1)
    hospital.roster([(name(2), number(2), None, "00002", "内科")], file="more.xlsx")
    for command in ("check", "run"):
        assert hospital.go(command) == 3
        assert len(hospital.service.seals) == 1
        assert shared(hospital, command) == {name(2)}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def test_limit_keeps_the_rest_for_later(hospital):
    hospital.doctors(5)
    assert hospital.run_to_end("run", "--limit", "2") == (0, {"sealed": 2, "not_sent": 3})
    assert hospital.run_to_end("run") == (0, {"sealed": 3, "unchanged": 2})


def test_check_finds_what_run_finds_and_sends_nothing(hospital):
    hospital.doctors(4)
    hospital.roster(
        [
            (name(1), number(1), "15400000001", "00001", "内科"),
            (
                name(2),
                number(2)[:-1] + "0" if number(2)[-1] != "0" else number(2)[:-1] + "1",
                None,
                "00002",
                "内科",
            ),
            ("李明（返聘）", number(3), "1380013", "00003", "内科"),
            (name(9), number(9), None, "00009", "内科"),
        ]
    )
    (hospital.folder / "seals" / "00009.png").write_bytes(b"not a picture")
    assert hospital.go("check") == 3
    codes_by_row = [(line["row"], line["codes"]) for line in hospital.outcomes("plan.jsonl")]
    assert not hospital.service.received
    assert hospital.go("run") == 3
    assert codes_by_row == [(line["row"], line["codes"]) for line in hospital.outcomes()]
    assert [codes for _, codes in codes_by_row][1:] == [
        ["ID_CHECKSUM", "MOBILE_MISSING"],
        ["NAME_INVALID", "MOBILE_INVALID"],
        ["MOBILE_MISSING", "IMAGE_FORMAT"],
    ]


@pytest.mark.parametrize("command", ["run", "check"])
def test_an_empty_inbox_is_a_quiet_run(hospital, capsys, command):
    (hospital.folder / "inbox").mkdir()
    assert hospital.go(command) == 0
    assert "no roster" in capsys.readouterr().err
    assert not (hospital.folder / "out" / "latest").exists()


@pytest.mark.parametrize(("key", "value"), [("roster", "[share]"), ("seals", "share")])
def test_a_folder_of_the_configuration_that_is_not_there_is_no_empty_one(hospital, capsys, key, value):
    """A share that is not mounted looks like a run without doctors, or like doctors without pictures."""
    hospital.seal_doctors(1)
    with (hospital.folder / "config.yaml").open("a") as config:
        config.write(f"{key}: {value}\n")
    for command in ("run", "check", "retry"):
        capsys.readouterr()
        assert hospital.go(command) == 2
        stderr_text = capsys.readouterr().err
        assert "share" in stderr_text
        assert f"({key} in" in stderr_text


def test_a_missing_default_picture_folder_is_reported(hospital, capsys):
    hospital.doctors(1)
    shutil.rmtree(hospital.folder / "seals")
    assert hospital.go("run") == 3
    assert "no picture folder" in capsys.readouterr().err


def test_a_roster_that_cannot_be_read_does_not_stop_the_others(hospital):
    hospital.doctors(2)
    (hospital.folder / "inbox" / "broken.xlsx").write_bytes(b"PK\x03\x04 and then nothing")
    assert hospital.run_to_end("run") == (7, {"sealed": 2})


def test_requests_hold_only_fields_the_sdk_knows():
    """Every key that reaches the service is a member of the official SDK's request models."""
    from pipeline.domain.fields import FIELDS
    from pipeline.domain.seals import SealContent, SealRequest
    from pipeline.esign.contracts import CONTRACTS, CreateImage, build_liveness_check, build_upload
    from pipeline.esign.products import CustomerAgent, PlatformAgent

    content = SealContent("n", "d", "ID_CARD", None, None, None, "p", None)
    request = SealRequest(
        "k",
        "r",
        "张三处方章",
        {field: "a value" for field, definition in FIELDS.items() if definition.parameter},
        content,
    )
    agents = {
        "essbasic": PlatformAgent("a", "o", "u", "p", "q", True),
        "ess": CustomerAgent("u", True, "RED"),
    }
    sdk = {"essbasic": models, "ess": ess_models}
    for contract in CONTRACTS.values():
        product, agent = contract.product, agents[contract.product.name]
        bodies = {
            product.create: contract.build_create(agent, request, CreateImage(b"x", "f")),
            product.upload: build_upload(agent, "row000001.png", b"x"),
            product.organization_seals: build_liveness_check(agent),
        }
        for action, body in bodies.items():
            model = getattr(sdk[product.name], f"{action}Request")()
            assert _list_strangers(json.loads(body), model, sdk[product.name]) == []


def _list_strangers(body: dict, model, sdk) -> list[str]:
    members = {"Agent": sdk.Agent, "Operator": sdk.UserInfo, "ProxyOperator": sdk.UserInfo}
    if sdk is ess_models:
        members["Caller"] = sdk.Caller
    unknown_fields = []
    for key, value in body.items():
        if not hasattr(type(model), key):
            unknown_fields.append(key)
        elif key in members:
            unknown_fields += _list_strangers(value, members[key](), sdk)
        elif key == "FileInfos":
            unknown_fields += _list_strangers(value[0], sdk.UploadFile(), sdk)
    return unknown_fields


def test_keys_without_a_value_are_left_out():
    from pipeline.domain.roster import CardType, Field
    from pipeline.domain.seals import SealContent, SealRequest
    from pipeline.esign.contracts import CONTRACTS, CreateImage
    from pipeline.esign.products import PlatformAgent

    content = SealContent("n", "d", "ID_CARD", None, None, None, "p", None)
    request = SealRequest(
        "k",
        "r",
        "张三处方章",
        {Field.NAME: "张三", Field.NUMBER: number(1), Field.ID_TYPE: CardType.ID_CARD},
        content,
    )
    body = json.loads(
        CONTRACTS["essbasic", "file_id"].build_create(
            PlatformAgent("a", "o", "u"), request, CreateImage(b"x", "f")
        )
    )
    assert set(body) == {"Agent", "Operator", "UserName", "IdCardType", "IdCardNumber", "SealName", "FileId"}
    assert body["Agent"] == {"AppId": "a", "ProxyOrganizationOpenId": "o", "ProxyOperator": {"OpenId": "u"}}


def test_the_results_hold_every_row_once_and_no_whole_number(hospital):
    hospital.doctors(7)
    hospital.go("run")
    rows = Counter((line["file"], line["sheet"], line["row"]) for line in hospital.outcomes())
    assert set(rows.values()) == {1}
    assert len(rows) == 7
    for path in (hospital.folder / "out" / "latest").iterdir():
        if path.suffix in {".json", ".jsonl"}:
            text = path.read_text("utf-8")
            assert not any(number(serial) in text for serial in range(1, 8))
    ledger = (hospital.folder / "state" / "ledger.sqlite3").read_bytes()
    assert not any(number(serial).encode() in ledger for serial in range(1, 8))


@pytest.mark.parametrize(
    "missing", [["ledger.sqlite3.key"], ["ledger.sqlite3"], ["ledger.sqlite3", "ledger.sqlite3.key"]]
)
def test_a_lost_ledger_or_key_is_made_again(hospital, capsys, missing):
    hospital.seal_doctors(2)
    before = len(hospital.service.received)
    for file in missing:
        (hospital.folder / "state" / file).unlink()
    capsys.readouterr()
    assert hospital.run_to_end("run") == (0, {"unchanged": 2})
    assert ("were entered" in capsys.readouterr().err) == ("ledger.sqlite3" in missing)
    assert len(hospital.service.received) == before


@pytest.mark.parametrize("named", [[], ["inbox/roster.xlsx"]], ids=["configured", "named"])
def test_a_retry_takes_up_the_last_run_over_its_rosters(hospital_with, named):
    faults = [
        {
            "match": {"action": "ChannelCreatePreparedPersonalEsign", "nth": [2]},
            "do": {"code": "FailedOperation"},
        }
    ]
    hospital = hospital_with(faults=faults)
    hospital.doctors(3)
    assert hospital.run_to_end("run") == (3, {"sealed": 2, "failed": 1})
    assert hospital.go("run") == 3  # a bare FailedOperation gives no reason: no later run repeats it
    assert hospital.statuses() == {"unchanged": 2, "failed": 1}
    hospital.roster([], file="../other.xlsx")
    assert hospital.go("run", str(hospital.folder / "other.xlsx")) == 0, "over another roster"
    rosters = [str(hospital.folder / path) for path in named]
    assert hospital.run_to_end("retry", *rosters) == (0, {"sealed": 1, "unchanged": 2})


def test_with_json_the_progress_is_a_json_object_a_line_on_stderr(hospital_with, capsys):
    hospital = hospital_with(faults=[fault("reset_after", nth=(2,))])
    hospital.doctors(4)
    (hospital.folder / "seals" / "00004.png").unlink()
    hospital.go("--json", "run")
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    first, *_, last = lines
    assert {line["message_type"] for line in lines} == {"status"}
    assert (first["done"], first["total"], first["percent_done"], first["statuses"]) == (0, 3, 0, {})
    assert (last["done"], last["percent_done"], last["statuses"]) == (3, 1, {"sealed": 2, "unknown": 1})
    assert (last["seconds_remaining"], last["outage"]) == (0, None)
    assert first["limit_per_second"] > 0 < last["creates_per_second"]
    assert json.loads(out)["statuses"]["unknown"] == 1, "stdout holds run.json alone"
    hospital.go("--json", "run")
    assert "message_type" not in capsys.readouterr().err, "nothing is sent"
    hospital.doctors(1, start=9, file="more.xlsx")
    hospital.go("--json", "-q", "run")
    assert "message_type" not in capsys.readouterr().err, "-q shows errors alone"


def test_json_goes_to_stdout_and_all_else_to_stderr(hospital, capsys):
    hospital.doctors(1)
    hospital.go("--json", "run")
    out = capsys.readouterr().out
    assert json.loads(out)["statuses"]["sealed"] == 1
    assert hospital.go("status") == 0
    assert "People with a seal: 1" in capsys.readouterr().out


def test_columns_without_meaning_in_this_contract_are_reported(hospital):
    hospital.doctors(1)
    hospital.roster(
        [(name(1), number(1), None, "00001", "是")],
        headers=("姓名", "证件号码", "手机号", "工号", "开通自动签"),
    )
    assert hospital.go("run") == 0
    (outcome,) = hospital.outcomes()
    assert "VALUE_INVALID" in outcome["codes"]
    assert hospital.service.seals[0].enable_auto_sign is None
