"""What results show of a row survives the ledger's line of it, for every field of the table of fields."""

import json
import shutil
from dataclasses import replace

import openpyxl
from leaks import members
from people import make_row, name, number
from PIL import Image
from run_support import draw_seal

import pipeline
from pipeline.domain.fields import FIELDS
from pipeline.domain.roster import Field
from pipeline.messages.areas import get_words
from pipeline.sandbox import checks
from pipeline.sandbox.gateway import CREATE

HEADERS = ("姓名", "证件号码", "手机号", "工号", "科室", "印章名称", "证件类型")
TIME = get_words("col.time")["en"]


def read_sheet(hospital) -> list[dict]:
    """Return the rows of the sheet All, without the time, which is that of the person's newest create."""
    sheet = openpyxl.load_workbook(hospital.newest / "results.xlsx")["All"]
    titles, *rows = sheet.iter_rows(values_only=True)
    return [{**dict(zip(titles, row, strict=True)), TIME: None} for row in rows]


def test_the_sizes_of_a_picture_before_and_after_its_conversion_are_in_every_result(hospital, capsys):
    """A picture that is converted, one that is sent as it is, one that is too small."""
    seals = hospital.folder / "seals"
    for serial in (1, 2):
        draw_seal(seals / f"{serial:05d}.png", serial)
    with Image.open(seals / "00001.png") as drawn:
        drawn.save(seals / "00001.bmp")
        width, height = drawn.size
    (seals / "00001.png").unlink()
    Image.new("RGB", (9, 7), "red").save(seals / "00003.png")
    hospital.roster([make_row(serial) for serial in (1, 2, 3)])
    assert hospital.go("run") == 3
    bmp, png, tiny = (hospital.outcomes()[index]["picture"] for index in range(3))
    sent = hospital.service.pictures[hospital.service.seals[0].picture]
    given = {"bytes": (seals / "00001.bmp").stat().st_size, "width": width, "height": height}
    assert given.items() <= bmp.items()
    assert bmp["sent"] == {**given, "bytes": len(sent)}
    assert png["sent"] == {name: png[name] for name in given}
    assert (tiny["width"], tiny["height"], tiny["sent"]) == (9, 7, None)
    shown = read_sheet(hospital)
    texts = [(row["Picture size"], row["Size as sent"]) for row in shown]
    assert texts[0][0].endswith(f" KB, {width}×{height}")
    assert texts[0][1] == f"{len(sent) / 1000:.1f} KB, {width}×{height}"
    assert (texts[1][1], texts[2][1]) == ("as given", None)
    frame = pipeline.check(hospital.folder / "config.yaml", write=False).to_frame()
    assert frame["picture_bytes"].tolist() == [bmp["bytes"], png["bytes"], tiny["bytes"]]
    assert frame["sent_width"].isna().all(), "the seals exist: no picture was opened to be sent"
    shutil.rmtree(seals)
    capsys.readouterr()
    assert hospital.go("explain", name(1)) == 0
    assert f"00001.bmp ({texts[0][0]}; sent as {texts[0][1]})" in capsys.readouterr().out
    assert hospital.go("explain", name(1), "--json") == 0
    (row,) = json.loads(capsys.readouterr().out)["doctor"]["history"][0]["rows"]
    assert row["picture"] == bmp


def test_a_field_that_is_added_to_the_table_reaches_request_results_ledger_and_explain(
    hospital, monkeypatch, capsys
):
    """The department stands for the new field: it is not sent, and outcomes.jsonl does not show it."""
    added = replace(FIELDS[Field.DEPARTMENT], parameter="Ward", result="ward", is_in_outcomes=True)
    monkeypatch.setitem(FIELDS, Field.DEPARTMENT, added)
    monkeypatch.setitem(checks.SHAPES[CREATE], "Ward", checks.NEEDED_TEXT)  # a create without it is refused
    hospital.doctors(1)
    assert hospital.go("run") == 0
    assert hospital.outcomes()[0]["ward"] == "内科"
    shutil.rmtree(hospital.folder / "inbox")
    capsys.readouterr()
    assert hospital.go("explain", number(1)) == 0
    assert "内科" in capsys.readouterr().out


def test_a_personal_field_stands_whole_in_requests_and_marked_copies_alone(
    hospital_with, monkeypatch, capsys
):
    address = "li.wei@hospital.example"
    refusal = {"code": "InvalidParameter", "message": f"参数不正确 [{address}]"}
    hospital = hospital_with(faults=[{"match": {"user_name": name(1)}, "do": {"code": refusal}}])
    added = replace(
        FIELDS[Field.DEPARTMENT], parameter="Ward", result="ward", is_in_outcomes=True, is_personal=True
    )
    monkeypatch.setitem(FIELDS, Field.DEPARTMENT, added)
    monkeypatch.setitem(checks.SHAPES[CREATE], "Ward", checks.NEEDED_TEXT)
    draw_seal(hospital.folder / "seals" / "00001.png", 1)
    hospital.roster([make_row(1, department=address)])
    assert hospital.go("run") == 3
    assert hospital.go("explain", number(1)) == 0
    printed = capsys.readouterr()
    for text in (printed.out, printed.err, json.dumps(hospital.outcomes())):
        assert address not in text
    assert hospital.outcomes()[0]["ward"] == "**.***@********.***mple"
    paths = [*hospital.folder.joinpath("out").rglob("*"), *hospital.folder.joinpath("state").rglob("*")]
    for path in paths:
        if path.is_file() and path.parent.name != "rosters":
            for location, data in members(path):
                assert address.encode() not in data, location
