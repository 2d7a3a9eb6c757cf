"""How the two font files beside this one were cut; run it again only to add characters.

    apt-get install fonts-noto-cjk fonts-lxgw-wenkai
    .venv/bin/python sample_data/font/subset.py [FOLDER…]      # folders to look for the fonts in

Both sources are under the SIL Open Font License 1.1 (OFL.txt beside this file). Noto Serif CJK reserves no font
name; LXGW WenKai reserves “LXGW” and “霞鹜”. A cut font is a modified version, so both are renamed.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from fontTools import subset  # type: ignore[import-untyped]  # fontTools ships no types
from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # fontTools ships no types

HERE = Path(__file__).parent
SYSTEM = Path("/usr/share/fonts")
SUFFIXES = "之印章医师签名专用处方·〇一二三四五六七八九"
# common family and given names: enough to draw another doctor
SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏"
    "钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文欧阳诸葛司"
)
GIVEN = (
    "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国志海波辉飞鹏宇浩然子涵梓轩怡佳雨欣思琪梦瑶俊晨阳博文"
    "雪莹婷慧玲琳萍春梅珍珠凤云莲真环荣爱妹香月莺媛瑞凡嘉卿聪澜纯毓悦昭冰爽琬茗羽希宁馨融光天达安岩中茂进林有坚和彪"
    "诚先敬震振壮会思群豪心邦承乐绍功松善厚庆民友裕河哲江亮政谦亨奇固之轮翰朗伯宏言若鸣朋斌栋维启克伦翔旭士以成家"
)


@dataclass(frozen=True)
class Source:
    """One font to cut: where it comes from, what it is called afterwards."""

    file: str
    face: int  # of a collection
    target: str
    family: str
    style: str


SOURCES = (
    Source("NotoSerifCJK-Bold.ttc", 2, "EsignSampleSong-Bold-subset.otf", "Esign Sample Song", "Bold"),
    Source("LXGWWenKai-Regular.ttf", -1, "EsignSampleKai-Regular-subset.ttf", "Esign Sample Kai", "Regular"),
)


def find(name: str, folders: list[Path]) -> Path:
    """Return the first file of that name below the folders."""
    for folder in folders:
        for path in sorted(folder.rglob(name)):
            return path
    raise SystemExit(f"{name} is not below {', '.join(map(str, folders))}")


def cut(source: Source, characters: str, folders: list[Path]) -> None:
    """Write the subset: outlines and their metrics, no layout tables, no hints, the same bytes every time."""
    font = TTFont(find(source.file, folders), fontNumber=source.face, recalcTimestamp=False)
    lacking = [character for character in characters if ord(character) not in font.getBestCmap()]
    if lacking:
        raise SystemExit(f"{source.file} has no {' '.join(lacking)}")
    options = subset.Options(
        layout_features=[],
        hinting=False,
        desubroutinize=True,
        notdef_outline=True,
        name_IDs=[0, 1, 2, 4, 5, 6, 13, 14],
    )
    options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx", "meta", "DSIG"]
    cutter = subset.Subsetter(options)
    cutter.populate(text=characters)
    cutter.subset(font)
    rename(font, source)
    font.save(HERE / source.target)
    font.close()


def rename(font: TTFont, source: Source) -> None:
    """Take the original's names away; the copyright and the licence stay."""
    full = f"{source.family} {source.style}"
    postscript = full.replace(" ", "", 2).replace(" ", "-")
    names = {1: source.family, 2: source.style, 4: full, 6: postscript}
    for record in list(font["name"].names):
        if record.platformID != 3 or record.langID != 0x409:
            font["name"].names.remove(record)
        elif record.nameID in names:
            record.string = names[record.nameID]
    if "CFF " in font:
        top = font["CFF "].cff
        top.fontNames = [postscript]
        top[0].FullName, top[0].FamilyName = full, source.family


def main() -> None:
    """Cut both fonts to the characters of the roster and the common ones."""
    sys.path[:0] = [str(HERE.parent), str(HERE.parents[1] / "tests" / "support")]
    from entries import LEFT_BEHIND, STAFF  # noqa: PLC0415 -- the scripts beside this folder are no package

    names = "".join(line.split()[1] for line in STAFF.strip().split("\n")) + LEFT_BEHIND.words
    characters = "".join(sorted({*names, *SUFFIXES, *SURNAMES, *GIVEN}))
    folders = [*map(Path, sys.argv[1:]), SYSTEM]
    for source in SOURCES:
        cut(source, characters, folders)
        size = (HERE / source.target).stat().st_size
        print(f"{source.target}: {len(characters)} characters, {size:,} bytes")


if __name__ == "__main__":
    main()
