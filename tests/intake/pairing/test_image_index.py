"""The index of the picture folder, and how names of files are compared."""

from __future__ import annotations

import os
import random
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline.domain.roster import ImageFile
from pipeline.intake.pairing import file_names, image_index

needs_posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and links need privileges on Windows")


def put(path: Path, data: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


def relatives(library: image_index.ImageIndex) -> list[str]:
    return [candidate.relative_path for candidate in library.candidates]


def test_takes_picture_extensions_in_any_case_and_none_from_every_sub_folder(tmp_path):
    for name in (
        "b.PNG", "内科/张伟.jpg", "内科/深/李四.Tiff", "无扩展名", "阿依古丽.买买提", "a.webp", "名单.xlsx", "x.heic",
        "x.JFIF",
    ):  # fmt: skip
        put(tmp_path / name)
    assert relatives(image_index.index_images(image_index.list_images(tmp_path))) == sorted(
        [
            "b.PNG",
            "内科/张伟.jpg",
            "内科/深/李四.Tiff",
            "无扩展名",
            "阿依古丽.买买提",
            "a.webp",
            "x.heic",
            "x.JFIF",
        ]
    )


def test_the_index_does_not_depend_on_the_order_in_which_files_were_made(tmp_path):
    names = [f"{folder}/{number}.png" for folder in ("甲", "乙", "丙") for number in range(20)]
    for position, seed in (("one", 1), ("two", 2)):
        random.Random(seed).shuffle(names)
        for name in names:
            put(tmp_path / position / name)
    one, two = (
        image_index.index_images(image_index.list_images(tmp_path / location)) for location in ("one", "two")
    )
    assert relatives(one) == relatives(two) == sorted(names)
    assert {
        key: [form.candidate.relative_path for form in variant] for key, variant in one.variants.items()
    } == {key: [form.candidate.relative_path for form in variant] for key, variant in two.variants.items()}


def test_debris_of_macos_windows_and_office_is_no_picture(tmp_path):
    for name in (
        "._张伟.png", ".DS_Store", "Thumbs.db", "THUMBS.DB", "desktop.ini", "~$张伟.png", "__MACOSX/张伟.png",
        "$RECYCLE.BIN/张伟.png", "@eaDir/张伟.png", "张伟.png:Zone.Identifier", "Icon\r",
    ):  # fmt: skip
        put(tmp_path / name)
    put(tmp_path / "张伟.png")
    assert relatives(image_index.index_images(image_index.list_images(tmp_path))) == ["张伟.png"]


@needs_posix
def test_links_and_pipes_are_passed_over_and_circles_end(tmp_path):
    outside = put(tmp_path / "outside" / "secret.png")
    folder = tmp_path / "seals"
    put(folder / "a.png")
    (folder / "out.png").symlink_to(outside)
    (folder / "inside.png").symlink_to(folder / "a.png")
    (folder / "elsewhere").symlink_to(outside.parent, target_is_directory=True)
    (folder / "circle").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "pipe.png")
    library = image_index.index_images(image_index.list_images(folder))
    assert relatives(library) == ["a.png"]
    assert {name: passed.reason for name, passed in library.other_files.items()} == {
        "out": "link",
        "inside": "link",
        "elsewhere": "link",
        "circle": "link",
        "pipe": "not a regular file",
    }


def test_an_absent_folder_gives_an_empty_index_without_a_folder(tmp_path):
    assert image_index.index_images(image_index.list_images(None)).folder is None
    assert image_index.index_images(image_index.list_images(tmp_path / "nowhere")).folder is None
    assert image_index.index_images(image_index.list_images(tmp_path)).folder == tmp_path


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may list every folder")
def test_a_folder_that_cannot_be_listed_is_named(tmp_path):
    put(tmp_path / "a.png")
    closed = put(tmp_path / "closed" / "b.png").parent
    closed.chmod(0)
    library = image_index.index_images(image_index.list_images(tmp_path))
    closed.chmod(0o700)
    assert (relatives(library), library.unreadable) == (["a.png"], (("closed", "cannot be read"),))


