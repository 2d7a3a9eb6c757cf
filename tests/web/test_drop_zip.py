"""A dropped zip: the same rules as for zips in the picture folder, and no byte outside the folders."""

import zipfile

import pytest
from page_support import list_names
from run_support import draw_seal
from zip_support import Entry, encrypted, sized, zipped

from pipeline.web.drop import names


@pytest.fixture
def unpack(clerk):
    def unpack(content, name="内科.zip"):
        answer = clerk.drop(name, content)
        assert answer["outcome"] == "unpacked", answer
        return answer["counts"], {file["name"]: file["text"] for file in answer["refused"]}

    return unpack


def test_pictures_go_into_a_folder_of_its_name_and_rosters_into_the_roster_folder(hospital, unpack, prepared):
    entries = {f"子/{name}": content for name, content in prepared.items()}
    counts, refused = unpack(zipped({**entries, "__MACOSX/x.png": b"x", "子/.DS_Store": b"x"}))
    assert (counts, refused) == ({"stored": 3}, {})
    assert list_names(hospital.folder / "inbox") == ["roster.xlsx"]
    assert list_names(hospital.folder / "seals") == [
        "内科",
        "内科/子",
        "内科/子/00001.png",
        "内科/子/00002.png",
    ]
    assert unpack(zipped(entries))[0] == {"same": 3}
    assert unpack(zipped({"外科/x.png": prepared["00001.png"]}), "外科.zip")[0] == {"stored": 1}
    assert (hospital.folder / "seals" / "外科" / "x.png").exists(), "its only folder has its name"
    changed = unpack(zipped({"子/00001.png": prepared["00002.png"]}))[0]
    assert changed == {"waiting": 1}
    assert (hospital.folder / "seals" / "内科" / "子" / "00001.png").read_bytes() == prepared["00001.png"]


def test_what_does_harm_is_refused_by_name(hospital, unpack):
    inner = zipped({"x.png": b"x"})
    bomb = b"\0" * 20_000_000
    entries = [
        Entry("../../evil.png"),
        Entry("/evil.png"),
        Entry("C:/evil.png"),
        Entry("a/../../evil.png"),
        Entry("a\\..\\..\\evil.png"),
        Entry("inner.zip", inner),
        Entry("link.png", b"/etc/passwd", mode=0o120777),
        Entry("pipe.png", b"", mode=0o010666),
        Entry("bomb.png", bomb),
        Entry("run.exe", b"MZ"),
        Entry("list.csv", b""),
        Entry("good.png", b"seal"),
    ]
    counts, refused = unpack(zipped(entries), "z.zip")
    assert counts == {"stored": 1}
    assert len(refused) == len(entries) - 2, "one name, written in two ways"
    assert "zip in a zip" in refused["inner.zip"]
    assert "link" in refused["link.png"]
    assert "1:200+" in refused["bomb.png"]
    assert list_names(hospital.folder / "seals") == ["z", "z/good.png"]
    assert list_names(hospital.folder / "inbox") == []
    assert not list(hospital.folder.parent.rglob("evil*"))


def test_a_zip_as_a_whole_that_does_harm_is_refused(hospital, clerk, monkeypatch):
    name = b"a.png"
    good = zipped({name.decode(): b"seal" * 100})
    for content in (b"no zip", good[:-30], sized(good, name, 5_000_000_000 % 2**32), b""):
        answer = clerk.drop("x.zip", content)
        assert answer["outcome"] in {"refused", "unpacked"}
        assert answer.get("counts", {}) == {}
    assert clerk.drop("x.zip", encrypted(good, name))["refused"][0]["name"] == "a.png"
    monkeypatch.setattr("pipeline.intake.guarded_zip.MAX_MEMBERS", 2)
    many = zipped({f"{n}.png": b"x" for n in range(3)})
    assert "> 2 members" in clerk.drop("x.zip", many)["text"]
    assert list_names(hospital.folder / "seals") == []


def test_a_member_that_is_too_large_is_refused_before_it_is_unpacked(hospital, unpack, monkeypatch):
    monkeypatch.setitem(names.LARGEST, "picture", 1000)
    counts, refused = unpack(
        zipped([Entry("big.png", b"x" * 1001, method=zipfile.ZIP_STORED), Entry("small.png", b"x" * 1000)])
    )
    assert counts == {"stored": 1}
    assert "1.0 KB" in refused["big.png"]


def test_a_name_in_another_encoding_is_read_as_the_program_reads_it(hospital, unpack, tmp_path):
    draw_seal(tmp_path / "x.png", 3)
    unpack(zipped([Entry("张伟.png".encode("gb18030"), (tmp_path / "x.png").read_bytes())]), "z.zip")
    assert list_names(hospital.folder / "seals") == ["z", "z/张伟.png"]