@pytest.mark.parametrize(
    ("stem", "forms"),
    [
        ("张伟", [("张伟", "")]),
        ("张伟印章", [("张伟印章", ""), ("张伟", "印章")]),
        ("张伟_签名", [("张伟_签名", ""), ("张伟", "签名")]),
        ("张伟电子签章图片", [("张伟电子签章图片", ""), ("张伟", "电子签章图片")]),
        ("张伟的章", [("张伟的章", ""), ("张伟", "的章")]),
        ("张伟的电子签名", [("张伟的电子签名", ""), ("张伟", "的电子签名")]),
        ("张伟 章", [("张伟 章", ""), ("张伟", "章")]),
        ("张伟处方章", [("张伟处方章", ""), ("张伟", "处方章")]),
        ("欧阳文章", [("欧阳文章", "")]),
        ("欧阳文静章", [("欧阳文静章", ""), ("欧阳文静", "章")]),
        ("1001章", [("1001章", ""), ("1001", "章")]),
        ("12印", [("12印", ""), ("12", "印")]),
        ("张伟 - 副本 (2)", [("张伟 - 副本 (2)", ""), ("张伟 - 副本", "(2)"), ("张伟", "副本 (2)")]),
        ("张伟 副本 12", [("张伟 副本 12", ""), ("张伟", "副本 12")]),
        ("张伟 拷贝", [("张伟 拷贝", ""), ("张伟", "拷贝")]),
        ("张伟 Copy 2", [("张伟 Copy 2", ""), ("张伟", "Copy 2")]),
        ("张伟（2）", [("张伟(2)", ""), ("张伟", "(2)")]),
        ("张伟签名章", [("张伟签名章", ""), ("张伟", "签名章")]),
        ("Ｄ００１", [("D001", "")]),
        (" 张伟 ", [("张伟", "")]),
        ("印章", [("印章", "")]),
        ("李文章", [("李文章", "")]),
        ("张伟(12)", [("张伟(12)", "")]),
        ("d001copy", [("d001copy", "")]),
        ("张伟2", [("张伟2", "")]),
        ("张伟主任", [("张伟主任", "")]),
        ("张伟\n", []),
        ("张\x07伟", []),
    ],
)
def test_only_known_suffixes_are_stripped(stem, forms):
    assert list(file_names.strip_known_suffixes(stem)) == forms


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("张伟.PNG", ("张伟", ".png")),
        ("张伟.png.png", ("张伟", ".png.png")),
        ("张伟.bmp.JPG", ("张伟", ".bmp.jpg")),
        ("张伟。png", ("张伟", ".png")),
        ("张伟．ｊｐｇ", ("张伟", ".jpg")),
        ("张伟.png. ", ("张伟", ".png")),
        ("阿依古丽.买买提", ("阿依古丽.买买提", "")),
        ("阿依古丽.买买提.jpeg", ("阿依古丽.买买提", ".jpeg")),
        ("张伟.2026.png", ("张伟.2026", ".png")),
        ("张伟", ("张伟", "")),
        ("张伟png", ("张伟png", "")),
        ("张伟.pdf", ("张伟", ".pdf")),
        (".png", ("", ".png")),
    ],
)
def test_an_extension_is_split_from_the_name(name, parts):
    assert file_names.split_extension(name) == parts


@pytest.mark.parametrize(
    ("text", "tight"),
    [
        ("张伟", "张伟"),
        ("张　伟", "张伟"),
        ("张\u00a0\u200b伟", "张伟"),
        ("Ｄ００１", "d001"),
        ("阿依古丽.买买提", "阿依古丽·买买提"),
        ("阿依古丽•买买提", "阿依古丽·买买提"),
        ("阿依古丽・买买提", "阿依古丽·买买提"),
        ("張偉", "張偉"),
        ("张-伟", "张-伟"),
        ("Jose\u0301", "josé"),
    ],
)
def test_a_comparison_key_keeps_every_character_of_a_name(text, tight):
    assert file_names.comparison_key(text) == tight


@needs_posix
@pytest.mark.parametrize("top", ["", "seals", "/"])
def test_the_picture_of_a_candidate_is_where_a_person_finds_it(tmp_path, monkeypatch, top):
    garbled = os.fsdecode("张伟.png".encode("gb18030"))
    for name in ("a.png", "内科/张伟.png", garbled, f"{os.fsdecode('儿科'.encode('gb18030'))}/b"):
        put(tmp_path / "seals" / name)
    with zipfile.ZipFile(tmp_path / "seals" / "c.zip", "w") as archive:
        archive.writestr("内科/c.png", b"x")
    monkeypatch.chdir(tmp_path if top else tmp_path / "seals")
    folder = tmp_path / "seals" if top == "/" else Path(top)
    candidates = image_index.list_images(folder).candidates
    assert len(candidates) == 5
    for candidate in candidates:
        stored_path = Path("kept") if candidate.member else None
        if not candidate.member and candidate.file != candidate.path:
            stored_path = candidate.file
        expected = ImageFile.from_path(candidate.path, "sha256", 1, stored_path)
        assert candidate.make_image("sha256", 1, Path("kept")) == expected
        assert candidate.file.is_file()
        assert (candidate.stem, candidate.extension) == file_names.split_extension(candidate.name)
